//! A hot standby as a source: what can be read from it, and what a read that it cancels leaves behind.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use levada_connectors::registry;
use levada_core::batch::{Batch, Data};
use levada_core::connector::Connection;
use levada_core::destination::WriteMode;
use levada_core::error::Error;
use levada_core::position::Position;
use levada_core::source::{Extract, ReadMode, ReadRequest};
use levada_testkit::services;
use tokio::sync::{Mutex, MutexGuard};
use tokio_postgres::{Client, NoTls};
use url::Url;

use super::place;
use super::pump::Pump;

const ROWS: i32 = 180_000;

/// A session that stands in the way of one test's changes holds up those of all others, so they take turns.
static TURN: Mutex<()> = Mutex::const_new(());

/// A database on the primary, and the way to read it from the standby.
struct Pair {
    _turn: MutexGuard<'static, ()>,
    primary: Client,
    watch: Client,
    standby: Arc<dyn Connection>,
}

async fn client(url: &str, database: &str) -> Client {
    let mut url = Url::parse(url).unwrap();
    url.set_path(database);
    url.set_query(None);
    let (client, driver) =
        tokio_postgres::connect(url.as_str(), NoTls).await.expect("the standby and its primary answer");
    tokio::spawn(driver);
    client
}

impl Pair {
    async fn new(database: &str) -> Self {
        let turn = TURN.lock().await;
        let admin = client(&services::primary(), "postgres").await;
        admin.batch_execute(&format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)")).await.unwrap();
        admin.batch_execute(&format!("CREATE DATABASE {database}")).await.unwrap();
        let primary = client(&services::primary(), database).await;
        let sql = format!(
            "CREATE TABLE t (id int PRIMARY KEY, pad text, at timestamp);
             INSERT INTO t SELECT n, repeat('x', 200), CASE WHEN n = 7 THEN 'infinity'::timestamp WHEN n % 1000 > 0
               THEN timestamp '2026-01-01' + n / 2 * interval '1 s' END FROM generate_series(1, {ROWS}) n;
             CREATE INDEX ON t (at); CREATE TABLE other (id int); INSERT INTO other SELECT generate_series(1, 1000)"
        );
        primary.batch_execute(&sql).await.unwrap();
        let mut url = Url::parse(&services::standby()).unwrap();
        url.set_path(database);
        let registry = registry();
        let connector = registry.get("postgres").unwrap();
        let standby = connector.connect(connector.settings_from_url(&url).unwrap()).unwrap();
        let watch = client(&services::standby(), "postgres").await;
        let pair = Self { _turn: turn, primary, watch, standby };
        assert!(pair.replayed(30).await, "the standby does not follow");
        pair
    }

    /// Waits until the standby has done what the primary did; false if it takes longer than that.
    async fn replayed(&self, seconds: u32) -> bool {
        // The end of what is written for the log, not of what is in it by now: a VACUUM does not wait for that.
        let now = "SELECT pg_current_wal_insert_lsn()::text";
        let now: String = self.primary.query_one(now, &[]).await.unwrap().get(0);
        for _ in 0..seconds * 20 {
            let query = format!("SELECT pg_last_wal_replay_lsn() >= '{now}'");
            if self.watch.query_one(&query, &[]).await.unwrap().get(0) {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        false
    }

    /// Removes rows that every snapshot of the standby could still see, and gives it time to take those away: from a session
    /// that is idle at once, from one that sends rows as soon as somebody takes them.
    async fn conflict(&self) {
        self.primary.batch_execute("DELETE FROM other WHERE id IN (SELECT id FROM other LIMIT 100)").await.unwrap();
        self.primary.batch_execute("VACUUM other").await.unwrap();
        self.replayed(3).await;
    }

    async fn open(&self, from: Option<Position>, mark_overlap: bool) -> Extract {
        let source = self.standby.clone().source().unwrap();
        let stream = source.discover(Some("public.t")).await.unwrap().remove(0);
        let columns = stream.schema.clone();
        let mode = ReadMode::Incremental { cursor: Some("at".to_owned()), from, lag: None, mark_overlap };
        let request = ReadRequest {
            stream,
            columns,
            mode,
            raw: None,
            only: Vec::new(),
            limit: None,
            readers: 2,
            batch_bytes: 1 << 20,
        };
        source.read(request).await.unwrap()
    }
}

fn ids(batch: &Batch) -> Vec<i32> {
    let ids = |rows: &arrow_array::RecordBatch| rows.column(0).as_primitive::<Int32Type>().values().to_vec();
    let bad = batch.rejects.iter().map(|reject| {
        serde_json::from_str::<serde_json::Value>(&reject.row).unwrap()["id"].as_str().unwrap().parse().unwrap()
    });
    match &batch.data {
        Data::Arrow(rows) => ids(rows).into_iter().chain(bad).collect(),
        Data::Raw(_) => panic!("not asked for raw rows"),
    }
}

/// Reads everything that is left; the rows, and the error if there is one.
async fn drain(extract: Extract, seen: &mut Vec<i32>) -> Option<Error> {
    let mut failure = None;
    for mut reader in extract.readers {
        loop {
            match reader.next().await {
                Ok(Some(batch)) => seen.extend(ids(&batch)),
                Ok(None) => break,
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
    }
    failure
}

#[tokio::test]
async fn full_and_incremental_reads_come_whole_from_a_standby() {
    let pair = Pair::new("levada_standby_reads").await;
    let target = place("t_standby_reads").await;
    let mut pump = Pump::new(&pair.standby, "public.t", &target.name("t"));
    pump.to = target.connection.clone();
    pump.quarantine = true;
    pump.run().await.unwrap();
    assert_eq!(target.number("SELECT count(*) FROM t").await, i64::from(ROWS) - 1);
    let source = pair.standby.clone().source().unwrap();
    let stream = source.discover(Some("public.t")).await.unwrap().remove(0);
    let columns = stream.schema.clone();
    let full = ReadRequest {
        stream,
        columns,
        mode: ReadMode::Full,
        raw: None,
        only: Vec::new(),
        limit: None,
        readers: 2,
        batch_bytes: 1 << 20,
    };
    assert_eq!(source.read(full).await.unwrap().readers.len(), 2, "readers share an exported snapshot");
    for mark_overlap in [true, false] {
        let mut seen = Vec::new();
        let extract = pair.open(None, mark_overlap).await;
        let position = extract.position.clone();
        assert!(drain(extract, &mut seen).await.is_none());
        seen.sort_unstable();
        assert_eq!(seen, (1..=ROWS).collect::<Vec<_>>());
        let mut seen = Vec::new();
        assert!(drain(pair.open(position, mark_overlap).await, &mut seen).await.is_none());
        assert!(seen.contains(&(ROWS - 1)) && seen.len() <= 2, "only the rows at the cursor come again: {seen:?}");
    }
    (pump.write, pump.target) = (WriteMode::Merge, target.name("m"));
    pump.mode = ReadMode::Incremental { cursor: Some("at".to_owned()), from: None, lag: None, mark_overlap: false };
    pump.run().await.unwrap();
    assert_eq!(target.difference("t", "m").await, 0);
}

#[tokio::test]
async fn a_read_that_the_standby_cancels_tells_how_far_it_came_and_goes_on_there() {
    let pair = Pair::new("levada_standby_cancel").await;
    let mut seen = BTreeSet::new();
    let mut from = None;
    let mut cuts = 0;
    loop {
        let mut extract = pair.open(from.clone(), false).await;
        let mut part = Vec::new();
        if cuts < 2 {
            // Some slices are read, then the snapshot is taken away.
            for _ in 0..15 {
                let Some(batch) = extract.readers[0].next().await.unwrap() else { break };
                part.extend(ids(&batch));
            }
            pair.conflict().await;
        }
        let end = drain(extract, &mut part).await;
        let before = seen.len();
        seen.extend(part);
        let Some(error) = end else { break };
        cuts += 1;
        assert!(error.kind().policy().retry, "{error}");
        let reached = error.position().cloned().unwrap_or_else(|| panic!("nothing can be kept: {error}"));
        assert!(seen.len() > before && from.as_ref() != Some(&reached), "{reached:?}");
        let cursor = reached.0["cursor"].as_str().unwrap();
        let due = format!("SELECT count(*) FROM t WHERE at <= '{cursor}' OR at IS NULL OR at = 'infinity'");
        let due: i64 = pair.primary.query_one(&due, &[]).await.unwrap().get(0);
        assert!(seen.len() as i64 >= due, "{} rows are there of the {due} up to {cursor}", seen.len());
        from = Some(reached);
    }
    assert_eq!(cuts, 2);
    assert_eq!(seen, (1..=ROWS).collect());
}

#[tokio::test]
async fn a_full_read_that_the_standby_cancels_is_an_error_that_can_be_tried_again() {
    let pair = Pair::new("levada_standby_full").await;
    let source = pair.standby.clone().source().unwrap();
    let stream = source.discover(Some("public.t")).await.unwrap().remove(0);
    let columns = stream.schema.clone();
    let request = ReadRequest {
        stream,
        columns,
        mode: ReadMode::Full,
        raw: None,
        only: Vec::new(),
        limit: None,
        readers: 2,
        batch_bytes: 1 << 20,
    };
    let mut extract = source.read(request).await.unwrap();
    let mut part = Vec::new();
    part.extend(ids(&extract.readers[0].next().await.unwrap().unwrap()));
    pair.conflict().await;
    let error = drain(extract, &mut part).await.expect("the snapshot is gone");
    assert!(error.kind().policy().retry && error.position().is_none(), "{error}");
}
