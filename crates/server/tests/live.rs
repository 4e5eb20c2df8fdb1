//! Live events over a real socket: heard in order, gone on with after a pause, and kept from whoever may not hear them.

use std::io::Write as _;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use levada_core::id::RunId;
use levada_engine::house::log_path;
use levada_server::listen::{self, Door};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use tokio_util::sync::CancellationToken;

use crate::harness::{Place, Who};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const RUNS: &str = "/api/v1/pipelines/nightly/runs";

/// A server on a port of its own, with a project, and a token of a viewer.
async fn served() -> (Place, String, String) {
    let place = Place::with_project().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(listen::serve(listener, place.router(), Door::default(), CancellationToken::new()));
    let new = json!({ "name": "vera", "password": "correct horse battery", "role": "viewer" });
    place.post("/api/v1/users", new.clone()).await.is(201);
    let body = json!({ "name": "vera", "password": "correct horse battery" });
    let session = place.send_as(&Who::Nobody, "POST", "/api/v1/session", &[], body).await.is(200);
    let cookie = session.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    (place, address, cookie)
}

async fn connect(address: &str, query: &str, headers: &[(&'static str, &str)]) -> Result<Socket, Error> {
    let mut request = format!("ws://{address}/api/v1/events{query}").into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    connect_async(request).await.map(|(socket, _)| socket)
}

async fn say(socket: &mut Socket, said: Value) {
    socket.send(Message::text(said.to_string())).await.unwrap();
}

/// The next message; pings are left out.
async fn hear(socket: &mut Socket) -> Value {
    loop {
        let message = tokio::time::timeout(Duration::from_secs(10), socket.next()).await.expect("nothing is heard");
        match message.unwrap().unwrap() {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Close(frame) => return json!({ "closed": frame.map(|frame| u16::from(frame.code)) }),
            _ => {}
        }
    }
}

fn refusal(result: Result<Socket, Error>) -> u16 {
    match result {
        Err(Error::Http(response)) => response.status().as_u16(),
        Err(other) => panic!("{other}"),
        Ok(_) => 101,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_comes_back_misses_nothing_and_hears_nothing_twice() {
    let (place, address, cookie) = served().await;
    let headers = [("cookie", cookie.as_str())];
    let mut socket = connect(&address, "", &headers).await.unwrap();
    let hello = hear(&mut socket).await;
    assert_eq!(hello["kind"], "hello");
    say(&mut socket, json!({ "subscribe": ["runs", "run:1"] })).await;
    place.post(RUNS, json!({})).await.is(201);
    let mut heard = vec![hear(&mut socket).await];
    assert_eq!(
        (&heard[0]["kind"], &heard[0]["run"], &heard[0]["pipeline"]),
        (&json!("run"), &json!(1), &json!("nightly"))
    );
    drop(socket);
    // what happens while it is away: a run of another topic, and the end of its own
    place.post(RUNS, json!({})).await.is(201);
    place.post("/api/v1/runs/1/cancel", json!({})).await.is(200);
    let last = heard[0]["id"].as_i64().unwrap();
    let mut socket = connect(&address, &format!("?after={last}"), &headers).await.unwrap();
    assert_eq!(hear(&mut socket).await["last"], last);
    say(&mut socket, json!({ "subscribe": ["run:1"] })).await;
    place.post("/api/v1/runs/2/cancel", json!({})).await.is(200);
    let retry = place.post("/api/v1/runs/1/retry", json!({})).await.is(201).json();
    say(&mut socket, json!({ "subscribe": [format!("run:{}", retry["id"])] })).await;
    place.post(&format!("/api/v1/runs/{}/cancel", retry["id"]), json!({})).await.is(200);
    while heard.last().unwrap()["run"] != retry["id"] {
        heard.push(hear(&mut socket).await);
    }
    let ids: Vec<i64> = heard.iter().map(|message| message["id"].as_i64().unwrap()).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    let of_first: Vec<i64> = heard.iter().filter(|m| m["run"] == 1).map(|m| m["id"].as_i64().unwrap()).collect();
    let events = place.get("/api/v1/runs/1/events?limit=1000").await.is(200).json();
    let kept: Vec<i64> =
        events["items"].as_array().unwrap().iter().map(|event| event["id"].as_i64().unwrap()).collect();
    assert_eq!(of_first, kept);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_listens_who_may_not() {
    let (place, address, cookie) = served().await;
    assert_eq!(refusal(connect(&address, "", &[]).await), 401);
    assert_eq!(refusal(connect(&address, "", &[("cookie", "levada_session=nonsense")]).await), 401);
    assert_eq!(refusal(connect(&address, "", &[("authorization", "Bearer lvd_1_nonsense")]).await), 401);
    let foreign = [("cookie", cookie.as_str()), ("origin", "https://evil.example")];
    assert_eq!(refusal(connect(&address, "", &foreign).await), 403);
    let origin = format!("http://{address}");
    let own = [("cookie", cookie.as_str()), ("origin", origin.as_str())];
    assert_eq!(refusal(connect(&address, "", &own).await), 101);
    place.get("/api/v1/events").await.is(400);
    place.get("/api/v1/events/stream?topic=nonsense").await.is(404);
    for before_all in ["-1", "-9223372036854775808"] {
        place.get(&format!("/api/v1/events/stream?topic=runs&after={before_all}")).await.is(400);
        // a socket goes on from the first event
        let query = format!("?after={before_all}");
        let mut socket = connect(&address, &query, &[("cookie", cookie.as_str())]).await.unwrap();
        assert_eq!(hear(&mut socket).await["last"], 0);
    }
    let nobody = place.send_as(&Who::Nobody, "GET", "/api/v1/events/stream?topic=runs", &[], Value::Null).await;
    nobody.is(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_understood_ends_the_conversation() {
    let (_place, address, cookie) = served().await;
    for said in [json!({ "subscribe": ["secrets"] }), json!({ "subscribe": ["run:x"] }), json!({ "shout": [] })] {
        let mut socket = connect(&address, "", &[("cookie", cookie.as_str())]).await.unwrap();
        hear(&mut socket).await;
        say(&mut socket, said).await;
        assert_eq!(hear(&mut socket).await["closed"], 4_000);
    }
}

/// The lines of a log come as they are written, also from one in the middle on.
#[tokio::test(flavor = "multi_thread")]
async fn logs_are_heard_as_they_are_written() {
    let (place, address, cookie) = served().await;
    place.post(RUNS, json!({})).await.is(201);
    let tasks = place.get("/api/v1/runs/1/tasks").await.is(200).json();
    let id = tasks["items"][0]["id"].as_i64().unwrap();
    // nobody has claimed the task: its log is that of no attempt
    let log = log_path(place.data(), RunId(1), "first", None, 0);
    std::fs::create_dir_all(log.parent().unwrap()).unwrap();
    let write = |lines: std::ops::Range<u32>| {
        let lines: String = lines.map(|n| format!("2026-11-21T12:00:00.000000Z out line {n}\n")).collect();
        std::fs::OpenOptions::new().append(true).create(true).open(&log).unwrap().write_all(lines.as_bytes()).unwrap();
    };
    write(0..700);
    let mut socket = connect(&address, "", &[("cookie", cookie.as_str())]).await.unwrap();
    hear(&mut socket).await;
    say(&mut socket, json!({ "subscribe": [format!("logs:{id}@50"), "runs"] })).await;
    for number in 50..700 {
        let heard = hear(&mut socket).await;
        assert_eq!((&heard["kind"], &heard["line"]["number"]), (&json!("log"), &json!(number)), "{heard}");
    }
    write(700..702);
    assert_eq!(hear(&mut socket).await["line"]["number"], 700);
    assert_eq!(hear(&mut socket).await["line"]["number"], 701);
    place.post("/api/v1/runs/1/cancel", json!({})).await.is(200);
    assert_eq!(hear(&mut socket).await["kind"], "run");
    say(&mut socket, json!({ "unsubscribe": [format!("logs:{id}")] })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_tell_that_they_changed() {
    let (place, address, cookie) = served().await;
    let mut socket = connect(&address, "", &[("cookie", cookie.as_str())]).await.unwrap();
    hear(&mut socket).await;
    say(&mut socket, json!({ "subscribe": ["pipelines"] })).await;
    // the list has been looked at once
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    place.post("/api/v1/pipelines/nightly/pause", json!({})).await.is(204);
    assert_eq!(hear(&mut socket).await, json!({ "kind": "pipelines", "documents": true }));
}

/// Whoever looks at something learns at once that somebody else changed something, and of rows in which collection.
#[tokio::test(flavor = "multi_thread")]
async fn changes_are_told() {
    let (place, address, cookie) = served().await;
    let project = format!(
        "version: 1\nconnections: {{ here: {{ type: sqlite, path: {:?} }} }}\n\
         collections: {{ department: {{ connection: here, columns: {{ name: {{ type: text }} }} }} }}\n",
        place.data().join("here.db")
    );
    place.apply_all(&project, &[]).await;
    let mut socket = connect(&address, "", &[("cookie", cookie.as_str())]).await.unwrap();
    hear(&mut socket).await;
    say(&mut socket, json!({ "subscribe": ["rows", "changes"] })).await;
    let (rows, changes) = (json!({ "kind": "rows", "collection": "department" }), json!({ "kind": "changes" }));
    place.post("/v1/department", json!({ "name": "Supply" })).await.is(201);
    assert_eq!((hear(&mut socket).await, hear(&mut socket).await), (rows.clone(), changes.clone()));
    // neither who looks nor who fails changes anything
    place.get("/v1/department").await.is(200);
    place.post("/v1/department", json!({ "name": 7 })).await.is(422);
    place.send("DELETE", "/v1/department/1", &[], Value::Null).await.is(204);
    assert_eq!((hear(&mut socket).await, hear(&mut socket).await), (rows, changes.clone()));
    place.post("/api/v1/connections/here/test", json!({})).await.is(200);
    assert_eq!(hear(&mut socket).await, changes);
}
