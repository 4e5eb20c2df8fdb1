//! Writing Avro: rows encoded into blocks, each type in the Avro type that readers of other systems know best.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Decimal256Type, DurationMicrosecondType, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, Time64MicrosecondType, TimestampMicrosecondType, TimestampNanosecondType, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, FixedSizeBinaryArray, PrimitiveArray, RecordBatch, StringArray,
};
use arrow_schema::{DataType, SchemaRef, TimeUnit};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::schema::is_canonical;
use levada_core::text;

use super::super::{FileWriter, Sink};
use super::MAGIC;
use super::codec::Codec;
use super::cursor::{put_bytes, put_long};
use super::field::{file_schema, shape_of};
use super::schema::Shape;

/// A block is closed when its rows have this many bytes.
const BLOCK_BYTES: usize = 256 << 10;

/// How blocks are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::files) enum Compression {
    /// Deflate, which every reader of Avro knows.
    #[default]
    Deflate,
    /// Zstandard, level 1.
    Zstd,
    /// Snappy.
    Snappy,
    /// Not at all.
    None,
}

/// How a file is written.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::files) struct Options {
    /// How blocks are compressed.
    pub(in crate::files) compression: Compression,
}

/// Starts a file. Its columns are of the closed type set.
///
/// # Errors
/// `Full` and `Io` from the sink, `Internal` for a type outside the closed set.
pub(in crate::files) fn writer(sink: Sink, schema: SchemaRef, options: Options) -> Result<Box<dyn FileWriter>> {
    if let Some(field) = schema.fields().iter().find(|field| !is_canonical(field.data_type())) {
        let message = format!("column `{}` has the type {}, which no file can hold", field.name(), field.data_type());
        return Err(Error::new(ErrorKind::Internal, message));
    }
    let codec = match options.compression {
        Compression::Deflate => Codec::Deflate,
        Compression::Zstd => Codec::Zstandard,
        Compression::Snappy => Codec::Snappy,
        Compression::None => Codec::Null,
    };
    let sync = *uuid::Uuid::new_v4().as_bytes();
    let mut rows = Rows { sink, schema, codec, sync, block: Vec::new(), rows: 0, written: 0 };
    let mut header = MAGIC.to_vec();
    put_long(&mut header, 2);
    put_bytes(&mut header, b"avro.schema");
    put_bytes(&mut header, file_schema(rows.schema.fields()).to_string().as_bytes());
    put_bytes(&mut header, b"avro.codec");
    put_bytes(&mut header, codec.word().as_bytes());
    put_long(&mut header, 0);
    header.extend_from_slice(&sync);
    rows.put(&header)?;
    Ok(Box::new(rows))
}

struct Rows {
    sink: Sink,
    schema: SchemaRef,
    codec: Codec,
    sync: [u8; 16],
    block: Vec<u8>,
    rows: i64,
    written: u64,
}

impl Rows {
    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.sink.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    fn close_block(&mut self) -> Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut packed = Vec::new();
        self.codec.pack(&self.block, &mut packed)?;
        let mut head = Vec::with_capacity(20);
        put_long(&mut head, self.rows);
        put_long(&mut head, packed.len() as i64);
        self.put(&head)?;
        self.put(&packed)?;
        let sync = self.sync;
        self.put(&sync)?;
        self.block.clear();
        self.block.shrink_to(4 * BLOCK_BYTES);
        self.rows = 0;
        Ok(())
    }
}

impl FileWriter for Rows {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut columns = Vec::with_capacity(batch.num_columns());
        for (field, column) in self.schema.fields().iter().zip(batch.columns()) {
            columns.push((field.is_nullable(), Cells::of(column)?));
        }
        for row in 0..batch.num_rows() {
            for ((nullable, cells), column) in columns.iter().zip(batch.columns()) {
                let is_null = column.is_null(row);
                if *nullable {
                    put_long(&mut self.block, i64::from(!is_null));
                }
                if !is_null {
                    cells.put(&mut self.block, row);
                } else if !*nullable {
                    return Err(Error::new(ErrorKind::Data, "NULL in a column that is declared as never NULL"));
                }
            }
            self.rows += 1;
            if self.block.len() >= BLOCK_BYTES || self.rows >= 1 << 20 {
                self.close_block()?;
            }
        }
        Ok(())
    }

    fn size(&self) -> u64 {
        self.written + self.block.len() as u64 / 2
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.close_block()?;
        Ok(self.sink.flush()?)
    }
}

/// A column ready to be encoded value by value.
enum Cells<'a> {
    Boolean(&'a BooleanArray),
    Int8(&'a PrimitiveArray<Int8Type>),
    Int16(&'a PrimitiveArray<Int16Type>),
    Int32(&'a [i32]),
    Int64(&'a [i64]),
    UInt8(&'a PrimitiveArray<UInt8Type>),
    UInt16(&'a PrimitiveArray<UInt16Type>),
    UInt32(&'a PrimitiveArray<UInt32Type>),
    UInt64(&'a PrimitiveArray<UInt64Type>),
    Float32(&'a PrimitiveArray<Float32Type>),
    Float64(&'a PrimitiveArray<Float64Type>),
    Decimal128(&'a PrimitiveArray<Decimal128Type>),
    Decimal256(&'a PrimitiveArray<Decimal256Type>),
    Utf8(&'a StringArray),
    Binary(&'a BinaryArray),
    Uuid(&'a FixedSizeBinaryArray),
    /// What Avro has no type for, as canonical text.
    Text(&'a ArrayRef),
}

impl<'a> Cells<'a> {
    fn of(array: &'a ArrayRef) -> Result<Self> {
        use DataType as T;
        let as_text = shape_of(array.data_type()) == Shape::String;
        Ok(match array.data_type() {
            T::Utf8 => Cells::Utf8(array.as_string::<i32>()),
            T::FixedSizeBinary(16) => Cells::Uuid(array.as_fixed_size_binary()),
            _ if as_text => Cells::Text(array),
            T::Boolean => Cells::Boolean(array.as_boolean()),
            T::Int8 => Cells::Int8(array.as_primitive()),
            T::Int16 => Cells::Int16(array.as_primitive()),
            T::Int32 => Cells::Int32(array.as_primitive::<Int32Type>().values()),
            T::Int64 => Cells::Int64(array.as_primitive::<Int64Type>().values()),
            T::UInt8 => Cells::UInt8(array.as_primitive()),
            T::UInt16 => Cells::UInt16(array.as_primitive()),
            T::UInt32 => Cells::UInt32(array.as_primitive()),
            T::UInt64 => Cells::UInt64(array.as_primitive()),
            T::Float32 => Cells::Float32(array.as_primitive()),
            T::Float64 => Cells::Float64(array.as_primitive()),
            T::Decimal128(..) => Cells::Decimal128(array.as_primitive()),
            T::Decimal256(..) => Cells::Decimal256(array.as_primitive()),
            T::Binary => Cells::Binary(array.as_binary::<i32>()),
            T::Date32 => Cells::Int32(array.as_primitive::<Date32Type>().values()),
            T::Time64(_) => Cells::Int64(array.as_primitive::<Time64MicrosecondType>().values()),
            T::Duration(_) => Cells::Int64(array.as_primitive::<DurationMicrosecondType>().values()),
            T::Timestamp(TimeUnit::Nanosecond, _) => {
                Cells::Int64(array.as_primitive::<TimestampNanosecondType>().values())
            }
            T::Timestamp(..) => Cells::Int64(array.as_primitive::<TimestampMicrosecondType>().values()),
            other => return Err(Error::new(ErrorKind::Internal, format!("no value of type {other} can be encoded"))),
        })
    }

    fn put(&self, out: &mut Vec<u8>, row: usize) {
        match self {
            Cells::Boolean(cells) => out.push(u8::from(cells.value(row))),
            Cells::Int8(cells) => put_long(out, i64::from(cells.value(row))),
            Cells::Int16(cells) => put_long(out, i64::from(cells.value(row))),
            Cells::Int32(cells) => put_long(out, i64::from(cells[row])),
            Cells::Int64(cells) => put_long(out, cells[row]),
            Cells::UInt8(cells) => put_long(out, i64::from(cells.value(row))),
            Cells::UInt16(cells) => put_long(out, i64::from(cells.value(row))),
            Cells::UInt32(cells) => put_long(out, i64::from(cells.value(row))),
            Cells::UInt64(cells) => put_integer(out, &i128::from(cells.value(row)).to_be_bytes()),
            Cells::Float32(cells) => out.extend_from_slice(&cells.value(row).to_le_bytes()),
            Cells::Float64(cells) => out.extend_from_slice(&cells.value(row).to_le_bytes()),
            Cells::Decimal128(cells) => put_integer(out, &cells.value(row).to_be_bytes()),
            Cells::Decimal256(cells) => put_integer(out, &cells.value(row).to_be_bytes()),
            Cells::Utf8(cells) => put_bytes(out, cells.value(row).as_bytes()),
            Cells::Binary(cells) => put_bytes(out, cells.value(row)),
            Cells::Uuid(cells) => {
                let mut uuid = String::with_capacity(36);
                text::write_uuid(&mut uuid, cells.value(row));
                put_bytes(out, uuid.as_bytes());
            }
            Cells::Text(cells) => {
                let mut value = String::new();
                text::write_value(&mut value, *cells, row);
                put_bytes(out, value.as_bytes());
            }
        }
    }
}

/// A two's complement integer in as few bytes as it needs.
fn put_integer(out: &mut Vec<u8>, big_endian: &[u8]) {
    let fill = if big_endian[0] & 0x80 == 0 { 0 } else { 0xFF };
    let same_sign = |pair: &[u8]| pair[0] == fill && (pair[1] ^ fill) & 0x80 == 0;
    let surplus = big_endian.windows(2).take_while(|pair| same_sign(pair)).count();
    put_bytes(out, &big_endian[surplus..]);
}
