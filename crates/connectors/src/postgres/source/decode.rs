//! Turns rows of a binary COPY into columns: every value goes straight into the buffer of its column. Values that the
//! column type cannot hold (infinite dates, NaN in a decimal, bytes that are no UTF-8) make their row a reject.

use std::sync::Arc;

use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int16Type, Int32Type,
    Int64Type, Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, FixedSizeBinaryArray, PrimitiveArray, RecordBatch, RecordBatchOptions,
    StringArray,
};
use arrow_buffer::{BooleanBufferBuilder, Buffer, NullBuffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer, i256};
use arrow_schema::{DataType, FieldRef, Schema, SchemaRef};
use levada_core::batch::{Batch, Data, Reject};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::source::OVERLAP_COLUMN;
use levada_core::text;

use super::cursor::overlap_field;
use super::numeric::{self, Odd};
use crate::postgres::types::Kind;

/// Days and microseconds from 1970-01-01 to 2000-01-01, where the server counts from.
const EPOCH_DAYS: i32 = 10_957;
const EPOCH_US: i64 = 946_684_800_000_000;
/// A value from this size on is not copied if it can be helped.
const HUGE_BYTES: usize = 1 << 20;

/// The columns of a batch under construction.
pub struct Decoder {
    schema: SchemaRef,
    columns: Vec<Column>,
    rows: usize,
    bytes: usize,
    bytes_max: usize,
    bad: Vec<Bad>,
}

/// A value its column cannot hold.
struct Bad {
    row: usize,
    column: usize,
    value: String,
    reason: &'static str,
}

/// What can be wrong with a value.
enum Trouble {
    Bad(String, &'static str),
    Malformed,
}

struct Column {
    field: FieldRef,
    values: Values,
    nulls: NullBufferBuilder,
}

enum Values {
    Bool(BooleanBufferBuilder),
    Int16(Vec<i16>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float32(Vec<f32>),
    Float64(Vec<f64>),
    Decimal128(Vec<i128>, i8),
    Decimal256(Vec<i256>, i8),
    Text(Bytes),
    Jsonb(Bytes),
    Binary(Bytes),
    Uuid(Vec<u8>),
    Date(Vec<i32>),
    Time(Vec<i64>),
    Timestamp(Vec<i64>),
}

/// Values of any length, one after the other.
struct Bytes {
    values: Vec<u8>,
    offsets: Vec<i32>,
    /// The only value so far, where it is so huge that it stays in the message that brought it.
    whole: Option<bytes::Bytes>,
}

impl Bytes {
    fn new() -> Self {
        Self { values: Vec::new(), offsets: vec![0], whole: None }
    }

    fn push(&mut self, message: &bytes::Bytes, value: &[u8]) {
        let is_huge = value.len() >= HUGE_BYTES;
        if is_huge && self.values.is_empty() && self.whole.is_none() {
            self.whole = Some(message.slice_ref(value));
            return self.offsets.push(value.len() as i32);
        }
        if let Some(whole) = self.whole.take() {
            self.values.extend_from_slice(&whole);
        }
        if is_huge {
            // Just its room, not twice as much.
            self.values.reserve_exact(value.len());
        }
        self.values.extend_from_slice(value);
        self.offsets.push(self.values.len() as i32);
    }

    fn push_filler(&mut self) {
        self.offsets.extend(self.offsets.last().copied());
    }
}

impl Decoder {
    /// A decoder of rows with these columns, and the overlap mark if there is one.
    ///
    /// # Errors
    /// `Internal` for a column type that this connector never announces.
    pub fn new(wanted: &Schema, overlap: bool, bytes_max: usize) -> Result<Self> {
        let mut fields: Vec<FieldRef> = wanted.fields().iter().cloned().collect();
        let mut columns = Vec::new();
        for field in &fields {
            columns.push(Column::new(field.clone(), Kind::of_field(field))?);
        }
        if overlap {
            let field = Arc::new(overlap_field());
            columns.push(Column::new(field.clone(), Kind::Bool)?);
            fields.push(field);
        }
        let schema = Arc::new(Schema::new(fields));
        Ok(Self { schema, columns, rows: 0, bytes: 0, bytes_max, bad: Vec::new() })
    }

    /// How many values a row has.
    pub fn width(&self) -> usize {
        self.columns.len()
    }

    /// Adds a row, given as the place and length (negative for NULL) of each value.
    pub fn push(&mut self, data: &bytes::Bytes, places: &[(usize, i32)]) -> Result<()> {
        for (number, (column, (start, length))) in self.columns.iter_mut().zip(places).enumerate() {
            if *length < 0 {
                column.values.push_filler();
                column.nulls.append_null();
                continue;
            }
            match column.values.push(data, &data[*start..*start + *length as usize]) {
                Ok(()) => {}
                Err(Trouble::Bad(value, reason)) => {
                    self.bad.push(Bad { row: self.rows, column: number, value, reason });
                    column.values.push_filler();
                }
                Err(Trouble::Malformed) => return Err(malformed(column.field.name())),
            }
            column.nulls.append_non_null();
        }
        self.rows += 1;
        let last = places.last().map_or(0, |(start, length)| start + (*length).max(0) as usize);
        let first = places.first().map_or(0, |(start, _)| *start);
        self.bytes += last - first + 8;
        Ok(())
    }

    /// Whether the batch has reached its size.
    pub fn is_full(&self) -> bool {
        self.bytes >= self.bytes_max
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The batch; the decoder starts anew.
    pub fn finish(&mut self) -> Result<Batch> {
        let mut arrays = Vec::with_capacity(self.columns.len());
        for (number, column) in self.columns.iter_mut().enumerate() {
            arrays.push(column.finish(number, self.rows, &mut self.bad)?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)
            .map_err(|error| Error::new(ErrorKind::Data, format!("the rows do not fit their columns: {error}")))?;
        let bad = std::mem::take(&mut self.bad);
        (self.rows, self.bytes) = (0, 0);
        if bad.is_empty() { Ok(Batch::arrow(batch)) } else { without(&batch, bad) }
    }
}

/// Parts the bad rows from the good ones.
fn without(batch: &RecordBatch, mut bad: Vec<Bad>) -> Result<Batch> {
    bad.sort_by_key(|bad| (bad.row, bad.column));
    let mut keep = vec![true; batch.num_rows()];
    let mut rejects: Vec<Reject> = Vec::new();
    let schema = batch.schema_ref();
    let mut index = 0;
    while index < bad.len() {
        let row = bad[index].row;
        let group = &bad[index..][..bad[index..].iter().take_while(|bad| bad.row == row).count()];
        let mut object = serde_json::Map::new();
        for (number, (field, column)) in schema.fields().iter().zip(batch.columns()).enumerate() {
            if field.name() == OVERLAP_COLUMN {
                continue;
            }
            let odd = group.iter().find(|bad| bad.column == number).map(|bad| bad.value.clone());
            object.insert(field.name().clone(), odd.or_else(|| text::value(column, row)).into());
        }
        let name = schema.field(group[0].column).name();
        rejects.push(Reject {
            row: serde_json::Value::Object(object).to_string(),
            column: Some(name.clone()),
            reason: format!("`{}` {}", group[0].value, group[0].reason),
        });
        keep[row] = false;
        index += group.len();
    }
    let good = arrow_select::filter::filter_record_batch(batch, &BooleanArray::from(keep))
        .map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
    Ok(Batch { data: Data::Arrow(good), rejects })
}

fn malformed(column: &str) -> Error {
    Error::new(
        ErrorKind::Data,
        format!("the server sent a value of column `{column}` in a form that its type does not have"),
    )
    .advise("The column's type may have changed during the read: run again.")
}

impl Column {
    fn new(field: FieldRef, kind: Kind) -> Result<Self> {
        let bytes = Bytes::new;
        let values = match (kind, field.data_type()) {
            (Kind::Jsonb, DataType::Utf8) => Values::Jsonb(bytes()),
            (_, DataType::Boolean) => Values::Bool(BooleanBufferBuilder::new(0)),
            (_, DataType::Int16) => Values::Int16(Vec::new()),
            (_, DataType::Int32) => Values::Int32(Vec::new()),
            (_, DataType::Int64) => Values::Int64(Vec::new()),
            (_, DataType::Float32) => Values::Float32(Vec::new()),
            (_, DataType::Float64) => Values::Float64(Vec::new()),
            (_, DataType::Decimal128(_, scale)) => Values::Decimal128(Vec::new(), *scale),
            (_, DataType::Decimal256(_, scale)) => Values::Decimal256(Vec::new(), *scale),
            (_, DataType::Utf8) => Values::Text(bytes()),
            (_, DataType::Binary) => Values::Binary(bytes()),
            (_, DataType::FixedSizeBinary(16)) => Values::Uuid(Vec::new()),
            (_, DataType::Date32) => Values::Date(Vec::new()),
            (_, DataType::Time64(_)) => Values::Time(Vec::new()),
            (_, DataType::Timestamp(..)) => Values::Timestamp(Vec::new()),
            (_, other) => {
                return Err(Error::new(ErrorKind::Internal, format!("no column of type {other} can be read")));
            }
        };
        Ok(Self { field, values, nulls: NullBufferBuilder::new(1024) })
    }

    fn finish(&mut self, number: usize, rows: usize, bad: &mut Vec<Bad>) -> Result<ArrayRef> {
        let nulls = self.nulls.finish();
        fn primitive<T: ArrowPrimitiveType>(
            values: &mut Vec<T::Native>,
            nulls: Option<NullBuffer>,
        ) -> PrimitiveArray<T> {
            let next = Vec::with_capacity(values.len());
            PrimitiveArray::new(ScalarBuffer::from(std::mem::replace(values, next)), nulls)
        }
        let internal = |error: arrow_schema::ArrowError| Error::new(ErrorKind::Internal, error.to_string());
        Ok(match &mut self.values {
            Values::Bool(values) => Arc::new(BooleanArray::new(values.finish(), nulls)),
            Values::Int16(values) => Arc::new(primitive::<Int16Type>(values, nulls)),
            Values::Int32(values) => Arc::new(primitive::<Int32Type>(values, nulls)),
            Values::Int64(values) => Arc::new(primitive::<Int64Type>(values, nulls)),
            Values::Float32(values) => Arc::new(primitive::<Float32Type>(values, nulls)),
            Values::Float64(values) => Arc::new(primitive::<Float64Type>(values, nulls)),
            Values::Date(values) => Arc::new(primitive::<Date32Type>(values, nulls)),
            Values::Time(values) => Arc::new(primitive::<Time64MicrosecondType>(values, nulls)),
            Values::Timestamp(values) => {
                let array = primitive::<TimestampMicrosecondType>(values, nulls);
                Arc::new(array.with_data_type(self.field.data_type().clone()))
            }
            Values::Decimal128(values, _) => {
                let array = primitive::<Decimal128Type>(values, nulls);
                Arc::new(array.with_data_type(self.field.data_type().clone()))
            }
            Values::Decimal256(values, _) => {
                let array = primitive::<Decimal256Type>(values, nulls);
                Arc::new(array.with_data_type(self.field.data_type().clone()))
            }
            Values::Uuid(values) => {
                let bytes = std::mem::take(values);
                Arc::new(FixedSizeBinaryArray::try_new(16, Buffer::from_vec(bytes), nulls).map_err(internal)?)
            }
            Values::Binary(bytes) => {
                let (offsets, values) = bytes.take(rows);
                Arc::new(BinaryArray::try_new(offsets, values, nulls).map_err(internal)?)
            }
            Values::Text(bytes) | Values::Jsonb(bytes) => {
                let (offsets, values) = bytes.take(rows);
                match StringArray::try_new(offsets.clone(), values.clone(), nulls.clone()) {
                    Ok(array) => Arc::new(array),
                    Err(_) => {
                        let mut masked = values.to_vec();
                        mask(&offsets, &mut masked, number, bad);
                        Arc::new(StringArray::try_new(offsets, masked.into(), nulls).map_err(internal)?)
                    }
                }
            }
        })
    }
}

impl Bytes {
    fn take(&mut self, rows: usize) -> (OffsetBuffer<i32>, Buffer) {
        let mut next = Vec::with_capacity(rows + 1);
        next.push(0);
        let offsets = std::mem::replace(&mut self.offsets, next);
        let values = match self.whole.take() {
            Some(whole) => Buffer::from(whole),
            None => {
                let next = Vec::with_capacity(self.values.len().min(HUGE_BYTES));
                Buffer::from_vec(std::mem::replace(&mut self.values, next))
            }
        };
        (OffsetBuffer::new(ScalarBuffer::from(offsets)), values)
    }
}

/// Overwrites values that are no UTF-8 (a server with encoding SQL_ASCII checks nothing) and notes their rows.
fn mask(offsets: &[i32], values: &mut [u8], column: usize, bad: &mut Vec<Bad>) {
    for (row, pair) in offsets.windows(2).enumerate() {
        let value = &mut values[pair[0] as usize..pair[1] as usize];
        if std::str::from_utf8(value).is_err() {
            let mut hex = String::new();
            text::write_hex(&mut hex, value);
            bad.push(Bad { row, column, value: hex, reason: "is not UTF-8" });
            value.fill(b'?');
        }
    }
}

impl Values {
    /// What stands in a column where there is no value.
    fn push_filler(&mut self) {
        match self {
            Self::Bool(values) => values.append(false),
            Self::Int16(values) => values.push(0),
            Self::Int32(values) | Self::Date(values) => values.push(0),
            Self::Int64(values) | Self::Time(values) | Self::Timestamp(values) => values.push(0),
            Self::Float32(values) => values.push(0.0),
            Self::Float64(values) => values.push(0.0),
            Self::Decimal128(values, _) => values.push(0),
            Self::Decimal256(values, _) => values.push(i256::ZERO),
            Self::Text(values) | Self::Jsonb(values) | Self::Binary(values) => values.push_filler(),
            Self::Uuid(values) => values.extend_from_slice(&[0; 16]),
        }
    }

    fn push(&mut self, message: &bytes::Bytes, bytes: &[u8]) -> std::result::Result<(), Trouble> {
        fn exact<const N: usize>(bytes: &[u8]) -> std::result::Result<[u8; N], Trouble> {
            bytes.try_into().map_err(|_| Trouble::Malformed)
        }
        match self {
            Self::Bool(values) => values.append(exact::<1>(bytes)?[0] != 0),
            Self::Int16(values) => values.push(i16::from_be_bytes(exact(bytes)?)),
            Self::Int32(values) => values.push(i32::from_be_bytes(exact(bytes)?)),
            Self::Int64(values) | Self::Time(values) => values.push(i64::from_be_bytes(exact(bytes)?)),
            Self::Float32(values) => values.push(f32::from_be_bytes(exact(bytes)?)),
            Self::Float64(values) => values.push(f64::from_be_bytes(exact(bytes)?)),
            Self::Decimal128(values, scale) => values.push(numeric::to_i128(bytes, *scale).map_err(odd)?),
            Self::Decimal256(values, scale) => values.push(numeric::to_i256(bytes, *scale).map_err(odd)?),
            Self::Text(values) | Self::Binary(values) => values.push(message, bytes),
            Self::Jsonb(values) => match bytes {
                [1, json @ ..] => values.push(message, json),
                _ => return Err(Trouble::Malformed),
            },
            Self::Uuid(values) => values.extend_from_slice(&exact::<16>(bytes)?),
            Self::Date(values) => values.push(date(i32::from_be_bytes(exact(bytes)?))?),
            Self::Timestamp(values) => values.push(timestamp(i64::from_be_bytes(exact(bytes)?))?),
        }
        Ok(())
    }
}

fn odd(odd: Odd) -> Trouble {
    match odd {
        Odd::Special(value) => {
            Trouble::Bad(value.to_owned(), "has no place in a decimal column; cast the column to `text` to keep it")
        }
        Odd::Malformed => Trouble::Malformed,
    }
}

fn infinite(negative: bool) -> Trouble {
    Trouble::Bad(if negative { "-infinity" } else { "infinity" }.to_owned(), "is no point in time")
}

fn date(days: i32) -> std::result::Result<i32, Trouble> {
    match days {
        i32::MAX | i32::MIN => Err(infinite(days < 0)),
        _ => days.checked_add(EPOCH_DAYS).ok_or(Trouble::Malformed),
    }
}

fn timestamp(us: i64) -> std::result::Result<i64, Trouble> {
    if us == i64::MAX || us == i64::MIN {
        return Err(infinite(us < 0));
    }
    us.checked_add(EPOCH_US).ok_or_else(|| {
        let mut value = String::new();
        text::write_date(&mut value, us.div_euclid(text::DAY_US) + i64::from(EPOCH_DAYS));
        value.push('T');
        text::write_time(&mut value, us.rem_euclid(text::DAY_US));
        Trouble::Bad(value, "is later than a 64-bit timestamp in microseconds can be")
    })
}
