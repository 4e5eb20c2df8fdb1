//! `levada start`, `retry` and `cancel`: runs that others execute, made and ended by hand.

use std::collections::BTreeMap;
use std::time::Duration;

use levada_core::config::{self, File, Variables};
use levada_core::error::{Error, ErrorKind};
use levada_core::id::RunId;
use levada_core::naming::{did_you_mean, nearest};
use levada_core::run::RunState;
use levada_store::{Again, Document, NewRun, Project, Signal, Store, What};
use serde_json::{Value as Json, json};

use super::{Context, Errors, Outcome, block_on, block_on_or, one, pipelines, show};
use crate::cli::{CancelArgs, RetryArgs, StartArgs};
use crate::project::env;
use crate::service;
use crate::vault::Vault;

/// How often the end of a run is looked for where nothing tells of it: another process on SQLite ends it.
const LOOK: Duration = Duration::from_millis(250);
/// What Ctrl-C does to a run that is waited for.
const GOES_ON: &str = "The run goes on; `levada cancel` ends it.";

/// Starts a run.
pub fn start(context: &Context, args: &StartArgs) -> Outcome {
    block_on_or(GOES_ON, async {
        let (places, store) = context.store().await?;
        let project = store.project().await.map_err(one)?;
        let document = pipelines::find(&project, &args.pipeline).map_err(one)?;
        let vault = Vault::new(store.clone(), &places.data).map_err(one)?;
        check(&vault, &project, document, &args.params, &args.tasks).await?;
        let mut new = NewRun::manual(&args.pipeline, document.id, format!("manual:{}", uuid::Uuid::new_v4()));
        new.project = project.document.as_ref().map(|document| document.id);
        new.params = params_json(&args.params);
        new.only.clone_from(&args.tasks);
        let run = store.create_run(new, service::now()).await.map_err(one)?.run;
        made(context, &store, run, args.wait).await
    })
}

/// Makes a run after the pattern of an earlier one.
pub fn retry(context: &Context, args: &RetryArgs) -> Outcome {
    block_on_or(GOES_ON, async {
        let (_, store) = context.store().await?;
        let what = match (args.all, args.tasks.as_slice()) {
            (true, _) => What::All,
            (false, []) => What::Rest,
            (false, tasks) => What::Tasks(tasks.to_vec()),
        };
        let identity = format!("manual:{}", uuid::Uuid::new_v4());
        let again = Again { run: RunId(args.run), what, newest: args.newest, params: None, identity, owner: None };
        let run = store.run_again(again, service::now()).await.map_err(one)?.run;
        made(context, &store, run, args.wait).await
    })
}

/// Cancels a run.
pub fn cancel(context: &Context, args: &CancelArgs) -> Outcome {
    let (run, told) = block_on(async {
        let (_, store) = context.store().await?;
        let run = show::find(&store, args.run).await?;
        if run.state.is_terminal() {
            let message = format!("the run {} has ended: it {}", run.id, run.state.name());
            return Err(one(Error::new(ErrorKind::Refused, message).advise("There is nothing left to cancel.")));
        }
        let told = store.stop_run(run.id, service::now()).await.map_err(one)?;
        Ok((show::find(&store, args.run).await?, told))
    })?;
    if context.output.is_json() {
        context.output.json(&json!({ "run": run.id, "state": run.state.name(), "stopping": told }));
    } else if run.state.is_terminal() {
        context.output.line(&format!("run {} is {}", run.id, run.state.name()));
    } else {
        context.output.line(&format!("run {}: tasks at work are told to stop ({told})", run.id));
    }
    Ok(0)
}

/// Refuses parameters and tasks that the pipeline does not have, or that cannot be what they are.
pub async fn check(
    vault: &Vault,
    project: &Project,
    document: &Document,
    given: &[(String, String)],
    tasks: &[String],
) -> Result<(), Errors> {
    let file = File::parse(&document.path, &document.text)?;
    let own = project.document.as_ref().map(|own| File::parse(&own.path, &own.text)).transpose()?;
    let texts = std::iter::once(document).chain(&project.document).map(|document| document.text.as_str());
    let mentioned = texts.flat_map(config::secret_names).map(str::to_owned).collect();
    // the master key may be with the workers only; a value that hangs on it is theirs to check
    let stored = vault.stored(&mentioned).await.unwrap_or_default();
    let secret = |name: &str| stored.get(name);
    let params: BTreeMap<String, String> = given.iter().cloned().collect();
    let variables = Variables { env: &env, secret: &secret, params, runtime: None };
    file.params(&variables)?;
    // what else the documents say was checked when they were applied, maybe where other variables are set
    let Ok((pipeline, _)) = file.check(&config::Project::of(std::iter::once(&file).chain(&own)), &variables) else {
        return Ok(());
    };
    let known: Vec<&str> = pipeline.tasks.iter().map(|task| task.name.as_str()).collect();
    let unknown = tasks.iter().filter(|task| !known.contains(&task.as_str()));
    let errors: Vec<Error> = unknown
        .map(|task| {
            let near = did_you_mean(nearest(task, &known));
            Error::new(ErrorKind::Usage, format!("the pipeline has no task `{task}`"))
                .at(&document.path)
                .advise(format!("{near}Tasks: {}.", known.join(", ")))
        })
        .collect();
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// Parameters as the store has them.
pub fn params_json(given: &[(String, String)]) -> String {
    let params = given.iter().map(|(name, value)| (name.clone(), Json::String(value.clone()))).collect();
    Json::Object(params).to_string()
}

/// Tells of a new run, and maybe waits for its end.
async fn made(context: &Context, store: &Store, run: RunId, wait: bool) -> Outcome {
    if wait {
        if !context.output.is_json() {
            context.output.note(&format!("run {run} is made"));
        }
        note_workers(context, store).await?;
        until_ended(store, run).await.map_err(one)?;
        let run = show::find(store, run.0).await?;
        show::show(context, store, &run).await?;
        return Ok(u8::from(run.state != RunState::Succeeded));
    }
    let made = show::find(store, run.0).await?;
    if context.output.is_json() {
        context.output.json(&json!({ "run": run, "pipeline": made.pipeline, "state": made.state.name() }));
    } else {
        context.output.line(&format!("run {run}"));
    }
    note_workers(context, store).await?;
    Ok(0)
}

/// A run without workers waits; whoever starts one wants to know.
async fn note_workers(context: &Context, store: &Store) -> Result<(), Errors> {
    let workers = store.workers().await.map_err(one)?;
    if workers.iter().all(|worker| worker.is_own) && !context.output.is_json() {
        context.output.note("No worker is signed on: the run waits for `levada serve` or `levada worker`.");
    }
    Ok(())
}

async fn until_ended(store: &Store, run: RunId) -> levada_core::error::Result<()> {
    let mut ends = store.watch(Signal::End);
    while store.run(run).await?.is_some_and(|run| run.ended_at.is_none()) {
        tokio::select! {
            _ = ends.changed() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
    Ok(())
}
