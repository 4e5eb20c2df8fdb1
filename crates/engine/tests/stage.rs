//! What these tests share: two systems in memory and a job between them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use levada_core::config::{Backoff, Columns, OnBadRow, Parallel, ReadKind, Retry, StreamOptions, Sync, Verify};
use levada_core::connector::Connection;
use levada_core::destination::WriteMode;
use levada_core::error::Result;
use levada_core::position::StreamKey;
use levada_core::schema::OnSchemaChange;
use levada_engine::progress::Progress;
use levada_engine::report::{Report, StreamReport};
use levada_engine::run::{SyncJob, run};
use levada_testkit::memory::Memory;
use levada_testkit::rows::{Row, row};
use tokio_util::sync::CancellationToken;

/// Columns `id`, `seen` (the cursor), `name`.
pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("seen", DataType::Int64, true),
        Field::new("name", DataType::Utf8, true),
    ]))
}

/// Rows `from..to`, each with its id as the cursor.
pub fn rows(from: i64, to: i64) -> Vec<Row> {
    (from..to).map(|id| numbered(id, id, &format!("row {id}"))).collect()
}

/// One row.
pub fn numbered(id: i64, seen: i64, name: &str) -> Row {
    row(&[Some(&id.to_string()), Some(&seen.to_string()), Some(name)])
}

/// Reads everything, replaces everything.
pub fn full() -> StreamOptions {
    StreamOptions {
        read: ReadKind::Full,
        cursor: None,
        lag: None,
        key: Vec::new(),
        write: WriteMode::Replace,
        rename: None,
        columns: Columns::default(),
        on_bad_row: OnBadRow::Fail,
        on_schema_change: OnSchemaChange::Evolve,
        verify: Verify::Counts,
        paused: false,
        transform: BTreeMap::new(),
    }
}

/// Reads what is new by `seen`, and appends it.
pub fn append() -> StreamOptions {
    StreamOptions { read: ReadKind::Incremental, cursor: Some("seen".to_owned()), write: WriteMode::Append, ..full() }
}

/// Reads what is new by `seen`, and merges it by `id`.
pub fn merge() -> StreamOptions {
    StreamOptions { key: vec!["id".to_owned()], write: WriteMode::Merge, ..append() }
}

/// A job that loads stream `t`.
pub fn job(source: Arc<dyn Connection>, destination: Arc<dyn Connection>, options: StreamOptions) -> SyncJob {
    SyncJob {
        pipeline: "test/load".to_owned(),
        sync: Sync {
            from: "source".to_owned(),
            to: "destination".to_owned(),
            streams: vec![("t".to_owned(), options)],
            keys: BTreeMap::new(),
            parallel: Parallel { readers: Some(2), writers: Some(2) },
            memory_bytes: 1 << 20,
        },
        source,
        destination,
        keep_namespaces: false,
        full_refresh: false,
        only_stream: None,
        once: None,
        retry: Retry { attempts: 1, backoff: Backoff::Constant, initial: Duration::ZERO, max: Duration::ZERO },
        stop: CancellationToken::new(),
    }
}

/// Where the state of stream `t` is stored.
pub fn key() -> StreamKey {
    StreamKey { pipeline: "test/load".to_owned(), stream: "t".to_owned() }
}

/// Runs a job.
pub async fn carry_out(job: SyncJob) -> Result<Report> {
    run(job, Arc::new(Progress::default())).await
}

/// Runs a job between two systems in memory; the report of its one stream.
pub async fn load(source: &Memory, target: &Memory, options: StreamOptions) -> StreamReport {
    let job = job(Arc::new(source.clone()), Arc::new(target.clone()), options);
    let mut report = carry_out(job).await.unwrap();
    report.streams.remove(0)
}
