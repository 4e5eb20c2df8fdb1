//! Which missed fires are made up for.

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn five_hundred_missed_fires_are_made_up_for_as_asked() {
    let (schedule, after) = (schedule("* * * * *", "America/Bogota"), at("2026-01-01"));
    let until = after.plus(MINUTE * 500);
    let none = Catchup::None.missed(&schedule, after, until, 100);
    assert_eq!((none.fires.len(), none.dropped), (0, 500));
    let last = Catchup::Last.missed(&schedule, after, until, 100);
    assert_eq!((last.fires, last.dropped), (vec![until], 499));
    let all = Catchup::All.missed(&schedule, after, until, 100);
    assert_eq!((all.fires.len(), all.dropped), (100, 400));
    assert_eq!(all.fires, schedule.between(after.plus(MINUTE * 400), until, 1_000));
    let uncapped = Catchup::All.missed(&schedule, after, until, 1_000);
    assert_eq!((uncapped.fires, uncapped.dropped), (schedule.between(after, until, 1_000), 0));
}

#[test]
fn nothing_is_made_up_for_where_nothing_was_missed() {
    let (schedule, now) = (schedule("0 6 * * *", "UTC"), at("2026-01-01T07:00:00Z"));
    for catchup in [Catchup::None, Catchup::Last, Catchup::All] {
        assert_eq!(catchup.missed(&schedule, at("2026-01-01T06:00:00Z"), now, 10), Due::default());
        assert_eq!(catchup.missed(&schedule, now, now, 10), Due::default());
        assert_eq!(catchup.due(&schedule, now, now, MINUTE, 10), Due::default());
    }
}

#[test]
fn a_year_of_seconds_is_not_walked() {
    let started = std::time::Instant::now();
    let due = Catchup::All.missed(&every(1), at("2025-01-01"), at("2026-01-01"), 10);
    assert_eq!((due.fires.len(), due.dropped), (10, 100_000));
    assert_eq!(due.fires.last(), Some(&at("2026-01-01")));
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn fires_on_time_start_whatever_is_said_about_missed_ones() {
    let (schedule, after, now) = (schedule("*/15 * * * *", "UTC"), at("2026-01-01"), at("2026-01-01T01:00:02Z"));
    let due = |catchup: Catchup, now: Timestamp, cap| {
        let due = catchup.due(&schedule, after, now, Duration::from_secs(30), cap);
        (due.fires.iter().map(|fire| fire.to_string()[11..16].to_owned()).collect::<Vec<_>>().join(" "), due.dropped)
    };
    assert_eq!(due(Catchup::None, now, 10), ("01:00".to_owned(), 3));
    assert_eq!(due(Catchup::Last, now, 10), ("01:00".to_owned(), 3));
    assert_eq!(due(Catchup::All, now, 10), ("00:15 00:30 00:45 01:00".to_owned(), 0));
    assert_eq!(due(Catchup::All, now, 2), ("00:45 01:00".to_owned(), 2));
    let late = at("2026-01-01T01:10:00Z");
    assert_eq!(due(Catchup::None, late, 10), (String::new(), 4));
    assert_eq!(due(Catchup::Last, late, 10), ("01:00".to_owned(), 3));
    assert_eq!(due(Catchup::All, late, 0), (String::new(), 4));
}
