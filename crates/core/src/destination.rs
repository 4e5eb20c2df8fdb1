//! What a connector offers to be written to: what it would do (`plan`), what it did last (`committed`), and loads that
//! commit data and state in one act.

use arrow_schema::SchemaRef;
use futures_util::future::BoxFuture;

use crate::batch::{Batch, RawFormat, Reject};
use crate::error::{Error, ErrorKind, Result};
use crate::naming::NameRules;
use crate::position::{Commit, StreamKey};
use crate::schema::{Fit, OnSchemaChange};
use crate::source::StreamInfo;

/// A connection seen as a destination.
pub trait Destination: Send + Sync {
    /// How names must look here; the engine maps names before it plans.
    fn name_rules(&self) -> NameRules;

    /// The most columns that a target can have here, with those that a load adds to its stage.
    fn columns_max(&self) -> usize {
        usize::MAX
    }

    /// The full name of a target, from the wanted namespace (ignored where there are none) and table name.
    fn target(&self, namespace: Option<&str>, table: &str) -> String;

    /// The target as it is now, or `None` if it does not exist. Columns that the database computes itself are left out.
    fn describe<'a>(&'a self, target: &'a str) -> BoxFuture<'a, Result<Option<StreamInfo>>>;

    /// What a load would do. Reads catalogues at most; changes nothing.
    ///
    /// # Errors
    /// `Schema` where the change is not possible or not allowed by `on_schema_change`; `Unsupported` for a mode the
    /// connector does not have; `Refused` where the pair can not keep a promise.
    fn plan<'a>(&'a self, spec: &'a LoadSpec) -> BoxFuture<'a, Result<LoadPlan>>;

    /// The last commit of a stream, as stored here.
    fn committed<'a>(&'a self, key: &'a StreamKey) -> BoxFuture<'a, Result<Option<Commit>>>;

    /// Every commit stored here, ordered by key.
    fn commits(&self) -> BoxFuture<'_, Result<Vec<Commit>>>;

    /// Forgets a stream's last commit. True if there was one.
    fn forget<'a>(&'a self, key: &'a StreamKey) -> BoxFuture<'a, Result<bool>>;

    /// Rows that a load put into the quarantine, in the order in which they came, from the `skip`-th on.
    fn rejects<'a>(&'a self, load_id: &'a str, skip: usize, limit: usize) -> BoxFuture<'a, Result<Vec<Reject>>>;

    /// Where a person finds the rows that a load put into the quarantine: a table or a file; `None` where none are kept.
    fn quarantine(&self, target: &str, load_id: &str) -> Option<String> {
        let _ = (target, load_id);
        None
    }

    /// Starts a load: takes the stream's lock, removes what a dead load of the same stream left behind.
    ///
    /// # Errors
    /// `Busy` where another live load holds the stream; else as for `plan`.
    fn begin<'a>(&'a self, spec: LoadSpec, plan: LoadPlan) -> BoxFuture<'a, Result<Box<dyn Load>>>;
}

/// One load of one stream, from `begin` until the last `commit` or `abort`.
pub trait Load: Send {
    /// Opens `LoadPlan::writers` writers, to be driven from different tasks. Called once.
    fn writers(&mut self) -> BoxFuture<'_, Result<Vec<Box<dyn Writer>>>>;

    /// Makes all accepted rows, the rejects and the state durable in one act. All writers have finished.
    /// The stored commit must still be `LoadSpec::previous`, else the load lost its place: `Busy`, nothing changed.
    fn commit<'a>(&'a mut self, end: LoadEnd) -> BoxFuture<'a, Result<Durable>>;

    /// Leaves no trace of an uncommitted load; also right after a failed commit.
    fn abort(self: Box<Self>) -> BoxFuture<'static, ()>;
}

/// One of the parallel writers of a load.
pub trait Writer: Send {
    /// Takes a batch whose columns are exactly `LoadPlan::schema` (or raw rows where the plan says so).
    ///
    /// # Errors
    /// `Data` for a row the destination refuses when `LoadSpec::quarantine` is false; `Connect`, `Full`.
    fn write<'a>(&'a mut self, batch: Batch) -> BoxFuture<'a, Result<Accepted>>;

    /// Sends what is buffered; every row is with the destination, though not yet visible.
    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<Accepted>>;
}

/// What a writer says of rows since its last answer. Over the life of a load the sum of `rows` and the number of
/// `rejects` equals the rows given; `rows` is the destination's own count wherever it gives one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Rows taken.
    pub rows: u64,
    /// Rows the destination refused, found by bisecting the failing batch.
    pub rejects: Vec<Reject>,
}

/// The answer to a commit: data and state will survive anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Durable {
    /// Rows inserted.
    pub inserted: u64,
    /// Rows of the destination that were updated by key.
    pub updated: u64,
    /// Rows that a later row with the same key in the same load replaced before they got in.
    pub superseded: u64,
    /// Rows removed because the load replaced the stream.
    pub deleted: u64,
    /// Rows that the writers had taken and the target then refused; they went into the quarantine, in the same act.
    pub rejected: u64,
}

/// What is to be loaded.
#[derive(Debug, Clone)]
pub struct LoadSpec {
    /// Which stream, for the lock and the stored commit.
    pub key: StreamKey,
    /// A fresh random name for this load.
    pub load_id: String,
    /// The commit that was current when the load was planned.
    pub previous: Option<String>,
    /// The destination's stream, as named by [`Destination::target`].
    pub target: String,
    /// The incoming columns under their final names.
    pub incoming: SchemaRef,
    /// The target as described just before planning.
    pub existing: Option<StreamInfo>,
    /// How rows get in.
    pub write: WriteMode,
    /// The key columns, under their final names; not empty for `Merge`.
    pub key_columns: Vec<String>,
    /// The column by which the later of two rows with one key is told, where there is one.
    pub order_column: Option<String>,
    /// What may happen to the target's columns.
    pub on_schema_change: OnSchemaChange,
    /// Whether refused rows go into the quarantine (else the load fails).
    pub quarantine: bool,
    /// The raw format the source offers for just these columns, if any; the plan says whether it is taken.
    pub raw: Option<RawFormat>,
    /// At most this many writers.
    pub writers: usize,
    /// Rows expected, for choosing a strategy.
    pub rows_estimate: Option<u64>,
}

/// How rows get into the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WriteMode {
    /// The target holds just these rows afterwards.
    Replace,
    /// The rows are added.
    Append,
    /// The rows are added, or update those with the same key.
    Merge,
}

/// What a load would do.
#[derive(Debug, Clone)]
pub struct LoadPlan {
    /// The columns the writers want, in order and by name: the engine casts to these types, row by row checked.
    pub schema: SchemaRef,
    /// For each column of `schema`: the native type it has or gets, and how well the incoming type fits.
    pub columns: Vec<PlannedColumn>,
    /// What is executed to create or change the target, as it would be sent. For display; `begin` does it.
    pub ddl: Vec<String>,
    /// How the load becomes visible, as one sentence.
    pub strategy: String,
    /// Whether raw rows are taken.
    pub raw: Option<RawFormat>,
    /// How many writers there will be.
    pub writers: usize,
    /// What the pair promises.
    pub promise: Promise,
}

/// One column of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedColumn {
    /// Its final name.
    pub name: String,
    /// The destination's type, as in its DDL.
    pub native: String,
    /// How well the incoming values fit.
    pub fit: Fit,
}

/// How often a row may arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Promise {
    /// Data and state are one commit.
    ExactlyOnce,
    /// A crash at the wrong moment repeats rows, for the reason given.
    AtLeastOnce(String),
}

/// What a commit stores besides the rows.
#[derive(Debug, Clone)]
pub struct LoadEnd {
    /// The engine's state after this load; stored as it is.
    pub state: serde_json::Value,
    /// Rows accepted by the writers.
    pub rows_written: u64,
    /// Rows for the quarantine.
    pub rejects: Vec<Reject>,
    /// Whose rows in the quarantine these are, loaded again. In the same act they leave it, and `rejects` take their place
    /// under the same name.
    pub replayed: Option<Replayed>,
}

/// A load whose rows in the quarantine are loaded again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// Its name.
    pub load_id: String,
    /// How many rows it has there; if there are others by now, nothing is committed.
    pub rows: u64,
}

impl LoadEnd {
    /// The name under which this load's rejects are kept.
    pub fn rejects_of<'a>(&'a self, load_id: &'a str) -> &'a str {
        self.replayed.as_ref().map_or(load_id, |replayed| replayed.load_id.as_str())
    }
}

impl Replayed {
    /// Checks that just the rows that were read have left the quarantine.
    ///
    /// # Errors
    /// `Refused`.
    pub fn check(&self, removed: u64) -> Result<()> {
        if removed == self.rows {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Refused, format!("the quarantine had {} rows, and has {removed} now", self.rows))
            .advise("Nothing was changed. Look at the rows again: somebody replayed or removed some."))
    }
}
