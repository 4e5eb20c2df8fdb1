//! What goes wrong on the way: statuses, pauses, connections that break, answers that are too much.

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use levada_core::error::ErrorKind;
use levada_core::source::ReadMode;
use serde_json::{Value, json};

use super::server::{Reply, Server};
use super::{connect, ids, numbered, read, source};

fn items() -> Value {
    json!({ "items": { "columns": { "id": "int64" }, "pagination": { "type": "page" } } })
}

/// Pages of ten up to 30, in which the `bad` answers come first, one for each attempt.
async fn stumbling(bad: impl Fn(usize) -> Option<Reply> + Send + Sync + 'static) -> Server {
    let tries = AtomicUsize::new(0);
    Server::new(move |asked| {
        let page = asked.number("page").unwrap();
        // the second page stumbles
        if page == 2
            && let Some(bad) = bad(tries.fetch_add(1, Ordering::SeqCst))
        {
            return bad;
        }
        Reply::json(&json!(numbered(((page - 1) * 10).min(30)..(page * 10).min(30))))
    })
    .await
}

#[tokio::test]
async fn what_passes_is_tried_again_and_no_record_is_lost_or_doubled() {
    let whole = json!(numbered(10..20)).to_string();
    let server = stumbling(move |attempt| match attempt {
        0 => Some(Reply::status(500, "down")),
        1 => Some(Reply::status(429, "slow down").with("retry-after", "0")),
        2 => Some(Reply::status(200, whole.clone()).breaking_off()),
        // an answer that ends in the middle and says it was all
        3 => Some(Reply::status(200, &whole.as_bytes()[..whole.len() / 2])),
        4 => Some(Reply::status(503, "").with("retry-after", "Fri, 02 Jan 2026 03:04:15 GMT")),
        _ => None,
    })
    .await;
    let source = source(&server, json!({ "endpoints": items() }));
    assert_eq!(ids(source.as_ref(), "items").await.unwrap(), (0..30).collect::<Vec<_>>());
    assert_eq!(server.asked().iter().filter(|asked| asked.query["page"] == "2").count(), 6);
}

#[tokio::test]
async fn what_does_not_pass_ends_the_read_with_an_error() {
    let cases = [
        (500, ErrorKind::Busy, 3),
        (429, ErrorKind::Busy, 3),
        (401, ErrorKind::Auth, 1),
        (403, ErrorKind::Permission, 1),
        (404, ErrorKind::NotFound, 1),
        (400, ErrorKind::Config, 1),
        (501, ErrorKind::Config, 1),
    ];
    for (status, kind, attempts) in cases {
        let server = stumbling(move |_| Some(Reply::status(status, "{\"message\": \"as it is\"}"))).await;
        let source = source(&server, json!({ "endpoints": items(), "retries": 2 }));
        let error = read(source.as_ref(), "items", ReadMode::Full).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(&status.to_string()) && error.to_string().contains("as it is"), "{error}");
        assert_eq!(server.asked().iter().filter(|asked| asked.query["page"] == "2").count(), attempts, "{status}");
    }
}

#[tokio::test]
async fn a_server_that_asks_for_too_long_a_pause_ends_the_read() {
    let server = stumbling(|_| Some(Reply::status(429, "").with("retry-after", "7200"))).await;
    let source = source(&server, json!({ "endpoints": items() }));
    let error = read(source.as_ref(), "items", ReadMode::Full).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy);
    assert!(error.message().contains("7200 s") && error.advice().contains("wait_max_s"), "{error}");
}

#[tokio::test]
async fn a_refusal_for_too_many_requests_passes_under_another_status_too() {
    let server = stumbling(|attempt| {
        (attempt == 0).then(|| Reply::status(403, "rate limit").with("x-ratelimit-remaining", "0"))
    })
    .await;
    assert_eq!(ids(source(&server, json!({ "endpoints": items() })).as_ref(), "items").await.unwrap().len(), 30);
}

#[tokio::test]
async fn an_answer_that_is_no_list_of_records_is_an_error() {
    for (body, records) in [
        ("<html>sign in</html>", ""),
        ("{\"error\": \"no such thing\"}", "data"),
        ("{\"data\": \"text\"}", "data"),
        ("{\"data\": [1,]}", "data"),
        ("{\"data\": \"\u{fffd}", "data"),
    ] {
        let server = Server::new(move |_| Reply::status(200, body)).await;
        let endpoints = json!({ "items": { "columns": { "id": "int64" }, "records": records } });
        let source = source(&server, json!({ "endpoints": endpoints, "retries": 1 }));
        let error = read(source.as_ref(), "items", ReadMode::Full).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Data | ErrorKind::Connect), "{body}: {error}");
    }
}

#[tokio::test]
async fn bombs_are_refused_by_a_stated_limit() {
    let packed = |bytes: &[u8]| {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    };
    let large = format!("[{}]", vec!["{\"id\":1}"; 200_000].join(","));
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let cases = [
        ("1 MB", Reply::status(200, large.clone())),
        ("1 MB", Reply::status(200, packed(large.as_bytes())).with("content-encoding", "gzip")),
        ("deep", Reply::status(200, deep)),
    ];
    for (told, reply) in cases {
        let reply = std::sync::Mutex::new(Some(reply));
        let server = Server::new(move |_| reply.lock().unwrap().take().expect("asked once")).await;
        let settings = json!({ "endpoints": items(), "body_max_mb": 1 });
        let error = read(source(&server, settings).as_ref(), "items", ReadMode::Full).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data, "{error}");
        assert!(error.message().contains(told), "{error}");
    }
}

#[tokio::test]
async fn packed_answers_are_unpacked() {
    let server = Server::new(|asked| {
        assert_eq!(asked.headers["accept-encoding"], "gzip");
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(b"\xef\xbb\xbf[{\"id\": 7}]").unwrap();
        Reply::status(200, packer.finish().unwrap()).with("content-encoding", "gzip")
    })
    .await;
    let settings = json!({ "endpoints": { "items": { "columns": { "id": "int64" } } } });
    assert_eq!(ids(source(&server, settings).as_ref(), "items").await.unwrap(), [7]);
}

#[tokio::test]
async fn a_reader_that_is_dropped_ends_the_requests() {
    let server = Server::new(|asked| {
        let page = asked.number("page").unwrap();
        Reply::json(&json!([{ "id": page, "text": "x".repeat(100_000) }]))
    })
    .await;
    let endpoints =
        json!({ "items": { "columns": { "id": "int64", "text": "text" }, "pagination": { "type": "page" } } });
    let source = source(&server, json!({ "endpoints": endpoints }));
    let stream = super::stream(source.as_ref(), "items").await.unwrap();
    let request = levada_core::source::ReadRequest {
        columns: stream.schema.clone(),
        stream,
        mode: ReadMode::Full,
        raw: None,
        only: Vec::new(),
        limit: None,
        readers: 1,
        batch_bytes: 64 << 10,
    };
    let mut extract = source.read(request).await.unwrap();
    assert!(extract.readers[0].next().await.unwrap().is_some());
    drop(extract);
    // what was under way may end; then the endless list is left alone
    let mut before = usize::MAX;
    for _ in 0..500 {
        let now = server.asked().len();
        if now == before {
            return;
        }
        before = now;
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("still asking after {before} requests");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told() {
    let server = Server::new(|_| Reply::json(&json!([]))).await;
    let url = server.url();
    drop(server);
    let settings = json!({ "url": url, "private": true, "retries": 1, "pause_ms": 1, "endpoints": items() });
    let connection = connect(settings).unwrap();
    let steps = connection.check().await;
    let error = steps[0].outcome.as_ref().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
}
