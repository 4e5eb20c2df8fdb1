//! Who may do what: every route with every credential, as the table says.

use axum::body::Body;
use axum::http::Request;
use levada_core::access::Role;
use levada_server::Limits;
use levada_server::rate::Rate;
use levada_server::route::Rule;
use levada_server::router::table;
use serde_json::{Value, json};

use crate::harness::{NIGHTLY, Place, Reply, Who, filled};

const PASSWORD: &str = "correct horse battery";

/// A server with a project of two pipelines, of which one has the tag `money`, that lets tests ask as often as they like.
async fn place() -> Place {
    let limits = Limits { rate: Rate { caller: 1_000_000, address: 1_000_000 }, ..Limits::default() };
    let place = Place::with(limits).await;
    place
        .apply(&[NIGHTLY, &NIGHTLY.replace("name: nightly", "name: plain").replace("tags: [money]", "tags: []")])
        .await;
    place
}

/// A user, signed in, and a token that may what they may.
pub async fn user(place: &Place, name: &str, role: Role, grants: Value) -> (Who, Who) {
    let new = json!({ "name": name, "password": PASSWORD, "role": role.name(), "grants": grants });
    place.post("/api/v1/users", new).await.is(201);
    let session = sign_in(place, name, PASSWORD).await.is(200);
    let cookie = session.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let session = Who::Session(cookie);
    let token = json!({ "name": "t", "role": "admin" });
    let token = place.send_as(&session, "POST", "/api/v1/tokens", &[], token).await.is(201).json();
    (session, Who::Token(token["text"].as_str().unwrap().to_owned()))
}

async fn sign_in(place: &Place, name: &str, password: &str) -> Reply {
    place.send_as(&Who::Nobody, "POST", "/api/v1/session", &[], json!({ "name": name, "password": password })).await
}

fn needed(rule: Rule) -> Option<Role> {
    match rule {
        Rule::Public | Rule::Signed | Rule::Metrics => None,
        Rule::Role(role) | Rule::Pipeline(role) => Some(role),
    }
}

async fn status(place: &Place, who: &Who, method: &str, path: &str) -> u16 {
    place.ask(who, Request::builder().method(method).uri(path).body(Body::empty()).unwrap()).await.status.as_u16()
}

/// Every route with every role, by session and by token: let in where the table says so, and nowhere else.
#[tokio::test(flavor = "multi_thread")]
async fn every_route_asks_for_its_role() {
    let place = place().await;
    for role in Role::ALL {
        let (session, token) = user(&place, role.name(), role, json!([])).await;
        // signing out ends the session; whoever is let in to sign in does not have to
        let ends = |id: &str| matches!(id, "signOut" | "signIn" | "setUp" | "endSessions");
        for route in table().routes.iter().filter(|route| !ends(route.id)) {
            let path = filled(route.path, "plain");
            let is_allowed = needed(route.rule).is_none_or(|needed| role >= needed);
            for who in [&session, &token] {
                let status = status(&place, who, route.method.as_str(), &path).await;
                let is_in = !matches!(status, 401 | 403);
                // the handlers of one's own things tell more
                let is_own = route.rule == Rule::Signed && status == 403;
                assert!(is_in == is_allowed || is_own, "{} {} as {}: {status}", route.method, path, role.name());
                assert!(status < 500, "{} {path} as {}: {status}", route.method, role.name());
            }
        }
    }
}

/// A role on a tag counts for pipelines that have it, and for nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn roles_by_tag_count_for_their_pipelines_only() {
    let place = place().await;
    let (session, token) = user(&place, "olga", Role::Viewer, json!([{ "tag": "money", "role": "operator" }])).await;
    let (mut runs, mut backfills) = (Vec::new(), Vec::new());
    let range = json!({ "from": "2026-01-01", "to": "2026-01-02" });
    for pipeline in ["nightly", "plain"] {
        let made = place.post(&format!("/api/v1/pipelines/{pipeline}/backfills"), range.clone()).await.is(200).json();
        backfills.push(made["backfill"]["id"].as_i64().unwrap());
        let made = place.post(&format!("/api/v1/pipelines/{pipeline}/runs"), json!({})).await.is(201).json();
        runs.push(made["id"].as_i64().unwrap());
    }
    for who in [&session, &token] {
        for route in table().routes.iter().filter(|route| matches!(route.rule, Rule::Pipeline(_))) {
            for (at, pipeline) in ["nightly", "plain"].into_iter().enumerate() {
                let path = filled(route.path, pipeline).replace("/runs/1", &format!("/runs/{}", runs[at]));
                let path = path.replace("/backfills/1", &format!("/backfills/{}", backfills[at]));
                let status = status(&place, who, route.method.as_str(), &path).await;
                let is_allowed = pipeline == "nightly" && route.rule == Rule::Pipeline(Role::Operator);
                assert_eq!(status != 403, is_allowed, "{} {path}: {status}", route.method);
            }
        }
    }
}

/// What is taken out and made again has the tags of what it is now, and so have its runs of before.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_by_tag_does_not_outlive_the_tag() {
    let place = place().await;
    let (who, token) = user(&place, "olga", Role::Viewer, json!([{ "tag": "money", "role": "operator" }])).await;
    let run = place.post("/api/v1/pipelines/nightly/runs", json!({})).await.is(201).json()["id"].clone();
    let (start, cancel) = ("/api/v1/pipelines/nightly/runs", format!("/api/v1/runs/{run}/cancel"));
    let statuses = async || {
        let mut found = Vec::new();
        for who in [&who, &token] {
            for path in ["/api/v1/pipelines/nightly/resume", start, &cancel] {
                found.push(place.send_as(who, "POST", path, &[], json!({})).await.status.as_u16());
            }
        }
        found
    };
    // the second time it is cancelled already
    assert_eq!(statuses().await, [204, 201, 200, 204, 201, 409]);
    place.send("DELETE", "/api/v1/pipelines/nightly", &[("if-match", "\"v1\"")], Value::Null).await.is(204);
    assert_eq!(statuses().await, [403; 6], "it is gone");
    let text = NIGHTLY.replace("tags: [money]", "tags: [other]");
    place.put("/api/v1/pipelines/nightly", json!({ "text": text })).await.is(200);
    assert_eq!(statuses().await, [403; 6], "it is another one");
    assert_eq!(place.get("/api/v1/runs?limit=10").await.is(200).json()["items"].as_array().unwrap().len(), 3);
}

/// Whoever may change pipelines with a tag makes no others theirs: not by taking the tag off, and not by putting it on.
#[tokio::test(flavor = "multi_thread")]
async fn a_tag_is_no_way_to_other_pipelines() {
    let place = place().await;
    let (who, _) = user(&place, "ed", Role::Viewer, json!([{ "tag": "money", "role": "editor" }])).await;
    let put = async |name: &str, text: &str, version: &str| {
        let headers = [("if-match", version)];
        let headers = if version.is_empty() { &headers[..0] } else { &headers[..] };
        place.send_as(&who, "PUT", &format!("/api/v1/pipelines/{name}"), headers, json!({ "text": text })).await
    };
    put("nightly", &NIGHTLY.replace("2026-01-01", "2026-01-02"), "\"v1\"").await.is(200);
    put("nightly", &NIGHTLY.replace("tags: [money]", "tags: []"), "\"v2\"").await.is(403);
    put("plain", &NIGHTLY.replace("name: nightly", "name: plain"), "\"v1\"").await.is(403);
    // one that is there no more has no tags, and who made it again decides
    put("new", &NIGHTLY.replace("name: nightly", "name: new"), "").await.is(403);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_come_and_go() {
    let place = place().await;
    let (session, token) = user(&place, "vera", Role::Operator, json!([])).await;
    let me = place.send_as(&session, "GET", "/api/v1/session", &[], Value::Null).await.is(200).json();
    assert_eq!((&me["name"], &me["role"]), (&json!("vera"), &json!("operator")));
    // a page of another site has the cookie, and neither the header nor the origin
    let pause = "/api/v1/pipelines/plain/pause";
    let Who::Session(cookie) = &session else { unreachable!() };
    let bare = [("cookie", cookie.as_str())];
    place.send_as(&Who::Nobody, "POST", pause, &bare, json!({})).await.is(403);
    let foreign =
        [("cookie", cookie.as_str()), ("x-levada-csrf", "1"), ("origin", "https://evil.example"), ("host", "levada")];
    place.send_as(&Who::Nobody, "POST", pause, &foreign, json!({})).await.is(403);
    let own = [("cookie", cookie.as_str()), ("x-levada-csrf", "1"), ("origin", "https://levada"), ("host", "levada")];
    place.send_as(&Who::Nobody, "POST", pause, &own, json!({})).await.is(204);
    // a new session at every sign-in: one that somebody planted before stays worthless
    let planted = [("cookie", "levada_session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")];
    let body = json!({ "name": "vera", "password": PASSWORD });
    let second = place.send_as(&Who::Nobody, "POST", "/api/v1/session", &planted, body).await.is(200);
    let fresh = second.headers["set-cookie"].to_str().unwrap();
    assert!(fresh.contains("HttpOnly") && fresh.contains("SameSite=Lax") && !fresh.contains("AAAAAAAA"), "{fresh}");
    place.send_as(&session, "DELETE", "/api/v1/session", &[], Value::Null).await.is(204);
    place.send_as(&session, "GET", "/api/v1/session", &[], Value::Null).await.is(401);
    // a disabled user is out at once, whatever they hold
    let etag = place.get("/api/v1/users/vera").await.is(200).headers["etag"].to_str().unwrap().to_owned();
    place.send_as(&token, "GET", "/api/v1/runs", &[], Value::Null).await.is(200);
    place.send("PATCH", "/api/v1/users/vera", &[("if-match", &etag)], json!({ "disabled": true })).await.is(200);
    place.send_as(&token, "GET", "/api/v1/runs", &[], Value::Null).await.is(401);
    sign_in(&place, "vera", PASSWORD).await.is(401);
}

/// People see where they are signed in, and end it, one session or all of them; those of others are for administrators.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_listed_and_ended() {
    let place = place().await;
    let (vera, token) = user(&place, "vera", Role::Viewer, json!([])).await;
    let (ed, _) = user(&place, "ed", Role::Editor, json!([])).await;
    let (ada, _) = user(&place, "ada", Role::Admin, json!([])).await;
    let again = async || {
        let reply = sign_in(&place, "vera", PASSWORD).await.is(200);
        Who::Session(reply.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned())
    };
    let ask = async |who: &Who, method: &str, path: &str| place.send_as(who, method, path, &[], Value::Null).await;
    let (second, third) = (again().await, again().await);
    let all = ask(&second, "GET", "/api/v1/sessions").await.is(200);
    let Who::Session(cookie) = &second else { unreachable!() };
    assert!(!all.text().contains(cookie.split_once('=').unwrap().1));
    let all = all.json()["items"].as_array().unwrap().clone();
    let (mine, others): (Vec<_>, Vec<_>) = all.iter().partition(|session| session["current"] == true);
    assert_eq!((mine.len(), others.len()), (1, 2), "{all:?}");
    // page by page they are the same
    let first = ask(&second, "GET", "/api/v1/sessions?limit=2").await.is(200).json();
    let rest = format!("/api/v1/sessions?limit=2&after={}", first["next"].as_str().unwrap());
    let rest = ask(&second, "GET", &rest).await.is(200).json();
    assert_eq!([&first["items"], &rest["items"]].map(|items| items.as_array().unwrap().len()), [2, 1]);
    assert_eq!((&rest["next"], &rest["items"][0]), (&Value::Null, &all[2]));
    // one of one's own; nobody else's
    let one = format!("/api/v1/sessions/{}", mine[0]["id"].as_str().unwrap());
    ask(&ed, "DELETE", &one).await.is(404);
    let hers = format!("/api/v1/users/vera/sessions/{}", mine[0]["id"].as_str().unwrap());
    ask(&ed, "DELETE", &hers).await.is(403);
    ask(&ed, "GET", "/api/v1/users/vera/sessions").await.is(403);
    ask(&ed, "DELETE", "/api/v1/users/vera/sessions").await.is(403);
    ask(&third, "DELETE", &one).await.is(204);
    ask(&third, "DELETE", &one).await.is(404);
    ask(&second, "GET", "/api/v1/session").await.is(401);
    // all others, then everywhere; what programs sign in with stays
    let ended = ask(&third, "DELETE", "/api/v1/sessions?keep_current=true").await.is(200);
    assert_eq!((ended.json()["ended"].clone(), ended.headers.contains_key("set-cookie")), (json!(1), false));
    ask(&vera, "GET", "/api/v1/session").await.is(401);
    let ended = ask(&third, "DELETE", "/api/v1/sessions").await.is(200);
    assert!(ended.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    ask(&third, "GET", "/api/v1/session").await.is(401);
    ask(&token, "GET", "/api/v1/session").await.is(200);
    // an administrator, and the command line, which is no user itself
    let fourth = again().await;
    ask(&ada, "DELETE", &hers).await.is(404);
    let ended = ask(&ada, "DELETE", "/api/v1/users/vera/sessions").await.is(200);
    assert_eq!((ended.json()["ended"].clone(), ended.headers.contains_key("set-cookie")), (json!(1), false));
    ask(&fourth, "GET", "/api/v1/session").await.is(401);
    ask(&ada, "GET", "/api/v1/session").await.is(200);
    again().await;
    place.get("/api/v1/sessions").await.is(400);
    place.get("/api/v1/users/nobody/sessions").await.is(404);
    let listed = place.get("/api/v1/users/vera/sessions").await.is(200).json();
    assert_eq!((listed["items"].as_array().unwrap().len(), &listed["items"][0]["current"]), (1, &json!(false)));
    let last = format!("/api/v1/users/vera/sessions/{}", listed["items"][0]["id"].as_str().unwrap());
    place.send("DELETE", &last, &[], Value::Null).await.is(204);
    // whose they were is written down
    let lines = place.get("/api/v1/audit?action=endSessionsOf").await.is(200).json();
    assert_eq!((&lines["items"][0]["actor"], &lines["items"][0]["object"]), (&json!("ada"), &json!("user=vera")));
}

/// What signs its user in with more than it may itself is out of a token's reach.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_no_sessions_and_no_other_token() {
    let place = place().await;
    let (session, strong) = user(&place, "ada", Role::Admin, json!([])).await;
    let make = async |role: &str| {
        let new = json!({ "name": role, "role": role });
        let made = place.send_as(&session, "POST", "/api/v1/tokens", &[], new).await.is(201).json();
        let number = made["token"]["id"].as_i64().unwrap();
        (Who::Token(made["text"].as_str().unwrap().to_owned()), format!("/api/v1/tokens/{number}"))
    };
    let ((weak, own), (_, other)) = (make("viewer").await, make("editor").await);
    let ask = async |who: &Who, method: &str, path: &str| place.send_as(who, method, path, &[], Value::Null).await;
    let open = ask(&weak, "GET", "/api/v1/sessions").await.is(200).json();
    let one = format!("/api/v1/sessions/{}", open["items"][0]["id"].as_str().unwrap());
    for path in [other.as_str(), "/api/v1/sessions", "/api/v1/sessions?keep_current=true", &one] {
        ask(&weak, "DELETE", path).await.is(403);
    }
    ask(&session, "GET", "/api/v1/session").await.is(200);
    ask(&weak, "DELETE", &own).await.is(204);
    ask(&weak, "GET", "/api/v1/session").await.is(401);
    ask(&strong, "DELETE", &other).await.is(204);
    ask(&strong, "DELETE", &one).await.is(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_asked_is_written_down() {
    let place = place().await;
    let (session, _) = user(&place, "vera", Role::Viewer, json!([])).await;
    place.send_as(&session, "POST", "/api/v1/pipelines/plain/pause", &[], json!({})).await.is(403);
    sign_in(&place, "vera", "wrong password").await.is(401);
    place.post("/api/v1/pipelines/nowhere/runs", json!({})).await.is(404);
    let lines = place.get("/api/v1/audit?limit=1000").await.is(200).json();
    let told = |action: &str, outcome: &str, actor: &str| {
        let mut lines = lines["items"].as_array().unwrap().iter();
        lines.any(|line| line["action"] == action && line["outcome"] == outcome && line["actor"] == actor)
    };
    assert!(told("applyProject", "asked", "local:tester"));
    assert!(told("pausePipeline", "denied", "vera"));
    assert!(told("signIn", "asked", "vera"));
    assert!(told("signIn", "denied", "anonymous"));
    assert!(told("createToken", "asked", "vera") && told("createToken", "done", "vera"));
    let mut made = lines["items"].as_array().unwrap().iter().filter(|line| line["action"] == "createUser");
    assert!(made.any(|line| line["outcome"] == "done" && line["detail"] == "/api/v1/users/vera"), "{lines}");
    assert!(told("startRun", "failed", "local:tester") && !told("applyProject", "failed", "local:tester"));
    let text = lines.to_string();
    assert!(!text.contains("correct horse") && !text.contains("wrong password") && !text.contains("lvd_"), "{text}");
    let verdict = place.get("/api/v1/audit/verify").await.is(200).json();
    assert_eq!(verdict["whole"], true, "{verdict}");
}
