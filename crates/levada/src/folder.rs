//! The documents in a project's folder: found, read, checked together, and as the metadata store is to have them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use levada_core::config::{self, Variables};
use levada_core::error::{Context as _, Error, Result};
use levada_server::project::{PIPELINES_DIR, Source, compile};
use levada_store::NewProject;

use crate::project::{self, env};
use crate::vault::Stored;
use crate::wiring;

/// How deep folders of pipelines are looked into.
const DEPTH_MAX: usize = 16;

/// The documents of a project as they lie in its folder.
pub struct Folder {
    /// The project's own document.
    pub project: Source,
    /// Those of its pipelines, in order of their paths.
    pub pipelines: Vec<Source>,
}

impl Folder {
    /// Reads the folder that a project's document lies in.
    pub fn read(document: &Path) -> Result<Self, Vec<Error>> {
        let root = document.parent().unwrap_or(Path::new(""));
        let name = document.file_name().unwrap_or_default();
        let project = read(root, Path::new(name))?;
        let mut paths = Vec::new();
        find(root, Path::new(PIPELINES_DIR), 0, &mut paths).map_err(|error| vec![error])?;
        paths.sort();
        let (mut pipelines, mut errors) = (Vec::new(), Vec::new());
        for path in paths {
            match read(root, &path) {
                Ok(source) => pipelines.push(source),
                Err(found) => errors.extend(found),
            }
        }
        if errors.is_empty() { Ok(Self { project, pipelines }) } else { Err(errors) }
    }

    /// Names of secrets that the documents mention.
    pub fn mentioned(&self) -> BTreeSet<String> {
        let texts = std::iter::once(&self.project).chain(&self.pipelines).map(|source| &source.text);
        texts.flat_map(|text| config::secret_names(text)).map(str::to_owned).collect()
    }

    /// What the store is to have, if nothing is wrong with any of it.
    ///
    /// # Errors
    /// Every mistake in every document, with file, line and column.
    pub fn check(self, stored: &Stored) -> Result<NewProject, Vec<Error>> {
        let secret = |name: &str| stored.get(name);
        let variables = Variables { env: &env, secret: &secret, params: BTreeMap::new(), runtime: None };
        compile(&wiring::registry(), &variables, self.project, self.pipelines)
    }
}

/// Reads a document of a project.
fn read(root: &Path, path: &Path) -> Result<Source, Vec<Error>> {
    let place = root.join(path);
    let text = project::read_text(&place)?;
    let parts: Vec<_> = path.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    Ok(Source { path: parts.join("/"), shown: place.display().to_string(), text })
}

/// The documents below a folder of a project; hidden ones are none.
fn find(root: &Path, folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<()> {
    let place = root.join(folder);
    let entries = match std::fs::read_dir(&place) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && depth == 0 => return Ok(()),
        Err(error) => return Err(Error::from(error).at(place.display().to_string())),
    };
    for entry in entries {
        let name = entry.at(place.display().to_string())?.file_name();
        let path = folder.join(&name);
        if name.to_string_lossy().starts_with('.') {
            continue;
        }
        if root.join(&path).is_dir() {
            if depth < DEPTH_MAX {
                find(root, &path, depth + 1, found)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            found.push(path);
        }
    }
    Ok(())
}
