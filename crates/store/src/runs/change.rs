//! Events of one task run: the state machine asked, the row changed, the history written.

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::id::{RunId, TaskRunId};
use levada_core::run::{Event, Node, Policy, State, advance};
use levada_core::time::Timestamp;

use crate::db::{Row, Signal, Tx, Value, placeholders};

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
        let policy = Policy { retry: node.retry, failed: row.failed, lost: row.lost, lost_max: node.lost_max };
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
        write(tx, now, &before, row, left).await?;
    }
    Ok(changed)
}

/// Writes what became of a task run, if it is still as it was.
async fn write(tx: &mut Tx, now: Timestamp, before: &TaskRow, row: &TaskRow, traces: &Traces) -> Result<()> {
    let wake_at = match row.state {
        State::Waiting { until } => until,
        _ => None,
    };
    let sql = "UPDATE task_runs SET state = $1, version = version + 1, epoch = $2, failed = $3, lost = $4, wake_at = $5, \
               wake_on = $6, worker = CASE WHEN $7 = 1 THEN worker ELSE NULL END, \
               outputs = COALESCE($8, outputs), error = CASE WHEN $9 = 1 THEN NULL ELSE COALESCE($10, error) END, \
               memo = COALESCE($11, memo), ended_at = $12 WHERE id = $13 AND version = $14 AND epoch = $15";
    let values = [
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
        row.state.is_terminal().then_some(now).into(),
        row.id.into(),
        before.version.into(),
        before.epoch.into(),
    ];
    if tx.execute(sql, &values).await? != 1 {
        return Err(Error::new(ErrorKind::Busy, format!("the task run {} was changed by somebody else", row.id)));
    }
    Ok(())
}

/// The events of one transaction, written together at its end.
pub(crate) struct History {
    pub now: Timestamp,
    /// Task runs that have become claimable: who does not take them itself has to tell others.
    pub ready: Vec<TaskRunId>,
    lines: Vec<[Value; 7]>,
}

/// Most events in one statement.
const LINES: usize = 200;

impl History {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self { now, ready: Vec::new(), lines: Vec::new() }
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

    pub(crate) async fn write(self, tx: &mut Tx) -> Result<()> {
        if !self.ready.is_empty() {
            tx.signal(Signal::Work);
        }
        for lines in self.lines.chunks(LINES) {
            let sql = format!(
                "INSERT INTO events (run, task_run, at, event, state, attempt, detail) VALUES {}",
                placeholders(lines.len(), 7, 1)
            );
            tx.later(&sql, lines.as_flattened()).await?;
        }
        Ok(())
    }
}
