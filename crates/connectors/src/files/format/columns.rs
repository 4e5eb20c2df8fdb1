//! Any Arrow column a file can give, as a column of the closed type set: the same value in a type that every connector
//! understands, or a named bad value.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow_array::builder::{PrimitiveBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Date64Type, DurationMicrosecondType, DurationMillisecondType,
    DurationNanosecondType, DurationSecondType, IntervalDayTimeType, IntervalMonthDayNanoType, IntervalYearMonthType,
    Time64MicrosecondType, Time64NanosecondType, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use arrow_array::{Array, ArrayRef, new_null_array};
use arrow_cast::CastOptions;
use arrow_schema::{DataType, IntervalUnit, TimeUnit};
use levada_core::cast::Bad;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::schema::{Logical, UTC};

use super::nested;

const DAY_MS: i64 = 86_400_000;

/// The type of the closed set for a type of Arrow, and what the new column means where its type does not say it.
pub(super) fn canonical_type(data_type: &DataType) -> (DataType, Option<Logical>) {
    use DataType as T;
    let zone = |zone: &Option<Arc<str>>| zone.as_ref().map(|_| Arc::from(UTC));
    let plain = match data_type {
        T::Null => return (T::Utf8, Some(Logical::Untyped)),
        T::Utf8 | T::LargeUtf8 | T::Utf8View => T::Utf8,
        T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_) => T::Binary,
        T::Float16 => T::Float32,
        T::Dictionary(_, value) => return canonical_type(value),
        T::RunEndEncoded(_, value) => return canonical_type(value.data_type()),
        T::Decimal32(p, s) | T::Decimal64(p, s) | T::Decimal128(p, s) | T::Decimal256(p, s) => {
            let precision = i16::from(*p) - i16::from((*s).min(0));
            let (precision, scale) = (precision.unsigned_abs().min(255) as u8, (*s).max(0));
            match precision {
                _ if precision <= 38 && !matches!(data_type, T::Decimal256(..)) => T::Decimal128(precision, scale),
                _ if precision <= 76 => T::Decimal256(precision, scale),
                _ => return (T::Utf8, Some(Logical::Number)),
            }
        }
        T::Date64 => T::Date32,
        T::Time32(_) | T::Time64(_) => T::Time64(TimeUnit::Microsecond),
        T::Duration(_) => T::Duration(TimeUnit::Microsecond),
        T::Timestamp(TimeUnit::Nanosecond, z) => T::Timestamp(TimeUnit::Nanosecond, zone(z)),
        T::Timestamp(_, z) => T::Timestamp(TimeUnit::Microsecond, zone(z)),
        T::Interval(_) => return (T::Utf8, Some(Logical::Interval)),
        T::List(_) | T::LargeList(_) | T::ListView(_) | T::LargeListView(_) | T::FixedSizeList(..) => {
            return (T::Utf8, Some(Logical::Json));
        }
        T::Struct(_) | T::Map(..) | T::Union(..) => return (T::Utf8, Some(Logical::Json)),
        other => other.clone(),
    };
    (plain, None)
}

/// Whether a column of this type can have this meaning; what a file says of itself is checked by it.
pub(super) fn meaning_fits(meaning: Logical, data_type: &DataType) -> bool {
    match meaning {
        Logical::Uuid => *data_type == DataType::FixedSizeBinary(16),
        Logical::Wkb => *data_type == DataType::Binary,
        _ => *data_type == DataType::Utf8,
    }
}

/// The column in its type of the closed set. Values without an exact counterpart are NULL in it and listed.
///
/// # Errors
/// `Data` where a whole column cannot be converted.
pub(super) fn canonical(array: &ArrayRef) -> Result<(ArrayRef, Vec<Bad>)> {
    use DataType as T;
    let from = array.data_type();
    let (to, _) = canonical_type(from);
    if *from == to {
        return Ok((array.clone(), Vec::new()));
    }
    let coarser =
        |by: i64, what: &'static str| move |v: i64| if v % by == 0 { Ok(v.div_euclid(by)) } else { Err(what) };
    let finer = |by: i64| move |v: i64| v.checked_mul(by).ok_or("is out of range for microseconds");
    const FINE: &str = "is finer than a microsecond";
    Ok(match from {
        T::Null => (new_null_array(&to, array.len()), Vec::new()),
        T::Dictionary(_, value) => return canonical(&lossless(array, value)?),
        T::RunEndEncoded(_, value) => return canonical(&lossless(array, value.data_type())?),
        T::Timestamp(TimeUnit::Second, _) => {
            converted::<TimestampSecondType, TimestampMicrosecondType>(array, &to, finer(1_000_000))
        }
        T::Timestamp(TimeUnit::Millisecond, _) => {
            converted::<TimestampMillisecondType, TimestampMicrosecondType>(array, &to, finer(1000))
        }
        T::Timestamp(TimeUnit::Microsecond, _) => {
            (Arc::new(array.as_primitive::<TimestampMicrosecondType>().clone().with_timezone(UTC)), Vec::new())
        }
        T::Timestamp(TimeUnit::Nanosecond, _) => {
            (Arc::new(array.as_primitive::<TimestampNanosecondType>().clone().with_timezone(UTC)), Vec::new())
        }
        T::Date64 => date64(array),
        T::Time64(TimeUnit::Nanosecond) => {
            converted::<Time64NanosecondType, Time64MicrosecondType>(array, &to, coarser(1000, FINE))
        }
        T::Duration(TimeUnit::Second) => {
            converted::<DurationSecondType, DurationMicrosecondType>(array, &to, finer(1_000_000))
        }
        T::Duration(TimeUnit::Millisecond) => {
            converted::<DurationMillisecondType, DurationMicrosecondType>(array, &to, finer(1000))
        }
        T::Duration(_) => converted::<DurationNanosecondType, DurationMicrosecondType>(array, &to, coarser(1000, FINE)),
        T::Interval(unit) => (intervals(array, *unit), Vec::new()),
        T::List(_) | T::LargeList(_) | T::ListView(_) | T::LargeListView(_) | T::FixedSizeList(..) => {
            (nested::json_column(array)?, Vec::new())
        }
        T::Struct(_) | T::Map(..) | T::Union(..) => (nested::json_column(array)?, Vec::new()),
        _ => (lossless(array, &to)?, Vec::new()),
    })
}

/// A conversion in which every value has its exact counterpart.
fn lossless(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    arrow_cast::cast_with_options(array, to, &options)
        .map_err(|error| Error::new(ErrorKind::Data, format!("a column cannot be read as {to}: {error}")))
}

fn converted<F, T>(
    array: &ArrayRef,
    to: &DataType,
    convert: impl Fn(i64) -> std::result::Result<i64, &'static str>,
) -> (ArrayRef, Vec<Bad>)
where
    F: ArrowPrimitiveType<Native = i64>,
    T: ArrowPrimitiveType<Native = i64>,
{
    let array = array.as_primitive::<F>();
    let mut builder = PrimitiveBuilder::<T>::with_capacity(array.len()).with_data_type(to.clone());
    let mut bad = Vec::new();
    for (row, value) in array.iter().enumerate() {
        match value.map(|v| (v, convert(v))) {
            None => builder.append_null(),
            Some((_, Ok(converted))) => builder.append_value(converted),
            Some((value, Err(reason))) => {
                bad.push(Bad { row, reason: format!("{value} {} {reason}", unit(array.data_type())) });
                builder.append_null();
            }
        }
    }
    (Arc::new(builder.finish()), bad)
}

fn unit(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Timestamp(unit, _) | DataType::Time64(unit) | DataType::Duration(unit) => match unit {
            TimeUnit::Second => "s",
            TimeUnit::Millisecond => "ms",
            TimeUnit::Microsecond => "µs",
            TimeUnit::Nanosecond => "ns",
        },
        _ => "",
    }
}

fn date64(array: &ArrayRef) -> (ArrayRef, Vec<Bad>) {
    let array = array.as_primitive::<Date64Type>();
    let mut builder = PrimitiveBuilder::<Date32Type>::with_capacity(array.len());
    let mut bad = Vec::new();
    for (row, value) in array.iter().enumerate() {
        let day = value.map(|ms| (ms, i32::try_from(ms.div_euclid(DAY_MS)).ok().filter(|_| ms % DAY_MS == 0)));
        if let Some((ms, None)) = day {
            bad.push(Bad { row, reason: format!("{ms} ms since 1970-01-01 is not a whole day") });
        }
        builder.append_option(day.and_then(|(_, day)| day));
    }
    (Arc::new(builder.finish()), bad)
}

fn intervals(array: &ArrayRef, unit: IntervalUnit) -> ArrayRef {
    let mut builder = StringBuilder::with_capacity(array.len(), array.len() * 8);
    for row in 0..array.len() {
        if array.is_null(row) {
            builder.append_null();
            continue;
        }
        let (months, days, nanos) = match unit {
            IntervalUnit::YearMonth => (array.as_primitive::<IntervalYearMonthType>().value(row), 0, 0),
            IntervalUnit::DayTime => {
                let value = array.as_primitive::<IntervalDayTimeType>().value(row);
                (0, value.days, i64::from(value.milliseconds) * 1_000_000)
            }
            IntervalUnit::MonthDayNano => {
                let value = array.as_primitive::<IntervalMonthDayNanoType>().value(row);
                (value.months, value.days, value.nanoseconds)
            }
        };
        builder.append_value(interval_text(i64::from(months), i64::from(days), nanos));
    }
    Arc::new(builder.finish())
}

/// An interval as ISO 8601 (`P1Y2M3DT4H5M6.789S`); every part carries its own sign.
pub(super) fn interval_text(months: i64, days: i64, nanos: i64) -> String {
    let mut out = String::from("P");
    let part = |out: &mut String, value: i64, letter: char| {
        if value != 0 {
            let _ = write!(out, "{value}{letter}");
        }
    };
    part(&mut out, months / 12, 'Y');
    part(&mut out, months % 12, 'M');
    part(&mut out, days, 'D');
    let mut clock = String::new();
    let seconds = nanos / 1_000_000_000;
    part(&mut clock, seconds / 3600, 'H');
    part(&mut clock, seconds / 60 % 60, 'M');
    let fraction = (nanos % 1_000_000_000).unsigned_abs();
    if seconds % 60 != 0 || fraction != 0 {
        let sign = if nanos < 0 { "-" } else { "" };
        let _ = write!(clock, "{sign}{}", (seconds % 60).unsigned_abs());
        if fraction != 0 {
            let digits = format!("{fraction:09}");
            let _ = write!(clock, ".{}", digits.trim_end_matches('0'));
        }
        clock.push('S');
    }
    if !clock.is_empty() {
        out.push('T');
        out.push_str(&clock);
    }
    if out == "P" { "PT0S".to_owned() } else { out }
}
