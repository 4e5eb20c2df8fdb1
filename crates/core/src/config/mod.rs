//! The documents: what a person writes, checked against every rule that can be told without touching a system. Text in,
//! typed values or errors with file, line and column out; reading files is the caller's work.

pub mod amount;
mod decode;
mod interpolate;
mod json_schema;
mod pipeline;
mod project;
mod settings;
mod sync;
mod task;
mod yaml;

use std::collections::BTreeMap;

use serde::Deserialize;

pub use interpolate::{Variables, env_name};
pub use json_schema::{pipeline_schema, project_schema};
pub use pipeline::{Backoff, Param, ParamKind, Pipeline, PipelineDocument, Retry, Task};
pub use project::{Connection, Settings};
pub use settings::fit_settings;
pub use sync::{
    Columns, MEMORY_BYTES_DEFAULT, OnBadRow, Parallel, Problem, ReadKind, StreamDocument, StreamOptions, Streams, Sync,
    SyncDocument, Verify,
};
pub use task::{
    Channel, Command, Dates, Email, EmailTls, FilePattern, ForEachDocument, Http, HttpAuth, Notify, Query,
    StartPipeline, Step, WaitDocument,
};

use crate::error::{Error, ErrorKind};
use crate::naming::{did_you_mean, nearest};
use pipeline::{Version, in_order, task_names};
use yaml::{Mark, Node, Value};

/// The file that holds the connections of a project.
pub const PROJECT_FILE: &str = "levada.yaml";

/// What a file says: connections, a pipeline, or both; in one document or in several.
#[derive(Debug, Clone)]
pub struct File {
    /// How messages call the file.
    pub name: String,
    /// The connections, in the order of the file.
    pub connections: Vec<Connection>,
    pipeline: Option<Node>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a project with the keys `version` and `connections`")]
struct ProjectDocument {
    #[serde(rename = "version")]
    _version: Version,
    #[serde(rename = "connections")]
    _connections: serde::de::IgnoredAny,
}

impl File {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// `Config` for what can be told before references are resolved: broken YAML, unknown keys of a project.
    pub fn parse(name: &str, text: &str) -> Result<Self, Vec<Error>> {
        let mut file = Self { name: name.to_owned(), connections: Vec::new(), pipeline: None };
        let mut errors = Vec::new();
        for document in yaml::parse(name, text).map_err(|error| vec![error])? {
            file.add(document, &mut errors);
        }
        if errors.is_empty() && file.pipeline.is_none() && file.connections.is_empty() {
            errors.push(
                Error::new(ErrorKind::Config, "the file says nothing")
                    .at(name)
                    .advise("Write `connections:` and `sync:`; `levada init` makes an example."),
            );
        }
        if errors.is_empty() { Ok(file) } else { Err(errors) }
    }

    fn add(&mut self, document: Node, errors: &mut Vec<Error>) {
        if !matches!(document.value, Value::Map(_)) {
            errors.push(self.error(document.mark, "a document is a mapping of keys to values", "Write `version: 1`."));
            return;
        }
        if let Some(connections) = document.get("connections") {
            self.add_connections(connections, errors);
        }
        let is_project = document.get("connections").is_some()
            && ["tasks", "sync", "name", "params"].iter().all(|key| document.get(key).is_none());
        if is_project {
            if let Err(misfit) = decode::decode::<ProjectDocument>(&document) {
                errors.push(self.misfit(misfit));
            }
        } else if self.pipeline.is_some() {
            let advice = "Put every pipeline into a file of its own.";
            errors.push(self.error(document.mark, "the file holds a second pipeline", advice));
        } else {
            self.pipeline = Some(document);
        }
    }

    fn add_connections(&mut self, connections: &Node, errors: &mut Vec<Error>) {
        let Value::Map(entries) = &connections.value else {
            let advice = "Write `name: { type: .., ..settings }` below `connections:`.";
            errors.push(self.error(connections.mark, "`connections` maps names to connections", advice));
            return;
        };
        for (key, node) in entries {
            let connection = Connection::new(&self.name, key, node);
            if self.connections.iter().any(|known| known.name == connection.name) {
                let message = format!("the connection `{}` is given twice", connection.name);
                errors.push(self.error(key.mark, &message, "Remove one of the two."));
            } else if let Err(error) = connection.check_shape() {
                errors.push(error);
            } else {
                self.connections.push(connection);
            }
        }
    }

    /// Whether there is a pipeline in it.
    pub fn has_pipeline(&self) -> bool {
        self.pipeline.is_some()
    }

    /// The pipeline, its references resolved and every rule checked. `connections` are all that it may use.
    ///
    /// # Errors
    /// `Config` with file, line, column and the nearest valid word; one for each rule that is broken.
    pub fn pipeline(
        &self,
        connections: &[Connection],
        variables: &Variables<'_>,
    ) -> Result<(Pipeline, BTreeMap<String, String>), Vec<Error>> {
        let Some(raw) = &self.pipeline else {
            return Err(vec![
                Error::new(ErrorKind::Config, "there is no pipeline in the file")
                    .at(&self.name)
                    .advise("Add `sync:` with `from`, `to` and `streams`."),
            ]);
        };
        let params = self.params(raw, variables)?;
        let variables = Variables { env: variables.env, secret: variables.secret, params: params.clone() };
        let filled = interpolate::fill(&self.name, &without_connections(raw), &variables)?;
        let document: PipelineDocument = decode::decode(&filled).map_err(|misfit| vec![self.misfit(misfit)])?;
        let mut check = Check { file: self, node: &filled, connections, errors: Vec::new() };
        let pipeline = check.pipeline(document);
        if check.errors.is_empty() { Ok((pipeline, params)) } else { Err(check.errors) }
    }

    /// The values of the parameters: those given, and the defaults of the others.
    fn params(&self, raw: &Node, variables: &Variables<'_>) -> Result<BTreeMap<String, String>, Vec<Error>> {
        let empty = Node { mark: raw.mark, value: Value::Map(Vec::new()) };
        let outer = Variables { env: variables.env, secret: variables.secret, params: BTreeMap::new() };
        let node = interpolate::fill(&self.name, raw.get("params").unwrap_or(&empty), &outer)?;
        let declared: BTreeMap<String, Option<Param>> =
            decode::decode(&node).map_err(|misfit| vec![self.misfit(misfit)])?;
        let mut errors = Vec::new();
        let mut values = BTreeMap::new();
        for given in variables.params.keys().filter(|name| !declared.contains_key(*name)) {
            let known: Vec<&str> = declared.keys().map(String::as_str).collect();
            let list = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            errors.push(
                Error::new(ErrorKind::Usage, format!("the pipeline has no parameter `{given}`"))
                    .at(&self.name)
                    .advise(format!("{}Parameters: {list}.", did_you_mean(nearest(given, &known)))),
            );
        }
        for (name, param) in declared {
            let param = param.unwrap_or_default();
            let given = variables.params.get(&name);
            let Some(value) = given.cloned().or(param.default) else {
                let message = format!("the parameter `{name}` has no value");
                let advice = format!("Give one with `--param {name}=..`, or add a `default`.");
                errors.push(self.error(node.locate(&[&name]), &message, &advice));
                continue;
            };
            if param.kind.accepts(&value) {
                values.insert(name, value);
                continue;
            }
            let message = format!("the parameter `{name}` cannot be `{value}`");
            let place = if given.is_some() { node.locate(&[&name]) } else { node.locate(&[&name, "default"]) };
            errors.push(self.error(place, &message, &format!("Give {}.", param.kind.expectation())));
        }
        if errors.is_empty() { Ok(values) } else { Err(errors) }
    }

    fn error(&self, mark: Mark, message: &str, advice: &str) -> Error {
        Error::new(ErrorKind::Config, message).at(mark.in_file(&self.name)).advise(advice)
    }

    fn misfit(&self, misfit: decode::Misfit) -> Error {
        let error = Error::new(ErrorKind::Config, misfit.message);
        let error = error.at(misfit.mark.unwrap_or_default().in_file(&self.name));
        match misfit.advice {
            Some(advice) => error.advise(advice),
            None => error,
        }
    }
}

/// Connections resolve on their own, so that a missing variable of one stops only what uses it.
fn without_connections(document: &Node) -> Node {
    let Value::Map(entries) = &document.value else { return document.clone() };
    let entries = entries.iter().filter(|(key, _)| key.text != "connections" && key.text != "params");
    Node { mark: document.mark, value: Value::Map(entries.cloned().collect()) }
}

/// The rules of a pipeline as a whole.
struct Check<'a> {
    file: &'a File,
    node: &'a Node,
    connections: &'a [Connection],
    errors: Vec<Error>,
}

impl Check<'_> {
    fn pipeline(&mut self, document: PipelineDocument) -> Pipeline {
        let stem = self.file.name.rsplit(['/', '\\']).next().unwrap_or_default();
        let stem = stem.trim_end_matches(".yaml").trim_end_matches(".yml");
        let name = document.name.unwrap_or_else(|| stem.to_owned());
        if name.is_empty() || name.contains('/') || name.chars().any(char::is_control) {
            self.add(&["name"], "a pipeline's name is not empty and has no `/`", "Choose another name.");
        }
        let mut tasks: Vec<Task> = Vec::new();
        match (document.sync, document.tasks.is_empty()) {
            (Some(_), false) => {
                self.add(&["sync"], "`sync` and `tasks` exclude each other", "Make the sync one of the tasks.");
            }
            (None, true) => {
                self.add(&[], "the pipeline does nothing", "Add `sync:` with `from`, `to` and `streams`, or `tasks:`.");
            }
            (Some(sync), true) => {
                let sync = self.sync(&["sync"], &sync);
                tasks.extend(sync.map(|sync| Task {
                    name: "sync".to_owned(),
                    after: Vec::new(),
                    sync,
                    retry: Retry::default(),
                    timeout: None,
                }));
            }
            (None, false) => tasks = self.tasks(&document.tasks),
        }
        Pipeline { name, description: document.description, tasks }
    }

    fn tasks(&mut self, documents: &BTreeMap<String, pipeline::TaskDocument>) -> Vec<Task> {
        let names = task_names(self.node);
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut tasks = Vec::new();
        for (name, document) in names.iter().filter_map(|name| documents.get_key_value(name)) {
            if name.is_empty() || name.contains('/') || name.chars().any(char::is_control) {
                self.add(&["tasks", name], "a task's name is not empty and has no `/`", "Choose another name.");
            }
            for before in document.after.iter().filter(|before| !documents.contains_key(*before)) {
                let near = did_you_mean(nearest(before, &known));
                let advice = format!("{near}Tasks: {}.", known.join(", "));
                self.add(&["tasks", name, "after"], &format!("there is no task `{before}`"), &advice);
            }
            if document.retry.attempts == Some(0) {
                let path = ["tasks", name, "retry", "attempts"];
                self.add(&path, "a task is tried at least once", "Write `attempts: 1`.");
            }
            let Some(sync) = &document.sync else {
                let message = format!("the task `{name}` does nothing");
                self.add(&["tasks", name], &message, "Add `sync:` with `from`, `to` and `streams`.");
                continue;
            };
            if let Some(sync) = self.sync(&["tasks", name, "sync"], sync) {
                tasks.push(Task {
                    name: name.clone(),
                    after: document.after.clone(),
                    sync,
                    retry: Retry::from(&document.retry),
                    timeout: document.timeout.map(|text| text.0),
                });
            }
        }
        if !self.errors.is_empty() {
            return tasks;
        }
        let edges: Vec<_> = tasks.iter().map(|task| (task.name.clone(), task.after.clone())).collect();
        match in_order(&edges) {
            Ok(order) => order.into_iter().filter_map(|index| tasks.get(index).cloned()).collect(),
            Err(cycle) => {
                let first = cycle.first().cloned().unwrap_or_default();
                let message = format!("tasks wait for each other: {}", cycle.join(" -> "));
                self.add(&["tasks", &first, "after"], &message, "Remove one of the `after`.");
                tasks
            }
        }
    }

    fn sync(&mut self, path: &[&str], document: &SyncDocument) -> Option<Sync> {
        let known: Vec<&str> = self.connections.iter().map(|connection| connection.name.as_str()).collect();
        for (side, name) in [("from", &document.from), ("to", &document.to)] {
            if known.contains(&name.as_str()) {
                continue;
            }
            let near = did_you_mean(nearest(name, &known));
            let list = if known.is_empty() {
                format!("There are none: add `connections:` here, or a {PROJECT_FILE} in this folder or above.")
            } else {
                format!("Connections: {}.", known.join(", "))
            };
            let path: Vec<&str> = path.iter().copied().chain([side]).collect();
            self.add(&path, &format!("there is no connection `{name}`"), &format!("{near}{list}"));
        }
        match document.resolve() {
            Ok(sync) => Some(sync),
            Err(problems) => {
                for problem in problems {
                    let path: Vec<&str> = path.iter().copied().chain(problem.path.iter().map(String::as_str)).collect();
                    self.add(&path, &problem.message, &problem.advice);
                }
                None
            }
        }
    }

    fn add(&mut self, path: &[&str], message: &str, advice: &str) {
        self.errors.push(self.file.error(self.node.locate(path), message, advice));
    }
}
