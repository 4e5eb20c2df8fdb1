//! What a comparison means: checked and made explicit before DataFusion brings both sides to one type in its own way. It
//! would compare numbers as texts, round whole numbers, and take a time of day for an instant.

use arrow_schema::{DataType, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::{Between, BinaryExpr, Case, InList, InSubquery, Sort, WindowFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, Operator};
use datafusion::optimizer::AnalyzerRule;
use levada_core::builder::ColumnBuilder;
use levada_core::schema::{Logical, type_name};

use crate::{cast, fault, output};

/// The rule; it stands before DataFusion's own.
#[derive(Debug)]
pub(crate) struct Meaning;

impl AnalyzerRule for Meaning {
    fn name(&self) -> &str {
        "levada_meaning"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(node).map(|done| done.data)
    }
}

fn node(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let schema = merge_schema(&plan.inputs());
    if let LogicalPlan::Sort(sort) = &plan {
        ordered(&sort.expr, &schema)?;
    }
    let plan = match plan {
        LogicalPlan::Join(mut join) => {
            join.on = join.on.into_iter().map(|(l, r)| compare(l, r, &schema)).collect::<Result<_>>()?;
            LogicalPlan::Join(join)
        }
        other => other,
    };
    let names = NamePreserver::new(&plan);
    plan.map_expressions(|expr| {
        let name = names.save(&expr);
        let done = expr.transform_up(|expr| expression(expr, &schema))?;
        Ok(done.update_data(|expr| name.restore(expr)))
    })
}

fn expression(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    Ok(match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if compares(op) => {
            let (left, right) = compare(*left, *right, schema)?;
            Transformed::yes(Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right))))
        }
        Expr::Between(Between { expr, negated, low, high }) => {
            let (low_side, low) = compare((*expr).clone(), *low, schema)?;
            let (high_side, high) = compare(*expr, *high, schema)?;
            // two comparisons: each side may have to be seen as another type
            let (from, to, both) = match negated {
                false => (Operator::GtEq, Operator::LtEq, Operator::And),
                true => (Operator::Lt, Operator::Gt, Operator::Or),
            };
            let from = Expr::BinaryExpr(BinaryExpr::new(Box::new(low_side), from, Box::new(low)));
            let to = Expr::BinaryExpr(BinaryExpr::new(Box::new(high_side), to, Box::new(high)));
            Transformed::yes(Expr::BinaryExpr(BinaryExpr::new(Box::new(from), both, Box::new(to))))
        }
        Expr::InList(InList { expr, list, negated }) => in_list(*expr, list, negated, schema)?,
        Expr::InSubquery(InSubquery { expr, subquery, negated }) => {
            let field = subquery.subquery.schema().field(0).clone();
            same(&field_of(&expr, schema)?, &field, "IN")?;
            Transformed::no(Expr::InSubquery(InSubquery { expr, subquery, negated }))
        }
        Expr::Case(Case { expr: Some(operand), when_then_expr, else_expr }) => {
            let mut pairs = Vec::new();
            for (when, then) in when_then_expr {
                let (side, when) = compare((*operand).clone(), *when, schema)?;
                if side != *operand {
                    return Err(differ(&field_of(&operand, schema)?, &field_of(&when, schema)?));
                }
                pairs.push((Box::new(when), then));
            }
            Transformed::yes(Expr::Case(Case { expr: Some(operand), when_then_expr: pairs, else_expr }))
        }
        Expr::AggregateFunction(call) => {
            if matches!(call.func.name(), "min" | "max")
                && let Some(arg) = call.params.args.first()
            {
                has_order(&field_of(arg, schema)?)?;
            }
            ordered(&call.params.order_by, schema)?;
            Transformed::no(Expr::AggregateFunction(call))
        }
        Expr::WindowFunction(call) => {
            window(&call, schema)?;
            Transformed::no(Expr::WindowFunction(call))
        }
        other => Transformed::no(other),
    })
}

fn window(call: &WindowFunction, schema: &DFSchema) -> Result<()> {
    if matches!(call.fun.name(), "min" | "max")
        && let Some(arg) = call.params.args.first()
    {
        has_order(&field_of(arg, schema)?)?;
    }
    ordered(&call.params.order_by, schema)
}

fn compares(op: Operator) -> bool {
    use Operator as O;
    matches!(op, O::Eq | O::NotEq | O::Lt | O::LtEq | O::Gt | O::GtEq | O::IsDistinctFrom | O::IsNotDistinctFrom)
}

fn in_list(expr: Expr, list: Vec<Expr>, negated: bool, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let mut sides = Vec::with_capacity(list.len());
    for item in list {
        let (side, item) = compare(expr.clone(), item, schema)?;
        if side != expr {
            return Err(differ(&field_of(&expr, schema)?, &field_of(&item, schema)?));
        }
        sides.push(item);
    }
    Ok(Transformed::yes(Expr::InList(InList { expr: Box::new(expr), list: sides, negated })))
}

/// What a comparison sees in a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Null,
    Boolean,
    /// Whole numbers that a double holds exactly.
    Small,
    /// Whole numbers and decimals.
    Exact,
    Float,
    Text,
    Bytes,
    Uuid,
    Date,
    Time,
    /// A time of day in no zone.
    Naive,
    Instant,
    Duration,
    Other,
}

fn kind(of: &DataType) -> Kind {
    use DataType as T;
    match output::canonical(of).as_ref().unwrap_or(of) {
        T::Null => Kind::Null,
        T::Boolean => Kind::Boolean,
        T::Int8 | T::Int16 | T::Int32 | T::UInt8 | T::UInt16 | T::UInt32 => Kind::Small,
        T::Int64 | T::UInt64 | T::Decimal128(..) | T::Decimal256(..) => Kind::Exact,
        T::Float32 | T::Float64 => Kind::Float,
        T::Utf8 => Kind::Text,
        T::Binary => Kind::Bytes,
        T::FixedSizeBinary(16) => Kind::Uuid,
        T::Date32 => Kind::Date,
        T::Time64(_) => Kind::Time,
        T::Timestamp(_, None) => Kind::Naive,
        T::Timestamp(_, Some(_)) => Kind::Instant,
        T::Duration(_) => Kind::Duration,
        _ => Kind::Other,
    }
}

/// Both sides of a comparison, as they can be compared.
fn compare(left: Expr, right: Expr, schema: &DFSchema) -> Result<(Expr, Expr)> {
    use Kind as K;
    let (l, r) = (field_of(&left, schema)?, field_of(&right, schema)?);
    is_comparable(&l)?;
    is_comparable(&r)?;
    match (kind(l.data_type()), kind(r.data_type())) {
        (K::Other, _) | (_, K::Other) => Err(differ(&l, &r)),
        (K::Null, _) | (_, K::Null) => Ok((left, right)),
        (a, b) if a == b => Ok((left, right)),
        (K::Small | K::Exact, K::Small | K::Exact) => Ok((left, right)),
        (K::Float, K::Exact | K::Small) if is_constant(&right) => Ok((left, double(right)?)),
        (K::Exact | K::Small, K::Float) if is_constant(&left) => Ok((double(left)?, right)),
        (K::Float, K::Small) | (K::Small, K::Float) => Ok((left, right)),
        (K::Date, K::Naive | K::Instant) => Ok((as_type(left, r.data_type())?, right)),
        (K::Naive | K::Instant, K::Date) => Ok((left, as_type(right, l.data_type())?)),
        (K::Text, K::Date | K::Time | K::Naive | K::Instant | K::Duration | K::Uuid | K::Bytes) => {
            Ok((constant(left, &l, &r)?, right))
        }
        (K::Date | K::Time | K::Naive | K::Instant | K::Duration | K::Uuid | K::Bytes, K::Text) => {
            Ok((left, constant(right, &r, &l)?))
        }
        _ => Err(differ(&l, &r)),
    }
}

/// As [`compare`], where nothing can be changed.
fn same(left: &FieldRef, right: &FieldRef, _what: &str) -> Result<()> {
    use Kind as K;
    is_comparable(left)?;
    is_comparable(right)?;
    match (kind(left.data_type()), kind(right.data_type())) {
        (K::Other, _) | (_, K::Other) => Err(differ(left, right)),
        (a, b) if a == b => Ok(()),
        (K::Null, _) | (_, K::Null) => Ok(()),
        (K::Small | K::Exact, K::Small | K::Exact) | (K::Float, K::Small) | (K::Small, K::Float) => Ok(()),
        _ => Err(differ(left, right)),
    }
}

fn field_of(expr: &Expr, schema: &DFSchema) -> Result<FieldRef> {
    Ok(expr.to_field(schema)?.1)
}

fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(..) => true,
        Expr::Negative(inner) => is_constant(inner),
        Expr::Alias(alias) => is_constant(&alias.expr),
        _ => false,
    }
}

/// A number in the query as the double that is nearest to it: beside doubles it would become a decimal, and they with it.
fn double(expr: Expr) -> Result<Expr> {
    match expr {
        Expr::Negative(inner) => match double(*inner)? {
            Expr::Literal(ScalarValue::Float64(Some(value)), none) => {
                Ok(Expr::Literal(ScalarValue::Float64(Some(-value)), none))
            }
            other => Ok(Expr::Negative(Box::new(other))),
        },
        Expr::Literal(value, none) => {
            let text = levada_core::text::value(&value.to_array()?, 0);
            let number = text.and_then(|text| text.parse::<f64>().ok());
            Ok(Expr::Literal(ScalarValue::Float64(number), none))
        }
        other => Ok(other),
    }
}

fn as_type(expr: Expr, to: &DataType) -> Result<Expr> {
    Ok(cast::function(to.clone(), false).call(vec![expr]))
}

/// A text in the query as a value of the other side's type.
fn constant(expr: Expr, text: &FieldRef, other: &FieldRef) -> Result<Expr> {
    let Expr::Literal(literal, _) = &expr else { return Err(differ(text, other)) };
    let Some(Some(word)) = literal.try_as_str() else { return Err(differ(text, other)) };
    let Some(to) = output::canonical(other.data_type()) else { return Err(differ(text, other)) };
    let mut builder = ColumnBuilder::new(&to).map_err(fault::wrap)?;
    if let Err(reason) = builder.push_text(word) {
        let what = type_name(other);
        return Err(fault::config(
            format!("`{word}` {reason}, and is compared with a {what}"),
            format!("Write the text of a {what}, or CAST it."),
        ));
    }
    Ok(Expr::Literal(ScalarValue::try_from_array(&builder.finish(), 0)?, None))
}

/// A number that is carried as text compares as text: 9 after 10, and 1.0 unlike 1.
fn is_comparable(field: &FieldRef) -> Result<()> {
    if field.data_type().is_string() && Logical::of(field) == Some(Logical::Number) {
        return Err(fault::config(
            format!("column `{}` holds numbers of any size as text, which do not compare as numbers", field.name()),
            "CAST it where it is compared, ordered or added up: CAST(.. AS DECIMAL(38,10)).",
        ));
    }
    Ok(())
}

fn has_order(field: &FieldRef) -> Result<()> {
    is_comparable(field)
}

fn ordered(sorts: &[Sort], schema: &DFSchema) -> Result<()> {
    sorts.iter().try_for_each(|sort| has_order(&field_of(&sort.expr, schema)?))
}

fn differ(left: &FieldRef, right: &FieldRef) -> datafusion::common::DataFusionError {
    let (l, r) = (type_name(left), type_name(right));
    let zones = matches!(
        (kind(left.data_type()), kind(right.data_type())),
        (Kind::Naive, Kind::Instant) | (Kind::Instant, Kind::Naive)
    );
    let advice = if zones {
        "Say in which zone the timestamp is: ts AT TIME ZONE 'UTC'."
    } else {
        "Make both sides one type by CAST."
    };
    fault::config(format!("a value of type {l} is compared with one of type {r}"), advice)
}
