//! What others are to be told of runs, until they have been told: for each receiver, how far the history was turned into events,
//! and the events that it has not taken yet. One process at a time holds a receiver; one that dies holds it for a while only.

use levada_core::error::Result;
use levada_core::id::{RunId, TaskRunId};
use levada_core::time::Timestamp;

use crate::Store;
use crate::db::{Row, Tx, Value};

/// Most events that wait for one receiver; before there are more, the oldest go.
pub const OUTBOX_EVENTS_MAX: u64 = 100_000;
/// Most bytes of events that wait for one receiver.
pub const OUTBOX_BYTES_MAX: u64 = 256 << 20;
/// Events that are looked at in one go where there are too many.
const LOOKED_AT: usize = 1_000;

/// Somebody who is told of runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// The name, which tells the way: `http` or `file`.
    pub name: String,
    /// The last event of the history that was looked at.
    pub last_event: i64,
    /// How often in a row it could not be told.
    pub failures: u32,
    /// When it is tried again.
    pub next_at: Timestamp,
    /// Why it could not be told.
    pub error: Option<String>,
    /// Events that wait.
    pub pending: u64,
    /// Their bytes.
    pub pending_bytes: u64,
    /// Events that it took.
    pub sent: u64,
    /// Events that went because there were too many, or because it refused them.
    pub dropped: u64,
}

/// An event that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Names it; later ones have higher numbers.
    pub id: i64,
    /// The event, JSON.
    pub event: String,
}

/// What an event has to say of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Which.
    pub run: RunId,
    /// Its pipeline.
    pub pipeline: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// The instant that its schedule fired for.
    pub fire_time: Option<Timestamp>,
    /// When its first task was claimed.
    pub started_at: Option<Timestamp>,
}

/// What an event has to say of a task run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskTold {
    /// Which.
    pub task_run: TaskRunId,
    /// The task.
    pub task: String,
    /// Whether it is one of several items of its task.
    pub is_item: bool,
    /// When it was first at work.
    pub started_at: Option<Timestamp>,
    /// The run.
    pub run: Told,
}

impl Store {
    /// Who is told of runs.
    pub async fn receivers(&self) -> Result<Vec<Receiver>> {
        self.db.read(async move |tx: &mut Tx| receivers(tx).await).await
    }

    /// Holds a receiver until an instant, which tells this holder from others. One that is new is told of what happens from now
    /// on. None if another process holds it.
    pub async fn hold_receiver(&self, name: String, now: Timestamp, until: Timestamp) -> Result<Option<Receiver>> {
        let hold = async move |tx: &mut Tx| {
            let sql = "INSERT INTO lineage_receivers (name, last_event) \
                       SELECT $1, COALESCE((SELECT MAX(id) FROM events), 0) WHERE true ON CONFLICT (name) DO NOTHING";
            tx.execute(sql, &[name.as_str().into()]).await?;
            let sql = "UPDATE lineage_receivers SET held_until = $2 WHERE name = $1 AND held_until < $3";
            if tx.execute(sql, &[name.as_str().into(), until.into(), now.into()]).await? == 0 {
                return Ok(None);
            }
            Ok(receivers(tx).await?.into_iter().find(|receiver| receiver.name == name))
        };
        self.db.write(hold).await
    }

    /// Holds a receiver for longer, or gives it back with an instant that is over. Answers whether it was still held.
    pub async fn hold_on(&self, name: String, held: Timestamp, until: Timestamp) -> Result<bool> {
        let sql = "UPDATE lineage_receivers SET held_until = $3 WHERE name = $1 AND held_until = $2";
        let values = [name.into(), held.into(), until.into()];
        self.db.write(async move |tx: &mut Tx| Ok(tx.execute(sql, &values).await? == 1)).await
    }

    /// Forgets all receivers but these, with what waits for them.
    pub async fn keep_receivers(&self, names: Vec<String>) -> Result<()> {
        let forget = async move |tx: &mut Tx| {
            for receiver in receivers(tx).await?.into_iter().filter(|receiver| !names.contains(&receiver.name)) {
                tx.later("DELETE FROM lineage_receivers WHERE name = $1", &[receiver.name.into()]).await?;
            }
            Ok(())
        };
        self.db.write(forget).await
    }

    /// Keeps events for a receiver that tell of the history from one place to another. Answers how many others went for them;
    /// none if the receiver was elsewhere already, and nothing was kept.
    pub async fn keep_events(&self, name: String, from: i64, to: i64, events: Vec<String>) -> Result<Option<u64>> {
        self.db.write(async move |tx: &mut Tx| keep(tx, &name, from, to, &events).await).await
    }

    /// The events that wait for a receiver, the oldest first.
    pub async fn pending_events(&self, name: String, limit: usize) -> Result<Vec<Pending>> {
        let sql = "SELECT id, event FROM lineage_outbox WHERE receiver = $1 ORDER BY id LIMIT $2";
        let values = [name.into(), limit.into()];
        let read = |row: &mut Row| Ok(Pending { id: row.int()?, event: row.text()? });
        self.db.read(async move |tx: &mut Tx| tx.rows(sql, &values).await?.iter_mut().map(read).collect()).await
    }

    /// A receiver took these events, or refused them for good.
    pub async fn events_told(&self, name: String, ids: Vec<i64>, refused: u64) -> Result<()> {
        let told = async move |tx: &mut Tx| {
            let mut values: Vec<Value> = vec![name.as_str().into()];
            let those = tx.among("id", &mut values, ids.iter().copied());
            let sql = format!("DELETE FROM lineage_outbox WHERE receiver = $1 AND {those} RETURNING bytes");
            let (count, bytes) = sum(tx.rows(&sql, &values).await?)?;
            let sql = "UPDATE lineage_receivers SET pending = pending - $2, pending_bytes = pending_bytes - $3, \
                       sent = sent + $2 - $4, dropped = dropped + $4, failures = 0, next_at = 0, error = NULL \
                       WHERE name = $1";
            tx.later(sql, &[name.as_str().into(), count.into(), bytes.into(), refused.min(count).into()]).await
        };
        self.db.write(told).await
    }

    /// A receiver could not be told, and why; it is tried again at an instant.
    pub async fn not_told(&self, name: String, error: String, next_at: Timestamp) -> Result<()> {
        let sql = "UPDATE lineage_receivers SET failures = failures + 1, error = $2, next_at = $3 WHERE name = $1";
        let values = [name.into(), error.into(), next_at.into()];
        self.db.write(async move |tx: &mut Tx| tx.later(sql, &values).await).await
    }

    /// What events have to say of runs.
    pub async fn runs_told(&self, runs: Vec<RunId>) -> Result<Vec<Told>> {
        let look = async move |tx: &mut Tx| {
            let mut values = Vec::new();
            let those = tx.among("r.id", &mut values, runs.iter().copied());
            let sql = format!("SELECT {RUN} FROM runs r WHERE {those}");
            tx.rows(&sql, &values).await?.iter_mut().map(run).collect()
        };
        self.db.read(look).await
    }

    /// What events have to say of task runs.
    pub async fn task_runs_told(&self, task_runs: Vec<TaskRunId>) -> Result<Vec<TaskTold>> {
        let look = async move |tx: &mut Tx| {
            let mut values = Vec::new();
            let those = tx.among("t.id", &mut values, task_runs.iter().copied());
            let sql = format!(
                "SELECT t.id, t.name, t.item, t.started_at, {RUN} FROM task_runs t JOIN runs r ON r.id = t.run WHERE {those}"
            );
            let read = |row: &mut Row| {
                Ok(TaskTold {
                    task_run: TaskRunId(row.int()?),
                    task: row.text()?,
                    is_item: row.int()? >= 0,
                    started_at: row.time_or_null()?,
                    run: run(row)?,
                })
            };
            tx.rows(&sql, &values).await?.iter_mut().map(read).collect()
        };
        self.db.read(look).await
    }
}

const RUN: &str = "r.id, r.pipeline, r.created_at, r.fire_time, r.started_at";

fn run(row: &mut Row) -> Result<Told> {
    Ok(Told {
        run: RunId(row.int()?),
        pipeline: row.text()?,
        created_at: row.time()?,
        fire_time: row.time_or_null()?,
        started_at: row.time_or_null()?,
    })
}

async fn receivers(tx: &mut Tx) -> Result<Vec<Receiver>> {
    let sql = "SELECT name, last_event, failures, next_at, error, pending, pending_bytes, sent, dropped \
               FROM lineage_receivers ORDER BY name";
    let read = |row: &mut Row| {
        Ok(Receiver {
            name: row.text()?,
            last_event: row.int()?,
            failures: row.small()?,
            next_at: row.time()?,
            error: row.text_or_null()?,
            pending: row.count()?,
            pending_bytes: row.count()?,
            sent: row.count()?,
            dropped: row.count()?,
        })
    };
    tx.rows(sql, &[]).await?.iter_mut().map(read).collect()
}

async fn keep(tx: &mut Tx, name: &str, from: i64, to: i64, events: &[String]) -> Result<Option<u64>> {
    let bytes: usize = events.iter().map(String::len).sum();
    let sql = "UPDATE lineage_receivers SET last_event = $3, pending = pending + $4, pending_bytes = pending_bytes + $5 \
               WHERE name = $1 AND last_event = $2 RETURNING pending, pending_bytes";
    let values = [name.into(), from.into(), to.into(), events.len().into(), bytes.into()];
    let Some(mut row) = tx.row(sql, &values).await? else { return Ok(None) };
    let (mut pending, mut pending_bytes) = (row.count()?, row.count()?);
    const COLUMNS: &[crate::db::Column] = &[("receiver", "text"), ("bytes", "bigint"), ("event", "text")];
    let row = |event: &String| [name.into(), event.len().into(), event.as_str().into()];
    tx.insert_later("lineage_outbox", COLUMNS, &events.iter().flat_map(row).collect::<Vec<Value>>()).await?;
    let mut dropped = 0;
    let is_full = |pending: u64, bytes: u64| pending > OUTBOX_EVENTS_MAX || bytes > OUTBOX_BYTES_MAX;
    while is_full(pending, pending_bytes) {
        let sql = "SELECT id, bytes FROM lineage_outbox WHERE receiver = $1 ORDER BY id LIMIT $2";
        let mut last = None;
        for mut row in tx.rows(sql, &[name.into(), LOOKED_AT.into()]).await? {
            if !is_full(pending, pending_bytes) {
                break;
            }
            last = Some(row.int()?);
            (pending, pending_bytes) = (pending.saturating_sub(1), pending_bytes.saturating_sub(row.count()?));
            dropped += 1;
        }
        let Some(last) = last else { break };
        let sql = "DELETE FROM lineage_outbox WHERE receiver = $1 AND id <= $2";
        tx.later(sql, &[name.into(), last.into()]).await?;
    }
    if dropped > 0 {
        let sql =
            "UPDATE lineage_receivers SET pending = $2, pending_bytes = $3, dropped = dropped + $4 WHERE name = $1";
        tx.later(sql, &[name.into(), pending.into(), pending_bytes.into(), dropped.into()]).await?;
    }
    Ok(Some(dropped))
}

/// How many rows there are, and the sum of their bytes.
fn sum(mut rows: Vec<Row>) -> Result<(u64, u64)> {
    let bytes: u64 = rows.iter_mut().map(Row::count).sum::<Result<u64>>()?;
    Ok((rows.len() as u64, bytes))
}
