//! Queries with parameters written as `:name`: where they stand is told apart from texts, quoted names, comments and casts,
//! so that a value is bound in their place and never becomes a part of the query.

/// A piece of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// SQL as written.
    Sql(String),
    /// The place of a parameter.
    Param(String),
}

/// A query with the places of its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement(pub Vec<Piece>);

impl Statement {
    /// Reads a query. `'texts'`, `"names"`, `` `names` ``, `[names]` after a blank or point, `-- comments`,
    /// `/* comments */` and `$tag$texts$tag$` are left alone, and so is `::`.
    pub fn parse(sql: &str) -> Self {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = sql;
        while let Some(first) = rest.chars().next() {
            let length = match first {
                '\'' | '"' | '`' => quoted(rest, first),
                '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
                '/' if rest.starts_with("/*") => rest[2..].find("*/").map_or(rest.len(), |at| at + 4),
                '$' => dollars(rest),
                ':' if rest.starts_with("::") => 2,
                ':' => match name(&rest[1..]) {
                    "" => 1,
                    name => {
                        pieces.push(Piece::Sql(std::mem::take(&mut plain)));
                        pieces.push(Piece::Param(name.to_owned()));
                        rest = &rest[1 + name.len()..];
                        continue;
                    }
                },
                _ => first.len_utf8(),
            };
            plain.push_str(&rest[..length]);
            rest = &rest[length..];
        }
        pieces.push(Piece::Sql(plain));
        Self(pieces)
    }

    /// The names of the parameters, as often as they stand there.
    pub fn params(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Param(name) => Some(name.as_str()),
            Piece::Sql(_) => None,
        })
    }

    /// The query with something in the place of each parameter.
    pub fn with(&self, mut place: impl FnMut(&str) -> String) -> String {
        let text = |piece: &Piece| match piece {
            Piece::Sql(sql) => sql.clone(),
            Piece::Param(name) => place(name),
        };
        self.0.iter().map(text).collect()
    }
}

/// How long a quoted text is, quotes included. A doubled quote ends one text and starts the next, which is all the same.
fn quoted(text: &str, quote: char) -> usize {
    text[1..].find(quote).map_or(text.len(), |at| at + 2)
}

/// How long `$tag$ .. $tag$` is, or the dollar alone.
fn dollars(text: &str) -> usize {
    let tag = name(&text[1..]);
    let Some(body) = text[1 + tag.len()..].strip_prefix('$') else { return 1 };
    let mark = &text[..tag.len() + 2];
    body.find(mark).map_or(text.len(), |at| at + 2 * mark.len())
}

/// The word that a text starts with.
fn name(text: &str) -> &str {
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
    if starts { &text[..end] } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(sql: &str) -> Vec<String> {
        Statement::parse(sql).params().map(str::to_owned).collect()
    }

    #[test]
    fn parameters_are_told_from_what_only_looks_like_them() {
        assert_eq!(params("SELECT :a, x::text, ':b' \":c\" `:d` -- :e\n, :f /* :g */ = :a"), ["a", "f", "a"]);
        assert_eq!(params("SELECT 'it''s :x', $$ :y $$, $t$ :z $$ :z $t$, :w"), ["w"]);
        assert_eq!(params("SELECT a[1:2], b[:n:3], :1, $1, time '12:30:00', 12:30"), ["n"]);
        assert_eq!(params("SELECT 'open :a"), Vec::<String>::new());
        assert_eq!(params("/* open :a"), Vec::<String>::new());
        assert_eq!(params("SELECT :größe"), ["gr"]);
    }

    #[test]
    fn everything_else_stays_as_it_is() {
        for sql in ["SELECT ':a' -- b\n, $x$ :c $x$ ; '", "", "é'ü", "$", "::", ":"] {
            assert_eq!(Statement::parse(sql).with(|_| "?".to_owned()), sql);
        }
        assert_eq!(Statement::parse("a = :a OR b = :b").with(|name| format!("<{name}>")), "a = <a> OR b = <b>");
    }
}
