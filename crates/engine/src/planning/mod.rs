//! What the syncs of a pipeline would do, told before anything moves: which of its tasks are meant, what each would read and
//! write, and under which promise.

mod tasks;

use std::time::Duration;

use levada_core::config::{self, Pipeline, ReadKind, Retry, StreamOptions, Sync, Task};
use levada_core::connector::Registry;
use levada_core::destination::{PlannedColumn, Promise, WriteMode};
use levada_core::error::{Context as _, Error, ErrorKind};
use levada_core::naming::{did_you_mean, nearest};
use levada_core::redact::Redactor;
use levada_core::schema::Fit;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use tokio_util::sync::CancellationToken;

use crate::connections::Opened;
use crate::house::RunOptions;
use crate::queries;
use crate::run::SyncJob;
use crate::run::plan::{Planned, no_cursor};
use crate::transforms;

pub use tasks::TaskPlan;

/// The work of one sync, or of one query whose result is loaded, before it is bound to a run.
pub struct Work {
    /// The task; none where there is but one sync, without a pipeline.
    pub task: Option<String>,
    /// Names the stored positions.
    pub pipeline: String,
    /// What to do.
    pub sync: Sync,
    /// Where from.
    pub source: Opened,
    /// Where to.
    pub destination: Opened,
    /// Whether positions are forgotten.
    pub full_refresh: bool,
    /// Only this stream.
    pub only_stream: Option<String>,
    /// What happens on passing failures.
    pub retry: Retry,
    /// How long it may take.
    pub timeout: Option<Duration>,
}

/// What would happen to one stream.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct StreamPlan {
    /// The task; none where there is but one sync, without a pipeline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// The stream at the source.
    pub stream: String,
    /// Where its rows go.
    pub target: String,
    /// Whether that is there already.
    pub exists: bool,
    /// Which rows are read.
    pub read: ReadKind,
    /// How they get in.
    pub write: WriteMode,
    /// Where the reading starts; null for the start.
    pub position: Option<Json>,
    /// How many rows the stream has, roughly.
    pub rows_estimate: Option<u64>,
    /// How many bytes it has, roughly.
    pub bytes_estimate: Option<u64>,
    /// `raw` where rows travel unread, else `arrow`.
    pub route: String,
    /// Readers at once.
    pub readers: usize,
    /// Writers at once.
    pub writers: usize,
    /// How the load becomes visible, a sentence.
    pub strategy: String,
    /// Whether a crash at any moment repeats nothing.
    pub exactly_once: bool,
    /// Why it does not promise that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_least_once_because: Option<String>,
    /// What is executed to make or change the target.
    pub ddl: Vec<String>,
    /// The columns of the target.
    pub columns: Vec<ColumnPlan>,
}

/// What would happen to one column.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ColumnPlan {
    /// Its name in the target.
    pub name: String,
    /// Its type there.
    pub native: String,
    /// The expression by which the sync computes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub computed: Option<String>,
    /// How well values fit: `exact`, `widened`, `kept as text`, `checked row by row`, `the target is widened` or `impossible`.
    pub fit: String,
    /// More about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Work {
    /// What a task of a pipeline loads, if it loads something, with its connections opened. A query is there to be planned, and
    /// not to be read.
    ///
    /// # Errors
    /// As of opening.
    pub fn of(
        registry: &Registry,
        pipeline: &str,
        task: &Task,
        options: &RunOptions,
        open: impl Fn(&str) -> Result<Opened, Vec<Error>>,
    ) -> Result<Option<Self>, Vec<Error>> {
        let source = match &task.work {
            config::Work::Sync(sync) => {
                let opened = open(&sync.from)?;
                let connection = transforms::seen(registry, opened.connection, sync).map_err(|error| vec![error])?;
                Opened { connection, ..opened }
            }
            config::Work::Sql(sql) => queries::open(registry, sql.into(), std::env::temp_dir(), &open)?,
            _ => return Ok(None),
        };
        let Some(sync) = task.work.load() else { return Ok(None) };
        Ok(Some(Self {
            task: Some(task.name.clone()),
            pipeline: format!("{pipeline}/{}", task.name),
            source,
            destination: open(&sync.to)?,
            sync: sync.clone(),
            full_refresh: options.full_refresh && task.work.as_sync().is_some(),
            only_stream: options.stream.clone(),
            retry: task.retry,
            timeout: task.timeout,
        }))
    }

    /// The job for the engine.
    pub fn job(self, stop: &CancellationToken) -> SyncJob {
        SyncJob {
            pipeline: self.pipeline,
            sync: self.sync,
            keep_namespaces: self.source.namespaces && self.destination.namespaces,
            source: self.source.connection,
            destination: self.destination.connection,
            full_refresh: self.full_refresh,
            only_stream: self.only_stream,
            once: None,
            retry: self.retry,
            stop: stop.clone(),
        }
    }
}

/// Those of the tasks that are one sync or one query, with their connections opened, and what the others would do.
///
/// # Errors
/// As of opening.
pub fn work(
    registry: &Registry,
    pipeline: &Pipeline,
    tasks: Vec<&Task>,
    options: &RunOptions,
    redactor: &Redactor,
    open: impl Fn(&str) -> Result<Opened, Vec<Error>>,
) -> Result<(Vec<Work>, Vec<TaskPlan>), Vec<Error>> {
    let (mut syncs, mut others) = (Vec::new(), Vec::new());
    for task in tasks {
        // what a task with items moves depends on each of them
        let work = match &task.for_each {
            None => Work::of(registry, &pipeline.name, task, options, &open)?,
            Some(_) => None,
        };
        match work {
            Some(work) => syncs.push(work),
            None => others.push(TaskPlan::new(task, redactor)),
        }
    }
    Ok((syncs, others))
}

/// The tasks asked for, in the order of the pipeline: those named, and of these such as load the stream.
///
/// # Errors
/// `Usage` for a task or a stream that the pipeline does not have.
pub fn chosen<'a>(pipeline: &'a Pipeline, tasks: &[String], stream: Option<&str>) -> Result<Vec<&'a Task>, Vec<Error>> {
    let known: Vec<&str> = pipeline.tasks.iter().map(|task| task.name.as_str()).collect();
    if let Some(unknown) = tasks.iter().find(|name| !known.contains(&name.as_str())) {
        let near = did_you_mean(nearest(unknown, &known));
        return Err(vec![
            Error::new(ErrorKind::Usage, format!("the pipeline has no task `{unknown}`"))
                .advise(format!("{near}Tasks: {}.", known.join(", "))),
        ]);
    }
    let mut chosen: Vec<&Task> = pipeline.tasks.iter().collect();
    chosen.retain(|task| tasks.is_empty() || tasks.contains(&task.name));
    let Some(stream) = stream else { return Ok(chosen) };
    let streams: Vec<String> = chosen
        .iter()
        .filter_map(|task| task.work.as_sync())
        .flat_map(|sync| &sync.streams)
        .map(|(name, _)| name.clone())
        .collect();
    chosen.retain(|task| task.work.as_sync().is_some_and(|sync| sync.entry_for(stream).is_some()));
    if chosen.is_empty() {
        let known: Vec<&str> = streams.iter().map(String::as_str).collect();
        let near = did_you_mean(nearest(stream, &known));
        let streams = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        return Err(vec![
            Error::new(ErrorKind::Usage, format!("no task has a stream `{stream}`"))
                .advise(format!("{near}Streams: {streams}.")),
        ]);
    }
    Ok(chosen)
}

/// The streams of a task that are read incrementally and have no cursor, although their source needs one: told without
/// asking any system. `opened` are the connections of the task.
pub fn missing_cursors<'a>(task: &'a Task, opened: &[Opened]) -> Vec<(&'a str, Error)> {
    let Some(sync) = task.work.as_sync() else { return Vec::new() };
    let source = opened.iter().find(|opened| opened.name == sync.from);
    let Some(source) = source.and_then(|opened| opened.connection.clone().source().ok()) else { return Vec::new() };
    let lacks = |name: &str, options: &StreamOptions| {
        let is_meant = options.read == ReadKind::Incremental && !options.paused;
        is_meant && options.cursor.is_none() && source.needs_cursor(name)
    };
    let streams = sync.streams.iter().filter(|(name, options)| lacks(name, options));
    streams.map(|(name, _)| (name.as_str(), no_cursor(name))).collect()
}

/// What work would do.
///
/// # Errors
/// Those of the first sync that cannot be planned.
pub async fn plans(work: Vec<Work>) -> Result<Vec<StreamPlan>, Vec<Error>> {
    let mut plans = Vec::new();
    for work in work {
        let task = work.task.clone();
        let planned = crate::run::plan_all(&work.job(&CancellationToken::new())).await;
        let planned = match &task {
            Some(task) => planned.at(format!("task `{task}`")),
            None => planned,
        };
        let planned = planned.map_err(|error| vec![error])?;
        plans.extend(planned.into_iter().map(|planned| StreamPlan::new(task.clone(), planned)));
    }
    Ok(plans)
}

impl StreamPlan {
    fn new(task: Option<String>, planned: Planned) -> Self {
        let Planned { info, options, state, request, spec, plan, rules, .. } = planned;
        let computed = |name: &str| {
            let (at, _) = plan.schema.column_with_name(name)?;
            options.transform.get(&rules.get(at)?.source).cloned()
        };
        let column = |column: &PlannedColumn| ColumnPlan { computed: computed(&column.name), ..ColumnPlan::of(column) };
        let columns = plan.columns.iter().map(column).collect();
        let (exactly_once, because) = match plan.promise {
            Promise::ExactlyOnce => (true, None),
            Promise::AtLeastOnce(reason) => (false, Some(reason)),
        };
        Self {
            task,
            stream: info.name,
            target: spec.target,
            exists: spec.existing.is_some(),
            read: options.read,
            write: spec.write,
            position: state.position.map(|position| position.0),
            rows_estimate: info.rows_estimate,
            bytes_estimate: info.bytes_estimate,
            route: if plan.raw.is_some() { "raw" } else { "arrow" }.to_owned(),
            readers: request.readers,
            writers: plan.writers,
            strategy: plan.strategy,
            exactly_once,
            at_least_once_because: because,
            ddl: plan.ddl,
            columns,
        }
    }
}

impl ColumnPlan {
    fn of(column: &PlannedColumn) -> Self {
        let (fit, note) = match column.fit.clone() {
            Fit::Exact => ("exact", None),
            Fit::Widened(note) => ("widened", Some(note)),
            Fit::Text(note) => ("kept as text", Some(note)),
            Fit::Checked(note) => ("checked row by row", Some(note)),
            Fit::NeedsWidening(native) => ("the target is widened", Some(native)),
            Fit::Impossible(reason) => ("impossible", Some(reason)),
        };
        let (name, native) = (column.name.clone(), column.native.clone());
        Self { name, native, computed: None, fit: fit.to_owned(), note }
    }
}
