//! The streams of a pipeline: how each is read and written, how far it is, and when it was loaded last, as its destination
//! remembers it.

use std::time::Duration;

use levada_core::config::{ReadKind, StreamOptions, Sync};
use levada_core::destination::WriteMode;
use levada_core::naming::is_wildcard;
use levada_core::position::Commit;
use levada_core::time::Timestamp;
use levada_engine::queries;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::browse::in_time;
use super::limit;
use super::plans::{applied, destinations};
use crate::problem::Problem;
use crate::route::{Answer, Call, Page};
use crate::sort::{Rank, Sort, orders};

/// How long a destination may take.
const TIME_MAX: Duration = Duration::from_secs(10);

orders! {
    /// What streams of a pipeline are in order of.
    StreamItemOrder(false) { Stream = "stream", CommittedAt = "committed_at", Rows = "rows_written" }
}

/// Which streams to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StreamsOf {
    /// The pipeline.
    pub pipeline: String,
    /// Of this task.
    pub task: Option<String>,
    /// The order; `-` before it is the other way round.
    #[serde(default)]
    pub sort: Sort<StreamItemOrder>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// How many; 50 unless given, 1,000 at most.
    pub limit: Option<u32>,
}

/// A stream of a pipeline.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct StreamItem {
    /// The task that loads it.
    pub task: String,
    /// The stream at the source; a pattern if nothing was loaded that matches it.
    pub stream: String,
    /// The connection that it is read from; of the result of a query, all that it reads.
    pub from: String,
    /// The connection that it is loaded into.
    pub to: String,
    /// Which rows are read.
    pub read: ReadKind,
    /// How they get in.
    pub write: WriteMode,
    /// The column that tells which rows are new.
    pub cursor: Option<String>,
    /// Whether loads leave it out.
    pub paused: bool,
    /// The table or folder there; null if it was not loaded yet, as is all that follows.
    pub target: Option<String>,
    /// How far it was read, as its source tells it; null where every load reads everything.
    pub position: Option<Value>,
    /// The name of the last load.
    pub load: Option<String>,
    /// Rows that it wrote.
    pub rows_written: Option<u64>,
    /// Rows that it put into the quarantine.
    pub rows_rejected: Option<u64>,
    /// When it was committed.
    pub committed_at: Option<Timestamp>,
    /// How long ago that is.
    pub age_seconds: Option<u64>,
    /// How far the position is behind now; null unless it is an instant.
    pub lag_seconds: Option<u64>,
    /// Why the destination could not be asked.
    pub error: Option<String>,
}

/// The streams of a pipeline, in the order of tasks and streams.
pub async fn list(call: Call<StreamsOf>) -> Result<Answer<Page<StreamItem>>, Problem> {
    let now = call.now();
    let StreamsOf { pipeline, task, sort, after, limit: asked } = call.input;
    let limit = limit(asked)?;
    let checked = applied(&call.app, &pipeline).await?;
    let mut found = Vec::new();
    for (connection, tasks) in destinations(&checked, task.as_deref())? {
        let commits = async {
            let opened = call.app.open_for(&checked, &connection)?;
            let commits = async { opened.connection.destination()?.commits().await };
            in_time(TIME_MAX, &connection, commits).await.map_err(|error| vec![error])
        };
        // what is known of the others is shown even so
        let (commits, error) = match commits.await {
            Ok(commits) => (commits, None),
            Err(errors) => {
                let redactor = levada_core::redact::Redactor::new(checked.known.values().map(String::as_str))?;
                let errors = errors.into_iter().map(|error| redactor.error(error).to_string());
                (Vec::new(), Some(errors.collect::<Vec<_>>().join("\n")))
            }
        };
        for task in checked.pipeline.tasks.iter().filter(|task| tasks.contains(&task.name)) {
            let Some(sync) = task.work.load() else { continue };
            let from = queries::sources(&call.app.registry, &task.work).join(", ");
            let key = format!("{pipeline}/{}", task.name);
            let commits = commits.iter().filter(|commit| commit.key.pipeline == key);
            found.extend(of_task(&task.name, from, sync, commits, error.as_deref(), now));
        }
    }
    let place = |order, item: &StreamItem| {
        let rank = match order {
            StreamItemOrder::Stream => None,
            StreamItemOrder::CommittedAt => item.committed_at.map(Rank::from),
            StreamItemOrder::Rows => item.rows_written.map(Rank::from),
        };
        (rank, format!("{}\n{}", item.task, item.stream))
    };
    Ok(sort.page(found, place, after.as_deref(), limit)?.into())
}

/// The streams that a sync names, with what was loaded of them.
fn of_task<'a>(
    task: &str,
    from: String,
    sync: &Sync,
    commits: impl Iterator<Item = &'a Commit>,
    error: Option<&str>,
    now: Timestamp,
) -> Vec<StreamItem> {
    let item = |stream: &str, options: &StreamOptions| StreamItem {
        task: task.to_owned(),
        stream: stream.to_owned(),
        from: from.clone(),
        to: sync.to.clone(),
        read: options.read,
        write: options.write,
        cursor: options.cursor.clone(),
        paused: options.paused,
        target: None,
        position: None,
        load: None,
        rows_written: None,
        rows_rejected: None,
        committed_at: None,
        age_seconds: None,
        lag_seconds: None,
        error: error.map(str::to_owned),
    };
    let (mut found, mut seen) = (Vec::new(), Vec::new());
    for commit in commits {
        // of a stream that the document names no more only the rows are left
        let Some(entry) = sync.entry_for(&commit.key.stream) else { continue };
        let Some((_, options)) = sync.streams.get(entry) else { continue };
        seen.push(entry);
        found.push(loaded(item(&commit.key.stream, options), commit, now));
    }
    let known: Vec<String> = found.iter().map(|item| item.stream.clone()).collect();
    for (entry, (name, options)) in sync.streams.iter().enumerate() {
        let is_known = if is_wildcard(name) { seen.contains(&entry) } else { known.contains(name) };
        found.extend((!is_known).then(|| item(name, options)));
    }
    found
}

fn loaded(item: StreamItem, commit: &Commit, now: Timestamp) -> StreamItem {
    let position = commit.state.get("position").filter(|position| !position.is_null()).cloned();
    let committed_at = Timestamp::parse(&commit.committed_at);
    let reached = position.as_ref().and_then(instant_of);
    StreamItem {
        target: Some(commit.target.clone()),
        load: Some(commit.load_id.clone()),
        rows_written: Some(commit.rows_written),
        rows_rejected: Some(commit.rows_rejected),
        committed_at,
        age_seconds: committed_at.map(|at| now.since(at).as_secs()),
        lag_seconds: reached.map(|at| now.since(at).as_secs()),
        position,
        ..item
    }
}

/// The instant that a cursor stands at, if it is one; databases write it with a space.
fn instant_of(position: &Value) -> Option<Timestamp> {
    Timestamp::parse(&position.get("cursor")?.as_str()?.replacen(' ', "T", 1))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn instants_are_told_from_other_positions() {
        let at = Timestamp::parse("2026-01-31T06:00:00Z");
        for cursor in ["2026-01-31T06:00:00Z", "2026-01-31 06:00:00", "2026-01-31T06:00:00.000000"] {
            assert_eq!(instant_of(&json!({ "column": "at", "cursor": cursor })), at, "{cursor}");
        }
        for position in [json!(7), json!({ "cursor": 7 }), json!({ "cursor": "20260131" }), json!({ "files": [] })] {
            assert_eq!(instant_of(&position), None, "{position}");
        }
    }
}
