//! How much the store and the data folder take on disk. Measured now and then, for a folder of many files takes a while;
//! whoever asks is told the last figures.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::App;

/// How long figures are good.
const GOOD_FOR: Duration = Duration::from_secs(60);

/// What was measured last.
#[derive(Default)]
pub(crate) struct Storage {
    last: Mutex<Last>,
}

#[derive(Default)]
struct Last {
    size: Size,
    /// When the measurement began that is under way, or was the last.
    begun: Option<Instant>,
}

/// Bytes on disk; none before they were measured for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Size {
    /// Of the store.
    pub store: Option<u64>,
    /// Of the folder with logs and the files of runs.
    pub data: Option<u64>,
}

/// The figures, which are measured again if they are old.
pub(crate) fn size(app: &App) -> Size {
    let mut last = app.storage.last.lock().unwrap_or_else(PoisonError::into_inner);
    if last.begun.is_none_or(|begun| begun.elapsed() > GOOD_FOR) {
        last.begun = Some(Instant::now());
        tokio::spawn(measure(app.clone()));
    }
    last.size
}

async fn measure(app: App) {
    let folder = app.data_dir.clone();
    let data = tokio::task::spawn_blocking(move || bytes_below(&folder)).await.ok();
    let store = app.store.bytes().await.ok();
    app.storage.last.lock().unwrap_or_else(PoisonError::into_inner).size = Size { store, data };
}

/// The bytes of all files below a folder. What cannot be read, or goes meanwhile, counts nothing.
fn bytes_below(folder: &Path) -> u64 {
    let (mut bytes, mut folders) = (0, vec![PathBuf::from(folder)]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => folders.push(entry.path()),
                Ok(metadata) => bytes += metadata.len(),
                Err(_) => {}
            }
        }
    }
    bytes
}
