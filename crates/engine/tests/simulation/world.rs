//! The world of one story: what can happen in it, and in which order chance makes it happen.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use levada_core::id::{RunId, TaskRunId, WorkerId};
use levada_core::secret::Secret;
use levada_core::time::{Clock, Timestamp};
use levada_engine::house::Scheduler;
use levada_store::{BEAT, Claim, Exchange, Exchanged, Kind, Location, NewDocument, NewRun, Store};
use levada_testkit::shop::chance::Chance;
use tempfile::TempDir;

use super::eye::Eye;
use super::fires::Fires;
use super::network::{Body, Fate, Message};
use super::observer::Observer;
use super::pipelines::{self, CHILD, POOLS, Pipeline};
use super::worker::{Ended, Worker};

#[derive(Default)]
struct ManualClock(AtomicI64);

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }
}

pub struct World {
    _folder: TempDir,
    location: Location,
    pub(super) store: Store,
    clock: Arc<ManualClock>,
    pub(super) chance: Chance,
    aloud: bool,
    pub(super) observer: Observer,
    pub(super) pipelines: Vec<Pipeline>,
    pub(super) documents: Vec<i64>,
    pub(super) fires: Fires,
    pub(super) paused: BTreeSet<String>,
    pub(super) workers: Vec<Worker>,
    /// Workers that are no more, and that nobody may have missed yet.
    crashed: Vec<WorkerId>,
    pub(super) network: Vec<Message>,
    claims: BTreeSet<(TaskRunId, u32)>,
    /// Pipelines that were paused at some time.
    pub(super) ever_paused: BTreeSet<String>,
    names: u64,
}

impl World {
    pub async fn new(seed: u64, server: Option<&str>, aloud: bool) -> Self {
        let mut chance = Chance::new(seed, "simulation");
        // a disk in memory keeps every commit durable against a crash of the process, and answers at once
        let shared = std::path::Path::new("/dev/shm");
        let folder = if shared.is_dir() { TempDir::new_in(shared) } else { TempDir::new() }.unwrap();
        let location = match server {
            None => Location::File(folder.path().join("levada.db")),
            Some(url) => Location::Url(Secret::new(format!("{url}&schema=simulation_{}_{seed}", std::process::id()))),
        };
        let store = Store::open(&location).await.unwrap();
        let clock = Arc::new(ManualClock(AtomicI64::new(1_700_000_000_000_000)));
        let pipelines = pipelines::draw(&mut chance);
        store.set_pools(POOLS.iter().map(|(name, slots)| ((*name).to_owned(), *slots)).collect()).await.unwrap();
        let fires = Fires::new(&pipelines, clock.now().as_micros());
        let observer = Observer::new(Eye::open(&location).await);
        let mut world = Self {
            _folder: folder,
            location,
            store,
            clock,
            chance,
            aloud,
            observer,
            documents: vec![0; pipelines.len()],
            pipelines,
            fires,
            paused: BTreeSet::new(),
            workers: Vec::new(),
            crashed: Vec::new(),
            network: Vec::new(),
            claims: BTreeSet::new(),
            ever_paused: BTreeSet::new(),
            names: 0,
        };
        for index in 0..world.pipelines.len() {
            world.apply(index).await;
        }
        for _ in 0..3 {
            world.sign_on().await;
        }
        world
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn pass(&self, time: Duration) {
        self.clock.0.fetch_add(i64::try_from(time.as_micros()).unwrap(), Ordering::Relaxed);
    }

    fn wait(&mut self, limit_ms: u64) {
        let time = Duration::from_millis(self.chance.below(limit_ms));
        self.pass(time);
    }

    pub(super) fn say(&self, what: impl FnOnce() -> String) {
        if self.aloud {
            eprintln!("{} {}", self.now(), what());
        }
    }

    pub(super) fn name(&mut self, kind: &str) -> String {
        self.names += 1;
        format!("{kind}:{}", self.names)
    }

    /// One thing happens, and everything is looked at.
    pub async fn step(&mut self) {
        match self.chance.below(100) {
            0..20 => self.wait(2_000),
            20..24 => self.wait(20_000),
            24 => self.wait(900_000),
            25..40 => self.tick().await,
            40..80 => self.any_worker().await,
            80..93 => self.user().await,
            _ => self.fault().await,
        }
        self.deliver().await;
        self.look().await;
    }

    async fn look(&mut self) {
        self.observer.check(&self.paused).await;
        self.fires.check(&self.observer);
    }

    async fn tick(&mut self) {
        let now = self.now();
        self.say(|| "a scheduler ticks".to_owned());
        let scheduler = || Scheduler::new(self.store.clone(), self.clock.clone(), true);
        if self.chance.once_in(5) {
            let (one, other) = (scheduler(), scheduler());
            let both = tokio::join!(one.tick(now), other.tick(now));
            both.0.and(both.1).unwrap();
        } else {
            scheduler().tick(now).await.unwrap();
        }
        self.fires.tick(now.as_micros(), &self.paused);
    }

    async fn sign_on(&mut self) {
        let labels = if self.chance.once_in(2) { vec!["gpu".to_owned()] } else { Vec::new() };
        let slots = 1 + self.chance.below(4) as usize;
        let id = self.store.sign_on(Worker::signs_on(slots, &labels), self.now()).await.unwrap();
        self.say(|| format!("worker {id} signs on, {slots} slots, {labels:?}"));
        self.workers.push(Worker::new(id, slots, labels, self.now()));
    }

    pub(super) async fn apply(&mut self, index: usize) {
        let version = self.name("version");
        let pipeline = &self.pipelines[index];
        let document = NewDocument {
            kind: Kind::Pipeline,
            name: pipeline.name.clone(),
            path: format!("{}.yaml", pipeline.name),
            text: version,
            graph: Some(pipeline.graph.clone()),
        };
        let kept = self.store.apply_pipeline(document, pipeline.schedules(), self.now()).await.unwrap();
        self.documents[index] = kept.id;
        self.observer.knows(kept.id, &self.pipelines[index].graph);
        self.say(|| format!("pipeline {} is applied: {:?}", self.pipelines[index].name, self.pipelines[index].graph));
    }

    // -- workers

    async fn any_worker(&mut self) {
        let now = self.now();
        let ready: Vec<usize> =
            (0..self.workers.len()).filter(|index| self.workers[*index].busy_until <= now).collect();
        match (pick(&mut self.chance, &ready), pick(&mut self.chance, &ready)) {
            (Some(one), Some(other)) if one != other && self.chance.once_in(2) => self.together(one, other).await,
            (Some(index), _) => self.work(index, true).await,
            (None, _) => {}
        }
    }

    /// One turn of a worker: it reports what has ended, and asks for more.
    async fn work(&mut self, index: usize, faults: bool) {
        let exchange = self.prepare(index, faults).await;
        let fate = if faults { self.fate() } else { Fate::Arrives };
        self.say(|| format!("{fate:?}"));
        self.send(index, exchange, fate).await;
    }

    /// The turns of two workers at one moment, and a look at what waits: the store may make one commit of all.
    async fn together(&mut self, one: usize, other: usize) {
        let exchanges = (self.prepare(one, true).await, self.prepare(other, true).await);
        let (first, second, woken) = tokio::join!(
            self.store.exchange(exchanges.0),
            self.store.exchange(exchanges.1),
            self.store.wake_due(self.clock.now())
        );
        woken.unwrap();
        self.observer.check(&self.paused).await;
        for (index, given) in [(one, first.unwrap()), (other, second.unwrap())] {
            let labels = self.workers[index].labels.clone();
            self.check_claims(&given, &labels);
            self.hear(index, given).await;
        }
    }

    /// What a worker has to say now.
    async fn prepare(&mut self, index: usize, faults: bool) -> Exchange {
        let now = self.now();
        if self.workers[index].beat_due <= now || self.chance.once_in(8) {
            self.beat(index, faults).await;
        }
        for ended in self.workers[index].take_ended(now, &mut self.chance) {
            let waits_for = if ended.asks_child { self.child(&ended).await } else { None };
            self.workers[index].reports.push(ended.report(waits_for, now));
        }
        self.workers[index].tell(now);
        let exchange = self.workers[index].exchange(now);
        self.say(|| {
            let updates: Vec<_> =
                exchange.updates.iter().map(|u| format!("{}/{} {:?}", u.task_run, u.epoch, u.events)).collect();
            format!("worker {}: {updates:?}, wants {}", exchange.worker, exchange.want)
        });
        exchange
    }

    pub(super) async fn hear(&mut self, index: usize, given: Exchanged) {
        let now = self.now();
        let observer = &self.observer;
        let node = |claim: &Claim| {
            let graph = observer.graph(claim.document);
            graph.nodes[graph.index(&claim.task).unwrap()].clone()
        };
        if self.workers[index].hear(given, now, &mut self.chance, &node) {
            self.is_reborn(index).await;
        }
    }

    async fn is_reborn(&mut self, index: usize) {
        let worker = &self.workers[index];
        let new = Worker::signs_on(worker.slots, &worker.labels);
        let id = self.store.sign_on(new, self.now()).await.unwrap();
        self.say(|| format!("worker {} was taken for dead, and is {id} now", self.workers[index].id));
        self.workers[index].is_reborn(id);
    }

    /// An exchange reaches the store: what it may change is checked against what it says.
    pub(super) async fn exchange(&mut self, exchange: Exchange) -> Exchanged {
        self.observer.check(&self.paused).await;
        let mut stale = true;
        for update in &exchange.updates {
            let right = self.observer.right(update.task_run.0).await;
            stale &= right.is_none_or(|(epoch, held)| epoch != update.epoch || !held);
        }
        let events = self.observer.events().await;
        let labels = exchange.labels.clone();
        let full = exchange.want;
        let given = self.store.exchange(exchange).await.unwrap();
        if stale && given.claims.is_empty() {
            assert_eq!(self.observer.events().await, events, "a worker wrote of what is not its own");
        }
        self.observer.check(&self.paused).await;
        self.check_claims(&given, &labels);
        self.check_order(&given, &labels, full);
        given
    }

    /// No attempt is given to two, and none to who cannot do it.
    fn check_claims(&mut self, given: &Exchanged, labels: &[String]) {
        for claim in &given.claims {
            assert!(self.claims.insert((claim.task_run, claim.attempt)), "{claim:?} was given twice");
            let task = &self.observer.tasks[&claim.task_run.0];
            assert!(task.runs_on.is_empty() || labels.contains(&task.runs_on), "{claim:?} needs other labels");
        }
    }

    /// Nothing of a higher priority was left, and nothing at all if there was room for more.
    fn check_order(&self, given: &Exchanged, labels: &[String], want: usize) {
        if given.is_gone || want == 0 {
            return;
        }
        let priority = |claim: &Claim| self.observer.tasks[&claim.task_run.0].priority;
        let least = given.claims.iter().map(priority).min().filter(|_| given.claims.len() == want);
        for task in self.observer.tasks.values() {
            let free = task.state == levada_core::run::State::Queued && task.blockers == 0 && task.pool.is_none();
            if free && (task.runs_on.is_empty() || labels.contains(&task.runs_on)) {
                assert!(least.is_some_and(|least| least >= task.priority), "task run {} was passed over", task.id);
            }
        }
    }

    async fn beat(&mut self, index: usize, faults: bool) {
        let (now, worker) = (self.now(), self.workers[index].id);
        self.workers[index].beat_due = now.plus(BEAT);
        let held = self.workers[index].held();
        if faults && self.chance.once_in(12) {
            let arrives = now.plus(Duration::from_millis(self.chance.below(40_000)));
            let body = Body::Beat { worker, held: held.clone(), sent: now };
            self.network.push(Message { arrives, body, ticket: None });
            if self.chance.once_in(2) {
                return;
            }
        }
        let beat = self.store.beat(worker, false, held, now).await.unwrap();
        self.say(|| format!("worker {worker} beats: {beat:?}"));
        if self.workers[index].hear_beat(&beat, now, &mut self.chance) {
            self.is_reborn(index).await;
        }
    }

    /// What a task that starts a pipeline does: it makes the run, or looks at it. Answers the run if it has to wait.
    async fn child(&mut self, ended: &Ended) -> Option<RunId> {
        let claim = &ended.claim;
        let run = match claim.memo.as_deref().and_then(|memo| memo.parse().ok()) {
            Some(run) => RunId(run),
            None => {
                let identity = format!("task_run:{}:{}", claim.task_run, claim.failed);
                let new = NewRun::manual(CHILD, self.documents[0], identity);
                self.store.create_run(new, self.now()).await.unwrap().run
            }
        };
        // the run may end right after this look
        let state = self.store.run(run).await.unwrap().unwrap().state;
        (!state.is_terminal()).then_some(run)
    }

    // -- faults

    async fn fault(&mut self) {
        let index = self.chance.below(self.workers.len().max(1) as u64) as usize;
        match self.chance.below(10) {
            0..2 if !self.workers.is_empty() => self.crash(index),
            2..4 if !self.workers.is_empty() => {
                let until = self.now().plus(Duration::from_millis(self.chance.below(90_000)));
                self.say(|| format!("worker {} stops until {until}", self.workers[index].id));
                self.workers[index].busy_until = until;
            }
            4..7 if self.workers.len() < 5 => self.sign_on().await,
            7 if !self.workers.is_empty() => {
                self.say(|| format!("worker {} signs off", self.workers[index].id));
                let worker = self.workers.swap_remove(index);
                self.store.sign_off(worker.id, self.now()).await.unwrap();
            }
            // a process on the same host sees at once who is dead
            8 => {
                let dead = std::mem::take(&mut self.crashed);
                self.store.reap(dead, self.now()).await.unwrap();
            }
            9 => {
                self.say(|| "the store is opened anew".to_owned());
                self.store = Store::open(&self.location).await.unwrap();
            }
            _ => {}
        }
    }

    pub(super) fn crash(&mut self, index: usize) {
        let worker = self.workers.swap_remove(index);
        self.say(|| format!("worker {} crashes", worker.id));
        self.crashed.push(worker.id);
    }

    // -- the end

    /// Faults stop, and one healthy worker stays: everything must come to its end.
    pub async fn calm_down(&mut self) {
        self.say(|| "faults stop".to_owned());
        let now = self.now();
        for pipeline in std::mem::take(&mut self.paused) {
            self.store.pause_pipeline(pipeline, false, now).await.unwrap();
        }
        for name in self.fires.names() {
            self.store.pause_schedule(name.0.clone(), name.1.clone(), true).await.unwrap();
            self.fires.paused.insert(name);
        }
        while self.workers.len() > 1 {
            self.crash(0);
        }
        self.sign_on().await;
        let worker = self.workers.last_mut().unwrap();
        (worker.slots, worker.labels) = (8, vec!["gpu".to_owned()]);
        for round in 0.. {
            assert!(round < 3_000, "not everything ends");
            self.tick().await;
            self.deliver().await;
            for index in 0..self.workers.len() {
                if self.workers[index].busy_until <= self.now() {
                    self.work(index, false).await;
                }
            }
            self.look().await;
            if self.observer.open_runs().next().is_none() && self.backfills_ended().await {
                break;
            }
            self.pass(Duration::from_secs(3));
        }
        self.check_end().await;
        self.observer.clear().await;
    }

    async fn backfills_ended(&self) -> bool {
        let backfills = self.store.backfills(levada_store::BackfillFilter::newest(100)).await.unwrap();
        backfills.iter().all(|backfill| backfill.ended_at.is_some())
    }

    async fn check_end(&self) {
        assert_eq!(self.store.audit().await.unwrap(), Vec::<String>::new());
        for backfill in self.store.backfills(levada_store::BackfillFilter::newest(100)).await.unwrap() {
            let runs: Vec<_> = self.observer.runs.values().filter(|run| run.backfill == Some(backfill.id.0)).collect();
            let times: BTreeSet<_> = runs.iter().map(|run| run.fire_time).collect();
            assert_eq!((runs.len(), times.len()), (4, 4), "the runs of backfill {}", backfill.id);
        }
        // events are of the moment: only where nothing was ever paused must all of them have been followed
        for pipeline in &self.pipelines {
            let Some((of, state)) = &pipeline.follows else { continue };
            for run in self.observer.runs.values().filter(|run| run.pipeline == *of && run.state == *state) {
                let identity = format!("trigger:{}/follows:run:{}", pipeline.name, run.id);
                let follows = self.observer.runs.values().any(|run| run.identity == identity);
                assert!(follows || self.ever_paused.contains(&pipeline.name), "nothing followed on run {}", run.id);
            }
        }
    }
}

pub(super) fn pick<T: Clone>(chance: &mut Chance, among: &[T]) -> Option<T> {
    if among.is_empty() { None } else { among.get(chance.below(among.len() as u64) as usize).cloned() }
}
