//! REST APIs: the source suite against a server that serves tables, and what APIs do to those who read them.

mod access;
mod conformance;
mod failures;
mod incremental;
mod pages;
mod raw;
mod sends;
mod server;
mod shapes;

use std::sync::Arc;

use levada_core::connector::Connection;
use levada_core::error::{Error, Result};
use levada_core::position::Position;
use levada_core::source::{ReadMode, Source, StreamInfo};
use levada_testkit::pump::{self, Job};
use levada_testkit::rows::{self, Row};
use serde_json::{Value, json};

use server::Server;

fn connect(settings: Value) -> Result<Arc<dyn Connection>> {
    levada_connectors::registry().get("http").unwrap().connect(settings)
}

/// A source of a server: the settings with its address, fast where they say nothing of pauses.
fn source(server: &Server, mut settings: Value) -> Arc<dyn Source> {
    for (key, value) in [("url", json!(server.url())), ("private", json!(true)), ("pause_ms", json!(1))] {
        settings.as_object_mut().unwrap().entry(key).or_insert(value);
    }
    connect(settings).unwrap().source().unwrap()
}

async fn stream(source: &dyn Source, name: &str) -> Result<StreamInfo> {
    let mut found = source.discover(Some(name)).await?;
    assert_eq!(found.len(), 1, "`{name}`: {found:?}");
    Ok(found.remove(0))
}

fn job(mode: ReadMode) -> Job {
    Job { read: mode, ..Job::new(None, "t") }
}

fn from(cursor: &str, from: Option<Position>) -> ReadMode {
    ReadMode::Incremental { cursor: Some(cursor.to_owned()), from, lag: None, mark_overlap: false }
}

/// Every row of a stream as texts, and where it stands afterwards.
async fn read(source: &dyn Source, name: &str, mode: ReadMode) -> Result<(Vec<Row>, Option<Position>)> {
    let stream = stream(source, name).await?;
    let (batches, position) = pump::read(source, &stream, stream.schema.clone(), &job(mode)).await?;
    Ok((rows::sorted(&batches, &stream.schema), position))
}

/// The values of the first column of a full read, as numbers, in order.
async fn ids(source: &dyn Source, name: &str) -> Result<Vec<i64>> {
    let (rows, _) = read(source, name, ReadMode::Full).await?;
    let mut ids: Vec<i64> = rows.iter().map(|row| row[0].as_ref().unwrap().parse().unwrap()).collect();
    ids.sort_unstable();
    Ok(ids)
}

/// That an error tells nothing of these.
fn holds_none(error: &Error, secrets: &[&str]) {
    let told = format!("{error} {error:?}");
    assert!(secrets.iter().all(|secret| !told.contains(secret)), "{told}");
}

/// Records `{id}` from..to.
fn numbered(range: std::ops::Range<usize>) -> Vec<Value> {
    range.map(|id| json!({ "id": id, "name": format!("n{id}") })).collect()
}
