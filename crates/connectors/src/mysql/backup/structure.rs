//! What makes tables again: what the server prints of them, without foreign keys, and the sequences of MariaDB.

use levada_core::backup::{Object, Structure, Table as Kept};
use levada_core::error::{Context, Error, ErrorKind, Result};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use super::create::{without_database, without_foreign_keys};
use crate::mysql::discover::Table;
use crate::mysql::error::from_driver;
use crate::mysql::session::{quoted, text_literal};

/// What makes tables again; `all` says that sequences come too that no table uses.
pub async fn of(conn: &mut Conn, database: &str, tables: &[Table], all: bool) -> Result<Structure> {
    let mut structure = Structure::default();
    let mut defaults = String::new();
    for table in tables {
        let kept = kept(conn, database, table).await.at(format!("table `{}`", table.name))?;
        if table.is_versioned {
            structure.left_out.push(format!("`{}`: the versions that its rows had before are not kept", table.name));
        }
        defaults.push_str(&kept.create.concat());
        structure.tables.push(kept);
    }
    for name in sequences(conn).await? {
        if all || defaults.contains(&format!("({})", quoted(&name))) {
            structure.objects.push(sequence(conn, &name).await.at(format!("sequence `{name}`"))?);
        }
    }
    Ok(structure)
}

async fn kept(conn: &mut Conn, database: &str, table: &Table) -> Result<Kept> {
    let create = shown(conn, "TABLE", &table.name).await?;
    let (create, foreign_keys) = without_foreign_keys(&without_database(&create, database));
    Ok(Kept {
        stream: table.name.clone(),
        namespace: None,
        table: table.name.clone(),
        key: table.key(),
        create: vec![create],
        then: numbering(conn, &table.name).await?,
        foreign_keys,
    })
}

/// What the server prints of a thing.
async fn shown(conn: &mut Conn, kind: &str, name: &str) -> Result<String> {
    let row: Option<Row> =
        conn.query_first(format!("SHOW CREATE {kind} {}", quoted(name))).await.map_err(from_driver)?;
    let text = row.and_then(|mut row| row.take_opt::<String, _>(1)).and_then(std::result::Result::ok);
    text.ok_or_else(|| Error::new(ErrorKind::Unsupported, "the server does not tell its definition"))
}

/// What moves the next number of AUTO_INCREMENT on, and never back. It is no part of the view: it is at least as far as the rows.
async fn numbering(conn: &mut Conn, table: &str) -> Result<Vec<String>> {
    let of_table =
        "SELECT AUTO_INCREMENT FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ";
    let sql = format!("{of_table}{}", text_literal(table));
    let next: Option<Option<u64>> = conn.query_first(&sql).await.map_err(from_driver)?;
    let Some(next) = next.flatten().filter(|next| *next > 1) else { return Ok(Vec::new()) };
    let alter = text_literal(&format!("ALTER TABLE {} AUTO_INCREMENT = {next}", quoted(table)));
    // a condition around a definition takes a prepared statement
    Ok(vec![
        format!("SET @levada = IF(COALESCE(({sql}), 0) < {next}, {alter}, 'DO 0')"),
        "PREPARE levada FROM @levada".to_owned(),
        "EXECUTE levada".to_owned(),
        "DEALLOCATE PREPARE levada".to_owned(),
    ])
}

async fn sequences(conn: &mut Conn) -> Result<Vec<String>> {
    let sql = "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() \
               AND TABLE_TYPE = 'SEQUENCE' ORDER BY TABLE_NAME";
    conn.query(sql).await.map_err(from_driver)
}

async fn sequence(conn: &mut Conn, name: &str) -> Result<Object> {
    let create = shown(conn, "SEQUENCE", name).await?;
    let own = quoted(name);
    let sql = format!("SELECT next_not_cached_value, minimum_value, maximum_value, increment FROM {own}");
    let state: Option<(i64, i64, i64, i64)> = conn.query_first(sql).await.map_err(from_driver)?;
    let (next, least, most, step) =
        state.ok_or_else(|| Error::new(ErrorKind::Unsupported, "the sequence has no state"))?;
    // one that has run out has a next number that it may not have: its last one is told instead
    let (number, is_used) =
        if (least..=most).contains(&next) { (next, 0) } else { (next.saturating_sub(step).clamp(least, most), 1) };
    Ok(Object {
        kind: "sequence".to_owned(),
        name: name.to_owned(),
        create,
        then: Some(format!("SELECT SETVAL({own}, {number}, {is_used})")),
    })
}
