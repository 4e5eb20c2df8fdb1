//! `levada positions`: what a destination remembers of the streams loaded into it.

use std::sync::Arc;

use levada_core::destination::Destination;
use levada_core::error::{Context as _, Result};
use levada_core::position::Commit;
use levada_engine::positions;
use serde_json::json;

use super::{Context, Outcome, block_on, one};
use crate::cli::PositionsCommand;
use crate::output::{Cell, Table};

/// Shows or resets positions.
pub fn execute(context: &Context, command: &PositionsCommand) -> Outcome {
    let target = match command {
        PositionsCommand::Show { target } | PositionsCommand::Reset { target, .. } => target,
    };
    let opened = context.project()?.open(target)?;
    let place = format!("connection `{}`", opened.name);
    block_on(async {
        let destination = opened.connection.destination().at(&place).map_err(one)?;
        let commits = destination.commits().await.at(&place).map_err(one)?;
        match command {
            PositionsCommand::Show { .. } => show(context, &commits),
            PositionsCommand::Reset { streams, pipeline, all, .. } => {
                let chosen = positions::choose(&commits, streams, pipeline.as_deref(), *all)?;
                reset(context, &destination, chosen).await.at(&place).map_err(one)?;
            }
        }
        Ok(0)
    })
}

fn show(context: &Context, commits: &[Commit]) {
    if context.output.is_json() {
        context.output.json(&json!({ "positions": commits }));
        return;
    }
    let mut table = Table::new(&["pipeline", "stream", "target", "position", "written", "rejected", "committed at"]);
    for commit in commits {
        let position = match commit.state.get("position") {
            None | Some(serde_json::Value::Null) => "-".to_owned(),
            Some(position) => position.to_string(),
        };
        table.row([
            Cell::text(&commit.key.pipeline),
            Cell::text(&commit.key.stream),
            Cell::text(&commit.target),
            Cell::text(position),
            Cell::count(commit.rows_written),
            Cell::count(commit.rows_rejected),
            Cell::text(&commit.committed_at),
        ]);
    }
    context.output.table(&table);
}

async fn reset(context: &Context, destination: &Arc<dyn Destination>, chosen: Vec<Commit>) -> Result<()> {
    let forgotten = positions::forget(destination, chosen).await?;
    if context.output.is_json() {
        context.output.json(&json!({ "reset": forgotten }));
        return Ok(());
    }
    for key in &forgotten {
        context.output.line(&format!("{}: the position of `{}` is forgotten; its rows stay", key.pipeline, key.stream));
    }
    Ok(())
}
