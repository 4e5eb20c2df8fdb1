//! What a source must do beyond the conformance suite: the server's own types with nasty values, and one consistent
//! view over several readers.

use std::sync::Arc;

use levada_core::batch::{Batch, Reject};
use levada_core::error::ErrorKind;
use levada_core::source::{ReadMode, ReadRequest, StreamInfo};
use levada_testkit::conformance::Harness;
use levada_testkit::pump::{self, Job};
use levada_testkit::rows;

use super::Database;

async fn stream(database: &Database, table: &str) -> StreamInfo {
    let source = database.connection().source().unwrap();
    source.discover(Some(table)).await.unwrap().remove(0)
}

async fn read(database: &Database, table: &str, readers: usize) -> (StreamInfo, Vec<Batch>) {
    let info = stream(database, table).await;
    let source = database.connection().source().unwrap();
    let job = Job::new(None, table).parallel(readers);
    let (batches, _) = pump::read(source.as_ref(), &info, info.schema.clone(), &job).await.unwrap();
    (info, batches)
}

/// Type, what `discover` calls it, and values: as SQL, and as canonical text.
const TYPES: [(&str, &str, &[(&str, &str)]); 36] = [
    ("tinyint(1)", "int8", &[("2", "2"), ("-1", "-1"), ("-128", "-128")]),
    ("tinyint unsigned", "uint8", &[("255", "255")]),
    ("smallint", "int16", &[("-32768", "-32768")]),
    ("mediumint", "int32", &[("-8388608", "-8388608")]),
    ("mediumint unsigned", "uint32", &[("16777215", "16777215")]),
    ("int unsigned zerofill", "uint32", &[("4294967295", "4294967295"), ("7", "7")]),
    ("bigint", "int64", &[("-9223372036854775808", "-9223372036854775808"), ("9007199254740993", "9007199254740993")]),
    (
        "bigint unsigned",
        "uint64",
        &[("9223372036854775808", "9223372036854775808"), ("18446744073709551615", "18446744073709551615")],
    ),
    (
        "decimal(10,2)",
        "decimal(10,2)",
        &[("-99999999.99", "-99999999.99"), ("0", "0.00"), ("1000000000.0-1000000000.0", "0.00")],
    ),
    ("decimal(20,4)", "decimal(20,4)", &[("3000000000.5000", "3000000000.5000"), ("1000000000", "1000000000.0000")]),
    (
        "decimal(38,0)",
        "decimal(38,0)",
        &[("99999999999999999999999999999999999999", "99999999999999999999999999999999999999")],
    ),
    (
        "decimal(65,30)",
        "decimal(65,30)",
        &[
            (
                "-99999999999999999999999999999999999.999999999999999999999999999999",
                "-99999999999999999999999999999999999.999999999999999999999999999999",
            ),
            ("0.000000000000000000000000000001", "0.000000000000000000000000000001"),
        ],
    ),
    (
        "float",
        "float32",
        &[
            ("0.1", "0.1"),
            ("16777216", "16777216"),
            ("3.4028235e38", "3.4028235e38"),
            ("1.17549435e-38", "1.1754944e-38"),
            ("16777215", "16777215"),
        ],
    ),
    ("float(7,2)", "float32", &[("12345.67", "12345.67")]),
    (
        "double",
        "float64",
        &[
            ("1.7976931348623157e308", "1.7976931348623157e308"),
            ("0.1", "0.1"),
            ("2.2250738585072014e-308", "2.2250738585072014e-308"),
            ("123456789012345680", "1.2345678901234568e17"),
        ],
    ),
    ("bit(1)", "bits", &[("b'1'", "1"), ("b'0'", "0")]),
    ("bit(9)", "bits", &[("b'000000001'", "000000001"), ("b'110000001'", "110000001")]),
    ("bit(64)", "bits", &[("0xffffffffffffffff", "1111111111111111111111111111111111111111111111111111111111111111")]),
    ("date", "date", &[("'0001-01-01'", "0001-01-01"), ("'9999-12-31'", "9999-12-31"), ("'2024-02-29'", "2024-02-29")]),
    ("datetime", "timestamp", &[("'9999-12-31 23:59:59'", "9999-12-31T23:59:59")]),
    (
        "datetime(6)",
        "timestamp",
        &[("'1969-12-31 23:59:59.999999'", "1969-12-31T23:59:59.999999"), ("'0001-01-01'", "0001-01-01T00:00:00")],
    ),
    (
        "timestamp(3)",
        "timestamptz",
        &[("'2038-01-19 03:14:07.999'", "2038-01-19T03:14:07.999Z"), ("'1970-01-01 00:00:01'", "1970-01-01T00:00:01Z")],
    ),
    (
        "time(6)",
        "duration",
        &[
            ("'-838:59:59'", "-838:59:59"),
            ("'838:59:59'", "838:59:59"),
            ("'24:00:00'", "24:00:00"),
            ("'-00:00:01.5'", "-00:00:01.5"),
            ("'256:00:01'", "256:00:01"),
        ],
    ),
    ("year", "int16", &[("1901", "1901"), ("2155", "2155"), ("0", "0")]),
    ("char(10)", "text", &[("'ab '", "ab"), ("''", "")]),
    (
        "varchar(20)",
        "text",
        &[
            ("'ab '", "ab "),
            ("'größe 😀'", "größe 😀"),
            ("'\\\\N'", "\\N"),
            ("'NULL'", "NULL"),
            ("'a\\tb\\nc\\r\\0'", "a\tb\nc\r\0"),
        ],
    ),
    ("varchar(20) character set latin1", "text", &[("'größe €'", "größe €")]),
    ("varchar(20) character set utf8mb3", "text", &[("'größe'", "größe")]),
    ("longtext", "text", &[("repeat('x', 100000)", "@100000")]),
    ("binary(4)", "bytes", &[("0x0001", "\\x00010000"), ("'\\\\\\t\\n'", "\\x5c090a00")]),
    ("varbinary(9)", "bytes", &[("''", "\\x"), ("0x00ff", "\\x00ff")]),
    ("enum('a','it''s','x\\\\y','')", "enum", &[("'it''s'", "it's"), ("'x\\\\y'", "x\\y"), ("''", "")]),
    ("set('a','b','c d')", "text", &[("'a,c d'", "a,c d"), ("''", "")]),
    ("json", "json", &[("'{\"a\": 9007199254740993, \"a\": 1.10}'", "{\"a\": 9007199254740993, \"a\": 1.10}")]),
    ("point", "wkb", &[("ST_GeomFromText('POINT(1 2)')", "\\x0101000000000000000000f03f0000000000000040")]),
    ("uuid", "uuid", &[("'123E4567-e89b-12d3-a456-426655440000'", "123e4567-e89b-12d3-a456-426655440000")]),
];

/// Every type is discovered and read as declared, and a copy into the same kind of system has the same type and values.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn native_types_are_read_exactly_and_come_back() {
    let database = Database::new().await;
    let mut wrong = Vec::new();
    for (index, (native, name, values)) in TYPES.iter().enumerate() {
        let (table, copy) = (format!("t{index}"), format!("copy{index}"));
        database.run(&format!("CREATE TABLE {table} (n INT PRIMARY KEY, v {native} NULL)")).await;
        for (n, (sql, _)) in values.iter().enumerate() {
            database.run(&format!("INSERT INTO {table} VALUES ({n}, {sql})")).await;
        }
        database.run(&format!("INSERT INTO {table} VALUES (1000, NULL)")).await;
        let (info, batches) = read(&database, &table, 1).await;
        let field = info.schema.field_with_name("v").unwrap();
        let found_name = levada_core::schema::type_name(field);
        if found_name != *name {
            wrong.push(format!("{native}: called {found_name}"));
        }
        let found: Vec<Option<String>> =
            rows::sorted(&batches, &info.schema).into_iter().map(|mut row| row.swap_remove(1)).collect();
        let expected = values.iter().map(|(_, text)| {
            Some(text.strip_prefix('@').map_or((*text).to_owned(), |n| "x".repeat(n.parse().unwrap())))
        });
        for (expected, found) in expected.chain([None]).zip(found_in_order(&batches, &info)) {
            if expected != found {
                wrong.push(format!("{native}: expected {expected:?}, read {found:?}"));
            }
        }
        assert_eq!(found.len(), values.len() + 1, "{native}");
        let connection = database.connection();
        let (source, destination) = (connection.clone().source().unwrap(), connection.destination().unwrap());
        let mut job = Job::new(None, &copy);
        job.key.stream = table.clone();
        let (batches, _) = pump::read(source.as_ref(), &info, info.schema.clone(), &job).await.unwrap();
        let arrow: Vec<_> = batches
            .iter()
            .map(|batch| match &batch.data {
                levada_core::batch::Data::Arrow(batch) => batch.clone(),
                levada_core::batch::Data::Raw(_) => panic!("raw"),
            })
            .collect();
        for round in ["new", "again"] {
            if let Err(error) = pump::load(destination.as_ref(), &job, &info.schema, &arrow).await {
                wrong.push(format!("{native}: {round}: {error}"));
                continue;
            }
            let same = match *native {
                "point" => "ST_AsBinary(a.v) <=> ST_AsBinary(b.v)",
                _ if native.starts_with("float") || native.starts_with("double") || native.contains("int") => {
                    "a.v <=> b.v"
                }
                _ if native.starts_with("bit") || native.contains("binary") => "HEX(a.v) <=> HEX(b.v)",
                _ => "CAST(a.v AS CHAR) <=> CAST(b.v AS CHAR)",
            };
            let differ = format!(
                "SELECT CAST(a.n AS CHAR) FROM {table} a LEFT JOIN {copy} b ON a.n = b.n AND {same} WHERE b.n IS NULL"
            );
            let differ = database.texts(&differ).await;
            if !differ.is_empty() {
                wrong.push(format!("{native}: {round}: rows {differ:?} differ in the copy"));
            }
            let types = database.texts(&format!("SELECT COLUMN_TYPE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN ('{table}','{copy}') AND COLUMN_NAME = 'v' ORDER BY TABLE_NAME = '{copy}'")).await;
            // Declared: CHAR becomes VARCHAR, display widths go, and FLOAT(7,2) rounds nothing any more.
            let declared = [
                ("char(10)", "varchar(10)"),
                ("int(10) unsigned zerofill", "int(10) unsigned"),
                ("float(7,2)", "float"),
            ];
            let pair = (types[0].as_deref().unwrap(), types[1].as_deref().unwrap());
            if types[0] != types[1] && !declared.contains(&pair) {
                wrong.push(format!("{native}: became {:?}", types[1]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn found_in_order(batches: &[Batch], info: &StreamInfo) -> Vec<Option<String>> {
    let mut all = rows::sorted(batches, &info.schema);
    all.sort_by_key(|row| row[0].as_ref().and_then(|n| n.parse::<i64>().ok()));
    all.into_iter().map(|mut row| row.swap_remove(1)).collect()
}

/// A zero date is no day: its row is told, with its column and value, and the others go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn zero_dates_are_rejected_with_their_reason() {
    let database = Database::new().await;
    database.run("CREATE TABLE z (n INT PRIMARY KEY, d DATE NOT NULL, t DATETIME)").await;
    database.run("INSERT INTO z VALUES (1, '0000-00-00', NULL), (2, '2024-00-15', NULL), (3, '2024-01-01', '0000-00-00'), (4, '2024-01-01', NULL)").await;
    let (_, batches) = read(&database, "z", 1).await;
    let rejects: Vec<&Reject> = batches.iter().flat_map(|b| &b.rejects).collect();
    assert_eq!((batches.iter().map(Batch::rows).sum::<u64>(), rejects.len()), (1, 3));
    let columns: Vec<_> = rejects.iter().filter_map(|r| r.column.as_deref()).collect();
    assert_eq!(columns, ["d", "d", "t"]);
    assert!(rejects[1].reason.contains("2024-00-15") && rejects[1].row.contains("\"n\":\"2\""), "{:?}", rejects[1]);
}

/// A TIMESTAMP written in a session thirteen hours ahead is read as the instant it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn timestamps_are_instants_whatever_the_zone_of_who_wrote_them() {
    use mysql_async::prelude::Queryable;
    let database = Database::new().await;
    let mut conn = database.conn().await;
    conn.query_drop("SET time_zone = '+13:00'").await.unwrap();
    conn.query_drop("CREATE TABLE z (t TIMESTAMP(6) NULL, d DATETIME(6))").await.unwrap();
    conn.query_drop("INSERT INTO z VALUES ('2024-01-02 00:30:00.5', '2024-01-02 01:30:00.5')").await.unwrap();
    conn.disconnect().await.unwrap();
    let (info, batches) = read(&database, "z", 1).await;
    let expected = rows::row(&[Some("2024-01-01T11:30:00.5Z"), Some("2024-01-02T01:30:00.5")]);
    assert_eq!(rows::sorted(&batches, &info.schema), [expected]);
}

async fn many_rows(database: &Database) {
    database.run("CREATE TABLE big (id BIGINT PRIMARY KEY, v INT NOT NULL)").await;
    // Gaps and one far outlier: ranges of equal width are then far from equal in rows.
    database.run("INSERT INTO big SELECT seq * 3, 1 FROM seq_1_to_120000").await;
    database.run("INSERT INTO big VALUES (-9223372036854775808, 1), (9223372036854775807, 1)").await;
    database.run("ANALYZE TABLE big").await;
}

/// Four readers see one state of the table, whatever is written while they read, and each row once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_readers_share_one_view() {
    let database = Database::new().await;
    many_rows(&database).await;
    let info = stream(&database, "big").await;
    let source = database.connection().source().unwrap();
    let request = ReadRequest {
        stream: info.clone(),
        columns: info.schema.clone(),
        mode: ReadMode::Full,
        raw: None,
        only: Vec::new(),
        limit: None,
        readers: 4,
        batch_bytes: 64 << 10,
    };
    let extract = source.read(request).await.unwrap();
    assert_eq!((extract.readers.len(), extract.warnings.len()), (4, 0), "{:?}", extract.warnings);
    database.run("UPDATE big SET v = 2").await;
    database.run("DELETE FROM big WHERE id % 2 = 0").await;
    database.run("INSERT INTO big VALUES (2, 5), (400000, 5)").await;
    let mut ids = Vec::new();
    for mut reader in extract.readers {
        while let Some(batch) = reader.next().await.unwrap() {
            for row in rows::sorted(&[batch], &info.schema) {
                assert_eq!(row[1].as_deref(), Some("1"));
                ids.push(row[0].as_ref().unwrap().parse::<i64>().unwrap());
            }
        }
    }
    ids.sort_unstable();
    let expected: Vec<i64> = [i64::MIN].into_iter().chain((1..=120_000).map(|n| n * 3)).chain([i64::MAX]).collect();
    assert_eq!(ids, expected);
}

/// A reader that is dropped ends its query at the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_reader_ends_its_query() {
    let database = Database::new().await;
    many_rows(&database).await;
    let info = stream(&database, "big").await;
    let source = database.connection().source().unwrap();
    let request = ReadRequest {
        stream: info.clone(),
        columns: info.schema.clone(),
        mode: ReadMode::Full,
        raw: None,
        only: Vec::new(),
        limit: None,
        readers: 2,
        batch_bytes: 64 << 10,
    };
    let mut extract = source.read(request).await.unwrap();
    assert!(extract.readers[0].next().await.unwrap().is_some());
    drop(extract);
    for _ in 0..100 {
        let sql = "SELECT CAST(ID AS CHAR) FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND ID <> CONNECTION_ID()";
        if database.texts(sql).await.is_empty() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the reader's connections are still there");
}

/// Views, generated columns and tables without a key are read; what a selector names is found whatever its name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_generated_columns_and_odd_names_are_found() {
    let database = Database::new().await;
    database.run("CREATE TABLE `a*b` (`x y` INT, g INT AS (`x y` + 1))").await;
    database.run("CREATE VIEW v AS SELECT g FROM `a*b`").await;
    database.run("INSERT INTO `a*b` (`x y`) VALUES (1), (NULL)").await;
    let source = database.connection().source().unwrap();
    let names: Vec<String> = source.discover(None).await.unwrap().into_iter().map(|s| s.name).collect();
    assert_eq!(names, ["a*b", "v"]);
    for (name, columns) in [("a*b", 2), ("v", 1)] {
        let (info, batches) = read(&database, name, 4).await;
        assert_eq!((info.schema.fields().len(), batches.iter().map(Batch::rows).sum::<u64>()), (columns, 2));
    }
    let described = database.connection().destination().unwrap().describe("a*b").await.unwrap().unwrap();
    assert_eq!(described.schema.fields().len(), 1);
    assert_eq!(Arc::clone(&described.schema).field(0).name(), "x y");
}

/// A bound of one column says nothing about another, and a lag without its unit nothing about time.
#[tokio::test]
async fn a_changed_cursor_and_a_lag_without_a_unit_are_refused() {
    let database = Database::new().await;
    database.run("CREATE TABLE t (id INT PRIMARY KEY, other INT, at DATETIME, day DATE)").await;
    database.run("INSERT INTO t VALUES (100, 1, '2024-01-01 00:00:00', '2024-01-01')").await;
    let info = stream(&database, "t").await;
    let source = database.connection().source().unwrap();
    let request = |cursor: &str, from, lag: Option<&str>| ReadRequest {
        stream: info.clone(),
        columns: info.schema.clone(),
        mode: ReadMode::Incremental {
            cursor: Some(cursor.into()),
            from,
            lag: lag.map(Into::into),
            mark_overlap: false,
        },
        raw: None,
        only: Vec::new(),
        limit: None,
        readers: 1,
        batch_bytes: 1 << 20,
    };
    let position = source.read(request("id", None, None)).await.unwrap().position;
    source.read(request("id", position.clone(), Some("5"))).await.unwrap();
    let error = source.read(request("other", position, None)).await.err().expect("refused");
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert!(error.advice().contains("--full-refresh"), "{error}");
    for (cursor, lag) in [("at", "5"), ("day", "1")] {
        let error = source.read(request(cursor, None, Some(lag))).await.err().expect("refused");
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.advice().contains("`5m`"), "{error}");
    }
}
