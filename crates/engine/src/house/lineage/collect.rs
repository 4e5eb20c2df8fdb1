//! From the history of runs to events for others: what each tells is looked up once, soon after it happened, and kept.

use std::collections::BTreeMap;

use levada_core::config::LineageNames;
use levada_core::error::Result;
use levada_core::id::{RunId, TaskRunId};
use levada_store::{LiveEvent, Store, TaskTold, Told};
use serde_json::Value as Json;

use super::event::{self, About, Happened, Known, Moved, Written};

/// Loads of a run that are looked at at once.
const PAGE: usize = 500;
/// Characters of a message.
const MESSAGE_CHARS_MAX: usize = 4_000;

/// What is known of runs and datasets, for the events of one look.
struct Look<'a> {
    store: &'a Store,
    names: &'a LineageNames,
    runs: BTreeMap<RunId, Told>,
    tasks: BTreeMap<TaskRunId, TaskTold>,
    datasets: BTreeMap<String, Known>,
    /// What each task of a run loaded; of the run that was looked at last.
    moved: Option<(RunId, BTreeMap<String, Moved>)>,
}

/// The events that tell of what happened, in the same order. Those of runs that were removed meanwhile are left out.
///
/// # Errors
/// Those of the store.
pub async fn events(store: &Store, names: &LineageNames, found: &[LiveEvent]) -> Result<Vec<String>> {
    let relevant: Vec<(&LiveEvent, Happened)> =
        found.iter().filter_map(|event| happened(event).map(|happened| (event, happened))).collect();
    if relevant.is_empty() {
        return Ok(Vec::new());
    }
    let of_runs = relevant.iter().filter(|(event, _)| event.happening.task_run.is_none());
    let runs = of_runs.map(|(event, _)| event.run).collect();
    let tasks = relevant.iter().filter_map(|(event, _)| event.happening.task_run).collect();
    let mut look = Look {
        store,
        names,
        runs: store.runs_told(runs).await?.into_iter().map(|told| (told.run, told)).collect(),
        tasks: store.task_runs_told(tasks).await?.into_iter().map(|told| (told.task_run, told)).collect(),
        datasets: BTreeMap::new(),
        moved: None,
    };
    let mut events = Vec::new();
    for (event, happened) in relevant {
        events.extend(look.told(event, happened).await?.iter().map(Json::to_string));
    }
    Ok(events)
}

/// What others are told of an event, if they are told of it. A task that was never claimed has never begun.
fn happened(event: &LiveEvent) -> Option<Happened> {
    let happening = &event.happening;
    match (happening.task_run, happening.event.as_str(), happening.state.as_str()) {
        (None, "created", _) => Some(Happened::Start),
        (Some(_), "claimed", _) if happening.attempt == 1 => Some(Happened::Start),
        (Some(_), _, _) if happening.attempt == 0 => None,
        (None, "ended", state) | (Some(_), _, state) => match state {
            "succeeded" => Some(Happened::Complete),
            "failed" => Some(Happened::Fail),
            "cancelled" => Some(Happened::Abort),
            _ => None,
        },
        _ => None,
    }
}

impl Look<'_> {
    async fn told(&mut self, event: &LiveEvent, happened: Happened) -> Result<Vec<Json>> {
        let error = event.happening.detail.as_deref().filter(|_| happened == Happened::Fail).map(message);
        let (about, moved) = match event.happening.task_run {
            None => {
                let Some(told) = self.runs.get(&event.run) else { return Ok(Vec::new()) };
                (self.of_run(told), Moved::default())
            }
            Some(task_run) => {
                // items are told of with their task
                let Some(told) = self.tasks.get(&task_run).filter(|told| !told.is_item).cloned() else {
                    return Ok(Vec::new());
                };
                let moved = match happened {
                    Happened::Start => Moved::default(),
                    _ => self.moved(&told).await?,
                };
                (self.of_task(&told), moved)
            }
        };
        let at = (happened, event.happening.at);
        Ok(event::events(self.names, &about, at, error.as_deref(), &moved, &self.datasets))
    }

    fn of_run(&self, told: &Told) -> About {
        About {
            id: event::run_id(&self.names.namespace, "run", told.run.0, told.created_at),
            job: told.pipeline.clone(),
            is_pipeline: true,
            parent: None,
            fire_time: told.fire_time,
        }
    }

    fn of_task(&self, told: &TaskTold) -> About {
        let parent = self.of_run(&told.run);
        About {
            id: event::run_id(&self.names.namespace, "task", told.task_run.0, told.run.created_at),
            job: format!("{}.{}", told.run.pipeline, told.task),
            is_pipeline: false,
            parent: Some((parent.id, parent.job)),
            fire_time: told.run.fire_time,
        }
    }

    /// What a task loaded in a run, as far as these loads are still known.
    async fn moved(&mut self, told: &TaskTold) -> Result<Moved> {
        // all that is told of now had happened before the first look
        let run = told.run.run;
        let mut moved = match self.moved.take() {
            Some((known, moved)) if known == run => moved,
            _ => self.loads(run).await?,
        };
        let mut one = moved.remove(&told.task).unwrap_or_default();
        self.moved = Some((run, moved));
        let targets = one.outputs.keys().cloned().collect();
        for edge in self.store.edges_of_task(told.run.pipeline.clone(), told.task.clone(), targets).await? {
            if let Some(written) = one.outputs.get_mut(&edge.target) {
                written.sources.push((edge.source, edge.columns.unwrap_or_default()));
            }
        }
        for name in one.inputs.keys().chain(one.outputs.keys()) {
            if self.datasets.contains_key(name) {
                continue;
            }
            let columns = match self.store.dataset(name.clone()).await? {
                Some((_, columns, _)) => columns,
                None => Vec::new(),
            };
            let columns = columns.into_iter().filter_map(|column| Some((column.seen?, column.description))).collect();
            self.datasets.insert(name.clone(), Known { columns });
        }
        Ok(one)
    }

    /// What the tasks of a run loaded.
    async fn loads(&self, run: RunId) -> Result<BTreeMap<String, Moved>> {
        let (mut tasks, mut after) = (BTreeMap::<String, Moved>::new(), None);
        loop {
            let page = self.store.loads_of_run(run, after, PAGE).await?;
            for load in &page {
                let moved = tasks.entry(load.task.clone()).or_default();
                let (read, written) = load.figures.map(|figures| (figures.read, figures.written)).unzip();
                let nothing = || Written { rows: Some(0), sources: Vec::new() };
                let output = moved.outputs.entry(load.dataset.clone()).or_insert_with(nothing);
                output.rows = output.rows.zip(written).map(|(before, now)| before + now);
                // of several sources nobody counted which row came from which
                let read = read.filter(|_| load.sources.len() == 1);
                for source in &load.sources {
                    let rows = moved.inputs.entry(source.clone()).or_insert(Some(0));
                    *rows = rows.zip(read).map(|(before, now)| before + now);
                }
            }
            after = page
                .last()
                .filter(|_| page.len() == PAGE)
                .map(|last| (last.dataset.clone(), i64::try_from(last.number).unwrap_or(i64::MAX)));
            if after.is_none() {
                return Ok(tasks);
            }
        }
    }
}

/// The message of a failure, which holds no secret: it was cleaned before it was kept.
fn message(detail: &str) -> String {
    let detail: Json = serde_json::from_str(detail).unwrap_or_default();
    let text = |key: &str| detail.get(key).and_then(Json::as_str).unwrap_or_default();
    let message = [text("message"), text("advice")].join(" ");
    let message = if message.trim().is_empty() { "it failed" } else { message.trim() };
    message.chars().take(MESSAGE_CHARS_MAX).collect()
}
