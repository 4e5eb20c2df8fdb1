//! Small queries for people and pipelines. The file is opened for reading only, so no statement can change it.

use levada_core::error::{Error, ErrorKind, Result};
use rusqlite::Batch;
use rusqlite::fallible_iterator::FallibleIterator as _;
use rusqlite::types::ValueRef;
use serde_json::{Map, Value};

use super::{File, error};
use crate::kit::query::{self, Answer};

/// The first rows of a query.
///
/// # Errors
/// As for [`levada_core::connector::Connection::query`].
pub async fn run(file: &File, sql: &str, rows_max: usize) -> Result<Vec<Map<String, Value>>> {
    let sql = query::statement(sql).to_owned();
    let opened = file.blocking(|file| file.open_to_read()?.ok_or_else(|| file.missing())).await?;
    let interrupt = opened.get_interrupt_handle();
    let answer = file.blocking(move |_| select(&opened, &sql, rows_max));
    query::in_time(file.place(), async move {
        tokio::pin!(answer);
        match tokio::time::timeout(query::TIME_MAX, &mut answer).await {
            Ok(answer) => answer,
            Err(_) => {
                interrupt.interrupt();
                // the thread lets go of the file before anybody hears of it
                let _ = answer.await;
                Err(query::too_slow())
            }
        }
    })
    .await
}

fn select(connection: &rusqlite::Connection, sql: &str, rows_max: usize) -> Result<Vec<Map<String, Value>>> {
    connection.execute_batch("PRAGMA query_only = ON").map_err(error::of)?;
    let mut statements = Batch::new(connection, sql);
    let mut statement = statements.next().map_err(error::of)?.ok_or_else(query::no_query)?;
    // ATTACH and the like return nothing
    if statement.column_count() == 0 || !statement.readonly() || !matches!(statements.next(), Ok(None)) {
        return Err(query::no_query());
    }
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut answer = Answer::new(rows_max);
    let mut rows = statement.query([]).map_err(error::of)?;
    while !answer.is_full()
        && let Some(row) = rows.next().map_err(error::of)?
    {
        let mut values = Vec::with_capacity(names.len());
        for (index, name) in names.iter().enumerate() {
            values.push((name.as_str(), json(row.get_ref(index).map_err(error::of)?, name)?));
        }
        answer.push(values)?;
    }
    Ok(answer.rows())
}

fn json(value: ValueRef<'_>, column: &str) -> Result<Value> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(whole) => query::number(&whole.to_string()),
        ValueRef::Real(real) => query::float(real),
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).map(Value::from).map_err(|_| {
            Error::new(ErrorKind::Data, format!("a text in `{column}` is not UTF-8"))
                .advise("Select it as a blob: `CAST(column AS BLOB)`.")
        })?,
        ValueRef::Blob(bytes) => query::bytes(bytes),
    })
}
