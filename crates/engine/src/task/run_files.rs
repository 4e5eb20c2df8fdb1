//! The files that lie in the folder of a run, for people who want them: of a task whose patterns chose some, those, else
//! all. Nothing outside of that folder is ever one, wherever a path or a link leads, and nothing that is Levada's own.

use std::fs::Metadata;
use std::path::{Component, Path, PathBuf};

use levada_core::error::{Context as _, Error, ErrorKind, Result};
use levada_core::id::RunId;
use levada_core::time::Timestamp;

use super::artifacts::recorded;
use super::command::OWN_PREFIX;

/// Most files of one run that are listed.
const FILES_MAX: usize = 10_000;
/// Deepest folder that is looked into.
const DEPTH_MAX: usize = 32;

/// A file in the folder of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFile {
    /// Its path from the run's folder on, with `/`; the first part is the task's folder.
    pub path: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was last written.
    pub modified_at: Option<Timestamp>,
    /// The SHA-256 of what the task left, in hexadecimal digits; none where no pattern names it.
    pub sha256: Option<String>,
}

/// Where the files of a run lie in a data folder.
pub fn run_folder(data: &Path, run: RunId) -> PathBuf {
    data.join("runs").join(run.to_string())
}

/// The files that tasks left, in the order of their paths. Blocks.
///
/// # Errors
/// `Io` and `Permission`.
pub fn list(folder: &Path) -> Result<Vec<RunFile>> {
    let mut found = Vec::new();
    if folder.is_dir() {
        walk(folder, "", 0, &mut found)?;
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn walk(folder: &Path, prefix: &str, depth: usize, found: &mut Vec<RunFile>) -> Result<()> {
    if depth == 1
        && let Some(chosen) = recorded(folder)
    {
        for artifact in chosen {
            // what has gone since, or was put in its place, is none
            let Ok((real, _)) = within(folder, &artifact.path) else { continue };
            let Ok(metadata) = std::fs::symlink_metadata(real) else { continue };
            let (path, modified_at) = (format!("{prefix}/{}", artifact.path), modified_at(&metadata));
            found.push(RunFile { path, bytes: metadata.len(), modified_at, sha256: Some(artifact.sha256) });
        }
        return Ok(());
    }
    for entry in std::fs::read_dir(folder).at(prefix)? {
        let entry = entry.at(prefix)?;
        // a name that is no text cannot be asked for
        let Ok(name) = entry.file_name().into_string() else { continue };
        if name.starts_with(OWN_PREFIX) || found.len() >= FILES_MAX {
            continue;
        }
        let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        // of the link itself, not of what it leads to; what goes while it is looked at is not there
        let Ok(metadata) = std::fs::symlink_metadata(entry.path()) else { continue };
        if metadata.is_dir() && depth < DEPTH_MAX {
            walk(&entry.path(), &path, depth + 1, found)?;
        } else if metadata.is_file() {
            let modified_at = modified_at(&metadata);
            found.push(RunFile { path, bytes: metadata.len(), modified_at, sha256: None });
        }
    }
    Ok(())
}

fn modified_at(metadata: &Metadata) -> Option<Timestamp> {
    let since = metadata.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_micros()).ok().map(Timestamp::from_micros)
}

/// Where the file of a path lies, and its size. Blocks.
///
/// # Errors
/// `NotFound` for whatever is no file in the folder, and for what a link leads to.
pub fn find(folder: &Path, path: &str) -> Result<(PathBuf, u64)> {
    let found = within(folder, path)?;
    let (task, name) = path.split_once('/').unwrap_or_default();
    match recorded(&folder.join(task)).filter(|_| !task.is_empty()) {
        Some(chosen) if chosen.iter().all(|artifact| artifact.path != name) => Err(missing(path)),
        _ => Ok(found),
    }
}

fn missing(path: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("the run left no file `{path}`"))
        .advise("List its files; they are removed some time after the run.")
}

/// The file of a path in a folder.
fn within(folder: &Path, path: &str) -> Result<(PathBuf, u64)> {
    let missing = || missing(path);
    let is_plain = |part: Component<'_>| match part {
        Component::Normal(name) => !name.as_encoded_bytes().starts_with(OWN_PREFIX.as_bytes()),
        _ => false,
    };
    if path.is_empty() || path.contains('\0') || !Path::new(path).components().all(is_plain) {
        return Err(missing());
    }
    let root = folder.canonicalize().map_err(|_| missing())?;
    let wanted = root.join(path);
    // a path without links is its own canonical one
    let real = wanted.canonicalize().map_err(|_| missing())?;
    let metadata = std::fs::symlink_metadata(&real).map_err(|_| missing())?;
    if real != wanted || !metadata.is_file() {
        return Err(missing());
    }
    Ok((real, metadata.len()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::task::artifacts::{Artifact, forget, record};

    #[test]
    fn only_files_of_the_folder_are_listed_and_found() {
        let data = tempfile::tempdir().unwrap();
        let folder = run_folder(data.path(), RunId(7));
        std::fs::create_dir_all(folder.join("a/deep")).unwrap();
        std::fs::create_dir_all(run_folder(data.path(), RunId(70))).unwrap();
        std::fs::write(run_folder(data.path(), RunId(70)).join("other"), "x").unwrap();
        std::fs::write(data.path().join("outside"), "secret").unwrap();
        std::fs::write(folder.join("a/deep/b.csv"), "1,2").unwrap();
        std::fs::write(folder.join("a/.levada-7.1"), "own").unwrap();
        std::os::unix::fs::symlink(data.path().join("outside"), folder.join("a/link")).unwrap();
        std::os::unix::fs::symlink(data.path(), folder.join("a/up")).unwrap();
        std::os::unix::fs::symlink("deep/b.csv", folder.join("a/inside")).unwrap();
        let listed: Vec<String> = list(&folder).unwrap().into_iter().map(|file| file.path).collect();
        assert_eq!(listed, ["a/deep/b.csv"]);
        assert_eq!(find(&folder, "a/deep/b.csv").unwrap().1, 3);
        for path in [
            "",
            ".",
            "a",
            "a/deep",
            "../70/other",
            "a/../../70/other",
            "/etc/passwd",
            "a/link",
            "a/up/outside",
            "a/inside",
            "a/.levada-7.1",
            "a/deep/b.csv\0",
            "a//../a/deep/b.csv",
            "none",
        ] {
            assert_eq!(find(&folder, path).unwrap_err().kind(), ErrorKind::NotFound, "{path}");
        }
        assert!(list(&run_folder(data.path(), RunId(8))).unwrap().is_empty());
    }

    #[test]
    fn what_patterns_chose_is_all_there_is_of_a_task() {
        let data = tempfile::tempdir().unwrap();
        let folder = run_folder(data.path(), RunId(7));
        for file in ["a/deep/b.csv", "a/scratch.tmp", "b/all.txt"] {
            std::fs::create_dir_all(folder.join(file).parent().unwrap()).unwrap();
            std::fs::write(folder.join(file), "1,2").unwrap();
        }
        std::os::unix::fs::symlink("scratch.tmp", folder.join("a/link")).unwrap();
        let artifact = |path: &str| Artifact { path: path.to_owned(), size: 3, sha256: "00".to_owned() };
        record(&folder.join("a"), &["deep/b.csv", "gone", "link", "../b/all.txt"].map(artifact)).unwrap();
        let listed: Vec<_> = list(&folder).unwrap().into_iter().map(|file| (file.path, file.sha256)).collect();
        assert_eq!(listed, [("a/deep/b.csv".to_owned(), Some("00".to_owned())), ("b/all.txt".to_owned(), None)]);
        assert!(find(&folder, "a/deep/b.csv").is_ok() && find(&folder, "b/all.txt").is_ok());
        for path in ["a/scratch.tmp", "a/gone", "a/link", "a/.levada-artifacts.json"] {
            assert_eq!(find(&folder, path).unwrap_err().kind(), ErrorKind::NotFound, "{path}");
        }
        forget(&folder.join("a"));
        assert!(find(&folder, "a/scratch.tmp").is_ok(), "without a record everything can be had");
    }
}
