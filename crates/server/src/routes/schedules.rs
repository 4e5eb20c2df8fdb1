//! What starts pipelines by itself, and when.

use levada_core::config;
use levada_core::error::{Error, ErrorKind};
use levada_core::naming::{did_you_mean, nearest};
use levada_core::schedule::Schedule;
use levada_core::time::Timestamp;
use levada_store::{Scheduled, When};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{instant, limit, matches};
use crate::documents;
use crate::problem::Problem;
use crate::project;
use crate::route::{Answer, Call, Done, Page};
use crate::schedules::{self, Fire};
use crate::sort::{Rank, Sort, orders};

/// Fires of a preview that nobody said the number of.
const FIRES: u32 = 5;
/// Fires of a preview at most.
const FIRES_MAX: u32 = 1_000;

/// A schedule of a pipeline.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Item {
    /// The pipeline.
    pub pipeline: String,
    /// The schedule.
    pub schedule: String,
    /// What makes it fire.
    pub kind: Kind,
    /// The same in words.
    pub fires: String,
    /// The time zone whose clock it means; null if it is not by time.
    pub timezone: Option<String>,
    /// Which missed fires are made up for: `none`, `last` or `all`.
    pub catchup: String,
    /// Parameters of its runs.
    pub params: Value,
    /// Whether nothing keeps it from firing.
    pub active: bool,
    /// Whether it is paused by itself.
    pub paused: bool,
    /// Whether its pipeline is paused.
    pub pipeline_paused: bool,
    /// The next fire of one that is active, or the next look at the files.
    pub next_at: Option<Timestamp>,
    /// The last fire.
    pub last_at: Option<Timestamp>,
}

/// What makes a schedule fire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Times on a clock, or intervals.
    Time,
    /// The end of a run of another pipeline.
    Pipeline,
    /// The load of a dataset.
    Dataset,
    /// The arrival of files.
    File,
}

orders! {
    /// What schedules are in order of.
    ScheduleOrder(false) { Pipeline = "pipeline", NextAt = "next_at" }
}

/// Which schedules to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Of this pipeline.
    pub pipeline: Option<String>,
    /// With this text in the name of the pipeline or of the schedule.
    pub search: Option<String>,
    /// Of this kind.
    pub kind: Option<Kind>,
    /// Those that nothing keeps from firing, or those that something does.
    pub active: Option<bool>,
    /// The order; `-` before it is the other way round.
    #[serde(default)]
    pub sort: Sort<ScheduleOrder>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// How many; 50 unless given, 1,000 at most.
    pub limit: Option<u32>,
}

/// A schedule.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct One {
    /// The pipeline.
    pub pipeline: String,
    /// The schedule.
    pub schedule: String,
}

/// Fires of a schedule.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FiresOf {
    /// The pipeline.
    pub pipeline: String,
    /// The schedule.
    pub schedule: String,
    /// How many; 5 unless given, 1,000 at most.
    pub count: Option<u32>,
    /// From this instant on; from now unless given.
    pub from: Option<String>,
}

/// Fires of a schedule that may not be saved.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unsaved {
    /// The schedule as documents have it: a cron expression, or an object with `cron` or `every` and more.
    pub schedule: Value,
    /// How many; 5 unless given, 1,000 at most.
    pub count: Option<u32>,
    /// From this instant on; from now unless given.
    pub from: Option<String>,
}

/// When a schedule fires.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Fires {
    /// The same in words.
    pub when: String,
    /// The time zone whose clock it means.
    pub timezone: String,
    /// The next fires, in order; fewer than asked for if it never fires again.
    pub fires: Vec<Fire>,
}

/// Schedules, in the order of pipelines and names.
pub async fn list(call: Call<List>) -> Result<Answer<Page<Item>>, Problem> {
    let List { pipeline, search, kind, active, sort, after, limit: asked } = call.input;
    let limit = limit(asked)?;
    if let Some(pipeline) = &pipeline {
        documents::find(&call.app.store.project().await?, pipeline)?;
    }
    let all = call.app.store.schedules(pipeline).await?.into_iter().map(Item::from);
    let wanted = all.filter(|item| {
        kind.is_none_or(|kind| item.kind == kind)
            && active.is_none_or(|active| item.active == active)
            && matches(search.as_deref(), [item.pipeline.as_str(), &item.schedule])
    });
    let place = |order, item: &Item| {
        let rank = match order {
            ScheduleOrder::Pipeline => None,
            ScheduleOrder::NextAt => item.next_at.map(Rank::from),
        };
        (rank, format!("{}\n{}", item.pipeline, item.schedule))
    };
    Ok(sort.page(wanted, place, after.as_deref(), limit)?.into())
}

/// Keeps a schedule from firing.
pub async fn pause(call: Call<One>) -> Result<Done, Problem> {
    set_paused(call, true).await
}

/// Lets a paused schedule fire again.
pub async fn resume(call: Call<One>) -> Result<Done, Problem> {
    set_paused(call, false).await
}

async fn set_paused(call: Call<One>, paused: bool) -> Result<Done, Problem> {
    let One { pipeline, schedule } = call.input;
    documents::find(&call.app.store.project().await?, &pipeline)?;
    call.app.store.pause_schedule(pipeline, schedule, paused).await?;
    Ok(Done::default())
}

/// When a schedule of a pipeline fires next.
pub async fn preview(call: Call<FiresOf>) -> Result<Answer<Fires>, Problem> {
    let now = call.now();
    let FiresOf { pipeline, schedule, count, from } = call.input;
    documents::find(&call.app.store.project().await?, &pipeline)?;
    let all = call.app.store.schedules(Some(pipeline)).await?;
    let names: Vec<&str> = all.iter().map(|known| known.name.as_str()).collect();
    let missing = || {
        let error = Error::new(ErrorKind::NotFound, format!("the pipeline has no schedule `{schedule}`"));
        error.advise(format!("{}Schedules: {}.", did_you_mean(nearest(&schedule, &names)), names.join(", ")))
    };
    let found = all.iter().find(|known| known.name == schedule).ok_or_else(missing)?.clone();
    fires(found.spec.when, count, from.as_deref(), now)
}

/// When a schedule would fire.
pub async fn preview_unsaved(call: Call<Unsaved>) -> Result<Answer<Fires>, Problem> {
    let now = call.now();
    let Unsaved { schedule, count, from } = call.input;
    // JSON is YAML
    let parsed = config::Schedule::parse(&schedule.to_string())?;
    fires(project::schedule(&parsed).spec.when, count, from.as_deref(), now)
}

fn fires(when: When, count: Option<u32>, from: Option<&str>, now: Timestamp) -> Result<Answer<Fires>, Problem> {
    let count = count.unwrap_or(FIRES);
    if count == 0 || count > FIRES_MAX {
        return Err(Problem::Malformed(format!("`count` is between 1 and {FIRES_MAX}.")));
    }
    let (from, words) = (instant("from", from)?, schedules::describe(&when));
    let times: Schedule = schedules::times(when)?;
    let fires = schedules::fires(&times, from, now, count as usize);
    Ok(Fires { when: words, timezone: times.timezone.name().to_owned(), fires }.into())
}

impl From<Scheduled> for Item {
    fn from(known: Scheduled) -> Self {
        let active = schedules::is_active(&known);
        let (kind, timezone) = match &known.spec.when {
            When::Time(times) => (Kind::Time, Some(times.timezone.name().to_owned())),
            When::Pipeline { .. } => (Kind::Pipeline, None),
            When::Dataset(_) => (Kind::Dataset, None),
            When::File { .. } => (Kind::File, None),
        };
        Self {
            fires: schedules::describe(&known.spec.when),
            kind,
            timezone,
            catchup: serde_json::to_value(known.spec.catchup)
                .ok()
                .and_then(|word| word.as_str().map(str::to_owned))
                .unwrap_or_default(),
            params: Value::Object(known.spec.params),
            active,
            paused: known.is_paused,
            pipeline_paused: known.is_pipeline_paused,
            next_at: known.next_at.filter(|_| active),
            last_at: known.last_at,
            pipeline: known.pipeline,
            schedule: known.name,
        }
    }
}
