//! Who gets in, and how the server answers those who do not.

use axum::body::Body;
use axum::http::Request;
use levada_server::Limits;
use levada_server::listen::{self, Door};
use levada_server::rate::Rate;
use levada_server::route::{Route, Rule};
use levada_server::router::table;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::harness::{Place, Who, filled};

async fn asked(place: &Place, who: &Who, method: &str, path: &str) -> u16 {
    let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    place.ask(who, request).await.status.as_u16()
}

/// No spelling of a path lets somebody in who is not known, and none is answered differently from the others.
#[tokio::test]
async fn nobody_gets_in_by_spelling_a_path_oddly() {
    let place = Place::with(Limits { rate: Rate { caller: 1_000_000, address: 1_000_000 }, ..Limits::default() }).await;
    let table = table();
    for route in table.routes.iter().filter(|route| !matches!(route.rule, Rule::Public)) {
        let path = filled(route.path, "nightly");
        assert_eq!(asked(&place, &Who::Nobody, route.method.as_str(), &path).await, 401, "{} {path}", route.method);
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"] {
            let is_public = |other: &&Route| other.path == route.path && other.method.as_str() == method;
            if table.routes.iter().filter(is_public).any(|other| other.rule == Rule::Public) {
                continue;
            }
            let status = asked(&place, &Who::Nobody, method, &path).await;
            assert_eq!(status, 401, "{method} {path}");
        }
        let odd = [
            format!("{path}/"),
            format!("{path}/health"),
            format!("{path}/healthz"),
            format!("/{path}"),
            format!("{path};x"),
            format!("{path}%2e"),
            format!("{path}."),
            format!("{path}%00"),
            format!("{path}%2fhealthz"),
            format!("{path}/../../healthz"),
            path.replace("/api", "/API"),
            path.replace("/v1", "/v1/."),
            path.replace("/api", "/%61pi"),
            path.replacen('/', "//", 2),
            format!("/healthz/..{path}"),
            format!("/healthz;{path}"),
        ];
        for odd in odd.iter().filter(|odd| odd.parse::<axum::http::Uri>().is_ok()) {
            let status = asked(&place, &Who::Nobody, route.method.as_str(), odd).await;
            assert!(matches!(status, 401 | 404), "{} {odd}: {status}", route.method);
        }
    }
}

/// What anybody may call is listed here by name: a new public operation has to be added on purpose.
#[test]
fn public_operations_are_few() {
    let public: Vec<&str> = table().routes.iter().filter(|r| r.rule == Rule::Public).map(|r| r.id).collect();
    let wanted = ["isAlive", "isReady", "setUp", "getWaysIn", "startOidc", "finishOidc", "signIn"];
    assert_eq!(public, wanted);
}

/// Every operation has a name of its own, and no two have the same method and path.
#[test]
fn operations_are_told_apart() {
    let table = table();
    let mut names: Vec<&str> = table.routes.iter().map(|route| route.id).collect();
    let mut places: Vec<String> = table.routes.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    for list in [names.len(), places.len()] {
        assert_eq!(list, table.routes.len());
    }
    names.sort_unstable();
    names.dedup();
    places.sort_unstable();
    places.dedup();
    assert_eq!((names.len(), places.len()), (table.routes.len(), table.routes.len()));
}

/// A changed API is a changed file, which whoever reads the change sees.
#[test]
fn the_description_is_kept() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../api/openapi.json");
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    let now = format!("{:#}\n", levada_server::openapi::document(&table()));
    assert!(kept == now, "api/openapi.json is not what the table says: `make schemas` writes it");
}

#[tokio::test]
async fn answers_are_safe_for_browsers() {
    let place = Place::new().await;
    for (path, status) in [("/healthz", 200), ("/api/v1/runs", 200), ("/api/v1/runs/7", 404), ("/api/nowhere", 404)] {
        let reply = place.get(path).await.is(status);
        assert_eq!(reply.headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(reply.headers["content-security-policy"], "default-src 'none'; frame-ancestors 'none'", "{path}");
        assert_eq!(reply.headers["cache-control"], "no-store", "{path}");
        let is_problem = reply.headers["content-type"] == "application/problem+json";
        assert_eq!(is_problem, status == 404, "{path}");
    }
}

/// What the network itself refuses is told in the same form as everything else.
#[tokio::test(flavor = "multi_thread")]
async fn heads_have_limits() {
    let place = Place::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(listen::serve(listener, place.router(), Door::default(), CancellationToken::new()));
    let ask = async |head: String| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!("GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{head}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let header = |bytes: usize| format!("x-long: {}\r\n", "x".repeat(bytes));
    assert!(ask(header(60_000)).await.starts_with("HTTP/1.1 200"));
    let many: String = (0..120).map(|number| format!("x-{number}: x\r\n")).collect();
    for head in [header(70_000), many] {
        let answer = ask(head).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
        assert!(answer.contains("content-type: application/problem+json") && answer.contains("\"kind\":\"too_large\""));
        assert!(answer.contains("x-content-type-options: nosniff"), "{answer}");
    }
}

#[tokio::test]
async fn requests_have_limits() {
    let place = Place::with(Limits { body_bytes_max: 1_000, ..Limits::default() }).await;
    let long = json!({ "documents": [{ "path": "levada.yaml", "text": "x".repeat(100_000) }] });
    place.put("/api/v1/project", long).await.is(413);
    let long = json!({ "path": "levada.yaml", "text": "x".repeat(2_000) });
    place.post("/api/v1/validate", long).await.is(413);
    let deep = format!("{{\"documents\":{}{}}}", "[".repeat(400), "]".repeat(400));
    let request = Request::put("/api/v1/project").header("content-type", "application/json");
    let reply = place.ask(&Who::Local, request.body(Body::from(deep)).unwrap()).await.is(400);
    assert!(reply.text().contains("recursion limit"), "{}", reply.text());
    let request = Request::put("/api/v1/project").header("content-type", "text/plain");
    place.ask(&Who::Local, request.body(Body::from("version: 1")).unwrap()).await.is(415);
    let reply = place.get("/api/v1/runs?limit=0").await.is(400);
    assert!(reply.text().contains("between 1 and 1000"), "{}", reply.text());
    let reply = place.get("/api/v1/runs?pipline=x").await.is(400);
    assert!(reply.text().contains("Did you mean `pipeline`?"), "{}", reply.text());
    place.get("/api/v1/runs?limit=1&limit=2").await.is(400);
    place.get("/api/v1/runs/seven").await.is(400);
}
