//! Passwords, as Argon2id (RFC 9106) in PHC text. Hashing takes memory and time on purpose: few go on at once, some wait,
//! and the others are told to come back. A user who is not there costs what a wrong password costs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::secret::Secret;
use tokio::sync::Semaphore;

use super::random;

/// Shortest and longest password, in bytes. The longest is far beyond what people type, and short to hash.
pub const LENGTH: std::ops::RangeInclusive<usize> = 10..=1_024;
/// Memory of one hash in KiB, passes, and lanes: the second choice of the OWASP Password Storage Cheat Sheet.
const COST: (u32, u32, u32) = (19 * 1_024, 2, 1);
/// Hashes at once.
const AT_ONCE: usize = 2;
/// Most who wait.
const WAITING_MAX: usize = 16;
/// A hash with the cost of today of a password that nobody knows, for users who have none.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bGV2YWRhLW5vLW9uZS0xMg$Ewmv1lNuKfgMJzBj5nyUDxBVdGr9L2RFDQBaUFVgjyk";

/// Hashes passwords and checks them, off the threads that serve requests.
#[derive(Clone)]
pub struct Passwords {
    turns: Arc<Semaphore>,
    /// All who wait or hash.
    places: Arc<Semaphore>,
    computed: Arc<AtomicU64>,
}

/// What a check of a password says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is the right one.
    Right {
        /// A hash to keep in place of the one it was checked against, which was made at another cost.
        better: Option<Secret>,
    },
    /// It is not, or there is none.
    Wrong,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            places: Arc::new(Semaphore::new(AT_ONCE + WAITING_MAX)),
            computed: Arc::default(),
        }
    }
}

/// Refuses a password that nobody should choose.
///
/// # Errors
/// `Usage`.
pub fn check(chosen: &Secret, name: &str) -> Result<()> {
    let refuse = |told: String| Err(Error::new(ErrorKind::Usage, told).advise("Choose another one."));
    let text = chosen.expose();
    if !LENGTH.contains(&text.len()) {
        return refuse(format!("a password has {} to {} bytes", LENGTH.start(), LENGTH.end()));
    }
    let mut letters = text.chars();
    let first = letters.next();
    if text.eq_ignore_ascii_case(name) || letters.all(|letter| Some(letter) == first) {
        return refuse("the password is the user's name, or one letter over and over".to_owned());
    }
    Ok(())
}

impl Passwords {
    /// Hashes a password to be kept.
    ///
    /// # Errors
    /// `Busy` where too many wait.
    pub async fn hash(&self, password: Secret) -> Result<Secret> {
        self.turn(move || hash(&password)).await?
    }

    /// Checks a password against a hash that is kept, or against nobody's.
    ///
    /// # Errors
    /// `Busy` where too many wait.
    pub async fn verify(&self, given: Secret, kept: Option<Secret>) -> Result<Verdict> {
        if given.expose().len() > *LENGTH.end() {
            return Ok(Verdict::Wrong);
        }
        let (against, is_somebody) = match kept {
            Some(kept) => (kept, true),
            None => (Secret::new(NOBODY), false),
        };
        self.turn(move || {
            let parsed = PasswordHash::new(against.expose());
            let parsed =
                parsed.map_err(|error| internal(&format!("the hash of a password cannot be read: {error}")))?;
            let is_right = argon2()?.verify_password(given.expose().as_bytes(), &parsed).is_ok();
            Ok(match is_right && is_somebody {
                false => Verdict::Wrong,
                true if is_current(&parsed) => Verdict::Right { better: None },
                true => Verdict::Right { better: Some(hash(&given)?) },
            })
        })
        .await?
    }

    /// How many passwords were hashed or checked.
    pub fn computed(&self) -> u64 {
        self.computed.load(Relaxed)
    }

    /// Waits for a turn, and does the work of one hash in a thread that nobody waits for.
    async fn turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let Ok(_place) = self.places.clone().try_acquire_owned() else {
            return Err(Error::new(ErrorKind::Busy, "too many sign in at once").advise("Try again in a second."));
        };
        let turn = self.turns.clone().acquire_owned().await.map_err(|error| internal(&error.to_string()))?;
        self.computed.fetch_add(1, Relaxed);
        let work = move || {
            // a request that was given up computes on, and keeps its turn as long
            let _turn = turn;
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|error| internal(&error.to_string()))
    }
}

fn internal(told: &str) -> Error {
    Error::new(ErrorKind::Internal, told)
}

fn argon2() -> Result<Argon2<'static>> {
    let (memory_kib, passes, lanes) = COST;
    let params = Params::new(memory_kib, passes, lanes, None).map_err(|error| internal(&error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash(password: &Secret) -> Result<Secret> {
    let salt = random::bytes::<16>()?;
    let hash = argon2()?.hash_password_with_salt(password.expose().as_bytes(), &salt);
    hash.map(|hash| Secret::new(hash.to_string())).map_err(|error| internal(&error.to_string()))
}

/// Whether a hash was made at the cost of today.
fn is_current(hash: &PasswordHash) -> bool {
    let is_algorithm = hash.algorithm == Algorithm::Argon2id.ident() && hash.version == Some(Version::V0x13.into());
    is_algorithm
        && Params::try_from(hash).is_ok_and(|params| (params.m_cost(), params.t_cost(), params.p_cost()) == COST)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text)
    }

    #[tokio::test]
    async fn a_password_is_right_or_wrong() {
        let passwords = Passwords::default();
        let kept = passwords.hash(secret("correct horse")).await.unwrap();
        assert!(kept.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", kept.expose());
        assert_ne!(kept, passwords.hash(secret("correct horse")).await.unwrap());
        let right = passwords.verify(secret("correct horse"), Some(kept.clone())).await.unwrap();
        assert_eq!(right, Verdict::Right { better: None });
        for wrong in ["correct hors", "Correct horse", "", "correct horse "] {
            assert_eq!(passwords.verify(secret(wrong), Some(kept.clone())).await.unwrap(), Verdict::Wrong);
        }
    }

    #[tokio::test]
    async fn nobody_costs_what_somebody_costs() {
        let parsed = PasswordHash::new(NOBODY).unwrap();
        assert!(is_current(&parsed), "the hash of nobody is of another cost");
        let passwords = Passwords::default();
        let kept = passwords.hash(secret("correct horse")).await.unwrap();
        let cost = async |kept: Option<Secret>| {
            let before = passwords.computed();
            assert_eq!(passwords.verify(secret("wrong horse"), kept).await.unwrap(), Verdict::Wrong);
            passwords.computed() - before
        };
        assert_eq!((cost(Some(kept)).await, cost(None).await), (1, 1));
    }

    #[tokio::test]
    async fn a_hash_of_another_cost_is_made_anew() {
        let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(64, 1, 1, None).unwrap());
        let kept = weak.hash_password_with_salt(b"correct horse", b"0123456789abcdef").unwrap().to_string();
        let passwords = Passwords::default();
        let verdict = passwords.verify(secret("correct horse"), Some(secret(&kept))).await.unwrap();
        let Verdict::Right { better: Some(better) } = verdict else { panic!("{verdict:?}") };
        let verdict = passwords.verify(secret("correct horse"), Some(better)).await.unwrap();
        assert_eq!(verdict, Verdict::Right { better: None });
        assert_eq!(passwords.verify(secret("wrong"), Some(secret(&kept))).await.unwrap(), Verdict::Wrong);
    }

    #[tokio::test]
    async fn a_crowd_is_told_to_come_back() {
        let passwords = Passwords::default();
        let held = passwords.turns.clone().acquire_many_owned(2).await.unwrap();
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..100 {
            let passwords = passwords.clone();
            all.spawn(async move { passwords.verify(secret("wrong horse"), None).await });
        }
        // those for whom there is no place are told before anything was computed
        for _ in 0..100 - AT_ONCE - WAITING_MAX {
            let error = all.join_next().await.unwrap().unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Busy);
        }
        assert_eq!(passwords.computed(), 0);
        drop(held);
        while let Some(verdict) = all.join_next().await {
            assert_eq!(verdict.unwrap().unwrap(), Verdict::Wrong);
        }
        assert_eq!(passwords.computed(), (AT_ONCE + WAITING_MAX) as u64);
    }

    #[test]
    fn bad_choices_are_refused() {
        for bad in ["short", "123456789", "", &"a".repeat(12), &"x1".repeat(513), "ada.lovelace", "ADA.Lovelace"] {
            assert!(check(&secret(bad), "ada.lovelace").is_err(), "{bad}");
        }
        for good in ["0123456789", "correct horse battery staple", "ünïcödé", &"x1".repeat(512)] {
            assert!(check(&secret(good), "ada.lovelace").is_ok(), "{good}");
        }
    }
}
