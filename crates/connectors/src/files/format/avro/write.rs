//! Writing Avro: rows encoded into blocks, each type in the Avro type that readers of other systems know best.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Decimal128Array, Decimal256Array, FixedSizeBinaryArray, Float32Array,
    Float64Array, Int64Array, RecordBatch, StringArray, UInt64Array,
};
use arrow_schema::{DataType, SchemaRef};
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

/// Starts a file. Its columns are of the closed type set.
///
/// # Errors
/// `Full` and `Io` from the sink, `Internal` for a type outside the closed set.
pub(in crate::files) fn writer(sink: Sink, schema: SchemaRef, codec: Codec) -> Result<Box<dyn FileWriter>> {
    if let Some(field) = schema.fields().iter().find(|field| !is_canonical(field.data_type())) {
        let message = format!("column `{}` has the type {}, which no file can hold", field.name(), field.data_type());
        return Err(Error::new(ErrorKind::Internal, message));
    }
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
    /// Whole numbers up to 64 bits, and times as such.
    Long(Int64Array),
    UInt64(&'a UInt64Array),
    Float32(&'a Float32Array),
    Float64(&'a Float64Array),
    Decimal128(&'a Decimal128Array),
    Decimal256(&'a Decimal256Array),
    Utf8(&'a StringArray),
    Binary(&'a BinaryArray),
    Uuid(&'a FixedSizeBinaryArray),
    /// What Avro has no type for, as canonical text.
    Text(&'a ArrayRef),
}

impl<'a> Cells<'a> {
    fn of(array: &'a ArrayRef) -> Result<Self> {
        use DataType as T;
        let internal = |what: String| Error::new(ErrorKind::Internal, what);
        Ok(match (shape_of(array.data_type()), array.data_type()) {
            (Shape::Int | Shape::Long, _) => {
                let longs = arrow_cast::cast(array, &T::Int64).map_err(|error| internal(error.to_string()))?;
                Cells::Long(longs.as_primitive::<Int64Type>().clone())
            }
            (_, T::Utf8) => Cells::Utf8(array.as_string::<i32>()),
            (_, T::FixedSizeBinary(16)) => Cells::Uuid(array.as_fixed_size_binary()),
            (Shape::String, _) => Cells::Text(array),
            (_, T::Boolean) => Cells::Boolean(array.as_boolean()),
            (_, T::UInt64) => Cells::UInt64(array.as_primitive()),
            (_, T::Float32) => Cells::Float32(array.as_primitive()),
            (_, T::Float64) => Cells::Float64(array.as_primitive()),
            (_, T::Decimal128(..)) => Cells::Decimal128(array.as_primitive()),
            (_, T::Decimal256(..)) => Cells::Decimal256(array.as_primitive()),
            (_, T::Binary) => Cells::Binary(array.as_binary::<i32>()),
            (_, other) => return Err(internal(format!("no value of type {other} can be encoded"))),
        })
    }

    fn put(&self, out: &mut Vec<u8>, row: usize) {
        match self {
            Cells::Boolean(cells) => out.push(u8::from(cells.value(row))),
            Cells::Long(cells) => put_long(out, cells.value(row)),
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
