//! `levada plan`: what a run would do, told before anything moves.

use std::path::Path;

use levada_core::config::ReadKind;
use levada_core::redact::Redactor;
use levada_engine::house::RunOptions;
use levada_engine::planning::{self, StreamPlan, TaskPlan};
use levada_server::client::{Client, object};
use levada_server::routes::plans::Plan;
use serde::Serialize;
use serde_json::json;

use super::{Context, Errors, Outcome, block_on, one, run, schedule};
use crate::cli::{PlanArgs, RunArgs};
use crate::output::{Cell, Output, Table, bytes, printable};
use crate::project::read_text;

/// Plans a pipeline.
pub fn execute(context: &Context, args: &PlanArgs) -> Outcome {
    let Plan { streams, tasks } = match (schedule::is_file(&args.pipeline), context.remote()?) {
        (true, None) => local(context, args)?,
        (true, Some(client)) => {
            let path = Path::new(&args.pipeline);
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let text = read_text(path)?;
            block_on(plan(&client, args, &name, Some((&args.pipeline, &text))))?
        }
        (false, Some(client)) => block_on(plan(&client, args, &args.pipeline, None))?,
        (false, None) => block_on(async {
            // paths in documents start in the project's folder
            context.places()?.enter().map_err(one)?;
            plan(&context.client().await?, args, &args.pipeline, None).await
        })?,
    };
    show(context.output, &streams, &tasks);
    Ok(0)
}

/// The pipeline of a file, with the documents as they lie in its folder.
fn local(context: &Context, args: &PlanArgs) -> Result<Plan, Errors> {
    let file = RunArgs { params: args.params.clone(), ..RunArgs::of_file(&args.pipeline) };
    let (project, pipeline) = run::load(context, &file)?;
    let secrets = project.secrets().map_err(one)?;
    let redactor = Redactor::new(secrets.iter().map(String::as_str)).map_err(one)?;
    let options = RunOptions { full_refresh: args.full_refresh, stream: args.stream.clone() };
    let chosen = planning::chosen(&pipeline, &args.tasks, args.stream.as_deref())?;
    let (work, tasks) =
        planning::work(project.registry(), &pipeline, chosen, &options, &redactor, |name| project.open(name))?;
    Ok(Plan { streams: block_on(planning::plans(work))?, tasks })
}

/// An applied pipeline, or the document of one with what is applied.
async fn plan(client: &Client, args: &PlanArgs, name: &str, document: Option<(&str, &str)>) -> Result<Plan, Errors> {
    let input = json!({
        "pipeline": name,
        "params": object(&args.params),
        "tasks": args.tasks,
        "stream": args.stream,
        "full_refresh": args.full_refresh,
        "path": document.map(|(path, _)| path),
        "text": document.map(|(_, text)| text),
    });
    client.call("planPipeline", input).await
}

/// Shows plans.
pub fn show(output: Output, streams: &[StreamPlan], tasks: &[TaskPlan]) {
    if output.is_json() {
        output.json(&serde_json::json!({ "streams": streams, "tasks": tasks }));
        return;
    }
    for stream in streams {
        show_one(output, stream);
    }
    for TaskPlan { task, kind, does } in tasks {
        output.line(&printable(&format!("{task} ({kind}): {does}")));
    }
    if !streams.is_empty() {
        overview(output, streams);
    }
}

fn show_one(output: Output, plan: &StreamPlan) {
    let title = match &plan.task {
        Some(task) => format!("{task}: {} -> {}", plan.stream, plan.target),
        None => format!("{} -> {}", plan.stream, plan.target),
    };
    output.line(&title);
    let position = match (&plan.position, plan.read) {
        (Some(position), ReadKind::Incremental) => format!(" after {position}"),
        (None, ReadKind::Incremental) => " from the start".to_owned(),
        _ => String::new(),
    };
    output.line(&format!("  read {}{position}, write {}", word(&plan.read), word(&plan.write)));
    output.line(&format!("  {}", plan.strategy));
    let promise = match &plan.at_least_once_because {
        None => "exactly once".to_owned(),
        Some(reason) => format!("at least once: {reason}"),
    };
    output.line(&format!("  promise: {promise}"));
    if plan.ddl.is_empty() {
        let state = if plan.exists { "the target stays as it is" } else { "the target is created" };
        output.line(&format!("  {state}"));
    }
    for statement in &plan.ddl {
        output.line(&format!("  {}", statement.replace('\n', "\n  ")));
    }
    for column in &plan.columns {
        let Some(expression) = &column.computed else { continue };
        output.line(&printable(&format!("  column {} {} is computed: {expression}", column.name, column.native)));
    }
    for column in plan.columns.iter().filter(|column| column.fit != "exact") {
        let note = column.note.as_deref().unwrap_or_default();
        output.line(&format!("  column {} {}: {} ({note})", column.name, column.native, column.fit));
    }
    output.line("");
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
            Cell::text(&plan.route),
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
