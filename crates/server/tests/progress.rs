//! How far a sync is, while it is at work: from the engine's own figures to whoever looks at the run.

use std::sync::Arc;
use std::time::Duration;

use levada_engine::house::{Executor, Nobody, Surroundings, SystemClock, Worker, WorkerOptions};
use levada_server::live::listener::{Heard, Listener, Topic};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::harness::{Place, stored};

/// Each is a load of its own, so that all of them take far longer than the test looks at them.
const STREAMS: usize = 800;

async fn place() -> Place {
    let place = Place::new().await;
    let folder = place.data().to_path_buf();
    std::fs::create_dir_all(folder.join("in")).unwrap();
    for number in 0..STREAMS {
        std::fs::write(folder.join(format!("in/numbers{number}.csv")), "id,name\n1,one\n2,two\n").unwrap();
    }
    let project = format!("version: 1\nname: shop\nconnections:\n  in: {0}/in\n  out: {0}/out\n", folder.display());
    let streams: String = (0..STREAMS).map(|number| format!("    numbers{number}.csv: {{}}\n")).collect();
    let pipeline = format!("version: 1\nname: numbers\nsync:\n  from: in\n  to: out\n  streams:\n{streams}");
    place.apply_all(&project, &[&pipeline]).await;
    place
}

async fn worker(place: &Place) -> Worker {
    let (store, folder) = (place.app.store.clone(), place.data().to_path_buf());
    let executor = Executor::new(Surroundings {
        registry: levada_connectors::registry(),
        store: store.clone(),
        clock: Arc::new(SystemClock),
        env: Arc::new(|_| None),
        secrets: stored(store.clone(), folder.clone()),
        project_dir: folder.clone(),
        data_dir: folder,
        network: Arc::default(),
        commands: place.app.commands,
        own: false,
        observer: Arc::new(Nobody),
    });
    let (name, labels, drain) = ("one".to_owned(), Vec::new(), Duration::ZERO);
    let options = WorkerOptions { name, slots: 1, labels, own: false, drain };
    Worker::sign_on(store, Arc::new(SystemClock), Arc::new(executor), options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_tells_how_far_it_is() {
    let place = place().await;
    place.post("/api/v1/pipelines/numbers/runs", json!({})).await.is(201);
    let mut listeners = Vec::new();
    for topic in ["run:1", "progress", "run:2"] {
        let mut listener = Listener::new(&place.app, None).await.unwrap();
        assert!(listener.add(Topic::parse(topic)));
        listeners.push(listener);
    }
    let stop = CancellationToken::new();
    let work = tokio::spawn(worker(&place).await.work(CancellationToken::new(), stop.clone()));
    for listener in &mut listeners[..2] {
        let heard = async {
            loop {
                let Heard::Message(id, text) = listener.next().await.unwrap() else { panic!("it was too slow") };
                let message: Value = serde_json::from_str(&text).unwrap();
                // before its streams are planned there is nothing to tell of them
                if message["kind"] == "progress" && message["progress"]["streams_total"] != 0 {
                    // nothing to go on after: whoever comes back hears the next
                    assert_eq!(id, None);
                    return message;
                }
            }
        };
        let message = tokio::time::timeout(Duration::from_secs(60), heard).await.expect("no progress was told");
        let stream = message["progress"]["streams"][0]["stream"].as_str().unwrap();
        assert!(message["run"] == 1 && message["task"] == "sync" && stream.starts_with("numbers"), "{message}");
    }
    let tasks = place.get("/api/v1/runs/1/tasks").await.is(200).json();
    let progress = &tasks["items"][0]["progress"];
    assert!(
        progress["rows_read"].as_u64().unwrap() > 0 && progress["rows_per_second"].as_u64().unwrap() > 0,
        "{tasks}"
    );
    assert!(["read", "transform", "write"].contains(&progress["bound"].as_str().unwrap()));
    let (total, listed) = (progress["streams_total"].as_u64().unwrap(), progress["streams"].as_array().unwrap().len());
    assert!(total > 0 && listed as u64 == total.min(100), "{progress}");
    let overview = place.get("/api/v1/overview").await.is(200).json();
    assert!(overview["running"][0]["progress"]["bytes_read"].as_u64().unwrap() > 0, "{overview}");
    place.post("/api/v1/runs/1/cancel", json!({})).await.is(200);
    let ended = async {
        while place.get("/api/v1/runs/1").await.is(200).json()["state"] == "running" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), ended).await.expect("the run does not end");
    let tasks = place.get("/api/v1/runs/1/tasks").await.is(200).json();
    assert_eq!(tasks["items"][0]["progress"], Value::Null);
    assert!(place.app.store.progress(None).await.unwrap().is_empty());
    stop.cancel();
    work.await.unwrap();
}
