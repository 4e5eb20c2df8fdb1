//! What becomes of a table over many commits, what its past still tells, and merges that do not fit into memory.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use levada_core::connector::Connection;
use levada_core::destination::WriteMode;
use levada_core::error::{Error, ErrorKind};
use levada_lake::PathRule;
use levada_testkit::pump::{self, Job};
use levada_testkit::rows::{self, Row};
use serde_json::{Value, json};

use crate::conformance::{connect, connect_within};

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
    let before = connect(at(json!("2020-01-01T00:00:00Z")));
    let error = before.source().unwrap().discover(Some("t")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    let gone = connect(at(json!(7)));
    let error = gone.clone().source().unwrap().discover(Some("t")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(gone.destination().is_err());
}

/// Neither of a load that died nor of versions that are old enough, and no file that is younger.
#[tokio::test(flavor = "multi_thread")]
async fn files_that_no_version_names_go_when_they_are_old() {
    let folder = tempfile::tempdir().unwrap();
    let plain = json!({ "location": folder.path(), "maintain": false });
    let replace = async |settings: &Value, round: i64| {
        let destination = connect(settings.clone()).destination().unwrap();
        pump::load(destination.as_ref(), &Job::new(None, "t"), &columns(), &[batch(0..round + 1, "row")])
            .await
            .unwrap();
    };
    for round in 0..99 {
        replace(&plain, round).await;
    }
    let table = folder.path().join("t");
    let left = |name: &str| std::fs::write(table.join(name), "left by a load that died").unwrap();
    left("part-00000-old.parquet");
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(8 * 24 * 3600);
    for file in std::fs::read_dir(&table).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
        std::fs::File::options().write(true).open(file).unwrap().set_modified(old).unwrap();
    }
    left("part-00000-new.parquet");
    let count = || std::fs::read_dir(&table).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_file()).count();
    assert_eq!(count(), 101);
    let upkept = json!({ "location": folder.path() });
    for round in 99..102 {
        replace(&upkept, round).await;
    }
    assert!(!table.join("part-00000-old.parquet").exists(), "nothing names it, and it is old");
    assert!(table.join("part-00000-new.parquet").exists(), "a load may be writing it");
    assert_eq!(read(&upkept).await, want(0..102));
    assert!(count() >= 103, "what was replaced just now can be read for a week: {} files", count());
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_are_made_where_nothing_else_is() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("t")).unwrap();
    std::fs::write(folder.path().join("t/letter.txt"), "mine").unwrap();
    let destination = connect(json!({ "location": folder.path() })).destination().unwrap();
    let error = pump::load(destination.as_ref(), &Job::new(None, "t"), &columns(), &[batch(0..1, "row")]).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert!(error.to_string().contains("letter.txt"), "{error}");
    assert!(!folder.path().join("t/_delta_log").exists());
}

/// Wherever a link leads: the rule is asked for the table's own folder, too.
#[tokio::test(flavor = "multi_thread")]
async fn folders_that_connections_keep_out_of_are_no_tables() {
    let folder = tempfile::tempdir().unwrap();
    let (lake, kept) = (folder.path().join("lake"), folder.path().join("kept"));
    std::fs::create_dir(&lake).unwrap();
    let settings = json!({ "location": lake });
    append(&json!({ "location": kept }), 0..3).await;
    append(&settings, 0..3).await;
    std::os::unix::fs::symlink(kept.join("t"), lake.join("linked")).unwrap();
    let names = async |connection: Arc<dyn Connection>| -> Vec<String> {
        let found = connection.source().unwrap().discover(None).await.unwrap();
        found.into_iter().map(|stream| stream.name).collect()
    };
    assert_eq!(names(connect(settings.clone())).await, ["linked", "t"]);
    let kept = kept.canonicalize().unwrap();
    let rule: PathRule = Arc::new(move |path| match path.starts_with(&kept) {
        true => Err(Error::new(ErrorKind::Refused, "keep out")),
        false => Ok(()),
    });
    let within = connect_within(settings, rule);
    assert_eq!(names(within.clone()).await, ["t"]);
    let error = within.clone().source().unwrap().discover(Some("linked")).await.unwrap_err();
    assert!(error.to_string().contains("keep out"), "{error}");
    let destination = within.destination().unwrap();
    let job = Job::new(None, "linked").write(WriteMode::Append);
    let error = pump::load(destination.as_ref(), &job, &columns(), &[batch(0..1, "row")]).await.unwrap_err();
    assert!(error.to_string().contains("keep out"), "{error}");
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
