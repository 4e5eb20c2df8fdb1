//! Task runs that wait: those whose instant has come, those whose condition has come true, and those whose worker is gone.

use levada_core::error::Result;
use levada_core::id::{RunId, WorkerId};
use levada_core::run::Event;
use levada_core::time::Timestamp;

use super::change::{COLUMNS, History, TaskRow, Traces, apply};
use super::create::graph;
use super::settle::settle;
use crate::db::{Ask, Row, Tx, Value};

/// Most task runs woken in one transaction.
const WAKE_MAX: i64 = 500;

/// Queues task runs that wait until an instant which has come. Answers how many there were.
pub(crate) async fn wake_due(tx: &mut Tx, now: Timestamp) -> Result<usize> {
    let lock = tx.lock_free("t");
    let sql = format!(
        "SELECT {COLUMNS} FROM task_runs t JOIN runs r ON r.id = t.run WHERE t.state = 'waiting' AND t.wake_at <= $1 \
         ORDER BY t.wake_at LIMIT {WAKE_MAX}{lock}"
    );
    let mut history = History::new(now);
    let due = tx.rows(&sql, &[now.into()]).await?;
    let woken = resume(tx, &mut history, due).await?;
    history.write(tx).await?;
    Ok(woken)
}

/// When the next waiting task run is due.
pub(crate) async fn next_wake(tx: &mut Tx) -> Result<Option<Timestamp>> {
    let sql = "SELECT MIN(wake_at) FROM task_runs WHERE state = 'waiting' AND wake_at IS NOT NULL";
    match tx.row(sql, &[]).await? {
        Some(mut row) => row.time_or_null(),
        None => Ok(None),
    }
}

/// The task runs that wait for the ends of runs.
pub(super) fn waiting_for(tx: &Tx, runs: impl Iterator<Item = RunId>) -> Ask {
    let mut values = Vec::new();
    let those = tx.among("t.wake_on", &mut values, runs.map(|run| format!("run:{run}")));
    let lock = tx.lock("t");
    let sql = format!(
        "SELECT {COLUMNS} FROM task_runs t JOIN runs r ON r.id = t.run WHERE {those} AND t.wake_on IS NOT NULL \
         AND t.state = 'waiting' ORDER BY t.run, t.task, t.item{lock}"
    );
    Ask::new(sql, values)
}

/// Queues task runs that have waited for long enough. Answers how many there were.
pub(super) async fn resume(tx: &mut Tx, history: &mut History, rows: Vec<Row>) -> Result<usize> {
    let mut woken = 0;
    for mut row in rows {
        let mut row = TaskRow::read(&mut row)?;
        let graph = graph(tx, row.document).await?;
        let Some(node) = graph.nodes.get(row.task) else { continue };
        if apply(tx, history, &mut row, node, &[Event::RetryDue], &Traces::default()).await? {
            history.ready.push(row.id);
            woken += 1;
        }
    }
    Ok(woken)
}

/// Takes the task runs of a worker that is gone away from it. The runs that it alone executes are stopped.
pub(crate) async fn reap(tx: &mut Tx, worker: WorkerId, now: Timestamp) -> Result<usize> {
    let gone = "UPDATE workers SET state = 'gone' WHERE id = $1 AND state <> 'gone' RETURNING own";
    let own = match tx.row(gone, &[worker.into()]).await? {
        Some(mut row) => row.flag()?,
        None => false,
    };
    let lock = tx.lock("t");
    let sql = format!(
        "SELECT {COLUMNS} FROM task_runs t JOIN runs r ON r.id = t.run WHERE t.worker = $1 \
         AND t.state IN ('starting', 'running', 'stopping') ORDER BY t.run, t.task, t.item{lock}"
    );
    let rows = tx.rows(&sql, &[worker.into()]).await?;
    let rows = rows.into_iter().map(|mut row| TaskRow::read(&mut row)).collect::<Result<Vec<_>>>()?;
    let count = rows.len();
    lose(tx, rows, now).await?;
    if own {
        let mut history = History::new(now);
        let sql = "SELECT id FROM runs WHERE owner = $1 AND ended_at IS NULL ORDER BY id";
        for mut row in tx.rows(sql, &[worker.into()]).await? {
            super::stop::stop(tx, &mut history, RunId(row.int()?)).await?;
        }
        history.write(tx).await?;
    }
    Ok(count)
}

/// Applies the loss of their worker to task runs.
pub(super) async fn lose(tx: &mut Tx, rows: Vec<TaskRow>, now: Timestamp) -> Result<()> {
    let mut history = History::new(now);
    let error = serde_json::json!({ "code": "lost", "message": "its worker is gone" }).to_string();
    let traces = Traces { error: Some(error), ..Traces::default() };
    let mut ended = Vec::new();
    for mut row in rows {
        let graph = graph(tx, row.document).await?;
        let Some(node) = graph.nodes.get(row.task) else { continue };
        if apply(tx, &mut history, &mut row, node, &[Event::LeaseLost], &traces).await? {
            if row.state.is_terminal() {
                ended.push(row);
            } else {
                history.ready.push(row.id);
            }
        }
    }
    settle(tx, &mut history, ended).await?;
    history.write(tx).await
}

/// Applies the loss of their worker to task runs that it knows nothing of.
pub(crate) async fn lose_unknown(tx: &mut Tx, ids: &[levada_core::id::TaskRunId], now: Timestamp) -> Result<()> {
    let values: Vec<Value> = ids.iter().map(|id| (*id).into()).collect();
    let lock = tx.lock("t");
    let sql = format!(
        "SELECT {COLUMNS} FROM task_runs t JOIN runs r ON r.id = t.run WHERE t.id IN {} ORDER BY t.run, t.task, t.item{lock}",
        crate::db::list(ids.len(), 1)
    );
    let rows = tx.rows(&sql, &values).await?;
    let rows = rows.into_iter().map(|mut row| TaskRow::read(&mut row)).collect::<Result<Vec<_>>>()?;
    lose(tx, rows, now).await
}
