//! Documents as those see them who may not change them: what stands for a secret in plain is hidden, and everything else is
//! as it was written. What a program or a query says is not looked into.

use serde_json::Value as Json;

use super::credentials::{MASKED, is_telling, replace_secrets_in_address};
use super::{edit, interpolate, yaml};
use crate::error::Result;
use crate::redact::Redactor;

/// The text of a document with [`MASKED`] in place of secrets. `connection` hides those of what a document says of a
/// connection, which takes the schema of its connector.
///
/// # Errors
/// `Config` for a text that is no YAML, or holds secrets too long to be looked for.
pub fn masked(file: &str, text: &str, connection: &dyn Fn(&Json) -> Json) -> Result<String> {
    let documents: Vec<Json> = yaml::parse(file, text)?.iter().map(yaml::Node::to_json).collect();
    let mut found = Found { secrets: Vec::new(), changes: Vec::new() };
    let hidden: Vec<Json> = documents.iter().map(|document| found.document(document, connection)).collect();
    if found.changes.is_empty() {
        return Ok(text.to_owned());
    }
    let changes = &found.changes;
    let edited = changes.iter().try_fold(text.to_owned(), |text, (path, value)| {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        edit::set(file, &text, &path, value)
    });
    // what cannot be changed in place is written anew; JSON is YAML
    let written = edited
        .unwrap_or_else(|_| hidden.iter().map(|document| format!("{document:#}\n")).collect::<Vec<_>>().join("---\n"));
    // the same may stand in a comment
    Ok(Redactor::new(found.secrets.iter().map(String::as_str))?.text(&written).into_owned())
}

/// What is to be hidden.
struct Found {
    secrets: Vec<String>,
    changes: Vec<(Vec<String>, Json)>,
}

impl Found {
    /// Answers the document with its secrets hidden.
    fn document(&mut self, document: &Json, connection: &dyn Fn(&Json) -> Json) -> Json {
        let mut hidden = document.clone();
        each(&mut hidden, &["connections"], |name, value| {
            let masked = connection(value);
            self.differ(value, &masked);
            self.put(&["connections", name], value, masked);
        });
        each(&mut hidden, &["channels"], |name, channel| {
            for way in [&["webhook"][..], &["slack"], &["email", "password"]] {
                self.hide(&[&["channels", name], way].concat(), within(channel, way), true);
            }
        });
        self.hide(&["lineage", "http", "token"], within(&mut hidden, &["lineage", "http", "token"]), true);
        self.hide_in_address(&["lineage", "http", "url"], within(&mut hidden, &["lineage", "http", "url"]));
        each(&mut hidden, &["sync", "keys"], |name, key| self.hide(&["sync", "keys", name], Some(key), true));
        each(&mut hidden, &["tasks"], |task, value| {
            self.hide_in_address(&["tasks", task, "http", "url"], within(value, &["http", "url"]));
            for way in [&["http", "auth", "basic", "password"][..], &["http", "auth", "bearer"]] {
                self.hide(&[&["tasks", task], way].concat(), within(value, way), true);
            }
            each(value, &["sync", "keys"], |name, key| {
                self.hide(&["tasks", task, "sync", "keys", name], Some(key), true)
            });
            for way in [["http", "headers"], ["http", "query"], ["http", "json"], ["command", "env"]] {
                each(value, &way, |name, value| {
                    self.hide(&["tasks", task, way[0], way[1], name], Some(value), is_telling(name));
                });
            }
        });
        hidden
    }

    /// Hides a text that is a secret, unless it says where one is.
    fn hide(&mut self, path: &[&str], value: Option<&mut Json>, is_secret: bool) {
        let Some(value) = value else { return };
        let text = match value {
            Json::String(text) => text.clone(),
            Json::Number(number) => number.to_string(),
            _ => return,
        };
        let says_where = interpolate::names(&text).next().is_some();
        if is_secret && !says_where && !text.is_empty() {
            self.secrets.push(text);
            self.put(path, value, Json::String(MASKED.to_owned()));
        }
    }

    /// Hides the password of a URL, and parameters that are secrets.
    fn hide_in_address(&mut self, path: &[&str], value: Option<&mut Json>) {
        let Some(Json::String(url)) = value else { return };
        let masked = replace_secrets_in_address(url, &Json::Null, &mut |_, secret| {
            self.secrets.push(secret.to_owned());
            Some(MASKED.to_owned())
        });
        self.put(path, &mut Json::String(url.clone()), Json::String(masked.clone()));
        *url = masked;
    }

    fn put(&mut self, path: &[&str], value: &mut Json, masked: Json) {
        if *value != masked {
            self.changes.push((path.iter().map(|key| (*key).to_owned()).collect(), masked.clone()));
            *value = masked;
        }
    }

    /// Notes the texts of settings that were hidden.
    fn differ(&mut self, plain: &Json, masked: &Json) {
        match (plain, masked) {
            (Json::Object(plain), Json::Object(masked)) => {
                for (key, plain) in plain {
                    self.differ(plain, masked.get(key).unwrap_or(&Json::Null));
                }
            }
            // of a URL the part that is not shown
            (Json::String(plain), Json::String(masked)) if plain.contains("://") && plain != masked => {
                self.secrets.extend(parted(plain, masked));
            }
            (Json::String(plain), masked) if masked == MASKED => self.secrets.push(plain.clone()),
            _ => {}
        }
    }
}

/// The parts of a text that stand as [`MASKED`] in another one.
fn parted(plain: &str, masked: &str) -> Vec<String> {
    let mut parts = masked.split(MASKED);
    let mut rest = plain.strip_prefix(parts.next().unwrap_or_default()).unwrap_or_default();
    let mut found = Vec::new();
    for part in parts {
        let end = if part.is_empty() { Some(rest.len()) } else { rest.find(part) };
        let Some(end) = end else { break };
        found.push(rest[..end].to_owned());
        rest = &rest[end + part.len()..];
    }
    found
}

fn within<'a>(value: &'a mut Json, way: &[&str]) -> Option<&'a mut Json> {
    way.iter().try_fold(value, |value, key| value.get_mut(*key))
}

fn each(value: &mut Json, way: &[&str], mut visit: impl FnMut(&str, &mut Json)) {
    for (name, value) in within(value, way).and_then(Json::as_object_mut).into_iter().flatten() {
        visit(name, value);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn hidden(text: &str) -> String {
        masked("f.yaml", text, &|value| match value {
            Json::String(url) => {
                replace_secrets_in_address(url, &Json::Null, &mut |_, _| Some(MASKED.to_owned())).into()
            }
            other => {
                let mut other = other.clone();
                each(&mut other, &[], |name, value| {
                    if is_telling(name) && !value.as_str().is_some_and(|text| text.starts_with("${")) {
                        *value = MASKED.into();
                    }
                });
                other
            }
        })
        .unwrap()
    }

    #[test]
    fn secrets_are_hidden_and_all_else_stays() {
        let text = "# not c4nary-1\nversion: 1\nconnections:\n  a: postgres://u:c4nary-1@h/d   # c4nary-1 again\n  b: { type: x, password: c4nary-2, \
                    host: h }\n  c: { type: x, password: '${secret:x}' }\nchannels:\n  w: { webhook: 'https://h/c4nary-3' }\n";
        let shown = hidden(text);
        assert!(!shown.contains("c4nary"), "{shown}");
        for kept in ["# not ***", "postgres://u:***@h/d", "host: h", "${secret:x}", "again"] {
            assert!(shown.contains(kept), "{kept}: {shown}");
        }
        let text = "version: 1\ntasks:\n  a:\n    http: { url: 'https://u:c4nary-1@h/p?token=c4nary-2&x=1', auth: { bearer: c4nary-3 }, headers: \
                    { X-Api-Key: c4nary-4, Accept: text/plain, Authorization: 'Bearer ${secret:x}' } }\n  b:\n    command: { argv: [x], env: \
                    { MODE: full, PGPASSWORD: c4nary-5 } }\n";
        let shown = hidden(text);
        assert!(!shown.contains("c4nary"), "{shown}");
        for kept in ["x=1", "text/plain", "Bearer ${secret:x}", "MODE: full"] {
            assert!(shown.contains(kept), "{kept}: {shown}");
        }
        let text = "version: 1\nlineage: { http: { url: 'https://u:c4nary-1@h/p?api_key=c4nary-2', token: c4nary-3 }, file: e.jsonl }\n";
        let shown = hidden(text);
        assert!(!shown.contains("c4nary") && shown.contains("e.jsonl"), "{shown}");
        let keys = "from: a, to: b, keys: { k: c4nary-1, own: '${secret:x}' }, streams: [t]";
        for text in [
            format!("version: 1\nsync: {{ {keys} }}\n"),
            format!("version: 1\ntasks: {{ a: {{ sync: {{ {keys} }} }} }}\n"),
        ] {
            let shown = hidden(&text);
            assert!(!shown.contains("c4nary") && shown.contains("own: \"${secret:x}\""), "{shown}");
        }
        let plain = "version: 1\n# nothing to hide\ntasks: { a: { command: { argv: [x] } } }\n";
        assert_eq!(hidden(plain), plain);
    }

    #[test]
    fn what_cannot_be_changed_in_place_is_written_anew() {
        let text = "version: 1\nconnections: { a: 'x://u:c4nary-1@h' }\n---\nversion: 1\ntasks: { a: { http: { url: 'http://h', auth: { bearer: c4nary-2 } } } }\n";
        let shown = hidden(text);
        assert!(!shown.contains("c4nary") && shown.contains("x://u:***@h"), "{shown}");
    }
}
