//! One view of a whole file for backups: read transactions that began together and see the same, and values as they are
//! stored, whatever their column is declared as.

mod restore;
pub mod stored;
mod structure;

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use levada_core::backup::{Database, Found, Snapshot, Structure};
use levada_core::error::{Context, Error, ErrorKind, Result};
use levada_core::naming::{is_wildcard, matches};
use levada_core::source::StreamInfo;
use rusqlite::Connection;

use super::{File, snapshot};

/// The system's word in definitions.
const SYSTEM: &str = "sqlite";
/// How long a read waits for the connections of the read before.
const WAIT: Duration = Duration::from_secs(60);

/// Connections that see one snapshot, lent to one read after the other.
pub struct Pinned {
    free: Mutex<Vec<Connection>>,
    back: Condvar,
    streams: Mutex<HashMap<String, StreamInfo>>,
}

/// A connection for one read.
pub struct Reading {
    /// It.
    pub connection: Connection,
    home: Option<Arc<Pinned>>,
}

impl Reading {
    /// A connection that ends with the read.
    pub fn own(connection: Connection) -> Self {
        Self { connection, home: None }
    }

    /// Ends the read: a connection that was lent goes back.
    pub fn end(self) {
        if let Some(pinned) = self.home {
            pinned.free.lock().unwrap_or_else(PoisonError::into_inner).push(self.connection);
            pinned.back.notify_all();
        }
    }
}

impl Pinned {
    /// Connections of the view, at most as many, at least one.
    ///
    /// # Errors
    /// `Busy` where another read keeps them all.
    pub fn lend(self: &Arc<Self>, wanted: usize) -> Result<Vec<Reading>> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.back.wait_timeout_while(free, WAIT, |free| free.is_empty());
        let (mut free, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let first = free.len().saturating_sub(wanted.max(1));
        let lent: Vec<Reading> =
            free.drain(first..).map(|connection| Reading { connection, home: Some(self.clone()) }).collect();
        if lent.is_empty() {
            return Err(Error::new(ErrorKind::Busy, "another read keeps the view of the SQLite file"));
        }
        Ok(lent)
    }

    /// The streams that a selector means.
    pub fn discover(&self, selector: Option<&str>) -> Vec<StreamInfo> {
        let streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<StreamInfo> =
            streams.values().filter(|stream| selector.is_none_or(|s| s == stream.name)).cloned().collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found
    }

    /// From now on reads the texts of a stream as they are stored, also those that are no text.
    fn read_as_text(&self, stream: &str) -> bool {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.get_mut(stream).is_some_and(stored::tag_texts)
    }
}

impl Database for File {
    fn system(&self) -> &'static str {
        SYSTEM
    }

    fn snapshot<'a>(&'a self, tables: &'a [String]) -> BoxFuture<'a, Result<Snapshot>> {
        Box::pin(async move {
            let tables = tables.to_vec();
            self.blocking(move |file| take(&file, &tables).at(file.place())).await
        })
    }

    fn prepare<'a>(&'a self, structure: &'a Structure, replace: bool) -> BoxFuture<'a, Result<Vec<Found>>> {
        Box::pin(async move {
            let structure = structure.clone();
            self.blocking(move |file| restore::prepare(&file, &structure, replace).at(file.place())).await
        })
    }

    fn finish<'a>(&'a self, structure: &'a Structure) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(async move {
            let structure = structure.clone();
            self.blocking(move |file| restore::finish(&file, &structure).at(file.place())).await
        })
    }
}

fn take(file: &File, selectors: &[String]) -> Result<Snapshot> {
    let connections = snapshot::all_of_one_view(file)?;
    let first = &connections[0];
    let (names, mut left_out) = structure::names(first)?;
    let names = chosen(names, selectors)?;
    if !selectors.is_empty() {
        left_out.clear();
    }
    let mut structure = Structure { left_out, ..Structure::default() };
    let mut streams = Vec::new();
    for name in &names {
        structure.tables.push(structure::table(first, name)?);
        streams.push(stored::stream(first, name)?);
    }
    let by_name = streams.iter().map(|stream| (stream.name.clone(), stream.clone())).collect();
    let pinned = Arc::new(Pinned { free: Mutex::new(connections), back: Condvar::new(), streams: Mutex::new(by_name) });
    let connection = Arc::new(File { pinned: Some(pinned.clone()), ..file.clone() });
    let as_text = move |stream: &str| pinned.read_as_text(stream);
    Ok(Snapshot { structure, streams, connection, as_text: Box::new(as_text) })
}

/// Those of the tables that selectors mean; all without one.
fn chosen(names: Vec<String>, selectors: &[String]) -> Result<Vec<String>> {
    let means = |selector: &str, name: &str| {
        name.eq_ignore_ascii_case(selector) || is_wildcard(selector) && matches(selector, name)
    };
    for selector in selectors {
        if !names.iter().any(|name| means(selector, name)) {
            return Err(Error::new(ErrorKind::NotFound, "there is no such table").at(selector.clone()));
        }
    }
    let wanted = |name: &String| selectors.is_empty() || selectors.iter().any(|selector| means(selector, name));
    Ok(names.into_iter().filter(wanted).collect())
}
