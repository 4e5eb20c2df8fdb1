//! Several connections that see one snapshot, and the ranges of rowids they share. SQLite's own interface for that
//! (`sqlite3_snapshot_open`) is not compiled in. Instead a witness watches `PRAGMA data_version`: if it is the same before
//! and after all read transactions began, nobody committed in between, and they see the same.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use levada_core::error::Result;
use rusqlite::{Connection, OptionalExtension as _};

use super::backup::{Pinned, Reading};
use super::{File, error, quote};

/// No more connections read one table: each has its cache.
const READERS_MAX: usize = 4;
/// A table with a smaller spread of rowids is read by one connection.
const ROWIDS_MIN: i128 = 50_000;
/// Ranges for each connection, as rows are not spread evenly over them.
const RANGES_EACH: i128 = 8;
/// How often a commit in between is met before one connection has to do.
const ATTEMPTS: usize = 10;

/// Ranges of rowids that nobody has read yet.
pub struct Ranges {
    /// The name under which the table's rowid can be spoken of.
    pub column: &'static str,
    left: Mutex<VecDeque<(i64, i64)>>,
}

impl Ranges {
    /// The next range, both ends included.
    pub fn next(&self) -> Option<(i64, i64)> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    fn of(connection: &Connection, table: &str, connections: usize) -> Result<Option<Self>> {
        let Some(column) = rowid_name(connection, table)? else { return Ok(None) };
        let table = quote(table);
        let sql = format!("SELECT (SELECT min({column}) FROM {table}), (SELECT max({column}) FROM {table})");
        let ends = connection.query_row(&sql, [], |row| Ok((row.get::<_, Option<i64>>(0)?, row.get(1)?)));
        let (Some(low), Some(high)) = ends.map_err(error::of)? else { return Ok(None) };
        let (low, high): (i128, i128) = (low.into(), i64::into(high));
        let spread = high - low + 1;
        if spread < ROWIDS_MIN {
            return Ok(None);
        }
        let count = connections as i128 * RANGES_EACH;
        let start = |number: i128| low + spread * number / count;
        let range = |number| Some((i64::try_from(start(number)).ok()?, i64::try_from(start(number + 1) - 1).ok()?));
        Ok(Some(Self { column, left: Mutex::new((0..count).filter_map(range).collect()) }))
    }
}

/// The name of the rowid; views, virtual tables and tables `WITHOUT ROWID` have none, and columns can hide it.
fn rowid_name(connection: &Connection, table: &str) -> Result<Option<&'static str>> {
    let sql = "SELECT 1 FROM pragma_table_list WHERE schema = 'main' AND name = ?1 AND type = 'table' AND wr = 0";
    let plain: Option<i64> = connection.query_row(sql, [table], |row| row.get(0)).optional().map_err(error::of)?;
    let mut statement = connection.prepare("SELECT lower(name) FROM pragma_table_xinfo(?1)").map_err(error::of)?;
    let columns = statement.query_map([table], |row| row.get(0)).and_then(Iterator::collect::<rusqlite::Result<_>>);
    let columns: Vec<String> = columns.map_err(error::of)?;
    let free = ["rowid", "_rowid_", "oid"].into_iter().find(|name| columns.iter().all(|column| column != name));
    Ok(free.filter(|_| plain.is_some()))
}

/// Opens read transactions for up to `readers` threads: ranges where there is more than one connection.
pub fn take(file: &File, first: Connection, table: &str, readers: usize) -> Result<(Vec<Connection>, Option<Ranges>)> {
    let count = readers.clamp(1, READERS_MAX);
    let wanted = if count > 1 { Ranges::of(&first, table, count)? } else { None };
    let mut connections = vec![first];
    if wanted.is_some() {
        for _ in 1..count {
            connections.extend(file.open_to_read()?);
        }
    }
    let together = connections.len() > 1 && begin_together(file, &connections).map_err(error::of)?;
    if !together {
        connections.truncate(1);
        connections[0].execute_batch("BEGIN").map_err(error::of)?;
        return Ok((connections, None));
    }
    // What was found before the snapshot may be old.
    let ranges = Ranges::of(&connections[0], table, connections.len())?;
    if ranges.is_none() {
        connections.truncate(1);
    }
    Ok((connections, ranges))
}

/// Connections that all see one view, at least one.
pub fn all_of_one_view(file: &File) -> Result<Vec<Connection>> {
    let mut connections = vec![file.open_to_read()?.ok_or_else(|| file.missing())?];
    for _ in 1..READERS_MAX {
        connections.extend(file.open_to_read()?);
    }
    if !begin_together(file, &connections).map_err(error::of)? {
        connections.truncate(1);
        // the view begins with the first thing that is read
        let begin = "BEGIN; SELECT count(*) FROM sqlite_schema";
        connections[0].execute_batch(begin).map_err(error::of)?;
    }
    Ok(connections)
}

/// Connections of a view for a table, and the ranges they share where there are several.
pub fn lend(pinned: &Arc<Pinned>, table: &str, readers: usize) -> Result<(Vec<Reading>, Option<Ranges>)> {
    let mut connections = pinned.lend(readers.clamp(1, READERS_MAX))?;
    let count = connections.len();
    let ranges = if count > 1 { Ranges::of(&connections[0].connection, table, count) } else { Ok(None) };
    // those that are not needed go back, also where something fails
    let needed = match &ranges {
        Ok(Some(_)) => count,
        Ok(None) => 1,
        Err(_) => 0,
    };
    connections.drain(needed..).for_each(Reading::end);
    Ok((connections, ranges?))
}

/// Begins a read transaction on each connection, all of the same snapshot; false, and none begun, if that fails.
fn begin_together(file: &File, connections: &[Connection]) -> rusqlite::Result<bool> {
    let Ok(Some(witness)) = file.open_to_read() else { return Ok(false) };
    let version = || witness.query_row("PRAGMA data_version", [], |row| row.get::<_, i64>(0));
    let begin = |connection: &Connection| -> rusqlite::Result<()> {
        connection.execute_batch("BEGIN")?;
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
    };
    // A writer that waits for the first transaction to end lets no other begin: nobody waits for that writer here.
    witness.busy_timeout(Duration::ZERO)?;
    for connection in &connections[1..] {
        connection.busy_timeout(Duration::ZERO)?;
        connection.pragma_update(None, "cache_size", -4000)?;
    }
    for _ in 0..ATTEMPTS {
        let before = version();
        begin(&connections[0])?;
        let begun = connections[1..].iter().try_for_each(begin);
        if begun.is_ok()
            && let (Ok(before), Ok(after)) = (before, version())
            && before == after
        {
            return Ok(true);
        }
        for connection in connections.iter().filter(|connection| !connection.is_autocommit()) {
            connection.execute_batch("ROLLBACK")?;
        }
    }
    Ok(false)
}
