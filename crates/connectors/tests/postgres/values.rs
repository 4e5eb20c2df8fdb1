//! Every type there and back, by both routes.

use std::sync::Arc;

use arrow_schema::{DataType, Schema};

use super::place;
use super::pump::Pump;

/// One column a type, with the values that break tools.
const TYPES: &[(&str, &[&str])] = &[
    ("bool", &["true", "false"]),
    ("int2", &["-32768", "32767"]),
    ("int4", &["-2147483648", "2147483647"]),
    ("int8", &["-9223372036854775808", "9223372036854775807", "9007199254740993"]),
    ("float4", &["'NaN'", "'Infinity'", "'-Infinity'", "'-0'", "0.1", "1e-45", "3.4e38"]),
    ("float8", &["'NaN'", "'Infinity'", "'-0'", "5e-324", "1.7e308", "0.1"]),
    ("numeric(10,2)", &["0", "-0.01", "99999999.99", "1000000000::numeric/100", "100.00"]),
    ("numeric(38,10)", &["1000000000.5", "9999999999999999999999999999.9999999999", "-1000000000000000000.0000000001"]),
    ("numeric(38,1)", &["9999999999999999999999999999999999999.9"]),
    (
        "numeric(76,38)",
        &[
            "99999999999999999999999999999999999999.99999999999999999999999999999999999999",
            "-1",
            "0.00000000000000000000000000000000000001",
        ],
    ),
    ("numeric(2,-3)", &["99000", "-1000"]),
    ("numeric(3,5)", &["0.00999", "-0.00001"]),
    ("numeric(200,100)", &["1e99", "1e-100", "'NaN'"]),
    (
        "numeric",
        &["'NaN'", "'Infinity'", "'-Infinity'", "1.5", "100.00", "1e1000", "1e-1000", "-1000000000.000000001", "0.000"],
    ),
    ("text", &["''", "'NULL'", "'\\N'", "E'a\\tb\\nc\\rd\\\\e'", "'😀 größe'", "'\"quoted\"'", "repeat('x', 300000)"]),
    ("varchar(10)", &["'ab  '", "'😀'"]),
    ("char(5)", &["'ab'", "''"]),
    ("name", &["'abc'"]),
    ("\"char\"", &["'x'"]),
    ("bytea", &["'\\x'", "'\\x00ff0a5c'", "decode(repeat('ab', 300000), 'hex')"]),
    (
        "date",
        &["'0044-03-15 BC'", "'4713-01-01 BC'", "'5874897-12-31'", "'9999-12-31'", "'0001-01-01'", "'1970-01-01'"],
    ),
    (
        "timestamp",
        &[
            "'0044-03-15 12:00 BC'",
            "'9999-12-31 23:59:59.999999'",
            "'1969-12-31 23:59:59.999999'",
            "'2024-03-10 02:30'",
        ],
    ),
    ("timestamp(0)", &["'2020-01-01 00:00:01'"]),
    (
        "timestamptz",
        &["'1883-11-18 12:03:58 America/New_York'", "'2024-11-03 01:30 America/New_York'", "'0001-01-01 00:00+00'"],
    ),
    ("time", &["'24:00:00'", "'00:00:00'", "'23:59:59.999999'"]),
    ("timetz", &["'12:00:00.5+05:30'"]),
    ("interval", &["'-1 year -2 days +3 hours -0.000001 sec'", "'1000000 years'", "'0'"]),
    ("interval day to second(3)", &["'1 day 1.234 sec'"]),
    ("uuid", &["'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'"]),
    ("json", &["'{\"a\": 1, \"a\":2,  \"n\": 9007199254740993}'", "'null'", "'[\"\\u00e4\\n\"]'"]),
    ("jsonb", &["'{\"b\": [1.00, null], \"a\": 1e400}'", "'\"x\"'"]),
    ("xml", &["'<a b=\"c\">d</a>'"]),
    ("int4[]", &["'{}'", "'{1,NULL,-3}'", "'[0:1]={1,2}'", "'{{1,2},{3,4}}'"]),
    ("text[]", &["array['a,b', 'c\"d', NULL, 'NULL', '', E'\\\\']"]),
    ("timestamptz[]", &["array['2020-01-01 00:00+00'::timestamptz]"]),
    ("mood", &["'sad'", "'it''s ok'"]),
    ("mood[]", &["array['sad'::mood, NULL]"]),
    ("email", &["'a@b'"]),
    ("positive", &["1"]),
    ("pair", &["row(1, 'a,\"b')::pair", "row(NULL, '')::pair"]),
    ("bit(8)", &["'00000001'"]),
    ("bit varying", &["''", "'101'"]),
    ("varbit(5)", &["'10101'"]),
    ("int4range", &["'[1,5)'", "'empty'", "'(,)'"]),
    ("tstzrange", &["'[2020-01-01 00:00+00,)'"]),
    ("int4multirange", &["'{[1,2],[5,9)}'"]),
    ("inet", &["'192.168.0.1/24'", "'::1'"]),
    ("cidr", &["'10.0.0.0/8'"]),
    ("macaddr", &["'08:00:2b:01:02:03'"]),
    ("macaddr8", &["'08:00:2b:01:02:03:04:05'"]),
    ("point", &["'(1.5,-2)'"]),
    ("polygon", &["'((0,0),(1,1),(1,0))'"]),
    ("tsvector", &["'a:1 b:2A'::tsvector"]),
    ("tsquery", &["'a & !b'::tsquery"]),
    ("oid", &["4294967295"]),
    ("regclass", &["'pg_class'"]),
    ("xid8", &["'18446744073709551615'"]),
    ("pg_lsn", &["'16/B374D848'"]),
    ("jsonpath", &["'$.a[*] ? (@ > 1)'"]),
    ("public.citext", &["'MiXed'", "''", "'😀 größe'"]),
    ("public.hstore", &["'a=>1, \"b c\"=>NULL, d=>\"NULL\"'", "''", "'\"q\\\"uote\"=>\"x, y=>z\"'"]),
    ("public.ltree", &["'Top.Science.Astronomy'", "''"]),
];

const USER_TYPES: &str = "CREATE TYPE mood AS ENUM ('sad', 'it''s ok');
    CREATE DOMAIN email AS varchar(20) CHECK (VALUE LIKE '%@%');
    CREATE DOMAIN positive0 AS numeric(5,1); CREATE DOMAIN positive AS positive0 CHECK (VALUE > 0);
    CREATE TYPE pair AS (n int, t text);";

async fn create(place: &super::Place, table: &str, portable_only: bool) {
    let own = |t: &str| portable_only && (["pair", "mood[]", "regclass", "public.ltree"].contains(&t));
    let columns: Vec<String> = TYPES
        .iter()
        .enumerate()
        .filter(|(_, (t, _))| !own(t))
        .map(|(n, (t, _))| format!("\"c{n} {}\" {t}", t.replace('"', "")))
        .collect();
    place.run(&format!("CREATE TABLE {table} (id int PRIMARY KEY, {})", columns.join(", "))).await;
    // Row 0 is all NULL; row n holds the n-th value of each column, the last one again where there are no more.
    place.run(&format!("INSERT INTO {table} (id) VALUES (0)")).await;
    let longest = TYPES.iter().map(|(_, values)| values.len()).max().unwrap();
    for row in 0..longest {
        let values: Vec<String> = TYPES
            .iter()
            .filter(|(t, _)| !own(t))
            .map(|(t, values)| format!("({})::{t}", values[row.min(values.len() - 1)]))
            .collect();
        place.run(&format!("INSERT INTO {table} VALUES ({}, {})", row + 1, values.join(", "))).await;
    }
}

#[tokio::test]
async fn every_type_survives_the_arrow_route_with_its_native_type() {
    let place = place("t_values_arrow").await;
    place.run(USER_TYPES).await;
    create(&place, "a", false).await;
    let pump = Pump::new(&place.connection, &place.name("a"), &place.name("b"));
    let outcome = pump.run().await.unwrap();
    assert_eq!(outcome.rejects, vec![]);
    assert_eq!(place.difference("a", "b").await, 0);
    let types = |table: &str| {
        format!(
            "SELECT string_agg(CASE WHEN t.typtype = 'd' THEN 'domain' ELSE format_type(a.atttypid, a.atttypmod) END, ',' ORDER BY attnum) FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid WHERE attrelid = '{table}'::regclass AND attnum > 0"
        )
    };
    let (a, b) = (place.text(&types("a")).await, place.text(&types("b")).await);
    let b = b.replace("character varying(20)", "domain").replace("numeric(5,1)", "domain");
    assert_eq!(a.replace("character varying(20)", "domain"), b);
    // Again, into the table that now exists.
    place.run("DELETE FROM b WHERE id > 2").await;
    let again = pump.run().await.unwrap();
    assert_eq!((again.durable.deleted, again.durable.inserted), (3, again.read));
    assert_eq!(place.difference("a", "b").await, 0);
    place.assert_clean().await;
}

#[tokio::test]
async fn every_portable_type_survives_the_raw_route() {
    let place = place("t_values_raw").await;
    place.run(USER_TYPES).await;
    create(&place, "a", true).await;
    place.run("ALTER TABLE a ADD odd timestamp; UPDATE a SET odd = 'infinity'").await;
    let mut pump = Pump::new(&place.connection, &place.name("a"), &place.name("b"));
    pump.raw = true;
    pump.run().await.unwrap();
    assert_eq!(place.difference("a", "b").await, 0);
    let outcome = pump.run().await.unwrap();
    assert!(outcome.plan.raw.is_some() && outcome.durable.deleted > 0);
    assert_eq!(place.difference("a", "b").await, 0);
}

#[tokio::test]
async fn binary_columns_only_take_the_binary_format_and_stay_exact() {
    let place = place("t_values_binary").await;
    let known = [
        "int",
        "float",
        "bool",
        "numeric",
        "text",
        "varchar(10)",
        "char(5)",
        "bytea",
        "date",
        "timestamp",
        "time",
        "uuid",
        "json",
    ];
    let columns: Vec<(usize, &(&str, &[&str]))> = TYPES
        .iter()
        .enumerate()
        .filter(|(_, (t, _))| {
            known.iter().any(|k| t.starts_with(k))
                && !t.contains('[')
                && !t.contains("range")
                && !["timetz", "tsvector", "jsonpath"].contains(t)
                && !t.starts_with("interval")
        })
        .collect();
    assert!(columns.len() > 20);
    let list: Vec<String> = columns.iter().map(|(n, (t, _))| format!("c{n} {t}")).collect();
    place.run(&format!("CREATE TABLE a (id int, {})", list.join(", "))).await;
    for row in 0..9 {
        let values: Vec<String> =
            columns.iter().map(|(_, (t, v))| format!("({})::{t}", v[row.min(v.len() - 1)])).collect();
        place.run(&format!("INSERT INTO a VALUES ({row}, {})", values.join(", "))).await;
    }
    Pump::new(&place.connection, &place.name("a"), &place.name("b")).run().await.unwrap();
    assert_eq!(place.difference("a", "b").await, 0);
}

#[tokio::test]
async fn values_without_a_place_are_rejected_and_counted() {
    let place = place("t_values_rejects").await;
    place
        .run(
            "CREATE TABLE a (id int PRIMARY KEY, n numeric(10,2), d date, t timestamp);
             INSERT INTO a VALUES (1, 1.5, '2020-01-01', '2020-01-01'), (2, 'NaN', '2020-01-01', NULL),
               (3, 1, 'infinity', '-infinity'), (4, 1, NULL, 'infinity'), (5, 2, NULL, '294276-12-31 23:59:59'), (6, 3, NULL, NULL)",
        )
        .await;
    let outcome = Pump::new(&place.connection, &place.name("a"), &place.name("b")).run().await.unwrap();
    assert_eq!((outcome.read, outcome.accepted.rows, outcome.rejects.len()), (6, 2, 4));
    let second = outcome.rejects.iter().find(|reject| reject.row.contains("\"id\":\"3\"")).unwrap();
    assert_eq!((second.column.as_deref(), second.reason.as_str()), (Some("d"), "`infinity` is no point in time"));
    assert!(second.row.contains("\"t\":\"-infinity\""), "{}", second.row);
    assert_eq!(
        place
            .number(
                "SELECT count(*) FROM _levada_rejects WHERE reason LIKE '%no place in a decimal%' AND column_name = 'n'"
            )
            .await,
        1
    );
    assert_eq!(place.number("SELECT rows_rejected FROM _levada_positions").await, 4);
}

#[tokio::test]
async fn a_decimal_that_is_read_as_text_keeps_what_is_no_number() {
    let place = place("t_values_as_text").await;
    let create = "CREATE TABLE a (id int, n numeric(10,2), w numeric(60,3))";
    place.run(create).await;
    place.run("INSERT INTO a VALUES (1, 'NaN', 'NaN'), (2, -0.5, 1e50), (3, 0, NULL)").await;
    let pump = Pump::new(&place.connection, &place.name("a"), "");
    let (info, source) = (pump.info().await, place.connection.clone().source().unwrap());
    let as_text = info.schema.fields().iter().map(|field| match source.reads_as_text(field) {
        true => field.as_ref().clone().with_data_type(DataType::Utf8),
        false => field.as_ref().clone(),
    });
    let columns: arrow_schema::SchemaRef = Arc::new(Schema::new(as_text.collect::<Vec<_>>()));
    let types: Vec<&DataType> = columns.fields().iter().map(|field| field.data_type()).collect();
    assert_eq!(types, [&DataType::Int32, &DataType::Utf8, &DataType::Utf8]);
    let job = levada_testkit::pump::Job::new(None, "a");
    let (batches, _) = levada_testkit::pump::read(source.as_ref(), &info, columns.clone(), &job).await.unwrap();
    assert!(batches.iter().all(|batch| batch.rejects.is_empty()));
    let wide = format!("1{}.000", "0".repeat(50));
    let row = levada_testkit::rows::row;
    let wanted = [
        row(&[Some("1"), Some("NaN"), Some("NaN")]),
        row(&[Some("2"), Some("-0.50"), Some(&wide)]),
        row(&[Some("3"), Some("0.00"), None]),
    ];
    assert_eq!(levada_testkit::rows::sorted(&batches, &columns), wanted);
}

#[tokio::test]
async fn types_that_the_target_does_not_have_become_text() {
    let place = place("t_values_bare").await;
    place.run("DROP DATABASE IF EXISTS levada_pg_bare WITH (FORCE)").await;
    place.run("CREATE DATABASE levada_pg_bare TEMPLATE template0").await;
    place.run("CREATE TABLE a (c public.citext, h public.hstore, l public.ltree)").await;
    place.run("INSERT INTO a VALUES ('MiXed', 'a=>1', 'Top.Science')").await;
    let mut pump = Pump::new(&place.connection, &place.name("a"), "b");
    pump.to = super::connect_with(&[("database", "levada_pg_bare")]);
    pump.run().await.unwrap();
    let bare = super::client("levada_pg_bare").await;
    let types = "SELECT string_agg(format_type(atttypid, atttypmod), ' ') FROM pg_attribute
        WHERE attrelid = 'b'::regclass AND attnum > 0";
    assert_eq!(bare.query_one(types, &[]).await.unwrap().get::<_, String>(0), "text text text");
    let rows = "SELECT string_agg(b::text, ' ') FROM b";
    assert_eq!(
        bare.query_one(rows, &[]).await.unwrap().get::<_, String>(0),
        "(MiXed,\"\"\"a\"\"=>\"\"1\"\"\",Top.Science)"
    );
}

#[tokio::test]
async fn money_becomes_a_number_and_can_go_back() {
    let place = place("t_values_money").await;
    place
        .run("CREATE TABLE a (id int PRIMARY KEY, m money); INSERT INTO a VALUES (1, 1234.56), (2, -0.01), (3, NULL)")
        .await;
    let mut pump = Pump::new(&place.connection, &place.name("a"), &place.name("b"));
    pump.run().await.unwrap();
    assert_eq!(place.text("SELECT string_agg(m::text, ',' ORDER BY id) FROM b").await, "1234.56,-0.01");
    place.run("CREATE TABLE c (id int PRIMARY KEY, m money)").await;
    pump.target = place.name("c");
    pump.run().await.unwrap();
    assert_eq!(place.difference("a", "c").await, 0);
}

#[tokio::test]
async fn decimals_of_every_size_are_written_as_the_server_writes_them() {
    let place = place("t_values_numeric").await;
    place
        .run(
            "CREATE TABLE a AS SELECT row_number() OVER () AS id, (x * sign)::numeric(38,7) AS n, (x * sign)::numeric AS u,
               (x * sign)::numeric(60,20) AS w, trunc(x * sign)::numeric(38,0) AS i, (x*sign)::numeric(38,3) AS k
             FROM (SELECT (b * power(10::numeric, e) + f * power(10::numeric, -g)) AS x, sign
               FROM unnest(array[0, 1, 9, 1000000000, 123456789, 999999999, 20000]::numeric[]) b,
                    unnest(array[0, 1, 4, 9, 18]) e, unnest(array[0, 1, 5, 12345, 1000]) f, unnest(array[1, 3, 4, 7]) g,
                    unnest(array[1, -1]) sign) s",
        )
        .await;
    let pump = Pump::new(&place.connection, &place.name("a"), &place.name("b"));
    pump.run().await.unwrap();
    assert!(place.number("SELECT count(*) FROM a").await > 1000);
    assert_eq!(place.difference("a", "b").await, 0);
}

#[tokio::test]
async fn tables_without_columns_rows_or_values_and_with_1600_columns_are_made() {
    let place = place("t_values_shapes").await;
    let wide: Vec<String> = (0..1600).map(|n| format!("c{n} int2")).collect();
    place
        .run(
            &format!(
                "CREATE TABLE none (); INSERT INTO none DEFAULT VALUES; INSERT INTO none DEFAULT VALUES;
             CREATE TABLE empty (a int, b mood_); CREATE TABLE nulls (a int, b text);
             INSERT INTO nulls SELECT FROM generate_series(1, 10); CREATE TABLE wide ({});
             INSERT INTO wide (c0, c1599) VALUES (1, 2)",
                wide.join(", ")
            )
            .replace("mood_", "text"),
        )
        .await;
    for table in ["none", "empty", "nulls", "wide"] {
        for raw in [false, true] {
            let target = format!("{table}_{raw}");
            let mut pump = Pump::new(&place.connection, &place.name(table), &place.name(&target));
            pump.raw = raw;
            pump.run().await.unwrap_or_else(|error| panic!("{table} raw {raw}: {error}"));
            let count = |t: &str| format!("SELECT count(*) FROM {t}");
            assert_eq!(place.number(&count(table)).await, place.number(&count(&target)).await, "{table}");
            if table != "wide" {
                assert_eq!(place.difference(table, &target).await, 0, "{table}");
            }
        }
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_are_rejected_row_by_row() {
    let place = place("t_values_ascii").await;
    place.run("DROP DATABASE IF EXISTS levada_pg_ascii WITH (FORCE)").await;
    let create = "CREATE DATABASE levada_pg_ascii ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'";
    place.run(create).await;
    let ascii = super::client("levada_pg_ascii").await;
    let fill = "SET client_encoding = 'SQL_ASCII'; CREATE TABLE a (id int PRIMARY KEY, v text);
        INSERT INTO a VALUES (1, 'größe'), (2, E'caf\\xe9'), (3, NULL), (4, E'\\xc3'), (5, E'\\xa9')";
    ascii.batch_execute(fill).await.unwrap();
    let mut pump = Pump::new(&super::connect_with(&[("database", "levada_pg_ascii")]), "a", &place.name("b"));
    (pump.to, pump.readers) = (place.connection.clone(), 1);
    let outcome = pump.run().await.unwrap();
    assert_eq!((outcome.accepted.rows, outcome.rejects.len()), (2, 3));
    assert_eq!(outcome.rejects[0].reason, "`\\x636166e9` is not UTF-8");
    assert_eq!(place.text("SELECT string_agg(v, ',') FROM b").await, "größe");
}
