//! Which files a stream has given already. A file counts as read while its name, time and size stay the same; one that
//! changed is read again as a whole. Of more than [`NAMED_MAX`] files the oldest are remembered by one time only: files
//! up to that time count as read. A new file as old as those cannot be told from them, but that there is one can: their
//! number and a mark of all of them together are remembered too.

use std::collections::BTreeMap;

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::position::Position;
use levada_core::text;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

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
    /// Those of them that are not named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unnamed: Option<Unnamed>,
}

/// Files that are remembered all together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Unnamed {
    count: usize,
    /// Differs for other files, whatever their order.
    mark: String,
}

impl Unnamed {
    fn of<'a>(files: impl Iterator<Item = &'a FileMeta>) -> Self {
        let (mut count, mut mark) = (0, 0_u64);
        for file in files {
            let told = format!("{}\0{}\0{}", file.path, file.modified_us, file.size);
            let digest = Sha256::digest(told.as_bytes());
            mark ^= digest.iter().take(8).fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
            count += 1;
        }
        Self { count, mark: format!("{mark:016x}") }
    }
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

    /// What to say where the files that count as read by their time alone, of all that exist, are not those of before.
    pub fn overlooked(&self, files: &[FileMeta]) -> Option<String> {
        let (before, until_us) = (self.unnamed.as_ref()?, self.until_us?);
        let now = Unnamed::of(self.unnamed_in(files));
        if now == *before {
            return None;
        }
        let mut until = String::new();
        text::write_timestamp(&mut until, until_us, true);
        Some(format!(
            "of the files modified up to {until} some came, went or changed ({} before, {} now): more than {NAMED_MAX} files \
             are not remembered one by one, so none of these is read. Use `--full-refresh` if there are new ones among them.",
            before.count, now.count
        ))
    }

    fn unnamed_in<'a>(&'a self, files: &'a [FileMeta]) -> impl Iterator<Item = &'a FileMeta> {
        files.iter().filter(|file| !self.files.contains_key(&file.path) && self.has(file))
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
        let unnamed = Unnamed::of(self.unnamed_in(files));
        self.unnamed = (unnamed.count > 0).then_some(unnamed);
        self
    }

    /// To be stored.
    pub fn position(&self) -> Option<Position> {
        serde_json::to_value(self).ok().map(Position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(number: usize, modified_us: i64) -> FileMeta {
        FileMeta { path: format!("{number:06}.csv"), size: 1, modified_us, etag: None }
    }

    #[test]
    fn a_new_file_as_old_as_those_without_a_name_is_told() {
        let mut files: Vec<FileMeta> = (0..NAMED_MAX + 10).map(|n| file(n, n as i64)).collect();
        let position = Seen::default().after(&files).position();
        let seen = Seen::parse(position.as_ref()).unwrap();
        assert!(files.iter().all(|file| seen.has(file)));
        assert_eq!(seen.overlooked(&files), None);
        assert_eq!(seen.clone().after(&files), seen);

        files.push(file(90_000, 5));
        let told = seen.overlooked(&files).unwrap();
        assert!(told.contains("10 before, 11 now") && told.contains("--full-refresh"), "{told}");
        let after = seen.clone().after(&files);
        assert_eq!(after.overlooked(&files), None, "told once");
        files.swap_remove(3);
        assert!(after.overlooked(&files).is_some(), "one that went");
        // One that comes after all others is read as ever.
        let newer = file(90_001, 1_000_000);
        assert!(!after.has(&newer));
    }
}
