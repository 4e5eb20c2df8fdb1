//! What makes the tables of a file again: the statements that the file keeps of them.

use levada_core::backup::Table;
use levada_core::error::{Error, ErrorKind, Result};
use rusqlite::{Connection, OptionalExtension as _};

use crate::sqlite::error;

/// The tables of a file, ordered, and sentences on what is none and has rows.
pub fn names(connection: &Connection) -> Result<(Vec<String>, Vec<String>)> {
    let sql = "SELECT name, type FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual') \
               AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_levada\\_%' ESCAPE '\\' ORDER BY name";
    let mut statement = connection.prepare(sql).map_err(error::of)?;
    let found = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    let found: Vec<(String, String)> = found.and_then(Iterator::collect).map_err(error::of)?;
    let (tables, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|(_, kind)| kind == "table");
    let left_out = others.into_iter().map(|(name, _)| format!("`{name}` is a virtual table, and not kept"));
    Ok((tables.into_iter().map(|(name, _)| name).collect(), left_out.collect()))
}

/// The definition of a table.
pub fn table(connection: &Connection, name: &str) -> Result<Table> {
    let sql = "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?1";
    let own: Option<String> = connection.query_row(sql, [name], |row| row.get(0)).optional().map_err(error::of)?;
    let gone = || Error::new(ErrorKind::NotFound, format!("there is no table `{name}`"));
    let mut create = vec![own.ok_or_else(gone)?];
    let sql = "SELECT sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = ?1 AND sql IS NOT NULL ORDER BY name";
    create.extend(texts(connection, sql, name)?);
    let key = texts(connection, "SELECT name FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY pk", name)?;
    Ok(Table {
        stream: name.to_owned(),
        namespace: None,
        table: name.to_owned(),
        key,
        create,
        then: sequence(connection, name)?,
        foreign_keys: Vec::new(),
    })
}

fn texts(connection: &Connection, sql: &str, table: &str) -> Result<Vec<String>> {
    let mut statement = connection.prepare(sql).map_err(error::of)?;
    statement.query_map([table], |row| row.get(0)).and_then(Iterator::collect).map_err(error::of)
}

/// What moves the number of an AUTOINCREMENT on, if the table has one that was ever used.
fn sequence(connection: &Connection, table: &str) -> Result<Vec<String>> {
    let known = "SELECT count(*) FROM sqlite_schema WHERE name = 'sqlite_sequence'";
    if connection.query_row(known, [], |row| row.get::<_, i64>(0)).map_err(error::of)? == 0 {
        return Ok(Vec::new());
    }
    let sql = "SELECT max(CAST(seq AS INTEGER)) FROM sqlite_sequence WHERE name = ?1";
    let Some(last) = connection.query_row(sql, [table], |row| row.get::<_, Option<i64>>(0)).map_err(error::of)? else {
        return Ok(Vec::new());
    };
    let name = format!("'{}'", table.replace('\'', "''"));
    Ok(vec![
        format!("UPDATE sqlite_sequence SET seq = {last} WHERE name = {name} AND seq < {last}"),
        format!(
            "INSERT INTO sqlite_sequence (name, seq) SELECT {name}, {last} \
             WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = {name})"
        ),
    ])
}
