//! The last runs of every pipeline, as the bars of a list.

use levada_core::id::RunId;
use levada_core::run::RunState;
use levada_core::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limit;
use crate::problem::Problem;
use crate::route::{Answer, Call, Page};
use crate::sort::{Sort, orders};

/// Runs of a pipeline that nobody said the number of.
const RUNS: u32 = 20;
/// Runs of a pipeline at most.
const RUNS_MAX: u32 = 100;

orders! {
    /// What the last runs of pipelines are in order of.
    RecentOrder(false) { Pipeline = "pipeline" }
}

/// Which runs to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Of this pipeline.
    pub pipeline: Option<String>,
    /// Runs of each pipeline; 20 unless given, 100 at most.
    pub runs: Option<u32>,
    /// The order; `-` before it is the other way round.
    #[serde(default)]
    pub sort: Sort<RecentOrder>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// How many pipelines; 50 unless given, 1,000 at most.
    pub limit: Option<u32>,
}

/// The last runs of a pipeline.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Recent {
    /// The pipeline.
    pub pipeline: String,
    /// Of those of the runs that have ended, the part that succeeded, from 0 to 1; null if none has.
    pub success_rate: Option<f64>,
    /// The runs, the newest first.
    pub runs: Vec<Bar>,
}

/// A run in short.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Bar {
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
    /// From its first task's claim to its end, in seconds; null while it goes on, and if nothing of it started.
    pub seconds: Option<f64>,
}

/// The last runs of every pipeline, in the order of their names unless asked for otherwise.
pub async fn list(call: Call<List>) -> Result<Answer<Page<Recent>>, Problem> {
    let List { pipeline, runs, sort, after, limit: asked } = call.input;
    let (limit, runs) = (limit(asked)?, runs.unwrap_or(RUNS));
    if runs == 0 || runs > RUNS_MAX {
        return Err(Problem::Malformed(format!("`runs` is between 1 and {RUNS_MAX}.")));
    }
    let (names, place) = (pipeline.map(|name| vec![name]), (after, sort.is_ascending()));
    let found = call.app.store.recent_runs(names, place, limit, runs as usize).await?;
    let next = found.last().filter(|_| found.len() == limit).map(|last| last.pipeline.clone());
    Ok(Page { items: found.into_iter().map(Recent::from).collect(), next }.into())
}

/// Of those of some runs that have ended, the part that succeeded; none if none has.
pub(super) fn success_rate(runs: &[levada_store::RecentRun]) -> Option<f64> {
    let ended = runs.iter().filter(|run| run.state.is_terminal()).count();
    let succeeded = runs.iter().filter(|run| run.state == RunState::Succeeded).count();
    (ended > 0).then(|| succeeded as f64 / ended as f64)
}

impl From<levada_store::RecentRuns> for Recent {
    fn from(found: levada_store::RecentRuns) -> Self {
        Self {
            pipeline: found.pipeline,
            success_rate: success_rate(&found.runs),
            runs: found.runs.into_iter().map(Bar::from).collect(),
        }
    }
}

impl From<levada_store::RecentRun> for Bar {
    fn from(run: levada_store::RecentRun) -> Self {
        let took = run.started_at.zip(run.ended_at).map(|(start, end)| end.since(start));
        Self {
            id: run.id,
            state: run.state,
            created_at: run.created_at,
            started_at: run.started_at,
            ended_at: run.ended_at,
            seconds: took.map(|took| took.as_secs_f64()),
        }
    }
}
