//! What goes with time: runs beyond the project's retention, and logs and files of runs, on this machine.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use levada_core::config::{File, Project, Retention};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::id::RunId;
use levada_core::time::{Clock, Timestamp};
use levada_store::{Keep, Store};
use tokio_util::sync::CancellationToken;

use super::execute::first;

/// How often it is looked for what can go.
const EVERY: Duration = Duration::from_secs(600);
/// Most transactions that remove runs in one round.
const BATCHES_MAX: usize = 100;
/// The pause between them, in which others write.
const PAUSE: Duration = Duration::from_millis(20);
/// Most folders of one kind removed for their own age in one round.
const FOLDERS_MAX: usize = 1_000;

/// Removes what is kept no longer.
pub struct Keeper {
    store: Store,
    clock: Arc<dyn Clock>,
    data: PathBuf,
}

/// What was removed in one round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Removed {
    /// Runs.
    pub runs: usize,
    /// Folders of logs and files that were too old for themselves.
    pub folders: usize,
}

impl Keeper {
    /// Of a store, and the folder with logs and files of runs.
    pub fn new(store: Store, clock: Arc<dyn Clock>, data: PathBuf) -> Self {
        Self { store, clock, data }
    }

    /// Removes what can go, every ten minutes until it is stopped.
    pub async fn run(&self, stop: CancellationToken) {
        loop {
            let round = tokio::select! {
                () = stop.cancelled() => return,
                round = self.round() => round,
            };
            if let Err(error) = round {
                tracing::warn!("old runs cannot be removed: {error}");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// One round.
    ///
    /// # Errors
    /// Those of the store and of the disk; what was removed before stays removed.
    pub async fn round(&self) -> Result<Removed> {
        let now = self.clock.now();
        let retention = self.retention().await?;
        let mut removed = Removed::default();
        let keep = Keep { age: retention.runs, runs: retention.keep };
        for _ in 0..BATCHES_MAX {
            let runs = self.store.remove_old(keep, now).await?;
            if runs.is_empty() {
                break;
            }
            removed.runs += runs.len();
            let folders = runs.iter().flat_map(|run| [self.folder("logs", *run), self.folder("runs", *run)]).collect();
            blocking(move || remove(folders)).await?;
            tokio::time::sleep(PAUSE).await;
        }
        for (kind, age) in [("logs", retention.logs), ("runs", retention.artifacts)] {
            removed.folders += self.remove_older(kind, now.minus(age)).await?;
        }
        Ok(removed)
    }

    /// What the project says, in its newest version.
    async fn retention(&self) -> Result<Retention> {
        let Some(document) = self.store.current_project().await? else { return Ok(Retention::default()) };
        let file = File::parse(&document.path, &document.text).map_err(first)?;
        Ok(Project::of([&file]).retention)
    }

    /// Removes the folders in which nothing was written since, but for those of runs that were not at their end then.
    async fn remove_older(&self, kind: &str, instant: Timestamp) -> Result<usize> {
        let parent = self.data.join(kind);
        let found = blocking(move || older(&parent, instant)).await?;
        let mut folders = Vec::new();
        for run in found {
            let run_of = self.store.run(run).await?;
            if run_of.is_none_or(|run| run.ended_at.is_some_and(|ended| ended < instant)) {
                folders.push(self.folder(kind, run));
            }
        }
        let count = folders.len();
        blocking(move || remove(folders)).await?;
        Ok(count)
    }

    fn folder(&self, kind: &str, run: RunId) -> PathBuf {
        self.data.join(kind).join(run.to_string())
    }
}

/// Runs with a folder in which no entry was made or removed since an instant.
fn older(parent: &Path, instant: Timestamp) -> Result<Vec<RunId>> {
    let entries = match std::fs::read_dir(parent) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let limit = UNIX_EPOCH + Duration::from_micros(instant.as_micros().max(0).unsigned_abs());
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let Some(run) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let modified = entry.metadata()?.modified()?;
        if modified < limit {
            found.push(RunId(run));
        }
        if found.len() >= FOLDERS_MAX {
            break;
        }
    }
    Ok(found)
}

/// Removes folders with all that is in them; those that are gone already are no error.
fn remove(folders: Vec<PathBuf>) -> Result<()> {
    for folder in folders {
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::from(error).at(folder.display().to_string()));
            }
            _ => {}
        }
    }
    Ok(())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, "the removal of files broke off")))
}
