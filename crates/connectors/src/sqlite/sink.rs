//! Rows into the target: bound value by value to prepared statements, inserted or merged by key, each refused row found.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Decimal256Type, DurationMicrosecondType, Float32Type, Float64Type,
    Int8Type, Int16Type, Int32Type, Int64Type, Time64MicrosecondType, TimestampMicrosecondType,
    TimestampNanosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, RecordBatch};
use arrow_buffer::i256;
use arrow_schema::{DataType, SchemaRef, TimeUnit};
use levada_core::batch::Reject;
use levada_core::cast::quoted;
use levada_core::destination::{Accepted, Durable};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::schema::native_of;
use levada_core::text;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, Statement};

use super::backup::stored::{is_stored, is_tagged, untagged};
use super::{error, quote, types};

/// The keys of this load, in the connection's own temporary database.
const SEEN: &str = "temp._levada_seen";

/// What the buffer for texts keeps after a huge one.
const SCRATCH_BYTES: usize = 64 << 10;

/// What takes the rows of one load.
pub struct Sink<'c> {
    connection: &'c Connection,
    schema: SchemaRef,
    stores: Vec<Store>,
    insert: Statement<'c>,
    merge: Option<Merge<'c>>,
    quarantine: bool,
    scratch: String,
    /// What happened to the target so far.
    pub durable: Durable,
}

/// How the values of a column are stored.
#[derive(Clone, Copy)]
enum Store {
    /// As the type says.
    Plain,
    /// A decimal of this scale as a number.
    Number(i8),
    /// Text in a column whose affinity turns texts that look like numbers into numbers.
    Numeric,
    /// What its text says, by its storage class.
    Tagged,
}

struct Merge<'c> {
    keys: Vec<usize>,
    order: Option<usize>,
    target_was_empty: bool,
    see: Statement<'c>,
    is_later: Statement<'c>,
    reorder: Statement<'c>,
    forget: Statement<'c>,
    update: Statement<'c>,
}

/// Why a row did not get in.
enum Refusal {
    Row(String),
    Fatal(Error),
}

impl From<rusqlite::Error> for Refusal {
    fn from(refused: rusqlite::Error) -> Self {
        let is_row = error::is_row(&refused);
        let error = error::of(refused);
        if is_row { Self::Row(error.message().to_owned()) } else { Self::Fatal(error) }
    }
}

impl<'c> Sink<'c> {
    /// Prepares the statements for a target that has all columns of `schema`.
    pub fn new(connection: &'c Connection, target: &str, schema: &SchemaRef, quarantine: bool) -> Result<Self> {
        let columns: Vec<String> = schema.fields().iter().map(|field| quote(field.name())).collect();
        let values: Vec<String> = (1..=columns.len()).map(|number| format!("?{number}")).collect();
        let insert = if columns.is_empty() {
            format!("INSERT INTO {} DEFAULT VALUES", quote(target))
        } else {
            format!("INSERT INTO {} ({}) VALUES ({})", quote(target), columns.join(", "), values.join(", "))
        };
        let stores = schema.fields().iter().map(|field| {
            let declared = native_of(field, "sqlite").unwrap_or("TEXT");
            match field.data_type() {
                _ if is_tagged(field) => Store::Tagged,
                _ if is_stored(field) => Store::Plain,
                DataType::Decimal128(p, s) if *p <= 15 && types::decimal_as_number(declared) => Store::Number(*s),
                DataType::Decimal128(..) | DataType::Decimal256(..) | DataType::Utf8 if is_numeric(declared) => {
                    Store::Numeric
                }
                _ => Store::Plain,
            }
        });
        Ok(Self {
            connection,
            schema: schema.clone(),
            stores: stores.collect(),
            insert: connection.prepare(&insert).map_err(error::of)?,
            merge: None,
            quarantine,
            scratch: String::new(),
            durable: Durable::default(),
        })
    }

    /// Makes it merge by key; of two rows with one key the one with the greater order value wins, else the later one.
    pub fn merge_by(mut self, target: &str, keys: &[String], order: Option<&str>) -> Result<Self> {
        let place = |name: &str| {
            self.schema.index_of(name).map_err(|_| {
                Error::new(ErrorKind::Schema, format!("the load does not bring column `{name}`, which it merges by"))
            })
        };
        let key_places = keys.iter().map(|key| place(key)).collect::<Result<Vec<_>>>()?;
        let order = order.map(place).transpose()?;
        let order_number = self.schema.fields().len() + 1;
        let names: Vec<String> = (0..keys.len()).map(|number| format!("k{number}")).collect();
        let numbers: Vec<String> = key_places.iter().map(|at| format!("?{}", at + 1)).collect();
        let seen_where: Vec<String> =
            names.iter().zip(&numbers).map(|(name, number)| format!("{name} = {number}")).collect();
        let seen_where = seen_where.join(" AND ");
        let (names, numbers_list) = (names.join(", "), numbers.join(", "));
        self.connection
            .execute_batch(&format!(
                "CREATE TEMP TABLE _levada_seen ({names}, ord, PRIMARY KEY ({names})) WITHOUT ROWID"
            ))
            .map_err(error::of)?;
        let prepare = |sql: String| self.connection.prepare(&sql).map_err(error::of);
        let (mut sets, mut wheres) = (Vec::new(), Vec::new());
        for (at, field) in self.schema.fields().iter().enumerate() {
            let pair = format!("{} = ?{}", quote(field.name()), at + 1);
            if key_places.contains(&at) { wheres.push(pair) } else { sets.push(pair) }
        }
        if sets.is_empty() {
            sets.clone_from(&wheres);
        }
        let target_was_empty = !self
            .connection
            .query_row(&format!("SELECT EXISTS (SELECT 1 FROM {})", quote(target)), [], |row| row.get::<_, bool>(0))
            .map_err(error::of)?;
        self.merge = Some(Merge {
            see: prepare(format!("INSERT OR IGNORE INTO {SEEN} VALUES ({numbers_list}, ?{order_number})"))?,
            is_later: prepare(format!("SELECT ord IS NULL OR ord <= ?{order_number} FROM {SEEN} WHERE {seen_where}"))?,
            reorder: prepare(format!("UPDATE {SEEN} SET ord = ?{order_number} WHERE {seen_where}"))?,
            forget: prepare(format!("DELETE FROM {SEEN} WHERE {seen_where}"))?,
            update: prepare(format!(
                "UPDATE {} SET {} WHERE {}",
                quote(target),
                sets.join(", "),
                wheres.join(" AND ")
            ))?,
            keys: key_places,
            order,
            target_was_empty,
        });
        Ok(self)
    }

    /// Takes the rows of a batch, one by one.
    ///
    /// # Errors
    /// `Data` for a refused row without a quarantine; whatever ends the transaction.
    pub fn take(&mut self, batch: &RecordBatch) -> Result<Accepted> {
        let mut accepted = Accepted::default();
        for row in 0..batch.num_rows() {
            let taken = if self.merge.is_some() { self.merge_row(batch, row) } else { self.insert_row(batch, row) };
            match taken {
                Ok(()) => accepted.rows += 1,
                Err(Refusal::Row(reason)) if self.connection.is_autocommit() => {
                    return Err(Error::new(ErrorKind::Data, format!("{reason}, which ended the whole transaction")));
                }
                Err(Refusal::Row(reason)) if self.quarantine => {
                    accepted.rejects.push(Reject { row: text::row_json(batch, row), column: None, reason });
                }
                Err(Refusal::Row(reason)) => {
                    return Err(Error::new(ErrorKind::Data, format!("SQLite refused a row: {reason}")));
                }
                Err(Refusal::Fatal(error)) => return Err(error),
            }
        }
        // Statements keep their copies of the last row's values, however huge.
        self.insert.clear_bindings();
        self.scratch.shrink_to(SCRATCH_BYTES);
        Ok(accepted)
    }

    fn insert_row(&mut self, batch: &RecordBatch, row: usize) -> Result<(), Refusal> {
        for (at, column) in batch.columns().iter().enumerate() {
            bind(&mut self.insert, at, column, row, self.stores[at], &mut self.scratch)?;
        }
        if self.insert.raw_execute()? != 1 {
            let reason = "the table dropped it: a constraint with ON CONFLICT IGNORE or a trigger with RAISE(IGNORE)";
            return Err(Refusal::Row(reason.to_owned()));
        }
        self.durable.inserted += 1;
        Ok(())
    }

    fn merge_row(&mut self, batch: &RecordBatch, row: usize) -> Result<(), Refusal> {
        let Some(merge) = &mut self.merge else { return Ok(()) };
        let (stores, scratch) = (&self.stores, &mut self.scratch);
        let order_number = batch.num_columns() + 1;
        let order = merge.order.map_or(Value::Null, |at| order_value(batch.column(at), row));
        let mut keyed = |statement: &mut Statement<'_>| -> Result<(), Refusal> {
            for at in &merge.keys {
                bind(statement, *at, batch.column(*at), row, stores[*at], scratch)?;
            }
            Ok(())
        };
        keyed(&mut merge.see)?;
        merge.see.raw_bind_parameter(order_number, &order)?;
        let first = merge.see.raw_execute()? == 1;
        if !first && merge.order.is_some() {
            keyed(&mut merge.is_later)?;
            merge.is_later.raw_bind_parameter(order_number, &order)?;
            let mut rows = merge.is_later.raw_query();
            let later = rows.next()?.map(|row| row.get::<_, Option<bool>>(0)).transpose()?.flatten();
            drop(rows);
            if later != Some(true) {
                self.durable.superseded += 1;
                return Ok(());
            }
        }
        let mut updated = 0;
        let mut outcome = Ok(());
        if !(first && merge.target_was_empty) {
            for (at, column) in batch.columns().iter().enumerate() {
                bind(&mut merge.update, at, column, row, stores[at], scratch)?;
            }
            match merge.update.raw_execute() {
                Ok(count) => updated = count,
                Err(refused) => outcome = Err(refused.into()),
            }
            merge.update.clear_bindings();
        }
        if outcome.is_ok() && updated == 0 {
            outcome = self.insert_row(batch, row);
        } else if outcome.is_ok() && first {
            self.durable.updated += 1;
        }
        self.after_merge(batch, row, first, &order, outcome)
    }

    /// Keeps the list of seen keys true to what became of the row.
    fn after_merge(
        &mut self,
        batch: &RecordBatch,
        row: usize,
        first: bool,
        order: &Value,
        outcome: Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let Some(merge) = &mut self.merge else { return outcome };
        let statement = match (&outcome, first) {
            (Ok(()), true) | (Err(_), false) => return outcome,
            (Ok(()), false) => &mut merge.reorder,
            (Err(_), true) => &mut merge.forget,
        };
        for at in &merge.keys {
            bind(statement, *at, batch.column(*at), row, self.stores[*at], &mut self.scratch)?;
        }
        if outcome.is_ok() {
            statement.raw_bind_parameter(batch.num_columns() + 1, order)?;
            self.durable.superseded += 1;
        }
        statement.raw_execute()?;
        outcome
    }
}

/// Whether a declared type has an affinity that turns text into numbers (SQLite's manual, "Datatypes", section 3.1).
fn is_numeric(declared: &str) -> bool {
    let declared = declared.to_ascii_uppercase();
    let has = |words: &[&str]| words.iter().any(|word| declared.contains(word));
    has(&["INT"]) || !(declared.is_empty() || has(&["CHAR", "CLOB", "TEXT", "BLOB"]))
}

/// Binds one value to parameter `at + 1`.
fn bind(
    statement: &mut Statement<'_>,
    at: usize,
    column: &dyn Array,
    row: usize,
    store: Store,
    scratch: &mut String,
) -> Result<(), Refusal> {
    use DataType as T;
    scratch.clear();
    let value = if column.is_null(row) {
        ValueRef::Null
    } else {
        match column.data_type() {
            T::Utf8 if matches!(store, Store::Tagged) => {
                let (value, is_text) = untagged(column.as_string::<i32>().value(row)).map_err(Refusal::Row)?;
                let value = match &value {
                    Value::Blob(bytes) if is_text => ValueRef::Text(bytes),
                    value => ValueRef::from(value),
                };
                statement.raw_bind_parameter(at + 1, ToSqlOutput::Borrowed(value))?;
                return Ok(());
            }
            T::Utf8 if matches!(store, Store::Plain) => ValueRef::Text(column.as_string::<i32>().value(row).as_bytes()),
            _ if let Some(integer) = integer(column, row) => ValueRef::Integer(integer),
            T::Boolean => ValueRef::Integer(column.as_boolean().value(row).into()),
            T::Float32 => float(f64::from(column.as_primitive::<Float32Type>().value(row))),
            T::Float64 => float(column.as_primitive::<Float64Type>().value(row)),
            T::Binary => ValueRef::Blob(column.as_binary::<i32>().value(row)),
            T::UInt64 if column.as_primitive::<UInt64Type>().value(row) <= i64::MAX as u64 => {
                ValueRef::Integer(column.as_primitive::<UInt64Type>().value(row) as i64)
            }
            T::Decimal128(..) if let Store::Number(scale) = store => {
                number(column.as_primitive::<Decimal128Type>().value(row), scale)
            }
            _ => {
                text::write_value(scratch, column, row);
                if let (T::Timestamp(..), Some(at)) = (column.data_type(), scratch.find('T')) {
                    // as SQLite's own functions print it, so that texts compare
                    scratch.replace_range(at..=at, " ");
                }
                if matches!(store, Store::Numeric) && !survives(scratch) {
                    let what = "would be changed into another number by the affinity of its column";
                    return Err(Refusal::Row(format!("{} {what}", quoted(scratch))));
                }
                ValueRef::Text(scratch.as_bytes())
            }
        }
    };
    statement.raw_bind_parameter(at + 1, ToSqlOutput::Borrowed(value))?;
    Ok(())
}

/// The value of a column of whole numbers that all fit into SQLite's integers.
fn integer(column: &dyn Array, row: usize) -> Option<i64> {
    use DataType as T;
    Some(match column.data_type() {
        T::Int8 => column.as_primitive::<Int8Type>().value(row).into(),
        T::Int16 => column.as_primitive::<Int16Type>().value(row).into(),
        T::Int32 => column.as_primitive::<Int32Type>().value(row).into(),
        T::Int64 => column.as_primitive::<Int64Type>().value(row),
        T::UInt8 => column.as_primitive::<UInt8Type>().value(row).into(),
        T::UInt16 => column.as_primitive::<UInt16Type>().value(row).into(),
        T::UInt32 => column.as_primitive::<UInt32Type>().value(row).into(),
        _ => return None,
    })
}

/// SQLite stores NaN as NULL; as text it stays what it is, even in a column of REAL affinity.
fn float(value: f64) -> ValueRef<'static> {
    if value.is_nan() { ValueRef::Text(b"NaN") } else { ValueRef::Real(value) }
}

/// A decimal of at most 15 digits as an integer, or as the double nearest to it: both operands of the division are exact.
fn number(unscaled: i128, scale: i8) -> ValueRef<'static> {
    let power = 10_i128.pow(u32::from(scale.unsigned_abs()));
    match i64::try_from(unscaled / power) {
        Ok(whole) if unscaled % power == 0 => ValueRef::Integer(whole),
        _ => ValueRef::Real(unscaled as f64 / power as f64),
    }
}

/// Whether a text keeps its meaning in a column of NUMERIC affinity: it is no number there, or one of up to 15 digits
/// without leading zeros and the like.
fn survives(value: &str) -> bool {
    match text::parse_decimal(value.trim()) {
        None => !value.trim().starts_with("0x"),
        Some((_, digits, _)) => {
            let body = value.trim_start_matches('-');
            let plain = body.bytes().all(|b| b.is_ascii_digit() || b == b'.') && !body.ends_with('.');
            let padded = body.len() > 1 && body.starts_with('0') && !body.starts_with("0.");
            digits.len() <= 15 && plain && !padded
        }
    }
}

/// A value that SQLite orders as the column does.
fn order_value(column: &dyn Array, row: usize) -> Value {
    use DataType as T;
    fn long<T: ArrowPrimitiveType<Native: Into<i64>>>(column: &dyn Array, row: usize) -> Value {
        Value::Integer(column.as_primitive::<T>().value(row).into())
    }
    /// Big-endian with the sign bit turned: bytes in the order of the numbers.
    fn wide(value: i256) -> Value {
        let mut bytes = value.to_be_bytes();
        bytes[0] ^= 0x80;
        Value::Blob(bytes.to_vec())
    }
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        T::UInt64 => wide(i256::from_i128(column.as_primitive::<UInt64Type>().value(row).into())),
        T::Decimal128(..) => wide(i256::from_i128(column.as_primitive::<Decimal128Type>().value(row))),
        T::Decimal256(..) => wide(column.as_primitive::<Decimal256Type>().value(row)),
        T::Float32 => Value::Real(column.as_primitive::<Float32Type>().value(row).into()),
        T::Float64 => Value::Real(column.as_primitive::<Float64Type>().value(row)),
        T::Date32 => long::<Date32Type>(column, row),
        T::Time64(_) => long::<Time64MicrosecondType>(column, row),
        T::Duration(_) => long::<DurationMicrosecondType>(column, row),
        T::Timestamp(TimeUnit::Nanosecond, _) => long::<TimestampNanosecondType>(column, row),
        T::Timestamp(..) => long::<TimestampMicrosecondType>(column, row),
        _ if let Some(integer) = integer(column, row) => Value::Integer(integer),
        _ => text::value(column, row).map_or(Value::Null, Value::Text),
    }
}
