//! Schedules in the words of people: what makes one fire, and when it fires next.

use std::time::Duration;

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::schedule::{Rule, Schedule};
use levada_core::time::Timestamp;
use levada_store::{Scheduled, When};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A fire of a schedule by time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fire {
    /// When, in UTC.
    pub utc: Timestamp,
    /// The same on the clock of the schedule's zone.
    pub local: String,
}

/// The next fires from an instant on, or after now.
pub fn fires(times: &Schedule, from: Option<Timestamp>, now: Timestamp, count: usize) -> Vec<Fire> {
    // an instant that is given may be a fire itself
    let after = from.map_or(now, |from| from.minus(Duration::from_micros(1)));
    let found = times.between(after, Timestamp::from_micros(i64::MAX), count);
    found.into_iter().map(|utc| Fire { utc, local: times.local(utc) }).collect()
}

/// What makes a schedule fire, in the words of its document.
pub fn describe(when: &When) -> String {
    match when {
        When::Time(times) => match &times.when {
            Rule::Cron(cron) => format!("{cron} {}", times.timezone),
            Rule::Every(every) => format!("every {:?}", every.interval()),
        },
        When::Pipeline { name, states } => {
            let states: Vec<&str> = states.iter().map(|state| state.name()).collect();
            format!("after {name} {}", states.join(" or "))
        }
        When::Dataset(name) => format!("on load of {name}"),
        When::File { connection, path, every } => format!("on files {connection}: {path}, every {every:?}"),
    }
}

/// Whether anything keeps a schedule from firing.
pub fn is_active(schedule: &Scheduled) -> bool {
    !schedule.is_paused && !schedule.is_pipeline_paused
}

/// That there is no schedule by time.
pub fn no_times() -> Error {
    Error::new(ErrorKind::NotFound, "no schedule by time is there to preview")
        .advise("Write `schedule: \"0 6 * * *\"` into the pipeline; triggers fire when something happens.")
}

/// The times of a schedule.
///
/// # Errors
/// `NotFound` for one that fires when something happens.
pub fn times(when: When) -> Result<Schedule> {
    match when {
        When::Time(times) => Ok(times),
        _ => Err(no_times()),
    }
}
