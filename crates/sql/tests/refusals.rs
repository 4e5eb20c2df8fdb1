//! What a query may not say: each is told with its place and a remedy, by the text alone, and nothing ends the process.

use levada_core::error::ErrorKind;
use levada_core::query::{QueryEngine, StreamName};
use levada_sql::Sql;

/// The statement, and a part of the message it is refused with.
const REFUSED: &[(&str, &str)] = &[
    ("INSERT INTO m.t VALUES (1)", "can only read"),
    ("UPDATE m.t SET a = 1", "can only read"),
    ("DELETE FROM m.t", "can only read"),
    ("CREATE TABLE x AS SELECT 1", "can only read"),
    ("CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'", ""),
    ("CREATE VIEW v AS SELECT 1", "can only read"),
    ("DROP TABLE m.t", "can only read"),
    ("COPY m.t TO '/tmp/x'", "can only read"),
    ("COPY (SELECT 1) TO '/tmp/x.csv'", ""),
    ("SET datafusion.execution.batch_size = 1", "can only read"),
    ("SHOW TABLES", "can only read"),
    ("SHOW ALL", "can only read"),
    ("EXPLAIN SELECT 1", "can only read"),
    ("EXPLAIN ANALYZE SELECT 1", "can only read"),
    ("DESCRIBE m.t", "can only read"),
    ("PREPARE p AS SELECT 1", "can only read"),
    ("EXECUTE p", "can only read"),
    ("BEGIN", "can only read"),
    ("COMMIT", "can only read"),
    ("ATTACH 'x' AS y", ""),
    ("TRUNCATE TABLE m.t", "can only read"),
    ("GRANT SELECT ON m.t TO x", "can only read"),
    ("MERGE INTO m.t USING m.s ON true WHEN MATCHED THEN DELETE", "can only read"),
    ("SELECT 1; SELECT 2", "one statement"),
    ("SELECT 1; DROP TABLE m.t", "one statement"),
    ("", "there is no statement"),
    ("-- nothing", "there is no statement"),
    ("SELECT", "this is no SQL"),
    ("SELECT 'open", "this is no SQL"),
    ("SELECT * FROM m.t WHERE", "this is no SQL"),
    ("SELECT * INTO x FROM m.t", "can only read"),
    ("WITH x AS (DELETE FROM m.t RETURNING *) SELECT * FROM x", "can only read"),
    ("WITH x AS (INSERT INTO m.t VALUES (1)) SELECT * FROM x", "can only read"),
    ("SELECT * FROM m.t FOR UPDATE", "cannot lock"),
    ("SELECT * FROM t", "neither a stream nor a WITH query"),
    ("SELECT * FROM a.b.c.d", "too many or empty parts"),
    ("SELECT * FROM m.\"\"", "too many or empty parts"),
    ("SELECT * FROM '/etc/passwd'", "neither a stream"),
    ("SELECT * FROM read_csv('/etc/passwd')", "functions in FROM"),
    ("SELECT * FROM m.f(1)", "functions in FROM"),
    ("SELECT * FROM generate_series(1, 1000000000)", "functions in FROM"),
    ("SELECT * FROM unnest(ARRAY[1,2])", ""),
    ("SELECT * FROM TABLE(f(1))", ""),
    ("SELECT * FROM LATERAL (SELECT 1) x", "LATERAL"),
    ("SELECT * FROM m.t TABLESAMPLE SYSTEM (10)", "TABLESAMPLE"),
    ("SELECT * FROM (SELECT 1) x TABLESAMPLE BERNOULLI (10)", "TABLESAMPLE"),
    ("SELECT * FROM m.t NATURAL JOIN m.s", "NATURAL JOIN"),
    ("SELECT * FROM m.t JOIN m.s", "a join needs a condition"),
    ("SELECT id FROM m.t RIGHT JOIN m.s USING (id)", "USING is not allowed"),
    ("SELECT id FROM m.t FULL JOIN m.s USING (id)", "USING is not allowed"),
    ("SELECT end FROM m.t", "a word of SQL"),
    ("SELECT * FROM m.t LEFT SEMI JOIN m.s ON true", "kind of join"),
    ("WITH RECURSIVE x AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM x) SELECT * FROM x", "WITH RECURSIVE"),
    ("WITH \"m.t\" AS (SELECT 1) SELECT * FROM m.t", "no dots"),
    ("SELECT a FROM m.t EXCEPT ALL SELECT a FROM m.s", "EXCEPT ALL"),
    ("SELECT a FROM m.t INTERSECT ALL SELECT a FROM m.s", "INTERSECT ALL"),
    ("SELECT 1 UNION SELECT 2 INTERSECT ALL SELECT 3", "INTERSECT ALL"),
    ("SELECT a, sum(b) FROM m.t GROUP BY ROLLUP (a)", "ROLLUP"),
    ("SELECT a, sum(b) FROM m.t GROUP BY CUBE (a)", "CUBE"),
    ("SELECT a, sum(b) FROM m.t GROUP BY GROUPING SETS ((a), ())", "GROUPING SETS"),
    ("SELECT a FROM m.t GROUP BY ALL", "GROUP BY ALL"),
    ("SELECT a FROM m.t ORDER BY ALL", ""),
    ("SELECT a FROM m.t FETCH FIRST 5 ROWS WITH TIES", "FETCH"),
    ("SELECT DISTINCT ON (a) a, b FROM m.t", "DISTINCT ON"),
    ("SELECT * EXCEPT (a) FROM m.t", ""),
    ("SELECT now()", "a query that is run again"),
    ("SELECT current_date", "a query that is run again"),
    ("SELECT current_timestamp", "a query that is run again"),
    ("SELECT random()", "a query that is run again"),
    ("SELECT uuid()", "a query that is run again"),
    ("SELECT version()", "tells of the machine"),
    ("SELECT current_user", "tells of the machine"),
    ("SELECT arrow_typeof(1)", "there is no function"),
    ("SELECT arrow_cast(1, 'Int8')", "there is no function"),
    ("SELECT input_file_name()", "there is no function"),
    ("SELECT pg_read_file('/etc/passwd')", "there is no function"),
    ("SELECT sums(a) FROM m.t", "there is no function"),
    ("SELECT repeat('x', 1000000000)", "no bound"),
    ("SELECT median(a) FROM m.t", "not exact"),
    ("SELECT array_agg(a) FROM m.t", "holds no lists"),
    ("SELECT ARRAY[1, 2]", "not allowed"),
    ("SELECT a[1] FROM m.t", "not allowed"),
    ("SELECT a -> 'b' FROM m.t", "not allowed"),
    ("SELECT 1 << 70", "not allowed"),
    ("SELECT a ~ 'x' FROM m.t", "not allowed"),
    ("SELECT a = ANY (SELECT b FROM m.s) FROM m.t", "ANY and ALL"),
    ("SELECT a > ALL (SELECT b FROM m.s) FROM m.t", "ANY and ALL"),
    ("SELECT (a, b) IN ((1, 2)) FROM m.t", "rows cannot be values"),
    ("SELECT a COLLATE \"C\" FROM m.t", "not allowed"),
    ("SELECT a SIMILAR TO 'x' FROM m.t", "regexp_like"),
    ("SELECT CAST(a AS VARCHAR(3)) FROM m.t", "cannot become"),
    ("SELECT CAST(a AS INTERVAL) FROM m.t", "cannot become"),
    ("SELECT CAST(a AS TIMESTAMP(3)) FROM m.t", "cannot become"),
    ("SELECT CAST(a AS DECIMAL(80,2)) FROM m.t", "cannot become"),
    ("SELECT \"CAST AS int64\"(a) FROM m.t", "there is no function"),
    ("SELECT \"WIDE\"(a) FROM m.t", "there is no function"),
    ("SELECT 1 FROM m.t WHERE \"now\"() > a", "a query that is run again"),
    ("SELECT \"||\"(a, a) FROM m.t", "there is no function"),
    ("SELECT $1", "is no parameter"),
    ("SELECT @x", ""),
    ("SELECT X'00'", "form of a value"),
    ("SELECT $$x$$", "form of a value"),
    ("SELECT sum(a, b => 1) FROM m.t", "cannot be called"),
    ("SELECT count(m.*) FROM m.t", ""),
    ("SELECT lower(*) FROM m.t", "cannot be called"),
    ("SELECT * FROM information_schema.tables", "FINE"),
];

#[test]
fn whatever_is_not_reading_is_refused_with_a_remedy() {
    let mut wrong = Vec::new();
    for (sql, part) in REFUSED {
        match Sql::new().check(sql) {
            // a connection of that name, as any other: what it is, the source says
            Ok(outline) if *part == "FINE" => assert_eq!(outline.reads[0].connection, "information_schema"),
            Ok(_) => wrong.push(format!("{sql}: accepted")),
            Err(error) => {
                let fine = matches!(error.kind(), ErrorKind::Config | ErrorKind::Refused);
                if !fine || !error.to_string().contains(part) || error.advice().is_empty() {
                    wrong.push(format!("{sql}: {error:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_refusal_says_line_and_column() {
    let error = Sql::new().check("SELECT a,\n       now()\nFROM m.t").unwrap_err().to_string();
    assert!(error.contains("line 2, column 8"), "{error}");
    let error = Sql::new().check("SELECT a\nFROM m.t\nWHERE a = = 1").unwrap_err().to_string();
    assert!(error.contains("line 3, column 11"), "{error}");
    let error = Sql::new().check("SELECT a FROM m.t JOIN x ON true").unwrap_err().to_string();
    assert!(error.contains("line 1, column 24"), "{error}");
}

#[test]
fn an_outline_tells_streams_and_parameters() {
    let sql = "WITH x AS (SELECT * FROM shop.public.orders WHERE day >= $since AND region = $region) \
               SELECT * FROM x JOIN files.\"orders/*.csv\" f ON f.id = x.id \
               WHERE x.id IN (SELECT id FROM shop.customers) AND x.a > $since";
    let outline = Sql::new().check(sql).unwrap();
    let name = |connection: &str, stream: &str| StreamName { connection: connection.into(), stream: stream.into() };
    assert_eq!(
        outline.reads,
        [name("files", "orders/*.csv"), name("shop", "customers"), name("shop", "public.orders")]
    );
    assert_eq!(outline.params, ["region", "since"]);
}

/// None of these may end the process, and each says that it is too large or too deep.
#[test]
fn texts_that_are_too_large_or_deep_are_refused() {
    let many = |count: usize, one: &str, between: &str| vec![one; count].join(between);
    let texts = [
        format!("SELECT 1 FROM m.t WHERE {}", many(100_000, "a = 1", " OR ")),
        format!("SELECT 1 FROM m.t WHERE {}", many(2_000, "a = 1", " OR ")),
        format!("SELECT {}", many(20_000, "1", "+")),
        format!("SELECT {}", many(20_000, "'x'", "||")),
        format!("SELECT {}1{}", "(".repeat(10_000), ")".repeat(10_000)),
        format!("SELECT {}1{}", "(".repeat(70), ")".repeat(70)),
        format!("SELECT {}true", "NOT ".repeat(20_000)),
        format!("SELECT {}1", "- ".repeat(20_000)),
        format!("SELECT {}1{}", "abs(".repeat(10_000), ")".repeat(10_000)),
        format!("SELECT 1{}", "::int".repeat(20_000)),
        format!("SELECT 1 {}", "IS NULL ".repeat(20_000)),
        format!("SELECT {} 1 {}", "CASE WHEN true THEN ".repeat(5_000), "END ".repeat(5_000)),
        format!("SELECT 1 FROM m.t WHERE a IN ({})", many(500_000, "1", ",")),
        format!("SELECT 1 FROM m.t WHERE a IN ({})", many(60_000, "1", ",")),
        many(10_000, "SELECT 1", " UNION ALL "),
        many(1_000, "SELECT 1", " UNION ALL "),
        format!("SELECT 1 FROM {}", many(1_000, "m.t", ", ")),
        format!("SELECT 1 FROM m.t {}", "CROSS JOIN m.t ".repeat(1_000)),
        format!("{}SELECT 1{}", "SELECT * FROM (".repeat(5_000), ") x".repeat(5_000)),
        format!("SELECT '{}'", "x".repeat(300_000)),
        format!("SELECT 1 {}", "[".repeat(30_000)),
        format!("SELECT 1 AT TIME ZONE 'UTC'{}", " AT TIME ZONE 'UTC'".repeat(9_000)),
        format!("SELECT a{} FROM m.t", ".a".repeat(20_000)),
    ];
    for text in texts {
        let start: String = text.chars().take(60).collect();
        let error = Sql::new().check(&text).expect_err(&start);
        assert!(matches!(error.kind(), ErrorKind::Config), "{start}: {error:?}");
        assert!(!error.advice().is_empty(), "{start}: {error:?}");
        assert!(error.to_string().len() < 2_000, "{start}: {}", error.to_string().len());
    }
}
