//! `levada validate`: everything that can be told of documents without touching a system.

use std::path::Path;

use levada_core::config::{File, Task};
use serde_json::json;

use super::{Context, Errors, Outcome};
use crate::cli::ValidateArgs;
use crate::output::error_json;
use crate::project::Project;

/// What a file turned out to hold.
struct Found {
    pipeline: Option<String>,
    tasks: usize,
    streams: usize,
    connections: usize,
}

/// Checks every file and tells all mistakes.
pub fn execute(context: &Context, args: &ValidateArgs) -> Outcome {
    let mut code = 0;
    let mut results = Vec::new();
    for path in &args.files {
        let shown = path.display().to_string();
        match validate(context, path, args) {
            Ok(found) if context.output.is_json() => results.push(json!({
                "file": shown,
                "valid": true,
                "pipeline": found.pipeline,
                "tasks": found.tasks,
                "streams": found.streams,
                "connections": found.connections,
            })),
            Ok(found) => context.output.line(&found.describe(&shown)),
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

fn validate(context: &Context, path: &Path, args: &ValidateArgs) -> Result<Found, Errors> {
    let (mut project, file) = context.project_of(path)?;
    let mut found = Found { pipeline: None, tasks: 0, streams: 0, connections: file.connections.len() };
    let mut errors = Vec::new();
    let mut used = file.connections.clone();
    if file.has_pipeline() {
        match pipeline(&project, &file, args) {
            Ok((pipeline, params)) => {
                project.params = params;
                found.tasks = pipeline.tasks.len();
                found.streams =
                    pipeline.tasks.iter().filter_map(|task| task.work.as_sync()).map(|sync| sync.streams.len()).sum();
                for name in pipeline.tasks.iter().flat_map(Task::connections) {
                    let missing = used.iter().all(|connection| connection.name != name);
                    used.extend(
                        project.shared.connections.iter().filter(|other| missing && other.name == name).cloned(),
                    );
                }
                found.pipeline = Some(pipeline.name);
            }
            Err(mistakes) => errors.extend(mistakes),
        }
    }
    for connection in &used {
        errors.extend(project.open_named(connection).err().unwrap_or_default());
    }
    if errors.is_empty() { Ok(found) } else { Err(errors) }
}

fn pipeline(
    project: &Project,
    file: &File,
    args: &ValidateArgs,
) -> Result<(levada_core::config::Pipeline, std::collections::BTreeMap<String, String>), Errors> {
    let params = args.params.iter().cloned().collect();
    project.variables(params, |variables| file.check(&project.shared, variables))
}

impl Found {
    fn describe(&self, file: &str) -> String {
        let count = |number: usize, word: &str| format!("{number} {word}{}", if number == 1 { "" } else { "s" });
        match &self.pipeline {
            Some(name) => format!(
                "{file}: valid, pipeline `{name}` with {} and {}",
                count(self.tasks, "task"),
                count(self.streams, "stream")
            ),
            None => format!("{file}: valid, {}", count(self.connections, "connection")),
        }
    }
}
