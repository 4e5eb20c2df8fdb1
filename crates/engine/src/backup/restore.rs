//! Restores tables of a backup: every file is verified, what makes the tables is carried out, each table is loaded in one act, and
//! the foreign keys between them come last.

use std::collections::BTreeSet;
use std::sync::Arc;

use levada_core::backup::{Database, Found, Structure, Table};
use levada_core::config::{OnBadRow, Retry, StreamDocument};
use levada_core::destination::WriteMode;
use levada_core::error::{Context, Error, ErrorKind, Result};
use levada_core::naming::{did_you_mean, is_wildcard, matches, nearest};
use levada_core::position::StreamKey;
use levada_core::schema::OnSchemaChange;
use tokio_util::sync::CancellationToken;

use super::manifest::{self, Backup};
use super::renamed::{Name, Renamed};
use super::{End, Place, at, hurried, keep, take, unless, verify};
use crate::progress::Progress;
use crate::report::Report;
use crate::run::checkpoint::State;
use crate::run::{self, SyncJob};

/// What restores are called where databases keep what was committed.
const PIPELINE: &str = "restore";
/// Files that an error names.
const NAMED_MAX: usize = 5;

/// A restore to carry out.
pub struct Restore {
    /// Where the backup is.
    pub from: Place,
    /// Its name; the newest whole one if none is given.
    pub backup: Option<String>,
    /// Names and wildcards of its tables; all of them if empty.
    pub tables: Vec<String>,
    /// The database.
    pub to: End,
    /// Whether rows that are there are replaced.
    pub replace: bool,
    /// What happens when a connection breaks.
    pub retry: Retry,
    /// What the restore is for, told from everything else that ever restores: tables that are restored for it already are left as
    /// they are, when it is done again because its answer was lost. `None` where they are not known.
    pub once: Option<String>,
    /// Ends the work when cancelled.
    pub stop: CancellationToken,
}

/// A restore that has ended.
pub struct Restored {
    /// The backup.
    pub backup: String,
    /// The loads, by table.
    pub report: Report,
    /// What the database is without, sentences.
    pub notes: Vec<String>,
}

/// Restores tables. Each is loaded in one act or keeps what it has; a table that fails does not stop the others.
///
/// # Errors
/// What makes all of it impossible: `NotFound` where there is no backup, `Data` where a file of it is not what it was, `Refused`
/// where there are rows that are not to be replaced. The rows of the database are then as they were.
pub async fn restore(job: &Restore, progress: Arc<Progress>) -> Result<Restored> {
    let Chosen { backup, tables: chosen, done } = unless(&job.stop, begin(job)).await?;
    unless(&job.stop, check(&job.from, &backup, &chosen)).await.at(at(&job.from.name))?;
    let native = native(job, &backup);
    let place = at(&job.to.name);
    let write = match &native {
        Some(database) => {
            unless(&job.stop, refuse_renamed(job, &backup, &chosen)).await.at(place.as_str())?;
            let prepared = prepare(job, database.as_ref(), &chosen, &done).await;
            if prepared.as_ref().is_err_and(|error| error.kind() == ErrorKind::Interrupted) && job.replace {
                // foreign keys that are down by now go up again
                let _ = hurried(&job.stop, database.finish(&chosen)).await;
            }
            prepared.at(place.as_str())?
        }
        None => {
            refuse_existing(job, &without(&chosen, |table| done.contains(&table.stream))).await.at(place.as_str())?;
            vec![WriteMode::Replace; chosen.tables.len()]
        }
    };
    let loaded = async { run::run(job.sync(&backup, &chosen, &write, native.is_some())?, progress).await }.await;
    // also where a table failed: foreign keys that were there go up again
    let finished = match &native {
        Some(database) => hurried(&job.stop, database.finish(&chosen)).await.at(place),
        None => Ok(vec![format!(
            "the backup is of {}: tables have their columns, rows and keys, and nothing else of their definitions",
            backup.system
        )]),
    };
    match (loaded, finished) {
        (Ok(report), Ok(notes)) => Ok(Restored { backup: backup.name, report, notes }),
        (Ok(report), Err(error)) if report.succeeded() => {
            let advice = format!("All rows are restored, and not all foreign keys are up. {}", error.advice());
            Err(error.advise(advice))
        }
        (Ok(report), Err(error)) => Ok(Restored { backup: backup.name, report, notes: vec![not_up(&error)] }),
        (Err(error), Ok(_)) => Err(error),
        (Err(error), Err(of_keys)) => {
            let advice = format!("{} Then {}: restore again.", error.advice(), not_up(&of_keys));
            Err(error.advise(advice))
        }
    }
}

/// What is to be restored.
struct Chosen {
    backup: Backup,
    /// Those of its tables that are meant.
    tables: Structure,
    /// Those, by their streams, that were restored before for what this restore is for.
    done: BTreeSet<String>,
}

/// Chooses what is restored. Where no backup is named and an attempt before has begun with one, it goes on with that one, also if
/// there is a newer one by now: tables of two moments do not belong together.
async fn begin(job: &Restore) -> Result<Chosen> {
    let (backup, tables) = choose(job, job.backup.as_deref()).await.at(at(&job.from.name))?;
    let begun = done_before(job, &backup, &tables).await.at(at(&job.to.name))?;
    let Some(other) = begun.other.filter(|_| job.backup.is_none()) else {
        return Ok(Chosen { backup, tables, done: begun.done });
    };
    let gone = |error: Error| match error.kind() {
        ErrorKind::NotFound => error.advise(
            "An attempt before has restored tables of it. Restore another one with `replace`, and name it as `backup`.",
        ),
        _ => error,
    };
    let (backup, tables) = choose(job, Some(&other)).await.map_err(gone).at(at(&job.from.name))?;
    let begun = done_before(job, &backup, &tables).await.at(at(&job.to.name))?;
    Ok(Chosen { backup, tables, done: begun.done })
}

fn not_up(error: &Error) -> String {
    format!("the foreign keys are not up: {}", error.message())
}

/// The database as one that the statements of a backup are for.
fn native(job: &Restore, backup: &Backup) -> Option<Arc<dyn Database>> {
    let database = job.to.connection.clone().database().ok()?;
    (database.system() == backup.system).then_some(database)
}

/// A backup, the newest whole one if none is named, and those of its tables that are meant.
async fn choose(job: &Restore, name: Option<&str>) -> Result<(Backup, Structure)> {
    let name = match name {
        Some(name) => name.to_owned(),
        None => keep::newest(&job.from)
            .await?
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "there is no whole backup").advise("List what there is."))?,
    };
    let backup = manifest::read(job.from.archive.as_ref(), &name).await.map_err(|error| {
        let is_gone = error.kind() == ErrorKind::NotFound;
        if is_gone { Error::new(ErrorKind::NotFound, format!("there is no backup `{name}`")) } else { error }
    })?;
    let mut structure = backup.structure.clone();
    if job.tables.is_empty() {
        return Ok((backup, structure));
    }
    let means = |selector: &str, table: &Table| {
        selector == table.stream
            || selector == table.table
            || is_wildcard(selector) && (matches(selector, &table.stream) || matches(selector, &table.table))
    };
    for selector in &job.tables {
        if !structure.tables.iter().any(|table| means(selector, table)) {
            let names: Vec<&str> = structure.tables.iter().map(|table| table.stream.as_str()).collect();
            let told = did_you_mean(nearest(selector, &names));
            return Err(Error::new(ErrorKind::NotFound, format!("the backup has no table `{selector}`"))
                .advise(format!("{told}Its manifest names them all.")));
        }
    }
    structure.tables.retain(|table| job.tables.iter().any(|selector| means(selector, table)));
    Ok((backup, structure))
}

/// Reads every file of the tables again.
async fn check(place: &Place, backup: &Backup, chosen: &Structure) -> Result<()> {
    let mut bad = Vec::new();
    for table in backup.tables.iter().filter(|of| chosen.tables.iter().any(|table| table.stream == of.stream)) {
        for file in &table.files {
            bad.extend(verify::compare(place.archive.as_ref(), backup, file).await?);
        }
    }
    if bad.is_empty() {
        return Ok(());
    }
    let told: Vec<String> = bad.iter().take(NAMED_MAX).map(|bad| format!("`{}` {}", bad.file, bad.what)).collect();
    let message = format!("{} files of the backup are not what they were: {}", bad.len(), told.join(", "));
    Err(Error::new(ErrorKind::Data, message)
        .at(format!("backup `{}`", backup.name))
        .advise("Nothing was changed. Restore another backup, or the tables whose files are sound."))
}

/// What attempts before have done.
#[derive(Default)]
struct Begun {
    /// The tables, by their streams, that were restored of this backup.
    done: BTreeSet<String>,
    /// Another backup that tables were restored of.
    other: Option<String>,
}

/// What was restored before for what this restore is for.
async fn done_before(job: &Restore, backup: &Backup, chosen: &Structure) -> Result<Begun> {
    let mut begun = Begun::default();
    let Some(once) = &job.once else { return Ok(begun) };
    let destination = job.to.connection.clone().destination()?;
    for table in &chosen.tables {
        let key = StreamKey { pipeline: PIPELINE.to_owned(), stream: table.stream.clone() };
        let state = State::of(destination.committed(&key).await?.as_ref())?;
        let of = state.once.as_deref().and_then(|stored| stored.strip_prefix(once.as_str())?.strip_prefix('/'));
        match of {
            Some(name) if name == backup.name => {
                begun.done.insert(table.stream.clone());
            }
            Some(name) => begun.other = Some(name.to_owned()),
            None => {}
        }
    }
    Ok(begun)
}

/// Makes what is missing and takes foreign keys down; how each table is written then. Rows of tables that an attempt before has
/// restored are no reason to refuse.
async fn prepare(
    job: &Restore,
    database: &dyn Database,
    chosen: &Structure,
    done: &BTreeSet<String>,
) -> Result<Vec<WriteMode>> {
    let is_done = |table: &Table| done.contains(&table.stream);
    let left = without(chosen, is_done);
    let mut found = hurried(&job.stop, database.prepare(&left, job.replace)).await?.into_iter();
    if !done.is_empty() {
        let others = without(chosen, |table| !is_done(table));
        hurried(&job.stop, database.prepare(&others, true)).await?;
    }
    let write = |table: &Table| match is_done(table).then_some(Found::Rows).or_else(|| found.next()) {
        Some(Found::Rows) => WriteMode::Replace,
        Some(Found::Empty) | None => WriteMode::Append,
    };
    Ok(chosen.tables.iter().map(write).collect())
}

/// What is left of a structure without some tables.
fn without(structure: &Structure, is_one: impl Fn(&Table) -> bool) -> Structure {
    let mut left = structure.clone();
    left.tables.retain(|table| !is_one(table));
    left
}

/// Tables that are made from statements have the names that they had: rows under another name, which the loads choose where the
/// destination could take two for one, would not be theirs.
async fn refuse_renamed(job: &Restore, backup: &Backup, chosen: &Structure) -> Result<()> {
    let destination = job.to.connection.clone().destination()?;
    let sync = job.sync(backup, chosen, &vec![WriteMode::Append; chosen.tables.len()], true)?;
    for (stream, target) in run::targets_of(&sync).await? {
        let Some(table) = chosen.tables.iter().find(|table| table.stream == stream) else { continue };
        let own = destination.target(table.namespace.as_deref().filter(|_| sync.keep_namespaces), &table.table);
        if target != own {
            let message = format!("the rows of `{own}` would be loaded into `{target}`, which has another name");
            return Err(Error::new(ErrorKind::Refused, message).at(format!("table `{own}`")).advise(
                "Nothing was changed. Names that differ in capitals only can be one to the database: restore such tables by \
                 `--table`, one after the other.",
            ));
        }
    }
    Ok(())
}

/// Where tables are not made from statements, those that are there would be changed by what is loaded.
async fn refuse_existing(job: &Restore, chosen: &Structure) -> Result<()> {
    if job.replace {
        return Ok(());
    }
    let destination = job.to.connection.clone().destination()?;
    let keeps = job.to.namespaces;
    for table in &chosen.tables {
        let target = destination.target(table.namespace.as_deref().filter(|_| keeps), &table.table);
        if destination.describe(&target).await?.is_some() {
            return Err(Error::new(ErrorKind::Refused, format!("there is a table `{target}` already"))
                .advise("Nothing was changed. Say that rows are to be replaced, or restore into another database."));
        }
    }
    Ok(())
}

impl Restore {
    fn sync(&self, backup: &Backup, chosen: &Structure, write: &[WriteMode], native: bool) -> Result<SyncJob> {
        let folder = self.from.archive.folder(&backup.name)?;
        let (mut names, mut streams) = (Vec::new(), Vec::new());
        for (table, write) in chosen.tables.iter().zip(write) {
            let of = backup.tables.iter().find(|of| of.stream == table.stream);
            let broken = || Error::new(ErrorKind::Data, format!("the manifest names no files of {}", table.stream));
            names.push(Name {
                inner: of.ok_or_else(broken)?.folder.clone(),
                name: table.stream.clone(),
                namespace: table.namespace.clone(),
                table: table.table.clone(),
            });
            let options = StreamDocument {
                write: Some(*write),
                key: (!native && !table.key.is_empty()).then(|| table.key.clone()),
                on_bad_row: Some(OnBadRow::Fail),
                // a table that was made from its own statements fits as it is
                on_schema_change: Some(if native { OnSchemaChange::Freeze } else { OnSchemaChange::Evolve }),
                ..StreamDocument::default()
            };
            streams.push((table.stream.clone(), options));
        }
        Ok(SyncJob {
            pipeline: PIPELINE.to_owned(),
            sync: take::sync(&self.from.name, &self.to.name, streams)?,
            source: Renamed::of(folder, names),
            destination: self.to.connection.clone(),
            keep_namespaces: self.to.namespaces && chosen.tables.iter().any(|table| table.namespace.is_some()),
            full_refresh: false,
            only_stream: None,
            once: self.once.as_ref().map(|once| format!("{once}/{}", backup.name)),
            retry: self.retry,
            stop: self.stop.clone(),
        })
    }
}
