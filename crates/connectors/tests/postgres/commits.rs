//! Commits under trouble: the server's answer gets lost on its way, or other transactions stand in the way.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use levada_core::destination::{Destination, LoadEnd, WriteMode};
use levada_core::error::ErrorKind;
use levada_testkit::forwarder::Forwarder;
use levada_testkit::pump::{self, Job, Outcome};
use levada_testkit::rows::{self, Row, row};
use serde_json::json;
use tokio_postgres::Client;

use super::{DATABASE, Place, client, connect_with, place, url};

fn pairs() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, false), Field::new("v", DataType::Utf8, true)]))
}

fn numbered(ids: std::ops::Range<i64>, v: &str) -> arrow_array::RecordBatch {
    let rows: Vec<Row> = ids.map(|id| row(&[Some(&id.to_string()), Some(v)])).collect();
    rows::batch(&pairs(), &rows)
}

/// A load whose commit the server made and whose answer did not come back: the load says so, the destination knows it, the
/// same rows planned on what was before do not get in again, and the next rows do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_counts_once() {
    let place = place("t_commits_lost").await;
    let server = format!("{}:{}", url().host_str().unwrap(), url().port().unwrap_or(5432));
    for (write, first, then) in [
        (WriteMode::Append, "0a 1a 2a 9kept", "0a 1a 2a 3b 4b 9kept"),
        (WriteMode::Merge, "0a 1a 2a 9kept", "0a 1a 2a 3b 4b 9kept"),
        (WriteMode::Replace, "0a 1a 2a", "3b 4b"),
    ] {
        place.run("DROP TABLE IF EXISTS b, _levada_positions, _levada_rejects").await;
        place.run("CREATE TABLE b (id int8 PRIMARY KEY, v text); INSERT INTO b VALUES (9, 'kept')").await;
        let forwarder = Forwarder::to(&server).await;
        let (host, port) = (forwarder.address().ip().to_string(), forwarder.address().port().to_string());
        let behind = connect_with(&[("schema", place.schema), ("host", &host), ("port", &port)]);
        let (behind, direct) = (behind.destination().unwrap(), place.connection.clone().destination().unwrap());
        let job = Job { key_columns: vec!["id".to_owned()], ..Job::new(Some(place.schema), "b").write(write) };

        let spec = pump::spec(direct.as_ref(), &job, &pairs()).await.unwrap();
        let plan = direct.plan(&spec).await.unwrap();
        let mut load = behind.begin(spec.clone(), plan.clone()).await.unwrap();
        let given = [levada_core::batch::Batch::arrow(numbered(0..3, "a"))];
        let accepted = pump::write(load.as_mut(), &plan, &given).await.unwrap();
        forwarder.lose_answer_to(|request| request.ends_with(b"COMMIT\0"));
        let end = LoadEnd { state: json!({}), rows_written: accepted.rows, rejects: Vec::new(), replayed: None };
        let error = load.commit(end).await.unwrap_err();
        load.abort().await;
        assert!(forwarder.has_lost(), "{write:?}: an answer got lost");
        assert_eq!(error.kind(), ErrorKind::Connect, "{write:?}: {error}");
        assert!(error.message().contains("while the commit was under way"), "{write:?}: {error}");
        let committed = direct.committed(&job.key).await.unwrap().unwrap();
        assert_eq!((&committed.load_id, committed.rows_written), (&spec.load_id, 3), "{write:?}");
        assert_eq!(all_of(&place).await, first, "{write:?}");

        let again = pump::load_spec(direct.as_ref(), spec, &given, json!({})).await.unwrap_err();
        assert_eq!(again.kind(), ErrorKind::Busy, "{write:?}: {again}");
        assert_eq!(all_of(&place).await, first, "{write:?}");
        load_direct(direct.as_ref(), &job, 3..5, "b").await;
        assert_eq!(all_of(&place).await, then, "{write:?}");
        place.assert_clean().await;
    }
}

async fn all_of(place: &Place) -> String {
    place.text("SELECT string_agg(id || v, ' ' ORDER BY id) FROM b").await
}

async fn load_direct(destination: &dyn Destination, job: &Job, ids: std::ops::Range<i64>, v: &str) -> Outcome {
    pump::load(destination, job, &pairs(), &[numbered(ids, v)]).await.unwrap()
}

/// A target of three rows, which counts how often a load came to row 1, whatever became of that, and has a gate: a lock that
/// a load waits for when it comes to row 2, and that the test holds until it wants the load to go on. With it another session,
/// which has changed row 2 and not committed.
struct Gated {
    place: Place,
    /// The key of the lock, which is the server's: each test has its own.
    gate: i64,
    other: Client,
}

async fn gated(schema: &'static str, gate: i64) -> Gated {
    let place = place(schema).await;
    place
        .run(&format!(
            "CREATE TABLE b (id int8 PRIMARY KEY, v text, n int NOT NULL DEFAULT 0);
             INSERT INTO b SELECT g, 'old' FROM generate_series(1, 3) g; CREATE SEQUENCE tries;
             CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS
               'BEGIN IF NEW.id = 1 THEN PERFORM nextval(''{schema}.tries''); END IF;
                IF NEW.id = 2 THEN PERFORM pg_advisory_xact_lock_shared({gate}); END IF; RETURN NEW; END';
             CREATE TRIGGER gate BEFORE INSERT ON b FOR EACH ROW EXECUTE FUNCTION gate();
             SELECT pg_advisory_lock({gate})"
        ))
        .await;
    let other = client(DATABASE).await;
    // It never looks for a deadlock: the load is the one that finds it, and gives way.
    let change = format!("SET deadlock_timeout = '1h'; BEGIN; UPDATE {schema}.b SET n = n + 1 WHERE id = 2");
    other.batch_execute(&change).await.unwrap();
    Gated { place, gate, other }
}

impl Gated {
    /// Waits until a query counts something.
    async fn until(&self, counts: &str) {
        while self.place.number(counts).await == 0 {
            tokio::task::yield_now().await;
        }
    }

    async fn until_a_load_is_at_the_gate(&self) {
        let gate = self.gate;
        self.until(&format!(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = {gate}
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        ))
        .await;
    }

    async fn open_the_gate(&self) {
        let gate = self.gate;
        self.place.run(&format!("SELECT pg_advisory_unlock({gate})")).await;
    }

    /// The load went in whole, at its second try; `n` tells what the other session did.
    async fn assert_second_try(&self, job: &Job, outcome: &Outcome, rows: &str) {
        assert_eq!((outcome.durable.updated, outcome.durable.inserted, outcome.written), (3, 0, 3));
        let place = &self.place;
        assert_eq!(place.text("SELECT string_agg(id || v || n, ' ' ORDER BY id) FROM b").await, rows);
        assert_eq!(place.number("SELECT last_value FROM tries").await, 2);
        let committed = place.connection.clone().destination().unwrap().committed(&job.key).await.unwrap().unwrap();
        assert_eq!(committed.load_id, outcome.load_id);
        place.assert_clean().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_that_a_deadlock_ends_is_tried_again_and_counts_once() {
    let gated = gated("t_commits_deadlock", 4_150_731).await;
    let (place, other) = (&gated.place, &gated.other);
    let pid: i32 = other.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    let job = Job::new(Some(place.schema), "b").merge(&["id"]);
    let destination = place.connection.clone().destination().unwrap();
    // The load holds row 1 and will ask for row 2; the other session holds row 2 and asks for row 1.
    let in_the_way = async {
        gated.until_a_load_is_at_the_gate().await;
        let ask = format!("UPDATE {} SET n = n + 1 WHERE id = 1; COMMIT", place.name("b"));
        let let_in = async {
            gated.until(&format!("SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = {pid}")).await;
            gated.open_the_gate().await;
        };
        let (asked, ()) = tokio::join!(other.batch_execute(&ask), let_in);
        asked.unwrap();
    };
    let (outcome, ()) = tokio::join!(load_direct(destination.as_ref(), &job, 1..4, "new"), in_the_way);
    gated.assert_second_try(&job, &outcome, "1new1 2new1 3new0").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_that_cannot_be_serialised_is_tried_again_and_counts_once() {
    let gated = gated("t_commits_serial", 4_150_732).await;
    let place = &gated.place;
    place
        .run(
            "DO $$ BEGIN CREATE ROLE levada_serial LOGIN SUPERUSER; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
             ALTER ROLE levada_serial SET default_transaction_isolation = 'serializable'",
        )
        .await;
    let job = Job::new(Some(place.schema), "b").merge(&["id"]);
    let connection = connect_with(&[("schema", place.schema), ("user", "levada_serial")]);
    let destination = connection.destination().unwrap();
    // The load sees row 2 as it was when it began, and comes to it when it has changed.
    let in_the_way = async {
        gated.until_a_load_is_at_the_gate().await;
        gated.other.batch_execute("COMMIT").await.unwrap();
        gated.open_the_gate().await;
    };
    let (outcome, ()) = tokio::join!(load_direct(destination.as_ref(), &job, 1..4, "new"), in_the_way);
    gated.assert_second_try(&job, &outcome, "1new0 2new1 3new0").await;
}
