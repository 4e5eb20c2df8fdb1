//! Backfills: one run of a pipeline for every instant of a range, led as one thing.

use std::collections::BTreeMap;

use levada_core::config::Step;
use levada_core::id::BackfillId;
use levada_core::time::Timestamp;
use levada_store::{BackfillFilter, BackfillState, NewBackfill, Only, Store};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::runs::{as_json, texts};
use super::{limit, number};
use crate::backfills::{End, Range, TIMES_MAX, times};
use crate::documents::{self, check_start};
use crate::problem::Problem;
use crate::route::{Answer, Call, Once, Page};
use crate::sort::{Sort, orders};

/// Instants that are told where nobody says how many.
const TIMES_TOLD: usize = 1_000;

/// A backfill.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
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

orders! {
    /// What backfills are in order of.
    BackfillOrder(true) { Created = "created" }
}

/// Which backfills to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Of this pipeline.
    pub pipeline: Option<String>,
    /// In this state.
    pub state: Option<BackfillState>,
    /// The order; `-` before it is the other way round, and the newest come first unless asked for otherwise.
    #[serde(default)]
    pub sort: Sort<BackfillOrder>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// How many; 50 unless given, 1,000 at most.
    pub limit: Option<u32>,
}

/// A backfill.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct One {
    /// Its number.
    pub backfill: i64,
}

/// A backfill to make.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Make {
    /// The pipeline.
    pub pipeline: String,
    /// The first instant, or the first day.
    #[schemars(with = "Timestamp")]
    pub from: End,
    /// The last instant that may be, or the last day.
    #[schemars(with = "Timestamp")]
    pub to: End,
    /// One run for each of these; for each fire of the pipeline's only schedule by time unless given, else for each day.
    pub every: Option<Step>,
    /// Which of the instants: all of them unless given.
    #[serde(default)]
    pub only: Only,
    /// The latest first.
    #[serde(default)]
    pub reverse: bool,
    /// Runs at once; 1 unless given.
    pub concurrency: Option<u32>,
    /// Values of the parameters of its runs.
    #[serde(default)]
    pub params: Map<String, Value>,
    /// Tells which runs there would be, and makes none.
    #[serde(default)]
    pub dry_run: bool,
    /// How many of the instants to tell; 1,000 unless given, 100,000 at most.
    pub told: Option<u32>,
}

/// A backfill that was made, or could be.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Made {
    /// The backfill; null if none was to be made.
    pub backfill: Option<Backfill>,
    /// How many runs it has.
    pub total: u64,
    /// The instants of its runs, in the order in which they start; the first of them.
    pub fire_times: Vec<Timestamp>,
    /// Most runs of the pipeline at once, by its own document; null without a limit.
    pub pipeline_concurrency: Option<u32>,
}

/// Backfills, the newest first.
pub async fn list(call: Call<List>) -> Result<Answer<Page<Backfill>>, Problem> {
    let List { pipeline, state, sort, after, limit: asked } = call.input;
    let limit = limit(asked)?;
    let (is_reversed, after) = (sort.is_ascending(), number(after.as_deref())?.map(BackfillId));
    let found = call.app.store.backfills(BackfillFilter { pipeline, state, is_reversed, after, limit }).await?;
    let next = found.last().filter(|_| found.len() == limit).map(|last| last.id.to_string());
    Ok(Page { items: found.into_iter().map(Backfill::from).collect(), next }.into())
}

/// A backfill.
pub async fn get(call: Call<One>) -> Result<Answer<Backfill>, Problem> {
    Ok(find(&call.app.store, call.input.backfill).await?.into())
}

/// Makes a backfill, once for each `Idempotency-Key`; or tells which runs it would have.
pub async fn make(call: Call<Make>) -> Result<Answer<Made>, Problem> {
    let (Once { identity, input }, now) = (call.once("makeBackfill", &call.input.pipeline)?, call.now());
    let Make { pipeline, from, to, every, only, reverse, concurrency, params, dry_run, told } = call.input;
    let (app, concurrency) = (call.app, concurrency.unwrap_or(1));
    if concurrency == 0 {
        return Err(Problem::Malformed("`concurrency` is at least 1.".to_owned()));
    }
    let told = told.map_or(TIMES_TOLD, |told| told as usize);
    if told > TIMES_MAX {
        return Err(Problem::Malformed(format!("`told` is {TIMES_MAX} at most.")));
    }
    let project = app.store.project().await?;
    let document = documents::find(&project, &pipeline)?;
    let values = texts(&params)?;
    check_start(&app, &project, document, values.clone(), &[]).await?;
    let range = Range { from, to, every, only, reverse };
    let times = times(&app.store, &pipeline, range).await?;
    let (total, told) = (times.len() as u64, times.iter().take(told).copied().collect());
    let graph = app.store.pipeline_graph(pipeline.clone()).await?;
    let pipeline_concurrency = graph.and_then(|graph| graph.concurrency);
    if dry_run {
        return Ok(Made { backfill: None, total, fire_times: told, pipeline_concurrency }.into());
    }
    let new = NewBackfill { pipeline, times, params: as_json(values), concurrency, identity: Some(identity), input };
    let id = app.store.create_backfill(new, now).await?;
    let backfill = find(&app.store, id.0).await?;
    Ok(Made { total: backfill.total, backfill: Some(backfill), fire_times: told, pipeline_concurrency }.into())
}

/// Lets a backfill start no further runs.
pub async fn pause(call: Call<One>) -> Result<Answer<Backfill>, Problem> {
    call.app.store.pause_backfill(BackfillId(call.input.backfill), true).await?;
    get(call).await
}

/// Lets a paused backfill go on.
pub async fn resume(call: Call<One>) -> Result<Answer<Backfill>, Problem> {
    call.app.store.pause_backfill(BackfillId(call.input.backfill), false).await?;
    get(call).await
}

/// Cancels a backfill with its open runs.
pub async fn cancel(call: Call<One>) -> Result<Answer<Backfill>, Problem> {
    call.app.store.cancel_backfill(BackfillId(call.input.backfill), call.now()).await?;
    get(call).await
}

async fn find(store: &Store, id: i64) -> Result<Backfill, Problem> {
    let found = store.backfill(BackfillId(id)).await?;
    found.map(Backfill::from).ok_or_else(|| Problem::no("backfill", id))
}

impl From<levada_store::Backfill> for Backfill {
    fn from(found: levada_store::Backfill) -> Self {
        Self {
            id: found.id,
            pipeline: found.pipeline,
            state: found.state,
            concurrency: found.concurrency,
            total: found.total,
            runs: found.runs,
            created_at: found.created_at,
            ended_at: found.ended_at,
        }
    }
}
