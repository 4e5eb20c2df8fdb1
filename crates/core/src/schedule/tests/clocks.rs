//! What happens when the clocks change, one case each, to be read.

use super::*;

fn with(text: &str, zone: &str, gap: Gap, overlap: Overlap) -> Schedule {
    Schedule { gap, overlap, ..schedule(text, zone) }
}

#[test]
fn a_fixed_time_in_a_gap_fires_at_its_end_or_not_on_that_day() {
    let shift = with("30 2 * * *", "Europe/Madrid", Gap::Shift, Overlap::Once);
    let days = ["2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"];
    assert_eq!(local(&shift, "2026-03-28", 3), days);
    let skip = with("30 2 * * *", "Europe/Madrid", Gap::Skip, Overlap::Once);
    assert_eq!(local(&skip, "2026-03-28", 2), [days[0], days[2]]);
}

#[test]
fn a_fixed_time_that_comes_twice_fires_once_or_both_times() {
    let once = with("30 2 * * *", "Europe/Madrid", Gap::Shift, Overlap::Once);
    let fires = ["2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00", "2026-10-26T02:30:00+01:00"];
    assert_eq!(local(&once, "2026-10-25T00:00:00Z", 2), [fires[0], fires[2]]);
    // Asked in between, and within the second pass, it does not fire again.
    assert_eq!(local(&once, "2026-10-25T01:10:00Z", 1), [fires[2]]);
    let both = with("30 2 * * *", "Europe/Madrid", Gap::Shift, Overlap::Both);
    assert_eq!(local(&both, "2026-10-25T00:00:00Z", 3), fires);
}

#[test]
fn a_recurring_rule_follows_the_hours_there_are() {
    let hourly = schedule("0 * * * *", "Europe/Madrid");
    let hours = |day: &str| {
        let (from, until) = (at(&format!("{day}T00:00:00Z")), at(&format!("{day}T06:00:00Z")));
        hourly.between(from, until, 10).windows(2).all(|pair| pair[1].since(pair[0]) == Duration::from_secs(3600))
    };
    assert!(hours("2026-03-29") && hours("2026-10-25"));
    assert_eq!(local(&hourly, "2026-03-29T00:30:00Z", 1), ["2026-03-29T03:00:00+02:00"]);
}

#[test]
fn midnight_can_be_missing() {
    let daily = schedule("@daily", "Africa/Cairo");
    let nights = ["2026-04-23T00:00:00+02:00", "2026-04-24T01:00:00+03:00", "2026-04-25T00:00:00+03:00"];
    assert_eq!(local(&daily, "2026-04-22T12:00:00Z", 3), nights);
    // The hour before midnight is missing, and the end of the gap is the next day.
    let nuuk = schedule("30 23 * * *", "America/Nuuk");
    let nights = ["2026-03-27T23:30:00-02:00", "2026-03-29T00:00:00-01:00", "2026-03-29T23:30:00-01:00"];
    assert_eq!(local(&nuuk, "2026-03-27T12:00:00Z", 3), nights);
}

#[test]
fn half_an_hour_can_be_missing_or_double() {
    let fixed = schedule("15 2 * * *", "Australia/Lord_Howe");
    assert_eq!(local(&fixed, "2026-10-03T00:00:00Z", 1), ["2026-10-04T02:30:00+11:00"]);
    let both = with("45 1 * * *", "Australia/Lord_Howe", Gap::Shift, Overlap::Both);
    assert_eq!(local(&both, "2026-04-04T12:00:00Z", 2), ["2026-04-05T01:45:00+11:00", "2026-04-05T01:45:00+10:30"]);
}

#[test]
fn nothing_fires_for_a_day_that_is_left_out() {
    let daily = schedule("0 9 * * *", "Pacific/Apia");
    assert_eq!(local(&daily, "2011-12-29T12:00:00Z", 2), ["2011-12-29T09:00:00-10:00", "2011-12-31T09:00:00+14:00"]);
    let friday = schedule("0 9 * * FRI", "Pacific/Apia");
    assert_eq!(local(&friday, "2011-12-29T12:00:00Z", 1), ["2012-01-06T09:00:00+14:00"]);
}

#[test]
fn times_that_the_clock_jumps_over_fire_together() {
    let list = schedule("0,30 2,3 * * *", "Europe/Madrid");
    assert_eq!(local(&list, "2026-03-29T00:00:00Z", 2), ["2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00"]);
    let seconds = schedule("15 30 2 * * *", "Europe/Madrid");
    assert_eq!(local(&seconds, "2026-03-29T00:00:00Z", 1), ["2026-03-29T03:00:00+02:00"]);
}

#[test]
fn a_day_starts_with_its_first_instant() {
    let start = |zone: &str, day: &str| {
        let zone: Zone = zone.parse().unwrap();
        zone.local(zone.start_of(at(day).as_secs() / 86_400))
    };
    assert_eq!(start("America/Bogota", "2026-01-03"), "2026-01-03T00:00:00-05:00");
    assert_eq!(start("Pacific/Kiritimati", "2026-01-03"), "2026-01-03T00:00:00+14:00");
    assert_eq!(start("Europe/Madrid", "2026-03-30"), "2026-03-30T00:00:00+02:00");
    // the clock jumps over midnight, or goes back to the day before
    assert_eq!(start("America/Santiago", "2026-09-06"), "2026-09-06T01:00:00-03:00");
    assert_eq!(start("America/Santiago", "2026-04-05"), "2026-04-05T00:00:00-04:00");
}

#[test]
fn sparse_rules_are_found_fast() {
    let started = std::time::Instant::now();
    for (text, zone) in
        [("30 2 */28 2 MON#5", "Europe/Madrid"), ("0 0 29 2 *", "Asia/Gaza"), ("30 2 ? 3 SUN#2", "America/New_York")]
    {
        let schedule = with(text, zone, Gap::Skip, Overlap::Once);
        schedule.next_after(at("2026-11-21"));
    }
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
}
