//! `levada backfill` and `levada backfills`: one run for every instant of a range, led as one thing.

use levada_core::error::{Error, ErrorKind};
use levada_core::id::BackfillId;
use levada_core::time::Timestamp;
use levada_server::backfills::{Range, times};
use levada_store::{Backfill, BackfillFilter, NewBackfill, Only, RunFilter, Store};
use serde_json::json;

use super::{Context, Errors, Outcome, block_on, one, pipelines, runs, start};
use crate::cli::{BackfillArgs, BackfillsCommand};
use crate::output::{Cell, Table, instant};
use crate::service;
use crate::vault::Vault;

/// Runs shown of one backfill.
const RUNS_SHOWN: usize = 100;

/// Makes a backfill, or tells which runs it would have.
pub fn execute(context: &Context, args: &BackfillArgs) -> Outcome {
    block_on(async {
        let (places, store) = context.store().await?;
        let project = store.project().await.map_err(one)?;
        let document = pipelines::find(&project, &args.pipeline).map_err(one)?;
        let vault = Vault::new(store.clone(), &places.data).map_err(one)?;
        start::check(&vault, &project, document, &args.params, &[]).await?;
        let only = match (args.only_missing, args.only_failed) {
            (true, _) => Only::Missing,
            (_, true) => Only::Failed,
            _ => Only::All,
        };
        let range = Range { from: args.from, to: args.to, every: args.every, only, reverse: args.reverse };
        let times = times(&store, &args.pipeline, range).await.map_err(one)?;
        if args.dry_run {
            tell(context, &times);
            return Ok(0);
        }
        let count = times.len();
        let params = start::params_json(&args.params);
        let new = NewBackfill {
            pipeline: args.pipeline.clone(),
            times,
            params,
            concurrency: args.concurrency,
            identity: None,
        };
        let id = store.create_backfill(new, service::now()).await.map_err(one)?;
        if context.output.is_json() {
            context.output.json(&json!({ "backfill": id, "pipeline": args.pipeline, "runs": count }));
        } else {
            let (pipeline, at_once) = (&args.pipeline, args.concurrency);
            context.output.line(&format!("backfill {id}: {count} runs of {pipeline}, {at_once} at once"));
        }
        Ok(0)
    })
}

/// Lists and controls backfills.
pub fn control(context: &Context, command: &BackfillsCommand) -> Outcome {
    block_on(async {
        let (_, store) = context.store().await?;
        let id = match command {
            BackfillsCommand::List { limit } => {
                list(context, &store.backfills(BackfillFilter::newest(*limit)).await.map_err(one)?);
                return Ok(0);
            }
            BackfillsCommand::Show { id } => return show(context, &store, BackfillId(*id)).await.map(|()| 0),
            BackfillsCommand::Pause { id } => {
                store.pause_backfill(BackfillId(*id), true).await.map_err(one)?;
                id
            }
            BackfillsCommand::Resume { id } => {
                store.pause_backfill(BackfillId(*id), false).await.map_err(one)?;
                id
            }
            BackfillsCommand::Cancel { id } => {
                store.cancel_backfill(BackfillId(*id), service::now()).await.map_err(one)?;
                id
            }
        };
        let backfill = find(&store, BackfillId(*id)).await?;
        if context.output.is_json() {
            context.output.json(&as_json(&backfill));
        } else {
            context.output.line(&format!("backfill {id} is {}", backfill.state.name()));
        }
        Ok(0)
    })
}

fn tell(context: &Context, times: &[Timestamp]) {
    if context.output.is_json() {
        context.output.json(&json!({ "fire_times": times }));
        return;
    }
    times.iter().for_each(|time| context.output.line(&instant(*time)));
    context.output.note(&format!("{} runs; none was made", times.len()));
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

async fn find(store: &Store, id: BackfillId) -> Result<Backfill, Errors> {
    store.backfill(id).await.map_err(one)?.ok_or_else(|| {
        one(Error::new(ErrorKind::NotFound, format!("there is no backfill {id}"))
            .advise("List them: `levada backfills list`."))
    })
}

async fn show(context: &Context, store: &Store, id: BackfillId) -> Result<(), Errors> {
    let backfill = find(store, id).await?;
    let filter = RunFilter { backfill: Some(id), limit: RUNS_SHOWN, ..RunFilter::default() };
    let newest = store.runs(filter).await.map_err(one)?;
    if context.output.is_json() {
        let mut shown = as_json(&backfill);
        shown["newest_runs"] = newest.iter().map(runs::as_json).collect();
        context.output.json(&shown);
        return Ok(());
    }
    list(context, std::slice::from_ref(&backfill));
    context.output.line("");
    context.output.table(&runs::table(&newest));
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
