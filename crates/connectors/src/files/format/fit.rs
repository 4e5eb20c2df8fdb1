//! The last step of reading a self-describing file: the columns a file has become the columns that were asked for, and
//! rows with a value that cannot be carried become rejects.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use levada_core::batch::{Batch, Data, Reject};
use levada_core::cast::cast;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::text;

/// Rows of a file that cannot be carried, with the column at fault and the reason; the first finding of a row counts.
pub(super) type BadRows = BTreeMap<usize, (String, String)>;

/// Makes a batch of the wanted columns. `found` has one entry per wanted column: the file's values in any type of the
/// closed set, or `None` where the file has no such column, which is NULL in every row.
///
/// # Errors
/// `Internal` for a type outside the closed set.
pub(super) fn fit(wanted: &SchemaRef, found: &[Option<ArrayRef>], rows: usize, mut bad: BadRows) -> Result<Batch> {
    let mut columns = Vec::with_capacity(found.len());
    for (field, column) in wanted.fields().iter().zip(found) {
        let column = match column {
            None => new_null_array(field.data_type(), rows),
            Some(column) => {
                let (column, unfit) = cast(column, field.data_type())?;
                for one in unfit {
                    bad.entry(one.row).or_insert_with(|| (field.name().clone(), one.reason));
                }
                column
            }
        };
        if !field.is_nullable() && column.null_count() > 0 {
            for row in (0..rows).filter(|row| column.is_null(*row)) {
                let reason = || "NULL in a column that is declared as never NULL".to_owned();
                bad.entry(row).or_insert_with(|| (field.name().clone(), reason()));
            }
        }
        columns.push(column);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    if bad.is_empty() {
        let batch = RecordBatch::try_new_with_options(wanted.clone(), columns, &options).map_err(internal)?;
        return Ok(Batch::arrow(batch));
    }
    let rejects = rejects(wanted, found, rows, &bad)?;
    let good = BooleanArray::from_iter((0..rows).map(|row| Some(!bad.contains_key(&row))));
    let kept = columns
        .iter()
        .map(|column| arrow_select::filter::filter(column, &good))
        .collect::<Result<Vec<_>, _>>()
        .map_err(internal)?;
    let options = options.with_row_count(Some(rows - bad.len()));
    let batch = RecordBatch::try_new_with_options(wanted.clone(), kept, &options).map_err(internal)?;
    Ok(Batch { data: Data::Arrow(batch), rejects })
}

/// The bad rows as the file has them.
fn rejects(wanted: &SchemaRef, found: &[Option<ArrayRef>], rows: usize, bad: &BadRows) -> Result<Vec<Reject>> {
    let columns: Vec<ArrayRef> =
        found.iter().map(|c| c.clone().unwrap_or_else(|| new_null_array(&DataType::Utf8, rows))).collect();
    let fields: Vec<Field> = wanted
        .fields()
        .iter()
        .zip(&columns)
        .map(|(field, column)| Field::new(field.name(), column.data_type().clone(), true))
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let batch =
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options).map_err(internal)?;
    Ok(bad
        .iter()
        .map(|(row, (column, reason))| Reject {
            row: text::row_json(&batch, *row),
            column: Some(column.clone()),
            reason: reason.clone(),
        })
        .collect())
}

fn internal(error: arrow_schema::ArrowError) -> Error {
    Error::new(ErrorKind::Internal, format!("columns do not make a batch: {error}"))
}
