//! From the statement as it was written to the one that is planned: names in their right case, parameters as values, casts
//! and zones as our own functions, and a name for every column.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, JoinConstraint, JoinOperator, ObjectName, ObjectNamePart, Select, SelectItem,
    SelectItemQualifiedWildcardKind, Spanned, Statement, TableFactor, TableWithJoins, UnaryOperator, Value,
    ValueWithSpan, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::tokenizer::Span;
use levada_core::error::{Error, ErrorKind, Result};
use serde_json::Value as Json;

use crate::names::Names;
use crate::parse::refusal;
use crate::{arithmetic, cast, text, types, zone};

/// Rewrites a checked statement in place.
///
/// # Errors
/// `Config` for a parameter that is not given, a name that means several columns, and a zone that does not exist.
pub(crate) fn rewrite(statement: &mut Statement, names: &Names, params: &BTreeMap<String, Json>) -> Result<()> {
    match statement.visit(&mut Rewriter { names, params }) {
        ControlFlow::Break(error) => Err(*error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Rewriter<'a> {
    names: &'a Names,
    params: &'a BTreeMap<String, Json>,
}

type Flow = ControlFlow<Box<Error>>;

fn flow(done: Result<()>) -> Flow {
    match done {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(Box::new(error)),
    }
}

impl VisitorMut for Rewriter<'_> {
    type Break = Box<Error>;

    fn pre_visit_select(&mut self, select: &mut Select) -> Flow {
        for (at, item) in select.projection.iter_mut().enumerate() {
            if let SelectItem::UnnamedExpr(expr) = item
                && !matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
            {
                let alias = Ident::with_quote('"', column_name(expr).unwrap_or_else(|| format!("column_{}", at + 1)));
                *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
            }
            if let SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) = item {
                for part in &mut name.0 {
                    if let ObjectNamePart::Identifier(ident) = part
                        && let Err(error) = self.names.fold(ident)
                    {
                        return flow(Err(error));
                    }
                }
            }
        }
        flow(select.from.iter_mut().try_for_each(|table| self.joins(table)))
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> Flow {
        match factor {
            TableFactor::NestedJoin { table_with_joins, .. } => flow(self.joins(table_with_joins)),
            TableFactor::Table { name, .. } => match name.0.as_mut_slice() {
                [ObjectNamePart::Identifier(ident)] => flow(self.names.fold(ident)),
                _ => ControlFlow::Continue(()),
            },
            _ => ControlFlow::Continue(()),
        }
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> Flow {
        flow(self.expr(expr))
    }
}

impl Rewriter<'_> {
    /// The columns of USING are names outside of expressions.
    fn joins(&self, table: &mut TableWithJoins) -> Result<()> {
        use JoinOperator as J;
        for join in &mut table.joins {
            let (J::Join(on)
            | J::Inner(on)
            | J::Left(on)
            | J::LeftOuter(on)
            | J::Right(on)
            | J::RightOuter(on)
            | J::FullOuter(on)) = &mut join.join_operator
            else {
                continue;
            };
            let JoinConstraint::Using(columns) = on else { continue };
            for part in columns.iter_mut().flat_map(|column| &mut column.0) {
                if let ObjectNamePart::Identifier(ident) = part {
                    self.names.fold(ident)?;
                }
            }
        }
        Ok(())
    }

    fn expr(&self, expr: &mut Expr) -> Result<()> {
        let at = expr.span();
        match expr {
            Expr::Identifier(ident) => self.names.fold(ident),
            Expr::CompoundIdentifier(idents) => idents.iter_mut().try_for_each(|ident| self.names.fold(ident)),
            Expr::Value(ValueWithSpan { value, .. }) => match value {
                Value::Placeholder(name) => {
                    *expr = self.param(name.trim_start_matches('$'), at)?;
                    Ok(())
                }
                Value::EscapedStringLiteral(text) => {
                    *value = Value::SingleQuotedString(std::mem::take(text));
                    Ok(())
                }
                _ => Ok(()),
            },
            Expr::Cast { kind, expr: inner, data_type, .. } => {
                let to = types::of(data_type).ok_or_else(|| refusal(at.start, "a value cannot become this"))?;
                let name = cast::name(&to, matches!(kind, CastKind::TryCast));
                *expr = call(&name, vec![take(inner)]);
                Ok(())
            }
            Expr::TypedString(typed) => {
                let to = types::of(&typed.data_type).ok_or_else(|| refusal(at.start, "a value cannot become this"))?;
                *expr = call(&cast::name(&to, false), vec![Expr::Value(typed.value.clone())]);
                Ok(())
            }
            Expr::AtTimeZone { timestamp, time_zone } => {
                let name = match time_zone.as_ref() {
                    Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(word), .. }) => zone::name(word),
                    _ => return Err(refusal(at.start, "a time zone is a text").advise("Write 'America/Bogota'.")),
                };
                let name = name.ok_or_else(|| {
                    refusal(at.start, format!("there is no time zone {time_zone}"))
                        .advise("Name it as the IANA database does: 'America/Bogota'.")
                })?;
                *expr = call(&name, vec![take(timestamp)]);
                Ok(())
            }
            Expr::BinaryOp { left, op: BinaryOperator::StringConcat, right } => {
                *expr = call(text::JOIN, vec![take(left), take(right)]);
                Ok(())
            }
            Expr::Function(function) => {
                if let FunctionArguments::List(list) = &mut function.args
                    && list.duplicate_treatment == Some(DuplicateTreatment::Distinct)
                {
                    for arg in &mut list.args {
                        if let FunctionArg::Unnamed(FunctionArgExpr::Expr(inner)) = arg {
                            *inner = call(arithmetic::UNSIGNED_ZERO, vec![take(inner)]);
                        }
                    }
                }
                let sums = function.name.0.last().and_then(ObjectNamePart::as_ident);
                if sums.is_some_and(|name| name.value.eq_ignore_ascii_case("sum"))
                    && let FunctionArguments::List(list) = &mut function.args
                    && let [FunctionArg::Unnamed(FunctionArgExpr::Expr(inner))] = list.args.as_mut_slice()
                {
                    *inner = call(arithmetic::WIDE, vec![take(inner)]);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A parameter as a value of the statement: a node of the tree, never text of it.
    fn param(&self, name: &str, at: Span) -> Result<Expr> {
        let literal = |value: Value| Expr::Value(ValueWithSpan { value, span: at });
        let number = |text: String| literal(Value::Number(text, false));
        match self.params.get(name) {
            None => {
                Err(refusal(at.start, format!("the parameter ${name} is not given"))
                    .advise("Give it a value in `params`."))
            }
            Some(Json::Null) => Ok(literal(Value::Null)),
            Some(Json::Bool(value)) => Ok(literal(Value::Boolean(*value))),
            Some(Json::String(text)) => Ok(literal(Value::SingleQuotedString(text.clone()))),
            Some(Json::Number(value)) => {
                let text = value.to_string();
                Ok(match text.strip_prefix('-') {
                    Some(rest) => Expr::UnaryOp { op: UnaryOperator::Minus, expr: Box::new(number(rest.to_owned())) },
                    None => number(text),
                })
            }
            Some(_) => Err(Error::new(ErrorKind::Config, format!("the parameter ${name} is a list or an object"))
                .advise("A parameter of SQL is a text, a number, a boolean or null.")),
        }
    }
}

fn take(expr: &mut Expr) -> Expr {
    std::mem::replace(expr, Expr::value(Value::Null))
}

/// A call of a function whose name no user can write.
fn call(name: &str, args: Vec<Expr>) -> Expr {
    let args = args.into_iter().map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg))).collect();
    Expr::Function(Function {
        name: ObjectName::from(Ident::with_quote('"', name)),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// What a column is called that has no name, much as PostgreSQL does.
fn column_name(expr: &Expr) -> Option<String> {
    let word = match expr {
        Expr::Identifier(ident) => return Some(ident.value.clone()),
        Expr::CompoundIdentifier(idents) => return idents.last().map(|ident| ident.value.clone()),
        Expr::Nested(inner) => return column_name(inner),
        Expr::Cast { expr, .. } => return column_name(expr),
        Expr::AtTimeZone { timestamp, .. } => return column_name(timestamp),
        Expr::Function(function) => match function.name.0.last() {
            Some(ObjectNamePart::Identifier(ident)) => return Some(ident.value.to_lowercase()),
            _ => return None,
        },
        Expr::Extract { .. } => "extract",
        Expr::Case { .. } => "case",
        Expr::Ceil { .. } => "ceil",
        Expr::Floor { .. } => "floor",
        Expr::Position { .. } => "position",
        Expr::Substring { .. } => "substring",
        Expr::Trim { .. } => "trim",
        Expr::Exists { .. } => "exists",
        _ => return None,
    };
    Some(word.to_owned())
}
