//! PostgreSQL there and back: definitions as `pg_dump` tells them, values as the server writes them.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Kept, bend, done, failed, json, levada};
use crate::support::{Database, psql};

/// Definitions of every kind that a backup keeps, and values that break tools.
const NASTY: &str = r#"
    CREATE SCHEMA "Odd.Schema";
    CREATE EXTENSION citext;
    CREATE TYPE mood AS ENUM ('sad', 'it''s ok', '😀');
    CREATE DOMAIN email AS citext NOT NULL DEFAULT 'a@b' CONSTRAINT has_at CHECK (VALUE ~ '@');
    CREATE TYPE pair AS (n int, t text);
    CREATE SEQUENCE shared START 100 INCREMENT 5;
    CREATE TABLE kinds(
      id bigint GENERATED ALWAYS AS IDENTITY (START 7) PRIMARY KEY, i2 smallint, f4 real, f8 double precision,
      n numeric(10,2), n2 numeric(3,5), big numeric, t text COLLATE "C", v varchar(10) DEFAULT 'x''y', c char(5), b bytea,
      d date, ts timestamp, ts0 timestamp(0), tz timestamptz DEFAULT now(), ti time, tiz timetz, iv interval,
      iv3 interval day to second(3), u uuid, j json, jb jsonb, a int[], ta text[], m mood DEFAULT 'sad', ma mood[], e email, p pair,
      bi bit(8), vb varbit(5), r int4range, ip inet, mac macaddr, x xml, mo money,
      doubled int GENERATED ALWAYS AS (i2 * 2) STORED, CONSTRAINT small CHECK (i2 < 32767) );
    INSERT INTO kinds(i2, f4, f8, n, n2, big, t, v, c, b, d, ts, ts0, tz, ti, tiz, iv, iv3, u, j, jb, a, ta, m, ma, e, p, bi, vb, r,
      ip, mac, x, mo) VALUES
      (-32768, 'NaN', '-Infinity', 'NaN', 0.00999, 'NaN', E'a\tb\nc\\d', 'ab  ', 'ab', '\x00ff0a5c', '0044-03-15 BC', 'infinity',
       '2020-01-01 00:00:01', '-infinity', '24:00', '12:00:00.5+05:30', '-1 year -2 days +3 hours -0.000001 sec', '1 day 1.234 sec',
       'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '{"a": 1, "a":2}', '{"b": [1.00, null], "a": 1e400}', '[0:1]={1,2}',
       array['a,b', 'c"d', NULL, 'NULL', ''], '😀', array['sad'::mood, NULL], 'A@b', row(1, 'a,"b')::pair, '00000001', '101', '[1,5)',
       '10.0.0.1/8', '08:00:2b:01:02:03', '<a b="c">d</a>', 12.34),
      (5, '-0', '5e-324', -0.01, -0.00001, 1e1000, '', '', '', '', 'infinity', '294276-12-31 23:59:59.999999', '9999-12-31', now(),
       '00:00', '00:00+00', '1000000 years', '0', NULL, 'null', '"x"', '{}', '{}', 'sad', '{}', 'c@d', row(NULL, '')::pair, '11111111',
       '', 'empty', '::1', NULL, NULL, -92233720368547758.08);
    INSERT INTO kinds(i2, t) SELECT NULL, NULL FROM generate_series(1, 3);
    INSERT INTO kinds(t, b) VALUES (repeat('x', 300000), decode(repeat('ab', 300000), 'hex'));
    CREATE TABLE "Odd.Schema"."Tab""le *"(
      "Key 1" int DEFAULT nextval('shared'), "key-2" text, "ü" int, PRIMARY KEY ("Key 1", "key-2"), UNIQUE ("ü") DEFERRABLE,
      EXCLUDE USING btree ("ü" WITH =));
    INSERT INTO "Odd.Schema"."Tab""le *"("key-2", "ü") SELECT 'k' || n, n FROM generate_series(1, 50) n;
    CREATE INDEX "partial Index" ON "Odd.Schema"."Tab""le *" (lower("key-2") text_pattern_ops DESC) INCLUDE ("ü") WHERE "ü" > 3;
    CREATE TABLE husband(id serial PRIMARY KEY, wife int, boss int REFERENCES husband ON DELETE SET NULL);
    CREATE TABLE wife(id serial PRIMARY KEY, husband int REFERENCES husband DEFERRABLE INITIALLY DEFERRED);
    ALTER TABLE husband ADD CONSTRAINT "to Wife" FOREIGN KEY (wife) REFERENCES wife ON UPDATE CASCADE;
    INSERT INTO husband(wife, boss) SELECT NULL, NULL FROM generate_series(1, 10);
    INSERT INTO wife(husband) SELECT n FROM generate_series(1, 10) n;
    UPDATE husband SET wife = 11 - id, boss = nullif(id - 1, 0);
    SELECT setval('wife_id_seq', 4711);
    CREATE TABLE parted(at date NOT NULL, n int, PRIMARY KEY (at, n)) PARTITION BY RANGE (at);
    CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (MINVALUE) TO ('2026-01-01');
    CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM ('2026-01-01') TO ('2027-01-01') PARTITION BY HASH (n);
    CREATE TABLE parted_2a PARTITION OF parted_2 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE parted_2b PARTITION OF parted_2 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    CREATE TABLE parted_rest PARTITION OF parted DEFAULT;
    CREATE INDEX ON parted (n); CREATE INDEX own_of_one ON parted_1 (at DESC);
    INSERT INTO parted SELECT date '2025-06-01' + n * 10, n FROM generate_series(1, 100) n;
    CREATE UNLOGGED TABLE quick(n int) WITH (fillfactor = 70);
    CREATE TABLE nothing(); INSERT INTO nothing DEFAULT VALUES; INSERT INTO nothing DEFAULT VALUES;
    CREATE TABLE empty(a int, b text NOT NULL DEFAULT '');"#;

const TABLES: [&str; 8] =
    ["kinds", r#""Odd.Schema"."Tab""le *""#, "husband", "wife", "parted", "quick", "nothing", "empty"];

/// Every row of the tables as text, ordered.
fn rows(database: &Database) -> String {
    let of = |table: &str| psql(database, &format!("SELECT t::text FROM {table} t ORDER BY 1"));
    TABLES.iter().map(|table| format!("{table}\n{}\n", of(table))).collect()
}

/// Every definition, as another program tells them.
fn definitions(database: &Database) -> String {
    let mut url = url::Url::parse(&database.url()).unwrap();
    url.set_query(None);
    let dumped = done({
        let mut command = Command::new("pg_dump");
        // the restore keeps its own state in a table
        command.args(["--schema-only", "--no-owner", "--exclude-table=_levada_*", url.as_str()]);
        command
    });
    let text = String::from_utf8(dumped.stdout).unwrap();
    let own = |line: &&str| !line.starts_with("--") && !line.starts_with('\\') && !line.is_empty();
    text.lines().filter(own).collect::<Vec<_>>().join("\n")
}

fn sequences(database: &Database) -> String {
    psql(database, "SELECT schemaname, sequencename, last_value FROM pg_sequences ORDER BY 1, 2")
}

#[test]
fn definitions_and_values_come_back_as_they_were() {
    let source = Database::postgres("levada_backup_src");
    let target = Database::postgres("levada_backup_dst");
    psql(&source, NASTY);
    let kept = Kept::new();
    kept.take(&source);
    kept.restore(&target, &[]);
    assert_eq!(definitions(&target), definitions(&source));
    assert_eq!(rows(&target), rows(&source));
    assert_eq!(sequences(&target), sequences(&source));

    // into what is there: refused, then replaced as a whole, with the cycle of foreign keys
    let refused = failed(kept.restoring(&target, &[]), 3);
    assert!(refused.contains("there are rows already in"), "{refused}");
    psql(&target, "DELETE FROM kinds WHERE id > 8; UPDATE husband SET boss = NULL; SELECT setval('wife_id_seq', 9999)");
    kept.restore(&target, &["--replace"]);
    assert_eq!(definitions(&target), definitions(&source));
    assert_eq!(rows(&target), rows(&source));
    assert_eq!(psql(&target, "SELECT nextval('wife_id_seq')"), "10000", "a sequence never goes back");
}

#[test]
fn chosen_tables_come_without_the_others() {
    let source = Database::postgres("levada_backup_some");
    let target = Database::postgres("levada_backup_some_dst");
    psql(&source, NASTY);
    let kept = Kept::new();
    done(kept.taking(&source, &["--table", "public.w*", "--table", "quick"]));
    assert!(failed(kept.taking(&source, &["--table", "nobody"]), 1).contains("nobody"));
    assert!(failed(kept.restoring(&target, &["--table", "kinds"]), 1).contains("kinds"));
    let report = kept.restore(&target, &["--table", "wife"]);
    assert!(report["notes"][0].as_str().unwrap().contains("husband"), "{report}");
    assert_eq!(psql(&target, "SELECT count(*) FROM wife"), "10");
    let tables =
        "SELECT string_agg(relname, ' ') FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
        AND relname NOT LIKE '\\_levada%'";
    assert_eq!(psql(&target, tables), "wife");
}

#[test]
fn all_tables_are_of_one_moment_while_others_write() {
    let source = Database::postgres("levada_backup_moment");
    let target = Database::postgres("levada_backup_moment_dst");
    let filler = "repeat('x', 100)";
    psql(
        &source,
        &format!(
            "CREATE TABLE left_side(id int PRIMARY KEY, amount bigint, t text);
             CREATE TABLE right_side(id int PRIMARY KEY, amount bigint, t text);
             INSERT INTO left_side SELECT n, 1000, {filler} FROM generate_series(1, 60000) n;
             INSERT INTO right_side SELECT n, 1000, {filler} FROM generate_series(1, 60000) n;"
        ),
    );
    let stop = AtomicBool::new(false);
    let kept = Kept::new();
    let moved = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut moved = 0;
            while !stop.load(Ordering::Relaxed) {
                psql(
                    &source,
                    "BEGIN; UPDATE left_side SET amount = amount - 7 WHERE id % 500 = (random() * 499)::int;
                     UPDATE right_side SET amount = (SELECT 120000000 - (SELECT sum(amount) FROM left_side)
                       - (SELECT sum(amount) FROM right_side WHERE id <> 1)) WHERE id = 1; COMMIT",
                );
                moved += 1;
            }
            moved
        });
        for _ in 0..5 {
            kept.take(&source);
            let name = kept.list().remove(0);
            kept.restore(&target, &["--replace", "--backup", &name]);
            let sums = "SELECT (SELECT sum(amount) FROM left_side) + (SELECT sum(amount) FROM right_side)";
            assert_eq!(psql(&target, sums), "120000000");
        }
        stop.store(true, Ordering::Relaxed);
        writer.join().unwrap()
    });
    assert!(moved > 5, "only {moved} transactions ran meanwhile");
    assert_eq!(kept.list().len(), 5);
    // the views are let go
    psql(&source, "ALTER TABLE left_side ADD c int");
}

#[test]
fn a_bent_byte_is_found_and_keeps_a_restore_from_beginning() {
    let source = Database::postgres("levada_backup_bent");
    let target = Database::postgres("levada_backup_bent_dst");
    psql(
        &source,
        "CREATE TABLE a AS SELECT n FROM generate_series(1, 1000) n; CREATE TABLE b AS SELECT 'text'::text AS t",
    );
    let kept = Kept::new();
    let name = kept.take(&source);
    assert!(kept.verify(&[]).status.success());
    for chunk in kept.chunks(&name) {
        let sound = std::fs::read(&chunk).unwrap();
        bend(&chunk);
        let verified = kept.verify(&["--sample", "100"]);
        assert_eq!(verified.status.code(), Some(1));
        let problem = json(&verified)["backups"][0]["problems"][0]["file"].as_str().unwrap().to_owned();
        assert!(chunk.ends_with(&problem), "{problem}");
        let refused = failed(kept.restoring(&target, &[]), 1);
        assert!(refused.contains(&problem) && refused.contains("hash"), "{refused}");
        std::fs::write(&chunk, sound).unwrap();
    }
    assert_eq!(psql(&target, "SELECT count(*) FROM pg_class WHERE relname IN ('a', 'b')"), "0");
    assert!(kept.verify(&[]).status.success());
    std::fs::remove_file(&kept.chunks(&name)[0]).unwrap();
    assert_eq!(kept.verify(&[]).status.code(), Some(1));
    let refused = failed(kept.restoring(&target, &["--backup", &name]), 1);
    assert!(refused.contains("is gone"), "{refused}");
    let none = failed(kept.restoring(&target, &[]), 1);
    assert!(none.contains("there is no whole backup"), "{none}");
}

#[test]
fn the_last_sound_backup_outlives_every_pruning() {
    let source = Database::postgres("levada_backup_prune");
    psql(&source, "CREATE TABLE a AS SELECT n FROM generate_series(1, 1000) n");
    let kept = Kept::new();
    let mut names: Vec<String> = (0..4).map(|_| kept.take(&source)).collect();
    names.reverse();
    assert_eq!(kept.list(), names);
    let path = kept.path().to_str().unwrap();
    failed(levada(&["backups", "prune", path]), 2);
    let told = kept.prune(&["--keep", "2", "--dry-run"]);
    assert_eq!(told["removed"].as_array().unwrap().len(), 2);
    assert_eq!(kept.list().len(), 4);
    kept.prune(&["--keep", "3"]);
    assert_eq!(kept.list(), names[..3]);
    kept.prune(&["--keep", "1", "--older-than", "1h"]);
    assert_eq!(kept.list(), names[..3]);
    // the newest has every file at its size, and does not verify: the next one is the last sound one
    bend(&kept.chunks(&names[0])[0]);
    kept.prune(&["--older-than", "0s"]);
    assert_eq!(kept.list(), names[..2]);
    assert!(!kept.path().join(&names[2]).exists());
}

#[test]
fn any_reader_of_avro_reads_the_files() {
    let source = Database::postgres("levada_backup_avro");
    psql(
        &source,
        "CREATE TABLE a(n int, d numeric(10,2), t text, at timestamptz);
         INSERT INTO a SELECT n, n / 4.0, 'row ' || n, timestamptz '2026-01-01 00:00+00' + n * interval '1 hour'
         FROM generate_series(1, 5000) n; INSERT INTO a VALUES (NULL, NULL, NULL, NULL)",
    );
    let kept = Kept::new();
    let name = kept.take(&source);
    let python = std::env::var("LEVADA_TEST_FASTAVRO").expect("set LEVADA_TEST_FASTAVRO (scripts/services starts it)");
    let program = "import sys, fastavro\nrows = [r for f in sys.argv[1:] for r in fastavro.reader(open(f, 'rb'))]\n\
        rows = [r for r in rows if r['n'] is not None] if len(rows) == 5001 else []\n\
        print(len(rows), sum(r['n'] for r in rows), sum(r['d'] for r in rows), \
        sum(r['t'] == 'row %d' % r['n'] for r in rows), max(r['at'] for r in rows).isoformat())";
    let mut command = Command::new(python);
    command.args(["-c", program]).args(kept.chunks(&name));
    let read = String::from_utf8(done(command).stdout).unwrap();
    assert_eq!(read.trim(), "5000 12502500 3125625.00 5000 2026-07-28T08:00:00+00:00");
}
