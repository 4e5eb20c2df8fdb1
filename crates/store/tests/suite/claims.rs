//! Who gets which task run, and when.

use std::time::Duration;

use levada_core::run::{Event, RunState};
use levada_store::{Again, NewRun, Update, What};

use super::world::{World, chain, ended, graph, node, worker};
use crate::places::{Place, on_both};

on_both! { labels_decide  higher_priorities_go_first  one_run_after_another  a_full_pool_hides_nothing
own_runs_stay_in_their_process  a_child_wakes_its_parent  a_report_in_parts_counts_whole  retries_do_the_rest }

async fn labels_decide(place: Place) {
    let world = World::new(place.store).await;
    let mut nodes = vec![node("any", &[]), node("gpu", &[]), node("both", &[])];
    nodes[1].runs_on = vec!["gpu".to_owned()];
    nodes[2].runs_on = vec!["big".to_owned(), "gpu".to_owned()];
    let document = world.pipeline("p", graph(nodes)).await;
    for (labels, wanted) in [
        (vec![], vec!["any"]),
        (vec!["gpu"], vec!["any", "gpu"]),
        (vec!["big"], vec!["any"]),
        (vec!["gpu", "big", "x"], vec!["any", "gpu", "both"]),
    ] {
        let run = world.run("p", document, &format!("{labels:?}")).await;
        let claims = world.claim_with(&labels, 10).await;
        assert_eq!(claims.iter().map(|claim| claim.task.as_str()).collect::<Vec<_>>(), wanted, "{labels:?}");
        world.store.stop_run(run, world.now).await.unwrap();
        world.exchange(claims.iter().map(|claim| ended(claim, Event::Stopped)).collect(), 0).await;
    }
}

async fn higher_priorities_go_first(place: Place) {
    let world = World::new(place.store).await;
    let mut nodes = vec![node("low", &[]), node("high", &[])];
    nodes[1].priority = 2;
    let first = world.pipeline("first", graph(nodes)).await;
    let mut urgent = chain(1);
    urgent.priority = 1;
    let second = world.pipeline("second", urgent).await;
    world.run("first", first, "a").await;
    world.run("second", second, "b").await;
    assert_eq!(world.drain().await, ["high", "t0", "low"]);
}

async fn one_run_after_another(place: Place) {
    let world = World::new(place.store).await;
    let mut graph = chain(1);
    graph.concurrency = Some(1);
    let document = world.pipeline("p", graph.clone()).await;
    let mut runs = Vec::new();
    for identity in ["a", "b", "c"] {
        runs.push(world.run("p", document, identity).await);
    }
    for run in &runs[..2] {
        let claims = world.claim(10).await;
        assert_eq!(claims.iter().map(|claim| claim.run).collect::<Vec<_>>(), [*run]);
        assert!(world.claim(10).await.is_empty());
        world.end(&claims[0], Event::Finished).await;
    }
    // a version that allows more lets them go at once
    world.run("p", document, "d").await;
    graph.concurrency = Some(3);
    world.pipeline("p", graph).await;
    assert_eq!(world.claim(10).await.len(), 2);
    assert_eq!(world.store.audit().await.unwrap(), Vec::<String>::new());
}

async fn a_full_pool_hides_nothing(place: Place) {
    let world = World::new(place.store).await;
    world.store.set_pools([("heavy".to_owned(), 3)].into()).await.unwrap();
    let mut nodes: Vec<_> = (0..20).map(|index| node(&format!("n{index}"), &[])).collect();
    for node in &mut nodes[..19] {
        node.pool = Some(("heavy".to_owned(), 2));
    }
    let document = world.pipeline("p", graph(nodes)).await;
    world.run("p", document, "a").await;
    let claims = world.claim(2).await;
    assert_eq!(claims.iter().map(|claim| claim.task.as_str()).collect::<Vec<_>>(), ["n0", "n19"]);
    assert!(world.claim(2).await.is_empty());
    let next = world.exchange(vec![ended(&claims[0], Event::Finished)], 2).await.claims;
    assert_eq!(next[0].task, "n1");
}

async fn own_runs_stay_in_their_process(place: Place) {
    let mut world = World::new(place.store).await;
    let document = world.pipeline("p", chain(2)).await;
    let mut own = worker("own");
    own.own = true;
    let owner = world.store.sign_on(own, world.now).await.unwrap();
    let mut new = NewRun::manual("p", document, "own".to_owned());
    new.owner = Some(owner);
    // whoever runs a pipeline by hand runs it, paused or not
    world.store.pause_pipeline("p".to_owned(), true, world.now).await.unwrap();
    let run = world.store.create_run(new.clone(), world.now).await.unwrap().run;
    assert!(world.claim(10).await.is_empty());
    assert_eq!(world.claim_as(owner, true, 10).await.len(), 1);
    world.pass(Duration::from_secs(1));
    world.store.reap(vec![owner], world.now).await.unwrap();
    assert_eq!(world.store.run(run).await.unwrap().unwrap().state, RunState::Cancelled);
    new.identity = "late".to_owned();
    assert!(world.store.create_run(new, world.now).await.is_err());
}

async fn a_child_wakes_its_parent(place: Place) {
    let world = World::new(place.store).await;
    let parent = world.pipeline("parent", chain(1)).await;
    let child = world.pipeline("child", chain(1)).await;
    let until = world.now.plus(Duration::from_secs(3_600));
    // the child ends after the parent began to wait, and before
    for is_early in [false, true] {
        let run = world.run("parent", parent, &format!("parent {is_early}")).await;
        let claim = world.claim(1).await.remove(0);
        let mut new = NewRun::manual("child", child, format!("child {is_early}"));
        new.parent = Some(claim.task_run);
        let started = world.store.create_run(new, world.now).await.unwrap().run;
        let child = world.claim(1).await.remove(0);
        let wake_on = Some(format!("run:{started}"));
        let wait = Update { wake_on, ..ended(&claim, Event::Deferred { until }) };
        if is_early {
            world.end(&child, Event::Finished).await;
            world.exchange(vec![wait], 0).await;
        } else {
            world.exchange(vec![wait], 0).await;
            assert!(world.claim(1).await.is_empty());
            world.end(&child, Event::Finished).await;
        }
        let again = world.claim(10).await;
        assert_eq!(again.iter().map(|claim| claim.run).collect::<Vec<_>>(), [run]);
        world.end(&again[0], Event::Finished).await;
    }
}

async fn a_report_in_parts_counts_whole(place: Place) {
    let world = World::new(place.store).await;
    let document = world.pipeline("p", chain(2)).await;
    world.run("p", document, "a").await;
    let claim = world.claim(1).await.remove(0);
    let part = |event| Update::new(claim.task_run, claim.epoch, vec![event]);
    let given = world.exchange(vec![part(Event::Started), part(Event::Finished)], 1).await;
    assert_eq!((given.claims.len(), given.fenced.len()), (1, 0));
    // once more, and of a task run that was removed
    let unknown = Update::new(levada_core::id::TaskRunId(9_999), 1, vec![Event::Finished]);
    let given = world.exchange(vec![part(Event::Finished), unknown], 1).await;
    assert_eq!(given.fenced.len(), 2);
}

async fn retries_do_the_rest(place: Place) {
    let world = World::new(place.store).await;
    let mut nodes = vec![node("a", &[]), node("b", &[0]), node("c", &[1]), node("alarm", &[0, 1, 2])];
    nodes[3].when = levada_core::run::When::AnyFailed;
    let document = world.pipeline("p", graph(nodes)).await;
    let run = world.run("p", document, "a").await;
    let claim = world.claim(1).await.remove(0);
    let outputs = Some(r#"{"rows":7}"#.to_owned());
    world.exchange(vec![Update { outputs, ..ended(&claim, Event::Finished) }], 0).await;
    let again = |what, identity: &str| Again {
        run,
        what,
        newest: false,
        params: None,
        identity: identity.to_owned(),
        input: None,
        owner: None,
    };
    assert!(world.store.run_again(again(What::Rest, "early"), world.now).await.is_err());
    let claim = world.claim(1).await.remove(0);
    world.end(&claim, Event::Errored { retry: false }).await;
    assert_eq!(world.drain().await, ["alarm"]);
    // what failed, and the alarm once more when it fails again
    let retry = world.store.run_again(again(What::Rest, "retry"), world.now).await.unwrap().run;
    assert_eq!(world.store.outputs(retry).await.unwrap()["a"], r#"{"rows":7}"#);
    let claim = world.claim(10).await.remove(0);
    assert_eq!(claim.task, "b");
    world.end(&claim, Event::Errored { retry: false }).await;
    assert_eq!(world.drain().await, ["alarm"]);
    let one = again(What::Tasks(vec!["b".to_owned()]), "one");
    let one = world.store.run_again(one, world.now).await.unwrap().run;
    assert_eq!(world.drain().await, ["b"]);
    assert_eq!(world.store.outputs(one).await.unwrap()["a"], r#"{"rows":7}"#);
    world.store.run_again(again(What::All, "all"), world.now).await.unwrap();
    assert_eq!(world.drain().await, ["a", "b", "c"]);
    let unknown = again(What::Tasks(vec!["x".to_owned()]), "unknown");
    assert!(world.store.run_again(unknown, world.now).await.is_err());
}
