//! The trade between a worker and the store, in one transaction: what became of its task runs, for new ones. A chain of
//! tasks therefore costs one durable commit for each of them.

use std::collections::BTreeMap;

use levada_core::error::Result;
use levada_core::id::{RunId, TaskRunId, WorkerId};
use levada_core::run::{Event, State};
use levada_core::time::Timestamp;

use super::change::{COLUMNS, History, TaskRow, Traces, apply};
use super::claim::{Claim, claim};
use super::create::graph;
use super::items::split;
use super::settle::{settle, trigger};
use crate::db::{Signal, Tx, Value, list};

/// What a worker reports and wants.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Who it is.
    pub worker: WorkerId,
    /// What became of its task runs.
    pub updates: Vec<Update>,
    /// How many new ones it can take.
    pub want: usize,
    /// Its labels.
    pub labels: Vec<String>,
    /// Whether it executes the runs that it made, and no others.
    pub own: bool,
    /// The instant it is.
    pub now: Timestamp,
}

/// What became of one task run.
#[derive(Debug, Clone)]
pub struct Update {
    /// Which.
    pub task_run: TaskRunId,
    /// The epoch under which the worker claimed it; another one means that it is the worker's no more.
    pub epoch: i64,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// Its outputs, a JSON object.
    pub outputs: Option<String>,
    /// Why it failed, a JSON object.
    pub error: Option<String>,
    /// What it wants to know the next time it is claimed, JSON.
    pub memo: Option<String>,
    /// What wakes it earlier than its instant, for instance `run:7`.
    pub wake_on: Option<String>,
    /// The items into which it was split, each JSON.
    pub items: Vec<String>,
    /// The datasets that it loaded.
    pub datasets: Vec<String>,
}

impl Update {
    /// Events of a task run, and nothing else about it.
    pub fn new(task_run: TaskRunId, epoch: i64, events: Vec<Event>) -> Self {
        Self {
            task_run,
            epoch,
            events,
            outputs: None,
            error: None,
            memo: None,
            wake_on: None,
            items: Vec::new(),
            datasets: Vec::new(),
        }
    }
}

/// What the worker gets.
#[derive(Debug, Clone, Default)]
pub struct Exchanged {
    /// New task runs.
    pub claims: Vec<Claim>,
    /// Task runs it reported on which are its no more: it must stop them and forget what they did.
    pub fenced: Vec<TaskRunId>,
    /// Whether the store takes it for dead: it gets nothing until it signs on anew.
    pub is_gone: bool,
}

/// Carries out a trade.
pub(crate) async fn exchange(tx: &mut Tx, exchange: &Exchange) -> Result<Exchanged> {
    let mut done = Exchanged::default();
    let mut history = History::new(exchange.now);
    report(tx, exchange, &mut history, &mut done).await?;
    if exchange.want > 0 {
        claim(tx, exchange, &mut history, &mut done).await?;
    }
    // nobody else has to hear of what the worker took itself
    history.ready.retain(|id| !done.claims.iter().any(|claim| claim.task_run == *id));
    history.write(tx).await?;
    Ok(done)
}

async fn report(tx: &mut Tx, exchange: &Exchange, history: &mut History, done: &mut Exchanged) -> Result<()> {
    let mut updates: BTreeMap<TaskRunId, Vec<&Update>> = BTreeMap::new();
    for update in &exchange.updates {
        updates.entry(update.task_run).or_default().push(update);
    }
    if updates.is_empty() {
        return Ok(());
    }
    let ids: Vec<Value> = updates.keys().map(|id| (*id).into()).collect();
    let lock = tx.lock("t");
    let sql = format!(
        "SELECT {COLUMNS} FROM task_runs t JOIN runs r ON r.id = t.run WHERE t.id IN {} ORDER BY t.run, t.task, t.item{lock}",
        list(ids.len(), 1)
    );
    let mut ended: BTreeMap<RunId, Vec<TaskRow>> = BTreeMap::new();
    for mut row in tx.rows(&sql, &ids).await? {
        let mut row = TaskRow::read(&mut row)?;
        let Some(updates) = updates.remove(&row.id) else { continue };
        // a report that comes again, because the answer to it was lost, ends nothing a second time
        let had_ended = row.state.is_terminal();
        for update in updates {
            if row.epoch == update.epoch && row.state.is_held() {
                follow(tx, history, &mut row, update).await?;
            } else {
                done.fenced.push(row.id);
                break;
            }
        }
        if row.state.is_terminal() && !had_ended {
            ended.entry(row.run).or_default().push(row);
        }
    }
    // those of runs that have been removed
    done.fenced.extend(updates.into_keys());
    for (_, rows) in ended {
        settle(tx, history, rows).await?;
    }
    Ok(())
}

/// Takes a task run through the events of an update.
async fn follow(tx: &mut Tx, history: &mut History, row: &mut TaskRow, update: &Update) -> Result<()> {
    let graph = graph(tx, row.document).await?;
    let Some(node) = graph.nodes.get(row.task) else { return Ok(()) };
    let traces = Traces {
        outputs: update.outputs.clone(),
        error: update.error.clone(),
        memo: update.memo.clone(),
        wake_on: update.wake_on.clone(),
    };
    apply(tx, history, row, node, &update.events, &traces).await?;
    match row.state {
        State::Waiting { until: None } => split(tx, history, row, &graph, &update.items).await?,
        State::Waiting { .. } if has_ended(tx, update).await? => {
            apply(tx, history, row, node, &[Event::RetryDue], &Traces::default()).await?;
            history.ready.push(row.id);
        }
        State::Waiting { .. } => tx.signal(Signal::Due),
        _ => {}
    }
    if row.state == State::Succeeded {
        for dataset in &update.datasets {
            crate::datasets::updated(tx, dataset, row.run, history.now).await?;
            trigger(tx, history, "dataset", dataset, &format!("task_run:{}", row.id)).await?;
        }
    }
    Ok(())
}

/// Whether the run that a task run is going to wait for has ended already. Its row is locked, so that it cannot end between
/// this look and the beginning of the wait.
async fn has_ended(tx: &mut Tx, update: &Update) -> Result<bool> {
    let run = update.wake_on.as_deref().and_then(|what| what.strip_prefix("run:")?.parse::<i64>().ok());
    let Some(run) = run else { return Ok(false) };
    let lock = tx.lock("r");
    let row = tx.row(&format!("SELECT r.ended_at FROM runs r WHERE r.id = $1{lock}"), &[run.into()]).await?;
    row.map_or(Ok(false), |mut row| Ok(row.time_or_null()?.is_some()))
}
