//! The catalogue: what runs tell of datasets, what people write about them, and what was made from what.

use std::collections::BTreeMap;
use std::time::Duration;

use levada_core::dataset::{ColumnEdge, DatasetColumn, Derivation, Listed, Load, LoadFigures, SeenDataset};
use levada_core::run::Event;
use levada_store::{
    ColumnChange, Dataset, DatasetChange, DatasetFilter, DatasetUpdated, Keep, LOADS_KEPT, Lineage, LineageFilter,
    RunFilter, SCHEMAS_KEPT, Store, Update, transfer,
};

use super::world::{World, chain, ended};
use crate::places::{Place, empty, on_both, postgres};

on_both! {
    a_load_makes_datasets_known
    columns_are_kept_when_they_change
    the_last_loads_are_kept
    lineage_goes_both_ways_and_round
    what_people_write_stays
    datasets_are_found
    a_failed_task_tells_what_it_loaded
    nobody_tells_of_what_they_lost
    names_that_no_index_takes_hold_up_no_run
    what_nobody_meets_goes_after_a_year
    the_catalogue_is_moved
    two_workers_load_the_same
}

fn column(name: &str, type_: &str) -> DatasetColumn {
    let native = Some(format!("postgres:{type_}"));
    DatasetColumn { name: name.to_owned(), type_: type_.to_owned(), native, nullable: name != "id", key: name == "id" }
}

fn seen(name: &str, columns: &[&str]) -> SeenDataset {
    let columns: Vec<DatasetColumn> = columns.iter().map(|name| column(name, "int64")).collect();
    SeenDataset {
        columns: Some(Listed::columns(&columns)),
        rows_estimate: Some(10),
        bytes_estimate: Some(100),
        ..SeenDataset::named(name)
    }
}

/// A load of a dataset from another one with the same columns.
fn load(source: &str, target: &str, columns: &[&str]) -> Load {
    let edge = |name: &&str| ColumnEdge { from: (*name).to_owned(), to: (*name).to_owned(), how: Derivation::Copied };
    let edges: Vec<ColumnEdge> = columns.iter().map(edge).collect();
    Load {
        target: seen(target, columns),
        sources: vec![(seen(source, columns), Listed::edges(&edges))],
        figures: Some(LoadFigures { read: 5, written: 4, rejected: 1, bytes: 50 }),
    }
}

/// A run of `p` that carried out loads, and ended like this.
async fn loaded(world: &World, document: i64, identity: &str, loads: Vec<Load>, event: Event) -> i64 {
    let run = world.run("p", document, identity).await;
    let claim = world.claim(1).await.remove(0);
    assert_eq!(claim.run, run);
    let given = world.exchange(vec![Update { loads, ..ended(&claim, event) }], 0).await;
    assert!(given.fenced.is_empty());
    run.0
}

async fn dataset(store: &Store, name: &str) -> Dataset {
    store.datasets(vec![name.to_owned()]).await.unwrap().remove(0)
}

async fn a_load_makes_datasets_known(place: Place) {
    let mut world = World::new(place.store).await;
    let document = world.pipeline("p", chain(1)).await;
    let first =
        loaded(&world, document, "1", vec![load("shop.orders", "dw.orders", &["id", "total"])], Event::Finished).await;
    let (found, columns, left_out) = world.store.dataset("dw.orders".to_owned()).await.unwrap().unwrap();
    assert_eq!((found.updated_at, found.seen_at, found.updates), (Some(world.now), world.now, 1));
    assert_eq!((found.rows_estimate, found.bytes_estimate, found.schema_version), (Some(10), Some(100), Some(1)));
    assert_eq!((found.columns.join(" "), found.column_count, left_out), ("id total".to_owned(), 2, 0));
    assert_eq!(columns[0].seen, Some(column("id", "int64")));
    assert_eq!((columns[1].name.as_str(), columns[1].tags.len()), ("total", 0));
    let last = found.last.unwrap();
    assert_eq!((last.run.0, last.pipeline.as_str(), last.task.as_str(), last.number), (first, "p", "t0", 1));
    assert_eq!(last.figures, Some(LoadFigures { read: 5, written: 4, rejected: 1, bytes: 50 }));
    assert_eq!(last.sources, ["shop.orders"]);
    // what was only read was not loaded, and who waits for its load waits on
    let source = dataset(&world.store, "shop.orders").await;
    assert_eq!((source.updated_at, source.updates, source.last), (None, 0, None));
    assert_eq!(source.columns, ["id", "total"]);
    assert_eq!(world.store.dataset_updated_at("shop.orders".to_owned()).await.unwrap(), None);
    let loaded_at = world.now;
    world.pass(Duration::from_secs(60));
    // a name alone is enough for those who tell no more, and takes nothing away
    world.run("p", document, "2").await;
    let claim = world.claim(1).await.remove(0);
    let datasets = vec!["dw.orders".to_owned(), "dw.bare".to_owned()];
    world.exchange(vec![Update { datasets, ..ended(&claim, Event::Finished) }], 0).await;
    let found = dataset(&world.store, "dw.orders").await;
    assert_eq!((found.updates, found.updated_at, found.columns.len()), (2, Some(world.now), 2));
    assert_eq!(found.last.unwrap().figures, None);
    let bare = dataset(&world.store, "dw.bare").await;
    assert_eq!((bare.updates, bare.schema_version, bare.column_count), (1, None, 0));
    assert_eq!(dataset(&world.store, "shop.orders").await.seen_at, loaded_at);
    assert_eq!(world.store.dataset("dw.nothing".to_owned()).await.unwrap(), None);
    // what a run loaded, page by page
    let of_run = async |after| world.store.loads_of_run(claim.run, after, 1).await.unwrap();
    let page = of_run(None).await;
    assert_eq!((page.len(), page[0].dataset.as_str()), (1, "dw.bare"));
    let page = of_run(Some(("dw.bare".to_owned(), 1))).await;
    assert_eq!((page[0].dataset.as_str(), page[0].number), ("dw.orders", 2));
    assert!(of_run(Some(("dw.orders".to_owned(), 2))).await.is_empty());
}

async fn columns_are_kept_when_they_change(place: Place) {
    let world = World::new(place.store).await;
    let document = world.pipeline("p", chain(1)).await;
    let many = SCHEMAS_KEPT as usize + 5;
    for number in 0..many {
        let names: Vec<String> = (0..=number).map(|column| format!("c{column}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for again in 0..2 {
            let loads = vec![load("a.a", "b.b", &names)];
            loaded(&world, document, &format!("{number} {again}"), loads, Event::Finished).await;
        }
    }
    // what stays the same is no version
    let found = dataset(&world.store, "b.b").await;
    assert_eq!((found.schema_version, found.column_count), (Some(many as u32), many as u64));
    let all = world.store.dataset_schemas("b.b".to_owned(), None, 1_000).await.unwrap();
    let versions: Vec<u32> = all.iter().map(|schema| schema.version).collect();
    assert_eq!(versions, (6..=many as u32).rev().collect::<Vec<_>>());
    assert_eq!((all[0].columns.len(), all[1].columns.len(), all[0].left_out), (many, many - 1, 0));
    let page = world.store.dataset_schemas("b.b".to_owned(), Some(8), 1).await.unwrap();
    assert_eq!((page.len(), page[0].version, page[0].columns.len()), (1, 7, 7));
}

async fn the_last_loads_are_kept(place: Place) {
    let world = World::new(place.store).await;
    let document = world.pipeline("p", chain(1)).await;
    // more of one dataset at once than are kept, and then some one by one
    let loads = (0..LOADS_KEPT + 3).map(|_| load("a.a", "b.b", &["id"])).collect();
    loaded(&world, document, "many", loads, Event::Finished).await;
    for number in 0..2 {
        loaded(&world, document, &number.to_string(), vec![load("a.a", "b.b", &["id"])], Event::Finished).await;
    }
    let all = world.store.dataset_loads("b.b".to_owned(), None, 1_000).await.unwrap();
    let numbers: Vec<u64> = all.iter().map(|load| load.number).collect();
    assert_eq!(numbers, (6..=LOADS_KEPT + 5).rev().collect::<Vec<_>>());
    let found = dataset(&world.store, "b.b").await;
    assert_eq!((found.updates, found.last.unwrap().number), (LOADS_KEPT + 5, LOADS_KEPT + 5));
    let page = world.store.dataset_loads("b.b".to_owned(), Some(50), 2).await.unwrap();
    assert_eq!(page.iter().map(|load| load.number).collect::<Vec<_>>(), [49, 48]);
    // they outlive their runs, which are removed as ever
    let keep = Keep { age: Duration::ZERO, runs: 0 };
    let now = world.now.plus(Duration::from_secs(3_600));
    assert_eq!(world.store.remove_old(keep, now).await.unwrap().len(), 2);
    assert_eq!(world.store.runs(RunFilter { limit: 10, ..RunFilter::default() }).await.unwrap().len(), 1);
    assert_eq!(world.store.dataset_loads("b.b".to_owned(), None, 1_000).await.unwrap().len() as u64, LOADS_KEPT);
}

async fn graph(store: &Store, dataset: &str, upstream: u32, downstream: u32) -> Lineage {
    let filter = LineageFilter { dataset: dataset.to_owned(), upstream, downstream, with_columns: true };
    store.lineage(filter).await.unwrap().unwrap()
}

fn told(graph: &Lineage) -> String {
    let edges = graph.edges.iter().map(|edge| format!("{}>{}", edge.source, edge.target));
    edges.collect::<Vec<_>>().join(" ")
}

async fn lineage_goes_both_ways_and_round(place: Place) {
    let mut world = World::new(place.store).await;
    let document = world.pipeline("p", chain(1)).await;
    let pairs = [("s.a", "s.b"), ("s.b", "s.c"), ("s.c", "s.d"), ("s.d", "s.e"), ("s.x", "s.c")];
    let loads = pairs.iter().map(|(source, target)| load(source, target, &["id"])).collect();
    let first = loaded(&world, document, "1", loads, Event::Finished).await;
    let all = graph(&world.store, "s.c", 9, 9).await;
    assert_eq!(told(&all), "s.a>s.b s.b>s.c s.x>s.c s.c>s.d s.d>s.e");
    assert_eq!(all.datasets.iter().map(|one| one.name.as_str()).collect::<String>(), "s.as.bs.cs.ds.es.x");
    assert!(!all.is_cut);
    let one = &all.edges[0];
    assert_eq!((one.pipeline.as_str(), one.task.as_str(), one.run.unwrap().0, one.at), ("p", "t0", first, world.now));
    assert_eq!(one.columns.as_ref().unwrap()[0].from, "id");
    assert_eq!(told(&graph(&world.store, "s.c", 1, 0).await), "s.b>s.c s.x>s.c");
    assert_eq!(told(&graph(&world.store, "s.c", 0, 1).await), "s.c>s.d");
    assert_eq!(told(&graph(&world.store, "s.c", 0, 0).await), "");
    // round in a circle, which ends
    loaded(&world, document, "2", vec![load("s.e", "s.a", &["id"])], Event::Finished).await;
    let all = graph(&world.store, "s.c", 20, 20).await;
    assert_eq!(all.edges.len(), 6);
    // the same edge again has the new columns and the new run; no other changes
    world.pass(Duration::from_secs(60));
    let mut again = load("s.a", "s.b", &["id", "total"]);
    again.sources[0].1 =
        Listed::edges(&[ColumnEdge { from: "total".to_owned(), to: "id".to_owned(), how: Derivation::Hashed }]);
    let third = loaded(&world, document, "3", vec![again], Event::Finished).await;
    let one = graph(&world.store, "s.b", 1, 0).await.edges.remove(0);
    assert_eq!((one.run.unwrap().0, one.at), (third, world.now));
    let columns = one.columns.unwrap();
    assert_eq!((columns.len(), columns[0].how, columns[0].from.as_str()), (1, Derivation::Hashed, "total"));
    assert_eq!(graph(&world.store, "s.c", 1, 0).await.edges[0].run.unwrap().0, first);
    let nowhere = LineageFilter { dataset: "s.nothing".to_owned(), ..LineageFilter::default() };
    assert_eq!(world.store.lineage(nowhere).await.unwrap(), None);
    // of more than an answer holds, as much as it holds
    let many = (0..600).map(|number| load("wide.source", &format!("wide.t{number:03}"), &["id"])).collect();
    loaded(&world, document, "4", many, Event::Finished).await;
    let wide = graph(&world.store, "wide.source", 1, 1).await;
    assert!(wide.is_cut && wide.datasets.len() == 500 && wide.edges.len() == 499, "{}", wide.edges.len());
}

fn tags(tags: &[&str]) -> Vec<String> {
    tags.iter().map(|tag| (*tag).to_owned()).collect()
}

async fn what_people_write_stays(place: Place) {
    let world = World::new(place.store).await;
    let document = world.pipeline("p", chain(1)).await;
    let name = || "dw.orders".to_owned();
    loaded(&world, document, "1", vec![load("shop.orders", "dw.orders", &["id", "email"])], Event::Finished).await;
    let email = ColumnChange { description: Some("Where to write to".to_owned()), tags: Some(tags(&["pii"])) };
    let change = DatasetChange {
        owner: Some(Some("anna".to_owned())),
        description: Some(Some("What was sold".to_owned())),
        tags: Some(tags(&["sales", "daily"])),
        columns: BTreeMap::from([("email".to_owned(), email)]),
    };
    let store = &world.store;
    assert_eq!(store.update_dataset(name(), Some(0), change.clone()).await.unwrap(), DatasetUpdated::Done);
    assert_eq!(store.update_dataset(name(), Some(0), change.clone()).await.unwrap(), DatasetUpdated::Stale);
    assert_eq!(store.update_dataset("dw.x".to_owned(), None, change).await.unwrap(), DatasetUpdated::Missing);
    // a run with other columns takes nothing of it away
    loaded(&world, document, "2", vec![load("shop.orders", "dw.orders", &["id"])], Event::Finished).await;
    let (found, columns, _) = store.dataset(name()).await.unwrap().unwrap();
    assert_eq!((found.owner.as_deref(), found.description.as_deref()), (Some("anna"), Some("What was sold")));
    assert_eq!((found.tags, found.version), (tags(&["sales", "daily"]), 1));
    assert_eq!((columns[0].name.as_str(), columns[1].name.as_str(), columns.len()), ("id", "email", 2));
    assert_eq!((columns[1].seen.clone(), columns[1].description.as_str()), (None, "Where to write to"));
    // what is not given stays, and what is empty goes
    let email = ColumnChange { description: Some(String::new()), tags: None };
    let change = DatasetChange {
        owner: Some(None),
        columns: BTreeMap::from([("email".to_owned(), email)]),
        ..DatasetChange::default()
    };
    assert_eq!(store.update_dataset(name(), Some(1), change).await.unwrap(), DatasetUpdated::Done);
    let (found, columns, _) = store.dataset(name()).await.unwrap().unwrap();
    assert_eq!((found.owner, found.description.as_deref(), found.version), (None, Some("What was sold"), 2));
    assert_eq!((columns[1].description.as_str(), &columns[1].tags), ("", &tags(&["pii"])));
    let email = ColumnChange { description: None, tags: Some(Vec::new()) };
    let change = DatasetChange { columns: BTreeMap::from([("email".to_owned(), email)]), ..DatasetChange::default() };
    store.update_dataset(name(), None, change).await.unwrap();
    assert_eq!(store.dataset(name()).await.unwrap().unwrap().1.len(), 1);
    // forgotten, with all that hangs on it
    assert_eq!(store.remove_dataset(name(), Some(2)).await.unwrap(), DatasetUpdated::Stale);
    assert_eq!(store.remove_dataset(name(), Some(3)).await.unwrap(), DatasetUpdated::Done);
    assert_eq!(store.dataset(name()).await.unwrap(), None);
    assert!(graph(store, "shop.orders", 1, 1).await.edges.is_empty());
    loaded(&world, document, "3", vec![load("shop.orders", "dw.orders", &["id"])], Event::Finished).await;
    let again = dataset(store, "dw.orders").await;
    assert_eq!((again.updates, again.schema_version, again.description), (1, Some(1), None));
}

async fn datasets_are_found(place: Place) {
    let world = World::new(place.store).await;
    let document = world.pipeline("p", chain(1)).await;
    let loads = vec![
        load("shop.orders", "dw.orders", &["id", "E_Mail"]),
        load("shop.customers", "dw.people", &["id", "name"]),
        load("shop.100%", "dwx.orders", &["id"]),
    ];
    loaded(&world, document, "1", loads, Event::Finished).await;
    let column = ColumnChange { description: Some("How they are called".to_owned()), tags: Some(tags(&["pii"])) };
    let change = DatasetChange {
        owner: Some(Some("Anna".to_owned())),
        tags: Some(tags(&["sales"])),
        columns: BTreeMap::from([("name".to_owned(), column)]),
        ..DatasetChange::default()
    };
    world.store.update_dataset("dw.people".to_owned(), None, change).await.unwrap();
    let found = async |filter: DatasetFilter| {
        let places = world.store.dataset_places(filter).await.unwrap();
        places.into_iter().map(|place| place.name).collect::<Vec<_>>().join(" ")
    };
    let search =
        async |text: &str| found(DatasetFilter { search: Some(text.to_owned()), ..DatasetFilter::default() }).await;
    assert_eq!(search("ORDERS").await, "dw.orders dwx.orders shop.orders");
    assert_eq!(search("e_mail").await, "dw.orders shop.orders");
    assert_eq!(search("exmail").await, "");
    assert_eq!(search("100%").await, "shop.100%");
    assert_eq!(search("anna").await, "dw.people");
    assert_eq!(search("called").await, "dw.people");
    assert_eq!(search("nullable").await, "", "keys of what is kept are no text");
    let of = async |connection: &str| {
        found(DatasetFilter { connection: Some(connection.to_owned()), ..DatasetFilter::default() }).await
    };
    assert_eq!((of("dw").await.as_str(), of("d").await.as_str()), ("dw.orders dw.people", ""));
    let tagged = async |tag: &str| found(DatasetFilter { tag: Some(tag.to_owned()), ..DatasetFilter::default() }).await;
    assert_eq!((tagged("sales").await, tagged("pii").await), ("dw.people".to_owned(), "dw.people".to_owned()));
    assert_eq!((tagged("sale").await, tagged("PII").await, tagged("").await), Default::default());
    let owned =
        async |name: &str| found(DatasetFilter { owner: Some(name.to_owned()), ..DatasetFilter::default() }).await;
    assert_eq!((owned("Anna").await.as_str(), owned("Ann").await.as_str()), ("dw.people", ""));
    let names = ["dw.people", "dw.gone", "dw.orders"].map(str::to_owned).to_vec();
    let several = world.store.datasets(names).await.unwrap();
    assert_eq!(several.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["dw.people", "dw.orders"]);
    assert!(world.store.datasets(Vec::new()).await.unwrap().is_empty());
}

async fn a_failed_task_tells_what_it_loaded(place: Place) {
    let world = World::new(place.store).await;
    let document = world.pipeline("p", chain(1)).await;
    let loads = vec![load("shop.orders", "dw.orders", &["id"])];
    let run = loaded(&world, document, "1", loads, Event::Errored { retry: false }).await;
    let found = dataset(&world.store, "dw.orders").await;
    assert_eq!((found.updates, found.last.unwrap().run.0), (1, run));
    assert_eq!(told(&graph(&world.store, "dw.orders", 1, 0).await), "shop.orders>dw.orders");
    // names alone tell of the end only
    world.run("p", document, "2").await;
    let claim = world.claim(1).await.remove(0);
    let datasets = vec!["dw.never".to_owned()];
    world.exchange(vec![Update { datasets, ..ended(&claim, Event::Errored { retry: false }) }], 0).await;
    assert!(world.store.datasets(vec!["dw.never".to_owned()]).await.unwrap().is_empty());
}

/// A report that comes twice counts once, and one of a worker that lost the task run not at all.
async fn nobody_tells_of_what_they_lost(place: Place) {
    let world = World::new(place.store).await;
    let document = world.pipeline("p", chain(1)).await;
    world.run("p", document, "1").await;
    let claim = world.claim(1).await.remove(0);
    let update = Update { loads: vec![load("a.a", "b.b", &["id"])], ..ended(&claim, Event::Finished) };
    let stale = Update { epoch: claim.epoch - 1, ..update.clone() };
    assert_eq!(world.exchange(vec![stale], 0).await.fenced, [claim.task_run]);
    assert!(world.store.datasets(vec!["b.b".to_owned()]).await.unwrap().is_empty());
    world.exchange(vec![update.clone()], 0).await;
    world.exchange(vec![update], 0).await;
    assert_eq!(dataset(&world.store, "b.b").await.updates, 1);
    assert_eq!(world.store.dataset_loads("b.b".to_owned(), None, 10).await.unwrap().len(), 1);
}

async fn names_that_no_index_takes_hold_up_no_run(place: Place) {
    let world = World::new(place.store).await;
    let document = world.pipeline("p", chain(1)).await;
    let long = format!("dw.{}", "x".repeat(5_000));
    let fitting = format!("dw.{}", "é".repeat(498));
    let odd = "dw.a\"b'c%_!\\\n名".to_owned();
    let loads = vec![
        load("a.a", &long, &["id"]),
        load(&long, "b.b", &["id"]),
        load("a\0a", "b.c", &["id"]),
        load(&fitting, &odd, &["a\nb", "c\0d", "\u{1F600}"]),
    ];
    loaded(&world, document, "1", loads, Event::Finished).await;
    let places = world.store.dataset_places(DatasetFilter::default()).await.unwrap();
    assert_eq!(places.len(), 5, "{places:?}");
    let (found, columns, _) = world.store.dataset(odd.clone()).await.unwrap().unwrap();
    assert_eq!((found.column_count, columns[0].name.as_str(), columns[1].name.as_str()), (3, "a\nb", "c\0d"));
    assert_eq!(graph(&world.store, &odd, 1, 1).await.edges[0].source, fitting);
    assert_eq!(world.store.dataset_updated_at(odd).await.unwrap(), Some(world.now));
    assert_eq!(world.store.dataset("a\0a".to_owned()).await.unwrap(), None);
    let filter = DatasetFilter { search: Some("a\0a".to_owned()), ..DatasetFilter::default() };
    assert!(world.store.dataset_places(filter).await.unwrap().is_empty());
}

async fn what_nobody_meets_goes_after_a_year(place: Place) {
    let mut world = World::new(place.store).await;
    let document = world.pipeline("p", chain(1)).await;
    let loads = vec![load("a.a", "b.old", &["id"]), load("a.b", "b.written", &["id"])];
    loaded(&world, document, "1", loads, Event::Finished).await;
    let change = DatasetChange { owner: Some(Some("anna".to_owned())), ..DatasetChange::default() };
    world.store.update_dataset("b.written".to_owned(), None, change).await.unwrap();
    let keep = Keep { age: Duration::from_secs(86_400 * 1_000), runs: 1_000 };
    world.pass(Duration::from_secs(86_400 * 364));
    world.store.remove_old(keep, world.now).await.unwrap();
    assert_eq!(world.store.dataset_places(DatasetFilter::default()).await.unwrap().len(), 4);
    world.worker = world.store.sign_on(super::world::worker("late"), world.now).await.unwrap();
    loaded(&world, document, "2", vec![load("a.a", "b.new", &["id"])], Event::Finished).await;
    world.pass(Duration::from_secs(86_400 * 2));
    world.store.remove_old(keep, world.now).await.unwrap();
    let left = world.store.dataset_places(DatasetFilter::default()).await.unwrap();
    assert_eq!(left.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["a.a", "b.new", "b.written"]);
}

async fn the_catalogue_is_moved(place: Place) {
    let world = World::new(place.store.clone()).await;
    let document = world.pipeline("p", chain(1)).await;
    loaded(&world, document, "1", vec![load("a.a", "b.b", &["id", "email"])], Event::Finished).await;
    let email = ColumnChange { description: None, tags: Some(tags(&["pii"])) };
    let change = DatasetChange { columns: BTreeMap::from([("email".to_owned(), email)]), ..DatasetChange::default() };
    world.store.update_dataset("b.b".to_owned(), None, change).await.unwrap();
    let before = world.store.dataset("b.b".to_owned()).await.unwrap();
    let lineage = graph(&world.store, "b.b", 1, 1).await;
    world.store.sign_off(world.worker, world.now).await.unwrap();
    let is_file = matches!(place.location, levada_store::Location::File(_));
    let (to, _folder) = empty(is_file);
    let moved = transfer(&place.location, &to, true, world.now).await.unwrap();
    for (table, rows) in
        [("datasets", 2), ("dataset_columns", 1), ("dataset_schemas", 2), ("dataset_loads", 1), ("lineage", 1)]
    {
        assert!(moved.rows.contains(&(table.to_owned(), rows)), "{table}: {:?}", moved.rows);
    }
    let store = Store::open(&to).await.unwrap();
    assert_eq!(store.dataset("b.b".to_owned()).await.unwrap(), before);
    assert_eq!(graph(&store, "b.b", 1, 1).await, lineage);
}

/// Two processes tell of the same datasets at once, in one order and the other: both are heard, and nobody waits for ever.
async fn two_workers_load_the_same(place: Place) {
    let world = World::new(place.store.clone()).await;
    let document = world.pipeline("p", chain(1)).await;
    let other = Store::open(&place.location).await.unwrap();
    let many = |is_reversed: bool| {
        let mut loads: Vec<Load> =
            (0..40).map(|number| load(&format!("a.t{number:02}"), &format!("b.t{number:02}"), &["id"])).collect();
        if is_reversed {
            loads.reverse();
        }
        loads
    };
    for round in 0..5 {
        for run in 0..2 {
            world.run("p", document, &format!("{round} {run}")).await;
        }
        let claims = world.claim(2).await;
        let told = [(world.store.clone(), 0), (other.clone(), 1)].map(|(store, which)| {
            let updates = vec![Update { loads: many(which == 1), ..ended(&claims[which], Event::Finished) }];
            let (worker, now) = (world.worker, world.now);
            let exchange = levada_store::Exchange { worker, updates, want: 0, labels: Vec::new(), own: false, now };
            tokio::spawn(async move { store.exchange(exchange).await.unwrap() })
        });
        for told in told {
            assert!(told.await.unwrap().fenced.is_empty());
        }
    }
    for number in 0..40 {
        let found = dataset(&world.store, &format!("b.t{number:02}")).await;
        assert_eq!((found.updates, found.schema_version), (10, Some(1)));
        assert_eq!(world.store.dataset_loads(found.name, None, 100).await.unwrap().len(), 10);
    }
}

/// What is told of a thousand datasets is told at once: PostgreSQL is waited for as often as for one.
#[tokio::test(flavor = "multi_thread")]
async fn many_datasets_cost_as_much_as_one() {
    let world = World::new(postgres().await.store).await;
    let document = world.pipeline("p", chain(1)).await;
    let mut costs = Vec::new();
    for (round, count) in [1, 1, 1_000].into_iter().enumerate() {
        world.run("p", document, &round.to_string()).await;
        let claim = world.claim(1).await.remove(0);
        let loads = (0..count).map(|number| load(&format!("a.{number}"), &format!("b.{number}"), &["id"])).collect();
        let before = world.store.commits().trips;
        world.exchange(vec![Update { loads, ..ended(&claim, Event::Finished) }], 0).await;
        costs.push(world.store.commits().trips - before);
    }
    assert_eq!(costs[1], costs[2], "{costs:?}");
    // one more than without any
    world.run("p", document, "none").await;
    let claim = world.claim(1).await.remove(0);
    let before = world.store.commits().trips;
    world.exchange(vec![ended(&claim, Event::Finished)], 0).await;
    assert_eq!(world.store.commits().trips - before + 1, costs[1]);
}
