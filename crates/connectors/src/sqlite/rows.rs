//! Tables of a SQLite file as the data API serves them. Every statement runs on a thread that may block; rows go one by one
//! through a prepared statement, which is what SQLite does fastest.

use std::borrow::Cow;
use std::path::PathBuf;

use arrow_schema::{DataType, Field};
use futures_util::future::BoxFuture;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::rows::{Answer, Cell, Column, DELETED_AT, Kind, OnDelete, Reason, ReportRequest, Table, Tables};
use levada_core::schema::field;
use rusqlite::fallible_iterator::FallibleIterator as _;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Batch, Connection, params_from_iter};

use super::decode::shown;
use super::{File, discover, error, quote, types};
use crate::kit::query;
use crate::kit::rows::{self, Builder, Database, Existing, Fault, Insert, Query, Words};

/// Decimals of more digits are no numbers to SQLite, and texts do not sort as numbers do.
const DIGITS_MAX: u8 = 15;
/// Rows of a report that tell the types of its columns.
const PROBE_ROWS: usize = 1_000;

/// A file whose tables are served.
pub struct Served {
    file: File,
}

impl Served {
    /// The tables of a file.
    pub fn new(file: File) -> Self {
        Self { file }
    }
}

/// An open file; it is away while a statement runs.
pub struct RowSession {
    connection: Option<Connection>,
    path: PathBuf,
}

impl RowSession {
    /// Runs something on a thread that may block.
    async fn blocking<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let gone = || Error::new(ErrorKind::Connect, format!("the session with {} is broken", self.path.display()));
        let connection = self.connection.take().ok_or_else(gone)?;
        let run = move || {
            let result = work(&connection);
            (connection, result)
        };
        let (connection, result) = tokio::task::spawn_blocking(run).await.map_err(|_| gone())?;
        self.connection = Some(connection);
        result
    }
}

const WORDS: Words = Words { begin: "BEGIN IMMEDIATE", for_update: "", for_share: "" };

impl Database for Served {
    type Session = RowSession;

    fn address(&self) -> String {
        self.file.place()
    }

    fn words(&self) -> &'static Words {
        &WORDS
    }

    fn open(&self) -> BoxFuture<'_, Result<RowSession>> {
        Box::pin(async {
            let path = self.file.path.clone();
            let connection = self
                .file
                .blocking(|file| {
                    let connection = file.open_to_write()?;
                    connection.execute_batch("PRAGMA foreign_keys = ON").map_err(error::of)?;
                    connection.set_prepared_statement_cache_capacity(64);
                    Ok(connection)
                })
                .await?;
            Ok(RowSession { connection: Some(connection), path })
        })
    }

    fn quote(&self, name: &str) -> String {
        quote(name)
    }

    fn table(&self, table: &Table) -> String {
        quote(&table.table)
    }

    fn param(&self, number: usize, _: Kind) -> String {
        format!("?{number}")
    }

    fn compared(&self, expression: &str, kind: Kind) -> String {
        match kind {
            // `08:00:00Z` would come after `08:00:00.5Z`
            Kind::Timestamp => format!("rtrim({expression}, 'Z')"),
            _ => expression.to_owned(),
        }
    }

    fn describe<'a>(
        &'a self,
        session: &'a mut RowSession,
        table: &'a Table,
    ) -> BoxFuture<'a, Result<Option<Existing>>> {
        let name = table.table.clone();
        Box::pin(async move {
            let described = session.blocking(move |connection| {
                let Some(found) = discover::target(connection, &name)? else { return Ok(None) };
                let mut unique = uniques(connection, &found.table).map_err(error::of)?;
                unique.push(found.key.clone());
                let fields = found.schema.fields().iter().map(|field| field.as_ref().clone()).collect();
                Ok(Some(Existing { fields, unique }))
            });
            described.await.map_err(Fault::into_error)
        })
    }

    fn create(&self, missing: &[&Table], tables: &Tables) -> Result<Vec<String>> {
        let mut statements = vec!["BEGIN IMMEDIATE".to_owned()];
        for table in missing {
            if let Some(namespace) = &table.namespace {
                let message = format!("`{namespace}.{}`: a SQLite file has no schemas", table.table);
                return Err(Error::new(ErrorKind::Schema, message).advise("Write the table's name alone."));
            }
            let mut columns = Vec::with_capacity(table.columns.len() + 1);
            for column in &table.columns {
                columns.push(definition(table, column, tables)?);
            }
            if table.soft_delete {
                columns.push(format!("{} TIMESTAMPTZ", quote(DELETED_AT)));
            }
            statements.push(format!("CREATE TABLE {} ({})", quote(&table.table), columns.join(", ")));
            let live = if table.soft_delete { format!(" WHERE {} IS NULL", quote(DELETED_AT)) } else { String::new() };
            for column in table.columns.iter().filter(|column| column.unique || column.references.is_some()) {
                let (kind, rest) = if column.unique { ("UNIQUE ", live.as_str()) } else { ("", "") };
                let index =
                    quote(&format!("{}_{}_{}", table.table, column.name, if column.unique { "key" } else { "ref" }));
                let (name, table) = (quote(&column.name), quote(&table.table));
                statements.push(format!("CREATE {kind}INDEX {index} ON {table} ({name}){rest}"));
            }
        }
        statements.push("COMMIT".to_owned());
        Ok(statements)
    }

    fn fits(&self, kind: Kind, field: &Field) -> bool {
        let has_digits = !matches!(kind, Kind::Decimal { precision, .. } if precision > DIGITS_MAX);
        has_digits && rows::fits(kind, field)
    }

    fn report<'a>(&'a self, request: &'a ReportRequest) -> BoxFuture<'a, Result<Answer>> {
        Box::pin(async move {
            let opened = self.file.blocking(|file| file.open_to_read()?.ok_or_else(|| file.missing())).await?;
            let interrupt = opened.get_interrupt_handle();
            let (limits, time_max) = (request.clone(), request.time_max);
            let answer = self.file.blocking(move |_| answer(&opened, &limits));
            query::within(time_max, self.file.place(), async move {
                tokio::pin!(answer);
                match tokio::time::timeout(time_max, &mut answer).await {
                    Ok(answer) => answer,
                    Err(_) => {
                        interrupt.interrupt();
                        let _ = answer.await;
                        Err(query::too_slow())
                    }
                }
            })
            .await
        })
    }
}

/// Columns that are unique together, at least among rows that are not deleted.
fn uniques(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Vec<String>>> {
    let sql = "SELECT l.name, l.partial, s.sql FROM pragma_index_list(?1) l \
               LEFT JOIN sqlite_schema s ON s.type = 'index' AND s.name = l.name WHERE l.\"unique\" = 1";
    let mut statement = connection.prepare(sql)?;
    let indexes: Vec<(String, bool, Option<String>)> = statement
        .query_map([table], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let live = format!(" WHERE {} IS NULL", quote(DELETED_AT));
    let mut uniques = Vec::new();
    for (name, is_partial, sql) in indexes {
        if is_partial && !sql.is_some_and(|sql| sql.ends_with(&live)) {
            continue;
        }
        let mut columns = connection.prepare("SELECT name FROM pragma_index_info(?1) ORDER BY seqno")?;
        let columns: Vec<Option<String>> =
            columns.query_map([&name], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        // an expression has no name
        uniques.extend(columns.into_iter().collect::<Option<Vec<String>>>());
    }
    Ok(uniques)
}

fn definition(table: &Table, column: &Column, tables: &Tables) -> Result<String> {
    let native = match column.kind {
        Kind::Text => "TEXT".to_owned(),
        Kind::Integer | Kind::Bigint => "INTEGER".to_owned(),
        Kind::Float => "DOUBLE".to_owned(),
        Kind::Boolean => "BOOLEAN".to_owned(),
        Kind::Date => "DATE".to_owned(),
        Kind::Timestamp => "TIMESTAMPTZ".to_owned(),
        Kind::Uuid => "UUID".to_owned(),
        Kind::Json => "JSON_TEXT".to_owned(),
        Kind::Decimal { precision, scale } if precision <= DIGITS_MAX => format!("DECIMAL({precision},{scale})"),
        Kind::Decimal { .. } => {
            let message =
                format!("`{}.{}`: SQLite keeps decimals of at most {DIGITS_MAX} digits", table.name, column.name);
            return Err(Error::new(ErrorKind::Schema, message).advise("Take fewer digits, or another database."));
        }
    };
    let mut sql = format!("{} {native}", quote(&column.name));
    sql.push_str(match (column.name == table.key, column.required) {
        // AUTOINCREMENT: the key of a row that was removed never comes again
        (true, _) if table.is_key_given => " PRIMARY KEY AUTOINCREMENT",
        (true, _) => " PRIMARY KEY NOT NULL",
        (false, true) => " NOT NULL",
        (false, false) => "",
    });
    if let Some(reference) = &column.references {
        let other = tables.get(&reference.table)?;
        let action = match reference.on_delete {
            OnDelete::Restrict => "NO ACTION",
            OnDelete::Cascade => "CASCADE",
            OnDelete::SetNull => "SET NULL",
        };
        let (other, column) = (quote(&other.table), quote(&reference.column));
        sql.push_str(&format!(" REFERENCES {other} ({column}) ON DELETE {action}"));
    }
    Ok(sql)
}

impl rows::Session for RowSession {
    fn run<'a>(&'a mut self, sql: &'a str) -> BoxFuture<'a, Result<(), Fault>> {
        let sql = sql.to_owned();
        Box::pin(self.blocking(move |connection| connection.execute_batch(&sql).map_err(fault)))
    }

    fn select<'a>(&'a mut self, query: &'a Query) -> BoxFuture<'a, Result<Vec<Vec<Cell>>, Fault>> {
        let query = query.clone();
        Box::pin(self.blocking(move |connection| {
            let mut statement = connection.prepare_cached(&query.sql).map_err(fault)?;
            let mut found = statement.query(params_from_iter(query.params.iter().map(value))).map_err(fault)?;
            let mut rows = Vec::new();
            while let Some(row) = found.next().map_err(fault)? {
                let mut cells = Vec::with_capacity(query.columns.len());
                for (index, kind) in query.columns.iter().enumerate() {
                    cells.push(cell(row.get_ref(index).map_err(fault)?, *kind)?);
                }
                rows.push(cells);
            }
            Ok(rows)
        }))
    }

    fn each<'a>(&'a mut self, sql: &'a str, rows: &'a [Vec<Cell>]) -> BoxFuture<'a, Result<(), Fault>> {
        let (sql, rows) = (sql.to_owned(), rows.to_vec());
        Box::pin(self.blocking(move |connection| {
            let mut statement = connection.prepare_cached(&sql).map_err(fault)?;
            for (index, row) in rows.iter().enumerate() {
                statement.execute(params_from_iter(row.iter().map(value))).map_err(|error| fault(error).at(index))?;
            }
            Ok(())
        }))
    }

    fn insert<'a>(&'a mut self, insert: &'a Insert<'a>) -> BoxFuture<'a, Result<Vec<Cell>, Fault>> {
        let names: Vec<&str> = insert.columns.iter().map(|(name, _)| name.as_str()).collect();
        let places: Vec<String> = (1..=names.len()).map(|number| format!("?{number}")).collect();
        let sql = format!("INSERT INTO {} ({}) VALUES ({})", insert.table, names.join(", "), places.join(", "));
        let (rows, has_key) = (insert.rows.to_vec(), insert.key.is_some());
        Box::pin(self.blocking(move |connection| {
            let mut statement = connection.prepare_cached(&sql).map_err(fault)?;
            let mut keys = Vec::new();
            for (index, row) in rows.iter().enumerate() {
                statement.execute(params_from_iter(row.iter().map(value))).map_err(|error| fault(error).at(index))?;
                if has_key {
                    // a key that the database gives is the row's number
                    keys.push(Cell::Integer(connection.last_insert_rowid()));
                }
            }
            Ok(keys)
        }))
    }
}

fn value(cell: &Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Boolean(value) => Value::Integer((*value).into()),
        Cell::Integer(value) => Value::Integer(*value),
        Cell::Float(value) => Value::Real(*value),
        Cell::Decimal(text)
        | Cell::Text(text)
        | Cell::Date(text)
        | Cell::Timestamp(text)
        | Cell::Uuid(text)
        | Cell::Json(text) => Value::Text(text.clone()),
    }
}

/// A value of a report's parameter. A decimal is a number there: what it is compared with may be computed, and then has no
/// type that would make a number of a text.
fn bound(cell: &Cell) -> Value {
    match cell {
        Cell::Decimal(text) => text.parse().map_or_else(|_| value(cell), Value::Real),
        cell => value(cell),
    }
}

fn cell(value: ValueRef<'_>, kind: Kind) -> Result<Cell> {
    let wrong = |what: &str| {
        Error::new(ErrorKind::Schema, format!("a value of the file {what}"))
            .advise("Correct the value in the file: the collection promises another type.")
    };
    let text = match (value, kind) {
        (ValueRef::Null, _) => return Ok(Cell::Null),
        (ValueRef::Integer(whole @ (0 | 1)), Kind::Boolean) => return Ok(Cell::Boolean(whole == 1)),
        (ValueRef::Integer(whole), Kind::Float) => return Ok(Cell::Float(whole as f64)),
        (ValueRef::Real(real), Kind::Float) => return Ok(Cell::Float(real)),
        (ValueRef::Text(bytes), _) => String::from_utf8(bytes.to_vec()).map_err(|_| wrong("is not UTF-8"))?,
        (value, _) => shown(value).unwrap_or_default(),
    };
    Cell::from_text(kind, &text).map_err(|misfit| wrong(&format!("{}: it {misfit}", levada_core::cast::quoted(&text))))
}

/// What an error says of a row. Extended codes: sqlite.org/rescode.html.
fn fault(error: rusqlite::Error) -> Fault {
    use rusqlite::ffi;
    let reason = error.sqlite_error().and_then(|error| match error.extended_code {
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
            Some(Reason::Unique)
        }
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => Some(Reason::Reference),
        ffi::SQLITE_CONSTRAINT_NOTNULL => Some(Reason::Required),
        ffi::SQLITE_CONSTRAINT_DATATYPE | ffi::SQLITE_MISMATCH => Some(Reason::Type),
        _ => None,
    });
    let plain = Fault::from(error::of(error));
    Fault { reason: reason.or(plain.reason), ..plain }
}

fn answer(connection: &Connection, request: &ReportRequest) -> Result<Answer> {
    connection.execute_batch("PRAGMA query_only = ON").map_err(error::of)?;
    let mut used: Vec<&str> = Vec::new();
    let sql = request.statement.with(|name| {
        let Some((param, ..)) = request.params.iter().find(|(param, ..)| param == name) else {
            return "NULL".to_owned();
        };
        let at = used.iter().position(|known| *known == param.as_str()).unwrap_or_else(|| {
            used.push(param);
            used.len() - 1
        });
        format!("?{}", at + 1)
    });
    let find = |name: &&str| request.params.iter().find(|(param, ..)| param == name).map(|(.., cell)| bound(cell));
    let values: Vec<Value> = used.iter().map(|name| find(name).unwrap_or(Value::Null)).collect();
    let mut statements = Batch::new(connection, &sql);
    let mut statement = statements.next().map_err(error::of)?.ok_or_else(query::no_query)?;
    if statement.column_count() == 0 || !statement.readonly() || !matches!(statements.next(), Ok(None)) {
        return Err(query::no_query());
    }
    let names: Vec<(String, Option<String>)> =
        statement.columns().map(|column| (column.name().to_owned(), column.decl_type().map(str::to_owned))).collect();
    let mut rows = statement.query(params_from_iter(values)).map_err(error::of)?;
    // the first rows tell the types of computed columns
    let mut first: Vec<Vec<Value>> = Vec::new();
    let mut builder = None;
    loop {
        let row = rows.next().map_err(error::of)?;
        if builder.is_none() && (row.is_none() || first.len() == PROBE_ROWS) {
            let fields = names.iter().enumerate().map(|(at, (name, declared))| {
                report_field(name, declared.as_deref(), first.iter().map(|row| &row[at]))
            });
            let mut started = Builder::new(fields.collect(), request)?;
            for row in first.drain(..) {
                started.push(row.iter().map(|value| shown(value.into()).map(Cow::from)))?;
            }
            builder = Some(started);
        }
        match (row, &mut builder) {
            (None, Some(_)) => break,
            (None, None) => {}
            (Some(row), None) => {
                let values = (0..names.len()).map(|at| row.get::<_, Value>(at));
                first.push(values.collect::<rusqlite::Result<_>>().map_err(error::of)?);
            }
            (Some(row), Some(builder)) => {
                let mut texts = Vec::with_capacity(names.len());
                for at in 0..names.len() {
                    texts.push(shown(row.get_ref(at).map_err(error::of)?).map(Cow::from));
                }
                builder.push(texts)?;
            }
        }
    }
    builder.map_or_else(|| Err(query::no_query()), Builder::done)
}

/// The field of a column of a report: by its declared type, or by its first values.
fn report_field<'v>(name: &str, declared: Option<&str>, values: impl Iterator<Item = &'v Value>) -> Field {
    if let Some(declared) = declared
        && let Some(meaning) = types::of_declared(declared)
    {
        return types::field_of(name, true, declared, meaning);
    }
    let (mut whole, mut real, mut other) = (0, 0, 0);
    for value in values {
        match value {
            Value::Null => {}
            Value::Integer(_) => whole += 1,
            Value::Real(_) => real += 1,
            _ => other += 1,
        }
    }
    let data_type = match (whole, real, other) {
        (1.., 0, 0) => DataType::Int64,
        (_, 1.., 0) => DataType::Float64,
        _ => DataType::Utf8,
    };
    field(name, data_type, true, "sqlite:", None)
}
