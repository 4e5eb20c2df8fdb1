//! Live figures of a run, written by the lanes with relaxed atomics and read by whoever shows them.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The progress of all streams of a run, in the order in which they started.
#[derive(Default)]
pub struct Progress {
    streams: Mutex<Vec<Arc<StreamProgress>>>,
}

/// The figures of one stream.
#[derive(Default)]
pub struct StreamProgress {
    name: String,
    rows_estimate: Option<u64>,
    started: Option<Instant>,
    ended: Mutex<(Phase, Option<Duration>)>,
    rows_read: AtomicU64,
    bytes_read: AtomicU64,
    bytes_held: Arc<AtomicU64>,
    rows_written: AtomicU64,
    rows_rejected: AtomicU64,
    read_ns: AtomicU64,
    transform_ns: AtomicU64,
    write_ns: AtomicU64,
    starved_ns: AtomicU64,
}

/// What a stream is about.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Rows are on their way.
    #[default]
    Move,
    /// All rows are with the destination, which makes them visible.
    Commit,
    /// The destination is read back.
    Verify,
    /// Done, or failed.
    Ended,
}

/// What holds a stream back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// Writers wait for rows that the source has not given yet.
    Read,
    /// Writers wait for rows that are being transformed.
    Transform,
    /// Readers wait for the destination.
    Write,
}

/// The figures of one stream at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StreamSnapshot {
    /// The source's stream name.
    pub stream: String,
    /// How many rows are expected.
    pub rows_estimate: Option<u64>,
    /// Rows read so far.
    pub rows_read: u64,
    /// Bytes read so far, as they lie in memory.
    pub bytes_read: u64,
    /// Bytes of rows that are on their way: read, and not yet written.
    #[serde(default)]
    pub bytes_held: u64,
    /// Rows the destination has accepted so far.
    pub rows_written: u64,
    /// Rows rejected so far.
    pub rows_rejected: u64,
    /// Seconds since the stream began, until now or its end.
    pub seconds: f64,
    /// What it is about.
    pub phase: Phase,
    /// What holds it back.
    pub bound: Bound,
}

impl Progress {
    /// Adds a stream that starts now.
    pub fn start(&self, name: &str, rows_estimate: Option<u64>) -> Arc<StreamProgress> {
        let stream = Arc::new(StreamProgress {
            name: name.to_owned(),
            rows_estimate,
            started: Some(Instant::now()),
            ..StreamProgress::default()
        });
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).push(stream.clone());
        stream
    }

    /// The figures of all streams that have started.
    pub fn snapshot(&self) -> Vec<StreamSnapshot> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|stream| stream.snapshot()).collect()
    }
}

impl StreamProgress {
    /// Counts rows that came from the source after `took`.
    pub fn read(&self, rows: u64, bytes: usize, took: Duration) {
        self.rows_read.fetch_add(rows, Relaxed);
        self.bytes_read.fetch_add(bytes as u64, Relaxed);
        add(&self.read_ns, took);
    }

    /// Where whoever holds rows tells how many bytes they take.
    pub fn bytes_held(&self) -> Arc<AtomicU64> {
        self.bytes_held.clone()
    }

    /// Counts time spent on mapping rows.
    pub fn transformed(&self, took: Duration) {
        add(&self.transform_ns, took);
    }

    /// Counts rows the destination took, and refused, after `took`.
    pub fn written(&self, rows: u64, took: Duration) {
        self.rows_written.fetch_add(rows, Relaxed);
        add(&self.write_ns, took);
    }

    /// Counts rejected rows, wherever they were rejected.
    pub fn rejected(&self, rows: u64) {
        self.rows_rejected.fetch_add(rows, Relaxed);
    }

    /// Counts time in which a writer had nothing to write.
    pub fn starved(&self, took: Duration) {
        add(&self.starved_ns, took);
    }

    /// Starts the figures anew for another attempt.
    pub fn restart(&self) {
        self.enter(Phase::Move);
        let counters = [&self.rows_read, &self.bytes_read, &self.rows_written, &self.rows_rejected, &self.read_ns];
        for counter in counters.into_iter().chain([&self.transform_ns, &self.write_ns, &self.starved_ns]) {
            counter.store(0, Relaxed);
        }
    }

    /// The stream has ended, well or not.
    pub fn end(&self) {
        let took = self.started.map(|started| started.elapsed());
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = (Phase::Ended, took);
    }

    /// The stream goes over to another phase.
    pub fn enter(&self, phase: Phase) {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).0 = phase;
    }

    /// The figures now.
    pub fn snapshot(&self) -> StreamSnapshot {
        let (phase, ended) = *self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = ended.or_else(|| self.started.map(|started| started.elapsed())).unwrap_or_default();
        StreamSnapshot {
            stream: self.name.clone(),
            rows_estimate: self.rows_estimate,
            rows_read: self.rows_read.load(Relaxed),
            bytes_read: self.bytes_read.load(Relaxed),
            bytes_held: self.bytes_held.load(Relaxed),
            rows_written: self.rows_written.load(Relaxed),
            rows_rejected: self.rows_rejected.load(Relaxed),
            seconds: elapsed.as_secs_f64(),
            phase,
            bound: self.bound(),
        }
    }

    /// Writers that are starved longer than they write wait for the readers; of those, the longer part is to blame.
    fn bound(&self) -> Bound {
        if self.write_ns.load(Relaxed) >= self.starved_ns.load(Relaxed) {
            Bound::Write
        } else if self.transform_ns.load(Relaxed) > self.read_ns.load(Relaxed) {
            Bound::Transform
        } else {
            Bound::Read
        }
    }
}

fn add(counter: &AtomicU64, took: Duration) {
    counter.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Relaxed);
}
