//! How a query ends: within its memory by way of the disk, at once when nobody wants it any more, with the error of the
//! source that failed, and never otherwise.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arrow_array::{Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use futures_util::future::BoxFuture;
use levada_core::batch::{Batch, Data};
use levada_core::connector::{CheckStep, Connection};
use levada_core::destination::Destination;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::query::{Query, QueryEngine};
use levada_core::source::{Extract, ReadRequest, Reader, Source, StreamInfo};
use levada_sql::Sql;

use crate::support::{everything, params, query, run, stream};

/// A stream of numbers, `id` from 0 on and a long text of each, that is never there as a whole.
struct Series {
    rows: i64,
    fails_at: Option<i64>,
    open: Arc<AtomicUsize>,
    asked: std::sync::Mutex<Vec<Vec<String>>>,
}

impl Series {
    fn new(rows: i64) -> Arc<Self> {
        Arc::new(Self { rows, fails_at: None, open: Arc::default(), asked: std::sync::Mutex::default() })
    }

    fn schema() -> SchemaRef {
        Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, false), Field::new("text", DataType::Utf8, false)]))
    }
}

impl Connection for Series {
    fn address(&self) -> String {
        "series".to_owned()
    }

    fn source(self: Arc<Self>) -> Result<Arc<dyn Source>> {
        Ok(self)
    }

    fn destination(self: Arc<Self>) -> Result<Arc<dyn Destination>> {
        Err(Error::new(ErrorKind::Unsupported, "read only"))
    }

    fn check(&self) -> BoxFuture<'_, Vec<CheckStep>> {
        Box::pin(async { Vec::new() })
    }
}

impl Source for Series {
    fn discover<'a>(&'a self, _: Option<&'a str>) -> BoxFuture<'a, Result<Vec<StreamInfo>>> {
        Box::pin(async {
            Ok(vec![StreamInfo {
                name: "s".to_owned(),
                namespace: None,
                table: "s".to_owned(),
                schema: Self::schema(),
                key: Vec::new(),
                rows_estimate: None,
                bytes_estimate: None,
                raw: None,
                typed_by_request: false,
            }])
        })
    }

    fn read<'a>(&'a self, request: ReadRequest) -> BoxFuture<'a, Result<Extract>> {
        let names = request.columns.fields().iter().map(|field| field.name().clone()).collect();
        self.asked.lock().unwrap().push(names);
        let readers = (0..request.readers as i64).map(|number| {
            self.open.fetch_add(1, Ordering::SeqCst);
            Box::new(Numbers {
                next: number,
                step: request.readers as i64,
                rows: self.rows,
                fails_at: self.fails_at,
                columns: request.columns.clone(),
                open: self.open.clone(),
            }) as Box<dyn Reader>
        });
        let readers = readers.collect();
        Box::pin(async { Ok(Extract { readers, position: None, warnings: Vec::new(), again: Vec::new() }) })
    }
}

struct Numbers {
    next: i64,
    step: i64,
    rows: i64,
    fails_at: Option<i64>,
    columns: SchemaRef,
    open: Arc<AtomicUsize>,
}

impl Reader for Numbers {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Batch>>> {
        Box::pin(async move {
            let ids: Vec<i64> = (0..1000).map(|n| self.next + n * self.step).filter(|id| *id < self.rows).collect();
            self.next += 1000 * self.step;
            if self.fails_at.is_some_and(|at| self.next > at) {
                return Err(Error::new(ErrorKind::Connect, "the server went away").at("series"));
            }
            if ids.is_empty() {
                return Ok(None);
            }
            let columns = self.columns.fields().iter().map(|field| match field.name().as_str() {
                "id" => Arc::new(Int64Array::from(ids.clone())) as Arc<dyn Array>,
                // in another order than the numbers
                _ => Arc::new(StringArray::from_iter_values(ids.iter().map(|id| text(*id)))),
            });
            Ok(Some(Batch::arrow(RecordBatch::try_new(self.columns.clone(), columns.collect()).unwrap())))
        })
    }
}

impl Drop for Numbers {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
    }
}

fn text(id: i64) -> String {
    format!("{:016x}{}", (id as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15), "-".repeat(84))
}

fn over(series: &Arc<Series>, sql: &str, spill: &std::path::Path) -> Query {
    query(sql, &[("n", series.clone())], spill)
}

fn files(folder: &std::path::Path) -> usize {
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

/// A temporary folder is gone a moment after the query.
async fn becomes_empty(folder: &std::path::Path) {
    for _ in 0..40 {
        if files(folder) == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{} files are left", files(folder));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sort_larger_than_its_memory_goes_over_the_disk() {
    let (folder, series) = (tempfile::tempdir().unwrap(), Series::new(600_000));
    let mut query = over(&series, "SELECT text, id FROM n.s ORDER BY text", folder.path());
    query.memory_bytes = 24 << 20;
    let source = Sql::new().source(query).unwrap();
    let stream = stream(source.as_ref()).await.unwrap();
    let extract = source.read(everything(stream)).await.unwrap();
    let (mut rows, mut last, mut sum, mut spilled) = (0, String::new(), 0, 0);
    for mut reader in extract.readers {
        while let Some(batch) = reader.next().await.unwrap() {
            spilled = spilled.max(files(folder.path()));
            let Data::Arrow(batch) = batch.data else { panic!() };
            let texts = batch.column(0).as_any().downcast_ref::<StringArray>().unwrap();
            let ids = batch.column(1).as_any().downcast_ref::<Int64Array>().unwrap();
            for row in 0..batch.num_rows() {
                assert!(texts.value(row) > last.as_str(), "row {rows} is out of order");
                assert_eq!(texts.value(row), text(ids.value(row)));
                last = texts.value(row).to_owned();
                sum += ids.value(row);
                rows += 1;
            }
        }
    }
    assert_eq!((rows, sum), (600_000, (0..600_000_i64).sum::<i64>()));
    assert!(spilled > 0, "nothing was spilled: the test is too small");
    drop(source);
    becomes_empty(folder.path()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_disk_is_not_filled() {
    let (folder, series) = (tempfile::tempdir().unwrap(), Series::new(600_000));
    let mut query = over(&series, "SELECT text, id FROM n.s ORDER BY text", folder.path());
    (query.memory_bytes, query.spill_bytes) = (24 << 20, 4 << 20);
    let error = run(query).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full, "{error}");
    assert!(error.to_string().contains("spilled to disk is over its limit"), "{error}");
    becomes_empty(folder.path()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_aggregate_larger_than_its_memory_goes_over_the_disk() {
    let (folder, series) = (tempfile::tempdir().unwrap(), Series::new(300_000));
    let sql = "SELECT count(*) AS n, sum(c) AS rows, max(m) AS most FROM \
               (SELECT text, count(*) AS c, max(id) AS m FROM n.s GROUP BY text) z";
    let mut query = over(&series, sql, folder.path());
    query.memory_bytes = 16 << 20;
    let (_, rows) = run(query).await.unwrap();
    let texts: Vec<&str> = rows[0].iter().flatten().map(String::as_str).collect();
    assert_eq!(texts, ["300000", "300000", "299999"]);
    becomes_empty(folder.path()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_over_its_memory_is_refused_with_the_remedy() {
    let (folder, series) = (tempfile::tempdir().unwrap(), Series::new(300_000));
    let sql = "SELECT count(*) AS n FROM n.s a JOIN n.s b ON a.text = b.text";
    let mut query = over(&series, sql, folder.path());
    query.memory_bytes = 8 << 20;
    let error = run(query).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full, "{error:?}");
    assert!(error.to_string().contains("8 MiB") && error.advice().contains("`memory`"), "{error}");
    becomes_empty(folder.path()).await;
    let open = series.open.clone();
    for _ in 0..40 {
        if open.load(Ordering::SeqCst) == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{} readers are left", open.load(Ordering::SeqCst));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_over_its_memory_is_refused_with_the_remedy() {
    let (folder, series) = (tempfile::tempdir().unwrap(), Series::new(300_000));
    let sql = "SELECT max(n) AS n FROM (SELECT text, count(*) OVER () AS n FROM n.s) z WHERE text <> ''";
    let mut query = over(&series, sql, folder.path());
    query.memory_bytes = 8 << 20;
    let error = run(query).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full, "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_drops_the_reader_ends_the_work_soon() {
    // a batch is sorted in one go: unoptimised code on a busy machine takes its time for that
    let limit = Duration::from_secs(3);
    for (rows, sql) in [
        (100_000, "SELECT a.id AS x FROM n.s a CROSS JOIN n.s b WHERE a.id + b.id < -1"),
        (100_000, "SELECT count(*) AS n FROM n.s a JOIN n.s b ON a.id <> b.id + 1"),
        (100_000, "SELECT a.id % 7 AS k, sum(b.id) AS n FROM n.s a, n.s b GROUP BY a.id % 7 ORDER BY 1"),
        (20_000_000, "SELECT text FROM n.s ORDER BY text"),
    ] {
        let (folder, series) = (tempfile::tempdir().unwrap(), Series::new(rows));
        let source = Sql::new().source(over(&series, sql, folder.path())).unwrap();
        let stream = stream(source.as_ref()).await.unwrap();
        let mut extract = source.read(everything(stream)).await.unwrap();
        let mut reader = extract.readers.remove(0);
        let waited = tokio::time::timeout(Duration::from_millis(700), reader.next()).await;
        assert!(
            waited.is_err(),
            "{sql} ended by itself: {:?}",
            waited.map(|end| end.map(|batch| batch.map(|b| b.rows())))
        );
        let start = Instant::now();
        drop(reader);
        while series.open.load(Ordering::SeqCst) > 0 {
            assert!(start.elapsed() < limit, "{sql}: {} readers are at work", series.open.load(Ordering::SeqCst));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        drop((extract, source));
        becomes_empty(folder.path()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_of_a_source_keeps_its_kind_and_says_which_stream() {
    let folder = tempfile::tempdir().unwrap();
    for sql in
        ["SELECT id FROM n.s", "SELECT text, count(*) FROM n.s GROUP BY text", "SELECT id FROM n.s ORDER BY text"]
    {
        let series = Arc::new(Series { fails_at: Some(50_000), ..Arc::into_inner(Series::new(100_000)).unwrap() });
        let error = run(over(&series, sql, folder.path())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
        assert_eq!(error.message(), "the server went away");
        assert!(error.to_string().contains("`n.s`"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_columns_that_are_needed_are_read() {
    let (folder, series) = (tempfile::tempdir().unwrap(), Series::new(1_000));
    for (sql, columns) in [
        ("SELECT count(*) AS n FROM n.s", vec!["id"]),
        ("SELECT text FROM n.s WHERE id < 3", vec!["id", "text"]),
        ("SELECT max(text) AS m FROM n.s", vec!["text"]),
    ] {
        series.asked.lock().unwrap().clear();
        run(over(&series, sql, folder.path())).await.unwrap();
        assert_eq!(*series.asked.lock().unwrap(), [columns], "{sql}");
    }
    // of the query's own columns, too
    let source = Sql::new().source(over(&series, "SELECT id, text FROM n.s", folder.path())).unwrap();
    let stream = stream(source.as_ref()).await.unwrap();
    let mut request = everything(stream);
    request.columns = Arc::new(request.columns.project(&[1]).unwrap());
    series.asked.lock().unwrap().clear();
    let mut extract = source.read(request).await.unwrap();
    let mut rows = 0;
    while let Some(batch) = extract.readers[0].next().await.unwrap() {
        let Data::Arrow(batch) = batch.data else { panic!() };
        assert_eq!(batch.schema().field(0).name(), "text");
        rows += batch.num_rows();
    }
    assert_eq!(rows, 1_000);
    assert_eq!(*series.asked.lock().unwrap(), [["text"]]);
    assert!(extract.readers[0].next().await.unwrap().is_none(), "an end stays one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parameters_are_values_and_never_text_of_the_query() {
    let (folder, series) = (tempfile::tempdir().unwrap(), Series::new(100));
    let mut query = over(
        &series,
        "SELECT $text AS t, $whole AS w, $part AS p, $yes AS y, id FROM n.s WHERE id = $whole AND ($none IS NULL)",
        folder.path(),
    );
    let hostile = "x' OR 1=1; DROP TABLE s; --";
    query.params = params(
        serde_json::json!({ "text": hostile, "whole": 7, "part": -0.5, "yes": true, "none": null, "unused": 1 }),
    );
    let (_, rows) = run(query.clone()).await.unwrap();
    let texts: Vec<&str> = rows[0].iter().flatten().map(String::as_str).collect();
    assert_eq!((rows.len(), texts), (1, vec![hostile, "7", "-0.5", "true", "7"]));
    query.params.remove("whole");
    let error = Sql::new().source(query.clone()).err().unwrap();
    assert!(error.kind() == ErrorKind::Config && error.to_string().contains("$whole"), "{error}");
    query.params.insert("whole".to_owned(), serde_json::json!([1]));
    let error = run(query).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Config && error.to_string().contains("$whole"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_connection_is_told_with_the_nearest() {
    let (folder, series) = (tempfile::tempdir().unwrap(), Series::new(1));
    let query = query("SELECT * FROM shopp.s", &[("shop", series)], folder.path());
    let error = Sql::new().source(query).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("`shopp`") && error.advice().contains("`shop`"), "{error}");
}

/// The deepest expressions that are accepted run on the small stacks of worker threads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_deepest_query_that_is_accepted_runs() {
    let (folder, series) = (tempfile::tempdir().unwrap(), Series::new(1_000));
    let or: Vec<String> = (0..240).map(|n| format!("id * {n} = 7 + id")).collect();
    let sum = vec!["id"; 240].join(" + ");
    let case: String = (0..60).map(|n| format!("CASE WHEN id = {n} THEN id ELSE ")).collect();
    let nested = format!("{case} 0 {}", "END ".repeat(60));
    for sql in [
        format!("SELECT count(*) AS n FROM n.s WHERE {}", or.join(" OR ")),
        format!("SELECT max({sum}) AS n FROM n.s"),
        format!("SELECT max({nested}) AS n FROM n.s"),
        vec!["SELECT 1 AS n"; 240].join(" UNION ALL "),
        (0..50).fold("SELECT 1 AS n".to_owned(), |inner, _| format!("SELECT n FROM ({inner}) x")),
    ] {
        let (_, rows) = run(over(&series, &sql, folder.path())).await.unwrap_or_else(|e| panic!("{sql:.80}: {e:?}"));
        assert!(!rows.is_empty());
    }
    let list: Vec<String> = (0..5_000).map(|n| n.to_string()).collect();
    let sql = format!("SELECT count(*) AS n FROM n.s WHERE id IN ({})", list.join(","));
    let (_, rows) = run(over(&series, &sql, folder.path())).await.unwrap();
    assert_eq!(rows, [vec![Some("1000".to_owned())]]);
}
