//! Signing in with a provider of OpenID Connect: the authorisation code flow with PKCE (RFC 7636). State, nonce and verifier
//! are derived from one secret that only the browser keeps, in a cookie, so that an answer counts in the browser alone that
//! asked, whichever process of this server it comes back to.

mod id_token;
mod people;
mod provider;
mod signature;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use levada_core::config::OidcSettings;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::secret::Secret;
use levada_core::time::Timestamp;
use levada_engine::network::Network;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use url::Url;

pub use people::{Person, sign_in};
use provider::Provider;

use super::{random, session};

/// The path that the provider sends browsers back to.
pub const CALLBACK_PATH: &str = "/api/v1/oidc/callback";
/// How long somebody may take at the provider.
const ATTEMPT_S: u64 = 600;

/// A provider that people sign in with.
pub struct Oidc {
    settings: OidcSettings,
    redirect: String,
    provider: Provider,
}

/// The beginning of an attempt to sign in.
#[derive(Debug)]
pub struct Start {
    /// Where the browser is sent.
    pub url: String,
    /// The text of the cookie that it keeps meanwhile.
    pub cookie: Secret,
}

/// What the provider sends back with the browser, as parameters of the URL.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Answer {
    /// What tokens are given for.
    pub code: Option<String>,
    /// Which attempt it belongs to.
    pub state: Option<String>,
    /// Which provider it comes from (RFC 9207).
    pub iss: Option<String>,
    /// Why there is no code.
    pub error: Option<String>,
}

/// The name of the cookie.
pub const fn cookie_name(is_tls: bool) -> &'static str {
    if is_tls { "__Host-levada_oidc" } else { "levada_oidc" }
}

/// The value of `Set-Cookie` for an attempt.
pub fn set_cookie(text: &Secret, is_tls: bool) -> String {
    session::line(cookie_name(is_tls), text.expose(), ATTEMPT_S, is_tls)
}

/// The value of `Set-Cookie` that ends an attempt: each counts once.
pub fn clear_cookie(is_tls: bool) -> String {
    session::line(cookie_name(is_tls), "", 0, is_tls)
}

impl Oidc {
    /// For a server that browsers know by this URL. Asks nobody anything yet.
    ///
    /// # Errors
    /// `Config` where an address is none; `Refused` where it may not be asked.
    pub fn new(settings: OidcSettings, public_url: &str, network: Arc<Network>) -> Result<Self> {
        provider::check_url(public_url, "the public URL of the server")?;
        let redirect = format!("{}{CALLBACK_PATH}", public_url.trim_end_matches('/'));
        let provider = Provider::new(&settings, network)?;
        Ok(Self { settings, redirect, provider })
    }

    /// What the button to sign in says.
    pub fn label(&self) -> Option<&str> {
        self.settings.label.as_deref()
    }

    /// Begins an attempt to sign in.
    ///
    /// # Errors
    /// `Connect`, `Tls`, `Auth`, `Config`: as the provider is.
    pub async fn start(&self, now: Timestamp) -> Result<Start> {
        let metadata = self.provider.metadata(now).await?;
        let cookie = random::text()?;
        let mut url = Url::parse(&metadata.authorization_endpoint)
            .map_err(|_| Error::new(ErrorKind::Config, "the provider has no address to sign in at"))?;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", &self.redirect)
            .append_pair("scope", &self.settings.scopes.join(" "))
            .append_pair("state", &derived(&cookie, "state"))
            .append_pair("nonce", &derived(&cookie, "nonce"))
            .append_pair("code_challenge", &hashed(&derived(&cookie, "verifier")))
            .append_pair("code_challenge_method", "S256");
        Ok(Start { url: url.into(), cookie })
    }

    /// Ends an attempt: who signed in.
    ///
    /// # Errors
    /// `Auth` where the answer is not one to an attempt of this browser, or not the provider's; else as the provider is.
    pub async fn finish(&self, cookie: Option<&str>, answer: &Answer, now: Timestamp) -> Result<Person> {
        let cookie = cookie.filter(|text| random::hash(text).is_some()).map(Secret::new);
        let Some(cookie) = cookie.filter(|cookie| answer.state.as_deref().is_some_and(|state| is_state(cookie, state)))
        else {
            return Err(refused("the answer belongs to no attempt of this browser"));
        };
        let metadata = self.provider.metadata(now).await?;
        let issuer = answer.iss.as_deref();
        if issuer.is_some_and(|issuer| issuer != self.settings.issuer)
            || (issuer.is_none() && metadata.authorization_response_iss_parameter_supported)
        {
            return Err(refused("the answer comes from another provider"));
        }
        if let Some(error) = &answer.error {
            let code: String = error.chars().filter(|c| c.is_ascii_graphic()).take(60).collect();
            return Err(refused(&format!("the provider refused ({code})")));
        }
        let Some(code) = answer.code.as_deref().filter(|code| !code.is_empty()) else {
            return Err(refused("the answer holds no code"));
        };
        let tokens = self.provider.tokens(&metadata, code, &derived(&cookie, "verifier"), &self.redirect).await?;
        let (algorithm, key) = id_token::signed_by(&tokens.id_token)?;
        let key = self.provider.key(algorithm, key.as_deref(), now).await?;
        let nonce = derived(&cookie, "nonce");
        let (issuer, client_id) = (self.settings.issuer.as_str(), self.settings.client_id.as_str());
        let expected = id_token::Expected { issuer, client_id, nonce: &nonce, now };
        let mut claims = id_token::claims(&tokens.id_token, &key, algorithm, expected)?;
        let wanted = ["name", "email", "preferred_username", self.settings.groups_claim.as_str()];
        if wanted.iter().any(|claim| !claims.contains_key(*claim)) {
            let more = self.provider.person(&metadata, &tokens.access_token).await?;
            // it may be told of somebody else (OpenID Connect Core, section 5.3.2)
            if !more.is_empty() && more.get("sub") != claims.get("sub") {
                return Err(refused("the provider tells of two people"));
            }
            for (name, value) in more {
                claims.entry(name).or_insert(value);
            }
        }
        Person::new(&self.settings, &claims).ok_or_else(|| refused("the provider does not say who it is"))
    }
}

/// One of several texts out of a secret, none of which gives the secret away.
fn derived(cookie: &Secret, purpose: &str) -> String {
    hashed(&format!("{purpose}\0{}", cookie.expose()))
}

fn hashed(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(text))
}

/// Compares without telling by the time taken how much is equal.
fn is_state(cookie: &Secret, state: &str) -> bool {
    let wanted = derived(cookie, "state");
    wanted.len() == state.len() && wanted.bytes().zip(state.bytes()).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

fn refused(told: &str) -> Error {
    Error::new(ErrorKind::Auth, told.to_owned()).advise("Sign in again, from the beginning.")
}
