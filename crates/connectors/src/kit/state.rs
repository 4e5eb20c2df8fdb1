//! The two tables Levada keeps in every SQL destination, and the names of its staging tables. The columns are the same
//! everywhere; each connector gives them its own types.

use levada_core::position::StreamKey;
use sha2::{Digest, Sha256};

/// One row per stream: `pipeline`, `stream` (together the primary key), `target`, `load_id`, `state` (JSON text),
/// `rows_written`, `rows_rejected`, `committed_at`. Written in the transaction that makes the data visible.
pub const POSITIONS: &str = "_levada_positions";

/// The quarantine, one row per rejected row: `load_id`, `pipeline`, `stream`, `target`, `column_name`, `reason`,
/// `row_json`, `rejected_at`.
pub const REJECTS: &str = "_levada_rejects";

/// What the staging tables of a stream start with; whoever holds the stream's lock may drop all that do.
pub fn stage_prefix(key: &StreamKey) -> String {
    format!("_levada_stage_{}_", fingerprint(key, 16))
}

/// The staging table of one load of a stream (at most 40 ASCII characters).
pub fn stage_name(key: &StreamKey, load_id: &str) -> String {
    let load: String = load_id.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    format!("{}{load}", stage_prefix(key))
}

/// A number for systems whose locks are named by 64 bits.
pub fn lock_number(key: &StreamKey) -> i64 {
    i64::from_str_radix(&fingerprint(key, 15), 16).unwrap_or_default()
}

/// A name for systems whose locks are named by text.
pub fn lock_name(key: &StreamKey) -> String {
    format!("levada_{}", fingerprint(key, 32))
}

fn fingerprint(key: &StreamKey, digits: usize) -> String {
    let hash = Sha256::digest(format!("{}\0{}", key.pipeline, key.stream).as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>()[..digits].to_owned()
}
