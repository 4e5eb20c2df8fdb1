//! Reads of what is new: the value in the query, the position, and loads that are cut off, killed and gone on with.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use levada_core::error::ErrorKind;
use levada_core::position::Position;
use levada_core::source::{ReadMode, Source};
use levada_testkit::memory::Memory;
use levada_testkit::pump::{self, Job};
use serde_json::{Value, json};

use super::server::{Reply, Server};
use super::{from, job, read, source, stream};

/// Orders that are changed minute by minute, served in the order of their changes.
#[derive(Clone, Default)]
struct Shop(Arc<Mutex<Vec<(i64, String)>>>);

impl Shop {
    fn change(&self, ids: std::ops::Range<i64>, hour: u32) {
        let mut orders = self.0.lock().unwrap();
        for id in ids {
            orders.retain(|(known, _)| *known != id);
            orders.push((id, format!("2026-03-01T{hour:02}:{:02}:00Z", id % 60)));
        }
        orders.sort_by(|a, b| a.1.cmp(&b.1));
    }

    fn since(&self, since: Option<&String>) -> Vec<Value> {
        let orders = self.0.lock().unwrap();
        let since = since.cloned().unwrap_or_default();
        orders.iter().filter(|(_, at)| *at >= since).map(|(id, at)| json!({ "id": id, "updated_at": at })).collect()
    }
}

async fn serve(shop: &Shop, is_down: &Arc<AtomicBool>) -> Server {
    let (shop, is_down) = (shop.clone(), is_down.clone());
    Server::new(move |asked| {
        let page = asked.number("page").unwrap();
        if page > 2 && is_down.load(Ordering::SeqCst) {
            return Reply::status(502, "down");
        }
        let all = shop.since(asked.query.get("updated_since"));
        Reply::json(&json!(all.into_iter().skip((page - 1) * 10).take(10).collect::<Vec<_>>()))
    })
    .await
}

fn settings(incremental: Value) -> Value {
    json!({
        "retries": 1,
        "sample": 5,
        "pagination": { "type": "page" },
        "endpoints": { "orders": { "key": ["id"], "incremental": incremental } }
    })
}

fn by_time() -> Value {
    json!({ "cursor": "updated_at", "parameter": "updated_since", "ascending": true })
}

#[tokio::test]
async fn what_is_new_is_asked_for_by_the_last_value() {
    let (shop, is_down) = (Shop::default(), Arc::default());
    shop.change(0..25, 10);
    let server = serve(&shop, &is_down).await;
    let source = source(&server, settings(by_time()));
    let (rows, position) = read(source.as_ref(), "orders", from("updated_at", None)).await.unwrap();
    assert_eq!(rows.len(), 25);
    let position = position.unwrap();
    assert_eq!(position.0["cursor"], "2026-03-01T10:24:00Z");
    assert!(server.take().iter().all(|asked| !asked.query.contains_key("updated_since")));
    shop.change(3..5, 11);
    let (rows, second) = read(source.as_ref(), "orders", from("updated_at", Some(position))).await.unwrap();
    let ids: Vec<_> = rows.iter().map(|row| row[0].as_deref().unwrap()).collect();
    assert_eq!(ids, ["24", "3", "4"], "the last value is asked for again");
    assert_eq!(second.unwrap().0["cursor"], "2026-03-01T11:04:00Z");
    let since: Vec<_> =
        server.asked().into_iter().filter_map(|mut asked| asked.query.remove("updated_since")).collect();
    assert_eq!(since, ["2026-03-01T10:24:00Z", "2026-03-01T10:24:00Z"]);
}

#[tokio::test]
async fn a_value_is_written_as_the_api_wants_it() {
    let (shop, is_down) = (Shop::default(), Arc::default());
    shop.change(0..1, 10);
    let at = Position(json!({ "cursor": "2026-03-01T00:00:01.5Z", "column": "updated_at" }));
    for (format, lag, wanted) in [
        ("text", None, "2026-03-01T00:00:01.5Z"),
        ("text", Some("2s"), "2026-02-28T23:59:59.5Z"),
        ("unix", None, "1772323201"),
        ("unix_ms", None, "1772323201500"),
        ("date", Some("2s"), "2026-02-28"),
    ] {
        let server = serve(&shop, &is_down).await;
        let incremental = json!({ "cursor": "updated_at", "parameter": "updated_since", "format": format });
        let source = source(&server, settings(incremental));
        let mode = ReadMode::Incremental {
            cursor: Some("updated_at".to_owned()),
            from: Some(at.clone()),
            lag: lag.map(str::to_owned),
            mark_overlap: false,
        };
        read(source.as_ref(), "orders", mode).await.unwrap();
        let since: Vec<_> =
            server.asked().into_iter().filter_map(|mut asked| asked.query.remove("updated_since")).collect();
        assert!(since.iter().all(|since| since == wanted), "{format}: {since:?}");
        assert!(!since.is_empty(), "{format}");
    }
}

#[tokio::test]
async fn without_a_parameter_old_records_are_left_out_here_and_that_is_said() {
    let (shop, is_down) = (Shop::default(), Arc::default());
    shop.change(0..25, 10);
    let server = serve(&shop, &is_down).await;
    let source = source(&server, settings(json!({ "cursor": "updated_at" })));
    let at = Position(json!({ "cursor": "2026-03-01T10:20:00Z", "column": "updated_at" }));
    let (rows, _) = read(source.as_ref(), "orders", from("updated_at", Some(at.clone()))).await.unwrap();
    assert_eq!(rows.len(), 5);
    let stream = stream(source.as_ref(), "orders").await.unwrap();
    let request = levada_core::source::ReadRequest {
        columns: stream.schema.clone(),
        stream,
        mode: from("updated_at", Some(at)),
        raw: None,
        only: Vec::new(),
        limit: None,
        readers: 1,
        batch_bytes: 1 << 20,
    };
    let extract = source.read(request).await.unwrap();
    assert!(extract.warnings[0].contains("every record is asked for"), "{:?}", extract.warnings);
}

async fn broken(source: &dyn Source, from_position: Option<Position>) -> levada_core::error::Error {
    let stream = stream(source, "orders").await.unwrap();
    pump::read(source, &stream, stream.schema.clone(), &job(from("updated_at", from_position))).await.unwrap_err()
}

#[tokio::test]
async fn a_read_that_breaks_tells_how_far_it_came_only_where_that_is_certain() {
    let (shop, is_down) = (Shop::default(), Arc::new(AtomicBool::new(true)));
    shop.change(0..40, 10);
    let server = serve(&shop, &is_down).await;
    let start = || Some(Position(json!({ "cursor": "2026-03-01T10:00:00Z", "column": "updated_at" })));
    let ordered = source(&server, settings(by_time()));
    let error = broken(ordered.as_ref(), start()).await;
    assert_eq!(error.kind(), ErrorKind::Busy);
    assert_eq!(error.position().unwrap().0["cursor"], "2026-03-01T10:19:00Z", "two pages of ten came");
    // records without a value could be among those that are missing
    assert_eq!(broken(ordered.as_ref(), None).await.position(), None);
    // nobody says that the records are in order
    let unordered = source(&server, settings(json!({ "cursor": "updated_at", "parameter": "updated_since" })));
    assert_eq!(broken(unordered.as_ref(), start()).await.position(), None);
    // it is said, and not so
    let liar = Server::new(|asked| match asked.number("page").unwrap() {
        1 => Reply::json(&json!([{ "id": 1, "updated_at": "2026-03-01T12:00:00Z" }, { "id": 2, "updated_at": "2026-03-01T11:00:00Z" }])),
        _ => Reply::status(502, ""),
    })
    .await;
    let lying = source(
        &liar,
        json!({ "retries": 0, "pagination": { "type": "page" }, "sample": 1,
        "endpoints": { "orders": { "incremental": by_time() } } }),
    );
    assert_eq!(broken(lying.as_ref(), start()).await.position(), None);
}

#[tokio::test]
async fn loads_that_fail_and_are_killed_end_equal_to_the_source_without_duplicates() {
    let (shop, is_down) = (Shop::default(), Arc::new(AtomicBool::new(false)));
    shop.change(0..50, 10);
    let server = serve(&shop, &is_down).await;
    let source = source(&server, settings(by_time()));
    let memory = Memory::new();
    let destination = levada_core::connector::Connection::destination(Arc::new(memory.clone())).unwrap();
    let merge = |from_position: Option<Position>| Job {
        read: from("updated_at", from_position),
        ..Job::new(None, "orders").merge(&["id"])
    };
    let info = stream(source.as_ref(), "orders").await.unwrap();
    let first = pump::pump(source.as_ref(), &info, destination.as_ref(), &merge(None)).await.unwrap();
    shop.change(10..40, 11);
    is_down.store(true, Ordering::SeqCst);
    pump::pump(source.as_ref(), &info, destination.as_ref(), &merge(first.position.clone())).await.unwrap_err();
    assert_eq!(memory.rows("orders").unwrap().len(), 50, "nothing of the load that failed is there");
    // one that is dropped in the middle
    let (from_position, other) = (first.position.clone(), super::source(&server, settings(by_time())));
    is_down.store(false, Ordering::SeqCst);
    server.take();
    let killed = tokio::spawn({
        let (info, job, destination) = (info.clone(), merge(from_position.clone()), destination.clone());
        async move { pump::pump(other.as_ref(), &info, destination.as_ref(), &job).await.map(drop) }
    });
    while server.asked().is_empty() {
        tokio::task::yield_now().await;
    }
    killed.abort();
    let _ = killed.await;
    let again = pump::pump(source.as_ref(), &info, destination.as_ref(), &merge(from_position)).await.unwrap();
    assert_eq!(again.position.unwrap().0["cursor"], "2026-03-01T11:39:00Z");
    let mut wanted: Vec<_> = shop
        .since(None)
        .iter()
        .map(|order| vec![Some(order["id"].to_string()), order["updated_at"].as_str().map(str::to_owned)])
        .collect();
    wanted.sort();
    assert_eq!(memory.rows("orders").unwrap(), wanted);
}

#[tokio::test]
async fn an_incremental_read_names_its_cursor() {
    let (shop, is_down) = (Shop::default(), Arc::default());
    shop.change(0..1, 10);
    let server = serve(&shop, &is_down).await;
    let source = source(&server, settings(by_time()));
    let mode = ReadMode::Incremental { cursor: None, from: None, lag: None, mark_overlap: false };
    let error = read(source.as_ref(), "orders", mode).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.advice().contains("cursor: updated_at"), "{error}");
}
