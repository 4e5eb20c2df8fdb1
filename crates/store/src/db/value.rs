//! The values that statements take and give: whole numbers, text, bytes, and nothing. Instants are microseconds.

use bytes::BytesMut;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::id::{BackfillId, RunId, TaskRunId, TokenId, UserId, WorkerId};
use levada_core::time::Timestamp;
use tokio_postgres::types::{FromSql, IsNull, Kind, ToSql, Type, to_sql_checked};

type Failure = Box<dyn std::error::Error + Sync + Send>;

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A whole number.
    Int(i64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Several of one kind, for a parameter of PostgreSQL.
    List(Vec<Value>),
}

/// One row of an answer, its values taken from left to right.
#[derive(Debug, Clone)]
pub struct Row {
    values: std::vec::IntoIter<Value>,
}

impl Row {
    pub(super) fn new(values: Vec<Value>) -> Self {
        Self { values: values.into_iter() }
    }

    /// All values that are left.
    pub fn into_values(self) -> Vec<Value> {
        self.values.collect()
    }

    fn next(&mut self) -> Value {
        self.values.next().unwrap_or(Value::Null)
    }

    /// The next value, a number.
    pub fn int(&mut self) -> Result<i64> {
        self.int_or_null()?.ok_or_else(|| unexpected("a number", "nothing"))
    }

    /// The next value, a number or nothing.
    pub fn int_or_null(&mut self) -> Result<Option<i64>> {
        match self.next() {
            Value::Null => Ok(None),
            Value::Int(number) => Ok(Some(number)),
            Value::Text(_) | Value::Bytes(_) | Value::List(_) => Err(unexpected("a number", "text")),
        }
    }

    /// The next value, a number that counts.
    pub fn count(&mut self) -> Result<u64> {
        let number = self.int()?;
        u64::try_from(number).map_err(|_| unexpected("a count", "a negative number"))
    }

    /// The next value, a small number that counts.
    pub fn small(&mut self) -> Result<u32> {
        let number = self.int()?;
        u32::try_from(number).map_err(|_| unexpected("a small count", "a number out of its range"))
    }

    /// The next value, whether something is so.
    pub fn flag(&mut self) -> Result<bool> {
        Ok(self.int()? != 0)
    }

    /// The next value, text.
    pub fn text(&mut self) -> Result<String> {
        self.text_or_null()?.ok_or_else(|| unexpected("text", "nothing"))
    }

    /// The next value, text or nothing.
    pub fn text_or_null(&mut self) -> Result<Option<String>> {
        match self.next() {
            Value::Null => Ok(None),
            Value::Text(text) => Ok(Some(text)),
            Value::Int(_) | Value::Bytes(_) | Value::List(_) => Err(unexpected("text", "something else")),
        }
    }

    /// The next value, bytes.
    pub fn bytes(&mut self) -> Result<Vec<u8>> {
        match self.next() {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(unexpected("bytes", "something else")),
        }
    }

    /// The next value, an instant.
    pub fn time(&mut self) -> Result<Timestamp> {
        self.int().map(Timestamp::from_micros)
    }

    /// The next value, an instant or nothing.
    pub fn time_or_null(&mut self) -> Result<Option<Timestamp>> {
        Ok(self.int_or_null()?.map(Timestamp::from_micros))
    }
}

fn unexpected(wanted: &str, found: &str) -> Error {
    Error::new(ErrorKind::Internal, format!("the metadata store holds {found} where {wanted} belongs"))
        .advise("The store was changed by other hands; restore its last copy.")
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Int(number.into())
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::Int(number.into())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Int(flag.into())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<Timestamp> for Value {
    fn from(time: Timestamp) -> Self {
        Self::Int(time.as_micros())
    }
}

macro_rules! from_id {
    ($($id:ident)*) => {$(
        impl From<$id> for Value {
            fn from(id: $id) -> Self {
                Self::Int(id.0)
            }
        }
    )*};
}

from_id! { RunId TaskRunId WorkerId BackfillId UserId TokenId }

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl ToSql for Value {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(number) if *kind == Type::INT4 => i32::try_from(*number)?.to_sql(kind, out),
            Self::Int(number) => number.to_sql(kind, out),
            Self::Text(text) => text.to_sql(kind, out),
            Self::Bytes(bytes) => bytes.to_sql(kind, out),
            Self::List(values) => values.to_sql(kind, out),
        }
    }

    fn accepts(kind: &Type) -> bool {
        let one = |kind: &Type| matches!(*kind, Type::INT4 | Type::INT8 | Type::TEXT | Type::VARCHAR | Type::BYTEA);
        match kind.kind() {
            Kind::Array(member) => one(member),
            _ => one(kind),
        }
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Failure> {
        match *kind {
            Type::INT8 => i64::from_sql(kind, raw).map(Self::Int),
            Type::INT4 => i32::from_sql(kind, raw).map(|number| Self::Int(number.into())),
            Type::BOOL => bool::from_sql(kind, raw).map(|flag| Self::Int(flag.into())),
            Type::BYTEA => Ok(Self::Bytes(raw.to_vec())),
            _ => String::from_sql(kind, raw).map(Self::Text),
        }
    }

    fn from_sql_null(_: &Type) -> Result<Self, Failure> {
        Ok(Self::Null)
    }

    fn accepts(kind: &Type) -> bool {
        matches!(*kind, Type::INT4 | Type::INT8 | Type::BOOL | Type::TEXT | Type::VARCHAR | Type::BYTEA | Type::NAME)
    }
}
