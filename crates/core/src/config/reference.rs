//! References to what is only known when a task runs: outputs of tasks before it, the item it is run for, and the run
//! itself. They are told apart here, and checked in a document before anything runs.

use super::order::Upstream;
use super::yaml::{Mark, Node, Value};
use crate::error::{Error, ErrorKind, Result};
use crate::naming::{did_you_mean, nearest};

/// What a `${..}` asks for that is only known when a task runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// `${tasks.NAME.outputs.key}`: an output of a task that ended before.
    Output {
        /// The task.
        task: String,
        /// The name of the output.
        key: String,
    },
    /// `${item}`: the item that the task is run for, or `${item.key}`: a value in it.
    Item(Option<String>),
    /// `${run.key}`: the run.
    Run(RunKey),
}

/// What can be asked of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunKey {
    /// `${run.id}`: its identity.
    Id,
    /// `${run.pipeline}`: the name of its pipeline.
    Pipeline,
    /// `${run.fire_time}`: the instant it was due, in UTC; for a run that nobody scheduled, when it was asked for.
    FireTime,
    /// `${run.date}`: the day of the fire time in UTC, as `2026-01-31`.
    Date,
}

const RUN_KEYS: &[(&str, RunKey)] =
    &[("id", RunKey::Id), ("pipeline", RunKey::Pipeline), ("fire_time", RunKey::FireTime), ("date", RunKey::Date)];

impl Reference {
    /// Reads what stands between `${` and `}`; nothing if it is another kind of reference.
    ///
    /// # Errors
    /// `Config` for one that starts like one of these and is not.
    pub(super) fn parse(name: &str) -> Result<Option<Self>> {
        let wrong = |advice: String| {
            Err(Error::new(ErrorKind::Config, format!("`${{{name}}}` is not a reference")).advise(advice))
        };
        if name == "item" {
            return Ok(Some(Self::Item(None)));
        }
        match name.split_once('.') {
            Some(("item", key)) if !key.is_empty() => Ok(Some(Self::Item(Some(key.to_owned())))),
            Some(("tasks", rest)) => match rest.split_once(".outputs.") {
                Some((task, key)) if !task.is_empty() && !key.is_empty() => {
                    Ok(Some(Self::Output { task: task.to_owned(), key: key.to_owned() }))
                }
                _ => wrong("Write `${tasks.NAME.outputs.KEY}`.".to_owned()),
            },
            Some(("run", key)) => match RUN_KEYS.iter().find(|(known, _)| *known == key) {
                Some((_, key)) => Ok(Some(Self::Run(*key))),
                None => {
                    let known: Vec<&str> = RUN_KEYS.iter().map(|(known, _)| *known).collect();
                    let near = did_you_mean(nearest(key, &known));
                    wrong(format!("{near}Of a run there are: {}.", known.join(", ")))
                }
            },
            _ => Ok(None),
        }
    }
}

/// Checks the references of a whole pipeline: each names a task that is upstream of where it stands, and `${item}`
/// stands in a task that is run for each of several items.
pub(super) fn check(file: &str, document: &Node, upstream: &Upstream<'_>) -> Vec<Error> {
    let mut scan = Scan { file, upstream, errors: Vec::new() };
    let Value::Map(entries) = &document.value else { return Vec::new() };
    for (key, value) in entries {
        match (key.text.as_str(), &value.value) {
            ("connections" | "params", _) => {}
            ("tasks", Value::Map(tasks)) => tasks.iter().for_each(|(name, task)| scan.task(&name.text, task)),
            ("on_failure" | "on_success", Value::List(hooks)) => {
                for (index, hook) in hooks.iter().enumerate() {
                    scan.task(&hook_name(&key.text, index), hook);
                }
            }
            ("sync", _) => scan.task("sync", value),
            _ => scan.node(value, &Place::Document),
        }
    }
    scan.errors
}

/// The name of the task that a hook becomes.
pub(super) fn hook_name(kind: &str, index: usize) -> String {
    if index == 0 { kind.to_owned() } else { format!("{kind}_{}", index + 1) }
}

/// Whether a text is one reference to an output or a parameter and nothing else, or the list that was a parameter's value.
fn may_be_list(text: &str) -> bool {
    if serde_json::from_str::<Vec<serde_json::Value>>(text).is_ok() {
        return true;
    }
    let alone = text.strip_prefix("${").and_then(|text| text.strip_suffix('}')).filter(|name| !name.contains('}'));
    alone.is_some_and(|name| {
        let name = name.trim();
        name.starts_with("param.") || matches!(Reference::parse(name), Ok(Some(Reference::Output { .. })))
    })
}

struct Scan<'a> {
    file: &'a str,
    upstream: &'a Upstream<'a>,
    errors: Vec<Error>,
}

/// Where a reference stands.
enum Place<'a> {
    /// Outside of any task.
    Document,
    /// In a task, which has items or not.
    Task { name: &'a str, items: bool },
}

impl Scan<'_> {
    fn task(&mut self, name: &str, task: &Node) {
        let Value::Map(entries) = &task.value else { return };
        let items = task.get("for_each").is_some();
        if let Some(Node { mark, value: Value::Text(text) }) = task.find(&["for_each", "outputs"])
            && !may_be_list(text)
        {
            let error = Error::new(ErrorKind::Config, "`outputs` is one reference to a list");
            let advice = "Write `outputs: \"${tasks.NAME.outputs.KEY}\"`, `\"${param.NAME}\"` for a parameter that is a JSON list, or \
                          `list: [..]` for items known now.";
            self.errors.push(error.at(mark.in_file(self.file)).advise(advice));
        }
        for (key, value) in entries {
            self.node(value, &Place::Task { name, items: items && key.text != "for_each" });
        }
    }

    fn node(&mut self, node: &Node, place: &Place<'_>) {
        match &node.value {
            Value::Text(text) => self.text(text, node.mark, place),
            Value::List(items) => items.iter().for_each(|item| self.node(item, place)),
            Value::Map(entries) => entries.iter().for_each(|(_, value)| self.node(value, place)),
            _ => {}
        }
    }

    fn text(&mut self, text: &str, mark: Mark, place: &Place<'_>) {
        for name in super::interpolate::names(text) {
            // what cannot be read is told when the text is filled
            let Ok(Some(reference)) = Reference::parse(name) else { continue };
            if let Err((message, advice)) = self.allowed(&reference, place) {
                let error = Error::new(ErrorKind::Config, format!("`${{{name}}}` {message}"));
                self.errors.push(error.at(mark.in_file(self.file)).advise(advice));
            }
        }
    }

    fn allowed(&self, reference: &Reference, place: &Place<'_>) -> Result<(), (String, String)> {
        let Place::Task { name, items } = place else {
            let advice = "Move it into a task, or use a parameter.";
            return Err(("is only known when a task runs".to_owned(), advice.to_owned()));
        };
        match reference {
            Reference::Run(_) => Ok(()),
            Reference::Item(_) if *items => Ok(()),
            Reference::Item(_) => {
                let advice = "Add `for_each` to the task that uses it; items are not known in `for_each` itself.";
                Err(("has no item here".to_owned(), advice.to_owned()))
            }
            Reference::Output { task, .. } => {
                let known = self.upstream.names();
                if self.upstream.waits_for(name, task) {
                    Ok(())
                } else if task == name {
                    Err(("is an output of the task itself".to_owned(), "Name a task before it.".to_owned()))
                } else if known.contains(&task.as_str()) {
                    let message = format!("is not known yet: `{name}` does not wait for `{task}`");
                    Err((message, format!("Add `after: [{task}]` to `{name}`.")))
                } else {
                    let near = did_you_mean(nearest(task, &known));
                    Err((format!("names no task: there is no `{task}`"), format!("{near}Tasks: {}.", known.join(", "))))
                }
            }
        }
    }
}
