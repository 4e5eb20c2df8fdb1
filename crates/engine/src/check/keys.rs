//! Hashes of values, sorted within bounded memory: what does not fit goes to a file in sorted runs, which are merged in the
//! end. Two different values have the same hash of 128 bits in one of 2^128 cases.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use levada_core::error::{Context as _, Result};

/// What a hash takes.
const HASH_BYTES: usize = 16;
/// Hashes that are read at once of each run, at least.
const BUFFER_MIN: usize = 256;

/// Hashes that are gathered.
pub struct Keys {
    held: Vec<u128>,
    held_max: usize,
    /// Whether each counts once, however often it was met.
    is_distinct: bool,
    folder: PathBuf,
    spilled: Option<Spilled>,
}

/// Sorted runs in a file, back to back.
struct Spilled {
    path: PathBuf,
    file: File,
    /// Where each run ends, counted in hashes.
    ends: Vec<u64>,
}

impl Keys {
    /// None yet; they may take so many bytes of memory, and what does not fit goes to the folder.
    pub fn new(bytes_max: usize, is_distinct: bool, folder: &Path) -> Self {
        // a vector that grows is there twice
        let held_max = (bytes_max / HASH_BYTES / 2).max(BUFFER_MIN);
        Self { held: Vec::new(), held_max, is_distinct, folder: folder.to_owned(), spilled: None }
    }

    /// Adds one.
    ///
    /// # Errors
    /// Of writing to the folder.
    pub fn add(&mut self, hash: u128) -> Result<()> {
        if self.held.len() >= self.held_max {
            self.spill()?;
        }
        self.held.push(hash);
        Ok(())
    }

    fn sort(&mut self) {
        self.held.sort_unstable();
        if self.is_distinct {
            self.held.dedup();
        }
    }

    fn spill(&mut self) -> Result<()> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        self.sort();
        // where most are the same there is room again
        if self.held.len() <= self.held_max / 2 {
            return Ok(());
        }
        let spilled = match &mut self.spilled {
            Some(spilled) => spilled,
            None => {
                std::fs::create_dir_all(&self.folder).at(self.folder.display().to_string())?;
                let path = self.folder.join(format!("keys-{}", NUMBER.fetch_add(1, Relaxed)));
                let file = File::options().create_new(true).read(true).write(true).open(&path);
                let file = file.at(path.display().to_string())?;
                self.spilled.insert(Spilled { path, file, ends: Vec::new() })
            }
        };
        let place = spilled.path.display().to_string();
        let mut out = BufWriter::with_capacity(64 << 10, &spilled.file);
        self.held.iter().try_for_each(|hash| out.write_all(&hash.to_le_bytes())).at(&place)?;
        out.flush().at(&place)?;
        drop(out);
        let before = spilled.ends.last().copied().unwrap_or_default();
        spilled.ends.push(before + self.held.len() as u64);
        self.held.clear();
        Ok(())
    }

    /// All of them in order.
    ///
    /// # Errors
    /// Of reading from the folder.
    pub fn sorted(mut self) -> Result<Sorted> {
        self.sort();
        let Some(spilled) = self.spilled.take() else {
            return Ok(Sorted { held: self.held.into_iter(), file: None, runs: Vec::new(), next: BinaryHeap::new() });
        };
        if !self.held.is_empty() {
            self.spilled = Some(spilled);
            // as another run, so that the memory is free for the buffers
            self.held_max = 0;
            self.spill()?;
            self.held = Vec::new();
            return self.sorted();
        }
        let buffer = (self.held_max.max(1 << 16) / spilled.ends.len()).clamp(BUFFER_MIN, 1 << 16);
        let starts = std::iter::once(0).chain(spilled.ends.iter().copied());
        let runs = starts.zip(&spilled.ends).map(|(start, end)| Run::new(start, *end, buffer)).collect();
        let mut sorted =
            Sorted { held: Vec::new().into_iter(), file: Some(spilled.file), runs, next: BinaryHeap::new() };
        for run in 0..sorted.runs.len() {
            sorted.advance(run)?;
        }
        Ok(sorted)
    }
}

/// Hashes in order, from memory or merged from runs.
pub struct Sorted {
    held: std::vec::IntoIter<u128>,
    file: Option<File>,
    runs: Vec<Run>,
    /// The next hash of each run.
    next: BinaryHeap<Reverse<(u128, usize)>>,
}

/// What is left of a run: hashes that were read, and the places of those in the file.
struct Run {
    held: std::vec::IntoIter<u128>,
    start: u64,
    end: u64,
    buffer: usize,
}

impl Run {
    fn new(start: u64, end: u64, buffer: usize) -> Self {
        Self { held: Vec::new().into_iter(), start, end, buffer }
    }

    fn next(&mut self, file: &File) -> Result<Option<u128>> {
        if let Some(hash) = self.held.next() {
            return Ok(Some(hash));
        }
        let count = usize::try_from(self.end - self.start).unwrap_or(usize::MAX).min(self.buffer);
        let mut bytes = vec![0; count * HASH_BYTES];
        file.read_exact_at(&mut bytes, self.start * HASH_BYTES as u64).at("what did not fit into memory")?;
        self.start += count as u64;
        let (hashes, _) = bytes.as_chunks::<HASH_BYTES>();
        self.held = hashes.iter().map(|hash| u128::from_le_bytes(*hash)).collect::<Vec<_>>().into_iter();
        Ok(self.held.next())
    }
}

impl Sorted {
    fn advance(&mut self, run: usize) -> Result<()> {
        if let Some(file) = &self.file
            && let Some(hash) = self.runs[run].next(file)?
        {
            self.next.push(Reverse((hash, run)));
        }
        Ok(())
    }

    /// The next one.
    ///
    /// # Errors
    /// Of reading from the folder.
    pub fn next(&mut self) -> Result<Option<u128>> {
        let Some(Reverse((hash, run))) = self.next.pop() else { return Ok(self.held.next()) };
        self.advance(run)?;
        Ok(Some(hash))
    }
}

/// How many are there again, and which, as far as `most` of them.
///
/// # Errors
/// Of reading from the folder.
pub fn duplicates(mut sorted: Sorted, most: usize) -> Result<(u64, HashSet<u128>)> {
    let (mut count, mut which, mut last) = (0, HashSet::new(), None);
    while let Some(hash) = sorted.next()? {
        if last == Some(hash) {
            count += 1;
            if which.len() < most {
                which.insert(hash);
            }
        }
        last = Some(hash);
    }
    Ok((count, which))
}

/// How many are not among those that are known, and which, as far as `most` of them.
///
/// # Errors
/// Of reading from the folder.
pub fn missing(mut sorted: Sorted, mut known: Sorted, most: usize) -> Result<(u64, HashSet<u128>)> {
    let (mut count, mut which, mut at) = (0, HashSet::new(), known.next()?);
    while let Some(hash) = sorted.next()? {
        while at.is_some_and(|known| known < hash) {
            at = known.next()?;
        }
        if at != Some(hash) {
            count += 1;
            if which.len() < most {
                which.insert(hash);
            }
        }
    }
    Ok((count, which))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Numbers in an order that is none.
    fn scattered(count: u64) -> impl Iterator<Item = u128> {
        (0..count).map(move |number| u128::from(number * 7_919 % count) << 64 | u128::from(number * 7_919 % count))
    }

    #[test]
    fn what_does_not_fit_into_memory_is_found_as_well() {
        let folder = tempfile::tempdir().unwrap();
        let spill = folder.path().join("spill");
        for (bytes, is_spilled) in [(1 << 24, false), (1 << 14, true)] {
            let mut keys = Keys::new(bytes, false, &spill);
            for hash in scattered(100_000).chain([5 << 64 | 5, 5 << 64 | 5, 77 << 64 | 77]) {
                keys.add(hash).unwrap();
                assert!(keys.held.capacity() * HASH_BYTES <= bytes.max(BUFFER_MIN * 2 * HASH_BYTES));
            }
            assert_eq!(spill.exists(), is_spilled);
            let (count, which) = duplicates(keys.sorted().unwrap(), 1).unwrap();
            assert_eq!((count, which), (3, HashSet::from([5 << 64 | 5])));
            // of those that are known each counts once, and nothing is missing but what is
            let (mut keys, mut known) = (Keys::new(bytes, false, &spill), Keys::new(bytes, true, &spill));
            scattered(50_000).for_each(|hash| keys.add(hash).unwrap());
            scattered(49_999).chain(scattered(40_000)).for_each(|hash| known.add(hash).unwrap());
            let (count, which) = missing(keys.sorted().unwrap(), known.sorted().unwrap(), 9).unwrap();
            assert_eq!((count, which), (1, HashSet::from([49_999 << 64 | 49_999])));
        }
        let nothing = || Keys::new(0, false, &spill).sorted().unwrap();
        assert_eq!((duplicates(nothing(), 1).unwrap().0, missing(nothing(), nothing(), 1).unwrap().0), (0, 0));
    }

    #[test]
    fn few_values_that_come_often_need_no_disk() {
        let folder = tempfile::tempdir().unwrap();
        let spill = folder.path().join("spill");
        let mut known = Keys::new(1 << 14, true, &spill);
        (0..100_000_u128).for_each(|number| known.add(number % 7).unwrap());
        assert!(!spill.exists());
        let mut sorted = known.sorted().unwrap();
        let all: Vec<u128> = std::iter::from_fn(|| sorted.next().unwrap()).collect();
        assert_eq!(all, [0, 1, 2, 3, 4, 5, 6]);
    }
}
