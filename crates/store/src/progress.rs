//! How far syncs are that are at work, one row for each of them that is overwritten again and again, and what was moved in
//! each hour.

use levada_core::error::Result;
use levada_core::id::{RunId, TaskRunId, WorkerId};
use levada_core::time::Timestamp;

use crate::Store;
use crate::db::{Row, Tx};

/// Microseconds of an hour.
pub(crate) const HOUR: i64 = 3_600_000_000;

/// How far a task run is, as its worker tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewProgress {
    /// Which.
    pub task_run: TaskRunId,
    /// Its run.
    pub run: RunId,
    /// The epoch under which the worker claimed it.
    pub epoch: i64,
    /// The figures, a JSON object.
    pub figures: String,
}

/// How far a task run is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskProgress {
    /// Which.
    pub task_run: TaskRunId,
    /// Its run.
    pub run: RunId,
    /// The task.
    pub task: String,
    /// When it was told.
    pub at: Timestamp,
    /// The figures, a JSON object.
    pub figures: String,
}

/// What a sync moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Volume {
    /// Rows that the destination took.
    pub rows: u64,
    /// Bytes that were read for them, as they lay in memory.
    pub bytes: u64,
}

impl Store {
    /// Notes how far task runs are.
    pub async fn tell_progress(&self, told: Vec<NewProgress>, now: Timestamp) -> Result<()> {
        self.db.write(async move |tx: &mut Tx| tell(tx, &told, now).await).await
    }

    /// How far the syncs are that are at work: those of a run, or all.
    pub async fn progress(&self, run: Option<RunId>) -> Result<Vec<TaskProgress>> {
        self.db.read(async move |tx: &mut Tx| progress(tx, run).await).await
    }
}

async fn tell(tx: &mut Tx, told: &[NewProgress], now: Timestamp) -> Result<()> {
    // a worker that the task run was taken from may still speak
    let sql = "INSERT INTO progress (task_run, run, epoch, at, figures) VALUES ($1, $2, $3, $4, $5) \
               ON CONFLICT (task_run) DO UPDATE SET epoch = $3, at = $4, figures = $5 WHERE progress.epoch <= $3";
    for one in told {
        let values = [one.task_run.into(), one.run.into(), one.epoch.into(), now.into(), one.figures.as_str().into()];
        tx.later(sql, &values).await?;
    }
    Ok(())
}

/// Of task runs whose worker was lost a row may still be there; only those at work count.
pub(crate) async fn progress(tx: &mut Tx, run: Option<RunId>) -> Result<Vec<TaskProgress>> {
    let mut values = Vec::new();
    let of_run = match run {
        Some(run) => {
            values.push(run.into());
            "p.run = $1 AND"
        }
        None => "",
    };
    let sql = format!(
        "SELECT p.task_run, p.run, t.name, p.at, p.figures FROM progress p \
         JOIN task_runs t ON t.id = p.task_run AND t.epoch = p.epoch \
         WHERE {of_run} t.state IN ('starting', 'running', 'stopping') ORDER BY p.task_run"
    );
    tx.rows(&sql, &values).await?.iter_mut().map(read).collect()
}

fn read(row: &mut Row) -> Result<TaskProgress> {
    Ok(TaskProgress {
        task_run: TaskRunId(row.int()?),
        run: RunId(row.int()?),
        task: row.text()?,
        at: row.time()?,
        figures: row.text()?,
    })
}

/// A task run is at work no more.
pub(crate) async fn end(tx: &mut Tx, task_run: TaskRunId) -> Result<()> {
    tx.later("DELETE FROM progress WHERE task_run = $1", &[task_run.into()]).await
}

/// Notes what was moved. Each worker counts for itself, so that none waits for another.
pub(crate) async fn moved(tx: &mut Tx, worker: WorkerId, volume: Volume, now: Timestamp) -> Result<()> {
    if volume == Volume::default() {
        return Ok(());
    }
    let sql = "INSERT INTO moved (hour, worker, moved_rows, moved_bytes) VALUES ($1, $2, $3, $4) \
               ON CONFLICT (hour, worker) DO UPDATE SET moved_rows = moved.moved_rows + $3, \
               moved_bytes = moved.moved_bytes + $4";
    let hour = now.as_micros().div_euclid(HOUR);
    tx.later(sql, &[hour.into(), worker.into(), volume.rows.into(), volume.bytes.into()]).await
}

/// Forgets what nobody will ask for: progress of task runs that were lost, and what was moved long ago.
pub(crate) async fn remove_old(tx: &mut Tx, progress: Timestamp, moved: Timestamp) -> Result<()> {
    tx.later("DELETE FROM progress WHERE at < $1", &[progress.into()]).await?;
    tx.later("DELETE FROM moved WHERE hour < $1", &[moved.as_micros().div_euclid(HOUR).into()]).await
}
