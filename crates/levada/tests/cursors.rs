//! Incremental reads by cursors of every type: rows that share the last value arrive exactly once, nothing is read for
//! ever, and rows committed late are found by `lag`.

use crate::support::{Database, Pipeline, System};

/// A cursor's type, and three ascending values of it as SQL.
type Cursor = (&'static str, [&'static str; 3]);

const POSTGRES: &[Cursor] = &[
    ("timestamp(6)", ["'2026-01-01 00:00:00'", "'2026-01-01 00:00:00.000001'", "'2026-01-01 00:00:00.000002'"]),
    (
        "timestamptz",
        ["'2026-03-29 01:59:59.999999+01'", "'2026-03-29 03:00:00.123456+02'", "'2026-03-28 21:00:00.123457-04'"],
    ),
    ("date", ["'0001-01-01'", "'2026-01-01'", "'9999-12-31'"]),
    ("numeric", ["-1e30", "123456789012345678901234567890.000000001", "123456789012345678901234567890.0000000011"]),
    ("numeric(20,6)", ["-5", "1000000000.000001", "1000000000.000002"]),
    ("text", ["'a'", "'b''\\ 😀'", "'b''\\ 😀x'"]),
    ("varchar(40)", ["''", "'Z'", "'a'"]),
    (
        "uuid",
        [
            "'00000000-0000-0000-0000-00000000000a'",
            "'f0000000-0000-0000-0000-000000000001'",
            "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
        ],
    ),
    ("bigint", ["-9223372036854775808", "9007199254740993", "9007199254740994"]),
    ("double precision", ["-1e300", "0.1", "0.30000000000000004"]),
    ("real", ["-1.5", "0.1", "0.3"]),
];
const MARIADB: &[Cursor] = &[
    ("datetime(6)", ["'0001-01-01'", "'2026-01-01 00:00:00.000001'", "'2026-01-01 00:00:00.000002'"]),
    ("timestamp(6)", ["'2026-03-29 00:59:59.999999'", "'2026-03-29 01:30:00.123456'", "'2026-03-29 01:30:00.123457'"]),
    (
        "decimal(40,10)",
        ["-1", "123456789012345678901234567890.0000000001", "123456789012345678901234567890.0000000002"],
    ),
    ("varchar(40)", ["''", "'b'", "'b😀'"]),
    ("text", ["'a'", "'it''s'", "'it''s b'"]),
    ("bigint unsigned", ["0", "18446744073709551614", "18446744073709551615"]),
    (
        "uuid",
        [
            "'00000000-0000-4000-8000-00000000000a'",
            "'ffffffff-0000-0000-0000-000000000001'",
            "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
        ],
    ),
    ("double", ["-1e300", "0.1", "0.30000000000000004"]),
    ("date", ["'1000-01-01'", "'2026-01-01'", "'9999-12-31'"]),
];
const SQLITE: &[Cursor] = &[
    ("integer", ["-9223372036854775808", "9007199254740993", "9007199254740994"]),
    ("text", ["'a'", "'b'", "'b😀'"]),
    ("real", ["-1.5", "0.1", "0.30000000000000004"]),
    ("datetime", ["'2026-01-01 00:00:00.000000'", "'2026-01-01 00:00:00.000001'", "'2026-01-01 00:00:00.000002'"]),
];

fn cursors(system: System) -> &'static [Cursor] {
    match system {
        System::Postgres => POSTGRES,
        System::MariaDb => MARIADB,
        System::Sqlite => SQLITE,
    }
}

/// Creates a table per cursor type and loads it four times, once by `append` and once by `merge`.
fn every_row_arrives_once(source: System, target: System) {
    let name = format!("levada_cursor_{source:?}_{target:?}").to_lowercase();
    let (source, target) = (Database::of(source, &format!("{name}_a")), Database::of(target, &format!("{name}_b")));
    let types = cursors(source.system());
    let namespace = if source.system() == System::Postgres { "public." } else { "" };
    let mut streams = String::new();
    for (at, (kind, _)) in types.iter().enumerate() {
        source.sql(&format!("CREATE TABLE c{at}(id int, c {kind})"));
        source.sql(&format!("CREATE TABLE m{at}(id int PRIMARY KEY, c {kind})"));
        streams.push_str(&format!("  {namespace}c{at}: {{ read: incremental, cursor: c, write: append }}\n"));
        streams.push_str(&format!("  {namespace}m{at}: {{ read: incremental, cursor: c, write: merge, key: [id] }}\n"));
    }
    let insert = |id: u32, value: Option<usize>| {
        let mut sql = String::new();
        for (at, (_, values)) in types.iter().enumerate() {
            let value = value.map_or("NULL", |value| values[value]);
            sql.push_str(&format!(
                "INSERT INTO c{at} VALUES ({id}, {value}); INSERT INTO m{at} VALUES ({id}, {value});"
            ));
        }
        source.sql(&sql);
    };
    let pipeline = Pipeline::new(&source, &target, &streams);
    let load = |written: [u64; 2], ids: &str, what: &str| {
        let counts = pipeline.done();
        let mut sql = String::new();
        for (at, (kind, _)) in types.iter().enumerate() {
            assert_eq!(counts[at * 2..][..2], written, "{what}: rows written of {kind}");
            sql.push_str(&format!("SELECT id FROM c{at} ORDER BY id; SELECT id FROM m{at} ORDER BY id; SELECT -1;"));
        }
        let found = target.sql(&sql).replace('\n', " ");
        for (at, part) in found.split("-1").take(types.len()).enumerate() {
            assert_eq!(part.trim(), format!("{ids} {ids}").trim(), "{what}: {}", types[at].0);
        }
    };
    insert(0, None);
    insert(1, Some(0));
    insert(2, Some(1));
    insert(3, Some(1));
    load([4, 4], "0 1 2 3", "the first rows");
    insert(4, Some(1));
    load([1, 3], "0 1 2 3 4", "a tie");
    insert(5, Some(1));
    insert(6, Some(2));
    load([2, 5], "0 1 2 3 4 5 6", "a tie and a later row");
    load([0, 1], "0 1 2 3 4 5 6", "nothing new again");
}

#[test]
fn postgres_to_postgres() {
    every_row_arrives_once(System::Postgres, System::Postgres);
}

#[test]
fn postgres_to_mariadb() {
    every_row_arrives_once(System::Postgres, System::MariaDb);
}

#[test]
fn mariadb_to_sqlite() {
    every_row_arrives_once(System::MariaDb, System::Sqlite);
}

#[test]
fn mariadb_to_postgres() {
    every_row_arrives_once(System::MariaDb, System::Postgres);
}

#[test]
fn sqlite_to_mariadb() {
    every_row_arrives_once(System::Sqlite, System::MariaDb);
}

/// A row stamped early and committed after later rows were read is found as far back as `lag` reaches, and no row twice.
#[test]
fn rows_committed_late_are_found_by_lag() {
    for system in [System::Postgres, System::MariaDb, System::Sqlite] {
        let name = format!("levada_lag_{system:?}").to_lowercase();
        let (source, target) = (Database::of(system, &format!("{name}_a")), Database::of(system, &format!("{name}_b")));
        let timestamp = if system == System::Sqlite { "datetime" } else { "timestamp(6)" };
        source.sql(&format!(
            "CREATE TABLE late(id int, at {timestamp} NULL);
             INSERT INTO late VALUES (1, '2026-01-01 10:00:00.000000'), (2, '2026-01-01 11:00:00.000000');
             CREATE TABLE number(id int, n bigint);
             INSERT INTO number VALUES (1, 1000), (2, 2000);"
        ));
        let namespace = if system == System::Postgres { "public." } else { "" };
        let streams = format!(
            "  {namespace}late: {{ read: incremental, cursor: at, lag: 5m, write: append }}\n  {namespace}number: {{ read: incremental, cursor: n, lag: 10, write: append }}"
        );
        let pipeline = Pipeline::new(&source, &target, &streams);
        assert_eq!(pipeline.done(), [2, 2], "{system:?}");
        source.sql(
            "INSERT INTO late VALUES (3, '2026-01-01 10:55:00.000000'), (4, '2026-01-01 10:54:59.000000'),
               (5, '2026-01-01 11:00:00.000000'), (6, '2026-01-01 11:01:00.000000');
             INSERT INTO number VALUES (3, 1990), (4, 1989), (5, 2000), (6, 2001);",
        );
        assert_eq!(pipeline.done(), [3, 3], "{system:?}");
        assert_eq!(pipeline.done(), [0, 0], "{system:?}");
        for table in ["late", "number"] {
            let found = target.sql(&format!("SELECT id FROM {table} ORDER BY id")).replace('\n', " ");
            assert_eq!(found, "1 2 3 5 6", "{system:?}: {table}");
        }
    }
}

/// Without its position an append would double the table; a target that is gone would miss its older rows.
#[test]
fn a_lost_position_or_target_is_refused() {
    for system in [System::Postgres, System::MariaDb, System::Sqlite] {
        let name = format!("levada_lost_{system:?}").to_lowercase();
        let (source, target) = (Database::of(system, &format!("{name}_a")), Database::of(system, &format!("{name}_b")));
        source.sql("CREATE TABLE t(id int); INSERT INTO t VALUES (1), (2)");
        let namespace = if system == System::Postgres { "public." } else { "" };
        let pipeline = Pipeline::new(
            &source,
            &target,
            &format!("  {namespace}t: {{ read: incremental, cursor: id, write: append }}"),
        );
        pipeline.done();
        target.sql("DELETE FROM _levada_positions");
        assert!(pipeline.run().failed(3).contains("--full-refresh"), "{system:?}");
        target.sql("DROP TABLE _levada_positions");
        pipeline.run().failed(3);
        assert_eq!(target.sql("SELECT count(*) FROM t"), "2", "{system:?}");
        assert_eq!(
            super::support::Ran::of(
                pipeline
                    .command(&["--full-refresh"])
                    .stdout(std::process::Stdio::piped())
                    .stderr(std::process::Stdio::piped())
                    .spawn()
                    .unwrap()
            )
            .done(),
            [2]
        );
        target.sql("DROP TABLE t");
        assert!(pipeline.run().failed(3).contains("gone"), "{system:?}");
    }
}

/// A file that grew is read again as a whole: its rows can be merged, and to append them would double the old ones.
#[test]
fn a_file_that_has_changed_is_merged_or_refused() {
    let folder = tempfile::TempDir::new().unwrap();
    let (one, other) = (Database::of(System::Sqlite, "levada_grown"), Database::of(System::Sqlite, "levada_merged"));
    let source = format!("{{ type: files, root: \"{}\", settle_ms: 0 }}", folder.path().display());
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let into = |target: &Database, write: &str| {
        let stream = format!("  'log*.csv': {{ read: incremental, {write}, rename: log }}");
        Pipeline::between(&source, &target.connection(), &stream)
    };
    let (appended, merged) = (into(&one, "write: append"), into(&other, "write: merge, key: [id]"));
    write("log1.csv", "id\n1\n2\n");
    appended.done();
    merged.done();
    write("log2.csv", "id\n3\n");
    assert_eq!((appended.done(), merged.done()), (vec![1], vec![1]));
    write("log1.csv", "id\n1\n2\n4\n");
    let told = appended.run().failed(3);
    assert!(told.contains("`log1.csv` was loaded before and has changed") && told.contains("`key`"), "{told}");
    let ids = |database: &Database| database.sql("SELECT group_concat(id) FROM (SELECT id FROM log ORDER BY id)");
    assert_eq!(ids(&one), "1,2,3");
    merged.done();
    assert_eq!(ids(&other), "1,2,3,4");
}
