//! What tasks wrote while they ran. Logs lie in the data folder of the machine that executed the task.

use std::path::PathBuf;

use axum::body::Body;
use levada_core::time::Timestamp;
use levada_engine::house::log_path;
use levada_engine::log::{Budget, Filter, Found, Level, LogLine, LogReader, Stream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::runs;
use crate::App;
use crate::problem::Problem;
use crate::route::{Answer, Call, Download};

/// Lines of a page that nobody said the length of.
const LINES: u32 = 200;
/// Characters that a line can be looked for by.
const CONTAINS_MAX: usize = 1_000;

/// Which lines to read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Read {
    /// The run's number.
    pub run: i64,
    /// The task.
    pub task: String,
    /// Which item of it, from 0.
    pub item: Option<u32>,
    /// Which attempt; the last one unless given.
    pub attempt: Option<u32>,
    /// The number of the first line, from 0. Unless it is given, the last lines are read, or where some are looked for, the
    /// first of those.
    pub from: Option<u64>,
    /// How many; 200 unless given, 1,000 at most. Long lines make fewer of them.
    pub limit: Option<u32>,
    /// Only lines of this level at least; every line is of the level `info` at least.
    pub level: Option<Level>,
    /// Only lines of this stream.
    pub stream: Option<Stream>,
    /// Only lines that hold this text, of at most 1,000 characters; upper and lower case are the same.
    pub contains: Option<String>,
}

/// Which log to take away.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Whole {
    /// The run's number.
    pub run: i64,
    /// The task.
    pub task: String,
    /// Which item of it, from 0.
    pub item: Option<u32>,
    /// Which attempt; the last one unless given.
    pub attempt: Option<u32>,
}

/// Lines of a log.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Lines {
    /// The attempt that they are of.
    pub attempt: u32,
    /// How many lines the log has now; null if lines from a number on or certain lines were asked for, as it takes time to
    /// count.
    pub total: Option<u64>,
    /// The first line that was not looked at: `from` of the next page. One request looks at 64 MiB of a log, so a page of
    /// certain lines can be empty although more of them follow.
    pub next: u64,
    /// Whether nothing was written there yet.
    pub is_end: bool,
    /// The lines, in order.
    pub lines: Vec<Line>,
}

/// A line of a log.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Line {
    /// Its number, from 0.
    pub number: u64,
    /// When it was written; null if the line is damaged.
    pub at: Option<Timestamp>,
    /// Who wrote it: `out` and `err` are the standard output and error of a program, `sys` is Levada itself.
    pub stream: String,
    /// How serious it is, by the words near its beginning.
    pub level: Level,
    /// What it says.
    pub text: String,
}

/// Reads lines of a log.
pub async fn read(call: Call<Read>) -> Result<Answer<Lines>, Problem> {
    let Read { run, task, item, attempt, from, limit, level, stream, contains } = call.input;
    let limit = super::limit(Some(limit.unwrap_or(LINES)))?;
    let is_search = level.is_some() || stream.is_some() || contains.is_some();
    let filter = filter(level, stream, contains.as_deref())?;
    let (path, attempt) = find(&call.app, run, &task, item, attempt).await?;
    let work = move || {
        let reader = LogReader::new(path);
        if from.is_some() || is_search {
            return Ok((None, reader.search(from.unwrap_or_default(), limit, &filter, Budget::default())?));
        }
        let (total, lines) = (reader.count()?, reader.tail(limit)?);
        // lines that were written between the two belong to the page
        let next = lines.last().map_or(total, |line| line.number + 1);
        Ok::<_, levada_core::error::Error>((Some(total), Found { lines, next, is_end: true }))
    };
    let (total, Found { lines, next, is_end }) = on_a_thread(work).await??;
    Ok(Lines { attempt, total, next, is_end, lines: lines.into_iter().map(Line::from).collect() }.into())
}

/// Which lines are meant.
pub(super) fn filter(level: Option<Level>, stream: Option<Stream>, contains: Option<&str>) -> Result<Filter, Problem> {
    if contains.is_some_and(|text| text.is_empty() || text.chars().count() > CONTAINS_MAX) {
        return Err(Problem::Malformed(format!("`contains` has between 1 and {CONTAINS_MAX} characters.")));
    }
    Ok(Filter { level: level.unwrap_or_default(), stream, ..Filter::default() }.containing(contains))
}

/// Takes a whole log away as a file.
pub async fn download(call: Call<Whole>) -> Result<Download, Problem> {
    let Whole { run, task, item, attempt } = call.input;
    let (path, attempt) = find(&call.app, run, &task, item, attempt).await?;
    let file = tokio::fs::File::open(&path).await;
    let file = file.map_err(|_| Problem::NotFound("There is no log of this attempt on this machine.".to_owned()))?;
    let name = format!("run-{run}-{task}.{attempt}.log");
    let body = Body::from_stream(tokio_util::io::ReaderStream::new(file));
    Ok(Download { name, content_type: "application/octet-stream".to_owned(), body, bytes: None })
}

/// The path of a log, and the attempt that it is of.
async fn find(
    app: &App,
    run: i64,
    task: &str,
    item: Option<u32>,
    attempt: Option<u32>,
) -> Result<(PathBuf, u32), Problem> {
    let run = runs::find(&app.store, run).await?.id;
    let found = match item {
        None => app.store.task_runs(run).await?.into_iter().find(|found| found.task == task),
        Some(item) => app.store.items(run, task.to_owned(), item as usize, 1).await?.into_iter().next(),
    };
    let found = found.ok_or_else(|| Problem::no("task", task))?;
    let attempt = attempt.unwrap_or(found.attempt);
    Ok((log_path(&app.data_dir, run, &found.task, item.map(|item| item as usize), attempt), attempt))
}

/// Does work that blocks.
pub(super) async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        let message = format!("a part of Levada broke off: {error}");
        levada_core::error::Error::new(levada_core::error::ErrorKind::Internal, message).into()
    })
}

impl From<LogLine> for Line {
    fn from(line: LogLine) -> Self {
        let (level, stream) = (line.level(), line.stream.name().to_owned());
        Self { number: line.number, at: line.at, stream, level, text: line.text }
    }
}
