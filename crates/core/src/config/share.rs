//! How much may be wrong, as documents say it: so many rows, or a share of them (`0.5%`); and one name or several.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

use super::amount::NumberOrText;
use super::interpolate::{is_late, too_late};

/// A share of something, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(pub u64);

/// How many rows may break a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowed {
    /// So many.
    Rows(u64),
    /// This share of all rows.
    Share(Share),
}

/// One name, or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names(pub Vec<String>);

impl Share {
    /// All of it.
    pub const ALL: Self = Self(1_000_000);

    /// This share of a number, rounded down.
    pub fn of(self, count: u64) -> u64 {
        u64::try_from(u128::from(count) * u128::from(self.0) / u128::from(Self::ALL.0)).unwrap_or(u64::MAX)
    }

    /// A share from its text, `0.5%`.
    fn parse(text: &str) -> Option<Self> {
        let number = text.trim().strip_suffix('%')?.trim_end();
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let is_number = |digits: &str| digits.bytes().all(|digit| digit.is_ascii_digit());
        if whole.is_empty() || !is_number(whole) || !is_number(fraction) || fraction.len() > 4 {
            return None;
        }
        // a percent has ten thousand millionths
        let fraction = format!("{fraction:0<4}").parse::<u64>().ok()?;
        whole.parse::<u64>().ok()?.checked_mul(10_000)?.checked_add(fraction).map(Self)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = format!("{:04}", self.0 % 10_000);
        let fraction = fraction.trim_end_matches('0');
        let point = if fraction.is_empty() { "" } else { "." };
        write!(f, "{}{point}{fraction}%", self.0 / 10_000)
    }
}

impl Default for Allowed {
    fn default() -> Self {
        Self::Rows(0)
    }
}

impl Allowed {
    /// Whether so many of all rows may break a rule.
    pub fn takes(self, failed: u64, rows: u64) -> bool {
        match self {
            Self::Rows(most) => failed <= most,
            Self::Share(most) => failed <= most.of(rows),
        }
    }
}

fn wrong(text: &str, expected: &str) -> String {
    if is_late(text) {
        return format!("{}\nWrite the value itself, or a parameter with a default.", too_late(text));
    }
    format!("`{text}` is not {expected}")
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match NumberOrText::deserialize(deserializer)? {
            NumberOrText::Text(text) => Self::parse(&text).ok_or_else(|| {
                D::Error::custom(wrong(&text, "a share\nWrite percents with at most four decimals: 20%, 0.5%."))
            }),
            NumberOrText::Number(number) => {
                Err(D::Error::custom(format!("`{number}` is a share without a unit\nWrite for instance `{number}%`.")))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Allowed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match NumberOrText::deserialize(deserializer)? {
            NumberOrText::Number(number) => u64::try_from(number)
                .map(Self::Rows)
                .map_err(|_| D::Error::custom("a number of rows cannot be negative")),
            NumberOrText::Text(text) => {
                if let Ok(rows) = text.trim().parse() {
                    return Ok(Self::Rows(rows));
                }
                let share = Share::parse(&text).filter(|share| *share <= Share::ALL).map(Self::Share);
                let expected = "a number of rows or a share of them\nWrite `5`, or percents up to 100 such as `0.5%`.";
                share.ok_or_else(|| D::Error::custom(wrong(&text, expected)))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name, or a list of names")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Names, E> {
                Ok(Names(vec![name.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = list.next_element()? {
                    names.push(name);
                }
                Ok(Names(names))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for Share {
    fn schema_name() -> Cow<'static, str> {
        "Share".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": r"^(\$\{.*\}|\s*\d+(\.\d{1,4})?\s*%\s*)$" })
    }
}

impl JsonSchema for Allowed {
    fn schema_name() -> Cow<'static, str> {
        "Rows or share".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "description": "A number of rows, or a share of them such as 0.5%.",
            "minimum": 0,
        })
    }
}

impl JsonSchema for Names {
    fn schema_name() -> Cow<'static, str> {
        "Names".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "type": "string" },
            { "type": "array", "items": { "type": "string" }, "minItems": 1 },
        ] })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn shares_are_exact() {
        let share = |text: &str| Share::parse(text);
        assert_eq!([share("29%"), share("0.0001%"), share("250 %")], [290_000, 1, 2_500_000].map(|of| Some(Share(of))));
        for wrong in ["", "%", "5", "-1%", "1.23456%", ".5%", "1e2%", "99999999999999999999%"] {
            assert_eq!(share(wrong), None, "{wrong}");
        }
        // a product of floating points is 28.999999999999996
        let allowed = Allowed::Share(share("29%").unwrap());
        assert!(allowed.takes(29, 100) && !allowed.takes(30, 100) && allowed.takes(0, 0));
        assert_eq!(share("100%").unwrap().of(u64::MAX), u64::MAX);
        assert_eq!(
            [Share(5_000), Share(1_000_000), Share(1)].map(|share| share.to_string()),
            ["0.5%", "100%", "0.0001%"]
        );
    }
}
