//! One way to talk to two databases: statements with `$1` parameters and a small set of values, inside transactions that
//! a writer shares among all who wait. Knows nothing of what is stored.

mod job;
mod moment;
mod postgres;
mod sqlite;
mod tls;
mod tx;
mod value;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64};

use levada_core::error::{Error, ErrorKind, Result};
use tokio::sync::watch;

pub use moment::Moment;
use moment::Moments;
pub(crate) use postgres::schema;
pub(crate) use sqlite::copy as copy_file;
pub(crate) use tx::Memory;
pub use tx::{Ask, Column, Tx, list, placeholders};
pub use value::{Row, Value};
use writer::Queue;

/// Where the metadata lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A SQLite file.
    File(std::path::PathBuf),
    /// A PostgreSQL database; its URL can hold a password.
    Url(levada_core::secret::Secret),
}

impl Location {
    /// Where it is, without user and password.
    ///
    /// # Errors
    /// `Config` where a URL cannot be read.
    pub fn place(&self) -> Result<String> {
        match self {
            Self::File(path) => Ok(path.display().to_string()),
            Self::Url(url) => postgres::place(url),
        }
    }
}

/// The two kinds of database, where a statement has to differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// What a commit changed, for those who wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Task runs may have become ready.
    Work,
    /// Fires, waits or backfills may be due earlier than thought.
    Due,
    /// Task runs that are at work are to stop.
    Stop,
    /// A run ended.
    End,
}

/// An open database: one thread that writes, and some that read.
pub struct Db {
    dialect: Dialect,
    writer: Queue,
    readers: Vec<Queue>,
    next_reader: AtomicU64,
    signals: Arc<Signals>,
    moments: Moments,
}

/// Counts commits of each signal, here and in other processes.
#[derive(Default)]
pub struct Signals {
    work: watch::Sender<u64>,
    due: watch::Sender<u64>,
    stop: watch::Sender<u64>,
    end: watch::Sender<u64>,
    /// The process of the PostgreSQL server that serves the writer here: what it tells others is known already.
    own: AtomicI32,
}

/// How much was written, in how many commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Commits {
    /// Durable commits.
    pub commits: u64,
    /// Jobs that shared them.
    pub jobs: u64,
    /// Statements that these ran.
    pub statements: u64,
    /// How often they waited for an answer of PostgreSQL.
    pub trips: u64,
}

/// What became of runs by what this process wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunCounts {
    /// Runs of which a task was started.
    pub started: u64,
    /// Runs that succeeded.
    pub succeeded: u64,
    /// Runs that failed.
    pub failed: u64,
    /// Runs that were cancelled.
    pub cancelled: u64,
    /// Microseconds for which runs that ended had waited for their first task to start.
    pub wait_us: u64,
    /// Microseconds from there to their ends.
    pub run_us: u64,
}

impl RunCounts {
    pub(super) fn add(&mut self, other: Self) {
        self.started += other.started;
        self.succeeded += other.succeeded;
        self.failed += other.failed;
        self.cancelled += other.cancelled;
        self.wait_us += other.wait_us;
        self.run_us += other.run_us;
    }
}

enum Connection {
    Sqlite(sqlite::Connection),
    Postgres(Box<postgres::Connection>),
}

impl Db {
    /// Opens a database with some readers.
    ///
    /// # Errors
    /// `Connect`, `Auth`, `Io`, .. as the database has it.
    pub async fn open(location: &Location, readers: usize) -> Result<Self> {
        let signals = Arc::new(Signals::default());
        let dialect = match location {
            Location::File(_) => Dialect::Sqlite,
            Location::Url(_) => Dialect::Postgres,
        };
        let writer = Queue::writer(location.clone(), signals.clone()).await?;
        let mut pool = Vec::new();
        for _ in 0..readers.max(1) {
            pool.push(Queue::reader(location.clone()).await?);
        }
        if let Location::Url(url) = location {
            postgres::listen(url.clone(), Arc::downgrade(&signals))?;
        }
        Ok(Self {
            dialect,
            writer,
            readers: pool,
            next_reader: AtomicU64::new(0),
            signals,
            moments: Moments::of(location),
        })
    }

    /// Which database it is.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Does work in a transaction and answers when it is durable. The transaction is shared with others who wait, and
    /// work can be done again from the start where the database asks for it: it must have no effect elsewhere. If it
    /// answers with an error, nothing of it stays.
    ///
    /// # Errors
    /// Those of the work, and of the commit.
    pub async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: AsyncFnMut(&mut Tx) -> Result<T> + Send + 'static,
    {
        self.writer.call(work, false).await
    }

    /// Does work as [`Db::write`] does, but in a transaction that it shares with its like only. For work that waits for
    /// what another process holds: it must hold nothing itself that the other may wait for.
    ///
    /// # Errors
    /// As of [`Db::write`].
    pub async fn write_apart<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: AsyncFnMut(&mut Tx) -> Result<T> + Send + 'static,
    {
        self.writer.call(work, true).await
    }

    /// The same for work that many ask for: it is done for all at once who are in one transaction. The work must hold
    /// nothing itself, and give as many outcomes as there were items. Where it fails, nobody fails for the sake of another.
    ///
    /// # Errors
    /// Those of the work, and of the commit.
    pub async fn write_together<I, T, F>(&self, item: I, work: F) -> Result<T>
    where
        I: Send + 'static,
        T: Send + 'static,
        F: AsyncFn(&mut Tx, &[I]) -> Result<Vec<T>> + Copy + Send + 'static,
    {
        const { assert!(size_of::<F>() == 0, "work that is done together holds nothing itself") };
        self.writer.join(item, work).await
    }

    /// Reads, on one snapshot.
    ///
    /// # Errors
    /// Those of the work.
    pub async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: AsyncFnMut(&mut Tx) -> Result<T> + Send + 'static,
    {
        let next = self.next_reader.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let index = usize::try_from(next).unwrap_or(0) % self.readers.len();
        match self.readers.get(index) {
            Some(reader) => reader.call(work, false).await,
            None => Err(closed()),
        }
    }

    /// The state that the database is in; none where that cannot be told now.
    pub async fn moment(&self) -> Option<Moment> {
        self.moments.now().await
    }

    /// Changes whenever a commit with this signal was seen, from here or from another process.
    pub fn watch(&self, signal: Signal) -> watch::Receiver<u64> {
        self.signals.sender(signal).subscribe()
    }

    /// How much was written.
    pub fn commits(&self) -> Commits {
        self.writer.commits()
    }

    /// What became of runs.
    pub fn run_counts(&self) -> RunCounts {
        self.writer.run_counts()
    }
}

impl Signals {
    fn sender(&self, signal: Signal) -> &watch::Sender<u64> {
        match signal {
            Signal::Work => &self.work,
            Signal::Due => &self.due,
            Signal::Stop => &self.stop,
            Signal::End => &self.end,
        }
    }

    fn send(&self, signal: Signal) {
        self.sender(signal).send_modify(|count| *count = count.wrapping_add(1));
    }

    fn send_all(&self) {
        Signal::ALL.into_iter().for_each(|signal| self.send(signal));
    }
}

impl Signal {
    const ALL: [Self; 4] = [Self::Work, Self::Due, Self::Stop, Self::End];

    const fn name(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Due => "due",
            Self::Stop => "stop",
            Self::End => "end",
        }
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Internal, "the metadata store was closed").advise("Start Levada again.")
}
