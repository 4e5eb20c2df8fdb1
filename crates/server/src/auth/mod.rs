//! Who somebody is: passwords, sessions, tokens, the link of the first start, and providers of OpenID Connect. Decides
//! nothing about operations, which the guard does.

pub mod backoff;
pub mod login;
pub mod oidc;
pub mod password;
pub mod random;
pub mod session;
pub mod setup;
#[cfg(test)]
pub(crate) mod tests;
pub mod token;

use std::time::Duration;

use levada_core::access::Role;
use levada_core::error::Result;
use levada_core::id::{TokenId, UserId};
use levada_core::time::Timestamp;
use levada_store::{Hash, Store, Token, User};

pub use session::{COOKIE, COOKIE_TLS};

/// How exactly the use of sessions and tokens is noted.
const TOUCH: Duration = Duration::from_secs(60);

/// What a request shows to say whose it is.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// The text of a session's cookie.
    Session(String),
    /// The text of a token.
    Token(String),
}

/// What a credential is found by, and remembered as: nothing that opens anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    /// The hash of a session.
    Session(Hash),
    /// The number of a token, and the hash of its secret.
    Token(TokenId, Hash),
}

impl Credential {
    /// What it is found by; none where it cannot be one.
    pub fn key(&self) -> Option<Key> {
        match self {
            Self::Session(text) => random::hash(text).map(Key::Session),
            Self::Token(text) => token::parse(text).map(|(id, hash)| Key::Token(id, hash)),
        }
    }
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Session(_) => "Session(***)",
            Self::Token(_) => "Token(***)",
        })
    }
}

/// Somebody whose credential counts, and what they may do with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Their name.
    pub name: String,
    /// Which user.
    pub user: UserId,
    /// By which token, if by one.
    pub token: Option<TokenId>,
    /// What they may do everywhere.
    pub role: Role,
    /// What they may do beyond that, on pipelines with a tag.
    pub grants: Vec<(String, Role)>,
}

/// Whose credential it is; none where it does not count (any more). Answers as well until when that holds without another
/// look, as long as the store stays what it is: then the credential ends, or its use is to be noted again.
///
/// # Errors
/// Those of the store.
pub async fn identify(store: &Store, key: Key, now: Timestamp) -> Result<Option<(Signed, Timestamp)>> {
    let is_due = |noted: Option<Timestamp>| noted.is_none_or(|noted| now.since(noted) >= TOUCH);
    let (signed, noted_at, expires_at) = match key {
        Key::Session(hash) => {
            let Some(session) = store.session(hash, now).await? else { return Ok(None) };
            if is_due(Some(session.seen_at)) {
                store.touch_session(hash, now).await?;
            }
            (of_user(&session.user), session.seen_at, session.expires_at)
        }
        Key::Token(id, hash) => {
            let Some((user, token)) = store.token(id, hash, now).await? else { return Ok(None) };
            if is_due(token.used_at) {
                store.touch_token(id, now).await?;
            }
            (of_token(&user, &token), token.used_at.unwrap_or(now), token.expires_at)
        }
    };
    Ok(Some((signed, noted_at.plus(TOUCH).min(expires_at))))
}

fn of_user(user: &User) -> Signed {
    let grants = user.grants.iter().map(|grant| (grant.tag.clone(), grant.role)).collect();
    Signed { name: user.name.clone(), user: user.id, token: None, role: user.role, grants }
}

/// A token may do what its user may, and no more than it was made for. One that is for some tags looks at everything, as
/// everybody does, and does more on pipelines with these tags only.
fn of_token(user: &User, token: &Token) -> Signed {
    let signed = of_user(user);
    let (role, grants) = match &token.tags {
        None => (user.role, signed.grants),
        Some(tags) => {
            let granted = |tag: &String| signed.grants.iter().find(|(of, _)| of == tag).map(|(_, role)| *role);
            let of_tag = |tag: &String| (tag.clone(), granted(tag).map_or(user.role, |role| role.max(user.role)));
            (Role::Viewer, tags.iter().map(of_tag).collect())
        }
    };
    let grants = grants.into_iter().map(|(tag, role): (String, Role)| (tag, role.min(token.role))).collect();
    Signed { token: Some(token.id), role: role.min(token.role), grants, ..signed }
}
