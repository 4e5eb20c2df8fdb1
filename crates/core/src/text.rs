//! The canonical text of a value: what CSV and JSON files hold, what a text fallback stores, and what reads back to the
//! same value. Numbers are plain decimal, floats the shortest text that reads back, times ISO 8601 (RFC 3339 with `Z`
//! for instants, astronomical years), bytes `\x` and hex, UUIDs lower case with hyphens.

use std::fmt::Write as _;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Decimal256Type, DurationMicrosecondType, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, Time64MicrosecondType, TimestampMicrosecondType, TimestampNanosecondType, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, TimeUnit};

/// Microseconds in a day.
pub const DAY_US: i64 = 86_400_000_000;

/// Appends the canonical text of one value; nothing for NULL or a type outside the closed set.
pub fn write_value(out: &mut String, array: &dyn Array, row: usize) {
    use DataType as T;
    if array.is_null(row) {
        return;
    }
    macro_rules! plain {
        ($($name:ident => $type:ty),*) => {
            match array.data_type() {
                $(T::$name => { let _ = write!(out, "{}", array.as_primitive::<$type>().value(row)); })*
                _ => {}
            }
        };
    }
    match array.data_type() {
        T::Utf8 => out.push_str(array.as_string::<i32>().value(row)),
        T::Boolean => out.push_str(if array.as_boolean().value(row) { "true" } else { "false" }),
        T::Float32 => write_f32(out, array.as_primitive::<Float32Type>().value(row)),
        T::Float64 => write_f64(out, array.as_primitive::<Float64Type>().value(row)),
        T::Decimal128(_, scale) => {
            write_decimal(out, &array.as_primitive::<Decimal128Type>().value(row).to_string(), *scale);
        }
        T::Decimal256(_, scale) => {
            write_decimal(out, &array.as_primitive::<Decimal256Type>().value(row).to_string(), *scale);
        }
        T::Binary => write_hex(out, array.as_binary::<i32>().value(row)),
        T::FixedSizeBinary(16) => write_uuid(out, array.as_fixed_size_binary().value(row)),
        T::Date32 => write_date(out, i64::from(array.as_primitive::<Date32Type>().value(row))),
        T::Time64(_) => write_time(out, array.as_primitive::<Time64MicrosecondType>().value(row)),
        T::Duration(_) => write_duration(out, array.as_primitive::<DurationMicrosecondType>().value(row)),
        T::Timestamp(TimeUnit::Nanosecond, zone) => {
            let ns = array.as_primitive::<TimestampNanosecondType>().value(row);
            write_date(out, ns.div_euclid(DAY_US * 1000));
            write_clock(out, ns.rem_euclid(DAY_US * 1000), zone.is_some());
        }
        T::Timestamp(_, zone) => {
            let us = array.as_primitive::<TimestampMicrosecondType>().value(row);
            write_timestamp(out, us, zone.is_some());
        }
        _ => plain!(Int8 => Int8Type, Int16 => Int16Type, Int32 => Int32Type, Int64 => Int64Type, UInt8 => UInt8Type,
            UInt16 => UInt16Type, UInt32 => UInt32Type, UInt64 => UInt64Type),
    }
}

/// The canonical text of one value, or `None` for NULL.
pub fn value(array: &dyn Array, row: usize) -> Option<String> {
    (!array.is_null(row)).then(|| {
        let mut text = String::new();
        write_value(&mut text, array, row);
        text
    })
}

/// One row as a JSON object of canonical texts, for [`crate::batch::Reject::row`].
pub fn row_json(batch: &RecordBatch, row: usize) -> String {
    let object: serde_json::Map<String, serde_json::Value> = batch
        .schema_ref()
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, column)| (field.name().clone(), value(column, row).into()))
        .collect();
    serde_json::Value::Object(object).to_string()
}

/// A time for people: `1h02m`, `3m04s`, `12s`, `0.3s`.
pub fn seconds(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..10 => format!("{seconds:.1}s"),
        10..60 => format!("{whole}s"),
        60..3600 => format!("{}m{:02}s", whole / 60, whole % 60),
        _ => format!("{}h{:02}m", whole / 3600, whole % 3600 / 60),
    }
}

/// A count with what it counts, for words that take an `s`: `0 rows`, `1 row`, `2 rows`.
pub fn counted(count: u64, what: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {what}{ending}")
}

/// Shortest text that reads back to the same `f64`; `NaN`, `Infinity`, `-Infinity`.
pub fn write_f64(out: &mut String, value: f64) {
    let magnitude = value.abs();
    let _ = if value.is_nan() {
        out.write_str("NaN")
    } else if value.is_infinite() {
        out.write_str(if value > 0.0 { "Infinity" } else { "-Infinity" })
    } else if magnitude == 0.0 || (1e-5..1e16).contains(&magnitude) {
        write!(out, "{value}")
    } else {
        write!(out, "{value:e}")
    };
}

/// Shortest text that reads back to the same `f32`.
pub fn write_f32(out: &mut String, value: f32) {
    let magnitude = value.abs();
    let _ = if !value.is_finite() {
        return write_f64(out, f64::from(value));
    } else if magnitude == 0.0 || (1e-5..1e16).contains(&magnitude) {
        write!(out, "{value}")
    } else {
        write!(out, "{value:e}")
    };
}

/// A decimal from the digits of its unscaled integer.
pub fn write_decimal(out: &mut String, unscaled: &str, scale: i8) {
    let (sign, digits) = unscaled.strip_prefix('-').map_or(("", unscaled), |digits| ("-", digits));
    out.push_str(sign);
    if scale <= 0 {
        out.push_str(digits);
        if digits != "0" {
            out.extend(std::iter::repeat_n('0', usize::from(scale.unsigned_abs())));
        }
        return;
    }
    let scale = usize::from(scale.unsigned_abs());
    let whole = digits.len().saturating_sub(scale);
    out.push_str(if whole == 0 { "0" } else { &digits[..whole] });
    out.push('.');
    out.extend(std::iter::repeat_n('0', scale.saturating_sub(digits.len())));
    out.push_str(&digits[whole..]);
}

/// `\x` and lower-case hex, as PostgreSQL prints `bytea`.
pub fn write_hex(out: &mut String, bytes: &[u8]) {
    out.push_str("\\x");
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
}

/// Lower-case UUID with hyphens; `bytes` has 16.
pub fn write_uuid(out: &mut String, bytes: &[u8]) {
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        let _ = write!(out, "{byte:02x}");
    }
}

/// A proleptic Gregorian date from days since 1970-01-01; years before 1 are astronomical (1 BC is `0000`).
pub fn write_date(out: &mut String, days: i64) {
    let (year, month, day) = civil_from_days(days);
    let sign = if year < 0 { "-" } else { "" };
    let _ = write!(out, "{sign}{:04}-{month:02}-{day:02}", year.abs());
}

/// Time of day from microseconds since midnight.
pub fn write_time(out: &mut String, us: i64) {
    let (seconds, fraction) = (us / 1_000_000, us % 1_000_000);
    let _ = write!(out, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if fraction != 0 {
        let digits = format!("{fraction:06}");
        let _ = write!(out, ".{}", digits.trim_end_matches('0'));
    }
}

/// `[-]H..:MM:SS[.ffffff]` from microseconds.
pub fn write_duration(out: &mut String, us: i64) {
    if us < 0 {
        out.push('-');
    }
    let us = us.unsigned_abs();
    let (seconds, fraction) = (us / 1_000_000, us % 1_000_000);
    let _ = write!(out, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if fraction != 0 {
        let digits = format!("{fraction:06}");
        let _ = write!(out, ".{}", digits.trim_end_matches('0'));
    }
}

/// A timestamp from microseconds since 1970-01-01T00:00:00, with `Z` if it is an instant.
pub fn write_timestamp(out: &mut String, us: i64, instant: bool) {
    write_date(out, us.div_euclid(DAY_US));
    write_clock(out, us.rem_euclid(DAY_US) * 1000, instant);
}

fn write_clock(out: &mut String, ns: i64, instant: bool) {
    out.push('T');
    write_time(out, ns / 1000);
    let nanos = ns % 1000;
    if nanos != 0 {
        if ns / 1000 % 1_000_000 == 0 {
            out.push_str(".000000");
        } else {
            let have = out.rsplit('.').next().map_or(0, str::len);
            out.extend(std::iter::repeat_n('0', 6 - have));
        }
        let _ = write!(out, "{nanos:03}");
    }
    if instant {
        out.push('Z');
    }
}

/// Year, month, day of days since 1970-01-01 (Howard Hinnant, "chrono-compatible low-level date algorithms").
pub fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = (doy - (153 * mp + 2) / 5 + 1) as u32;
    let month = if mp < 10 { mp + 3 } else { mp - 9 } as u32;
    (yoe + era * 400 + i64::from(month <= 2), month, day)
}

/// Days since 1970-01-01, or `None` for a date that does not exist.
pub fn days_from_civil(year: i64, month: u32, day: u32) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if day == 0 || day > length || year.abs() > 6_000_000 {
        return None;
    }
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let mp = i64::from((month + 9) % 12);
    let doy = (153 * mp + 2) / 5 + i64::from(day) - 1;
    Some(era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468)
}

/// Days since 1970-01-01 of `[-]YYYY-MM-DD` (year of four to seven digits).
pub fn parse_date(text: &str) -> Option<i64> {
    let (negative, body) = text.strip_prefix('-').map_or((false, text), |body| (true, body));
    let mut parts = body.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || !(4..=7).contains(&year.len()) || month.len() != 2 || day.len() != 2 {
        return None;
    }
    let year = i64::try_from(digits(year)?).ok()?;
    days_from_civil(if negative { -year } else { year }, digits(month)? as u32, digits(day)? as u32)
}

/// Nanoseconds since midnight of `HH:MM[:SS[.fffffffff]]`, up to 24:00:00.
pub fn parse_time(text: &str) -> Option<i64> {
    let (ns, hours) = parse_clock(text)?;
    (hours < 24 || ns == DAY_US * 1000).then_some(ns)
}

/// Microseconds of `[-]H..:MM:SS[.ffffff]`, or of an ISO 8601 interval of hours, minutes and seconds alone
/// (`PT838H59M59S`, `PT-1.5S`); days and months have no fixed length.
pub fn parse_duration(text: &str) -> Option<i64> {
    if let Some(parts) = text.strip_prefix("PT") {
        return parse_iso_duration(parts);
    }
    let (negative, body) = text.strip_prefix('-').map_or((false, text), |body| (true, body));
    let (ns, _) = parse_clock(body)?;
    (ns % 1000 == 0).then_some(if negative { -(ns / 1000) } else { ns / 1000 })
}

fn parse_iso_duration(text: &str) -> Option<i64> {
    let mut us = 0_i64;
    let mut units = [('H', 3_600_000_000_i64), ('M', 60_000_000), ('S', 1_000_000)].into_iter();
    let mut rest = text;
    while !rest.is_empty() {
        let at = rest.find(['H', 'M', 'S'])?;
        let (number, unit) = (&rest[..at], rest[at..].chars().next()?);
        let (_, factor) = units.find(|(name, _)| *name == unit)?;
        let (negative, digits, scale) = parse_decimal(number).filter(|_| !number.contains(['e', 'E', '+']))?;
        // Only seconds have a fraction.
        let shift = u32::try_from(scale).ok().filter(|scale| *scale <= if unit == 'S' { 6 } else { 0 })?;
        let part = digits.parse::<i64>().ok()?.checked_mul(factor / 10_i64.pow(shift))?;
        us = us.checked_add(if negative { -part } else { part })?;
        rest = &rest[at + 1..];
    }
    (!text.is_empty()).then_some(us)
}

fn parse_clock(text: &str) -> Option<(i64, u64)> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = clock.split(':');
    let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next().unwrap_or("00"));
    let bad_fraction = text.contains('.') && !(1..=9).contains(&fraction.len());
    if parts.next().is_some() || hours.len() > 7 || minutes.len() != 2 || seconds.len() != 2 || bad_fraction {
        return None;
    }
    let (h, m, s) = (digits(hours)?, digits(minutes)?, digits(seconds)?);
    if m > 59 || s > 59 {
        return None;
    }
    let fraction = if fraction.is_empty() { 0 } else { digits(fraction)? * 10_u64.pow(9 - fraction.len() as u32) };
    i64::try_from((h * 3600 + m * 60 + s) * 1_000_000_000 + fraction).ok().map(|ns| (ns, h))
}

/// A timestamp: seconds since 1970-01-01T00:00:00 and nanoseconds, and whether it named its offset (`Z`, `+01:00`,
/// `+0100`, `+01`), which is then already subtracted. Date and time are parted by `T` or a blank.
pub fn parse_timestamp(text: &str) -> Option<(i64, u32, bool)> {
    let split = text.char_indices().skip(1).find(|(_, c)| matches!(c, 'T' | 't' | ' '))?.0;
    let days = parse_date(&text[..split])?;
    let rest = &text[split + 1..];
    let (clock, offset) = match rest.find(['Z', 'z', '+', '-']) {
        None => (rest, None),
        Some(at) => (&rest[..at], Some(parse_offset(&rest[at..])?)),
    };
    let ns = parse_time(clock)?;
    let seconds = days * 86_400 + ns.div_euclid(1_000_000_000) - offset.unwrap_or(0);
    Some((seconds, ns.rem_euclid(1_000_000_000) as u32, offset.is_some()))
}

fn parse_offset(text: &str) -> Option<i64> {
    if matches!(text, "Z" | "z") {
        return Some(0);
    }
    let negative = text.starts_with('-');
    let body = text[1..].replace(':', "");
    if !matches!(body.len(), 2 | 4 | 6) {
        return None;
    }
    let part = |range: std::ops::Range<usize>| body.get(range).map_or(Some(0), digits);
    let (h, m, s) = (part(0..2)?, part(2..4)?, part(4..6)?);
    let seconds = i64::try_from(h * 3600 + m * 60 + s).ok()?;
    (h < 24 && m < 60 && s < 60).then_some(if negative { -seconds } else { seconds })
}

fn digits(text: &str) -> Option<u64> {
    (!text.is_empty() && text.len() < 19 && text.bytes().all(|b| b.is_ascii_digit()))
        .then(|| text.bytes().fold(0, |n, b| n * 10 + u64::from(b - b'0')))
}

/// The 16 bytes of a UUID written with or without hyphens or braces, in either case.
pub fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let inner = text.strip_prefix('{').map_or(Some(text), |rest| rest.strip_suffix('}'))?;
    let hyphens_fit = inner.len() == 32
        || (inner.len() == 36 && [8, 13, 18, 23].iter().all(|at| inner.as_bytes().get(*at) == Some(&b'-')));
    let hex: String = inner.chars().filter(|c| *c != '-').collect();
    if !hyphens_fit || hex.len() != 32 {
        return None;
    }
    parse_hex(&hex)?.try_into().ok()
}

/// Bytes from pairs of hex digits.
pub fn parse_hex(text: &str) -> Option<Vec<u8>> {
    let nibble = |b: u8| (b as char).to_digit(16).map(|d| d as u8);
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes().chunks_exact(2).map(|pair| Some(nibble(pair[0])? << 4 | nibble(pair[1])?)).collect()
}

/// Sign, digits without leading zeros, and scale of a plain or exponent decimal (`-12.50`, `1e5`): the value is
/// `digits / 10^scale`. `None` for anything else, NaN included.
pub fn parse_decimal(text: &str) -> Option<(bool, String, i32)> {
    let (negative, body) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match body.find(['e', 'E']) {
        Some(at) => (&body[..at], body[at + 1..].parse::<i32>().ok().filter(|e| e.abs() < 200_000)?),
        None => (body, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.len() + fraction.len() == 0 || !(whole.bytes().chain(fraction.bytes())).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let digits = format!("{whole}{fraction}");
    let trimmed = digits.trim_start_matches('0');
    let digits = if trimmed.is_empty() { "0" } else { trimmed }.to_owned();
    Some((negative, digits, i32::try_from(fraction.len()).ok()? - exponent))
}
