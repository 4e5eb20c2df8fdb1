//! One thread with one connection, and a queue of work for it. The thread that writes takes all who wait into one
//! transaction, so that they share one durable commit (group commit).

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use levada_core::error::{Error, ErrorKind, Result};
use tokio::sync::{mpsc, oneshot};

use super::job::{Call, Job, Joint, add, copy};
use super::{Commits, Connection, Location, Memory, RunCounts, Signals, Tx, closed, postgres, sqlite};

/// Most work in one transaction.
const GROUP_MAX: usize = 512;
/// Most work that waits; who comes then waits to be allowed to wait.
const QUEUE_MAX: usize = 4_096;
/// How long a lost connection or a refused transaction is tried again.
const RETRY_LIMIT: Duration = Duration::from_secs(30);
/// The first pause between such attempts, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));
/// How often other processes are looked for, where the database does not tell.
const LOOK: Duration = Duration::from_millis(200);

/// The way to a thread with a connection.
pub(super) struct Queue {
    jobs: mpsc::Sender<Box<dyn Job>>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    commits: AtomicU64,
    jobs: AtomicU64,
    statements: AtomicU64,
    trips: AtomicU64,
    runs: Mutex<RunCounts>,
}

impl Queue {
    /// A thread that writes.
    pub(super) async fn writer(location: Location, signals: Arc<Signals>) -> Result<Self> {
        Self::start(location, Some(signals)).await
    }

    /// A thread that reads.
    pub(super) async fn reader(location: Location) -> Result<Self> {
        Self::start(location, None).await
    }

    async fn start(location: Location, signals: Option<Arc<Signals>>) -> Result<Self> {
        let (jobs, inbox) = mpsc::channel(QUEUE_MAX);
        let (opened, is_open) = oneshot::channel();
        let counts = Arc::new(Counts::default());
        let shared = counts.clone();
        let name = if signals.is_some() { "store-writer" } else { "store-reader" };
        let thread = std::thread::Builder::new().name(name.to_owned());
        thread.spawn(move || serve(location, inbox, signals, &shared, opened)).map_err(Error::from)?;
        is_open.await.map_err(|_| closed())??;
        Ok(Self { jobs, counts })
    }

    /// Waits for its turn, does the work, and answers when it is durable.
    pub(super) async fn call<T, F>(&self, work: F, is_apart: bool) -> Result<T>
    where
        T: Send + 'static,
        F: AsyncFnMut(&mut Tx) -> Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.send(Box::new(Call::new(work, is_apart, reply)), answer).await
    }

    /// The same for work that is done for all at once who wait for it.
    pub(super) async fn join<I, T, F>(&self, item: I, work: F) -> Result<T>
    where
        I: Send + 'static,
        T: Send + 'static,
        F: AsyncFn(&mut Tx, &[I]) -> Result<Vec<T>> + Copy + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.send(Box::new(Joint::new(work, item, reply)), answer).await
    }

    async fn send<T>(&self, job: Box<dyn Job>, answer: oneshot::Receiver<Result<T>>) -> Result<T> {
        self.jobs.send(job).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    pub(super) fn run_counts(&self) -> RunCounts {
        *self.counts.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn commits(&self) -> Commits {
        Commits {
            commits: self.counts.commits.load(Relaxed),
            jobs: self.counts.jobs.load(Relaxed),
            statements: self.counts.statements.load(Relaxed),
            trips: self.counts.trips.load(Relaxed),
        }
    }
}

/// The life of the thread: opens the connection, then works until every way to it is gone.
fn serve(
    location: Location,
    inbox: mpsc::Receiver<Box<dyn Job>>,
    signals: Option<Arc<Signals>>,
    counts: &Counts,
    opened: oneshot::Sender<Result<()>>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return drop(opened.send(Err(error.into()))),
    };
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&runtime, async {
        match connect(&location, signals.as_deref()).await {
            Ok(connection) => {
                let _ = opened.send(Ok(()));
                Worker { location, tx: Tx::new(connection), signals, counts }.work(inbox).await;
            }
            Err(error) => drop(opened.send(Err(error))),
        }
    });
}

/// Connects; who writes has signals to give.
async fn connect(location: &Location, signals: Option<&Signals>) -> Result<Connection> {
    Ok(match location {
        Location::File(path) => Connection::Sqlite(sqlite::Connection::open(path, signals.is_some())?),
        Location::Url(url) => {
            let connection = postgres::Connection::open(url).await?;
            if let Some(signals) = signals {
                signals.own.store(connection.process().await?, Relaxed);
            }
            Connection::Postgres(Box::new(connection))
        }
    })
}

struct Worker<'a> {
    location: Location,
    tx: Tx,
    signals: Option<Arc<Signals>>,
    counts: &'a Counts,
}

impl Worker<'_> {
    async fn work(mut self, mut inbox: mpsc::Receiver<Box<dyn Job>>) {
        let mut looked = Instant::now();
        let mut next: Option<Box<dyn Job>> = None;
        loop {
            let first = match next.take() {
                Some(job) => Some(job),
                None => match tokio::time::timeout(LOOK, inbox.recv()).await {
                    Ok(Some(job)) => Some(job),
                    Ok(None) => return,
                    Err(_) => None,
                },
            };
            if let Some(first) = first {
                let limit = if self.signals.is_some() { GROUP_MAX } else { 1 };
                let is_apart = first.is_apart();
                let (mut group, mut size) = (vec![first], 1);
                while size < limit
                    && let Ok(job) = inbox.try_recv()
                {
                    if job.is_apart() != is_apart {
                        next = Some(job);
                        break;
                    }
                    size += 1;
                    add(&mut group, job);
                }
                self.group(group).await;
            }
            if looked.elapsed() >= LOOK {
                looked = Instant::now();
                self.look();
            }
        }
    }

    /// Commits of other processes wake whoever waits here.
    fn look(&mut self) {
        if let (Some(signals), Connection::Sqlite(connection)) = (&self.signals, &mut self.tx.connection)
            && connection.changed_elsewhere()
        {
            signals.send_all();
        }
    }

    /// All in one transaction. Where one fails, it gets a transaction of its own, as those before and after it get one, so
    /// that nobody fails for the sake of another.
    async fn group(&mut self, jobs: Vec<Box<dyn Job>>) {
        let mut groups = vec![jobs];
        while let Some(mut jobs) = groups.pop() {
            match self.transaction(&mut jobs).await {
                Ok(()) => jobs.into_iter().for_each(|job| job.answer(Ok(()))),
                // what became of them is not known, and nothing more can be done
                Err(Failure { error, is_lost: true, .. }) => {
                    let place = "the metadata store";
                    jobs.into_iter().for_each(|job| job.answer(Err(copy(&error).at(place))));
                }
                Err(Failure { error, .. }) if jobs.len() == 1 => {
                    // what has not passed by now does not pass for half of them either
                    let is_last = error.kind().policy().retry;
                    let mut parts: Vec<_> = match is_last {
                        true => jobs,
                        false => jobs.into_iter().flat_map(Job::halves).collect(),
                    };
                    if parts.len() == 1 || is_last {
                        parts.drain(..).for_each(|job| job.answer(Err(copy(&error))));
                    }
                    groups.extend(parts.into_iter().rev().map(|job| vec![job]));
                }
                // the commit itself: nobody knows whose fault it is
                Err(Failure { job: None, .. }) => groups.extend(jobs.into_iter().rev().map(|job| vec![job])),
                Err(Failure { job: Some(place), .. }) => {
                    let after = jobs.split_off(place + 1);
                    let failed = jobs.split_off(place);
                    groups.extend([after, failed, jobs].into_iter().filter(|group| !group.is_empty()));
                }
            }
        }
    }

    /// One transaction, tried again while the reason may pass.
    async fn transaction(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<(), Failure> {
        let (start, mut pause) = (Instant::now(), PAUSE.0);
        loop {
            self.tx.signals.clear();
            self.tx.runs = RunCounts::default();
            let Err(failure) = self.attempt(jobs).await else { break };
            let error = &failure.error;
            // what was read may never have been
            self.tx.memory = Memory::default();
            let lost = self.tx.rollback().await.is_err() || error.kind() == ErrorKind::Connect;
            let passes = error.kind().policy().retry;
            if !passes || start.elapsed() > RETRY_LIMIT {
                return Err(failure);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE.1);
            let is_kept = if lost { self.reconnect_until(start + RETRY_LIMIT).await } else { Some(false) };
            match is_kept {
                Some(true) => break,
                Some(false) => {}
                None => return Err(Failure { is_lost: true, ..failure }),
            }
        }
        if let Some(signals) = &self.signals {
            self.counts.commits.fetch_add(1, Relaxed);
            let calls: usize = jobs.iter().map(|job| job.size()).sum();
            self.counts.jobs.fetch_add(calls as u64, Relaxed);
            self.counts.statements.store(self.tx.statements, Relaxed);
            self.counts.trips.fetch_add(self.tx.take_trips(), Relaxed);
            self.counts.runs.lock().unwrap_or_else(PoisonError::into_inner).add(self.tx.runs);
            self.tx.signals.iter().for_each(|signal| signals.send(*signal));
        }
        Ok(())
    }

    /// The transaction may not be tried again before it is known what became of it.
    async fn reconnect_until(&mut self, end: Instant) -> Option<bool> {
        loop {
            if let Ok(is_kept) = self.reconnect().await {
                return Some(is_kept);
            }
            if Instant::now() > end {
                return None;
            }
            tokio::time::sleep(PAUSE.1).await;
        }
    }

    /// Connects anew. Answers whether the transaction was committed after all, and only the answer was lost.
    async fn reconnect(&mut self) -> Result<bool> {
        let doubt = match &self.tx.connection {
            Connection::Sqlite(_) => None,
            Connection::Postgres(connection) => connection.doubt(),
        };
        let mut connection = connect(&self.location, self.signals.as_deref()).await?;
        let committed = match (doubt, &mut connection) {
            (Some(number), Connection::Postgres(connection)) => connection.was_committed(number).await?,
            _ => false,
        };
        self.tx.connection = connection;
        Ok(committed)
    }

    async fn attempt(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<(), Failure> {
        let failure = |error, job| Failure { error, job, is_lost: false };
        self.tx.begin(self.signals.is_some()).await.map_err(|error| failure(error, None))?;
        for (place, job) in jobs.iter_mut().enumerate() {
            job.run(&mut self.tx).await.map_err(|error| failure(error, Some(place)))?;
        }
        self.tx.commit().await.map_err(|error| failure(error, None))
    }
}

/// Why a transaction failed.
struct Failure {
    error: Error,
    /// The job in which that showed, if it was one.
    job: Option<usize>,
    /// Whether the connection was lost, and could not be made anew in time.
    is_lost: bool,
}

impl Tx {
    async fn begin(&mut self, writes: bool) -> Result<()> {
        self.has_failed = false;
        match &mut self.connection {
            Connection::Sqlite(connection) => connection.begin(writes),
            Connection::Postgres(connection) => {
                connection.begin(writes);
                Ok(())
            }
        }
    }

    /// PostgreSQL answers COMMIT with success where a statement failed before, and rolls back.
    async fn commit(&mut self) -> Result<()> {
        if self.has_failed {
            return Err(Error::new(ErrorKind::Internal, "work on the metadata went on after a statement had failed"));
        }
        match &mut self.connection {
            Connection::Sqlite(connection) => connection.commit(),
            Connection::Postgres(connection) => connection.commit(&self.signals).await,
        }
    }

    async fn rollback(&mut self) -> Result<()> {
        match &mut self.connection {
            Connection::Sqlite(connection) => connection.rollback(),
            Connection::Postgres(connection) => connection.rollback().await,
        }
    }
}
