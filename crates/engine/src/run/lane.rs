//! What the tasks of one stream share: the queue, the rejects, the figures, and the optional steps between reading and
//! queueing.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use levada_core::batch::Reject;
use levada_core::cast::quoted;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::position::Position;
use levada_core::transform::Transform;

use crate::channel::Channel;
use crate::progress::StreamProgress;
use crate::run::checkpoint::OverlapFilter;
use crate::run::verify::Sent;

/// The most rejected rows that one load carries to the quarantine.
const REJECTS_MAX: usize = 100_000;
/// The most bytes of rejected rows that one load carries to the quarantine.
const REJECT_BYTES_MAX: usize = 32 << 20;

/// Shared by all readers and writers of one stream.
pub struct Lanes {
    /// From readers to writers.
    pub channel: Channel,
    /// Maps columns; `None` on the raw route.
    pub transform: Option<Arc<dyn Transform>>,
    /// Drops rows of the last load; only for incremental appends.
    pub overlap: Option<OverlapFilter>,
    /// Content of what is sent, for `verify: checksum`.
    pub sent: Option<Sent>,
    /// Rows that could not be loaded.
    pub rejects: RejectBin,
    /// Rows that came from the source, rejected ones included.
    pub rows_read: AtomicU64,
    /// Rows the writers have accepted.
    pub rows_written: AtomicU64,
    /// Why the read had to end early, if it did and what was read can be kept.
    pub cut_off: CutOff,
    /// Where the stream stands, if the source learnt it by reading.
    pub position: Mutex<Option<Position>>,
    /// For people.
    pub progress: Arc<StreamProgress>,
}

/// A read that broke, told by the last reader to notice.
pub struct CutOff {
    allowed: bool,
    cause: Mutex<Option<Error>>,
}

impl CutOff {
    /// Whether a load can keep a part of what there is to read.
    pub fn new(allowed: bool) -> Self {
        Self { allowed, cause: Mutex::default() }
    }

    /// Why the read broke, with the position that it reached.
    pub fn take(&self) -> Option<Error> {
        self.cause.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Collects rejected rows, or turns the first into the load's failure.
pub struct RejectBin {
    quarantine: bool,
    rejects: Mutex<(Vec<Reject>, usize)>,
}

impl RejectBin {
    /// A bin that keeps rejects, or fails on the first.
    pub fn new(quarantine: bool) -> Self {
        Self { quarantine, rejects: Mutex::default() }
    }

    /// Adds rejects.
    ///
    /// # Errors
    /// `Data` if the stream has no quarantine, or there are more rejects than it takes.
    pub fn add(&self, rejects: Vec<Reject>) -> Result<()> {
        let Some(first) = rejects.first() else { return Ok(()) };
        if !self.quarantine {
            let column = first.column.as_ref().map(|column| format!("column `{column}`: ")).unwrap_or_default();
            let row = quoted(&first.row.chars().take(400).collect::<String>());
            return Err(Error::new(ErrorKind::Data, format!("{column}{} in row {row}", first.reason)));
        }
        let mut bin = self.rejects.lock().unwrap_or_else(PoisonError::into_inner);
        bin.1 += rejects.iter().map(|reject| reject.row.len() + reject.reason.len()).sum::<usize>();
        bin.0.extend(rejects);
        if bin.0.len() > REJECTS_MAX || bin.1 > REJECT_BYTES_MAX {
            let (rows, mib) = (bin.0.len(), REJECT_BYTES_MAX >> 20);
            return Err(Error::new(
                ErrorKind::Data,
                format!(
                    "{rows} rows were rejected; a load carries at most {REJECTS_MAX} rejects and {mib} MiB of them"
                ),
            )
            .advise("Look at the first rejects with `on_bad_row: fail`, then cast or exclude the column at fault."));
        }
        Ok(())
    }

    /// How many were collected.
    pub fn len(&self) -> u64 {
        self.rejects.lock().unwrap_or_else(PoisonError::into_inner).0.len() as u64
    }

    /// Everything collected.
    pub fn take(&self) -> Vec<Reject> {
        std::mem::take(&mut self.rejects.lock().unwrap_or_else(PoisonError::into_inner).0)
    }
}

impl Lanes {
    /// Counts and keeps rejects.
    ///
    /// # Errors
    /// As for [`RejectBin::add`].
    pub fn reject(&self, rejects: Vec<Reject>) -> Result<()> {
        self.progress.rejected(rejects.len() as u64);
        self.rejects.add(rejects)
    }

    /// Takes the error of a reader for an early end of the read, where it tells how far the read came.
    ///
    /// # Errors
    /// The error, where nothing of the load can be kept.
    pub fn cut_off(&self, error: Error) -> Result<()> {
        if !self.cut_off.allowed || error.position().is_none() {
            return Err(error);
        }
        *self.cut_off.cause.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        Ok(())
    }

    /// Keeps where a reader that has ended says that the stream stands.
    pub fn ended_at(&self, position: Option<Position>) {
        if position.is_some() {
            *self.position.lock().unwrap_or_else(PoisonError::into_inner) = position;
        }
    }

    /// Where the readers say that the stream stands.
    pub fn position(&self) -> Option<Position> {
        self.position.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Rows read so far.
    pub fn rows_read(&self) -> u64 {
        self.rows_read.load(Relaxed)
    }
}
