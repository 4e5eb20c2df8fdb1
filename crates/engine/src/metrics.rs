//! Figures of this process since its start: what was carried out, how long it took, what was moved. Plain counters that
//! cost next to nothing; whoever shows them takes a snapshot.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use levada_store::{Commits, RunCounts, Store};

use crate::report::Report;

/// Kinds of work, as attempts are counted; `items` is the part of a split task that finds the items.
pub const KINDS: [&str; 11] =
    ["sync", "sql", "check", "command", "http", "notify", "pipeline", "wait", "backup", "restore", "items"];

/// How attempts end; `deferred` ones look again later.
pub const OUTCOMES: [&str; 4] = ["succeeded", "failed", "stopped", "deferred"];

/// How an attempt ended: the place in [`OUTCOMES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It did its work.
    Succeeded,
    /// It did not.
    Failed,
    /// Somebody stopped it.
    Stopped,
    /// It looks again later.
    Deferred,
}

/// The counters. Times are in microseconds.
#[derive(Debug, Default)]
pub struct Metrics {
    attempts: [[AtomicU64; OUTCOMES.len()]; KINDS.len()],
    attempt_us: [AtomicU64; KINDS.len()],
    rows: AtomicU64,
    bytes: AtomicU64,
    reaped: AtomicU64,
    ticks: AtomicU64,
    tick_us: AtomicU64,
}

/// The counters at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// What became of runs, by what this process wrote of them.
    pub runs: RunCounts,
    /// How much the store wrote, in how many commits.
    pub store: Commits,
    /// Attempts by the places of their kind in [`KINDS`] and of their outcome in [`OUTCOMES`].
    pub attempts: [[u64; OUTCOMES.len()]; KINDS.len()],
    /// How long they took, by the place of their kind.
    pub attempt_us: [u64; KINDS.len()],
    /// Rows that destinations took.
    pub rows: u64,
    /// Bytes that were read for them, as they lay in memory.
    pub bytes: u64,
    /// Workers that were found dead or silent.
    pub reaped: u64,
    /// Iterations of the scheduler.
    pub ticks: u64,
    /// How long they took.
    pub tick_us: u64,
}

/// The counters of this process.
pub fn metrics() -> &'static Metrics {
    static METRICS: std::sync::LazyLock<Metrics> = std::sync::LazyLock::new(Metrics::default);
    &METRICS
}

impl Metrics {
    /// Counts an attempt.
    pub fn attempt(&self, kind: &str, outcome: Outcome, took: Duration) {
        let Some(kind) = KINDS.iter().position(|known| *known == kind) else { return };
        self.attempts[kind][outcome as usize].fetch_add(1, Relaxed);
        self.attempt_us[kind].fetch_add(us(took), Relaxed);
    }

    /// Counts what a sync has moved.
    pub fn moved(&self, report: &Report) {
        for stream in report.streams.iter().filter(|stream| stream.error.is_none()) {
            self.rows.fetch_add(stream.proof.written, Relaxed);
            self.bytes.fetch_add(stream.bytes, Relaxed);
        }
    }

    /// Counts an iteration of the scheduler, and the workers that it took for dead.
    pub fn tick(&self, took: Duration, reaped: usize) {
        self.ticks.fetch_add(1, Relaxed);
        self.tick_us.fetch_add(us(took), Relaxed);
        self.reaped.fetch_add(reaped as u64, Relaxed);
    }

    /// The counters now, with those of the store.
    pub fn snapshot(&self, store: &Store) -> Snapshot {
        let load = |counter: &AtomicU64| counter.load(Relaxed);
        Snapshot {
            runs: store.run_counts(),
            store: store.commits(),
            attempts: self.attempts.each_ref().map(|kind| kind.each_ref().map(load)),
            attempt_us: self.attempt_us.each_ref().map(load),
            rows: load(&self.rows),
            bytes: load(&self.bytes),
            reaped: load(&self.reaped),
            ticks: load(&self.ticks),
            tick_us: load(&self.tick_us),
        }
    }
}

impl Snapshot {
    /// How many attempts of a kind ended so.
    pub fn attempts_of(&self, kind: &str, outcome: Outcome) -> u64 {
        KINDS.iter().position(|known| *known == kind).map_or(0, |kind| self.attempts[kind][outcome as usize])
    }
}

fn us(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
