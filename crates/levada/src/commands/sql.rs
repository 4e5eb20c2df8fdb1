//! `levada sql`: queries over the streams of all connections. One statement, those of standard input, or a shell.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Read as _};
use std::path::PathBuf;

use levada_core::config::SQL_MEMORY_BYTES_DEFAULT;
use levada_core::config::amount::parse_bytes;
use levada_core::error::{Context as _, Error, ErrorKind};
use levada_core::text;
use levada_engine::browse;
use levada_engine::queries::{self, Asked};
use serde_json::{Value as Json, json};

use super::{Context, Errors, Outcome, block_on, one, preview};
use crate::cli::SqlArgs;
use crate::project::Project;
use crate::typed;

/// Most bytes of statements that are piped in.
const BYTES_MAX: u64 = 16 << 20;
/// What the shell says first.
const HELLO: &str = "Statements end with `;`. `.tables` lists streams, `.quit` ends.";

/// Executes statements and shows their results.
pub fn execute(context: &Context, args: &SqlArgs) -> Outcome {
    let shell = Shell::new(context, args)?;
    if let Some(statement) = &args.statement {
        let statements = split(statement);
        let [(one, _)] = statements.as_slice() else {
            let error = Error::new(ErrorKind::Usage, format!("there are {} statements", statements.len()));
            return Err(vec![error.advise("Give one; several can be piped in.")]);
        };
        return shell.statement(one).map(|()| 0);
    }
    if std::io::stdin().is_terminal() {
        return shell.interact();
    }
    let mut text = String::new();
    std::io::stdin().lock().take(BYTES_MAX + 1).read_to_string(&mut text).at("standard input").map_err(one)?;
    if text.len() as u64 > BYTES_MAX {
        return Err(one(Error::new(ErrorKind::Usage, format!("there are more than {} MiB of SQL", BYTES_MAX >> 20))));
    }
    split(&text).into_iter().try_for_each(|(statement, _)| shell.statement(&statement))?;
    Ok(0)
}

/// What executes statements.
struct Shell<'a> {
    context: &'a Context,
    project: Project,
    params: BTreeMap<String, Json>,
    limit: usize,
    memory_bytes: u64,
}

impl<'a> Shell<'a> {
    fn new(context: &'a Context, args: &SqlArgs) -> Result<Self, Errors> {
        let memory_bytes = args.memory.as_deref().map(parse_bytes).transpose().map_err(|message| {
            let message = message.lines().next().unwrap_or_default().to_owned();
            one(Error::new(ErrorKind::Usage, message).at("--memory").advise("Write for instance `512MB`."))
        })?;
        let params = args.params.iter().map(|(name, value)| (name.clone(), value_of(value))).collect();
        let memory_bytes = memory_bytes.unwrap_or(SQL_MEMORY_BYTES_DEFAULT);
        Ok(Self { context, project: context.project()?, params, limit: args.limit, memory_bytes })
    }

    /// Asks for statements until there are no more. One that fails does not end it.
    fn interact(&self) -> Outcome {
        self.context.output.note(HELLO);
        let mut text = String::new();
        loop {
            let prompt = if text.is_empty() { "levada> " } else { "   ...> " };
            let Some(line) = block_on(async { typed::next_line(prompt).await.map_err(one) })? else { return Ok(0) };
            match line.trim() {
                "" if text.is_empty() => continue,
                ".quit" | ".exit" if text.is_empty() => return Ok(0),
                ".tables" if text.is_empty() => {
                    self.tables();
                    continue;
                }
                _ => {}
            }
            text.push_str(&line);
            text.push('\n');
            let mut statements = split(&text);
            text = match statements.pop_if(|(_, ended)| !*ended) {
                Some((open, _)) => open + "\n",
                None => String::new(),
            };
            for (statement, _) in statements {
                match self.statement(&statement) {
                    Err(errors) if errors.iter().any(|error| error.kind() == ErrorKind::Interrupted) => {
                        return Err(errors);
                    }
                    Err(errors) => drop(self.context.output.errors(&errors)),
                    Ok(()) => {}
                }
            }
        }
    }

    /// Executes a statement and shows its first rows.
    fn statement(&self, sql: &str) -> Result<(), Errors> {
        let asked = Asked { sql, params: &self.params, memory_bytes: self.memory_bytes };
        let spill = Spill::new();
        let opened = queries::open(self.project.registry(), asked, spill.0.clone(), |name| self.project.open(name))?;
        let found = block_on(async {
            // one more tells whether there are more
            browse::preview(opened.connection, None, self.limit.saturating_add(1)).await.map_err(one)
        })?;
        let mut rows = preview::shown(found);
        let is_cut = rows.rows.len() > self.limit;
        rows.rows.truncate(self.limit);
        let output = self.context.output;
        if output.is_json() {
            output.json(&json!({ "columns": rows.columns, "rows": rows.rows, "cut": is_cut }));
        } else {
            preview::show(self.context, &rows);
        }
        if is_cut {
            output.note(&format!(
                "the first {}; there are more: raise `--limit`",
                text::counted(self.limit as u64, "row")
            ));
        }
        if rows.rejected > 0 {
            output.note(&format!("{} could not be represented", text::counted(rows.rejected, "row")));
        }
        Ok(())
    }

    /// Lists what can be read.
    fn tables(&self) {
        for connection in &self.project.shared.connections {
            let streams = self.project.open_named(connection).and_then(|opened| {
                let source = opened.connection.source().map_err(one)?;
                block_on(async { source.discover(None).await.map_err(one) })
            });
            match streams {
                Ok(streams) => {
                    streams
                        .iter()
                        .for_each(|info| self.context.output.line(&format!("{}.{}", connection.name, info.name)));
                }
                Err(errors) => drop(self.context.output.errors(&errors)),
            }
        }
    }
}

/// A folder of its own for what a query cannot keep in memory, gone with this.
struct Spill(PathBuf);

impl Spill {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("levada-sql-{}", uuid::Uuid::new_v4().simple())))
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The value of a parameter as it is given: what JSON takes for a number, a boolean, null or a text in quotes is that, and
/// everything else a text.
fn value_of(text: &str) -> Json {
    // a whole number of more digits than fit would become another one
    let is_kept = |value: &Json| !value.is_f64() || text.contains(['.', 'e', 'E']);
    let is_one = |value: &Json| !value.is_array() && !value.is_object() && is_kept(value);
    let value = serde_json::from_str(text).ok().filter(is_one);
    value.unwrap_or_else(|| Json::String(text.to_owned()))
}

/// The statements of a text, without the `;` behind each, and whether it was there; empty ones are left out. Those in quotes
/// and comments end nothing.
fn split(text: &str) -> Vec<(String, bool)> {
    let (mut found, mut start, mut says_something) = (Vec::new(), 0, false);
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match (c, chars.peek().map(|(_, next)| *next)) {
            (';', _) => {
                if says_something {
                    found.push((text[start..at].trim().to_owned(), true));
                }
                (start, says_something) = (at + 1, false);
            }
            ('\'' | '"' | '`', _) => {
                says_something = true;
                // a doubled quote ends one text and starts another, which comes to the same
                for (_, inner) in chars.by_ref() {
                    if inner == c {
                        break;
                    }
                }
            }
            ('-', Some('-')) => {
                for (_, inner) in chars.by_ref() {
                    if inner == '\n' {
                        break;
                    }
                }
            }
            ('/', Some('*')) => skip_comment(&mut chars),
            (c, _) => says_something |= !c.is_whitespace(),
        }
    }
    if says_something {
        found.push((text[start..].trim().to_owned(), false));
    }
    found
}

/// Skips a comment, and those within it.
fn skip_comment(chars: &mut std::iter::Peekable<std::str::CharIndices<'_>>) {
    let mut depth = 1_u32;
    chars.next();
    while let Some((_, c)) = chars.next() {
        match (c, chars.peek().map(|(_, next)| *next)) {
            ('/', Some('*')) => {
                depth += 1;
                chars.next();
            }
            ('*', Some('/')) => {
                depth -= 1;
                chars.next();
            }
            _ => {}
        }
        if depth == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statements(text: &str) -> Vec<String> {
        split(text)
            .into_iter()
            .map(|(statement, ended)| format!("{statement}{}", if ended { ";" } else { "" }))
            .collect()
    }

    #[test]
    fn a_statement_ends_at_a_semicolon_that_is_no_text() {
        assert_eq!(statements("SELECT 1; SELECT 2"), ["SELECT 1;", "SELECT 2"]);
        assert_eq!(statements("SELECT ';' AS \"a;b\", 'it''s;' ; x"), ["SELECT ';' AS \"a;b\", 'it''s;';", "x"]);
        assert_eq!(
            statements("-- one; two\nSELECT 1 /* a; /* b; */ c; */ + 1;"),
            ["-- one; two\nSELECT 1 /* a; /* b; */ c; */ + 1;"]
        );
        assert_eq!(statements(" ;; -- nothing\n ; /* ; */"), Vec::<String>::new());
        assert_eq!(statements("SELECT 'open; "), ["SELECT 'open;"]);
        assert_eq!(statements("SELECT 1 - 2 / 3 * 4;"), ["SELECT 1 - 2 / 3 * 4;"]);
    }

    #[test]
    fn values_of_parameters_are_what_they_look_like() {
        let wanted = [("5", json!(5)), ("-1.5", json!(-1.5)), ("true", json!(true)), ("null", Json::Null)];
        assert!(wanted.into_iter().all(|(text, value)| value_of(text) == value));
        for text in ["007", "2026-01-01", "123456789012345678901", "O'Hara", "[1]", "{}", ""] {
            assert_eq!(value_of(text), json!(text));
        }
        assert_eq!(value_of("\"5\""), json!("5"));
    }
}
