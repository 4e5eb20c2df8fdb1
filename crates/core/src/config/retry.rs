//! What happens when a task fails for a reason that may pass.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::amount::DurationText;

/// What happens when a task fails for a reason that may pass, as written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "a retry with the keys `attempts`, `backoff`, `initial` and `max`")]
pub struct RetryDocument {
    /// How often the task is tried in all; 3 by default.
    pub attempts: Option<u32>,
    /// How the pause grows: `exponential` (the default) or `constant`.
    pub backoff: Option<Backoff>,
    /// The first pause; `1s` by default.
    pub initial: Option<DurationText>,
    /// The longest pause; `1m` by default.
    pub max: Option<DurationText>,
}

/// How the pause between attempts grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// It doubles.
    #[default]
    Exponential,
    /// It stays the same.
    Constant,
}

/// What happens when a task fails for a reason that may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// How often it is tried in all, at least once.
    pub attempts: u32,
    /// How the pause grows.
    pub backoff: Backoff,
    /// The first pause.
    pub initial: Duration,
    /// The longest pause.
    pub max: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 3,
            backoff: Backoff::Exponential,
            initial: Duration::from_secs(1),
            max: Duration::from_secs(60),
        }
    }
}

impl Retry {
    /// One attempt, for what nobody said may be done twice.
    pub fn never() -> Self {
        Self { attempts: 1, ..Self::default() }
    }

    /// The pause after the given number of failed attempts.
    pub fn pause(&self, failed: u32) -> Duration {
        let factor = match self.backoff {
            Backoff::Constant => 1,
            Backoff::Exponential => 2u32.saturating_pow(failed.saturating_sub(1)),
        };
        self.initial.saturating_mul(factor).min(self.max)
    }
}

impl RetryDocument {
    /// What this says, and what another says where this says nothing.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            attempts: self.attempts.or(other.attempts),
            backoff: self.backoff.or(other.backoff),
            initial: self.initial.or(other.initial),
            max: self.max.or(other.max),
        }
    }
}

impl From<&RetryDocument> for Retry {
    fn from(document: &RetryDocument) -> Self {
        let default = Self::default();
        let initial = document.initial.map_or(default.initial, |text| text.0);
        Self {
            attempts: document.attempts.unwrap_or(default.attempts).max(1),
            backoff: document.backoff.unwrap_or_default(),
            initial,
            max: document.max.map_or(default.max, |text| text.0).max(initial),
        }
    }
}
