//! Tells others of runs, as OpenLineage events: turns the history into events that wait in the store ([`collect`]), and brings
//! them to each receiver ([`send`]) until it has taken them. A receiver that is gone costs a look now and then, and nobody waits
//! for it.

mod collect;
mod event;
mod send;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use levada_core::config::{File, Lineage, LineageDocument, LineageNames, Project, Variables, secret_names};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::time::{Clock, Timestamp};
use levada_store::{Feed, Pending, Receiver, Signal, Store};
use tokio_util::sync::CancellationToken;

use super::doors_here;
use super::execute::{Env, Secrets, first};
use crate::network::Network;
use send::Taken;

/// How long a receiver is held; whoever died with one in hand keeps it from others that long.
const HOLD: Duration = Duration::from_secs(30);
/// How long a receiver is told at once, before others may.
const WORK: Duration = Duration::from_secs(15);
/// The pause between two looks at the history.
const LOOK: Duration = Duration::from_secs(2);
/// The pause where nobody is to be told.
const IDLE: Duration = Duration::from_secs(10);
/// Events that are taken out of the store at once.
const BATCH: usize = 20;
/// The first pause after a failure, which doubles with each.
const PAUSE_MIN: Duration = Duration::from_secs(2);
/// The longest pause after failures.
const PAUSE_MAX: Duration = Duration::from_secs(300);
/// Characters of a failure that are kept.
const ERROR_CHARS_MAX: usize = 500;

/// The receiver that events are posted to.
const HTTP: &str = "http";

/// Tells others of runs.
pub struct Telling {
    store: Store,
    clock: Arc<dyn Clock>,
    env: Env,
    secrets: Secrets,
    network: Arc<Network>,
    data: PathBuf,
    /// What the version of the project says that was read last.
    said: Mutex<Option<(i64, Arc<Said>)>>,
    /// Where the history is read on, by receiver.
    feeds: Mutex<HashMap<String, Feed>>,
    /// The receivers that are held now, with until when.
    held: Mutex<BTreeMap<String, Timestamp>>,
}

/// What a project says of those who are told.
#[derive(Default)]
struct Said {
    project: Option<String>,
    lineage: Option<Lineage>,
    /// Names of secrets that the document mentions.
    secrets: Vec<String>,
}

/// What one look brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Round {
    /// There is more to tell at once.
    Again,
    /// There is nothing to tell before this pause is over, unless something happens.
    Pause(Duration),
}

impl Telling {
    /// Of the history in a store, by the project that is applied there. Files lie in the data folder.
    pub fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        (env, secrets): (Env, Secrets),
        network: Arc<Network>,
        data: PathBuf,
    ) -> Self {
        Self {
            store,
            clock,
            env,
            secrets,
            network,
            data,
            said: Mutex::default(),
            feeds: Mutex::default(),
            held: Mutex::default(),
        }
    }

    /// Tells until it is stopped.
    pub async fn run(&self, stop: CancellationToken) {
        let mut ended = self.store.watch(Signal::End);
        loop {
            let round = tokio::select! {
                () = stop.cancelled() => break,
                round = self.round() => round,
            };
            let pause = match round {
                Ok(Round::Again) => Duration::ZERO,
                Ok(Round::Pause(pause)) => pause,
                Err(error) => {
                    tracing::warn!("nobody can be told of runs: {error}");
                    IDLE
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(pause) => {}
                _ = ended.changed() => {}
            }
        }
        self.give_back().await;
    }

    /// One look at the history and at what waits, for every receiver.
    ///
    /// # Errors
    /// Those of the store, and `Config` for a project that cannot be read. What fails at a receiver is kept with it.
    pub async fn round(&self) -> Result<Round> {
        let said = self.said().await?;
        let receivers = self.store.receivers().await?;
        let wanted = match &said.lineage {
            Some(lineage) => lineage.receivers(),
            None => Vec::new(),
        };
        if receivers.iter().any(|receiver| !wanted.contains(&receiver.name.as_str())) {
            self.store.keep_receivers(wanted.iter().map(|name| (*name).to_owned()).collect()).await?;
        }
        let Some(lineage) = said.lineage.as_ref().filter(|_| !wanted.is_empty()) else { return Ok(Round::Pause(IDLE)) };
        let newest = self.store.last_event().await?;
        let mut next = Round::Pause(LOOK);
        for name in wanted {
            let now = self.clock.now();
            let known = receivers.iter().find(|receiver| receiver.name == name);
            let is_due = |known: &Receiver| known.last_event < newest || (known.pending > 0 && known.next_at <= now);
            if known.is_some_and(|known| !is_due(known)) {
                continue;
            }
            let until = now.plus(HOLD);
            let Some(receiver) = self.store.hold_receiver(name.to_owned(), now, until).await? else { continue };
            self.held().insert(name.to_owned(), until);
            let told = self.tell(&said, lineage, receiver).await;
            self.give_back().await;
            if told? {
                next = Round::Again;
            }
        }
        Ok(next)
    }

    /// Turns the history into events for a receiver that is held, and tells it. Answers whether there is more.
    async fn tell(&self, said: &Said, lineage: &Lineage, receiver: Receiver) -> Result<bool> {
        let (name, until) = (receiver.name.clone(), self.clock.now().plus(WORK));
        let has_more = self.collect(said, lineage, &receiver, until).await?;
        if receiver.next_at > self.clock.now() {
            return Ok(has_more);
        }
        let settings = match self.settings(said, lineage).await {
            Ok(settings) => settings,
            Err(error) => return self.failed(&receiver, &error).await.map(|()| false),
        };
        while self.clock.now() < until {
            let batch = self.store.pending_events(name.clone(), BATCH).await?;
            if batch.is_empty() {
                return Ok(has_more);
            }
            let (told, refused, failure) = match name.as_str() {
                HTTP => self.post(&settings, batch, until).await,
                _ => self.append(&settings, batch).await,
            };
            if !told.is_empty() {
                self.store.events_told(name.clone(), told, refused).await?;
            }
            if let Some(error) = failure {
                return self.failed(&receiver, &error).await.map(|()| false);
            }
            if !self.hold_on(&name).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Keeps what happened since the last look as events. Answers whether there is more.
    async fn collect(&self, said: &Said, lineage: &Lineage, receiver: &Receiver, until: Timestamp) -> Result<bool> {
        let name = receiver.name.clone();
        let known = self.feeds().remove(&name).filter(|feed| feed.last() == receiver.last_event);
        let mut feed = known.unwrap_or_else(|| Feed::after(receiver.last_event));
        let names = self.names(said, lineage)?;
        let has_more = loop {
            let from = feed.last();
            let found = feed.next(&self.store).await?;
            if found.is_empty() {
                break false;
            }
            let events = collect::events(&self.store, &names, &found).await?;
            match self.store.keep_events(name.clone(), from, feed.last(), events).await? {
                // somebody else holds it
                None => return Ok(false),
                Some(0) => {}
                Some(dropped) => tracing::warn!(
                    "{dropped} events for the lineage receiver `{name}` were dropped: it has not taken any for too long"
                ),
            }
            if self.clock.now() >= until {
                break true;
            }
            if !self.hold_on(&name).await? {
                return Ok(false);
            }
        };
        self.feeds().insert(name, feed);
        Ok(has_more)
    }

    /// Posts events one after the other. Gives those that need not be posted again, how many of them were refused, and why the
    /// next one could not be posted.
    async fn post(
        &self,
        settings: &LineageDocument,
        batch: Vec<Pending>,
        until: Timestamp,
    ) -> (Vec<i64>, u64, Option<Error>) {
        let (mut told, mut refused) = (Vec::new(), 0);
        let Some(http) = &settings.http else { return (told, refused, None) };
        // no event goes to a server of this store
        match doors_here(&self.store).await {
            Ok(ports) => self.network.others_answer_at(ports),
            Err(error) => return (told, refused, Some(error)),
        }
        for Pending { id, event } in batch {
            match send::post(&self.network, http, event).await {
                Ok(Taken::Yes) => told.push(id),
                Ok(Taken::Never(status)) => {
                    tracing::warn!("the lineage receiver refused an event with status {status}: it is not sent again");
                    told.push(id);
                    refused += 1;
                }
                Err(error) => return (told, refused, Some(error)),
            }
            if self.clock.now() >= until {
                break;
            }
        }
        (told, refused, None)
    }

    async fn append(&self, settings: &LineageDocument, batch: Vec<Pending>) -> (Vec<i64>, u64, Option<Error>) {
        let Some(file) = &settings.file else { return (Vec::new(), 0, None) };
        let (ids, events) = batch.into_iter().map(|pending| (pending.id, pending.event)).unzip();
        match send::append(&self.data, file, events).await {
            Ok(()) => (ids, 0, None),
            Err(error) => (Vec::new(), 0, Some(error)),
        }
    }

    async fn failed(&self, receiver: &Receiver, error: &Error) -> Result<()> {
        let pause = PAUSE_MIN.saturating_mul(1 << receiver.failures.min(8)).min(PAUSE_MAX);
        let text: String = error.to_string().replace('\0', " ").chars().take(ERROR_CHARS_MAX).collect();
        tracing::warn!("the lineage receiver `{}` is tried again in {} s: {text}", receiver.name, pause.as_secs());
        self.store.not_told(receiver.name.clone(), text, self.clock.now().plus(pause)).await
    }

    /// Holds a receiver for longer. Answers whether it was still held.
    async fn hold_on(&self, name: &str) -> Result<bool> {
        let Some(held) = self.held().get(name).copied() else { return Ok(false) };
        let until = self.clock.now().plus(HOLD);
        if until <= held {
            return Ok(true);
        }
        let is_held = self.store.hold_on(name.to_owned(), held, until).await?;
        match is_held {
            true => self.held().insert(name.to_owned(), until),
            false => self.held().remove(name),
        };
        Ok(is_held)
    }

    /// Lets others have what is held.
    async fn give_back(&self) {
        let held = std::mem::take(&mut *self.held());
        for (name, until) in held {
            // who cannot give it back holds it for a while longer
            if let Err(error) = self.store.hold_on(name, until, Timestamp::default()).await {
                tracing::debug!("a lineage receiver is not given back: {error}");
            }
        }
    }

    /// What the project says that is applied.
    async fn said(&self) -> Result<Arc<Said>> {
        let Some(document) = self.store.current_project().await? else { return Ok(Arc::default()) };
        let known = self.said.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((id, said)) = known
            && id == document.id
        {
            return Ok(said);
        }
        let file = File::parse(&document.path, &document.text).map_err(first)?;
        let project = Project::of([&file]);
        let secrets = secret_names(&document.text).map(str::to_owned).collect();
        let said = Arc::new(Said { project: project.name, lineage: project.lineage, secrets });
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = Some((document.id, said.clone()));
        Ok(said)
    }

    fn names(&self, said: &Said, lineage: &Lineage) -> Result<LineageNames> {
        let (env, secret) = (|name: &str| (self.env)(name), |_: &str| Ok(None));
        let variables = Variables { env: &env, secret: &secret, params: BTreeMap::new(), runtime: None };
        lineage.names(said.project.as_deref(), &variables).map_err(first)
    }

    /// Who is to be told, with secrets as they are now.
    async fn settings(&self, said: &Said, lineage: &Lineage) -> Result<LineageDocument> {
        let mut values = BTreeMap::new();
        for name in said.secrets.iter().filter(|name| lineage.mentions(name)) {
            let value = (self.secrets)(name.clone()).await?;
            values.extend(value.map(|value| (name.clone(), value)));
        }
        let (env, secret) = (|name: &str| (self.env)(name), |name: &str| Ok(values.get(name).cloned()));
        let variables = Variables { env: &env, secret: &secret, params: BTreeMap::new(), runtime: None };
        let settings = lineage.settings(&variables).map_err(first)?;
        let is_told = settings.http.is_some() || settings.file.is_some();
        is_told.then_some(settings).ok_or_else(|| Error::new(ErrorKind::Config, "nobody is told of lineage"))
    }

    fn feeds(&self) -> std::sync::MutexGuard<'_, HashMap<String, Feed>> {
        self.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Timestamp>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
