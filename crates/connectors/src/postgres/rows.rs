//! Tables of PostgreSQL as the data API serves them. Values go as texts and are cast in the statement, whole batches as one
//! array for each column; rows that are deleted softly are left out of unique indexes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::pin::pin;

use arrow_schema::{DataType, Field};
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesOrdered;
use futures_util::{StreamExt as _, TryStreamExt as _};
use levada_core::error::{Context as _, Error, ErrorKind, Result};
use levada_core::rows::{Answer, Cell, Column, DELETED_AT, Kind, OnDelete, Reason, ReportRequest, Table, Tables};
use levada_core::schema::{self, Logical, timestamp, timestamp_utc};
use tokio_postgres::Statement;
use tokio_postgres::types::{ToSql, Type};

use super::catalog::{self, Wanted};
use super::config::Settings;
use super::error::{Translate, translate};
use super::query::{explained, text};
use super::session::Session;
use super::sql::{ident, literal, qualified};
use super::types::SYSTEM;
use crate::kit::query;
use crate::kit::rows::{self, Builder, Database, Existing, Fault, Insert, Query, Words};

/// Prepared statements that a session keeps.
const STATEMENTS_MAX: usize = 64;
/// Statements that are on their way at once.
const AHEAD: usize = 64;

/// A database whose tables are served.
pub struct Served {
    settings: Settings,
}

impl Served {
    /// The tables of a database.
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    fn schema<'a>(&'a self, table: &'a Table) -> &'a str {
        table.namespace.as_deref().unwrap_or(&self.settings.schema)
    }

    /// The name of a table as the server reads it where a text denotes a table.
    fn as_text(&self, table: &Table) -> String {
        literal(&self.table(table))
    }
}

/// A session and the statements it has prepared.
pub struct RowSession {
    session: Session,
    statements: HashMap<String, Statement>,
}

impl RowSession {
    async fn prepared(&mut self, sql: &str) -> Result<Statement, Fault> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.session.client.prepare(sql).await.map_err(|error| fault(&error))?;
        if self.statements.len() >= STATEMENTS_MAX {
            self.statements.clear();
        }
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

const WORDS: Words = Words { begin: "BEGIN", for_update: " FOR UPDATE", for_share: " FOR SHARE" };

impl Database for Served {
    type Session = RowSession;

    fn address(&self) -> String {
        self.settings.address()
    }

    fn words(&self) -> &'static Words {
        &WORDS
    }

    fn open(&self) -> BoxFuture<'_, Result<RowSession>> {
        Box::pin(async { Ok(RowSession { session: Session::open(&self.settings).await?, statements: HashMap::new() }) })
    }

    fn quote(&self, name: &str) -> String {
        ident(name)
    }

    fn table(&self, table: &Table) -> String {
        qualified(self.schema(table), &table.table)
    }

    fn param(&self, number: usize, kind: Kind) -> String {
        format!("${number}::pg_catalog.text::{}", native(kind))
    }

    fn read(&self, expression: &str, _: Kind) -> String {
        format!("{expression}::pg_catalog.text")
    }

    fn around_given_keys(&self, table: &Table) -> Option<(String, String)> {
        let name = self.table(table);
        // without the lock a number that is drawn meanwhile could be drawn again
        let before = format!("LOCK TABLE {name} IN SHARE ROW EXCLUSIVE MODE");
        let after = format!(
            "SELECT pg_catalog.setval(s, m) FROM (SELECT pg_catalog.pg_get_serial_sequence({}, {})::pg_catalog.regclass AS s, \
             (SELECT max({}) FROM {name}) AS m) AS keys \
             WHERE s IS NOT NULL AND m > COALESCE(pg_catalog.pg_sequence_last_value(s), 0)",
            self.as_text(table),
            literal(&table.key),
            ident(&table.key)
        );
        Some((before, after))
    }

    fn describe<'a>(
        &'a self,
        session: &'a mut RowSession,
        table: &'a Table,
    ) -> BoxFuture<'a, Result<Option<Existing>>> {
        Box::pin(async move {
            let client = &session.session.client;
            let wanted = Wanted::One(self.schema(table), &table.table);
            let Some(relation) = catalog::relations(client, &wanted).await?.into_iter().next() else { return Ok(None) };
            let mut columns = catalog::columns(client, &[relation.oid]).await?;
            let columns = columns.remove(&relation.oid).unwrap_or_default();
            let unique = client.query_typed(UNIQUE, &[(&relation.oid, Type::OID)]).await.pg()?;
            Ok(Some(Existing {
                fields: columns.into_iter().map(|column| column.field).collect(),
                unique: unique.iter().map(|row| row.get(0)).collect(),
            }))
        })
    }

    fn create(&self, missing: &[&Table], tables: &Tables) -> Result<Vec<String>> {
        // one process at a time; the number is the word "collections" as bytes
        let mut statements = vec!["BEGIN; SELECT pg_catalog.pg_advisory_xact_lock(7165064744911531891)".to_owned()];
        for table in missing {
            statements.push(format!("CREATE TABLE {} ({})", self.table(table), columns(table).join(", ")));
            let live = if table.soft_delete { format!(" WHERE {} IS NULL", ident(DELETED_AT)) } else { String::new() };
            for column in &table.columns {
                let (unique, rest) = match (column.unique, &column.references) {
                    (true, _) => ("UNIQUE ", live.as_str()),
                    (false, Some(_)) if column.name != table.key => ("", ""),
                    (false, _) => continue,
                };
                let name = ident(&column.name);
                statements.push(format!("CREATE {unique}INDEX ON {} ({name}){rest}", self.table(table)));
            }
        }
        for table in missing {
            for column in &table.columns {
                let Some(reference) = &column.references else { continue };
                let action = match reference.on_delete {
                    OnDelete::Restrict => "NO ACTION",
                    OnDelete::Cascade => "CASCADE",
                    OnDelete::SetNull => "SET NULL",
                };
                statements.push(format!(
                    "ALTER TABLE {} ADD FOREIGN KEY ({}) REFERENCES {} ({}) ON DELETE {action}",
                    self.table(table),
                    ident(&column.name),
                    self.table(tables.get(&reference.table)?),
                    ident(&reference.column)
                ));
            }
        }
        statements.push("COMMIT".to_owned());
        Ok(statements)
    }

    fn report<'a>(&'a self, request: &'a ReportRequest) -> BoxFuture<'a, Result<Answer>> {
        Box::pin(async move {
            let session = Session::open(&self.settings).await.at(self.settings.address())?;
            let limit_ms = request.time_max.as_millis();
            query::within(request.time_max, self.settings.address(), async {
                let begin = format!(
                    "BEGIN READ ONLY; SET LOCAL statement_timeout = {limit_ms}; \
                     SELECT pg_catalog.set_config('search_path', pg_catalog.concat_ws(', ', pg_catalog.quote_ident({}), \
                     pg_catalog.current_setting('search_path')), true)",
                    literal(&self.settings.schema)
                );
                session.client.batch_execute(&begin).await.pg()?;
                let answer = answer(&session, request).await.map_err(explained)?;
                session.close().await;
                Ok(answer)
            })
            .await
        })
    }
}

/// Columns that are unique together, at least among rows that are not deleted.
const UNIQUE: &str = "SELECT k.names FROM pg_catalog.pg_index i
CROSS JOIN LATERAL (
  SELECT pg_catalog.array_agg(a.attname::text ORDER BY u.place) AS names
  FROM unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) WITH ORDINALITY u(number, place)
  JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.number
) k
WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indexprs IS NULL
  AND (i.indpred IS NULL OR pg_catalog.pg_get_expr(i.indpred, i.indrelid) = '(deleted_at IS NULL)')";

/// The type of a column.
fn native(kind: Kind) -> String {
    match kind {
        Kind::Text => "pg_catalog.text".to_owned(),
        Kind::Integer => "pg_catalog.int4".to_owned(),
        Kind::Bigint => "pg_catalog.int8".to_owned(),
        // without digits: a cast would round what the column refuses
        Kind::Decimal { .. } => "pg_catalog.numeric".to_owned(),
        Kind::Float => "pg_catalog.float8".to_owned(),
        Kind::Boolean => "pg_catalog.bool".to_owned(),
        Kind::Date => "pg_catalog.date".to_owned(),
        Kind::Timestamp => "pg_catalog.timestamptz".to_owned(),
        Kind::Uuid => "pg_catalog.uuid".to_owned(),
        Kind::Json => "pg_catalog.jsonb".to_owned(),
    }
}

/// The definitions of a table's columns.
fn columns(table: &Table) -> Vec<String> {
    let mut columns: Vec<String> = table.columns.iter().map(|column| definition(table, column)).collect();
    if table.soft_delete {
        columns.push(format!("{} pg_catalog.timestamptz", ident(DELETED_AT)));
    }
    columns
}

fn definition(table: &Table, column: &Column) -> String {
    let native = match column.kind {
        Kind::Decimal { precision, scale } => format!("pg_catalog.numeric({precision},{scale})"),
        // the order of code points, as in other databases
        Kind::Text => "pg_catalog.text COLLATE \"C\"".to_owned(),
        kind => native(kind),
    };
    let rest = match (column.name == table.key, column.required) {
        (true, _) if table.is_key_given => " GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
        (true, _) => " PRIMARY KEY",
        (false, true) => " NOT NULL",
        (false, false) => "",
    };
    format!("{} {native}{rest}", ident(&column.name))
}

impl rows::Session for RowSession {
    fn run<'a>(&'a mut self, sql: &'a str) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move { self.session.client.batch_execute(sql).await.map_err(|error| fault(&error)) })
    }

    fn select<'a>(&'a mut self, query: &'a Query) -> BoxFuture<'a, Result<Vec<Vec<Cell>>, Fault>> {
        Box::pin(async move {
            let statement = self.prepared(&query.sql).await?;
            let texts = texts(&query.params);
            let params: Vec<&(dyn ToSql + Sync)> = texts.iter().map(|text| text as &(dyn ToSql + Sync)).collect();
            let found = self.session.client.query(&statement, &params).await.map_err(|error| fault(&error))?;
            let mut rows = Vec::with_capacity(found.len());
            for row in &found {
                let cells = query.columns.iter().enumerate().map(|(index, kind)| cell(row, index, *kind));
                rows.push(cells.collect::<Result<Vec<Cell>>>()?);
            }
            Ok(rows)
        })
    }

    fn each<'a>(&'a mut self, sql: &'a str, rows: &'a [Vec<Cell>]) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            let statement = self.prepared(sql).await?;
            let client = &self.session.client;
            // they are on their way together; the first that fails makes those after it fail too
            let (mut left, mut on_way, mut done) = (rows.iter(), FuturesOrdered::new(), 0);
            loop {
                while on_way.len() < AHEAD
                    && let Some(row) = left.next()
                {
                    on_way.push_back(client.execute_raw(&statement, texts(row)));
                }
                let Some(result) = on_way.next().await else { break };
                result.map_err(|error| fault(&error).at(done))?;
                done += 1;
            }
            Ok(())
        })
    }

    fn insert<'a>(&'a mut self, insert: &'a Insert<'a>) -> BoxFuture<'a, Result<Vec<Cell>, Fault>> {
        Box::pin(async move {
            let names: Vec<&str> = insert.columns.iter().map(|(name, _)| name.as_str()).collect();
            let numbered = 1..=names.len();
            let arrays: Vec<String> = numbered.clone().map(|number| format!("${number}::pg_catalog.text[]")).collect();
            let columns: Vec<String> = numbered.map(|number| format!("c{number}")).collect();
            let values: Vec<String> = columns
                .iter()
                .zip(insert.columns)
                .map(|(column, (_, kind))| format!("r.{column}::{}", native(*kind)))
                .collect();
            // keys are drawn in the order of the rows
            let mut sql = format!(
                "INSERT INTO {} ({}) SELECT {} FROM unnest({}) WITH ORDINALITY AS r({}, n) ORDER BY r.n",
                insert.table,
                names.join(", "),
                values.join(", "),
                arrays.join(", "),
                columns.join(", ")
            );
            if let Some((key, _)) = &insert.key {
                sql.push_str(&format!(" RETURNING {key}::pg_catalog.text"));
            }
            let statement = self.prepared(&sql).await?;
            let arrays: Vec<Vec<Option<Cow<'_, str>>>> =
                (0..names.len()).map(|column| insert.rows.iter().map(|row| row[column].to_text()).collect()).collect();
            let params: Vec<&(dyn ToSql + Sync)> = arrays.iter().map(|array| array as &(dyn ToSql + Sync)).collect();
            let client = &self.session.client;
            let Some((_, kind)) = &insert.key else {
                client.execute(&statement, &params).await.map_err(|error| fault(&error))?;
                return Ok(Vec::new());
            };
            let rows = client.query(&statement, &params).await.map_err(|error| fault(&error))?;
            Ok(rows.iter().map(|row| cell(row, 0, *kind)).collect::<Result<_>>()?)
        })
    }
}

fn texts(cells: &[Cell]) -> Vec<Option<String>> {
    cells.iter().map(|cell| cell.to_text().map(Cow::into_owned)).collect()
}

fn cell(row: &tokio_postgres::Row, index: usize, kind: Kind) -> Result<Cell> {
    let text: Option<&str> = row.try_get(index).pg()?;
    let Some(text) = text else { return Ok(Cell::Null) };
    Cell::from_text(kind, text).map_err(|misfit| {
        let name = row.columns().get(index).map_or("", |column| column.name());
        Error::new(ErrorKind::Schema, format!("a value of `{name}`, {}, {misfit}", levada_core::cast::quoted(text)))
            .advise("Correct the value in the database: the collection promises another type.")
    })
}

/// What an error of the server says of a row.
fn fault(error: &tokio_postgres::Error) -> Fault {
    let column = error.as_db_error().and_then(|db| db.column()).map(str::to_owned);
    let reason = error.code().and_then(|code| match code.code() {
        "23505" | "23P01" => Some(Reason::Unique),
        "23503" | "23001" => Some(Reason::Reference),
        "23502" => Some(Reason::Required),
        "23514" => Some(Reason::Check),
        code if code.starts_with("22") => Some(Reason::Type),
        _ => None,
    });
    let plain = Fault::from(translate(error));
    Fault { reason: reason.or(plain.reason), column, ..plain }
}

/// The answer to a report, every value as its text.
async fn answer(session: &Session, request: &ReportRequest) -> Result<Answer> {
    let mut used: Vec<&str> = Vec::new();
    let sql = request.statement.with(|name| {
        let Some((param, kind, _)) = request.params.iter().find(|(param, ..)| param == name) else {
            return "NULL".to_owned();
        };
        let at = used.iter().position(|known| *known == param.as_str()).unwrap_or_else(|| {
            used.push(param);
            used.len() - 1
        });
        format!("${}::pg_catalog.text::{}", at + 1, native(*kind))
    });
    let value =
        |name: &str| request.params.iter().find(|(param, ..)| param == name).and_then(|(.., cell)| cell.to_text());
    let values: Vec<Option<String>> = used.iter().map(|name| value(name).map(Cow::into_owned)).collect();
    let given = session.client.prepare(&sql).await.pg()?;
    if given.columns().is_empty() || given.params().len() != values.len() {
        return Err(query::no_query());
    }
    let names: Vec<String> = (1..=given.columns().len()).map(|number| format!("c{number}")).collect();
    let texts: Vec<String> =
        given.columns().iter().zip(&names).map(|(column, name)| text(column.type_(), name)).collect();
    let limit = request.rows_max.saturating_add(1);
    let limited = format!("SELECT {} FROM (\n{sql}\n) AS q({}) LIMIT {limit}", texts.join(", "), names.join(", "));
    let limited = session.client.prepare(&limited).await.map_err(|_| query::no_query())?;
    let mut builder = Builder::new(given.columns().iter().map(field).collect(), request)?;
    let mut rows = pin!(session.client.query_raw(&limited, values).await.pg()?);
    while let Some(row) = rows.try_next().await.pg()? {
        let mut texts: Vec<Option<Cow<'_, str>>> = Vec::with_capacity(names.len());
        for index in 0..names.len() {
            texts.push(row.try_get::<_, Option<&str>>(index).pg()?.map(Cow::from));
        }
        builder.push(texts)?;
    }
    builder.done()
}

/// The field of a column of an answer.
fn field(column: &tokio_postgres::Column) -> Field {
    let (data_type, logical) = match *column.type_() {
        Type::BOOL => (DataType::Boolean, None),
        Type::INT2 => (DataType::Int16, None),
        Type::INT4 => (DataType::Int32, None),
        Type::INT8 => (DataType::Int64, None),
        Type::FLOAT4 => (DataType::Float32, None),
        Type::FLOAT8 => (DataType::Float64, None),
        Type::DATE => (DataType::Date32, None),
        Type::TIMESTAMP => (timestamp(), None),
        Type::TIMESTAMPTZ => (timestamp_utc(), None),
        Type::UUID => (DataType::FixedSizeBinary(16), Some(Logical::Uuid)),
        Type::JSON | Type::JSONB => (DataType::Utf8, Some(Logical::Json)),
        Type::NUMERIC => match decimal(column.type_modifier()) {
            Some(decimal) => (decimal, None),
            None => (DataType::Utf8, Some(Logical::Number)),
        },
        _ => (DataType::Utf8, None),
    };
    schema::field(column.name(), data_type, true, &format!("{SYSTEM}:{}", column.type_().name()), logical)
}

/// The digits of a `numeric(p,s)`, from its type modifier.
fn decimal(modifier: i32) -> Option<DataType> {
    let packed = u32::try_from(modifier - 4).ok()?;
    let (precision, scale) = (u8::try_from(packed >> 16).ok()?, i8::try_from(packed & 0x7ff).ok()?);
    (1..=38).contains(&precision).then_some(DataType::Decimal128(precision, scale)).filter(|_| scale <= precision as i8)
}
