//! The clocks of the world, by brute force: every minute of UTC is turned into local time, and the policies are applied
//! to that list as the manual words them. Shares no code with what it tests but the crate that knows the zones.

use std::collections::HashSet;

use chrono::{DateTime, Datelike as _, Offset as _, TimeZone as _};

use super::*;

/// Zones with every kind of change in 2025 and 2026, and some without one.
const ZONES: [&str; 20] = [
    "Africa/Cairo",        // gap at midnight
    "Africa/Casablanca",   // clocks put back for Ramadan
    "America/Asuncion",    // no change since 2024
    "America/Bogota",      // none
    "America/Havana",      // gap at midnight, overlap back over midnight
    "America/Los_Angeles", //
    "America/New_York",    //
    "America/Nuuk",        // gap from 23:00 to midnight
    "America/Santiago",    // gap at midnight, in September
    "America/St_Johns",    // half an hour off
    "Asia/Beirut",         // gap at midnight
    "Asia/Gaza",           // changes about Ramadan
    "Asia/Jerusalem",      // begins on a Friday
    "Atlantic/Azores",     // gap from 00:00 to 01:00, overlap back to midnight
    "Australia/Lord_Howe", // half an hour
    "Australia/Sydney",    //
    "Europe/Dublin",       // negative daylight saving
    "Europe/Madrid",       //
    "Pacific/Chatham",     // three quarters of an hour off
    "Pacific/Norfolk",     //
];

/// Years in which something rare happened.
const RARITIES: [(&str, i64); 6] = [
    ("Pacific/Apia", 2011),      // 30 December left out
    ("America/Sao_Paulo", 2018), // gap at midnight
    ("Asia/Pyongyang", 2018),    // 23:30 to midnight
    ("Africa/Cairo", 2014),      // four changes
    ("Pacific/Kwajalein", 1993), // 21 August left out
    ("America/Caracas", 2016),   // half an hour forward for good
];

/// A rule as an expression and as the oracle reads it: minutes of the day, and days.
struct Case {
    text: &'static str,
    is_fixed: bool,
    minute: fn(i64) -> bool,
    day: fn(i64) -> bool,
}

const ANY_DAY: fn(i64) -> bool = |_| true;

const CASES: [Case; 16] = [
    Case { text: "30 2 * * *", is_fixed: true, minute: |m| m == 150, day: ANY_DAY },
    Case { text: "0 0 * * *", is_fixed: true, minute: |m| m == 0, day: ANY_DAY },
    Case { text: "30 0 * * *", is_fixed: true, minute: |m| m == 30, day: ANY_DAY },
    Case { text: "15,45 1 * * *", is_fixed: true, minute: |m| m == 75 || m == 105, day: ANY_DAY },
    Case {
        text: "0,30 0,1,2,3,23 * * *",
        is_fixed: true,
        minute: |m| m % 30 == 0 && !(240..1380).contains(&m),
        day: ANY_DAY,
    },
    Case { text: "59 23 * * *", is_fixed: true, minute: |m| m == 1439, day: ANY_DAY },
    Case { text: "15 2 * * SUN", is_fixed: true, minute: |m| m == 135, day: |d| (d + 4) % 7 == 0 },
    Case { text: "45 23 * * SAT", is_fixed: true, minute: |m| m == 1425, day: |d| (d + 4) % 7 == 6 },
    Case { text: "0 12 30,31 * *", is_fixed: true, minute: |m| m == 720, day: |d| date(d).day() >= 30 },
    Case { text: "*/15 * * * *", is_fixed: false, minute: |m| m % 15 == 0, day: ANY_DAY },
    Case { text: "0 * * * *", is_fixed: false, minute: |m| m % 60 == 0, day: ANY_DAY },
    Case { text: "30 */2 * * *", is_fixed: false, minute: |m| m % 120 == 30, day: ANY_DAY },
    Case { text: "0 0-6 * * *", is_fixed: false, minute: |m| m % 60 == 0 && m <= 360, day: ANY_DAY },
    Case { text: "*/20 2 * * *", is_fixed: false, minute: |m| m % 20 == 0 && m / 60 == 2, day: ANY_DAY },
    Case {
        text: "10-50/10 0,1,23 * * *",
        is_fixed: false,
        minute: |m| m % 60 / 10 > 0 && m % 10 == 0 && [0, 1, 23].contains(&(m / 60)),
        day: ANY_DAY,
    },
    Case { text: "* 1 * * SUN", is_fixed: false, minute: |m| m / 60 == 1, day: |d| (d + 4) % 7 == 0 },
];

fn date(day: i64) -> chrono::NaiveDate {
    DateTime::from_timestamp(day * 86_400, 0).unwrap().date_naive()
}

/// Local minutes since 1970 for every minute of UTC.
fn walk(zone: &str, from: i64, until: i64) -> Vec<i64> {
    let zone: chrono_tz::Tz = zone.parse().unwrap();
    (from..until)
        .map(|minute| {
            let utc = DateTime::from_timestamp(minute * 60, 0).unwrap().naive_utc();
            minute + i64::from(zone.offset_from_utc_datetime(&utc).fix().local_minus_utc()) / 60
        })
        .collect()
}

/// Why a rule may fire at a minute of UTC.
#[derive(Clone, Copy)]
struct Reasons {
    minute: i64,
    /// The clock shows a time it names.
    is_named: bool,
    /// It has shown this time before.
    is_again: bool,
    /// The clock has just jumped over a time it names, of a day that it has not left out.
    is_jumped: bool,
}

/// For every rule, all minutes for which there is a reason. Bit n of a set stands for rule n.
fn reasons(from: i64, walk: &[i64]) -> Vec<Vec<Reasons>> {
    let set =
        |names: &dyn Fn(&Case) -> bool| (0..).zip(&CASES).fold(0, |set, (n, case)| set | u32::from(names(case)) << n);
    let of_day: Vec<u32> = (0..1440).map(|minute| set(&|case| (case.minute)(minute))).collect();
    let (first_day, last_day) = (walk.iter().min().unwrap() / 1440, walk.iter().max().unwrap() / 1440);
    let days: Vec<u32> = (first_day..=last_day).map(|day| set(&|case| (case.day)(day))).collect();
    let named = |local: i64| of_day[(local % 1440) as usize] & days[(local / 1440 - first_day) as usize];

    let (mut reasons, mut shown) = (vec![Vec::new(); CASES.len()], HashSet::new());
    let mut before = walk[0] - 1;
    for (minute, local) in (from..).zip(walk.iter().copied()) {
        let (now, mut jumped) = (named(local), 0);
        if local > before + 1 {
            let left_out = |day: i64| before < day * 1440 && local >= (day + 1) * 1440;
            let missing = (before + 1..local).filter(|missing| !left_out(missing / 1440));
            jumped = missing.fold(0, |set, missing| set | named(missing));
        }
        if now | jumped != 0 {
            let is_again = !shown.insert(local);
            for (n, reasons) in reasons.iter_mut().enumerate().filter(|(n, _)| (now | jumped) >> n & 1 == 1) {
                let (is_named, is_jumped) = (now >> n & 1 == 1, jumped >> n & 1 == 1);
                reasons.push(Reasons { minute, is_named, is_again, is_jumped });
            }
        }
        before = local;
    }
    reasons
}

/// Whether a rule fires for a reason, in the words of the manual.
fn fires(case: &Case, gap: Gap, overlap: Overlap, reason: Reasons) -> bool {
    if !case.is_fixed {
        return reason.is_named;
    }
    let jumped = reason.is_jumped && gap == Gap::Shift;
    let shown = reason.is_named && (!reason.is_again || overlap == Overlap::Both);
    jumped || shown
}

/// Compares the fires of all rules, and says how many there were.
fn compare(zone: &str, from: &str, until: &str) -> usize {
    let (from, until) = (at(from).as_secs() / 60, at(until).as_secs() / 60);
    let (after, end) = (Timestamp::from_secs(from * 60 - 1), Timestamp::from_secs(until * 60 - 1));
    let walk = walk(zone, from, until);
    let mut compared = 0;
    for (case, reasons) in CASES.iter().zip(reasons(from, &walk)) {
        for (gap, overlap) in [
            (Gap::Shift, Overlap::Once),
            (Gap::Skip, Overlap::Both),
            (Gap::Shift, Overlap::Both),
            (Gap::Skip, Overlap::Once),
        ] {
            let schedule = Schedule { gap, overlap, ..schedule(case.text, zone) };
            let wanted = reasons.iter().filter(|reason| fires(case, gap, overlap, **reason));
            let wanted: Vec<Timestamp> = wanted.map(|reason| Timestamp::from_secs(reason.minute * 60)).collect();
            let found: Vec<Timestamp> = schedule.fires(after, end).collect();
            if let Some((ours, theirs)) = found.iter().zip(&wanted).find(|(ours, theirs)| ours != theirs) {
                let (ours, theirs) = (schedule.local(*ours), schedule.local(*theirs));
                panic!("{} in {zone}, {gap:?} {overlap:?}: {ours} and not {theirs}", case.text);
            }
            assert_eq!(found.len(), wanted.len(), "{} in {zone}, {gap:?} {overlap:?}", case.text);
            compared += found.len();
            if !case.is_fixed && overlap == Overlap::Both {
                break;
            }
        }
    }
    compared
}

#[test]
fn the_clocks_of_twenty_zones_for_two_years() {
    let compared: usize = ZONES.iter().map(|zone| compare(zone, "2025-01-01", "2027-01-01")).sum();
    assert!(compared > 1_000_000, "{compared}");
}

#[test]
fn rare_changes_of_the_clocks() {
    for (zone, year) in RARITIES {
        compare(zone, &format!("{year}-01-01"), &format!("{}-01-01", year + 1));
    }
}

#[test]
fn no_zone_changes_twice_between_two_probes() {
    const STEP_S: i64 = 12 * 3_600;
    let (from, until) = (at("1970-01-02").as_secs(), at("2050-01-01").as_secs());
    for zone in chrono_tz::TZ_VARIANTS {
        let zone: Zone = zone.name().parse().unwrap();
        let (mut second, mut offset, mut seen) = (from, zone.offset(from), Vec::new());
        while second < until {
            second += STEP_S;
            let next = zone.offset(second);
            if next != offset {
                seen.push((second, next));
                offset = next;
            }
        }
        let mut found = Vec::new();
        let mut after = from;
        while let Some(change) = zone.change(after, until) {
            assert_eq!((zone.offset(change.at - 1), zone.offset(change.at)), (change.before, change.after));
            let probe = from + (change.at - from + STEP_S - 1).div_euclid(STEP_S) * STEP_S;
            found.push((probe, change.after));
            after = change.at;
        }
        assert_eq!(found, seen, "{zone}");
    }
}
