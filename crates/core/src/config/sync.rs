//! The `sync` task: which streams go from one connection to another and how. First as written ([`SyncDocument`], every
//! option optional), then as meant ([`Sync`], every default and every rule applied).

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::amount::{BytesText, NumberOrText, parse_duration};
use crate::destination::WriteMode;
use crate::naming::{is_wildcard, matches};
use crate::schema::{OnSchemaChange, parse_type};

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
    #[serde(deserialize_with = "lag")]
    #[schemars(with = "Option<LagSchema>")]
    pub lag: Option<String>,
    /// The columns that name a row; by default the source's primary key.
    pub key: Option<Vec<String>>,
    /// `replace` (the default of full reads), `append`, or `merge` (the default of incremental reads with a `key`).
    pub write: Option<WriteMode>,
    /// The target's name; `{table}` and `{namespace}` stand for those of the stream, a dot separates a namespace.
    pub rename: Option<String>,
    /// Which columns, under which names and types.
    pub columns: Option<Columns>,
    /// What happens to a row that the destination cannot take: `fail` (the default) or `quarantine`.
    pub on_bad_row: Option<OnBadRow>,
    /// What may happen to the target's columns: `evolve` (the default), `freeze` or `ignore_new`.
    pub on_schema_change: Option<OnSchemaChange>,
    /// How the load is proved: `counts` (the default) or `checksum`.
    pub verify: Option<Verify>,
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
    /// What happens to a row that the destination cannot take.
    pub on_bad_row: OnBadRow,
    /// What may happen to the target's columns.
    pub on_schema_change: OnSchemaChange,
    /// How the load is proved.
    pub verify: Verify,
}

/// A rule that a document breaks, and the keys that lead to the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Keys from the sync down to the option at fault.
    pub path: Vec<String>,
    /// What is wrong, as one sentence.
    pub message: String,
    /// What to do.
    pub advice: String,
}

/// The memory that batches on their way may take where the document says nothing.
pub const MEMORY_BYTES_DEFAULT: u64 = 64 << 20;
const MEMORY_BYTES_MIN: u64 = 8 << 20;

impl Sync {
    /// Which entry of `streams` a discovered stream belongs to: the one with its exact name, else the first wildcard
    /// that matches.
    pub fn entry_for(&self, stream: &str) -> Option<usize> {
        let exact = self.streams.iter().position(|(name, _)| name == stream);
        exact.or_else(|| self.streams.iter().position(|(name, _)| is_wildcard(name) && matches(name, stream)))
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

impl SyncDocument {
    /// Applies defaults and rules.
    ///
    /// # Errors
    /// Every rule that is broken.
    pub fn resolve(&self) -> Result<Sync, Vec<Problem>> {
        let mut problems = Problems::default();
        if self.streams.0.is_empty() {
            problems.add(&["streams"], "there are no streams", "Name at least one stream, or `\"*\"` for all.");
        }
        if self.defaults.columns.is_some() {
            let advice = "Move them to the streams that have these columns.";
            problems.add(&["defaults", "columns"], "`columns` belong to a stream", advice);
        }
        let memory_bytes = self.memory.map_or(MEMORY_BYTES_DEFAULT, |bytes| bytes.0);
        if memory_bytes < MEMORY_BYTES_MIN {
            problems.add(&["memory"], "that is too little memory to work with", "Give at least 8MiB.");
        }
        let parallel = self.parallel.unwrap_or_default();
        if parallel.readers == Some(0) || parallel.writers == Some(0) {
            problems.add(&["parallel"], "there has to be a reader and a writer", "Give at least 1.");
        }
        let streams =
            self.streams.0.iter().map(|(name, own)| (name.clone(), self.stream(name, own, &mut problems))).collect();
        if !problems.0.is_empty() {
            return Err(problems.0);
        }
        Ok(Sync { from: self.from.clone(), to: self.to.clone(), streams, parallel, memory_bytes })
    }

    fn stream(&self, name: &str, own: &StreamDocument, problems: &mut Problems) -> StreamOptions {
        let all = &self.defaults;
        let read = own.read.or(all.read).unwrap_or_default();
        let incremental = read == ReadKind::Incremental;
        let key = own.key.clone().or_else(|| all.key.clone()).unwrap_or_default();
        let write = own.write.or(all.write).unwrap_or(match read {
            ReadKind::Full => WriteMode::Replace,
            ReadKind::Incremental if key.is_empty() => WriteMode::Append,
            ReadKind::Incremental => WriteMode::Merge,
        });
        let cursor = own.cursor.clone().or_else(|| all.cursor.clone()).filter(|_| incremental);
        let lag = own.lag.clone().or_else(|| all.lag.clone()).filter(|_| incremental);
        let rename = own.rename.clone().or_else(|| all.rename.clone());
        let columns = own.columns.clone().unwrap_or_default();

        let place = |option: &'static str, in_own: bool| -> Vec<String> {
            let path: &[&str] = if in_own { &["streams", name, option] } else { &["defaults", option] };
            path.iter().map(|key| (*key).to_owned()).collect()
        };
        if incremental && write == WriteMode::Replace {
            let message = "`write: replace` would leave only the newest rows of an incremental read".to_owned();
            let advice = "Use `write: merge` (with a key) or `write: append`, or `read: full`.";
            problems.push(place("write", own.write.is_some()), message, advice);
        }
        for (option, given) in [("cursor", own.cursor.is_some()), ("lag", own.lag.is_some())] {
            if given && !incremental {
                let message = format!("`{option}` has no meaning with `read: full`");
                problems.add(&["streams", name, option], &message, "Add `read: incremental`, or remove it.");
            }
        }
        if let Some(lag) = &lag {
            check_lag(lag, cursor.as_deref(), &place("lag", own.lag.is_some()), problems);
        }
        if let Some(rename) = &rename {
            check_rename(rename, &place("rename", own.rename.is_some()), problems);
        }
        check_columns(name, &columns, &key, cursor.as_deref(), problems);
        StreamOptions {
            read,
            cursor,
            lag,
            key,
            write,
            rename,
            columns,
            on_bad_row: own.on_bad_row.or(all.on_bad_row).unwrap_or_default(),
            on_schema_change: own.on_schema_change.or(all.on_schema_change).unwrap_or_default(),
            verify: own.verify.or(all.verify).unwrap_or_default(),
        }
    }
}

#[derive(Default)]
struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, path: &[&str], message: &str, advice: &str) {
        let path = path.iter().map(|key| (*key).to_owned()).collect();
        self.push(path, message.to_owned(), advice);
    }

    fn push(&mut self, path: Vec<String>, message: String, advice: &str) {
        let problem = Problem { path, message, advice: advice.to_owned() };
        if !self.0.contains(&problem) {
            self.0.push(problem);
        }
    }
}

fn check_lag(lag: &str, cursor: Option<&str>, path: &[String], problems: &mut Problems) {
    if lag.parse::<f64>().is_err() && parse_duration(lag).is_err() || lag.starts_with('-') {
        let message = format!("`{lag}` is neither a number nor a duration");
        problems.push(path.to_vec(), message, "Write for instance `1000` for a number, or `5m` for a time.");
    }
    if cursor.is_none() {
        problems.push(path.to_vec(), "`lag` needs a `cursor`".to_owned(), "Add `cursor: column`.");
    }
}

fn check_rename(rename: &str, path: &[String], problems: &mut Problems) {
    let bare = rename.replace("{table}", "").replace("{namespace}", "");
    if bare.contains(['{', '}']) {
        let message = format!("`{rename}` has a placeholder that does not exist");
        problems.push(path.to_vec(), message, "Placeholders: {table} and {namespace}.");
    }
    let (in_namespace, table) = rename.split_once('.').map_or((false, rename), |(_, table)| (true, table));
    if table.is_empty() || in_namespace && rename.starts_with('.') {
        problems.push(path.to_vec(), "the new name is empty".to_owned(), "Write a name such as `dim_{table}`.");
    }
}

fn check_columns(stream: &str, columns: &Columns, key: &[String], cursor: Option<&str>, problems: &mut Problems) {
    let at = |leaf: &'static str, rest: Option<&str>| -> Vec<String> {
        ["streams", stream, "columns", leaf].into_iter().chain(rest).map(str::to_owned).collect()
    };
    let out = |name: &str| {
        columns.exclude.iter().any(|c| c == name)
            || !columns.include.is_empty() && !columns.include.iter().any(|c| c == name)
    };
    for name in &columns.include {
        if columns.exclude.contains(name) {
            let message = format!("the column `{name}` is both included and excluded");
            problems.push(at("exclude", None), message, "Remove it from one of the lists.");
        }
    }
    for (name, data_type) in &columns.cast {
        if let Err(error) = parse_type(data_type) {
            problems.push(at("cast", Some(name)), error.message().to_owned(), error.advice());
        }
        if columns.hash.contains(name) {
            let message = format!("the column `{name}` is both cast and hashed");
            problems.push(at("cast", Some(name)), message, "A hash is always text; remove the cast.");
        }
    }
    for (leaf, names) in [
        ("rename", columns.rename.keys().collect::<Vec<_>>()),
        ("cast", columns.cast.keys().collect()),
        ("hash", columns.hash.iter().collect()),
    ] {
        for name in names.into_iter().filter(|name| out(name)) {
            let message = format!("the column `{name}` is not loaded");
            problems.push(at(leaf, Some(name)), message, "Include the column, or remove it here.");
        }
    }
    for name in key.iter().filter(|name| out(name)) {
        let message = format!("the key column `{name}` is not loaded");
        problems.push(at("exclude", None), message, "Include the column, or choose another key.");
    }
    if let Some(cursor) = cursor.filter(|name| columns.hash.iter().any(|hashed| hashed == name)) {
        let message = format!("the cursor column `{cursor}` is hashed");
        problems.push(at("hash", None), message, "Choose another cursor, or load the column as it is.");
    }
    let mut seen = BTreeMap::new();
    for (from, to) in &columns.rename {
        if let Some(other) = seen.insert(to, from) {
            let message = format!("the columns `{other}` and `{from}` would both be called `{to}`");
            problems.push(at("rename", Some(from)), message, "Give one of them another name.");
        }
        if to.is_empty() {
            problems.push(at("rename", Some(from)), "the new name is empty".to_owned(), "Write a name.");
        }
    }
}

fn lag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Option::<NumberOrText>::deserialize(deserializer)? {
        Some(NumberOrText::Number(number)) => Some(number.to_string()),
        Some(NumberOrText::Text(text)) => Some(text),
        None => None,
    })
}

struct LagSchema;

impl JsonSchema for LagSchema {
    fn schema_name() -> Cow<'static, str> {
        "Lag".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer"] })
    }
}

impl<'de> Deserialize<'de> for Streams {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StreamsVisitor;
        impl<'de> Visitor<'de> for StreamsVisitor {
            type Value = Streams;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of stream names, or streams with their options")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Streams, A::Error> {
                let mut streams: Vec<(String, StreamDocument)> = Vec::new();
                while let Some(name) = items.next_element::<String>()? {
                    if streams.iter().all(|(known, _)| *known != name) {
                        streams.push((name, StreamDocument::default()));
                    }
                }
                Ok(Streams(streams))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Streams, A::Error> {
                let mut streams = Vec::new();
                while let Some(entry) = entries.next_entry()? {
                    streams.push(entry);
                }
                Ok(Streams(streams))
            }

            fn visit_unit<E>(self) -> Result<Streams, E> {
                Ok(Streams::default())
            }
        }
        deserializer.deserialize_any(StreamsVisitor)
    }
}

impl JsonSchema for Streams {
    fn schema_name() -> Cow<'static, str> {
        "Streams".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let options = generator.subschema_for::<StreamDocument>();
        json_schema!({
            "anyOf": [
                { "type": "array", "items": { "type": "string" }, "minItems": 1 },
                { "type": "object", "additionalProperties": { "anyOf": [options, { "type": "null" }] } },
            ]
        })
    }
}

/// The two numbers as a mapping, or one number for both.
impl<'de> Deserialize<'de> for Parallel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ParallelVisitor;

        #[derive(Deserialize)]
        #[serde(field_identifier, rename_all = "snake_case")]
        enum Side {
            Readers,
            Writers,
        }

        impl<'de> Visitor<'de> for ParallelVisitor {
            type Value = Parallel;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a whole number, or `readers` and `writers`")
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Parallel, E> {
                let number = u16::try_from(number).map_err(|_| E::custom("that is more than can work at once"))?;
                Ok(Parallel { readers: Some(number), writers: Some(number) })
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Parallel, E> {
                text.parse()
                    .map_err(|_| E::custom(format!("`{text}` is not a whole number")))
                    .and_then(|n| self.visit_u64(n))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Parallel, A::Error> {
                let mut parallel = Parallel::default();
                while let Some(side) = entries.next_key()? {
                    match side {
                        Side::Readers => parallel.readers = Some(entries.next_value()?),
                        Side::Writers => parallel.writers = Some(entries.next_value()?),
                    }
                }
                Ok(parallel)
            }
        }
        deserializer.deserialize_any(ParallelVisitor)
    }
}

impl JsonSchema for Parallel {
    fn schema_name() -> Cow<'static, str> {
        "Parallel".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let count = serde_json::json!({ "type": "integer", "minimum": 1, "maximum": u16::MAX });
        json_schema!({
            "anyOf": [
                count,
                { "type": "object", "properties": { "readers": count, "writers": count }, "additionalProperties": false },
            ]
        })
    }
}
