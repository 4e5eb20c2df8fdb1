//! The contract of [`levada_core::source`]: discovery by name and wildcard, every row once over all readers, and cursors
//! that neither skip nor lose a row.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use levada_core::batch::{Batch, Data};
use levada_core::destination::WriteMode;
use levada_core::position::Position;
use levada_core::schema::{timestamp, timestamp_utc};
use levada_core::source::{OVERLAP_COLUMN, ReadMode};

use super::{Harness, Place, people, person, person_batches, persons};
use crate::pump::{self, Job};
use crate::rows::{self, Row, row};

/// Makes one test of every function of this suite; the expression is a future of a [`Harness`].
#[macro_export]
macro_rules! source_suite {
    ($harness:expr) => {
        $crate::conformance_tests!(
            source,
            $harness,
            [
                discovery_selects_by_name_wildcard_and_all,
                one_reader_yields_every_row_once,
                many_readers_yield_every_row_once,
                small_batches_yield_every_row_once,
                columns_come_as_asked,
                an_empty_stream_ends_at_once,
                a_dropped_reader_hinders_nobody,
                a_cursor_reads_only_what_is_new,
                a_cursor_includes_ties,
                a_cursor_looks_back_by_its_lag,
                rows_without_a_cursor_value_are_read_once,
                an_empty_first_read_has_no_position,
                cursors_of_every_ordered_type,
            ]
        );
    };
}

/// Everything, one name, a wildcard, and a name that is not there.
pub async fn discovery_selects_by_name_wildcard_and_all(harness: &dyn Harness) {
    let place = Place::new(harness);
    let prefix = format!("disc{}", std::process::id());
    let jobs = [place.job_named(&format!("{prefix}_a")), place.job_named(&format!("{prefix}_b"))];
    for job in &jobs {
        place.load(job, &people(), &person_batches(0..3, "a", 3)).await.unwrap();
    }
    let streams = [place.stream(&place.target(&jobs[0])).await, place.stream(&place.target(&jobs[1])).await];
    let all: Vec<_> = place.source.discover(None).await.unwrap().into_iter().map(|s| s.name).collect();
    assert!(streams.iter().all(|s| all.contains(&s.name)), "{all:?}");
    assert!(!all.iter().any(|name| name.contains("_levada_")), "Levada's own tables are not streams: {all:?}");
    assert!(all.is_sorted(), "streams are ordered by name: {all:?}");
    let (head, _) = streams[0].name.split_once(&prefix).expect("the stream's name holds its table's");
    let wild = place.source.discover(Some(&format!("{head}{prefix}_*"))).await.unwrap();
    assert_eq!(wild.len(), 2, "{wild:?}");
    for stream in &streams {
        let found = place.stream(&stream.name).await;
        assert_eq!((&found.name, &found.schema), (&stream.name, &stream.schema));
        assert!(stream.schema.fields().iter().all(|f| levada_core::schema::is_canonical(f.data_type())));
    }
    assert!(place.source.discover(Some(&format!("{head}{prefix}_none"))).await.unwrap().is_empty());
    assert!(place.source.discover(Some(&format!("{head}{prefix}_none*"))).await.unwrap().is_empty());
}

async fn reads_all(harness: &dyn Harness, readers: usize, batch_bytes: usize) -> usize {
    let place = Place::new(harness);
    let job = Job { readers, batch_bytes, ..place.job("read") };
    place.load(&job, &people(), &person_batches(0..20_000, "a", 5000)).await.unwrap();
    let batches = place.batches(&place.target(&job), &job).await;
    assert_eq!(rows::sorted(&batches, &people()), persons(0..20_000, "a"));
    batches.len()
}

/// A full read with one reader.
pub async fn one_reader_yields_every_row_once(harness: &dyn Harness) {
    reads_all(harness, 1, 4 << 20).await;
}

/// A full read with up to four.
pub async fn many_readers_yield_every_row_once(harness: &dyn Harness) {
    reads_all(harness, 4, 4 << 20).await;
}

/// The size asked for is roughly the size given.
pub async fn small_batches_yield_every_row_once(harness: &dyn Harness) {
    let batches = reads_all(harness, 2, 64 << 10).await;
    assert!(batches > 4, "about 1 MB in {batches} batches of about 64 KB");
}

/// Just the columns asked for, in that order.
pub async fn columns_come_as_asked(harness: &dyn Harness) {
    let place = Place::new(harness);
    let job = place.job("columns");
    place.load(&job, &people(), &person_batches(0..50, "a", 50)).await.unwrap();
    let stream = place.stream(&place.target(&job)).await;
    for wanted in [vec![3, 0], vec![1], vec![2, 1, 0]] {
        let columns = Arc::new(stream.schema.project(&wanted).unwrap());
        let (batches, _) = pump::read(place.source.as_ref(), &stream, columns.clone(), &job).await.unwrap();
        for batch in &batches {
            let Data::Arrow(batch) = &batch.data else { panic!("raw rows where Arrow was asked for") };
            let names: Vec<_> = batch.schema().fields().iter().map(|f| f.name().clone()).collect();
            assert_eq!(names, columns.fields().iter().map(|f| f.name().clone()).collect::<Vec<_>>());
            for (field, column) in columns.fields().iter().zip(batch.columns()) {
                assert_eq!(field.data_type(), column.data_type(), "column {}", field.name());
            }
        }
        let mut expected: Vec<Row> =
            (0..50).map(|id| wanted.iter().map(|c| person(id, "a")[*c].clone()).collect()).collect();
        expected.sort();
        assert_eq!(rows::sorted(&batches, &people().project(&wanted).unwrap()), expected);
    }
}

/// No rows: the readers end, without an error.
pub async fn an_empty_stream_ends_at_once(harness: &dyn Harness) {
    let place = Place::new(harness);
    let job = place.job("none").parallel(3);
    place.load(&job, &people(), &[]).await.unwrap();
    assert!(place.rows(&job, &people()).await.is_empty());
}

/// A reader that is dropped early leaves nothing that a later read or load waits for.
pub async fn a_dropped_reader_hinders_nobody(harness: &dyn Harness) {
    let place = Place::new(harness);
    let job = Job { batch_bytes: 16 << 10, ..place.job("drop") };
    place.load(&job, &people(), &person_batches(0..5000, "a", 5000)).await.unwrap();
    let stream = place.stream(&place.target(&job)).await;
    let request = levada_core::source::ReadRequest {
        columns: stream.schema.clone(),
        stream,
        mode: ReadMode::Full,
        raw: None,
        only: Vec::new(),
        limit: None,
        readers: 2,
        batch_bytes: 16 << 10,
    };
    let mut extract = place.source.read(request).await.unwrap();
    let _first = extract.readers[0].next().await.unwrap();
    drop(extract);
    let (schema, batches) = (people(), person_batches(0..10, "b", 10));
    let again = place.load(&job, &schema, &batches);
    tokio::time::timeout(std::time::Duration::from_secs(30), again).await.expect("not blocked").unwrap();
    assert_eq!(place.rows(&job, &people()).await, persons(0..10, "b"));
}

/// One incremental read: its rows (without the mark), the marked ones, and the position.
async fn incremental(
    place: &Place<'_>,
    job: &Job,
    schema: &Schema,
    cursor: &str,
    from: Option<Position>,
    lag: Option<&str>,
) -> (Vec<Row>, Vec<Row>, Option<Position>) {
    let mode = ReadMode::Incremental {
        cursor: Some(cursor.to_owned()),
        from,
        lag: lag.map(str::to_owned),
        mark_overlap: true,
    };
    let job = Job { read: mode, readers: 3, ..job.clone() };
    let stream = place.stream(&place.target(&job)).await;
    let (batches, position) = pump::read(place.source.as_ref(), &stream, stream.schema.clone(), &job).await.unwrap();
    let mut marked = Vec::new();
    for batch in &batches {
        let Data::Arrow(data) = &batch.data else { panic!("raw rows") };
        let last = data.num_columns() - 1;
        assert_eq!(data.schema().field(last).name(), OVERLAP_COLUMN);
        let marks = rows::of(&data.project(&[last]).unwrap());
        let of = rows::cast_to(data, schema);
        marked.extend(of.into_iter().zip(marks).filter(|(_, mark)| mark[0].as_deref() == Some("true")).map(|(r, _)| r));
    }
    marked.sort();
    (rows::sorted(&batches, schema), marked, position)
}

/// First everything, then only later rows, then nothing, with the position standing still.
pub async fn a_cursor_reads_only_what_is_new(harness: &dyn Harness) {
    if !harness.capabilities().cursor {
        return;
    }
    let place = Place::new(harness);
    let job = place.job("cursor").write(WriteMode::Append);
    place.load(&job, &people(), &person_batches(0..100, "a", 100)).await.unwrap();
    let (all, marked, first) = incremental(&place, &job, &people(), "id", None, None).await;
    assert_eq!(all, persons(0..100, "a"));
    assert_eq!(marked, persons(99..100, "a"), "the rows at the cursor are marked");
    let first = first.expect("a read of rows has a position");
    assert_eq!(first.0["cursor"], "99", "{first:?}");
    place.load(&job, &people(), &person_batches(100..130, "a", 30)).await.unwrap();
    let (new, _, second) = incremental(&place, &job, &people(), "id", Some(first), None).await;
    assert_eq!(new, persons(99..130, "a"), "inclusive");
    let second = second.unwrap();
    let (again, _, third) = incremental(&place, &job, &people(), "id", Some(second.clone()), None).await;
    assert_eq!(again, persons(129..130, "a"));
    assert_eq!(third, Some(second.clone()), "no new rows: the position stays");
    // Rows below the cursor only: nothing is read, the position still stays.
    place
        .load(&Job { write: WriteMode::Replace, ..job.clone() }, &people(), &person_batches(0..5, "b", 5))
        .await
        .unwrap();
    let (none, _, fourth) = incremental(&place, &job, &people(), "id", Some(second.clone()), None).await;
    assert!(none.is_empty(), "{none:?}");
    assert_eq!(fourth, Some(second));
}

/// Rows with the cursor value of the last position come again, all marked.
pub async fn a_cursor_includes_ties(harness: &dyn Harness) {
    if !harness.capabilities().cursor {
        return;
    }
    let place = Place::new(harness);
    let job = place.job("ties").write(WriteMode::Append);
    let at = |id: i64, at: &str| row(&[Some(&id.to_string()), None, Some("1.00"), Some(at)]);
    let (t1, t2) = ("2024-05-01T10:00:00.000001", "2024-05-01T10:00:00.000002");
    let first = [at(1, t1), at(2, t2), at(3, t2)];
    place.load(&job, &people(), &[rows::batch(&people(), &first)]).await.unwrap();
    let (all, marked, position) = incremental(&place, &job, &people(), "at", None, None).await;
    assert_eq!((all.as_slice(), marked.as_slice()), (&first[..], &first[1..]));
    place.load(&job, &people(), &[rows::batch(&people(), &[at(4, t2)])]).await.unwrap();
    let (again, marked, same) = incremental(&place, &job, &people(), "at", position.clone(), None).await;
    assert_eq!(again, [at(2, t2), at(3, t2), at(4, t2)]);
    assert_eq!(marked, again);
    assert_eq!(same, position);
}

/// A lag reads again what lies within it, and marks what the next read will see again.
pub async fn a_cursor_looks_back_by_its_lag(harness: &dyn Harness) {
    if !harness.capabilities().cursor {
        return;
    }
    let place = Place::new(harness);
    for (cursor, lag) in [("id", "5"), ("at", "5s")] {
        let job = place.job("lag").write(WriteMode::Append);
        place.load(&job, &people(), &person_batches(0..50, "a", 50)).await.unwrap();
        let (all, marked, position) = incremental(&place, &job, &people(), cursor, None, Some(lag)).await;
        assert_eq!(all.len(), 50);
        assert_eq!(marked, persons(44..50, "a"), "marks by {cursor}");
        place.load(&job, &people(), &person_batches(50..53, "a", 3)).await.unwrap();
        let (again, marked, _) = incremental(&place, &job, &people(), cursor, position, Some(lag)).await;
        assert_eq!(again, persons(44..53, "a"), "re-read by {cursor}");
        assert_eq!(marked, persons(47..53, "a"), "marks by {cursor}");
    }
}

/// NULL cursors belong to the first read and to no other.
pub async fn rows_without_a_cursor_value_are_read_once(harness: &dyn Harness) {
    if !harness.capabilities().cursor {
        return;
    }
    let place = Place::new(harness);
    let job = place.job("null_cursor").write(WriteMode::Append);
    let mut given: Vec<Row> = (0..10).map(|id| person(id, "a")).collect();
    given[3][3] = None;
    given[7][3] = None;
    place.load(&job, &people(), &[rows::batch(&people(), &given)]).await.unwrap();
    let (all, marked, position) = incremental(&place, &job, &people(), "at", None, None).await;
    let mut expected = given.clone();
    expected.sort();
    assert_eq!(all, expected);
    assert_eq!(marked, [given[9].clone()]);
    let (again, ..) = incremental(&place, &job, &people(), "at", position, None).await;
    assert_eq!(again, [given[9].clone()]);
}

/// Nothing read, nowhere to go on from.
pub async fn an_empty_first_read_has_no_position(harness: &dyn Harness) {
    if !harness.capabilities().cursor {
        return;
    }
    let place = Place::new(harness);
    let job = place.job("no_position");
    place.load(&job, &people(), &[]).await.unwrap();
    let (all, marked, position) = incremental(&place, &job, &people(), "id", None, None).await;
    assert!(all.is_empty() && marked.is_empty());
    assert_eq!(position, None);
}

/// Every type that has an order can be a cursor, to its last digit.
pub async fn cursors_of_every_ordered_type(harness: &dyn Harness) {
    if !harness.capabilities().cursor {
        return;
    }
    let place = Place::new(harness);
    let cases: [(DataType, [&str; 4]); 8] = [
        (DataType::Int16, ["-5", "0", "9", "10"]),
        (DataType::Int64, ["-9223372036854775808", "-1", "9007199254740992", "9007199254740993"]),
        (DataType::Decimal128(20, 4), ["-10.5000", "9.9999", "10.0000", "100.0001"]),
        (DataType::Float64, ["-1.5", "0.1", "9", "1e20"]),
        (DataType::Utf8, ["a", "b", "b ", "c's \"x\""]),
        (DataType::Date32, ["1969-12-31", "1999-12-31", "2024-02-29", "9999-12-31"]),
        (
            timestamp(),
            [
                "1969-12-31T23:59:59.999999",
                "2024-01-01T00:00:00",
                "2024-01-01T00:00:00.000001",
                "2024-01-01T00:00:00.1",
            ],
        ),
        (
            timestamp_utc(),
            [
                "1969-12-31T23:59:59.999999Z",
                "2024-01-01T00:00:00Z",
                "2024-01-01T00:00:00.000001Z",
                "2024-01-01T00:00:00.1Z",
            ],
        ),
    ];
    for (data_type, values) in cases {
        let schema: SchemaRef = Arc::new(Schema::new(vec![Field::new("c", data_type.clone(), true)]));
        let of = |values: &[&str]| values.iter().map(|v| row(&[Some(v)])).collect::<Vec<_>>();
        let sorted = |values: &[&str]| {
            let mut rows = of(values);
            rows.sort();
            rows
        };
        let job = place.job("cursors").write(WriteMode::Append);
        place.load(&job, &schema, &[rows::batch(&schema, &of(&values[..2]))]).await.unwrap();
        let (all, marked, position) = incremental(&place, &job, &schema, "c", None, None).await;
        assert_eq!(all, sorted(&values[..2]), "{data_type}");
        assert_eq!(marked, of(&values[1..2]), "{data_type}");
        place.load(&job, &schema, &[rows::batch(&schema, &of(&values[2..]))]).await.unwrap();
        let (new, marked, position) = incremental(&place, &job, &schema, "c", position, None).await;
        assert_eq!(new, sorted(&values[1..]), "{data_type}");
        assert_eq!(marked, of(&values[3..]), "{data_type}");
        let (last, _, same) = incremental(&place, &job, &schema, "c", position.clone(), None).await;
        assert_eq!((last, same), (of(&values[3..]), position), "{data_type}");
    }
}

/// Rows of a list of batches, for tests of connectors that look at single batches.
pub fn rows_of(batches: &[Batch]) -> usize {
    batches.iter().map(|batch| batch.rows() as usize).sum()
}
