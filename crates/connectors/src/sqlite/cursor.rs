//! Cursors: the order of a column's values, what a lag means in it, and which rows an incremental read takes. Integers,
//! reals and texts are compared by SQLite; values stored in other forms are compared here.

use arrow_buffer::i256;
use arrow_schema::{DataType, Field};
use levada_core::builder::ColumnBuilder;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::position::Position;
use levada_core::text;
use rusqlite::Connection;
use rusqlite::types::{Value, ValueRef};

use super::{decode, error, quote};
use levada_core::order::{self, Key};

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
        order::check(field)?;
        let lag = lag.map(|lag| Key::of_lag(field.name(), field.data_type(), lag)).transpose()?;
        let last = from.map(|from| Key::of_position(field.name(), field.data_type(), from)).transpose()?;
        let last = last.map(|(key, _)| key);
        cursor.low = last.as_ref().map(|last| last.minus(lag.as_ref()));
        let high = cursor.greatest(connection, table)?;
        let mut top = last.clone();
        if let Some((key, text)) = high
            && last.is_none_or(|last| key > last)
        {
            cursor.position = Some(order::position(&cursor.column, &text));
            top = Some(key);
        }
        cursor.mark_from = top.map(|top| top.minus(lag.as_ref()));
        Ok(cursor)
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
                Key::of_text(&self.data_type, &decode::shown(value)?)
            }
            (t, ValueRef::Text(_)) if t.is_integer() && *t != DataType::UInt64 => None,
            (t, ValueRef::Text(bytes)) => Key::of_text(t, std::str::from_utf8(bytes).ok()?),
            _ => None,
        }
    }
}

fn not_utf8(column: &str) -> Error {
    Error::new(ErrorKind::Data, format!("the greatest value of cursor `{column}` is not UTF-8"))
}
