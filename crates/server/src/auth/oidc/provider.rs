//! What a provider publishes and answers: its endpoints, its keys, tokens and what it knows of a person. Answers are
//! bounded in time and size, redirects are not followed, and keys are asked for again at most once a minute.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use levada_core::config::OidcSettings;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::secret::Secret;
use levada_core::time::Timestamp;
use levada_engine::network::{self, Network, Reach};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, RequestBuilder, redirect};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

/// How long a provider may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Largest answer.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// How long what a provider publishes is taken as true.
const KEPT: Duration = Duration::from_secs(3_600);
/// How soon its keys are asked for again, where one is not known.
const KEYS_AGAIN: Duration = Duration::from_secs(60);

/// A provider.
pub(super) struct Provider {
    http: Client,
    network: Arc<Network>,
    issuer: String,
    client_id: String,
    client_secret: Option<Secret>,
    known: Mutex<Known>,
}

/// What it published, and when it was asked.
#[derive(Default)]
struct Known {
    metadata: Option<(Timestamp, Arc<Metadata>)>,
    keys: Option<(Timestamp, Arc<Vec<Jwk>>)>,
}

/// The part of its metadata that is used (OpenID Connect Discovery, section 3; RFC 9207).
#[derive(Debug, Deserialize)]
pub(super) struct Metadata {
    issuer: String,
    pub authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
}

/// What the token endpoint gives for a code.
#[derive(Deserialize)]
pub(super) struct Tokens {
    pub id_token: String,
    pub access_token: String,
}

impl Provider {
    pub(super) fn new(settings: &OidcSettings, network: Arc<Network>) -> Result<Self> {
        check_url(&settings.issuer, "the `issuer`")?;
        check_place(&network, &settings.issuer)?;
        let http = Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(ANSWER_WITHIN)
            .dns_resolver(network.resolver(Reach::Private, false))
            .user_agent(concat!("levada/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
        Ok(Self {
            http,
            network,
            issuer: settings.issuer.clone(),
            client_id: settings.client_id.clone(),
            client_secret: settings.client_secret.clone(),
            known: Mutex::default(),
        })
    }

    /// Where its endpoints are.
    pub(super) async fn metadata(&self, now: Timestamp) -> Result<Arc<Metadata>> {
        if let Some((at, metadata)) = &self.known().metadata
            && now.since(*at) < KEPT
        {
            return Ok(metadata.clone());
        }
        let url = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let metadata: Metadata = self.answer(self.http.get(url)).await?;
        if metadata.issuer != self.issuer {
            let told = format!("the provider calls itself `{}`, and the settings `{}`", metadata.issuer, self.issuer);
            return Err(Error::new(ErrorKind::Config, told).advise("Write the `issuer` as the provider does."));
        }
        let endpoints = [&metadata.authorization_endpoint, &metadata.token_endpoint, &metadata.jwks_uri];
        for endpoint in endpoints.into_iter().chain(&metadata.userinfo_endpoint) {
            check_url(endpoint, "an endpoint of the provider")?;
            // whoever answers in its place must not send this server round its own network
            check_place(&self.network, endpoint)?;
        }
        let metadata = Arc::new(metadata);
        self.known().metadata = Some((now, metadata.clone()));
        Ok(metadata)
    }

    /// The key of a signature. Where it is not known, the provider may have a new one.
    pub(super) async fn key(&self, algorithm: Algorithm, id: Option<&str>, now: Timestamp) -> Result<Jwk> {
        let metadata = self.metadata(now).await?;
        for fresh in [KEPT, KEYS_AGAIN] {
            let keys = self.keys(&metadata, fresh, now).await?;
            if let Some(key) = pick(&keys, algorithm, id) {
                return Ok(key.clone());
            }
        }
        Err(Error::new(ErrorKind::Auth, "the provider signed with a key that it does not publish")
            .advise("Try again in a minute."))
    }

    async fn keys(&self, metadata: &Metadata, fresh: Duration, now: Timestamp) -> Result<Arc<Vec<Jwk>>> {
        if let Some((at, keys)) = &self.known().keys
            && now.since(*at) < fresh
        {
            return Ok(keys.clone());
        }
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Json>,
        }
        let set: Set = self.answer(self.http.get(&metadata.jwks_uri)).await?;
        // a key of a kind that is not known is none of ours
        let keys =
            Arc::new(set.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).collect::<Vec<_>>());
        self.known().keys = Some((now, keys.clone()));
        Ok(keys)
    }

    /// Takes a code for tokens.
    pub(super) async fn tokens(
        &self,
        metadata: &Metadata,
        code: &str,
        verifier: &str,
        redirect: &str,
    ) -> Result<Tokens> {
        self.answer(self.token_request(metadata, code, verifier, redirect)).await
    }

    fn token_request(&self, metadata: &Metadata, code: &str, verifier: &str, redirect: &str) -> RequestBuilder {
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", redirect)
            .append_pair("code_verifier", verifier);
        let mut request = self.http.post(&metadata.token_endpoint);
        let methods = &metadata.token_endpoint_auth_methods_supported;
        let knows = |name: &str| methods.iter().any(|method| method == name);
        match &self.client_secret {
            None => drop(form.append_pair("client_id", &self.client_id)),
            Some(secret) if !methods.is_empty() && !knows("client_secret_basic") && knows("client_secret_post") => {
                form.append_pair("client_id", &self.client_id).append_pair("client_secret", secret.expose());
            }
            // encoded twice (RFC 6749, section 2.3.1)
            Some(secret) => {
                let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
                let pair = format!("{}:{}", encoded(&self.client_id), encoded(secret.expose()));
                request = request.header(AUTHORIZATION, format!("Basic {}", STANDARD.encode(pair)));
            }
        }
        request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.finish())
    }

    /// What it tells of a person beyond the token; nothing where it has no such endpoint.
    pub(super) async fn person(&self, metadata: &Metadata, access_token: &str) -> Result<Map<String, Json>> {
        match &metadata.userinfo_endpoint {
            Some(url) => self.answer(self.http.get(url).bearer_auth(access_token)).await,
            None => Ok(Map::new()),
        }
    }

    async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T> {
        let place = || format!("the sign-in provider {}", self.issuer);
        let mut response =
            request.header(ACCEPT, "application/json").send().await.map_err(|error| failure(error, &place()))?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| failure(error, &place()))? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(Error::new(ErrorKind::Auth, "the answer is too large").at(place()));
            }
            body.extend_from_slice(&chunk);
        }
        let json: Option<Json> = serde_json::from_slice(&body).ok();
        if !status.is_success() {
            // the code of RFC 6749, section 5.2; what else stands there may repeat what was sent
            let code = json.as_ref().and_then(|json| json["error"].as_str()).unwrap_or("no reason given");
            let code: String = code.chars().filter(|c| c.is_ascii_graphic()).take(60).collect();
            let told = format!("it answered {} ({code})", status.as_u16());
            return Err(Error::new(ErrorKind::Auth, told)
                .at(place())
                .advise("Check the settings of `oidc`, there and here."));
        }
        json.and_then(|json| serde_json::from_value(json).ok()).ok_or_else(|| {
            Error::new(ErrorKind::Auth, "the answer is not what it should be").at(place()).advise("Check the `issuer`.")
        })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The key of this number that can have made a signature; without a number, the only one that can.
fn pick<'a>(keys: &'a [Jwk], algorithm: Algorithm, id: Option<&str>) -> Option<&'a Jwk> {
    let fits = |key: &&Jwk| {
        let (is_kind, name) = match (&key.algorithm, algorithm) {
            (AlgorithmParameters::RSA(_), Algorithm::RS256) => (true, KeyAlgorithm::RS256),
            (AlgorithmParameters::EllipticCurve(key), Algorithm::ES256) => {
                (key.curve == EllipticCurve::P256, KeyAlgorithm::ES256)
            }
            (AlgorithmParameters::OctetKeyPair(key), Algorithm::EdDSA) => {
                (key.curve == EllipticCurve::Ed25519, KeyAlgorithm::EdDSA)
            }
            _ => return false,
        };
        let is_for_signing = key.common.public_key_use.as_ref().is_none_or(|used| *used == PublicKeyUse::Signature);
        is_kind && is_for_signing && key.common.key_algorithm.is_none_or(|told| told == name)
    };
    let mut found = keys.iter().filter(fits).filter(|key| id.is_none() || key.common.key_id.as_deref() == id);
    let first = found.next();
    first.filter(|_| id.is_some() || found.next().is_none())
}

/// Secrets and codes go over TLS, or nowhere but to this machine.
pub(super) fn check_url(text: &str, what: &str) -> Result<()> {
    let is_safe = Url::parse(text).is_ok_and(|url| {
        let is_here = match url.host() {
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => false,
        };
        url.has_host() && (url.scheme() == "https" || (url.scheme() == "http" && is_here))
    });
    if is_safe {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Config, format!("{what} is no address with https://"))
        .advise("Write it in full; http:// is for this machine alone."))
}

fn check_place(network: &Network, text: &str) -> Result<()> {
    Url::parse(text).map_or(Ok(()), |url| network.check(&url, Reach::Private))
}

fn failure(error: reqwest::Error, place: &str) -> Error {
    let error = error.without_url();
    if let Some(refused) = network::refused(&error) {
        return refused.at(place);
    }
    let source = std::iter::successors(Some(&error as &(dyn std::error::Error + 'static)), |&error| error.source());
    let cause = source.last().map(ToString::to_string).unwrap_or_default();
    if cause.contains("certificate") {
        return Error::new(ErrorKind::Tls, format!("its certificate was not accepted: {cause}"))
            .at(place)
            .advise("Add its authority to those of this system, or set SSL_CERT_FILE.");
    }
    let what = if error.is_timeout() { "no answer in time".to_owned() } else { cause };
    Error::new(ErrorKind::Connect, what).at(place).advise("Check the `issuer`, and the network of this server.")
}
