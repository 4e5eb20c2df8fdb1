//! Bytes of a Parquet file on demand: pages are cut from a few larger windows, so that an object store sees few requests
//! and memory is bounded by the windows, whatever the size of a row group.

use std::collections::VecDeque;
use std::io::Read;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use levada_core::error::Error;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use super::super::RandomRead;
use super::malformed;

/// What the windows of one reader may take together.
const WINDOWS_BYTES: usize = 12 << 20;
/// The end of the file is read in one piece of this size: it holds most footers.
const TAIL_BYTES: u64 = 64 << 10;
/// Wanted ranges closer than this are read as one.
const GAP_BYTES: u64 = 64 << 10;

/// A file as the Parquet library reads it. Meant for one thread at a time.
#[derive(Clone)]
pub(super) struct Chunks {
    file: Arc<dyn RandomRead>,
    windows: Arc<Mutex<Windows>>,
}

struct Windows {
    /// What will be wanted, in order; empty if unknown.
    wanted: Vec<Range<u64>>,
    bytes_each: usize,
    keep: usize,
    held: VecDeque<(u64, Bytes)>,
    /// Why the file could not be read; the library would make a mere text of it.
    failure: Option<Error>,
}

impl Chunks {
    /// For reading the footer.
    pub(super) fn new(file: Arc<dyn RandomRead>) -> Self {
        let windows =
            Windows { wanted: Vec::new(), bytes_each: 64 << 10, keep: 2, held: VecDeque::new(), failure: None };
        Self { file, windows: Arc::new(Mutex::new(windows)) }
    }

    /// The same file for reading some column chunks in parallel steps.
    pub(super) fn of_columns(&self, mut ranges: Vec<Range<u64>>) -> Self {
        let columns = ranges.len().max(1);
        let total = ranges.iter().map(|range| range.end - range.start).sum::<u64>();
        let fits = total <= WINDOWS_BYTES as u64;
        let bytes_each = if fits { 4 << 20 } else { (WINDOWS_BYTES / columns).clamp(64 << 10, 4 << 20) };
        ranges.sort_by_key(|range| range.start);
        let mut wanted: Vec<Range<u64>> = Vec::new();
        for range in ranges {
            match wanted.last_mut() {
                // neighbours share a window only where it holds them all: else it would be read again for the second
                Some(last)
                    if range.start <= last.end.saturating_add(GAP_BYTES)
                        && (fits || range.end <= last.start.saturating_add(bytes_each as u64)) =>
                {
                    last.end = last.end.max(range.end);
                }
                _ => wanted.push(range),
            }
        }
        let keep = if fits { wanted.len() + 4 } else { columns + 1 };
        let windows = Windows { wanted, bytes_each, keep, held: VecDeque::new(), failure: None };
        Self { file: self.file.clone(), windows: Arc::new(Mutex::new(windows)) }
    }

    /// The error of a call to the library in our words: what the file's store said, if it is the cause.
    pub(super) fn explain(&self, error: ParquetError) -> Error {
        let failure = self.windows.lock().unwrap_or_else(PoisonError::into_inner).failure.take();
        failure.unwrap_or_else(|| malformed(error))
    }

    /// At least `length` bytes from `start`, from the windows or the file.
    fn at(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let end = start.checked_add(length as u64).filter(|end| *end <= self.file.len()).ok_or_else(|| {
            ParquetError::EOF(format!("{length} bytes at {start} do not lie in its {} bytes", self.file.len()))
        })?;
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let holds = |(at, bytes): &(u64, Bytes)| *at <= start && at + bytes.len() as u64 >= end;
        if let Some(index) = windows.held.iter().position(holds)
            && let Some((at, bytes)) = windows.held.remove(index)
        {
            let piece = bytes.slice((start - at) as usize..);
            windows.held.push_back((at, bytes));
            return Ok(piece);
        }
        let begin = if end + TAIL_BYTES >= self.file.len() && windows.wanted.is_empty() {
            start.min(self.file.len().saturating_sub(TAIL_BYTES))
        } else {
            start
        };
        let limit = windows.wanted.iter().find(|range| range.contains(&start)).map_or(self.file.len(), |r| r.end);
        let stop = end.max((begin + windows.bytes_each as u64).min(limit));
        let mut buffer = vec![0; (stop - begin) as usize];
        let overlap = windows.held.iter().find(|(at, bytes)| *at <= begin && at + bytes.len() as u64 > begin);
        let have = overlap.map_or(0, |(at, bytes)| {
            let bytes = &bytes[(begin - at) as usize..];
            let have = bytes.len().min(buffer.len());
            buffer[..have].copy_from_slice(&bytes[..have]);
            have
        });
        let read = self.file.read_at(begin + have as u64, &mut buffer[have..]);
        if let Err(error) = read {
            let told = ParquetError::General(error.message().to_owned());
            windows.failure = Some(error);
            return Err(told);
        }
        let bytes = Bytes::from(buffer);
        if bytes.len() <= windows.bytes_each.max(TAIL_BYTES as usize) {
            while windows.held.len() >= windows.keep {
                windows.held.pop_front();
            }
            windows.held.push_back((begin, bytes.clone()));
        }
        Ok(bytes.slice((start - begin) as usize..))
    }
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.file.len()
    }
}

impl ChunkReader for Chunks {
    type T = Sequence;

    fn get_read(&self, start: u64) -> Result<Sequence, ParquetError> {
        Ok(Sequence { chunks: self.clone(), at: start, held: Bytes::new() })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        Ok(self.at(start, length)?.slice(..length))
    }
}

/// Bytes of the file one after the other.
pub(super) struct Sequence {
    chunks: Chunks,
    at: u64,
    held: Bytes,
}

impl Read for Sequence {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.held.is_empty() {
            if self.at >= self.chunks.len() || buffer.is_empty() {
                return Ok(0);
            }
            self.held = self.chunks.at(self.at, 1).map_err(std::io::Error::other)?;
        }
        let length = buffer.len().min(self.held.len());
        buffer[..length].copy_from_slice(&self.held.split_to(length));
        self.at += length as u64;
        Ok(length)
    }
}
