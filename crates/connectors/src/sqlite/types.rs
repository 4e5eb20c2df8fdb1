//! Declared types and Arrow types. SQLite types values, not columns; a column's declared type is taken as what its values
//! should be, and a value of another form is rejected with its reason, never bent.
//!
//! | declared | Arrow | stored values accepted |
//! |---|---|---|
//! | `..INT..` | int64 | integer |
//! | `SINT8 INT16 INT32 UINT8 UINT16 UINT32` | the same | integer within the range |
//! | `U64_BLOB` | uint64 | integer; text above 2^63-1 |
//! | `BOOLEAN` | bool | 0, 1, `true`, `false` |
//! | `REAL`, `DOUBLE`, `FLOAT` | float64 | real, integer up to 2^53, text `NaN` |
//! | `FLOAT32` | float32 | real that a float32 holds exactly |
//! | `DECIMAL(p,s)`, `NUMERIC(p,s)`, `DECIMAL_TEXT(p,s)` | decimal | integer, text, real by its shortest text; none beyond the scale |
//! | `NUMERIC`, `DECIMAL`, `NUMBER_TEXT` | number as text | as above, without a limit |
//! | `..CHAR..`, `..TEXT..`, `..CLOB..` | text | text in UTF-8; numbers as their text |
//! | `JSON`, `JSON_TEXT` | text (json) | as text |
//! | `BLOB`, `BINARY`, `VARBINARY` | bytes | blob; text as its UTF-8 bytes |
//! | `UUID` | uuid | text; blob of 16 bytes |
//! | `DATE`, `TIME`, `DURATION` | the same | ISO 8601 text |
//! | `DATETIME`, `TIMESTAMP`, `TIMESTAMPTZ`, `.._NS` | timestamp | ISO 8601 text |
//! | none, `ANY`, all others | by the values: see [`of_values`] | all |
//!
//! Where the first values of a column of dates, times, booleans or UUIDs do not have the declared form (epoch seconds in
//! a `DATETIME`), the column is treated as one without a declared type.
//!
//! A negative zero is stored as zero: columns of REAL affinity keep whole numbers as integers. Under another affinity it
//! would survive, but such columns are taken for blobs by many tools that read SQLite files.
//!
//! A decimal of up to 15 digits is stored as a number: SQLite and the shortest text of a double keep all of them. Larger
//! ones are stored as text under a declared type of TEXT affinity, because NUMERIC affinity would round them.

use arrow_schema::{DataType, Field, TimeUnit};
use levada_core::schema::{Logical, NATIVE, field, native_of, timestamp, timestamp_utc};

/// The most digits that a double, and SQLite's own conversion, keep.
const DOUBLE_DIGITS: u8 = 15;

/// A column type: Arrow's, and its meaning.
pub type Meaning = (DataType, Option<Logical>);

/// What a declared type says, or `None` where only the values can tell.
pub fn of_declared(declared: &str) -> Option<Meaning> {
    use DataType as T;
    let upper = declared.trim().trim_matches('"').to_ascii_uppercase();
    let (name, arguments) = split(&upper);
    let plain = |data_type| Some((data_type, None));
    let text = |logical| Some((T::Utf8, Some(logical)));
    match name {
        "" | "ANY" => return None,
        "SINT8" => return plain(T::Int8),
        "INT16" => return plain(T::Int16),
        "INT32" => return plain(T::Int32),
        "UINT8" => return plain(T::UInt8),
        "UINT16" => return plain(T::UInt16),
        "UINT32" => return plain(T::UInt32),
        "U64_BLOB" => return plain(T::UInt64),
        "FLOAT32" => return plain(T::Float32),
        "BOOLEAN" | "BOOL" => return plain(T::Boolean),
        "DECIMAL" | "NUMERIC" | "DECIMAL_TEXT" | "DEC" | "NUM" | "NUMBER" | "NUMBER_TEXT" => {
            return Some(decimal(&arguments).map_or((T::Utf8, Some(Logical::Number)), |decimal| (decimal, None)));
        }
        "JSON" | "JSON_TEXT" => return text(Logical::Json),
        "ENUM_TEXT" => return text(Logical::Enum),
        "BITS_TEXT" => return text(Logical::Bits),
        "PERIOD_TEXT" => return text(Logical::Interval),
        "WKB_BLOB" => return Some((T::Binary, Some(Logical::Wkb))),
        "UUID" | "GUID" | "UNIQUEIDENTIFIER" => return Some((T::FixedSizeBinary(16), Some(Logical::Uuid))),
        "DATE" => return plain(T::Date32),
        "TIME" => return plain(T::Time64(TimeUnit::Microsecond)),
        "DURATION" => return plain(T::Duration(TimeUnit::Microsecond)),
        "DATETIME" | "TIMESTAMP" | "TIMESTAMP WITHOUT TIME ZONE" => return plain(timestamp()),
        "TIMESTAMPTZ" | "TIMESTAMP WITH TIME ZONE" => return plain(timestamp_utc()),
        "TIMESTAMP_NS" => return plain(T::Timestamp(TimeUnit::Nanosecond, None)),
        "TIMESTAMPTZ_NS" => return plain(T::Timestamp(TimeUnit::Nanosecond, Some(levada_core::schema::UTC.into()))),
        _ => {}
    }
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if name.starts_with("TEXT ") && name.contains(':') {
        text(Logical::Foreign)
    } else if has(&["INT"]) {
        plain(T::Int64)
    } else if has(&["CHAR", "CLOB", "TEXT"]) {
        plain(T::Utf8)
    } else if has(&["BLOB", "BINARY", "BYTEA"]) {
        plain(T::Binary)
    } else if has(&["REAL", "FLOA", "DOUB"]) {
        plain(T::Float64)
    } else {
        None
    }
}

/// The field of a column with this declared type.
pub fn field_of(name: &str, nullable: bool, declared: &str, (data_type, logical): Meaning) -> Field {
    let native = match logical {
        Some(Logical::Foreign) => foreign_of(declared).unwrap_or_else(|| format!("sqlite:{declared}")),
        _ => format!("sqlite:{declared}"),
    };
    field(name, data_type, nullable, &native, logical)
}

fn split(declared: &str) -> (&str, Vec<i64>) {
    let Some((name, rest)) = declared.split_once('(') else { return (declared.trim_end(), Vec::new()) };
    let arguments = rest.split(')').next().unwrap_or_default();
    (name.trim_end(), arguments.split(',').map_while(|part| part.trim().parse().ok()).collect())
}

fn decimal(arguments: &[i64]) -> Option<DataType> {
    let (precision, scale) = (*arguments.first()?, arguments.get(1).copied().unwrap_or(0));
    let (p, s) = (u8::try_from(precision).ok()?, i8::try_from(scale).ok()?);
    match p {
        _ if s < 0 || scale > precision => None,
        1..=38 => Some(DataType::Decimal128(p, s)),
        39..=76 => Some(DataType::Decimal256(p, s)),
        _ => None,
    }
}

/// How many values of each storage class a column has.
#[derive(Debug, Default, Clone, Copy)]
pub struct Classes {
    /// Integers.
    pub integers: i64,
    /// Integers beyond 2^53, which a double may not hold.
    pub large_integers: i64,
    /// Reals.
    pub reals: i64,
    /// Texts.
    pub texts: i64,
    /// Blobs.
    pub blobs: i64,
}

/// The type of a column without a declared type, from all of its values: int64, float64 (number as text if some integers
/// are beyond 2^53), text, bytes; text for any mixture, blobs then as `\x` and hex, and for a column of NULLs.
pub fn of_values(classes: Classes) -> Meaning {
    let Classes { integers, large_integers, reals, texts, blobs } = classes;
    match (integers > 0, reals > 0, texts > 0, blobs > 0) {
        (true, false, false, false) => (DataType::Int64, None),
        (_, true, false, false) if large_integers > 0 => (DataType::Utf8, Some(Logical::Number)),
        (_, true, false, false) => (DataType::Float64, None),
        (false, false, false, true) => (DataType::Binary, None),
        _ => (DataType::Utf8, None),
    }
}

/// The declared type a column gets in a table that Levada makes: reading it back gives the same Arrow type.
pub fn declare(field: &Field) -> String {
    use DataType as T;
    if let Some(native) = native_of(field, "sqlite").filter(|native| keeps(native, field)) {
        return native.to_owned();
    }
    let stamp =
        |zoned: bool, ns: bool| format!("TIMESTAMP{}{}", if zoned { "TZ" } else { "" }, if ns { "_NS" } else { "" });
    let word = match (field.data_type(), Logical::of(field)) {
        (T::Utf8, Some(Logical::Json)) => "JSON_TEXT",
        (T::Utf8, Some(Logical::Number)) => "NUMBER_TEXT",
        (T::Utf8, Some(Logical::Enum)) => "ENUM_TEXT",
        (T::Utf8, Some(Logical::Bits)) => "BITS_TEXT",
        (T::Utf8, Some(Logical::Interval)) => "PERIOD_TEXT",
        (T::Utf8, Some(Logical::Foreign)) => match field.metadata().get(NATIVE) {
            Some(native) => return foreign(native),
            None => "TEXT",
        },
        (T::Binary, Some(Logical::Wkb)) => "WKB_BLOB",
        (T::Boolean, _) => "BOOLEAN",
        (T::Int8, _) => "SINT8",
        (T::Int16, _) => "INT16",
        (T::Int32, _) => "INT32",
        (T::UInt8, _) => "UINT8",
        (T::UInt16, _) => "UINT16",
        (T::UInt32, _) => "UINT32",
        (T::Int64, _) => "INTEGER",
        (T::UInt64, _) => "U64_BLOB",
        (T::Float32, _) => "FLOAT32",
        (T::Float64, _) => "DOUBLE",
        (T::Binary, _) => "BLOB",
        (T::FixedSizeBinary(_), _) => "UUID",
        (T::Date32, _) => "DATE",
        (T::Time64(_), _) => "TIME",
        (T::Duration(_), _) => "DURATION",
        (T::Timestamp(unit, zone), _) => return stamp(zone.is_some(), *unit == TimeUnit::Nanosecond),
        (T::Decimal128(p, s), _) if *p <= DOUBLE_DIGITS => return format!("DECIMAL({p},{s})"),
        (T::Decimal128(p, s) | T::Decimal256(p, s), _) => return format!("DECIMAL_TEXT({p},{s})"),
        _ => "TEXT",
    };
    word.to_owned()
}

/// Whether a declared type from another SQLite file gives this very field again, and stores its values unchanged.
fn keeps(native: &str, field: &Field) -> bool {
    let same = of_declared(native) == Some((field.data_type().clone(), Logical::of(field)));
    let safe = native.chars().all(|c| c.is_ascii_alphanumeric() || "(), _".contains(c));
    let number = match field.data_type() {
        DataType::Decimal128(p, _) => *p <= DOUBLE_DIGITS || native.contains("TEXT"),
        DataType::Decimal256(..) => native.contains("TEXT"),
        DataType::Utf8 => ["CHAR", "CLOB", "TEXT"].iter().any(|word| native.to_ascii_uppercase().contains(word)),
        _ => true,
    };
    same && safe && number
}

/// Whether numbers of a decimal type are stored as numbers under this declared type.
pub fn decimal_as_number(declared: &str) -> bool {
    !declared.to_ascii_uppercase().contains("TEXT")
}

/// `"TEXT postgres:inet"`: TEXT affinity, and the native type for the way back. `INT` anywhere in a declared type would
/// mean INTEGER affinity, which turns the text `007` into 7; hence the `%`.
fn foreign(native: &str) -> String {
    let mut name = String::new();
    for (at, c) in native.char_indices() {
        let starts_int = native[at..].get(..3).is_some_and(|word| word.eq_ignore_ascii_case("int"));
        if starts_int || c == '%' || c == '"' || c.is_control() {
            name.push_str(&format!("%{:02x}", u32::from(c).min(255)));
        } else {
            name.push(c);
        }
    }
    format!("\"TEXT {name}\"")
}

fn foreign_of(declared: &str) -> Option<String> {
    let name = declared.trim_matches('"').strip_prefix("TEXT ")?;
    let mut native = String::new();
    let mut rest = name;
    while let Some((head, tail)) = rest.split_once('%') {
        native.push_str(head);
        native.push(char::from(u8::from_str_radix(tail.get(..2)?, 16).ok()?));
        rest = &tail[2..];
    }
    native.push_str(rest);
    Some(native)
}
