//! Raw streams, and loads from what they left behind, for which nobody is asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use levada_core::connector::Connection;
use levada_core::destination::WriteMode;
use levada_core::error::ErrorKind;
use levada_core::source::ReadMode;
use levada_testkit::pump::{self, Job};
use serde_json::{Value, json};

use super::server::{Reply, Server};
use super::{connect, from, read, source, stream};

fn endpoints() -> Value {
    json!({
        "orders": {
            "records": "data", "key": ["id"], "raw": true,
            "incremental": { "cursor": "n", "parameter": "from" },
            "pagination": { "type": "page" }
        },
        "lines": {
            "path": "orders/{id}/lines", "raw": true, "pagination": { "type": "none" },
            "parent": { "endpoint": "orders", "columns": { "order_id": "id" } }
        }
    })
}

const ORDER: &str = r#"{ "id": "a/1", "n":12345678901234567890123, "x": {"y": [1.10]} }"#;

async fn api() -> Server {
    Server::new(|asked| match (asked.path.as_str(), asked.query.get("page").map(String::as_str)) {
        ("/orders", Some("1")) => {
            Reply::status(200, format!("{{\n  \"data\": [{ORDER},\t{{\"id\": \"b\", \"n\": 7}} ] }}"))
        }
        ("/orders", Some("2")) => Reply::json(&json!({ "data": [{ "id": "c", "n": 9 }] })),
        ("/orders", _) => Reply::json(&json!({ "data": [] })),
        (path, _) => Reply::json(&json!([{ "of": path, "q": 1.5 }])),
    })
    .await
}

fn folder(path: &std::path::Path) -> Arc<dyn Connection> {
    let settings = json!({ "root": path.to_str().unwrap(), "format": "jsonl", "settle_ms": 0 });
    levada_connectors::registry().get("files").unwrap().connect(settings).unwrap()
}

#[tokio::test]
async fn an_answer_is_kept_as_it_came() {
    let server = api().await;
    let source = source(&server, json!({ "endpoints": endpoints() }));
    let (rows, position) = read(source.as_ref(), "raw:orders", ReadMode::Full).await.unwrap();
    assert_eq!(position, None);
    assert_eq!(rows.len(), 3, "two pages and the empty one");
    let first = rows.iter().find(|row| row[1].as_deref() == Some("1")).unwrap();
    assert_eq!(first[0].as_deref(), Some(format!("{}/orders?page=1", server.url()).as_str()));
    assert!(first[4].as_ref().unwrap().contains(ORDER), "{first:?}");
    assert!(source.discover(None).await.unwrap().iter().any(|stream| stream.name == "raw:lines"));
}

#[tokio::test]
async fn loads_from_raw_answers_are_the_same_and_ask_nobody() {
    let server = api().await;
    let live = source(&server, json!({ "endpoints": endpoints() }));
    let place = tempfile::tempdir().unwrap();
    let raw = folder(place.path()).destination().unwrap();
    let mut wanted = Vec::new();
    for name in ["orders", "lines"] {
        let info = stream(live.as_ref(), &format!("raw:{name}")).await.unwrap();
        let job = Job { write: WriteMode::Append, ..Job::new(None, &info.table) };
        pump::pump(live.as_ref(), &info, raw.as_ref(), &job).await.unwrap();
        wanted.push(read(live.as_ref(), name, ReadMode::Full).await.unwrap().0);
    }
    assert!(wanted.iter().all(|rows| rows.len() == 3), "{wanted:?}");
    server.take();
    let settings = json!({
        "url": server.url(), "private": true, "endpoints": endpoints(), "replay": { "root": place.path().to_str().unwrap() }
    });
    let stored = connect(settings).unwrap().source().unwrap();
    for (name, wanted) in ["orders", "lines"].into_iter().zip(wanted) {
        assert_eq!(read(stored.as_ref(), name, ReadMode::Full).await.unwrap().0, wanted, "{name}");
    }
    assert!(server.asked().is_empty(), "{:?}", server.asked());
    let names: Vec<String> = stored.discover(None).await.unwrap().into_iter().map(|stream| stream.name).collect();
    assert_eq!(names, ["lines", "orders"], "what is stored is not stored again");
}

#[tokio::test]
async fn answers_that_were_never_stored_are_missed() {
    let place = tempfile::tempdir().unwrap();
    let settings = json!({ "endpoints": endpoints(), "replay": { "root": place.path().to_str().unwrap() } });
    let stored = connect(settings).unwrap().source().unwrap();
    let error = stored.discover(Some("orders")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(error.advice().contains("`raw:orders`"), "{error}");
}

#[tokio::test]
async fn a_raw_stream_asks_only_for_what_is_new() {
    let is_later = Arc::new(AtomicBool::new(false));
    let flag = is_later.clone();
    let server = Server::new(move |asked| {
        let from: i64 = asked.query.get("from").map_or(0, |text| text.parse().unwrap());
        let last = if flag.load(Ordering::SeqCst) { 8 } else { 5 };
        let records: Vec<Value> = (from..=last).map(|n| json!({ "id": n, "n": n })).collect();
        Reply::json(&json!({ "data": records }))
    })
    .await;
    let mut endpoints = endpoints();
    endpoints["orders"]["pagination"] = json!({ "type": "none" });
    let source = source(&server, json!({ "endpoints": endpoints }));
    let mode = |position| ReadMode::Incremental { cursor: None, from: position, lag: None, mark_overlap: false };
    assert!(source.needs_cursor("orders") && !source.needs_cursor("raw:orders"));
    let (_, first) = read(source.as_ref(), "raw:orders", mode(None)).await.unwrap();
    assert_eq!(first.as_ref().unwrap().0["cursor"], "5");
    is_later.store(true, Ordering::SeqCst);
    let (rows, second) = read(source.as_ref(), "raw:orders", mode(first)).await.unwrap();
    assert_eq!(
        rows[0][4].as_deref(),
        Some(r#"{"data":[{"id":5,"n":5},{"id":6,"n":6},{"id":7,"n":7},{"id":8,"n":8}]}"#)
    );
    assert_eq!(second.unwrap().0["cursor"], "8");
    let error = read(source.as_ref(), "raw:orders", from("fetched_at", None)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}
