//! What people ask: lists, one run, why it waits; and what goes when it is old.

use std::time::Duration;

use levada_core::id::RunId;
use levada_core::run::{Event, RunState};
use levada_store::{Cause, Keep, Kind, NewDocument, RunFilter, Update};

use super::world::{World, chain, ended, graph, node, worker};
use crate::places::{Place, on_both};

on_both! { lists_are_filtered_and_paged  a_run_tells_all  every_wait_has_a_reason  old_runs_go
runs_of_files_go_as_well  gone_workers_go_after_a_day }

fn all() -> RunFilter {
    RunFilter { limit: 100, ..RunFilter::default() }
}

impl World {
    async fn ids(&self, filter: RunFilter) -> Vec<i64> {
        self.store.runs(filter).await.unwrap().iter().map(|run| run.id.0).collect()
    }

    async fn why(&self, run: RunId) -> String {
        self.store.why_run(run, self.now).await.unwrap()
    }

    /// A run that ended.
    async fn past(&self, name: &str, document: i64, identity: &str, event: Event) -> RunId {
        let run = self.run(name, document, identity).await;
        let claim = self.claim(1).await.remove(0);
        self.end(&claim, event).await;
        run
    }
}

async fn lists_are_filtered_and_paged(place: Place) {
    let mut world = World::new(place.store).await;
    let a = world.pipeline("a", chain(1)).await;
    let b = world.pipeline("b", chain(1)).await;
    let mut made = Vec::new();
    for index in 0..6 {
        let (name, document) = if index % 2 == 0 { ("a", a) } else { ("b", b) };
        let event = if index < 2 { Event::Errored { retry: false } } else { Event::Finished };
        made.insert(0, world.past(name, document, &index.to_string(), event).await.0);
        world.pass(Duration::from_secs(600));
    }
    let open = world.run("b", b, "open").await.0;
    made.insert(0, open);
    assert_eq!(world.ids(all()).await, made);
    assert_eq!(world.ids(RunFilter { limit: 3, ..all() }).await, &made[..3]);
    assert_eq!(world.ids(RunFilter { after: Some(RunId(made[2])), ..all() }).await, &made[3..]);
    assert_eq!(world.ids(RunFilter { pipeline: Some("a".to_owned()), ..all() }).await, [made[2], made[4], made[6]]);
    assert_eq!(world.ids(RunFilter { state: Some(RunState::Failed), ..all() }).await, &made[5..]);
    assert_eq!(world.ids(RunFilter { state: Some(RunState::Queued), ..all() }).await, [open]);
    assert_eq!(world.ids(RunFilter { state: Some(RunState::Succeeded), ..all() }).await, &made[1..5]);
    assert_eq!(world.ids(RunFilter { cause: Some(Cause::Backfill), ..all() }).await, [0_i64; 0]);
    let since = Some(world.now.minus(Duration::from_secs(1_200)));
    assert_eq!(world.ids(RunFilter { since, ..all() }).await, &made[..3]);
    assert_eq!(world.ids(RunFilter { since: Some(world.now.plus(Duration::from_secs(1))), ..all() }).await, [0_i64; 0]);
    assert_eq!(world.ids(RunFilter { until: since, ..all() }).await, &made[3..]);
    assert_eq!(world.ids(RunFilter { since, until: Some(world.now), ..all() }).await, &made[1..3]);
    let ascending: Vec<i64> = made.iter().rev().copied().collect();
    assert_eq!(world.ids(RunFilter { is_ascending: true, ..all() }).await, ascending);
    let second = RunFilter { is_ascending: true, after: Some(RunId(ascending[1])), limit: 2, ..all() };
    assert_eq!(world.ids(second).await, &ascending[2..4]);
    let searched = async |text: &str| world.ids(RunFilter { search: Some(text.to_owned()), ..all() }).await;
    assert_eq!(searched("A").await, [made[2], made[4], made[6]]);
    assert_eq!(searched(&format!("#{}", made[3])).await, [made[3]]);
    // what means something in a pattern is looked for as it is
    assert_eq!((searched("%").await, searched("_").await, searched("!").await), (vec![], vec![], vec![]));
    assert_eq!(world.store.open_runs().await.unwrap(), [("b".to_owned(), 1)].into());
    let pipelines = world.store.pipelines().await.unwrap();
    let shown: Vec<_> = pipelines.iter().map(|p| (p.name.as_str(), p.version, p.open, p.last.unwrap().run.0)).collect();
    assert_eq!(shown, [("a", 1, 0, made[2]), ("b", 1, 1, open)]);
}

async fn a_run_tells_all(place: Place) {
    let world = World::new(place.store).await;
    let document = world.pipeline("p", chain(2)).await;
    let run = world.run("p", document, "a").await;
    let claim = world.claim(1).await.remove(0);
    let outputs = Some(r#"{"rows":7}"#.to_owned());
    world.exchange(vec![Update { outputs, ..ended(&claim, Event::Finished) }], 0).await;
    assert_eq!(world.store.outputs(run).await.unwrap(), [("t0".to_owned(), r#"{"rows":7}"#.to_owned())].into());
    let task_runs = world.store.task_runs(run).await.unwrap();
    assert_eq!((task_runs[0].attempt, task_runs[0].worker, task_runs[1].attempt), (1, Some(world.worker), 0));
    let second = world.run("p", document, "b").await;
    let states = async |runs: Vec<RunId>| {
        let found = world.store.task_states(runs, 3).await.unwrap();
        found.into_iter().map(|task| (task.run, task.task, task.state.name())).collect::<Vec<_>>()
    };
    let (first, other) = ("t0".to_owned(), "t1".to_owned());
    let queued = [(second, first.clone(), "queued"), (second, other.clone(), "queued")];
    let ended = (run, first, "succeeded");
    assert_eq!(states(vec![second, run]).await, [&queued[..], std::slice::from_ref(&ended)].concat());
    assert_eq!(states(vec![run, second]).await, [ended, (run, other, "queued"), queued[0].clone()]);
    let happened = world.store.happenings(run, 0, 100).await.unwrap();
    let shown: Vec<_> = happened.iter().map(|line| (line.event.as_str(), line.state.as_str())).collect();
    assert_eq!(
        shown,
        [("created", "queued"), ("claimed", "starting"), ("started", "running"), ("finished", "succeeded")]
    );
    assert_eq!(world.store.happenings(run, happened[1].id, 100).await.unwrap(), &happened[2..]);
    assert_eq!(world.store.run(RunId(999)).await.unwrap(), None);
}

async fn every_wait_has_a_reason(place: Place) {
    let mut world = World::new(place.store).await;
    world.store.set_pools([("heavy".to_owned(), 1)].into()).await.unwrap();
    let mut nodes = vec![node("a", &[]), node("b", &[]), node("c", &[0, 1])];
    nodes[0].pool = Some(("heavy".to_owned(), 1));
    let mut graph = graph(nodes);
    graph.concurrency = Some(1);
    let document = world.pipeline("p", graph).await;
    let first = world.run("p", document, "1").await;
    assert_eq!(world.why(first).await, "task a: a worker is about to take it");
    let claims = world.claim(1).await;
    assert_eq!(world.why(first).await, "task a: worker one is at work since 2023-11-14T22:13:20Z");
    let second = world.run("p", document, "2").await;
    assert_eq!(world.why(second).await, format!("p has 1 of 1 runs open at once: it waits for run {first}"));
    let tasks = world.store.task_runs(first).await.unwrap();
    assert_eq!(world.store.why_task_run(tasks[2].id, world.now).await.unwrap(), "it waits for a, b");
    // another pipeline wants the same pool, labels nobody has, a pool nobody made
    let mut nodes = vec![node("x", &[]), node("y", &[]), node("z", &[])];
    nodes[0].pool = Some(("heavy".to_owned(), 1));
    nodes[1].runs_on = vec!["gpu".to_owned()];
    nodes[2].pool = Some(("none".to_owned(), 1));
    let other = world.pipeline("q", super::world::graph(nodes)).await;
    let third = world.run("q", other, "3").await;
    let mut reasons = Vec::new();
    for task_run in world.store.task_runs(third).await.unwrap() {
        reasons.push(world.store.why_task_run(task_run.id, world.now).await.unwrap());
    }
    assert_eq!(
        reasons,
        [
            format!("the pool heavy is full: 1 of 1 slots, held by a of run {first}"),
            "no worker has the labels gpu".to_owned(),
            "the project has no pool none".to_owned(),
        ]
    );
    world.pass(Duration::from_secs(20));
    assert!(world.why(first).await.ends_with(", and silent since 2023-11-14T22:13:20Z"), "{}", world.why(first).await);
    let until = world.now.plus(Duration::from_secs(60));
    world.end(&claims[0], Event::Deferred { until }).await;
    let task = world.store.task_runs(first).await.unwrap().remove(0).id;
    assert_eq!(world.store.why_task_run(task, world.now).await.unwrap(), format!("it looks again at {until}"));
    world.pass(Duration::from_secs(60));
    world.store.wake_due(world.now).await.unwrap();
    let claim = world.claim(1).await.remove(0);
    let until = world.now.plus(Duration::from_secs(30));
    let memo = r#"{"since":"2023-11-14T22:13:20Z","looks":12,"waits_for":"the file *.csv of the connection drop",
        "gives_up_at":"2023-11-15T00:00:00Z"}"#;
    let waits = Update { memo: Some(memo.to_owned()), ..ended(&claim, Event::Deferred { until }) };
    world.exchange(vec![waits], 0).await;
    assert_eq!(
        world.store.why_task_run(task, world.now).await.unwrap(),
        format!(
            "it waits for the file *.csv of the connection drop, looked 12 times, looks again at {until}, \
             gives up at 2023-11-15T00:00:00Z"
        )
    );
    world.store.sign_off(world.worker, world.now).await.unwrap();
    assert_eq!(world.why(first).await, "task b: there is no worker: start `levada serve` or `levada worker`");
    world.store.pause_pipeline("p".to_owned(), true, world.now).await.unwrap();
    assert_eq!(world.why(second).await, "the pipeline p is paused: it goes on when it is resumed");
    world.store.stop_run(first, world.now).await.unwrap();
    assert_eq!(world.why(first).await, format!("the run was cancelled at {}", world.now));
}

async fn old_runs_go(place: Place) {
    let mut world = World::new(place.store).await;
    let a = world.pipeline("a", chain(1)).await;
    let b = world.pipeline("b", chain(1)).await;
    let succeeded = world.past("a", a, "good", Event::Finished).await;
    let mut failed = Vec::new();
    for index in 0..4 {
        failed.push(world.past("a", a, &index.to_string(), Event::Errored { retry: false }).await);
        world.pass(Duration::from_secs(60));
    }
    let open = world.run("b", b, "open").await;
    // too many of them: the two newest stay, and the last good one
    let keep = Keep { age: Duration::from_secs(3_600), runs: 2 };
    assert_eq!(world.store.remove_old(keep, world.now).await.unwrap(), &failed[..2]);
    assert!(world.store.remove_old(keep, world.now).await.unwrap().is_empty());
    // too old
    world.pass(Duration::from_secs(3_600));
    assert_eq!(world.store.remove_old(keep, world.now).await.unwrap(), &failed[2..]);
    assert!(world.store.remove_old(keep, world.now).await.unwrap().is_empty());
    assert_eq!(world.ids(all()).await, [open.0, succeeded.0]);
    assert!(world.store.task_runs(failed[0]).await.unwrap().is_empty());
    assert!(world.store.happenings(failed[0], 0, 10).await.unwrap().is_empty());
}

async fn runs_of_files_go_as_well(place: Place) {
    let mut world = World::new(place.store).await;
    let (graph, name) = (Some(chain(1)), "by hand".to_owned());
    let document = NewDocument { kind: Kind::LocalPipeline, name, path: "p.yaml".into(), text: "name".into(), graph };
    let document = world.store.keep_document(document, world.now).await.unwrap().id;
    let mut runs = Vec::new();
    for index in 0..4 {
        runs.push(world.past("by hand", document, &index.to_string(), Event::Finished).await);
    }
    let keep = Keep { age: Duration::from_secs(3_600), runs: 3 };
    assert!(world.store.has_old(keep, world.now).await.unwrap());
    assert_eq!(world.store.remove_old(keep, world.now).await.unwrap(), &runs[..1]);
    assert!(!world.store.has_old(keep, world.now).await.unwrap());
    let asked: Vec<RunId> = runs.iter().copied().chain([RunId(i64::MAX)]).collect();
    assert_eq!(world.store.removed_runs(asked).await.unwrap(), &runs[..1], "what is newer is of another store");
    world.pass(Duration::from_secs(3_601));
    assert!(world.store.has_old(keep, world.now).await.unwrap());
    assert_eq!(world.store.remove_old(keep, world.now).await.unwrap(), &runs[1..3], "the last that succeeded stays");
}

async fn gone_workers_go_after_a_day(place: Place) {
    let mut world = World::new(place.store).await;
    let gone = world.store.sign_on(worker("two"), world.now).await.unwrap();
    world.store.sign_off(gone, world.now).await.unwrap();
    let keep = Keep { age: Duration::from_secs(3_600), runs: 2 };
    for (seconds, left) in [(3_600, true), (24 * 3_600, false)] {
        world.pass(Duration::from_secs(seconds));
        world.store.beat(world.worker, false, Vec::new(), world.now).await.unwrap();
        world.store.remove_old(keep, world.now).await.unwrap();
        assert_eq!(world.store.worker_name(gone).await.unwrap().is_some(), left);
    }
    assert_eq!(world.store.worker_name(world.worker).await.unwrap().as_deref(), Some("one"));
}
