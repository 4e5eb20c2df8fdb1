//! Pipelines over the API: documents as they were written, changed only by those who know what they change.

use serde_json::{Value, json};

use crate::harness::{NIGHTLY, PROJECT, Place};

const PIPELINE: &str = "/api/v1/pipelines/nightly";

#[tokio::test]
async fn documents_come_back_as_they_were_written() {
    let place = Place::with_project().await;
    let reply = place.get(PIPELINE).await.is(200);
    assert_eq!(reply.headers["etag"], "\"v1\"");
    assert_eq!(reply.json()["text"], NIGHTLY);
    let documents = place.get("/api/v1/project").await.is(200).json();
    assert_eq!(documents["documents"][0]["text"], PROJECT);
    let list = place.get("/api/v1/pipelines").await.is(200).json();
    assert_eq!((&list["items"][0]["name"], &list["items"][0]["tags"]), (&json!("nightly"), &json!(["money"])));
    let graph = place.get("/api/v1/pipelines/nightly/graph").await.is(200).json();
    assert!(graph.to_string().contains("second"), "{graph}");
}

#[tokio::test]
async fn a_change_names_what_it_changes() {
    let place = Place::with_project().await;
    let text = NIGHTLY.replace("2026-01-01", "2026-05-05");
    let body = json!({ "text": text });
    place.put(PIPELINE, body.clone()).await.is(428);
    place.send("PUT", PIPELINE, &[("if-match", "\"v7\"")], body.clone()).await.is(412);
    place.send("PUT", PIPELINE, &[("if-match", "*")], body.clone()).await.is(412);
    let changed = place.send("PUT", PIPELINE, &[("if-match", "\"v1\"")], body.clone()).await.is(200);
    assert_eq!((&changed.json()["change"], &changed.headers["etag"].to_str().unwrap()), (&json!("changed"), &"\"v2\""));
    place.send("PUT", PIPELINE, &[("if-match", "\"v1\"")], body).await.is(412);
    let versions = place.get("/api/v1/pipelines/nightly/versions").await.is(200).json();
    assert_eq!(versions["items"].as_array().unwrap().len(), 2);
    let first = place.get("/api/v1/pipelines/nightly/versions/1").await.is(200).json();
    assert_eq!(first["text"], NIGHTLY);
    place.get("/api/v1/pipelines/nightly/versions/3").await.is(404);
}

#[tokio::test]
async fn mistakes_are_told_and_change_nothing() {
    let place = Place::with_project().await;
    let wrong = NIGHTLY.replace("after: [first]", "after: [frist]");
    let reply = place.send("PUT", PIPELINE, &[("if-match", "\"v1\"")], json!({ "text": wrong })).await.is(422).json();
    assert_eq!(reply["kind"], "config");
    assert!(reply["errors"][0]["advice"].as_str().unwrap().contains("first"), "{reply}");
    assert!(reply["errors"][0]["place"][0].as_str().unwrap().starts_with("pipelines/0.yaml:"), "{reply}");
    let renamed = NIGHTLY.replace("name: nightly", "name: weekly");
    place.send("PUT", PIPELINE, &[("if-match", "\"v1\"")], json!({ "text": renamed })).await.is(422);
    assert_eq!(place.get(PIPELINE).await.is(200).json()["version"], 1);
    place.post("/api/v1/pipelines/nightly/validate", json!({ "text": wrong })).await.is(422);
    place.post("/api/v1/pipelines/nightly/validate", json!({ "text": NIGHTLY })).await.is(204);
    let diff = place.post("/api/v1/pipelines/nightly/diff", json!({ "text": wrong })).await.is(200).json();
    assert!(diff["diff"].as_str().unwrap().contains("+    after: [frist]"), "{diff}");
}

#[tokio::test]
async fn a_pipeline_comes_and_goes() {
    let place = Place::with_project().await;
    let text = NIGHTLY.replace("name: nightly", "name: weekly");
    let made = place.put("/api/v1/pipelines/weekly", json!({ "text": text })).await.is(200).json();
    assert_eq!((&made["change"], &made["version"]), (&json!("created"), &json!(1)));
    assert_eq!(place.get("/api/v1/pipelines/weekly").await.is(200).json()["path"], "pipelines/weekly.yaml");
    place.post("/api/v1/pipelines/weekly/pause", json!({})).await.is(204);
    let list = place.get("/api/v1/pipelines").await.is(200).json();
    assert_eq!((&list["items"][1]["name"], &list["items"][1]["paused"]), (&json!("weekly"), &json!(true)));
    place.send("DELETE", "/api/v1/pipelines/weekly", &[], json!({})).await.is(428);
    place.send("DELETE", "/api/v1/pipelines/weekly", &[("if-match", "\"v1\"")], json!({})).await.is(204);
    place.get("/api/v1/pipelines/weekly").await.is(404);
    place.post("/api/v1/pipelines/weekly/runs", json!({})).await.is(404);
}

/// Whoever changes all documents at once can say which ones they have seen.
#[tokio::test]
async fn a_project_is_not_changed_behind_anybodys_back() {
    let place = Place::with_project().await;
    let documents = async || {
        let reply = place.get("/api/v1/project").await.is(200);
        (reply.headers["etag"].to_str().unwrap().to_owned(), reply.json())
    };
    let apply = async |documents: &Value, tag: &str| {
        let documents = documents["documents"].as_array().unwrap().iter();
        let documents: Vec<Value> = documents.map(|one| json!({ "path": one["path"], "text": one["text"] })).collect();
        place.send("PUT", "/api/v1/project", &[("if-match", tag)], json!({ "documents": documents })).await
    };
    let (seen, mut mine) = documents().await;
    apply(&mine, "\"v1\"").await.is(412);
    apply(&mine, &seen).await.is(200);
    assert_eq!(documents().await.0, seen, "nothing has changed");
    mine["documents"][1]["text"] = NIGHTLY.replace("2026-01-01", "2026-02-02").into();
    apply(&mine, &seen).await.is(200);
    let (now, theirs) = documents().await;
    assert_ne!(now, seen);
    mine["documents"][1]["text"] = NIGHTLY.into();
    apply(&mine, &seen).await.is(412);
    assert_eq!(documents().await, (now, theirs));
}
