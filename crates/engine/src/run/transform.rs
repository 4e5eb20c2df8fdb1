//! One batch from the source's columns to the columns the destination wants: choose, hash, cast, rename, and take out
//! the rows that do not fit.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, SchemaRef};
use levada_core::batch::{Batch, Data, Reject};
use levada_core::cast::{Bad, cast};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::text;
use levada_core::transform::Transform;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// One column on its way.
#[derive(Debug, Clone)]
pub struct ColumnRule {
    /// Its index in the source's batch.
    pub input: usize,
    /// Its name at the source, for messages.
    pub source: String,
    /// Whether the value is replaced by its SHA-256.
    pub hash: bool,
    /// The type the user asked for, which comes before the destination's.
    pub cast: Option<DataType>,
    /// Whether a NULL is refused, because rows are matched by this column.
    pub required: bool,
}

/// Maps batches by one rule per output column.
pub struct Columns {
    rules: Vec<ColumnRule>,
    output: SchemaRef,
}

impl Columns {
    /// Rules for each column of `output`, in order.
    pub fn new(rules: Vec<ColumnRule>, output: SchemaRef) -> Self {
        Self { rules, output }
    }

    /// A row of the source without the values that are to be known by their hashes alone.
    fn shown(&self, row: &str) -> String {
        let mut row = serde_json::from_str::<Map<String, Value>>(row).unwrap_or_default();
        row.retain(|name, _| self.rules.iter().any(|rule| rule.source == *name && !rule.hash));
        Value::Object(row).to_string()
    }

    /// A row that the source could not read.
    fn unread(&self, reject: Reject) -> Reject {
        let Some(hashed) = self.rules.iter().find(|rule| rule.hash) else { return reject };
        let is_shown = |name: &String| self.rules.iter().any(|rule| rule.source == *name && !rule.hash);
        let reason = match reject.column.as_ref().is_some_and(is_shown) {
            true => reject.reason,
            false => {
                let hashed = &hashed.source;
                format!(
                    "the source cannot read the row; why is not told, as it might tell of `{hashed}`, which is hashed"
                )
            }
        };
        Reject { row: self.shown(&reject.row), column: reject.column, reason }
    }

    fn column(&self, rule: &ColumnRule, to: &DataType, batch: &RecordBatch) -> Result<(ArrayRef, Vec<Bad>)> {
        let mut column = batch.column(rule.input).clone();
        let mut bad = Vec::new();
        if rule.hash {
            column = sha256(&column);
        }
        for data_type in rule.cast.iter().chain([to]) {
            let (next, refused) = cast(&column, data_type)?;
            column = next;
            bad.extend(refused);
        }
        if rule.required && column.null_count() > 0 {
            let null = |row: &usize| column.is_null(*row) && bad.iter().all(|b| b.row != *row);
            let nulls: Vec<usize> = (0..column.len()).filter(null).collect();
            bad.extend(nulls.into_iter().map(|row| Bad { row, reason: "a key column is NULL".to_owned() }));
        }
        Ok((column, bad))
    }
}

impl Transform for Columns {
    fn output(&self) -> SchemaRef {
        self.output.clone()
    }

    fn apply(&self, batch: Batch) -> Result<Batch> {
        let Data::Arrow(rows) = batch.data else { return Ok(batch) };
        let mut rejects: Vec<Reject> = batch.rejects.into_iter().map(|reject| self.unread(reject)).collect();
        let mut columns = Vec::with_capacity(self.rules.len());
        let mut refused: Vec<(usize, &ColumnRule, String)> = Vec::new();
        for (rule, field) in self.rules.iter().zip(self.output.fields()) {
            let (column, bad) = self.column(rule, field.data_type(), &rows)?;
            columns.push(column);
            refused.extend(bad.into_iter().map(|bad| (bad.row, rule, bad.reason)));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        let schema = nullable_where_needed(&self.output, &columns);
        let mut mapped = RecordBatch::try_new_with_options(schema, columns, &options).map_err(internal)?;
        if !refused.is_empty() {
            refused.sort_by_key(|(row, ..)| *row);
            refused.dedup_by_key(|(row, ..)| *row);
            let mut keep = vec![true; rows.num_rows()];
            for (row, rule, reason) in refused {
                keep[row] = false;
                let whole = text::row_json(&rows, row);
                let row = if self.rules.iter().any(|rule| rule.hash) { self.shown(&whole) } else { whole };
                rejects.push(Reject { row, column: Some(rule.source.clone()), reason });
            }
            mapped = arrow_select::filter::filter_record_batch(&mapped, &BooleanArray::from(keep)).map_err(internal)?;
        }
        Ok(Batch { data: Data::Arrow(mapped), rejects })
    }
}

/// Bad values are NULL until their rows are taken out, so a NOT NULL column may hold some for a moment.
fn nullable_where_needed(schema: &SchemaRef, columns: &[ArrayRef]) -> SchemaRef {
    let clash =
        |(field, column): (&Arc<arrow_schema::Field>, &ArrayRef)| !field.is_nullable() && column.null_count() > 0;
    if !schema.fields().iter().zip(columns).any(clash) {
        return schema.clone();
    }
    let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect::<Vec<_>>();
    Arc::new(arrow_schema::Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// SHA-256 of the canonical text (of the bytes themselves for binary columns) as 64 lower-case hex digits.
fn sha256(column: &ArrayRef) -> ArrayRef {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let bytes = column.as_any().downcast_ref::<arrow_array::BinaryArray>();
    let mut builder = StringBuilder::with_capacity(column.len(), column.len() * 64);
    let mut value = String::new();
    for row in 0..column.len() {
        if column.is_null(row) {
            builder.append_null();
            continue;
        }
        let digest = if let Some(bytes) = bytes {
            Sha256::digest(bytes.value(row))
        } else {
            value.clear();
            text::write_value(&mut value, column, row);
            Sha256::digest(value.as_bytes())
        };
        let mut hex = String::with_capacity(64);
        for byte in digest {
            hex.push(char::from(HEX[usize::from(byte >> 4)]));
            hex.push(char::from(HEX[usize::from(byte & 15)]));
        }
        builder.append_value(hex);
    }
    Arc::new(builder.finish())
}

fn internal(error: arrow_schema::ArrowError) -> Error {
    Error::new(ErrorKind::Internal, error.to_string())
}
