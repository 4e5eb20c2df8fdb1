//! A file: what it says of the project, a pipeline, or both. Text in; the pipeline, one task of it, or errors out.

use std::collections::BTreeMap;

use super::PROJECT_FILE;
use super::check::Check;
use super::collection::{self, Collection, CollectionDocument};
use super::decode;
use super::document::{Param, PipelineDocument, TaskDocument};
use super::interpolate::{self, Late, Variables};
use super::lineage::Lineage;
use super::pipeline::{Pipeline, Task};
use super::problem::{Problem, Problems};
use super::project::{Connection, NamedChannel, Project, ProjectDocument, Said};
use super::reference;
use super::report::{Report, ReportDocument};
use super::retry::RetryDocument;
use super::sql;
use super::task::ForEachDocument;
use super::work::ForEach;
use super::yaml::{self, Key, Mark, Node, Value};
use crate::error::{Error, ErrorKind};
use crate::naming::{did_you_mean, nearest};

/// Keys that only a pipeline has.
const PIPELINE_KEYS: &[&str] = &[
    "sync",
    "tasks",
    "params",
    "schedule",
    "description",
    "owner",
    "tags",
    "priority",
    "concurrency",
    "retry",
    "on_failure",
    "on_success",
];
/// Keys that make a document without any of those a project.
const PROJECT_KEYS: &[&str] =
    &["connections", "pools", "channels", "retention", "commands", "lineage", "collections", "reports"];

/// Values of parameters by name.
type Values = BTreeMap<String, String>;

/// What a file says: about the project, a pipeline, or both; in one document or in several.
#[derive(Debug, Clone)]
pub struct File {
    /// How messages call the file.
    pub name: String,
    /// The connections, in the order of the file.
    pub connections: Vec<Connection>,
    pub(super) project: Said,
    pub(super) pipeline: Option<Node>,
}

impl File {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// `Config` for what can be told before references are resolved: broken YAML, mistakes in a project.
    pub fn parse(name: &str, text: &str) -> Result<Self, Vec<Error>> {
        let mut file =
            Self { name: name.to_owned(), connections: Vec::new(), project: Said::default(), pipeline: None };
        let mut errors = Vec::new();
        let documents = yaml::parse(name, text).map_err(|error| vec![error])?;
        let says_nothing = documents.is_empty();
        let has_lake = documents.iter().any(|node| file.is_project(node))
            && documents.iter().all(|node| node.get("connections").is_none());
        for document in documents {
            file.add(document, &mut errors);
        }
        if has_lake {
            file.connections.push(Connection::lake(name));
        }
        if says_nothing {
            errors.push(
                Error::new(ErrorKind::Config, "the file says nothing")
                    .at(name)
                    .advise("Write `connections:` and `sync:`, or `tasks:`."),
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
        if self.is_project(&document) {
            self.add_project(&document, errors);
        } else if self.pipeline.is_some() {
            let advice = "Put every pipeline into a file of its own.";
            errors.push(self.error(document.mark, "the file holds a second pipeline", advice));
        } else {
            self.pipeline = Some(document);
        }
    }

    fn is_project(&self, document: &Node) -> bool {
        let has = |keys: &[&str]| keys.iter().any(|key| document.get(key).is_some());
        // of a document that says next to nothing the file's name tells what it is
        let is_project = has(PROJECT_KEYS) || self.name.rsplit('/').next() == Some(PROJECT_FILE);
        is_project && !has(PIPELINE_KEYS)
    }

    fn add_connections(&mut self, connections: &Node, errors: &mut Vec<Error>) {
        for (key, node) in self.named(connections, "connections", errors) {
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

    fn add_project(&mut self, node: &Node, errors: &mut Vec<Error>) {
        let mut document: ProjectDocument = match decode::decode(node) {
            Ok(document) => document,
            Err(misfit) => return errors.push(misfit.in_file(&self.name)),
        };
        let served = (std::mem::take(&mut document.collections), std::mem::take(&mut document.reports));
        self.add_served(node, served, errors);
        for (name, slots) in document.pools {
            if slots == 0 {
                let advice = "Give it at least one slot.";
                errors.push(self.error(node.locate(&["pools", &name]), "no task would ever get a slot", advice));
            }
            if self.project.pools.insert(name.clone(), slots).is_some() {
                let message = format!("the pool `{name}` is given twice");
                errors.push(self.error(node.locate(&["pools", &name]), &message, "Remove one of the two."));
            }
        }
        let channels = node.get("channels").map(|channels| self.named(channels, "channels", errors));
        for (key, node) in channels.unwrap_or_default() {
            let channel = NamedChannel::new(&self.name, key, node);
            if self.project.channels.iter().any(|known| known.name == channel.name) {
                let message = format!("the channel `{}` is given twice", channel.name);
                errors.push(self.error(key.mark, &message, "Remove one of the two."));
            } else if let Err(misfit) = channel.check_shape() {
                errors.push(misfit.in_file(&self.name));
            } else {
                self.project.channels.push(channel);
            }
        }
        if let Some(lineage) = node.get("lineage") {
            self.add_lineage(node, lineage, errors);
        }
        let retention = document.retention.unwrap_or_default();
        if retention.keep == Some(0) {
            let place = node.locate(&["retention", "keep"]);
            errors.push(self.error(place, "not even the run at work could be kept", "Keep at least 1."));
        }
        self.project.retention = self.project.retention.or(retention);
        self.project.name = self.project.name.take().or(document.name);
        self.project.commands = self.project.commands.max(document.commands.unwrap_or_default());
    }

    /// Who is told of runs.
    fn add_lineage(&mut self, node: &Node, written: &Node, errors: &mut Vec<Error>) {
        let lineage = Lineage::new(&self.name, written);
        let document = match lineage.check_shape() {
            Ok(document) => document,
            Err(misfit) => return errors.push(misfit.in_file(&self.name)),
        };
        for (path, message, advice) in document.problems() {
            let path: Vec<&str> = std::iter::once("lineage").chain(path).collect();
            errors.push(self.error(node.locate(&path), &message, advice));
        }
        let known: Vec<&str> = self.connections.iter().map(|connection| connection.name.as_str()).collect();
        for name in document.datasets.keys().filter(|name| !known.contains(&name.as_str())) {
            let advice = format!("{}Connections: {}.", did_you_mean(nearest(name, &known)), known.join(", "));
            let message = format!("there is no connection `{name}`");
            errors.push(self.error(node.locate(&["lineage", "datasets", name]), &message, &advice));
        }
        if self.project.lineage.replace(lineage).is_some() {
            errors.push(self.error(written.mark, "`lineage` is given twice", "Remove one of the two."));
        }
    }

    /// What the data API serves.
    fn add_served(
        &mut self,
        node: &Node,
        (mut collections, mut reports): (BTreeMap<String, CollectionDocument>, BTreeMap<String, ReportDocument>),
        errors: &mut Vec<Error>,
    ) {
        let mut problems = Problems::default();
        let order = |key: &str| node.get(key).into_iter().flat_map(Node::keys).map(str::to_owned).collect::<Vec<_>>();
        for name in order("collections") {
            let columns = node.find(&["collections", &name, "columns"]);
            let columns: Vec<&str> = columns.into_iter().flat_map(Node::keys).collect();
            let document = collections.remove(&name);
            let collection = document.and_then(|document| document.resolve(&name, &columns, &mut problems));
            self.project.collections.extend(collection);
        }
        for name in order("reports") {
            let report = reports.remove(&name).and_then(|document| document.resolve(&name, &mut problems));
            self.project.reports.extend(report);
        }
        // what is wrong by itself would be told twice
        if problems.0.is_empty() {
            collection::link(&mut self.project.collections, &mut problems);
        }
        let known: Vec<&str> = self.connections.iter().map(|connection| connection.name.as_str()).collect();
        let (mut paths, mut connections) = (Vec::new(), Vec::new());
        for Collection { table, path, connection, .. } in &self.project.collections {
            paths.push((["collections", &table.name, "path"].map(str::to_owned).to_vec(), path.as_str()));
            connections.push((["collections", &table.name, "connection"].map(str::to_owned).to_vec(), connection));
        }
        for Report { name, path, connection, .. } in &self.project.reports {
            paths.push((["reports", name, "path"].map(str::to_owned).to_vec(), path.as_str()));
            connections.push((["reports", name, "connection"].map(str::to_owned).to_vec(), connection));
        }
        collection::check_paths(&paths, &mut problems);
        for (place, connection) in connections.into_iter().filter(|(_, name)| !known.contains(&name.as_str())) {
            let advice = match known.as_slice() {
                [] => "There are none: add `connections:`.".to_owned(),
                _ => format!("{}Connections: {}.", did_you_mean(nearest(connection, &known)), known.join(", ")),
            };
            problems.push(place, format!("there is no connection `{connection}`"), &advice);
        }
        errors.extend(problems.0.iter().map(|problem| {
            let path: Vec<&str> = problem.path.iter().map(String::as_str).collect();
            self.error(node.locate(&path), &problem.message, &problem.advice)
        }));
    }

    /// The entries of a mapping of names.
    fn named<'a>(&self, node: &'a Node, what: &str, errors: &mut Vec<Error>) -> Vec<(&'a Key, &'a Node)> {
        if let Value::Map(entries) = &node.value {
            return entries.iter().map(|(key, node)| (key, node)).collect();
        }
        let message = format!("`{what}` maps names to {what}");
        let advice = match what {
            "connections" => "Write `name: { type: .., ..settings }` below `connections:`.",
            _ => "Write `name: { slack: .. }` below `channels:`.",
        };
        errors.push(self.error(node.mark, &message, advice));
        Vec::new()
    }

    /// Whether there is a pipeline in it.
    pub fn has_pipeline(&self) -> bool {
        self.pipeline.is_some()
    }

    /// The pipeline and the values of its parameters, every rule checked. `project` is what it may use. References that
    /// only a run resolves stay as written.
    ///
    /// # Errors
    /// `Config` with file, line, column and the nearest valid word, one for each rule that is broken; `Usage` for
    /// parameters that the pipeline does not have.
    pub fn pipeline(&self, project: &Project, variables: &Variables<'_>) -> Result<(Pipeline, Values), Vec<Error>> {
        let params = self.params(variables)?;
        let pipeline = self.checked(project, variables, params.clone(), &[])?;
        Ok((pipeline, params))
    }

    /// The pipeline as [`File::pipeline`] gives it, where no run is about to start: parameters that have no default and
    /// are not given stay open, in texts. Everywhere else they need a default. Values are of the other parameters.
    ///
    /// # Errors
    /// As of [`File::pipeline`].
    pub fn check(&self, project: &Project, variables: &Variables<'_>) -> Result<(Pipeline, Values), Vec<Error>> {
        let (params, open) = self.values(variables)?;
        let pipeline = self.checked(project, variables, params.clone(), &open)?;
        Ok((pipeline, params))
    }

    /// One task with every reference resolved, ready to be carried out. Only what this task says is looked at.
    ///
    /// # Errors
    /// As of [`File::pipeline`]; `NotFound` if there is no such task.
    pub fn task(&self, name: &str, project: &Project, variables: &Variables<'_>) -> Result<Task, Vec<Error>> {
        let raw = self.raw()?;
        let variables = Variables { params: self.params(variables)?, ..variables.clone() };
        let path = self.task_path(name)?;
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let part = |path: &[&str]| {
            let filled = raw.find(path).map(|node| interpolate::fill(&self.name, node, &variables, Late::Refused));
            filled.transpose()
        };
        let errors = raw.find(&path).map(|task| sql::spliced(self, task)).unwrap_or_default();
        if !errors.is_empty() {
            return Err(errors);
        }
        let (Some(own), retry) = (part(&path)?, part(&["retry"])?) else { return Err(Vec::new()) };
        let misfit = |misfit: decode::Misfit| vec![misfit.in_file(&self.name)];
        let document = match path.as_slice() {
            ["sync"] => TaskDocument { sync: Some(decode::decode(&own).map_err(misfit)?), ..TaskDocument::default() },
            _ => decode::decode(&own).map_err(misfit)?,
        };
        let retry = retry.as_ref().map(decode::decode::<RetryDocument>).transpose().map_err(misfit)?;
        let declared = self.declared(raw, &variables)?;
        let mut check = Check::new(self, raw, project, &declared);
        let task = check.task(&path, name, &document, retry);
        check.done(task)
    }

    /// The items that a task is run for, with every reference resolved. What it does with each is not looked at.
    ///
    /// # Errors
    /// As of [`File::task`]; `NotFound` if the task is not run for each of several items.
    pub fn items(&self, name: &str, variables: &Variables<'_>) -> Result<ForEach, Vec<Error>> {
        let variables = Variables { params: self.params(variables)?, ..variables.clone() };
        let mut path = self.task_path(name)?;
        path.push("for_each".to_owned());
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let Some(node) = self.raw()?.find(&path) else { return Err(vec![self.no_task(name)]) };
        let filled = interpolate::fill(&self.name, node, &variables, Late::Refused)?;
        let document: ForEachDocument = decode::decode(&filled).map_err(|misfit| vec![misfit.in_file(&self.name)])?;
        let wrong = |problem: Problem| self.error(node.mark, &problem.message, &problem.advice);
        document.resolve().map_err(|problems| problems.into_iter().map(wrong).collect())
    }

    /// Where a task stands in the document.
    fn task_path(&self, name: &str) -> Result<Vec<String>, Vec<Error>> {
        let raw = self.raw()?;
        let hook = |kind: &str| {
            let index = (0..raw.get(kind)?.len()).find(|index| reference::hook_name(kind, *index) == name)?;
            Some([kind.to_owned(), index.to_string()].to_vec())
        };
        if raw.find(&["tasks", name]).is_some() {
            return Ok(vec!["tasks".to_owned(), name.to_owned()]);
        }
        if name == "sync" && raw.get("sync").is_some() {
            return Ok(vec!["sync".to_owned()]);
        }
        hook("on_failure").or_else(|| hook("on_success")).ok_or_else(|| vec![self.no_task(name)])
    }

    fn no_task(&self, name: &str) -> Error {
        Error::new(ErrorKind::NotFound, format!("there is no task `{name}`"))
            .at(&self.name)
            .advise("The pipeline has changed; start a new run.")
    }

    /// The values of the parameters: those given, and the defaults of the others.
    ///
    /// # Errors
    /// `Usage` for one that the pipeline does not have, `Config` for one that has no value or a wrong one.
    pub fn params(&self, variables: &Variables<'_>) -> Result<Values, Vec<Error>> {
        let (values, open) = self.values(variables)?;
        if open.is_empty() {
            return Ok(values);
        }
        let raw = self.raw()?;
        let missing = open.iter().map(|name| {
            let message = format!("the parameter `{name}` has no value");
            let advice = "Give it one for this run, or add a `default`.";
            self.error(raw.locate(&["params", name]), &message, advice)
        });
        Err(missing.collect())
    }

    fn checked(
        &self,
        project: &Project,
        variables: &Variables<'_>,
        params: Values,
        open: &[String],
    ) -> Result<Pipeline, Vec<Error>> {
        let raw = self.raw()?;
        let variables = Variables { params, runtime: None, ..variables.clone() };
        let errors: Vec<Error> = tasks(raw).chain(raw.get("sync")).flat_map(|task| sql::spliced(self, task)).collect();
        if !errors.is_empty() {
            return Err(errors);
        }
        let filled = interpolate::fill(&self.name, &without_connections(raw), &variables, Late::Kept(open))?;
        let document: PipelineDocument = decode::decode(&filled).map_err(|misfit| vec![misfit.in_file(&self.name)])?;
        let declared = self.declared(raw, &variables)?;
        let mut check = Check::new(self, raw, project, &declared);
        let pipeline = check.pipeline(document);
        check.done(Some(pipeline))
    }

    /// The words to find the pipeline by, as written.
    pub fn tags(&self) -> Vec<String> {
        self.says("tags").unwrap_or_default()
    }

    /// What the pipeline is for.
    pub fn description(&self) -> Option<String> {
        self.says("description")
    }

    /// Who answers for the pipeline.
    pub fn owner(&self) -> Option<String> {
        self.says("owner")
    }

    /// What the pipeline has below a key, as it is written.
    fn says<T: serde::de::DeserializeOwned>(&self, key: &str) -> Option<T> {
        let node = self.pipeline.as_ref().and_then(|raw| raw.get(key));
        node.and_then(|node| decode::decode(node).ok())
    }

    /// Whether the pipeline declares a parameter.
    pub fn has_param(&self, name: &str) -> bool {
        self.pipeline.as_ref().and_then(|raw| raw.get("params")?.get(name)).is_some()
    }

    fn raw(&self) -> Result<&Node, Vec<Error>> {
        self.pipeline.as_ref().ok_or_else(|| {
            let error = Error::new(ErrorKind::Config, "there is no pipeline in the file").at(&self.name);
            vec![error.advise("Add `sync:` with `from`, `to` and `streams`.")]
        })
    }

    /// The parameters as the pipeline declares them.
    fn declared(&self, raw: &Node, variables: &Variables<'_>) -> Result<BTreeMap<String, Param>, Vec<Error>> {
        let Some(node) = raw.get("params") else { return Ok(BTreeMap::new()) };
        let outer = Variables { params: BTreeMap::new(), runtime: None, ..variables.clone() };
        let node = interpolate::fill(&self.name, node, &outer, Late::Refused)?;
        let declared: BTreeMap<String, Option<Param>> =
            decode::decode(&node).map_err(|misfit| vec![misfit.in_file(&self.name)])?;
        Ok(declared.into_iter().map(|(name, param)| (name, param.unwrap_or_default())).collect())
    }

    /// The values of the parameters, and the names of those that have none.
    fn values(&self, variables: &Variables<'_>) -> Result<(Values, Vec<String>), Vec<Error>> {
        let raw = self.raw()?;
        let declared = self.declared(raw, variables)?;
        let mut errors = Vec::new();
        for given in variables.params.keys().filter(|name| !declared.contains_key(*name)) {
            let known: Vec<&str> = declared.keys().map(String::as_str).collect();
            let list = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            errors.push(
                Error::new(ErrorKind::Usage, format!("the pipeline has no parameter `{given}`"))
                    .at(&self.name)
                    .advise(format!("{}Parameters: {list}.", did_you_mean(nearest(given, &known)))),
            );
        }
        let (mut values, mut open) = (BTreeMap::new(), Vec::new());
        for (name, param) in declared {
            let given = variables.params.get(&name);
            for (value, path) in [(param.default.as_ref(), "default"), (given, "")] {
                let Some(value) = value.filter(|value| !param.kind.accepts(value)) else { continue };
                let message = format!("the parameter `{name}` cannot be `{value}`");
                let advice = format!("Give {}.", param.kind.expectation());
                errors.push(self.error(raw.locate(&["params", &name, path]), &message, &advice));
            }
            match given.cloned().or(param.default) {
                Some(value) => drop(values.insert(name, value)),
                None => open.push(name),
            }
        }
        if errors.is_empty() { Ok((values, open)) } else { Err(errors) }
    }

    pub(super) fn error(&self, mark: Mark, message: &str, advice: &str) -> Error {
        Error::new(ErrorKind::Config, message).at(mark.in_file(&self.name)).advise(advice)
    }
}

/// All tasks of a document, hooks included.
fn tasks(document: &Node) -> impl Iterator<Item = &Node> {
    ["tasks", "on_failure", "on_success"].into_iter().filter_map(|key| document.get(key)).flat_map(Node::children)
}

/// Connections resolve on their own, so that a missing variable of one stops only what uses it; so do the parameters,
/// before everything else.
fn without_connections(document: &Node) -> Node {
    let Value::Map(entries) = &document.value else { return document.clone() };
    let entries = entries.iter().filter(|(key, _)| key.text != "connections" && key.text != "params");
    Node { mark: document.mark, value: Value::Map(entries.cloned().collect()) }
}
