//! Rows of the binary protocol into columns. A value that the closed set cannot hold (a zero date, bytes that are no
//! text) makes its row a reject; the other rows of the batch go on.

use std::sync::Arc;

use arrow_array::builder::BooleanBuilder;
use arrow_array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow_buffer::i256;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use levada_core::batch::{Batch, Data, Reject};
use levada_core::builder::ColumnBuilder;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::schema::{Logical, native_of};
use levada_core::source::OVERLAP_COLUMN;
use levada_core::text;

use super::backup::Rule;
use super::native::Native;
use super::wire::{Cell, Row};

/// Collects rows until a batch is full.
pub struct Decoder {
    schema: SchemaRef,
    output: SchemaRef,
    columns: Vec<(ColumnBuilder, Option<usize>)>,
    overlap: Option<BooleanBuilder>,
    /// What values must keep to, by column; none where they are taken as they come.
    rules: Vec<Rule>,
    bad: Vec<(usize, Reject)>,
    rows: usize,
    bytes: usize,
    bytes_fixed: usize,
}

impl Decoder {
    /// A decoder for the requested columns; `overlap` expects one more value in each row.
    ///
    /// # Errors
    /// `Internal` for a type outside the closed set.
    pub fn new(schema: &SchemaRef, overlap: bool) -> Result<Self> {
        let mut columns = Vec::with_capacity(schema.fields().len());
        for field in schema.fields() {
            columns.push((ColumnBuilder::new(field.data_type())?, bit_width(field)));
        }
        let mut fields: Vec<Arc<Field>> = schema.fields().iter().cloned().collect();
        if overlap {
            fields.push(Arc::new(Field::new(OVERLAP_COLUMN, DataType::Boolean, false)));
        }
        let bytes_fixed = schema.fields().iter().map(|f| f.data_type().primitive_width().unwrap_or(5)).sum();
        Ok(Self {
            schema: schema.clone(),
            output: Arc::new(Schema::new(fields)),
            columns,
            overlap: overlap.then(BooleanBuilder::new),
            rules: Vec::new(),
            bad: Vec::new(),
            rows: 0,
            bytes: 0,
            bytes_fixed,
        })
    }

    /// Takes only values that can be written again as they are; geometries then come as the server keeps them.
    pub fn keep_rules(&mut self) {
        self.rules = self.schema.fields().iter().map(|field| Rule::of(field)).collect();
    }

    /// Bytes collected so far.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes one row.
    ///
    /// # Errors
    /// `Internal` where the row has another number of values than asked for; `Connect` where it cannot be read.
    pub fn push(&mut self, row: Row<'_>) -> Result<()> {
        if row.len() != self.columns.len() + usize::from(self.overlap.is_some()) {
            return Err(Error::new(ErrorKind::Internal, "a row has another number of values than were asked for"));
        }
        self.bytes += self.bytes_fixed;
        let mut cells = row;
        let mut refused = None;
        for (index, (builder, bits)) in self.columns.iter_mut().enumerate() {
            let rule = self.rules.get(index);
            let kept = |cell| match rule {
                Some(rule) => rule.kept(cell).and_then(|cell| append(builder, *bits, cell)),
                None => append(builder, *bits, cell),
            };
            match cells.take(kept)? {
                Ok(bytes) => self.bytes += bytes,
                Err(reason) => {
                    builder.push_null();
                    refused = refused.or(Some((index, reason)));
                }
            }
        }
        if let Some((index, reason)) = refused {
            self.bad.push((self.rows, refusal(&self.schema, row, index, reason)?));
        }
        if let Some(overlap) = &mut self.overlap {
            overlap.append_value(matches!(cells.cell()?, Cell::Int(n) if n != 0));
        }
        self.rows += 1;
        Ok(())
    }

    /// Takes one row of no columns.
    pub fn push_empty(&mut self) {
        self.rows += 1;
        self.bytes += 1;
    }

    /// The rows so far as a batch, if there are any; the decoder starts anew.
    ///
    /// # Errors
    /// `Internal`.
    pub fn finish(&mut self) -> Result<Option<Batch>> {
        if self.rows == 0 {
            return Ok(None);
        }
        let internal = |error: arrow_schema::ArrowError| {
            Error::new(ErrorKind::Internal, format!("a batch could not be built: {error}"))
        };
        let mut arrays: Vec<ArrayRef> = self.columns.iter_mut().map(|(builder, _)| builder.finish()).collect();
        if let Some(overlap) = &mut self.overlap {
            arrays.push(Arc::new(overlap.finish()));
        }
        if !self.bad.is_empty() {
            let mut keep = vec![true; self.rows];
            for (row, _) in &self.bad {
                keep[*row] = false;
            }
            let keep = BooleanArray::from(keep);
            for array in &mut arrays {
                *array = arrow_select::filter::filter(array, &keep).map_err(internal)?;
            }
        }
        let rejects: Vec<Reject> = std::mem::take(&mut self.bad).into_iter().map(|(_, reject)| reject).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows - rejects.len()));
        (self.rows, self.bytes) = (0, 0);
        let batch = RecordBatch::try_new_with_options(self.output.clone(), arrays, &options).map_err(internal)?;
        Ok(Some(Batch { data: Data::Arrow(batch), rejects }))
    }
}

/// A row that cannot be kept, because of the value of one column.
#[cold]
fn refusal(schema: &Schema, row: Row<'_>, index: usize, reason: Reason) -> Result<Reject> {
    let mut cells = row;
    for _ in 0..index {
        cells.cell()?;
    }
    let reason = format!("`{}` {reason}", cell_text(cells.cell()?).unwrap_or_default());
    Ok(Reject { row: row_json(schema, row)?, column: Some(schema.field(index).name().clone()), reason })
}

/// The width of a BIT column.
fn bit_width(field: &Field) -> Option<usize> {
    if Logical::of(field) != Some(Logical::Bits) {
        return None;
    }
    let native = Native::parse(native_of(field, "mysql")?)?;
    (native.base == "bit").then(|| native.length().unwrap_or(1) as usize)
}

type Reason = &'static str;

/// Appends a value and tells how many bytes it took beyond the fixed ones. On an error nothing is appended.
#[inline(always)]
fn append(builder: &mut ColumnBuilder, bits: Option<usize>, cell: Cell<'_>) -> std::result::Result<usize, Reason> {
    use ColumnBuilder as B;
    const RANGE: Reason = "is out of range";
    macro_rules! integer {
        ($b:expr) => {
            match cell {
                Cell::Int(n) => $b.append_value(n.try_into().map_err(|_| RANGE)?),
                Cell::UInt(n) => $b.append_value(n.try_into().map_err(|_| RANGE)?),
                _ => return Err("is not a whole number"),
            }
        };
    }
    match (builder, cell) {
        (builder, Cell::Null) => builder.push_null(),
        (B::Int32(b), _) => integer!(b),
        (B::Int64(b), _) => integer!(b),
        (B::Utf8(b), Cell::Bytes(bytes)) if bits.is_none() => {
            b.append_value(std::str::from_utf8(bytes).map_err(|_| "is not UTF-8 text")?);
            return Ok(bytes.len());
        }
        (B::Decimal128(b, _, scale), Cell::Bytes(bytes)) => {
            b.append_value(unscaled_i128(bytes, *scale).ok_or("is not a decimal of the column's scale")?);
        }
        (B::Date32(b), Cell::Date(year, month, day, ..)) => b.append_value(days(year, month, day)? as i32),
        (B::Timestamp(b, _), Cell::Date(year, month, day, hour, minute, second, micros)) => {
            let seconds =
                days(year, month, day)? * 86_400 + i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
            b.append_value(seconds * 1_000_000 + i64::from(micros));
        }
        (B::Float64(b), Cell::Double(n)) => b.append_value(n),
        (B::Float32(b), Cell::Float(n)) => b.append_value(n),
        (B::Binary(b), Cell::Bytes(bytes)) => {
            b.append_value(bytes);
            return Ok(bytes.len());
        }
        (B::Int8(b), _) => integer!(b),
        (B::Int16(b), _) => integer!(b),
        (B::UInt8(b), _) => integer!(b),
        (B::UInt16(b), _) => integer!(b),
        (B::UInt32(b), _) => integer!(b),
        (B::UInt64(b), _) => integer!(b),
        (B::Decimal256(b, _, scale), Cell::Bytes(bytes)) => {
            b.append_value(unscaled_i256(bytes, *scale).ok_or("is not a decimal of the column's scale")?);
        }
        (B::Duration(b), Cell::Time(negative, days, hours, minutes, seconds, micros)) => {
            let clock = (i64::from(days) * 24 + i64::from(hours)) * 3600 + i64::from(minutes) * 60 + i64::from(seconds);
            let us = clock.checked_mul(1_000_000).and_then(|us| us.checked_add(micros.into())).ok_or(RANGE)?;
            b.append_value(if negative { -us } else { us });
        }
        (B::Utf8(b), Cell::Bytes(bytes)) => b.append_value(bit_text(bytes, bits.unwrap_or(0))),
        (B::Uuid(b), Cell::Bytes(bytes)) => {
            let uuid = std::str::from_utf8(bytes).ok().and_then(text::parse_uuid).ok_or("is not a UUID")?;
            b.append_value(uuid).map_err(|_| "is not a UUID")?;
        }
        (builder, cell) => builder.push_text(&cell_text(cell).ok_or("is not UTF-8 text")?)?,
    }
    Ok(0)
}

fn days(year: u16, month: u8, day: u8) -> std::result::Result<i64, Reason> {
    text::days_from_civil(i64::from(year), u32::from(month), u32::from(day)).ok_or("is a zero date, which is no day")
}

/// The digits of a decimal as the server prints it, always with all digits of its scale.
fn digits(bytes: &[u8], scale: i8) -> Option<(bool, &[u8], &[u8])> {
    let (negative, body) = match bytes.split_first()? {
        (b'-', rest) => (true, rest),
        _ => (false, bytes),
    };
    let scale = usize::from(scale.unsigned_abs());
    if scale == 0 {
        return Some((negative, body, &[]));
    }
    let (whole, fraction) = body.split_at_checked(body.len().checked_sub(scale + 1)?)?;
    Some((negative, whole, fraction.strip_prefix(b".")?))
}

/// So many digits always fit into 64 bits.
const U64_DIGITS: usize = 19;

fn unscaled_i128(bytes: &[u8], scale: i8) -> Option<i128> {
    let (negative, whole, fraction) = digits(bytes, scale)?;
    if whole.len() + fraction.len() <= U64_DIGITS {
        let number = i128::from(number(fraction, number(whole, 0)?)?);
        return Some(if negative { -number } else { number });
    }
    let mut number = 0_i128;
    for byte in whole.iter().chain(fraction) {
        let digit = byte.wrapping_sub(b'0');
        number = number.checked_mul(10)?.checked_add(i128::from(digit)).filter(|_| digit < 10)?;
    }
    Some(if negative { -number } else { number })
}

/// The number that goes on with these digits; all of them are at most [`U64_DIGITS`].
fn number(digits: &[u8], before: u64) -> Option<u64> {
    let mut number = before;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number * 10 + u64::from(digit);
    }
    Some(number)
}

fn unscaled_i256(bytes: &[u8], scale: i8) -> Option<i256> {
    let (negative, whole, fraction) = digits(bytes, scale)?;
    if !whole.iter().chain(fraction).all(u8::is_ascii_digit) {
        return None;
    }
    let mut number = String::with_capacity(whole.len() + fraction.len() + 1);
    if negative {
        number.push('-');
    }
    number.push_str(std::str::from_utf8(whole).ok()?);
    number.push_str(std::str::from_utf8(fraction).ok()?);
    i256::from_string(&number)
}

/// A BIT value, which comes as big-endian bytes, as text of its width.
fn bit_text(bytes: &[u8], width: usize) -> String {
    let all: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
    match all.len().checked_sub(width) {
        Some(cut) => all[cut..].to_owned(),
        None => format!("{}{all}", "0".repeat(width - all.len())),
    }
}

/// A value as text for people; `None` for NULL.
fn cell_text(cell: Cell<'_>) -> Option<String> {
    Some(match cell {
        Cell::Null => return None,
        Cell::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => {
                let mut hex = String::new();
                text::write_hex(&mut hex, bytes);
                hex
            }
        },
        Cell::Int(n) => n.to_string(),
        Cell::UInt(n) => n.to_string(),
        Cell::Float(n) => n.to_string(),
        Cell::Double(n) => n.to_string(),
        Cell::Date(y, mo, d, 0, 0, 0, 0) => format!("{y:04}-{mo:02}-{d:02}"),
        Cell::Date(y, mo, d, h, mi, s, us) => format!("{y:04}-{mo:02}-{d:02}T{h:02}:{mi:02}:{s:02}.{us:06}"),
        Cell::Time(negative, d, h, mi, s, us) => {
            let hours = u64::from(d) * 24 + u64::from(h);
            format!("{}{hours:02}:{mi:02}:{s:02}.{us:06}", if negative { "-" } else { "" })
        }
    })
}

fn row_json(schema: &Schema, mut row: Row<'_>) -> Result<String> {
    let mut object = serde_json::Map::new();
    for field in schema.fields() {
        object.insert(field.name().clone(), cell_text(row.cell()?).into());
    }
    Ok(serde_json::Value::Object(object).to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::wire::Form;
    use super::*;

    #[test]
    fn decimals_keep_their_digits() {
        assert_eq!(unscaled_i128(b"-0.50", 2), Some(-50));
        assert_eq!(unscaled_i128(b"99999999999999999999999999999999999999", 0), Some(10_i128.pow(38) - 1));
        // On both sides of what fits into 64 bits.
        for digits in 17..=21 {
            let text = format!("-{}.99", "9".repeat(digits - 2));
            assert_eq!(unscaled_i128(text.as_bytes(), 2), Some(1 - 10_i128.pow(digits as u32)));
            let text = text.replace(".99", ".9:");
            assert_eq!(unscaled_i128(text.as_bytes(), 2), None);
        }
        for (text, scale) in [(&b"1.5"[..], 2), (b"1.5", 0), (b"1,50", 2), (b"/1.50", 2), (b".50", 3), (b"", 0)] {
            assert_eq!(unscaled_i128(text, scale), None);
        }
        let text = format!("-{}.{}", "9".repeat(35), "9".repeat(30));
        assert_eq!(unscaled_i256(text.as_bytes(), 30).unwrap().to_string(), format!("-{}", "9".repeat(65)));
    }

    #[test]
    fn times_beyond_every_range_are_refused() {
        let mut builder = ColumnBuilder::new(&DataType::Duration(arrow_schema::TimeUnit::Microsecond)).unwrap();
        let far = Cell::Time(true, u32::MAX, 255, 255, 255, u32::MAX);
        assert_eq!(append(&mut builder, None, far).unwrap_err(), "is out of range");
        assert_eq!(cell_text(far).unwrap(), "-103079215335:255:255.4294967295");
    }

    /// A row of every form, with a value of several bytes in each.
    fn row_of_every_form() -> (SchemaRef, Vec<Form>, Vec<u8>) {
        use DataType as T;
        let int = |width, is_unsigned| Form::Int { width, is_unsigned };
        let text = |bytes: &[u8]| [&[bytes.len() as u8][..], bytes].concat();
        let date = vec![11, 0xe8, 0x07, 2, 29, 23, 59, 58, 1, 0, 0, 0];
        let columns: Vec<(T, Form, Vec<u8>)> = vec![
            (T::Int8, int(1, false), vec![0xff]),
            (T::UInt16, int(2, true), vec![1, 2]),
            (T::Int32, int(4, false), vec![1, 2, 3, 4]),
            (T::UInt64, int(8, true), vec![0xff; 8]),
            (T::Float32, Form::Float, vec![0, 0, 0x80, 0x3f]),
            (T::Float64, Form::Double, vec![0, 0, 0, 0, 0, 0, 0xf0, 0x3f]),
            (T::Utf8, Form::Bytes, text("größe".as_bytes())),
            (T::Binary, Form::Bytes, text(&[0, 0xff])),
            (T::Decimal128(10, 2), Form::Bytes, text(b"-0.50")),
            (T::Decimal256(60, 3), Form::Bytes, text(format!("{}.125", "7".repeat(50)).as_bytes())),
            (T::FixedSizeBinary(16), Form::Bytes, text(b"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")),
            (T::Date32, Form::Date, vec![4, 0xe8, 0x07, 2, 29]),
            (levada_core::schema::timestamp(), Form::Date, date),
            (T::Duration(arrow_schema::TimeUnit::Microsecond), Form::Time, vec![8, 1, 34, 0, 0, 0, 22, 59, 59]),
        ];
        let fields = columns.iter().enumerate().map(|(n, (t, ..))| Field::new(format!("c{n}"), t.clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let nulls = vec![0; (columns.len() + 9) / 8];
        let values: Vec<u8> = columns.iter().flat_map(|(.., bytes)| bytes.clone()).collect();
        let forms = columns.iter().map(|(_, form, _)| *form).collect();
        (schema, forms, [vec![0], nulls, values].concat())
    }

    #[test]
    fn bent_rows_are_rows_rejects_or_errors() {
        let (schema, forms, good) = row_of_every_form();
        let mut whole = Decoder::new(&schema, false).unwrap();
        whole.push(Row::new(&good, &forms).unwrap()).unwrap();
        assert!(whole.finish().unwrap().unwrap().rejects.is_empty());
        for seed in 0..5_000 {
            let packet = levada_testkit::bent::bent(&good, seed);
            let mut decoder = Decoder::new(&schema, false).unwrap();
            match Row::new(&packet, &forms).and_then(|row| decoder.push(row)) {
                Ok(()) => {
                    let batch = decoder.finish().unwrap().unwrap();
                    assert_eq!(batch.rows() + batch.rejects.len() as u64, 1, "seed {seed}");
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::Connect, "seed {seed}: {error}"),
            }
        }
    }

    #[test]
    fn bits_are_text_of_their_width() {
        assert_eq!(bit_text(&[1], 1), "1");
        assert_eq!(bit_text(&[0b1, 0b1000_0001], 9), "110000001");
        assert_eq!(bit_text(&[0xff; 8], 64), "1".repeat(64));
    }
}
