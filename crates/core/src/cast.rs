//! The one place where a column changes its type: every value keeps its exact meaning or is named as bad. Whole-number
//! types are converted directly; every other pair goes through the canonical text of [`crate::text`], which both sides
//! of the pair define already.

use std::sync::Arc;

use arrow_array::builder::PrimitiveBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampNanosecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, PrimitiveArray};
use arrow_schema::{DataType, TimeUnit};

use crate::builder::ColumnBuilder;
use crate::error::Result;
use crate::text;

/// A value that does not fit the new type; it is NULL in the column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bad {
    /// Its row in the column.
    pub row: usize,
    /// Why, as one sentence.
    pub reason: String,
}

/// Gives a column another type of the closed set. The values that do not fit are NULL in the result and listed.
///
/// # Errors
/// `Internal` for a type outside the closed set.
pub fn cast(array: &ArrayRef, to: &DataType) -> Result<(ArrayRef, Vec<Bad>)> {
    use DataType as T;
    let from = array.data_type();
    if from == to {
        return Ok((array.clone(), Vec::new()));
    }
    let zone = |t: &DataType| if let T::Timestamp(_, zone) = t { zone.clone() } else { None };
    match (from, to) {
        (T::Timestamp(TimeUnit::Microsecond, _), T::Timestamp(TimeUnit::Microsecond, _)) => {
            let array = array.as_primitive::<TimestampMicrosecondType>().clone();
            Ok((Arc::new(array.with_timezone_opt(zone(to))), Vec::new()))
        }
        (T::Timestamp(TimeUnit::Nanosecond, _), T::Timestamp(TimeUnit::Microsecond, _)) => {
            let array = array.as_primitive::<TimestampNanosecondType>();
            let mut builder = PrimitiveBuilder::<TimestampMicrosecondType>::with_capacity(array.len());
            let mut bad = Vec::new();
            for (row, value) in array.iter().enumerate() {
                if let Some(ns) = value.filter(|ns| ns % 1000 != 0) {
                    bad.push(Bad { row, reason: format!("{ns} ns is finer than a microsecond") });
                    builder.append_null();
                } else {
                    builder.append_option(value.map(|ns| ns.div_euclid(1000)));
                }
            }
            Ok((Arc::new(builder.finish().with_timezone_opt(zone(to))), bad))
        }
        _ if is_integer(from) && is_integer(to) => Ok(integers(array, to)),
        _ => through_text(array, to),
    }
}

fn is_integer(data_type: &DataType) -> bool {
    data_type.is_integer()
}

fn integers(array: &ArrayRef, to: &DataType) -> (ArrayRef, Vec<Bad>) {
    macro_rules! dispatch {
        ($type:expr, $f:ident, [$($generic:ty),*], $($arg:expr),*) => {
            match $type {
                DataType::Int8 => $f::<$($generic,)* Int8Type>($($arg),*),
                DataType::Int16 => $f::<$($generic,)* Int16Type>($($arg),*),
                DataType::Int32 => $f::<$($generic,)* Int32Type>($($arg),*),
                DataType::UInt8 => $f::<$($generic,)* UInt8Type>($($arg),*),
                DataType::UInt16 => $f::<$($generic,)* UInt16Type>($($arg),*),
                DataType::UInt32 => $f::<$($generic,)* UInt32Type>($($arg),*),
                DataType::UInt64 => $f::<$($generic,)* UInt64Type>($($arg),*),
                _ => $f::<$($generic,)* Int64Type>($($arg),*),
            }
        };
    }
    fn from<S: ArrowPrimitiveType<Native: Into<i128>>>(array: &ArrayRef, to: &DataType) -> (ArrayRef, Vec<Bad>) {
        let source = array.as_primitive::<S>();
        dispatch!(to, convert, [S], source)
    }
    dispatch!(array.data_type(), from, [], array, to)
}

fn convert<S, T>(source: &PrimitiveArray<S>) -> (ArrayRef, Vec<Bad>)
where
    S: ArrowPrimitiveType<Native: Into<i128>>,
    T: ArrowPrimitiveType<Native: TryFrom<i128>>,
{
    let mut builder = PrimitiveBuilder::<T>::with_capacity(source.len());
    let mut bad = Vec::new();
    for (row, value) in source.iter().enumerate() {
        let converted = value.map(|v| T::Native::try_from(v.into()));
        if let (Some(Err(_)), Some(value)) = (&converted, value) {
            let value: i128 = value.into();
            bad.push(Bad { row, reason: format!("{value} is out of range for {}", T::DATA_TYPE) });
        }
        builder.append_option(converted.and_then(std::result::Result::ok));
    }
    (Arc::new(builder.finish()), bad)
}

fn through_text(array: &ArrayRef, to: &DataType) -> Result<(ArrayRef, Vec<Bad>)> {
    let mut builder = ColumnBuilder::new(to)?;
    let mut bad = Vec::new();
    let mut value = String::new();
    for row in 0..array.len() {
        if array.is_null(row) {
            builder.push_null();
            continue;
        }
        value.clear();
        text::write_value(&mut value, array, row);
        if let Err(reason) = builder.push_text(&value) {
            bad.push(Bad { row, reason: format!("{} {reason}", quoted(&value)) });
            builder.push_null();
        }
    }
    Ok((builder.finish(), bad))
}

/// A value for an error message, shortened.
pub fn quoted(value: &str) -> String {
    let short: String = value.chars().take(60).collect();
    if short.len() < value.len() { format!("`{short}…`") } else { format!("`{value}`") }
}
