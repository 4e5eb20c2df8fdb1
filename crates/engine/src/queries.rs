//! Tasks that load the result of a query: what can be told of them without touching a system, and a query opened like a
//! connection to read from.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use levada_core::config::{Sql, StreamOptions, Task, TestQuery, Work};
use levada_core::connector::{CheckStep, Connection, Registry};
use levada_core::destination::Destination;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::naming::{did_you_mean, nearest};
use levada_core::query::{QUERY_STREAM, Query};
use levada_core::source::Source;
use serde_json::Value as Json;

use crate::connections::Opened;

/// How many times its memory a query may take of the disk.
const SPILL_TIMES: u64 = 64;

/// The connections that a task uses: those that it names, and those that its query reads. Of a query that is none, only the
/// former.
pub fn connections(registry: &Registry, task: &Task) -> Vec<String> {
    let named = task.connections().into_iter().map(str::to_owned);
    let tested = match &task.work {
        Work::Check(check) => check.queries().flat_map(|(_, query)| read(registry, &query.query)).collect(),
        _ => BTreeSet::new(),
    };
    let mut all: Vec<String> = named.chain(sources(registry, &task.work)).chain(tested).collect();
    let mut seen = BTreeSet::new();
    all.retain(|name| seen.insert(name.clone()));
    all
}

/// The connections that what a task loads comes from, in the order of their names.
pub fn sources(registry: &Registry, work: &Work) -> Vec<String> {
    match work {
        Work::Sync(sync) => vec![sync.from.clone()],
        Work::Sql(sql) => read(registry, &sql.query).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// The connections that a query reads; none if it is none.
fn read(registry: &Registry, sql: &str) -> BTreeSet<String> {
    let outline = registry.queries().and_then(|queries| queries.check(sql));
    let reads = outline.map(|outline| outline.reads).unwrap_or_default();
    reads.into_iter().map(|read| read.connection).collect()
}

/// What is wrong with the queries of a task, as far as their texts tell, each with the keys below the task where it is; `known`
/// are the connections that there are.
pub fn mistakes(registry: &Registry, task: &Task, known: &[&str]) -> Vec<(Vec<String>, Error)> {
    match &task.work {
        Work::Sql(sql) => mistakes_of(registry, &["sql"], &sql.query, &sql.params, known),
        Work::Sync(sync) => {
            let keys: BTreeSet<String> = sync.keys.keys().cloned().collect();
            let computed = |(name, options): &(String, StreamOptions)| {
                if options.transform.is_empty() {
                    return Vec::new();
                }
                let at = |more: &[&str]| {
                    let keys = ["sync", "streams", name, "transform"];
                    keys.iter().chain(more).map(|key| (*key).to_owned()).collect::<Vec<_>>()
                };
                match registry.queries() {
                    Ok(queries) => {
                        let wrong = queries.check_columns(&options.transform, &keys).into_iter();
                        wrong.map(|(column, error)| (at(&[&column]), error)).collect()
                    }
                    Err(error) => vec![(at(&[]), error)],
                }
            };
            sync.streams.iter().flat_map(computed).collect()
        }
        Work::Check(check) => {
            let of = |(at, query): (usize, &TestQuery)| {
                let at = at.to_string();
                let keys = ["check", "tests", at.as_str(), "sql"];
                mistakes_of(registry, &keys, &query.query, &query.params, known)
            };
            check.queries().flat_map(of).collect()
        }
        _ => Vec::new(),
    }
}

/// What is wrong with a query that somebody asks, as far as its text tells; `known` are the connections that there are.
/// Answers the names of those that it reads.
///
/// # Errors
/// Every mistake.
pub fn check(registry: &Registry, asked: Asked<'_>, known: &[&str]) -> Result<BTreeSet<String>, Vec<Error>> {
    let mistakes = mistakes_of(registry, &[], asked.sql, asked.params, known);
    match mistakes.is_empty() {
        true => Ok(read(registry, asked.sql)),
        false => Err(mistakes.into_iter().map(|(_, error)| error).collect()),
    }
}

/// What is wrong with a query whose text and parameters stand below these keys.
fn mistakes_of(
    registry: &Registry,
    keys: &[&str],
    sql: &str,
    params: &BTreeMap<String, Json>,
    known: &[&str],
) -> Vec<(Vec<String>, Error)> {
    let at = |more: &[&str]| keys.iter().chain(more).map(|key| (*key).to_owned()).collect::<Vec<_>>();
    let at_query = || at(&["query"]);
    let outline = match registry.queries().and_then(|queries| queries.check(sql)) {
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
    for name in outline.params.iter().filter(|name| !params.contains_key(*name)) {
        let error = Error::new(ErrorKind::Config, format!("the query wants a value for `${name}`"));
        found.push((at_query(), error.advise(format!("Add `params: {{ {name}: .. }}` beside it."))));
    }
    let wanted: Vec<&str> = outline.params.iter().map(String::as_str).collect();
    for name in params.keys().filter(|name| !wanted.contains(&name.as_str())) {
        let list = if wanted.is_empty() { "none".to_owned() } else { wanted.join(", ") };
        let error = Error::new(ErrorKind::Config, format!("the query has no parameter `${name}`"));
        let advice = format!("{}Its parameters: {list}.", did_you_mean(nearest(name, &wanted)));
        found.push((at(&["params", name]), error.advise(advice)));
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
        spill_bytes: asked.memory_bytes.saturating_mul(SPILL_TIMES),
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
