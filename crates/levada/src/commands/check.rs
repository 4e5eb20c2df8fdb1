//! `levada check`: tries connections step by step, and tells at which step one fails.

use levada_core::connector::CheckStep;
use serde_json::json;

use super::{Context, Errors, Outcome, block_on};
use crate::cli::CheckArgs;
use crate::output::{Cell, Table, error_json};
use levada_core::error::{Error, ErrorKind};
use levada_engine::connections::parse_url;

/// Checks the connections named, or all of the project.
pub fn execute(context: &Context, args: &CheckArgs) -> Outcome {
    let project = context.project()?;
    let names: Vec<String> = match args.targets.as_slice() {
        [] => project.shared.connections.iter().map(|connection| connection.name.clone()).collect(),
        targets => targets.to_vec(),
    };
    if names.is_empty() {
        return Err(vec![
            Error::new(ErrorKind::Usage, "there is nothing to check")
                .advise("Give a URL, or the name of a connection in `levada.yaml`."),
        ]);
    }
    let mut results: Vec<(String, Result<Vec<CheckStep>, Errors>)> = Vec::new();
    block_on(async {
        for name in names {
            let steps = match project.open(&name) {
                Ok(opened) => Ok(opened.connection.check().await),
                Err(errors) => Err(errors),
            };
            let shown = project.shared.connections.iter().any(|connection| connection.name == name);
            let label = if shown { name } else { without_credentials(&name) };
            results.push((label, steps));
        }
        Ok(())
    })?;
    if context.output.is_json() {
        show_json(context, &results);
    } else {
        show_text(context, &results);
    }
    let failed = results.iter().find_map(|(_, steps)| match steps {
        Ok(steps) => steps.iter().find_map(|step| step.outcome.as_ref().err()).map(Error::kind),
        Err(errors) => errors.first().map(Error::kind),
    });
    Ok(failed.map_or(0, |kind| kind.policy().exit_code))
}

fn without_credentials(address: &str) -> String {
    match parse_url(address) {
        Ok(mut url) => {
            let _ = url.set_password(None);
            url.set_query(None);
            url.to_string()
        }
        Err(_) => address.to_owned(),
    }
}

fn show_text(context: &Context, results: &[(String, Result<Vec<CheckStep>, Errors>)]) {
    let mut table = Table::new(&["connection", "step", "ms", "result"]);
    let mut failures = Vec::new();
    for (name, steps) in results {
        match steps {
            Err(errors) => {
                table.row([Cell::text(name), Cell::text("settings"), Cell::right("-"), Cell::text("FAILED")]);
                failures.extend(errors.iter().map(|error| format!("{name}: {error}")));
            }
            Ok(steps) => {
                for step in steps {
                    let result = match &step.outcome {
                        Ok(found) => format!("ok {found}"),
                        Err(error) => {
                            failures.push(format!("{name}: {}: {error}", step.step));
                            "FAILED".to_owned()
                        }
                    };
                    let ms = format!("{:.1}", step.took.as_secs_f64() * 1e3);
                    table.row([Cell::text(name), Cell::text(step.step), Cell::right(ms), Cell::text(result.trim())]);
                }
            }
        }
    }
    context.output.table(&table);
    for failure in failures {
        context.output.note(&format!("error: {failure}"));
    }
}

fn show_json(context: &Context, results: &[(String, Result<Vec<CheckStep>, Errors>)]) {
    let connections: Vec<_> = results
        .iter()
        .map(|(name, steps)| match steps {
            Err(errors) => json!({
                "connection": name,
                "ok": false,
                "errors": errors.iter().map(error_json).collect::<Vec<_>>(),
            }),
            Ok(steps) => json!({
                "connection": name,
                "ok": steps.iter().all(|step| step.outcome.is_ok()),
                "steps": steps.iter().map(step_json).collect::<Vec<_>>(),
            }),
        })
        .collect();
    context.output.json(&json!({ "connections": connections }));
}

fn step_json(step: &CheckStep) -> serde_json::Value {
    let (found, error) = match &step.outcome {
        Ok(found) => (Some(found), None),
        Err(error) => (None, Some(error_json(error))),
    };
    json!({ "step": step.step, "ms": step.took.as_secs_f64() * 1e3, "found": found, "error": error })
}
