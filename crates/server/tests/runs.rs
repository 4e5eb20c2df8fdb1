//! Runs over the API: started once for each key, listed in pages, cancelled, tried again.

use serde_json::{Value, json};

use crate::harness::{NIGHTLY, Place, work};

const RUNS: &str = "/api/v1/pipelines/nightly/runs";

#[tokio::test]
async fn a_key_starts_one_run() {
    let place = Place::with_project().await;
    let body = json!({ "params": { "day": "2026-02-03" } });
    let first = place.send("POST", RUNS, &[("idempotency-key", "a")], body.clone()).await.is(201);
    assert_eq!(first.headers["location"], "/api/v1/runs/1");
    let run = first.json();
    assert_eq!((&run["pipeline"], &run["params"]["day"]), (&json!("nightly"), &json!("2026-02-03")));
    let again = place.send("POST", RUNS, &[("idempotency-key", "a")], body.clone()).await.is(201).json();
    assert_eq!(again["id"], run["id"]);
    let other = place.send("POST", RUNS, &[("idempotency-key", "b")], body).await.is(201).json();
    assert_ne!(other["id"], run["id"]);
    let free = place.post(RUNS, json!({})).await.is(201).json();
    assert_ne!(free["id"], other["id"]);
    // the key is one of this pipeline, and of what it was given for
    let key = [("idempotency-key", "a")];
    let reply = place.send("POST", RUNS, &key, json!({ "params": { "day": "2026-02-04" } })).await.is(409);
    assert!(reply.text().contains("run 1"), "{}", reply.text());
    place.apply(&[NIGHTLY, &NIGHTLY.replace("name: nightly", "name: weekly")]).await;
    let weekly = place.send("POST", "/api/v1/pipelines/weekly/runs", &key, json!({})).await.is(201).json();
    assert_eq!(weekly["pipeline"], "weekly");
    assert_eq!(place.get("/api/v1/runs").await.json()["items"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn a_key_is_good_for_one_thing_to_do() {
    let place = Place::with_project().await;
    let key = [("idempotency-key", "k")];
    let send = async |path: &str, body: Value| place.send("POST", path, &key, body).await;
    let run = send(RUNS, json!({ "tasks": ["first"] })).await.is(201).json()["id"].clone();
    assert_eq!(send(RUNS, json!({ "tasks": ["first"], "params": {} })).await.is(201).json()["id"], run);
    for other in
        [json!({ "tasks": ["second"] }), json!({}), json!({ "tasks": ["first"], "params": { "day": "2026-02-04" } })]
    {
        let refused = send(RUNS, other).await.is(409);
        assert!(refused.text().contains("run 1") && refused.text().contains("a key of its own"), "{}", refused.text());
    }
    place.post("/api/v1/runs/1/cancel", json!({})).await.is(200);
    let retry = "/api/v1/runs/1/retry";
    let again = send(retry, json!({ "all": true })).await.is(201).json()["id"].clone();
    assert_eq!(send(retry, json!({ "all": true })).await.is(201).json()["id"], again);
    for other in [json!({ "tasks": ["first"] }), json!({}), json!({ "all": true, "params": { "day": "2026-02-04" } })] {
        send(retry, other).await.is(409);
    }
    assert_eq!(place.get("/api/v1/runs").await.json()["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn wrong_parameters_start_nothing() {
    let place = Place::with_project().await;
    for (body, words) in [
        (json!({ "params": { "day": "soon" } }), "Give a day such as"),
        (json!({ "params": { "dya": "2026-01-01" } }), "day"),
        (json!({ "tasks": ["frist"] }), "Did you mean `first`?"),
        (json!({ "parms": {} }), "parms"),
    ] {
        let reply = place.post(RUNS, body.clone()).await;
        assert!(reply.status.is_client_error(), "{body}: {}", reply.text());
        assert!(reply.text().contains(words), "{body}: {}", reply.text());
    }
    place.post("/api/v1/pipelines/weekly/runs", json!({})).await.is(404);
    assert_eq!(place.get("/api/v1/runs").await.is(200).json()["items"], json!([]));
}

#[tokio::test]
async fn pages_join_without_gap_or_overlap() {
    let place = Place::with_project().await;
    for _ in 0..7 {
        place.post(RUNS, json!({})).await.is(201);
    }
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = place.get(&format!("/api/v1/runs?limit=3{after}")).await.is(200).json();
        seen.extend(page["items"].as_array().unwrap().iter().map(|run| run["id"].as_i64().unwrap()));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(seen, [7, 6, 5, 4, 3, 2, 1]);
    let queued = place.get("/api/v1/runs?state=queued&pipeline=nightly&limit=2").await.is(200).json();
    assert_eq!(queued["items"].as_array().unwrap().len(), 2);
    assert_eq!(place.get("/api/v1/runs?state=failed").await.is(200).json()["items"], json!([]));
    place.get("/api/v1/runs?state=broken").await.is(400);
}

#[tokio::test]
async fn runs_come_with_their_tasks_where_they_are_asked_for() {
    let place = Place::with_project().await;
    for _ in 0..2 {
        place.post(RUNS, json!({})).await.is(201);
    }
    place.post("/api/v1/runs/1/cancel", json!({})).await.is(200);
    let with = place.get("/api/v1/runs?tasks=true&pipeline=nightly").await.is(200).json();
    let told = |run: usize| {
        let tasks = with["items"][run]["tasks"].as_array().unwrap().iter();
        tasks.map(|task| format!("{} {}", task["task"], task["state"]).replace('"', "")).collect::<Vec<_>>()
    };
    assert_eq!(told(0), ["first queued", "second queued"]);
    assert_eq!(told(1), ["first cancelled", "second cancelled"]);
    assert_eq!(with["next"], Value::Null);
    let without = place.get("/api/v1/runs").await.is(200).json();
    assert_eq!(without["items"][0].get("tasks"), None);
}

#[tokio::test]
async fn a_run_is_cancelled_and_tried_again() {
    let place = Place::with_project().await;
    place.post(RUNS, json!({})).await.is(201);
    let why = place.get("/api/v1/runs/1/why").await.is(200).json();
    assert!(why["why"].as_str().unwrap().contains("worker"), "{why}");
    place.post("/api/v1/runs/1/retry", json!({})).await.is(409);
    let cancelled = place.post("/api/v1/runs/1/cancel", json!({})).await.is(200).json();
    assert_eq!(cancelled["run"]["state"], "cancelled");
    place.post("/api/v1/runs/1/cancel", json!({})).await.is(409);
    let tasks = place.get("/api/v1/runs/1/tasks").await.is(200).json();
    let names: Vec<&str> = tasks["items"].as_array().unwrap().iter().map(|t| t["task"].as_str().unwrap()).collect();
    assert_eq!(names, ["first", "second"]);
    let again = place.post("/api/v1/runs/1/retry", json!({})).await.is(201).json();
    assert_eq!((&again["id"], &again["retry_of"], &again["cause"]), (&json!(2), &json!(1), &json!("retry")));
    let events = place.get("/api/v1/runs/1/events").await.is(200).json();
    assert!(!events["items"].as_array().unwrap().is_empty());
    place.get("/api/v1/runs/99").await.is(404);
    place.post("/api/v1/runs/99/cancel", json!({})).await.is(404);
}

/// A list as it is asked for, in pages of a length and joined.
async fn joined(place: &Place, list: &str, limit: u32) -> Vec<Value> {
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let page = place.get(&format!("{list}&limit={limit}{after}")).await.is(200).json();
        all.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return all,
        }
    }
}

/// A list goes both ways, and pages of any length are the whole of it.
async fn goes_both_ways(place: &Place, list: &str, word: &str, count: usize) {
    let up = place.get(&format!("{list}?sort={word}")).await.is(200).json()["items"].as_array().unwrap().clone();
    assert!(up.len() >= count, "{list}: {up:?}");
    let down: Vec<Value> = up.iter().rev().cloned().collect();
    for limit in 1..=4 {
        assert_eq!(joined(place, &format!("{list}?sort={word}"), limit).await, up, "{list} by {word}");
        assert_eq!(joined(place, &format!("{list}?sort=-{word}"), limit).await, down, "{list} by -{word}");
    }
    place.get(&format!("{list}?sort=nonsense")).await.is(400);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_go_both_ways_in_pages() {
    for place in Place::on_each_store("lists").await {
        let named = |name: &str| NIGHTLY.replace("name: nightly", &format!("name: {name}"));
        place.apply(&[NIGHTLY, &named("daily"), &named("weekly")]).await;
        for day in 2..5 {
            let text = json!({ "text": NIGHTLY.replace("2026-01-01", &format!("2026-01-0{day}")) });
            place.send("PUT", "/api/v1/pipelines/nightly", &[("if-match", "*")], text).await.is(200);
        }
        let run = place.post(RUNS, json!({})).await.is(201).json()["id"].clone();
        place.post(&format!("/api/v1/runs/{run}/cancel"), json!({})).await.is(200);
        goes_both_ways(&place, "/api/v1/pipelines/nightly/versions", "version", 4).await;
        goes_both_ways(&place, "/api/v1/recent-runs", "pipeline", 3).await;
        goes_both_ways(&place, &format!("/api/v1/runs/{run}/events"), "at", 2).await;
        for word in ["place", "name", "started", "ended"] {
            goes_both_ways(&place, &format!("/api/v1/runs/{run}/tasks"), word, 2).await;
        }
        place.get(&format!("/api/v1/runs/{run}/quarantine?sort=-stream&limit=1")).await.is(200);
        // what nobody asked for is in the order that it always had
        let versions = place.get("/api/v1/pipelines/nightly/versions").await.is(200).json();
        assert_eq!(versions["items"][0]["version"], 4);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn items_go_both_ways_in_pages() {
    for place in Place::on_each_store("items").await {
        let each = "version: 1\nname: each\ntasks:\n  t: { for_each: { list: [a, b, c, d, e] }, command: { argv: [\"true\"] } }\n";
        place.apply(&[each]).await;
        let stop = work(&place).await;
        let run = place.post("/api/v1/pipelines/each/runs", json!({})).await.is(201).json()["id"].clone();
        let items = format!("/api/v1/runs/{run}/tasks/t/items");
        while place.get(&format!("/api/v1/runs/{run}")).await.is(200).json()["ended_at"].is_null() {
            tokio::task::yield_now().await;
        }
        stop.cancel();
        goes_both_ways(&place, &items, "place", 5).await;
        let third = place.get(&format!("{items}?after=2&limit=1")).await.is(200).json();
        assert_eq!(third["items"][0]["item"], "c");
    }
}
