//! Runs that are made after the pattern of an earlier one: the tasks that failed, everything once more, or some tasks alone.

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::id::{RunId, WorkerId};
use levada_core::run::RunState;
use levada_core::time::Timestamp;

use crate::Store;
use crate::db::Tx;
use crate::runs::{Cause, Created, NewRun, create_run, graph};

/// A run after the pattern of an earlier one.
#[derive(Debug, Clone)]
pub struct Again {
    /// The earlier one.
    pub run: RunId,
    /// What of it.
    pub what: What,
    /// Whether the newest version of the pipeline and of the project takes the place of those of the earlier run.
    pub newest: bool,
    /// Parameters in place of those of the earlier run, a JSON object.
    pub params: Option<String>,
    /// Two with one identity are one.
    pub identity: String,
    /// What was asked for under this identity, as a hash.
    pub input: Option<String>,
    /// The worker that made it, and alone executes it.
    pub owner: Option<WorkerId>,
}

/// What of an earlier run is done again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The tasks that did not succeed, and those after them. The others count as done, with the outputs they had; so do
    /// the items of a split task that succeeded.
    Rest,
    /// Everything.
    All,
    /// These tasks, whatever became of them; outputs of others are those of the earlier run.
    Tasks(Vec<String>),
}

impl Store {
    /// Makes a run after the pattern of an earlier one.
    ///
    /// # Errors
    /// `NotFound` where there is no such run; `Refused` where it has not ended, or has nothing left to do; `Usage` where
    /// a task is not known.
    pub async fn run_again(&self, again: Again, now: Timestamp) -> Result<Created> {
        self.db.write(async move |tx: &mut Tx| run_again(tx, &again, now).await).await
    }
}

async fn run_again(tx: &mut Tx, again: &Again, now: Timestamp) -> Result<Created> {
    let sql = "SELECT r.pipeline, r.document, r.project, r.state, r.params, r.options, r.schedule, r.fire_time, \
               COALESCE(p.document, r.document) FROM runs r LEFT JOIN pipelines p ON p.name = r.pipeline WHERE r.id = $1";
    let Some(mut row) = tx.row(sql, &[again.run.into()]).await? else {
        return Err(
            Error::new(ErrorKind::NotFound, format!("there is no run {}", again.run)).advise("List what there is.")
        );
    };
    let (pipeline, mut document, mut project) = (row.text()?, row.int()?, row.int_or_null()?);
    let state = crate::views::run_state(&row.text()?)?;
    let mut new = NewRun::manual(&pipeline, document, again.identity.clone());
    new.input.clone_from(&again.input);
    let params = row.text()?;
    new.params = again.params.clone().unwrap_or(params);
    new.options = row.text_or_null()?;
    new.schedule = row.text_or_null()?;
    new.fire_time = row.time_or_null()?;
    if again.newest {
        document = row.int()?;
        project = crate::documents::current_project(tx).await?;
    }
    (new.document, new.project) = (document, project);
    (new.cause, new.owner) = (Cause::Retry, again.owner);
    match &again.what {
        What::Rest => {
            check_rest(again.run, state)?;
            new.retry_of = Some(again.run);
        }
        What::All => {}
        What::Tasks(tasks) => {
            new.only.clone_from(tasks);
            // whoever names every task means all of it
            let others = graph(tx, document).await?.nodes.iter().any(|node| !tasks.contains(&node.name));
            new.retry_of = others.then_some(again.run);
        }
    }
    create_run(tx, new, now).await
}

fn check_rest(run: RunId, state: RunState) -> Result<()> {
    let (message, advice) = match state {
        RunState::Failed | RunState::Cancelled => return Ok(()),
        RunState::Succeeded => {
            (format!("the run {run} succeeded: nothing is left to do"), "Run all of it again instead.")
        }
        RunState::Queued | RunState::Running => (format!("the run {run} has not ended"), "Cancel it first, or wait."),
    };
    Err(Error::new(ErrorKind::Refused, message).advise(advice))
}
