//! Tells a column's type from a sample of its texts. The rule: a type is given only if every text of the sample would be
//! printed by it just so: whole numbers without leading zeros or `+`, decimals with one and the same number of digits
//! after the point, `true`/`false`, ISO dates that exist, ISO timestamps to the microsecond that all have a `Z` or all
//! have none. Anything else (`007`, `1e5`, `+49`, `2024-13-01`) makes the column text. A later text that breaks the rule
//! is rejected, never changed.

use arrow_schema::{DataType, Field};
use levada_core::schema::{Logical, field, timestamp, timestamp_utc};

use crate::files::format::cells;

/// What the texts seen so far allow a column to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Guess {
    /// No text was seen.
    #[default]
    Nothing,
    /// Whole numbers.
    Integer,
    /// Decimals with so many digits after the point.
    Decimal(u8),
    /// `true` and `false`.
    Boolean,
    /// Dates.
    Date,
    /// Timestamps; true if they end in `Z`.
    Timestamp(bool),
    /// Text.
    Text,
}

/// The native type of columns whose type was told from a sample.
pub const GUESSED: &str = "files:guessed";

impl Guess {
    /// Takes one more text into account.
    pub fn see(&mut self, value: &str) {
        if *self != Self::Text {
            self.join(Self::of(value.as_bytes()));
        }
    }

    /// Takes another guess of the same column into account.
    pub fn join(&mut self, other: Self) {
        *self = match (*self, other) {
            (mine, other) if mine == other => mine,
            (Self::Nothing, other) => other,
            (mine, Self::Nothing) => mine,
            _ => Self::Text,
        };
    }

    fn of(bytes: &[u8]) -> Self {
        match bytes {
            b"true" | b"false" => return Self::Boolean,
            [] => return Self::Text,
            [b'0'..=b'9' | b'-', ..] => {}
            _ => return Self::Text,
        }
        if cells::integer(bytes).is_some() {
            return Self::Integer;
        }
        if cells::date(bytes).is_some() {
            return Self::Date;
        }
        if let Some((_, zulu)) = cells::timestamp(bytes) {
            return Self::Timestamp(zulu);
        }
        Self::decimal(bytes).unwrap_or(Self::Text)
    }

    fn decimal(bytes: &[u8]) -> Option<Self> {
        let point = memchr::memchr(b'.', bytes)?;
        let (whole, fraction) = (&bytes[..point], &bytes[point + 1..]);
        let canonical = whole == b"-0" && fraction.iter().any(|b| *b != b'0') || cells::integer(whole).is_some();
        let digits = (1..=18).contains(&fraction.len()) && fraction.iter().all(u8::is_ascii_digit);
        (canonical && digits && bytes.len() <= 19).then_some(Self::Decimal(fraction.len() as u8))
    }

    /// The column.
    pub fn field(self, name: &str) -> Field {
        let data_type = match self {
            Self::Nothing | Self::Text => {
                return field(name, DataType::Utf8, true, "files:text", Some(Logical::Untyped));
            }
            Self::Integer => DataType::Int64,
            Self::Decimal(scale) => DataType::Decimal128(38, scale as i8),
            Self::Boolean => DataType::Boolean,
            Self::Date => DataType::Date32,
            Self::Timestamp(true) => timestamp_utc(),
            Self::Timestamp(false) => timestamp(),
        };
        field(name, data_type, true, GUESSED, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guess(values: &[&str]) -> Guess {
        let mut guess = Guess::default();
        values.iter().for_each(|value| guess.see(value));
        guess
    }

    #[test]
    fn only_what_prints_back_unchanged_gets_a_type() {
        for text in ["007", "1e5", "+49", "2024-13-01", "1.", ".5", "-0", "NaN", "TRUE", "1 ", "12345678901234567890"] {
            assert_eq!(guess(&[text]), Guess::Text, "{text}");
        }
        assert_eq!(guess(&["0", "-12"]), Guess::Integer);
        assert_eq!(guess(&["1.50", "-0.25"]), Guess::Decimal(2));
        assert_eq!(guess(&["1.50", "1.5"]), Guess::Text);
        assert_eq!(guess(&["1", "1.5"]), Guess::Text);
        assert_eq!(guess(&["2024-02-29"]), Guess::Date);
        assert_eq!(guess(&["2024-02-29T01:02:03Z"]), Guess::Timestamp(true));
        assert_eq!(guess(&["2024-02-29 01:02:03.000001"]), Guess::Timestamp(false));
        assert_eq!(guess(&["2024-02-29T01:02:03Z", "2024-02-29T01:02:03"]), Guess::Text);
        assert_eq!(guess(&[]), Guess::Nothing);
    }
}
