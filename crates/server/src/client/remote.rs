//! A server that is reached over HTTP: what its address may be, how its certificate is checked, and where the token goes,
//! which is nowhere else. Redirects are not followed.

use std::time::Duration;

use axum::http::HeaderValue;
use axum::http::header::{AUTHORIZATION, SET_COOKIE};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::secret::Secret;
use reqwest::{Certificate, redirect};
use serde_json::json;
use url::{Host, Url};

use super::{Chunks, Client, Reply, Sent};
use crate::guard::CSRF_HEADER;
use crate::routes::tokens::NewTokenText;

/// How long it may take to reach a server.
const REACH_TIME: Duration = Duration::from_secs(10);
/// How long a server may say nothing: longer than a request may take there, and than its stream of events is silent.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// A server, and what it knows the caller by.
#[derive(Clone)]
pub struct Remote {
    http: reqwest::Client,
    address: String,
    /// The header with the token.
    credential: Option<HeaderValue>,
}

/// How a server is reached.
#[derive(Debug, Default)]
pub struct Trust {
    /// Certificates of authorities beside those of the machine, PEM.
    pub authorities: Option<Vec<u8>>,
    /// Whether a token may cross a network in the clear.
    pub insecure_http: bool,
}

/// Whoever signs in for a token.
pub struct SignIn<'a> {
    /// The user's name.
    pub name: &'a str,
    /// The password.
    pub password: &'a Secret,
    /// The token to make: the input of the operation that makes one.
    pub token: serde_json::Value,
}

/// Why a request was not answered.
pub(super) struct Failure {
    pub error: Error,
    /// Whether the server was reached first.
    pub is_broken: bool,
}

impl Remote {
    /// The server at an address; `token` is what it knows the caller by.
    ///
    /// # Errors
    /// `Usage` for an address that is none, or that a token would cross the network in the clear to; `Config` for
    /// certificates that are none.
    pub fn new(address: &str, token: Option<&Secret>, trust: &Trust) -> Result<Self> {
        let (address, is_loopback) = checked(address, trust.insecure_http)?;
        let mut builder = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .connect_timeout(REACH_TIME)
            .read_timeout(SILENCE_MAX)
            .user_agent(concat!("levada/", env!("CARGO_PKG_VERSION")));
        if is_loopback {
            // a proxy is not this machine
            builder = builder.no_proxy();
        }
        if let Some(pem) = &trust.authorities {
            let found = Certificate::from_pem_bundle(pem).ok().filter(|found| !found.is_empty()).ok_or_else(|| {
                Error::new(ErrorKind::Config, "there is no certificate in the file").advise("Give it as PEM.")
            })?;
            builder = found.into_iter().fold(builder, reqwest::ClientBuilder::add_root_certificate);
        }
        let http = builder.build().map_err(|error| Error::new(ErrorKind::Internal, cause(&error)))?;
        let credential = token.map(|token| {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(|_| {
                Error::new(ErrorKind::Usage, "the token is none").advise("A token begins with `lvd_`, and is one line.")
            })?;
            value.set_sensitive(true);
            Ok::<_, Error>(value)
        });
        Ok(Self { http, address, credential: credential.transpose()? })
    }

    /// Where it is, without a slash at the end.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Makes a token for whoever knows a password, by a session that ends with it.
    ///
    /// # Errors
    /// `Auth` for a wrong name or password; else as of calling operations.
    pub async fn sign_in(&self, who: SignIn<'_>) -> Result<NewTokenText, Vec<Error>> {
        let bare = Self { credential: None, ..self.clone() };
        let client = Client::there(bare);
        let given = json!({ "name": who.name, "password": who.password.expose() });
        let wrong = |error: Error| match error.kind() {
            ErrorKind::Auth => error.advise("Try again, or make a token in a browser, for `--token-stdin`."),
            _ => error,
        };
        let reply = client.open("signIn", given, None).await;
        let reply = reply.map_err(|errors| errors.into_iter().map(wrong).collect::<Vec<_>>())?;
        let cookies = reply.headers.get_all(SET_COOKIE).iter().filter_map(|line| line.to_str().ok());
        let cookies: Vec<&str> = cookies.filter_map(|line| line.split(';').next()).collect();
        let session = client.with_headers(vec![("cookie", cookies.join("; ")), (CSRF_HEADER, "1".to_owned())]);
        let made = session.call("createToken", who.token).await;
        // the token is made, and the session would end by itself
        let _ = session.call::<()>("signOut", json!({})).await;
        made
    }

    pub(super) async fn send(&self, sent: &Sent) -> Result<Reply, Failure> {
        let mut request = self.http.request(sent.method.clone(), format!("{}{}", self.address, sent.target));
        for (name, value) in &sent.headers {
            request = request.header(*name, value);
        }
        if let Some(credential) = &self.credential {
            request = request.header(AUTHORIZATION, credential.clone());
        }
        if let Some(body) = &sent.body {
            request = request.body(body.clone());
        }
        let response = request.send().await.map_err(|error| self.failure(&error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        Ok(Reply { status, headers, body: Chunks::There(response, self.clone()) })
    }

    /// What kept a request from being answered.
    pub(super) fn failure(&self, error: &reqwest::Error) -> Failure {
        let cause = cause(error);
        let is_tls = cause.contains("certificate") || cause.contains("handshake") || cause.contains("corrupt message");
        let error_of = |kind, message: String, advice: &str| Error::new(kind, message).at(&self.address).advise(advice);
        let told = if is_tls {
            let advice = "Check the URL, or give the certificate of the server's authority with `--ca FILE`.";
            error_of(ErrorKind::Tls, format!("the server is not trusted: {cause}"), advice)
        } else if error.is_connect() {
            let advice = "Check the URL, and that `levada serve` runs there.";
            error_of(ErrorKind::Connect, format!("the server does not answer: {cause}"), advice)
        } else {
            error_of(ErrorKind::Connect, format!("the connection to the server broke: {cause}"), "Try again.")
        };
        Failure { error: told, is_broken: !error.is_connect() && !error.is_builder() }
    }
}

/// An address as it is used, and whether it is of this machine.
fn checked(address: &str, insecure_http: bool) -> Result<(String, bool)> {
    let wrong = |message: &str| {
        Error::new(ErrorKind::Usage, message)
            .advise("Give it as `https://HOST`, or `http://127.0.0.1:7717` on this machine.")
    };
    let url = Url::parse(address).map_err(|_| wrong("the address of the server is not a URL"))?;
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return Err(wrong("the address of the server has no host")),
    };
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("the address of the server holds more than a place"));
    }
    match url.scheme() {
        "https" => {}
        "http" if is_loopback || insecure_http => {}
        "http" => {
            return Err(Error::new(ErrorKind::Usage, "the token would cross the network in the clear").at(url.as_str()).advise(
                "Give an `https://` address; `--insecure-http` allows it on a network that nobody else can listen to.",
            ));
        }
        _ => return Err(wrong("a server is reached by HTTP")),
    }
    Ok((url.as_str().trim_end_matches('/').to_owned(), is_loopback))
}

/// The innermost cause of an error, which says the most.
fn cause(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_token_does_not_cross_a_network_in_the_clear() {
        for good in ["https://levada.example.com", "http://127.0.0.1:7717/", "http://[::1]:1", "http://localhost:7717"]
        {
            assert!(!checked(good, false).unwrap().0.ends_with('/'), "{good}");
        }
        for bad in [
            "http://levada.example.com",
            "http://10.0.0.1:7717",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com",
            "https://user:password@levada.example.com",
            "https://levada.example.com/?token=x",
            "ftp://localhost",
            "levada.example.com",
            "file:///etc/passwd",
            "",
        ] {
            assert_eq!(checked(bad, false).unwrap_err().kind(), ErrorKind::Usage, "{bad}");
        }
        assert_eq!(checked("http://10.0.0.1:7717", true).unwrap(), ("http://10.0.0.1:7717".to_owned(), false));
    }
}
