//! Cursors: the order of a column's values, what a lag means in it, and which rows an incremental read takes. Integers,
//! reals and texts are compared by SQLite; values stored in other forms are compared here.

use arrow_buffer::i256;
use arrow_schema::{DataType, Field};
use levada_core::builder::ColumnBuilder;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::position::Position;
use levada_core::schema::{Logical, no_cursor};
use levada_core::text;
use rusqlite::Connection;
use rusqlite::types::{Value, ValueRef};
use serde_json::json;

use super::{decode, error, quote};

/// The place of a value in its column's order.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub enum Key {
    /// Whole numbers, decimals at the column's scale, and times in nanoseconds.
    Exact(i256),
    /// Floats.
    Float(f64),
    /// Texts by their bytes.
    Text(String),
}

/// An incremental read, resolved against the snapshot.
pub struct Cursor {
    column: String,
    data_type: DataType,
    /// Rows below are not read; `None` reads all, NULLs included.
    low: Option<Key>,
    /// Rows from here on will be read again.
    mark_from: Option<Key>,
    /// Where the stream stands after this read.
    pub position: Option<Position>,
}

/// Whether the values of a column have an order.
///
/// # Errors
/// `Config`, naming the column.
pub fn check(field: &Field) -> Result<()> {
    use DataType as T;
    let ordered = match (field.data_type(), Logical::of(field)) {
        (T::Utf8, logical) => matches!(logical, None | Some(Logical::Enum)),
        (T::Boolean | T::Binary | T::FixedSizeBinary(_), _) => false,
        _ => true,
    };
    if ordered { Ok(()) } else { Err(no_cursor(field)) }
}

impl Cursor {
    /// Finds the greatest value of the snapshot that `connection` has open.
    pub fn open(
        connection: &Connection,
        table: &str,
        field: &Field,
        from: Option<&Position>,
        lag: Option<&str>,
    ) -> Result<Self> {
        let mut cursor = Self {
            column: field.name().clone(),
            data_type: field.data_type().clone(),
            low: None,
            mark_from: None,
            position: from.cloned(),
        };
        check(field)?;
        let lag = lag.map(|lag| cursor.lag(lag)).transpose()?;
        let last = from.map(|from| cursor.last(from)).transpose()?;
        cursor.low = last.as_ref().map(|last| minus(last, lag.as_ref()));
        let high = cursor.greatest(connection, table)?;
        let mut top = last.clone();
        if let Some((key, text)) = high
            && last.is_none_or(|last| key > last)
        {
            cursor.position = Some(Position(json!({ "cursor": text, "column": cursor.column })));
            top = Some(key);
        }
        cursor.mark_from = top.map(|top| minus(&top, lag.as_ref()));
        Ok(cursor)
    }

    fn last(&self, from: &Position) -> Result<Key> {
        let refused = |reason: &str| Error::new(ErrorKind::Refused, format!("the stored position {reason}"));
        if from.0.get("column").and_then(|c| c.as_str()).is_some_and(|column| column != self.column) {
            return Err(refused(&format!("is of another cursor column than `{}`", self.column))
                .advise("Read everything once with `--full-refresh`, or name the old cursor again."));
        }
        let text = from.0.get("cursor").and_then(|c| c.as_str()).ok_or_else(|| refused("has no cursor value"))?;
        key_of_text(&self.data_type, text).ok_or_else(|| {
            refused(&format!("is `{text}`, which is not a value of column `{}` as it is now", self.column))
        })
    }

    /// Whether SQLite's own comparison is the column's order.
    fn is_native(&self) -> bool {
        let integer = self.data_type.is_integer() && self.data_type != DataType::UInt64;
        integer || matches!(self.data_type, DataType::Utf8 | DataType::Float64 | DataType::Float32)
    }

    /// The greatest value from `low` on, and its exact text.
    fn greatest(&self, connection: &Connection, table: &str) -> Result<Option<(Key, String)>> {
        let (column, table) = (quote(&self.column), quote(table));
        let class = match self.data_type {
            DataType::Utf8 => "'text'",
            DataType::Float64 | DataType::Float32 => "'real', 'integer'",
            _ => "'integer'",
        };
        let sql = if self.is_native() {
            format!("SELECT max({column} COLLATE BINARY) FROM {table} WHERE typeof({column}) IN ({class})")
        } else {
            format!("SELECT {column} FROM {table} WHERE {column} IS NOT NULL")
        };
        let mut statement = connection.prepare(&sql).map_err(error::of)?;
        let mut rows = statement.query([]).map_err(error::of)?;
        let mut greatest: Option<(Key, Value)> = None;
        while let Some(row) = rows.next().map_err(error::of)? {
            let value = row.get_ref(0).map_err(error::of)?;
            if let Some(key) = self.key(value)
                && greatest.as_ref().is_none_or(|(top, _)| key > *top)
            {
                greatest = Some((key, Value::try_from(value).map_err(|_| not_utf8(&self.column))?));
            }
        }
        let Some((key, value)) = greatest.filter(|(key, _)| self.low.as_ref().is_none_or(|low| key >= low)) else {
            return Ok(None);
        };
        let mut builder = ColumnBuilder::new(&self.data_type)?;
        decode::push(&mut builder, (&value).into(), false).map_err(|reason| Error::new(ErrorKind::Data, reason))?;
        Ok(text::value(&builder.finish(), 0).map(|text| (key, text)))
    }

    /// What to add to the query, and the value it compares with.
    pub fn condition(&self) -> Option<(String, Value)> {
        let column = quote(&self.column);
        let value = match self.low.as_ref().filter(|_| self.is_native())? {
            Key::Exact(low) => Value::Integer(
                low.to_i128()
                    .map_or(i64::MIN, |low| i64::try_from(low).unwrap_or(if low < 0 { i64::MIN } else { i64::MAX })),
            ),
            Key::Float(low) => Value::Real(*low),
            Key::Text(low) => return Some((format!("{column} COLLATE BINARY >= ?1"), Value::Text(low.clone()))),
        };
        Some((format!("{column} >= ?1"), value))
    }

    /// The cursor's column, quoted.
    pub fn column(&self) -> &str {
        &self.column
    }

    /// Whether a row with this cursor value is read. Values that are not of the column's type are: they become rejects.
    pub fn takes(&self, value: ValueRef<'_>) -> bool {
        match (&self.low, value) {
            (None, _) => true,
            (Some(_), ValueRef::Null) => false,
            (Some(low), value) => self.key(value).is_none_or(|key| key >= *low),
        }
    }

    /// Whether a later read will see this row again.
    pub fn marks(&self, value: ValueRef<'_>) -> bool {
        self.mark_from.as_ref().is_some_and(|mark| self.key(value).is_some_and(|key| key >= *mark))
    }

    fn key(&self, value: ValueRef<'_>) -> Option<Key> {
        match (&self.data_type, value) {
            (DataType::Utf8, ValueRef::Text(bytes)) => std::str::from_utf8(bytes).ok().map(|t| Key::Text(t.to_owned())),
            (DataType::Float64 | DataType::Float32, ValueRef::Real(value)) => Some(Key::Float(value)),
            (DataType::Float64 | DataType::Float32, ValueRef::Integer(value)) => Some(Key::Float(value as f64)),
            (t, ValueRef::Integer(value)) if t.is_integer() => Some(Key::Exact(i256::from(value))),
            (DataType::Decimal128(..) | DataType::Decimal256(..), ValueRef::Integer(_) | ValueRef::Real(_)) => {
                key_of_text(&self.data_type, &decode::shown(value)?)
            }
            (t, ValueRef::Text(_)) if t.is_integer() && *t != DataType::UInt64 => None,
            (t, ValueRef::Text(bytes)) => key_of_text(t, std::str::from_utf8(bytes).ok()?),
            _ => None,
        }
    }

    fn lag(&self, lag: &str) -> Result<Key> {
        let wrong = |what: &str| {
            Error::new(ErrorKind::Config, format!("the lag `{lag}` of cursor `{}` is not {what}", self.column))
        };
        let key = match &self.data_type {
            DataType::Utf8 => return Err(wrong("possible: texts have no distance")),
            DataType::Float64 | DataType::Float32 => {
                lag.parse().ok().filter(|lag: &f64| *lag >= 0.0).map(Key::Float).ok_or_else(|| wrong("a number"))?
            }
            t if t.is_temporal() => {
                duration_ns(lag).map(Key::Exact).ok_or_else(|| wrong("a duration such as `5m`, `2h` or `1d`"))?
            }
            t => key_of_text(t, lag).ok_or_else(|| wrong("a number that the column could hold"))?,
        };
        Ok(key)
    }
}

fn not_utf8(column: &str) -> Error {
    Error::new(ErrorKind::Data, format!("the greatest value of cursor `{column}` is not UTF-8"))
}

fn minus(key: &Key, lag: Option<&Key>) -> Key {
    match (key, lag) {
        (Key::Exact(key), Some(Key::Exact(lag))) => Key::Exact(key.wrapping_sub(*lag)),
        (Key::Float(key), Some(Key::Float(lag))) => Key::Float(key - lag),
        (key, _) => key.clone(),
    }
}

/// The key of a value written as text.
fn key_of_text(data_type: &DataType, value: &str) -> Option<Key> {
    let exact = |number: i128| Some(Key::Exact(i256::from_i128(number)));
    match data_type {
        DataType::Utf8 => Some(Key::Text(value.to_owned())),
        DataType::Float64 | DataType::Float32 => value.parse().ok().map(Key::Float),
        DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale) => {
            let (negative, mut digits, has) = text::parse_decimal(value)?;
            let zeros = usize::try_from(i32::from(*scale) - has).ok()?;
            digits.extend(std::iter::repeat_n('0', zeros));
            let number = i256::from_string(&digits)?;
            Some(Key::Exact(if negative { number.wrapping_neg() } else { number }))
        }
        DataType::Date32 | DataType::Timestamp(..) => match text::parse_date(value) {
            Some(days) => exact(i128::from(days) * 86_400_000_000_000),
            None => {
                let (seconds, nanos, _) = text::parse_timestamp(value)?;
                exact(i128::from(seconds) * 1_000_000_000 + i128::from(nanos))
            }
        },
        DataType::Time64(_) => exact(i128::from(text::parse_time(value)?)),
        DataType::Duration(_) => exact(i128::from(text::parse_duration(value)?) * 1000),
        _ => exact(value.parse().ok()?),
    }
}

fn duration_ns(lag: &str) -> Option<i256> {
    let lag = lag.trim();
    let unit_at = lag.find(|c: char| !c.is_ascii_digit())?;
    let number: i128 = lag[..unit_at].parse().ok()?;
    let unit: i128 = match &lag[unit_at..] {
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        "w" => 604_800_000_000_000,
        _ => return None,
    };
    number.checked_mul(unit).map(i256::from_i128)
}
