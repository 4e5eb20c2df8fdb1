//! The schema a file carries: Avro's JSON, parsed into a table of types that refer to each other by index, so that
//! recursive types are ordinary.

use std::collections::{BTreeMap, HashMap};

use levada_core::error::Result;
use serde_json::Value;

use super::{DEPTH_MAX, malformed};

/// All types of a schema.
pub(super) struct Types {
    types: Vec<Type>,
    /// The type of the file's values.
    pub(super) root: usize,
}

/// One type.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Type {
    pub(super) shape: Shape,
    /// What the values mean, where the annotation is one we know and it fits the shape.
    pub(super) meaning: Option<Meaning>,
}

/// How values are encoded.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Fixed(usize),
    Enum(Vec<String>),
    Array(usize),
    Map(usize),
    Union(Vec<usize>),
    Record(Vec<Member>),
}

/// A field of a record.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) of: usize,
    /// Its own properties that start with `levada:`.
    pub(super) notes: BTreeMap<String, String>,
}

/// The logical types of the specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    Decimal { precision: usize, scale: usize },
    BigDecimal,
    Uuid,
    Date,
    TimeMillis,
    TimeMicros,
    Timestamp { per_second: i64, instant: bool },
    Duration,
}

impl Types {
    /// Parses a file's `avro.schema`.
    pub(super) fn parse(json: &[u8]) -> Result<Self> {
        let value: Value =
            serde_json::from_slice(json).map_err(|error| malformed(format!("its schema is not JSON: {error}")))?;
        let mut parser = Parser { types: Vec::new(), named: HashMap::new() };
        let root = parser.parse(&value, "", 0)?;
        Ok(Self { types: parser.types, root })
    }

    /// A type by its index.
    pub(super) fn get(&self, index: usize) -> &Type {
        &self.types[index]
    }
}

struct Parser {
    types: Vec<Type>,
    named: HashMap<String, usize>,
}

impl Parser {
    fn add(&mut self, shape: Shape, meaning: Option<Meaning>) -> usize {
        self.types.push(Type { shape, meaning });
        self.types.len() - 1
    }

    fn parse(&mut self, json: &Value, namespace: &str, depth: usize) -> Result<usize> {
        if depth > DEPTH_MAX {
            return Err(malformed(format!("its schema nests deeper than {DEPTH_MAX}")));
        }
        match json {
            Value::String(name) => match primitive(name) {
                Some(shape) => Ok(self.add(shape, None)),
                None => self.reference(name, namespace),
            },
            Value::Array(branches) => {
                let branches = branches.iter().map(|branch| self.parse(branch, namespace, depth + 1));
                let branches = branches.collect::<Result<Vec<_>>>()?;
                Ok(self.add(Shape::Union(branches), None))
            }
            Value::Object(object) => {
                let of = object.get("type").ok_or_else(|| malformed("its schema has a type without `type`"))?;
                match of {
                    Value::String(word) => self.complex(word, json, namespace, depth),
                    other => self.parse(other, namespace, depth + 1),
                }
            }
            _ => Err(malformed("its schema has a type that is no text, list or object")),
        }
    }

    fn reference(&self, name: &str, namespace: &str) -> Result<usize> {
        let full = full_name(name, namespace);
        let found = self.named.get(&full).or_else(|| self.named.get(name)).copied();
        found.ok_or_else(|| malformed(format!("its schema uses the type `{name}` without defining it")))
    }

    fn complex(&mut self, word: &str, json: &Value, namespace: &str, depth: usize) -> Result<usize> {
        let part =
            |key: &str| json.get(key).ok_or_else(|| malformed(format!("its schema has a `{word}` without `{key}`")));
        match word {
            "array" => {
                let items = self.parse(part("items")?, namespace, depth + 1)?;
                Ok(self.add(Shape::Array(items), None))
            }
            "map" => {
                let values = self.parse(part("values")?, namespace, depth + 1)?;
                Ok(self.add(Shape::Map(values), None))
            }
            "record" | "error" | "enum" | "fixed" => {
                let name = part("name")?.as_str().ok_or_else(|| malformed("its schema has a name that is no text"))?;
                let own = json.get("namespace").and_then(Value::as_str).unwrap_or(namespace);
                let full = full_name(name, own);
                let inner = full.rsplit_once('.').map_or("", |(space, _)| space).to_owned();
                let index = self.add(Shape::Null, None);
                if self.named.insert(full, index).is_some() {
                    return Err(malformed(format!("its schema defines the type `{name}` twice")));
                }
                let shape = match word {
                    "enum" => Shape::Enum(symbols(part("symbols")?)?),
                    "fixed" => {
                        let size = part("size")?.as_u64().and_then(|size| usize::try_from(size).ok());
                        Shape::Fixed(size.ok_or_else(|| malformed("its schema has a `fixed` of no size"))?)
                    }
                    _ => Shape::Record(self.members(part("fields")?, &inner, depth)?),
                };
                self.types[index] = Type { meaning: meaning(&shape, json), shape };
                Ok(index)
            }
            _ => match primitive(word) {
                Some(shape) => {
                    let meaning = meaning(&shape, json);
                    Ok(self.add(shape, meaning))
                }
                None => self.reference(word, namespace),
            },
        }
    }

    fn members(&mut self, json: &Value, namespace: &str, depth: usize) -> Result<Vec<Member>> {
        let fields = json.as_array().ok_or_else(|| malformed("its schema has `fields` that are no list"))?;
        let mut members = Vec::with_capacity(fields.len());
        for field in fields {
            let name = field.get("name").and_then(Value::as_str);
            let (Some(name), Some(of)) = (name, field.get("type")) else {
                return Err(malformed("its schema has a field without name or type"));
            };
            let notes = field.as_object().into_iter().flatten().filter(|(key, _)| key.starts_with("levada:"));
            let notes = notes.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect();
            members.push(Member { name: name.to_owned(), of: self.parse(of, namespace, depth + 1)?, notes });
        }
        Ok(members)
    }
}

fn full_name(name: &str, namespace: &str) -> String {
    if name.contains('.') || namespace.is_empty() { name.to_owned() } else { format!("{namespace}.{name}") }
}

fn primitive(word: &str) -> Option<Shape> {
    Some(match word {
        "null" => Shape::Null,
        "boolean" => Shape::Boolean,
        "int" => Shape::Int,
        "long" => Shape::Long,
        "float" => Shape::Float,
        "double" => Shape::Double,
        "bytes" => Shape::Bytes,
        "string" => Shape::String,
        _ => return None,
    })
}

fn symbols(json: &Value) -> Result<Vec<String>> {
    let symbols = json.as_array().map(|list| list.iter().map(|symbol| symbol.as_str().map(str::to_owned)).collect());
    symbols.flatten().ok_or_else(|| malformed("its schema has an `enum` without symbols"))
}

/// An annotation that is unknown or does not fit is ignored, as the specification demands.
fn meaning(shape: &Shape, json: &Value) -> Option<Meaning> {
    let number = |key: &str| json.get(key).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
    let timestamp = |per_second, instant| Some(Meaning::Timestamp { per_second, instant });
    match (json.get("logicalType")?.as_str()?, shape) {
        ("decimal", Shape::Bytes | Shape::Fixed(_)) => {
            let (precision, scale) = (number("precision")?, number("scale").unwrap_or(0));
            (precision > 0 && scale <= precision).then_some(Meaning::Decimal { precision, scale })
        }
        ("big-decimal", Shape::Bytes) => Some(Meaning::BigDecimal),
        ("uuid", Shape::String | Shape::Fixed(16)) => Some(Meaning::Uuid),
        ("date", Shape::Int) => Some(Meaning::Date),
        ("time-millis", Shape::Int) => Some(Meaning::TimeMillis),
        ("time-micros", Shape::Long) => Some(Meaning::TimeMicros),
        ("timestamp-millis", Shape::Long) => timestamp(1_000, true),
        ("timestamp-micros", Shape::Long) => timestamp(1_000_000, true),
        ("timestamp-nanos", Shape::Long) => timestamp(1_000_000_000, true),
        ("local-timestamp-millis", Shape::Long) => timestamp(1_000, false),
        ("local-timestamp-micros", Shape::Long) => timestamp(1_000_000, false),
        ("local-timestamp-nanos", Shape::Long) => timestamp(1_000_000_000, false),
        ("duration", Shape::Fixed(12)) => Some(Meaning::Duration),
        _ => None,
    }
}
