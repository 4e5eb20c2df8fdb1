//! Tables for the tests of every self-describing format: each type of the closed set with its edge values and NULL, and
//! files in memory.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType as T, Field, Schema, SchemaRef, TimeUnit};
use levada_core::batch::{Batch, Data};
use levada_core::builder::ColumnBuilder;
use levada_core::error::Result;
use levada_core::schema::{Logical, field, timestamp, timestamp_utc};

use super::{FileReader, RandomRead, Sink};

/// A file in memory that counts what is read of it.
pub(super) struct Memory {
    pub(super) bytes: Vec<u8>,
    pub(super) reads: AtomicU64,
    pub(super) read_bytes: AtomicU64,
}

impl Memory {
    pub(super) fn new(bytes: Vec<u8>) -> Arc<Self> {
        Arc::new(Self { bytes, reads: AtomicU64::new(0), read_bytes: AtomicU64::new(0) })
    }
}

impl RandomRead for Memory {
    fn name(&self) -> &str {
        "memory"
    }

    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.read_bytes.fetch_add(buffer.len() as u64, Ordering::Relaxed);
        buffer.copy_from_slice(&self.bytes[offset as usize..offset as usize + buffer.len()]);
        Ok(())
    }
}

/// A sink whose bytes can be looked at afterwards.
#[derive(Clone, Default)]
pub(super) struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    pub(super) fn sink(&self) -> Sink {
        Box::new(self.clone())
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Every type of the closed set, its name and its edge values as canonical text.
pub(super) fn every_type() -> Vec<(Field, Vec<&'static str>)> {
    let ns = |zone: Option<&str>| T::Timestamp(TimeUnit::Nanosecond, zone.map(Arc::from));
    let nines38 = "99999999999999999999999999999999999999";
    let nines76 = "9999999999999999999999999999999999999999999999999999999999999999999999999999";
    let min76 = "-9999999999999999999999999999999999999999999999.999999999999999999999999999999";
    let plain =
        |name: &str, data_type: T, values: &[&'static str]| (Field::new(name, data_type, true), values.to_vec());
    let meant = |name: &str, data_type: T, native: &str, logical, values: &[&'static str]| {
        (field(name, data_type, true, native, Some(logical)), values.to_vec())
    };
    let moments =
        &["0001-01-01T00:00:00", "9999-12-31T23:59:59.999999", "-0043-03-15T12:00:00", "1969-12-31T23:59:59.999999"];
    let instants = &["0001-01-01T00:00:00Z", "294246-12-31T23:59:59.999999Z", "1970-01-01T00:00:00Z"];
    vec![
        plain("bool", T::Boolean, &["true", "false"]),
        plain("int8", T::Int8, &["-128", "127"]),
        plain("int16", T::Int16, &["-32768", "32767"]),
        plain("int32", T::Int32, &["-2147483648", "2147483647"]),
        plain("int64", T::Int64, &["-9223372036854775808", "9223372036854775807", "9007199254740993"]),
        plain("uint8", T::UInt8, &["0", "255"]),
        plain("uint16", T::UInt16, &["0", "65535"]),
        plain("uint32", T::UInt32, &["0", "4294967295"]),
        plain("uint64", T::UInt64, &["0", "9223372036854775808", "18446744073709551615"]),
        plain("float32", T::Float32, &["-0", "0.1", "3.4028235e38", "1e-45", "NaN", "-Infinity"]),
        plain("float64", T::Float64, &["-0", "5e-324", "1.7976931348623157e308", "NaN", "Infinity"]),
        plain("decimal10_2", T::Decimal128(10, 2), &["-99999999.99", "0.01", "0.00"]),
        plain("decimal38", T::Decimal128(38, 0), &[nines38, "-1", "0"]),
        plain("decimal38_38", T::Decimal128(38, 38), &["0.00000000000000000000000000000000000001"]),
        plain("decimal76", T::Decimal256(76, 0), &[nines76, "-1", "0"]),
        plain("decimal76_30", T::Decimal256(76, 30), &[min76, "1.000000000000000000000000000000"]),
        plain("text", T::Utf8, &["", "\u{1F600}", "a,\"b\"\r\n\t\\", "NULL"]),
        plain("bytes", T::Binary, &["\\x", "\\x00ff80"]),
        meant(
            "uuid",
            T::FixedSizeBinary(16),
            "postgres:uuid",
            Logical::Uuid,
            &["00112233-4455-6677-8899-aabbccddeeff"],
        ),
        plain("date", T::Date32, &["0001-01-01", "9999-12-31", "-4712-01-01", "1970-01-01", "1582-10-10"]),
        plain("time", T::Time64(TimeUnit::Microsecond), &["00:00:00", "23:59:59.999999", "24:00:00"]),
        plain("duration", T::Duration(TimeUnit::Microsecond), &["-838:59:59", "00:00:00.000001", "-00:00:01.5"]),
        plain("timestamp", timestamp(), moments),
        plain("timestamptz", timestamp_utc(), instants),
        plain("timestamp_ns", ns(None), &["2262-04-11T23:47:16.854775807", "1677-09-21T00:12:44"]),
        plain("timestamptz_ns", ns(Some("UTC")), &["1969-12-31T23:59:59.999999999Z"]),
        meant("json", T::Utf8, "postgres:jsonb", Logical::Json, &["{\"a\": 9007199254740993, \"a\": 1}", "null"]),
        meant("mood", T::Utf8, "postgres:mood", Logical::Enum, &["sad", ""]),
        meant("bits", T::Utf8, "mysql:bit(8)", Logical::Bits, &["00000001"]),
        meant("number", T::Utf8, "postgres:numeric", Logical::Number, &["NaN", "100.00", "1e400"]),
        meant("interval", T::Utf8, "postgres:interval", Logical::Interval, &["P1Y2M3DT4H5M6.789S"]),
        meant("shape", T::Binary, "mysql:geometry", Logical::Wkb, &["\\x0101000000"]),
        meant("range", T::Utf8, "postgres:int4range", Logical::Foreign, &["[1,5)"]),
        meant("User Id-é", T::Utf8, "csv:text", Logical::Untyped, &["7"]),
        plain("1st", T::Int32, &["1"]),
    ]
}

/// A table of all of them; every column also has NULLs.
pub(super) fn everything() -> RecordBatch {
    let columns = every_type();
    let rows = columns.iter().map(|(_, values)| values.len()).max().unwrap() + 1;
    let arrays = columns.iter().map(|(field, values)| {
        let mut builder = ColumnBuilder::new(field.data_type()).unwrap();
        for row in 0..rows {
            match values.get(row) {
                Some(value) => {
                    builder.push_text(value).unwrap_or_else(|why| panic!("{} `{value}` {why}", field.name()));
                }
                None => builder.push_null(),
            }
        }
        builder.finish()
    });
    let arrays = arrays.collect();
    let fields: Vec<Field> = columns.into_iter().map(|(field, _)| field).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

/// All rows of a reader.
pub(super) fn drain(mut reader: Box<dyn FileReader>) -> Vec<Batch> {
    let mut batches = Vec::new();
    while let Some(batch) = reader.next().unwrap() {
        batches.push(batch);
    }
    batches
}

/// The columns of a batch without rejects.
pub(super) fn columns(batch: &Batch) -> &RecordBatch {
    assert!(batch.rejects.is_empty(), "{:?}", batch.rejects);
    arrow(batch)
}

/// The columns of a batch.
pub(super) fn arrow(batch: &Batch) -> &RecordBatch {
    match &batch.data {
        Data::Arrow(columns) => columns,
        Data::Raw(_) => panic!("raw rows"),
    }
}

/// The canonical texts of a column.
pub(super) fn texts(column: &dyn Array) -> Vec<Option<String>> {
    (0..column.len()).map(|row| levada_core::text::value(column, row)).collect()
}

/// A column of a schema by name, as it is.
pub(super) fn only(schema: &SchemaRef, names: &[&str]) -> SchemaRef {
    let fields: Vec<Field> = names.iter().map(|name| schema.field_with_name(name).unwrap().clone()).collect();
    Arc::new(Schema::new(fields))
}
