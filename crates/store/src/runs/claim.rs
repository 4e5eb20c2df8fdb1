//! Task runs for a worker: those that may go, by priority, as far as its labels and the slots of pools allow.

use std::collections::{BTreeMap, BTreeSet};

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::id::{RunId, TaskRunId, WorkerId};
use levada_core::run::{Event, Policy, RunState, advance};
use levada_core::time::Timestamp;

use super::OWN_RUN;
use super::change::{COLUMNS, History, TaskRow};
use super::create::graph;
use super::exchange::{Exchange, Exchanged};
use crate::db::{Ask, Row, Tx, Value, list};

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
    /// Attempts that have failed.
    pub failed: u32,
    /// The item, if the task was split, JSON.
    pub item: Option<String>,
    /// The item's place among all, from 0.
    pub item_index: Option<i64>,
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
/// Most task runs that a worker claims at once.
const CLAIMS_MAX: usize = 256;
/// Most task runs that are looked at at once.
const LOOK_MAX: usize = 1_024;

/// Gives workers task runs. One that is taken for dead gets none, and is told.
pub(super) async fn claim(
    tx: &mut Tx,
    exchanges: &[Exchange],
    history: &mut History,
    done: &mut [Exchanged],
) -> Result<()> {
    // those who may take the same are served with one look
    let mut groups: BTreeMap<(Option<WorkerId>, &[String]), Vec<Taker<'_>>> = BTreeMap::new();
    for (exchange, done) in exchanges.iter().zip(done).filter(|(exchange, _)| exchange.want > 0) {
        let own = exchange.own.then_some(exchange.worker);
        let taker = Taker { worker: exchange.worker, left: exchange.want.min(CLAIMS_MAX), done };
        groups.entry((own, &exchange.labels)).or_default().push(taker);
    }
    for ((own, labels), takers) in groups {
        serve(tx, history, &Reach::new(own, labels)?, takers).await?;
    }
    Ok(())
}

/// A worker that wants task runs.
struct Taker<'a> {
    worker: WorkerId,
    left: usize,
    done: &'a mut Exchanged,
}

/// Which task runs a worker may take.
enum Reach {
    /// Those of the runs that it made.
    Own(WorkerId),
    /// Those that ask for one of these sets of labels.
    Labels(Vec<String>),
}

impl Reach {
    fn new(own: Option<WorkerId>, labels: &[String]) -> Result<Self> {
        own.map_or_else(|| label_sets(labels).map(Self::Labels), |worker| Ok(Self::Own(worker)))
    }
}

async fn serve(tx: &mut Tx, history: &mut History, reach: &Reach, mut takers: Vec<Taker<'_>>) -> Result<()> {
    let mut full: Vec<String> = Vec::new();
    loop {
        let limit = takers.iter().map(|taker| taker.left).sum::<usize>().min(LOOK_MAX);
        let asks = [alive(tx, &takers), candidates(tx, reach, limit, &full)];
        let mut answers = tx.all(&asks).await?.into_iter();
        let alive = answers.next().unwrap_or_default();
        let alive = alive.into_iter().map(|mut row| row.int().map(WorkerId)).collect::<Result<BTreeSet<_>>>()?;
        let (gone, here): (Vec<_>, Vec<_>) = takers.into_iter().partition(|taker| !alive.contains(&taker.worker));
        gone.into_iter().for_each(|taker| taker.done.is_gone = true);
        takers = here;
        let rows = answers.next().unwrap_or_default();
        let (found, before) = (rows.len(), full.len());
        let mut candidates = Vec::with_capacity(found);
        for row in rows {
            candidates.push(Candidate::read(tx, row).await?);
        }
        let within = within_pools(tx, candidates, &mut full).await?;
        take(tx, history, &mut takers, within).await?;
        takers.retain(|taker| taker.left > 0);
        // another look is worth it only where pools without a free slot hid what stands behind them
        if found < limit || full.len() == before || takers.is_empty() {
            return Ok(());
        }
    }
}

/// Those of the workers who are not taken for dead. Their rows stay locked, so that nobody takes them for dead before the
/// claims are there to be seen.
fn alive(tx: &Tx, takers: &[Taker<'_>]) -> Ask {
    let mut values = Vec::new();
    let those = tx.among("w.id", &mut values, takers.iter().map(|taker| taker.worker));
    let lock = tx.lock_shared("w");
    Ask::new(format!("SELECT w.id FROM workers w WHERE {those} AND w.state <> 'gone' ORDER BY w.id{lock}"), values)
}

/// A claimable task run, and the slots it needs.
struct Candidate {
    row: TaskRow,
    pool: Option<(String, i64)>,
    /// Whether it is the first of its run.
    starts: bool,
    claim: Claim,
}

fn candidates(tx: &Tx, reach: &Reach, limit: usize, full: &[String]) -> Ask {
    let mut values: Vec<Value> = vec![limit.into()];
    let place = match reach {
        Reach::Own(worker) => {
            values.push((*worker).into());
            format!("r.owner = $2 AND t.runs_on = '{OWN_RUN}'")
        }
        Reach::Labels(sets) => {
            let place = format!("t.runs_on IN {}", list(sets.len(), 2));
            values.extend(sets.iter().map(|set| set.as_str().into()));
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
         r.schedule, r.fire_time, r.created_at, r.state FROM task_runs t JOIN runs r ON r.id = t.run \
         WHERE t.state = 'queued' AND t.blockers = 0 AND {place}{pools} ORDER BY t.priority DESC, t.id LIMIT $1{lock}"
    );
    Ask::new(sql, values)
}

impl Candidate {
    async fn read(tx: &mut Tx, mut columns: Row) -> Result<Self> {
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
            failed: row.failed,
            item_index: (row.item >= 0).then_some(row.item),
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
        let starts = columns.text()? == RunState::Queued.name();
        Ok(Self { row, pool: pool.map(|pool| (pool, slots)), starts, claim })
    }
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
    let mut asks = Vec::new();
    // the lock first: what was counted while waiting for it may be old
    if !lock.is_empty() {
        asks.push(Ask::new(format!("SELECT p.name FROM pools p ORDER BY p.name{lock}"), []));
    }
    asks.push(Ask::new(sql, []));
    let mut free: BTreeMap<String, i64> = BTreeMap::new();
    for mut row in tx.all(&asks).await?.pop().unwrap_or_default() {
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

/// Makes candidates the workers' own, as many as each wants.
async fn take(tx: &mut Tx, history: &mut History, takers: &mut [Taker<'_>], candidates: Vec<Candidate>) -> Result<()> {
    let mut candidates = candidates.into_iter();
    let mut started: BTreeSet<RunId> = BTreeSet::new();
    for taker in takers {
        let taken: Vec<Candidate> = candidates.by_ref().take(taker.left).collect();
        if taken.is_empty() {
            break;
        }
        taker.left -= taken.len();
        let mut values: Vec<Value> = vec![taker.worker.into(), history.now.into()];
        let those = tx.among("id", &mut values, taken.iter().map(|candidate| candidate.row.id));
        // who has a memo goes on with what began when it was first claimed
        let sql = format!(
            "UPDATE task_runs SET state = 'starting', version = version + 1, epoch = epoch + 1, attempt = attempt + 1, \
             worker = $1, started_at = COALESCE(CASE WHEN memo IS NOT NULL THEN started_at END, $2), wake_on = NULL \
             WHERE state = 'queued' AND {those}"
        );
        tx.later_exactly(taken.len(), &sql, &values).await?;
        for mut candidate in taken {
            candidate.row.state = advance(candidate.row.state, Event::Claimed, history.now, &Policy::default())
                .map_err(|illegal| Error::new(ErrorKind::Internal, illegal.to_string()))?;
            candidate.row.attempt += 1;
            history.add(&candidate.row, Event::Claimed, None);
            started.extend(candidate.starts.then_some(candidate.row.run));
            taker.done.claims.push(candidate.claim);
        }
    }
    if !started.is_empty() {
        let mut values: Vec<Value> = vec![history.now.into()];
        let those = tx.among("id", &mut values, started);
        let sql = format!("UPDATE runs SET state = 'running', started_at = $1 WHERE state = 'queued' AND {those}");
        tx.runs.started += tx.execute(&sql, &values).await?;
    }
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
