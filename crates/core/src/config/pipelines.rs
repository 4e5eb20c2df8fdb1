//! The rules of all pipelines of a project together: no two have one name, each that another starts or follows exists
//! and gets the parameters it wants, and none waits for itself by way of others.

use std::collections::BTreeMap;

use super::file::File;
use super::interpolate::is_late;
use super::order::in_order;
use super::pipeline::{Pipeline, Task};
use super::reference::hook_name;
use super::schedule::Trigger;
use super::task::StartPipeline;
use super::work::Work;
use super::yaml::{Mark, Node};
use crate::error::Error;
use crate::naming::{did_you_mean, nearest};

/// Checks pipelines with the files they come from.
///
/// # Errors
/// `Config` with file, line and column; one for each rule that is broken.
pub fn check_pipelines(pipelines: &[(&File, &Pipeline)]) -> Result<(), Vec<Error>> {
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
                let index = index.to_string();
                let listed = file.pipeline.as_ref().is_some_and(|node| node.find(&["schedule", &index]).is_some());
                let path: &[&str] =
                    if listed { &["schedule", &index, "on", "pipeline"] } else { &["schedule", "on", "pipeline"] };
                errors.push(unknown(name, path));
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
    if errors.is_empty() {
        errors.extend(circle(&by_name));
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
