//! `levada artifacts`: the files that tasks left, listed, or copied and checked against what the tasks left.

use std::fs::File;
use std::io::Write as _;
use std::path::{Component, Path, PathBuf};

use levada_core::error::{Context as _, Error, ErrorKind, Result};
use levada_core::text::counted;
use levada_engine::house::file_name;
use levada_engine::task::Checksum;
use levada_server::client::Client;
use levada_server::routes::artifacts::Artifact;
use serde_json::{Value as Json, json};

use super::{Context, Errors, Outcome, block_on_or, one, show};
use crate::cli::ArtifactsArgs;
use crate::output::{Cell, Table, grouped, instant, printable};

/// Lists or copies files.
pub fn execute(context: &Context, args: &ArtifactsArgs) -> Outcome {
    block_on_or("What was copied before is whole.", async {
        let client = context.client().await?;
        let files = find(&client, args).await?;
        if let Some(folder) = &args.to {
            for file in &files {
                copy(&client, args.run, file, folder).await?;
            }
        }
        tell(context, args, &files);
        Ok(0)
    })
    .map_err(show::no_such_run)
}

/// The files of a run, or of one of its tasks.
async fn find(client: &Client, args: &ArtifactsArgs) -> Result<Vec<Artifact>, Errors> {
    let mut files: Vec<Artifact> = client.all("listArtifacts", json!({ "run": args.run })).await?;
    if let Some(task) = &args.task {
        let found = show::find_task(client, args.run, task).await?;
        let folder = file_name(&found.task_run.task, found.item);
        files.retain(|file| is_of(&file.path, &folder, found.item.is_none()));
    }
    Ok(files)
}

/// Whether a path is in the folder of a task, or of an item of it.
fn is_of(path: &str, folder: &str, with_items: bool) -> bool {
    let own = path.split('/').next().unwrap_or_default();
    let item = own.strip_prefix(folder).and_then(|rest| rest.strip_prefix('.'));
    own == folder || (with_items && item.is_some_and(|item| item.bytes().all(|byte| byte.is_ascii_digit())))
}

/// Copies a file under its path. It is there whole or not at all, and never in the place of another.
async fn copy(client: &Client, run: i64, file: &Artifact, folder: &Path) -> Result<(), Errors> {
    let place = place_of(folder, &file.path).map_err(one)?;
    let shown = place.display().to_string();
    let aside = place.with_file_name(format!(".levada-{}", std::process::id()));
    let mut out = create(&place, &aside).at(&shown).map_err(one)?;
    let mut sum = Checksum::default();
    let input = json!({ "run": run, "path": file.path });
    let taken = client.pieces("downloadArtifact", input, |piece| {
        sum.update(piece);
        out.write_all(piece).at(&shown)
    });
    let taken = taken.await;
    let whole = match taken {
        Ok(()) => check(file, &sum.finish()).and_then(|()| std::fs::rename(&aside, &place).at(&shown)).map_err(one),
        Err(errors) => Err(errors),
    };
    if whole.is_err() {
        let _ = std::fs::remove_file(&aside);
    }
    whole
}

/// Where a file goes.
fn place_of(folder: &Path, path: &str) -> Result<PathBuf> {
    let is_inside = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    if !is_inside || path.is_empty() {
        return Err(Error::new(ErrorKind::Refused, "the path of a file leads out of the folder").at(printable(path)));
    }
    let place = folder.join(path);
    if place.symlink_metadata().is_ok() {
        return Err(Error::new(ErrorKind::Refused, "there is a file already")
            .at(place.display().to_string())
            .advise("Give another folder, or move it away."));
    }
    Ok(place)
}

fn create(place: &Path, aside: &Path) -> std::io::Result<File> {
    place.parent().map_or(Ok(()), std::fs::create_dir_all)?;
    File::create(aside)
}

/// Whether it is still what the task left, where that is known.
fn check(file: &Artifact, sum: &str) -> Result<()> {
    if file.sha256.as_deref().is_none_or(|left| left == sum) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Data, format!("`{}` is not what the task left: its SHA-256 is {sum}", file.path))
        .advise("Something has changed it since; run the task again."))
}

fn tell(context: &Context, args: &ArtifactsArgs, files: &[Artifact]) {
    if context.output.is_json() {
        let files: Vec<Json> = files.iter().map(as_json).collect();
        context.output.json(&json!({ "run": args.run, "artifacts": files, "copied_to": args.to }));
        return;
    }
    if files.is_empty() {
        context.output.note("no files: `artifacts` of a command names what it leaves in LEVADA_RUN_DIR");
        return;
    }
    let mut table = Table::new(&["file", "bytes", "written", "sha-256"]);
    for file in files {
        table.row([
            Cell::text(&file.path),
            Cell::right(grouped(file.bytes)),
            Cell::text(instant(file.modified_at)),
            Cell::text(file.sha256.as_deref().map_or("-", |sum| sum.get(..12).unwrap_or(sum))),
        ]);
    }
    context.output.table(&table);
    if let Some(folder) = &args.to {
        let count = counted(files.len() as u64, "file");
        context.output.note(&format!("{count} copied to {}", folder.display()));
    }
}

fn as_json(file: &Artifact) -> Json {
    json!({ "path": file.path, "bytes": file.bytes, "modified_at": file.modified_at, "sha256": file.sha256 })
}
