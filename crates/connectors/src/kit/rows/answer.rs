//! The answer to a report: columns from texts, within its limits.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema, SchemaRef};
use levada_core::builder::ColumnBuilder;
use levada_core::cast::quoted;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::rows::{Answer, ReportRequest};

/// Rows of one batch.
const BATCH_ROWS: usize = 8_192;

/// An answer under construction.
pub struct Builder {
    schema: SchemaRef,
    columns: Vec<ColumnBuilder>,
    batches: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
    rows_max: usize,
    bytes_max: usize,
}

impl Builder {
    /// An answer with these columns.
    ///
    /// # Errors
    /// `Internal` for a type that no column has.
    pub fn new(fields: Vec<Field>, request: &ReportRequest) -> Result<Self> {
        let columns = fields.iter().map(|field| ColumnBuilder::new(field.data_type())).collect::<Result<_>>()?;
        let (rows_max, bytes_max) = (request.rows_max, request.bytes_max);
        let schema = Arc::new(Schema::new(fields));
        Ok(Self { schema, columns, batches: Vec::new(), rows: 0, bytes: 0, rows_max, bytes_max })
    }

    /// Adds a row of texts.
    ///
    /// # Errors
    /// `Refused` where the answer becomes too large, `Data` for a value that its column cannot hold.
    pub fn push<'v>(&mut self, row: impl IntoIterator<Item = Option<std::borrow::Cow<'v, str>>>) -> Result<()> {
        for ((value, column), field) in row.into_iter().zip(&mut self.columns).zip(self.schema.fields()) {
            self.bytes += value.as_ref().map_or(1, |value| value.len() + 4);
            let Some(value) = value else {
                column.push_null();
                continue;
            };
            column.push_text(&value).map_err(|reason| {
                let message = format!("a value of `{}`: {} {reason}", field.name(), quoted(&value));
                Error::new(ErrorKind::Data, message).advise("Cast the column in the query: `CAST(.. AS ..)`.")
            })?;
        }
        self.rows += 1;
        if self.rows > self.rows_max || self.bytes > self.bytes_max {
            return Err(too_large(self.rows_max, self.bytes_max));
        }
        if self.rows.is_multiple_of(BATCH_ROWS) {
            self.flush()?;
        }
        Ok(())
    }

    /// The whole answer.
    ///
    /// # Errors
    /// `Internal`.
    pub fn done(mut self) -> Result<Answer> {
        self.flush()?;
        Ok(Answer { schema: self.schema, batches: self.batches })
    }

    fn flush(&mut self) -> Result<()> {
        let rows = self.columns.first().map_or(0, ColumnBuilder::len);
        if rows == 0 {
            return Ok(());
        }
        let columns = self.columns.iter_mut().map(ColumnBuilder::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
            .map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
        self.batches.push(batch);
        Ok(())
    }
}

/// The error of an answer that is too large.
fn too_large(rows_max: usize, bytes_max: usize) -> Error {
    let message = format!("the answer has more than {rows_max} rows or {} MB", bytes_max >> 20);
    Error::new(ErrorKind::Refused, message).advise("Ask for less, or raise `rows_max` of the report.")
}
