//! Two writers at once, on a disk and in a bucket: whoever comes second is told, or builds on the first; no row is lost or
//! doubled.

use std::sync::Arc;

use levada_core::destination::{Destination, WriteMode};
use levada_core::error::{ErrorKind, Result};
use levada_testkit::forwarder::Forwarder;
use levada_testkit::pump::{self, Job, Outcome};
use levada_testkit::rows::{self, Row};
use serde_json::Value;

use arrow_schema::{DataType, Field, Schema, SchemaRef};

use crate::conformance::{bucket, connect};

fn columns() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, false), Field::new("by", DataType::Utf8, true)]))
}

fn given(ids: std::ops::Range<i64>, by: &str) -> Vec<Row> {
    let mut rows: Vec<Row> = ids.map(|id| vec![Some(id.to_string()), Some(by.to_owned())]).collect();
    rows.sort();
    rows
}

/// Two ways to one place, which do not see each other's locks: as from two processes.
struct Place {
    _folder: Option<tempfile::TempDir>,
    _gate: Option<Forwarder>,
    settings: [Value; 2],
}

impl Place {
    fn disk() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("lake"), folder.path().join("link"));
        std::fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let settings = [real, link].map(|path| serde_json::json!({ "location": path }));
        Self { _folder: Some(folder), _gate: None, settings }
    }

    /// The test server looks whether there is an object, and writes it then: for a put on a condition to be one act, as the
    /// real stores promise, no other one may come in between.
    async fn bucket() -> Self {
        let mut one = bucket();
        let server = one["endpoint"].as_str().unwrap().trim_start_matches("http://").to_owned();
        let is_conditional = |request: &[u8]| {
            let head = String::from_utf8_lossy(request).to_ascii_lowercase();
            head.starts_with("put ") && head.contains("if-none-match")
        };
        let gate = Forwarder::one_at_a_time(&server, is_conditional).await;
        one["endpoint"] = format!("http://{}", gate.address()).into();
        let mut other = one.clone();
        other["location"] = format!("{}/", one["location"].as_str().unwrap()).into();
        Self { _folder: None, _gate: Some(gate), settings: [one, other] }
    }

    fn destination(&self, way: usize) -> Arc<dyn Destination> {
        connect(self.settings[way].clone()).destination().unwrap()
    }

    async fn rows(&self) -> Vec<Row> {
        let source = connect(self.settings[0].clone()).source().unwrap();
        let stream = source.discover(Some("shared")).await.unwrap().remove(0);
        let (batches, _) =
            pump::read(source.as_ref(), &stream, stream.schema.clone(), &Job::new(None, "shared")).await.unwrap();
        rows::sorted(&batches, &columns())
    }
}

fn job(pipeline: &str) -> Job {
    let mut job = Job::new(None, "shared").write(WriteMode::Append);
    job.key.pipeline = pipeline.to_owned();
    job
}

/// Loads, and loads again for as long as another one came first.
async fn load(destination: Arc<dyn Destination>, job: Job, rows: Vec<Row>) -> (Outcome, u32) {
    let mut busy = 0;
    loop {
        match pump::load(destination.as_ref(), &job, &columns(), &[rows::batch(&columns(), &rows)]).await {
            Ok(outcome) => return (outcome, busy),
            Err(error) if error.kind() == ErrorKind::Busy && busy < 50 => busy += 1,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Appends of two streams, from the making of the table on: all of both.
async fn appends(place: Place) {
    let run = |way: usize, by: &'static str| {
        let destination = place.destination(way);
        tokio::spawn(async move {
            for round in 0..15 {
                let first = way as i64 * 10_000 + round * 10;
                load(destination.clone(), job(by), given(first..first + 10, by)).await;
            }
        })
    };
    let (one, two) = (run(0, "one"), run(1, "two"));
    one.await.unwrap();
    two.await.unwrap();
    let mut want = given(0..150, "one");
    want.extend(given(10_000..10_150, "two"));
    want.sort();
    assert_eq!(place.rows().await, want);
}

/// A merge against an append of other keys: both, and each key once.
async fn merges(place: Place) {
    load(place.destination(0), job("first"), given(0..200, "first")).await;
    let run = |way: usize| {
        let destination = place.destination(way);
        tokio::spawn(async move {
            for round in 0..8 {
                if way == 0 {
                    let merge = job("merge").merge(&["id"]);
                    let (outcome, _) =
                        load(destination.clone(), merge, given(round * 10..round * 10 + 20, "merged")).await;
                    assert_eq!((outcome.durable.updated, outcome.durable.inserted), (20, 0));
                } else {
                    load(destination.clone(), job("append"), given(1000 + round..1001 + round, "append")).await;
                }
            }
        })
    };
    let (one, two) = (run(0), run(1));
    one.await.unwrap();
    two.await.unwrap();
    let mut want = given(0..90, "merged");
    want.extend(given(90..200, "first"));
    want.extend(given(1000..1008, "append"));
    want.sort();
    assert_eq!(place.rows().await, want);
}

/// Both find more small files than there should be, and put them together at once: each row stays once.
async fn upkeep(place: Place) {
    let mut want = Vec::new();
    for round in 0..3 {
        for part in 0..31 {
            let mut settings = place.settings[0].clone();
            settings["maintain"] = false.into();
            let rows = given(round * 1000 + part..round * 1000 + part + 1, "small");
            load(connect(settings).destination().unwrap(), job("small"), rows.clone()).await;
            want.extend(rows);
        }
        let run = |way: usize| {
            let rows = given(round * 1000 + 500 + way as i64..round * 1000 + 501 + way as i64, "last");
            let destination = place.destination(way);
            (rows.clone(), tokio::spawn(async move { load(destination, job(["one", "two"][way]), rows).await }))
        };
        let (one, two) = (run(0), run(1));
        one.1.await.unwrap();
        two.1.await.unwrap();
        want.extend(one.0.into_iter().chain(two.0));
        want.sort();
        assert_eq!(place.rows().await, want, "round {round}");
    }
}

/// Two loads of one stream that were planned on the same commit: one counts, the other is told and leaves nothing.
async fn one_stream_twice(place: Place) {
    for round in 0..6 {
        let mode = [WriteMode::Append, WriteMode::Replace, WriteMode::Append][round % 3];
        let before = if round == 0 { Vec::new() } else { place.rows().await };
        let mut loads = Vec::new();
        for way in 0..2 {
            let destination = place.destination(way);
            let spec = pump::spec(destination.as_ref(), &job("same").write(mode), &columns()).await.unwrap();
            let plan = destination.plan(&spec).await.unwrap();
            let mut load = destination.begin(spec, plan.clone()).await.unwrap();
            let rows = given(round as i64 * 100..round as i64 * 100 + 10, ["left", "right"][way]);
            let batch = levada_core::batch::Batch::arrow(rows::batch(&columns(), &rows));
            let accepted = pump::write(load.as_mut(), &plan, &[batch]).await.unwrap();
            let state = serde_json::json!({ "by": way });
            let end = levada_core::destination::LoadEnd {
                state,
                rows_written: accepted.rows,
                rejects: Vec::new(),
                replayed: None,
            };
            loads.push((load, end, rows));
        }
        let (mut left, mut right) = (loads.remove(0), loads.remove(0));
        let (one, two) = tokio::join!(left.0.commit(left.1), right.0.commit(right.1));
        let winner = won(&one, &two);
        left.0.abort().await;
        right.0.abort().await;
        let mut want = if mode == WriteMode::Replace { Vec::new() } else { before };
        want.extend(if winner == 0 { left.2 } else { right.2 });
        want.sort();
        assert_eq!(place.rows().await, want, "round {round}");
        let commit = place.destination(0).committed(&job("same").key).await.unwrap().unwrap();
        assert_eq!(commit.state["by"], winner, "round {round}: the position is the winner's");
    }
}

fn won(one: &Result<levada_core::destination::Durable>, two: &Result<levada_core::destination::Durable>) -> usize {
    match (one, two) {
        (Ok(_), Err(error)) | (Err(error), Ok(_)) => {
            assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
            usize::from(one.is_err())
        }
        (Ok(_), Ok(_)) => panic!("both loads of one stream were committed"),
        (Err(one), Err(two)) => panic!("neither load was committed: {one} {two}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_on_disk_all_arrive() {
    appends(Place::disk()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_in_a_bucket_all_arrive() {
    appends(Place::bucket().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_and_appends_on_disk_build_on_each_other() {
    merges(Place::disk()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_and_appends_in_a_bucket_build_on_each_other() {
    merges(Place::bucket().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upkeep_that_is_done_twice_at_once_doubles_no_row() {
    upkeep(Place::disk()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_loads_of_one_stream_on_disk_one_counts() {
    one_stream_twice(Place::disk()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_loads_of_one_stream_in_a_bucket_one_counts() {
    one_stream_twice(Place::bucket().await).await;
}
