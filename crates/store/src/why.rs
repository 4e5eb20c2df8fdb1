//! One line that says what a run or a task run is waiting for.

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::id::{RunId, TaskRunId, WorkerId};
use levada_core::naming::first_of;
use levada_core::time::Timestamp;

use crate::Store;
use crate::db::Tx;
use crate::runs::{OWN_RUN, Place, place_of};
use crate::workers::{self, SUSPECT, Worker};

impl Store {
    /// What a run is waiting for, in one line.
    ///
    /// # Errors
    /// `NotFound` where there is no such run.
    pub async fn why_run(&self, run: RunId, now: Timestamp) -> Result<String> {
        self.db.read(async move |tx: &mut Tx| of_run(tx, run, now).await).await
    }

    /// What a task run is waiting for, in one line.
    ///
    /// # Errors
    /// `NotFound` where there is no such task run.
    pub async fn why_task_run(&self, task_run: TaskRunId, now: Timestamp) -> Result<String> {
        self.db.read(async move |tx: &mut Tx| of_task_run(tx, task_run, now).await).await
    }
}

/// Most names in a line.
const NAMES_MAX: usize = 3;

async fn of_run(tx: &mut Tx, run: RunId, now: Timestamp) -> Result<String> {
    let sql = "SELECT state, ended_at, admitted, pipeline FROM runs WHERE id = $1";
    let Some(mut row) = tx.row(sql, &[run.into()]).await? else {
        return Err(Error::new(ErrorKind::NotFound, format!("there is no run {run}")).advise("List what there is."));
    };
    let (state, ended_at, admitted, pipeline) = (row.text()?, row.time_or_null()?, row.flag()?, row.text()?);
    if let Some(at) = ended_at {
        let verb = if state == "cancelled" { "was cancelled" } else { &state };
        return Ok(format!("the run {verb} at {at}"));
    }
    if !admitted {
        return of_place(tx, run, &pipeline).await;
    }
    // what is at work says most, then what could be, then what waits
    let sql = "SELECT id, name FROM task_runs WHERE run = $1 \
               AND state NOT IN ('succeeded', 'failed', 'cancelled', 'skipped') \
               ORDER BY CASE WHEN state IN ('starting', 'running', 'stopping') THEN 0 \
               WHEN state = 'queued' AND blockers = 0 THEN 1 \
               WHEN state = 'waiting' AND wake_at IS NOT NULL THEN 2 ELSE 3 END, task, item LIMIT 1";
    let Some(mut row) = tx.row(sql, &[run.into()]).await? else { return Ok("the run is about to end".to_owned()) };
    let (id, name) = (TaskRunId(row.int()?), row.text()?);
    Ok(format!("task {name}: {}", of_task_run(tx, id, now).await?))
}

/// A run that has not had its turn.
async fn of_place(tx: &mut Tx, run: RunId, pipeline: &str) -> Result<String> {
    if place_of(tx, pipeline).await? == Place::Paused {
        return Ok(format!("the pipeline {pipeline} is paused: it goes on when it is resumed"));
    }
    let sql = "SELECT id FROM runs WHERE pipeline = $1 AND ended_at IS NULL AND id <> $2 AND admitted = 1 ORDER BY id";
    let mut open = Vec::new();
    for mut row in tx.rows(sql, &[pipeline.into(), run.into()]).await? {
        open.push(format!("run {}", row.int()?));
    }
    let limit = open.len();
    let sql = "SELECT b.id, b.concurrency FROM runs r JOIN backfills b ON b.id = r.backfill \
               WHERE r.id = $1 AND b.concurrency > $2";
    let of_backfill = match tx.row(sql, &[run.into(), limit.into()]).await? {
        Some(mut row) => {
            let (backfill, asked) = (row.int()?, row.count()?);
            format!("; backfill {backfill} may have {asked} at once, and {pipeline} itself no more than {limit}")
        }
        None => String::new(),
    };
    Ok(format!(
        "{pipeline} has {limit} of {limit} runs open at once: it waits for {}{of_backfill}",
        first_of(&open, NAMES_MAX)
    ))
}

struct Task {
    run: RunId,
    task: i64,
    item: i64,
    blockers: i64,
    worker: Option<WorkerId>,
    wake_at: Option<Timestamp>,
    wake_on: Option<String>,
    pool: Option<(String, i64)>,
    runs_on: String,
    error: Option<String>,
    failed: u32,
    memo: Option<String>,
    started_at: Option<Timestamp>,
    owner: Option<WorkerId>,
}

pub(crate) async fn of_task_run(tx: &mut Tx, id: TaskRunId, now: Timestamp) -> Result<String> {
    let sql = "SELECT t.state, t.ended_at, r.admitted, r.pipeline, t.run, t.task, t.item, t.blockers, t.worker, t.wake_at, \
               t.wake_on, t.pool, t.slots, t.runs_on, t.error, t.failed, t.memo, t.started_at, r.owner \
               FROM task_runs t JOIN runs r ON r.id = t.run WHERE t.id = $1";
    let Some(mut row) = tx.row(sql, &[id.into()]).await? else {
        return Err(
            Error::new(ErrorKind::NotFound, format!("there is no task run {id}")).advise("List those of its run.")
        );
    };
    let (state, ended_at, admitted, pipeline) = (row.text()?, row.time_or_null()?, row.flag()?, row.text()?);
    let task = Task {
        run: RunId(row.int()?),
        task: row.int()?,
        item: row.int()?,
        blockers: row.int()?,
        worker: row.int_or_null()?.map(WorkerId),
        wake_at: row.time_or_null()?,
        wake_on: row.text_or_null()?,
        pool: {
            let (pool, slots) = (row.text_or_null()?, row.int()?);
            pool.map(|pool| (pool, slots))
        },
        runs_on: row.text()?,
        error: row.text_or_null()?,
        failed: row.small()?,
        memo: row.text_or_null()?,
        started_at: row.time_or_null()?,
        owner: row.int_or_null()?.map(WorkerId),
    };
    if let Some(at) = ended_at {
        let verb = if matches!(state.as_str(), "skipped" | "cancelled") { "was " } else { "" };
        return Ok(format!("it {verb}{state} at {at}"));
    }
    if !admitted {
        return of_place(tx, task.run, &pipeline).await;
    }
    match state.as_str() {
        "queued" if task.blockers > 0 => of_blockers(tx, &task).await,
        "queued" => of_worker(tx, &task, now).await,
        "waiting" => of_wait(tx, &task).await,
        _ => of_holder(tx, &task, &state, now).await,
    }
}

/// Tasks before it, or items before this one.
async fn of_blockers(tx: &mut Tx, task: &Task) -> Result<String> {
    if task.item >= 0 {
        return Ok("as many items are at work as may be at once".to_owned());
    }
    let sql = "SELECT d.graph FROM runs r JOIN documents d ON d.id = r.document WHERE r.id = $1";
    let graph = tx.row(sql, &[task.run.into()]).await?.map_or(Ok(None), |mut row| row.text_or_null())?;
    let graph: Option<levada_core::run::Graph> = graph.and_then(|text| serde_json::from_str(&text).ok());
    let node = graph.as_ref().and_then(|graph| graph.nodes.get(usize::try_from(task.task).ok()?));
    let before = node.map(|node| node.after.as_slice()).unwrap_or_default();
    let sql = "SELECT task, name FROM task_runs WHERE run = $1 AND item = -1 AND task < $2 \
               AND state NOT IN ('succeeded', 'failed', 'cancelled', 'skipped') ORDER BY task";
    let mut open = Vec::new();
    for mut row in tx.rows(sql, &[task.run.into(), task.task.into()]).await? {
        let (index, name) = (row.count()?, row.text()?);
        open.extend(before.iter().any(|task| *task as u64 == index).then_some(name));
    }
    Ok(format!("it waits for {}", first_of(&open, NAMES_MAX)))
}

/// It may go: is there a slot, and somebody to take it?
async fn of_worker(tx: &mut Tx, task: &Task, now: Timestamp) -> Result<String> {
    if let Some((pool, slots)) = &task.pool
        && let Some(line) = of_pool(tx, pool, *slots).await?
    {
        return Ok(line);
    }
    let alive = workers::alive(tx).await?;
    if task.runs_on == OWN_RUN {
        return Ok(match alive.iter().find(|worker| Some(worker.id) == task.owner) {
            Some(worker) => format!("it waits for a free slot in the process that made the run, {}", worker.name),
            None => "the process that made the run is gone".to_owned(),
        });
    }
    let fits = |worker: &&Worker| {
        !worker.is_own
            && task.runs_on.split(',').all(|label| label.is_empty() || worker.labels.iter().any(|l| l == label))
    };
    let shared = alive.iter().filter(|worker| !worker.is_own).count();
    let fitting: Vec<&Worker> = alive.iter().filter(fits).collect();
    let heard: Vec<&&Worker> = fitting.iter().filter(|worker| now.since(worker.beat_at) <= SUSPECT).collect();
    if shared == 0 {
        return Ok("there is no worker: start `levada serve` or `levada worker`".to_owned());
    }
    if fitting.is_empty() {
        return Ok(format!("no worker has the labels {}", task.runs_on.replace(',', ", ")));
    }
    if heard.is_empty() {
        let last = fitting.iter().map(|worker| worker.beat_at).max().unwrap_or(now);
        return Ok(format!("the workers that could take it are silent, the last since {last}"));
    }
    if heard.iter().all(|worker| worker.state == "draining") {
        return Ok("the workers that could take it are about to end and take nothing new".to_owned());
    }
    let slots: u32 = heard.iter().map(|worker| worker.slots).sum();
    let sql =
        "SELECT COUNT(*) FROM task_runs WHERE worker IS NOT NULL AND state IN ('starting', 'running', 'stopping')";
    let held = tx.row(sql, &[]).await?.map_or(Ok(0), |mut row| row.count())?;
    Ok(if held >= u64::from(slots) {
        format!("all slots of the workers are taken: {held} of {slots}")
    } else {
        "a worker is about to take it".to_owned()
    })
}

async fn of_pool(tx: &mut Tx, pool: &str, needed: i64) -> Result<Option<String>> {
    let Some(mut row) = tx.row("SELECT slots FROM pools WHERE name = $1", &[pool.into()]).await? else {
        return Ok(Some(format!("the project has no pool {pool}")));
    };
    let slots = row.int()?;
    if needed > slots {
        return Ok(Some(format!("it needs {needed} slots of the pool {pool}, which has {slots}")));
    }
    let sql = "SELECT run, name, slots FROM task_runs WHERE pool = $1 AND state IN ('starting', 'running', 'stopping') \
               ORDER BY id";
    let (mut held, mut holders) = (0, Vec::new());
    for mut row in tx.rows(sql, &[pool.into()]).await? {
        let (run, name, taken) = (row.int()?, row.text()?, row.int()?);
        held += taken;
        holders.push(format!("{name} of run {run}"));
    }
    Ok((held + needed > slots).then(|| {
        format!("the pool {pool} is full: {held} of {slots} slots, held by {}", first_of(&holders, NAMES_MAX))
    }))
}

async fn of_wait(tx: &mut Tx, task: &Task) -> Result<String> {
    let Some(until) = task.wake_at else {
        let sql = "SELECT COUNT(*) FROM task_runs WHERE run = $1 AND task = $2 AND item >= 0";
        let items = tx.row(sql, &[task.run.into(), task.task.into()]).await?.map_or(Ok(0), |mut row| row.int())?;
        return Ok(format!("{} of its {items} items have ended", items - task.blockers));
    };
    if let Some(run) = task.wake_on.as_deref().and_then(|what| what.strip_prefix("run:")) {
        return Ok(format!("it waits for the end of run {run}, and looks again at {until}"));
    }
    // a task that failed begins anew without a memo: what has one waits, whatever became of it before
    let memo: Option<serde_json::Value> = task.memo.as_deref().and_then(|memo| serde_json::from_str(memo).ok());
    if let Some(line) = memo.and_then(|memo| of_looks(&memo, until)) {
        return Ok(line);
    }
    let error = task.error.as_deref().filter(|_| task.failed > 0);
    let error: Option<serde_json::Value> = error.and_then(|text| serde_json::from_str(text).ok());
    Ok(match error.as_ref().and_then(|error| error["message"].as_str()) {
        Some(message) => format!("it failed ({message}) and is tried again at {until}"),
        None => format!("it looks again at {until}"),
    })
}

/// A task that looks again and again, by what it left itself to know.
fn of_looks(memo: &serde_json::Value, until: Timestamp) -> Option<String> {
    let waits_for = memo["waits_for"].as_str()?;
    let looked = match memo["looks"].as_u64() {
        Some(looks @ 2..) => format!("looked {looks} times"),
        _ => "looked once".to_owned(),
    };
    let gives_up = memo["gives_up_at"].as_str().map(|at| format!(", gives up at {at}")).unwrap_or_default();
    Some(format!("it waits for {waits_for}, {looked}, looks again at {until}{gives_up}"))
}

async fn of_holder(tx: &mut Tx, task: &Task, state: &str, now: Timestamp) -> Result<String> {
    let since = task.started_at.unwrap_or(now);
    let worker = task.worker.map_or(0, |worker| worker.0);
    let row = tx.row("SELECT name, beat_at FROM workers WHERE id = $1", &[worker.into()]).await?;
    let Some(mut row) = row else { return Ok(format!("a worker is at work since {since}")) };
    let (name, beat_at) = (row.text()?, row.time()?);
    let does = if state == "stopping" { "was asked to stop, and is at work" } else { "is at work" };
    let silent = if now.since(beat_at) > SUSPECT { format!(", and silent since {beat_at}") } else { String::new() };
    Ok(format!("worker {name} {does} since {since}{silent}"))
}
