//! What follows when task runs have ended: tasks after them become ready or are ruled out, split tasks end with their
//! items, and runs end with their tasks. All of it in the transaction of the end itself.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use levada_core::error::Result;
use levada_core::id::{RunId, TaskRunId};
use levada_core::run::{Event, Graph, Readiness, RunState, State, Tally};
use levada_core::time::Timestamp;

use super::change::{COLUMNS, History, TaskRow, Traces, apply};
use super::create::{Place, create, graph, place};
use super::{Cause, NewRun};
use crate::db::{Signal, Tx, Value, list};

/// Follows up on task runs that have just ended; all are of one run.
pub(super) async fn settle(tx: &mut Tx, history: &mut History, ended: Vec<TaskRow>) -> Result<()> {
    let Some(first) = ended.first() else { return Ok(()) };
    let (run, graph) = (first.run, graph(tx, first.document).await?);
    let (items, tasks): (Vec<_>, Vec<_>) = ended.into_iter().partition(|row| row.item >= 0);
    let mut queue = VecDeque::from(tasks);
    let mut split: BTreeMap<usize, u64> = BTreeMap::new();
    items.iter().for_each(|item| *split.entry(item.task).or_default() += 1);
    for (task, count) in split {
        queue.extend(items_ended(tx, history, (run, task), count, &graph).await?);
    }
    let mut closed = 0_u64;
    while let Some(row) = queue.pop_front() {
        closed += 1;
        queue.extend(unblock(tx, history, &row, &graph).await?);
    }
    if closed == 0 {
        return Ok(());
    }
    let sql = "UPDATE runs SET open = open - $1 WHERE id = $2 RETURNING open";
    if let Some(mut left) = tx.row(sql, &[closed.into(), run.into()]).await?
        && left.int()? == 0
    {
        end_run(tx, history, run).await?;
    }
    Ok(())
}

/// One task less to wait for. Gives those back that are ruled out by it.
async fn unblock(tx: &mut Tx, history: &mut History, ended: &TaskRow, graph: &Graph) -> Result<Vec<TaskRow>> {
    let dependents: Vec<Value> = graph.dependents(ended.task).map(Value::from).collect();
    if dependents.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "UPDATE task_runs SET blockers = blockers - 1 WHERE run = $1 AND item = -1 AND state = 'queued' AND task IN {} \
         RETURNING id, task, blockers",
        list(dependents.len(), 2)
    );
    let values: Vec<Value> = std::iter::once(ended.run.into()).chain(dependents).collect();
    let mut skipped = Vec::new();
    for mut row in tx.rows(&sql, &values).await? {
        let (id, task, blockers) = (TaskRunId(row.int()?), index(row.int()?), row.int()?);
        let Some(node) = graph.nodes.get(task).filter(|_| blockers == 0) else { continue };
        let before = match node.after.as_slice() {
            [_] => vec![ended.state],
            several => states(tx, ended.run, several).await?,
        };
        if node.when.readiness(before) != Readiness::RuledOut {
            history.ready.push(id);
            continue;
        }
        let Some(mut row) = task_row(tx, ended.run, task, -1).await? else { continue };
        if apply(tx, history, &mut row, node, &[Event::UpstreamFailed], &Traces::default()).await? {
            skipped.push(row);
        }
    }
    Ok(skipped)
}

fn index(task: i64) -> usize {
    usize::try_from(task).unwrap_or(usize::MAX)
}

async fn states(tx: &mut Tx, run: RunId, tasks: &[usize]) -> Result<Vec<State>> {
    let sql = format!("SELECT state FROM task_runs WHERE run = $1 AND item = -1 AND task IN {}", list(tasks.len(), 2));
    let values: Vec<Value> = std::iter::once(run.into()).chain(tasks.iter().map(|task| (*task).into())).collect();
    let mut states = Vec::new();
    for mut row in tx.rows(&sql, &values).await? {
        states.extend(State::from_name(&row.text()?, None));
    }
    Ok(states)
}

pub(super) async fn task_row(tx: &mut Tx, run: RunId, task: usize, item: i64) -> Result<Option<TaskRow>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM task_runs t JOIN runs r ON r.id = t.run WHERE t.run = $1 AND t.task = $2 AND t.item = $3"
    );
    let row = tx.row(&sql, &[run.into(), task.into(), item.into()]).await?;
    row.map(|mut row| TaskRow::read(&mut row)).transpose()
}

/// As many items as ended may go; after the last one the split task ends, and is given back. Until then its row counts the
/// items that have not ended, in `blockers`.
async fn items_ended(
    tx: &mut Tx,
    history: &mut History,
    (run, task): (RunId, usize),
    count: u64,
    graph: &Graph,
) -> Result<Option<TaskRow>> {
    let sql =
        "UPDATE task_runs SET blockers = blockers - $1 WHERE run = $2 AND task = $3 AND item = -1 RETURNING blockers";
    let row = tx.row(sql, &[count.into(), run.into(), task.into()]).await?;
    let left = row.map_or(Ok(0), |mut row| row.int())?;
    if left > 0 {
        let next = "UPDATE task_runs SET blockers = 0 WHERE id IN (SELECT id FROM task_runs WHERE run = $1 AND task = $2 \
                    AND item >= 0 AND state = 'queued' AND blockers > 0 ORDER BY item LIMIT $3) RETURNING id";
        for mut row in tx.rows(next, &[run.into(), task.into(), count.into()]).await? {
            history.ready.push(TaskRunId(row.int()?));
        }
        return Ok(None);
    }
    let sql = "SELECT state, COUNT(*) FROM task_runs WHERE run = $1 AND task = $2 AND item >= 0 GROUP BY state";
    let tally = tally(tx, sql, &[run.into(), task.into()]).await?;
    let event = match tally.run_state() {
        RunState::Succeeded => Event::Finished,
        RunState::Failed => Event::Errored { retry: false },
        RunState::Cancelled => Event::Stopped,
        RunState::Queued | RunState::Running => return Ok(None),
    };
    let Some(mut parent) = task_row(tx, run, task, -1).await? else { return Ok(None) };
    let Some(node) = graph.nodes.get(task) else { return Ok(None) };
    let error = (tally.failed > 0).then(|| {
        let total = tally.failed + tally.succeeded + tally.cancelled;
        serde_json::json!({ "code": "task", "message": format!("{} of {total} items failed", tally.failed) })
            .to_string()
    });
    let traces = Traces { error, ..Traces::default() };
    let ended = apply(tx, history, &mut parent, node, &[event], &traces).await?;
    Ok(ended.then_some(parent))
}

async fn tally(tx: &mut Tx, sql: &str, values: &[Value]) -> Result<Tally> {
    let mut tally = Tally::default();
    for mut row in tx.rows(sql, values).await? {
        let (name, count) = (row.text()?, row.count()?);
        State::from_name(&name, None).into_iter().for_each(|state| tally.add(state, count));
    }
    Ok(tally)
}

/// Ends a run of which every task has ended, and lets what waited for it go on.
pub(super) fn end_run<'a>(tx: &'a mut Tx, history: &'a mut History, run: RunId) -> LocalBoxFuture<'a, Result<()>> {
    Box::pin(async move {
        let sql = "SELECT state, COUNT(*) FROM task_runs WHERE run = $1 AND item = -1 GROUP BY state";
        let tally = tally(tx, sql, &[run.into()]).await?;
        let state = tally.run_state();
        let sql = "UPDATE runs SET state = $1, ended_at = $2 WHERE id = $3 AND ended_at IS NULL \
                   RETURNING pipeline, backfill, created_at, started_at";
        let row = tx.row(sql, &[state.name().into(), history.now.into(), run.into()]).await?;
        let Some(mut row) = row else { return Ok(()) };
        let (pipeline, backfill) = (row.text()?, row.int_or_null()?);
        count(tx, state, history.now, row.time()?, row.time_or_null()?);
        history.run(run, "ended", state.name(), None);
        admit(tx, history, &pipeline).await?;
        super::wake::wake(tx, history, &format!("run:{run}")).await?;
        trigger(tx, history, "pipeline", &format!("{pipeline}:{}", state.name()), &format!("run:{run}")).await?;
        tx.signal(Signal::End);
        if backfill.is_some() {
            tx.signal(Signal::Due);
        }
        Ok(())
    })
}

fn count(tx: &mut Tx, state: RunState, now: Timestamp, created_at: Timestamp, started_at: Option<Timestamp>) {
    let us = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    match state {
        RunState::Succeeded => tx.runs.succeeded += 1,
        RunState::Failed => tx.runs.failed += 1,
        RunState::Cancelled => tx.runs.cancelled += 1,
        RunState::Queued | RunState::Running => {}
    }
    if let Some(started_at) = started_at {
        tx.runs.wait_us += us(started_at.since(created_at));
        tx.runs.run_us += us(now.since(started_at));
    }
}

/// Lets waiting runs of a pipeline start, as many as there are places in its newest version.
pub(crate) async fn admit(tx: &mut Tx, history: &mut History, pipeline: &str) -> Result<()> {
    let waiting = "SELECT id FROM runs WHERE pipeline = $1 AND ended_at IS NULL AND admitted = 0 \
                   ORDER BY priority DESC, id LIMIT 1";
    loop {
        let Some(mut row) = tx.row(waiting, &[pipeline.into()]).await? else { return Ok(()) };
        let run = row.int()?;
        if place(tx, pipeline).await? != Place::Free {
            return Ok(());
        }
        // the place was waited for: another process may have let this one start meanwhile
        let sql = "UPDATE runs SET admitted = 1 WHERE id = $1 AND admitted = 0 AND ended_at IS NULL";
        if tx.execute(sql, &[run.into()]).await? == 0 {
            continue;
        }
        let sql = "UPDATE task_runs SET blockers = blockers - 1 WHERE run = $1 AND item = -1 AND state = 'queued' \
                   RETURNING id, blockers";
        for mut row in tx.rows(sql, &[run.into()]).await? {
            let id = TaskRunId(row.int()?);
            if row.int()? == 0 {
                history.ready.push(id);
            }
        }
    }
}

/// Starts the pipelines that wait for something to happen; once for each `occasion`.
pub(crate) async fn trigger(tx: &mut Tx, history: &mut History, kind: &str, key: &str, occasion: &str) -> Result<()> {
    let sql = "SELECT t.pipeline, t.schedule, p.document FROM triggers t JOIN pipelines p ON p.name = t.pipeline \
               JOIN schedules s ON s.pipeline = t.pipeline AND s.name = t.schedule \
               WHERE t.kind = $1 AND t.key = $2 AND s.paused = 0";
    for mut row in tx.rows(sql, &[kind.into(), key.into()]).await? {
        let (pipeline, schedule, document) = (row.text()?, row.text()?, row.int()?);
        let identity = format!("trigger:{pipeline}/{schedule}:{occasion}");
        let mut new = NewRun::manual(&pipeline, document, identity);
        new.cause = Cause::Trigger;
        new.params = crate::schedules::params_of(tx, &pipeline, &schedule).await?;
        new.schedule = Some(schedule);
        new.fire_time = Some(history.now);
        new.project = crate::documents::current_project(tx).await?;
        create(tx, history, &new).await?;
    }
    Ok(())
}
