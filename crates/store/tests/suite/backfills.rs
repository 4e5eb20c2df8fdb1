//! Backfills: as many runs at once as asked for, each instant once, and an end of their own.

use levada_core::id::BackfillId;
use levada_core::run::Event;
use levada_core::time::Timestamp;
use levada_store::{BackfillState, NewBackfill, Only, RunFilter};

use super::world::{World, chain};
use crate::places::{Place, on_both};

on_both! { a_backfill_goes_through_its_range  a_pause_and_a_cancel_hold  only_what_is_needed_is_done_again
a_backfill_fails_with_its_runs  one_identity_is_one_backfill  a_day_that_waits_for_the_pipeline_says_so }

fn days(count: i64) -> Vec<Timestamp> {
    (0..count).map(|day| Timestamp::from_secs(1_600_000_000 + day * 86_400)).collect()
}

impl World {
    async fn backfill(&self, times: Vec<Timestamp>, concurrency: u32) -> BackfillId {
        let params = r#"{"since":"x"}"#.to_owned();
        let new = NewBackfill { pipeline: "p".to_owned(), times, params, concurrency, identity: None, input: None };
        self.store.create_backfill(new, self.now).await.unwrap()
    }

    async fn backfill_state(&self, id: BackfillId) -> BackfillState {
        self.store.backfill(id).await.unwrap().unwrap().state
    }
}

async fn a_backfill_goes_through_its_range(place: Place) {
    let world = World::new(place.store).await;
    world.pipeline("p", chain(1)).await;
    let reverse: Vec<_> = days(5).into_iter().rev().collect();
    let id = world.backfill(reverse.clone(), 2).await;
    let mut seen = Vec::new();
    assert_eq!(world.store.advance_backfills(world.now).await.unwrap(), 2);
    assert_eq!(world.store.advance_backfills(world.now).await.unwrap(), 0);
    while world.backfill_state(id).await == BackfillState::Running {
        let claim = world.claim(1).await.remove(0);
        assert_eq!(claim.params, r#"{"since":"x"}"#);
        seen.push(claim.fire_time.unwrap());
        world.end(&claim, Event::Finished).await;
        world.store.advance_backfills(world.now).await.unwrap();
    }
    assert_eq!(seen, reverse);
    let end = world.store.backfill(id).await.unwrap().unwrap();
    assert_eq!((end.state, end.total, end.runs["succeeded"]), (BackfillState::Succeeded, 5, 5));
    assert_eq!(world.store.backfills(levada_store::BackfillFilter::newest(10)).await.unwrap(), [end]);
    assert!(world.store.cancel_backfill(id, world.now).await.is_err());
}

async fn a_day_that_waits_for_the_pipeline_says_so(place: Place) {
    let world = World::new(place.store).await;
    let mut graph = chain(1);
    graph.concurrency = Some(1);
    world.pipeline("p", graph).await;
    let id = world.backfill(days(3), 2).await;
    world.store.advance_backfills(world.now).await.unwrap();
    let runs = world.store.runs(RunFilter { limit: 10, ..RunFilter::default() }).await.unwrap();
    let (second, first) = (runs[0].id, runs[1].id);
    assert_eq!(
        world.store.why_run(second, world.now).await.unwrap(),
        format!(
            "p has 1 of 1 runs open at once: it waits for run {first}; backfill {id} may have 2 at once, and p itself \
             no more than 1"
        )
    );
}

async fn a_pause_and_a_cancel_hold(place: Place) {
    let world = World::new(place.store).await;
    world.pipeline("p", chain(1)).await;
    let id = world.backfill(days(5), 2).await;
    world.store.advance_backfills(world.now).await.unwrap();
    world.store.pause_backfill(id, true).await.unwrap();
    assert_eq!(world.drain().await.len(), 2);
    assert_eq!(world.store.advance_backfills(world.now).await.unwrap(), 0);
    world.store.pause_backfill(id, false).await.unwrap();
    assert_eq!(world.store.advance_backfills(world.now).await.unwrap(), 2);
    let held = world.claim(1).await.remove(0);
    world.store.cancel_backfill(id, world.now).await.unwrap();
    // one run was queued and is gone at once, the other ends when its worker has stopped it
    assert_eq!(world.backfill_state(id).await, BackfillState::Stopping);
    world.end(&held, Event::Stopped).await;
    world.store.advance_backfills(world.now).await.unwrap();
    let end = world.store.backfill(id).await.unwrap().unwrap();
    assert_eq!((end.state, end.runs["succeeded"], end.runs["cancelled"]), (BackfillState::Cancelled, 2, 2));
    assert!(world.claim(1).await.is_empty());
}

async fn only_what_is_needed_is_done_again(place: Place) {
    let world = World::new(place.store).await;
    world.pipeline("p", chain(1)).await;
    world.backfill(days(3), 3).await;
    world.store.advance_backfills(world.now).await.unwrap();
    let claims = world.claim(3).await;
    world.end(&claims[1], Event::Errored { retry: false }).await;
    world.end(&claims[0], Event::Finished).await;
    world.end(&claims[2], Event::Finished).await;
    let needed = |only| world.store.backfill_times("p".to_owned(), days(4), only);
    assert_eq!(needed(Only::All).await.unwrap(), days(4));
    assert_eq!(needed(Only::Missing).await.unwrap(), &days(4)[3..]);
    assert_eq!(needed(Only::Failed).await.unwrap(), &days(4)[1..2]);
}

async fn a_backfill_fails_with_its_runs(place: Place) {
    let world = World::new(place.store).await;
    world.pipeline("p", chain(1)).await;
    let id = world.backfill(days(2), 1).await;
    for event in [Event::Errored { retry: false }, Event::Finished] {
        world.store.advance_backfills(world.now).await.unwrap();
        let claim = world.claim(5).await.remove(0);
        world.end(&claim, event).await;
    }
    world.store.advance_backfills(world.now).await.unwrap();
    assert_eq!(world.backfill_state(id).await, BackfillState::Failed);
    let filter = RunFilter { backfill: Some(id), limit: 10, ..RunFilter::default() };
    assert_eq!(world.store.runs(filter).await.unwrap().len(), 2);
}

async fn one_identity_is_one_backfill(place: Place) {
    let world = World::new(place.store).await;
    world.pipeline("p", chain(1)).await;
    let make = async |identity: Option<&str>| {
        let (params, identity, input) = ("{}".to_owned(), identity.map(str::to_owned), Some("a".to_owned()));
        let new = NewBackfill { pipeline: "p".to_owned(), times: days(2), params, concurrency: 1, identity, input };
        world.store.create_backfill(new, world.now).await.unwrap()
    };
    let (one, two) = tokio::join!(make(Some("api:ada:1")), make(Some("api:ada:1")));
    assert_eq!(one, two);
    let others = [make(Some("api:ada:2")).await, make(None).await, make(None).await];
    assert_eq!(world.store.backfills(levada_store::BackfillFilter::newest(10)).await.unwrap().len(), 4);
    // also after it has ended
    world.store.cancel_backfill(one, world.now).await.unwrap();
    assert_eq!(make(Some("api:ada:1")).await, one);
    assert!(!others.contains(&one));
}
