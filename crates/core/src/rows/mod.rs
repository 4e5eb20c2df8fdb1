//! Tables of a connection as the data API serves them: rows in and out as JSON, one by one or by the thousand, and queries
//! with parameters. Connectors of databases implement [`Rows`]; the types, the checks and the words of the errors are here.

mod check;
mod statement;
mod table;
mod value;

use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

pub(crate) use self::check::takes_rule;
pub use self::check::{CheckedRow, Purpose, check, error, key};
pub use self::statement::{Piece, Statement};
pub use self::table::{
    Check, Column, DELETED_AT, KEY_DEFAULT, Kind, OnDelete, PRECISION_MAX, Pattern, Reference, Table, Tables,
};
pub use self::value::{Cell, Misfit};
use crate::error::{Error, ErrorKind, Result};

/// A row as JSON: values by the names of the columns.
pub type Row = Map<String, Value>;

/// Most failures that the answer to a stream of rows names one by one.
pub const FAILURES_MAX: usize = 1_000;

/// A connection as a place of tables whose rows are read and changed one by one.
pub trait Rows: Send + Sync {
    /// Makes the tables that are missing, with their keys, unique columns and references, and checks that those which are
    /// there fit. Nothing that is there is ever changed.
    ///
    /// # Errors
    /// `Schema`, naming every difference.
    fn ensure<'a>(&'a self, tables: &'a Tables) -> BoxFuture<'a, Result<Vec<Ensured>>>;

    /// A page of rows.
    ///
    /// # Errors
    /// `Usage` for a request that the table does not take.
    fn list<'a>(&'a self, tables: &'a Tables, table: &'a str, request: &'a ListRequest) -> BoxFuture<'a, Result<Page>>;

    /// One row by its key, or nothing; `look` says of deleted rows and of what is expanded.
    ///
    /// # Errors
    /// `Usage` for a request that the table does not take.
    fn get<'a>(
        &'a self,
        tables: &'a Tables,
        table: &'a str,
        key: &'a Cell,
        look: &'a Look,
    ) -> BoxFuture<'a, Result<Option<Row>>>;

    /// Changes rows, in one transaction. What is wrong with a row is told in its outcome and is no error.
    ///
    /// # Errors
    /// What stops all rows: `Connect`, `Busy`, `Permission`.
    fn write<'a>(&'a self, tables: &'a Tables, table: &'a str, batch: Batch) -> BoxFuture<'a, Result<Written>>;

    /// Changes rows that come in batches, one of which is held at a time. [`Mode::All`] is one transaction for all of them
    /// and ends with the first batch in which a row fails; [`Mode::Each`] commits batch by batch.
    ///
    /// # Errors
    /// As for [`Rows::write`], and those of the batches.
    fn load<'a>(
        &'a self,
        tables: &'a Tables,
        table: &'a str,
        action: Action,
        mode: Mode,
        batches: BoxStream<'a, Result<Vec<Change>>>,
    ) -> BoxFuture<'a, Result<Loaded>>;

    /// The answer to a query, which cannot change anything: whole, as what is cut off would pass for the whole.
    ///
    /// # Errors
    /// `Data` for a query that the database does not understand, `Refused` for one that would change something and for an
    /// answer that is too large, `Busy` for one that takes too long.
    fn report<'a>(&'a self, report: &'a ReportRequest) -> BoxFuture<'a, Result<Answer>>;
}

/// What became of a table in [`Rows::ensure`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ensured {
    /// The name of the collection.
    pub table: String,
    /// Whether it was made.
    pub created: bool,
}

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Operator {
    /// It is the value.
    Eq,
    /// It is another value; NULL is.
    Ne,
    /// It is less.
    Lt,
    /// It is less, or the value.
    Le,
    /// It is greater.
    Gt,
    /// It is greater, or the value.
    Ge,
    /// It is one of the values.
    In,
    /// It is a text that starts with the value.
    StartsWith,
    /// It is NULL (`true`), or not (`false`).
    IsNull,
}

impl Operator {
    /// Every operator with its name.
    pub const ALL: [(&str, Self); 9] = [
        ("eq", Self::Eq),
        ("ne", Self::Ne),
        ("lt", Self::Lt),
        ("le", Self::Le),
        ("gt", Self::Gt),
        ("ge", Self::Ge),
        ("in", Self::In),
        ("starts_with", Self::StartsWith),
        ("is_null", Self::IsNull),
    ];

    /// Whether values of a type can be compared so.
    pub fn takes(self, kind: Kind) -> bool {
        match self {
            Self::IsNull => true,
            Self::StartsWith => kind == Kind::Text,
            Self::Eq | Self::Ne | Self::In => kind.is_ordered(),
            _ => kind.is_ordered() && kind != Kind::Boolean,
        }
    }
}

/// A condition on a column.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// The column.
    pub column: String,
    /// How it is compared.
    pub operator: Operator,
    /// With what: one value, but for [`Operator::In`].
    pub values: Vec<Cell>,
}

impl Filter {
    /// Reads a condition as people write it in an address: `salary`, `ge`, `1000`; of `in` the values are parted by
    /// commas.
    ///
    /// # Errors
    /// `Usage`, with the nearest word.
    pub fn parse(table: &Table, column: &str, operator: &str, text: &str) -> Result<Self> {
        let column = table.known(column)?;
        let known = Operator::ALL;
        let found = known.iter().find(|(name, _)| *name == operator).map(|(_, operator)| *operator);
        let operator = found.filter(|found| found.takes(column.kind)).ok_or_else(|| {
            let words: Vec<&str> = known.iter().filter(|(_, o)| o.takes(column.kind)).map(|(name, _)| *name).collect();
            let message = format!("`{}` cannot be filtered by `{operator}`", column.name);
            let near = crate::naming::did_you_mean(crate::naming::nearest(operator, &words));
            Error::new(ErrorKind::Usage, message).advise(format!("{near}Operators: {}.", words.join(", ")))
        })?;
        let value = |kind: Kind, text: &str| {
            Cell::from_text(kind, text).map_err(|misfit| {
                let message = format!("the value that `{}` is compared with {misfit}", column.name);
                Error::new(ErrorKind::Usage, message).advise("Correct the filter.")
            })
        };
        let values = match operator {
            Operator::In => text.split(',').map(|text| value(column.kind, text)).collect::<Result<_>>()?,
            Operator::IsNull => vec![value(Kind::Boolean, text)?],
            _ => vec![value(column.kind, text)?],
        };
        Ok(Self { column: column.name.clone(), operator, values })
    }
}

/// A column to sort by. Rows without a value come last, whatever the direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sort {
    /// The column.
    pub column: String,
    /// Whether the greatest value comes first.
    pub descending: bool,
}

/// How rows are looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// Whether deleted rows are there too, and every row says when it was deleted.
    pub with_deleted: bool,
    /// Columns whose references are replaced by the rows they refer to.
    pub expand: Vec<String>,
}

/// What rows of a table are wanted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ListRequest {
    /// Conditions, all of which hold.
    pub filters: Vec<Filter>,
    /// The order; rows that are equal in it are ordered by their key.
    pub sort: Vec<Sort>,
    /// Where the page before this one ended: what it gave as [`Page::next`].
    pub after: Option<Vec<Value>>,
    /// Most rows.
    pub limit: usize,
    /// Deleted rows, and what is expanded.
    pub look: Look,
}

/// Some rows of a list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// The rows.
    pub rows: Vec<Row>,
    /// Where the next page starts, if there is one: the values of the last row in the columns that are sorted by, and its
    /// key.
    pub next: Option<Vec<Value>>,
}

/// What is done with rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// They are new.
    Insert,
    /// They are new, or change the rows that have the same value in a column that is the key or unique: what they give,
    /// and nothing else. Rows of one batch come one after the other.
    Upsert {
        /// The column.
        by: String,
    },
    /// They take the place of rows with their keys.
    Replace,
    /// They change what they give of rows with their keys.
    Patch,
    /// Rows with their keys are deleted: softly, where the table keeps deleted rows.
    Delete,
    /// Rows with their keys, deleted or not, are removed for good.
    Erase,
    /// Deleted rows with their keys are there again.
    Restore,
}

/// A row that is written, or names the row that is.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The row; for what is deleted or restored, its key.
    pub row: Row,
    /// The [`etag`]s of which the row has to have one, deleted rows aside.
    pub if_match: Option<Vec<String>>,
}

impl From<Row> for Change {
    fn from(row: Row) -> Self {
        Self { row, if_match: None }
    }
}

/// What happens if some rows cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// None is.
    All,
    /// The others are.
    Each,
}

/// Rows that are written together.
#[derive(Debug, Clone)]
pub struct Batch {
    /// What is done.
    pub action: Action,
    /// What happens if some of it cannot be done.
    pub mode: Mode,
    /// The rows.
    pub changes: Vec<Change>,
}

/// What became of the rows of a [`Batch`], one outcome for each in its order.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// Whether anything was kept.
    pub committed: bool,
    /// What became of each row.
    pub outcomes: Vec<Outcome>,
}

/// What became of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It was written.
    Done {
        /// The key of the row.
        key: Value,
        /// What was done.
        effect: Effect,
    },
    /// It was refused.
    Failed(Vec<RowError>),
    /// Nothing is wrong with it, but with another one, and all were to be written or none.
    Left,
}

/// What was done with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It is new.
    Inserted,
    /// It was changed.
    Updated,
    /// It was deleted, and can be restored.
    Deleted,
    /// It was removed.
    Erased,
    /// It is there again.
    Restored,
}

/// Why a row was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RowError {
    /// The column at fault, where it is one.
    pub column: Option<String>,
    /// The kind of the mistake.
    pub reason: Reason,
    /// What is wrong, as a sentence.
    pub message: String,
}

/// Kinds of mistakes in rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// There is no such column.
    Unknown,
    /// The value is not of the column's type.
    Type,
    /// The value is missing.
    Required,
    /// The value breaks a rule.
    Check,
    /// Another row has the value.
    Unique,
    /// What is referred to does not exist, or rows refer to this one.
    Reference,
    /// There is no row with the key.
    Missing,
    /// The row has changed since it was read.
    Stale,
}

impl Reason {
    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Type => "type",
            Self::Required => "required",
            Self::Check => "check",
            Self::Unique => "unique",
            Self::Reference => "reference",
            Self::Missing => "missing",
            Self::Stale => "stale",
        }
    }
}

/// What became of rows that came in batches.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Loaded {
    /// Whether everything that can be kept was.
    pub committed: bool,
    /// Rows that were looked at.
    pub rows: u64,
    /// Rows that are new.
    pub inserted: u64,
    /// Rows that were changed, deleted or restored.
    pub changed: u64,
    /// Rows that were refused.
    pub failed: u64,
    /// The first of them, at most [`FAILURES_MAX`]: their place, counted from zero, and why.
    pub failures: Vec<(u64, Vec<RowError>)>,
}

impl Loaded {
    /// Adds what became of the next batch.
    pub fn add(&mut self, written: &Written) {
        for outcome in &written.outcomes {
            match outcome {
                Outcome::Done { effect: Effect::Inserted, .. } if written.committed => self.inserted += 1,
                Outcome::Done { .. } if written.committed => self.changed += 1,
                Outcome::Done { .. } | Outcome::Left => {}
                Outcome::Failed(errors) => {
                    self.failed += 1;
                    if self.failures.len() < FAILURES_MAX {
                        self.failures.push((self.rows, errors.clone()));
                    }
                }
            }
            self.rows += 1;
        }
    }
}

/// A query with the values of its parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportRequest {
    /// The query.
    pub statement: Statement,
    /// Values by the names of the parameters.
    pub params: Vec<(String, Kind, Cell)>,
    /// Most rows of the answer.
    pub rows_max: usize,
    /// Most bytes of the answer.
    pub bytes_max: usize,
    /// How long it may take.
    pub time_max: Duration,
}

/// The answer to a query.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its columns.
    pub schema: SchemaRef,
    /// Its rows.
    pub batches: Vec<RecordBatch>,
}

/// What tells one state of a row from another: the first 16 bytes of the SHA-256 of its JSON, in hex. The row is as
/// [`Rows::get`] gives it, with nothing expanded.
pub fn etag(row: &Row) -> String {
    let hash = Sha256::digest(Value::Object(row.clone()).to_string().as_bytes());
    hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// A connection that holds no tables.
pub(crate) fn none() -> Result<Arc<dyn Rows>> {
    Err(Error::new(ErrorKind::Unsupported, "this kind of connection serves no tables")
        .advise("Collections and reports need a connection to a database."))
}
