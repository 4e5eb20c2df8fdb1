//! Cuts a stream of text into chunks of whole records, so that several threads can parse one file at once. One chunker
//! reads a file from start to end; it knows where records end, not what they mean.

use std::io::Read;

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
    /// The records.
    pub bytes: Vec<u8>,
    /// The line of the file on which the first one starts, from 1.
    pub line: u64,
}

/// What comes next in a file.
pub enum Piece {
    /// Whole records.
    Chunk(Chunk),
    /// A record over the limit was skipped: the line it started on, and its first bytes.
    TooLong(u64, Vec<u8>),
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
    skipped: Option<(u64, Vec<u8>)>,
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
        }
        Ok(chunker)
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
                self.skipped = Some((self.line, self.buffer[..200].to_vec()));
            }
        }
        Ok(None)
    }

    /// Goes on skipping a record; its end makes a piece.
    fn skip(&mut self, skipped: (u64, Vec<u8>)) -> Result<Option<Piece>> {
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
            return Ok(Some(Piece::TooLong(skipped.0, skipped.1)));
        }
        self.skipped = Some(skipped);
        Ok(None)
    }

    fn check_end(&self) -> Result<()> {
        match self.cutter.unfinished() {
            None => Ok(()),
            Some(reason) => {
                let message = format!("the last record, which starts on line {} or later, {reason}", self.line);
                Err(Error::new(ErrorKind::Data, message)
                    .at(&*self.name)
                    .advise("Repair the file: what follows the fault cannot be told apart."))
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
        Chunk { bytes, line }
    }

    fn fill(&mut self, bytes: usize) -> Result<()> {
        let read = (&mut self.input).take(bytes as u64).read_to_end(&mut self.buffer).map_err(|error| {
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

fn newlines(bytes: &[u8]) -> u64 {
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
