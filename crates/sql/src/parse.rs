//! From text to one reading statement: the limits of what is parsed at all, and where in the text something is wrong.

use std::collections::BTreeSet;

use datafusion::sql::sqlparser::ast::{Expr, Ident, SelectItem, SetExpr, Statement};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};
use levada_core::error::{Context, Error, ErrorKind, Result};
use levada_core::query::Outline;

use crate::{confine, keys};

/// Bytes of text.
const BYTES_MAX: usize = 256 << 10;
/// Words, numbers, texts and signs.
const TOKENS_MAX: usize = 50_000;
/// Parentheses within parentheses.
const NESTING_MAX: usize = 64;
/// What the parser itself may recurse; more than [`NESTING_MAX`], which is told better.
const RECURSION_MAX: usize = 150;

/// A statement that may be planned.
#[derive(Debug)]
pub(crate) struct Parsed {
    /// The statement, a query.
    pub(crate) statement: Statement,
    /// What it reads and names.
    pub(crate) outline: Outline,
}

/// Parses and checks a query. Call it on a deep stack: dropping what was parsed recurses.
///
/// # Errors
/// As [`levada_core::query::QueryEngine::check`].
pub(crate) fn statement(sql: &str) -> Result<Parsed> {
    let mut parser = parser(sql)?;
    let mut statements = parser.parse_statements().map_err(told)?;
    let (Some(statement), []) = (statements.pop(), statements.as_slice()) else {
        let none = statements.is_empty();
        let what = if none { "there is no statement" } else { "a query is one statement, and there are several" };
        return Err(Error::new(ErrorKind::Config, what).advise("Write one SELECT."));
    };
    let outline = confine::check(&statement)?;
    Ok(Parsed { statement, outline })
}

/// Parses and checks an expression over the columns of one row, which may use these keys. Call it on a deep stack.
///
/// # Errors
/// As [`levada_core::query::QueryEngine::check_columns`].
pub(crate) fn expression(text: &str, keys: &BTreeSet<String>) -> Result<Expr> {
    let mut parser = parser(text)?;
    let mut expr = parser.parse_expr().map_err(told)?;
    let rest = parser.peek_token();
    if rest.token != Token::EOF {
        let what = format!("the expression ends before `{}`", rest.token);
        return Err(refusal(rest.span.start, what).advise("Write one expression, for instance `lower(mail)`."));
    }
    confine::expression(&expr)?;
    keys::bind(&mut expr, keys)?;
    Ok(expr)
}

/// The statement that puts out columns of a row, those with an expression computed.
///
/// # Errors
/// As [`expression`], naming the column.
pub(crate) fn row(columns: &[(String, Option<String>)], keys: &BTreeSet<String>) -> Result<Statement> {
    let mut statement = statement("SELECT 1 FROM levada.row")?.statement;
    let items = columns.iter().map(|(name, text)| {
        let alias = Ident::with_quote('"', name);
        Ok(match text {
            None => SelectItem::UnnamedExpr(Expr::Identifier(alias)),
            Some(text) => SelectItem::ExprWithAlias { expr: expression(text, keys).at(format!("`{name}`"))?, alias },
        })
    });
    let items = items.collect::<Result<Vec<_>>>()?;
    if let Statement::Query(query) = &mut statement
        && let SetExpr::Select(select) = query.body.as_mut()
    {
        select.projection = items;
    }
    Ok(statement)
}

/// An error at a place of the text.
pub(crate) fn refusal(at: Location, what: impl AsRef<str>) -> Error {
    let what = what.as_ref();
    if at.line == 0 {
        return Error::new(ErrorKind::Config, what);
    }
    Error::new(ErrorKind::Config, format!("line {}, column {}: {what}", at.line, at.column))
}

/// A parser of a text that is not too large.
fn parser(sql: &str) -> Result<Parser<'static>> {
    if sql.len() > BYTES_MAX {
        return Err(too_large(&format!("is {} bytes long, and at most {BYTES_MAX} are allowed", sql.len())));
    }
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, sql)
        .tokenize_with_location()
        .map_err(|error| refusal(error.location, format!("this is no SQL: {}", error.message)))?;
    limit(&tokens)?;
    let parser = Parser::new(&PostgreSqlDialect {}).with_recursion_limit(RECURSION_MAX);
    Ok(parser.with_tokens_with_locations(tokens))
}

fn too_large(what: &str) -> Error {
    Error::new(ErrorKind::Config, format!("the query {what}"))
        .advise("Put long lists of values into a stream and join it, and split the query.")
}

fn limit(tokens: &[TokenWithSpan]) -> Result<()> {
    let solid = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).count();
    if solid > TOKENS_MAX {
        return Err(too_large(&format!("has {solid} words and signs, and at most {TOKENS_MAX} are allowed")));
    }
    let mut depth = 0_usize;
    for token in tokens {
        match token.token {
            Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
            Token::RParen | Token::RBracket | Token::RBrace => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > NESTING_MAX {
            return Err(too_deep(token.span.start));
        }
    }
    Ok(())
}

/// The error for what is nested too deep.
pub(crate) fn too_deep(at: Location) -> Error {
    refusal(at, "the query is nested too deep here")
        .advise("Write the parts as WITH queries; put long lists of values into IN or into a stream.")
}

/// The parser says the place at the end of its sentence.
fn told(error: ParserError) -> Error {
    let message = match error {
        ParserError::RecursionLimitExceeded => return too_deep(Location { line: 0, column: 0 }),
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => message,
    };
    let place = message.rsplit_once(" at Line: ").and_then(|(what, place)| {
        let (line, column) = place.split_once(", Column: ")?;
        Some((what.to_owned(), Location { line: line.parse().ok()?, column: column.trim().parse().ok()? }))
    });
    match place {
        Some((what, at)) => refusal(at, format!("this is no SQL: {what}")),
        None => Error::new(ErrorKind::Config, format!("this is no SQL: {message}")),
    }
    .advise("Correct the query.")
}
