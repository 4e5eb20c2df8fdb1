//! What lists and the first page show: of each pipeline all that a row of a table needs, of the day what matters.

use levada_core::run::Event;
use levada_core::time::Clock as _;
use levada_engine::house::SystemClock;
use levada_store::{Exchange, NewWorker, Update, Volume};
use serde_json::{Value, json};

use crate::harness::{NIGHTLY, PROJECT, Place, Who};

const ORDERS: &str = "version: 1\nname: orders\ndescription: What was sold\nowner: anna\ntags: [sales, daily]\nconcurrency: 5\nschedule: \"0 6 * * *\"\nsync:\n  from: here\n  to: warehouse\n  streams:\n    orders: { read: incremental, cursor: at, write: append }\n    \"*\": {}\n";

fn project() -> String {
    format!("{PROJECT}  warehouse: ./warehouse.db\n")
}

async fn place() -> Place {
    Place::with_documents(&project(), &[NIGHTLY, ORDERS, &NIGHTLY.replace("name: nightly", "name: Archive")]).await
}

async fn names(place: &Place, query: &str) -> Vec<String> {
    let list = place.get(&format!("/api/v1/pipelines?{query}")).await.is(200).json();
    list["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_row_of_the_list_says_all() {
    let place = place().await;
    let list = place.get("/api/v1/pipelines?search=SOLD").await.is(200).json();
    let item = &list["items"][0];
    assert_eq!(
        (&item["name"], &item["owner"], &item["description"]),
        (&json!("orders"), &json!("anna"), &json!("What was sold"))
    );
    let ends = json!([{ "from": { "connection": "here", "connector": "files" }, "to": { "connection": "warehouse", "connector": "sqlite" } }]);
    assert_eq!(item["flows"], ends);
    let schedule = &item["schedules"][0];
    assert_eq!(
        (&schedule["kind"], &schedule["fires"], &schedule["active"]),
        (&json!("time"), &json!("0 6 * * * UTC"), &json!(true))
    );
    assert_eq!(schedule["next_at"], item["next_at"]);
    assert_eq!(
        (&item["last"], &item["recent"], &item["success_rate"], &item["may"]),
        (&Value::Null, &json!([]), &Value::Null, &json!("admin"))
    );
    // a second look is answered from what the first one read
    place.post("/api/v1/pipelines/orders/runs", json!({})).await.is(201);
    place.post("/api/v1/runs/1/cancel", json!({})).await.is(200);
    let list = place.get("/api/v1/pipelines?last=cancelled").await.is(200).json();
    let item = &list["items"][0];
    assert_eq!(
        (&item["last"]["run"], &item["recent"][0]["state"], &item["success_rate"]),
        (&json!(1), &json!("cancelled"), &json!(0.0))
    );
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn pipelines_are_found_sorted_and_paged() {
    let place = place().await;
    assert_eq!(names(&place, "").await, ["Archive", "nightly", "orders"]);
    assert_eq!(names(&place, "sort=-name").await, ["orders", "nightly", "Archive"]);
    assert_eq!(names(&place, "tag=money").await, ["Archive", "nightly"]);
    assert_eq!(names(&place, "owner=anna").await, ["orders"]);
    assert_eq!(names(&place, "owner=ann").await, [""; 0]);
    place.post("/api/v1/pipelines/nightly/pause", json!({})).await.is(204);
    assert_eq!(names(&place, "state=paused").await, ["nightly"]);
    assert_eq!(names(&place, "state=active").await, ["Archive", "orders"]);
    assert_eq!(names(&place, "sort=next_fire").await[0], "orders");
    for name in ["nightly", "orders"] {
        place.post(&format!("/api/v1/pipelines/{name}/runs"), json!({})).await.is(201);
    }
    assert_eq!(names(&place, "sort=-last_run").await, ["orders", "nightly", "Archive"]);
    for sort in ["last_run", "-last_run", "name", "-next_fire"] {
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let page = place.get(&format!("/api/v1/pipelines?sort={sort}&limit=1{after}")).await.is(200).json();
            seen.push(page["items"][0]["name"].as_str().unwrap().to_owned());
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        assert_eq!(seen, names(&place, &format!("sort={sort}")).await, "{sort}");
        assert_eq!(seen.len(), 3);
    }
    place.get("/api/v1/pipelines?sort=size").await.is(400);
    place.get("/api/v1/pipelines?sort=last_run&after=nonsense").await.is(400);
    place.get("/api/v1/pipelines?state=asleep").await.is(400);
}

/// What somebody may is told of each pipeline, as its tags have it.
#[tokio::test]
async fn the_list_says_what_the_caller_may() {
    let place = place().await;
    let grants = json!([{ "tag": "money", "role": "operator" }]);
    let new = json!({ "name": "vera", "password": "correct horse battery", "role": "viewer", "grants": grants });
    place.post("/api/v1/users", new).await.is(201);
    let body = json!({ "name": "vera", "password": "correct horse battery" });
    let session = place.send_as(&Who::Nobody, "POST", "/api/v1/session", &[], body).await.is(200);
    let cookie = session.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let list = place.send_as(&Who::Session(cookie), "GET", "/api/v1/pipelines", &[], Value::Null).await.is(200).json();
    let may: Vec<&Value> = list["items"].as_array().unwrap().iter().map(|item| &item["may"]).collect();
    assert_eq!(may, [&json!("operator"), &json!("operator"), &json!("viewer")]);
}

#[tokio::test]
async fn the_first_page_tells_what_matters() {
    let place = place().await;
    let (store, now) = (&place.app.store, SystemClock.now());
    let worker = NewWorker {
        name: "w".to_owned(),
        host: "h".to_owned(),
        process: "1".to_owned(),
        labels: Vec::new(),
        slots: 4,
        own: false,
    };
    let worker = store.sign_on(worker, now).await.unwrap();
    let exchange = async |updates: Vec<Update>, want: usize| {
        let exchange = Exchange { worker, updates, want, labels: Vec::new(), own: false, now: SystemClock.now() };
        store.exchange(exchange).await.unwrap().claims
    };
    for _ in 0..2 {
        place.post("/api/v1/pipelines/orders/runs", json!({})).await.is(201);
    }
    let claims = exchange(Vec::new(), 2).await;
    let end =
        |place: usize, event| Update::new(claims[place].task_run, claims[place].epoch, vec![Event::Started, event]);
    let volume = Volume { rows: 5, bytes: 500 };
    let good = Update { volume, datasets: vec!["warehouse.orders".to_owned()], ..end(0, Event::Finished) };
    let error = Some(json!({ "code": "data", "message": "no such column `at`\nat all" }).to_string());
    let bad = Update { error, ..end(1, Event::Errored { retry: false }) };
    exchange(vec![good, bad], 0).await;
    place.post("/api/v1/pipelines/nightly/runs", json!({})).await.is(201);
    exchange(Vec::new(), 1).await;
    let seen = place.get("/api/v1/overview").await.is(200).json();
    assert_eq!(seen["pipelines"], json!({ "total": 3, "paused": 0 }));
    assert_eq!(seen["runs"], json!({ "running": 1, "queued": 0, "succeeded": 1, "failed": 1, "cancelled": 0 }));
    let running = &seen["running"][0];
    assert_eq!(
        (&running["pipeline"], &running["tasks"], &running["ended"], &running["progress"]),
        (&json!("nightly"), &json!(2), &json!(0), &Value::Null)
    );
    let failure = &seen["failures"][0];
    assert_eq!(
        (&failure["error"], &failure["code"], &failure["recovered"]),
        (&json!("no such column `at`"), &json!("data"), &json!(false))
    );
    assert_eq!((&seen["upcoming"][0]["pipeline"], seen["upcoming"].as_array().unwrap().len()), (&json!("orders"), 1));
    let last = seen["hours"].as_array().unwrap().last().unwrap();
    let before = &seen["hours"][seen["hours"].as_array().unwrap().len() - 2];
    // the hour may have changed meanwhile
    let hour = if last["rows"] == 5 { last } else { before };
    assert_eq!((&hour["rows"], &hour["bytes"], &hour["succeeded"]), (&json!(5), &json!(500), &json!(1)));
    assert_eq!(
        (&seen["datasets"][0]["name"], &seen["datasets"][0]["pipeline"]),
        (&json!("warehouse.orders"), &json!("orders"))
    );
    let capacity = &seen["capacity"];
    assert_eq!((&capacity["workers"], &capacity["slots"], &capacity["held"]), (&json!(1), &json!(4), &json!(1)));
    // measured by somebody else's turn, and told from then on
    let mut measured = capacity.clone();
    while measured["store_bytes"].is_null() {
        tokio::task::yield_now().await;
        measured = place.get("/api/v1/overview").await.is(200).json()["capacity"].clone();
    }
    assert!(measured["store_bytes"].as_u64().unwrap() > 10_000 && measured["data_bytes"].as_u64().unwrap() > 10_000);
}

#[tokio::test]
async fn runs_are_found_by_time_and_text() {
    let place = Place::with_project().await;
    for _ in 0..3 {
        place.post("/api/v1/pipelines/nightly/runs", json!({})).await.is(201);
    }
    let ids = async |query: &str| -> Vec<i64> {
        let list = place.get(&format!("/api/v1/runs?{query}")).await.is(200).json();
        list["items"].as_array().unwrap().iter().map(|run| run["id"].as_i64().unwrap()).collect()
    };
    assert_eq!(ids("sort=created").await, [1, 2, 3]);
    assert_eq!(ids("sort=created&after=1&limit=1").await, [2]);
    assert_eq!(ids("search=NIGHT").await, [3, 2, 1]);
    assert_eq!(ids("search=%232").await, [2]);
    assert_eq!(ids("search=weekly").await, [0_i64; 0]);
    assert_eq!(ids("until=2026-01-01").await, [0_i64; 0]);
    let second = place.get("/api/v1/runs/2").await.is(200).json()["created_at"].as_str().unwrap().to_owned();
    assert_eq!(ids(&format!("until={second}")).await, [1]);
    assert_eq!(ids(&format!("since={second}")).await, [3, 2]);
    place.get("/api/v1/runs?sort=size").await.is(400);
}

/// Streams that were never loaded are told as well, also where the destination cannot be asked.
#[tokio::test]
async fn streams_tell_how_they_are_loaded() {
    let place = place().await;
    let list = place.get("/api/v1/pipelines/orders/streams").await.is(200).json();
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), 2, "{list}");
    assert_eq!((&items[0]["stream"], &items[0]["read"]), (&json!("*"), &json!("full")));
    let orders = &items[1];
    assert_eq!(
        (&orders["stream"], &orders["read"], &orders["write"], &orders["cursor"]),
        (&json!("orders"), &json!("incremental"), &json!("append"), &json!("at"))
    );
    assert_eq!(
        (&orders["from"], &orders["to"], &orders["load"], &orders["committed_at"]),
        (&json!("here"), &json!("warehouse"), &Value::Null, &Value::Null)
    );
    place.get("/api/v1/pipelines/orders/streams?task=nothing").await.is(404);
    place.get("/api/v1/pipelines/nothing/streams").await.is(404);
}
