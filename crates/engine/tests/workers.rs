//! A real worker with work that a test leads by hand, on a real store.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use levada_core::config::Retry;
use levada_core::error::Result;
use levada_core::id::{RunId, WorkerId};
use levada_core::run::{Graph, Node, State, When};
use levada_core::time::Clock as _;
use levada_engine::house::{Done, Execute, Executed, SystemClock, Worker, WorkerOptions};
use levada_store::{Claim, Kind, Location, NewDocument, NewRun, Store};
use tokio_util::sync::CancellationToken;

/// Ends an attempt when it is told to, whether it is asked to stop or not.
#[derive(Default)]
struct Stubborn {
    ends: Mutex<Vec<Arc<tokio::sync::Notify>>>,
}

impl Execute for Stubborn {
    fn execute(&self, claim: Claim, _: WorkerId, _: CancellationToken) -> BoxFuture<'_, Result<Executed>> {
        let end = Arc::new(tokio::sync::Notify::new());
        self.ends.lock().unwrap().push(end.clone());
        Box::pin(async move {
            end.notified().await;
            let outputs = Some(format!("{{\"attempt\":{}}}", claim.attempt));
            Ok(Executed::Done(Done { outputs, ..Done::default() }))
        })
    }
}

impl Stubborn {
    /// Waits until so many attempts have started.
    async fn started(&self, count: usize) {
        while self.ends.lock().unwrap().len() < count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn end(&self, attempt: usize) {
        self.ends.lock().unwrap()[attempt].notify_one();
    }
}

async fn run_of_one_task(store: &Store) -> RunId {
    let node = Node {
        name: "t".to_owned(),
        kind: "command".to_owned(),
        after: Vec::new(),
        when: When::AllSucceeded,
        retry: Retry { attempts: 1, ..Retry::default() },
        lost_max: 2,
        timeout: None,
        pool: None,
        priority: 0,
        runs_on: Vec::new(),
        fan_out: None,
    };
    let graph = Some(Graph { nodes: vec![node], concurrency: None, priority: 0 });
    let (name, path, text) = ("p".to_owned(), "p.yaml".to_owned(), "name: p".to_owned());
    let document = NewDocument { kind: Kind::Pipeline, name, path, text, graph };
    let kept = store.keep_document(document, SystemClock.now()).await.unwrap();
    let new = NewRun::manual("p", kept.id, "one".to_owned());
    store.create_run(new, SystemClock.now()).await.unwrap().run
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_was_taken_away_ends_without_a_word_even_if_the_next_is_at_work() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&Location::File(folder.path().join("levada.db"))).await.unwrap();
    let run = run_of_one_task(&store).await;
    let execute = Arc::new(Stubborn::default());
    let options = WorkerOptions {
        name: "one".to_owned(),
        slots: 1,
        labels: Vec::new(),
        own: false,
        drain: Duration::from_secs(5),
    };
    let worker = Worker::sign_on(store.clone(), Arc::new(SystemClock), execute.clone(), options).await.unwrap();
    let id = worker.id();
    let (drain, stop) = (CancellationToken::new(), CancellationToken::new());
    let work = tokio::spawn(worker.work(drain.clone(), stop.clone()));
    execute.started(1).await;
    // it is taken for dead, hears of it with its next beat, signs on anew, and is given the same task run
    store.reap(vec![id], SystemClock.now()).await.unwrap();
    execute.started(2).await;
    execute.end(0);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let task = store.task_runs(run).await.unwrap().remove(0);
    assert!(task.state.is_held(), "the first attempt has no say: {:?}", task.state);
    execute.end(1);
    drain.cancel();
    work.await.unwrap();
    let task = store.task_runs(run).await.unwrap().remove(0);
    assert_eq!((task.state, task.attempt), (State::Succeeded, 2));
    assert_eq!(task.outputs.as_deref(), Some("{\"attempt\":2}"));
}
