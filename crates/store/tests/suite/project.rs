//! Projects are applied as one thing: all of it or nothing, by one process at a time.

use std::collections::BTreeMap;

use levada_core::time::Timestamp;
use levada_store::{Change, Kind, NewDocument, NewProject, Store};

use super::world::chain;
use crate::places::{Place, on_both, sql};

on_both! { a_project_is_applied_as_a_whole  what_fails_changes_nothing  two_programs_apply_at_once }

fn now() -> Timestamp {
    Timestamp::from_secs(1_700_000_000)
}

fn document(kind: Kind, name: &str, text: &str) -> NewDocument {
    let graph = (kind == Kind::Pipeline).then(|| chain(1));
    NewDocument { kind, name: name.to_owned(), path: format!("{name}.yaml"), text: text.to_owned(), graph }
}

fn project(text: &str, pipelines: &[(&str, &str)]) -> NewProject {
    let pipelines = pipelines.iter().map(|(name, text)| (document(Kind::Pipeline, name, text), Vec::new())).collect();
    NewProject { document: document(Kind::Project, "levada", text), pools: BTreeMap::new(), pipelines, based_on: None }
}

async fn texts(store: &Store) -> Vec<String> {
    let project = store.project().await.unwrap();
    project.document.into_iter().chain(project.pipelines.into_values()).map(|document| document.text).collect()
}

async fn a_project_is_applied_as_a_whole(place: Place) {
    let store = place.store;
    assert_eq!(store.project().await.unwrap(), levada_store::Project::default());
    // in the order given, whatever the names are
    let applied = store.apply(project("1", &[("b", "b1"), ("a", "a1")]), now()).await.unwrap();
    assert_eq!((applied.document.0, applied.pipelines.len()), (Change::Created, 2));
    let applied = store.apply(project("1", &[("b", "b1"), ("a", "a2")]), now()).await.unwrap();
    let changes: Vec<_> = applied.pipelines.iter().map(|(change, kept)| (*change, kept.version)).collect();
    assert_eq!(changes, [(Change::Unchanged, 1), (Change::Changed, 2)]);
    let applied = store.apply(project("2", &[("a", "a2")]), now()).await.unwrap();
    assert_eq!(applied.removed, [("b".to_owned(), "b.yaml".to_owned())]);
    assert_eq!(texts(&store).await, ["2", "a2"]);
    let applied = store.apply(project("2", &[("a", "a2"), ("b", "b1")]), now()).await.unwrap();
    assert_eq!(applied.pipelines[1].0, Change::Created, "one that comes back");
}

async fn what_fails_changes_nothing(place: Place) {
    let store = place.store.clone();
    store.apply(project("1", &[("a", "a1"), ("b", "b1")]), now()).await.unwrap();
    // the last of what is done fails
    sql(&place.location, "ALTER TABLE pools RENAME TO gone").await;
    store.apply(project("2", &[("a", "a2"), ("z", "z1")]), now()).await.unwrap_err();
    assert_eq!(texts(&store).await, ["1", "a1", "b1"]);
}

async fn two_programs_apply_at_once(place: Place) {
    let other = Store::open(&place.location).await.unwrap();
    let applies = (0..10).map(|number| {
        let store = if number % 2 == 0 { place.store.clone() } else { other.clone() };
        let (text, names) = (number.to_string(), if number % 3 == 0 { ["a", "b"] } else { ["b", "a"] });
        let new = project(&text, &names.map(|name| (name, text.as_str())));
        tokio::spawn(async move { store.apply(new, now()).await })
    });
    for apply in applies.collect::<Vec<_>>() {
        apply.await.unwrap().unwrap();
    }
    let project = place.store.project().await.unwrap();
    assert_eq!(project.document.unwrap().version, 10);
    let versions: Vec<_> = project.pipelines.values().map(|document| document.version).collect();
    assert_eq!(versions, [10, 10]);
}
