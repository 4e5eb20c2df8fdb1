//! The list of pipelines: what each is for, what it moves between, when it runs, and how its last runs went.

use std::cmp::Ordering;
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

/// Runs that are told of each pipeline.
const RUNS: usize = 20;

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
    /// `name`, `last_run` or `next_fire`, with `-` before it the other way round; by name unless given. Those without a
    /// value come last.
    pub sort: Option<String>,
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

/// What pipelines are in order of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Name,
    LastRun,
    NextFire,
}

/// An order, and whether it is the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sort {
    order: Order,
    is_reversed: bool,
}

/// The place of a pipeline in an order: that of its value, if it has one, then that of its name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    value: Option<i64>,
    name: String,
}

/// Pipelines.
pub async fn list(call: Call<List>) -> Result<Answer<Page<PipelineItem>>, Problem> {
    let (app, asked) = (&call.app, call.input);
    let limit = limit(asked.limit)?;
    let sort = Sort::parse(asked.sort.as_deref())?;
    let after = asked.after.as_deref().map(Place::parse).transpose()?;
    let mut found = all(app).await?;
    found.retain(|(pipeline, about)| {
        let texts = std::iter::once(pipeline.name.as_str()).chain(about.description.as_deref());
        let texts = texts.chain(about.owner.as_deref()).chain(about.tags.iter().map(String::as_str));
        asked.tag.as_ref().is_none_or(|tag| about.tags.contains(tag))
            && asked.owner.as_ref().is_none_or(|owner| about.owner.as_ref() == Some(owner))
            && asked.state.is_none_or(|state| (state == Activity::Paused) == pipeline.is_paused)
            && asked.last.is_none_or(|state| pipeline.last.is_some_and(|last| last.state == state))
            && matches(asked.search.as_deref(), texts)
            && after.as_ref().is_none_or(|after| sort.compare(after, &sort.place(pipeline)).is_lt())
    });
    found.sort_by_cached_key(|(pipeline, _)| Sorted(sort, sort.place(pipeline)));
    let is_more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| is_more).map(|(pipeline, _)| sort.place(pipeline).to_string());
    let names: Vec<String> = found.iter().map(|(pipeline, _)| pipeline.name.clone()).collect();
    let recent = app.store.recent_runs(Some(names), None, limit, RUNS).await?;
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

/// The key that a list is sorted by.
#[derive(PartialEq, Eq)]
struct Sorted(Sort, Place);

impl PartialOrd for Sorted {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Sorted {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.compare(&self.1, &other.1)
    }
}

impl Sort {
    fn parse(text: Option<&str>) -> Result<Self, Problem> {
        let text = text.unwrap_or("name");
        let (is_reversed, word) = text.strip_prefix('-').map_or((false, text), |word| (true, word));
        let order = match word {
            "name" => Order::Name,
            "last_run" => Order::LastRun,
            "next_fire" => Order::NextFire,
            _ => {
                let message = "`sort` is `name`, `last_run` or `next_fire`, or one of them after `-`.";
                return Err(Problem::Malformed(message.to_owned()));
            }
        };
        Ok(Self { order, is_reversed })
    }

    fn place(self, pipeline: &Pipeline) -> Place {
        let value = match self.order {
            // all have the same
            Order::Name => None,
            Order::LastRun => pipeline.last.map(|last| last.created_at),
            Order::NextFire => pipeline.next_at,
        };
        Place { value: value.map(Timestamp::as_micros), name: pipeline.name.clone() }
    }

    fn compare(self, a: &Place, b: &Place) -> Ordering {
        let turned = |order: Ordering| if self.is_reversed { order.reverse() } else { order };
        let values = match (a.value, b.value) {
            (Some(a), Some(b)) => turned(a.cmp(&b)),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        };
        values.then_with(|| turned(a.name.cmp(&b.name)))
    }
}

impl Place {
    fn parse(text: &str) -> Result<Self, Problem> {
        let wrong = || Problem::Malformed("`after` is the `next` of the page before.".to_owned());
        let (value, name) = text.split_once(':').ok_or_else(wrong)?;
        let value = match value {
            "" => None,
            value => Some(value.parse().map_err(|_| wrong())?),
        };
        Ok(Self { value, name: name.to_owned() })
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.value {
            Some(value) => write!(f, "{value}:{}", self.name),
            None => write!(f, ":{}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn those_without_a_value_come_last_both_ways() {
        let place = |text: &str| Place::parse(text).unwrap();
        let sorted = |sort: &str| {
            let sort = Sort::parse(Some(sort)).unwrap();
            let mut places = [":b", "7:a", "3:c", ":a", "3:b"].map(place);
            places.sort_by(|a, b| sort.compare(a, b));
            places.map(|place| place.to_string()).join(" ")
        };
        assert_eq!(sorted("last_run"), "3:b 3:c 7:a :a :b");
        assert_eq!(sorted("-last_run"), "7:a 3:c 3:b :b :a");
        assert!(Sort::parse(Some("size")).is_err());
        assert!(Place::parse("nonsense").is_err() && Place::parse("x:nonsense").is_err());
    }
}
