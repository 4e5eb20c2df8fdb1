//! Tables of every shape, and what happens to their columns between runs under each schema policy.

use crate::support::{Database, Pipeline, System};

fn both(name: &str, source: System, target: System) -> (Database, Database) {
    let pair = format!("levada_{name}_{source:?}_{target:?}").to_lowercase();
    (Database::of(source, &format!("{pair}_a")), Database::of(target, &format!("{pair}_b")))
}

const ALL: [System; 3] = [System::Postgres, System::MariaDb, System::Sqlite];

#[test]
fn tables_of_every_shape_arrive() {
    for system in ALL {
        let (source, target) = both("shape", System::Postgres, system);
        let wide: Vec<String> = (0..1600).map(|i| format!("c{i} smallint")).collect();
        let wide_to = if system == System::MariaDb { 1000 } else { 1600 };
        source.sql(&format!(
            "CREATE TABLE nokey(a int, b text); INSERT INTO nokey VALUES (1, 'x'), (1, 'x'), (NULL, NULL);
             CREATE TABLE norows(a int PRIMARY KEY, b numeric(5,2), c timestamptz);
             CREATE TABLE nulls(a int, b text, c bytea, d jsonb, e int[]); INSERT INTO nulls SELECT FROM generate_series(1, 3);
             CREATE TABLE wide({}); INSERT INTO wide(c0, c999) VALUES (1, 2);
             CREATE VIEW view AS SELECT a, b || '!' AS b FROM nokey;
             CREATE MATERIALIZED VIEW mat AS SELECT count(*) AS n FROM nokey;
             CREATE TABLE part(id int, at date) PARTITION BY RANGE (at);
             CREATE TABLE part1 PARTITION OF part FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
             CREATE TABLE part2 PARTITION OF part DEFAULT;
             INSERT INTO part VALUES (1, '2026-01-15'), (2, '2026-02-15');
             CREATE TABLE made(id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int, twice int GENERATED ALWAYS AS (n * 2) STORED);
             INSERT INTO made(n) VALUES (5), (6);",
            wide[..wide_to].join(", ")
        ));
        let names = ["nokey", "norows", "nulls", "wide", "view", "mat", "part", "made"];
        let streams: Vec<String> =
            names.iter().map(|name| format!("  public.{name}: {{ verify: checksum }}")).collect();
        let pipeline = Pipeline::new(&source, &target, &streams.join("\n"));
        for _ in 0..2 {
            assert_eq!(pipeline.done(), [3, 0, 3, 1, 3, 1, 2, 2], "{system:?}");
            assert_eq!(target.sql("SELECT a, b FROM nokey ORDER BY a IS NULL"), "1\tx\n1\tx\nNULL\tNULL", "{system:?}");
            assert_eq!(target.sql("SELECT count(*), count(c) FROM norows"), "0\t0", "{system:?}");
            assert_eq!(target.sql("SELECT count(*), count(e) FROM nulls"), "3\t0", "{system:?}");
            assert_eq!(target.sql("SELECT c0, c1, c999 FROM wide"), "1\tNULL\t2", "{system:?}");
            assert_eq!(target.sql("SELECT id, n, twice FROM made ORDER BY id"), "1\t5\t10\n2\t6\t12", "{system:?}");
            assert_eq!(target.sql("SELECT id FROM part ORDER BY id"), "1\n2", "{system:?}");
            assert_eq!(target.sql("SELECT count(*) FROM view"), "3", "{system:?}");
            assert_eq!(target.stages(), "", "{system:?}");
        }
    }
}

/// What is too wide for a database is told before a row has moved.
#[test]
fn a_table_with_too_many_columns_is_refused_in_the_plan() {
    let folder = tempfile::TempDir::new().unwrap();
    for (system, most) in [(System::Postgres, 1_600), (System::MariaDb, 1_016), (System::Sqlite, 2_000)] {
        let target = Database::of(system, "levada_too_wide");
        let line = |text: &str| (0..=most).map(|i| format!("{text}{i}")).collect::<Vec<_>>().join(",");
        std::fs::write(folder.path().join("wide.csv"), format!("{}\n{}\n", line("c"), line(""))).unwrap();
        let source = format!("{{ type: files, root: \"{}\" }}", folder.path().display());
        let failed = Pipeline::between(&source, &target.connection(), "  wide.csv: {}").run().failed(2);
        let wanted = format!("wide` would have {} columns, and a table here can have {most}", most + 1);
        assert!(failed.contains(&wanted), "{system:?}: {failed}");
        assert_eq!(target.stages(), "", "{system:?}");
    }
}

/// A table without columns has rows all the same; a system that has no such tables says so.
#[test]
fn a_table_without_columns_arrives_or_is_refused() {
    for system in ALL {
        let (source, target) = both("nothing", System::Postgres, system);
        source.sql("CREATE TABLE nothing(); INSERT INTO nothing DEFAULT VALUES; INSERT INTO nothing DEFAULT VALUES");
        let pipeline = Pipeline::new(&source, &target, "  public.nothing: {}");
        for _ in 0..2 {
            if system == System::Postgres {
                assert_eq!(pipeline.done(), [2]);
                assert_eq!(target.sql("SELECT count(*) FROM nothing"), "2");
            } else {
                let ran = pipeline.run();
                assert!(ran.code != 0, "{system:?} took a table without columns");
                let told = ran.failures().join("");
                assert!(told.contains("column"), "{system:?}: {told} {}", ran.err);
                assert_eq!(target.stages(), "", "{system:?}");
            }
        }
    }
}

/// A source that changes its columns while it is read: the load ends well or changes nothing, and the next one is equal.
#[test]
fn columns_change_during_a_run() {
    for system in ALL {
        let (source, target) = both("during", System::Postgres, system);
        source.sql("CREATE TABLE t(id int PRIMARY KEY, v text); INSERT INTO t SELECT i, md5(i::text) FROM generate_series(1, 60000) i");
        let pipeline = Pipeline::new(&source, &target, "  public.t: {}");
        pipeline.done();
        for (at, change) in ["ADD COLUMN w int DEFAULT 5", "ALTER v TYPE varchar(64)", "DROP COLUMN w", "RENAME v TO x"]
            .iter()
            .enumerate()
        {
            let run = pipeline.start();
            std::thread::sleep(std::time::Duration::from_millis(60 * at as u64));
            source.sql(&format!("ALTER TABLE t {change}"));
            let ran = crate::support::Ran::of(run);
            if ran.code != 0 {
                crate::loads::paragraph(&ran.failed(1));
            }
            assert_eq!(target.sql("SELECT count(*), sum(id) FROM t"), "60000\t1800030000", "{system:?}: {change}");
            pipeline.done();
            assert_eq!(target.stages(), "", "{system:?}: {change}");
        }
        assert_eq!(
            target.sql("SELECT x FROM t WHERE id = 7"),
            source.sql("SELECT x FROM t WHERE id = 7"),
            "{system:?}"
        );
    }
}

/// Sources other than PostgreSQL, with what is special about their tables.
#[test]
fn special_tables_of_mariadb_and_sqlite_arrive() {
    let (source, target) = both("special", System::MariaDb, System::Postgres);
    source.sql(
        "CREATE TABLE made(id int AUTO_INCREMENT PRIMARY KEY, n int, v int AS (n * 2) VIRTUAL, s int AS (n * 3) STORED, hidden int INVISIBLE DEFAULT 9);
         INSERT INTO made(n) VALUES (1), (2);
         CREATE VIEW seen AS SELECT id, n FROM made;
         CREATE TABLE part(id int, y int) PARTITION BY HASH(y) PARTITIONS 4; INSERT INTO part VALUES (1, 1), (2, 2);
         CREATE TABLE empty(a int);",
    );
    let pipeline = Pipeline::new(&source, &target, "  '*': { verify: checksum }");
    for _ in 0..2 {
        assert_eq!(pipeline.done(), [0, 2, 2, 2]);
        assert_eq!(target.sql("SELECT id, n, v, s FROM made ORDER BY id"), "1\t1\t2\t3\n2\t2\t4\t6");
        assert_eq!(target.sql("SELECT sum(n) FROM seen"), "3");
    }

    let (source, target) = both("special", System::Sqlite, System::Postgres);
    source.sql(
        "CREATE TABLE made(id INTEGER PRIMARY KEY, n int, v int AS (n * 2) VIRTUAL, s int AS (n * 3) STORED);
         INSERT INTO made(n) VALUES (1), (2);
         CREATE VIEW seen AS SELECT id, n FROM made;
         CREATE TABLE rowless(a text PRIMARY KEY, b) WITHOUT ROWID; INSERT INTO rowless VALUES ('k', 1.5);
         CREATE TABLE strict(a int, b any) STRICT; INSERT INTO strict VALUES (1, x'00ff');
         CREATE TABLE untyped(a, b); INSERT INTO untyped VALUES (1, 'x'), ('y', 2.5), (NULL, x'41');",
    );
    let pipeline = Pipeline::new(&source, &target, "  '*': {}");
    for _ in 0..2 {
        assert_eq!(pipeline.done(), [2, 1, 2, 1, 3]);
        assert_eq!(target.sql("SELECT id, n, v, s FROM made ORDER BY id"), "1\t1\t2\t3\n2\t2\t4\t6");
    }
}

/// A column that the target computes is left to it, whatever the source has of that name.
#[test]
fn columns_that_the_target_computes_are_not_written() {
    for system in ALL {
        let (source, target) = both("computed", System::Postgres, system);
        source.sql(
            "CREATE TABLE t(id int PRIMARY KEY, n int, twice int GENERATED ALWAYS AS (n * 2) STORED);
             INSERT INTO t(id, n) SELECT i, i FROM generate_series(1, 1000) i",
        );
        let always = if system == System::MariaDb { "" } else { "GENERATED ALWAYS" };
        target.sql(&format!("CREATE TABLE t(id int PRIMARY KEY, n int, twice int {always} AS (n * 10) STORED)"));
        let merge = "{ read: incremental, cursor: id, write: merge, key: [id] }";
        for options in ["{ verify: checksum }", merge, "{ on_schema_change: freeze }"] {
            let pipeline = Pipeline::new(&source, &target, &format!("  public.t: {options}"));
            assert!(pipeline.done()[0] <= 1000, "{system:?}");
            assert_eq!(target.sql("SELECT count(*), sum(n), sum(twice) FROM t"), "1000\t500500\t5005000", "{options}");
        }
    }
}

/// What a replaced table has around it stays: views, grants, keys that point at it, triggers, comments, defaults.
#[test]
fn a_replaced_table_keeps_what_hangs_on_it() {
    let (source, target) = both("hang", System::Postgres, System::Postgres);
    source.sql("CREATE TABLE t(id int PRIMARY KEY, name text); INSERT INTO t VALUES (1, 'one'), (2, 'two')");
    let pipeline = Pipeline::new(&source, &target, "  public.t: {}");
    pipeline.done();
    target.sql(
        "DO $$ BEGIN CREATE ROLE levada_reader; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
         CREATE VIEW seen AS SELECT id, upper(name) AS name FROM t; GRANT SELECT ON t TO levada_reader;
         CREATE TABLE child(id int PRIMARY KEY, t int REFERENCES t(id)); INSERT INTO child VALUES (1, 1);
         CREATE INDEX mine ON t(name); COMMENT ON TABLE t IS 'mine'; ALTER TABLE t ADD COLUMN own int DEFAULT 7;",
    );
    source
        .sql("UPDATE t SET name = 'eins' WHERE id = 1; DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (3, 'three')");
    pipeline.done();
    assert_eq!(target.sql("SELECT * FROM seen ORDER BY id"), "1\tEINS\n3\tTHREE");
    assert_eq!(
        target.sql("SELECT has_table_privilege('levada_reader', 't', 'SELECT'), obj_description('t'::regclass)"),
        "t\tmine"
    );
    assert_eq!(target.sql("SELECT count(*) FROM pg_constraint WHERE contype = 'f'"), "1");
    assert_eq!(target.sql("SELECT count(*) FROM pg_indexes WHERE indexname = 'mine'"), "1");
    assert_eq!(target.sql("SELECT own FROM t WHERE id = 3"), "7", "a column of the target alone takes its default");
    // The row that is pointed at goes away: the load fails and changes nothing.
    source.sql("DELETE FROM t WHERE id = 1");
    let told = pipeline.run().failed(1);
    assert!(told.contains("child"), "{told}");
    assert_eq!(target.sql("SELECT count(*) FROM t"), "2");
    assert_eq!(target.stages(), "");
    target.sql("DROP OWNED BY levada_reader");

    let (source, target) = both("hang", System::MariaDb, System::MariaDb);
    source.sql("CREATE TABLE t(id int PRIMARY KEY, name varchar(20)); INSERT INTO t VALUES (1, 'one'), (2, 'two')");
    let pipeline = Pipeline::new(&source, &target, "  t: {}");
    pipeline.done();
    target.sql(
        "CREATE VIEW seen AS SELECT id, upper(name) AS name FROM t; CREATE USER IF NOT EXISTS levada_reader@localhost;
         GRANT SELECT ON t TO levada_reader@localhost;
         CREATE TABLE child(id int PRIMARY KEY, t int, FOREIGN KEY (t) REFERENCES t(id)); INSERT INTO child VALUES (1, 1);
         CREATE INDEX mine ON t(name); CREATE TABLE log(n int);
         CREATE TRIGGER told AFTER INSERT ON t FOR EACH ROW INSERT INTO log VALUES (NEW.id);",
    );
    source
        .sql("UPDATE t SET name = 'eins' WHERE id = 1; DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (3, 'three')");
    pipeline.done();
    assert_eq!(target.sql("SELECT * FROM seen ORDER BY id"), "1\tEINS\n3\tTHREE");
    assert!(target.sql("SHOW GRANTS FOR levada_reader@localhost").contains("`t`"));
    assert!(target.sql("SHOW CREATE TABLE child").contains("REFERENCES `t`"));
    assert!(target.sql("SHOW CREATE TABLE t").contains("`mine`"));
    assert_eq!(target.sql("SHOW TRIGGERS").lines().count(), 1);
    source.sql("DELETE FROM t WHERE id = 1");
    pipeline.run().failed(1);
    assert_eq!(target.sql("SELECT count(*) FROM t"), "2");
    assert_eq!(target.stages(), "");

    let (source, target) = both("hang", System::Sqlite, System::Sqlite);
    source.sql("CREATE TABLE t(id integer PRIMARY KEY, name text); INSERT INTO t VALUES (1, 'one'), (2, 'two')");
    let pipeline = Pipeline::new(&source, &target, "  t: {}");
    pipeline.done();
    target.sql("CREATE VIEW seen AS SELECT id, upper(name) AS name FROM t; CREATE INDEX mine ON t(name); CREATE TABLE child(t REFERENCES t(id)); INSERT INTO child VALUES (1);");
    source.sql("UPDATE t SET name = 'eins' WHERE id = 1; DELETE FROM t WHERE id = 2");
    pipeline.done();
    assert_eq!(target.sql("SELECT * FROM seen"), "1\tEINS");
    assert_eq!(target.sql("SELECT count(*) FROM sqlite_master WHERE name IN ('mine', 'seen', 'child')"), "3");
    assert_eq!(target.stages(), "");
}

/// A change of the source, and what becomes of the target under evolve, freeze and ignore_new.
struct Change {
    what: &'static str,
    postgres: &'static str,
    mariadb: &'static str,
    /// Columns and rows of the target after `evolve`.
    evolved: (&'static str, &'static str),
    /// Whether `ignore_new` takes it, and leaves the target's columns as they were.
    ignored: bool,
}

const CHANGES: [Change; 5] = [
    Change {
        what: "a column is added",
        postgres: "ALTER TABLE t ADD COLUMN d int; INSERT INTO t VALUES (3, 30, 'c', 3)",
        mariadb: "ALTER TABLE t ADD COLUMN d int; INSERT INTO t VALUES (3, 30, 'c', 3)",
        evolved: ("id n s d", "1\t10\ta\tNULL\n2\t20\tb\tNULL\n3\t30\tc\t3"),
        ignored: true,
    },
    Change {
        what: "a column is dropped",
        postgres: "ALTER TABLE t DROP COLUMN s; INSERT INTO t VALUES (3, 30)",
        mariadb: "ALTER TABLE t DROP COLUMN s; INSERT INTO t VALUES (3, 30)",
        evolved: ("id n s", "1\t10\tNULL\n2\t20\tNULL\n3\t30\tNULL"),
        ignored: false,
    },
    Change {
        what: "a column is renamed",
        postgres: "ALTER TABLE t RENAME s TO z",
        mariadb: "ALTER TABLE t RENAME COLUMN s TO z",
        evolved: ("id n s z", "1\t10\tNULL\ta\n2\t20\tNULL\tb"),
        ignored: false,
    },
    Change {
        what: "a column is widened",
        postgres: "ALTER TABLE t ALTER n TYPE bigint; INSERT INTO t VALUES (3, 5000000000, 'c')",
        mariadb: "ALTER TABLE t MODIFY n bigint NOT NULL; INSERT INTO t VALUES (3, 5000000000, 'c')",
        evolved: ("id n s", "1\t10\ta\n2\t20\tb\n3\t5000000000\tc"),
        ignored: false,
    },
    Change {
        what: "a column can be NULL",
        postgres: "ALTER TABLE t ALTER n DROP NOT NULL; INSERT INTO t VALUES (3, NULL, 'c')",
        mariadb: "ALTER TABLE t MODIFY n int; INSERT INTO t VALUES (3, NULL, 'c')",
        evolved: ("id n s", "1\t10\ta\n2\t20\tb\n3\tNULL\tc"),
        ignored: false,
    },
];

fn changes_between_runs(source_system: System, target_system: System, write: &str) {
    let (source, target) = both(&format!("change_{write}"), source_system, target_system);
    let text = if source_system == System::MariaDb { "varchar(20)" } else { "text" };
    let namespace = if source_system == System::Postgres { "public." } else { "" };
    for change in &CHANGES {
        for policy in ["evolve", "freeze", "ignore_new"] {
            let what = format!("{} under {policy}, {source_system:?} to {target_system:?}, {write}", change.what);
            println!("{what}");
            source.sql(&format!(
                "DROP TABLE IF EXISTS t; CREATE TABLE t(id int PRIMARY KEY, n int NOT NULL, s {text});
                 INSERT INTO t VALUES (1, 10, 'a'), (2, 20, 'b');"
            ));
            target.sql("DROP TABLE IF EXISTS t; DROP TABLE IF EXISTS _levada_positions");
            let streams = format!("  {namespace}t: {{ write: {write}, on_schema_change: {policy} }}");
            let pipeline = Pipeline::new(&source, &target, &streams);
            pipeline.done();
            let before = columns(&target);
            source.sql(if source_system == System::MariaDb { change.mariadb } else { change.postgres });
            let ran = pipeline.run();
            let found = || target.sql(&format!("SELECT {} FROM t ORDER BY id", columns(&target).replace(' ', ", ")));
            if policy == "evolve" {
                ran.done();
                // What is merged leaves the values of columns that are gone.
                let gone = write == "merge" && (change.what.ends_with("dropped") || change.what.ends_with("renamed"));
                let rows = if gone { found() } else { change.evolved.1.to_owned() };
                assert_eq!((columns(&target).as_str(), found()), (change.evolved.0, rows), "{what}");
                pipeline.done();
            } else if policy == "ignore_new" && change.ignored {
                ran.done();
                assert_eq!((columns(&target), found().lines().count()), (before, 3), "{what}");
            } else {
                let told = ran.failed(1);
                // That a column may hold NULL is no difference until it does.
                let wanted = if change.what.ends_with("NULL") { "null" } else { "on_schema_change" };
                assert!(told.to_lowercase().contains(wanted), "{what}: {told}");
                assert_eq!((columns(&target), found()), (before, "1\t10\ta\n2\t20\tb".to_owned()), "{what}");
            }
            assert_eq!(target.stages(), "", "{what}");
        }
    }
}

fn columns(database: &Database) -> String {
    let sql = match database.system() {
        System::Postgres => {
            "SELECT attname FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
        }
        System::MariaDb => {
            "SELECT column_name FROM information_schema.columns WHERE table_schema = database() AND table_name = 't' ORDER BY ordinal_position"
        }
        System::Sqlite => "SELECT name FROM pragma_table_info('t') ORDER BY cid",
    };
    database.sql(sql).replace('\n', " ")
}

#[test]
fn columns_change_in_postgres() {
    changes_between_runs(System::Postgres, System::Postgres, "replace");
    changes_between_runs(System::MariaDb, System::Postgres, "merge");
}

#[test]
fn columns_change_in_mariadb() {
    changes_between_runs(System::Postgres, System::MariaDb, "merge");
    changes_between_runs(System::MariaDb, System::MariaDb, "replace");
}

#[test]
fn columns_change_in_sqlite() {
    changes_between_runs(System::Postgres, System::Sqlite, "replace");
    changes_between_runs(System::MariaDb, System::Sqlite, "merge");
}
