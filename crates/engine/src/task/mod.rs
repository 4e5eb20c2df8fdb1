//! What tasks do, apart from syncs: each module has `execute(work, context)`, which does one attempt. Knows neither
//! store nor scheduler: time limits, slots and retries are the caller's, who stops an attempt through its token.

mod artifacts;
mod child;
pub mod command;
pub mod http;
mod mail;
pub mod notify;
mod output;
pub mod processes;
pub mod run_files;

use std::path::PathBuf;
use std::sync::Arc;

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::id::{RunId, TaskRunId};
use levada_core::redact::Redactor;
use levada_core::time::Timestamp;
use serde_json::{Map, Value as Json};
use tokio_util::sync::CancellationToken;

pub use artifacts::{Artifact, Checksum};

use crate::log::TaskLog;
use crate::network::Network;

/// Outputs of one task, as JSON text, take no more than this.
pub const OUTPUTS_BYTES_MAX: usize = 64 * 1024;

/// Which attempt this is, and what it gets from its run.
pub struct TaskContext {
    /// The run.
    pub run: RunId,
    /// The task run.
    pub task_run: TaskRunId,
    /// The attempt, from 1.
    pub attempt: u32,
    /// The pipeline's name.
    pub pipeline: String,
    /// The task's name.
    pub task: String,
    /// What it is run for, where the task has `for_each`.
    pub item: Option<Json>,
    /// When the schedule was due that started the run.
    pub fire_time: Option<Timestamp>,
    /// The folder of the run's files. It may not exist yet.
    pub run_dir: PathBuf,
    /// The project's folder.
    pub project_dir: PathBuf,
    /// Parameters, and outputs of tasks before, for the file LEVADA_INPUTS.
    pub inputs: Json,
    /// Where it tells what it does. The caller closes it.
    pub log: TaskLog,
    /// Knows the secrets the task can see.
    pub redactor: Arc<Redactor>,
    /// Where its requests may go.
    pub network: Arc<Network>,
    /// Ends the attempt, which then answers with an error of the kind `Interrupted`.
    pub stop: CancellationToken,
    /// What the attempt left itself when it was deferred.
    pub memo: Option<Json>,
}

/// How an attempt ended that did not fail.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It did its work.
    Done {
        /// Values for tasks after it; without secrets, at most [`OUTPUTS_BYTES_MAX`].
        outputs: Map<String, Json>,
        /// Files it leaves in the run's folder.
        artifacts: Vec<Artifact>,
    },
    /// It gives its slot back and goes on later.
    Deferred {
        /// When.
        until: Timestamp,
        /// What it wants to know then.
        memo: Json,
    },
    /// It is to be run for each of these.
    Expanded {
        /// The items.
        items: Vec<Json>,
    },
}

/// Checks the size of outputs and hides secrets in them.
fn outputs(map: Map<String, Json>, context: &TaskContext) -> Result<Map<String, Json>> {
    let mut outputs = Json::Object(map);
    let size = outputs.to_string().len();
    if size > OUTPUTS_BYTES_MAX {
        return Err(too_large(size));
    }
    context.redactor.json(&mut outputs);
    match outputs {
        Json::Object(map) => Ok(map),
        _ => Ok(Map::new()),
    }
}

fn too_large(size: usize) -> Error {
    Error::new(ErrorKind::Task, format!("the outputs take {size} bytes, and may take {OUTPUTS_BYTES_MAX}"))
        .advise("Write large results to a file in LEVADA_RUN_DIR, list it under `artifacts`, and hand on its name.")
}

/// That a task was stopped which does what nobody can take back.
fn stopped() -> Error {
    Error::new(ErrorKind::Interrupted, "stopped")
        .advise("What it had done by then stays; see its log before you run it again.")
}
