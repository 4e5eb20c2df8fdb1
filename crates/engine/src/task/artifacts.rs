//! The files a task leaves in its run's folder. Nothing outside of that folder is ever one, wherever a link leads. Which
//! files the patterns of a task chose is recorded beside them, with what they were like.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Component, Path};

use levada_core::error::{Context as _, Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Most files of one task.
const FILES_MAX: usize = 10_000;
/// The file in a task's folder that holds the record.
const RECORD: &str = ".levada-artifacts.json";
/// The same while it is written.
const RECORD_ASIDE: &str = ".levada-artifacts.new";

/// A file that a task left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    let (mut sum, mut size, mut buffer) = (Checksum::default(), 0, vec![0; 64 * 1024]);
    loop {
        let read = file.read(&mut buffer).at(&name)?;
        if read == 0 {
            break;
        }
        sum.update(&buffer[..read]);
        size += read as u64;
    }
    Ok(Some(Artifact { path: name, size, sha256: sum.finish() }))
}

/// Records what the patterns of a task chose in its folder. Blocks.
pub(super) fn record(run_dir: &Path, artifacts: &[Artifact]) -> Result<()> {
    let (aside, place) = (run_dir.join(RECORD_ASIDE), run_dir.join(RECORD));
    // a program that left nothing may have taken its folder away
    let text = serde_json::to_vec(artifacts).unwrap_or_default();
    let written = fs::create_dir_all(run_dir).and_then(|()| fs::write(&aside, text));
    written.and_then(|()| fs::rename(&aside, &place)).at(place.display().to_string())
}

/// Forgets what an attempt before recorded.
pub(super) fn forget(run_dir: &Path) {
    let _ = fs::remove_file(run_dir.join(RECORD));
}

/// What the patterns of a task chose in its folder; none for a task without patterns, or one that has not succeeded.
pub(super) fn recorded(run_dir: &Path) -> Option<Vec<Artifact>> {
    serde_json::from_slice(&fs::read(run_dir.join(RECORD)).ok()?).ok()
}

/// The SHA-256 of bytes that come in pieces.
#[derive(Debug, Default)]
pub struct Checksum(Sha256);

impl Checksum {
    /// Takes the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The sum, in hexadecimal digits.
    pub fn finish(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn outside(path: &str) -> Error {
    Error::new(ErrorKind::Refused, format!("`{path}` leads out of the run's folder"))
        .advise("Copy the file into the folder named by LEVADA_RUN_DIR, and list it by its path in there.")
}
