//! Queries that people ask over the API: what they are answered, what is refused, what is bounded, and that nothing of one
//! stays when it has ended or nobody waits for it any more.

use std::io::Write as _;
use std::time::{Duration, Instant};

use arrow_array::cast::AsArray as _;
use axum::body::Bytes;
use levada_server::Limits;
use levada_server::queries::QueryLimits;
use levada_testkit::services;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};
use tokio::runtime::Handle;

use crate::harness::{Place, Reply, Who};
use crate::strangers::{served, user};

const PATH: &str = "/api/v1/query";
/// What goes on for minutes.
const ENDLESS: &str =
    "SELECT count(*) AS n FROM shop.n a CROSS JOIN shop.n b CROSS JOIN shop.n c WHERE a.id + b.id + c.id = -1";

/// A server with a folder of files as the connection `shop`.
async fn place(queries: QueryLimits) -> Place {
    let place = Place::with(Limits { queries, ..Limits::default() }).await;
    let shop = place.data().join("shop");
    std::fs::create_dir(&shop).unwrap();
    let mut numbers = std::fs::File::create(shop.join("n.csv")).unwrap();
    writeln!(numbers, "id,word").unwrap();
    (1..=3_000).for_each(|id| writeln!(numbers, "{id},word {id}").unwrap());
    std::fs::write(shop.join("names.csv"), "id,name\n1,Ana\n2,\"\"\n3,\n").unwrap();
    let project =
        format!("version: 1\nconnections:\n  shop: {{ type: files, root: '{}', settle_ms: 0 }}\n", shop.display());
    place.apply_all(&project, &[]).await;
    place
}

async fn asked(place: &Place, sql: &str) -> Reply {
    place.post(PATH, json!({ "sql": sql.replace("shop.n ", "shop.\"n.csv\" ") })).await
}

async fn as_file(place: &Place, accept: &str, sql: &str) -> Reply {
    place.send("POST", PATH, &[("accept", accept)], json!({ "sql": sql })).await
}

/// That no query keeps anything on the disk.
#[track_caller]
fn nothing_is_kept(place: &Place) {
    let left: Vec<_> = std::fs::read_dir(place.data().join("queries")).into_iter().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}

async fn audited(place: &Place) -> Vec<(String, String, String)> {
    let page = place.get("/api/v1/audit?action=runQuery&limit=1000").await.is(200).json();
    let text = |line: &Value, name: &str| line[name].as_str().unwrap_or_default().to_owned();
    let lines = page["items"].as_array().unwrap().iter();
    lines.map(|line| (text(line, "outcome"), text(line, "object"), text(line, "detail"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_has_columns_and_exact_values() {
    let place = place(QueryLimits::default()).await;
    let sql = "SELECT n.id, m.name, CAST(n.id AS DECIMAL(38,10)) / 3 AS part, 9007199254740993 AS large, CAST('NaN' AS DOUBLE) AS x
        FROM shop.\"n.csv\" n JOIN shop.\"names.csv\" m ON m.id = n.id WHERE n.id <= $top ORDER BY n.id";
    let answer = place.post(PATH, json!({ "sql": sql, "params": { "top": 3 } })).await.is(200).json();
    let names: Vec<&str> =
        answer["columns"].as_array().unwrap().iter().map(|column| column["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["id", "name", "part", "large", "x"]);
    let types: Vec<&str> =
        answer["columns"].as_array().unwrap().iter().map(|column| column["type"].as_str().unwrap()).collect();
    assert!(types[0].starts_with("int") && types[2].starts_with("decimal") && types[3] == "int64", "{types:?}");
    let rows = answer["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 3);
    assert_eq!((&rows[0][1], &rows[1][1], &rows[2][1]), (&json!("Ana"), &json!(""), &Value::Null));
    assert_eq!((&rows[0][3], &rows[0][4]), (&json!("9007199254740993"), &json!("NaN")));
    assert!(rows[0][2].as_str().unwrap().starts_with("0.3333333333"), "{}", rows[0]);
    assert_eq!((&answer["cut"], &answer["shortened"]), (&Value::Null, &json!(0)));
    nothing_is_kept(&place);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_look_into_connections_asks_nothing() {
    let place = place(QueryLimits::default()).await;
    for role in levada_core::access::Role::ALL {
        let (session, token) = user(&place, role.name(), role).await;
        for who in [session, token] {
            let wanted = if role >= levada_core::access::Role::Editor { 200 } else { 403 };
            place.send_as(&who, "POST", PATH, &[], json!({ "sql": "SELECT 1 AS n" })).await.is(wanted);
            place.send_as(&who, "GET", PATH, &[], Value::Null).await.is(wanted);
        }
    }
    place.send_as(&Who::Nobody, "POST", PATH, &[], json!({ "sql": "SELECT 1 AS n" })).await.is(401);
    let asked = audited(&place).await.into_iter().filter(|(outcome, _, _)| outcome == "asked").count();
    assert_eq!(asked, 4, "editors and administrators, twice each");
    // a page of another site has the cookie, and no header
    let (Who::Session(cookie), _) = user(&place, "rui", levada_core::access::Role::Editor).await else {
        unreachable!()
    };
    let bare = [("cookie", cookie.as_str())];
    place.send_as(&Who::Nobody, "POST", PATH, &bare, json!({ "sql": "SELECT 1 AS n" })).await.is(403);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_query_is_told_with_its_place() {
    let place = place(QueryLimits::default()).await;
    let problem = asked(&place, "SELECT *\nFROM shop.n WERE id = 1").await.is(422).json();
    let first = &problem["errors"][0];
    assert!(first["place"][0].as_str().unwrap().starts_with("line 2, column "), "{problem}");
    assert!(first["message"].as_str().unwrap().starts_with("this is no SQL"), "{problem}");
    let problem = asked(&place, "SELECT id,\n  nme FROM shop.n a").await.is(422).json();
    assert_eq!(problem["errors"][0]["place"], json!(["line 2, column 3"]), "{problem}");
    let told = async |sql: &str, body: Value| {
        let mut body = body;
        body["sql"] = json!(sql);
        let problem = place.post(PATH, body).await.is(422).json();
        problem["detail"].as_str().unwrap().to_owned()
    };
    assert!(told("SELECT * FROM shp.n", json!({})).await.contains("Did you mean `shop`?"));
    assert!(told("SELECT $a AS a", json!({})).await.contains("wants a value for `$a`"));
    assert!(told("SELECT 1 AS a", json!({ "params": { "b": 1 } })).await.contains("has no parameter `$b`"));
    for number in ["12345678901234567.89", "18446744073709551616", "0.1234567890123456"] {
        let params = serde_json::from_str::<serde_json::Value>(&format!("{{\"b\":{number}}}")).unwrap();
        let told = told("SELECT $b AS a", json!({ "params": params })).await;
        assert!(told.contains("more digits than JSON keeps"), "{number}: {told}");
    }
    for sql in ["", "SELECT 1; SELECT 2", "DELETE FROM shop.\"n.csv\"", "SELECT 1 AS a, 2 AS a"] {
        told(sql, json!({})).await;
    }
    // a value that only the reading meets
    let failed = asked(&place, "SELECT CAST(word AS BIGINT) AS n FROM shop.n a").await.is(422).json();
    assert!(failed["detail"].as_str().unwrap().contains("word "), "{failed}");
    asked(&place, "SELECT * FROM shop.\"none.csv\"").await.is(404);
    for body in [json!({}), json!({ "sql": 1 }), json!({ "sql": "SELECT 1 AS n", "limit": 0 }), json!({ "sq": "" })] {
        place.post(PATH, body).await.is(400);
    }
    place.post(PATH, json!({ "sql": "SELECT 1 AS n", "limit": 10_001 })).await.is(400);
    let body = json!({ "sql": "SELECT 1 AS n", "limit": 5 });
    place.send("POST", PATH, &[("accept", "text/csv")], body).await.is(400);
    nothing_is_kept(&place);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_reaches_nothing_but_the_connections_of_the_project() {
    let place = place(QueryLimits::default()).await;
    std::fs::write(place.data().join("apart.csv"), "id\n77\n").unwrap();
    let apart = place.data().join("apart.csv").display().to_string();
    for sql in [
        format!("SELECT * FROM '{apart}'"),
        format!("SELECT * FROM \"{apart}\""),
        format!("SELECT * FROM \"{}\".\"apart.csv\"", place.data().display()),
        format!("SELECT * FROM read_csv('{apart}')"),
        format!("COPY shop.\"n.csv\" TO '{apart}'"),
        format!("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '{apart}'"),
        "SELECT * FROM shop.\"../apart.csv\"".to_owned(),
        "SELECT * FROM information_schema.tables".to_owned(),
        "SET datafusion.execution.batch_size = 1".to_owned(),
        "SHOW ALL".to_owned(),
        "EXPLAIN SELECT 1".to_owned(),
    ] {
        let reply = place.post(PATH, json!({ "sql": sql })).await;
        assert!(matches!(reply.status.as_u16(), 404 | 409 | 422), "{sql}: {} {}", reply.status, reply.text());
        assert!(!reply.text().contains("77"), "{sql}: {}", reply.text());
    }
    assert_eq!(std::fs::read_to_string(apart).unwrap(), "id\n77\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_levada_keeps_for_itself_is_out_of_reach() {
    let place = Place::kept_apart().await;
    let kept = place.data().join("kept");
    std::fs::write(kept.join("secret.csv"), "id\n77\n").unwrap();
    let project = format!(
        "version: 1\nconnections:\n  own: {{ type: files, root: '{}', settle_ms: 0 }}\n",
        place.data().display()
    );
    place.apply_all(&project, &[]).await;
    let reply = asked(&place, "SELECT * FROM own.\"kept/secret.csv\"").await;
    assert!(!reply.status.is_success() && !reply.text().contains("77"), "{}", reply.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_bounded_and_say_so() {
    let limits = QueryLimits { rows_max: 2_000, bytes_max: 4_000, ..QueryLimits::default() };
    let place = place(limits).await;
    let limited =
        async |sql: &str, limit: usize| place.post(PATH, json!({ "sql": sql, "limit": limit })).await.is(200).json();
    let rows = |answer: &Value| answer["rows"].as_array().unwrap().len();
    let ids = "SELECT id FROM shop.\"names.csv\" ORDER BY id";
    for (limit, found, cut) in [(2, 2, json!("rows")), (3, 3, Value::Null), (4, 3, Value::Null)] {
        let answer = limited(ids, limit).await;
        assert_eq!((rows(&answer), &answer["cut"]), (found, &cut), "{limit}");
    }
    let answer = limited("SELECT id, word FROM shop.\"n.csv\"", 2_000).await;
    assert_eq!(answer["cut"], "bytes");
    assert!((50..1_000).contains(&rows(&answer)), "{}", rows(&answer));
    let long =
        "SELECT repeat_text AS t, octet_length(repeat_text) AS n FROM (SELECT rpad('ä', 5000, 'ö') AS repeat_text)";
    let answer = limited(&long.replace("repeat_text", "x"), 5).await;
    let text = answer["rows"][0][0].as_str().unwrap();
    assert_eq!((text.chars().count(), text.ends_with('…'), &answer["shortened"]), (2_001, true, &json!(1)));
    assert_eq!(answer["rows"][0][1], "10000");
    let told = place.get(PATH).await.is(200).json();
    assert_eq!(
        (&told["rows_max"], &told["bytes_max"], &told["value_chars_max"]),
        (&json!(2_000), &json!(4_000), &json!(2_000))
    );
    nothing_is_kept(&place);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_takes_too_long_is_ended() {
    let place = place(QueryLimits { time_max: Duration::from_millis(700), ..QueryLimits::default() }).await;
    let (before, begun) = (Handle::current().metrics().num_alive_tasks(), Instant::now());
    let problem = asked(&place, ENDLESS).await.is(503);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(
        problem.text().contains("longer than 0.7 s") && problem.text().contains("`sql` task"),
        "{}",
        problem.text()
    );
    is_gone(before).await;
    nothing_is_kept(&place);
    assert_eq!(audited(&place).await[0].0, "failed");
}

/// Waits until no task of a query is left.
async fn is_gone(before: usize) {
    let begun = Instant::now();
    while Handle::current().metrics().num_alive_tasks() > before {
        // far below the time that a query may take
        assert!(begun.elapsed() < Duration::from_secs(20), "it works on");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_queries_than_there_are_places() {
    let place = place(QueryLimits { at_once: 1, ..QueryLimits::default() }).await;
    let other = place.same();
    let first = tokio::spawn(async move { asked(&other, ENDLESS).await });
    until_asked(&place, 1).await;
    let refused = asked(&place, "SELECT 1 AS n").await.is(503);
    assert!(refused.headers.contains_key("retry-after"));
    assert!(refused.text().contains("as may be at once: 1"), "{}", refused.text());
    // what is no query needs no place
    asked(&place, "SELEC 1").await.is(422);
    first.abort();
    let _ = first.await;
    asked(&place, "SELECT 1 AS n").await.is(200);
    nothing_is_kept(&place);
}

/// Waits until so many queries are written down.
async fn until_asked(place: &Place, count: usize) {
    let begun = Instant::now();
    while audited(place).await.iter().filter(|(outcome, _, _)| outcome == "asked").count() < count {
        assert!(begun.elapsed() < Duration::from_secs(20), "it was never asked");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Whoever closes the connection ends the work, in this process and in the other system.
#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_nobody_waits_for_is_ended_at_once() {
    let place = place(QueryLimits { at_once: 1, ..QueryLimits::default() }).await;
    let (_, Who::Token(token)) = user(&place, "ed", levada_core::access::Role::Editor).await else { unreachable!() };
    let address = served(&place).await;
    let before = Handle::current().metrics().num_alive_tasks();
    for (round, accept) in ["application/json", "text/csv", "application/json"].into_iter().enumerate() {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let body = json!({ "sql": ENDLESS.replace("shop.n ", "shop.\"n.csv\" ") }).to_string();
        let request = client.post(format!("http://{address}{PATH}")).bearer_auth(&token).header("accept", accept);
        let sent = tokio::spawn(request.header("content-type", "application/json").body(body).send());
        until_asked(&place, round + 1).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(Handle::current().metrics().num_alive_tasks() > before + 1, "it does not work");
        sent.abort();
        let _ = sent.await;
        drop(client);
        is_gone(before).await;
        nothing_is_kept(&place);
    }
    asked(&place, "SELECT 1 AS n").await.is(200);
}

/// What the other system's own client prints.
fn psql(sql: &str) -> String {
    let url = services::postgres();
    let mut command = std::process::Command::new("psql");
    command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql, url.split('?').next().unwrap()]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_system_works_for_nobody_either() {
    let view = format!("levada_query_{}", std::process::id());
    // each row takes a while
    psql(&format!(
        "CREATE VIEW {view} AS SELECT i, pg_sleep(0.05)::text AS s FROM generate_series(1, 100000) i WHERE i > 0"
    ));
    let place = Place::with(Limits::default()).await;
    let url = services::postgres();
    place.apply_all(&format!("version: 1\nconnections:\n  pg: {{ type: postgres, url: '{url}' }}\n"), &[]).await;
    let sql = format!("SELECT count(DISTINCT s) AS n FROM pg.public.{view}");
    let other = place.same();
    let running = tokio::spawn(async move { asked(&other, &sql).await });
    let at_work = || {
        psql(&format!(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%{view}%' AND state = 'active' AND pid <> pg_backend_pid()"
        )) != "0"
    };
    let begun = Instant::now();
    while !at_work() {
        assert!(begun.elapsed() < Duration::from_secs(20) && !running.is_finished(), "it never began");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    running.abort();
    let _ = running.await;
    let begun = Instant::now();
    while at_work() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the other system works on");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    psql(&format!("DROP VIEW {view}"));
}

const NASTY: &str = "SELECT * FROM (VALUES
  (1, 'a,b'), (2, 'say \"hi\"'), (3, 'two\nlines'), (4, ''), (5, NULL), (6, '=1+1'), (7, ' größe 🦀 '), (8, 'x\r\ny')) AS t(id, \"the, word\")";

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_values_has_all_of_them() {
    let place = place(QueryLimits::default()).await;
    let file = as_file(&place, "text/csv", NASTY).await.is(200);
    assert_eq!(file.headers["content-type"], "text/csv; charset=utf-8");
    assert_eq!(file.headers["content-disposition"], "attachment; filename=\"query.csv\"; filename*=UTF-8''query%2Ecsv");
    assert_eq!(file.headers["content-length"], file.body.len().to_string());
    let wanted = "id,\"the, word\"\r\n1,\"a,b\"\r\n2,\"say \"\"hi\"\"\"\r\n3,\"two\nlines\"\r\n4,\"\"\r\n5,\r\n6,=1+1\r\n7, größe 🦀 \r\n8,\"x\r\ny\"\r\n";
    assert_eq!(file.text(), wanted);
    // whole, beyond what an answer shows, and with values that an answer cuts
    let file = as_file(&place, "text/csv", "SELECT id, rpad('', 3000, 'x') AS x FROM shop.\"n.csv\"").await.is(200);
    let lines: Vec<&str> = std::str::from_utf8(&file.body).unwrap().lines().collect();
    assert_eq!((lines.len(), lines[3_000].len()), (3_001, 3_005));
    assert_eq!(
        as_file(&place, "text/csv", "SELECT id FROM shop.\"n.csv\" WHERE id < 0").await.is(200).text(),
        "id\r\n"
    );
    nothing_is_kept(&place);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_columns_has_all_of_them() {
    let place = place(QueryLimits::default()).await;
    let sql =
        "SELECT id, word, CAST(id AS DECIMAL(20,3)) AS d, DATE '2026-01-31' AS day FROM shop.\"n.csv\" ORDER BY id";
    let file = as_file(&place, "application/vnd.apache.parquet", sql).await.is(200);
    assert!(file.headers["content-disposition"].to_str().unwrap().contains("query.parquet"));
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(file.body)).unwrap().build().unwrap();
    let batches: Vec<_> = reader.map(Result::unwrap).collect();
    assert_eq!(batches.iter().map(|batch| batch.num_rows()).sum::<usize>(), 3_000);
    let last = batches.last().unwrap();
    let word = last.column(1);
    let word = text_at(word.as_ref(), word.len() - 1);
    assert_eq!((word.as_str(), last.schema().field(3).data_type().to_string().as_str()), ("word 3000", "Date32"));
    nothing_is_kept(&place);
}

fn text_at(array: &dyn arrow_array::Array, row: usize) -> String {
    match array.as_string_opt::<i32>() {
        Some(texts) => texts.value(row).to_owned(),
        None => array.as_string::<i64>().value(row).to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_would_be_too_large_is_refused_and_never_cut() {
    let rows = place(QueryLimits { file_rows_max: 2_999, ..QueryLimits::default() }).await;
    let bytes = place(QueryLimits { file_bytes_max: 20_000, ..QueryLimits::default() }).await;
    for accept in ["text/csv", "application/vnd.apache.parquet"] {
        let refused = as_file(&rows, accept, "SELECT id FROM shop.\"n.csv\"").await.is(400);
        assert!(refused.text().contains("more than 2999 rows"), "{}", refused.text());
        as_file(&rows, accept, "SELECT id FROM shop.\"n.csv\" WHERE id > 1").await.is(200);
        let refused = as_file(
            &bytes,
            accept,
            "SELECT a.word, b.word AS c FROM shop.\"n.csv\" a JOIN shop.\"n.csv\" b ON b.id % 10 = a.id % 10",
        )
        .await;
        assert!(refused.is(400).text().contains("the most that a file may have"));
    }
    nothing_is_kept(&rows);
    nothing_is_kept(&bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_is_written_down_before_and_without_secrets() {
    const CANARY: &str = "canary-9d41";
    let place = Place::with(Limits::default()).await;
    let project = format!(
        "version: 1\nconnections:\n  shop: {{ type: postgres, host: db.invalid, user: reader, database: x, password: {CANARY} }}\n"
    );
    place.apply_all(&project, &[]).await;
    let sql = format!("SELECT id,\n  '{CANARY}' AS c FROM shop.public.t WHERE name = $name");
    let failed = place.post(PATH, json!({ "sql": sql, "params": { "name": "private-77" } })).await;
    assert_eq!(failed.status.as_u16(), 502, "{}", failed.text());
    assert!(!failed.text().contains(CANARY), "{}", failed.text());
    let long = format!("SELECT '{}' AS n", "x".repeat(2_000));
    place.post(PATH, json!({ "sql": long })).await.is(200);
    let lines = audited(&place).await;
    let text = format!("{lines:?}");
    assert!(!text.contains(CANARY) && !text.contains("private-77"), "{text}");
    let outcomes: Vec<&str> = lines.iter().map(|(outcome, _, _)| outcome.as_str()).collect();
    assert_eq!(outcomes, ["asked", "failed", "asked"], "{text}");
    assert_eq!((lines[0].2.chars().count(), lines[0].2.ends_with(" ..")), (1_003, true));
    assert_eq!(lines[2].1, "connection=shop");
    assert_eq!(lines[2].2, "SELECT id, '***' AS c FROM shop.public.t WHERE name = $name");
}
