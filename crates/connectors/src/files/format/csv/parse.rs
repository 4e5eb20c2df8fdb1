//! Records into columns of whatever types are asked for. A record that cannot be read is rejected with its line and the
//! reason; the others go on.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::{DataType, SchemaRef};
use levada_core::batch::{Batch, Data, Reject};
use levada_core::builder::ColumnBuilder;
use levada_core::cast::quoted;
use levada_core::error::{Error, ErrorKind, Result};
use serde_json::{Map, Value};

use super::{Dialect, Field, record};
use crate::files::chunks::{Chunk, TooLong, newlines};
use crate::files::format::cells;

/// The columns of one file: its own names, where each goes, and the columns that its path gives.
#[derive(Debug, Clone, Default)]
pub struct FileColumns {
    /// The file's path, for messages.
    pub file: String,
    /// Names in the file's order.
    pub names: Vec<String>,
    /// For each of them the wanted column it fills.
    pub slots: Vec<Option<usize>>,
    /// Wanted columns whose value the path tells.
    pub constants: Vec<(usize, Option<String>)>,
}

/// Turns chunks into batches of the wanted columns.
pub struct Parser {
    wanted: SchemaRef,
    exact: Vec<bool>,
    dialect: Dialect,
    record_bytes_max: usize,
    columns: Vec<ColumnBuilder>,
    scratch: String,
    rows: usize,
    bad: Vec<usize>,
    rejects: Vec<Reject>,
}

/// Why a row is not taken, and the column at fault.
type Fault = (Option<usize>, String);

impl Parser {
    /// `exact` says for each wanted column whether its type was only guessed; longer records than `record_bytes_max` are
    /// rejected.
    pub fn new(wanted: SchemaRef, exact: Vec<bool>, dialect: Dialect, record_bytes_max: usize) -> Result<Self> {
        let columns = wanted.fields().iter().map(|f| ColumnBuilder::new(f.data_type())).collect::<Result<_>>()?;
        Ok(Self {
            wanted,
            exact,
            dialect,
            record_bytes_max,
            columns,
            scratch: String::new(),
            rows: 0,
            bad: Vec::new(),
            rejects: Vec::new(),
        })
    }

    /// Parses a chunk of a file.
    pub fn parse(&mut self, file: &FileColumns, chunk: &Chunk) -> Result<Batch> {
        match std::str::from_utf8(chunk.bytes()) {
            Ok(text) => self.records(file, text, chunk.line),
            Err(_) => self.each_record(file, chunk),
        }
        self.finish(file)
    }

    /// A chunk with invalid UTF-8 somewhere: record by record, so that only the rows concerned are lost.
    fn each_record(&mut self, file: &FileColumns, chunk: &Chunk) {
        use crate::files::chunks::Cutter;
        let (mut at, mut line) = (0, chunk.line);
        while at < chunk.bytes().len() {
            let rest = &chunk.bytes()[at..];
            // A window keeps the search for one record's end from looking at all that follows.
            let (mut window, mut end) = (4096, None);
            while end.is_none() {
                let mut cutter = super::CsvCutter::new(&self.dialect);
                let seen = &rest[..window.min(rest.len())];
                cutter.scan(seen, seen.len() == rest.len());
                end = cutter.ends().map(|(first, _)| first).or((seen.len() == rest.len()).then_some(rest.len()));
                window *= 8;
            }
            let one = &rest[..end.unwrap_or(rest.len())];
            match std::str::from_utf8(one) {
                _ if one.len() > self.record_bytes_max => self.rejects.push(self.too_long(file, one, line)),
                Ok(text) => self.records(file, text, line),
                Err(_) => self.rejects.push(Reject {
                    row: self.row_json(file, &String::from_utf8_lossy(one)),
                    column: None,
                    reason: format!("{} line {line}: the row is not UTF-8 (perhaps `csv.encoding: latin1`)", file.file),
                }),
            }
            line += newlines(one);
            at += one.len();
        }
    }

    fn records(&mut self, file: &FileColumns, text: &str, first_line: u64) {
        let bytes = text.as_bytes();
        let (mut at, mut line, mut counted) = (0, first_line, 0);
        let expected = file.names.len();
        while at < bytes.len() {
            if expected != 1 && (bytes[at] == b'\n' || bytes[at..].starts_with(b"\r\n")) {
                at += if bytes[at] == b'\n' { 1 } else { 2 };
                continue;
            }
            let start = at;
            let (next, fault) = self.row(file, text, at);
            at = next;
            let is_too_long = at - start > self.record_bytes_max;
            if fault.is_some() || is_too_long {
                line += newlines(&bytes[counted..start]);
                counted = start;
                self.bad.push(self.rows);
                self.rejects.push(match fault {
                    Some((column, reason)) if !is_too_long => Reject {
                        row: self.row_json(file, &text[start..at]),
                        column: column.map(|c| self.wanted.field(c).name().clone()),
                        reason: format!("{} line {line}: {reason}", file.file),
                    },
                    _ => self.too_long(file, &bytes[start..at], line),
                });
            }
            self.rows += 1;
        }
    }

    /// Appends one row; after a fault its columns are NULL from there on.
    #[inline]
    fn row(&mut self, file: &FileColumns, text: &str, at: usize) -> (usize, Option<Fault>) {
        let mut fault: Option<Fault> = None;
        let (columns, exact, null) = (&mut self.columns, &self.exact, self.dialect.null.as_str());
        let shape = record(text, at, &self.dialect, &mut self.scratch, |index, field| {
            let Some(Some(slot)) = file.slots.get(index) else { return };
            let column = &mut columns[*slot];
            let value = match field {
                Field::Bare(value) if value == null => return column.push_null(),
                Field::Bare(value) | Field::Quoted(value) => value,
            };
            if fault.is_some() {
                column.push_null();
            } else if let Err(reason) = cells::push(column, value, exact[*slot]) {
                fault = Some((Some(*slot), format!("{} {reason}", quoted(value))));
                column.push_null();
            }
        });
        let expected = file.names.len();
        if shape.fields != expected {
            for slot in file.slots.iter().skip(shape.fields).flatten() {
                self.columns[*slot].push_null();
            }
            let fields = if shape.fields == 1 { "field" } else { "fields" };
            fault = Some((None, format!("the row has {} {fields} where {expected} are expected", shape.fields)));
        } else if shape.broken {
            fault = Some((None, "text follows a closing quote".to_owned()));
        }
        (shape.next, fault)
    }

    fn too_long(&self, file: &FileColumns, record: &[u8], line: u64) -> Reject {
        let start = record[..record.len().min(TooLong::SHOWN_BYTES)].to_vec();
        TooLong { line, start }.reject(&file.file, self.record_bytes_max)
    }

    fn row_json(&self, file: &FileColumns, text: &str) -> String {
        let mut object = Map::new();
        record(text, 0, &self.dialect, &mut String::new(), |index, field| {
            let name = file.names.get(index).cloned().unwrap_or_else(|| format!("column_{}", index + 1));
            let value = match field {
                Field::Bare(value) if value == self.dialect.null => Value::Null,
                Field::Bare(value) | Field::Quoted(value) => Value::from(value),
            };
            object.insert(name, value);
        });
        Value::Object(object).to_string()
    }

    fn finish(&mut self, file: &FileColumns) -> Result<Batch> {
        let rows = std::mem::take(&mut self.rows);
        let batch = assemble(&self.wanted, &mut self.columns, rows, &file.constants, &std::mem::take(&mut self.bad))?;
        Ok(Batch { data: Data::Arrow(batch), rejects: std::mem::take(&mut self.rejects) })
    }
}

/// The finished columns as a batch: those the file lacks are NULL, those its path tells are constant, bad rows are left
/// out.
pub fn assemble(
    wanted: &SchemaRef,
    columns: &mut [ColumnBuilder],
    rows: usize,
    constants: &[(usize, Option<String>)],
    bad: &[usize],
) -> Result<RecordBatch> {
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(columns.len());
    for (index, column) in columns.iter_mut().enumerate() {
        let data_type = wanted.field(index).data_type();
        let constant = constants.iter().find(|(at, _)| *at == index);
        arrays.push(match constant {
            Some((_, value)) => constant_column(data_type, value.as_deref(), rows)?,
            None if column.len() == rows => column.finish(),
            None => {
                column.finish();
                new_null_array(data_type, rows)
            }
        });
    }
    // Whether a column is NULL-free is not known before all is read.
    let fields = wanted.fields().iter().zip(&arrays).map(|(field, array)| {
        if array.null_count() > 0 { Arc::new(field.as_ref().clone().with_nullable(true)) } else { field.clone() }
    });
    let schema: SchemaRef = Arc::new(arrow_schema::Schema::new(fields.collect::<Vec<_>>()));
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let internal = |error: arrow_schema::ArrowError| Error::new(ErrorKind::Internal, error.to_string());
    let batch = RecordBatch::try_new_with_options(schema, arrays, &options).map_err(internal)?;
    if bad.is_empty() {
        return Ok(batch);
    }
    let mut keep = vec![true; rows];
    for row in bad {
        keep[*row] = false;
    }
    arrow_select::filter::filter_record_batch(&batch, &BooleanArray::from(keep)).map_err(internal)
}

/// A column with one value in every row.
pub fn constant_column(data_type: &DataType, value: Option<&str>, rows: usize) -> Result<ArrayRef> {
    let mut column = ColumnBuilder::new(data_type)?;
    for _ in 0..rows {
        match value {
            None => column.push_null(),
            Some(value) => cells::push(&mut column, value, false).map_err(|reason| {
                Error::new(ErrorKind::Data, format!("{} in a folder's name {reason}", quoted(value)))
            })?,
        }
    }
    Ok(column.finish())
}
