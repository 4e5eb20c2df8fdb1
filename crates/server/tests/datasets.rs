//! The catalogue as it is asked: what a real load makes known, what people write about it, and who may.

use std::time::Duration;

use levada_core::access::Role;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::harness::{Place, Reply, Who, work};
use crate::roles::user;

const LOAD: &str = "version: 1
name: load
sync:
  from: in
  to: dw
  streams:
    people.csv:
      rename: people
      on_bad_row: quarantine
      columns: { rename: { mail: email }, hash: [card], exclude: [notes], cast: { age: int32 } }
";
const ON: &str = "version: 1
name: on
sync: { from: dw, to: mart, streams: { people: { rename: persons } } }
";
const HALF: &str = "version: 1
name: half
sync:
  from: in
  to: dw
  streams:
    people.csv: { rename: again }
    bad.csv: { on_bad_row: fail, columns: { cast: { n: int32 } } }
";
const GOOD: &str = "version: 1
name: good
tasks:
  load:
    sync: { from: in, to: dw, streams: { people.csv: { rename: people } } }
  test:
    after: [load]
    check:
      dataset: dw.people
      tests: [{ not_null: id }, { range: { column: id, min: 2 } }, { unique: [id, mail], severity: warn }]
";
const PEOPLE: &str = "/api/v1/datasets/dw.people";

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
        let rows = "id,mail,age,card,notes\n1,a@example.org,30,4000,x\n2,b@example.org,old,4001,y\n3,c@example.org,31,4002,z\n";
        std::fs::write(input.join("people.csv"), rows).unwrap();
        std::fs::write(input.join("bad.csv"), "n\n1\nx\n").unwrap();
        let project = format!(
            "version: 1\nname: shop\nconnections:\n  in: {{ type: files, root: {:?}, settle_ms: 0 }}\n  \
             dw: {{ type: sqlite, path: {:?} }}\n  mart: {{ type: sqlite, path: {:?} }}\n",
            input,
            place.data().join("dw.db"),
            place.data().join("mart.db")
        );
        place.apply_all(&project, &[LOAD, ON, HALF, GOOD]).await;
        let stop = work(&place).await;
        Self { place, stop }
    }

    async fn get(&self, path: &str) -> Value {
        self.place.get(&format!("/api/v1/{path}")).await.is(200).json()
    }

    /// Starts a run, and waits for its end.
    async fn run(&self, pipeline: &str) -> (i64, String) {
        let made = self.place.post(&format!("/api/v1/pipelines/{pipeline}/runs"), json!({})).await.is(201).json();
        let run = made["id"].as_i64().unwrap();
        for _ in 0..1_000 {
            let found = self.get(&format!("runs/{run}")).await;
            if !found["ended_at"].is_null() {
                return (run, found["state"].as_str().unwrap().to_owned());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the run {run} does not end");
    }

    async fn edit(&self, change: Value) -> Reply {
        let tag = self.place.get(PEOPLE).await.is(200).headers["etag"].to_str().unwrap().to_owned();
        self.place.send("PATCH", PEOPLE, &[("if-match", &tag)], change).await
    }

    async fn names(&self, query: &str) -> Vec<String> {
        let list = self.get(&format!("datasets?{query}")).await;
        list["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    }
}

fn column<'a>(dataset: &'a Value, name: &str) -> &'a Value {
    dataset["schema"].as_array().unwrap().iter().find(|column| column["name"] == name).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_tells_where_every_column_came_from() {
    let house = House::new().await;
    assert_eq!(house.get("datasets").await["items"], json!([]));
    let (first, state) = house.run("load").await;
    assert_eq!(state, "succeeded");
    assert_eq!(house.names("").await, ["dw.people", "in.people.csv"]);
    let people = house.get("datasets/dw.people").await;
    assert_eq!((&people["connection"], &people["columns"], &people["updates"]), (&json!("dw"), &json!(4), &json!(1)));
    assert_eq!((&people["rows_estimate"], &people["schema_version"]), (&json!(2), &json!(1)));
    let last = &people["last"];
    assert_eq!((&last["run"], &last["pipeline"], &last["task"]), (&json!(first), &json!("load"), &json!("sync")));
    assert_eq!((&last["figures"]["read"], &last["figures"]["written"]), (&json!(3), &json!(2)));
    assert_eq!((&last["figures"]["rejected"], &last["sources"]), (&json!(1), &json!(["in.people.csv"])));
    assert_eq!((&people["upstream"][0]["dataset"], &people["downstream"]), (&json!("in.people.csv"), &json!([])));
    assert_eq!(column(&people, "age")["type"], "int32", "{people}");
    // what was only read was never loaded; its own columns are those of the file
    let source = house.get("datasets/in.people.csv").await;
    assert_eq!((&source["updated_at"], &source["last"], &source["columns"]), (&Value::Null, &Value::Null, &json!(5)));
    let graph = house.get("datasets/dw.people/lineage?columns=true").await;
    let edge = &graph["edges"][0];
    assert_eq!((&edge["from"], &edge["to"]), (&json!("in.people.csv"), &json!("dw.people")));
    let columns: Vec<String> = edge["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| format!("{}>{}:{}", one["from"], one["to"], one["how"]).replace('"', ""))
        .collect();
    let find = |text: &str| columns.iter().any(|column| column == text);
    assert!(find("mail>email:copied") && find("card>card:hashed") && find("age>age:cast"), "{columns:?}");
    assert!(columns.len() == 4 && !columns.iter().any(|column| column.contains("notes")), "{columns:?}");

    // one step on, and one column all the way
    house.run("on").await;
    let graph = house.get("datasets/in.people.csv/lineage").await;
    let names: Vec<&Value> = graph["nodes"].as_array().unwrap().iter().map(|node| &node["name"]).collect();
    assert_eq!(names, ["dw.people", "in.people.csv", "mart.persons"]);
    assert_eq!((&graph["edges"][0]["columns"], &graph["cut"]), (&Value::Null, &json!(false)));
    let way = house.get("datasets/mart.persons/lineage?column=email").await;
    let edges = way["edges"].as_array().unwrap();
    assert_eq!(edges.len(), 2, "{way}");
    assert!(edges.iter().all(|edge| edge["columns"].as_array().unwrap().len() == 1));
    assert!(edges.iter().any(|edge| edge["columns"][0]["from"] == "mail"));
    // one that goes nowhere leads nowhere
    let way = house.get("datasets/in.people.csv/lineage?column=notes").await;
    assert_eq!((&way["edges"], way["nodes"].as_array().unwrap().len()), (&json!([]), 1));
    let near = house.get("datasets/in.people.csv/lineage?downstream=1&upstream=0").await;
    assert_eq!(near["nodes"].as_array().unwrap().len(), 2);
    let told = house.place.get("/api/v1/datasets/dw.people/lineage?column=emial").await.is(404).text();
    assert!(told.contains("Did you mean `email`?"), "{told}");
    house.place.get("/api/v1/datasets/dw.people/lineage?upstream=21").await.is(400);
    // read as a source, it has the same columns as it had when it was written
    assert_eq!(house.get("datasets/dw.people").await["schema_version"], 1);
    assert_eq!(house.get(&format!("runs/{first}/datasets")).await["items"][0]["dataset"], "dw.people");
    house.place.get("/api/v1/runs/999/datasets").await.is(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_and_loads_have_a_history() {
    let house = House::new().await;
    let (first, _) = house.run("load").await;
    house.run("load").await;
    let text = LOAD.replace("exclude: [notes], ", "");
    let tag = house.place.get("/api/v1/pipelines/load").await.headers["etag"].to_str().unwrap().to_owned();
    house.place.send("PUT", "/api/v1/pipelines/load", &[("if-match", &tag)], json!({ "text": text })).await.is(200);
    let (third, _) = house.run("load").await;
    let all = house.get("datasets/dw.people/schemas").await;
    let versions: Vec<(&Value, &Value, usize)> = all["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (&one["version"], &one["run"], one["columns"].as_array().unwrap().len()))
        .collect();
    assert_eq!(versions, [(&json!(2), &json!(third), 5), (&json!(1), &json!(first), 4)]);
    let page = house.get("datasets/dw.people/schemas?limit=1").await;
    assert_eq!((&page["items"][0]["version"], &page["next"]), (&json!(2), &json!("2")));
    let page = house.get("datasets/dw.people/schemas?limit=1&after=2").await;
    assert_eq!((&page["items"][0]["version"], &page["next"]), (&json!(1), &Value::Null));
    let (mut numbers, mut after) = (Vec::new(), String::new());
    loop {
        let page = house.get(&format!("datasets/dw.people/loads?limit=1{after}")).await;
        numbers.push(page["items"][0]["number"].as_i64().unwrap());
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(numbers, [3, 2, 1]);
    for part in ["schemas", "loads", "lineage"] {
        house.place.get(&format!("/api/v1/datasets/dw.nothing/{part}")).await.is(404);
    }
    house.place.get("/api/v1/datasets/dw.people/loads?after=x").await.is(400);
}

/// Of a task that fails, what it loaded before is known as well: it is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_fails_tells_what_it_loaded() {
    let house = House::new().await;
    let (run, state) = house.run("half").await;
    assert_eq!(state, "failed");
    let names = house.names("connection=dw").await;
    assert_eq!(names, ["dw.again"], "{}", house.get(&format!("runs/{run}/tasks")).await);
    assert_eq!(house.get("datasets/dw.again").await["last"]["run"], run);
}

/// Failing rows are data: who may only look at runs does not see them.
#[tokio::test(flavor = "multi_thread")]
async fn what_tests_found_is_told_of_the_run_and_of_the_dataset() {
    let house = House::new().await;
    let (first, state) = house.run("good").await;
    assert_eq!(state, "failed");
    let (second, _) = house.run("good").await;
    let told = |found: Value| -> Vec<String> {
        let items = found["items"].as_array().unwrap().iter();
        items
            .map(|one| format!("{} {} {} {}", one["run"], one["test"], one["verdict"], one["failed"]).replace('"', ""))
            .collect()
    };
    let of = |run: i64| {
        [
            format!("{run} not_null_id passed 0"),
            format!("{run} range_id failed 1"),
            format!("{run} unique_id_mail passed 0"),
        ]
    };
    let of_run = house.get(&format!("runs/{first}/tests")).await;
    let one = of_run["items"][1].clone();
    assert_eq!((&one["dataset"], &one["rule"], &one["rows"]), (&json!("dw.people"), &json!("range"), &json!(3)));
    assert_eq!((&one["pipeline"], &one["task"], &one["kept"]), (&json!("good"), &json!("test"), &json!(1)));
    assert!(!of_run.to_string().contains("example.org"), "{of_run}");
    assert_eq!(told(of_run), of(first));
    let all = told(house.get("datasets/dw.people/tests").await);
    assert_eq!(all, [of(second), of(first)].concat());
    assert_eq!(told(house.get("datasets/dw.people/tests?latest=true").await), of(second));
    assert_eq!(
        told(house.get("datasets/dw.people/tests?test=range_id").await),
        [&of(second)[1], &of(first)[1]].map(String::clone)
    );
    for path in ["datasets/dw.people/tests".to_owned(), format!("runs/{first}/tests")] {
        let (mut found, mut after) = (Vec::new(), String::new());
        loop {
            let page = house.get(&format!("{path}?limit=2{after}")).await;
            let next = page["next"].as_str().map(|next| format!("&after={next}"));
            found.extend(told(page));
            let Some(next) = next else { break };
            after = next;
        }
        assert_eq!(found.len(), if path.starts_with("runs") { 3 } else { 6 }, "{path}: {found:?}");
    }
    let rows =
        |task_run: &Value, test: &str| format!("/api/v1/runs/{first}/tests/rows?task_run={task_run}&test={test}");
    let failing = house.place.get(&rows(&one["task_run"], "range_id")).await.is(200).json();
    assert_eq!(failing["items"].as_array().unwrap().len(), 1);
    assert_eq!(failing["items"][0]["row"]["id"], "1", "{failing}");
    house.place.get(&rows(&one["task_run"], "gone")).await.is(404);
    house.place.get(&rows(&json!(999), "range_id")).await.is(404);
    for path in ["datasets/dw.nothing/tests", "runs/999/tests", "runs/999/tests/rows?task_run=1&test=x"] {
        house.place.get(&format!("/api/v1/{path}")).await.is(404);
    }
    house.place.get("/api/v1/datasets/dw.people/tests?after=x").await.is(400);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_write_is_kept_and_found() {
    let house = House::new().await;
    house.run("load").await;
    house.run("on").await;
    let change = json!({
        "owner": "anna", "description": "Who buys", "tags": ["sales", "daily", "sales"],
        "columns": { "email": { "description": "Where to write to", "tags": ["pii"] } },
    });
    house.place.send("PATCH", PEOPLE, &[], change.clone()).await.is(428);
    let reply = house.edit(change.clone()).await.is(200);
    assert_eq!(reply.headers["etag"], "\"v1\"");
    let told = reply.json();
    assert_eq!((&told["owner"], &told["tags"]), (&json!("anna"), &json!(["daily", "sales"])));
    let email = column(&told, "email");
    assert_eq!((&email["description"], &email["tags"]), (&json!("Where to write to"), &json!(["pii"])));
    house.place.send("PATCH", PEOPLE, &[("if-match", "\"v0\"")], change).await.is(412);
    // what is asked again is not older than the change, and a run takes nothing of it away
    house.run("load").await;
    let told = house.get("datasets/dw.people").await;
    assert_eq!((&told["description"], &told["updates"]), (&json!("Who buys"), &json!(2)));
    house.edit(json!({ "owner": "" })).await.is(200);
    let told = house.get("datasets/dw.people").await;
    assert_eq!((&told["owner"], &told["description"]), (&Value::Null, &json!("Who buys")));

    assert_eq!(house.names("search=EMAIL").await, ["dw.people", "mart.persons"]);
    assert_eq!(house.get("datasets?search=EMAIL").await["items"][0]["found"], json!(["email"]));
    assert_eq!(house.names("search=write%20to").await, ["dw.people"]);
    assert_eq!(house.names("tag=pii").await, ["dw.people"]);
    assert_eq!(house.names("tag=pi").await, [""; 0]);
    assert_eq!(house.names("connection=mart").await, ["mart.persons"]);
    assert_eq!(house.names("sort=-name").await, ["mart.persons", "in.people.csv", "dw.people"]);
    // what was never loaded comes last, either way
    assert_eq!(house.names("sort=updated_at").await, ["mart.persons", "dw.people", "in.people.csv"]);
    assert_eq!(house.names("sort=-updated_at").await, ["dw.people", "mart.persons", "in.people.csv"]);
    for sort in ["name", "-name", "updated_at", "-updated_at", "rows", "-rows"] {
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let page = house.get(&format!("datasets?sort={sort}&limit=1{after}")).await;
            seen.push(page["items"][0]["name"].as_str().unwrap().to_owned());
            let Some(next) = page["next"].as_str() else { break };
            after = format!("&after={next}");
        }
        assert_eq!(seen, house.names(&format!("sort={sort}")).await, "{sort}");
    }
    house.place.get("/api/v1/datasets?sort=owner").await.is(400);
    let found = house.get("search?q=persons").await;
    assert_eq!((&found["items"][0]["kind"], &found["items"][0]["name"]), (&json!("dataset"), &json!("mart.persons")));

    for (wrong, status) in [
        (json!({ "tags": ["a\"b"] }), 400),
        (json!({ "tags": [""] }), 400),
        (json!({ "tags": [" a"] }), 400),
        (json!({ "tags": ["x".repeat(65)] }), 400),
        (json!({ "tags": (0..51).map(|number| number.to_string()).collect::<Vec<_>>() }), 400),
        (json!({ "owner": "x".repeat(201) }), 400),
        (json!({ "description": "a\0b" }), 400),
        (json!({ "columns": { "emial": { "tags": [] } } }), 404),
        (json!({ "columns": { "email": { "label": "x" } } }), 400),
        (json!({ "rows_estimate": 5 }), 400),
    ] {
        house.edit(wrong.clone()).await.is(status);
    }
    assert_eq!(house.place.get(PEOPLE).await.headers["etag"], "\"v2\"", "nothing of it was changed");
    house.place.send("PATCH", "/api/v1/datasets/dw.x", &[("if-match", "*")], json!({ "owner": "a" })).await.is(404);
    // it is written down who changed what
    let lines = house.get("audit?action=updateDataset").await;
    assert_eq!(lines["items"].as_array().unwrap().last().unwrap()["object"], "dataset=dw.people");
}

/// Everybody who is signed in sees the catalogue; a role on pipelines with a tag is none on datasets.
#[tokio::test(flavor = "multi_thread")]
async fn who_may_write_about_datasets() {
    let house = House::new().await;
    house.run("load").await;
    let (viewer, _) = user(&house.place, "vera", Role::Viewer, json!([{ "tag": "money", "role": "editor" }])).await;
    let (editor, _) = user(&house.place, "ed", Role::Editor, json!([])).await;
    let patch = async |who: &Who| {
        house.place.send_as(who, "PATCH", PEOPLE, &[("if-match", "*")], json!({ "owner": "x" })).await.status.as_u16()
    };
    house.place.send_as(&viewer, "GET", PEOPLE, &[], Value::Null).await.is(200);
    assert_eq!((patch(&viewer).await, patch(&editor).await, patch(&Who::Nobody).await), (403, 200, 401));
    house.place.send_as(&viewer, "DELETE", PEOPLE, &[("if-match", "*")], Value::Null).await.is(403);
    house.place.send_as(&editor, "DELETE", PEOPLE, &[], Value::Null).await.is(428);
    house.place.send_as(&editor, "DELETE", PEOPLE, &[("if-match", "\"v7\"")], Value::Null).await.is(412);
    house.place.send_as(&editor, "DELETE", PEOPLE, &[("if-match", "*")], Value::Null).await.is(204);
    house.place.get(PEOPLE).await.is(404);
    // the table itself is untouched, and the next load makes it known again
    house.run("on").await;
    assert_eq!(house.names("connection=dw").await, ["dw.people"]);
}

/// Names hold whatever streams are called.
#[tokio::test(flavor = "multi_thread")]
async fn odd_names_can_be_asked_for() {
    let house = House::new().await;
    let folder = house.place.data().join("in").join("a b");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("x?y%.csv"), "id\n1\n").unwrap();
    let text =
        "version: 1\nname: odd\nsync: { from: in, to: dw, streams: { 'a b/x?y%.csv': { rename: \"o'dd \\\"t\" } } }\n";
    house.place.put("/api/v1/pipelines/odd", json!({ "text": text })).await.is(200);
    assert_eq!(house.run("odd").await.1, "succeeded");
    for name in house.names("").await {
        let path: String = percent(&name);
        assert_eq!(house.get(&format!("datasets/{path}")).await["name"], json!(name));
        assert_eq!(house.get(&format!("datasets/{path}/lineage")).await["edges"].as_array().unwrap().len(), 1);
    }
    assert_eq!(house.names("").await.len(), 2);
    for path in ["%00", "a%00b", "%2E%2E", "x%0A"] {
        house.place.get(&format!("/api/v1/datasets/{path}")).await.is(404);
    }
    assert_eq!(house.names("search=%00").await, [""; 0]);
}

fn percent(name: &str) -> String {
    name.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
