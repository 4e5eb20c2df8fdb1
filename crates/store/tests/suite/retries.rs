//! Runs that are tried again: items that succeeded are not done twice.

use levada_core::id::RunId;
use levada_core::run::{Event, FanOut, RunState, State, When};
use levada_store::{Again, Claim, Update, What};

use super::world::{World, ended, graph, node};
use crate::places::{Place, on_both};

on_both! { items_that_succeeded_are_done  a_retry_that_never_split_is_looked_through  other_items_are_done_anew
tasks_done_anew_have_new_items  named_tasks_do_all_items }

impl World {
    async fn again(&self, run: RunId, what: What, identity: &str) -> RunId {
        let identity = identity.to_owned();
        let again = Again { run, what, newest: false, params: None, identity, input: None, owner: None };
        self.store.run_again(again, self.now).await.unwrap().run
    }

    /// Splits the task that is next, and gives the items that can be at work now.
    async fn expand(&self, items: &[&str]) -> Vec<Claim> {
        let claim = self.claim(1).await.remove(0);
        assert!(claim.is_split);
        let items = items.iter().map(|item| (*item).to_owned()).collect();
        self.exchange(vec![Update { items, ..ended(&claim, Event::Expanded) }], 10).await.claims
    }

    /// Ends items: those named fail, the others succeed.
    async fn end_items(&self, claims: &[Claim], failing: &[&str]) {
        let end = |claim: &Claim| {
            let item = claim.item.as_deref().unwrap();
            let outputs = Some(format!(r#"{{"of":{item}}}"#));
            match failing.contains(&item) {
                true => ended(claim, Event::Errored { retry: false }),
                false => Update { outputs, ..ended(claim, Event::Finished) },
            }
        };
        self.exchange(claims.iter().map(end).collect(), 0).await;
    }

    /// A run of `first`, `each` in items, and `then`, of which items 1 and 3 fail.
    async fn broken(&self, concurrency: Option<u32>) -> RunId {
        let mut graph = graph(vec![node("first", &[]), node("each", &[0]), node("then", &[1])]);
        graph.nodes[1].fan_out = Some(FanOut { items_max: 10, concurrency });
        let document = self.pipeline("p", graph).await;
        let run = self.run("p", document, "a").await;
        let first = self.claim(1).await.remove(0);
        self.end(&first, Event::Finished).await;
        let claims = self.expand(&["0", "1", "2", "3", "4"]).await;
        self.end_items(&claims, &["1", "3"]).await;
        let rest = self.claim(10).await;
        self.end_items(&rest, &["1", "3"]).await;
        let last = self.claim(10).await;
        self.end_items(&last, &["1", "3"]).await;
        assert_eq!(self.store.run(run).await.unwrap().unwrap().state, RunState::Failed);
        run
    }
}

fn values(claims: &[Claim]) -> Vec<&str> {
    claims.iter().map(|claim| claim.item.as_deref().unwrap()).collect()
}

async fn items_that_succeeded_are_done(place: Place) {
    let world = World::new(place.store).await;
    let run = world.broken(Some(2)).await;
    // one more item than before, and in another order
    let second = world.again(run, What::Rest, "second").await;
    let claims = world.expand(&["4", "3", "2", "5", "1", "0"]).await;
    assert_eq!(values(&claims), ["3", "5"], "two at once, of those that are left");
    world.end_items(&claims, &[]).await;
    let claims = world.claim(10).await;
    assert_eq!(values(&claims), ["1"]);
    world.end_items(&claims, &["1"]).await;
    let items = world.store.items(second, "each".to_owned(), 0, 10).await.unwrap();
    let outputs: Vec<_> = items.iter().map(|item| item.outputs.as_deref().unwrap_or("-")).collect();
    let of = |item: u32| format!(r#"{{"of":{item}}}"#);
    assert_eq!(outputs, [of(4), of(3), of(2), of(5), "-".to_owned(), of(0)]);
    assert_eq!(world.store.audit().await.unwrap(), Vec::<String>::new());

    // what was done in either run is done
    let third = world.again(second, What::Rest, "third").await;
    let claims = world.expand(&["0", "1", "2", "3", "4", "5"]).await;
    assert_eq!(values(&claims), ["1"]);
    world.end_items(&claims, &["1"]).await;

    // where nothing is left the task ends at once, and those after it go on
    world.again(third, What::Rest, "fourth").await;
    assert!(world.expand(&["0", "2"]).await.iter().all(|claim| claim.task == "then"));
}

async fn a_retry_that_never_split_is_looked_through(place: Place) {
    let world = World::new(place.store).await;
    let run = world.broken(None).await;
    let second = world.again(run, What::Rest, "second").await;
    let split = world.claim(1).await.remove(0);
    world.end(&split, Event::Errored { retry: false }).await;
    world.again(second, What::Rest, "third").await;
    assert_eq!(values(&world.expand(&["0", "1", "2", "3", "4"]).await), ["1", "3"]);
}

async fn other_items_are_done_anew(place: Place) {
    let world = World::new(place.store).await;
    let run = world.broken(None).await;
    world.again(run, What::Rest, "second").await;
    // an item that is there twice was done once
    assert_eq!(values(&world.expand(&["0", "0", "7", "3"]).await), ["0", "7", "3"]);
}

async fn tasks_done_anew_have_new_items(place: Place) {
    let world = World::new(place.store).await;
    let mut graph = graph(vec![node("broken", &[]), node("clean", &[0]), node("each", &[1])]);
    graph.nodes[1].when = When::AllDone;
    graph.nodes[2].fan_out = Some(FanOut { items_max: 10, concurrency: None });
    let document = world.pipeline("p", graph).await;
    let run = world.run("p", document, "a").await;
    for event in [Event::Errored { retry: false }, Event::Finished] {
        let claim = world.claim(1).await.remove(0);
        world.end(&claim, event).await;
    }
    let claims = world.expand(&["0", "1"]).await;
    world.end_items(&claims, &["1"]).await;
    world.again(run, What::Rest, "second").await;
    for task in ["broken", "clean"] {
        let claim = world.claim(1).await.remove(0);
        assert_eq!(claim.task, task);
        world.end(&claim, Event::Finished).await;
    }
    assert_eq!(values(&world.expand(&["0", "1"]).await), ["0", "1"]);
}

async fn named_tasks_do_all_items(place: Place) {
    let world = World::new(place.store).await;
    let run = world.broken(None).await;
    let items = ["0", "1", "2", "3", "4"];
    let each = world.again(run, What::Tasks(vec!["each".to_owned()]), "each").await;
    assert_eq!(values(&world.expand(&items).await), items);
    world.store.stop_run(each, world.now).await.unwrap();

    // also where these are all tasks that there are
    let mut graph = graph(vec![node("each", &[])]);
    graph.nodes[0].fan_out = Some(FanOut { items_max: 10, concurrency: None });
    let document = world.pipeline("one", graph).await;
    let run = world.run("one", document, "b").await;
    let claims = world.expand(&items).await;
    world.end_items(&claims, &["1"]).await;
    let again = world.again(run, What::Tasks(vec!["each".to_owned()]), "all").await;
    let claims = world.expand(&items).await;
    assert_eq!(values(&claims), items);
    world.end_items(&claims, &[]).await;
    let states = world.store.task_runs(again).await.unwrap();
    assert_eq!(states[0].state, State::Succeeded);
}
