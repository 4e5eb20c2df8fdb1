//! Where files live: a local folder or an S3 bucket, behind one blocking interface. Every path given here is relative to
//! the root and has been checked by [`checked`]; nothing outside the root is ever touched.

mod answer;
mod lease;
mod local;
mod s3;

use std::io::Read;
use std::sync::Arc;

use levada_core::error::{Error, ErrorKind, Result};

use super::format::{RandomRead, Sink};
use super::settings::{Root, Settings};

/// A file as it was when it was listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileMeta {
    /// Its path relative to the root, with `/` between the parts.
    pub path: String,
    /// Its length in bytes.
    pub size: u64,
    /// When it was changed last, in microseconds since 1970.
    pub modified_us: i64,
    /// The store's own version mark, where it has one.
    pub etag: Option<String>,
}

/// A file being written, invisible until it is published.
pub trait Upload: Send {
    /// Where the bytes go; asked for once.
    fn sink(&mut self) -> Result<Sink>;
    /// Makes the file durable and visible under its name; the sink has been dropped. Returns its size.
    fn publish(self: Box<Self>) -> Result<u64>;
    /// Leaves no trace.
    fn discard(self: Box<Self>);
}

/// Keeps other processes out of a folder while it is held.
pub trait Guard: Send + Sync {
    /// Lets others in at once; being dropped lets them in soon.
    fn release(self: Box<Self>);
}

/// A store of files. Every method blocks and is called on threads for blocking work.
pub trait Place: Send + Sync {
    /// The place without credentials.
    fn address(&self) -> String;
    /// Every file below a folder, hidden ones included, ordered by path. A folder that does not exist is empty.
    fn list(&self, folder: &str) -> Result<Vec<FileMeta>>;
    /// One file, or `None`.
    fn look(&self, path: &str) -> Result<Option<FileMeta>>;
    /// A whole small file.
    fn read(&self, path: &str) -> Result<Vec<u8>>;
    /// A file from its start; it is an error if the file is not the one listed.
    fn stream(&self, file: &FileMeta) -> Result<Box<dyn Read + Send>>;
    /// A file at any offset; it is an error if the file is not the one listed.
    fn random(&self, file: &FileMeta) -> Result<Arc<dyn RandomRead>>;
    /// Writes a whole small file; false, and nothing changed, if it exists already.
    fn put_new(&self, path: &str, bytes: &[u8]) -> Result<bool>;
    /// Starts a file; it replaces one of the same name when published.
    fn create(&self, path: &str) -> Result<Box<dyn Upload>>;
    /// Removes a file; one that is gone already is no error.
    fn delete(&self, path: &str) -> Result<()>;
    /// Keeps other writers out of a folder.
    ///
    /// # Errors
    /// `Busy` where another one is in.
    fn lock(&self, folder: &str) -> Result<Box<dyn Guard>>;
    /// Whether files could be written, in words, found out without leaving any.
    ///
    /// # Errors
    /// `Connect`; a missing right is no error, as a source needs none.
    fn try_writing(&self) -> Result<String>;
    /// Whether a lock can never be lost while its holder lives.
    fn locks_for_good(&self) -> bool;
    /// Whether files can be seen half written, and so have to be left alone until they are at rest.
    fn shows_unfinished(&self) -> bool;
}

/// A root that is open: the place, and the one file it stands for if it is not a folder.
#[derive(Clone)]
pub struct Opened {
    /// The place.
    pub place: Arc<dyn Place>,
    /// The file that the root names, where it names one.
    pub single: Option<String>,
}

/// Opens the root of a connection. A root that is a file becomes its folder and the file's name.
pub fn open(settings: &Settings) -> Result<Opened> {
    match settings.place()? {
        Root::Local(path) => local::open(&path, &settings.off_limits),
        Root::S3 { bucket, prefix } => s3::open(settings, &bucket, &prefix),
    }
}

/// Refuses a path that could lead out of the root.
pub fn checked(path: &str) -> Result<&str> {
    let clean = path.strip_prefix("./").unwrap_or(path).trim_end_matches('/');
    let leaves = clean.starts_with('/') || clean.contains(['\\', '\0']) || clean.split('/').any(|part| part == "..");
    if leaves {
        return Err(Error::new(ErrorKind::Config, format!("`{path}` leads out of the connection's root"))
            .advise("Name files relative to the root, without `..`; or give the connection another root."));
    }
    Ok(clean)
}

/// The error of a file that is not what it was when it was listed.
pub fn changed(path: &str) -> Error {
    Error::new(ErrorKind::Busy, format!("`{path}` changed while it was read"))
        .advise("Run again when the file is complete: nothing was committed.")
}

/// Joins two relative paths.
pub fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}
