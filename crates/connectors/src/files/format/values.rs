//! One column's values as canonical text, with the type looked at once per column instead of once per value.

use std::fmt::Write as _;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, PrimitiveArray, StringArray};
use arrow_schema::{DataType, TimeUnit};
use levada_core::text;

/// Prints the values of one column.
pub enum TextWriter<'a> {
    /// Text as it is.
    Text(&'a StringArray),
    /// Whole numbers.
    Int64(&'a PrimitiveArray<Int64Type>),
    /// Whole numbers.
    Int32(&'a PrimitiveArray<Int32Type>),
    /// Decimals and their scale.
    Decimal(&'a PrimitiveArray<Decimal128Type>, u8),
    /// Dates.
    Date(&'a PrimitiveArray<Date32Type>),
    /// Timestamps; true if they are instants.
    Timestamp(&'a PrimitiveArray<TimestampMicrosecondType>, bool),
    /// Anything else, by the general rule.
    Other(&'a dyn Array),
}

impl<'a> TextWriter<'a> {
    /// For a column.
    pub fn new(array: &'a dyn Array) -> Self {
        match array.data_type() {
            DataType::Utf8 => Self::Text(array.as_string()),
            DataType::Int64 => Self::Int64(array.as_primitive()),
            DataType::Int32 => Self::Int32(array.as_primitive()),
            DataType::Decimal128(_, scale) if (1..=18).contains(scale) => {
                Self::Decimal(array.as_primitive(), scale.unsigned_abs())
            }
            DataType::Date32 => Self::Date(array.as_primitive()),
            DataType::Timestamp(TimeUnit::Microsecond, zone) => Self::Timestamp(array.as_primitive(), zone.is_some()),
            _ => Self::Other(array),
        }
    }

    /// The text itself, where the column holds text.
    pub fn text(&self, row: usize) -> Option<&'a str> {
        if let Self::Text(array) = self { Some(array.value(row)) } else { None }
    }

    /// Appends a value that is not NULL.
    pub fn write(&self, out: &mut String, row: usize) {
        match self {
            Self::Text(array) => out.push_str(array.value(row)),
            Self::Int64(array) => out.push_str(itoa::Buffer::new().format(array.value(row))),
            Self::Int32(array) => out.push_str(itoa::Buffer::new().format(array.value(row))),
            Self::Decimal(array, scale) => {
                let (value, one) = (array.value(row), 10_i128.pow(u32::from(*scale)));
                if value < 0 {
                    out.push('-');
                }
                let (whole, fraction) =
                    (value.unsigned_abs() / one.unsigned_abs(), value.unsigned_abs() % one.unsigned_abs());
                out.push_str(itoa::Buffer::new().format(whole));
                out.push('.');
                let mut digits = itoa::Buffer::new();
                let digits = digits.format(fraction);
                out.extend(std::iter::repeat_n('0', usize::from(*scale) - digits.len()));
                out.push_str(digits);
            }
            Self::Date(array) => write_date(out, i64::from(array.value(row))),
            Self::Timestamp(array, instant) => text::write_timestamp(out, array.value(row), *instant),
            Self::Other(array) => text::write_value(out, *array, row),
        }
    }
}

fn write_date(out: &mut String, days: i64) {
    let (year, month, day) = text::civil_from_days(days);
    if !(1000..10_000).contains(&year) {
        return text::write_date(out, days);
    }
    let _ = out.write_str(itoa::Buffer::new().format(year));
    for part in [month, day] {
        out.push('-');
        out.push(char::from(b'0' + (part / 10) as u8));
        out.push(char::from(b'0' + (part % 10) as u8));
    }
}
