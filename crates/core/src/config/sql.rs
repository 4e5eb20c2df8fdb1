//! The `sql` task: the result of a query, loaded as a stream of a sync is. First as written ([`SqlDocument`]), then as meant
//! ([`Sql`]). What the query says is for those who know SQL.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::amount::BytesText;
use super::document::{Param, ParamKind};
use super::file::File;
use super::interpolate::{self, names};
use super::problem::{Problem, Problems};
use super::quality;
use super::sync::{Columns, OnBadRow, Parallel, Place, StreamDocument, Sync, Verify};
use super::yaml::{Node, Value};
use crate::destination::WriteMode;
use crate::error::Error;
use crate::query::QUERY_STREAM;
use crate::schema::OnSchemaChange;

/// The memory that a query and the load of its result may take where the document says nothing.
pub const SQL_MEMORY_BYTES_DEFAULT: u64 = 256 << 20;
const MEMORY_BYTES_MIN: u64 = 32 << 20;
/// Most of it that goes to the load.
const LOAD_BYTES_MAX: u64 = 64 << 20;
/// What to do with a secret in a query.
const KEEP_OUT: &str =
    "Keep it out: what a query is given can get into its result, and into the logs of those it reads.";

/// Executes a query over streams of connections, and loads its result.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a query with the keys `query` and `to`")]
#[schemars(title = "SQL")]
pub struct SqlDocument {
    /// What executes the query: `local` (the default), this process.
    #[serde(default)]
    pub engine: SqlEngine,
    /// One statement that reads; streams are named `connection.stream`, parameters `$name`.
    pub query: String,
    /// The values of the query's parameters: text, numbers, booleans or null.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, ParamValue>")]
    pub params: BTreeMap<String, Json>,
    /// How much memory the query and the load of its result may take, for instance `512MB`; `256MiB` by default. What does
    /// not fit goes to the disk.
    pub memory: Option<BytesText>,
    /// Where the result goes.
    pub to: SqlTarget,
}

/// What executes a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SqlEngine {
    /// This process.
    #[default]
    Local,
}

/// The schema of a value that a parameter of a query can have.
struct ParamValue;

impl JsonSchema for ParamValue {
    fn schema_name() -> Cow<'static, str> {
        "Value".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number", "boolean", "null"] })
    }
}

/// Where the result of a query goes; the options are those of a stream of a sync.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a target with the keys `connection` and `stream`")]
#[schemars(title = "Target")]
pub struct SqlTarget {
    /// The connection to write to.
    pub connection: String,
    /// The target's name; a dot separates a namespace.
    pub stream: String,
    /// `replace` (the default), `append` or `merge`, which needs a `key`.
    pub write: Option<WriteMode>,
    /// The columns that name a row.
    pub key: Option<Vec<String>>,
    /// Which columns of the result, under which names and types.
    pub columns: Option<Columns>,
    /// What happens to a row that the destination cannot take: `fail` (the default) or `quarantine`.
    pub on_bad_row: Option<OnBadRow>,
    /// What may happen to the target's columns: `evolve` (the default), `freeze` or `ignore_new`.
    pub on_schema_change: Option<OnSchemaChange>,
    /// How the load is proved: `counts` (the default) or `checksum`.
    pub verify: Option<Verify>,
}

/// Executes a query over streams of connections, and loads its result; every default is applied.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sql {
    /// One statement that reads.
    pub query: String,
    /// The values of its parameters: texts, numbers, booleans or null.
    pub params: BTreeMap<String, Json>,
    /// How many bytes the query may take.
    pub memory_bytes: u64,
    /// How its result is loaded: as the stream [`QUERY_STREAM`] of the sync that it is.
    pub load: Sync,
}

impl SqlDocument {
    /// Applies defaults and rules. `params` are those of the pipeline, `written` the task as it is in the document.
    pub(super) fn resolve(
        &self,
        params: &BTreeMap<String, Param>,
        written: Option<&Node>,
    ) -> Result<Sql, Vec<Problem>> {
        let mut problems = Problems::default();
        if self.query.trim().is_empty() {
            problems.add(&["query"], "the query is empty", "Write for instance `SELECT .. FROM connection.stream`.");
        }
        let memory = self.memory.map_or(SQL_MEMORY_BYTES_DEFAULT, |bytes| bytes.0);
        if memory < MEMORY_BYTES_MIN {
            problems.add(&["memory"], "that is too little memory to work with", "Give at least 32MiB.");
        }
        let values = bound(&self.params, &[], params, written, &mut problems);
        let load = self.to.resolve((memory / 4).min(LOAD_BYTES_MAX), &mut problems);
        if !problems.0.is_empty() {
            return Err(problems.0);
        }
        Ok(Sql { query: self.query.clone(), params: values, memory_bytes: memory - load.memory_bytes, load })
    }
}

impl SqlTarget {
    /// The load of the result, as of a sync's stream.
    fn resolve(&self, memory_bytes: u64, problems: &mut Problems) -> Sync {
        let own = StreamDocument {
            key: self.key.clone(),
            write: self.write,
            rename: Some(self.stream.clone()),
            columns: self.columns.clone(),
            on_bad_row: self.on_bad_row,
            on_schema_change: self.on_schema_change,
            verify: self.verify,
            ..StreamDocument::default()
        };
        // what stands for a part of the source's name has nothing to stand for
        if !interpolate::is_late(&self.stream) {
            let (namespace, table) =
                self.stream.split_once('.').map_or((None, self.stream.as_str()), |(n, t)| (Some(n), t));
            if table.is_empty() || namespace == Some("") {
                problems.add(&["to", "stream"], "the target's name is empty", "Write a name such as `daily_sales`.");
            } else if self.stream.contains(['{', '}']) {
                let message = format!("`{}` has a placeholder, and there is nothing that it stands for", self.stream);
                problems.add(&["to", "stream"], &message, "Write the name of the target itself.");
            }
        }
        let mut options = Problems::default();
        let resolved = own.resolve(&StreamDocument::default(), &Place { own: &["to"], all: &["to"] }, &mut options);
        options.0.retain(|problem| problem.path.last().is_none_or(|key| key != "rename"));
        problems.0.extend(options.0);
        if resolved.write == WriteMode::Merge && resolved.key.is_empty() {
            let advice = "Name the columns that tell rows apart: `key: [..]`; or use `write: append` or `replace`.";
            problems.add(&["to", "write"], "a merge needs a key, and a query has none by itself", advice);
        }
        Sync {
            from: QUERY_STREAM.to_owned(),
            to: self.connection.clone(),
            streams: vec![(QUERY_STREAM.to_owned(), resolved)],
            keys: BTreeMap::new(),
            parallel: Parallel::default(),
            memory_bytes,
        }
    }
}

impl Sql {
    /// The target, as written.
    pub fn target(&self) -> &str {
        self.load.streams.first().and_then(|(_, options)| options.rename.as_deref()).unwrap_or_default()
    }
}

/// The values of a query's parameters, as what they are; they stand below these keys of the task. `params` are those of the
/// pipeline, `written` the task as it is in the document.
pub(super) fn bound(
    given: &BTreeMap<String, Json>,
    below: &[String],
    params: &BTreeMap<String, Param>,
    written: Option<&Node>,
    problems: &mut Problems,
) -> BTreeMap<String, Json> {
    let mut values = BTreeMap::new();
    for (name, value) in given {
        let path: Vec<&str> = below.iter().map(String::as_str).chain(["params", name]).collect();
        if value.is_array() || value.is_object() {
            let message = format!("the parameter `{name}` is no single value");
            problems.add(&path, &message, "Give a text, a number, `true`, `false` or nothing.");
        }
        let kind = written.and_then(|node| kind_of(node.find(&path)?, params));
        values.insert(name.clone(), typed(value, kind));
    }
    values
}

/// What the values of a pipeline's parameter look like, where a text is one reference to it and nothing else.
fn kind_of(written: &Node, params: &BTreeMap<String, Param>) -> Option<ParamKind> {
    let Value::Text(text) = &written.value else { return None };
    let name = text.trim().strip_prefix("${")?.strip_suffix('}')?.trim();
    let name = name.strip_prefix("params.").or_else(|| name.strip_prefix("param."))?;
    params.get(name).map(|param| param.kind)
}

/// A value as one of its kind: parameters of a pipeline are texts by themselves, and a number that is compared as text would be
/// another value.
fn typed(value: &Json, kind: Option<ParamKind>) -> Json {
    let Json::String(text) = value else { return value.clone() };
    let parsed = match kind {
        Some(ParamKind::Int) => text.parse::<i64>().ok().map(Json::from),
        Some(ParamKind::Number) => {
            let whole = text.parse::<i64>().ok().map(Json::from);
            whole.or_else(|| text.parse::<f64>().ok().map(Json::from))
        }
        Some(ParamKind::Bool) => text.parse::<bool>().ok().map(Json::from),
        Some(ParamKind::String | ParamKind::Date) | None => None,
    };
    parsed.unwrap_or_else(|| value.clone())
}

/// What a task puts into the text of a query, or secrets among its parameters: told before they are looked up.
pub(super) fn spliced(file: &File, task: &Node) -> Vec<Error> {
    let mut errors = spliced_at(file, task.find(&["sql", "query"]), task.find(&["sql", "params"]));
    errors.extend(quality::spliced(file, task));
    // a pipeline may be one sync by itself
    let streams = task.find(&["sync", "streams"]).or_else(|| task.get("streams"));
    let streams = streams.into_iter().flat_map(Node::children);
    for column in streams.filter_map(|stream| stream.get("transform")).flat_map(Node::children) {
        if let Value::Text(text) = &column.value
            && let Some(name) = names(text).next()
        {
            let message = format!("`${{{name}}}` cannot stand in an expression: its value would be read as SQL");
            let advice = match name.trim().strip_prefix("secret:") {
                Some(_) => "Give it to the sync by `keys: { name: \"${secret:..}\" }`, and write `$name` for the key.",
                None => "Write the value itself, or use a `sql` task.",
            };
            errors.push(file.error(column.mark, &message, advice));
        }
    }
    errors
}

/// References in the text of a query, and secrets among its parameters.
pub(super) fn spliced_at(file: &File, query: Option<&Node>, params: Option<&Node>) -> Vec<Error> {
    let mut errors = Vec::new();
    if let Some(Node { mark, value: Value::Text(text) }) = query
        && let Some(name) = names(text).next()
    {
        let message = format!("`${{{name}}}` cannot stand in the text of a query: its value would be read as SQL");
        let advice = match name.strip_prefix("secret:") {
            Some(_) => KEEP_OUT.to_owned(),
            None => format!("Write `$name` in the query, and `params: {{ name: \"${{{name}}}\" }}` beside it."),
        };
        errors.push(file.error(*mark, &message, &advice));
    }
    if let Some(Node { value: Value::Map(params), .. }) = params {
        for (key, node) in params {
            let Value::Text(text) = &node.value else { continue };
            if let Some(name) = interpolate::secret_names(text).next() {
                let message = format!("the secret `{name}` would be the parameter `{}` of a query", key.text);
                errors.push(file.error(node.mark, &message, KEEP_OUT));
            }
        }
    }
    errors
}
