//! Which columns of which streams the columns of a result were made from, by the plan of the query. What only chooses rows, or
//! puts them in order, makes no column.

use std::collections::{BTreeMap, HashMap};

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{JoinType, Result};
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan};
use levada_core::dataset::{ColumnEdge, Derivation};

use crate::cast;
use crate::masks::DIGESTS;

/// The columns that the columns of `plan` were made from, by the names of the streams; streams of which only rows were chosen
/// or counted are there without columns.
///
/// # Errors
/// None of a plan that DataFusion made.
pub(crate) fn of(plan: &LogicalPlan) -> Result<BTreeMap<String, Vec<ColumnEdge>>> {
    let mut found: BTreeMap<String, Vec<ColumnEdge>> = BTreeMap::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            found.entry(scan.table_name.to_string()).or_default();
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    let mut walk = Walk::default();
    for (at, field) in plan.schema().fields().iter().enumerate() {
        for ((stream, from), how) in walk.column(plan, at)? {
            found.entry(stream).or_default().push(ColumnEdge { from, to: field.name().clone(), how });
        }
    }
    Ok(found)
}

/// Columns of streams, each with what was done to it.
type Origins = BTreeMap<(String, String), Derivation>;

/// A way down a plan; what was found for a column of a node is kept, or a column that many others are made from would be
/// followed once for each of them.
#[derive(Default)]
struct Walk {
    known: HashMap<(*const LogicalPlan, usize), Origins>,
}

impl Walk {
    fn column(&mut self, plan: &LogicalPlan, at: usize) -> Result<Origins> {
        let key = (std::ptr::from_ref(plan), at);
        if let Some(known) = self.known.get(&key) {
            return Ok(known.clone());
        }
        let found = self.follow(plan, at)?;
        self.known.insert(key, found.clone());
        Ok(found)
    }

    fn follow(&mut self, plan: &LogicalPlan, at: usize) -> Result<Origins> {
        use LogicalPlan as P;
        match plan {
            P::TableScan(scan) => {
                let column = scan.projected_schema.field(at).name().clone();
                Ok(BTreeMap::from([((scan.table_name.to_string(), column), Derivation::Copied)]))
            }
            P::Filter(node) => self.column(&node.input, at),
            P::Sort(node) => self.column(&node.input, at),
            P::Limit(node) => self.column(&node.input, at),
            P::Repartition(node) => self.column(&node.input, at),
            P::SubqueryAlias(node) => self.column(&node.input, at),
            P::Distinct(Distinct::All(input)) => self.column(input, at),
            P::Projection(node) => self.expression(&node.input, node.expr.get(at)),
            P::Aggregate(node) => {
                let groups = node.group_expr.len();
                let expr = node.group_expr.get(at).or_else(|| node.aggr_expr.get(at.checked_sub(groups)?));
                self.expression(&node.input, expr)
            }
            P::Window(node) => match at.checked_sub(node.input.schema().fields().len()) {
                None => self.column(&node.input, at),
                Some(at) => self.expression(&node.input, node.window_expr.get(at)),
            },
            P::Union(node) => {
                let mut all = Origins::new();
                for input in &node.inputs {
                    merge(&mut all, self.column(input, at)?, Derivation::Copied);
                }
                Ok(all)
            }
            P::Join(node) => {
                let left = node.left.schema().fields().len();
                match node.join_type {
                    JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full if at >= left => {
                        self.column(&node.right, at - left)
                    }
                    JoinType::RightSemi | JoinType::RightAnti => self.column(&node.right, at),
                    // the mark says whether there is such a row
                    JoinType::LeftMark if at >= left => Ok(Origins::new()),
                    JoinType::RightMark => match node.right.schema().fields().len() {
                        right if at >= right => Ok(Origins::new()),
                        _ => self.column(&node.right, at),
                    },
                    _ => self.column(&node.left, at),
                }
            }
            // rather too much than too little
            other => {
                let mut all = Origins::new();
                for input in other.inputs() {
                    for at in 0..input.schema().fields().len() {
                        merge(&mut all, self.column(input, at)?, Derivation::Computed);
                    }
                }
                Ok(all)
            }
        }
    }

    fn expression(&mut self, input: &LogicalPlan, expr: Option<&Expr>) -> Result<Origins> {
        let mut all = Origins::new();
        let Some(expr) = expr else { return Ok(all) };
        let (whole, how) = step(expr);
        whole.apply(|expr| {
            match expr {
                Expr::Column(column) => {
                    let at = input.schema().index_of_column(column)?;
                    merge(&mut all, self.column(input, at)?, how);
                }
                Expr::ScalarSubquery(subquery) => {
                    merge(&mut all, self.column(&subquery.subquery, 0)?, Derivation::Computed);
                }
                _ => {}
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(all)
    }
}

/// What an expression does to the columns in it, and what is left to look at.
fn step(expr: &Expr) -> (&Expr, Derivation) {
    let is_column = |expr: &Expr| matches!(expr, Expr::Column(_));
    match expr {
        Expr::Alias(alias) => step(&alias.expr),
        Expr::Column(_) => (expr, Derivation::Copied),
        Expr::Cast(cast) if is_column(&cast.expr) => (expr, Derivation::Cast),
        Expr::ScalarFunction(call) if call.args.first().is_some_and(is_column) => match call.func.name() {
            name if cast::named(name).is_some() => (expr, Derivation::Cast),
            name if DIGESTS.contains(&name) => (expr, Derivation::Hashed),
            _ => (expr, Derivation::Computed),
        },
        _ => (expr, Derivation::Computed),
    }
}

/// Adds what was found a step further down; of two ways the one that changed more counts.
fn merge(into: &mut Origins, found: Origins, how: Derivation) {
    for (column, before) in found {
        let how = how.max(before);
        into.entry(column).and_modify(|known| *known = (*known).max(how)).or_insert(how);
    }
}
