//! Puts one text into a column under construction. The common spellings of the common types are parsed here without
//! detours; every other spelling means what [`ColumnBuilder::push_text`] says. A column whose type was only guessed from
//! a sample takes nothing but the spelling that reads back unchanged.

use levada_core::builder::ColumnBuilder;
use levada_core::text;

/// Appends a value; `exact` refuses every spelling that the type would not give back (`007`, `+1`, `1.5` among `1.50`).
/// On an error nothing is appended.
pub fn push(column: &mut ColumnBuilder, value: &str, exact: bool) -> Result<(), &'static str> {
    let bytes = value.as_bytes();
    match column {
        ColumnBuilder::Utf8(b) => {
            b.append_value(value);
            return Ok(());
        }
        ColumnBuilder::Int64(b) => {
            if let Some(number) = integer(bytes) {
                b.append_value(number);
                return Ok(());
            }
        }
        ColumnBuilder::Int32(b) => {
            if let Some(number) = integer(bytes).and_then(|n| i32::try_from(n).ok()) {
                b.append_value(number);
                return Ok(());
            }
        }
        ColumnBuilder::Decimal128(b, precision, scale) => {
            if let Some(number) = decimal(bytes, *precision, *scale, exact) {
                b.append_value(number);
                return Ok(());
            }
        }
        ColumnBuilder::Date32(b) => {
            if let Some(days) = date(bytes) {
                b.append_value(days);
                return Ok(());
            }
        }
        ColumnBuilder::Timestamp(b, instant) => {
            if let Some((us, zulu)) = timestamp(bytes)
                && zulu == *instant
            {
                b.append_value(us);
                return Ok(());
            }
        }
        ColumnBuilder::Float64(b) => {
            if bytes.last().is_some_and(u8::is_ascii_digit)
                && let Ok(number) = lexical_core::parse::<f64>(bytes)
                && number.is_normal()
            {
                b.append_value(number);
                return Ok(());
            }
        }
        ColumnBuilder::Boolean(b) if matches!(value, "true" | "false") => {
            b.append_value(value == "true");
            return Ok(());
        }
        _ => {}
    }
    if exact {
        return Err(
            "does not have the form of the first rows, from which the column's type was told; cast the column to \
                    `text` or to the type it should have",
        );
    }
    column.push_text(value)
}

/// A whole number as it would be printed; up to 18 digits.
pub fn integer(bytes: &[u8]) -> Option<i64> {
    let (negative, digits) = match bytes {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > 18 || (digits[0] == b'0' && bytes.len() > 1) {
        return None;
    }
    let mut number = 0_i64;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number * 10 + i64::from(digit);
    }
    Some(if negative { -number } else { number })
}

/// The unscaled value of a plain decimal of up to 18 digits; `exact` insists on the very scale and spelling.
fn decimal(bytes: &[u8], precision: u8, scale: i8, exact: bool) -> Option<i128> {
    let (negative, digits) = match bytes {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    let mut number = 0_i64;
    let mut point = None;
    for (at, byte) in digits.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            number = number.checked_mul(10)?.checked_add(i64::from(digit))?;
        } else if *byte == b'.' && point.is_none() {
            point = Some(at);
        } else {
            return None;
        }
    }
    let whole = point.unwrap_or(digits.len());
    let fraction = point.map_or(0, |at| digits.len() - at - 1);
    let missing = usize::try_from(scale).ok()?.checked_sub(fraction)?;
    if whole == 0 || (point.is_some() && fraction == 0) {
        return None;
    }
    if exact && (missing != 0 || (whole > 1 && digits[0] == b'0') || (negative && number == 0)) {
        return None;
    }
    let unscaled = i128::from(number).checked_mul(10_i128.checked_pow(u32::try_from(missing).ok()?)?)?;
    let fits = precision >= 38 || unscaled < 10_i128.pow(u32::from(precision));
    fits.then_some(if negative { -unscaled } else { unscaled })
}

fn two(bytes: &[u8; 2]) -> Option<u32> {
    let (high, low) = (bytes[0].wrapping_sub(b'0'), bytes[1].wrapping_sub(b'0'));
    (high <= 9 && low <= 9).then(|| u32::from(high) * 10 + u32::from(low))
}

/// Days since 1970 of `YYYY-MM-DD`.
pub fn date(bytes: &[u8]) -> Option<i32> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = bytes else { return None };
    let year = two(&[*y1, *y2])? * 100 + two(&[*y3, *y4])?;
    let (month, day) = (two(&[*m1, *m2])?, two(&[*d1, *d2])?);
    text::days_from_civil(i64::from(year), month, day).and_then(|days| i32::try_from(days).ok())
}

/// Microseconds since 1970 of `YYYY-MM-DDTHH:MM:SS[.ffffff]`, with `T` or a blank, and whether a `Z` follows.
pub fn timestamp(bytes: &[u8]) -> Option<(i64, bool)> {
    let (day, rest) = bytes.split_at_checked(10)?;
    let days = date(day)?;
    let [b'T' | b' ', h1, h2, b':', m1, m2, b':', s1, s2, rest @ ..] = rest else { return None };
    let (hours, minutes, seconds) = (two(&[*h1, *h2])?, two(&[*m1, *m2])?, two(&[*s1, *s2])?);
    if hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    let (rest, zulu) = match rest {
        [rest @ .., b'Z'] => (rest, true),
        rest => (rest, false),
    };
    let micros = match rest {
        [] => 0,
        [b'.', digits @ ..] if (1..=6).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit) => {
            let number = digits.iter().fold(0, |n, digit| n * 10 + i64::from(digit - b'0'));
            number * 10_i64.pow(6 - digits.len() as u32)
        }
        _ => return None,
    };
    let seconds = i64::from(days) * 86_400 + i64::from(hours * 3600 + minutes * 60 + seconds);
    Some((seconds * 1_000_000 + micros, zulu))
}
