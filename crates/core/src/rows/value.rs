//! The one rule of how values travel, for every database.
//!
//! | type | taken | answered |
//! |---|---|---|
//! | text | text without the character NUL | text |
//! | integer, bigint | a whole number, or its text | a number; beyond 2^53 its text |
//! | decimal | its text, or a number of at most 15 digits | text, with all digits after the point |
//! | float | a number | a number |
//! | boolean | `true`, `false` | the same |
//! | date | `2026-01-31`, years 1 to 9999 | the same |
//! | timestamp | RFC 3339 with its offset, to the microsecond | RFC 3339 in UTC, with `Z` |
//! | uuid | with or without hyphens, in either case | lower case with hyphens |
//! | json | any value; `null` is none | the value |
//!
//! Nothing is ever rounded or cut: a value that does not fit is told, with what would.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Number, Value};

use super::table::Kind;
use crate::text;

/// The integers that every reader of JSON holds: up to 2^53 either way.
const INTEGER_MAX: u64 = 1 << 53;
/// Decimals of so many digits come back from a double as they were.
const DIGITS_MAX: usize = 15;
const SECONDS_MIN: i64 = -62_135_596_800;
const SECONDS_MAX: i64 = 253_402_300_800;

/// A value of a column, checked: texts are canonical.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// None.
    Null,
    /// A boolean.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A double, never NaN nor infinite.
    Float(f64),
    /// A decimal with all digits after its point.
    Decimal(String),
    /// Text.
    Text(String),
    /// A day.
    Date(String),
    /// An instant in UTC, ending with `Z`.
    Timestamp(String),
    /// A UUID.
    Uuid(String),
    /// A JSON text.
    Json(String),
}

/// Why something is not a value of its type, as the end of a sentence: `must be ..`.
pub type Misfit = Cow<'static, str>;

impl Cell {
    /// The value that stands for itself in JSON.
    ///
    /// # Errors
    /// Why it is none of the type.
    pub fn from_json(kind: Kind, value: &Value) -> Result<Self, Misfit> {
        match (kind, value) {
            (_, Value::Null) => Ok(Self::Null),
            (Kind::Json, value) => Ok(Self::Json(value.to_string())).and_then(without_nul),
            (Kind::Boolean, Value::Bool(value)) => Ok(Self::Boolean(*value)),
            (Kind::Float, Value::Number(number)) => {
                let float = number.as_f64().filter(|float| float.is_finite());
                float.map(Self::Float).ok_or("must be a number that a double holds".into())
            }
            (Kind::Decimal { .. }, Value::Number(number)) => Self::from_text(kind, &decimal_of_number(number)?),
            (Kind::Integer | Kind::Bigint, Value::Number(number)) if !number.is_f64() => {
                Self::from_text(kind, &number.to_string())
            }
            (Kind::Integer | Kind::Bigint, Value::Number(number)) => match number.as_f64() {
                // 2.0 is a whole number to readers of JSON
                Some(float) if float.fract() == 0.0 && float.abs() < INTEGER_MAX as f64 => {
                    Self::from_text(kind, &format!("{float:.0}"))
                }
                _ => Err("must be a whole number".into()),
            },
            (Kind::Float | Kind::Boolean, _) | (_, Value::Bool(_) | Value::Number(_)) => Err(expected(kind)),
            (_, Value::String(text)) => Self::from_text(kind, text),
            (_, Value::Array(_) | Value::Object(_)) => Err(expected(kind)),
        }
    }

    /// The value that a text denotes, as in an address, a CSV file or an answer of a database.
    ///
    /// # Errors
    /// Why it is none of the type.
    pub fn from_text(kind: Kind, text: &str) -> Result<Self, Misfit> {
        let wrong = || expected(kind);
        Ok(match kind {
            Kind::Text => without_nul(Self::Text(text.to_owned()))?,
            Kind::Integer => Self::Integer(
                whole(text)?
                    .try_into()
                    .map(i32::into)
                    .map_err(|_| Misfit::from("must be a whole number from -2147483648 to 2147483647"))?,
            ),
            Kind::Bigint => Self::Integer(whole(text)?),
            Kind::Decimal { precision, scale } => Self::Decimal(decimal(text, precision, scale)?),
            Kind::Float => {
                let float = text.parse::<f64>().ok().filter(|float| float.is_finite());
                Self::Float(float.ok_or_else(wrong)?)
            }
            Kind::Boolean => match text {
                "true" => Self::Boolean(true),
                "false" => Self::Boolean(false),
                _ => return Err(wrong()),
            },
            Kind::Date => {
                let is_plain = text.len() == 10 && !text.starts_with("0000");
                let date = text::parse_date(text).filter(|_| is_plain).map(|_| text.to_owned());
                Self::Date(date.ok_or_else(wrong)?)
            }
            Kind::Timestamp => Self::Timestamp(timestamp(text)?),
            Kind::Uuid => {
                let mut shown = String::new();
                text::write_uuid(&mut shown, &text::parse_uuid(text).ok_or_else(wrong)?);
                Self::Uuid(shown)
            }
            Kind::Json => match serde_json::from_str::<Value>(text) {
                Ok(value) => return Self::from_json(kind, &value),
                Err(_) => return Err(wrong()),
            },
        })
    }

    /// The value as JSON.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Boolean(value) => Value::Bool(*value),
            Self::Integer(value) if value.unsigned_abs() <= INTEGER_MAX => Value::from(*value),
            Self::Integer(value) => Value::from(value.to_string()),
            Self::Float(value) => Number::from_f64(*value).map_or(Value::Null, Value::Number),
            Self::Json(text) => serde_json::from_str(text).unwrap_or(Value::Null),
            Self::Decimal(text) | Self::Text(text) | Self::Date(text) | Self::Timestamp(text) | Self::Uuid(text) => {
                Value::from(text.as_str())
            }
        }
    }

    /// The canonical text; nothing for NULL.
    pub fn to_text(&self) -> Option<Cow<'_, str>> {
        Some(match self {
            Self::Null => return None,
            Self::Boolean(value) => Cow::from(if *value { "true" } else { "false" }),
            Self::Integer(value) => Cow::from(value.to_string()),
            Self::Float(value) => {
                let mut shown = String::new();
                text::write_f64(&mut shown, *value);
                Cow::from(shown)
            }
            Self::Decimal(text)
            | Self::Text(text)
            | Self::Date(text)
            | Self::Timestamp(text)
            | Self::Uuid(text)
            | Self::Json(text) => Cow::from(text.as_str()),
        })
    }

    /// Whether it is NULL.
    pub fn is_null(&self) -> bool {
        *self == Self::Null
    }

    /// The order of two values of one type; nothing where one of them is NULL.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Integer(a), Self::Integer(b)) => Some(a.cmp(b)),
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(b),
            (Self::Boolean(a), Self::Boolean(b)) => Some(a.cmp(b)),
            (Self::Decimal(a), Self::Decimal(b)) => compare_decimals(a, b),
            (Self::Timestamp(a), Self::Timestamp(b)) => Some(instant(a).cmp(&instant(b))),
            (Self::Text(a), Self::Text(b)) | (Self::Date(a), Self::Date(b)) | (Self::Uuid(a), Self::Uuid(b)) => {
                Some(a.cmp(b))
            }
            _ => None,
        }
    }
}

/// What values of a type look like.
fn expected(kind: Kind) -> Misfit {
    match kind {
        Kind::Text => "must be text".into(),
        Kind::Integer | Kind::Bigint => "must be a whole number".into(),
        Kind::Decimal { precision, scale } => decimal_expected(precision, scale),
        Kind::Float => "must be a number".into(),
        Kind::Boolean => "must be true or false".into(),
        Kind::Date => "must be a day such as 2026-01-31".into(),
        Kind::Timestamp => "must be an instant such as 2026-01-31T08:30:00Z".into(),
        Kind::Uuid => "must be a UUID".into(),
        Kind::Json => "must be JSON".into(),
    }
}

/// No database but SQLite holds it, and there it ends texts early.
fn without_nul(cell: Cell) -> Result<Cell, Misfit> {
    let text = cell.to_text().unwrap_or_default();
    let has_nul = text.contains('\0') || matches!(cell, Cell::Json(_)) && text.contains("\\u0000");
    if has_nul { Err("must not contain the character NUL".into()) } else { Ok(cell) }
}

fn whole(text: &str) -> Result<i64, Misfit> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("must be a whole number".into());
    }
    text.parse().map_err(|_| "must be a whole number of at most 64 bits".into())
}

fn decimal_of_number(number: &Number) -> Result<String, Misfit> {
    let Some(float) = number.as_f64().filter(|_| number.is_f64()) else { return Ok(number.to_string()) };
    let mut shown = String::new();
    text::write_f64(&mut shown, float);
    let digits = text::parse_decimal(&shown).map_or(0, |(_, digits, _)| digits.trim_end_matches('0').len());
    if digits > DIGITS_MAX {
        return Err("has more digits than a JSON number keeps: it must be given as text".into());
    }
    Ok(shown)
}

fn decimal_expected(precision: u8, scale: u8) -> Misfit {
    let whole = precision - scale;
    match scale {
        0 => format!("must be a whole number of at most {precision} digits").into(),
        _ => format!("must be a decimal of at most {whole} digits before the point and {scale} after it").into(),
    }
}

/// A decimal with all digits after its point.
fn decimal(value: &str, precision: u8, scale: u8) -> Result<String, Misfit> {
    let wrong = || decimal_expected(precision, scale);
    let (negative, digits, has) = text::parse_decimal(value).ok_or_else(wrong)?;
    let (mut digits, mut has) = (digits, has);
    while has > i32::from(scale) && digits.len() > 1 && digits.ends_with('0') {
        digits.pop();
        has -= 1;
    }
    if digits == "0" {
        has = 0;
    }
    let missing = usize::try_from(i32::from(scale) - has).map_err(|_| wrong())?;
    if missing > usize::from(PRECISION_LIMIT) {
        return Err(wrong());
    }
    if digits != "0" {
        digits.extend(std::iter::repeat_n('0', missing));
    }
    if digits.len() > usize::from(precision) {
        return Err(wrong());
    }
    let mut shown = String::new();
    let sign = if negative && digits != "0" { "-" } else { "" };
    text::write_decimal(&mut shown, &format!("{sign}{digits}"), scale as i8);
    Ok(shown)
}

/// Zeros that are ever added to the digits of a decimal.
const PRECISION_LIMIT: u8 = 2 * super::table::PRECISION_MAX;

fn compare_decimals(a: &str, b: &str) -> Option<Ordering> {
    let scaled = |text: &str, scale: i32| -> Option<(bool, String)> {
        let (negative, mut digits, has) = text::parse_decimal(text)?;
        digits.extend(std::iter::repeat_n('0', usize::try_from(scale - has).ok()?));
        let digits = digits.trim_start_matches('0').to_owned();
        Some((negative && !digits.is_empty(), digits))
    };
    let scale = text::parse_decimal(a)?.2.max(text::parse_decimal(b)?.2);
    let ((a_negative, a), (b_negative, b)) = (scaled(a, scale)?, scaled(b, scale)?);
    let magnitude = a.len().cmp(&b.len()).then_with(|| a.cmp(&b));
    Some(match (a_negative, b_negative) {
        (false, false) => magnitude,
        (true, true) => magnitude.reverse(),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
    })
}

fn instant(text: &str) -> (i64, u32) {
    text::parse_timestamp(text).map_or((0, 0), |(seconds, nanos, _)| (seconds, nanos))
}

fn timestamp(value: &str) -> Result<String, Misfit> {
    let (seconds, nanos, has_offset) = text::parse_timestamp(value).ok_or_else(|| expected(Kind::Timestamp))?;
    if !has_offset {
        return Err("must end with its offset, such as `Z` or `+01:00`".into());
    }
    if !(SECONDS_MIN..SECONDS_MAX).contains(&seconds) {
        return Err("must be an instant of the years 1 to 9999".into());
    }
    if nanos % 1_000 != 0 {
        return Err("must have at most six digits after the second's point".into());
    }
    let mut shown = String::new();
    text::write_timestamp(&mut shown, seconds * 1_000_000 + i64::from(nanos / 1_000), true);
    Ok(shown)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn round(kind: Kind, value: Value) -> Result<Value, String> {
        Cell::from_json(kind, &value).map(|cell| cell.to_json()).map_err(Misfit::into_owned)
    }

    const MONEY: Kind = Kind::Decimal { precision: 10, scale: 2 };

    #[test]
    fn values_come_back_exactly_or_are_refused() {
        for (kind, value, wanted) in [
            (Kind::Integer, json!(7), json!(7)),
            (Kind::Integer, json!("-7"), json!(-7)),
            (Kind::Integer, json!(2.0), json!(2)),
            (Kind::Bigint, json!(9_007_199_254_740_992_i64), json!(9_007_199_254_740_992_i64)),
            (Kind::Bigint, json!(9_007_199_254_740_993_i64), json!("9007199254740993")),
            (Kind::Bigint, json!("-9223372036854775808"), json!("-9223372036854775808")),
            (MONEY, json!("12.5"), json!("12.50")),
            (MONEY, json!(12.5), json!("12.50")),
            (MONEY, json!(-3), json!("-3.00")),
            (MONEY, json!("1.500"), json!("1.50")),
            (MONEY, json!("-0"), json!("0.00")),
            (MONEY, json!("99999999.99"), json!("99999999.99")),
            (Kind::Decimal { precision: 38, scale: 0 }, json!("9".repeat(38)), json!("9".repeat(38))),
            (Kind::Float, json!(0.1), json!(0.1)),
            (Kind::Date, json!("2024-02-29"), json!("2024-02-29")),
            (Kind::Timestamp, json!("2021-07-27T16:02:08Z"), json!("2021-07-27T16:02:08Z")),
            (Kind::Timestamp, json!("2021-07-27 18:02:08.250+02:00"), json!("2021-07-27T16:02:08.25Z")),
            (Kind::Uuid, json!("A0EEBC999C0B4EF8BB6D6BB9BD380A11"), json!("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")),
            (Kind::Json, json!({"b": [1, null], "a": 1.5}), json!({"b": [1, null], "a": 1.5})),
            (Kind::Text, json!(null), json!(null)),
            (Kind::Json, json!(null), json!(null)),
        ] {
            assert_eq!(round(kind, value.clone()), Ok(wanted), "{kind} {value}");
        }
        for (kind, value) in [
            (Kind::Text, json!(7)),
            (Kind::Text, json!("a\0b")),
            (Kind::Integer, json!(2_147_483_648_i64)),
            (Kind::Integer, json!(1.5)),
            (Kind::Integer, json!("1e3")),
            (Kind::Integer, json!("+1")),
            (Kind::Bigint, json!("9223372036854775808")),
            (Kind::Bigint, json!(1e300)),
            (MONEY, json!("100000000")),
            (MONEY, json!("0.001")),
            (MONEY, json!(0.1 + 0.2)),
            (MONEY, json!("1e90")),
            (MONEY, json!("1e-90")),
            (MONEY, json!("NaN")),
            (Kind::Float, json!("1.5")),
            (Kind::Boolean, json!(1)),
            (Kind::Boolean, json!("true")),
            (Kind::Date, json!("2023-02-29")),
            (Kind::Date, json!("0000-01-01")),
            (Kind::Date, json!("2023-2-9")),
            (Kind::Timestamp, json!("2021-07-27T16:02:08")),
            (Kind::Timestamp, json!("2021-07-27T16:02:08.1234567Z")),
            (Kind::Timestamp, json!("9999-12-31T23:59:59-01:00")),
            (Kind::Uuid, json!("x")),
            (Kind::Json, json!({"a": "\u{0}"})),
        ] {
            let refused = round(kind, value.clone()).unwrap_err();
            assert!(refused.starts_with("must ") || refused.starts_with("has "), "{kind} {value}: {refused}");
        }
    }

    #[test]
    fn decimals_and_instants_are_compared_by_value() {
        let decimal = |text: &str| Cell::Decimal(text.to_owned());
        for (a, b, order) in [
            ("9.00", "10.00", Ordering::Less),
            ("-9.00", "-10.00", Ordering::Greater),
            ("-1.00", "0.00", Ordering::Less),
            ("1.50", "1.5", Ordering::Equal),
        ] {
            assert_eq!(decimal(a).compare(&decimal(b)), Some(order), "{a} {b}");
        }
        let at = |text: &str| Cell::Timestamp(text.to_owned());
        assert_eq!(at("2021-01-01T00:00:00Z").compare(&at("2021-01-01T00:00:00.5Z")), Some(Ordering::Less));
    }
}
