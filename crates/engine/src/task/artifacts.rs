//! The files a task leaves in its run's folder. Nothing outside of that folder is ever one, wherever a link leads.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Component, Path};

use levada_core::error::{Context as _, Error, ErrorKind, Result};
use sha2::{Digest as _, Sha256};

/// Most files of one task.
const FILES_MAX: usize = 10_000;

/// A file that a task left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Its path in the run's folder.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// The SHA-256 of its contents, in hexadecimal digits.
    pub sha256: String,
}

/// Finds the files that paths and wildcards name, in the order of their paths. Reads them all, so it blocks.
///
/// # Errors
/// `Refused` for what lies outside of the folder, `Config` for a bad wildcard or too many files, `Io` and `Permission`.
pub(super) fn collect(run_dir: &Path, patterns: &[String]) -> Result<Vec<Artifact>> {
    let mut artifacts = Vec::new();
    let Ok(root) = run_dir.canonicalize() else { return Ok(artifacts) };
    let folder = glob::Pattern::escape(&root.display().to_string());
    for pattern in patterns {
        let inside =
            Path::new(pattern).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !inside || pattern.is_empty() {
            return Err(outside(pattern));
        }
        let found = glob::glob(&format!("{folder}/{pattern}")).map_err(|error| {
            Error::new(ErrorKind::Config, format!("`{pattern}` is not a wildcard: {}", error.msg))
                .advise("Write `*` for any part of a name and `**` for any folders.")
        })?;
        for path in found {
            let path = path.map_err(|error| Error::from(io::Error::from(error.error().kind())).at(pattern))?;
            artifacts.extend(read(&root, &path)?);
            if artifacts.len() > FILES_MAX {
                return Err(Error::new(ErrorKind::Config, format!("`{pattern}` names more than {FILES_MAX} files"))
                    .advise("Put them into one archive."));
            }
        }
    }
    artifacts.sort_by(|a, b| a.path.cmp(&b.path));
    artifacts.dedup();
    Ok(artifacts)
}

/// `None` for what is no file, and for Levada's own.
fn read(root: &Path, path: &Path) -> Result<Option<Artifact>> {
    let relative = path.strip_prefix(root).unwrap_or(path);
    let name = relative.display().to_string();
    if relative
        .components()
        .any(|part| part.as_os_str().as_encoded_bytes().starts_with(super::command::OWN_PREFIX.as_bytes()))
    {
        return Ok(None);
    }
    let real = path.canonicalize().at(&name)?;
    if !real.starts_with(root) {
        return Err(outside(&name));
    }
    if !real.metadata().at(&name)?.is_file() {
        return Ok(None);
    }
    let mut file = File::open(&real).at(&name)?;
    let (mut hash, mut size, mut buffer) = (Sha256::new(), 0, vec![0; 64 * 1024]);
    loop {
        let read = file.read(&mut buffer).at(&name)?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
        size += read as u64;
    }
    let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Some(Artifact { path: name, size, sha256 }))
}

fn outside(path: &str) -> Error {
    Error::new(ErrorKind::Refused, format!("`{path}` leads out of the run's folder"))
        .advise("Copy the file into the folder named by LEVADA_RUN_DIR, and list it by its path in there.")
}
