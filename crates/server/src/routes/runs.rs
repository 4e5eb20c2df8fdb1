//! Runs and their task runs: what they do and did, and how they are started, stopped and tried again.

use std::collections::{BTreeMap, HashMap};

use levada_core::error::{Error, ErrorKind};
use levada_core::id::{BackfillId, RunId, TaskRunId, WorkerId};
use levada_core::run::{RunState, State, Tally};
use levada_core::time::Timestamp;
use levada_engine::house::SyncProgress;
use levada_store::{Again, Cause, Happening, NewRun, RunFilter, TaskProgress, What};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{instant, limit, number, object, parsed, whole_or};
use crate::documents::{self, check_start};
use crate::problem::Problem;
use crate::route::{Answer, Call, Created, Once, Page};
use crate::sort::{Rank, Sort, orders};

/// Tasks of one page of runs, for its size.
const TASKS_MAX: usize = 20_000;

/// A run.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// Which.
    pub id: RunId,
    /// The pipeline.
    pub pipeline: String,
    /// The version of the pipeline's document that it follows.
    pub version: u32,
    /// What it was made by.
    pub cause: Cause,
    /// The schedule that fired.
    pub schedule: Option<String>,
    /// The instant that it fired for.
    pub fire_time: Option<Timestamp>,
    /// The parameters that were given.
    pub params: Map<String, Value>,
    /// The backfill that it belongs to.
    pub backfill: Option<BackfillId>,
    /// The run that it tries again.
    pub retry_of: Option<RunId>,
    /// The task run that started it.
    pub parent: Option<TaskRunId>,
    /// Where it stands.
    pub state: RunState,
    /// Whether it had its turn among the runs of its pipeline.
    pub admitted: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its first task was claimed.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Its tasks in short, in the order of the document, if they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<Vec<TaskState>>,
}

/// A task of a run in short.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct TaskState {
    /// Which.
    pub id: TaskRunId,
    /// The task.
    pub task: String,
    /// Where it stands, as of a task run.
    pub state: String,
    /// Until when it waits, where that is known.
    pub until: Option<Timestamp>,
    /// Attempts that failed.
    pub failed: u32,
    /// When its attempt began; of a wait, its first look.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// A task of a run, or one item of a task that is run for each of several.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct TaskRun {
    /// Which.
    pub id: TaskRunId,
    /// The task.
    pub task: String,
    /// The item.
    pub item: Option<Value>,
    /// `queued`, `starting`, `running`, `stopping`, `waiting`, `succeeded`, `failed`, `cancelled` or `skipped`.
    pub state: String,
    /// Until when it waits, where that is known.
    pub until: Option<Timestamp>,
    /// How often it was claimed.
    pub attempt: u32,
    /// Attempts that failed.
    pub failed: u32,
    /// Workers that were lost with it.
    pub lost: u32,
    /// The worker that holds it, or did when it ended.
    pub worker: Option<WorkerId>,
    /// Its outputs.
    pub outputs: Option<Value>,
    /// Why its last attempt failed.
    pub error: Option<Value>,
    /// When its attempt began; of a wait, its first look.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Its items, counted by state.
    pub items: Option<Tally>,
    /// How far it is; null unless it is a sync at work that has told it.
    pub progress: Option<Progress>,
}

/// How far a sync is that is at work.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Progress {
    /// When it told it.
    pub at: Timestamp,
    /// Its figures.
    #[serde(flatten)]
    pub figures: SyncProgress,
}

/// A line of the history of a run.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Later events have higher numbers.
    pub id: i64,
    /// The task run; null if it concerns the run.
    pub task_run: Option<TaskRunId>,
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub event: String,
    /// The state after it.
    pub state: String,
    /// Which attempt.
    pub attempt: u32,
    /// More about it.
    pub detail: Option<Value>,
}

/// What something waits for, in a line.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Why {
    /// The line.
    pub why: String,
}

orders! {
    /// What runs are in order of.
    RunOrder(true) { Created = "created" }
}

/// Which runs to list.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct List {
    /// Of this pipeline.
    pub pipeline: Option<String>,
    /// In this state.
    pub state: Option<RunState>,
    /// Made by this.
    pub cause: Option<Cause>,
    /// Made at this instant or later.
    pub since: Option<String>,
    /// Made before this instant.
    pub until: Option<String>,
    /// Of this backfill.
    pub backfill: Option<i64>,
    /// With this text in the name of the pipeline, or with this number.
    pub search: Option<String>,
    /// The order; `-` before it is the other way round, and the newest come first unless asked for otherwise.
    #[serde(default)]
    pub sort: Sort<RunOrder>,
    /// With the tasks of each run in short. Where runs have many tasks, a page has fewer runs than were asked for.
    pub tasks: Option<bool>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// How many; 50 unless given, 1,000 at most.
    pub limit: Option<u32>,
}

/// A run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct One {
    /// Its number.
    pub run: i64,
}

orders! {
    /// What the tasks of a run are in order of.
    TaskOrder(false) { Place = "place", Name = "name", Started = "started", Ended = "ended" }
}

orders! {
    /// What the items of a task are in order of.
    ItemOrder(false) { Place = "place" }
}

orders! {
    /// What the history of a run is in order of.
    EventOrder(false) { At = "at" }
}

/// The tasks of a run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TasksOf {
    /// The run's number.
    pub run: i64,
    /// The order, that of the document unless asked for otherwise; `-` before it is the other way round.
    #[serde(default)]
    pub sort: Sort<TaskOrder>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// How many, 1,000 at most; all unless given, which are as many as the document of the pipeline has.
    pub limit: Option<u32>,
}

/// Items of a task of a run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ItemsOf {
    /// The run's number.
    pub run: i64,
    /// The task.
    pub task: String,
    /// The order; `-` before it is the other way round.
    #[serde(default)]
    pub sort: Sort<ItemOrder>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// How many; 50 unless given, 1,000 at most.
    pub limit: Option<u32>,
}

/// A page of the history of a run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HistoryOf {
    /// The run's number.
    pub run: i64,
    /// The order; `-` before it is the other way round, so that the newest come first.
    #[serde(default)]
    pub sort: Sort<EventOrder>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// How many; 50 unless given, 1,000 at most.
    pub limit: Option<u32>,
}

/// A task run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OneTask {
    /// Its number.
    pub task_run: i64,
}

/// A run to start.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// The pipeline.
    pub pipeline: String,
    /// Values of its parameters.
    #[serde(default)]
    pub params: Map<String, Value>,
    /// Only these tasks; all if there are none.
    #[serde(default)]
    pub tasks: Vec<String>,
}

/// A run after the pattern of an earlier one.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// The earlier run.
    pub run: i64,
    /// Everything again, and not only what did not succeed.
    #[serde(default)]
    pub all: bool,
    /// These tasks, whatever became of them.
    #[serde(default)]
    pub tasks: Vec<String>,
    /// Follow the newest version of the documents, and not the one that the earlier run followed.
    #[serde(default)]
    pub newest: bool,
    /// Values of parameters in place of those of the earlier run.
    pub params: Option<Map<String, Value>>,
}

/// What became of asking a run to stop.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Stopped {
    /// The run, as it is now.
    pub run: Run,
    /// Task runs that are at work and were told to stop.
    pub stopping: u64,
}

impl From<levada_store::Run> for Run {
    fn from(run: levada_store::Run) -> Self {
        Self {
            params: object(&run.params),
            id: run.id,
            pipeline: run.pipeline,
            version: run.version,
            cause: run.cause,
            schedule: run.schedule,
            fire_time: run.fire_time,
            backfill: run.backfill,
            retry_of: run.retry_of,
            parent: run.parent,
            state: run.state,
            admitted: run.is_admitted,
            created_at: run.created_at,
            started_at: run.started_at,
            ended_at: run.ended_at,
            tasks: None,
        }
    }
}

impl From<levada_store::TaskState> for TaskState {
    fn from(task: levada_store::TaskState) -> Self {
        let until = until(&task.state);
        let state = task.state.name().to_owned();
        let levada_store::TaskState { id, task, failed, started_at, ended_at, .. } = task;
        Self { id, task, state, until, failed, started_at, ended_at }
    }
}

/// Until when something in a state waits.
fn until(state: &State) -> Option<Timestamp> {
    match state {
        State::Waiting { until } => *until,
        _ => None,
    }
}

impl From<levada_store::TaskRun> for TaskRun {
    fn from(task: levada_store::TaskRun) -> Self {
        Self {
            item: parsed(task.item.as_deref()),
            state: task.state.name().to_owned(),
            until: until(&task.state),
            outputs: parsed(task.outputs.as_deref()),
            error: parsed(task.error.as_deref()),
            id: task.id,
            task: task.task,
            attempt: task.attempt,
            failed: task.failed,
            lost: task.lost,
            worker: task.worker,
            started_at: task.started_at,
            ended_at: task.ended_at,
            items: task.items,
            progress: None,
        }
    }
}

impl Progress {
    /// As its worker told it; none if that is not understood, because the worker is of another version.
    pub(crate) fn of(told: &TaskProgress) -> Option<Self> {
        let figures = serde_json::from_str(&told.figures).ok()?;
        Some(Self { at: told.at, figures })
    }
}

impl From<Happening> for Event {
    fn from(line: Happening) -> Self {
        Self {
            detail: parsed(line.detail.as_deref()),
            id: line.id,
            task_run: line.task_run,
            at: line.at,
            event: line.event,
            state: line.state,
            attempt: line.attempt,
        }
    }
}

/// Runs, the newest first unless asked for otherwise.
pub async fn list(call: Call<List>) -> Result<Answer<Page<Run>>, Problem> {
    let List { pipeline, state, cause, since, until, backfill, search, sort, tasks, after, limit: asked } = call.input;
    let limit = limit(asked)?;
    let filter = RunFilter {
        pipeline,
        state,
        cause,
        since: instant("since", since.as_deref())?,
        until: instant("until", until.as_deref())?,
        backfill: backfill.map(BackfillId),
        search,
        is_ascending: sort.is_ascending(),
        after: number(after.as_deref())?.map(RunId),
        limit,
    };
    let runs = call.app.store.runs(filter).await?;
    let mut is_cut = runs.len() == limit;
    let mut items: Vec<Run> = runs.into_iter().map(Run::from).collect();
    if tasks == Some(true) {
        is_cut |= add_tasks(&call.app.store, &mut items).await?;
    }
    let next = items.last().filter(|_| is_cut).map(|run| run.id.to_string());
    Ok(Page { items, next }.into())
}

/// Adds the tasks of runs. Answers whether runs at the end were left out, because together they have too many tasks.
async fn add_tasks(store: &levada_store::Store, runs: &mut Vec<Run>) -> Result<bool, Problem> {
    let found = store.task_states(runs.iter().map(|run| run.id).collect(), TASKS_MAX).await?;
    // where tasks may be missing, they are those of the last run that has some; one run is always there
    let is_cut = found.len() == TASKS_MAX;
    let last = found.last().map(|task| task.run);
    let mut of_runs: HashMap<RunId, Vec<TaskState>> = HashMap::new();
    for task in found {
        of_runs.entry(task.run).or_default().push(TaskState::from(task));
    }
    if is_cut {
        let place = runs.iter().position(|run| Some(run.id) == last).unwrap_or_default();
        runs.truncate(place.max(1));
    }
    for run in runs {
        run.tasks = Some(of_runs.remove(&run.id).unwrap_or_default());
    }
    Ok(is_cut)
}

/// A run.
pub async fn get(call: Call<One>) -> Result<Answer<Run>, Problem> {
    Ok(Run::from(find(&call.app.store, call.input.run).await?).into())
}

/// The task runs of a run, in the order of the document unless asked for otherwise.
pub async fn tasks(call: Call<TasksOf>) -> Result<Answer<Page<TaskRun>>, Problem> {
    let TasksOf { run, sort, after, limit } = call.input;
    let limit = whole_or(limit)?;
    let run = find(&call.app.store, run).await?;
    let tasks = call.app.store.task_runs(run.id).await?;
    let mut items: Vec<TaskRun> = tasks.into_iter().map(TaskRun::from).collect();
    if !run.state.is_terminal() {
        for told in call.app.store.progress(Some(run.id)).await? {
            let task = items.iter_mut().find(|task| task.id == told.task_run);
            task.into_iter().for_each(|task| task.progress = Progress::of(&told));
        }
    }
    let place = |order, (place, task): &(usize, TaskRun)| {
        let rank = match order {
            TaskOrder::Place => None,
            TaskOrder::Name => Some(Rank::from(task.task.as_str())),
            TaskOrder::Started => task.started_at.map(Rank::from),
            TaskOrder::Ended => task.ended_at.map(Rank::from),
        };
        // in order as texts, too
        (rank, format!("{place:06}"))
    };
    let Page { items, next } = sort.page(items.into_iter().enumerate(), place, after.as_deref(), limit)?;
    Ok(Page { items: items.into_iter().map(|(_, task)| task).collect(), next }.into())
}

/// Items of a task. A page starts at the place that `after` tells, or before it the other way round.
pub async fn items(call: Call<ItemsOf>) -> Result<Answer<Page<TaskRun>>, Problem> {
    let ItemsOf { run, task, sort, after, limit: asked } = call.input;
    let (limit, place) = (limit(asked)?, number(after.as_deref())?.map(|place| place.max(0) as usize));
    let run = find(&call.app.store, run).await?;
    let items = match sort.is_ascending() {
        true => call.app.store.items(run.id, task, place.unwrap_or_default(), limit).await?,
        false => call.app.store.items_before(run.id, task, place, limit).await?,
    };
    let last = items.last().filter(|_| items.len() == limit).and_then(|last| last.place);
    let next = last.map(|last| (last + usize::from(sort.is_ascending())).to_string());
    Ok(Page { items: items.into_iter().map(TaskRun::from).collect(), next }.into())
}

/// The history of a run, the oldest first unless asked for otherwise.
pub async fn events(call: Call<HistoryOf>) -> Result<Answer<Page<Event>>, Problem> {
    let HistoryOf { run, sort, after, limit: asked } = call.input;
    let (limit, after) = (limit(asked)?, number(after.as_deref())?);
    let run = find(&call.app.store, run).await?;
    let events = match sort.is_ascending() {
        true => call.app.store.happenings(run.id, after.unwrap_or_default(), limit).await?,
        false => call.app.store.happenings_before(run.id, after, limit).await?,
    };
    let next = events.last().filter(|_| events.len() == limit).map(|event| event.id.to_string());
    Ok(Page { items: events.into_iter().map(Event::from).collect(), next }.into())
}

/// What a run waits for.
pub async fn why(call: Call<One>) -> Result<Answer<Why>, Problem> {
    let run = find(&call.app.store, call.input.run).await?;
    Ok(Why { why: call.app.store.why_run(run.id, call.now()).await? }.into())
}

/// What a task run waits for.
pub async fn why_task(call: Call<OneTask>) -> Result<Answer<Why>, Problem> {
    let id = TaskRunId(call.input.task_run);
    if call.app.store.standing(id).await?.is_none() {
        return Err(Problem::no("task run", id));
    }
    Ok(Why { why: call.app.store.why_task_run(id, call.now()).await? }.into())
}

/// Starts a run.
pub async fn start(call: Call<Start>) -> Result<Created<Run>, Problem> {
    let Once { identity, input } = call.once("startRun", &call.input.pipeline)?;
    let (app, now) = (call.app.clone(), call.now());
    let Start { pipeline, params, tasks } = call.input;
    let project = app.store.project().await?;
    let document = documents::find(&project, &pipeline)?;
    let values = texts(&params)?;
    check_start(&app, &project, document, values.clone(), &tasks).await?;
    let mut new = NewRun::manual(&pipeline, document.id, identity);
    new.project = project.document.as_ref().map(|document| document.id);
    (new.params, new.only, new.input) = (as_json(values), tasks, input);
    let created = app.store.create_run(new, now).await?;
    made(find(&app.store, created.run.0).await?)
}

/// Makes a run after the pattern of an earlier one.
pub async fn retry(call: Call<Retry>) -> Result<Created<Run>, Problem> {
    let Once { identity, input } = call.once("retryRun", call.input.run)?;
    let (app, now) = (call.app.clone(), call.now());
    let Retry { run, all, tasks, newest, params } = call.input;
    let earlier = find(&app.store, run).await?;
    let params = params.map(|params| texts(&params).map(as_json)).transpose()?;
    let what = match (all, tasks.is_empty()) {
        (true, true) => What::All,
        (false, true) => What::Rest,
        (false, false) => What::Tasks(tasks),
        (true, false) => return Err(Problem::Malformed("Give `all` or `tasks`, not both.".to_owned())),
    };
    let again = Again { run: earlier.id, what, newest, params, identity, input, owner: None };
    let run = app.store.run_again(again, now).await?.run;
    made(find(&app.store, run.0).await?)
}

/// Cancels a run.
pub async fn cancel(call: Call<One>) -> Result<Answer<Stopped>, Problem> {
    let run = find(&call.app.store, call.input.run).await?;
    if run.state.is_terminal() {
        let message = format!("the run {} has ended: it {}", run.id, run.state.name());
        return Err(Error::new(ErrorKind::Refused, message).advise("There is nothing left to cancel.").into());
    }
    let stopping = call.app.store.stop_run(run.id, call.now()).await?;
    Ok(Stopped { run: find(&call.app.store, run.id.0).await?.into(), stopping }.into())
}

pub(super) async fn find(store: &levada_store::Store, run: i64) -> Result<levada_store::Run, Problem> {
    store.run(RunId(run)).await?.ok_or_else(|| Problem::no("run", run))
}

fn made(run: levada_store::Run) -> Result<Created<Run>, Problem> {
    Ok(Created { location: format!("/api/v1/runs/{}", run.id), body: run.into() })
}

/// Values of parameters as texts, which is how documents read them.
pub(super) fn texts(params: &Map<String, Value>) -> Result<BTreeMap<String, String>, Problem> {
    let text = |(name, value): (&String, &Value)| {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            _ => return Err(Problem::Malformed(format!("The parameter `{name}` is a text, a number or a flag."))),
        };
        Ok((name.clone(), text))
    };
    params.iter().map(text).collect()
}

/// Values of parameters as the store has them.
pub(super) fn as_json(params: BTreeMap<String, String>) -> String {
    Value::Object(params.into_iter().map(|(name, value)| (name, Value::String(value))).collect()).to_string()
}
