//! The documents: what a person writes, checked against every rule that can be told without touching a system. Text in,
//! typed values or errors with file, line and column out; reading files is the caller's work.
//!
//! [`File::parse`] reads a file, [`Project::of`] puts together what files say of the project, [`File::check`] and
//! [`File::pipeline`] check a pipeline against it, [`check_pipelines`] all pipelines of a project, and [`File::task`]
//! resolves every reference of one task that is about to be carried out.

pub mod amount;
mod auth;
mod backup;
mod check;
mod collection;
mod credentials;
mod decode;
mod document;
pub mod edit;
mod file;
mod interpolate;
mod json_schema;
mod lineage;
mod masked;
mod order;
mod pipeline;
mod pipelines;
mod problem;
mod project;
mod quality;
mod reference;
mod report;
mod retry;
mod schedule;
mod settings;
mod share;
mod shorthand;
mod sql;
mod sync;
mod task;
mod work;
mod yaml;

pub use auth::{AUTH_FILE, AuthDocument, OidcSettings};
pub use backup::{Backup, Restore};
pub use collection::{Access, Collection, CollectionDocument, ColumnDocument};
pub use credentials::{MASKED, replace_secrets, replace_secrets_in_address};
pub use document::{OnLost, Param, ParamKind, PipelineDocument, TaskDocument};
pub use file::File;
pub use interpolate::{Runtime, Variables, env_name, secret_names};
pub use json_schema::{pipeline_schema, project_schema};
pub use lineage::{DatasetNames, Lineage, LineageDocument, LineageHttp, LineageNames, is_file_name};
pub use masked::masked;
pub use pipeline::{Pipeline, Task};
pub use pipelines::{at_stream, check_pipelines, in_task};
pub use problem::Problem;
pub use project::{Commands, Connection, NamedChannel, Project, ProjectDocument, Retention, Settings};
pub use quality::{
    AcceptedValues, CHECK_MEMORY_BYTES_DEFAULT, CheckDocument, DataTest, DatasetCheck, DatasetName, OVER_MAX, Pattern,
    Range, Rule, TestQuery,
};
pub use reference::{Reference, RunKey};
pub use report::{Report, ReportDocument, ReportFormat, ReportParam};
pub use retry::{Backoff, Retry, RetryDocument};
pub use schedule::{EndState, Schedule, ScheduleDocument, Trigger};
pub use settings::fit_settings;
pub use share::{Allowed, Share};
pub use sql::{SQL_MEMORY_BYTES_DEFAULT, Sql, SqlDocument, SqlEngine, SqlTarget};
pub use sync::{
    Columns, MEMORY_BYTES_DEFAULT, OnBadRow, Parallel, ReadKind, StreamDocument, StreamOptions, Streams, Sync,
    SyncDocument, Verify,
};
pub use task::{
    Channel, Command, Dates, Email, EmailTls, FilePattern, ForEachDocument, Http, HttpAuth, Notify, Query,
    StartPipeline, Step, WaitDocument,
};
pub use work::{Condition, ForEach, ITEMS_MAX_DEFAULT, Items, WAIT_EVERY_DEFAULT, Wait, Work};

/// The file that holds what all pipelines of a project share.
pub const PROJECT_FILE: &str = "levada.yaml";
/// The connection of a project that names none.
const LAKE: &str = "lake";
/// Where the tables of that connection are, below the project's folder.
pub const LAKE_FOLDER: &str = ".levada/lake";
