//! The documents in a project's folder: found, read, checked together, and as the metadata store is to have them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use levada_connectors::OffLimits;
use levada_core::config::{Commands, PROJECT_FILE, Variables, secret_names};
use levada_core::error::{Context as _, Error, Result};
use levada_server::project::{PIPELINES_DIR, Source, compile};

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
        // whatever the file is called here
        let project = Source { path: PROJECT_FILE.to_owned(), ..read(root, Path::new(name))? };
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

    /// All documents, the project's own first.
    pub fn documents(&self) -> impl Iterator<Item = &Source> {
        std::iter::once(&self.project).chain(&self.pipelines)
    }

    /// Names of secrets that the documents mention.
    pub fn secrets(&self) -> BTreeSet<String> {
        self.documents().flat_map(|source| secret_names(&source.text)).map(str::to_owned).collect()
    }

    /// Refuses what is wrong with any of it, or with all of it together.
    ///
    /// # Errors
    /// Every mistake in every document, with file, line and column.
    pub fn check(&self, stored: &Stored) -> Result<(), Vec<Error>> {
        // nothing is opened
        let secret = |name: &str| stored.get(name);
        let variables = Variables { env: &env, secret: &secret, params: BTreeMap::new(), runtime: None };
        let registry = wiring::registry(&OffLimits::default());
        // what the process allows of commands is asked where they are applied to
        let commands = |_: &str| Commands::Enabled;
        compile(&registry, &variables, &commands, self.project.clone(), self.pipelines.clone()).map(drop)
    }

    /// Errors that name documents by their place in the project, as they are called here.
    pub fn relocated(&self, errors: Vec<Error>) -> Vec<Error> {
        let shown = |place: &String| {
            let found = self.documents().find_map(|source| {
                let rest = place.strip_prefix(&source.path)?;
                (rest.is_empty() || rest.starts_with(':')).then(|| format!("{}{rest}", source.shown))
            });
            found.unwrap_or_else(|| place.clone())
        };
        let relocated = |error: Error| {
            let bare = Error::new(error.kind(), error.message()).advise(error.advice());
            error.place().iter().rev().fold(bare, |error_at, place| error_at.at(shown(place)))
        };
        errors.into_iter().map(relocated).collect()
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
