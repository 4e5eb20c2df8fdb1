//! Where a stream stands: the connector's own position, and the record that a destination keeps of each commit.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How far a stream has been read: JSON that only the source connector understands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(pub Value);

/// Which load a position belongs to: one pipeline task's stream, the same in every run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct StreamKey {
    /// `pipeline/task`, or for `levada copy` the source's address without credentials.
    pub pipeline: String,
    /// The source's stream name.
    pub stream: String,
}

/// What a destination keeps, in the same commit as the data, of the last load of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Which stream.
    pub key: StreamKey,
    /// The destination's own stream (table, folder) that was written.
    pub target: String,
    /// Names the load; a load whose commit was answered by a broken connection finds itself here.
    pub load_id: String,
    /// The engine's state after this load (position, overlap, name mapping); opaque to destinations.
    pub state: Value,
    /// Rows this load wrote.
    pub rows_written: u64,
    /// Rows this load put into the quarantine.
    pub rows_rejected: u64,
    /// When it was committed, RFC 3339 in UTC; empty where the destination stamps it.
    pub committed_at: String,
}
