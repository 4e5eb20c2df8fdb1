//! Raw streams: the answers of an endpoint as they came, one row for each, so that later loads can be made from them without
//! asking again.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use levada_core::builder::ColumnBuilder;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::schema::{field, timestamp_utc};
use levada_core::text::write_timestamp;

use super::page::Page;

/// Where the answer came from, without keys.
pub const URL: &str = "url";
/// Which page of its list it was, from 1.
pub const PAGE: &str = "page";
/// What its records have from the record above: a JSON object.
pub const ABOVE: &str = "above";
/// When it came.
pub const FETCHED_AT: &str = "fetched_at";
/// The answer, untouched.
pub const BODY: &str = "body";

/// The table that a raw stream goes into.
pub fn table(endpoint: &str) -> String {
    format!("raw_{}", endpoint.replace('/', "_"))
}

/// The columns of raw streams.
pub fn columns() -> Vec<Field> {
    let text = |name: &str| field(name, DataType::Utf8, false, "http:text", None);
    vec![
        text(URL),
        field(PAGE, DataType::Int64, false, "http:int64", None),
        field(ABOVE, DataType::Utf8, true, "http:text", None),
        field(FETCHED_AT, timestamp_utc(), false, "http:timestamptz", None),
        text(BODY),
    ]
}

/// One answer as a row of the wanted columns.
///
/// # Errors
/// `NotFound` for a column that raw streams do not have.
pub fn row(page: &Page, wanted: &SchemaRef) -> Result<RecordBatch> {
    let internal = |message: String| Error::new(ErrorKind::Internal, message);
    let mut arrays: Vec<ArrayRef> = Vec::new();
    for field in wanted.fields() {
        let value = match field.name().as_str() {
            URL => Some(page.url.clone()),
            PAGE => Some(page.number.to_string()),
            ABOVE => above(page),
            FETCHED_AT => {
                let mut text = String::new();
                write_timestamp(&mut text, page.fetched_us, true);
                Some(text)
            }
            BODY => Some(page.body().to_owned()),
            other => return Err(Error::new(ErrorKind::NotFound, format!("raw streams have no column `{other}`"))),
        };
        let mut column = ColumnBuilder::new(field.data_type())?;
        match value {
            Some(value) => {
                column.push_text(&value).map_err(|reason| internal(format!("`{}` {reason}", field.name())))?
            }
            None => column.push_null(),
        }
        arrays.push(column.finish());
    }
    let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(1));
    let schema = Arc::new(Schema::new(wanted.fields().clone()));
    RecordBatch::try_new_with_options(schema, arrays, &options).map_err(|error| internal(error.to_string()))
}

fn above(page: &Page) -> Option<String> {
    if page.inherited.is_empty() {
        return None;
    }
    // the values are JSON already, with all their digits
    let entries: Vec<String> =
        page.inherited.iter().map(|(name, raw)| format!("{}:{raw}", serde_json::Value::from(name.as_str()))).collect();
    Some(format!("{{{}}}", entries.join(",")))
}
