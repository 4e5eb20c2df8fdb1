//! Refusals and failures as an answer: problem details by RFC 9457, made of the one error type and its table of kinds.

use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use levada_core::error::{Error, ErrorKind};
use levada_core::rows::{Reason, RowError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How long to wait where the server is busy and does not know for how long.
const BUSY_PAUSE: Duration = Duration::from_secs(1);
/// Mistakes in rows that stand in the text; the list has all of them.
const ROWS_IN_DETAIL: usize = 10;

/// Why a request was not carried out.
#[derive(Debug)]
pub enum Problem {
    /// No credential, or one that is not or no longer good.
    Stranger(&'static str),
    /// The caller is known and may not do this.
    Forbidden(String),
    /// The path, or what it names, does not exist.
    NotFound(String),
    /// The path exists, and knows other methods than this one.
    Method(Vec<&'static str>),
    /// The request is not what the operation takes.
    Malformed(String),
    /// The media type of the body is not one that the operation takes.
    MediaType(String),
    /// The body is larger than this many bytes.
    TooLarge(usize),
    /// The head of the request has more than so many bytes or headers.
    HeadTooLarge(usize, usize),
    /// The document has another version than the one that `If-Match` names.
    Stale,
    /// The operation changes a document and needs `If-Match`.
    Unconditional,
    /// Too many requests, or too many attempts: try again after this time.
    TooMany(Duration),
    /// It took longer than a request may.
    TimedOut,
    /// What was asked for failed.
    Failed(Vec<Error>),
    /// Rows were refused; where there are several, with their places, counted from zero.
    Rows(Vec<(Option<u64>, RowError)>),
}

/// The body of an answer that tells of a problem (RFC 9457), with the kind of the error and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub struct Details {
    /// Always `about:blank`: the kind says which problem it is.
    #[serde(rename = "type")]
    pub type_: String,
    /// The name of the status.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What went wrong, where, and what to do next.
    pub detail: String,
    /// The stable name of the kind of error.
    pub kind: String,
    /// Every mistake, where there may be several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Mistake>,
}

/// One of several mistakes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mistake {
    /// The stable name of its kind.
    #[serde(default)]
    pub kind: String,
    /// What went wrong.
    pub message: String,
    /// Where, outermost first.
    pub place: Vec<String>,
    /// What to do next.
    pub advice: String,
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::Failed(vec![error])
    }
}

impl From<Vec<Error>> for Problem {
    fn from(errors: Vec<Error>) -> Self {
        Self::Failed(errors)
    }
}

impl Problem {
    /// That there is no such thing.
    pub fn no(what: &str, name: impl std::fmt::Display) -> Self {
        Self::NotFound(format!("there is no {what} `{name}`. List what there is."))
    }

    /// The same for those who are not to know where things are.
    pub(crate) fn without_places(self) -> Self {
        let bare = |error: &Error| Error::new(error.kind(), error.message()).advise(error.advice());
        match self {
            Self::Failed(errors) => Self::Failed(errors.iter().map(bare).collect()),
            told => told,
        }
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Stranger(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::MediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::HeadTooLarge(..) => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Stale => StatusCode::PRECONDITION_FAILED,
            Self::Unconditional => StatusCode::PRECONDITION_REQUIRED,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::TimedOut => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed(errors) => {
                let status = errors.first().map_or(500, |error| error.kind().policy().http_status);
                StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }
            Self::Rows(errors) => match errors.first() {
                Some((None, RowError { reason: Reason::Missing, .. })) => StatusCode::NOT_FOUND,
                Some((None, RowError { reason: Reason::Stale, .. })) => StatusCode::PRECONDITION_FAILED,
                Some((None, RowError { reason: Reason::Unique | Reason::Reference, .. })) => StatusCode::CONFLICT,
                _ => StatusCode::UNPROCESSABLE_ENTITY,
            },
        }
    }

    /// The body of the answer.
    pub fn details(&self) -> Details {
        let status = self.status();
        let (kind, detail) = match self {
            Self::Stranger(why) => ("unauthenticated", (*why).to_owned()),
            Self::Forbidden(why) => ("forbidden", why.clone()),
            Self::NotFound(what) => ("not_found", what.clone()),
            Self::Method(known) => ("method", format!("This path knows {}.", known.join(", "))),
            Self::Malformed(why) => ("usage", why.clone()),
            Self::MediaType(known) => ("media_type", format!("The body must be {known}.")),
            Self::TooLarge(max) => ("too_large", format!("The body may have {max} bytes at most.")),
            Self::HeadTooLarge(bytes, headers) => {
                ("too_large", format!("The head of the request may have {bytes} bytes and {headers} headers at most."))
            }
            Self::Stale => {
                ("stale", "It was changed since. Get it again, and apply the change to what it is now.".into())
            }
            Self::Unconditional => (
                "unconditional",
                "Say with `If-Match` which version is to be changed: the `ETag` that it was got with.".into(),
            ),
            Self::TooMany(_) => ("too_many", "Too many requests. Try again later.".into()),
            Self::TimedOut => ("timed_out", "It took too long. Try again later, or ask for less at once.".into()),
            Self::Failed(errors) => {
                let kind = errors.first().map_or(ErrorKind::Internal, Error::kind).policy().code;
                (kind, errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
            }
            Self::Rows(errors) => {
                let all = errors.iter().take(ROWS_IN_DETAIL).map(|(row, error)| match row {
                    Some(row) => format!("row {row}: {}", error.message),
                    None => error.message.clone(),
                });
                (errors.first().map_or("check", |(_, error)| error.reason.name()), all.collect::<Vec<_>>().join("\n"))
            }
        };
        let errors = match self {
            Self::Failed(errors) => errors.iter().map(Mistake::of).collect(),
            Self::Rows(errors) => errors.iter().map(|(row, error)| Mistake::of_row(*row, error)).collect(),
            _ => Vec::new(),
        };
        let title = status.canonical_reason().unwrap_or("Problem").to_owned();
        Details {
            type_: "about:blank".to_owned(),
            title,
            status: status.as_u16(),
            detail,
            kind: kind.to_owned(),
            errors,
        }
    }

    /// When to try again, where that can help.
    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooMany(after) => Some(*after),
            Self::TimedOut => Some(BUSY_PAUSE),
            Self::Failed(_) if self.status() == StatusCode::SERVICE_UNAVAILABLE => Some(BUSY_PAUSE),
            _ => None,
        }
    }
}

impl Mistake {
    fn of_row(row: Option<u64>, error: &RowError) -> Self {
        let place = row.map(|row| format!("row {row}")).into_iter().chain(error.column.clone()).collect();
        let advice = advice(error.reason).to_owned();
        Self { kind: error.reason.name().to_owned(), message: error.message.clone(), place, advice }
    }

    /// What an error tells.
    pub(crate) fn of(error: &Error) -> Self {
        Self {
            kind: error.kind().policy().code.to_owned(),
            message: error.message().to_owned(),
            place: error.place().to_vec(),
            advice: error.advice().to_owned(),
        }
    }
}

/// What to do about a row that was refused.
const fn advice(reason: Reason) -> &'static str {
    match reason {
        Reason::Unknown => "Leave it out, or correct its name: the description of the API lists the columns.",
        Reason::Type => "Give a value of the column's type.",
        Reason::Required => "Give a value.",
        Reason::Check => "Give a value that keeps the rules of the column.",
        Reason::Unique => "Give another value, or change the row that has this one.",
        Reason::Reference => "Refer to a row that is there; one that others refer to is deleted after them.",
        Reason::Missing => "List the rows that there are; a deleted one can be restored.",
        Reason::Stale => "Get the row again, and apply the change to what it is now.",
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.details()).unwrap_or_default();
        let mut response = (self.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(after) = self.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
        }
        if let Self::Stranger(_) = self {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"levada\""));
        }
        if let Self::Method(known) = &self {
            headers
                .extend(HeaderValue::from_str(&known.join(", ")).ok().map(|known| (axum::http::header::ALLOW, known)));
        }
        response
    }
}
