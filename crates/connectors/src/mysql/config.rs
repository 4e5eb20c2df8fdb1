//! The settings of a MySQL or MariaDB connection: from a document or a URL, checked, and turned into driver options.
//! No setting reaches the driver by name, so none can switch on local files, plain-text passwords or set-up commands.

use std::path::PathBuf;

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::naming::{did_you_mean, nearest};
use levada_core::secret::Secret;
use mysql_async::{Opts, OptsBuilder, SslOpts};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use crate::kit::tls::{Tls, authorities};
use crate::kit::url::server_settings;

const KNOWN: [&str; 8] = ["url", "host", "port", "database", "user", "password", "tls", "tls_ca"];

/// Settings of a MySQL or MariaDB connection.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `mysql://user:password@host:port/database?tls=verify-full`, in place of the parts.
    #[serde(default)]
    #[allow(dead_code, reason = "for the schema: it is taken apart before the settings are read")]
    pub url: Option<Secret>,
    /// Name or address of the server.
    #[serde(default)]
    pub host: Option<String>,
    /// TCP port.
    #[serde(default)]
    pub port: Option<u16>,
    /// The database whose tables are the streams.
    #[serde(default)]
    pub database: Option<String>,
    /// User name.
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
}

/// Checked settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// Name or address of the server.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The database whose tables are the streams.
    pub database: String,
    /// User name.
    pub user: String,
    /// Password.
    pub password: Secret,
    /// How the connection is encrypted.
    pub tls: Tls,
    /// Certificates trusted besides the system's.
    pub tls_ca: Option<PathBuf>,
}

impl Config {
    /// Checks settings.
    ///
    /// # Errors
    /// `Config`, naming the setting at fault.
    pub fn parse(settings: Value) -> Result<Self> {
        let Value::Object(given) = settings else {
            return Err(bad("the settings of a mysql connection are a list of `name: value`"));
        };
        if let Some(name) = given.keys().find(|name| !KNOWN.contains(&name.as_str()) && *name != "type") {
            return Err(bad(format!("a mysql connection has no setting `{name}`")).advise(format!(
                "{}Settings: {}.",
                did_you_mean(nearest(name, &KNOWN)),
                KNOWN.join(", ")
            )));
        }
        let mut merged = Map::new();
        if let Some(text) = given.get("url").and_then(Value::as_str) {
            let url = Url::parse(text).map_err(|error| bad(format!("`url` cannot be read: {error}")))?;
            if let Value::Object(parts) = from_url(&url)? {
                merged = parts;
            }
        }
        merged.extend(given.into_iter().filter(|(name, _)| name != "url" && name != "type"));
        let settings: Settings = serde_json::from_value(Value::Object(merged))
            .map_err(|error| bad(format!("a setting is wrong: {error}")))?;
        let need = |value: Option<String>, name: &str| {
            value.filter(|v| !v.is_empty()).ok_or_else(|| bad(format!("`{name}` is missing")))
        };
        Ok(Self {
            host: need(settings.host, "host")?,
            port: settings.port.unwrap_or(3306),
            database: need(settings.database, "database")?,
            user: need(settings.user, "user")?,
            password: settings.password.unwrap_or_default(),
            tls: settings.tls,
            tls_ca: settings.tls_ca,
        })
    }

    /// Host, port and database.
    pub fn address(&self) -> String {
        format!("mysql://{}:{}/{}", self.host, self.port, self.database)
    }

    /// What the driver is told.
    ///
    /// # Errors
    /// As for [`authorities`].
    pub fn options(&self) -> Result<Opts> {
        let password = Some(self.password.expose()).filter(|p| !p.is_empty());
        let builder = OptsBuilder::default()
            .ip_or_hostname(self.host.clone())
            .tcp_port(self.port)
            .db_name(Some(self.database.clone()))
            .user(Some(self.user.clone()))
            .pass(password.map(str::to_owned))
            .prefer_socket(false)
            .max_allowed_packet(Some(1 << 30))
            .wait_timeout(Some(86_400))
            .client_found_rows(true)
            .enable_cleartext_plugin(false)
            .stmt_cache_size(Some(32))
            .tcp_nodelay(true)
            .ssl_opts(self.ssl()?);
        Ok(builder.into())
    }

    fn ssl(&self) -> Result<Option<SslOpts>> {
        if self.tls == Tls::Disable {
            return Ok(None);
        }
        // Fails only where a provider is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let trusted = if self.tls == Tls::Require { Vec::new() } else { authorities(self.tls_ca.as_deref())? };
        Ok(Some(
            SslOpts::default()
                // The driver wants some authority even where it asks none.
                .with_disable_built_in_roots(self.tls != Tls::Require)
                .with_root_certs(trusted.iter().map(|certificate| certificate.to_vec().into()).collect())
                .with_danger_skip_domain_validation(matches!(self.tls, Tls::VerifyCa | Tls::Require))
                .with_danger_accept_invalid_certs(self.tls == Tls::Require),
        ))
    }
}

/// Settings as in a document from a URL.
///
/// # Errors
/// `Config`, naming the part of the URL at fault.
pub fn from_url(url: &Url) -> Result<Value> {
    if !matches!(url.scheme(), "mysql" | "mariadb") {
        return Err(bad(format!("`{}:` is not a scheme of MySQL or MariaDB", url.scheme()))
            .advise("Write `mysql://user:password@host:port/database`."));
    }
    let mut settings = server_settings(url)?;
    for (name, value) in url.query_pairs() {
        if !matches!(name.as_ref(), "tls" | "tls_ca") {
            return Err(bad(format!("a mysql URL has no parameter `{name}`"))
                .advise(format!("{}Parameters: tls, tls_ca.", did_you_mean(nearest(&name, &["tls", "tls_ca"])))));
        }
        settings.insert(name.into_owned(), value.into_owned().into());
    }
    Ok(Value::Object(settings))
}

fn bad(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_url_gives_every_part_and_decodes_names() {
        let url = Url::parse("mariadb://us%40r:p%3Aw@db.example:3307/my%20db?tls=disable").unwrap();
        let config = Config::parse(from_url(&url).unwrap()).unwrap();
        assert_eq!((config.host.as_str(), config.port, config.database.as_str()), ("db.example", 3307, "my db"));
        assert_eq!((config.user.as_str(), config.password.expose(), config.tls), ("us@r", "p:w", Tls::Disable));
        assert_eq!(config.address(), "mysql://db.example:3307/my db");
    }

    #[test]
    fn tls_is_verified_unless_said_otherwise() {
        let config = Config::parse(serde_json::json!({"url": "mysql://u@localhost/d"})).unwrap();
        assert_eq!(config.tls, Tls::VerifyFull);
    }

    #[test]
    fn driver_options_cannot_be_given() {
        for query in ["allowLoadLocalInfile=true", "init=DROP", "prefer_socket=true", "enable_cleartext_plugin=true"] {
            let url = Url::parse(&format!("mysql://u@h/d?{query}")).unwrap();
            assert_eq!(from_url(&url).unwrap_err().kind(), ErrorKind::Config);
        }
        let error = Config::parse(serde_json::json!({"hots": "h"})).unwrap_err();
        assert!(error.advice().contains("Did you mean `host`?"), "{error}");
    }
}
