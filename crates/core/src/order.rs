//! The order of a column's values, for cursors that are compared here and not by the other system, and what a lag means in
//! it.

use crate::error::{Error, ErrorKind, Result};
use crate::position::Position;
use crate::schema::{Logical, no_cursor};
use crate::text;
use arrow_buffer::i256;
use arrow_schema::{DataType, Field};
use serde_json::json;

/// The place of a value in its column's order.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub enum Key {
    /// Whole numbers, decimals at the column's scale, and times in nanoseconds.
    Exact(i256),
    /// Floats.
    Float(f64),
    /// Texts by their bytes.
    Text(String),
}

/// Whether the values of a column have an order.
///
/// # Errors
/// `Config`, naming the column.
pub fn check(field: &Field) -> Result<()> {
    use DataType as T;
    let ordered = match (field.data_type(), Logical::of(field)) {
        (T::Utf8, logical) => matches!(logical, None | Some(Logical::Enum)),
        (T::Boolean | T::Binary | T::FixedSizeBinary(_), _) => false,
        _ => true,
    };
    if ordered { Ok(()) } else { Err(no_cursor(field)) }
}

impl Key {
    /// The key of a value written as text.
    pub fn of_text(data_type: &DataType, value: &str) -> Option<Self> {
        let exact = |number: i128| Some(Key::Exact(i256::from_i128(number)));
        match data_type {
            DataType::Utf8 => Some(Key::Text(value.to_owned())),
            DataType::Float64 | DataType::Float32 => value.parse().ok().map(Key::Float),
            DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale) => {
                let (negative, mut digits, has) = text::parse_decimal(value)?;
                let zeros = usize::try_from(i32::from(*scale) - has).ok()?;
                digits.extend(std::iter::repeat_n('0', zeros));
                let number = i256::from_string(&digits)?;
                Some(Key::Exact(if negative { number.wrapping_neg() } else { number }))
            }
            DataType::Date32 | DataType::Timestamp(..) => match text::parse_date(value) {
                Some(days) => exact(i128::from(days) * 86_400_000_000_000),
                None => {
                    let (seconds, nanos, _) = text::parse_timestamp(value)?;
                    exact(i128::from(seconds) * 1_000_000_000 + i128::from(nanos))
                }
            },
            DataType::Time64(_) => exact(i128::from(text::parse_time(value)?)),
            DataType::Duration(_) => exact(i128::from(text::parse_duration(value)?) * 1000),
            _ => exact(value.parse().ok()?),
        }
    }

    /// The value as text; an instant finer than a microsecond as the one before it.
    pub fn text(&self, data_type: &DataType) -> String {
        let mut text = String::new();
        match (self, data_type) {
            (Self::Text(value), _) => text.push_str(value),
            (Self::Float(value), _) => text::write_f64(&mut text, *value),
            (Self::Exact(ns), DataType::Timestamp(_, zone)) => {
                text::write_timestamp(&mut text, whole(*ns, 1_000), zone.is_some());
            }
            (Self::Exact(ns), DataType::Date32) => text::write_date(&mut text, whole(*ns, 86_400_000_000_000)),
            (Self::Exact(ns), DataType::Time64(_)) => text::write_time(&mut text, whole(*ns, 1_000)),
            (Self::Exact(ns), DataType::Duration(_)) => text::write_duration(&mut text, whole(*ns, 1_000)),
            (Self::Exact(unscaled), DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale)) => {
                text::write_decimal(&mut text, &unscaled.to_string(), *scale);
            }
            (Self::Exact(number), _) => text.push_str(&number.to_string()),
        }
        text
    }

    /// The whole microseconds since 1970 of an instant or a day.
    pub fn micros(&self, data_type: &DataType) -> Option<i64> {
        match (self, data_type) {
            (Self::Exact(ns), DataType::Timestamp(..) | DataType::Date32) => Some(whole(*ns, 1_000)),
            _ => None,
        }
    }

    /// The key so far before this one.
    pub fn minus(&self, lag: Option<&Self>) -> Self {
        match (self, lag) {
            (Self::Exact(key), Some(Self::Exact(lag))) => Self::Exact(key.wrapping_sub(*lag)),
            (Self::Float(key), Some(Self::Float(lag))) => Self::Float(key - lag),
            (key, _) => key.clone(),
        }
    }

    /// What a lag is in the order of a column.
    ///
    /// # Errors
    /// `Config`, where it is nothing in it.
    pub fn of_lag(column: &str, data_type: &DataType, lag: &str) -> Result<Self> {
        let wrong =
            |what: &str| Error::new(ErrorKind::Config, format!("the lag `{lag}` of cursor `{column}` is not {what}"));
        match data_type {
            DataType::Utf8 => Err(wrong("possible: texts have no distance")),
            DataType::Float64 | DataType::Float32 => {
                lag.parse().ok().filter(|lag: &f64| *lag >= 0.0).map(Self::Float).ok_or_else(|| wrong("a number"))
            }
            t if t.is_temporal() => {
                duration_ns(lag).map(Self::Exact).ok_or_else(|| wrong("a duration such as `5m`, `2h` or `1d`"))
            }
            t => Self::of_text(t, lag).ok_or_else(|| wrong("a number that the column could hold")),
        }
    }

    /// The key of a stored position, and its text.
    ///
    /// # Errors
    /// `Refused` for one of another column, or of a type that the column no longer has.
    pub fn of_position(column: &str, data_type: &DataType, from: &Position) -> Result<(Self, String)> {
        let refused = |reason: &str| Error::new(ErrorKind::Refused, format!("the stored position {reason}"));
        if from.0.get("column").and_then(|c| c.as_str()).is_some_and(|other| other != column) {
            return Err(refused(&format!("is of another cursor column than `{column}`"))
                .advise("Read everything once with `--full-refresh`, or name the old cursor again."));
        }
        let text = from.0.get("cursor").and_then(|c| c.as_str()).ok_or_else(|| refused("has no cursor value"))?;
        let key = Self::of_text(data_type, text)
            .ok_or_else(|| refused(&format!("is `{text}`, which is not a value of column `{column}` as it is now")))?;
        Ok((key, text.to_owned()))
    }
}

/// The position at a cursor value.
pub fn position(column: &str, text: &str) -> Position {
    Position(json!({ "cursor": text, "column": column }))
}

/// So many whole units, rounded down; the range of all types that are counted in units is within 64 bits.
fn whole(ns: i256, unit: i128) -> i64 {
    let ns = ns.to_i128().unwrap_or(if ns < i256::ZERO { i128::MIN } else { i128::MAX });
    i64::try_from(ns.div_euclid(unit)).unwrap_or(if ns < 0 { i64::MIN } else { i64::MAX })
}

fn duration_ns(lag: &str) -> Option<i256> {
    let lag = lag.trim();
    let unit_at = lag.find(|c: char| !c.is_ascii_digit())?;
    let number: i128 = lag[..unit_at].parse().ok()?;
    let unit: i128 = match &lag[unit_at..] {
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        "w" => 604_800_000_000_000,
        _ => return None,
    };
    number.checked_mul(unit).map(i256::from_i128)
}
