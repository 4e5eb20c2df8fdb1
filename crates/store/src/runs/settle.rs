//! What follows when task runs have ended: tasks after them become ready or are ruled out, split tasks end with their
//! items, and runs end with their tasks. All of it in the transaction of the end itself.

use std::collections::VecDeque;

use futures_util::future::LocalBoxFuture;
use levada_core::error::Result;
use levada_core::id::RunId;
use levada_core::run::{Event, Graph, Readiness, RunState, State, Tally};

use super::change::{COLUMNS, History, TaskRow, Traces, apply};
use super::create::{create, graph, may_start};
use super::{Cause, NewRun};
use crate::db::{Signal, Tx, Value, list};

/// Follows up on task runs that have just ended; all are of one run.
pub(super) async fn settle(tx: &mut Tx, history: &mut History, ended: Vec<TaskRow>) -> Result<()> {
    let Some(first) = ended.first() else { return Ok(()) };
    let (run, graph) = (first.run, graph(tx, first.document).await?);
    let mut queue = VecDeque::from(ended);
    let mut closed = 0_u64;
    while let Some(row) = queue.pop_front() {
        if row.item >= 0 {
            queue.extend(item_ended(tx, history, &row, &graph).await?);
            continue;
        }
        closed += 1;
        for dependent in graph.dependents(row.task) {
            queue.extend(unblock(tx, history, &row, &graph, dependent).await?);
        }
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

/// One task less to wait for. Gives the dependent back if that ruled it out.
async fn unblock(
    tx: &mut Tx,
    history: &mut History,
    ended: &TaskRow,
    graph: &Graph,
    dependent: usize,
) -> Result<Option<TaskRow>> {
    let sql = "UPDATE task_runs SET blockers = blockers - 1 WHERE run = $1 AND task = $2 AND item = -1 \
               AND state = 'queued' RETURNING blockers";
    let row = tx.row(sql, &[ended.run.into(), dependent.into()]).await?;
    let (Some(mut row), Some(node)) = (row, graph.nodes.get(dependent)) else { return Ok(None) };
    if row.int()? > 0 {
        return Ok(None);
    }
    let before = match node.after.as_slice() {
        [_] => vec![ended.state],
        several => states(tx, ended.run, several).await?,
    };
    if node.when.readiness(before) != Readiness::RuledOut {
        tx.signal(Signal::Work);
        return Ok(None);
    }
    let Some(mut row) = task_row(tx, ended.run, dependent, -1).await? else { return Ok(None) };
    let skipped = apply(tx, history, &mut row, node, Event::UpstreamFailed, &Traces::default()).await?;
    Ok(skipped.then_some(row))
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

/// The next item may go; after the last one the split task ends, and is given back.
async fn item_ended(tx: &mut Tx, history: &mut History, item: &TaskRow, graph: &Graph) -> Result<Option<TaskRow>> {
    let place: [Value; 2] = [item.run.into(), item.task.into()];
    // the row of the split task is locked first, so that of two last items one sees the other
    let lock = tx.lock("t");
    let parent = format!("SELECT t.id FROM task_runs t WHERE t.run = $1 AND t.task = $2 AND t.item = -1{lock}");
    tx.rows(&parent, &place).await?;
    let next = "UPDATE task_runs SET blockers = 0 WHERE id = (SELECT MIN(id) FROM task_runs WHERE run = $1 AND task = $2 \
                AND item >= 0 AND state = 'queued' AND blockers > 0)";
    if tx.execute(next, &place).await? > 0 {
        tx.signal(Signal::Work);
    }
    let sql = "SELECT state, COUNT(*) FROM task_runs WHERE run = $1 AND task = $2 AND item >= 0 GROUP BY state";
    let mut tally = Tally::default();
    for mut row in tx.rows(sql, &place).await? {
        let (name, count) = (row.text()?, row.count()?);
        State::from_name(&name, None).into_iter().for_each(|state| tally.add(state, count));
    }
    let event = match tally.run_state() {
        RunState::Succeeded => Event::Finished,
        RunState::Failed => Event::Errored { retry: false },
        RunState::Cancelled => Event::Stopped,
        RunState::Queued | RunState::Running => return Ok(None),
    };
    let Some(mut parent) = task_row(tx, item.run, item.task, -1).await? else { return Ok(None) };
    let Some(node) = graph.nodes.get(item.task) else { return Ok(None) };
    let error = (tally.failed > 0).then(|| {
        let total = tally.failed + tally.succeeded + tally.cancelled;
        serde_json::json!({ "code": "task", "message": format!("{} of {total} items failed", tally.failed) })
            .to_string()
    });
    let traces = Traces { error, ..Traces::default() };
    let ended = apply(tx, history, &mut parent, node, event, &traces).await?;
    Ok(ended.then_some(parent))
}

/// Ends a run of which every task has ended, and lets what waited for it go on.
pub(super) fn end_run<'a>(tx: &'a mut Tx, history: &'a mut History, run: RunId) -> LocalBoxFuture<'a, Result<()>> {
    Box::pin(async move {
        let sql = "SELECT state, COUNT(*) FROM task_runs WHERE run = $1 AND item = -1 GROUP BY state";
        let mut tally = Tally::default();
        for mut row in tx.rows(sql, &[run.into()]).await? {
            let (name, count) = (row.text()?, row.count()?);
            State::from_name(&name, None).into_iter().for_each(|state| tally.add(state, count));
        }
        let state = tally.run_state();
        let sql = "UPDATE runs SET state = $1, ended_at = $2 WHERE id = $3 AND ended_at IS NULL \
                   RETURNING pipeline, document, backfill";
        let row = tx.row(sql, &[state.name().into(), history.now.into(), run.into()]).await?;
        let Some(mut row) = row else { return Ok(()) };
        let (pipeline, document, backfill) = (row.text()?, row.int()?, row.int_or_null()?);
        history.run(run, "ended", state.name(), None);
        admit(tx, &pipeline, document).await?;
        super::wake::wake(tx, history, &format!("run:{run}")).await?;
        trigger(tx, history, "pipeline", &format!("{pipeline}:{}", state.name()), &format!("run:{run}")).await?;
        if backfill.is_some() {
            tx.signal(Signal::Due);
        }
        Ok(())
    })
}

/// Lets waiting runs of a pipeline start, as many as there are places.
pub(crate) async fn admit(tx: &mut Tx, pipeline: &str, document: i64) -> Result<()> {
    let graph = graph(tx, document).await?;
    while may_start(tx, pipeline, &graph).await? {
        let sql = "UPDATE runs SET admitted = 1 WHERE id = (SELECT id FROM runs WHERE pipeline = $1 AND ended_at IS NULL \
                   AND admitted = 0 ORDER BY priority DESC, id LIMIT 1) RETURNING id";
        let Some(mut row) = tx.row(sql, &[pipeline.into()]).await? else { return Ok(()) };
        let run = row.int()?;
        let sql = "UPDATE task_runs SET blockers = blockers - 1 WHERE run = $1 AND item = -1 AND state = 'queued'";
        tx.execute(sql, &[run.into()]).await?;
        tx.signal(Signal::Work);
    }
    Ok(())
}

/// Starts the pipelines that wait for something to happen; once for each `occasion`.
pub(crate) async fn trigger(tx: &mut Tx, history: &mut History, kind: &str, key: &str, occasion: &str) -> Result<()> {
    let sql = "SELECT t.pipeline, t.schedule, p.document FROM triggers t JOIN pipelines p ON p.name = t.pipeline \
               JOIN schedules s ON s.pipeline = t.pipeline AND s.name = t.schedule \
               WHERE t.kind = $1 AND t.key = $2 AND p.paused = 0 AND p.removed = 0 AND s.paused = 0";
    for mut row in tx.rows(sql, &[kind.into(), key.into()]).await? {
        let (pipeline, schedule, document) = (row.text()?, row.text()?, row.int()?);
        let identity = format!("trigger:{pipeline}/{schedule}:{occasion}");
        let mut new = NewRun::manual(&pipeline, document, identity);
        new.cause = Cause::Trigger;
        new.params = crate::schedules::params(tx, &pipeline, &schedule).await?;
        new.schedule = Some(schedule);
        new.fire_time = Some(history.now);
        new.project = crate::documents::current_project(tx).await?;
        create(tx, &new, history.now).await?;
    }
    Ok(())
}
