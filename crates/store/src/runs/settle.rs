//! What follows when task runs have ended: tasks after them become ready or are ruled out, split tasks end with their
//! items, and runs with their tasks. All of it in the transaction of the end itself, and for all at once that ended in it.

use std::collections::BTreeMap;

use levada_core::error::Result;
use levada_core::id::{RunId, TaskRunId};
use levada_core::run::{Event, Graph, Node, Readiness, RunState, State, Tally, When};

use super::change::{COLUMNS, History, TaskRow, Traces, apply};
use super::create::graph;
use super::end::end_runs;
use crate::db::{Ask, Row, Tx, Value, list};

/// Follows up on task runs that have just ended.
pub(super) async fn settle(tx: &mut Tx, history: &mut History, ended: Vec<TaskRow>) -> Result<()> {
    history.flush(tx).await?;
    let (items, mut wave): (Vec<_>, Vec<_>) = ended.into_iter().partition(|row| row.item >= 0);
    let mut split: BTreeMap<(RunId, usize), (u64, i64)> = BTreeMap::new();
    items.iter().for_each(|item| split.entry((item.run, item.task)).or_insert((0, item.document)).0 += 1);
    for (task, (count, document)) in split {
        let graph = graph(tx, document).await?;
        wave.extend(items_ended(tx, history, task, count, &graph).await?);
    }
    // tasks in the order in which everybody locks them, and runs after them
    wave.sort_by_key(|row| (row.run, row.task));
    let mut closed: BTreeMap<RunId, u64> = BTreeMap::new();
    let mut done = Vec::new();
    while !wave.is_empty() {
        wave.iter().for_each(|row| *closed.entry(row.run).or_default() += 1);
        // of tasks that were ruled out, or split
        history.flush(tx).await?;
        let (mut blocked, mut is_last) = (BTreeMap::new(), true);
        for row in &wave {
            let graph = graph(tx, row.document).await?;
            graph.dependents(row.task).for_each(|task| *blocked.entry((row.run, task)).or_default() += 1);
            is_last &= rules_nothing_out(row, &graph);
        }
        let mut asks = unblock(tx, &blocked);
        let unblocked = asks.len();
        if is_last {
            asks.extend(close(tx, &closed));
        }
        let mut answers = tx.all(&asks).await?.into_iter();
        let answered = answers.by_ref().take(unblocked).flatten().collect();
        let next = unblocked_by(tx, history, &wave, answered).await?;
        if is_last {
            done.extend(answers.flatten());
            closed.clear();
        }
        wave = next;
    }
    if !closed.is_empty() {
        let asks = close(tx, &closed);
        done.extend(tx.all(&asks).await?.into_iter().flatten());
    }
    let mut runs = Vec::new();
    for mut row in done {
        let (run, open) = (RunId(row.int()?), row.int()?);
        runs.extend((open == 0).then_some(run));
    }
    end_runs(tx, history, runs).await
}

/// So many tasks of runs less are open.
fn close(tx: &Tx, closed: &BTreeMap<RunId, u64>) -> Vec<Ask> {
    let sql = "UPDATE runs AS r SET open = r.open - v.ended FROM {rows} WHERE r.id = v.run RETURNING id, open";
    let values: Vec<Value> = closed.iter().flat_map(|(run, ended)| [(*run).into(), (*ended).into()]).collect();
    tx.each(sql, &[("run", "bigint"), ("ended", "bigint")], &values)
}

/// So many tasks less for tasks to wait for.
fn unblock(tx: &Tx, blocked: &BTreeMap<(RunId, usize), u64>) -> Vec<Ask> {
    let sql = "UPDATE task_runs AS t SET blockers = t.blockers - v.ended FROM {rows} WHERE t.run = v.of_run \
               AND t.task = v.of_task AND t.item = -1 AND t.state = 'queued' RETURNING id, run, task, blockers";
    let columns = [("of_run", "bigint"), ("of_task", "bigint"), ("ended", "bigint")];
    let row = |((run, task), ended): (&(RunId, usize), &u64)| [(*run).into(), (*task).into(), (*ended).into()];
    tx.each(sql, &columns, &blocked.iter().flat_map(row).collect::<Vec<Value>>())
}

/// Whether it is plain without a look at others that the end of a task ends no other.
fn rules_nothing_out(ended: &TaskRow, graph: &Graph) -> bool {
    let known = |node: &Node| states_before(node, |_| Some(ended.state));
    let goes = |node: &Node| known(node).is_some_and(|before| node.when.readiness(before) != Readiness::RuledOut);
    graph.dependents(ended.task).filter_map(|task| graph.nodes.get(task)).all(goes)
}

/// The states of the tasks before one, as far as they matter and are known without a look.
fn states_before(node: &Node, ended: impl Fn(usize) -> Option<State>) -> Option<Vec<State>> {
    match (node.when, node.after.as_slice()) {
        (When::AllDone, _) => Some(Vec::new()),
        (_, [one]) => ended(*one).map(|state| vec![state]),
        _ => None,
    }
}

/// What becomes of the tasks after some that have ended: those with nothing left to wait for are ready, or ruled out.
/// Gives these back.
async fn unblocked_by(
    tx: &mut Tx,
    history: &mut History,
    ended: &[TaskRow],
    unblocked: Vec<Row>,
) -> Result<Vec<TaskRow>> {
    let documents: BTreeMap<RunId, i64> = ended.iter().map(|row| (row.run, row.document)).collect();
    let (mut free, mut asks) = (Vec::new(), Vec::new());
    for mut row in unblocked {
        let (id, run, task, blockers) = (TaskRunId(row.int()?), RunId(row.int()?), index(row.int()?), row.int()?);
        let Some(document) = documents.get(&run).filter(|_| blockers == 0) else { continue };
        let graph = graph(tx, *document).await?;
        let Some(node) = graph.nodes.get(task) else { continue };
        let end = |before| ended.iter().find(|row| row.run == run && row.task == before).map(|row| row.state);
        let known = states_before(node, end);
        asks.extend(known.is_none().then(|| states(run, &node.after)));
        free.push((id, run, task, known, graph.clone()));
    }
    let mut answers = tx.all(&asks).await?.into_iter();
    let mut skipped = Vec::new();
    for (id, run, task, known, graph) in free {
        let Some(node) = graph.nodes.get(task) else { continue };
        let before = match known {
            Some(known) => known,
            None => read_states(answers.next().unwrap_or_default())?,
        };
        if node.when.readiness(before) != Readiness::RuledOut {
            history.ready.push(id);
            continue;
        }
        let Some(mut row) = task_row(tx, run, task, -1).await? else { continue };
        if apply(tx, history, &mut row, node, &[Event::UpstreamFailed], &Traces::default()).await? {
            skipped.push(row);
        }
    }
    Ok(skipped)
}

fn index(task: i64) -> usize {
    usize::try_from(task).unwrap_or(usize::MAX)
}

fn states(run: RunId, tasks: &[usize]) -> Ask {
    let sql = format!("SELECT state FROM task_runs WHERE run = $1 AND item = -1 AND task IN {}", list(tasks.len(), 2));
    Ask::new(sql, std::iter::once(run.into()).chain(tasks.iter().map(|task| (*task).into())).collect::<Vec<_>>())
}

fn read_states(rows: Vec<Row>) -> Result<Vec<State>> {
    let mut states = Vec::with_capacity(rows.len());
    for mut row in rows {
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
    let mut tally = Tally::default();
    for mut row in tx.rows(sql, &[run.into(), task.into()]).await? {
        let (name, count) = (row.text()?, row.count()?);
        State::from_name(&name, None).into_iter().for_each(|state| tally.add(state, count));
    }
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
