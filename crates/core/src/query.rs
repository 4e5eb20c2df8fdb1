//! SQL over streams of several connections: what is asked of the engine that executes it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use crate::connector::Connection;
use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::source::Source;

/// Executes SQL in this process.
pub trait QueryEngine: Send + Sync {
    /// What can be told of a query from its text alone. Does no I/O: `levada validate` calls it.
    ///
    /// # Errors
    /// `Config`, with line and column in the text: for text that is no SQL, for several statements, for one that would do
    /// anything but read, and for one that is too large or too deep; `Refused` for what no query may ask for.
    fn check(&self, sql: &str) -> Result<Outline>;

    /// What is wrong with expressions that compute columns from the columns of their row, each with its column; `keys` are the
    /// names of those that they may use. Does no I/O: `levada validate` calls it.
    fn check_columns(&self, columns: &BTreeMap<String, String>, keys: &BTreeSet<String>) -> Vec<(String, Error)>;

    /// A source whose streams have these columns too, or in place of those of the same names; each is an expression over the
    /// columns of its row as they are at the source. A row for which one fails is a reject, and neither it nor one of the
    /// source tells of a column that does not come out as it is. `keys` are the values of `$name` where a function takes a key.
    /// Expressions that do not fit a stream are an error of its discovery.
    fn computed(
        &self,
        source: Arc<dyn Source>,
        columns: BTreeMap<String, String>,
        keys: BTreeMap<String, Secret>,
    ) -> Arc<dyn Source>;

    /// The query as a source with just one stream, [`QUERY_STREAM`], whose columns are those that the query puts out. Nothing
    /// is read before the source is asked; dropping its readers ends the work.
    ///
    /// # Errors
    /// As [`QueryEngine::check`]; `Config` for a connection or parameter that is not given.
    fn source(&self, query: Query) -> Result<Arc<dyn Source>>;
}

/// The name of the one stream of a query's source.
pub const QUERY_STREAM: &str = "query";

/// What a query is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// What it reads, each once, ordered.
    pub reads: Vec<StreamName>,
    /// The parameters that it names (`$since`), each once, ordered, without the sign.
    pub params: Vec<String>,
}

/// A stream as SQL names it: `connection.stream`, where the stream may have a namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamName {
    /// The connection.
    pub connection: String,
    /// The stream, by the name that selects it.
    pub stream: String,
}

/// A query with all that it needs.
#[derive(Clone)]
pub struct Query {
    /// One statement that reads.
    pub sql: String,
    /// Values of its parameters: booleans, numbers, texts or null; bound, never spliced.
    pub params: BTreeMap<String, Value>,
    /// The connections that it may read, by name.
    pub connections: BTreeMap<String, Arc<dyn Connection>>,
    /// How many bytes of memory it may take; what does not fit goes to `spill`.
    pub memory_bytes: usize,
    /// How many bytes of the disk it may take besides.
    pub spill_bytes: u64,
    /// A folder for what does not fit into memory. It is made when needed, and left empty.
    pub spill: PathBuf,
}
