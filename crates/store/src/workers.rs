//! The processes that execute task runs, and how it is known that they live: each beats, and none that has missed its
//! beats for too long can write anything.

use std::time::Duration;

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::id::{TaskRunId, WorkerId};
use levada_core::time::Timestamp;

use crate::db::{Tx, Value, list};
use crate::runs::lose_unknown;

/// How often a worker beats.
pub const BEAT: Duration = Duration::from_secs(3);
/// After how long without a beat a worker is suspected.
pub const SUSPECT: Duration = Duration::from_secs(15);
/// After how long without a beat its task runs are given to others.
pub const REAP: Duration = Duration::from_secs(30);
/// How old a claim must be before its worker's not knowing of it counts.
const UNKNOWN: Duration = Duration::from_secs(10);

/// A worker that signs on.
#[derive(Debug, Clone)]
pub struct NewWorker {
    /// For people.
    pub name: String,
    /// The machine, so that a process on the same one can see whether this one lives.
    pub host: String,
    /// The process on that machine.
    pub process: String,
    /// What task runs may ask for in `runs_on`.
    pub labels: Vec<String>,
    /// How many task runs it executes at once.
    pub slots: u32,
    /// Whether it executes the runs that it makes, and no others.
    pub own: bool,
}

/// A worker as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// Which.
    pub id: WorkerId,
    /// For people.
    pub name: String,
    /// The machine.
    pub host: String,
    /// The process on that machine.
    pub process: String,
    /// What task runs may ask for.
    pub labels: Vec<String>,
    /// How many task runs it executes at once.
    pub slots: u32,
    /// Whether it executes the runs that it makes, and no others.
    pub is_own: bool,
    /// `active`, `draining` or `gone`.
    pub state: String,
    /// When it signed on.
    pub started_at: Timestamp,
    /// When it was last heard of.
    pub beat_at: Timestamp,
}

/// What a worker hears when it beats.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Beat {
    /// Whether it was taken for dead: it must stop everything, and sign on anew.
    pub is_gone: bool,
    /// Its task runs that are to stop.
    pub stop: Vec<TaskRunId>,
    /// Task runs it thinks it holds, and does not.
    pub lost: Vec<TaskRunId>,
}

pub(crate) async fn sign_on(tx: &mut Tx, worker: &NewWorker, now: Timestamp) -> Result<WorkerId> {
    let sql = "INSERT INTO workers (name, host, process, labels, slots, own, state, started_at, beat_at) \
               VALUES ($1, $2, $3, $4, $5, $6, 'active', $7, $7) RETURNING id";
    let values: [Value; 7] = [
        worker.name.as_str().into(),
        worker.host.as_str().into(),
        worker.process.as_str().into(),
        worker.labels.join(",").into(),
        worker.slots.into(),
        worker.own.into(),
        now.into(),
    ];
    match tx.row(sql, &values).await? {
        Some(mut row) => row.int().map(WorkerId),
        None => Ok(WorkerId(0)),
    }
}

/// Notes that a worker lives, with the task runs it holds, and tells it what to stop. Task runs that the store thinks are
/// the worker's and it knows nothing of were claimed in a commit whose answer was lost: they are given to others.
pub(crate) async fn beat(
    tx: &mut Tx,
    worker: WorkerId,
    draining: bool,
    held: &[TaskRunId],
    now: Timestamp,
) -> Result<Beat> {
    let state = if draining { "draining" } else { "active" };
    let sql = "UPDATE workers SET beat_at = $1, state = $2 WHERE id = $3 AND state <> 'gone'";
    if tx.execute(sql, &[now.into(), state.into(), worker.into()]).await? == 0 {
        return Ok(Beat { is_gone: true, ..Beat::default() });
    }
    let sql = "SELECT id, state, started_at FROM task_runs WHERE worker = $1 \
               AND state IN ('starting', 'running', 'stopping')";
    let (mut stop, mut known, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    for mut row in tx.rows(sql, &[worker.into()]).await? {
        let (id, state, claimed_at) = (TaskRunId(row.int()?), row.text()?, row.time_or_null()?);
        known.push(id);
        if !held.contains(&id) {
            unknown.extend(claimed_at.is_none_or(|at| now.since(at) > UNKNOWN).then_some(id));
        } else if state == "stopping" {
            stop.push(id);
        }
    }
    if !unknown.is_empty() {
        lose_unknown(tx, &unknown, now).await?;
    }
    let lost = held.iter().filter(|id| !known.contains(id)).copied().collect();
    Ok(Beat { is_gone: false, stop, lost })
}

/// Signs a worker off. Task runs it still holds are given to others.
pub(crate) async fn sign_off(tx: &mut Tx, worker: WorkerId, now: Timestamp) -> Result<()> {
    crate::runs::reap(tx, worker, now).await.map(drop)
}

/// Workers that are not gone.
pub(crate) async fn alive(tx: &mut Tx) -> Result<Vec<Worker>> {
    let sql = "SELECT id, name, host, process, labels, slots, own, state, started_at, beat_at FROM workers \
               WHERE state <> 'gone' ORDER BY id";
    let mut workers = Vec::new();
    for mut row in tx.rows(sql, &[]).await? {
        workers.push(Worker {
            id: WorkerId(row.int()?),
            name: row.text()?,
            host: row.text()?,
            process: row.text()?,
            labels: row.text()?.split(',').filter(|label| !label.is_empty()).map(str::to_owned).collect(),
            slots: row.small()?,
            is_own: row.flag()?,
            state: row.text()?,
            started_at: row.time()?,
            beat_at: row.time()?,
        });
    }
    Ok(workers)
}

/// Makes sure that nobody takes a worker for dead before the end of the transaction.
///
/// # Errors
/// `Refused` where it was taken for dead already.
pub(crate) async fn keep_alive(tx: &mut Tx, worker: WorkerId) -> Result<()> {
    let lock = tx.lock("w");
    let sql = format!("SELECT w.id FROM workers w WHERE w.id = $1 AND w.state <> 'gone'{lock}");
    match tx.row(&sql, &[worker.into()]).await? {
        Some(_) => Ok(()),
        None => {
            Err(Error::new(ErrorKind::Refused, "this process was not heard of for too long, and was taken for dead")
                .advise("Start it again."))
        }
    }
}

/// Takes the task runs of workers away that have not beaten for too long, or that are known to be dead. Answers who.
pub(crate) async fn reap_silent(tx: &mut Tx, dead: &[WorkerId], now: Timestamp) -> Result<Vec<WorkerId>> {
    let mut values: Vec<Value> = vec![now.minus(REAP).into()];
    values.extend(dead.iter().map(|worker| Value::from(*worker)));
    let sql = format!(
        "SELECT id FROM workers WHERE state <> 'gone' AND (beat_at < $1 OR id IN {}) ORDER BY id",
        list(dead.len(), 2)
    );
    let mut reaped = Vec::new();
    for mut row in tx.rows(&sql, &values).await? {
        let worker = WorkerId(row.int()?);
        crate::runs::reap(tx, worker, now).await?;
        reaped.push(worker);
    }
    Ok(reaped)
}
