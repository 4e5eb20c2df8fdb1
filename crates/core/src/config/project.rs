//! The project document: named connections, and what all pipelines share. Settings of connections and channels stay as
//! written until one is used, so that a missing variable of one never stops work with another.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value as Json;

use super::amount::DurationText;
use super::collection::{Collection, CollectionDocument};
use super::decode::{self, Misfit};
use super::document::Version;
use super::file::File;
use super::interpolate::{self, Late, Variables};
use super::lineage::{Lineage, LineageDocument};
use super::report::{Report, ReportDocument};
use super::task::Channel;
use super::yaml::{Key, Mark, Node, Value};
use super::{LAKE, LAKE_FOLDER};
use crate::error::{Error, ErrorKind, Result};

/// What all pipelines share, as written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a project with the keys `version` and `connections`")]
#[schemars(title = "Levada project")]
pub struct ProjectDocument {
    /// The version of the format: 1.
    pub version: Version,
    /// The name of the project.
    pub name: Option<String>,
    /// Connections by name.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Json>")]
    pub connections: serde::de::IgnoredAny,
    /// Pools by name, each with the number of its slots: tasks that name a pool share them.
    #[serde(default)]
    pub pools: BTreeMap<String, u32>,
    /// Ways to tell people, by name.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Channel>")]
    pub channels: serde::de::IgnoredAny,
    /// How long what ended is kept.
    pub retention: Option<RetentionDocument>,
    /// Whether pipelines may run programs of this machine: `enabled` (the default) or `disabled`.
    pub commands: Option<Commands>,
    /// Who is told of runs and of what they read and wrote, as OpenLineage events.
    #[serde(default)]
    #[schemars(with = "Option<LineageDocument>")]
    pub lineage: serde::de::IgnoredAny,
    /// Typed tables that the data API serves, by name.
    #[serde(default)]
    pub collections: BTreeMap<String, CollectionDocument>,
    /// Queries that the data API serves, by name.
    #[serde(default)]
    pub reports: BTreeMap<String, ReportDocument>,
}

/// How long what ended is kept, as written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "a retention with the keys `runs`, `logs`, `artifacts` and `keep`")]
pub struct RetentionDocument {
    /// Runs and their history; `90d` by default.
    pub runs: Option<DurationText>,
    /// Logs; `30d` by default.
    pub logs: Option<DurationText>,
    /// Files that commands left; `30d` by default.
    pub artifacts: Option<DurationText>,
    /// Most runs of one pipeline; 1000 by default.
    pub keep: Option<u32>,
}

/// Whether pipelines may run programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Commands {
    /// They may.
    #[default]
    Enabled,
    /// A pipeline with a `command` is refused.
    Disabled,
    /// It is, whatever documents say: whoever started this process said so.
    #[serde(skip)]
    Forbidden,
}

impl Commands {
    /// Why a command is refused, and what helps; none if it is not.
    pub const fn refusal(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Enabled => None,
            Self::Disabled => {
                Some(("this project runs no commands", "Set `commands: enabled` in the project, or remove it."))
            }
            Self::Forbidden => Some((
                "commands are switched off here, whatever documents say",
                "Remove it; only whoever starts Levada can allow it, without `--no-commands` and `LEVADA_NO_COMMANDS`.",
            )),
        }
    }
}

/// How long what ended is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Runs and their history.
    pub runs: Duration,
    /// Logs.
    pub logs: Duration,
    /// Files that commands left.
    pub artifacts: Duration,
    /// Most runs of one pipeline.
    pub keep: u32,
}

/// What all pipelines share.
#[derive(Debug, Clone, Default)]
pub struct Project {
    /// Its name.
    pub name: Option<String>,
    /// Connections, in the order of the files.
    pub connections: Vec<Connection>,
    /// The slots of the pools by name.
    pub pools: BTreeMap<String, u32>,
    /// Channels by name.
    pub channels: Vec<NamedChannel>,
    /// How long what ended is kept.
    pub retention: Retention,
    /// Whether pipelines may run programs.
    pub commands: Commands,
    /// Who is told of runs and of what they read and wrote.
    pub lineage: Option<Lineage>,
    /// Typed tables that the data API serves.
    pub collections: Vec<Collection>,
    /// Queries that the data API serves.
    pub reports: Vec<Report>,
}

impl Project {
    /// What files say together. What one says goes before what a later one says; if any of them disables commands, they
    /// are.
    pub fn of<'a>(files: impl IntoIterator<Item = &'a File>) -> Self {
        let mut project = Self::default();
        let mut retention = RetentionDocument::default();
        for file in files {
            let said = &file.project;
            for connection in &file.connections {
                if project.connections.iter().all(|known| known.name != connection.name) {
                    project.connections.push(connection.clone());
                }
            }
            for channel in &said.channels {
                if project.channels.iter().all(|known| known.name != channel.name) {
                    project.channels.push(channel.clone());
                }
            }
            // what the data API serves is said in one place
            if project.collections.is_empty() && project.reports.is_empty() {
                project.collections.clone_from(&said.collections);
                project.reports.clone_from(&said.reports);
            }
            for (name, slots) in &said.pools {
                project.pools.entry(name.clone()).or_insert(*slots);
            }
            project.name = project.name.or_else(|| said.name.clone());
            project.lineage = project.lineage.or_else(|| said.lineage.clone());
            retention = retention.or(said.retention);
            project.commands = project.commands.max(said.commands);
        }
        project.retention = Retention::from(retention);
        project
    }

    /// The same in a process that allows this much: no document allows more.
    #[must_use]
    pub fn within(mut self, commands: Commands) -> Self {
        self.commands = self.commands.max(commands);
        self
    }
}

impl RetentionDocument {
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            runs: self.runs.or(other.runs),
            logs: self.logs.or(other.logs),
            artifacts: self.artifacts.or(other.artifacts),
            keep: self.keep.or(other.keep),
        }
    }
}

impl Default for Retention {
    fn default() -> Self {
        let days = |days: u64| Duration::from_secs(days * 86_400);
        Self { runs: days(90), logs: days(30), artifacts: days(30), keep: 1_000 }
    }
}

impl From<RetentionDocument> for Retention {
    fn from(document: RetentionDocument) -> Self {
        let default = Self::default();
        Self {
            runs: document.runs.map_or(default.runs, |text| text.0),
            logs: document.logs.map_or(default.logs, |text| text.0),
            artifacts: document.artifacts.map_or(default.artifacts, |text| text.0),
            keep: document.keep.unwrap_or(default.keep),
        }
    }
}

/// What one file says about the project, apart from connections.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    pub name: Option<String>,
    pub pools: BTreeMap<String, u32>,
    pub channels: Vec<NamedChannel>,
    pub retention: RetentionDocument,
    pub commands: Commands,
    pub lineage: Option<Lineage>,
    pub collections: Vec<Collection>,
    pub reports: Vec<Report>,
}

/// One named way to tell people, as written.
#[derive(Debug, Clone)]
pub struct NamedChannel {
    /// Its name.
    pub name: String,
    file: String,
    node: Node,
}

impl NamedChannel {
    pub(super) fn new(file: &str, key: &Key, node: &Node) -> Self {
        Self { name: key.text.clone(), file: file.to_owned(), node: node.clone() }
    }

    /// Resolves the references.
    ///
    /// # Errors
    /// `Config`, with file, line and column; one for each reference that cannot be resolved.
    pub fn settings(&self, variables: &Variables<'_>) -> Result<Channel, Vec<Error>> {
        let filled = interpolate::fill(&self.file, &self.node, variables, Late::Refused)?;
        decode::decode(&filled).map_err(|misfit| vec![misfit.in_file(&self.file)])
    }

    /// Says what can be said without resolving anything.
    pub(super) fn check_shape(&self) -> Result<(), Misfit> {
        match decode::decode::<Channel>(&self.node) {
            // a number that is given by reference is no mistake yet
            Err(misfit) if misfit.mark.is_some_and(|mark| self.node.has_reference_at(mark)) => Ok(()),
            result => result.map(|_| ()),
        }
    }
}

/// One named connection, as written.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Its name.
    pub name: String,
    file: String,
    mark: Mark,
    node: Node,
}

/// What a connection says, its references resolved.
#[derive(Debug, Clone, PartialEq)]
pub enum Settings {
    /// The connector's `type`, and its settings.
    Typed {
        /// The name of the connector.
        connector: String,
        /// Its settings, a JSON object.
        settings: Json,
    },
    /// A URL or a path, which tells the connector by itself.
    Url(String),
}

impl Connection {
    pub(super) fn new(file: &str, key: &Key, node: &Node) -> Self {
        Self { name: key.text.clone(), file: file.to_owned(), mark: key.mark, node: node.clone() }
    }

    /// The lake of a project that names no connection.
    pub(super) fn lake(file: &str) -> Self {
        let mark = Mark { line: 1, column: 1 };
        let node = Node { mark, value: Value::Text(format!("delta:./{LAKE_FOLDER}")) };
        Self { name: LAKE.to_owned(), file: file.to_owned(), mark, node }
    }

    /// Resolves the references.
    ///
    /// # Errors
    /// `Config`, with file, line and column; one for each reference that cannot be resolved.
    pub fn settings(&self, variables: &Variables<'_>) -> Result<Settings, Vec<Error>> {
        let filled = interpolate::fill(&self.file, &self.node, variables, Late::Refused)?;
        self.typed(&filled).map_err(|error| vec![error])
    }

    /// What the document says, its references as they are written.
    ///
    /// # Errors
    /// `Config`, with file, line and column.
    pub fn written(&self) -> Result<Settings> {
        self.typed(&self.node)
    }

    /// Says what can be said without resolving anything.
    pub(super) fn check_shape(&self) -> Result<()> {
        self.written().map(|_| ())
    }

    fn typed(&self, node: &Node) -> Result<Settings> {
        let wrong = |mark: Mark, message: &str| {
            Error::new(ErrorKind::Config, message)
                .at(mark.in_file(&self.file))
                .advise("Write `{ type: .., ..settings }`, or a URL.")
        };
        let entries = match &node.value {
            Value::Text(url) | Value::Filled(url) => return Ok(Settings::Url(url.clone())),
            Value::Map(entries) => entries,
            _ => return Err(wrong(self.mark, &format!("the connection `{}` has no settings", self.name))),
        };
        let connector = match node.get("type") {
            Some(Node { value: Value::Text(text) | Value::Filled(text), .. }) => text.clone(),
            Some(other) => return Err(wrong(other.mark, "the `type` of a connection is the name of a connector")),
            None => return Err(wrong(self.mark, &format!("the connection `{}` has no `type`", self.name))),
        };
        let others = entries.iter().filter(|(key, _)| key.text != "type").cloned().collect();
        let settings = Node { mark: node.mark, value: Value::Map(others) }.to_json();
        Ok(Settings::Typed { connector, settings })
    }

    /// Where an error about this connection belongs: at the first setting its message names, else at the connection.
    pub fn place(&self, error: &Error) -> String {
        let named = error.message().split('`').skip(1).step_by(2);
        let entry = named.filter_map(|word| self.node.entry(word)).next();
        entry.map_or(self.mark, |(key, _)| key.mark).in_file(&self.file)
    }
}
