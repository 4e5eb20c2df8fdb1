//! The tables `_levada_positions` and `_levada_rejects`, and the two steps by which a load that ends with a RENAME (which
//! commits by itself) is one act all the same: the row first announces the commit and the staging table, then the table
//! is renamed, then the row takes the commit over. Whether the staging table still exists tells a later reader, whoever
//! died in between, on which side of the RENAME the load ended.

use levada_core::batch::Reject;
use levada_core::destination::{LoadEnd, LoadSpec};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::position::{Commit, StreamKey};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row, Value};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::from_driver;
use super::session::{execute, quoted};
use crate::kit::state::{POSITIONS, REJECTS, stage_prefix};

/// What a row announces before the RENAME.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The commit that holds once the staging table is gone.
    pub commit: Commit,
    /// The staging table.
    pub stage: String,
    /// The name the replaced table gets, if there is one.
    pub old: Option<String>,
}

/// A stream's row: `load_id` is empty before the first commit.
struct Stored {
    commit: Commit,
    pending: Option<Pending>,
}

const COLUMNS: &str = "pipeline, stream, target, load_id, state, rows_written, rows_rejected, \
     DATE_FORMAT(committed_at, '%Y-%m-%dT%H:%i:%s.%fZ'), pending";

/// Creates both tables where they are missing.
///
/// # Errors
/// `Permission`.
pub async fn ensure(conn: &mut Conn) -> Result<()> {
    let table = |name: &str, columns: &str| {
        format!(
            "CREATE TABLE IF NOT EXISTS {} ({columns}) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
            quoted(name)
        )
    };
    let positions = "id CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY, pipeline TEXT NOT NULL, \
         stream TEXT NOT NULL, target VARCHAR(64) NOT NULL, load_id VARCHAR(100) NOT NULL, state LONGTEXT NOT NULL, \
         rows_written BIGINT UNSIGNED NOT NULL, rows_rejected BIGINT UNSIGNED NOT NULL, committed_at DATETIME(6) NOT NULL, \
         pending LONGTEXT NULL";
    let rejects = "id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, load_id VARCHAR(100) NOT NULL, pipeline TEXT NOT NULL, \
         stream TEXT NOT NULL, target VARCHAR(64) NOT NULL, column_name VARCHAR(255) NULL, reason TEXT NOT NULL, \
         row_json LONGTEXT NOT NULL, rejected_at DATETIME(6) NOT NULL, KEY load_id (load_id)";
    execute(conn, &table(POSITIONS, positions)).await?;
    execute(conn, &table(REJECTS, rejects)).await?;
    Ok(())
}

fn id(key: &StreamKey) -> String {
    let hash = Sha256::digest(format!("{}\0{}", key.pipeline, key.stream).as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn stored(mut row: Row) -> Result<Stored> {
    let broken = || Error::new(ErrorKind::Data, format!("a row of {POSITIONS} cannot be read"));
    let mut text = |index: usize| row.take_opt::<Option<String>, _>(index).and_then(std::result::Result::ok).flatten();
    let key = StreamKey { pipeline: text(0).ok_or_else(broken)?, stream: text(1).ok_or_else(broken)? };
    let commit = Commit {
        key,
        target: text(2).ok_or_else(broken)?,
        load_id: text(3).ok_or_else(broken)?,
        state: serde_json::from_str(&text(4).ok_or_else(broken)?).map_err(|_| broken())?,
        rows_written: text(5).and_then(|n| n.parse().ok()).ok_or_else(broken)?,
        rows_rejected: text(6).and_then(|n| n.parse().ok()).ok_or_else(broken)?,
        committed_at: text(7).unwrap_or_default(),
    };
    let pending = text(8).map(|json| serde_json::from_str(&json).map_err(|_| broken())).transpose()?;
    Ok(Stored { commit, pending })
}

async fn read_rows(conn: &mut Conn, key: Option<&StreamKey>) -> Result<Vec<Stored>> {
    let filter = key.map_or(String::new(), |key| format!(" WHERE id = '{}'", id(key)));
    let sql = format!("SELECT {COLUMNS} FROM {}{filter} ORDER BY pipeline, stream", quoted(POSITIONS));
    match conn.query::<Row, _>(sql).await {
        Ok(rows) => rows.into_iter().map(stored).collect(),
        Err(error) if super::error::code(&error) == Some(1146) => Ok(Vec::new()),
        Err(error) => Err(from_driver(error)),
    }
}

/// Whether a table exists in the connection's database.
///
/// # Errors
/// `Connect`.
pub async fn exists(conn: &mut Conn, table: &str) -> Result<bool> {
    let sql = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?";
    let count: Option<u64> = conn.exec_first(sql, (table,)).await.map_err(from_driver)?;
    Ok(count == Some(1))
}

/// What a row means now, without changing it.
async fn meaning(conn: &mut Conn, stored: Stored) -> Result<Option<Commit>> {
    if let Some(pending) = stored.pending
        && !exists(conn, &pending.stage).await?
    {
        return Ok(Some(pending.commit));
    }
    Ok(Some(stored.commit).filter(|commit| !commit.load_id.is_empty()))
}

/// The last commit of a stream.
///
/// # Errors
/// `Connect`, `Permission`.
pub async fn committed(conn: &mut Conn, key: &StreamKey) -> Result<Option<Commit>> {
    match read_rows(conn, Some(key)).await?.pop() {
        Some(stored) => meaning(conn, stored).await,
        None => Ok(None),
    }
}

/// Every stream's last commit.
///
/// # Errors
/// `Connect`, `Permission`.
pub async fn commits(conn: &mut Conn) -> Result<Vec<Commit>> {
    let mut commits = Vec::new();
    for stored in read_rows(conn, None).await? {
        commits.extend(meaning(conn, stored).await?);
    }
    Ok(commits)
}

/// Rows that a load put into the quarantine; none where there is no such table.
///
/// # Errors
/// `Connect`, `Permission`.
pub async fn rejects(conn: &mut Conn, load_id: &str, skip: usize, limit: usize) -> Result<Vec<Reject>> {
    let sql = format!(
        "SELECT row_json, column_name, reason FROM {} WHERE load_id = ? ORDER BY id LIMIT ? OFFSET ?",
        quoted(REJECTS)
    );
    match conn.exec::<(String, Option<String>, String), _, _>(sql, (load_id, limit, skip)).await {
        Ok(rows) => Ok(rows.into_iter().map(|(row, column, reason)| Reject { row, column, reason }).collect()),
        Err(error) if super::error::code(&error) == Some(1146) => Ok(Vec::new()),
        Err(error) => Err(from_driver(error)),
    }
}

/// Forgets a stream's last commit.
///
/// # Errors
/// `Connect`, `Permission`.
pub async fn forget(conn: &mut Conn, key: &StreamKey) -> Result<bool> {
    let had = committed(conn, key).await?.is_some();
    if had {
        execute(conn, &format!("DELETE FROM {} WHERE id = '{}'", quoted(POSITIONS), id(key))).await?;
    }
    Ok(had)
}

/// Settles what a dead load of the stream left, under its lock: a RENAME that happened is taken over, one that did not
/// is forgotten; then its tables are dropped.
///
/// # Errors
/// `Connect`, `Permission`.
pub async fn recover(conn: &mut Conn, key: &StreamKey) -> Result<()> {
    if let Some(pending) = read_rows(conn, Some(key)).await?.pop().and_then(|stored| stored.pending) {
        let target = &pending.commit.target;
        if !exists(conn, &pending.stage).await? {
            finalise(conn, &pending).await?;
        } else {
            // A server without atomic DDL may have died between the two halves of the RENAME.
            if let Some(old) = &pending.old
                && !exists(conn, target).await?
                && exists(conn, old).await?
            {
                execute(conn, &format!("RENAME TABLE {} TO {}", quoted(old), quoted(target))).await?;
            }
            discard(conn, &pending).await?;
        }
    }
    let unused =
        format!("DELETE FROM {} WHERE id = '{}' AND load_id = '' AND pending IS NULL", quoted(POSITIONS), id(key));
    execute(conn, &unused).await?;
    drop_stages(conn, key).await
}

/// Drops every staging table of a stream.
///
/// # Errors
/// `Connect`, `Permission`.
pub async fn drop_stages(conn: &mut Conn, key: &StreamKey) -> Result<()> {
    let prefix = stage_prefix(key);
    let sql =
        "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND LEFT(TABLE_NAME, ?) = ?";
    let names: Vec<String> = conn.exec(sql, (prefix.len(), prefix.as_str())).await.map_err(from_driver)?;
    for name in names {
        execute(conn, &format!("DROP TABLE IF EXISTS {}", quoted(&name))).await?;
    }
    Ok(())
}

/// Makes sure that a stream has a row to lock: a lock on a row that is not there locks its neighbours out as well.
///
/// # Errors
/// `Connect`, `Permission`.
pub async fn reserve(conn: &mut Conn, spec: &LoadSpec) -> Result<()> {
    let sql = format!(
        "INSERT IGNORE INTO {} (id, pipeline, stream, target, load_id, state, rows_written, rows_rejected, committed_at) \
         VALUES (?, ?, ?, ?, '', 'null', 0, 0, UTC_TIMESTAMP(6))",
        quoted(POSITIONS)
    );
    let params = (id(&spec.key), &spec.key.pipeline, &spec.key.stream, &spec.target);
    conn.exec_drop(sql, params).await.map_err(from_driver)
}

/// Locks the stream's row and checks that its commit is still the one the load was planned on.
async fn check_previous(conn: &mut Conn, spec: &LoadSpec) -> Result<()> {
    let sql =
        format!("SELECT load_id, pending IS NULL FROM {} WHERE id = '{}' FOR UPDATE", quoted(POSITIONS), id(&spec.key));
    let row: Option<(String, bool)> = conn.query_first(sql).await.map_err(from_driver)?;
    let (current, is_settled) = row.unwrap_or((String::new(), true));
    if is_settled && current == spec.previous.clone().unwrap_or_default() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Busy, "another run committed this stream in the meantime; nothing of this run was kept")
        .advise("Run again: it starts from what the other run committed."))
}

/// Stores a commit and the rejects inside the caller's transaction.
///
/// # Errors
/// `Busy` where another load committed since.
pub async fn put(conn: &mut Conn, spec: &LoadSpec, commit: &Commit, end: &LoadEnd) -> Result<()> {
    check_previous(conn, spec).await?;
    if let Some(replayed) = &end.replayed {
        let sql = format!("DELETE FROM {} WHERE load_id = ?", quoted(REJECTS));
        conn.exec_drop(sql, (&replayed.load_id,)).await.map_err(from_driver)?;
        replayed.check(conn.affected_rows())?;
    }
    put_rejects(conn, commit, end.rejects_of(&commit.load_id), &end.rejects).await?;
    write_row(conn, commit, None).await
}

/// Announces a RENAME in a transaction of its own.
///
/// # Errors
/// `Busy` where another load committed since.
pub async fn announce(conn: &mut Conn, spec: &LoadSpec, pending: &Pending, end: &LoadEnd) -> Result<()> {
    if end.replayed.is_some() {
        return Err(Error::new(ErrorKind::Internal, "rows of the quarantine do not replace a table"));
    }
    execute(conn, "START TRANSACTION").await?;
    check_previous(conn, spec).await?;
    put_rejects(conn, &pending.commit, &pending.commit.load_id, &end.rejects).await?;
    let json = serde_json::to_string(pending).map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
    let sql = format!("UPDATE {} SET pending = ? WHERE id = ?", quoted(POSITIONS));
    conn.exec_drop(sql, (json, id(&spec.key))).await.map_err(from_driver)?;
    execute(conn, "COMMIT").await?;
    Ok(())
}

/// Takes over an announced commit after its RENAME.
///
/// # Errors
/// `Connect`.
pub async fn finalise(conn: &mut Conn, pending: &Pending) -> Result<()> {
    write_row(conn, &pending.commit, None).await
}

/// Forgets an announced commit whose RENAME did not happen.
async fn discard(conn: &mut Conn, pending: &Pending) -> Result<()> {
    let key = id(&pending.commit.key);
    execute(conn, "START TRANSACTION").await?;
    let sql = format!("DELETE FROM {} WHERE load_id = ?", quoted(REJECTS));
    conn.exec_drop(sql, (&pending.commit.load_id,)).await.map_err(from_driver)?;
    execute(conn, &format!("UPDATE {} SET pending = NULL WHERE id = '{key}'", quoted(POSITIONS))).await?;
    execute(conn, "COMMIT").await?;
    Ok(())
}

async fn write_row(conn: &mut Conn, commit: &Commit, pending: Option<String>) -> Result<()> {
    let sql = format!(
        "INSERT INTO {} (id, pipeline, stream, target, load_id, state, rows_written, rows_rejected, committed_at, pending) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, UTC_TIMESTAMP(6), ?) ON DUPLICATE KEY UPDATE target = VALUES(target), \
         load_id = VALUES(load_id), state = VALUES(state), rows_written = VALUES(rows_written), \
         rows_rejected = VALUES(rows_rejected), committed_at = VALUES(committed_at), pending = VALUES(pending)",
        quoted(POSITIONS)
    );
    let params: Vec<Value> = vec![
        id(&commit.key).into(),
        commit.key.pipeline.as_str().into(),
        commit.key.stream.as_str().into(),
        commit.target.as_str().into(),
        commit.load_id.as_str().into(),
        commit.state.to_string().into(),
        commit.rows_written.into(),
        commit.rows_rejected.into(),
        pending.into(),
    ];
    conn.exec_drop(sql, params).await.map_err(from_driver)
}

async fn put_rejects(conn: &mut Conn, commit: &Commit, load_id: &str, rejects: &[Reject]) -> Result<()> {
    for some in rejects.chunks(200) {
        let rows = vec!["(?, ?, ?, ?, ?, ?, ?, UTC_TIMESTAMP(6))"; some.len()].join(", ");
        let sql = format!(
            "INSERT INTO {} (load_id, pipeline, stream, target, column_name, reason, row_json, rejected_at) VALUES {rows}",
            quoted(REJECTS)
        );
        let mut params: Vec<Value> = Vec::with_capacity(some.len() * 7);
        for reject in some {
            params.extend([
                load_id.into(),
                commit.key.pipeline.as_str().into(),
                commit.key.stream.as_str().into(),
                commit.target.as_str().into(),
                reject.column.as_ref().map(|name| name.chars().take(255).collect::<String>()).into(),
                reject.reason.chars().take(10_000).collect::<String>().into(),
                reject.row.as_str().into(),
            ]);
        }
        conn.exec_drop(sql, params).await.map_err(from_driver)?;
    }
    Ok(())
}
