//! The kinds of tasks that need the store or connections: syncs, queries, other pipelines, waiting, items, and telling people.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use levada_core::config::{Condition, Dates, ForEach, Items, Notify, Sql, StartPipeline, Step, Sync, Task, Wait};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::id::RunId;
use levada_core::redact::Redactor;
use levada_core::run::{RunState, State};
use levada_core::text::{civil_from_days, days_from_civil, seconds};
use levada_core::time::Timestamp;
use levada_store::{Cause, NewRun, Volume};
use serde_json::{Map, Value as Json, json};

use super::execute::{Attempt, Executor, Seen, first, out_of_time};
use super::worker::{Done, Executed};
use crate::connections::Opened;
use crate::metrics::metrics;
use crate::network::Reach;
use crate::progress::Progress;
use crate::queries;
use crate::report::Report;
use crate::run::{self, SyncJob};
use crate::task::command::OWN_PREFIX;
use crate::task::notify::{self, Note};
use crate::transforms;

/// How long a task that waits for a run sleeps if nothing wakes it.
const RUN_LOOK: Duration = Duration::from_secs(300);
/// Streams named in the outputs of a sync; of more, only the sums.
const STREAMS_MAX: usize = 100;
/// The output of a sync that names the loads with rows in the quarantine, by stream.
pub const QUARANTINE: &str = "quarantine";
/// Most rows of a query that are looked at.
const ROWS_MAX: usize = 100_000;

/// Characters of a query by which those know it who ask what its task waits for.
const SQL_TOLD: usize = 80;

/// What the caller of a single run asked of its syncs.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct RunOptions {
    /// Forget positions, and load every stream from the start.
    pub full_refresh: bool,
    /// Only this stream, by its name at the source.
    pub stream: Option<String>,
}

impl Executor {
    pub(super) async fn sync(&self, attempt: &Attempt<'_>, task: &Task, sync: &Sync) -> Result<Executed> {
        let claim = attempt.claim;
        let options: RunOptions =
            claim.options.as_deref().and_then(|options| serde_json::from_str(options).ok()).unwrap_or_default();
        let opened = self.open(attempt, &sync.from)?;
        let connection = transforms::seen(&self.around.registry, opened.connection, sync)?;
        let source = Opened { connection, ..opened };
        self.load(attempt, task, sync, source, options, None).await
    }

    /// Loads the result of a query.
    pub(super) async fn sql(&self, attempt: &Attempt<'_>, task: &Task, sql: &Sql) -> Result<Executed> {
        // an attempt that was killed may have left something
        let spill = Spill::new(attempt.context.run_dir.join(format!("{OWN_PREFIX}spill")));
        let open = |name: &str| self.open(attempt, name).map_err(|error| vec![error]);
        let source = queries::open(&self.around.registry, sql.into(), spill.0.clone(), open).map_err(first)?;
        // nothing else ever has both; rows that were appended would be there twice
        let once = Some(format!("{}/{}", attempt.claim.created_at, attempt.claim.task_run));
        // a query has no position that could be forgotten, and what was appended could not be had again
        self.load(attempt, task, &sql.load, source, RunOptions::default(), once).await
    }

    /// Loads streams from an opened source.
    async fn load(
        &self,
        attempt: &Attempt<'_>,
        task: &Task,
        sync: &Sync,
        source: Opened,
        options: RunOptions,
        once: Option<String>,
    ) -> Result<Executed> {
        let claim = attempt.claim;
        let from = once.is_none().then_some(sync.from.as_str());
        let destination = self.open(attempt, &sync.to)?;
        attempt.context.log.sys(&format!("{} -> {}", source.name, destination.name));
        let figures = Arc::new(Progress::default());
        self.around.observer.see(claim, Seen::Moves(figures.clone())).await;
        let shown = self.moving.show(claim, figures.clone());
        let job = SyncJob {
            pipeline: format!("{}/{}", claim.pipeline, claim.task),
            sync: sync.clone(),
            keep_namespaces: source.namespaces && destination.namespaces,
            source: source.connection,
            destination: destination.connection,
            full_refresh: options.full_refresh,
            only_stream: options.stream,
            once,
            retry: task.retry,
            stop: attempt.context.stop.clone(),
        };
        let report = run::run(job, figures).await;
        drop(shown);
        let mut report = match report {
            Ok(report) => report,
            Err(error) => {
                self.around.observer.see(claim, Seen::Moved(Report::default())).await;
                return Err(error);
            }
        };
        metrics().moved(&report);
        let (outputs, error) = (outputs(&report), failure(&report));
        for stream in &report.streams {
            let proof = stream.proof;
            attempt.context.log.sys(&match &stream.error {
                None => format!(
                    "{}: {} read = {} written + {} rejected + {} repeated",
                    stream.stream, proof.read, proof.written, proof.rejected, proof.repeated
                ),
                Some(failure) => format!("{}: {}. {}", stream.stream, failure.message, failure.advice),
            });
        }
        let loaded = report.streams.iter_mut().filter(|stream| stream.error.is_none());
        let (mut datasets, mut loads, mut volume) = (Vec::new(), Vec::new(), Volume::default());
        for stream in loaded {
            datasets.push(format!("{}.{}", sync.to, stream.target));
            loads.push(run::met::load(from, &sync.to, stream));
            volume.rows += stream.proof.written;
            volume.bytes += stream.bytes;
        }
        self.around.observer.see(claim, Seen::Moved(report)).await;
        match error {
            Some(error) => Ok(Executed::Failed { error, loads, tests: Vec::new() }),
            None => {
                let outputs = Some(outputs.to_string());
                Ok(Executed::Done(Done { outputs, datasets, loads, volume, ..Done::default() }))
            }
        }
    }

    pub(super) async fn notify(&self, attempt: &Attempt<'_>, notify: &Notify) -> Result<Executed> {
        let found = attempt.documents.project.channels.iter().find(|channel| channel.name == notify.channel);
        let missing = || Error::new(ErrorKind::Config, format!("there is no channel `{}`", notify.channel));
        let channel = self.channel(attempt, found.ok_or_else(missing)?)?;
        let task_runs = self.around.store.task_runs(attempt.claim.run).await?;
        let failures: Vec<(String, String)> = task_runs
            .into_iter()
            .filter(|task_run| task_run.state == State::Failed)
            .map(|task_run| (task_run.task, message(task_run.error.as_deref())))
            .collect();
        let state = if failures.is_empty() { RunState::Succeeded } else { RunState::Failed };
        let (pipeline, run) = (&attempt.claim.pipeline, attempt.claim.run);
        let title = notify.title.clone().unwrap_or_else(|| match state {
            RunState::Failed => format!("{pipeline}: run {run} failed"),
            _ => format!("{pipeline}: run {run} succeeded"),
        });
        let lines: Vec<String> = failures.iter().map(|(task, message)| format!("{task}: {message}")).collect();
        let text = notify.text.clone().unwrap_or_else(|| lines.join("\n"));
        let note = Note { state: state.name().to_owned(), title, text };
        notify::execute(&channel, &note, Reach::Private, &attempt.context).await?;
        Ok(Executed::Done(Done::default()))
    }

    pub(super) async fn pipeline(
        &self,
        attempt: &Attempt<'_>,
        start: &StartPipeline,
        timeout: Option<Duration>,
    ) -> Result<Executed> {
        let now = self.around.clock.now();
        let since = attempt.since(now);
        let memo = attempt.context.memo.as_ref();
        let run = match memo.and_then(|memo| memo.get("run")).and_then(Json::as_i64) {
            Some(run) => RunId(run),
            None => self.start(attempt, start, now).await?,
        };
        let found = self.around.store.run(run).await?;
        let gone = || Error::new(ErrorKind::NotFound, format!("run {run} is gone"));
        let state = found.ok_or_else(gone)?.state;
        let outputs = Some(json!({ "run": run, "state": state.name() }).to_string());
        match state {
            _ if !start.wait => Ok(Executed::Done(Done { outputs, ..Done::default() })),
            RunState::Succeeded => Ok(Executed::Done(Done { outputs, ..Done::default() })),
            RunState::Failed | RunState::Cancelled => {
                let message = format!("run {run} of the pipeline `{}` {}", start.name, state.name());
                Err(Error::new(ErrorKind::Task, message).advise(format!("See what became of the run {run}.")))
            }
            RunState::Queued | RunState::Running => {
                let until = look_again(now, since, timeout, now.plus(RUN_LOOK)).map_err(|error| {
                    error.advise(format!("Raise `timeout`. The run {run} goes on, unless you cancel it."))
                })?;
                let (wake_on, memo) = (Some(format!("run:{run}")), json!({ "run": run, "since": since }));
                Ok(Executed::Deferred { until, wake_on, memo: memo.to_string() })
            }
        }
    }

    /// Starts the run that a task is about; the same one, should this be done twice.
    async fn start(&self, attempt: &Attempt<'_>, start: &StartPipeline, now: Timestamp) -> Result<RunId> {
        let claim = attempt.claim;
        let pipelines = self.around.store.pipelines().await?;
        let missing = || {
            Error::new(ErrorKind::NotFound, format!("there is no pipeline `{}`", start.name)).advise("Apply it first.")
        };
        let document = pipelines.iter().find(|pipeline| pipeline.name == start.name).ok_or_else(missing)?.document;
        let identity = format!("task_run:{}:{}", claim.task_run, claim.failed);
        let new = NewRun {
            project: claim.project,
            cause: Cause::Pipeline,
            params: json!(start.params).to_string(),
            fire_time: claim.fire_time,
            parent: Some(claim.task_run),
            owner: self.around.own.then_some(attempt.worker),
            ..NewRun::manual(&start.name, document, identity)
        };
        let created = self.around.store.create_run(new, now).await?;
        attempt.context.log.sys(&format!("started run {} of the pipeline `{}`", created.run, start.name));
        Ok(created.run)
    }

    pub(super) async fn wait(&self, attempt: &Attempt<'_>, wait: &Wait, timeout: Option<Duration>) -> Result<Executed> {
        let now = self.around.clock.now();
        let since = attempt.since(now);
        // a look can come late, and does not make up for an instant that lies beyond the task's time
        let in_time = |at: Timestamp| timeout.is_none_or(|limit| at <= since.plus(limit));
        let reached = |at: Timestamp| (now >= at && in_time(at), at);
        let (is_so, until) = match &wait.condition {
            Condition::For(duration) => reached(since.plus(*duration)),
            Condition::Until(instant) => reached(*instant),
            Condition::File(files) => {
                let opened = self.open(attempt, &files.connection)?;
                (!opened.connection.list(&files.path).await?.is_empty(), now.plus(wait.every))
            }
            Condition::Query(query) => {
                let opened = self.open(attempt, &query.connection)?;
                let rows = opened.connection.query(&query.sql, 1).await?;
                let value = rows.first().and_then(|row| row.values().next());
                (value.is_some_and(is_true), now.plus(wait.every))
            }
            Condition::Dataset { name, within } => {
                let updated = self.around.store.dataset_updated_at(name.clone()).await?;
                let fresh = |at: Timestamp| within.is_none_or(|limit| now.since(at) <= limit);
                (updated.is_some_and(fresh), now.plus(wait.every))
            }
        };
        let looks = 1 + attempt.context.memo.as_ref().and_then(|memo| memo["looks"].as_u64()).unwrap_or_default();
        if is_so {
            if looks > 1 {
                attempt.context.log.sys(&format!("it is so, at look {looks}"));
            }
            return Ok(Executed::Done(Done::default()));
        }
        let until = look_again(now, since, timeout, until)?;
        let memo = json!({
            "since": since,
            "looks": looks,
            "waits_for": attempt.context.redactor.text(&waits_for(&wait.condition, since, &attempt.context.redactor)),
            "gives_up_at": timeout.map(|limit| since.plus(limit)),
        });
        Ok(Executed::Deferred { until, wake_on: None, memo: memo.to_string() })
    }

    pub(super) async fn items(&self, attempt: &Attempt<'_>, for_each: &ForEach) -> Result<Executed> {
        let items: Vec<Json> = match &for_each.items {
            Items::List(list) => list.clone(),
            Items::Dates(dates) => steps(dates, for_each.max as usize + 1)?,
            Items::Query(query) => {
                let opened = self.open(attempt, &query.connection)?;
                let rows = opened.connection.query(&query.sql, (for_each.max as usize + 1).min(ROWS_MAX)).await?;
                rows.into_iter().map(Json::Object).collect()
            }
            Items::Files(files) => {
                let opened = self.open(attempt, &files.connection)?;
                opened.connection.list(&files.path).await?.into_iter().map(|file| Json::String(file.path)).collect()
            }
            Items::Outputs(text) => serde_json::from_str(text).map_err(|_| {
                Error::new(ErrorKind::Config, "`for_each.outputs` is not a list")
                    .advise("Let the task before put out a JSON list.")
            })?,
        };
        if items.len() > for_each.max as usize {
            let message = format!("there are more than {} items", for_each.max);
            return Err(Error::new(ErrorKind::Refused, message).advise("Raise `for_each.max`, or choose fewer items."));
        }
        attempt.context.log.sys(&format!("split into {} items", items.len()));
        Ok(Executed::Expanded { items: items.iter().map(Json::to_string).collect() })
    }
}

/// A folder for what a query cannot keep in memory: empty to begin with, and gone with this.
pub(super) struct Spill(pub PathBuf);

impl Spill {
    pub fn new(folder: PathBuf) -> Self {
        let _ = std::fs::remove_dir_all(&folder);
        Self(folder)
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What a task waits for, in words.
fn waits_for(condition: &Condition, since: Timestamp, redactor: &Redactor) -> String {
    match condition {
        Condition::For(duration) => format!("the instant {}", since.plus(*duration)),
        Condition::Until(instant) => format!("the instant {instant}"),
        Condition::File(files) => format!("the file {} of the connection {}", files.path, files.connection),
        Condition::Query(query) => {
            // of a secret that is cut nobody would know that it is one
            let sql = redactor.text(&query.sql).split_whitespace().collect::<Vec<_>>().join(" ");
            let cut = if sql.chars().count() > SQL_TOLD { ".." } else { "" };
            let told: String = sql.chars().take(SQL_TOLD).collect();
            format!("the query `{told}{cut}` of the connection {}", query.connection)
        }
        Condition::Dataset { name, within: None } => format!("a load of the dataset {name}"),
        Condition::Dataset { name, within: Some(limit) } => {
            format!("a load of the dataset {name} that is no older than {}", seconds(limit.as_secs_f64()))
        }
    }
}

/// When a task looks again that has looked since an instant: no later than its time is over. Once it is, it has failed.
fn look_again(now: Timestamp, since: Timestamp, timeout: Option<Duration>, until: Timestamp) -> Result<Timestamp> {
    match timeout {
        Some(limit) if now.since(since) >= limit => Err(out_of_time(limit)),
        Some(limit) => Ok(until.min(since.plus(limit))),
        None => Ok(until),
    }
}

/// What tasks after a sync can use of it.
fn outputs(report: &Report) -> Json {
    let sum =
        |count: fn(&crate::report::Proof) -> u64| report.streams.iter().map(|stream| count(&stream.proof)).sum::<u64>();
    let mut outputs = json!({
        "read": sum(|proof| proof.read),
        "written": sum(|proof| proof.written),
        "rejected": sum(|proof| proof.rejected),
    });
    if report.streams.len() <= STREAMS_MAX {
        let streams: Map<String, Json> = report
            .streams
            .iter()
            .map(|stream| (stream.stream.clone(), serde_json::to_value(stream.proof).unwrap_or_default()))
            .collect();
        outputs["streams"] = Json::Object(streams);
    }
    let rejecting = report.streams.iter().filter(|stream| stream.proof.rejected > 0);
    let loads: Map<String, Json> =
        rejecting.take(STREAMS_MAX).map(|stream| (stream.stream.clone(), stream.load_id.clone().into())).collect();
    if !loads.is_empty() {
        outputs[QUARANTINE] = Json::Object(loads);
    }
    outputs
}

/// A sync has tried its streams again by itself where that can help: its failure is the task's.
pub(super) fn failure(report: &Report) -> Option<Error> {
    let failed: Vec<_> = report.streams.iter().filter_map(|stream| Some((stream, stream.error.as_ref()?))).collect();
    let (stream, failure) = failed.first()?;
    let others = match failed.len() {
        1 => String::new(),
        count => format!(" (and {} other streams)", count - 1),
    };
    let kind = failure.kind;
    Some(
        Error::new(kind, format!("{}{others}", failure.message))
            .at(stream.stream.clone())
            .advise(failure.advice.clone()),
    )
}

/// The message of an error that the store keeps.
fn message(error: Option<&str>) -> String {
    let error: Json = error.and_then(|error| serde_json::from_str(error).ok()).unwrap_or_default();
    error["message"].as_str().unwrap_or("failed").to_owned()
}

fn is_true(value: &Json) -> bool {
    match value {
        Json::Null => false,
        Json::Bool(flag) => *flag,
        Json::Number(number) => number.as_f64() != Some(0.0),
        Json::String(text) => !matches!(text.as_str(), "" | "0" | "f" | "false"),
        Json::Array(_) | Json::Object(_) => true,
    }
}

/// Days, or instants where a step is shorter, from the first to the last that may be.
fn steps(dates: &Dates, limit: usize) -> Result<Vec<Json>> {
    let wrong = |text: &str| Error::new(ErrorKind::Config, format!("`{text}` is neither a day nor an instant"));
    let from = Timestamp::parse(&dates.from).ok_or_else(|| wrong(&dates.from))?;
    let to = Timestamp::parse(&dates.to).ok_or_else(|| wrong(&dates.to))?;
    let shown = |at: Timestamp| match dates.every {
        Step::Hour => at.to_string(),
        Step::Day | Step::Week | Step::Month => at.to_string().chars().take(10).collect(),
    };
    let found = (0..limit as u32).map_while(|count| step(from, dates.every, count)).take_while(|at| *at <= to);
    Ok(found.map(|at| Json::String(shown(at))).collect())
}

/// So many steps after an instant. Months keep their day where they have it, else their last.
pub fn step(from: Timestamp, every: Step, count: u32) -> Option<Timestamp> {
    const HOUR: u64 = 3_600;
    let after = |each: u64| Some(from.plus(Duration::from_secs(each * u64::from(count))));
    match every {
        Step::Hour => after(HOUR),
        Step::Day => after(24 * HOUR),
        Step::Week => after(7 * 24 * HOUR),
        Step::Month => {
            let (days, rest) = (from.as_secs().div_euclid(86_400), from.as_micros().rem_euclid(86_400_000_000));
            let (year, month, day) = civil_from_days(days);
            let months = i64::from(month) - 1 + i64::from(count);
            let (year, month) = (year + months.div_euclid(12), u32::try_from(months.rem_euclid(12)).ok()? + 1);
            let days = (1..=day).rev().find_map(|day| days_from_civil(year, month, day))?;
            Some(Timestamp::from_micros(days * 86_400_000_000 + rest))
        }
    }
}
