//! The rules of all pipelines of a project together: no two have one name, each that another starts or follows exists
//! and gets the parameters it wants, none waits for itself, or starts itself without end, by way of others, and datasets
//! that are waited for can be loaded.

use std::collections::{BTreeMap, BTreeSet};

use super::file::File;
use super::interpolate::is_late;
use super::order::{Upstream, in_order};
use super::pipeline::{Pipeline, Task};
use super::reference::hook_name;
use super::schedule::Trigger;
use super::task::StartPipeline;
use super::work::{Condition, Wait, Work};
use super::yaml::{Mark, Node};
use crate::error::Error;
use crate::naming::{did_you_mean, nearest};

/// Checks pipelines with the files they come from; `own` is the project's file.
///
/// # Errors
/// `Config` with file, line and column; one for each rule that is broken.
pub fn check_pipelines(own: &File, pipelines: &[(&File, &Pipeline)]) -> Result<(), Vec<Error>> {
    let mut errors = Vec::new();
    let mut by_name: BTreeMap<&str, (&File, &Pipeline)> = BTreeMap::new();
    for (file, pipeline) in pipelines {
        if let Some((other, _)) = by_name.get(pipeline.name.as_str()) {
            let message = format!("the name `{}` belongs to the pipeline in {}", pipeline.name, other.name);
            let advice = "Give one of them another `name`; without one it is the name of the file.";
            errors.push(file.error(mark(file, &["name"]), &message, advice));
        } else {
            by_name.insert(&pipeline.name, (file, pipeline));
        }
    }
    let known: Vec<&str> = by_name.keys().copied().collect();
    for (file, pipeline) in pipelines {
        let unknown = |name: &str, path: &[&str]| {
            let advice = format!("{}Pipelines: {}.", did_you_mean(nearest(name, &known)), known.join(", "));
            file.error(mark(file, path), &format!("there is no pipeline `{name}`"), &advice)
        };
        for (index, schedule) in pipeline.schedules.iter().enumerate() {
            let Trigger::Pipeline { name, .. } = &schedule.trigger else { continue };
            if !by_name.contains_key(name.as_str()) {
                let path = trigger_path(file, index, "pipeline");
                errors.push(unknown(name, &path.iter().map(String::as_str).collect::<Vec<_>>()));
            }
        }
        for (task, start) in starts(pipeline) {
            let path = path(file, task);
            let path: Vec<&str> = path.iter().map(String::as_str).chain(["pipeline"]).collect();
            match by_name.get(start.name.as_str()) {
                None => errors.push(unknown(&start.name, &[path.as_slice(), &["name"]].concat())),
                Some((_, started)) => {
                    let place = mark(file, &[path.as_slice(), &["params"]].concat());
                    errors.extend(
                        params(start, started)
                            .into_iter()
                            .map(|(message, advice)| file.error(place, &message, &advice)),
                    );
                }
            }
        }
    }
    errors.extend(pipelines.iter().flat_map(|(file, pipeline)| datasets(own, pipelines, file, pipeline)));
    if errors.is_empty() {
        errors.extend(circle(&by_name));
        errors.extend(ring(&by_name));
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// The pipelines that a pipeline starts.
fn starts(pipeline: &Pipeline) -> impl Iterator<Item = (&Task, &StartPipeline)> {
    pipeline.tasks.iter().filter_map(|task| match &task.work {
        Work::Pipeline(start) => Some((task, start)),
        _ => None,
    })
}

/// What is wrong with the parameters that a pipeline is started with.
fn params(start: &StartPipeline, started: &Pipeline) -> Vec<(String, String)> {
    let mut wrong = Vec::new();
    let known: Vec<&str> = started.params.keys().map(String::as_str).collect();
    for (name, value) in &start.params {
        match started.params.get(name) {
            None => {
                let list = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                let advice = format!("{}Its parameters: {list}.", did_you_mean(nearest(name, &known)));
                wrong.push((format!("the pipeline `{}` has no parameter `{name}`", start.name), advice));
            }
            Some(param) if !is_late(value) && !param.kind.accepts(value) => {
                let advice = format!("Give {}.", param.kind.expectation());
                wrong.push((format!("the parameter `{name}` of `{}` cannot be `{value}`", start.name), advice));
            }
            Some(_) => {}
        }
    }
    let wanted = started.params.iter().filter(|(_, param)| param.default.is_none());
    for (name, _) in wanted.filter(|(name, _)| !start.params.contains_key(*name)) {
        let message = format!("the pipeline `{}` wants a value for the parameter `{name}`", start.name);
        wrong.push((message, format!("Add `params: {{ {name}: .. }}`.")));
    }
    wrong
}

/// Pipelines that start each other and wait: none of them would ever end.
fn circle(by_name: &BTreeMap<&str, (&File, &Pipeline)>) -> Option<Error> {
    let waits = |pipeline: &Pipeline| {
        starts(pipeline).filter(|(_, start)| start.wait).map(|(_, start)| start.name.clone()).collect::<Vec<_>>()
    };
    let edges: Vec<_> = by_name.values().map(|(_, pipeline)| (pipeline.name.clone(), waits(pipeline))).collect();
    let cycle = in_order(&edges).err()?;
    let (file, pipeline) = by_name.get(cycle.first()?.as_str())?;
    let (task, _) = starts(pipeline).find(|(_, start)| start.wait && cycle.contains(&start.name))?;
    let path = path(file, task);
    let path: Vec<&str> = path.iter().map(String::as_str).chain(["pipeline"]).collect();
    let message = format!("pipelines start each other and wait: {}", cycle.join(" -> "));
    Some(file.error(mark(file, &path), &message, "Remove one of the starts, or write `wait: false` there."))
}

/// A pipeline that runs after another which runs because of it: they would go on without end. Pipelines that start each
/// other without waiting can end, as a task need not be reached.
fn ring(by_name: &BTreeMap<&str, (&File, &Pipeline)>) -> Option<Error> {
    let pipelines = || by_name.values().map(|(_, pipeline)| *pipeline);
    let causes = |pipeline: &Pipeline| {
        let starters = pipelines()
            .filter(|other| starts(other).any(|(_, start)| start.name == pipeline.name))
            .map(|other| &other.name);
        followed(pipeline).map(|(_, name)| name).chain(starters).cloned().collect::<Vec<_>>()
    };
    let edges: Vec<_> = pipelines().map(|pipeline| (pipeline.name.clone(), causes(pipeline))).collect();
    let upstream = Upstream::new(&edges);
    by_name.values().find_map(|(file, pipeline)| {
        let own = &pipeline.name;
        let (index, name) = followed(pipeline).find(|(_, name)| *name == own || upstream.waits_for(name, own))?;
        let path = trigger_path(file, index, "pipeline");
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let message = format!("`{own}` would run without end: it follows `{name}`, which runs because of `{own}`");
        Some(file.error(mark(file, &path), &message, "Remove this trigger, or what makes the other run."))
    })
}

/// The pipelines that a pipeline follows, each with the place of the schedule among all.
fn followed(pipeline: &Pipeline) -> impl Iterator<Item = (usize, &String)> {
    pipeline.schedules.iter().enumerate().filter_map(|(index, schedule)| match &schedule.trigger {
        Trigger::Pipeline { name, .. } => Some((index, name)),
        _ => None,
    })
}

/// The datasets that a pipeline waits for and that nothing loads: they have the name of no connection. It can be one in the
/// document of the pipeline that loads it, which the document of this one does not know.
fn datasets(own: &File, all: &[(&File, &Pipeline)], file: &File, pipeline: &Pipeline) -> Vec<Error> {
    let waits = pipeline.tasks.iter().filter_map(|task| match &task.work {
        Work::Wait(Wait { condition: Condition::Dataset { name, .. }, .. }) => {
            Some((name, [path(file, task), ["wait", "dataset"].map(str::to_owned).to_vec()].concat()))
        }
        _ => None,
    });
    let triggers = pipeline.schedules.iter().enumerate().filter_map(|(index, schedule)| match &schedule.trigger {
        Trigger::Dataset(name) => Some((name, trigger_path(file, index, "dataset"))),
        _ => None,
    });
    let files = std::iter::once(own).chain(all.iter().map(|(file, _)| *file));
    let known: BTreeSet<&str> =
        files.flat_map(|file| &file.connections).map(|connection| connection.name.as_str()).collect();
    let known: Vec<&str> = known.into_iter().collect();
    let is_of = |name: &str, of: &str| name.strip_prefix(of).is_some_and(|stream| stream.starts_with('.'));
    let unknown = waits.chain(triggers).filter(|(name, _)| !is_late(name) && !known.iter().any(|of| is_of(name, of)));
    unknown
        .map(|(name, path)| {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            let of = name.split('.').next().unwrap_or_default();
            let meant = did_you_mean(nearest(of, &known).filter(|near| *near != of));
            let advice = format!("Write `connection.stream`. {meant}Connections: {}.", known.join(", "));
            file.error(mark(file, &path), &format!("no connection has the dataset `{name}`"), &advice)
        })
        .collect()
}

/// What one who knows its source finds wrong with a stream, told at its place in the document.
pub fn at_stream(file: &File, task: &Task, stream: &str, error: &Error) -> Error {
    in_task(file, task, &["sync", "streams", stream], error)
}

/// What one who knows more finds wrong with what a task does, told at the place below these keys of the task. Where in the text
/// there it is, the error says itself.
pub fn in_task(file: &File, task: &Task, keys: &[&str], error: &Error) -> Error {
    let is_one_sync = file.pipeline.as_ref().is_some_and(|node| node.get("sync").is_some());
    let own = if is_one_sync { Vec::new() } else { path(file, task) };
    let path: Vec<&str> = own.iter().map(String::as_str).chain(keys.iter().copied()).collect();
    let message =
        error.place().iter().rev().fold(error.message().to_owned(), |message, place| format!("{place}: {message}"));
    file.error(mark(file, &path), &message, error.advice())
}

/// Where the trigger of a schedule stands in its document.
fn trigger_path(file: &File, index: usize, key: &str) -> Vec<String> {
    let index = index.to_string();
    let listed = file.pipeline.as_ref().is_some_and(|node| node.find(&["schedule", &index]).is_some());
    let path: &[&str] = if listed { &["schedule", &index, "on", key] } else { &["schedule", "on", key] };
    path.iter().map(|key| (*key).to_owned()).collect()
}

/// Where a task stands in its document.
fn path(file: &File, task: &Task) -> Vec<String> {
    for kind in ["on_failure", "on_success"] {
        let hooks = file.pipeline.as_ref().and_then(|node| node.get(kind));
        let count = hooks.map_or(0, Node::len);
        if let Some(index) = (0..count).find(|index| hook_name(kind, *index) == task.name) {
            return vec![kind.to_owned(), index.to_string()];
        }
    }
    vec!["tasks".to_owned(), task.name.clone()]
}

fn mark(file: &File, path: &[&str]) -> Mark {
    file.pipeline.as_ref().map(|node| node.locate(path)).unwrap_or_default()
}
