//! Builds one column of the closed type set from canonical or commonly written text, value by value checked. Readers of
//! text formats and the generic cast share it, so a text means the same value everywhere.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{
    ArrayBuilder, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Decimal256Builder,
    DurationMicrosecondBuilder, FixedSizeBinaryBuilder, Float32Builder, Float64Builder, Int8Builder, Int16Builder,
    Int32Builder, Int64Builder, StringBuilder, Time64MicrosecondBuilder, TimestampMicrosecondBuilder,
    TimestampNanosecondBuilder, UInt8Builder, UInt16Builder, UInt32Builder, UInt64Builder,
};
use arrow_array::types::{Decimal128Type, Decimal256Type, DecimalType};
use arrow_schema::{DataType, TimeUnit};

use crate::error::{Error, ErrorKind, Result};
use crate::schema::UTC;
use crate::text;

/// A column under construction.
pub enum ColumnBuilder {
    /// `Boolean`.
    Boolean(BooleanBuilder),
    /// `Int8`.
    Int8(Int8Builder),
    /// `Int16`.
    Int16(Int16Builder),
    /// `Int32`.
    Int32(Int32Builder),
    /// `Int64`.
    Int64(Int64Builder),
    /// `UInt8`.
    UInt8(UInt8Builder),
    /// `UInt16`.
    UInt16(UInt16Builder),
    /// `UInt32`.
    UInt32(UInt32Builder),
    /// `UInt64`.
    UInt64(UInt64Builder),
    /// `Float32`.
    Float32(Float32Builder),
    /// `Float64`.
    Float64(Float64Builder),
    /// `Decimal128` with precision and scale.
    Decimal128(Decimal128Builder, u8, i8),
    /// `Decimal256` with precision and scale.
    Decimal256(Decimal256Builder, u8, i8),
    /// `Utf8`.
    Utf8(StringBuilder),
    /// `Binary`.
    Binary(BinaryBuilder),
    /// `FixedSizeBinary(16)`.
    Uuid(FixedSizeBinaryBuilder),
    /// `Date32`.
    Date32(Date32Builder),
    /// `Time64(µs)`.
    Time(Time64MicrosecondBuilder),
    /// `Duration(µs)`.
    Duration(DurationMicrosecondBuilder),
    /// `Timestamp(µs)`; true if it denotes an instant.
    Timestamp(TimestampMicrosecondBuilder, bool),
    /// `Timestamp(ns)`; true if it denotes an instant.
    TimestampNs(TimestampNanosecondBuilder, bool),
}

/// Applies one expression to whichever builder it is.
macro_rules! each {
    ($self:expr, $b:ident => $body:expr) => {
        match $self {
            Self::Boolean($b) => $body,
            Self::Int8($b) => $body,
            Self::Int16($b) => $body,
            Self::Int32($b) => $body,
            Self::Int64($b) => $body,
            Self::UInt8($b) => $body,
            Self::UInt16($b) => $body,
            Self::UInt32($b) => $body,
            Self::UInt64($b) => $body,
            Self::Float32($b) => $body,
            Self::Float64($b) => $body,
            Self::Decimal128($b, ..) => $body,
            Self::Decimal256($b, ..) => $body,
            Self::Utf8($b) => $body,
            Self::Binary($b) => $body,
            Self::Uuid($b) => $body,
            Self::Date32($b) => $body,
            Self::Time($b) => $body,
            Self::Duration($b) => $body,
            Self::Timestamp($b, _) => $body,
            Self::TimestampNs($b, _) => $body,
        }
    };
}

impl ColumnBuilder {
    /// A builder for a type of the closed set.
    ///
    /// # Errors
    /// `Internal` for any other type.
    pub fn new(data_type: &DataType) -> Result<Self> {
        use DataType as T;
        let instant = |zone: &Option<Arc<str>>| zone.as_deref() == Some(UTC);
        Ok(match data_type {
            T::Boolean => Self::Boolean(BooleanBuilder::new()),
            T::Int8 => Self::Int8(Int8Builder::new()),
            T::Int16 => Self::Int16(Int16Builder::new()),
            T::Int32 => Self::Int32(Int32Builder::new()),
            T::Int64 => Self::Int64(Int64Builder::new()),
            T::UInt8 => Self::UInt8(UInt8Builder::new()),
            T::UInt16 => Self::UInt16(UInt16Builder::new()),
            T::UInt32 => Self::UInt32(UInt32Builder::new()),
            T::UInt64 => Self::UInt64(UInt64Builder::new()),
            T::Float32 => Self::Float32(Float32Builder::new()),
            T::Float64 => Self::Float64(Float64Builder::new()),
            T::Decimal128(p, s) => Self::Decimal128(Decimal128Builder::new().with_data_type(data_type.clone()), *p, *s),
            T::Decimal256(p, s) => Self::Decimal256(Decimal256Builder::new().with_data_type(data_type.clone()), *p, *s),
            T::Utf8 => Self::Utf8(StringBuilder::new()),
            T::Binary => Self::Binary(BinaryBuilder::new()),
            T::FixedSizeBinary(16) => Self::Uuid(FixedSizeBinaryBuilder::new(16)),
            T::Date32 => Self::Date32(Date32Builder::new()),
            T::Time64(TimeUnit::Microsecond) => Self::Time(Time64MicrosecondBuilder::new()),
            T::Duration(TimeUnit::Microsecond) => Self::Duration(DurationMicrosecondBuilder::new()),
            T::Timestamp(TimeUnit::Microsecond, zone) => {
                Self::Timestamp(TimestampMicrosecondBuilder::new().with_data_type(data_type.clone()), instant(zone))
            }
            T::Timestamp(TimeUnit::Nanosecond, zone) => {
                Self::TimestampNs(TimestampNanosecondBuilder::new().with_data_type(data_type.clone()), instant(zone))
            }
            other => return Err(Error::new(ErrorKind::Internal, format!("no column of type {other} can be built"))),
        })
    }

    /// Rows so far.
    pub fn len(&self) -> usize {
        each!(self, b => b.len())
    }

    /// Whether there are no rows yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends NULL.
    pub fn push_null(&mut self) {
        each!(self, b => b.append_null());
    }

    /// The finished column; the builder starts anew.
    pub fn finish(&mut self) -> ArrayRef {
        each!(self, b => Arc::new(b.finish()))
    }

    /// Appends the value a text denotes. On an error nothing is appended.
    ///
    /// # Errors
    /// Why the text is not a value of this type, as the end of a sentence that starts with the value.
    pub fn push_text(&mut self, value: &str) -> std::result::Result<(), &'static str> {
        macro_rules! integer {
            ($b:expr, $type:ty) => {
                $b.append_value(value.trim_ascii().parse::<$type>().map_err(|e| integer_reason(&e))?)
            };
        }
        match self {
            Self::Utf8(b) => b.append_value(value),
            Self::Int8(b) => integer!(b, i8),
            Self::Int16(b) => integer!(b, i16),
            Self::Int32(b) => integer!(b, i32),
            Self::Int64(b) => integer!(b, i64),
            Self::UInt8(b) => integer!(b, u8),
            Self::UInt16(b) => integer!(b, u16),
            Self::UInt32(b) => integer!(b, u32),
            Self::UInt64(b) => integer!(b, u64),
            Self::Boolean(b) => b.append_value(parse_bool(value.trim_ascii()).ok_or("is not true or false")?),
            Self::Float32(b) => {
                let parsed: f32 = value.trim_ascii().parse().map_err(|_| "is not a number")?;
                check_float(value, f64::from(parsed))?;
                b.append_value(parsed);
            }
            Self::Float64(b) => {
                let parsed: f64 = value.trim_ascii().parse().map_err(|_| "is not a number")?;
                check_float(value, parsed)?;
                b.append_value(parsed);
            }
            Self::Decimal128(b, p, s) => {
                let unscaled = decimal_digits(value.trim_ascii(), *p, *s)?;
                b.append_value(unscaled.parse().map_err(|_| "has too many digits")?);
            }
            Self::Decimal256(b, p, s) => {
                let unscaled = decimal_digits(value.trim_ascii(), *p, *s)?;
                let parsed = <Decimal256Type as arrow_array::types::ArrowPrimitiveType>::Native::from_string(&unscaled);
                b.append_value(parsed.ok_or("has too many digits")?);
            }
            Self::Binary(b) => match value.strip_prefix("\\x").map(text::parse_hex) {
                Some(Some(bytes)) => b.append_value(bytes),
                _ => return Err("is not `\\x` and pairs of hex digits"),
            },
            Self::Uuid(b) => {
                let bytes = text::parse_uuid(value.trim_ascii()).ok_or("is not a UUID")?;
                b.append_value(bytes).map_err(|_| "is not a UUID")?;
            }
            Self::Date32(b) => b.append_value(parse_date(value.trim_ascii())?),
            Self::Time(b) => {
                let ns = text::parse_time(value.trim_ascii()).ok_or("is not a time of day (HH:MM:SS)")?;
                b.append_value(whole_micros(ns)?);
            }
            Self::Duration(b) => {
                let us = text::parse_duration(value.trim_ascii()).ok_or("is not a duration (H:MM:SS)")?;
                b.append_value(us);
            }
            Self::Timestamp(b, instant) => {
                let (seconds, nanos) = parse_timestamp(value.trim_ascii(), *instant)?;
                let us = seconds.checked_mul(1_000_000).ok_or("is out of range")?;
                b.append_value(us.checked_add(whole_micros(i64::from(nanos))?).ok_or("is out of range")?);
            }
            Self::TimestampNs(b, instant) => {
                let (seconds, nanos) = parse_timestamp(value.trim_ascii(), *instant)?;
                let ns = seconds.checked_mul(1_000_000_000).ok_or("is out of range for nanoseconds")?;
                b.append_value(ns.checked_add(i64::from(nanos)).ok_or("is out of range for nanoseconds")?);
            }
        }
        Ok(())
    }
}

fn integer_reason(error: &std::num::ParseIntError) -> &'static str {
    use std::num::IntErrorKind as Kind;
    match error.kind() {
        Kind::PosOverflow | Kind::NegOverflow => "is out of range",
        _ => "is not a whole number",
    }
}

fn parse_bool(text: &str) -> Option<bool> {
    let is = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is(&["true", "t", "1", "yes", "y", "on"]) {
        Some(true)
    } else if is(&["false", "f", "0", "no", "n", "off"]) {
        Some(false)
    } else {
        None
    }
}

/// Refuses numbers that the parser turned into zero or infinity.
fn check_float(text: &str, parsed: f64) -> std::result::Result<(), &'static str> {
    let mantissa = text.split(['e', 'E']).next().unwrap_or(text);
    let digit = |wanted: fn(u8) -> bool| mantissa.bytes().any(wanted);
    if parsed == 0.0 && digit(|b| matches!(b, b'1'..=b'9')) {
        return Err("is too small for the type");
    }
    if parsed.is_infinite() && digit(|b| b.is_ascii_digit()) {
        return Err("is out of range");
    }
    Ok(())
}

/// The unscaled integer of a decimal text at a scale, checked against the precision.
fn decimal_digits(text: &str, precision: u8, scale: i8) -> std::result::Result<String, &'static str> {
    let (negative, mut digits, has) = text::parse_decimal(text).ok_or("is not a decimal number")?;
    if digits == "0" {
        return Ok(digits);
    }
    let shift = i32::from(scale) - has;
    if shift >= 0 {
        if digits.len() as i64 + i64::from(shift) > i64::from(precision) {
            return Err("has too many digits");
        }
        digits.extend(std::iter::repeat_n('0', shift as usize));
    } else {
        let cut = digits.len().saturating_sub(shift.unsigned_abs() as usize);
        if shift.unsigned_abs() as usize > digits.len() || digits[cut..].bytes().any(|b| b != b'0') {
            return Err("has too many digits after the point");
        }
        digits.truncate(cut);
    }
    if digits.len() > usize::from(precision) {
        return Err("has too many digits");
    }
    Ok(if negative { format!("-{digits}") } else { digits })
}

fn parse_date(text: &str) -> std::result::Result<i32, &'static str> {
    let days = match text::parse_date(text) {
        Some(days) => days,
        None => match text::parse_timestamp(text) {
            Some((seconds, 0, false)) if seconds % 86_400 == 0 => seconds / 86_400,
            _ => return Err("is not a date (YYYY-MM-DD)"),
        },
    };
    i32::try_from(days).map_err(|_| "is out of range")
}

/// A naive text is UTC where an instant is wanted; a text with an offset is no naive time.
fn parse_timestamp(text: &str, instant: bool) -> std::result::Result<(i64, u32), &'static str> {
    if let Some(days) = text::parse_date(text) {
        return Ok((days * 86_400, 0));
    }
    match text::parse_timestamp(text) {
        Some((_, _, true)) if !instant => Err("has a time zone, which the type does not keep"),
        Some((seconds, nanos, _)) => Ok((seconds, nanos)),
        None => Err("is not a timestamp (YYYY-MM-DDTHH:MM:SS)"),
    }
}

fn whole_micros(nanos: i64) -> std::result::Result<i64, &'static str> {
    if nanos % 1000 == 0 { Ok(nanos / 1000) } else { Err("is finer than a microsecond") }
}

const _: () = assert!(Decimal128Type::MAX_PRECISION == 38 && Decimal256Type::MAX_PRECISION == 76);
