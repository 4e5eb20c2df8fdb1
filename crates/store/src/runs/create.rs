//! New runs: the run and all its task runs in one act, once for each identity.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::id::{BackfillId, RunId, TaskRunId, WorkerId};
use levada_core::naming::{did_you_mean, nearest};
use levada_core::run::{Graph, Node, Readiness, RunState, State, When};
use levada_core::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::OWN_RUN;
use super::change::History;
use crate::db::{Ask, Column, Row, Signal, Tx, Value};

/// A run to be.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// The pipeline.
    pub pipeline: String,
    /// The version of its document.
    pub document: i64,
    /// The version of the project's document.
    pub project: Option<i64>,
    /// What it is made by.
    pub cause: Cause,
    /// Two runs with one identity are one run: the second is never made.
    pub identity: String,
    /// What was asked for under this identity, as a hash: another run with it asks for the same, or is refused.
    pub input: Option<String>,
    /// The schedule that fired.
    pub schedule: Option<String>,
    /// The instant it fired for.
    pub fire_time: Option<Timestamp>,
    /// The parameters given, a JSON object.
    pub params: String,
    /// What the caller of a single run asked for, JSON.
    pub options: Option<String>,
    /// Only these tasks; empty for all.
    pub only: Vec<String>,
    /// The worker that made it, and alone executes it.
    pub owner: Option<WorkerId>,
    /// The backfill it belongs to.
    pub backfill: Option<BackfillId>,
    /// The task run that waits for its end.
    pub parent: Option<TaskRunId>,
    /// The run whose tasks that succeeded are not done again.
    pub retry_of: Option<RunId>,
}

/// What a run is made by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A person or a program.
    Manual,
    /// A schedule.
    Schedule,
    /// The end of a pipeline, a dataset or a file.
    Trigger,
    /// A backfill.
    Backfill,
    /// A task of another run.
    Pipeline,
    /// A person or a program, to try a run again.
    Retry,
}

impl Cause {
    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Schedule => "schedule",
            Self::Trigger => "trigger",
            Self::Backfill => "backfill",
            Self::Pipeline => "pipeline",
            Self::Retry => "retry",
        }
    }

    /// The cause of a stable name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Manual, Self::Schedule, Self::Trigger, Self::Backfill, Self::Pipeline, Self::Retry]
            .into_iter()
            .find(|cause| cause.name() == name)
    }
}

/// The outcome of asking for a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Created {
    /// The run.
    pub run: RunId,
    /// Whether it was made now; it is there already otherwise.
    pub is_new: bool,
}

/// The columns of a new task run.
const TASK_RUN: &[Column] = &[
    ("run", "bigint"),
    ("task", "bigint"),
    ("name", "text"),
    ("item", "bigint"),
    ("item_value", "text"),
    ("state", "text"),
    ("blockers", "bigint"),
    ("priority", "bigint"),
    ("pool", "text"),
    ("slots", "bigint"),
    ("runs_on", "text"),
    ("outputs", "text"),
];

impl NewRun {
    /// A run of a pipeline that a person asks for.
    pub fn manual(pipeline: &str, document: i64, identity: String) -> Self {
        Self {
            pipeline: pipeline.to_owned(),
            document,
            project: None,
            cause: Cause::Manual,
            identity,
            input: None,
            schedule: None,
            fire_time: None,
            params: "{}".to_owned(),
            options: None,
            only: Vec::new(),
            owner: None,
            backfill: None,
            parent: None,
            retry_of: None,
        }
    }
}

/// The structure of a version of a pipeline.
pub(crate) async fn graph(tx: &mut Tx, document: i64) -> Result<Arc<Graph>> {
    if let Some(graph) = tx.memory.graphs.get(&document) {
        return Ok(graph.clone());
    }
    let row = tx.row("SELECT graph FROM documents WHERE id = $1", &[document.into()]).await?;
    let text = match row {
        Some(mut row) => row.text_or_null()?,
        None => None,
    };
    let missing = || Error::new(ErrorKind::NotFound, format!("there is no version {document} of a pipeline"));
    let graph: Graph = serde_json::from_str(&text.ok_or_else(missing)?)
        .map_err(|error| Error::new(ErrorKind::Internal, format!("a stored graph cannot be read: {error}")))?;
    let graph = Arc::new(graph);
    tx.remember_graph(document, &graph);
    Ok(graph)
}

/// Makes runs, each unless its identity is there already; the instant is that at which it was asked for.
pub(crate) async fn create_runs(tx: &mut Tx, new: &[(NewRun, Timestamp)]) -> Result<Vec<Created>> {
    let Some(now) = new.iter().map(|(_, now)| *now).max() else { return Ok(Vec::new()) };
    let mut history = History::new(now);
    let created = create(tx, &mut history, new.iter().map(|(new, _)| new)).await?;
    history.write(tx).await?;
    Ok(created)
}

/// Makes one run.
pub(crate) async fn create_run(tx: &mut Tx, new: NewRun, now: Timestamp) -> Result<Created> {
    create_runs(tx, &[(new, now)]).await?.pop().ok_or_else(not_there)
}

fn not_there() -> Error {
    Error::new(ErrorKind::Internal, "a run that was made is not there")
}

/// A run to be, with all that it needs.
struct Making<'a> {
    new: &'a NewRun,
    graph: Arc<Graph>,
    plan: Vec<Planned>,
    admitted: bool,
}

/// The same, with others in one transaction. Of several with one identity the first is made.
pub(crate) async fn create<'a>(
    tx: &mut Tx,
    history: &mut History,
    new: impl IntoIterator<Item = &'a NewRun>,
) -> Result<Vec<Created>> {
    let new: Vec<&NewRun> = new.into_iter().collect();
    let mut runs = known(tx, &new).await?;
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let is_new: Vec<bool> =
        new.iter().map(|new| !runs.contains_key(&new.identity) && seen.insert(&new.identity)).collect();
    let fresh = new.iter().zip(&is_new).filter(|(_, is_new)| **is_new).map(|(new, _)| *new);
    runs.extend(make(tx, history, fresh.collect()).await?);
    let created = |(new, is_new): (&NewRun, bool)| {
        let run = runs.get(&new.identity).copied().ok_or_else(not_there)?;
        Ok(Created { run, is_new })
    };
    new.into_iter().zip(is_new).map(created).collect()
}

/// The runs that are there already, by their identities.
async fn known(tx: &mut Tx, new: &[&NewRun]) -> Result<HashMap<String, RunId>> {
    let mut known = HashMap::new();
    if new.is_empty() {
        return Ok(known);
    }
    let mut values = Vec::new();
    let those = tx.among("identity", &mut values, new.iter().map(|new| new.identity.as_str()));
    let mut inputs = HashMap::new();
    for mut row in tx.rows(&format!("SELECT identity, id, input FROM runs WHERE {those}"), &values).await? {
        let (identity, run) = (row.text()?, RunId(row.int()?));
        inputs.insert(identity.clone(), row.text_or_null()?);
        known.insert(identity, run);
    }
    for new in new {
        if let (Some(run), Some(before)) = (known.get(&new.identity), inputs.get(&new.identity)) {
            same_input(before.as_deref(), new.input.as_deref(), &format!("run {run}"))?;
        }
    }
    Ok(known)
}

/// Refuses another input under an identity that has made something; older versions did not keep it.
pub(crate) fn same_input(before: Option<&str>, now: Option<&str>, made: &str) -> Result<()> {
    match (before, now) {
        (Some(before), Some(now)) if before != now => {
            Err(Error::new(ErrorKind::Refused, "this key was given before, and with something else")
                .at(made)
                .advise("Give each start a key of its own."))
        }
        _ => Ok(()),
    }
}

async fn make(tx: &mut Tx, history: &mut History, new: Vec<&NewRun>) -> Result<Vec<(String, RunId)>> {
    if new.is_empty() {
        return Ok(Vec::new());
    }
    for owner in new.iter().filter_map(|new| new.owner).collect::<BTreeSet<_>>() {
        crate::workers::keep_alive(tx, owner).await?;
    }
    let mut making = Vec::with_capacity(new.len());
    for new in new {
        let graph = graph(tx, new.document).await?;
        let chosen = chosen(&graph, &new.only)?;
        let done = done_before(tx, new, &graph).await?;
        let plan = plan(&graph, &chosen, done);
        making.push(Making { new, graph, plan, admitted: false });
    }
    let mut rooms = rooms(tx, making.iter().map(|making| making.new.pipeline.as_str()).collect()).await?;
    for making in &mut making {
        let room = rooms.entry(&making.new.pipeline).or_default();
        // whoever starts a run by hand in a process of its own does not mean the pause of the schedules
        making.admitted = match room.place() {
            Place::Free => true,
            Place::Paused => making.new.owner.is_some(),
            Place::Taken => false,
        };
        room.active += u64::from(making.admitted);
    }
    let runs = add_runs(tx, &making, history.now).await?;
    let mut ended = Vec::new();
    let mut values: Vec<Value> = Vec::new();
    for (making, run) in making.iter().zip(&runs) {
        add_task_runs(&mut values, making, *run);
        history.run(*run, "created", RunState::Queued.name(), None);
        ended.extend((making.open() == 0).then_some(*run));
    }
    insert(tx, &values).await?;
    super::end::end_runs(tx, history, ended).await?;
    tx.signal(Signal::Work);
    Ok(making.iter().zip(runs).map(|(making, run)| (making.new.identity.clone(), run)).collect())
}

impl Making<'_> {
    /// How many of its tasks have not ended.
    fn open(&self) -> usize {
        self.plan.iter().filter(|planned| !planned.state.is_terminal()).count()
    }
}

async fn add_runs(tx: &mut Tx, making: &[Making<'_>], now: Timestamp) -> Result<Vec<RunId>> {
    let sql = "INSERT INTO runs (pipeline, document, project, cause, identity, schedule, fire_time, params, options, \
               backfill, retry_of, parent, owner, state, admitted, priority, open, created_at, input) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19) \
               ON CONFLICT (identity) DO NOTHING RETURNING id";
    let ask = |making: &Making<'_>| {
        let new = making.new;
        let values = [
            new.pipeline.as_str().into(),
            new.document.into(),
            new.project.into(),
            new.cause.name().into(),
            new.identity.as_str().into(),
            new.schedule.clone().into(),
            new.fire_time.into(),
            new.params.as_str().into(),
            new.options.clone().into(),
            new.backfill.into(),
            new.retry_of.into(),
            new.parent.into(),
            new.owner.into(),
            RunState::Queued.name().into(),
            making.admitted.into(),
            making.graph.priority.into(),
            making.open().into(),
            now.into(),
            new.input.clone().into(),
        ];
        Ask::new(sql, values)
    };
    let mut runs = Vec::with_capacity(making.len());
    for added in tx.all(&making.iter().map(ask).collect::<Vec<_>>()).await? {
        let faster = || Error::new(ErrorKind::Busy, "the run is being made by another process");
        runs.push(RunId(added.into_iter().next().ok_or_else(faster)?.int()?));
    }
    Ok(runs)
}

/// Whether another run of a pipeline may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// It may.
    Free,
    /// As many are open as may be at once.
    Taken,
    /// Nothing of it starts.
    Paused,
}

/// How many runs of a pipeline may be open at once, by its newest version, and how many are.
#[derive(Debug, Clone, Copy, Default)]
struct Room {
    is_paused: bool,
    limit: Option<u32>,
    active: u64,
}

impl Room {
    fn place(&self) -> Place {
        match self.limit {
            _ if self.is_paused => Place::Paused,
            Some(limit) if self.active >= u64::from(limit) => Place::Taken,
            _ => Place::Free,
        }
    }
}

/// Whether another run of a pipeline may start. The pipeline's row is locked until the end of the transaction, so that two
/// processes cannot both see the last place.
pub(super) async fn place(tx: &mut Tx, pipeline: &str) -> Result<Place> {
    let rooms = rooms(tx, [pipeline].into()).await?;
    Ok(rooms.get(pipeline).copied().unwrap_or_default().place())
}

/// The same for who only looks.
pub(crate) async fn place_of(tx: &mut Tx, pipeline: &str) -> Result<Place> {
    let rows = tx.rows("SELECT name, document, paused FROM pipelines WHERE name = $1", &[pipeline.into()]).await?;
    let rooms = rooms_by(tx, [pipeline].into(), rows).await?;
    Ok(rooms.get(pipeline).copied().unwrap_or_default().place())
}

/// The rooms of pipelines, whose rows are locked in the order of their names.
async fn rooms<'a>(tx: &mut Tx, pipelines: BTreeSet<&'a str>) -> Result<BTreeMap<&'a str, Room>> {
    let mut values = Vec::new();
    let those = tx.among("p.name", &mut values, pipelines.iter().copied());
    let lock = tx.lock("p");
    let sql = format!("SELECT p.name, p.document, p.paused FROM pipelines p WHERE {those} ORDER BY p.name{lock}");
    let rows = tx.rows(&sql, &values).await?;
    rooms_by(tx, pipelines, rows).await
}

async fn rooms_by<'a>(tx: &mut Tx, pipelines: BTreeSet<&'a str>, rows: Vec<Row>) -> Result<BTreeMap<&'a str, Room>> {
    let (mut rooms, mut asks) = (BTreeMap::new(), Vec::new());
    for mut row in rows {
        let (name, document, is_paused) = (row.text()?, row.int()?, row.flag()?);
        let limit = graph(tx, document).await?.concurrency;
        let Some(name) = pipelines.get(name.as_str()).copied() else { continue };
        if limit.is_some() {
            let sql = "SELECT pipeline, COUNT(*) FROM runs WHERE pipeline = $1 AND ended_at IS NULL AND admitted = 1 \
                       GROUP BY pipeline";
            asks.push(Ask::new(sql, [name.into()]));
        }
        rooms.insert(name, Room { is_paused, limit, active: 0 });
    }
    for mut row in tx.all(&asks).await?.into_iter().flatten() {
        let (name, active) = (row.text()?, row.count()?);
        rooms.entry(pipelines.get(name.as_str()).copied().unwrap_or_default()).or_default().active = active;
    }
    Ok(rooms)
}

fn chosen(graph: &Graph, only: &[String]) -> Result<Vec<usize>> {
    if only.is_empty() {
        return Ok((0..graph.nodes.len()).collect());
    }
    let known: Vec<&str> = graph.nodes.iter().map(|node| node.name.as_str()).collect();
    let index = |name: &String| {
        let missing = || {
            let near = did_you_mean(nearest(name, &known));
            Error::new(ErrorKind::Usage, format!("the pipeline has no task `{name}`"))
                .advise(format!("{near}Tasks: {}.", known.join(", ")))
        };
        graph.index(name).ok_or_else(missing)
    };
    let mut chosen = only.iter().map(index).collect::<Result<Vec<_>>>()?;
    chosen.sort_unstable();
    chosen.dedup();
    Ok(chosen)
}

/// Tasks that succeeded in the run which is tried again, with their outputs. Chosen tasks are always done.
async fn done_before(tx: &mut Tx, new: &NewRun, graph: &Graph) -> Result<Vec<(usize, Option<String>)>> {
    let Some(run) = new.retry_of.filter(|_| new.only.is_empty()) else { return Ok(Vec::new()) };
    let sql = "SELECT name, outputs FROM task_runs WHERE run = $1 AND item = -1 AND state = 'succeeded' ORDER BY task";
    let mut done = Vec::new();
    for mut row in tx.rows(sql, &[run.into()]).await? {
        let (name, outputs) = (row.text()?, row.text_or_null()?);
        done.extend(graph.index(&name).map(|index| (index, outputs)));
    }
    Ok(done)
}

/// A task run to be.
struct Planned {
    task: usize,
    state: State,
    /// Tasks before it that have not ended.
    before: usize,
    outputs: Option<String>,
}

/// What the tasks of a run start as: those done before are done, and what that rules out is skipped. A task that looks at
/// how others failed or ended is done anew, for these end anew.
fn plan(graph: &Graph, chosen: &[usize], mut done: Vec<(usize, Option<String>)>) -> Vec<Planned> {
    let mut plan: Vec<Planned> = Vec::with_capacity(chosen.len());
    for (task, node) in chosen.iter().filter_map(|task| Some((*task, graph.nodes.get(*task)?))) {
        let before: Vec<State> =
            plan.iter().filter(|planned| node.after.contains(&planned.task)).map(|planned| planned.state).collect();
        let is_settled = node.when == When::AllSucceeded && before.iter().all(|state| *state == State::Succeeded);
        let place = done.iter().position(|(index, _)| *index == task && is_settled);
        let outputs = place.map(|place| done.swap_remove(place).1);
        let ruled_out = !before.is_empty() && node.when.readiness(before.iter().copied()) == Readiness::RuledOut;
        let state = match (&outputs, ruled_out) {
            (Some(_), _) => State::Succeeded,
            (None, true) => State::Skipped,
            (None, false) => State::Queued,
        };
        let before = before.iter().filter(|state| !state.is_terminal()).count();
        plan.push(Planned { task, state, before, outputs: outputs.flatten() });
    }
    plan
}

fn add_task_runs(values: &mut Vec<Value>, making: &Making<'_>, run: RunId) {
    let Making { new, graph, plan, admitted } = making;
    for planned in plan {
        let Some(node) = graph.nodes.get(planned.task) else { continue };
        // a task that is split only finds its items; these take the slots
        let pool = node.pool.clone().filter(|_| node.fan_out.is_none());
        let (pool, slots) = pool.map_or((None, 0), |(pool, slots)| (Some(pool), slots));
        values.extend([
            run.into(),
            planned.task.into(),
            node.name.as_str().into(),
            Value::Int(-1),
            Value::Null,
            planned.state.name().into(),
            (planned.before + usize::from(!admitted)).into(),
            priority(graph, node).into(),
            pool.into(),
            slots.into(),
            runs_on(node, new.owner.is_some()).into(),
            planned.outputs.clone().into(),
        ]);
    }
}

/// Task runs of a higher priority are claimed first.
pub(super) fn priority(graph: &Graph, node: &Node) -> i64 {
    i64::from(graph.priority) + i64::from(node.priority)
}

/// The labels that a worker needs, as one text.
pub(super) fn runs_on(node: &Node, own: bool) -> String {
    if own { OWN_RUN.to_owned() } else { node.runs_on.join(",") }
}

/// Inserts task runs, given as their columns one after the other.
pub(super) async fn insert(tx: &mut Tx, values: &[Value]) -> Result<()> {
    tx.insert_later("task_runs", TASK_RUN, values).await
}
