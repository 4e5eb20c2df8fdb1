//! What a run says when it has ended: per stream, the counts of both sides that prove it, or why it failed.

use levada_core::destination::Durable;
use levada_core::error::{Error, ErrorKind};
use serde::Serialize;

use crate::progress::Bound;

/// The outcome of one sync.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// One entry per stream, in the order in which they ran.
    pub streams: Vec<StreamReport>,
}

/// The outcome of one stream.
#[derive(Debug, Serialize)]
pub struct StreamReport {
    /// The source's stream name.
    pub stream: String,
    /// The destination's stream name.
    pub target: String,
    /// Name of the load; it stands in the destination's commit and in its quarantine.
    pub load_id: String,
    /// The proof: rows on both sides.
    pub proof: Proof,
    /// Where its rejected rows are, if there are any: a table or a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<String>,
    /// What the commit did to the target.
    pub changes: Changes,
    /// Bytes read, as they lay in memory.
    pub bytes: u64,
    /// From the start of reading to the commit.
    pub seconds: f64,
    /// What held the load back.
    pub bound: Option<Bound>,
    /// `raw` or `arrow`.
    pub route: &'static str,
    /// How many loads were begun for it.
    pub attempts: u32,
    /// What the user should know.
    pub warnings: Vec<String>,
    /// What its last commit met, for the catalogue.
    #[serde(skip)]
    pub met: Option<crate::run::met::Met>,
    /// Why it failed; nothing of it is in the destination then, unless the text says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
}

/// `read = repeated + written + rejected`, or the stream fails before it commits.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// Rows the source gave.
    pub read: u64,
    /// Rows of those that the load before had already written (an incremental read is inclusive).
    pub repeated: u64,
    /// Rows the destination took, by its own count.
    pub written: u64,
    /// Rows in the quarantine.
    pub rejected: u64,
    /// Rows whose content was compared after the commit; `None` without `verify: checksum`.
    pub verified: Option<u64>,
}

/// What a commit did to the target's rows.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// Rows inserted.
    pub inserted: u64,
    /// Rows updated by key.
    pub updated: u64,
    /// Rows that a later row of the same load with the same key replaced.
    pub superseded: u64,
    /// Rows removed by a replace.
    pub deleted: u64,
}

/// An error in parts, for JSON output.
#[derive(Debug, Serialize)]
pub struct Failure {
    /// The kind.
    #[serde(skip)]
    pub kind: ErrorKind,
    /// The kind's stable name.
    pub code: &'static str,
    /// Exit code that follows from the kind.
    pub exit_code: u8,
    /// What and where.
    pub message: String,
    /// What to do next.
    pub advice: String,
}

impl Report {
    /// Whether every stream succeeded.
    pub fn succeeded(&self) -> bool {
        self.streams.iter().all(|stream| stream.error.is_none())
    }

    /// 0 if all went well, 130 if the run was interrupted; else the exit code that all failures share, or 1.
    pub fn exit_code(&self) -> u8 {
        let interrupted = ErrorKind::Interrupted.policy();
        let failures = || self.streams.iter().filter_map(|stream| stream.error.as_ref());
        if failures().any(|failure| failure.code == interrupted.code) {
            return interrupted.exit_code;
        }
        let mut codes = failures().map(|error| error.exit_code);
        let Some(first) = codes.next() else { return 0 };
        if codes.all(|code| code == first) { first } else { 1 }
    }
}

impl Proof {
    /// Adds that of another load.
    pub fn add(&mut self, other: Self) {
        self.read += other.read;
        self.repeated += other.repeated;
        self.written += other.written;
        self.rejected += other.rejected;
        if let Some(verified) = other.verified {
            *self.verified.get_or_insert(0) += verified;
        }
    }

    /// Whether every row read is accounted for.
    pub fn holds(&self) -> bool {
        self.read == self.repeated + self.written + self.rejected
    }
}

impl Changes {
    /// Adds those of another commit.
    pub fn add(&mut self, durable: Durable) {
        self.inserted += durable.inserted;
        self.updated += durable.updated;
        self.superseded += durable.superseded;
        self.deleted += durable.deleted;
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let policy = error.kind().policy();
        let place: String = error.place().iter().map(|place| format!("{place}: ")).collect();
        Self {
            kind: error.kind(),
            code: policy.code,
            exit_code: policy.exit_code,
            message: format!("{place}{}", error.message()),
            advice: error.advice().to_owned(),
        }
    }
}
