//! The secrets in the settings of a connection, found by the JSON schema of its connector: to hide them, to keep them
//! elsewhere, and to put them back. A reference such as `${secret:x}` is no secret: it only says where one is.

use serde_json::Value as Json;

use super::interpolate;
use super::settings::{DEPTH_MAX, alternatives};

/// What stands for a secret that is not shown.
pub const MASKED: &str = "***";

/// Parts of names that tell of a secret where no schema does.
const TELLING: &[&str] = &["key", "secret", "token", "pass", "pwd", "sig", "credential", "auth"];

/// Hands every secret in settings over, with the name of its setting; what is answered takes its place. A setting that the
/// schema does not know counts as one.
pub fn replace_secrets(settings: &mut Json, schema: &Json, each: &mut dyn FnMut(&str, &str) -> Option<String>) {
    replace_in(settings, schema, schema, "", each);
}

/// The same for what a URL or a path says: the password, and options that are secrets.
pub fn replace_secrets_in_address(
    address: &str,
    schema: &Json,
    each: &mut dyn FnMut(&str, &str) -> Option<String>,
) -> String {
    in_address(address, schema, "url", each)
}

fn replace_in(
    settings: &mut Json,
    schema: &Json,
    root: &Json,
    prefix: &str,
    each: &mut dyn FnMut(&str, &str) -> Option<String>,
) {
    let Some(settings) = settings.as_object_mut() else { return };
    for (name, value) in settings {
        let label = format!("{prefix}{name}");
        let mut kinds = Vec::new();
        if let Some(property) = schema["properties"].get(name) {
            alternatives(property, root, DEPTH_MAX, &mut kinds);
        }
        let is_secret = kinds.is_empty() || kinds.iter().any(|kind| kind["writeOnly"] == true);
        let object = kinds.iter().find(|kind| kind["properties"].is_object());
        match (&mut *value, object) {
            (Json::Null, _) => {}
            (Json::Object(_), Some(object)) => replace_in(value, object, root, &format!("{label}."), each),
            (Json::String(text), _) if is_reference(text) => {}
            (Json::String(text), _) if is_secret && text.contains("://") => {
                *text = in_address(text, root, &label, each);
            }
            (Json::String(text), _) if is_secret => {
                if let Some(other) = each(&label, text) {
                    *text = other;
                }
            }
            (other, _) if is_secret => {
                if let Some(text) = each(&label, &other.to_string()) {
                    *other = Json::String(text);
                }
            }
            // a place may be given as a URL that holds more than a place
            (Json::String(text), _) if text.contains("://") => *text = in_address(text, root, &label, each),
            _ => {}
        }
    }
}

/// Whether a text is a reference and nothing else.
fn is_reference(text: &str) -> bool {
    let mut names = interpolate::names(text);
    match (names.next(), names.next()) {
        (Some(name), None) => {
            text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).map(str::trim) == Some(name)
        }
        _ => false,
    }
}

fn in_address(address: &str, schema: &Json, label: &str, each: &mut dyn FnMut(&str, &str) -> Option<String>) -> String {
    let (scheme, rest) = match address.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), address),
    };
    let (user, rest) = if scheme.is_empty() { (None, rest) } else { userinfo(rest) };
    let (place, query) = rest.split_once('?').map_or((rest, None), |(place, query)| (place, Some(query)));
    let mut replaced = |name: &str, text: &str| match is_reference(text) || text.is_empty() {
        true => text.to_owned(),
        false => each(&format!("{label}.{name}"), text).unwrap_or_else(|| text.to_owned()),
    };
    let mut shown = scheme;
    if let Some(user) = user {
        match user.split_once(':') {
            Some((user, password)) => shown.extend([user, ":", &replaced("password", password)]),
            None => shown.push_str(user),
        }
        shown.push('@');
    }
    shown.push_str(place);
    if let Some(query) = query {
        let pair = |pair: &str| match pair.split_once('=') {
            Some((name, value)) if is_secret_option(name, schema) => format!("{name}={}", replaced(name, value)),
            _ => pair.to_owned(),
        };
        shown.push('?');
        shown.push_str(&query.split('&').map(pair).collect::<Vec<_>>().join("&"));
    }
    shown
}

/// What stands before the host. A password that holds special characters as they are makes a URL that leads nowhere; it is
/// found all the same.
fn userinfo(rest: &str) -> (Option<&str>, &str) {
    let split = |text: &str| text.rfind('@').filter(|at| text[..*at].contains(':'));
    let before_query = rest.split('?').next().unwrap_or_default();
    let at = split(before_query).or_else(|| {
        let port = before_query.split_once(':').map(|(_, port)| port.split('/').next().unwrap_or_default());
        split(rest).filter(|_| port.is_some_and(|port| !port.chars().all(|c| c.is_ascii_digit())))
    });
    match at {
        Some(at) => (Some(&rest[..at]), &rest[at + 1..]),
        None => (None, rest),
    }
}

fn is_secret_option(name: &str, schema: &Json) -> bool {
    let mut kinds = Vec::new();
    if let Some(property) = schema["properties"].get(name) {
        alternatives(property, schema, DEPTH_MAX, &mut kinds);
        return kinds.iter().any(|kind| kind["writeOnly"] == true);
    }
    is_telling(name)
}

/// Whether a name by itself tells of a secret.
pub(super) fn is_telling(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    TELLING.iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema() -> Json {
        json!({
            "$defs": { "Secret": { "type": "string", "writeOnly": true } },
            "properties": {
                "url": { "anyOf": [{ "$ref": "#/$defs/Secret" }, { "type": "null" }] },
                "password": { "anyOf": [{ "$ref": "#/$defs/Secret" }, { "type": "null" }] },
                "root": { "type": "string" },
                "port": { "type": "integer" },
                "access_key": { "type": "string" },
                "proxy": { "type": "object", "properties": { "password": { "$ref": "#/$defs/Secret" }, "host": { "type": "string" } } },
            },
        })
    }

    fn masked(mut settings: Json) -> Json {
        replace_secrets(&mut settings, &schema(), &mut |_, _| Some(MASKED.to_owned()));
        settings
    }

    #[test]
    fn secrets_are_hidden_and_references_shown() {
        let settings = json!({
            "password": "geheim", "root": "./lake", "port": 5, "proxy": { "password": "geheim", "host": "h" }, "pasword": "geheim",
        });
        let shown = json!({
            "password": "***", "root": "./lake", "port": 5, "proxy": { "password": "***", "host": "h" }, "pasword": "***",
        });
        assert_eq!(masked(settings), shown);
        let given = json!({ "password": "${secret:a}", "url": "${ SHOP_URL }" });
        assert_eq!(masked(given.clone()), given);
        assert_eq!(masked(json!({ "password": "${A}geheim" })), json!({ "password": "***" }));
        assert_eq!(masked(json!({ "password": 987123 })), json!({ "password": "***" }));
        assert_eq!(masked(json!({ "password": ["geheim"] })), json!({ "password": "***" }));
    }

    #[test]
    fn no_password_of_a_url_is_shown() {
        for (url, shown) in [
            ("postgres://me:geheim@h:5/d?tls=require", "postgres://me:***@h:5/d?tls=require"),
            ("postgres://me:ge:h@eim@h/d", "postgres://me:***@h/d"),
            ("postgres://me:ge/he?im@h/d", "postgres://me:***@h/d"),
            ("postgres://me:ge@he/im@h/d", "postgres://me:***@h/d"),
            ("postgres://me:${PW}@h/d", "postgres://me:${PW}@h/d"),
            ("postgres://${ME}:${PW}x@h/d", "postgres://${ME}:***@h/d"),
            ("postgres://h:5432/d?options=a@b", "postgres://h:5432/d?options=a@b"),
            ("postgres://h/d?password=geheim&port=1", "postgres://h/d?password=***&port=1"),
            ("s3://b/p?access_key=AK&secret_key=geheim", "s3://b/p?access_key=AK&secret_key=***"),
            ("./data.db", "./data.db"),
        ] {
            let mask =
                |settings: &str| replace_secrets_in_address(settings, &schema(), &mut |_, _| Some(MASKED.to_owned()));
            assert_eq!(mask(url), shown);
            assert!(!shown.contains("geheim"));
            if url.contains("://") {
                assert_eq!(masked(json!({ "url": url })), json!({ "url": shown }));
                assert_eq!(masked(json!({ "root": url })), json!({ "root": shown }));
            }
        }
    }
}
