//! What the independent `deltalake` package for Python makes of our tables, and we of its.

use std::process::Command;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use levada_core::destination::WriteMode;
use levada_core::schema::{timestamp, timestamp_utc};
use levada_testkit::pump::{self, Job};
use levada_testkit::rows;
use serde_json::{Value, json};

use crate::conformance::{bucket, connect};

/// What a program prints whose first argument is the URI of a table and the second its storage options.
fn python(program: &str, uri: &str, options: &Value) -> String {
    let python =
        std::env::var("LEVADA_TEST_DELTALAKE").expect("set LEVADA_TEST_DELTALAKE (scripts/services starts it)");
    let output = Command::new(python).args(["-c", program, uri, &options.to_string()]).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{error}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn schema() -> Arc<Schema> {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("name", DataType::Utf8, true),
        Field::new("amount", DataType::Decimal128(12, 2), true),
        Field::new("at", timestamp(), true),
        Field::new("seen", timestamp_utc(), true),
        Field::new("raw", DataType::Binary, true),
        Field::new("ok", DataType::Boolean, true),
        Field::new("ratio", DataType::Float64, true),
        Field::new("day", DataType::Date32, true),
        Field::new("big", DataType::UInt64, true),
    ]))
}

fn row(id: i64, version: &str) -> Vec<Option<String>> {
    let text = |text: &str| Some(text.to_owned());
    vec![
        Some(id.to_string()),
        (id % 5 != 0).then(|| format!("größe 😀 '{id}' {version}")),
        Some(format!("{id}.25")),
        Some(format!("2024-03-10T02:30:{:02}.000001", id % 60)),
        text("1969-12-31T23:59:59.999999Z"),
        text("\\x00ff"),
        text("true"),
        text("0.1"),
        text("2024-02-29"),
        text("18446744073709551615"),
    ]
}

const READ: &str = "
import sys, json, deltalake
from deltalake import DeltaTable
t = DeltaTable(sys.argv[1], storage_options=json.loads(sys.argv[2]) or None)
rows = sorted(t.to_pyarrow_table().to_pylist(), key=lambda r: r['id'])
def text(v):
    if isinstance(v, bytes): return '\\\\x' + v.hex()
    if hasattr(v, 'isoformat'): return v.isoformat()
    return None if v is None else str(v)
print(json.dumps([[text(v) for v in r.values()] for r in rows], ensure_ascii=False))
";

/// Appended, merged, appended with one more column, replaced: each time Python reads just what was written.
async fn reads_back(settings: Value, options: Value) {
    let destination = connect(settings.clone()).destination().unwrap();
    let uri = format!("{}/people", settings["location"].as_str().unwrap());
    let batch = |ids: std::ops::Range<i64>, version: &str| {
        let rows: Vec<_> = ids.map(|id| row(id, version)).collect();
        rows::batch(&schema(), &rows)
    };
    let seen = |found: &str| -> Vec<Vec<Option<String>>> {
        let rows: Vec<Vec<Option<String>>> = serde_json::from_str(found).unwrap();
        // Python writes instants and booleans its own way
        let one = |(index, text): (usize, Option<String>)| match index {
            4 => text.map(|text| text.replace("+00:00", "Z")),
            6 => text.map(|text| text.to_lowercase()),
            _ => text,
        };
        rows.into_iter().map(|row| row.into_iter().enumerate().map(one).collect()).collect()
    };
    let want = |old: std::ops::Range<i64>, new: std::ops::Range<i64>| -> Vec<Vec<Option<String>>> {
        let mut rows: Vec<_> = old.map(|id| row(id, "a")).chain(new.map(|id| row(id, "b"))).collect();
        rows.sort_by_key(|row| row[0].as_ref().map(|id| id.parse::<i64>().unwrap()));
        rows
    };
    let job = Job::new(None, "people").write(WriteMode::Append).parallel(2);
    pump::load(destination.as_ref(), &job, &schema(), &[batch(0..60, "a"), batch(60..100, "a")]).await.unwrap();
    assert_eq!(seen(&python(READ, &uri, &options)), want(0..100, 0..0));
    let merge = job.clone().merge(&["id"]);
    let merged = pump::load(destination.as_ref(), &merge, &schema(), &[batch(80..120, "b")]).await.unwrap();
    assert_eq!((merged.durable.updated, merged.durable.inserted), (20, 20));
    assert_eq!(seen(&python(READ, &uri, &options)), want(0..80, 80..120));
    let replace = job.clone().write(WriteMode::Replace);
    pump::load(destination.as_ref(), &replace, &schema(), &[batch(3..9, "b")]).await.unwrap();
    assert_eq!(seen(&python(READ, &uri, &options)), want(0..0, 3..9));
}

#[tokio::test(flavor = "multi_thread")]
async fn our_tables_read_the_same_in_python() {
    let folder = tempfile::tempdir().unwrap();
    reads_back(json!({ "location": folder.path() }), json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn our_tables_in_a_bucket_read_the_same_in_python() {
    let settings = bucket();
    let options = json!({ "AWS_ENDPOINT_URL": settings["endpoint"], "AWS_ACCESS_KEY_ID": settings["access_key"],
        "AWS_SECRET_ACCESS_KEY": settings["secret_key"], "AWS_REGION": settings["region"], "AWS_ALLOW_HTTP": "true" });
    reads_back(settings, options).await;
}

const WRITE: &str = "
import sys, pyarrow as pa
from deltalake import write_deltalake, DeltaTable
a = pa.table({'id': pa.array([1, 2, 3], pa.int64()), 'part': ['x', 'y', 'x'], 'name': ['a', None, 'c']})
write_deltalake(sys.argv[1], a, partition_by=['part'])
write_deltalake(sys.argv[1], pa.table({'id': pa.array([4], pa.int64()), 'part': ['z z'], 'name': ['d']}), mode='append')
DeltaTable(sys.argv[1]).delete('id = 2')
";

/// A partitioned table that Python made, with a deleted row: read, appended to, merged into, and read by Python.
#[tokio::test(flavor = "multi_thread")]
async fn tables_of_python_are_read_and_written() {
    let folder = tempfile::tempdir().unwrap();
    let uri = folder.path().join("theirs").display().to_string();
    python(WRITE, &uri, &json!({}));
    let connection = connect(json!({ "location": folder.path() }));
    let source = connection.clone().source().unwrap();
    let stream = source.discover(Some("theirs")).await.unwrap().remove(0);
    assert_eq!(stream.rows_estimate, Some(3));
    let job = Job::new(None, "theirs").write(WriteMode::Append);
    let read = async || {
        let (batches, _) = pump::read(source.as_ref(), &stream, stream.schema.clone(), &job).await.unwrap();
        rows::sorted(&batches, &stream.schema)
    };
    let of = |id: &str, part: &str, name: &str| vec![Some(id.to_owned()), Some(part.to_owned()), Some(name.to_owned())];
    assert_eq!(read().await, [of("1", "x", "a"), of("3", "x", "c"), of("4", "z z", "d")]);
    let columns = Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, true),
        Field::new("part", DataType::Utf8, true),
        Field::new("name", DataType::Utf8, true),
    ]));
    let destination = connection.destination().unwrap();
    let batch = |rows: &[Vec<Option<String>>]| rows::batch(&columns, rows);
    pump::load(destination.as_ref(), &job, &columns, &[batch(&[of("5", "x", "e")])]).await.unwrap();
    let merge = job.clone().merge(&["id"]);
    let given = [of("4", "z z", "new"), of("6", "w", "f")];
    let merged = pump::load(destination.as_ref(), &merge, &columns, &[batch(&given)]).await.unwrap();
    assert_eq!((merged.durable.updated, merged.durable.inserted), (1, 1));
    let want = [of("1", "x", "a"), of("3", "x", "c"), of("4", "z z", "new"), of("5", "x", "e"), of("6", "w", "f")];
    assert_eq!(read().await, want);
    let found: Vec<Vec<Option<String>>> = serde_json::from_str(&python(READ, &uri, &json!({}))).unwrap();
    let by_name = |row: &Vec<Option<String>>| vec![row[0].clone(), row[1].clone(), row[2].clone()];
    assert_eq!(found.iter().map(by_name).collect::<Vec<_>>(), want);
}
