//! The parts of a URL that say where a database server is and who connects, as settings; and the escapes of URLs.

use levada_core::error::{Error, ErrorKind, Result};
use serde_json::{Map, Value};
use url::Url;

/// The settings `host`, `port`, `user`, `password` and `database` of a URL, as far as it has them.
///
/// # Errors
/// `Config`, naming the part of the URL at fault.
pub fn server_settings(url: &Url) -> Result<Map<String, Value>> {
    let bad = |message: String| Error::new(ErrorKind::Config, message);
    let mut settings = Map::new();
    let database = url.path().trim_start_matches('/');
    if database.contains('/') {
        return Err(bad("the path of the URL is more than the name of a database".to_owned())
            .advise("Write a `/` that belongs to the name as `%2F`."));
    }
    let parts = [
        ("host", url.host_str().unwrap_or_default()),
        ("user", url.username()),
        ("password", url.password().unwrap_or_default()),
        ("database", database),
    ];
    for (name, part) in parts.into_iter().filter(|(_, part)| !part.is_empty()) {
        let text = decoded(part).ok_or_else(|| bad(format!("the {name} in the URL is not UTF-8 once decoded")))?;
        let address = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        let text = address.filter(|_| name == "host").map_or(text.clone(), str::to_owned);
        settings.insert(name.to_owned(), text.into());
    }
    if let Some(port) = url.port() {
        settings.insert("port".to_owned(), port.into());
    }
    Ok(settings)
}

/// A text with its `%41` escapes undone; `None` if that is not UTF-8.
pub fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = |digit: &u8| char::from(*digit).to_digit(16);
        let escaped = match (first, after) {
            (b'%', [high, low, ..]) => hex(high).zip(hex(low)).map(|(high, low)| (high * 16 + low) as u8),
            _ => None,
        };
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_part_of_a_url_is_decoded() {
        let url = Url::parse("mysql://us%40r:p%3Aw@[::1]:3307/my%20%2F").unwrap();
        let wanted = serde_json::json!(
            {"host": "::1", "port": 3307, "user": "us@r", "password": "p:w", "database": "my /"}
        );
        assert_eq!(Value::Object(server_settings(&url).unwrap()), wanted);
        assert!(server_settings(&Url::parse("mysql://u@h/a/b").unwrap()).is_err());
    }

    #[test]
    fn what_is_no_escape_stays() {
        assert_eq!(decoded("100%").as_deref(), Some("100%"));
        assert_eq!(decoded("%zz%4").as_deref(), Some("%zz%4"));
        assert_eq!(decoded("%ff"), None);
    }
}
