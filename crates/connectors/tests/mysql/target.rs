//! What a destination must do beyond the conformance suite: crashes around the RENAME, tables that others build on, and
//! values the server would bend.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use levada_core::destination::{Destination, Promise, WriteMode};
use levada_core::error::ErrorKind;
use levada_core::schema::{Fit, Logical, NATIVE, OnSchemaChange, field};
use levada_testkit::conformance::Harness;
use levada_testkit::pump::{self, Job, Outcome};
use levada_testkit::rows::{self, Row, row};

use super::Database;

fn schema(columns: &[(&str, DataType)]) -> SchemaRef {
    Arc::new(Schema::new(
        columns.iter().map(|(name, t)| Field::new(*name, t.clone(), *name != "id")).collect::<Vec<_>>(),
    ))
}

pub fn pairs() -> SchemaRef {
    schema(&[("id", DataType::Int64), ("v", DataType::Utf8)])
}

pub fn numbered(range: std::ops::Range<i64>, v: &str) -> Vec<Row> {
    range.map(|id| row(&[Some(&id.to_string()), Some(v)])).collect()
}

fn destination(database: &Database) -> Arc<dyn Destination> {
    database.connection().destination().unwrap()
}

async fn load(database: &Database, job: &Job, schema: &SchemaRef, rows: &[Row]) -> levada_core::error::Result<Outcome> {
    pump::load(destination(database).as_ref(), job, schema, &[rows::batch(schema, rows)]).await
}

pub async fn values(database: &Database, table: &str) -> Vec<String> {
    let sql = format!("SELECT CONCAT(id, ' ', COALESCE(v, 'NULL')) FROM {table} ORDER BY id");
    database.texts(&sql).await.into_iter().flatten().collect()
}

/// The three states in which a crash around the RENAME can leave a stream.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_around_the_rename_is_settled_either_way() {
    let database = Database::new().await;
    let job = Job::new(None, "t");
    let first = load(&database, &job, &pairs(), &numbered(0..3, "a")).await.unwrap();
    let target = destination(&database);
    let pend = |load_id: &str, stage: &str, old: &str| {
        let pending = serde_json::json!({ "commit": { "key": { "pipeline": job.key.pipeline, "stream": job.key.stream },
            "target": "t", "load_id": load_id, "state": { "n": 2 }, "rows_written": 9, "rows_rejected": 0,
            "committed_at": "" }, "stage": stage, "old": old });
        format!("UPDATE _levada_positions SET pending = '{}'", pending.to_string().replace('\'', "''"))
    };
    // Announced, not renamed: the old commit holds, and the next load removes what is left.
    let prefix: String = database.texts("SELECT 'x'").await.into_iter().flatten().collect();
    assert_eq!(prefix, "x");
    database.run("CREATE TABLE staged (id BIGINT, v LONGTEXT)").await;
    database.run(&pend("second", "staged", "gone_o")).await;
    database.run("INSERT INTO _levada_rejects (load_id, pipeline, stream, target, reason, row_json, rejected_at) VALUES ('second', '', '', 't', 'r', '{}', NOW())").await;
    assert_eq!(target.committed(&job.key).await.unwrap().unwrap().load_id, first.load_id);
    let second = load(&database, &job, &pairs(), &numbered(0..4, "b")).await.unwrap();
    assert_eq!(values(&database, "t").await.len(), 4);
    assert!(database.texts("SELECT reason FROM _levada_rejects").await.is_empty());
    // Renamed, not taken over: the new commit holds.
    database.run("DROP TABLE staged").await;
    database.run(&pend("third", "staged", "gone_o")).await;
    let commit = target.committed(&job.key).await.unwrap().unwrap();
    assert_eq!((commit.load_id.as_str(), commit.rows_written), ("third", 9));
    assert_eq!(commit.state, serde_json::json!({ "n": 2 }));
    assert_ne!(second.load_id, "third");
    load(&database, &job, &pairs(), &numbered(0..5, "c")).await.unwrap();
    assert_eq!(values(&database, "t").await.len(), 5);
    // Half renamed by a server without atomic DDL: the old table gets its name back.
    let current = target.committed(&job.key).await.unwrap().unwrap().load_id;
    database.run("CREATE TABLE staged (id BIGINT, v LONGTEXT)").await;
    database.run("RENAME TABLE t TO t_o").await;
    database.run(&pend("fourth", "staged", "t_o")).await;
    assert_eq!(target.committed(&job.key).await.unwrap().unwrap().load_id, current);
    let _ = load(&database, &job, &pairs(), &numbered(0..6, "d")).await;
    load(&database, &job, &pairs(), &numbered(0..6, "e")).await.unwrap();
    assert_eq!(values(&database, "t").await[5], "5 e");
}

/// P9: foreign keys, triggers, views and column privileges outlive a replace.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replace_keeps_what_stands_on_the_table() {
    let database = Database::new().await;
    database.run("CREATE TABLE parent (id BIGINT PRIMARY KEY, v VARCHAR(9), extra INT DEFAULT 7)").await;
    database.run("CREATE TABLE child (id BIGINT PRIMARY KEY, p BIGINT, FOREIGN KEY (p) REFERENCES parent (id))").await;
    database.run("INSERT INTO parent (id, v) VALUES (1, 'old'), (2, 'old'), (3, 'old')").await;
    database.run("INSERT INTO child VALUES (1, 1)").await;
    let job = Job::new(None, "parent");
    let outcome = load(&database, &job, &pairs(), &[numbered(1..2, "n"), numbered(4..6, "n")].concat()).await.unwrap();
    let durable = outcome.durable;
    assert_eq!((durable.updated, durable.inserted, durable.deleted), (1, 2, 2));
    assert_eq!(values(&database, "parent").await, ["1 n", "4 n", "5 n"]);
    // A row that a child needs cannot go: the load fails as a whole.
    let error = load(&database, &job, &pairs(), &numbered(4..6, "m")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data, "{error}");
    assert_eq!(values(&database, "parent").await, ["1 n", "4 n", "5 n"]);
    assert!(database.remains().await.is_empty());

    database.run("CREATE TABLE fired (id BIGINT)").await;
    database.run("CREATE TABLE watched (id BIGINT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(9) NOT NULL COMMENT 'it''s NOT NULL')").await;
    database.run("CREATE TRIGGER w AFTER INSERT ON watched FOR EACH ROW INSERT INTO fired VALUES (NEW.id)").await;
    database.run("INSERT INTO watched VALUES (9, 'x')").await;
    let job = Job::new(None, "watched");
    let outcome = load(&database, &job, &pairs(), &numbered(0..3, "a")).await.unwrap();
    assert_eq!((outcome.durable.deleted, outcome.durable.inserted), (1, 3));
    // Zero stays zero in an AUTO_INCREMENT column, and the trigger fired for each row.
    assert_eq!(values(&database, "watched").await, ["0 a", "1 a", "2 a"]);
    assert_eq!(database.texts("SELECT CAST(id AS CHAR) FROM fired ORDER BY id").await.len(), 4);
}

/// Zero stays zero in an AUTO_INCREMENT column where the server puts together another one, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn zero_stays_zero_beside_bytes() {
    let database = Database::new().await;
    database.run("CREATE TABLE zero (id BIGINT PRIMARY KEY AUTO_INCREMENT, b BLOB)").await;
    let schema = schema(&[("id", DataType::Int64), ("b", DataType::Binary)]);
    let given = [row(&[Some("0"), Some("\\x00ff")]), row(&[Some("7"), None]), row(&[Some("-3"), Some("\\x")])];
    for write in [WriteMode::Replace, WriteMode::Merge] {
        let job = Job { key_columns: vec!["id".to_owned()], ..Job::new(None, "zero").write(write) };
        load(&database, &job, &schema, &given).await.unwrap();
        let found = database.texts("SELECT CONCAT(id, ' ', COALESCE(HEX(b), 'NULL')) FROM zero ORDER BY id").await;
        assert_eq!(found, ["-3 ", "0 00FF", "7 NULL"].map(|text| Some(text.to_owned())));
    }
}

/// A plain table is swapped: its definition stays, default values, comments, indexes and numbering too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_swap_keeps_the_definition() {
    let database = Database::new().await;
    database.run("CREATE TABLE t (id BIGINT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(9) NOT NULL DEFAULT 'd' COMMENT 'c', e INT DEFAULT 5, KEY (v)) COMMENT 'mine'").await;
    database.run("INSERT INTO t VALUES (50, 'x', 1)").await;
    let sql = "SELECT CONCAT(COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, COALESCE(COLUMN_DEFAULT, ''), COLUMN_COMMENT, COLUMN_KEY, EXTRA) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 't'";
    let before = database.texts(sql).await;
    let mut job = Job::new(None, "t").parallel(2);
    job.on_schema_change = OnSchemaChange::Freeze;
    let outcome = load(&database, &job, &pairs(), &numbered(0..3, "a")).await.unwrap();
    assert_eq!((outcome.durable.deleted, outcome.durable.inserted), (1, 3));
    assert_eq!(database.texts(sql).await, before);
    assert_eq!(database.texts("SELECT DISTINCT CAST(e AS CHAR) FROM t").await, [Some("5".to_owned())]);
    // the number of a row that is gone does not come again
    database.run("INSERT INTO t (v) VALUES ('next')").await;
    assert_eq!(database.texts("SELECT CAST(id AS CHAR) FROM t WHERE v = 'next'").await, [Some("51".to_owned())]);
}

/// Values that the server would cut, round or replace are refused one by one, with the column's name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_bent_to_fit() {
    let cases: [(&str, DataType, &[(&str, bool)]); 15] = [
        ("VARCHAR(3)", DataType::Utf8, &[("äöü", true), ("abcd", false), ("ab ", true), ("abc ", false)]),
        ("CHAR(3)", DataType::Utf8, &[("abc", true), ("ab ", false)]),
        ("TINYTEXT", DataType::Utf8, &[("x", true), ("@256", false)]),
        ("VARCHAR(9) CHARACTER SET utf8mb3", DataType::Utf8, &[("ü", true), ("😀", false)]),
        ("VARCHAR(9) CHARACTER SET latin1", DataType::Utf8, &[("ü€", true), ("ł", false), ("😀", false)]),
        ("ENUM('a','B','1')", DataType::Utf8, &[("a", true), ("b", false), ("2", false), ("", false), ("1", true)]),
        ("SET('a','b')", DataType::Utf8, &[("a,b", true), ("b,a", false), ("c", false), ("", true)]),
        ("JSON", DataType::Utf8, &[("{\"a\":1}", true), ("{", false)]),
        (
            "TINYINT UNSIGNED",
            DataType::Utf8,
            &[("255", true), ("256", false), ("-1", false), ("1.5", false), ("x", false)],
        ),
        ("DECIMAL(4,2)", DataType::Utf8, &[("12.34", true), ("1.234", false), ("123", false)]),
        ("DATE", DataType::Date32, &[("9999-12-31", true), ("-0001-01-01", false), ("12024-01-01", false)]),
        (
            "DATETIME",
            levada_core::schema::timestamp(),
            &[("2024-01-01T00:00:00", true), ("2024-01-01T00:00:00.5", false)],
        ),
        (
            "TIMESTAMP(6) NULL",
            levada_core::schema::timestamp_utc(),
            &[("2024-01-01T00:00:00.000001Z", true), ("1970-01-01T00:00:00Z", false), ("2038-01-19T03:14:08Z", false)],
        ),
        (
            "TIME(6)",
            DataType::Duration(arrow_schema::TimeUnit::Microsecond),
            &[("838:59:59", true), ("-839:00:00", false)],
        ),
        ("DOUBLE", DataType::Float64, &[("0.1", true), ("NaN", false), ("-Infinity", false), ("5e-324", true)]),
    ];
    let database = Database::new().await;
    let mut wrong = Vec::new();
    for (index, (native, from, values)) in cases.into_iter().enumerate() {
        for mode in [WriteMode::Append, WriteMode::Replace] {
            let table = format!("b{index}{}", mode == WriteMode::Append);
            database.run(&format!("CREATE TABLE {table} (id BIGINT NOT NULL, v {native})")).await;
            let mut job = Job::new(None, &table).write(mode);
            job.quarantine = true;
            let schema = schema(&[("id", DataType::Int64), ("v", from.clone())]);
            let value = |text: &str| text.strip_prefix('@').map_or(text.to_owned(), |n| "x".repeat(n.parse().unwrap()));
            let given: Vec<Row> =
                values.iter().enumerate().map(|(n, (text, _))| vec![Some(n.to_string()), Some(value(text))]).collect();
            let outcome = match load(&database, &job, &schema, &given).await {
                Ok(outcome) => outcome,
                Err(error) => {
                    wrong.push(format!("{native}: {error}"));
                    continue;
                }
            };
            let kept = database.texts(&format!("SELECT CAST(id AS CHAR) FROM {table} ORDER BY id")).await;
            let expected: Vec<Option<String>> =
                values.iter().enumerate().filter(|(_, (_, good))| *good).map(|(n, _)| Some(n.to_string())).collect();
            if kept != expected
                || outcome.written as usize != expected.len()
                || outcome.rejects.len() != values.len() - expected.len()
            {
                wrong.push(format!("{native}: kept {kept:?}, expected {expected:?}, rejects {:?}", outcome.rejects));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Bytes that are no geometry are refused, not stored as NULL.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_geometries_are_refused() {
    let database = Database::new().await;
    database.run("CREATE TABLE g (id BIGINT NOT NULL, v GEOMETRY)").await;
    let mut job = Job::new(None, "g").write(WriteMode::Append);
    job.quarantine = true;
    let wkb = levada_core::schema::field("v", DataType::Binary, true, "x:y", Some(levada_core::schema::Logical::Wkb));
    let schema = Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, false), wkb]));
    let given = [
        row(&[Some("1"), Some("\\x0101000000000000000000f03f0000000000000040")]),
        row(&[Some("2"), Some("\\x0102")]),
        row(&[Some("3"), None]),
    ];
    let outcome = load(&database, &job, &schema, &given).await.unwrap();
    assert_eq!((outcome.written, outcome.rejects.len()), (2, 1), "{:?}", outcome.rejects);
    let fit = &outcome.plan.columns[1].fit;
    assert!(matches!(fit, Fit::Checked(note) if note.contains("the SRID is not kept")), "{fit:?}");
}

/// A geometry of a reference system arrives without it, in a new table too, and the plan says so before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_geometry_loses_its_srid_as_the_plan_says() {
    let database = Database::new().await;
    database.run("CREATE TABLE g (id BIGINT NOT NULL PRIMARY KEY, v POINT)").await;
    database.run("INSERT INTO g VALUES (1, ST_GeomFromText('POINT(1 2)', 4326))").await;
    let source = database.connection().source().unwrap();
    let stream = source.discover(Some("g")).await.unwrap().remove(0);
    let job = Job::new(None, "h");
    let outcome = pump::pump(source.as_ref(), &stream, destination(&database).as_ref(), &job).await.unwrap();
    let fit = &outcome.plan.columns[1].fit;
    assert!(matches!(fit, Fit::Checked(note) if note.contains("the SRID is not kept")), "{fit:?}");
    let found = database.texts("SELECT CONCAT(ST_AsText(v), ' ', ST_SRID(v)) FROM h").await;
    assert_eq!(found, [Some("POINT(1 2) 0".to_owned())]);
}

/// Without transactions a load may repeat rows after a crash, and the plan says so before it starts; but where two tables change
/// names, it is all or nothing in any engine.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_without_transactions_is_declared() {
    let database = Database::new().await;
    database.run("CREATE TABLE m (id BIGINT PRIMARY KEY, v TEXT) ENGINE=MyISAM").await;
    for (mode, quarantine, is_declared) in
        [(WriteMode::Replace, false, false), (WriteMode::Replace, true, true), (WriteMode::Merge, false, true)]
    {
        let job = if mode == WriteMode::Merge { Job::new(None, "m").merge(&["id"]) } else { Job::new(None, "m") };
        let outcome = load(&database, &Job { quarantine, ..job }, &pairs(), &numbered(0..3, "a")).await.unwrap();
        assert_eq!(matches!(outcome.plan.promise, Promise::AtLeastOnce(_)), is_declared, "{mode:?} {quarantine}");
        assert_eq!(values(&database, "m").await, ["0 a", "1 a", "2 a"]);
    }
    let engine = "SELECT ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'm'";
    assert_eq!(database.texts(engine).await, [Some("MyISAM".to_owned())]);
    // a row that the target refuses leaves it as it was, also after others of its batch were stored
    let doubled: Vec<Row> = (5..200).chain([7]).map(|n: i32| row(&[Some(&n.to_string()), Some("b")])).collect();
    load(&database, &Job::new(None, "m"), &pairs(), &doubled).await.unwrap_err();
    assert_eq!(values(&database, "m").await, ["0 a", "1 a", "2 a"]);
}

/// A stage made like a table without rows of its own leads to the same rows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_are_those_of_another_table_are_not_replaced() {
    let database = Database::new().await;
    database.run("CREATE TABLE own (id BIGINT, v TEXT) ENGINE=MyISAM").await;
    database.run("CREATE TABLE led (id BIGINT, v TEXT) ENGINE=MRG_MyISAM UNION=(own) INSERT_METHOD=LAST").await;
    database.run("INSERT INTO own VALUES (9, 'old')").await;
    let error = load(&database, &Job::new(None, "led"), &pairs(), &numbered(0..3, "a")).await.unwrap_err();
    assert!(error.to_string().contains("are those of other tables"), "{error}");
    assert_eq!(values(&database, "own").await, ["9 old"]);
}

/// How long a text is in bytes depends on the character set of its column.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_are_as_long_as_in_their_character_set() {
    let database = Database::new().await;
    database.run("CREATE TABLE l (id BIGINT, v TINYTEXT CHARACTER SET latin1)").await;
    let text = |letters: usize| [row(&[Some("1"), Some(&"é".repeat(letters))])];
    load(&database, &Job::new(None, "l"), &pairs(), &text(255)).await.unwrap();
    load(&database, &Job::new(None, "l"), &pairs(), &text(256)).await.unwrap_err();
    let length = "SELECT CONCAT(LENGTH(v), ' ', CHAR_LENGTH(v)) FROM l";
    assert_eq!(database.texts(length).await, [Some("255 255".to_owned())]);
    database.run("CREATE TABLE u (id BIGINT, v TINYTEXT CHARACTER SET utf8mb4)").await;
    load(&database, &Job::new(None, "u"), &pairs(), &text(128)).await.unwrap_err();
}

/// Keys of a new table are exact: case, accents and blanks at the end tell them apart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_keys_are_exact() {
    let database = Database::new().await;
    let schema =
        Arc::new(Schema::new(vec![Field::new("id", DataType::Utf8, false), Field::new("v", DataType::Utf8, true)]));
    let keys = ["a", "A", "a ", "ä", "", " ", "\\", "ﬁ", "fi"];
    let given: Vec<Row> = keys.iter().map(|key| row(&[Some(key), Some("1")])).collect();
    let job = Job::new(None, "k").merge(&["id"]);
    for round in 0..2 {
        let outcome = load(&database, &job, &schema, &given).await.unwrap();
        let durable = outcome.durable;
        let expected = if round == 0 { (9, 0, 0) } else { (0, 9, 0) };
        assert_eq!((durable.inserted, durable.updated, durable.superseded), expected);
    }
    let twice = load(&database, &Job::new(None, "r"), &schema, &given).await;
    twice.unwrap();
}

/// Edge values of every canonical type come back, but for the floats that the server does not have: NaN and infinities
/// are refused, and a negative zero is what the server makes of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_canonical_type_comes_back() {
    use levada_testkit::conformance::values;
    let database = Database::new().await;
    let source = database.connection().source().unwrap();
    let negative_zero = database.negative_zero().await;
    let mut wrong = Vec::new();
    for column in values::table() {
        let schema = column.schema();
        let is_float = matches!(column.data_type, DataType::Float32 | DataType::Float64);
        let is_absent = |value: &Option<String>| {
            is_float && value.as_deref().is_some_and(|v| matches!(v, "NaN" | "Infinity" | "-Infinity"))
        };
        let mut job = Job::new(None, column.name);
        job.quarantine = true;
        let given = column.rows();
        let outcome = match load(&database, &job, &schema, &given).await {
            Ok(outcome) => outcome,
            Err(error) => {
                wrong.push(format!("{}: {error}", column.name));
                continue;
            }
        };
        let absent = given.iter().filter(|row| is_absent(&row[1])).count();
        if outcome.rejects.len() != absent {
            wrong.push(format!("{}: rejects {:?}", column.name, outcome.rejects));
        }
        let info = source.discover(Some(&outcome.target)).await.unwrap().remove(0);
        let (batches, _) = pump::read(source.as_ref(), &info, info.schema.clone(), &job).await.unwrap();
        let found = rows::sorted(&batches, &schema);
        let given = rows::sorted(&[levada_core::batch::Batch::arrow(rows::batch(&schema, &given))], &schema);
        for (given, found) in given.iter().filter(|row| !is_absent(&row[1])).zip(found) {
            let is_negative_zero = is_float && given[1].as_deref() == Some("-0");
            let wanted = if is_negative_zero { Some(negative_zero.to_owned()) } else { given[1].clone() };
            if !values::equal(column.logical, &wanted, &found[1]) {
                wrong.push(format!("{}: gave {:?}, found {:?}", column.name, given[1], found[1]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A user who may only read is told so before anything is written, and can read all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_with_few_rights_reads_and_is_told_what_is_missing() {
    let database = Database::new().await;
    let user = format!("u{}", database.name.trim_start_matches("levada_mysql_"));
    database.run("CREATE TABLE big (id BIGINT PRIMARY KEY, v LONGTEXT)").await;
    database.run("INSERT INTO big SELECT seq, 'x' FROM seq_1_to_60000").await;
    database.run("ANALYZE TABLE big").await;
    database.run(&format!("CREATE USER {user} IDENTIFIED BY 'se cret'")).await;
    database.run(&format!("GRANT SELECT ON {}.* TO {user}", database.name)).await;
    let mut url = url::Url::parse(&database.url()).unwrap();
    url.set_username(&user).unwrap();
    url.set_password(Some("se cret")).unwrap();
    let registry = levada_connectors::registry();
    let connect = |url: &str| registry.get("mysql").unwrap().connect(serde_json::json!({ "url": url })).unwrap();
    let connection = connect(url.as_str());
    let source = connection.clone().source().unwrap();
    let info = source.discover(Some("big")).await.unwrap().remove(0);
    let job = Job::new(None, "big").parallel(3);
    let (batches, _) = pump::read(source.as_ref(), &info, info.schema.clone(), &job).await.unwrap();
    assert_eq!(batches.iter().map(levada_core::batch::Batch::rows).sum::<u64>(), 60_000);
    let target = connection.destination().unwrap();
    let job = Job::new(None, "fresh");
    let error = pump::load(target.as_ref(), &job, &pairs(), &[rows::batch(&pairs(), &numbered(0..3, "a"))]).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Permission, "{error}");
    url.set_password(Some("wr ong")).unwrap();
    let error = connect(url.as_str()).source().unwrap().discover(None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth, "{error}");
    assert!(!format!("{error} {error:?}").contains("wr"), "{error}");
    let steps = connect(url.as_str()).check().await;
    assert_eq!(steps.iter().map(|step| step.step).collect::<Vec<_>>(), ["name", "tcp", "tls", "auth"]);
    assert!(steps.last().is_some_and(|step| step.outcome.is_err()));
    database.run(&format!("DROP USER {user}")).await;
}

/// What the server says about an update is heard although an insert comes after it.
#[tokio::test]
async fn a_value_that_an_update_would_bend_ends_the_merge() {
    let database = Database::new().await;
    database
        .run(
            "CREATE TABLE t (id BIGINT PRIMARY KEY, v VARCHAR(20), g DECIMAL(5,1) AS (CAST(v AS DECIMAL(5,2))) STORED)",
        )
        .await;
    database.run("INSERT INTO t (id, v) VALUES (1, '0')").await;
    let job = Job::new(None, "t").merge(&["id"]);
    let given = [row(&[Some("1"), Some("1.25")]), row(&[Some("2"), Some("1.5")])];
    let error = load(&database, &job, &pairs(), &given).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data, "{error}");
    assert_eq!(values(&database, "t").await, ["1 0"]);
}

/// A text column remembers what it was elsewhere, until something else goes into it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_type_of_another_system_comes_back() {
    let database = Database::new().await;
    let of = |native: &str, logical| {
        let fields = vec![Field::new("id", DataType::Int64, false), field("v", DataType::Utf8, true, native, logical)];
        Arc::new(Schema::new(fields))
    };
    let found = async || {
        let source = database.connection().source().unwrap();
        let stream = source.discover(Some("t")).await.unwrap().remove(0);
        let column = stream.schema.field_with_name("v").unwrap().clone();
        (column.metadata().get(NATIVE).unwrap().clone(), Logical::of(&column))
    };
    let job = Job::new(None, "t");
    let inet = of("postgres:inet", Some(Logical::Foreign));
    load(&database, &job, &inet, &numbered(0..3, "10.0.0.1/8")).await.unwrap();
    for _ in 0..2 {
        assert_eq!(found().await, ("postgres:inet".to_owned(), Some(Logical::Foreign)));
        load(&database, &job, &inet, &numbered(0..4, "10.0.0.2/8")).await.unwrap();
    }
    load(&database, &job, &of("postgres:text", None), &numbered(0..5, "anything")).await.unwrap();
    assert_eq!(found().await, ("mysql:longtext".to_owned(), None));
    assert_eq!(values(&database, "t").await.len(), 5);
}
