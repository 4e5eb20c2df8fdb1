//! A store with pipelines, and the house on it: what the workloads have in common.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use levada_core::config::{Commands, File, Project, Variables};
use levada_core::connector::Registry;
use levada_core::id::{RunId, WorkerId};
use levada_core::run::Graph;
use levada_core::time::Clock;
use levada_engine::house::{Execute, Executed, Executor, Nobody, Surroundings, SystemClock, Worker, WorkerOptions};
use levada_store::{Claim, Kind as DocumentKind, Location, NewDocument, NewRun, NewSchedule, Signal, Store};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::stores::{self, Kind};
use crate::Result;
use crate::places::Places;

/// How long a workload may take.
const LIMIT: Duration = Duration::from_secs(300);

/// A store with pipelines.
pub struct World {
    pub store: Store,
    pub location: Location,
    data: PathBuf,
    workers: Vec<(CancellationToken, JoinHandle<()>)>,
}

/// When attempts started and ended, by run and task.
#[derive(Default)]
pub struct Times(Mutex<HashMap<(RunId, String), (Instant, Instant)>>);

impl World {
    pub async fn new(places: &Places, kind: Kind) -> Result<Self> {
        let (store, location) = stores::open(places, kind).await?;
        let data = places.scratch.join("house");
        if data.exists() {
            std::fs::remove_dir_all(&data)?;
        }
        std::fs::create_dir_all(&data)?;
        Ok(Self { store, location, data, workers: Vec::new() })
    }

    /// Applies a pipeline, and gives the id of its document.
    pub async fn pipeline(&self, name: &str, text: String) -> Result<i64> {
        self.scheduled(name, text, Vec::new()).await
    }

    /// Applies a pipeline with schedules.
    pub async fn scheduled(&self, name: &str, text: String, schedules: Vec<NewSchedule>) -> Result<i64> {
        let graph = graph(name, &text)?;
        let document = NewDocument {
            kind: DocumentKind::Pipeline,
            name: name.to_owned(),
            path: format!("{name}.yaml"),
            text,
            graph: Some(graph),
        };
        let kept = self.store.apply_pipeline(document, schedules, SystemClock.now()).await;
        Ok(kept.map_err(|error| error.to_string())?.id)
    }

    /// The executor of real runs.
    pub fn executor(&self) -> Arc<dyn Execute> {
        Arc::new(Executor::new(Surroundings {
            registry: Registry::default(),
            store: self.store.clone(),
            clock: Arc::new(SystemClock),
            env: Arc::new(|_| None),
            secrets: Arc::new(|_| Box::pin(std::future::ready(Ok(None)))),
            project_dir: self.data.clone(),
            data_dir: self.data.clone(),
            network: Arc::default(),
            commands: Commands::Enabled,
            own: false,
            observer: Arc::new(Nobody),
        }))
    }

    /// Starts a worker in this process.
    pub async fn worker(&mut self, slots: u32, execute: Arc<dyn Execute>) -> Result<()> {
        let options = WorkerOptions {
            name: format!("bench {}", self.workers.len()),
            slots,
            labels: Vec::new(),
            own: false,
            drain: Duration::from_secs(1),
        };
        let worker = Worker::sign_on(self.store.clone(), Arc::new(SystemClock), execute, options).await;
        let worker = worker.map_err(|error| error.to_string())?;
        let stop = CancellationToken::new();
        let task = tokio::spawn(worker.work(stop.clone(), stop.clone()));
        self.workers.push((stop, task));
        Ok(())
    }

    /// Asks for runs, all at once.
    pub async fn fire(&self, pipeline: &str, document: i64, runs: usize) -> Result<Vec<RunId>> {
        let started = (0..runs).map(|number| {
            let (store, pipeline) = (self.store.clone(), pipeline.to_owned());
            let identity = format!("bench:{pipeline}:{number}:{:?}", Instant::now());
            let new = NewRun::manual(&pipeline, document, identity);
            tokio::spawn(async move { store.create_run(new, SystemClock.now()).await })
        });
        let mut ids = Vec::new();
        for started in started.collect::<Vec<_>>() {
            ids.push(started.await?.map_err(|error| error.to_string())?.run);
        }
        Ok(ids)
    }

    /// Waits until no run is open.
    pub async fn until_done(&self) -> Result<()> {
        let mut changes = self.store.watch(Signal::Work);
        let start = Instant::now();
        while !self.store.open_runs().await.map_err(|error| error.to_string())?.is_empty() {
            if start.elapsed() > LIMIT {
                return Err(format!("not done after {} s", LIMIT.as_secs()).into());
            }
            let _ = tokio::time::timeout(Duration::from_millis(2), changes.changed()).await;
        }
        Ok(())
    }

    /// Checks that every run succeeded.
    pub async fn all_succeeded(&self, runs: &[RunId]) -> Result<()> {
        for run in runs {
            let found = self.store.run(*run).await.map_err(|error| error.to_string())?;
            let state = found.map(|run| run.state.name()).unwrap_or("gone");
            if state != "succeeded" {
                return Err(format!("run {run} {state}").into());
            }
        }
        Ok(())
    }

    pub async fn end(self) {
        for (stop, task) in self.workers {
            stop.cancel();
            let _ = task.await;
        }
    }
}

impl Times {
    /// From the end of a task to the start of the next, in milliseconds, for every pair of tasks `t0`, `t1`, ..
    pub fn gaps_ms(&self) -> Vec<f64> {
        let times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let gap = |((run, task), (_, end)): (&(RunId, String), &(Instant, Instant))| {
            let number: usize = task.strip_prefix('t')?.parse().ok()?;
            let (start, _) = times.get(&(*run, format!("t{}", number + 1)))?;
            Some(start.saturating_duration_since(*end).as_secs_f64() * 1e3)
        };
        times.iter().filter_map(gap).collect()
    }

    /// How long an attempt took, in milliseconds, on average.
    pub fn attempt_ms(&self) -> f64 {
        let times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: f64 = times.values().map(|(start, end)| end.duration_since(*start).as_secs_f64() * 1e3).sum();
        all / times.len() as f64
    }
}

/// Notes when attempts start and end.
pub struct Timed {
    pub inner: Arc<dyn Execute>,
    pub times: Arc<Times>,
}

impl Execute for Timed {
    fn execute(
        &self,
        claim: Claim,
        worker: WorkerId,
        stop: CancellationToken,
    ) -> BoxFuture<'_, levada_core::error::Result<Executed>> {
        Box::pin(async move {
            let (key, start) = ((claim.run, claim.task.clone()), Instant::now());
            let result = self.inner.execute(claim, worker, stop).await;
            self.times.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, (start, Instant::now()));
            result
        })
    }
}

/// Does nothing for a while.
pub struct Sleeper(pub Duration);

impl Execute for Sleeper {
    fn execute(
        &self,
        _: Claim,
        _: WorkerId,
        _: CancellationToken,
    ) -> BoxFuture<'_, levada_core::error::Result<Executed>> {
        Box::pin(async move {
            tokio::time::sleep(self.0).await;
            Ok(Executed::Done(Default::default()))
        })
    }
}

/// The structure of a pipeline.
fn graph(name: &str, text: &str) -> Result<Graph> {
    let variables = Variables { env: &|_| None, secret: &|_| Ok(None), params: Default::default(), runtime: None };
    let file = File::parse(name, text).map_err(first)?;
    let (pipeline, _) = file.pipeline(&Project::of([&file]), &variables).map_err(first)?;
    Ok(pipeline.graph())
}

fn first(errors: Vec<levada_core::error::Error>) -> String {
    errors.first().map(ToString::to_string).unwrap_or_default()
}
