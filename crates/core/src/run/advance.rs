//! The state machine of a task run: one match, no side effects.

use std::fmt;

use crate::config::Retry;
use crate::time::Timestamp;

use super::{Event, State};

/// What a task's document and its past say about the next failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policy {
    /// How often it is tried, and the pauses between.
    pub retry: Retry,
    /// Attempts that have failed before this event.
    pub failed: u32,
    /// Workers that were lost with it before this event.
    pub lost: u32,
    /// Most workers that may be lost with it before it is given up.
    pub lost_max: u32,
    /// Which of many it is: they do not all pause for the same time.
    pub seed: u64,
}

/// An event that cannot happen in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Illegal {
    /// The state.
    pub state: State,
    /// The event.
    pub event: Event,
}

/// The state after an event.
///
/// # Errors
/// [`Illegal`] where the event cannot happen; the state stays.
pub fn advance(state: State, event: Event, now: Timestamp, policy: &Policy) -> Result<State, Illegal> {
    use Event as E;
    use State as S;
    let next = match (state, event) {
        (S::Queued, E::Claimed) => S::Starting,
        (S::Queued, E::UpstreamFailed) => S::Skipped,
        (S::Queued | S::Waiting { .. }, E::StopAsked) => S::Cancelled,

        (S::Starting, E::Started) => S::Running,
        (S::Running, E::Progressed) => S::Running,
        (S::Running, E::Deferred { until }) => S::Waiting { until: Some(until) },
        (S::Running, E::Expanded) => S::Waiting { until: None },
        (S::Running, E::Finished) => S::Succeeded,
        (S::Starting | S::Running, E::Errored { retry }) => after_failure(retry, now, policy),
        (S::Starting | S::Running, E::LeaseLost) => after_loss(policy),
        (S::Starting | S::Running, E::StopAsked) => S::Stopping,

        // what was on its way when the stop was asked for may still arrive
        (S::Stopping, E::StopAsked | E::Started | E::Progressed) => S::Stopping,
        (S::Stopping, E::Finished) => S::Succeeded,
        (S::Stopping, E::Stopped | E::Errored { .. } | E::LeaseLost | E::Deferred { .. } | E::Expanded) => S::Cancelled,

        (S::Waiting { until: Some(_) }, E::RetryDue) => S::Queued,
        // the items of a task that was split have ended
        (S::Waiting { until: None }, E::Finished) => S::Succeeded,
        (S::Waiting { until: None }, E::Errored { .. }) => S::Failed,
        (S::Waiting { until: None }, E::Stopped) => S::Cancelled,

        (
            S::Succeeded | S::Failed | S::Cancelled | S::Skipped,
            E::Claimed
            | E::Started
            | E::Progressed
            | E::Deferred { .. }
            | E::Expanded
            | E::Finished
            | E::Errored { .. }
            | E::StopAsked
            | E::Stopped
            | E::LeaseLost
            | E::RetryDue
            | E::UpstreamFailed,
        )
        | (
            S::Queued,
            E::Started
            | E::Progressed
            | E::Deferred { .. }
            | E::Expanded
            | E::Finished
            | E::Errored { .. }
            | E::Stopped
            | E::LeaseLost
            | E::RetryDue,
        )
        | (
            S::Starting,
            E::Claimed
            | E::Progressed
            | E::Deferred { .. }
            | E::Expanded
            | E::Finished
            | E::Stopped
            | E::RetryDue
            | E::UpstreamFailed,
        )
        | (S::Running, E::Claimed | E::Started | E::Stopped | E::RetryDue | E::UpstreamFailed)
        | (S::Stopping, E::Claimed | E::RetryDue | E::UpstreamFailed)
        | (
            S::Waiting { .. },
            E::Claimed
            | E::Started
            | E::Progressed
            | E::Deferred { .. }
            | E::Expanded
            | E::Finished
            | E::Errored { .. }
            | E::Stopped
            | E::LeaseLost
            | E::RetryDue
            | E::UpstreamFailed,
        ) => return Err(Illegal { state, event }),
    };
    Ok(next)
}

fn after_failure(retry: bool, now: Timestamp, policy: &Policy) -> State {
    let failed = policy.failed.saturating_add(1);
    if retry && failed < policy.retry.attempts {
        State::Waiting { until: Some(now.plus(policy.retry.pause(failed, policy.seed))) }
    } else {
        State::Failed
    }
}

/// The loss of a worker is not the task's fault: it is queued again at once, and no attempt is counted.
fn after_loss(policy: &Policy) -> State {
    if policy.lost < policy.lost_max { State::Queued } else { State::Failed }
}

impl fmt::Display for Illegal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a task run that is {} cannot take the event {}", self.state.name(), self.event.name())
    }
}
