//! The settings of a PostgreSQL connection: as written in a document, as a URL, and checked.

use std::path::PathBuf;

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::naming;
use levada_core::secret::Secret;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::kit::tls::Tls;
use crate::kit::url::server_settings;

/// Settings of a PostgreSQL connection. `url` may hold host, port, user, password and database; each can also be set by
/// itself, and then wins.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `postgres://user:password@host:port/database?tls=..`, in place of the parts.
    #[serde(default)]
    #[allow(dead_code, reason = "for the schema: it is taken apart before the settings are read")]
    pub url: Option<Secret>,
    /// Host name, address, or the folder of a Unix socket.
    #[serde(default = "default_host")]
    pub host: String,
    /// Port.
    #[serde(default = "default_port")]
    pub port: u16,
    /// Database; the user's name if absent.
    #[serde(default)]
    pub database: Option<String>,
    /// User.
    #[serde(default)]
    pub user: Option<String>,
    /// Password.
    #[serde(default)]
    pub password: Option<Secret>,
    /// How the connection is encrypted.
    #[serde(default)]
    pub tls: Tls,
    /// PEM file with certificate authorities to trust besides the system's.
    #[serde(default)]
    pub tls_ca: Option<PathBuf>,
    /// Where new tables go, and where Levada keeps its own.
    #[serde(default = "default_schema")]
    pub schema: String,
    /// Seconds to wait for a connection.
    #[serde(default = "default_timeout")]
    pub connect_timeout_s: u64,
}

fn default_host() -> String {
    "localhost".to_owned()
}

fn default_port() -> u16 {
    5432
}

fn default_schema() -> String {
    "public".to_owned()
}

fn default_timeout() -> u64 {
    15
}

const NAMES: [&str; 10] =
    ["url", "host", "port", "database", "user", "password", "tls", "tls_ca", "schema", "connect_timeout_s"];

impl Settings {
    /// Checks settings as written in a document.
    ///
    /// # Errors
    /// `Config`, naming the setting at fault.
    pub fn parse(value: Value) -> Result<Self> {
        let Value::Object(mut map) = value else {
            return Err(config("the settings of a connection are a mapping of names to values"));
        };
        if let Some(unknown) = map.keys().find(|key| !NAMES.contains(&key.as_str())) {
            return Err(unknown_name(unknown));
        }
        if let Some(Value::String(text)) = map.remove("url") {
            let url = Url::parse(&text).map_err(|error| config(format!("`url` is not a URL: {error}")))?;
            let Value::Object(mut parts) = from_url(&url)? else { return Err(config("`url` is empty")) };
            parts.append(&mut map);
            map = parts;
        }
        let settings: Self = serde_json::from_value(Value::Object(map))
            .map_err(|error| config(format!("a setting is wrong: {}", plain(&error.to_string()))))?;
        if settings.user.as_deref().unwrap_or_default().is_empty() {
            return Err(config("`user` is missing").advise("Set `user`, or write it into the URL before the `@`."));
        }
        Ok(settings)
    }

    /// The user's name.
    pub fn user(&self) -> &str {
        self.user.as_deref().unwrap_or_default()
    }

    /// The database's name.
    pub fn database(&self) -> &str {
        self.database.as_deref().unwrap_or(self.user())
    }

    /// Host, port and database, without credentials.
    pub fn address(&self) -> String {
        format!("postgres://{}:{}/{}", self.host, self.port, self.database())
    }
}

/// Turns a URL into settings.
///
/// # Errors
/// `Config`, naming the part at fault.
pub fn from_url(url: &Url) -> Result<Value> {
    let mut settings = server_settings(url)?;
    for (name, value) in url.query_pairs() {
        let (name, value) = match name.as_ref() {
            "sslmode" => ("tls", sslmode(&value)?.into()),
            "sslrootcert" => ("tls_ca", value.into()),
            "port" | "connect_timeout_s" => {
                let number: std::result::Result<u64, _> = value.parse();
                let wrong = |_| config(format!("`{name}` in the URL is not a whole number"));
                (name.as_ref(), number.map_err(wrong)?.into())
            }
            name if name != "url" && NAMES.contains(&name) => (name, value.into()),
            name => return Err(unknown_name(name)),
        };
        settings.insert(name.to_owned(), value);
    }
    Ok(Value::Object(settings))
}

fn sslmode(value: &str) -> Result<&'static str> {
    match value {
        "disable" => Ok("disable"),
        "require" => Ok("require"),
        "verify-ca" => Ok("verify-ca"),
        "verify-full" => Ok("verify-full"),
        other => Err(config(format!("`sslmode={other}` leaves open whether the connection is secured"))
            .advise("Write `tls=verify-full`, `tls=verify-ca`, `tls=require` or `tls=disable`.")),
    }
}

fn config(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, message)
}

fn unknown_name(name: &str) -> Error {
    config(format!("there is no setting `{name}`")).advise(format!(
        "{}Settings: {}.",
        naming::did_you_mean(naming::nearest(name, &NAMES)),
        NAMES.join(", ")
    ))
}

/// The first part of a message of the parser, without its position in a text that the user never wrote.
fn plain(message: &str) -> &str {
    message.split(" at line ").next().unwrap_or(message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parse(url: &str) -> Result<Settings> {
        Settings::parse(serde_json::json!({ "url": url }))
    }

    #[test]
    fn a_url_gives_every_part_and_parts_beside_it_win() {
        let s = parse("postgres://me:p%40ss@db.example:6432/shop?tls=require&schema=raw").unwrap();
        assert_eq!((s.user(), s.host.as_str(), s.port, s.database()), ("me", "db.example", 6432, "shop"));
        assert_eq!((s.password.unwrap().expose(), s.tls, s.schema.as_str()), ("p@ss", Tls::Require, "raw"));
        let s = Settings::parse(serde_json::json!({"url": "postgres://me@h/a", "database": "b"})).unwrap();
        assert_eq!((s.database(), s.tls), ("b", Tls::VerifyFull));
    }

    #[test]
    fn errors_name_the_setting_and_never_the_password() {
        let error = Settings::parse(serde_json::json!({"hots": "x"})).unwrap_err().to_string();
        assert!(error.contains("`hots`") && error.contains("Did you mean `host`?"), "{error}");
        for url in
            ["postgres://me:geheim@h/a?sslmode=prefer", "postgres://me:geheim@h/a?tls=maybe", "postgres://:geheim@h/a"]
        {
            let error = parse(url).unwrap_err().to_string();
            assert!(!error.contains("geheim"), "{error}");
        }
    }
}
