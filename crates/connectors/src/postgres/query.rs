//! Small queries for people and pipelines, in a transaction that can only read.

use std::pin::pin;

use futures_util::TryStreamExt as _;
use levada_core::error::{Context as _, Error, ErrorKind, Result};
use serde_json::{Map, Value};
use tokio_postgres::types::Type;

use super::config::Settings;
use super::error::Translate;
use super::session::Session;
use super::sql::literal;
use crate::kit::query::{self, Answer};

/// The first rows of a query.
///
/// # Errors
/// As for [`levada_core::connector::Connection::query`].
pub async fn run(settings: &Settings, sql: &str, rows_max: usize) -> Result<Vec<Map<String, Value>>> {
    let session = Session::open(settings).await.at(settings.address())?;
    query::in_time(settings.address(), async {
        let limit_ms = query::TIME_MAX.as_millis();
        // names mean first what they mean for a sync
        let begin = format!(
            "BEGIN READ ONLY; SET LOCAL statement_timeout = {limit_ms}; \
             SELECT pg_catalog.set_config('search_path', pg_catalog.concat_ws(', ', pg_catalog.quote_ident({}), \
             pg_catalog.current_setting('search_path')), true)",
            literal(&settings.schema)
        );
        session.client.batch_execute(&begin).await.pg()?;
        // dropped before its end, the session closes its socket, and the server stops
        let rows = select(&session, query::statement(sql), rows_max).await.map_err(explained)?;
        session.close().await;
        Ok(rows)
    })
    .await
}

/// Every value comes as text: that has no limits, and no type is unknown.
async fn select(session: &Session, sql: &str, rows_max: usize) -> Result<Vec<Map<String, Value>>> {
    // preparing it says what the columns are, and refuses more than one statement
    let given = session.client.prepare(sql).await.pg()?;
    if !given.params().is_empty() {
        return Err(Error::new(ErrorKind::Data, "the query has a parameter such as `$1`, which has no value here"));
    }
    let columns = given.columns();
    if columns.is_empty() {
        return Err(query::no_query());
    }
    let names: Vec<String> = (1..=columns.len()).map(|number| format!("c{number}")).collect();
    let texts: Vec<String> = columns.iter().zip(&names).map(|(column, name)| text(column.type_(), name)).collect();
    let limited = format!("SELECT {} FROM (\n{sql}\n) AS q({}) LIMIT {rows_max}", texts.join(", "), names.join(", "));
    // what returns rows but is no query (INSERT .. RETURNING, SHOW) can not stand here
    let limited = session.client.prepare(&limited).await.map_err(|_| query::no_query())?;
    let mut rows = pin!(session.client.query_raw(&limited, std::iter::empty::<&str>()).await.pg()?);
    let mut answer = Answer::new(rows_max);
    while let Some(row) = rows.try_next().await.pg()? {
        let mut values = Vec::with_capacity(columns.len());
        for (index, column) in columns.iter().enumerate() {
            let value: Option<&str> = row.try_get(index).pg()?;
            values.push((column.name(), value.map_or(Value::Null, |value| json(column.type_(), value))));
        }
        answer.push(values)?;
    }
    Ok(answer.rows())
}

/// A column as text. A cast would take the blanks from the end of a `char(n)`.
pub(super) fn text(kind: &Type, name: &str) -> String {
    match *kind {
        Type::BPCHAR => format!("CASE WHEN {name} IS NOT NULL THEN pg_catalog.concat({name}, '') END"),
        _ => format!("{name}::pg_catalog.text"),
    }
}

fn json(kind: &Type, value: &str) -> Value {
    match *kind {
        Type::BOOL => Value::Bool(value == "true"),
        Type::INT2 | Type::INT4 | Type::INT8 | Type::OID | Type::NUMERIC => query::number(value),
        Type::FLOAT4 | Type::FLOAT8 => value.parse().map_or_else(|_| Value::from(value), query::float),
        // years before Christ stay as the server writes them
        Type::TIMESTAMP if !value.ends_with("BC") => Value::from(value.replacen(' ', "T", 1)),
        Type::TIMESTAMPTZ if !value.ends_with("BC") => {
            let at = value.replacen(' ', "T", 1);
            Value::from(at.strip_suffix("+00").map_or(at.clone(), |at| format!("{at}Z")))
        }
        _ => Value::from(value),
    }
}

/// The server's refusal to write in a transaction that reads, and to go on for too long, in the words of a query.
pub(super) fn explained(error: Error) -> Error {
    if error.message().ends_with("[25006]") {
        let advice = "A query of a pipeline cannot change anything: use a sync, or a command.";
        return Error::new(ErrorKind::Refused, error.message()).advise(advice);
    }
    if error.message().ends_with("[57014]") { query::too_slow() } else { error }
}
