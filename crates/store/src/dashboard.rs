//! What the first page shows: what goes on, what failed, what comes next, what was moved, and how fresh the data is. Reads
//! only, by indexes that tell it without a look at the runs themselves.

use std::time::Duration;

use levada_core::error::Result;
use levada_core::id::RunId;
use levada_core::run::RunState;
use levada_core::time::Timestamp;

use crate::Store;
use crate::db::{Ask, Dialect, Row, Tx};
use crate::progress::{self, HOUR, TaskProgress, Volume};
use crate::runs::Cause;
use crate::views;

/// How far back it looks.
const PAST: Duration = Duration::from_secs(24 * 3_600);
/// Entries of a list at most.
const LIST_MAX: usize = 20;
/// Fires at most.
const FIRES_MAX: usize = 10;

/// What the first page shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dashboard {
    /// Pipelines.
    pub pipelines: u64,
    /// Pipelines that are paused.
    pub paused: u64,
    /// Runs that are at work.
    pub running: u64,
    /// Runs that wait for their turn, or for a worker.
    pub queued: u64,
    /// Runs that ended in the last 24 hours.
    pub ended: Counts,
    /// Clock hours in which the last 24 hours lie, the oldest first.
    pub hours: Vec<Hour>,
    /// The newest runs that are at work.
    pub at_work: Vec<RunningRun>,
    /// How far their syncs are.
    pub progress: Vec<TaskProgress>,
    /// Runs that failed in the last 24 hours, the newest first.
    pub failed: Vec<Failed>,
    /// The next fires of schedules by time.
    pub fires: Vec<Fire>,
    /// Datasets, the one that was not loaded for longest first.
    pub loaded: Vec<Loaded>,
}

/// Runs by their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Those that succeeded.
    pub succeeded: u64,
    /// Those that failed.
    pub failed: u64,
    /// Those that were cancelled.
    pub cancelled: u64,
}

/// What happened in an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hour {
    /// Its beginning.
    pub from: Timestamp,
    /// What syncs moved that ended in it.
    pub volume: Volume,
    /// Runs that ended in it.
    pub ended: Counts,
}

/// A run that is at work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningRun {
    /// Which.
    pub id: RunId,
    /// The pipeline.
    pub pipeline: String,
    /// What it was made by.
    pub cause: Cause,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its first task was claimed.
    pub started_at: Option<Timestamp>,
    /// How many tasks it has.
    pub tasks: u64,
    /// How many of them have not ended.
    pub open: u64,
}

/// A run that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// Which.
    pub run: RunId,
    /// The pipeline.
    pub pipeline: String,
    /// When it ended.
    pub ended_at: Timestamp,
    /// The task that failed first.
    pub task: Option<String>,
    /// Why, a JSON object.
    pub error: Option<String>,
    /// Whether a later run of the pipeline succeeded.
    pub is_recovered: bool,
}

/// A fire to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fire {
    /// The pipeline.
    pub pipeline: String,
    /// The schedule.
    pub schedule: String,
    /// When.
    pub at: Timestamp,
}

/// A dataset that was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// Its name, as `connection.stream`.
    pub name: String,
    /// When it was loaded last.
    pub at: Timestamp,
    /// The pipeline that did it.
    pub pipeline: String,
    /// The run.
    pub run: RunId,
}

impl Store {
    /// What the first page shows.
    pub async fn dashboard(&self, now: Timestamp) -> Result<Dashboard> {
        self.db.read(async move |tx: &mut Tx| dashboard(tx, now).await).await
    }

    /// The bytes that the store takes on disk.
    pub async fn bytes(&self) -> Result<u64> {
        let size = async move |tx: &mut Tx| {
            let sql = match tx.dialect() {
                Dialect::Sqlite => "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
                Dialect::Postgres => {
                    "SELECT COALESCE(SUM(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c \
                     WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'"
                }
            };
            tx.row(sql, &[]).await?.map_or(Ok(0), |mut row| row.count())
        };
        self.db.read(size).await
    }
}

pub(crate) async fn dashboard(tx: &mut Tx, now: Timestamp) -> Result<Dashboard> {
    let since = now.minus(PAST);
    let (first, last) = (since.as_micros().div_euclid(HOUR), now.as_micros().div_euclid(HOUR));
    let asks = [
        Ask::new(
            "SELECT COUNT(*), COALESCE(SUM(CASE WHEN paused = 0 THEN 0 ELSE 1 END), 0) FROM pipelines WHERE removed = 0",
            [],
        ),
        Ask::new("SELECT state, COUNT(*) FROM runs WHERE ended_at IS NULL GROUP BY state", []),
        Ask::new(
            "SELECT ended_at / 3600000000, CASE WHEN ended_at >= $1 THEN 1 ELSE 0 END, state, COUNT(*) FROM runs \
             WHERE ended_at >= $2 GROUP BY 1, 2, 3",
            [since.into(), (first * HOUR).into()],
        ),
        Ask::new(
            "SELECT hour, CAST(SUM(moved_rows) AS BIGINT), CAST(SUM(moved_bytes) AS BIGINT) FROM moved \
             WHERE hour >= $1 GROUP BY hour",
            [first.into()],
        ),
        // the order is one that no index has: otherwise SQLite goes through all runs by their numbers
        Ask::new(
            "SELECT r.id, r.pipeline, r.cause, r.created_at, r.started_at, r.open, \
             (SELECT COUNT(*) FROM task_runs t WHERE t.run = r.id AND t.item = -1) FROM runs r \
             WHERE r.state = 'running' AND r.ended_at IS NULL AND r.admitted IN (0, 1) ORDER BY r.id + 0 DESC LIMIT $1",
            [LIST_MAX.into()],
        ),
        Ask::new(
            "SELECT r.id, r.pipeline, r.ended_at, t.name, t.error, CASE WHEN EXISTS (SELECT 1 FROM runs s \
             WHERE s.pipeline = r.pipeline AND s.id > r.id AND s.state = 'succeeded') THEN 1 ELSE 0 END \
             FROM runs r LEFT JOIN task_runs t ON t.id = (SELECT f.id FROM task_runs f WHERE f.run = r.id \
             AND f.state = 'failed' ORDER BY f.ended_at, f.id LIMIT 1) \
             WHERE r.state = 'failed' AND r.ended_at >= $1 ORDER BY r.ended_at DESC LIMIT $2",
            [since.into(), LIST_MAX.into()],
        ),
        Ask::new(
            "SELECT s.pipeline, s.name, s.next_at FROM schedules s WHERE s.kind = 'time' AND s.paused = 0 \
             AND s.next_at IS NOT NULL ORDER BY s.next_at LIMIT $1",
            [FIRES_MAX.into()],
        ),
        // the last run that loaded a dataset stays while the dataset is loaded at all
        Ask::new(
            "SELECT d.name, d.updated_at, r.pipeline, r.id FROM datasets d JOIN runs r ON r.id = d.run \
             LEFT JOIN pipelines p ON p.name = r.pipeline WHERE COALESCE(p.removed, 0) = 0 \
             ORDER BY d.updated_at, d.name LIMIT $1",
            [LIST_MAX.into()],
        ),
    ];
    let [pipelines, open, ended, moved, at_work, failed, fires, loaded] =
        <[Vec<Row>; 8]>::try_from(tx.all(&asks).await?).unwrap_or_default();
    let hour = |number: i64| Hour { from: Timestamp::from_micros(number * HOUR), ..Hour::default() };
    let mut found = Dashboard { hours: (first..=last).map(hour).collect(), ..Dashboard::default() };
    for mut row in pipelines {
        (found.pipelines, found.paused) = (row.count()?, row.count()?);
    }
    for mut row in open {
        match (views::run_state(&row.text()?)?, row.count()?) {
            (RunState::Running, count) => found.running += count,
            (_, count) => found.queued += count,
        }
    }
    for mut row in ended {
        let (number, is_counted) = (row.int()?, row.flag()?);
        let (state, count) = (views::run_state(&row.text()?)?, row.count()?);
        found.ended.add(state, if is_counted { count } else { 0 });
        found.hour(number - first).into_iter().for_each(|hour| hour.ended.add(state, count));
    }
    for mut row in moved {
        let number = row.int()?;
        let volume = Volume { rows: row.count()?, bytes: row.count()? };
        found.hour(number - first).into_iter().for_each(|hour| hour.volume = volume);
    }
    found.at_work = each(at_work, read_running)?;
    found.failed = each(failed, read_failed)?;
    found.fires = each(fires, |row| Ok(Fire { pipeline: row.text()?, schedule: row.text()?, at: row.time()? }))?;
    found.loaded = each(loaded, |row| {
        Ok(Loaded { name: row.text()?, at: row.time()?, pipeline: row.text()?, run: RunId(row.int()?) })
    })?;
    found.progress = progress::progress(tx, None).await?;
    Ok(found)
}

fn each<T>(mut rows: Vec<Row>, read: impl Fn(&mut Row) -> Result<T>) -> Result<Vec<T>> {
    rows.iter_mut().map(read).collect()
}

fn read_running(row: &mut Row) -> Result<RunningRun> {
    Ok(RunningRun {
        id: RunId(row.int()?),
        pipeline: row.text()?,
        cause: views::cause(&row.text()?)?,
        created_at: row.time()?,
        started_at: row.time_or_null()?,
        open: row.count()?,
        tasks: row.count()?,
    })
}

fn read_failed(row: &mut Row) -> Result<Failed> {
    Ok(Failed {
        run: RunId(row.int()?),
        pipeline: row.text()?,
        ended_at: row.time()?,
        task: row.text_or_null()?,
        error: row.text_or_null()?,
        is_recovered: row.flag()?,
    })
}

impl Dashboard {
    /// The hour of a number, counted from the first.
    fn hour(&mut self, number: i64) -> Option<&mut Hour> {
        usize::try_from(number).ok().and_then(|number| self.hours.get_mut(number))
    }
}

impl Counts {
    fn add(&mut self, state: RunState, count: u64) {
        match state {
            RunState::Succeeded => self.succeeded += count,
            RunState::Failed => self.failed += count,
            RunState::Cancelled => self.cancelled += count,
            RunState::Queued | RunState::Running => {}
        }
    }
}
