//! Which fires of the schedules there must be, told without the code that makes them: every multiple of a period, and what
//! the catch-up rule says of those that were missed.

use std::collections::{BTreeMap, BTreeSet};

use levada_core::schedule::Catchup;
use levada_store::{CATCHUP_MAX, GRACE};

use super::observer::Observer;
use super::pipelines::{Pipeline, Timer};

/// Names a schedule: its pipeline and itself.
pub type Name = (String, String);

/// All schedules, and the fires that there must have been.
pub struct Fires {
    timers: BTreeMap<Name, (Timer, i64)>,
    wanted: BTreeSet<(Name, i64)>,
    pub paused: BTreeSet<Name>,
}

const US: i64 = 1_000_000;

impl Fires {
    /// Every schedule, made at an instant in microseconds.
    pub fn new(pipelines: &[Pipeline], now: i64) -> Self {
        let timers = pipelines.iter().flat_map(|pipeline| {
            let name = |timer: &Timer| (pipeline.name.clone(), timer.name.clone());
            pipeline.timers.iter().map(move |timer| (name(timer), (timer.clone(), now)))
        });
        Self { timers: timers.collect(), wanted: BTreeSet::new(), paused: BTreeSet::new() }
    }

    pub fn names(&self) -> Vec<Name> {
        self.timers.keys().cloned().collect()
    }

    /// A scheduler looks at what is due.
    pub fn tick(&mut self, now: i64, paused_pipelines: &BTreeSet<String>) {
        for (name, (timer, seen)) in &mut self.timers {
            if self.paused.contains(name) || paused_pipelines.contains(&name.0) || now <= *seen {
                continue;
            }
            let period = timer.period_s * US;
            let due: Vec<i64> =
                (seen.div_euclid(period) + 1..=now.div_euclid(period)).map(|index| index * period).collect();
            *seen = now;
            let grace = now - i64::try_from(GRACE.as_micros()).unwrap();
            let (missed, on_time): (Vec<i64>, Vec<i64>) = due.into_iter().partition(|fire| *fire <= grace);
            let made_up = match timer.catchup {
                Catchup::None => 0,
                Catchup::Last => usize::from(on_time.is_empty()),
                Catchup::All => CATCHUP_MAX - on_time.len(),
            };
            let skipped = missed.len().saturating_sub(made_up);
            self.wanted.extend(missed.into_iter().skip(skipped).chain(on_time).map(|fire| (name.clone(), fire)));
        }
    }

    /// Runs made by schedules are those there must be, each once.
    pub fn check(&self, observer: &Observer) {
        let fired = observer.runs.values().filter(|run| run.identity.starts_with("schedule:"));
        let mut found = BTreeSet::new();
        for run in fired {
            let fire = ((run.pipeline.clone(), run.schedule.clone().unwrap()), run.fire_time.unwrap());
            assert!(self.wanted.contains(&fire), "{fire:?} was not due");
            assert!(found.insert(fire.clone()), "{fire:?} was fired twice");
        }
        let lost: Vec<_> = self.wanted.difference(&found).collect();
        assert!(lost.is_empty(), "fires are lost: {lost:?}");
    }
}
