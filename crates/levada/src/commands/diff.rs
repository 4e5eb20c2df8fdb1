//! `levada diff`: what `levada apply` would change, as a unified diff for each document.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;

use levada_server::routes::project::{Document, Documents};
use serde_json::json;
use similar::TextDiff;

use super::{Context, Outcome, apply, block_on, one};
use crate::cli::FolderArgs;
use crate::folder::Folder;
use crate::output::{Output, printable};
use crate::service;

/// One document that differs.
struct Difference {
    path: String,
    change: &'static str,
    text: String,
}

/// Compares a folder with what was applied; exit code 1 if they differ.
pub fn execute(context: &Context, args: &FolderArgs) -> Outcome {
    let document = apply::document(context, args.folder.as_deref())?;
    let folder = Folder::read(&document)?;
    let applied: Documents = block_on(async {
        let client = match context.remote()? {
            Some(client) => client,
            None => {
                let places = context.places_of(apply::folder_of(&document))?;
                match places.open_existing().await.map_err(one)? {
                    Some(store) => service::client(&places, &store).map_err(one)?,
                    None => return Ok(Documents { documents: Vec::new() }),
                }
            }
        };
        client.call("getProject", json!({})).await
    })?;
    let mut before = by_path(applied);
    let mut differences = Vec::new();
    for source in std::iter::once(folder.project).chain(folder.pipelines) {
        let old = before.remove(&source.path);
        differences.extend(difference(source.path, old, Some(source.text)));
    }
    differences.extend(before.into_iter().filter_map(|(path, old)| difference(path, Some(old), None)));
    show(context.output, &differences);
    Ok(u8::from(!differences.is_empty()))
}

/// Documents by the path of their file.
pub fn by_path(project: Documents) -> BTreeMap<String, Document> {
    project.documents.into_iter().map(|document| (document.path.clone(), document)).collect()
}

fn difference(path: String, old: Option<Document>, new: Option<String>) -> Option<Difference> {
    let change = match (&old, &new) {
        (Some(old), Some(new)) if old.text == *new => return None,
        (Some(_), Some(_)) => "changed",
        (None, Some(_)) => "created",
        (_, None) => "removed",
    };
    let before = old.as_ref().map_or("/dev/null".to_owned(), |old| format!("{path}\tversion {}", old.version));
    let after = new.as_ref().map_or("/dev/null", |_| path.as_str()).to_owned();
    let (old, new) = (old.map(|old| old.text).unwrap_or_default(), new.unwrap_or_default());
    let text = TextDiff::from_lines(&old, &new).unified_diff().header(&before, &after).to_string();
    Some(Difference { path, change, text })
}

fn show(output: Output, differences: &[Difference]) {
    if output.is_json() {
        let documents: Vec<_> =
            differences.iter().map(|one| json!({ "path": one.path, "change": one.change, "diff": one.text })).collect();
        output.json(&json!({ "differs": !documents.is_empty(), "documents": documents }));
        return;
    }
    let is_terminal = std::io::stdout().is_terminal();
    for line in differences.iter().flat_map(|one| one.text.lines()) {
        output.line(&if is_terminal { printable(line) } else { line.to_owned() });
    }
}
