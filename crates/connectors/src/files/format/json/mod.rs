//! JSON: one object per line (JSONL), or one array of objects, or objects one after the other. Numbers keep every digit,
//! nested values stay JSON text as written, a missing key or `null` is NULL, and of two equal keys the last one counts.

mod cut;
mod infer;
mod parse;
mod write;

pub use cut::Documents;
pub use infer::Keys;
pub use parse::{Objects, Parser};
pub use write::{JsonWriter, ObjectWriter};

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Calls back for every key and raw value of one object.
struct Entries<F>(F);

impl<'de, F: FnMut(&str, &'de str)> Visitor<'de> for Entries<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(Key)? {
            let value: &'de RawValue = map.next_value()?;
            (self.0)(&key, value.get());
        }
        Ok(())
    }
}

/// A key, borrowed where it has no escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = std::borrow::Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = std::borrow::Cow<'de, str>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(text.into())
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(text.to_owned().into())
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// Goes through one object; the error is the end of a sentence.
pub fn entries<'a>(text: &'a str, each: impl FnMut(&str, &'a str)) -> Result<(), String> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let outcome = deserializer.deserialize_map(Entries(each)).and_then(|()| deserializer.end());
    outcome.map_err(|error| {
        let column = error.column();
        let what = error.to_string();
        let what = what.split(" at line ").next().unwrap_or_default().to_owned();
        format!("the record is not a JSON object: {what} at character {column}")
    })
}

/// The text of a JSON string.
pub fn unescape(raw: &str) -> Result<std::borrow::Cow<'_, str>, &'static str> {
    let inner = &raw[1..raw.len() - 1];
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Ok(inner.into());
    }
    serde_json::from_str::<String>(raw).map(Into::into).map_err(|_| "holds an escape that is no character")
}
