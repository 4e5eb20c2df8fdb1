//! Rows that an existing target refuses: each becomes a reject with its reason, and all others go in.

use levada_core::destination::WriteMode;
use levada_core::error::ErrorKind;
use levada_core::schema::OnSchemaChange;
use serde_json::json;

use super::pump::Pump;
use super::{Place, place};

/// Rows `id` of the quarantine, in order.
async fn quarantined(place: &Place) -> String {
    place
        .text("SELECT string_agg(row_json::json ->> 'id', ' ' ORDER BY (row_json::json ->> 'id')::int) FROM _levada_rejects")
        .await
}

#[tokio::test]
async fn rows_that_break_a_constraint_of_the_target_are_rejects_whatever_the_mode() {
    let place = place("t_refused").await;
    place
        .run(
            "CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent SELECT generate_series(1, 5000);
             CREATE TABLE a (id int PRIMARY KEY, email text, p int, v int, span int4range, at timestamptz);
             INSERT INTO a SELECT n, 'e' || n, n, n, int4range(n, n + 1), '2026-01-01' FROM generate_series(1, 5000) n;
             UPDATE a SET p = 9999 WHERE id = 77; UPDATE a SET v = -1 WHERE id = 2500;
             UPDATE a SET span = '[10,12)' WHERE id = 3000; UPDATE a SET email = 'e1' WHERE id = 4000;
             CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS
               'BEGIN IF NEW.id = 1234 THEN RAISE EXCEPTION ''not this one''; END IF; RETURN NEW; END';",
        )
        .await;
    for (write, late, referenced) in [
        (WriteMode::Append, false, false),
        (WriteMode::Append, true, false),
        (WriteMode::Replace, false, false),
        (WriteMode::Replace, true, true),
        (WriteMode::Merge, false, false),
        (WriteMode::Merge, true, false),
    ] {
        let deferred = if late { "DEFERRABLE INITIALLY DEFERRED" } else { "" };
        place
            .run(&format!(
                "DROP TABLE IF EXISTS refers, b, _levada_positions, _levada_rejects;
                 CREATE TABLE b (id int PRIMARY KEY, email text UNIQUE {deferred}, p int REFERENCES parent {deferred},
                   v int CHECK (v > 0), span int4range, at timestamptz, EXCLUDE USING gist (span WITH &&) {deferred});
                 CREATE TRIGGER no BEFORE INSERT ON b FOR EACH ROW EXECUTE FUNCTION no();"
            ))
            .await;
        if referenced {
            place.run("INSERT INTO b (id) VALUES (5), (9000); CREATE TABLE refers (b int REFERENCES b)").await;
        }
        let mut pump = Pump::new(&place.connection, &place.name("a"), &place.name("b"));
        (pump.write, pump.quarantine, pump.readers, pump.writers) = (write, true, 1, 1);
        pump.key = Some(vec!["id".to_owned()]);
        let what = format!("{write:?} {late} {referenced}");
        let outcome = pump.run().await.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(quarantined(&place).await, "77 1234 2500 3000 4000", "{what}");
        assert_eq!(place.number("SELECT count(*) FROM b").await, 4995, "{what}");
        assert_eq!((outcome.durable.inserted + outcome.durable.updated, outcome.read), (4995, 5000), "{what}");
        let counts = "SELECT rows_written || ' ' || rows_rejected FROM _levada_positions";
        assert_eq!(place.text(counts).await, "4995 5", "{what}");
        let reason = place.text("SELECT reason FROM _levada_rejects WHERE reason LIKE '%foreign key%'").await;
        assert!(reason.contains("(p)=(9999)"), "{what}: {reason}");
        let row = "SELECT row_json FROM _levada_rejects WHERE row_json::json ->> 'id' = '77'";
        let wanted = r#"{"at":"2026-01-01T00:00:00Z","email":"e77","id":"77","p":"9999","span":"[77,78)","v":"77"}"#;
        let found: serde_json::Value = serde_json::from_str(&place.text(row).await).unwrap();
        assert_eq!(found, serde_json::from_str::<serde_json::Value>(wanted).unwrap(), "{what}");
        place.assert_clean().await;
        // Without a quarantine the first of them fails the load.
        pump.quarantine = false;
        place.run("DELETE FROM b").await;
        assert_eq!(pump.run().await.err().unwrap().kind(), ErrorKind::Data, "{what}");
        assert_eq!(place.number("SELECT count(*) FROM b").await, 0, "{what}");
        place.assert_clean().await;
    }
}

#[tokio::test]
async fn a_refused_update_leaves_the_row_as_it_was() {
    let place = place("t_refused_update").await;
    place
        .run(
            "CREATE TABLE a (id int PRIMARY KEY, email text); INSERT INTO a VALUES (1, 'x'), (2, 'new'), (2000, 'later');
             CREATE TABLE b (id int PRIMARY KEY, email text UNIQUE);
             INSERT INTO b VALUES (1, 'before'), (2, 'before 2'), (3, 'x')",
        )
        .await;
    let mut pump = Pump::new(&place.connection, &place.name("a"), &place.name("b"));
    (pump.write, pump.quarantine) = (WriteMode::Merge, true);
    let durable = pump.run().await.unwrap().durable;
    assert_eq!((durable.inserted, durable.updated, durable.rejected), (1, 1, 1));
    assert_eq!(quarantined(&place).await, "1");
    let found = "SELECT string_agg(id || ' ' || email, ', ' ORDER BY id) FROM b";
    assert_eq!(place.text(found).await, "1 before, 2 new, 3 x, 2000 later");
}

#[tokio::test]
async fn rows_that_refer_to_later_rows_of_the_load_are_not_refused() {
    let place = place("t_refused_tree").await;
    place
        .run(
            "CREATE TABLE a (id int PRIMARY KEY, up int);
             INSERT INTO a SELECT n, CASE WHEN n % 2 = 1 THEN n + 1 END FROM generate_series(1, 600) n;
             UPDATE a SET up = 9999 WHERE id = 151;",
        )
        .await;
    for deferred in ["", "DEFERRABLE INITIALLY DEFERRED"] {
        for write in [WriteMode::Append, WriteMode::Replace, WriteMode::Merge] {
            place
                .run(&format!(
                    "DROP TABLE IF EXISTS b, _levada_positions, _levada_rejects;
                     CREATE TABLE b (id int PRIMARY KEY, up int REFERENCES b {deferred})"
                ))
                .await;
            let mut pump = Pump::new(&place.connection, &place.name("a"), &place.name("b"));
            (pump.write, pump.quarantine, pump.batch_bytes) = (write, true, 1000);
            pump.run().await.unwrap_or_else(|error| panic!("{write:?} {deferred}: {error}"));
            assert_eq!(quarantined(&place).await, "151", "{write:?} {deferred}");
            assert_eq!(place.number("SELECT count(*) FROM b").await, 599);
        }
    }
}

#[tokio::test]
async fn what_is_no_amount_is_refused_by_money() {
    let place = place("t_refused_money").await;
    place
        .run(
            "CREATE TABLE a (id int PRIMARY KEY, m numeric); CREATE TABLE b (id int PRIMARY KEY, m money);
             INSERT INTO a VALUES (1, 1.5), (2, 'NaN'), (3, NULL), (4, -2), (5, 1.234)",
        )
        .await;
    let mut pump = Pump::new(&place.connection, &place.name("a"), &place.name("b"));
    (pump.quarantine, pump.write) = (true, WriteMode::Merge);
    pump.run().await.unwrap();
    assert_eq!(quarantined(&place).await, "2 5");
    assert_eq!(
        place.text("SELECT string_agg(id || ' ' || m::numeric, ', ' ORDER BY id) FROM b").await,
        "1 1.50, 4 -2.00"
    );
    pump.quarantine = false;
    let error = pump.run().await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Data, "{error}");
}

#[tokio::test]
async fn a_new_label_of_an_enum_is_added_and_one_that_comes_mid_sync_is_a_reject() {
    let place = place("t_refused_enum").await;
    place
        .run(
            "DROP SCHEMA IF EXISTS t_refused_enum_b CASCADE; CREATE SCHEMA t_refused_enum_b;
             CREATE TYPE mood AS ENUM ('first', 'sad', 'between', 'ok', 'it''s \\ last');
             CREATE TABLE a (id int PRIMARY KEY, m mood);
             INSERT INTO a SELECT n, l FROM unnest(enum_range(NULL::mood)) WITH ORDINALITY u(l, n);
             CREATE TYPE t_refused_enum_b.mood AS ENUM ('sad', 'ok');
             CREATE TABLE b (id int PRIMARY KEY, m t_refused_enum_b.mood)",
        )
        .await;
    let mut pump = Pump::new(&place.connection, &place.name("a"), &place.name("b"));
    (pump.quarantine, pump.policy) = (true, OnSchemaChange::Freeze);
    pump.run().await.unwrap();
    assert_eq!(quarantined(&place).await, "1 3 5", "labels are added only where the schema may evolve");
    pump.policy = OnSchemaChange::Evolve;
    let outcome = pump.run().await.unwrap();
    assert_eq!(outcome.plan.ddl.len(), 3, "{:#?}", outcome.plan.ddl);
    assert_eq!(outcome.rejects.len() + outcome.accepted.rejects.len(), 0);
    assert_eq!(
        place.text("enum_range(NULL::t_refused_enum_b.mood)::text = enum_range(NULL::mood)::text").await,
        "true"
    );
    assert_eq!(place.number("SELECT count(*) FROM a JOIN b USING (id) WHERE a.m::text = b.m::text").await, 5);
    // The label comes up after the load was planned.
    let info = pump.info().await;
    let spec = pump.spec(&info).await.unwrap();
    place.run("ALTER TYPE mood ADD VALUE 'sudden'").await;
    place.run("DELETE FROM _levada_rejects; INSERT INTO a VALUES (6, 'sudden')").await;
    pump.run_with(info, spec, json!({})).await.unwrap();
    assert_eq!(quarantined(&place).await, "6");
    assert!(place.text("SELECT reason FROM _levada_rejects").await.contains("sudden"));
    pump.run().await.unwrap();
    assert_eq!(place.text("SELECT m FROM b WHERE id = 6").await, "sudden");
}
