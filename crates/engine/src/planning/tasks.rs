//! What the tasks of a plan would do that are not plain syncs, each in a line. Nothing of it is done or looked up.

use levada_core::config::{Command, Condition, ForEach, Http, Items, StartPipeline, Step, Task, Wait, Work};
use levada_core::redact::Redactor;
use levada_core::run::When;
use levada_core::text::{counted, seconds};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

/// What one task would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskPlan {
    /// The task.
    pub task: String,
    /// Its kind.
    pub kind: String,
    /// What it would do, in a line.
    pub does: String,
}

impl TaskPlan {
    /// What a task would do.
    pub fn new(task: &Task, redactor: &Redactor) -> Self {
        let each = task.for_each.as_ref().map(|each| format!("{}: ", items(each))).unwrap_or_default();
        let when = match task.when {
            When::AllSucceeded => "",
            When::AllDone => ", however the tasks before it end",
            When::AnyFailed => ", if a task before it fails",
        };
        let does = format!("{each}{}{when}", work(&task.work));
        Self { task: task.name.clone(), kind: task.work.kind().to_owned(), does: redactor.text(&does).into_owned() }
    }
}

fn work(work: &Work) -> String {
    match work {
        Work::Sync(sync) => format!("load {} -> {}", sync.from, sync.to),
        Work::Sql(sql) => format!("load the result of a query -> {}.{}", sql.load.to, sql.target()),
        Work::Check(check) => {
            format!("test {} by {}", check.dataset, counted(check.tests.len() as u64, "rule"))
        }
        Work::Command(command) => program(command),
        Work::Http(http) => request(http),
        Work::Notify(notify) => format!("tell the channel {}", notify.channel),
        Work::Pipeline(start) => pipeline(start),
        Work::Wait(wait) => condition(wait),
        Work::Backup(backup) => format!("keep {} of {} in {}", tables(&backup.tables), backup.from, backup.to),
        Work::Restore(restore) => {
            let backup = restore.backup.as_deref().unwrap_or("the newest backup");
            format!("restore {} of {backup} in {} into {}", tables(&restore.tables), restore.from, restore.to)
        }
    }
}

fn tables(tables: &[String]) -> String {
    if tables.is_empty() { "all tables".to_owned() } else { format!("the tables {}", tables.join(", ")) }
}

fn program(command: &Command) -> String {
    match &command.script {
        Some(script) => {
            let lines = script.lines().count();
            let plural = if lines == 1 { "" } else { "s" };
            format!("run a script of {lines} line{plural} with {}", command.interpreter.as_deref().unwrap_or("sh"))
        }
        None => format!("run {}", command.argv.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")),
    }
}

/// A word as a shell would need it, so that one can tell where it ends.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=,+@%${}".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Method and host alone: what follows can hold keys.
fn request(http: &Http) -> String {
    let has_body = http.body.is_some() || http.json.is_some();
    let method = http.method.as_deref().unwrap_or(if has_body { "POST" } else { "GET" });
    let host = Url::parse(&http.url).ok().and_then(|url| url.host_str().map(str::to_owned));
    match host.filter(|host| !host.contains("${")) {
        Some(host) => format!("send {method} to {host}"),
        None => format!("send {method} to an address that is known when it runs"),
    }
}

fn pipeline(start: &StartPipeline) -> String {
    let params: Vec<String> = start.params.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let with = if params.is_empty() { String::new() } else { format!(" with {}", params.join(", ")) };
    let wait = if start.wait { ", and wait for its end" } else { "" };
    format!("start the pipeline {}{with}{wait}", start.name)
}

fn condition(wait: &Wait) -> String {
    let every = format!(", looking every {}", seconds(wait.every.as_secs_f64()));
    match &wait.condition {
        Condition::For(time) => format!("wait for {}", seconds(time.as_secs_f64())),
        Condition::Until(instant) => format!("wait until {instant}"),
        Condition::File(file) => format!("wait for a file {} of {}{every}", file.path, file.connection),
        Condition::Query(query) => format!("wait for a query on {} to be true{every}", query.connection),
        Condition::Dataset { name, within: None } => format!("wait for a load of {name}{every}"),
        Condition::Dataset { name, within: Some(age) } => {
            format!("wait for a load of {name} that is at most {} old{every}", seconds(age.as_secs_f64()))
        }
    }
}

fn items(each: &ForEach) -> String {
    match &each.items {
        Items::List(list) => format!("for each of {} items", list.len()),
        Items::Dates(dates) => {
            let step = match dates.every {
                Step::Hour => "hour",
                Step::Day => "day",
                Step::Week => "week",
                Step::Month => "month",
            };
            format!("for each {step} from {} to {}", dates.from, dates.to)
        }
        Items::Query(query) => format!("for each row of a query on {}", query.connection),
        Items::Files(files) => format!("for each file {} of {}", files.path, files.connection),
        Items::Outputs(reference) => format!("for each item of {reference}"),
    }
}
