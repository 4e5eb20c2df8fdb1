//! `levada workers`: who executes tasks.

use levada_store::Worker;
use serde_json::json;

use super::{Context, Outcome, block_on, one};
use crate::output::{Cell, Table, instant, seconds};
use crate::service;

/// Lists the workers that are signed on.
pub fn execute(context: &Context) -> Outcome {
    let workers = block_on(async {
        let (_, store) = context.store().await?;
        store.workers().await.map_err(one)
    })?;
    if context.output.is_json() {
        context.output.json(&json!({ "workers": workers.iter().map(as_json).collect::<Vec<_>>() }));
        return Ok(0);
    }
    let mut table = Table::new(&["worker", "name", "state", "slots", "labels", "since", "heard of"]);
    let now = service::now();
    for worker in &workers {
        table.row([
            Cell::right(worker.id.to_string()),
            Cell::text(&worker.name),
            Cell::text(&worker.state),
            Cell::count(u64::from(worker.slots)),
            Cell::text(if worker.labels.is_empty() { "-".to_owned() } else { worker.labels.join(",") }),
            Cell::text(instant(worker.started_at)),
            Cell::right(format!("{} ago", seconds(now.since(worker.beat_at).as_secs_f64()))),
        ]);
    }
    context.output.table(&table);
    Ok(0)
}

fn as_json(worker: &Worker) -> serde_json::Value {
    json!({
        "worker": worker.id,
        "name": worker.name,
        "state": worker.state,
        "slots": worker.slots,
        "labels": worker.labels,
        "own_runs_only": worker.is_own,
        "started_at": worker.started_at,
        "heard_of_at": worker.beat_at,
    })
}
