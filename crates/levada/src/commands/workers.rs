//! `levada workers` and `levada pools`: who executes tasks, and the slots that they share.

use levada_server::routes::workers::{Pool, Worker};
use serde_json::json;

use super::{Context, Outcome, block_on};
use crate::output::{Cell, Table, instant, seconds};
use crate::service;

/// Lists the workers that are signed on.
pub fn execute(context: &Context) -> Outcome {
    let workers: Vec<Worker> = block_on(async { context.client().await?.all("listWorkers", json!({})).await })?;
    if context.output.is_json() {
        context.output.json(&json!({ "workers": workers.iter().map(as_json).collect::<Vec<_>>() }));
        return Ok(0);
    }
    let mut table = Table::new(&["worker", "name", "state", "slots", "held", "labels", "since", "heard of"]);
    let now = service::now();
    for worker in &workers {
        table.row([
            Cell::right(worker.id.to_string()),
            Cell::text(&worker.name),
            Cell::text(&worker.state),
            Cell::count(u64::from(worker.slots)),
            Cell::count(worker.held),
            Cell::text(if worker.labels.is_empty() { "-".to_owned() } else { worker.labels.join(",") }),
            Cell::text(instant(worker.started_at)),
            Cell::right(format!("{} ago", seconds(now.since(worker.heard_of_at).as_secs_f64()))),
        ]);
    }
    context.output.table(&table);
    Ok(0)
}

/// Lists pools.
pub fn pools(context: &Context) -> Outcome {
    let pools: Vec<Pool> = block_on(async { context.client().await?.all("listPools", json!({})).await })?;
    if context.output.is_json() {
        context.output.json(&json!({ "pools": pools }));
        return Ok(0);
    }
    let mut table = Table::new(&["pool", "slots", "used", "held by"]);
    for pool in &pools {
        let holders: Vec<String> = pool
            .holders
            .iter()
            .map(|holder| format!("{}/{} of run {}", holder.pipeline, holder.task, holder.run))
            .collect();
        table.row([
            Cell::text(&pool.name),
            Cell::count(pool.slots),
            Cell::count(pool.used),
            Cell::text(if holders.is_empty() { "-".to_owned() } else { holders.join(", ") }),
        ]);
    }
    context.output.table(&table);
    Ok(0)
}

fn as_json(worker: &Worker) -> serde_json::Value {
    json!({
        "worker": worker.id,
        "name": worker.name,
        "host": worker.host,
        "state": worker.state,
        "slots": worker.slots,
        "held": worker.held,
        "labels": worker.labels,
        "own_runs_only": worker.own_runs_only,
        "started_at": worker.started_at,
        "heard_of_at": worker.heard_of_at,
    })
}
