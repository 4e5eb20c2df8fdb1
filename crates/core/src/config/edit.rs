//! Changes an entry of a YAML text and leaves every other character as it is: comments, order, blank lines. Works on whole
//! lines, by the marks of the parser; the result is parsed again, and refused unless it says just what was meant.

use serde_json::{Map, Value as Json};

use super::yaml::{self, Key, Node, Value};
use crate::error::{Error, ErrorKind, Result};

#[cfg(test)]
mod tests;

/// How much deeper a new mapping stands.
const INDENT: usize = 2;

/// Makes the entry under a path of keys say a value. Mappings on the way are made where they are missing; where the entry
/// and the value are both mappings, only what differs between them is touched.
///
/// # Errors
/// `Config` for a text that is no YAML; `Refused` where it is written in a way that cannot be changed in place.
pub fn set(file: &str, text: &str, path: &[&str], value: &Json) -> Result<String> {
    let before = tree(file, text)?;
    let mut wanted = before.to_json();
    put(&mut wanted, path, value.clone());
    let mut changed = text.to_owned();
    for (path, value) in differences(&before, path, value) {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        changed = match value {
            Some(value) => Page::new(file, &changed)?.set(&path, value)?,
            None => Page::new(file, &changed)?.remove(&path)?,
        };
    }
    verified(file, changed, &wanted)
}

/// Takes the entry under a path of keys out; nothing happens where there is none.
///
/// # Errors
/// As of [`set`].
pub fn remove(file: &str, text: &str, path: &[&str]) -> Result<String> {
    let before = tree(file, text)?;
    if before.find(path).is_none() {
        return Ok(text.to_owned());
    }
    let mut wanted = before.to_json();
    take(&mut wanted, path);
    let changed = Page::new(file, text)?.remove(path)?;
    verified(file, changed, &wanted)
}

/// A YAML scalar that means just this text.
pub fn scalar(text: &str) -> String {
    let mut chars = text.chars();
    let plain = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/'))
        && !matches!(text.to_ascii_lowercase().as_str(), "true" | "false" | "null" | "yes" | "no" | "on" | "off");
    if plain {
        return text.to_owned();
    }
    // what JSON leaves as it is and YAML does not print
    let is_hidden =
        |c: &char| matches!(c, '\u{7f}'..='\u{a0}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}');
    let quoted = Json::from(text).to_string();
    let escaped = |c: char| if is_hidden(&c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    quoted.chars().map(escaped).collect()
}

/// The only document of a text; an empty mapping if it says nothing.
fn tree(file: &str, text: &str) -> Result<Node> {
    let mut documents = yaml::parse(file, text)?;
    if documents.len() > 1 {
        return Err(refused(file, "the file holds several documents"));
    }
    Ok(documents.pop().unwrap_or(Node { mark: yaml::Mark::default(), value: Value::Map(Vec::new()) }))
}

fn refused(file: &str, why: &str) -> Error {
    Error::new(ErrorKind::Refused, format!("{why}, and cannot be changed in place"))
        .at(file)
        .advise("Change the document by hand.")
}

/// That the text says what was meant, and nothing else.
fn verified(file: &str, text: String, wanted: &Json) -> Result<String> {
    let is_meant = tree(file, &text).is_ok_and(|tree| tree.to_json() == *wanted);
    if is_meant { Ok(text) } else { Err(refused(file, "the entry is written in an unusual way")) }
}

fn put(tree: &mut Json, path: &[&str], value: Json) {
    let Some((key, rest)) = path.split_first() else { return *tree = value };
    if !tree.is_object() {
        *tree = Json::Object(Map::new());
    }
    if let Some(map) = tree.as_object_mut() {
        put(map.entry(*key).or_insert(Json::Null), rest, value);
    }
}

fn take(tree: &mut Json, path: &[&str]) {
    let Some((last, way)) = path.split_last() else { return };
    let parent = way.iter().try_fold(tree, |tree, key| tree.get_mut(key));
    if let Some(map) = parent.and_then(Json::as_object_mut) {
        map.remove(*last);
    }
}

/// The entries to set, or to take out, that make one at a path say a value.
fn differences<'a>(tree: &Node, path: &[&str], value: &'a Json) -> Vec<(Vec<String>, Option<&'a Json>)> {
    let owned = || path.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
    let (Some(old), Json::Object(new)) = (tree.find(path), value) else { return vec![(owned(), Some(value))] };
    if old.to_json() == *value {
        return Vec::new();
    }
    let Value::Map(entries) = &old.value else { return vec![(owned(), Some(value))] };
    // nothing of it would be left to stand beside
    if !entries.iter().any(|(key, _)| new.contains_key(&key.text)) {
        return vec![(owned(), Some(value))];
    }
    let mut found = Vec::new();
    for (key, value) in new {
        let path: Vec<&str> = path.iter().copied().chain([key.as_str()]).collect();
        match old.get(key) {
            Some(old) if old.to_json() == *value => {}
            _ => found.extend(differences(tree, &path, value)),
        }
    }
    let gone = entries.iter().filter(|(key, _)| !new.contains_key(&key.text));
    found.extend(gone.map(|(key, _)| (owned().into_iter().chain([key.text.clone()]).collect(), None)));
    found
}

/// A text in lines, with what the parser makes of it.
struct Page<'a> {
    file: &'a str,
    lines: Vec<&'a str>,
    newline: &'static str,
    root: Node,
    /// Where its document ends.
    end: usize,
}

/// A mapping with a key on each line, and the line it ends before.
struct Block<'n> {
    entries: &'n [(Key, Node)],
    indent: usize,
    end: usize,
}

impl<'a> Page<'a> {
    fn new(file: &'a str, text: &'a str) -> Result<Self> {
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let root = tree(file, text)?;
        let is_marker = |line: &&str| line.starts_with("---") || line.starts_with("...");
        let first = root.mark.line.saturating_sub(1) as usize;
        let end = lines.iter().skip(first).position(is_marker).map_or(lines.len(), |at| first + at);
        Ok(Self { file, lines, newline, root, end })
    }

    fn set(&self, path: &[&str], value: &Json) -> Result<String> {
        let Some(mut block) = self.block(&self.root, self.end) else {
            return match self.root.len() {
                0 => Ok(self.insert(self.end, &entry(0, path, value))),
                _ => Err(refused(self.file, "the document is written in one line")),
            };
        };
        for (depth, key) in path.iter().enumerate() {
            let rest = &path[depth + 1..];
            let Some(at) = block.entries.iter().position(|(found, _)| found.text == *key) else {
                let last = block.entries.len() - 1;
                let line = self.span(&block, last).end;
                return Ok(self.insert(line, &entry(block.indent, &path[depth..], value)));
            };
            let (span, child) = (self.span(&block, at), &block.entries[at].1);
            if rest.is_empty() {
                return Ok(self.rewrite(&block, at, value.clone()));
            }
            if let Some(inner) = self.block(child, span.end) {
                block = inner;
                continue;
            }
            if child.value == Value::Null && self.rest_of(&block, at).is_some_and(|rest| without_comment(rest) == ":") {
                return Ok(self.insert(span.start + 1, &entry(block.indent + INDENT, rest, value)));
            }
            self.uncommented(&span)?;
            let mut whole = child.to_json();
            put(&mut whole, rest, value.clone());
            return Ok(self.rewrite(&block, at, whole));
        }
        Err(refused(self.file, "there is nothing to change"))
    }

    fn remove(&self, path: &[&str]) -> Result<String> {
        let refuse = || refused(self.file, "the document is written in one line");
        let mut block = self.block(&self.root, self.end).ok_or_else(refuse)?;
        let mut owner: Option<usize> = None;
        for (depth, key) in path.iter().enumerate() {
            let rest = &path[depth + 1..];
            let gone = || refused(self.file, "the entry is not there");
            let at = block.entries.iter().position(|(found, _)| found.text == *key).ok_or_else(gone)?;
            let (span, child) = (self.span(&block, at), &block.entries[at].1);
            if rest.is_empty() {
                let mut lines: Vec<String> = self.lines.iter().map(|line| (*line).to_owned()).collect();
                lines.drain(span);
                if let (1, Some(owner)) = (block.entries.len(), owner) {
                    lines[owner] = self.emptied(owner)?;
                }
                return Ok(lines.concat());
            }
            if let Some(inner) = self.block(child, span.end) {
                owner = Some(span.start);
                block = inner;
                continue;
            }
            self.uncommented(&span)?;
            let mut whole = child.to_json();
            take(&mut whole, rest);
            return Ok(self.rewrite(&block, at, whole));
        }
        Err(refuse())
    }

    /// A value as a mapping whose keys each begin a line.
    fn block<'n>(&self, node: &'n Node, end: usize) -> Option<Block<'n>> {
        let Value::Map(entries) = &node.value else { return None };
        let column = entries.first()?.0.mark.column;
        let begins = |key: &Key| {
            let line = self.lines.get((key.mark.line as usize).checked_sub(1)?)?;
            let before: String = line.chars().take((key.mark.column as usize).checked_sub(1)?).collect();
            Some(before.chars().all(|c| c == ' ') && key.mark.column == column)
        };
        let in_braces = self.at(node.mark).is_some_and(|rest| rest.starts_with(['{', '*', '&', '!']));
        let is_block = !in_braces && entries.iter().all(|(key, _)| begins(key) == Some(true));
        is_block.then(|| Block { entries, indent: column as usize - 1, end })
    }

    /// The rest of a line from a place on.
    fn at(&self, mark: yaml::Mark) -> Option<&'a str> {
        let line = self.lines.get((mark.line as usize).checked_sub(1)?)?;
        let (at, _) = line.char_indices().nth((mark.column as usize).checked_sub(1)?)?;
        line.get(at..)
    }

    /// What stands behind the key of an entry on its line.
    fn rest_of(&self, block: &Block<'_>, at: usize) -> Option<&'a str> {
        let line = self.at(block.entries[at].0.mark)?;
        let quote = line.chars().next().filter(|c| matches!(c, '"' | '\''));
        let end = match quote {
            Some(quote) => line[1..].find(quote)? + 2,
            None => line
                .find(": ")
                .or_else(|| line.trim_end().len().checked_sub(1).filter(|at| line[*at..].starts_with(':')))?,
        };
        line.get(end..)
    }

    /// The lines of an entry. Comments and blank lines before the next one are not its.
    fn span(&self, block: &Block<'_>, at: usize) -> std::ops::Range<usize> {
        let line = |key: &Key| key.mark.line as usize - 1;
        let start = line(&block.entries[at].0);
        let mut end = block.entries.get(at + 1).map_or(block.end, |(next, _)| line(next));
        let is_outside = |line: &str| {
            let text = line.trim_start_matches(' ');
            text.trim().is_empty() || (text.starts_with('#') && line.len() - text.len() <= block.indent)
        };
        while end > start + 1 && is_outside(self.lines[end - 1]) {
            end -= 1;
        }
        start..end
    }

    /// The text with lines before one of its own.
    fn insert(&self, at: usize, entry: &[String]) -> String {
        let mut text = self.lines[..at].concat();
        if !text.is_empty() && !text.ends_with('\n') {
            text.push_str(self.newline);
        }
        entry.iter().for_each(|line| text.extend([line, self.newline]));
        text.push_str(&self.lines[at..].concat());
        text
    }

    /// The text with an entry that says something else; a comment behind a single value stays.
    fn rewrite(&self, block: &Block<'_>, at: usize, value: Json) -> String {
        let (span, (key, child)) = (self.span(block, at), &block.entries[at]);
        let mut lines = entry(block.indent, &[&key.text], &value);
        let comment = if span.len() == 1 { self.at(child.mark).and_then(comment) } else { None };
        if let ([line], Some(comment)) = (lines.as_mut_slice(), comment) {
            line.push_str(comment);
        }
        let mut text = self.lines[..span.start].concat();
        for (count, line) in lines.iter().enumerate() {
            text.push_str(line);
            let is_last = count + 1 == lines.len() && span.end == self.lines.len();
            if !is_last || self.lines.last().is_some_and(|line| line.ends_with('\n')) {
                text.push_str(self.newline);
            }
        }
        text.push_str(&self.lines[span.end..].concat());
        text
    }

    /// Refuses to write something anew in which a comment would be lost.
    fn uncommented(&self, span: &std::ops::Range<usize>) -> Result<()> {
        match self.lines[span.clone()].iter().any(|line| line.contains('#')) {
            true => Err(refused(self.file, "the mapping is written in braces, with a comment in it")),
            false => Ok(()),
        }
    }

    /// The line of a key whose mapping has lost its last entry.
    fn emptied(&self, line: usize) -> Result<String> {
        let line = self.lines[line];
        let said = without_comment(line);
        match said.ends_with(':') {
            true => Ok(format!("{said} {{}}{}", &line[said.len()..])),
            false => Err(refused(self.file, "the mapping has an anchor or a tag")),
        }
    }
}

/// The comment behind a value that stands on one line, with the blanks before it.
fn comment(rest: &str) -> Option<&str> {
    let rest = rest.trim_end();
    let end = match rest.chars().next()? {
        '"' => {
            let mut is_escaped = false;
            let closes = |c: char| {
                let closes = c == '"' && !is_escaped;
                is_escaped = c == '\\' && !is_escaped;
                closes
            };
            rest[1..].find(closes)? + 2
        }
        '\'' => {
            let mut at = 1;
            loop {
                at += rest[at..].find('\'')? + 1;
                match rest[at..].starts_with('\'') {
                    true => at += 1,
                    false => break at,
                }
            }
        }
        '{' | '[' | '|' | '>' | '&' | '*' | '!' => return None,
        '#' => 0,
        _ => rest[..rest.find(" #")?].trim_end().len(),
    };
    let behind = rest.get(end..)?;
    behind.trim_start().starts_with('#').then_some(behind)
}

fn without_comment(line: &str) -> &str {
    let said = line.trim_end();
    let end = said.find(" #").unwrap_or(said.len());
    said[..end].trim_end()
}

/// The lines of an entry under a path of keys.
fn entry(indent: usize, path: &[&str], value: &Json) -> Vec<String> {
    let mut lines = Vec::new();
    let Some((last, way)) = path.split_last() else { return lines };
    for (depth, key) in way.iter().enumerate() {
        lines.push(format!("{:1$}{2}:", "", indent + depth * INDENT, scalar(key)));
    }
    write(&mut lines, indent + way.len() * INDENT, last, value);
    lines
}

fn write(lines: &mut Vec<String>, indent: usize, key: &str, value: &Json) {
    let key = scalar(key);
    match value {
        Json::Object(map) if !map.is_empty() => {
            lines.push(format!("{:indent$}{key}:", ""));
            map.iter().for_each(|(key, value)| write(lines, indent + INDENT, key, value));
        }
        Json::String(text) => lines.push(format!("{:indent$}{key}: {}", "", scalar(text))),
        // JSON is YAML
        other => lines.push(format!("{:indent$}{key}: {other}", "")),
    }
}
