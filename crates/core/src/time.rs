//! Instants, and where they come from: nothing below the binary reads the clock by itself, it is handed a [`Clock`].

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::text;

/// Microseconds in a second.
const US: i64 = 1_000_000;

/// An instant: microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// Where instants come from. Tests hand in one that they move by hand.
pub trait Clock: Send + Sync {
    /// The instant it is.
    fn now(&self) -> Timestamp;
}

impl Timestamp {
    /// From microseconds since the epoch.
    pub const fn from_micros(us: i64) -> Self {
        Self(us)
    }

    /// From whole seconds since the epoch.
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(US))
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(US)
    }

    /// RFC 3339 text, or `2026-01-31T00:00:00` and `2026-01-31`, which mean UTC.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(days) = text::parse_date(text) {
            return days.checked_mul(86_400 * US).map(Self);
        }
        let (seconds, nanos, _) = text::parse_timestamp(text)?;
        seconds.checked_mul(US)?.checked_add(i64::from(nanos) / 1_000).map(Self)
    }

    /// The later instant; the end of time if there is none.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// The earlier instant; the start of time if there is none.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How long after another instant; zero if it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time", "description": "An instant, RFC 3339 in UTC." })
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        text::write_timestamp(&mut text, self.0, true);
        f.write_str(&text)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("not an instant such as 2026-01-31T08:00:00Z"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn text_there_and_back() {
        for text in ["1970-01-01T00:00:00Z", "2026-11-21T14:00:00.123456Z", "1969-12-31T23:59:59.5Z"] {
            assert_eq!(Timestamp::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Timestamp::parse("2026-01-31"), Timestamp::parse("2026-01-31T00:00:00Z"));
        assert_eq!(Timestamp::parse("2026-01-31T01:00:00+01:00"), Timestamp::parse("2026-01-31T00:00:00Z"));
        assert_eq!(Timestamp::parse("soon"), None);
    }

    #[test]
    fn the_ends_of_time_hold() {
        let end = Timestamp::from_micros(i64::MAX);
        assert_eq!(end.plus(Duration::from_secs(1)), end);
        assert_eq!(Timestamp::from_secs(1).since(end), Duration::ZERO);
    }
}
