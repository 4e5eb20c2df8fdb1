//! Requests to stop: whatever state a task run is in, it ends, and its slots are free at once.

use std::time::Duration;

use levada_core::config::Retry;
use levada_core::id::RunId;
use levada_core::run::{Event, FanOut, RunState, State};
use levada_store::{Exchanged, Update};

use super::world::{World, chain, ended, graph, node};
use crate::places::{Place, on_both};

on_both! { what_waits_is_cancelled_at_once  what_is_at_work_ends_with_its_report  a_retry_is_not_waited_for
items_end_and_their_task_with_them  a_stopped_run_makes_place  a_worker_lost_while_stopping_ends_it }

impl World {
    async fn stop(&self, run: RunId) -> u64 {
        self.store.stop_run(run, self.now).await.unwrap()
    }

    async fn state(&self, run: RunId) -> RunState {
        self.store.run(run).await.unwrap().unwrap().state
    }

    async fn states(&self, run: RunId) -> Vec<State> {
        self.store.task_runs(run).await.unwrap().iter().map(|task_run| task_run.state).collect()
    }

    async fn is_sound(&self) {
        assert_eq!(self.store.audit().await.unwrap(), Vec::<String>::new());
    }
}

/// Of a pool with one slot.
async fn pooled(world: &World) -> i64 {
    world.store.set_pools([("one".to_owned(), 1)].into()).await.unwrap();
    let mut graph = chain(2);
    graph.nodes[0].pool = Some(("one".to_owned(), 1));
    world.pipeline("p", graph).await
}

async fn what_waits_is_cancelled_at_once(place: Place) {
    let world = World::new(place.store).await;
    let document = pooled(&world).await;
    let run = world.run("p", document, "a").await;
    assert_eq!(world.stop(run).await, 0);
    assert_eq!(world.state(run).await, RunState::Cancelled);
    assert_eq!(world.states(run).await, [State::Cancelled, State::Cancelled]);
    assert!(world.claim(10).await.is_empty());
    assert_eq!(world.stop(run).await, 0);
    assert!(world.store.stop_run(RunId(999), world.now).await.is_err());
    world.is_sound().await;
}

async fn what_is_at_work_ends_with_its_report(place: Place) {
    let world = World::new(place.store).await;
    let document = pooled(&world).await;
    // claimed and not begun, begun, and finished in the moment of the request
    for (begun, last, end) in [
        (false, Event::Stopped, RunState::Cancelled),
        (true, Event::Stopped, RunState::Cancelled),
        (true, Event::Errored { retry: true }, RunState::Cancelled),
        (true, Event::Deferred { until: world.now }, RunState::Cancelled),
        (true, Event::Finished, RunState::Cancelled),
    ] {
        let run = world.run("p", document, &format!("{begun} {last:?}")).await;
        let claim = world.claim(1).await.remove(0);
        if begun {
            world.exchange(vec![Update::new(claim.task_run, claim.epoch, vec![Event::Started])], 0).await;
        }
        assert_eq!(world.stop(run).await, 1);
        assert_eq!(world.states(run).await, [State::Stopping, State::Cancelled]);
        let beat = world.store.beat(world.worker, false, vec![claim.task_run], world.now).await.unwrap();
        assert_eq!(beat.stop, [claim.task_run]);
        // the slot is held until the worker has stopped, and then free in the same transaction
        let next = world.run("p", document, &format!("{begun} {last:?} next")).await;
        assert!(world.claim(1).await.is_empty());
        let given = world.exchange(vec![Update::new(claim.task_run, claim.epoch, vec![last])], 1).await;
        assert_eq!(given.claims.len(), 1);
        assert_eq!(world.state(run).await, end);
        world.end(&given.claims[0], Event::Errored { retry: false }).await;
        assert_eq!(world.state(next).await, RunState::Failed);
    }
    world.is_sound().await;
}

async fn a_retry_is_not_waited_for(place: Place) {
    let world = World::new(place.store).await;
    let mut graph = chain(1);
    graph.nodes[0].retry = Retry { attempts: 5, initial: Duration::from_secs(600), ..Retry::default() };
    let document = world.pipeline("p", graph).await;
    let run = world.run("p", document, "a").await;
    let claim = world.claim(1).await.remove(0);
    world.end(&claim, Event::Errored { retry: true }).await;
    assert_eq!(world.stop(run).await, 0);
    assert_eq!(world.state(run).await, RunState::Cancelled);
    assert_eq!(world.store.wake_due(world.now).await.unwrap(), (0, None));
}

/// A run that was split into 4 items, of which 2 may be at work at once.
async fn split(world: &World, identity: &str) -> (RunId, Exchanged) {
    let mut graph = graph(vec![node("each", &[]), node("then", &[0])]);
    graph.nodes[0].fan_out = Some(FanOut { items_max: 10, concurrency: Some(2) });
    let document = world.pipeline("p", graph).await;
    let run = world.run("p", document, identity).await;
    let claim = world.claim(1).await.remove(0);
    let items = (0..4).map(|item| item.to_string()).collect();
    let update = Update { items, ..ended(&claim, Event::Expanded) };
    (run, world.exchange(vec![update], 10).await)
}

async fn items_end_and_their_task_with_them(place: Place) {
    let world = World::new(place.store).await;
    let (run, given) = split(&world, "a").await;
    world.end(&given.claims[0], Event::Finished).await;
    assert_eq!(world.stop(run).await, 1);
    // the run has not ended while an item of it is at work
    assert_eq!(world.state(run).await, RunState::Running);
    world.is_sound().await;
    world.end(&given.claims[1], Event::Stopped).await;
    assert_eq!(world.state(run).await, RunState::Cancelled);
    assert_eq!(world.states(run).await, [State::Cancelled, State::Cancelled]);
    let items = world.store.items(run, "each".to_owned(), 0, 10).await.unwrap();
    assert_eq!(items.iter().filter(|item| item.state == State::Cancelled).count(), 3);

    // with no item at work it ends at once
    let (run, given) = split(&world, "b").await;
    world.exchange(given.claims.iter().map(|claim| ended(claim, Event::Errored { retry: false })).collect(), 0).await;
    assert_eq!(world.stop(run).await, 0);
    assert_eq!(world.state(run).await, RunState::Failed);

    // nothing to split into
    let run = world.run("p", world.document("p").await, "c").await;
    let claim = world.claim(1).await.remove(0);
    world.end(&claim, Event::Expanded).await;
    assert_eq!(world.drain().await, ["then"]);
    assert_eq!(world.state(run).await, RunState::Succeeded);
    world.is_sound().await;
}

async fn a_stopped_run_makes_place(place: Place) {
    let world = World::new(place.store).await;
    let mut graph = chain(2);
    graph.concurrency = Some(1);
    let document = world.pipeline("p", graph).await;
    let [first, second, third] =
        [world.run("p", document, "1").await, world.run("p", document, "2").await, world.run("p", document, "3").await];
    let claims = world.claim(10).await;
    assert_eq!(claims.iter().map(|claim| claim.run).collect::<Vec<_>>(), [first]);
    // the one that waits for its turn goes at once, and without taking it
    world.stop(second).await;
    assert_eq!(world.state(second).await, RunState::Cancelled);
    assert!(world.claim(10).await.is_empty());
    world.stop(first).await;
    assert!(world.claim(10).await.is_empty());
    let given = world.exchange(vec![Update::new(claims[0].task_run, claims[0].epoch, vec![Event::Stopped])], 10).await;
    assert_eq!(given.claims.iter().map(|claim| claim.run).collect::<Vec<_>>(), [third]);
    world.is_sound().await;
}

async fn a_worker_lost_while_stopping_ends_it(place: Place) {
    let mut world = World::new(place.store).await;
    let document = pooled(&world).await;
    let run = world.run("p", document, "a").await;
    world.claim(1).await;
    world.stop(run).await;
    world.pass(Duration::from_secs(31));
    world.store.reap(Vec::new(), world.now).await.unwrap();
    assert_eq!(world.state(run).await, RunState::Cancelled);
    world.is_sound().await;
}
