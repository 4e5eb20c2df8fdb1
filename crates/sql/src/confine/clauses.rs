//! What may stand in the clauses of a query: each structure is taken apart by all of its fields, so that a new one is
//! noticed by the compiler.

use std::collections::BTreeSet;

use datafusion::sql::sqlparser::ast::{
    Distinct, GroupByExpr, Join, JoinConstraint, JoinOperator, LimitClause, OrderByExpr, OrderByKind, Query, Select,
    SelectFlavor, SelectItem, SetExpr, SetOperator, SetQuantifier, Spanned, TableFactor, TableWithJoins,
    WildcardAdditionalOptions, With,
};
use datafusion::sql::sqlparser::tokenizer::Location;
use levada_core::error::Result;

use super::{DEPTH_MAX, refuse};
use crate::parse::too_deep;

/// A query but for what is within it, and the names of its WITH queries.
pub(super) fn query(query: &Query, ctes: &mut BTreeSet<String>) -> Result<()> {
    let Query { with, body, order_by, limit_clause, fetch, locks, for_clause, settings, format_clause, pipe_operators } =
        query;
    let at = query.span().start;
    if let Some(with) = with {
        names(with, ctes)?;
    }
    set(body, at)?;
    if let Some(order) = order_by {
        let OrderByKind::Expressions(items) = &order.kind else {
            return refuse(at, "ORDER BY ALL is not allowed", "Name the columns.");
        };
        if order.interpolate.is_some() {
            return refuse(at, "INTERPOLATE is not allowed", "Leave it out.");
        }
        sorted(items, at)?;
    }
    match limit_clause {
        None => {}
        Some(LimitClause::LimitOffset { limit_by, .. }) if limit_by.is_empty() => {}
        Some(_) => return refuse(at, "this form of LIMIT is not allowed", "Write LIMIT n OFFSET m."),
    }
    if fetch.is_some() {
        return refuse(at, "FETCH is not allowed", "Write LIMIT.");
    }
    if !locks.is_empty() || for_clause.is_some() {
        return refuse(at, "a query cannot lock or format what it reads", "Leave out FOR and what follows.");
    }
    if settings.is_some() || format_clause.is_some() {
        return refuse(at, "a query cannot change settings", "Leave out SETTINGS and FORMAT.");
    }
    if !pipe_operators.is_empty() {
        return refuse(at, "pipe operators are not allowed", "Write a SELECT.");
    }
    Ok(())
}

fn names(with: &With, ctes: &mut BTreeSet<String>) -> Result<()> {
    let With { with_token: _, recursive, cte_tables } = with;
    let at = with.span().start;
    if *recursive {
        return refuse(at, "WITH RECURSIVE is not allowed: nothing bounds its work", "Write the steps as tasks.");
    }
    for cte in cte_tables {
        if cte.from.is_some() {
            return refuse(at, "this form of WITH is not allowed", "Write WITH name AS (SELECT ..).");
        }
        let name = &cte.alias.name;
        if name.value.contains(['.', '"']) || name.value.is_empty() {
            return refuse(name.span.start, "the name of a WITH query has no dots and quotes", "Choose another name.");
        }
        ctes.insert(name.value.clone());
    }
    Ok(())
}

/// Selects that are put together. Walks down the left side without recursion: that is how a chain of them is built.
fn set(body: &SetExpr, at: Location) -> Result<()> {
    let mut body = body;
    for _ in 0..DEPTH_MAX {
        let SetExpr::SetOperation { left, op, set_quantifier, right } = body else {
            return match body {
                SetExpr::Select(_) | SetExpr::Query(_) | SetExpr::Values(_) => Ok(()),
                _ => refuse(at, "a query can only read", "Write a SELECT."),
            };
        };
        match (op, set_quantifier) {
            (SetOperator::Union, SetQuantifier::All | SetQuantifier::Distinct | SetQuantifier::None) => {}
            (SetOperator::Except | SetOperator::Intersect, SetQuantifier::Distinct | SetQuantifier::None) => {}
            (SetOperator::Except | SetOperator::Intersect, SetQuantifier::All) => {
                return refuse(
                    at,
                    &format!("{op} ALL is not allowed: it would not count rows that are there several times"),
                    "Number equal rows by row_number() OVER (PARTITION BY every column), and leave out ALL.",
                );
            }
            _ => {
                return refuse(at, &format!("{op} {set_quantifier} is not allowed"), "Name the columns on both sides.");
            }
        }
        match right.as_ref() {
            SetExpr::SetOperation { .. } => set(right, at)?,
            SetExpr::Select(_) | SetExpr::Query(_) | SetExpr::Values(_) => {}
            _ => return refuse(at, "a query can only read", "Write a SELECT."),
        }
        body = left;
    }
    Err(too_deep(at))
}

/// A SELECT but for its expressions and tables.
pub(super) fn select(select: &Select) -> Result<()> {
    let Select {
        select_token,
        optimizer_hints,
        distinct,
        select_modifiers,
        top,
        top_before_distinct: _,
        projection,
        exclude,
        into,
        from,
        lateral_views,
        prewhere,
        selection: _,
        connect_by,
        group_by,
        cluster_by,
        distribute_by,
        sort_by,
        having: _,
        named_window: _,
        qualify: _,
        window_before_qualify: _,
        value_table_mode,
        flavor,
    } = select;
    let at = select_token.0.span.start;
    if into.is_some() {
        return refuse(at, "a query can only read", "Leave out INTO; what it gives is stored by the task's `to:`.");
    }
    let foreign = [
        (!optimizer_hints.is_empty(), "hints"),
        (select_modifiers.is_some(), "modifiers of SELECT"),
        (top.is_some(), "TOP"),
        (exclude.is_some(), "EXCLUDE after the columns"),
        (!lateral_views.is_empty(), "LATERAL VIEW"),
        (prewhere.is_some(), "PREWHERE"),
        (!connect_by.is_empty(), "CONNECT BY"),
        (!cluster_by.is_empty() || !distribute_by.is_empty() || !sort_by.is_empty(), "CLUSTER, DISTRIBUTE and SORT BY"),
        (value_table_mode.is_some(), "SELECT AS"),
        (!matches!(flavor, SelectFlavor::Standard), "FROM before SELECT"),
        (matches!(distinct, Some(Distinct::On(_))), "DISTINCT ON"),
    ];
    if let Some((_, what)) = foreign.iter().find(|(there, _)| *there) {
        return refuse(at, &format!("{what} is not allowed"), "Write it in standard SQL.");
    }
    match group_by {
        GroupByExpr::Expressions(_, modifiers) if modifiers.is_empty() => {}
        GroupByExpr::Expressions(..) => {
            return refuse(at, "this form of GROUP BY is not allowed", "Write a UNION ALL of one SELECT per grouping.");
        }
        GroupByExpr::All(_) => return refuse(at, "GROUP BY ALL is not allowed", "Name the columns."),
    }
    projection.iter().try_for_each(item)?;
    from.iter().try_for_each(joins)
}

fn item(item: &SelectItem) -> Result<()> {
    let options = match item {
        SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. } => return Ok(()),
        SelectItem::QualifiedWildcard(_, options) | SelectItem::Wildcard(options) => options,
        SelectItem::ExprWithAliases { .. } => {
            return refuse(item.span().start, "a column has one name", "Write `.. AS name`.");
        }
    };
    let WildcardAdditionalOptions {
        wildcard_token: _,
        opt_ilike,
        opt_exclude,
        opt_except,
        opt_replace,
        opt_rename,
        opt_alias,
    } = options;
    let plain = opt_ilike.is_none() && opt_exclude.is_none() && opt_except.is_none() && opt_replace.is_none();
    if plain && opt_rename.is_none() && opt_alias.is_none() {
        return Ok(());
    }
    refuse(item.span().start, "`*` cannot be changed", "Name the columns.")
}

fn joins(table: &TableWithJoins) -> Result<()> {
    table.joins.iter().try_for_each(join)
}

fn join(join: &Join) -> Result<()> {
    use JoinOperator as J;
    let Join { relation: _, global, join_operator } = join;
    let at = join.span().start;
    let constraint = match join_operator {
        J::Join(on) | J::Inner(on) | J::Left(on) | J::LeftOuter(on) => on,
        J::Right(on) | J::RightOuter(on) | J::FullOuter(on) => on,
        J::CrossJoin(JoinConstraint::None) if !global => return Ok(()),
        _ => {
            return refuse(
                at,
                "this kind of join is not allowed",
                "Write [INNER], LEFT, RIGHT or FULL JOIN .. ON, CROSS JOIN, or WHERE [NOT] EXISTS (..).",
            );
        }
    };
    let outer_right = matches!(join_operator, J::Right(_) | J::RightOuter(_) | J::FullOuter(_));
    match constraint {
        JoinConstraint::Using(_) if outer_right => refuse(
            at,
            "USING is not allowed in a RIGHT or FULL JOIN: its column would be empty for rows of the right side alone",
            "Write ON, and coalesce(a.id, b.id).",
        ),
        JoinConstraint::On(_) | JoinConstraint::Using(_) if !global => Ok(()),
        JoinConstraint::Natural => {
            refuse(at, "NATURAL JOIN is not allowed: a new column would change it", "Write JOIN .. USING (columns).")
        }
        _ => refuse(at, "a join needs a condition", "Write JOIN .. ON, or CROSS JOIN."),
    }
}

/// Something to read from.
pub(super) fn factor(factor: &TableFactor) -> Result<()> {
    let at = factor.span().start;
    let sampled = || refuse(at, "TABLESAMPLE is not allowed", "Choose rows by WHERE or LIMIT.");
    match factor {
        TableFactor::Table {
            name: _,
            alias,
            args,
            with_hints,
            version,
            with_ordinality,
            partitions,
            json_path,
            sample,
            index_hints,
        } => {
            if args.is_some() || *with_ordinality {
                return refuse(at, "functions in FROM are not allowed", "Read a stream: `connection.stream`.");
            }
            if sample.is_some() {
                return sampled();
            }
            let plain = with_hints.is_empty() && version.is_none() && partitions.is_empty() && json_path.is_none();
            if !plain || !index_hints.is_empty() || alias.as_ref().is_some_and(|alias| alias.at.is_some()) {
                return refuse(at, "a stream is read as it is, without hints and versions", "Write its name alone.");
            }
            Ok(())
        }
        TableFactor::Derived { lateral, subquery: _, alias: _, sample } => {
            if *lateral {
                return refuse(at, "LATERAL is not allowed", "Write a join, or a subquery in the SELECT.");
            }
            if sample.is_some() { sampled() } else { Ok(()) }
        }
        TableFactor::NestedJoin { table_with_joins, alias: _ } => joins(table_with_joins),
        _ => refuse(at, "this cannot be read from", "Read a stream, `connection.stream`, or a subquery."),
    }
}

/// The order of rows, of a window or within an aggregate.
pub(super) fn sorted(items: &[OrderByExpr], at: Location) -> Result<()> {
    if items.iter().any(|item| item.with_fill.is_some()) {
        return refuse(at, "WITH FILL is not allowed", "Join the days or numbers that may be missing.");
    }
    Ok(())
}
