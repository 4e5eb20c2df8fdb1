//! When a schedule fires: cron expressions and intervals, time zones, and what happens when the clocks change. Pure: the
//! instant it is gets handed in.
//!
//! A cron expression names times on the clock of its zone. When that clock is changed, the two kinds of rule differ:
//!
//! - A **fixed** rule names certain times of the day: seconds, minutes and hours are all numbers or lists of numbers
//!   (`30 2 * * *`, `0 6,18 * * MON`, `@daily`). It fires once for each of them on each day it names:
//!   - times that the clock jumps over fire together at the first instant after the gap (`gap: shift`), or not on that
//!     day (`gap: skip`). Shifting to the end of the gap keeps the order of schedules: what is due at 02:30 never
//!     starts after what is due at 03:00. A day that a zone leaves out altogether (Samoa had no 30 December 2011) is
//!     no day, and nothing fires for it;
//!   - times that the clock shows twice fire the first time only (`overlap: once`), or both times (`overlap: both`).
//! - A **recurring** rule has `*`, a range or a step in one of these fields (`*/15 * * * *`, `0 8-17 * * *`, `@hourly`).
//!   It follows the hours that there really are: it fires whenever the clock shows a time it names, so in both passes of
//!   a repeated hour and not in a missing one. `gap` and `overlap` do not concern it.
//!
//! The distinction is that of Vixie cron, except that ranges and steps count as recurring too. An interval counts real
//! time from an anchor and knows no clock.

mod calendar;
mod catchup;
mod cron;
mod zone;

#[cfg(test)]
mod tests;

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::Error as _};

pub use self::catchup::{Catchup, Due};
pub use self::cron::Cron;
pub use self::zone::Zone;
use crate::error::{Error, ErrorKind, Result};
use crate::time::Timestamp;

/// The shortest interval.
const INTERVAL_MIN: Duration = Duration::from_secs(1);

/// How far back a change of the clocks can still matter: no clock has been put back by more than a day.
const OVERLAP_MAX_S: i64 = 26 * 3_600;

/// 9999-12-31T23:59:59Z: nothing fires later.
const END_S: i64 = 253_402_300_799;

/// When something fires, again and again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// A cron expression or an interval.
    pub when: Rule,
    /// The zone whose clock a cron expression means.
    #[serde(default)]
    pub timezone: Zone,
    /// What happens to fixed times that the clock jumps over.
    #[serde(default)]
    pub gap: Gap,
    /// What happens to fixed times that the clock shows twice.
    #[serde(default)]
    pub overlap: Overlap,
}

/// A cron expression or an interval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// Times on a clock.
    Cron(Cron),
    /// Every so often.
    Every(Every),
}

/// An interval of real time: it fires at the anchor and at all whole intervals from it, before and after. Without an
/// anchor of its own that is 1970-01-01T00:00:00Z, so that `every: 15m` fires at full quarters of an hour whenever the
/// schedule was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Every {
    #[serde(rename = "interval_us")]
    interval: i64,
    anchor: Timestamp,
}

/// What a fixed rule does on a day when the clock jumps over its time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Gap {
    /// It fires at the first instant after the gap.
    #[default]
    Shift,
    /// It does not fire on that day.
    Skip,
}

/// What a fixed rule does on a day when the clock shows its time twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Overlap {
    /// It fires the first time only.
    #[default]
    Once,
    /// It fires both times.
    Both,
}

impl Schedule {
    /// A rule on the clock of a zone, with the usual answers to its changes.
    pub fn new(when: Rule, timezone: Zone) -> Self {
        Self { when, timezone, gap: Gap::default(), overlap: Overlap::default() }
    }

    /// The first fire strictly after an instant; none if there is never one again.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        match &self.when {
            Rule::Cron(cron) => self.next_on_the_clock(cron, after),
            Rule::Every(every) => every.next_after(after),
        }
        .filter(|fire| fire.as_secs() <= END_S)
    }

    /// All fires after one instant and up to and including another, one by one.
    pub fn fires(&self, after: Timestamp, until: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        std::iter::successors(self.next_after(after), |fire| self.next_after(*fire))
            .take_while(move |fire| *fire <= until)
    }

    /// The first `limit` fires after one instant and up to and including another.
    pub fn between(&self, after: Timestamp, until: Timestamp, limit: usize) -> Vec<Timestamp> {
        self.fires(after, until).take(limit).collect()
    }

    /// An instant as the schedule's zone shows it, with the offset: `2026-03-29T03:00:00+02:00`.
    pub fn local(&self, at: Timestamp) -> String {
        self.timezone.local(at)
    }

    /// Goes from one change of the clocks to the next until the rule names a time in between.
    fn next_on_the_clock(&self, cron: &Cron, after: Timestamp) -> Option<Timestamp> {
        let zone = self.timezone;
        let mut from = after.as_secs() + 1;
        let mut change = zone.change(from - OVERLAP_MAX_S, from);
        // A search of the calendar and its result, which holds for all that lies between the two.
        let (mut searched, mut found) = (i64::MAX, i64::MIN);
        loop {
            let offset = zone.offset(from);
            let mut local = from + offset;
            if let Some(change) = change.filter(|_| cron.is_fixed()) {
                let (jumped_from, jumped_to) = (change.at + change.before, change.at + change.after);
                if self.gap == Gap::Shift && change.at == from && names_within(cron, jumped_from, jumped_to) {
                    return Some(Timestamp::from_secs(from));
                }
                if self.overlap == Overlap::Once {
                    // What lies before has been shown already.
                    local = local.max(jumped_from);
                }
            }
            if !(searched..=found).contains(&local) {
                (searched, found) = (local, cron.next(local)?);
            }
            let fire = found - offset;
            if from > END_S || fire > END_S {
                return None;
            }
            change = zone.change(from, fire);
            match change {
                None => return Some(Timestamp::from_secs(fire)),
                Some(change) => from = change.at,
            }
        }
    }
}

/// Whether a rule names a civil time from one up to another, on a day that is not left out altogether.
fn names_within(cron: &Cron, mut from: i64, until: i64) -> bool {
    while let Some(time) = cron.next(from).filter(|time| *time < until) {
        let midnight = time - time.rem_euclid(calendar::DAY);
        if midnight < from || midnight + calendar::DAY > until {
            return true;
        }
        from = midnight + calendar::DAY;
    }
    false
}

impl Every {
    /// An interval from the epoch on.
    ///
    /// # Errors
    /// Config: it is shorter than a second.
    pub fn new(interval: Duration) -> Result<Self> {
        Self::from_anchor(interval, Timestamp::default())
    }

    /// An interval from an instant on.
    ///
    /// # Errors
    /// Config: it is shorter than a second.
    pub fn from_anchor(interval: Duration, anchor: Timestamp) -> Result<Self> {
        if interval < INTERVAL_MIN {
            return Err(Error::new(ErrorKind::Config, format!("An interval of {interval:?} is too short"))
                .advise("The shortest is `1s`."));
        }
        Ok(Self { interval: i64::try_from(interval.as_micros()).unwrap_or(i64::MAX), anchor })
    }

    /// The time between two fires.
    pub fn interval(&self) -> Duration {
        Duration::from_micros(self.interval.unsigned_abs())
    }

    /// One of the instants at which it fires.
    pub fn anchor(&self) -> Timestamp {
        self.anchor
    }

    fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let since = after.as_micros().checked_sub(self.anchor.as_micros())?;
        let next = since.div_euclid(self.interval).checked_add(1)?.checked_mul(self.interval)?;
        next.checked_add(self.anchor.as_micros()).map(Timestamp::from_micros)
    }
}

impl<'de> Deserialize<'de> for Every {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Stored {
            interval_us: u64,
            anchor: Timestamp,
        }
        let stored = Stored::deserialize(deserializer)?;
        Self::from_anchor(Duration::from_micros(stored.interval_us), stored.anchor)
            .map_err(|error| D::Error::custom(in_document(&error)))
    }
}

/// An error as the reader of documents expects it: the sentence, and the advice on a line of its own.
fn in_document(error: &Error) -> String {
    format!("{}\n{}", error.message(), error.advice())
}
