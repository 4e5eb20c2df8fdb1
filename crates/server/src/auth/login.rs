//! Signing in with name and password: a pause where too many attempts were wrong, then the check, then a new session. What
//! is answered, and what it costs, is the same for a user who is not there and for a password that is wrong.

use std::net::IpAddr;
use std::time::Duration;

use levada_core::error::{ErrorKind, Result};
use levada_core::id::UserId;
use levada_core::secret::Secret;
use levada_core::time::Timestamp;
use levada_store::{Credentials, Store, User};

use super::backoff::Backoff;
use super::password::{Passwords, Verdict};
use super::random;

/// What a password is worth.
#[derive(Debug)]
pub enum Answer {
    /// It is that of this user.
    Right(Box<User>),
    /// It is not, or the user is disabled.
    Wrong,
    /// Too many attempts were wrong: the next one counts after this time.
    Wait(Duration),
}

/// Checks a password, and says whose it is: for whoever signs in, and for whoever changes their own.
///
/// # Errors
/// `Busy` where too many sign in at once; those of the store.
pub async fn right(
    store: &Store,
    passwords: &Passwords,
    backoff: &Backoff,
    (name, password): (&str, Secret),
    address: Option<IpAddr>,
    now: Timestamp,
) -> Result<Answer> {
    let attempt = match backoff.attempt(name, address, now) {
        Ok(attempt) => attempt,
        Err(pause) => return Ok(Answer::Wait(pause)),
    };
    let found = store.credentials(name).await?.filter(|found| !found.user.is_disabled);
    let (user, kept) = match found {
        Some(Credentials { user, password_hash }) => (Some(user), password_hash),
        None => (None, None),
    };
    let verdict = match passwords.verify(password, kept.clone()).await {
        Ok(verdict) => verdict,
        Err(error) => {
            if error.kind() == ErrorKind::Busy {
                backoff.undone(attempt);
            }
            return Err(error);
        }
    };
    let (Verdict::Right { better }, Some(user)) = (verdict, user) else { return Ok(Answer::Wrong) };
    backoff.right(attempt, now);
    if let (Some(better), Some(kept)) = (better, kept) {
        store.replace_password_hash(user.id, kept, better).await?;
    }
    Ok(Answer::Right(Box::new(user)))
}

/// Opens a session with a text that nobody knew before, whatever session the browser had; none where the user may not sign in.
///
/// # Errors
/// Those of the store.
pub async fn open_session(store: &Store, user: UserId, now: Timestamp) -> Result<Option<Secret>> {
    let text = random::text()?;
    let Some(hash) = random::hash(text.expose()) else { return Ok(None) };
    Ok(store.create_session(user, hash, now).await?.then_some(text))
}
