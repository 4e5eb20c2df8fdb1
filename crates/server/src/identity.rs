//! Whoever a request comes from, for the guard: the credential becomes a caller, and what they ask for a line of the audit
//! log.

use std::net::IpAddr;

use levada_store::{AuditEntry, Moment};

use crate::App;
use crate::auth::{self, Signed};
use crate::caller::{Caller, CallerKind};
use crate::denials::{self, Denial};
use crate::problem::Problem;

pub use crate::auth::Credential;

/// Whoever a credential is of, at a moment of the store: looked up once for each moment, as long as its use need not be noted.
pub async fn caller(app: &App, credential: &Credential, moment: Option<Moment>) -> Result<Caller, Problem> {
    let stranger = || Problem::Stranger("The credential is not good, or is over.");
    let (key, now) = (credential.key().ok_or_else(stranger)?, app.clock.now());
    if let Some((caller, until)) = app.callers.get(moment, &key)
        && now < until
    {
        return Ok(caller);
    }
    let (Signed { name, user, token, role, grants }, until) =
        auth::identify(&app.store, key, now).await?.ok_or_else(stranger)?;
    let kind = match token {
        Some(token) => CallerKind::Token { user: user.0, token: token.0 },
        None => CallerKind::Session(user.0),
    };
    let caller = Caller { name, kind, role, grants };
    app.callers.put(moment, key, (caller.clone(), until), 1);
    Ok(caller)
}

/// Writes down that somebody may not do what they asked for.
pub async fn denied(app: &App, denial: Denial<'_>) -> Result<(), Problem> {
    let lines = app.denials.add(denial, app.clock.now());
    Ok(denials::write(app, lines).await?)
}

/// Writes down what somebody asks for, or what came of it.
pub async fn audit(
    app: &App,
    caller: &Caller,
    address: Option<IpAddr>,
    operation: &str,
    object: &str,
    (outcome, detail): (&str, Option<String>),
) -> Result<(), Problem> {
    let entry = AuditEntry {
        actor: caller.name.clone(),
        action: operation.to_owned(),
        object: object.to_owned(),
        outcome: outcome.to_owned(),
        address: address.map(|address| address.to_string()),
        detail,
    };
    let mut lines = app.denials.over(app.clock.now());
    lines.push(entry);
    denials::write(app, lines).await?;
    Ok(())
}
