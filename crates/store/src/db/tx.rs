//! An open transaction: the statements that both databases take, and what they cost. PostgreSQL is asked as rarely as can
//! be: what needs no answer goes out with the next statement that does, and what can be asked at once is.

use std::collections::HashMap;
use std::sync::Arc;

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::run::Graph;

use super::{Connection, Dialect, Row, RunCounts, Signal, Value};

/// Most structures of pipelines that a connection remembers.
const GRAPHS_MAX: usize = 1_000;
/// Most rows in one statement of SQLite, which counts every value of them.
const CHUNK: usize = 200;

/// An open transaction.
pub struct Tx {
    pub(super) connection: Connection,
    pub(super) signals: Vec<Signal>,
    /// Whether a statement failed: what is left of the transaction must never be committed, even if a job went on.
    pub(super) has_failed: bool,
    /// What becomes of runs in it.
    pub(crate) runs: RunCounts,
    /// How many were run.
    pub(super) statements: u64,
    /// Which were run, for tests of their plans.
    #[cfg(test)]
    pub(crate) seen: Vec<(String, Vec<Value>)>,
    /// What jobs remember between transactions; only what can never change may be kept here.
    pub(crate) memory: Memory,
}

/// Structures of pipelines by the id of their document, which never changes.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) graphs: HashMap<i64, Arc<Graph>>,
}

/// The name of a column, and its type as PostgreSQL calls it.
pub type Column = (&'static str, &'static str);

/// A statement with its values.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The statement.
    pub sql: String,
    /// Its values.
    pub values: Vec<Value>,
}

impl Ask {
    /// A statement with its values.
    pub fn new(sql: impl Into<String>, values: impl Into<Vec<Value>>) -> Self {
        Self { sql: sql.into(), values: values.into() }
    }
}

impl Tx {
    pub(super) fn new(connection: Connection) -> Self {
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

    /// How often an answer of PostgreSQL was waited for since this was last asked.
    pub(super) fn take_trips(&mut self) -> u64 {
        match &self.connection {
            Connection::Sqlite(_) => 0,
            Connection::Postgres(connection) => connection.take_trips(),
        }
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

    /// The same for a change that has to meet so many rows. If it does not, somebody else was faster, and nothing of the
    /// transaction stays.
    pub async fn later_exactly(&mut self, rows: usize, sql: &str, values: &[Value]) -> Result<()> {
        self.count(sql, values);
        let done = match &mut self.connection {
            Connection::Sqlite(connection) => match connection.execute(sql, values) {
                Ok(changed) if changed != rows as u64 => {
                    Err(Error::new(ErrorKind::Busy, "what was to be changed was changed by somebody else"))
                }
                done => done.map(drop),
            },
            Connection::Postgres(connection) => connection.later_exactly(rows, sql, values).await,
        };
        self.has_failed |= done.is_err();
        done
    }

    /// Inserts rows of which nothing has to be known. Columns are given with their types, and values row by row.
    pub async fn insert_later(&mut self, table: &str, columns: &[Column], values: &[Value]) -> Result<()> {
        let names = columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let width = columns.len();
        match self.dialect() {
            Dialect::Sqlite => {
                for chunk in values.chunks(CHUNK * width) {
                    let rows = placeholders(chunk.len() / width, width, 1);
                    self.later(&format!("INSERT INTO {table} ({names}) VALUES {rows}"), chunk).await?;
                }
            }
            // one statement for any number of rows, so that it is prepared once
            Dialect::Postgres if !values.is_empty() => {
                let sql = format!("INSERT INTO {table} ({names}) SELECT * FROM {}", unnest(columns));
                self.later(&sql, &lists(values, width)).await?;
            }
            Dialect::Postgres => {}
        }
        Ok(())
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

    /// Runs statements in their order, and gives the rows of each; none of them may need the answer to another.
    pub async fn all(&mut self, asks: &[Ask]) -> Result<Vec<Vec<Row>>> {
        asks.iter().for_each(|ask| self.count(&ask.sql, &ask.values));
        let done = match &mut self.connection {
            Connection::Sqlite(connection) => asks.iter().map(|ask| connection.rows(&ask.sql, &ask.values)).collect(),
            Connection::Postgres(connection) => connection.all(asks).await,
        };
        self.has_failed |= done.is_err();
        done
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

    /// The same, but others may do so as well: all of them keep the rows from being changed.
    pub fn lock_shared(&self, table: &str) -> String {
        match self.dialect() {
            Dialect::Sqlite => String::new(),
            Dialect::Postgres => format!(" FOR SHARE OF {table}"),
        }
    }

    /// That a column has one of these values, which are added to those of the statement.
    pub fn among<T: Into<Value>>(
        &self,
        column: &str,
        values: &mut Vec<Value>,
        items: impl IntoIterator<Item = T>,
    ) -> String {
        let items: Vec<Value> = items.into_iter().map(Into::into).collect();
        let first = values.len() + 1;
        match self.dialect() {
            Dialect::Sqlite => {
                values.extend(items);
                format!("{column} IN {}", list(values.len() + 1 - first, first))
            }
            Dialect::Postgres => {
                values.push(Value::List(items));
                format!("{column} = ANY (${first})")
            }
        }
    }

    /// A statement for each of several rows, which it finds in its place `{rows}` as a table `v` of these columns: PostgreSQL
    /// takes all of them at once, SQLite one after the other.
    pub fn each(&self, sql: &str, columns: &[Column], values: &[Value]) -> Vec<Ask> {
        let width = columns.len();
        match self.dialect() {
            Dialect::Sqlite => {
                let cells: Vec<String> =
                    (1..).zip(columns).map(|(index, (name, _))| format!("${index} AS {name}")).collect();
                let sql = sql.replace("{rows}", &format!("(SELECT {}) AS v", cells.join(", ")));
                values.chunks(width).map(|row| Ask::new(sql.as_str(), row)).collect()
            }
            Dialect::Postgres if values.is_empty() => Vec::new(),
            Dialect::Postgres => {
                let names = columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
                let sql = sql.replace("{rows}", &format!("{} AS v ({names})", unnest(columns)));
                vec![Ask::new(sql, lists(values, width))]
            }
        }
    }

    /// The same where nothing has to be known but that each has met one row.
    pub async fn each_later_exactly(&mut self, sql: &str, columns: &[Column], values: &[Value]) -> Result<()> {
        let asks = self.each(sql, columns, values);
        let rows = values.len() / columns.len() / asks.len().max(1);
        for ask in asks {
            self.later_exactly(rows, &ask.sql, &ask.values).await?;
        }
        Ok(())
    }

    pub(crate) fn remember_graph(&mut self, document: i64, graph: &Arc<Graph>) {
        if self.memory.graphs.len() >= GRAPHS_MAX {
            self.memory.graphs.clear();
        }
        self.memory.graphs.insert(document, graph.clone());
    }
}

/// A table of lists, one for each column.
fn unnest(columns: &[Column]) -> String {
    let lists: Vec<String> = (1..).zip(columns).map(|(index, (_, kind))| format!("${index}::{kind}[]")).collect();
    format!("unnest({})", lists.join(", "))
}

/// Rows as one list for each column.
fn lists(values: &[Value], width: usize) -> Vec<Value> {
    (0..width).map(|column| Value::List(values.iter().skip(column).step_by(width).cloned().collect())).collect()
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
