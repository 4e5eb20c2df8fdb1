//! When tables and files were last loaded, and by which run.

use levada_core::error::Result;
use levada_core::id::RunId;
use levada_core::time::Timestamp;

use crate::db::Tx;

/// Notes that a dataset was loaded.
pub(crate) async fn updated(tx: &mut Tx, name: &str, run: RunId, now: Timestamp) -> Result<()> {
    let sql = "INSERT INTO datasets (name, updated_at, updates, run) VALUES ($1, $2, 1, $3) \
               ON CONFLICT (name) DO UPDATE SET updated_at = $2, updates = datasets.updates + 1, run = $3";
    tx.execute(sql, &[name.into(), now.into(), run.into()]).await.map(drop)
}

/// When a dataset was last loaded.
pub(crate) async fn updated_at(tx: &mut Tx, name: &str) -> Result<Option<Timestamp>> {
    match tx.row("SELECT updated_at FROM datasets WHERE name = $1", &[name.into()]).await? {
        Some(mut row) => row.time().map(Some),
        None => Ok(None),
    }
}
