//! The settings of a connection against the JSON schema of its connector: text from outside becomes the number or the
//! boolean it stands for, and what cannot be is told in plain words, never with the value, which may be a secret.

use serde_json::Value as Json;

use crate::error::{Error, ErrorKind, Result};
use crate::naming::{did_you_mean, nearest};

/// Deepest nesting of references in a schema that is followed.
pub(super) const DEPTH_MAX: usize = 8;

/// Brings settings into the types that a schema asks for. Unknown settings are left to the connector.
///
/// # Errors
/// `Config`, naming the first setting that cannot be what it is to be.
pub fn fit_settings(settings: &mut Json, schema: &Json) -> Result<()> {
    fit_object(settings, schema, schema, "")
}

fn fit_object(settings: &mut Json, schema: &Json, root: &Json, prefix: &str) -> Result<()> {
    let (Some(settings), Some(properties)) = (settings.as_object_mut(), schema["properties"].as_object()) else {
        return Ok(());
    };
    for (name, value) in settings {
        let Some(property) = properties.get(name) else { continue };
        let mut kinds = Vec::new();
        alternatives(property, root, DEPTH_MAX, &mut kinds);
        let name = format!("{prefix}{name}");
        if let (true, Some(object)) = (value.is_object(), kinds.iter().find(|kind| kind["properties"].is_object())) {
            fit_object(value, object, root, &format!("{name}."))?;
            continue;
        }
        fit_value(&name, value, &kinds)?;
    }
    Ok(())
}

fn fit_value(name: &str, value: &mut Json, kinds: &[&Json]) -> Result<()> {
    let wants = |word: &str| kinds.iter().any(|kind| has_type(kind, word));
    let wrong = |what: &str, advice: &str| {
        let error = Error::new(ErrorKind::Config, format!("`{name}` must be {what}"));
        Err(if advice.is_empty() { error } else { error.advise(advice) })
    };
    if let Json::String(text) = value
        && !wants("string")
    {
        if let (true, Ok(number)) = (wants("integer"), text.trim().parse::<i64>()) {
            *value = number.into();
        } else if let (true, Ok(flag)) = (wants("boolean"), text.trim().parse::<bool>()) {
            *value = flag.into();
        }
    }
    match value {
        Json::String(text) if wants("string") => fit_word(name, text, kinds),
        Json::Number(number) if wants("integer") => match range(kinds) {
            Some((min, max)) if !number.as_f64().is_some_and(|n| n >= min && n <= max) => {
                wrong(&format!("a whole number from {min} to {max}"), "")
            }
            _ if number.is_f64() && !wants("number") => wrong("a whole number", ""),
            _ => Ok(()),
        },
        Json::Number(_) | Json::Bool(_) if wants("string") && !wants("number") && !wants("boolean") => {
            wrong("text", "Put it in quotes.")
        }
        Json::String(_) | Json::Bool(_) if wants("integer") => wrong("a whole number", ""),
        Json::String(_) | Json::Number(_) if wants("boolean") => wrong("`true` or `false`", ""),
        Json::Array(_) | Json::Object(_) if !wants("array") && !wants("object") && !kinds.is_empty() => {
            wrong("a single value", "")
        }
        _ => Ok(()),
    }
}

/// Where only certain words may stand, it has to be one of them.
fn fit_word(name: &str, word: &str, kinds: &[&Json]) -> Result<()> {
    let texts: Vec<&&Json> = kinds.iter().filter(|kind| has_type(kind, "string")).collect();
    let mut known: Vec<&str> = Vec::new();
    for text in texts {
        match (text["const"].as_str(), text["enum"].as_array()) {
            (Some(word), _) => known.push(word),
            (None, Some(words)) => known.extend(words.iter().filter_map(Json::as_str)),
            (None, None) => return Ok(()),
        }
    }
    if known.is_empty() || known.contains(&word) {
        return Ok(());
    }
    let advice = format!("{}Valid: {}.", did_you_mean(nearest(word, &known)), known.join(", "));
    Err(Error::new(ErrorKind::Config, format!("`{name}` cannot be that word")).advise(advice))
}

/// The schemas of which a value has to meet one, references followed.
pub(super) fn alternatives<'a>(schema: &'a Json, root: &'a Json, depth: usize, found: &mut Vec<&'a Json>) {
    if depth == 0 {
        return;
    }
    if let Some(reference) = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) {
        if let Some(target) = root.pointer(reference) {
            alternatives(target, root, depth - 1, found);
        }
        return;
    }
    let choices = ["anyOf", "oneOf"].iter().filter_map(|word| schema[*word].as_array()).flatten();
    let before = found.len();
    choices.for_each(|choice| alternatives(choice, root, depth - 1, found));
    if found.len() == before {
        found.push(schema);
    }
}

fn has_type(schema: &Json, word: &str) -> bool {
    match &schema["type"] {
        Json::String(single) => single == word,
        Json::Array(several) => several.iter().any(|one| one == word),
        _ => false,
    }
}

fn range(kinds: &[&Json]) -> Option<(f64, f64)> {
    let kind = kinds.iter().find(|kind| has_type(kind, "integer"))?;
    Some((kind["minimum"].as_f64()?, kind["maximum"].as_f64()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn schema() -> Json {
        json!({
            "$defs": {
                "Secret": { "type": "string" },
                "Tls": { "oneOf": [{ "type": "string", "const": "verify-full" }, { "type": "string", "const": "disable" }] },
                "Csv": { "type": "object", "properties": { "header": { "type": "boolean" } } },
            },
            "properties": {
                "port": { "type": ["integer", "null"], "minimum": 0, "maximum": 65535 },
                "password": { "anyOf": [{ "$ref": "#/$defs/Secret" }, { "type": "null" }] },
                "tls": { "$ref": "#/$defs/Tls" },
                "http": { "type": "boolean" },
                "csv": { "$ref": "#/$defs/Csv" },
                "size": { "anyOf": [{ "type": "integer" }, { "type": "string" }] },
            },
        })
    }

    #[test]
    fn text_becomes_what_it_stands_for() {
        let mut settings =
            json!({ "port": "5432", "http": "true", "csv": { "header": "false" }, "size": "1MB", "x": "1" });
        fit_settings(&mut settings, &schema()).unwrap();
        assert_eq!(
            settings,
            json!({ "port": 5432, "http": true, "csv": { "header": false }, "size": "1MB", "x": "1" })
        );
    }

    #[test]
    fn what_cannot_be_is_told_without_the_value() {
        let cases = [
            (json!({ "password": 987123 }), "`password` must be text. Put it in quotes."),
            (json!({ "port": 987123 }), "`port` must be a whole number from 0 to 65535."),
            (json!({ "port": "987123x" }), "`port` must be a whole number."),
            (json!({ "tls": "verify-ful" }), "`tls` cannot be that word. Did you mean `verify-full`? Valid:"),
            (json!({ "csv": { "header": 987123 } }), "`csv.header` must be `true` or `false`."),
            (json!({ "http": ["987123"] }), "`http` must be a single value."),
        ];
        for (mut settings, wanted) in cases {
            let error = fit_settings(&mut settings, &schema()).unwrap_err().to_string();
            assert!(error.starts_with(wanted), "{error}");
            assert!(!error.contains("987123"), "{error}");
        }
    }
}
