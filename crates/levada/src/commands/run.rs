//! `levada run`: a pipeline from a file, carried out by this process alone, and kept in the history of the project.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use levada_core::config::{PROJECT_FILE, Pipeline, Retention, Work as Kind};
use levada_core::error::{Error, ErrorKind};
use levada_core::id::RunId;
use levada_core::quality::TestResult;
use levada_engine::house::{Done, Executed, Keeper, Observer, RunOptions, Scheduler, Seen};
use levada_engine::planning::{chosen, missing_cursors};
use levada_engine::queries;
use levada_engine::report::{Report, StreamReport};
use levada_store::{Claim, Kind as DocumentKind, NewDocument, NewRun, Store};
use serde::Serialize;
use serde_json::Value as Json;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::sync::{show_proof, show_report, stop_on_interrupt};
use super::{Context, Errors, Outcome, one, quality};
use crate::cli::RunArgs;
use crate::output::{Output, printable};
use crate::progress::{self, Shown};
use crate::project::{Project, nearest_project};
use crate::service::{self, Places};
use crate::wiring;

/// How often the end of the run is looked for.
const LOOK: Duration = Duration::from_millis(20);
/// How long an interrupted run may take to end.
const STOP_LIMIT: Duration = Duration::from_millis(4_800);

/// What a run came to.
#[derive(Serialize)]
struct RunReport {
    run: RunId,
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
    /// What tasks after it could use of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    outputs: Option<Json>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tests: Vec<TestResult>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Json>,
    #[serde(skip)]
    exit_code: u8,
}

/// Runs a pipeline.
pub fn execute(context: &Context, args: &RunArgs) -> Outcome {
    let (project, pipeline) = load(context, args)?;
    let tasks: Vec<String> =
        chosen(&pipeline, &args.tasks, args.stream.as_deref())?.into_iter().map(|task| task.name.clone()).collect();
    // every connection is opened before anything moves: a mistake in the last task is told at once
    for task in pipeline.tasks.iter().filter(|task| tasks.contains(&task.name)) {
        let known: Vec<&str> = project.shared.connections.iter().map(|connection| connection.name.as_str()).collect();
        let mistakes = queries::mistakes(project.registry(), task, &known).into_iter().map(|(_, error)| error);
        let mut mistakes: Errors = mistakes.collect();
        if mistakes.is_empty() {
            let used = queries::connections(project.registry(), task);
            let opened: Result<Vec<_>, Errors> = used.iter().map(|name| project.open(name)).collect();
            mistakes.extend(missing_cursors(task, &opened?).into_iter().map(|(_, error)| error));
        }
        if !mistakes.is_empty() {
            return Err(mistakes.into_iter().map(|error| error.at(format!("task `{}`", task.name))).collect());
        }
    }
    let folder = args.file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let places = context.places_of(folder)?;
    let runtime = wiring::runtime().map_err(one)?;
    let report = runtime.block_on(run(context, args, &places, &pipeline, tasks, project.shared.retention));
    runtime.shutdown_background();
    let report = report?;
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
    let (mut project, file) = context.project_of(&args.file)?;
    let params: BTreeMap<_, _> = args.params.iter().cloned().collect();
    let (pipeline, params) = project.variables(params, |variables| file.pipeline(&project.shared, variables))?;
    project.params = params;
    Ok((project, pipeline))
}

async fn run(
    context: &Context,
    args: &RunArgs,
    places: &Places,
    pipeline: &Pipeline,
    tasks: Vec<String>,
    retention: Retention,
) -> Result<RunReport, Errors> {
    let output = context.output;
    let store = places.open().await.map_err(one)?;
    let show = Arc::new(Show { output, seen: Mutex::default() });
    let mut options = service::worker_options(1);
    options.own = true;
    let worker = service::worker(places, &store, options, show.clone()).await.map_err(one)?;
    let mut new = new_run(context, args, &store, pipeline).await?;
    new.owner = Some(worker.id());
    new.only = if tasks.len() == pipeline.tasks.len() { Vec::new() } else { tasks };
    let run = store.create_run(new, service::now()).await.map_err(one)?.run;
    let (drain, stop) = (CancellationToken::new(), CancellationToken::new());
    let scheduler = Scheduler::new(store.clone(), service::clock(), false).cleaning(places.data.clone());
    let ticking = drain.clone();
    let ticks = tokio::spawn(async move { scheduler.run(ticking).await });
    let working = tokio::spawn(worker.work(drain.clone(), stop.clone()));
    let interrupted = until_ended(output, &store, run).await.map_err(one)?;
    drain.cancel();
    stop.cancel();
    let _ = tokio::time::timeout(STOP_LIMIT, working).await;
    ticks.abort();
    let mut report = show.report(&store, run, &pipeline.name).await.map_err(one)?;
    if interrupted {
        let code = ErrorKind::Interrupted.policy().exit_code;
        report.tasks.iter_mut().filter(|task| task.state != "succeeded").for_each(|task| task.exit_code = code);
        return Ok(report);
    }
    let keeper = Keeper::new(store, service::clock(), places.data.clone()).unless_applied(retention);
    if let Err(error) = keeper.short_round().await {
        output.note(&format!("old runs cannot be removed: {}", printable(&error.to_string())));
    }
    Ok(report)
}

/// The run as the store is to have it, with the documents as they are now.
async fn new_run(context: &Context, args: &RunArgs, store: &Store, pipeline: &Pipeline) -> Result<NewRun, Errors> {
    let now = service::now();
    let keep = async |kind, name: &str, path: &Path, graph| {
        let text = std::fs::read_to_string(path).map_err(|error| Error::from(error).at(path.display().to_string()))?;
        let path = path.display().to_string();
        let document = NewDocument { kind, name: name.to_owned(), path, text, graph };
        Ok::<i64, Error>(store.keep_document(document, now).await?.id)
    };
    let own =
        keep(DocumentKind::LocalPipeline, &pipeline.name, &args.file, Some(pipeline.graph())).await.map_err(one)?;
    let near = context.project_file.clone().or_else(|| nearest_project(args.file.parent().unwrap_or(&args.file)));
    let project = match near {
        Some(file) => Some(keep(DocumentKind::LocalProject, PROJECT_FILE, &file, None).await.map_err(one)?),
        None => None,
    };
    let params: serde_json::Map<String, Json> =
        args.params.iter().map(|(name, value)| (name.clone(), Json::String(value.clone()))).collect();
    let options = RunOptions { full_refresh: args.full_refresh, stream: args.stream.clone() };
    let mut new = NewRun::manual(&pipeline.name, own, format!("local:{}", uuid::Uuid::new_v4()));
    new.project = project;
    new.params = Json::Object(params).to_string();
    new.options = serde_json::to_string(&options).ok();
    Ok(new)
}

/// Waits for the end of a run, which the user can bring forward. Answers whether he did.
async fn until_ended(output: Output, store: &Store, run: RunId) -> Result<bool, Error> {
    let stop = stop_on_interrupt(output);
    let mut deadline = None;
    loop {
        if store.run(run).await?.is_none_or(|run| run.ended_at.is_some()) {
            return Ok(stop.is_cancelled());
        }
        if deadline.is_none() && stop.is_cancelled() {
            store.stop_run(run, service::now()).await?;
            deadline = Some(tokio::time::Instant::now() + STOP_LIMIT);
        }
        if deadline.is_some_and(|deadline| tokio::time::Instant::now() > deadline) {
            return Ok(true);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Shows task runs to the user while they go on.
struct Show {
    output: Output,
    seen: Mutex<Streams>,
}

#[derive(Default)]
struct Streams {
    progress: BTreeMap<i64, Shown>,
    streams: BTreeMap<String, Vec<StreamReport>>,
    /// What the tests of tasks found, in their last attempts.
    tests: BTreeMap<String, BTreeMap<i64, Vec<TestResult>>>,
    /// The task runs whose outputs are told when they end.
    telling: BTreeSet<i64>,
    /// What streams of a task run failed with, which was told with their figures.
    told: BTreeMap<i64, Vec<String>>,
}

impl Observer for Show {
    fn see<'a>(&'a self, claim: &'a Claim, seen: Seen<'a>) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let mut own = self.seen.lock().await;
            match seen {
                Seen::Started(work) if !self.output.is_json() => {
                    if matches!(work, Kind::Backup(_) | Kind::Restore(_)) {
                        own.telling.insert(claim.task_run.0);
                    }
                    self.output.note(&heading(claim, work));
                }
                Seen::Started(_) => {}
                Seen::Moves(figures) => {
                    own.progress.insert(claim.task_run.0, progress::show(figures, self.output));
                }
                Seen::Moved(report) => {
                    if let Some(shown) = own.progress.remove(&claim.task_run.0) {
                        shown.end().await;
                    }
                    self.moved(&mut own, claim, report);
                }
                Seen::Tested(tests) => {
                    if !self.output.is_json() {
                        quality::show(self.output, tests);
                    }
                    own.tests.entry(claim.task.clone()).or_default().insert(claim.task_run.0, tests.to_vec());
                }
                Seen::Ended(result) => {
                    let told = own.told.remove(&claim.task_run.0).unwrap_or_default();
                    let tells = own.telling.remove(&claim.task_run.0);
                    match result {
                        Ok(Executed::Done(Done { outputs: Some(outputs), .. })) if tells => {
                            self.output.line(&format!("{} put out {}", printable(&claim.task), printable(outputs)));
                        }
                        Err(error) => self.failed(error, &told),
                        // a load that failed in part was told with its streams
                        Ok(Executed::Failed { error, tests, .. }) if !tests.is_empty() => self.failed(error, &told),
                        Ok(_) => {}
                    }
                }
            }
        })
    }
}

fn heading(claim: &Claim, work: &Kind) -> String {
    let what = match work {
        Kind::Sync(sync) => format!("{} -> {}", sync.from, sync.to),
        Kind::Backup(backup) => format!("backup {} -> {}", backup.from, backup.to),
        Kind::Restore(restore) => format!("restore {} -> {}", restore.from, restore.to),
        other => other.kind().to_owned(),
    };
    let item = claim.item.as_ref().map(|item| format!(" {}", printable(item))).unwrap_or_default();
    let again = if claim.attempt > 1 { format!(" (attempt {})", claim.attempt) } else { String::new() };
    format!("task `{}`{item}: {what}{again}", claim.task)
}

impl Show {
    fn moved(&self, own: &mut Streams, claim: &Claim, report: Report) {
        if !self.output.is_json() {
            show_report(self.output, &report.streams.iter().collect::<Vec<_>>());
        }
        let failures = report.streams.iter().filter_map(|stream| stream.error.as_ref());
        own.told.insert(claim.task_run.0, failures.map(|failure| failure.message.clone()).collect());
        own.streams.entry(claim.task.clone()).or_default().extend(report.streams);
    }

    /// Tells why a task failed, unless that was told of its streams, or stands in the report that a program reads.
    fn failed(&self, error: &Error, told: &[String]) {
        let is_told = told.iter().any(|failure| error.message().starts_with(failure));
        if !is_told && !self.output.is_json() && error.kind() != ErrorKind::Interrupted {
            self.output.note(&format!("error: {}", printable(&error.to_string())));
        }
    }

    /// What the store knows of the run in the end, with the proof of its streams.
    async fn report(&self, store: &Store, run: RunId, pipeline: &str) -> Result<RunReport, Error> {
        let mut own = self.seen.lock().await;
        let mut tasks = Vec::new();
        for task_run in store.task_runs(run).await? {
            let error: Option<Json> = task_run.error.as_deref().and_then(|error| serde_json::from_str(error).ok());
            let code = error.as_ref().and_then(|error| error["exit_code"].as_u64());
            let code = code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
            let state = task_run.state.name();
            tasks.push(TaskReport {
                streams: own.streams.remove(&task_run.task).unwrap_or_default(),
                outputs: task_run.outputs.as_deref().and_then(|outputs| serde_json::from_str(outputs).ok()),
                tests: own.tests.remove(&task_run.task).unwrap_or_default().into_values().flatten().collect(),
                task: task_run.task,
                state,
                error,
                exit_code: if state == "failed" || state == "cancelled" { code } else { 0 },
            });
        }
        let succeeded = tasks.iter().all(|task| matches!(task.state, "succeeded" | "skipped"));
        // where all is well, it is only what failures call for
        let in_words = !succeeded && !self.output.is_json();
        for task in tasks.iter().filter(|task| in_words && task.state == "skipped") {
            self.output.note(&format!("task `{}` is skipped: tasks before it did not end as it needs", task.task));
        }
        Ok(RunReport { run, pipeline: pipeline.to_owned(), succeeded, tasks })
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
