//! Which files a stream has given already. A file counts as read while its name, time and size stay the same; one that
//! changed is read again as a whole. Of more than [`NAMED_MAX`] files the oldest are remembered by one time only: files
//! up to that time count as read.

use std::collections::BTreeMap;

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::position::Position;
use serde::{Deserialize, Serialize};

use super::place::FileMeta;

/// As many files are remembered by name.
const NAMED_MAX: usize = 5000;

/// The files read so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Modified time in microseconds and size, by path.
    files: BTreeMap<String, (i64, u64)>,
    /// Files modified until this microsecond have been read, named or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until_us: Option<i64>,
}

impl Seen {
    /// From a stored position.
    pub fn parse(position: Option<&Position>) -> Result<Self> {
        let Some(position) = position else { return Ok(Self::default()) };
        serde_json::from_value(position.0.clone()).map_err(|_| {
            Error::new(ErrorKind::Refused, "the stored position is not one of a stream of files")
                .advise("Use `--full-refresh` to load the stream from the start.")
        })
    }

    /// Whether a file was read as it is now.
    pub fn has(&self, file: &FileMeta) -> bool {
        match self.files.get(&file.path) {
            Some(known) => *known == (file.modified_us, file.size),
            None => self.until_us.is_some_and(|until| file.modified_us <= until),
        }
    }

    /// Whether a file of its name was read before, whatever it was then.
    pub fn had(&self, file: &FileMeta) -> bool {
        self.files.contains_key(&file.path)
    }

    /// What has been read once `files`, all that exist but those left out, are.
    pub fn after(mut self, files: &[FileMeta]) -> Self {
        self.files = files.iter().map(|f| (f.path.clone(), (f.modified_us, f.size))).collect();
        if self.files.len() > NAMED_MAX {
            let mut times: Vec<i64> = self.files.values().map(|(time, _)| *time).collect();
            times.sort_unstable();
            let until = times[times.len() - NAMED_MAX];
            self.files.retain(|_, (time, _)| *time >= until);
            self.until_us = self.until_us.max(Some(until - 1));
        }
        self
    }

    /// To be stored.
    pub fn position(&self) -> Option<Position> {
        serde_json::to_value(self).ok().map(Position)
    }
}
