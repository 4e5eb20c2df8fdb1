//! The options that may be written in more than one form (a list or a mapping, a number or a text), and their JSON schemas.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{Parallel, StreamDocument, Streams};
use crate::config::amount::NumberOrText;

/// A lag as text, whichever way it is written.
pub fn lag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Option::<NumberOrText>::deserialize(deserializer)? {
        Some(NumberOrText::Number(number)) => Some(number.to_string()),
        Some(NumberOrText::Text(text)) => Some(text),
        None => None,
    })
}

/// The schema of a lag.
pub struct LagSchema;

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
