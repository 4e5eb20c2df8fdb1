//! The `sync` task: which streams go from one connection to another and how. First as written ([`SyncDocument`], every
//! option optional), then as meant ([`Sync`], every default and every rule applied).

mod forms;
mod rules;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::amount::BytesText;
use crate::destination::WriteMode;
use crate::naming::{is_wildcard, matches};
use crate::schema::OnSchemaChange;
use crate::secret::Secret;

pub use rules::MEMORY_BYTES_DEFAULT;
pub(super) use rules::Place;

/// Copies streams from one connection to another.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a sync with the keys `from`, `to` and `streams`")]
#[schemars(title = "Sync")]
pub struct SyncDocument {
    /// The connection to read from.
    pub from: String,
    /// The connection to write to.
    pub to: String,
    /// Options of every stream that does not say otherwise.
    #[serde(default)]
    pub defaults: StreamDocument,
    /// The streams by name or wildcard, as a list of names or with options for each.
    pub streams: Streams,
    /// Keys of the functions in `transform` that take one, by the names they have there (`$name`), for instance
    /// `${secret:name}`. They are stored and shown nowhere.
    #[serde(default)]
    pub keys: BTreeMap<String, Secret>,
    /// How many readers and writers work on one stream at once; by default as many as there are cores.
    pub parallel: Option<Parallel>,
    /// How much memory batches on their way may take, for instance `128MB`.
    pub memory: Option<BytesText>,
}

/// The options of a stream; each is optional.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "the options of a stream")]
#[schemars(title = "Stream options")]
pub struct StreamDocument {
    /// `full` (the default) reads every row, `incremental` the new and changed ones.
    pub read: Option<ReadKind>,
    /// The column by which new and changed rows are told.
    pub cursor: Option<String>,
    /// How far before the last cursor value to look again: a number, or a duration such as `5m`.
    #[serde(deserialize_with = "forms::lag")]
    #[schemars(with = "Option<forms::LagSchema>")]
    pub lag: Option<String>,
    /// The columns that name a row; by default the source's primary key.
    pub key: Option<Vec<String>>,
    /// `replace` (the default of full reads), `append`, or `merge` (the default of incremental reads with a `key`).
    pub write: Option<WriteMode>,
    /// The target's name; `{table}` and `{namespace}` stand for those of the stream, a dot separates a namespace.
    pub rename: Option<String>,
    /// Which columns, under which names and types.
    pub columns: Option<Columns>,
    /// Columns that are computed from those of their row at the source, by SQL: new ones, or in place of those of the same names.
    pub transform: Option<BTreeMap<String, String>>,
    /// What happens to a row that the destination cannot take: `fail` (the default) or `quarantine`.
    pub on_bad_row: Option<OnBadRow>,
    /// What may happen to the target's columns: `evolve` (the default), `freeze` or `ignore_new`.
    pub on_schema_change: Option<OnSchemaChange>,
    /// How the load is proved: `counts` (the default) or `checksum`.
    pub verify: Option<Verify>,
    /// Leaves the stream out, also where a wildcard matches it, until it is taken away; what was loaded stays.
    pub paused: Option<bool>,
}

/// Which rows a run reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReadKind {
    /// Every row.
    #[default]
    Full,
    /// New and changed rows.
    Incremental,
}

/// What happens to a row that the destination cannot take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnBadRow {
    /// The load fails and changes nothing.
    #[default]
    Fail,
    /// The row goes into the quarantine with its reason; the others are loaded.
    Quarantine,
}

/// How a load is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verify {
    /// Rows are counted on both sides.
    #[default]
    Counts,
    /// The destination is read again, and a content hash of each column compared.
    Checksum,
}

/// Which columns are loaded, and how.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "the column options of a stream")]
pub struct Columns {
    /// Only these columns; all of them if empty.
    pub include: Vec<String>,
    /// Not these columns.
    pub exclude: Vec<String>,
    /// New names, by source name.
    pub rename: BTreeMap<String, String>,
    /// Types by source name, for instance `decimal(10,2)`.
    pub cast: BTreeMap<String, String>,
    /// Columns replaced by the SHA-256 of their text.
    pub hash: Vec<String>,
}

/// How many readers and writers work on one stream at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Parallel {
    /// At most this many readers.
    pub readers: Option<u16>,
    /// At most this many writers.
    pub writers: Option<u16>,
}

/// The streams of a sync, in the order of the document.
#[derive(Debug, Clone, Default)]
pub struct Streams(pub Vec<(String, StreamDocument)>);

/// Copies streams from one connection to another; every default is applied.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sync {
    /// The name of the connection to read from.
    pub from: String,
    /// The name of the connection to write to.
    pub to: String,
    /// Stream names or wildcards with their options, in the order of the document.
    pub streams: Vec<(String, StreamOptions)>,
    /// Keys that expressions of `transform` may name.
    #[serde(skip)]
    pub keys: BTreeMap<String, Secret>,
    /// How many readers and writers work on one stream at once, where the document says so.
    pub parallel: Parallel,
    /// How many bytes batches on their way may take.
    pub memory_bytes: u64,
}

/// What is done with a stream.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StreamOptions {
    /// Which rows are read.
    pub read: ReadKind,
    /// The column by which new and changed rows are told; only with an incremental read.
    pub cursor: Option<String>,
    /// How far before the last cursor value to look again; only with a cursor.
    pub lag: Option<String>,
    /// The columns that name a row, by source name; empty where the source is to tell.
    pub key: Vec<String>,
    /// How rows get in.
    pub write: WriteMode,
    /// The target's name as a template.
    pub rename: Option<String>,
    /// Which columns, under which names and types.
    pub columns: Columns,
    /// Expressions of SQL by the columns that they compute; all other options see these columns.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub transform: BTreeMap<String, String>,
    /// What happens to a row that the destination cannot take.
    pub on_bad_row: OnBadRow,
    /// What may happen to the target's columns.
    pub on_schema_change: OnSchemaChange,
    /// How the load is proved.
    pub verify: Verify,
    /// Whether it is left out.
    pub paused: bool,
}

impl Sync {
    /// Which entry of `streams` a discovered stream belongs to: the one with its exact name, else the first wildcard
    /// that matches.
    pub fn entry_for(&self, stream: &str) -> Option<usize> {
        let exact = self.streams.iter().position(|(name, _)| name == stream);
        exact.or_else(|| self.streams.iter().position(|(name, _)| is_wildcard(name) && matches(name, stream)))
    }

    /// Whether a stream that a connector finds by the name of an entry is that entry's: a connector may read a wildcard in
    /// more ways than the bare text of a name, and a stream named in full goes before a wildcard.
    pub fn is_selected_by(&self, entry: usize, stream: &str) -> bool {
        let is_pattern = self.streams.get(entry).is_some_and(|(name, _)| is_wildcard(name));
        !is_pattern || self.entry_for(stream).is_none_or(|other| other == entry)
    }
}

impl StreamOptions {
    /// The wanted namespace and table of the target, for a stream of this namespace and table.
    pub fn target(&self, namespace: Option<&str>, table: &str) -> (Option<String>, String) {
        let Some(template) = &self.rename else { return (namespace.map(str::to_owned), table.to_owned()) };
        let fill = |part: &str| part.replace("{namespace}", namespace.unwrap_or_default()).replace("{table}", table);
        match template.split_once('.') {
            Some((namespace, table)) => (Some(fill(namespace)), fill(table)),
            None => (namespace.map(str::to_owned), fill(template)),
        }
    }
}
