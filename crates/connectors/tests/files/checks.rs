//! What the check of a connection tells step by step, and what is no place for a load.

use levada_core::destination::WriteMode;
use levada_core::error::{Error, ErrorKind};
use levada_testkit::pump::{self, Job};
use serde_json::{Value, json};

use super::crashes::bucket;
use super::{connect, folder};

type Step = (&'static str, Result<String, Error>);

async fn steps(settings: Value) -> Vec<Step> {
    connect(settings).unwrap().check().await.into_iter().map(|step| (step.step, step.outcome)).collect()
}

fn names(steps: &[Step]) -> Vec<&str> {
    steps.iter().map(|(step, _)| *step).collect()
}

/// What the last step found.
fn last(steps: &[Step]) -> &str {
    steps.last().unwrap().1.as_deref().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_looked_at_and_nothing_is_left_in_it() {
    let folder = folder(&[("a.csv", b"id\n1\n")]);
    let there = steps(json!({ "root": folder.path() })).await;
    assert_eq!(names(&there), ["open", "list", "read", "write"], "{there:?}");
    assert_eq!(last(&there), "yes: files may be made here");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);

    let missing = steps(json!({ "root": folder.path().join("new/out") })).await;
    assert_eq!(names(&missing), ["open", "list", "write"], "{missing:?}");
    assert!(last(&missing).contains("does not exist yet"), "{missing:?}");
    assert!(!folder.path().join("new").exists());

    let closed = steps(json!({ "root": "/proc/out" })).await;
    assert!(last(&closed).starts_with("no: "), "{closed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_reached_step_by_step() {
    let (mut settings, bucket) = bucket();
    settings["root"] = format!("s3://{bucket}/checks-{}", std::process::id()).into();
    let good = steps(settings.clone()).await;
    assert_eq!(names(&good), ["open", "name", "tcp", "tls", "list", "write"], "{good:?}");
    assert_eq!(good[3].1.as_deref().unwrap(), "not encrypted, as set");
    assert_eq!(last(&good), "yes: objects may be put here");

    let server = settings["endpoint"].as_str().unwrap().trim_start_matches("http://").to_owned();
    for (endpoint, step, kind) in [
        ("http://127.0.0.1:1".to_owned(), "tcp", ErrorKind::Connect),
        ("http://no-such-host.invalid:9000".to_owned(), "name", ErrorKind::Connect),
        (format!("https://{server}"), "tls", ErrorKind::Tls),
    ] {
        settings["endpoint"] = endpoint.into();
        let steps = steps(settings.clone()).await;
        let (at, outcome) = steps.last().unwrap();
        assert_eq!((*at, outcome.as_ref().unwrap_err().kind()), (step, kind), "{steps:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_named_like_a_file_of_another_kind_is_refused() {
    let folder = folder(&[("theirs.docx", b"not ours")]);
    let schema = std::sync::Arc::new(arrow_schema::Schema::new(vec![arrow_schema::Field::new(
        "id",
        arrow_schema::DataType::Int64,
        true,
    )]));
    let load = async |name: &str, more: Value| {
        let mut settings = json!({ "root": folder.path().join(name), "settle_ms": 0 });
        settings.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        let destination = connect(settings).unwrap().destination().unwrap();
        pump::load(destination.as_ref(), &Job::new(None, "t").write(WriteMode::Replace), &schema, &[]).await
    };
    for name in ["x.docx", "x.csv.bz2", "theirs.docx"] {
        let error = load(name, json!({})).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{name}: {error}");
        assert!(error.to_string().contains("parquet"), "{name}: {error}");
    }
    assert_eq!(std::fs::read(folder.path().join("theirs.docx")).unwrap(), b"not ours");
    std::fs::create_dir(folder.path().join("made.docx")).unwrap();
    for name in ["made.docx", "of.2026", "of.v1_2_of_a_year", "x.csv.gz"] {
        load(name, json!({})).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    load("y.docx", json!({ "format": "csv" })).await.unwrap();
}
