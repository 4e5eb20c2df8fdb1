//! The ends of runs, and what waited for them: the next run of the pipeline, task runs, and pipelines that start after
//! others.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use levada_core::error::Result;
use levada_core::id::{RunId, TaskRunId};
use levada_core::run::{RunState, State, Tally};
use levada_core::time::Timestamp;

use super::change::History;
use super::create::{Place, create, graph, place};
use super::wake::{resume, waiting_for};
use super::{Cause, NewRun};
use crate::db::{Ask, Row, Signal, Tx, Value};

/// Ends runs of which every task has ended, and lets what waited for them go on.
pub(super) fn end_runs<'a>(
    tx: &'a mut Tx,
    history: &'a mut History,
    runs: Vec<RunId>,
) -> LocalBoxFuture<'a, Result<()>> {
    Box::pin(async move {
        if runs.is_empty() {
            return Ok(());
        }
        let ends = ends(tx, &runs).await?;
        let pipelines: BTreeSet<&str> = ends.iter().map(|end| end.pipeline.as_str()).collect();
        let mut asks = Vec::from_iter(turns(tx, &ends));
        let turns = asks.len();
        asks.extend(write(tx, &ends, history.now));
        let written = asks.len() - turns;
        asks.push(waiting_for(tx, ends.iter().map(|end| end.run)));
        asks.push(waiting_pipelines(tx, "pipeline", ends.iter().map(End::occasion)));
        asks.extend(pipelines.iter().map(|pipeline| next(pipeline)));
        let mut answers = tx.all(&asks).await?.into_iter().skip(turns);
        note(tx, history, answers.by_ref().take(written).flatten())?;
        let (waiting, triggered) = (answers.next().unwrap_or_default(), answers.next().unwrap_or_default());
        for (pipeline, next) in pipelines.into_iter().zip(answers) {
            if !next.is_empty() {
                admit(tx, history, pipeline).await?;
            }
        }
        resume(tx, history, waiting).await?;
        let occasions: Vec<_> = ends.iter().map(|end| (end.occasion(), format!("run:{}", end.run))).collect();
        start(tx, history, triggered, &occasions).await
    })
}

/// What a run ends as.
struct End {
    run: RunId,
    pipeline: String,
    state: RunState,
    /// Whether not all runs of the pipeline go at once.
    takes_turns: bool,
}

/// What runs end as, by the states of their tasks.
async fn ends(tx: &mut Tx, runs: &[RunId]) -> Result<Vec<End>> {
    let mut values = Vec::new();
    let those = tx.among("r.id", &mut values, runs.iter().copied());
    let sql = format!(
        "SELECT r.id, r.pipeline, p.document, t.state, COUNT(*) FROM runs r LEFT JOIN pipelines p ON p.name = r.pipeline \
         LEFT JOIN task_runs t ON t.run = r.id AND t.item = -1 WHERE {those} \
         GROUP BY r.id, r.pipeline, p.document, t.state"
    );
    let mut tallies: BTreeMap<RunId, (String, Option<i64>, Tally)> = BTreeMap::new();
    for mut row in tx.rows(&sql, &values).await? {
        let (run, pipeline, document) = (RunId(row.int()?), row.text()?, row.int_or_null()?);
        let (state, count) = (row.text_or_null()?, row.count()?);
        let (.., tally) = tallies.entry(run).or_insert((pipeline, document, Tally::default()));
        state.and_then(|name| State::from_name(&name, None)).into_iter().for_each(|state| tally.add(state, count));
    }
    let mut ends = Vec::with_capacity(tallies.len());
    for (run, (pipeline, document, tally)) in tallies {
        let takes_turns = match document {
            Some(document) => graph(tx, document).await?.concurrency.is_some(),
            None => false,
        };
        ends.push(End { run, pipeline, state: tally.run_state(), takes_turns });
    }
    Ok(ends)
}

/// Locks the pipelines of which a run may wait for its turn: one that another process makes now either sees that these have
/// ended, or is seen by the look for the next.
fn turns(tx: &Tx, ends: &[End]) -> Option<Ask> {
    let pipelines: BTreeSet<&str> =
        ends.iter().filter(|end| end.takes_turns).map(|end| end.pipeline.as_str()).collect();
    let lock = tx.lock("p");
    if pipelines.is_empty() || lock.is_empty() {
        return None;
    }
    let mut values = Vec::new();
    let those = tx.among("p.name", &mut values, pipelines);
    Some(Ask::new(format!("SELECT p.name FROM pipelines p WHERE {those} ORDER BY p.name{lock}"), values))
}

impl End {
    /// What pipelines that start after it wait for.
    fn occasion(&self) -> String {
        format!("{}:{}", self.pipeline, self.state.name())
    }
}

fn write(tx: &Tx, ends: &[End], now: Timestamp) -> Vec<Ask> {
    let sql = "UPDATE runs AS r SET state = v.new_state, ended_at = v.now FROM {rows} \
               WHERE r.id = v.which AND r.ended_at IS NULL RETURNING id, state, backfill, created_at, started_at";
    let columns = [("which", "bigint"), ("new_state", "text"), ("now", "bigint")];
    let row = |end: &End| [end.run.into(), end.state.name().into(), now.into()];
    tx.each(sql, &columns, &ends.iter().flat_map(row).collect::<Vec<Value>>())
}

/// What is to be known of runs that ended now.
fn note(tx: &mut Tx, history: &mut History, written: impl Iterator<Item = Row>) -> Result<()> {
    for mut row in written {
        let (run, state, is_backfilled) =
            (RunId(row.int()?), crate::views::run_state(&row.text()?)?, row.int_or_null()?.is_some());
        count(tx, state, history.now, row.time()?, row.time_or_null()?);
        history.run(run, "ended", state.name(), None);
        tx.signal(Signal::End);
        if is_backfilled {
            tx.signal(Signal::Due);
        }
    }
    Ok(())
}

fn count(tx: &mut Tx, state: RunState, now: Timestamp, created_at: Timestamp, started_at: Option<Timestamp>) {
    let us = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    match state {
        RunState::Succeeded => tx.runs.succeeded += 1,
        RunState::Failed => tx.runs.failed += 1,
        RunState::Cancelled => tx.runs.cancelled += 1,
        RunState::Queued | RunState::Running => {}
    }
    if let Some(started_at) = started_at {
        tx.runs.wait_us += us(started_at.since(created_at));
        tx.runs.run_us += us(now.since(started_at));
    }
}

/// The run of a pipeline that is the next to start.
fn next(pipeline: &str) -> Ask {
    let sql = "SELECT id FROM runs WHERE pipeline = $1 AND ended_at IS NULL AND admitted = 0 \
               ORDER BY priority DESC, id LIMIT 1";
    Ask::new(sql, [pipeline.into()])
}

/// Lets waiting runs of a pipeline start, as many as there are places in its newest version.
pub(crate) async fn admit(tx: &mut Tx, history: &mut History, pipeline: &str) -> Result<()> {
    loop {
        let Ask { sql, values } = next(pipeline);
        let Some(mut row) = tx.row(&sql, &values).await? else { return Ok(()) };
        let run = row.int()?;
        if place(tx, pipeline).await? != Place::Free {
            return Ok(());
        }
        // the place was waited for: another process may have let this one start meanwhile
        let sql = "UPDATE runs SET admitted = 1 WHERE id = $1 AND admitted = 0 AND ended_at IS NULL";
        if tx.execute(sql, &[run.into()]).await? == 0 {
            continue;
        }
        let sql = "UPDATE task_runs SET blockers = blockers - 1 WHERE run = $1 AND item = -1 AND state = 'queued' \
                   RETURNING id, blockers";
        for mut row in tx.rows(sql, &[run.into()]).await? {
            let id = TaskRunId(row.int()?);
            if row.int()? == 0 {
                history.ready.push(id);
            }
        }
    }
}

/// Starts the pipelines that wait for something to happen; once for each `occasion`.
pub(super) async fn trigger(tx: &mut Tx, history: &mut History, kind: &str, key: &str, occasion: &str) -> Result<()> {
    let Ask { sql, values } = waiting_pipelines(tx, kind, [key.to_owned()].into_iter());
    let pipelines = tx.rows(&sql, &values).await?;
    start(tx, history, pipelines, &[(key.to_owned(), occasion.to_owned())]).await
}

fn waiting_pipelines(tx: &Tx, kind: &str, keys: impl Iterator<Item = String>) -> Ask {
    let mut values = vec![kind.into()];
    let those = tx.among("t.key", &mut values, keys.collect::<BTreeSet<_>>());
    let sql = format!(
        "SELECT t.key, t.pipeline, t.schedule, p.document FROM triggers t JOIN pipelines p ON p.name = t.pipeline \
         JOIN schedules s ON s.pipeline = t.pipeline AND s.name = t.schedule \
         WHERE t.kind = $1 AND {those} AND s.paused = 0 ORDER BY t.pipeline, t.schedule"
    );
    Ask::new(sql, values)
}

/// Starts pipelines, each for all occasions with its key.
async fn start(tx: &mut Tx, history: &mut History, pipelines: Vec<Row>, occasions: &[(String, String)]) -> Result<()> {
    let mut new = Vec::new();
    for mut row in pipelines {
        let (key, pipeline, schedule, document) = (row.text()?, row.text()?, row.text()?, row.int()?);
        let params = crate::schedules::params_of(tx, &pipeline, &schedule).await?;
        let project = crate::documents::current_project(tx).await?;
        for (_, occasion) in occasions.iter().filter(|(of, _)| *of == key) {
            let identity = format!("trigger:{pipeline}/{schedule}:{occasion}");
            let mut run = NewRun::manual(&pipeline, document, identity);
            run.cause = Cause::Trigger;
            run.params.clone_from(&params);
            run.schedule = Some(schedule.clone());
            run.fire_time = Some(history.now);
            run.project = project;
            new.push(run);
        }
    }
    create(tx, history, &new).await.map(drop)
}
