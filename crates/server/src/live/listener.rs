//! What one listener hears: its topics, the events since the last that it knows, then whatever comes.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use axum::extract::ws::Utf8Bytes;
use levada_core::error::Result;
use serde_json::json;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, timeout_at};

use super::tail::{LOOK, Tail};
use super::{About, Message, message};
use crate::App;

/// Events that are read again for a listener that comes back; whoever missed more reads the lists anew.
const MISSED_MAX: i64 = 20_000;
/// Events of one page of them.
const PAGE: usize = 1_000;
/// Most topics of one listener.
const TOPICS_MAX: usize = 200;
/// Most logs of one listener.
const TAILS_MAX: usize = 10;

/// Something to listen to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Every run as a whole: `runs`.
    Runs,
    /// A run with its tasks: `run:7`.
    Run(i64),
    /// The list of pipelines: `pipelines`.
    Pipelines,
    /// The list of workers: `workers`.
    Workers,
    /// That somebody changed something: `changes`.
    Changes,
    /// The rows of all collections: `rows`.
    Rows,
    /// How far the syncs of all runs are: `progress`.
    Progress,
    /// The log of a task run as it is written: `logs:7`, or `logs:7@120` from its line 120 on.
    Log(i64, u64),
}

impl Topic {
    /// The topic of a word.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "runs" => Some(Self::Runs),
            "pipelines" => Some(Self::Pipelines),
            "workers" => Some(Self::Workers),
            "changes" => Some(Self::Changes),
            "rows" => Some(Self::Rows),
            "progress" => Some(Self::Progress),
            _ => match word.strip_prefix("logs:") {
                None => word.strip_prefix("run:")?.parse().ok().map(Self::Run),
                Some(log) => {
                    let (task_run, from) = log.split_once('@').unwrap_or((log, "0"));
                    Some(Self::Log(task_run.parse().ok()?, from.parse().ok()?))
                }
            },
        }
    }
}

impl std::fmt::Display for Topic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Runs => f.write_str("runs"),
            Self::Run(run) => write!(f, "run:{run}"),
            Self::Pipelines => f.write_str("pipelines"),
            Self::Workers => f.write_str("workers"),
            Self::Changes => f.write_str("changes"),
            Self::Rows => f.write_str("rows"),
            Self::Progress => f.write_str("progress"),
            Self::Log(task_run, from) => write!(f, "logs:{task_run}@{from}"),
        }
    }
}

/// What a listener hears next.
pub enum Heard {
    /// A message.
    Message(Option<i64>, Utf8Bytes),
    /// It was too slow, or missed too much: it has to read what it shows anew, and can go on from this event.
    Behind(i64),
}

/// One listener.
pub struct Listener {
    app: App,
    topics: BTreeSet<Topic>,
    receiver: broadcast::Receiver<Arc<Message>>,
    /// The last event that it was handed, or that was none of its business.
    last: i64,
    /// Events up to this one are read from the store, because they came before it listened.
    until: i64,
    missed: std::vec::IntoIter<Message>,
    tails: Vec<Tail>,
    lines: VecDeque<Utf8Bytes>,
    looked_at: Instant,
}

impl Listener {
    /// Listens from now on, or from after an event on.
    ///
    /// # Errors
    /// As the store has them.
    pub async fn new(app: &App, after: Option<i64>) -> Result<Self> {
        let (receiver, mut until) = app.hub.listen(&app.store).await?;
        if after.is_some_and(|after| after > until) {
            // another server told more than this one has seen, which is not told again; a number that no event has means nothing
            until = until.max(after.unwrap_or(until).min(app.store.last_event().await?));
        }
        // a number below all events is before the first
        let last = after.unwrap_or(until).clamp(0, until.max(0));
        Ok(Self {
            app: app.clone(),
            topics: BTreeSet::new(),
            receiver,
            last,
            until,
            missed: Vec::new().into_iter(),
            tails: Vec::new(),
            lines: VecDeque::new(),
            looked_at: Instant::now(),
        })
    }

    /// The last event that it knows of.
    pub fn last(&self) -> i64 {
        self.last
    }

    /// Listens to more. Answers whether that is allowed.
    pub fn add(&mut self, topics: impl IntoIterator<Item = Topic>) -> bool {
        for topic in topics {
            match topic {
                Topic::Log(task_run, from) => self.tails.push(Tail::new(task_run, from)),
                topic => drop(self.topics.insert(topic)),
            }
        }
        self.topics.len() <= TOPICS_MAX && self.tails.len() <= TAILS_MAX
    }

    /// Listens to less.
    pub fn remove(&mut self, topics: &[Topic]) {
        self.topics.retain(|topic| !topics.contains(topic));
        let is_meant = |topic: &Topic, tail: &Tail| matches!(topic, Topic::Log(id, _) if *id == tail.task_run);
        self.tails.retain(|tail| !topics.iter().any(|topic| is_meant(topic, tail)));
    }

    /// What it hears next. Nothing is lost if the caller gives up waiting.
    ///
    /// # Errors
    /// As the store has them.
    pub async fn next(&mut self) -> Result<Heard> {
        if self.topics.is_empty() && self.tails.is_empty() {
            // what it missed is kept until it says what it wants to hear
            return std::future::pending().await;
        }
        if self.until - self.last > MISSED_MAX {
            self.last = self.until;
            return Ok(Heard::Behind(self.last));
        }
        loop {
            while let Some(message) = self.missed.next() {
                if let Some(heard) = self.take(&message) {
                    return Ok(heard);
                }
            }
            if self.last >= self.until {
                break;
            }
            let events = self.app.store.events_after(self.last, PAGE).await?;
            let missed: Vec<Message> = events.iter().map(message).filter(|m| m.id <= Some(self.until)).collect();
            if missed.is_empty() {
                self.last = self.until;
            }
            self.missed = missed.into_iter();
        }
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Ok(Heard::Message(None, line));
            }
            let heard = match self.tails.is_empty() {
                true => self.receiver.recv().await,
                false => match timeout_at(self.looked_at + LOOK, self.receiver.recv()).await {
                    Ok(heard) => heard,
                    Err(_) => {
                        self.look().await?;
                        continue;
                    }
                },
            };
            match heard {
                Ok(message) if message.id.is_some_and(|id| id <= self.until) => {}
                Ok(message) => {
                    if let Some(heard) = self.take(&message) {
                        return Ok(heard);
                    }
                }
                Err(RecvError::Lagged(_) | RecvError::Closed) => return Ok(Heard::Behind(self.last)),
            }
        }
    }

    /// Looks for new lines of the logs.
    async fn look(&mut self) -> Result<()> {
        for tail in &mut self.tails {
            self.lines.extend(tail.look(&self.app).await?);
        }
        self.looked_at = Instant::now();
        Ok(())
    }

    fn take(&mut self, message: &Message) -> Option<Heard> {
        self.last = message.id.unwrap_or(self.last);
        let is_wanted = match message.about {
            About::Run(run) => self.topics.contains(&Topic::Runs) || self.topics.contains(&Topic::Run(run)),
            About::Task(run) => self.topics.contains(&Topic::Run(run)),
            About::Pipelines => self.topics.contains(&Topic::Pipelines),
            About::Workers => self.topics.contains(&Topic::Workers),
            About::Changes => self.topics.contains(&Topic::Changes),
            About::Rows => self.topics.contains(&Topic::Rows),
            About::Progress(run) => self.topics.contains(&Topic::Progress) || self.topics.contains(&Topic::Run(run)),
        };
        is_wanted.then(|| Heard::Message(message.id, message.text.clone()))
    }
}

/// What a listener is told first: the last event that it knows of.
pub fn hello(last: i64) -> Utf8Bytes {
    json!({ "kind": "hello", "last": last }).to_string().into()
}

/// That a listener was too slow, or missed too much.
pub fn behind(last: i64) -> Utf8Bytes {
    json!({ "kind": "behind", "last": last }).to_string().into()
}
