//! Carries all metadata from one store into another, empty one, of either kind. Nobody can write to the source meanwhile;
//! at the end it says where its metadata went. A move that was killed is started again, from the beginning or, where all
//! was there already, at its last step.

use std::sync::Arc;

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::text::counted;
use levada_core::time::Timestamp;

use crate::db::{Db, Dialect, Location, Tx, Value, placeholders};
use crate::migrate::{FILLING, MOVED, OF_ONE_PLACE, meta, migrate, set_meta};
use crate::schema::tables;
use crate::workers::REAP;

/// Rows read and written at once. Times the columns of the widest table, this is less than SQLite's limit of parameters.
const PAGE: usize = 400;

/// What was moved: the tables with the number of their rows, and where they are now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Each table with its rows.
    pub rows: Vec<(String, u64)>,
    /// The place, without user and password.
    pub to: String,
}

/// Moves all metadata. `is_forced` moves it although workers are alive: what they do from then on is lost.
///
/// # Errors
/// `Refused` where the target holds metadata, where workers are alive, and where the source was moved elsewhere before.
pub async fn transfer(from: &Location, to: &Location, is_forced: bool, now: Timestamp) -> Result<Moved> {
    if from == to {
        return Err(Error::new(ErrorKind::Usage, "source and target of the move are one place"));
    }
    let place = to.place()?;
    let (source, target) = (open(from).await?, open(to).await?);
    let (moved, filling) = (mark(&source, MOVED).await?, mark(&target, FILLING).await?);
    if let Some((number, went)) = moved.as_deref().and_then(|mark| mark.split_once(' ')) {
        if filling.as_deref() != Some(number) {
            return Err(Error::new(ErrorKind::Refused, format!("the metadata was moved to {went} before"))
                .at(from.place()?)
                .advise("Move it on from there."));
        }
        // killed before the last step: all is there
        finish(&target).await?;
        return Ok(Moved { rows: target.read(async move |tx: &mut Tx| counts(tx).await).await?, to: place });
    }
    let number = random_number()?;
    begin(&target, filling.is_some(), number.clone()).await?;
    let (filled, told) = (target.clone(), format!("{number} {place}"));
    let work = async move |tx: &mut Tx| {
        // a busy database can ask for all of it again
        let empty = async move |tx: &mut Tx| clear(tx).await;
        filled.write(empty).await?;
        let rows = carry(tx, &filled, is_forced, now).await?;
        set_meta(tx, MOVED, Some(&told)).await?;
        Ok(rows)
    };
    match source.write(work).await {
        Ok(rows) => {
            finish(&target).await?;
            Ok(Moved { rows, to: place })
        }
        Err(error) => {
            // the target is as empty as it was; where even that fails, the next move clears it
            let undo = async move |tx: &mut Tx| {
                clear(tx).await?;
                set_meta(tx, FILLING, None).await
            };
            if mark(&source, MOVED).await.is_ok_and(|mark| mark.is_none()) {
                let _ = target.write(undo).await;
            }
            Err(error)
        }
    }
}

/// Opens a store that may bear the marks of a move.
async fn open(location: &Location) -> Result<Arc<Db>> {
    let db = Db::open(location, 1).await?;
    migrate(&db, location).await?;
    Ok(Arc::new(db))
}

async fn mark(db: &Db, key: &'static str) -> Result<Option<String>> {
    db.write(async move |tx: &mut Tx| meta(tx, key).await).await
}

/// A number for the move, so that the two stores of one move know each other.
fn random_number() -> Result<String> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::new(ErrorKind::Internal, format!("the system gives no random numbers: {error}")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Marks the target, if it is empty or what it holds is of a move that was killed.
async fn begin(target: &Db, is_left: bool, number: String) -> Result<()> {
    let begin = async move |tx: &mut Tx| {
        let rows: u64 = counts(tx).await?.into_iter().map(|(_, rows)| rows).sum();
        if rows > 0 && !is_left {
            return Err(Error::new(ErrorKind::Refused, "the target of the move holds metadata already")
                .advise("Give an empty one: another file, or another `?schema=`."));
        }
        set_meta(tx, FILLING, Some(&number)).await
    };
    target.write(begin).await
}

async fn finish(target: &Db) -> Result<()> {
    target.write(async move |tx: &mut Tx| set_meta(tx, FILLING, None).await).await
}

async fn clear(tx: &mut Tx) -> Result<()> {
    for table in tables().collect::<Vec<_>>().into_iter().rev() {
        tx.execute(&format!("DELETE FROM {table}"), &[]).await?;
    }
    Ok(())
}

async fn counts(tx: &mut Tx) -> Result<Vec<(String, u64)>> {
    let mut counts = Vec::new();
    for table in tables() {
        if let Some(mut row) = tx.row(&format!("SELECT COUNT(*) FROM {table}"), &[]).await? {
            counts.push((table.to_owned(), row.count()?));
        }
    }
    Ok(counts)
}

/// Everything, in a transaction of the source in which nobody else can write to it.
async fn carry(source: &mut Tx, target: &Arc<Db>, is_forced: bool, now: Timestamp) -> Result<Vec<(String, u64)>> {
    if source.dialect() == Dialect::Postgres {
        let all: Vec<&str> = tables().collect();
        source.script(&format!("LOCK TABLE {} IN EXCLUSIVE MODE", all.join(", "))).await?;
    }
    let alive = "SELECT COUNT(*) FROM workers WHERE state <> 'gone' AND beat_at >= $1";
    let alive = match source.row(alive, &[now.minus(REAP).into()]).await? {
        Some(mut row) => row.count()?,
        None => 0,
    };
    if alive > 0 && !is_forced {
        let are = if alive == 1 { "is" } else { "are" };
        let message = format!("{} {are} alive on the metadata that is to be moved", counted(alive, "worker"));
        return Err(Error::new(ErrorKind::Refused, message)
            .advise("Stop `levada serve` and `levada worker`, wait 30 seconds, and move it then."));
    }
    for table in tables() {
        carry_table(source, target, table).await?;
    }
    carry_meta(source, target).await?;
    let wanted = counts(source).await?;
    let found = target.write(async move |tx: &mut Tx| counts(tx).await).await?;
    if let Some(((table, wanted), (_, found))) = wanted.iter().zip(&found).find(|(wanted, found)| wanted != found) {
        let message = format!("of {} of `{table}`, {found} arrived", counted(*wanted, "row"));
        return Err(Error::new(ErrorKind::Internal, message).advise("Nothing was changed; move it again."));
    }
    Ok(wanted)
}

/// One table by pages in the order of its key, so that memory does not grow with it.
async fn carry_table(source: &mut Tx, target: &Arc<Db>, table: &'static str) -> Result<()> {
    let columns = columns(source, table).await?;
    let key: Vec<usize> = (0..columns.len()).filter(|index| columns[*index].is_key).collect();
    let names =
        |indexes: &[usize]| indexes.iter().map(|index| columns[*index].name.as_str()).collect::<Vec<_>>().join(", ");
    let (all, key_names) = (names(&(0..columns.len()).collect::<Vec<_>>()), names(&key));
    let mut after: Vec<Value> = Vec::new();
    loop {
        let place = match after.len() {
            0 => String::new(),
            length => format!("WHERE ({key_names}) > {}", placeholders(1, length, 1)),
        };
        let sql = format!("SELECT {all} FROM {table} {place} ORDER BY {key_names} LIMIT {PAGE}");
        let rows: Vec<Vec<Value>> =
            source.rows(&sql, &after).await?.into_iter().map(crate::db::Row::into_values).collect();
        let Some(last) = rows.last() else { break };
        after = key.iter().filter_map(|index| last.get(*index).cloned()).collect();
        let (count, values) = (rows.len(), rows.concat());
        let insert = format!("INSERT INTO {table} ({all}) VALUES {}", placeholders(count, columns.len(), 1));
        target.write(async move |tx: &mut Tx| tx.execute(&insert, &values).await).await?;
        if count < PAGE {
            break;
        }
    }
    if columns.iter().any(|column| column.name == "id") {
        let counter = counter(source, table).await?;
        target.write(async move |tx: &mut Tx| set_counter(tx, table, counter).await).await?;
    }
    Ok(())
}

/// What the store notes about itself, but for what is of one place only.
async fn carry_meta(source: &mut Tx, target: &Arc<Db>) -> Result<()> {
    let mut notes = Vec::new();
    for mut row in source.rows("SELECT key, value FROM meta", &[]).await? {
        let (key, value) = (row.text()?, row.text()?);
        notes.extend((!OF_ONE_PLACE.contains(&key.as_str())).then_some((key, value)));
    }
    let set = async move |tx: &mut Tx| {
        for (key, value) in &notes {
            set_meta(tx, key, Some(value)).await?;
        }
        Ok(())
    };
    target.write(set).await
}

struct Column {
    name: String,
    is_key: bool,
}

/// The columns of a table, those of its key in the order of the key.
async fn columns(tx: &mut Tx, table: &str) -> Result<Vec<Column>> {
    let sql = match tx.dialect() {
        Dialect::Sqlite => "SELECT name, pk FROM pragma_table_info($1) ORDER BY pk = 0, pk, cid",
        Dialect::Postgres => {
            "SELECT a.attname::text, CASE WHEN a.attnum = ANY (i.indkey) THEN 1 ELSE 0 END \
             FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
             LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary \
             WHERE n.nspname = current_schema() AND c.relname::text = $1 AND a.attnum > 0 AND NOT a.attisdropped \
             ORDER BY array_position(i.indkey::int2[], a.attnum) NULLS LAST, a.attnum"
        }
    };
    let rows = tx.rows(sql, &[table.into()]).await?;
    rows.into_iter().map(|mut row| Ok(Column { name: row.text()?, is_key: row.int()? > 0 })).collect()
}

/// The last id that a table gave, also to rows that are gone: an id is never given twice.
async fn counter(tx: &mut Tx, table: &str) -> Result<i64> {
    let row = match tx.dialect() {
        Dialect::Sqlite => tx.row("SELECT seq FROM sqlite_sequence WHERE name = $1", &[table.into()]).await?,
        Dialect::Postgres => {
            let sequence = sequence(tx, table).await?;
            tx.row(&format!("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence}"), &[]).await?
        }
    };
    match row {
        Some(mut row) => row.int(),
        None => Ok(0),
    }
}

async fn set_counter(tx: &mut Tx, table: &str, last: i64) -> Result<()> {
    if last == 0 {
        return Ok(());
    }
    match tx.dialect() {
        Dialect::Sqlite => {
            tx.execute("DELETE FROM sqlite_sequence WHERE name = $1", &[table.into()]).await?;
            let sql = "INSERT INTO sqlite_sequence (name, seq) VALUES ($1, $2)";
            tx.execute(sql, &[table.into(), last.into()]).await.map(drop)
        }
        Dialect::Postgres => {
            let sequence = sequence(tx, table).await?.replace('\'', "''");
            tx.script(&format!("SELECT setval('{sequence}', {last})")).await
        }
    }
}

async fn sequence(tx: &mut Tx, table: &str) -> Result<String> {
    match tx.row("SELECT pg_get_serial_sequence($1, 'id')", &[table.into()]).await? {
        Some(mut row) => row.text(),
        None => Ok(String::new()),
    }
}
