//! Tasks that test datasets, over files and a database: what becomes of the task, what is kept of it, and what is left behind.

use std::time::{Duration, Instant};

use levada_core::config::Commands;
use levada_core::id::RunId;
use levada_core::quality::Verdict;
use levada_core::run::{RunState, State};
use levada_core::time::Clock;
use levada_engine::house::SystemClock;
use levada_store::{DatasetTest, TestFilter};
use serde_json::{Value, json};

use crate::house::House;
use crate::queries::{nothing_is_left, registry};

async fn house() -> House {
    let house = House::with(registry(), Commands::Enabled).await;
    house.tick();
    house
}

/// A pipeline whose task tests a dataset by these lines, and one after it that tells of it.
fn pipeline(dataset: &str, tests: &[&str]) -> String {
    let tests: String = tests.iter().map(|test| format!("        - {test}\n")).collect();
    format!(
        "version: 1\nname: p\ntasks:\n  good:\n    retry: {{ attempts: 2, initial: 10ms }}\n    check:\n      dataset: {dataset}\n      \
         tests:\n{tests}  told:\n    after: [good]\n    command: {{ script: \"echo ${{tasks.good.outputs.passed}} \
         ${{tasks.good.outputs.warned}} >> told\" }}\n"
    )
}

async fn run(house: &House, dataset: &str, tests: &[&str]) -> RunId {
    let run = house.start("p", house.apply("p", &pipeline(dataset, tests)).await).await;
    house.ended(run).await;
    nothing_is_left(house);
    run
}

async fn results(house: &House, run: RunId) -> Vec<DatasetTest> {
    house.store.tests_of_run(run, None, 100).await.unwrap()
}

/// Each test with its verdict and how many rows break it.
async fn verdicts(house: &House, run: RunId) -> Vec<(String, Verdict, u64)> {
    let results = results(house, run).await.into_iter();
    results.map(|found| (found.result.test, found.result.verdict, found.result.failed)).collect()
}

async fn error(house: &House, run: RunId) -> Value {
    let task_runs = house.store.task_runs(run).await.unwrap();
    let failed = task_runs.iter().find(|task_run| task_run.task == "good").unwrap();
    serde_json::from_str(failed.error.as_deref().unwrap_or("null")).unwrap()
}

fn people(house: &House) {
    house.sql(
        "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, town INT);
         INSERT INTO people VALUES (1, 'ann', 1), (2, 'bob', 2), (3, NULL, 9), (4, 'bob', NULL);
         CREATE TABLE exact (id DECIMAL(5,2)); INSERT INTO exact VALUES (1), (2), (9);
         CREATE TABLE towns (id INTEGER PRIMARY KEY); INSERT INTO towns VALUES (1), (2), (2000);",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_fails_warns_or_succeeds_as_its_tests_do() {
    let house = house().await;
    people(&house);
    let good =
        run(&house, "numbers.people", &["not_null: id", "unique: [name, town]", "row_count: { min: 4, max: 4 }"]).await;
    assert_eq!(house.ended(good).await.state, RunState::Succeeded, "{:?}", error(&house, good).await);
    let warns = ["not_null: name\n          severity: warn", "unique: id"];
    let warned = run(&house, "numbers.people", &warns).await;
    assert_eq!(house.ended(warned).await.state, RunState::Succeeded);
    assert_eq!(std::fs::read_to_string(house.folder.path().join("told")).unwrap(), "3 0\n1 1\n");
    let wanted = [("not_null_name".to_owned(), Verdict::Warned, 1), ("unique_id".to_owned(), Verdict::Passed, 0)];
    assert_eq!(verdicts(&house, warned).await, wanted);
    // what breaks a rule less often than it may is no failure
    let tests = ["not_null: name\n          allow: 25%", "unique: name\n          allow: 1", "not_null: town"];
    let failed = run(&house, "numbers.people", &tests).await;
    assert_eq!(house.ended(failed).await.state, RunState::Failed);
    let wanted = [
        ("not_null_name".to_owned(), Verdict::Passed, 1),
        ("not_null_town".to_owned(), Verdict::Failed, 1),
        ("unique_name".to_owned(), Verdict::Passed, 1),
    ];
    assert_eq!(verdicts(&house, failed).await, wanted, "of the last attempt");
    let error = error(&house, failed).await;
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("1 of 3 tests of numbers.people failed: `not_null_town` (1 of 4 rows)"), "{error}");
    let task_run = results(&house, failed).await[0].task_run;
    // the task is tried again like any other
    let good = house.store.task_runs(failed).await.unwrap().into_iter().find(|found| found.task == "good").unwrap();
    assert_eq!((good.id, good.attempt), (task_run, 2));
    let rows = async |test: &str| house.store.failing_rows(failed, task_run, test.to_owned()).await.unwrap();
    let row: Value = serde_json::from_str(&rows("not_null_town").await.unwrap()[0]).unwrap();
    assert_eq!(row, json!({ "id": "4", "name": "bob", "town": null }), "with the key");
    let unique = rows("unique_name").await.unwrap();
    assert!(unique.len() == 2 && unique.iter().all(|row| row.contains("bob")), "{unique:?}");
    assert_eq!(rows("gone").await, None);
    // of a dataset that nobody loaded the history is known
    let latest = TestFilter { dataset: "numbers.people".to_owned(), latest: true, test: None };
    let latest = house.store.dataset_tests(latest, None, 100).await.unwrap();
    let latest: Vec<(i64, &str)> = latest.iter().map(|found| (found.run.0, found.result.test.as_str())).collect();
    let (first, second, third) = (1, 2, 3);
    assert_eq!(
        latest,
        [
            (third, "not_null_name"),
            (third, "not_null_town"),
            (third, "unique_name"),
            (second, "unique_id"),
            (first, "not_null_id"),
            (first, "row_count"),
            (first, "unique_name_town")
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn other_datasets_are_compared_with() {
    let house = house().await;
    people(&house);
    house.put("ids.csv", "id\n1\n2\n9\n7\n");
    let tests = [
        "relationships: { column: town, to: numbers.towns, field: id }",
        "relationships: { column: id, to: numbers.exact, field: id }\n          name: ids",
        "row_count: { equals: numbers.towns }\n          name: towns",
        "row_count: { equals: drop.ids.csv }\n          name: files",
        "row_count: { equals: numbers.towns }\n          name: about\n          allow: 34%",
    ];
    let run = run(&house, "numbers.people", &tests).await;
    let found = results(&house, run).await;
    let of = |test: &str| {
        &found.iter().find(|found| found.result.test == test).unwrap_or_else(|| panic!("{test}: {found:?}")).result
    };
    let verdict = |test: &str| (of(test).verdict, of(test).failed);
    assert_eq!(verdict("relationships_town"), (Verdict::Failed, 1), "NULL points at nothing");
    assert_eq!(verdict("ids"), (Verdict::Failed, 2), "numbers are the same in any type");
    assert_eq!((verdict("towns"), of("towns").found.as_deref()), ((Verdict::Failed, 1), Some("4")));
    assert_eq!((verdict("files"), verdict("about")), ((Verdict::Passed, 0), (Verdict::Passed, 1)));
    let task_run = found[0].task_run;
    let rows = house.store.failing_rows(run, task_run, "relationships_town".to_owned()).await.unwrap().unwrap();
    assert_eq!(rows, [json!({ "id": "3", "town": "9" }).to_string()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_volume_is_compared_with_that_of_the_last_times() {
    let house = house().await;
    let tests = ["volume: { drop: 20%, rise: 50%, over: 3 }"];
    let mut told = Vec::new();
    for rows in [100, 80, 79, 120, 131] {
        house.sql(&format!(
            "DROP TABLE IF EXISTS t; CREATE TABLE t AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {rows}) \
             SELECT i FROM n"
        ));
        let run = run(&house, "numbers.t", &tests).await;
        let found = results(&house, run).await.remove(0).result;
        told.push((found.found.unwrap(), found.failed, found.wanted));
    }
    let told: Vec<(&str, u64, &str)> = told.iter().map(|(f, n, w)| (f.as_str(), *n, w.as_str())).collect();
    assert_eq!(
        told,
        [
            ("100", 0, "anything the first time"),
            ("80", 0, "80 to 150 after 100 in the median of 1 run"),
            // of 80 and 100 the greater one
            ("79", 1, "80 to 150 after 100 in the median of 2 runs"),
            ("120", 0, "64 to 120 after 80 in the median of 3 runs"),
            ("131", 11, "64 to 120 after 80 in the median of 3 runs")
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rows_of_a_query_are_what_is_wrong() {
    let house = house().await;
    house.put("wrong.csv", "id,name\n1,ann\n2,bob\n3,O'Hara\n");
    house.put("none.csv", "id,name\n");
    people(&house);
    let tests = [
        "sql: 'ALL drop.\"wrong.csv\"'",
        "sql: { query: 'SOME drop.\"wrong.csv\" $least', params: { least: 2 } }\n          name: some\n          allow: 75%",
    ];
    let run = run(&house, "numbers.people", &tests).await;
    let wanted = [("some".to_owned(), Verdict::Passed, 3), ("sql".to_owned(), Verdict::Failed, 3)];
    assert_eq!(verdicts(&house, run).await, wanted, "a share is of the rows of the dataset");
    let found = results(&house, run).await;
    assert_eq!((found[0].result.rows, found[1].result.rows), (Some(4), None));
    let rows = house.store.failing_rows(run, found[1].task_run, "sql".to_owned()).await.unwrap().unwrap();
    assert_eq!(rows.len(), 3);
    assert!(rows[2].contains("O'Hara"), "{rows:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_tested_fails_the_task_and_says_why() {
    let house = house().await;
    people(&house);
    for (dataset, test, said) in [
        ("numbers.people", "not_null: nme", "Did you mean `name`?"),
        ("numbers.people", "range: { column: name, min: a }", "no order"),
        ("numbers.poeple", "not_null: id", "there is no stream `poeple`"),
        ("nowhere.x", "not_null: id", "nowhere"),
        ("numbers.people", "relationships: { column: town, to: numbers.tons, field: id }", "`tons`"),
        ("numbers.people", "sql: NONE", "this is no SQL"),
    ] {
        let run = run(&house, dataset, &[test]).await;
        assert_eq!(house.ended(run).await.state, RunState::Failed, "{test}");
        let told = error(&house, run).await.to_string();
        assert!(told.contains(said), "{test}: {told}");
        assert!(results(&house, run).await.is_empty(), "{test}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_is_stopped_at_once() {
    let house = house().await;
    people(&house);
    house.put("a.csv", "id\n1\n");
    let text = pipeline("numbers.people", &["sql: 'HANG drop.\"a.csv\"'"]);
    let run = house.start("p", house.apply("p", &text).await).await;
    let deadline = Instant::now() + Duration::from_secs(10);
    while !house.store.task_runs(run).await.unwrap().iter().any(|found| found.state == State::Running) {
        assert!(Instant::now() < deadline, "the task does not begin");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let asked = Instant::now();
    house.store.stop_run(run, SystemClock.now()).await.unwrap();
    assert_eq!(house.ended(run).await.state, RunState::Cancelled);
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    nothing_is_left(&house);
}
