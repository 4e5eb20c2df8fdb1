//! What backups need of a connection beside reading and loading tables: one view over all tables of a database, their
//! definitions and what makes them again, and a place that keeps files.

use std::io::Read;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::connector::{Connection, FoundFile};
use crate::error::{Error, ErrorKind, Result};
use crate::naming::first_of;
use crate::source::StreamInfo;

/// Tables with rows that an error names.
const NAMED_MAX: usize = 20;

/// A connection seen as a database whose tables can be backed up and made again.
pub trait Database: Send + Sync {
    /// The system's name: definitions can be used again by every database of this name.
    fn system(&self) -> &'static str;

    /// Takes one view of the tables that the selectors mean, or of all of them; views are none. What others commit later is
    /// not seen by what is read of it. As long as it is held, the definitions of the tables stay as they are, where the
    /// system can see to that.
    ///
    /// # Errors
    /// `Connect`, `Auth`; `NotFound` for a selector that means no table; `Unsupported` for a table that cannot be made again
    /// from its definition, and where the system cannot hold a view.
    fn snapshot<'a>(&'a self, tables: &'a [String]) -> BoxFuture<'a, Result<Snapshot>>;

    /// Makes what is missing of a structure, all or nothing, and takes down those foreign keys that [`Database::finish`]
    /// puts up again. Rows stay. Gives what it met.
    ///
    /// # Errors
    /// `Refused`, and nothing changed, where a table has rows and `replace` is not set.
    fn prepare<'a>(&'a self, structure: &'a Structure, replace: bool) -> BoxFuture<'a, Result<Vec<Found>>>;

    /// Puts up the foreign keys of a structure, all or nothing; those to tables that are not there are left out. Gives
    /// sentences on those.
    ///
    /// # Errors
    /// `Data` where rows break one.
    fn finish<'a>(&'a self, structure: &'a Structure) -> BoxFuture<'a, Result<Vec<String>>>;
}

/// One view of a database, until it is dropped.
pub struct Snapshot {
    /// What makes its tables again.
    pub structure: Structure,
    /// The tables as streams, in the order of the structure.
    pub streams: Vec<StreamInfo>,
    /// The connection, pinned to the view: whatever is read of it is of this one moment.
    pub connection: Arc<dyn Connection>,
    /// Asked for a stream with values that have no place in their columns' types. From then on those columns are read as the
    /// system's own text; false where that changes nothing.
    pub as_text: Box<dyn Fn(&str) -> bool + Send + Sync>,
}

/// What makes tables again: statements of one system, as it told them of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Structure {
    /// What has to be there before the tables, in this order.
    pub objects: Vec<Object>,
    /// The tables, ordered by name.
    pub tables: Vec<Table>,
    /// What of the database is no table, and is not kept; sentences.
    #[serde(default)]
    pub left_out: Vec<String>,
}

/// A type, a schema or the like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// What it is: `schema`, `type`, `sequence`.
    pub kind: String,
    /// Its name, as statements would have it.
    pub name: String,
    /// What makes it.
    pub create: String,
    /// What is done afterwards, also where it was there already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<String>,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// The name that selects it as a stream.
    pub stream: String,
    /// The schema it lives in, for systems that have such a thing.
    pub namespace: Option<String>,
    /// Its name there.
    pub table: String,
    /// The columns of its key; empty if it has none.
    pub key: Vec<String>,
    /// What makes it with its keys, checks and indexes, without foreign keys.
    pub create: Vec<String>,
    /// What is done after that, also where it was there already: its sequences move on.
    #[serde(default)]
    pub then: Vec<String>,
    /// Its foreign keys, where they are not part of `create`.
    #[serde(default)]
    pub foreign_keys: Vec<ForeignKey>,
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignKey {
    /// Its name.
    pub name: String,
    /// The table it points at, as statements would have it.
    pub references: String,
    /// What it says.
    pub definition: String,
}

/// What a table was before a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// It has no rows: others are added.
    Empty,
    /// It has rows, which are to be replaced; or none, and its system fills tables best by replacing what they have.
    Rows,
}

/// A connection seen as a place that keeps files. Paths are relative to its root.
pub trait Archive: Send + Sync {
    /// A folder of the place as a connection, whose targets are folders of Avro files.
    ///
    /// # Errors
    /// `Config` for a path that leads out.
    fn folder(&self, path: &str) -> Result<Arc<dyn Connection>>;

    /// Every file below a folder, hidden ones included, ordered by path. A folder that does not exist is empty.
    fn files<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<FoundFile>>>;

    /// A file's bytes from the start. Reading blocks.
    ///
    /// # Errors
    /// `NotFound`.
    fn read<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Box<dyn Read + Send>>>;

    /// Writes a whole small file in one act; false, and nothing changed, if there is one of this name.
    fn put_new<'a>(&'a self, path: &'a str, bytes: Vec<u8>) -> BoxFuture<'a, Result<bool>>;

    /// Removes a file; one that is gone already is no error.
    fn remove<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<()>>;
}

/// The error of [`Database::prepare`] for tables that have rows.
pub fn rows_there(tables: &[&str]) -> Error {
    Error::new(ErrorKind::Refused, format!("there are rows already in {}", first_of(tables, NAMED_MAX)))
        .advise("Nothing was changed. Say that rows are to be replaced, or restore into another database.")
}

/// The answer of a connection that is no database.
///
/// # Errors
/// Always `Unsupported`.
pub fn no_database() -> Result<Arc<dyn Database>> {
    Err(Error::new(ErrorKind::Unsupported, "this kind of connection has no tables that can be backed up")
        .advise("Back up a database whose connector's page says so; `levada copy` takes the streams of other systems."))
}

/// The answer of a connection that keeps no files.
///
/// # Errors
/// Always `Unsupported`.
pub fn no_archive() -> Result<Arc<dyn Archive>> {
    Err(Error::new(ErrorKind::Unsupported, "this kind of connection keeps no backups")
        .advise("Give a folder, or a connection that leads to one on disk or in a bucket."))
}
