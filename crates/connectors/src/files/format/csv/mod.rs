//! CSV and TSV, RFC 4180: a quote opens a field only at its start, a doubled quote in it is one quote, and line ends in
//! it are data. A quoted empty field is the empty text, a bare one is NULL (or what `csv.null` says); a quoted field is
//! never NULL. Lines end in LF or CRLF. Empty lines between rows of several columns are passed over.

mod infer;
mod parse;
mod write;

pub use infer::{GUESSED, Guess};
pub use parse::{FileColumns, Parser, assemble, constant_column};
pub use write::CsvWriter;

use levada_core::error::{Error, ErrorKind, Result};

use super::Format;
use crate::files::chunks::Cutter;
use crate::files::settings::CsvSettings;

/// The characters that make the structure of a file.
#[derive(Debug, Clone)]
pub struct Dialect {
    /// Between fields.
    pub delimiter: u8,
    /// Around fields.
    pub quote: u8,
    /// Whether the first record holds the names.
    pub header: bool,
    /// The names by position, in place of those in a header; empty if they are not given.
    pub columns: Vec<String>,
    /// What a bare field means NULL by.
    pub null: String,
}

impl Dialect {
    /// The dialect of a format under the settings.
    pub fn new(format: Format, settings: &CsvSettings) -> Self {
        let usual = if format == Format::Tsv { '\t' } else { ',' };
        Self {
            delimiter: settings.delimiter.unwrap_or(usual) as u8,
            quote: settings.quote as u8,
            header: settings.header,
            columns: settings.columns.clone(),
            null: settings.null.clone(),
        }
    }

    /// The column names of a file: those given, or from its first record, where doubles and empty names are told apart by a
    /// number.
    ///
    /// # Errors
    /// `Data` where the record is not UTF-8, or lines do not end as they should; `Schema` where a header to be ignored has
    /// more or fewer columns than names are given.
    pub fn names(&self, first: &[u8]) -> Result<Vec<String>> {
        let found = self.names_found(first)?;
        if self.columns.is_empty() {
            return Ok(found);
        }
        if self.header && !first.is_empty() && found.len() != self.columns.len() {
            let (there, given) = (found.len(), self.columns.len());
            let message = format!("the header names {there}, and `csv.columns` {given} columns");
            return Err(Error::new(ErrorKind::Schema, message)
                .advise("Name every column in the order of the file; leave out those you do not want in the sync."));
        }
        Ok(self.columns.clone())
    }

    fn names_found(&self, first: &[u8]) -> Result<Vec<String>> {
        let text = std::str::from_utf8(first).map_err(|_| {
            Error::new(ErrorKind::Data, "the first row is not UTF-8")
                .advise("Set `csv.encoding: latin1`, or convert the file to UTF-8.")
        })?;
        let mut names: Vec<String> = Vec::new();
        let mut scratch = String::new();
        let mut bare_return = false;
        record(text, 0, self, &mut scratch, |index, field| {
            let (text, quoted) = match field {
                Field::Bare(text) => (text, false),
                Field::Quoted(text) => (text, true),
            };
            bare_return |= !quoted && text.contains('\r');
            let wanted = match text {
                _ if !self.header => format!("column_{}", index + 1),
                "" => format!("column_{}", index + 1),
                text => text.to_owned(),
            };
            let mut name = wanted.clone();
            let mut number = 2;
            while names.contains(&name) {
                name = format!("{wanted}_{number}");
                number += 1;
            }
            names.push(name);
        });
        if bare_return {
            return Err(Error::new(ErrorKind::Data, "the lines end in CR alone")
                .advise("Convert the file, for instance with `tr '\\r' '\\n'`."));
        }
        Ok(names)
    }
}

/// One field of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field<'a> {
    /// Without quotes.
    Bare(&'a str),
    /// With quotes, which are taken off.
    Quoted(&'a str),
}

/// What a record was.
pub struct Shape {
    /// Where the next record starts.
    pub next: usize,
    /// How many fields there were.
    pub fields: usize,
    /// Whether text followed a closing quote.
    pub broken: bool,
}

/// Calls `emit` for every field of the record that starts at `at`; the text holds whole records only.
#[inline]
pub fn record(
    text: &str,
    mut at: usize,
    dialect: &Dialect,
    scratch: &mut String,
    mut emit: impl FnMut(usize, Field<'_>),
) -> Shape {
    let bytes = text.as_bytes();
    let (delimiter, quote) = (dialect.delimiter, dialect.quote);
    let (mut index, mut broken) = (0, false);
    loop {
        let end;
        if bytes.get(at) == Some(&quote) {
            let (close, doubled) = closing_quote(bytes, at + 1, quote);
            let inner = text.get(at + 1..close).unwrap_or_default();
            if doubled {
                let one = quote as char;
                scratch.clear();
                let mut rest = inner;
                while let Some(found) = memchr::memchr(quote, rest.as_bytes()) {
                    scratch.push_str(&rest[..found]);
                    scratch.push(one);
                    rest = &rest[(found + 2).min(rest.len())..];
                }
                scratch.push_str(rest);
                emit(index, Field::Quoted(scratch));
            } else {
                emit(index, Field::Quoted(inner));
            }
            let after = (close + 1).min(bytes.len());
            end = field_end(bytes, after, delimiter);
            broken |= !matches!(&bytes[after..end], [] | [b'\r']);
        } else {
            end = field_end(bytes, at, delimiter);
            let field = &text[at..end];
            let at_line_end = bytes.get(end) != Some(&delimiter);
            let field = if at_line_end { field.strip_suffix('\r').unwrap_or(field) } else { field };
            emit(index, Field::Bare(field));
        }
        index += 1;
        if bytes.get(end) != Some(&delimiter) {
            return Shape { next: (end + 1).min(bytes.len()), fields: index, broken };
        }
        at = end + 1;
    }
}

/// Where the quoted field that starts at `from` is closed, and whether it holds doubled quotes.
#[inline]
fn closing_quote(bytes: &[u8], from: usize, quote: u8) -> (usize, bool) {
    let (mut at, mut doubled) = (from, false);
    while let Some(found) = memchr::memchr(quote, &bytes[at..]) {
        if bytes.get(at + found + 1) != Some(&quote) {
            return (at + found, doubled);
        }
        doubled = true;
        at += found + 2;
    }
    (bytes.len(), doubled)
}

/// The place of the first delimiter or line feed, eight bytes at a time.
#[inline]
fn field_end(bytes: &[u8], from: usize, delimiter: u8) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let (delimiters, feeds) = (ONES * u64::from(delimiter), ONES * u64::from(b'\n'));
    let mut at = from;
    while let Some(eight) = bytes[at..].first_chunk::<8>() {
        let word = u64::from_le_bytes(*eight);
        let hits = zeros(word ^ delimiters) | zeros(word ^ feeds);
        if hits != 0 {
            return at + (hits.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while at < bytes.len() && bytes[at] != delimiter && bytes[at] != b'\n' {
        at += 1;
    }
    at
}

/// Finds record ends by the same rules as [`record`].
pub struct CsvCutter {
    delimiter: u8,
    quote: u8,
    in_quotes: bool,
    at: usize,
    first: Option<usize>,
    last: usize,
}

impl CsvCutter {
    /// At the start of a file.
    pub fn new(dialect: &Dialect) -> Self {
        Self { delimiter: dialect.delimiter, quote: dialect.quote, in_quotes: false, at: 0, first: None, last: 0 }
    }

    fn outside(&mut self, bytes: &[u8], from: usize, to: usize) {
        if let Some(last) = memchr::memrchr(b'\n', &bytes[from..to]) {
            self.last = from + last + 1;
            if self.first.is_none() {
                self.first = memchr::memchr(b'\n', &bytes[from..to]).map(|first| from + first + 1);
            }
        }
    }
}

impl Cutter for CsvCutter {
    fn scan(&mut self, bytes: &[u8], at_end: bool) {
        while self.at < bytes.len() {
            let found = memchr::memchr(self.quote, &bytes[self.at..]).map(|found| self.at + found);
            if !self.in_quotes {
                self.outside(bytes, self.at, found.unwrap_or(bytes.len()));
                let Some(found) = found else {
                    self.at = bytes.len();
                    return;
                };
                let before = found.checked_sub(1).map(|before| bytes[before]);
                self.in_quotes = before.is_none_or(|byte| byte == self.delimiter || byte == b'\n');
                self.at = found + 1;
                continue;
            }
            match found {
                None => self.at = bytes.len(),
                Some(found) if found + 1 == bytes.len() && !at_end => {
                    self.at = found;
                    return;
                }
                Some(found) if bytes.get(found + 1) == Some(&self.quote) => self.at = found + 2,
                Some(found) => {
                    self.in_quotes = false;
                    self.at = found + 1;
                }
            }
        }
    }

    fn ends(&self) -> Option<(usize, usize)> {
        self.first.map(|first| (first, self.last))
    }

    fn cut(&mut self, end: usize) {
        // The bytes after the last end were looked at already; those after an earlier one are looked at again.
        if end == self.last && end <= self.at {
            self.at -= end;
        } else {
            (self.at, self.in_quotes) = (0, false);
        }
        (self.first, self.last) = (None, 0);
    }

    fn forget(&mut self) -> usize {
        let gone = self.at.saturating_sub(1);
        self.at -= gone;
        gone
    }

    fn unfinished(&self) -> Option<&'static str> {
        self.in_quotes.then_some("has a quoted field that is never closed")
    }
}
