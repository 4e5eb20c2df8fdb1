//! The link by which the first administrator comes to be: printed when a server starts whose store has none, good for one
//! use. Its secret stands behind `#`, which browsers send to nobody.

use levada_core::access::Role;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::secret::Secret;
use levada_core::time::Timestamp;
use levada_store::{NewUser, Store, User};

use super::password::{self, Passwords};
use super::random;

/// A new link to a server at this URL; none where there is an administrator already.
///
/// # Errors
/// Those of the store.
pub async fn offer(store: &Store, url: &str, now: Timestamp) -> Result<Option<Secret>> {
    if store.has_admin().await? {
        return Ok(None);
    }
    let text = random::text()?;
    let Some(hash) = random::hash(text.expose()) else { return Ok(None) };
    let is_needed = store.offer_set_up(hash, now).await?;
    let link = || Secret::new(format!("{}/setup#{}", url.trim_end_matches('/'), text.expose()));
    Ok(is_needed.then(link))
}

/// Whether somebody may make the first administrator like that, who has the secret of the link. Changes nothing.
///
/// # Errors
/// `Auth` where it is not good (any more); `Usage` where the password is not allowed.
pub async fn check(store: &Store, secret: &Secret, name: &str, chosen: &Secret) -> Result<()> {
    let Some(hash) = random::hash(secret.expose()) else {
        return Err(Error::new(ErrorKind::Auth, "the set-up link is not valid").advise("Copy all of the link."));
    };
    // nobody makes the server hash passwords with a link that is good for nothing
    if !store.is_set_up_link(hash).await? {
        return Err(Error::new(ErrorKind::Auth, "the set-up link is not valid, or was used before")
            .advise("Sign in, or start `levada serve` again for a new link where nobody can."));
    }
    password::check(chosen, name)
}

/// Makes the first administrator, for whoever has the secret of the link.
///
/// # Errors
/// As of [`check`]; `Usage` where the name is not allowed.
pub async fn accept(
    store: &Store,
    passwords: &Passwords,
    secret: &Secret,
    name: &str,
    chosen: Secret,
    now: Timestamp,
) -> Result<User> {
    check(store, secret, name, &chosen).await?;
    let hash = random::hash(secret.expose()).unwrap_or_default();
    let new = NewUser {
        name: name.to_owned(),
        display_name: name.to_owned(),
        email: None,
        password_hash: Some(passwords.hash(chosen).await?),
        role: Role::Admin,
        subject: None,
        grants: Vec::new(),
    };
    store.set_up(hash, new, now).await
}
