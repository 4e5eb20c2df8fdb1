//! `levada positions`: what a destination remembers of the streams loaded into it.

use levada_core::error::Context as _;
use levada_core::position::StreamKey;
use levada_engine::positions::{self, Held};
use levada_server::client::Client;
use levada_server::routes::positions::Forgotten;
use serde_json::{Value as Json, json};

use super::{Context, Errors, Outcome, block_on, check, one};
use crate::cli::PositionsCommand;
use crate::output::{Cell, Table, printable, shortened};
use crate::project::check_connection;

/// Columns of the terminal for a position; that of many files names each of them.
const POSITION_WIDTH_MAX: usize = 200;
/// What follows from a position that is gone.
const NEXT_RUN: &str = "The next run reads from the start: a merge changes the rows that are there, a replace puts others in \
    their place, and an append is refused while the target has rows (`--full-refresh` replaces them).";

/// What was asked for.
enum Answer {
    Held(Vec<Held>),
    Forgotten(Vec<Reset>),
}

/// What was remembered of a stream, and is no more.
struct Reset {
    key: StreamKey,
    /// As it was; none where somebody else changed it at the same time.
    held: Option<Held>,
}

/// Shows or resets positions.
pub fn execute(context: &Context, command: &PositionsCommand) -> Outcome {
    let answer = match context.remote()? {
        Some(client) => block_on(remote(&client, command))?,
        None => local(context, command)?,
    };
    match answer {
        Answer::Held(held) => show(context, &held),
        Answer::Forgotten(reset) => tell(context, &reset),
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
                let forgotten = positions::forget(&destination, chosen).await.at(&place).map_err(one)?;
                Answer::Forgotten(with_what_was_held(forgotten, commits.into_iter().map(Held::from).collect()))
            }
        })
    })
}

/// From a server, with the documents that are applied there.
async fn remote(client: &Client, command: &PositionsCommand) -> Result<Answer, Errors> {
    let (PositionsCommand::Show { target } | PositionsCommand::Reset { target, .. }) = command;
    check_connection(target, &check::connections(client).await?)?;
    let held: Vec<Held> = client.all("listPositionsIn", json!({ "connection": target })).await?;
    Ok(match command {
        PositionsCommand::Show { .. } => Answer::Held(held),
        PositionsCommand::Reset { target, streams, pipeline, all } => {
            let input = json!({ "connection": target, "streams": streams, "pipeline": pipeline, "all": all });
            let forgotten = client.call::<Forgotten>("resetPositionsIn", input).await?.reset;
            Answer::Forgotten(with_what_was_held(forgotten, held))
        }
    })
}

fn with_what_was_held(forgotten: Vec<StreamKey>, mut held: Vec<Held>) -> Vec<Reset> {
    let mut of = |key: &StreamKey| {
        let place = held.iter().position(|held| held.pipeline == key.pipeline && held.stream == key.stream)?;
        Some(held.swap_remove(place))
    };
    forgotten.into_iter().map(|key| Reset { held: of(&key), key }).collect()
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

fn tell(context: &Context, reset: &[Reset]) {
    if context.output.is_json() {
        context.output.json(&json!({ "reset": reset.iter().map(as_json).collect::<Vec<_>>() }));
        return;
    }
    for Reset { key, held } in reset {
        let position = held.as_ref().and_then(|held| held.position.as_ref());
        let gone = match position.map(|position| shortened(&printable(&position.to_string()), POSITION_WIDTH_MAX)) {
            Some(position) => format!("the position {position} is thrown away"),
            None => "the last commit is forgotten".to_owned(),
        };
        let into = held.as_ref().map(|held| format!(" in `{}`", printable(&held.target))).unwrap_or_default();
        let (pipeline, stream) = (printable(&key.pipeline), printable(&key.stream));
        context.output.line(&format!("{pipeline}: `{stream}`: {gone}; the rows{into} stay"));
    }
    context.output.line(if reset.is_empty() { "there was nothing to reset" } else { NEXT_RUN });
}

fn as_json(reset: &Reset) -> Json {
    let held = reset.held.as_ref();
    json!({
        "pipeline": reset.key.pipeline,
        "stream": reset.key.stream,
        "target": held.map(|held| &held.target),
        "position": held.and_then(|held| held.position.as_ref()),
    })
}
