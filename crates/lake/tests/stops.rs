//! A load that nobody waits for any more while it commits: it counts as a whole or not at all, whatever is cleaned up after it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use levada_core::batch::Batch;
use levada_core::destination::{LoadEnd, WriteMode};
use levada_testkit::pump::{self, Job};
use levada_testkit::rows::{self, Row};
use serde_json::json;

use crate::conformance::connect;

const ROUNDS: i64 = 60;

fn columns() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, false)]))
}

fn given(round: i64) -> Vec<Row> {
    (round * 10..round * 10 + 10).map(|id| vec![Some(id.to_string())]).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_is_given_up_is_whole_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let connection = connect(json!({ "location": folder.path() }));
    let (source, destination) = (connection.clone().source().unwrap(), connection.destination().unwrap());
    let job = Job::new(None, "t").write(WriteMode::Append);
    let (mut want, mut position, mut kept): (Vec<Row>, _, i64) = (Vec::new(), None, 0);
    for round in 0..ROUNDS {
        let spec = pump::spec(destination.as_ref(), &job, &columns()).await.unwrap();
        let plan = destination.plan(&spec).await.unwrap();
        let mut load = destination.begin(spec, plan.clone()).await.unwrap();
        let batch = Batch::arrow(rows::batch(&columns(), &given(round)));
        let accepted = pump::write(load.as_mut(), &plan, &[batch]).await.unwrap();
        let state = json!({ "round": round });
        let end = LoadEnd { state, rows_written: accepted.rows, rejects: Vec::new(), replayed: None };
        // given up a little later each time, until a commit is sure to be over
        let patience = Duration::from_micros(if round == ROUNDS - 1 { 60_000_000 } else { round as u64 * 700 });
        let _ = tokio::time::timeout(patience, load.commit(end)).await;
        load.abort().await;
        at_rest(&folder.path().join("t/_delta_log")).await;
        let commit = destination.committed(&job.key).await.unwrap().map(|commit| commit.state);
        if commit != position {
            assert_eq!(commit, Some(json!({ "round": round })));
            position = commit;
            want.extend(given(round));
            kept += 1;
        }
        want.sort();
        if let Some(stream) = source.discover(Some("t")).await.unwrap().pop() {
            let (batches, _) = pump::read(source.as_ref(), &stream, stream.schema.clone(), &job).await.unwrap();
            assert_eq!(rows::sorted(&batches, &columns()), want, "round {round}");
        }
    }
    assert!(kept > 0 && kept < ROUNDS, "{kept} of {ROUNDS} commits were in time: none was given up, or all were");
}

/// Waits until what threads still have in hand is in the log, or is not.
async fn at_rest(log: &Path) {
    let names =
        || -> Vec<_> { std::fs::read_dir(log).into_iter().flatten().map(|entry| entry.unwrap().file_name()).collect() };
    let mut before = None;
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let now = names();
        let is_whole = now.iter().all(|name| !name.to_string_lossy().contains('#'));
        if is_whole && before.as_ref() == Some(&now) {
            return;
        }
        before = Some(now);
    }
}
