//! What can happen to a task run.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// What happened to a task run. Workers, the scheduler and users report events; nobody sets a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Event {
    /// A worker took it.
    Claimed,
    /// The worker is at work.
    Started,
    /// It got on; its state stays.
    Progressed,
    /// It gives its worker back and looks again at an instant, which is no failure.
    Deferred {
        /// When it looks again.
        until: Timestamp,
    },
    /// It was split into items, which are task runs of their own; it ends with the last of them.
    Expanded,
    /// It did what it was to do.
    Finished,
    /// An attempt failed.
    Errored {
        /// Whether the same work can succeed when tried again.
        retry: bool,
    },
    /// A user wants it to stop.
    StopAsked,
    /// Its worker stopped it.
    Stopped,
    /// Its worker is gone, or has not been heard of for too long.
    LeaseLost,
    /// The instant it waited for has come.
    RetryDue,
    /// How the tasks before it ended rules it out.
    UpstreamFailed,
}

impl Event {
    /// Every event once, for tables and tests.
    pub const ALL: [Self; 13] = [
        Self::Claimed,
        Self::Started,
        Self::Progressed,
        Self::Deferred { until: Timestamp::from_secs(60) },
        Self::Expanded,
        Self::Finished,
        Self::Errored { retry: true },
        Self::Errored { retry: false },
        Self::StopAsked,
        Self::Stopped,
        Self::LeaseLost,
        Self::RetryDue,
        Self::UpstreamFailed,
    ];

    /// The stable name, as the store and JSON output have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::Started => "started",
            Self::Progressed => "progressed",
            Self::Deferred { .. } => "deferred",
            Self::Expanded => "expanded",
            Self::Finished => "finished",
            Self::Errored { .. } => "errored",
            Self::StopAsked => "stop_asked",
            Self::Stopped => "stopped",
            Self::LeaseLost => "lease_lost",
            Self::RetryDue => "retry_due",
            Self::UpstreamFailed => "upstream_failed",
        }
    }
}
