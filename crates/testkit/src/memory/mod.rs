//! A system in memory, source and destination at once, with transactional commits: what the engine's tests run on. It
//! keeps rows as canonical text and is not fast.

mod destination;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use arrow_schema::SchemaRef;
use futures_util::future::BoxFuture;
use levada_core::batch::Reject;
use levada_core::connector::{CheckStep, Connection};
use levada_core::destination::Destination;
use levada_core::error::Result;
use levada_core::position::{Commit, StreamKey};
use levada_core::source::{Source, StreamInfo};

use crate::rows::Row;

/// A system that lives as long as its last clone.
#[derive(Clone, Default)]
pub struct Memory {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    tables: BTreeMap<String, Table>,
    commits: BTreeMap<(String, String), Commit>,
    /// With the name of the load that put them there.
    rejects: Vec<(StreamKey, String, Reject)>,
    held: BTreeSet<(String, String)>,
    refused: BTreeSet<(String, String)>,
    forgery: Option<[String; 4]>,
}

#[derive(Clone)]
struct Table {
    schema: SchemaRef,
    rows: Vec<Row>,
}

impl Memory {
    /// An empty system.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a table in place, or another in its place.
    pub fn put(&self, name: &str, schema: &SchemaRef, rows: Vec<Row>) {
        self.lock().tables.insert(name.to_owned(), Table { schema: schema.clone(), rows });
    }

    /// Adds rows to a table that exists.
    pub fn add(&self, name: &str, rows: Vec<Row>) {
        self.lock().tables.get_mut(name).expect("the table exists").rows.extend(rows);
    }

    /// The rows of a table, ordered, or `None` if there is no such table.
    pub fn rows(&self, name: &str) -> Option<Vec<Row>> {
        let mut rows = self.lock().tables.get(name)?.rows.clone();
        rows.sort();
        Some(rows)
    }

    /// The columns of a table.
    pub fn schema(&self, name: &str) -> Option<SchemaRef> {
        self.lock().tables.get(name).map(|table| table.schema.clone())
    }

    /// Everything in the quarantine of a stream.
    pub fn rejects(&self, key: &StreamKey) -> Vec<Reject> {
        self.lock().rejects.iter().filter(|(k, ..)| k == key).map(|(.., reject)| reject.clone()).collect()
    }

    /// From now on writers refuse rows with this text in this column.
    pub fn refuse(&self, column: &str, text: &str) {
        self.lock().refused.insert((column.to_owned(), text.to_owned()));
    }

    /// From now on writers refuse nothing.
    pub fn refuse_nothing(&self) {
        self.lock().refused.clear();
    }

    /// The next commit to a table that holds this text in this column stores another text in its place, in silence.
    pub fn corrupt_next_commit(&self, table: &str, column: &str, text: &str, forged: &str) {
        let forgery = [table, column, text, forged].map(str::to_owned);
        self.lock().forgery = Some(forgery);
    }

    /// How many loads are held open.
    pub fn live_loads(&self) -> usize {
        self.lock().held.len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no test panicked while it held the state")
    }

    fn info(name: &str, table: &Table) -> StreamInfo {
        StreamInfo {
            name: name.to_owned(),
            namespace: None,
            table: name.to_owned(),
            schema: table.schema.clone(),
            key: Vec::new(),
            rows_estimate: Some(table.rows.len() as u64),
            bytes_estimate: None,
            raw: None,
            typed_by_request: false,
        }
    }
}

fn pair(key: &StreamKey) -> (String, String) {
    (key.pipeline.clone(), key.stream.clone())
}

impl Connection for Memory {
    fn address(&self) -> String {
        format!("memory:{:p}", Arc::as_ptr(&self.state))
    }

    fn source(self: Arc<Self>) -> Result<Arc<dyn Source>> {
        Ok(self)
    }

    fn destination(self: Arc<Self>) -> Result<Arc<dyn Destination>> {
        Ok(self)
    }

    fn check(&self) -> BoxFuture<'_, Vec<CheckStep>> {
        Box::pin(async { Vec::new() })
    }
}
