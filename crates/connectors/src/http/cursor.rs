//! Incremental reads: from which value on to ask, which records are new, and where the stream stands once all of them were
//! read. There is no snapshot that could tell the last value beforehand, so records that a later read will see again are
//! held back until it is known which those are.

use std::sync::Arc;

use arrow_array::{Array as _, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow_buffer::i256;
use arrow_schema::{DataType, Field, Schema};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::position::Position;
use levada_core::source::OVERLAP_COLUMN;
use levada_core::text;

use super::config::wrong;
use super::endpoint::CursorFormat;
use levada_core::order::{self, Key};

/// The most records that may be held back.
const HELD_ROWS_MAX: usize = 200_000;
/// The most bytes of them.
const HELD_BYTES_MAX: usize = 64_000_000;

/// An incremental read that is under way.
pub struct Cursor {
    column: Field,
    lag: Option<Key>,
    /// Records below are not new; `None` takes all, those without a value included.
    low: Option<Key>,
    from: Option<Position>,
    /// The value of the position.
    last: Option<Key>,
    /// The greatest value so far, and its text.
    top: Option<(Key, String)>,
    /// Whether every record so far came after the ones before it.
    is_ascending: bool,
    mark: bool,
    held: Vec<Held>,
}

/// Records at the top.
struct Held {
    rows: RecordBatch,
    keys: Vec<Option<Key>>,
}

impl Cursor {
    /// From a position on.
    ///
    /// # Errors
    /// `Config` for a column or lag that makes no order; `Refused` for a position of something else.
    pub fn open(column: &Field, from: Option<&Position>, lag: Option<&str>, mark: bool) -> Result<Self> {
        order::check(column)?;
        let (name, data_type) = (column.name(), column.data_type());
        let lag = lag.map(|lag| Key::of_lag(name, data_type, lag)).transpose()?;
        let top = from.map(|from| Key::of_position(name, data_type, from)).transpose()?;
        let low = top.as_ref().map(|(key, _)| key.minus(lag.as_ref()));
        let (column, last) = (column.clone(), top.as_ref().map(|(key, _)| key.clone()));
        Ok(Self { column, lag, low, from: from.cloned(), last, top, is_ascending: true, mark, held: Vec::new() })
    }

    /// The column, as the parser has to read it besides those that are wanted.
    pub fn column(&self) -> &Field {
        &self.column
    }

    /// The value to ask from, in words of the other side; `None` in a first read.
    ///
    /// # Errors
    /// `Config` for a format that the column's type does not have.
    pub fn asked_from(&self, format: CursorFormat) -> Result<Option<String>> {
        let Some(low) = &self.low else { return Ok(None) };
        let data_type = self.column.data_type();
        let micros = || {
            low.micros(data_type).ok_or_else(|| {
                wrong(format!("`format` of the cursor `{}` needs a column of times", self.column.name()))
                    .advise("Declare the column as `timestamptz`, or use `format: text`.")
            })
        };
        Ok(Some(match format {
            CursorFormat::Text => low.text(data_type),
            CursorFormat::Unix => micros()?.div_euclid(1_000_000).to_string(),
            CursorFormat::UnixMs => micros()?.div_euclid(1_000).to_string(),
            CursorFormat::Date => Key::Exact(i256::from_i128(i128::from(micros()?) * 1_000)).text(&DataType::Date32),
        }))
    }

    /// Takes records whose last column is the cursor; gives those that are new and will not come again, without it: one
    /// batch at least, which may be empty.
    ///
    /// # Errors
    /// `Refused` if more records are at the top than can be held.
    pub fn take(&mut self, rows: RecordBatch) -> Result<Vec<RecordBatch>> {
        let values = rows.column(rows.num_columns() - 1).clone();
        let keys: Vec<Option<Key>> = (0..values.len()).map(|row| self.key(&values, row)).collect();
        let is_new = |key: &Option<Key>| match (&self.low, key) {
            (None, _) => true,
            (Some(low), Some(key)) => key >= low,
            (Some(_), None) => false,
        };
        let keep: Vec<bool> = keys.iter().map(is_new).collect();
        for row in (0..keys.len()).filter(|row| keep[*row]) {
            let Some(key) = &keys[row] else { continue };
            let is_greater = self.top.as_ref().is_none_or(|(top, _)| key > top);
            // within the lag all were read before
            let is_repeated = self.last.as_ref().is_some_and(|last| key < last);
            self.is_ascending &= is_repeated || self.top.as_ref().is_none_or(|(top, _)| key >= top);
            if is_greater {
                self.top = text::value(&values, row).map(|text| (key.clone(), text));
            }
        }
        let columns: Vec<usize> = (0..rows.num_columns() - 1).collect();
        let rows = filtered(&project(&rows, &columns)?, &keep)?;
        let keys: Vec<Option<Key>> =
            keys.into_iter().zip(&keep).filter(|(_, keep)| **keep).map(|(key, _)| key).collect();
        if !self.mark {
            return Ok(vec![rows]);
        }
        let none = rows.slice(0, 0);
        self.held.push(Held { rows, keys });
        let mut released = self.release()?;
        if released.is_empty() {
            // for the rejects that go with it
            released.push(marked(none, false)?);
        }
        let held = |of: fn(&RecordBatch) -> usize| self.held.iter().map(|held| of(&held.rows)).sum::<usize>();
        if held(RecordBatch::num_rows) > HELD_ROWS_MAX || held(RecordBatch::get_array_memory_size) > HELD_BYTES_MAX {
            return Err(Error::new(
                ErrorKind::Refused,
                format!(
                    "more than {HELD_ROWS_MAX} records or {} MB lie within the lag window at the end of the cursor",
                    HELD_BYTES_MAX / 1_000_000
                ),
            )
            .advise("Use `write: merge` with a key, a finer cursor column, or a shorter `lag`."));
        }
        Ok(released)
    }

    /// What was held back, once there is nothing more: a later read will see it again.
    ///
    /// # Errors
    /// `Internal`.
    pub fn end(&mut self) -> Result<Vec<RecordBatch>> {
        std::mem::take(&mut self.held).into_iter().map(|held| marked(held.rows, true)).collect()
    }

    /// Where the stream stands, once everything was read.
    pub fn position(&self) -> Option<Position> {
        match &self.top {
            Some((_, text)) => Some(order::position(self.column.name(), text)),
            None => self.from.clone(),
        }
    }

    /// Where a read that broke has come to, if its records came in the order of the cursor. In a first read records without
    /// a value may be among those that are missing, and no later read would take them.
    pub fn reached(&self) -> Option<Position> {
        let is_certain = self.is_ascending && !self.mark && (self.from.is_some() || !self.column.is_nullable());
        self.position().filter(|_| is_certain && self.top.is_some())
    }

    fn key(&self, values: &ArrayRef, row: usize) -> Option<Key> {
        Key::of_text(self.column.data_type(), &text::value(values, row)?)
    }

    /// Lets go of what is held and no longer at the top.
    fn release(&mut self) -> Result<Vec<RecordBatch>> {
        let mark_from = self.top.as_ref().map(|(top, _)| top.minus(self.lag.as_ref()));
        let is_at_top = |key: &Option<Key>| matches!((&mark_from, key), (Some(from), Some(key)) if key >= from);
        let mut released = Vec::new();
        for held in std::mem::take(&mut self.held) {
            let stays: Vec<bool> = held.keys.iter().map(is_at_top).collect();
            let goes: Vec<bool> = stays.iter().map(|stays| !stays).collect();
            let rows = filtered(&held.rows, &goes)?;
            if rows.num_rows() > 0 {
                released.push(marked(rows, false)?);
            }
            if stays.contains(&true) {
                let rows = filtered(&held.rows, &stays)?;
                let keys = held.keys.into_iter().zip(&stays).filter(|(_, stays)| **stays).map(|(key, _)| key).collect();
                self.held.push(Held { rows, keys });
            }
        }
        Ok(released)
    }
}

fn internal(error: arrow_schema::ArrowError) -> Error {
    Error::new(ErrorKind::Internal, error.to_string())
}

fn project(rows: &RecordBatch, columns: &[usize]) -> Result<RecordBatch> {
    rows.project(columns).map_err(internal)
}

fn filtered(rows: &RecordBatch, keep: &[bool]) -> Result<RecordBatch> {
    if keep.iter().all(|keep| *keep) {
        return Ok(rows.clone());
    }
    arrow_select::filter::filter_record_batch(rows, &BooleanArray::from(keep.to_vec())).map_err(internal)
}

fn marked(rows: RecordBatch, mark: bool) -> Result<RecordBatch> {
    let mut fields: Vec<Field> = rows.schema().fields().iter().map(|field| field.as_ref().clone()).collect();
    fields.push(Field::new(OVERLAP_COLUMN, DataType::Boolean, false));
    let mut columns = rows.columns().to_vec();
    columns.push(Arc::new(BooleanArray::from(vec![mark; rows.num_rows()])));
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options).map_err(internal)
}
