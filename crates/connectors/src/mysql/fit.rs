//! How incoming columns fit those of an existing table, and the form in which values are sent for each type.

use arrow_schema::{DataType, Field};
use levada_core::schema::{Fit, Logical, native_of};

use super::backup::{StoredKind, is_stored, stored_kind};
use super::create::{LIMITS_OF_FLOATS, NORMALISED_JSON, WITHOUT_SRID};
use super::discover::Column;
use super::encode::{Form, TextLimits};
use super::native::Native;
use super::session::Flavor;

/// 9999-12-31T23:59:59.999999 and 0001-01-01 in microseconds.
const DATETIME_US: (i64, i64) = (-62_135_596_800_000_000, 253_402_300_799_999_999);
/// 1970-01-01T00:00:01 to 2038-01-19T03:14:07.999999.
const TIMESTAMP_US: (i64, i64) = (1_000_000, 2_147_483_647_999_999);
/// 838:59:59 either way.
const TIME_US: i64 = 3_020_399_000_000;

/// The Arrow type a writer wants for an existing column, and how well incoming values fit.
pub fn fit(existing: &Column, incoming: &Field) -> (DataType, Fit) {
    let native = &existing.native;
    let own = existing.field.data_type().clone();
    let from = incoming.data_type();
    let impossible = || {
        let reason = format!("{} cannot become {}", levada_core::schema::type_name(incoming), native.sql());
        (own.clone(), Fit::Impossible(reason))
    };
    if is_stored(native, incoming) {
        return (from.clone(), Fit::Exact);
    }
    if native.is_text() || native.base == "json" || native.base.starts_with("inet") {
        return (DataType::Utf8, text_fit(existing, incoming));
    }
    let is_text = *from == DataType::Utf8;
    let checked_text = || (own.clone(), Fit::Checked(format!("texts that are not a {} are rejected", native.sql())));
    match native.base.as_str() {
        _ if native.is_integer() || native.base == "year" => {
            integer_fit(native, &own, incoming).unwrap_or_else(impossible)
        }
        "decimal" | "numeric" => decimal_fit(native, &own, incoming).unwrap_or_else(impossible),
        "float" | "double" | "real" => float_fit(native, &own, incoming).unwrap_or_else(impossible),
        "date" if *from == DataType::Date32 => {
            (own, Fit::Checked("dates outside the years 1 to 9999 are rejected".into()))
        }
        "date" if matches!(from, DataType::Timestamp(..)) => {
            (own, Fit::Checked("times other than midnight are rejected".into()))
        }
        "datetime" | "timestamp" if matches!(from, DataType::Timestamp(..) | DataType::Date32) => {
            let zone = if matches!(from, DataType::Timestamp(_, Some(_))) { "kept in UTC; " } else { "" };
            let digits = native.fraction_digits();
            (
                own,
                Fit::Checked(format!(
                    "{zone}times out of range or finer than {digits} digits of a second are rejected"
                )),
            )
        }
        "time" if matches!(from, DataType::Time64(_) | DataType::Duration(_)) => {
            let digits = native.fraction_digits();
            let note = format!("times beyond 838:59:59 or finer than {digits} digits of a second are rejected");
            (from.clone(), Fit::Checked(note))
        }
        "bit" if *from == DataType::Boolean => (DataType::Boolean, Fit::Widened(native.sql())),
        "bit" if is_text => {
            (own, Fit::Checked(format!("values that are not {} bits wide are rejected", native.length().unwrap_or(1))))
        }
        "uuid" if *from == DataType::FixedSizeBinary(16) => (own, Fit::Exact),
        _ if native.is_bytes() && *from == DataType::Binary => (own, bytes_fit(native, incoming)),
        _ if native.is_spatial() && *from == DataType::Binary && Logical::of(incoming) == Some(Logical::Wkb) => {
            (own, Fit::Checked(WITHOUT_SRID.to_owned()))
        }
        "date" | "datetime" | "timestamp" | "time" | "uuid" if is_text => checked_text(),
        _ if native.is_bytes() && is_text => {
            (own, Fit::Checked("texts that are not `\\x` and hex digits are rejected".into()))
        }
        _ => impossible(),
    }
}

fn integer_range(native: &Native) -> (i128, i128) {
    let bits = match native.base.as_str() {
        "tinyint" => 8,
        "smallint" | "year" => 16,
        "mediumint" => 24,
        "bigint" => 64,
        _ => 32,
    };
    if native.unsigned && native.base != "year" {
        (0, (1_i128 << bits) - 1)
    } else {
        (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1)
    }
}

fn arrow_range(data_type: &DataType) -> Option<(i128, i128)> {
    let bits = data_type.primitive_width()? as u32 * 8;
    if data_type.is_signed_integer() {
        Some((-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1))
    } else if data_type.is_unsigned_integer() {
        Some((0, (1_i128 << bits) - 1))
    } else {
        None
    }
}

fn integer_fit(native: &Native, own: &DataType, incoming: &Field) -> Option<(DataType, Fit)> {
    let from = incoming.data_type();
    if *from == DataType::Boolean && native.base != "year" {
        return Some((DataType::Boolean, Fit::Widened(native.sql())));
    }
    if let Some((low, high)) = arrow_range(from) {
        let (least, most) = integer_range(native);
        let same_native = native_of(incoming, "mysql")
            .and_then(Native::parse)
            .is_some_and(|n| n.base == native.base && n.unsigned == native.unsigned);
        if native.base == "year" {
            let fit =
                if same_native { Fit::Exact } else { Fit::Checked("years outside 1901 to 2155 are rejected".into()) };
            return Some((own.clone(), fit));
        }
        if same_native || (low, high) == (least, most) {
            return Some((own.clone(), Fit::Exact));
        }
        if low >= least && high <= most {
            return Some((own.clone(), Fit::Widened(native.sql())));
        }
        let wide = ["smallint", "int", "bigint"]
            .into_iter()
            .flat_map(|base| [Native::plain(base), Native::unsigned(base)])
            .find(|wide| {
                let (l, h) = integer_range(wide);
                l <= low.min(least) && h >= high.max(most)
            })
            .unwrap_or_else(|| Native::with("decimal", &[20, 0]));
        return Some((own.clone(), Fit::NeedsWidening(wide.sql())));
    }
    let checked =
        || Some((own.clone(), Fit::Checked("values that are not whole numbers in range are rejected".into())));
    match from {
        DataType::Utf8
        | DataType::Float32
        | DataType::Float64
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => checked(),
        _ => None,
    }
}

fn decimal_fit(native: &Native, own: &DataType, incoming: &Field) -> Option<(DataType, Fit)> {
    let (precision, scale) = (native.length().unwrap_or(10), native.numbers.get(1).copied().unwrap_or(0));
    let from = incoming.data_type();
    let (whole, fraction) = match from {
        DataType::Decimal128(p, s) | DataType::Decimal256(p, s) if *s >= 0 => {
            (u32::from(*p) - u32::from(s.unsigned_abs()), u32::from(s.unsigned_abs()))
        }
        DataType::Int8 | DataType::UInt8 => (3, 0),
        DataType::Int16 | DataType::UInt16 => (5, 0),
        DataType::Int32 | DataType::UInt32 => (10, 0),
        DataType::Int64 => (19, 0),
        DataType::UInt64 => (20, 0),
        DataType::Utf8
        | DataType::Float32
        | DataType::Float64
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => {
            return Some((
                own.clone(),
                Fit::Checked(format!("numbers that {} does not hold exactly are rejected", native.sql())),
            ));
        }
        _ => return None,
    };
    if whole <= precision - scale && fraction <= scale {
        let fit = if from == own { Fit::Exact } else { Fit::Widened(native.sql()) };
        return Some((own.clone(), fit));
    }
    let (whole, fraction) = (whole.max(precision - scale), fraction.max(scale));
    let fit = if whole + fraction <= 65 && fraction <= 30 {
        Fit::NeedsWidening(Native::with("decimal", &[whole + fraction, fraction]).sql())
    } else {
        Fit::Checked(format!("numbers that {} does not hold exactly are rejected", native.sql()))
    };
    Some((own.clone(), fit))
}

fn float_fit(native: &Native, own: &DataType, incoming: &Field) -> Option<(DataType, Fit)> {
    use DataType as T;
    let from = incoming.data_type();
    let single = native.base == "float";
    let rounds = native.numbers.len() == 2;
    let is_same = native_of(incoming, "mysql").and_then(Native::parse).as_ref() == Some(native);
    let fit = match from {
        // what such a column holds is rounded already
        T::Float32 | T::Float64 if rounds && !is_same => return None,
        T::Float64 if single => Fit::NeedsWidening("double".to_owned()),
        T::Float32 | T::Float64 => Fit::Checked(LIMITS_OF_FLOATS.to_owned()),
        T::Int8 | T::Int16 | T::UInt8 | T::UInt16 => Fit::Widened(native.sql()),
        T::Int32 | T::UInt32 if !single => Fit::Widened(native.sql()),
        T::Int32 | T::UInt32 => Fit::NeedsWidening("double".to_owned()),
        T::Utf8 if !rounds => Fit::Checked("texts that are not numbers are rejected".to_owned()),
        // An int64 or decimal would be rounded without a word.
        _ => return None,
    };
    Some((own.clone(), fit))
}

fn bytes_fit(native: &Native, incoming: &Field) -> Fit {
    let came_from = native_of(incoming, "mysql").and_then(Native::parse);
    match native.bytes_max() {
        None => Fit::Exact,
        Some(_) if came_from.as_ref() == Some(native) => Fit::Exact,
        Some(max) => Fit::Checked(format!("values longer than {max} bytes are rejected")),
    }
}

fn text_fit(existing: &Column, incoming: &Field) -> Fit {
    let native = &existing.native;
    if *incoming.data_type() != DataType::Utf8 {
        return Fit::Text("canonical text".to_owned());
    }
    let came_from = native_of(incoming, "mysql").and_then(Native::parse);
    let is_json = |field: &Field| Logical::of(field) == Some(Logical::Json);
    if is_json(&existing.field) {
        let mut notes = Vec::new();
        if !is_json(incoming) {
            notes.push("texts that are not JSON are rejected");
        }
        // MariaDB calls the type `longtext`.
        if native.base == "json" {
            notes.push(NORMALISED_JSON);
        }
        return if notes.is_empty() { Fit::Exact } else { Fit::Checked(notes.join("; ")) };
    }
    if !native.labels.is_empty() {
        let Some(other) = came_from.filter(|other| other.base == native.base && !other.labels.is_empty()) else {
            return Fit::Checked(format!("values other than those of {} are rejected", native.sql()));
        };
        let mut all = native.labels.clone();
        all.extend(other.labels.into_iter().filter(|label| !native.labels.contains(label)));
        let wide = Native { labels: all, ..native.clone() };
        return if wide == *native { Fit::Exact } else { Fit::NeedsWidening(wide.sql()) };
    }
    let foreign_charset = existing.charset.as_deref().filter(|charset| *charset != "utf8mb4");
    if let (Some(other), "varchar", Some(length)) = (&came_from, native.base.as_str(), native.length())
        && matches!(other.base.as_str(), "varchar" | "char")
        && foreign_charset.is_none()
        && let Some(needed) = other.length()
    {
        return if needed > length { Fit::NeedsWidening(format!("varchar({needed})")) } else { Fit::Exact };
    }
    if let Some(charset) = foreign_charset {
        return Fit::Checked(format!("texts with characters that {charset} does not have, or too long, are rejected"));
    }
    match (native.base.as_str(), native.length()) {
        ("longtext", _) => Fit::Exact,
        ("char" | "varchar", Some(length)) => {
            Fit::Checked(format!("texts longer than {length} characters are rejected"))
        }
        _ => Fit::Checked(format!("texts too long for {} are rejected", native.sql())),
    }
}

/// The form of values that come as a column of this type stored them, where that is not the form of the type.
pub fn stored_form(native: &Native, incoming: &Field) -> Option<Form> {
    Some(match stored_kind(native, incoming)? {
        StoredKind::Date => Form::Text(TextLimits { any_date: true, ..TextLimits::default() }),
        StoredKind::Label => {
            Form::Text(TextLimits { labels: Some(native.labels.clone()), zero_label: true, ..TextLimits::default() })
        }
        StoredKind::Geometry => Form::Hex { bytes_max: None, bytes_exact: None },
    })
}

/// The form in which the values of a column are sent.
pub fn form(native: &Native, wanted: &DataType, charset: Option<&str>, json: bool, flavor: Flavor) -> Form {
    if native.is_spatial() {
        return Form::Geometry;
    }
    if native.is_bytes() {
        let bytes_exact = (native.base == "binary").then(|| native.length().unwrap_or(1) as usize);
        return Form::Hex { bytes_max: native.bytes_max(), bytes_exact };
    }
    if native.base == "year" && *wanted == DataType::Int16 {
        return Form::Year;
    }
    if native.base == "bit" {
        return Form::Bits(native.length().unwrap_or(1) as usize);
    }
    let digits = native.fraction_digits();
    match (native.base.as_str(), wanted) {
        ("datetime", _) => Form::Time { digits, range: DATETIME_US },
        ("timestamp", _) => Form::Time { digits, range: TIMESTAMP_US },
        ("time", _) => {
            let fraction = if flavor.mariadb { 999_999 } else { 0 };
            Form::Time { digits, range: (-TIME_US - fraction, TIME_US + fraction) }
        }
        (_, DataType::Utf8) => Form::Text(TextLimits {
            chars_max: matches!(native.base.as_str(), "char" | "varchar")
                .then(|| native.length().unwrap_or(1) as usize),
            // in other character sets a text has another length in bytes, which the server looks at
            bytes_max: native
                .bytes_max()
                .filter(|_| charset.is_none_or(|charset| ["utf8mb4", "utf8mb3", "utf8"].contains(&charset))),
            basic_plane: matches!(charset, Some("utf8" | "utf8mb3")),
            json: json || native.base == "json",
            trims: native.base == "char",
            labels: (!native.labels.is_empty()).then(|| native.labels.clone()),
            many_labels: native.base == "set",
            ..TextLimits::default()
        }),
        _ => Form::Plain,
    }
}
