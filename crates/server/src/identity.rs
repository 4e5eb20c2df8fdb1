//! Who somebody is: by a session, or by a token.

use std::net::IpAddr;

use crate::App;
use crate::caller::Caller;
use crate::problem::Problem;

/// The cookie of a session over plain HTTP.
pub const COOKIE: &str = "levada_session";
/// The cookie of a session over TLS.
pub const COOKIE_TLS: &str = "__Host-levada_session";

/// What a request carries to tell who sends it.
pub enum Credential {
    /// The cookie of a session.
    Session(String),
    /// An API token.
    Token(String),
}

/// Whoever a credential is of.
pub async fn caller(_app: &App, credential: &Credential) -> Result<Caller, Problem> {
    let (Credential::Session(text) | Credential::Token(text)) = credential;
    Err(Problem::Stranger(if text.is_empty() { "The credential is empty." } else { "The credential is not good." }))
}

/// Writes down what somebody asks for.
pub async fn audit(
    _app: &App,
    _caller: &Caller,
    _address: Option<IpAddr>,
    _operation: &str,
    _object: &str,
    _outcome: &str,
) -> Result<(), Problem> {
    Ok(())
}
