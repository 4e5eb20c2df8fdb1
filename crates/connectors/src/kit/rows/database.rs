//! What a database brings along so that its tables can be served: how names and values get into SQL, a session, and what
//! its refusals mean.

use arrow_schema::{DataType, Field, TimeUnit};
use futures_util::future::BoxFuture;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::rows::{Answer, Cell, Kind, Reason, ReportRequest, Table, Tables};
use levada_core::schema::Logical;

/// A database whose tables are served.
pub trait Database: Send + Sync + 'static {
    /// A connection to it.
    type Session: Session;

    /// Where it is, without credentials.
    fn address(&self) -> String;

    /// The words in which it differs.
    fn words(&self) -> &'static Words;

    /// A new session.
    fn open(&self) -> BoxFuture<'_, Result<Self::Session>>;

    /// A name in SQL.
    fn quote(&self, name: &str) -> String;

    /// A table in SQL.
    fn table(&self, table: &Table) -> String;

    /// The place of a parameter of a type; the first one has the number 1.
    fn param(&self, number: usize, kind: Kind) -> String;

    /// An expression as it is read.
    fn read(&self, expression: &str, _kind: Kind) -> String {
        expression.to_owned()
    }

    /// An expression as it is compared.
    fn compared(&self, expression: &str, _kind: Kind) -> String {
        expression.to_owned()
    }

    /// Statements around an INSERT of rows that bring keys which the database gives otherwise, so that it gives none of
    /// them later.
    fn around_given_keys(&self, _table: &Table) -> Option<(String, String)> {
        None
    }

    /// What is there under the name of a table.
    fn describe<'a>(
        &'a self,
        session: &'a mut Self::Session,
        table: &'a Table,
    ) -> BoxFuture<'a, Result<Option<Existing>>>;

    /// The statements that make tables, of which none is there; those they refer to may be among them.
    ///
    /// # Errors
    /// `Schema` for a table that the database cannot have.
    fn create(&self, missing: &[&Table], tables: &Tables) -> Result<Vec<String>>;

    /// Whether values of a type are at home in a column that is there.
    fn fits(&self, kind: Kind, field: &Field) -> bool {
        fits(kind, field)
    }

    /// The answer to a query that only reads.
    fn report<'a>(&'a self, request: &'a ReportRequest) -> BoxFuture<'a, Result<Answer>>;
}

/// Words in which databases differ.
pub struct Words {
    /// Starts a transaction that writes.
    pub begin: &'static str,
    /// Locks the rows that a query finds until they are changed.
    pub for_update: &'static str,
    /// Keeps others from changing the rows that a query finds.
    pub for_share: &'static str,
}

/// What is there under a table's name.
pub struct Existing {
    /// Its columns.
    pub fields: Vec<Field>,
    /// Columns that are unique together, at least among rows that are not deleted.
    pub unique: Vec<Vec<String>>,
}

/// A query with its values, and the types of its columns.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// The statement.
    pub sql: String,
    /// The values, in the order of their places.
    pub params: Vec<Cell>,
    /// The types of the columns of the answer.
    pub columns: Vec<Kind>,
}

/// New rows of a table.
pub struct Insert<'a> {
    /// The table in SQL.
    pub table: &'a str,
    /// Columns in SQL, with their types.
    pub columns: &'a [(String, Kind)],
    /// A value for each of the columns.
    pub rows: &'a [Vec<Cell>],
    /// The key column, where it is not among them and the database gives its values.
    pub key: Option<(String, Kind)>,
}

/// Why the database did not take something.
#[derive(Debug)]
pub struct Fault {
    /// What is wrong with the row, if it is the row.
    pub reason: Option<Reason>,
    /// The column at fault, where the database tells.
    pub column: Option<String>,
    /// The place of the row among those that were given, where that is known.
    pub row: Option<usize>,
    /// In the words of the database.
    pub error: Box<Error>,
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        // a row that is refused for a reason of its own: a trigger, a value out of range
        let reason = (error.kind() == ErrorKind::Data).then_some(Reason::Check);
        Self { reason, column: None, row: None, error: Box::new(error) }
    }
}

impl Fault {
    /// In the words of the database, for who asked for something else than to write rows.
    pub fn into_error(self) -> Error {
        *self.error
    }

    /// Says which row it is.
    #[must_use]
    pub fn at(self, row: usize) -> Self {
        Self { row: Some(row), ..self }
    }
}

/// A connection.
pub trait Session: Send + 'static {
    /// Runs statements that have no values and no answer.
    fn run<'a>(&'a mut self, sql: &'a str) -> BoxFuture<'a, Result<(), Fault>>;

    /// The answer to a query.
    fn select<'a>(&'a mut self, query: &'a Query) -> BoxFuture<'a, Result<Vec<Vec<Cell>>, Fault>>;

    /// Runs a statement once for each row of values, and stops at the first that fails.
    fn each<'a>(&'a mut self, sql: &'a str, rows: &'a [Vec<Cell>]) -> BoxFuture<'a, Result<(), Fault>>;

    /// Inserts rows, all or none; answers the keys that the database gave, in their order.
    fn insert<'a>(&'a mut self, insert: &'a Insert<'a>) -> BoxFuture<'a, Result<Vec<Cell>, Fault>>;
}

/// Whether values of a type are at home in a column, where the database has a type for it.
pub fn fits(kind: Kind, field: &Field) -> bool {
    use DataType as T;
    let logical = Logical::of(field);
    match (kind, field.data_type()) {
        (Kind::Text, T::Utf8) => matches!(logical, None | Some(Logical::Enum)),
        (Kind::Json, T::Utf8) => logical == Some(Logical::Json),
        (Kind::Integer, T::Int32 | T::Int64) | (Kind::Bigint, T::Int64) => true,
        (Kind::Float, T::Float64) | (Kind::Boolean, T::Boolean) | (Kind::Date, T::Date32) => true,
        (Kind::Decimal { precision, scale }, T::Decimal128(p, s) | T::Decimal256(p, s)) => {
            *p >= precision && *s == scale as i8
        }
        (Kind::Timestamp, T::Timestamp(TimeUnit::Microsecond, zone)) => zone.is_some(),
        (Kind::Uuid, T::FixedSizeBinary(16)) => true,
        _ => false,
    }
}
