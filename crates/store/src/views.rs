//! What people and programs ask about runs. Reads only; lists are paged by the id of the last row, so that a page costs the
//! same however many there are.

use std::collections::BTreeMap;

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::id::{BackfillId, RunId, TaskRunId, WorkerId};
use levada_core::run::{RunState, State, Tally};
use levada_core::time::Timestamp;

use crate::Store;
use crate::db::{Row, Tx, Value};
use crate::runs::Cause;

/// Which runs to list, the newest first unless asked for otherwise.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Of this pipeline.
    pub pipeline: Option<String>,
    /// In this state.
    pub state: Option<RunState>,
    /// Made by this.
    pub cause: Option<Cause>,
    /// Made at this instant or later.
    pub since: Option<Timestamp>,
    /// Made before this instant.
    pub until: Option<Timestamp>,
    /// Of this backfill.
    pub backfill: Option<BackfillId>,
    /// With this text in the name of the pipeline, or with this number.
    pub search: Option<String>,
    /// The oldest first.
    pub is_ascending: bool,
    /// Behind this run, which is the last of the page before.
    pub after: Option<RunId>,
    /// Most runs; 1,000 at most.
    pub limit: usize,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Which.
    pub id: RunId,
    /// The pipeline.
    pub pipeline: String,
    /// Names the version of its document among all documents.
    pub document: i64,
    /// The version, counted from 1.
    pub version: u32,
    /// What it was made by.
    pub cause: Cause,
    /// The schedule that fired.
    pub schedule: Option<String>,
    /// The instant it fired for.
    pub fire_time: Option<Timestamp>,
    /// The parameters given, a JSON object.
    pub params: String,
    /// The backfill it belongs to.
    pub backfill: Option<BackfillId>,
    /// The run that it tries again.
    pub retry_of: Option<RunId>,
    /// The task run that started it.
    pub parent: Option<TaskRunId>,
    /// Where it stands.
    pub state: RunState,
    /// Whether it had its turn among the runs of its pipeline.
    pub is_admitted: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its first task was claimed.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// A task run, or an item of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskRun {
    /// Which.
    pub id: TaskRunId,
    /// The task.
    pub task: String,
    /// The item, JSON.
    pub item: Option<String>,
    /// Where it stands.
    pub state: State,
    /// How often it was claimed.
    pub attempt: u32,
    /// Attempts that failed.
    pub failed: u32,
    /// Workers that were lost with it.
    pub lost: u32,
    /// The worker that holds it, or did when it ended.
    pub worker: Option<WorkerId>,
    /// Its outputs, a JSON object.
    pub outputs: Option<String>,
    /// Why its last attempt failed, a JSON object.
    pub error: Option<String>,
    /// When its attempt began; of a wait, its first look.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Which item of the task it is, from 0.
    pub place: Option<usize>,
    /// Its items, counted by state, if it was split.
    pub items: Option<Tally>,
}

/// What names the log of a task run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskRunPlace {
    /// The run.
    pub run: RunId,
    /// The task.
    pub task: String,
    /// Which item of it.
    pub item: Option<usize>,
    /// How often it was claimed.
    pub attempt: u32,
}

/// A line of the history of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    /// Names it; later ones have higher numbers.
    pub id: i64,
    /// The task run; none if it concerns the run.
    pub task_run: Option<TaskRunId>,
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub event: String,
    /// The state after it.
    pub state: String,
    /// Which attempt.
    pub attempt: u32,
    /// More about it, a JSON object.
    pub detail: Option<String>,
}

/// Most rows of one page.
const PAGE_MAX: usize = 1_000;

impl Store {
    /// A page of runs.
    pub async fn runs(&self, filter: RunFilter) -> Result<Vec<Run>> {
        self.db.read(async move |tx: &mut Tx| runs(tx, &filter).await).await
    }

    /// One run.
    pub async fn run(&self, id: RunId) -> Result<Option<Run>> {
        self.db.read(async move |tx: &mut Tx| run(tx, id).await).await
    }

    /// The task runs of a run, in the order of the document, items counted and not listed.
    pub async fn task_runs(&self, run: RunId) -> Result<Vec<TaskRun>> {
        self.db.read(async move |tx: &mut Tx| task_runs(tx, run).await).await
    }

    /// The pipeline that a task run is of.
    pub async fn pipeline_of(&self, id: TaskRunId) -> Result<Option<String>> {
        let sql = "SELECT r.pipeline FROM task_runs t JOIN runs r ON r.id = t.run WHERE t.id = $1";
        let name = async move |tx: &mut Tx| tx.row(sql, &[id.into()]).await?.map(|mut row| row.text()).transpose();
        self.db.read(name).await
    }

    /// Which attempt of what a task run is at.
    pub async fn task_run_place(&self, id: TaskRunId) -> Result<Option<TaskRunPlace>> {
        self.db.read(async move |tx: &mut Tx| place(tx, id).await).await
    }

    /// Where a task run stands, and how often it was claimed.
    pub async fn standing(&self, id: TaskRunId) -> Result<Option<(State, u32)>> {
        self.db.read(async move |tx: &mut Tx| standing(tx, id).await).await
    }

    /// Items of a split task, in order, from the `skip`-th on.
    pub async fn items(&self, run: RunId, task: String, skip: usize, limit: usize) -> Result<Vec<TaskRun>> {
        let from = i64::try_from(skip).unwrap_or(i64::MAX);
        self.db.read(async move |tx: &mut Tx| items(tx, run, &task, Bound::From(from), limit).await).await
    }

    /// Items of a split task before one of them, the last first; of all items without it.
    pub async fn items_before(
        &self,
        run: RunId,
        task: String,
        place: Option<usize>,
        limit: usize,
    ) -> Result<Vec<TaskRun>> {
        let before = place.and_then(|place| i64::try_from(place).ok()).unwrap_or(i64::MAX);
        self.db.read(async move |tx: &mut Tx| items(tx, run, &task, Bound::Before(before), limit).await).await
    }

    /// The history of a run after a line of it; 0 is before the first.
    pub async fn happenings(&self, run: RunId, after: i64, limit: usize) -> Result<Vec<Happening>> {
        let from = Bound::From(after.saturating_add(1));
        self.db.read(async move |tx: &mut Tx| happenings(tx, run, from, limit).await).await
    }

    /// The history of a run before a line of it, the newest first; all of it without one.
    pub async fn happenings_before(&self, run: RunId, line: Option<i64>, limit: usize) -> Result<Vec<Happening>> {
        let before = Bound::Before(line.unwrap_or(i64::MAX));
        self.db.read(async move |tx: &mut Tx| happenings(tx, run, before, limit).await).await
    }

    /// Runs that have not ended, counted by pipeline.
    pub async fn open_runs(&self) -> Result<BTreeMap<String, u64>> {
        self.db.read(async move |tx: &mut Tx| open_runs(tx).await).await
    }

    /// The outputs of the tasks of a run, each a JSON object. Tasks that a retry left out have those of the run before.
    pub async fn outputs(&self, run: RunId) -> Result<BTreeMap<String, String>> {
        self.db.read(async move |tx: &mut Tx| outputs(tx, run).await).await
    }
}

/// Where a page starts of what is in order of a number.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bound {
    /// At this one, and goes up.
    From(i64),
    /// Before this one, and goes down.
    Before(i64),
}

impl Bound {
    /// The number, how those of the page compare with it, and their order.
    pub const fn sql(self) -> (i64, &'static str, &'static str) {
        match self {
            Self::From(number) => (number, ">=", "ASC"),
            Self::Before(number) => (number, "<", "DESC"),
        }
    }
}

const RUN_COLUMNS: &str = "r.id, r.pipeline, r.document, d.version, r.cause, r.schedule, r.fire_time, r.params, r.backfill, \
                           r.retry_of, r.parent, r.state, r.admitted, r.created_at, r.started_at, r.ended_at";

/// How much later than a run with a higher number one can have been made: processes number runs at one moment and keep
/// them at another.
const SKEW: std::time::Duration = std::time::Duration::from_secs(60);

pub(crate) async fn runs(tx: &mut Tx, filter: &RunFilter) -> Result<Vec<Run>> {
    let mut values: Vec<Value> = vec![filter.limit.clamp(1, PAGE_MAX).into()];
    let mut conditions = String::new();
    let mut add = |condition: &str, value: Value| {
        values.push(value);
        conditions.push_str(&condition.replace('?', &format!("${}", values.len())));
    };
    if let Some(pipeline) = &filter.pipeline {
        add(" AND r.pipeline = ?", pipeline.as_str().into());
    }
    if let Some(cause) = filter.cause {
        add(" AND r.cause = ?", cause.name().into());
    }
    if let Some(backfill) = filter.backfill {
        add(" AND r.backfill = ?", backfill.into());
    }
    if let Some(after) = filter.after {
        add(if filter.is_ascending { " AND r.id > ?" } else { " AND r.id < ?" }, after.into());
    }
    if let Some(until) = filter.until {
        add(" AND r.created_at < ?", until.into());
        // younger runs have higher numbers
        let bound = " AND r.id < COALESCE((SELECT m.id FROM runs m WHERE m.created_at >= ? ORDER BY m.created_at LIMIT 1), \
                     9223372036854775807)";
        add(bound, until.plus(SKEW).into());
    }
    if let Some(search) = &filter.search {
        let number: i64 = search.trim_start_matches('#').parse().unwrap_or(-1);
        add(&format!(" AND (r.id = {number} OR LOWER(r.pipeline) LIKE ? ESCAPE '!')"), like(search).into());
    }
    if let Some(since) = filter.since {
        add(" AND r.created_at >= ?", since.into());
        // older runs have lower numbers, so that the list need not go on to the first one
        let bound =
            " AND r.id >= COALESCE((SELECT m.id FROM runs m WHERE m.created_at >= ? ORDER BY m.created_at LIMIT 1), 0)";
        add(bound, since.minus(SKEW).into());
    }
    // spelled out, because indexes that cover some states only are found by them
    if let Some(state) = filter.state {
        conditions.push_str(&format!(" AND r.state = '{}'", state.name()));
        conditions.push_str(match state {
            RunState::Queued | RunState::Running => " AND r.ended_at IS NULL AND r.admitted IN (0, 1)",
            RunState::Failed | RunState::Cancelled => " AND r.state IN ('failed', 'cancelled')",
            RunState::Succeeded => "",
        });
    }
    let direction = if filter.is_ascending { "" } else { " DESC" };
    let sql = format!(
        "SELECT {RUN_COLUMNS} FROM runs r JOIN documents d ON d.id = r.document WHERE r.id > 0{conditions} \
         ORDER BY r.id{direction} LIMIT $1"
    );
    tx.rows(&sql, &values).await?.iter_mut().map(read_run).collect()
}

/// A pattern of texts that hold another one.
pub(crate) fn like(text: &str) -> String {
    let escaped: String = text
        .to_lowercase()
        .chars()
        .flat_map(|c| matches!(c, '!' | '%' | '_').then_some('!').into_iter().chain(std::iter::once(c)))
        .collect();
    format!("%{escaped}%")
}

async fn run(tx: &mut Tx, id: RunId) -> Result<Option<Run>> {
    let sql = format!("SELECT {RUN_COLUMNS} FROM runs r JOIN documents d ON d.id = r.document WHERE r.id = $1");
    tx.row(&sql, &[id.into()]).await?.as_mut().map(read_run).transpose()
}

fn read_run(row: &mut Row) -> Result<Run> {
    Ok(Run {
        id: RunId(row.int()?),
        pipeline: row.text()?,
        document: row.int()?,
        version: row.small()?,
        cause: cause(&row.text()?)?,
        schedule: row.text_or_null()?,
        fire_time: row.time_or_null()?,
        params: row.text()?,
        backfill: row.int_or_null()?.map(BackfillId),
        retry_of: row.int_or_null()?.map(RunId),
        parent: row.int_or_null()?.map(TaskRunId),
        state: run_state(&row.text()?)?,
        is_admitted: row.flag()?,
        created_at: row.time()?,
        started_at: row.time_or_null()?,
        ended_at: row.time_or_null()?,
    })
}

async fn place(tx: &mut Tx, id: TaskRunId) -> Result<Option<TaskRunPlace>> {
    let sql = "SELECT run, name, item, attempt FROM task_runs WHERE id = $1";
    let Some(mut row) = tx.row(sql, &[id.into()]).await? else { return Ok(None) };
    let (run, task, item) = (RunId(row.int()?), row.text()?, usize::try_from(row.int()?).ok());
    Ok(Some(TaskRunPlace { run, task, item, attempt: row.small()? }))
}

/// The state of a run, of its stable name.
pub(crate) fn run_state(name: &str) -> Result<RunState> {
    RunState::from_name(name).ok_or_else(|| unknown("state", name))
}

/// What a run was made by, of its stable name.
pub(crate) fn cause(name: &str) -> Result<Cause> {
    Cause::from_name(name).ok_or_else(|| unknown("cause", name))
}

fn unknown(what: &str, name: &str) -> Error {
    Error::new(ErrorKind::Internal, format!("a run has the {what} `{name}`, which is not known"))
}

const TASK_COLUMNS: &str = "id, name, item_value, state, wake_at, attempt, failed, lost, worker, outputs, error, \
                            started_at, ended_at, item";

fn read_task_run(row: &mut Row) -> Result<TaskRun> {
    let (id, task, item) = (TaskRunId(row.int()?), row.text()?, row.text_or_null()?);
    let (name, until) = (row.text()?, row.time_or_null()?);
    Ok(TaskRun {
        id,
        task,
        item,
        state: task_state(&name, until)?,
        attempt: row.small()?,
        failed: row.small()?,
        lost: row.small()?,
        worker: row.int_or_null()?.map(WorkerId),
        outputs: row.text_or_null()?,
        error: row.text_or_null()?,
        started_at: row.time_or_null()?,
        ended_at: row.time_or_null()?,
        place: usize::try_from(row.int()?).ok(),
        items: None,
    })
}

pub(crate) fn task_state(name: &str, until: Option<Timestamp>) -> Result<State> {
    State::from_name(name, until).ok_or_else(|| unknown("task in the state", name))
}

pub(crate) async fn task_runs(tx: &mut Tx, run: RunId) -> Result<Vec<TaskRun>> {
    let sql = "SELECT name, state, COUNT(*) FROM task_runs WHERE run = $1 AND item >= 0 GROUP BY name, state";
    let mut items: BTreeMap<String, Tally> = BTreeMap::new();
    for mut row in tx.rows(sql, &[run.into()]).await? {
        let (name, state, count) = (row.text()?, row.text()?, row.count()?);
        let tally = items.entry(name).or_default();
        State::from_name(&state, None).into_iter().for_each(|state| tally.add(state, count));
    }
    let sql = format!("SELECT {TASK_COLUMNS} FROM task_runs WHERE run = $1 AND item = -1 ORDER BY task");
    let mut found = Vec::new();
    for mut row in tx.rows(&sql, &[run.into()]).await? {
        let mut task_run = read_task_run(&mut row)?;
        task_run.items = items.remove(&task_run.task);
        found.push(task_run);
    }
    Ok(found)
}

async fn standing(tx: &mut Tx, id: TaskRunId) -> Result<Option<(State, u32)>> {
    let sql = format!("SELECT {TASK_COLUMNS} FROM task_runs WHERE id = $1");
    let found = tx.row(&sql, &[id.into()]).await?.as_mut().map(read_task_run).transpose()?;
    Ok(found.map(|task_run| (task_run.state, task_run.attempt)))
}

async fn items(tx: &mut Tx, run: RunId, task: &str, bound: Bound, limit: usize) -> Result<Vec<TaskRun>> {
    let (place, compares, order) = bound.sql();
    let sql = format!(
        "SELECT {TASK_COLUMNS} FROM task_runs WHERE run = $1 AND name = $2 AND item >= 0 AND item {compares} $3 \
         ORDER BY item {order} LIMIT $4"
    );
    let values = [run.into(), task.into(), place.into(), limit.min(PAGE_MAX).into()];
    tx.rows(&sql, &values).await?.iter_mut().map(read_task_run).collect()
}

pub(crate) async fn happenings(tx: &mut Tx, run: RunId, bound: Bound, limit: usize) -> Result<Vec<Happening>> {
    let (line, compares, order) = bound.sql();
    let sql = format!(
        "SELECT id, task_run, at, event, state, attempt, detail FROM events WHERE run = $1 AND id {compares} $2 \
         ORDER BY id {order} LIMIT $3"
    );
    let mut found = Vec::new();
    for mut row in tx.rows(&sql, &[run.into(), line.into(), limit.min(PAGE_MAX).into()]).await? {
        found.push(Happening {
            id: row.int()?,
            task_run: row.int_or_null()?.map(TaskRunId),
            at: row.time()?,
            event: row.text()?,
            state: row.text()?,
            attempt: row.small()?,
            detail: row.text_or_null()?,
        });
    }
    Ok(found)
}

async fn open_runs(tx: &mut Tx) -> Result<BTreeMap<String, u64>> {
    let mut counts = BTreeMap::new();
    let sql = "SELECT pipeline, COUNT(*) FROM runs WHERE ended_at IS NULL GROUP BY pipeline";
    for mut row in tx.rows(sql, &[]).await? {
        counts.insert(row.text()?, row.count()?);
    }
    Ok(counts)
}

/// Most runs that a retry of a retry is followed back.
const RETRIES_MAX: usize = 100;

async fn outputs(tx: &mut Tx, run: RunId) -> Result<BTreeMap<String, String>> {
    let (mut found, mut next) = (BTreeMap::new(), Some(run.0));
    for _ in 0..RETRIES_MAX {
        let Some(run) = next else { break };
        let sql = "SELECT name, outputs FROM task_runs WHERE run = $1 AND item = -1 AND outputs IS NOT NULL \
                   AND state = 'succeeded'";
        for mut row in tx.rows(sql, &[run.into()]).await? {
            let (name, outputs) = (row.text()?, row.text()?);
            found.entry(name).or_insert(outputs);
        }
        let before = tx.row("SELECT retry_of FROM runs WHERE id = $1", &[run.into()]).await?;
        next = before.map_or(Ok(None), |mut row| row.int_or_null())?;
    }
    Ok(found)
}
