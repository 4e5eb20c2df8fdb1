//! How far the syncs of a worker are, as everybody is told: the figures of a sync at a moment, with how fast it goes since
//! the moment before.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use levada_core::id::TaskRunId;
use levada_store::{Claim, NewProgress};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::progress::{Bound, Phase, Progress, StreamSnapshot};

/// Streams that are told one by one; of more, only the sums.
const STREAMS_MAX: usize = 100;

/// How far a sync is, all its streams together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sums {
    /// Rows read so far.
    pub rows_read: u64,
    /// Bytes read so far, as they lie in memory.
    pub bytes_read: u64,
    /// Bytes of rows that are on their way: read, and not yet written.
    #[serde(default)]
    pub bytes_held: u64,
    /// Rows that the destination took so far.
    pub rows_written: u64,
    /// Rows rejected so far.
    pub rows_rejected: u64,
    /// Rows read each second, over the last two seconds or so.
    pub rows_per_second: u64,
    /// Bytes read each second, over the same time.
    pub bytes_per_second: u64,
    /// What holds it back.
    pub bound: Bound,
}

/// How far a sync is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SyncProgress {
    /// All its streams together.
    #[serde(flatten)]
    pub sums: Sums,
    /// Streams that have started.
    pub streams_total: u64,
    /// Streams that have ended.
    pub streams_ended: u64,
    /// Its streams, those that are at work first; the first 100.
    pub streams: Vec<StreamFigures>,
}

/// How far a stream is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StreamFigures {
    /// Its figures.
    #[serde(flatten)]
    pub now: StreamSnapshot,
    /// Rows read each second, over the last two seconds or so.
    pub rows_per_second: u64,
}

/// The syncs that a worker carries out.
#[derive(Default)]
pub(super) struct Moving {
    syncs: Mutex<BTreeMap<TaskRunId, Moves>>,
}

/// One of them.
struct Moves {
    claim: Claim,
    progress: Arc<Progress>,
    before: Before,
}

/// What was seen of a sync when it was looked at last: rows and bytes by the place of the stream.
struct Before {
    at: Instant,
    read: Vec<(u64, u64)>,
}

/// Keeps a sync among those that are told of.
pub(super) struct Shown<'a> {
    moving: &'a Moving,
    task_run: TaskRunId,
}

impl Moving {
    /// Tells of a sync from now on.
    pub(super) fn show(&self, claim: &Claim, progress: Arc<Progress>) -> Shown<'_> {
        let before = Before { at: Instant::now(), read: Vec::new() };
        let moves = Moves { claim: claim.clone(), progress, before };
        self.syncs.lock().unwrap_or_else(PoisonError::into_inner).insert(claim.task_run, moves);
        Shown { moving: self, task_run: claim.task_run }
    }

    /// How far all of them are.
    pub(super) fn look(&self) -> Vec<NewProgress> {
        let mut syncs = self.syncs.lock().unwrap_or_else(PoisonError::into_inner);
        syncs.values_mut().filter_map(Moves::look).collect()
    }
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        self.moving.syncs.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.task_run);
    }
}

impl Moves {
    fn look(&mut self) -> Option<NewProgress> {
        let (now, streams) = (Instant::now(), self.progress.snapshot());
        let figures = figures(&streams, &self.before.read, now.duration_since(self.before.at).as_secs_f64());
        let read = streams.iter().map(|stream| (stream.rows_read, stream.bytes_read)).collect();
        self.before = Before { at: now, read };
        let (task_run, run, epoch) = (self.claim.task_run, self.claim.run, self.claim.epoch);
        serde_json::to_string(&figures).ok().map(|figures| NewProgress { task_run, run, epoch, figures })
    }
}

impl Sums {
    /// Both together; the faster one says what holds them back.
    pub fn and(self, other: Self) -> Self {
        Self {
            rows_read: self.rows_read + other.rows_read,
            bytes_read: self.bytes_read + other.bytes_read,
            bytes_held: self.bytes_held + other.bytes_held,
            rows_written: self.rows_written + other.rows_written,
            rows_rejected: self.rows_rejected + other.rows_rejected,
            rows_per_second: self.rows_per_second + other.rows_per_second,
            bytes_per_second: self.bytes_per_second + other.bytes_per_second,
            bound: if other.rows_per_second > self.rows_per_second { other.bound } else { self.bound },
        }
    }
}

/// The figures of streams, of which so much had been read some seconds before.
fn figures(streams: &[StreamSnapshot], before: &[(u64, u64)], seconds: f64) -> SyncProgress {
    // streams that were tried again count from the start
    let rate = |now: u64, before: u64| (now.saturating_sub(before) as f64 / seconds.max(0.001)) as u64;
    let (mut found, mut bytes_per_second) = (Vec::new(), 0);
    for (place, stream) in streams.iter().enumerate() {
        let (rows, bytes) = before.get(place).copied().unwrap_or_default();
        bytes_per_second += rate(stream.bytes_read, bytes);
        found.push(StreamFigures { now: stream.clone(), rows_per_second: rate(stream.rows_read, rows) });
    }
    let sum = |figure: fn(&StreamSnapshot) -> u64| streams.iter().map(figure).sum::<u64>();
    let sums = Sums {
        rows_read: sum(|stream| stream.rows_read),
        bytes_read: sum(|stream| stream.bytes_read),
        bytes_held: sum(|stream| stream.bytes_held),
        rows_written: sum(|stream| stream.rows_written),
        rows_rejected: sum(|stream| stream.rows_rejected),
        rows_per_second: found.iter().map(|stream| stream.rows_per_second).sum(),
        bytes_per_second,
        bound: bound(streams),
    };
    let (streams_total, streams_ended) = (sum(|_| 1), sum(|stream| u64::from(stream.phase == Phase::Ended)));
    found.sort_by_key(|stream| stream.now.phase == Phase::Ended);
    found.truncate(STREAMS_MAX);
    SyncProgress { sums, streams_total, streams_ended, streams: found }
}

/// What holds most of the streams back that are at work.
fn bound(streams: &[StreamSnapshot]) -> Bound {
    let at_work = |stream: &&StreamSnapshot| stream.phase != Phase::Ended;
    let count = |bound: Bound| streams.iter().filter(at_work).filter(|stream| stream.bound == bound).count();
    let bounds = [Bound::Transform, Bound::Write, Bound::Read];
    bounds.into_iter().max_by_key(|bound| count(*bound)).unwrap_or(Bound::Read)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;

    #[test]
    fn rates_are_of_the_time_since_the_last_look() {
        let progress = Progress::default();
        let (a, b) = (progress.start("a", Some(500)), progress.start("b", None));
        a.read(100, 1_000, Duration::from_millis(1));
        a.written(100, Duration::from_millis(9));
        let first = figures(&progress.snapshot(), &[], 2.0);
        assert_eq!((first.sums.rows_per_second, first.sums.bytes_per_second), (50, 500));
        a.read(10, 100, Duration::from_millis(1));
        a.bytes_held().store(70, std::sync::atomic::Ordering::Relaxed);
        b.read(30, 300, Duration::from_millis(1));
        b.rejected(3);
        a.end();
        let second = figures(&progress.snapshot(), &[(100, 1_000)], 2.0);
        assert_eq!((second.sums.rows_read, second.sums.rows_rejected, second.sums.bytes_held), (140, 3, 70));
        assert_eq!((second.sums.rows_per_second, second.sums.bytes_per_second), (20, 200));
        assert_eq!((second.streams_total, second.streams_ended), (2, 1));
        // the one that is at work comes first
        assert_eq!((second.streams[0].now.stream.as_str(), second.streams[0].rows_per_second), ("b", 15));
        // tried again, it counts from the start
        a.restart();
        assert_eq!(figures(&progress.snapshot(), &[(110, 1_100)], 2.0).sums.rows_per_second, 15);
        let text = serde_json::to_string(&second).unwrap();
        assert_eq!(serde_json::from_str::<SyncProgress>(&text).unwrap(), second);
    }
}
