//! What records look like: columns told from a sample or declared, nested values, and records below other records.

use levada_core::error::ErrorKind;
use levada_core::schema::type_name;
use levada_core::source::ReadMode;
use levada_testkit::pump;
use serde_json::{Value, json};

use super::server::{Reply, Server};
use super::{job, read, source, stream};

async fn columns(endpoint: Value, answer: &'static str) -> Vec<(String, String)> {
    let server = Server::new(move |_| Reply::status(200, answer)).await;
    let source = source(&server, json!({ "endpoints": { "items": endpoint } }));
    let stream = stream(source.as_ref(), "items").await.unwrap();
    stream.schema.fields().iter().map(|field| (field.name().clone(), type_name(field))).collect()
}

fn named(columns: &[(&str, &str)]) -> Vec<(String, String)> {
    columns.iter().map(|(name, told)| ((*name).to_owned(), (*told).to_owned())).collect()
}

#[tokio::test]
async fn columns_are_told_from_the_first_records() {
    let answer = r#"[{"id":1,"at":"2026-01-01T00:00:00+01:00","x":1,"o":{"a":"t"},"l":[1]},
                     {"id":2,"at":"2026-01-02T00:00:00.5Z","x":1.50,"b":true,"l":null}]"#;
    let plain = columns(json!({ "key": ["id"] }), answer).await;
    let text = ("at", "text");
    assert_eq!(plain, named(&[("id", "int64"), text, ("x", "number"), ("o", "json"), ("l", "json"), ("b", "bool")]));
    let told = json!({ "nested": "columns", "incremental": { "cursor": "at" } });
    let nested = columns(told, answer).await;
    let time = ("at", "timestamptz");
    assert_eq!(nested, named(&[("id", "int64"), time, ("x", "number"), ("o_a", "text"), ("l", "json"), ("b", "bool")]));
}

#[tokio::test]
async fn an_endpoint_without_records_has_no_columns_and_no_rows() {
    let server = Server::new(|_| Reply::status(204, "")).await;
    let source = source(&server, json!({ "endpoints": { "items": { "key": ["id"] } } }));
    assert!(read(source.as_ref(), "items", ReadMode::Full).await.unwrap().0.is_empty());
}

#[tokio::test]
async fn a_key_that_no_record_has_is_told_with_what_they_have() {
    let server = Server::new(|_| Reply::status(200, r#"[{"id":1,"name":"x"}]"#)).await;
    let source = source(&server, json!({ "endpoints": { "items": { "key": ["uuid"] } } }));
    let error = source.discover(Some("items")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.advice().contains("id int64, name text"), "{error}");
}

#[tokio::test]
async fn records_that_do_not_fit_are_rejected_with_the_page_they_came_from() {
    let server = Server::new(|_| Reply::status(200, r#"[{"id":1},{"id":"x"},{"id":2,"late":1},7]"#)).await;
    let source = source(&server, json!({ "endpoints": { "items": {} }, "sample": 1 }));
    let stream = stream(source.as_ref(), "items").await.unwrap();
    let (batches, _) = pump::read(source.as_ref(), &stream, stream.schema.clone(), &job(ReadMode::Full)).await.unwrap();
    let rejects: Vec<_> = batches.iter().flat_map(|batch| &batch.rejects).collect();
    assert_eq!(batches.iter().map(|batch| batch.rows()).sum::<u64>(), 1);
    assert_eq!(rejects.len(), 3, "{rejects:?}");
    assert!(
        rejects.iter().all(|reject| reject.reason.starts_with(&format!("{}/items: ", server.url()))),
        "{rejects:?}"
    );
    assert!(rejects[1].reason.contains("`late`") && rejects[2].row == r#"{"record":"7"}"#, "{rejects:?}");
}

#[tokio::test]
async fn one_object_is_one_record_and_any_path_can_be_a_stream() {
    let server = Server::new(|asked| match asked.path.as_str() {
        "/status" => Reply::status(200, r#"{"up":true,"load":0.10}"#),
        _ => Reply::status(404, "{}"),
    })
    .await;
    let source = source(&server, json!({}));
    assert_eq!(stream(source.as_ref(), "status").await.unwrap().table, "status");
    let (rows, _) = read(source.as_ref(), "status", ReadMode::Full).await.unwrap();
    assert_eq!(rows, [vec![Some("true".to_owned()), Some("0.10".to_owned())]]);
    assert!(source.discover(Some("other")).await.unwrap().is_empty());
    assert!(source.discover(Some("sta*")).await.unwrap().is_empty(), "nobody can list paths");
}

/// Shops with orders with lines; the second shop is gone by the time its orders are asked for.
async fn shops() -> Server {
    Server::new(|asked| {
        let parts: Vec<&str> = asked.path.trim_matches('/').split('/').collect();
        match parts.as_slice() {
            ["shops"] => Reply::json(&json!([{ "code": "a b" }, { "code": "gone" }, { "code": "c/d" }])),
            ["shops", "gone", ..] => Reply::status(404, "{}"),
            ["shops", shop, "orders"] => Reply::json(&match asked.number("page").unwrap() {
                page @ 1..=2 => json!({ "data": [{ "id": format!("{shop}-{page}"), "total": { "sum": page } }] }),
                _ => json!({ "data": [] }),
            }),
            ["shops", _, "orders", order, "lines"] => Reply::json(&json!([{ "n": 1, "of": order }])),
            other => panic!("{other:?}"),
        }
    })
    .await
}

fn below(skip_missing: bool) -> Value {
    json!({ "endpoints": {
        "shops": { "key": ["code"] },
        "orders": {
            "path": "shops/{code}/orders", "records": "data", "pagination": { "type": "page" },
            "parent": { "endpoint": "shops", "columns": { "shop": "code" }, "skip_missing": skip_missing },
            "columns": { "id": "text", "total": { "type": "int64", "path": "total.sum" } }
        },
        "lines": {
            "path": "shops/{shop}/orders/{id}/lines",
            "parent": { "endpoint": "orders", "columns": { "order_id": "id", "shop": "shop" } },
            "key": ["order_id", "n"]
        }
    } })
}

#[tokio::test]
async fn records_below_others_carry_what_they_belong_to() {
    let server = shops().await;
    let source = source(&server, below(true));
    let (orders, _) = read(source.as_ref(), "orders", ReadMode::Full).await.unwrap();
    let told: Vec<String> =
        orders.iter().map(|row| row.iter().flatten().cloned().collect::<Vec<_>>().join("|")).collect();
    assert_eq!(told, ["a%20b-1|1|a b", "a%20b-2|2|a b", "c%2Fd-1|1|c/d", "c%2Fd-2|2|c/d"]);
    let lines = stream(source.as_ref(), "lines").await.unwrap();
    let names: Vec<_> = lines.schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!((names, lines.key), (vec!["order_id", "shop", "n", "of"], vec!["order_id".to_owned(), "n".to_owned()]));
    let (rows, _) = read(source.as_ref(), "lines", ReadMode::Full).await.unwrap();
    assert_eq!(rows.len(), 4);
    assert_eq!(rows[0][..2], [Some("a%20b-1".to_owned()), Some("a b".to_owned())]);
    assert!(rows.iter().all(|row| row[3].as_ref().unwrap().starts_with(['a', 'c'])), "{rows:?}");
}

#[tokio::test]
async fn a_missing_list_below_a_record_is_an_error_unless_that_is_expected() {
    let server = shops().await;
    let error = read(source(&server, below(false)).as_ref(), "orders", ReadMode::Full).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}
