//! How often somebody may ask: a bucket of tokens for each caller, and a smaller one for each address that nobody vouches
//! for. Takes bounded memory, whoever comes.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use levada_core::time::{Clock, Timestamp};

use crate::caller::{Caller, CallerKind};
use crate::problem::Problem;

/// Buckets kept at most; beyond that, full ones are forgotten, and then all.
const BUCKETS_MAX: usize = 20_000;
/// A bucket holds what comes in this time.
const BURST: Duration = Duration::from_secs(2);

/// Requests a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Of one caller.
    pub caller: u32,
    /// Of one address, without a credential.
    pub address: u32,
}

/// The buckets.
pub struct Rates {
    rate: Rate,
    clock: Arc<dyn Clock>,
    /// When each bucket is full again.
    full_at: Mutex<HashMap<Key, Timestamp>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    User(i64),
    Token(i64),
    /// An address; of IPv6, the network that one customer has.
    Address(IpAddr),
}

impl Rates {
    /// Buckets that are all full.
    pub fn new(rate: Rate, clock: Arc<dyn Clock>) -> Self {
        Self { rate, clock, full_at: Mutex::default() }
    }

    /// Takes a token out of the bucket of whoever asks.
    ///
    /// # Errors
    /// `TooMany`, with the time until the next token.
    pub fn admit(&self, caller: &Caller, address: Option<IpAddr>) -> Result<(), Problem> {
        let (key, rate) = match (caller.kind, address) {
            (CallerKind::Local, _) | (CallerKind::Anonymous, None) => return Ok(()),
            (CallerKind::Session(user), _) => (Key::User(user), self.rate.caller),
            (CallerKind::Token { token, .. }, _) => (Key::Token(token), self.rate.caller),
            (CallerKind::Anonymous, Some(address)) => (Key::Address(network(address)), self.rate.address),
        };
        let (now, cost) = (self.clock.now(), Duration::from_secs(1) / rate.max(1));
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if full_at.len() >= BUCKETS_MAX {
            full_at.retain(|_, full| *full > now);
            if full_at.len() >= BUCKETS_MAX {
                full_at.clear();
            }
        }
        let full = full_at.entry(key).or_insert(now);
        let then = (*full).max(now).plus(cost);
        if then.since(now) > BURST {
            return Err(Problem::TooMany(then.since(now.plus(BURST))));
        }
        *full = then;
        Ok(())
    }
}

/// The network that one customer has: of IPv6 more than one address (RFC 6177).
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
    }
}
