//! What DataFusion made of the types, checked: where it changes a value's type by itself, no value may become another one;
//! and arithmetic that wraps around is replaced.

use arrow_schema::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion, TreeNodeVisitor};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::BinaryExpr;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};
use datafusion::optimizer::AnalyzerRule;
use levada_core::schema::type_name;

use crate::{arithmetic, fault, functions, output};

/// The rule; it stands after DataFusion's own.
#[derive(Debug)]
pub(crate) struct Exact;

impl AnalyzerRule for Exact {
    fn name(&self) -> &str {
        "levada_exact"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(node).map(|done| done.data)
    }
}

fn node(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    use LogicalPlan as P;
    match &plan {
        P::Projection(_) | P::Filter(_) | P::Window(_) | P::Aggregate(_) | P::Sort(_) | P::Join(_) | P::Union(_) => {}
        P::TableScan(_) | P::EmptyRelation(_) | P::Subquery(_) | P::SubqueryAlias(_) | P::Limit(_) => {}
        P::Values(_) | P::Distinct(_) => {}
        other => {
            return Err(fault::config(
                format!("a query cannot do this: {}", other.display()),
                "Write it in another way.",
            ));
        }
    }
    let schema = merge_schema(&plan.inputs());
    let names = NamePreserver::new(&plan);
    plan.map_expressions(|expr| {
        expr.visit(&mut Casts { schema: &schema, within: Vec::new() })?;
        let name = names.save(&expr);
        let done = expr.transform_up(|expr| replace(expr, &schema))?;
        Ok(done.update_data(|expr| name.restore(expr)))
    })
}

fn replace(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match &expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let (l, r) = (left.get_type(schema)?, right.get_type(schema)?);
            if !l.is_numeric() || !r.is_numeric() {
                return Ok(Transformed::no(expr));
            }
            let result = expr.get_type(schema)?;
            let Some(function) = arithmetic::checked(*op, &l, &r, &result) else { return Ok(Transformed::no(expr)) };
            let Expr::BinaryExpr(BinaryExpr { left, right, .. }) = expr else { return Ok(Transformed::no(expr)) };
            Ok(Transformed::yes(function.call(vec![*left, *right])))
        }
        Expr::Negative(inner) if !matches!(inner.as_ref(), Expr::Literal(..)) => {
            match arithmetic::negated(&inner.get_type(schema)?) {
                Some(function) => Ok(Transformed::yes(function.call(vec![(**inner).clone()]))),
                None => Ok(Transformed::no(expr)),
            }
        }
        _ => Ok(Transformed::no(expr)),
    }
}

/// Looks at every change of type that nobody asked for: those of the query are functions by now.
struct Casts<'a> {
    schema: &'a DFSchema,
    /// Whether each expression around gives rounded numbers anyway.
    within: Vec<bool>,
}

impl<'n> TreeNodeVisitor<'n> for Casts<'_> {
    type Node = Expr;

    fn f_down(&mut self, expr: &'n Expr) -> Result<TreeNodeRecursion> {
        let rounds = self.within.last().copied().unwrap_or_default();
        if let Expr::Cast(cast) = expr {
            let (_, from) = cast.expr.to_field(self.schema)?;
            let to = cast.field.data_type();
            let number = from.data_type().is_numeric() && to.is_floating();
            let literal = matches!(cast.expr.as_ref(), Expr::Literal(..));
            if !keeps(from.data_type(), to) && !(number && (rounds || literal)) {
                let to = type_name(&arrow_schema::Field::new("", output::canonical(to).unwrap_or(to.clone()), true));
                return Err(fault::config(
                    format!("a value of type {} would become a {to} here, without being asked", type_name(&from)),
                    format!("Write CAST(.. AS {}) where it is meant.", to.to_uppercase()),
                ));
            }
        }
        let name = match expr {
            Expr::ScalarFunction(call) => Some(call.func.name()),
            Expr::AggregateFunction(call) => Some(call.func.name()),
            Expr::WindowFunction(call) => Some(call.fun.name()),
            _ => None,
        };
        self.within.push(name.is_some_and(|name| functions::APPROXIMATE.contains(&name)));
        Ok(TreeNodeRecursion::Continue)
    }

    fn f_up(&mut self, _: &'n Expr) -> Result<TreeNodeRecursion> {
        self.within.pop();
        Ok(TreeNodeRecursion::Continue)
    }
}

/// Whether every value stays what it is, or is an error.
fn keeps(from: &DataType, to: &DataType) -> bool {
    use DataType as T;
    let plain = |t: &T| output::canonical(t);
    match (from, to) {
        (T::Null, _) => true,
        (a, b) if a == b || (plain(a).is_some() && plain(a) == plain(b)) => true,
        (a, b) if a.is_integer() && (b.is_integer() || b.is_decimal()) => true,
        (T::Decimal128(_, s) | T::Decimal256(_, s), T::Decimal128(_, t) | T::Decimal256(_, t)) => t >= s,
        (T::Int8 | T::Int16 | T::UInt8 | T::UInt16, T::Float32 | T::Float64) => true,
        (T::Int32 | T::UInt32 | T::Float32, T::Float64) => true,
        (T::Timestamp(a, from), T::Timestamp(b, to)) => from.is_some() == to.is_some() && b >= a,
        (T::Duration(a), T::Duration(b)) => b >= a,
        (T::Time64(a), T::Time64(b)) => b >= a,
        _ => false,
    }
}
