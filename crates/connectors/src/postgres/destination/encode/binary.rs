//! Rows in the binary format of COPY, written value by value from the columns without any text between.

use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Decimal256Type, DurationMicrosecondType, Float32Type, Float64Type, Int16Type,
    Int32Type, Int64Type, Time64MicrosecondType, TimestampMicrosecondType, UInt64Type,
};
use arrow_array::{Array, BinaryArray, BooleanArray, FixedSizeBinaryArray, PrimitiveArray, RecordBatch, StringArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field};
use levada_core::cast::quoted;
use levada_core::text;

use super::{CHUNK, Unwritable, numeric};
use crate::postgres::types::Kind;

const EPOCH_DAYS: i32 = 10_957;
const EPOCH_US: i64 = 946_684_800_000_000;

struct Column<'a> {
    name: &'a str,
    nulls: Option<&'a NullBuffer>,
    values: Values<'a>,
}

enum Values<'a> {
    Bool(&'a BooleanArray),
    Int2(&'a PrimitiveArray<Int16Type>),
    Int4(&'a PrimitiveArray<Int32Type>),
    Int8(&'a PrimitiveArray<Int64Type>),
    Float4(&'a PrimitiveArray<Float32Type>),
    Float8(&'a PrimitiveArray<Float64Type>),
    Decimal128(&'a PrimitiveArray<Decimal128Type>, u8),
    Decimal256(&'a PrimitiveArray<Decimal256Type>, i8),
    NumericInt64(&'a PrimitiveArray<Int64Type>),
    NumericUInt64(&'a PrimitiveArray<UInt64Type>),
    NumericText(&'a StringArray),
    Text(&'a StringArray),
    Jsonb(&'a StringArray),
    Binary(&'a BinaryArray),
    Uuid(&'a FixedSizeBinaryArray),
    Date(&'a PrimitiveArray<Date32Type>),
    Time(&'a PrimitiveArray<Time64MicrosecondType>),
    Timestamp(&'a PrimitiveArray<TimestampMicrosecondType>),
    Duration(&'a PrimitiveArray<DurationMicrosecondType>),
}

/// Appends rows until there is a chunk; returns the first row left over.
pub fn encode(batch: &RecordBatch, rows: Range<usize>, out: &mut Vec<u8>) -> Result<usize, Unwritable> {
    let fields = batch.schema_ref().fields().iter();
    let columns = fields.zip(batch.columns()).map(|(field, array)| Column::new(field, array));
    let columns: Vec<Column<'_>> = columns.collect::<Result<_, _>>()?;
    let width = (columns.len() as i16).to_be_bytes();
    for row in rows.clone() {
        out.extend_from_slice(&width);
        for column in &columns {
            if column.nulls.is_some_and(|nulls| nulls.is_null(row)) {
                out.extend_from_slice(&(-1_i32).to_be_bytes());
            } else {
                column.values.write(out, row).map_err(|reason| column.unwritable(row, reason))?;
            }
        }
        if out.len() >= CHUNK {
            return Ok(row + 1);
        }
    }
    Ok(rows.end)
}

impl<'a> Column<'a> {
    fn new(field: &'a Field, array: &'a dyn Array) -> Result<Self, Unwritable> {
        use DataType as T;
        let kind = Kind::of_field(field);
        let values = match (kind, field.data_type()) {
            (_, T::Boolean) => Values::Bool(array.as_boolean()),
            (_, T::Int16) => Values::Int2(array.as_primitive()),
            (_, T::Int32) => Values::Int4(array.as_primitive()),
            (Kind::Numeric(_) | Kind::Money, T::Int64) => Values::NumericInt64(array.as_primitive()),
            (_, T::Int64) => Values::Int8(array.as_primitive()),
            (_, T::UInt64) => Values::NumericUInt64(array.as_primitive()),
            (_, T::Float32) => Values::Float4(array.as_primitive()),
            (_, T::Float64) => Values::Float8(array.as_primitive()),
            (_, T::Decimal128(_, scale)) if *scale >= 0 => Values::Decimal128(array.as_primitive(), *scale as u8),
            (_, T::Decimal256(_, scale)) => Values::Decimal256(array.as_primitive(), *scale),
            (Kind::Numeric(_) | Kind::Money, T::Utf8) => Values::NumericText(array.as_string()),
            (Kind::Jsonb, T::Utf8) => Values::Jsonb(array.as_string()),
            (_, T::Utf8) => Values::Text(array.as_string()),
            (_, T::Binary) => Values::Binary(array.as_binary()),
            (_, T::FixedSizeBinary(16)) => Values::Uuid(array.as_fixed_size_binary()),
            (_, T::Date32) => Values::Date(array.as_primitive()),
            (_, T::Time64(_)) => Values::Time(array.as_primitive()),
            (_, T::Timestamp(arrow_schema::TimeUnit::Microsecond, _)) => Values::Timestamp(array.as_primitive()),
            (_, T::Duration(_)) => Values::Duration(array.as_primitive()),
            (_, other) => {
                let reason = format!("a column of type {other} has no binary form here");
                return Err(Unwritable { column: field.name().clone(), reason });
            }
        };
        Ok(Self { name: field.name(), nulls: array.nulls(), values })
    }

    fn unwritable(&self, row: usize, reason: &str) -> Unwritable {
        let value = match &self.values {
            Values::NumericText(array) => text::value(*array, row),
            Values::Date(array) => text::value(*array, row),
            Values::Timestamp(array) => text::value(*array, row),
            _ => None,
        };
        Unwritable { column: self.name.to_owned(), reason: format!("{} {reason}", quoted(&value.unwrap_or_default())) }
    }
}

impl Values<'_> {
    fn write(&self, out: &mut Vec<u8>, row: usize) -> Result<(), &'static str> {
        fn bytes(out: &mut Vec<u8>, value: &[u8]) {
            out.extend_from_slice(&(value.len() as i32).to_be_bytes());
            out.extend_from_slice(value);
        }
        /// The length and the value in one piece.
        fn eight(out: &mut Vec<u8>, value: [u8; 8]) {
            let mut piece = [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0];
            piece[4..].copy_from_slice(&value);
            out.extend_from_slice(&piece);
        }
        fn four(out: &mut Vec<u8>, value: [u8; 4]) {
            let mut piece = [0, 0, 0, 4, 0, 0, 0, 0];
            piece[4..].copy_from_slice(&value);
            out.extend_from_slice(&piece);
        }
        match self {
            Self::Bool(array) => bytes(out, &[u8::from(array.value(row))]),
            Self::Int2(array) => bytes(out, &array.value(row).to_be_bytes()),
            Self::Int4(array) => four(out, array.value(row).to_be_bytes()),
            Self::Int8(array) => eight(out, array.value(row).to_be_bytes()),
            Self::Float4(array) => four(out, array.value(row).to_be_bytes()),
            Self::Float8(array) => eight(out, array.value(row).to_be_bytes()),
            Self::Decimal128(array, scale) => numeric::write_i128(out, array.value(row), *scale),
            Self::Decimal256(array, scale) => {
                let mut digits = String::new();
                text::write_decimal(&mut digits, &array.value(row).to_string(), *scale);
                numeric::write_text(out, &digits)?;
            }
            Self::NumericInt64(array) => numeric::write_i128(out, i128::from(array.value(row)), 0),
            Self::NumericUInt64(array) => numeric::write_i128(out, i128::from(array.value(row)), 0),
            Self::NumericText(array) => numeric::write_text(out, array.value(row))?,
            Self::Text(array) => bytes(out, array.value(row).as_bytes()),
            Self::Jsonb(array) => {
                let json = array.value(row).as_bytes();
                out.extend_from_slice(&(json.len() as i32 + 1).to_be_bytes());
                out.push(1);
                out.extend_from_slice(json);
            }
            Self::Binary(array) => bytes(out, array.value(row)),
            Self::Uuid(array) => bytes(out, array.value(row)),
            // The lowest numbers mean -infinity to the server; they are no dates.
            Self::Date(array) => {
                let days = array.value(row).checked_sub(EPOCH_DAYS).filter(|days| *days != i32::MIN);
                four(out, days.ok_or("is out of range")?.to_be_bytes());
            }
            Self::Timestamp(array) => {
                let us = array.value(row).checked_sub(EPOCH_US).filter(|us| *us != i64::MIN);
                eight(out, us.ok_or("is out of range")?.to_be_bytes());
            }
            Self::Time(array) => eight(out, array.value(row).to_be_bytes()),
            Self::Duration(array) => {
                out.extend_from_slice(&16_i32.to_be_bytes());
                out.extend_from_slice(&array.value(row).to_be_bytes());
                out.extend_from_slice(&[0; 8]);
            }
        }
        Ok(())
    }
}
