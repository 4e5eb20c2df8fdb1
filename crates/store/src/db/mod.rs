//! One way to talk to two databases: statements with `$1` parameters and a small set of values, inside transactions that
//! a writer shares among all who wait. Knows nothing of what is stored.

mod postgres;
mod sqlite;
mod tls;
mod value;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64};

use levada_core::error::{Error, ErrorKind, Result};
use tokio::sync::watch;

pub(crate) use postgres::schema;
pub(crate) use sqlite::copy as copy_file;
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

/// An open transaction.
pub struct Tx {
    connection: Connection,
    signals: Vec<Signal>,
    /// Whether a statement failed: what is left of the transaction must never be committed, even if a job went on.
    has_failed: bool,
    /// What becomes of runs in it.
    pub(crate) runs: RunCounts,
    /// How many were run.
    statements: u64,
    /// Which were run, for tests of their plans.
    #[cfg(test)]
    pub(crate) seen: Vec<(String, Vec<Value>)>,
    /// What jobs remember between transactions; only what can never change may be kept here.
    pub(crate) memory: Memory,
}

/// Structures of pipelines by the id of their document, which never changes.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) graphs: std::collections::HashMap<i64, Arc<levada_core::run::Graph>>,
}

enum Connection {
    Sqlite(sqlite::Connection),
    Postgres(Box<postgres::Connection>),
}

/// Most structures of pipelines that a connection remembers.
const GRAPHS_MAX: usize = 1_000;

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
        Ok(Self { dialect, writer, readers: pool, next_reader: AtomicU64::new(0), signals })
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

impl Tx {
    fn new(connection: Connection) -> Self {
        Self {
            connection,
            signals: Vec::new(),
            has_failed: false,
            runs: RunCounts::default(),
            statements: 0,
            #[cfg(test)]
            seen: Vec::new(),
            memory: Memory::default(),
        }
    }

    /// Which database it is.
    pub fn dialect(&self) -> Dialect {
        match self.connection {
            Connection::Sqlite(_) => Dialect::Sqlite,
            Connection::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Tells those who wait for this signal, once the transaction is committed.
    pub fn signal(&mut self, signal: Signal) {
        if !self.signals.contains(&signal) {
            self.signals.push(signal);
        }
    }

    fn count(&mut self, _sql: &str, _values: &[Value]) {
        self.statements += 1;
        #[cfg(test)]
        self.seen.push((_sql.to_owned(), _values.to_vec()));
    }

    /// Runs a statement, and says how many rows it changed.
    pub async fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64> {
        self.count(sql, values);
        let done = match &mut self.connection {
            Connection::Sqlite(connection) => connection.execute(sql, values),
            Connection::Postgres(connection) => connection.execute(sql, values).await,
        };
        self.has_failed |= done.is_err();
        done
    }

    /// Runs a statement of which nothing has to be known; PostgreSQL gets it together with the next one. Its failure is that
    /// of the transaction.
    pub async fn later(&mut self, sql: &str, values: &[Value]) -> Result<()> {
        self.count(sql, values);
        let done = match &mut self.connection {
            Connection::Sqlite(connection) => connection.execute(sql, values).map(drop),
            Connection::Postgres(connection) => connection.later(sql, values).await,
        };
        self.has_failed |= done.is_err();
        done
    }

    /// Runs a statement that gives rows.
    pub async fn rows(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>> {
        self.count(sql, values);
        let done = match &mut self.connection {
            Connection::Sqlite(connection) => connection.rows(sql, values),
            Connection::Postgres(connection) => connection.rows(sql, values).await,
        };
        self.has_failed |= done.is_err();
        done
    }

    /// The first row of a statement, if there is one.
    pub async fn row(&mut self, sql: &str, values: &[Value]) -> Result<Option<Row>> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }

    /// Runs statements without parameters, parted by `;`.
    pub async fn script(&mut self, sql: &str) -> Result<()> {
        let done = match &mut self.connection {
            Connection::Sqlite(connection) => connection.script(sql),
            Connection::Postgres(connection) => connection.script(sql).await,
        };
        self.has_failed |= done.is_err();
        done
    }

    /// What follows a SELECT of rows of a table that this transaction is going to change. SQLite has one writer only.
    pub fn lock(&self, table: &str) -> String {
        match self.dialect() {
            Dialect::Sqlite => String::new(),
            Dialect::Postgres => format!(" FOR UPDATE OF {table}"),
        }
    }

    /// The same, but rows that another transaction is changing are left out.
    pub fn lock_free(&self, table: &str) -> String {
        match self.dialect() {
            Dialect::Sqlite => String::new(),
            Dialect::Postgres => format!(" FOR UPDATE OF {table} SKIP LOCKED"),
        }
    }

    pub(crate) fn remember_graph(&mut self, document: i64, graph: &Arc<levada_core::run::Graph>) {
        if self.memory.graphs.len() >= GRAPHS_MAX {
            self.memory.graphs.clear();
        }
        self.memory.graphs.insert(document, graph.clone());
    }
}

/// `($1, $2), ($3, $4)`: placeholders of several rows, counted from `first`.
pub fn placeholders(rows: usize, columns: usize, first: usize) -> String {
    let row = |row: usize| {
        let cells: Vec<String> = (0..columns).map(|column| format!("${}", first + row * columns + column)).collect();
        format!("({})", cells.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

/// `($3, $4, $5)`: placeholders of a list, counted from `first`; an empty list is one that holds nothing.
pub fn list(length: usize, first: usize) -> String {
    if length == 0 { "(NULL)".to_owned() } else { placeholders(1, length, first) }
}

fn closed() -> Error {
    Error::new(ErrorKind::Internal, "the metadata store was closed").advise("Start Levada again.")
}
