//! What others are to be told of runs: kept once, for who was there, until it is told or there is too much of it.

use std::time::Duration;

use levada_core::run::Event;
use levada_store::{OUTBOX_BYTES_MAX, OUTBOX_EVENTS_MAX, Receiver};

use super::world::{World, chain};
use crate::places::{Place, on_both};

on_both! {
    a_receiver_is_held_by_one
    events_are_kept_once_and_go_when_they_are_told
    the_oldest_events_go_where_there_are_too_many
    what_is_told_of_runs
}

async fn receiver(world: &World, name: &str) -> Receiver {
    world.store.receivers().await.unwrap().into_iter().find(|receiver| receiver.name == name).unwrap()
}

async fn a_receiver_is_held_by_one(place: Place) {
    let world = World::new(place.store).await;
    let document = world.pipeline("p", chain(1)).await;
    world.run("p", document, "1").await;
    let newest = world.store.last_event().await.unwrap();
    let later = |seconds| world.now.plus(Duration::from_secs(seconds));
    let hold = async |now, until| world.store.hold_receiver("http".to_owned(), now, until).await.unwrap();
    // who is new is told of nothing that was before
    assert_eq!(hold(world.now, later(30)).await.unwrap().last_event, newest);
    assert_eq!(hold(later(29), later(60)).await, None);
    assert!(!world.store.hold_on("http".to_owned(), later(29), later(60)).await.unwrap());
    assert!(world.store.hold_on("http".to_owned(), later(30), later(40)).await.unwrap());
    assert_eq!(hold(later(39), later(60)).await, None);
    // of one that does not come back another has it
    world.run("p", document, "2").await;
    assert_eq!(hold(later(41), later(60)).await.unwrap().last_event, newest);
    assert!(!world.store.hold_on("http".to_owned(), later(40), later(90)).await.unwrap());
    world.store.hold_receiver("file".to_owned(), world.now, later(1)).await.unwrap();
    world.store.keep_events("file".to_owned(), newest + 1, newest + 1, vec!["{}".to_owned()]).await.unwrap();
    world.store.keep_receivers(vec!["http".to_owned()]).await.unwrap();
    let names: Vec<String> = world.store.receivers().await.unwrap().into_iter().map(|receiver| receiver.name).collect();
    assert_eq!(names, ["http"]);
    assert!(world.store.pending_events("file".to_owned(), 10).await.unwrap().is_empty());
}

async fn events_are_kept_once_and_go_when_they_are_told(place: Place) {
    let world = World::new(place.store).await;
    let name = || "http".to_owned();
    world.store.hold_receiver(name(), world.now, world.now.plus(Duration::from_secs(9))).await.unwrap();
    let events = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    assert_eq!(world.store.keep_events(name(), 0, 7, events(&["one", "two", "three"])).await.unwrap(), Some(0));
    // who comes too late, or comes again because the answer was lost, keeps nothing twice
    assert_eq!(world.store.keep_events(name(), 0, 7, events(&["one", "two", "three"])).await.unwrap(), None);
    let waiting = receiver(&world, "http").await;
    assert_eq!((waiting.last_event, waiting.pending, waiting.pending_bytes), (7, 3, 11));
    let pending = world.store.pending_events(name(), 2).await.unwrap();
    assert_eq!(pending.iter().map(|one| one.event.as_str()).collect::<Vec<_>>(), ["one", "two"]);
    world.store.not_told(name(), "it is gone".to_owned(), world.now.plus(Duration::from_secs(5))).await.unwrap();
    let failed = receiver(&world, "http").await;
    assert_eq!((failed.failures, failed.error.as_deref()), (1, Some("it is gone")));
    let ids: Vec<i64> = pending.iter().map(|one| one.id).collect();
    for _ in 0..2 {
        world.store.events_told(name(), ids.clone(), 1).await.unwrap();
    }
    let told = receiver(&world, "http").await;
    assert_eq!((told.pending, told.pending_bytes, told.sent, told.dropped), (1, 5, 1, 1));
    assert_eq!((told.failures, told.error), (0, None));
    assert_eq!(world.store.pending_events(name(), 9).await.unwrap()[0].event, "three");
}

async fn the_oldest_events_go_where_there_are_too_many(place: Place) {
    let world = World::new(place.store).await;
    let name = || "http".to_owned();
    world.store.hold_receiver(name(), world.now, world.now.plus(Duration::from_secs(9))).await.unwrap();
    let many = (0..OUTBOX_EVENTS_MAX + 5).map(|number| number.to_string()).collect();
    assert_eq!(world.store.keep_events(name(), 0, 1, many).await.unwrap(), Some(5));
    let full = receiver(&world, "http").await;
    assert_eq!((full.pending, full.dropped), (OUTBOX_EVENTS_MAX, 5));
    assert_eq!(world.store.pending_events(name(), 1).await.unwrap()[0].event, "5");
    // and where they are too large
    let large = "x".repeat(usize::try_from(OUTBOX_BYTES_MAX / 4).unwrap());
    for number in 1..5 {
        world.store.keep_events(name(), number, number + 1, vec![large.clone()]).await.unwrap();
    }
    let full = receiver(&world, "http").await;
    assert!(full.pending_bytes <= OUTBOX_BYTES_MAX, "{full:?}");
    assert_eq!(full.dropped + full.pending, OUTBOX_EVENTS_MAX + 5 + 4);
    let last = world.store.pending_events(name(), usize::try_from(full.pending).unwrap()).await.unwrap();
    assert_eq!((last.len() as u64, last.last().unwrap().event.len()), (full.pending, large.len()));
}

async fn what_is_told_of_runs(place: Place) {
    let world = World::new(place.store).await;
    let document = world.pipeline("p", chain(2)).await;
    let run = world.run("p", document, "1").await;
    let claim = world.claim(1).await.remove(0);
    world.end(&claim, Event::Finished).await;
    let told = world.store.runs_told(vec![run]).await.unwrap().remove(0);
    assert_eq!(
        (told.run, told.pipeline.as_str(), told.created_at, told.started_at),
        (run, "p", world.now, Some(world.now))
    );
    let task = world.store.task_runs_told(vec![claim.task_run]).await.unwrap().remove(0);
    assert_eq!((task.task.as_str(), task.is_item, &task.run), ("t0", false, &told));
    assert!(world.store.runs_told(Vec::new()).await.unwrap().is_empty());
}
