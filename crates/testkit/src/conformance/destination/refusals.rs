//! What a load refuses: rows that the system does not take, and columns that `on_schema_change` does not allow.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use levada_core::destination::WriteMode;
use levada_core::error::ErrorKind;
use levada_core::schema::OnSchemaChange;

use super::with_column;
use crate::conformance::{Harness, Place, people, person_batches, persons};
use crate::pump::{self, Job};
use crate::rows::{self, row};

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

async fn checked_target(place: &Place<'_>, job: &Job) -> SchemaRef {
    let quoted = place.harness.quoted(&place.target(job));
    place.harness.execute(&format!("CREATE TABLE {quoted} (id BIGINT NOT NULL, v BIGINT, CHECK (v >= 0))")).await;
    Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, false), Field::new("v", DataType::Int64, true)]))
}
