//! Cuts a stream of text into chunks of whole records, so that several threads can parse one file at once. One chunker
//! reads a file from start to end; it knows where records end, not what they mean. Files that can be read from any place on
//! are cut by [`super::ranges`].

use std::io::Read;
use std::ops::Range;

use levada_core::batch::Reject;
use levada_core::error::{Error, ErrorKind, Result};

/// Finds the ends of records in bytes that grow at the end and are cut at the start.
pub trait Cutter: Send {
    /// Looks at the bytes not looked at yet. The bytes start where a record starts, or where [`Cutter::forget`] left.
    fn scan(&mut self, bytes: &[u8], at_end: bool);
    /// The ends of the first and the last whole record found since the last cut.
    fn ends(&self) -> Option<(usize, usize)>;
    /// The bytes before `end`, one of the ends found, are gone.
    fn cut(&mut self, end: usize);
    /// As many bytes of an unfinished record as possible are given up; returns how many.
    fn forget(&mut self) -> usize;
    /// Why the file cannot end here, if it cannot.
    fn unfinished(&self) -> Option<&'static str>;
}

/// Some whole records of a file.
pub struct Chunk {
    buffer: Vec<u8>,
    within: Range<usize>,
    /// The line of the file on which the first one starts, from 1.
    pub line: u64,
}

impl Chunk {
    /// The records are all of the bytes.
    pub fn new(bytes: Vec<u8>, line: u64) -> Self {
        Self { within: 0..bytes.len(), buffer: bytes, line }
    }

    /// The records are those bytes of a buffer that lie within this range.
    pub fn part(buffer: Vec<u8>, within: Range<usize>, line: u64) -> Self {
        Self { buffer, within, line }
    }

    /// The records.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.within.clone()]
    }
}

/// What comes next in a file.
pub enum Piece {
    /// Whole records.
    Chunk(Chunk),
    /// A record over the limit was skipped.
    TooLong(TooLong),
}

/// A record that is longer than the limit.
#[derive(Debug, Clone)]
pub struct TooLong {
    /// The line it started on.
    pub line: u64,
    /// Its first bytes, at least [`TooLong::SHOWN_BYTES`] of them where it has as many.
    pub start: Vec<u8>,
}

impl TooLong {
    /// As many bytes of it are shown.
    pub const SHOWN_BYTES: usize = 200;

    /// Its reject; its bytes are UTF-8.
    pub fn reject(&self, file: &str, limit: usize) -> Reject {
        let start = &self.start[..self.start.len().min(Self::SHOWN_BYTES)];
        let line = self.line;
        Reject {
            row: serde_json::json!({ "record": String::from_utf8_lossy(start) }).to_string(),
            column: None,
            reason: format!("{file} line {line}: the record is longer than {limit} bytes (`record_max`)"),
        }
    }
}

/// Limits of a chunker.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// About how many bytes a chunk has.
    pub chunk_bytes: usize,
    /// Records longer than this are skipped.
    pub record_bytes_max: usize,
}

/// One file being cut.
pub struct Chunker {
    name: String,
    input: Box<dyn Read + Send>,
    cutter: Box<dyn Cutter>,
    limits: Limits,
    buffer: Vec<u8>,
    line: u64,
    at_end: bool,
    done: bool,
    skipped: Option<TooLong>,
    mark_bytes: usize,
}

impl Chunker {
    /// Starts at the beginning of a file and passes over a byte order mark.
    pub fn new(name: &str, input: Box<dyn Read + Send>, limits: Limits) -> Result<Self> {
        let mut chunker = Self {
            name: name.to_owned(),
            input,
            cutter: Box::new(Lines::default()),
            limits,
            buffer: Vec::new(),
            line: 1,
            at_end: false,
            done: false,
            skipped: None,
            mark_bytes: 0,
        };
        while chunker.buffer.len() < 3 && !chunker.at_end {
            chunker.fill(64 << 10)?;
        }
        if chunker.buffer.starts_with(&[0xFF, 0xFE]) || chunker.buffer.starts_with(&[0xFE, 0xFF]) {
            return Err(Error::new(ErrorKind::Data, format!("`{name}` is UTF-16"))
                .advise("Convert it to UTF-8, for instance with `iconv -f UTF-16 -t UTF-8`."));
        }
        if chunker.buffer.starts_with(&[0xEF, 0xBB, 0xBF]) {
            chunker.buffer.drain(..3);
            chunker.mark_bytes = 3;
        }
        Ok(chunker)
    }

    /// The length of the byte order mark that was passed over; 0 without one.
    pub fn mark_bytes(&self) -> usize {
        self.mark_bytes
    }

    /// The line on which the next record starts, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Records end by other rules than lines; called before anything is read.
    pub fn set_cutter(&mut self, cutter: impl Cutter + 'static) {
        self.cutter = Box::new(cutter);
    }

    /// Whether the file starts with this character after blanks; it is then passed over.
    pub fn pass(&mut self, character: u8) -> bool {
        let found = self.buffer.iter().position(|byte| !byte.is_ascii_whitespace());
        let passed = found.filter(|at| self.buffer[*at] == character);
        if let Some(at) = passed {
            self.line += newlines(&self.buffer[..at]);
            self.buffer.drain(..=at);
        }
        passed.is_some()
    }

    /// The first record, cut off from the rest; empty if the file is.
    pub fn first_record(&mut self) -> Result<Chunk> {
        let end = self.first_end()?;
        Ok(self.take(end))
    }

    /// Looks at the first record, which stays to be read.
    pub fn peek_record<T>(&mut self, look: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
        let end = self.first_end()?;
        look(&self.buffer[..end])
    }

    fn first_end(&mut self) -> Result<usize> {
        loop {
            self.cutter.scan(&self.buffer, self.at_end);
            if let Some((first, _)) = self.cutter.ends() {
                return Ok(first);
            }
            if self.at_end {
                self.check_end()?;
                return Ok(self.buffer.len());
            }
            if self.buffer.len() > self.limits.record_bytes_max {
                return Err(Error::new(ErrorKind::Data, "the first record is longer than `record_max`").at(&*self.name));
            }
            self.fill(64 << 10)?;
        }
    }

    /// The next records, or `None` at the end of the file.
    pub fn next(&mut self) -> Result<Option<Piece>> {
        while !self.done {
            let missing = self.limits.chunk_bytes.saturating_sub(self.buffer.len());
            if !self.at_end && (missing > 0 || self.cutter.ends().is_none()) {
                self.fill(missing.max(self.limits.chunk_bytes / 4))?;
            }
            self.cutter.scan(&self.buffer, self.at_end);
            if let Some(skipped) = self.skipped.take() {
                if let Some(piece) = self.skip(skipped)? {
                    return Ok(Some(piece));
                }
                continue;
            }
            if self.at_end {
                self.check_end()?;
                self.done = true;
                let whole = self.buffer.len();
                return Ok((whole > 0).then(|| Piece::Chunk(self.take(whole))));
            }
            if let Some((_, last)) = self.cutter.ends() {
                return Ok(Some(Piece::Chunk(self.take(last))));
            }
            if self.buffer.len() > self.limits.record_bytes_max {
                let start = self.buffer[..self.buffer.len().min(TooLong::SHOWN_BYTES)].to_vec();
                self.skipped = Some(TooLong { line: self.line, start });
            }
        }
        Ok(None)
    }

    /// Goes on skipping a record; its end makes a piece.
    fn skip(&mut self, skipped: TooLong) -> Result<Option<Piece>> {
        let (gone, ended) = match self.cutter.ends() {
            Some((first, _)) => (first, true),
            None if self.at_end => {
                self.check_end()?;
                (self.buffer.len(), true)
            }
            None => (self.cutter.forget(), false),
        };
        self.line += newlines(&self.buffer[..gone]);
        self.buffer.drain(..gone);
        if ended {
            self.cutter.cut(gone);
            return Ok(Some(Piece::TooLong(skipped)));
        }
        self.skipped = Some(skipped);
        Ok(None)
    }

    fn check_end(&self) -> Result<()> {
        match self.cutter.unfinished() {
            None => Ok(()),
            Some(reason) => {
                let why = format!("the last record, which starts on line {} or later, {reason}", self.line);
                Err(cut_off(&self.name, why))
            }
        }
    }

    fn take(&mut self, end: usize) -> Chunk {
        let mut rest = Vec::with_capacity(self.limits.chunk_bytes.max(self.buffer.len() - end) + 64);
        rest.extend_from_slice(&self.buffer[end..]);
        self.buffer.truncate(end);
        let bytes = std::mem::replace(&mut self.buffer, rest);
        let line = self.line;
        self.line += newlines(&bytes);
        self.cutter.cut(end);
        Chunk::new(bytes, line)
    }

    fn fill(&mut self, bytes: usize) -> Result<()> {
        let read = (&mut self.input).take(bytes as u64).read_to_end(&mut self.buffer).map_err(|error| {
            let error = match error.downcast::<Error>() {
                Ok(told) => return told,
                Err(error) => error,
            };
            let kind = match error.kind() {
                std::io::ErrorKind::UnexpectedEof
                | std::io::ErrorKind::InvalidData
                | std::io::ErrorKind::InvalidInput => {
                    return Error::new(ErrorKind::Data, format!("the compressed data is broken: {error}"))
                        .at(&*self.name);
                }
                std::io::ErrorKind::ConnectionReset => ErrorKind::Connect,
                _ => ErrorKind::Io,
            };
            Error::new(kind, error.to_string()).at(&*self.name)
        })?;
        self.at_end = read == 0;
        Ok(())
    }
}

/// The error of a file that cannot end where it does.
pub fn cut_off(name: &str, why: String) -> Error {
    Error::new(ErrorKind::Data, why).at(name).advise("Repair the file: what follows the fault cannot be told apart.")
}

/// How many lines end in some bytes.
pub fn newlines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

/// Records that are lines.
#[derive(Default)]
pub struct Lines {
    first: Option<usize>,
    last: usize,
    seen: usize,
}

impl Cutter for Lines {
    fn scan(&mut self, bytes: &[u8], _at_end: bool) {
        let fresh = &bytes[self.seen..];
        if let Some(last) = memchr::memrchr(b'\n', fresh) {
            self.last = self.seen + last + 1;
            if self.first.is_none() {
                self.first = memchr::memchr(b'\n', fresh).map(|first| self.seen + first + 1);
            }
        }
        self.seen = bytes.len();
    }

    fn ends(&self) -> Option<(usize, usize)> {
        self.first.map(|first| (first, self.last))
    }

    fn cut(&mut self, _end: usize) {
        *self = Self::default();
    }

    fn forget(&mut self) -> usize {
        std::mem::take(&mut self.seen)
    }

    fn unfinished(&self) -> Option<&'static str> {
        None
    }
}
