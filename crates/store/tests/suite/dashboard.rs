//! What the first page shows, and how far syncs are.

use std::time::Duration;

use levada_core::run::{Event, RunState};
use levada_store::{Counts, NewProgress, RunFilter, Update, Volume};

use super::world::{World, chain, ended, worker};
use crate::places::{Place, on_both};

on_both! { the_first_page_tells_the_day  progress_is_of_those_at_work  a_worker_that_lost_a_task_run_tells_nothing }

/// An hour before an hour is full, so that a test can pass into the next one.
const HOUR: Duration = Duration::from_secs(3_600);

async fn the_first_page_tells_the_day(place: Place) {
    let mut world = World::new(place.store).await;
    // 20 minutes past the hour
    assert_eq!(world.now.as_secs() % 3_600, 800);
    let document = world.pipeline("p", chain(2)).await;
    let other = world.pipeline("q", chain(1)).await;
    // older than a day: counted nowhere
    world.run("q", other, "old").await;
    world.end(&world.claim(1).await[0], Event::Errored { retry: false }).await;
    world.pass(HOUR * 25);
    let volume = Volume { rows: 7, bytes: 70 };
    for index in 0..2 {
        world.run("q", other, &index.to_string()).await;
        let claim = world.claim(1).await.remove(0);
        let datasets = vec!["warehouse.orders".to_owned()];
        world.exchange(vec![Update { volume, datasets, ..ended(&claim, Event::Finished) }], 0).await;
        world.pass(HOUR);
    }
    let failed = world.run("p", document, "failed").await;
    let claim = world.claim(1).await.remove(0);
    let error = Some(r#"{"code":"data","message":"no such column\nin the table"}"#.to_owned());
    world.exchange(vec![Update { error, ..ended(&claim, Event::Errored { retry: false }) }], 0).await;
    let at_work = world.run("p", document, "at work").await;
    let claim = world.claim(1).await.remove(0);
    world.exchange(vec![Update::new(claim.task_run, claim.epoch, vec![Event::Started])], 0).await;
    world.pass(Duration::from_secs(1));
    world.run("q", other, "queued").await;
    world.store.pause_pipeline("q".to_owned(), true, world.now).await.unwrap();

    let found = world.store.dashboard(world.now).await.unwrap();
    assert_eq!((found.pipelines, found.paused, found.running, found.queued), (2, 1, 1, 1));
    assert_eq!(found.ended, Counts { succeeded: 2, failed: 1, cancelled: 0 });
    assert_eq!(found.hours.len(), 25);
    let told: Vec<_> = found.hours.iter().rev().take(4).map(|hour| (hour.ended, hour.volume)).collect();
    let hour = |succeeded, failed, volume| (Counts { succeeded, failed, cancelled: 0 }, volume);
    let none = Volume::default();
    assert_eq!(told, [hour(0, 1, none), hour(1, 0, volume), hour(1, 0, volume), hour(0, 0, none)]);
    assert!(found.hours.windows(2).all(|pair| pair[1].from.since(pair[0].from) == HOUR));
    assert_eq!((found.failed.len(), found.failed[0].run, found.failed[0].is_recovered), (1, failed, false));
    assert_eq!(found.failed[0].task.as_deref(), Some("t0"));
    assert!(found.failed[0].error.as_deref().unwrap().contains("no such column"));
    assert_eq!((found.at_work.len(), found.at_work[0].id), (1, at_work));
    assert_eq!((found.at_work[0].tasks, found.at_work[0].open), (2, 2));
    assert_eq!((found.loaded.len(), found.loaded[0].name.as_str()), (1, "warehouse.orders"));
    assert_eq!(found.loaded[0].pipeline, "q");

    // a later run that succeeds says that all is well again
    world.end(&claim, Event::Finished).await;
    world.drain().await;
    assert_eq!(world.store.run(at_work).await.unwrap().unwrap().state, RunState::Succeeded);
    let found = world.store.dashboard(world.now).await.unwrap();
    assert!(found.failed[0].is_recovered && found.at_work.is_empty());
    assert!(world.store.bytes().await.unwrap() > 10_000);
    let searched = RunFilter { search: Some("Q".to_owned()), limit: 10, ..RunFilter::default() };
    assert_eq!(world.store.runs(searched).await.unwrap().len(), 4);
}

fn told(claim: &levada_store::Claim, figures: &str) -> NewProgress {
    let figures = figures.to_owned();
    NewProgress { task_run: claim.task_run, run: claim.run, epoch: claim.epoch, figures }
}

async fn progress_is_of_those_at_work(place: Place) {
    let world = World::new(place.store).await;
    let document = world.pipeline("p", chain(1)).await;
    let first = world.run("p", document, "1").await;
    world.run("p", document, "2").await;
    let claims = world.claim(2).await;
    let say = async |told: Vec<NewProgress>| world.store.tell_progress(told, world.now).await.unwrap();
    say(vec![told(&claims[0], "{}"), told(&claims[1], "{}")]).await;
    say(vec![told(&claims[0], "{\"rows\":1}")]).await;
    assert_eq!(world.store.progress(None).await.unwrap().len(), 2);
    let found = world.store.progress(Some(first)).await.unwrap();
    assert_eq!((found.len(), found[0].figures.as_str(), found[0].task.as_str()), (1, "{\"rows\":1}", "t0"));
    world.exchange(vec![Update { has_progress: true, ..ended(&claims[0], Event::Finished) }], 0).await;
    assert!(world.store.progress(Some(first)).await.unwrap().is_empty());
    assert_eq!(world.store.progress(None).await.unwrap().len(), 1);
}

async fn a_worker_that_lost_a_task_run_tells_nothing(place: Place) {
    let mut world = World::new(place.store).await;
    let document = world.pipeline("p", chain(1)).await;
    world.run("p", document, "1").await;
    let before = world.claim(1).await.remove(0);
    world.store.tell_progress(vec![told(&before, "{}")], world.now).await.unwrap();
    world.store.reap(vec![world.worker], world.now).await.unwrap();
    // nobody is at work on it
    assert!(world.store.progress(None).await.unwrap().is_empty());
    world.worker = world.store.sign_on(worker("two"), world.now).await.unwrap();
    world.pass(Duration::from_secs(3_600));
    world.store.wake_due(world.now).await.unwrap();
    let after = world.claim(1).await.remove(0);
    assert!(after.epoch > before.epoch);
    assert!(world.store.progress(None).await.unwrap().is_empty());
    world.store.tell_progress(vec![told(&after, "{\"rows\":2}")], world.now).await.unwrap();
    world.store.tell_progress(vec![told(&before, "{\"rows\":9}")], world.now).await.unwrap();
    let found = world.store.progress(None).await.unwrap();
    assert_eq!((found.len(), found[0].figures.as_str()), (1, "{\"rows\":2}"));
}
