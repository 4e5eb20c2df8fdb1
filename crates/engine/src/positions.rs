//! What a destination remembers of the streams loaded into it, chosen and forgotten.

use std::sync::Arc;

use levada_core::destination::Destination;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::naming::{did_you_mean, nearest};
use levada_core::position::{Commit, StreamKey};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a destination remembers of a stream, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "HeldPosition")]
pub struct Held {
    /// What loads it, as `pipeline/task`; for a copy without documents the source's address, without credentials.
    pub pipeline: String,
    /// The stream at the source.
    pub stream: String,
    /// The table or folder that it is loaded into.
    pub target: String,
    /// How far it was read, as its source tells it; null where every load reads everything.
    pub position: Option<Value>,
    /// The name of the last load.
    pub load: String,
    /// Rows that it wrote.
    pub rows_written: u64,
    /// Rows that it put into the quarantine.
    pub rows_rejected: u64,
    /// When it was committed.
    pub committed_at: String,
}

impl From<Commit> for Held {
    fn from(commit: Commit) -> Self {
        Self {
            pipeline: commit.key.pipeline,
            stream: commit.key.stream,
            target: commit.target,
            position: commit.state.get("position").filter(|position| !position.is_null()).cloned(),
            load: commit.load_id,
            rows_written: commit.rows_written,
            rows_rejected: commit.rows_rejected,
            committed_at: commit.committed_at,
        }
    }
}

/// The commits of streams by their names, each of just one pipeline's task; or of all that there are.
///
/// # Errors
/// `NotFound` for a stream without a commit, `Usage` for one that several load; one for each.
pub fn choose(
    commits: &[Commit],
    streams: &[String],
    pipeline: Option<&str>,
    all: bool,
) -> Result<Vec<Commit>, Vec<Error>> {
    let of_pipeline = |commit: &&Commit| pipeline.is_none_or(|pipeline| commit.key.pipeline == pipeline);
    if all {
        return Ok(commits.iter().filter(of_pipeline).cloned().collect());
    }
    let known: Vec<&str> = commits.iter().filter(of_pipeline).map(|commit| commit.key.stream.as_str()).collect();
    let (mut chosen, mut errors) = (Vec::new(), Vec::new());
    for stream in streams {
        let found: Vec<&Commit> =
            commits.iter().filter(of_pipeline).filter(|commit| commit.key.stream == *stream).collect();
        match found.as_slice() {
            [commit] => chosen.push((*commit).clone()),
            [] => {
                let near = did_you_mean(nearest(stream, &known));
                let advice = format!("{near}List what there is.");
                let message = format!("there is no position of a stream `{stream}`");
                errors.push(Error::new(ErrorKind::NotFound, message).advise(advice));
            }
            several => {
                let pipelines: Vec<&str> = several.iter().map(|commit| commit.key.pipeline.as_str()).collect();
                let message = format!("several pipelines load a stream `{stream}`");
                let advice = format!("Choose one of these: {}.", pipelines.join(", "));
                errors.push(Error::new(ErrorKind::Usage, message).advise(advice));
            }
        }
    }
    if errors.is_empty() { Ok(chosen) } else { Err(errors) }
}

/// Forgets commits; the rows stay. Answers which were there.
///
/// # Errors
/// Those of the destination.
pub async fn forget(destination: &Arc<dyn Destination>, chosen: Vec<Commit>) -> Result<Vec<StreamKey>> {
    let mut forgotten = Vec::new();
    for commit in chosen {
        if destination.forget(&commit.key).await? {
            forgotten.push(commit.key);
        }
    }
    Ok(forgotten)
}
