//! What only SQLite does: dynamic typing under declared types, tables that others made, locks, damaged files.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use levada_core::batch::{Batch, Data, Reject};
use levada_core::destination::WriteMode;
use levada_core::error::ErrorKind;
use levada_core::schema::{Logical, NATIVE, field, type_name};
use levada_core::source::{ReadMode, ReadRequest, Source, StreamInfo};
use levada_testkit::conformance::Harness;
use levada_testkit::pump::{self, Job};
use levada_testkit::rows::{self, Row, row};
use serde_json::json;

use super::OneFile;

async fn stream(file: &OneFile, name: &str) -> StreamInfo {
    let source = file.connection().source().unwrap();
    source.discover(Some(name)).await.unwrap().pop().expect("the stream is there")
}

async fn read(file: &OneFile, name: &str) -> (Vec<Row>, Vec<Reject>) {
    let source: Arc<dyn Source> = file.connection().source().unwrap();
    let stream = stream(file, name).await;
    let job = Job::new(None, name);
    let (batches, _) = pump::read(source.as_ref(), &stream, stream.schema.clone(), &job).await.unwrap();
    let (mut all, mut rejects) = (Vec::new(), Vec::new());
    for batch in batches {
        let Data::Arrow(data) = &batch.data else { panic!("raw rows") };
        all.extend(rows::of(data));
        rejects.extend(batch.rejects);
    }
    (all, rejects)
}

fn types(stream: &StreamInfo) -> Vec<String> {
    stream.schema.fields().iter().map(|field| format!("{} {}", field.name(), type_name(field))).collect()
}

#[tokio::test]
async fn declared_types_say_what_columns_are() {
    let file = OneFile::new();
    file.sql(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a BIGINT NOT NULL, b BOOLEAN, c DECIMAL(10,2), d NUMERIC, e VARCHAR(20),
         f DATETIME, g DATE, h TIME, i JSON, j BLOB, k REAL, l UUID, m, n TIMESTAMP, o DATETIME, p NVARCHAR(10) DEFAULT 'x');
         INSERT INTO t VALUES (1, 2, 1, 12.5, 1.10, 'x', '2024-01-02 03:04:05', '2024-01-02', '03:04', '{\"a\":1}', x'00ff',
         1.5, '123e4567-e89b-12d3-a456-426614174000', 'free', '2024-01-02T03:04:05+02:00', 1700000000, 'y');",
    );
    let stream = stream(&file, "t").await;
    let expected = "id int64|a int64|b bool|c decimal(10,2)|d number|e text|f timestamp|g date|h time|i json|j bytes|\
                    k float64|l uuid|m text|n timestamptz|o int64|p text";
    assert_eq!(types(&stream), expected.split('|').collect::<Vec<_>>());
    assert_eq!(stream.key, ["id"]);
    assert!(!stream.schema.field(0).is_nullable() && !stream.schema.field(1).is_nullable());
    let (all, rejects) = read(&file, "t").await;
    assert!(rejects.is_empty(), "{rejects:?}");
    let texts: Vec<&str> = all[0].iter().map(|v| v.as_deref().unwrap()).collect();
    let expected = "1|2|true|12.50|1.1|x|2024-01-02T03:04:05|2024-01-02|03:04:00|{\"a\":1}|\\x00ff|1.5|\
                    123e4567-e89b-12d3-a456-426614174000|free|2024-01-02T01:04:05Z|1700000000|y";
    assert_eq!(texts, expected.split('|').collect::<Vec<_>>());
}

#[tokio::test]
async fn values_of_another_form_are_rejected_with_their_reason() {
    let file = OneFile::new();
    file.sql(
        "CREATE TABLE t (id INTEGER, n INTEGER, d DECIMAL(6,2), s TEXT, f REAL, b BOOLEAN);
         INSERT INTO t VALUES (1, 1, 1.5, 'good', 1.5, 0), (2, 'abc', 1, 'x', 1, 1), (3, 1.5, 1, 'x', 1, 1),
         (4, 1, 1.005, 'x', 1, 1), (5, 1, 12345.5, 'x', 1, 1), (6, 1, 1, x'ff', 1, 1), (7, 1, 1, CAST(x'ff' AS TEXT), 1, 1),
         (8, 1, 1, 'x', 'abc', 1), (9, 1, 1, 'x', 9007199254740993, 1), (10, x'00', 1, 'x', 1, 1), (11, NULL, NULL, NULL, NULL, NULL);",
    );
    let (good, rejects) = read(&file, "t").await;
    let ids: Vec<_> = good.iter().map(|row| row[0].clone().unwrap()).collect();
    // A column of REAL affinity has turned the large integer into a double when it was inserted.
    assert_eq!(ids, ["1", "9", "11"]);
    let columns: Vec<_> = rejects.iter().map(|r| r.column.as_deref().unwrap()).collect();
    assert_eq!(columns, ["n", "n", "d", "d", "s", "s", "f", "n"]);
    assert!(rejects[0].reason.contains("abc") && rejects[0].row.contains("\"2\""), "{:?}", rejects[0]);
    assert!(rejects[5].reason.contains("UTF-8"), "{:?}", rejects[5]);
}

#[tokio::test]
async fn columns_without_a_type_and_views_are_told_by_all_their_values() {
    let file = OneFile::new();
    file.sql(
        "CREATE TABLE t (i, f, g, s, b, m, e, q ANY);
         INSERT INTO t VALUES (1, 1, 9007199254740993, 'x', x'00', 1, NULL, 1), (2, 1.5, 1.5, 'y', x'01', x'ff', NULL, 'two');
         CREATE VIEW v AS SELECT i + 1 AS j, upper(s) AS u, CAST(f AS TEXT) AS c, i FROM t;",
    );
    let expected = "i int64|f float64|g number|s text|b bytes|m text|e text|q text";
    assert_eq!(types(&stream(&file, "t").await), expected.split('|').collect::<Vec<_>>());
    let (all, rejects) = read(&file, "t").await;
    assert!(rejects.is_empty(), "{rejects:?}");
    assert_eq!(all[1][5].as_deref(), Some("\\xff"));
    assert_eq!(all[0][2].as_deref(), Some("9007199254740993"));
    assert_eq!(types(&stream(&file, "v").await), ["j int64", "u text", "c text", "i int64"]);
    assert_eq!(read(&file, "v").await.0[0], row(&[Some("2"), Some("X"), Some("1"), Some("1")]));
}

#[tokio::test]
async fn triggers_references_and_generated_columns_survive_a_replace() {
    let file = OneFile::new();
    file.sql(
        "CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT, loud TEXT GENERATED ALWAYS AS (upper(name)) STORED);
         CREATE TABLE child (parent INTEGER REFERENCES parent(id) ON DELETE CASCADE);
         CREATE TABLE log (what TEXT);
         CREATE TRIGGER noted AFTER INSERT ON parent BEGIN INSERT INTO log VALUES (new.name); END;
         INSERT INTO parent VALUES (1, 'old'); INSERT INTO child VALUES (1);",
    );
    let destination = file.connection().destination().unwrap();
    let schema =
        Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, false), Field::new("name", DataType::Utf8, true)]));
    let described = destination.describe("parent").await.unwrap().unwrap();
    assert_eq!(described.schema.fields().len(), 2, "generated columns are no target");
    let batch = rows::batch(&schema, &[row(&[Some("1"), Some("new")])]);
    pump::load(destination.as_ref(), &Job::new(None, "parent"), &schema, &[batch]).await.unwrap();
    assert_eq!(file.one::<String>("SELECT loud FROM parent"), "NEW");
    assert_eq!(file.one::<i64>("SELECT count(*) FROM child"), 1, "no cascade");
    assert_eq!(file.one::<i64>("SELECT count(*) FROM log WHERE what = 'new'"), 1, "the trigger is alive");
    assert_eq!(read(&file, "parent").await.0, [row(&[Some("1"), Some("new"), Some("NEW")])]);
}

#[tokio::test]
async fn a_trigger_that_ends_the_transaction_ends_the_load() {
    let file = OneFile::new();
    file.sql(
        "CREATE TABLE t (id INTEGER);
         CREATE TRIGGER no BEFORE INSERT ON t WHEN new.id = 3 BEGIN SELECT RAISE(ROLLBACK, 'three is refused'); END;
         INSERT INTO t VALUES (0);",
    );
    let destination = file.connection().destination().unwrap();
    let schema = Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, true)]));
    let all: Vec<Row> = (1..6).map(|id| vec![Some(id.to_string())]).collect();
    let job = Job { quarantine: true, ..Job::new(None, "t").write(WriteMode::Append) };
    let error = pump::load(destination.as_ref(), &job, &schema, &[rows::batch(&schema, &all)]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data, "{error}");
    assert!(error.to_string().contains("three is refused"), "{error}");
    assert_eq!(file.one::<i64>("SELECT count(*) FROM t"), 1, "nothing was written outside of a transaction");
}

#[tokio::test]
async fn a_row_that_the_table_drops_in_silence_is_not_counted_as_written() {
    let file = OneFile::new();
    file.sql(
        "CREATE TABLE u (id INTEGER UNIQUE ON CONFLICT IGNORE); INSERT INTO u VALUES (2);
         CREATE TABLE g (id INTEGER);
         CREATE TRIGGER no BEFORE INSERT ON g WHEN new.id = 2 BEGIN SELECT RAISE(IGNORE); END;",
    );
    let destination = file.connection().destination().unwrap();
    let schema = Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, true)]));
    let all: Vec<Row> = (1..4).map(|id| vec![Some(id.to_string())]).collect();
    for (table, rows) in [("u", 3), ("g", 2)] {
        let batch = rows::batch(&schema, &all);
        let job = Job::new(None, table).write(WriteMode::Append);
        let strict = pump::load(destination.as_ref(), &job, &schema, std::slice::from_ref(&batch)).await;
        let error = strict.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data, "{error}");
        let job = Job { quarantine: true, ..job };
        let outcome = pump::load(destination.as_ref(), &job, &schema, &[batch]).await.unwrap();
        assert_eq!((outcome.written, outcome.durable.inserted, outcome.rejects.len()), (2, 2, 1), "{table}");
        assert!(outcome.rejects[0].reason.contains("IGNORE"), "{:?}", outcome.rejects);
        assert_eq!(file.one::<i64>(&format!("SELECT count(*) FROM {table}")), rows);
    }
}

#[tokio::test]
async fn a_table_that_deletes_rows_for_new_ones_is_refused_by_the_plan() {
    let file = OneFile::new();
    file.sql(
        "CREATE TABLE r (id INTEGER, v TEXT UNIQUE on /* so */ conflict\n -- it says\n Replace);
         CREATE TABLE fine (id INTEGER, v TEXT DEFAULT 'ON CONFLICT REPLACE');",
    );
    let destination = file.connection().destination().unwrap();
    let schema = Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, true)]));
    let job = Job::new(None, "R").write(WriteMode::Append);
    let spec = pump::spec(destination.as_ref(), &job, &schema).await.unwrap();
    let error = destination.plan(&spec).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Schema && error.to_string().contains("ON CONFLICT REPLACE"), "{error}");
    let batch = rows::batch(&schema, &[row(&[Some("1")])]);
    pump::load(destination.as_ref(), &Job::new(None, "fine").write(WriteMode::Append), &schema, &[batch])
        .await
        .unwrap();
}

#[tokio::test]
async fn foreign_types_are_remembered_for_the_way_back() {
    let file = OneFile::new();
    let natives = ["postgres:inet", "postgres:int4range", "postgres:my \"odd\" type", "postgres:numeric[]"];
    let fields: Vec<_> = natives
        .iter()
        .enumerate()
        .map(|(n, native)| field(&format!("c{n}"), DataType::Utf8, true, native, Some(Logical::Foreign)))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let destination = file.connection().destination().unwrap();
    let given = row(&[Some("10.0.0.1"), Some("007"), Some("1.10"), Some("{1}")]);
    let batch = rows::batch(&schema, std::slice::from_ref(&given));
    let job = Job::new(None, "t").write(WriteMode::Append);
    pump::load(destination.as_ref(), &job, &schema, std::slice::from_ref(&batch)).await.unwrap();
    pump::load(destination.as_ref(), &job, &schema, &[batch]).await.unwrap();
    let found = stream(&file, "t").await;
    for (field, native) in found.schema.fields().iter().zip(natives) {
        assert_eq!(field.metadata()[NATIVE], native);
        assert_eq!(Logical::of(field), Some(Logical::Foreign));
    }
    assert_eq!(read(&file, "t").await.0, [given.clone(), given]);
}

#[tokio::test]
async fn texts_that_affinity_would_change_are_rejected() {
    let file = OneFile::new();
    file.sql("CREATE TABLE t (s JSON, d DECIMAL(30,10), n NUMERIC)");
    let destination = file.connection().destination().unwrap();
    let described = destination.describe("t").await.unwrap().unwrap();
    let given = [
        row(&[Some("{}"), Some("1.5000000000"), Some("1.5")]),
        row(&[Some("1.5"), Some("12345678901234567890.1234567890"), Some("1")]),
        row(&[Some("007"), Some("1.0000000000"), Some("1")]),
        row(&[Some("[]"), Some("1.0000000000"), Some("12345678901234567890")]),
    ];
    let job = Job { quarantine: true, ..Job::new(None, "t") };
    let batch = rows::batch(&described.schema, &given);
    let outcome = pump::load(destination.as_ref(), &job, &described.schema, &[batch]).await.unwrap();
    assert_eq!((outcome.written, outcome.rejects.len()), (1, 3), "{:?}", outcome.rejects);
    assert_eq!(read(&file, "t").await.0, [given[0].clone()]);
}

#[tokio::test]
async fn a_strict_table_takes_what_it_declares() {
    let file = OneFile::new();
    file.sql("CREATE TABLE t (i INTEGER, s TEXT, r REAL, b BLOB) STRICT");
    let destination = file.connection().destination().unwrap();
    let schema = Arc::new(Schema::new(vec![
        Field::new("i", DataType::Int32, true),
        Field::new("s", DataType::Date32, true),
        Field::new("r", DataType::Float32, true),
        Field::new("b", DataType::Binary, true),
    ]));
    let given = row(&[Some("1"), Some("2024-01-01"), Some("0.1"), Some("\\x00")]);
    let batch = rows::batch(&schema, std::slice::from_ref(&given));
    pump::load(destination.as_ref(), &Job::new(None, "t"), &schema, &[batch]).await.unwrap();
    let found = read(&file, "t").await.0;
    assert_eq!(found, [row(&[Some("1"), Some("2024-01-01"), Some("0.1"), Some("\\x00")])]);
}

#[tokio::test]
async fn a_merge_gives_a_table_the_index_it_lacks_and_refuses_one_with_double_keys() {
    let file = OneFile::new();
    file.sql("CREATE TABLE t (id INTEGER, v TEXT); INSERT INTO t VALUES (1, 'a'), (2, 'b')");
    let destination = file.connection().destination().unwrap();
    let schema =
        Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, false), Field::new("v", DataType::Utf8, true)]));
    let job = Job::new(None, "t").merge(&["id"]);
    let batch = rows::batch(&schema, &[row(&[Some("2"), Some("c")]), row(&[Some("3"), Some("d")])]);
    let spec = pump::spec(destination.as_ref(), &job, &schema).await.unwrap();
    let plan = destination.plan(&spec).await.unwrap();
    assert!(plan.ddl.iter().any(|ddl| ddl.starts_with("CREATE UNIQUE INDEX")), "{:?}", plan.ddl);
    let outcome = pump::load(destination.as_ref(), &job, &schema, std::slice::from_ref(&batch)).await.unwrap();
    assert_eq!((outcome.durable.inserted, outcome.durable.updated), (1, 1));
    file.sql("DROP INDEX t_levada_key; INSERT INTO t VALUES (1, 'again')");
    let error = pump::load(destination.as_ref(), &job, &schema, &[batch]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Schema, "{error}");
}

#[tokio::test]
async fn another_process_that_writes_is_waited_for_and_then_named() {
    let file = OneFile::new();
    let other = rusqlite::Connection::open(&file.path).unwrap();
    other
        .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE x (a); BEGIN IMMEDIATE; INSERT INTO x VALUES (1)")
        .unwrap();
    let settings = json!({ "path": file.path.to_str().unwrap(), "busy_timeout_s": 1 });
    let connection = levada_connectors::registry().get("sqlite").unwrap().connect(settings).unwrap();
    let destination = connection.clone().destination().unwrap();
    let schema = Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, true)]));
    let error = pump::load(destination.as_ref(), &Job::new(None, "t"), &schema, &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
    // Readers do not wait.
    assert_eq!(connection.source().unwrap().discover(None).await.unwrap().len(), 1);
    other.execute_batch("COMMIT").unwrap();
    pump::load(destination.as_ref(), &Job::new(None, "t"), &schema, &[]).await.unwrap();
}

/// Whoever has the file open by then either keeps it or is told; nobody writes to a file that is gone.
#[tokio::test]
async fn a_first_load_that_fails_leaves_no_file() {
    let schema = Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, false)]));
    let given = [Batch::arrow(rows::batch(&schema, &[row(&[Some("1")])]))];
    for reads in [None, Some(false), Some(true)] {
        let file = OneFile::new();
        let destination = file.connection().destination().unwrap();
        let spec = pump::spec(destination.as_ref(), &Job::new(None, "t"), &schema).await.unwrap();
        let plan = destination.plan(&spec).await.unwrap();
        let mut load = destination.begin(spec, plan.clone()).await.unwrap();
        pump::write(load.as_mut(), &plan, &given).await.unwrap();
        let other = reads.map(|reads| {
            let other = rusqlite::Connection::open(&file.path).unwrap();
            if reads {
                other.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).unwrap();
            }
            other
        });
        load.abort().await;
        assert_eq!(file.path.exists(), reads == Some(true), "{reads:?}");
        let written = other.map(|other| other.execute_batch("CREATE TABLE mine(id)").is_ok());
        assert_eq!(written, reads, "{reads:?}");
        if reads == Some(true) {
            assert_eq!(file.one::<i64>("SELECT count(*) FROM mine"), 0);
        }
        let left = std::fs::read_dir(file.path.parent().unwrap()).unwrap().count();
        assert_eq!(left, usize::from(reads == Some(true)), "{reads:?}");
    }
}

async fn read_by_four(file: &OneFile, name: &str) -> (usize, Vec<Row>) {
    let source = file.connection().source().unwrap();
    let stream = stream(file, name).await;
    let columns = stream.schema.clone();
    let request = ReadRequest {
        stream,
        columns,
        mode: ReadMode::Full,
        raw: None,
        only: Vec::new(),
        limit: None,
        readers: 4,
        batch_bytes: 64 << 10,
    };
    let mut extract = source.read(request).await.unwrap();
    let mut rows = Vec::new();
    for reader in &mut extract.readers {
        while let Some(batch) = reader.next().await.unwrap() {
            if let Data::Arrow(data) = batch.data {
                rows.extend(rows::of(&data));
            }
        }
    }
    (extract.readers.len(), rows)
}

/// Four connections read one table while another process changes all of its rows again and again.
#[tokio::test(flavor = "multi_thread")]
async fn parallel_readers_see_one_snapshot() {
    for journal in ["wal", "delete"] {
        let file = OneFile::new();
        file.sql(&format!(
            "PRAGMA journal_mode = {journal}; CREATE TABLE t(id INTEGER PRIMARY KEY, version INT);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
               INSERT INTO t SELECT i * 3 - 70000, 0 FROM n"
        ));
        let (readers, rows) = read_by_four(&file, "t").await;
        assert_eq!((readers, rows.len()), (4, 60_000), "{journal}");
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let path = file.path.clone();
        let writer = std::thread::spawn(move || {
            let connection = rusqlite::Connection::open(path).unwrap();
            connection.busy_timeout(std::time::Duration::from_secs(20)).unwrap();
            // Two rows stand for all: what is told apart are commits.
            let change = "UPDATE t SET version = version + 1 WHERE id = -69997 OR id = 110000";
            let mut commits = 0;
            let pause = std::time::Duration::from_millis(if journal == "wal" { 1 } else { 50 });
            while stopped.recv_timeout(pause) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                commits += connection.execute(change, []).unwrap_or(0) / 2;
            }
            commits
        });
        let mut parallel = 0;
        for _ in 0..10 {
            let (readers, rows) = read_by_four(&file, "t").await;
            parallel += usize::from(readers > 1);
            let version = |id: &str| &rows.iter().find(|row| row[0].as_deref() == Some(id)).unwrap()[1];
            assert_eq!(version("-69997"), version("110000"), "{journal}");
            let ids: std::collections::HashSet<_> = rows.iter().map(|row| &row[0]).collect();
            assert_eq!((ids.len(), rows.len()), (60_000, 60_000), "{journal}");
        }
        drop(stop);
        let commits = writer.join().unwrap();
        println!("{journal}: {commits} commits, {parallel} of 10 reads with four readers");
        assert!(commits > 0);
    }
}

#[tokio::test]
async fn tables_without_a_rowid_have_one_reader() {
    let file = OneFile::new();
    file.sql(
        "CREATE TABLE hidden(rowid TEXT, _rowid_ TEXT, n INT); CREATE TABLE half(rowid TEXT, n INT);
         CREATE TABLE keyed(n INT PRIMARY KEY) WITHOUT ROWID; CREATE VIEW seen AS SELECT * FROM half;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000) INSERT INTO half SELECT 'x', i FROM n;
         INSERT INTO hidden SELECT 'x', 'y', n FROM half; INSERT INTO keyed SELECT n FROM half;
         CREATE TABLE all_hidden(rowid, _rowid_, OID, n INT); INSERT INTO all_hidden SELECT 1, 2, 3, n FROM half",
    );
    for (name, readers) in [("half", 4), ("hidden", 4), ("all_hidden", 1), ("keyed", 1), ("seen", 1)] {
        let (found, rows) = read_by_four(&file, name).await;
        assert_eq!((found, rows.len()), (readers, 50_000), "{name}");
    }
}

#[tokio::test]
async fn mistakes_are_named() {
    let file = OneFile::new();
    let registry = levada_connectors::registry();
    let connector = registry.get("sqlite").unwrap();
    let refused = |settings| connector.connect(settings).err().expect("refused");
    let error = refused(json!({ "pth": "x.db" }));
    assert!(error.kind() == ErrorKind::Config && error.to_string().contains("Did you mean `path`"), "{error}");
    assert_eq!(refused(json!({})).kind(), ErrorKind::Config);
    assert_eq!(refused(json!({ "path": ":memory:" })).kind(), ErrorKind::Config);
    let error = file.connection().source().unwrap().discover(None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    std::fs::write(&file.path, "this is no database, though it is long enough to be one ".repeat(50)).unwrap();
    let error = file.connection().source().unwrap().discover(None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    let steps = file.connection().check().await;
    assert!(steps.last().unwrap().outcome.is_err());
    let lost = json!({ "path": file.path.parent().unwrap().join("no/such/x.db").to_str().unwrap() });
    let destination = connector.connect(lost).unwrap().destination().unwrap();
    let schema = Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, true)]));
    let error = pump::load(destination.as_ref(), &Job::new(None, "t"), &schema, &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}

#[test]
fn urls_name_files() {
    let registry = levada_connectors::registry();
    let connector = registry.for_scheme("sqlite").unwrap();
    for (url, path) in [
        ("sqlite:./a%20b.db", "./a b.db"),
        ("sqlite:///abs/x.db", "/abs/x.db"),
        ("sqlite:x.db?journal=keep&busy_timeout_s=3", "x.db"),
    ] {
        let settings = connector.settings_from_url(&url::Url::parse(url).unwrap()).unwrap();
        assert_eq!(settings["path"], path);
        connector.connect(settings).unwrap();
    }
    assert!(connector.settings_from_url(&url::Url::parse("sqlite:x.db?jurnal=keep").unwrap()).is_err());
    assert!(connector.connect(json!({ "url": "sqlite:./x.db" })).unwrap().address().ends_with("/x.db"));
}

#[tokio::test]
async fn a_lag_in_time_needs_its_unit() {
    let file = OneFile::new();
    file.sql("CREATE TABLE t (id INTEGER, day DATE, at TIMESTAMP); INSERT INTO t VALUES (1, '2024-01-02', '2024-01-02 03:04:05')");
    let info = stream(&file, "t").await;
    let source = file.connection().source().unwrap();
    let read = |cursor: &str, lag: &str| ReadRequest {
        stream: info.clone(),
        columns: info.schema.clone(),
        mode: ReadMode::Incremental {
            cursor: Some(cursor.into()),
            from: None,
            lag: Some(lag.into()),
            mark_overlap: false,
        },
        raw: None,
        only: Vec::new(),
        limit: None,
        readers: 1,
        batch_bytes: 1 << 20,
    };
    for cursor in ["day", "at"] {
        let error = source.clone().read(read(cursor, "5")).await.err().expect("refused");
        assert!(error.kind() == ErrorKind::Config && error.to_string().contains("`5m`"), "{error}");
        source.clone().read(read(cursor, "1d")).await.unwrap();
    }
    source.clone().read(read("id", "5")).await.unwrap();
}
