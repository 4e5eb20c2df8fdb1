//! The list of pipelines: what each is for, what it moves between, when it runs, and how its last runs went.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use levada_core::access::Role;
use levada_core::run::RunState;
use levada_core::time::Timestamp;
use levada_store::{Pipeline, RecentRuns};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pipelines::LastRun;
use super::recent::{Bar, success_rate};
use super::schedules::{Item as ScheduleItem, Kind};
use super::{limit, matches};
use crate::App;
use crate::documents::About;
use crate::problem::Problem;
use crate::route::{Answer, Call, Page};
use crate::sort::{Rank, Sort, orders};

/// Runs that are told of each pipeline.
const RUNS: usize = 20;

orders! {
    /// What pipelines are in order of.
    PipelineOrder(false) { Name = "name", LastRun = "last_run", NextFire = "next_fire" }
}

/// Which pipelines to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// With this text in the name, the description, the owner or a tag.
    pub search: Option<String>,
    /// With this tag.
    pub tag: Option<String>,
    /// Of this owner.
    pub owner: Option<String>,
    /// Those that are paused, or those that are not.
    pub state: Option<Activity>,
    /// Whose last run is in this state.
    pub last: Option<RunState>,
    /// The order; `-` before it is the other way round. Those without a value come last.
    #[serde(default)]
    pub sort: Sort<PipelineOrder>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// How many; 50 unless given, 1,000 at most.
    pub limit: Option<u32>,
}

/// Whether a pipeline is paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// It is not.
    Active,
    /// It is.
    Paused,
}

/// A pipeline in a list.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct PipelineItem {
    /// Its name.
    pub name: String,
    /// The version of its document.
    pub version: u32,
    /// What it is for.
    pub description: Option<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Whether it is paused.
    pub paused: bool,
    /// What its syncs move between, each pair once.
    pub flows: Vec<Flow>,
    /// What starts it by itself.
    pub schedules: Vec<Starts>,
    /// When a schedule fires next.
    pub next_at: Option<Timestamp>,
    /// Runs that have not ended.
    pub open: u64,
    /// The last run.
    pub last: Option<LastRun>,
    /// The last 20 runs, the newest first.
    pub recent: Vec<Bar>,
    /// Of those of them that have ended, the part that succeeded, from 0 to 1; null if none has.
    pub success_rate: Option<f64>,
    /// What the caller may do with it.
    pub may: Role,
}

/// A way that data takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Flow {
    /// Where from.
    pub from: End,
    /// Where to.
    pub to: End,
}

/// An end of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct End {
    /// The connection.
    pub connection: String,
    /// The kind of system behind it, where that is known.
    pub connector: Option<String>,
}

/// Something that starts a pipeline.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Starts {
    /// The schedule.
    pub schedule: String,
    /// What makes it fire.
    pub kind: Kind,
    /// The same in words.
    pub fires: String,
    /// Whether nothing keeps it from firing.
    pub active: bool,
    /// The next fire.
    pub next_at: Option<Timestamp>,
}

/// Pipelines.
pub async fn list(call: Call<List>) -> Result<Answer<Page<PipelineItem>>, Problem> {
    let (app, asked) = (&call.app, call.input);
    let limit = limit(asked.limit)?;
    let mut found = all(app).await?;
    found.retain(|(pipeline, about)| {
        let texts = std::iter::once(pipeline.name.as_str()).chain(about.description.as_deref());
        let texts = texts.chain(about.owner.as_deref()).chain(about.tags.iter().map(String::as_str));
        asked.tag.as_ref().is_none_or(|tag| about.tags.contains(tag))
            && asked.owner.as_ref().is_none_or(|owner| about.owner.as_ref() == Some(owner))
            && asked.state.is_none_or(|state| (state == Activity::Paused) == pipeline.is_paused)
            && asked.last.is_none_or(|state| pipeline.last.is_some_and(|last| last.state == state))
            && matches(asked.search.as_deref(), texts)
    });
    let place = |order, (pipeline, _): &(Pipeline, Arc<About>)| {
        let rank = match order {
            PipelineOrder::Name => None,
            PipelineOrder::LastRun => pipeline.last.map(|last| Rank::from(last.created_at)),
            PipelineOrder::NextFire => pipeline.next_at.map(Rank::from),
        };
        (rank, pipeline.name.clone())
    };
    let Page { items: found, next } = asked.sort.page(found, place, asked.after.as_deref(), limit)?;
    let names: Vec<String> = found.iter().map(|(pipeline, _)| pipeline.name.clone()).collect();
    let recent = app.store.recent_runs(Some(names), (None, true), limit, RUNS).await?;
    let mut recent: HashMap<String, RecentRuns> =
        recent.into_iter().map(|runs| (runs.pipeline.clone(), runs)).collect();
    let mut schedules: BTreeMap<String, Vec<Starts>> = BTreeMap::new();
    for schedule in app.store.schedules(None).await?.into_iter().map(ScheduleItem::from) {
        let ScheduleItem { pipeline, schedule, kind, fires, active, next_at, .. } = schedule;
        schedules.entry(pipeline).or_default().push(Starts { schedule, kind, fires, active, next_at });
    }
    let item = |(pipeline, about): (Pipeline, Arc<About>)| {
        let recent = recent.remove(&pipeline.name).map(|found| found.runs).unwrap_or_default();
        PipelineItem {
            success_rate: success_rate(&recent),
            recent: recent.into_iter().map(Bar::from).collect(),
            schedules: schedules.remove(&pipeline.name).unwrap_or_default(),
            may: call.caller.role_on(&about.tags),
            description: about.description.clone(),
            owner: about.owner.clone(),
            tags: about.tags.clone(),
            flows: about.flows.clone(),
            name: pipeline.name,
            version: pipeline.version,
            paused: pipeline.is_paused,
            next_at: pipeline.next_at,
            open: pipeline.open,
            last: pipeline.last.map(LastRun::from),
        }
    };
    Ok(Page { items: found.into_iter().map(item).collect(), next }.into())
}

/// Every pipeline with what its document says. The documents are read only if one of them is not known yet.
async fn all(app: &App) -> Result<Vec<(Pipeline, Arc<About>)>, Problem> {
    let (pipelines, own) = (app.store.pipelines().await?, app.store.project_document().await?);
    let version = own.as_ref().map(|own| own.id);
    let known = |pipeline: &Pipeline| app.documents.known((pipeline.document, version));
    if pipelines.iter().all(|pipeline| known(pipeline).is_some()) {
        let known = |pipeline: Pipeline| known(&pipeline).map(|about| (pipeline, about));
        return Ok(pipelines.into_iter().filter_map(known).collect());
    }
    let project = app.store.project().await?;
    let about = |pipeline: Pipeline| {
        let document = project.pipelines.get(&pipeline.name);
        let about = document.map(|document| app.about(project.document.as_ref(), document));
        (pipeline, about.unwrap_or_default())
    };
    Ok(pipelines.into_iter().map(about).collect())
}
