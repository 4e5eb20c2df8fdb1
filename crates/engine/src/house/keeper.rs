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
/// The same where somebody waits for the end of it.
const FOLDERS_AT_ONCE: usize = 100;
/// How long nothing was written into the folder of a run that the store has no more, before it goes.
const REMOVED: Duration = Duration::from_secs(24 * 3_600);

/// Removes what is kept no longer.
pub struct Keeper {
    store: Store,
    clock: Arc<dyn Clock>,
    data: PathBuf,
    removes_runs: bool,
    /// What is kept where no project was applied.
    unless_applied: Retention,
}

/// What was removed in one round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Removed {
    /// Runs.
    pub runs: usize,
    /// Folders of logs and files that were too old for themselves, or whose runs others removed.
    pub folders: usize,
}

impl Keeper {
    /// Of a store, and the folder with logs and files of runs.
    pub fn new(store: Store, clock: Arc<dyn Clock>, data: PathBuf) -> Self {
        Self { store, clock, data, removes_runs: true, unless_applied: Retention::default() }
    }

    /// Leaves the runs in the store to others, and cleans the folder only.
    #[must_use]
    pub fn of_folder(self) -> Self {
        Self { removes_runs: false, ..self }
    }

    /// What is kept where no project was applied, which else says it.
    #[must_use]
    pub fn unless_applied(self, retention: Retention) -> Self {
        Self { unless_applied: retention, ..self }
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
        if self.removes_runs {
            removed.runs = self.remove_runs(&retention, now, BATCHES_MAX).await?;
        }
        removed.folders = self.remove_folders(&retention, now, FOLDERS_MAX).await?;
        for kind in ["logs", "runs"] {
            removed.folders += self.remove_after_runs(kind, now.minus(REMOVED)).await?;
        }
        Ok(removed)
    }

    /// A round for a process that is about to end: a part of what can go, and nothing is written if that is nothing.
    ///
    /// # Errors
    /// Those of the store and of the disk; what was removed before stays removed.
    pub async fn short_round(&self) -> Result<Removed> {
        let now = self.clock.now();
        let retention = self.retention().await?;
        let mut removed = Removed::default();
        if self.store.has_old(keep(&retention), now).await? {
            removed.runs = self.remove_runs(&retention, now, 1).await?;
        }
        removed.folders = self.remove_folders(&retention, now, FOLDERS_AT_ONCE).await?;
        Ok(removed)
    }

    async fn remove_runs(&self, retention: &Retention, now: Timestamp, batches: usize) -> Result<usize> {
        let mut removed = 0;
        for batch in 0..batches {
            if batch > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            let runs = self.store.remove_old(keep(retention), now).await?;
            if runs.is_empty() {
                break;
            }
            removed += runs.len();
            let folders = runs.iter().flat_map(|run| [self.folder("logs", *run), self.folder("runs", *run)]).collect();
            blocking(move || remove(folders)).await?;
        }
        Ok(removed)
    }

    async fn remove_folders(&self, retention: &Retention, now: Timestamp, most: usize) -> Result<usize> {
        let logs = self.remove_older("logs", now.minus(retention.logs), most).await?;
        Ok(logs + self.remove_older("runs", now.minus(retention.artifacts), most).await?)
    }

    /// What the project says, in its newest version.
    async fn retention(&self) -> Result<Retention> {
        let Some(document) = self.store.current_project().await? else { return Ok(self.unless_applied) };
        let file = File::parse(&document.path, &document.text).map_err(first)?;
        Ok(Project::of([&file]).retention)
    }

    /// Removes the folders in which nothing was written since, but for those of runs that were not at their end then.
    async fn remove_older(&self, kind: &str, instant: Timestamp, most: usize) -> Result<usize> {
        let parent = self.data.join(kind);
        let found = blocking(move || older(&parent, instant, most)).await?;
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

    /// Removes the folders of runs that others have removed from the store.
    async fn remove_after_runs(&self, kind: &str, instant: Timestamp) -> Result<usize> {
        let parent = self.data.join(kind);
        let found = blocking(move || older(&parent, instant, usize::MAX)).await?;
        let removed = self.store.removed_runs(found).await?.into_iter().take(FOLDERS_MAX);
        let folders: Vec<PathBuf> = removed.map(|run| self.folder(kind, run)).collect();
        let count = folders.len();
        blocking(move || remove(folders)).await?;
        Ok(count)
    }

    fn folder(&self, kind: &str, run: RunId) -> PathBuf {
        self.data.join(kind).join(run.to_string())
    }
}

/// What the store is to keep.
fn keep(retention: &Retention) -> Keep {
    Keep { age: retention.runs, runs: retention.keep }
}

/// Runs with a folder in which no entry was made or removed since an instant, so many at most.
fn older(parent: &Path, instant: Timestamp, most: usize) -> Result<Vec<RunId>> {
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
        if found.len() >= most {
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
