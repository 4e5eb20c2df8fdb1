//! Which of two values of a column is greater, for the types that have an order everybody agrees on.

use std::cmp::Ordering;

use arrow_array::cast::AsArray;
use arrow_array::types as t;
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, Field, TimeUnit};
use levada_core::builder::ColumnBuilder;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::schema::{Logical, type_name};
use levada_core::text;

use super::canonical::{self, Number};

/// A value that can be compared with others of its column.
#[derive(Debug, Clone, PartialEq)]
pub enum Ordinal {
    /// A whole number, or a day, time or instant in its smallest unit.
    Whole(i128),
    /// A number with a floating point. NaN is neither less nor greater than anything.
    Float(f64),
    /// A decimal.
    Number(Number),
}

impl Ordinal {
    /// How it compares, if it does.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Whole(one), Self::Whole(two)) => Some(one.cmp(two)),
            (Self::Float(one), Self::Float(two)) => one.partial_cmp(two),
            (Self::Number(one), Self::Number(two)) => Some(one.cmp(two)),
            _ => None,
        }
    }

    /// The value in a row; `None` for NULL, and where it has no order.
    pub fn of(values: &dyn Array, row: usize, is_number: bool) -> Option<Self> {
        if values.is_null(row) {
            return None;
        }
        use DataType as T;
        let whole = match values.data_type() {
            T::Int8 => values.as_primitive::<t::Int8Type>().value(row).into(),
            T::Int16 => values.as_primitive::<t::Int16Type>().value(row).into(),
            T::Int32 => values.as_primitive::<t::Int32Type>().value(row).into(),
            T::Int64 => values.as_primitive::<t::Int64Type>().value(row).into(),
            T::UInt8 => values.as_primitive::<t::UInt8Type>().value(row).into(),
            T::UInt16 => values.as_primitive::<t::UInt16Type>().value(row).into(),
            T::UInt32 => values.as_primitive::<t::UInt32Type>().value(row).into(),
            T::UInt64 => values.as_primitive::<t::UInt64Type>().value(row).into(),
            T::Date32 => values.as_primitive::<t::Date32Type>().value(row).into(),
            T::Time64(TimeUnit::Microsecond) => values.as_primitive::<t::Time64MicrosecondType>().value(row).into(),
            T::Duration(TimeUnit::Microsecond) => values.as_primitive::<t::DurationMicrosecondType>().value(row).into(),
            T::Timestamp(TimeUnit::Microsecond, _) => {
                values.as_primitive::<t::TimestampMicrosecondType>().value(row).into()
            }
            T::Timestamp(TimeUnit::Nanosecond, _) => {
                values.as_primitive::<t::TimestampNanosecondType>().value(row).into()
            }
            T::Float32 => return Some(Self::Float(values.as_primitive::<t::Float32Type>().value(row).into())),
            T::Float64 => return Some(Self::Float(values.as_primitive::<t::Float64Type>().value(row))),
            // a decimal, or the text of one
            _ if is_number => return Number::parse(&text::value(values, row)?).map(Self::Number),
            _ => return None,
        };
        Some(Self::Whole(whole))
    }

    /// A value of a column from its text.
    ///
    /// # Errors
    /// `Config` where the column's type has no order, or the text is no value of it.
    pub fn parse(text: &str, field: &Field) -> Result<Self> {
        let is_number = canonical::is_number(field);
        let is_decimal = matches!(field.data_type(), DataType::Decimal128(..) | DataType::Decimal256(..));
        let parsed = match is_number && (is_decimal || *field.data_type() == DataType::Utf8) {
            // one with more digits than the column has is no value of it, and a fine end of a range
            true => {
                Number::parse(text.trim()).map(Self::Number).ok_or_else(|| no_value(text, field, "is no number"))?
            }
            false => {
                let values = value(text, field)?;
                let column = field.name();
                let parsed = Self::of(values.as_ref(), 0, is_number).filter(|_| Logical::of(field).is_none());
                parsed.ok_or_else(|| {
                    let message = format!("`{column}` is {}, which has no order to test a range by", type_name(field));
                    Error::new(ErrorKind::Config, message).advise("Test it with `accepted_values`, `regex` or `sql`.")
                })?
            }
        };
        match parsed {
            Self::Float(number) if number.is_nan() => Err(no_value(text, field, "is no end of a range")),
            parsed => Ok(parsed),
        }
    }
}

/// A column of the one value that a text means in a column of that type.
///
/// # Errors
/// `Config` where it means none.
pub fn value(text: &str, field: &Field) -> Result<ArrayRef> {
    let mut builder = ColumnBuilder::new(field.data_type())?;
    builder.push_text(text).map_err(|why| no_value(text, field, why))?;
    Ok(builder.finish())
}

/// That a text is no value of a column.
pub fn no_value(text: &str, field: &Field, why: &str) -> Error {
    let message = format!("`{text}` for the column `{}` {why}", field.name());
    Error::new(ErrorKind::Config, message).advise(format!("Write a value of its type, {}.", type_name(field)))
}
