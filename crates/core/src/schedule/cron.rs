//! Cron expressions: five fields, or six with seconds first, with names, ranges, steps, lists, `?`, Quartz's `L`, `W` and
//! `#` in the day fields, and macros such as `@daily`. Days of the week are counted as in crontab(5): Sunday is 0 or 7.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::calendar::{Days, Times, Weekdays};
use super::in_document;
use crate::error::{Error, ErrorKind, Result};
use crate::naming::{did_you_mean, nearest};

/// The longest expression that is read.
const LENGTH_MAX: usize = 1_000;

const MACROS: &[(&str, &str)] = &[
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// A cron expression that has been read and can fire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    text: String,
    is_fixed: bool,
    times: Times,
}

impl Cron {
    /// Whether hours, minutes and seconds are all plain numbers or lists of them: a rule for certain times of the day,
    /// which a change of the clocks must neither drop nor double. A rule with `*`, a range or a step among them recurs
    /// within the day instead, and follows the hours that there really are.
    pub fn is_fixed(&self) -> bool {
        self.is_fixed
    }

    /// The first civil time named at or after another; see [`Times::next`].
    pub(super) fn next(&self, from: i64) -> Option<i64> {
        self.times.next(from)
    }
}

impl FromStr for Cron {
    type Err = Error;

    /// # Errors
    /// Config: the expression is malformed, or names no date that exists.
    fn from_str(text: &str) -> Result<Self> {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if text.len() > LENGTH_MAX {
            return Err(config("The cron expression is too long").advise(format!("{LENGTH_MAX} bytes are the most.")));
        }
        let plain = if text.starts_with('@') { of_macro(&text)? } else { &text };
        let parts: Vec<&str> = plain.split(' ').filter(|part| !part.is_empty()).collect();
        let (seconds, [minutes, hours, days, months, weekdays]) = match *parts.as_slice() {
            [minutes, hours, days, months, weekdays] => ("0", [minutes, hours, days, months, weekdays]),
            [seconds, minutes, hours, days, months, weekdays] => (seconds, [minutes, hours, days, months, weekdays]),
            _ => return Err(wrong_count(&text, parts.len())),
        };
        let is_fixed = [seconds, minutes, hours].iter().all(|field| !field.contains(['*', '-', '/']));
        let read = |field: &Field, part: &str| field.read(part).map_err(|wrong| wrong.in_field(field, &text));
        let times = Times {
            seconds: read(&SECOND, seconds)?,
            minutes: read(&MINUTE, minutes)?,
            hours: read(&HOUR, hours)?,
            days: read_days(days).map_err(|wrong| wrong.in_field(&DAY, &text))?,
            months: read(&MONTH, months)?,
            weekdays: read_weekdays(weekdays).map_err(|wrong| wrong.in_field(&WEEKDAY, &text))?,
        };
        if times.next(0).is_none() {
            return Err(never(&text, &times));
        }
        Ok(Self { text, is_fixed, times })
    }
}

/// One field: what it is called and which values it takes.
struct Field {
    name: &'static str,
    min: u64,
    max: u64,
    /// Names of the values from `min` on.
    names: &'static [&'static str],
    example: &'static str,
}

const SECOND: Field = Field { name: "second", min: 0, max: 59, names: &[], example: "`0`, `0,30` or `*/15`" };
const MINUTE: Field =
    Field { name: "minute", min: 0, max: 59, names: &[], example: "`0`, `0,30`, `10-20`, `*/15` or `*`" };
const HOUR: Field = Field { name: "hour", min: 0, max: 23, names: &[], example: "`6`, `6,18`, `8-17`, `*/4` or `*`" };
const DAY: Field =
    Field { name: "day-of-month", min: 1, max: 31, names: &[], example: "`1`, `1,15`, `1-7`, `L`, `15W`, `LW` or `*`" };
const MONTH: Field = Field {
    name: "month",
    min: 1,
    max: 12,
    names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
    example: "`1`, `JAN`, `JAN,JUL`, `3-5` or `*`",
};
const WEEKDAY: Field = Field {
    name: "day-of-week",
    min: 0,
    max: 7,
    names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
    example: "`MON`, `MON-FRI`, `6,7`, `FRI#2`, `5L` or `*`",
};

/// What is wrong with one part of a field, and what to write.
struct Wrong {
    part: String,
    what: String,
    advice: Option<String>,
}

impl Wrong {
    fn new(part: &str, what: impl Into<String>) -> Self {
        Self { part: part.to_owned(), what: what.into(), advice: None }
    }

    fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    fn in_field(self, field: &Field, text: &str) -> Error {
        let advice = self.advice.unwrap_or_else(|| format!("Write for instance {}.", field.example));
        config(format!("`{}` in the {} field of `{text}` {}", self.part, field.name, self.what)).advise(advice)
    }
}

impl Field {
    /// The set of a whole field without the marks that only day fields know.
    fn read(&self, field: &str) -> Result<u64, Wrong> {
        field.split(',').try_fold(0, |set, part| Ok(set | self.part(part)?))
    }

    /// The set of one part: `*`, a value, a range, each perhaps with a step.
    fn part(&self, part: &str) -> Result<u64, Wrong> {
        let (base, step) = match part.split_once('/') {
            Some((base, step)) => (base, Some(self.step(part, step)?)),
            None => (part, None),
        };
        let (first, last) = if base == "*" {
            (self.min, self.last())
        } else if let Some((first, last)) = base.split_once('-').filter(|(first, _)| !first.is_empty()) {
            self.range(part, first, last)?
        } else {
            let value = self.value(base)?;
            // As in Quartz, `5/15` means from 5 on in steps of 15.
            (value, if step.is_some() { value.max(self.last()) } else { value })
        };
        Ok((first..=last).step_by(step.unwrap_or(1)).fold(0, |set, value| set | 1 << value))
    }

    /// Where `*` and an open step end: a week ends on Saturday, although Sunday may be written as 7.
    fn last(&self) -> u64 {
        if self.is_weekday() { 6 } else { self.max }
    }

    fn is_weekday(&self) -> bool {
        self.max == WEEKDAY.max
    }

    fn step(&self, part: &str, step: &str) -> Result<usize, Wrong> {
        let max = self.max.max(2) as usize;
        step.parse()
            .ok()
            .filter(|step| (1..=max).contains(step))
            .ok_or_else(|| Wrong::new(part, format!("has a step that is not a number from 1 to {max}")))
    }

    fn range(&self, part: &str, first: &str, last: &str) -> Result<(u64, u64), Wrong> {
        let (low, mut high) = (self.value(first)?, self.value(last)?);
        if high == 0 && low > 0 && self.is_weekday() {
            high = 7;
        }
        if low > high {
            let (end, start) = (self.last(), self.min);
            let range = |from: u64, to: u64| {
                let name = |value: u64| match self.names.get((value - self.min) as usize) {
                    Some(name) if first.starts_with(|c: char| c.is_ascii_alphabetic()) => (*name).to_owned(),
                    _ => value.to_string(),
                };
                if from >= to { name(from) } else { format!("{}-{}", name(from), name(to)) }
            };
            let advice = format!("Write `{},{}` to go on from the start.", range(low, end), range(start, high));
            return Err(Wrong::new(part, "runs backwards").advise(advice));
        }
        Ok((low, high))
    }

    /// One value, by number or name.
    fn value(&self, word: &str) -> Result<u64, Wrong> {
        if let Some(index) = self.names.iter().position(|name| name.eq_ignore_ascii_case(word)) {
            return Ok(self.min + index as u64);
        }
        if word.is_empty() {
            return Err(Wrong::new(word, "is empty where a value should stand"));
        }
        if word.chars().all(|c| c.is_ascii_digit()) {
            return word
                .parse()
                .ok()
                .filter(|value| (self.min..=self.max).contains(value))
                .ok_or_else(|| Wrong::new(word, format!("is not between {} and {}", self.min, self.max)));
        }
        if word == "?" {
            return Err(
                Wrong::new(word, "has no meaning there").advise("Write `*`, or `?` as the whole of a day field.")
            );
        }
        let upper = word.to_uppercase();
        let near = self
            .names
            .iter()
            .find(|name| upper.starts_with(**name))
            .copied()
            .or_else(|| nearest(&upper, self.names).filter(|_| upper.len() > 1));
        let named = match self.names {
            [first, .., last] => format!(" or {first} to {last}"),
            _ => String::new(),
        };
        let wrong = Wrong::new(word, format!("is not a {}", self.name));
        Err(wrong.advise(format!("{}Write {} to {}{named}.", did_you_mean(near), self.min, self.max)))
    }
}

fn read_days(field: &str) -> Result<Days, Wrong> {
    let mut days = Days { is_restricted: !field.starts_with(['*', '?']), ..Days::default() };
    if field == "?" {
        days.listed = DAY.read("*")?;
        return Ok(days);
    }
    for part in field.split(',') {
        let upper = part.to_uppercase();
        let (base, is_nearest) = match upper.strip_suffix('W') {
            Some(base) => (base, true),
            None => (upper.as_str(), false),
        };
        let only_days =
            || Wrong::new(part, "puts `W` after something other than one day").advise("Write `15W`, `LW` or `L-3W`.");
        if let Some(rest) = base.strip_prefix('L') {
            let before = match rest.strip_prefix('-') {
                None if rest.is_empty() => 0,
                Some(number) => number.parse().ok().filter(|n| (0..=30).contains(n)).ok_or_else(|| last_days(part))?,
                None => return Err(last_days(part)),
            };
            *(if is_nearest { &mut days.nearest_from_last } else { &mut days.from_last }) |= 1 << before;
        } else if is_nearest {
            if base.is_empty() || base.contains(['-', '/', '*']) {
                return Err(only_days());
            }
            days.nearest |= 1 << DAY.value(base)?;
        } else {
            days.listed |= DAY.part(part)?;
        }
    }
    Ok(days)
}

fn last_days(part: &str) -> Wrong {
    Wrong::new(part, "is no day counted from the end").advise("Write `L` for the last day, or `L-1` to `L-30`.")
}

fn read_weekdays(field: &str) -> Result<Weekdays, Wrong> {
    let mut days = Weekdays { is_restricted: !field.starts_with(['*', '?']), ..Weekdays::default() };
    if field == "?" {
        days.listed = WEEKDAY.read("*")?;
        return Ok(days);
    }
    for part in field.split(',') {
        if let Some((day, nth)) = part.split_once('#') {
            let nth: u32 = nth.parse().ok().filter(|nth| (1..=5).contains(nth)).ok_or_else(|| {
                Wrong::new(part, "asks for a week that is not 1 to 5")
                    .advise("Write for instance `MON#1`, or `MONL` for the last one.")
            })?;
            if let Some(set) = days.nth.get_mut(WEEKDAY.value(day)? as usize % 7) {
                *set |= 1 << nth;
            }
        } else if let Some(day) = part.strip_suffix(['L', 'l']) {
            if day.is_empty() {
                return Err(Wrong::new(part, "does not say which day")
                    .advise("Write `6L` for the last Saturday of the month, `6` for every one."));
            }
            days.last |= 1 << (WEEKDAY.value(day)? % 7);
        } else {
            let set = WEEKDAY.part(part)?;
            days.listed |= set & 0x7f | set >> 7;
        }
    }
    Ok(days)
}

fn of_macro(text: &str) -> Result<&'static str> {
    let word = text.split(' ').next().unwrap_or(text).to_ascii_lowercase();
    if word == "@reboot" {
        return Err(config("`@reboot` is not a time").advise(
            "Pipelines do not depend on when a machine starts: write a time such as `@hourly`, and `catchup: last` makes \
             up for one missed while Levada was down.",
        ));
    }
    if word == "@every" {
        let interval = text.split_once(' ').map_or("5m", |(_, interval)| interval);
        return Err(
            config(format!("`{text}` is an interval")).advise(format!("Write `every: {interval}` in place of `cron`."))
        );
    }
    MACROS.iter().find(|(name, _)| text.eq_ignore_ascii_case(name)).map(|(_, plain)| *plain).ok_or_else(|| {
        let names: Vec<&str> = MACROS.iter().map(|(name, _)| *name).collect();
        let advice = format!("{}There are {}.", did_you_mean(nearest(&word, &names)), names.join(", "));
        config(format!("There is no cron macro `{text}`")).advise(advice)
    })
}

fn wrong_count(text: &str, count: usize) -> Error {
    let advice = if count == 7 {
        "Leave out the seventh field: years are not supported."
    } else {
        "For instance, `30 6 * * MON-FRI` is 06:30 on working days."
    };
    let fields = if count == 1 { "field" } else { "fields" };
    config(format!(
        "`{text}` has {count} {fields}, and a cron expression has five (minute, hour, day of month, month, day of week), or \
         six with seconds first"
    ))
    .advise(advice)
}

fn never(text: &str, times: &Times) -> Error {
    const LENGTHS: [(&str, u32); 12] = [
        ("January", 31),
        ("February", 29),
        ("March", 31),
        ("April", 30),
        ("May", 31),
        ("June", 30),
        ("July", 31),
        ("August", 31),
        ("September", 30),
        ("October", 31),
        ("November", 30),
        ("December", 31),
    ];
    let error = config(format!("`{text}` can never fire"));
    let months = (1..).zip(LENGTHS).filter(|(number, _)| times.months >> number & 1 == 1).map(|(_, month)| month);
    match months.max_by_key(|(_, length)| *length) {
        Some((name, length)) if (times.days.listed | times.days.nearest) >> (length + 1) != 0 => {
            error.advise(format!("{name} has {length} days at most; `L` is the last day of a month."))
        }
        _ => error.advise("No date fits both its day fields and its month field."),
    }
}

fn config(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, message)
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Cron {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Cron {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(|error| D::Error::custom(in_document(&error)))
    }
}

impl JsonSchema for Cron {
    fn schema_name() -> Cow<'static, str> {
        "Cron".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "Minute, hour, day of month, month and day of week; with seconds first if there are six \
                            fields; or a macro such as @daily.",
            "examples": ["*/15 * * * *", "30 6 * * MON-FRI", "0 0 L * *", "@daily"],
        })
    }
}
