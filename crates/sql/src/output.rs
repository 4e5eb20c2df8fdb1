//! From the types of DataFusion to those that travel between connectors.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::common::Result as DfResult;
use datafusion::logical_expr::LogicalPlan;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::schema::{UTC, is_canonical};

use crate::origin;

/// The type of the closed set that holds every value of a type, or `None`.
pub(crate) fn canonical(from: &DataType) -> Option<DataType> {
    use DataType as T;
    Some(match from {
        known if is_canonical(known) => known.clone(),
        T::Utf8View | T::LargeUtf8 => T::Utf8,
        T::BinaryView | T::LargeBinary => T::Binary,
        T::Dictionary(_, values) => return canonical(values),
        T::Decimal32(p, s) | T::Decimal64(p, s) => T::Decimal128(*p, *s),
        T::Duration(TimeUnit::Second | TimeUnit::Millisecond) => T::Duration(TimeUnit::Microsecond),
        T::Timestamp(TimeUnit::Second | TimeUnit::Millisecond, zone) if zone.as_deref().is_none_or(|z| z == UTC) => {
            T::Timestamp(TimeUnit::Microsecond, zone.clone())
        }
        T::Time32(_) => T::Time64(TimeUnit::Microsecond),
        _ => return None,
    })
}

/// A column with the type that [`canonical`] tells; values that do not fit are an error.
pub(crate) fn to_canonical(array: &ArrayRef) -> DfResult<ArrayRef> {
    match canonical(array.data_type()) {
        Some(to) if to != *array.data_type() => {
            Ok(cast_with_options(array, &to, &CastOptions { safe: false, ..CastOptions::default() })?)
        }
        _ => Ok(array.clone()),
    }
}

/// The columns that a query puts out, as a stream has them.
///
/// # Errors
/// `Config`, naming the column: for a name that is empty or there twice, and for a type that no column can have.
pub(crate) fn schema(plan: &LogicalPlan) -> Result<SchemaRef> {
    let planned = plan.schema().as_arrow();
    let mut fields: Vec<Field> = Vec::with_capacity(planned.fields().len());
    for (at, field) in planned.fields().iter().enumerate() {
        let name = field.name();
        if name.is_empty() {
            return Err(Error::new(ErrorKind::Config, format!("column {} of the query has no name", at + 1))
                .advise("Give it one: SELECT .. AS name."));
        }
        if fields.iter().any(|before| before.name() == name) {
            return Err(Error::new(ErrorKind::Config, format!("the query puts out two columns `{name}`"))
                .advise("Give one of them another name: SELECT .. AS other."));
        }
        let Some(data_type) = canonical(field.data_type()) else {
            let what = match field.data_type() {
                DataType::Null => "has no type: it is NULL alone".to_owned(),
                other => format!("is of a type that cannot be stored, {}", plain(other)),
            };
            return Err(Error::new(ErrorKind::Config, format!("column `{name}` of the query {what}"))
                .advise("Give it a type: CAST(.. AS TEXT), or another."));
        };
        // what an expression made of a column's values, or where they meet others, has no native type
        let origin = origin::of(plan, at).filter(|origin| *origin.data_type() == data_type);
        let metadata = origin.map(|origin| origin.metadata().clone()).unwrap_or_default();
        fields.push(Field::new(name, data_type, field.is_nullable()).with_metadata(metadata));
    }
    Ok(Arc::new(Schema::new(fields)))
}

fn plain(data_type: &DataType) -> String {
    match data_type {
        DataType::Interval(_) => "an interval".to_owned(),
        DataType::List(_) | DataType::LargeList(_) | DataType::ListView(_) => "a list".to_owned(),
        other => other.to_string().to_lowercase(),
    }
}

/// A batch of the query's output with the columns of `schema`, in its order.
pub(crate) fn batch(batch: &RecordBatch, schema: &SchemaRef) -> DfResult<RecordBatch> {
    let columns = batch.columns().iter().map(to_canonical).collect::<DfResult<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}
