//! Columns that are computed from the other columns of their row: expressions without anything around them, evaluated batch by
//! batch as the rows pass by. What the quarantine is given of a row is only what would have reached the target as it is.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema, SchemaRef};
use datafusion::arrow::compute::concat_batches;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, DataFusionError, Result as DfResult};
use datafusion::execution::SessionState;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};
use levada_core::batch::Reject;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::text;
use serde_json::{Map, Value};

use crate::{fault, output};

/// What is done with each row of a stream.
pub(crate) struct RowPlan {
    /// The columns that are read, in this order.
    pub(crate) input: SchemaRef,
    /// The columns that come out.
    pub(crate) output: SchemaRef,
    /// Each computes all columns that the next one sees.
    stages: Vec<Vec<Step>>,
    /// Those of `input` that come out as they are.
    shown: BTreeSet<usize>,
    /// Whether columns of the stream come out as others, read or not.
    pub(crate) replaces: bool,
}

/// One column of a stage.
struct Step {
    expr: Arc<dyn PhysicalExpr>,
    /// The columns before it that it is made from.
    reads: BTreeSet<usize>,
    /// Whether it is one of them as it is.
    is_copy: bool,
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
                    let mut plan =
                        Self { input, output, stages: stages.into(), shown: BTreeSet::new(), replaces: false };
                    let columns = 0..plan.output.fields().len();
                    plan.shown = columns.filter_map(|at| plan.copied(at)).collect();
                    return Ok(plan);
                }
                _ => {
                    return Err(Error::new(ErrorKind::Config, "an expression sees more than its own row")
                        .advise("Leave out aggregates, windows and subqueries; a `sql` task can have them."));
                }
            }
        }
    }

    /// The column of `input` that a column of `output` is, if nothing was done to it.
    fn copied(&self, at: usize) -> Option<usize> {
        self.stages.iter().rev().try_fold(at, |at, stage| {
            let step = stage.get(at).filter(|step| step.is_copy)?;
            step.reads.first().copied()
        })
    }

    /// The columns of `input` that a column behind a number of stages is made from.
    fn made_from(&self, stages: usize, at: usize) -> BTreeSet<usize> {
        let before = self.stages[..stages].iter().rev();
        before.fold(BTreeSet::from([at]), |columns, stage| {
            columns.iter().filter_map(|at| stage.get(*at)).flat_map(|step| step.reads.iter().copied()).collect()
        })
    }

    /// The computed rows, and those for which that failed as rejects. The columns of `batch` from `handed_on` on come out
    /// behind the others.
    ///
    /// # Errors
    /// What does not hang on the values.
    pub(crate) fn apply(&self, batch: &RecordBatch, handed_on: usize) -> Result<(RecordBatch, Vec<Reject>)> {
        let schema = self.with_more(batch, handed_on);
        if batch.num_rows() == 0 {
            return Ok((RecordBatch::new_empty(schema), Vec::new()));
        }
        let (mut done, mut rejects, mut parts) = (Vec::new(), Vec::new(), vec![batch.clone()]);
        while let Some(part) = parts.pop() {
            match self.evaluate(&part, handed_on, &schema).map_err(|error| fault::told(&error, 0)) {
                Ok(rows) => done.push(rows),
                Err(error) if error.kind() != ErrorKind::Data => return Err(error),
                Err(error) if part.num_rows() == 1 => rejects.push(self.reject(&part, &error)),
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
            _ => concat_batches(&schema, &done).map_err(internal)?,
        };
        Ok((rows, rejects))
    }

    fn own(&self, batch: &RecordBatch) -> DfResult<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let columns = batch.columns()[..self.input.fields().len()].to_vec();
        Ok(RecordBatch::try_new_with_options(self.input.clone(), columns, &options)?)
    }

    fn evaluate(&self, batch: &RecordBatch, handed_on: usize, schema: &SchemaRef) -> DfResult<RecordBatch> {
        let mut rows = self.own(batch)?;
        for stage in &self.stages {
            let columns = stage.iter().map(|step| step.expr.evaluate(&rows)?.into_array(rows.num_rows()));
            rows = between(columns.collect::<DfResult<_>>()?, rows.num_rows())?;
        }
        let computed = rows.columns().iter().map(output::to_canonical).collect::<DfResult<Vec<_>>>()?;
        let columns = computed.into_iter().chain(batch.columns()[handed_on..].iter().cloned()).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
    }

    /// The columns that come out, and those of a batch that are handed on.
    fn with_more(&self, batch: &RecordBatch, handed_on: usize) -> SchemaRef {
        let more = &batch.schema_ref().fields()[handed_on..];
        if more.is_empty() {
            return self.output.clone();
        }
        Arc::new(Schema::new(self.output.fields().iter().chain(more).cloned().collect::<Vec<_>>()))
    }

    /// A row for which an expression failed. What the error says may hold values that nobody is to see.
    fn reject(&self, row: &RecordBatch, error: &Error) -> Reject {
        let (column, reads) = self.at_fault(row).unzip();
        let hidden = reads.map_or_else(|| self.hidden().next(), |reads| self.hidden().find(|at| reads.contains(at)));
        let name = column.map(|at| self.output.field(at).name().clone());
        let reason = match (hidden, &name) {
            (None, _) => error.message().to_owned(),
            (Some(at), Some(name)) => {
                let hidden = self.input.field(at).name();
                format!("`{name}` cannot be computed from the row; why is not told, as it might tell of `{hidden}`")
            }
            (Some(_), None) => "the columns of `transform` cannot be computed from the row".to_owned(),
        };
        let shown: Vec<usize> = self.shown.iter().copied().collect();
        let row = row.project(&shown).map_or_else(|_| "{}".to_owned(), |row| text::row_json(&row, 0));
        Reject { row, column: name, reason }
    }

    /// The column of `output` that cannot be computed of this row, and the columns of `input` that what fails reads.
    fn at_fault(&self, row: &RecordBatch) -> Option<(usize, BTreeSet<usize>)> {
        let mut rows = self.own(row).ok()?;
        for (before, stage) in self.stages.iter().enumerate() {
            let columns = stage.iter().map(|step| step.expr.evaluate(&rows)?.into_array(1)).collect::<Vec<_>>();
            if let Some(at) = columns.iter().position(DfResult::is_err) {
                let reads = stage[at].reads.iter().flat_map(|column| self.made_from(before, *column)).collect();
                let above = &self.stages[before + 1..];
                let column =
                    above.iter().try_fold(at, |at, stage| stage.iter().position(|step| step.reads.contains(&at)));
                return Some((column?, reads));
            }
            rows = between(columns.into_iter().collect::<DfResult<_>>().ok()?, 1).ok()?;
        }
        let at = rows.columns().iter().position(|column| output::to_canonical(column).is_err())?;
        Some((at, self.made_from(self.stages.len(), at)))
    }

    /// The columns of `input` that do not come out as they are.
    fn hidden(&self) -> impl Iterator<Item = usize> {
        (0..self.input.fields().len()).filter(|at| !self.shown.contains(at))
    }

    /// A row that the source could not read, without what nobody is to see.
    pub(crate) fn shown(&self, reject: Reject) -> Reject {
        if !self.replaces && self.hidden().next().is_none() {
            return reject;
        }
        let is_shown = |name: &str| self.shown.iter().any(|at| self.input.field(*at).name() == name);
        let mut row = serde_json::from_str::<Map<String, Value>>(&reject.row).unwrap_or_default();
        row.retain(|name, _| is_shown(name));
        let reason = match &reject.column {
            Some(column) if is_shown(column) => reject.reason,
            _ => {
                "the source cannot read the row; why is not told, as it might tell of what `transform` hides".to_owned()
            }
        };
        Reject { row: Value::Object(row).to_string(), column: reject.column, reason }
    }
}

/// The columns that one stage hands to the next.
fn between(columns: Vec<ArrayRef>, rows: usize) -> DfResult<RecordBatch> {
    let field = |(at, column): (usize, &ArrayRef)| Field::new(format!("c{at}"), column.data_type().clone(), true);
    let schema = Schema::new(columns.iter().enumerate().map(field).collect::<Vec<_>>());
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(Arc::new(schema), columns, &options)?)
}

fn stage(exprs: &[Expr], schema: &DFSchema, state: &SessionState) -> Result<Vec<Step>> {
    let step = |expr: &Expr| {
        let mut reads = BTreeSet::new();
        expr.apply(|part| {
            if let Expr::Column(column) = part {
                reads.insert(schema.index_of_column(column)?);
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        let is_copy = matches!(expr.clone().unalias(), Expr::Column(_));
        let expr = create_physical_expr(expr, schema, state.execution_props(), &PhysicalPlanningContext::default())?;
        Ok(Step { expr, reads, is_copy })
    };
    exprs.iter().map(step).collect::<DfResult<_>>().map_err(|error| fault::told(&error, 0))
}

fn internal(error: impl Into<DataFusionError>) -> Error {
    Error::new(ErrorKind::Internal, error.into().strip_backtrace())
}
