//! Tables that others changed between two looks, streams that change their table, and keys of every type.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use levada_core::destination::{Destination, WriteMode};
use levada_core::error::ErrorKind;
use levada_core::schema::{timestamp, timestamp_utc};
use levada_testkit::pump::{self, Job};
use levada_testkit::rows;
use serde_json::{Value, json};

use crate::conformance::connect;
use crate::python::python;

fn columns(amount: DataType) -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, false), Field::new("amount", amount, true)]))
}

fn batch(ids: std::ops::Range<i64>) -> RecordBatch {
    let rows: Vec<_> = ids.map(|id| vec![Some(id.to_string()), Some("1.5".to_owned())]).collect();
    rows::batch(&columns(DataType::Float64), &rows)
}

async fn load(destination: &dyn Destination, job: &Job, ids: std::ops::Range<i64>) {
    pump::load(destination, job, &columns(DataType::Float64), &[batch(ids)]).await.unwrap();
}

/// A stream goes from one table to another and back, when the first one's position is long gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_may_come_back_to_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let destination = connect(json!({ "location": folder.path() })).destination().unwrap();
    let into = |table: &str| Job { table: table.to_owned(), ..Job::new(None, "s").write(WriteMode::Append) };
    load(destination.as_ref(), &into("a"), 0..5).await;
    for round in 0..3 {
        load(destination.as_ref(), &into("b"), round * 5..round * 5 + 5).await;
    }
    let other = Job::new(None, "other");
    load(destination.as_ref(), &other, 0..1).await;
    for _ in 0..2 {
        load(destination.as_ref(), &into("a"), 5..10).await;
        let commit = destination.committed(&into("a").key).await.unwrap().unwrap();
        assert_eq!(commit.target, "a");
    }
    // a position that somebody removed is told to those who need it, and to nobody else
    let positions = folder.path().join("_levada/positions");
    let of_stream = std::fs::read_dir(positions).unwrap().map(|entry| entry.unwrap().path());
    let mut files =
        of_stream.map(|path| std::fs::read_dir(path).unwrap().map(|file| file.unwrap().path()).collect::<Vec<_>>());
    let mut files = files.find(|files| files.len() > 1).unwrap();
    files.sort();
    std::fs::remove_file(files.last().unwrap()).unwrap();
    let known = destination.commits().await.unwrap();
    assert!(known.iter().any(|commit| commit.key == other.key), "{known:?}");
}

/// The order of the notes of a column is none.
#[tokio::test(flavor = "multi_thread")]
async fn columns_may_have_several_notes() {
    const MADE: &str = "
import sys
from deltalake import DeltaTable, Schema, Field
notes = {'comment': 'what it is', 'owner': 'sales', 'since': '2024', '__CHAR_VARCHAR_TYPE_STRING': 'varchar(50)'}
DeltaTable.create(sys.argv[1], schema=Schema([Field('id', 'long', nullable=True, metadata=notes), Field('amount', 'double', metadata=notes)]))
";
    let folder = tempfile::tempdir().unwrap();
    python(MADE, folder.path().join("t").to_str().unwrap(), &json!({}));
    let destination = connect(json!({ "location": folder.path() })).destination().unwrap();
    for round in 0..12 {
        load(destination.as_ref(), &Job::new(None, "t").write(WriteMode::Append), round..round + 1).await;
    }
    let table = destination.describe("t").await.unwrap().unwrap();
    assert_eq!(table.rows_estimate, Some(12));
}

/// A name that logs spell in several ways would be removed under another one than it was added, and stay.
#[tokio::test(flavor = "multi_thread")]
async fn files_with_two_spellings_are_never_removed() {
    for (name, spelling) in [("a b", "a b"), ("a b", "a%20b"), ("a+b", "a%2Bb"), ("a+b", "a+b"), ("a=b", "a=b")] {
        let folder = tempfile::tempdir().unwrap();
        let destination = connect(json!({ "location": folder.path() })).destination().unwrap();
        let job = Job::new(None, "t").write(WriteMode::Append);
        load(destination.as_ref(), &job, 0..3).await;
        let table = folder.path().join("t");
        let log = table.join("_delta_log/00000000000000000000.json");
        let text = std::fs::read_to_string(&log).unwrap();
        let lines = text.lines().map(|line| {
            let mut action: Value = serde_json::from_str(line).unwrap();
            if let Some(path) = action["add"]["path"].as_str().map(str::to_owned) {
                std::fs::rename(table.join(&path), table.join(format!("{name}.parquet"))).unwrap();
                action["add"]["path"] = json!(format!("{spelling}.parquet"));
            }
            action.to_string()
        });
        std::fs::write(&log, lines.collect::<Vec<_>>().join("\n")).unwrap();
        load(destination.as_ref(), &job, 3..5).await;
        let count = async || destination.describe("t").await.unwrap().unwrap().rows_estimate;
        assert_eq!(count().await, Some(5), "{spelling}");
        let replace = Job::new(None, "t");
        let given = columns(DataType::Float64);
        match pump::load(destination.as_ref(), &replace, &given, &[batch(7..9)]).await {
            Ok(_) => assert_eq!((count().await, spelling), (Some(2), "a=b")),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
                assert_eq!(count().await, Some(5), "{spelling}");
            }
        }
    }
}

/// A value is never made to fit a type that its column had when the read was planned.
#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_changed_its_type_is_not_read_as_before() {
    let folder = tempfile::tempdir().unwrap();
    let connection = connect(json!({ "location": folder.path() }));
    let (source, destination) = (connection.clone().source().unwrap(), connection.destination().unwrap());
    let whole = columns(DataType::Int64);
    let job = Job::new(None, "t");
    let row = |amount: &str| vec![vec![Some("1".to_owned()), Some(amount.to_owned())]];
    pump::load(destination.as_ref(), &job, &whole, &[rows::batch(&whole, &row("2"))]).await.unwrap();
    let stream = source.discover(Some("t")).await.unwrap().remove(0);
    load(destination.as_ref(), &job, 1..2).await;
    let error = pump::read(source.as_ref(), &stream, stream.schema.clone(), &job).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Schema, "{error}");
    assert!(error.to_string().contains("`amount`"), "{error}");
}

/// Rows that are more than the memory lets a join keep, by keys of each type.
#[tokio::test(flavor = "multi_thread")]
async fn large_merges_go_by_keys_of_every_type() {
    const ROWS: i64 = 40_000;
    let fields = vec![
        Field::new("number", DataType::Int64, false),
        Field::new("text", DataType::Utf8, false),
        Field::new("exact", DataType::Decimal128(20, 2), false),
        Field::new("day", DataType::Date32, false),
        Field::new("local", timestamp(), false),
        Field::new("instant", timestamp_utc(), false),
        Field::new("long", DataType::Utf8, true),
    ];
    let columns: SchemaRef = Arc::new(Schema::new(fields));
    let given = |from: i64, word: &str| {
        let ids: Vec<i64> = (from..from + ROWS).collect();
        let texts = ids.iter().map(|id| format!("key {id}"));
        let exact =
            Decimal128Array::from_iter_values(ids.iter().map(|id| i128::from(*id))).with_precision_and_scale(20, 2);
        let instants = || TimestampMicrosecondArray::from_iter_values(ids.iter().map(|id| id * 1_000_001));
        let arrays: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(ids.iter().copied())),
            Arc::new(StringArray::from_iter_values(texts)),
            Arc::new(exact.unwrap()),
            Arc::new(Date32Array::from_iter_values(ids.iter().map(|id| *id as i32))),
            Arc::new(instants()),
            Arc::new(instants().with_timezone("UTC")),
            Arc::new(StringArray::from_iter_values(ids.iter().map(|_| word.repeat(25)))),
        ];
        let arrays = arrays.into_iter().zip(columns.fields()).map(|(array, field)| {
            match array.data_type() == field.data_type() {
                true => array,
                false => arrow_cast::cast(&array, field.data_type()).unwrap(),
            }
        });
        RecordBatch::try_new(columns.clone(), arrays.collect()).unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    let settings = json!({ "location": folder.path(), "memory_mb": 64 });
    let destination = connect(settings).destination().unwrap();
    for key in [&["number"][..], &["text"], &["exact"], &["day"], &["local"], &["instant"], &["text", "instant"]] {
        let job = Job::new(None, &format!("by_{}", key.join("_"))).merge(key);
        pump::load(destination.as_ref(), &job, &columns, &[given(0, "before ")]).await.unwrap();
        let merged = pump::load(destination.as_ref(), &job, &columns, &[given(ROWS / 2, "afterwards ")]).await;
        let durable = merged.unwrap_or_else(|error| panic!("{key:?}: {error}")).durable;
        assert_eq!((durable.inserted, durable.updated), (ROWS as u64 / 2, ROWS as u64 / 2), "{key:?}");
        let table = destination.describe(&job.table).await.unwrap().unwrap();
        assert_eq!(table.rows_estimate, Some(ROWS as u64 * 3 / 2), "{key:?}");
    }
    let floats = self::columns(DataType::Float64);
    let job = Job::new(None, "floats").merge(&["amount"]);
    let error = pump::load(destination.as_ref(), &job, &floats, &[batch(0..1)]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
}

/// Hundreds of partitions at once, in a merge and in an append.
#[tokio::test(flavor = "multi_thread")]
async fn tables_may_have_hundreds_of_partitions() {
    const MADE: &str = "
import sys, pyarrow as pa
from deltalake import write_deltalake
rows = pa.table({'id': pa.array(range(600), pa.int64()), 'amount': pa.array([i % 300 + 0.5 for i in range(600)], pa.float64())})
write_deltalake(sys.argv[1], rows, partition_by=['amount'])
";
    let folder = tempfile::tempdir().unwrap();
    python(MADE, folder.path().join("t").to_str().unwrap(), &json!({}));
    let destination = connect(json!({ "location": folder.path(), "memory_mb": 64 })).destination().unwrap();
    let job = Job::new(None, "t");
    let given = columns(DataType::Float64);
    let made = |ids: std::ops::Range<i64>| {
        let rows: Vec<_> = ids.map(|id| vec![Some(id.to_string()), Some(format!("{}.5", id % 300))]).collect();
        rows::batch(&given, &rows)
    };
    let merge = job.clone().merge(&["id"]);
    let merged = pump::load(destination.as_ref(), &merge, &given, &[made(300..1200)]).await.unwrap();
    assert_eq!((merged.durable.updated, merged.durable.inserted), (300, 600));
    let append = job.clone().write(WriteMode::Append);
    pump::load(destination.as_ref(), &append, &given, &[made(1200..1500)]).await.unwrap();
    assert_eq!(destination.describe("t").await.unwrap().unwrap().rows_estimate, Some(1500));
}
