//! `levada positions`: what a destination remembers of the streams loaded into it.

use levada_core::error::Context as _;
use levada_core::position::StreamKey;
use levada_engine::positions::{self, Held};
use levada_server::client::Client;
use levada_server::routes::positions::Forgotten;
use serde_json::json;

use super::{Context, Errors, Outcome, block_on, check, one};
use crate::cli::PositionsCommand;
use crate::output::{Cell, Table};
use crate::project::check_connection;

/// What was asked for.
enum Answer {
    Held(Vec<Held>),
    Forgotten(Vec<StreamKey>),
}

/// Shows or resets positions.
pub fn execute(context: &Context, command: &PositionsCommand) -> Outcome {
    let answer = match context.remote()? {
        Some(client) => block_on(remote(&client, command))?,
        None => local(context, command)?,
    };
    match answer {
        Answer::Held(held) => show(context, &held),
        Answer::Forgotten(keys) => tell(context, &keys),
    }
    Ok(0)
}

/// From here, with the documents as they lie in the folder.
fn local(context: &Context, command: &PositionsCommand) -> Result<Answer, Errors> {
    let (PositionsCommand::Show { target } | PositionsCommand::Reset { target, .. }) = command;
    let opened = context.project()?.open(target)?;
    let place = format!("connection `{}`", opened.name);
    block_on(async {
        let destination = opened.connection.destination().at(&place).map_err(one)?;
        let commits = destination.commits().await.at(&place).map_err(one)?;
        Ok(match command {
            PositionsCommand::Show { .. } => Answer::Held(commits.into_iter().map(Held::from).collect()),
            PositionsCommand::Reset { streams, pipeline, all, .. } => {
                let chosen = positions::choose(&commits, streams, pipeline.as_deref(), *all)?;
                Answer::Forgotten(positions::forget(&destination, chosen).await.at(&place).map_err(one)?)
            }
        })
    })
}

/// From a server, with the documents that are applied there.
async fn remote(client: &Client, command: &PositionsCommand) -> Result<Answer, Errors> {
    let (PositionsCommand::Show { target } | PositionsCommand::Reset { target, .. }) = command;
    check_connection(target, &check::connections(client).await?)?;
    Ok(match command {
        PositionsCommand::Show { target } => {
            Answer::Held(client.all("listPositionsIn", json!({ "connection": target })).await?)
        }
        PositionsCommand::Reset { target, streams, pipeline, all } => {
            let input = json!({ "connection": target, "streams": streams, "pipeline": pipeline, "all": all });
            Answer::Forgotten(client.call::<Forgotten>("resetPositionsIn", input).await?.reset)
        }
    })
}

fn show(context: &Context, held: &[Held]) {
    if context.output.is_json() {
        context.output.json(&json!({ "positions": held }));
        return;
    }
    let mut table = Table::new(&["pipeline", "stream", "target", "position", "written", "rejected", "committed at"]);
    for held in held {
        table.row([
            Cell::text(&held.pipeline),
            Cell::text(&held.stream),
            Cell::text(&held.target),
            Cell::text(held.position.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string)),
            Cell::count(held.rows_written),
            Cell::count(held.rows_rejected),
            Cell::text(&held.committed_at),
        ]);
    }
    context.output.table(&table);
}

fn tell(context: &Context, forgotten: &[StreamKey]) {
    if context.output.is_json() {
        context.output.json(&json!({ "reset": forgotten }));
        return;
    }
    for key in forgotten {
        context.output.line(&format!("{}: the position of `{}` is forgotten; its rows stay", key.pipeline, key.stream));
    }
}
