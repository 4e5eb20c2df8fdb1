//! The value table over every ordered pair of connectors: each edge value of each type is loaded into one system, copied
//! into another, read back, cast to the type it began with, and must be the same. Every other outcome stands in
//! `declared`, with its reason.

mod declared;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::{DataType, TimeUnit};
use levada_core::batch::Data;
use levada_core::cast::cast;
use levada_core::connector::Connection;
use levada_core::error::Result;
use levada_core::source::StreamInfo;
use levada_core::text;
use levada_testkit::conformance::values::{Column, equal, table};
use levada_testkit::pump::{self, Job};
use levada_testkit::rows;
use serde_json::json;

use declared::Outcome;

/// A system of the table, with whatever keeps it alive for the test.
struct System {
    name: &'static str,
    connection: Arc<dyn Connection>,
    namespace: Option<&'static str>,
    negative_zero: &'static str,
    _alive: Box<dyn std::any::Any + Send + Sync>,
}

async fn open(name: &'static str, test: &'static str) -> System {
    match name {
        "postgres" => {
            let place = crate::postgres::place(test).await;
            let connection = crate::postgres::connect_with(&[("schema", test)]);
            System { name, connection, namespace: Some(test), negative_zero: "-0", _alive: Box::new(place.client) }
        }
        "mysql" => {
            use levada_testkit::conformance::Harness as _;
            let database = crate::mysql::Database::new().await;
            let (connection, negative_zero) = (database.connection(), database.negative_zero().await);
            System { name, connection, namespace: None, negative_zero, _alive: Box::new(database) }
        }
        "sqlite" => {
            use levada_testkit::conformance::Harness as _;
            let file = crate::sqlite::OneFile::new();
            System { name, connection: file.connection(), namespace: None, negative_zero: "-0", _alive: Box::new(file) }
        }
        format => {
            let folder = tempfile::tempdir().unwrap();
            let settings = json!({ "root": folder.path().to_str().unwrap(), "format": format, "settle_ms": 0 });
            let connection = levada_connectors::registry().get("files").unwrap().connect(settings).unwrap();
            System { name, connection, namespace: None, negative_zero: "-0", _alive: Box::new(folder) }
        }
    }
}

fn names() -> Vec<&'static str> {
    let mut names = vec!["postgres", "mysql", "sqlite"];
    if levada_connectors::registry().get("files").is_ok() {
        names.extend(["csv", "jsonl", "parquet", "avro"]);
    }
    names
}

impl System {
    fn job(&self, table: &str) -> Job {
        Job { quarantine: true, ..Job::new(self.namespace, table) }
    }

    async fn stream(&self, target: &str) -> Result<StreamInfo> {
        let mut found = self.connection.clone().source()?.discover(Some(target)).await?;
        assert_eq!(found.len(), 1, "{}: `{target}` names one stream", self.name);
        Ok(found.remove(0))
    }

    /// The values of a column by row number, as texts of the type it began with. A missing number is a rejected row.
    async fn values(&self, target: &str, column: &Column) -> Result<BTreeMap<usize, Option<String>>> {
        let stream = self.stream(target).await?;
        let mut columns = stream.schema.clone();
        if stream.typed_by_request {
            columns = column.schema();
        }
        let job = self.job(target);
        let (batches, _) = pump::read(self.connection.clone().source()?.as_ref(), &stream, columns, &job).await?;
        let mut values = BTreeMap::new();
        for batch in batches {
            let Data::Arrow(data) = batch.data else { panic!("raw rows") };
            let numbers = rows::of(&data.project(&[0]).unwrap());
            let (mut fitted, mut bad) = cast(data.column(1), &column.data_type)?;
            if !bad.is_empty() && matches!(column.data_type, DataType::Time64(_)) {
                // A time of day that went through a system where it is a duration, then through one where that is an
                // interval.
                (fitted, bad) =
                    cast(&cast(data.column(1), &DataType::Duration(TimeUnit::Microsecond))?.0, &column.data_type)?;
            }
            for (row, number) in numbers.iter().enumerate() {
                let number = number[0].as_ref().unwrap().parse().unwrap();
                let shown = match bad.iter().find(|bad| bad.row == row) {
                    None => text::value(&fitted, row),
                    Some(bad) => Some(format!("(no {}: {})", column.data_type, bad.reason)),
                };
                assert!(values.insert(number, shown).is_none(), "row {number} came twice");
            }
        }
        Ok(values)
    }
}

/// Loads the column into `from`, copies it into each of `others`, and lists what is not as declared.
async fn check(from: &System, others: &[System], column: &Column) -> Vec<String> {
    let (schema, given) = (column.schema(), column.rows());
    let batch = rows::batch(&schema, &given);
    let given: BTreeMap<usize, Option<String>> = rows::of(&batch)
        .into_iter()
        .map(|mut row| (row[0].as_ref().unwrap().parse().unwrap(), row.swap_remove(1)))
        .collect();
    let table = format!("v_{}_{}", column.name, from.name);
    let destination = from.connection.clone().destination().unwrap();
    let first = match pump::load(destination.as_ref(), &from.job(&table), &schema, &[batch]).await {
        Ok(first) => first,
        Err(_) if declared::of(from.name, column.name, "") == Outcome::Refused => return Vec::new(),
        Err(error) => return vec![format!("{} <- {}: {error}", from.name, column.name)],
    };
    let expected: BTreeMap<_, _> = given.into_iter().filter_map(|(n, v)| Some((n, after(from, column, v)?))).collect();
    let mut wrong = compare(from.name, column, &expected, &from.values(&first.target, column).await);
    if !wrong.is_empty() {
        return wrong;
    }
    for to in others {
        let path = format!("{} -> {}", from.name, to.name);
        let source = from.connection.clone().source().unwrap();
        let destination = to.connection.clone().destination().unwrap();
        let copied = match from.stream(&first.target).await {
            Ok(stream) => pump::pump(source.as_ref(), &stream, destination.as_ref(), &to.job(&table)).await,
            Err(error) => Err(error),
        };
        let copied = match copied {
            Ok(copied) => copied,
            Err(_) if declared::of(to.name, column.name, "") == Outcome::Refused => continue,
            Err(error) => {
                wrong.push(format!("{path}, {}: {error}", column.name));
                continue;
            }
        };
        let expected: BTreeMap<_, _> =
            expected.iter().filter_map(|(n, v)| Some((*n, after(to, column, v.clone())?))).collect();
        wrong.extend(compare(&path, column, &expected, &to.values(&copied.target, column).await));
    }
    wrong
}

/// What a system makes of a value by its type table; `None` if the row is rejected.
fn after(system: &System, column: &Column, value: Option<String>) -> Option<Option<String>> {
    let Some(value) = value else { return Some(None) };
    match declared::of(system.name, column.name, &value) {
        Outcome::Same | Outcome::Refused => Some(Some(value)),
        Outcome::Becomes(other) => Some(Some(other.to_owned())),
        Outcome::AsTold => Some(Some(system.negative_zero.to_owned())),
        Outcome::Rejected => None,
    }
}

fn compare(
    path: &str,
    column: &Column,
    expected: &BTreeMap<usize, Option<String>>,
    found: &Result<BTreeMap<usize, Option<String>>>,
) -> Vec<String> {
    let found = match found {
        Ok(found) => found,
        Err(error) => return vec![format!("{path}, {}: reading back: {error}", column.name)],
    };
    let numbers = expected.keys().chain(found.keys()).copied().collect::<std::collections::BTreeSet<_>>();
    let differs = |n: &usize| match (expected.get(n), found.get(n)) {
        (Some(expected), Some(found)) => !equal(column.logical, expected, found),
        (expected, found) => expected.is_some() || found.is_some(),
    };
    let short = |v: Option<&Option<String>>| format!("{v:?}").chars().take(120).collect::<String>();
    numbers
        .iter()
        .filter(|n| differs(n))
        .map(|n| format!("{path}, {}: expected {}, found {}", column.name, short(expected.get(n)), short(found.get(n))))
        .collect()
}

async fn from(name: &'static str, test: &'static str, other_test: &'static str) {
    if !names().contains(&name) {
        return;
    }
    let from = open(name, test).await;
    let mut others = Vec::new();
    for other in names() {
        others.push(open(other, other_test).await);
    }
    let mut wrong = Vec::new();
    for column in table() {
        wrong.extend(check(&from, &others, &column).await);
    }
    assert!(wrong.is_empty(), "{} outcomes are not as declared:\n{}", wrong.len(), wrong.join("\n"));
}

macro_rules! sources {
    ($($name:ident),*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let name = stringify!($name);
                from(name, concat!("values_from_", stringify!($name)), concat!("values_via_", stringify!($name))).await;
            }
        )*
    };
}

sources!(postgres, mysql, sqlite, csv, jsonl, parquet, avro);
