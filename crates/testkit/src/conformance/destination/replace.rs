//! New targets, and `Replace` of targets that exist.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use levada_core::batch::Batch;
use levada_core::destination::WriteMode;

use crate::conformance::{Harness, Place, people, person_batches, persons};
use crate::pump::{self, Job};
use crate::rows;

/// A load of no rows makes a table of the right columns and stores its state.
pub async fn a_new_target_without_rows_exists(harness: &dyn Harness) {
    let place = Place::new(harness);
    let job = place.job("empty");
    let outcome = place.load(&job, &people(), &[]).await.unwrap();
    assert_eq!(outcome.written, 0);
    let described = place.destination.describe(&outcome.target).await.unwrap().expect("the target exists");
    let names: Vec<_> = described.schema.fields().iter().map(|f| f.name().clone()).collect();
    assert_eq!(names, ["id", "name", "amount", "at"]);
    assert!(place.rows(&job, &people()).await.is_empty());
    assert!(place.destination.committed(&job.key).await.unwrap().is_some());
    // An empty batch is as good as none, and an empty replace of an existing target empties it.
    place.load(&job, &people(), &person_batches(0..5, "a", 5)).await.unwrap();
    place.load(&job, &people(), &[rows::batch(&people(), &[])]).await.unwrap();
    assert!(place.rows(&job, &people()).await.is_empty());
}

/// One batch arrives whole.
pub async fn a_new_target_gets_one_batch(harness: &dyn Harness) {
    let place = Place::new(harness);
    let job = place.job("one");
    assert!(place.destination.describe(&place.target(&job)).await.unwrap().is_none());
    let outcome = place.load(&job, &people(), &person_batches(0..100, "a", 100)).await.unwrap();
    assert_eq!((outcome.written, outcome.durable.inserted), (100, 100));
    assert_eq!(place.rows(&job, &people()).await, persons(0..100, "a"));
    assert!(place.remains().await.is_empty());
}

/// Many batches over several writers arrive, each row once.
pub async fn a_new_target_gets_many_batches_from_many_writers(harness: &dyn Harness) {
    let place = Place::new(harness);
    let job = place.job("many").parallel(4);
    let outcome = place.load(&job, &people(), &person_batches(0..5000, "a", 250)).await.unwrap();
    assert_eq!((outcome.written, outcome.durable.inserted), (5000, 5000));
    assert_eq!(place.rows(&job, &people()).await, persons(0..5000, "a"));
    assert!(place.remains().await.is_empty());
}

/// The second replace removes the rows of the first.
pub async fn a_second_replace_leaves_just_its_rows(harness: &dyn Harness) {
    let place = Place::new(harness);
    let job = place.job("twice").parallel(2);
    place.load(&job, &people(), &person_batches(0..300, "a", 100)).await.unwrap();
    let second = place.load(&job, &people(), &person_batches(250..350, "b", 30)).await.unwrap();
    assert_eq!(place.rows(&job, &people()).await, persons(250..350, "b"));
    assert_eq!(second.written, 100);
    assert!(place.remains().await.is_empty());
}

/// A replace that is aborted, or dies, leaves the rows and the state of the one before.
pub async fn an_interrupted_replace_leaves_the_first(harness: &dyn Harness) {
    let place = Place::new(harness);
    let job = place.job("interrupted");
    let first = place.load(&job, &people(), &person_batches(0..100, "a", 100)).await.unwrap();
    for dies in [false, true] {
        let dying = Place::new(harness);
        let spec = pump::spec(dying.destination.as_ref(), &job, &people()).await.unwrap();
        let plan = dying.destination.plan(&spec).await.unwrap();
        let batches: Vec<Batch> = person_batches(0..500, "b", 50).into_iter().map(Batch::arrow).collect();
        let mut load = dying.destination.begin(spec, plan.clone()).await.unwrap();
        pump::write(load.as_mut(), &plan, &batches).await.unwrap();
        if dies {
            drop(load);
        } else {
            load.abort().await;
        }
        assert_eq!(place.rows(&job, &people()).await, persons(0..100, "a"));
        assert_eq!(place.destination.committed(&job.key).await.unwrap().unwrap().load_id, first.load_id);
    }
}

/// P9: a view on the target survives, and sees the new rows.
pub async fn replace_keeps_a_view(harness: &dyn Harness) {
    if !harness.capabilities().sql {
        return;
    }
    let place = Place::new(harness);
    let job = place.job("viewed");
    let view = place.job("view");
    place.load(&job, &people(), &person_batches(0..3, "a", 3)).await.unwrap();
    let (table_sql, view_sql) = (harness.quoted(&place.target(&job)), harness.quoted(&place.target(&view)));
    harness.execute(&format!("CREATE VIEW {view_sql} AS SELECT * FROM {table_sql}")).await;
    place.load(&job, &people(), &person_batches(0..5, "b", 3)).await.unwrap();
    assert_eq!(place.rows(&view, &people()).await, persons(0..5, "b"));
}

/// Names that need quoting, or try to break out of it, name just one table and its columns.
pub async fn odd_names_are_kept_apart(harness: &dyn Harness) {
    let place = Place::new(harness);
    let rules = place.destination.name_rules();
    let odd = [
        "select",
        "Order Items",
        "it's",
        "say \"hi\"",
        "back`tick",
        "a;drop table x;--",
        "größe 😀",
        "1st",
        "a.b",
        "%s",
        "{x}",
    ];
    let mapped = |names: &[String]| rules.map(names, &std::collections::BTreeMap::new());
    let names: Vec<String> = odd.iter().map(|n| (*n).to_owned()).collect();
    let columns = mapped(&names);
    let fields: Vec<_> = names.iter().map(|n| Field::new(&columns[n], DataType::Utf8, true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let suffix = std::process::id();
    for name in odd {
        let table = mapped(&[format!("{name} {suffix}")]).into_values().next().unwrap();
        let job = place.job_named(&table);
        let given = [names.iter().map(|column| Some(format!("{name} / {column}"))).collect::<Vec<_>>()];
        place.load(&job, &schema, &[rows::batch(&schema, &given)]).await.unwrap();
        let _second = place.load(&job, &schema, &[rows::batch(&schema, &given)]).await.unwrap();
        assert_eq!(place.rows(&job, &schema).await, given, "table `{table}`");
        if harness.capabilities().merge {
            let merge = Job { key_columns: vec![columns["say \"hi\""].clone()], ..job.clone().write(WriteMode::Merge) };
            let outcome = place.load(&merge, &schema, &[rows::batch(&schema, &given)]).await.unwrap();
            assert_eq!((outcome.durable.inserted, outcome.durable.updated), (0, 1), "merge into `{table}`");
        }
    }
}
