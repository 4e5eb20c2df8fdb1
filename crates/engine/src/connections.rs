//! Opens connections: from what a document says of them, or from an address, to the connector that knows the system.

use std::sync::Arc;

use levada_core::config::{self, Settings, Variables, fit_settings, replace_secrets, replace_secrets_in_address};
use levada_core::connector::{Connection, Connector, Registry};
use levada_core::error::{Context, Error, ErrorKind, Result};
use percent_encoding::percent_decode_str;
use serde_json::Value;
use url::Url;

/// A connection ready for use.
pub struct Opened {
    /// Its name; for a URL or path, its address.
    pub name: String,
    /// The connection.
    pub connection: Arc<dyn Connection>,
    /// Whether its streams live in namespaces.
    pub namespaces: bool,
}

/// Opens a connection of a document.
///
/// # Errors
/// `Config`, with file, line and column; one for each mistake.
pub fn open(
    registry: &Registry,
    connection: &config::Connection,
    variables: &Variables<'_>,
) -> Result<Opened, Vec<Error>> {
    let opened = match connection.settings(variables)? {
        Settings::Url(address) => open_address(registry, &address),
        Settings::Typed { connector, settings } => {
            registry.get(&connector).and_then(|connector| connect(connector, settings))
        }
    };
    let opened = opened.map_err(|error| {
        let place = connection.place(&error);
        vec![error.at(place)]
    })?;
    Ok(Opened { name: connection.name.clone(), ..opened })
}

/// The secrets of a connection of a document, whatever they are given by, for whoever keeps them out of messages; none of
/// one that cannot be resolved.
pub fn secrets(registry: &Registry, connection: &config::Connection, variables: &Variables<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let mut note = |_: &str, secret: &str| {
        // in a URL it is encoded, and in messages it is not
        found.push(percent_decode_str(secret).decode_utf8_lossy().into_owned());
        found.push(secret.to_owned());
        None
    };
    match connection.settings(variables) {
        Ok(Settings::Url(address)) => {
            let scheme = address.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
            let connector = scheme.and_then(|scheme| registry.for_scheme(&scheme).ok());
            let schema = connector.map(|connector| connector.descriptor().settings).unwrap_or_default();
            replace_secrets_in_address(&address, &schema, &mut note);
        }
        Ok(Settings::Typed { connector, mut settings }) => {
            let schema = registry.get(&connector).map(|connector| connector.descriptor().settings);
            replace_secrets(&mut settings, &schema.unwrap_or_default(), &mut note);
        }
        Err(_) => {}
    }
    found
}

/// Opens what a URL or a path leads to.
///
/// # Errors
/// `Config`, naming what is wrong with it and never a password.
pub fn open_address(registry: &Registry, address: &str) -> Result<Opened> {
    let (connector, url) = route(registry, address)?;
    let settings = connector.settings_from_url(&url).at(without_password(&url))?;
    connect(connector, settings).at(without_password(&url))
}

/// The connector that an address means, and the address as a URL.
fn route<'a>(registry: &'a Registry, address: &str) -> Result<(&'a Arc<dyn Connector>, Url)> {
    let scheme = address.split_once(':').map(|(scheme, _)| scheme);
    if let Some(scheme) = scheme.filter(|scheme| is_scheme(scheme)) {
        let connector = registry.for_scheme(&scheme.to_ascii_lowercase())?;
        let url = parse_url(address).map_err(|error| {
            Error::new(ErrorKind::Config, format!("this is not a URL: {error}"))
                .at(format!("{scheme}:.."))
                .advise("Write scheme://user:password@host:port/name, special characters as %XX.")
        })?;
        return Ok((connector, url));
    }
    let (path, query) = address.split_once('?').map_or((address, None), |(path, query)| (path, Some(query)));
    let connector = registry.for_path(path)?;
    let scheme = connector.descriptor().schemes.first().copied().unwrap_or("file");
    let absolute = std::path::absolute(path).at(path)?;
    let file = Url::from_file_path(absolute)
        .map_err(|()| Error::new(ErrorKind::Config, format!("`{path}` is not a usable path")))?;
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    let url = Url::parse(&format!("{scheme}://{}{query}", file.path()))
        .map_err(|error| Error::new(ErrorKind::Config, format!("`{path}` is not a usable path: {error}")))?;
    Ok((connector, url))
}

/// Parses a URL; a relative path behind `file:` starts at the current folder.
pub fn parse_url(text: &str) -> Result<Url, url::ParseError> {
    let here = std::env::current_dir().ok().and_then(|folder| Url::from_directory_path(folder).ok());
    Url::options().base_url(here.as_ref()).parse(text)
}

fn connect(connector: &Arc<dyn Connector>, mut settings: Value) -> Result<Opened> {
    let descriptor = connector.descriptor();
    fit_settings(&mut settings, &descriptor.settings)?;
    let connection = connector.connect(settings)?;
    Ok(Opened { name: connection.address(), connection, namespaces: descriptor.namespaces })
}

/// `C:` is a drive, not a scheme.
fn is_scheme(text: &str) -> bool {
    text.len() > 1 && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

/// A URL without password and options, which may hold keys.
fn without_password(url: &Url) -> String {
    let mut url = url.clone();
    let _ = url.set_password(None);
    url.set_query(None);
    url.to_string()
}
