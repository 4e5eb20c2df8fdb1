//! The items of a split task, as task runs of their own. In a run that is tried again those count as done that succeeded
//! before, as tasks do.

use std::collections::BTreeMap;

use levada_core::error::Result;
use levada_core::id::RunId;
use levada_core::run::{Event, Graph, Node, State};

use super::OWN_RUN;
use super::change::{History, TaskRow, Traces, apply};
use super::create::{insert, priority, runs_on};
use crate::db::{Tx, Value};

/// Most runs that a retry of a retry is followed back.
const RETRIES_MAX: usize = 100;

/// The outputs of items that are done, by their value: as many as there are of it.
type Done = BTreeMap<String, Vec<Option<String>>>;

/// Adds the items of a task that is being split. Where none is left to do, the task ends at once.
pub(super) async fn split(
    tx: &mut Tx,
    history: &mut History,
    row: &mut TaskRow,
    graph: &Graph,
    items: &[String],
) -> Result<()> {
    let Some((node, fan_out)) = graph.nodes.get(row.task).and_then(|node| Some((node, node.fan_out?))) else {
        return Ok(());
    };
    let mut done = done_before(tx, row.run, node, graph).await?;
    let before: Vec<_> = items.iter().map(|item| done.get_mut(item).and_then(Vec::pop)).collect();
    let open = before.iter().filter(|before| before.is_none()).count();
    // the row counts the items that have not ended
    let sql = "UPDATE task_runs SET blockers = $1 WHERE id = $2 RETURNING runs_on";
    let own = match tx.row(sql, &[open.into(), row.id.into()]).await? {
        Some(mut row) => row.text()? == OWN_RUN,
        None => false,
    };
    let at_once = fan_out.concurrency.map_or(usize::MAX, |limit| limit as usize);
    let (pool, slots) = node.pool.clone().map_or((None, 0), |(pool, slots)| (Some(pool), slots));
    let mut queued = 0;
    let mut values: Vec<Value> = Vec::new();
    for (index, (item, before)) in items.iter().zip(before).enumerate() {
        let is_done = before.is_some();
        let state = if is_done { State::Succeeded } else { State::Queued };
        values.extend([
            row.run.into(),
            row.task.into(),
            node.name.as_str().into(),
            index.into(),
            item.as_str().into(),
            state.name().into(),
            usize::from(!is_done && queued >= at_once).into(),
            priority(graph, node).into(),
            pool.clone().into(),
            slots.into(),
            runs_on(node, own).into(),
            before.flatten().into(),
        ]);
        queued += usize::from(!is_done);
    }
    insert(tx, &values).await?;
    if open > 0 {
        // the split task stands for its items: whoever takes them all does not take it
        history.ready.push(row.id);
    } else {
        apply(tx, history, row, node, &[Event::Finished], &Traces::default()).await?;
    }
    Ok(())
}

/// The items of a task that succeeded in the run which is tried again; if that one never came to split it, in the run
/// that it tried again, and so on.
async fn done_before(tx: &mut Tx, mut run: RunId, node: &Node, graph: &Graph) -> Result<Done> {
    let mut done = Done::new();
    for _ in 0..RETRIES_MAX {
        let Some(earlier) = rest_of(tx, run, node, graph).await? else { break };
        let sql = "SELECT item_value, outputs, state FROM task_runs WHERE run = $1 AND name = $2 AND item >= 0 \
                   ORDER BY item DESC";
        let rows = tx.rows(sql, &[earlier.into(), node.name.as_str().into()]).await?;
        let was_split = !rows.is_empty();
        for mut row in rows {
            let (item, outputs) = (row.text()?, row.text_or_null()?);
            if row.text()? == State::Succeeded.name() {
                done.entry(item).or_default().push(outputs);
            }
        }
        if was_split {
            break;
        }
        run = earlier;
    }
    Ok(done)
}

/// The run of which a run does the rest; none if a task before this one was done anew, for then its items are others even
/// if they look the same.
async fn rest_of(tx: &mut Tx, run: RunId, node: &Node, graph: &Graph) -> Result<Option<RunId>> {
    let row = tx.row("SELECT retry_of FROM runs WHERE id = $1", &[run.into()]).await?;
    let earlier = row.map_or(Ok(None), |mut row| row.int_or_null())?.map(RunId);
    if earlier.is_none() {
        return Ok(None);
    }
    let sql = "SELECT task, started_at FROM task_runs WHERE run = $1 AND item = -1";
    let (mut tasks, mut anew) = (0, false);
    for mut row in tx.rows(sql, &[run.into()]).await? {
        let (task, started_at) = (row.count()?, row.time_or_null()?);
        tasks += 1;
        anew |= started_at.is_some() && node.after.iter().any(|before| *before as u64 == task);
    }
    // a run of chosen tasks does all of them, whatever became of them before
    Ok(earlier.filter(|_| tasks == graph.nodes.len() && !anew))
}
