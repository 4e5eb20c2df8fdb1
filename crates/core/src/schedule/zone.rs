//! Time zones: their names, their offsets, and the instants at which the clocks change. The data is the IANA database
//! of the `chrono-tz` crate, which knows the rules up to the year 2100; later the last known offset holds.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Offset as _, SecondsFormat, TimeZone as _};
use chrono_tz::{TZ_VARIANTS, Tz};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::calendar::DAY;
use super::{OVERLAP_MAX_S, in_document};
use crate::error::{Error, ErrorKind, Result};
use crate::naming::nearest;
use crate::time::Timestamp;

/// How far apart offsets are probed when looking for a change. Since 1970 no zone has changed twice within three days
/// (a test goes through them all).
const PROBE_S: i64 = 3 * 86_400;

/// The most names to offer for one that is unknown.
const NAMES_MAX: usize = 3;

/// A time zone of the IANA database, such as `America/Bogota`; UTC if nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Zone(Tz);

/// An instant at which the clocks of a zone are put forward or back; seconds throughout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    /// The first second of the new offset.
    pub at: i64,
    /// Local time minus UTC before it.
    pub before: i64,
    /// Local time minus UTC from then on.
    pub after: i64,
}

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(Tz::UTC);

    /// The name in the IANA database.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// Local time with its offset, for instance `2026-03-29T03:00:00+02:00`.
    pub fn local(self, at: Timestamp) -> String {
        DateTime::from_timestamp_micros(at.as_micros())
            .map(|utc| utc.with_timezone(&self.0).to_rfc3339_opts(SecondsFormat::AutoSi, false))
            .unwrap_or_else(|| at.to_string())
    }

    /// The first instant of a day, which is counted from 1970-01-01, on the clock of the zone. Where the clock jumps over
    /// midnight, it is the first one after that.
    pub fn start_of(self, day: i64) -> Timestamp {
        let midnight = day.saturating_mul(DAY);
        // nowhere does a day begin that long before it does in UTC
        let mut from = midnight.saturating_sub(OVERLAP_MAX_S);
        loop {
            let start = (midnight - self.offset(from)).max(from);
            match self.change(from, start) {
                None => return Timestamp::from_secs(start),
                Some(change) => from = change.at,
            }
        }
    }

    /// Local time minus UTC in seconds, at an instant in seconds since the epoch.
    pub(super) fn offset(self, second: i64) -> i64 {
        let utc = DateTime::from_timestamp(second, 0).unwrap_or_default().naive_utc();
        i64::from(self.0.offset_from_utc_datetime(&utc).fix().local_minus_utc())
    }

    /// The first change of the clocks after one instant, and at or before another.
    pub(super) fn change(self, after: i64, until: i64) -> Option<Change> {
        let before = self.offset(after);
        let mut low = after;
        while low < until {
            let mut high = low.saturating_add(PROBE_S).min(until);
            if self.offset(high) == before {
                low = high;
                continue;
            }
            while high - low > 1 {
                let middle = low + (high - low) / 2;
                *(if self.offset(middle) == before { &mut low } else { &mut high }) = middle;
            }
            return Some(Change { at: high, before, after: self.offset(high) });
        }
        None
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self::UTC
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Zone {
    type Err = Error;

    /// # Errors
    /// Config: no zone has this name.
    fn from_str(name: &str) -> Result<Self> {
        name.trim().parse().map(Self).map_err(|_| {
            let near = names_near(name.trim());
            let advice = if near.is_empty() {
                "Write a name of the IANA database, for instance `UTC`, `Europe/Madrid` or `America/Bogota`.".to_owned()
            } else {
                format!(
                    "Did you mean {}?",
                    near.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ")
                )
            };
            Error::new(ErrorKind::Config, format!("There is no time zone `{}`", name.trim())).advise(advice)
        })
    }
}

/// Names a person may have meant: of that city, or written almost so.
fn names_near(name: &str) -> Vec<&'static str> {
    let word = name.to_lowercase().replace([' ', '-'], "_");
    let names = || TZ_VARIANTS.iter().map(|zone| zone.name());
    let of_city = |name: &'static str| name.rsplit('/').next().unwrap_or(name);
    let city = word.rsplit('/').next().unwrap_or(&word);
    let mut near: Vec<&str> = names().filter(|name| of_city(name).to_lowercase() == city).take(NAMES_MAX).collect();
    if near.is_empty() {
        near.extend(nearest(&word, &names().collect::<Vec<_>>()));
        if let Some(city) = nearest(city, &names().map(of_city).collect::<Vec<_>>()) {
            near.extend(names().filter(|name| of_city(name) == city));
        }
        near.truncate(NAMES_MAX);
        near.dedup();
    }
    near
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(|error| D::Error::custom(in_document(&error)))
    }
}

impl JsonSchema for Zone {
    fn schema_name() -> Cow<'static, str> {
        "TimeZone".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A time zone of the IANA database; UTC if nothing is said.",
            "examples": ["UTC", "Europe/Madrid", "America/Bogota"],
        })
    }
}
