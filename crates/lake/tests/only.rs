//! Conditions of a read leave out whole files by their statistics, those of other writers among them.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use levada_core::condition::{Comparison, Condition, Test};
use levada_core::destination::WriteMode;
use levada_core::schema::timestamp;
use levada_core::source::{ReadMode, ReadRequest};
use levada_testkit::pump::{self, Job};
use levada_testkit::rows;
use serde_json::{Value, json};

use crate::conformance::connect;

fn columns() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, false), Field::new("at", timestamp(), true)]))
}

async fn append(settings: &Value, ids: std::ops::Range<i64>, micros: i64) {
    let at = TimestampMicrosecondArray::from_iter_values(ids.clone().map(|id| id * 1_000_000 + micros));
    let batch = RecordBatch::try_new(columns(), vec![Arc::new(Int64Array::from_iter_values(ids)), Arc::new(at)]);
    let destination = connect(settings.clone()).destination().unwrap();
    let job = Job::new(None, "t").write(WriteMode::Append);
    pump::load(destination.as_ref(), &job, &columns(), &[batch.unwrap()]).await.unwrap();
}

/// The ids that a read with a condition gives.
async fn ids(settings: &Value, column: &str, comparison: Comparison, bound: &str) -> Vec<i64> {
    let source = connect(settings.clone()).source().unwrap();
    let stream = source.discover(Some("t")).await.unwrap().remove(0);
    let only = vec![Condition { column: column.to_owned(), test: Test::Compare(comparison, bound.to_owned()) }];
    let request = ReadRequest {
        columns: stream.schema.clone(),
        stream,
        mode: ReadMode::Full,
        raw: None,
        only,
        limit: None,
        readers: 2,
        batch_bytes: 1 << 20,
    };
    let mut batches = Vec::new();
    for mut reader in source.read(request).await.unwrap().readers {
        while let Some(batch) = reader.next().await.unwrap() {
            batches.push(batch);
        }
    }
    rows::sorted(&batches, &columns()).iter().map(|row| row[0].as_ref().unwrap().parse().unwrap()).collect()
}

fn files(table: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(table).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|ending| ending == "parquet")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_hold_no_wanted_row_are_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let settings = json!({ "location": folder.path() });
    append(&settings, 0..100, 0).await;
    let table = folder.path().join("t");
    let first = files(&table).remove(0);
    append(&settings, 100..200, 0).await;
    // whoever opens it fails
    std::fs::write(&first, "no Parquet").unwrap();
    assert_eq!(ids(&settings, "id", Comparison::Ge, "150").await, (150..200).collect::<Vec<_>>());
    assert_eq!(ids(&settings, "at", Comparison::Gt, "1970-01-01T00:03:00").await, (181..200).collect::<Vec<_>>());
}

/// The Delta protocol has timestamps in statistics cut to milliseconds: the greatest one is up to 999 µs later.
#[tokio::test(flavor = "multi_thread")]
async fn statistics_that_are_cut_to_milliseconds_leave_out_no_row() {
    let folder = tempfile::tempdir().unwrap();
    let settings = json!({ "location": folder.path(), "maintain": false });
    append(&settings, 0..10, 123_456).await;
    let log = folder.path().join("t/_delta_log/00000000000000000000.json");
    let text = std::fs::read_to_string(&log).unwrap();
    let cut: Vec<String> = text
        .lines()
        .map(|line| {
            let mut action: Value = serde_json::from_str(line).unwrap();
            if let Some(stats) = action["add"]["stats"].as_str() {
                let mut stats: Value = serde_json::from_str(stats).unwrap();
                (stats["minValues"]["at"], stats["maxValues"]["at"]) =
                    (json!("1970-01-01T00:00:00.123"), json!("1970-01-01T00:00:09.123"));
                action["add"]["stats"] = json!(stats.to_string());
            }
            action.to_string()
        })
        .collect();
    assert_ne!(cut.join("\n"), text.trim_end(), "there were no statistics of the column");
    std::fs::write(&log, cut.join("\n")).unwrap();
    for bound in ["1970-01-01T00:00:09.123", "1970-01-01T00:00:09.123400"] {
        assert_eq!(ids(&settings, "at", Comparison::Gt, bound).await, [9], "{bound}");
    }
    assert_eq!(ids(&settings, "at", Comparison::Eq, "1970-01-01T00:00:09.123456").await, [9]);
    assert_eq!(ids(&settings, "at", Comparison::Le, "1970-01-01T00:00:00.123456").await, [0]);
}
