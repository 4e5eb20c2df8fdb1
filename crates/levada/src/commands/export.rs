//! `levada export`: the applied documents as the files they came from, byte for byte.

use std::path::{Component, Path, PathBuf};

use levada_core::error::{Context as _, Error, ErrorKind, Result};
use levada_server::routes::project::Documents;
use serde_json::json;

use super::{Context, Outcome, apply, block_on, diff, one};
use crate::cli::ExportArgs;
use crate::output::printable;

/// Writes the documents. A file with another text is only overwritten by force.
pub fn execute(context: &Context, args: &ExportArgs) -> Outcome {
    let folder = match &args.folder {
        Some(folder) => folder.clone(),
        None => apply::folder_of(&apply::document(context, None)?).to_path_buf(),
    };
    let project: Documents = block_on(async { context.client().await?.call("getProject", json!({})).await })?;
    if project.documents.is_empty() {
        return Err(one(Error::new(ErrorKind::NotFound, "nothing was applied yet").advise("`levada apply` does it.")));
    }
    let (mut files, mut errors) = (Vec::new(), Vec::new());
    for (path, document) in diff::by_path(project) {
        match state_of(&folder, &path, &document.text, args.force) {
            Ok((file, is_same)) => files.push((path, file, document.text, is_same)),
            Err(error) => errors.push(error),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    for (_, file, text, _) in files.iter().filter(|(.., is_same)| !is_same) {
        write(file, text).at(file.display().to_string()).map_err(one)?;
    }
    let told = files.iter().map(|(path, .., is_same)| (path, if *is_same { "unchanged" } else { "written" }));
    if context.output.is_json() {
        let files: Vec<_> = told.map(|(path, state)| json!({ "path": path, "state": state })).collect();
        context.output.json(&json!({ "files": files }));
        return Ok(0);
    }
    told.for_each(|(path, state)| context.output.line(&format!("{state:<9}  {}", printable(path))));
    Ok(0)
}

/// Where a document goes, and whether it is there already.
fn state_of(folder: &Path, path: &str, text: &str, force: bool) -> Result<(PathBuf, bool)> {
    let is_inside = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    if !is_inside || path.is_empty() {
        return Err(Error::new(ErrorKind::Refused, "the path of a document leads out of the folder").at(path));
    }
    let file = folder.join(path);
    match std::fs::read(&file) {
        Ok(bytes) if bytes == text.as_bytes() => Ok((file, true)),
        Ok(_) if force => Ok((file, false)),
        Ok(_) => Err(Error::new(ErrorKind::Refused, "the file is not what was applied")
            .at(file.display().to_string())
            .advise("See `levada diff`; `--force` overwrites it.")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok((file, false)),
        Err(error) => Err(Error::from(error).at(file.display().to_string())),
    }
}

/// A file is there whole or as it was, also on a full disk.
fn write(file: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let aside = file.with_extension("levada-export");
    let written = std::fs::write(&aside, text).and_then(|()| std::fs::rename(&aside, file));
    if written.is_err() {
        let _ = std::fs::remove_file(&aside);
    }
    written
}
