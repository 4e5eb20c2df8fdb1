//! Writes CSV: a header, canonical texts, NULL bare and everything that needs it in quotes.

use std::io::Write as _;

use arrow_array::{Array, RecordBatch};
use arrow_schema::SchemaRef;
use levada_core::error::{Context, Result};

use super::Dialect;
use crate::files::format::compress::{Compression, Finish};
use crate::files::format::{BUFFER_BYTES_KEPT, FileWriter, Sink, values::TextWriter};

/// A CSV file being written.
pub struct CsvWriter {
    out: Box<dyn Finish>,
    dialect: Dialect,
    lines: Vec<u8>,
    value: String,
    written: u64,
}

impl CsvWriter {
    /// Starts a file with its header.
    pub fn new(sink: Sink, schema: &SchemaRef, dialect: Dialect, compression: Compression) -> Result<Self> {
        let out = compression.writer(sink)?;
        let mut writer = Self { out, dialect, lines: Vec::new(), value: String::new(), written: 0 };
        if writer.dialect.header {
            for (index, field) in schema.fields().iter().enumerate() {
                if index > 0 {
                    writer.lines.push(writer.dialect.delimiter);
                }
                quote_if_needed(&mut writer.lines, field.name(), &writer.dialect);
            }
            writer.lines.push(b'\n');
            writer.send()?;
        }
        Ok(writer)
    }

    fn send(&mut self) -> Result<()> {
        self.out.write_all(&self.lines).at("csv")?;
        self.written += self.lines.len() as u64;
        self.lines.clear();
        self.lines.shrink_to(BUFFER_BYTES_KEPT);
        self.value.shrink_to(BUFFER_BYTES_KEPT);
        Ok(())
    }
}

/// Whether a text would not read back as itself without quotes.
fn needs_quotes(text: &str, dialect: &Dialect) -> bool {
    let special = |byte: &u8| *byte == dialect.delimiter || *byte == dialect.quote || matches!(byte, b'\n' | b'\r');
    text.is_empty() || text == dialect.null || text == "\\." || text.as_bytes().iter().any(special)
}

fn quote_if_needed(out: &mut Vec<u8>, text: &str, dialect: &Dialect) {
    if !needs_quotes(text, dialect) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    out.push(dialect.quote);
    let mut rest = text.as_bytes();
    while let Some(found) = memchr::memchr(dialect.quote, rest) {
        out.extend_from_slice(&rest[..=found]);
        out.push(dialect.quote);
        rest = &rest[found + 1..];
    }
    out.extend_from_slice(rest);
    out.push(dialect.quote);
}

impl FileWriter for CsvWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns: Vec<TextWriter<'_>> = batch.columns().iter().map(|c| TextWriter::new(c.as_ref())).collect();
        for row in 0..batch.num_rows() {
            for (index, column) in columns.iter().enumerate() {
                if index > 0 {
                    self.lines.push(self.dialect.delimiter);
                }
                if batch.column(index).is_null(row) {
                    self.lines.extend_from_slice(self.dialect.null.as_bytes());
                } else if let Some(text) = column.text(row) {
                    quote_if_needed(&mut self.lines, text, &self.dialect);
                } else {
                    self.value.clear();
                    column.write(&mut self.value, row);
                    quote_if_needed(&mut self.lines, &self.value, &self.dialect);
                }
            }
            self.lines.push(b'\n');
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
        self.send()?;
        self.out.finish().at("csv")
    }
}
