//! Loads under pressure: two processes at once, connections that break, big values, many rows in bounded memory, other
//! time zones, bad rows, and Ctrl-C.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Database, LEVADA, Pipeline, Ran, System, peak_mb};

const ALL: [System; 3] = [System::Postgres, System::MariaDb, System::Sqlite];

fn both(name: &str, target: System) -> (Database, Database) {
    let name = format!("levada_{name}_{target:?}").to_lowercase();
    (Database::postgres(&format!("{name}_a")), Database::of(target, &format!("{name}_b")))
}

fn sums(database: &Database, table: &str) -> String {
    database.sql(&format!("SELECT count(*), sum(id), min(id), max(id), count(DISTINCT id) FROM {table}"))
}

#[test]
fn two_processes_load_different_streams_of_one_pipeline() {
    for system in ALL {
        let (source, target) = both("two", system);
        source.sql(
            "CREATE TABLE a AS SELECT i AS id, md5(i::text) AS v FROM generate_series(1, 20000) i; ALTER TABLE a ADD PRIMARY KEY (id);
             CREATE TABLE b AS SELECT i AS id, md5(i::text) AS v FROM generate_series(1, 20000) i; ALTER TABLE b ADD PRIMARY KEY (id);",
        );
        let streams = "  public.a: { read: incremental, cursor: id, key: [id] }\n  public.b: {}";
        let pipeline = Pipeline::new(&source, &target, streams);
        for round in 0..4 {
            source.sql("INSERT INTO a SELECT max(id) + 1, 'new' FROM a");
            let [a, b] = ["public.a", "public.b"].map(|stream| {
                let mut command = pipeline.command(&["--stream", stream]);
                command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
            });
            Ran::of(a).done();
            Ran::of(b).done();
            for table in ["a", "b"] {
                assert_eq!(sums(&target, table), sums(&source, table), "{system:?}, round {round}");
            }
        }
        assert_eq!(target.stages(), "");
    }
}

#[test]
fn two_processes_load_the_same_stream_and_nothing_is_doubled() {
    for system in ALL {
        let (source, target) = both("same", system);
        source.sql("CREATE TABLE t(id int); INSERT INTO t SELECT generate_series(1, 20000)");
        let pipeline = Pipeline::new(&source, &target, "  public.t: { read: incremental, cursor: id, write: append }");
        for round in 0..3 {
            let ran = [pipeline.start(), pipeline.start(), pipeline.start()].map(Ran::of);
            assert!(ran.iter().any(|ran| ran.code == 0), "{system:?}: {:?}", ran.each_ref().map(Ran::failures));
            // where there is a position, who comes too late begins again from it
            assert!(
                round == 0 || ran.iter().all(|ran| ran.code == 0),
                "{system:?}: {:?}",
                ran.each_ref().map(Ran::failures)
            );
            for ran in &ran {
                let told = ran.failures().join("\n");
                let expected =
                    ["another", "under way", "appeared", "position", "changed"].iter().any(|word| told.contains(word));
                assert!(ran.code == 0 || expected, "{system:?}, round {round}: {} {told}", ran.code);
            }
            assert_eq!(sums(&target, "t"), sums(&source, "t"), "{system:?}, round {round}");
            source.sql("INSERT INTO t SELECT (SELECT max(id) FROM t) + generate_series(1, 5000)");
        }
        pipeline.done();
        assert_eq!(sums(&target, "t"), sums(&source, "t"));
        assert_eq!(target.stages(), "", "{system:?}");
    }
}

/// Ends every session of the binary in a database; says how many there were.
fn cut(database: &Database) -> usize {
    if database.system() == System::Postgres {
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'levada' AND datname = current_database()";
        return database.sql(sql).lines().count();
    }
    let sql = "SELECT id FROM information_schema.processlist WHERE db = database() AND id <> connection_id()";
    let sessions = database.sql(sql);
    for session in sessions.lines() {
        // One may have ended by itself meanwhile.
        database.sql(&format!(
            "DELIMITER //\nBEGIN NOT ATOMIC DECLARE CONTINUE HANDLER FOR 1094 BEGIN END; KILL {session}; END//"
        ));
    }
    sessions.lines().count()
}

#[test]
fn a_connection_that_breaks_is_made_again() {
    for (system, options) in [
        (System::Postgres, "{}"),
        (System::Postgres, "{ read: incremental, cursor: id, write: append }"),
        (System::MariaDb, "{}"),
        (System::MariaDb, "{ read: incremental, cursor: id, key: [id] }"),
    ] {
        let (source, target) = both("cut", system);
        source.sql(
            "CREATE TABLE t AS SELECT i AS id, md5(i::text) AS v FROM generate_series(1, 300000) i; ALTER TABLE t ADD PRIMARY KEY (id)",
        );
        let pipeline = Pipeline::new(&source, &target, &format!("  public.t: {options}"));
        for cuts_source in [true, false] {
            let what = format!("{system:?} {options}, source {cuts_source}");
            let mut run = pipeline.start();
            let started = Instant::now();
            let mut cuts = 0;
            while cuts < 2 && run.try_wait().unwrap().is_none() && started.elapsed() < Duration::from_secs(20) {
                std::thread::sleep(Duration::from_millis(250));
                cuts += usize::from(cut(if cuts_source { &source } else { &target }) > 0);
            }
            let ran = Ran::of(run);
            if ran.code != 0 {
                let told = ran.failures().join("\n");
                assert!(ran.code == 1 || ran.code == 3, "{what}: {} {told} {}", ran.code, ran.err);
                paragraph(&told);
                pipeline.done();
            }
            assert_eq!(sums(&target, "t"), sums(&source, "t"), "{what}");
            assert_eq!(target.stages(), "", "{what}");
        }
    }
}

/// What an error for people must not look like.
pub fn paragraph(told: &str) {
    for word in
        ["Some(", "None)", "panicked", "Err(", "::", "Kind {", "unwrap", "Os {", "tokio", "rustls", "mysql_async"]
    {
        assert!(!told.contains(word), "`{word}` in: {told}");
    }
}

#[test]
fn memory_is_bounded_whatever_the_number_of_rows() {
    for system in ALL {
        let (source, target) = both("memory", system);
        let pipeline = Pipeline::new(&source, &target, "  public.t: { columns: { hash: [v] } }");
        for rows in [100_000, 400_000] {
            source.sql(&format!(
                "DROP TABLE IF EXISTS t; CREATE TABLE t AS SELECT i AS id, i::text AS v, now() AS at FROM generate_series(1, {rows}) i"
            ));
            let (peak, ran) = peak_mb(pipeline.start());
            assert_eq!(ran.done(), [rows]);
            println!("{system:?}, {rows} rows: {peak} MB");
            assert!(peak < 200, "{system:?}: {peak} MB for {rows} rows");
        }
    }
}

#[test]
fn big_values_arrive() {
    for system in ALL {
        let (source, target) = both("big", system);
        source.sql(
            "CREATE TABLE t(id int PRIMARY KEY, v text, b bytea);
             INSERT INTO t VALUES (1, repeat('0123456789', 5000000), NULL), (2, NULL, decode(repeat('00ff0a5c', 5000000), 'hex')), (3, '', '');",
        );
        let pipeline = Pipeline::new(&source, &target, "  public.t: {}");
        let (peak, ran) = peak_mb(pipeline.start());
        assert_eq!(ran.done(), [3]);
        println!("{system:?}: {peak} MB");
        let lengths = target.sql("SELECT id, length(v), length(b) FROM t ORDER BY id");
        assert_eq!(lengths, "1\t50000000\tNULL\n2\tNULL\t20000000\n3\t0\t0", "{system:?}");
        if system != System::Sqlite {
            assert_eq!(
                target.sql("SELECT md5(v) FROM t WHERE id = 1"),
                source.sql("SELECT md5(v) FROM t WHERE id = 1")
            );
            assert_eq!(
                target.sql("SELECT md5(b) FROM t WHERE id = 2"),
                source.sql("SELECT md5(b) FROM t WHERE id = 2")
            );
        }
    }
}

#[test]
fn the_zone_of_the_process_changes_nothing() {
    for system in ALL {
        let (source, target) = both("zone", system);
        source.sql(
            "SET TimeZone = 'UTC'; CREATE TABLE t(id int PRIMARY KEY, at timestamp(6), tz timestamptz, d date, h time);
             INSERT INTO t VALUES (1, '2024-03-10 02:30:00', '2024-03-10 10:30:00Z', '2024-03-10', '02:30'),
               (2, '2024-11-03 01:30:00.123456', '2024-11-03 08:30:00.123456Z', '2024-11-03', '23:59:59.999999'),
               (3, '1883-11-18 12:00:00', '1941-10-01 00:00:00Z', '1883-11-18', '00:00');",
        );
        let wanted = source.sql(
            "SELECT id, to_char(at, 'YYYY-MM-DD HH24:MI:SS.US'), to_char(tz AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), d FROM t ORDER BY id",
        );
        for zone in ["America/Los_Angeles", "Asia/Kolkata", "UTC"] {
            for streams in [
                "  public.t: { verify: checksum }",
                "  public.t: { read: incremental, cursor: tz, lag: 1h, key: [id] }",
            ] {
                let pipeline = Pipeline::new(&source, &target, streams);
                let mut run = pipeline.command(&[]);
                run.env("TZ", zone).env("PGTZ", zone).stdout(Stdio::piped()).stderr(Stdio::piped());
                Ran::of(run.spawn().unwrap()).done();
                let found = match system {
                    System::Postgres => target.sql(
                        "SELECT id, to_char(at, 'YYYY-MM-DD HH24:MI:SS.US'), to_char(tz AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), d FROM t ORDER BY id",
                    ),
                    System::MariaDb => target.sql(
                        "SET time_zone = '+00:00'; SELECT id, date_format(at, '%Y-%m-%d %H:%i:%s.%f'), date_format(tz, '%Y-%m-%d %H:%i:%s.%f'), d FROM t ORDER BY id",
                    ),
                    System::Sqlite => target.sql(
                        "SELECT id, substr(strftime('%Y-%m-%d %H:%M:', at), 1) || printf('%09.6f', substr(at, 18, 9)), \
                         strftime('%Y-%m-%d %H:%M:', tz) || printf('%09.6f', substr(tz, 18, 9)), d FROM t ORDER BY id",
                    ),
                };
                assert_eq!(found, wanted, "{system:?} under TZ={zone}: {streams}");
            }
        }
    }
}

#[test]
fn bad_rows_go_into_the_quarantine_with_their_reason() {
    for system in ALL {
        let (source, target) = both("bad", system);
        source.sql(
            "CREATE TABLE t(id int, n text, at text); INSERT INTO t SELECT i, i::text, '2026-01-01' FROM generate_series(1, 3000) i;
             UPDATE t SET n = 'many' WHERE id IN (7, 1500, 2999); UPDATE t SET at = '2024-13-01' WHERE id = 8; UPDATE t SET n = '3000000000' WHERE id = 9;",
        );
        let stream = |policy: &str| {
            format!("  public.t: {{ on_bad_row: {policy}, columns: {{ cast: {{ n: int32, at: date }} }} }}")
        };
        let pipeline = Pipeline::new(&source, &target, &stream("fail"));
        let told = pipeline.run().failed(1);
        assert!(told.contains("`n`") && told.contains("quarantine"), "{told}");
        pipeline.streams(&stream("quarantine"));
        let ran = pipeline.run();
        assert_eq!(ran.done(), [2995], "{system:?}");
        assert_eq!(ran.report["tasks"][0]["streams"][0]["proof"]["rejected"], 5);
        let rejects = target.sql("SELECT column_name, reason, row_json FROM _levada_rejects ORDER BY row_json");
        assert_eq!(rejects.lines().count(), 5, "{system:?}: {rejects}");
        assert_eq!(rejects.lines().filter(|line| line.starts_with("n\t")).count(), 4, "{system:?}: {rejects}");
        assert!(
            rejects.contains("many") && rejects.contains("2024-13-01") && rejects.contains("3000000000"),
            "{rejects}"
        );
        assert_eq!(target.sql("SELECT count(*) FROM t WHERE id IN (7, 8, 9, 1500, 2999)"), "0");
        // What only the target knows to be wrong.
        target.sql("DELETE FROM _levada_rejects");
        source.sql("CREATE TABLE k(id int, n int); INSERT INTO k SELECT i, i FROM generate_series(1, 1000) i; UPDATE k SET n = -1 WHERE id IN (1, 500)");
        target.sql("CREATE TABLE k(id int PRIMARY KEY, n int CHECK (n > 0))");
        pipeline.streams("  public.k: { on_bad_row: quarantine, write: append }");
        assert_eq!(pipeline.done(), [998], "{system:?}");
        assert_eq!(target.sql("SELECT count(*) FROM k"), "998");
        assert_eq!(target.sql("SELECT count(*) FROM _levada_rejects WHERE reason <> ''"), "2");
        assert_eq!(target.stages(), "");
    }
}

#[test]
fn a_cast_to_text_keeps_what_is_no_number() {
    for system in ALL {
        let (source, target) = both("nan", system);
        source.sql(
            "CREATE TABLE t(id int, n numeric(10,2), m text); INSERT INTO t VALUES (1, 'NaN', 'a'), (2, 0.5, 'b')",
        );
        let pipeline = Pipeline::new(&source, &target, "  public.t: { columns: { cast: { n: text } } }");
        assert_eq!(pipeline.done(), [2], "{system:?}");
        assert_eq!(target.sql("SELECT n FROM t ORDER BY id").trim(), "NaN\n0.50", "{system:?}");
        // Rows that are looked at, for a hash in another column, hold numbers only: the plan says so, and the run does.
        target.sql("DROP TABLE t");
        pipeline.streams("  public.t: { on_bad_row: quarantine, columns: { hash: [m] } }");
        let folder = pipeline.command(&[]).get_current_dir().unwrap().to_owned();
        let plan =
            Command::new(LEVADA).args(["plan", "p.yaml", "--output", "json"]).current_dir(folder).output().unwrap();
        let plan = String::from_utf8(plan.stdout).unwrap();
        let says_so = plan.contains("values that are no number, as NaN, are refused");
        assert!(says_so || system != System::Postgres, "{plan}");
        assert_eq!(pipeline.done(), [1], "{system:?}");
        let reason = target.sql("SELECT reason FROM _levada_rejects");
        assert!(reason.contains("`NaN` has no place in a decimal column"), "{system:?}: {reason}");
    }
}

#[test]
fn a_checksum_knows_what_each_system_does_to_values() {
    for system in ALL {
        let (source, target) = both("proof", system);
        source.sql(
            "CREATE TABLE t(id int PRIMARY KEY, f float8, d json, b jsonb, n numeric, u int);
             INSERT INTO t SELECT i, CASE i % 5 WHEN 0 THEN '-0' WHEN 1 THEN 'NaN' ELSE i * 1e14 END,
               json_build_object('z', i, 'a', ARRAY[1, NULL]), jsonb_build_object('z', 1.50, 'a', i), (i || '.50')::numeric, i
               FROM generate_series(1, 500) i",
        );
        let not_numbers = if system == System::MariaDb { 100 } else { 0 };
        for (stream, target_is) in [("full", "new"), ("full", "there"), ("incremental, cursor: id", "there")] {
            let options = format!("read: {stream}, verify: checksum, on_bad_row: quarantine, key: [id]");
            let pipeline = Pipeline::new(&source, &target, &format!("  public.t: {{ {options} }}"));
            let ran = pipeline.run();
            let refused = if target_is == "new" { 0 } else { 2 };
            assert_eq!(ran.done(), [500 - not_numbers - refused], "{system:?}, {stream}");
            let verified = &ran.report["tasks"][0]["streams"][0]["proof"]["verified"];
            assert_eq!(*verified, 500 - not_numbers - refused, "{system:?}, {stream}");
            if target_is == "new" {
                // from here on there are rows that only the target knows to be bad
                target.sql("CREATE UNIQUE INDEX only_one ON t(u)");
                source.sql("UPDATE t SET u = 77 WHERE id IN (78, 79)");
            }
        }
        // and back, where documents of the other system's spelling become documents of this one's
        source.sql("CREATE TABLE back(id int PRIMARY KEY, f float8, d jsonb, b jsonb, n numeric, u int)");
        let stream = if system == System::Postgres { "public.t" } else { "t" };
        let back = Pipeline::new(&target, &source, &format!("  {stream}: {{ rename: public.back, verify: checksum }}"));
        assert_eq!(back.done().len(), 1, "{system:?}");
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_leaves_nothing_half_done() {
    for system in [System::MariaDb, System::Sqlite] {
        let (source, target) = both("stop", system);
        source.sql(
            "CREATE TABLE t AS SELECT i AS id, md5(i::text) AS v FROM generate_series(1, 2000000) i; CREATE TABLE small AS SELECT 1 AS id",
        );
        let child = Command::new(LEVADA)
            .args(["copy", &source.url(), &target.url(), "--stream", "public.t", "--hash", "v"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(1500));
        let asked = Instant::now();
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        let output = child.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(asked.elapsed() < Duration::from_secs(5), "{system:?}: took {:?}", asked.elapsed());
        assert_eq!(output.status.code(), Some(130), "{system:?}: {told}");
        paragraph(&told);
        assert_eq!(target.stages(), "", "{system:?}");
        assert!(!table_exists(&target, "t"), "{system:?}");
        source.sql("DELETE FROM t WHERE id > 1000");
        let again =
            Command::new(LEVADA).args(["copy", &source.url(), &target.url(), "--stream", "public.t"]).output().unwrap();
        assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
        assert_eq!(sums(&target, "t"), sums(&source, "t"), "{system:?}");
    }
}

fn table_exists(database: &Database, table: &str) -> bool {
    let sql = match database.system() {
        System::Postgres => format!("SELECT to_regclass('{table}')"),
        System::MariaDb => format!("SHOW TABLES LIKE '{table}'"),
        System::Sqlite => format!("SELECT name FROM sqlite_master WHERE name = '{table}'"),
    };
    database.sql(&sql).contains(table)
}
