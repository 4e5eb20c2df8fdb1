//! The type table: which PostgreSQL type travels as which column type, what it means, how it is read, and which type a
//! column of another system gets here. Everything not listed travels as its text and is restored by its name.

use arrow_schema::{DataType, Field, TimeUnit};
use levada_core::schema::{Logical, native_of, timestamp, timestamp_utc};

/// The system's word in `levada:native`.
pub const SYSTEM: &str = "postgres";

/// A PostgreSQL type as far as this connector tells types apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `boolean`.
    Bool,
    /// `smallint`.
    Int2,
    /// `integer`.
    Int4,
    /// `bigint`.
    Int8,
    /// `real`.
    Float4,
    /// `double precision`.
    Float8,
    /// `numeric`, with precision and scale where the type has them.
    Numeric(Option<(i32, i32)>),
    /// `text`, `varchar`, `char(n)`, `name`, `citext`, with the longest length in characters where the type has one.
    Text(Option<u32>),
    /// `bytea`.
    Bytea,
    /// `date`.
    Date,
    /// `time`, with its digits after the second.
    Time(u8),
    /// `timestamp`, with its digits after the second.
    Timestamp(u8),
    /// `timestamptz`, with its digits after the second.
    TimestampTz(u8),
    /// `interval`.
    Interval,
    /// `uuid`.
    Uuid,
    /// `json`.
    Json,
    /// `jsonb`.
    Jsonb,
    /// An enumerated type.
    Enum,
    /// `bit(n)`, `bit varying`.
    Bits,
    /// `money`, whose text depends on the server's locale.
    Money,
    /// Any other type.
    Foreign,
}

/// Base names as `format_type` prints them (the part in parentheses apart).
const NAMES: [(&str, Kind); 26] = [
    ("boolean", Kind::Bool),
    ("smallint", Kind::Int2),
    ("integer", Kind::Int4),
    ("bigint", Kind::Int8),
    ("real", Kind::Float4),
    ("double precision", Kind::Float8),
    ("numeric", Kind::Numeric(None)),
    ("text", Kind::Text(None)),
    ("character varying", Kind::Text(None)),
    ("character", Kind::Text(Some(1))),
    ("bpchar", Kind::Text(None)),
    ("name", Kind::Text(Some(63))),
    ("citext", Kind::Text(None)),
    ("bytea", Kind::Bytea),
    ("date", Kind::Date),
    ("time without time zone", Kind::Time(6)),
    ("timestamp without time zone", Kind::Timestamp(6)),
    ("timestamp with time zone", Kind::TimestampTz(6)),
    ("interval", Kind::Interval),
    ("uuid", Kind::Uuid),
    ("json", Kind::Json),
    ("jsonb", Kind::Jsonb),
    ("bit", Kind::Bits),
    ("bit varying", Kind::Bits),
    ("money", Kind::Money),
    ("decimal", Kind::Numeric(None)),
];

impl Kind {
    /// The kind of a native type, from the name that `format_type` gives it.
    pub fn of(native: &str, is_enum: bool) -> Self {
        if is_enum {
            return Self::Enum;
        }
        let (base, arguments) = split(native);
        let unqualified = base.rsplit_once(".citext").map_or(base.as_str(), |_| "citext");
        let first = arguments.first().copied();
        let digits = first.map_or(6, |digits| digits.clamp(0, 6) as u8);
        match NAMES.iter().find(|(name, _)| *name == unqualified).map(|(_, kind)| *kind) {
            Some(Self::Numeric(_)) => Self::Numeric(first.map(|p| (p, arguments.get(1).copied().unwrap_or(0)))),
            Some(Self::Text(length)) => Self::Text(first.and_then(|n| u32::try_from(n).ok()).or(length)),
            Some(Self::Time(_)) => Self::Time(digits),
            Some(Self::Timestamp(_)) => Self::Timestamp(digits),
            Some(Self::TimestampTz(_)) => Self::TimestampTz(digits),
            Some(kind) => kind,
            None => Self::Foreign,
        }
    }

    /// The kind of a described column. Whatever its type, one that is read as the server's own text is foreign.
    pub fn of_field(field: &Field) -> Self {
        if Logical::of(field) == Some(Logical::Foreign) {
            return Self::Foreign;
        }
        native_of(field, SYSTEM)
            .map_or(Self::Foreign, |native| Self::of(native, Logical::of(field) == Some(Logical::Enum)))
    }

    /// The column type its values travel as, and their meaning.
    pub fn arrow(self) -> (DataType, Option<Logical>) {
        let plain = |data_type| (data_type, None);
        match self {
            Self::Bool => plain(DataType::Boolean),
            Self::Int2 => plain(DataType::Int16),
            Self::Int4 => plain(DataType::Int32),
            Self::Int8 => plain(DataType::Int64),
            Self::Float4 => plain(DataType::Float32),
            Self::Float8 => plain(DataType::Float64),
            Self::Numeric(size) => match size.and_then(|(p, s)| decimal(p, s)) {
                Some(decimal) => plain(decimal),
                None => (DataType::Utf8, Some(Logical::Number)),
            },
            Self::Text(_) => plain(DataType::Utf8),
            Self::Bytea => plain(DataType::Binary),
            Self::Date => plain(DataType::Date32),
            Self::Time(_) => plain(DataType::Time64(TimeUnit::Microsecond)),
            Self::Timestamp(_) => plain(timestamp()),
            Self::TimestampTz(_) => plain(timestamp_utc()),
            Self::Interval => (DataType::Utf8, Some(Logical::Interval)),
            Self::Uuid => (DataType::FixedSizeBinary(16), Some(Logical::Uuid)),
            Self::Json | Self::Jsonb => (DataType::Utf8, Some(Logical::Json)),
            Self::Enum => (DataType::Utf8, Some(Logical::Enum)),
            Self::Bits => (DataType::Utf8, Some(Logical::Bits)),
            Self::Money => (DataType::Utf8, Some(Logical::Number)),
            Self::Foreign => (DataType::Utf8, Some(Logical::Foreign)),
        }
    }

    /// How a column (already quoted) is selected to be read as text.
    pub fn select_text(self, column: &str) -> String {
        match self {
            Self::Numeric(_) | Self::Interval | Self::Bits | Self::Foreign => format!("{column}::pg_catalog.text"),
            Self::Money => format!("{column}::pg_catalog.numeric::pg_catalog.text"),
            _ => column.to_owned(),
        }
    }
}

/// The decimal type that holds every finite value of `numeric(p,s)`. Scales below zero and above the precision exist
/// since PostgreSQL 15.
fn decimal(p: i32, s: i32) -> Option<DataType> {
    let (p, s) = (p.max(s).max(p - s), s.max(0));
    match (u8::try_from(p).ok()?, i8::try_from(s).ok()?) {
        (p, s) if p <= 38 => Some(DataType::Decimal128(p, s)),
        (p, s) if p <= 76 => Some(DataType::Decimal256(p, s)),
        _ => None,
    }
}

/// Splits `timestamp(3) without time zone` into its name and the numbers in parentheses.
fn split(native: &str) -> (String, Vec<i32>) {
    let Some((before, rest)) = native.split_once('(') else { return (native.to_owned(), Vec::new()) };
    let Some((arguments, after)) = rest.split_once(')') else { return (native.to_owned(), Vec::new()) };
    let numbers = arguments.split(',').filter_map(|number| number.trim().parse().ok()).collect();
    (format!("{before}{after}"), numbers)
}

/// The native type a column of another system gets in a new table.
pub fn native_for(field: &Field) -> String {
    let fixed = match Logical::of(field) {
        Some(Logical::Json) => Some("jsonb"),
        Some(Logical::Uuid) => Some("uuid"),
        Some(Logical::Number) => Some("numeric"),
        Some(Logical::Interval) => Some("interval"),
        Some(Logical::Wkb) => Some("bytea"),
        Some(Logical::Bits) => Some("bit varying"),
        Some(Logical::Enum | Logical::Foreign | Logical::Untyped) | None => None,
    };
    let fixed = match (fixed, field.data_type()) {
        // JSON that comes from a system without a binary form keeps its spelling.
        (Some("jsonb"), DataType::Utf8) if native_of(field, SYSTEM) == Some("json") => "json",
        (Some(native), _) => native,
        (None, data_type) => match data_type {
            DataType::Boolean => "boolean",
            DataType::Int8 | DataType::Int16 | DataType::UInt8 => "smallint",
            DataType::Int32 | DataType::UInt16 => "integer",
            DataType::Int64 | DataType::UInt32 => "bigint",
            DataType::UInt64 => "numeric(20,0)",
            DataType::Float32 => "real",
            DataType::Float64 => "double precision",
            DataType::Decimal128(p, s) | DataType::Decimal256(p, s) => return decimal_native(*p, *s),
            DataType::Binary => "bytea",
            DataType::FixedSizeBinary(16) => "uuid",
            DataType::Date32 => "date",
            DataType::Time64(_) => "time without time zone",
            DataType::Duration(_) => "interval",
            DataType::Timestamp(_, None) => "timestamp without time zone",
            DataType::Timestamp(_, Some(_)) => "timestamp with time zone",
            _ => "text",
        },
    };
    fixed.to_owned()
}

/// `numeric(p,s)`; a negative scale becomes whole digits, which every version of PostgreSQL has.
pub fn decimal_native(p: u8, s: i8) -> String {
    let whole = i32::from(p) + i32::from(s.min(0).unsigned_abs());
    format!("numeric({whole},{})", s.max(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn native_names_are_told_apart_by_their_base_and_numbers() {
        for (native, kind) in [
            ("numeric(10,2)", Kind::Numeric(Some((10, 2)))),
            ("numeric(2,-3)", Kind::Numeric(Some((2, -3)))),
            ("numeric", Kind::Numeric(None)),
            ("character varying(20)", Kind::Text(Some(20))),
            ("timestamp(3) without time zone", Kind::Timestamp(3)),
            ("timestamp with time zone", Kind::TimestampTz(6)),
            ("time with time zone", Kind::Foreign),
            ("public.citext", Kind::Text(None)),
            ("integer[]", Kind::Foreign),
            ("interval day to second(3)", Kind::Foreign),
            ("bit(8)", Kind::Bits),
            ("\"char\"", Kind::Foreign),
        ] {
            assert_eq!(Kind::of(native, false), kind, "{native}");
        }
    }

    #[test]
    fn odd_scales_fit_a_decimal_that_holds_every_value() {
        assert_eq!(Kind::Numeric(Some((2, -3))).arrow().0, DataType::Decimal128(5, 0));
        assert_eq!(Kind::Numeric(Some((3, 5))).arrow().0, DataType::Decimal128(5, 5));
        assert_eq!(Kind::Numeric(Some((76, 10))).arrow().0, DataType::Decimal256(76, 10));
        assert_eq!(Kind::Numeric(Some((77, 10))).arrow().0, DataType::Utf8);
    }
}
