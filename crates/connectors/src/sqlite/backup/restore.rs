//! Makes tables again from the statements of a backup, in one transaction. Foreign keys are part of them, and are not looked at
//! while rows come in.

use levada_core::backup::{Found, Structure, Table, rows_there};
use levada_core::error::{Context, Error, ErrorKind, Result};
use rusqlite::{Connection, OptionalExtension as _};

use crate::sqlite::{File, error, quote};

/// Makes what is missing.
pub fn prepare(file: &File, structure: &Structure, replace: bool) -> Result<Vec<Found>> {
    let connection = file.open_to_write()?;
    connection.execute_batch("BEGIN IMMEDIATE").map_err(error::of)?;
    let mut found = Vec::new();
    for table in &structure.tables {
        found.push(prepare_table(&connection, table).at(format!("table `{}`", table.table))?);
    }
    let full = structure.tables.iter().zip(&found).filter(|(_, found)| **found == Found::Rows);
    let full: Vec<&str> = full.map(|(table, _)| table.table.as_str()).collect();
    if !full.is_empty() && !replace {
        return Err(rows_there(&full));
    }
    connection.execute_batch("COMMIT").map_err(error::of)?;
    Ok(found)
}

fn prepare_table(connection: &Connection, table: &Table) -> Result<Found> {
    let sql = "SELECT type FROM sqlite_schema WHERE lower(name) = lower(?1) AND type IN ('table', 'view')";
    let there: Option<String> =
        connection.query_row(sql, [&table.table], |row| row.get(0)).optional().map_err(error::of)?;
    let mut found = Found::Empty;
    match there.as_deref() {
        Some("table") => {
            let sql = format!("SELECT EXISTS (SELECT 1 FROM {})", quote(&table.table));
            if connection.query_row(&sql, [], |row| row.get(0)).map_err(error::of)? {
                found = Found::Rows;
            }
        }
        Some(_) => return Err(Error::new(ErrorKind::Schema, "a view has the name of the table")),
        None => {
            for statement in &table.create {
                connection.execute_batch(statement).map_err(error::of)?;
            }
        }
    }
    for statement in &table.then {
        connection.execute_batch(statement).map_err(error::of)?;
    }
    Ok(found)
}

/// Tells of rows that point at rows which are not there.
pub fn finish(file: &File, structure: &Structure) -> Result<Vec<String>> {
    let Some(connection) = file.open_to_read()? else { return Ok(Vec::new()) };
    let mut notes = Vec::new();
    for table in &structure.tables {
        let sql = "SELECT \"parent\", count(*) FROM pragma_foreign_key_check(?1) GROUP BY 1 ORDER BY 1";
        let mut statement = connection.prepare(sql).map_err(error::of)?;
        let broken = statement.query_map([&table.table], |row| Ok((row.get(0)?, row.get(1)?)));
        // a key that points at a table without the columns it names cannot be looked at
        let Ok(broken) = broken.and_then(Iterator::collect::<rusqlite::Result<Vec<(String, i64)>>>) else { continue };
        let told = |(parent, rows): (String, i64)| {
            format!("{}: {rows} rows point at rows of `{parent}` that are not there", table.table)
        };
        notes.extend(broken.into_iter().map(told));
    }
    Ok(notes)
}
