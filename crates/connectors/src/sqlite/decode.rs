//! Stored values into Arrow columns: what each column type accepts, and why it rejects the rest.

use std::borrow::Cow;

use levada_core::builder::ColumnBuilder;
use levada_core::cast::quoted;
use levada_core::text;
use rusqlite::types::ValueRef;

/// Why a value is not one of its column's type.
pub type Reason = Cow<'static, str>;

/// The integers that a double holds all of.
const DOUBLE_EXACT: u64 = 1 << 53;

/// Appends a stored value to a column. `mixed` columns (text because their values are of several kinds) take blobs as
/// hex. On an error nothing is appended.
///
/// # Errors
/// The reason, as one sentence.
pub fn push(builder: &mut ColumnBuilder, value: ValueRef<'_>, mixed: bool) -> Result<(), Reason> {
    match value {
        ValueRef::Null => {
            builder.push_null();
            Ok(())
        }
        ValueRef::Integer(value) => integer(builder, value),
        ValueRef::Real(value) => real(builder, value),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(value) => string(builder, value),
            Err(_) => match builder {
                ColumnBuilder::Binary(b) => {
                    b.append_value(bytes);
                    Ok(())
                }
                _ => Err("the text is not UTF-8".into()),
            },
        },
        ValueRef::Blob(bytes) => blob(builder, bytes, mixed),
    }
}

fn integer(builder: &mut ColumnBuilder, value: i64) -> Result<(), Reason> {
    macro_rules! narrow {
        ($b:expr) => {
            match value.try_into() {
                Ok(value) => $b.append_value(value),
                Err(_) => return Err(format!("{value} is out of range of the declared type").into()),
            }
        };
    }
    match builder {
        ColumnBuilder::Int64(b) => b.append_value(value),
        ColumnBuilder::Int8(b) => narrow!(b),
        ColumnBuilder::Int16(b) => narrow!(b),
        ColumnBuilder::Int32(b) => narrow!(b),
        ColumnBuilder::UInt8(b) => narrow!(b),
        ColumnBuilder::UInt16(b) => narrow!(b),
        ColumnBuilder::UInt32(b) => narrow!(b),
        ColumnBuilder::UInt64(b) => narrow!(b),
        ColumnBuilder::Boolean(b) if value == 0 || value == 1 => b.append_value(value == 1),
        ColumnBuilder::Float64(b) if value.unsigned_abs() <= DOUBLE_EXACT => b.append_value(value as f64),
        ColumnBuilder::Float32(b) if value.unsigned_abs() <= 1 << 24 => b.append_value(value as f32),
        ColumnBuilder::Float64(_) | ColumnBuilder::Float32(_) => {
            return Err(format!("the integer {value} has more digits than the declared type keeps").into());
        }
        ColumnBuilder::Decimal128(..) | ColumnBuilder::Decimal256(..) | ColumnBuilder::Utf8(_) => {
            return string(builder, itoa::Buffer::new().format(value));
        }
        _ => return Err(format!("the integer {value} has not the form of the declared type").into()),
    }
    Ok(())
}

fn real(builder: &mut ColumnBuilder, value: f64) -> Result<(), Reason> {
    match builder {
        ColumnBuilder::Float64(b) => b.append_value(value),
        ColumnBuilder::Float32(b) if f64::from(value as f32) == value => b.append_value(value as f32),
        ColumnBuilder::Float32(_) => return Err(format!("{value} has more digits than the declared type keeps").into()),
        ColumnBuilder::Decimal128(b, p, s) if *p <= 15 && scaled(value, *p, *s).is_some() => {
            b.append_option(scaled(value, *p, *s));
        }
        ColumnBuilder::Decimal128(..) | ColumnBuilder::Decimal256(..) | ColumnBuilder::Utf8(_) => {
            let mut shortest = String::new();
            text::write_f64(&mut shortest, value);
            return string(builder, &shortest);
        }
        ColumnBuilder::Boolean(b) if value == 0.0 || value == 1.0 => b.append_value(value == 1.0),
        _ => return Err(format!("the number {value} has not the form of the declared type").into()),
    }
    Ok(())
}

/// The unscaled integer of a double that is the nearest one to a decimal of at most 15 digits.
fn scaled(value: f64, precision: u8, scale: i8) -> Option<i128> {
    let power = 10_f64.powi(i32::from(scale));
    let unscaled = (value * power).round();
    (unscaled.abs() < 10_f64.powi(i32::from(precision)) && unscaled / power == value).then_some(unscaled as i128)
}

fn string(builder: &mut ColumnBuilder, value: &str) -> Result<(), Reason> {
    match builder {
        ColumnBuilder::Utf8(b) => b.append_value(value),
        ColumnBuilder::Binary(b) => b.append_value(value.as_bytes()),
        ColumnBuilder::Int8(_)
        | ColumnBuilder::Int16(_)
        | ColumnBuilder::Int32(_)
        | ColumnBuilder::Int64(_)
        | ColumnBuilder::UInt8(_)
        | ColumnBuilder::UInt16(_)
        | ColumnBuilder::UInt32(_) => {
            // INTEGER affinity has turned every text that is a number into one.
            return Err(format!("the text {} is not an integer", quoted(value)).into());
        }
        _ => return builder.push_text(value).map_err(|reason| format!("{} {reason}", quoted(value)).into()),
    }
    Ok(())
}

fn blob(builder: &mut ColumnBuilder, bytes: &[u8], mixed: bool) -> Result<(), Reason> {
    match builder {
        ColumnBuilder::Binary(b) => b.append_value(bytes),
        ColumnBuilder::Uuid(b) if bytes.len() == 16 => {
            return b.append_value(bytes).map_err(|_| "the blob is not a UUID".into());
        }
        ColumnBuilder::Utf8(b) if mixed => {
            let mut hex = String::new();
            text::write_hex(&mut hex, bytes);
            b.append_value(hex);
        }
        _ => return Err(format!("a blob of {} bytes has not the form of the declared type", bytes.len()).into()),
    }
    Ok(())
}

/// A stored value as text, for the quarantine.
pub fn shown(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(value) => Some(value.to_string()),
        ValueRef::Real(value) => {
            let mut shortest = String::new();
            text::write_f64(&mut shortest, value);
            Some(shortest)
        }
        ValueRef::Text(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        ValueRef::Blob(bytes) => {
            let mut hex = String::new();
            text::write_hex(&mut hex, bytes);
            Some(hex)
        }
    }
}
