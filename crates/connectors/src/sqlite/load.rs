//! One load: one write transaction on one thread, which owns the connection from `begin` to the commit.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use arrow_array::RecordBatch;
use futures_util::future::BoxFuture;
use levada_core::batch::{Batch, Data};
use levada_core::destination::{Accepted, Durable, Load, LoadEnd, LoadPlan, LoadSpec, WriteMode, Writer};
use levada_core::error::{Context, Error, ErrorKind, Result};
use levada_core::position::{Commit, StreamKey};
use levada_core::text;
use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::sink::Sink;
use super::{File, ddl, destination, discover, error, quote};
use crate::kit::state::{POSITIONS, REJECTS};

/// A file takes one writer at a time. Loads of one process wait here for their turn, without a limit; other processes
/// are waited for as long as `busy_timeout_s` says.
static GATES: LazyLock<Mutex<HashMap<PathBuf, Arc<Gate>>>> = LazyLock::new(Mutex::default);

struct Gate {
    turn: Arc<Semaphore>,
    held: Mutex<HashSet<StreamKey>>,
}

/// The right to load one stream, given back on drop.
struct Held {
    gate: Arc<Gate>,
    key: StreamKey,
}

impl Held {
    fn take(path: &Path, key: &StreamKey) -> Result<Self> {
        let mut gates = GATES.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Gate { turn: Arc::new(Semaphore::new(1)), held: Mutex::default() });
        let gate = gates.entry(path.to_owned()).or_insert_with(new).clone();
        if !gate.held.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone()) {
            return Err(Error::new(ErrorKind::Busy, format!("another load of `{}` is running", key.stream)));
        }
        Ok(Self { gate, key: key.clone() })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.gate.held.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

enum Command {
    Write(RecordBatch, oneshot::Sender<Result<Accepted>>),
    Commit(LoadEnd, oneshot::Sender<Result<Durable>>),
    Abort(oneshot::Sender<()>),
}

/// A load in progress. When it and its writers are dropped, its thread rolls back.
pub struct SqliteLoad {
    commands: mpsc::Sender<Command>,
    writer_taken: bool,
}

/// Waits for the file's turn and starts the thread with the transaction open and the target ready.
pub async fn begin(file: &File, spec: LoadSpec, plan: LoadPlan) -> Result<SqliteLoad> {
    let mut held = Held::take(&file.path, &spec.key);
    for _ in 0..20 {
        // A load that was just dropped needs a moment to roll back.
        if held.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        held = Held::take(&file.path, &spec.key);
    }
    let held = held?;
    let turn = held.gate.turn.clone().acquire_owned().await;
    let turn = turn.map_err(|_| Error::new(ErrorKind::Internal, "the turn of a SQLite file was closed"))?;
    let (commands, receiver) = mpsc::channel(1);
    let (ready, answer) = oneshot::channel();
    let thread = Thread { file: file.clone(), spec, plan, receiver, _held: held, _turn: turn };
    // Owned by `commands`: the thread ends with a commit, an abort, or when all senders are gone.
    std::thread::Builder::new().name("sqlite-load".to_owned()).spawn(move || thread.run(ready)).map_err(Error::from)?;
    answer.await.map_err(|_| gone())??;
    Ok(SqliteLoad { commands, writer_taken: false })
}

fn gone() -> Error {
    Error::new(ErrorKind::Internal, "the thread that writes to SQLite has ended already")
}

impl Load for SqliteLoad {
    fn writers(&mut self) -> BoxFuture<'_, Result<Vec<Box<dyn Writer>>>> {
        Box::pin(async move {
            if std::mem::replace(&mut self.writer_taken, true) {
                return Err(Error::new(ErrorKind::Internal, "the writers of a load were asked for twice"));
            }
            let writer = SqliteWriter { commands: self.commands.clone(), pending: None };
            Ok(vec![Box::new(writer) as Box<dyn Writer>])
        })
    }

    fn commit<'a>(&'a mut self, end: LoadEnd) -> BoxFuture<'a, Result<Durable>> {
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            self.commands.send(Command::Commit(end, reply)).await.map_err(|_| gone())?;
            answer.await.map_err(|_| gone())?
        })
    }

    fn abort(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            if self.commands.send(Command::Abort(reply)).await.is_ok() {
                let _ = answer.await;
            }
        })
    }
}

/// A batch of this size is waited for.
const HUGE_BYTES: usize = 16 << 20;

/// Hands batches to the thread, one ahead of the answer; not after a huge one, of which SQLite itself makes two copies.
struct SqliteWriter {
    commands: mpsc::Sender<Command>,
    pending: Option<oneshot::Receiver<Result<Accepted>>>,
}

impl SqliteWriter {
    async fn answer(pending: Option<oneshot::Receiver<Result<Accepted>>>) -> Result<Accepted> {
        match pending {
            Some(answer) => answer.await.map_err(|_| gone())?,
            None => Ok(Accepted::default()),
        }
    }
}

impl Writer for SqliteWriter {
    fn write<'a>(&'a mut self, batch: Batch) -> BoxFuture<'a, Result<Accepted>> {
        Box::pin(async move {
            let Data::Arrow(data) = batch.data else {
                return Err(Error::new(ErrorKind::Unsupported, "SQLite takes no raw rows"));
            };
            let (reply, answer) = oneshot::channel();
            let is_huge = data.get_array_memory_size() >= HUGE_BYTES;
            self.commands.send(Command::Write(data, reply)).await.map_err(|_| gone())?;
            let mut accepted = Self::answer(self.pending.replace(answer)).await?;
            if is_huge {
                let own = Self::answer(self.pending.take()).await?;
                accepted.rows += own.rows;
                accepted.rejects.extend(own.rejects);
            }
            Ok(accepted)
        })
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<Accepted>> {
        Box::pin(async move { Self::answer(self.pending).await })
    }
}

struct Thread {
    file: File,
    spec: LoadSpec,
    plan: LoadPlan,
    receiver: mpsc::Receiver<Command>,
    _held: Held,
    _turn: OwnedSemaphorePermit,
}

/// The answer that is given once the connection is closed, so that nothing of the load holds the file any more.
type Farewell = Box<dyn FnOnce()>;

impl Thread {
    fn run(mut self, ready: oneshot::Sender<Result<()>>) {
        let place = self.file.place();
        let made = !self.file.path.exists();
        let connection = match self.file.open_to_write() {
            Ok(connection) => connection,
            Err(error) => {
                let _ = ready.send(Err(error));
                return;
            }
        };
        let farewell = self.work(&connection, ready, &place);
        if !connection.is_autocommit() {
            let _ = connection.execute_batch("ROLLBACK");
        }
        if made {
            let _ = remove_if_empty(&connection, &self.file.path);
        }
        drop(connection);
        drop(self);
        if let Some(farewell) = farewell {
            farewell();
        }
    }

    fn work(&mut self, connection: &Connection, ready: oneshot::Sender<Result<()>>, place: &str) -> Option<Farewell> {
        let mut sink = match self.prepare(connection) {
            Ok(sink) => {
                if ready.send(Ok(())).is_err() {
                    return None;
                }
                sink
            }
            Err(error) => {
                let _ = connection.execute_batch("ROLLBACK");
                let _ = ready.send(Err(error.at(place)));
                return None;
            }
        };
        let deleted = std::mem::take(&mut sink.durable.deleted);
        while let Some(command) = self.receiver.blocking_recv() {
            match command {
                Command::Write(batch, reply) => {
                    let taken = alive(connection).and_then(|()| sink.take(&batch));
                    let _ = reply.send(taken.at(place));
                }
                Command::Commit(end, reply) => {
                    let durable = Durable { deleted, ..sink.durable.clone() };
                    let done = alive(connection).and_then(|()| commit(connection, &self.spec, end)).map(|()| durable);
                    let done = done.at(place);
                    return Some(Box::new(move || drop(reply.send(done))));
                }
                Command::Abort(reply) => return Some(Box::new(move || reply.send(()).unwrap_or_default())),
            }
        }
        None
    }

    /// Takes the write lock and makes the target ready.
    fn prepare<'c>(&self, connection: &'c Connection) -> Result<Sink<'c>> {
        connection.execute_batch("BEGIN IMMEDIATE").map_err(error::of)?;
        connection.execute_batch(&state_tables()).map_err(error::of)?;
        let spec = &self.spec;
        as_planned(connection, spec)?;
        let table = spec.existing.as_ref().map_or(&spec.target, |existing| &existing.table);
        if spec.existing.is_some() && discover::is_view(connection, table)? {
            return Err(Error::new(ErrorKind::Schema, format!("`{table}` is a view and takes no rows")));
        }
        ddl::refuse_replacing(connection, table)?;
        ddl::apply(connection, &ddl::steps(spec)?)?;
        let mut deleted = 0;
        if spec.write == WriteMode::Replace && spec.existing.is_some() {
            let sql = format!("DELETE FROM {}", quote(table));
            deleted = connection.execute(&sql, []).map_err(error::of)? as u64;
        }
        let mut sink = Sink::new(connection, table, &self.plan.schema, spec.quarantine)?;
        if spec.write == WriteMode::Merge {
            if let Some(index) = destination::key_index(connection, spec)? {
                connection.execute_batch(&index).map_err(error::of).map_err(|error| {
                    Error::new(
                        ErrorKind::Schema,
                        format!("`{table}` can not be merged by its key: {}", error.message()),
                    )
                    .advise("Remove the rows that have one key, or choose another key.")
                })?;
            }
            sink = sink.merge_by(table, &spec.key_columns, spec.order_column.as_deref())?;
        }
        sink.durable.deleted = deleted;
        Ok(sink)
    }
}

/// After some errors (disk full, a trigger's ROLLBACK) SQLite has ended the transaction by itself; nothing may be written
/// outside of one.
fn alive(connection: &Connection) -> Result<()> {
    if connection.is_autocommit() {
        return Err(Error::new(ErrorKind::Internal, "the transaction was ended by an earlier error")
            .advise("Nothing was committed; see the first error of this load."));
    }
    Ok(())
}

/// Takes away the file of a first load that came to nothing. Only while nobody else reads or writes it: leaving WAL mode
/// needs that, and afterwards SQLite refuses to write (`error::of`: busy) to a file that is no longer at its path.
fn remove_if_empty(connection: &Connection, path: &Path) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::ZERO)?;
    let _: String = connection.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0))?;
    connection.execute_batch("BEGIN EXCLUSIVE")?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        let _ = std::fs::remove_file(path);
    }
    connection.execute_batch("ROLLBACK")
}

fn state_tables() -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {} (pipeline TEXT NOT NULL, stream TEXT NOT NULL, target TEXT NOT NULL, \
         load_id TEXT NOT NULL, state TEXT NOT NULL, rows_written INTEGER NOT NULL, rows_rejected INTEGER NOT NULL, \
         committed_at TEXT NOT NULL, PRIMARY KEY (pipeline, stream));\
         CREATE TABLE IF NOT EXISTS {} (load_id TEXT NOT NULL, pipeline TEXT NOT NULL, stream TEXT NOT NULL, \
         target TEXT NOT NULL, column_name TEXT, reason TEXT NOT NULL, row_json TEXT NOT NULL, rejected_at TEXT NOT NULL)",
        quote(POSITIONS),
        quote(REJECTS)
    )
}

fn now() -> String {
    let us = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_micros());
    let mut stamp = String::new();
    text::write_timestamp(&mut stamp, i64::try_from(us).unwrap_or(i64::MAX), true);
    stamp
}

/// Whether all still is as it was when the load was planned, before the write lock kept others out.
fn as_planned(connection: &Connection, spec: &LoadSpec) -> Result<()> {
    compare(connection, spec)?;
    let found = discover::target(connection, &spec.target)?;
    if found.map(|found| found.schema) == spec.existing.as_ref().map(|existing| existing.schema.clone()) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Busy, "the target changed after the load was planned").advise("Run again."))
}

/// Refuses if another run has committed since this load was planned.
fn compare(connection: &Connection, spec: &LoadSpec) -> Result<()> {
    let stored = committed(connection, &spec.key)?.map(|commit| commit.load_id);
    if stored == spec.previous {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Busy, format!("another run committed `{}` in the meantime", spec.key.stream))
        .advise("Run again: the next run goes on from what the other one committed."))
}

fn commit(connection: &Connection, spec: &LoadSpec, end: LoadEnd) -> Result<()> {
    compare(connection, spec)?;
    let (pipeline, stream, at) = (&spec.key.pipeline, &spec.key.stream, now());
    if let Some(replayed) = &end.replayed {
        let sql = format!("DELETE FROM {} WHERE load_id = ?1", quote(REJECTS));
        let removed = connection.execute(&sql, [&replayed.load_id]).map_err(error::of)?;
        replayed.check(removed as u64)?;
    }
    let write = || -> rusqlite::Result<()> {
        let (load, sql) = (end.rejects_of(&spec.load_id), quote(REJECTS));
        let sql = format!("INSERT INTO {sql} VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
        let mut insert = connection.prepare(&sql)?;
        for reject in &end.rejects {
            let (column, reason, row) = (&reject.column, &reject.reason, &reject.row);
            insert.execute(params![load, pipeline, stream, spec.target, column, reason, row, at])?;
        }
        let sql = format!("INSERT OR REPLACE INTO {} VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)", quote(POSITIONS));
        let (written, rejected) = (end.rows_written as i64, end.rejects.len() as i64);
        let state = end.state.to_string();
        connection.execute(&sql, params![pipeline, stream, spec.target, spec.load_id, state, written, rejected, at])?;
        connection.execute_batch("COMMIT")
    };
    write().map_err(error::of)
}

/// The stored commit of a stream.
pub fn committed(connection: &Connection, key: &StreamKey) -> Result<Option<Commit>> {
    Ok(commits(connection, Some(key))?.pop())
}

/// The stored commits, of one stream or of all, ordered by key.
pub fn commits(connection: &Connection, key: Option<&StreamKey>) -> Result<Vec<Commit>> {
    if !has_positions(connection)? {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT pipeline, stream, target, load_id, state, rows_written, rows_rejected, committed_at FROM {} \
         WHERE ?1 IS NULL OR (pipeline = ?1 AND stream = ?2) ORDER BY pipeline, stream",
        quote(POSITIONS)
    );
    let mut statement = connection.prepare(&sql).map_err(error::of)?;
    let rows = statement.query_map(params![key.map(|k| &k.pipeline), key.map(|k| &k.stream)], |row| {
        let state: String = row.get(4)?;
        Ok(Commit {
            key: StreamKey { pipeline: row.get(0)?, stream: row.get(1)? },
            target: row.get(2)?,
            load_id: row.get(3)?,
            state: serde_json::from_str(&state).map_err(|error| {
                rusqlite::Error::FromSqlConversionFailure(4, rusqlite::types::Type::Text, Box::new(error))
            })?,
            rows_written: row.get::<_, i64>(5)? as u64,
            rows_rejected: row.get::<_, i64>(6)? as u64,
            committed_at: row.get(7)?,
        })
    });
    rows.and_then(Iterator::collect).map_err(error::of)
}

/// Whether Levada has ever committed to this file.
pub fn has_positions(connection: &Connection) -> Result<bool> {
    let sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1";
    let found: Option<i64> = connection.query_row(sql, [POSITIONS], |row| row.get(0)).optional().map_err(error::of)?;
    Ok(found.is_some())
}
