//! `levada positions`: what a destination remembers of the streams loaded into it.

use std::sync::Arc;

use levada_core::destination::Destination;
use levada_core::error::{Context as _, Error, ErrorKind, Result};
use levada_core::naming::{did_you_mean, nearest};
use levada_core::position::Commit;
use serde_json::json;

use super::{Context, Errors, Outcome, block_on, one};
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
                let chosen = choose(&commits, streams, pipeline.as_deref(), *all)?;
                reset(context, &destination, &chosen).await.at(&place).map_err(one)?;
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

fn choose(commits: &[Commit], streams: &[String], pipeline: Option<&str>, all: bool) -> Result<Vec<Commit>, Errors> {
    let of_pipeline = |commit: &&Commit| pipeline.is_none_or(|pipeline| commit.key.pipeline == pipeline);
    if all {
        return Ok(commits.iter().filter(of_pipeline).cloned().collect());
    }
    let known: Vec<&str> = commits.iter().filter(of_pipeline).map(|commit| commit.key.stream.as_str()).collect();
    let (mut chosen, mut errors) = (Vec::new(), Vec::new());
    for stream in streams {
        let found: Vec<&Commit> =
            commits.iter().filter(of_pipeline).filter(|commit| commit.key.stream == *stream).collect();
        match found.as_slice() {
            [commit] => chosen.push((*commit).clone()),
            [] => {
                let near = did_you_mean(nearest(stream, &known));
                let advice = format!("{near}List what there is with `levada positions show`.");
                let message = format!("there is no position of a stream `{stream}`");
                errors.push(Error::new(ErrorKind::NotFound, message).advise(advice));
            }
            several => {
                let pipelines: Vec<&str> = several.iter().map(|commit| commit.key.pipeline.as_str()).collect();
                let message = format!("several pipelines load a stream `{stream}`");
                let advice = format!("Choose one with `--pipeline`: {}.", pipelines.join(", "));
                errors.push(Error::new(ErrorKind::Usage, message).advise(advice));
            }
        }
    }
    if errors.is_empty() { Ok(chosen) } else { Err(errors) }
}

async fn reset(context: &Context, destination: &Arc<dyn Destination>, chosen: &[Commit]) -> Result<()> {
    let mut forgotten = Vec::new();
    for commit in chosen {
        if destination.forget(&commit.key).await? {
            forgotten.push(&commit.key);
        }
    }
    if context.output.is_json() {
        context.output.json(&json!({ "reset": forgotten }));
        return Ok(());
    }
    for key in &forgotten {
        context.output.line(&format!("{}: the position of `{}` is forgotten; its rows stay", key.pipeline, key.stream));
    }
    Ok(())
}
