//! Events of one task run: the state machine asked, the row changed, the history written.

use std::collections::HashSet;

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::id::{RunId, TaskRunId};
use levada_core::run::{Event, Node, Policy, State, advance};
use levada_core::time::Timestamp;

use crate::db::{Column, Row, Signal, Tx, Value};

/// What a change has to know of a task run.
#[derive(Debug, Clone)]
pub(super) struct TaskRow {
    pub id: TaskRunId,
    pub run: RunId,
    pub document: i64,
    pub task: usize,
    pub item: i64,
    pub state: State,
    pub version: i64,
    pub epoch: i64,
    pub attempt: u32,
    pub failed: u32,
    pub lost: u32,
}

/// The columns of a [`TaskRow`], of `task_runs t` joined with `runs r`.
pub(super) const COLUMNS: &str = "t.id, t.run, r.document, t.task, t.item, t.state, t.wake_at, t.version, t.epoch, \
                                  t.attempt, t.failed, t.lost";

/// What an event leaves behind in the row, next to the state.
#[derive(Debug, Clone, Default)]
pub(super) struct Traces {
    pub outputs: Option<String>,
    pub error: Option<String>,
    pub memo: Option<String>,
    pub wake_on: Option<String>,
}

impl TaskRow {
    pub(super) fn read(row: &mut Row) -> Result<Self> {
        let (id, run, document) = (TaskRunId(row.int()?), RunId(row.int()?), row.int()?);
        let (task, item) = (row.count()?, row.int()?);
        let (name, until) = (row.text()?, row.time_or_null()?);
        let state = State::from_name(&name, until).ok_or_else(|| {
            Error::new(ErrorKind::Internal, format!("the task run {id} is in the state `{name}`, which is not known"))
        })?;
        let task = usize::try_from(task).unwrap_or(usize::MAX);
        let (version, epoch, attempt) = (row.int()?, row.int()?, row.small()?);
        Ok(Self {
            id,
            run,
            document,
            task,
            item,
            state,
            version,
            epoch,
            attempt,
            failed: row.small()?,
            lost: row.small()?,
        })
    }
}

/// Takes a task run through events, as far as its state takes them: one that it does not take was overtaken by another,
/// for instance by a request to stop. The traces are those of the last event. Answers whether anything changed; the row
/// then has the state after it.
pub(super) async fn apply(
    tx: &mut Tx,
    history: &mut History,
    row: &mut TaskRow,
    node: &Node,
    events: &[Event],
    traces: &Traces,
) -> Result<bool> {
    let (before, now, nothing) = (row.clone(), history.now, Traces::default());
    let (mut changed, mut left) = (false, &nothing);
    for (index, event) in events.iter().enumerate() {
        let (failed, lost, seed) = (row.failed, row.lost, row.id.0.unsigned_abs());
        let policy = Policy { retry: node.retry, failed, lost, lost_max: node.lost_max, seed };
        let Ok(next) = advance(row.state, *event, now, &policy) else { continue };
        row.state = next;
        row.failed += u32::from(matches!(event, Event::Errored { .. }));
        row.lost += u32::from(*event == Event::LeaseLost);
        // a task run that is queued again belongs to nobody, and whoever held it can write nothing any more
        row.epoch += i64::from(next == State::Queued || *event == Event::LeaseLost);
        if index + 1 == events.len() {
            left = traces;
        }
        changed = true;
        history.add(row, *event, left.error.clone());
    }
    if changed {
        row.version += 1;
        if !history.changing.insert(row.id) {
            history.flush(tx).await?;
            history.changing.insert(row.id);
        }
        history.changes.extend(change(now, &before, row, left));
    }
    Ok(changed)
}

/// The columns of a change of a task run: which, as it was, and what it becomes.
const CHANGE: &[Column] = &[
    ("which", "bigint"),
    ("was_version", "bigint"),
    ("was_epoch", "bigint"),
    ("new_state", "text"),
    ("new_epoch", "bigint"),
    ("new_failed", "bigint"),
    ("new_lost", "bigint"),
    ("new_wake_at", "bigint"),
    ("new_wake_on", "text"),
    ("keeps_worker", "bigint"),
    ("new_outputs", "text"),
    ("is_fine", "bigint"),
    ("new_error", "text"),
    ("new_memo", "text"),
    ("keeps_memo", "bigint"),
    ("new_ended_at", "bigint"),
];

fn change(now: Timestamp, before: &TaskRow, row: &TaskRow, traces: &Traces) -> [Value; 16] {
    let wake_at = match row.state {
        State::Waiting { until } => until,
        _ => None,
    };
    // a failed attempt is made again from the start, and must not find what it waited for; one whose worker was lost goes
    // on, so that it starts nothing a second time
    let starts_anew = row.failed > before.failed && !row.state.is_terminal();
    [
        row.id.into(),
        before.version.into(),
        before.epoch.into(),
        row.state.name().into(),
        row.epoch.into(),
        row.failed.into(),
        row.lost.into(),
        wake_at.into(),
        traces.wake_on.clone().into(),
        (row.state.is_held() || row.state.is_terminal()).into(),
        traces.outputs.clone().into(),
        (row.state == State::Succeeded).into(),
        traces.error.clone().into(),
        traces.memo.clone().into(),
        (!starts_anew).into(),
        row.state.is_terminal().then_some(now).into(),
    ]
}

/// What happens to task runs in one transaction: changes are written together before anybody looks at the rows, events at
/// the end.
pub(crate) struct History {
    pub now: Timestamp,
    /// Task runs that have become claimable: who does not take them itself has to tell others.
    pub ready: Vec<TaskRunId>,
    lines: Vec<[Value; 7]>,
    /// Task runs with a change that is not written yet, and these changes.
    changing: HashSet<TaskRunId>,
    changes: Vec<Value>,
}

/// The columns of an event.
const EVENT: &[Column] = &[
    ("run", "bigint"),
    ("task_run", "bigint"),
    ("at", "bigint"),
    ("event", "text"),
    ("state", "text"),
    ("attempt", "bigint"),
    ("detail", "text"),
];

impl History {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self { now, ready: Vec::new(), lines: Vec::new(), changing: HashSet::new(), changes: Vec::new() }
    }

    pub(super) fn add(&mut self, row: &TaskRow, event: Event, detail: Option<String>) {
        self.line(row.run, Some(row.id), event.name(), row.state.name(), row.attempt, detail);
    }

    pub(super) fn run(&mut self, run: RunId, event: &str, state: &str, detail: Option<String>) {
        self.line(run, None, event, state, 0, detail);
    }

    fn line(
        &mut self,
        run: RunId,
        task_run: Option<TaskRunId>,
        event: &str,
        state: &str,
        attempt: u32,
        detail: Option<String>,
    ) {
        let at = self.now.into();
        self.lines.push([run.into(), task_run.into(), at, event.into(), state.into(), attempt.into(), detail.into()]);
    }

    /// Writes the changes, each if the row is still as it was.
    pub(super) async fn flush(&mut self, tx: &mut Tx) -> Result<()> {
        let sql = "UPDATE task_runs AS t SET state = v.new_state, version = t.version + 1, epoch = v.new_epoch, \
                   failed = v.new_failed, lost = v.new_lost, wake_at = v.new_wake_at, wake_on = v.new_wake_on, \
                   worker = CASE WHEN v.keeps_worker = 1 THEN t.worker ELSE NULL END, \
                   outputs = COALESCE(v.new_outputs, t.outputs), \
                   error = CASE WHEN v.is_fine = 1 THEN NULL ELSE COALESCE(v.new_error, t.error) END, \
                   memo = COALESCE(v.new_memo, CASE WHEN v.keeps_memo = 1 THEN t.memo END), \
                   ended_at = v.new_ended_at FROM {rows} \
                   WHERE t.id = v.which AND t.version = v.was_version AND t.epoch = v.was_epoch";
        self.changing.clear();
        tx.each_later_exactly(sql, CHANGE, &std::mem::take(&mut self.changes)).await
    }

    pub(crate) async fn write(mut self, tx: &mut Tx) -> Result<()> {
        self.flush(tx).await?;
        if !self.ready.is_empty() {
            tx.signal(Signal::Work);
        }
        tx.insert_later("events", EVENT, self.lines.as_flattened()).await
    }
}
