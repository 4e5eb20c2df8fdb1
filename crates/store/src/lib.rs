//! The metadata: documents, runs, schedules, workers, secrets, users and the audit log, in SQLite or PostgreSQL. The only writer of the state of
//! runs. Reads no clock: whoever calls says what instant it is.

mod access;
mod audit;
mod audit_log;
mod backfills;
mod catalogue;
mod dashboard;
mod db;
mod documents;
mod live;
mod migrate;
mod outbox;
mod overview;
mod pipelines;
#[cfg(test)]
mod plans;
mod progress;
mod project;
mod retention;
mod retry;
mod runs;
mod schedules;
mod schema;
mod secrets;
mod tested;
mod transfer;
mod views;
mod why;
mod workers;

use std::collections::BTreeMap;
use std::sync::Arc;

use levada_core::error::Result;
use levada_core::id::{RunId, TaskRunId, WorkerId};
use levada_core::time::Timestamp;
use tokio::sync::watch;

pub use access::{
    Credentials, Door, Grant, Hash, NewToken, NewUser, OpenSession, SESSION_IDLE, SESSION_MAX, Session, SessionId,
    Subject, Token, TokenFilter, Updated, User, UserChange, UserFilter,
};
pub use audit_log::{AuditCheck, AuditEntry, AuditFilter, AuditHead, AuditLine, Broken};
pub use backfills::{Backfill, BackfillFilter, BackfillState, NewBackfill, Only};
pub use catalogue::{
    Column, ColumnChange, Dataset, DatasetChange, DatasetFilter, DatasetLoad, DatasetPlace, DatasetSchema, DatasetTest,
    DatasetUpdated, EXTERNAL_DATASETS_MAX, ExternalDataset, ExternalEvent, ExternalKept, LOADS_KEPT, Lineage,
    LineageEdge, LineageFilter, RESULTS_KEPT, SCHEMAS_KEPT, TestFilter, TestPlace,
};
pub use dashboard::{Counts, Dashboard, Failed, Fire, Hour, Loaded, RunningRun};
pub use db::{Commits, Dialect, Location, Moment, RunCounts, Signal};
pub use documents::{Document, Kept, Kind, NewDocument};
pub use live::{Feed, LiveEvent};
pub use outbox::{OUTBOX_BYTES_MAX, OUTBOX_EVENTS_MAX, Pending, Receiver, TaskTold, Told};
pub use overview::{Holder, Pool, RecentRun, RecentRuns, TaskState};
pub use pipelines::{LastRun, Pipeline};
pub use progress::{NewProgress, TaskProgress, Volume};
pub use project::{Applied, Change, NewProject, Project};
pub use retention::Keep;
pub use retry::{Again, What};
pub use runs::{Cause, Claim, Created, Exchange, Exchanged, LABELS_MAX, NewRun, Update};
pub use schedules::{CATCHUP_MAX, FileLook, FileWatch, Fired, GRACE, NewSchedule, Scheduled, Spec, When};
pub use secrets::{KEY_FILE, KEY_VARIABLE, KeySource, MasterKey, SecretName, Secrets};
pub use transfer::{Moved, transfer};
pub use views::{Happening, Run, RunFilter, TaskRun, TaskRunPlace};
pub use workers::{BEAT, Beat, NewWorker, REAP, SUSPECT, Worker};

use db::{Db, Tx};

/// An open metadata store. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    db: Arc<Db>,
    place: Arc<str>,
}

/// Connections that read.
const READERS: usize = 2;

impl Store {
    /// Opens a store, and brings its tables to the version of this program.
    ///
    /// # Errors
    /// `Refused` where the store is newer than the program; else as the database has it.
    pub async fn open(location: &Location) -> Result<Self> {
        Self::bring(Db::open(location, READERS).await?, location).await
    }

    /// Opens a store as [`Store::open`] does, but makes none where there is none.
    ///
    /// # Errors
    /// As of [`Store::open`].
    pub async fn open_existing(location: &Location) -> Result<Option<Self>> {
        if let Location::File(path) = location
            && !path.exists()
        {
            return Ok(None);
        }
        let db = Db::open(location, READERS).await?;
        if !migrate::is_made(&db, location).await? {
            return Ok(None);
        }
        Self::bring(db, location).await.map(Some)
    }

    async fn bring(db: Db, location: &Location) -> Result<Self> {
        migrate::refuse_moved(&db, location).await?;
        migrate::migrate(&db, location).await?;
        Ok(Self { db: Arc::new(db), place: location.place()?.into() })
    }

    /// The version of its tables.
    pub fn version(&self) -> usize {
        schema::MIGRATIONS.len()
    }

    /// Where it is, without user and password.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Which database it is.
    pub fn dialect(&self) -> Dialect {
        self.db.dialect()
    }

    /// Changes whenever something of this kind was committed, here or in another process.
    pub fn watch(&self, signal: Signal) -> watch::Receiver<u64> {
        self.db.watch(signal)
    }

    /// The state that all of it is in: whatever is read after this was asked stays true for as long as the answer is the same,
    /// whichever process writes. None where that cannot be told now.
    pub async fn moment(&self) -> Option<Moment> {
        self.db.moment().await
    }

    /// Asks the database for the least that it can answer.
    pub async fn ping(&self) -> Result<()> {
        self.db.read(async move |tx: &mut Tx| tx.row("SELECT 1", &[]).await.map(|_| ())).await
    }

    /// How much was written, in how many durable commits.
    pub fn commits(&self) -> Commits {
        self.db.commits()
    }

    /// What became of runs by what this process wrote.
    pub fn run_counts(&self) -> RunCounts {
        self.db.run_counts()
    }

    /// Makes a run, unless its identity is there already.
    pub async fn create_run(&self, new: NewRun, now: Timestamp) -> Result<Created> {
        self.db.write_together((new, now), async |tx: &mut Tx, new: &[_]| runs::create_runs(tx, new).await).await
    }

    /// Takes reports of a worker, and gives it task runs; see [`Exchange`].
    pub async fn exchange(&self, exchange: Exchange) -> Result<Exchanged> {
        self.db.write_together(exchange, async |tx: &mut Tx, all: &[_]| runs::exchange(tx, all).await).await
    }

    /// Asks every task run of a run to stop. Answers how many are at work and were told.
    pub async fn stop_run(&self, run: RunId, now: Timestamp) -> Result<u64> {
        self.db.write(async move |tx: &mut Tx| runs::stop_run(tx, run, now).await).await
    }

    /// Queues task runs that wait until an instant which has come. Answers how many, and when the next is due.
    pub async fn wake_due(&self, now: Timestamp) -> Result<(usize, Option<Timestamp>)> {
        let woken = self.db.write(async move |tx: &mut Tx| runs::wake_due(tx, now).await).await?;
        let next = self.db.read(async move |tx: &mut Tx| runs::next_wake(tx).await).await?;
        Ok((woken, next))
    }

    /// Signs a worker on.
    pub async fn sign_on(&self, worker: NewWorker, now: Timestamp) -> Result<WorkerId> {
        self.db.write(async move |tx: &mut Tx| workers::sign_on(tx, &worker, now).await).await
    }

    /// Notes that a worker lives, with the task runs it holds.
    pub async fn beat(&self, worker: WorkerId, draining: bool, held: Vec<TaskRunId>, now: Timestamp) -> Result<Beat> {
        self.db.write(async move |tx: &mut Tx| workers::beat(tx, worker, draining, &held, now).await).await
    }

    /// Signs a worker off.
    pub async fn sign_off(&self, worker: WorkerId, now: Timestamp) -> Result<()> {
        self.db.write(async move |tx: &mut Tx| workers::sign_off(tx, worker, now).await).await
    }

    /// Workers that are not gone.
    pub async fn workers(&self) -> Result<Vec<Worker>> {
        self.db.read(async move |tx: &mut Tx| workers::alive(tx).await).await
    }

    /// The name of a worker, gone or not.
    pub async fn worker_name(&self, worker: WorkerId) -> Result<Option<String>> {
        let sql = "SELECT name FROM workers WHERE id = $1";
        let name = async move |tx: &mut Tx| match tx.row(sql, &[worker.into()]).await? {
            Some(mut row) => row.text().map(Some),
            None => Ok(None),
        };
        self.db.read(name).await
    }

    /// Takes the task runs of silent workers, and of those known to be dead, away from them.
    pub async fn reap(&self, dead: Vec<WorkerId>, now: Timestamp) -> Result<Vec<WorkerId>> {
        self.db.write(async move |tx: &mut Tx| workers::reap_silent(tx, &dead, now).await).await
    }

    /// Keeps a document as the newest version.
    pub async fn keep_document(&self, document: NewDocument, now: Timestamp) -> Result<Kept> {
        let keep = async move |tx: &mut Tx| match document.kind {
            Kind::Pipeline => pipelines::apply(tx, &document, None, now).await,
            Kind::Project | Kind::LocalProject | Kind::LocalPipeline => documents::keep(tx, &document, now).await,
        };
        self.db.write(keep).await
    }

    /// Makes pools what the project says.
    pub async fn set_pools(&self, pools: BTreeMap<String, u32>) -> Result<()> {
        self.db.write(async move |tx: &mut Tx| documents::set_pools(tx, &pools).await).await
    }

    /// A version of a document.
    pub async fn document(&self, id: i64) -> Result<Option<Document>> {
        self.db.read(async move |tx: &mut Tx| documents::document(tx, id).await).await
    }

    /// The newest version of the project's document.
    pub async fn current_project(&self) -> Result<Option<Document>> {
        let current = async move |tx: &mut Tx| match documents::current_project(tx).await? {
            Some(id) => documents::document(tx, id).await,
            None => Ok(None),
        };
        self.db.read(current).await
    }
}
