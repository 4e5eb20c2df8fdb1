//! `levada search`: pipelines, connections, datasets and runs by name or number.

use levada_server::routes::search::{Found, Kind};
use serde_json::json;

use super::{Context, Outcome, block_on};
use crate::cli::SearchArgs;
use crate::output::{Cell, Table};

/// Shows what was found; exit code 1 if nothing was.
pub fn execute(context: &Context, args: &SearchArgs) -> Outcome {
    let found: Found = block_on(async { context.client().await?.call("search", json!({ "q": args.text })).await })?;
    let code = u8::from(found.items.is_empty());
    if context.output.is_json() {
        context.output.json(&json!({ "found": found.items }));
        return Ok(code);
    }
    let mut table = Table::new(&["kind", "name", "more"]);
    for hit in &found.items {
        let (kind, name) = match (hit.kind, hit.run) {
            (Kind::Run, Some(run)) => ("run", format!("{run} of {}", hit.name)),
            (Kind::Run, None) => ("run", hit.name.clone()),
            (Kind::Pipeline, _) => ("pipeline", hit.name.clone()),
            (Kind::Connection, _) => ("connection", hit.name.clone()),
            (Kind::Dataset, _) => ("dataset", hit.name.clone()),
        };
        table.row([Cell::text(kind), Cell::text(name), Cell::text(hit.detail.as_deref().unwrap_or("-"))]);
    }
    context.output.table(&table);
    Ok(code)
}
