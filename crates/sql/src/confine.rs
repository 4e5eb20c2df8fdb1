//! What a query may say: an allow-list over its syntax tree. Whatever is not named here is refused, so that no feature of
//! the engine below can be reached, or ignored by it in silence, because nobody thought of it.

mod clauses;
mod expressions;

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, ObjectName, ObjectNamePart, Query, Select, Spanned, Statement, TableFactor, Visit, Visitor,
};
use datafusion::sql::sqlparser::tokenizer::Location;
use levada_core::error::{Error, Result};
use levada_core::query::{Outline, StreamName};

use crate::parse::{refusal, too_deep};

/// Expressions within expressions and queries within queries. A chain of operators counts each of its terms: they are
/// evaluated one within the other, on the stack of whichever thread runs the query.
const DEPTH_MAX: usize = 250;
/// Streams, subqueries and WITH queries that are joined or read in one query.
const TABLES_MAX: usize = 64;

/// Checks a statement and tells what it reads.
///
/// # Errors
/// As [`levada_core::query::QueryEngine::check`].
pub(crate) fn check(statement: &Statement) -> Result<Outline> {
    let Statement::Query(query) = statement else {
        return Err(refusal(statement.span().start, "a query can only read")
            .advise("Write one SELECT; what it gives is stored by the task's `to:`."));
    };
    let mut confine = Confine::default();
    match query.visit(&mut confine) {
        ControlFlow::Break(error) => Err(*error),
        ControlFlow::Continue(()) => Ok(confine.outline()),
    }
}

/// Checks an expression over the columns of one row.
///
/// # Errors
/// As [`levada_core::query::QueryEngine::check_columns`].
pub(crate) fn expression(expr: &Expr) -> Result<()> {
    let mut confine = Confine { sees_row_only: true, ..Confine::default() };
    match expr.visit(&mut confine) {
        ControlFlow::Break(error) => Err(*error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

#[derive(Default)]
struct Confine {
    /// Whether queries within are refused.
    sees_row_only: bool,
    /// Names of WITH queries, wherever they are.
    ctes: BTreeSet<String>,
    reads: BTreeSet<StreamName>,
    params: BTreeSet<String>,
    depth: usize,
    tables: usize,
}

type Flow = ControlFlow<Box<Error>>;

/// Turns a check into the visitor's words.
fn flow(checked: Result<()>) -> Flow {
    match checked {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(Box::new(error)),
    }
}

/// Refuses a part of the language.
fn refuse<T>(at: Location, what: &str, remedy: &str) -> Result<T> {
    Err(refusal(at, what).advise(remedy))
}

impl Visitor for Confine {
    type Break = Box<Error>;

    fn pre_visit_query(&mut self, query: &Query) -> Flow {
        if self.sees_row_only {
            let what = "an expression here sees its own row only";
            return flow(refuse(query.span().start, what, "Leave out the subquery; a `sql` task can have one."));
        }
        flow(self.enter(|| query.span().start).and_then(|()| clauses::query(query, &mut self.ctes)))
    }

    fn post_visit_query(&mut self, _: &Query) -> Flow {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> Flow {
        flow(clauses::select(select))
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> Flow {
        self.tables += 1;
        if self.tables > TABLES_MAX {
            return flow(refuse(
                factor.span().start,
                &format!("a query may name at most {TABLES_MAX} streams and subqueries"),
                "Split it into several tasks.",
            ));
        }
        flow(clauses::factor(factor))
    }

    fn pre_visit_relation(&mut self, name: &ObjectName) -> Flow {
        flow(self.relation(name))
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> Flow {
        flow(self.enter(|| expr.span().start).and_then(|()| expressions::check(expr, &mut self.params)))
    }

    fn post_visit_expr(&mut self, _: &Expr) -> Flow {
        self.depth -= 1;
        ControlFlow::Continue(())
    }
}

impl Confine {
    fn enter(&mut self, at: impl Fn() -> Location) -> Result<()> {
        self.depth += 1;
        if self.depth > DEPTH_MAX { Err(too_deep(at())) } else { Ok(()) }
    }

    /// A stream has two or three names, a WITH query has one.
    fn relation(&mut self, name: &ObjectName) -> Result<()> {
        let at = name.span().start;
        let mut parts = Vec::new();
        for part in &name.0 {
            let ObjectNamePart::Identifier(ident) = part else {
                return refuse(at, "a stream has a plain name", "Write `connection.stream`.");
            };
            parts.push(ident.value.as_str());
        }
        match parts.as_slice() {
            [one] if self.ctes.contains(*one) || self.ctes.iter().any(|cte| cte.eq_ignore_ascii_case(one)) => {}
            [one] => {
                return refuse(
                    at,
                    &format!("`{one}` is neither a stream nor a WITH query"),
                    "Write a stream as `connection.stream`; put names with other signs in double quotes.",
                );
            }
            [connection, stream @ ..] if stream.len() <= 2 && parts.iter().all(|part| !part.is_empty()) => {
                self.reads.insert(StreamName { connection: (*connection).to_owned(), stream: stream.join(".") });
            }
            _ => {
                return refuse(
                    at,
                    "the name of a stream has too many or empty parts",
                    "Write `connection.stream` or `connection.namespace.stream`, a stream with dots in double quotes.",
                );
            }
        }
        Ok(())
    }

    fn outline(self) -> Outline {
        Outline { reads: self.reads.into_iter().collect(), params: self.params.into_iter().collect() }
    }
}
