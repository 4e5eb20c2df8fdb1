//! Small queries: every database answers with exact values, in bounds, and is changed by none; and lists of files.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use levada_core::connector::Connection;
use levada_core::error::ErrorKind;
use levada_testkit::conformance::Harness;
use levada_testkit::services;
use object_store::ObjectStoreExt as _;
use object_store::aws::AmazonS3Builder;
use object_store::path::Path;
use serde_json::{Value, json};

use crate::files::{connect, folder};
use crate::{mysql, postgres, sqlite};

async fn rows(connection: &Arc<dyn Connection>, sql: &str) -> Value {
    let rows = connection.query(sql, 100).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    rows.into_iter().map(Value::Object).collect()
}

async fn refused(connection: &Arc<dyn Connection>, sql: &str) -> ErrorKind {
    match connection.query(sql, 100).await {
        Ok(rows) => panic!("{sql} was answered with {rows:?}"),
        Err(error) => {
            assert!(!error.place().is_empty() && !error.advice().is_empty(), "{sql}: {error}");
            error.kind()
        }
    }
}

/// What holds for every database that has a table `t` of one column `n` with the values 1, 2 and 3.
async fn cannot_change(connection: &Arc<dyn Connection>, writes: &[&str]) {
    for sql in writes {
        assert_eq!(refused(connection, sql).await, ErrorKind::Refused, "{sql}");
    }
    for sql in ["SELECT 1; SELECT 2", "SELECT 1; DELETE FROM t", "SELECT 1); DELETE FROM t; --"] {
        let kind = refused(connection, sql).await;
        assert!(matches!(kind, ErrorKind::Refused | ErrorKind::Data), "{sql}: {kind:?}");
    }
    assert_eq!(refused(connection, "SELEKT 1").await, ErrorKind::Data);
    assert_eq!(refused(connection, "SELECT nothing FROM t").await, ErrorKind::Data);
    assert_eq!(refused(connection, "SELECT n FROM nowhere").await, ErrorKind::Data);
    assert_eq!(rows(connection, "SELECT n FROM t ORDER BY n DESC; ").await, json!([{"n": 3}, {"n": 2}, {"n": 1}]));
    assert_eq!(rows(connection, "SELECT n FROM t WHERE n > 3").await, json!([]));
    assert_eq!(rows(connection, "SELECT count(*) AS c FROM t -- all of them").await, json!([{"c": 3}]));
    let two = connection.query("SELECT n FROM t ORDER BY n", 2).await.unwrap();
    assert_eq!(two.len(), 2);
}

#[tokio::test]
async fn postgres_answers_queries_and_is_not_changed() {
    let place = postgres::place("queries").await;
    let connection = &place.connection;
    place.run("CREATE TABLE t (n int); INSERT INTO t VALUES (1), (2), (3); CREATE SEQUENCE s").await;
    let writes = [
        "INSERT INTO t VALUES (4)",
        "INSERT INTO t VALUES (4) RETURNING n",
        "UPDATE t SET n = 0",
        "CREATE TABLE u AS SELECT 1",
        "DROP TABLE t",
        "WITH x AS (DELETE FROM t RETURNING n) SELECT * FROM x",
        "SELECT nextval('s')",
        "SHOW server_version",
        "COMMIT",
        "",
    ];
    cannot_change(connection, &writes).await;
    refused(connection, "SELECT set_config('transaction_read_only', 'off', true)").await;
    assert_eq!(place.number("SELECT count(*) FROM t").await, 3);
    let sql = "SELECT 9007199254740993::int8 AS a, 9007199254740992::int8 AS b, 12.50::numeric AS c, \
        0.1234567890123456789::numeric AS d, 'NaN'::float8 AS e, 1.5::float4 AS f, true AS g, '\\x00ff'::bytea AS h, \
        timestamptz '2026-01-02 03:04:05.6+02' AS i, timestamp '2026-01-02 03:04:05' AS j, 'infinity'::date AS k, \
        NULL::int AS l, 'ab '::char(4) AS m, ARRAY[1,2] AS n, '{\"x\": 1}'::json AS o, 'Infinity'::timestamptz AS p, \
        NULL::char(2) AS q, 1 AS \"a\"\"b\", time '10:00' AS r";
    let expected = json!([{
        "a": "9007199254740993", "b": 9_007_199_254_740_992_i64, "c": 12.5, "d": "0.1234567890123456789", "e": "NaN",
        "f": 1.5, "g": true, "h": "\\x00ff", "i": "2026-01-02T01:04:05.6Z", "j": "2026-01-02T03:04:05",
        "k": "infinity", "l": null, "m": "ab  ", "n": "{1,2}", "o": "{\"x\": 1}", "p": "infinity", "q": null,
        "a\"b": 1, "r": "10:00:00"
    }]);
    assert_eq!(rows(connection, sql).await, expected);
    let first = connection.query("SELECT generate_series(1, 2000000000) AS g", 5).await.unwrap();
    assert_eq!(first.len(), 5);
    let large = "SELECT repeat('x', 1000000) AS x FROM generate_series(1, 1000)";
    assert_eq!(connection.query(large, 1000).await.unwrap_err().kind(), ErrorKind::Refused);
}

#[tokio::test]
async fn mysql_answers_queries_and_is_not_changed() {
    let database = mysql::Database::new().await;
    database.run("CREATE TABLE t (n int)").await;
    database.run("INSERT INTO t VALUES (1), (2), (3)").await;
    database
        .run("CREATE FUNCTION f() RETURNS int DETERMINISTIC MODIFIES SQL DATA BEGIN INSERT INTO t VALUES (4); RETURN 1; END")
        .await;
    let connection = &database.connection();
    let writes = [
        "INSERT INTO t VALUES (4)",
        "DELETE FROM t",
        "CREATE TABLE u (n int)",
        "SELECT f()",
        "SELECT 1 INTO OUTFILE '/tmp/levada-never'",
        "SELECT 1 INTO @x",
        "COMMIT",
        "SET autocommit = 0",
        "INSERT INTO t VALUES (4) RETURNING n",
    ];
    cannot_change(connection, &writes).await;
    let sql = "SELECT 9007199254740993 AS a, 18446744073709551615 AS b, 12.50 AS c, 1.5e0 AS d, x'00ff' AS e, \
        TIMESTAMP'2026-01-02 03:04:05.6' AS f, DATE'2026-01-02' AS g, TIME'-30:00:01' AS h, NULL AS i, 'ü' AS j, \
        0.1234567890123456789 AS k, FROM_UNIXTIME(0) AS l";
    let expected = json!([{
        "a": "9007199254740993", "b": "18446744073709551615", "c": 12.5, "d": 1.5, "e": "\\x00ff",
        "f": "2026-01-02T03:04:05.6", "g": "2026-01-02", "h": "-30:00:01", "i": null, "j": "ü",
        "k": "0.1234567890123456789", "l": "1970-01-01T00:00:00"
    }]);
    assert_eq!(rows(connection, sql).await, expected);
    database.run("CREATE TABLE v (at timestamp(3) NULL, j json, b bit(9), e enum('x','y'), f float)").await;
    database.run("INSERT INTO v VALUES ('2026-01-02 03:04:05.678', '{\"x\": 1}', b'110000001', 'y', 0.1)").await;
    let expected = json!([{"at": "2026-01-02T03:04:05.678Z", "j": "{\"x\": 1}", "b": "110000001", "e": "y", "f": 0.1}]);
    assert_eq!(rows(connection, "SELECT * FROM v").await, expected);
    let huge = "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 900) \
                SELECT a.n FROM r a, r b, r c";
    assert_eq!(connection.query(huge, 5).await.unwrap().len(), 5);
}

#[tokio::test]
async fn sqlite_answers_queries_and_is_not_changed() {
    let file = sqlite::OneFile::new();
    file.sql("CREATE TABLE t (n); INSERT INTO t VALUES (1), (2), (3)");
    let connection = &file.connection();
    let other = file.path.with_file_name("other.db");
    let attach = format!("ATTACH '{}' AS o", other.display().to_string().replace('\'', "''"));
    let vacuum = format!("VACUUM INTO '{}'", other.display().to_string().replace('\'', "''"));
    let writes = [
        "INSERT INTO t VALUES (4)",
        "INSERT INTO t VALUES (4) RETURNING n",
        "DELETE FROM t",
        "CREATE TABLE u (n)",
        "BEGIN IMMEDIATE",
        &attach,
        &vacuum,
        "",
    ];
    cannot_change(connection, &writes).await;
    assert!(!other.exists());
    let _ = connection.query("PRAGMA user_version = 7", 1).await;
    let _ = connection.query("PRAGMA journal_mode = WAL", 1).await;
    assert_eq!(
        (file.one::<i64>("PRAGMA user_version"), file.one::<String>("PRAGMA journal_mode")),
        (0, "delete".into())
    );
    let sql = "SELECT 9007199254740993 AS a, 1.5 AS b, x'00ff' AS c, 'ü' AS d, NULL AS e, 9e999 AS f, 1 = 1 AS g";
    let expected =
        json!([{"a": "9007199254740993", "b": 1.5, "c": "\\x00ff", "d": "ü", "e": null, "f": "Infinity", "g": 1}]);
    assert_eq!(rows(connection, sql).await, expected);
    let endless = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT n FROM r";
    assert_eq!(connection.query(endless, 5).await.unwrap().len(), 5);
    let large = format!("SELECT zeroblob(9000000) AS x FROM ({endless})");
    assert_eq!(connection.query(&large, 1000).await.unwrap_err().kind(), ErrorKind::Refused);
    let nowhere = sqlite::OneFile::new().connection();
    assert_eq!(nowhere.query("SELECT 1", 1).await.unwrap_err().kind(), ErrorKind::NotFound);
}

async fn paths(connection: &Arc<dyn Connection>, path: &str) -> Vec<String> {
    connection.list(path).await.unwrap().into_iter().map(|file| file.path).collect()
}

/// What a list holds, of files that are there already.
async fn lists(connection: &Arc<dyn Connection>) {
    assert_eq!(paths(connection, "in/*.csv").await, ["in/a.csv", "in/b.csv"]);
    assert_eq!(paths(connection, "in/**/*.csv").await, ["in/a.csv", "in/b.csv", "in/deep/c.csv"]);
    assert_eq!(paths(connection, "in").await, ["in/a.csv", "in/b.csv", "in/d.xml", "in/deep/c.csv"]);
    assert_eq!(paths(connection, "in/").await.len(), 4);
    assert_eq!(paths(connection, "in/d.xml").await, ["in/d.xml"]);
    assert_eq!(paths(connection, "in/_SUCCESS").await, ["in/_SUCCESS"], "named in full");
    assert!(paths(connection, "in/nothing").await.is_empty());
    assert!(paths(connection, "nowhere/*.csv").await.is_empty());
    assert!(paths(connection, "i").await.is_empty(), "a part of a name is no folder");
    assert_eq!(connection.list("../x").await.unwrap_err().kind(), ErrorKind::Config);
    assert_eq!(connection.query("SELECT 1", 1).await.unwrap_err().kind(), ErrorKind::Unsupported);
    let found = connection.list("in/a.csv").await.unwrap().remove(0);
    assert_eq!(found.bytes, 4);
    let (opened, mut reader) = connection.open("in/a.csv").await.unwrap();
    let bytes = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        bytes
    });
    assert_eq!((opened, bytes.await.unwrap().as_slice()), (found.clone(), b"x\n1\n".as_slice()));
    for (path, kind) in [
        ("in/none.csv", ErrorKind::NotFound),
        ("in", ErrorKind::NotFound),
        ("in/*.csv", ErrorKind::NotFound),
        ("in/.hidden.csv", ErrorKind::NotFound),
        ("in/../../x", ErrorKind::Config),
        ("/etc/passwd", ErrorKind::Config),
    ] {
        assert_eq!(connection.open(path).await.err().unwrap().kind(), kind, "{path}");
    }
    assert!(found.modified.starts_with("20") && found.modified.ends_with('Z'), "{}", found.modified);
}

const FILES: [(&str, &[u8]); 7] = [
    ("in/a.csv", b"x\n1\n"),
    ("in/b.csv", b"x\n2\n"),
    ("in/deep/c.csv", b"x\n3\n"),
    ("in/d.xml", b"<x/>"),
    ("in/e.csv.tmp", b"x\n"),
    ("in/.hidden.csv", b"x\n"),
    ("in/_SUCCESS", b"."),
];

#[tokio::test]
async fn files_of_a_folder_are_listed_once_they_are_at_rest() {
    let folder = folder(&FILES);
    let root = folder.path();
    let at_once = connect(json!({ "root": root, "settle_ms": 0 })).unwrap();
    lists(&at_once).await;
    let patient = connect(json!({ "root": root, "settle_ms": 300 })).unwrap();
    let grows = root.join("in/grows.csv");
    let writer = tokio::spawn(async move {
        for _ in 0..12 {
            let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&grows).unwrap();
            std::io::Write::write_all(&mut file, b"x\n").unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(paths(&patient, "in/*.csv").await, ["in/a.csv", "in/b.csv"]);
    writer.await.unwrap();
    assert_eq!(paths(&patient, "in/*.csv").await, ["in/a.csv", "in/b.csv", "in/grows.csv"]);
}

#[tokio::test]
async fn objects_of_a_bucket_are_listed() {
    let connection = bucket(&format!("list-{}", std::process::id())).await;
    lists(&connection).await;
}

/// A connection to a folder in the bucket that holds the files.
async fn bucket(folder: &str) -> Arc<dyn Connection> {
    let url = url::Url::parse(&services::s3()).unwrap();
    let connector = levada_connectors::registry().get("files").unwrap().clone();
    let mut settings = connector.settings_from_url(&url).unwrap();
    let text = |name: &str| settings[name].as_str().unwrap().to_owned();
    let store = AmazonS3Builder::new()
        .with_bucket_name(url.host_str().unwrap())
        .with_endpoint(text("endpoint"))
        .with_access_key_id(text("access_key"))
        .with_secret_access_key(text("secret_key"))
        .with_region(text("region"))
        .with_allow_http(true)
        .build()
        .unwrap();
    for (path, bytes) in FILES {
        store.put(&Path::from(format!("{folder}/{path}")), bytes.into()).await.unwrap();
    }
    settings["root"] = format!("s3://{}/{folder}", url.host_str().unwrap()).into();
    connect(settings).unwrap()
}
