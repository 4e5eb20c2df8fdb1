//! Cuts one file into byte ranges that several readers fetch, search for record ends and parse side by side. Where a range's
//! first record starts, only the ranges before it can tell; so each is searched for every way they can end
//! ([`super::borders`]), and then, in their order, each hands on to the next one what its bytes come down to: a state, a line number
//! and the start of the record that is not over. That handing on is all that is done one after the other.
//!
//! Readers take ranges in order, and one that has taken a range needs nobody but those of the ranges before it: the first of
//! them never waits.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use levada_core::error::{Error, ErrorKind, Result};

use super::borders::{Borders, Part, Rules, State};
use super::chunks::{Chunk, Limits, TooLong, cut_off, newlines};
use super::format::RandomRead;

/// Room before a range for the start of its first record; a longer start is copied together with it.
const ROOM_BYTES: usize = 64 << 10;

/// Where the records of a file start.
#[derive(Debug, Clone, Copy)]
pub struct Start {
    /// Behind the byte order mark and the header.
    pub offset: u64,
    /// The line there, from 1.
    pub line: u64,
}

/// One file being read in ranges.
pub struct Ranges {
    file: Arc<dyn RandomRead>,
    rules: Rules,
    limits: Limits,
    start: Start,
    /// How many ranges readers have taken.
    taken: AtomicU64,
    chain: Mutex<Chain>,
    /// Woken when the next range has its turn, or none will have.
    turned: Condvar,
}

/// What the ranges so far hand on to the next one.
struct Chain {
    /// The number of that range.
    turn: u64,
    state: State,
    /// The line on which the record that is not over starts, or the next one will.
    line: u64,
    /// The start of the record that is not over.
    carry: Vec<u8>,
    /// How many lines end in it.
    carry_lines: u64,
    /// What is left of its start where it is over the limit.
    too_long: Option<TooLong>,
    /// Why no range will have its turn any more.
    failure: Option<Error>,
}

/// A range with room before it.
struct Fetched {
    buffer: Vec<u8>,
    lines: u64,
    is_last: bool,
}

impl Fetched {
    fn bytes(&self) -> &[u8] {
        &self.buffer[ROOM_BYTES..]
    }
}

/// A range that was taken. Unless it is handed on, those who wait for it are told that it failed.
struct Taken<'r> {
    ranges: &'r Ranges,
    is_done: bool,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            let why = "a thread that read a part of the file died";
            self.ranges.fail(Error::new(ErrorKind::Internal, why).at(self.ranges.file.name()));
        }
    }
}

impl Ranges {
    /// Nothing is read yet.
    pub fn new(file: Arc<dyn RandomRead>, rules: Rules, limits: Limits, start: Start) -> Self {
        let chain = Chain {
            turn: 0,
            state: State::Start,
            line: start.line,
            carry: Vec::new(),
            carry_lines: 0,
            too_long: None,
            failure: None,
        };
        Self { file, rules, limits, start, taken: AtomicU64::new(0), chain: chain.into(), turned: Condvar::new() }
    }

    /// What comes of the next range that nobody has taken: the records that end in it. `None` when all are taken. Waits for
    /// those who fetch and search the ranges before it.
    ///
    /// # Errors
    /// `Busy` where the file has changed; `Data` where it ends in the middle of a quoted field. The error is that of every
    /// reader from then on.
    pub fn next(&self) -> Result<Option<Records>> {
        loop {
            if let Some(failure) = &self.lock().failure {
                return Err(again(failure));
            }
            let step = self.limits.chunk_bytes.max(1) as u64;
            let number = self.taken.fetch_add(1, Ordering::Relaxed);
            let left = self.file.len().saturating_sub(self.start.offset);
            let Some(from) = number.checked_mul(step).filter(|from| *from < left) else { return Ok(None) };
            let mut taken = Taken { ranges: self, is_done: false };
            let found = self.fetch(from, step.min(left - from)).and_then(|fetched| self.search(number, fetched));
            taken.is_done = true;
            match found {
                Ok(records) if records.is_empty() => {}
                Ok(records) => return Ok(Some(records)),
                Err(error) => {
                    self.fail(again(&error));
                    return Err(error);
                }
            }
        }
    }

    fn fetch(&self, from: u64, length: u64) -> Result<Fetched> {
        let mut buffer = vec![0; ROOM_BYTES + length as usize];
        let offset = self.start.offset + from;
        self.file.read_at(offset, &mut buffer[ROOM_BYTES..])?;
        let lines = newlines(&buffer[ROOM_BYTES..]);
        Ok(Fetched { buffer, lines, is_last: offset + length == self.file.len() })
    }

    fn search(&self, number: u64, fetched: Fetched) -> Result<Records> {
        let known = {
            let chain = self.lock();
            (chain.turn == number).then_some(chain.state)
        };
        let part = Part::find(fetched.bytes(), self.rules, known);
        let mut chain = self.lock();
        while chain.turn != number && chain.failure.is_none() {
            chain = self.turned.wait(chain).unwrap_or_else(PoisonError::into_inner);
        }
        if let Some(failure) = &chain.failure {
            return Err(again(failure));
        }
        let borders = part.after(chain.state);
        let records = chain.hand_on(fetched, borders, self.limits.record_bytes_max);
        let records = records.map_err(|why| cut_off(self.file.name(), why))?;
        chain.turn += 1;
        self.turned.notify_all();
        Ok(records)
    }

    fn fail(&self, failure: Error) {
        self.lock().failure.get_or_insert(failure);
        self.turned.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Chain> {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The records that end in a range.
#[derive(Default)]
pub struct Records {
    /// The first one, where it is over the limit.
    pub too_long: Option<TooLong>,
    /// The others.
    pub chunk: Option<Chunk>,
}

impl Records {
    fn is_empty(&self) -> bool {
        self.too_long.is_none() && self.chunk.is_none()
    }
}

impl Chain {
    /// Gives out the records that end in the range whose turn it is, and keeps the rest for the next one. The error says why
    /// the file cannot end here.
    fn hand_on(&mut self, fetched: Fetched, borders: Borders, record_bytes_max: usize) -> Result<Records, String> {
        self.state = borders.exit;
        let bytes = fetched.bytes();
        let end = match (fetched.is_last, borders.first) {
            (true, _) => bytes.len(),
            (false, Some(_)) => borders.last,
            (false, None) => 0,
        };
        if fetched.is_last && borders.exit == State::Quoted {
            let line = match (borders.first, &self.too_long) {
                (Some(_), _) => self.line + self.carry_lines + newlines(&bytes[..borders.last]),
                (None, Some(too_long)) => too_long.line,
                (None, None) => self.line,
            };
            return Err(format!(
                "the last record, which starts on line {line}, has a quoted field that is never closed"
            ));
        }
        let rest = bytes[end..].to_vec();
        let rest_lines = if end == 0 { fetched.lines } else { newlines(&rest) };
        let mut records = Records { too_long: self.too_long.take_if(|_| end > 0), chunk: None };
        let from = if records.too_long.is_some() { borders.first.unwrap_or(end) } else { 0 };
        let passed = newlines(&bytes[..from]);
        self.line += passed;
        if end > from {
            let (head, line) = (std::mem::take(&mut self.carry), self.line);
            self.line += std::mem::take(&mut self.carry_lines) + fetched.lines - rest_lines - passed;
            records.chunk = Some(joined(head, fetched.buffer, from, end, line));
        }
        self.keep(rest, rest_lines, record_bytes_max);
        Ok(records)
    }

    /// Adds to the start of the record that is not over.
    fn keep(&mut self, bytes: Vec<u8>, lines: u64, record_bytes_max: usize) {
        if self.too_long.is_some() {
            self.line += lines;
            return;
        }
        if self.carry.is_empty() {
            self.carry = bytes;
        } else {
            self.carry.extend_from_slice(&bytes);
        }
        self.carry_lines += lines;
        if self.carry.len() > record_bytes_max.max(TooLong::SHOWN_BYTES) {
            let start = self.carry[..TooLong::SHOWN_BYTES].to_vec();
            self.too_long = Some(TooLong { line: self.line, start });
            self.carry = Vec::new();
            self.line += std::mem::take(&mut self.carry_lines);
        }
    }
}

/// The start of a record, and the bytes of a range that end it and hold further ones.
fn joined(head: Vec<u8>, mut buffer: Vec<u8>, from: usize, end: usize, line: u64) -> Chunk {
    let (from, end) = (ROOM_BYTES + from, ROOM_BYTES + end);
    if let Some(start) = from.checked_sub(head.len()) {
        buffer[start..from].copy_from_slice(&head);
        return Chunk::part(buffer, start..end, line);
    }
    let mut whole = head;
    whole.extend_from_slice(&buffer[from..end]);
    Chunk::new(whole, line)
}

/// The same error for another reader.
fn again(error: &Error) -> Error {
    let same = Error::new(error.kind(), error.message()).advise(error.advice());
    error.place().iter().rev().fold(same, |same, place| same.at(place.clone()))
}

#[cfg(test)]
mod tests;
