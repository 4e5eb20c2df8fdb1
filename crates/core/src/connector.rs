//! A kind of system Levada can talk to: its description, how it connects, and the list of all of them, with what executes SQL
//! over them.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::{Map, Value};
use url::Url;

use crate::backup::{self, Archive, Database};
use crate::destination::{Destination, WriteMode};
use crate::error::{Error, ErrorKind, Result};
use crate::query::QueryEngine;
use crate::rows::{self, Rows};
use crate::source::Source;

/// What a connector is, for forms, help, validation and documentation.
#[derive(Debug, Clone)]
pub struct Descriptor {
    /// The `type` in documents, for instance `postgres`.
    pub name: &'static str,
    /// The name people use.
    pub title: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// URL schemes that select it in `levada copy`, for instance `postgres`, `postgresql`.
    pub schemes: &'static [&'static str],
    /// JSON schema of its settings.
    pub settings: Value,
    /// Whether streams live in namespaces that a destination can keep (`public.orders`).
    pub namespaces: bool,
    /// The ways it can be written to.
    pub writes: &'static [WriteMode],
    /// Whether its streams bring an order of their own, so that an incremental read needs no cursor column.
    pub own_order: bool,
    /// Whether it holds files, as [`Connection::list`] tells them.
    pub files: bool,
}

/// A kind of system Levada can talk to.
pub trait Connector: Send + Sync {
    /// Its description.
    fn descriptor(&self) -> Descriptor;

    /// Endings of file names, in lower case and without the dot, for which a plain path in `levada copy` means this
    /// connector; paths with other endings go to the connector of the scheme `file`.
    fn path_endings(&self) -> &'static [&'static str] {
        &[]
    }

    /// Turns a URL into settings, for `levada copy` and for `url:` in documents.
    ///
    /// # Errors
    /// `Config`, naming the part of the URL at fault and never the password.
    fn settings_from_url(&self, url: &Url) -> Result<Value>;

    /// Checks settings and makes a connection of them. Does no I/O: `levada validate` calls it.
    ///
    /// # Errors
    /// `Config`, naming the setting at fault, the nearest valid word and what is expected.
    fn connect(&self, settings: Value) -> Result<Arc<dyn Connection>>;
}

/// A configured connector.
pub trait Connection: Send + Sync {
    /// Where it leads, without credentials: host, port and database, or a path. The same for equal systems.
    fn address(&self) -> String;

    /// The connection as a source.
    fn source(self: Arc<Self>) -> Result<Arc<dyn Source>>;

    /// The connection as a destination.
    fn destination(self: Arc<Self>) -> Result<Arc<dyn Destination>>;

    /// Tries the connection step by step and stops at the first step that fails.
    fn check(&self) -> BoxFuture<'_, Vec<CheckStep>>;

    /// The first rows of a query, which cannot change anything, as JSON objects with the columns in their order. Numbers
    /// are JSON numbers where those are exact (integers up to 2^53, decimals of up to 15 digits), else texts; all other
    /// values but booleans and NULL are their canonical texts ([`crate::text`]).
    ///
    /// # Errors
    /// `Unsupported` where the system knows no queries; `Data` for one it does not understand; `Refused` for one that
    /// would change something, for several at once, and for an answer that is too large; `Busy` for one that takes too
    /// long.
    fn query<'a>(&'a self, _sql: &'a str, _rows_max: usize) -> BoxFuture<'a, Result<Vec<Map<String, Value>>>> {
        Box::pin(async { Err(Error::new(ErrorKind::Unsupported, "this kind of connection knows no queries")) })
    }

    /// The connection as a place of tables that the data API serves. What it returns keeps sessions open for the next
    /// request: it is made once and kept.
    ///
    /// # Errors
    /// `Unsupported` where the system has no tables.
    fn rows(self: Arc<Self>) -> Result<Arc<dyn Rows>> {
        rows::none()
    }

    /// The connection as a database whose tables can be backed up, and made again.
    ///
    /// # Errors
    /// `Unsupported` where it is none.
    fn database(self: Arc<Self>) -> Result<Arc<dyn Database>> {
        backup::no_database()
    }

    /// The connection as a place that keeps backups.
    ///
    /// # Errors
    /// `Unsupported` where it keeps no files.
    fn archive(self: Arc<Self>) -> Result<Arc<dyn Archive>> {
        backup::no_archive()
    }

    /// The files or objects that match a path or wildcard, or that lie in a folder, in the order of their names. A file
    /// that is still being written is not among them; none at all is no error.
    ///
    /// # Errors
    /// `Unsupported` where the system holds no files.
    fn list<'a>(&'a self, _path: &'a str) -> BoxFuture<'a, Result<Vec<FoundFile>>> {
        Box::pin(async { Err(no_files()) })
    }

    /// A file or object as [`Connection::list`] names it, and its bytes. Reading blocks.
    ///
    /// # Errors
    /// `NotFound` where there is none; `Unsupported` where the system holds no files.
    fn open<'a>(&'a self, _path: &'a str) -> BoxFuture<'a, Result<(FoundFile, Box<dyn Read + Send>)>> {
        Box::pin(async { Err(no_files()) })
    }
}

fn no_files() -> Error {
    Error::new(ErrorKind::Unsupported, "this kind of connection holds no files")
}

/// A file or object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundFile {
    /// Its path, as a stream's name would have it.
    pub path: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was last written, an instant.
    pub modified: String,
}

/// One step of a connection check.
#[derive(Debug)]
pub struct CheckStep {
    /// What was tried: `name`, `tcp`, `tls`, `auth`, `read`, `write`.
    pub step: &'static str,
    /// How long it took.
    pub took: Duration,
    /// What was found, or why it failed.
    pub outcome: Result<String>,
}

/// All connectors by name, and what executes SQL over their streams.
#[derive(Default, Clone)]
pub struct Registry {
    connectors: BTreeMap<&'static str, Arc<dyn Connector>>,
    queries: Option<Arc<dyn QueryEngine>>,
}

impl Registry {
    /// Adds a connector.
    #[must_use]
    pub fn with(mut self, connector: impl Connector + 'static) -> Self {
        self.connectors.insert(connector.descriptor().name, Arc::new(connector));
        self
    }

    /// Takes what executes SQL.
    #[must_use]
    pub fn with_queries(mut self, queries: Arc<dyn QueryEngine>) -> Self {
        self.queries = Some(queries);
        self
    }

    /// What executes SQL.
    ///
    /// # Errors
    /// `Unsupported` in a build without it.
    pub fn queries(&self) -> Result<&Arc<dyn QueryEngine>> {
        self.queries.as_ref().ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "this build executes no SQL")
                .advise("Use a build that has the engine for it.")
        })
    }

    /// Every connector, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Connector>> {
        self.connectors.values()
    }

    /// The connector of a `type`.
    ///
    /// # Errors
    /// `Config`, with the nearest known name.
    pub fn get(&self, name: &str) -> Result<&Arc<dyn Connector>> {
        self.connectors.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.connectors.keys().copied().collect();
            let nearest = crate::naming::nearest(name, &known);
            Error::new(ErrorKind::Config, format!("there is no connector `{name}`")).advise(format!(
                "{}Known connectors: {}.",
                crate::naming::did_you_mean(nearest),
                known.join(", ")
            ))
        })
    }

    /// The connector for a URL, by its scheme.
    ///
    /// # Errors
    /// `Config`, listing the schemes.
    pub fn for_scheme(&self, scheme: &str) -> Result<&Arc<dyn Connector>> {
        self.iter().find(|c| c.descriptor().schemes.contains(&scheme)).ok_or_else(|| {
            let known: Vec<&str> = self.iter().flat_map(|c| c.descriptor().schemes).copied().collect();
            let nearest = crate::naming::nearest(scheme, &known);
            Error::new(ErrorKind::Config, format!("no connector takes URLs that start with `{scheme}:`"))
                .advise(format!("{}Known schemes: {}.", crate::naming::did_you_mean(nearest), known.join(", ")))
        })
    }

    /// The connector for a plain path, by the ending of its name.
    ///
    /// # Errors
    /// `Config`, where no connector reads local files.
    pub fn for_path(&self, path: &str) -> Result<&Arc<dyn Connector>> {
        let name = path.rsplit(['/', '\\']).next().unwrap_or_default().to_ascii_lowercase();
        let ending = name.rsplit_once('.').map(|(_, ending)| ending).unwrap_or_default();
        let special = self.iter().find(|connector| connector.path_endings().contains(&ending));
        special.map_or_else(|| self.for_scheme("file"), Ok)
    }
}
