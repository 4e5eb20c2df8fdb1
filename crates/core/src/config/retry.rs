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

    /// The pause after the given number of failed attempts. A constant one is `initial`. An exponential one is between half
    /// and all of `d = min(max, initial * 2^(failed - 1))`: `d / 2 + u * d / 2`, where `u` in 0..1 comes of the seed alone. What
    /// failed together, because a system was down, does not come back to it all at once ("equal jitter": M. Brooker,
    /// Exponential Backoff And Jitter, AWS Architecture Blog, 2015).
    pub fn pause(&self, failed: u32, seed: u64) -> Duration {
        let grown = |factor: u32| self.initial.saturating_mul(factor).min(self.max);
        match self.backoff {
            Backoff::Constant => grown(1),
            Backoff::Exponential => {
                let half = grown(2u32.saturating_pow(failed.saturating_sub(1))) / 2;
                half + half.mul_f64(fraction(seed, failed))
            }
        }
    }
}

/// A number from 0 to below 1 that seems random: the `count`-th of SplitMix64 with this seed (Steele, Lea and Flood, Fast
/// Splittable Pseudorandom Number Generators, 2014).
fn fraction(seed: u64, count: u32) -> f64 {
    let mut bits = seed.wrapping_add(u64::from(count).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^= bits >> 31;
    // as many bits as a float holds exactly
    (bits >> 11) as f64 / (1u64 << 53) as f64
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

#[cfg(test)]
mod tests {
    use super::*;

    fn retry(backoff: Backoff) -> Retry {
        let (initial, max) = (Duration::from_secs(2), Duration::from_secs(60));
        Retry { attempts: 9, backoff, initial, max }
    }

    #[test]
    fn a_pause_is_between_half_and_all_of_what_has_grown() {
        let retry = retry(Backoff::Exponential);
        for (failed, all) in [(1, 2), (2, 4), (3, 8), (5, 32), (6, 60), (40, 60), (u32::MAX, 60)] {
            let all = Duration::from_secs(all);
            for seed in (0..1_000).chain([u64::MAX]) {
                let pause = retry.pause(failed, seed);
                assert!(pause >= all / 2 && pause <= all, "{failed} failures, seed {seed}: {pause:?}");
            }
        }
        let endless = Retry { initial: Duration::MAX, max: Duration::MAX, ..retry };
        assert!(endless.pause(9, 1) >= Duration::MAX / 2);
    }

    #[test]
    fn pauses_are_spread_by_their_seeds_alone() {
        let retry = retry(Backoff::Exponential);
        let pauses: Vec<f64> = (0..1_000).map(|seed| retry.pause(3, seed).as_secs_f64()).collect();
        for part in 4..8 {
            let here = pauses.iter().filter(|pause| (f64::from(part)..f64::from(part + 1)).contains(*pause)).count();
            assert!((180..320).contains(&here), "{here} of 1000 pauses from {part} s");
        }
        assert_eq!(retry.pause(3, 7), retry.pause(3, 7));
    }

    #[test]
    fn a_constant_pause_is_what_was_asked_for() {
        let retry = retry(Backoff::Constant);
        assert!((1..9).all(|failed| retry.pause(failed, u64::from(failed)) == Duration::from_secs(2)));
        let capped = Retry { max: Duration::from_secs(1), ..retry };
        assert_eq!(capped.pause(1, 1), Duration::from_secs(1));
    }
}
