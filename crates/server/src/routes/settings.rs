//! What is configured, to be read.

use levada_core::config::{self, Commands};
use levada_store::{Dialect, KeySource};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Nothing;
use crate::problem::Problem;
use crate::route::{Answer, Call};

/// What is configured.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Settings {
    /// The version of this program.
    pub version: String,
    /// The name of the project.
    pub project: Option<String>,
    /// The project's folder on this machine.
    pub project_folder: String,
    /// Where logs and the files of runs lie on this machine.
    pub data_folder: String,
    /// The metadata store.
    pub store: Store,
    /// What requests may take.
    pub limits: Limits,
    /// How long what ended is kept.
    pub retention: Retention,
    /// Whether pipelines may run programs: neither the project nor whoever started the server says that they may not.
    pub commands: bool,
    /// Where the master key of the secrets is.
    pub master_key: MasterKey,
}

/// Where the master key of the secrets is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MasterKey {
    /// In a file in the data folder.
    File,
    /// In the environment of the server and of every worker.
    Environment,
}

/// The metadata store.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Store {
    /// `sqlite` or `postgres`.
    pub database: String,
    /// The version of its tables.
    pub version: usize,
    /// Where it is, without user and password.
    pub place: String,
    /// Pipelines that are applied.
    pub pipelines: u64,
    /// Runs that have not ended.
    pub open_runs: u64,
    /// Workers that are signed on.
    pub workers: u64,
    /// Secrets that it keeps.
    pub secrets: u64,
}

/// What requests may take.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Limits {
    /// Bytes of a body that is not read as a stream.
    pub body_bytes_max: usize,
    /// Seconds that an operation may take that does not stream.
    pub time_max_s: u64,
    /// Requests a second of one caller.
    pub requests_per_caller: u32,
    /// Requests a second of one address, without a credential.
    pub requests_per_address: u32,
}

/// How long what ended is kept.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Retention {
    /// Seconds that runs and their history are kept.
    pub runs_s: u64,
    /// Seconds that logs are kept.
    pub logs_s: u64,
    /// Seconds that the files of runs are kept.
    pub artifacts_s: u64,
    /// Runs of one pipeline that are kept at most.
    pub runs_max: u32,
}

/// What is configured.
pub async fn get(call: Call<Nothing>) -> Result<Answer<Settings>, Problem> {
    let app = &call.app;
    let (_, file) = app.project_with_file().await?;
    let project = config::Project::of(file.as_deref()).within(app.commands);
    let (limits, retention) = (app.limits, project.retention);
    Ok(Settings {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        project: project.name,
        project_folder: app.project_dir.display().to_string(),
        data_folder: app.data_dir.display().to_string(),
        store: Store {
            database: match app.store.dialect() {
                Dialect::Sqlite => "sqlite",
                Dialect::Postgres => "postgres",
            }
            .to_owned(),
            version: app.store.version(),
            place: app.store.place().to_owned(),
            pipelines: app.store.pipelines().await?.len() as u64,
            open_runs: app.store.open_runs().await?.values().sum(),
            workers: app.store.workers().await?.len() as u64,
            secrets: app.store.secret_names().await?.len() as u64,
        },
        limits: Limits {
            body_bytes_max: limits.body_bytes_max,
            time_max_s: limits.time_max.as_secs(),
            requests_per_caller: limits.rate.caller,
            requests_per_address: limits.rate.address,
        },
        retention: Retention {
            runs_s: retention.runs.as_secs(),
            logs_s: retention.logs.as_secs(),
            artifacts_s: retention.artifacts.as_secs(),
            runs_max: retention.keep,
        },
        commands: project.commands == Commands::Enabled,
        master_key: match KeySource::find(&app.data_dir)? {
            KeySource::File(_) => MasterKey::File,
            KeySource::Given(_) => MasterKey::Environment,
        },
    }
    .into())
}
