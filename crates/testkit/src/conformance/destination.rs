//! The contract of [`levada_core::destination`]: data and state are one act, a load that did not commit leaves nothing,
//! and every row is accounted for.

use std::sync::Arc;
use std::time::Duration;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use levada_core::batch::Batch;
use levada_core::destination::WriteMode;
use levada_core::error::ErrorKind;
use levada_core::schema::OnSchemaChange;
use serde_json::json;

use super::{Harness, Place, people, person, person_batches, persons};
use crate::pump::{self, Job};
use crate::rows::{self, row};

/// Makes one test of every function of this suite; the expression is a future of a [`Harness`].
#[macro_export]
macro_rules! destination_suite {
    ($harness:expr) => {
        $crate::conformance_tests!(
            destination,
            $harness,
            [
                a_new_target_without_rows_exists,
                a_new_target_gets_one_batch,
                a_new_target_gets_many_batches_from_many_writers,
                state_is_stored_listed_and_forgotten,
                a_stale_previous_is_refused_and_changes_nothing,
                an_aborted_load_leaves_nothing,
                a_dropped_load_is_cleaned_by_the_next,
                a_second_replace_leaves_just_its_rows,
                an_interrupted_replace_leaves_the_first,
                an_append_adds,
                a_merge_inserts_updates_and_supersedes,
                a_merge_follows_the_order_column,
                a_merge_by_two_columns,
                evolve_adds_a_column,
                evolve_fills_a_missing_column_with_null,
                evolve_widens_a_column,
                evolve_lifts_not_null,
                freeze_refuses_a_new_column,
                ignore_new_leaves_a_new_column_out,
                refused_rows_go_into_the_quarantine,
                a_refused_row_fails_the_load_and_changes_nothing,
                replace_keeps_a_view,
                odd_names_are_kept_apart,
                a_live_load_holds_its_stream,
                two_streams_load_at_once,
            ]
        );
    };
}

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

/// What a commit stores comes back as it was, through any connection.
pub async fn state_is_stored_listed_and_forgotten(harness: &dyn Harness) {
    let place = Place::new(harness);
    let mut job = place.job("state");
    job.key.pipeline = format!("it's \"one\" \\ {}", job.table);
    let state = json!({ "position": { "cursor": "2024-01-01T00:00:00.000001", "n": 9_007_199_254_740_993_u64 },
        "text": "größe 😀 ' \" \\ \n" });
    job.state = Some(state.clone());
    assert!(place.destination.committed(&job.key).await.unwrap().is_none());
    let outcome = place.load(&job, &people(), &person_batches(0..10, "a", 10)).await.unwrap();
    let other = Place::new(harness);
    let commit = other.destination.committed(&job.key).await.unwrap().expect("the commit is stored");
    assert_eq!(commit.key, job.key);
    assert_eq!(commit.state, state);
    assert_eq!((commit.load_id.as_str(), commit.target.as_str()), (outcome.load_id.as_str(), outcome.target.as_str()));
    assert_eq!((commit.rows_written, commit.rows_rejected), (10, 0));
    let second = other.job("state_second");
    other.load(&second, &people(), &[]).await.unwrap();
    let all = other.destination.commits().await.unwrap();
    assert!(all.iter().any(|c| c.key == job.key) && all.iter().any(|c| c.key == second.key));
    let keys: Vec<_> = all.iter().map(|c| (c.key.pipeline.clone(), c.key.stream.clone())).collect();
    assert!(keys.is_sorted(), "commits are ordered by key: {keys:?}");
    assert!(place.destination.forget(&job.key).await.unwrap());
    assert!(!place.destination.forget(&job.key).await.unwrap());
    assert!(place.destination.committed(&job.key).await.unwrap().is_none());
    assert!(place.destination.committed(&second.key).await.unwrap().is_some());
}

/// A load that was planned on an older commit than the stored one is refused, and nothing of it stays.
pub async fn a_stale_previous_is_refused_and_changes_nothing(harness: &dyn Harness) {
    let place = Place::new(harness);
    for (previous, mode) in [(None, WriteMode::Replace), (Some("other"), WriteMode::Replace), (None, WriteMode::Append)]
    {
        if mode == WriteMode::Append && !harness.capabilities().appends {
            continue;
        }
        let job = place.job("stale").write(mode);
        let first = place.load(&job, &people(), &person_batches(0..10, "a", 10)).await.unwrap();
        let mut spec = pump::spec(place.destination.as_ref(), &job, &people()).await.unwrap();
        spec.previous = previous.map(str::to_owned);
        let batches: Vec<Batch> = person_batches(10..20, "b", 10).into_iter().map(Batch::arrow).collect();
        let error = pump::load_spec(place.destination.as_ref(), spec, &batches, json!({})).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
        assert_eq!(place.rows(&job, &people()).await, persons(0..10, "a"));
        let commit = place.destination.committed(&job.key).await.unwrap().unwrap();
        assert_eq!(commit.load_id, first.load_id);
    }
    // A previous that is gone is stale too.
    let job = place.job("stale_gone");
    let mut spec = pump::spec(place.destination.as_ref(), &job, &people()).await.unwrap();
    spec.previous = Some("gone".to_owned());
    let error = pump::load_spec(place.destination.as_ref(), spec, &[], json!({})).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert!(place.destination.describe(&place.target(&job)).await.unwrap().is_none());
    assert!(place.remains().await.is_empty());
}

/// `abort` after writing leaves neither table nor state.
pub async fn an_aborted_load_leaves_nothing(harness: &dyn Harness) {
    let place = Place::new(harness);
    let job = place.job("abort").parallel(2);
    let spec = pump::spec(place.destination.as_ref(), &job, &people()).await.unwrap();
    let plan = place.destination.plan(&spec).await.unwrap();
    let batches: Vec<Batch> = person_batches(0..1000, "a", 100).into_iter().map(Batch::arrow).collect();
    let mut load = place.destination.begin(spec, plan.clone()).await.unwrap();
    pump::write(load.as_mut(), &plan, &batches).await.unwrap();
    load.abort().await;
    assert!(place.destination.describe(&place.target(&job)).await.unwrap().is_none());
    assert!(place.destination.committed(&job.key).await.unwrap().is_none());
    assert!(place.remains().await.is_empty());
    // Before any writer was opened, too.
    let spec = pump::spec(place.destination.as_ref(), &job, &people()).await.unwrap();
    let load = place.destination.begin(spec, plan).await.unwrap();
    load.abort().await;
    assert!(place.destination.describe(&place.target(&job)).await.unwrap().is_none());
}

/// A load that died without a word does not hinder the next one, whose rows are the only ones.
pub async fn a_dropped_load_is_cleaned_by_the_next(harness: &dyn Harness) {
    let place = Place::new(harness);
    let job = place.job("dropped").parallel(2);
    for _ in 0..2 {
        let dying = Place::new(harness);
        let spec = pump::spec(dying.destination.as_ref(), &job, &people()).await.unwrap();
        let plan = dying.destination.plan(&spec).await.unwrap();
        let batches: Vec<Batch> = person_batches(0..500, "dead", 50).into_iter().map(Batch::arrow).collect();
        let mut load = dying.destination.begin(spec, plan.clone()).await.unwrap();
        pump::write(load.as_mut(), &plan, &batches).await.unwrap();
        drop(load);
    }
    place.load(&job, &people(), &person_batches(0..20, "live", 10)).await.unwrap();
    assert_eq!(place.rows(&job, &people()).await, persons(0..20, "live"));
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

/// Appends add up; the first of them makes the table.
pub async fn an_append_adds(harness: &dyn Harness) {
    if !harness.capabilities().appends {
        return;
    }
    let place = Place::new(harness);
    let job = place.job("append").write(WriteMode::Append).parallel(2);
    for (index, range) in [0..100, 100..150, 150..150, 150..400].into_iter().enumerate() {
        let count = (range.end - range.start) as u64;
        let outcome = place.load(&job, &people(), &person_batches(range, "a", 40)).await.unwrap();
        assert_eq!((outcome.written, outcome.durable.inserted), (count, count), "append {index}");
    }
    assert_eq!(place.rows(&job, &people()).await, persons(0..400, "a"));
}

/// Merge: new keys are inserted, known ones updated, and of two rows with one key the later one wins.
pub async fn a_merge_inserts_updates_and_supersedes(harness: &dyn Harness) {
    if !harness.capabilities().merge {
        return;
    }
    let place = Place::new(harness);
    let job = place.job("merge").merge(&["id"]);
    let mut batches = person_batches(0..100, "old", 40);
    batches.extend(person_batches(90..100, "a", 10));
    let first = place.load(&job, &people(), &batches).await.unwrap();
    assert_eq!(first.written, 110);
    assert_eq!((first.durable.inserted, first.durable.updated, first.durable.superseded), (100, 0, 10));
    let mut expected = persons(0..90, "old");
    expected.extend(persons(90..100, "a"));
    expected.sort();
    assert_eq!(place.rows(&job, &people()).await, expected);
    // 30 known keys, 20 new ones, five of them twice.
    let mut batches = person_batches(70..120, "b", 20);
    batches.extend(person_batches(115..120, "c", 5));
    let second = place.load(&job, &people(), &batches).await.unwrap();
    assert_eq!(second.written, 55);
    assert_eq!((second.durable.inserted, second.durable.updated, second.durable.superseded), (20, 30, 5));
    let mut expected = persons(0..70, "old");
    expected.extend(persons(70..115, "b"));
    expected.extend(persons(115..120, "c"));
    expected.sort();
    assert_eq!(place.rows(&job, &people()).await, expected);
    assert!(place.remains().await.is_empty());
    let third = place.load(&job, &people(), &[]).await.unwrap();
    assert_eq!((third.durable.inserted, third.durable.updated), (0, 0));
    assert_eq!(place.rows(&job, &people()).await, expected);
}

/// With an order column the row with the greater value wins, whichever came first; at a tie the later arrival.
pub async fn a_merge_follows_the_order_column(harness: &dyn Harness) {
    if !harness.capabilities().merge {
        return;
    }
    let place = Place::new(harness);
    for (order, greater, smaller) in
        [("amount", "100.00", "99.00"), ("at", "2024-01-01T00:00:00.5", "2024-01-01T00:00:00")]
    {
        let mut job = place.job("merge_order").merge(&["id"]);
        job.order_column = Some(order.to_owned());
        let value = |id: &str, name: &str, value: &str| {
            let (amount, at) = if order == "amount" { (value, "2024-01-01T00:00:00") } else { ("1.00", value) };
            row(&[Some(id), Some(name), Some(amount), Some(at)])
        };
        let given = [
            value("1", "wins", greater),
            value("1", "loses", smaller),
            value("2", "tie, first", smaller),
            value("2", "tie, second", smaller),
            value("3", "alone", smaller),
        ];
        let outcome = place.load(&job, &people(), &[rows::batch(&people(), &given)]).await.unwrap();
        assert_eq!((outcome.durable.inserted, outcome.durable.superseded), (3, 2), "order by {order}");
        let expected = vec![given[0].clone(), given[3].clone(), given[4].clone()];
        assert_eq!(place.rows(&job, &people()).await, expected, "order by {order}");
    }
}

/// A key of several columns, of several types.
pub async fn a_merge_by_two_columns(harness: &dyn Harness) {
    if !harness.capabilities().merge {
        return;
    }
    let place = Place::new(harness);
    let schema = Arc::new(Schema::new(vec![
        Field::new("tenant", DataType::Utf8, false),
        Field::new("number", DataType::Int32, false),
        Field::new("value", DataType::Utf8, true),
    ]));
    let job = place.job("merge_two").merge(&["tenant", "number"]);
    let of = |t: &str, n: &str, v: &str| row(&[Some(t), Some(n), Some(v)]);
    let first = [of("a", "1", "x"), of("a", "2", "x"), of("A", "1", "x"), of("a ", "1", "x")];
    place.load(&job, &schema, &[rows::batch(&schema, &first)]).await.unwrap();
    let second = [of("a", "2", "y"), of("b", "2", "y")];
    let outcome = place.load(&job, &schema, &[rows::batch(&schema, &second)]).await.unwrap();
    assert_eq!((outcome.durable.inserted, outcome.durable.updated), (1, 1));
    let mut expected =
        vec![of("a", "1", "x"), of("a", "2", "y"), of("A", "1", "x"), of("a ", "1", "x"), of("b", "2", "y")];
    expected.sort();
    assert_eq!(place.rows(&job, &schema).await, expected, "keys differ in case and trailing blanks");
}

fn with_column(name: &str, data_type: DataType) -> SchemaRef {
    let mut fields: Vec<_> = people().fields().iter().map(|f| f.as_ref().clone()).collect();
    fields.push(Field::new(name, data_type, true));
    Arc::new(Schema::new(fields))
}

/// A new column is added; the rows from before have NULL in it.
pub async fn evolve_adds_a_column(harness: &dyn Harness) {
    if !harness.capabilities().adds_columns {
        return;
    }
    let place = Place::new(harness);
    let job = place.job("evolve_add").write(WriteMode::Append);
    place.load(&job, &people(), &person_batches(0..3, "a", 3)).await.unwrap();
    let schema = with_column("extra, new", DataType::Float64);
    let mut given = person(3, "b");
    given.push(Some("0.1".to_owned()));
    let outcome = place.load(&job, &schema, &[rows::batch(&schema, &[given.clone()])]).await.unwrap();
    assert!(!outcome.plan.ddl.is_empty(), "the plan shows the change");
    let mut expected = persons(0..3, "a");
    expected.iter_mut().for_each(|row| row.push(None));
    expected.push(given);
    assert_eq!(place.rows(&job, &schema).await, expected);
}

/// A column that is gone from the source stays and gets NULL.
pub async fn evolve_fills_a_missing_column_with_null(harness: &dyn Harness) {
    if !harness.capabilities().appends {
        return;
    }
    let place = Place::new(harness);
    let job = place.job("evolve_gone").write(WriteMode::Append);
    place.load(&job, &people(), &person_batches(0..2, "a", 2)).await.unwrap();
    let narrow = Arc::new(people().project(&[0, 1]).unwrap());
    let given = [row(&[Some("2"), Some("b")])];
    place.load(&job, &narrow, &[rows::batch(&narrow, &given)]).await.unwrap();
    let mut expected = persons(0..2, "a");
    expected.push(row(&[Some("2"), Some("b"), None, None]));
    assert_eq!(place.rows(&job, &people()).await, expected);
}

/// An integer column takes larger integers after an evolve.
pub async fn evolve_widens_a_column(harness: &dyn Harness) {
    if !harness.capabilities().widens {
        return;
    }
    let place = Place::new(harness);
    let job = place.job("evolve_wide").write(WriteMode::Append);
    let schema = |data_type| Arc::new(Schema::new(vec![Field::new("n", data_type, true)]));
    let (narrow, wide) = (schema(DataType::Int16), schema(DataType::Int64));
    place.load(&job, &narrow, &[rows::batch(&narrow, &[row(&[Some("7")]), row(&[None])])]).await.unwrap();
    let given = [row(&[Some("9223372036854775807")])];
    place.load(&job, &wide, &[rows::batch(&wide, &given)]).await.unwrap();
    let expected = vec![row(&[None]), row(&[Some("7")]), given[0].clone()];
    let mut found = place.rows(&job, &wide).await;
    found.sort_by_key(|row| row[0].as_ref().map(|v| v.parse::<i64>().unwrap()));
    assert_eq!(found, expected);
}

/// A NOT NULL column whose source became nullable, or lost it, takes NULL after an evolve.
pub async fn evolve_lifts_not_null(harness: &dyn Harness) {
    if !harness.capabilities().lifts_not_null {
        return;
    }
    let place = Place::new(harness);
    let job = place.job("evolve_null").write(WriteMode::Append);
    let schema = |nullable| {
        Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, false), Field::new("v", DataType::Utf8, nullable)]))
    };
    place.load(&job, &schema(false), &[rows::batch(&schema(false), &[row(&[Some("1"), Some("x")])])]).await.unwrap();
    place.load(&job, &schema(true), &[rows::batch(&schema(true), &[row(&[Some("2"), None])])]).await.unwrap();
    assert_eq!(place.rows(&job, &schema(true)).await, [row(&[Some("1"), Some("x")]), row(&[Some("2"), None])]);
}

/// `freeze`: a difference is an error of the plan.
pub async fn freeze_refuses_a_new_column(harness: &dyn Harness) {
    let place = Place::new(harness);
    let mut job = place.job("freeze");
    place.load(&job, &people(), &person_batches(0..3, "a", 3)).await.unwrap();
    job.on_schema_change = OnSchemaChange::Freeze;
    let schema = with_column("extra", DataType::Int32);
    let spec = pump::spec(place.destination.as_ref(), &job, &schema).await.unwrap();
    let error = place.destination.plan(&spec).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Schema, "{error}");
    assert!(error.to_string().contains("extra"), "{error}");
    // The same columns pass.
    place.load(&job, &people(), &person_batches(0..4, "b", 4)).await.unwrap();
    assert_eq!(place.rows(&job, &people()).await, persons(0..4, "b"));
}

/// `ignore_new`: the plan's columns are those of the target.
pub async fn ignore_new_leaves_a_new_column_out(harness: &dyn Harness) {
    let place = Place::new(harness);
    let mut job = place.job("ignore_new");
    place.load(&job, &people(), &person_batches(0..3, "a", 3)).await.unwrap();
    job.on_schema_change = OnSchemaChange::IgnoreNew;
    let spec = pump::spec(place.destination.as_ref(), &job, &with_column("extra", DataType::Int32)).await;
    // The engine leaves the column out on seeing this; a connector may also plan without it.
    match place.destination.plan(&spec.unwrap()).await {
        Ok(plan) => assert!(plan.schema.field_with_name("extra").is_err(), "{plan:?}"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Schema, "{error}"),
    }
    place.load(&job, &people(), &person_batches(0..4, "b", 4)).await.unwrap();
    assert_eq!(place.rows(&job, &people()).await, persons(0..4, "b"));
}

async fn checked_target(place: &Place<'_>, job: &Job) -> SchemaRef {
    let quoted = place.harness.quoted(&place.target(job));
    place.harness.execute(&format!("CREATE TABLE {quoted} (id BIGINT NOT NULL, v BIGINT, CHECK (v >= 0))")).await;
    Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, false), Field::new("v", DataType::Int64, true)]))
}

/// Rows that the system refuses are found one by one; all others arrive, and the counts add up.
pub async fn refused_rows_go_into_the_quarantine(harness: &dyn Harness) {
    if !harness.capabilities().sql {
        return;
    }
    let place = Place::new(harness);
    for mode in [WriteMode::Append, WriteMode::Replace, WriteMode::Merge] {
        if mode == WriteMode::Merge && !harness.capabilities().merge {
            continue;
        }
        let mut job = place.job("quarantine").write(mode);
        if mode == WriteMode::Merge {
            job = job.merge(&["id"]);
        }
        job.quarantine = true;
        let schema = checked_target(&place, &job).await;
        let value = |id: i64| if id % 100 == 17 || id == 599 { -id } else { id };
        let all: Vec<_> = (0..600).map(|id| vec![Some(id.to_string()), Some(value(id).to_string())]).collect();
        let batches: Vec<_> = all.chunks(150).map(|chunk| rows::batch(&schema, chunk)).collect();
        let outcome = place.load(&job, &schema, &batches).await.unwrap();
        assert_eq!((outcome.read, outcome.written, outcome.rejects.len()), (600, 593, 7), "{mode:?}");
        let reject = outcome.rejects.iter().find(|r| r.row.contains("-317")).expect("the row is named");
        assert!(reject.row.contains("\"317\"") && !reject.reason.is_empty(), "{reject:?}");
        let mut expected: Vec<_> = all.into_iter().filter(|r| !r[1].as_ref().unwrap().starts_with('-')).collect();
        expected.sort();
        assert_eq!(place.rows(&job, &schema).await, expected, "{mode:?}");
        let commit = place.destination.committed(&job.key).await.unwrap().unwrap();
        assert_eq!((commit.rows_written, commit.rows_rejected), (593, 7));
    }
}

/// Without a quarantine one refused row is a `Data` error, and the target is as before.
pub async fn a_refused_row_fails_the_load_and_changes_nothing(harness: &dyn Harness) {
    if !harness.capabilities().sql {
        return;
    }
    let place = Place::new(harness);
    for mode in [WriteMode::Append, WriteMode::Replace] {
        let job = place.job("refused").write(mode);
        let schema = checked_target(&place, &job).await;
        place.load(&job, &schema, &[rows::batch(&schema, &[row(&[Some("1"), Some("1")])])]).await.unwrap();
        let bad: Vec<_> = (0..300)
            .map(|id| vec![Some(id.to_string()), Some(if id == 250 { -250 } else { id }.to_string())])
            .collect();
        let batches: Vec<_> = bad.chunks(100).map(|chunk| rows::batch(&schema, chunk)).collect();
        let error = place.load(&job, &schema, &batches).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data, "{mode:?}: {error}");
        assert_eq!(place.rows(&job, &schema).await, [row(&[Some("1"), Some("1")])], "{mode:?}");
        assert!(place.remains().await.is_empty());
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

/// While one load lives, a second of the same stream is `Busy`; afterwards it gets its turn.
pub async fn a_live_load_holds_its_stream(harness: &dyn Harness) {
    let place = Place::new(harness);
    let job = place.job("lock");
    let spec = pump::spec(place.destination.as_ref(), &job, &people()).await.unwrap();
    let plan = place.destination.plan(&spec).await.unwrap();
    let first = place.destination.begin(spec.clone(), plan.clone()).await.unwrap();
    let other = Place::new(harness);
    let started = std::time::Instant::now();
    let second = tokio::time::timeout(Duration::from_secs(60), other.destination.begin(spec, plan)).await;
    match second.expect("a held stream is told within a minute") {
        Ok(_) => panic!("two live loads of one stream"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Busy, "{error} after {:?}", started.elapsed()),
    }
    first.abort().await;
    other.load(&job, &people(), &person_batches(0..3, "b", 3)).await.unwrap();
    assert_eq!(place.rows(&job, &people()).await, persons(0..3, "b"));
}

/// Loads of different streams may run at once (or wait for each other); both commit.
pub async fn two_streams_load_at_once(harness: &dyn Harness) {
    let (one, two) = (Place::new(harness), Place::new(harness));
    let (job_one, job_two) = (one.job("at_once"), two.job("at_once"));
    let schema = people();
    let (batches_one, batches_two) = (person_batches(0..500, "a", 50), person_batches(0..500, "b", 50));
    let (a, b) = tokio::join!(one.load(&job_one, &schema, &batches_one), two.load(&job_two, &schema, &batches_two));
    a.unwrap();
    b.unwrap();
    assert_eq!(one.rows(&job_one, &people()).await, persons(0..500, "a"));
    assert_eq!(one.rows(&job_two, &people()).await, persons(0..500, "b"));
}
