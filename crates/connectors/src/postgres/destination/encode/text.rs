//! Rows in the text format of COPY, for types that only the server can read from their text.

use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use levada_core::text;

use super::CHUNK;

/// 0001-01-01 in days; before it the server counts years BC from one.
const YEAR_ONE: i64 = -719_162;

/// Appends rows until there is a chunk; returns the first row left over.
pub fn encode(batch: &RecordBatch, rows: Range<usize>, out: &mut Vec<u8>) -> usize {
    let mut value = String::new();
    for row in rows.clone() {
        for (number, array) in batch.columns().iter().enumerate() {
            if number > 0 {
                out.push(b'\t');
            }
            if array.is_null(row) {
                out.extend_from_slice(b"\\N");
                continue;
            }
            value.clear();
            write(&mut value, array, row);
            escape(out, value.as_bytes());
        }
        out.push(b'\n');
        if out.len() >= CHUNK {
            return row + 1;
        }
    }
    rows.end
}

fn write(out: &mut String, array: &dyn Array, row: usize) {
    let date = |out: &mut String, days: i64| {
        let (year, month, day) = text::civil_from_days(days);
        let year = if days < YEAR_ONE { 1 - year } else { year };
        out.push_str(&format!("{year:04}-{month:02}-{day:02}"));
    };
    let era = |days: i64| if days < YEAR_ONE { " BC" } else { "" };
    match array.data_type() {
        DataType::Date32 => {
            let days = i64::from(array.as_primitive::<Date32Type>().value(row));
            date(out, days);
            out.push_str(era(days));
        }
        DataType::Timestamp(_, zone) => {
            let us = array.as_primitive::<TimestampMicrosecondType>().value(row);
            let days = us.div_euclid(text::DAY_US);
            date(out, days);
            out.push(' ');
            text::write_time(out, us.rem_euclid(text::DAY_US));
            if zone.is_some() {
                out.push_str("+00");
            }
            out.push_str(era(days));
        }
        _ => text::write_value(out, array, row),
    }
}

fn escape(out: &mut Vec<u8>, value: &[u8]) {
    let mut rest = value;
    while let Some(at) = rest.iter().position(|b| matches!(b, b'\\' | b'\t' | b'\n' | b'\r')) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(match rest[at] {
            b'\\' => b"\\\\",
            b'\t' => b"\\t",
            b'\n' => b"\\n",
            _ => b"\\r",
        });
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}
