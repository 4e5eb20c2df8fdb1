//! One commit of a table: built on the version that was just read, and refused by the store if another one came first.

use std::collections::BTreeSet;

use arrow_schema::{DataType, SchemaRef};
use deltalake::DeltaTable;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties, TableReference};
use deltalake::kernel::{Action, Metadata, MetadataExt as _, Protocol, Transaction, new_metadata};
use deltalake::protocol::{DeltaOperation, SaveMode};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::position::StreamKey;
use serde_json::{Value, json};

use crate::columns::structure;
use crate::error;
use crate::place::Place;
use crate::positions::{self, Number};

/// What is committed besides rows.
pub struct Mark<'a> {
    /// The stream.
    pub key: &'a StreamKey,
    /// The number of its commit.
    pub number: Number,
    /// The load, for people who read the log.
    pub load_id: &'a str,
}

/// How a try to commit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tried {
    /// It is durable.
    Done,
    /// Another commit came first; nothing changed.
    Lost,
    /// A later commit of the same stream is there: this one did not come to be, or was built on by now.
    Passed,
}

/// Kinds of failures after which a commit does not come to be.
const NEVER: &[ErrorKind] =
    &[ErrorKind::Unsupported, ErrorKind::Refused, ErrorKind::Permission, ErrorKind::Auth, ErrorKind::Full];

/// Tries to commit actions as the version after that of `base`, or as the first one of a new table.
///
/// # Errors
/// Those of the store and of the table; whether the commit came to be is told by the log itself before any is. Where not even
/// that can be read, or tells of no other commit in its place, it may still come to be.
pub async fn attempt(
    place: &Place,
    target: &str,
    base: Option<&DeltaTable>,
    actions: Vec<Action>,
    mode: SaveMode,
    mark: &Mark<'_>,
) -> Result<Tried> {
    let state = base.map(DeltaTable::snapshot).transpose().map_err(error::delta)?;
    let version = base.and_then(DeltaTable::version).map_or(0, |version| version + 1);
    let now = chrono::Utc::now().timestamp_millis();
    let txn = Transaction::new_with_last_update(positions::app_id(mark.key), mark.number, Some(now));
    let told = json!({ "pipeline": mark.key.pipeline, "stream": mark.key.stream, "load": mark.load_id });
    let properties = CommitProperties::default()
        .with_application_transaction(txn)
        .with_metadata([("levada".to_owned(), told)])
        .with_max_retries(0);
    let operation = DeltaOperation::Write { mode, partition_by: None, predicate: None };
    let commit = CommitBuilder::from(properties).with_actions(actions).build(
        state.map(|state| state as &dyn TableReference),
        place.handle(target)?.log_store(),
        operation,
    );
    let Err(failure) = commit.await else { return Ok(Tried::Done) };
    // an answer may have been lost, and what follows a commit may fail: what counts is the log
    let failure = error::delta(failure);
    let message = failure.message().to_owned();
    let open = |reason: String| {
        Error::new(ErrorKind::Connect, format!("it is not known whether the commit came to be: {message}{reason}"))
            .advise("Run again: it begins with what the table says then.")
    };
    // the store was not asked, or said no
    let refused = Some(failure).filter(|failure| NEVER.contains(&failure.kind()));
    let table = place.newest(target).await.map_err(|error| open(format!("; and {error}")))?;
    let Some(table) = table else { return refused.map_or_else(|| Err(open(String::new())), Err) };
    match positions::number_in(&table, mark.key).await.map_err(|error| open(format!("; and {error}")))? {
        Some(number) if number == mark.number => {
            tracing::debug!("after the commit: {message}");
            Ok(Tried::Done)
        }
        Some(number) if number > mark.number => Ok(Tried::Passed),
        // the place of the commit is taken, so it never comes
        _ if table.version() >= Some(version) => Ok(Tried::Lost),
        _ => refused.map_or_else(|| Err(open(String::new())), Err),
    }
}

/// So many commits are read at most to know a new table, besides its last checkpoint.
const CHECKPOINTS: (&str, &str) = ("delta.checkpointInterval", "10");

/// The actions that make a table.
///
/// # Errors
/// `Schema`.
pub fn creation(columns: &SchemaRef) -> Result<Vec<Action>> {
    let metadata = new_metadata(&structure(columns)?, Vec::<String>::new(), [CHECKPOINTS]);
    let plain = json!({ "minReaderVersion": 1, "minWriterVersion": 2 });
    let protocol = if has_local_time(columns) { upgraded(plain) } else { plain };
    Ok(vec![Action::Protocol(parsed(protocol)?), Action::Metadata(metadata.map_err(error::delta)?)])
}

/// The actions that give a table other columns.
///
/// # Errors
/// `Schema`.
pub fn alteration(table: &DeltaTable, columns: &SchemaRef) -> Result<Vec<Action>> {
    let state = table.snapshot().map_err(error::delta)?;
    let structure = structure(columns)?;
    let known: Metadata = state.metadata().clone();
    if known.parse_schema().is_ok_and(|schema| schema == structure) {
        return Ok(Vec::new());
    }
    let mut actions = vec![Action::Metadata(known.with_schema(&structure).map_err(error::delta)?)];
    let protocol = serde_json::to_value(state.protocol()).map_err(broken)?;
    let has_feature = protocol["writerFeatures"].as_array().is_some_and(|all| all.contains(&json!(LOCAL_TIME)));
    if has_local_time(columns) && !has_feature {
        actions.push(Action::Protocol(parsed(upgraded(protocol))?));
    }
    Ok(actions)
}

/// The feature that a table with timestamps without a zone needs.
const LOCAL_TIME: &str = "timestampNtz";

fn has_local_time(columns: &SchemaRef) -> bool {
    columns.fields().iter().any(|field| matches!(field.data_type(), DataType::Timestamp(_, None)))
}

/// A protocol with that feature; those that older versions imply are named, as the Delta protocol has it ("Table Features").
fn upgraded(protocol: Value) -> Value {
    let known = |name: &str| -> BTreeSet<String> {
        let list = protocol[name].as_array().cloned().unwrap_or_default();
        list.iter().filter_map(|feature| feature.as_str().map(str::to_owned)).collect()
    };
    let (reader, writer) = (protocol["minReaderVersion"].as_u64(), protocol["minWriterVersion"].as_u64());
    let mut readers = known("readerFeatures");
    let mut writers = known("writerFeatures");
    if reader == Some(2) {
        readers.insert("columnMapping".to_owned());
    }
    let implied = [
        (2, "appendOnly"),
        (2, "invariants"),
        (3, "checkConstraints"),
        (4, "changeDataFeed"),
        (4, "generatedColumns"),
        (5, "columnMapping"),
        (6, "identityColumns"),
    ];
    if let Some(version) = writer.filter(|version| *version < 7) {
        writers.extend(implied.iter().filter(|(since, _)| *since <= version).map(|(_, name)| (*name).to_owned()));
    }
    readers.insert(LOCAL_TIME.to_owned());
    writers.insert(LOCAL_TIME.to_owned());
    json!({ "minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": readers, "writerFeatures": writers })
}

fn parsed(protocol: Value) -> Result<Protocol> {
    serde_json::from_value(protocol).map_err(broken)
}

fn broken(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::Internal, format!("the protocol of a table: {error}"))
}
