//! What the tasks of a pipeline do, apart from syncs, as written in the document. Durations and sizes carry their units;
//! what may hold a secret is a [`Secret`].

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value as Json;

use super::amount::{BytesText, DurationText};
use super::shorthand::{self, FromText};
use crate::secret::Secret;

/// Runs a program, or a script with an interpreter of one's choice.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "a command with the key `argv` or `script`")]
#[schemars(title = "Command")]
pub struct Command {
    /// The program and its arguments; no shell reads them.
    #[serde(deserialize_with = "shorthand::list")]
    #[schemars(with = "Vec<shorthand::Scalar>")]
    pub argv: Vec<String>,
    /// The text of a script, in place of `argv`.
    pub script: Option<String>,
    /// What reads the script: a program with its arguments; `sh` by default.
    pub interpreter: Option<String>,
    /// Environment variables. Nothing else is inherited but PATH, HOME, LANG, TZ and TMPDIR.
    #[serde(deserialize_with = "shorthand::map")]
    #[schemars(with = "BTreeMap<String, shorthand::Scalar>")]
    pub env: BTreeMap<String, Secret>,
    /// The folder to start in; by default the project's.
    pub dir: Option<String>,
    /// Most memory the program and its children may take together, for instance `512MB`.
    pub memory: Option<BytesText>,
    /// Most bytes of output that are kept, for instance `10MB`; what goes beyond ends the task. `64MB` by default.
    pub output: Option<BytesText>,
    /// Files to keep when it has ended, as paths or wildcards in the folder named by LEVADA_RUN_DIR.
    pub artifacts: Vec<String>,
    /// Exit codes that mean success; `[0]` by default.
    pub success: Option<Vec<i32>>,
    /// How long it has between the request to end and being killed; `7s` by default.
    pub grace: Option<DurationText>,
}

/// Sends one HTTP request.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a request with the key `url`")]
#[schemars(title = "HTTP request")]
pub struct Http {
    /// `GET` by default, `POST` with a body.
    pub method: Option<String>,
    /// Where to.
    pub url: String,
    /// Headers by name.
    #[serde(default, deserialize_with = "shorthand::map")]
    #[schemars(with = "BTreeMap<String, shorthand::Scalar>")]
    pub headers: BTreeMap<String, Secret>,
    /// Parameters of the query by name.
    #[serde(default, deserialize_with = "shorthand::map")]
    #[schemars(with = "BTreeMap<String, shorthand::Scalar>")]
    pub query: BTreeMap<String, String>,
    /// The body as text.
    pub body: Option<String>,
    /// The body as JSON, in place of `body`.
    pub json: Option<Json>,
    /// Who asks.
    pub auth: Option<HttpAuth>,
    /// The statuses that mean success, for instance `200` or `2xx`; `2xx` by default.
    #[serde(default, deserialize_with = "shorthand::list")]
    #[schemars(with = "Vec<shorthand::Scalar>")]
    pub expect: Vec<String>,
    /// Outputs by name, each the JSON pointer (RFC 6901) of a value in the answer.
    #[serde(default)]
    pub outputs: BTreeMap<String, String>,
    /// Whether addresses of this machine and of private networks may be asked.
    #[serde(default)]
    pub private: bool,
}

/// Who sends a request.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", expecting = "`basic` or `bearer`")]
pub enum HttpAuth {
    /// A user and a password (RFC 7617).
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A token (RFC 6750).
    Bearer(Secret),
}

/// Tells people through a channel of the project.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a notification with the keys `channel` and `text`")]
#[schemars(title = "Notification")]
pub struct Notify {
    /// The channel, from `channels` of the project document.
    pub channel: String,
    /// The heading; by default the pipeline and how it went.
    pub title: Option<String>,
    /// The text; by default what failed and why.
    pub text: Option<String>,
}

/// A way to tell people.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", expecting = "`webhook`, `slack` or `email`")]
#[schemars(title = "Channel")]
pub enum Channel {
    /// POST of JSON with `pipeline`, `run`, `state`, `title` and `text` to a URL.
    Webhook(Secret),
    /// POST of `{"text": ..}` to a URL, as Slack and those who follow it take it.
    Slack(Secret),
    /// E-mail over SMTP.
    Email(Email),
}

/// E-mail over SMTP (RFC 5321).
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "e-mail with the keys `host`, `from` and `to`")]
pub struct Email {
    /// The server.
    pub host: String,
    /// Its port; by default 465 with `tls: always`, 587 with `tls: start`, 25 with `tls: never`.
    pub port: Option<u16>,
    /// When the connection is encrypted.
    #[serde(default)]
    pub tls: EmailTls,
    /// The user, where the server asks for one.
    pub user: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// Who sends.
    pub from: String,
    /// Who gets it.
    pub to: Vec<String>,
}

/// When a connection for e-mail is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EmailTls {
    /// After a greeting in the clear (STARTTLS, RFC 3207), or not at all: then the mail is not sent.
    #[default]
    Start,
    /// From the first byte (RFC 8314).
    Always,
    /// Never.
    Never,
}

/// Starts another pipeline.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a start with the keys `name` and `params`")]
#[schemars(title = "Start of a pipeline")]
pub struct StartPipeline {
    /// The pipeline.
    pub name: String,
    /// Its parameters.
    #[serde(default, deserialize_with = "shorthand::map")]
    #[schemars(with = "BTreeMap<String, shorthand::Scalar>")]
    pub params: BTreeMap<String, String>,
    /// Whether the task ends with the run it started, and as that run ends; `true` by default.
    #[serde(default = "yes")]
    pub wait: bool,
}

/// Waits until something is so; holds no worker meanwhile.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a wait with one of the keys `for`, `until`, `file`, `query` and `dataset`")]
#[schemars(title = "Wait")]
pub struct WaitDocument {
    /// For a time, for instance `10m`.
    #[serde(rename = "for")]
    pub duration: Option<DurationText>,
    /// Until an instant, for instance `2026-01-31T08:00:00Z`.
    pub until: Option<String>,
    /// Until a file or object is there.
    pub file: Option<FilePattern>,
    /// Until the first value of a query's first row is true, not zero and not null.
    pub query: Option<Query>,
    /// Until a dataset, as `connection.stream`, was loaded.
    pub dataset: Option<String>,
    /// How old the dataset's last load may be.
    pub within: Option<DurationText>,
    /// How often to look; `30s` by default.
    pub every: Option<DurationText>,
}

/// Files of a connection.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "files with the keys `connection` and `path`")]
pub struct FilePattern {
    /// The connection.
    pub connection: String,
    /// The path or wildcard, as `sync` takes it for a stream.
    pub path: String,
}

/// A query on a connection.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a query with the keys `connection` and `sql`")]
pub struct Query {
    /// The connection.
    pub connection: String,
    /// The statement, which can only read.
    pub sql: String,
}

/// One task run for each of several items.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "items with one of the keys `list`, `dates`, `query`, `files` and `outputs`")]
#[schemars(title = "Items")]
pub struct ForEachDocument {
    /// The items themselves.
    pub list: Option<Vec<Json>>,
    /// Days or other steps of time; `to` is included.
    pub dates: Option<Dates>,
    /// The rows of a query; `${item.column}` is a value, `${item}` the first one.
    pub query: Option<Query>,
    /// The files that match; `${item}` is the path.
    pub files: Option<FilePattern>,
    /// A list among the outputs of a task before, for instance `${tasks.find.outputs.names}`.
    pub outputs: Option<String>,
    /// Most items; more are an error. 1000 by default.
    pub max: Option<u32>,
    /// How many are at work at once; by default as many as workers allow.
    pub concurrency: Option<u32>,
}

/// Steps of time.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "dates with the keys `from` and `to`")]
pub struct Dates {
    /// The first.
    pub from: String,
    /// The last that may be.
    pub to: String,
    /// `day` by default.
    #[serde(default)]
    pub every: Step,
}

/// A step of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// An hour.
    Hour,
    /// A day.
    #[default]
    Day,
    /// Seven days.
    Week,
    /// A month of the calendar.
    Month,
}

impl FromText for Notify {
    const EXPECTED: &'static str = "a channel's name, or a notification with the keys `channel` and `text`";

    fn from_text(channel: &str) -> Result<Self, String> {
        Ok(Self { channel: channel.to_owned(), title: None, text: None })
    }
}

impl FromText for StartPipeline {
    const EXPECTED: &'static str = "a pipeline's name, or a start with the keys `name` and `params`";

    fn from_text(name: &str) -> Result<Self, String> {
        Ok(Self { name: name.to_owned(), params: BTreeMap::new(), wait: true })
    }
}

fn yes() -> bool {
    true
}
