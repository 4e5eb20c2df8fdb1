//! Requests to stop: what waits is cancelled at once, what is at work is told.

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::id::RunId;
use levada_core::run::Event;
use levada_core::time::Timestamp;

use super::change::{COLUMNS, History, TaskRow, Traces, apply};
use super::create::graph;
use super::settle::settle;
use crate::db::{Signal, Tx};

/// Asks every task run of a run to stop. Answers how many are at work and were told.
///
/// # Errors
/// `NotFound` where there is no such run.
pub(crate) async fn stop_run(tx: &mut Tx, run: RunId, now: Timestamp) -> Result<u64> {
    if tx.row("SELECT id FROM runs WHERE id = $1", &[run.into()]).await?.is_none() {
        return Err(Error::new(ErrorKind::NotFound, format!("there is no run {run}")).advise("List what there is."));
    }
    let mut history = History::new(now);
    let told = stop(tx, &mut history, run).await?;
    history.write(tx).await?;
    Ok(told)
}

/// Asks every task run of a run to stop, if there is such a run.
pub(crate) async fn stop(tx: &mut Tx, history: &mut History, run: RunId) -> Result<u64> {
    let lock = tx.lock("t");
    let sql = format!(
        "SELECT {COLUMNS} FROM task_runs t JOIN runs r ON r.id = t.run WHERE t.run = $1 \
         AND t.state NOT IN ('succeeded', 'failed', 'cancelled', 'skipped') ORDER BY t.task, t.item{lock}"
    );
    let rows = tx.rows(&sql, &[run.into()]).await?;
    let mut rows = rows.into_iter().map(|mut row| TaskRow::read(&mut row)).collect::<Result<Vec<_>>>()?;
    // a task that was split ends with its items
    let split: Vec<usize> = rows.iter().filter(|row| row.item >= 0).map(|row| row.task).collect();
    rows.retain(|row| row.item >= 0 || split.binary_search(&row.task).is_err());
    let (mut ended, mut told) = (Vec::new(), 0);
    for mut row in rows {
        let graph = graph(tx, row.document).await?;
        let Some(node) = graph.nodes.get(row.task) else { continue };
        if !apply(tx, history, &mut row, node, &[Event::StopAsked], &Traces::default()).await? {
            continue;
        }
        if row.state.is_terminal() {
            ended.push(row);
        } else {
            told += 1;
        }
    }
    settle(tx, history, ended).await?;
    tx.signal(Signal::Stop);
    Ok(told)
}
