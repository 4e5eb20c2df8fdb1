//! Sends one HTTP request. Unless the document says `private`, only addresses of the public network are asked, and some never,
//! wherever names and redirects lead; proxies named by the environment are not used, as they would look names up themselves.

use std::error::Error as StdError;
use std::time::Instant;

use levada_core::config::{Http, HttpAuth};
use levada_core::error::{Error, ErrorKind, Result};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value as Json};
use url::Url;

use super::{Outcome, TaskContext, outputs, stopped};
use crate::network::{self, Network, Reach};

const ANSWER_BYTES_MAX: usize = 10_000_000;
/// A body up to this size is an output.
const BODY_OUTPUT_BYTES_MAX: usize = 16 * 1024;
const REDIRECTS_MAX: usize = 5;
/// What of a body goes into a message.
const TOLD_CHARS: usize = 200;

/// Sends the request. Outputs are `status`, `body` if it is small (as JSON if it is JSON), and those asked for.
///
/// # Errors
/// `Busy` for the statuses 429 and 503; `Auth`, `Permission` and `NotFound` for 401, 403 and 404; `Task` for others that
/// were not expected, and for an answer without the outputs asked for; `Refused` for an address that is not public;
/// `Connect` and `Tls`; `Config` if there is no such request; `Interrupted`.
pub async fn execute(work: &Http, context: &TaskContext) -> Result<Outcome> {
    let request = Request::new(work)?;
    let expected = Expected::new(&work.expect)?;
    let answer = request.send(&expected, context).await?;
    if !expected.contains(answer.status) {
        return Err(answer.refused(&request, context));
    }
    let mut found = Map::new();
    found.insert("status".to_owned(), answer.status.as_u16().into());
    let body: Option<Json> = serde_json::from_slice(&answer.body).ok();
    if answer.body.len() <= BODY_OUTPUT_BYTES_MAX {
        let value = match &body {
            Some(json) if answer.is_json => json.clone(),
            _ => String::from_utf8_lossy(&answer.body).into(),
        };
        found.insert("body".to_owned(), value);
    }
    for (name, pointer) in &work.outputs {
        let value = body.as_ref().and_then(|body| body.pointer(pointer)).ok_or_else(|| {
            let what = if body.is_some() { format!("has no value at `{pointer}`") } else { "is not JSON".to_owned() };
            Error::new(ErrorKind::Task, format!("the answer {what}, which is to be the output `{name}`"))
                .at(context.redactor.text(&request.shown(&request.url)))
                .advise("Compare `outputs` with the answer; a JSON pointer looks like `/data/0/id`.")
        })?;
        found.insert(name.clone(), value.clone());
    }
    Ok(Outcome::Done { outputs: outputs(found, context)?, artifacts: Vec::new() })
}

/// One request, ready to be sent.
pub(super) struct Request<'a> {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub auth: Option<&'a HttpAuth>,
    pub body: Option<Vec<u8>>,
    pub reach: Reach,
    /// Whether the path is a key, as in webhooks.
    pub url_is_secret: bool,
}

/// What came back.
pub(super) struct Answer {
    pub status: StatusCode,
    is_json: bool,
    retry_after: Option<String>,
    body: Vec<u8>,
}

/// The statuses that mean success.
pub(super) struct Expected(Vec<String>);

impl<'a> Request<'a> {
    fn new(work: &'a Http) -> Result<Self> {
        let mut url = parse_url(&work.url)?;
        if !work.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&work.query);
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &work.headers {
            let parsed = (HeaderName::try_from(name), HeaderValue::try_from(value.expose()));
            let (Ok(key), Ok(mut value)) = parsed else {
                return Err(Error::new(ErrorKind::Config, format!("`{}` is not a header", name.escape_debug()))
                    .advise("Names are letters, digits and `-`; values are one line."));
            };
            value.set_sensitive(true);
            headers.insert(key, value);
        }
        let (body, content) = match (&work.json, &work.body) {
            (Some(json), _) => (Some(json.to_string().into_bytes()), "application/json"),
            (None, Some(text)) => (Some(text.clone().into_bytes()), "text/plain; charset=utf-8"),
            (None, None) => (None, ""),
        };
        if body.is_some() {
            headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(content));
        }
        let method = work.method.as_deref().unwrap_or(if body.is_some() { "POST" } else { "GET" });
        let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).map_err(|_| {
            Error::new(ErrorKind::Config, format!("`{}` is not a method", method.escape_debug()))
                .advise("Use GET, POST, PUT, PATCH, DELETE or HEAD.")
        })?;
        Ok(Self {
            method,
            url,
            headers,
            auth: work.auth.as_ref(),
            body,
            reach: if work.private { Reach::Private } else { Reach::Public },
            url_is_secret: false,
        })
    }

    /// Sends it and reads the answer, and goes where redirects lead unless their status is expected. To another host it
    /// takes neither credentials nor headers, and no body.
    pub(super) async fn send(&self, expected: &Expected, context: &TaskContext) -> Result<Answer> {
        let mut url = self.url.clone();
        let mut method = self.method.clone();
        let mut body = self.body.as_deref();
        for _ in 0..=REDIRECTS_MAX {
            let same_host = url.origin() == self.url.origin();
            let started = Instant::now();
            let step = self.step(&context.network, &method, &url, body, same_host);
            let (answer, location) = tokio::select! {
                step = step => step.map_err(|error| error.at(context.redactor.text(&self.shown(&url))))?,
                () = context.stop.cancelled() => return Err(stopped()),
            };
            context.log.sys(&format!(
                "{method} {}: {}, {} bytes in {} ms",
                self.shown(&url),
                answer.status.as_u16(),
                answer.body.len(),
                started.elapsed().as_millis()
            ));
            let Some(location) = location.filter(|_| !expected.names(answer.status)) else { return Ok(answer) };
            let next = url.join(&location).ok().filter(|next| matches!(next.scheme(), "http" | "https"));
            url = next.ok_or_else(|| {
                Error::new(ErrorKind::Refused, "the answer leads to something that is no web address")
                    .at(context.redactor.text(&self.shown(&url)))
                    .advise("Ask the address directly that has what you want.")
            })?;
            if drops_body(answer.status, &method) {
                method = if method == Method::HEAD { Method::HEAD } else { Method::GET };
                body = None;
            }
            if body.is_some() && url.origin() != self.url.origin() {
                return Err(Error::new(ErrorKind::Refused, "the answer asks to send the body to another host")
                    .at(context.redactor.text(&self.shown(&self.url)))
                    .advise(format!("If {} is right, send the request there.", url.origin().ascii_serialization())));
            }
        }
        Err(Error::new(ErrorKind::Task, format!("more than {REDIRECTS_MAX} redirects"))
            .at(context.redactor.text(&self.shown(&self.url))))
    }

    /// A URL as it may be shown: without user, password and query, and without the path if that is a key.
    fn shown(&self, url: &Url) -> String {
        let (path, query) =
            if self.url_is_secret { ("/***", "") } else { (url.path(), url.query().map_or("", |_| "?***")) };
        format!("{}{path}{query}", url.origin().ascii_serialization())
    }

    /// One answer, and where it leads if it is a redirect.
    async fn step(
        &self,
        network: &Network,
        method: &Method,
        url: &Url,
        body: Option<&[u8]>,
        same_host: bool,
    ) -> Result<(Answer, Option<String>)> {
        let client = network.client(url, self.reach)?;
        let mut request = client.request(method.clone(), url.clone());
        for (name, value) in &self.headers {
            if same_host || *name == ACCEPT || (*name == CONTENT_TYPE && body.is_some()) {
                request = request.header(name, value);
            }
        }
        request = match self.auth.filter(|_| same_host) {
            Some(HttpAuth::Basic { user, password }) => request.basic_auth(user, Some(password.expose())),
            Some(HttpAuth::Bearer(token)) => request.bearer_auth(token.expose()),
            None => request,
        };
        if let Some(body) = body {
            request = request.body(body.to_vec());
        }
        let mut response = request.send().await.map_err(failure)?;
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let location = header(LOCATION).filter(|_| matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308));
        let content = header(CONTENT_TYPE).unwrap_or_default();
        let mut answer = Answer {
            status: response.status(),
            is_json: content.contains("/json") || content.contains("+json"),
            retry_after: header(RETRY_AFTER),
            body: Vec::new(),
        };
        while let Some(piece) = response.chunk().await.map_err(failure)? {
            if answer.body.len() + piece.len() > ANSWER_BYTES_MAX {
                return Err(Error::new(
                    ErrorKind::Task,
                    format!("the answer takes more than {ANSWER_BYTES_MAX} bytes"),
                )
                .advise("Ask for less; to move data use `sync`."));
            }
            answer.body.extend_from_slice(&piece);
        }
        Ok((answer, location))
    }
}

impl Answer {
    /// What a status means that was not expected.
    pub(super) fn refused(&self, request: &Request<'_>, context: &TaskContext) -> Error {
        let status = self.status.as_u16();
        let kind = match status {
            401 => ErrorKind::Auth,
            403 => ErrorKind::Permission,
            404 => ErrorKind::NotFound,
            429 | 503 => ErrorKind::Busy,
            _ => ErrorKind::Task,
        };
        let advice = match kind {
            ErrorKind::Auth => "Check the credentials under `auth` or `headers`.",
            ErrorKind::Permission => "Check what these credentials may do there.",
            ErrorKind::NotFound => "Check the URL.",
            ErrorKind::Busy => "Try again later.",
            _ => "See what the server says about it; `expect` lists the statuses that mean success.",
        };
        let mut message = format!("the server answered with status {status}");
        if let Some(wait) = &self.retry_after {
            message.push_str(&format!(" (try again: {})", context.redactor.text(wait)));
        }
        // Redacted before it is cut: a cut secret would not be found.
        let body = self.body.get(..64 * 1024).unwrap_or(&self.body);
        let body = context.redactor.bytes(body);
        let text: String = String::from_utf8_lossy(&body).split_whitespace().collect::<Vec<_>>().join(" ");
        if !text.is_empty() {
            message.push_str(&format!(": {}", text.chars().take(TOLD_CHARS).collect::<String>()));
        }
        Error::new(kind, message).at(context.redactor.text(&request.shown(&request.url))).advise(advice)
    }
}

impl Expected {
    /// From `200` and `2xx`; `2xx` if there are none.
    pub(super) fn new(written: &[String]) -> Result<Self> {
        for one in written {
            let good = one.len() == 3
                && one.starts_with(|c: char| ('1'..='5').contains(&c))
                && one[1..].chars().all(|c| c.is_ascii_digit() || c == 'x');
            if !good {
                return Err(Error::new(ErrorKind::Config, format!("`{one}` is not a status"))
                    .advise("Write a status such as `204`, or `2xx` for all that start with 2."));
            }
        }
        Ok(Self(if written.is_empty() { vec!["2xx".to_owned()] } else { written.to_vec() }))
    }

    pub(super) fn contains(&self, status: StatusCode) -> bool {
        self.0.iter().any(|one| one.bytes().zip(status.as_str().bytes()).all(|(want, is)| want == b'x' || want == is))
    }

    /// Whether a redirect is itself what is wanted.
    fn names(&self, status: StatusCode) -> bool {
        status.is_redirection() && self.contains(status)
    }
}

/// What browsers do: see RFC 9110, 15.4.
fn drops_body(status: StatusCode, method: &Method) -> bool {
    match status.as_u16() {
        303 => true,
        301 | 302 => *method == Method::POST,
        _ => false,
    }
}

pub(super) fn parse_url(text: &str) -> Result<Url> {
    // The text is not repeated: it may hold a key.
    Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host()).ok_or_else(|| {
        Error::new(ErrorKind::Config, "the URL of the request is not a web address")
            .advise("Write it in full, for instance `https://example.org/path`.")
    })
}

fn failure(error: reqwest::Error) -> Error {
    let error = error.without_url();
    if let Some(refused) = network::refused(&error) {
        return refused;
    }
    let chain = || std::iter::successors(Some(&error as &(dyn StdError + 'static)), |&error| error.source());
    let cause = chain().last().map(ToString::to_string).unwrap_or_default();
    if cause.contains("certificate") || cause.contains("HandshakeFailure") {
        return Error::new(ErrorKind::Tls, format!("the server's certificate was not accepted: {cause}"))
            .advise("Add its authority to those of this system, or set SSL_CERT_FILE.");
    }
    if error.is_builder() {
        return Error::new(ErrorKind::Config, format!("the request cannot be sent: {cause}"));
    }
    let what = if error.is_timeout() { "no answer in time".to_owned() } else { cause };
    Error::new(ErrorKind::Connect, what).advise("Check the host, the port and the network of this worker.")
}
