//! Who executes tasks, and the pools whose slots they share.

use levada_core::id::{RunId, TaskRunId, WorkerId};
use levada_core::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{limit, matches};
use crate::problem::Problem;
use crate::route::{Answer, Call, Page};
use crate::sort::{Rank, Sort, orders};

/// Holders of a pool that are told.
const HOLDERS_MAX: usize = 100;

/// A worker.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Worker {
    /// Which.
    pub id: WorkerId,
    /// For people.
    pub name: String,
    /// The machine.
    pub host: String,
    /// `active`, or `draining` if it starts nothing more.
    pub state: String,
    /// How many task runs it executes at once.
    pub slots: u32,
    /// How many it holds.
    pub held: u64,
    /// What task runs may ask for in `runs_on`.
    pub labels: Vec<String>,
    /// Whether it executes the runs that it makes, and no others.
    pub own_runs_only: bool,
    /// When it signed on.
    pub started_at: Timestamp,
    /// When it was last heard of.
    pub heard_of_at: Timestamp,
}

/// A pool.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// How many slots it has.
    pub slots: u64,
    /// How many of them are held.
    pub used: u64,
    /// Who holds them; the first 100.
    pub holders: Vec<Holder>,
}

/// A task run that holds slots of a pool.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Holder {
    /// Which.
    pub task_run: TaskRunId,
    /// Its run.
    pub run: RunId,
    /// The pipeline.
    pub pipeline: String,
    /// The task.
    pub task: String,
    /// How many it holds.
    pub slots: u64,
}

orders! {
    /// What workers are in order of.
    WorkerOrder(false) { Id = "id", Name = "name", HeardOfAt = "heard_of_at" }
}

orders! {
    /// What pools are in order of.
    PoolOrder(false) { Name = "name", Slots = "slots", Used = "used" }
}

/// Which workers to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// With this text in the name.
    pub search: Option<String>,
    /// The order; `-` before it is the other way round.
    #[serde(default)]
    pub sort: Sort<WorkerOrder>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// How many; 50 unless given, 1,000 at most.
    pub limit: Option<u32>,
}

/// Which pools to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pools {
    /// With this text in the name.
    pub search: Option<String>,
    /// The order; `-` before it is the other way round.
    #[serde(default)]
    pub sort: Sort<PoolOrder>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// How many; 50 unless given, 1,000 at most.
    pub limit: Option<u32>,
}

/// Workers that are signed on, the oldest first.
pub async fn list(call: Call<List>) -> Result<Answer<Page<Worker>>, Problem> {
    let List { search, sort, after, limit: asked } = call.input;
    let limit = limit(asked)?;
    let held = call.app.store.held().await?;
    let all = call.app.store.workers().await?.into_iter();
    let wanted = all.filter(|worker| matches(search.as_deref(), [worker.name.as_str()]));
    let place = |order, worker: &levada_store::Worker| {
        let rank = match order {
            WorkerOrder::Id => None,
            WorkerOrder::Name => Some(Rank::from(worker.name.as_str())),
            WorkerOrder::HeardOfAt => Some(Rank::from(worker.beat_at)),
        };
        // as many digits as there can be, so that texts are in the order of the numbers
        (rank, format!("{:019}", worker.id.0))
    };
    let Page { items, next } = sort.page(wanted, place, after.as_deref(), limit)?;
    let shown = |worker: levada_store::Worker| Worker {
        held: held.get(&worker.id).copied().unwrap_or_default(),
        id: worker.id,
        name: worker.name,
        host: worker.host,
        state: worker.state,
        slots: worker.slots,
        labels: worker.labels,
        own_runs_only: worker.is_own,
        started_at: worker.started_at,
        heard_of_at: worker.beat_at,
    };
    Ok(Page { items: items.into_iter().map(shown).collect(), next }.into())
}

/// Pools, in the order of their names.
pub async fn pools(call: Call<Pools>) -> Result<Answer<Page<Pool>>, Problem> {
    let Pools { search, sort, after, limit: asked } = call.input;
    let limit = limit(asked)?;
    let all = call.app.store.pools().await?.into_iter();
    let wanted = all.filter(|pool| matches(search.as_deref(), [pool.name.as_str()])).map(Pool::from);
    let place = |order, pool: &Pool| {
        let rank = match order {
            PoolOrder::Name => None,
            PoolOrder::Slots => Some(Rank::from(pool.slots)),
            PoolOrder::Used => Some(Rank::from(pool.used)),
        };
        (rank, pool.name.clone())
    };
    Ok(sort.page(wanted, place, after.as_deref(), limit)?.into())
}

impl From<levada_store::Pool> for Pool {
    fn from(pool: levada_store::Pool) -> Self {
        let used = pool.used();
        let holder = |holder: levada_store::Holder| Holder {
            task_run: holder.task_run,
            run: holder.run,
            pipeline: holder.pipeline,
            task: holder.task,
            slots: holder.slots,
        };
        let holders = pool.holders.into_iter().take(HOLDERS_MAX).map(holder).collect();
        Self { name: pool.name, slots: pool.slots, used, holders }
    }
}
