//! Which files make a stream, what is new since the last read, and what a root does not give away.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use levada_core::destination::WriteMode;
use levada_core::error::ErrorKind;
use levada_core::position::Position;
use levada_core::source::{ReadMode, Source};
use levada_testkit::pump::{self, Job};
use levada_testkit::rows::row;
use serde_json::json;

use super::{connect, drain, folder, open, read_all, source, stream};

#[tokio::test]
async fn globs_partitions_and_hidden_files() {
    let folder = folder(&[
        ("events/dt=2024-01-01/part-0.csv", b"id\n1\n"),
        ("events/dt=2024-01-02/part-0.csv", b"id,extra\n2,x\n"),
        ("events/dt=__HIVE_DEFAULT_PARTITION__/part-0.csv", b"id\n3\n"),
        ("events/_SUCCESS", b""),
        ("events/.hidden.csv", b"id\n9\n"),
        ("events/dt=2024-01-02/part-1.csv.tmp", b"id\n9\n"),
        ("events/dt=2024-01-02/part-2.csv", b""),
        ("orders.csv", b"id\n1\n"),
        ("log-1.jsonl", b"{\"a\":1}\n"),
        ("log-2.jsonl", b"{\"a\":1}\n"),
    ]);
    let source = source(&folder, json!({}));
    let (stream, rows, _) = read_all(source.as_ref(), "events/**/*.csv").await;
    let names: Vec<_> = stream.schema.fields().iter().map(|f| f.name().as_str()).collect();
    assert_eq!((names.as_slice(), stream.table.as_str()), (["id", "extra", "dt"].as_slice(), "events"));
    let expected = [
        row(&[Some("1"), None, Some("2024-01-01")]),
        row(&[Some("2"), Some("x"), Some("2024-01-02")]),
        row(&[Some("3"), None, None]),
    ];
    assert_eq!(rows, expected);
    let all: Vec<_> = source.discover(None).await.unwrap().into_iter().map(|s| s.name).collect();
    assert_eq!(all, ["*.jsonl", "events/**/*.csv", "orders.csv"]);
    assert!(source.discover(Some("events/*.csv")).await.unwrap().is_empty());
    assert!(source.discover(Some("nothing.csv")).await.unwrap().is_empty());
}

#[tokio::test]
async fn only_new_and_changed_files_are_read_again() {
    let folder = folder(&[("in/a.csv", b"id\n1\n"), ("in/b.csv", b"id\n2\n")]);
    let source = source(&folder, json!({}));
    let info = stream(source.as_ref(), "in/*.csv").await;
    let from = |from: Option<Position>| ReadMode::Incremental { cursor: None, from, lag: None, mark_overlap: false };
    let first = open(source.as_ref(), &info, from(None), 64 << 10).await.unwrap();
    let position = first.position.clone();
    assert_eq!(drain(first).await.unwrap().0.len(), 2);
    let again = open(source.as_ref(), &info, from(position.clone()), 64 << 10).await.unwrap();
    assert_eq!((&again.position, again.again.len()), (&position, 0));
    assert!(drain(again).await.unwrap().0.is_empty());
    // A new file that is older than all others, and a changed one.
    std::fs::write(folder.path().join("in/c.csv"), "id\n3\n").unwrap();
    let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
    std::fs::File::options().write(true).open(folder.path().join("in/c.csv")).unwrap().set_modified(old).unwrap();
    std::fs::write(folder.path().join("in/b.csv"), "id\n4\n5\n").unwrap();
    let third = open(source.as_ref(), &info, from(position), 64 << 10).await.unwrap();
    assert_eq!(third.again, ["in/b.csv"], "the other one is new");
    let rows = drain(third).await.unwrap().0;
    assert_eq!(rows, [row(&[Some("3")]), row(&[Some("4")]), row(&[Some("5")])]);
    assert!(!source.needs_cursor(&info.name));
    let cursor = ReadMode::Incremental { cursor: Some("id".into()), from: None, lag: None, mark_overlap: false };
    let error = open(source.as_ref(), &info, cursor, 64 << 10).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Config);
}

#[tokio::test]
async fn a_file_that_grows_is_not_read() {
    let folder = folder(&[("t.csv", b"id\n1\n")]);
    let source = source(&folder, json!({ "settle_ms": 400 }));
    let info = stream(source.as_ref(), "t.csv").await;
    let path = folder.path().join("t.csv");
    std::fs::write(&path, "id\n1\n").unwrap();
    let writer = tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
        std::fs::write(path, "id\n1\n2\n").unwrap();
    });
    let error = open(source.as_ref(), &info, ReadMode::Full, 64 << 10).await.err().unwrap();
    writer.await.unwrap();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
}

#[tokio::test]
async fn nothing_outside_the_root_is_read_or_written() {
    let outside = folder(&[("secret.csv", b"id\n1\n")]);
    let folder = folder(&[("in/a.csv", b"id\n1\n")]);
    std::os::unix::fs::symlink(outside.path(), folder.path().join("link")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret.csv"), folder.path().join("in/b.csv")).unwrap();
    let source = source(&folder, json!({}));
    for selector in ["../secret.csv", "in/../../x.csv", "/etc/passwd", "link/secret.csv", "in/b.csv"] {
        let outcome = source.discover(Some(selector)).await;
        assert_eq!(outcome.err().map(|e| e.kind()), Some(ErrorKind::Config), "{selector}");
    }
    assert_eq!(stream(source.as_ref(), "in/*.csv").await.bytes_estimate, Some(5));
    let destination = connect(json!({ "root": folder.path() })).unwrap().destination().unwrap();
    for table in ["../x", "..", "a/b", "/etc/x"] {
        let target = destination.target(None, table);
        assert!(!target.contains('/') && target != "..", "{target}");
    }
}

#[tokio::test]
async fn files_without_anything_to_read_are_told_by_their_name() {
    let folder = folder(&[("junk.jsonl", b"{bad\n"), ("fine.csv", b"id\n1\n")]);
    for (name, wanted) in
        [("fin.csv", "no file matches `fin.csv`"), ("junk.jsonl", "`junk.jsonl` holds no JSON objects")]
    {
        let source = connect(json!({ "root": folder.path().join(name), "settle_ms": 0 })).unwrap().source().unwrap();
        let told = source.discover(None).await.unwrap_err().to_string();
        assert!(told.contains(wanted), "{told}");
    }
}

#[tokio::test]
async fn a_root_that_is_a_file_is_its_one_stream() {
    let folder = folder(&[("a.csv", b"id\n1\n"), ("b.csv", b"id\n2\n")]);
    let source: std::sync::Arc<dyn Source> =
        connect(json!({ "root": folder.path().join("b.csv"), "settle_ms": 0 })).unwrap().source().unwrap();
    let all = source.discover(None).await.unwrap();
    assert_eq!(all.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["b.csv"]);
    let (_, rows, _) = read_all(source.as_ref(), "b.csv").await;
    assert_eq!(rows, [row(&[Some("2")])]);
}

#[tokio::test]
async fn a_single_file_takes_no_appends_and_foreign_folders_are_left_alone() {
    use levada_core::schema::timestamp;
    use levada_testkit::pump::{self, Job};
    let schema = std::sync::Arc::new(arrow_schema::Schema::new(vec![
        arrow_schema::Field::new("at", timestamp(), true),
        arrow_schema::Field::new("b", arrow_schema::DataType::Binary, true),
    ]));
    let folder = folder(&[("theirs/a.csv", b"id\n1\n")]);
    let destination = connect(json!({ "root": folder.path(), "format": "csv" })).unwrap().destination().unwrap();
    let append = Job::new(None, "out.csv").write(WriteMode::Append);
    let error = pump::load(destination.as_ref(), &append, &schema, &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let merge = Job::new(None, "out").merge(&["at"]);
    let error = pump::load(destination.as_ref(), &merge, &schema, &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let theirs = Job::new(None, "theirs");
    let error = pump::load(destination.as_ref(), &theirs, &schema, &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    // Types survive CSV through the manifest.
    let given = [row(&[Some("2024-01-01T00:00:00"), Some("\\x00ff")])];
    let batches = [levada_testkit::rows::batch(&schema, &given)];
    pump::load(destination.as_ref(), &Job::new(None, "out.csv"), &schema, &batches).await.unwrap();
    let text = std::fs::read_to_string(folder.path().join("out.csv")).unwrap();
    assert_eq!(text, "at,b\n2024-01-01T00:00:00,\\x00ff\n");
    let source = source(&folder, json!({}));
    let (stream, rows, _) = read_all(source.as_ref(), "out.csv").await;
    assert_eq!((super::types(&stream), rows), (vec!["timestamp".to_owned(), "bytes".to_owned()], given.to_vec()));
}

#[tokio::test]
async fn settings_are_checked_by_name_and_urls_become_settings() {
    let error = connect(json!({ "root": "x", "fromat": "csv" })).err().unwrap();
    assert!(error.kind() == ErrorKind::Config && error.to_string().contains("`format`"), "{error}");
    let error = connect(json!({ "root": "x", "csv": { "delimeter": ";" } })).err().unwrap();
    assert!(error.to_string().contains("`delimiter`"), "{error}");
    assert!(connect(json!({ "root": "x", "target_size": "12 apples" })).is_err());
    let registry = levada_connectors::registry();
    let connector = registry.for_scheme("s3").unwrap();
    let url =
        "s3://bucket/a/b?endpoint=http://127.0.0.1:1&access_key=AK&secret_key=S%2FK&allow_http=true&delimiter=%3B";
    let settings = connector.settings_from_url(&url::Url::parse(url).unwrap()).unwrap();
    assert_eq!(
        settings,
        json!({ "root": "s3://bucket/a/b", "endpoint": "http://127.0.0.1:1", "access_key": "AK", "secret_key": "S/K",
                "allow_http": true, "csv": { "delimiter": ";" } })
    );
    let connection = connector.connect(settings).unwrap();
    assert_eq!(connection.address(), "s3://bucket/a/b");
    let url = url::Url::parse("file:///tmp/a%20b?format=csv").unwrap();
    assert_eq!(connector.settings_from_url(&url).unwrap(), json!({ "root": "/tmp/a b", "format": "csv" }));
    let here = std::env::current_dir().unwrap();
    let connection = connect(json!({ "url": "file:./some/data?format=csv" })).unwrap();
    assert_eq!(connection.address(), here.join("some/data").display().to_string());
}

#[tokio::test]
async fn settings_that_would_be_ignored_are_refused() {
    for (settings, said) in [
        (json!({ "root": "s3://b/x", "access_key": "AK" }), "secret_key"),
        (json!({ "root": "s3://b/x", "secret_key": "SK" }), "access_key"),
        (json!({ "root": "/tmp/x", "format": "parquet", "compression": "gzip" }), "compression"),
        (json!({ "root": "/tmp/x.avro", "compression": "none" }), "compression"),
    ] {
        let error = connect(settings).err().expect("refused");
        assert!(error.kind() == ErrorKind::Config && error.to_string().contains(said), "{error}");
    }
    // Only the plan knows that new files would be Parquet.
    let folder = tempfile::tempdir().unwrap();
    let connection = connect(json!({ "root": folder.path().to_str().unwrap(), "compression": "gzip" })).unwrap();
    let destination = connection.destination().unwrap();
    let schema = Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, true)]));
    let error = pump::load(destination.as_ref(), &Job::new(None, "t"), &schema, &[]).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Config && error.to_string().contains("compression"), "{error}");
}
