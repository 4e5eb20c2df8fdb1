//! Looking through logs for the lines that are meant: a bounded part of a file at a time, in memory for what is found and one
//! line. Forwards with a place to go on from, and backwards for the newest. Reads files and so blocks.

use std::io;

use levada_core::error::{Context as _, Result};
use levada_core::time::Timestamp;

use super::reader::PAGE_BYTES;
use super::{Level, LogLine, LogReader, Stream};

/// Bytes of a log that are looked at for one page: a fraction of a second's work, also in a log of many gigabytes.
const LOOKED_AT_BYTES: u64 = 64 << 20;

/// Which lines are meant: all, unless something is asked for.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this level at least.
    pub level: Level,
    /// Of this stream.
    pub stream: Option<Stream>,
    /// Written at this instant or later.
    pub since: Option<Timestamp>,
    /// With this text, which is in lower case: see [`Filter::containing`].
    pub contains: Option<String>,
}

/// A page of what was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The lines, in order. There may be none although more follow.
    pub lines: Vec<LogLine>,
    /// The first line that was not looked at: the next page starts there.
    pub next: u64,
    /// Whether there was nothing there yet.
    pub is_end: bool,
}

/// How much may be read still, of however many files.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    bytes: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self::of(LOOKED_AT_BYTES)
    }
}

impl Budget {
    /// So many bytes, and the line in which they end.
    pub fn of(bytes: u64) -> Self {
        Self { bytes }
    }

    /// Whether no more may be read.
    pub fn is_spent(&self) -> bool {
        self.bytes == 0
    }

    fn spend(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes as u64);
    }
}

impl Filter {
    /// Only lines that hold this text; upper and lower case are the same.
    pub fn containing(mut self, text: Option<&str>) -> Self {
        self.contains = text.map(str::to_lowercase);
        self
    }

    fn is_meant(&self, line: &LogLine) -> bool {
        self.stream.is_none_or(|stream| line.stream == stream)
            && self.since.is_none_or(|since| line.at.is_some_and(|at| at >= since))
            && (self.level == Level::Info || line.level() >= self.level)
            && self.contains.as_ref().is_none_or(|text| line.text.to_lowercase().contains(text))
    }
}

impl LogLine {
    /// How serious it is.
    pub fn level(&self) -> Level {
        Level::of(self.stream, &self.text)
    }
}

impl LogReader {
    /// Up to `count` of the lines that are meant, from a line on. Ends earlier where they are long, and where much was looked
    /// at: the rest starts at [`Found::next`].
    ///
    /// # Errors
    /// `Io` or `Permission`, at the log's path.
    pub fn search(&self, from_line: u64, count: usize, filter: &Filter, budget: Budget) -> Result<Found> {
        self.search_on(from_line, count, filter, budget).at(self.place())
    }

    fn search_on(&self, from_line: u64, count: usize, filter: &Filter, mut budget: Budget) -> io::Result<Found> {
        let mut cursor = self.cursor(from_line)?;
        let (mut lines, mut raw, mut bytes, mut is_end) = (Vec::new(), Vec::new(), 0, false);
        while lines.len() < count && bytes < PAGE_BYTES && !budget.is_spent() {
            let Some(line) = cursor.read_line(&mut raw)? else {
                is_end = true;
                break;
            };
            budget.spend(raw.len());
            if filter.is_meant(&line) {
                bytes += raw.len() as u64;
                lines.push(line);
            }
        }
        Ok(Found { lines, next: cursor.line(), is_end })
    }

    /// Of the lines that are meant the last `count`, the newest first. What is left of the budget tells whether all that had
    /// to be was looked at.
    ///
    /// # Errors
    /// `Io` or `Permission`, at the log's path.
    pub fn newest(&self, count: usize, filter: &Filter, budget: &mut Budget) -> Result<Vec<LogLine>> {
        self.newest_of(count, filter, budget).at(self.place())
    }

    /// From one entry of the index to the next, backwards.
    fn newest_of(&self, count: usize, filter: &Filter, budget: &mut Budget) -> io::Result<Vec<LogLine>> {
        let (mut newest, mut end) = (Vec::new(), u64::MAX);
        while end > 0 && newest.len() < count && !budget.is_spent() {
            let (start, _) = self.entry_before(end - 1)?;
            let (mut cursor, mut raw, mut part) = (self.cursor(start)?, Vec::new(), Vec::new());
            let mut is_older = false;
            while cursor.line() < end && !budget.is_spent() {
                let Some(line) = cursor.read_line(&mut raw)? else { break };
                budget.spend(raw.len());
                // what lies before a line that is too old is older still
                is_older |= line.at.zip(filter.since).is_some_and(|(at, since)| at < since);
                part.extend(Some(line).filter(|line| filter.is_meant(line)));
            }
            newest.extend(part.into_iter().rev());
            end = if is_older { 0 } else { start };
        }
        newest.truncate(count);
        Ok(newest)
    }
}
