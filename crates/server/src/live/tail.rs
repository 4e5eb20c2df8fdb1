//! The log of a task run as it is written, for one listener.

use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::id::TaskRunId;
use levada_engine::house::log_path;
use levada_engine::log::LogReader;
use serde_json::json;

use crate::App;
use crate::routes::logs::Line;

/// How often new lines are looked for.
pub const LOOK: Duration = Duration::from_millis(250);
/// Lines of one look.
const LINES: usize = 500;

/// A place in the log of a task run.
#[derive(Debug)]
pub struct Tail {
    /// The task run.
    pub task_run: i64,
    attempt: u32,
    from: u64,
}

impl Tail {
    /// From a line of the current attempt on.
    pub fn new(task_run: i64, from: u64) -> Self {
        Self { task_run, attempt: 0, from }
    }

    /// The lines since the last look, as messages; a new attempt starts from its first line.
    ///
    /// # Errors
    /// As of the store and of reading files.
    pub async fn look(&mut self, app: &App) -> Result<Vec<Utf8Bytes>> {
        let Some(place) = app.store.task_run_place(TaskRunId(self.task_run)).await? else { return Ok(Vec::new()) };
        let from = if self.attempt == 0 || self.attempt == place.attempt { self.from } else { 0 };
        let path = log_path(&app.data_dir, place.run, &place.task, place.item, place.attempt);
        let lines = tokio::task::spawn_blocking(move || LogReader::new(path).lines(from, LINES)).await;
        let broken = |error| Error::new(ErrorKind::Internal, format!("a part of Levada broke off: {error}"));
        let lines = lines.map_err(broken)??;
        (self.attempt, self.from) = (place.attempt, lines.last().map_or(from, |line| line.number + 1));
        let message = |line| {
            let line = Line::from(line);
            let (task_run, attempt) = (self.task_run, self.attempt);
            json!({ "kind": "log", "task_run": task_run, "attempt": attempt, "line": line }).to_string().into()
        };
        Ok(lines.into_iter().map(message).collect())
    }
}
