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

/// `*` asks for any version, a list for one of several, and a weak tag for none.
#[tokio::test]
async fn a_condition_names_any_version_or_one_of_several() {
    let place = Place::with_project().await;
    let put = async |path: &str, tags: &str, day: u32| {
        let name = path.rsplit('/').next().unwrap();
        let text =
            NIGHTLY.replace("name: nightly", &format!("name: {name}")).replace("2026-01-01", &format!("2026-01-{day}"));
        place.send("PUT", path, &[("if-match", tags)], json!({ "text": text })).await
    };
    assert_eq!(put(PIPELINE, "*", 10).await.is(200).json()["version"], 2);
    assert_eq!(put(PIPELINE, "\"v1\", \"v2\"", 11).await.is(200).json()["version"], 3);
    put(PIPELINE, "\"v1\", \"v2\"", 12).await.is(412);
    put(PIPELINE, "W/\"v3\"", 12).await.is(412);
    put(PIPELINE, "\"v3,v4\"", 12).await.is(412);
    // nothing is there that could have any version
    put("/api/v1/pipelines/weekly", "*", 10).await.is(412);
    let connection = json!({ "connector": "files", "settings": { "root": "data" } });
    place.send("PUT", "/api/v1/connections/other", &[("if-match", "*")], connection.clone()).await.is(412);
    place.send("PUT", "/api/v1/connections/here", &[("if-match", "*")], connection).await.is(200);
    place.send("DELETE", PIPELINE, &[("if-match", "\"v2\"")], json!({})).await.is(412);
    place.send("DELETE", PIPELINE, &[("if-match", "\"v2\", \"v3\"")], json!({})).await.is(204);
    place.send("DELETE", PIPELINE, &[("if-match", "*")], json!({})).await.is(404);
    let user = json!({ "name": "vera", "password": "correct horse battery", "role": "viewer" });
    place.post("/api/v1/users", user).await.is(201);
    let change = json!({ "display_name": "Vera" });
    place.send("PATCH", "/api/v1/users/vera", &[("if-match", "\"v8\", \"v9\"")], change.clone()).await.is(412);
    place.send("PATCH", "/api/v1/users/vera", &[("if-match", "*")], change).await.is(200);
    place.send("DELETE", "/api/v1/users/vera", &[("if-match", "*")], json!({})).await.is(204);
    let documents = json!({ "documents": [{ "path": "levada.yaml", "text": "version: 1\n" }] });
    place.send("PUT", "/api/v1/project", &[("if-match", "*")], documents.clone()).await.is(200);
    Place::new().await.send("PUT", "/api/v1/project", &[("if-match", "*")], documents).await.is(412);
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
