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
use tokio::sync::{Notify, broadcast, watch};

use crate::routes::runs::{Event, Progress};

/// Messages that a listener may be behind before it is cut off.
const BEHIND_MAX: usize = 8_192;
/// How often the store is looked at where nothing tells of a change: other processes on SQLite write too.
const LOOK: Duration = Duration::from_millis(50);
/// The pause after events were handed on: what happens meanwhile travels together.
const GATHER: Duration = Duration::from_millis(20);
/// How often lists without events of their own are compared, and how often at most where somebody changed something.
const COMPARE: Duration = Duration::from_secs(1);
const COMPARE_SOON: Duration = Duration::from_millis(200);
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
    /// That somebody changed something.
    Changes,
    /// The rows of a collection.
    Rows,
    /// How far a sync of a run is.
    Progress(i64),
}

/// Hands messages to listeners. At work while there are any.
pub struct Hub {
    sender: broadcast::Sender<Arc<Message>>,
    last: watch::Sender<i64>,
    is_running: Mutex<bool>,
    changed: Notify,
}

impl Default for Hub {
    fn default() -> Self {
        let (sender, last) = (broadcast::Sender::new(BEHIND_MAX), watch::Sender::new(-1));
        Self { sender, last, is_running: Mutex::new(false), changed: Notify::new() }
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

    /// Tells those who listen at this server that somebody changed something, and compares lists soon. What it was is not
    /// told, because not everybody may know.
    pub fn note_change(&self) {
        self.tell(About::Changes);
        self.changed.notify_one();
    }

    fn tell(&self, about: About) {
        self.say(None, about, &json!({ "kind": about.kind() }).to_string());
    }

    /// Tells those who listen at this server that rows of a collection were added, changed or deleted.
    pub fn tell_rows(&self, collection: &str) {
        let text = json!({ "kind": About::Rows.kind(), "collection": collection });
        self.say(None, About::Rows, &text.to_string());
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
        let mut pause = COMPARE;
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
            if compared_at.elapsed() >= pause {
                (compared_at, pause) = (tokio::time::Instant::now(), COMPARE);
                self.compare(&store, &mut lists).await.unwrap_or_default();
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
                    () = self.changed.notified() => pause = COMPARE_SOON,
                    () = tokio::time::sleep(LOOK) => {}
                }
            }
        }
    }

    /// Tells of lists that are not what they were.
    async fn compare(&self, store: &Store, lists: &mut Lists) -> Result<()> {
        let (documents, fires) = lists.pipelines(store).await?;
        if documents || fires {
            // that a schedule fired changes what comes next, and nothing that was applied
            let text = json!({ "kind": About::Pipelines.kind(), "documents": documents });
            self.say(None, About::Pipelines, &text.to_string());
        }
        if lists.workers(store).await? {
            self.tell(About::Workers);
        }
        Ok(())
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
            Self::Changes => "changes",
            Self::Rows => "rows",
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
    documents: Option<u64>,
    fires: Option<u64>,
    workers: Option<u64>,
}

impl Lists {
    /// Whether the pipelines have changed, and whether the instants at which they fire have.
    async fn pipelines(&mut self, store: &Store) -> Result<(bool, bool)> {
        let (mut documents, mut fires) = (DefaultHasher::new(), DefaultHasher::new());
        for pipeline in store.pipelines().await? {
            (&pipeline.name, pipeline.next_at).hash(&mut fires);
            (pipeline.name, pipeline.document, pipeline.is_paused).hash(&mut documents);
        }
        store.project_document_id().await?.hash(&mut documents);
        Ok((is_other(&mut self.documents, &documents), is_other(&mut self.fires, &fires)))
    }

    /// Whether workers came, went, or stand otherwise.
    async fn workers(&mut self, store: &Store) -> Result<bool> {
        let mut hash = DefaultHasher::new();
        for worker in store.workers().await? {
            (worker.id, worker.state).hash(&mut hash);
        }
        Ok(is_other(&mut self.workers, &hash))
    }
}

/// Whether something is not what it was. What is seen for the first time was not otherwise before.
fn is_other(before: &mut Option<u64>, now: &DefaultHasher) -> bool {
    before.replace(now.finish()).is_some_and(|before| before != now.finish())
}
