//! Which instants a backfill is over.

use std::time::Duration;

use levada_core::config::Step;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::schedule::{Schedule, Zone};
use levada_core::text::parse_date;
use levada_core::time::Timestamp;
use levada_engine::house::step;
use levada_store::{Only, Scheduled, Store, When};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// Most runs of one backfill.
pub const TIMES_MAX: usize = 100_000;
/// What parts two instants.
const MOMENT: Duration = Duration::from_micros(1);

/// A range of time.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    /// The first instant.
    pub from: End,
    /// The last instant that may be.
    pub to: End,
    /// The steps; without them, the fires of the pipeline's only schedule by time, or days.
    pub every: Option<Step>,
    /// Which of them need a run.
    pub only: Only,
    /// The latest first.
    pub reverse: bool,
}

/// An end of a range, as it is written: an instant, or a day, all of which is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub enum End {
    /// A day, counted from 1970-01-01.
    Day(i64),
    /// An instant.
    Instant(Timestamp),
}

impl End {
    /// From text such as `2026-01-31` or `2026-01-31T06:00:00Z`.
    pub fn parse(text: &str) -> Option<Self> {
        parse_date(text).map(Self::Day).or_else(|| Timestamp::parse(text).map(Self::Instant))
    }

    fn first(self, zone: Zone) -> Timestamp {
        match self {
            Self::Day(day) => zone.start_of(day),
            Self::Instant(instant) => instant,
        }
    }

    fn last(self, zone: Zone) -> Timestamp {
        match self {
            Self::Day(day) => zone.start_of(day.saturating_add(1)).minus(MOMENT),
            Self::Instant(instant) => instant,
        }
    }
}

impl From<End> for String {
    fn from(end: End) -> Self {
        match end {
            End::Day(day) => Zone::UTC.start_of(day).to_string().chars().take_while(|c| *c != 'T').collect(),
            End::Instant(instant) => instant.to_string(),
        }
    }
}

impl<'de> Deserialize<'de> for End {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("neither a day nor an instant such as 2026-01-31T08:00:00Z"))
    }
}

/// The instants of a range that need a run of a pipeline, in the order in which they start.
///
/// # Errors
/// `Usage` for a range that holds too many.
pub async fn times(store: &Store, pipeline: &str, range: Range) -> Result<Vec<Timestamp>> {
    let by_time = |schedule: Scheduled| match schedule.spec.when {
        When::Time(times) => Some(times),
        _ => None,
    };
    let schedules = store.schedules(Some(pipeline.to_owned())).await?;
    let by_time: Vec<Schedule> = schedules.into_iter().filter_map(by_time).collect();
    let mut times: Vec<Timestamp> = match (range.every, by_time.as_slice()) {
        (None, [times]) => {
            let (from, to) = (range.from.first(times.timezone), range.to.last(times.timezone));
            times.between(from.minus(MOMENT), to, TIMES_MAX + 1)
        }
        (every, _) => {
            // steps follow no schedule: each is an instant of UTC, as `${run.date}` is a day of UTC
            let (from, to) = (range.from.first(Zone::UTC), range.to.last(Zone::UTC));
            let every = every.unwrap_or_default();
            (0..).map_while(|count| step(from, every, count)).take_while(|at| *at <= to).take(TIMES_MAX + 1).collect()
        }
    };
    if times.len() > TIMES_MAX {
        return Err(Error::new(ErrorKind::Usage, format!("the range holds more than {TIMES_MAX} instants"))
            .advise("Give a shorter range, or longer steps."));
    }
    if range.reverse {
        times.reverse();
    }
    store.backfill_times(pipeline.to_owned(), times, range.only).await
}
