//! Brings the tables of an older version to this one: after a copy, each step in a transaction of its own, so that a
//! process killed in the middle goes on where it was. A store of a newer version is refused, and one that was moved away.

mod copy;
#[cfg(test)]
mod tests;

use levada_core::error::{Error, ErrorKind, Result};

use crate::db::{Db, Dialect, Location, Tx};
use crate::schema::MIGRATIONS;

/// The key of `meta` under which the version is.
const VERSION: &str = "version";
/// Set between the copy and the last step, so that a process killed there makes no second copy.
const COPIED: &str = "copied";
/// Where the store was moved to, without user and password, and the number of the move.
pub(crate) const MOVED: &str = "moved";
/// The number of the move that fills this store.
pub(crate) const FILLING: &str = "filling";
/// Keys that are of one place only.
pub(crate) const OF_ONE_PLACE: [&str; 4] = [VERSION, COPIED, MOVED, FILLING];

/// Brings a store to the version of this program.
///
/// # Errors
/// `Refused` where the store is newer than the program.
pub(crate) async fn migrate(db: &Db, location: &Location) -> Result<()> {
    bring(db, location, MIGRATIONS).await
}

/// Refuses a store that was moved away, and one that a move has not filled yet.
///
/// # Errors
/// `Refused`.
pub(crate) async fn refuse_moved(db: &Db, location: &Location) -> Result<()> {
    let location = location.clone();
    let marks = async move |tx: &mut Tx| {
        prepare(tx, &location).await?;
        Ok((meta(tx, MOVED).await?, meta(tx, FILLING).await?))
    };
    let (moved, filling) = db.write(marks).await?;
    if let Some((_, to)) = moved.as_deref().and_then(|mark| mark.split_once(' ')) {
        return Err(Error::new(ErrorKind::Refused, format!("the metadata was moved to {to}"))
            .advise("Use that one: `--database postgres://..`, or the data folder it was moved to."));
    }
    if filling.is_some() {
        return Err(Error::new(ErrorKind::Refused, "the metadata is being moved here, and that has not ended")
            .advise("Let `levada db move` end, or start it again."));
    }
    Ok(())
}

/// Whether there is a store at all, be it of another version.
pub(crate) async fn is_made(db: &Db, location: &Location) -> Result<bool> {
    let Location::Url(url) = location else { return Ok(true) };
    let schema = crate::db::schema(url)?;
    let look = async move |tx: &mut Tx| {
        let sql = "SELECT 1 FROM information_schema.tables WHERE table_schema::text = $1 AND table_name::text = 'meta'";
        tx.row(sql, &[schema.as_str().into()]).await
    };
    Ok(db.read(look).await?.is_some())
}

/// Brings a store to the version that these migrations make.
async fn bring(db: &Db, location: &Location, migrations: &'static [&'static str]) -> Result<()> {
    let place = location.clone();
    let found = db.write(async move |tx: &mut Tx| prepare(tx, &place).await).await?;
    let known = migrations.len();
    if found > known {
        let message = format!("the metadata store has version {found}, and this program knows versions up to {known}");
        return Err(Error::new(ErrorKind::Refused, message)
            .at(location.place()?)
            .advise("Start the newer Levada, or restore the copy that it made before it changed the store."));
    }
    if found == known {
        return Ok(());
    }
    let _alone = if found > 0 { copy::copy(db, location, known).await? } else { None };
    for (index, migration) in migrations.iter().enumerate().skip(found) {
        let is_last = index + 1 == known;
        db.write(async move |tx: &mut Tx| step(tx, index, migration, is_last).await).await?;
    }
    Ok(())
}

/// Makes sure that there is a version, and says which; 0 is a store without tables.
async fn prepare(tx: &mut Tx, location: &Location) -> Result<usize> {
    if let Location::Url(url) = location {
        lock(tx).await?;
        let schema = quoted(&crate::db::schema(url)?);
        tx.script(&format!("CREATE SCHEMA IF NOT EXISTS {schema}")).await?;
    }
    tx.script("CREATE TABLE IF NOT EXISTS meta (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL)").await?;
    version(tx).await
}

/// One process at a time changes the tables. SQLite has one writer only.
async fn lock(tx: &mut Tx) -> Result<()> {
    match tx.dialect() {
        Dialect::Sqlite => Ok(()),
        Dialect::Postgres => tx.script("SELECT pg_advisory_xact_lock(6224071)").await,
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub(crate) async fn meta(tx: &mut Tx, key: &str) -> Result<Option<String>> {
    match tx.row("SELECT value FROM meta WHERE key = $1", &[key.into()]).await? {
        Some(mut row) => row.text().map(Some),
        None => Ok(None),
    }
}

pub(crate) async fn set_meta(tx: &mut Tx, key: &str, value: Option<&str>) -> Result<()> {
    let done = match value {
        Some(value) => {
            let set = "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = $2";
            tx.execute(set, &[key.into(), value.into()]).await
        }
        None => tx.execute("DELETE FROM meta WHERE key = $1", &[key.into()]).await,
    };
    done.map(drop)
}

async fn version(tx: &mut Tx) -> Result<usize> {
    let Some(version) = meta(tx, VERSION).await? else { return Ok(0) };
    version.parse().map_err(|_| {
        Error::new(ErrorKind::Config, "the metadata store has no version that can be read")
            .advise("Restore its last copy.")
    })
}

/// One migration, unless another process was faster.
async fn step(tx: &mut Tx, index: usize, migration: &str, is_last: bool) -> Result<()> {
    lock(tx).await?;
    if version(tx).await? != index {
        return Ok(());
    }
    let (id, bytes) = match tx.dialect() {
        Dialect::Sqlite => ("INTEGER PRIMARY KEY AUTOINCREMENT", "BLOB"),
        Dialect::Postgres => ("BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY", "BYTEA"),
    };
    tx.script(&migration.replace("{id}", id).replace("{bytes}", bytes)).await?;
    set_meta(tx, VERSION, Some(&(index + 1).to_string())).await?;
    if is_last { set_meta(tx, COPIED, None).await } else { Ok(()) }
}
