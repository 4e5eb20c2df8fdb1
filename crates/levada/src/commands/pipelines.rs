//! `levada pipelines`, `pause` and `resume`: what there is, and what of it starts by itself.

use levada_core::error::{Error, ErrorKind};
use levada_core::naming::{did_you_mean, nearest};
use levada_store::{Document, Pipeline, Project};
use serde_json::json;

use super::{Context, Outcome, block_on, one};
use crate::cli::PauseArgs;
use crate::output::{Cell, Table, instant};
use crate::service;

/// Lists the pipelines.
pub fn execute(context: &Context) -> Outcome {
    let pipelines = block_on(async {
        let (_, store) = context.store().await?;
        store.pipelines().await.map_err(one)
    })?;
    if context.output.is_json() {
        let pipelines: Vec<_> = pipelines.iter().map(as_json).collect();
        context.output.json(&json!({ "pipelines": pipelines }));
        return Ok(0);
    }
    let mut table = Table::new(&["pipeline", "state", "version", "next fire", "open runs", "last run", "ended"]);
    for pipeline in &pipelines {
        let last = pipeline.last.as_ref();
        table.row([
            Cell::text(&pipeline.name),
            Cell::text(state(pipeline)),
            Cell::count(u64::from(pipeline.version)),
            Cell::text(instant(pipeline.next_at)),
            Cell::count(pipeline.open),
            Cell::text(last.map_or_else(|| "-".to_owned(), |last| format!("{} {}", last.run, last.state.name()))),
            Cell::text(instant(last.and_then(|last| last.ended_at))),
        ]);
    }
    context.output.table(&table);
    Ok(0)
}

/// Pauses or resumes a pipeline, or one schedule of it.
pub fn pause(context: &Context, args: &PauseArgs, paused: bool) -> Outcome {
    block_on(async {
        let (_, store) = context.store().await?;
        find(&store.project().await.map_err(one)?, &args.pipeline).map_err(one)?;
        match args.schedule.clone() {
            Some(schedule) => store.pause_schedule(args.pipeline.clone(), schedule, paused).await,
            None => store.pause_pipeline(args.pipeline.clone(), paused, service::now()).await,
        }
        .map_err(one)
    })?;
    let state = if paused { "paused" } else { "active" };
    if context.output.is_json() {
        context.output.json(&json!({ "pipeline": args.pipeline, "schedule": args.schedule, "state": state }));
        return Ok(0);
    }
    context.output.line(&match &args.schedule {
        Some(schedule) => format!("schedule `{schedule}` of `{}` is {state}", args.pipeline),
        None => format!("pipeline `{}` is {state}", args.pipeline),
    });
    Ok(0)
}

/// An applied pipeline by its name.
pub fn find<'a>(project: &'a Project, name: &str) -> Result<&'a Document, Error> {
    project.pipelines.get(name).ok_or_else(|| {
        let known: Vec<&str> = project.pipelines.keys().map(String::as_str).collect();
        let error = Error::new(ErrorKind::NotFound, format!("there is no pipeline `{name}`"));
        match known.as_slice() {
            [] => error.advise("Nothing was applied yet: `levada apply` does it."),
            known => {
                let near = did_you_mean(nearest(name, known));
                error.advise(format!("{near}Pipelines: {}. New ones are known after `levada apply`.", known.join(", ")))
            }
        }
    })
}

fn state(pipeline: &Pipeline) -> &'static str {
    if pipeline.is_paused { "paused" } else { "active" }
}

fn as_json(pipeline: &Pipeline) -> serde_json::Value {
    let last = pipeline.last.map(|last| {
        json!({
            "run": last.run,
            "state": last.state.name(),
            "created_at": last.created_at,
            "ended_at": last.ended_at,
        })
    });
    json!({
        "name": pipeline.name,
        "state": state(pipeline),
        "version": pipeline.version,
        "next_at": pipeline.next_at,
        "open_runs": pipeline.open,
        "last_run": last,
    })
}
