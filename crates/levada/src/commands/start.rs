//! `levada start`, `retry` and `cancel`: runs that others execute, made and ended by hand.

use std::time::Duration;

use levada_core::error::{Error, ErrorKind};
use levada_core::id::RunId;
use levada_core::run::RunState;
use levada_server::client::events::Events;
use levada_server::client::{Client, object};
use levada_server::live::listener::Topic;
use levada_server::routes::runs::{Run, Stopped};
use levada_server::routes::workers::Worker;
use serde_json::json;

use super::{Context, Errors, Outcome, block_on, block_on_or, show};
use crate::cli::{CancelArgs, RetryArgs, StartArgs};

/// How often a run that is waited for is looked at, should nothing be heard of it.
const LOOK: Duration = Duration::from_secs(5);
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
        block_on(async { context.client().await?.call("cancelRun", json!({ "run": args.run })).await })?;
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
            let run = until_ended(&client, run.id).await?;
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
}

/// A run without workers waits; whoever starts one wants to know.
async fn note_workers(context: &Context, client: &Client) -> Result<(), Errors> {
    let workers: Vec<Worker> = client.all("listWorkers", json!({})).await?;
    if workers.iter().all(|worker| worker.own_runs_only) && !context.output.is_json() {
        context.output.note("No worker is signed on: the run waits for `levada serve` or `levada worker`.");
    }
    Ok(())
}

async fn until_ended(client: &Client, id: RunId) -> Result<Run, Errors> {
    let mut events = Events::new(client);
    loop {
        match client.call::<Run>("getRun", json!({ "run": id })).await {
            Ok(run) if run.ended_at.is_some() => return Ok(run),
            Ok(_) => {}
            // a server that is away for a moment ends no run; the events know when it is there again, or not
            Err(errors) if client.is_remote() && errors.iter().all(can_pass) => {}
            Err(errors) => return Err(errors),
        }
        if let Ok(heard) = tokio::time::timeout(LOOK, events.next(&[Topic::Run(id.0)])).await {
            heard?;
        }
    }
}

/// Whether the same can succeed in a moment.
pub fn can_pass(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Connect | ErrorKind::Busy)
}
