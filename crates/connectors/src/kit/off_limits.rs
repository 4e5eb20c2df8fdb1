//! Paths of this machine that no connection reaches, because Levada keeps its own things there. Whoever builds the
//! connectors says which; documents change nothing of it.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use levada_core::error::{Error, ErrorKind, Result};

/// Files and folders that connections neither read nor write, nor list what is in them.
#[derive(Debug, Clone, Default)]
pub struct OffLimits {
    own: Arc<[PathBuf]>,
    /// A folder in one of them that is open.
    open: Option<PathBuf>,
}

impl OffLimits {
    /// These paths, which need not be there yet.
    pub fn new(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        Self { own: paths.into_iter().map(|path| real(&path)).collect(), open: None }
    }

    /// All but a folder in one of them, which need not be there yet.
    #[must_use]
    pub fn but(self, folder: &Path) -> Self {
        Self { open: Some(real(folder)), ..self }
    }

    /// Refuses a path that leads there, also by links or `..`.
    ///
    /// # Errors
    /// `Config`, with the path.
    pub fn check(&self, path: &Path) -> Result<()> {
        if self.own.is_empty() || !self.hold(&real(path)) {
            return Ok(());
        }
        let message = "this is where Levada keeps its own: metadata, keys and logs; no connection leads there";
        Err(Error::new(ErrorKind::Config, message)
            .at(path.display().to_string())
            .advise("Give the connection a place outside of Levada's data folder, or move that with `--data`."))
    }

    /// Whether they hold a path that has neither links nor `..`.
    pub fn hold(&self, real: &Path) -> bool {
        let is_open = |own: &PathBuf| {
            self.open.as_ref().is_some_and(|open| open.starts_with(own) && open != own && real.starts_with(open))
        };
        self.own.iter().any(|own| real.starts_with(own) && !is_open(own))
    }
}

/// A path without links and `..`. What does not exist yet is where its nearest existing folder says.
pub fn real(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    if let Ok(real) = absolute.canonicalize() {
        return real;
    }
    let mut real = PathBuf::new();
    for part in absolute.components() {
        match part {
            // what is above the target of a link, and not above the link
            Component::ParentDir => drop(real.pop()),
            part => {
                real.push(part);
                real = real.canonicalize().unwrap_or(real);
            }
        }
    }
    real
}
