//! Rows as canonical texts: how tests build batches by hand and compare what came out of a system.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema, SchemaRef};
use levada_core::batch::{Batch, Data};
use levada_core::builder::ColumnBuilder;
use levada_core::cast::cast;
use levada_core::text;

/// One row: canonical text or NULL for each column.
pub type Row = Vec<Option<String>>;

/// A row from texts, `None` being NULL.
pub fn row(values: &[Option<&str>]) -> Row {
    values.iter().map(|value| value.map(str::to_owned)).collect()
}

/// A batch from rows of canonical text.
pub fn batch(schema: &SchemaRef, rows: &[Row]) -> RecordBatch {
    let columns = schema.fields().iter().enumerate().map(|(index, field)| {
        let mut builder = ColumnBuilder::new(field.data_type()).unwrap();
        for row in rows {
            match &row[index] {
                None => builder.push_null(),
                Some(value) => builder
                    .push_text(value)
                    .unwrap_or_else(|reason| panic!("column {}: `{value}` {reason}", field.name())),
            }
        }
        builder.finish()
    });
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    RecordBatch::try_new_with_options(schema.clone(), columns.collect(), &options).unwrap()
}

/// The rows of a batch.
pub fn of(batch: &RecordBatch) -> Vec<Row> {
    (0..batch.num_rows()).map(|row| batch.columns().iter().map(|c| text::value(c, row)).collect()).collect()
}

/// The rows of a batch after each column was cast to the type of the same name in `schema`, in the order of `schema`.
///
/// # Panics
/// If a column is missing or a value does not fit.
pub fn cast_to(batch: &RecordBatch, schema: &Schema) -> Vec<Row> {
    let columns: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| {
            let column = batch
                .column_by_name(field.name())
                .unwrap_or_else(|| panic!("column {} is missing in {:?}", field.name(), batch.schema()));
            let (column, bad) = cast(column, field.data_type()).unwrap();
            assert!(bad.is_empty(), "column {} ({}): {bad:?}", field.name(), field.data_type());
            column
        })
        .collect();
    (0..batch.num_rows()).map(|row| columns.iter().map(|c| text::value(c, row)).collect()).collect()
}

/// All rows of many batches, ordered, cast to `schema`.
///
/// # Panics
/// If a batch is raw or has rejects.
pub fn sorted(batches: &[Batch], schema: &Schema) -> Vec<Row> {
    let mut rows = Vec::new();
    for batch in batches {
        assert!(batch.rejects.is_empty(), "unexpected rejects: {:?}", batch.rejects);
        match &batch.data {
            Data::Arrow(batch) => rows.extend(cast_to(batch, schema)),
            Data::Raw(_) => panic!("raw rows where Arrow was asked for"),
        }
    }
    rows.sort();
    rows
}

/// A batch with its columns cast to those of `schema` (by name), and the rows that do not fit as rejects.
pub fn fit(source: &RecordBatch, schema: &SchemaRef) -> Batch {
    let mut rejects = std::collections::BTreeMap::new();
    let mut columns = Vec::new();
    for field in schema.fields() {
        let column = source.column_by_name(field.name()).unwrap_or_else(|| panic!("no column {}", field.name()));
        let (column, bad) = cast(column, field.data_type()).unwrap();
        for bad in bad {
            rejects.entry(bad.row).or_insert_with(|| levada_core::batch::Reject {
                row: text::row_json(source, bad.row),
                column: Some(field.name().clone()),
                reason: bad.reason,
            });
        }
        columns.push(column);
    }
    let keep: arrow_array::BooleanArray = (0..source.num_rows()).map(|row| Some(!rejects.contains_key(&row))).collect();
    let columns: Vec<_> = columns.iter().map(|c| arrow_select::filter::filter(c, &keep).unwrap()).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(source.num_rows() - rejects.len()));
    let nullable = || {
        let fields = schema.fields().iter().map(|f| Arc::new(f.as_ref().clone().with_nullable(true)));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    };
    let data = RecordBatch::try_new_with_options(schema.clone(), columns.clone(), &options)
        .unwrap_or_else(|_| RecordBatch::try_new_with_options(nullable(), columns, &options).unwrap());
    Batch { data: Data::Arrow(data), rejects: rejects.into_values().collect() }
}
