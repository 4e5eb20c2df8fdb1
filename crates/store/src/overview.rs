//! What people look at all day: the last runs of every pipeline, task by task for the runs of one, who holds the slots of
//! pools, and what workers do. Reads only, each a single statement.

use std::collections::BTreeMap;

use levada_core::error::Result;
use levada_core::id::{RunId, TaskRunId, WorkerId};
use levada_core::run::{RunState, State};
use levada_core::time::Timestamp;

use crate::Store;
use crate::db::Tx;
use crate::views;

/// The last runs of a pipeline, the newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecentRuns {
    /// The pipeline.
    pub pipeline: String,
    /// Its runs.
    pub runs: Vec<RecentRun>,
}

/// A run in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecentRun {
    /// Which.
    pub id: RunId,
    /// Where it stands.
    pub state: RunState,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its first task was claimed.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// A task of a run in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskState {
    /// Its run.
    pub run: RunId,
    /// Which.
    pub id: TaskRunId,
    /// The task.
    pub task: String,
    /// Where it stands.
    pub state: State,
    /// Attempts that failed.
    pub failed: u32,
    /// When its attempt began; of a wait, its first look.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// A pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// How many slots it has.
    pub slots: u64,
    /// Who holds some of them.
    pub holders: Vec<Holder>,
}

/// A task run that holds slots of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Which.
    pub task_run: TaskRunId,
    /// Its run.
    pub run: RunId,
    /// The pipeline.
    pub pipeline: String,
    /// The task.
    pub task: String,
    /// How many it holds.
    pub slots: u64,
}

impl Store {
    /// The last runs of each of some pipelines, in the order of their names, from behind a name on; of all, or of those
    /// that are named.
    pub async fn recent_runs(
        &self,
        names: Option<Vec<String>>,
        (after, is_ascending): (Option<String>, bool),
        pipelines: usize,
        runs: usize,
    ) -> Result<Vec<RecentRuns>> {
        let recent = async move |tx: &mut Tx| {
            recent_runs(tx, names.as_deref(), (after.as_deref(), is_ascending), pipelines, runs).await
        };
        self.db.read(recent).await
    }

    /// The tasks of several runs, whose numbers ascend or descend: run by run, in the order of the document, items left out.
    /// Of more than `max` tasks those at the end are missing.
    pub async fn task_states(&self, runs: Vec<RunId>, max: usize) -> Result<Vec<TaskState>> {
        self.db.read(async move |tx: &mut Tx| task_states(tx, &runs, max).await).await
    }

    /// The pools in the order of their names, with those who hold slots.
    pub async fn pools(&self) -> Result<Vec<Pool>> {
        self.db.read(async move |tx: &mut Tx| pools(tx).await).await
    }

    /// How many task runs each worker holds; those that hold none are left out.
    pub async fn held(&self) -> Result<BTreeMap<WorkerId, u64>> {
        self.db.read(async move |tx: &mut Tx| held(tx).await).await
    }
}

pub(crate) async fn recent_runs(
    tx: &mut Tx,
    names: Option<&[String]>,
    (after, is_ascending): (Option<&str>, bool),
    pipelines: usize,
    runs: usize,
) -> Result<Vec<RecentRuns>> {
    // the oldest run that is shown of each pipeline comes first, so that both databases read its runs by the index
    let mut values = vec![runs.saturating_sub(1).into(), after.unwrap_or_default().into(), pipelines.into()];
    // every name is behind the empty one; before none there is no limit
    let (behind, order) = match (is_ascending, after) {
        (true, _) => ("p.name > $2", "ASC"),
        (false, Some(_)) => ("p.name < $2", "DESC"),
        (false, None) => ("p.name >= $2", "DESC"),
    };
    let named = match names {
        Some(names) => format!("AND {}", tx.among("p.name", &mut values, names.iter().map(String::as_str))),
        None => String::new(),
    };
    let sql = format!(
        "SELECT q.name, r.id, r.state, r.created_at, r.started_at, r.ended_at FROM (\
         SELECT p.name, COALESCE((SELECT l.id FROM runs l WHERE l.pipeline = p.name ORDER BY l.id DESC \
         LIMIT 1 OFFSET $1), 0) AS oldest FROM pipelines p WHERE p.removed = 0 AND {behind} \
         {named} ORDER BY p.name {order} LIMIT $3) q \
         LEFT JOIN runs r ON r.pipeline = q.name AND r.id >= q.oldest ORDER BY q.name {order}, r.id DESC"
    );
    let mut found: Vec<RecentRuns> = Vec::new();
    for mut row in tx.rows(&sql, &values).await? {
        let (pipeline, id) = (row.text()?, row.int_or_null()?);
        if found.last().is_none_or(|last| last.pipeline != pipeline) {
            found.push(RecentRuns { pipeline, runs: Vec::new() });
        }
        let (Some(id), Some(of)) = (id, found.last_mut()) else { continue };
        of.runs.push(RecentRun {
            id: RunId(id),
            state: views::run_state(&row.text()?)?,
            created_at: row.time()?,
            started_at: row.time_or_null()?,
            ended_at: row.time_or_null()?,
        });
    }
    Ok(found)
}

pub(crate) async fn task_states(tx: &mut Tx, runs: &[RunId], max: usize) -> Result<Vec<TaskState>> {
    let mut values = vec![max.into()];
    let among = tx.among("run", &mut values, runs.iter().copied());
    let direction = if runs.first() < runs.last() { "" } else { "DESC" };
    let sql = format!(
        "SELECT run, id, name, state, wake_at, failed, started_at, ended_at FROM task_runs \
         WHERE {among} AND item = -1 ORDER BY run {direction}, task LIMIT $1"
    );
    let mut found = Vec::new();
    for mut row in tx.rows(&sql, &values).await? {
        let (run, id, task) = (RunId(row.int()?), TaskRunId(row.int()?), row.text()?);
        let (state, until) = (row.text()?, row.time_or_null()?);
        found.push(TaskState {
            run,
            id,
            task,
            state: views::task_state(&state, until)?,
            failed: row.small()?,
            started_at: row.time_or_null()?,
            ended_at: row.time_or_null()?,
        });
    }
    Ok(found)
}

pub(crate) async fn pools(tx: &mut Tx) -> Result<Vec<Pool>> {
    let sql = "SELECT p.name, p.slots, t.id, t.run, r.pipeline, t.name, t.slots FROM pools p \
               LEFT JOIN task_runs t ON t.pool = p.name AND t.pool IS NOT NULL \
               AND t.state IN ('starting', 'running', 'stopping') \
               LEFT JOIN runs r ON r.id = t.run ORDER BY p.name, t.id";
    let mut found: Vec<Pool> = Vec::new();
    for mut row in tx.rows(sql, &[]).await? {
        let (name, slots, holder) = (row.text()?, row.count()?, row.int_or_null()?);
        if found.last().is_none_or(|last| last.name != name) {
            found.push(Pool { name, slots, holders: Vec::new() });
        }
        let (Some(task_run), Some(pool)) = (holder, found.last_mut()) else { continue };
        let (run, pipeline, task) = (RunId(row.int()?), row.text()?, row.text()?);
        pool.holders.push(Holder { task_run: TaskRunId(task_run), run, pipeline, task, slots: row.count()? });
    }
    Ok(found)
}

pub(crate) async fn held(tx: &mut Tx) -> Result<BTreeMap<WorkerId, u64>> {
    let sql = "SELECT worker, COUNT(*) FROM task_runs WHERE worker IS NOT NULL \
               AND state IN ('starting', 'running', 'stopping') GROUP BY worker";
    let mut found = BTreeMap::new();
    for mut row in tx.rows(sql, &[]).await? {
        found.insert(WorkerId(row.int()?), row.count()?);
    }
    Ok(found)
}

impl Pool {
    /// How many slots are held.
    pub fn used(&self) -> u64 {
        self.holders.iter().map(|holder| holder.slots).sum()
    }
}
