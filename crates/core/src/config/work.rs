//! What a task does, checked: one kind of work, one condition to wait for, one source of items. The rules of each kind
//! that can be told from its own text.

use std::time::Duration;

use percent_encoding::percent_decode_str;
use serde_json::Value as Json;
use url::Url;

use super::backup::{Backup, Restore};
use super::credentials::{is_telling, replace_secrets_in_address};
use super::interpolate::{is_late, too_late};
use super::problem::{Problem, Problems};
use super::quality::DatasetCheck;
use super::sql::Sql;
use super::sync::Sync;
use super::task::{
    Command, Dates, FilePattern, ForEachDocument, Http, HttpAuth, Notify, Query, StartPipeline, WaitDocument,
};
use crate::time::Timestamp;

/// How often a wait looks, where the document says nothing.
pub const WAIT_EVERY_DEFAULT: Duration = Duration::from_secs(30);
/// Most items of a task, where the document says nothing.
pub const ITEMS_MAX_DEFAULT: u32 = 1_000;
/// Most items that a document can ask for.
const ITEMS_MAX: u32 = 100_000;

/// What a task does.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    /// Copies streams from one connection to another.
    Sync(Sync),
    /// Loads the result of a query.
    Sql(Sql),
    /// Tests what a dataset holds.
    Check(DatasetCheck),
    /// Runs a program or a script.
    Command(Command),
    /// Sends one HTTP request.
    Http(Http),
    /// Tells people.
    Notify(Notify),
    /// Starts another pipeline.
    Pipeline(StartPipeline),
    /// Waits until something is so.
    Wait(Wait),
    /// Keeps the tables of a database as files.
    Backup(Backup),
    /// Makes the tables of a backup again.
    Restore(Restore),
}

impl Work {
    /// The secrets that the document says in plain or that stand in it by now: by their place, or by what they are called.
    pub fn secrets(&self) -> Vec<String> {
        let mut found = Vec::new();
        match self {
            Self::Command(command) => {
                let telling = command.env.iter().filter(|(name, _)| is_telling(name));
                found.extend(telling.map(|(_, value)| value.expose().to_owned()));
            }
            Self::Http(http) => {
                match &http.auth {
                    Some(HttpAuth::Basic { password: secret, .. } | HttpAuth::Bearer(secret)) => {
                        found.push(secret.expose().to_owned());
                    }
                    None => {}
                }
                let telling = http.headers.iter().filter(|(name, _)| is_telling(name));
                found.extend(telling.map(|(_, value)| value.expose().to_owned()));
                found.extend(http.query.iter().filter(|(name, _)| is_telling(name)).map(|(_, value)| value.clone()));
                replace_secrets_in_address(&http.url, &Json::Null, &mut |_, secret| {
                    found.push(percent_decode_str(secret).decode_utf8_lossy().into_owned());
                    found.push(secret.to_owned());
                    None
                });
            }
            Self::Sync(_)
            | Self::Sql(_)
            | Self::Check(_)
            | Self::Notify(_)
            | Self::Pipeline(_)
            | Self::Wait(_)
            | Self::Backup(_)
            | Self::Restore(_) => {}
        }
        found
    }
}

/// Waits until something is so.
#[derive(Debug, Clone, PartialEq)]
pub struct Wait {
    /// What has to be so.
    pub condition: Condition,
    /// How often to look.
    pub every: Duration,
}

/// What a task waits for.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// So much time since the task was first started.
    For(Duration),
    /// An instant.
    Until(Timestamp),
    /// A file or object that is there.
    File(FilePattern),
    /// A query whose first value is true, not zero and not null.
    Query(Query),
    /// A dataset that was loaded.
    Dataset {
        /// The dataset, as `connection.stream`.
        name: String,
        /// How old the load may be.
        within: Option<Duration>,
    },
}

/// The items that a task is run for.
#[derive(Debug, Clone, PartialEq)]
pub struct ForEach {
    /// Where they come from.
    pub items: Items,
    /// Most items; more are an error.
    pub max: u32,
    /// How many are at work at once.
    pub concurrency: Option<u32>,
}

/// Where items come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Items {
    /// The document.
    List(Vec<Json>),
    /// Steps of time.
    Dates(Dates),
    /// The rows of a query.
    Query(Query),
    /// The files that match.
    Files(FilePattern),
    /// A list among the outputs of a task before: a reference, and once the task runs the list as JSON text.
    Outputs(String),
}

impl Work {
    /// The key in the document that says what is done.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Sync(_) => "sync",
            Self::Sql(_) => "sql",
            Self::Check(_) => "check",
            Self::Command(_) => "command",
            Self::Http(_) => "http",
            Self::Notify(_) => "notify",
            Self::Pipeline(_) => "pipeline",
            Self::Wait(_) => "wait",
            Self::Backup(_) => "backup",
            Self::Restore(_) => "restore",
        }
    }

    /// The sync, if that is what is done.
    pub fn as_sync(&self) -> Option<&Sync> {
        match self {
            Self::Sync(sync) => Some(sync),
            _ => None,
        }
    }

    /// Whether it is tried again unasked: nothing of an attempt that failed is in its way.
    pub fn can_be_repeated(&self) -> bool {
        matches!(self, Self::Sync(_) | Self::Sql(_) | Self::Backup(_) | Self::Restore(_))
    }

    /// How streams are loaded, if that is what is done: those of a sync, or the one that is a query's result.
    pub fn load(&self) -> Option<&Sync> {
        match self {
            Self::Sync(sync) => Some(sync),
            Self::Sql(sql) => Some(&sql.load),
            _ => None,
        }
    }
}

impl Command {
    /// Checks the rules.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = Problems::default();
        match (self.argv.is_empty(), &self.script) {
            (true, None) => {
                let advice = "Write `argv: [program, argument]`, or a `script`.";
                problems.add(&[], "the command has nothing to run", advice);
            }
            (false, Some(_)) => {
                let advice = "Keep one of them; a script gets no arguments.";
                problems.add(&["script"], "`argv` and `script` exclude each other", advice);
            }
            _ => {}
        }
        if self.argv.first().is_some_and(|program| program.trim().is_empty()) {
            problems.add(&["argv"], "the name of the program is empty", "Write `argv: [program, argument]`.");
        }
        if self.interpreter.is_some() && self.script.is_none() {
            problems.add(&["interpreter"], "an `interpreter` needs a `script`", "Write `argv` with the program first.");
        }
        for (name, value) in &self.env {
            let legal = !name.is_empty() && !name.contains(['=', '\0']);
            if !legal || value.expose().contains('\0') {
                let message = format!("`{name}` cannot be an environment variable");
                problems.add(&["env", name], &message, "Use letters, digits and `_`.");
            }
        }
        for (key, bytes) in [("memory", self.memory), ("output", self.output)] {
            if bytes.is_some_and(|bytes| bytes.0 == 0) {
                problems.add(&[key], "nothing can run with that little", "Give a size such as `64MB`.");
            }
        }
        if self.success.as_ref().is_some_and(Vec::is_empty) {
            problems.add(&["success"], "no exit code would mean success", "Write `success: [0]`.");
        }
        problems.0
    }
}

impl Http {
    /// Checks the rules.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = Problems::default();
        let is_http = |text: &str| Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        if !is_late(&self.url) && !is_http(&self.url) {
            // the text may hold a secret, and is not repeated
            problems.add(&["url"], "this is not the URL of a request", "Write `https://host/path`.");
        }
        if let Some(method) = self.method.as_deref().filter(|method| !is_late(method))
            && (method.is_empty() || !method.chars().all(|c| c.is_ascii_uppercase()))
        {
            problems.add(&["method"], &format!("`{method}` is not a method"), "Write for instance `POST`.");
        }
        if self.body.is_some() && self.json.is_some() {
            problems.add(&["json"], "`body` and `json` exclude each other", "Keep one of them.");
        }
        for status in self.expect.iter().filter(|status| !is_late(status)) {
            let digits = status.as_bytes();
            let legal = matches!(digits, [b'1'..=b'5', b'x', b'x'])
                || matches!(digits, [b'1'..=b'5', b'0'..=b'9', b'0'..=b'9']);
            if !legal {
                problems.add(&["expect"], &format!("`{status}` is not a status"), "Write for instance `200` or `2xx`.");
            }
        }
        for (name, pointer) in self.outputs.iter().filter(|(_, pointer)| !is_late(pointer)) {
            if !pointer.is_empty() && !pointer.starts_with('/') {
                let message = format!("`{pointer}` is not a JSON pointer");
                problems.add(&["outputs", name], &message, "Write for instance `/data/0/id`, or `\"\"` for all.");
            }
        }
        problems.0
    }
}

impl WaitDocument {
    /// Applies defaults and rules.
    pub(super) fn resolve(&self) -> Result<Wait, Vec<Problem>> {
        let mut problems = Problems::default();
        let until = self.until.as_ref().map(|text| match Timestamp::parse(text) {
            Some(instant) => Condition::Until(instant),
            None => {
                let advice = "Write for instance `2026-01-31T08:00:00Z`.";
                let message = if is_late(text) { too_late(text) } else { format!("`{text}` is not an instant") };
                problems.add(&["until"], &message, advice);
                Condition::Until(Timestamp::default())
            }
        });
        let dataset = self.dataset.clone();
        let within = self.within.map(|text| text.0);
        let given = [
            ("for", self.duration.map(|text| Condition::For(text.0))),
            ("until", until),
            ("file", self.file.clone().map(Condition::File)),
            ("query", self.query.clone().map(Condition::Query)),
            ("dataset", dataset.map(|name| Condition::Dataset { name, within })),
        ];
        let condition = only_one(given, "the wait", &mut problems);
        if self.within.is_some() && self.dataset.is_none() {
            problems.add(&["within"], "`within` needs a `dataset`", "Remove it; `timeout` limits any task.");
        }
        let every = self.every.map_or(WAIT_EVERY_DEFAULT, |text| text.0);
        if every < Duration::from_millis(100) {
            problems.add(&["every"], "that is too often", "Give at least `100ms`.");
        }
        match condition {
            Some(condition) if problems.0.is_empty() => Ok(Wait { condition, every }),
            _ => Err(problems.0),
        }
    }
}

impl ForEachDocument {
    /// Applies defaults and rules.
    pub(super) fn resolve(&self) -> Result<ForEach, Vec<Problem>> {
        let mut problems = Problems::default();
        let given = [
            ("list", self.list.clone().map(Items::List)),
            ("dates", self.dates.clone().map(Items::Dates)),
            ("query", self.query.clone().map(Items::Query)),
            ("files", self.files.clone().map(Items::Files)),
            ("outputs", self.outputs.clone().map(Items::Outputs)),
        ];
        let items = only_one(given, "`for_each`", &mut problems);
        let max = self.max.unwrap_or(ITEMS_MAX_DEFAULT);
        if !(1..=ITEMS_MAX).contains(&max) {
            problems.add(&["max"], "that is no number of items", &format!("Give one from 1 to {ITEMS_MAX}."));
        }
        if self.concurrency == Some(0) {
            problems.add(&["concurrency"], "no item would ever be at work", "Give at least 1.");
        }
        match &items {
            Some(Items::List(list)) if list.len() > max as usize => {
                let message = format!("there are {} items, and `max` is {max}", list.len());
                problems.add(&["list"], &message, "Raise `max`, or make the list shorter.");
            }
            Some(Items::Dates(dates)) => dates.check(&mut problems),
            _ => {}
        }
        match items {
            Some(items) if problems.0.is_empty() => Ok(ForEach { items, max, concurrency: self.concurrency }),
            _ => Err(problems.0),
        }
    }
}

impl Dates {
    fn check(&self, problems: &mut Problems) {
        let mut instant = |key: &str, text: &str| {
            let instant = Timestamp::parse(text);
            if instant.is_none() && !is_late(text) {
                let message = format!("`{text}` is neither a day nor an instant");
                problems.add(&["dates", key], &message, "Write for instance `2026-01-31`.");
            }
            instant
        };
        let (from, to) = (instant("from", &self.from), instant("to", &self.to));
        if let (Some(from), Some(to)) = (from, to)
            && from > to
        {
            problems.add(&["dates", "to"], "the last date is before the first", "Exchange the two.");
        }
    }
}

/// The one thing that is given of several.
fn only_one<T, const N: usize>(
    given: [(&'static str, Option<T>); N],
    what: &str,
    problems: &mut Problems,
) -> Option<T> {
    let known: Vec<&str> = given.iter().map(|(key, _)| *key).collect();
    let keys = format!("`{}`", known.join("`, `"));
    let mut found = given.into_iter().filter_map(|(key, value)| Some((key, value?)));
    let Some((first, value)) = found.next() else {
        problems.add(&[], &format!("{what} names nothing"), &format!("Add one of {keys}."));
        return None;
    };
    if let Some((second, _)) = found.next() {
        let message = format!("`{first}` and `{second}` exclude each other");
        problems.add(&[second], &message, "Keep one of them.");
        return None;
    }
    Some(value)
}
