//! Durations (`10s`, `1h30m`) and sizes (`128MB`) as they are written in documents and on the command line.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error as _};

use super::interpolate::{is_late, too_late};

/// Units of time and their length in milliseconds, the longest spelling of a start first.
const TIME_UNITS: &[(&str, u64)] =
    &[("ms", 1), ("s", 1_000), ("min", 60_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Units of size; `MB` is a million bytes, `MiB` is 2^20.
const SIZE_UNITS: &[(&str, u64)] = &[
    ("", 1),
    ("b", 1),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
];

/// A duration such as `10s`, `5m` or `1h30m`.
///
/// # Errors
/// One sentence that says what is expected.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || wrong(text, "a duration\nWrite a number and a unit: 500ms, 10s, 5m, 1h30m, 2d.");
    let mut rest = text.trim();
    let mut total_ms: u64 = 0;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        let after = &rest[digits..];
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let unit = after[..letters].to_ascii_lowercase();
        let (_, factor) = TIME_UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        total_ms = number.checked_mul(*factor).and_then(|ms| total_ms.checked_add(ms)).ok_or_else(wrong)?;
        rest = after[letters..].trim_start();
    }
    Ok(Duration::from_millis(total_ms))
}

/// A size in bytes such as `128MB`, `64MiB` or `4096`.
///
/// # Errors
/// One sentence that says what is expected.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let wrong = || wrong(text, "a size\nWrite a number and a unit: 64KB, 128MB, 1GB, 256MiB.");
    let trimmed = text.trim();
    let digits = trimmed.find(|c: char| !c.is_ascii_digit()).unwrap_or(trimmed.len());
    let number: u64 = trimmed[..digits].parse().map_err(|_| wrong())?;
    let unit = trimmed[digits..].trim().to_ascii_lowercase();
    let (_, factor) = SIZE_UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
    number.checked_mul(*factor).ok_or_else(wrong)
}

/// What is wrong with a text, and on the next line what to write.
fn wrong(text: &str, expected: &str) -> String {
    if is_late(text) {
        format!("{}\nWrite the value itself, or a parameter with a default.", too_late(text))
    } else {
        format!("`{text}` is not {expected}")
    }
}

/// A duration in a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DurationText(pub Duration);

impl<'de> Deserialize<'de> for DurationText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match NumberOrText::deserialize(deserializer)? {
            NumberOrText::Text(text) => parse_duration(&text).map(Self).map_err(D::Error::custom),
            NumberOrText::Number(number) => Err(D::Error::custom(format!(
                "`{number}` is a duration without a unit\nWrite for instance `{number}s` or `{number}m`."
            ))),
        }
    }
}

impl JsonSchema for DurationText {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A number and a unit, for instance 500ms, 10s, 5m, 1h30m or 2d.",
            "pattern": r"^(\$\{.*\}|(\s*\d+\s*(ms|s|min|m|h|d))+)$",
        })
    }
}

/// A size in a document, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BytesText(pub u64);

impl<'de> Deserialize<'de> for BytesText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match NumberOrText::deserialize(deserializer)? {
            NumberOrText::Text(text) => parse_bytes(&text).map(Self).map_err(D::Error::custom),
            NumberOrText::Number(number) => {
                u64::try_from(number).map(Self).map_err(|_| D::Error::custom("a size cannot be negative"))
            }
        }
    }
}

impl JsonSchema for BytesText {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "description": "Bytes, or a number and a unit, for instance 64KB, 128MB, 1GB or 256MiB.",
        })
    }
}

/// Text, or a whole number written without quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NumberOrText {
    /// A whole number.
    Number(i64),
    /// Text.
    Text(String),
}

impl<'de> Deserialize<'de> for NumberOrText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl serde::de::Visitor<'_> for Either {
            type Value = NumberOrText;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number or text")
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<NumberOrText, E> {
                i64::try_from(number).map(NumberOrText::Number).map_err(|_| E::custom("the number is too large"))
            }

            fn visit_i64<E>(self, number: i64) -> Result<NumberOrText, E> {
                Ok(NumberOrText::Number(number))
            }

            fn visit_str<E>(self, text: &str) -> Result<NumberOrText, E> {
                Ok(NumberOrText::Text(text.to_owned()))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn durations_and_sizes_are_read_with_their_units() {
        assert_eq!(parse_duration("1h30m").unwrap(), Duration::from_secs(5400));
        assert_eq!(parse_duration("500ms").unwrap(), Duration::from_millis(500));
        assert_eq!(parse_bytes("128MB").unwrap(), 128_000_000);
        assert_eq!(parse_bytes("1 MiB").unwrap(), 1 << 20);
        for wrong in ["", "5", "m", "5 parsecs", "-5s", "99999999999999999999d"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
        assert!(parse_bytes("12 apples").is_err() && parse_bytes("MB").is_err());
    }
}
