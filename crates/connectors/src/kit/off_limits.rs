//! Paths of this machine that no connection reaches, because Levada keeps its own things there. Whoever builds the
//! connectors says which; documents change nothing of it.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use levada_core::error::{Error, ErrorKind, Result};

/// Files and folders that connections neither read nor write, nor list what is in them.
#[derive(Debug, Clone, Default)]
pub struct OffLimits(Arc<[PathBuf]>);

impl OffLimits {
    /// These paths, which need not be there yet.
    pub fn new(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        Self(paths.into_iter().map(|path| real(&path)).collect())
    }

    /// Refuses a path that leads there, also by links or `..`.
    ///
    /// # Errors
    /// `Config`, with the path.
    pub fn check(&self, path: &Path) -> Result<()> {
        if self.0.is_empty() || !self.hold(&real(path)) {
            return Ok(());
        }
        let message = "this is where Levada keeps its own: metadata, keys and logs; no connection leads there";
        Err(Error::new(ErrorKind::Config, message)
            .at(path.display().to_string())
            .advise("Give the connection a place outside of Levada's data folder, or move that with `--data`."))
    }

    /// Whether they hold a path that has neither links nor `..`.
    pub fn hold(&self, real: &Path) -> bool {
        self.0.iter().any(|own| real.starts_with(own))
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
