//! The last lines of the logs of all pipelines. There is no index of lines: the logs of the last runs are walked, the newest
//! first and within bounds, and the answer says whether one of the bounds was met.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use levada_core::error::Result;
use levada_core::id::RunId;
use levada_core::run::RunState;
use levada_core::time::Timestamp;
use levada_engine::house::{LogFile, file_name, logs_of};
use levada_engine::log::{Budget, Filter, Level, LogLine, LogReader, Stream};
use levada_store::{RunFilter, Store};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::instant;
use super::logs::{Line, filter, on_a_thread};
use crate::problem::Problem;
use crate::route::{Answer, Call};

/// Lines of an answer that nobody said the length of.
const LINES: u32 = 100;
/// Runs whose logs are looked at: so many of the last ones, and as many of those that are at work, however old.
const RUNS: usize = 100;
/// Logs that are looked at.
const LOGS_MAX: usize = 1_000;
/// Tasks whose names are looked up.
const TASKS_MAX: usize = 20_000;
/// Bytes of the texts of an answer, and of one more line.
const TEXT_BYTES: usize = 1 << 20;

/// Which lines to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Only lines of this level at least; every line is of the level `info` at least.
    pub level: Option<Level>,
    /// Only lines of this stream.
    pub stream: Option<Stream>,
    /// Only lines that hold this text, of at most 1,000 characters; upper and lower case are the same.
    pub contains: Option<String>,
    /// Only of this pipeline.
    pub pipeline: Option<String>,
    /// Only lines written at this instant or later.
    pub since: Option<String>,
    /// How many; 100 unless given, 1,000 at most. Long lines make fewer of them.
    pub limit: Option<u32>,
}

/// The last lines of some logs.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct RecentLines {
    /// The lines, the newest first.
    pub items: Vec<RecentLine>,
    /// Whether lines that are meant may be missing, because they are in logs that were not looked at: those of the last 100
    /// runs and of 100 that are at work are, 1,000 logs and 64 MiB of them.
    pub is_cut: bool,
}

/// A line, and the log that it is of.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct RecentLine {
    /// The pipeline.
    pub pipeline: String,
    /// The run.
    pub run: RunId,
    /// The task.
    pub task: String,
    /// Which item of it, from 0; null if it has none.
    pub item: Option<u32>,
    /// Which attempt.
    pub attempt: u32,
    /// The line.
    #[serde(flatten)]
    pub line: Line,
}

/// A log, and what it is of.
struct Log {
    pipeline: String,
    run: RunId,
    file: LogFile,
}

/// The last lines of the logs of all pipelines, as far as they are on this machine.
pub async fn list(call: Call<List>) -> Result<Answer<RecentLines>, Problem> {
    let List { level, stream, contains, pipeline, since, limit } = call.input;
    let limit = super::limit(Some(limit.unwrap_or(LINES)))?;
    let mut filter = filter(level, stream, contains.as_deref())?;
    filter.since = instant("since", since.as_deref())?;
    let of = |state| RunFilter { pipeline: pipeline.clone(), state, limit: RUNS, ..RunFilter::default() };
    let last = call.app.store.runs(of(None)).await?;
    let open = call.app.store.runs(of(Some(RunState::Running))).await?;
    let is_all = last.len() < RUNS;
    let runs = last.into_iter().chain(open).map(|run| (run.id, run.pipeline)).collect();
    let data = call.app.data_dir.clone();
    let mut found = on_a_thread(move || look(&data, runs, &filter, limit)).await??;
    found.is_cut |= !is_all && found.items.len() < limit;
    name_tasks(&call.app.store, &mut found.items).await?;
    Ok(found.into())
}

/// Calls tasks as their documents do, where the names of their logs lack something of it.
async fn name_tasks(store: &Store, lines: &mut [RecentLine]) -> Result<()> {
    let runs: BTreeSet<RunId> = lines.iter().filter(|line| line.task.contains('_')).map(|line| line.run).collect();
    if runs.is_empty() {
        return Ok(());
    }
    let tasks = store.task_states(runs.into_iter().collect(), TASKS_MAX).await?;
    let names: HashMap<(RunId, String), String> =
        tasks.into_iter().map(|task| ((task.run, file_name(&task.task, None)), task.task)).collect();
    for line in lines {
        let name = names.get(&(line.run, line.task.clone()));
        name.into_iter().for_each(|name| line.task.clone_from(name));
    }
    Ok(())
}

/// Looks through the logs of some runs, at those first that were written to last.
fn look(data: &Path, runs: BTreeMap<RunId, String>, filter: &Filter, limit: usize) -> Result<RecentLines> {
    let mut logs = Vec::new();
    for (run, pipeline) in runs {
        logs.extend(logs_of(data, run)?.into_iter().map(|file| Log { pipeline: pipeline.clone(), run, file }));
    }
    logs.sort_by_key(|log| Reverse(log.file.written_at));
    let (mut items, mut budget) = (Vec::<RecentLine>::new(), Budget::default());
    let mut is_cut = logs.len() > LOGS_MAX;
    for log in logs.iter().take(LOGS_MAX) {
        let oldest = items.get(limit - 1).and_then(|item| item.line.at).or(filter.since);
        if budget.is_spent() || oldest.is_some_and(|oldest| log.is_older_than(oldest)) {
            is_cut = false;
            break;
        }
        let found = LogReader::new(&log.file.path).newest(limit, filter, &mut budget)?;
        items.extend(found.into_iter().filter(|line| line.at.is_some()).map(|line| log.line(line)));
        items.sort_by(|a, b| b.place().cmp(&a.place()));
        items.truncate(limit);
    }
    let (mut bytes, found) = (0, items.len());
    items.retain(|item| {
        let is_room = bytes < TEXT_BYTES;
        bytes += item.line.text.len();
        is_room
    });
    Ok(RecentLines { is_cut: is_cut || budget.is_spent() || items.len() < found, items })
}

impl Log {
    /// Whether no line of it is as young as this.
    fn is_older_than(&self, instant: Timestamp) -> bool {
        self.file.written_at < UNIX_EPOCH + Duration::from_micros(instant.as_micros().max(0).unsigned_abs())
    }

    fn line(&self, line: LogLine) -> RecentLine {
        let LogFile { task, item, attempt, .. } = &self.file;
        let (pipeline, task) = (self.pipeline.clone(), task.clone());
        RecentLine { pipeline, run: self.run, task, item: *item, attempt: *attempt, line: line.into() }
    }
}

impl RecentLine {
    /// What lines are in order of: of one instant, the last of a log comes first.
    fn place(&self) -> (Option<Timestamp>, RunId, &str, Option<u32>, u32, u64) {
        (self.line.at, self.run, &self.task, self.item, self.attempt, self.line.number)
    }
}
