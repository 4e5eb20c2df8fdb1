//! The manifest of a backup: its tables, what makes them again, and every file with its hash. It carries a hash of itself, and
//! is read as far as that hash holds.

use levada_core::backup::{Archive, Structure};
use levada_core::error::{Context, Error, ErrorKind, Result};
use levada_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

/// The name of the manifest in a backup's folder.
pub const FILE: &str = "backup.json";
/// The version of its layout.
const VERSION: u32 = 1;
/// The longest manifest that is read, in bytes: some 100,000 tables.
const BYTES_MAX: u64 = 512 << 20;

/// A backup, as its manifest tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// The version of the manifest's layout.
    pub version: u32,
    /// Its name, which is that of its folder.
    pub name: String,
    /// The system of the database: what makes the tables again is for such a one.
    pub system: String,
    /// The address of the database.
    pub source: String,
    /// The moment it is of.
    pub taken_at: Timestamp,
    /// When it was complete.
    pub finished_at: Timestamp,
    /// What makes the tables again.
    pub structure: Structure,
    /// What the tables hold, in the order of the structure.
    pub tables: Vec<TableOf>,
}

/// The rows of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableOf {
    /// The table, by the name that selects it as a stream.
    pub stream: String,
    /// Its folder in that of the backup.
    pub folder: String,
    /// How many rows it has.
    pub rows: u64,
    /// Its files.
    pub files: Vec<FileOf>,
}

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileOf {
    /// Its path in the backup's folder.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// Its rows; none where it holds no rows but tells of those that do.
    pub rows: Option<u64>,
    /// The SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

impl Backup {
    /// A backup of this version.
    pub fn new(name: String, system: &str, source: String, taken_at: Timestamp, structure: Structure) -> Self {
        let (system, finished_at) = (system.to_owned(), taken_at);
        Self { version: VERSION, name, system, source, taken_at, finished_at, structure, tables: Vec::new() }
    }

    /// All its files.
    pub fn files(&self) -> impl Iterator<Item = &FileOf> {
        self.tables.iter().flat_map(|table| &table.files)
    }

    /// All its bytes, without the manifest.
    pub fn bytes(&self) -> u64 {
        self.files().map(|file| file.bytes).sum()
    }

    /// All its rows.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }

    /// Its bytes as a manifest.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let broken = |error: serde_json::Error| Error::new(ErrorKind::Internal, format!("the manifest: {error}"));
        let backup = serde_json::to_value(self).map_err(broken)?;
        serde_json::to_vec_pretty(&json!({ "sha256": hash(&backup), "backup": backup })).map_err(broken)
    }

    /// Reads a manifest.
    fn of_bytes(bytes: &[u8]) -> Result<Self> {
        let damaged = |what: String| {
            Error::new(ErrorKind::Data, format!("the manifest is damaged: {what}"))
                .advise("Nothing of this backup can be trusted; take another one.")
        };
        let mut whole: Json = serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
        let backup = whole.get_mut("backup").map(Json::take).unwrap_or_default();
        if whole["sha256"].as_str() != Some(&hash(&backup)) {
            return Err(damaged("its hash does not match".to_owned()));
        }
        if backup["version"].as_u64() != Some(u64::from(VERSION)) {
            return Err(Error::new(ErrorKind::Unsupported, "the backup is of another version of Levada")
                .advise("Use the version it was taken with, or a newer one."));
        }
        serde_json::from_value(backup).map_err(|error| damaged(error.to_string()))
    }
}

/// Objects keep one order of their keys from writing to reading, so that equal values have equal hashes.
fn hash(backup: &Json) -> String {
    hex(&Sha256::digest(backup.to_string()))
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads the manifest of a backup.
///
/// # Errors
/// `NotFound` where there is none; `Data` where it is damaged.
pub async fn read(archive: &dyn Archive, name: &str) -> Result<Backup> {
    let path = format!("{name}/{FILE}");
    let reader = archive.read(&path).await?;
    let bytes = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::Read::take(reader, BYTES_MAX), &mut bytes).map(|_| bytes)
    });
    let bytes = bytes.await.map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?.at(path.as_str())?;
    let backup = Backup::of_bytes(&bytes).at(path.as_str())?;
    if backup.name != name {
        let message = format!("the manifest is that of the backup `{}`", backup.name);
        return Err(Error::new(ErrorKind::Data, message).at(path).advise("Give its folder that name again."));
    }
    Ok(backup)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_bent_manifest_is_not_believed() {
        let at = Timestamp::from_secs(1);
        let backup = Backup::new("b".to_owned(), "x", "there".to_owned(), at, Structure::default());
        let bytes = backup.to_bytes().unwrap();
        assert_eq!(Backup::of_bytes(&bytes).unwrap(), backup);
        for at in 0..bytes.len() {
            let mut bent = bytes.clone();
            bent[at] ^= 1;
            match Backup::of_bytes(&bent) {
                Ok(read) => assert_eq!(read, backup, "byte {at}"),
                Err(error) => assert!(!error.message().is_empty()),
            }
        }
    }
}
