//! The one error type of Levada and the one table that says what each kind of error means: whether trying again can
//! help, the exit code, the HTTP status and the advice a person gets when the place of failure gave none.

use std::fmt;

use crate::position::Position;

/// What went wrong, as far as a caller has to tell the difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The command line or a request was used wrongly.
    Usage,
    /// A document, URL or connection setting is invalid.
    Config,
    /// A named thing (connection, table, column, file, bucket) does not exist.
    NotFound,
    /// The other system refused the credentials.
    Auth,
    /// The credentials are good but lack a right.
    Permission,
    /// No connection, or a connection that broke.
    Connect,
    /// The TLS handshake or the certificate failed.
    Tls,
    /// Deadlock, serialisation failure, lock time-out, throttling: the same request can work later.
    Busy,
    /// A stream's shape does not fit the destination or the schema policy.
    Schema,
    /// A value cannot be represented in the destination, or a file is malformed.
    Data,
    /// Going on would break a promise (for instance append everything twice).
    Refused,
    /// A disk or quota is full.
    Full,
    /// Reading or writing a local file failed.
    Io,
    /// The pair, mode or option is not supported.
    Unsupported,
    /// The program or request of a task did not end as it should.
    Task,
    /// The user or the caller stopped the work.
    Interrupted,
    /// A bug in Levada.
    Internal,
}

/// What follows from an [`ErrorKind`]; one row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Stable lower-case name, used in JSON output and documentation.
    pub code: &'static str,
    /// Whether the same work can succeed when tried again unchanged.
    pub retry: bool,
    /// Exit code of the process.
    pub exit_code: u8,
    /// HTTP status of an API answer.
    pub http_status: u16,
    /// What to do when the error itself carries no advice.
    pub advice: &'static str,
}

impl ErrorKind {
    /// Every kind.
    pub const ALL: [Self; 17] = [
        Self::Usage,
        Self::Config,
        Self::NotFound,
        Self::Auth,
        Self::Permission,
        Self::Connect,
        Self::Tls,
        Self::Busy,
        Self::Schema,
        Self::Data,
        Self::Refused,
        Self::Full,
        Self::Io,
        Self::Unsupported,
        Self::Task,
        Self::Interrupted,
        Self::Internal,
    ];

    /// The kind of a stable name.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.policy().code == code)
    }

    /// The row of the table for this kind.
    pub const fn policy(self) -> Policy {
        const fn row(code: &'static str, retry: bool, exit_code: u8, http_status: u16, advice: &'static str) -> Policy {
            Policy { code, retry, exit_code, http_status, advice }
        }
        match self {
            Self::Usage => row("usage", false, 2, 400, "See what the command or the operation takes."),
            Self::Config => row("config", false, 2, 422, "Correct it, and check it again."),
            Self::NotFound => row("not_found", false, 1, 404, "List what there is."),
            Self::Auth => row("auth", false, 1, 502, "Check user and password, and test the connection."),
            Self::Permission => row("permission", false, 1, 502, "Grant the missing right to the connection's user."),
            Self::Connect => row("connect", true, 1, 502, "Check host, port and network, and test the connection."),
            Self::Tls => row("tls", false, 1, 502, "Check the certificate, or choose another `tls` mode."),
            Self::Busy => row("busy", true, 1, 503, "Try again later."),
            Self::Schema => row("schema", false, 1, 409, "See in the plan what would change."),
            Self::Data => row("data", false, 1, 422, "Set `on_bad_row: quarantine` to load the other rows."),
            Self::Refused => row("refused", false, 3, 409, "A full refresh loads the stream from the start."),
            Self::Full => row("full", false, 1, 507, "Free some space and run again: nothing was committed."),
            Self::Io => row("io", false, 1, 500, "Check that the path exists and may be read and written."),
            Self::Unsupported => row("unsupported", false, 2, 422, "See the connector's page in the documentation."),
            Self::Task => row("task", true, 1, 500, "See its log."),
            Self::Interrupted => row("interrupted", false, 130, 499, "Run again: nothing is left half done."),
            Self::Internal => row("internal", false, 1, 500, "This is a bug in Levada; please report it."),
        }
    }
}

/// An error that tells what failed, where, and what to do next, in words for the person who reads it.
pub struct Error {
    kind: ErrorKind,
    message: String,
    place: Vec<String>,
    advice: Option<String>,
    position: Option<Box<Position>>,
}

/// The result of everything in Levada that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A new error of a kind; `message` is one sentence without a final stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), place: Vec::new(), advice: None, position: None }
    }

    /// Says where it happened; called from the inside out, so the outermost place comes first in the text. A place that
    /// names the one within it takes its stead: a connection without a name of its own goes by its address.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        let place = place.into();
        match self.place.first_mut() {
            Some(inner) if place == *inner || place.contains(&format!("`{inner}`")) => *inner = place,
            _ => self.place.insert(0, place),
        }
        self
    }

    /// Says what to do next, in place of the kind's general advice.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// Says that a read came to this position before it broke: every row up to there was handed on, and the next read can
    /// go on from there.
    #[must_use]
    pub fn reached(mut self, position: Position) -> Self {
        self.position = Some(Box::new(position));
        self
    }

    /// How far a read came that broke, where that is known.
    pub fn position(&self) -> Option<&Position> {
        self.position.as_deref()
    }

    /// The kind of the error.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The sentence that says what went wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where it happened, outermost first.
    pub fn place(&self) -> &[String] {
        &self.place
    }

    /// What to do next.
    pub fn advice(&self) -> &str {
        self.advice.as_deref().unwrap_or(self.kind.policy().advice)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in &self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{}.", self.message.trim_end_matches('.'))?;
        // one that was told elsewhere may say by itself what to do
        if self.advice().is_empty() { Ok(()) } else { write!(f, " {}", self.advice()) }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {self}", self.kind.policy().code)
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind as Io;
        let kind = match error.kind() {
            Io::NotFound => ErrorKind::NotFound,
            Io::PermissionDenied => ErrorKind::Permission,
            Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => ErrorKind::Full,
            Io::ConnectionRefused | Io::ConnectionReset | Io::ConnectionAborted | Io::TimedOut | Io::BrokenPipe => {
                ErrorKind::Connect
            }
            _ => ErrorKind::Io,
        };
        Error::new(kind, error.to_string())
    }
}

/// Adds the place to an error on its way up.
pub trait Context<T> {
    /// Names the place where the error happened.
    fn at(self, place: impl Into<String>) -> Result<T>;
}

impl<T, E: Into<Error>> Context<T> for std::result::Result<T, E> {
    fn at(self, place: impl Into<String>) -> Result<T> {
        self.map_err(|error| error.into().at(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_said_once() {
        let error = Error::new(ErrorKind::Connect, "no answer").at("mysql://h:1/d").at("connection `mysql://h:1/d`");
        assert_eq!(error.place(), ["connection `mysql://h:1/d`"]);
        let error = error.at("stream `t`").at("stream `t`");
        assert_eq!(error.place(), ["stream `t`", "connection `mysql://h:1/d`"]);
        let error = Error::new(ErrorKind::Connect, "no answer").at("mysql://h:1/d").at("connection `dw`");
        assert_eq!(error.place(), ["connection `dw`", "mysql://h:1/d"]);
    }
}
