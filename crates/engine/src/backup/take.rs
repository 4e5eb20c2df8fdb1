//! Takes a backup: every table is loaded into a folder of its own from one view of the database, every file is read back for its
//! hash and its rows, and the manifest is written last.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use levada_core::backup::{Archive, Snapshot, Table};
use levada_core::config::{OnBadRow, Parallel, Retry, StreamDocument, Streams, Sync, SyncDocument};
use levada_core::connector::Connection;
use levada_core::destination::WriteMode;
use levada_core::error::{Context, Error, ErrorKind, Result};
use levada_core::schema::OnSchemaChange;
use levada_core::time::Clock;
use tokio_util::sync::CancellationToken;

use super::manifest::{self, Backup, FileOf, TableOf};
use super::renamed::{Name, Renamed};
use super::{End, Place, at, blocks, unless};
use crate::progress::Progress;
use crate::report::{Report, StreamReport};
use crate::run::{self, SyncJob};

/// Letters of a table's name in that of its folder.
const FOLDER_LETTERS: usize = 60;
/// How long removing what a failed backup wrote may take.
const CLEAN_UP_LIMIT: Duration = Duration::from_secs(4);
/// The end of the names of files with rows.
const ROWS_ENDING: &str = ".avro";

/// A backup to take.
pub struct Take {
    /// The database.
    pub from: End,
    /// Where the backup goes.
    pub to: Place,
    /// Names and wildcards of tables; all of them if empty.
    pub tables: Vec<String>,
    /// What happens when a connection breaks.
    pub retry: Retry,
    /// Ends the work when cancelled.
    pub stop: CancellationToken,
}

/// A backup that was tried.
pub struct Taken {
    /// It, if it succeeded.
    pub backup: Option<Backup>,
    /// The loads, by table.
    pub report: Report,
}

/// Takes a backup. Where a table fails, the report says why, and nothing is left of the backup.
///
/// # Errors
/// What makes all of it impossible; nothing is left of it.
pub async fn take(job: &Take, clock: &dyn Clock, progress: Arc<Progress>) -> Result<Taken> {
    let database = job.from.connection.clone().database().at(at(&job.from.name))?;
    let snapshot = unless(&job.stop, database.snapshot(&job.tables)).await.at(at(&job.from.name))?;
    if snapshot.streams.is_empty() {
        return Err(Error::new(ErrorKind::NotFound, "there are no tables").at(at(&job.from.name)));
    }
    let taken_at = clock.now();
    let name = name(&taken_at.to_string());
    let archive = job.to.archive.as_ref();
    let outcome = async {
        let report = load(job, &name, &snapshot, progress).await?;
        if !report.succeeded() {
            return Ok(Taken { backup: None, report });
        }
        let source = job.from.connection.address();
        let mut backup = Backup::new(name.clone(), database.system(), source, taken_at, snapshot.structure.clone());
        backup.tables = unless(&job.stop, count(archive, &name, &snapshot.structure.tables, &report)).await?;
        backup.finished_at = clock.now();
        let path = format!("{name}/{}", manifest::FILE);
        if !unless(&job.stop, archive.put_new(&path, backup.to_bytes()?)).await? {
            return Err(Error::new(ErrorKind::Busy, "there is a backup of this name already").at(path));
        }
        Ok::<_, Error>(Taken { backup: Some(backup), report })
    };
    let outcome = outcome.await;
    if !matches!(&outcome, Ok(Taken { backup: Some(_), .. })) {
        let _ = tokio::time::timeout(CLEAN_UP_LIMIT, remove(archive, &name)).await;
    }
    outcome.map_err(|error| if error.place().is_empty() { error.at(at(&job.to.name)) } else { error })
}

/// The name of a backup of a moment: its second, and what tells it from others of that second.
fn name(moment: &str) -> String {
    let second: String = moment.chars().take(19).filter(|c| c.is_ascii_alphanumeric()).collect();
    let other = uuid::Uuid::new_v4().simple().to_string();
    format!("{second}Z-{}", &other[..6])
}

/// The folder of a table: its number, and as much of its name as every store of files takes.
fn folder(number: usize, table: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    let letters: String = table.chars().map(plain).take(FOLDER_LETTERS).collect();
    format!("{:05}-{letters}", number + 1)
}

/// Loads all tables; those with values that have no place in the type of their column once more, as text.
async fn load(job: &Take, name: &str, snapshot: &Snapshot, progress: Arc<Progress>) -> Result<Report> {
    let tables: Vec<(usize, &Table)> = snapshot.structure.tables.iter().enumerate().collect();
    let to = job.to.archive.folder(name)?;
    let mut report = run::run(job.sync(&tables, &snapshot.connection, &to)?, progress.clone()).await?;
    let odd = |stream: &StreamReport| {
        let is_data = stream.error.as_ref().is_some_and(|failure| failure.kind == ErrorKind::Data);
        is_data && (snapshot.as_text)(&stream.stream)
    };
    let odd: Vec<String> = report.streams.iter().filter(|s| odd(s)).map(|s| s.stream.clone()).collect();
    if odd.is_empty() {
        return Ok(report);
    }
    let again: Vec<(usize, &Table)> = tables.into_iter().filter(|(_, table)| odd.contains(&table.stream)).collect();
    let mut second = run::run(job.sync(&again, &snapshot.connection, &to)?, progress).await?;
    for stream in second.streams.iter_mut().filter(|stream| stream.error.is_none()) {
        let warning = "some values have no place in the types of their columns: such columns are kept as text";
        stream.warnings.push(warning.to_owned());
    }
    report.streams.retain(|stream| !odd.contains(&stream.stream));
    report.streams.extend(second.streams);
    report.streams.sort_by(|a, b| a.stream.cmp(&b.stream));
    Ok(report)
}

impl Take {
    fn sync(
        &self,
        tables: &[(usize, &Table)],
        source: &Arc<dyn Connection>,
        destination: &Arc<dyn Connection>,
    ) -> Result<SyncJob> {
        let names: Vec<Name> = tables
            .iter()
            .map(|(number, table)| Name {
                inner: table.stream.clone(),
                name: table.stream.clone(),
                namespace: None,
                table: folder(*number, &table.table),
            })
            .collect();
        let options = StreamDocument {
            write: Some(WriteMode::Replace),
            on_bad_row: Some(OnBadRow::Fail),
            on_schema_change: Some(OnSchemaChange::Evolve),
            ..StreamDocument::default()
        };
        let streams = names.iter().map(|name| (name.name.clone(), options.clone())).collect();
        Ok(SyncJob {
            pipeline: "backup".to_owned(),
            sync: sync(&self.from.name, &self.to.name, streams)?,
            source: Renamed::of(source.clone(), names),
            destination: destination.clone(),
            keep_namespaces: false,
            full_refresh: false,
            only_stream: None,
            once: None,
            retry: self.retry,
            stop: self.stop.clone(),
        })
    }
}

/// A sync of streams with these options.
pub fn sync(from: &str, to: &str, streams: Vec<(String, StreamDocument)>) -> Result<Sync> {
    let document = SyncDocument {
        from: from.to_owned(),
        to: to.to_owned(),
        defaults: StreamDocument::default(),
        streams: Streams(streams),
        keys: BTreeMap::new(),
        parallel: Some(Parallel::default()),
        memory: None,
    };
    let broken = |problems: Vec<_>| {
        let told = problems.first().map(|problem: &levada_core::config::Problem| problem.message.clone());
        Error::new(ErrorKind::Internal, told.unwrap_or_default())
    };
    document.resolve().map_err(broken)
}

/// Reads every file back, for its hash and its rows, which have to be those that were read of the table.
async fn count(archive: &dyn Archive, name: &str, tables: &[Table], report: &Report) -> Result<Vec<TableOf>> {
    let mut by_folder: BTreeMap<String, Vec<FileOf>> = BTreeMap::new();
    for found in archive.files(name).await? {
        let Some(path) = found.path.strip_prefix(name).and_then(|path| path.strip_prefix('/')) else { continue };
        let Some((folder, file)) = path.split_once('/') else { continue };
        // what keeps other writers out is gone when they may come
        if file.ends_with("/lock") {
            continue;
        }
        let contents = read(archive, &found.path, path.ends_with(ROWS_ENDING)).await?;
        let blocks::Contents { bytes, sha256, rows } = contents;
        by_folder.entry(folder.to_owned()).or_default().push(FileOf { path: path.to_owned(), bytes, rows, sha256 });
    }
    let mut counted = Vec::new();
    for (number, table) in tables.iter().enumerate() {
        let folder = folder(number, &table.table);
        let files = by_folder.remove(&folder).unwrap_or_default();
        let rows = files.iter().filter_map(|file| file.rows).sum();
        let loaded = report.streams.iter().find(|stream| stream.stream == table.stream);
        let written = loaded.map(|stream| stream.proof.written);
        if written != Some(rows) {
            let message = format!("{} rows were written, and its files hold {rows}", written.unwrap_or_default());
            return Err(Error::new(ErrorKind::Data, message).at(table.stream.clone()).advise(
                "Look whether somebody else writes to the folder, and whether its disk is sound; then run again.",
            ));
        }
        counted.push(TableOf { stream: table.stream.clone(), folder, rows, files });
    }
    Ok(counted)
}

/// The contents of a file, read on a thread that may block.
pub async fn read(archive: &dyn Archive, path: &str, is_avro: bool) -> Result<blocks::Contents> {
    let reader = archive.read(path).await?;
    let read = tokio::task::spawn_blocking(move || blocks::contents(reader, is_avro)).await;
    read.map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?.at(path)
}

/// Removes a backup: its manifest first, so that it is none at any moment after.
pub async fn remove(archive: &dyn Archive, name: &str) -> Result<()> {
    archive.remove(&format!("{name}/{}", manifest::FILE)).await?;
    for file in archive.files(name).await? {
        archive.remove(&file.path).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_every_store_of_files() {
        assert!(name("2026-11-22T13:51:00.123456Z").starts_with("20261122T135100Z-"));
        assert_eq!(folder(0, "orders"), "00001-orders");
        assert_eq!(folder(41, "a/../b.avro ü"), "00042-a----b-avro--");
    }
}
