//! Sends the requests of one connection: within its hosts and its rate, as whoever it says, again where that can help, and
//! with a limit on what comes back.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::network::Guard;
use levada_core::redact::{MASK, Redactor};
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LINK, LOCATION,
    RETRY_AFTER,
};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use url::Url;

use super::auth::Credentials;
use super::config::{Settings, wrong};
use super::network::{Outgoing, failure};
use super::pace::{self, Pace};

const REDIRECTS_MAX: usize = 5;
/// What of an answer's text goes into a message.
const TOLD_CHARS: usize = 200;
const TOLD_BYTES_MAX: usize = 64 << 10;

/// What sends the requests of one connection.
pub struct Client {
    out: Outgoing,
    base: Url,
    hosts: Vec<String>,
    headers: HeaderMap,
    credentials: Credentials,
    pace: Pace,
    hide: Redactor,
    retries: u32,
    pause: Duration,
    wait_max: Duration,
    body_max: usize,
}

/// An answer that is as it should be.
pub struct Answer {
    /// What was asked in the end, without the key.
    pub url: Url,
    /// The body, unpacked.
    pub body: String,
    /// The header `Link`.
    pub link: Option<String>,
}

/// What is sent.
pub struct Sent<'a> {
    /// How.
    pub method: Method,
    /// The body, JSON.
    pub body: Option<&'a str>,
    /// A header that names this request, and the name.
    pub key: Option<(&'a str, &'a str)>,
}

/// Why there is no answer, and whether there can be one later.
struct Failed {
    error: Error,
    is_passing: bool,
    asks_to_wait: Option<Duration>,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { is_passing: matches!(error.kind(), ErrorKind::Connect | ErrorKind::Busy), error, asks_to_wait: None }
    }
}

impl Client {
    /// As the settings say.
    ///
    /// # Errors
    /// `Config` for headers that are none.
    pub fn new(settings: &Settings, guard: Arc<Guard>) -> Result<Self> {
        let mut headers = accepted();
        for (name, value) in &settings.headers {
            let parsed = (HeaderName::try_from(name), HeaderValue::try_from(value.expose()));
            let (Ok(key), Ok(mut value)) = parsed else {
                return Err(wrong(format!("`{}` is not a header", name.escape_debug()))
                    .advise("Names are letters, digits and `-`; values are one line."));
            };
            value.set_sensitive(true);
            headers.insert(key, value);
        }
        Ok(Self {
            out: Outgoing::new(guard, settings.private, Duration::from_secs(settings.timeout_s)),
            base: settings.base()?,
            hosts: settings.hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
            headers,
            credentials: Credentials::new(settings.auth.clone()),
            pace: Pace::new(settings.interval()?),
            hide: Redactor::new(settings.secrets())?,
            retries: settings.retries,
            pause: Duration::from_millis(settings.pause_ms),
            wait_max: Duration::from_secs(settings.wait_max_s),
            body_max: settings.body_max(),
        })
    }

    /// What all paths start with.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// Asks until there is an answer, or no hope of one.
    ///
    /// # Errors
    /// `Busy` and `Connect` once the attempts are used up; `Auth`, `Permission`, `NotFound` and `Config` as the other side
    /// says; `Refused` for a place where requests may not go; `Data` for a body over the limit.
    pub async fn get(&self, url: &Url) -> Result<Answer> {
        self.exchange(url, &Sent { method: Method::GET, body: None, key: None }).await
    }

    /// Sends a body until it is taken, or there is no hope of that.
    ///
    /// # Errors
    /// As for [`Client::get`]; `Refused` for an answer that leads elsewhere.
    pub async fn send(&self, url: &Url, sent: &Sent<'_>) -> Result<()> {
        self.exchange(url, sent).await.map(drop)
    }

    async fn exchange(&self, url: &Url, sent: &Sent<'_>) -> Result<Answer> {
        let mut failed = 0;
        let mut has_new_token = false;
        loop {
            let Failed { error, is_passing, asks_to_wait } = match self.attempt(url, sent).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            if error.kind() == ErrorKind::Auth && !has_new_token && self.credentials.refused().await {
                has_new_token = true;
                continue;
            }
            let told = self.told(error, url).await;
            failed += 1;
            if !is_passing {
                return Err(told);
            }
            if failed > self.retries {
                return Err(match failed {
                    1 => told,
                    _ => Error::new(told.kind(), format!("{} ({failed} times in a row)", told.message()))
                        .at(self.shown(url))
                        .advise(told.advice().to_owned()),
                });
            }
            match asks_to_wait {
                Some(wait) if wait > self.wait_max => {
                    let (wait, most) = (wait.as_secs(), self.wait_max.as_secs());
                    return Err(Error::new(ErrorKind::Busy, format!("the server asks to wait for {wait} s"))
                        .at(self.shown(url))
                        .advise(format!("Try again then, or let `wait_max_s` (now {most}) be longer.")));
                }
                Some(wait) => self.pace.rest(wait).await,
                None => tokio::time::sleep(pace::pause(self.pause, failed)).await,
            }
        }
    }

    /// Refuses a URL of an answer that leads to another host than those of the connection.
    ///
    /// # Errors
    /// `Refused`.
    pub fn check_place(&self, url: &Url) -> Result<()> {
        let is_same = url.origin() == self.base.origin();
        let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
        let with_port = format!("{host}:{}", url.port_or_known_default().unwrap_or_default());
        let is_listed = self.hosts.iter().any(|known| *known == host || *known == with_port);
        let is_web = url.scheme() == "https" || url.scheme() == self.base.scheme();
        if is_same || (is_listed && is_web && matches!(url.scheme(), "http" | "https")) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Refused, "an answer leads to another place than those of the connection")
            .at(self.shown(url))
            .advise("If that is right, add its host to `hosts` of the connection."))
    }

    /// A URL as it may be shown: without user, password and query, and without the secrets of the settings.
    pub fn shown(&self, url: &Url) -> String {
        let query = if url.query().is_some() { "?***" } else { "" };
        let shown = format!("{}{}{query}", url.origin().ascii_serialization(), url.path());
        self.hide.text(&shown).into_owned()
    }

    /// A URL as it may be kept beside an answer.
    pub fn kept(&self, url: &Url) -> String {
        let mut url = self.credentials.take_from_url(url);
        let _ = url.set_username("");
        let _ = url.set_password(None);
        self.hide.text(url.as_str()).into_owned()
    }

    /// The error without secrets, those included that only this process knows, and at a length that can be read.
    async fn told(&self, error: Error, url: &Url) -> Error {
        let error = self.hide.error(error);
        let mut message = error.message().to_owned();
        for token in self.credentials.tokens().await {
            message = message.replace(token.expose(), MASK);
        }
        let message: String = message.chars().take(TOLD_CHARS).collect();
        let told = Error::new(error.kind(), message).advise(error.advice().to_owned());
        error.place().iter().rev().fold(told, |told, place| told.at(place.clone())).at(self.shown(url))
    }

    /// A request, with credentials and headers if it goes to the connection's own host.
    async fn request(&self, url: &Url, sent: &Sent<'_>) -> Result<RequestBuilder> {
        if url.origin() != self.base.origin() {
            return Ok(self.out.client(url)?.get(url.clone()).headers(accepted()));
        }
        let url = self.credentials.add_to_url(url);
        let mut request = self.out.client(&url)?.request(sent.method.clone(), url).headers(self.headers.clone());
        if let Some(body) = sent.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_owned());
        }
        if let Some((header, key)) = sent.key {
            request = request.header(header, key);
        }
        self.credentials.add(request, &self.out).await
    }

    /// One request, and where it leads.
    async fn attempt(&self, first: &Url, sent: &Sent<'_>) -> Result<Answer, Failed> {
        let mut url = first.clone();
        for _ in 0..=REDIRECTS_MAX {
            self.check_place(&url)?;
            self.pace.turn().await;
            let response = self.request(&url, sent).await?.send().await.map_err(failure)?;
            let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
            let status = response.status();
            if let (301 | 302 | 303 | 307 | 308, Some(location)) = (status.as_u16(), header(LOCATION)) {
                let next = url.join(&location).ok().filter(|_| sent.body.is_none());
                url = next.ok_or_else(|| {
                    Error::new(ErrorKind::Refused, "the answer leads to a place that cannot be asked")
                })?;
                continue;
            }
            if !status.is_success() {
                return Err(refused(response).await);
            }
            if sent.body.is_some() {
                return Ok(Answer { url, body: String::new(), link: None });
            }
            let link = header(LINK);
            let body = body_of(response, self.body_max).await?;
            let mut body =
                String::from_utf8(body).map_err(|_| Error::new(ErrorKind::Data, "the answer is not UTF-8"))?;
            if body.starts_with('\u{feff}') {
                body.drain(..'\u{feff}'.len_utf8());
            }
            check_whole(&body)?;
            return Ok(Answer { url: self.credentials.take_from_url(&url), body, link });
        }
        Err(Error::new(ErrorKind::Refused, format!("more than {REDIRECTS_MAX} redirects")).into())
    }
}

/// What every request says of what it can take.
fn accepted() -> HeaderMap {
    let accept = (ACCEPT, HeaderValue::from_static("application/json"));
    HeaderMap::from_iter([accept, (ACCEPT_ENCODING, HeaderValue::from_static("gzip"))])
}

/// An answer whose end is missing can come whole the next time; one that is no JSON at all can not.
fn check_whole(body: &str) -> Result<(), Failed> {
    if super::path::is_too_deep(body) {
        let most = super::path::DEPTH_MAX;
        return Err(Error::new(ErrorKind::Data, format!("the answer is nested more than {most} deep")).into());
    }
    let body = body.trim_ascii();
    if body.is_empty() {
        return Ok(());
    }
    let Err(error) = serde_json::from_str::<&serde_json::value::RawValue>(body) else { return Ok(()) };
    let is_passing = error.is_eof();
    let what = if is_passing { "ends in the middle".to_owned() } else { format!("is not JSON: {error}") };
    let error = Error::new(if is_passing { ErrorKind::Connect } else { ErrorKind::Data }, format!("the answer {what}"))
        .advise("Check `url` and `path`; the connector reads JSON.");
    Err(Failed { error, is_passing, asks_to_wait: None })
}

/// The body of an answer, unpacked.
///
/// # Errors
/// `Data` for one that takes more than `bytes_max`; `Connect` for one that breaks off.
pub async fn body_of(mut response: Response, bytes_max: usize) -> Result<Vec<u8>> {
    let too_large = || {
        Error::new(ErrorKind::Data, format!("the answer takes more than {} MB", bytes_max / 1_000_000))
            .advise("Ask for smaller pages, or raise `body_max_mb`.")
    };
    let encoding = response.headers().get(CONTENT_ENCODING).map(|value| value.as_bytes().to_ascii_lowercase());
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(failure)? {
        if body.len() + piece.len() > bytes_max {
            return Err(too_large());
        }
        body.extend_from_slice(&piece);
    }
    match encoding.as_deref() {
        None | Some(b"identity" | b"") => return Ok(body),
        Some(b"gzip" | b"x-gzip") => {}
        Some(_) => {
            return Err(Error::new(ErrorKind::Unsupported, "the answer is packed in a way that was not asked for"));
        }
    }
    let mut unpacked = Vec::new();
    let limit = bytes_max as u64 + 1;
    MultiGzDecoder::new(body.as_slice())
        .take(limit)
        .read_to_end(&mut unpacked)
        .map_err(|error| Error::new(ErrorKind::Connect, format!("the answer cannot be unpacked: {error}")))?;
    if unpacked.len() > bytes_max { Err(too_large()) } else { Ok(unpacked) }
}

/// What a status means that is no success.
async fn refused(response: Response) -> Failed {
    let status = response.status();
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let asks_to_wait = header(RETRY_AFTER.as_str()).and_then(|value| pace::retry_after(&value, chrono::Utc::now()));
    let is_used_up = header("x-ratelimit-remaining").is_some_and(|left| left.trim() == "0");
    let kind = match status.as_u16() {
        401 => ErrorKind::Auth,
        403 if asks_to_wait.is_some() || is_used_up => ErrorKind::Busy,
        403 => ErrorKind::Permission,
        404 | 410 => ErrorKind::NotFound,
        408 | 425 | 429 => ErrorKind::Busy,
        _ if status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED => ErrorKind::Busy,
        _ => ErrorKind::Config,
    };
    let advice = match kind {
        ErrorKind::Auth => "Check `auth`.",
        ErrorKind::Permission => "Check what these credentials may do there.",
        ErrorKind::NotFound => "Check `url` and the endpoint's `path`.",
        ErrorKind::Busy => "Try again later; `rate` keeps requests apart.",
        _ => "See what the server says about it.",
    };
    let mut message = format!("the server answered with status {}", status.as_u16());
    let body = body_of(response, TOLD_BYTES_MAX).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&body);
    // cut once the secrets are out of it: a cut secret would not be found
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if !text.is_empty() {
        message.push_str(&format!(": {text}"));
    }
    let error = Error::new(kind, message).advise(advice);
    Failed { error, is_passing: kind == ErrorKind::Busy, asks_to_wait }
}
