//! A process that loads is killed at random moments, by the signal that nothing can catch. After each kill the table holds
//! what the position says and nothing else; in the end it holds everything once.
//!
//! `LEVADA_KILL_ROUNDS` sets the number of kills (20 on disk, a third of that in the bucket).

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use levada_core::destination::{Destination, WriteMode};
use levada_testkit::pump::{self, Job};
use levada_testkit::rows::{self, Row};
use serde_json::{Value, json};

use crate::conformance::{bucket, connect};

/// Rows of one load.
const ROWS: i64 = 400;
/// Loads of each table until the end, on disk and in the bucket.
const LOADS_ON_DISK: i64 = 40;
const LOADS_IN_BUCKET: i64 = 8;
const LOADS: &str = "LEVADA_LAKE_LOADS";
const SETTINGS: &str = "LEVADA_LAKE_KILLED";

fn columns() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("load", DataType::Int64, false),
        Field::new("text", DataType::Utf8, true),
    ]))
}

fn row(id: i64, load: i64) -> Row {
    vec![Some(id.to_string()), Some(load.to_string()), Some(format!("row {id} of load {load}"))]
}

/// Load `number` brings these keys to the table of merges: half of them are known.
fn merged_keys(number: i64) -> std::ops::Range<i64> {
    number * ROWS / 2..number * ROWS / 2 + ROWS
}

fn jobs() -> [Job; 3] {
    let append = Job::new(None, "appended").write(WriteMode::Append).parallel(2);
    let merge = Job::new(None, "merged").merge(&["id"]);
    [append, merge, Job::new(None, "replaced")]
}

/// The rows of a table after so many loads.
fn wanted(table: &str, loads: i64) -> Vec<Row> {
    let mut rows: Vec<Row> = match table {
        "appended" => (0..loads * ROWS).map(|id| row(id, id / ROWS)).collect(),
        "replaced" if loads == 0 => Vec::new(),
        "replaced" => (0..ROWS).map(|id| row(id, loads - 1)).collect(),
        _ if loads == 0 => Vec::new(),
        _ => (0..merged_keys(loads - 1).end).map(|id| row(id, (id * 2 / ROWS).min(loads - 1))).collect(),
    };
    rows.sort();
    rows
}

async fn done(destination: &dyn Destination, job: &Job) -> i64 {
    let commit = destination.committed(&job.key).await.unwrap();
    commit.map_or(0, |commit| commit.state["loads"].as_i64().unwrap())
}

/// What the child does: it goes on from where the positions say.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_that_is_killed() {
    let Ok(settings) = std::env::var(SETTINGS) else { return };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let loads: i64 = std::env::var(LOADS).unwrap().parse().unwrap();
    let destination = connect(serde_json::from_str(&settings).unwrap()).destination().unwrap();
    loop {
        let mut all_done = true;
        for mut job in jobs() {
            let load = done(destination.as_ref(), &job).await;
            if load == loads {
                continue;
            }
            all_done = false;
            let ids = match job.table.as_str() {
                "appended" => load * ROWS..(load + 1) * ROWS,
                "merged" => merged_keys(load),
                _ => 0..ROWS,
            };
            let rows: Vec<Row> = ids.map(|id| row(id, load)).collect();
            let batches: Vec<_> = rows.chunks(100).map(|chunk| rows::batch(&columns(), chunk)).collect();
            job.state = Some(json!({ "loads": load + 1 }));
            pump::load(destination.as_ref(), &job, &columns(), &batches).await.unwrap();
        }
        if all_done {
            return;
        }
    }
}

fn start(settings: &Value, loads: i64) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "kills::the_process_that_is_killed"]).env(SETTINGS, settings.to_string());
    command.env(LOADS, loads.to_string());
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Every table holds what its position says. Returns the loads of all.
async fn check(settings: &Value) -> i64 {
    let connection = connect(settings.clone());
    let (source, destination) = (connection.clone().source().unwrap(), connection.destination().unwrap());
    let mut all = 0;
    for job in jobs() {
        let loads = done(destination.as_ref(), &job).await;
        all += loads;
        let found = match source.discover(Some(&job.table)).await.unwrap().pop() {
            Some(stream) => {
                let (batches, _) = pump::read(source.as_ref(), &stream, stream.schema.clone(), &job).await.unwrap();
                rows::sorted(&batches, &columns())
            }
            None => Vec::new(),
        };
        assert!(found == wanted(&job.table, loads), "`{}` after {loads} loads has {} rows", job.table, found.len());
    }
    all
}

async fn torture(settings: Value, loads: i64, share: u32) {
    let rounds = std::env::var("LEVADA_KILL_ROUNDS").map_or(20, |text| text.parse::<u32>().unwrap()) / share;
    let mut seed = u64::from(std::process::id()) | 1;
    let mut killed = 0;
    let mut progress = 0;
    for _ in 0..rounds {
        let mut child = start(&settings, loads);
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        tokio::time::sleep(Duration::from_millis(150 + seed % 1500)).await;
        killed += u32::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        let reached = check(&settings).await;
        assert!(reached >= progress, "a position went back");
        progress = reached;
    }
    let output = tokio::task::spawn_blocking({
        let child = start(&settings, loads);
        move || child.wait_with_output().unwrap()
    });
    let output = output.await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(check(&settings).await, loads * 3);
    assert!(killed >= rounds / 2, "{killed} of {rounds} processes were killed at work: there is too little of it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_on_disk_hold_what_positions_say() {
    let folder = tempfile::tempdir().unwrap();
    torture(json!({ "location": folder.path() }), LOADS_ON_DISK, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_in_a_bucket_hold_what_positions_say() {
    torture(bucket(), LOADS_IN_BUCKET, 3).await;
}
