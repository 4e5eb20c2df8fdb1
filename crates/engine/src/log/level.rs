//! How serious a line of a log is, by the words that programs use: logs have no field for it.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Stream;

/// Words that tell a level stand near the beginning of a line: no more bytes of it are looked at.
const LOOKED_AT: usize = 200;
/// What Levada's own line about a failed attempt begins with.
const FAILED: &str = "failed: ";

/// How serious a line is, from least to most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Says no level, or one below a warning.
    #[default]
    Info,
    /// A warning.
    Warn,
    /// An error.
    Error,
}

impl Level {
    /// The level of what a line of a stream says. That something is on the standard error tells none: programs write there
    /// how far they are.
    pub fn of(stream: Stream, text: &str) -> Self {
        if stream == Stream::Sys && text.starts_with(FAILED) {
            return Self::Error;
        }
        let start = plain(text.get(..text.floor_char_boundary(LOOKED_AT)).unwrap_or_default());
        let (mut level, mut before) = (Self::Info, "");
        for (place, word) in words(&start) {
            let (ahead, behind) = (&start[..place], &start[place + word.len()..]);
            let is_value = ["level", "lvl", "severity"].iter().any(|key| before.eq_ignore_ascii_case(key));
            let is_boxed = ahead.ends_with('[') && behind.starts_with(']');
            level = level.max(match is_value || is_boxed {
                true => Self::named(word),
                false => Self::told(word, ahead.trim().is_empty(), behind),
            });
            before = word;
        }
        level
    }

    /// The level that a word tells by itself, by whether it is the first and by what follows it.
    fn told(word: &str, is_first: bool, behind: &str) -> Self {
        let is_title = behind.starts_with(|c: char| matches!(c, ':' | '(') || c.is_whitespace());
        match word {
            "ERROR" | "FATAL" | "CRITICAL" | "PANIC" | "SEVERE" => Self::Error,
            "error" if is_first => Self::Error,
            "Error" | "error" | "Exception" | "exception" | "Traceback" | "traceback" if is_title => Self::Error,
            "WARN" | "WARNING" => Self::Warn,
            "Warning" | "warning" if is_first && is_title => Self::Warn,
            _ => Self::Info,
        }
    }

    /// The level that goes by a name, as in `level=warn`, `"severity":"ERROR"` or `[error]`.
    fn named(name: &str) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "error" | "err" | "fatal" | "critical" | "panic" | "severe" | "emergency" | "alert" => Self::Error,
            "warn" | "warning" => Self::Warn,
            _ => Self::Info,
        }
    }
}

/// The words of a text with their places.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut place = 0;
    text.split_inclusive(|c: char| !is_of_word(c)).filter_map(move |part| {
        let start = place;
        place += part.len();
        let word = part.trim_end_matches(|c| !is_of_word(c));
        (!word.is_empty()).then_some((start, word))
    })
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// What a text says, without the codes that colour it in a terminal.
fn plain(text: &str) -> Cow<'_, str> {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default();
    if first.len() == text.len() {
        return Cow::Borrowed(text);
    }
    let behind = |part: &str| {
        let code = part.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
        code.chars().skip(1).collect::<String>()
    };
    Cow::Owned(std::iter::once(first.to_owned()).chain(parts.map(behind)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_the_words_that_programs_use() {
        for (text, level) in [
            ("2026 WARN pool is full", Level::Warn),
            ("WARNING: deprecated", Level::Warn),
            ("  warning: unused", Level::Warn),
            ("no warning: here", Level::Info),
            ("Traceback (most recent call last):", Level::Error),
            ("error[E0425]: no such thing", Level::Error),
            ("psql: error: no server", Level::Error),
            ("ValueError: bad", Level::Info),
            ("no errors were found", Level::Info),
            ("WARN then ERROR", Level::Error),
            ("\u{1b}[33mWARN\u{1b}[0m pool is full", Level::Warn),
            ("\u{1b}[1;31merror\u{1b}[0m: no place left", Level::Error),
            ("\u{1b}[", Level::Info),
            ("ts=1 level=warn msg=x", Level::Warn),
            ("2026/01/01 [error] 7#0: no such file", Level::Error),
            ("[Warning] and [other]", Level::Warn),
            (r#"{"level":"error","msg":"x"}"#, Level::Error),
            (r#"{"severity": "INFO", "msg": "fine"}"#, Level::Info),
            ("failed: no place left", Level::Info),
            ("", Level::Info),
        ] {
            assert_eq!(Level::of(Stream::Out, text), level, "{text:?}");
        }
        assert_eq!(Level::of(Stream::Sys, "failed: no place left"), Level::Error);
    }

    #[test]
    fn only_the_beginning_of_a_line_is_looked_at() {
        assert_eq!(Level::of(Stream::Out, &format!("{} ERROR", "ä".repeat(99))), Level::Info);
        assert_eq!(Level::of(Stream::Out, &format!("{} ERROR", "ä".repeat(90))), Level::Error);
    }
}
