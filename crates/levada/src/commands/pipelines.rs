//! `levada pipelines`, `pause` and `resume`: what there is, and what of it starts by itself.

use levada_server::routes::pipeline_list::PipelineItem;
use serde_json::json;

use super::{Context, Outcome, block_on};
use crate::cli::PauseArgs;
use crate::output::{Cell, Table, instant};

/// Lists the pipelines.
pub fn execute(context: &Context) -> Outcome {
    let pipelines: Vec<PipelineItem> =
        block_on(async { context.client().await?.all("listPipelines", json!({})).await })?;
    if context.output.is_json() {
        let pipelines: Vec<_> = pipelines.iter().map(as_json).collect();
        context.output.json(&json!({ "pipelines": pipelines }));
        return Ok(0);
    }
    let mut table = Table::new(&["pipeline", "state", "version", "next fire", "open runs", "last run", "ended"]);
    for pipeline in &pipelines {
        let last = pipeline.last.as_ref();
        table.row([
            Cell::text(&pipeline.name),
            Cell::text(state(pipeline)),
            Cell::count(u64::from(pipeline.version)),
            Cell::text(instant(pipeline.next_at)),
            Cell::count(pipeline.open),
            Cell::text(last.map_or_else(|| "-".to_owned(), |last| format!("{} {}", last.run, last.state.name()))),
            Cell::text(instant(last.and_then(|last| last.ended_at))),
        ]);
    }
    context.output.table(&table);
    Ok(0)
}

/// Pauses or resumes a pipeline, or one schedule of it.
pub fn pause(context: &Context, args: &PauseArgs, paused: bool) -> Outcome {
    let operation = match (&args.schedule, paused) {
        (None, true) => "pausePipeline",
        (None, false) => "resumePipeline",
        (Some(_), true) => "pauseSchedule",
        (Some(_), false) => "resumeSchedule",
    };
    let input = json!({ "pipeline": args.pipeline, "schedule": args.schedule });
    block_on(async { context.client().await?.call::<()>(operation, input).await })?;
    let state = if paused { "paused" } else { "active" };
    if context.output.is_json() {
        context.output.json(&json!({ "pipeline": args.pipeline, "schedule": args.schedule, "state": state }));
        return Ok(0);
    }
    context.output.line(&match &args.schedule {
        Some(schedule) => format!("schedule `{schedule}` of `{}` is {state}", args.pipeline),
        None => format!("pipeline `{}` is {state}", args.pipeline),
    });
    Ok(0)
}

fn state(pipeline: &PipelineItem) -> &'static str {
    if pipeline.paused { "paused" } else { "active" }
}

fn as_json(pipeline: &PipelineItem) -> serde_json::Value {
    json!({
        "name": pipeline.name,
        "state": state(pipeline),
        "version": pipeline.version,
        "next_at": pipeline.next_at,
        "open_runs": pipeline.open,
        "last_run": pipeline.last,
    })
}
