//! What others tell of their runs, by the official client and by hand: it becomes part of the catalogue, in whatever order and
//! however often it comes, and nothing else does.

use std::process::{Command, Output};

use levada_core::access::Role;
use serde_json::{Value, json};

use crate::harness::{Place, Who};
use crate::roles::user;
use crate::strangers::served;

const RUN: &str = "018bcfe5-6800-7000-8000-00000000000a";
const PROJECT: &str = "version: 1\nname: shop\nconnections: { dw: 'sqlite://dw.db' }\nlineage:\n  datasets:\n    dw: { namespace: 'postgres://db.example.com:5432', prefix: shop. }\n";

async fn house() -> Place {
    Place::with_documents(PROJECT, &[]).await
}

async fn get(place: &Place, path: &str) -> Value {
    place.get(&format!("/api/v1/{path}")).await.is(200).json()
}

async fn told(place: &Place, event: Value) {
    place.post("/api/v1/lineage", event).await.is(204);
}

/// What the official client says after it told of a run, in the order asked for.
fn client(address: &str, token: &Who, run: &str, order: &str) -> Output {
    let python =
        std::env::var("LEVADA_TEST_OPENLINEAGE").expect("set LEVADA_TEST_OPENLINEAGE (scripts/services does it)");
    let Who::Token(token) = token else { panic!("a token") };
    let url = format!("http://{address}");
    Command::new(python)
        .args(["-c", include_str!("send_events.py"), &url, token, run, order])
        .env("no_proxy", "*")
        .output()
        .unwrap()
}

/// A run of the job `etl/copy`: what happened when, and what it read and wrote.
fn event(kind: &str, time: &str, run: &str, inputs: &[&str], outputs: &[&str]) -> Value {
    let dataset = |name: &&str| json!({ "namespace": "s3://lake", "name": name });
    json!({
        "eventType": kind,
        "eventTime": time,
        "producer": "https://example.com",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": { "runId": run },
        "job": { "namespace": "etl", "name": "copy" },
        "inputs": inputs.iter().map(dataset).collect::<Vec<_>>(),
        "outputs": outputs.iter().map(dataset).collect::<Vec<_>>(),
    })
}

/// The catalogue: names, columns, versions of columns, and what was made from what.
async fn catalogue(place: &Place) -> Value {
    let mut all = Vec::new();
    for item in get(place, "datasets?limit=1000").await["items"].as_array().unwrap() {
        let path = item["name"].as_str().unwrap().replace('/', "%2F");
        let one = get(place, &format!("datasets/{path}")).await;
        let lineage = get(place, &format!("datasets/{path}/lineage?columns=true")).await;
        all.push(json!([item["name"], item["connection"], item["is_external"], one["schema"], lineage["edges"]]));
    }
    all.into()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_client_tells_of_a_run() {
    let place = house().await;
    let address = served(&place).await;
    let (_, editor) = user(&place, "ada", Role::Editor, json!([])).await;
    let done = client(&address, &editor, RUN, "start,complete");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let names: Vec<Value> =
        get(&place, "datasets").await["items"].as_array().unwrap().iter().map(|item| item["name"].clone()).collect();
    // a dataset of a connection of the project has its name here
    assert_eq!(names, ["bigquery/dw.sales", "dw.people", "s3://lake/days"]);
    let sales = get(&place, "datasets/bigquery%2Fdw.sales").await;
    assert_eq!(
        (&sales["connection"], &sales["is_external"], &sales["updates"]),
        (&json!("bigquery"), &json!(true), &json!(0))
    );
    let columns: Vec<String> = sales["schema"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| format!("{} {}", column["name"], column["type"]))
        .collect();
    assert_eq!(columns, ["\"day\" \"DATE\"", "\"sales\" \"DECIMAL\""]);
    let graph = get(&place, "datasets/bigquery%2Fdw.sales/lineage?columns=true").await;
    assert_eq!(graph["edges"].as_array().unwrap().len(), 1, "{graph}");
    let edge = &graph["edges"][0];
    assert_eq!(
        (&edge["from"], &edge["pipeline"], &edge["task"]),
        (&json!("dw.people"), &json!("nightly"), &json!("sales"))
    );
    assert_eq!((&edge["run"], &edge["is_external"], &edge["external_run"]), (&Value::Null, &json!(true), &json!(RUN)));
    assert_eq!(edge["columns"], json!([{ "from": "age", "to": "sales", "how": "computed" }]));
    assert_eq!(edge["at"], "2026-11-20T03:05:00.123456Z");
    let of_space = get(&place, "datasets?connection=bigquery").await;
    assert_eq!(of_space["items"].as_array().unwrap().len(), 1);
    let versions = get(&place, "datasets/bigquery%2Fdw.sales/schemas").await;
    assert_eq!((versions["items"].as_array().unwrap().len(), &versions["items"][0]["run"]), (1, &Value::Null));
    // the same in another order, twice, and with a failure in between
    let first = catalogue(&place).await;
    let done = client(&address, &editor, RUN, "complete,start,fail,start,complete");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(catalogue(&place).await, first);
    let other = house().await;
    let (_, other_editor) = user(&other, "ada", Role::Editor, json!([])).await;
    assert!(client(&served(&other).await, &other_editor, RUN, "complete,start").status.success());
    assert_eq!(catalogue(&other).await, first);
    // who may not tell changes nothing
    let (_, operator) = user(&place, "otto", Role::Operator, json!([])).await;
    let refused = client(&address, &operator, "018bcfe5-6800-7000-8000-00000000000b", "start");
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("403"));
    assert_eq!(catalogue(&place).await, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_add_up_in_any_order() {
    const OTHER: &str = "018bcfe5-6800-7000-8000-00000000000c";
    let with_columns = |mut event: Value, kind: &str| {
        event["outputs"][0]["facets"] = json!({ "schema": { "fields": [{ "name": "id", "type": kind }] } });
        event
    };
    let events = [
        event("START", "2026-11-20T03:00:00Z", RUN, &["a", "b"], &[]),
        with_columns(event("RUNNING", "2026-11-20T03:01:00Z", RUN, &[], &["x"]), "INT"),
        event("COMPLETE", "2026-11-20T03:02:00Z", RUN, &["c"], &["y"]),
        with_columns(event("COMPLETE", "2026-11-20T04:00:00Z", OTHER, &["a"], &["x"]), "BIGINT"),
    ];
    let mut expected = None;
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 3, 0, 1], [1, 3, 2, 0]] {
        let place = house().await;
        for index in order {
            told(&place, events[index].clone()).await;
            told(&place, events[index].clone()).await;
        }
        let found = catalogue(&place).await;
        let x = found.as_array().unwrap().iter().find(|one| one[0] == "s3://lake/x").unwrap();
        assert_eq!(x[3][0]["type"], "BIGINT", "{order:?}: what was told last, by the clock of the sender");
        let last = get(&place, "datasets/s3:%2F%2Flake%2Fx/lineage").await;
        let from_a = last["edges"].as_array().unwrap().iter().find(|edge| edge["from"] == "s3://lake/a").unwrap();
        assert_eq!(from_a["external_run"], OTHER);
        assert_eq!(last["edges"].as_array().unwrap().len(), 3);
        assert_eq!(expected.get_or_insert_with(|| found.clone()), &found, "{order:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_and_datasets_are_told_of_without_a_run() {
    let place = house().await;
    let fields = json!([{ "name": "id", "type": "INT", "fields": [] }]);
    let facets = json!({ "schema": { "fields": fields, "_producer": "x" }, "ownership": { "owners": [] } });
    let dataset = json!({ "namespace": "s3://lake", "name": "a", "facets": facets });
    told(&place, json!({ "eventTime": "2026-11-20T03:00:00Z", "producer": "x", "schemaURL": "x", "dataset": dataset }))
        .await;
    let mut job = event("COMPLETE", "2026-11-20T03:00:00Z", RUN, &["a"], &["b"]);
    for key in ["run", "eventType"] {
        job.as_object_mut().unwrap().remove(key);
    }
    // another name of a table of a connection here
    let names = json!({ "identifiers": [{ "namespace": "postgres://db.example.com:5432", "name": "shop.people", "type": "TABLE" }] });
    job["inputs"][0]["facets"] = json!({ "symlinks": names });
    told(&place, job.clone()).await;
    let graph = get(&place, "datasets/s3:%2F%2Flake%2Fb/lineage").await;
    assert_eq!(graph["edges"][0]["from"], "dw.people");
    assert_eq!((&graph["edges"][0]["is_external"], &graph["edges"][0]["external_run"]), (&json!(true), &Value::Null));
    assert_eq!(get(&place, "datasets/s3:%2F%2Flake%2Fa").await["schema"][0]["name"], "id");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_event_changes_nothing() {
    let place = house().await;
    let good = event("COMPLETE", "2026-11-20T03:00:00Z", RUN, &["a"], &["b"]);
    let with = |path: &str, value: Value| {
        let mut event = good.clone();
        *event.pointer_mut(path).unwrap() = value;
        event
    };
    let many: Vec<Value> = (0..2_001).map(|n| json!({ "namespace": "s3", "name": n.to_string() })).collect();
    let some = |count: usize| many[..count].to_vec();
    let mut wide = with("/inputs", some(1_000).into());
    wide["outputs"] = some(11).into();
    let cases = [
        (json!({}), "missing field `eventTime`"),
        (with("/eventTime", "soon".into()), "`eventTime` is no instant"),
        (with("/eventTime", "2199-01-01T00:00:00Z".into()), "set the clock of the sender"),
        (with("/eventType", "DONE".into()), "`eventType` cannot be `DONE`. Valid: START"),
        (with("/run/runId", "7".into()), "`run.runId` is no UUID"),
        (with("/job", Value::Null), "it is about a run with its `job`"),
        (with("/job/name", "".into()), "1 to 500 bytes"),
        (with("/inputs/0/name", "a\u{0}b".into()), "no control characters"),
        (with("/inputs/0/namespace", "x".repeat(501).into()), "1 to 500 bytes"),
        (with("/inputs/0", json!({ "name": "a" })), "missing field `namespace`"),
        (with("/inputs", many.clone().into()), "more than 2000 datasets"),
        (wide, "more than is kept of one"),
        (with("/inputs", "a".into()), "invalid type"),
    ];
    for (event, expected) in cases {
        let reply = place.post("/api/v1/lineage", event).await;
        let text = reply.text();
        assert!(matches!(reply.status.as_u16(), 400 | 422) && text.contains(expected), "{expected}: {text}");
    }
    assert_eq!(get(&place, "datasets").await["items"], json!([]));
    let large = with("/job/name", "x".repeat(2 << 20).into());
    place.post("/api/v1/lineage", large).await.is(413);
    // deep nesting is refused by the parser, and the server answers on
    let deep = format!("{{\"eventTime\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let request = axum::http::Request::post("/api/v1/lineage").header("content-type", "application/json");
    place.ask(&Who::Local, request.body(deep.into()).unwrap()).await.is(400);
    told(&place, good).await;
    assert_eq!(get(&place, "datasets").await["items"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_that_a_run_saw_are_not_changed_by_others() {
    let place = Place::new().await;
    let path = place.data().join("dw.db");
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch("CREATE TABLE people (id INTEGER PRIMARY KEY); CREATE TABLE t (id INTEGER)")
        .unwrap();
    let project = PROJECT.replace("'sqlite://dw.db'", &format!("{{ type: sqlite, path: {path:?} }}"));
    let load = "version: 1\nname: load\nsync: { from: dw, to: dw, streams: { people: { rename: copied } } }\n";
    place.apply_all(&project, &[load]).await;
    let stop = crate::harness::work(&place).await;
    let dataset = |kind: &str| {
        let facets = json!({ "schema": { "fields": [{ "name": "name", "type": kind }] } });
        let dataset = json!({ "namespace": "postgres://db.example.com:5432", "name": "shop.people", "facets": facets });
        json!({ "eventTime": "2026-11-20T03:00:00Z", "dataset": dataset })
    };
    told(&place, dataset("TEXT")).await;
    assert_eq!(get(&place, "datasets/dw.people").await["schema"][0]["name"], "name");
    let run = place.post("/api/v1/pipelines/load/runs", json!({})).await.is(201).json()["id"].clone();
    while get(&place, &format!("runs/{run}")).await["ended_at"].is_null() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    stop.cancel();
    told(&place, dataset("VARCHAR")).await;
    let people = get(&place, "datasets/dw.people").await;
    assert_eq!((&people["schema"][0]["name"], &people["is_external"]), (&json!("id"), &json!(false)), "{people}");
}
