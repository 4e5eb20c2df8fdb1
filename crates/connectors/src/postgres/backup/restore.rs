//! Makes tables again from the statements of a backup, and puts their foreign keys up when the rows are there. Each of the
//! two is one transaction.

use levada_core::backup::{Found, Object, Structure, Table, rows_there};
use levada_core::error::{Context, Error, ErrorKind, Result};
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use crate::postgres::config::Settings;
use crate::postgres::error::Translate;
use crate::postgres::session::Session;
use crate::postgres::sql::{ident, qualified};

/// Makes what is missing, in one transaction.
pub async fn prepare(settings: &Settings, structure: &Structure, replace: bool) -> Result<Vec<Found>> {
    let session = begin(settings).await?;
    let client = &session.client;
    for object in &structure.objects {
        make(client, object).await.at(format!("{} {}", object.kind, object.name))?;
    }
    let mut found = Vec::new();
    let mut full = Vec::new();
    for table in &structure.tables {
        let (state, name) = (prepare_table(client, table).await.at(format!("table {}", table.stream))?, &table.stream);
        if state == Found::Rows {
            full.push(name.as_str());
        }
        found.push(state);
    }
    if !full.is_empty() && !replace {
        return Err(rows_there(&full));
    }
    client.batch_execute("COMMIT").await.pg()?;
    session.close().await;
    Ok(found)
}

async fn begin(settings: &Settings) -> Result<Session> {
    let session = Session::open(settings).await?;
    // As the statements were told; what they do to a table is done behind what others do to it now.
    let begin = "SET search_path = pg_catalog; SET check_function_bodies = off; BEGIN; SET LOCAL lock_timeout = '60s'";
    session.client.batch_execute(begin).await.pg()?;
    Ok(session)
}

async fn make(client: &Client, object: &Object) -> Result<()> {
    let query = match object.kind.as_str() {
        "schema" => "SELECT pg_catalog.to_regnamespace($1) IS NOT NULL",
        "type" => "SELECT pg_catalog.to_regtype($1) IS NOT NULL",
        "sequence" => "SELECT pg_catalog.to_regclass($1) IS NOT NULL",
        "extension" => "SELECT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = pg_catalog.btrim($1, '\"'))",
        other => {
            let message = format!("the backup holds a `{other}`, which this version does not know");
            return Err(
                Error::new(ErrorKind::Unsupported, message).advise("Restore it with a newer version of Levada.")
            );
        }
    };
    if !client.query_typed_one(query, &[(&object.name, Type::TEXT)]).await.pg()?.get::<_, bool>(0) {
        client.batch_execute(&object.create).await.pg()?;
    }
    match &object.then {
        Some(then) => client.batch_execute(then).await.pg(),
        None => Ok(()),
    }
}

async fn prepare_table(client: &Client, table: &Table) -> Result<Found> {
    let name = name(table);
    let mut found = Found::Empty;
    if exists(client, &name).await? {
        for key in &table.foreign_keys {
            let drop = format!("ALTER TABLE {name} DROP CONSTRAINT IF EXISTS {}", ident(&key.name));
            client.batch_execute(&drop).await.pg()?;
        }
        let query = format!("SELECT EXISTS (SELECT FROM {name})");
        if client.query_typed_one(&query, &[]).await.pg()?.get(0) {
            found = Found::Rows;
        }
    } else {
        for statement in &table.create {
            client.batch_execute(statement).await.pg()?;
        }
    }
    for statement in &table.then {
        client.batch_execute(statement).await.pg()?;
    }
    Ok(found)
}

/// Puts up the foreign keys, in one transaction.
pub async fn finish(settings: &Settings, structure: &Structure) -> Result<Vec<String>> {
    let session = begin(settings).await?;
    let client = &session.client;
    let mut left_out = Vec::new();
    for table in &structure.tables {
        let own = name(table);
        for key in &table.foreign_keys {
            if has_constraint(client, &own, &key.name).await? {
                continue;
            }
            if !exists(client, &key.references).await? {
                let (constraint, to) = (&key.name, &key.references);
                left_out.push(format!("{own}: the foreign key {constraint} points at {to}, which is not there"));
                continue;
            }
            let add = format!("ALTER TABLE {own} ADD CONSTRAINT {} {}", ident(&key.name), key.definition);
            client.batch_execute(&add).await.pg().at(format!("table {}", table.stream))?;
        }
    }
    client.batch_execute("COMMIT").await.pg()?;
    session.close().await;
    Ok(left_out)
}

fn name(table: &Table) -> String {
    qualified(table.namespace.as_deref().unwrap_or("public"), &table.table)
}

async fn exists(client: &Client, name: &str) -> Result<bool> {
    let query = "SELECT pg_catalog.to_regclass($1) IS NOT NULL";
    Ok(client.query_typed_one(query, &[(&name, Type::TEXT)]).await.pg()?.get(0))
}

async fn has_constraint(client: &Client, table: &str, constraint: &str) -> Result<bool> {
    let query = "SELECT EXISTS (SELECT FROM pg_catalog.pg_constraint
        WHERE conrelid = pg_catalog.to_regclass($1) AND conname = $2)";
    Ok(client.query_typed_one(query, &[(&table, Type::TEXT), (&constraint, Type::TEXT)]).await.pg()?.get(0))
}
