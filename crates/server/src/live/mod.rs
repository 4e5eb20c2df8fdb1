//! Live events: one hub follows the events of the metadata store and hands them to everybody who listens, each made into
//! text once. What somebody may hear, and how it travels, is in `socket.rs` and `stream.rs`.

pub mod listener;
pub mod socket;
pub mod stream;
pub mod tail;

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use levada_core::error::Result;
use levada_core::id::TaskRunId;
use levada_core::time::Timestamp;
use levada_store::{Feed, LiveEvent, Signal, Store, TaskProgress};
use serde_json::json;
use tokio::sync::{broadcast, watch};

use crate::routes::runs::{Event, Progress};

/// Messages that a listener may be behind before it is cut off.
const BEHIND_MAX: usize = 8_192;
/// How often the store is looked at where nothing tells of a change: other processes on SQLite write too.
const LOOK: Duration = Duration::from_millis(50);
/// The pause after events were handed on: what happens meanwhile travels together.
const GATHER: Duration = Duration::from_millis(20);
/// How often lists without events of their own are compared.
const COMPARE: Duration = Duration::from_secs(1);
/// The pause after the store could not be read.
const PAUSE: Duration = Duration::from_secs(1);

/// What is heard.
#[derive(Debug, Clone)]
pub struct Message {
    /// The event's number; none for what has none.
    pub id: Option<i64>,
    /// What it is about.
    pub about: About,
    /// The message, JSON.
    pub text: Utf8Bytes,
}

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum About {
    /// A run as a whole.
    Run(i64),
    /// A task of a run.
    Task(i64),
    /// The list of pipelines.
    Pipelines,
    /// The list of workers.
    Workers,
    /// How far a sync of a run is.
    Progress(i64),
}

/// Hands messages to listeners. At work while there are any.
pub struct Hub {
    sender: broadcast::Sender<Arc<Message>>,
    last: watch::Sender<i64>,
    is_running: Mutex<bool>,
}

impl Default for Hub {
    fn default() -> Self {
        let (sender, last) = (broadcast::Sender::new(BEHIND_MAX), watch::Sender::new(-1));
        Self { sender, last, is_running: Mutex::new(false) }
    }
}

impl Hub {
    /// All messages from now on, and the number of the last event before them.
    ///
    /// # Errors
    /// As the store has them.
    pub async fn listen(self: &Arc<Self>, store: &Store) -> Result<(broadcast::Receiver<Arc<Message>>, i64)> {
        let receiver = self.sender.subscribe();
        let is_first = !std::mem::replace(&mut *self.is_running.lock().unwrap_or_else(PoisonError::into_inner), true);
        if is_first {
            self.last.send_replace(-1);
            tokio::spawn(self.clone().work(store.clone()));
        }
        let mut last = self.last.subscribe();
        // the hub lives as long as the sender
        let last = last.wait_for(|last| *last >= 0).await.map(|last| *last);
        Ok((receiver, last.unwrap_or_default()))
    }

    /// Follows the store until nobody listens.
    async fn work(self: Arc<Self>, store: Store) {
        let mut feed = loop {
            match store.last_event().await {
                Ok(last) => break Feed::after(last),
                Err(error) => tracing::warn!("live events wait for the metadata store: {error}"),
            }
            tokio::time::sleep(PAUSE).await;
        };
        self.last.send_replace(feed.last());
        let mut signals = [Signal::Work, Signal::Due, Signal::Stop, Signal::End].map(|signal| store.watch(signal));
        let (mut lists, mut told, mut compared_at) = (Lists::default(), Told::default(), tokio::time::Instant::now());
        loop {
            if self.is_unheard() {
                return;
            }
            let is_busy = match self.look(&store, &mut feed).await {
                Ok(is_busy) => is_busy,
                Err(error) => {
                    tracing::warn!("live events wait for the metadata store: {error}");
                    tokio::time::sleep(PAUSE).await;
                    false
                }
            };
            if compared_at.elapsed() >= COMPARE {
                compared_at = tokio::time::Instant::now();
                for about in lists.changes(&store).await.unwrap_or_default() {
                    self.say(None, about, &json!({ "kind": about.kind() }).to_string());
                }
                for told in told.news(&store).await.unwrap_or_default() {
                    let about = About::Progress(told.run.0);
                    let (task_run, progress) = (told.task_run, Progress::of(&told));
                    let text = json!({ "kind": about.kind(), "run": told.run, "task_run": task_run,
                        "task": told.task, "progress": progress });
                    self.say(None, about, &text.to_string());
                }
            }
            if is_busy {
                tokio::time::sleep(GATHER).await;
            } else {
                let [work, due, stop, end] = &mut signals;
                tokio::select! {
                    _ = work.changed() => {}
                    _ = due.changed() => {}
                    _ = stop.changed() => {}
                    _ = end.changed() => {}
                    () = tokio::time::sleep(LOOK) => {}
                }
            }
        }
    }

    /// Hands on what is new. Answers whether there was anything.
    async fn look(&self, store: &Store, feed: &mut Feed) -> Result<bool> {
        let events = feed.next(store).await?;
        for event in &events {
            let message = message(event);
            self.say(message.id, message.about, &message.text);
        }
        self.last.send_replace(feed.last());
        Ok(!events.is_empty())
    }

    fn say(&self, id: Option<i64>, about: About, text: &str) {
        // fails only where nobody listens
        let _ = self.sender.send(Arc::new(Message { id, about, text: text.into() }));
    }

    /// Whether nobody listens; then the next one to listen starts the hub anew.
    fn is_unheard(&self) -> bool {
        let mut is_running = self.is_running.lock().unwrap_or_else(PoisonError::into_inner);
        *is_running = self.sender.receiver_count() > 0;
        !*is_running
    }
}

/// An event as a message.
pub fn message(event: &LiveEvent) -> Message {
    let (run, id) = (event.run.0, event.happening.id);
    let about = if event.happening.task_run.is_some() { About::Task(run) } else { About::Run(run) };
    let (pipeline, task) = (event.pipeline.clone(), event.task.clone());
    let event = Event::from(event.happening.clone());
    let text =
        json!({ "kind": about.kind(), "id": id, "run": run, "pipeline": pipeline, "task": task, "event": event });
    Message { id: Some(id), about, text: text.to_string().into() }
}

impl About {
    /// The word for it in messages.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Run(_) => "run",
            Self::Task(_) => "task",
            Self::Pipelines => "pipelines",
            Self::Workers => "workers",
            Self::Progress(_) => "progress",
        }
    }
}

/// When task runs told last how far they are.
#[derive(Default)]
struct Told(HashMap<TaskRunId, Timestamp>);

impl Told {
    /// What was told since the last look.
    async fn news(&mut self, store: &Store) -> Result<Vec<TaskProgress>> {
        let mut found = store.progress(None).await?;
        let now = found.iter().map(|told| (told.task_run, told.at)).collect();
        let before = std::mem::replace(&mut self.0, now);
        found.retain(|told| before.get(&told.task_run) != Some(&told.at));
        Ok(found)
    }
}

/// Lists that have no events: they are compared with what they were.
#[derive(Default)]
struct Lists {
    pipelines: Option<u64>,
    workers: Option<u64>,
}

impl Lists {
    async fn changes(&mut self, store: &Store) -> Result<Vec<About>> {
        let mut hash = DefaultHasher::new();
        for pipeline in store.pipelines().await? {
            (pipeline.name, pipeline.document, pipeline.is_paused, pipeline.next_at).hash(&mut hash);
        }
        let pipelines = self.pipelines.replace(hash.finish()).is_some_and(|before| before != hash.finish());
        let mut hash = DefaultHasher::new();
        for worker in store.workers().await? {
            (worker.id, worker.state).hash(&mut hash);
        }
        let workers = self.workers.replace(hash.finish()).is_some_and(|before| before != hash.finish());
        let changes = [(pipelines, About::Pipelines), (workers, About::Workers)];
        Ok(changes.into_iter().filter(|(is_changed, _)| *is_changed).map(|(_, about)| about).collect())
    }
}
