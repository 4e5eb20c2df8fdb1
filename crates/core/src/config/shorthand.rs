//! Ways to write the same thing shorter: text in place of a mapping, one in place of a list, numbers where text is meant.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// What can be written as text in place of a mapping.
pub trait FromText: Sized {
    /// What is expected, in words.
    const EXPECTED: &'static str;

    /// What the text stands for.
    ///
    /// # Errors
    /// What is wrong with it, and on the next line what to do.
    fn from_text(text: &str) -> Result<Self, String>;
}

/// A mapping, or the text that stands for one.
#[derive(Debug, Clone, PartialEq)]
pub struct Short<T>(pub T);

/// A list, or its only item; each a mapping, or the text that stands for one.
#[derive(Debug, Clone, PartialEq)]
pub struct OneOrMany<T> {
    /// The items.
    pub items: Vec<T>,
    /// Whether it was written as a list, so that the place of an item has an index.
    pub list: bool,
}

/// Text, or a number or boolean that stands for its own text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scalar(pub String);

impl<'de, T: FromText + Deserialize<'de>> Deserialize<'de> for Short<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<T>(PhantomData<T>);
        impl<'de, T: FromText + Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = Short<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(T::EXPECTED)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Short<T>, E> {
                T::from_text(text).map(Short).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Short<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(entries)).map(Short)
            }
        }
        deserializer.deserialize_any(Either(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Short<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("{} or text", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let whole = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [{ "type": "string" }, whole] })
    }
}

impl<'de, T: FromText + Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any<T>(PhantomData<T>);
        impl<'de, T: FromText + Deserialize<'de>> Visitor<'de> for Any<T> {
            type Value = OneOrMany<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}, or a list of these", T::EXPECTED)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<OneOrMany<T>, E> {
                let item = T::from_text(text).map_err(E::custom)?;
                Ok(OneOrMany { items: vec![item], list: false })
            }

            fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<OneOrMany<T>, A::Error> {
                let item = T::deserialize(MapAccessDeserializer::new(entries))?;
                Ok(OneOrMany { items: vec![item], list: false })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<OneOrMany<T>, A::Error> {
                let mut items = Vec::new();
                while let Some(Short(item)) = list.next_element()? {
                    items.push(item);
                }
                Ok(OneOrMany { items, list: true })
            }
        }
        deserializer.deserialize_any(Any(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("One or many {}", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let item = generator.subschema_for::<Short<T>>();
        json_schema!({ "anyOf": [item, { "type": "array", "items": item, "minItems": 1 }] })
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a single value")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }

            fn visit_str<E>(self, value: &str) -> Result<Scalar, E> {
                Ok(Scalar(value.to_owned()))
            }
        }
        // not `any`: what a run told becomes JSON text when text is asked for
        deserializer.deserialize_string(Text)
    }
}

impl JsonSchema for Scalar {
    fn schema_name() -> Cow<'static, str> {
        "Single value".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number", "boolean"] })
    }
}

/// For a field that is text, or nothing.
pub fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<Scalar>::deserialize(deserializer)?.map(|text| text.0))
}

/// For a field that is a list of texts.
pub fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(Vec::<Scalar>::deserialize(deserializer)?.into_iter().map(|text| text.0).collect())
}

/// For a field that maps names to texts.
pub fn map<'de, D: Deserializer<'de>, T: From<String>>(deserializer: D) -> Result<BTreeMap<String, T>, D::Error> {
    let texts = BTreeMap::<String, Scalar>::deserialize(deserializer)?;
    Ok(texts.into_iter().map(|(name, text)| (name, T::from(text.0))).collect())
}
