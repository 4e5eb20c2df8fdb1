//! When the next request may be sent: the connection's own rate, the pauses that a server asks for, and the pauses between
//! attempts.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// The longest pause between two attempts that no server asked for.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Spreads the requests of a connection.
pub struct Pace {
    interval: Duration,
    next: Mutex<Instant>,
}

impl Pace {
    /// With so much time between two requests.
    pub fn new(interval: Option<Duration>) -> Self {
        Self { interval: interval.unwrap_or_default(), next: Mutex::new(Instant::now()) }
    }

    /// Waits for the turn of one request.
    pub async fn turn(&self) {
        let now = Instant::now();
        let slot = self.slot(now).await;
        if slot > now {
            sleep_until(slot).await;
        }
    }

    async fn slot(&self, now: Instant) -> Instant {
        let mut next = self.next.lock().await;
        let slot = (*next).max(now);
        *next = slot + self.interval;
        slot
    }

    /// Lets no request of the connection go for so long, as the server asked.
    pub async fn rest(&self, pause: Duration) {
        let mut next = self.next.lock().await;
        *next = (*next).max(Instant::now() + pause);
    }
}

/// The pause before the next attempt: it doubles, and no two clients keep step.
pub fn pause(first: Duration, failed: u32) -> Duration {
    let whole = first.saturating_mul(1 << failed.saturating_sub(1).min(16)).min(PAUSE_MAX);
    let chance = (uuid::Uuid::new_v4().as_u128() % 1000) as u32;
    whole / 2 + whole / 2 * chance / 1000
}

/// What `Retry-After` asks for (RFC 9110, 10.2.3): seconds, or an instant.
pub fn retry_after(header: &str, now: chrono::DateTime<chrono::Utc>) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = chrono::DateTime::parse_from_rfc2822(header).ok()?;
    Some((at.with_timezone(&chrono::Utc) - now).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn pauses_double_to_a_limit() {
        let first = Duration::from_millis(100);
        for (failed, most) in [(1, 100), (2, 200), (5, 1600), (60, 30_000)] {
            let pause = pause(first, failed).as_millis();
            assert!((most / 2..=most).contains(&pause), "{failed}: {pause}");
        }
    }

    #[test]
    fn a_server_asks_in_seconds_or_for_an_instant() {
        let now = chrono::DateTime::parse_from_rfc3339("2026-01-02T03:04:05Z").unwrap().to_utc();
        assert_eq!(retry_after(" 7 ", now), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("Fri, 02 Jan 2026 03:04:15 GMT", now), Some(Duration::from_secs(10)));
        assert_eq!(retry_after("Fri, 02 Jan 2026 03:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
    }

    #[tokio::test]
    async fn requests_keep_their_distance() {
        let pace = Pace::new(Some(Duration::from_secs(1)));
        let start = Instant::now() + Duration::from_secs(5);
        let mut slots = Vec::new();
        for _ in 0..3 {
            slots.push((pace.slot(start).await - start).as_secs());
        }
        assert_eq!(slots, [0, 1, 2]);
        pace.rest(Duration::from_secs(600)).await;
        assert!(pace.slot(start).await > start + Duration::from_secs(500));
    }
}
