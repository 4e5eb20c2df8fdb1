//! Columns that are computed from the other columns of their row: expressions without anything around them, evaluated batch by
//! batch as the rows pass by.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema, SchemaRef};
use datafusion::arrow::compute::concat_batches;
use datafusion::common::{DFSchema, DataFusionError, Result as DfResult};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};
use levada_core::batch::Reject;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::text;

use crate::{fault, output};

/// What is done with each row of a stream.
pub(crate) struct RowPlan {
    /// The columns that are read, in this order.
    pub(crate) input: SchemaRef,
    /// The columns that come out.
    pub(crate) output: SchemaRef,
    /// Each computes all columns that the next one sees.
    stages: Vec<Vec<Arc<dyn PhysicalExpr>>>,
}

impl RowPlan {
    /// From the plan of a query over nothing but one stream.
    ///
    /// # Errors
    /// `Config` where a column is not made of its own row alone.
    pub(crate) fn of(plan: &LogicalPlan, output: SchemaRef, state: &SessionState) -> Result<Self> {
        let mut stages = VecDeque::new();
        let mut node = plan;
        loop {
            match node {
                LogicalPlan::Projection(projection) => {
                    stages.push_front(stage(&projection.expr, projection.input.schema(), state)?);
                    node = &projection.input;
                }
                LogicalPlan::TableScan(scan) if scan.filters.is_empty() && scan.fetch.is_none() => {
                    let input = Arc::new(scan.projected_schema.as_arrow().clone());
                    return Ok(Self { input, output, stages: stages.into() });
                }
                _ => {
                    return Err(Error::new(ErrorKind::Config, "an expression sees more than its own row")
                        .advise("Leave out aggregates, windows and subqueries; a `sql` task can have them."));
                }
            }
        }
    }

    /// The computed rows, and those for which that failed as rejects. Columns of `batch` behind those of `input` are handed on.
    ///
    /// # Errors
    /// What does not hang on the values.
    pub(crate) fn apply(&self, batch: &RecordBatch) -> Result<(RecordBatch, Vec<Reject>)> {
        let (mut done, mut rejects, mut parts) = (Vec::new(), Vec::new(), vec![batch.clone()]);
        while let Some(part) = parts.pop() {
            match self.evaluate(&part).map_err(|error| fault::told(&error, 0)) {
                Ok(rows) => done.push(rows),
                Err(error) if error.kind() != ErrorKind::Data => return Err(error),
                Err(error) if part.num_rows() == 1 => {
                    let row = text::row_json(&part, 0);
                    rejects.push(Reject { row, column: None, reason: error.message().to_owned() });
                }
                // those at fault are found by halves
                Err(_) => {
                    let half = part.num_rows() / 2;
                    parts.push(part.slice(half, part.num_rows() - half));
                    parts.push(part.slice(0, half));
                }
            }
        }
        let rows = match done.as_slice() {
            [one] => one.clone(),
            _ => concat_batches(&self.with_more(batch), &done).map_err(internal)?,
        };
        Ok((rows, rejects))
    }

    fn evaluate(&self, batch: &RecordBatch) -> DfResult<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let own = self.input.fields().len();
        let mut rows =
            RecordBatch::try_new_with_options(self.input.clone(), batch.columns()[..own].to_vec(), &options)?;
        for stage in &self.stages {
            let columns = stage.iter().map(|expr| expr.evaluate(&rows)?.into_array(rows.num_rows()));
            let columns = columns.collect::<DfResult<Vec<ArrayRef>>>()?;
            let fields = columns
                .iter()
                .enumerate()
                .map(|(at, column)| Field::new(format!("c{at}"), column.data_type().clone(), true));
            let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
            rows = RecordBatch::try_new_with_options(schema, columns, &options)?;
        }
        let computed = rows.columns().iter().map(output::to_canonical).collect::<DfResult<Vec<_>>>()?;
        let columns = computed.into_iter().chain(batch.columns()[own..].iter().cloned()).collect();
        Ok(RecordBatch::try_new_with_options(self.with_more(batch), columns, &options)?)
    }

    /// The columns that come out, and those of a batch that are handed on.
    fn with_more(&self, batch: &RecordBatch) -> SchemaRef {
        let more = &batch.schema_ref().fields()[self.input.fields().len()..];
        if more.is_empty() {
            return self.output.clone();
        }
        Arc::new(Schema::new(self.output.fields().iter().chain(more).cloned().collect::<Vec<_>>()))
    }
}

fn stage(exprs: &[Expr], schema: &DFSchema, state: &SessionState) -> Result<Vec<Arc<dyn PhysicalExpr>>> {
    let made = exprs.iter().map(|expr| create_physical_expr(expr, schema, state.execution_props()));
    made.collect::<DfResult<_>>().map_err(|error| fault::told(&error, 0))
}

fn internal(error: impl Into<DataFusionError>) -> Error {
    Error::new(ErrorKind::Internal, error.into().strip_backtrace())
}
