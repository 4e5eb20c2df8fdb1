//! The files that a version of a table names.

use deltalake::DeltaTable;
use deltalake::kernel::{LogicalFileView, Remove, StorageType};
use futures_util::TryStreamExt as _;
use levada_core::error::{Error, ErrorKind, Result};

use crate::error;

/// So much longer rows are at least in memory than in compressed columns, as a rule.
const UNPACKED: u64 = 4;

/// What there is to know of all files together.
#[derive(Debug, Default)]
pub struct Survey {
    /// How many rows they have, where the log tells of all.
    pub rows: Option<u64>,
    /// Their size.
    pub bytes: u64,
    /// One of them that is none of the table's own.
    outside: Option<String>,
}

impl Survey {
    /// Looks at the files of the version that is loaded.
    ///
    /// # Errors
    /// Those of the store, where the log is not whole.
    pub async fn of(table: &DeltaTable) -> Result<Self> {
        let state = table.snapshot().map_err(error::delta)?;
        let store = table.log_store();
        let mut all = Self { rows: Some(0), ..Self::default() };
        let mut files = state.snapshot().file_views(store.as_ref(), None);
        while let Some(file) = files.try_next().await.map_err(error::delta)? {
            all.rows = all.rows.zip(file.num_records()).map(|(all, here)| all + here as u64);
            all.bytes += file.size().max(0) as u64;
            if all.outside.is_none() && !is_inside(&file) {
                all.outside = Some(file.path().into_owned());
            }
        }
        Ok(all)
    }

    /// About how many bytes of memory a row takes; 0 where nobody knows.
    pub fn row_bytes(&self) -> u64 {
        self.rows.filter(|rows| *rows > 0).map_or(0, |rows| self.bytes.saturating_mul(UNPACKED) / rows)
    }

    /// Refuses a log that leads elsewhere: who may write it must not choose what else of this machine is read.
    ///
    /// # Errors
    /// `Unsupported`.
    pub fn confined(&self) -> Result<()> {
        let Some(path) = &self.outside else { return Ok(()) };
        let message = format!("the log names a file outside of the table's own folder: {path}");
        Err(Error::new(ErrorKind::Unsupported, message)
            .advise("Copy the rows into a table of their own, for instance by a deep clone."))
    }
}

fn is_inside(file: &LogicalFileView) -> bool {
    let path = file.path();
    let is_below = !path.starts_with('/')
        && path.split('/').all(|part| part != "..")
        && path.split_once(':').is_none_or(|(before, _)| before.contains('/') || before.contains('='));
    let vector = file.deletion_vector_descriptor();
    is_below && vector.is_none_or(|vector| vector.storage_type != StorageType::AbsolutePath)
}

/// The action that removes a file.
///
/// # Errors
/// `Unsupported` for a path that the action would not name as the log does: the file would stay.
pub fn removal(file: &LogicalFileView, changes_rows: bool) -> Result<Remove> {
    let path = file.path();
    if has_one_spelling(&path) {
        return Ok(file.remove_action(changes_rows));
    }
    let message = format!("the log names a file by characters that can be written in several ways: {path}");
    Err(Error::new(ErrorKind::Unsupported, message)
        .advise("Such a table is only read and appended to. Load into another one."))
}

/// Whether a URL can name the path in one way only, as those do that write logs: they differ in what they escape.
fn has_one_spelling(path: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/_.=-".contains(&byte);
    let is_hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    let bytes = path.as_bytes();
    // a sign of percent that is left was escaped itself
    (0..bytes.len())
        .all(|at| is_plain(bytes[at]) || bytes[at] == b'%' && [at + 1, at + 2].iter().all(|at| is_hex(bytes.get(*at))))
}
