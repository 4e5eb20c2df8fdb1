//! Others are told of runs: what is told, and that nothing of it is lost, whatever becomes of those who are told.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use levada_core::config::Commands;
use levada_core::run::RunState;
use levada_core::time::Clock;
use levada_engine::house::{Round, Telling};
use levada_store::Receiver;
use serde_json::Value;

use crate::house::House;
use crate::requests::{answer, server};

const TOKEN: &str = "t0ken-of-the-receiver";
const PIPELINE: &str = "version: 1\nname: p\ntasks:\n  load:\n    sync: { from: numbers, to: drop, streams: { n: \
                        { write: replace, columns: { hash: [who] } } } }\n  breaks:\n    after: [load]\n    command: { argv: [\"false\"] }\n";

fn http(address: SocketAddr) -> String {
    format!(
        "lineage:\n  namespace: acme\n  http: {{ url: \"http://{address}/api/v1/lineage\", token: \"${{secret:ol}}\", private: true }}\n  \
         datasets: {{ numbers: {{ namespace: \"sqlite://here\", prefix: main. }} }}\n"
    )
}

async fn house(more: &str) -> House {
    let house = House::saying(levada_connectors::registry(), Commands::Enabled, more).await;
    let numbers = rusqlite::Connection::open(house.folder.path().join("numbers.db")).unwrap();
    numbers
        .execute_batch(
            "CREATE TABLE n (id INTEGER PRIMARY KEY, who TEXT); INSERT INTO n VALUES (1, 'a'), (2, 'b'), (3, NULL)",
        )
        .unwrap();
    house
}

fn telling(house: &House) -> Telling {
    let secret = |name: String| -> futures_util::future::BoxFuture<'static, _> {
        Box::pin(std::future::ready(Ok((name == "ol").then(|| TOKEN.to_owned()))))
    };
    let data = house.folder.path().join("data");
    Telling::new(
        house.store.clone(),
        house.clock.clone(),
        (Arc::new(|_: &str| None), Arc::new(secret)),
        Arc::default(),
        data,
    )
}

/// Looks until there is nothing to be told at once.
async fn all(telling: &Telling) {
    while telling.round().await.unwrap() == Round::Again {}
}

async fn receiver(house: &House, name: &str) -> Receiver {
    house.store.receivers().await.unwrap().into_iter().find(|receiver| receiver.name == name).unwrap()
}

/// The bodies of requests.
fn bodies(requests: &Mutex<Vec<String>>) -> Vec<String> {
    let body = |request: &String| request.split_once("\r\n\r\n").unwrap().1.to_owned();
    requests.lock().unwrap().iter().map(body).collect()
}

/// What the official client reads in events: what happened, to which job, and how many datasets were read and written.
fn read_by_the_client(events: &[String]) -> Vec<String> {
    let python =
        std::env::var("LEVADA_TEST_OPENLINEAGE").expect("set LEVADA_TEST_OPENLINEAGE (scripts/services does it)");
    let mut client = Command::new(python)
        .args(["-c", include_str!("read_events.py")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    client.stdin.take().unwrap().write_all((events.join("\n") + "\n").as_bytes()).unwrap();
    let done = client.wait_with_output().unwrap();
    assert!(done.status.success());
    String::from_utf8(done.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_told_in_the_words_of_the_specification() {
    let (address, requests) = server(|_| answer("201 Created", "", "")).await;
    let house = house(&(http(address) + "  file: events.jsonl\n")).await;
    let telling = telling(&house);
    // what was before is nobody's business
    let before = house.start("p", house.apply("p", PIPELINE).await).await;
    house.ended(before).await;
    all(&telling).await;
    assert!(bodies(&requests).is_empty());
    let run = house.start("p", house.apply("p", PIPELINE).await).await;
    assert_eq!(house.ended(run).await.state, RunState::Failed);
    all(&telling).await;
    let told = bodies(&requests);
    let expected = [
        "START p 0 0",
        "START p.load 0 0",
        "COMPLETE p.load 1 1",
        "START p.breaks 0 0",
        "FAIL p.breaks 0 0",
        "FAIL p 0 0",
    ];
    assert_eq!(read_by_the_client(&told), expected);
    let file = std::fs::read_to_string(house.folder.path().join("data/lineage/events.jsonl")).unwrap();
    assert_eq!(file.lines().collect::<Vec<_>>(), told);
    let events: Vec<Value> = told.iter().map(|event| serde_json::from_str(event).unwrap()).collect();
    let load = &events[2];
    assert_eq!((&load["job"]["namespace"], &load["run"]["runId"]), (&"acme".into(), &events[1]["run"]["runId"]));
    assert_eq!(load["run"]["facets"]["parent"]["run"]["runId"], events[0]["run"]["runId"]);
    assert_eq!(
        (&load["inputs"][0]["namespace"], &load["inputs"][0]["name"]),
        (&"sqlite://here".into(), &"main.n".into())
    );
    assert_eq!(load["inputs"][0]["inputFacets"]["inputStatistics"]["rowCount"], 3);
    let output = &load["outputs"][0];
    assert_eq!(output["namespace"], "levada://acme/drop");
    assert_eq!(output["outputFacets"]["outputStatistics"]["rowCount"], 3);
    let columns = &output["facets"]["columnLineage"]["fields"];
    let from = &columns["who"]["inputFields"][0];
    assert_eq!((&from["field"], &from["transformations"][0]["masking"]), (&"who".into(), &true.into()));
    assert_eq!(columns["id"]["inputFields"][0]["transformations"][0]["masking"], false);
    let error = events[4]["run"]["facets"]["errorMessage"]["message"].as_str().unwrap();
    assert!(error.contains("status 1") || error.contains("code 1"), "{error}");
    let heads = requests.lock().unwrap().concat();
    assert_eq!(heads.matches(&format!("authorization: Bearer {TOKEN}\r\n")).count(), told.len());
    let (http, file) = (receiver(&house, "http").await, receiver(&house, "file").await);
    assert_eq!((http.sent, http.pending, http.pending_bytes, file.sent), (6, 0, 0, 6));
    // nothing twice, and nothing while nothing happens
    all(&telling).await;
    assert_eq!(bodies(&requests).len(), 6);
    assert!(!told.concat().contains(TOKEN) && !file_of_the_store(&house).contains(TOKEN));
}

fn file_of_the_store(house: &House) -> String {
    let bytes = std::fs::read(house.folder.path().join("store.db")).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_is_told_as_such() {
    let house = house("lineage: { file: events.jsonl }\n").await;
    let telling = telling(&house);
    all(&telling).await;
    let sleeps = "version: 1\nname: p\ntasks:\n  sleeps: { command: { argv: [sleep, \"60\"] } }\n  \
                  never: { after: [sleeps], command: { argv: [\"true\"] } }\n";
    let run = house.start("p", house.apply("p", sleeps).await).await;
    while house.store.run(run).await.unwrap().unwrap().state != RunState::Running {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    house.store.stop_run(run, house.clock.now()).await.unwrap();
    assert_eq!(house.ended(run).await.state, RunState::Cancelled);
    all(&telling).await;
    let told = std::fs::read_to_string(house.folder.path().join("data/lineage/events.jsonl")).unwrap();
    let told: Vec<String> = told.lines().map(str::to_owned).collect();
    let expected = ["START p 0 0", "START p.sleeps 0 0", "ABORT p.sleeps 0 0", "ABORT p 0 0"];
    assert_eq!(read_by_the_client(&told), expected);
    let namespace: Value = serde_json::from_str(&told[0]).unwrap();
    assert_eq!(namespace["job"]["namespace"], "levada");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_gone_holds_nothing_up_and_misses_nothing() {
    let is_up = Arc::new(AtomicBool::new(false));
    let up = is_up.clone();
    let reply = move |_: &str| match up.load(Relaxed) {
        true => answer("200 OK", "", ""),
        false => answer("503 Service Unavailable", "", TOKEN),
    };
    let (address, requests) = server(reply).await;
    let house = house(&http(address)).await;
    let first = telling(&house);
    all(&first).await;
    let document = house.apply("p", PIPELINE).await;
    for _ in 0..3 {
        let run = house.start("p", document).await;
        house.ended(run).await;
        all(&first).await;
    }
    let gone = receiver(&house, "http").await;
    assert_eq!((gone.pending, gone.sent, gone.failures), (18, 0, 1));
    assert_eq!(bodies(&requests).len(), 1, "it is tried again after a pause only");
    let why = gone.error.unwrap();
    assert!(why.contains("status 503") && !why.contains(TOKEN), "{why}");
    drop(first);
    // what happens while nobody looks is told as well
    let run = house.start("p", document).await;
    house.ended(run).await;
    let second = telling(&house);
    house.clock.pass(3);
    all(&second).await;
    let gone = receiver(&house, "http").await;
    assert_eq!((gone.pending, gone.failures), (24, 2));
    is_up.store(true, Relaxed);
    house.clock.pass(600);
    all(&second).await;
    let back = receiver(&house, "http").await;
    assert_eq!((back.pending, back.pending_bytes, back.sent, back.failures, back.error), (0, 0, 24, 0, None));
    let told = bodies(&requests);
    assert_eq!(told.len(), 2 + 24);
    assert_eq!(read_by_the_client(&told[2..])[..2], ["START p 0 0", "START p.load 0 0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_receiver_will_never_take_is_not_sent_for_ever() {
    let asked = Arc::new(AtomicU32::new(0));
    let count = asked.clone();
    let reply = move |_: &str| match count.fetch_add(1, Relaxed) {
        1 => answer("422 Unprocessable Entity", "", ""),
        _ => answer("200 OK", "", ""),
    };
    let (address, _requests) = server(reply).await;
    let mut house = house(&http(address)).await;
    let telling = telling(&house);
    all(&telling).await;
    let document = house.apply("p", PIPELINE).await;
    let run = house.start("p", document).await;
    house.ended(run).await;
    all(&telling).await;
    let told = receiver(&house, "http").await;
    assert_eq!((told.sent, told.dropped, told.pending, asked.load(Relaxed)), (5, 1, 0, 6));
    // who is told no more is forgotten, with what waits
    let run = house.start("p", document).await;
    house.ended(run).await;
    house.say("lineage: { file: e.jsonl }\n").await;
    all(&telling).await;
    let names: Vec<String> = house.store.receivers().await.unwrap().into_iter().map(|receiver| receiver.name).collect();
    assert_eq!((names, asked.load(Relaxed)), (vec!["file".to_owned()], 6));
    // an address that may not be asked is not asked
    house.say(&http(address).replace("private: true", "private: false")).await;
    all(&telling).await;
    let run = house.start("p", document).await;
    house.ended(run).await;
    all(&telling).await;
    let refused = receiver(&house, "http").await;
    assert!(refused.error.as_deref().is_some_and(|why| why.contains("private")), "{refused:?}");
    assert_eq!((refused.pending, asked.load(Relaxed)), (6, 6));
}
