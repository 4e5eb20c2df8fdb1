//! The trade between a worker and the store, in one transaction: what became of its task runs, for new ones. A chain of
//! tasks therefore costs one durable commit for each of them.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use levada_core::dataset::Load;
use levada_core::error::Result;
use levada_core::id::{TaskRunId, WorkerId};
use levada_core::quality::TestResult;
use levada_core::run::{Event, State};
use levada_core::time::Timestamp;

use super::change::{COLUMNS, History, TaskRow, Traces, apply};
use super::claim::{Claim, claim};
use super::create::graph;
use super::end::trigger;
use super::items::split;
use super::settle::settle;
use crate::catalogue;
use crate::db::{Signal, Tx};
use crate::progress::{self, Volume};

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
    /// The datasets that it loaded, for those who wait for them.
    pub datasets: Vec<String>,
    /// What it loaded from where, for the catalogue; of one that failed, what was done before.
    pub loads: Vec<Load>,
    /// What its tests found.
    pub tests: Vec<TestResult>,
    /// What it moved.
    pub volume: Volume,
    /// Whether it was told how far it is, which nobody needs to know any more.
    pub has_progress: bool,
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
            loads: Vec::new(),
            tests: Vec::new(),
            volume: Volume::default(),
            has_progress: false,
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

/// Carries out the trades of all who ask at once: each step is one for all of them.
pub(crate) async fn exchange(tx: &mut Tx, exchanges: &[Exchange]) -> Result<Vec<Exchanged>> {
    let mut done = vec![Exchanged::default(); exchanges.len()];
    let Some(now) = exchanges.iter().map(|exchange| exchange.now).max() else { return Ok(done) };
    let mut history = History::new(now);
    report(tx, exchanges, &mut history, &mut done).await?;
    history.flush(tx).await?;
    claim(tx, exchanges, &mut history, &mut done).await?;
    // nobody else has to hear of what the workers took themselves
    let taken: HashSet<TaskRunId> = done.iter().flat_map(|done| &done.claims).map(|claim| claim.task_run).collect();
    history.ready.retain(|id| !taken.contains(id));
    history.write(tx).await?;
    Ok(done)
}

async fn report(tx: &mut Tx, exchanges: &[Exchange], history: &mut History, done: &mut [Exchanged]) -> Result<()> {
    // of each task run, what its worker says of it; a worker that it was taken from may still speak as well
    let mut updates: BTreeMap<TaskRunId, Vec<(usize, &Update)>> = BTreeMap::new();
    for (who, exchange) in exchanges.iter().enumerate() {
        exchange.updates.iter().for_each(|update| updates.entry(update.task_run).or_default().push((who, update)));
    }
    if updates.is_empty() {
        return Ok(());
    }
    let mut values = Vec::new();
    let those = tx.among("t.id", &mut values, updates.keys().copied());
    let lock = tx.lock("t");
    let sql = format!(
        "SELECT {COLUMNS} FROM task_runs t JOIN runs r ON r.id = t.run WHERE {those} ORDER BY t.run, t.task, t.item{lock}"
    );
    let (mut ended, mut loaded, mut tested) = (Vec::new(), Vec::new(), Vec::new());
    for mut row in tx.rows(&sql, &values).await? {
        let mut row = TaskRow::read(&mut row)?;
        let Some(updates) = updates.remove(&row.id) else { continue };
        // a report that comes again, because the answer to it was lost, ends nothing a second time
        let had_ended = row.state.is_terminal();
        for (who, update) in updates {
            let Some(done) = done.get_mut(who).filter(|done| !done.fenced.contains(&row.id)) else { continue };
            if row.epoch == update.epoch && row.state.is_held() {
                let (loads, tests) = follow(tx, history, &mut row, update).await?;
                loaded.extend(loads);
                tested.extend(tests);
                if let (State::Succeeded, Some(exchange)) = (row.state, exchanges.get(who)) {
                    progress::moved(tx, exchange.worker, update.volume, history.now).await?;
                }
            } else {
                done.fenced.push(row.id);
            }
        }
        if row.state.is_terminal() && !had_ended {
            ended.push(row);
        }
    }
    // those of runs that have been removed
    for (id, updates) in updates {
        let others: BTreeSet<usize> = updates.iter().map(|(who, _)| *who).collect();
        for who in others {
            done.get_mut(who).into_iter().for_each(|done| done.fenced.push(id));
        }
    }
    settle(tx, history, ended).await?;
    // last: whoever waits for a dataset holds no pipeline that another waits for with the dataset in hand
    catalogue::record(tx, history.now, &loaded, &tested).await
}

/// Takes a task run through the events of an update. Gives what it loaded, and what its tests found.
async fn follow<'a>(
    tx: &mut Tx,
    history: &mut History,
    row: &mut TaskRow,
    update: &'a Update,
) -> Result<(Vec<catalogue::Done<'a>>, Vec<catalogue::Tested<'a>>)> {
    let graph = graph(tx, row.document).await?;
    let Some(node) = graph.nodes.get(row.task) else { return Ok((Vec::new(), Vec::new())) };
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
    if update.has_progress && !row.state.is_held() {
        progress::end(tx, row.id).await?;
    }
    if row.state == State::Succeeded {
        for dataset in &update.datasets {
            trigger(tx, history, "dataset", dataset, &format!("task_run:{}", row.id)).await?;
        }
    }
    let names = if row.state == State::Succeeded { update.datasets.as_slice() } else { &[] };
    let done = |load| catalogue::Done { run: row.run, task: node.name.clone(), load };
    let tested = |result| catalogue::Tested { run: row.run, task_run: row.id, task: node.name.clone(), result };
    let loads = catalogue::loads(&update.loads, names).into_iter().map(done).collect();
    Ok((loads, update.tests.iter().map(tested).collect()))
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
