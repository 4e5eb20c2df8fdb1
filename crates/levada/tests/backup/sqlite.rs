//! SQLite there and back: values as they are stored, whatever their columns are declared as.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{Kept, done, failed};
use crate::support::Database;

const NASTY: &str = r#"
    CREATE TABLE kinds(i INTEGER, r REAL, t TEXT, b BLOB, d DATE, n NUMERIC, dc DECIMAL(10,2), bo BOOLEAN, none, "we ird" DATETIME,
      g INTEGER GENERATED ALWAYS AS (i + 1) STORED);
    INSERT INTO kinds VALUES (1, 0.1, 'text', x'00ff', '2026-01-01', 5, 1.25, 1, 7, 1767225600);
    INSERT INTO kinds VALUES ('abc', 'no number', x'01', 'a text', 20454, 0.5, 'x', 'true', '7', '2026-1-1 5:00');
    INSERT INTO kinds VALUES (9223372036854775807, 9e999, '007', x'', 'soon', 'NaN', 12345678901234567890, 2, 7.0, x'aa');
    INSERT INTO kinds VALUES (1.5, -9e999, 'i:5', '', '', '', 3, 0, x'37', 1.5);
    INSERT INTO kinds(t) VALUES (CAST(x'61ff' AS TEXT)), ('a' || char(0) || 'b'), ('😀'), (NULL);
    CREATE TABLE texts(t TEXT); INSERT INTO texts VALUES ('plain'), (CAST(x'ff' AS TEXT));
    CREATE TABLE counted(id INTEGER PRIMARY KEY AUTOINCREMENT, parent INT REFERENCES counted(id) DEFERRABLE INITIALLY DEFERRED);
    INSERT INTO counted(parent) VALUES (2), (1), (3); DELETE FROM counted WHERE id = 3;
    CREATE TABLE "Odd ""Table*"(a TEXT COLLATE NOCASE, b INT CHECK (b > 0), PRIMARY KEY (a, b)) WITHOUT ROWID, STRICT;
    INSERT INTO "Odd ""Table*" VALUES ('x', 1), ('Y', 2);
    CREATE UNIQUE INDEX "part ial" ON "Odd ""Table*" (lower(a) DESC) WHERE b > 1;
    CREATE TABLE empty(a, b DEFAULT 'x');
    CREATE VIEW seen AS SELECT 1;"#;

const TABLES: [&str; 5] = ["kinds", "texts", "counted", "\"Odd \"\"Table*\"", "empty"];

/// Every value with its storage class and its bytes.
fn rows(database: &Database) -> String {
    let columns = |table: &str| {
        let name = table.trim_matches('"').replace("\"\"", "\"");
        database.sql(&format!("SELECT name FROM pragma_table_xinfo('{name}') ORDER BY cid"))
    };
    let of = |table: &str| {
        let quoted = |column: &str| format!("\"{}\"", column.replace('"', "\"\""));
        let values: Vec<String> = columns(table)
            .lines()
            .map(|column| {
                format!("typeof({0}) || ':' || hex({0}) || ':' || ifnull(printf('%!.17g', {0}), '')", quoted(column))
            })
            .collect();
        database.sql(&format!("SELECT {} FROM {table} ORDER BY 1", values.join(", ")))
    };
    TABLES.iter().map(|table| format!("{table}\n{}\n", of(table))).collect()
}

fn definitions(database: &Database) -> String {
    database.sql(
        "SELECT type, name, sql FROM sqlite_schema WHERE type IN ('table', 'index') AND name NOT LIKE '\\_levada%' ESCAPE '\\'
         AND name NOT LIKE 'sqlite_autoindex__levada%' ORDER BY 1, 2; SELECT * FROM sqlite_sequence",
    )
}

#[test]
fn definitions_and_values_come_back_as_they_were() {
    let (source, target) = (Database::sqlite(), Database::sqlite());
    source.sql(NASTY);
    let kept = Kept::new();
    kept.take(&source);
    kept.restore(&target, &[]);
    assert_eq!(definitions(&target), definitions(&source));
    assert_eq!(rows(&target), rows(&source));
    target.sql(
        "DELETE FROM kinds WHERE rowid % 2 = 0; UPDATE counted SET parent = NULL; UPDATE sqlite_sequence SET seq = 50",
    );
    kept.restore(&target, &["--replace"]);
    assert_eq!(rows(&target), rows(&source));
    assert_eq!(target.sql("SELECT seq FROM sqlite_sequence WHERE name = 'counted'"), "50");
}

#[test]
fn all_tables_are_of_one_moment_while_others_write() {
    let (source, target) = (Database::sqlite(), Database::sqlite());
    let series = "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 60000) SELECT n FROM s)";
    source.sql(&format!(
        "PRAGMA journal_mode = WAL; CREATE TABLE a(id INTEGER PRIMARY KEY, amount INT); CREATE TABLE b(id INTEGER PRIMARY KEY, amount INT);
         INSERT INTO a SELECT n, 1000 FROM {series}; INSERT INTO b SELECT n, 1000 FROM {series};"
    ));
    let stop = AtomicBool::new(false);
    let kept = Kept::new();
    let moved = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut moved = 0;
            while !stop.load(Ordering::Relaxed) {
                let (from, to) = (moved % 60_000 + 1, 60_000 - moved % 60_000);
                source.sql(&format!(
                    "BEGIN IMMEDIATE; UPDATE a SET amount = amount - 7 WHERE id = {from};
                     UPDATE b SET amount = amount + 7 WHERE id = {to}; COMMIT"
                ));
                moved += 1;
            }
            moved
        });
        for _ in 0..5 {
            done(kept.taking(&source, &[]));
            kept.restore(&target, &["--replace"]);
            assert_eq!(target.sql("SELECT (SELECT sum(amount) FROM a) + (SELECT sum(amount) FROM b)"), "120000000");
        }
        stop.store(true, Ordering::Relaxed);
        writer.join().unwrap()
    });
    assert!(moved > 5, "only {moved} transactions ran meanwhile");
}

#[test]
fn which_of_several_databases_is_meant_has_to_be_said() {
    let (shop, bank, target) = (Database::sqlite(), Database::sqlite(), Database::sqlite());
    let kept = Kept::new();
    let mut names = Vec::new();
    for (number, database) in [&shop, &bank].into_iter().enumerate() {
        database.sql(&format!("CREATE TABLE a(n int); INSERT INTO a VALUES ({number})"));
        kept.take(database);
        names.push(kept.take(database));
    }
    let refused = failed(kept.restoring(&target, &[]), 3);
    assert!(names.iter().all(|name| refused.contains(name.as_str())), "{refused}");
    assert_eq!(target.sql("SELECT count(*) FROM sqlite_master"), "0");
    kept.restore(&target, &["--backup", &names[0]]);
    assert_eq!(target.sql("SELECT n FROM a"), "0");
}

#[test]
fn a_place_without_backups_is_not_verified() {
    let output = Kept::new().verify(&[]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("there are no backups"), "{told}");
}
