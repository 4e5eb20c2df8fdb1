//! New runs: the run and all its task runs in one act, once for each identity.

use std::sync::Arc;

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::id::{BackfillId, RunId, TaskRunId, WorkerId};
use levada_core::run::{Graph, Node, Readiness, RunState, State, When};
use levada_core::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::OWN_RUN;
use super::change::History;
use crate::db::{Row, Signal, Tx, Value, placeholders};

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

/// Columns of a new task run.
const WIDTH: usize = 12;
/// Most task runs in one statement.
const CHUNK: usize = 200;

impl NewRun {
    /// A run of a pipeline that a person asks for.
    pub fn manual(pipeline: &str, document: i64, identity: String) -> Self {
        Self {
            pipeline: pipeline.to_owned(),
            document,
            project: None,
            cause: Cause::Manual,
            identity,
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

/// Makes a run, unless its identity is there already.
pub(crate) async fn create_run(tx: &mut Tx, new: &NewRun, now: Timestamp) -> Result<Created> {
    let mut history = History::new(now);
    let created = create(tx, &mut history, new).await?;
    history.write(tx).await?;
    Ok(created)
}

/// The same, with others in one transaction.
pub(crate) async fn create(tx: &mut Tx, history: &mut History, new: &NewRun) -> Result<Created> {
    let known = tx.row("SELECT id FROM runs WHERE identity = $1", &[new.identity.as_str().into()]).await?;
    if let Some(mut row) = known {
        return Ok(Created { run: RunId(row.int()?), is_new: false });
    }
    if let Some(owner) = new.owner {
        crate::workers::keep_alive(tx, owner).await?;
    }
    let graph = graph(tx, new.document).await?;
    let chosen = chosen(&graph, &new.only)?;
    let done = done_before(tx, new, &graph).await?;
    // whoever starts a run by hand in a process of its own does not mean the pause of the schedules
    let admitted = match place(tx, &new.pipeline).await? {
        Place::Free => true,
        Place::Paused => new.owner.is_some(),
        Place::Taken => false,
    };
    let plan = plan(&graph, &chosen, done);
    let open = plan.iter().filter(|planned| !planned.state.is_terminal()).count();
    let run = add_run(tx, new, &graph, admitted, open, history.now).await?;
    add_task_runs(tx, new, run, &graph, &plan, admitted).await?;
    history.run(run, "created", RunState::Queued.name(), None);
    if open == 0 {
        super::settle::end_run(tx, history, run).await?;
    }
    tx.signal(Signal::Work);
    Ok(Created { run, is_new: true })
}

async fn add_run(
    tx: &mut Tx,
    new: &NewRun,
    graph: &Graph,
    admitted: bool,
    open: usize,
    now: Timestamp,
) -> Result<RunId> {
    let sql = "INSERT INTO runs (pipeline, document, project, cause, identity, schedule, fire_time, params, options, \
               backfill, retry_of, parent, owner, state, admitted, priority, open, created_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) \
               ON CONFLICT (identity) DO NOTHING RETURNING id";
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
        admitted.into(),
        graph.priority.into(),
        open.into(),
        now.into(),
    ];
    match tx.row(sql, &values).await? {
        Some(mut row) => row.int().map(RunId),
        // another process was faster by a moment
        None => Err(Error::new(ErrorKind::Busy, "the run is being made by another process")),
    }
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

/// Whether another run of a pipeline may start, by its newest version. The pipeline's row is locked until the end of the
/// transaction, so that two processes cannot both see the last place.
pub(super) async fn place(tx: &mut Tx, pipeline: &str) -> Result<Place> {
    let lock = tx.lock("p");
    let sql = format!("SELECT p.document, p.paused FROM pipelines p WHERE p.name = $1{lock}");
    let row = tx.row(&sql, &[pipeline.into()]).await?;
    place_by(tx, pipeline, row).await
}

/// The same for who only looks.
pub(crate) async fn place_of(tx: &mut Tx, pipeline: &str) -> Result<Place> {
    let row = tx.row("SELECT document, paused FROM pipelines WHERE name = $1", &[pipeline.into()]).await?;
    place_by(tx, pipeline, row).await
}

async fn place_by(tx: &mut Tx, pipeline: &str, row: Option<Row>) -> Result<Place> {
    let Some(mut row) = row else { return Ok(Place::Free) };
    let (document, paused) = (row.int()?, row.flag()?);
    if paused {
        return Ok(Place::Paused);
    }
    let Some(limit) = graph(tx, document).await?.concurrency else { return Ok(Place::Free) };
    let sql = "SELECT COUNT(*) FROM runs WHERE pipeline = $1 AND ended_at IS NULL AND admitted = 1";
    let active = match tx.row(sql, &[pipeline.into()]).await? {
        Some(mut row) => row.count()?,
        None => 0,
    };
    Ok(if active < u64::from(limit) { Place::Free } else { Place::Taken })
}

fn chosen(graph: &Graph, only: &[String]) -> Result<Vec<usize>> {
    if only.is_empty() {
        return Ok((0..graph.nodes.len()).collect());
    }
    let index = |name: &String| {
        let missing = || Error::new(ErrorKind::Usage, format!("the pipeline has no task `{name}`"));
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

async fn add_task_runs(
    tx: &mut Tx,
    new: &NewRun,
    run: RunId,
    graph: &Graph,
    plan: &[Planned],
    admitted: bool,
) -> Result<()> {
    let mut values: Vec<Value> = Vec::with_capacity(plan.len() * WIDTH);
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
    insert(tx, &values).await
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
    for chunk in values.chunks(WIDTH * CHUNK) {
        let sql = format!(
            "INSERT INTO task_runs (run, task, name, item, item_value, state, blockers, priority, pool, slots, runs_on, \
             outputs) VALUES {}",
            placeholders(chunk.len() / WIDTH, WIDTH, 1)
        );
        tx.later(&sql, chunk).await?;
    }
    Ok(())
}
