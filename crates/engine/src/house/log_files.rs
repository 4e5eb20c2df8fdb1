//! Where the logs of attempts lie in a data folder, and which attempt one is of.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use levada_core::error::{Context as _, Result};
use levada_core::id::RunId;

/// A log of a run that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFile {
    /// The task, as its [`file_name`].
    pub task: String,
    /// Which item of it, from 0.
    pub item: Option<u32>,
    /// Which attempt.
    pub attempt: u32,
    /// Where it is.
    pub path: PathBuf,
    /// When it was written to last.
    pub written_at: SystemTime,
}

/// Where the log of an attempt lies in a data folder.
pub fn log_path(data: &Path, run: RunId, task: &str, item: Option<usize>, attempt: u32) -> PathBuf {
    folder(data, run).join(format!("{}.{attempt}.log", file_name(task, item)))
}

/// The logs of a run in a data folder; none if it has no folder.
///
/// # Errors
/// `Io` or `Permission`, at the folder's path.
pub fn logs_of(data: &Path, run: RunId) -> Result<Vec<LogFile>> {
    let folder = folder(data, run);
    let found = || -> std::io::Result<Vec<LogFile>> {
        let mut logs = Vec::new();
        let entries = match std::fs::read_dir(&folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(logs),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let Some((task, item, attempt)) = entry.file_name().to_str().and_then(attempt_of) else { continue };
            // what was removed meanwhile is no log any more
            let Ok(written_at) = entry.metadata().and_then(|about| about.modified()) else { continue };
            logs.push(LogFile { task, item, attempt, path: entry.path(), written_at });
        }
        Ok(logs)
    };
    found().at(folder.display().to_string())
}

fn folder(data: &Path, run: RunId) -> PathBuf {
    data.join("logs").join(run.to_string())
}

/// The name of a task, or of an item of it, as the name of a file: what may be in none is `_`.
pub fn file_name(task: &str, item: Option<usize>) -> String {
    let task = task.chars().map(|c| if c.is_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' });
    task.chain(item.map(|item| format!(".{item}")).unwrap_or_default().chars()).collect()
}

/// The task, the item and the attempt that the name of a log tells.
fn attempt_of(name: &str) -> Option<(String, Option<u32>, u32)> {
    let (name, attempt) = name.strip_suffix(".log")?.rsplit_once('.')?;
    let attempt = attempt.parse().ok()?;
    match name.rsplit_once('.') {
        Some((task, item)) => Some((task.to_owned(), Some(item.parse().ok()?), attempt)),
        None => Some((name.to_owned(), None, attempt)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_log_tells_what_it_is_of() {
        let data = Path::new("/data");
        for (task, item, attempt) in [("load", None, 1), ("load_2", Some(7), 12), ("größe-x", Some(0), 3)] {
            let path = log_path(data, RunId(5), task, item, attempt);
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let item = item.and_then(|item| u32::try_from(item).ok());
            assert_eq!(attempt_of(name), Some((task.to_owned(), item, attempt)), "{name}");
        }
        for other in ["load.1.log.idx", "load.log", "load.x.log", "a.b.1.log", ""] {
            assert_eq!(attempt_of(other), None, "{other}");
        }
    }
}
