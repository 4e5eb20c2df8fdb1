//! What a run of a pipeline would do, and what its destinations remember of the runs before.

use std::collections::BTreeMap;
use std::time::Duration;

use levada_core::access::Role;
use levada_core::config::File;
use levada_core::error::{Context as _, Error, ErrorKind};
use levada_core::position::Commit;
use levada_engine::house::RunOptions;
use levada_engine::planning::{self, StreamPlan, TaskPlan};
use levada_engine::positions;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::browse::in_time;
use super::limit;
use super::runs::texts;
use crate::App;
use crate::documents::{self, Checked};
use crate::problem::Problem;
use crate::project::PIPELINES_DIR;
use crate::route::{Answer, Call, Done, Page};
use crate::sort::{Rank, Sort, orders};

/// How long planning, or looking at positions, may take.
const TIME_MAX: Duration = Duration::from_secs(25);

/// What to plan.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// The pipeline.
    pub pipeline: String,
    /// Values of its parameters.
    #[serde(default)]
    pub params: Map<String, Value>,
    /// Only these tasks; all if there are none.
    #[serde(default)]
    pub tasks: Vec<String>,
    /// Only this stream.
    pub stream: Option<String>,
    /// As if positions were forgotten.
    #[serde(default)]
    pub full_refresh: bool,
    /// A document that is not saved, YAML, in place of the pipeline's. Takes the role editor.
    pub text: Option<String>,
    /// The file that `text` is, as mistakes name it.
    pub path: Option<String>,
}

/// A plan.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// What would happen to each stream.
    pub streams: Vec<StreamPlan>,
    /// What the other tasks would do.
    pub tasks: Vec<TaskPlan>,
}

orders! {
    /// What positions are in order of.
    PositionOrder(false) { Stream = "stream", CommittedAt = "committed_at" }
}

/// Which positions to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PositionsOf {
    /// The pipeline.
    pub pipeline: String,
    /// Of this task.
    pub task: Option<String>,
    /// The order; `-` before it is the other way round.
    #[serde(default)]
    pub sort: Sort<PositionOrder>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// How many; 50 unless given, 1,000 at most.
    pub limit: Option<u32>,
}

/// The stream whose position is to be forgotten.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reset {
    /// The pipeline.
    pub pipeline: String,
    /// The task.
    pub task: String,
    /// The stream.
    pub stream: String,
}

/// What a destination remembers of a stream.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Position {
    /// The task that loads it.
    pub task: String,
    /// The stream at the source.
    pub stream: String,
    /// The connection it is loaded into.
    pub connection: String,
    /// The table or folder there.
    pub target: String,
    /// How far it was read, as its source tells it; null where every load reads everything.
    pub position: Option<Value>,
    /// The name of the last load.
    pub load: String,
    /// Rows that it wrote.
    pub rows_written: u64,
    /// Rows that it put into the quarantine.
    pub rows_rejected: u64,
    /// When it was committed.
    pub committed_at: String,
}

/// What a run would do, without doing it.
pub async fn plan(call: Call<Ask>) -> Result<Answer<Plan>, Problem> {
    let Ask { pipeline: name, params, tasks, stream, full_refresh, text, path } = call.input;
    let app = &call.app;
    let project = app.store.project().await?;
    let (file, text) = match text {
        Some(text) => {
            // it may lead to any system, with any secret
            call.caller.must(Role::Editor)?;
            let path = path.unwrap_or_else(|| format!("{PIPELINES_DIR}/{name}.yaml"));
            let file = File::parse(&path, &text)?;
            (std::sync::Arc::new(file), text)
        }
        None => {
            let saved = documents::find(&project, &name)?;
            (app.documents.file(saved)?, saved.text.clone())
        }
    };
    let checked = app.checked(&project, &file, &text, Some(texts(&params)?)).await?;
    let options = RunOptions { full_refresh, stream: stream.clone() };
    let redactor = app.redactor(&checked)?;
    let chosen = planning::chosen(&checked.pipeline, &tasks, stream.as_deref())?;
    let open = |name: &str| app.open_for(&checked, name);
    let work = planning::work(&call.app.registry, &checked.pipeline, chosen, &options, &redactor, open);
    let (work, tasks) = work.map_err(|errors| redactor.errors(errors))?;
    let planned = tokio::time::timeout(TIME_MAX, planning::plans(work)).await.map_err(|_| Problem::TimedOut)?;
    Ok(Plan { streams: planned.map_err(|errors| redactor.errors(errors))?, tasks }.into())
}

/// What the destinations of a pipeline remember of its streams.
pub async fn list(call: Call<PositionsOf>) -> Result<Answer<Page<Position>>, Problem> {
    let PositionsOf { pipeline, task, sort, after, limit: asked } = call.input;
    let limit = limit(asked)?;
    let checked = applied(&call.app, &pipeline).await?;
    let redactor = call.app.redactor(&checked)?;
    let mut found = Vec::new();
    for (connection, tasks) in destinations(&checked, task.as_deref())? {
        let opened = call.app.open_for(&checked, &connection)?;
        let commits = async { opened.connection.destination()?.commits().await };
        let commits = in_time(TIME_MAX, &connection, commits).await.map_err(|error| redactor.error(error))?;
        for commit in commits {
            let task = tasks.iter().find(|task| commit.key.pipeline == format!("{pipeline}/{task}"));
            found.extend(task.map(|task| shown(task, &connection, commit)));
        }
    }
    let place = |order, position: &Position| {
        let rank = match order {
            PositionOrder::Stream => None,
            PositionOrder::CommittedAt => Some(Rank::from(position.committed_at.as_str())),
        };
        (rank, format!("{}\n{}", position.task, position.stream))
    };
    Ok(sort.page(found, place, after.as_deref(), limit)?.into())
}

/// Forgets the position of a stream: its next load starts from the beginning. The rows stay.
pub async fn reset(call: Call<Reset>) -> Result<Done, Problem> {
    let Reset { pipeline, task, stream } = call.input;
    let checked = applied(&call.app, &pipeline).await?;
    let redactor = call.app.redactor(&checked)?;
    for (connection, _) in destinations(&checked, Some(&task))? {
        let opened = call.app.open_for(&checked, &connection)?;
        let redacted = |error| redactor.error(error);
        let destination = opened.connection.destination().map_err(redacted)?;
        let commits = in_time(TIME_MAX, &connection, destination.commits()).await.map_err(redacted)?;
        let key = format!("{pipeline}/{task}");
        let chosen = positions::choose(&commits, std::slice::from_ref(&stream), Some(&key), false)?;
        in_time(TIME_MAX, &connection, positions::forget(&destination, chosen)).await.map_err(redacted)?;
    }
    Ok(Done::default())
}

/// A pipeline as it is applied.
pub(super) async fn applied(app: &App, name: &str) -> Result<Checked, Problem> {
    let project = app.store.project().await?;
    let document = documents::find(&project, name)?;
    let file = app.documents.file(document)?;
    app.checked(&project, &file, &document.text, None).await
}

/// The connections that tasks load into, with the names of these tasks.
pub(super) fn destinations(checked: &Checked, only: Option<&str>) -> Result<BTreeMap<String, Vec<String>>, Problem> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let tasks = checked.pipeline.tasks.iter().filter(|task| only.is_none_or(|only| task.name == only));
    for task in tasks {
        if let Some(sync) = task.work.load() {
            found.entry(sync.to.clone()).or_default().push(task.name.clone());
        }
    }
    match (only, found.is_empty()) {
        (Some(task), true) => {
            let error =
                Error::new(ErrorKind::NotFound, format!("the pipeline has no task `{task}` that loads streams"));
            Err(error.advise("Name one of its tasks of the kind `sync` or `sql`."))
                .at(&checked.pipeline.name)
                .map_err(Problem::from)
        }
        _ => Ok(found),
    }
}

fn shown(task: &str, connection: &str, commit: Commit) -> Position {
    Position {
        task: task.to_owned(),
        stream: commit.key.stream,
        connection: connection.to_owned(),
        target: commit.target,
        position: commit.state.get("position").filter(|position| !position.is_null()).cloned(),
        load: commit.load_id,
        rows_written: commit.rows_written,
        rows_rejected: commit.rows_rejected,
        committed_at: commit.committed_at,
    }
}
