//! How names and values get into SQL text: one quoting function for identifiers, one for literals, and the reading of a
//! `schema.table` name as people write it. Nothing else in this connector puts a name or value into a statement.

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::naming;

/// A quoted identifier.
pub fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A quoted `schema.table`.
pub fn qualified(schema: &str, table: &str) -> String {
    format!("{}.{}", ident(schema), ident(table))
}

/// A list of quoted identifiers.
pub fn idents<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> String {
    names.into_iter().map(|name| ident(name.as_ref())).collect::<Vec<_>>().join(", ")
}

/// A quoted string literal, safe whatever `standard_conforming_strings` says.
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!(" E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// The unambiguous name of a stream: `schema.table`, its parts quoted where they hold a dot, a quote or a wildcard.
pub fn stream_name(schema: &str, table: &str) -> String {
    let part = |name: &str| {
        if name.is_empty() || name.contains(['.', '"']) || naming::is_wildcard(name) {
            ident(name)
        } else {
            name.to_owned()
        }
    };
    format!("{}.{}", part(schema), part(table))
}

/// What a selector or target name denotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// A table in a schema.
    Full(String, String),
    /// A table somewhere on the search path.
    Bare(String),
    /// A pattern over `schema.table`.
    Pattern(String),
}

/// Reads `table`, `schema.table`, `"odd.schema"."odd table"` or a wildcard.
///
/// # Errors
/// `Config` for a name with more than two parts or an open quote.
pub fn parse_name(text: &str) -> Result<Name> {
    let is_plain = !text.contains('"');
    let is_outside = naming::is_wildcard(text) && outside_quotes(text).contains(['*', '?']);
    if naming::is_wildcard(text) && (is_plain || is_outside) {
        return Ok(Name::Pattern(text.to_owned()));
    }
    let bad = |what: &str| {
        Error::new(ErrorKind::Config, format!("`{text}` {what}"))
            .advise("Write `schema.table`, and put parts that hold a dot or a quote in double quotes.")
    };
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        let part = if let Some(quoted) = rest.strip_prefix('"') {
            let (part, after) = unquote(quoted).ok_or_else(|| bad("has an open quote"))?;
            rest = after;
            part
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            let part = rest[..end].to_owned();
            rest = &rest[end..];
            part
        };
        parts.push(part);
        match rest.strip_prefix('.') {
            Some(after) => rest = after,
            None if rest.is_empty() => break,
            None => return Err(bad("has text after a closing quote")),
        }
    }
    let mut parts = parts.into_iter();
    match (parts.next(), parts.next(), parts.next()) {
        (Some(table), None, _) if !table.is_empty() => Ok(Name::Bare(table)),
        (Some(schema), Some(table), None) if !schema.is_empty() && !table.is_empty() => Ok(Name::Full(schema, table)),
        _ => Err(bad("is not the name of a table")),
    }
}

/// What of a name is not between double quotes, where a wildcard character is an ordinary one.
fn outside_quotes(text: &str) -> String {
    text.split('"').step_by(2).collect()
}

fn unquote(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c != '"' {
            name.push(c);
        } else if chars.next_if(|(_, next)| *next == '"').is_some() {
            name.push('"');
        } else {
            return Some((name, &text[at + 1..]));
        }
    }
    None
}

/// Whether a text can only be read as the name of a type (`numeric(10,2)`, `public."Odd Type"[]`). The server decides
/// whether there is such a type; this keeps everything else from ever reaching a statement.
pub fn is_type_name(text: &str) -> bool {
    let mut depth = 0_i32;
    let mut quoted = false;
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            '\0' => return false,
            _ if quoted => {}
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' | '-' if depth == 1 => {}
            '_' | ' ' | '.' | '[' | ']' => {}
            _ if c.is_alphanumeric() => {}
            _ => return false,
        }
        if !(0..=1).contains(&depth) {
            return false;
        }
    }
    !text.is_empty() && !quoted && depth == 0 && !text.contains("--")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_read_back_from_their_stream_name() {
        for (schema, table) in [("public", "orders"), ("a.b", "c\"d"), ("x", "all*"), ("S", "user Id 😀")] {
            let name = stream_name(schema, table);
            assert_eq!(parse_name(&name).unwrap(), Name::Full(schema.to_owned(), table.to_owned()), "{name}");
        }
        assert_eq!(parse_name("orders").unwrap(), Name::Bare("orders".to_owned()));
        for pattern in ["public.dim_*", "\"a.b\".*", "*.\"c d\""] {
            assert_eq!(parse_name(pattern).unwrap(), Name::Pattern(pattern.to_owned()));
        }
        assert!(parse_name("a.b.c").is_err() && parse_name("\"a").is_err() && parse_name("").is_err());
    }

    #[test]
    fn only_type_names_pass_as_such() {
        for good in
            ["numeric(10,2)", "numeric(2,-3)", "time(3) without time zone", "public.\"a;b\"[]", "geometry(Point,4326)"]
        {
            assert!(is_type_name(good), "{good}");
        }
        for bad in ["int; drop table x", "int), x int", "int -- x", "'a'", "", "int/**/", "\"open"] {
            assert!(!is_type_name(bad), "{bad}");
        }
    }
}
