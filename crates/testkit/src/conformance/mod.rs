//! What every connector must do, as functions that panic where it does not. A connector's tests give a [`Harness`] and
//! call [`source_suite!`](crate::source_suite) and [`destination_suite!`](crate::destination_suite), which make one test of each function.

pub mod conditions;
pub mod destination;
pub mod rows;
pub mod source;
pub mod values;

#[doc(hidden)]
pub use self::rows::{
    attacks as rows_attacks, changes as rows_changes, deletes as rows_deletes, lists as rows_lists,
    reports as rows_reports, tables as rows_tables,
};

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use futures_util::future::BoxFuture;
use levada_core::batch::Batch;
use levada_core::connector::Connection;
use levada_core::destination::Destination;
use levada_core::error::Result;
use levada_core::schema::timestamp;
use levada_core::source::{ReadMode, Source, StreamInfo};

use crate::pump::{self, Job, Outcome};
use crate::rows::{self as row_texts, Row};

/// What a connector's tests give to the suites: a connection to a place that is empty at the start of the test.
pub trait Harness: Send + Sync {
    /// A new connection to the place; equal calls lead to the same place.
    fn connection(&self) -> Arc<dyn Connection>;

    /// The namespace the suites write to.
    fn namespace(&self) -> Option<String> {
        None
    }

    /// What the system can do at all.
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    /// The text that a value of [`values::table`] reads back as, where the connector's type table declares another outcome
    /// than the same value.
    fn declared_outcome(&self, _column: &str, _value: &str) -> Option<&'static str> {
        None
    }

    /// Executes one SQL statement; only called if `capabilities().sql`.
    fn execute<'a>(&'a self, statement: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move { panic!("this harness has no SQL: {statement}") })
    }

    /// Names of staging tables, temporary files and the like that are there now; sources do not show them.
    fn remains(&self) -> BoxFuture<'_, Vec<String>> {
        Box::pin(async { Vec::new() })
    }

    /// A query in the system's own words, from one in which names are quoted by `"`.
    fn report_sql(&self, sql: &str) -> String {
        sql.to_owned()
    }

    /// Quotes a target's full name for SQL; only called if `capabilities().sql`.
    fn quoted(&self, target: &str) -> String {
        target.to_owned()
    }
}

/// What a system can do; the suites skip what it can not, and only that.
#[derive(Debug, Clone, Copy)]
pub struct Capabilities {
    /// It speaks SQL: `CREATE TABLE`, `CHECK`, views.
    pub sql: bool,
    /// It has `Merge`.
    pub merge: bool,
    /// It reads incrementally by a cursor column.
    pub cursor: bool,
    /// An existing target can get more columns.
    pub adds_columns: bool,
    /// An existing integer column can become wider.
    pub widens: bool,
    /// NULLs can be let into an existing NOT NULL column.
    pub lifts_not_null: bool,
    /// An append to an existing target is possible.
    pub appends: bool,
    /// Rows leave the quarantine in the commit that loads them again.
    pub replays: bool,
}

impl Default for Capabilities {
    fn default() -> Self {
        Self {
            sql: true,
            merge: true,
            cursor: true,
            adds_columns: true,
            widens: true,
            lifts_not_null: true,
            replays: true,
            appends: true,
        }
    }
}

/// A place under test with its two faces, and the shorthand the suites are written in.
pub(crate) struct Place<'h> {
    pub(crate) harness: &'h dyn Harness,
    pub(crate) source: Arc<dyn Source>,
    pub(crate) destination: Arc<dyn Destination>,
}

impl<'h> Place<'h> {
    pub(crate) fn new(harness: &'h dyn Harness) -> Self {
        let connection = harness.connection();
        let source = connection.clone().source().expect("the connection is a source");
        let destination = connection.destination().expect("the connection is a destination");
        Self { harness, source, destination }
    }

    /// A job for a target that no other test uses.
    pub(crate) fn job(&self, case: &str) -> Job {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        self.job_named(&format!("{case}_{}_{number}", std::process::id()))
    }

    pub(crate) fn job_named(&self, table: &str) -> Job {
        Job::new(self.harness.namespace().as_deref(), table)
    }

    pub(crate) fn target(&self, job: &Job) -> String {
        self.destination.target(job.namespace.as_deref(), &job.table)
    }

    pub(crate) async fn load(&self, job: &Job, schema: &SchemaRef, batches: &[RecordBatch]) -> Result<Outcome> {
        pump::load(self.destination.as_ref(), job, schema, batches).await
    }

    /// The one stream of a target, as the source discovers it.
    pub(crate) async fn stream(&self, target: &str) -> StreamInfo {
        let mut found = self.source.discover(Some(target)).await.unwrap();
        assert_eq!(found.len(), 1, "`{target}` selects just its own stream: {found:?}");
        found.remove(0)
    }

    pub(crate) async fn batches(&self, target: &str, job: &Job) -> Vec<Batch> {
        let stream = self.stream(target).await;
        pump::read(self.source.as_ref(), &stream, stream.schema.clone(), job).await.unwrap().0
    }

    /// All rows of a job's target, ordered, as values of `schema`.
    pub(crate) async fn rows(&self, job: &Job, schema: &Schema) -> Vec<Row> {
        let full = Job { read: ReadMode::Full, ..job.clone() };
        row_texts::sorted(&self.batches(&self.target(job), &full).await, schema)
    }

    /// Names of things that a finished or aborted load should have removed.
    pub(crate) async fn remains(&self) -> Vec<String> {
        self.harness.remains().await
    }
}

/// `id` (key, not null), `name`, `amount`, `at`: the table of most cases.
pub(crate) fn people() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("name", DataType::Utf8, true),
        Field::new("amount", DataType::Decimal128(12, 2), true),
        Field::new("at", timestamp(), true),
    ]))
}

/// Rows `ids` of [`people`], `version` telling one generation from another.
pub(crate) fn person(id: i64, version: &str) -> Row {
    vec![
        Some(id.to_string()),
        (id % 7 != 3).then(|| format!("näme {id} {version}")),
        Some(format!("{id}.{:02}", id % 100)),
        Some(format!("2024-01-01T00:{:02}:{:02}", id / 60 % 60, id % 60)),
    ]
}

/// Many of [`person`], ordered.
pub(crate) fn persons(ids: std::ops::Range<i64>, version: &str) -> Vec<Row> {
    let mut rows: Vec<Row> = ids.map(|id| person(id, version)).collect();
    rows.sort();
    rows
}

/// The same as batches of `size` rows.
pub(crate) fn person_batches(ids: std::ops::Range<i64>, version: &str, size: usize) -> Vec<RecordBatch> {
    let rows: Vec<Row> = ids.map(|id| person(id, version)).collect();
    rows.chunks(size).map(|chunk| row_texts::batch(&people(), chunk)).collect()
}

/// One test per function of a suite.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_tests {
    ($suite:ident, $harness:expr, [$($case:ident),* $(,)?]) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let harness = $harness.await;
                $crate::conformance::$suite::$case(&harness).await;
            }
        )*
    };
}
