//! What is seen of runs that really moved something: plans before them, positions, quarantines and files after them, and the
//! house in which they ran.

use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::harness::{Place, work};

const LOAD: &str = "version: 1
name: load
tags: [money]
sync:
  from: in
  to: dw
  streams:
    people.csv: { on_bad_row: quarantine, columns: { cast: { age: int32 } } }
";
const WORK: &str = "version: 1
name: work
tasks:
  leave:
    command:
      script: |
        mkdir -p $LEVADA_RUN_DIR/deep
        printf 'a,b' > $LEVADA_RUN_DIR/deep/out.csv
        printf '<script>' > $LEVADA_RUN_DIR/page.html
        ln -s /etc/passwd $LEVADA_RUN_DIR/link
        echo draft > $LEVADA_RUN_DIR/deep/scratch
      artifacts: ['*.html', deep/*.csv]
";
const SLOW: &str = "version: 1
name: slow
tasks:
  hold: { pool: heavy, command: { argv: [sleep, '60'] } }
";

/// A server with a worker.
struct House {
    place: Place,
    stop: CancellationToken,
}

impl Drop for House {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl House {
    async fn new() -> Self {
        let place = Place::new().await;
        let input = place.data().join("in");
        std::fs::create_dir(&input).unwrap();
        std::fs::write(input.join("people.csv"), "id,age\n1,30\n2,old\n3,31\n4,older\n").unwrap();
        let project = format!(
            "version: 1\nname: shop\nconnections:\n  in: {{ type: files, root: {:?}, settle_ms: 0 }}\n  dw: {{ type: sqlite, path: {:?} }}\npools:\n  heavy: 2\n  idle: 1\nretention: {{ runs: 2d, keep: 7 }}\n",
            input,
            place.data().join("dw.db")
        );
        place.apply_all(&project, &[LOAD, WORK, SLOW]).await;
        let stop = work(&place).await;
        Self { place, stop }
    }

    async fn get(&self, path: &str) -> Value {
        self.place.get(&format!("/api/v1/{path}")).await.is(200).json()
    }

    async fn start(&self, pipeline: &str) -> i64 {
        let made = self.place.post(&format!("/api/v1/pipelines/{pipeline}/runs"), json!({})).await.is(201).json();
        made["id"].as_i64().unwrap()
    }

    /// Starts a run, and waits for its end.
    async fn run(&self, pipeline: &str) -> i64 {
        let run = self.start(pipeline).await;
        for _ in 0..1_000 {
            let state = self.get(&format!("runs/{run}")).await["state"].clone();
            if state == "succeeded" {
                return run;
            }
            assert!(state == "queued" || state == "running", "{}", self.get(&format!("runs/{run}/tasks")).await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the run {run} does not end");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_is_planned_remembered_and_forgotten() {
    let house = House::new().await;
    let plan = house.place.post("/api/v1/pipelines/load/plan", json!({})).await.is(200).json();
    assert_eq!((&plan["streams"][0]["stream"], &plan["streams"][0]["exists"]), (&json!("people.csv"), &json!(false)));
    assert_eq!(plan["streams"][0]["exactly_once"], true, "{plan}");
    let work = house.place.post("/api/v1/pipelines/work/plan", json!({})).await.is(200).json();
    assert_eq!((&work["streams"], &work["tasks"][0]["kind"]), (&json!([]), &json!("command")));
    house.place.post("/api/v1/pipelines/load/plan", json!({ "tasks": ["snyc"] })).await.is(400);
    house.place.post("/api/v1/pipelines/none/plan", json!({})).await.is(404);
    let unsaved = LOAD.replace("people.csv", "none.csv").replace("name: load", "name: none");
    house.place.post("/api/v1/pipelines/none/plan", json!({ "text": unsaved })).await.is(404);
    assert_eq!(house.get("pipelines/load/positions").await["items"], json!([]));
    house.run("load").await;
    let positions = house.get("pipelines/load/positions").await;
    let position = &positions["items"][0];
    assert_eq!((&position["task"], &position["stream"]), (&json!("sync"), &json!("people.csv")));
    assert_eq!((&position["rows_written"], &position["rows_rejected"]), (&json!(2), &json!(2)));
    assert_eq!(position["connection"], "dw");
    let path = "/api/v1/pipelines/load/positions/reset";
    house.place.post(path, json!({ "task": "sync", "stream": "poeple.csv" })).await.is(404);
    house.place.post(path, json!({ "task": "none", "stream": "people.csv" })).await.is(404);
    house.place.post(path, json!({ "task": "sync", "stream": "people.csv" })).await.is(204);
    assert_eq!(house.get("pipelines/load/positions").await["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_rows_are_read_back_from_the_destination() {
    let house = House::new().await;
    let (first, second) = (house.run("load").await, house.run("load").await);
    let streams = house.get(&format!("runs/{first}/quarantine")).await;
    assert_eq!(streams["items"].as_array().unwrap().len(), 1);
    assert_eq!((&streams["items"][0]["task"], &streams["items"][0]["stream"]), (&json!("sync"), &json!("people.csv")));
    let path = format!("runs/{first}/quarantine/rows?task=sync&stream=people.csv");
    let rows = house.get(&path).await;
    assert_eq!(rows["items"].as_array().unwrap().len(), 2, "{rows}");
    assert_eq!(
        (&rows["items"][0]["row"], &rows["items"][0]["column"]),
        (&json!({ "id": "2", "age": "old" }), &json!("age"))
    );
    assert!(rows["items"][0]["reason"].as_str().unwrap().contains("old"), "{rows}");
    let page = house.get(&format!("{path}&limit=1")).await;
    let rest = house.get(&format!("{path}&limit=1&after={}", page["next"].as_str().unwrap())).await;
    assert_eq!(rest["items"][0], rows["items"][1]);
    let other = house.get(&format!("runs/{second}/quarantine")).await;
    assert_ne!(other["items"][0]["load"], streams["items"][0]["load"]);
    let none = house.get(&format!("runs/{first}/quarantine/rows?task=sync&stream=none.csv")).await;
    assert_eq!(none["items"], json!([]));
    house.place.get("/api/v1/runs/99/quarantine").await.is(404);
    house.place.get(&format!("/api/v1/runs/{first}/quarantine/rows?task=none&stream=x")).await.is(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_rows_are_loaded_again() {
    let house = House::new().await;
    let first = house.run("load").await;
    let target = house.get("pipelines/load/positions").await["items"][0]["target"].as_str().unwrap().to_owned();
    let dw = rusqlite::Connection::open(house.place.data().join("dw.db")).unwrap();
    let trigger = format!("BEFORE INSERT ON \"{target}\" WHEN NEW.age > 100 BEGIN SELECT RAISE(ABORT, 'too old'); END");
    dw.execute_batch(&format!("CREATE TRIGGER young {trigger}")).unwrap();
    std::fs::write(house.place.data().join("in/people.csv"), "id,age\n1,30\n2,old\n5,200\n").unwrap();
    let second = house.run("load").await;
    let replay = async |run: i64, stream: &str| {
        let body = json!({ "task": "sync", "stream": stream });
        house.place.post(&format!("/api/v1/runs/{run}/quarantine/replay"), body).await
    };
    let left = async || {
        let rows = house.get(&format!("runs/{second}/quarantine/rows?task=sync&stream=people.csv")).await;
        rows["items"].as_array().unwrap().iter().map(|row| row["row"]["age"].clone()).collect::<Vec<_>>()
    };
    let ages = || -> Vec<i64> {
        let mut found = dw.prepare(&format!("SELECT age FROM \"{target}\" ORDER BY age")).unwrap();
        found.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let counts =
        |read: u64, written: u64, rejected: u64| json!({ "read": read, "written": written, "rejected": rejected });
    assert_eq!(left().await, ["old", "200"]);
    assert_eq!(replay(second, "people.csv").await.is(200).json(), counts(2, 0, 2));
    assert_eq!((left().await, ages()), (vec![json!("old"), json!("200")], vec![30]));
    dw.execute_batch("DROP TRIGGER young").unwrap();
    assert_eq!(replay(second, "people.csv").await.is(200).json(), counts(2, 1, 1));
    assert_eq!((left().await, ages()), (vec![json!("old")], vec![30, 200]));
    assert_eq!(replay(second, "people.csv").await.is(200).json(), counts(1, 0, 1));
    assert_eq!(ages(), [30, 200]);
    // the rows of the first run would come beside those of the second
    let refused = replay(first, "people.csv").await;
    assert!(refused.status.is_client_error() && refused.text().contains("loaded anew"), "{}", refused.text());
    replay(second, "none.csv").await.is(404);
    replay(99, "people.csv").await.is(404);
    assert_eq!(ages(), [30, 200]);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_a_run_are_taken_away_and_no_others() {
    let house = House::new().await;
    let run = house.run("work").await;
    let list = house.get(&format!("runs/{run}/artifacts")).await;
    let paths: Vec<&str> =
        list["items"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["leave/deep/out.csv", "leave/page.html"]);
    assert_eq!(list["items"][0]["bytes"], 3);
    let sum = "1eb7c54d52831bbfe8942af0b1c56b7409523a59ed6ca99c1174fef7eb32c1b5";
    assert_eq!(list["items"][0]["sha256"], sum);
    let download =
        async |path: &str| house.place.get(&format!("/api/v1/runs/{run}/artifacts/download?path={path}")).await;
    let reply = download("leave/page.html").await.is(200);
    assert_eq!(
        (reply.text().as_str(), &reply.headers["content-type"]),
        ("<script>", &"application/octet-stream".parse().unwrap())
    );
    assert!(reply.headers["content-disposition"].to_str().unwrap().starts_with("attachment"));
    assert_eq!(download("leave%2Fdeep%2Fout.csv").await.is(200).text(), "a,b");
    for path in [
        "leave/link",
        "leave/deep/scratch",
        "../../levada.db",
        "..%2F..%2Flevada.db",
        "leave/../../../levada.db",
        "/etc/passwd",
        "%2Fetc%2Fpasswd",
        "leave",
        "",
        ".",
        "leave/deep/",
        "leave/./page.html/..",
        "leave/none",
        "leave%00",
        "..%5C..%5Clevada.db",
    ] {
        download(path).await.is(404);
    }
    house.place.get(&format!("/api/v1/runs/{run}/artifacts/download")).await.is(400);
    house.place.get("/api/v1/runs/99/artifacts").await.is(404);
    let page = house.get(&format!("runs/{run}/artifacts?limit=1")).await;
    assert_eq!(page["next"], "leave/deep/out.csv");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_house_tells_of_its_workers_pools_and_last_runs() {
    let house = House::new().await;
    let (done, held) = (house.run("work").await, house.start("slow").await);
    let mut pools = house.get("pools").await;
    for _ in 0..500 {
        if pools["items"][0]["used"] == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        pools = house.get("pools").await;
    }
    let [heavy, idle] = [&pools["items"][0], &pools["items"][1]];
    assert_eq!((&heavy["name"], &heavy["slots"], &heavy["used"]), (&json!("heavy"), &json!(2), &json!(1)));
    let holder = &heavy["holders"][0];
    assert_eq!((&holder["run"], &holder["pipeline"], &holder["task"]), (&json!(held), &json!("slow"), &json!("hold")));
    assert_eq!((&idle["used"], &idle["holders"]), (&json!(0), &json!([])));
    let workers = house.get("workers").await;
    let worker = &workers["items"][0];
    assert_eq!((&worker["name"], &worker["slots"], &worker["held"]), (&json!("tester"), &json!(4), &json!(1)));
    assert_eq!(worker["labels"], json!(["here"]));
    let recent = house.get("recent-runs").await;
    let of = |name: &str| {
        let items = recent["items"].as_array().unwrap();
        items.iter().find(|item| item["pipeline"] == name).unwrap().clone()
    };
    assert_eq!((&of("work")["success_rate"], &of("work")["runs"][0]["id"]), (&json!(1.0), &json!(done)));
    assert_eq!((&of("load")["success_rate"], &of("load")["runs"]), (&Value::Null, &json!([])));
    assert_eq!(of("slow")["runs"][0]["state"], "running");
    let page = house.get("recent-runs?limit=1&runs=1").await;
    assert_eq!((&page["items"][0]["pipeline"], &page["next"]), (&json!("load"), &json!("load")));
    assert_eq!(house.get("recent-runs?limit=5&after=load").await["items"][0]["pipeline"], "slow");
    assert_eq!(house.get("recent-runs?pipeline=work").await["items"].as_array().unwrap().len(), 1);
    house.place.get("/api/v1/recent-runs?runs=0").await.is(400);
    house.place.post(&format!("/api/v1/runs/{held}/cancel"), json!({})).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn things_are_found_by_their_names() {
    let house = House::new().await;
    let run = house.start("work").await;
    let found = house.get(&format!("search?q=%23{run}")).await;
    assert_eq!((&found["items"][0]["kind"], &found["items"][0]["name"]), (&json!("run"), &json!("work")));
    let found = house.get("search?q=MONEY").await;
    assert_eq!((&found["items"][0]["kind"], &found["items"][0]["detail"]), (&json!("pipeline"), &json!("money")));
    let found = house.get("search?q=sqlite").await;
    assert_eq!((&found["items"][0]["kind"], &found["items"][0]["name"]), (&json!("connection"), &json!("dw")));
    assert_eq!(house.get("search?q=nothing%20of%20that").await["items"], json!([]));
    house.place.get("/api/v1/search?q=").await.is(400);
    house.place.get("/api/v1/search").await.is(400);
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_go_in_and_settings_come_out() {
    let house = House::new().await;
    house.place.put("/api/v1/secrets/token", json!({ "value": "canary-1" })).await.is(204);
    house.place.put("/api/v1/secrets/token", json!({ "value": "canary-2" })).await.is(204);
    house.place.put("/api/v1/secrets/other", json!({ "value": "canary-3" })).await.is(204);
    house.place.put("/api/v1/secrets/bad", json!({ "value": 5 })).await.is(400);
    house.place.put("/api/v1/secrets/b%7Dad", json!({ "value": "x" })).await.is(400);
    let list = house.place.get("/api/v1/secrets").await.is(200);
    assert!(!list.text().contains("canary"));
    let names: Vec<Value> = list.json()["items"].as_array().unwrap().iter().map(|item| item["name"].clone()).collect();
    assert_eq!(names, ["other", "token"]);
    assert_eq!((house.place.app.secrets)("token".to_owned()).await.unwrap().as_deref(), Some("canary-2"));
    house.place.send("DELETE", "/api/v1/secrets/token", &[], json!({})).await.is(204);
    house.place.send("DELETE", "/api/v1/secrets/token", &[], json!({})).await.is(404);
    let settings = house.get("settings").await;
    assert_eq!((&settings["project"], &settings["store"]["database"]), (&json!("shop"), &json!("sqlite")));
    assert_eq!((&settings["retention"]["runs_s"], &settings["retention"]["runs_max"]), (&json!(172_800), &json!(7)));
    assert_eq!((&settings["limits"]["body_bytes_max"], &settings["commands"]), (&json!(1 << 20), &json!(true)));
}
