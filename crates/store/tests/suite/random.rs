//! Random pipelines, and random things that happen to their runs: whatever the order, what the store counts agrees with a
//! recount, and every run ends.

use std::time::Duration;

use levada_core::config::Retry;
use levada_core::id::{RunId, WorkerId};
use levada_core::run::{Event, FanOut, Graph, When};
use levada_store::{Again, Claim, Exchange, NewBackfill, NewRun, Update, What};

use super::world::{World, graph, node, worker};
use crate::places::sqlite;

const SEEDS: u64 = 25;
const STEPS: usize = 120;

/// Knuth's MMIX generator.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn one_in(&mut self, chance: usize) -> bool {
        self.below(chance) == 0
    }

    fn graph(&mut self) -> Graph {
        let mut nodes = Vec::new();
        for index in 0..1 + self.below(7) {
            let after: Vec<usize> = (0..index).filter(|_| self.one_in(3)).collect();
            let mut node = node(&format!("t{index}"), &after);
            node.when = [When::AllSucceeded, When::AllSucceeded, When::AllDone, When::AnyFailed][self.below(4)];
            if after.is_empty() {
                node.when = When::AllSucceeded;
            }
            let attempts = 1 + u32::try_from(self.below(3)).unwrap();
            node.retry = Retry { attempts, initial: Duration::from_secs(20), ..Retry::default() };
            node.lost_max = u32::try_from(self.below(3)).unwrap();
            node.pool = self.one_in(3).then(|| ("pool".to_owned(), 1 + u32::try_from(self.below(2)).unwrap()));
            let concurrency = [None, Some(1), Some(2)][self.below(3)];
            node.fan_out = self.one_in(2).then_some(FanOut { items_max: 10, concurrency });
            nodes.push(node);
        }
        let mut graph = graph(nodes);
        graph.concurrency = [None, Some(1), Some(2)][self.below(3)];
        graph
    }

    fn update(&mut self, world: &World, claim: &Claim) -> Update {
        let mut update = Update::new(claim.task_run, claim.epoch, vec![Event::Started]);
        let end = match self.below(8) {
            0 => Event::Errored { retry: true },
            1 => Event::Errored { retry: false },
            2 => Event::Deferred { until: world.now.plus(Duration::from_secs(15)) },
            3 => Event::Stopped,
            _ if claim.is_split => {
                update.items = (0..self.below(5)).map(|item| item.to_string()).collect();
                Event::Expanded
            }
            _ => Event::Finished,
        };
        update.events.push(end);
        if self.one_in(10) {
            update.epoch -= 1;
        }
        update
    }
}

struct Life {
    world: World,
    random: Random,
    documents: Vec<i64>,
    workers: Vec<(WorkerId, Vec<Claim>)>,
    runs: Vec<RunId>,
}

impl Life {
    async fn step(&mut self, step: usize) {
        let (store, now) = (self.world.store.clone(), self.world.now);
        let random = &mut self.random;
        match random.below(18) {
            0 | 1 => {
                let index = random.below(self.documents.len());
                let new = NewRun::manual(&format!("p{index}"), self.documents[index], format!("run {step}"));
                self.runs.push(store.create_run(new, now).await.unwrap().run);
            }
            2..=5 | 12..=17 if !self.workers.is_empty() => self.exchange().await,
            6 => {
                self.world.pass(Duration::from_secs(10));
                store.wake_due(self.world.now).await.unwrap();
                // some beat, some do not
                for (id, held) in &self.workers {
                    if !self.random.one_in(4) {
                        let held = held.iter().map(|claim| claim.task_run).collect();
                        store.beat(*id, false, held, self.world.now).await.unwrap();
                    }
                }
                store.reap(Vec::new(), self.world.now).await.unwrap();
            }
            7 if !self.runs.is_empty() => {
                // one of the newest, which are likely to be open
                let run = self.runs[self.runs.len() - 1 - random.below(self.runs.len().min(4))];
                store.stop_run(run, now).await.unwrap();
            }
            8 => self.workers.push((store.sign_on(worker("w"), now).await.unwrap(), Vec::new())),
            9 if !self.workers.is_empty() => {
                let index = random.below(self.workers.len());
                let (id, _) = self.workers.swap_remove(index);
                store.reap(vec![id], now).await.unwrap();
            }
            10 => {
                let name = format!("p{}", random.below(self.documents.len()));
                store.pause_pipeline(name, random.one_in(4), now).await.unwrap();
            }
            11 if !self.runs.is_empty() => {
                let run = self.runs[random.below(self.runs.len())];
                let what = if random.one_in(2) { What::Rest } else { What::All };
                let again = Again {
                    run,
                    what,
                    newest: true,
                    params: None,
                    identity: format!("a{step}"),
                    input: None,
                    owner: None,
                };
                // refused where the run is open or has nothing left to do
                self.runs.extend(store.run_again(again, now).await.ok().map(|created| created.run));
                store.advance_backfills(now).await.unwrap();
            }
            _ => {}
        }
    }

    async fn exchange(&mut self) {
        let index = self.random.below(self.workers.len());
        let (id, held) = &mut self.workers[index];
        let count = self.random.below(held.len() + 1);
        let reported: Vec<Claim> = held.drain(..count).collect();
        let updates = reported.iter().map(|claim| self.random.update(&self.world, claim)).collect();
        let want = self.random.below(6);
        let exchange = Exchange { worker: *id, updates, want, labels: Vec::new(), own: false, now: self.world.now };
        let given = self.world.store.exchange(exchange).await.unwrap();
        held.extend(given.claims);
        held.retain(|claim| !given.fenced.contains(&claim.task_run));
    }

    /// From now on all goes well.
    async fn end(&mut self) {
        for (id, _) in std::mem::take(&mut self.workers) {
            self.world.store.reap(vec![id], self.world.now).await.unwrap();
        }
        for index in 0..self.documents.len() {
            self.world.store.pause_pipeline(format!("p{index}"), false, self.world.now).await.unwrap();
        }
        self.world.worker = self.world.store.sign_on(worker("last"), self.world.now).await.unwrap();
        for _ in 0..500 {
            self.world.drain().await;
            let runs = self.world.store.advance_backfills(self.world.now).await.unwrap();
            let (woken, next) = self.world.store.wake_due(self.world.now).await.unwrap();
            if woken == 0 && runs == 0 {
                let Some(next) = next else { break };
                self.world.now = next;
                self.world.store.beat(self.world.worker, false, Vec::new(), next).await.unwrap();
            }
        }
    }

    async fn is_sound(&self, seed: u64, step: usize) {
        assert_eq!(self.world.store.audit().await.unwrap(), Vec::<String>::new(), "seed {seed}, step {step}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_every_run_ends() {
    for seed in 0..SEEDS {
        let place = sqlite().await;
        let world = World::new(place.store).await;
        world.store.set_pools([("pool".to_owned(), 2)].into()).await.unwrap();
        let mut random = Random(seed);
        let mut documents = Vec::new();
        for index in 0..3 {
            documents.push(world.pipeline(&format!("p{index}"), random.graph()).await);
        }
        let times = (0..4).map(|day| world.now.plus(Duration::from_secs(day))).collect();
        let new = NewBackfill {
            pipeline: "p0".to_owned(),
            times,
            params: "{}".to_owned(),
            concurrency: 2,
            identity: None,
            input: None,
        };
        world.store.create_backfill(new, world.now).await.unwrap();
        let mut life = Life { world, random, documents, workers: Vec::new(), runs: Vec::new() };
        for step in 0..STEPS {
            life.step(step).await;
            life.is_sound(seed, step).await;
        }
        life.end().await;
        life.is_sound(seed, STEPS).await;
        assert!(life.world.store.open_runs().await.unwrap().is_empty(), "seed {seed}: runs that do not end");
        let backfill = life.world.store.backfills(levada_store::BackfillFilter::newest(1)).await.unwrap().remove(0);
        assert!(backfill.ended_at.is_some(), "seed {seed}: {backfill:?}");
    }
}
