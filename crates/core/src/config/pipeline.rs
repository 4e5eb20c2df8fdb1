//! The pipeline document: parameters and a graph of tasks.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::amount::DurationText;
use super::sync::{Sync, SyncDocument};
use super::yaml::{Node, Value};

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
    /// Values that a run can be given, used as `${param.name}`.
    #[serde(default)]
    pub params: BTreeMap<String, Option<Param>>,
    /// Connections that only this pipeline uses; see the project document.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub connections: serde::de::IgnoredAny,
    /// The one task of a pipeline that has no more than this; `tasks` otherwise.
    pub sync: Option<SyncDocument>,
    /// The tasks by name.
    #[serde(default)]
    pub tasks: BTreeMap<String, TaskDocument>,
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
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "a parameter with the keys `type` and `default`")]
pub struct Param {
    /// What values look like.
    #[serde(rename = "type")]
    pub kind: ParamKind,
    /// The value of runs that give none; without it every run has to.
    #[serde(deserialize_with = "scalar")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub default: Option<String>,
    /// What it is for.
    pub description: Option<String>,
}

/// What the values of a parameter look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
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

/// One task.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a task such as `sync`")]
pub struct TaskDocument {
    /// Copies streams from one connection to another.
    pub sync: Option<SyncDocument>,
    /// Tasks that have to succeed first.
    #[serde(default)]
    pub after: Vec<String>,
    /// What happens when the task fails for a reason that may pass.
    #[serde(default)]
    pub retry: RetryDocument,
    /// How long one attempt may take, for instance `1h`.
    pub timeout: Option<DurationText>,
}

/// What happens when a task fails for a reason that may pass.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "a retry with the keys `attempts`, `backoff`, `initial` and `max`")]
pub struct RetryDocument {
    /// How often the task is tried in all; 3 by default.
    pub attempts: Option<u32>,
    /// How the pause grows: `exponential` (the default) or `constant`.
    pub backoff: Option<Backoff>,
    /// The first pause; `1s` by default.
    pub initial: Option<DurationText>,
    /// The longest pause; `1m` by default.
    pub max: Option<DurationText>,
}

/// How the pause between attempts grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// It doubles.
    #[default]
    Exponential,
    /// It stays the same.
    Constant,
}

/// A named graph of tasks, checked, its references resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    /// The name that the destinations remember positions by.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The tasks, each after those it waits for.
    pub tasks: Vec<Task>,
}

/// One task of a pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Its name.
    pub name: String,
    /// Tasks that have to succeed first.
    pub after: Vec<String>,
    /// What it does.
    pub sync: Sync,
    /// What happens when it fails for a reason that may pass.
    pub retry: Retry,
    /// How long one attempt may take.
    pub timeout: Option<Duration>,
}

/// What happens when a task fails for a reason that may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// How often it is tried in all, at least once.
    pub attempts: u32,
    /// How the pause grows.
    pub backoff: Backoff,
    /// The first pause.
    pub initial: Duration,
    /// The longest pause.
    pub max: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 3,
            backoff: Backoff::Exponential,
            initial: Duration::from_secs(1),
            max: Duration::from_secs(60),
        }
    }
}

impl Retry {
    /// The pause after the given number of failed attempts.
    pub fn pause(&self, failed: u32) -> Duration {
        let factor = match self.backoff {
            Backoff::Constant => 1,
            Backoff::Exponential => 2u32.saturating_pow(failed.saturating_sub(1)),
        };
        self.initial.saturating_mul(factor).min(self.max)
    }
}

impl From<&RetryDocument> for Retry {
    fn from(document: &RetryDocument) -> Self {
        let default = Self::default();
        let initial = document.initial.map_or(default.initial, |text| text.0);
        Self {
            attempts: document.attempts.unwrap_or(default.attempts).max(1),
            backoff: document.backoff.unwrap_or_default(),
            initial,
            max: document.max.map_or(default.max, |text| text.0).max(initial),
        }
    }
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

/// The tasks in an order in which each comes after those it waits for, or the names of tasks that wait for each other.
/// Tasks that are free to go keep the order given.
pub(super) fn in_order(tasks: &[(String, Vec<String>)]) -> Result<Vec<usize>, Vec<String>> {
    let mut order: Vec<usize> = Vec::new();
    while order.len() < tasks.len() {
        let next = (0..tasks.len()).find(|index| {
            !order.contains(index)
                && tasks[*index].1.iter().all(|name| order.iter().any(|done| tasks[*done].0 == *name))
        });
        match next {
            Some(index) => order.push(index),
            None => return Err(cycle(tasks, &order)),
        }
    }
    Ok(order)
}

/// One cycle among the tasks that are not done; there is one, as each of them waits for another of them.
fn cycle(tasks: &[(String, Vec<String>)], done: &[usize]) -> Vec<String> {
    let open: Vec<&(String, Vec<String>)> =
        tasks.iter().enumerate().filter(|(index, _)| !done.contains(index)).map(|(_, task)| task).collect();
    let Some(mut current) = open.first().copied() else { return Vec::new() };
    let mut path: Vec<String> = Vec::new();
    loop {
        if let Some(start) = path.iter().position(|name| *name == current.0) {
            path.push(current.0.clone());
            return path.split_off(start);
        }
        path.push(current.0.clone());
        match open.iter().find(|(name, _)| current.1.contains(name)) {
            Some(next) => current = next,
            None => return path,
        }
    }
}

/// The names of the tasks, in the order of the document.
pub(super) fn task_names(document: &Node) -> Vec<String> {
    match document.get("tasks").map(|tasks| &tasks.value) {
        Some(Value::Map(entries)) => entries.iter().map(|(key, _)| key.text.clone()).collect(),
        _ => Vec::new(),
    }
}

fn scalar<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    struct Scalar;
    impl serde::de::Visitor<'_> for Scalar {
        type Value = Option<String>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a single value")
        }

        fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
            Ok(Some(value.to_string()))
        }

        fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
            Ok(Some(value.to_string()))
        }

        fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
            Ok(Some(value.to_string()))
        }

        fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
            Ok(Some(value.to_string()))
        }

        fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
            Ok(Some(value.to_owned()))
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
    }
    deserializer.deserialize_any(Scalar)
}
