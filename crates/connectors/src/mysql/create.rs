//! The types of a new table: for each incoming column the server's type, the Arrow type its writer wants, and how well
//! values fit. A column that came from this kind of system gets its own type back.

use arrow_schema::{DataType, Field, TimeUnit};
use levada_core::schema::{Fit, Logical, native_of, timestamp, timestamp_utc};

use super::native::Native;
use super::session::Flavor;

/// The most characters that all text columns of a key may have together: 3072 bytes of an index, four to a character.
const KEY_CHARS_MAX: u32 = 768;
/// The most characters one text column of a key gets.
const KEY_COLUMN_CHARS_MAX: u32 = 700;
/// More characters than this and a text goes beside the row.
const VARCHAR_MAX: u32 = 4000;

/// What FLOAT and DOUBLE do not hold; numbers are sent as text, whose `-0` the server reads as 0.
pub const LIMITS_OF_FLOATS: &str = "NaN and infinities are rejected, a negative zero can become zero";
/// What well-known binary does not hold of a geometry.
pub const WITHOUT_SRID: &str = "the SRID is not kept, it becomes 0; bytes that are no geometry are rejected";
/// What MySQL's own JSON type does to documents, which MariaDB keeps as the text they are.
pub const NORMALISED_JSON: &str =
    "MySQL keeps documents in its own form: order of keys, repeated keys, blanks and digits of numbers may change";

/// A column of a new table.
#[derive(Debug, Clone, PartialEq)]
pub struct NewColumn {
    /// The type.
    pub native: Native,
    /// The character set and collation where they are not the table's.
    pub charset: Option<(&'static str, &'static str)>,
    /// The Arrow type the writer wants.
    pub wanted: DataType,
    /// How well incoming values fit.
    pub fit: Fit,
}

impl NewColumn {
    fn new(native: Native, wanted: &DataType, fit: Fit) -> Self {
        Self { native, charset: None, wanted: wanted.clone(), fit }
    }

    /// The type as in DDL.
    pub fn ddl(&self) -> String {
        match self.charset {
            Some((charset, collation)) => format!("{} CHARACTER SET {charset} COLLATE {collation}", self.native.sql()),
            None => self.native.sql(),
        }
    }
}

/// Chooses the type for an incoming column; `key_texts` is the number of text columns in the key if the column is one
/// of the key's.
pub fn column(field: &Field, key_texts: Option<u32>, flavor: Flavor) -> NewColumn {
    let key_chars = key_texts.map(|count| (KEY_CHARS_MAX / count.max(1)).min(KEY_COLUMN_CHARS_MAX));
    if let Some(own) = restored(field, key_chars, flavor) {
        return own;
    }
    by_type(field, key_chars, flavor)
}

/// The type a column had in a system of this kind, where it still means the same here.
fn restored(field: &Field, key_chars: Option<u32>, flavor: Flavor) -> Option<NewColumn> {
    let mut native = Native::parse(native_of(field, "mysql")?)?;
    let logical = Logical::of(field);
    let is_json = logical == Some(Logical::Json);
    if native.canonical(is_json) != (field.data_type().clone(), logical) || is_json || native.base == "unknown" {
        return None;
    }
    match native.base.as_str() {
        "float" | "double" | "real" => native.numbers.clear(),
        "uuid" | "inet4" | "inet6" if !flavor.mariadb => return None,
        "year" => native.numbers.clear(),
        "varchar" | "char" if native.length()? > key_chars.unwrap_or(VARCHAR_MAX) => return None,
        "varbinary" | "binary" if native.length()? > key_chars.unwrap_or(VARCHAR_MAX) => return None,
        // CHAR loses blanks at the end, which another source's CHAR column may hold.
        "char" => native.base = "varchar".to_owned(),
        _ if key_chars.is_some()
            && (native.is_text() || native.is_bytes())
            && native.numbers.is_empty()
            && native.labels.is_empty() =>
        {
            return None;
        }
        "decimal" | "numeric" if native.numbers.get(1).is_some_and(|scale| *scale > 30) && !flavor.mariadb => {
            return None;
        }
        "int" | "integer" | "tinyint" | "smallint" | "mediumint" | "bigint" if native.numbers != [1] => {
            native.numbers.clear();
        }
        _ => {}
    }
    let is_known = native.is_integer()
        || native.is_text()
        || native.is_bytes()
        || native.is_spatial()
        || matches!(
            native.base.as_str(),
            "float"
                | "double"
                | "real"
                | "decimal"
                | "numeric"
                | "date"
                | "datetime"
                | "timestamp"
                | "time"
                | "year"
                | "bit"
                | "uuid"
                | "inet4"
                | "inet6"
        );
    let fit = match field.data_type() {
        DataType::Float32 | DataType::Float64 => Fit::Checked(LIMITS_OF_FLOATS.to_owned()),
        _ if native.is_spatial() => Fit::Checked(WITHOUT_SRID.to_owned()),
        _ => Fit::Exact,
    };
    is_known.then(|| NewColumn::new(native, field.data_type(), fit))
}

fn by_type(field: &Field, key_chars: Option<u32>, flavor: Flavor) -> NewColumn {
    use DataType as T;
    let data_type = field.data_type();
    let exact = |native| NewColumn::new(native, data_type, Fit::Exact);
    let checked = |native, note: &str| NewColumn::new(native, data_type, Fit::Checked(note.to_owned()));
    let text = |note: &str| {
        let native = key_chars.map_or_else(|| Native::plain("longtext"), |chars| Native::with("varchar", &[chars]));
        NewColumn::new(native, &T::Utf8, Fit::Text(note.to_owned()))
    };
    match data_type {
        T::Boolean => exact(Native::with("tinyint", &[1])),
        T::Int8 => exact(Native::plain("tinyint")),
        T::Int16 => exact(Native::plain("smallint")),
        T::Int32 => exact(Native::plain("int")),
        T::Int64 => exact(Native::plain("bigint")),
        T::UInt8 => exact(Native::unsigned("tinyint")),
        T::UInt16 => exact(Native::unsigned("smallint")),
        T::UInt32 => exact(Native::unsigned("int")),
        T::UInt64 => exact(Native::unsigned("bigint")),
        T::Float32 => checked(Native::plain("float"), LIMITS_OF_FLOATS),
        T::Float64 => checked(Native::plain("double"), LIMITS_OF_FLOATS),
        T::Decimal128(p, s) | T::Decimal256(p, s) => {
            decimal(*p, *s).unwrap_or_else(|| text("a decimal of too many digits as text"))
        }
        T::Date32 => checked(Native::plain("date"), "dates outside the years 1 to 9999 are rejected"),
        T::Time64(_) => NewColumn::new(
            Native::with("time", &[6]),
            data_type,
            Fit::Widened("time(6), which holds durations too".to_owned()),
        ),
        T::Duration(_) => checked(Native::with("time", &[6]), "durations beyond 838:59:59 are rejected"),
        T::Timestamp(unit, zone) => {
            let mut note = if zone.is_some() { "kept in UTC; " } else { "" }.to_owned();
            if *unit == TimeUnit::Nanosecond {
                note.push_str("times finer than a microsecond and ");
            }
            note.push_str("years outside 1 to 9999 are rejected");
            let wanted = if zone.is_some() { timestamp_utc() } else { timestamp() };
            NewColumn::new(Native::with("datetime", &[6]), &wanted, Fit::Checked(note))
        }
        T::FixedSizeBinary(16) => NewColumn {
            charset: Some(("ascii", "ascii_bin")),
            ..NewColumn::new(Native::with("char", &[36]), data_type, Fit::Text("the UUID's text".to_owned()))
        },
        T::Binary => match key_chars {
            None => exact(Native::plain("longblob")),
            Some(length) => checked(
                Native::with("varbinary", &[length]),
                &format!("values longer than {length} bytes are rejected"),
            ),
        },
        T::Utf8 => match (Logical::of(field), key_chars) {
            (_, Some(chars)) => checked(
                Native::with("varchar", &[chars]),
                &format!("texts longer than {chars} characters are rejected"),
            ),
            (Some(Logical::Json), None) if flavor.mariadb => exact(Native::plain("json")),
            (Some(Logical::Json), None) => checked(Native::plain("json"), NORMALISED_JSON),
            (Some(Logical::Number | Logical::Interval | Logical::Foreign | Logical::Bits | Logical::Enum), None) => {
                text("canonical text")
            }
            _ => exact(Native::plain("longtext")),
        },
        _ => text("canonical text"),
    }
}

fn decimal(precision: u8, scale: i8) -> Option<NewColumn> {
    let shift = if scale < 0 { scale.unsigned_abs() } else { 0 };
    let (precision, scale) = (precision.checked_add(shift)?, scale.max(0));
    if precision > 65 || scale > 30 {
        return None;
    }
    let wanted =
        if precision <= 38 { DataType::Decimal128(precision, scale) } else { DataType::Decimal256(precision, scale) };
    let native = Native::with("decimal", &[u32::from(precision), u32::from(scale.unsigned_abs())]);
    Some(NewColumn::new(native, &wanted, Fit::Exact))
}

/// Moves long VARCHAR columns beside the row where all of them together would not fit into one.
pub fn shrink_row(columns: &mut [NewColumn], is_key: impl Fn(usize) -> bool) {
    let width =
        |c: &NewColumn| if c.native.base == "varchar" { u64::from(c.native.length().unwrap_or(0)) * 4 } else { 16 };
    if columns.iter().map(width).sum::<u64>() <= 60_000 {
        return;
    }
    for (index, column) in columns.iter_mut().enumerate() {
        if column.native.base == "varchar" && !is_key(index) {
            column.native = Native::plain("longtext");
        }
    }
}

#[cfg(test)]
mod tests {
    use levada_core::schema::field;

    use super::*;

    #[test]
    fn what_a_server_changes_is_noted() {
        let of = |mariadb| Flavor { mariadb, version: (8, 4, 0), explicit_timestamp: true };
        let json = field("j", DataType::Utf8, true, "postgres:jsonb", Some(Logical::Json));
        assert_eq!(column(&json, None, of(true)).fit, Fit::Exact);
        assert_eq!(column(&json, None, of(false)).fit, Fit::Checked(NORMALISED_JSON.to_owned()));
        for native in ["postgres:float8", "mysql:double"] {
            let number = field("n", DataType::Float64, true, native, None);
            assert_eq!(column(&number, None, of(false)).fit, Fit::Checked(LIMITS_OF_FLOATS.to_owned()));
        }
    }
}
