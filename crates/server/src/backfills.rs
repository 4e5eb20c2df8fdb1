//! Which instants a backfill is over.

use levada_core::config::Step;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::schedule::Schedule;
use levada_core::time::Timestamp;
use levada_engine::house::step;
use levada_store::{Only, Scheduled, Store, When};

/// Most runs of one backfill.
pub const TIMES_MAX: usize = 100_000;

/// A range of time.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    /// The first instant.
    pub from: Timestamp,
    /// The last instant that may be.
    pub to: Timestamp,
    /// The steps; without them, the fires of the pipeline's only schedule by time, or days.
    pub every: Option<Step>,
    /// Which of them need a run.
    pub only: Only,
    /// The latest first.
    pub reverse: bool,
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
    let Range { from, to, .. } = range;
    let mut times: Vec<Timestamp> = match (range.every, by_time.as_slice()) {
        (None, [times]) => times.between(from.minus(std::time::Duration::from_micros(1)), to, TIMES_MAX + 1),
        (every, _) => {
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
