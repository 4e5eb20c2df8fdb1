//! `levada check`: tries connections step by step, and tells at which step one fails.

use levada_core::error::{Error, ErrorKind};
use levada_engine::connections::parse_url;
use levada_server::client::Client;
use levada_server::routes::browse::{Step, Tested};
use levada_server::routes::connections::Connection;
use serde_json::json;

use super::{Context, Errors, Outcome, block_on};
use crate::cli::CheckArgs;
use crate::output::{Cell, Table, error_json};
use crate::project::{check_connection, looks_like_address};

/// What came of checking one connection.
struct Checked {
    /// The connection, as it may be shown.
    name: String,
    outcome: Result<Vec<Tried>, Errors>,
}

/// A step that was tried.
struct Tried {
    step: String,
    ms: f64,
    found: Option<String>,
    error: Option<Error>,
}

/// Checks the connections named, or all of the project.
pub fn execute(context: &Context, args: &CheckArgs) -> Outcome {
    let results = match context.remote()? {
        Some(client) => block_on(remote(&client, &args.targets))?,
        None => local(context, &args.targets)?,
    };
    if context.output.is_json() {
        show_json(context, &results);
    } else {
        show_text(context, &results);
    }
    let failed = results.iter().find_map(|result| match &result.outcome {
        Ok(steps) => steps.iter().find_map(|step| step.error.as_ref()).map(Error::kind),
        Err(errors) => errors.first().map(Error::kind),
    });
    Ok(failed.map_or(0, |kind| kind.policy().exit_code))
}

/// From here, with the documents as they lie in the folder.
fn local(context: &Context, targets: &[String]) -> Result<Vec<Checked>, Errors> {
    let project = context.project()?;
    let known: Vec<String> = project.shared.connections.iter().map(|connection| connection.name.clone()).collect();
    let names = chosen(targets, &known)?;
    block_on(async {
        let mut results = Vec::new();
        for name in names {
            let opened = refuse_missing(&name, &known).and_then(|()| project.open(&name));
            let outcome = match opened {
                Ok(opened) => {
                    Ok(opened.connection.check().await.into_iter().map(|step| Step::from(step).into()).collect())
                }
                Err(errors) => Err(errors),
            };
            results.push(Checked { name: label(&name, &known), outcome });
        }
        Ok(results)
    })
}

/// From a server, with the documents that are applied there.
async fn remote(client: &Client, targets: &[String]) -> Result<Vec<Checked>, Errors> {
    let known = connections(client).await?;
    let mut results = Vec::new();
    for name in chosen(targets, &known)? {
        let tested = match looks_like_address(&name) && !known.contains(&name) {
            true => client.call::<Tested>("testSettings", json!({ "url": name })).await,
            false => match check_connection(&name, &known) {
                Ok(()) => client.call::<Tested>("testConnection", json!({ "connection": name })).await,
                Err(errors) => Err(errors),
            },
        };
        let outcome = match tested {
            Ok(tested) => Ok(tested.steps.into_iter().map(Tried::from).collect()),
            // what is wrong with one connection says nothing of the others
            Err(errors) if errors.iter().all(is_of_connection) => Err(errors),
            Err(errors) => return Err(errors),
        };
        results.push(Checked { name: label(&name, &known), outcome });
    }
    Ok(results)
}

/// The names of the connections of a server's project.
pub async fn connections(client: &Client) -> Result<Vec<String>, Errors> {
    let known: Vec<Connection> = client.all("listConnections", json!({})).await?;
    Ok(known.into_iter().map(|connection| connection.name).collect())
}

fn chosen(targets: &[String], known: &[String]) -> Result<Vec<String>, Errors> {
    let chosen = if targets.is_empty() { known.to_vec() } else { targets.to_vec() };
    if chosen.is_empty() {
        return Err(vec![
            Error::new(ErrorKind::Usage, "there is nothing to check")
                .advise("Give a URL, or the name of a connection in `levada.yaml`."),
        ]);
    }
    Ok(chosen)
}

/// A path that leads nowhere could be written to, but who gives one to be checked means what is there.
fn refuse_missing(name: &str, known: &[String]) -> Result<(), Errors> {
    if known.iter().any(|known| known == name) || !looks_like_address(name) {
        return Ok(());
    }
    let path = parse_url(name).ok().filter(|url| url.scheme() == "file").and_then(|url| url.to_file_path().ok());
    match path.filter(|path| !path.exists()) {
        None => Ok(()),
        Some(path) => Err(vec![
            Error::new(ErrorKind::NotFound, format!("there is no file or folder `{}`", path.display()))
                .advise("Check the path. A load into it would make it."),
        ]),
    }
}

fn is_of_connection(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Usage | ErrorKind::Config | ErrorKind::NotFound | ErrorKind::Unsupported)
}

fn label(name: &str, known: &[String]) -> String {
    // a word that is no address is the name of a connection, also where there is none
    let is_name = known.iter().any(|known| known == name) || !looks_like_address(name);
    if is_name { name.to_owned() } else { without_credentials(name) }
}

impl From<Step> for Tried {
    fn from(step: Step) -> Self {
        Self { step: step.step, ms: step.ms, found: step.found, error: step.error.map(Error::from) }
    }
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

fn show_text(context: &Context, results: &[Checked]) {
    let mut table = Table::new(&["connection", "step", "ms", "result"]);
    let mut failures = Vec::new();
    for Checked { name, outcome } in results {
        match outcome {
            Err(errors) => {
                table.row([Cell::text(name), Cell::text("settings"), Cell::right("-"), Cell::text("FAILED")]);
                failures.extend(errors.iter().map(|error| format!("{name}: {error}")));
            }
            Ok(steps) => {
                for step in steps {
                    let result = match &step.error {
                        None => format!("ok {}", step.found.as_deref().unwrap_or_default()),
                        Some(error) => {
                            failures.push(format!("{name}: {}: {error}", step.step));
                            "FAILED".to_owned()
                        }
                    };
                    let ms = format!("{:.1}", step.ms);
                    table.row([Cell::text(name), Cell::text(&step.step), Cell::right(ms), Cell::text(result.trim())]);
                }
            }
        }
    }
    context.output.table(&table);
    for failure in failures {
        context.output.note(&format!("error: {failure}"));
    }
}

fn show_json(context: &Context, results: &[Checked]) {
    let connections: Vec<_> = results
        .iter()
        .map(|Checked { name, outcome }| match outcome {
            Err(errors) => json!({
                "connection": name,
                "ok": false,
                "errors": errors.iter().map(error_json).collect::<Vec<_>>(),
            }),
            Ok(steps) => json!({
                "connection": name,
                "ok": steps.iter().all(|step| step.error.is_none()),
                "steps": steps.iter().map(step_json).collect::<Vec<_>>(),
            }),
        })
        .collect();
    context.output.json(&json!({ "connections": connections }));
}

fn step_json(step: &Tried) -> serde_json::Value {
    json!({ "step": step.step, "ms": step.ms, "found": step.found, "error": step.error.as_ref().map(error_json) })
}
