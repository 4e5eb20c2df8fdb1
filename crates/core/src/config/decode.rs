//! From the tree of a document to its types, by serde: what does not fit is told with its place, in the words of the
//! document, with the nearest valid word.

use std::fmt::{self, Display};

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};

use super::interpolate::too_late;
use super::yaml::{Key, Mark, Node, Value};
use crate::error::{Error, ErrorKind};
use crate::naming::{did_you_mean, nearest};

/// Words that the design gives a meaning which this version does not have yet: where one stands (a key that is valid
/// there), and the words.
const RESERVED: &[(&str, &[&str])] = &[
    ("tasks", &["engine"]),
    ("after", &["container", "stream"]),
    ("local", &["database", "ballista", "spark"]),
    ("cursor", &["partition_by", "sample", "where"]),
    ("streams", &["transport", "transform"]),
    ("incremental", &["cdc"]),
];

/// What does not fit, and where.
#[derive(Debug)]
pub struct Misfit {
    /// Where; unknown until the error has left the value it belongs to.
    pub mark: Option<Mark>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub advice: Option<String>,
}

/// Reads a value out of a tree.
pub fn decode<T: DeserializeOwned>(node: &Node) -> Result<T, Misfit> {
    T::deserialize(node).map_err(|misfit| misfit.at(node.mark))
}

impl Misfit {
    fn new(message: String, advice: Option<String>) -> Self {
        Self { mark: None, message, advice }
    }

    fn at(mut self, mark: Mark) -> Self {
        self.mark.get_or_insert(mark);
        self
    }

    /// As an error in a file.
    pub fn in_file(self, file: &str) -> Error {
        let error = Error::new(ErrorKind::Config, self.message).at(self.mark.unwrap_or_default().in_file(file));
        match self.advice {
            Some(advice) => error.advise(advice),
            None => error,
        }
    }
}

impl Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Misfit {}

impl de::Error for Misfit {
    /// A message may bring its advice after a line break.
    fn custom<T: Display>(message: T) -> Self {
        let text = message.to_string();
        match text.split_once('\n') {
            Some((message, advice)) => Self::new(message.to_owned(), Some(advice.to_owned())),
            None => Self::new(text, None),
        }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let found = match found {
            Unexpected::Bool(_) => "a boolean",
            Unexpected::Unsigned(_) | Unexpected::Signed(_) => "a whole number",
            Unexpected::Float(_) | Unexpected::Other(_) => "a number",
            Unexpected::Str(_) => "text",
            Unexpected::Unit | Unexpected::Option => "nothing",
            Unexpected::Seq => "a list",
            Unexpected::Map | Unexpected::Enum => "a mapping",
            _ => "something else",
        };
        let wanted = expected.to_string();
        let wanted = match wanted.as_str() {
            "a string" | "a str" => "text",
            "a boolean" => "`true` or `false`",
            "a sequence" => "a list",
            "a map" => "a mapping of keys to values",
            "i8" | "i16" | "i32" | "i64" | "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number",
            other => other,
        };
        let advice = match (wanted, found) {
            ("text", "nothing") => Some("Give a value, or remove the key.".to_owned()),
            ("text", "a list" | "a mapping") => None,
            ("text", _) => Some("Put it in quotes.".to_owned()),
            ("a list", _) => Some("Write it as `[a, b]`.".to_owned()),
            _ => None,
        };
        Self::new(format!("expected {wanted}, found {found}"), advice)
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let wanted = expected.to_string();
        let wanted = match wanted.as_str() {
            "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number that is not negative and not too large",
            "i8" | "i16" | "i32" | "i64" => "a whole number that is not too large",
            other => other,
        };
        Self::new(format!("expected {wanted}"), None)
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Self {
        unknown(word, known, &format!("`{word}` is not one of the words that can stand here"), "Valid")
    }

    fn unknown_field(word: &str, known: &'static [&'static str]) -> Self {
        unknown(word, known, &format!("there is no key `{word}` here"), "Keys")
    }

    fn missing_field(field: &'static str) -> Self {
        let example = if field == "version" { "version: 1".to_owned() } else { format!("{field}: ..") };
        Self::new(format!("the key `{field}` is missing"), Some(format!("Add `{example}`.")))
    }
}

fn unknown(word: &str, known: &[&str], message: &str, label: &str) -> Misfit {
    let reserved = RESERVED.iter().any(|(beside, words)| known.contains(beside) && words.contains(&word));
    if reserved {
        return Misfit::new(
            format!("`{word}` is not available in this version"),
            Some(format!("Remove it. {label} here: {}.", known.join(", "))),
        );
    }
    let near = did_you_mean(nearest(word, known));
    Misfit::new(message.to_owned(), Some(format!("{near}{label} here: {}.", known.join(", "))))
}

/// A mapping without entries, for keys that are given without a value.
const EMPTY: &[(Key, Node)] = &[];

/// What may stand in a text only.
fn late(text: &str) -> Misfit {
    Misfit::new(too_late(text), Some("Write the value itself, or a parameter with a default.".to_owned()))
}

/// A value that came out of a run, as text: text as it is, everything else as JSON.
pub fn text_of(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

macro_rules! parse_filled {
    ($($method:ident $visit:ident $type:ty,)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
            match &self.value {
                Value::Filled(text) => match text.trim().parse::<$type>() {
                    Ok(value) => visitor.$visit(value),
                    Err(_) => Err(de::Error::invalid_type(Unexpected::Str(""), &visitor)),
                },
                Value::Late(text) => Err(late(text)),
                _ => self.deserialize_any(visitor),
            }
            .map_err(|misfit: Misfit| misfit.at(self.mark))
        }
    )*};
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let scalar = !matches!(self.value, Value::Map(_) | Value::Null);
        match &self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Int(value) => match (i64::try_from(*value), u64::try_from(*value)) {
                (_, Ok(value)) => visitor.visit_u64(value),
                (Ok(value), _) => visitor.visit_i64(value),
                _ => visitor.visit_i128(*value),
            },
            Value::Float(value) => visitor.visit_f64(*value),
            Value::Text(text) | Value::Filled(text) => visitor.visit_str(text),
            Value::Late(text) => visitor.visit_str(text).map_err(|_: Misfit| late(text)),
            Value::Given(value) => value.deserialize_any(visitor).map_err(de::Error::custom),
            Value::List(items) => visitor.visit_seq(Items(items.iter())),
            Value::Map(entries) => visitor.visit_map(Entries { entries: entries.iter(), value: None }),
        }
        .map_err(|misfit| if scalar { misfit.at(self.mark) } else { misfit })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match &self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    /// A key without a value means a mapping in which everything has its default.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.deserialize_map(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match &self.value {
            Value::Null => visitor.visit_map(Entries { entries: EMPTY.iter(), value: None }),
            // a list is never taken for the fields of a struct in order
            Value::List(_) => {
                let misfit: Misfit = de::Error::invalid_type(Unexpected::Seq, &visitor);
                Err(misfit.at(self.mark))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match &self.value {
            Value::Text(text) | Value::Filled(text) => visitor.visit_enum(Word(text)),
            Value::Late(text) => Err(late(text)),
            Value::Map(entries) if entries.len() == 1 => visitor.visit_enum(Tagged(&entries[0])),
            _ => Err(Misfit::new(format!("expected one of: {}", known.join(", ")), None)),
        }
        .map_err(|misfit| misfit.at(self.mark))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match &self.value {
            Value::Given(value) => visitor.visit_string(text_of(value)).map_err(|misfit: Misfit| misfit.at(self.mark)),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_str(visitor)
    }

    parse_filled! {
        deserialize_bool visit_bool bool,
        deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64,
        deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64,
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i128 u8 u128 f32 f64 char bytes byte_buf unit unit_struct seq tuple tuple_struct
        identifier ignored_any
    }
}

struct Items<'de>(std::slice::Iter<'de, Node>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Misfit> {
        let Some(node) = self.0.next() else { return Ok(None) };
        seed.deserialize(node).map(Some).map_err(|misfit| misfit.at(node.mark))
    }
}

struct Entries<'de> {
    entries: std::slice::Iter<'de, (Key, Node)>,
    value: Option<&'de (Key, Node)>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Misfit> {
        let Some(entry) = self.entries.next() else { return Ok(None) };
        self.value = Some(entry);
        let key: StrDeserializer<'de, Misfit> = entry.0.text.as_str().into_deserializer();
        seed.deserialize(key).map(Some).map_err(|misfit| misfit.at(entry.0.mark))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        let Some((key, value)) = self.value.take() else {
            return Err(de::Error::custom("a value was asked for before its key"));
        };
        // what is missing inside a mapping is best shown at the key that opens it
        let mark = if matches!(value.value, Value::Map(_) | Value::Null) { key.mark } else { value.mark };
        seed.deserialize(value).map_err(|misfit| misfit.at(mark))
    }
}

struct Word<'de>(&'de str);

impl<'de> EnumAccess<'de> for Word<'de> {
    type Error = Misfit;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Misfit> {
        let word: StrDeserializer<'de, Misfit> = self.0.into_deserializer();
        Ok((seed.deserialize(word)?, self))
    }
}

impl Word<'_> {
    fn alone(&self) -> Misfit {
        Misfit::new(format!("`{}` needs a value", self.0), Some(format!("Write `{{ {}: .. }}`.", self.0)))
    }
}

impl<'de> VariantAccess<'de> for Word<'de> {
    type Error = Misfit;

    fn unit_variant(self) -> Result<(), Misfit> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Misfit> {
        Err(self.alone())
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Misfit> {
        Err(self.alone())
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, Misfit> {
        Err(self.alone())
    }
}

/// A word with a value: a mapping of one key.
struct Tagged<'de>(&'de (Key, Node));

impl<'de> EnumAccess<'de> for Tagged<'de> {
    type Error = Misfit;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Misfit> {
        let word: StrDeserializer<'de, Misfit> = self.0.0.text.as_str().into_deserializer();
        let value = seed.deserialize(word).map_err(|misfit: Misfit| misfit.at(self.0.0.mark))?;
        Ok((value, self))
    }
}

impl<'de> VariantAccess<'de> for Tagged<'de> {
    type Error = Misfit;

    fn unit_variant(self) -> Result<(), Misfit> {
        let word = &self.0.0.text;
        Err(Misfit::new(format!("`{word}` takes no value"), Some(format!("Write `{word}` alone."))))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Misfit> {
        seed.deserialize(&self.0.1).map_err(|misfit| misfit.at(self.0.0.mark))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Misfit> {
        self.0.1.deserialize_any(visitor).map_err(|misfit| misfit.at(self.0.0.mark))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Misfit> {
        self.0.1.deserialize_map(visitor).map_err(|misfit| misfit.at(self.0.0.mark))
    }
}
