//! A worker: claims task runs, executes as many at once as it has slots, and reports what became of them. Reports and
//! claims go together (see [`Exchange`]), so that a task that follows another costs no further commit.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use levada_core::dataset::Load;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::id::{TaskRunId, WorkerId};
use levada_core::quality::TestResult;
use levada_core::run::Event;
use levada_core::time::{Clock, Timestamp};
use levada_store::{BEAT, Claim, Exchange, NewProgress, NewWorker, Signal, Store, Update, Volume};
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;

use super::Host;
use crate::report::Failure;

/// How long a task run may be at work before the store is told that it is.
const TELL_AFTER: Duration = Duration::from_millis(500);
/// How often the store is told how far task runs are.
const PROGRESS: Duration = Duration::from_secs(2);
/// How long task runs have to end when the worker is stopped.
const STOP_LIMIT: Duration = Duration::from_secs(8);
/// The pause after the store could not be reached.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// Does what task runs are about.
pub trait Execute: Send + Sync {
    /// Executes one attempt; `stop` ends it early.
    ///
    /// # Errors
    /// Why the attempt failed; the kind says whether it is worth another one.
    fn execute(&self, claim: Claim, worker: WorkerId, stop: CancellationToken) -> BoxFuture<'_, Result<Executed>>;

    /// How far task runs are that can tell it.
    fn progress(&self) -> Vec<NewProgress> {
        Vec::new()
    }
}

/// How an attempt ended, unless nothing of it was done.
#[derive(Debug)]
pub enum Executed {
    /// It did its work.
    Done(Done),
    /// It looks again at an instant, or when something happens.
    Deferred {
        /// The instant.
        until: Timestamp,
        /// What happens, for instance `run:7` ends.
        wake_on: Option<String>,
        /// What it wants to know then, JSON.
        memo: String,
    },
    /// It failed, after a part of it was done.
    Failed {
        /// Why.
        error: Error,
        /// What it had loaded, and from where.
        loads: Vec<Load>,
        /// What its tests found.
        tests: Vec<TestResult>,
    },
    /// It was split into items, each JSON.
    Expanded {
        /// The items.
        items: Vec<String>,
    },
}

/// What a task run leaves behind.
#[derive(Debug, Clone, Default)]
pub struct Done {
    /// Values for tasks after it, a JSON object.
    pub outputs: Option<String>,
    /// The datasets that it loaded.
    pub datasets: Vec<String>,
    /// What it loaded from where, for the catalogue.
    pub loads: Vec<Load>,
    /// What its tests found.
    pub tests: Vec<TestResult>,
    /// What it moved.
    pub volume: Volume,
}

/// What a worker is like.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// For people.
    pub name: String,
    /// Task runs at once.
    pub slots: u32,
    /// What task runs may ask for in `runs_on`.
    pub labels: Vec<String>,
    /// Whether it executes the runs that it made, and no others.
    pub own: bool,
    /// How long task runs may go on after the worker is told to drain.
    pub drain: Duration,
}

/// A worker that has signed on.
pub struct Worker {
    id: WorkerId,
    store: Store,
    clock: Arc<dyn Clock>,
    execute: Arc<dyn Execute>,
    options: WorkerOptions,
    host: Host,
    at_work: HashMap<TaskRunId, AtWork>,
    tasks: JoinSet<Result<Executed>>,
    ids: HashMap<Id, TaskRunId>,
    reports: Vec<Update>,
}

struct AtWork {
    epoch: i64,
    /// What executes it.
    task: Id,
    stop: CancellationToken,
    started: Instant,
    is_told: bool,
    has_progress: bool,
    stop_asked: bool,
}

impl Worker {
    /// Signs a worker on.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn sign_on(
        store: Store,
        clock: Arc<dyn Clock>,
        execute: Arc<dyn Execute>,
        options: WorkerOptions,
    ) -> Result<Self> {
        let host = Host::here();
        let id = store.sign_on(new_worker(&options, &host), clock.now()).await?;
        Ok(Self {
            id,
            store,
            clock,
            execute,
            options,
            host,
            at_work: HashMap::new(),
            tasks: JoinSet::new(),
            ids: HashMap::new(),
            reports: Vec::new(),
        })
    }

    /// Its name in the store, for the runs that it makes for itself.
    pub fn id(&self) -> WorkerId {
        self.id
    }

    /// Works until `drain` is cancelled, then lets task runs end for a while; what has not ended by then, or when `stop`
    /// is cancelled, is stopped and left to other workers.
    pub async fn work(mut self, drain: CancellationToken, stop: CancellationToken) {
        let (mut work, mut stops) = (self.store.watch(Signal::Work), self.store.watch(Signal::Stop));
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut tell = interval(TELL_AFTER);
        tell.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut progress = interval(PROGRESS);
        progress.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut look = true;
        let mut drain_until = None;
        loop {
            if drain_until.is_none() && drain.is_cancelled() {
                drain_until = Some(Instant::now() + self.options.drain);
            }
            let draining = drain_until.is_some();
            if (look && !draining) || !self.reports.is_empty() {
                look = false;
                self.exchange(draining).await;
            }
            if draining && self.at_work.is_empty() && self.reports.is_empty() {
                break;
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(ended) = self.tasks.join_next_with_id() => {
                    self.ended(ended);
                    // all that ended meanwhile goes into one report
                    while let Some(ended) = self.tasks.try_join_next_with_id() {
                        self.ended(ended);
                    }
                    look = true;
                }
                _ = stops.changed() => self.beat(draining).await,
                _ = work.changed() => look = true,
                _ = beat.tick() => { self.beat(draining).await; look = true; }
                _ = tell.tick() => self.tell(),
                _ = progress.tick() => self.tell_progress().await,
                () = drain.cancelled(), if !draining => {}
                () = sleep_until(drain_until.unwrap_or_else(Instant::now)), if draining => break,
            }
        }
        self.leave().await;
    }

    /// Reports what ended and claims what there is.
    async fn exchange(&mut self, draining: bool) {
        let free = (self.options.slots as usize).saturating_sub(self.at_work.len());
        let exchange = Exchange {
            worker: self.id,
            updates: self.reports.clone(),
            want: if draining { 0 } else { free },
            labels: self.options.labels.clone(),
            own: self.options.own,
            now: self.clock.now(),
        };
        match self.store.exchange(exchange).await {
            Ok(given) => {
                self.reports.clear();
                given.fenced.iter().for_each(|id| self.forget(*id));
                if given.is_gone {
                    self.sign_on_again().await;
                }
                given.claims.into_iter().for_each(|claim| self.start(claim));
            }
            // the reports are kept, and told when the store is there again
            Err(error) => {
                tracing::warn!("the store cannot be reached: {error}");
                tokio::time::sleep(STORE_PAUSE).await;
            }
        }
    }

    fn start(&mut self, claim: Claim) {
        let (id, epoch) = (claim.task_run, claim.epoch);
        let token = CancellationToken::new();
        let (execute, worker, stop) = (self.execute.clone(), self.id, token.clone());
        let task = self.tasks.spawn(async move { execute.execute(claim, worker, stop).await });
        self.ids.insert(task.id(), id);
        let at_work = AtWork {
            epoch,
            task: task.id(),
            stop: token,
            started: Instant::now(),
            is_told: false,
            has_progress: false,
            stop_asked: false,
        };
        self.at_work.insert(id, at_work);
    }

    fn ended(&mut self, ended: Result<(Id, Result<Executed>), tokio::task::JoinError>) {
        let (task, result) = match ended {
            Ok((task, result)) => (task, result),
            Err(error) => (error.id(), Err(Error::new(ErrorKind::Internal, "the task broke off"))),
        };
        let Some(id) = self.ids.remove(&task) else { return };
        // a task run that was taken away ends without a report
        let Some(at_work) = self.at_work.remove(&id) else { return };
        let report = report(id, &at_work, result);
        self.reports.push(report);
    }

    /// The store hears of task runs that take longer than a moment. Those that do not are told with their end.
    fn tell(&mut self) {
        for (id, at_work) in &mut self.at_work {
            if !at_work.is_told && at_work.started.elapsed() >= TELL_AFTER {
                at_work.is_told = true;
                self.reports.push(Update::new(*id, at_work.epoch, vec![Event::Started]));
            }
        }
    }

    /// The store hears how far task runs are.
    async fn tell_progress(&mut self) {
        let mut told = self.execute.progress();
        told.retain(|one| match self.at_work.get_mut(&one.task_run) {
            Some(at_work) if at_work.epoch == one.epoch => {
                at_work.has_progress = true;
                true
            }
            _ => false,
        });
        if told.is_empty() {
            return;
        }
        // whoever misses it hears the next
        if let Err(error) = self.store.tell_progress(told, self.clock.now()).await {
            tracing::debug!("how far task runs are was not told: {error}");
        }
    }

    async fn beat(&mut self, draining: bool) {
        // reported, but not yet taken by the store, is held as well
        let reported = self.reports.iter().map(|report| report.task_run);
        let held = self.at_work.keys().copied().chain(reported).collect();
        match self.store.beat(self.id, draining, held, self.clock.now()).await {
            Ok(beat) if beat.is_gone => self.sign_on_again().await,
            Ok(beat) => {
                beat.lost.iter().for_each(|id| self.forget(*id));
                for id in beat.stop {
                    if let Some(at_work) = self.at_work.get_mut(&id) {
                        at_work.stop_asked = true;
                        at_work.stop.cancel();
                    }
                }
            }
            Err(error) => tracing::warn!("the store cannot be reached: {error}"),
        }
    }

    /// A task run that is not ours any more is stopped, and nothing is said of it.
    fn forget(&mut self, id: TaskRunId) {
        if let Some(at_work) = self.at_work.remove(&id) {
            at_work.stop.cancel();
            // it may take a while to end, and must not be taken for a later attempt that we are given meanwhile
            self.ids.remove(&at_work.task);
        }
    }

    /// Others took us for dead, and our task runs with us.
    async fn sign_on_again(&mut self) {
        let ids: Vec<TaskRunId> = self.at_work.keys().copied().collect();
        ids.into_iter().for_each(|id| self.forget(id));
        self.reports.clear();
        match self.store.sign_on(new_worker(&self.options, &self.host), self.clock.now()).await {
            Ok(id) => self.id = id,
            Err(error) => tracing::warn!("the store cannot be reached: {error}"),
        }
    }

    /// Stops what is at work, reports it as left to others, and signs off.
    async fn leave(mut self) {
        let left: Vec<Update> = self
            .at_work
            .iter()
            .filter(|(_, at_work)| !at_work.stop_asked)
            .map(|(id, at_work)| Update {
                has_progress: at_work.has_progress,
                ..Update::new(*id, at_work.epoch, with_start(at_work, Event::LeaseLost))
            })
            .collect();
        self.at_work.values().for_each(|at_work| at_work.stop.cancel());
        let deadline = Instant::now() + STOP_LIMIT;
        while let Ok(Some(ended)) = tokio::time::timeout_at(deadline, self.tasks.join_next_with_id()).await {
            // what ended by itself, or because a user asked for it, is reported as such
            let done = matches!(&ended, Ok((_, Ok(executed))) if !matches!(executed, Executed::Failed { .. }));
            let asked = match &ended {
                Ok((task, _)) => self.ids.get(task).and_then(|id| self.at_work.get(id)).is_some_and(|w| w.stop_asked),
                Err(_) => false,
            };
            if done || asked {
                self.ended(ended);
            }
        }
        self.tasks.abort_all();
        let reported: Vec<TaskRunId> = self.reports.iter().map(|report| report.task_run).collect();
        self.reports.extend(left.into_iter().filter(|update| !reported.contains(&update.task_run)));
        self.exchange(true).await;
        if let Err(error) = self.store.sign_off(self.id, self.clock.now()).await {
            tracing::warn!("the worker could not sign off: {error}");
        }
    }
}

fn new_worker(options: &WorkerOptions, host: &Host) -> NewWorker {
    NewWorker {
        name: options.name.clone(),
        host: host.host.clone(),
        process: host.process.clone(),
        labels: options.labels.clone(),
        slots: options.slots,
        own: options.own,
    }
}

/// The end of an attempt, and its start if that was not told.
fn with_start(at_work: &AtWork, end: Event) -> Vec<Event> {
    if at_work.is_told { vec![end] } else { vec![Event::Started, end] }
}

fn report(id: TaskRunId, at_work: &AtWork, result: Result<Executed>) -> Update {
    let has_progress = at_work.has_progress;
    let update = |end: Event| Update { has_progress, ..Update::new(id, at_work.epoch, with_start(at_work, end)) };
    match result {
        Ok(Executed::Done(done)) => {
            let Done { outputs, datasets, loads, tests, volume } = done;
            Update { outputs, datasets, loads, tests, volume, ..update(Event::Finished) }
        }
        Ok(Executed::Failed { error, loads, tests }) => Update { loads, tests, ..report(id, at_work, Err(error)) },
        Ok(Executed::Deferred { until, wake_on, memo }) => {
            Update { wake_on, memo: Some(memo), ..update(Event::Deferred { until }) }
        }
        Ok(Executed::Expanded { items }) if items.is_empty() => update(Event::Finished),
        Ok(Executed::Expanded { items }) => Update { items, ..update(Event::Expanded) },
        Err(error) => {
            let event =
                if at_work.stop_asked { Event::Stopped } else { Event::Errored { retry: error.kind().policy().retry } };
            Update { error: serde_json::to_string(&Failure::from(&error)).ok(), ..update(event) }
        }
    }
}
