//! The log of one attempt: a file of lines `<RFC 3339> <out|err|sys> <text>`, without secrets, and beside it an index of
//! places that lets a reader start anywhere in it. Opened by the first line: an attempt that says nothing leaves no file.

mod level;
mod reader;
mod search;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use levada_core::error::{Context as _, Error, ErrorKind, Result};
use levada_core::redact::{Line, Lines, Redactor};
use levada_core::time::Clock;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use level::Level;
pub use reader::{Cursor, LogLine, LogReader};
pub use search::{Budget, Filter, Found};

/// Lines between two entries of the index.
const INDEX_STEP: u64 = 1000;
/// An entry of the index: the number of a line and the byte where it starts, little endian.
const ENTRY_BYTES: u64 = 16;
/// What is written goes to the file after this time at the latest: so much a killed worker can lose.
const FLUSH_AFTER: Duration = Duration::from_millis(200);
/// ..and as soon as it is this much.
const BUFFER_BYTES: usize = 64 * 1024;

/// Who wrote a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "LogStream")]
pub enum Stream {
    /// The standard output of a program.
    Out,
    /// Its standard error.
    Err,
    /// Levada.
    Sys,
}

impl Stream {
    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::Err => "err",
            Self::Sys => "sys",
        }
    }
}

/// The writing end of a log. Clones write to the same one.
#[derive(Clone)]
pub struct TaskLog(Arc<Shared>);

struct Shared {
    path: PathBuf,
    redactor: Arc<Redactor>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    file: Option<File>,
    buffer: Vec<u8>,
    /// Index entries that the buffer leads to.
    entries: Vec<u8>,
    /// Lines and bytes so far, with those in the buffer.
    lines: u64,
    bytes: u64,
    /// Bytes of programs' output so far, and how many may be.
    output: u64,
    output_max: u64,
    flush_due: bool,
    /// Set once, by the first write that failed.
    failed: Option<io::ErrorKind>,
}

impl TaskLog {
    /// A log at a path. If the attempt wrote to it before, it goes on there.
    pub fn new(path: impl Into<PathBuf>, redactor: Arc<Redactor>, clock: Arc<dyn Clock>) -> Self {
        let state = State {
            file: None,
            buffer: Vec::new(),
            entries: Vec::new(),
            lines: 0,
            bytes: 0,
            output: 0,
            output_max: u64::MAX,
            flush_due: false,
            failed: None,
        };
        Self(Arc::new(Shared { path: path.into(), redactor, clock, state: Mutex::new(state) }))
    }

    /// Where it is written.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Sets how many bytes programs may write from now on; see [`LogStream::push`].
    pub fn limit_output(&self, bytes_max: u64) {
        let mut state = self.0.lock();
        state.output = 0;
        state.output_max = bytes_max;
    }

    /// Writes what Levada itself has to say; each line of the text is one. Failures show in [`TaskLog::close`].
    pub fn sys(&self, text: &str) {
        let mut lines = Lines::default();
        let mut block = self.block(Stream::Sys);
        lines.push(&self.0.redactor, text.as_bytes(), |line| block.line(&line));
        lines.end(&self.0.redactor, |line| block.line(&line));
    }

    /// Takes the output of a program.
    pub fn stream(&self, stream: Stream) -> LogStream {
        LogStream { log: self.clone(), stream, lines: Lines::default() }
    }

    /// Writes what is in the buffer to the file.
    pub fn flush(&self) {
        self.0.lock().flush(&self.0.path);
    }

    /// Flushes, and says whether everything was written. The log can be written to again afterwards.
    ///
    /// # Errors
    /// `Full` or `Io`, at the log's path.
    pub fn close(&self) -> Result<()> {
        let mut state = self.0.lock();
        state.flush(&self.0.path);
        state.check(&self.0.path)
    }

    /// Some lines that get the same time.
    fn block(&self, stream: Stream) -> Block<'_> {
        Block { log: self, stream, head: format!("{} {} ", self.0.clock.now(), stream.name()) }
    }
}

/// One stream of a program on its way into the log.
pub struct LogStream {
    log: TaskLog,
    stream: Stream,
    lines: Lines,
}

impl LogStream {
    /// Writes the next piece; `see` gets each line, for instance to keep the last one.
    ///
    /// # Errors
    /// `Task` if the program wrote more than it may; `Full` or `Io` if the log cannot be written.
    pub fn push(&mut self, bytes: &[u8], mut see: impl FnMut(&Line<'_>)) -> Result<()> {
        self.log.0.lock().admit(bytes.len(), &self.log.0.path)?;
        let mut block = self.log.block(self.stream);
        self.lines.push(&self.log.0.redactor, bytes, |line| {
            see(&line);
            block.line(&line);
        });
        Ok(())
    }

    /// Writes the last line, if the stream did not end with a line's end.
    pub fn end(&mut self, mut see: impl FnMut(&Line<'_>)) {
        let mut block = self.log.block(self.stream);
        self.lines.end(&self.log.0.redactor, |line| {
            see(&line);
            block.line(&line);
        });
    }
}

struct Block<'a> {
    log: &'a TaskLog,
    stream: Stream,
    head: String,
}

impl Block<'_> {
    fn line(&mut self, line: &Line<'_>) {
        let shared = &self.log.0;
        let mut state = shared.lock();
        state.line(&self.head, &line.redacted, &shared.path);
        // A line of Levada's own tells what goes on: there are few, and a reader waits for them.
        if self.stream == Stream::Sys || state.buffer.len() >= BUFFER_BYTES {
            state.flush(&shared.path);
        } else if !state.flush_due {
            match tokio::runtime::Handle::try_current() {
                Ok(runtime) => {
                    state.flush_due = true;
                    runtime.spawn(flush_later(Arc::downgrade(shared)));
                }
                Err(_) => state.flush(&shared.path),
            }
        }
    }
}

/// Ends by itself after one pause, so nobody has to join it; a log that is gone has been flushed.
async fn flush_later(log: Weak<Shared>) {
    tokio::time::sleep(FLUSH_AFTER).await;
    if let Some(shared) = log.upgrade() {
        let mut state = shared.lock();
        state.flush_due = false;
        state.flush(&shared.path);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let path = std::mem::take(&mut self.path);
        self.lock().flush(&path);
    }
}

impl State {
    fn admit(&mut self, bytes: usize, path: &Path) -> Result<()> {
        self.check(path)?;
        self.output = self.output.saturating_add(bytes as u64);
        if self.output <= self.output_max {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Task, format!("wrote more than {} bytes of output", self.output_max))
            .advise("Let it write less, or raise `output` of the command."))
    }

    fn check(&self, path: &Path) -> Result<()> {
        match self.failed {
            Some(kind) => Err(io::Error::from(kind)).at(path.display().to_string()),
            None => Ok(()),
        }
    }

    fn line(&mut self, head: &str, text: &[u8], path: &Path) {
        if self.failed.is_some() {
            return;
        }
        if self.file.is_none() {
            match self.open(path) {
                Ok(file) => self.file = Some(file),
                Err(error) => {
                    self.failed = Some(error.kind());
                    return;
                }
            }
        }
        if self.lines > 0 && self.lines.is_multiple_of(INDEX_STEP) {
            self.entries.extend_from_slice(&self.lines.to_le_bytes());
            self.entries.extend_from_slice(&self.bytes.to_le_bytes());
        }
        let before = self.buffer.len();
        self.buffer.extend_from_slice(head.as_bytes());
        self.buffer.extend_from_slice(String::from_utf8_lossy(text).as_bytes());
        self.buffer.push(b'\n');
        self.lines += 1;
        self.bytes += (self.buffer.len() - before) as u64;
    }

    fn open(&mut self, path: &Path) -> io::Result<File> {
        let file = append_to(path).or_else(|error| match path.parent() {
            Some(folder) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(folder)?;
                append_to(path)
            }
            _ => Err(error),
        })?;
        if file.metadata()?.len() > 0 {
            let extent = LogReader::new(path).extent()?;
            (self.lines, self.bytes) = (extent.lines, extent.bytes);
            if extent.partial {
                // What a killed worker was writing; it stays a line of its own.
                self.buffer.push(b'\n');
                self.lines += 1;
                self.bytes += 1;
            }
        }
        Ok(file)
    }

    fn flush(&mut self, path: &Path) {
        let Some(file) = &mut self.file else { return };
        // The log first: an entry of the index never points behind its end.
        let written = file.write_all(&self.buffer).and_then(|()| {
            if self.entries.is_empty() {
                return Ok(());
            }
            let mut index = append_to(&index_path(path))?;
            // Half an entry is what a crash left; behind it every other one would be misread.
            index.set_len(index.metadata()?.len() / ENTRY_BYTES * ENTRY_BYTES)?;
            index.write_all(&self.entries)
        });
        self.buffer.clear();
        self.entries.clear();
        if let Err(error) = written {
            self.failed.get_or_insert(error.kind());
        }
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

fn index_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".idx");
    name.into()
}
