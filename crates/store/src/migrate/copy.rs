//! The copy of a store before its tables are changed: a file `NAME.v1.bak` next to a SQLite file, a schema `NAME_v1` next
//! to the one in PostgreSQL. Either is a whole store of that version. A copy is never overwritten; the last three stay.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use levada_core::error::{Context, Error, ErrorKind, Result};

use super::{COPIED, lock, meta, quoted, set_meta, version};
use crate::db::{Db, Location, Tx, copy_file};

/// How many copies stay.
const KEEP: usize = 3;
/// What a schema is marked with: only those that bear it are ever removed.
const COMMENT: &str = "copy of the metadata of Levada, made before an upgrade";

/// Copies a store, unless that was done before the process was killed. Gives the lock that keeps other processes from
/// the same until the tables are changed.
pub(super) async fn copy(db: &Db, location: &Location, known: usize) -> Result<Option<File>> {
    match location {
        Location::Url(_) => db.write(async move |tx: &mut Tx| copy_schema(tx, known).await).await.map(|()| None),
        Location::File(path) => {
            let path = path.clone();
            let lock = in_thread({
                let path = path.clone();
                move || lock_file(&path)
            });
            let lock = lock.await?;
            let read = async move |tx: &mut Tx| Ok((version(tx).await?, meta(tx, COPIED).await?.is_some()));
            let (version, is_copied) = db.write(read).await?;
            // another process may have done it all while this one waited
            if !is_copied && version < known {
                in_thread(move || copy_beside(&path, version)).await?;
                let mark = version.to_string();
                db.write(async move |tx: &mut Tx| set_meta(tx, COPIED, Some(&mark)).await).await?;
            }
            Ok(Some(lock))
        }
    }
}

async fn in_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Held until the file is closed, also by being killed.
fn lock_file(path: &Path) -> Result<File> {
    let path = beside(path, ".upgrade");
    let place = || path.display().to_string();
    let file = File::create(&path).at(place())?;
    file.lock().at(place())?;
    Ok(file)
}

fn copy_beside(path: &Path, version: usize) -> Result<()> {
    // one that a killed process left
    let part = beside(path, ".part");
    let _ = fs::remove_file(&part);
    copy_file(path, &part).map_err(|error| {
        let _ = fs::remove_file(&part);
        let told = format!("no copy can be made before the upgrade: {}", error.message());
        Error::new(error.kind(), told).at(part.display().to_string()).advise(format!(
            "Make room for a second file of the size of the store, or let it be written; the store stays at version {version}."
        ))
    })?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
    let mut copies = copies_beside(&folder, path)?;
    let number = next(&copies, version);
    let copy = beside(path, &suffix(version, number));
    fs::rename(&part, &copy).at(copy.display().to_string())?;
    File::open(&folder).and_then(|folder| folder.sync_all()).at(folder.display().to_string())?;
    copies.push(((version, number), copy));
    for copy in outdated(copies) {
        fs::remove_file(&copy).at(copy.display().to_string())?;
    }
    Ok(())
}

type Copies<T> = Vec<((usize, usize), T)>;

fn copies_beside(folder: &Path, path: &Path) -> Result<Copies<PathBuf>> {
    let place = || folder.display().to_string();
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut copies = Vec::new();
    for entry in fs::read_dir(folder).at(place())? {
        let entry = entry.at(place())?;
        let found = entry.file_name().to_string_lossy().into_owned();
        let number = found.strip_prefix(&name).and_then(|rest| rest.strip_prefix(".v")?.strip_suffix(".bak"));
        copies.extend(number.and_then(|number| numbers(number, '.')).map(|numbers| (numbers, entry.path())));
    }
    Ok(copies)
}

/// A number that no copy of the version has or had since the last three.
fn next<T>(copies: &Copies<T>, version: usize) -> usize {
    copies.iter().filter(|((of, _), _)| *of == version).map(|((_, number), _)| number + 1).max().unwrap_or(1)
}

fn suffix(version: usize, number: usize) -> String {
    if number == 1 { format!(".v{version}.bak") } else { format!(".v{version}.{number}.bak") }
}

/// `2` and `2.3`: the version, and which copy of it.
fn numbers(text: &str, separator: char) -> Option<(usize, usize)> {
    match text.split_once(separator) {
        Some((version, number)) => Some((version.parse().ok()?, number.parse().ok()?)),
        None => Some((text.parse().ok()?, 1)),
    }
}

fn outdated<T: Ord>(mut copies: Copies<T>) -> impl Iterator<Item = T> {
    copies.sort();
    let over = copies.len().saturating_sub(KEEP);
    copies.into_iter().take(over).map(|(_, copy)| copy)
}

/// The tables with their rows, keys, indexes and counters, in one transaction.
async fn copy_schema(tx: &mut Tx, known: usize) -> Result<()> {
    lock(tx).await?;
    let version = version(tx).await?;
    if meta(tx, COPIED).await?.is_some() || version >= known {
        return Ok(());
    }
    let schema = texts(tx, "SELECT current_schema()::text", "").await?.pop().unwrap_or_default();
    let taken = texts(tx, "SELECT nspname::text FROM pg_namespace", "").await?;
    let name =
        |number| if number == 1 { format!("{schema}_v{version}") } else { format!("{schema}_v{version}_{number}") };
    let mut copies: Copies<String> = Vec::new();
    for found in texts(tx, COPIES, COMMENT).await? {
        let number = found.strip_prefix(&schema).and_then(|rest| numbers(rest.strip_prefix("_v")?, '_'));
        copies.extend(number.map(|number| (number, found.clone())));
    }
    let number = (next(&copies, version)..).find(|number| !taken.contains(&name(*number))).unwrap_or_default();
    let copy = name(number);
    copies.push(((version, number), copy.clone()));
    let (from, to) = (quoted(&schema), quoted(&copy));
    // read before anything is made: the definitions name tables as they are seen from this schema
    let keys = texts(tx, KEYS, &copy).await?;
    let indexes = texts(tx, INDEXES, &copy).await?;
    let mut script = format!("CREATE SCHEMA {to}; COMMENT ON SCHEMA {to} IS '{COMMENT}';");
    let tables = texts(tx, TABLES, "").await?;
    for table in tables.iter().map(|table| quoted(table)) {
        script.push_str(&format!(
            "CREATE TABLE {to}.{table} (LIKE {from}.{table} INCLUDING ALL EXCLUDING INDEXES); \
             INSERT INTO {to}.{table} SELECT * FROM {from}.{table};"
        ));
    }
    script.push_str(&format!("SET LOCAL search_path TO {to};"));
    keys.iter().chain(&indexes).for_each(|definition| script.push_str(&format!("{definition};")));
    tx.script(&script).await?;
    for table in texts(tx, COUNTED, &schema).await? {
        let (old, new) = (format!("{from}.{}", quoted(&table)), format!("{to}.{}", quoted(&table)));
        let sql = "SELECT pg_get_serial_sequence($1, 'id')";
        let Some(mut row) = tx.row(sql, &[old.into()]).await? else { continue };
        let Some(counter) = row.text_or_null()? else { continue };
        let new = new.replace('\'', "''");
        tx.script(&format!(
            "SELECT setval(pg_get_serial_sequence('{new}', 'id'), last_value, is_called) FROM {counter}"
        ))
        .await?;
    }
    tx.script(&format!("SET LOCAL search_path TO {from}")).await?;
    for copy in outdated(copies) {
        tx.script(&format!("DROP SCHEMA {} CASCADE", quoted(&copy))).await?;
    }
    set_meta(tx, COPIED, Some(&version.to_string())).await
}

const TABLES: &str = "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                      WHERE n.nspname = current_schema() AND c.relkind = 'r' ORDER BY 1";
const COUNTED: &str = "SELECT c.relname::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
                       JOIN pg_namespace n ON n.oid = c.relnamespace \
                       WHERE n.nspname::text = $1 AND a.attname = 'id' AND a.attidentity <> ''";
const KEYS: &str = "SELECT format('ALTER TABLE %I.%I ADD CONSTRAINT %I %s', $1::text, c.relname, k.conname, \
                    pg_get_constraintdef(k.oid)) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid \
                    JOIN pg_namespace n ON n.oid = c.relnamespace \
                    WHERE n.nspname = current_schema() AND k.contype IN ('p', 'u', 'f') ORDER BY k.contype = 'f', k.oid";
/// PostgreSQL writes the definition of an index with the name of the schema.
const INDEXES: &str = "SELECT replace(pg_get_indexdef(i.indexrelid), ' ON ' || quote_ident(n.nspname) || '.', \
                       ' ON ' || quote_ident($1::text) || '.') FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid \
                       JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = current_schema() \
                       AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid)";
const COPIES: &str = "SELECT nspname::text FROM pg_namespace WHERE obj_description(oid, 'pg_namespace') = $1";

/// The first column of rows of text; `value` is `$1`, where the statement has one.
async fn texts(tx: &mut Tx, sql: &str, value: &str) -> Result<Vec<String>> {
    let values = if sql.contains("$1") { vec![value.into()] } else { Vec::new() };
    tx.rows(sql, &values).await?.into_iter().map(|mut row| row.text()).collect()
}
