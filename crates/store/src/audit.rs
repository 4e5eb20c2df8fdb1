//! Counts everything from scratch that the store keeps count of, and says where the two differ. Nothing should ever be
//! found; tests and people in doubt look.

use std::collections::BTreeMap;

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::run::{Graph, RunState, State, Tally};

use crate::Store;
use crate::db::Tx;

impl Store {
    /// What is not as it should be, a line each. Reads every run that has not ended.
    pub async fn audit(&self) -> Result<Vec<String>> {
        let audit = async move |tx: &mut Tx| {
            let mut found = Vec::new();
            let sql = "SELECT r.id, r.state, r.admitted, r.open, d.graph FROM runs r JOIN documents d ON d.id = r.document \
                       WHERE r.ended_at IS NULL ORDER BY r.id";
            for mut row in tx.rows(sql, &[]).await? {
                let run = Run {
                    id: row.int()?,
                    state: row.text()?,
                    admitted: row.flag()?,
                    open: row.int()?,
                    graph: serde_json::from_str(&row.text()?)
                        .map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?,
                };
                check_run(tx, &run, &mut found).await?;
            }
            check_ended(tx, &mut found).await?;
            check_pools(tx, &mut found).await?;
            Ok(found)
        };
        self.db.read(audit).await
    }
}

struct Run {
    id: i64,
    state: String,
    admitted: bool,
    open: i64,
    graph: Graph,
}

struct Task {
    state: State,
    blockers: i64,
}

async fn check_run(tx: &mut Tx, run: &Run, found: &mut Vec<String>) -> Result<()> {
    let mut tasks: BTreeMap<usize, Task> = BTreeMap::new();
    let mut items: BTreeMap<usize, Vec<Task>> = BTreeMap::new();
    let sql = "SELECT task, item, state, wake_at, blockers FROM task_runs WHERE run = $1 ORDER BY task, item";
    for mut row in tx.rows(sql, &[run.id.into()]).await? {
        let (task, item) = (usize::try_from(row.count()?).unwrap_or(usize::MAX), row.int()?);
        let (name, until) = (row.text()?, row.time_or_null()?);
        let Some(state) = State::from_name(&name, until) else { continue };
        let row = Task { state, blockers: row.int()? };
        if item < 0 {
            tasks.insert(task, row);
        } else {
            items.entry(task).or_default().push(row);
        }
    }
    let open = tasks.values().filter(|task| !task.state.is_terminal()).count() as i64;
    if open != run.open || open == 0 {
        found.push(format!("run {}: {open} tasks are open, counted {}", run.id, run.open));
    }
    let tally: Tally = tasks.values().map(|task| task.state).collect();
    // a run that has begun is running even where its tasks are queued again
    if tally.run_state() == RunState::Running && run.state != "running" {
        let has_begun = tasks.values().any(|task| task.state.is_held());
        found.extend(has_begun.then(|| format!("run {} is {} and its tasks are at work", run.id, run.state)));
    }
    for (index, task) in tasks.iter().filter(|(_, task)| task.state == State::Queued) {
        let before = run.graph.nodes.get(*index).map(|node| node.after.as_slice()).unwrap_or_default();
        let open = before.iter().filter_map(|task| tasks.get(task)).filter(|task| !task.state.is_terminal()).count();
        let wanted = open as i64 + i64::from(!run.admitted);
        if wanted != task.blockers {
            found.push(format!("run {}, task {index}: waits for {wanted}, counted {}", run.id, task.blockers));
        }
    }
    for (index, items) in items {
        let open = items.iter().filter(|item| !item.state.is_terminal()).count() as i64;
        let Some(task) = tasks.get(&index) else { continue };
        let waits = task.state == State::Waiting { until: None };
        if (open > 0) != waits || (waits && task.blockers != open) {
            let name = task.state.name();
            found.push(format!("run {}, task {index} is {name} with {open} items, counted {}", run.id, task.blockers));
        }
    }
    Ok(())
}

/// Nothing of a run that has ended is open; whoever holds a task run lives.
async fn check_ended(tx: &mut Tx, found: &mut Vec<String>) -> Result<()> {
    let sql = "SELECT t.run, t.name, t.state FROM task_runs t JOIN runs r ON r.id = t.run WHERE r.ended_at IS NOT NULL \
               AND t.state IN ('queued', 'starting', 'running', 'stopping', 'waiting')";
    for mut row in tx.rows(sql, &[]).await? {
        found.push(format!("run {} has ended, and its task {} is {}", row.int()?, row.text()?, row.text()?));
    }
    let sql = "SELECT t.run, t.name FROM task_runs t LEFT JOIN workers w ON w.id = t.worker AND w.state <> 'gone' \
               WHERE t.state IN ('starting', 'running', 'stopping') AND w.id IS NULL";
    for mut row in tx.rows(sql, &[]).await? {
        found.push(format!("run {}: task {} is held by nobody who lives", row.int()?, row.text()?));
    }
    Ok(())
}

async fn check_pools(tx: &mut Tx, found: &mut Vec<String>) -> Result<()> {
    let sql = "SELECT t.pool, p.slots, CAST(SUM(t.slots) AS BIGINT) FROM task_runs t JOIN pools p ON p.name = t.pool \
               WHERE t.pool IS NOT NULL AND t.state IN ('starting', 'running', 'stopping') GROUP BY t.pool, p.slots";
    for mut row in tx.rows(sql, &[]).await? {
        let (pool, slots, held) = (row.text()?, row.int()?, row.int()?);
        found.extend((held > slots).then(|| format!("pool {pool}: {held} of {slots} slots are held")));
    }
    Ok(())
}
