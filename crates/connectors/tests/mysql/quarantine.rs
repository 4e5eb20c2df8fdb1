//! Rows that a staging table takes and the target refuses: by another unique key, a foreign key, a trigger.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use levada_core::destination::{Durable, WriteMode};
use levada_core::error::{ErrorKind, Result};
use levada_testkit::conformance::Harness;
use levada_testkit::pump::{self, Job, Outcome};
use levada_testkit::rows::{self, Row, row};

use super::Database;

fn schema() -> SchemaRef {
    let column = |name: &str, data_type| Field::new(name, data_type, name != "id");
    Arc::new(Schema::new(vec![
        column("id", DataType::Int64),
        column("email", DataType::Utf8),
        column("city", DataType::Int64),
    ]))
}

fn person(id: u32, email: &str, city: u32) -> Row {
    row(&[Some(&id.to_string()), Some(email), Some(&city.to_string())])
}

async fn load(database: &Database, job: &Job, given: &[Row]) -> Result<Outcome> {
    let target = database.connection().destination().unwrap();
    pump::load(target.as_ref(), job, &schema(), &[rows::batch(&schema(), given)]).await
}

async fn people(database: &Database) -> Vec<String> {
    let sql = "SELECT CONCAT_WS(' ', id, email, city) FROM people ORDER BY id";
    database.texts(sql).await.into_iter().flatten().collect()
}

/// Cities 1 and 2, people with a unique email and a city that exists.
async fn tables(database: &Database) {
    database.run("CREATE TABLE cities (id BIGINT PRIMARY KEY)").await;
    database.run("INSERT INTO cities VALUES (1), (2)").await;
    database
        .run(
            "CREATE TABLE people (id BIGINT PRIMARY KEY AUTO_INCREMENT, email VARCHAR(50) UNIQUE, \
             city BIGINT, FOREIGN KEY (city) REFERENCES cities (id))",
        )
        .await;
    database.run("INSERT INTO people VALUES (1, 'a@x', 1), (2, 'b@x', 1)").await;
}

/// What was refused, as column and the key of the row; every reason is the server's.
fn refused(outcome: &Outcome) -> Vec<(Option<&str>, String)> {
    let mut refused = Vec::new();
    for reject in &outcome.rejects {
        assert!(reject.reason.starts_with("the server said: "), "{}", reject.reason);
        let row: serde_json::Value = serde_json::from_str(&reject.row).unwrap();
        refused.push((reject.column.as_deref(), row["id"].as_str().unwrap().to_owned()));
    }
    refused.sort();
    refused
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_rejects_rows_that_the_target_refuses() {
    let database = Database::new().await;
    tables(&database).await;
    let mut job = Job::new(None, "people").merge(&["id"]);
    let mut given = vec![
        person(1, "a@x", 2),   // updated
        person(2, "a@x", 2),   // has the email of 1
        person(3, "c@x", 9),   // in no city
        person(4, "d@x", 2),   // inserted
        person(5, "d@x", 2),   // has the email of 4, which came first
        person(6, "old@x", 9), // replaced by the next
        person(6, "f@x", 1),
    ];
    given.extend((10..200).map(|id| person(id, &format!("{id}@x"), 1)));
    assert_eq!(load(&database, &job, &given).await.unwrap_err().kind(), ErrorKind::Data);
    assert_eq!(people(&database).await, ["1 a@x 1", "2 b@x 1"]);
    job.quarantine = true;
    let outcome = load(&database, &job, &given).await.unwrap();
    let wanted = [(Some("city"), "3"), (Some("email"), "2"), (Some("email"), "5")];
    assert_eq!(refused(&outcome), wanted.map(|(column, id)| (column, id.to_owned())));
    assert_eq!(outcome.read, outcome.written + outcome.rejects.len() as u64);
    assert_eq!(outcome.durable, Durable { inserted: 192, updated: 1, superseded: 1, ..Durable::default() });
    let found = people(&database).await;
    assert_eq!(found[..4], ["1 a@x 2", "2 b@x 1", "4 d@x 2", "6 f@x 1"]);
    assert_eq!(found.len(), 194);
    assert_eq!(database.texts("SELECT CAST(COUNT(*) AS CHAR) FROM _levada_rejects").await, [Some("3".to_owned())]);
    assert!(database.remains().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replace_rejects_rows_that_the_target_refuses() {
    let database = Database::new().await;
    tables(&database).await;
    database
        .run(
            "CREATE TRIGGER careful BEFORE INSERT ON people FOR EACH ROW IF NEW.email = 'bad' THEN \
             SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no such `email`'; END IF",
        )
        .await;
    let given = [person(1, "b@x", 2), person(7, "bad", 1), person(8, "h@x", 9), person(9, "b@x", 1)];
    let mut job = Job::new(None, "people");
    assert_eq!(load(&database, &job, &given).await.unwrap_err().kind(), ErrorKind::Data);
    assert_eq!(people(&database).await, ["1 a@x 1", "2 b@x 1"]);
    job.quarantine = true;
    job.writers = 4;
    let outcome = load(&database, &job, &given).await.unwrap();
    let wanted = [(Some("city"), "8"), (Some("email"), "7"), (Some("email"), "9")];
    assert_eq!(refused(&outcome), wanted.map(|(column, id)| (column, id.to_owned())));
    assert_eq!((outcome.written, outcome.durable.inserted, outcome.durable.deleted), (1, 1, 2));
    assert_eq!(people(&database).await, ["1 b@x 2"]);
}

/// Where others refer to the table its rows are replaced one by one: a new row may have the email of one that goes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replace_by_key_removes_before_it_brings_in() {
    let database = Database::new().await;
    tables(&database).await;
    database.run("CREATE TABLE pets (owner BIGINT, FOREIGN KEY (owner) REFERENCES people (id))").await;
    database.run("INSERT INTO pets VALUES (1)").await;
    let mut job = Job { key_columns: vec!["id".to_owned()], ..Job::new(None, "people") };
    let outcome = load(&database, &job, &[person(1, "a@x", 2), person(3, "b@x", 1)]).await.unwrap();
    assert_eq!(outcome.durable, Durable { inserted: 1, updated: 1, deleted: 1, ..Durable::default() });
    assert_eq!(people(&database).await, ["1 a@x 2", "3 b@x 1"]);
    job.quarantine = true;
    let outcome =
        load(&database, &job, &[person(1, "a@x", 1), person(3, "b@x", 9), person(4, "b@x", 1)]).await.unwrap();
    assert_eq!(outcome.rejects.len(), 2, "{:?}", outcome.rejects);
    // The old row of 3 still had the email when 4 came; it goes with its refused successor.
    assert_eq!(people(&database).await, ["1 a@x 1"]);
    assert_eq!(outcome.read, outcome.written + outcome.rejects.len() as u64);
}

/// An append into a table finds them as well, row by row as they are sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_rejects_rows_that_the_target_refuses() {
    let database = Database::new().await;
    tables(&database).await;
    let mut job = Job::new(None, "people").write(WriteMode::Append);
    job.quarantine = true;
    let outcome =
        load(&database, &job, &[person(3, "a@x", 1), person(4, "d@x", 9), person(5, "e@x", 2)]).await.unwrap();
    assert_eq!((outcome.written, outcome.durable.inserted, outcome.rejects.len()), (1, 1, 2));
    assert_eq!(people(&database).await, ["1 a@x 1", "2 b@x 1", "5 e@x 2"]);
}
