//! Every route with credentials that are no longer good, over REST, sockets, event streams and downloads; and the data API
//! with every role.

use axum::body::Body;
use axum::http::{Method, Request};
use levada_core::access::Role;
use levada_core::time::{Clock, Timestamp};
use levada_server::listen::{self, Door};
use levada_server::rate::Rate;
use levada_server::route::Rule;
use levada_server::router::table;
use levada_server::{App, Limits};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_util::sync::CancellationToken;

use crate::harness::{NIGHTLY, Place, Who, filled};

const PASSWORD: &str = "correct horse battery";
const DAY_S: u64 = 86_400;

/// A clock that a test puts forward.
#[derive(Default)]
struct Forward(AtomicU64);

impl Clock for Forward {
    fn now(&self) -> Timestamp {
        let system = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Timestamp::from_secs(system.as_secs() as i64).plus(Duration::from_secs(self.0.load(Relaxed)))
    }
}

fn limits() -> Limits {
    Limits { rate: Rate { caller: 1_000_000, address: 1_000_000 }, ..Limits::default() }
}

/// A user, with a session and a token that ends in a day.
pub async fn user(place: &Place, name: &str, role: Role) -> (Who, Who) {
    let new = json!({ "name": name, "password": PASSWORD, "role": role.name() });
    place.post("/api/v1/users", new).await.is(201);
    let body = json!({ "name": name, "password": PASSWORD });
    let session = place.send_as(&Who::Nobody, "POST", "/api/v1/session", &[], body).await.is(200);
    let cookie = session.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let session = Who::Session(cookie);
    let new = json!({ "name": "t", "role": role.name(), "days": 1 });
    let token = place.send_as(&session, "POST", "/api/v1/tokens", &[], new).await.is(201).json();
    (session, Who::Token(token["text"].as_str().unwrap().to_owned()))
}

pub async fn served(place: &Place) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(listen::serve(listener, place.router(), Door::default(), CancellationToken::new()));
    address
}

/// What a socket is answered that somebody opens.
async fn socket(address: &str, who: &Who) -> u16 {
    let mut request = format!("ws://{address}/api/v1/events").into_client_request().unwrap();
    match who {
        Who::Session(cookie) => drop(request.headers_mut().insert("cookie", cookie.parse().unwrap())),
        Who::Token(token) => {
            drop(request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap()));
        }
        Who::Local | Who::Nobody => {}
    }
    match connect_async(request).await {
        Ok(_) => 101,
        Err(Error::Http(response)) => response.status().as_u16(),
        Err(other) => panic!("{other}"),
    }
}

/// That a credential opens nothing: no route of the table, no socket, no stream, no download, no data, no metrics.
async fn opens_nothing(place: &Place, address: &str, who: &Who, what: &str) {
    for route in table().routes.iter().filter(|route| route.rule != Rule::Public) {
        let request = Request::builder().method(route.method.clone()).uri(filled(route.path, "nightly"));
        let reply = place.ask(who, request.body(Body::empty()).unwrap()).await;
        assert_eq!(reply.status, 401, "{what}: {} {}", route.method, route.path);
        assert_eq!(reply.headers["www-authenticate"], "Bearer realm=\"levada\"");
    }
    for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        for path in ["/v1/department", "/v1/department/1", "/v1/department/bulk", "/v1/people", "/v1/nothing"] {
            let request = Request::builder().method(method.clone()).uri(path).body(Body::empty()).unwrap();
            assert_eq!(place.ask(who, request).await.status, 401, "{what}: {method} {path}");
        }
    }
    assert_eq!(socket(address, who).await, 401, "{what}: a socket");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_are_over_open_nothing() {
    let clock = Arc::new(Forward::default());
    let place = Place::at(limits(), clock.clone()).await;
    place.apply(&[NIGHTLY]).await;
    place.post("/api/v1/pipelines/nightly/runs", json!({})).await.is(201);
    let address = served(&place).await;
    opens_nothing(&place, &address, &Who::Nobody, "no credential").await;
    let wrong = [
        Who::Token("lvd_1_nonsense".to_owned()),
        Who::Token(format!("lvd_1_{}", "A".repeat(43))),
        Who::Session("levada_session=nonsense".to_owned()),
        Who::Session(format!("levada_session={}", "A".repeat(43))),
    ];
    for who in &wrong {
        opens_nothing(&place, &address, who, "a credential that never was").await;
    }
    let (session, token) = user(&place, "ada", Role::Admin).await;
    assert_eq!((socket(&address, &session).await, socket(&address, &token).await), (101, 101));
    // removed
    let (out, gone) = user(&place, "bea", Role::Admin).await;
    place.send_as(&out, "DELETE", "/api/v1/session", &[], Value::Null).await.is(204);
    opens_nothing(&place, &address, &out, "a session that was ended").await;
    let Who::Token(text) = &gone else { unreachable!() };
    let number = text.split('_').nth(1).unwrap();
    place.send_as(&session, "DELETE", &format!("/api/v1/tokens/{number}"), &[], Value::Null).await.is(204);
    opens_nothing(&place, &address, &gone, "a token that was removed").await;
    // of a user who is gone, and made again by the same name
    let (session_of_eve, token_of_eve) = user(&place, "eve", Role::Admin).await;
    let etag = place.get("/api/v1/users/eve").await.headers["etag"].to_str().unwrap().to_owned();
    place.send("DELETE", "/api/v1/users/eve", &[("if-match", &etag)], Value::Null).await.is(204);
    place.post("/api/v1/users", json!({ "name": "eve", "password": PASSWORD, "role": "admin" })).await.is(201);
    for who in [&session_of_eve, &token_of_eve] {
        opens_nothing(&place, &address, who, "a credential of a user who is gone").await;
    }
    // expired
    clock.0.store(2 * DAY_S, Relaxed);
    for who in [&session, &token] {
        opens_nothing(&place, &address, who, "a credential that has expired").await;
    }
}

const DATA: &str = "version: 1
connections:
  hr: { type: sqlite, path: FILE }
collections:
  department:
    connection: hr
    access: { read: operator, write: editor, delete: admin }
    columns: { name: text }
reports:
  people: { connection: hr, query: SELECT 1 AS one, access: editor }
";

/// Every operation of the data API with every role, by session and by token.
#[tokio::test(flavor = "multi_thread")]
async fn the_data_api_asks_for_the_role_of_each_operation() {
    let place = Place::with(limits()).await;
    let file = place.data().join("hr.db");
    place.apply_all(&DATA.replace("FILE", &format!("{file:?}")), &[]).await;
    place.post("/v1/department", json!({ "name": "Supply" })).await.is(201);
    let operations = [
        ("GET", "/v1/department", Role::Operator),
        ("GET", "/v1/department/1", Role::Operator),
        ("POST", "/v1/department", Role::Editor),
        ("POST", "/v1/department/bulk", Role::Editor),
        ("PUT", "/v1/department/1", Role::Editor),
        ("PATCH", "/v1/department/1", Role::Editor),
        ("POST", "/v1/department/1/restore", Role::Editor),
        ("DELETE", "/v1/department/1", Role::Admin),
        ("GET", "/v1/people", Role::Editor),
    ];
    for role in Role::ALL {
        let (session, token) = user(&place, role.name(), role).await;
        for (method, path, needed) in operations {
            for who in [&session, &token] {
                let status = place.send_as(who, method, path, &[], json!({})).await.status.as_u16();
                assert_eq!(status != 403, role >= needed, "{method} {path} as {}: {status}", role.name());
                assert!(status < 500, "{method} {path} as {}: {status}", role.name());
            }
        }
        // what is not there looks the same to all who are known
        place.send_as(&session, "GET", "/v1/nothing", &[], Value::Null).await.is(404);
    }
}

/// The store has no text that opens anything.
#[tokio::test(flavor = "multi_thread")]
async fn the_store_keeps_hashes_of_credentials() {
    let place = Place::with(limits()).await;
    let app: &App = &place.app;
    let link = levada_server::auth::setup::offer(&app.store, "http://h", app.clock.now()).await.unwrap().unwrap();
    let (Who::Session(cookie), Who::Token(token)) = user(&place, "ada", Role::Admin).await else { unreachable!() };
    let session = cookie.split('=').nth(1).unwrap();
    let secret = token.splitn(3, '_').nth(2).unwrap();
    for path in [place.data().join("levada.db"), place.data().join("levada.db-wal")] {
        let bytes = std::fs::read(&path).unwrap_or_default();
        for text in [session, secret, PASSWORD, link.expose().split('#').nth(1).unwrap()] {
            let is_there = bytes.windows(text.len()).any(|window| window == text.as_bytes());
            assert!(!is_there, "{}", path.display());
        }
    }
}
