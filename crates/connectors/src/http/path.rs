//! Where in a JSON document a value is: names parted by dots, or a JSON pointer (RFC 6901) for names that have dots.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use crate::files::json::{entries, unescape};

/// Deeper nesting than this is refused, in whatever it is.
pub const DEPTH_MAX: usize = 128;

/// A place in a document; the document itself if it has no parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Path(pub Vec<String>);

impl Path {
    /// From `data.items` or `/data/items`.
    pub fn parse(text: &str) -> Self {
        match text.strip_prefix('/') {
            _ if text.is_empty() => Self::default(),
            Some(pointer) => Self(pointer.split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect()),
            None => Self(text.split('.').map(str::to_owned).collect()),
        }
    }

    /// The value of one key.
    pub fn key(name: &str) -> Self {
        Self(vec![name.to_owned()])
    }

    /// Whether it is the document itself.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The value at this place; `None` if there is none. Of two equal keys the last one counts.
    ///
    /// # Errors
    /// Why the document is none, as the end of a sentence.
    pub fn find<'a>(&self, text: &'a str) -> Result<Option<&'a str>, String> {
        let mut value = text.trim_ascii();
        for part in &self.0 {
            if !value.starts_with('{') {
                return Ok(None);
            }
            let mut found = None;
            entries(value, |key, raw| {
                if key == part {
                    found = Some(raw);
                }
            })?;
            match found {
                Some(raw) => value = raw,
                None => return Ok(None),
            }
        }
        Ok(Some(value))
    }
}

impl<'de> Deserialize<'de> for Path {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self::parse(&text))
    }
}

impl JsonSchema for Path {
    fn schema_name() -> Cow<'static, str> {
        "Path".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

/// The text of a string, number or boolean; `None` for null, and for what holds other values.
pub fn scalar(raw: &str) -> Option<Cow<'_, str>> {
    match raw.as_bytes().first()? {
        b'"' => unescape(raw).ok(),
        b'{' | b'[' | b'n' => None,
        _ => Some(raw.into()),
    }
}

/// Whether values are nested within each other more than [`DEPTH_MAX`] deep.
pub fn is_too_deep(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = end_of_string(bytes, at + 1),
            b'[' | b'{' => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return true;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    false
}

/// Where the quote is that ends the string whose text starts here; the end of the text if there is none.
fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        if bytes[at] == b'"' {
            return at;
        }
        at += 2;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn values_are_found_by_their_place() {
        let text = r#" {"a":{"b.c":[1],"b":{"c":"x","c":"y"}},"n":null} "#;
        for (path, wanted) in [
            ("a.b.c", Some("\"y\"")),
            ("/a/b.c", Some("[1]")),
            ("n", Some("null")),
            ("n.x", None),
            ("a.x", None),
            ("", Some(text.trim())),
        ] {
            assert_eq!(Path::parse(path).find(text).unwrap(), wanted, "{path}");
        }
        assert!(Path::parse("a").find("{\"a\":").is_err());
        assert_eq!(Path::parse("/a~1b/c~0d").0, ["a/b", "c~d"]);
    }

    #[test]
    fn depth_is_counted_outside_strings() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(!is_too_deep(&nested(DEPTH_MAX)));
        assert!(is_too_deep(&nested(DEPTH_MAX + 1)));
        assert!(!is_too_deep(&format!("[\"{}\\\"{0}\", 1]", "[".repeat(200))));
        assert!(!is_too_deep("\"never ends \\"));
        assert!(is_too_deep(&"{\"a\":".repeat(1_000_000)));
    }

    #[test]
    fn only_plain_values_have_a_text() {
        assert_eq!(scalar("\"a\\u0041\"").as_deref(), Some("aA"));
        assert_eq!(scalar("12345678901234567890").as_deref(), Some("12345678901234567890"));
        assert_eq!(scalar("true").as_deref(), Some("true"));
        for none in ["null", "{}", "[1]", ""] {
            assert_eq!(scalar(none), None, "{none}");
        }
    }
}
