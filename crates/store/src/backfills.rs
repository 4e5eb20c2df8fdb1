//! Backfills: a series of runs of one pipeline over a range of instants, led as one thing. A backfill remembers how far it
//! has come, and every run has an identity, so that it goes on after any interruption and makes no run twice.

use std::collections::BTreeMap;

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::id::{BackfillId, RunId};
use levada_core::run::RunState;
use levada_core::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Store;
use crate::db::{Row, Signal, Tx, Value, list};
use crate::runs::{Cause, History, NewRun, create, same_input, stop};

/// A backfill to be.
#[derive(Debug, Clone)]
pub struct NewBackfill {
    /// The pipeline.
    pub pipeline: String,
    /// The instants, in the order in which their runs start.
    pub times: Vec<Timestamp>,
    /// The parameters of the runs, a JSON object.
    pub params: String,
    /// Runs at once.
    pub concurrency: u32,
    /// Two with one identity are one; without it, each is its own.
    pub identity: Option<String>,
    /// What was asked for under this identity, as a hash: another with it asks for the same, or is refused.
    pub input: Option<String>,
}

/// Which backfills to list, the newest first.
#[derive(Debug, Clone, Default)]
pub struct BackfillFilter {
    /// Of this pipeline.
    pub pipeline: Option<String>,
    /// In this state.
    pub state: Option<BackfillState>,
    /// The oldest first.
    pub is_reversed: bool,
    /// Behind this one, which is the last of the page before.
    pub after: Option<BackfillId>,
    /// Most backfills.
    pub limit: usize,
}

/// Which instants of a range need a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Only {
    /// All of them.
    #[default]
    All,
    /// Those for which there has never been a run.
    Missing,
    /// Those whose last run failed or was cancelled.
    Failed,
}

/// Where a backfill stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BackfillState {
    /// It starts runs.
    Running,
    /// It starts no runs until it is resumed.
    Paused,
    /// It is to end as soon as its open runs have.
    Stopping,
    /// Every run succeeded.
    Succeeded,
    /// At least one run failed.
    Failed,
    /// It was cancelled, or a run was and none failed.
    Cancelled,
}

/// A backfill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backfill {
    /// Which.
    pub id: BackfillId,
    /// The pipeline.
    pub pipeline: String,
    /// Where it stands.
    pub state: BackfillState,
    /// Runs at once.
    pub concurrency: u32,
    /// Runs in all.
    pub total: u64,
    /// Runs made so far, by state.
    pub runs: BTreeMap<String, u64>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

impl BackfillFilter {
    /// The newest ones.
    pub fn newest(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }
}

impl BackfillState {
    const ALL: [Self; 6] =
        [Self::Running, Self::Paused, Self::Stopping, Self::Succeeded, Self::Failed, Self::Cancelled];

    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopping => "stopping",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    fn from_name(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name).ok_or_else(|| {
            Error::new(ErrorKind::Internal, format!("a backfill has the state `{name}`, which is not known"))
        })
    }
}

impl Store {
    /// The instants that need a run, in the order given.
    pub async fn backfill_times(&self, pipeline: String, times: Vec<Timestamp>, only: Only) -> Result<Vec<Timestamp>> {
        self.db.read(async move |tx: &mut Tx| needed(tx, &pipeline, &times, only).await).await
    }

    /// Makes a backfill, unless its identity is there already; its runs are started by [`Store::advance_backfills`].
    ///
    /// # Errors
    /// `NotFound` where there is no such pipeline; `Usage` where there is nothing to do.
    pub async fn create_backfill(&self, new: NewBackfill, now: Timestamp) -> Result<BackfillId> {
        self.db.write(async move |tx: &mut Tx| add(tx, &new, now).await).await
    }

    /// Starts the next runs of backfills, and ends those that are done. Answers how many runs were made.
    pub async fn advance_backfills(&self, now: Timestamp) -> Result<usize> {
        let open =
            async move |tx: &mut Tx| tx.row("SELECT id FROM backfills WHERE ended_at IS NULL LIMIT 1", &[]).await;
        if self.db.read(open).await?.is_none() {
            return Ok(0);
        }
        self.db.write(async move |tx: &mut Tx| advance(tx, now).await).await
    }

    /// Pauses a backfill, or resumes it. Runs that are open go on.
    ///
    /// # Errors
    /// `NotFound` where there is no such backfill; `Refused` where it has ended.
    pub async fn pause_backfill(&self, id: BackfillId, paused: bool) -> Result<()> {
        let state = if paused { BackfillState::Paused } else { BackfillState::Running };
        self.db.write(async move |tx: &mut Tx| set_state(tx, id, state).await).await
    }

    /// Cancels a backfill and the runs of it that are open.
    ///
    /// # Errors
    /// `NotFound` where there is no such backfill; `Refused` where it has ended.
    pub async fn cancel_backfill(&self, id: BackfillId, now: Timestamp) -> Result<()> {
        self.db.write(async move |tx: &mut Tx| cancel(tx, id, now).await).await
    }

    /// A backfill.
    pub async fn backfill(&self, id: BackfillId) -> Result<Option<Backfill>> {
        let show = async move |tx: &mut Tx| {
            let sql = format!("SELECT {COLUMNS} FROM backfills WHERE id = $1");
            match tx.row(&sql, &[id.into()]).await? {
                Some(mut row) => read(tx, &mut row).await.map(Some),
                None => Ok(None),
            }
        };
        self.db.read(show).await
    }

    /// A page of backfills, the newest first.
    pub async fn backfills(&self, filter: BackfillFilter) -> Result<Vec<Backfill>> {
        let show = async move |tx: &mut Tx| {
            let (beyond, order, from) = if filter.is_reversed { (">", "ASC", 0) } else { ("<", "DESC", i64::MAX) };
            let sql = format!(
                "SELECT {COLUMNS} FROM backfills WHERE id {beyond} $1 AND ($2 = '' OR pipeline = $2) \
                 AND ($3 = '' OR state = $3) ORDER BY id {order} LIMIT $4"
            );
            let values: [Value; 4] = [
                filter.after.map_or(from, |after| after.0).into(),
                filter.pipeline.as_deref().unwrap_or_default().into(),
                filter.state.map_or("", BackfillState::name).into(),
                filter.limit.into(),
            ];
            let mut found = Vec::new();
            for mut row in tx.rows(&sql, &values).await? {
                found.push(read(tx, &mut row).await?);
            }
            Ok(found)
        };
        self.db.read(show).await
    }
}

const COLUMNS: &str = "id, pipeline, state, concurrency, total, created_at, ended_at";

async fn read(tx: &mut Tx, row: &mut Row) -> Result<Backfill> {
    let id = BackfillId(row.int()?);
    Ok(Backfill {
        id,
        pipeline: row.text()?,
        state: BackfillState::from_name(&row.text()?)?,
        concurrency: row.small()?,
        total: row.count()?,
        created_at: row.time()?,
        ended_at: row.time_or_null()?,
        runs: counts(tx, id).await?,
    })
}

async fn counts(tx: &mut Tx, id: BackfillId) -> Result<BTreeMap<String, u64>> {
    let mut counts = BTreeMap::new();
    let sql = "SELECT state, COUNT(*) FROM runs WHERE backfill = $1 GROUP BY state";
    for mut row in tx.rows(sql, &[id.into()]).await? {
        counts.insert(row.text()?, row.count()?);
    }
    Ok(counts)
}

/// Most instants in one statement.
const CHUNK: usize = 500;

async fn needed(tx: &mut Tx, pipeline: &str, times: &[Timestamp], only: Only) -> Result<Vec<Timestamp>> {
    if only == Only::All {
        return Ok(times.to_vec());
    }
    let mut last: BTreeMap<Timestamp, RunState> = BTreeMap::new();
    for chunk in times.chunks(CHUNK) {
        let sql = format!(
            "SELECT fire_time, state FROM runs WHERE pipeline = $1 AND fire_time IS NOT NULL AND fire_time IN {} ORDER BY id",
            list(chunk.len(), 2)
        );
        let values: Vec<Value> =
            std::iter::once(pipeline.into()).chain(chunk.iter().map(|time| (*time).into())).collect();
        for mut row in tx.rows(&sql, &values).await? {
            last.insert(row.time()?, crate::views::run_state(&row.text()?)?);
        }
    }
    let is_needed = |time: &&Timestamp| match (only, last.get(time)) {
        (Only::All, _) | (Only::Missing, None) => true,
        (Only::Missing, Some(_)) => false,
        (Only::Failed, state) => matches!(state, Some(RunState::Failed | RunState::Cancelled)),
    };
    Ok(times.iter().filter(is_needed).copied().collect())
}

async fn add(tx: &mut Tx, new: &NewBackfill, now: Timestamp) -> Result<BackfillId> {
    if let Some(id) = identified(tx, new).await? {
        return Ok(id);
    }
    if new.times.is_empty() {
        return Err(Error::new(ErrorKind::Usage, "the range holds no instant that needs a run")
            .advise("Give another range, or see in a dry run what it holds."));
    }
    let known = "SELECT name FROM pipelines WHERE name = $1 AND removed = 0";
    if tx.row(known, &[new.pipeline.as_str().into()]).await?.is_none() {
        return Err(Error::new(ErrorKind::NotFound, format!("there is no pipeline {}", new.pipeline))
            .advise("List what there is."));
    }
    let times: Vec<i64> = new.times.iter().map(|time| time.as_micros()).collect();
    let times = serde_json::to_string(&times).map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
    let sql = "INSERT INTO backfills (pipeline, params, times, total, concurrency, state, created_at, identity, input) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (identity) DO NOTHING RETURNING id";
    let values = [
        new.pipeline.as_str().into(),
        new.params.as_str().into(),
        times.into(),
        new.times.len().into(),
        new.concurrency.max(1).into(),
        BackfillState::Running.name().into(),
        now.into(),
        new.identity.clone().into(),
        new.input.clone().into(),
    ];
    tx.signal(Signal::Due);
    if let Some(mut row) = tx.row(sql, &values).await? {
        return row.int().map(BackfillId);
    }
    // another process was faster
    Ok(identified(tx, new).await?.unwrap_or(BackfillId(0)))
}

async fn identified(tx: &mut Tx, new: &NewBackfill) -> Result<Option<BackfillId>> {
    let Some(identity) = &new.identity else { return Ok(None) };
    let sql = "SELECT id, input FROM backfills WHERE identity = $1";
    let Some(mut row) = tx.row(sql, &[identity.as_str().into()]).await? else { return Ok(None) };
    let id = BackfillId(row.int()?);
    same_input(row.text_or_null()?.as_deref(), new.input.as_deref(), &format!("backfill {id}"))?;
    Ok(Some(id))
}

/// A backfill that has not ended.
struct Open {
    id: BackfillId,
    pipeline: String,
    state: BackfillState,
    total: u64,
    next: u64,
    concurrency: u64,
    document: i64,
}

pub(crate) async fn advance(tx: &mut Tx, now: Timestamp) -> Result<usize> {
    let lock = tx.lock_free("b");
    let sql = format!(
        "SELECT b.id, b.pipeline, b.state, b.total, b.next, b.concurrency, p.document FROM backfills b \
         JOIN pipelines p ON p.name = b.pipeline WHERE b.ended_at IS NULL ORDER BY b.id{lock}"
    );
    let mut history = History::new(now);
    let mut made = 0;
    for mut row in tx.rows(&sql, &[]).await? {
        let open = Open {
            id: BackfillId(row.int()?),
            pipeline: row.text()?,
            state: BackfillState::from_name(&row.text()?)?,
            total: row.count()?,
            next: row.count()?,
            concurrency: row.count()?,
            document: row.int()?,
        };
        made += lead(tx, &mut history, &open).await?;
    }
    history.write(tx).await?;
    Ok(made)
}

/// Starts what may start of one backfill, or ends it.
async fn lead(tx: &mut Tx, history: &mut History, open: &Open) -> Result<usize> {
    let active = "SELECT COUNT(*) FROM runs WHERE backfill = $1 AND ended_at IS NULL";
    let active = tx.row(active, &[open.id.into()]).await?.map_or(Ok(0), |mut row| row.count())?;
    let is_done = open.state == BackfillState::Stopping || open.next == open.total;
    if is_done && active == 0 {
        return end(tx, open, history.now).await.map(|()| 0);
    }
    let free = open.concurrency.saturating_sub(active).min(open.total - open.next);
    if open.state != BackfillState::Running || free == 0 {
        return Ok(0);
    }
    let sql = "SELECT times, params FROM backfills WHERE id = $1";
    let Some(mut row) = tx.row(sql, &[open.id.into()]).await? else { return Ok(0) };
    let (times, params) = (row.text()?, row.text()?);
    let times: Vec<i64> = serde_json::from_str(&times).unwrap_or_default();
    let project = crate::documents::current_project(tx).await?;
    let (skip, take) = (usize::try_from(open.next).unwrap_or(usize::MAX), usize::try_from(free).unwrap_or(0));
    let mut runs = Vec::new();
    for time in times.into_iter().skip(skip).take(take).map(Timestamp::from_micros) {
        let mut new = NewRun::manual(&open.pipeline, open.document, format!("backfill:{}:{time}", open.id));
        new.cause = Cause::Backfill;
        new.project = project;
        new.fire_time = Some(time);
        new.params = params.clone();
        new.backfill = Some(open.id);
        runs.push(new);
    }
    create(tx, history, &runs).await?;
    tx.later("UPDATE backfills SET next = next + $1 WHERE id = $2", &[free.into(), open.id.into()]).await?;
    Ok(take)
}

async fn end(tx: &mut Tx, open: &Open, now: Timestamp) -> Result<()> {
    let counts = counts(tx, open.id).await?;
    let has = |state: RunState| counts.contains_key(state.name());
    let state = if open.state == BackfillState::Stopping {
        BackfillState::Cancelled
    } else if has(RunState::Failed) {
        BackfillState::Failed
    } else if has(RunState::Cancelled) {
        BackfillState::Cancelled
    } else {
        BackfillState::Succeeded
    };
    tx.signal(Signal::End);
    let sql = "UPDATE backfills SET state = $1, ended_at = $2 WHERE id = $3";
    tx.later(sql, &[state.name().into(), now.into(), open.id.into()]).await
}

async fn set_state(tx: &mut Tx, id: BackfillId, state: BackfillState) -> Result<()> {
    let sql = "UPDATE backfills SET state = $1 WHERE id = $2 AND ended_at IS NULL AND state <> 'stopping'";
    tx.signal(Signal::Due);
    if tx.execute(sql, &[state.name().into(), id.into()]).await? > 0 {
        return Ok(());
    }
    Err(match tx.row("SELECT id FROM backfills WHERE id = $1", &[id.into()]).await? {
        Some(_) => Error::new(ErrorKind::Refused, format!("the backfill {id} has ended, or is about to"))
            .advise("Start another one."),
        None => Error::new(ErrorKind::NotFound, format!("there is no backfill {id}")).advise("List what there is."),
    })
}

async fn cancel(tx: &mut Tx, id: BackfillId, now: Timestamp) -> Result<()> {
    set_state(tx, id, BackfillState::Stopping).await?;
    let mut history = History::new(now);
    let sql = "SELECT id FROM runs WHERE backfill = $1 AND ended_at IS NULL ORDER BY id";
    for mut row in tx.rows(sql, &[id.into()]).await? {
        stop(tx, &mut history, RunId(row.int()?)).await?;
    }
    history.write(tx).await?;
    advance(tx, now).await.map(drop)
}
