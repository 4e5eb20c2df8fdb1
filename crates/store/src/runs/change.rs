//! One event of one task run: the state machine asked, the row changed, the history written.

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::id::{RunId, TaskRunId};
use levada_core::run::{Event, Node, Policy, State, advance};
use levada_core::time::Timestamp;

use crate::db::{Row, Tx, Value, placeholders};

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

/// Applies an event to a task run. Answers whether the state machine allowed it; the row then has the state after it.
pub(super) async fn apply(
    tx: &mut Tx,
    history: &mut History,
    row: &mut TaskRow,
    node: &Node,
    event: Event,
    traces: &Traces,
) -> Result<bool> {
    let now = history.now;
    let policy = Policy { retry: node.retry, failed: row.failed, lost: row.lost, lost_max: node.lost_max };
    let Ok(next) = advance(row.state, event, now, &policy) else { return Ok(false) };
    let wake_at = match next {
        State::Waiting { until } => until,
        _ => None,
    };
    let failed = row.failed + u32::from(matches!(event, Event::Errored { .. }));
    let lost = row.lost + u32::from(event == Event::LeaseLost);
    // a task run that is queued again belongs to nobody, and whoever held it can write nothing any more
    let epoch = row.epoch + i64::from(next == State::Queued || event == Event::LeaseLost);
    let ended = next.is_terminal().then_some(now);
    let changed = tx
        .execute(
            "UPDATE task_runs SET state = $1, version = version + 1, epoch = $2, failed = $3, lost = $4, wake_at = $5, \
             wake_on = $6, worker = CASE WHEN $7 = 1 THEN worker ELSE NULL END, \
             outputs = COALESCE($8, outputs), error = CASE WHEN $9 = 1 THEN NULL ELSE COALESCE($10, error) END, \
             memo = COALESCE($11, memo), ended_at = $12 WHERE id = $13 AND version = $14 AND epoch = $15",
            &[
                next.name().into(),
                epoch.into(),
                failed.into(),
                lost.into(),
                wake_at.into(),
                traces.wake_on.clone().into(),
                (next.is_held() || next.is_terminal()).into(),
                traces.outputs.clone().into(),
                (next == State::Succeeded).into(),
                traces.error.clone().into(),
                traces.memo.clone().into(),
                ended.into(),
                row.id.into(),
                row.version.into(),
                row.epoch.into(),
            ],
        )
        .await?;
    if changed != 1 {
        return Err(Error::new(ErrorKind::Busy, format!("the task run {} was changed by somebody else", row.id)));
    }
    (row.state, row.version, row.epoch, row.failed, row.lost) = (next, row.version + 1, epoch, failed, lost);
    history.add(row, event, traces.error.clone());
    Ok(true)
}

/// The events of one transaction, written together at its end.
pub(super) struct History {
    pub now: Timestamp,
    lines: Vec<[Value; 7]>,
}

/// Most events in one statement.
const LINES: usize = 200;

impl History {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { now, lines: Vec::new() }
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

    pub(super) async fn write(self, tx: &mut Tx) -> Result<()> {
        for lines in self.lines.chunks(LINES) {
            let sql = format!(
                "INSERT INTO events (run, task_run, at, event, state, attempt, detail) VALUES {}",
                placeholders(lines.len(), 7, 1)
            );
            tx.execute(&sql, lines.as_flattened()).await?;
        }
        Ok(())
    }
}
