//! `levada plan`: what a run would do, told before anything moves.

use levada_core::config::ReadKind;
use levada_core::destination::{Promise, WriteMode};
use levada_core::error::Context as _;
use levada_core::schema::Fit;
use levada_engine::run::plan::Planned;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::plan_tasks::{self, TaskPlan};
use super::sync::Work;
use super::{Context, Errors, Outcome, block_on, one, run};
use crate::cli::RunArgs;
use crate::output::{Cell, Output, Table, bytes};

/// One stream of a plan.
#[derive(Serialize)]
pub struct StreamPlan {
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<String>,
    stream: String,
    target: String,
    exists: bool,
    read: ReadKind,
    write: WriteMode,
    position: Option<serde_json::Value>,
    rows_estimate: Option<u64>,
    bytes_estimate: Option<u64>,
    route: &'static str,
    readers: usize,
    writers: usize,
    strategy: String,
    exactly_once: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_least_once_because: Option<String>,
    ddl: Vec<String>,
    columns: Vec<ColumnPlan>,
}

/// One column of a plan.
#[derive(Serialize)]
struct ColumnPlan {
    name: String,
    native: String,
    fit: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// Plans a pipeline.
pub fn execute(context: &Context, args: &RunArgs) -> Outcome {
    let (project, pipeline) = run::load(context, args)?;
    let redactor = plan_tasks::redactor(&project)?;
    let (mut work, mut tasks) = (Vec::new(), Vec::new());
    for task in run::chosen(&pipeline, args)? {
        // what a task with items moves depends on each of them
        match task.work.as_sync().filter(|_| task.for_each.is_none()) {
            Some(sync) => work.push((Some(task.name.clone()), run::work(&project, &pipeline, task, sync, args)?)),
            None => tasks.push(TaskPlan::new(task, &redactor)),
        }
    }
    let streams = block_on(plans(work))?;
    show(context.output, &streams, &tasks);
    Ok(0)
}

/// Plans the work.
pub async fn plans(work: Vec<(Option<String>, Work)>) -> Result<Vec<StreamPlan>, Errors> {
    let mut plans = Vec::new();
    for (task, work) in work {
        let planned = levada_engine::run::plan_all(&work.job(&CancellationToken::new())).await;
        let planned = match &task {
            Some(task) => planned.at(format!("task `{task}`")),
            None => planned,
        };
        plans.extend(planned.map_err(one)?.into_iter().map(|planned| StreamPlan::new(task.clone(), planned)));
    }
    Ok(plans)
}

/// Shows plans.
pub fn show(output: Output, streams: &[StreamPlan], tasks: &[TaskPlan]) {
    if output.is_json() {
        output.json(&serde_json::json!({ "streams": streams, "tasks": tasks }));
        return;
    }
    for stream in streams {
        stream.show(output);
    }
    plan_tasks::show(output, tasks);
    if !streams.is_empty() {
        overview(output, streams);
    }
}

impl StreamPlan {
    fn new(task: Option<String>, planned: Planned) -> Self {
        let Planned { info, options, state, request, spec, plan, .. } = planned;
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
            route: if plan.raw.is_some() { "raw" } else { "arrow" },
            readers: request.readers,
            writers: plan.writers,
            strategy: plan.strategy,
            exactly_once,
            at_least_once_because: because,
            ddl: plan.ddl,
            columns: plan
                .columns
                .into_iter()
                .map(|column| ColumnPlan::new(column.name, column.native, column.fit))
                .collect(),
        }
    }

    fn show(&self, output: Output) {
        let title = match &self.task {
            Some(task) => format!("{task}: {} -> {}", self.stream, self.target),
            None => format!("{} -> {}", self.stream, self.target),
        };
        output.line(&title);
        let position = match (&self.position, self.read) {
            (Some(position), ReadKind::Incremental) => format!(" after {position}"),
            (None, ReadKind::Incremental) => " from the start".to_owned(),
            _ => String::new(),
        };
        output.line(&format!("  read {}{position}, write {}", word(&self.read), word(&self.write)));
        output.line(&format!("  {}", self.strategy));
        let promise = match &self.at_least_once_because {
            None => "exactly once".to_owned(),
            Some(reason) => format!("at least once: {reason}"),
        };
        output.line(&format!("  promise: {promise}"));
        if self.ddl.is_empty() {
            let state = if self.exists { "the target stays as it is" } else { "the target is created" };
            output.line(&format!("  {state}"));
        }
        for statement in &self.ddl {
            output.line(&format!("  {}", statement.replace('\n', "\n  ")));
        }
        for column in self.columns.iter().filter(|column| column.fit != "exact") {
            let note = column.note.as_deref().unwrap_or_default();
            output.line(&format!("  column {} {}: {} ({note})", column.name, column.native, column.fit));
        }
        output.line("");
    }
}

impl ColumnPlan {
    fn new(name: String, native: String, fit: Fit) -> Self {
        let (fit, note) = match fit {
            Fit::Exact => ("exact", None),
            Fit::Widened(note) => ("widened", Some(note)),
            Fit::Text(note) => ("kept as text", Some(note)),
            Fit::Checked(note) => ("checked row by row", Some(note)),
            Fit::NeedsWidening(native) => ("the target is widened", Some(native)),
            Fit::Impossible(reason) => ("impossible", Some(reason)),
        };
        Self { name, native, fit, note }
    }
}

fn overview(output: Output, plans: &[StreamPlan]) {
    let mut table =
        Table::new(&["stream", "target", "rows", "size", "route", "readers", "writers", "not exact", "promise"]);
    for plan in plans {
        table.row([
            Cell::text(&plan.stream),
            Cell::text(&plan.target),
            plan.rows_estimate.map_or(Cell::right("?"), Cell::count),
            Cell::right(plan.bytes_estimate.map_or("?".to_owned(), |size| bytes(size as f64))),
            Cell::text(plan.route),
            Cell::count(plan.readers as u64),
            Cell::count(plan.writers as u64),
            Cell::count(plan.columns.iter().filter(|column| column.fit != "exact").count() as u64),
            Cell::text(if plan.exactly_once { "exactly once" } else { "at least once" }),
        ]);
    }
    output.table(&table);
}

/// The word of a mode in the documents.
fn word(mode: &impl Serialize) -> String {
    serde_json::to_value(mode).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
