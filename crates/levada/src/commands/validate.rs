//! `levada validate`: everything that can be told of documents without touching a system.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use levada_connectors::OffLimits;
use levada_core::error::{Error, ErrorKind};
use levada_server::client::{Client, object};
use levada_server::project::{Facts, examine};
use serde_json::json;

use super::{Context, Errors, Outcome, apply, block_on, one};
use crate::cli::ValidateArgs;
use crate::folder::Folder;
use crate::output::error_json;
use crate::project::{nearest_project, read_text, same_file};
use crate::wiring;

/// Checks every file and tells all mistakes.
pub fn execute(context: &Context, args: &ValidateArgs) -> Outcome {
    let Documents { files, folders } = documents(context, &args.files)?;
    let mut found: Vec<_> = match context.remote()? {
        Some(client) => block_on(remote(&client, &files, args))?.into_iter().zip(&files).collect(),
        None => files.iter().map(|path| (local(context, path, args), path)).collect(),
    };
    refuse_namesakes(context, &folders, &mut found);
    for (path, folder) in &folders {
        // mistakes of single documents are told already
        let is_told = found.iter().any(|(found, file)| found.is_err() && file.starts_with(path));
        if let Err(errors) = if is_told { Ok(()) } else { together(context, path, folder) } {
            found.push((Err(errors), path));
        }
    }
    let mut code = 0;
    let mut results = Vec::new();
    for (found, path) in found {
        let shown = path.display().to_string();
        match found {
            Ok(found) if context.output.is_json() => results.push(json!({
                "file": shown,
                "valid": true,
                "pipeline": found.pipeline,
                "tasks": found.tasks,
                "streams": found.streams,
                "connections": found.connections,
            })),
            Ok(found) => context.output.line(&describe(&found, &shown)),
            Err(errors) => {
                code = code.max(errors.first().map_or(2, |error| error.kind().policy().exit_code));
                if context.output.is_json() {
                    let errors: Vec<_> = errors.iter().map(error_json).collect();
                    results.push(json!({ "file": shown, "valid": false, "errors": errors }));
                } else {
                    context.output.errors(&errors);
                }
            }
        }
    }
    if context.output.is_json() {
        context.output.json(&json!({ "valid": code == 0, "files": results }));
    }
    Ok(code)
}

/// What is to be checked.
#[derive(Default)]
struct Documents {
    /// The documents that were named, by themselves or by a project's folder.
    files: Vec<PathBuf>,
    /// Those folders.
    folders: Vec<(PathBuf, Folder)>,
}

/// Finds what is to be checked.
fn documents(context: &Context, paths: &[PathBuf]) -> Result<Documents, Errors> {
    let mut named = Documents::default();
    for path in paths {
        if path.is_dir() {
            let folder = Folder::read(&apply::document(context, Some(path))?)?;
            named.files.extend(folder.documents().map(|source| PathBuf::from(&source.shown)));
            named.folders.push((path.clone(), folder));
        } else {
            named.files.push(path.clone());
        }
    }
    Ok(named)
}

/// Refuses a pipeline whose name another one of its project has. Within a folder that is told with its other mistakes.
fn refuse_namesakes(context: &Context, folders: &[(PathBuf, Folder)], found: &mut [(Result<Facts, Errors>, &PathBuf)]) {
    let mut known: BTreeMap<(PathBuf, String), &PathBuf> = BTreeMap::new();
    for (found, path) in found {
        let path = *path;
        let Some(name) = found.as_ref().ok().and_then(|facts| facts.pipeline.clone()) else { continue };
        let of_one = (home(context, path), name);
        let Some(first) = known.get(&of_one) else {
            known.insert(of_one, path);
            continue;
        };
        let is_told = folders.iter().any(|(folder, _)| path.starts_with(folder) && first.starts_with(folder));
        if !is_told && !same_file(path, first) {
            let message = format!("the name `{}` belongs to the pipeline in {}", of_one.1, first.display());
            let advice = "Give one of them another `name`; without one it is the name of the file.";
            let error = Error::new(ErrorKind::Config, message).advise(advice);
            *found = Err(one(error.at(path.display().to_string())));
        }
    }
}

/// What keeps the names of pipelines apart: their project, or else their folder; of a server there is one.
fn home(context: &Context, path: &Path) -> PathBuf {
    if let Some(place) = context.servers.address().map(PathBuf::from).or_else(|| context.project_file.clone()) {
        return place;
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let place = nearest_project(folder).unwrap_or_else(|| folder.to_owned());
    place.canonicalize().unwrap_or(place)
}

/// What the documents of a project say of each other. A server was asked about each, with those that are applied there.
fn together(context: &Context, path: &Path, folder: &Folder) -> Result<(), Errors> {
    if context.remote()?.is_some() {
        return Ok(());
    }
    folder.check(&context.stored(context.places_of(path)?, &folder.secrets())?)
}

/// With the documents as they lie in the folder.
fn local(context: &Context, path: &Path, args: &ValidateArgs) -> Result<Facts, Errors> {
    let (project, file) = context.project_of(path)?;
    let params = args.params.iter().cloned().collect();
    project.variables(params, |variables| {
        examine(&wiring::registry(&OffLimits::default()), variables, &file, &project.shared)
    })
}

/// With the documents that are applied at a server.
async fn remote(client: &Client, files: &[PathBuf], args: &ValidateArgs) -> Result<Vec<Result<Facts, Errors>>, Errors> {
    let mut results = Vec::new();
    for path in files {
        let text = match read_text(path) {
            Ok(text) => text,
            Err(errors) => {
                results.push(Err(errors));
                continue;
            }
        };
        let input = json!({ "path": path.display().to_string(), "text": text, "params": object(&args.params) });
        let found: Result<Facts, Errors> = client.call("validateDocument", input).await;
        // a server that cannot be asked says nothing of a document
        let is_of_document = |error: &Error| error.kind().policy().exit_code == ErrorKind::Config.policy().exit_code;
        match found {
            Err(errors) if !errors.iter().all(is_of_document) => return Err(errors),
            found => results.push(found),
        }
    }
    Ok(results)
}

fn describe(found: &Facts, file: &str) -> String {
    let count = |number: usize, word: &str| format!("{number} {word}{}", if number == 1 { "" } else { "s" });
    match &found.pipeline {
        Some(name) => format!(
            "{file}: valid, pipeline `{name}` with {} and {}",
            count(found.tasks, "task"),
            count(found.streams, "stream")
        ),
        None => format!("{file}: valid, {}", count(found.connections, "connection")),
    }
}
