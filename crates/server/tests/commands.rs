//! A server that was started without commands: no document can undo that.

use serde_json::{Value, json};

use crate::harness::{NIGHTLY, PROJECT, Place, work};

const SHELL: &str = "version: 1\nname: shell\ntasks:\n  say:\n    command: { script: echo ran > told }\n";

#[tokio::test]
async fn commands_are_refused_where_documents_are_applied() {
    let place = Place::new().await.without_commands();
    let allowed = format!("{PROJECT}commands: enabled\n");
    place.apply_all(&allowed, &[NIGHTLY]).await;
    let shell = json!({ "text": SHELL });
    let document = json!({ "path": "levada.yaml", "text": allowed });
    let documents = json!([document, { "path": "pipelines/shell.yaml", "text": SHELL }]);
    for (method, path, body) in [
        ("PUT", "/api/v1/pipelines/shell", shell.clone()),
        ("POST", "/api/v1/pipelines/nightly/validate", shell),
        ("POST", "/api/v1/validate", json!({ "path": "pipelines/shell.yaml", "text": SHELL })),
        ("PUT", "/api/v1/project", json!({ "documents": documents })),
    ] {
        let told = place.send(method, path, &[], body).await.is(422).text();
        assert!(told.contains("commands are switched off here") && told.contains("--no-commands"), "{path}: {told}");
    }
    place.get("/api/v1/pipelines/shell").await.is(404);
    assert_eq!(place.get("/api/v1/settings").await.is(200).json()["commands"], false);
}

/// What was applied elsewhere, or before, is not run; and others can be changed and taken out beside it.
#[tokio::test(flavor = "multi_thread")]
async fn commands_that_were_applied_before_are_refused_when_they_run() {
    let before = Place::with_documents(PROJECT, &[NIGHTLY, SHELL, &SHELL.replace("shell", "other")]).await;
    let place = before.without_commands();
    let stop = work(&place).await;
    place.post("/api/v1/pipelines/shell/runs", json!({})).await.is(201);
    let error = loop {
        let tasks = place.get("/api/v1/runs/1/tasks").await.is(200).json();
        if tasks["items"][0]["ended_at"] != Value::Null {
            break tasks["items"][0]["error"].to_string();
        }
        tokio::task::yield_now().await;
    };
    assert!(error.contains("commands are switched off here"), "{error}");
    assert!(!place.data().join("told").exists());
    stop.cancel();
    let tag = place.get("/api/v1/pipelines/nightly").await.headers["etag"].to_str().unwrap().to_owned();
    let text = json!({ "text": NIGHTLY.replace("# a comment", "# another") });
    place.send("PUT", "/api/v1/pipelines/nightly", &[("if-match", &tag)], text).await.is(200);
    let tag = place.get("/api/v1/pipelines/shell").await.headers["etag"].to_str().unwrap().to_owned();
    place.send("DELETE", "/api/v1/pipelines/shell", &[("if-match", &tag)], Value::Null).await.is(204);
}
