//! What a program writes, on its way from its pipes into the log. Keeps the last line of each stream.

use std::time::Duration;

use levada_core::error::Error;
use levada_core::redact::{LINE_BYTES_MAX, Line};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{ChildStderr, ChildStdout};

use super::{TaskContext, too_large};
use crate::log::{LogStream, Stream};

/// Read from a pipe at once.
const READ_BYTES: usize = 32 * 1024;
/// How long a pipe is read that some process keeps open although the program has ended.
const READ_AFTER_END: Duration = Duration::from_millis(500);
/// What of the last line of standard error goes into a message.
const TOLD_CHARS: usize = 300;

/// Both streams.
pub(super) struct Output {
    out: Pipe<ChildStdout>,
    err: Pipe<ChildStderr>,
}

struct Pipe<R> {
    /// `None` at its end.
    reader: Option<R>,
    log: LogStream,
    buffer: Vec<u8>,
    last: Last,
}

/// The last line that is not empty.
#[derive(Default)]
struct Last {
    raw: Vec<u8>,
    redacted: String,
    /// Whether `raw` is the end of a longer line only.
    cut: bool,
    /// Whether the line starts like an object.
    opened: bool,
    unfinished: bool,
}

impl Output {
    pub(super) fn new(out: Option<ChildStdout>, err: Option<ChildStderr>, context: &TaskContext) -> Self {
        Self { out: Pipe::new(out, Stream::Out, context), err: Pipe::new(err, Stream::Err, context) }
    }

    /// Moves output into the log until that fails; waits for ever when there is no more.
    pub(super) async fn pump(&mut self) -> Error {
        loop {
            let step = tokio::select! {
                step = self.out.step(), if self.out.reader.is_some() => step,
                step = self.err.step(), if self.err.reader.is_some() => step,
                else => std::future::pending().await,
            };
            if let Err(error) = step {
                return error;
            }
        }
    }

    /// Moves what is left into the log, once the program has ended.
    pub(super) async fn drain(&mut self) -> Result<(), Error> {
        let rest = async {
            while self.out.reader.is_some() {
                self.out.step().await?;
            }
            while self.err.reader.is_some() {
                self.err.step().await?;
            }
            Ok(())
        };
        // Someone who made a session of his own may hold the pipe for ever: the task has ended all the same.
        let result = tokio::time::timeout(READ_AFTER_END, rest).await.unwrap_or(Ok(()));
        self.out.end();
        self.err.end();
        result
    }

    /// The last line of standard output, if that can be an object: its start and end look like one. `Err` if it does,
    /// but is longer than a line can be.
    pub(super) fn last_out(&self) -> Result<Option<&[u8]>, Error> {
        let last = &self.out.last;
        match last.opened && last.raw.ends_with(b"}") {
            true if last.cut => Err(too_large(LINE_BYTES_MAX + last.raw.len())),
            looks_so => Ok(looks_so.then_some(&last.raw)),
        }
    }

    /// Whether standard output ends like an object that began on a line before.
    pub(super) fn ends_in_lines(&self) -> bool {
        let last = &self.out.last;
        !last.opened && last.raw.ends_with(b"}")
    }

    /// The last line of standard error, without secrets; empty if there is none.
    pub(super) fn last_err(&self) -> String {
        self.err.last.redacted.chars().take(TOLD_CHARS).collect()
    }
}

impl<R: AsyncRead + Unpin> Pipe<R> {
    fn new(reader: Option<R>, stream: Stream, context: &TaskContext) -> Self {
        let log = context.log.stream(stream);
        Self { reader, log, buffer: Vec::new(), last: Last::default() }
    }

    async fn step(&mut self) -> Result<(), Error> {
        let Some(reader) = &mut self.reader else { return Ok(()) };
        self.buffer.clear();
        self.buffer.reserve(READ_BYTES);
        match reader.read_buf(&mut self.buffer).await {
            Ok(0) | Err(_) => {
                self.reader = None;
                self.end();
                Ok(())
            }
            Ok(_) => self.log.push(&self.buffer, |line| self.last.see(line)),
        }
    }

    fn end(&mut self) {
        self.log.end(|line| self.last.see(line));
    }
}

impl Last {
    fn see(&mut self, line: &Line<'_>) {
        let continued = std::mem::replace(&mut self.unfinished, line.cut);
        if line.raw.trim_ascii().is_empty() && !continued {
            return;
        }
        self.cut = continued || line.cut || line.raw.len() > LINE_BYTES_MAX;
        self.raw.clear();
        self.raw.extend_from_slice(line.raw.trim_ascii());
        if !continued {
            self.opened = self.raw.starts_with(b"{");
            let told = &line.redacted[..line.redacted.len().min(TOLD_CHARS * 4)];
            self.redacted = String::from_utf8_lossy(told).trim().to_owned();
        }
    }
}
