//! The tables Levada keeps beside the data: the last commit of every stream, and the quarantine.

use levada_core::batch::Reject;
use levada_core::destination::{LoadEnd, LoadSpec};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::position::{Commit, StreamKey};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::target::Target;
use crate::kit::state::{POSITIONS, REJECTS};
use crate::postgres::config::Settings;
use crate::postgres::error::Translate;
use crate::postgres::session::Session;
use crate::postgres::sql::qualified;

const COLUMNS: &str = "pipeline, stream, target, load_id, state, rows_written, rows_rejected, \
    to_char(committed_at, 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')";

fn positions(settings: &Settings) -> String {
    qualified(&settings.schema, POSITIONS)
}

fn quarantine(settings: &Settings) -> String {
    qualified(&settings.schema, REJECTS)
}

/// Creates both tables where they are missing.
pub async fn ensure(client: &Client, settings: &Settings) -> Result<()> {
    let query =
        "SELECT count(*) = 2 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relname IN ($2, $3)";
    let parameters: &[(&(dyn tokio_postgres::types::ToSql + Sync), Type)] =
        &[(&settings.schema, Type::TEXT), (&POSITIONS, Type::TEXT), (&REJECTS, Type::TEXT)];
    if client.query_typed_one(query, parameters).await.pg()?.get(0) {
        return Ok(());
    }
    Target::create_schema(client, &settings.schema).await?;
    // Two loads may come here at once, and `IF NOT EXISTS` alone does not keep them apart.
    let create = format!(
        "BEGIN; SELECT pg_catalog.pg_advisory_xact_lock(7595432157);
        CREATE TABLE IF NOT EXISTS {} (pipeline text NOT NULL, stream text NOT NULL, target text NOT NULL,
          load_id text NOT NULL, state text NOT NULL, rows_written bigint NOT NULL, rows_rejected bigint NOT NULL,
          committed_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (pipeline, stream));
        CREATE TABLE IF NOT EXISTS {} (load_id text NOT NULL, pipeline text NOT NULL, stream text NOT NULL,
          target text NOT NULL, column_name text, reason text NOT NULL, row_json text NOT NULL,
          rejected_at timestamptz NOT NULL DEFAULT now());
        COMMIT",
        positions(settings),
        quarantine(settings)
    );
    let created = client.batch_execute(&create).await.pg();
    if created.is_err() {
        let _ = client.batch_execute("ROLLBACK").await;
    }
    created
}

fn commit_of(row: &Row) -> Result<Commit> {
    let state: String = row.get(4);
    let state = serde_json::from_str(&state)
        .map_err(|_| Error::new(ErrorKind::Data, format!("the state in {POSITIONS} is not JSON")))?;
    Ok(Commit {
        key: StreamKey { pipeline: row.get(0), stream: row.get(1) },
        target: row.get(2),
        load_id: row.get(3),
        state,
        rows_written: row.get::<_, i64>(5).unsigned_abs(),
        rows_rejected: row.get::<_, i64>(6).unsigned_abs(),
        committed_at: row.get(7),
    })
}

/// Runs a query on the positions; no rows where there is no such table.
async fn ask(settings: &Settings, filter: &str, key: Option<&StreamKey>) -> Result<Vec<Row>> {
    let session = Session::open(settings).await?;
    let sql = filter.replace("POSITIONS", &positions(settings)).replace("COLUMNS", COLUMNS);
    let rows = match key {
        None => session.client.query_typed(&sql, &[]).await,
        Some(key) => session.client.query_typed(&sql, &[(&key.pipeline, Type::TEXT), (&key.stream, Type::TEXT)]).await,
    };
    let rows = match rows {
        Err(error) if error.code().is_some_and(|code| matches!(code.code(), "42P01" | "3F000")) => Vec::new(),
        rows => rows.pg()?,
    };
    session.close().await;
    Ok(rows)
}

/// The last commit of a stream.
pub async fn committed(settings: &Settings, key: &StreamKey) -> Result<Option<Commit>> {
    let rows = ask(settings, "SELECT COLUMNS FROM POSITIONS WHERE pipeline = $1 AND stream = $2", Some(key)).await?;
    rows.first().map(commit_of).transpose()
}

/// Every commit.
pub async fn commits(settings: &Settings) -> Result<Vec<Commit>> {
    let rows =
        ask(settings, "SELECT COLUMNS FROM POSITIONS ORDER BY pipeline COLLATE \"C\", stream COLLATE \"C\"", None)
            .await?;
    rows.iter().map(commit_of).collect()
}

/// Forgets the last commit of a stream.
pub async fn forget(settings: &Settings, key: &StreamKey) -> Result<bool> {
    let sql = "DELETE FROM POSITIONS WHERE pipeline = $1 AND stream = $2 RETURNING 1";
    Ok(!ask(settings, sql, Some(key)).await?.is_empty())
}

/// Rows that a load put into the quarantine; none where there is no such table.
pub async fn rejects(settings: &Settings, load_id: &str, skip: usize, limit: usize) -> Result<Vec<Reject>> {
    let session = Session::open(settings).await?;
    // they are written at once and leave together, so that their places are in the order in which they came
    let sql = format!(
        "SELECT row_json, column_name, reason FROM {} WHERE load_id = $1 ORDER BY ctid OFFSET $2 LIMIT $3",
        quarantine(settings)
    );
    let (skip, limit) = (i64::try_from(skip).unwrap_or(i64::MAX), i64::try_from(limit).unwrap_or(i64::MAX));
    let values: &[(&(dyn tokio_postgres::types::ToSql + Sync), Type)] =
        &[(&load_id, Type::TEXT), (&skip, Type::INT8), (&limit, Type::INT8)];
    let rows = match session.client.query_typed(&sql, values).await {
        Err(error) if error.code().is_some_and(|code| matches!(code.code(), "42P01" | "3F000")) => Vec::new(),
        rows => rows.pg()?,
    };
    session.close().await;
    Ok(rows.iter().map(|row| Reject { row: row.get(0), column: row.get(1), reason: row.get(2) }).collect())
}

/// Refuses if another run has committed since this load was planned. Within a transaction it also keeps others out.
pub async fn compare(client: &Client, settings: &Settings, spec: &LoadSpec, lock: bool) -> Result<()> {
    let sql = format!(
        "SELECT load_id FROM {} WHERE pipeline = $1 AND stream = $2{}",
        positions(settings),
        if lock { " FOR UPDATE" } else { "" }
    );
    let key = &spec.key;
    let row = client.query_typed_opt(&sql, &[(&key.pipeline, Type::TEXT), (&key.stream, Type::TEXT)]).await.pg()?;
    let current: Option<String> = row.map(|row| row.get(0));
    if current == spec.previous {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Busy, "another run committed this stream meanwhile")
        .at(format!("stream {}", key.stream))
        .advise("Nothing was changed. Run again: it goes on from the newer commit."))
}

/// Stores the new commit and the rejects, in the open transaction.
pub async fn store(client: &Client, settings: &Settings, spec: &LoadSpec, end: &LoadEnd) -> Result<()> {
    let sql = format!(
        "INSERT INTO {} AS p (pipeline, stream, target, load_id, state, rows_written, rows_rejected, committed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, clock_timestamp())
         ON CONFLICT (pipeline, stream) DO UPDATE SET target = EXCLUDED.target, load_id = EXCLUDED.load_id,
           state = EXCLUDED.state, rows_written = EXCLUDED.rows_written, rows_rejected = EXCLUDED.rows_rejected,
           committed_at = EXCLUDED.committed_at
         WHERE p.load_id IS NOT DISTINCT FROM $8",
        positions(settings)
    );
    let state = end.state.to_string();
    let (written, rejected) = (end.rows_written as i64, end.rejects.len() as i64);
    let parameters: &[(&(dyn tokio_postgres::types::ToSql + Sync), Type)] = &[
        (&spec.key.pipeline, Type::TEXT),
        (&spec.key.stream, Type::TEXT),
        (&spec.target, Type::TEXT),
        (&spec.load_id, Type::TEXT),
        (&state, Type::TEXT),
        (&written, Type::INT8),
        (&rejected, Type::INT8),
        (&spec.previous, Type::TEXT),
    ];
    if client.execute_typed(&sql, parameters).await.pg()? != 1 {
        return Err(Error::new(ErrorKind::Busy, "another run committed this stream meanwhile")
            .at(format!("stream {}", spec.key.stream))
            .advise("Nothing was changed. Run again: it goes on from the newer commit."));
    }
    if let Some(replayed) = &end.replayed {
        let sql = format!("DELETE FROM {} WHERE load_id = $1", quarantine(settings));
        let removed = client.execute_typed(&sql, &[(&replayed.load_id, Type::TEXT)]).await.pg()?;
        replayed.check(removed)?;
    }
    let load_id = end.rejects_of(&spec.load_id);
    for chunk in end.rejects.chunks(5_000) {
        store_rejects(client, settings, (spec, load_id), chunk).await?;
    }
    Ok(())
}

async fn store_rejects(
    client: &Client,
    settings: &Settings,
    (spec, load_id): (&LoadSpec, &str),
    rejects_: &[Reject],
) -> Result<()> {
    let sql = format!(
        "INSERT INTO {} (load_id, pipeline, stream, target, column_name, reason, row_json)
         SELECT $1, $2, $3, $4, r.* FROM unnest($5::text[], $6::text[], $7::text[]) r",
        quarantine(settings)
    );
    // A text of the server cannot hold a zero byte, whatever the row held.
    let clean = |text: &str| text.replace('\0', "\\u0000");
    let columns: Vec<Option<String>> = rejects_.iter().map(|reject| reject.column.as_deref().map(clean)).collect();
    let reasons: Vec<String> = rejects_.iter().map(|reject| clean(&reject.reason)).collect();
    let rows: Vec<String> = rejects_.iter().map(|reject| clean(&reject.row)).collect();
    let parameters: &[(&(dyn tokio_postgres::types::ToSql + Sync), Type)] = &[
        (&load_id, Type::TEXT),
        (&spec.key.pipeline, Type::TEXT),
        (&spec.key.stream, Type::TEXT),
        (&spec.target, Type::TEXT),
        (&columns, Type::TEXT_ARRAY),
        (&reasons, Type::TEXT_ARRAY),
        (&rows, Type::TEXT_ARRAY),
    ];
    client.execute_typed(&sql, parameters).await.pg()?;
    Ok(())
}
