//! Values as texts by which equal ones are told: numbers as their digits and where the point is, whatever their type and scale,
//! and everything else as its canonical text.

use std::cmp::Ordering;
use std::fmt::Write as _;

use arrow_array::Array;
use arrow_schema::{DataType, Field};
use levada_core::schema::Logical;
use levada_core::text;

/// A number of any size, as 0.digits x 10^point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number {
    is_negative: bool,
    /// Without zeros at either end; empty for zero.
    digits: String,
    point: i64,
}

impl Number {
    /// The number that a text means; `None` for NaN and infinities, and for what is no number.
    pub fn parse(text: &str) -> Option<Self> {
        let (is_negative, digits, scale) = text::parse_decimal(text)?;
        let digits = if digits == "0" { "" } else { digits.as_str() };
        let point = digits.len() as i64 - i64::from(scale);
        let digits = digits.trim_end_matches('0');
        if digits.is_empty() {
            return Some(Self { is_negative: false, digits: String::new(), point: 0 });
        }
        Some(Self { is_negative, digits: digits.to_owned(), point })
    }

    fn signum(&self) -> i8 {
        match (self.digits.is_empty(), self.is_negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        let size = self.point.cmp(&other.point).then_with(|| self.digits.cmp(&other.digits));
        let size = if self.is_negative { size.reverse() } else { size };
        self.signum().cmp(&other.signum()).then(size)
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Whether the values of a column are numbers.
pub fn is_number(field: &Field) -> bool {
    let data_type = field.data_type();
    data_type.is_numeric() || (*data_type == DataType::Utf8 && Logical::of(field) == Some(Logical::Number))
}

/// Writes the text by which a value is told from others: -0 is 0, NaN is itself, 1.50 is 1.5.
pub fn write(out: &mut String, values: &dyn Array, row: usize, is_number: bool) {
    let start = out.len();
    text::write_value(out, values, row);
    if is_number && let Some(number) = Number::parse(&out[start..]) {
        out.truncate(start);
        let sign = if number.is_negative { "-" } else { "" };
        let _ = write!(out, "{sign}{}e{}", number.digits, number.point);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn numbers_are_told_by_their_value() {
        let number = |text: &str| Number::parse(text).unwrap();
        for (one, two) in
            [("1.50", "1.5"), ("-0.00", "0"), ("100", "1e2"), ("0.001", "1E-3"), ("-12.0", "-12"), ("007", "7")]
        {
            assert_eq!(number(one), number(two), "{one} {two}");
        }
        let ascending = [
            "-1e40",
            "-100",
            "-99.999",
            "-1.5",
            "-1.49",
            "-0.001",
            "0",
            "1e-30",
            "0.09",
            "0.1",
            "0.11",
            "1",
            "9",
            "10",
            "10.01",
            "99",
            "100",
            "123456789012345678901234567890.1",
            "1e200",
        ];
        for (place, one) in ascending.iter().enumerate() {
            for (other_place, other) in ascending.iter().enumerate() {
                assert_eq!(number(one).cmp(&number(other)), place.cmp(&other_place), "{one} {other}");
            }
        }
        assert_eq!(["NaN", "Infinity", "", "x", "1.2.3"].map(Number::parse), [const { None }; 5]);
    }
}
