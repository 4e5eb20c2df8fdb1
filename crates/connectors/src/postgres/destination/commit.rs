//! The one act of a load: data, position and quarantine in a single transaction, tried again where other transactions
//! stood in its way.

use std::time::Duration;

use levada_core::destination::{Durable, LoadEnd, WriteMode};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::schema::HAS_DEFAULT;
use tokio::time::sleep;
use tokio_postgres::types::Type;

use super::insert::{Counts, columns, drop_superseded, every_row, insert, same_key};
use super::load::TableLoad;
use super::plan::{Strategy, alter};
use super::sift::{Moved, sift};
use super::state;
use crate::postgres::error::Translate;
use crate::postgres::sql::{ident, idents, literal};

/// How often a deadlock, serialisation failure or lock time-out is met by trying again.
const ATTEMPTS: u32 = 5;

/// Commits a load whose writers have finished.
pub async fn commit(load: &TableLoad, end: &LoadEnd) -> Result<Durable> {
    let client = &load.control.client;
    let direct = load.plan.strategy == Strategy::Append;
    let mut attempt = 0;
    let durable = loop {
        if !direct {
            client.batch_execute("BEGIN; SET LOCAL lock_timeout = '30s'").await.pg()?;
        }
        match apply(load, end).await {
            Ok(durable) => break durable,
            Err(error) if error.kind() == ErrorKind::Busy && !direct && attempt + 1 < ATTEMPTS => {
                client.batch_execute("ROLLBACK").await.pg()?;
                let jitter = u64::from(uuid::Uuid::new_v4().as_bytes()[0]);
                sleep(Duration::from_millis((100 << attempt) + jitter)).await;
                attempt += 1;
            }
            Err(error) => {
                let _ = client.batch_execute("ROLLBACK").await;
                return Err(error);
            }
        }
    };
    let _ = client.batch_execute("SELECT pg_catalog.pg_advisory_unlock_all()").await;
    Ok(durable)
}

async fn apply(load: &TableLoad, end: &LoadEnd) -> Result<Durable> {
    let client = &load.control.client;
    state::compare(client, &load.settings, &load.spec, true).await?;
    for change in &load.plan.changes {
        client.batch_execute(&alter(&load.target, change, &load.plan.load.schema)).await.pg()?;
    }
    let mut end = end.clone();
    let durable = match load.plan.strategy {
        Strategy::Append => Durable { inserted: end.rows_written, ..Durable::default() },
        Strategy::New => rename(load, &end).await?,
        Strategy::AppendStaged | Strategy::Merge => fill(load, &mut end).await?,
        Strategy::Replace => {
            let deleted = empty(load).await?;
            Durable { deleted, ..fill(load, &mut end).await? }
        }
        Strategy::ReplaceByKey => {
            let filled = fill(load, &mut end).await?;
            Durable { deleted: delete_missing(load).await?, ..filled }
        }
    };
    advance_sequences(load).await?;
    if !matches!(load.plan.strategy, Strategy::Append | Strategy::New) {
        client.batch_execute(&format!("DROP TABLE {}", load.stage.quoted())).await.pg()?;
    }
    state::store(client, &load.settings, &load.spec, &end).await?;
    client.batch_execute("COMMIT").await.pg().map_err(|error| match error.kind() {
        ErrorKind::Connect => Error::new(ErrorKind::Connect, "the connection broke while the commit was under way")
            .advise("Run again: the run finds out whether the commit took effect, and goes on from there."),
        _ => error,
    })?;
    Ok(durable)
}

/// Moves the sequences of loaded columns past the loaded values, so that the next row of another program finds its
/// number free.
async fn advance_sequences(load: &TableLoad) -> Result<()> {
    let Some(existing) = &load.spec.existing else { return Ok(()) };
    let client = &load.control.client;
    let table = load.target.quoted();
    for name in columns(load) {
        let filled = existing.schema.field_with_name(name).is_ok_and(|old| old.metadata().contains_key(HAS_DEFAULT));
        if !filled {
            continue;
        }
        let query = "SELECT s FROM pg_catalog.pg_get_serial_sequence($1, $2) s
            WHERE pg_catalog.has_sequence_privilege(s, 'UPDATE, SELECT')";
        let row = client.query_typed_opt(query, &[(&table, Type::TEXT), (&name, Type::TEXT)]).await.pg()?;
        // Its name comes quoted from the server.
        if let Some(sequence) = row.and_then(|row| row.get::<_, Option<String>>(0)) {
            let advance = format!(
                "SELECT pg_catalog.setval({text}::pg_catalog.regclass, m) FROM (SELECT max({column}) AS m FROM {table}) x
                 WHERE m > (SELECT last_value FROM {sequence})",
                text = literal(&sequence),
                column = ident(name),
            );
            client.execute_typed(&advance, &[]).await.pg()?;
        }
    }
    Ok(())
}

/// Gives the stage the target's name, then its key.
async fn rename(load: &TableLoad, end: &LoadEnd) -> Result<Durable> {
    let client = &load.control.client;
    let renamed = format!("ALTER TABLE {} RENAME TO {}", load.stage.quoted(), ident(&load.target.table));
    client.batch_execute(&renamed).await.pg().map_err(|error| match error.kind() {
        ErrorKind::Schema => Error::new(ErrorKind::Refused, "a table of this name appeared while the load ran")
            .advise("Nothing was changed. Run again: it is then loaded into that table."),
        _ => error,
    })?;
    if load.spec.quarantine {
        let (table, key) = (load.target.quoted(), ident(&load.stage_key()));
        client.batch_execute(&format!("ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {key}")).await.pg()?;
    }
    let all = Durable { inserted: end.rows_written, ..Durable::default() };
    if load.plan.key.is_empty() {
        return Ok(all);
    }
    let memory = "SELECT pg_catalog.set_config('maintenance_work_mem', '256MB', true)
        WHERE pg_catalog.pg_size_bytes(current_setting('maintenance_work_mem')) < 268435456";
    client.batch_execute(memory).await.pg()?;
    let add = format!("ALTER TABLE {} ADD PRIMARY KEY ({})", load.target.quoted(), idents(&load.plan.key));
    if load.spec.write != WriteMode::Merge {
        client.batch_execute(&add).await.pg().map_err(|error| not_a_key(load, error))?;
        return Ok(all);
    }
    client.batch_execute("SAVEPOINT levada").await.pg()?;
    match client.batch_execute(&add).await {
        Ok(()) => return Ok(all),
        Err(error) if error.code().is_some_and(|code| code.code() == "23505") => {
            client.batch_execute("ROLLBACK TO levada").await.pg()?;
        }
        Err(error) => return Err(error).pg(),
    }
    let superseded = drop_superseded(load, &load.target).await?;
    client.batch_execute(&add).await.pg()?;
    Ok(Durable { inserted: end.rows_written.saturating_sub(superseded), superseded, ..Durable::default() })
}

fn not_a_key(load: &TableLoad, error: Error) -> Error {
    if error.kind() != ErrorKind::Data {
        return error;
    }
    let key = load.plan.key.join(", ");
    Error::new(ErrorKind::Data, format!("({key}) is not a key of the rows read: {}", error.message()))
        .advise("Choose columns that tell the rows apart as `key`, or load without one.")
}

async fn empty(load: &TableLoad) -> Result<u64> {
    let client = &load.control.client;
    let table = load.target.quoted();
    let query = "SELECT c.relkind = 'r', pg_catalog.has_table_privilege(c.oid, 'TRUNCATE') AND c.relkind <> 'f'
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relname = $2";
    let names: &[(&(dyn tokio_postgres::types::ToSql + Sync), Type)] =
        &[(&load.target.schema, Type::TEXT), (&load.target.table, Type::TEXT)];
    let row = client.query_typed_one(query, names).await.pg()?;
    let only = if row.get(0) { "ONLY " } else { "" };
    if !row.get::<_, bool>(1) {
        return client.execute_typed(&format!("DELETE FROM {only}{table}"), &[]).await.pg();
    }
    client.batch_execute(&format!("LOCK TABLE {only}{table} IN ACCESS EXCLUSIVE MODE")).await.pg()?;
    let count = format!("SELECT count(*) FROM {only}{table}");
    let rows: i64 = client.query_typed_one(&count, &[]).await.pg()?.get(0);
    client.batch_execute(&format!("TRUNCATE {only}{table}")).await.pg()?;
    Ok(rows.unsigned_abs())
}

/// Moves the rows of the stage into the table; with a quarantine, those that it refuses are set apart.
async fn fill(load: &TableLoad, end: &mut LoadEnd) -> Result<Durable> {
    let moved =
        if load.spec.quarantine { sift(load).await? } else { Moved::all(insert(load, &every_row(load)).await?) };
    let rejected = moved.rejects.len() as u64;
    end.rows_written = end.rows_written.saturating_sub(rejected);
    end.rejects.extend(moved.rejects);
    let Counts { inserted, updated } = moved.counts;
    let superseded = end.rows_written.saturating_sub(inserted + updated);
    if load.plan.key.is_empty() && inserted != end.rows_written {
        let message = format!("{} rows were to go in, but the table took {inserted}", end.rows_written);
        return Err(Error::new(ErrorKind::Data, message).advise(
            "A rule or trigger of the table drops or adds rows: nothing was committed. Remove it, or load elsewhere.",
        ));
    }
    Ok(Durable { inserted, updated, superseded, rejected, deleted: 0 })
}

async fn delete_missing(load: &TableLoad) -> Result<u64> {
    let sql = format!(
        "DELETE FROM {} AS t WHERE NOT EXISTS (SELECT FROM {} s WHERE {})",
        load.target.quoted(),
        load.stage.quoted(),
        same_key(load, "t", "s")
    );
    load.control.client.execute_typed(&sql, &[]).await.pg()
}
