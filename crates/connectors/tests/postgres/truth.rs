//! What the server would round, cut or hide without a word is refused instead.

use levada_core::destination::WriteMode;
use levada_core::error::ErrorKind;
use levada_core::schema::OnSchemaChange;

use super::pump::Pump;
use super::{Place, connect_with, place};

/// Loads texts into a column of a type; returns what the column then holds, and the rows refused.
async fn loaded(place: &Place, from: &str, to: &str, values: &[&str]) -> (Vec<String>, usize) {
    let list: Vec<String> = values.iter().enumerate().map(|(n, v)| format!("({n}, {v}::{from})")).collect();
    place
        .run(&format!(
            "DROP TABLE IF EXISTS a, b; CREATE TABLE a (id int, v {from}); INSERT INTO a VALUES {};
             CREATE TABLE b (id int, v {to})",
            list.join(", ")
        ))
        .await;
    let mut pump = Pump::new(&place.connection, &place.name("a"), &place.name("b"));
    (pump.write, pump.quarantine) = (WriteMode::Append, true);
    let outcome = pump.run().await.unwrap_or_else(|error| panic!("{from} into {to}: {error}"));
    place.assert_clean().await;
    let rows = place.client.query("SELECT v::text FROM b ORDER BY id", &[]).await.unwrap();
    (rows.iter().map(|row| row.get(0)).collect(), outcome.rejects.len() + outcome.accepted.rejects.len())
}

#[tokio::test]
async fn nothing_is_rounded_or_cut_in_silence() {
    let place = place("t_truth_exact").await;
    for (from, to, given, kept, refused) in [
        // The column becomes as fine as the values need.
        ("text", "time(0)", &["'10:00:00.6'"][..], &["10:00:00.6"][..], 0),
        ("text", "timestamp(0)", &["'2024-01-01 10:00:00.6'"], &["2024-01-01 10:00:00.6"], 0),
        ("interval", "interval(0)", &["'1.6 s'"], &["00:00:01.6"], 0),
        ("interval", "interval day to second(0)", &["'1.6 s'"], &["00:00:01.6"], 0),
        ("text", "time(0) with time zone", &["'10:00:00.6+01'"], &["10:00:00.6+01"], 0),
        ("numeric(10,4)[]", "numeric(10,2)[]", &["'{1.2345}'"], &["{1.2345}"], 0),
        ("text", "timestamp(0)[]", &["'{2024-01-01 10:00:00.6}'"], &["{\"2024-01-01 10:00:00.6\"}"], 0),
        ("json", "varchar(3)", &["'[] '", "'[]  '"], &["[] ", "[]  "], 0),
        // Each row by itself.
        ("numeric", "numeric(2,-3)", &["12000", "12300"], &["12000", "12300"], 0),
        ("text", "numeric(2,-3)", &["'12000'", "'12300'"], &["12000"], 1),
        ("float8", "numeric(2,-3)", &["12000", "12300"], &["12000"], 1),
        ("text", "numeric(80,2)", &["'1.50'", "'1.555'"], &["1.50"], 1),
        ("text", "money", &["'1.5'", "'1.555'"], &["$1.50"], 1),
        ("numeric(10,3)", "money", &["1.5", "1.555"], &["$1.50"], 1),
        ("text", "interval", &["'1.123456 s'", "'1.1234567 s'"], &["00:00:01.123456"], 1),
        ("text", "\"char\"", &["'a'", "'ab'"], &["a"], 1),
    ] {
        let (found, rejects) = loaded(&place, from, to, given).await;
        let found: Vec<String> = found.iter().map(|v| if to == "money" { dollars(v) } else { v.clone() }).collect();
        assert_eq!((found, rejects), (kept.iter().map(|v| (*v).to_owned()).collect(), refused), "{from} into {to}");
    }
}

/// The sign of money depends on the server's locale.
fn dollars(money: &str) -> String {
    format!("${}", money.trim_start_matches('$'))
}

#[tokio::test]
async fn names_are_not_cut_by_either_format_of_copy() {
    let place = place("t_truth_names").await;
    let (short, long) = (format!("'{}'", "x".repeat(63)), format!("'{}'", "x".repeat(64)));
    assert_eq!(loaded(&place, "text", "name", &[&short, &long]).await, (vec!["x".repeat(63)], 1));
    // A column of bits makes it the text format.
    place.run("ALTER TABLE a ADD COLUMN bits bit(1); ALTER TABLE b ADD COLUMN bits bit(1); TRUNCATE b").await;
    let mut pump = Pump::new(&place.connection, &place.name("a"), &place.name("b"));
    (pump.write, pump.quarantine) = (WriteMode::Append, true);
    assert_eq!(pump.run().await.unwrap().accepted.rejects.len(), 1);
    pump.quarantine = false;
    assert_eq!(pump.run().await.unwrap_err().kind(), ErrorKind::Data);
    assert_eq!(place.number("SELECT count(*) FROM b").await, 1);
}

#[tokio::test]
async fn columns_that_would_round_are_refused_where_the_target_may_not_change() {
    let place = place("t_truth_frozen").await;
    for (from, to) in [
        ("text", "time(0)"),
        ("interval", "interval(0)"),
        ("numeric(10,4)[]", "numeric(10,2)[]"),
        ("float8[]", "real[]"),
        ("text", "name[]"),
    ] {
        place.run(&format!("DROP TABLE IF EXISTS a, b; CREATE TABLE a (v {from}); CREATE TABLE b (v {to})")).await;
        let mut pump = Pump::new(&place.connection, &place.name("a"), &place.name("b"));
        pump.policy = OnSchemaChange::Freeze;
        let error = pump.run().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Schema, "{from} into {to}: {error}");
    }
}

#[tokio::test]
async fn rows_hidden_by_a_policy_make_a_read_and_a_replace_fail() {
    let place = place("t_truth_rls").await;
    place
        .run(
            "DO $$ BEGIN CREATE ROLE levada_truth_rls LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
             GRANT ALL ON SCHEMA t_truth_rls TO levada_truth_rls;
             CREATE TABLE a (id int); INSERT INTO a VALUES (1), (2); CREATE TABLE b (LIKE a); INSERT INTO b VALUES (7), (8);
             ALTER TABLE b ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON b USING (id = 7) WITH CHECK (true);
             GRANT ALL ON a, b TO levada_truth_rls",
        )
        .await;
    let limited = connect_with(&[("schema", "t_truth_rls"), ("user", "levada_truth_rls")]);
    let hidden = Pump::new(&limited, &place.name("b"), &place.name("c"));
    let error = hidden.run().await.unwrap_err();
    assert!(error.kind() == ErrorKind::Permission && error.to_string().contains("row-level security"), "{error}");
    for write in [WriteMode::Replace, WriteMode::Merge] {
        let mut pump = Pump::new(&limited, &place.name("a"), &place.name("b"));
        (pump.write, pump.key) = (write, Some(vec!["id".to_owned()]));
        let error = pump.run().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Permission, "{error}");
    }
    assert_eq!(place.number("SELECT sum(id) FROM b").await, 15);
    // Who sees every row is not kept from them.
    Pump::new(&place.connection, &place.name("b"), &place.name("d")).run().await.unwrap();
    assert_eq!(place.number("SELECT count(*) FROM d").await, 2);
}
