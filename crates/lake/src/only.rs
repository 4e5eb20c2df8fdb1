//! The conditions of a read as filters of the query engine, which leaves out files and groups of rows by their statistics:
//! where the stored values have the order of the canonical ones.

use arrow_schema::{DataType, Schema};
use deltalake::datafusion::logical_expr::Expr;
use deltalake::datafusion::prelude::ident;
use levada_core::condition::{Comparison, Condition, Test};
use levada_core::schema::Logical;

use crate::columns::{canonical, has_exact_bounds, is_nested};
use crate::cursor::value;

/// The filter for conditions on columns of a table; none where no condition helps.
pub fn filter(only: &[Condition], stored: &Schema) -> Option<Expr> {
    only.iter().filter_map(|condition| of(condition, stored)).reduce(Expr::and)
}

fn of(condition: &Condition, stored: &Schema) -> Option<Expr> {
    let field = stored.field_with_name(&condition.column).ok().filter(|field| !is_nested(field))?;
    let column = ident(field.name().as_str());
    let field = canonical(field);
    if !has_exact_bounds(&field) {
        // what a condition asks for is taken from statistics where they name one value
        return None;
    }
    // the meaning of a text may have an order of its own
    let is_ordered = Logical::of(&field).is_none() && has_order(field.data_type());
    let bound = |text: &str| value(field.data_type(), text).ok().filter(|_| is_ordered);
    Some(match &condition.test {
        Test::IsNull => column.is_null(),
        Test::IsNotNull => column.is_not_null(),
        Test::Compare(Comparison::Eq, text) => column.eq(bound(text)?),
        Test::Compare(Comparison::Lt, text) => column.lt(bound(text)?),
        Test::Compare(Comparison::Le, text) => column.lt_eq(bound(text)?),
        Test::Compare(Comparison::Gt, text) => column.gt(bound(text)?),
        Test::Compare(Comparison::Ge, text) => column.gt_eq(bound(text)?),
        Test::OneOf(values) => column.in_list(values.iter().map(|text| bound(text)).collect::<Option<_>>()?, false),
    })
}

fn has_order(data_type: &DataType) -> bool {
    data_type.is_integer()
        || data_type.is_decimal()
        || matches!(data_type, DataType::Utf8 | DataType::Date32 | DataType::Timestamp(..))
}
