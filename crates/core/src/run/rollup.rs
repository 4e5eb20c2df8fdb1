//! The state of a run, which is nothing but a fold over the states of its task runs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::State;

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// None of its tasks has been claimed yet.
    Queued,
    /// At work, or between two tasks.
    Running,
    /// Every task ended, none failed and none was cancelled.
    Succeeded,
    /// Every task ended, and at least one failed.
    Failed,
    /// Every task ended, none failed, and at least one was cancelled.
    Cancelled,
}

/// How many task runs of a run are in each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Tally {
    /// Queued.
    pub queued: u64,
    /// Starting, running, stopping or waiting.
    pub active: u64,
    /// Succeeded.
    pub succeeded: u64,
    /// Failed.
    pub failed: u64,
    /// Cancelled.
    pub cancelled: u64,
    /// Skipped.
    pub skipped: u64,
}

impl RunState {
    /// The stable name, as the store and JSON output have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of a stable name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Queued, Self::Running, Self::Succeeded, Self::Failed, Self::Cancelled]
            .into_iter()
            .find(|state| state.name() == name)
    }

    /// Whether nothing leads out of it.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

impl Tally {
    /// Counts task runs.
    pub fn add(&mut self, state: State, count: u64) {
        let place = match state {
            State::Queued => &mut self.queued,
            State::Starting | State::Running | State::Stopping | State::Waiting { .. } => &mut self.active,
            State::Succeeded => &mut self.succeeded,
            State::Failed => &mut self.failed,
            State::Cancelled => &mut self.cancelled,
            State::Skipped => &mut self.skipped,
        };
        *place += count;
    }

    /// The state of the run.
    pub fn run_state(&self) -> RunState {
        let ended = self.succeeded + self.failed + self.cancelled + self.skipped;
        match self {
            Self { queued: 0, active: 0, failed: 1.., .. } => RunState::Failed,
            Self { queued: 0, active: 0, cancelled: 1.., .. } => RunState::Cancelled,
            Self { queued: 0, active: 0, .. } => RunState::Succeeded,
            Self { active: 0, .. } if ended == 0 => RunState::Queued,
            _ => RunState::Running,
        }
    }
}

impl FromIterator<State> for Tally {
    fn from_iter<I: IntoIterator<Item = State>>(states: I) -> Self {
        let mut tally = Self::default();
        states.into_iter().for_each(|state| tally.add(state, 1));
        tally
    }
}
