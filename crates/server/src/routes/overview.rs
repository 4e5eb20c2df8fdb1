//! What the first page shows, in one answer: what goes on, what failed, what comes next, what was moved, how fresh the data
//! is, and what there is room for.

use levada_core::id::RunId;
use levada_core::time::Timestamp;
use levada_engine::house::{Sums, SyncProgress};
use levada_store::{Cause, Dashboard};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Nothing, parsed};
use crate::problem::Problem;
use crate::route::{Answer, Call};
use crate::storage;

/// What goes on.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Overview {
    /// The instant it is.
    pub at: Timestamp,
    /// Pipelines.
    pub pipelines: Pipelines,
    /// Runs by state.
    pub runs: Runs,
    /// The newest runs that are at work; 20 at most.
    pub running: Vec<Running>,
    /// Runs that failed in the last 24 hours, the newest first; 20 at most.
    pub failures: Vec<Failure>,
    /// The next fires of schedules by time; 10 at most.
    pub upcoming: Vec<Upcoming>,
    /// The clock hours in which the last 24 hours lie, the oldest first; the last one goes on.
    pub hours: Vec<Hour>,
    /// Datasets that syncs load, the one that was not loaded for longest first; 20 at most.
    pub datasets: Vec<Dataset>,
    /// What there is room for.
    pub capacity: Capacity,
}

/// How many pipelines there are.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Pipelines {
    /// All of them.
    pub total: u64,
    /// Those that are paused.
    pub paused: u64,
}

/// How many runs there are.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Runs {
    /// At work now.
    pub running: u64,
    /// Waiting now for their turn or for a worker.
    pub queued: u64,
    /// Ended well in the last 24 hours.
    pub succeeded: u64,
    /// Failed in the last 24 hours.
    pub failed: u64,
    /// Cancelled in the last 24 hours.
    pub cancelled: u64,
}

/// A run that is at work.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Running {
    /// Which.
    pub run: RunId,
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
    /// How many of them have ended.
    pub ended: u64,
    /// How far its syncs are, all together; null if none is at work, or has told it yet.
    pub progress: Option<Sums>,
}

/// A run that failed.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// Which.
    pub run: RunId,
    /// The pipeline.
    pub pipeline: String,
    /// When it ended.
    pub ended_at: Timestamp,
    /// The task that failed first.
    pub task: Option<String>,
    /// The first line of what it said.
    pub error: Option<String>,
    /// The kind of the error.
    pub code: Option<String>,
    /// Whether a later run of the pipeline succeeded.
    pub recovered: bool,
}

/// A fire to come.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Upcoming {
    /// The pipeline.
    pub pipeline: String,
    /// The schedule.
    pub schedule: String,
    /// When.
    pub at: Timestamp,
}

/// What happened in an hour.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Hour {
    /// Its beginning.
    pub from: Timestamp,
    /// Rows that syncs wrote which ended in it.
    pub rows: u64,
    /// Bytes that they read, as they lay in memory.
    pub bytes: u64,
    /// Runs that succeeded in it.
    pub succeeded: u64,
    /// Runs that failed in it.
    pub failed: u64,
    /// Runs that were cancelled in it.
    pub cancelled: u64,
}

/// A dataset.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Dataset {
    /// Its name, as `connection.stream`.
    pub name: String,
    /// When it was loaded last.
    pub updated_at: Timestamp,
    /// The pipeline that did it.
    pub pipeline: Option<String>,
    /// The run.
    pub run: Option<RunId>,
}

/// What there is room for.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Capacity {
    /// Workers that take runs of others.
    pub workers: u64,
    /// Task runs that they execute at once.
    pub slots: u64,
    /// How many they hold.
    pub held: u64,
    /// Bytes of the metadata store; measured now and then, and null before the first time.
    pub store_bytes: Option<u64>,
    /// Bytes of logs and files of runs on this machine; the same.
    pub data_bytes: Option<u64>,
}

/// What goes on.
pub async fn get(call: Call<Nothing>) -> Result<Answer<Overview>, Problem> {
    let (app, now) = (&call.app, call.now());
    let found = app.store.dashboard(now).await?;
    let running = running(&found);
    let Dashboard { ended, .. } = found;
    let hour = |hour: levada_store::Hour| Hour {
        from: hour.from,
        rows: hour.volume.rows,
        bytes: hour.volume.bytes,
        succeeded: hour.ended.succeeded,
        failed: hour.ended.failed,
        cancelled: hour.ended.cancelled,
    };
    let upcoming =
        |fire: levada_store::Fire| Upcoming { pipeline: fire.pipeline, schedule: fire.schedule, at: fire.at };
    let dataset = |loaded: levada_store::Loaded| Dataset {
        name: loaded.name,
        updated_at: loaded.at,
        pipeline: Some(loaded.pipeline),
        run: Some(loaded.run),
    };
    Ok(Overview {
        at: now,
        pipelines: Pipelines { total: found.pipelines, paused: found.paused },
        runs: Runs {
            running: found.running,
            queued: found.queued,
            succeeded: ended.succeeded,
            failed: ended.failed,
            cancelled: ended.cancelled,
        },
        running,
        failures: found.failed.into_iter().map(Failure::from).collect(),
        upcoming: found.fires.into_iter().map(upcoming).collect(),
        hours: found.hours.into_iter().map(hour).collect(),
        datasets: found.loaded.into_iter().map(dataset).collect(),
        capacity: capacity(app).await?,
    }
    .into())
}

fn running(found: &Dashboard) -> Vec<Running> {
    let progress = |run: RunId| {
        let of_run = found.progress.iter().filter(|told| told.run == run);
        let sums = of_run.filter_map(|told| serde_json::from_str::<SyncProgress>(&told.figures).ok());
        sums.map(|told| told.sums).reduce(Sums::and)
    };
    let run = |run: &levada_store::RunningRun| Running {
        run: run.id,
        pipeline: run.pipeline.clone(),
        cause: run.cause,
        created_at: run.created_at,
        started_at: run.started_at,
        tasks: run.tasks,
        ended: run.tasks.saturating_sub(run.open),
        progress: progress(run.id),
    };
    found.at_work.iter().map(run).collect()
}

async fn capacity(app: &crate::App) -> Result<Capacity, Problem> {
    let (workers, held) = (app.store.workers().await?, app.store.held().await?);
    let mut found = Capacity { workers: 0, slots: 0, held: 0, store_bytes: None, data_bytes: None };
    for worker in workers.iter().filter(|worker| !worker.is_own) {
        found.workers += 1;
        found.slots += u64::from(worker.slots);
        found.held += held.get(&worker.id).copied().unwrap_or_default();
    }
    let size = storage::size(app);
    Ok(Capacity { store_bytes: size.store, data_bytes: size.data, ..found })
}

impl From<levada_store::Failed> for Failure {
    fn from(failed: levada_store::Failed) -> Self {
        let error = parsed(failed.error.as_deref()).unwrap_or_default();
        let text = |key: &str| error.get(key).and_then(Value::as_str);
        Self {
            run: failed.run,
            pipeline: failed.pipeline,
            ended_at: failed.ended_at,
            task: failed.task,
            error: text("message").and_then(|message| message.lines().next()).map(str::to_owned),
            code: text("code").map(str::to_owned),
            recovered: failed.is_recovered,
        }
    }
}
