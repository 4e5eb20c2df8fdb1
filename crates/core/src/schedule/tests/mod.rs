//! Tests of schedules: the parser's tables, the clocks of the world against a walk of every minute, random rules.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod catchup;
mod clocks;
mod oracle;
mod parser;
mod random;

use super::*;

fn cron(text: &str) -> Cron {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn schedule(text: &str, zone: &str) -> Schedule {
    Schedule::new(Rule::Cron(cron(text)), zone.parse().unwrap_or_else(|error| panic!("{error}")))
}

fn every(seconds: u64) -> Schedule {
    Schedule::new(Rule::Every(Every::new(Duration::from_secs(seconds)).unwrap()), Zone::UTC)
}

/// The next fires in local time.
fn local(schedule: &Schedule, after: &str, count: usize) -> Vec<String> {
    let end = Timestamp::from_secs(END_S);
    schedule.between(at(after), end, count).into_iter().map(|fire| schedule.local(fire)).collect()
}
