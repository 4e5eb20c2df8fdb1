//! Objects into columns of whatever types are asked for.

use std::collections::{HashMap, HashSet};

use arrow_schema::SchemaRef;
use levada_core::batch::{Batch, Data, Reject};
use levada_core::builder::ColumnBuilder;
use levada_core::cast::quoted;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::schema::Logical;
use serde_json::value::RawValue;

use super::{entries, unescape};
use crate::files::chunks::{Chunk, TooLong};
use crate::files::format::cells;
use crate::files::format::csv::FileColumns;

/// How the objects lie in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objects {
    /// One on each line.
    Lines,
    /// In an array, or one after the other.
    Documents,
}

/// Turns chunks into batches of the wanted columns.
pub struct Parser {
    wanted: SchemaRef,
    layout: Objects,
    places: HashMap<String, usize>,
    order: Vec<String>,
    known: HashSet<String>,
    json: Vec<bool>,
    /// Whether `null` in a JSON column is a JSON document of its own; NULL is then the missing key.
    keeps_null: bool,
    record_bytes_max: usize,
    columns: Vec<ColumnBuilder>,
    from_path: Vec<bool>,
    rows: usize,
    bad: Vec<usize>,
    rejects: Vec<Reject>,
}

impl Parser {
    /// `known` names all columns of the stream, wanted or not; `keeps_null` is true for files that Levada wrote; longer lines
    /// than `record_bytes_max` are rejected.
    pub fn new(
        wanted: SchemaRef,
        known: HashSet<String>,
        layout: Objects,
        keeps_null: bool,
        record_bytes_max: usize,
    ) -> Result<Self> {
        let columns = wanted.fields().iter().map(|f| ColumnBuilder::new(f.data_type())).collect::<Result<_>>()?;
        let order: Vec<String> = wanted.fields().iter().map(|f| f.name().clone()).collect();
        Ok(Self {
            places: order.iter().enumerate().map(|(at, name)| (name.clone(), at)).collect(),
            json: wanted.fields().iter().map(|f| Logical::of(f) == Some(Logical::Json)).collect(),
            from_path: vec![false; order.len()],
            wanted,
            layout,
            order,
            known,
            keeps_null,
            record_bytes_max,
            columns,
            rows: 0,
            bad: Vec::new(),
            rejects: Vec::new(),
        })
    }

    /// Parses a chunk of a file.
    pub fn parse(&mut self, file: &FileColumns, chunk: &Chunk) -> Result<Batch> {
        self.from_path.fill(false);
        file.constants.iter().for_each(|(at, _)| self.from_path[*at] = true);
        match self.layout {
            Objects::Lines => self.lines(file, chunk),
            Objects::Documents => self.documents(file, chunk)?,
        }
        let (rows, bad) = (std::mem::take(&mut self.rows), std::mem::take(&mut self.bad));
        let batch = crate::files::format::csv::assemble(&self.wanted, &mut self.columns, rows, &file.constants, &bad)?;
        Ok(Batch { data: Data::Arrow(batch), rejects: std::mem::take(&mut self.rejects) })
    }

    fn lines(&mut self, file: &FileColumns, chunk: &Chunk) {
        let bytes = chunk.bytes();
        let whole = std::str::from_utf8(bytes).ok();
        let mut line = chunk.line;
        let mut values = Vec::new();
        let mut start = 0;
        while start < bytes.len() {
            let end = memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |found| start + found);
            let text = match whole {
                Some(whole) => Ok(&whole[start..end]),
                None => std::str::from_utf8(&bytes[start..end]),
            };
            match text {
                _ if (end + 1).min(bytes.len()) - start > self.record_bytes_max => {
                    let shown = bytes[start..end].len().min(TooLong::SHOWN_BYTES);
                    let too_long = TooLong { line, start: bytes[start..start + shown].to_vec() };
                    self.rejects.push(too_long.reject(&file.file, self.record_bytes_max));
                }
                Ok(text) if text.trim_ascii().is_empty() => {}
                Ok(text) => self.object(file, text, line, &mut values),
                Err(_) => {
                    let text = String::from_utf8_lossy(&bytes[start..end]);
                    self.reject(file, &text, line, None, "the record is not UTF-8");
                }
            }
            start = end + 1;
            line += 1;
        }
    }

    fn documents(&mut self, file: &FileColumns, chunk: &Chunk) -> Result<()> {
        let broken = |line: u64, why: String| {
            Error::new(ErrorKind::Data, format!("line {line}: {why}"))
                .at(file.file.clone())
                .advise("Repair the file: what follows the fault cannot be told apart.")
        };
        let text =
            std::str::from_utf8(chunk.bytes()).map_err(|_| broken(chunk.line, "this part is not UTF-8".into()))?;
        let mut values = Vec::new();
        let (mut at, mut line, mut counted) = (0, chunk.line, 0);
        loop {
            at += text[at..].len() - text[at..].trim_start_matches([' ', '\t', '\r', '\n', ',']).len();
            line += memchr::memchr_iter(b'\n', &chunk.bytes()[counted..at]).count() as u64;
            counted = at;
            let rest = &text[at..];
            if rest.is_empty() {
                return Ok(());
            }
            if rest.starts_with(']') {
                at += 1;
                continue;
            }
            let mut documents = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
            match documents.next() {
                Some(Ok(raw)) => {
                    at += documents.byte_offset();
                    self.object(file, raw.get(), line, &mut values);
                }
                Some(Err(error)) => return Err(broken(line, error.to_string())),
                None => return Ok(()),
            }
        }
    }

    fn object<'a>(&mut self, file: &FileColumns, text: &'a str, line: u64, values: &mut Vec<Option<&'a str>>) {
        values.clear();
        values.resize(self.order.len(), None);
        let mut next = 0;
        let mut unknown = None;
        let (order, places, known) = (&self.order, &self.places, &self.known);
        let outcome = entries(text, |key, raw| {
            let place = match order.get(next) {
                Some(name) if name == key => Some(next),
                _ => places.get(key).copied(),
            };
            match place {
                Some(place) => {
                    values[place] = Some(raw);
                    next = place + 1;
                }
                None if known.contains(key) => {}
                None => unknown = Some(key.to_owned()),
            }
        });
        let outcome = outcome.and_then(|()| match unknown {
            None => Ok(()),
            Some(key) => Err(format!("the key `{key}` was not in the sample that told the columns (enlarge `sample`)")),
        });
        if let Err(reason) = outcome {
            return self.reject(file, text, line, None, &reason);
        }
        let mut fault = None;
        for (place, value) in values.iter().enumerate() {
            if self.from_path[place] {
                continue;
            }
            let outcome = if fault.is_some() { None } else { value.map(|raw| self.value(place, raw)) };
            match outcome {
                Some(Ok(())) => {}
                None => self.columns[place].push_null(),
                Some(Err(reason)) => {
                    self.columns[place].push_null();
                    fault = Some((place, format!("{} {reason}", quoted(value.unwrap_or_default()))));
                }
            }
        }
        if let Some((place, reason)) = fault {
            self.bad.push(self.rows);
            self.reject(file, text, line, Some(place), &reason);
        }
        self.rows += 1;
    }

    fn value(&mut self, place: usize, raw: &str) -> Result<(), &'static str> {
        let column = &mut self.columns[place];
        match raw.as_bytes()[0] {
            b'n' if !(self.json[place] && self.keeps_null) => {
                column.push_null();
                Ok(())
            }
            _ if self.json[place] => cells::push(column, raw, false),
            b'"' => cells::push(column, &unescape(raw)?, false),
            _ => cells::push(column, raw, false),
        }
    }

    fn reject(&mut self, file: &FileColumns, text: &str, line: u64, place: Option<usize>, reason: &str) {
        let row = match serde_json::from_str::<&RawValue>(text) {
            Ok(raw) if raw.get().starts_with('{') => raw.get().to_owned(),
            _ => serde_json::json!({ "record": text }).to_string(),
        };
        self.rejects.push(Reject {
            row,
            column: place.map(|place| self.order[place].clone()),
            reason: format!("{} line {line}: {reason}", file.file),
        });
    }
}
