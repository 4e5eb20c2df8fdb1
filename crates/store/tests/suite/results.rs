//! What tests of datasets found: kept with the end of their task runs, told by dataset and run, and bounded.

use std::time::Duration;

use levada_core::id::TaskRunId;
use levada_core::quality::{TestResult, Verdict};
use levada_core::run::Event;
use levada_store::{Keep, RESULTS_KEPT, TestFilter, TestPlace, Update};

use super::world::{World, chain, ended};
use crate::places::{Place, on_both};

on_both! {
    results_are_kept_by_dataset_and_run
    the_last_results_of_each_test_are_kept
    the_results_of_a_lost_worker_are_not_kept
    results_that_no_index_takes_hold_up_no_run
}

fn result(dataset: &str, test: &str, verdict: Verdict) -> TestResult {
    TestResult {
        dataset: dataset.to_owned(),
        test: test.to_owned(),
        rule: "not_null".to_owned(),
        verdict,
        rows: Some(10),
        failed: 3,
        found: Some("10".to_owned()),
        wanted: "nothing\0else".to_owned(),
        failing: vec!["{\"id\":\"1\"}".to_owned(), "{\"id\":null}".to_owned()],
    }
}

fn failed() -> Event {
    Event::Errored { retry: false }
}

/// A run of `p` whose task tested this. Gives the run and its task run.
async fn tested(
    world: &World,
    document: i64,
    identity: &str,
    tests: Vec<TestResult>,
    event: Event,
) -> (i64, TaskRunId) {
    let run = world.run("p", document, identity).await;
    let claim = world.claim(1).await.remove(0);
    assert_eq!(claim.run, run);
    let given = world.exchange(vec![Update { tests, ..ended(&claim, event) }], 0).await;
    assert!(given.fenced.is_empty());
    (run.0, claim.task_run)
}

async fn told(
    world: &World,
    filter: TestFilter,
    after: Option<TestPlace>,
    limit: usize,
) -> Vec<(i64, String, Verdict)> {
    let found = world.store.dataset_tests(filter, after, limit).await.unwrap();
    found.into_iter().map(|found| (found.run.0, found.result.test, found.result.verdict)).collect()
}

fn of(dataset: &str) -> TestFilter {
    TestFilter { dataset: dataset.to_owned(), ..TestFilter::default() }
}

async fn results_are_kept_by_dataset_and_run(place: Place) {
    let world = World::new(place.store).await;
    let document = world.pipeline("p", chain(1)).await;
    let both = |verdict| vec![result("dw.t", "b", verdict), result("dw.t", "a", Verdict::Passed)];
    let (first, _) = tested(&world, document, "1", both(Verdict::Passed), Event::Finished).await;
    let (second, task_run) = tested(&world, document, "2", both(Verdict::Failed), failed()).await;
    // a dataset that was only tested is known, and was not loaded
    let dataset = world.store.datasets(vec!["dw.t".to_owned()]).await.unwrap().remove(0);
    assert_eq!((dataset.updates, dataset.seen_at), (0, world.now));
    let (passed, failed) = (Verdict::Passed, Verdict::Failed);
    let a = |run| (run, "a".to_owned(), passed);
    let b = |run, verdict| (run, "b".to_owned(), verdict);
    assert_eq!(told(&world, of("dw.t"), None, 9).await, [a(second), b(second, failed), a(first), b(first, passed)]);
    let after = |test: &str| Some(TestPlace { task_run: task_run.0, test: test.to_owned() });
    assert_eq!(told(&world, of("dw.t"), after("a"), 2).await, [b(second, failed), a(first)]);
    let latest = TestFilter { latest: true, ..of("dw.t") };
    assert_eq!(told(&world, latest, None, 9).await, [a(second), b(second, failed)]);
    let one = TestFilter { test: Some("b".to_owned()), ..of("dw.t") };
    assert_eq!(told(&world, one, None, 9).await, [b(second, failed), b(first, passed)]);
    assert!(told(&world, of("dw.x"), None, 9).await.is_empty());
    // what a result says comes back, but for rows, which are asked for by themselves
    let found = world.store.tests_of_run(levada_core::id::RunId(second), None, 9).await.unwrap();
    let wanted =
        TestResult { failing: Vec::new(), wanted: "nothing\u{fffd}else".to_owned(), ..result("dw.t", "b", failed) };
    assert_eq!((&found[1].result, found[1].kept, found[1].task_run), (&wanted, 2, task_run));
    assert_eq!((found[1].pipeline.as_str(), found[1].task.as_str(), found[1].at), ("p", "t0", world.now));
    let page = world.store.tests_of_run(levada_core::id::RunId(second), after("a"), 9).await.unwrap();
    assert_eq!(page.len(), 1);
    let rows = async |test: &str| {
        world.store.failing_rows(levada_core::id::RunId(second), task_run, test.to_owned()).await.unwrap()
    };
    assert_eq!(rows("b").await.unwrap(), ["{\"id\":\"1\"}", "{\"id\":null}"]);
    assert_eq!(rows("c").await, None);
    let test = || ["dw.t", "p", "t0", "a"].map(str::to_owned);
    assert_eq!(world.store.found_before(test(), task_run, 9).await.unwrap(), ["10"]);
    assert!(
        world.store.found_before(["dw.t", "q", "t0", "a"].map(str::to_owned), task_run, 9).await.unwrap().is_empty()
    );
}

async fn the_last_results_of_each_test_are_kept(place: Place) {
    let mut world = World::new(place.store).await;
    let document = world.pipeline("p", chain(1)).await;
    let count = RESULTS_KEPT + 3;
    for number in 0..count {
        let tests = vec![result("dw.t", "a", Verdict::Passed), result("dw.t", "b", Verdict::Passed)];
        tested(&world, document, &number.to_string(), tests, Event::Finished).await;
    }
    let found = told(&world, of("dw.t"), None, 1_000).await;
    assert_eq!(found.len() as u64, 2 * RESULTS_KEPT);
    // they stay when their runs go
    world.pass(Duration::from_secs(1_000));
    let keep = Keep { age: Duration::ZERO, runs: 1 };
    while !world.store.remove_old(keep, world.now).await.unwrap().is_empty() {}
    assert_eq!(told(&world, of("dw.t"), None, 1_000).await, found);
}

async fn the_results_of_a_lost_worker_are_not_kept(place: Place) {
    let world = World::new(place.store).await;
    let document = world.pipeline("p", chain(1)).await;
    world.run("p", document, "1").await;
    let claim = world.claim(1).await.remove(0);
    let tests = vec![result("dw.t", "a", Verdict::Passed)];
    let stale = Update { tests, epoch: claim.epoch - 1, ..ended(&claim, Event::Finished) };
    assert_eq!(world.exchange(vec![stale], 0).await.fenced, [claim.task_run]);
    assert!(told(&world, of("dw.t"), None, 9).await.is_empty());
    // a second attempt takes the place of the first, also if it is told in the same breath
    let update = |verdict, event| Update { tests: vec![result("dw.t", "a", verdict)], ..ended(&claim, event) };
    world.exchange(vec![update(Verdict::Failed, failed())], 0).await;
    assert_eq!(told(&world, of("dw.t"), None, 9).await, [(claim.run.0, "a".to_owned(), Verdict::Failed)]);
}

async fn results_that_no_index_takes_hold_up_no_run(place: Place) {
    let world = World::new(place.store).await;
    let document = world.pipeline("p", chain(1)).await;
    let long = "x".repeat(1_001);
    let tests = vec![
        result(&long, "a", Verdict::Passed),
        result("dw.\0", "a", Verdict::Passed),
        result("dw.t", &long, Verdict::Passed),
        result("dw.t", "a", Verdict::Passed),
        result("dw.t", "a", Verdict::Warned),
    ];
    let (run, _) = tested(&world, document, "1", tests, Event::Finished).await;
    assert_eq!(told(&world, of("dw.t"), None, 9).await, [(run, "a".to_owned(), Verdict::Warned)]);
    let state = world.store.run(levada_core::id::RunId(run)).await.unwrap().unwrap().state;
    assert_eq!(state, levada_core::run::RunState::Succeeded);
}
