//! `levada backup`, `levada restore` and `levada backups`: tables of a database as files in a folder, and back.

use std::sync::Arc;

use levada_core::config::Retry;
use levada_core::config::amount::parse_duration;
use levada_core::error::{Error, ErrorKind, Result};
use levada_engine::backup::{self, Backup, Entry, Kept, Place, Prune, Restore, Restored, Take, Verified};
use levada_engine::house::SystemClock;
use levada_engine::progress::Progress;
use levada_engine::report::{Report, StreamReport};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::sync::{show_proof, show_report, stop_on_interrupt};
use super::{Context, Errors, Outcome, block_on_or, one};
use crate::cli::{BackupArgs, BackupsCommand, RestoreArgs};
use crate::output::{Cell, Output, Table, grouped, printable};
use crate::progress;
use crate::wiring;

/// Takes a backup.
pub fn backup(context: &Context, args: &BackupArgs) -> Outcome {
    let project = context.project()?;
    let (source, place) = (project.open(&args.source)?, project.open(&args.to)?);
    let output = context.output;
    let taken = carry_out(output, async |stop, figures| {
        let to = Place::new(&place)?;
        let take = Take { from: source.into(), to, tables: args.tables.clone(), retry: Retry::default(), stop };
        backup::take(&take, &SystemClock, figures).await
    })?;
    let streams: Vec<&StreamReport> = taken.report.streams.iter().collect();
    if output.is_json() {
        output.json(&json!({ "backup": taken.backup.as_ref().map(summary), "streams": taken.report.streams }));
    } else {
        show_report(output, &streams);
        if let Some(backup) = &taken.backup {
            output.line(&told(backup));
        }
    }
    if let Some(backup) = &taken.backup {
        backup.structure.left_out.iter().for_each(|note| output.note(&format!("warning: {}", printable(note))));
    }
    Ok(taken.report.exit_code())
}

fn told(backup: &Backup) -> String {
    format!(
        "\nbackup {}: {} tables, {} rows, {} in {} files",
        backup.name,
        grouped(backup.tables.len() as u64),
        grouped(backup.rows()),
        size(backup.bytes()),
        grouped(backup.files().count() as u64),
    )
}

fn summary(backup: &Backup) -> serde_json::Value {
    json!({
        "name": backup.name, "system": backup.system, "source": backup.source, "taken_at": backup.taken_at,
        "tables": backup.tables.len(), "rows": backup.rows(), "bytes": backup.bytes(), "files": backup.files().count(),
        "left_out": backup.structure.left_out,
    })
}

/// Restores a backup.
pub fn restore(context: &Context, args: &RestoreArgs) -> Outcome {
    let project = context.project()?;
    let (place, target) = (project.open(&args.place)?, project.open(&args.to)?);
    let output = context.output;
    let restored = carry_out(output, async |stop, figures| {
        let restore = Restore {
            from: Place::new(&place)?,
            backup: args.backup.clone(),
            tables: args.tables.clone(),
            to: target.into(),
            replace: args.replace,
            retry: Retry::default(),
            once: None,
            stop,
        };
        backup::restore(&restore, figures).await
    })?;
    show_restored(output, &restored);
    Ok(restored.report.exit_code())
}

fn show_restored(output: Output, restored: &Restored) {
    let Restored { backup, report: Report { streams }, notes } = restored;
    if output.is_json() {
        output.json(&json!({ "backup": backup, "streams": streams, "notes": notes }));
        return;
    }
    let streams: Vec<&StreamReport> = streams.iter().collect();
    show_report(output, &streams);
    show_proof(output, &streams);
    output.line(&format!("of backup {}", printable(backup)));
    notes.iter().for_each(|note| output.note(&format!("warning: {}", printable(note))));
}

/// Work that moves rows, under the eyes of the user.
fn carry_out<T>(
    output: Output,
    work: impl AsyncFnOnce(CancellationToken, Arc<Progress>) -> Result<T>,
) -> Result<T, Errors> {
    let runtime = wiring::runtime().map_err(one)?;
    let done = runtime.block_on(async {
        let stop = stop_on_interrupt(output);
        let figures = Arc::new(Progress::default());
        let shown = progress::show(figures.clone(), output);
        let done = work(stop, figures).await;
        shown.end().await;
        done
    });
    runtime.shutdown_background();
    done.map_err(one)
}

/// What there is, whether it is whole, and what has had its time.
pub fn backups(context: &Context, command: &BackupsCommand) -> Outcome {
    let (BackupsCommand::List { place } | BackupsCommand::Verify { place, .. } | BackupsCommand::Prune { place, .. }) =
        command;
    let place = context.project()?.open(place)?;
    let output = context.output;
    match command {
        BackupsCommand::List { .. } => {
            let entries = look(async { backup::list(&Place::new(&place)?).await })?;
            show_list(output, &entries);
            Ok(0)
        }
        BackupsCommand::Verify { backups, sample, .. } => {
            let verified = look(verify(Place::new(&place).map_err(one)?, backups, *sample))?;
            show_verified(output, &verified);
            Ok(u8::from(verified.iter().any(|verified| !verified.problems.is_empty())))
        }
        BackupsCommand::Prune { keep, older_than, dry_run, .. } => {
            let older_than = older_than.as_deref().map(parse_duration).transpose().map_err(|message| {
                let message = message.replace('\n', ". ");
                one(Error::new(ErrorKind::Usage, message).at("--older-than").advise("For instance `30d`."))
            })?;
            let prune = Prune { keep: *keep, older_than, source: None, dry_run: *dry_run };
            let stop = CancellationToken::new();
            let interrupted_means = "What was removed until then is gone; every other backup is whole.";
            let kept = block_on_or(interrupted_means, async {
                let place = Place::new(&place).map_err(one)?;
                backup::prune(&place, prune, &SystemClock, &stop).await.map_err(one)
            })?;
            show_kept(output, &kept, *dry_run);
            Ok(0)
        }
    }
}

fn look<T>(work: impl Future<Output = Result<T>>) -> Result<T, Errors> {
    super::block_on(async { work.await.map_err(one) })
}

async fn verify(place: Place, backups: &[String], sample: Option<u8>) -> Result<Vec<Verified>> {
    let names: Vec<String> = match backups {
        [] => backup::list(&place).await?.into_iter().map(|entry| entry.name).collect(),
        names => names.to_vec(),
    };
    if names.is_empty() {
        // to whoever verifies every night, a wrong path must not look like backups that are whole
        return Err(Error::new(ErrorKind::NotFound, "there are no backups")
            .at(place.name)
            .advise("Check the folder's path; list what there is."));
    }
    let mut verified = Vec::new();
    for name in names {
        verified.push(backup::verify(&place, &name, sample, &CancellationToken::new()).await?);
    }
    Ok(verified)
}

fn show_list(output: Output, entries: &[Entry]) {
    if output.is_json() {
        output.json(&json!({ "backups": entries }));
        return;
    }
    let mut table = Table::new(&["backup", "of", "taken at", "tables", "rows", "size", "result"]);
    for entry in entries {
        table.row([
            Cell::text(&entry.name),
            Cell::text(entry.source.as_deref().unwrap_or("-")),
            Cell::text(entry.taken_at.map_or_else(|| "-".to_owned(), |at| at.to_string())),
            Cell::count(entry.tables),
            Cell::count(entry.rows),
            Cell::right(size(entry.bytes)),
            Cell::text(entry.problem.as_ref().map_or("whole".to_owned(), |problem| format!("DAMAGED: {problem}"))),
        ]);
    }
    output.table(&table);
}

fn size(count: u64) -> String {
    crate::output::bytes(count as f64)
}

fn show_verified(output: Output, verified: &[Verified]) {
    if output.is_json() {
        output.json(&json!({ "backups": verified }));
        return;
    }
    let mut table = Table::new(&["backup", "files read", "of", "rows", "size", "result"]);
    for verified in verified {
        let problems = verified.problems.len();
        table.row([
            Cell::text(&verified.backup),
            Cell::count(verified.files),
            Cell::count(verified.files_in_all),
            Cell::count(verified.rows),
            Cell::right(size(verified.bytes)),
            Cell::text(if problems == 0 { "verified".to_owned() } else { format!("{problems} FILES DAMAGED") }),
        ]);
    }
    output.table(&table);
    for verified in verified {
        for problem in &verified.problems {
            let (file, what) = (printable(&problem.file), printable(&problem.what));
            output.note(&format!("error: {}/{file} {what}", verified.backup));
        }
    }
}

fn show_kept(output: Output, kept: &Kept, dry_run: bool) {
    if output.is_json() {
        output.json(&json!({
            "kept": kept.kept, "removed": kept.removed, "unfinished": kept.unfinished, "dry_run": dry_run,
        }));
        return;
    }
    let removed = if dry_run { "would be removed" } else { "removed" };
    kept.kept.iter().for_each(|name| output.line(&format!("{name}: stays")));
    kept.removed.iter().for_each(|name| output.line(&format!("{name}: {removed}")));
    kept.unfinished.iter().for_each(|name| output.line(&format!("{name}: never finished, {removed}")));
}
