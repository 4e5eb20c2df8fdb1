//! `levada validate`: everything that can be told of documents without touching a system.

use std::path::Path;

use levada_core::error::{Error, ErrorKind};
use levada_server::client::{Client, object};
use levada_server::project::{Facts, examine};
use serde_json::json;

use super::{Context, Errors, Outcome, block_on};
use crate::cli::ValidateArgs;
use crate::output::error_json;
use crate::project::read_text;
use crate::wiring;

/// Checks every file and tells all mistakes.
pub fn execute(context: &Context, args: &ValidateArgs) -> Outcome {
    let found = match context.remote()? {
        Some(client) => block_on(remote(&client, args))?,
        None => args.files.iter().map(|path| local(context, path, args)).collect(),
    };
    let mut code = 0;
    let mut results = Vec::new();
    for (path, found) in args.files.iter().zip(found) {
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

/// With the documents as they lie in the folder.
fn local(context: &Context, path: &Path, args: &ValidateArgs) -> Result<Facts, Errors> {
    let (project, file) = context.project_of(path)?;
    let params = args.params.iter().cloned().collect();
    project.variables(params, |variables| examine(&wiring::registry(), variables, &file, &project.shared))
}

/// With the documents that are applied at a server.
async fn remote(client: &Client, args: &ValidateArgs) -> Result<Vec<Result<Facts, Errors>>, Errors> {
    let mut results = Vec::new();
    for path in &args.files {
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
