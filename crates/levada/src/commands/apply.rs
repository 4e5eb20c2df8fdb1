//! `levada apply`: the documents of a folder become those of the project, all or none of them.

use std::path::{Path, PathBuf};

use levada_core::config::PROJECT_FILE;
use levada_core::error::{Error, ErrorKind};
use levada_server::client::Client;
use levada_server::routes::project::Applied;
use serde_json::json;

use super::{Context, Errors, Outcome, block_on, one};
use crate::cli::FolderArgs;
use crate::folder::Folder;
use crate::output::printable;
use crate::project::nearest_project;
use crate::service;
use crate::vault::Stored;

/// Applies a folder.
pub fn execute(context: &Context, args: &FolderArgs) -> Outcome {
    let document = document(context, args.folder.as_deref())?;
    let folder = Folder::read(&document)?;
    let documents: Vec<_> =
        folder.documents().map(|source| json!({ "path": source.path, "text": source.text })).collect();
    let applied = block_on(async {
        let client = client(context, &document, &folder).await?;
        let applied = client.call("applyProject", json!({ "documents": documents })).await;
        applied.map_err(|errors| folder.relocated(errors))
    })?;
    show(context, &applied);
    Ok(0)
}

/// What applies the documents; nothing is made for such as are not in order.
async fn client(context: &Context, document: &Path, folder: &Folder) -> Result<Client, Errors> {
    if let Some(client) = context.remote()? {
        return Ok(client);
    }
    let places = context.places_of(folder_of(document))?;
    let store = match places.open_existing().await.map_err(one)? {
        Some(store) => store,
        None => {
            folder.check(&Stored::default())?;
            places.open().await.map_err(one)?
        }
    };
    service::client(&places, &store).map_err(one)
}

/// The project's document: of the folder given, else the nearest.
pub fn document(context: &Context, folder: Option<&Path>) -> Result<PathBuf, Errors> {
    let missing = |place: &Path| {
        one(Error::new(ErrorKind::Config, format!("there is no {PROJECT_FILE}"))
            .at(place.display().to_string())
            .advise("Give the folder of a project; `levada init` makes one."))
    };
    if let Some(folder) = folder {
        let file = folder.join(PROJECT_FILE);
        return if file.is_file() { Ok(file) } else { Err(missing(folder)) };
    }
    let found = context.project_file.clone().or_else(|| nearest_project(Path::new(".")));
    found.ok_or_else(|| missing(Path::new(".")))
}

/// The folder that a document lies in.
pub fn folder_of(document: &Path) -> &Path {
    document.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn show(context: &Context, applied: &Applied) {
    if context.output.is_json() {
        context.output.json(&json!({ "documents": applied.documents }));
        return;
    }
    for document in &applied.documents {
        let what = document.pipeline.as_ref().map(|name| format!(", pipeline `{name}`")).unwrap_or_default();
        let version = document.version.map(|version| format!(", version {version}")).unwrap_or_default();
        let (change, path) = (&document.change, printable(&document.path));
        context.output.line(&format!("{change:<9}  {path}{}{version}", printable(&what)));
    }
}
