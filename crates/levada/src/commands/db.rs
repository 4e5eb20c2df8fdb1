//! `levada db`: the metadata store itself.

use levada_core::secret::Secret;
use levada_core::text::counted;
use levada_server::routes::settings::Settings;
use levada_store::{Location, transfer};
use serde_json::json;

use super::{Context, Outcome, block_on, block_on_or, one};
use crate::cli::DbCommand;
use crate::output::{Cell, Table};
use crate::service;

/// Shows or moves the metadata store.
pub fn execute(context: &Context, command: &DbCommand) -> Outcome {
    match command {
        DbCommand::Status => status(context),
        DbCommand::Move { to, force } => move_to(context, &Secret::new(to.as_str()), *force),
    }
}

fn status(context: &Context) -> Outcome {
    let Settings { data_folder, store, .. } =
        block_on(async { context.client().await?.call("getSettings", json!({})).await })?;
    let kind = if store.database == "sqlite" { "SQLite" } else { "PostgreSQL" };
    let (place, version) = (&store.place, store.version);
    let (pipelines, open, workers, secrets) = (store.pipelines, store.open_runs, store.workers, store.secrets);
    if context.output.is_json() {
        context.output.json(&json!({
            "place": place,
            "kind": kind,
            "version": version,
            "data": data_folder,
            "pipelines": pipelines,
            "open_runs": open,
            "workers": workers,
            "secrets": secrets,
        }));
        return Ok(0);
    }
    context.output.line(&format!("{kind}, version {version}: {place}"));
    context.output.line(&format!("logs and files of runs: {data_folder}"));
    let counts = [(pipelines, "pipeline"), (open, "open run"), (workers, "worker"), (secrets, "secret")];
    context.output.line(&counts.map(|(count, what)| counted(count, what)).join(", "));
    Ok(0)
}

fn move_to(context: &Context, to: &Secret, force: bool) -> Outcome {
    let places = context.places()?;
    if matches!(&places.store, Location::File(path) if !path.exists()) {
        return Err(one(places.no_store()));
    }
    let to = service::location(to).map_err(one)?;
    let moved = block_on_or("Start the move again: it goes on where it was.", async {
        transfer(&places.store, &to, force, service::now()).await.map_err(one)
    })?;
    if context.output.is_json() {
        let rows: serde_json::Map<_, _> = moved.rows.iter().map(|(table, rows)| (table.clone(), json!(rows))).collect();
        context.output.json(&json!({ "to": moved.to, "rows": rows }));
        return Ok(0);
    }
    let mut table = Table::new(&["table", "rows"]);
    moved.rows.iter().for_each(|(name, rows)| table.row([Cell::text(name), Cell::count(*rows)]));
    context.output.table(&table);
    context.output.line(&format!("moved to {}", moved.to));
    context.output.note(
        "Give it as `--database` or in LEVADA_DATABASE from now on. Logs and the master key stay where they are.",
    );
    Ok(0)
}
