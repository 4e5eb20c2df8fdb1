//! `levada start`, `retry` and `cancel`: runs that others execute, made and ended by hand.

use levada_core::run::RunState;
use levada_server::client::{Client, object};
use levada_server::routes::runs::{Run, Stopped};
use levada_server::routes::workers::Worker;
use serde_json::json;

use super::{Context, Errors, Outcome, block_on, block_on_or, follow, show};
use crate::cli::{CancelArgs, RetryArgs, StartArgs};

/// What Ctrl-C does to a run that is waited for.
const GOES_ON: &str = "The run goes on; `levada cancel` ends it.";

/// Starts a run.
pub fn start(context: &Context, args: &StartArgs) -> Outcome {
    let input = json!({ "pipeline": args.pipeline, "params": object(&args.params), "tasks": args.tasks });
    make(context, "startRun", input, args.wait)
}

/// Makes a run after the pattern of an earlier one.
pub fn retry(context: &Context, args: &RetryArgs) -> Outcome {
    let input = json!({ "run": args.run, "all": args.all, "tasks": args.tasks, "newest": args.newest });
    make(context, "retryRun", input, args.wait)
}

/// Cancels a run.
pub fn cancel(context: &Context, args: &CancelArgs) -> Outcome {
    let Stopped { run, stopping } =
        block_on(async { context.client().await?.call("cancelRun", json!({ "run": args.run })).await })
            .map_err(show::no_such_run)?;
    if context.output.is_json() {
        context.output.json(&json!({ "run": run.id, "state": run.state.name(), "stopping": stopping }));
    } else if run.ended_at.is_some() {
        context.output.line(&format!("run {} is {}", run.id, run.state.name()));
    } else {
        context.output.line(&format!("run {}: tasks at work are told to stop ({stopping})", run.id));
    }
    Ok(0)
}

/// Makes a run, tells of it, and maybe waits for its end.
fn make(context: &Context, operation: &str, input: serde_json::Value, wait: bool) -> Outcome {
    block_on_or(GOES_ON, async {
        let client = context.client().await?;
        let run: Run = client.call(operation, input).await?;
        if wait {
            if !context.output.is_json() {
                context.output.note(&format!("run {} is made", run.id));
            }
            note_workers(context, &client).await?;
            let run = follow::until_ended(context.output, &client, run.id).await?;
            show::show(context, &client, &run).await?;
            return Ok(u8::from(run.state != RunState::Succeeded));
        }
        if context.output.is_json() {
            context.output.json(&json!({ "run": run.id, "pipeline": run.pipeline, "state": run.state.name() }));
        } else {
            context.output.line(&format!("run {}", run.id));
        }
        note_workers(context, &client).await?;
        Ok(0)
    })
    .map_err(show::no_such_run)
}

/// A run without workers waits; whoever starts one wants to know.
async fn note_workers(context: &Context, client: &Client) -> Result<(), Errors> {
    let workers: Vec<Worker> = client.all("listWorkers", json!({})).await?;
    if workers.iter().all(|worker| worker.own_runs_only) && !context.output.is_json() {
        context.output.note("No worker is signed on: the run waits for `levada serve` or `levada worker`.");
    }
    Ok(())
}
