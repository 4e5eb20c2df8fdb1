//! The states of a task run.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Where a task run stands. The last four are terminal: nothing leads out of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum State {
    /// It waits for tasks before it, for a place, or for a worker.
    Queued,
    /// A worker has claimed it, and has not said yet that it is at work.
    Starting,
    /// A worker is at work.
    Running,
    /// A worker was asked to stop it.
    Stopping,
    /// It holds no worker: it is tried again `until`, or its items are at work and nobody knows until when.
    Waiting {
        /// When it is queued again.
        until: Option<Timestamp>,
    },
    /// Done.
    Succeeded,
    /// Given up.
    Failed,
    /// Stopped because somebody asked for it.
    Cancelled,
    /// Never tried, because of how tasks before it ended.
    Skipped,
}

impl State {
    /// Every state once, for tables and tests.
    pub const ALL: [Self; 9] = [
        Self::Queued,
        Self::Starting,
        Self::Running,
        Self::Stopping,
        Self::Waiting { until: None },
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
        Self::Skipped,
    ];

    /// The stable name, as the store and JSON output have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Waiting { .. } => "waiting",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }

    /// The state of a stable name; a waiting one waits until the instant given.
    pub fn from_name(name: &str, until: Option<Timestamp>) -> Option<Self> {
        let state = Self::ALL.into_iter().find(|state| state.name() == name)?;
        Some(if matches!(state, Self::Waiting { .. }) { Self::Waiting { until } } else { state })
    }

    /// Whether nothing leads out of it.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled | Self::Skipped)
    }

    /// Whether a worker holds it, and with it a slot.
    pub const fn is_held(self) -> bool {
        matches!(self, Self::Starting | Self::Running | Self::Stopping)
    }
}
