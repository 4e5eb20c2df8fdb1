//! `levada apply`: the documents of a folder become those of the project, all or none of them.

use std::path::{Path, PathBuf};

use levada_core::config::PROJECT_FILE;
use levada_core::error::{Error, ErrorKind};
use levada_store::Applied;
use serde_json::json;

use super::{Context, Errors, Outcome, block_on, one};
use crate::cli::FolderArgs;
use crate::folder::Folder;
use crate::output::printable;
use crate::project::nearest_project;
use crate::service;

/// Applies a folder.
pub fn execute(context: &Context, args: &FolderArgs) -> Outcome {
    let document = document(context, args.folder.as_deref())?;
    let folder = Folder::read(&document)?;
    let places = context.places_of(folder_of(&document))?;
    let stored = context.stored(places.clone(), &folder.mentioned())?;
    let project = folder.check(&stored)?;
    let mut paths: Vec<(String, Option<String>)> = vec![(project.document.path.clone(), None)];
    paths.extend(project.pipelines.iter().map(|(new, _)| (new.path.clone(), Some(new.name.clone()))));
    let applied = block_on(async {
        let store = places.open().await.map_err(one)?;
        store.apply(project, service::now()).await.map_err(one)
    })?;
    show(context, &paths, &applied);
    Ok(0)
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

fn show(context: &Context, paths: &[(String, Option<String>)], applied: &Applied) {
    let changes = std::iter::once(&applied.document).chain(&applied.pipelines);
    let changes = paths.iter().zip(changes).map(|((path, name), (change, kept))| (path, name, *change, kept.version));
    if context.output.is_json() {
        let documents: Vec<_> = changes
            .map(|(path, name, change, version)| {
                json!({ "path": path, "pipeline": name, "change": change.name(), "version": version })
            })
            .chain(applied.removed.iter().map(|(name, path)| {
                json!({ "path": path, "pipeline": name, "change": "removed", "version": null })
            }))
            .collect();
        context.output.json(&json!({ "documents": documents }));
        return;
    }
    for (path, name, change, version) in changes {
        let what = name.as_ref().map(|name| format!(", pipeline `{name}`")).unwrap_or_default();
        context.output.line(&format!(
            "{:<9}  {}{}, version {version}",
            change.name(),
            printable(path),
            printable(&what)
        ));
    }
    for (name, path) in &applied.removed {
        context.output.line(&format!("removed    {}, pipeline `{}`", printable(path), printable(name)));
    }
}
