//! Discovery and reading: names, shapes of relations, parallel readers, incremental windows.

use levada_core::batch::Data;
use levada_core::error::ErrorKind;
use levada_core::position::Position;
use levada_core::source::{ReadMode, ReadRequest};
use serde_json::json;

use super::pump::Pump;
use super::{connect_with, place};

#[tokio::test]
async fn streams_are_found_by_name_pattern_and_quoted_name() {
    let place = place("t_reads_names").await;
    place
        .run(
            "CREATE TABLE orders (id int PRIMARY KEY, v text); CREATE TABLE \"odd.name\"\"x\" (a int);
             CREATE VIEW big AS SELECT * FROM orders; CREATE MATERIALIZED VIEW old AS SELECT * FROM orders;
             CREATE TABLE parts (id int, v text, UNIQUE (id)) PARTITION BY RANGE (id);
             ALTER TABLE parts ALTER id SET NOT NULL;
             CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
             CREATE TABLE _levada_positions (x int);
             CREATE TABLE dim_a (); CREATE TABLE dim_b ();",
        )
        .await;
    let source = place.connection.clone().source().unwrap();
    let find = async |selector: &str| {
        let found = source.discover(Some(selector)).await.unwrap();
        found.into_iter().map(|stream| stream.name).collect::<Vec<_>>()
    };
    assert_eq!(find("orders").await, ["t_reads_names.orders"]);
    assert_eq!(find("dim_*").await, ["t_reads_names.dim_a", "t_reads_names.dim_b"]);
    assert_eq!(find("t_reads_names.dim_?").await.len(), 2);
    let all = find("t_reads_names.*").await;
    let odd = "t_reads_names.\"odd.name\"\"x\"";
    for name in ["big", "old", "orders", "parts"] {
        assert!(all.contains(&format!("t_reads_names.{name}")), "{name} in {all:?}");
    }
    assert!(all.contains(&odd.to_owned()) && !all.iter().any(|n| n.contains("parts_1") || n.contains("_levada")));
    assert_eq!(find(odd).await, [odd]);
    assert_eq!(find("nothing.here").await, Vec::<String>::new());
    let parts = source.discover(Some("parts")).await.unwrap().remove(0);
    assert_eq!(parts.key, ["id"]);
    let orders = source.discover(Some("orders")).await.unwrap().remove(0);
    assert_eq!((orders.key.as_slice(), orders.raw.is_some()), (["id".to_owned()].as_slice(), true));
}

#[tokio::test]
async fn parallel_readers_yield_every_row_once_of_tables_views_and_partitions() {
    let place = place("t_reads_parallel").await;
    place
        .run(
            "CREATE TABLE a (id int PRIMARY KEY, v text) WITH (fillfactor = 10);
             INSERT INTO a SELECT n, repeat('x', 400) FROM generate_series(1, 60000) n; DELETE FROM a WHERE id % 7 = 0;
             CREATE TABLE p (id int, v text) PARTITION BY HASH (id);
             CREATE TABLE p0 PARTITION OF p FOR VALUES WITH (MODULUS 3, REMAINDER 0);
             CREATE TABLE p1 PARTITION OF p FOR VALUES WITH (MODULUS 3, REMAINDER 1);
             CREATE TABLE p2 (v text, id int); ALTER TABLE p ATTACH PARTITION p2 FOR VALUES WITH (MODULUS 3, REMAINDER 2);
             INSERT INTO p SELECT * FROM a;
             CREATE VIEW w AS SELECT id, v FROM a;
             CREATE TABLE child () INHERITS (a); INSERT INTO child VALUES (-1, 'child');",
        )
        .await;
    let blocks = place.number("SELECT pg_relation_size('a') / 8192").await;
    assert!(blocks > 4096, "the table has {blocks} blocks");
    for (stream, raw) in [("a", false), ("a", true), ("p", false), ("p", true), ("w", false), ("w", true)] {
        let mut pump = Pump::new(&place.connection, &place.name(stream), &place.name(&format!("{stream}_{raw}")));
        pump.raw = raw;
        pump.readers = 3;
        let outcome = pump.run().await.unwrap();
        let expected = if stream == "w" { format!("(SELECT * FROM {stream}) x") } else { format!("ONLY {stream}") };
        let expected = if stream == "p" { "p".to_owned() } else { expected };
        assert_eq!(
            outcome.read as i64,
            place.number(&format!("SELECT count(*) FROM {expected}")).await,
            "{stream} {raw}"
        );
    }
    assert_eq!(place.difference("(SELECT * FROM ONLY a)", "a_true").await, 0);
    assert_eq!(place.difference("p", "p_true").await, 0);
    assert_eq!(place.difference("p", "p_false").await, 0);
}

async fn ids(
    pump: &Pump,
    from: Option<Position>,
    lag: Option<&str>,
    cursor: &str,
) -> (Vec<(i32, bool)>, Option<Position>) {
    let info = pump.info().await;
    let wanted = ReadMode::Incremental {
        cursor: Some(cursor.to_owned()),
        from,
        lag: lag.map(str::to_owned),
        mark_overlap: true,
    };
    let columns = info.schema.clone();
    let request = ReadRequest {
        stream: info,
        columns,
        mode: wanted,
        raw: None,
        only: Vec::new(),
        limit: None,
        readers: 2,
        batch_bytes: 1000,
    };
    let extract = pump.from.clone().source().unwrap().read(request).await.unwrap();
    let mut rows = Vec::new();
    for mut reader in extract.readers {
        while let Some(batch) = reader.next().await.unwrap() {
            let Data::Arrow(batch) = batch.data else { panic!("raw") };
            let mark = batch.column_by_name("_levada_overlap").unwrap();
            for row in 0..batch.num_rows() {
                let id = levada_core::text::value(batch.column(0), row).unwrap().parse().unwrap();
                rows.push((id, levada_core::text::value(mark, row).unwrap() == "true"));
            }
        }
    }
    rows.sort_unstable();
    (rows, extract.position)
}

#[tokio::test]
async fn an_incremental_read_is_inclusive_and_marks_what_it_will_see_again() {
    let place = place("t_reads_incremental").await;
    place
        .run(
            "CREATE TABLE a (id int PRIMARY KEY, at timestamptz);
             INSERT INTO a VALUES (1, '2020-01-01 00:00'), (2, '2020-01-01 00:10:00.000001'), (3, NULL), (4, 'infinity')",
        )
        .await;
    let pump = Pump::new(&place.connection, &place.name("a"), "x.y");
    let (rows, first) = ids(&pump, None, None, "at").await;
    // An infinite value cannot be decoded here: its row is a reject of the first read.
    assert_eq!(rows, [(1, false), (2, true), (3, false)]);
    assert_eq!(first, Some(Position(json!({"column": "at", "cursor": "2020-01-01 00:10:00.000001+00"}))));
    let (rows, same) = ids(&pump, first.clone(), None, "at").await;
    assert_eq!((rows.as_slice(), &same), ([(2, true)].as_slice(), &first));
    place
        .run("INSERT INTO a VALUES (5, '2020-01-01 00:10:00.000001'), (6, '2020-01-01 00:08'), (7, '2020-01-01 01:00')")
        .await;
    let (rows, _) = ids(&pump, first.clone(), None, "at").await;
    assert_eq!(rows, [(2, false), (5, false), (7, true)]);
    let (rows, _) = ids(&pump, first.clone(), Some("5m"), "at").await;
    assert_eq!(rows, [(2, false), (5, false), (6, false), (7, true)]);
    place.run("DELETE FROM a WHERE id <> 3").await;
    let (rows, kept) = ids(&pump, first.clone(), None, "at").await;
    assert_eq!((rows.len(), kept), (0, first));
}

#[tokio::test]
async fn cursors_of_every_ordered_type_keep_their_exact_value() {
    let place = place("t_reads_cursors").await;
    for (name, native, low, high) in [
        ("i2", "int2", "1", "2"),
        ("i8", "int8", "9007199254740992", "9007199254740993"),
        ("nu", "numeric(30,10)", "1.0000000001", "1.0000000002"),
        ("f8", "float8", "0.1", "0.30000000000000004"),
        ("tx", "text", "a''b", "c\\d"),
        ("ch", "char(5)", "a", "b"),
        ("da", "date", "2020-01-01", "2020-01-02"),
        ("ts", "timestamp", "2020-01-01 00:00:00", "2020-01-01 00:00:00.000001"),
        ("uu", "uuid", "00000000-0000-0000-0000-000000000001", "a0000000-0000-0000-0000-000000000001"),
        ("by", "bytea", "\\x00", "\\x0001"),
    ] {
        place.run(&format!("CREATE TABLE {name} (id int, c {native}); INSERT INTO {name} VALUES (1, '{low}')")).await;
        let pump = Pump::new(&place.connection, &place.name(name), "x.y");
        let (rows, first) = ids(&pump, None, None, "c").await;
        assert_eq!(rows, [(1, true)], "{name}");
        place.run(&format!("INSERT INTO {name} VALUES (2, '{high}')")).await;
        let (rows, second) = ids(&pump, first.clone(), None, "c").await;
        assert_eq!(rows, [(1, false), (2, true)], "{name}");
        let (rows, _) = ids(&pump, second, None, "c").await;
        assert_eq!(rows, [(2, true)], "{name}");
    }
}

#[tokio::test]
async fn errors_say_what_where_and_what_to_do() {
    let place = place("t_reads_errors").await;
    place.run("CREATE TABLE a (id int, doc json)").await;
    let pump = Pump::new(&place.connection, &place.name("a"), "x.y");
    let mut info = pump.info().await;
    let request = |stream: levada_core::source::StreamInfo, cursor: &str| ReadRequest {
        columns: stream.schema.clone(),
        stream,
        mode: ReadMode::Incremental { cursor: Some(cursor.to_owned()), from: None, lag: None, mark_overlap: false },
        raw: None,
        only: Vec::new(),
        limit: None,
        readers: 1,
        batch_bytes: 1000,
    };
    let source = place.connection.clone().source().unwrap();
    let error = source.read(request(info.clone(), "idd")).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("Did you mean `id`?"), "{error}");
    let error = source.read(request(info.clone(), "doc")).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    info.table = "b".to_owned();
    let error = source.read(request(info, "id")).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");

    let steps = place.connection.check().await;
    assert!(steps.iter().all(|step| step.outcome.is_ok()), "{steps:?}");
    assert_eq!(steps.iter().map(|step| step.step).collect::<Vec<_>>(), ["name", "tcp", "tls", "auth", "read", "write"]);
    let steps = connect_with(&[("database", "no_such_db")]).check().await;
    let last = steps.last().unwrap();
    assert_eq!(last.outcome.as_ref().unwrap_err().kind(), ErrorKind::NotFound);
    let steps = connect_with(&[("tls", "require")]).check().await;
    assert_eq!(steps.last().unwrap().step, "write", "{steps:?}");
    let steps = connect_with(&[("tls", "verify-full")]).check().await;
    let last = steps.last().unwrap();
    assert_eq!((last.step, last.outcome.as_ref().unwrap_err().kind()), ("tls", ErrorKind::Tls), "{steps:?}");
    let steps = connect_with(&[("port", "1")]).check().await;
    assert_eq!(steps.last().unwrap().step, "tcp");
}

#[tokio::test]
async fn types_without_order_are_no_cursors() {
    let place = place("t_reads_cursor_types").await;
    place
        .run("CREATE TABLE a (j json, p point, b boolean, bs boolean[], i interval, e text[], t text, n int, at date)")
        .await;
    let source = place.connection.clone().source().unwrap();
    let info = source.discover(Some(&place.name("a"))).await.unwrap().remove(0);
    for field in info.schema.fields() {
        let refused = source.check_cursor(field, None).err();
        let usable = matches!(field.name().as_str(), "t" | "n" | "at");
        assert_eq!(refused.is_none(), usable, "{field:?} {refused:?}");
        if let Some(error) = refused {
            assert!(error.kind() == ErrorKind::Config && error.to_string().contains(field.name()), "{error}");
        }
    }
    let at = info.schema.field_with_name("at").unwrap();
    assert!(source.check_cursor(at, Some("1 d")).is_ok() && source.check_cursor(at, Some("1")).is_err());
}

#[tokio::test]
async fn encryption_and_credentials_are_checked() {
    let place = place("t_reads_tls").await;
    let ca = std::env::var("LEVADA_TEST_CA").expect("set LEVADA_TEST_CA (scripts/services env prints it)");
    let url = |host: &str, password: &str, more: &str| {
        let port = super::url().port().unwrap_or(5432);
        url::Url::parse(&format!("postgres://levada_tls:{password}@{host}:{port}/levada_pg_test?{more}")).unwrap()
    };
    let kind = async |url: url::Url| {
        let registry = levada_connectors::registry();
        let connector = registry.get("postgres").unwrap();
        let connection = connector.connect(connector.settings_from_url(&url).unwrap()).unwrap();
        connection.source().unwrap().discover(Some("x.y")).await.err().map(|error| {
            assert!(!error.to_string().contains("levada-tls"), "{error}");
            error.kind()
        })
    };
    let trusted = format!("tls_ca={ca}");
    assert_eq!(kind(url("localhost", "levada-tls", &trusted)).await, None);
    assert_eq!(kind(url("localhost", "levada-tls", "tls=require")).await, None);
    assert_eq!(kind(url("localhost", "levada-tls", "")).await, Some(ErrorKind::Tls));
    assert_eq!(kind(url("127.0.0.2", "levada-tls", &trusted)).await, Some(ErrorKind::Tls));
    assert_eq!(kind(url("127.0.0.2", "levada-tls", &format!("tls=verify-ca&{trusted}"))).await, None);
    assert_eq!(kind(url("127.0.0.2", "levada-tls", &format!("sslmode=verify-ca&sslrootcert={ca}"))).await, None);
    assert_eq!(kind(url("localhost", "levada-tls", "tls=verify-ca")).await, Some(ErrorKind::Tls));
    assert_eq!(kind(url("localhost", "levada-tls", "tls_ca=/nowhere")).await, Some(ErrorKind::Tls));
    assert_eq!(kind(url("localhost", "levada-tls", "tls_ca=/dev/null")).await, Some(ErrorKind::Tls));
    assert_eq!(kind(url("localhost", "wrong", &trusted)).await, Some(ErrorKind::Auth));
    assert_eq!(kind(url("localhost", "", &trusted)).await, Some(ErrorKind::Auth));
    assert_eq!(kind(url("localhost", "levada-tls", "tls=disable")).await, Some(ErrorKind::Auth));
    drop(place);
}
