//! The pipeline document, as written: parameters, schedules, and a graph of tasks.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::amount::DurationText;
use super::backup::{Backup, Restore};
use super::quality::CheckDocument;
use super::retry::RetryDocument;
use super::schedule::ScheduleDocument;
use super::shorthand::{self, OneOrMany, Short};
use super::sql::SqlDocument;
use super::sync::SyncDocument;
use super::task::{Command, ForEachDocument, Http, Notify, StartPipeline, WaitDocument};
use crate::run::When;

/// A named graph of tasks, as written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a pipeline with the keys `version`, `name` and `tasks`")]
#[schemars(title = "Levada pipeline")]
pub struct PipelineDocument {
    /// The version of the format: 1.
    pub version: Version,
    /// The name that the destinations remember positions by; by default the file's name.
    pub name: Option<String>,
    /// What the pipeline is for.
    pub description: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Words to find it by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Runs of a higher priority go first; 0 by default.
    #[serde(default)]
    pub priority: i32,
    /// Runs of this pipeline at once, the others wait; by default 1 if it has a schedule, else without limit.
    pub concurrency: Option<u32>,
    /// Values that a run can be given, used as `${param.name}`.
    #[serde(default)]
    pub params: BTreeMap<String, Option<Param>>,
    /// When it runs by itself: a cron expression, a schedule, or a list of schedules.
    pub schedule: Option<OneOrMany<ScheduleDocument>>,
    /// What happens when a task fails for a reason that may pass, where the task itself does not say.
    pub retry: Option<RetryDocument>,
    /// Connections that only this pipeline uses; see the project document.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub connections: serde::de::IgnoredAny,
    /// The one task of a pipeline that has no more than this; `tasks` otherwise.
    pub sync: Option<SyncDocument>,
    /// The tasks by name.
    #[serde(default)]
    pub tasks: BTreeMap<String, TaskDocument>,
    /// What is done after all tasks if any of them failed.
    #[serde(default)]
    pub on_failure: Vec<TaskDocument>,
    /// What is done after all tasks if none of them failed.
    #[serde(default)]
    pub on_success: Vec<TaskDocument>,
}

/// The version of a document's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "u64")]
#[schemars(extend("const" = 1))]
pub struct Version(pub u64);

impl TryFrom<u64> for Version {
    type Error = String;

    fn try_from(version: u64) -> Result<Self, String> {
        if version == 1 {
            return Ok(Self(version));
        }
        Err(format!("version {version} of the format is not known\nWrite `version: 1`."))
    }
}

/// A parameter of a pipeline.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "a parameter with the keys `type` and `default`")]
pub struct Param {
    /// What values look like.
    #[serde(rename = "type")]
    pub kind: ParamKind,
    /// The value of runs that give none; without it every run has to.
    #[serde(deserialize_with = "shorthand::optional")]
    #[schemars(with = "Option<shorthand::Scalar>")]
    pub default: Option<String>,
    /// What it is for.
    pub description: Option<String>,
}

/// What the values of a parameter look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ParamKind {
    /// Any text.
    #[default]
    String,
    /// A whole number.
    Int,
    /// A number.
    Number,
    /// `true` or `false`.
    Bool,
    /// A day as `2026-01-31`.
    Date,
}

/// One task. It does exactly one thing.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "a task such as `sync` or `command`")]
pub struct TaskDocument {
    /// Copies streams from one connection to another.
    pub sync: Option<SyncDocument>,
    /// Executes a query over streams of connections, and loads its result.
    pub sql: Option<SqlDocument>,
    /// Tests what a dataset holds.
    pub check: Option<CheckDocument>,
    /// Runs a program or a script.
    pub command: Option<Command>,
    /// Sends one HTTP request.
    pub http: Option<Http>,
    /// Tells people through a channel of the project.
    pub notify: Option<Short<Notify>>,
    /// Starts another pipeline.
    pub pipeline: Option<Short<StartPipeline>>,
    /// Waits until something is so.
    pub wait: Option<WaitDocument>,
    /// Keeps the tables of a database, all of one moment, as files.
    pub backup: Option<Backup>,
    /// Makes the tables of a backup again, with their rows.
    pub restore: Option<Restore>,
    /// Runs the task once for each of several items, used as `${item}` and `${item.key}`.
    pub for_each: Option<ForEachDocument>,
    /// Tasks that have to end first.
    pub after: Vec<String>,
    /// How they have to end: `all_succeeded` (the default), `all_done` or `any_failed`.
    pub when: Option<When>,
    /// What happens when the task fails for a reason that may pass.
    pub retry: Option<RetryDocument>,
    /// How long one attempt may take, for instance `1h`.
    pub timeout: Option<DurationText>,
    /// The pool of the project of which it takes slots while it is at work.
    pub pool: Option<String>,
    /// How many slots of the pool; 1 by default.
    pub slots: Option<u32>,
    /// Added to the priority of the pipeline; 0 by default.
    pub priority: i32,
    /// Labels that a worker needs to get the task.
    pub runs_on: Vec<String>,
    /// What happens when the worker is lost: `retry` (the default) starts the task again, `fail` gives it up.
    pub on_lost: OnLost,
}

/// What happens to a task whose worker is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnLost {
    /// Another worker starts it again.
    #[default]
    Retry,
    /// It has failed: whether its effect was complete cannot be known.
    Fail,
}

impl ParamKind {
    /// Whether a text is such a value.
    pub fn accepts(self, text: &str) -> bool {
        match self {
            Self::String => true,
            Self::Int => text.parse::<i64>().is_ok(),
            Self::Number => text.parse::<f64>().is_ok_and(f64::is_finite),
            Self::Bool => matches!(text, "true" | "false"),
            Self::Date => text.len() == 10 && crate::text::parse_date(text).is_some(),
        }
    }

    /// What such a value looks like, in words.
    pub fn expectation(self) -> &'static str {
        match self {
            Self::String => "text",
            Self::Int => "a whole number",
            Self::Number => "a number",
            Self::Bool => "`true` or `false`",
            Self::Date => "a day such as 2026-01-31",
        }
    }
}
