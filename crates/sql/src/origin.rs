//! Which column of a stream a column of the result is, unchanged: only such a one keeps its native type.

use arrow_schema::FieldRef;
use datafusion::common::JoinType;
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan};

/// The column that a plan hands on at a place, or `None` for one that was made.
pub(crate) fn of(plan: &LogicalPlan, at: usize) -> Option<FieldRef> {
    use LogicalPlan as P;
    match plan {
        P::TableScan(scan) => Some(scan.projected_schema.field(at).clone()),
        P::Filter(node) => of(&node.input, at),
        P::Sort(node) => of(&node.input, at),
        P::Limit(node) => of(&node.input, at),
        P::SubqueryAlias(node) => of(&node.input, at),
        P::Distinct(Distinct::All(input)) => of(input, at),
        P::Projection(node) => expression(&node.input, node.expr.get(at)?),
        P::Aggregate(node) => expression(&node.input, node.group_expr.get(at)?),
        P::Window(node) if at < node.input.schema().fields().len() => of(&node.input, at),
        P::Union(node) => {
            let mut all = node.inputs.iter().map(|input| of(input, at));
            let first = all.next()??;
            let same =
                |other: &FieldRef| other.data_type() == first.data_type() && other.metadata() == first.metadata();
            all.all(|other| other.as_ref().is_some_and(same)).then_some(first)
        }
        P::Join(node) => {
            let left = node.left.schema().fields().len();
            match node.join_type {
                JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full if at >= left => {
                    of(&node.right, at - left)
                }
                JoinType::RightSemi | JoinType::RightAnti => of(&node.right, at),
                JoinType::LeftMark | JoinType::RightMark => None,
                _ => of(&node.left, at),
            }
        }
        _ => None,
    }
}

fn expression(input: &LogicalPlan, expr: &Expr) -> Option<FieldRef> {
    match expr {
        Expr::Alias(alias) => expression(input, &alias.expr),
        Expr::Column(column) => of(input, input.schema().index_of_column(column).ok()?),
        _ => None,
    }
}
