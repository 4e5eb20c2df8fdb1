//! `levada validate`: everything that can be told of documents without touching a system.

use std::path::{Path, PathBuf};

use levada_connectors::OffLimits;
use levada_core::error::{Error, ErrorKind};
use levada_server::client::{Client, object};
use levada_server::project::{Facts, examine};
use serde_json::json;

use super::{Context, Errors, Outcome, apply, block_on};
use crate::cli::ValidateArgs;
use crate::folder::Folder;
use crate::output::error_json;
use crate::project::read_text;
use crate::wiring;

/// Checks every file and tells all mistakes.
pub fn execute(context: &Context, args: &ValidateArgs) -> Outcome {
    let Documents { files, folders } = documents(context, &args.files)?;
    let mut found: Vec<_> = match context.remote()? {
        Some(client) => block_on(remote(&client, &files, args))?.into_iter().zip(&files).collect(),
        None => files.iter().map(|path| (local(context, path, args), path)).collect(),
    };
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
