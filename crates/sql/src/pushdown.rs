//! Which parts of a WHERE a source can be told, so that it leaves out rows itself. Only what every system compares alike is: the
//! query looks at what comes back again.

use arrow_schema::{DataType, Field, Schema};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use levada_core::condition::{Comparison, Condition, Test};
use levada_core::schema::Logical;
use levada_core::text;

use crate::output;

/// Values that one condition may list.
const VALUES_MAX: usize = 1000;

/// The condition that a filter of a scan is, if a source can be told it.
pub(crate) fn condition(filter: &Expr, schema: &Schema) -> Option<Condition> {
    let (field, test) = match filter {
        Expr::IsNull(inner) => (column(inner, schema)?, Test::IsNull),
        Expr::IsNotNull(inner) => (column(inner, schema)?, Test::IsNotNull),
        Expr::BinaryExpr(BinaryExpr { op: Operator::Or, .. }) => {
            let mut equals = Vec::new();
            let field = one_of(filter, schema, &mut equals)?;
            (field, Test::OneOf(equals))
        }
        Expr::BinaryExpr(binary) => compare(binary, schema)?,
        Expr::InList(InList { expr, list, negated: false }) if list.len() <= VALUES_MAX => {
            let field = column(expr, schema)?;
            let values: Option<Vec<String>> = list.iter().map(|item| value(field, item)).collect();
            (field, Test::OneOf(values?))
        }
        _ => return None,
    };
    Some(Condition { column: field.name().clone(), test })
}

fn compare<'a>(binary: &BinaryExpr, schema: &'a Schema) -> Option<(&'a Field, Test)> {
    let (field, bound, turned) = match column(&binary.left, schema) {
        Some(field) => (field, &binary.right, false),
        None => (column(&binary.right, schema)?, &binary.left, true),
    };
    let comparison = match (binary.op, turned) {
        (Operator::Eq, _) => Comparison::Eq,
        (Operator::Lt, false) | (Operator::Gt, true) => Comparison::Lt,
        (Operator::LtEq, false) | (Operator::GtEq, true) => Comparison::Le,
        (Operator::Gt, false) | (Operator::Lt, true) => Comparison::Gt,
        (Operator::GtEq, false) | (Operator::LtEq, true) => Comparison::Ge,
        _ => return None,
    };
    Some((field, Test::Compare(comparison, value(field, bound)?)))
}

/// The column that all sides of a chain of ORs compare with a value, and the values.
fn one_of<'a>(filter: &Expr, schema: &'a Schema, values: &mut Vec<String>) -> Option<&'a Field> {
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let (left, right) = (one_of(left, schema, values)?, one_of(right, schema, values)?);
            (left.name() == right.name() && values.len() <= VALUES_MAX).then_some(left)
        }
        Expr::BinaryExpr(binary) if binary.op == Operator::Eq => match compare(binary, schema)? {
            (field, Test::Compare(_, value)) => {
                values.push(value);
                Some(field)
            }
            _ => None,
        },
        _ => None,
    }
}

/// The column that an expression is, seen as a wider number or not.
fn column<'a>(expr: &Expr, schema: &'a Schema) -> Option<&'a Field> {
    let is_exact = |of: &DataType| of.is_integer() || of.is_decimal();
    match expr {
        Expr::Column(column) => schema.field_with_name(&column.name).ok(),
        // a change of type that nobody asked for keeps every value
        Expr::Cast(cast) if is_exact(cast.field.data_type()) => {
            column(&cast.expr, schema).filter(|field| is_exact(field.data_type()))
        }
        _ => None,
    }
}

/// The canonical text of a constant beside a column, where it is a value of the column's type.
fn value(field: &Field, constant: &Expr) -> Option<String> {
    let Expr::Literal(scalar, _) = constant else { return None };
    let same = match (field.data_type(), Logical::of(field), output::canonical(&scalar.data_type())?) {
        (DataType::Utf8, None, DataType::Utf8) | (DataType::Date32, None, DataType::Date32) => true,
        (column, None, of) if column.is_integer() => of.is_integer(),
        (column, None, of) if column.is_decimal() => of.is_integer() || of.is_decimal(),
        (DataType::Timestamp(_, column), None, DataType::Timestamp(_, of)) => column.is_some() == of.is_some(),
        (DataType::FixedSizeBinary(16), Some(Logical::Uuid), DataType::FixedSizeBinary(16)) => true,
        _ => false,
    };
    let text = if same { text_of(scalar)? } else { return None };
    let is_plain = |text: &str| text.as_bytes().get(4) == Some(&b'-') && !text.starts_with(['-', '+']);
    (!field.data_type().is_temporal() || is_plain(&text)).then_some(text)
}

fn text_of(scalar: &ScalarValue) -> Option<String> {
    let array = output::to_canonical(&scalar.to_array().ok()?).ok()?;
    text::value(&array, 0)
}
