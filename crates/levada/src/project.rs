//! Files, environment and secrets: what core asks for but never touches. Finds documents, and opens connections by name,
//! URL or path.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use levada_core::config::{self, File, PROJECT_FILE, Settings, Variables, env_name, fit_settings};
use levada_core::connector::{Connection, Connector, Registry};
use levada_core::error::{Context, Error, ErrorKind, Result};
use levada_core::naming::{did_you_mean, nearest};
use serde_json::Value;
use url::Url;

/// The connections at hand, and what their references mean.
pub struct Project {
    registry: Registry,
    /// Connections and what else all pipelines share, as written.
    pub shared: config::Project,
    /// Values of the pipeline's parameters.
    pub params: BTreeMap<String, String>,
}

/// A connection ready for use.
pub struct Opened {
    /// Its name; for a URL or path, its address.
    pub name: String,
    /// The connection.
    pub connection: Arc<dyn Connection>,
    /// Whether its streams live in namespaces.
    pub namespaces: bool,
}

impl Project {
    /// The project of the current folder: the file given, or the nearest `levada.yaml`; without one, no connections.
    pub fn here(registry: Registry, file: Option<&Path>) -> Result<Self, Vec<Error>> {
        let file = file.map(Path::to_path_buf).or_else(|| nearest_project(Path::new(".")));
        let file = file.map(|path| read(&path)).transpose()?;
        Ok(Self { registry, shared: config::Project::of(&file), params: BTreeMap::new() })
    }

    /// A file with what it can use: its own connections, then those of the project it lies in.
    pub fn of_file(registry: Registry, path: &Path, project: Option<&Path>) -> Result<(Self, File), Vec<Error>> {
        let file = read(path)?;
        let project = project.map(Path::to_path_buf).or_else(|| nearest_project(path.parent().unwrap_or(path)));
        let others = project.filter(|project| !same_file(project, path)).map(|project| read(&project)).transpose()?;
        let shared = config::Project::of(std::iter::once(&file).chain(&others));
        Ok((Self { registry, shared, params: BTreeMap::new() }, file))
    }

    /// Opens a connection by its name, or what a URL or a path leads to.
    pub fn open(&self, target: &str) -> Result<Opened, Vec<Error>> {
        match self.shared.connections.iter().find(|connection| connection.name == target) {
            Some(connection) => self.open_named(connection),
            None => {
                self.check_address(target)?;
                self.open_address(target).map_err(|error| vec![error])
            }
        }
    }

    /// Opens a connection of the project.
    pub fn open_named(&self, connection: &config::Connection) -> Result<Opened, Vec<Error>> {
        let variables = Variables { env: &env, secret: &secret, params: self.params.clone(), runtime: None };
        let opened = match connection.settings(&variables)? {
            Settings::Url(address) => self.open_address(&address),
            Settings::Typed { connector, settings } => {
                self.registry.get(&connector).and_then(|connector| connect(connector, settings))
            }
        };
        let opened = opened.map_err(|error| {
            let place = connection.place(&error);
            vec![error.at(place)]
        })?;
        Ok(Opened { name: connection.name.clone(), ..opened })
    }

    /// A word that is neither a URL nor a path that exists is a connection's name spelt wrongly.
    fn check_address(&self, target: &str) -> Result<(), Vec<Error>> {
        let looks_like_path = target.contains(['/', '\\', '.', ':', '*']) || Path::new(target).exists();
        if looks_like_path && !target.is_empty() {
            return Ok(());
        }
        let known: Vec<&str> = self.shared.connections.iter().map(|connection| connection.name.as_str()).collect();
        let near = did_you_mean(nearest(target, &known));
        let advice = match known.as_slice() {
            [] => format!(
                "There is no {PROJECT_FILE} in this folder or above; give a URL, or a path such as `./{target}`."
            ),
            known => format!("{near}Connections: {}. A path starts with `./`.", known.join(", ")),
        };
        Err(vec![Error::new(ErrorKind::Config, format!("there is no connection `{target}`")).advise(advice)])
    }

    fn open_address(&self, address: &str) -> Result<Opened> {
        let (connector, url) = self.address(address)?;
        let settings = connector.settings_from_url(&url).at(without_password(&url))?;
        connect(connector, settings).at(without_password(&url))
    }

    fn address(&self, address: &str) -> Result<(&Arc<dyn Connector>, Url)> {
        let scheme = address.split_once(':').map(|(scheme, _)| scheme);
        if let Some(scheme) = scheme.filter(|scheme| is_scheme(scheme)) {
            let connector = self.registry.for_scheme(&scheme.to_ascii_lowercase())?;
            let url = parse_url(address).map_err(|error| {
                Error::new(ErrorKind::Config, format!("this is not a URL: {error}"))
                    .at(format!("{scheme}:.."))
                    .advise("Write scheme://user:password@host:port/name, special characters as %XX.")
            })?;
            return Ok((connector, url));
        }
        let (path, query) = address.split_once('?').map_or((address, None), |(path, query)| (path, Some(query)));
        let connector = self.registry.for_path(path)?;
        let scheme = connector.descriptor().schemes.first().copied().unwrap_or("file");
        let absolute = std::path::absolute(path).at(path)?;
        let file = Url::from_file_path(absolute)
            .map_err(|()| Error::new(ErrorKind::Config, format!("`{path}` is not a usable path")))?;
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        let url = Url::parse(&format!("{scheme}://{}{query}", file.path()))
            .map_err(|error| Error::new(ErrorKind::Config, format!("`{path}` is not a usable path: {error}")))?;
        Ok((connector, url))
    }
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

/// Reads a document.
pub fn read(path: &Path) -> Result<File, Vec<Error>> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        let error = match error.kind() {
            std::io::ErrorKind::InvalidData => Error::new(ErrorKind::Config, "the file is not text in UTF-8"),
            std::io::ErrorKind::NotFound => Error::new(ErrorKind::Config, "there is no such file")
                .advise("Check the path; `levada init` makes a first pipeline."),
            _ => Error::from(error),
        };
        vec![error.at(&shown)]
    })?;
    File::parse(&shown, &text)
}

/// The project file in a folder or the nearest one above.
fn nearest_project(folder: &Path) -> Option<PathBuf> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let absolute = std::path::absolute(folder).ok()?;
    let found = absolute.ancestors().map(|folder| folder.join(PROJECT_FILE)).find(|path| path.is_file())?;
    let here = std::env::current_dir().ok()?;
    Some(found.strip_prefix(here).map(Path::to_path_buf).unwrap_or(found))
}

fn same_file(a: &Path, b: &Path) -> bool {
    a.canonicalize().ok().is_some_and(|a| b.canonicalize().ok() == Some(a))
}

/// An environment variable.
pub fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A secret: the variable `LEVADA_SECRET_<NAME>`, else the file of that name in `LEVADA_SECRETS_DIR`.
pub fn secret(name: &str) -> Result<Option<String>> {
    if let Some(value) = env(&format!("LEVADA_SECRET_{}", env_name(name))) {
        return Ok(Some(value));
    }
    let Some(folder) = std::env::var_os("LEVADA_SECRETS_DIR") else { return Ok(None) };
    let plain = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0']);
    if !plain {
        return Err(Error::new(ErrorKind::Config, format!("`{name}` cannot be the name of a secret"))
            .advise("Use letters, digits, `_` and `-`."));
    }
    match std::fs::read_to_string(Path::new(&folder).join(name)) {
        Ok(text) => Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::from(error).at(format!("secret `{name}`"))),
    }
}
