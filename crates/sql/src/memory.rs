//! What operators of DataFusion do not do by themselves: a window over whole partitions keeps all of its input without counting
//! it, and joins work on for as long as there are rows, without letting others have their thread or being stopped.

use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
    SendableRecordBatchStream,
};
use futures_util::{TryStreamExt, stream};

const JOINS: &[&str] = &["HashJoinExec", "CrossJoinExec", "NestedLoopJoinExec", "SortMergeJoinExec"];

/// A join without an equality compares a batch with the whole other side before it pauses: so few rows are one of its batches.
/// DataFusion takes many rows of the other side at once then.
const NESTED_ROWS: usize = 8;

/// Puts a counter before every such window of a finished plan, and pauses around joins.
///
/// # Errors
/// None that a plan can cause.
pub(crate) fn counted(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let done = plan.transform_up(|node| {
        let (window, join) = (node.name() == "WindowAggExec", JOINS.contains(&node.name()));
        if !window && !join {
            return Ok(Transformed::no(node));
        }
        let nested = node.name() == "NestedLoopJoinExec";
        // the left side is the one that is kept as a whole
        let rows = |side: usize| if nested && side == 1 { NESTED_ROWS } else { usize::MAX };
        let sides = node.children().into_iter().cloned().enumerate();
        let inputs = sides.map(|(side, input)| Arc::new(Counted::new(input, window, rows(side))) as _).collect();
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        let node = node.replace_children(inputs, options)?;
        let after = |node| Arc::new(Counted::new(node, false, usize::MAX)) as Arc<dyn ExecutionPlan>;
        Ok(Transformed::yes(if join { after(node) } else { node }))
    })?;
    Ok(done.data)
}

/// Hands on what it gets batch by batch, with a pause after each.
#[derive(Debug)]
struct Counted {
    input: Arc<dyn ExecutionPlan>,
    /// Whether memory stays reserved for all of it.
    keeps: bool,
    /// Rows of a batch at most.
    rows: usize,
    properties: Arc<PlanProperties>,
}

impl Counted {
    fn new(input: Arc<dyn ExecutionPlan>, keeps: bool, rows: usize) -> Self {
        let properties = input.properties().clone();
        Self { input, keeps, rows, properties }
    }
}

impl DisplayAs for Counted {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Counted")
    }
}

impl ExecutionPlan for Counted {
    fn name(&self) -> &str {
        "Counted"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match children.into_iter().next() {
            Some(input) => Ok(Arc::new(Self::new(input, self.keeps, self.rows))),
            None => Ok(self),
        }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let reservation = MemoryConsumer::new(format!("Window[{partition}]")).register(context.memory_pool());
        let input = self.input.execute(partition, context)?;
        let schema = input.schema();
        let (keeps, rows) = (self.keeps, self.rows);
        let pieces = input.map_ok(move |batch| {
            let all = batch.num_rows();
            let starts = (0..all.max(1)).step_by(rows.clamp(1, all.max(1)));
            stream::iter(starts.map(move |from| Ok::<_, DataFusionError>(batch.slice(from, rows.min(all - from)))))
        });
        let counted = pieces.try_flatten().and_then(move |batch| {
            let grown = if keeps { reservation.try_grow(batch.get_array_memory_size()) } else { Ok(()) };
            async move {
                tokio::task::yield_now().await;
                grown.map(|()| batch)
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, counted)))
    }
}
