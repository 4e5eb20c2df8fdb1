//! Tables served to the data API, the same for every database: reading pages, writing rows with the reason why one is
//! refused, and making tables. A database brings its words and its sessions ([`Database`]).

mod answer;
mod blame;
mod change;
mod database;
mod delete;
mod ensure;
mod list;
mod sql;
mod write;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use levada_core::error::{Context as _, Error, ErrorKind, Result};
use levada_core::rows::{
    Action, Answer, Batch, Cell, Change, Ensured, ListRequest, Loaded, Look, Mode, Page, ReportRequest, Row, Rows,
    Tables, Written,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use self::answer::Builder;
pub use self::database::{Database, Existing, Fault, Insert, Query, Session, Words, fits};

/// Sessions of one connection at once; whoever wants one more waits.
const SESSIONS_MAX: usize = 8;
/// How long to wait for one.
const WAIT_MAX: Duration = Duration::from_secs(15);
/// A session that rested longer is tried before it is used.
const REST_MAX: Duration = Duration::from_secs(5);
/// A session that rested longer is closed.
const IDLE_MAX: Duration = Duration::from_secs(300);
/// Values that go with one statement, at most: SQLite takes 32766, the others twice as many.
pub const PARAMS_MAX: usize = 30_000;

/// The tables of a database.
pub struct Served<D: Database> {
    database: D,
    resting: Mutex<Vec<(D::Session, Instant)>>,
    permits: Arc<Semaphore>,
}

/// A session taken from those that rest. It is closed when it is dropped, and rests again by [`Served::give_back`].
struct Lease<S> {
    session: S,
    _permit: OwnedSemaphorePermit,
}

impl<D: Database> Served<D> {
    /// The tables of a database.
    pub fn new(database: D) -> Self {
        Self { database, resting: Mutex::default(), permits: Arc::new(Semaphore::new(SESSIONS_MAX)) }
    }

    /// A session that nobody else uses.
    async fn lease(&self) -> Result<Lease<D::Session>> {
        let permit = tokio::time::timeout(WAIT_MAX, self.permits.clone().acquire_owned()).await;
        let busy =
            || Error::new(ErrorKind::Busy, "all sessions of the connection are in use").advise("Try again later.");
        let permit = permit.ok().and_then(std::result::Result::ok).ok_or_else(busy)?;
        loop {
            let resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some((mut session, since)) = resting else { break };
            if since.elapsed() < REST_MAX || session.run("SELECT 1").await.is_ok() {
                return Ok(Lease { session, _permit: permit });
            }
        }
        let session = self.database.open().await?;
        Ok(Lease { session, _permit: permit })
    }

    /// Lets a session rest that is in no transaction.
    fn give_back(&self, lease: Lease<D::Session>) {
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        // the last one is taken first, so those that nobody needs rest longest
        resting.retain(|(_, since)| since.elapsed() < IDLE_MAX);
        resting.push((lease.session, Instant::now()));
    }

    /// Forgets the sessions that rest, when one of them turns out to be broken.
    fn forget<T>(&self, result: Result<T>) -> Result<T> {
        if result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Connect) {
            self.resting.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
        result.at(self.database.address())
    }
}

impl<D: Database> Rows for Served<D> {
    fn ensure<'a>(&'a self, tables: &'a Tables) -> BoxFuture<'a, Result<Vec<Ensured>>> {
        Box::pin(async move { self.forget(self.make(tables).await) })
    }

    fn list<'a>(&'a self, tables: &'a Tables, table: &'a str, request: &'a ListRequest) -> BoxFuture<'a, Result<Page>> {
        Box::pin(async move { self.forget(self.page(tables, table, request).await) })
    }

    fn get<'a>(
        &'a self,
        tables: &'a Tables,
        table: &'a str,
        key: &'a Cell,
        look: &'a Look,
    ) -> BoxFuture<'a, Result<Option<Row>>> {
        Box::pin(async move { self.forget(self.one(tables, table, key, look).await) })
    }

    fn write<'a>(&'a self, tables: &'a Tables, table: &'a str, batch: Batch) -> BoxFuture<'a, Result<Written>> {
        Box::pin(async move { self.forget(self.write_batch(tables, table, batch).await) })
    }

    fn load<'a>(
        &'a self,
        tables: &'a Tables,
        table: &'a str,
        action: Action,
        mode: Mode,
        batches: BoxStream<'a, Result<Vec<Change>>>,
    ) -> BoxFuture<'a, Result<Loaded>> {
        Box::pin(async move { self.forget(self.load_batches(tables, table, action, mode, batches).await) })
    }

    fn report<'a>(&'a self, report: &'a ReportRequest) -> BoxFuture<'a, Result<Answer>> {
        Box::pin(self.database.report(report))
    }
}

/// The error of a request that a table does not take.
fn usage(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Usage, message).advise("Correct the request.")
}
