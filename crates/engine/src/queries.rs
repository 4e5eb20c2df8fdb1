//! Tasks that load the result of a query: what can be told of them without touching a system, and a query opened like a
//! connection to read from.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use levada_core::config::{Sql, Task, Work};
use levada_core::connector::{CheckStep, Connection, Registry};
use levada_core::destination::Destination;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::naming::{did_you_mean, nearest};
use levada_core::query::{QUERY_STREAM, Query};
use levada_core::source::Source;
use serde_json::Value as Json;

use crate::connections::Opened;

/// The connections that a task uses: those that it names, and those that its query reads. Of a query that is none, only the
/// former.
pub fn connections(registry: &Registry, task: &Task) -> Vec<String> {
    let named = task.connections().into_iter().map(str::to_owned);
    let mut all: Vec<String> = named.chain(sources(registry, &task.work)).collect();
    let mut seen = BTreeSet::new();
    all.retain(|name| seen.insert(name.clone()));
    all
}

/// The connections that what a task loads comes from, in the order of their names.
pub fn sources(registry: &Registry, work: &Work) -> Vec<String> {
    match work {
        Work::Sync(sync) => vec![sync.from.clone()],
        Work::Sql(sql) => {
            let outline = registry.queries().and_then(|queries| queries.check(&sql.query));
            let reads = outline.map(|outline| outline.reads).unwrap_or_default();
            let names: BTreeSet<String> = reads.into_iter().map(|read| read.connection).collect();
            names.into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// What is wrong with the query of a task, as far as its text tells, each with the keys below the task where it is; `known` are
/// the connections that there are.
pub fn mistakes(registry: &Registry, task: &Task, known: &[&str]) -> Vec<(Vec<String>, Error)> {
    let Work::Sql(sql) = &task.work else { return Vec::new() };
    let at_query = || ["sql", "query"].map(str::to_owned).to_vec();
    let outline = match registry.queries().and_then(|queries| queries.check(&sql.query)) {
        Ok(outline) => outline,
        Err(error) => return vec![(at_query(), error)],
    };
    let mut found = Vec::new();
    let read: BTreeSet<&str> = outline.reads.iter().map(|read| read.connection.as_str()).collect();
    for name in read.into_iter().filter(|name| !known.contains(name)) {
        let advice = match known {
            [] => "There are none: add `connections:`.".to_owned(),
            _ => format!("{}Connections: {}.", did_you_mean(nearest(name, known)), known.join(", ")),
        };
        let error = Error::new(ErrorKind::Config, format!("the query reads from `{name}`, which is no connection"));
        found.push((at_query(), error.advise(advice)));
    }
    for name in outline.params.iter().filter(|name| !sql.params.contains_key(*name)) {
        let error = Error::new(ErrorKind::Config, format!("the query wants a value for `${name}`"));
        found.push((at_query(), error.advise(format!("Add `params: {{ {name}: .. }}` beside it."))));
    }
    let wanted: Vec<&str> = outline.params.iter().map(String::as_str).collect();
    for name in sql.params.keys().filter(|name| !wanted.contains(&name.as_str())) {
        let list = if wanted.is_empty() { "none".to_owned() } else { wanted.join(", ") };
        let error = Error::new(ErrorKind::Config, format!("the query has no parameter `${name}`"));
        let advice = format!("{}Its parameters: {list}.", did_you_mean(nearest(name, &wanted)));
        found.push(([at_query().remove(0), "params".to_owned(), name.clone()].to_vec(), error.advise(advice)));
    }
    found
}

/// A query, as a connection to read its result from; what does not fit into memory goes to the folder `spill`.
///
/// # Errors
/// As of [`QueryEngine::source`](levada_core::query::QueryEngine::source), and of opening what the query reads.
pub fn open(
    registry: &Registry,
    asked: Asked<'_>,
    spill: PathBuf,
    open: impl Fn(&str) -> Result<Opened, Vec<Error>>,
) -> Result<Opened, Vec<Error>> {
    let one = |error| vec![error];
    let queries = registry.queries().map_err(one)?;
    let mut connections = BTreeMap::new();
    for read in queries.check(asked.sql).map_err(one)?.reads {
        if let Entry::Vacant(place) = connections.entry(read.connection) {
            let opened = open(place.key())?;
            place.insert(opened.connection);
        }
    }
    let query = Query {
        sql: asked.sql.to_owned(),
        params: asked.params.clone(),
        connections,
        memory_bytes: usize::try_from(asked.memory_bytes).unwrap_or(usize::MAX),
        spill,
    };
    let source = queries.source(query).map_err(one)?;
    let connection = Arc::new(QueryResult { source });
    Ok(Opened { name: QUERY_STREAM.to_owned(), connection, namespaces: false })
}

/// What is asked of the engine.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The statement.
    pub sql: &'a str,
    /// The values of its parameters.
    pub params: &'a BTreeMap<String, Json>,
    /// How many bytes it may take.
    pub memory_bytes: u64,
}

impl<'a> From<&'a Sql> for Asked<'a> {
    fn from(sql: &'a Sql) -> Self {
        Self { sql: &sql.query, params: &sql.params, memory_bytes: sql.memory_bytes }
    }
}

/// The result of a query, which can be read and nothing else.
struct QueryResult {
    source: Arc<dyn Source>,
}

impl Connection for QueryResult {
    fn address(&self) -> String {
        QUERY_STREAM.to_owned()
    }

    fn source(self: Arc<Self>) -> Result<Arc<dyn Source>> {
        Ok(self.source.clone())
    }

    fn destination(self: Arc<Self>) -> Result<Arc<dyn Destination>> {
        Err(Error::new(ErrorKind::Unsupported, "the result of a query cannot be written"))
    }

    fn check(&self) -> BoxFuture<'_, Vec<CheckStep>> {
        Box::pin(std::future::ready(Vec::new()))
    }
}
