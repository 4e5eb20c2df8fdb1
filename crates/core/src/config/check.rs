//! The rules of a pipeline as a whole: names that have to exist, tasks that wait for each other, hooks, schedules. Rules
//! of one thing alone are with that thing.

use std::collections::BTreeMap;
use std::time::Duration;

use super::document::{Param, PipelineDocument, TaskDocument};
use super::file::File;
use super::interpolate::{is_late, too_late};
use super::order::{Upstream, in_order};
use super::pipeline::{Pipeline, Task};
use super::problem::Problem;
use super::project::Project;
use super::reference::{self, hook_name};
use super::retry::{Retry, RetryDocument};
use super::schedule::{Schedule, ScheduleDocument, Trigger};
use super::shorthand::{OneOrMany, Short};
use super::work::{Condition, ForEach, Items, Work};
use super::yaml::Node;
use super::{LAKE, LAKE_FOLDER, PROJECT_FILE};
use crate::error::Error;
use crate::naming::{did_you_mean, nearest};
use crate::run::When;

/// The rules of a pipeline. `node` is the document, for places.
pub(super) struct Check<'a> {
    file: &'a File,
    node: &'a Node,
    project: &'a Project,
    params: &'a BTreeMap<String, Param>,
    errors: Vec<Error>,
}

impl<'a> Check<'a> {
    pub fn new(file: &'a File, node: &'a Node, project: &'a Project, params: &'a BTreeMap<String, Param>) -> Self {
        Self { file, node, project, params, errors: Vec::new() }
    }

    /// What was checked, if there was nothing wrong.
    pub fn done<T>(self, checked: Option<T>) -> Result<T, Vec<Error>> {
        match checked {
            Some(checked) if self.errors.is_empty() => Ok(checked),
            _ => Err(self.errors),
        }
    }

    /// A pipeline.
    pub fn pipeline(&mut self, document: PipelineDocument) -> Pipeline {
        let params = self.params;
        let stem = self.file.name.rsplit(['/', '\\']).next().unwrap_or_default();
        let stem = stem.trim_end_matches(".yaml").trim_end_matches(".yml");
        let name = document.name.unwrap_or_else(|| stem.to_owned());
        self.check_name(&["name"], "pipeline", &name);
        if document.concurrency == Some(0) {
            self.add(&["concurrency"], "no run would ever start", "Give at least 1.");
        }
        if document.retry.is_some_and(|retry| retry.attempts == Some(0)) {
            self.add(&["retry", "attempts"], "a task is tried at least once", "Write `attempts: 1`.");
        }
        let schedules = document.schedule.map(|all| self.schedules(&name, &all, params)).unwrap_or_default();
        let mut tasks = Vec::new();
        match (document.sync, document.tasks.is_empty()) {
            (Some(_), false) => {
                self.add(&["sync"], "`sync` and `tasks` exclude each other", "Make the sync one of the tasks.");
            }
            (None, true) => {
                self.add(&[], "the pipeline does nothing", "Add `sync:` with `from`, `to` and `streams`, or `tasks:`.");
            }
            (Some(sync), true) => {
                let sync = TaskDocument { sync: Some(sync), ..TaskDocument::default() };
                tasks.extend(self.task(&["sync"], "sync", &sync, document.retry));
            }
            (None, false) => {
                let order = self.node.get("tasks").into_iter().flat_map(Node::keys);
                for (name, task) in order.filter_map(|name| document.tasks.get_key_value(name)) {
                    tasks.extend(self.task(&["tasks", name], name, task, document.retry));
                }
            }
        }
        tasks = self.ordered(tasks);
        let hooks = [("on_failure", &document.on_failure), ("on_success", &document.on_success)];
        let hooks = hooks.map(|(kind, hooks)| self.hooks(kind, hooks, &tasks, document.retry));
        tasks.extend(hooks.into_iter().flatten());
        let edges: Vec<_> = tasks.iter().map(|task| (task.name.clone(), task.after.clone())).collect();
        if self.errors.is_empty() {
            self.errors.extend(reference::check(&self.file.name, self.node, &Upstream::new(&edges)));
        }
        Pipeline {
            name,
            description: document.description,
            owner: document.owner,
            tags: document.tags,
            priority: document.priority,
            concurrency: document.concurrency.or((!schedules.is_empty()).then_some(1)),
            params: params.clone(),
            schedules,
            tasks,
        }
    }

    /// One task, written at a path.
    pub fn task(
        &mut self,
        path: &[&str],
        name: &str,
        document: &TaskDocument,
        default: Option<RetryDocument>,
    ) -> Option<Task> {
        let at = |key: &'static str| -> Vec<&str> { path.iter().copied().chain([key]).collect() };
        self.check_name(path, "task", name);
        let tasks: Vec<&str> = self.node.get("tasks").into_iter().flat_map(Node::keys).collect();
        for before in document.after.iter() {
            self.known(&at("after"), "task", before, &tasks, "");
        }
        if document.retry.is_some_and(|retry| retry.attempts == Some(0)) {
            let path: Vec<&str> = path.iter().copied().chain(["retry", "attempts"]).collect();
            self.add(&path, "a task is tried at least once", "Write `attempts: 1`.");
        }
        if document.timeout.is_some_and(|timeout| timeout.0 == Duration::ZERO) {
            self.add(&at("timeout"), "nothing can be done in no time", "Give a time such as `1h`.");
        }
        let pool = self.pool(path, document);
        let work = self.work(path, name, document);
        let for_each = document.for_each.as_ref().map(|items| {
            let resolved = items.resolve();
            let resolved = self.resolved(&at("for_each"), resolved)?;
            self.for_each_names(path, &resolved);
            Some(resolved)
        });
        let (work, for_each) = (work?, for_each.map_or(Some(None), |items| items.map(Some))?);
        let retry = match (document.retry, default) {
            (Some(own), default) => Retry::from(&own.or(default.unwrap_or_default())),
            (None, Some(default)) => Retry::from(&default),
            (None, None) if work.can_be_repeated() => Retry::default(),
            (None, None) => Retry::never(),
        };
        let mut runs_on = document.runs_on.clone();
        runs_on.sort();
        runs_on.dedup();
        let mut after = document.after.clone();
        after.sort();
        after.dedup();
        Some(Task {
            name: name.to_owned(),
            after,
            when: document.when.unwrap_or_default(),
            work,
            for_each,
            retry,
            timeout: document.timeout.map(|text| text.0),
            pool,
            priority: document.priority,
            runs_on,
            on_lost: document.on_lost,
        })
    }

    fn pool(&mut self, path: &[&str], document: &TaskDocument) -> Option<(String, u32)> {
        let at = |key: &'static str| -> Vec<&str> { path.iter().copied().chain([key]).collect() };
        let Some(pool) = &document.pool else {
            if document.slots.is_some() {
                self.add(&at("slots"), "`slots` needs a `pool`", "Add `pool: name`.");
            }
            return None;
        };
        let project = self.project;
        let known: Vec<&str> = project.pools.keys().map(String::as_str).collect();
        let none = format!("There are none: add `pools: {{ {pool}: 2 }}` to {PROJECT_FILE}.");
        self.known(&at("pool"), "pool", pool, &known, &none);
        let slots = document.slots.unwrap_or(1);
        let size = project.pools.get(pool).copied().unwrap_or(u32::MAX);
        if slots == 0 {
            self.add(&at("slots"), "a task in a pool takes at least one slot", "Write `slots: 1`.");
        } else if slots > size {
            let message = format!("the pool `{pool}` has {size} slots, and the task would wait for {slots} for ever");
            self.add(&at("slots"), &message, "Take fewer slots, or make the pool larger.");
        }
        Some((pool.clone(), slots))
    }

    /// The one thing a task does.
    fn work(&mut self, path: &[&str], name: &str, document: &TaskDocument) -> Option<Work> {
        let kinds = [
            ("sync", document.sync.is_some()),
            ("sql", document.sql.is_some()),
            ("check", document.check.is_some()),
            ("command", document.command.is_some()),
            ("http", document.http.is_some()),
            ("notify", document.notify.is_some()),
            ("pipeline", document.pipeline.is_some()),
            ("wait", document.wait.is_some()),
            ("backup", document.backup.is_some()),
            ("restore", document.restore.is_some()),
        ];
        let given: Vec<&str> = kinds.iter().filter(|(_, given)| *given).map(|(kind, _)| *kind).collect();
        if let [first, second, ..] = given.as_slice() {
            let message = format!("the task `{name}` does two things: `{first}` and `{second}`");
            let path: Vec<&str> = path.iter().copied().chain([*second]).collect();
            self.add(&path, &message, "Make two tasks of them, one `after` the other.");
            return None;
        }
        // the document of a pipeline that is one sync has no task around it
        let path: Vec<&str> = match (path, given.first()) {
            (["sync"], _) | (_, None) => path.to_vec(),
            (path, Some(kind)) => path.iter().copied().chain([*kind]).collect(),
        };
        let path = path.as_slice();
        if let Some(sync) = &document.sync {
            self.connection(path, "from", &sync.from);
            self.connection(path, "to", &sync.to);
            let sync = sync.resolve();
            return self.resolved(path, sync).map(Work::Sync);
        }
        if let Some(sql) = &document.sql {
            let to: Vec<&str> = path.iter().copied().chain(["to"]).collect();
            self.connection(&to, "connection", &sql.to.connection);
            let sql = sql.resolve(self.params, self.node.find(path));
            return self.resolved(path, sql).map(Work::Sql);
        }
        if let Some(check) = &document.check {
            let resolved = check.resolve(self.params, self.node.find(path));
            let resolved = self.resolved(path, resolved)?;
            for ((keys, _), name) in check.datasets().iter().zip(resolved.connections()) {
                let path: Vec<&str> = path.iter().copied().chain(keys.iter().map(String::as_str)).collect();
                self.connection_at(&path, name);
            }
            return Some(Work::Check(resolved));
        }
        if let Some(command) = &document.command {
            if let Some((message, advice)) = self.project.commands.refusal() {
                self.add(path, message, advice);
            }
            self.problems(path, command.problems());
            return Some(Work::Command(command.clone()));
        }
        if let Some(http) = &document.http {
            self.problems(path, http.problems());
            return Some(Work::Http(http.clone()));
        }
        if let Some(Short(notify)) = &document.notify {
            let project = self.project;
            let known: Vec<&str> = project.channels.iter().map(|channel| channel.name.as_str()).collect();
            let none = format!("There are none: add `channels:` to {PROJECT_FILE}.");
            let key: Vec<&str> = path.iter().copied().chain(["channel"]).collect();
            self.known(&key, "channel", &notify.channel, &known, &none);
            return Some(Work::Notify(notify.clone()));
        }
        if let Some(Short(start)) = &document.pipeline {
            let key: Vec<&str> = path.iter().copied().chain(["name"]).collect();
            self.fixed(&key, &start.name);
            return Some(Work::Pipeline(start.clone()));
        }
        if let Some(wait) = &document.wait {
            let wait = wait.resolve();
            let wait = self.resolved(path, wait)?;
            match &wait.condition {
                Condition::File(file) => self.connection(path, "file", &file.connection),
                Condition::Query(query) => self.connection(path, "query", &query.connection),
                Condition::For(_) | Condition::Until(_) | Condition::Dataset { .. } => {}
            }
            return Some(Work::Wait(wait));
        }
        if let Some(backup) = &document.backup {
            self.connection(path, "from", &backup.from);
            self.connection(path, "to", &backup.to);
            self.problems(path, backup.problems());
            return Some(Work::Backup(backup.clone()));
        }
        if let Some(restore) = &document.restore {
            self.connection(path, "from", &restore.from);
            self.connection(path, "to", &restore.to);
            self.problems(path, restore.problems());
            return Some(Work::Restore(restore.clone()));
        }
        let kinds: Vec<&str> = kinds.iter().map(|(kind, _)| *kind).collect();
        let advice = format!("Add one of `{}`.", kinds.join("`, `"));
        self.add(path, &format!("the task `{name}` does nothing"), &advice);
        None
    }

    fn for_each_names(&mut self, path: &[&str], for_each: &ForEach) {
        let path: Vec<&str> = path.iter().copied().chain(["for_each"]).collect();
        match &for_each.items {
            Items::Query(query) => self.connection(&path, "query", &query.connection),
            Items::Files(files) => self.connection(&path, "files", &files.connection),
            Items::List(_) | Items::Dates(_) | Items::Outputs(_) => {}
        }
    }

    /// The tasks that hooks become: after all others.
    fn hooks(
        &mut self,
        kind: &str,
        documents: &[TaskDocument],
        others: &[Task],
        default: Option<RetryDocument>,
    ) -> Vec<Task> {
        let (when, after) = match kind {
            "on_failure" => (When::AnyFailed, others.iter().map(|task| task.name.clone()).collect()),
            _ => (When::AllSucceeded, run_on_success(others)),
        };
        let mut hooks = Vec::new();
        for (index, document) in documents.iter().enumerate() {
            let (name, index) = (hook_name(kind, index), index.to_string());
            let path = [kind, &index];
            for (key, given) in [("after", !document.after.is_empty()), ("when", document.when.is_some())] {
                if given {
                    let message = format!("what is done {} has no `{key}`", kind.replace('_', " "));
                    self.add(&[kind, &index, key], &message, "Remove it: it comes after all tasks.");
                }
            }
            if let Some(other) = others.iter().find(|other| other.name == name) {
                let message = format!("`{name}` is the name of what is done {}", kind.replace('_', " "));
                self.add(&["tasks", &other.name], &message, "Give the task another name.");
            }
            let task = self.task(&path, &name, document, default);
            hooks.extend(task.map(|task| Task { after: after.clone(), when, ..task }));
        }
        hooks
    }

    /// The tasks, each after those it waits for.
    fn ordered(&mut self, tasks: Vec<Task>) -> Vec<Task> {
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

    fn schedules(
        &mut self,
        pipeline: &str,
        documents: &OneOrMany<ScheduleDocument>,
        params: &BTreeMap<String, Param>,
    ) -> Vec<Schedule> {
        let mut schedules: Vec<Schedule> = Vec::new();
        for (index, document) in documents.items.iter().enumerate() {
            let index = index.to_string();
            let path: &[&str] = if documents.list { &["schedule", &index] } else { &["schedule"] };
            if documents.items.len() > 1 && document.name.is_none() {
                self.add(path, "one of several schedules has no name", "Add `name: ..`; it tells their runs apart.");
            }
            let resolved = document.resolve("schedule");
            let Some(schedule) = self.resolved(path, resolved) else { continue };
            let at = |keys: &[&'static str]| -> Vec<&str> { path.iter().chain(keys).copied().collect() };
            if document.name.is_some() && schedules.iter().any(|known| known.name == schedule.name) {
                let message = format!("two schedules are called `{}`", schedule.name);
                self.add(&at(&["name"]), &message, "Give one of them another name.");
            }
            match &schedule.trigger {
                Trigger::File { pattern, .. } => self.connection(&at(&["on"]), "file", &pattern.connection),
                Trigger::Pipeline { name, .. } if name == pipeline => {
                    let message = format!("`{name}` would run without end: it follows itself");
                    let advice = "Name another pipeline, or give it times; `retry` tries tasks again that failed.";
                    self.add(&at(&["on", "pipeline"]), &message, advice);
                }
                Trigger::Time(_) | Trigger::Pipeline { .. } | Trigger::Dataset(_) => {}
            }
            self.schedule_params(&at(&["params"]), &schedule, params);
            schedules.push(schedule);
        }
        schedules
    }

    fn schedule_params(&mut self, path: &[&str], schedule: &Schedule, params: &BTreeMap<String, Param>) {
        let known: Vec<&str> = params.keys().map(String::as_str).collect();
        for (name, value) in &schedule.params {
            let path: Vec<&str> = path.iter().copied().chain([name.as_str()]).collect();
            let none = "There are none: add `params:` to the pipeline.";
            self.known(&path, "parameter", name, &known, none);
            let Some(param) = params.get(name).filter(|param| !param.kind.accepts(value)) else { continue };
            let message = format!("the parameter `{name}` cannot be `{value}`");
            self.add(&path, &message, &format!("Give {}.", param.kind.expectation()));
        }
        for (name, _) in
            params.iter().filter(|(name, param)| param.default.is_none() && !schedule.params.contains_key(*name))
        {
            let message = format!("runs of the schedule would have no value for the parameter `{name}`");
            self.add(path, &message, "Give it one under `params` of the schedule, or a `default`.");
        }
    }

    fn connection(&mut self, path: &[&str], key: &str, name: &str) {
        let path: Vec<&str> = path.iter().copied().chain([key, "connection"]).collect();
        self.connection_at(&path, name);
    }

    fn connection_at(&mut self, path: &[&str], name: &str) {
        let project = self.project;
        let known: Vec<&str> = project.connections.iter().map(|connection| connection.name.as_str()).collect();
        if name == LAKE && !known.contains(&name) {
            let advice =
                format!("Add `{LAKE}: \"delta:./{LAKE_FOLDER}\"` to `connections:`, as projects without any have it.");
            return self.add(path, &format!("there is no connection `{name}`"), &advice);
        }
        let none = format!("There are none: add `connections:` here, or a {PROJECT_FILE} in this folder or above.");
        self.known(path, "connection", name, &known, &none);
    }

    /// Says that a name does not exist, with the nearest that does. `none` is advice for the case that there are none.
    fn known(&mut self, path: &[&str], what: &str, name: &str, known: &[&str], none: &str) {
        if known.contains(&name) || !self.fixed(path, name) {
            return;
        }
        let mut capital = what.to_owned();
        capital[..1].make_ascii_uppercase();
        let advice = match known {
            [] => none.to_owned(),
            _ => format!("{}{capital}s: {}.", did_you_mean(nearest(name, known)), known.join(", ")),
        };
        self.add(path, &format!("there is no {what} `{name}`"), &advice);
    }

    /// Whether a name can be told before the task runs, as it has to.
    fn fixed(&mut self, path: &[&str], name: &str) -> bool {
        if is_late(name) {
            self.add(path, &too_late(name), "Write the name itself, or a parameter with a default.");
        }
        !is_late(name)
    }

    fn check_name(&mut self, path: &[&str], what: &str, name: &str) {
        if name.is_empty() || name.contains('/') || name.chars().any(char::is_control) {
            let message = format!("a {what}'s name is not empty and has no `/`");
            self.add(path, &message, "Choose another name.");
        }
    }

    fn resolved<T>(&mut self, path: &[&str], resolved: Result<T, Vec<Problem>>) -> Option<T> {
        match resolved {
            Ok(resolved) => Some(resolved),
            Err(problems) => {
                self.problems(path, problems);
                None
            }
        }
    }

    fn problems(&mut self, path: &[&str], problems: Vec<Problem>) {
        for problem in problems {
            let path: Vec<&str> = path.iter().copied().chain(problem.path.iter().map(String::as_str)).collect();
            self.add(&path, &problem.message, &problem.advice);
        }
    }

    fn add(&mut self, path: &[&str], message: &str, advice: &str) {
        self.errors.push(self.file.error(self.node.locate(path), message, advice));
    }
}

/// The tasks that run when everything succeeds: not those that wait for a failure, nor what needs them.
fn run_on_success(tasks: &[Task]) -> Vec<String> {
    let mut left_out: Vec<&str> = Vec::new();
    for task in tasks {
        let out = match task.when {
            When::AnyFailed => true,
            When::AllSucceeded => task.after.iter().any(|before| left_out.contains(&before.as_str())),
            When::AllDone => false,
        };
        if out {
            left_out.push(&task.name);
        }
    }
    let stays = tasks.iter().filter(|task| !left_out.contains(&task.name.as_str()));
    stays.map(|task| task.name.clone()).collect()
}
