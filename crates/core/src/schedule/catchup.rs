//! What to do about fires that were missed while nobody was there to see to them.

use std::collections::VecDeque;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Schedule;
use crate::time::Timestamp;

/// Fires dropped are counted up to here: a schedule that fires every second misses 31 million in a year.
const COUNT_MAX: usize = 100_000;

/// The first window in which the latest fires are looked for; it doubles until they are found.
const WINDOW: Duration = Duration::from_secs(64);

/// Which of the missed fires are made up for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Catchup {
    /// None of them.
    None,
    /// The latest one.
    #[default]
    Last,
    /// All of them, or the latest ones if there are more than a cap.
    All,
}

/// The fires that are due.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Due {
    /// To be started, the oldest first.
    pub fires: Vec<Timestamp>,
    /// How many more there were that will not be started; 100,000 stands for that or more.
    pub dropped: usize,
}

impl Catchup {
    /// The missed fires after one instant and up to and including another that are to be made up for, `cap` at most.
    pub fn missed(self, schedule: &Schedule, after: Timestamp, until: Timestamp, cap: usize) -> Due {
        let fires = match self {
            Self::None => Vec::new(),
            Self::Last => latest(schedule, after, until, cap.min(1)),
            Self::All => latest(schedule, after, until, cap),
        };
        let dropped = schedule.fires(after, until).take(COUNT_MAX.saturating_add(fires.len())).count() - fires.len();
        Due { fires, dropped }
    }

    /// What to start now, `cap` fires at most, when everything up to and including `after` has been seen to. Fires at
    /// most `grace` old are on time, whatever the answer to missed ones is; with `last`, one that is on time is also
    /// the latest, and makes up for those before it.
    pub fn due(self, schedule: &Schedule, after: Timestamp, now: Timestamp, grace: Duration, cap: usize) -> Due {
        let on_time = after.max(now.minus(grace));
        let mut due = Self::All.missed(schedule, on_time, now, cap);
        let cap_left = match self {
            Self::Last if !due.fires.is_empty() => 0,
            _ => cap - due.fires.len(),
        };
        let missed = self.missed(schedule, after, on_time, cap_left);
        due.fires.splice(0..0, missed.fires);
        due.dropped = due.dropped.saturating_add(missed.dropped).min(COUNT_MAX);
        due
    }
}

/// The latest `count` fires after one instant and up to and including another, the oldest first.
fn latest(schedule: &Schedule, after: Timestamp, until: Timestamp, count: usize) -> Vec<Timestamp> {
    let mut window = WINDOW;
    loop {
        let start = until.minus(window).max(after);
        let mut kept = VecDeque::with_capacity(count.min(1_024));
        for fire in schedule.fires(start, until) {
            kept.push_back(fire);
            if kept.len() > count {
                kept.pop_front();
            }
        }
        if kept.len() == count || start == after || start >= until {
            return kept.into();
        }
        window = window.saturating_mul(2);
    }
}
