//! Task runs for a worker: those that may go, by priority, as far as its labels and the slots of pools allow.

use std::collections::BTreeMap;

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::id::{RunId, TaskRunId};
use levada_core::run::{Event, Policy, RunState, advance};
use levada_core::time::Timestamp;

use super::OWN_RUN;
use super::change::{COLUMNS, History, TaskRow};
use super::create::graph;
use super::exchange::{Exchange, Exchanged};
use crate::db::{Dialect, Tx, Value, list};

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
/// Most task runs claimed at once.
const CLAIMS_MAX: usize = 256;

/// Gives a worker task runs. One that is taken for dead gets none.
pub(super) async fn claim(tx: &mut Tx, exchange: &Exchange, history: &mut History, done: &mut Exchanged) -> Result<()> {
    let mut full: Vec<String> = Vec::new();
    let want = exchange.want.min(CLAIMS_MAX);
    while done.claims.len() < want {
        let (rows, more) = candidates(tx, exchange, want - done.claims.len(), &full).await?;
        let before = full.len();
        let rows = within_pools(tx, rows, &mut full).await?;
        if !take(tx, exchange, history, rows, &mut done.claims).await? {
            done.is_gone = true;
            return Ok(());
        }
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
    /// Whether it is the first of its run.
    starts: bool,
    claim: Claim,
}

async fn candidates(tx: &mut Tx, exchange: &Exchange, limit: usize, full: &[String]) -> Result<(Vec<Candidate>, bool)> {
    let mut values: Vec<Value> = vec![limit.into()];
    let place = if exchange.own {
        values.push(exchange.worker.into());
        format!("r.owner = $2 AND t.runs_on = '{OWN_RUN}'")
    } else {
        let sets = label_sets(&exchange.labels)?;
        let place = format!("t.runs_on IN {}", list(sets.len(), 2));
        values.extend(sets.into_iter().map(Value::from));
        place
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
        found.push(Candidate { row, pool: pool.map(|pool| (pool, slots)), starts, claim });
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

/// Makes candidates the worker's own, unless it is taken for dead: then it is told so. Its row stays locked, so that nobody
/// takes it for dead before the claims are there to be seen.
async fn take(
    tx: &mut Tx,
    exchange: &Exchange,
    history: &mut History,
    candidates: Vec<Candidate>,
    claims: &mut Vec<Claim>,
) -> Result<bool> {
    if candidates.is_empty() {
        return Ok(true);
    }
    let mut values: Vec<Value> = vec![exchange.worker.into(), exchange.now.into()];
    values.extend(candidates.iter().map(|candidate| Value::from(candidate.row.id)));
    let share = match tx.dialect() {
        Dialect::Sqlite => "",
        Dialect::Postgres => " FOR SHARE",
    };
    let sql = format!(
        "UPDATE task_runs SET state = 'starting', version = version + 1, epoch = epoch + 1, attempt = attempt + 1, \
         worker = $1, started_at = $2, wake_on = NULL WHERE state = 'queued' AND id IN {} \
         AND EXISTS (SELECT 1 FROM workers WHERE id = $1 AND state <> 'gone'{share})",
        list(candidates.len(), 3)
    );
    let taken = tx.execute(&sql, &values).await?;
    if taken == 0 {
        return Ok(false);
    }
    if taken != candidates.len() as u64 {
        return Err(Error::new(ErrorKind::Busy, "task runs were claimed by somebody else"));
    }
    let mut started: Vec<Value> = vec![exchange.now.into()];
    for mut candidate in candidates {
        candidate.row.state = advance(candidate.row.state, Event::Claimed, exchange.now, &Policy::default())
            .map_err(|illegal| Error::new(ErrorKind::Internal, illegal.to_string()))?;
        candidate.row.attempt += 1;
        history.add(&candidate.row, Event::Claimed, None);
        if candidate.starts {
            started.push(candidate.row.run.into());
        }
        claims.push(candidate.claim);
    }
    if started.len() > 1 {
        let sql = format!(
            "UPDATE runs SET state = 'running', started_at = $1 WHERE state = 'queued' AND id IN {}",
            list(started.len() - 1, 2)
        );
        tx.runs.started += tx.execute(&sql, &started).await?;
    }
    Ok(true)
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
