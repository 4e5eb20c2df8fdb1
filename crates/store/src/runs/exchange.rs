//! The trade between a worker and the store, in one transaction: what became of its task runs, for new ones. A chain of
//! tasks therefore costs one durable commit for each of them.

use std::collections::BTreeMap;

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::id::{RunId, TaskRunId, WorkerId};
use levada_core::run::{Event, State, advance};
use levada_core::time::Timestamp;

use super::OWN_RUN;
use super::change::{COLUMNS, History, TaskRow, Traces, apply};
use super::create::{graph, insert, priority, runs_on};
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

/// A claimed task run.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Which.
    pub task_run: TaskRunId,
    /// Of which run.
    pub run: RunId,
    /// The worker's right to report on it.
    pub epoch: i64,
    /// How often it has been claimed, this time included.
    pub attempt: u32,
    /// The pipeline.
    pub pipeline: String,
    /// The version of the pipeline's document.
    pub document: i64,
    /// The version of the project's document.
    pub project: Option<i64>,
    /// The task.
    pub task: String,
    /// The item, if the task was split, JSON.
    pub item: Option<String>,
    /// Whether it is the part of a split task that finds the items.
    pub is_split: bool,
    /// What it wanted to know this time, JSON.
    pub memo: Option<String>,
    /// The parameters of the run, a JSON object.
    pub params: String,
    /// What the caller of the run asked for, JSON.
    pub options: Option<String>,
    /// The schedule that fired.
    pub schedule: Option<String>,
    /// The instant for which it fired.
    pub fire_time: Option<Timestamp>,
    /// When the run was made.
    pub created_at: Timestamp,
}

/// Most labels of a worker: each set of them is looked up by its name.
pub const LABELS_MAX: usize = 8;
/// Most task runs claimed at once.
const CLAIMS_MAX: usize = 256;

/// Carries out a trade.
pub(crate) async fn exchange(tx: &mut Tx, exchange: &Exchange) -> Result<Exchanged> {
    let mut done = Exchanged::default();
    let mut history = History::new(exchange.now);
    report(tx, exchange, &mut history, &mut done).await?;
    if exchange.want > 0 {
        let alive = "SELECT id FROM workers WHERE id = $1 AND state <> 'gone'";
        if tx.row(alive, &[exchange.worker.into()]).await?.is_some() {
            claim(tx, exchange, &mut history, &mut done).await?;
        } else {
            done.is_gone = true;
        }
    }
    history.write(tx).await?;
    Ok(done)
}

async fn report(tx: &mut Tx, exchange: &Exchange, history: &mut History, done: &mut Exchanged) -> Result<()> {
    let ids: Vec<Value> = exchange.updates.iter().map(|update| update.task_run.into()).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let lock = tx.lock("t");
    let sql = format!(
        "SELECT {COLUMNS} FROM task_runs t JOIN runs r ON r.id = t.run WHERE t.id IN {} ORDER BY t.run, t.task, t.item{lock}",
        list(ids.len(), 1)
    );
    let rows = tx.rows(&sql, &ids).await?;
    let mut ended: BTreeMap<RunId, Vec<TaskRow>> = BTreeMap::new();
    for mut row in rows {
        let mut row = TaskRow::read(&mut row)?;
        let Some(update) = exchange.updates.iter().find(|update| update.task_run == row.id) else { continue };
        if row.epoch != update.epoch || !row.state.is_held() {
            done.fenced.push(row.id);
            continue;
        }
        follow(tx, history, &mut row, update).await?;
        if row.state.is_terminal() {
            ended.entry(row.run).or_default().push(row);
        }
    }
    for (_, rows) in ended {
        settle(tx, history, rows).await?;
    }
    Ok(())
}

/// Takes a task run through the events of an update.
async fn follow(tx: &mut Tx, history: &mut History, row: &mut TaskRow, update: &Update) -> Result<()> {
    let graph = graph(tx, row.document).await?;
    let Some(node) = graph.nodes.get(row.task) else { return Ok(()) };
    let last = update.events.len().saturating_sub(1);
    for (index, event) in update.events.iter().enumerate() {
        let traces = if index == last {
            Traces {
                outputs: update.outputs.clone(),
                error: update.error.clone(),
                memo: update.memo.clone(),
                wake_on: update.wake_on.clone(),
            }
        } else {
            Traces::default()
        };
        // an event that the state does not take was overtaken by another, for instance by a request to stop
        apply(tx, history, row, node, *event, &traces).await?;
    }
    match row.state {
        State::Waiting { until: None } => add_items(tx, row, &graph, &update.items).await?,
        State::Waiting { until: Some(_) } => tx.signal(Signal::Due),
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

/// The items of a split task, as task runs of their own.
async fn add_items(tx: &mut Tx, row: &TaskRow, graph: &levada_core::run::Graph, items: &[String]) -> Result<()> {
    let Some((node, fan_out)) = graph.nodes.get(row.task).and_then(|node| Some((node, node.fan_out?))) else {
        return Ok(());
    };
    let own = tx.row("SELECT runs_on FROM task_runs WHERE id = $1", &[row.id.into()]).await?;
    let own = match own {
        Some(mut row) => row.text()? == OWN_RUN,
        None => false,
    };
    let at_once = fan_out.concurrency.map_or(usize::MAX, |limit| limit as usize);
    let (pool, slots) = node.pool.clone().map_or((None, 0), |(pool, slots)| (Some(pool), slots));
    let mut values: Vec<Value> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        values.extend([
            row.run.into(),
            row.task.into(),
            node.name.as_str().into(),
            index.into(),
            item.as_str().into(),
            State::Queued.name().into(),
            usize::from(index >= at_once).into(),
            priority(graph, node).into(),
            pool.clone().into(),
            slots.into(),
            runs_on(node, own).into(),
            Value::Null,
        ]);
    }
    tx.signal(Signal::Work);
    insert(tx, &values).await
}

async fn claim(tx: &mut Tx, exchange: &Exchange, history: &mut History, done: &mut Exchanged) -> Result<()> {
    let mut full: Vec<String> = Vec::new();
    let want = exchange.want.min(CLAIMS_MAX);
    while done.claims.len() < want {
        let (rows, more) = candidates(tx, exchange, want - done.claims.len(), &full).await?;
        let before = full.len();
        let rows = within_pools(tx, rows, &mut full).await?;
        take(tx, exchange, history, rows, &mut done.claims).await?;
        // another look is worth it only where pools without a free slot hid what stands behind them
        if !more || full.len() == before {
            break;
        }
    }
    Ok(())
}

/// A claimable task run, and the slots it needs.
struct Candidate {
    row: TaskRow,
    pool: Option<(String, i64)>,
    claim: Claim,
}

async fn candidates(tx: &mut Tx, exchange: &Exchange, limit: usize, full: &[String]) -> Result<(Vec<Candidate>, bool)> {
    let mut values: Vec<Value> = vec![limit.into()];
    let place = match exchange.own {
        true => {
            values.push(exchange.worker.into());
            format!("r.owner = $2 AND t.runs_on = '{OWN_RUN}'")
        }
        false => {
            let sets = label_sets(&exchange.labels)?;
            let place = format!("t.runs_on IN {}", list(sets.len(), 2));
            values.extend(sets.into_iter().map(Value::from));
            place
        }
    };
    let pools = if full.is_empty() {
        String::new()
    } else {
        let excluded = list(full.len(), values.len() + 1);
        values.extend(full.iter().map(|pool| pool.as_str().into()));
        format!(" AND (t.pool IS NULL OR t.pool NOT IN {excluded})")
    };
    let lock = tx.lock_free("t");
    let sql = format!(
        "SELECT {COLUMNS}, t.pool, t.slots, r.pipeline, r.project, t.name, t.item_value, t.memo, r.params, r.options, \
         r.schedule, r.fire_time, r.created_at FROM task_runs t JOIN runs r ON r.id = t.run \
         WHERE t.state = 'queued' AND t.blockers = 0 AND {place}{pools} ORDER BY t.priority DESC, t.id LIMIT $1{lock}"
    );
    let rows = tx.rows(&sql, &values).await?;
    let more = rows.len() == limit;
    let mut found = Vec::with_capacity(rows.len());
    for mut columns in rows {
        let row = TaskRow::read(&mut columns)?;
        let graph = graph(tx, row.document).await?;
        let node = graph.nodes.get(row.task);
        let pool = columns.text_or_null()?;
        let slots = columns.int()?;
        let claim = Claim {
            task_run: row.id,
            run: row.run,
            epoch: row.epoch + 1,
            attempt: row.attempt + 1,
            document: row.document,
            pipeline: columns.text()?,
            project: columns.int_or_null()?,
            task: columns.text()?,
            item: columns.text_or_null()?,
            is_split: row.item < 0 && node.is_some_and(|node| node.fan_out.is_some()),
            memo: columns.text_or_null()?,
            params: columns.text()?,
            options: columns.text_or_null()?,
            schedule: columns.text_or_null()?,
            fire_time: columns.time_or_null()?,
            created_at: columns.time()?,
        };
        found.push(Candidate { row, pool: pool.map(|pool| (pool, slots)), claim });
    }
    Ok((found, more))
}

/// The candidates for which their pools have slots. Pools that turned out too full are added to `full`. The pools' rows
/// stay locked, so that no other process gives away the same slots.
async fn within_pools(tx: &mut Tx, candidates: Vec<Candidate>, full: &mut Vec<String>) -> Result<Vec<Candidate>> {
    if candidates.iter().all(|candidate| candidate.pool.is_none()) {
        return Ok(candidates);
    }
    let lock = tx.lock("p");
    let sql = format!(
        "SELECT p.name, p.slots - CAST(COALESCE((SELECT SUM(t.slots) FROM task_runs t WHERE t.pool = p.name \
         AND t.state IN ('starting', 'running', 'stopping')), 0) AS BIGINT) FROM pools p ORDER BY p.name{lock}"
    );
    // the lock first: what was counted while waiting for it may be old
    if !lock.is_empty() {
        tx.rows(&format!("SELECT p.name FROM pools p ORDER BY p.name{lock}"), &[]).await?;
    }
    let mut free: BTreeMap<String, i64> = BTreeMap::new();
    for mut row in tx.rows(&sql, &[]).await? {
        free.insert(row.text()?, row.int()?);
    }
    let mut within = Vec::new();
    for candidate in candidates {
        let fits = match &candidate.pool {
            None => true,
            Some((pool, _)) if full.contains(pool) => false,
            Some((pool, slots)) => {
                let left = free.entry(pool.clone()).or_default();
                let fits = *left >= *slots;
                if fits {
                    *left -= slots;
                } else {
                    full.push(pool.clone());
                }
                fits
            }
        };
        if fits {
            within.push(candidate);
        }
    }
    Ok(within)
}

/// Makes candidates the worker's own.
async fn take(
    tx: &mut Tx,
    exchange: &Exchange,
    history: &mut History,
    candidates: Vec<Candidate>,
    claims: &mut Vec<Claim>,
) -> Result<()> {
    if candidates.is_empty() {
        return Ok(());
    }
    let mut ids: Vec<Value> = vec![exchange.worker.into(), exchange.now.into()];
    let mut runs: Vec<Value> = Vec::new();
    for mut candidate in candidates {
        let policy_free = levada_core::run::Policy::default();
        let next = advance(candidate.row.state, Event::Claimed, exchange.now, &policy_free)
            .map_err(|illegal| Error::new(ErrorKind::Internal, illegal.to_string()))?;
        candidate.row.state = next;
        candidate.row.attempt += 1;
        history.add(&candidate.row, Event::Claimed, None);
        ids.push(candidate.row.id.into());
        let run: Value = candidate.row.run.into();
        if !runs.contains(&run) {
            runs.push(run);
        }
        claims.push(candidate.claim);
    }
    let sql = format!(
        "UPDATE task_runs SET state = 'starting', version = version + 1, epoch = epoch + 1, attempt = attempt + 1, \
         worker = $1, started_at = $2, wake_on = NULL WHERE state = 'queued' AND id IN {}",
        list(ids.len() - 2, 3)
    );
    let taken = tx.execute(&sql, &ids).await?;
    if taken != (ids.len() - 2) as u64 {
        return Err(Error::new(ErrorKind::Busy, "task runs were claimed by somebody else"));
    }
    let sql = format!(
        "UPDATE runs SET state = 'running', started_at = $1 WHERE state = 'queued' AND id IN {}",
        list(runs.len(), 2)
    );
    runs.insert(0, exchange.now.into());
    tx.execute(&sql, &runs).await?;
    Ok(())
}

/// Every set of labels that a worker can serve, as task runs name theirs: in order, parted by commas.
fn label_sets(labels: &[String]) -> Result<Vec<String>> {
    let mut labels = labels.to_vec();
    labels.sort();
    labels.dedup();
    if labels.len() > LABELS_MAX {
        return Err(Error::new(ErrorKind::Config, format!("a worker has at most {LABELS_MAX} labels")));
    }
    let chosen = |set: usize| {
        let words =
            labels.iter().enumerate().filter(|(index, _)| set >> index & 1 == 1).map(|(_, label)| label.as_str());
        words.collect::<Vec<_>>().join(",")
    };
    Ok((0..1 << labels.len()).map(chosen).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_set_of_labels_is_served() {
        let sets = label_sets(&["gpu".to_owned(), "big".to_owned()]).unwrap();
        assert_eq!(sets, ["", "big", "gpu", "big,gpu"]);
        assert!(label_sets(&(0..9).map(|n| n.to_string()).collect::<Vec<_>>()).is_err());
    }
}
