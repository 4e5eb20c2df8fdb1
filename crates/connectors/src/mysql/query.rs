//! Small queries for people and pipelines, in a transaction that can only read.

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::text;
use mysql_async::Column;
use mysql_async::consts::ColumnType;
use serde_json::{Map, Value};

use super::config::Config;
use super::session::{self, Flavor, execute};
use super::wire::{Cell, Client};
use crate::kit::query::{self, Answer};

/// The number of the collation that stands for bytes.
const BINARY: u16 = 63;

/// The first rows of a query.
///
/// # Errors
/// As for [`levada_core::connector::Connection::query`].
pub async fn run(config: &Config, sql: &str, rows_max: usize) -> Result<Vec<Map<String, Value>>> {
    let mut guard = session::open(config).await?;
    let mut client = session::open_reader(config).await?;
    let id = client.id();
    let answer = query::in_time(config.address(), async {
        let limit = match Flavor::of(&mut guard).await?.mariadb {
            true => format!("SET max_statement_time = {}", query::TIME_MAX.as_secs()),
            false => format!("SET max_execution_time = {}", query::TIME_MAX.as_millis()),
        };
        client.execute(&limit).await?;
        client.execute("START TRANSACTION READ ONLY").await?;
        select(&mut client, query::statement(sql), rows_max).await.map_err(explained)
    })
    .await;
    match &answer {
        Ok((_, true)) => client.close().await,
        // the server would not notice that nobody reads on before it has a row to send
        Ok((_, false)) | Err(_) => {
            drop(client);
            let _ = execute(&mut guard, &format!("KILL {id}")).await;
        }
    }
    let _ = guard.disconnect().await;
    answer.map(|(rows, _)| rows)
}

/// The first rows, and whether there are no more.
async fn select(client: &mut Client, sql: &str, rows_max: usize) -> Result<(Vec<Map<String, Value>>, bool)> {
    // SELECT .. INTO OUTFILE returns nothing, nor does anything else that changes something; CALL tells nothing before
    if !client.returns_rows(sql, 0).await? {
        return Err(query::no_query());
    }
    let mut answer = Answer::new(rows_max);
    let mut rows = client.query(sql, &[]).await?;
    let columns = rows.columns.clone();
    while !answer.is_full() {
        let Some(mut row) = rows.next().await? else { return Ok((answer.rows(), true)) };
        let mut values = Vec::with_capacity(columns.len());
        for (name, column) in columns.iter().map(|column| (column.name_str(), column)) {
            values.push((name, json(column, row.cell()?)?));
        }
        answer.push(values.iter().map(|(name, value)| (name.as_ref(), value.clone())))?;
    }
    Ok((answer.rows(), false))
}

fn json(column: &Column, cell: Cell<'_>) -> Result<Value> {
    use ColumnType as T;
    let kind = column.column_type();
    Ok(match cell {
        Cell::Null => Value::Null,
        Cell::Int(whole) => query::number(&whole.to_string()),
        Cell::UInt(whole) => query::number(&whole.to_string()),
        Cell::Float(real) => real.to_string().parse().map_or(Value::Null, query::float),
        Cell::Double(real) => query::float(real),
        Cell::Bytes(bits) if kind == T::MYSQL_TYPE_BIT => bit_string(bits, column.column_length() as usize).into(),
        Cell::Bytes(bytes) => {
            let is_decimal = matches!(kind, T::MYSQL_TYPE_DECIMAL | T::MYSQL_TYPE_NEWDECIMAL);
            let is_bytes = column.character_set() == BINARY && !is_decimal && kind != T::MYSQL_TYPE_JSON;
            match std::str::from_utf8(bytes) {
                _ if is_bytes => query::bytes(bytes),
                Ok(decimal) if is_decimal => query::number(decimal),
                Ok(text) => Value::from(text),
                Err(_) => {
                    let message = format!("a text in `{}` is not UTF-8", column.name_str());
                    return Err(
                        Error::new(ErrorKind::Data, message).advise("Select it as bytes: `CAST(.. AS BINARY)`.")
                    );
                }
            }
        }
        Cell::Date(year, month, day, ..) if matches!(kind, T::MYSQL_TYPE_DATE | T::MYSQL_TYPE_NEWDATE) => {
            format!("{year:04}-{month:02}-{day:02}").into()
        }
        Cell::Date(year, month, day, hour, minute, second, us) => {
            let clock = i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second);
            let mut shown = format!("{year:04}-{month:02}-{day:02}T");
            text::write_time(&mut shown, clock * 1_000_000 + i64::from(us));
            // a TIMESTAMP is an instant, and the session's time zone is UTC
            shown.push_str(if kind == T::MYSQL_TYPE_TIMESTAMP { "Z" } else { "" });
            shown.into()
        }
        Cell::Time(negative, days, hours, minutes, seconds, us) => {
            let hours = i64::from(days) * 24 + i64::from(hours);
            let seconds = hours * 3_600 + i64::from(minutes) * 60 + i64::from(seconds);
            let us = seconds * 1_000_000 + i64::from(us);
            let mut shown = String::new();
            text::write_duration(&mut shown, if negative { -us } else { us });
            shown.into()
        }
    })
}

/// A value as its text; nothing for NULL.
///
/// # Errors
/// `Data` for a text that is not UTF-8.
pub(super) fn text_of(column: &Column, cell: Cell<'_>) -> Result<Option<String>> {
    let is_decimal = matches!(column.column_type(), ColumnType::MYSQL_TYPE_DECIMAL | ColumnType::MYSQL_TYPE_NEWDECIMAL);
    Ok(match cell {
        Cell::Null => None,
        Cell::Int(whole) => Some(whole.to_string()),
        Cell::UInt(whole) => Some(whole.to_string()),
        Cell::Float(real) => Some(real.to_string()),
        Cell::Double(real) => Some(real.to_string()),
        Cell::Bytes(bytes) if is_decimal => Some(String::from_utf8_lossy(bytes).into_owned()),
        other => json(column, other)?.as_str().map(str::to_owned),
    })
}

fn bit_string(bytes: &[u8], width: usize) -> String {
    let all: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
    all[all.len().saturating_sub(width)..].to_owned()
}

/// The server's refusal to write in a transaction that reads, and to go on for too long, in the words of a query. Errors
/// 1792, 1969 (MariaDB) and 3024 (MySQL).
pub(super) fn explained(error: Error) -> Error {
    let is = |code: u16| error.message().ends_with(&format!("(error {code})"));
    if is(1792) {
        let advice = "A query of a pipeline cannot change anything: use a sync, or a command.";
        return Error::new(ErrorKind::Refused, error.message()).advise(advice);
    }
    if is(1969) || is(3024) { query::too_slow() } else { error }
}
