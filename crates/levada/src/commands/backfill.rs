//! `levada backfill` and `levada backfills`: one run for every instant of a range, led as one thing.

use levada_core::text::counted;
use levada_core::time::Timestamp;
use levada_server::backfills::TIMES_MAX;
use levada_server::client::{Client, object};
use levada_server::route::Page;
use levada_server::routes::backfills::{Backfill, Made};
use levada_server::routes::runs::Run;
use serde_json::json;

use super::{Context, Errors, Outcome, block_on, runs};
use crate::cli::{BackfillArgs, BackfillsCommand};
use crate::output::{Cell, Table, instant};

/// Runs shown of one backfill.
const RUNS_SHOWN: usize = 100;

/// Makes a backfill, or tells which runs it would have.
pub fn execute(context: &Context, args: &BackfillArgs) -> Outcome {
    let only = match (args.only_missing, args.only_failed) {
        (true, _) => "missing",
        (_, true) => "failed",
        _ => "all",
    };
    let input = json!({
        "pipeline": args.pipeline,
        "from": args.from,
        "to": args.to,
        "every": args.every,
        "only": only,
        "reverse": args.reverse,
        "concurrency": args.concurrency,
        "params": object(&args.params),
        "dry_run": args.dry_run,
        "told": if args.dry_run { TIMES_MAX } else { 0 },
    });
    let made: Made = block_on(async { context.client().await?.call("makeBackfill", input).await })?;
    let Some(backfill) = made.backfill else {
        tell(context, &made.fire_times);
        return Ok(0);
    };
    let (id, pipeline, total) = (backfill.id, &backfill.pipeline, backfill.total);
    let (asked, own) = (backfill.concurrency, made.pipeline_concurrency.unwrap_or(u32::MAX));
    let at_once = asked.min(own);
    if context.output.is_json() {
        context.output.json(&json!({ "backfill": id, "pipeline": pipeline, "runs": total, "at_once": at_once }));
        return Ok(0);
    }
    let runs = counted(total, "run");
    context.output.line(&format!("backfill {id}: {runs} of {pipeline}, {at_once} at once"));
    if own < asked {
        context.output.note(&format!("not {asked} at once: the `concurrency` of {pipeline} itself is {own}"));
    }
    Ok(0)
}

/// Lists and controls backfills.
pub fn control(context: &Context, command: &BackfillsCommand) -> Outcome {
    let (operation, id) = match command {
        BackfillsCommand::List { limit } => {
            let input = json!({ "limit": limit });
            let found: Page<Backfill> = block_on(async { context.client().await?.call("listBackfills", input).await })?;
            list(context, &found.items);
            return Ok(0);
        }
        BackfillsCommand::Show { id } => {
            return block_on(async { show(context, &context.client().await?, *id).await.map(|()| 0) });
        }
        BackfillsCommand::Pause { id } => ("pauseBackfill", id),
        BackfillsCommand::Resume { id } => ("resumeBackfill", id),
        BackfillsCommand::Cancel { id } => ("cancelBackfill", id),
    };
    let backfill: Backfill =
        block_on(async { context.client().await?.call(operation, json!({ "backfill": id })).await })?;
    if context.output.is_json() {
        context.output.json(&as_json(&backfill));
    } else {
        context.output.line(&format!("backfill {id} is {}", backfill.state.name()));
    }
    Ok(0)
}

fn tell(context: &Context, times: &[Timestamp]) {
    if context.output.is_json() {
        context.output.json(&json!({ "fire_times": times }));
        return;
    }
    times.iter().for_each(|time| context.output.line(&instant(*time)));
    context.output.note(&format!("{}; none was made", counted(times.len() as u64, "run")));
}

fn list(context: &Context, backfills: &[Backfill]) {
    if context.output.is_json() {
        context.output.json(&json!({ "backfills": backfills.iter().map(as_json).collect::<Vec<_>>() }));
        return;
    }
    let mut table =
        Table::new(&["backfill", "pipeline", "state", "runs", "made", "succeeded", "failed", "created", "ended"]);
    for backfill in backfills {
        let count = |state: &str| backfill.runs.get(state).copied().unwrap_or_default();
        table.row([
            Cell::right(backfill.id.to_string()),
            Cell::text(&backfill.pipeline),
            Cell::text(backfill.state.name()),
            Cell::count(backfill.total),
            Cell::count(backfill.runs.values().sum()),
            Cell::count(count("succeeded")),
            Cell::count(count("failed")),
            Cell::text(instant(backfill.created_at)),
            Cell::text(instant(backfill.ended_at)),
        ]);
    }
    context.output.table(&table);
}

async fn show(context: &Context, client: &Client, id: i64) -> Result<(), Errors> {
    let backfill: Backfill = client.call("getBackfill", json!({ "backfill": id })).await?;
    let newest: Page<Run> = client.call("listRuns", json!({ "backfill": id, "limit": RUNS_SHOWN })).await?;
    if context.output.is_json() {
        let mut shown = as_json(&backfill);
        shown["newest_runs"] = newest.items.iter().map(runs::as_json).collect();
        context.output.json(&shown);
        return Ok(());
    }
    list(context, std::slice::from_ref(&backfill));
    context.output.line("");
    context.output.table(&runs::table(&newest.items));
    Ok(())
}

fn as_json(backfill: &Backfill) -> serde_json::Value {
    json!({
        "backfill": backfill.id,
        "pipeline": backfill.pipeline,
        "state": backfill.state.name(),
        "concurrency": backfill.concurrency,
        "total": backfill.total,
        "runs": backfill.runs,
        "created_at": backfill.created_at,
        "ended_at": backfill.ended_at,
    })
}
