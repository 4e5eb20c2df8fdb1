//! Pauses after passwords that were wrong: per name and per address, longer each time, never for ever. Takes bounded memory,
//! whoever comes. Somebody who signed in from an address before is not kept out by others who guess at their name.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use levada_core::time::Timestamp;

/// Attempts before the first pause: with one name, and from one address, which many people can have in common.
const FREE: (u32, u32) = (5, 20);
/// The first pause, which doubles with each attempt, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));
/// When attempts are forgotten after the last one.
const MEMORY: Duration = Duration::from_secs(3_600);
/// Most names, addresses and pairs remembered.
const KEPT_MAX: usize = 20_000;
/// Bytes of a name that tell it from others.
const NAME_MAX: usize = 100;

/// Who made wrong attempts, and how many.
#[derive(Default)]
pub struct Backoff {
    kept: Mutex<HashMap<Key, Entry>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Name(String),
    /// A name from an address where its owner has signed in before.
    Known(String, IpAddr),
    Address(IpAddr),
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    attempts: u32,
    last: Timestamp,
}

/// An attempt that was let through, and counts as wrong until it is told to be right.
#[derive(Debug)]
#[must_use]
pub struct Attempt {
    name: Key,
    address: Option<Key>,
}

impl Backoff {
    /// Lets an attempt through.
    ///
    /// # Errors
    /// How long to wait before the next one.
    pub fn attempt(&self, name: &str, address: Option<IpAddr>, now: Timestamp) -> Result<Attempt, Duration> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let attempt = Attempt::new(&kept, name, address);
        let pauses = attempt.keys().filter_map(|key| kept.get(key).map(|entry| entry.pause(key, now)));
        let pause = pauses.max().unwrap_or_default();
        if !pause.is_zero() {
            return Err(pause);
        }
        for key in attempt.keys() {
            make_room(&mut kept, now);
            let entry = kept.entry(key.clone()).or_insert(Entry { attempts: 0, last: now });
            if now.since(entry.last) >= MEMORY {
                entry.attempts = 0;
            }
            *entry = Entry { attempts: entry.attempts.saturating_add(1), last: now };
        }
        Ok(attempt)
    }

    /// The attempt was right: its name starts anew, and the address has one attempt less to its account; it is not cleared,
    /// for whoever has one password could then guess at others for ever.
    pub fn right(&self, attempt: Attempt, now: Timestamp) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.remove(&attempt.name);
        if let Key::Name(name) | Key::Known(name, _) = attempt.name
            && let Some(Key::Address(address)) = attempt.address
        {
            kept.insert(Key::Known(name, address), Entry { attempts: 0, last: now });
            take_back(&mut kept, &Key::Address(address));
        }
    }

    /// The attempt was not looked at.
    pub fn undone(&self, attempt: Attempt) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        attempt.keys().for_each(|key| take_back(&mut kept, key));
    }

    /// Names, addresses and pairs remembered.
    pub fn kept(&self) -> usize {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Attempt {
    fn new(kept: &HashMap<Key, Entry>, name: &str, address: Option<IpAddr>) -> Self {
        let name = name.get(..name.floor_char_boundary(NAME_MAX)).unwrap_or_default().to_ascii_lowercase();
        let address = address.map(network);
        let known = address.map(|address| Key::Known(name.clone(), address)).filter(|key| kept.contains_key(key));
        Self { name: known.unwrap_or(Key::Name(name)), address: address.map(Key::Address) }
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.name).chain(&self.address)
    }
}

impl Entry {
    /// How long it is until the next attempt.
    fn pause(&self, key: &Key, now: Timestamp) -> Duration {
        let free = if matches!(key, Key::Address(_)) { FREE.1 } else { FREE.0 };
        let Some(doublings) = self.attempts.checked_sub(free) else { return Duration::ZERO };
        let pause = PAUSE.0.saturating_mul(2_u32.saturating_pow(doublings)).min(PAUSE.1);
        pause.saturating_sub(now.since(self.last))
    }
}

/// Of IPv6, the network that one customer has (RFC 6177).
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

fn take_back(kept: &mut HashMap<Key, Entry>, key: &Key) {
    if let Some(entry) = kept.get_mut(key) {
        entry.attempts = entry.attempts.saturating_sub(1);
    }
}

/// Forgets what is old; where that is not enough, the tenth with the fewest attempts: whoever tries many names does not
/// make a name forgotten that is under attack.
fn make_room(kept: &mut HashMap<Key, Entry>, now: Timestamp) {
    if kept.len() < KEPT_MAX {
        return;
    }
    kept.retain(|_, entry| now.since(entry.last) < MEMORY);
    if kept.len() < KEPT_MAX {
        return;
    }
    let weight = |entry: &Entry| (entry.attempts, entry.last);
    let mut weights: Vec<_> = kept.values().map(weight).collect();
    let (_, limit, _) = weights.select_nth_unstable(KEPT_MAX / 10);
    let limit = *limit;
    kept.retain(|_, entry| weight(entry) > limit);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

    fn address(number: u32) -> Option<IpAddr> {
        Some(IpAddr::V4(number.into()))
    }

    fn second(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn pauses_grow_to_a_limit_and_end() {
        let backoff = Backoff::default();
        let mut now = NOW;
        for index in 0..5 {
            assert!(backoff.attempt("ada", address(index), now).is_ok());
        }
        for pause in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300] {
            // from wherever and however it is written; refused attempts make it no longer
            assert_eq!(backoff.attempt("ADA", address(99), now).unwrap_err(), second(pause));
            assert_eq!(backoff.attempt("ada", None, now.plus(second(pause - 1))).unwrap_err(), second(1));
            now = now.plus(second(pause));
            assert!(backoff.attempt("ada", address(7), now).is_ok());
        }
        assert!(backoff.attempt("bob", address(98), now).is_ok());
        // after an hour it is as if nothing had been
        now = now.plus(MEMORY);
        for index in 0..5 {
            assert!(backoff.attempt("ada", address(index), now).is_ok());
        }
        assert_eq!(backoff.attempt("ada", None, now).unwrap_err(), second(1));
    }

    #[test]
    fn an_address_that_tries_many_names_waits() {
        let backoff = Backoff::default();
        for index in 0..20 {
            assert!(backoff.attempt(&format!("u{index}"), Some(HERE), NOW).is_ok());
        }
        assert_eq!(backoff.attempt("u21", Some(HERE), NOW).unwrap_err(), second(1));
        assert!(backoff.attempt("u21", address(1), NOW).is_ok());
        // one customer has a whole network of IPv6
        let v6 = |host: u16| Some(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 0, 0, 0, host)));
        for index in 0..20 {
            assert!(backoff.attempt(&format!("v{index}"), v6(index), NOW).is_ok());
        }
        assert!(backoff.attempt("v21", v6(999), NOW).is_err());
        // an address of IPv4 written as one of IPv6 is the same one
        let mapped = IpAddr::V6(std::net::Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped());
        assert!(backoff.attempt("u22", Some(mapped), NOW).is_err());
    }

    #[test]
    fn who_knows_one_password_guesses_no_others_with_it() {
        let backoff = Backoff::default();
        let mut refused = 0;
        for index in 0..100 {
            let guess = backoff.attempt(&format!("u{index}"), Some(HERE), NOW);
            refused += u32::from(guess.is_err());
            if let Ok(own) = backoff.attempt("eve", Some(HERE), NOW) {
                backoff.right(own, NOW);
            }
        }
        assert!(refused >= 79, "{refused}");
    }

    #[test]
    fn the_right_password_starts_anew() {
        let backoff = Backoff::default();
        for _ in 0..3 {
            for _ in 0..4 {
                assert!(backoff.attempt("ada", address(1), NOW).is_ok());
            }
            let right = backoff.attempt("ada", address(1), NOW).unwrap();
            backoff.right(right, NOW);
        }
    }

    #[test]
    fn guesses_of_others_do_not_keep_somebody_out() {
        let backoff = Backoff::default();
        let right = backoff.attempt("ada", Some(HERE), NOW).unwrap();
        backoff.right(right, NOW);
        for index in 0..5 {
            assert!(backoff.attempt("ada", address(index), NOW).is_ok());
        }
        assert!(backoff.attempt("ada", address(77), NOW).is_err());
        // from where she signed in before she has her own count
        for _ in 0..5 {
            assert!(backoff.attempt("ada", Some(HERE), NOW).is_ok());
        }
        assert_eq!(backoff.attempt("ada", Some(HERE), NOW).unwrap_err(), second(1));
    }

    #[test]
    fn what_was_not_looked_at_does_not_count() {
        let backoff = Backoff::default();
        for _ in 0..100 {
            let attempt = backoff.attempt("ada", Some(HERE), NOW).unwrap();
            backoff.undone(attempt);
        }
    }

    #[test]
    fn memory_is_bounded_and_keeps_who_is_under_attack() {
        let backoff = Backoff::default();
        for index in 0..5 {
            assert!(backoff.attempt("ada", address(index), NOW).is_ok());
        }
        for index in 0..200_000_u32 {
            let now = NOW.plus(Duration::from_micros(index.into()));
            let long = format!("{index}{}", "x".repeat(1_000));
            let _ = backoff.attempt(&long, address(1_000 + index), now);
        }
        assert!(backoff.kept() <= KEPT_MAX, "{}", backoff.kept());
        assert!(backoff.attempt("ada", None, NOW.plus(Duration::from_micros(200_000))).is_err());
    }
}
