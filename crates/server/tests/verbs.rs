//! What the verbs of the command line need: operations for it, and the client that calls them.

use levada_server::client::Client;
use levada_server::client::events::{Events, Heard};
use levada_server::live::listener::Topic;
use levada_server::routes::runs::Run;
use levada_store::{KEY_FILE, KeySource};
use serde_json::{Value, json};

use crate::harness::{NIGHTLY, Place, Who};

#[tokio::test]
async fn a_document_is_checked_by_itself() {
    let place = Place::with_project().await;
    place.put("/api/v1/secrets/kind", json!({ "value": "c4n4ry" })).await.is(204);
    let ask = async |path: &str, text: &str| {
        place.post("/api/v1/validate", json!({ "path": path, "text": text, "params": {} })).await
    };
    let load = "version: 1\nsync: { from: here, to: there, streams: { a.csv: {}, b.csv: {} } }\nconnections: { there: ./x.db }\n";
    let facts = ask("mine/load.yaml", load).await.is(200).json();
    assert_eq!(facts, json!({ "pipeline": "load", "tasks": 1, "streams": 2, "connections": 1 }));
    let own = ask("levada.yaml", "version: 1\nconnections: { a: ./a, b: ./b }\n").await.is(200).json();
    assert_eq!(own, json!({ "pipeline": null, "tasks": 0, "streams": 0, "connections": 2 }));
    let wrong = ask("mine/load.yaml", &load.replace("from: here", "from: hre")).await.is(422).json();
    assert_eq!(wrong["errors"][0]["place"][0], "mine/load.yaml:2:15");
    assert_eq!((&wrong["errors"][0]["kind"], &wrong["kind"]), (&json!("config"), &json!("config")));
    let leaky = load.replace("./x.db", "{ type: '${secret:kind}' }");
    let told = ask("mine/load.yaml", &leaky).await.text();
    assert!(!told.contains("c4n4ry"), "{told}");
}

#[tokio::test]
async fn only_a_project_may_be_large() {
    let place = Place::new().await;
    let text = format!("{NIGHTLY}# {}\n", "long ".repeat(400_000));
    place.apply(&[&text]).await;
    let headers = [("if-match", "\"v1\"")];
    let put = place.send("PUT", "/api/v1/pipelines/nightly", &headers, json!({ "text": text })).await;
    put.is(413);
}

#[tokio::test]
async fn a_master_key_in_a_file_is_changed_and_one_that_is_given_is_not_needed() {
    let place = Place::with_project().await;
    place.put("/api/v1/secrets/pw", json!({ "value": "v" })).await.is(204);
    let key = || std::fs::read(place.data().join(KEY_FILE)).unwrap();
    let before = key();
    assert_eq!(place.get("/api/v1/settings").await.is(200).json()["master_key"], "file");
    place.post("/api/v1/master-key", json!({ "key": "x" })).await.is(400);
    place.post("/api/v1/master-key", json!({})).await.is(204);
    assert_ne!(before, key());
    let secrets = place.app.store.unlock(&KeySource::find(place.data()).unwrap()).await.unwrap();
    assert_eq!(secrets.get("pw").await.unwrap().unwrap().expose(), "v");
}

#[tokio::test]
async fn tokens_of_others_are_made_where_the_store_is_and_nowhere_else() {
    let place = Place::with_project().await;
    for (name, role) in [("anna", "admin"), ("olga", "viewer")] {
        let user = json!({ "name": name, "role": role, "password": "correct horse battery" });
        place.post("/api/v1/users", user).await.is(201);
    }
    let token = json!({ "name": "t", "role": "admin", "user": "olga" });
    let made = place.post("/api/v1/tokens", token.clone()).await.is(201).json();
    let olga = Who::Token(made["text"].as_str().unwrap().to_owned());
    let me = place.send_as(&olga, "GET", "/api/v1/session", &[], Value::Null).await.is(200).json();
    assert_eq!((&me["name"], &me["role"]), (&json!("olga"), &json!("viewer")));
    place.post("/api/v1/tokens", json!({ "name": "u", "role": "admin" })).await.is(400);
    let sign_in = json!({ "name": "anna", "password": "correct horse battery" });
    let session = place.send_as(&Who::Nobody, "POST", "/api/v1/session", &[], sign_in).await.is(200);
    let cookie = session.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    place.send_as(&Who::Session(cookie), "POST", "/api/v1/tokens", &[], token).await.is(403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_calls_operations_by_their_names() {
    let place = Place::with_project().await;
    let client = Client::here(place.app.clone(), "tester");
    let run: Run = client.call("startRun", json!({ "pipeline": "nightly", "params": {} })).await.unwrap();
    let all: Vec<Run> = client.all("listRuns", json!({ "pipeline": "nightly", "state": null })).await.unwrap();
    assert_eq!(all.iter().map(|run| run.id).collect::<Vec<_>>(), [run.id]);

    let topics = [Topic::Run(run.id.0)];
    let mut events = Events::new(&client);
    assert!(matches!(events.next(&topics).await.unwrap(), Heard::Began));
    client.call::<Value>("cancelRun", json!({ "run": run.id })).await.unwrap();
    assert!(matches!(events.next(&topics).await.unwrap(), Heard::Changed));

    let odd = client.call::<()>("pausePipeline", json!({ "pipeline": "a/../b c?d#e" })).await.unwrap_err();
    assert!(odd[0].message().contains("there is no pipeline `a/../b c?d#e`"), "{odd:?}");
    for odd in ["..", ".", ""] {
        assert!(client.call::<()>("pausePipeline", json!({ "pipeline": odd })).await.is_err(), "{odd}");
    }
    let wrong = client.call::<Value>("listRuns", json!({ "limit": 0 })).await.unwrap_err();
    assert_eq!(wrong[0].to_string(), "`limit` is between 1 and 1000.");
    assert!(client.call::<Value>("listRuns", json!({ "nothing": 1 })).await.is_err());
    let lines = place.get("/api/v1/audit").await.is(200).json();
    assert_eq!(lines["items"][0]["actor"], "local:tester");
}
