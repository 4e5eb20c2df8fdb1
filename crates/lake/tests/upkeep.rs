//! What becomes of a table over many commits, what its past still tells, and merges that do not fit into memory.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use levada_core::destination::WriteMode;
use levada_core::error::ErrorKind;
use levada_testkit::pump::{self, Job};
use levada_testkit::rows::{self, Row};
use serde_json::{Value, json};

use crate::conformance::connect;

fn columns() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, false), Field::new("text", DataType::Utf8, true)]))
}

fn batch(ids: std::ops::Range<i64>, text: &str) -> RecordBatch {
    let texts = StringArray::from_iter_values(ids.clone().map(|id| format!("{text} {id}")));
    RecordBatch::try_new(columns(), vec![Arc::new(Int64Array::from_iter_values(ids)), Arc::new(texts)]).unwrap()
}

async fn append(settings: &Value, ids: std::ops::Range<i64>) {
    let destination = connect(settings.clone()).destination().unwrap();
    let job = Job::new(None, "t").write(WriteMode::Append);
    pump::load(destination.as_ref(), &job, &columns(), &[batch(ids, "row")]).await.unwrap();
}

async fn read(settings: &Value) -> Vec<Row> {
    let source = connect(settings.clone()).source().unwrap();
    let stream = source.discover(Some("t")).await.unwrap().remove(0);
    let job = Job { readers: 3, ..Job::new(None, "t") };
    let (batches, _) = pump::read(source.as_ref(), &stream, stream.schema.clone(), &job).await.unwrap();
    rows::sorted(&batches, &columns())
}

fn want(ids: std::ops::Range<i64>) -> Vec<Row> {
    rows::sorted(&[levada_core::batch::Batch::arrow(batch(ids, "row"))], &columns())
}

/// The lines of the log that hold a word.
fn in_log(table: &Path, word: &str) -> usize {
    let entries = std::fs::read_dir(table.join("_delta_log")).unwrap().map(|entry| entry.unwrap().path());
    let commits = entries.filter(|path| path.extension().is_some_and(|ending| ending == "json"));
    commits.map(|path| std::fs::read_to_string(path).unwrap().matches(word).count()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_small_files_become_few() {
    let folder = tempfile::tempdir().unwrap();
    let settings = json!({ "location": folder.path() });
    for round in 0..33 {
        append(&settings, round * 10..round * 10 + 10).await;
    }
    assert_eq!(in_log(&folder.path().join("t"), "\"OPTIMIZE\""), 1, "32 files were put together");
    assert_eq!(read(&settings).await, want(0..330));
    let left = json!({ "location": folder.path(), "maintain": false });
    for round in 33..70 {
        append(&left, round * 10..round * 10 + 10).await;
    }
    assert_eq!(in_log(&folder.path().join("t"), "\"OPTIMIZE\""), 1);
    assert_eq!(read(&settings).await, want(0..700));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_outlives_the_log_that_told_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let settings = json!({ "location": folder.path() });
    let other = Job {
        key: levada_core::position::StreamKey { pipeline: "once".into(), stream: "t".into() },
        ..Job::new(None, "t")
    };
    let destination = connect(settings.clone()).destination().unwrap();
    let first = pump::load(destination.as_ref(), &other, &columns(), &[batch(0..5, "row")]).await.unwrap();
    for round in 0..105 {
        append(&settings, 5 + round..6 + round).await;
    }
    let log = folder.path().join("t/_delta_log");
    assert!(log.join("_last_checkpoint").exists(), "there is a checkpoint after 100 versions");
    for version in 0..95 {
        std::fs::remove_file(log.join(format!("{version:020}.json"))).unwrap();
    }
    let commit = destination.committed(&other.key).await.unwrap().expect("the checkpoint tells of it");
    assert_eq!(commit.load_id, first.load_id);
    append(&settings, 110..120).await;
    assert_eq!(read(&settings).await, want(0..120));
    // a position that is gone is told, and never taken for none
    let positions = folder.path().join("_levada/positions");
    for stream in std::fs::read_dir(positions).unwrap() {
        let mut files: Vec<_> =
            std::fs::read_dir(stream.unwrap().path()).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        if files.len() > 1 {
            std::fs::remove_file(files.pop().unwrap()).unwrap();
        }
    }
    let job = Job::new(None, "t");
    let error = destination.committed(&job.key).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_past_is_read_and_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let settings = json!({ "location": folder.path() });
    append(&settings, 0..10).await;
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let between = chrono::Utc::now().to_rfc3339();
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    append(&settings, 10..20).await;
    let at = |as_of: Value| json!({ "location": folder.path(), "as_of": as_of });
    assert_eq!(read(&at(json!(0))).await, want(0..10));
    assert_eq!(read(&at(json!(1))).await, want(0..20));
    assert_eq!(read(&at(json!(between))).await, want(0..10));
    let gone = connect(at(json!(7)));
    let error = gone.clone().source().unwrap().discover(Some("t")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(gone.destination().is_err());
}

/// 900,000 rows into 900,000 within 64 MB: joins and sorts go to disk.
#[tokio::test(flavor = "multi_thread")]
async fn a_merge_that_is_larger_than_its_memory_goes_to_disk() {
    let folder = tempfile::tempdir().unwrap();
    let settings = json!({ "location": folder.path(), "memory_mb": 64 });
    let destination = connect(settings.clone()).destination().unwrap();
    let long = "some words that take their place ".repeat(3);
    let batches = |ids: std::ops::Range<i64>, text: &str| -> Vec<RecordBatch> {
        ids.clone().step_by(20_000).map(|from| batch(from..(from + 20_000).min(ids.end), text)).collect()
    };
    let job = Job::new(None, "t").merge(&["id"]);
    let first = pump::load(destination.as_ref(), &job, &columns(), &batches(0..900_000, &long)).await.unwrap();
    assert_eq!((first.durable.inserted, first.durable.updated), (900_000, 0));
    let mut second = batches(450_000..1_350_000, "new");
    second.extend(batches(450_000..460_000, "newer"));
    let merged = pump::load(destination.as_ref(), &job, &columns(), &second).await.unwrap();
    let durable = &merged.durable;
    assert_eq!((durable.inserted, durable.updated, durable.superseded), (450_000, 450_000, 10_000));
    let found = read(&settings).await;
    let count = |word: &str| found.iter().filter(|row| row[1].as_ref().unwrap().starts_with(word)).count();
    assert_eq!((count("some "), count("new "), count("newer "), found.len()), (450_000, 890_000, 10_000, 1_350_000));
}
