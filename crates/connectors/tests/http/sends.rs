//! A REST API as a destination: what is sent, under which keys, and what the plan says of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_schema::{DataType, Schema, SchemaRef};
use levada_core::destination::{Destination, Promise, WriteMode};
use levada_core::error::{Error, ErrorKind};
use levada_core::schema::{Logical, field, timestamp_utc};
use levada_testkit::pump::{self, Job, Outcome};
use levada_testkit::rows::{self, row};
use serde_json::{Value, json};

use super::connect;
use super::server::{Reply, Server};

fn destination(server: &Server, write: Value) -> Arc<dyn Destination> {
    let settings = json!({
        "url": server.url(), "private": true, "pause_ms": 1, "query": { "v": "1" },
        "auth": { "type": "bearer", "token": "geheim-77" }, "endpoints": { "orders": { "write": write }, "other": {} }
    });
    connect(settings).unwrap().destination().unwrap()
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        field("id", DataType::Int64, false, "t:int", None),
        field("total", DataType::Decimal128(20, 2), true, "t:dec", None),
        field("at", timestamp_utc(), true, "t:at", None),
        field("more", DataType::Utf8, true, "t:json", Some(Logical::Json)),
    ]))
}

async fn load(destination: &dyn Destination, count: i64) -> Result<Outcome, Error> {
    let job = Job::new(None, "orders").write(WriteMode::Append);
    let rows: Vec<_> = (0..count)
        .map(|id| {
            row(&[
                Some(&(9_007_199_254_740_993 + id).to_string()),
                Some("0.10"),
                Some("2026-01-01T00:00:00Z"),
                Some("{\"a\":1.0}"),
            ])
        })
        .collect();
    pump::load(destination, &job, &schema(), &[rows::batch(&schema(), &rows)]).await
}

#[tokio::test]
async fn records_are_sent_in_batches_and_again_under_the_same_key() {
    let tries = AtomicUsize::new(0);
    let server = Server::new(move |_| match tries.fetch_add(1, Ordering::SeqCst) {
        1 => Reply::status(503, "").with("retry-after", "0"),
        _ => Reply::status(201, "not json"),
    })
    .await;
    let outcome = load(destination(&server, json!({ "batch": 2 })).as_ref(), 5).await.unwrap();
    assert_eq!((outcome.written, outcome.durable.inserted), (5, 5));
    let asked = server.asked();
    assert_eq!(asked.len(), 4, "three batches, one of them twice");
    let first = "{\"id\":9007199254740993,\"total\":0.10,\"at\":\"2026-01-01T00:00:00Z\",\"more\":{\"a\":1.0}}";
    assert!(asked[0].body.starts_with(&format!("[{first},")), "{}", asked[0].body);
    assert!(asked.iter().all(|asked| asked.method == "POST" && asked.path == "/orders" && asked.query["v"] == "1"));
    assert!(asked.iter().all(|asked| asked.headers["authorization"] == "Bearer geheim-77"));
    let keys: Vec<&str> = asked.iter().map(|asked| asked.headers["idempotency-key"].as_str()).collect();
    assert!(keys[1] == keys[2] && keys[0] != keys[1] && keys[3] != keys[1], "{keys:?}");
    // the same load again: the other side can tell that it knows it
    load(destination(&server, json!({ "batch": 2 })).as_ref(), 5).await.unwrap();
    let again: Vec<String> = server.asked()[4..].iter().map(|asked| asked.headers["idempotency-key"].clone()).collect();
    assert_eq!(again, [keys[0], keys[1], keys[3]]);
}

#[tokio::test]
async fn a_record_can_go_to_a_place_of_its_own_in_a_body_of_its_own() {
    let server = Server::new(|_| Reply::status(200, "")).await;
    let write = json!({ "method": "put", "path": "orders/{id}", "batch": 1, "body": "{\"order\": {record}}" });
    load(destination(&server, write).as_ref(), 2).await.unwrap();
    let asked = server.asked();
    assert_eq!((asked[1].method.as_str(), asked[1].path.as_str()), ("PUT", "/orders/9007199254740994"));
    let body: Value = serde_json::from_str(&asked[1].body).unwrap();
    assert_eq!(body["order"]["id"], json!(9_007_199_254_740_994_i64));
}

#[tokio::test]
async fn records_that_are_refused_end_the_load() {
    let server = Server::new(|_| Reply::status(422, "id 9007199254740993 is taken; Bearer geheim-77")).await;
    let error = load(destination(&server, json!({})).as_ref(), 1).await.unwrap_err();
    assert!(error.to_string().contains("status 422: id 9007199254740993 is taken"), "{error}");
    super::holds_none(&error, &["geheim"]);
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_a_body() {
    let server = Server::new(|_| Reply::status(307, "").with("location", "/elsewhere")).await;
    let error = load(destination(&server, json!({})).as_ref(), 1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn the_plan_says_what_an_api_cannot_keep() {
    let server = Server::new(|_| panic!("a plan asks nobody")).await;
    let target = destination(&server, json!({ "batch": 7 }));
    let spec = |job: Job| {
        let target = target.clone();
        async move { pump::spec(target.as_ref(), &job, &schema()).await.unwrap() }
    };
    let append = || Job::new(None, "orders").write(WriteMode::Append);
    let plan = target.plan(&spec(append()).await).await.unwrap();
    assert!(matches!(plan.promise, Promise::AtLeastOnce(why) if why.contains("keeps no position")));
    assert!(plan.strategy.contains("every 7 records"), "{}", plan.strategy);
    for (job, kind) in [
        (Job::new(None, "orders"), ErrorKind::Unsupported),
        (Job { quarantine: true, ..append() }, ErrorKind::Unsupported),
        (Job { order_column: Some("at".to_owned()), ..append() }, ErrorKind::Unsupported),
        (Job { table: "other".to_owned(), ..append() }, ErrorKind::Config),
    ] {
        let spec = spec(job).await;
        assert_eq!(target.plan(&spec).await.unwrap_err().kind(), kind, "{spec:?}");
    }
}

#[tokio::test]
async fn templates_that_cannot_work_are_told() {
    for write in [
        json!({ "path": "orders/{id}" }),
        json!({ "body": "{\"order\": {record}}" }),
        json!({ "body": "{}" }),
        json!({ "idempotency_header": "a b" }),
        json!({ "methot": "put" }),
    ] {
        let settings = json!({ "url": "https://api.invalid", "endpoints": { "orders": { "write": write } } });
        let Err(error) = connect(settings) else { panic!("{write}") };
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    }
}
