//! What is refused leaves a line of the audit log, and never more lines than it should; what changes something is in it first.

use axum::body::Body;
use axum::http::Request;
use levada_server::rate::Rate;
use levada_server::{Limits, denials};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::harness::{Place, Reply, Who};

const PASSWORD: &str = "correct horse battery";
const PAUSE: &str = "/api/v1/pipelines/nightly/pause";

/// A server with a user, and the cookie of that user's session.
async fn place(limits: Limits) -> (Place, String) {
    let place = Place::with(limits).await;
    place.apply(&[crate::harness::NIGHTLY]).await;
    let new = json!({ "name": "vera", "password": PASSWORD, "role": "operator" });
    place.post("/api/v1/users", new).await.is(201);
    let session = sign_in(&place, "vera", PASSWORD).await.is(200);
    let cookie = session.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    (place, cookie)
}

async fn sign_in(place: &Place, name: &str, password: &str) -> Reply {
    let body = json!({ "name": name, "password": password });
    place.send_as(&Who::Nobody, "POST", "/api/v1/session", &[], body).await
}

/// Lines of the audit log with an outcome, the newest first: who, what, why.
async fn lines(place: &Place, outcome: &str) -> Vec<String> {
    let page = place.get(&format!("/api/v1/audit?limit=1000&outcome={outcome}")).await.is(200).json();
    let text = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
    let line = |line: &Value| [text(line, "actor"), text(line, "action"), text(line, "detail")].join(" ");
    page["items"].as_array().unwrap().iter().map(line).collect()
}

/// Makes the store refuse whatever is written into or read from a table.
fn without_table(place: &Place, table: &str) {
    let store = rusqlite::Connection::open(place.data().join("levada.db")).unwrap();
    store.execute_batch(&format!("PRAGMA foreign_keys = off; ALTER TABLE {table} RENAME TO gone_{table}")).unwrap();
}

fn count(place: &Place, table: &str) -> i64 {
    let store = rusqlite::Connection::open(place.data().join("levada.db")).unwrap();
    store.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_be_refused_is_written_down() {
    let (place, cookie) = place(Limits::default()).await;
    let cookie = ("cookie", cookie.as_str());
    let as_page = async |headers: &[(&str, &str)], status: u16| {
        place.send_as(&Who::Nobody, "POST", PAUSE, headers, json!({})).await.is(status);
    };
    as_page(&[cookie], 403).await;
    as_page(&[cookie, ("x-levada-csrf", "1"), ("origin", "https://evil.example"), ("host", "levada")], 403).await;
    let socket = [cookie, ("origin", "https://evil.example"), ("host", "levada")];
    place.send_as(&Who::Nobody, "GET", "/api/v1/events", &socket, Value::Null).await.is(403);
    as_page(&[("authorization", "Bearer lvd_1_nonsense")], 401).await;
    as_page(&[("cookie", "levada_session=nonsense")], 401).await;
    as_page(&[("authorization", "Basic dmVyYTp4")], 401).await;
    let denied = lines(&place, "denied").await;
    let wanted = [
        "anonymous pausePipeline The credential is not understood: `Authorization: Bearer TOKEN` is.",
        "anonymous pausePipeline The credential is not good, or is over.",
        "anonymous pausePipeline The credential is not good, or is over.",
        "vera listen The request comes from a page of another site.",
        "vera pausePipeline The request comes from a page of another site.",
        "vera pausePipeline A change with the cookie of a session needs the header `x-levada-csrf`.",
    ];
    assert_eq!(denied, wanted);
    // what an operation refuses by itself
    let session = Who::Session(cookie.1.to_owned());
    place.send_as(&session, "GET", "/api/v1/tokens?all=true", &[], Value::Null).await.is(403);
    assert!(lines(&place, "denied").await.iter().any(|line| line.starts_with("vera listTokens")));
    let nobody = Who::Nobody;
    place.send_as(&nobody, "GET", "/v1/anything", &[], Value::Null).await.is(401);
    place.send_as(&nobody, "PUT", "/api/v1/runs", &[], Value::Null).await.is(401);
    let denied = lines(&place, "denied").await;
    assert_eq!(denied[..2], ["anonymous noOperation Sign in first.", "anonymous useData Sign in first."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_takes_too_long_is_a_failure_in_the_log() {
    let limits = Limits { time_max: std::time::Duration::ZERO, ..Limits::default() };
    let place = Place::with(limits).await;
    // hashing the password takes a while
    let new = json!({ "name": "vera", "password": PASSWORD, "role": "viewer" });
    let reply = place.post("/api/v1/users", new).await.is(503);
    assert!(reply.headers.contains_key("retry-after"));
    let place = place.again(Limits::default());
    assert_eq!(lines(&place, "failed").await, ["local:tester createUser status 503"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_in_is_in_the_log_before_there_is_a_session() {
    let (place, _) = place(Limits::default()).await;
    assert!(lines(&place, "asked").await.contains(&"vera signIn ".to_owned()));
    let before = count(&place, "sessions");
    without_table(&place, "audit_log");
    let refused = sign_in(&place, "vera", PASSWORD).await;
    assert!(refused.status.is_server_error() && !refused.headers.contains_key("set-cookie"), "{}", refused.text());
    assert_eq!(count(&place, "sessions"), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_administrator_is_in_the_log_before_there_is_one() {
    let place = Place::new().await;
    let now = place.app.clock.now();
    let link = levada_server::auth::setup::offer(&place.app.store, "http://h", now).await.unwrap().unwrap();
    let secret = link.expose().split('#').nth(1).unwrap().to_owned();
    let set_up = async |secret: &str, password: &str| {
        let body = json!({ "secret": secret, "name": "anna", "password": password });
        place.send_as(&Who::Nobody, "POST", "/api/v1/setup", &[], body).await
    };
    set_up("nonsense", PASSWORD).await.is(401);
    set_up(&secret, "short").await.is(400);
    assert_eq!(lines(&place, "denied").await, ["anonymous setUp the link is not valid"]);
    assert_eq!(lines(&place, "asked").await, [""; 0]);
    without_table(&place, "audit_log");
    assert!(set_up(&secret, PASSWORD).await.status.is_server_error());
    assert_eq!(count(&place, "users"), 0);
}

/// A password that is typed where the name belongs is not kept.
#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_nobodys_are_not_written_down() {
    let (place, _) = place(Limits::default()).await;
    sign_in(&place, "my secret passphrase", "x").await.is(401);
    sign_in(&place, "vera", "wrong password").await.is(401);
    let page = place.get("/api/v1/audit?limit=1000&action=signIn&outcome=denied").await.is(200);
    assert!(!page.text().contains("passphrase"), "{}", page.text());
    let page = page.json();
    assert_eq!((&page["items"][0]["object"], &page["items"][1]["object"]), (&json!("user=vera"), &json!("")));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_a_thousand_times_fills_no_log() {
    let limits = Limits { rate: Rate { caller: 1_000_000, address: 1_000_000 }, ..Limits::default() };
    let (place, cookie) = place(limits).await;
    for number in 0..1_000 {
        let request = Request::get(format!("/api/v1/runs/{number}")).body(Body::empty()).unwrap();
        place.ask(&Who::Nobody, request).await.is(401);
    }
    let session = Who::Session(cookie);
    for _ in 0..100 {
        place.send_as(&session, "GET", "/api/v1/users", &[], Value::Null).await.is(403);
    }
    assert_eq!(lines(&place, "denied").await.len(), 10);
    // what was counted is written when the server stops, if not before
    let stop = CancellationToken::new();
    stop.cancel();
    denials::write_down(place.app.clone(), stop).await;
    let denied = lines(&place, "denied").await;
    let counted = [
        "vera listUsers 95 more within a minute: listUsers 95",
        "anonymous getRun 995 more within a minute: getRun 995",
    ];
    assert_eq!(denied[..2], counted);
    assert_eq!(place.get("/api/v1/audit/verify").await.is(200).json()["whole"], true);
}

/// Strangers make the data API read nothing; and what was read once is not read again.
#[tokio::test(flavor = "multi_thread")]
async fn the_data_api_asks_who_it_is_before_it_looks() {
    let (place, _) = place(Limits::default()).await;
    without_table(&place, "documents");
    for path in ["/v1/department", "/v1/nothing", "/v1/department/7"] {
        place.send_as(&Who::Nobody, "GET", path, &[], Value::Null).await.is(401);
        place.send_as(&Who::Token("lvd_1_x".to_owned()), "GET", path, &[], Value::Null).await.is(401);
        assert!(place.get(path).await.status.is_server_error(), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_data_api_reads_a_version_of_the_project_once() {
    let place = Place::new().await;
    let text = format!(
        "version: 1\nconnections:\n  hr: {{ type: sqlite, path: {:?} }}\ncollections:\n  department:\n    connection: hr\n    columns: {{ name: text }}\n",
        place.data().join("hr.db")
    );
    place.apply_all(&text, &[]).await;
    place.post("/v1/department", json!({ "name": "Supply" })).await.is(201);
    // the text of the document is not looked at any more
    let store = rusqlite::Connection::open(place.data().join("levada.db")).unwrap();
    store.execute_batch("UPDATE documents SET text = 'broken: ['").unwrap();
    assert_eq!(place.get("/v1/department").await.is(200).json()["items"][0]["name"], "Supply");
    place.apply_all(&text.replace("department:", "unit:"), &[]).await;
    place.get("/v1/department").await.is(404);
    place.get("/v1/unit").await.is(200);
}

/// What started and what ended are figures of their own: the sum over how runs ended counts each once.
#[tokio::test]
async fn figures_count_a_run_that_ended_once() {
    let figures = Place::new().await.get("/metrics").await.is(200).text();
    let states = figures.lines().filter_map(|line| line.strip_prefix("levada_runs_total{state=\""));
    let states: Vec<&str> = states.filter_map(|line| line.split('"').next()).collect();
    assert_eq!(states, ["succeeded", "failed", "cancelled"]);
    assert!(figures.lines().any(|line| line.starts_with("levada_runs_started_total ")), "{figures}");
}

/// Figures are for this machine; a proxy on it asks for somebody else, also one that nobody named.
#[tokio::test]
async fn figures_are_for_this_machine_alone() {
    let place = Place::new().await;
    let asked = async |address: &str, headers: &[(&str, &str)]| {
        let mut request = Request::get("/metrics").body(Body::empty()).unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(axum::http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        let peer = levada_server::guard::Peer { address: address.parse().unwrap(), is_tls: false };
        request.extensions_mut().insert(peer);
        place.ask(&Who::Nobody, request).await.status.as_u16()
    };
    assert_eq!((asked("127.0.0.1", &[]).await, asked("::1", &[]).await), (200, 200));
    assert_eq!(asked("192.0.2.7", &[]).await, 401);
    for header in ["x-forwarded-for", "forwarded", "x-real-ip", "via"] {
        assert_eq!(asked("127.0.0.1", &[(header, "127.0.0.1")]).await, 401, "{header}");
    }
}
