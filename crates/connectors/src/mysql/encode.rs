//! Columns into the text that LOAD DATA reads (fields ended by tabs, lines by newlines, backslash escapes, `\N` for
//! NULL; MySQL manual, "LOAD DATA"), each value checked against its column, because LOAD DATA LOCAL bends what does not
//! fit.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Decimal256Type, DurationMicrosecondType, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, Time64MicrosecondType, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{
    Array, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Decimal256Array, FixedSizeBinaryArray,
    PrimitiveArray, RecordBatch, StringArray,
};
use arrow_schema::{DataType, TimeUnit};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::text;

/// How the values of a column are written, and what they must keep to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoding {
    /// The column's name.
    pub name: String,
    /// Whether NULL is refused.
    pub not_null: bool,
    /// The form of its values.
    pub form: Form,
}

/// The form of a column's values in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// Numbers, dates, UUIDs: as they print.
    Plain,
    /// Text with limits.
    Text(TextLimits),
    /// Hex digits, for UNHEX at the server; at most this many bytes.
    Hex {
        /// The most bytes a value has.
        bytes_max: Option<usize>,
        /// The exact number of bytes of BINARY, which pads what is shorter.
        bytes_exact: Option<usize>,
    },
    /// WKB as hex digits, for ST_GeomFromWKB at the server.
    Geometry,
    /// `0` and `1`, of this width.
    Bits(usize),
    /// A year in four digits: the server reads fewer as a year of this century.
    Year,
    /// A time of day, duration or point in time with this many digits after the second's point.
    Time {
        /// Digits kept.
        digits: u32,
        /// The first and last microsecond allowed.
        range: (i64, i64),
    },
}

/// What a text must keep to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextLimits {
    /// The most characters.
    pub chars_max: Option<usize>,
    /// The most bytes.
    pub bytes_max: Option<usize>,
    /// Only characters of up to three bytes (utf8mb3).
    pub basic_plane: bool,
    /// A JSON document.
    pub json: bool,
    /// Blanks at the end get lost (CHAR).
    pub trims: bool,
    /// The labels of an ENUM or SET; the server would also take a label of another case, or a number.
    pub labels: Option<Vec<String>>,
    /// Any number of labels, in their order, parted by commas (SET).
    pub many_labels: bool,
    /// No text is the ENUM's value of number 0.
    pub zero_label: bool,
    /// A date or time as the server prints it, which may be none.
    pub any_date: bool,
}

impl Form {
    /// The expression that makes the column's value of a variable, where LOAD DATA cannot store the text itself.
    pub fn expression(&self, variable: &str) -> Option<String> {
        match self {
            Self::Hex { .. } => Some(format!("UNHEX({variable})")),
            // MariaDB makes NULL of what is no geometry without a word: the cast gives the warning.
            Self::Geometry => Some(format!(
                "ST_GeomFromWKB(UNHEX(IF({variable} IS NOT NULL AND ST_GeomFromWKB(UNHEX({variable})) IS NULL, \
                 CAST(CONCAT('no geometry: ', {variable}) AS SIGNED), {variable})))"
            )),
            Self::Bits(_) => Some(format!("CAST(CONV({variable}, 2, 10) AS UNSIGNED)")),
            _ => None,
        }
    }
}

/// Why a value cannot be stored, as the end of a sentence that starts with the value.
pub type Reason = String;

/// Rows as text, and where each ends.
#[derive(Default)]
pub struct Encoded {
    /// The text.
    pub bytes: Vec<u8>,
    /// The end of each row in `bytes`.
    pub ends: Vec<usize>,
    /// The row's number in its batch.
    pub rows: Vec<usize>,
    /// Rows that do not fit: number, column, reason.
    pub bad: Vec<(usize, String, Reason)>,
}

/// Writes a batch whose columns are those of `encodings`.
///
/// # Errors
/// `Internal` where they are not.
pub fn encode(batch: &RecordBatch, encodings: &[Encoding]) -> Result<Encoded> {
    if batch.num_columns() != encodings.len() {
        return Err(Error::new(ErrorKind::Internal, "a batch has other columns than the load"));
    }
    let mut columns = Vec::with_capacity(encodings.len());
    for (array, encoding) in batch.columns().iter().zip(encodings) {
        columns.push((Values::of(array.as_ref())?, array.nulls(), encoding));
    }
    let mut out = Encoded::default();
    out.bytes.reserve(batch.num_rows() * encodings.len() * 10);
    out.ends.reserve(batch.num_rows());
    'rows: for row in 0..batch.num_rows() {
        let start = out.bytes.len();
        for (index, (values, nulls, encoding)) in columns.iter().enumerate() {
            if index > 0 {
                out.bytes.push(b'\t');
            }
            let written = if nulls.is_some_and(|nulls| nulls.is_null(row)) {
                out.bytes.extend_from_slice(b"\\N");
                if encoding.not_null { Err("NULL is not allowed in this column".to_owned()) } else { Ok(()) }
            } else {
                values.write(row, &encoding.form, &mut out.bytes)
            };
            if let Err(reason) = written {
                out.bytes.truncate(start);
                out.bad.push((row, encoding.name.clone(), reason));
                continue 'rows;
            }
        }
        out.bytes.push(b'\n');
        out.ends.push(out.bytes.len());
        out.rows.push(row);
    }
    Ok(out)
}

/// A column with its type known.
enum Values<'a> {
    Boolean(&'a BooleanArray),
    Int8(&'a PrimitiveArray<Int8Type>),
    Int16(&'a PrimitiveArray<Int16Type>),
    Int32(&'a PrimitiveArray<Int32Type>),
    Int64(&'a PrimitiveArray<Int64Type>),
    UInt8(&'a PrimitiveArray<UInt8Type>),
    UInt16(&'a PrimitiveArray<UInt16Type>),
    UInt32(&'a PrimitiveArray<UInt32Type>),
    UInt64(&'a PrimitiveArray<UInt64Type>),
    Float32(&'a PrimitiveArray<Float32Type>),
    Float64(&'a PrimitiveArray<Float64Type>),
    Decimal128(&'a Decimal128Array, i8),
    Decimal256(&'a Decimal256Array, i8),
    Utf8(&'a StringArray),
    Binary(&'a BinaryArray),
    Uuid(&'a FixedSizeBinaryArray),
    Date(&'a Date32Array),
    Time(&'a PrimitiveArray<Time64MicrosecondType>),
    Duration(&'a PrimitiveArray<DurationMicrosecondType>),
    Timestamp(&'a PrimitiveArray<TimestampMicrosecondType>),
}

impl<'a> Values<'a> {
    fn of(array: &'a dyn Array) -> Result<Self> {
        use DataType as T;
        Ok(match array.data_type() {
            T::Boolean => Self::Boolean(array.as_boolean()),
            T::Int8 => Self::Int8(array.as_primitive()),
            T::Int16 => Self::Int16(array.as_primitive()),
            T::Int32 => Self::Int32(array.as_primitive()),
            T::Int64 => Self::Int64(array.as_primitive()),
            T::UInt8 => Self::UInt8(array.as_primitive()),
            T::UInt16 => Self::UInt16(array.as_primitive()),
            T::UInt32 => Self::UInt32(array.as_primitive()),
            T::UInt64 => Self::UInt64(array.as_primitive()),
            T::Float32 => Self::Float32(array.as_primitive()),
            T::Float64 => Self::Float64(array.as_primitive()),
            T::Decimal128(_, scale) => Self::Decimal128(array.as_primitive::<Decimal128Type>(), *scale),
            T::Decimal256(_, scale) => Self::Decimal256(array.as_primitive::<Decimal256Type>(), *scale),
            T::Utf8 => Self::Utf8(array.as_string()),
            T::Binary => Self::Binary(array.as_binary()),
            T::FixedSizeBinary(16) => Self::Uuid(array.as_fixed_size_binary()),
            T::Date32 => Self::Date(array.as_primitive::<Date32Type>()),
            T::Time64(TimeUnit::Microsecond) => Self::Time(array.as_primitive()),
            T::Duration(TimeUnit::Microsecond) => Self::Duration(array.as_primitive()),
            T::Timestamp(TimeUnit::Microsecond, _) => Self::Timestamp(array.as_primitive()),
            other => return Err(Error::new(ErrorKind::Internal, format!("a column of {other} was not asked for"))),
        })
    }

    fn write(&self, row: usize, form: &Form, out: &mut Vec<u8>) -> std::result::Result<(), Reason> {
        match (self, form) {
            (Self::Int32(a), _) => integer(out, a.value(row)),
            (Self::Int64(a), _) => integer(out, a.value(row)),
            (Self::Int16(a), Form::Year) => return write_year(out, a.value(row)),
            (Self::Utf8(a), Form::Text(limits)) => return write_text(out, a.value(row), limits),
            (Self::Utf8(a), Form::Bits(width)) => return write_bits(out, a.value(row), *width),
            (Self::Decimal128(a, scale), _) => write_decimal(out, a.value(row), *scale),
            (Self::Date(a), _) => write_date(out, i64::from(a.value(row)))?,
            (Self::Timestamp(a), Form::Time { digits, range }) => {
                let us = a.value(row);
                check_time(us, *digits, *range)?;
                write_date(out, us.div_euclid(text::DAY_US))?;
                out.push(b' ');
                write_clock(out, us.rem_euclid(text::DAY_US));
            }
            (Self::Time(a), Form::Time { digits, range }) => {
                check_time(a.value(row), *digits, *range)?;
                write_clock(out, a.value(row));
            }
            (Self::Duration(a), Form::Time { digits, range }) => {
                let us = a.value(row);
                check_time(us, *digits, *range)?;
                if us < 0 {
                    out.push(b'-');
                }
                write_clock(out, us.abs());
            }
            (Self::Float64(a), _) => write_float(out, a.value(row))?,
            // Every f32 is an f64: printed as such, it is read back to itself whatever the server's rounding.
            (Self::Float32(a), _) => write_float(out, f64::from(a.value(row)))?,
            (Self::Binary(a), Form::Hex { bytes_max, bytes_exact }) => {
                let bytes = a.value(row);
                if bytes_max.is_some_and(|max| bytes.len() > max) {
                    return Err(format!("a value of {} bytes is too long for the column", bytes.len()));
                }
                if bytes_exact.is_some_and(|exact| bytes.len() != exact) {
                    return Err(format!("a value of {} bytes would be padded with zero bytes", bytes.len()));
                }
                write_hex(out, bytes);
            }
            (Self::Binary(a), Form::Geometry) => write_hex(out, a.value(row)),
            (Self::Boolean(a), _) => out.push(if a.value(row) { b'1' } else { b'0' }),
            (Self::Int8(a), _) => integer(out, a.value(row)),
            (Self::Int16(a), _) => integer(out, a.value(row)),
            (Self::UInt8(a), _) => integer(out, a.value(row)),
            (Self::UInt16(a), _) => integer(out, a.value(row)),
            (Self::UInt32(a), _) => integer(out, a.value(row)),
            (Self::UInt64(a), _) => integer(out, a.value(row)),
            (Self::Decimal256(a, scale), _) => {
                let mut number = String::new();
                text::write_decimal(&mut number, &a.value(row).to_string(), *scale);
                out.extend_from_slice(number.as_bytes());
            }
            (Self::Uuid(a), _) => {
                let mut uuid = String::with_capacity(36);
                text::write_uuid(&mut uuid, a.value(row));
                out.extend_from_slice(uuid.as_bytes());
            }
            _ => return Err("the value cannot be written into a column of this type".to_owned()),
        }
        Ok(())
    }
}

fn integer(out: &mut Vec<u8>, number: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

fn write_decimal(out: &mut Vec<u8>, unscaled: i128, scale: i8) {
    let scale = usize::from(scale.unsigned_abs());
    if unscaled < 0 {
        out.push(b'-');
    }
    let mut buffer = itoa::Buffer::new();
    let magnitude = unscaled.unsigned_abs();
    let digits = u64::try_from(magnitude).map_or_else(|_| magnitude.to_string(), |n| buffer.format(n).to_owned());
    if scale == 0 {
        return out.extend_from_slice(digits.as_bytes());
    }
    let whole = digits.len().saturating_sub(scale);
    out.extend_from_slice(if whole == 0 { b"0" } else { &digits.as_bytes()[..whole] });
    out.push(b'.');
    out.extend(std::iter::repeat_n(b'0', scale.saturating_sub(digits.len())));
    out.extend_from_slice(&digits.as_bytes()[whole..]);
}

fn write_float(out: &mut Vec<u8>, number: f64) -> std::result::Result<(), Reason> {
    if !number.is_finite() {
        let mut name = String::new();
        text::write_f64(&mut name, number);
        return Err(format!("{name} cannot be stored: the server has no such number"));
    }
    let mut buffer = zmij::Buffer::new();
    out.extend_from_slice(buffer.format_finite(number).as_bytes());
    Ok(())
}

fn write_year(out: &mut Vec<u8>, year: i16) -> std::result::Result<(), Reason> {
    if year != 0 && !(1901..=2155).contains(&year) {
        return Err("a YEAR is 0 or 1901 to 2155".to_owned());
    }
    two(out, i64::from(year / 100));
    two(out, i64::from(year % 100));
    Ok(())
}

fn write_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.reserve(bytes.len() * 2);
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}

fn two(out: &mut Vec<u8>, number: i64) {
    out.push(b'0' + (number / 10 % 10) as u8);
    out.push(b'0' + (number % 10) as u8);
}

fn write_date(out: &mut Vec<u8>, days: i64) -> std::result::Result<(), Reason> {
    let (year, month, day) = text::civil_from_days(days);
    if !(1..=9999).contains(&year) {
        let mut date = String::new();
        text::write_date(&mut date, days);
        return Err(format!("{date} is outside the years 1 to 9999"));
    }
    two(out, year / 100);
    two(out, year % 100);
    out.push(b'-');
    two(out, i64::from(month));
    out.push(b'-');
    two(out, i64::from(day));
    Ok(())
}

fn write_clock(out: &mut Vec<u8>, us: i64) {
    let (seconds, fraction) = (us / 1_000_000, us % 1_000_000);
    if seconds >= 360_000 {
        integer(out, seconds / 3600);
    } else {
        two(out, seconds / 3600);
    }
    out.push(b':');
    two(out, seconds / 60 % 60);
    out.push(b':');
    two(out, seconds % 60);
    if fraction != 0 {
        out.push(b'.');
        two(out, fraction / 10_000);
        two(out, fraction / 100 % 100);
        two(out, fraction % 100);
    }
}

fn check_time(us: i64, digits: u32, range: (i64, i64)) -> std::result::Result<(), Reason> {
    if us < range.0 || us > range.1 {
        return Err("a time is outside the range of the column's type".to_owned());
    }
    if digits < 6 && us % 10_i64.pow(6 - digits) != 0 {
        return Err(format!("a time is finer than the {digits} digits after the second's point that the column keeps"));
    }
    Ok(())
}

fn write_bits(out: &mut Vec<u8>, bits: &str, width: usize) -> std::result::Result<(), Reason> {
    if bits.len() != width || !bits.bytes().all(|b| matches!(b, b'0' | b'1')) {
        return Err(format!("the value is not {width} digits 0 or 1"));
    }
    out.extend_from_slice(bits.as_bytes());
    Ok(())
}

fn write_text(out: &mut Vec<u8>, value: &str, limits: &TextLimits) -> std::result::Result<(), Reason> {
    if let Some(max) = limits.chars_max
        && value.len() > max
        && value.chars().count() > max
    {
        return Err(format!("a text of {} characters is longer than the column's {max}", value.chars().count()));
    }
    if limits.bytes_max.is_some_and(|max| value.len() > max) {
        return Err(format!("a text of {} bytes is too long for the column", value.len()));
    }
    if limits.basic_plane && value.bytes().any(|b| b >= 0xf0) {
        return Err(
            "a text has a character of four bytes, which the column's character set utf8mb3 does not have".to_owned()
        );
    }
    if limits.trims && value.ends_with(' ') {
        return Err("a text ends with a blank, which a CHAR column does not keep".to_owned());
    }
    if limits.zero_label && value.is_empty() {
        // no label is called so, and what is none of them and a number is that one's number
        out.push(b'0');
        return Ok(());
    }
    if let Some(labels) = &limits.labels
        && !is_of_labels(value, labels, limits.many_labels)
    {
        return Err("the value is not one of the column's labels".to_owned());
    }
    if limits.json && serde_json::from_str::<serde::de::IgnoredAny>(value).is_err() {
        return Err("the value is not a JSON document".to_owned());
    }
    let mut rest = value.as_bytes();
    while let Some(at) = memchr::memchr3(b'\\', b'\t', b'\n', rest) {
        out.extend_from_slice(&rest[..at]);
        out.push(b'\\');
        out.push(match rest[at] {
            b'\t' => b't',
            b'\n' => b'n',
            _ => b'\\',
        });
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    Ok(())
}

fn is_of_labels(value: &str, labels: &[String], many: bool) -> bool {
    if !many {
        return labels.iter().any(|label| label == value);
    }
    let mut rest = labels.iter();
    value.is_empty() || value.split(',').all(|part| rest.any(|label| label == part))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn text_of(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn values_print_as_the_server_reads_them() {
        assert_eq!(text_of(|out| write_decimal(out, -5, 2)), "-0.05");
        assert_eq!(text_of(|out| write_decimal(out, 10_i128.pow(37), 0)), format!("1{}", "0".repeat(37)));
        assert_eq!(text_of(|out| write_clock(out, 838 * 3_600_000_000 + 1)), "838:00:00.000001");
        assert_eq!(text_of(|out| write_date(out, 0).unwrap()), "1970-01-01");
        assert_eq!(text_of(|out| write_text(out, "a\tb\\N\nc\0", &TextLimits::default()).unwrap()), "a\\tb\\\\N\\nc\0");
        assert!(write_date(&mut Vec::new(), -719_529).is_err());
    }

    #[test]
    fn what_would_be_bent_is_refused() {
        let limits = TextLimits { chars_max: Some(2), basic_plane: true, ..TextLimits::default() };
        assert!(write_text(&mut Vec::new(), "éé", &limits).is_ok());
        assert!(write_text(&mut Vec::new(), "éée", &limits).is_err());
        assert!(write_text(&mut Vec::new(), "😀", &limits).is_err());
        assert!(write_float(&mut Vec::new(), f64::NAN).is_err());
        assert!(check_time(1, 0, (0, 10)).is_err() && check_time(1, 6, (0, 10)).is_ok());
        assert!(write_bits(&mut Vec::new(), "012", 3).is_err());
    }
}
