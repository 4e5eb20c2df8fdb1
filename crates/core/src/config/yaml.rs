//! YAML text as a tree that knows the line and column of every key and value. Nothing here knows what a document means.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::DuplicateKeyPolicy;
use serde_saphyr::{Location, Spanned};

use crate::error::{Error, ErrorKind, Result};

/// Largest document accepted, in bytes.
pub const BYTES_MAX: usize = 4 << 20;
/// Most values in one file, aliases expanded.
const NODES_MAX: usize = 100_000;
/// Deepest nesting.
const DEPTH_MAX: usize = 40;

/// A place in a file, both counted from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark {
    /// The line.
    pub line: u64,
    /// The column, in characters.
    pub column: u64,
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it starts.
    pub mark: Mark,
    /// What it is.
    pub value: Value,
}

/// The kinds of YAML values.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// Any other number.
    Float(f64),
    /// Text.
    Text(String),
    /// Text that holds a value from outside the document, and therefore stands for a number or a boolean as well.
    Filled(String),
    /// Text with a reference to what is only known when a task runs, as written.
    Late(String),
    /// What such a reference stood for, alone in its text.
    Given(serde_json::Value),
    /// A list.
    List(Vec<Node>),
    /// Keys and values, in the order of the document; no key occurs twice.
    Map(Vec<(Key, Node)>),
}

/// A key and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// Where it starts.
    pub mark: Mark,
    /// Its text.
    pub text: String,
}

/// Reads all documents of a file; empty ones are left out.
///
/// # Errors
/// `Config`, with file, line and column.
pub fn parse(file: &str, text: &str) -> Result<Vec<Node>> {
    if text.len() > BYTES_MAX {
        return Err(Error::new(ErrorKind::Config, format!("the file is larger than {} MiB", BYTES_MAX >> 20))
            .at(file)
            .advise("Split it into several pipelines."));
    }
    let documents: Vec<Node> =
        serde_saphyr::from_multiple_with_options(text, options()).map_err(|error| explain(file, &error))?;
    Ok(documents.into_iter().filter(|document| document.value != Value::Null).collect())
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 4 * NODES_MAX,
            max_nodes: NODES_MAX,
            max_depth: DEPTH_MAX,
            max_documents: 64,
            max_aliases: 1_000,
            max_anchors: 1_000,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: NODES_MAX,
            max_replay_stack_depth: 16,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        with_snippet: false,
    }
}

impl Node {
    /// The value of a key, if this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, value)| value)
    }

    /// A key with its value, if this is a mapping that has it.
    pub fn entry(&self, key: &str) -> Option<&(Key, Node)> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|(found, _)| found.text == key),
            _ => None,
        }
    }

    /// The value under a path of keys; in a list a key is an index.
    pub fn find(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, key| node.get(key).or_else(|| node.item(key)))
    }

    /// The place of the value under a path of keys, or of the deepest key on that path that there is.
    pub fn locate(&self, path: &[&str]) -> Mark {
        let (mut node, mut mark) = (self, self.mark);
        for key in path {
            if let Some((found, value)) = node.entry(key) {
                mark = if matches!(value.value, Value::Map(_) | Value::Null) { found.mark } else { value.mark };
                node = value;
            } else if let Some(item) = node.item(key) {
                (node, mark) = (item, item.mark);
            } else {
                break;
            }
        }
        mark
    }

    /// The keys of a mapping, in the order of the document.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        let entries = match &self.value {
            Value::Map(entries) => entries.as_slice(),
            _ => &[],
        };
        entries.iter().map(|(key, _)| key.text.as_str())
    }

    /// The values of a list or a mapping.
    pub fn children(&self) -> Box<dyn Iterator<Item = &Node> + '_> {
        match &self.value {
            Value::List(items) => Box::new(items.iter()),
            Value::Map(entries) => Box::new(entries.iter().map(|(_, value)| value)),
            _ => Box::new(std::iter::empty()),
        }
    }

    /// How many items a list or entries a mapping has.
    pub fn len(&self) -> usize {
        match &self.value {
            Value::List(items) => items.len(),
            Value::Map(entries) => entries.len(),
            _ => 0,
        }
    }

    /// Whether the value at a place is a text with a reference in it.
    pub fn has_reference_at(&self, mark: Mark) -> bool {
        match &self.value {
            Value::Text(text) => self.mark == mark && text.contains("${"),
            Value::List(items) => items.iter().any(|item| item.has_reference_at(mark)),
            Value::Map(entries) => entries.iter().any(|(_, value)| value.has_reference_at(mark)),
            _ => false,
        }
    }

    fn item(&self, index: &str) -> Option<&Node> {
        match &self.value {
            Value::List(items) => items.get(index.parse::<usize>().ok()?),
            _ => None,
        }
    }

    /// The value as JSON, for the settings of a connector.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Int(value) => i64::try_from(*value)
                .map(Json::from)
                .or_else(|_| u64::try_from(*value).map(Json::from))
                .unwrap_or_else(|_| Json::String(value.to_string())),
            Value::Float(value) => Json::from(*value),
            Value::Text(text) | Value::Filled(text) | Value::Late(text) => Json::String(text.clone()),
            Value::Given(value) => value.clone(),
            Value::List(items) => Json::Array(items.iter().map(Node::to_json).collect()),
            Value::Map(entries) => {
                Json::Object(entries.iter().map(|(key, value)| (key.text.clone(), value.to_json())).collect())
            }
        }
    }
}

impl Mark {
    /// `file:line:column`.
    pub fn in_file(self, file: &str) -> String {
        format!("{file}:{}:{}", self.line, self.column)
    }
}

impl From<Location> for Mark {
    fn from(location: Location) -> Self {
        Self { line: location.line(), column: location.column() }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Self { mark: spanned.referenced.into(), value: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> std::result::Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> std::result::Result<Value, E> {
        Ok(Value::Int(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> std::result::Result<Value, E> {
        Ok(Value::Int(value.into()))
    }

    fn visit_i128<E>(self, value: i128) -> std::result::Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u128<E: serde::de::Error>(self, value: u128) -> std::result::Result<Value, E> {
        i128::try_from(value).map(Value::Int).map_err(|_| E::custom("the number is too large"))
    }

    fn visit_f64<E>(self, value: f64) -> std::result::Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> std::result::Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_unit<E>(self) -> std::result::Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> std::result::Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> std::result::Result<Value, A::Error> {
        let mut map: Vec<(Key, Node)> = Vec::new();
        while let Some(key) = entries.next_key::<Node>()? {
            let text = match key.value {
                Value::Text(text) => text,
                Value::Int(number) => number.to_string(),
                Value::Bool(word) => word.to_string(),
                _ => return Err(A::Error::custom("a key must be a word")),
            };
            map.push((Key { mark: key.mark, text }, entries.next_value()?));
        }
        Ok(Value::Map(map))
    }
}

fn explain(file: &str, error: &serde_saphyr::Error) -> Error {
    use serde_saphyr::Error as Yaml;
    let error = error.without_snippet();
    let quote = "Put text with special characters into quotes; indent with spaces only.";
    let (message, advice) = match error {
        Yaml::DuplicateMappingKey { key: Some(key), .. } => {
            (format!("the key `{key}` is given twice"), "Remove one of the two, or give it another name.")
        }
        Yaml::DuplicateMappingKey { key: None, .. } => ("a key is given twice".to_owned(), "Remove one of the two."),
        Yaml::Message { msg, .. } => (msg.clone(), quote),
        Yaml::ExternalMessage { msg, .. } => (format!("this is not valid YAML: {msg}"), quote),
        Yaml::Eof { .. } => ("the document ends too early".to_owned(), "Complete the last line."),
        Yaml::UnknownAnchor { .. } => {
            ("the alias names an anchor that is not above it".to_owned(), "Quote a text that starts with `*`.")
        }
        Yaml::NonFiniteFloat { .. } => ("infinity and NaN cannot be used here".to_owned(), "Write a plain number."),
        Yaml::InvalidBooleanStrict { .. } => ("this is neither true nor false".to_owned(), "Write `true` or `false`."),
        Yaml::Budget { .. }
        | Yaml::AliasReplayCounterOverflow { .. }
        | Yaml::AliasReplayLimitExceeded { .. }
        | Yaml::AliasExpansionLimitExceeded { .. }
        | Yaml::AliasReplayStackDepthExceeded { .. } => (
            format!("the document is too large or too deep: at most {NODES_MAX} values and {DEPTH_MAX} levels"),
            "Split it, or use fewer aliases.",
        ),
        Yaml::AliasError { error, .. } => return explain(file, error),
        _ => ("this is not valid YAML".to_owned(), quote),
    };
    let mark = error.location().map(Mark::from).unwrap_or_default();
    let place = if mark.line == 0 { file.to_owned() } else { mark.in_file(file) };
    Error::new(ErrorKind::Config, message).at(place).advise(advice)
}
