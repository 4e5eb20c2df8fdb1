//! Runs from their making to their end.

use std::time::Duration;

use levada_core::config::{Backoff, Retry};
use levada_core::run::{Event, FanOut, When};
use levada_store::Update;

use super::world::{World, chain, ended, graph, node, worker};
use crate::places::{Place, on_both};

on_both! { a_chain_runs_in_order  one_identity_is_one_run  failures_skip_what_comes_after  retries_wait_for_their_time
an_attempt_after_a_failure_knows_nothing_of_the_one_before  a_lost_worker_writes_nothing  a_report_that_comes_again_ends_nothing_twice  items_run_within_their_limit }

async fn a_chain_runs_in_order(place: Place) {
    let world = World::new(place.store).await;
    let document = world.pipeline("chain", chain(40)).await;
    world.run("chain", document, "a").await;
    let before = world.store.commits();
    let names = world.drain().await;
    let after = world.store.commits();
    assert_eq!(names, (0..40).map(|index| format!("t{index}")).collect::<Vec<_>>());
    // one commit for each task and one to begin with
    assert_eq!(after.commits - before.commits, 41);
    let statements = after.statements - before.statements;
    assert!(statements <= 41 * 8, "{statements} statements");
}

async fn one_identity_is_one_run(place: Place) {
    let world = World::new(place.store).await;
    let document = world.pipeline("chain", chain(1)).await;
    let first = world.run("chain", document, "a").await;
    assert_eq!(world.run("chain", document, "a").await, first);
    assert_ne!(world.run("chain", document, "b").await, first);
    assert_eq!(world.drain().await.len(), 2);
}

async fn failures_skip_what_comes_after(place: Place) {
    let world = World::new(place.store).await;
    let mut nodes =
        vec![node("a", &[]), node("b", &[0]), node("c", &[1]), node("clean", &[0, 1, 2]), node("alarm", &[0])];
    nodes[3].when = When::AllDone;
    nodes[4].when = When::AnyFailed;
    let document = world.pipeline("p", graph(nodes)).await;
    world.run("p", document, "a").await;
    let claims = world.claim(10).await;
    assert_eq!(claims.len(), 1);
    world.end(&claims[0], Event::Errored { retry: false }).await;
    assert_eq!(world.drain().await, ["clean", "alarm"]);
}

async fn retries_wait_for_their_time(place: Place) {
    let mut world = World::new(place.store).await;
    let mut graph = chain(1);
    let (backoff, initial) = (Backoff::Constant, Duration::from_secs(60));
    graph.nodes[0].retry = Retry { attempts: 2, backoff, initial, ..Retry::default() };
    let document = world.pipeline("p", graph).await;
    world.run("p", document, "a").await;
    let claims = world.claim(1).await;
    world.end(&claims[0], Event::Errored { retry: true }).await;
    assert!(world.claim(1).await.is_empty());
    world.pass(Duration::from_secs(59));
    let due = world.now.plus(Duration::from_secs(1));
    assert_eq!(world.store.wake_due(world.now).await.unwrap(), (0, Some(due)));
    world.pass(Duration::from_secs(1));
    assert_eq!(world.store.wake_due(world.now).await.unwrap(), (1, None));
    let again = world.claim(1).await;
    assert_eq!(again[0].attempt, 2);
}

async fn an_attempt_after_a_failure_knows_nothing_of_the_one_before(place: Place) {
    let mut world = World::new(place.store).await;
    let mut graph = chain(1);
    graph.nodes[0].retry = Retry { attempts: 2, initial: Duration::from_secs(60), ..Retry::default() };
    let document = world.pipeline("p", graph).await;
    world.run("p", document, "a").await;
    let claim = world.claim(1).await.remove(0);
    let until = world.now.plus(Duration::from_secs(1));
    let memo = Some("{\"run\":6}".to_owned());
    let waits = Update { memo: memo.clone(), ..ended(&claim, Event::Deferred { until }) };
    world.exchange(vec![waits], 0).await;
    let first = world.now;
    world.pass(Duration::from_secs(1));
    assert_eq!(world.store.wake_due(world.now).await.unwrap().0, 1);
    assert_eq!(world.claim(1).await[0].memo, memo);
    let run = claim.run;
    let started_at = async |world: &World| world.store.task_runs(run).await.unwrap()[0].started_at;
    assert_eq!(started_at(&world).await, Some(first), "what looks again began with its first look");
    // its worker is lost: the next one must not start the same thing again
    world.pass(Duration::from_secs(31));
    world.store.reap(Vec::new(), world.now).await.unwrap();
    world.worker = world.store.sign_on(worker("two"), world.now).await.unwrap();
    let claim = world.claim(1).await.remove(0);
    assert_eq!(claim.memo, memo);
    world.end(&claim, Event::Errored { retry: true }).await;
    world.pass(Duration::from_secs(60));
    assert_eq!(world.store.wake_due(world.now).await.unwrap().0, 1);
    assert_eq!(world.claim(1).await[0].memo, None);
    assert_eq!(started_at(&world).await, Some(world.now), "an attempt after a failure has a time of its own");
}

async fn a_lost_worker_writes_nothing(place: Place) {
    let mut world = World::new(place.store).await;
    let document = world.pipeline("p", chain(2)).await;
    world.run("p", document, "a").await;
    let first = world.worker;
    let claim = world.claim(1).await.remove(0);
    world.pass(Duration::from_secs(31));
    assert_eq!(world.store.reap(Vec::new(), world.now).await.unwrap(), [first]);
    // the worker comes back from its pause
    let late = world.exchange(vec![ended(&claim, Event::Finished)], 5).await;
    assert_eq!((late.fenced, late.claims.len(), late.is_gone), (vec![claim.task_run], 0, true));
    assert!(world.store.beat(first, false, vec![claim.task_run], world.now).await.unwrap().is_gone);
    // another one does its work
    world.worker = world.store.sign_on(worker("two"), world.now).await.unwrap();
    assert_eq!(world.drain().await, ["t0", "t1"]);
}

/// Seed 2 of the simulation: the answer to a report is lost, and the worker reports again.
async fn a_report_that_comes_again_ends_nothing_twice(place: Place) {
    let world = World::new(place.store).await;
    let nodes = vec![node("a", &[]), node("b", &[]), node("last", &[0, 1])];
    let document = world.pipeline("p", graph(nodes)).await;
    world.run("p", document, "a").await;
    let claims = world.claim(2).await;
    world.end(&claims[0], Event::Finished).await;
    let again = world.exchange(vec![ended(&claims[0], Event::Finished)], 5).await;
    assert_eq!((again.fenced, again.claims.len()), (vec![claims[0].task_run], 0), "b is still at work");
    assert_eq!(world.store.audit().await.unwrap(), Vec::<String>::new());
    world.end(&claims[1], Event::Finished).await;
    assert_eq!(world.drain().await, ["last"]);
}

async fn items_run_within_their_limit(place: Place) {
    let world = World::new(place.store).await;
    let mut graph = chain(2);
    graph.nodes[0].fan_out = Some(FanOut { items_max: 100, concurrency: Some(2) });
    let document = world.pipeline("p", graph).await;
    world.run("p", document, "a").await;
    let split = world.claim(5).await.remove(0);
    assert!(split.is_split);
    let items = (0..5).map(|item| item.to_string()).collect();
    let update = Update { items, ..Update::new(split.task_run, split.epoch, vec![Event::Started, Event::Expanded]) };
    let given = world.exchange(vec![update], 10).await;
    assert_eq!(given.claims.iter().map(|claim| claim.item.clone().unwrap()).collect::<Vec<_>>(), ["0", "1"]);
    world.end(&given.claims[0], Event::Finished).await;
    let third = world.claim(10).await;
    assert_eq!(third.len(), 1);
    world.end(&given.claims[1], Event::Finished).await;
    world.end(&third[0], Event::Finished).await;
    assert_eq!(world.drain().await, ["t0", "t0", "t1"]);
}
