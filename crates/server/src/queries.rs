//! Queries that people ask: how many at once, what each of them may take, and a folder of its own for what one does not keep
//! in memory.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use levada_core::error::{Error, ErrorKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::Problem;

/// The folder in the data folder where queries keep what does not fit into memory.
const FOLDER: &str = "queries";
/// How long somebody waits for others to end before they are refused: one that was just cancelled takes a moment.
const PATIENCE: Duration = Duration::from_secs(2);

/// What queries may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryLimits {
    /// Queries at once; more are refused.
    pub at_once: usize,
    /// How long one may take.
    pub time_max: Duration,
    /// Bytes of memory of one; what does not fit goes to the disk.
    pub memory_bytes: u64,
    /// Rows of an answer.
    pub rows_max: usize,
    /// Bytes of the values of an answer.
    pub bytes_max: usize,
    /// Rows of a file.
    pub file_rows_max: u64,
    /// Bytes of a file.
    pub file_bytes_max: u64,
}

impl Default for QueryLimits {
    fn default() -> Self {
        Self {
            at_once: 4,
            time_max: Duration::from_secs(120),
            memory_bytes: 128 << 20,
            rows_max: 10_000,
            bytes_max: 8 << 20,
            file_rows_max: 5_000_000,
            file_bytes_max: 1 << 30,
        }
    }
}

/// What queries may take, as it is told.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "QueryLimits")]
pub struct Told {
    /// Queries at once; more are refused.
    pub at_once: usize,
    /// Seconds that one may take.
    pub time_max_s: u64,
    /// Bytes of memory of one; what does not fit goes to the disk.
    pub memory_bytes: u64,
    /// Rows of an answer at most.
    pub rows_max: usize,
    /// Bytes of the values of an answer at most.
    pub bytes_max: usize,
    /// Characters of one value at most.
    pub value_chars_max: usize,
    /// Rows of a file at most.
    pub file_rows_max: u64,
    /// Bytes of a file at most.
    pub file_bytes_max: u64,
}

/// The places for queries.
pub(crate) struct Queries {
    slots: Arc<Semaphore>,
    at_once: usize,
}

/// A place for one query. The folder is gone with it.
pub(crate) struct Room {
    /// A folder of its own; it may have to be made.
    pub folder: PathBuf,
    _slot: OwnedSemaphorePermit,
}

impl Queries {
    pub fn new(at_once: usize) -> Self {
        Self { slots: Arc::new(Semaphore::new(at_once)), at_once }
    }

    /// A place for one more.
    ///
    /// # Errors
    /// `Busy` where there is none.
    pub async fn room(&self, data_dir: &Path, time_max: Duration) -> Result<Room, Problem> {
        let slot = tokio::time::timeout(PATIENCE, self.slots.clone().acquire_owned()).await;
        let Ok(Ok(slot)) = slot else {
            let message = format!("as many queries are at work as may be at once: {}", self.at_once);
            return Err(Error::new(ErrorKind::Busy, message).advise("Try again when one has ended.").into());
        };
        let all = data_dir.join(FOLDER);
        sweep(&all, time_max);
        Ok(Room { folder: all.join(uuid::Uuid::new_v4().simple().to_string()), _slot: slot })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Removes what a process left that was killed: folders that are older than any query gets.
fn sweep(all: &Path, time_max: Duration) {
    let grace = time_max.saturating_mul(2).saturating_add(Duration::from_secs(3600));
    for entry in std::fs::read_dir(all).into_iter().flatten().flatten() {
        let made = entry.metadata().and_then(|found| found.modified());
        let age = made.ok().and_then(|made| SystemTime::now().duration_since(made).ok());
        if age.is_some_and(|age| age > grace) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn a_place_comes_free_with_its_folder() {
        let data = tempfile::tempdir().unwrap();
        let queries = Queries::new(1);
        let room = queries.room(data.path(), Duration::ZERO).await.unwrap();
        std::fs::create_dir_all(room.folder.join("deep")).unwrap();
        let refused = queries.room(data.path(), Duration::ZERO).await.err().unwrap();
        assert_eq!(refused.status(), 503);
        let folder = room.folder.clone();
        drop(room);
        assert!(!folder.exists());
        queries.room(data.path(), Duration::ZERO).await.unwrap();
    }

    #[test]
    fn what_a_dead_process_left_goes_and_nothing_else() {
        let data = tempfile::tempdir().unwrap();
        for (name, age) in [("old", 7_300), ("new", 3_500)] {
            let folder = data.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join("spilled"), "x").unwrap();
            let then = SystemTime::now() - Duration::from_secs(age);
            std::fs::File::open(&folder).unwrap().set_modified(then).unwrap();
        }
        sweep(data.path(), Duration::from_secs(60));
        assert_eq!((data.path().join("old").exists(), data.path().join("new").exists()), (false, true));
    }
}
