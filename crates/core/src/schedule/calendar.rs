//! Which civil times a cron expression names, as sets, and the search for the next one. Knows no time zone.

use crate::text::{civil_from_days, days_from_civil};

/// Seconds in a day.
pub(super) const DAY: i64 = 86_400;

/// Months in the Gregorian calendar's cycle of 400 years: what does not occur in one cycle never does.
const CYCLE_MONTHS: usize = 4_800;

/// The civil times a cron expression names. Bit n of a set stands for the number n.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Times {
    pub seconds: u64,
    pub minutes: u64,
    pub hours: u64,
    pub months: u64,
    pub days: Days,
    pub weekdays: Weekdays,
}

/// Days counted within a month.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Days {
    /// Whether the field says anything (it does not begin with `*` or `?`).
    pub is_restricted: bool,
    /// 1 to 31.
    pub listed: u64,
    /// `15W`: the working day nearest to a day.
    pub nearest: u64,
    /// `L` and `L-3`: bit n is the n-th day before the last.
    pub from_last: u64,
    /// `LW` and `L-3W`: the working day nearest to the n-th day before the last.
    pub nearest_from_last: u64,
}

/// Days counted within a week, Sunday = 0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Weekdays {
    /// Whether the field says anything (it does not begin with `*` or `?`).
    pub is_restricted: bool,
    /// 0 to 6.
    pub listed: u64,
    /// `5L`: the last such day of the month.
    pub last: u64,
    /// `1#2`: bit n of element d is the n-th day d of the month.
    pub nth: [u64; 7],
}

impl Times {
    /// The first civil time named at or after another; both in seconds of a clock that has never been put forward or
    /// back, with 0 at 1970-01-01T00:00:00. None if the calendar has no such date at all.
    pub fn next(&self, from: i64) -> Option<i64> {
        let (today, second) = (from.div_euclid(DAY), from.rem_euclid(DAY));
        let (mut year, mut month, day) = civil_from_days(today);
        let mut days = self.days_of(year, month);
        if contains(days, i64::from(day))
            && let Some(second) = self.next_second(second)
        {
            return Some(today * DAY + second);
        }
        let first = self.next_second(0)?;
        days &= !0 << (day + 1);
        for _ in 0..=CYCLE_MONTHS {
            if days != 0 {
                return Some(days_from_civil(year, month, days.trailing_zeros())? * DAY + first);
            }
            (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
            days = self.days_of(year, month);
        }
        None
    }

    /// The first second of the day named at or after another.
    fn next_second(&self, from: i64) -> Option<i64> {
        let (hour, minute, second) = (from / 3600, from / 60 % 60, from % 60);
        let first_second = next_bit(self.seconds, 0)?;
        if contains(self.hours, hour) {
            if contains(self.minutes, minute)
                && let Some(second) = next_bit(self.seconds, second)
            {
                return Some(hour * 3600 + minute * 60 + second);
            }
            if let Some(minute) = next_bit(self.minutes, minute + 1) {
                return Some(hour * 3600 + minute * 60 + first_second);
            }
        }
        let hour = next_bit(self.hours, hour + 1)?;
        Some(hour * 3600 + next_bit(self.minutes, 0)? * 60 + first_second)
    }

    /// The days named in one month.
    fn days_of(&self, year: i64, month: u32) -> u64 {
        if !contains(self.months, i64::from(month)) {
            return 0;
        }
        let Some(shape) = Month::of(year, month) else { return 0 };
        let (days, weekdays) = (self.days.within(&shape), self.weekdays.within(&shape));
        // crontab(5): a day has to fit one of the two fields if both say something, and both otherwise.
        if self.days.is_restricted && self.weekdays.is_restricted { days | weekdays } else { days & weekdays }
    }
}

/// The shape of one month: how long it is and on which day of the week it begins.
struct Month {
    length: i64,
    first_weekday: i64,
}

impl Month {
    fn of(year: i64, month: u32) -> Option<Self> {
        let first = days_from_civil(year, month, 1)?;
        let length = (28..=31).rev().find(|day| days_from_civil(year, month, *day).is_some())?;
        // 1970-01-01 was a Thursday.
        Some(Self { length: i64::from(length), first_weekday: (first + 4).rem_euclid(7) })
    }

    fn weekday(&self, day: i64) -> i64 {
        (self.first_weekday + day - 1) % 7
    }

    /// The working day (Monday to Friday) nearest to a day, without leaving the month.
    fn nearest_working_day(&self, day: i64) -> i64 {
        match self.weekday(day) {
            6 if day == 1 => 3,
            6 => day - 1,
            0 if day == self.length => day - 2,
            0 => day + 1,
            _ => day,
        }
    }
}

impl Days {
    fn within(&self, month: &Month) -> u64 {
        let mut days = self.listed & !(!0 << (month.length + 1));
        for day in 1..=month.length {
            let from_last = month.length - day;
            if contains(self.from_last, from_last) {
                days |= 1 << day;
            }
            if contains(self.nearest, day) || contains(self.nearest_from_last, from_last) {
                days |= 1 << month.nearest_working_day(day);
            }
        }
        days
    }
}

impl Weekdays {
    fn within(&self, month: &Month) -> u64 {
        let mut days = 0;
        for day in 1..=month.length {
            let weekday = month.weekday(day);
            let is_last = day + 7 > month.length;
            let nth = self.nth.get(weekday as usize).copied().unwrap_or_default();
            if contains(self.listed, weekday)
                || contains(self.last, weekday) && is_last
                || contains(nth, (day - 1) / 7 + 1)
            {
                days |= 1 << day;
            }
        }
        days
    }
}

/// Whether a set holds a number below 64.
fn contains(set: u64, number: i64) -> bool {
    set >> number & 1 == 1
}

/// The smallest number of a set that is at least `from`, which is at most 60.
fn next_bit(set: u64, from: i64) -> Option<i64> {
    let rest = set & (!0 << from);
    (rest != 0).then(|| i64::from(rest.trailing_zeros()))
}
