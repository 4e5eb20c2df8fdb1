//! Writes JSON: one object per line, or an array of them. Numbers are numbers with all their digits, JSON columns stand
//! as they are, everything else is a string of its canonical text; NaN and the infinities are strings.

use std::io::Write as _;

use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, SchemaRef};
use levada_core::error::{Context, Result};
use levada_core::schema::Logical;
use serde_json::value::RawValue;

use crate::files::format::compress::{Compression, Finish};
use crate::files::format::values::TextWriter;
use crate::files::format::{BUFFER_BYTES_KEPT, FileWriter, Format, Sink};

#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Plain,
    NumberIfFinite,
    NumberIfValid,
    Json,
    Text,
}

/// Rows as JSON objects.
pub struct ObjectWriter {
    keys: Vec<String>,
    how: Vec<How>,
    value: String,
}

impl ObjectWriter {
    /// Of rows with these columns.
    pub fn new(schema: &SchemaRef) -> Self {
        use DataType as T;
        let how = schema.fields().iter().map(|field| match (field.data_type(), Logical::of(field)) {
            (T::Float32 | T::Float64, _) => How::NumberIfFinite,
            (T::Utf8, Some(Logical::Number)) => How::NumberIfValid,
            (T::Utf8, Some(Logical::Json)) => How::Json,
            (T::Boolean | T::Decimal128(..) | T::Decimal256(..), _) => How::Plain,
            (other, _) if other.is_integer() => How::Plain,
            _ => How::Text,
        });
        let keys = schema.fields().iter().map(|field| serde_json::Value::from(field.name().as_str()).to_string());
        Self { keys: keys.collect(), how: how.collect(), value: String::new() }
    }

    /// Appends one row.
    pub fn write(&mut self, out: &mut String, batch: &RecordBatch, columns: &[TextWriter<'_>], row: usize) {
        out.push('{');
        let mut first = true;
        for (index, column) in columns.iter().enumerate() {
            let null = batch.column(index).is_null(row);
            // A JSON column can hold the document `null`; its NULL is the missing key.
            if null && self.how[index] == How::Json {
                continue;
            }
            if !std::mem::take(&mut first) {
                out.push(',');
            }
            out.push_str(&self.keys[index]);
            out.push(':');
            if null {
                out.push_str("null");
                continue;
            }
            if let (How::Text, Some(text)) = (self.how[index], column.text(row)) {
                write_string(out, text);
                continue;
            }
            self.value.clear();
            column.write(&mut self.value, row);
            let raw = match self.how[index] {
                How::Plain => true,
                How::NumberIfFinite => !self.value.ends_with(['N', 'y']),
                How::NumberIfValid => {
                    self.value.starts_with(['-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
                        && is_json(&self.value)
                }
                How::Json => is_json(&self.value),
                How::Text => false,
            };
            if !raw {
                write_string(out, &self.value);
            } else if self.value.contains(['\n', '\r']) {
                // Line ends in JSON text stand between its parts only.
                out.extend(self.value.chars().map(|c| if matches!(c, '\n' | '\r') { ' ' } else { c }));
            } else {
                out.push_str(&self.value);
            }
        }
        out.push('}');
    }
}

/// A JSON or JSONL file being written.
pub struct JsonWriter {
    out: Box<dyn Finish>,
    objects: ObjectWriter,
    array: bool,
    rows: u64,
    lines: String,
    written: u64,
}

impl JsonWriter {
    /// Starts a file.
    pub fn new(sink: Sink, schema: &SchemaRef, format: Format, compression: Compression) -> Result<Self> {
        Ok(Self {
            out: compression.writer(sink)?,
            objects: ObjectWriter::new(schema),
            array: format == Format::Json,
            rows: 0,
            lines: String::new(),
            written: 0,
        })
    }

    fn send(&mut self) -> Result<()> {
        self.out.write_all(self.lines.as_bytes()).at("json")?;
        self.written += self.lines.len() as u64;
        self.lines.clear();
        self.lines.shrink_to(BUFFER_BYTES_KEPT);
        self.objects.value.shrink_to(BUFFER_BYTES_KEPT);
        Ok(())
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text).is_ok()
}

fn write_string(out: &mut String, text: &str) {
    use std::fmt::Write as _;
    out.push('"');
    let mut rest = text;
    while let Some(found) = rest.bytes().position(|byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
        out.push_str(&rest[..found]);
        let _ = match rest.as_bytes()[found] {
            b'"' => out.write_str("\\\""),
            b'\\' => out.write_str("\\\\"),
            b'\n' => out.write_str("\\n"),
            b'\r' => out.write_str("\\r"),
            b'\t' => out.write_str("\\t"),
            byte => write!(out, "\\u{byte:04x}"),
        };
        rest = &rest[found + 1..];
    }
    out.push_str(rest);
    out.push('"');
}

impl FileWriter for JsonWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let arrays = batch.columns().to_vec();
        let columns: Vec<TextWriter<'_>> = arrays.iter().map(|c| TextWriter::new(c.as_ref())).collect();
        for row in 0..batch.num_rows() {
            if self.array {
                self.lines.push_str(if self.rows == 0 { "[\n" } else { ",\n" });
            }
            self.objects.write(&mut self.lines, batch, &columns, row);
            if !self.array {
                self.lines.push('\n');
            }
            self.rows += 1;
            if self.lines.len() >= 256 << 10 {
                self.send()?;
            }
        }
        self.send()
    }

    fn size(&self) -> u64 {
        self.written
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        if self.array {
            self.lines.push_str(if self.rows == 0 { "[]\n" } else { "\n]\n" });
        }
        self.send()?;
        self.out.finish().at("json")
    }
}
