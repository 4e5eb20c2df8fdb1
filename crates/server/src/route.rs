//! What a line of the route table is: who may call the operation, what it takes, what it answers. The input of an operation
//! is one flat object; where each of its fields travels follows from the path and the method, so that the router and
//! the OpenAPI document read the same line.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, LOCATION, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use levada_core::access::Role;
use levada_core::error::{Error, ErrorKind};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::caller::Caller;
use crate::condition::Condition;
use crate::guard::{self, Peer};
use crate::problem::Problem;
use crate::{App, input};

/// Who may call an operation. There is no default: a line without a rule is not a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Anybody who reaches the server.
    Public,
    /// Anybody with a good credential: it concerns nobody else.
    Signed,
    /// Those with this role.
    Role(Role),
    /// Those with this role on the pipeline that the path names, or whose run it names: roles granted by tags count.
    Pipeline(Role),
    /// Anybody on this machine, and those with a good credential elsewhere.
    Metrics,
}

/// One operation.
pub struct Route {
    /// The operation's name: in the OpenAPI document, the client and the audit log.
    pub id: &'static str,
    /// The method.
    pub method: Method,
    /// The path, with `{names}` of input fields.
    pub path: &'static str,
    /// Who may.
    pub rule: Rule,
    /// One sentence.
    pub summary: &'static str,
    /// Which headers and bodies it understands beyond its input.
    pub takes: Takes,
    /// What it takes.
    pub fields: Vec<input::Field>,
    /// What it answers.
    pub answer: Shape,
    /// Whether its answer is that of the store alone, and stays the same while the store does.
    pub(crate) is_kept: bool,
    /// Whether it only reads, for all that its method says; it limits its own time, and writes down by itself what is asked.
    pub(crate) is_query: bool,
    pub(crate) handler: Handler,
}

type Handler = Arc<dyn Fn(App, Caller, Request, Vec<(String, String)>) -> BoxFuture<'static, Response> + Send + Sync>;

/// What an operation understands beyond its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Takes {
    /// `If-Match`: the version of the document that is to be changed.
    pub condition: bool,
    /// `Idempotency-Key`: the same key starts the same thing once.
    pub key: bool,
    /// A body of these media types that is read as a stream, without the limit of other bodies.
    pub stream: &'static [&'static str],
    /// A body of YAML, which becomes the input field `text`.
    pub yaml: bool,
    /// A body of [`LARGE`] times the limit of others.
    pub large: bool,
}

/// How many times longer than others the body may be of an operation that takes all the documents of a project.
pub const LARGE: usize = 64;

/// That the body of a request may be large, for those who read it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Large;

/// A request to an operation, by somebody who may.
pub struct Call<I> {
    /// The server.
    pub app: App,
    /// Who asks.
    pub caller: Caller,
    /// What is asked.
    pub input: I,
    /// The head of the request.
    pub head: Parts,
    /// The body, if the operation reads it as a stream.
    pub body: Body,
}

/// What an operation answers when it succeeds.
pub struct Shape {
    /// The status.
    pub status: StatusCode,
    /// Media types with their schemas.
    pub content: Vec<(&'static str, Option<Schema>)>,
    /// Whether it carries an `ETag`.
    pub etag: bool,
}

/// Something that an operation answers.
pub trait Output: Send + 'static {
    /// What it looks like.
    fn shape(schemas: &mut SchemaGenerator) -> Shape;
    /// The response.
    fn respond(self) -> Response;
}

/// A line of the table.
pub(crate) fn line<I, O, F, R>(
    schemas: &mut SchemaGenerator,
    method: Method,
    (id, path, rule, summary): (&'static str, &'static str, Rule, &'static str),
    operation: F,
) -> Route
where
    I: DeserializeOwned + JsonSchema + Send + 'static,
    O: Output,
    F: Fn(Call<I>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Result<O, Problem>> + Send + 'static,
{
    let fields = input::fields::<I>(schemas, &method, path);
    let answer = O::shape(schemas);
    let known = Arc::new(fields.clone());
    let handler: Handler = Arc::new(move |app, caller, request, path| {
        let (operation, known) = (operation.clone(), known.clone());
        Box::pin(async move {
            let done = async {
                let (head, body) = request.into_parts();
                let (input, body) = input::read(&app, &known, &head, path, body).await?;
                operation(Call { app, caller, input, head, body }).await
            };
            done.await.map_or_else(IntoResponse::into_response, Output::respond)
        })
    });
    Route {
        id,
        method,
        path,
        rule,
        summary,
        takes: Takes::default(),
        fields,
        answer,
        is_kept: false,
        is_query: false,
        handler,
    }
}

impl Route {
    /// Its path takes `If-Match`.
    pub(crate) fn conditional(mut self) -> Self {
        self.takes.condition = true;
        self
    }

    /// Its answer carries the version of what it shows.
    pub(crate) fn versioned(mut self) -> Self {
        self.answer.etag = true;
        self
    }

    /// It starts something, once for each `Idempotency-Key`.
    pub(crate) fn once(mut self) -> Self {
        self.takes.key = true;
        self
    }

    /// It takes YAML as well.
    pub(crate) fn yaml(mut self) -> Self {
        self.takes.yaml = true;
        self
    }

    /// Its answer follows from what the store holds, who asks and what the URL names; not from the time, the surroundings or
    /// another system.
    pub(crate) fn kept(mut self) -> Self {
        self.is_kept = true;
        self
    }

    /// It only reads, for all that its method says; it limits its own time, and writes down by itself what is asked.
    pub(crate) fn query(mut self) -> Self {
        self.is_query = true;
        self
    }

    /// Its body may be large.
    pub(crate) fn large(mut self) -> Self {
        self.takes.large = true;
        self
    }

    /// Whether it changes anything, as far as its method says.
    pub fn is_unsafe(&self) -> bool {
        !matches!(self.method, Method::GET | Method::HEAD)
    }
}

/// What is started once, however often it is asked for.
pub struct Once {
    /// What has this identity is the same.
    pub identity: String,
    /// A hash of what was asked for under it, where a key was given.
    pub input: Option<String>,
}

/// The SHA-256 of an input, whatever the order of its keys.
fn hash(input: &impl Serialize) -> Result<String, Problem> {
    let told = |error: serde_json::Error| Error::new(ErrorKind::Internal, format!("an input has no text: {error}"));
    let mut value = serde_json::to_value(input).map_err(told)?;
    value.sort_all_objects();
    Ok(Sha256::digest(value.to_string()).iter().map(|byte| format!("{byte:02x}")).collect())
}

impl<I> Call<I> {
    /// What `If-Match` asks of what is there.
    ///
    /// # Errors
    /// `Unconditional` if it asks nothing.
    pub fn condition(&self) -> Result<Condition, Problem> {
        self.condition_or_new().ok_or(Problem::Unconditional)
    }

    /// What `If-Match` asks of what is there; none without it, which means a document that is new.
    pub fn condition_or_new(&self) -> Option<Condition> {
        Condition::of(&self.head.headers)
    }

    /// What tells something that is to be started of an object: the same for the same caller, object and key.
    ///
    /// # Errors
    /// `Malformed` for a key that is too long.
    pub fn once(&self, operation: &str, object: impl std::fmt::Display) -> Result<Once, Problem>
    where
        I: Serialize,
    {
        match self.header("idempotency-key") {
            Some(key) if key.is_empty() || key.len() > 255 => {
                Err(Problem::Malformed("`Idempotency-Key` has between 1 and 255 characters.".to_owned()))
            }
            Some(key) => {
                let identity = format!("api:{operation}:{object}:{}:{key}", self.caller.name);
                Ok(Once { identity, input: Some(hash(&self.input)?) })
            }
            None => Ok(Once { identity: format!("api:{}", uuid::Uuid::new_v4()), input: None }),
        }
    }

    /// A header, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Where it came from.
    pub(crate) fn peer(&self) -> Option<Peer> {
        guard::peer(&self.head.extensions)
    }

    /// Whether it came over TLS.
    pub(crate) fn is_tls(&self) -> bool {
        guard::is_tls(&self.head.extensions)
    }

    /// The instant it is.
    pub fn now(&self) -> levada_core::time::Timestamp {
        self.app.clock.now()
    }
}

/// An answer of JSON.
pub struct Answer<T> {
    status: StatusCode,
    body: T,
    headers: HeaderMap,
}

impl<T> From<T> for Answer<T> {
    fn from(body: T) -> Self {
        Self { status: StatusCode::OK, body, headers: HeaderMap::new() }
    }
}

impl<T> Answer<T> {
    /// With the version of the document that it shows.
    pub fn version(mut self, version: u32) -> Self {
        self.headers.extend(HeaderValue::from_str(&format!("\"v{version}\"")).ok().map(|tag| (ETAG, tag)));
        self
    }

    /// With a cookie.
    pub fn cookie(mut self, cookie: &str) -> Self {
        if let Ok(cookie) = HeaderValue::from_str(cookie) {
            self.headers.append(SET_COOKIE, cookie);
        }
        self
    }
}

impl<T: Serialize + JsonSchema + Send + 'static> Output for Answer<T> {
    fn shape(schemas: &mut SchemaGenerator) -> Shape {
        let schema = schemas.subschema_for::<T>();
        Shape { status: StatusCode::OK, content: vec![("application/json", Some(schema))], etag: false }
    }

    fn respond(self) -> Response {
        let mut response = match serde_json::to_vec(&self.body) {
            Ok(body) => (self.status, body).into_response(),
            Err(error) => return broken(&error),
        };
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response.headers_mut().extend(self.headers);
        response
    }
}

/// An answer that tells what was made, and where it is.
pub struct Created<T> {
    /// What was made.
    pub body: T,
    /// Where it is.
    pub location: String,
}

impl<T: Serialize + JsonSchema + Send + 'static> Output for Created<T> {
    fn shape(schemas: &mut SchemaGenerator) -> Shape {
        Shape { status: StatusCode::CREATED, ..Answer::<T>::shape(schemas) }
    }

    fn respond(self) -> Response {
        let mut answer = Answer::from(self.body);
        answer.status = StatusCode::CREATED;
        answer.headers.extend(HeaderValue::from_str(&self.location).ok().map(|place| (LOCATION, place)));
        answer.respond()
    }
}

/// That it was done, and no more.
#[derive(Default)]
pub struct Done {
    headers: HeaderMap,
}

impl Done {
    /// With a cookie.
    pub fn cookie(mut self, cookie: &str) -> Self {
        self.headers.extend(HeaderValue::from_str(cookie).ok().map(|cookie| (SET_COOKIE, cookie)));
        self
    }
}

impl Output for Done {
    fn shape(_: &mut SchemaGenerator) -> Shape {
        Shape { status: StatusCode::NO_CONTENT, content: Vec::new(), etag: false }
    }

    fn respond(self) -> Response {
        (StatusCode::NO_CONTENT, self.headers).into_response()
    }
}

/// A browser is sent elsewhere.
pub struct Redirect {
    to: String,
    cookies: Vec<String>,
}

impl Redirect {
    /// To this place.
    pub fn to(place: impl Into<String>) -> Self {
        Self { to: place.into(), cookies: Vec::new() }
    }

    /// With a cookie.
    pub fn cookie(mut self, cookie: String) -> Self {
        self.cookies.push(cookie);
        self
    }
}

impl Output for Redirect {
    fn shape(_: &mut SchemaGenerator) -> Shape {
        Shape { status: StatusCode::SEE_OTHER, content: Vec::new(), etag: false }
    }

    fn respond(self) -> Response {
        let mut headers = HeaderMap::new();
        headers.extend(HeaderValue::from_str(&self.to).ok().map(|place| (LOCATION, place)));
        for cookie in self.cookies.iter().filter_map(|cookie| HeaderValue::from_str(cookie).ok()) {
            headers.append(SET_COOKIE, cookie);
        }
        (StatusCode::SEE_OTHER, headers).into_response()
    }
}

/// A text for people or programs, not JSON.
pub struct Text {
    /// Its media type.
    pub content_type: &'static str,
    /// The text.
    pub body: String,
}

impl Output for Text {
    fn shape(_: &mut SchemaGenerator) -> Shape {
        Shape { status: StatusCode::OK, content: vec![("text/plain", None)], etag: false }
    }

    fn respond(self) -> Response {
        ([(CONTENT_TYPE, self.content_type)], self.body).into_response()
    }
}

/// Bytes to keep as a file: never shown by a browser as a page of this server.
pub struct Download {
    /// The name of the file.
    pub name: String,
    /// Its media type.
    pub content_type: String,
    /// Its bytes.
    pub body: Body,
    /// How many, where that is known.
    pub bytes: Option<u64>,
}

impl Output for Download {
    fn shape(_: &mut SchemaGenerator) -> Shape {
        Shape { status: StatusCode::OK, content: vec![("application/octet-stream", None)], etag: false }
    }

    fn respond(self) -> Response {
        let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' };
        let ascii: String = self.name.chars().map(plain).collect();
        let exact = percent_encoding::utf8_percent_encode(&self.name, percent_encoding::NON_ALPHANUMERIC);
        let disposition = format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{exact}");
        let mut response = self.body.into_response();
        let headers = response.headers_mut();
        headers.extend(HeaderValue::from_str(&disposition).ok().map(|value| (CONTENT_DISPOSITION, value)));
        headers.extend(HeaderValue::from_str(&self.content_type).ok().map(|value| (CONTENT_TYPE, value)));
        headers.extend(self.bytes.map(|bytes| (axum::http::header::CONTENT_LENGTH, HeaderValue::from(bytes))));
        response
    }
}

/// A response made elsewhere: an upgraded connection, or a stream of events.
pub struct Other<const EVENTS: bool>(pub Response);

impl<const EVENTS: bool> Output for Other<EVENTS> {
    fn shape(_: &mut SchemaGenerator) -> Shape {
        match EVENTS {
            true => Shape { status: StatusCode::OK, content: vec![("text/event-stream", None)], etag: false },
            false => Shape { status: StatusCode::SWITCHING_PROTOCOLS, content: Vec::new(), etag: false },
        }
    }

    fn respond(self) -> Response {
        self.0
    }
}

/// A page of a list.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "{T}Page")]
pub struct Page<T> {
    /// The items, in the order asked for.
    pub items: Vec<T>,
    /// What to give as `after` for the next page; null on the last one.
    pub next: Option<String>,
}

/// An object of unknown keys.
pub type Object = Map<String, Value>;

fn broken(error: &serde_json::Error) -> Response {
    tracing::error!("an answer could not be written: {error}");
    (StatusCode::INTERNAL_SERVER_ERROR, Bytes::new()).into_response()
}
