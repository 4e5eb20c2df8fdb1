//! The cursor of an incremental read: its exact text, the way back to a value the server compares, and the lag.

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::position::Position;
use levada_core::text;
use mysql_async::Value;

use super::native::Native;

/// What a cursor column is, as far as comparing and subtracting go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Whole numbers.
    Integer,
    /// Decimal numbers.
    Decimal,
    /// Floating-point numbers.
    Float,
    /// Days.
    Date,
    /// Points in time.
    Timestamp,
    /// Anything else the server can order.
    Text,
}

/// The bound that a stored position holds for a column.
///
/// # Errors
/// `Refused` for a position of another column, whose values say nothing about this one.
pub fn bound(position: &Position, column: &str) -> Result<String> {
    let part = |name: &str| position.0.get(name).and_then(serde_json::Value::as_str);
    match (part("column"), part("cursor")) {
        (Some(stored), Some(cursor)) if stored == column => Ok(cursor.to_owned()),
        (Some(stored), Some(_)) => Err(Error::new(
            ErrorKind::Refused,
            format!("the stored position is one of column `{stored}`, but the cursor is now `{column}`"),
        )
        .advise("Read everything once with `--full-refresh`, or name the old cursor again.")),
        _ => Err(Error::new(ErrorKind::Refused, "the stored position is not one of this connector")
            .advise("Read everything once with `--full-refresh`.")),
    }
}

impl Kind {
    /// The kind of a column.
    ///
    /// # Errors
    /// `Config` for a type that has no useful order.
    pub fn of(name: &str, native: &Native) -> Result<Self> {
        Ok(match native.base.as_str() {
            "year" => Self::Integer,
            "decimal" | "numeric" => Self::Decimal,
            "float" | "double" | "real" => Self::Float,
            "date" => Self::Date,
            "datetime" | "timestamp" => Self::Timestamp,
            "uuid" | "inet4" | "inet6" => Self::Text,
            _ if native.is_text() && native.labels.is_empty() => Self::Text,
            _ if native.is_integer() => Self::Integer,
            base => {
                return Err(Error::new(ErrorKind::Config, format!("`{name}` is {base}, which cannot be a cursor"))
                    .advise("Choose a column of numbers, dates, times or short texts that only grows."));
            }
        })
    }

    /// The exact text of a value read in the binary protocol; `None` for NULL and zero dates.
    pub fn text(self, value: &Value) -> Option<String> {
        match value {
            Value::NULL => None,
            Value::Bytes(bytes) => String::from_utf8(bytes.clone()).ok(),
            Value::Int(number) => Some(number.to_string()),
            Value::UInt(number) => Some(number.to_string()),
            Value::Float(number) => Some(f64::from(*number).to_string()),
            Value::Double(number) => Some(number.to_string()),
            Value::Date(year, month, day, hour, minute, second, micros) => {
                text::days_from_civil(i64::from(*year), u32::from(*month), u32::from(*day))?;
                let date = format!("{year:04}-{month:02}-{day:02}");
                Some(match self {
                    Self::Date => date,
                    _ => format!("{date} {hour:02}:{minute:02}:{second:02}.{micros:06}"),
                })
            }
            Value::Time(..) => None,
        }
    }

    /// What the server compares the column with.
    pub fn param(self, cursor: &str) -> Result<Value> {
        let wrong =
            || Error::new(ErrorKind::Refused, format!("the stored cursor `{cursor}` does not fit the cursor column"));
        match self {
            Self::Integer => {
                let number: i128 = cursor.parse().map_err(|_| wrong())?;
                i64::try_from(number)
                    .map(Value::Int)
                    .or_else(|_| u64::try_from(number).map(Value::UInt))
                    .map_err(|_| wrong())
            }
            Self::Float => cursor.parse().map(Value::Double).map_err(|_| wrong()),
            Self::Date | Self::Timestamp => {
                text::parse_timestamp(cursor)
                    .map(|_| ())
                    .or_else(|| text::parse_date(cursor).map(|_| ()))
                    .ok_or_else(wrong)?;
                Ok(Value::Bytes(cursor.as_bytes().to_vec()))
            }
            Self::Decimal => {
                text::parse_decimal(cursor).ok_or_else(wrong)?;
                Ok(Value::Bytes(cursor.as_bytes().to_vec()))
            }
            Self::Text => Ok(Value::Bytes(cursor.as_bytes().to_vec())),
        }
    }

    /// How the column is written where it is compared with a parameter: a parameter of a decimal arrives as text, which
    /// the server would compare as floating-point numbers.
    pub fn placeholder(self) -> &'static str {
        match self {
            Self::Decimal => "CAST(? AS DECIMAL(65,30))",
            Self::Date | Self::Timestamp => "CAST(? AS DATETIME(6))",
            _ => "?",
        }
    }

    /// The cursor moved back by a lag.
    ///
    /// # Errors
    /// `Config` for a lag that the column has no unit for.
    pub fn minus(self, cursor: &str, lag: Option<&str>) -> Result<String> {
        let Some(lag) = lag.map(str::trim).filter(|lag| !lag.is_empty()) else {
            return Ok(cursor.to_owned());
        };
        let bad = |what: &str| {
            Error::new(ErrorKind::Config, format!("`lag: {lag}` {what}"))
                .advise("A lag is a number for a cursor of numbers, or a duration such as `30s`, `5m`, `2h`, `1d`.")
        };
        match self {
            Self::Integer => {
                let (cursor, lag): (i128, u64) = (
                    cursor.parse().map_err(|_| bad("meets a cursor that is no number"))?,
                    lag.parse().map_err(|_| bad("is not a whole number"))?,
                );
                Ok((cursor - i128::from(lag)).max(i128::from(i64::MIN)).to_string())
            }
            Self::Decimal | Self::Float => {
                let (cursor, lag): (f64, f64) = (
                    cursor.parse().map_err(|_| bad("meets a cursor that is no number"))?,
                    lag.parse().ok().filter(|lag| *lag >= 0.0).ok_or_else(|| bad("is not a number"))?,
                );
                // Rounding may only make the window larger.
                let back = cursor - lag;
                Ok((back - cursor.abs().max(back.abs()) * 2.0 * f64::EPSILON).to_string())
            }
            Self::Date | Self::Timestamp => {
                let us = duration_us(lag).ok_or_else(|| bad("is not a duration with its unit"))?;
                let at = match text::parse_timestamp(cursor) {
                    Some((seconds, nanos, _)) => seconds * 1_000_000 + i64::from(nanos / 1000),
                    None => {
                        text::parse_date(cursor).ok_or_else(|| bad("meets a cursor that is no time"))? * text::DAY_US
                    }
                };
                let mut back = String::new();
                text::write_timestamp(&mut back, at.saturating_sub(us).max(FIRST_US), false);
                Ok(back.replace('T', " "))
            }
            Self::Text => Err(bad("needs a cursor of numbers or of time")),
        }
    }
}

/// 0001-01-01 in microseconds before 1970.
const FIRST_US: i64 = -62_135_596_800_000_000;

/// Microseconds of `90s`, `5m`, `2h`, `1d`, `250ms`, `1w`.
fn duration_us(text: &str) -> Option<i64> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let number: f64 = text[..end].parse().ok()?;
    let unit = match text[end..].trim() {
        "us" => 1.0,
        "ms" => 1e3,
        "s" | "sec" | "second" | "seconds" => 1e6,
        "m" | "min" | "minute" | "minutes" => 60e6,
        "h" | "hour" | "hours" => 3600e6,
        "d" | "day" | "days" => 86_400e6,
        "w" | "week" | "weeks" => 604_800e6,
        _ => return None,
    };
    Some((number * unit) as i64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_lag_moves_each_kind_back_in_its_unit() {
        assert_eq!(Kind::Integer.minus("18446744073709551615", Some("10")).unwrap(), "18446744073709551605");
        assert_eq!(Kind::Integer.minus("-5", None).unwrap(), "-5");
        assert_eq!(Kind::Timestamp.minus("2024-03-01 00:00:00.500000", Some("1d")).unwrap(), "2024-02-29 00:00:00.5");
        assert_eq!(Kind::Date.minus("2024-03-01", Some("2d")).unwrap(), "2024-02-28 00:00:00");
        assert!(Kind::Text.minus("a", Some("1")).is_err() && Kind::Timestamp.minus("2024-01-01", Some("x")).is_err());
        // A number without a unit could mean anything.
        assert!(
            Kind::Timestamp.minus("2024-01-01", Some("5")).is_err()
                && Kind::Date.minus("2024-01-01", Some("0")).is_err()
        );
        assert_eq!(Kind::Integer.minus("7", Some("0")).unwrap(), "7");
    }

    #[test]
    fn cursor_texts_are_exact_and_go_back() {
        let value = Value::Date(2024, 1, 2, 3, 4, 5, 600);
        let text = Kind::Timestamp.text(&value).unwrap();
        assert_eq!(text, "2024-01-02 03:04:05.000600");
        assert_eq!(Kind::Timestamp.param(&text).unwrap(), Value::Bytes(text.into_bytes()));
        assert_eq!(Kind::Integer.param("18446744073709551615").unwrap(), Value::UInt(u64::MAX));
        assert_eq!(Kind::Timestamp.text(&Value::Date(0, 0, 0, 0, 0, 0, 0)), None);
    }
}
