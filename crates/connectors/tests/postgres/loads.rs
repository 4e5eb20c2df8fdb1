//! Loads: strategies, what survives them, what they leave behind, and what they refuse.

use levada_core::destination::WriteMode;
use levada_core::error::ErrorKind;
use serde_json::json;

use super::place;
use super::pump::Pump;

const SHOP: &str = "CREATE TABLE a (id int PRIMARY KEY, v text, at timestamptz DEFAULT now());
    INSERT INTO a SELECT n, 'v' || n, '2020-01-01' FROM generate_series(1, 1000) n;";

#[tokio::test]
async fn a_new_table_gets_its_key_and_one_commit_with_its_state() {
    let place = place("t_loads_new").await;
    place.run(SHOP).await;
    let pump = Pump::new(&place.connection, &place.name("a"), "t_loads_new.\"New Table\"");
    let outcome = pump.run().await.unwrap();
    assert_eq!((outcome.durable.inserted, outcome.read), (1000, 1000));
    assert_eq!(place.difference("a", "\"New Table\"").await, 0);
    let key = "SELECT pg_get_constraintdef(oid) || ' ' || conname FROM pg_constraint WHERE conrelid = '\"New Table\"'::regclass";
    assert_eq!(place.text(key).await, "PRIMARY KEY (id) New Table_pkey");
    let destination = place.connection.clone().destination().unwrap();
    let commit = destination.committed(&pump.key_of()).await.unwrap().unwrap();
    assert_eq!((commit.state, commit.rows_written, commit.target), (json!({"n": 1}), 1000, pump.target.clone()));
    assert!(commit.committed_at.ends_with('Z') && commit.committed_at.len() == 27, "{}", commit.committed_at);
    assert_eq!(destination.commits().await.unwrap().len(), 1);
    assert!(destination.forget(&pump.key_of()).await.unwrap());
    assert!(!destination.forget(&pump.key_of()).await.unwrap());
    assert!(destination.committed(&pump.key_of()).await.unwrap().is_none());
    place.assert_clean().await;
}

#[tokio::test]
async fn replace_keeps_views_grants_triggers_and_foreign_keys() {
    let place = place("t_loads_replace").await;
    place.run(SHOP).await;
    place
        .run(
            "CREATE TABLE b (LIKE a INCLUDING ALL); INSERT INTO b SELECT n, 'old' FROM generate_series(500, 1500) n;
             CREATE VIEW w AS SELECT * FROM b; GRANT SELECT ON b TO PUBLIC;
             CREATE TABLE c (LIKE a INCLUDING ALL); INSERT INTO c SELECT * FROM b;
             CREATE TABLE refers (c int REFERENCES c (id)); INSERT INTO refers VALUES (600);",
        )
        .await;
    let mut pump = Pump::new(&place.connection, &place.name("a"), &place.name("b"));
    let oid = place.text("'b'::regclass::oid").await;
    let outcome = pump.run().await.unwrap();
    assert_eq!((outcome.durable.inserted, outcome.durable.deleted), (1000, 1001));
    assert_eq!(place.difference("a", "w").await, 0);
    assert_eq!(place.text("'b'::regclass::oid").await, oid);
    assert_eq!(place.text("has_table_privilege('public', 'b', 'SELECT')").await, "true");
    pump.target = place.name("c");
    let outcome = pump.run().await.unwrap();
    assert_eq!((outcome.durable.inserted, outcome.durable.updated, outcome.durable.deleted), (499, 501, 500));
    assert_eq!(place.difference("a", "c").await, 0);
    assert_eq!(place.number("SELECT count(*) FROM refers").await, 1);
    place.assert_clean().await;
}

#[tokio::test]
async fn merge_keeps_the_later_of_two_rows_with_one_key() {
    let place = place("t_loads_merge").await;
    place
        .run(
            "CREATE TABLE a (id int, v text, n int); INSERT INTO a SELECT g % 100, 'v' || g, g FROM generate_series(0, 299) g;
             CREATE TABLE d (id int, v text, n int); INSERT INTO d VALUES (5, 'old', 0), (1000, 'keep', 0)",
        )
        .await;
    place
        .run(
            "CREATE TABLE e (id int PRIMARY KEY, v text, n int) PARTITION BY HASH (id);
             CREATE TABLE e0 PARTITION OF e FOR VALUES WITH (MODULUS 1, REMAINDER 0); INSERT INTO e SELECT * FROM d",
        )
        .await;
    for (target, indexed) in [("b", false), ("c", true), ("d", false), ("e", false)] {
        if indexed {
            place.run("CREATE TABLE c (id int PRIMARY KEY, v text, n int); INSERT INTO c VALUES (5, 'old', 0), (1000, 'keep', 0)").await;
        }
        let mut pump = Pump::new(&place.connection, &place.name("a"), &place.name(target));
        (pump.write, pump.key, pump.readers) = (WriteMode::Merge, Some(vec!["id".to_owned()]), 1);
        let outcome = pump.run().await.unwrap();
        let durable = outcome.durable;
        assert_eq!(durable.superseded, 200, "{target}");
        assert_eq!((durable.inserted, durable.updated), if target == "b" { (100, 0) } else { (99, 1) }, "{target}");
        assert_eq!(place.number(&format!("SELECT count(*) FROM {target} WHERE n = id + 200")).await, 100);
        // Again: nothing new.
        let durable = pump.run().await.unwrap().durable;
        assert_eq!((durable.inserted, durable.updated, durable.superseded), (0, 100, 200), "{target}");
        // By a column that says what is later, whatever the order of arrival.
        (pump.order, pump.key) = (Some("v".to_owned()), Some(vec!["id".to_owned()]));
        place.run("CREATE OR REPLACE VIEW upside AS SELECT id, v, -n AS n FROM a").await;
        pump.stream = place.name("upside");
        pump.order = Some("n".to_owned());
        pump.run().await.unwrap();
        assert_eq!(place.number(&format!("SELECT count(*) FROM {target} WHERE n = -id")).await, 100, "{target}");
    }
    assert_eq!(place.number("SELECT count(*) FROM c WHERE v = 'keep'").await, 1);
    place.assert_clean().await;
}

#[tokio::test]
async fn sequences_go_on_after_the_loaded_values() {
    let place = place("t_loads_sequences").await;
    place.run(SHOP).await;
    for kind in ["serial", "int GENERATED ALWAYS AS IDENTITY", "int GENERATED BY DEFAULT AS IDENTITY"] {
        for write in [WriteMode::Append, WriteMode::Merge, WriteMode::Replace] {
            place
                .run(&format!(
                    "DROP TABLE IF EXISTS \"B b\"; CREATE TABLE \"B b\" (id {kind} PRIMARY KEY, v text, at timestamptz)"
                ))
                .await;
            let mut pump = Pump::new(&place.connection, &place.name("a"), "t_loads_sequences.\"B b\"");
            pump.write = write;
            pump.run().await.unwrap();
            place.run("INSERT INTO \"B b\" (v) VALUES ('next')").await;
            assert_eq!(place.text("SELECT id FROM \"B b\" WHERE v = 'next'").await, "1001", "{kind} {write:?}");
        }
    }
}

#[tokio::test]
async fn append_adds_rows_once_for_every_commit() {
    let place = place("t_loads_append").await;
    place.run(SHOP).await;
    let mut pump = Pump::new(&place.connection, &place.name("a"), &place.name("b"));
    pump.write = WriteMode::Append;
    for round in 1..=3 {
        pump.raw = round == 3;
        assert_eq!(pump.run().await.unwrap().durable.inserted, 1000);
        assert_eq!(place.number("SELECT count(*) FROM b").await, 1000 * round);
    }
}

#[tokio::test]
async fn a_load_that_lost_its_place_changes_nothing() {
    let place = place("t_loads_cas").await;
    place.run(SHOP).await;
    let mut pump = Pump::new(&place.connection, &place.name("a"), &place.name("b"));
    pump.run().await.unwrap();
    place.run("DELETE FROM b").await;
    pump.previous = Some(None);
    let error = pump.run().await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
    // Another run commits between begin and commit.
    let info = pump.info().await;
    pump.previous = None;
    let spec = pump.spec(&info).await.unwrap();
    let destination = place.connection.clone().destination().unwrap();
    for write in [WriteMode::Replace, WriteMode::Append, WriteMode::Merge] {
        let spec = levada_core::destination::LoadSpec { write, ..spec.clone() };
        let plan = destination.plan(&spec).await.unwrap();
        let mut load = destination.begin(spec.clone(), plan).await.unwrap();
        for writer in load.writers().await.unwrap() {
            writer.finish().await.unwrap();
        }
        place.run("UPDATE _levada_positions SET load_id = 'other'").await;
        let end =
            levada_core::destination::LoadEnd { state: json!({}), rows_written: 0, rejects: vec![], replayed: None };
        let error = load.commit(end).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
        load.abort().await;
        place.run(&format!("UPDATE _levada_positions SET load_id = '{}'", spec.previous.clone().unwrap())).await;
        place.assert_clean().await;
    }
    assert_eq!(place.number("SELECT count(*) FROM b").await, 0);
}

#[tokio::test]
async fn bad_rows_are_found_by_halving_and_named() {
    let place = place("t_loads_quarantine").await;
    place
        .run(
            "CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a SELECT n, n::text FROM generate_series(1, 3000) n;
             UPDATE a SET v = NULL WHERE id IN (7, 2999); UPDATE a SET v = 'too long by far' WHERE id = 1500;
             CREATE TYPE small AS ENUM ('x'); CREATE DOMAIN strict AS text CHECK (VALUE <> '1234');
             CREATE TABLE b (id int PRIMARY KEY, v strict NOT NULL CHECK (length(v) < 10));",
        )
        .await;
    for (target, write) in [("b", WriteMode::Append), ("c", WriteMode::Append), ("b", WriteMode::Merge)] {
        if target == "c" {
            continue;
        }
        let mut pump = Pump::new(&place.connection, &place.name("a"), &place.name(target));
        (pump.write, pump.quarantine, pump.batch_bytes) = (write, true, 10_000);
        pump.policy = levada_core::schema::OnSchemaChange::Freeze;
        if write == WriteMode::Merge {
            place.run("DELETE FROM b").await;
        }
        let outcome = pump.run().await.unwrap_or_else(|error| panic!("{target} {write:?}: {error}"));
        let rejects = outcome.accepted.rejects;
        let bad = 4;
        assert_eq!((rejects.len(), outcome.accepted.rows), (bad, 3000 - bad as u64), "{rejects:?}");
        let null = rejects.iter().find(|reject| reject.row.contains("\"7\"")).unwrap();
        assert_eq!(null.column.as_deref(), Some("v"), "{null:?}");
        assert!(null.reason.contains("null value"), "{null:?}");
        pump.quarantine = false;
        let error = pump.run().await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Data, "{error}");
        place.assert_clean().await;
    }
}

#[tokio::test]
async fn stages_of_dead_loads_are_dropped_and_live_ones_are_left_alone() {
    let place = place("t_loads_stale").await;
    place.run(SHOP).await;
    let pump = Pump::new(&place.connection, &place.name("a"), &place.name("b"));
    let info = pump.info().await;
    let destination = place.connection.clone().destination().unwrap();
    let spec = pump.spec(&info).await.unwrap();
    let plan = destination.plan(&spec).await.unwrap();
    let mut load = destination.begin(spec, plan).await.unwrap();
    let writers = load.writers().await.unwrap();
    drop(writers);
    // Forgotten, not aborted: what a killed process leaves.
    drop(load);
    assert_eq!(place.number("SELECT count(*) FROM pg_class WHERE relname LIKE '\\_levada\\_stage%' AND relnamespace = current_schema()::regnamespace").await, 1);
    pump.run().await.unwrap();
    place.assert_clean().await;
    assert_eq!(place.difference("a", "b").await, 0);
}

#[tokio::test]
async fn columns_are_added_widened_and_made_nullable() {
    let place = place("t_loads_evolve").await;
    place
        .run(
            "CREATE TABLE a (id int8 PRIMARY KEY, n numeric(12,4), v varchar(30), t timestamp, extra text[], plain int);
             INSERT INTO a VALUES (5000000000, 12345678.1234, 'a long text of 20 c.', '2020-01-01 00:00:00.5', array['x'], 1), (2, NULL, NULL, NULL, NULL, NULL);
             CREATE TABLE b (id int4 PRIMARY KEY, n numeric(8,2) NOT NULL, v varchar(5), t timestamp(0), gone int NOT NULL,
               kept int NOT NULL DEFAULT 7, made int GENERATED ALWAYS AS (kept + 1) STORED, nr int GENERATED ALWAYS AS IDENTITY);
             INSERT INTO b VALUES (1, 1.5, 'x', '2020-01-01', 1)",
        )
        .await;
    for (write, target) in [(WriteMode::Append, "b"), (WriteMode::Merge, "b"), (WriteMode::Replace, "b")] {
        let mut pump = Pump::new(&place.connection, &place.name("a"), &place.name(target));
        pump.write = write;
        let outcome = pump.run().await.unwrap_or_else(|error| panic!("{write:?}: {error}"));
        if write == WriteMode::Append {
            assert_eq!(outcome.plan.ddl.len(), 8, "{:#?}", outcome.plan.ddl);
        } else {
            assert_eq!(outcome.plan.ddl.len(), 0, "{:#?}", outcome.plan.ddl);
        }
        let same = "SELECT count(*) FROM a JOIN b USING (id) WHERE (a.n, a.v, a.t, a.extra, a.plain) IS NOT DISTINCT FROM (b.n, b.v, b.t, b.extra, b.plain) AND kept = 7 AND made = 8";
        assert_eq!(place.number(same).await, 2, "{write:?}");
    }
    let mut pump = Pump::new(&place.connection, &place.name("a"), &place.name("f"));
    place.run("CREATE TABLE f (id int8)").await;
    pump.policy = levada_core::schema::OnSchemaChange::Freeze;
    let error = pump.run().await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Schema, "{error}");
    assert!(error.to_string().contains("`n`"), "{error}");
}

#[tokio::test]
async fn a_native_type_that_is_no_type_never_reaches_the_server() {
    let place = place("t_loads_inject").await;
    place.run("CREATE TABLE a (id int, v text); INSERT INTO a VALUES (1, 'x'); CREATE TABLE victim ()").await;
    let pump = Pump::new(&place.connection, &place.name("a"), &place.name("b"));
    let info = pump.info().await;
    for (n, native) in
        ["text); DROP TABLE victim; --", "numeric(1;drop table victim)", "nothing.here", "int4 default 5", "a\"b"]
            .iter()
            .enumerate()
    {
        let mut spec = pump.spec(&info).await.unwrap();
        spec.target = place.name(&format!("t{n}"));
        let field = levada_core::schema::field(
            "v",
            arrow_schema::DataType::Utf8,
            true,
            &format!("postgres:{native}"),
            Some(levada_core::schema::Logical::Foreign),
        );
        spec.incoming = std::sync::Arc::new(arrow_schema::Schema::new(vec![info.schema.field(0).clone(), field]));
        pump.run_with(info.clone(), spec, json!({})).await.unwrap();
        assert_eq!(place.number(&format!("SELECT count(*) FROM t{n} WHERE v = 'x'")).await, 1, "{native}");
        pump.to.clone().destination().unwrap().forget(&pump.key_of()).await.unwrap();
    }
    assert_eq!(place.number("SELECT count(*) FROM victim").await, 0);
}

#[tokio::test]
async fn a_connection_that_breaks_fails_the_load_and_leaves_nothing() {
    let place = place("t_loads_lost").await;
    place.run(SHOP).await;
    place.run("CREATE TABLE b (LIKE a INCLUDING ALL); INSERT INTO b VALUES (-1, 'kept')").await;
    for write in [WriteMode::Replace, WriteMode::Append, WriteMode::Merge] {
        let mut pump = Pump::new(&place.connection, &place.name("a"), &place.name("b"));
        (pump.write, pump.readers) = (write, 1);
        let info = pump.info().await;
        let spec = pump.spec(&info).await.unwrap();
        let destination = place.connection.clone().destination().unwrap();
        let plan = destination.plan(&spec).await.unwrap();
        let mut load = destination.begin(spec, plan).await.unwrap();
        let mut writers = load.writers().await.unwrap();
        let columns = info.schema.clone();
        let request = levada_core::source::ReadRequest {
            stream: info,
            columns,
            mode: levada_core::source::ReadMode::Full,
            raw: None,
            only: Vec::new(),
            limit: None,
            readers: 1,
            batch_bytes: 1000,
        };
        let extract = place.connection.clone().source().unwrap().read(request).await.unwrap();
        let batch = extract.readers.into_iter().next().unwrap().next().await.unwrap().unwrap();
        writers[0].write(batch).await.unwrap();
        let killed = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
            WHERE application_name = 'levada' AND query LIKE 'COPY \"t_loads_lost\"%FROM STDIN%'";
        while place.number(killed).await == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let error = writers.remove(0).finish().await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
        drop(writers);
        load.abort().await;
        place.assert_clean().await;
        assert_eq!(place.text("SELECT string_agg(v, ',') FROM b").await, "kept", "{write:?}");
    }
}
