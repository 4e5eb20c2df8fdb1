//! Operations called by a program, with the same input and the same answers wherever they are carried out: in this process,
//! by the router and the guard that a server has, or by a server over HTTP. The table of routes says how an operation is
//! called; what went wrong comes back as the errors that it was.

pub mod events;
pub mod remote;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, ETAG, RETRY_AFTER};
use axum::http::{HeaderMap, Method, StatusCode};
use form_urlencoded::Serializer;
use futures_util::StreamExt as _;
use levada_core::error::{Error, ErrorKind, Result};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tower::ServiceExt as _;

use crate::App;
use crate::guard::Local;
use crate::input::Place;
use crate::problem::{Details, Mistake};
use crate::route::Page;
use crate::router::{router, table};
use remote::Remote;

/// Items of a page that is one of many.
const PAGE: u32 = 1_000;
/// Largest answer that is read as a whole.
const ANSWER_BYTES_MAX: usize = 256 << 20;
/// The pauses before what broke off is asked for again.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];

/// Calls operations. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    operations: Arc<BTreeMap<&'static str, Operation>>,
    /// What every request has beside its own.
    headers: Vec<(&'static str, String)>,
    way: Way,
}

/// How operations are reached.
#[derive(Clone)]
enum Way {
    /// In this process, for whoever uses its command line.
    Here { router: axum::Router, person: String },
    /// At a server.
    There(Remote),
}

/// How an operation is called.
struct Operation {
    method: Method,
    path: &'static str,
    places: BTreeMap<String, Place>,
    takes_key: bool,
}

/// A request, before it is known which way it goes.
pub(crate) struct Sent {
    pub method: Method,
    /// The path with the query.
    pub target: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Option<Vec<u8>>,
}

/// An answer whose body is still to come.
pub(crate) struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Chunks,
}

/// A body in pieces.
pub(crate) enum Chunks {
    Here(BodyDataStream),
    There(reqwest::Response, Remote),
}

impl Client {
    /// Calls operations in this process. They are written down as asked for by `local:PERSON`.
    pub fn here(app: App, person: &str) -> Self {
        Self::new(Way::Here { router: router(app), person: person.to_owned() })
    }

    /// Calls operations of a server.
    pub fn there(remote: Remote) -> Self {
        Self::new(Way::There(remote))
    }

    fn new(way: Way) -> Self {
        let operation = |route: crate::route::Route| {
            let places = route.fields.into_iter().map(|field| (field.name, field.place)).collect();
            let takes_key = route.takes.key;
            (route.id, Operation { method: route.method, path: route.path, places, takes_key })
        };
        Self { operations: Arc::new(table().routes.into_iter().map(operation).collect()), headers: Vec::new(), way }
    }

    fn with_headers(&self, headers: Vec<(&'static str, String)>) -> Self {
        Self { headers, ..self.clone() }
    }

    /// Whether operations are carried out elsewhere.
    pub fn is_remote(&self) -> bool {
        matches!(self.way, Way::There(_))
    }

    /// Calls an operation. What of its input is null is left out.
    ///
    /// # Errors
    /// Those of the operation; `Connect` and `Tls` where the server is not reached, or is none of Levada.
    pub async fn call<T: DeserializeOwned>(&self, operation: &str, input: Value) -> Result<T, Vec<Error>> {
        self.tagged(operation, input, None).await.map(|(answer, _)| answer)
    }

    /// Calls an operation on the version of a document that has a tag, if one is given. Answers also the tag of the version
    /// that came back.
    ///
    /// # Errors
    /// As of [`Client::call`].
    pub async fn tagged<T: DeserializeOwned>(
        &self,
        operation: &str,
        input: Value,
        tag: Option<&str>,
    ) -> Result<(T, Option<String>), Vec<Error>> {
        let reply = self.open(operation, input, tag).await?;
        let tag = reply.headers.get(ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let is_json = media_type(&reply.headers) == "application/json";
        let is_empty = reply.status == StatusCode::NO_CONTENT;
        if !is_json && !is_empty {
            return Err(vec![self.stranger(reply.status)]);
        }
        let status = reply.status;
        let bytes = reply.body.whole().await.map_err(|error| vec![error])?;
        let answer = if is_empty { serde_json::from_slice(b"null") } else { serde_json::from_slice(&bytes) };
        Ok((answer.map_err(|_| vec![self.stranger(status)])?, tag))
    }

    /// All items of a list, page by page.
    ///
    /// # Errors
    /// As of [`Client::call`].
    pub async fn all<T: DeserializeOwned>(&self, operation: &str, mut input: Value) -> Result<Vec<T>, Vec<Error>> {
        if self.operations.get(operation).is_some_and(|known| known.places.contains_key("limit")) {
            input["limit"] = PAGE.into();
        }
        let mut items = Vec::new();
        loop {
            let page: Page<T> = self.call(operation, input.clone()).await?;
            items.extend(page.items);
            match page.next {
                Some(next) => input["after"] = next.into(),
                None => return Ok(items),
            }
        }
    }

    /// Calls an operation that answers with a file, which is handed over piece by piece.
    ///
    /// # Errors
    /// As of [`Client::call`], and those of whoever takes the pieces.
    pub async fn pieces(
        &self,
        operation: &str,
        input: Value,
        mut take: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<(), Vec<Error>> {
        let mut body = self.open(operation, input, None).await?.body;
        while let Some(piece) = body.next().await.map_err(|error| vec![error])? {
            take(&piece).map_err(|error| vec![error])?;
        }
        Ok(())
    }

    /// Calls an operation, whose answer is read as it comes.
    pub(crate) async fn open(&self, operation: &str, input: Value, tag: Option<&str>) -> Result<Reply, Vec<Error>> {
        let missing = || vec![Error::new(ErrorKind::Internal, format!("there is no operation `{operation}`"))];
        let operation = self.operations.get(operation).ok_or_else(missing)?;
        let mut sent = operation.request(input).map_err(|error| vec![error])?;
        sent.headers.extend(self.headers.iter().cloned());
        sent.headers.extend(tag.map(|tag| ("if-match", tag.to_owned())));
        let reply = self.send(operation, sent).await.map_err(|error| vec![error])?;
        if reply.status.is_success() {
            return Ok(reply);
        }
        Err(self.refused(reply).await)
    }

    async fn send(&self, operation: &Operation, sent: Sent) -> Result<Reply> {
        match &self.way {
            Way::Here { router, person } => {
                let mut request = Request::builder().method(&sent.method).uri(&sent.target);
                for (name, value) in &sent.headers {
                    request = request.header(*name, value);
                }
                let request = request.body(sent.body.map_or_else(Body::empty, Body::from));
                let mut request = request.map_err(|error| Error::new(ErrorKind::Usage, error.to_string()))?;
                request.extensions_mut().insert(Local(person.clone()));
                let Ok(response) = router.clone().oneshot(request).await;
                let (head, body) = response.into_parts();
                Ok(Reply { status: head.status, headers: head.headers, body: Chunks::Here(body.into_data_stream()) })
            }
            Way::There(remote) => {
                // what is only looked at, or has a key, is never done twice by asking twice
                let is_safe = operation.method == Method::GET || operation.takes_key;
                let mut pauses = PAUSES.into_iter().filter(|_| is_safe);
                loop {
                    match remote.send(&sent).await {
                        Ok(reply) => return Ok(reply),
                        Err(failure) => match pauses.next().filter(|_| failure.is_broken) {
                            Some(pause) => tokio::time::sleep(pause).await,
                            None => return Err(failure.error),
                        },
                    }
                }
            }
        }
    }

    /// Why something was not done.
    async fn refused(&self, reply: Reply) -> Vec<Error> {
        let (status, after) =
            (reply.status, reply.headers.get(RETRY_AFTER).and_then(|text| text.to_str().ok()?.parse().ok()));
        if status.is_redirection() {
            return vec![self.sent_elsewhere(&reply.headers)];
        }
        let is_problem = media_type(&reply.headers) == "application/problem+json";
        let details = match reply.body.whole().await {
            Ok(bytes) if is_problem => serde_json::from_slice(&bytes).ok(),
            Ok(_) => None,
            Err(error) => return vec![error],
        };
        match details {
            Some(details) => errors(details, after, self.place()),
            None => vec![self.stranger(status)],
        }
    }

    fn place(&self) -> Option<&str> {
        match &self.way {
            Way::Here { .. } => None,
            Way::There(remote) => Some(remote.address()),
        }
    }

    /// That whatever answers is no Levada, or one that is much older or newer.
    fn stranger(&self, status: StatusCode) -> Error {
        Error::new(
            ErrorKind::Connect,
            format!("what answers is not a Levada server that this program understands ({status})"),
        )
        .at(self.place().unwrap_or("this process"))
        .advise("Check the URL, and that both are of the same version.")
    }

    fn sent_elsewhere(&self, headers: &HeaderMap) -> Error {
        let place = headers.get("location").and_then(|place| place.to_str().ok()).unwrap_or("another place");
        let place = place.split(['?', '#']).next().unwrap_or_default();
        Error::new(ErrorKind::Connect, format!("the server sends to {place}, where no token is sent"))
            .at(self.place().unwrap_or("this process"))
            .advise("Give the URL that Levada answers at.")
    }
}

impl Operation {
    /// Places the fields of the input where they travel.
    fn request(&self, input: Value) -> Result<Sent> {
        let input: Map<String, Value> = match input {
            Value::Object(fields) => fields.into_iter().filter(|(_, value)| !value.is_null()).collect(),
            _ => Map::new(),
        };
        let (mut path, mut query, mut body) = (self.path.to_owned(), Serializer::new(String::new()), Map::new());
        let mut is_asked = false;
        for (name, value) in input {
            match self.places.get(&name) {
                Some(Place::Path) => {
                    let value = text(&value);
                    // a URL with these leads elsewhere
                    if matches!(value.as_str(), "" | "." | "..") {
                        return Err(Error::new(ErrorKind::NotFound, format!("there is no {name} `{value}`")));
                    }
                    let value = utf8_percent_encode(&value, NON_ALPHANUMERIC).to_string();
                    path = path.replace(&format!("{{{name}}}"), &value);
                }
                Some(Place::Query) => {
                    is_asked = true;
                    let one = std::slice::from_ref(&value);
                    for value in value.as_array().map_or(one, Vec::as_slice) {
                        query.append_pair(&name, &text(value));
                    }
                }
                Some(Place::Body) => drop(body.insert(name, value)),
                None => return Err(Error::new(ErrorKind::Internal, format!("the operation has no field `{name}`"))),
            }
        }
        let mut headers = Vec::new();
        if self.takes_key {
            headers.push(("idempotency-key", uuid::Uuid::new_v4().to_string()));
        }
        let takes_body = !matches!(self.method, Method::GET | Method::DELETE);
        if takes_body {
            headers.push(("content-type", "application/json".to_owned()));
        }
        let body = takes_body.then(|| Value::Object(body).to_string().into_bytes());
        let target = if is_asked { format!("{path}?{}", query.finish()) } else { path };
        Ok(Sent { method: self.method.clone(), target, headers, body })
    }
}

impl Chunks {
    /// The next piece; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>> {
        match self {
            Self::Here(stream) => {
                stream.next().await.transpose().map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))
            }
            Self::There(response, remote) => response.chunk().await.map_err(|error| remote.failure(&error).error),
        }
    }

    async fn whole(mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.next().await? {
            if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(Error::new(ErrorKind::Data, "the answer is too large").advise("Ask for less at once."));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

/// What an answer tells of a problem, as the errors that it was made of.
fn errors(details: Details, after: Option<u64>, place: Option<&str>) -> Vec<Error> {
    let kind = kind(&details.kind);
    if !details.errors.is_empty() {
        return details.errors.into_iter().map(Error::from).collect();
    }
    let (message, advice) = details.detail.split_once(". ").unwrap_or((&details.detail, ""));
    let error = Error::new(kind, message);
    vec![match (details.kind.as_str(), place, after) {
        ("unauthenticated", Some(place), _) => {
            error.at(place).advise(format!("Sign in with `levada login {place}`, or give a token in LEVADA_TOKEN."))
        }
        ("forbidden", ..) if advice.is_empty() => error.advise("An administrator gives roles."),
        ("too_many", _, Some(after)) => error.advise(format!("Try again in {after} s.")),
        _ => error.advise(advice),
    }]
}

impl From<Mistake> for Error {
    fn from(mistake: Mistake) -> Self {
        let error = Self::new(kind(&mistake.kind), mistake.message).advise(mistake.advice);
        mistake.place.into_iter().rev().fold(error, Self::at)
    }
}

/// The kind of error that a problem was, or that it is to whoever asked.
fn kind(code: &str) -> ErrorKind {
    ErrorKind::from_code(code).unwrap_or(match code {
        "unauthenticated" => ErrorKind::Auth,
        "forbidden" => ErrorKind::Permission,
        "stale" => ErrorKind::Refused,
        "too_many" | "timed_out" => ErrorKind::Busy,
        _ => ErrorKind::Usage,
    })
}

fn media_type(headers: &HeaderMap) -> &str {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim()
}

/// A value as it stands in a URL.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

/// Pairs as an object.
pub fn object(pairs: &[(String, String)]) -> Value {
    json!(pairs.iter().cloned().collect::<BTreeMap<String, String>>())
}
