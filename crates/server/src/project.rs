//! The documents of a project, checked together, and as the metadata store is to have them.

use std::collections::BTreeSet;

use levada_core::config::{
    self, Commands, EndState, File, PROJECT_FILE, Pipeline, Task, Trigger, Variables, at_stream, check_pipelines,
    in_task,
};
use levada_core::connector::Registry;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::run::RunState;
use levada_engine::connections;
use levada_engine::planning::missing_cursors;
use levada_engine::queries;
use levada_store::{Kind, NewDocument, NewProject, NewSchedule, Spec, When};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// The folder in a project whose files are its pipelines.
pub const PIPELINES_DIR: &str = "pipelines";

/// The text of a document.
#[derive(Debug, Clone)]
pub struct Source {
    /// Where it lies, from the project's folder on, with `/`.
    pub path: String,
    /// The same, as messages call it.
    pub shown: String,
    /// What it says.
    pub text: String,
}

/// What the store is to have, if nothing is wrong with any of the documents. `commands` tells, by the text of a pipeline, what
/// the process allows of commands in it.
///
/// # Errors
/// Every mistake in every document, with file, line and column.
pub fn compile(
    registry: &Registry,
    variables: &Variables<'_>,
    commands: &dyn Fn(&str) -> Commands,
    project: Source,
    pipelines: Vec<Source>,
) -> Result<NewProject, Vec<Error>> {
    let own = File::parse(&project.shown, &project.text)?;
    if own.has_pipeline() {
        let error = Error::new(ErrorKind::Config, "the document of a project holds no pipeline");
        let advice = format!("Put the pipeline into a file below `{PIPELINES_DIR}/`.");
        return Err(vec![error.at(&project.shown).advise(advice)]);
    }
    let (mut checked, mut errors) = (Vec::new(), Vec::new());
    for source in pipelines {
        match check(registry, variables, commands(&source.text), &source, &own) {
            Ok((file, pipeline)) => checked.push((source, file, pipeline)),
            Err(found) => errors.extend(found),
        }
    }
    if errors.is_empty() {
        let all: Vec<(&File, &Pipeline)> = checked.iter().map(|(_, file, pipeline)| (file, pipeline)).collect();
        errors.extend(check_pipelines(&own, &all).err().unwrap_or_default());
    }
    // mistakes in what several pipelines share are found once for each
    let mut told = BTreeSet::new();
    errors.retain(|error| told.insert(error.to_string()));
    if !errors.is_empty() {
        return Err(errors);
    }
    let pools = config::Project::of([&own]).pools;
    let pipelines = checked.into_iter().map(|(source, _, pipeline)| {
        let schedules = pipeline.schedules.iter().map(schedule).collect();
        (source.document(Kind::Pipeline, &pipeline.name, Some(&pipeline)), schedules)
    });
    let pipelines = pipelines.collect();
    let document = project.document(Kind::Project, PROJECT_FILE, None);
    Ok(NewProject { document, pools, pipelines, based_on: None })
}

impl Source {
    /// The document of a path, which messages call by it.
    pub fn new(path: String, text: String) -> Self {
        Self { shown: path.clone(), path, text }
    }

    fn document(self, kind: Kind, name: &str, pipeline: Option<&Pipeline>) -> NewDocument {
        let graph = pipeline.map(Pipeline::graph);
        NewDocument { kind, name: name.to_owned(), path: self.path, text: self.text, graph }
    }
}

/// What a document turned out to hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "DocumentFacts")]
pub struct Facts {
    /// The pipeline; null for a document without one.
    pub pipeline: Option<String>,
    /// How many tasks it has.
    pub tasks: usize,
    /// How many streams its syncs name.
    pub streams: usize,
    /// How many connections the document has by itself.
    pub connections: usize,
}

/// Tells everything of a document that can be told without touching a system.
///
/// # Errors
/// Every mistake in it, and in the connections of the project that it uses.
pub fn examine(
    registry: &Registry,
    variables: &Variables<'_>,
    file: &File,
    shared: &config::Project,
) -> Result<Facts, Vec<Error>> {
    let mut facts = Facts { pipeline: None, tasks: 0, streams: 0, connections: file.connections.len() };
    let (mut errors, mut used, mut variables) = (Vec::new(), file.connections.clone(), variables.clone());
    let mut tasks = Vec::new();
    if file.has_pipeline() {
        match file.check(shared, &variables) {
            Ok((pipeline, params)) => {
                variables.params = params;
                facts.tasks = pipeline.tasks.len();
                let syncs = pipeline.tasks.iter().filter_map(|task| task.work.as_sync());
                facts.streams = syncs.map(|sync| sync.streams.len()).sum();
                for name in pipeline.tasks.iter().flat_map(|task| queries::connections(registry, task)) {
                    let is_new = used.iter().all(|connection| connection.name != name);
                    used.extend(shared.connections.iter().filter(|other| is_new && other.name == name).cloned());
                }
                facts.pipeline = Some(pipeline.name);
                tasks = pipeline.tasks;
            }
            Err(mistakes) => errors.extend(mistakes),
        }
    }
    let known = file.connections.iter().chain(&shared.connections);
    let known: Vec<&str> = known.map(|connection| connection.name.as_str()).collect();
    errors.extend(queries_of(registry, file, &tasks, &known));
    errors.extend(connect(registry, &variables, file, &tasks, &used.iter().collect::<Vec<_>>()));
    if errors.is_empty() { Ok(facts) } else { Err(errors) }
}

/// Opens connections, and looks whether the tasks give them what they need. Asks no system. Gives what is wrong.
fn connect(
    registry: &Registry,
    variables: &Variables<'_>,
    file: &File,
    tasks: &[Task],
    used: &[&config::Connection],
) -> Vec<Error> {
    let (mut opened, mut errors) = (Vec::new(), Vec::new());
    for connection in used {
        match connections::open(registry, connection, variables) {
            Ok(found) => opened.push(found),
            Err(found) => errors.extend(found),
        }
    }
    for task in tasks {
        let missing = missing_cursors(task, &opened).into_iter();
        errors.extend(missing.map(|(stream, error)| at_stream(file, task, stream, &error)));
    }
    errors
}

/// Looks at the queries of tasks. Gives what is wrong.
fn queries_of(registry: &Registry, file: &File, tasks: &[Task], known: &[&str]) -> Vec<Error> {
    let mut errors = Vec::new();
    for task in tasks {
        for (keys, error) in queries::mistakes(registry, task, known) {
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            errors.push(in_task(file, task, &keys, &error));
        }
    }
    errors
}

/// The pipeline in a document, with all that it uses of the project.
fn check(
    registry: &Registry,
    variables: &Variables<'_>,
    commands: Commands,
    source: &Source,
    own: &File,
) -> Result<(File, Pipeline), Vec<Error>> {
    let file = File::parse(&source.shown, &source.text)?;
    let shared = config::Project::of([&file, own]).within(commands);
    let (pipeline, params) = file.check(&shared, variables)?;
    let variables = Variables { params, ..variables.clone() };
    let used: BTreeSet<String> = pipeline.tasks.iter().flat_map(|task| queries::connections(registry, task)).collect();
    let used: Vec<_> = shared.connections.iter().filter(|connection| used.contains(&connection.name)).collect();
    let known: Vec<&str> = shared.connections.iter().map(|connection| connection.name.as_str()).collect();
    let mut errors = queries_of(registry, &file, &pipeline.tasks, &known);
    errors.extend(connect(registry, &variables, &file, &pipeline.tasks, &used));
    if errors.is_empty() { Ok((file, pipeline)) } else { Err(errors) }
}

/// A schedule as the store has it.
pub fn schedule(schedule: &config::Schedule) -> NewSchedule {
    let when = match &schedule.trigger {
        Trigger::Time(times) => When::Time(times.clone()),
        Trigger::Pipeline { name, state } => When::Pipeline {
            name: name.clone(),
            states: match state {
                EndState::Succeeded => vec![RunState::Succeeded],
                EndState::Failed => vec![RunState::Failed],
                EndState::Ended => vec![RunState::Succeeded, RunState::Failed, RunState::Cancelled],
            },
        },
        Trigger::Dataset(name) => When::Dataset(name.clone()),
        Trigger::File { pattern, every } => {
            When::File { connection: pattern.connection.clone(), path: pattern.path.clone(), every: *every }
        }
    };
    let params = schedule.params.iter().map(|(name, value)| (name.clone(), Json::String(value.clone()))).collect();
    let spec = Spec { when, catchup: schedule.catchup, params };
    NewSchedule { name: schedule.name.clone(), spec, paused: schedule.paused }
}
