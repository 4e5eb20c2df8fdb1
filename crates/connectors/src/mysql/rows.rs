//! Tables of MySQL and MariaDB as the data API serves them. There are no partial indexes, so a unique column of a table that
//! keeps deleted rows is unique together with a column that the server computes: 1 for rows that are there, NULL, which
//! equals nothing, for deleted ones.

use std::borrow::Cow;

use arrow_schema::{DataType, Field, TimeUnit};
use futures_util::future::BoxFuture;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::rows::{Answer, Cell, Column, DELETED_AT, Kind, OnDelete, Reason, ReportRequest, Table, Tables};
use levada_core::schema::{Logical, field, native_of};
use levada_core::text;
use mysql_async::consts::{ColumnFlags, ColumnType};
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Params, Value};
use std::sync::{Arc, OnceLock};

use super::config::Config;
use super::error::{code, from_driver};
use super::query::{explained, text_of};
use super::session::{self, Flavor, execute, quoted};
use super::wire::Client;
use super::{discover, native};
use crate::kit::query;
use crate::kit::rows::{self, Builder, Database, Existing, Fault, Insert, PARAMS_MAX, Query, Words};

/// The column that is 1 for rows that are there, and NULL for deleted ones.
const LIVE: &str = "levada_live";
/// The most characters of a text that can be unique: an index takes 3072 bytes.
const UNIQUE_CHARS_MAX: u32 = 750;
/// What a text that is unique has, where the collection sets no limit.
const UNIQUE_CHARS_DEFAULT: u32 = 255;
/// The most characters of a text that is kept in its row.
const VARCHAR_MAX: u32 = 4_000;

/// A database whose tables are served.
pub struct Served {
    config: Arc<Config>,
    /// Which server it is, once a session was opened.
    flavor: OnceLock<Flavor>,
}

impl Served {
    /// The tables of a database.
    pub fn new(config: Arc<Config>) -> Self {
        Self { config, flavor: OnceLock::new() }
    }
}

/// A session.
pub struct RowSession {
    conn: Conn,
    /// The distance between the numbers that the server gives.
    step: i64,
}

const WORDS: Words = Words { begin: "START TRANSACTION", for_update: " FOR UPDATE", for_share: " LOCK IN SHARE MODE" };

impl Database for Served {
    type Session = RowSession;

    fn address(&self) -> String {
        self.config.address()
    }

    fn words(&self) -> &'static Words {
        &WORDS
    }

    fn open(&self) -> BoxFuture<'_, Result<RowSession>> {
        Box::pin(async {
            let mut conn = session::open(&self.config).await?;
            let _ = self.flavor.set(Flavor::of(&mut conn).await?);
            // every statement sees what is committed: what is looked up before a change is what is there
            execute(&mut conn, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED").await?;
            let step: Option<i64> = conn.query_first("SELECT @@auto_increment_increment").await.map_err(from_driver)?;
            Ok(RowSession { conn, step: step.unwrap_or(1) })
        })
    }

    fn quote(&self, name: &str) -> String {
        quoted(name)
    }

    fn table(&self, table: &Table) -> String {
        match &table.namespace {
            Some(namespace) => format!("{}.{}", quoted(namespace), quoted(&table.table)),
            None => quoted(&table.table),
        }
    }

    fn param(&self, _: usize, _: Kind) -> String {
        "?".to_owned()
    }

    fn describe<'a>(
        &'a self,
        session: &'a mut RowSession,
        table: &'a Table,
    ) -> BoxFuture<'a, Result<Option<Existing>>> {
        Box::pin(async move {
            if let Some(namespace) = &table.namespace {
                let message =
                    format!("`{namespace}.{}`: a connection serves the tables of its own database", table.table);
                return Err(Error::new(ErrorKind::Schema, message).advise("Write the table's name alone."));
            }
            let tables = discover::tables(&mut session.conn, Some(&table.table)).await?;
            let Some(found) = tables.into_iter().find(|found| found.name == table.table) else { return Ok(None) };
            let mut unique: Vec<Vec<String>> = found.unique.iter().map(|key| key.columns.clone()).collect();
            for columns in &mut unique {
                columns.retain(|column| column != LIVE);
            }
            let fields = found.columns.into_iter().filter(|column| column.field.name() != LIVE);
            Ok(Some(Existing { fields: fields.map(|column| column.field).collect(), unique }))
        })
    }

    fn create(&self, missing: &[&Table], tables: &Tables) -> Result<Vec<String>> {
        let mut statements = Vec::new();
        for table in missing {
            let mut parts = Vec::with_capacity(table.columns.len() + 4);
            for column in &table.columns {
                parts.push(self.definition(table, column, tables)?);
            }
            if table.soft_delete {
                let (deleted, live) = (quoted(DELETED_AT), quoted(LIVE));
                parts.push(format!("{deleted} datetime(6)"));
                let computed = format!("IF({deleted} IS NULL, 1, NULL)");
                parts.push(format!("{live} tinyint GENERATED ALWAYS AS ({computed}) VIRTUAL"));
            }
            parts.push(format!("PRIMARY KEY ({})", quoted(&table.key)));
            for column in table.columns.iter().filter(|column| column.unique) {
                let live = if table.soft_delete { format!(", {}", quoted(LIVE)) } else { String::new() };
                parts.push(format!("UNIQUE ({}{live})", quoted(&column.name)));
            }
            statements.push(format!(
                "CREATE TABLE {} ({}) ENGINE = InnoDB DEFAULT CHARACTER SET = utf8mb4",
                self.table(table),
                parts.join(", ")
            ));
        }
        for table in missing {
            for column in &table.columns {
                let Some(reference) = &column.references else { continue };
                let action = match reference.on_delete {
                    OnDelete::Restrict => "RESTRICT",
                    OnDelete::Cascade => "CASCADE",
                    OnDelete::SetNull => "SET NULL",
                };
                statements.push(format!(
                    "ALTER TABLE {} ADD FOREIGN KEY ({}) REFERENCES {} ({}) ON DELETE {action}",
                    self.table(table),
                    quoted(&column.name),
                    self.table(tables.get(&reference.table)?),
                    quoted(&reference.column)
                ));
            }
        }
        Ok(statements)
    }

    fn fits(&self, kind: Kind, field: &Field) -> bool {
        let native = native_of(field, "mysql").and_then(native::Native::parse);
        match (kind, field.data_type()) {
            (Kind::Boolean, DataType::Int8) => native.is_some_and(|native| native.length() == Some(1)),
            (Kind::Timestamp, DataType::Timestamp(TimeUnit::Microsecond, _)) => {
                native.is_some_and(|native| native.fraction_digits() == 6)
            }
            (Kind::Uuid, DataType::Utf8) => native.is_some_and(|native| native.length() == Some(36)),
            // a text that is valid JSON is JSON to MariaDB
            (Kind::Text, DataType::Utf8) => {
                !matches!(Logical::of(field), Some(Logical::Foreign)) && rows::fits(kind, field)
            }
            _ => rows::fits(kind, field),
        }
    }

    fn report<'a>(&'a self, request: &'a ReportRequest) -> BoxFuture<'a, Result<Answer>> {
        Box::pin(async move {
            let mut guard = session::open(&self.config).await?;
            let mut client = session::open_reader(&self.config).await?;
            let id = client.id();
            let answer = query::within(request.time_max, self.config.address(), async {
                let limit = match Flavor::of(&mut guard).await?.mariadb {
                    true => format!("SET max_statement_time = {}", request.time_max.as_secs().max(1)),
                    false => format!("SET max_execution_time = {}", request.time_max.as_millis()),
                };
                client.execute(&limit).await?;
                client.execute("START TRANSACTION READ ONLY").await?;
                answer(&mut client, request).await.map_err(explained)
            })
            .await;
            match &answer {
                Ok(_) => client.close().await,
                Err(_) => {
                    drop(client);
                    let _ = execute(&mut guard, &format!("KILL {id}")).await;
                }
            }
            let _ = guard.disconnect().await;
            answer
        })
    }
}

impl Served {
    fn definition(&self, table: &Table, column: &Column, tables: &Tables) -> Result<String> {
        let is_key = column.name == table.key;
        let is_indexed = is_key || column.unique || column.references.is_some();
        let native = match column.kind {
            Kind::Text => {
                // a text and the one that it refers to have one type
                let target = column.references.as_ref().map(|reference| {
                    tables
                        .get(&reference.table)
                        .map(|other| other.column(&reference.column).map(|to| to.check.max_length))
                });
                let length = match target.transpose()? {
                    Some(length) => length.flatten(),
                    None => column.check.max_length,
                };
                // the order of code points, as in other databases, and every character counts
                let collation = self.flavor.get().map_or("utf8mb4_bin", |flavor| flavor.exact_collation());
                format!("{} COLLATE {collation}", text_type(table, column, length, is_indexed)?)
            }
            Kind::Integer => "int".to_owned(),
            Kind::Bigint => "bigint".to_owned(),
            Kind::Decimal { precision, scale } => format!("decimal({precision},{scale})"),
            Kind::Float => "double".to_owned(),
            Kind::Boolean => "tinyint(1)".to_owned(),
            Kind::Date => "date".to_owned(),
            Kind::Timestamp => "datetime(6)".to_owned(),
            Kind::Uuid => "char(36) CHARACTER SET ascii COLLATE ascii_bin".to_owned(),
            Kind::Json => "json".to_owned(),
        };
        let rest = match (is_key, column.required) {
            (true, _) if table.is_key_given => " NOT NULL AUTO_INCREMENT",
            (true, _) | (_, true) => " NOT NULL",
            (false, false) => " NULL",
        };
        Ok(format!("{} {native}{rest}", quoted(&column.name)))
    }
}

fn text_type(table: &Table, column: &Column, length: Option<u32>, is_indexed: bool) -> Result<String> {
    let length = if is_indexed { length.or(Some(UNIQUE_CHARS_DEFAULT)) } else { length };
    match length {
        Some(length) if is_indexed && length > UNIQUE_CHARS_MAX => {
            let message = format!(
                "`{}.{}`: a text of more than {UNIQUE_CHARS_MAX} characters cannot be unique",
                table.name, column.name
            );
            Err(Error::new(ErrorKind::Schema, message).advise("Give it a smaller `max_length`."))
        }
        Some(length) if length <= VARCHAR_MAX => Ok(format!("varchar({})", length.max(1))),
        _ => Ok("longtext".to_owned()),
    }
}

impl rows::Session for RowSession {
    fn run<'a>(&'a mut self, sql: &'a str) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move { self.conn.query_drop(sql).await.map_err(fault) })
    }

    fn select<'a>(&'a mut self, query: &'a Query) -> BoxFuture<'a, Result<Vec<Vec<Cell>>, Fault>> {
        Box::pin(async move {
            let params = positional(query.params.iter());
            let found: Vec<mysql_async::Row> = self.conn.exec(query.sql.as_str(), params).await.map_err(fault)?;
            let mut rows = Vec::with_capacity(found.len());
            for row in found {
                let cells = row.unwrap().into_iter().zip(&query.columns).map(|(value, kind)| cell(value, *kind));
                rows.push(cells.collect::<Result<Vec<Cell>>>()?);
            }
            Ok(rows)
        })
    }

    fn each<'a>(&'a mut self, sql: &'a str, rows: &'a [Vec<Cell>]) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            let statement = self.conn.prep(sql).await.map_err(fault)?;
            for (index, row) in rows.iter().enumerate() {
                let executed = self.conn.exec_drop(&statement, positional(row.iter())).await;
                executed.map_err(|error| fault(error).at(index))?;
            }
            Ok(())
        })
    }

    fn insert<'a>(&'a mut self, insert: &'a Insert<'a>) -> BoxFuture<'a, Result<Vec<Cell>, Fault>> {
        Box::pin(async move {
            let names: Vec<&str> = insert.columns.iter().map(|(name, _)| name.as_str()).collect();
            let places = format!("({})", vec!["?"; names.len()].join(", "));
            let mut keys = Vec::new();
            for rows in insert.rows.chunks((PARAMS_MAX / names.len().max(1)).max(1)) {
                let sql = format!(
                    "INSERT INTO {} ({}) VALUES {}",
                    insert.table,
                    names.join(", "),
                    vec![places.as_str(); rows.len()].join(", ")
                );
                self.conn.exec_drop(sql, positional(rows.iter().flatten())).await.map_err(fault)?;
                if insert.key.is_some() {
                    // the numbers of one statement follow each other: their count is known before
                    let first = self.conn.last_insert_id().unwrap_or_default() as i64;
                    keys.extend((0..rows.len() as i64).map(|at| Cell::Integer(first + at * self.step)));
                }
            }
            Ok(keys)
        })
    }
}

fn positional<'c>(cells: impl Iterator<Item = &'c Cell>) -> Params {
    let values: Vec<Value> = cells.map(value).collect();
    if values.is_empty() { Params::Empty } else { Params::Positional(values) }
}

fn value(cell: &Cell) -> Value {
    match cell {
        Cell::Null => Value::NULL,
        Cell::Boolean(value) => Value::Int((*value).into()),
        Cell::Integer(value) => Value::Int(*value),
        Cell::Float(value) => Value::Double(*value),
        // the session's time zone is UTC
        Cell::Timestamp(text) => Value::Bytes(text.trim_end_matches('Z').replacen('T', " ", 1).into_bytes()),
        Cell::Decimal(text) | Cell::Text(text) | Cell::Date(text) | Cell::Uuid(text) | Cell::Json(text) => {
            Value::Bytes(text.clone().into_bytes())
        }
    }
}

fn cell(value: Value, kind: Kind) -> Result<Cell> {
    let wrong = |shown: &str, misfit: &str| {
        let message = format!("a value of the database, {}, {misfit}", levada_core::cast::quoted(shown));
        Error::new(ErrorKind::Schema, message)
            .advise("Correct the value in the database: the collection promises another type.")
    };
    let text = match value {
        Value::NULL => return Ok(Cell::Null),
        Value::Int(whole) if kind == Kind::Boolean => return Ok(Cell::Boolean(whole != 0)),
        Value::Double(real) => return Ok(Cell::Float(real)),
        Value::Int(whole) => whole.to_string(),
        Value::UInt(whole) => whole.to_string(),
        Value::Float(real) => real.to_string(),
        Value::Date(year, month, day, hour, minute, second, us) => {
            let mut shown = format!("{year:04}-{month:02}-{day:02}");
            if kind == Kind::Timestamp {
                let clock = i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second);
                shown.push('T');
                text::write_time(&mut shown, clock * 1_000_000 + i64::from(us));
                shown.push('Z');
            }
            shown
        }
        Value::Time(..) => String::new(),
        Value::Bytes(bytes) => String::from_utf8(bytes)
            .map_err(|error| wrong(&String::from_utf8_lossy(error.as_bytes()), "is not UTF-8"))?,
    };
    Cell::from_text(kind, &text).map_err(|misfit| wrong(&text, &misfit))
}

/// What an error of the server says of a row. Codes: MySQL "Server Error Message Reference", MariaDB "Error Codes".
fn fault(error: mysql_async::Error) -> Fault {
    let reason = code(&error).and_then(|code| match code {
        1062 | 1586 | 1022 => Some(Reason::Unique),
        1216 | 1217 | 1451 | 1452 => Some(Reason::Reference),
        1048 | 1364 => Some(Reason::Required),
        3819 | 4025 => Some(Reason::Check),
        1264 | 1265 | 1292 | 1366 | 1367 | 1406 | 1411 | 1690 | 3140 => Some(Reason::Type),
        _ => None,
    });
    let plain = Fault::from(from_driver(error));
    Fault { reason: reason.or(plain.reason), ..plain }
}

/// The answer to a report, every value as its text.
async fn answer(client: &mut Client, request: &ReportRequest) -> Result<Answer> {
    let mut values = Vec::new();
    let sql = request.statement.with(|name| {
        let cell = request.params.iter().find(|(param, ..)| param == name).map(|(.., cell)| cell);
        values.push(cell.map_or(Value::NULL, value));
        "?".to_owned()
    });
    if !client.returns_rows(&sql, values.len()).await? {
        return Err(query::no_query());
    }
    let mut rows = client.query(&sql, &values).await?;
    let columns = rows.columns.clone();
    let mut builder = Builder::new(columns.iter().map(report_field).collect(), request)?;
    while let Some(mut row) = rows.next().await? {
        let mut texts: Vec<Option<Cow<'_, str>>> = Vec::with_capacity(columns.len());
        for column in &columns {
            texts.push(text_of(column, row.cell()?)?.map(Cow::from));
        }
        builder.push(texts)?;
    }
    builder.done()
}

/// The field of a column of a report.
fn report_field(column: &mysql_async::Column) -> Field {
    use ColumnType as T;
    let is_unsigned = column.flags().contains(ColumnFlags::UNSIGNED_FLAG);
    let (data_type, logical) = match column.column_type() {
        T::MYSQL_TYPE_TINY | T::MYSQL_TYPE_SHORT | T::MYSQL_TYPE_YEAR => (DataType::Int32, None),
        T::MYSQL_TYPE_LONG | T::MYSQL_TYPE_INT24 => (DataType::Int64, None),
        T::MYSQL_TYPE_LONGLONG if is_unsigned => (DataType::UInt64, None),
        T::MYSQL_TYPE_LONGLONG => (DataType::Int64, None),
        T::MYSQL_TYPE_FLOAT => (DataType::Float32, None),
        T::MYSQL_TYPE_DOUBLE => (DataType::Float64, None),
        T::MYSQL_TYPE_DECIMAL | T::MYSQL_TYPE_NEWDECIMAL => match decimal(column) {
            Some(decimal) => (decimal, None),
            None => (DataType::Utf8, Some(Logical::Number)),
        },
        T::MYSQL_TYPE_DATE | T::MYSQL_TYPE_NEWDATE => (DataType::Date32, None),
        T::MYSQL_TYPE_DATETIME => (levada_core::schema::timestamp(), None),
        T::MYSQL_TYPE_TIMESTAMP => (levada_core::schema::timestamp_utc(), None),
        T::MYSQL_TYPE_JSON => (DataType::Utf8, Some(Logical::Json)),
        _ => (DataType::Utf8, None),
    };
    field(&column.name_str(), data_type, true, "mysql:", logical)
}

/// The digits of a decimal: its length counts the sign and the point.
fn decimal(column: &mysql_async::Column) -> Option<DataType> {
    let scale = column.decimals();
    let is_signed = !column.flags().contains(ColumnFlags::UNSIGNED_FLAG);
    let digits = column.column_length() - u32::from(is_signed) - u32::from(scale > 0);
    let precision =
        u8::try_from(digits).ok().filter(|precision| (1..=38).contains(precision) && scale <= *precision)?;
    Some(DataType::Decimal128(precision, scale as i8))
}
