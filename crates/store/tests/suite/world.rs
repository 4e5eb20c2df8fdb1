//! A small world around a store: pipelines, one worker, and a clock that is moved by hand.

use std::time::Duration;

use levada_core::config::Retry;
use levada_core::id::{RunId, WorkerId};
use levada_core::run::{Event, Graph, Node, When};
use levada_core::time::Timestamp;
use levada_store::{Claim, Exchange, Exchanged, Kind, NewDocument, NewRun, NewSchedule, NewWorker, Store, Update};

pub struct World {
    pub store: Store,
    pub worker: WorkerId,
    pub now: Timestamp,
}

/// A task that waits for others.
pub fn node(name: &str, after: &[usize]) -> Node {
    Node {
        name: name.to_owned(),
        kind: "command".to_owned(),
        after: after.to_vec(),
        when: When::AllSucceeded,
        retry: Retry { attempts: 1, ..Retry::default() },
        lost_max: 2,
        timeout: None,
        pool: None,
        priority: 0,
        runs_on: Vec::new(),
        fan_out: None,
    }
}

pub fn graph(nodes: Vec<Node>) -> Graph {
    Graph { nodes, concurrency: None, priority: 0 }
}

/// Tasks in a row.
pub fn chain(length: usize) -> Graph {
    let after = |index: usize| index.checked_sub(1).map(|before| vec![before]).unwrap_or_default();
    graph((0..length).map(|index| node(&format!("t{index}"), &after(index))).collect())
}

impl World {
    pub async fn new(store: Store) -> Self {
        let now = Timestamp::from_secs(1_700_000_000);
        let worker = store.sign_on(worker("one"), now).await.unwrap();
        Self { store, worker, now }
    }

    pub async fn pipeline(&self, name: &str, graph: Graph) -> i64 {
        let document = NewDocument {
            kind: Kind::Pipeline,
            name: name.to_owned(),
            path: format!("pipelines/{name}.yaml"),
            text: format!("name: {name} # {graph:?}"),
            graph: Some(graph),
        };
        self.store.keep_document(document, self.now).await.unwrap().id
    }

    /// A pipeline of one task, with schedules.
    pub async fn scheduled(&self, name: &str, schedules: Vec<NewSchedule>) {
        let document = NewDocument {
            kind: Kind::Pipeline,
            name: name.to_owned(),
            path: format!("pipelines/{name}.yaml"),
            text: format!("name: {name}"),
            graph: Some(chain(1)),
        };
        self.store.apply_pipeline(document, schedules, self.now).await.unwrap();
    }

    /// The newest version of a pipeline.
    pub async fn document(&self, name: &str) -> i64 {
        let pipelines = self.store.pipelines().await.unwrap();
        pipelines.iter().find(|pipeline| pipeline.name == name).unwrap().document
    }

    pub async fn run(&self, name: &str, document: i64, identity: &str) -> RunId {
        let new = NewRun::manual(name, document, identity.to_owned());
        self.store.create_run(new, self.now).await.unwrap().run
    }

    pub async fn exchange(&self, updates: Vec<Update>, want: usize) -> Exchanged {
        let (worker, now) = (self.worker, self.now);
        let exchange = Exchange { worker, updates, want, labels: Vec::new(), own: false, now };
        self.store.exchange(exchange).await.unwrap()
    }

    pub async fn claim(&self, want: usize) -> Vec<Claim> {
        self.exchange(Vec::new(), want).await.claims
    }

    /// Claims with labels.
    pub async fn claim_with(&self, labels: &[&str], want: usize) -> Vec<Claim> {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        let (worker, now) = (self.worker, self.now);
        let exchange = Exchange { worker, updates: Vec::new(), want, labels, own: false, now };
        self.store.exchange(exchange).await.unwrap().claims
    }

    /// Claims as another worker.
    pub async fn claim_as(&self, worker: WorkerId, own: bool, want: usize) -> Vec<Claim> {
        let exchange = Exchange { worker, updates: Vec::new(), want, labels: Vec::new(), own, now: self.now };
        self.store.exchange(exchange).await.unwrap().claims
    }

    pub async fn end(&self, claim: &Claim, event: Event) -> Exchanged {
        self.exchange(vec![ended(claim, event)], 0).await
    }

    /// Executes whatever there is until there is nothing, every task with success. Answers their names in order.
    pub async fn drain(&self) -> Vec<String> {
        let (mut names, mut updates) = (Vec::new(), Vec::new());
        loop {
            let given = self.exchange(std::mem::take(&mut updates), 10).await;
            assert!(given.fenced.is_empty());
            if given.claims.is_empty() {
                return names;
            }
            names.extend(given.claims.iter().map(|claim| claim.task.clone()));
            updates = given.claims.iter().map(|claim| ended(claim, Event::Finished)).collect();
        }
    }

    pub fn pass(&mut self, time: Duration) {
        self.now = self.now.plus(time);
    }
}

pub fn worker(name: &str) -> NewWorker {
    NewWorker {
        name: name.to_owned(),
        host: "here".to_owned(),
        process: "1".to_owned(),
        labels: Vec::new(),
        slots: 10,
        own: false,
    }
}

pub fn ended(claim: &Claim, event: Event) -> Update {
    Update::new(claim.task_run, claim.epoch, vec![Event::Started, event])
}
