//! What a server remembers of its store is never older than the request: whatever is changed, by the same server or by
//! another process, counts from the next request on.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::Relaxed;

use levada_core::time::{Clock, Timestamp};
use levada_server::Limits;
use serde_json::{Value, json};

use crate::harness::{NIGHTLY, PROJECT, Place, Reply, Who};

const PASSWORD: &str = "correct horse battery";
const PIPELINE: &str = "/api/v1/pipelines/nightly";

/// A server, and who changes things: the same server, and another one on the same store. Of both kinds of store.
async fn pairs(name: &str) -> Vec<(Place, Place)> {
    let mut pairs = Vec::new();
    for part in ["own", "other"] {
        for place in Place::on_each_store(&format!("{name}_{part}")).await {
            place.apply(&[NIGHTLY]).await;
            let by = if part == "own" { place.same() } else { place.beside().await };
            pairs.push((place, by));
        }
    }
    pairs
}

/// What somebody gets, asked for until the server has it by heart.
async fn get(place: &Place, who: &Who, path: &str) -> Reply {
    for _ in 0..3 {
        ask(place, who, path).await;
    }
    ask(place, who, path).await
}

async fn ask(place: &Place, who: &Who, path: &str) -> Reply {
    place.send_as(who, "GET", path, &[], Value::Null).await
}

async fn sign_in(place: &Place, name: &str) -> Who {
    let given = json!({ "name": name, "password": PASSWORD });
    let reply = place.send_as(&Who::Nobody, "POST", "/api/v1/session", &[], given).await.is(200);
    Who::Session(reply.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned())
}

/// A user, signed in, with a token; and the path of the token.
async fn user(place: &Place, name: &str, role: &str) -> (Who, Who, String) {
    place.post("/api/v1/users", json!({ "name": name, "password": PASSWORD, "role": role })).await.is(201);
    let session = sign_in(place, name).await;
    let made = place.send_as(&session, "POST", "/api/v1/tokens", &[], json!({ "name": "t", "role": "admin" })).await;
    let made = made.is(201);
    let path = made.headers["location"].to_str().unwrap().to_owned();
    (session, Who::Token(made.json()["text"].as_str().unwrap().to_owned()), path)
}

async fn change(by: &Place, name: &str, change: Value) {
    let path = format!("/api/v1/users/{name}");
    let tag = by.get(&path).await.is(200).headers["etag"].to_str().unwrap().to_owned();
    by.send("PATCH", &path, &[("if-match", &tag)], change).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_ended_opens_nothing() {
    for (place, by) in pairs("ended").await {
        let (session, token, path) = user(&place, "vera", "viewer").await;
        get(&place, &token, PIPELINE).await.is(200);
        by.send("DELETE", &path, &[], Value::Null).await.is(204);
        ask(&place, &token, PIPELINE).await.is(401);

        get(&place, &session, PIPELINE).await.is(200);
        by.send_as(&session, "DELETE", "/api/v1/session", &[], Value::Null).await.is(204);
        ask(&place, &session, PIPELINE).await.is(401);

        let session = sign_in(&place, "vera").await;
        get(&place, &session, PIPELINE).await.is(200);
        by.send("DELETE", "/api/v1/users/vera/sessions", &[], Value::Null).await.is(200);
        ask(&place, &session, PIPELINE).await.is(401);

        // a new password ends the sessions, but for the one that it was changed in
        let (first, second) = (sign_in(&place, "vera").await, sign_in(&place, "vera").await);
        get(&place, &first, PIPELINE).await.is(200);
        get(&place, &second, PIPELINE).await.is(200);
        let passwords = json!({ "old": PASSWORD, "new": "another horse battery" });
        by.send_as(&second, "PUT", "/api/v1/session/password", &[], passwords).await.is(204);
        ask(&place, &first, PIPELINE).await.is(401);
        ask(&place, &second, PIPELINE).await.is(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_disabled_or_removed_is_out() {
    for (place, by) in pairs("out").await {
        let (session, token, _) = user(&place, "vera", "viewer").await;
        for who in [&session, &token] {
            get(&place, who, PIPELINE).await.is(200);
        }
        change(&by, "vera", json!({ "disabled": true })).await;
        for who in [&session, &token] {
            ask(&place, who, PIPELINE).await.is(401);
        }
        change(&by, "vera", json!({ "disabled": false })).await;
        get(&place, &token, PIPELINE).await.is(200);
        let tag = by.get("/api/v1/users/vera").await.is(200).headers["etag"].to_str().unwrap().to_owned();
        by.send("DELETE", "/api/v1/users/vera", &[("if-match", &tag)], Value::Null).await.is(204);
        ask(&place, &token, PIPELINE).await.is(401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_and_grants_are_those_of_now() {
    for (place, by) in pairs("roles").await {
        let (session, token, _) = user(&place, "olga", "editor").await;
        let pause = async |who: &Who| {
            place.send_as(who, "POST", &format!("{PIPELINE}/pause"), &[], json!({})).await.status.as_u16()
        };
        for who in [&session, &token] {
            get(&place, who, PIPELINE).await.is(200);
            assert_eq!(pause(who).await, 204);
        }
        change(&by, "olga", json!({ "role": "viewer" })).await;
        for who in [&session, &token] {
            assert_eq!(pause(who).await, 403);
            get(&place, who, PIPELINE).await.is(200);
        }
        change(&by, "olga", json!({ "grants": [{ "tag": "money", "role": "operator" }] })).await;
        for who in [&session, &token] {
            assert_eq!(pause(who).await, 204);
        }
        change(&by, "olga", json!({ "grants": [] })).await;
        for who in [&session, &token] {
            assert_eq!(pause(who).await, 403);
        }
    }
}

/// A clock that is set by hand.
#[derive(Default)]
struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_700_000_000 + self.0.load(Relaxed))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn time_ends_what_is_remembered() {
    const DAY: i64 = 86_400;
    let clock = Arc::new(Hands::default());
    let place = Place::at(Limits::default(), clock.clone()).await;
    place.apply(&[NIGHTLY]).await;
    let (session, token, _) = user(&place, "vera", "viewer").await;
    let noted = async || {
        let sessions = place.get("/api/v1/users/vera/sessions").await.is(200).json();
        let tokens = place.get("/api/v1/tokens?all=true").await.is(200).json();
        let at = |value: &Value| Timestamp::parse(value.as_str().unwrap()).unwrap().as_micros() / 1_000_000;
        [at(&sessions["items"][0]["seen_at"]), at(&tokens["items"][0]["used_at"])].map(|at| at - 1_700_000_000)
    };
    // uses are noted once a minute, neither later nor more often
    for (second, noted_at) in [(0, 0), (59, 0), (60, 60), (100, 60), (119, 60), (120, 120)] {
        clock.0.store(second, Relaxed);
        for who in [&session, &token] {
            get(&place, who, PIPELINE).await.is(200);
        }
        assert_eq!(noted().await, [noted_at; 2], "after {second} s");
    }
    // unused for half a day, it is over; and so is the token at its end
    for (second, of_session, of_token) in [(120 + DAY / 2, 401, 200), (365 * DAY, 401, 401)] {
        clock.0.store(second, Relaxed);
        ask(&place, &session, PIPELINE).await.is(of_session);
        ask(&place, &token, PIPELINE).await.is(of_token);
    }
}

/// Who may no longer change a document sees it without its secrets.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_follows_the_role() {
    const SECRET: &str = "hunter2-in-plain";
    let text = format!(
        "version: 1\nname: nightly\ntags: [money]\nconnections:\n  shop: {{ type: postgres, host: db, user: reader, password: {SECRET} }}\n\
         tasks:\n  first:\n    wait: {{ until: 2199-01-01T00:00:00Z }}\n"
    );
    for (place, by) in pairs("shown").await {
        place.apply(&[&text]).await;
        let (session, token, _) = user(&place, "olga", "viewer").await;
        let is_shown = async |who: &Who| get(&place, who, PIPELINE).await.is(200).text().contains(SECRET);
        for who in [&session, &token] {
            assert!(!is_shown(who).await);
        }
        change(&by, "olga", json!({ "grants": [{ "tag": "money", "role": "editor" }] })).await;
        for who in [&session, &token] {
            assert!(is_shown(who).await);
        }
        change(&by, "olga", json!({ "grants": [] })).await;
        for who in [&session, &token] {
            assert!(!is_shown(who).await);
        }
        // what somebody else may see is nobody else's
        let (editor, _, _) = user(&place, "ed", "editor").await;
        assert!(is_shown(&editor).await && !is_shown(&session).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_and_runs_are_those_of_now() {
    for (place, by) in pairs("documents").await {
        let (session, token, _) = user(&place, "vera", "viewer").await;
        let versions = format!("{PIPELINE}/versions");
        let count = async |who: &Who, path: &str| {
            get(&place, who, path).await.is(200).json()["items"].as_array().unwrap().len()
        };
        for who in [&session, &token] {
            assert_eq!(get(&place, who, PIPELINE).await.is(200).json()["version"], 1);
            assert_eq!((count(who, &versions).await, count(who, "/api/v1/runs").await), (1, 0));
        }
        let text = NIGHTLY.replace("# a comment", "# another comment");
        by.apply(&[&text]).await;
        for who in [&session, &token] {
            let reply = ask(&place, who, PIPELINE).await.is(200);
            assert_eq!(
                (reply.json()["version"].as_i64(), reply.headers["etag"].to_str().unwrap()),
                (Some(2), "\"v2\"")
            );
            assert!(reply.text().contains("another comment"));
            assert_eq!(count(who, &versions).await, 2);
        }
        let made = by.post(&format!("{PIPELINE}/runs"), json!({})).await.is(201).json();
        let run = format!("/api/v1/runs/{}", made["id"]);
        for who in [&session, &token] {
            assert_eq!(count(who, "/api/v1/runs").await, 1);
            assert_eq!(get(&place, who, &run).await.is(200).json()["state"], "queued");
        }
        by.post(&format!("{run}/cancel"), json!({})).await.is(200);
        for who in [&session, &token] {
            assert_eq!(ask(&place, who, &run).await.is(200).json()["state"], "cancelled");
        }
        by.send("DELETE", PIPELINE, &[("if-match", "\"v2\"")], Value::Null).await.is(204);
        for who in [&session, &token] {
            ask(&place, who, PIPELINE).await.is(404);
        }
    }
}

/// What the project serves is what it says now.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_served_is_what_the_project_says_now() {
    for (place, by) in pairs("served").await {
        let (session, token, _) = user(&place, "vera", "viewer").await;
        let file = place.data().join("served.db");
        let served = format!(
            "{PROJECT}  shop: {{ type: sqlite, path: {} }}\ncollections:\n  item:\n    connection: shop\n    columns:\n      name: {{ type: text }}\n",
            file.display()
        );
        for who in [&session, &token] {
            get(&place, who, "/v1/item").await.is(404);
        }
        by.apply_all(&served, &[NIGHTLY]).await;
        for who in [&session, &token] {
            get(&place, who, "/v1/item").await.is(200);
        }
        by.apply(&[NIGHTLY]).await;
        for who in [&session, &token] {
            ask(&place, who, "/v1/item").await.is(404);
        }
    }
}
