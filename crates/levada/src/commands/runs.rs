//! `levada runs`: what ran, the newest first.

use levada_core::time::Timestamp;
use levada_server::route::Page;
use levada_server::routes::runs::Run;
use serde_json::{Value as Json, json};

use super::{Context, Outcome, block_on};
use crate::cli::{RunsArgs, Since};
use crate::output::{Cell, Table, instant, seconds};
use crate::service;

/// Lists runs.
pub fn execute(context: &Context, args: &RunsArgs) -> Outcome {
    let input = json!({
        "pipeline": args.pipeline,
        "state": args.state,
        "cause": args.cause,
        "since": args.since.map(since),
        "limit": args.limit,
    });
    let Page::<Run> { items, .. } = block_on(async { context.client().await?.call("listRuns", input).await })?;
    if context.output.is_json() {
        context.output.json(&json!({ "runs": items.iter().map(as_json).collect::<Vec<_>>() }));
        return Ok(0);
    }
    context.output.table(&table(&items));
    Ok(0)
}

/// The instant that is meant.
pub fn since(since: Since) -> Timestamp {
    match since {
        Since::At(instant) => instant,
        Since::Ago(time) => service::now().minus(time),
    }
}

/// Runs as a table.
pub fn table(runs: &[Run]) -> Table {
    let mut table = Table::new(&["run", "pipeline", "state", "cause", "fire time", "created", "took"]);
    for run in runs {
        table.row([
            Cell::right(run.id.to_string()),
            Cell::text(&run.pipeline),
            Cell::text(run.state.name()),
            Cell::text(cause(run)),
            Cell::text(instant(run.fire_time)),
            Cell::text(instant(run.created_at)),
            Cell::right(took(run)),
        ]);
    }
    table
}

/// What a run was made by, in words.
pub fn cause(run: &Run) -> String {
    match (&run.schedule, run.backfill, run.retry_of) {
        (_, Some(backfill), _) => format!("backfill {backfill}"),
        (_, _, Some(run)) => format!("retry of {run}"),
        (Some(schedule), ..) => format!("{} {schedule}", run.cause.name()),
        _ => run.cause.name().to_owned(),
    }
}

/// How long a run took, or takes so far.
pub fn took(run: &Run) -> String {
    let Some(start) = run.started_at else { return "-".to_owned() };
    seconds(run.ended_at.unwrap_or_else(service::now).since(start).as_secs_f64())
}

/// A run for programs.
pub fn as_json(run: &Run) -> Json {
    json!({
        "run": run.id,
        "pipeline": run.pipeline,
        "version": run.version,
        "state": run.state.name(),
        "cause": run.cause.name(),
        "schedule": run.schedule,
        "fire_time": run.fire_time,
        "params": run.params,
        "backfill": run.backfill,
        "retry_of": run.retry_of,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
    })
}
