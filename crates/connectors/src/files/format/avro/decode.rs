//! Values of Avro: into a column of the closed type set, into JSON text where they nest, or skipped.

use std::fmt::Write as _;

use levada_core::builder::ColumnBuilder;
use levada_core::error::Result;
use levada_core::text;

use super::super::columns::interval_text;
use super::super::nested::write_string;
use super::cursor::Cursor;
use super::schema::{Meaning, Shape, Type, Types};
use super::{DEPTH_MAX, TEXT_BYTES_MAX, malformed};

/// What became of a value: appended, or a reason why it cannot be carried, with nothing appended.
pub(super) type Outcome = std::result::Result<(), String>;

const OUT_OF_RANGE: &str = "is out of range";

/// Appends the next value, which is not null, to a column.
pub(super) fn decode(types: &Types, of: usize, cursor: &mut Cursor<'_>, to: &mut ColumnBuilder) -> Result<Outcome> {
    let of_type = types.get(of);
    match (&of_type.shape, of_type.meaning) {
        (_, Some(Meaning::Duration)) => {
            let text = duration(cursor.take(12)?);
            return Ok(push(to, &text));
        }
        (Shape::Bytes, Some(Meaning::BigDecimal)) => {
            let number = big_decimal(cursor.bytes()?)?;
            return Ok(push(to, &number));
        }
        (Shape::Bytes, Some(Meaning::Decimal { scale, .. })) => return Ok(decimal(to, cursor.bytes()?, scale)),
        (Shape::Fixed(size), Some(Meaning::Decimal { scale, .. })) => {
            return Ok(decimal(to, cursor.take(*size)?, scale));
        }
        _ => {}
    }
    match &of_type.shape {
        Shape::Null => to.push_null(),
        Shape::Boolean => {
            let value = cursor.boolean()?;
            if let ColumnBuilder::Boolean(to) = to {
                to.append_value(value);
            }
        }
        Shape::Int => return Ok(integer(to, i64::from(cursor.int()?), of_type)),
        Shape::Long => return Ok(integer(to, cursor.long()?, of_type)),
        Shape::Float => {
            let value = cursor.float()?;
            if let ColumnBuilder::Float32(to) = to {
                to.append_value(value);
            }
        }
        Shape::Double => {
            let value = cursor.double()?;
            if let ColumnBuilder::Float64(to) = to {
                to.append_value(value);
            }
        }
        Shape::Bytes => bytes(to, cursor.bytes()?),
        Shape::Fixed(size) => bytes(to, cursor.take(*size)?),
        Shape::String => {
            let value = cursor.bytes()?;
            let Ok(value) = std::str::from_utf8(value) else {
                let mut hex = String::new();
                text::write_hex(&mut hex, value);
                return Ok(Err(format!("{} is not UTF-8", levada_core::cast::quoted(&hex))));
            };
            return Ok(push(to, value));
        }
        Shape::Enum(symbols) => return Ok(push(to, &symbols[cursor.index(symbols.len())?])),
        Shape::Array(_) | Shape::Map(_) | Shape::Union(_) | Shape::Record(_) => {
            let mut json = String::new();
            write_json(types, of, cursor, &mut json, 0)?;
            if json == "null" {
                to.push_null();
            } else {
                return Ok(push(to, &json));
            }
        }
    }
    Ok(Ok(()))
}

fn push(to: &mut ColumnBuilder, text: &str) -> Outcome {
    to.push_text(text).map_err(|reason| format!("{} {reason}", levada_core::cast::quoted(text)))
}

fn bytes(to: &mut ColumnBuilder, value: &[u8]) {
    match to {
        ColumnBuilder::Binary(to) => to.append_value(value),
        ColumnBuilder::Uuid(to) => to.append_value(value).unwrap_or_else(|_| to.append_null()),
        _ => {}
    }
}

fn integer(to: &mut ColumnBuilder, value: i64, of: &Type) -> Outcome {
    macro_rules! narrow {
        ($to:expr) => {
            $to.append_value(value.try_into().map_err(|_| format!("{value} {OUT_OF_RANGE}"))?)
        };
    }
    let factor = match of.meaning {
        Some(Meaning::TimeMillis | Meaning::Timestamp { per_second: 1_000, .. }) => 1000,
        _ => 1,
    };
    let micros = || value.checked_mul(factor).ok_or_else(|| format!("{value} ms {OUT_OF_RANGE} for microseconds"));
    match to {
        ColumnBuilder::Int8(to) => narrow!(to),
        ColumnBuilder::Int16(to) => narrow!(to),
        ColumnBuilder::Int32(to) => narrow!(to),
        ColumnBuilder::UInt8(to) => narrow!(to),
        ColumnBuilder::UInt16(to) => narrow!(to),
        ColumnBuilder::UInt32(to) => narrow!(to),
        ColumnBuilder::Date32(to) => narrow!(to),
        ColumnBuilder::Int64(to) => to.append_value(value),
        ColumnBuilder::Time(to) => {
            let value = micros()?;
            if !(0..=text::DAY_US).contains(&value) {
                return Err(format!("{value} µs is not a time of day"));
            }
            to.append_value(value);
        }
        ColumnBuilder::Duration(to) => to.append_value(value),
        ColumnBuilder::Timestamp(to, _) => to.append_value(micros()?),
        ColumnBuilder::TimestampNs(to, _) => to.append_value(value),
        _ => {}
    }
    Ok(())
}

fn decimal(to: &mut ColumnBuilder, value: &[u8], scale: usize) -> Outcome {
    if let (ColumnBuilder::Decimal128(to, precision, _), Some(unscaled)) = (&mut *to, small(value)) {
        if unscaled.unsigned_abs() >= 10_u128.pow(u32::from(*precision)) {
            return Err(format!("`{}` has too many digits", decimal_text(value, scale)));
        }
        to.append_value(unscaled);
        return Ok(());
    }
    push(to, &decimal_text(value, scale))
}

/// A big-endian two's complement integer of at most 16 bytes.
fn small(value: &[u8]) -> Option<i128> {
    let negative = value.first().is_some_and(|byte| byte & 0x80 != 0);
    let mut bytes = [if negative { 0xFF } else { 0 }; 16];
    bytes.get_mut(16_usize.checked_sub(value.len())?..)?.copy_from_slice(value);
    Some(i128::from_be_bytes(bytes))
}

fn decimal_text(value: &[u8], scale: usize) -> String {
    let unscaled = small(value).map_or_else(|| digits(value), |small| small.to_string());
    let mut out = String::new();
    match i8::try_from(scale) {
        Ok(scale) => text::write_decimal(&mut out, &unscaled, scale),
        Err(_) => {
            let _ = write!(out, "{unscaled}e-{scale}");
        }
    }
    out
}

/// The decimal digits of a big-endian two's complement integer of any size.
fn digits(value: &[u8]) -> String {
    let negative = value.first().is_some_and(|byte| byte & 0x80 != 0);
    let mut carry = negative;
    let mut limbs: Vec<u64> = vec![0];
    let magnitude: Vec<u8> = value
        .iter()
        .rev()
        .map(|byte| {
            let (byte, over) = if negative { (!byte).overflowing_add(u8::from(carry)) } else { (*byte, false) };
            carry = over;
            byte
        })
        .collect();
    for byte in magnitude.iter().rev() {
        let mut add = u64::from(*byte);
        for limb in &mut limbs {
            add += *limb << 8;
            *limb = add % 1_000_000_000;
            add /= 1_000_000_000;
        }
        if add > 0 {
            limbs.push(add);
        }
    }
    let mut out = String::from(if negative { "-" } else { "" });
    for (index, limb) in limbs.iter().rev().enumerate() {
        let _ = if index == 0 { write!(out, "{limb}") } else { write!(out, "{limb:09}") };
    }
    out
}

/// A `big-decimal`: its unscaled bytes with their length, then its scale.
fn big_decimal(value: &[u8]) -> Result<String> {
    let mut inner = Cursor::new(value, 0);
    let unscaled = inner.bytes()?;
    if unscaled.len() > 64 << 10 {
        return Err(malformed("a `big-decimal` has more than 64 KiB"));
    }
    let scale = inner.int()?;
    let digits = digits(unscaled);
    Ok(match u8::try_from(scale).ok().and_then(|scale| i8::try_from(scale).ok()) {
        Some(scale) => {
            let mut out = String::new();
            text::write_decimal(&mut out, &digits, scale);
            out
        }
        None => format!("{digits}e{}", -i64::from(scale)),
    })
}

/// A `duration`: months, days and milliseconds, unsigned and little-endian.
fn duration(value: &[u8]) -> String {
    let part = |at: usize| {
        let bytes = value.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        i64::from(u32::from_le_bytes(bytes.unwrap_or_default()))
    };
    interval_text(part(0), part(4), part(8) * 1_000_000)
}

/// Moves past the next value.
pub(super) fn skip(types: &Types, of: usize, cursor: &mut Cursor<'_>, depth: usize) -> Result<()> {
    deep_enough(depth)?;
    match &types.get(of).shape {
        Shape::Null => {}
        Shape::Boolean => {
            cursor.take(1)?;
        }
        Shape::Int | Shape::Long | Shape::Enum(_) => {
            cursor.long()?;
        }
        Shape::Float => {
            cursor.take(4)?;
        }
        Shape::Double => {
            cursor.take(8)?;
        }
        Shape::Bytes | Shape::String => {
            cursor.bytes()?;
        }
        Shape::Fixed(size) => {
            cursor.take(*size)?;
        }
        Shape::Union(branches) => {
            let branch = branches[cursor.index(branches.len())?];
            skip(types, branch, cursor, depth + 1)?;
        }
        Shape::Record(members) => {
            for member in members {
                skip(types, member.of, cursor, depth + 1)?;
            }
        }
        Shape::Array(item) | Shape::Map(item) => {
            let keyed = matches!(types.get(of).shape, Shape::Map(_));
            while let Some((count, bytes)) = cursor.items()? {
                if let Some(bytes) = bytes {
                    cursor.take(bytes)?;
                    continue;
                }
                let start = cursor.at();
                for _ in 0..count {
                    if keyed {
                        cursor.bytes()?;
                    }
                    skip(types, *item, cursor, depth + 1)?;
                    if cursor.at() == start {
                        break; // items without bytes: their count says nothing of their size
                    }
                }
            }
        }
    }
    Ok(())
}

fn deep_enough(depth: usize) -> Result<()> {
    if depth > DEPTH_MAX { Err(malformed(format!("values nest deeper than {DEPTH_MAX}"))) } else { Ok(()) }
}

/// Appends the next value as JSON: numbers with all their digits, bytes as hex text, times as canonical text, a union as
/// the value of its branch.
fn write_json(types: &Types, of: usize, cursor: &mut Cursor<'_>, out: &mut String, depth: usize) -> Result<()> {
    deep_enough(depth)?;
    if out.len() > TEXT_BYTES_MAX {
        return Err(malformed(format!("a nested value is longer than {} MiB as text", TEXT_BYTES_MAX >> 20)));
    }
    let of_type = types.get(of);
    match &of_type.shape {
        Shape::Null => out.push_str("null"),
        Shape::Boolean => out.push_str(if cursor.boolean()? { "true" } else { "false" }),
        Shape::Int => json_integer(out, i64::from(cursor.int()?), of_type.meaning),
        Shape::Long => json_integer(out, cursor.long()?, of_type.meaning),
        Shape::Float => {
            let value = cursor.float()?;
            json_number(out, value.is_finite(), |out| text::write_f32(out, value));
        }
        Shape::Double => {
            let value = cursor.double()?;
            json_number(out, value.is_finite(), |out| text::write_f64(out, value));
        }
        Shape::Bytes => json_bytes(out, cursor.bytes()?, of_type.meaning)?,
        Shape::Fixed(size) => json_bytes(out, cursor.take(*size)?, of_type.meaning)?,
        Shape::String => {
            let value = std::str::from_utf8(cursor.bytes()?);
            write_string(out, value.map_err(|_| malformed("a text inside a nested value is not UTF-8"))?);
        }
        Shape::Enum(symbols) => write_string(out, &symbols[cursor.index(symbols.len())?]),
        Shape::Union(branches) => {
            let branch = branches[cursor.index(branches.len())?];
            write_json(types, branch, cursor, out, depth + 1)?;
        }
        Shape::Record(members) => {
            out.push('{');
            for (index, member) in members.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_string(out, &member.name);
                out.push(':');
                write_json(types, member.of, cursor, out, depth + 1)?;
            }
            out.push('}');
        }
        Shape::Array(item) => json_items(types, *item, false, cursor, out, depth)?,
        Shape::Map(item) => json_items(types, *item, true, cursor, out, depth)?,
    }
    Ok(())
}

fn json_items(
    types: &Types,
    item: usize,
    keyed: bool,
    cursor: &mut Cursor<'_>,
    out: &mut String,
    depth: usize,
) -> Result<()> {
    out.push(if keyed { '{' } else { '[' });
    let mut first = true;
    while let Some((count, _)) = cursor.items()? {
        for _ in 0..count {
            if !std::mem::take(&mut first) {
                out.push(',');
            }
            if keyed {
                let key = std::str::from_utf8(cursor.bytes()?);
                write_string(out, key.map_err(|_| malformed("the key of a map is not UTF-8"))?);
                out.push(':');
            }
            write_json(types, item, cursor, out, depth + 1)?;
        }
    }
    out.push(if keyed { '}' } else { ']' });
    Ok(())
}

fn json_number(out: &mut String, finite: bool, write: impl FnOnce(&mut String)) {
    let mut number = String::new();
    write(&mut number);
    if finite {
        out.push_str(&number);
    } else {
        write_string(out, &number);
    }
}

fn json_integer(out: &mut String, value: i64, meaning: Option<Meaning>) {
    let mut written = String::new();
    match meaning {
        Some(Meaning::Date) => text::write_date(&mut written, value),
        Some(Meaning::TimeMillis) if (0..=86_400_000).contains(&value) => text::write_time(&mut written, value * 1000),
        Some(Meaning::TimeMicros) if (0..=text::DAY_US).contains(&value) => text::write_time(&mut written, value),
        Some(Meaning::Timestamp { per_second, instant }) => {
            let (seconds, rest) = (value.div_euclid(per_second), value.rem_euclid(per_second));
            text::write_date(&mut written, seconds.div_euclid(86_400));
            written.push('T');
            text::write_time(&mut written, seconds.rem_euclid(86_400) * 1_000_000);
            if rest != 0 {
                let width = if per_second == 1_000 {
                    3
                } else if per_second == 1_000_000 {
                    6
                } else {
                    9
                };
                let _ = write!(written, ".{rest:0width$}");
                written.truncate(written.trim_end_matches('0').len());
            }
            if instant {
                written.push('Z');
            }
        }
        _ => {
            let _ = write!(out, "{value}");
            return;
        }
    }
    write_string(out, &written);
}

fn json_bytes(out: &mut String, value: &[u8], meaning: Option<Meaning>) -> Result<()> {
    match meaning {
        Some(Meaning::Decimal { scale, .. }) => out.push_str(&decimal_text(value, scale)),
        Some(Meaning::BigDecimal) => out.push_str(&big_decimal(value)?),
        Some(Meaning::Duration) => write_string(out, &duration(value)),
        Some(Meaning::Uuid) => {
            let mut uuid = String::new();
            text::write_uuid(&mut uuid, value);
            write_string(out, &uuid);
        }
        _ => {
            let mut hex = String::new();
            text::write_hex(&mut hex, value);
            write_string(out, &hex);
        }
    }
    Ok(())
}
