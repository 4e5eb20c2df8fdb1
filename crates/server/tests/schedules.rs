//! Schedules and backfills over the API: listed, previewed, paused; made once for each key.

use serde_json::{Value, json};

use crate::harness::Place;

const PROJECT: &str = "version: 1\nname: shop\n";
const DAILY: &str = "version: 1\nname: daily\ntags: [money]\nparams: { size: { type: int, default: 1 } }\nschedule:\n  - { name: morning, cron: \"30 2 * * *\", timezone: Europe/Berlin }\n  - { name: after, on: { pipeline: hourly } }\ntasks:\n  first: { wait: { until: 2199-01-01T00:00:00Z } }\n";
const HOURLY: &str = "version: 1\nname: hourly\nschedule: { every: 1h, paused: true }\ntasks:\n  first: { wait: { until: 2199-01-01T00:00:00Z } }\n";

async fn place() -> Place {
    Place::with_documents(PROJECT, &[DAILY, HOURLY]).await
}

fn names(list: &Value) -> Vec<String> {
    let name = |item: &Value| format!("{}/{}", item["pipeline"].as_str().unwrap(), item["schedule"].as_str().unwrap());
    list["items"].as_array().unwrap().iter().map(name).collect()
}

#[tokio::test]
async fn schedules_are_listed_filtered_and_paged() {
    let place = place().await;
    let all = place.get("/api/v1/schedules").await.is(200).json();
    assert_eq!(names(&all), ["daily/after", "daily/morning", "hourly/schedule"]);
    let morning = &all["items"][1];
    assert_eq!((&morning["kind"], &morning["timezone"]), (&json!("time"), &json!("Europe/Berlin")));
    assert_eq!((&morning["fires"], &morning["catchup"]), (&json!("30 2 * * * Europe/Berlin"), &json!("last")));
    let path = "/api/v1/pipelines/daily/schedules/morning/preview?count=1";
    assert_eq!(morning["next_at"], place.get(path).await.is(200).json()["fires"][0]["utc"]);
    assert_eq!(
        (&all["items"][0]["fires"], &all["items"][0]["next_at"]),
        (&json!("after hourly succeeded"), &Value::Null)
    );
    assert_eq!(names(&place.get("/api/v1/schedules?active=false").await.json()), ["hourly/schedule"]);
    assert_eq!(names(&place.get("/api/v1/schedules?kind=pipeline").await.json()), ["daily/after"]);
    assert_eq!(names(&place.get("/api/v1/schedules?pipeline=hourly").await.json()), ["hourly/schedule"]);
    assert_eq!(names(&place.get("/api/v1/schedules?search=MORN").await.json()), ["daily/morning"]);
    let (mut after, mut seen) = (String::new(), Vec::new());
    loop {
        let page = place.get(&format!("/api/v1/schedules?limit=1{after}")).await.is(200).json();
        seen.extend(names(&page));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={}", next.replace('\n', "%0A"));
    }
    assert_eq!(seen, names(&all));
    place.get("/api/v1/schedules?kind=moon").await.is(400);
    place.get("/api/v1/schedules?sort=name").await.is(400);
    place.get("/api/v1/schedules?limit=1001").await.is(400);
}

#[tokio::test]
async fn a_schedule_is_paused_and_resumed() {
    let place = place().await;
    let path = "/api/v1/pipelines/daily/schedules/morning";
    place.post(&format!("{path}/pause"), json!({})).await.is(204);
    let paused = place.get("/api/v1/schedules?search=morning").await.json()["items"][0].clone();
    assert_eq!((&paused["paused"], &paused["active"], &paused["next_at"]), (&json!(true), &json!(false), &Value::Null));
    place.post(&format!("{path}/resume"), json!({})).await.is(204);
    assert_eq!(place.get("/api/v1/schedules?search=morning").await.json()["items"][0]["active"], true);
    place.post("/api/v1/pipelines/daily/schedules/evening/pause", json!({})).await.is(404);
}

#[tokio::test]
async fn the_next_fires_are_told_of_saved_and_of_unsaved_schedules() {
    let place = place().await;
    let path = "/api/v1/pipelines/daily/schedules/morning/preview?count=2&from=2027-03-28";
    let told = place.get(path).await.is(200).json();
    // 02:30 is left out by the clocks of that night
    assert_eq!(told["fires"][0], json!({ "utc": "2027-03-28T01:00:00Z", "local": "2027-03-28T03:00:00+02:00" }));
    assert_eq!(told["fires"][1]["local"], "2027-03-29T02:30:00+02:00");
    place.get("/api/v1/pipelines/daily/schedules/after/preview").await.is(404);
    place.get("/api/v1/pipelines/daily/schedules/none/preview").await.is(404);
    let unsaved = async |body: Value| place.post("/api/v1/schedules/preview", body).await;
    let monday = json!({ "schedule": "0 6 * * MON", "from": "2026-11-21" });
    let told = unsaved(monday).await.is(200).json();
    assert_eq!((told["fires"].as_array().unwrap().len(), &told["timezone"]), (5, &json!("UTC")));
    assert_eq!(told["fires"][0]["utc"], "2026-11-23T06:00:00Z");
    let told = unsaved(json!({ "schedule": { "every": "90m" }, "count": 1, "from": "2026-11-23T12:00:01Z" }))
        .await
        .is(200)
        .json();
    assert_eq!((&told["when"], &told["fires"][0]["utc"]), (&json!("every 5400s"), &json!("2026-11-23T13:30:00Z")));
    for (schedule, status, word) in [
        (json!("61 * * * *"), 422, "61"),
        (json!({ "cron": "0 6 * * *", "every": "1h" }), 422, "exclude"),
        (json!({ "crom": "0 6 * * *" }), 422, "cron"),
        (json!({ "on": { "dataset": "a.b" } }), 404, "by time"),
        (json!(["0 6 * * *"]), 422, "schedule"),
    ] {
        let reply = unsaved(json!({ "schedule": schedule })).await.is(status);
        assert!(reply.text().contains(word), "{}", reply.text());
    }
}

#[tokio::test]
async fn a_backfill_from_day_to_day_is_over_whole_days_of_the_schedules_zone() {
    let document = "version: 1\nname: late\nschedule: { cron: \"0 22 * * *\", timezone: America/Bogota }\ntasks:\n  \
                    first: { wait: { until: 2199-01-01T00:00:00Z } }\n";
    let place = Place::with_documents(PROJECT, &[document]).await;
    let plan = async |to: &str, every: Value| {
        let range = json!({ "from": "2026-01-01", "to": to, "every": every, "dry_run": true });
        place.post("/api/v1/pipelines/late/backfills", range).await.is(200).json()["fire_times"].clone()
    };
    let evenings = ["2026-01-02T03:00:00Z", "2026-01-03T03:00:00Z", "2026-01-04T03:00:00Z"];
    assert_eq!(plan("2026-01-03", Value::Null).await, json!(evenings));
    assert_eq!(plan("2026-01-03T00:00:00Z", Value::Null).await, json!(evenings[..1]));
    // steps know no schedule, and are those of UTC
    let hours = plan("2026-01-03", json!("hour")).await;
    let hours = hours.as_array().unwrap();
    assert_eq!(
        (hours.len(), &hours[0], &hours[71]),
        (72, &json!("2026-01-01T00:00:00Z"), &json!("2026-01-03T23:00:00Z"))
    );
}

#[tokio::test]
async fn a_backfill_is_made_once_for_each_key() {
    let place = place().await;
    let path = "/api/v1/pipelines/daily/backfills";
    let range = json!({ "from": "2026-11-01", "to": "2026-11-05T23:00:00Z", "reverse": true });
    let mut dry = range.clone();
    dry["dry_run"] = true.into();
    let told = place.post(path, dry).await.is(200).json();
    assert_eq!((&told["backfill"], &told["total"]), (&Value::Null, &json!(5)));
    assert_eq!(told["fire_times"][0], "2026-11-05T01:30:00Z");
    assert_eq!(place.get("/api/v1/backfills").await.json()["items"], json!([]));
    let key = [("idempotency-key", "one")];
    let first = place.send("POST", path, &key, range.clone()).await.is(200).json()["backfill"].clone();
    let again = place.send("POST", path, &key, range.clone()).await.is(200).json()["backfill"].clone();
    assert_eq!(first["id"], again["id"]);
    let mut wider = range.clone();
    wider["to"] = "2026-11-06".into();
    let refused = place.send("POST", path, &key, wider).await.is(409).text();
    assert!(refused.contains("a key of its own"), "{refused}");
    assert_eq!((&first["total"], &first["state"], &first["concurrency"]), (&json!(5), &json!("running"), &json!(1)));
    let other = place.send("POST", path, &[("idempotency-key", "two")], range.clone()).await.is(200).json();
    assert_ne!(other["backfill"]["id"], first["id"]);
    for (wrong, status) in [
        (json!({ "from": "2026-11-01" }), 400),
        (json!({ "from": "soon", "to": "2026-11-02" }), 400),
        (json!({ "from": "1900-01-01", "to": "2026-11-02", "every": "hour" }), 400),
        (json!({ "from": "2026-11-02", "to": "2026-11-01" }), 400),
        (json!({ "from": "2026-11-01", "to": "2026-11-02", "params": { "sise": 1 } }), 400),
        (json!({ "from": "2026-11-01", "to": "2026-11-02", "concurrency": 0 }), 400),
    ] {
        place.post(path, wrong).await.is(status);
    }
    place.post("/api/v1/pipelines/none/backfills", range).await.is(404);
    let list = place.get("/api/v1/backfills?limit=1").await.json();
    assert_eq!(list["items"][0]["id"], other["backfill"]["id"]);
    let rest = place.get(&format!("/api/v1/backfills?limit=1&after={}", list["next"].as_str().unwrap())).await.json();
    assert_eq!(rest["items"][0]["id"], first["id"]);
}

#[tokio::test]
async fn a_backfill_is_paused_resumed_and_cancelled() {
    let place = place().await;
    let range = json!({ "from": "2026-11-01", "to": "2026-11-05", "every": "day", "concurrency": 2 });
    let made = place.post("/api/v1/pipelines/daily/backfills", range).await.is(200).json()["backfill"].clone();
    let path = format!("/api/v1/backfills/{}", made["id"]);
    assert_eq!(place.post(&format!("{path}/pause"), json!({})).await.is(200).json()["state"], "paused");
    assert_eq!(
        place.get("/api/v1/backfills?state=paused&pipeline=daily").await.json()["items"].as_array().unwrap().len(),
        1
    );
    assert_eq!(place.get("/api/v1/backfills?state=running").await.json()["items"], json!([]));
    assert_eq!(place.post(&format!("{path}/resume"), json!({})).await.is(200).json()["state"], "running");
    assert_eq!(place.post(&format!("{path}/cancel"), json!({})).await.is(200).json()["state"], "cancelled");
    assert_eq!(place.get(&path).await.is(200).json()["state"], "cancelled");
    place.post(&format!("{path}/pause"), json!({})).await.is(409);
    place.get("/api/v1/backfills/99").await.is(404);
    place.post("/api/v1/backfills/99/cancel", json!({})).await.is(404);
}
