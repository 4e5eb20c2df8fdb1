//! Tasks that take backups and restore them, by the same code as the commands.

use std::sync::Arc;

use levada_core::config::{Backup, Restore, Task};
use levada_core::dataset::Load;
use levada_core::error::{Error, ErrorKind, Result};
use levada_store::Volume;
use serde_json::json;

use super::execute::{Attempt, Executor, Seen};
use super::kinds::failure;
use super::worker::{Done, Executed};
use crate::backup::{self, Place, Prune, Restored, Taken};
use crate::metrics::metrics;
use crate::progress::Progress;
use crate::report::Report;
use crate::run::met;

/// Backups that the outputs name as removed; of more, only their number is told.
const NAMED_MAX: usize = 100;
/// Sentences in the outputs about what a backup or a restore leaves out; the log has all of them.
const NOTES_MAX: usize = 20;

impl Executor {
    pub(super) async fn backup(&self, attempt: &Attempt<'_>, task: &Task, work: &Backup) -> Result<Executed> {
        let (source, place) = (self.open(attempt, &work.from)?, self.open(attempt, &work.to)?);
        let to = Place::new(&place)?;
        attempt.context.log.sys(&format!("{} -> {}", source.name, place.name));
        let take = backup::Take {
            from: source.into(),
            to: to.clone(),
            tables: work.tables.clone(),
            retry: task.retry,
            stop: attempt.context.stop.clone(),
        };
        let clock = self.around.clock.as_ref();
        let figures = Arc::new(Progress::default());
        self.around.observer.see(attempt.claim, Seen::Moves(figures.clone())).await;
        let shown = self.moving.show(attempt.claim, figures.clone());
        let taken = backup::take(&take, clock, figures).await;
        drop(shown);
        let Taken { report, backup: taken } = self.told(attempt, taken, |taken| &taken.report).await?;
        let (error, volume) = (failure(&report), volume(&report));
        self.around.observer.see(attempt.claim, Seen::Moved(report)).await;
        if let Some(error) = error {
            return Err(error);
        }
        let taken = taken.ok_or_else(|| Error::new(ErrorKind::Internal, "the backup has no manifest"))?;
        let left_out = &taken.structure.left_out;
        left_out.iter().for_each(|note| attempt.context.log.sys(note));
        let (rows, bytes) = (taken.rows(), taken.bytes());
        attempt.context.log.sys(&format!("backup {}: {rows} rows, {bytes} bytes", taken.name));
        let mut outputs = json!({
            "backup": taken.name, "tables": taken.tables.len(), "rows": rows, "bytes": bytes, "removed": [],
            "notes": first_of(left_out),
        });
        let older_than = work.older_than.map(|text| text.0);
        if work.keep.is_some() || older_than.is_some() {
            let prune = Prune { keep: work.keep, older_than, source: Some(taken.source.clone()), dry_run: false };
            let removed = backup::prune(&to, prune, clock, &attempt.context.stop).await;
            let removed = removed.map_err(|error| not_pruned(&error, &taken.name))?.removed;
            removed.iter().for_each(|name| attempt.context.log.sys(&format!("removed {name}")));
            outputs["removed"] = if removed.len() > NAMED_MAX { removed.len().into() } else { removed.into() };
        }
        Ok(Executed::Done(Done { outputs: Some(outputs.to_string()), volume, ..Done::default() }))
    }

    pub(super) async fn restore(&self, attempt: &Attempt<'_>, task: &Task, work: &Restore) -> Result<Executed> {
        let claim = attempt.claim;
        let (place, target) = (self.open(attempt, &work.from)?, self.open(attempt, &work.to)?);
        attempt.context.log.sys(&format!("{} -> {}", place.name, target.name));
        let restore = backup::Restore {
            from: Place::new(&place)?,
            backup: work.backup.clone(),
            tables: work.tables.clone(),
            to: target.into(),
            replace: work.replace,
            retry: task.retry,
            // an attempt after one whose worker died goes on with the tables that are not restored yet
            once: Some(format!("{}/{}", claim.created_at, claim.task_run)),
            stop: attempt.context.stop.clone(),
        };
        let figures = Arc::new(Progress::default());
        self.around.observer.see(claim, Seen::Moves(figures.clone())).await;
        let shown = self.moving.show(claim, figures.clone());
        let restored = backup::restore(&restore, figures).await;
        drop(shown);
        let restored = self.told(attempt, restored, |restored| &restored.report).await?;
        let Restored { backup: name, mut report, notes } = restored;
        notes.iter().for_each(|note| attempt.context.log.sys(note));
        let (error, volume) = (failure(&report), volume(&report));
        let (mut datasets, mut loads) = (Vec::new(), Vec::<Load>::new());
        for stream in report.streams.iter_mut().filter(|stream| stream.error.is_none()) {
            datasets.push(format!("{}.{}", work.to, stream.target));
            // the files of a backup are no dataset
            loads.push(Load { sources: Vec::new(), ..met::load(None, &work.to, stream) });
        }
        self.around.observer.see(claim, Seen::Moved(report)).await;
        if let Some(error) = error {
            return Ok(Executed::Failed { error, loads, tests: Vec::new() });
        }
        let outputs =
            json!({ "backup": name, "tables": datasets.len(), "rows": volume.rows, "notes": first_of(&notes) });
        Ok(Executed::Done(Done { outputs: Some(outputs.to_string()), datasets, loads, volume, ..Done::default() }))
    }

    /// Tells the log of each table; where nothing was moved, also those who look at the run. Of a report the caller tells them.
    async fn told<T>(&self, attempt: &Attempt<'_>, done: Result<T>, report: fn(&T) -> &Report) -> Result<T> {
        match &done {
            Ok(done) => {
                let report = report(done);
                for stream in &report.streams {
                    attempt.context.log.sys(&match &stream.error {
                        None => format!("{}: {} rows", stream.stream, stream.proof.written),
                        Some(failure) => format!("{}: {}. {}", stream.stream, failure.message, failure.advice),
                    });
                }
                metrics().moved(report);
            }
            Err(_) => self.around.observer.see(attempt.claim, Seen::Moved(Report::default())).await,
        }
        done
    }
}

fn first_of(notes: &[String]) -> &[String] {
    &notes[..notes.len().min(NOTES_MAX)]
}

/// The backup is there, and stays, whatever becomes of the others: taking one more because of them would help nobody.
fn not_pruned(error: &Error, backup: &str) -> Error {
    let kind = if error.kind().policy().retry { ErrorKind::Io } else { error.kind() };
    let message = format!("the backup {backup} is whole, and older ones were not removed: {}", error.message());
    let told = Error::new(kind, message).advise(error.advice().to_owned());
    error.place().iter().rev().fold(told, Error::at)
}

/// What the streams moved that did not fail.
fn volume(report: &Report) -> Volume {
    let mut volume = Volume::default();
    for stream in report.streams.iter().filter(|stream| stream.error.is_none()) {
        volume.rows += stream.proof.written;
        volume.bytes += stream.bytes;
    }
    volume
}
