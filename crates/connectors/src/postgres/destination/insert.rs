//! The statements that bring rows of the stage into the table: inserted, or matched by key.

use levada_core::error::Result;

use super::load::TableLoad;
use super::target::Target;
use crate::postgres::error::Translate;
use crate::postgres::sql::{ident, idents};

/// What became of rows.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    /// New in the table.
    pub inserted: u64,
    /// Known by their key.
    pub updated: u64,
}

/// The columns of the load.
pub fn columns(load: &TableLoad) -> Vec<&str> {
    load.plan.load.schema.fields().iter().map(|field| field.name().as_str()).collect()
}

/// The rows of the stage, as a query; where rows are matched by key, the latest of each.
pub fn every_row(load: &TableLoad) -> String {
    if load.plan.key.is_empty() { rows_where(load, "true") } else { latest(load) }
}

/// Rows of the stage, as a query.
pub fn rows_where(load: &TableLoad, condition: &str) -> String {
    format!("SELECT {} FROM {} WHERE {condition}", idents(columns(load)), load.stage.quoted())
}

/// Brings rows, given by a query, into the table.
///
/// # Errors
/// `Data` for a row that the table refuses; `Busy` where other transactions stand in the way.
pub async fn insert(load: &TableLoad, rows: &str) -> Result<Counts> {
    if load.plan.key.is_empty() {
        return append(load, rows).await;
    }
    if load.target.has_unique(&load.control.client, &load.plan.key).await? {
        upsert(load, rows).await
    } else {
        update_and_insert(load, rows).await
    }
}

async fn append(load: &TableLoad, rows: &str) -> Result<Counts> {
    let columns = idents(columns(load));
    let list = if columns.is_empty() { String::new() } else { format!("({columns}) OVERRIDING SYSTEM VALUE ") };
    let sql = format!("INSERT INTO {} {list}{rows}", load.target.quoted());
    Ok(Counts { inserted: load.control.client.execute_typed(&sql, &[]).await.pg()?, updated: 0 })
}

/// The order in which the first row of a key is the one that stays.
fn latest_first(load: &TableLoad) -> String {
    match &load.spec.order_column {
        Some(column) => format!("{} DESC NULLS LAST, ctid DESC", ident(column)),
        None => "ctid DESC".to_owned(),
    }
}

/// Drops the rows of a table that a later row with the same key replaces; tells how many.
pub async fn drop_superseded(load: &TableLoad, table: &Target) -> Result<u64> {
    let sql = format!(
        "DELETE FROM {table} WHERE ctid IN (SELECT c FROM (SELECT ctid AS c, row_number() OVER (PARTITION BY {key}
         ORDER BY {order}) AS n FROM {table}) r WHERE n > 1)",
        table = table.quoted(),
        key = idents(&load.plan.key),
        order = latest_first(load),
    );
    load.control.client.execute_typed(&sql, &[]).await.pg()
}

/// The stage with only the latest row of each key.
fn latest(load: &TableLoad) -> String {
    let key = idents(&load.plan.key);
    format!(
        "SELECT DISTINCT ON ({key}) {} FROM {} ORDER BY {key}, {}",
        idents(columns(load)),
        load.stage.quoted(),
        latest_first(load)
    )
}

/// The condition under which rows `a` and `b` have one key.
pub fn same_key(load: &TableLoad, a: &str, b: &str) -> String {
    let parts = load.plan.key.iter().map(|name| format!("{a}.{0} = {b}.{0}", ident(name)));
    parts.collect::<Vec<_>>().join(" AND ")
}

fn assignments(load: &TableLoad, from: &str) -> String {
    let rest: Vec<&str> =
        columns(load).into_iter().filter(|name| !load.plan.key.iter().any(|key| key == name)).collect();
    // A table that is all key is "updated" too, so that its rows are counted.
    let set = if rest.is_empty() { columns(load) } else { rest };
    set.iter().map(|name| format!("{0} = {from}.{0}", ident(name))).collect::<Vec<_>>().join(", ")
}

async fn upsert(load: &TableLoad, rows: &str) -> Result<Counts> {
    let client = &load.control.client;
    let insert = format!(
        "INSERT INTO {table} AS t ({columns}) OVERRIDING SYSTEM VALUE {rows} ON CONFLICT ({key}) DO UPDATE SET {set}",
        table = load.target.quoted(),
        columns = idents(columns(load)),
        key = idents(&load.plan.key),
        set = assignments(load, "EXCLUDED"),
    );
    if load.target.is_partitioned(client).await? {
        // Partitions do not tell which of their rows are new ones.
        let (table, same) = (load.target.quoted(), same_key(load, "t", "s"));
        let known = format!("SELECT count(*) FROM {table} t JOIN ({rows}) s ON {same}");
        let updated = client.query_typed_one(&known, &[]).await.pg()?.get::<_, i64>(0).unsigned_abs();
        let merged = client.execute_typed(&insert, &[]).await.pg()?;
        return Ok(Counts { inserted: merged.saturating_sub(updated), updated });
    }
    // A row version that an INSERT made has no transaction that replaced or locked it.
    let sql = format!(
        "WITH merged AS ({insert} RETURNING t.xmax = 0 AS fresh)
         SELECT count(*) FILTER (WHERE fresh), count(*) FILTER (WHERE NOT fresh) FROM merged"
    );
    let row = client.query_typed_one(&sql, &[]).await.pg()?;
    Ok(Counts { inserted: row.get::<_, i64>(0).unsigned_abs(), updated: row.get::<_, i64>(1).unsigned_abs() })
}

/// Without a unique index to arbitrate, other writers are kept out meanwhile.
async fn update_and_insert(load: &TableLoad, rows: &str) -> Result<Counts> {
    let client = &load.control.client;
    let table = load.target.quoted();
    client.batch_execute(&format!("LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")).await.pg()?;
    let same = same_key(load, "t", "s");
    let update = format!("UPDATE {table} AS t SET {} FROM ({rows}) s WHERE {same}", assignments(load, "s"));
    let updated = client.execute_typed(&update, &[]).await.pg()?;
    let columns = idents(columns(load));
    let insert = format!(
        "INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE
         SELECT {columns} FROM ({rows}) s WHERE NOT EXISTS (SELECT FROM {table} t WHERE {same})"
    );
    Ok(Counts { inserted: client.execute_typed(&insert, &[]).await.pg()?, updated })
}
