//! What may stand in an expression.

use std::collections::BTreeSet;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, CeilFloorKind, DateTimeField, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentClause, FunctionArguments, Interval, Spanned, TypedString, UnaryOperator, Value, WindowFrameUnits,
    WindowSpec, WindowType,
};
use datafusion::sql::sqlparser::tokenizer::Location;
use levada_core::error::Result;
use levada_core::naming::{did_you_mean, nearest};

use super::clauses::sorted;
use super::refuse;
use crate::{functions, types};

const STANDARD: &str = "Write it with the operators and functions that docs/sql.md lists.";

/// An expression but for what is within it.
pub(super) fn check(expr: &Expr, params: &mut BTreeSet<String>) -> Result<()> {
    let at = expr.span().start;
    match expr {
        // beyond its depth the parser takes such a word for a column, and the text for another one
        Expr::Identifier(name) if name.quote_style.is_none() && is_reserved(&name.value) => refuse(
            at,
            &format!("{} is a word of SQL here", name.value),
            "Put the name of a column like this in double quotes; nest expressions less deep.",
        ),
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Nested(_) => Ok(()),
        Expr::IsFalse(_) | Expr::IsNotFalse(_) | Expr::IsTrue(_) | Expr::IsNotTrue(_) => Ok(()),
        Expr::IsNull(_) | Expr::IsNotNull(_) | Expr::IsUnknown(_) | Expr::IsNotUnknown(_) => Ok(()),
        Expr::IsDistinctFrom(..) | Expr::IsNotDistinctFrom(..) | Expr::Between { .. } => Ok(()),
        Expr::InList { .. } | Expr::InSubquery { .. } | Expr::Exists { .. } | Expr::Subquery(_) => Ok(()),
        Expr::Case { .. } | Expr::Position { .. } | Expr::Substring { .. } | Expr::AtTimeZone { .. } => Ok(()),
        Expr::Extract { .. } => Ok(()),
        Expr::Like { any, escape_char, .. } | Expr::ILike { any, escape_char, .. } => {
            if *any || escape_char.is_some() {
                return refuse(at, "LIKE takes one pattern and no ESCAPE", "Write `\\` before a sign that is meant.");
            }
            Ok(())
        }
        Expr::Trim { trim_characters: None, .. } => Ok(()),
        Expr::Ceil { field, .. } | Expr::Floor { field, .. } => match field {
            CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) => Ok(()),
            _ => refuse(at, "ceil and floor take one argument", "Use round or date_trunc."),
        },
        Expr::BinaryOp { left: _, op, right: _ } => binary(op, at),
        Expr::UnaryOp { op, expr: _ } => match op {
            UnaryOperator::Plus | UnaryOperator::Minus | UnaryOperator::Not => Ok(()),
            _ => refuse(at, &format!("the operator {op} is not allowed"), STANDARD),
        },
        Expr::Cast { kind, expr: _, data_type, array, format } => {
            if matches!(kind, CastKind::SafeCast) || *array || format.is_some() {
                return refuse(at, "this form of CAST is not allowed", "Write CAST(value AS type).");
            }
            known_type(data_type, at)
        }
        Expr::TypedString(TypedString { data_type, value, uses_odbc_syntax }) => {
            if *uses_odbc_syntax || !matches!(value.value, Value::SingleQuotedString(_)) {
                return refuse(at, "this form of a value is not allowed", "Write CAST('value' AS type).");
            }
            known_type(data_type, at)
        }
        Expr::Interval(interval) => span(interval, at),
        Expr::Value(value) => literal(&value.value, at, params),
        Expr::Function(call) => function(call, at),
        Expr::AnyOp { .. } | Expr::AllOp { .. } => {
            refuse(at, "ANY and ALL are not allowed", "Write IN, NOT IN or EXISTS.")
        }
        Expr::GroupingSets(_) | Expr::Cube(_) | Expr::Rollup(_) => refuse(
            at,
            "GROUPING SETS, CUBE and ROLLUP are not allowed",
            "Write a UNION ALL of one SELECT per grouping.",
        ),
        Expr::Tuple(_) => refuse(at, "rows cannot be values", "Compare the columns one by one, joined by AND."),
        Expr::SimilarTo { .. } | Expr::RLike { .. } => {
            refuse(at, "this is not allowed", "Use regexp_like(text, pattern).")
        }
        _ => refuse(at, "this expression is not allowed", STANDARD),
    }
}

/// Words that are never columns.
fn is_reserved(name: &str) -> bool {
    const WORDS: &[&str] = &[
        "all",
        "and",
        "any",
        "array",
        "between",
        "case",
        "cast",
        "distinct",
        "else",
        "end",
        "except",
        "exists",
        "extract",
        "from",
        "group",
        "having",
        "in",
        "intersect",
        "interval",
        "is",
        "join",
        "like",
        "limit",
        "not",
        "null",
        "on",
        "or",
        "order",
        "select",
        "then",
        "try_cast",
        "union",
        "using",
        "when",
        "where",
        "with",
    ];
    WORDS.iter().any(|word| word.eq_ignore_ascii_case(name))
}

fn binary(op: &BinaryOperator, at: Location) -> Result<()> {
    use BinaryOperator as B;
    match op {
        B::Plus | B::Minus | B::Multiply | B::Divide | B::Modulo | B::StringConcat => Ok(()),
        B::Eq | B::NotEq | B::Lt | B::LtEq | B::Gt | B::GtEq | B::And | B::Or => Ok(()),
        _ => refuse(at, &format!("the operator {op} is not allowed"), STANDARD),
    }
}

fn known_type(data_type: &datafusion::sql::sqlparser::ast::DataType, at: Location) -> Result<()> {
    match types::of(data_type) {
        Some(_) => Ok(()),
        None => refuse(at, &format!("a value cannot become {data_type}"), types::KNOWN),
    }
}

fn span(interval: &Interval, at: Location) -> Result<()> {
    let Interval { value, leading_field: _, leading_precision, last_field, fractional_seconds_precision } = interval;
    let plain = leading_precision.is_none() && last_field.is_none() && fractional_seconds_precision.is_none();
    let text = matches!(value.as_ref(), Expr::Value(value) if matches!(value.value, Value::SingleQuotedString(_)));
    if plain && text {
        return Ok(());
    }
    refuse(at, "this form of INTERVAL is not allowed", "Write INTERVAL '3 days'.")
}

fn literal(value: &Value, at: Location, params: &mut BTreeSet<String>) -> Result<()> {
    match value {
        Value::Number(..) | Value::SingleQuotedString(_) | Value::Boolean(_) | Value::Null => Ok(()),
        Value::EscapedStringLiteral(_) => Ok(()),
        Value::Placeholder(name) => {
            let word = name.strip_prefix('$').unwrap_or_default();
            let starts = word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            if !starts || !word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return refuse(at, &format!("`{name}` is no parameter"), "Name it by a word: $since.");
            }
            params.insert(word.to_owned());
            Ok(())
        }
        _ => refuse(
            at,
            "this form of a value is not allowed",
            "Write texts in single quotes, and bytes as '\\x00ff'::BYTEA.",
        ),
    }
}

fn function(call: &Function, at: Location) -> Result<()> {
    let Function { name, uses_odbc_syntax, parameters, args, filter: _, null_treatment: _, over, within_group } = call;
    let word = match name.0.as_slice() {
        [part] => part.as_ident().map(|ident| ident.value.to_ascii_lowercase()),
        _ => None,
    };
    let Some(word) = word else {
        return refuse(at, &format!("there is no function {name}"), "See the functions in docs/sql.md.");
    };
    if let Some(reason) = functions::refused(&word) {
        return refuse(at, &format!("the function {word} is not allowed: {}", reason.0), reason.1);
    }
    if !functions::is_known(&word) {
        let near = nearest(&word, &functions::names());
        let advice = format!("{}See the functions in docs/sql.md.", did_you_mean(near));
        return refuse(at, &format!("there is no function {word}"), &advice);
    }
    if *uses_odbc_syntax || !matches!(parameters, FunctionArguments::None) || !within_group.is_empty() {
        return refuse(at, &format!("this form of a call of {word} is not allowed"), "Write name(argument, ..).");
    }
    let FunctionArguments::List(list) = args else {
        return refuse(at, &format!("{word} needs its arguments in parentheses"), "Write name(argument, ..).");
    };
    for arg in &list.args {
        match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(_)) => {}
            FunctionArg::Unnamed(FunctionArgExpr::Wildcard) if word == "count" && list.args.len() == 1 => {}
            _ => return refuse(at, &format!("{word} cannot be called like this"), "Write name(argument, ..)."),
        }
    }
    for clause in &list.clauses {
        match clause {
            FunctionArgumentClause::OrderBy(items) => sorted(items, at)?,
            FunctionArgumentClause::IgnoreOrRespectNulls(_) => {}
            _ => {
                return refuse(
                    at,
                    &format!("this form of a call of {word} is not allowed"),
                    "Write name(argument, ..).",
                );
            }
        }
    }
    match over {
        None | Some(WindowType::NamedWindow(_)) => Ok(()),
        Some(WindowType::WindowSpec(spec)) => window(spec, at),
    }
}

fn window(spec: &WindowSpec, at: Location) -> Result<()> {
    let WindowSpec { window_name: _, partition_by: _, order_by, window_frame } = spec;
    if window_frame.as_ref().is_some_and(|frame| matches!(frame.units, WindowFrameUnits::Groups)) {
        return refuse(at, "a frame of GROUPS is not allowed", "Write ROWS or RANGE.");
    }
    sorted(order_by, at)
}
