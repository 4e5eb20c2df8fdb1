//! The reading end of a log, while it is written or long after. Takes memory for a page of lines, never for the file.
//! Reads files and so blocks: async callers give it a thread.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use levada_core::error::{Context as _, Result};
use levada_core::time::Timestamp;

use super::{ENTRY_BYTES, Stream, index_path};

/// A page of lines holds no more bytes of the file than this and one line, whatever was asked for.
pub(super) const PAGE_BYTES: u64 = 1 << 20;

/// One line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Its number, from 0.
    pub number: u64,
    /// When it was written; `None` if the line is damaged.
    pub at: Option<Timestamp>,
    /// Who wrote it.
    pub stream: Stream,
    /// What it says.
    pub text: String,
}

/// Reads the log of one attempt. A log that does not exist (yet) has no lines.
#[derive(Debug, Clone)]
pub struct LogReader {
    path: PathBuf,
}

pub(super) struct Extent {
    pub lines: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Whether something follows the last line's end; it is not counted in `lines`.
    pub partial: bool,
}

impl LogReader {
    /// A reader of the log at a path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Up to `count` lines from a line on, fewer if they are long: the rest starts at the last one's number + 1.
    ///
    /// # Errors
    /// `Io` or `Permission`, at the log's path.
    pub fn lines(&self, from_line: u64, count: usize) -> Result<Vec<LogLine>> {
        self.follow(from_line)?.page(count)
    }

    /// The last `count` lines, at most a thousand.
    ///
    /// # Errors
    /// `Io` or `Permission`, at the log's path.
    pub fn tail(&self, count: usize) -> Result<Vec<LogLine>> {
        let count = count.min(1000);
        let lines = self.count()?;
        let mut cursor = self.follow(lines.saturating_sub(count as u64))?;
        let mut tail = Vec::new();
        while tail.len() < count {
            let page = cursor.page(count - tail.len())?;
            if page.is_empty() {
                break;
            }
            tail.extend(page);
        }
        Ok(tail)
    }

    /// How many whole lines there are.
    ///
    /// # Errors
    /// `Io` or `Permission`, at the log's path.
    pub fn count(&self) -> Result<u64> {
        self.extent().map(|extent| extent.lines).at(self.place())
    }

    /// A place in the log from which pages are read, also those that are yet to be written.
    ///
    /// # Errors
    /// `Io` or `Permission`, at the log's path.
    pub fn follow(&self, from_line: u64) -> Result<Cursor> {
        self.cursor(from_line).at(self.place())
    }

    pub(super) fn cursor(&self, from_line: u64) -> io::Result<Cursor> {
        let (line, offset) = self.entry_before(from_line)?;
        Ok(Cursor { log: self.clone(), file: None, offset, line, from_line })
    }

    pub(super) fn extent(&self) -> io::Result<Extent> {
        let (mut lines, offset) = self.entry_before(u64::MAX)?;
        let Some(mut file) = open(&self.path)? else { return Ok(Extent { lines: 0, bytes: 0, partial: false }) };
        file.seek(SeekFrom::Start(offset))?;
        let (mut bytes, mut last, mut buffer) = (offset, b'\n', vec![0; 64 * 1024]);
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                return Ok(Extent { lines, bytes, partial: last != b'\n' });
            }
            bytes += read as u64;
            lines += buffer[..read].iter().filter(|&&byte| byte == b'\n').count() as u64;
            last = buffer[read - 1];
        }
    }

    /// The line nearest before (or at) a line whose place the index knows.
    pub(super) fn entry_before(&self, line: u64) -> io::Result<(u64, u64)> {
        let (Some(index), Some(log)) = (open(&index_path(&self.path))?, open(&self.path)?) else { return Ok((0, 0)) };
        let bytes = log.metadata()?.len();
        let (mut best, mut low, mut high) = ((0, 0), 0, index.metadata()?.len() / ENTRY_BYTES);
        while low < high {
            let middle = low + (high - low) / 2;
            let mut entry = [0; 2 * size_of::<u64>()];
            index.read_exact_at(&mut entry, middle * ENTRY_BYTES)?;
            let [number, offset] =
                [0, 8].map(|at| entry[at..at + 8].iter().rev().fold(0, |all, &byte| all << 8 | u64::from(byte)));
            if number <= line && offset <= bytes {
                best = (number, offset);
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(best)
    }

    pub(super) fn place(&self) -> String {
        self.path.display().to_string()
    }
}

/// A place in a log.
pub struct Cursor {
    log: LogReader,
    file: Option<BufReader<File>>,
    /// Where `line` starts.
    offset: u64,
    line: u64,
    /// Lines before this one are skipped.
    from_line: u64,
}

impl Cursor {
    /// Up to `count` lines that were not read yet; none if there are no more now. A line is given once it is whole.
    ///
    /// # Errors
    /// `Io` or `Permission`, at the log's path.
    pub fn page(&mut self, count: usize) -> Result<Vec<LogLine>> {
        let place = self.log.place();
        self.read_page(count).at(place)
    }

    /// The number of the line that is read next.
    pub(super) fn line(&self) -> u64 {
        self.line.max(self.from_line)
    }

    fn read_page(&mut self, count: usize) -> io::Result<Vec<LogLine>> {
        let (mut page, mut raw, mut bytes) = (Vec::new(), Vec::new(), 0);
        while page.len() < count && bytes < PAGE_BYTES {
            let Some(line) = self.read_line(&mut raw)? else { break };
            bytes += raw.len() as u64;
            page.push(line);
        }
        Ok(page)
    }

    /// The next line, whose bytes are left in `raw`; none if there is none that is whole.
    pub(super) fn read_line(&mut self, raw: &mut Vec<u8>) -> io::Result<Option<LogLine>> {
        if self.file.is_none() {
            let Some(mut file) = open(&self.log.path)? else { return Ok(None) };
            file.seek(SeekFrom::Start(self.offset))?;
            self.file = Some(BufReader::new(file));
        }
        let Some(file) = &mut self.file else { return Ok(None) };
        loop {
            raw.clear();
            // A file that someone else wrote may have no line's end at all.
            let read = (&mut *file).take(PAGE_BYTES).read_until(b'\n', raw)? as u64;
            if raw.last() != Some(&b'\n') && read < PAGE_BYTES {
                file.seek(SeekFrom::Start(self.offset))?;
                return Ok(None);
            }
            self.offset += read;
            self.line += 1;
            if self.line > self.from_line {
                return Ok(Some(parse(self.line - 1, raw)));
            }
        }
    }
}

fn parse(number: u64, raw: &[u8]) -> LogLine {
    let text = String::from_utf8_lossy(raw.strip_suffix(b"\n").unwrap_or(raw));
    let mut parts = text.splitn(3, ' ');
    let (at, stream, rest) = (parts.next().and_then(Timestamp::parse), parts.next(), parts.next());
    let stream = [Stream::Out, Stream::Err, Stream::Sys].into_iter().find(|one| Some(one.name()) == stream);
    match (at, stream, rest) {
        (Some(at), Some(stream), Some(rest)) => LogLine { number, at: Some(at), stream, text: rest.to_owned() },
        _ => LogLine { number, at: None, stream: Stream::Sys, text: text.into_owned() },
    }
}

fn open(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
