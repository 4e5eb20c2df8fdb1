//! What the server would round or cut without a word, or refuse without saying that the value is bad: such values are
//! refused here, each row by itself.

use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Field};
use levada_core::cast::quoted;
use levada_core::schema::native_of;
use levada_core::text;

use super::Unwritable;
use crate::postgres::types::{Kind, SYSTEM};

/// What a column keeps of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    /// So many characters: blanks beyond them vanish.
    Chars(usize),
    /// So many bytes.
    Bytes(usize),
    /// So many digits after the point; below zero, so many zeros before it.
    Scale(i32),
    /// Microseconds.
    Micros,
    /// No NaN and no infinity.
    Finite,
}

/// Refuses the first value that the server would change.
pub fn check(batch: &RecordBatch, rows: Range<usize>) -> Result<(), Unwritable> {
    for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        let Some(limit) = Limit::of(field) else { continue };
        for row in rows.clone().filter(|row| array.is_valid(*row)) {
            if let Err(reason) = limit.check(array, row) {
                let value = text::value(array, row).unwrap_or_default();
                let reason = format!("{} {reason}", quoted(&value));
                return Err(Unwritable { column: field.name().clone(), reason });
            }
        }
    }
    Ok(())
}

impl Limit {
    fn of(field: &Field) -> Option<Self> {
        let native = native_of(field, SYSTEM)?;
        let is_text = *field.data_type() == DataType::Utf8;
        match Kind::of_field(field) {
            Kind::Numeric(Some((_, scale))) if scale < 0 || is_text => Some(Self::Scale(scale)),
            Kind::Money if is_text => Some(Self::Finite),
            Kind::Text(_) if native == "name" => Some(Self::Bytes(63)),
            Kind::Text(Some(chars)) if native.starts_with("character varying") => Some(Self::Chars(chars as usize)),
            Kind::Foreign if native == "\"char\"" => Some(Self::Bytes(1)),
            Kind::Interval | Kind::Foreign
                if is_text && ["interval", "time", "tsrange", "tstzrange"].iter().any(|t| native.starts_with(t)) =>
            {
                Some(Self::Micros)
            }
            _ => None,
        }
    }

    fn check(self, array: &dyn Array, row: usize) -> Result<(), String> {
        let kept = match self {
            Self::Chars(chars) => {
                let value = array.as_string::<i32>().value(row);
                value.len() <= chars || value.chars().count() <= chars
            }
            Self::Bytes(bytes) => {
                let value = array.as_string::<i32>().value(row);
                // The form in which the server writes a byte that is no character.
                value.len() <= bytes || bytes == 1 && value.len() == 4 && value.starts_with('\\')
            }
            Self::Scale(scale) => text::value(array, row).is_none_or(|value| has_scale(&value, scale)),
            Self::Micros => has_micros(array.as_string::<i32>().value(row)),
            Self::Finite => {
                let value = array.as_string::<i32>().value(row).trim_ascii().to_ascii_lowercase();
                !value.starts_with("nan") && !value.trim_start_matches(['+', '-']).starts_with("inf")
            }
        };
        if kept { Ok(()) } else { Err(self.to_string()) }
    }
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Chars(chars) => write!(f, "is longer than {chars} characters"),
            Self::Bytes(bytes) => write!(f, "is longer than {bytes} bytes"),
            Self::Scale(scale) => write!(f, "would be rounded: the column has scale {scale}"),
            Self::Micros => write!(f, "would be rounded to microseconds"),
            Self::Finite => write!(f, "is not an amount of money"),
        }
    }
}

fn has_scale(value: &str, scale: i32) -> bool {
    // NaN and the infinities are never rounded.
    let Some((_, digits, has)) = text::parse_decimal(value.trim_ascii()) else { return true };
    let significant = digits.trim_end_matches('0');
    let zeros = i32::try_from(digits.len() - significant.len()).unwrap_or(i32::MAX);
    significant.is_empty() || has.saturating_sub(zeros) <= scale
}

fn has_micros(value: &str) -> bool {
    value.split(['.', ',']).skip(1).all(|after| {
        let fraction = &after[..after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len())];
        fraction.trim_end_matches('0').len() <= 6
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_count_as_characters() {
        let array = arrow_array::StringArray::from(vec!["äö ", "äö  "]);
        assert_eq!(Limit::Chars(3).check(&array, 0), Ok(()));
        assert!(Limit::Chars(3).check(&array, 1).is_err() && Limit::Bytes(5).check(&array, 1).is_err());
    }

    #[test]
    fn what_would_be_rounded_is_told_from_what_is_only_written_longer() {
        assert!(has_scale("12000", -3) && has_scale("0", -3) && has_scale("1.50", 1) && has_scale("NaN", 0));
        assert!(!has_scale("12300", -3) && !has_scale("1.55", 1) && has_scale("1e3", -3) && !has_scale("1e-3", 2));
        assert!(has_micros("PT0.1234560S") && !has_micros("10:00:00.1234567+00") && has_micros("10:00"));
    }
}
