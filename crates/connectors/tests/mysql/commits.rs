//! Commits under trouble: the server's answer gets lost on its way, or another transaction stands in the way.

use levada_core::batch::Batch;
use levada_core::destination::{Destination, LoadEnd, WriteMode};
use levada_core::error::ErrorKind;
use levada_testkit::conformance::Harness;
use levada_testkit::forwarder::Forwarder;
use levada_testkit::pump::{self, Job};
use levada_testkit::rows;
use mysql_async::prelude::Queryable;
use serde_json::json;

use super::Database;
use super::target::{numbered, pairs, values};

fn some(ids: std::ops::Range<i64>, v: &str) -> Batch {
    Batch::arrow(rows::batch(&pairs(), &numbered(ids, v)))
}

/// A load whose commit the server made and whose answer did not come back: the load says so, the destination knows it, the
/// same rows planned on what was before do not get in again, and the next rows do. Where the lost answer is to what comes
/// before the commit, nothing of the load is there, and it can be made again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_counts_once() {
    let (kept, added, both) = ("9 kept", "0 a, 1 a, 2 a, 9 kept", "0 a, 1 a, 2 a, 3 b, 4 b, 9 kept");
    for (write, lost, first, then) in [
        (WriteMode::Append, "COMMIT", added, both),
        (WriteMode::Merge, "COMMIT", added, both),
        (WriteMode::Replace, "RENAME TABLE", "0 a, 1 a, 2 a", "3 b, 4 b"),
        (WriteMode::Replace, "COMMIT", kept, "3 b, 4 b"),
    ] {
        let what = format!("{write:?}, {lost}");
        let database = Database::new().await;
        database.run("CREATE TABLE t (id BIGINT PRIMARY KEY, v TEXT)").await;
        database.run("INSERT INTO t VALUES (9, 'kept')").await;
        let direct = database.connection().destination().unwrap();
        let (forwarder, behind) = behind_a_forwarder(&database).await;
        let job = Job { key_columns: vec!["id".to_owned()], ..Job::new(None, "t").write(write) };

        let spec = pump::spec(direct.as_ref(), &job, &pairs()).await.unwrap();
        let plan = direct.plan(&spec).await.unwrap();
        let mut load = behind.begin(spec.clone(), plan.clone()).await.unwrap();
        let accepted = pump::write(load.as_mut(), &plan, &[some(0..3, "a")]).await.unwrap();
        forwarder.lose_answer_to(move |request| request.windows(lost.len()).any(|part| part == lost.as_bytes()));
        let end = LoadEnd { state: json!({}), rows_written: accepted.rows, rejects: Vec::new(), replayed: None };
        let error = load.commit(end).await.unwrap_err();
        load.abort().await;
        assert!(forwarder.has_lost(), "{what}: an answer got lost");
        assert_eq!(error.kind(), ErrorKind::Connect, "{what}: {error}");
        let committed = direct.committed(&job.key).await.unwrap().map(|commit| commit.load_id);
        assert_eq!(values(&database, "t").await.join(", "), first, "{what}");
        if first == kept {
            assert_eq!(committed, None, "{what}");
        } else {
            assert!(error.message().contains("while the commit was under way"), "{what}: {error}");
            assert_eq!(committed.as_ref(), Some(&spec.load_id), "{what}");
            let again = pump::load_spec(direct.as_ref(), spec, &[some(0..3, "a")], json!({})).await.unwrap_err();
            assert_eq!(again.kind(), ErrorKind::Busy, "{what}: {again}");
            assert_eq!(values(&database, "t").await.join(", "), first, "{what}");
        }
        let next = rows::batch(&pairs(), &numbered(3..5, "b"));
        pump::load(direct.as_ref(), &job, &pairs(), &[next]).await.unwrap();
        assert_eq!(values(&database, "t").await.join(", "), then, "{what}");
        assert_eq!(database.remains().await, Vec::<String>::new(), "{what}");
    }
}

async fn behind_a_forwarder(database: &Database) -> (Forwarder, std::sync::Arc<dyn Destination>) {
    let mut url = url::Url::parse(&database.url()).unwrap();
    let server = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(3306));
    let forwarder = Forwarder::to(&server).await;
    url.set_ip_host(forwarder.address().ip()).unwrap();
    url.set_port(Some(forwarder.address().port())).unwrap();
    let connector = levada_connectors::registry().get("mysql").unwrap().clone();
    let connection = connector.connect(json!({ "url": url.to_string() })).unwrap();
    (forwarder, connection.destination().unwrap())
}

/// A load that merges holds row 1 and waits for row 2, which another transaction holds that now asks for row 1. The server
/// ends the load's, which has changed less; it is tried again, and goes in once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_that_a_deadlock_ends_is_tried_again_and_counts_once() {
    for quarantine in [false, true] {
        let database = Database::new().await;
        database.run("CREATE TABLE t (id BIGINT PRIMARY KEY, v TEXT, n INT NOT NULL DEFAULT 0)").await;
        database.run("INSERT INTO t (id, v) VALUES (1, 'old'), (2, 'old'), (3, 'old')").await;
        database.run("CREATE TABLE weight (id INT PRIMARY KEY)").await;
        let before = deadlocks(&database).await;
        let mut other = database.conn().await;
        other.query_drop("START TRANSACTION").await.unwrap();
        other.query_drop("INSERT INTO weight SELECT seq FROM seq_1_to_5000").await.unwrap();
        other.query_drop("UPDATE t SET n = n + 1 WHERE id = 2").await.unwrap();

        let destination = database.connection().destination().unwrap();
        let job = Job { quarantine, ..Job::new(None, "t").merge(&["id"]) };
        let new = [rows::batch(&pairs(), &numbered(1..4, "new"))];
        let schema = pairs();
        let load = pump::load(destination.as_ref(), &job, &schema, &new);
        let waiting = format!(
            "SELECT w.requesting_trx_id FROM information_schema.INNODB_LOCK_WAITS w JOIN information_schema.INNODB_TRX t \
             ON t.trx_id = w.blocking_trx_id WHERE t.trx_mysql_thread_id = {}",
            other.id()
        );
        let in_the_way = async {
            while database.texts(&waiting).await.is_empty() {
                // the server looks anew only after nobody has asked for a tenth of a second
                tokio::time::sleep(std::time::Duration::from_millis(150)).await;
            }
            other.query_drop("UPDATE t SET n = n + 1 WHERE id = 1").await.unwrap();
            other.query_drop("COMMIT").await.unwrap();
        };
        let (outcome, ()) = tokio::join!(load, in_the_way);
        let outcome = outcome.unwrap();
        assert_eq!((outcome.durable.updated, outcome.durable.inserted, outcome.written), (3, 0, 3), "{quarantine}");
        assert!(outcome.rejects.is_empty(), "{:?}", outcome.rejects);
        let found = database.texts("SELECT CONCAT(id, ' ', v, ' ', n) FROM t ORDER BY id").await;
        assert_eq!(found.into_iter().flatten().collect::<Vec<_>>(), ["1 new 1", "2 new 1", "3 new 0"]);
        let committed = destination.committed(&job.key).await.unwrap().unwrap();
        assert_eq!(committed.load_id, outcome.load_id);
        assert_eq!(database.remains().await, Vec::<String>::new());
        assert!(deadlocks(&database).await > before, "{quarantine}");
        other.disconnect().await.unwrap();
    }
}

/// Deadlocks that the server has ended so far.
async fn deadlocks(database: &Database) -> u64 {
    let sql = "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'INNODB_DEADLOCKS'";
    database.texts(sql).await.into_iter().flatten().next().unwrap().parse().unwrap()
}
