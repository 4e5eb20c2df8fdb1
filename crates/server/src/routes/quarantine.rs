//! Rows that a run could not load: read back from the destination that keeps them, and loaded again.

use std::time::Duration;

use levada_engine::house::{QUARANTINE, RunOptions};
use levada_engine::planning::Work;
use levada_engine::report::Proof;
use levada_store::Run;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::browse::in_time;
use super::{limit, number, object, plans, runs, whole_or};
use crate::App;
use crate::problem::Problem;
use crate::route::{Answer, Call, Page};
use crate::sort::{Rank, Sort, orders};

/// How long the destination may take.
const TIME_MAX: Duration = Duration::from_secs(25);

/// A stream of a run with rows in the quarantine.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Stream {
    /// The task that loaded it.
    pub task: String,
    /// The stream at the source.
    pub stream: String,
    /// The name of the load, under which the rows are kept.
    pub load: String,
}

/// A row in the quarantine.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Rejected {
    /// The row as far as it could be read, each value a text or null.
    pub row: Map<String, Value>,
    /// The column at fault, where one is.
    pub column: Option<String>,
    /// Why it was not loaded.
    pub reason: String,
}

orders! {
    /// What the streams of a run are in order of.
    StreamOrder(false) { Task = "task", Stream = "stream" }
}

/// The streams of a run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StreamsOf {
    /// The run's number.
    pub run: i64,
    /// The order, that of the tasks in the document unless asked for otherwise; `-` before it is the other way round.
    #[serde(default)]
    pub sort: Sort<StreamOrder>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// How many, 1,000 at most; all unless given, which are at most the streams that the syncs of the run loaded.
    pub limit: Option<u32>,
}

/// Rows of a stream of a run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rows {
    /// The run's number.
    pub run: i64,
    /// The task.
    pub task: String,
    /// The stream.
    pub stream: String,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// How many; 50 unless given, 1,000 at most.
    pub limit: Option<u32>,
}

/// A stream of a run whose rows are to be loaded again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Again {
    /// The run's number.
    pub run: i64,
    /// The task.
    pub task: String,
    /// The stream.
    pub stream: String,
}

/// What became of rows that were loaded again: `read = written + rejected`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Replay {
    /// Rows that were in the quarantine.
    pub read: u64,
    /// Rows that the destination took, which are no longer there.
    pub written: u64,
    /// Rows that still do not fit, which stay.
    pub rejected: u64,
}

/// The streams of a run with rows in the quarantine.
pub async fn streams(call: Call<StreamsOf>) -> Result<Answer<Page<Stream>>, Problem> {
    let StreamsOf { run, sort, after, limit } = call.input;
    let limit = whole_or(limit)?;
    let run = runs::find(&call.app.store, run).await?;
    let mut items = Vec::new();
    for task in call.app.store.task_runs(run.id).await? {
        let outputs = object(task.outputs.as_deref().unwrap_or_default());
        let loads = outputs.get(QUARANTINE).and_then(Value::as_object).into_iter().flatten();
        items.extend(loads.map(|(stream, load)| Stream {
            task: task.task.clone(),
            stream: stream.clone(),
            load: load.as_str().unwrap_or_default().to_owned(),
        }));
    }
    let place = |order, (place, stream): &(usize, Stream)| {
        let rank = match order {
            StreamOrder::Task => None,
            StreamOrder::Stream => Some(Rank::from(stream.stream.as_str())),
        };
        // in order as texts, too
        (rank, format!("{place:06}"))
    };
    let Page { items, next } = sort.page(items.into_iter().enumerate(), place, after.as_deref(), limit)?;
    Ok(Page { items: items.into_iter().map(|(_, stream)| stream).collect(), next }.into())
}

/// Rows of a stream that a run put into the quarantine, in the order in which they came.
pub async fn rows(call: Call<Rows>) -> Result<Answer<Page<Rejected>>, Problem> {
    let Rows { run, task, stream, after, limit: asked } = call.input;
    let (limit, skip) = (limit(asked)?, number(after.as_deref())?.unwrap_or(0).max(0) as usize);
    let app = &call.app;
    let run = runs::find(&app.store, run).await?;
    let load = load(app, &run, &task, &stream).await?;
    let Some(load) = load else { return Ok(Page { items: Vec::new(), next: None }.into()) };
    // as the run had it: the pipeline may say something else now
    let document = app.store.document(run.document).await?.ok_or_else(|| Problem::no("pipeline", &run.pipeline))?;
    let (project, file) = (app.store.project().await?, app.documents.file(&document)?);
    let checked = app.checked(&project, &file, &document.text, None).await?;
    let sync = checked.pipeline.tasks.iter().find(|known| known.name == task).and_then(|known| known.work.load());
    let connection = sync.map(|sync| sync.to.clone()).ok_or_else(|| Problem::no("sync", &task))?;
    let opened = app.open_for(&checked, &connection)?;
    let redactor = app.redactor(&checked)?;
    let rejects = async {
        let destination = opened.connection.destination()?;
        in_time(TIME_MAX, &connection, destination.rejects(&load, skip, limit)).await
    };
    let rejects = rejects.await.map_err(|error| redactor.error(error))?;
    let next = (rejects.len() == limit).then(|| (skip + limit).to_string());
    let shown = |reject: levada_core::batch::Reject| Rejected {
        row: object(&reject.row),
        column: reject.column,
        reason: reject.reason,
    };
    Ok(Page { items: rejects.into_iter().map(shown).collect(), next }.into())
}

/// Loads the rows of a stream that a run put into the quarantine again, as the pipeline is now.
pub async fn replay(call: Call<Again>) -> Result<Answer<Replay>, Problem> {
    let Again { run, task, stream } = call.input;
    let app = &call.app;
    let run = runs::find(&app.store, run).await?;
    let load = load(app, &run, &task, &stream).await?;
    let load = load.ok_or_else(|| Problem::no("stream with rows in the quarantine", &stream))?;
    let checked = plans::applied(app, &run.pipeline).await?;
    let known = checked.pipeline.tasks.iter().find(|known| known.name == task);
    let known = known.ok_or_else(|| Problem::no("task", &task))?;
    let open = |name: &str| app.open_for(&checked, name);
    let work = Work::of(&app.registry, &checked.pipeline.name, known, &RunOptions::default(), open)?;
    let work = work.ok_or_else(|| Problem::no("sync", &task))?;
    let stop = CancellationToken::new();
    let mut replayed = Box::pin(levada_engine::run::replay(work.job(&stop), &stream, &load));
    let done = match tokio::time::timeout(TIME_MAX, &mut replayed).await {
        Ok(done) => done,
        Err(_) => {
            // what it left is cleaned up; a commit under way is waited for
            stop.cancel();
            replayed.await
        }
    };
    let redactor = app.redactor(&checked)?;
    match done {
        Ok(Proof { read, written, rejected, .. }) => Ok(Replay { read, written, rejected }.into()),
        Err(_) if stop.is_cancelled() => Err(Problem::TimedOut),
        Err(error) => Err(redactor.error(error).into()),
    }
}

/// The load by which a task of a run put rows of a stream into the quarantine.
async fn load(app: &App, run: &Run, task: &str, stream: &str) -> Result<Option<String>, Problem> {
    let mut tasks = app.store.task_runs(run.id).await?.into_iter();
    let found = tasks.find(|found| found.task == task).ok_or_else(|| Problem::no("task", task))?;
    let outputs = object(found.outputs.as_deref().unwrap_or_default());
    Ok(outputs.get(QUARANTINE).and_then(|loads| loads.get(stream)).and_then(Value::as_str).map(str::to_owned))
}
