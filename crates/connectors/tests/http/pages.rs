//! Every way in which lists come in pages, and lists that never end, change, or lead elsewhere.

use levada_core::error::ErrorKind;
use levada_core::source::ReadMode;
use serde_json::{Value, json};

use super::server::{Asked, Reply, Server};
use super::{ids, numbered, read, source, stream};

const ALL: usize = 57;

fn from_offset(start: usize, size: usize) -> Vec<Value> {
    numbered(start.min(ALL)..(start + size).min(ALL))
}

async fn all(endpoint: Value, answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Vec<Asked> {
    let server = Server::new(answer).await;
    let source = source(&server, json!({ "endpoints": { "items": endpoint }, "sample": 1 }));
    stream(source.as_ref(), "items").await.unwrap();
    server.take();
    assert_eq!(ids(source.as_ref(), "items").await.unwrap(), (0..ALL as i64).collect::<Vec<_>>());
    server.asked()
}

#[tokio::test]
async fn pages_by_number_end_with_the_first_empty_one() {
    let endpoint = json!({ "pagination": { "type": "page", "size_parameter": "per_page", "size": 10 } });
    let asked = all(endpoint, |asked| {
        assert_eq!(asked.number("per_page"), Some(10));
        Reply::json(&json!(from_offset((asked.number("page").unwrap() - 1) * 10, 10)))
    })
    .await;
    // one for the sample, then six pages and an empty one
    assert_eq!(asked.iter().filter(|asked| asked.query["page"] == "7").count(), 1);
}

#[tokio::test]
async fn pages_by_offset_go_on_after_what_came_even_if_that_was_less_than_asked_for() {
    let endpoint = json!({
        "records": "data",
        "pagination": { "type": "offset", "parameter": "skip", "size_parameter": "limit", "size": 1000 }
    });
    all(endpoint, |asked| Reply::json(&json!({ "data": from_offset(asked.number("skip").unwrap(), 13) }))).await;
}

#[tokio::test]
async fn a_total_spares_the_last_request() {
    let endpoint = json!({ "records": "d", "pagination": { "type": "offset", "total": "meta.total" } });
    let asked = all(endpoint, |asked| {
        Reply::json(&json!({ "meta": { "total": ALL }, "d": from_offset(asked.number("offset").unwrap(), 19) }))
    })
    .await;
    assert!(asked.iter().all(|asked| asked.number("offset").unwrap() < ALL), "{asked:?}");
}

#[tokio::test]
async fn a_cursor_is_sent_back_and_an_empty_page_is_no_end() {
    let endpoint = json!({ "records": "data.items", "query": { "sort": "a b&c" }, "pagination": { "type": "cursor", "next": "data.next" } });
    let asked = all(endpoint, |asked| {
        let cursor = asked.query.get("cursor").map_or("start/0", String::as_str);
        let at: usize = cursor.rsplit('/').next().unwrap().parse().unwrap();
        let (items, next) = match at {
            // records that were filtered out
            20 => (Vec::new(), json!("gap/21")),
            at => (from_offset(at - usize::from(at > 20), 10), json!(format!("a+b=&/{}", at + 10))),
        };
        let next = if at >= 51 { Value::Null } else { next };
        Reply::json(&json!({ "data": { "items": items, "next": next } }))
    })
    .await;
    assert!(asked.iter().all(|asked| asked.query["sort"] == "a b&c"), "{asked:?}");
}

#[tokio::test]
async fn the_last_record_can_be_the_cursor() {
    let pagination = json!({ "type": "cursor", "parameter": "starting_after", "last": "id", "more": "has_more" });
    let endpoint = json!({ "records": "data", "pagination": pagination });
    let asked = all(endpoint, |asked| {
        let start = asked.number("starting_after").map_or(0, |last| last + 1);
        Reply::json(&json!({ "data": from_offset(start, 20), "has_more": start + 20 < ALL }))
    })
    .await;
    assert_eq!(asked.last().unwrap().query["starting_after"], "39");
}

#[tokio::test]
async fn links_in_the_header_and_in_the_body_are_followed() {
    for kind in ["link", "next"] {
        let endpoint = json!({ "records": "data", "pagination": { "type": kind, "next": "links.next" } });
        all(endpoint, move |asked| {
            let start = asked.number("from").unwrap_or(0);
            let more = (start + 25 < ALL).then(|| format!("?from={}", start + 25));
            let next = if kind == "next" { json!(more) } else { Value::Null };
            let reply = Reply::json(&json!({ "data": from_offset(start, 25), "links": { "next": next } }));
            match more.filter(|_| kind == "link") {
                Some(more) => reply.with("link", format!("</items?from=0>; rel=\"first\", <{more}>; rel=\"next\"")),
                None => reply,
            }
        })
        .await;
    }
}

#[tokio::test]
async fn lists_that_go_in_circles_are_an_error_and_not_endless() {
    let cases = [
        (json!({ "type": "page" }), json!({ "data": [{ "id": 1 }] })),
        (json!({ "type": "offset" }), json!({ "data": [{ "id": 1 }] })),
        (json!({ "type": "cursor", "next": "next" }), json!({ "data": [{ "id": 1 }], "next": "same" })),
        (json!({ "type": "cursor", "last": "id" }), json!({ "data": [{ "id": 1 }] })),
        (json!({ "type": "next", "next": "next" }), json!({ "data": [{ "id": 1 }], "next": "/items?x=1" })),
    ];
    for (pagination, answer) in cases {
        let server = Server::new(move |_| Reply::json(&answer)).await;
        let endpoint = json!({ "records": "data", "columns": { "id": "int64" }, "pagination": pagination });
        let source = source(&server, json!({ "endpoints": { "items": endpoint } }));
        let error = read(source.as_ref(), "items", ReadMode::Full).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data, "{pagination}: {error}");
        assert!(error.message().contains("circles"), "{error}");
        assert!(server.asked().len() <= 3, "{pagination}");
    }
}

#[tokio::test]
async fn a_list_has_no_more_pages_than_the_settings_allow() {
    let server = Server::new(|asked| Reply::json(&json!([{ "id": asked.number("page") }]))).await;
    let settings = json!({
        "pages_max": 5, "pagination": { "type": "page" }, "endpoints": { "items": { "columns": { "id": "int64" } } }
    });
    let error = read(source(&server, settings).as_ref(), "items", ReadMode::Full).await.unwrap_err();
    assert!(error.message().contains("more than 5 pages") && error.advice().contains("pages_max"), "{error}");
    assert_eq!(server.asked().len(), 5);
}

#[tokio::test]
async fn a_list_that_ends_short_of_its_total_changed_while_it_was_read() {
    let server = Server::new(|asked| {
        let start = asked.number("offset").unwrap();
        Reply::json(&json!({ "total": 30, "data": numbered(start.min(28)..(start + 10).min(28)) }))
    })
    .await;
    let endpoint = json!({ "records": "data", "pagination": { "type": "offset", "total": "total" }, "columns": { "id": "int64" } });
    let source = source(&server, json!({ "endpoints": { "items": endpoint } }));
    let error = read(source.as_ref(), "items", ReadMode::Full).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy, "a later attempt can succeed: {error}");
    assert!(error.message().contains("30 records and gave 28"), "{error}");
}

#[tokio::test]
async fn the_next_page_stays_on_the_hosts_of_the_connection() {
    let other = Server::new(|_| Reply::json(&json!({ "data": [{ "id": 1 }] }))).await;
    let next = format!("{}/items?from=9", other.url());
    let server = Server::new(move |_| Reply::json(&json!({ "data": [{ "id": 0 }], "next": next }))).await;
    let endpoint =
        json!({ "records": "data", "pagination": { "type": "next", "next": "next" }, "columns": { "id": "int64" } });
    let auth = json!({ "type": "bearer", "token": "geheim-1234" });
    let settings = json!({ "endpoints": { "items": endpoint }, "auth": auth });
    let error = read(source(&server, settings.clone()).as_ref(), "items", ReadMode::Full).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert!(error.advice().contains("`hosts`"), "{error}");
    assert!(other.asked().is_empty());
    let mut allowed = settings;
    allowed["hosts"] = json!([other.address.to_string()]);
    assert_eq!(ids(source(&server, allowed).as_ref(), "items").await.unwrap(), [0, 1]);
    assert!(other.asked().iter().all(|asked| !asked.headers.contains_key("authorization")), "{:?}", other.asked());
}
