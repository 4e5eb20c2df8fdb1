//! What the independent `deltalake` package for Python makes of our tables, and we of its.

use std::process::Command;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use levada_core::condition::{Condition, Test};
use levada_core::destination::WriteMode;
use levada_core::schema::{timestamp, timestamp_utc};
use levada_core::source::{ReadMode, ReadRequest};
use levada_testkit::pump::{self, Job};
use levada_testkit::rows;
use serde_json::{Value, json};

use crate::conformance::{bucket, connect};

/// What a program prints whose first argument is the URI of a table and the second its storage options.
pub fn python(program: &str, uri: &str, options: &Value) -> String {
    let python =
        std::env::var("LEVADA_TEST_DELTALAKE").expect("set LEVADA_TEST_DELTALAKE (scripts/services starts it)");
    // threads of the packages can abort an interpreter that ends as usual
    let program = format!("{program}\nimport os\nsys.stdout.flush()\nos._exit(0)\n");
    let output = Command::new(python).args(["-c", &program, uri, &options.to_string()]).output().unwrap();
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

const ODD: &str = "
import sys, datetime, math, decimal, pyarrow as pa, pyarrow.parquet as pq
from deltalake import write_deltalake, convert_to_deltalake
import os
a = sys.argv[1]
os.mkdir(a + '/spark')
far = [datetime.datetime(9999, 12, 31, 1), datetime.datetime(1, 1, 1), datetime.datetime(2024, 2, 29, 12, 30, 1, 5)]
pq.write_table(pa.table({'id': pa.array([1, 2, 3], pa.int64()), 'until': pa.array(far, pa.timestamp('us', 'UTC'))}), a + '/spark/a.parquet',
    use_deprecated_int96_timestamps=True)
convert_to_deltalake(a + '/spark')
big = decimal.Decimal('18446744073709551615')
odd = pa.table({'id': pa.array([1, 2], pa.int64()), 'ratio': pa.array([1.5, math.nan]),
    'big': pa.array([big, big - 1], pa.decimal128(20, 0))})
write_deltalake(a + '/odd', odd)
";

/// Timestamps as Spark writes them, of any year; statistics that know no NaN, and no more than 15 digits.
#[tokio::test(flavor = "multi_thread")]
async fn values_are_those_of_the_files_and_not_of_their_statistics() {
    let folder = tempfile::tempdir().unwrap();
    python(ODD, folder.path().to_str().unwrap(), &json!({}));
    let source = connect(json!({ "location": folder.path() })).source().unwrap();
    let read = async |name: &str, mode: ReadMode, only: &[&str]| -> Vec<rows::Row> {
        let stream = source.discover(Some(name)).await.unwrap().remove(0);
        let only =
            only.iter().map(|column| Condition { column: (*column).to_owned(), test: Test::IsNotNull }).collect();
        let request = ReadRequest {
            columns: stream.schema.clone(),
            stream: stream.clone(),
            mode,
            raw: None,
            only,
            limit: None,
            readers: 2,
            batch_bytes: 1 << 20,
        };
        let mut batches = Vec::new();
        for mut reader in source.read(request).await.unwrap().readers {
            while let Some(batch) = reader.next().await.unwrap() {
                batches.push(batch);
            }
        }
        rows::sorted(&batches, &stream.schema)
    };
    let of = |values: &[&str]| -> rows::Row { values.iter().map(|value| Some((*value).to_owned())).collect() };
    let until = [
        of(&["1", "9999-12-31T01:00:00Z"]),
        of(&["2", "0001-01-01T00:00:00Z"]),
        of(&["3", "2024-02-29T12:30:01.000005Z"]),
    ];
    assert_eq!(read("spark", ReadMode::Full, &[]).await, until);
    assert_eq!(read("spark", ReadMode::Full, &["until"]).await, until);
    let odd = [of(&["1", "1.5", "18446744073709551615"]), of(&["2", "NaN", "18446744073709551614"])];
    assert_eq!(read("odd", ReadMode::Full, &["ratio", "big"]).await, odd);
    let by = |cursor: &str| ReadMode::Incremental {
        cursor: Some(cursor.to_owned()),
        from: None,
        lag: None,
        mark_overlap: false,
    };
    assert_eq!(read("odd", by("ratio"), &[]).await, odd);
    assert_eq!(read("odd", by("big"), &[]).await, odd);
}

/// Whoever may write a table must not choose what else of this machine is read.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_leads_elsewhere_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    python(ODD, folder.path().to_str().unwrap(), &json!({}));
    let source = connect(json!({ "location": folder.path() })).source().unwrap();
    let log = folder.path().join("odd/_delta_log/00000000000000000000.json");
    let text = std::fs::read_to_string(&log).unwrap();
    let elsewhere = folder.path().join("spark/a.parquet").display().to_string();
    for path in ["../spark/a.parquet".to_owned(), format!("file://{elsewhere}"), elsewhere] {
        let lines = text.lines().map(|line| {
            let mut action: Value = serde_json::from_str(line).unwrap();
            if action["add"].is_object() {
                action["add"]["path"] = json!(path);
            }
            action.to_string()
        });
        std::fs::write(&log, lines.collect::<Vec<_>>().join("\n")).unwrap();
        let stream = source.discover(Some("odd")).await.unwrap().remove(0);
        let read = pump::read(source.as_ref(), &stream, stream.schema.clone(), &Job::new(None, "odd")).await;
        let error = read.err().unwrap_or_else(|| panic!("{path} was read"));
        assert!(error.to_string().contains("outside of the table's own folder"), "{error}");
    }
}
