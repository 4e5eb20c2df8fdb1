//! The scheduler: one [`Scheduler::tick`] is one iteration of all that happens by itself. Any number of processes may
//! run one on the same store; what they do, they do once.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use levada_core::error::Result;
use levada_core::id::WorkerId;
use levada_core::time::{Clock, Timestamp};
use levada_store::{Fired, Signal, Store};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Host, Keeper, Landing, LookForFiles, Telling, kill_left_behind};
use crate::metrics::metrics;

/// How often workers are looked after.
const LOOK_AFTER: Duration = Duration::from_secs(3);
/// Most schedules that fire in one transaction.
const FIRES_MAX: usize = 1_000;
/// The longest sleep, so that a clock that was set is noticed.
const SLEEP_MAX: Duration = Duration::from_secs(10);
/// The pause after the store could not be reached.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// What a tick says about the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tick {
    /// There is more to do.
    Again,
    /// Nothing is due before this instant, unless something changes.
    Until(Timestamp),
}

/// Says what is due.
pub struct Scheduler {
    store: Store,
    clock: Arc<dyn Clock>,
    host: Host,
    fires: bool,
    landing: Option<Arc<Landing>>,
    keeper: Option<Arc<Keeper>>,
    telling: Option<Arc<Telling>>,
    data_dir: Option<PathBuf>,
}

impl Scheduler {
    /// A scheduler on a store; without `fires` it leaves schedules and backfills to others.
    pub fn new(store: Store, clock: Arc<dyn Clock>, fires: bool) -> Self {
        Self { store, clock, host: Host::here(), fires, landing: None, keeper: None, telling: None, data_dir: None }
    }

    /// Also kills what dead workers of this machine have left running, as far as it works in this folder.
    #[must_use]
    pub fn cleaning(mut self, data_dir: PathBuf) -> Self {
        self.data_dir = Some(data_dir);
        self
    }

    /// Also looks for the files that start pipelines.
    #[must_use]
    pub fn looking(self, look: Arc<dyn LookForFiles>) -> Self {
        let landing = Landing::new(self.store.clone(), self.clock.clone(), look);
        Self { landing: Some(Arc::new(landing)), ..self }
    }

    /// Also removes what is kept no longer, with logs and files of runs in a folder.
    #[must_use]
    pub fn keeping(self, data: PathBuf) -> Self {
        let keeper = Keeper::new(self.store.clone(), self.clock.clone(), data);
        Self { keeper: Some(Arc::new(keeper)), ..self }
    }

    /// Also tells others of runs, as the project says.
    #[must_use]
    pub fn telling(self, telling: Telling) -> Self {
        Self { telling: Some(Arc::new(telling)), ..self }
    }

    /// Ticks until it is stopped. Looking for files, removing old runs and telling others of runs take their time in tasks of their own.
    pub async fn run(&self, stop: CancellationToken) {
        let mut others = JoinSet::new();
        if let Some(landing) = self.landing.clone() {
            let stop = stop.clone();
            others.spawn(async move { landing.run(stop).await });
        }
        if let Some(keeper) = self.keeper.clone() {
            let stop = stop.clone();
            others.spawn(async move { keeper.run(stop).await });
        }
        if let Some(telling) = self.telling.clone() {
            let stop = stop.clone();
            others.spawn(async move { telling.run(stop).await });
        }
        self.ticks(stop).await;
        while others.join_next().await.is_some() {}
    }

    async fn ticks(&self, stop: CancellationToken) {
        let mut due = self.store.watch(Signal::Due);
        self.clean().await;
        loop {
            let pause = match self.tick(self.clock.now()).await {
                Ok(Tick::Again) => Duration::ZERO,
                Ok(Tick::Until(instant)) => instant.since(self.clock.now()).min(SLEEP_MAX),
                Err(error) => {
                    tracing::warn!("the scheduler cannot go on: {error}");
                    STORE_PAUSE
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
                _ = due.changed() => {}
            }
        }
    }

    /// One iteration.
    ///
    /// # Errors
    /// Those of the store; what was done before stays done.
    pub async fn tick(&self, now: Timestamp) -> Result<Tick> {
        let started = Instant::now();
        let dead = self.store.workers().await?.into_iter().filter(|worker| self.host.is_dead(worker));
        let dead: Vec<WorkerId> = dead.map(|worker| worker.id).collect();
        let has_died = !dead.is_empty();
        let reaped = self.store.reap(dead, now).await?.len();
        if has_died {
            self.clean().await;
        }
        let (woken, next_wake) = self.store.wake_due(now).await?;
        let (fired, backfilled) = match self.fires {
            true => (self.store.fire_due(now, FIRES_MAX).await?, self.store.advance_backfills(now).await?),
            false => (Fired::default(), 0),
        };
        metrics().tick(started.elapsed(), reaped);
        if woken > 0 || fired.runs > 0 || backfilled > 0 {
            return Ok(Tick::Again);
        }
        let next = next_wake.into_iter().chain(fired.next).chain([now.plus(LOOK_AFTER)]).min();
        Ok(Tick::Until(next.unwrap_or(now)))
    }

    async fn clean(&self) {
        let Some(data_dir) = &self.data_dir else { return };
        match kill_left_behind(&self.store, data_dir).await {
            Ok(0) => {}
            Ok(count) => tracing::warn!("{count} processes of workers that are gone were killed"),
            Err(error) => tracing::warn!("what workers that are gone left running stays: {error}"),
        }
    }
}
