//! How well an incoming column fits an existing one, and which column type the writers then want.

use arrow_schema::{DataType, Field};
use levada_core::schema::{Fit, Logical, native_of, timestamp, timestamp_utc};

use crate::postgres::types::{Kind, SYSTEM};

/// The column type the writers want for values of `incoming` going into a column of `kind`: the incoming one where it
/// can be written directly, else the one the kind is read as. The engine casts.
pub fn wanted(kind: Kind, incoming: &Field) -> DataType {
    use DataType as T;
    let data_type = incoming.data_type();
    let own = kind.arrow().0;
    match (kind, data_type) {
        (Kind::Numeric(Some((p, s))), T::Decimal128(p2, s2) | T::Decimal256(p2, s2))
            if *s2 >= 0 && i32::from(*s2) <= s && i32::from(*p2) - i32::from(*s2) <= p - s =>
        {
            data_type.clone()
        }
        (Kind::Numeric(Some((p, s))), T::Int64 | T::UInt64) if p - s >= 20 => data_type.clone(),
        (Kind::Numeric(None) | Kind::Money, T::Decimal128(_, s) | T::Decimal256(_, s)) if *s >= 0 => data_type.clone(),
        (Kind::Numeric(None) | Kind::Money, T::Int64 | T::UInt64) => data_type.clone(),
        (Kind::Interval, T::Duration(_)) => data_type.clone(),
        (Kind::Timestamp(_), _) => timestamp(),
        (Kind::TimestampTz(_), _) => timestamp_utc(),
        _ => own,
    }
}

/// Judges an incoming column against the existing column of its name.
pub fn fit(old: &Field, new: &Field) -> Fit {
    let (old_native, new_native) = (native_of(old, SYSTEM).unwrap_or_default(), native_of(new, SYSTEM));
    let as_told = Logical::of(new) == Some(Logical::Foreign);
    if new_native == Some(old_native) && (as_told || old.data_type() == new.data_type()) {
        return Fit::Exact;
    }
    let kind = Kind::of_field(old);
    let untyped = Logical::of(new) == Some(Logical::Untyped);
    match kind {
        Kind::Int2 | Kind::Int4 | Kind::Int8 => integer(kind, old_native, new),
        Kind::Numeric(size) => number(size, old_native, new),
        Kind::Float4 | Kind::Float8 => float(kind, old_native, new),
        Kind::Text(length) => text(length, old_native, new, untyped),
        Kind::Time(digits) | Kind::Timestamp(digits) | Kind::TimestampTz(digits) => {
            moment(kind, digits, old_native, new)
        }
        Kind::Date => by_type(new, &DataType::Date32, old_native),
        Kind::Bool => by_type(new, &DataType::Boolean, old_native),
        Kind::Uuid => by_type(new, &DataType::FixedSizeBinary(16), old_native),
        Kind::Bytea => match new.data_type() {
            DataType::Binary => Fit::Exact,
            DataType::Utf8 => Fit::Checked("must be `\\x` and hex digits".to_owned()),
            _ => never(new, old_native),
        },
        Kind::Interval | Kind::Foreign if let Some(whole) = unrestricted(old_native) => Fit::NeedsWidening(whole),
        Kind::Interval => match new.data_type() {
            DataType::Duration(_) => Fit::Widened("a duration becomes an interval".to_owned()),
            _ => checked_by_server(old_native),
        },
        Kind::Json | Kind::Jsonb if Logical::of(new) == Some(Logical::Json) => {
            Fit::Widened(format!("another spelling of the same document may be kept by {old_native}"))
        }
        Kind::Money => {
            Fit::Checked("must be an amount with no more digits than the server's locale gives money".to_owned())
        }
        Kind::Foreign if let Some(element) = old_native.strip_suffix("[]") => array(element, new_native, old_native),
        Kind::Json | Kind::Jsonb | Kind::Enum | Kind::Bits | Kind::Foreign => checked_by_server(old_native),
    }
}

/// The type without its precision, length or fields, where the server would fit values to those by rounding or cutting.
fn unrestricted(native: &str) -> Option<String> {
    let (element, array) = native.strip_suffix("[]").map_or((native, ""), |element| (element, "[]"));
    let is_interval = element.starts_with("interval") && element != "interval";
    if !is_interval && !element.contains('(') {
        return None;
    }
    let base = element.split('(').next().unwrap_or(element);
    let whole = match base {
        _ if is_interval => "interval",
        "numeric" | "character varying" | "bit varying" => base,
        "bit" => "bit varying",
        "character" => "text",
        "time" | "timestamp" if element.ends_with("with time zone") => {
            return Some(format!("{base} with time zone{array}"));
        }
        "time" | "timestamp" => return Some(format!("{base} without time zone{array}")),
        // Others, as `geometry(Point,4326)`, refuse what does not fit.
        _ => return None,
    };
    Some(format!("{whole}{array}"))
}

/// An array, of whose elements only the server knows where they end; some it would round or cut in silence.
fn array(element: &str, new_native: Option<&str>, native: &str) -> Fit {
    let exact: &[&str] = match element {
        "name" | "\"char\"" | "date" | "time without time zone" | "money" | "character" => &[],
        "real" => &["smallint[]"],
        "double precision" => &["real[]", "smallint[]", "integer[]"],
        _ => return checked_by_server(native),
    };
    if new_native.is_some_and(|new| exact.contains(&new)) {
        return checked_by_server(native);
    }
    Fit::Impossible(format!("{native} would round or cut elements in silence"))
}

fn checked_by_server(native: &str) -> Fit {
    Fit::Checked(format!("must be the text of a value of type {native}"))
}

fn never(new: &Field, native: &str) -> Fit {
    Fit::Impossible(format!("{} is not {native}", levada_core::schema::type_name(new)))
}

/// A type that only itself fits, and the text of its values.
fn by_type(new: &Field, own: &DataType, native: &str) -> Fit {
    match new.data_type() {
        same if same == own => Fit::Exact,
        DataType::Binary | DataType::Float32 | DataType::Float64 => never(new, native),
        _ => Fit::Checked(format!("must be a value of type {native}")),
    }
}

/// Digits before the point, and digits after it, that hold every value of a type.
fn digits(data_type: &DataType) -> Option<(i32, i32)> {
    use DataType as T;
    Some(match data_type {
        T::Int8 | T::UInt8 => (3, 0),
        T::Int16 | T::UInt16 => (5, 0),
        T::Int32 | T::UInt32 => (10, 0),
        T::Int64 => (19, 0),
        T::UInt64 => (20, 0),
        T::Decimal128(p, s) | T::Decimal256(p, s) => {
            let (p, s) = (i32::from(*p), i32::from(*s));
            (p - s, s.max(0))
        }
        _ => return None,
    })
}

fn integer(kind: Kind, native: &str, new: &Field) -> Fit {
    use DataType as T;
    let have = match kind {
        Kind::Int2 => 2,
        Kind::Int4 => 4,
        _ => 8,
    };
    let (need, wider) = match new.data_type() {
        T::Int8 | T::UInt8 | T::Int16 => (2, "smallint"),
        T::Int32 | T::UInt16 => (4, "integer"),
        T::Int64 | T::UInt32 => (8, "bigint"),
        T::UInt64 => (9, "numeric(20,0)"),
        T::Decimal128(p, 0) if *p < 5 => (2, "smallint"),
        T::Decimal128(p, 0) if *p < 10 => (4, "integer"),
        T::Decimal128(p, 0) if *p < 19 => (8, "bigint"),
        T::Binary | T::FixedSizeBinary(_) | T::Date32 | T::Time64(_) | T::Timestamp(..) | T::Duration(_) => {
            return never(new, native);
        }
        _ => return Fit::Checked(format!("must be a whole number within {native}")),
    };
    match () {
        () if need > have => Fit::NeedsWidening(wider.to_owned()),
        () if need == have => Fit::Exact,
        () => Fit::Widened(format!("every value fits {native}")),
    }
}

fn number(size: Option<(i32, i32)>, native: &str, new: &Field) -> Fit {
    let Some((whole, scale)) = digits(new.data_type()) else {
        return match (new.data_type(), Logical::of(new)) {
            (DataType::Utf8, Some(Logical::Number)) if size.is_none() => Fit::Exact,
            (DataType::Utf8, Some(Logical::Number)) => Fit::NeedsWidening("numeric".to_owned()),
            (DataType::Utf8 | DataType::Float32 | DataType::Float64, _) => {
                Fit::Checked(format!("must be a number that fits {native}"))
            }
            _ => never(new, native),
        };
    };
    let Some((p, s)) = size else { return Fit::Widened("a numeric of any size".to_owned()) };
    if whole <= p - s && scale <= s {
        return if (whole, scale) == (p - s, s) {
            Fit::Exact
        } else {
            Fit::Widened(format!("every value fits {native}"))
        };
    }
    let (whole, scale) = (whole.max(p - s), scale.max(s));
    Fit::NeedsWidening(if whole + scale <= 1000 {
        format!("numeric({},{scale})", whole + scale)
    } else {
        "numeric".to_owned()
    })
}

fn float(kind: Kind, native: &str, new: &Field) -> Fit {
    use DataType as T;
    let double = || if kind == Kind::Float8 { None } else { Some(Fit::NeedsWidening("double precision".to_owned())) };
    match new.data_type() {
        T::Float32 if kind == Kind::Float4 => Fit::Exact,
        T::Float64 => double().unwrap_or(Fit::Exact),
        T::Float32 => Fit::Widened("every value has the same text".to_owned()),
        T::Int8 | T::UInt8 | T::Int16 | T::UInt16 => Fit::Widened(format!("every value fits {native}")),
        T::Int32 | T::UInt32 => double().unwrap_or(Fit::Widened(format!("every value fits {native}"))),
        T::Int64 | T::UInt64 | T::Decimal128(..) | T::Decimal256(..) => {
            Fit::Impossible(format!("{native} cannot hold every {} exactly", levada_core::schema::type_name(new)))
        }
        T::Utf8 => Fit::Checked(format!("must be a number; {native} holds the nearest value it has")),
        _ => never(new, native),
    }
}

fn text(length: Option<u32>, native: &str, new: &Field, untyped: bool) -> Fit {
    if new.data_type() != &DataType::Utf8 {
        let note = format!("values are kept as canonical text in {native}");
        return if length.is_some() { Fit::Checked(note) } else { Fit::Text(note) };
    }
    let Some(have) = length else {
        return match Logical::of(new) {
            None | Some(Logical::Untyped) => Fit::Exact,
            Some(_) => Fit::Text(format!("values are kept as text in {native}")),
        };
    };
    if untyped || !native.starts_with("character varying") {
        return Fit::Checked(format!("must fit {native}"));
    }
    let need = match Kind::of_field(new) {
        Kind::Text(need) => need,
        _ => None,
    };
    match need {
        Some(need) if need <= have => Fit::Widened(format!("every value fits {native}")),
        Some(need) => Fit::NeedsWidening(format!("character varying({need})")),
        None => Fit::NeedsWidening("text".to_owned()),
    }
}

fn moment(kind: Kind, digits: u8, native: &str, new: &Field) -> Fit {
    use DataType as T;
    let fine = match Kind::of_field(new) {
        Kind::Time(digits) | Kind::Timestamp(digits) | Kind::TimestampTz(digits) => digits,
        _ => 6,
    };
    let wider = || {
        let base = match kind {
            Kind::Time(_) => "time without time zone",
            Kind::Timestamp(_) => "timestamp without time zone",
            _ => "timestamp with time zone",
        };
        Fit::NeedsWidening(base.to_owned())
    };
    match (kind, new.data_type()) {
        (Kind::Time(_), T::Time64(_)) if fine > digits => wider(),
        (Kind::Time(_), T::Time64(_)) => Fit::Exact,
        (Kind::Time(_), T::Utf8 | T::Duration(_)) if digits == 6 => Fit::Checked("must be a time of day".to_owned()),
        (Kind::Timestamp(_) | Kind::TimestampTz(_), T::Date32) => Fit::Widened("midnight of the day".to_owned()),
        (Kind::Timestamp(_) | Kind::TimestampTz(_), T::Timestamp(unit, zone)) => {
            let instant = matches!(kind, Kind::TimestampTz(_));
            match () {
                () if fine > digits => wider(),
                () if *unit == arrow_schema::TimeUnit::Nanosecond => {
                    Fit::Checked("must not be finer than a microsecond".to_owned())
                }
                () if zone.is_some() == instant => Fit::Exact,
                () if instant => Fit::Widened("read as UTC".to_owned()),
                () => Fit::Widened("kept as the time in UTC".to_owned()),
            }
        }
        (Kind::Timestamp(_) | Kind::TimestampTz(_), T::Utf8) if digits == 6 => {
            Fit::Checked("must be a timestamp".to_owned())
        }
        (_, T::Utf8) | (Kind::Time(_), T::Duration(_)) => wider(),
        _ => never(new, native),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use levada_core::schema::field;

    fn pg(native: &str) -> Field {
        let (data_type, logical) = Kind::of(native, false).arrow();
        field("c", data_type, true, &format!("postgres:{native}"), logical)
    }

    #[test]
    fn types_widen_along_their_families_and_never_lose_a_value_in_silence() {
        let widening = |old: &str, new: &str| match fit(&pg(old), &pg(new)) {
            Fit::NeedsWidening(native) => native,
            other => format!("{other:?}"),
        };
        assert_eq!(widening("smallint", "integer"), "integer");
        assert_eq!(widening("integer", "bigint"), "bigint");
        assert_eq!(widening("real", "double precision"), "double precision");
        assert_eq!(widening("numeric(10,2)", "numeric(12,4)"), "numeric(12,4)");
        assert_eq!(widening("numeric(10,2)", "numeric(9,3)"), "numeric(11,3)");
        assert_eq!(widening("character varying(10)", "character varying(20)"), "character varying(20)");
        assert_eq!(widening("character varying(10)", "text"), "text");
        assert_eq!(
            widening("timestamp(0) without time zone", "timestamp without time zone"),
            "timestamp without time zone"
        );
        assert!(matches!(fit(&pg("double precision"), &pg("bigint")), Fit::Impossible(_)));
        assert!(matches!(fit(&pg("bigint"), &pg("smallint")), Fit::Widened(_)));
        assert!(matches!(fit(&pg("text"), &pg("integer")), Fit::Text(_)));
        assert_eq!(fit(&pg("jsonb"), &pg("jsonb")), Fit::Exact);
        let text = Field::new("c", DataType::Utf8, true);
        for (old, wide) in [
            ("time(0) without time zone", "time without time zone"),
            ("time(3) with time zone", "time with time zone"),
            ("interval(0)", "interval"),
            ("interval day to second(3)", "interval"),
            ("interval year to month", "interval"),
            ("numeric(10,2)[]", "numeric[]"),
            ("timestamp(0) without time zone[]", "timestamp without time zone[]"),
            ("character varying(3)[]", "character varying[]"),
            ("character(3)[]", "text[]"),
        ] {
            assert_eq!(fit(&pg(old), &text), Fit::NeedsWidening(wide.to_owned()), "{old}");
            assert_eq!(fit(&pg(old), &pg(old)), Fit::Exact, "{old}");
        }
        assert!(matches!(fit(&pg("real[]"), &pg("double precision[]")), Fit::Impossible(_)));
        assert!(matches!(fit(&pg("text[]"), &text), Fit::Checked(_)));
        assert!(matches!(fit(&pg("geometry(Point,4326)"), &text), Fit::Checked(_)));
    }
}
