//! One test at work: it sees every batch of rows once, and keeps what it needs within bounds.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::time::Duration;

use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use levada_core::config::{AcceptedValues, Pattern, Range, Rule};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::schema::{Logical, type_name};
use levada_core::text;
use levada_core::time::Timestamp;
use regex::{Regex, RegexBuilder};

use super::Bounds;
use super::canonical::{self, Number};
use super::keys::Keys;
use super::ordinal::{Ordinal, no_value, value};
use super::probe::Hasher;

/// The most memory that a compiled pattern takes.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// A test while rows stream by.
pub struct Tally {
    probe: Probe,
    failed: u64,
    kept: Kept,
}

/// What a test looks for, in terms of the columns' types.
enum Probe {
    /// The number of rows is enough.
    Count,
    NotNull(Vec<usize>),
    Keys(Hasher, Keys),
    Accepted(Column, HashSet<String>),
    Range(Column, Option<Ordinal>, Option<Ordinal>),
    Regex(Column, Regex),
    Fresh {
        column: Column,
        latest: Option<(Ordinal, String)>,
        oldest: Ordinal,
    },
}

#[derive(Clone, Copy)]
struct Column {
    at: usize,
    is_number: bool,
}

/// Rows that are shown to people, as JSON, within bounds.
pub struct Kept {
    /// The rows.
    pub rows: Vec<String>,
    most: usize,
    bytes_left: usize,
}

impl Kept {
    /// None yet.
    pub fn new(most: usize, bytes: usize) -> Self {
        Self { rows: Vec::new(), most, bytes_left: bytes }
    }

    /// Whether no more are kept.
    pub fn is_full(&self) -> bool {
        self.rows.len() >= self.most || self.bytes_left == 0
    }

    /// Keeps a row if there is room.
    pub fn push(&mut self, rows: &RecordBatch, row: usize) {
        if self.is_full() {
            return;
        }
        let told = text::row_json(rows, row);
        match self.bytes_left.checked_sub(told.len()) {
            Some(left) => {
                self.bytes_left = left;
                self.rows.push(told);
            }
            // the rows after it are not looked at, however short: what is shown are the first ones
            None => self.bytes_left = 0,
        }
    }
}

impl Tally {
    /// A test that has seen nothing, of rows of this schema.
    ///
    /// # Errors
    /// `Config` for a column whose type the rule cannot be tested on, a value that is none of its type, and a pattern that is none.
    pub fn new(rule: &Rule, schema: &Schema, bounds: &Bounds) -> Result<Self> {
        let column = |name: &str| -> Result<(Column, &Field)> {
            let at = schema.index_of(name);
            let at = at.map_err(|_| Error::new(ErrorKind::Config, format!("there is no column `{name}`")))?;
            let field = schema.field(at);
            Ok((Column { at, is_number: canonical::is_number(field) }, field))
        };
        let probe = match rule {
            Rule::RowCount { .. } | Rule::Volume { .. } | Rule::Sql(_) => Probe::Count,
            Rule::NotNull(columns) => {
                Probe::NotNull(columns.iter().map(|name| Ok(column(name)?.0.at)).collect::<Result<_>>()?)
            }
            Rule::Unique(_) | Rule::Relationships { .. } => Probe::Keys(Hasher::new(schema, rule)?, bounds.keys(false)),
            Rule::AcceptedValues(AcceptedValues { column: name, values }) => {
                let (column, field) = column(name)?;
                Probe::Accepted(column, values.iter().map(|text| accepted(text, field)).collect::<Result<_>>()?)
            }
            Rule::Range(Range { column: name, min, max }) => {
                let (column, field) = column(name)?;
                let end = |text: &Option<String>| text.as_deref().map(|text| Ordinal::parse(text, field)).transpose();
                let (min, max) = (end(min)?, end(max)?);
                if let (Some(min), Some(max)) = (&min, &max)
                    && min.compare(max) == Some(Ordering::Greater)
                {
                    let message = format!("no value of `{name}` lies between `min` and `max`");
                    return Err(Error::new(ErrorKind::Config, message).advise("Give a `max` that is not below `min`."));
                }
                Probe::Range(column, min, max)
            }
            Rule::Regex(Pattern { column: name, pattern }) => {
                let (column, field) = column(name)?;
                Probe::Regex(column, compiled(pattern, field)?)
            }
            Rule::Freshness { column: name, within } => {
                let (column, field) = column(name)?;
                Probe::Fresh { column, latest: None, oldest: oldest(field, bounds.now, *within)? }
            }
        };
        Ok(Self { probe, failed: 0, kept: bounds.kept() })
    }

    /// Looks at the next rows.
    ///
    /// # Errors
    /// Of writing what does not fit into memory.
    pub fn see(&mut self, rows: &RecordBatch) -> Result<()> {
        let mut scratch = String::new();
        match &mut self.probe {
            Probe::Count => return Ok(()),
            Probe::Keys(hasher, keys) => return hasher.hashes(rows).try_for_each(|(_, hash)| keys.add(hash)),
            Probe::Fresh { column, latest, .. } => {
                let values = rows.column(column.at);
                for row in 0..rows.num_rows() {
                    let Some(value) = Ordinal::of(values.as_ref(), row, false) else { continue };
                    let is_later = |known: &Ordinal| value.compare(known) == Some(Ordering::Greater);
                    if latest.as_ref().is_none_or(|(known, _)| is_later(known)) {
                        *latest = Some((value, text::value(values.as_ref(), row).unwrap_or_default()));
                    }
                }
                return Ok(());
            }
            _ => {}
        }
        for row in 0..rows.num_rows() {
            if self.probe.is_broken(rows, row, &mut scratch) {
                self.failed += 1;
                self.kept.push(rows, row);
            }
        }
        Ok(())
    }

    /// How many rows break a rule about single rows, and the first of them.
    pub fn broken(self) -> (u64, Vec<String>) {
        (self.failed, self.kept.rows)
    }

    /// The hashes of the values that a rule about several rows has met.
    pub fn into_keys(self) -> Option<Keys> {
        match self.probe {
            Probe::Keys(_, keys) => Some(keys),
            _ => None,
        }
    }

    /// Whether the latest value is too old or there is none, and that value.
    pub fn staleness(self) -> (bool, Option<String>) {
        match self.probe {
            Probe::Fresh { latest: Some((value, text)), oldest, .. } => {
                (value.compare(&oldest) == Some(Ordering::Less), Some(text))
            }
            _ => (true, None),
        }
    }
}

impl Probe {
    /// Whether a row breaks the rule.
    fn is_broken(&self, rows: &RecordBatch, row: usize, scratch: &mut String) -> bool {
        let column = match self {
            Self::NotNull(columns) => return columns.iter().any(|column| rows.column(*column).is_null(row)),
            Self::Accepted(column, _) | Self::Range(column, ..) | Self::Regex(column, _) => *column,
            Self::Count | Self::Keys(..) | Self::Fresh { .. } => return false,
        };
        let values = rows.column(column.at);
        if values.is_null(row) {
            return false;
        }
        scratch.clear();
        match self {
            Self::Accepted(_, accepted) => {
                canonical::write(scratch, values.as_ref(), row, column.is_number);
                !accepted.contains(scratch.as_str())
            }
            Self::Regex(_, regex) => {
                text::write_value(scratch, values.as_ref(), row);
                !regex.is_match(scratch)
            }
            Self::Range(_, min, max) => Ordinal::of(values.as_ref(), row, column.is_number).is_none_or(|value| {
                let is = |end: &Option<Ordinal>, allowed: Ordering| {
                    let order = end.as_ref().map(|end| value.compare(end));
                    order.is_none_or(|order| order.is_some_and(|order| order == allowed || order.is_eq()))
                };
                !(is(min, Ordering::Greater) && is(max, Ordering::Less))
            }),
            _ => false,
        }
    }
}

/// The text by which an accepted value is told, however it is written.
fn accepted(text: &str, field: &Field) -> Result<String> {
    let is_number = canonical::is_number(field);
    let is_float = matches!(field.data_type(), DataType::Float32 | DataType::Float64);
    if is_number
        && !is_float
        && Number::parse(text.trim()).is_none()
        && !matches!(text, "NaN" | "Infinity" | "-Infinity")
    {
        return Err(no_value(text, field, "is no number"));
    }
    let values = match is_number && !is_float {
        // one that the column cannot have is merely never met
        true => value(text.trim(), &Field::new(field.name(), DataType::Utf8, true))?,
        false => value(text, field)?,
    };
    let mut told = String::new();
    canonical::write(&mut told, values.as_ref(), 0, is_number);
    Ok(told)
}

/// A pattern that matches all of a text or nothing of it.
fn compiled(pattern: &str, field: &Field) -> Result<Regex> {
    if *field.data_type() != DataType::Utf8 || Logical::of(field) == Some(Logical::Number) {
        let message = format!("`{}` is {}, and a pattern is for text", field.name(), type_name(field));
        return Err(Error::new(ErrorKind::Config, message).advise("Test it with `range` or `accepted_values`."));
    }
    let build = |pattern: &str| RegexBuilder::new(pattern).size_limit(PATTERN_BYTES_MAX).build();
    // by itself first: brackets of its own could reach out of those around it
    build(pattern).and_then(|_| build(&format!("^(?:{pattern})$"))).map_err(|error| {
        let why = error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        Error::new(ErrorKind::Config, format!("`{pattern}` is no pattern: {why}"))
            .advise("Write a regular expression, without references back and looks around.")
    })
}

/// The least value that is fresh.
fn oldest(field: &Field, now: Timestamp, within: Duration) -> Result<Ordinal> {
    let least_us = i128::from(now.as_micros()) - i128::try_from(within.as_micros()).unwrap_or(i128::MAX >> 1);
    match field.data_type() {
        // a day is as fresh as its last moment
        DataType::Date32 => Ok(Ordinal::Whole(least_us.div_euclid(86_400_000_000))),
        DataType::Timestamp(TimeUnit::Microsecond, _) => Ok(Ordinal::Whole(least_us)),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => Ok(Ordinal::Whole(least_us.saturating_mul(1000))),
        _ => {
            let message = format!("`{}` is {}, which tells no time", field.name(), type_name(field));
            Err(Error::new(ErrorKind::Config, message).advise("Name a column of dates or timestamps."))
        }
    }
}

#[cfg(test)]
mod tests;
