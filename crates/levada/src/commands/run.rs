//! `levada run`: the tasks of a pipeline, each after those it waits for.

use std::collections::BTreeMap;

use levada_core::config::{Pipeline, Task, Variables};
use levada_core::error::{Context as _, Error, ErrorKind};
use levada_core::naming::{did_you_mean, nearest};
use levada_core::run::When;
use levada_engine::report::{Failure, StreamReport};
use serde::Serialize;

use super::sync::{Work, carry_out, show_proof, show_report, stop_on_interrupt};
use super::{Context, Errors, Outcome, one};
use crate::cli::RunArgs;
use crate::output::{Output, printable};
use crate::project::{Project, env, secret};
use crate::wiring;

/// What a run came to.
#[derive(Serialize)]
struct RunReport {
    pipeline: String,
    succeeded: bool,
    tasks: Vec<TaskReport>,
}

/// What a task came to.
#[derive(Serialize)]
struct TaskReport {
    task: String,
    state: &'static str,
    streams: Vec<StreamReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
    #[serde(skip)]
    exit_code: u8,
}

/// Runs a pipeline.
pub fn execute(context: &Context, args: &RunArgs) -> Outcome {
    let (project, pipeline) = load(context, args)?;
    // every connection is opened before anything moves: a mistake in the last task is told at once
    let work = chosen(&pipeline, args)?
        .into_iter()
        .map(|task| Ok((task.clone(), work(&project, &pipeline, task, args)?)))
        .collect::<Result<Vec<_>, Errors>>()?;
    let runtime = wiring::runtime().map_err(one)?;
    let report = runtime.block_on(run(context.output, pipeline.name, work));
    runtime.shutdown_background();
    let code = report.exit_code();
    if context.output.is_json() {
        context.output.json(&report);
    } else {
        let streams: Vec<&StreamReport> = report.tasks.iter().flat_map(|task| &task.streams).collect();
        show_proof(context.output, &streams);
    }
    Ok(code)
}

/// The pipeline of a file, and the project it belongs to.
pub fn load(context: &Context, args: &RunArgs) -> Result<(Project, Pipeline), Errors> {
    let (mut project, file) = Project::of_file(wiring::registry(), &args.file, context.project_file.as_deref())?;
    let params: BTreeMap<_, _> = args.params.iter().cloned().collect();
    let variables = Variables { env: &env, secret: &secret, params, runtime: None };
    let (mut pipeline, params) = file.pipeline(&project.shared, &variables)?;
    project.params = params;
    for task in &mut pipeline.tasks {
        // what only a run service knows is an error here
        task.work = file.task(&task.name, &project.shared, &variables)?.work;
    }
    Ok((project, pipeline))
}

/// The tasks asked for, in the order of the pipeline.
pub fn chosen<'a>(pipeline: &'a Pipeline, args: &RunArgs) -> Result<Vec<&'a Task>, Errors> {
    let known: Vec<&str> = pipeline.tasks.iter().map(|task| task.name.as_str()).collect();
    if let Some(unknown) = args.tasks.iter().find(|name| !known.contains(&name.as_str())) {
        let near = did_you_mean(nearest(unknown, &known));
        return Err(one(Error::new(ErrorKind::Usage, format!("the pipeline has no task `{unknown}`"))
            .advise(format!("{near}Tasks: {}.", known.join(", ")))));
    }
    let mut tasks: Vec<&Task> = pipeline.tasks.iter().collect();
    tasks.retain(|task| args.tasks.is_empty() || args.tasks.contains(&task.name));
    let Some(stream) = &args.stream else { return Ok(tasks) };
    let streams: Vec<String> = tasks
        .iter()
        .filter_map(|task| task.work.as_sync())
        .flat_map(|sync| &sync.streams)
        .map(|(name, _)| name.clone())
        .collect();
    tasks.retain(|task| task.work.as_sync().is_some_and(|sync| sync.entry_for(stream).is_some()));
    if tasks.is_empty() {
        let known: Vec<&str> = streams.iter().map(String::as_str).collect();
        let near = did_you_mean(nearest(stream, &known));
        return Err(one(Error::new(ErrorKind::Usage, format!("no task has a stream `{stream}`"))
            .advise(format!("{near}Streams: {}.", known.join(", ")))));
    }
    Ok(tasks)
}

/// A task with its connections opened.
pub fn work(project: &Project, pipeline: &Pipeline, task: &Task, args: &RunArgs) -> Result<Work, Errors> {
    let plain = task.work.as_sync().filter(|_| task.for_each.is_none() && task.when == When::AllSucceeded);
    let Some(sync) = plain else {
        let message =
            format!("`{}` tasks, `for_each` and `when` are not carried out by this command", task.work.kind());
        return Err(one(Error::new(ErrorKind::Unsupported, message)
            .at(format!("task `{}`", task.name))
            .advise("Choose the plain `sync` tasks with `--task`.")));
    };
    Ok(Work {
        pipeline: format!("{}/{}", pipeline.name, task.name),
        source: project.open(&sync.from)?,
        destination: project.open(&sync.to)?,
        sync: sync.clone(),
        full_refresh: args.full_refresh,
        only_stream: args.stream.clone(),
        retry: task.retry,
        timeout: task.timeout,
    })
}

async fn run(output: Output, pipeline: String, work: Vec<(Task, Work)>) -> RunReport {
    let stop = stop_on_interrupt(output);
    let mut tasks: Vec<TaskReport> = Vec::new();
    for (task, work) in work {
        let waits = tasks.iter().find(|done| task.after.contains(&done.task) && done.state != "succeeded");
        let mut report =
            TaskReport { task: task.name, state: "skipped", streams: Vec::new(), error: None, exit_code: 0 };
        if let Some(waits) = waits {
            output.note(&format!("task `{}` is skipped: `{}` did not succeed", report.task, waits.task));
            report.exit_code = waits.exit_code;
        } else if !stop.is_cancelled() {
            if !output.is_json() {
                output.note(&format!("task `{}`: {} -> {}", report.task, work.source.name, work.destination.name));
            }
            let result = carry_out(work, &stop, output).await.at(format!("task `{}`", report.task));
            report.take(result);
            if !output.is_json() {
                show_report(output, &report.streams.iter().collect::<Vec<_>>());
            }
            if let Some(failure) = &report.error {
                output.note(&format!("error: {}. {}", printable(&failure.message), printable(&failure.advice)));
            }
        }
        tasks.push(report);
    }
    let succeeded = tasks.iter().all(|task| task.state == "succeeded");
    let mut report = RunReport { pipeline, succeeded, tasks };
    if stop.is_cancelled() {
        let interrupted = ErrorKind::Interrupted.policy().exit_code;
        report.tasks.iter_mut().filter(|task| task.state != "succeeded").for_each(|task| task.exit_code = interrupted);
    }
    report
}

impl TaskReport {
    fn take(&mut self, result: Result<levada_engine::report::Report, Error>) {
        match result {
            Ok(report) => {
                self.exit_code = report.exit_code();
                self.streams = report.streams;
            }
            Err(error) => {
                let failure = Failure::from(&error);
                self.exit_code = failure.exit_code;
                self.error = Some(failure);
            }
        }
        self.state = if self.exit_code == 0 { "succeeded" } else { "failed" };
    }
}

impl RunReport {
    /// The exit code that all failures share, else 1.
    fn exit_code(&self) -> u8 {
        let mut codes = self.tasks.iter().map(|task| task.exit_code).filter(|code| *code != 0);
        let Some(first) = codes.next() else { return 0 };
        if codes.all(|code| code == first) { first } else { 1 }
    }
}
