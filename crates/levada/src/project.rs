//! Files, environment and secrets: what core asks for but never touches. Finds documents, and opens connections by name,
//! URL or path.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use levada_core::config::{self, File, PROJECT_FILE, Variables, env_name};
use levada_core::connector::Registry;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::naming::{did_you_mean, nearest};
use levada_engine::connections::{self, Opened};

use crate::vault::Stored;

/// The connections at hand, and what their references mean.
pub struct Project {
    registry: Registry,
    /// Connections and what else all pipelines share, as written.
    pub shared: config::Project,
    /// Values of the pipeline's parameters.
    pub params: BTreeMap<String, String>,
    /// Names of secrets that the files mention.
    pub mentioned: BTreeSet<String>,
    /// Those that the metadata store has.
    pub stored: Stored,
}

impl Project {
    /// The project of the current folder: the file given, or the nearest `levada.yaml`; without one, no connections.
    pub fn here(registry: Registry, file: Option<&Path>) -> Result<Self, Vec<Error>> {
        let file = file.map(Path::to_path_buf).or_else(|| nearest_project(Path::new(".")));
        let mut project = Self::empty(registry);
        let file = file.map(|path| project.read(&path)).transpose()?;
        project.shared = config::Project::of(&file);
        Ok(project)
    }

    /// A file with what it can use: its own connections, then those of the project it lies in.
    pub fn of_file(registry: Registry, path: &Path, project: Option<&Path>) -> Result<(Self, File), Vec<Error>> {
        let mut own = Self::empty(registry);
        let file = own.read(path)?;
        let project = project.map(Path::to_path_buf).or_else(|| nearest_project(path.parent().unwrap_or(path)));
        let others =
            project.filter(|project| !same_file(project, path)).map(|project| own.read(&project)).transpose()?;
        own.shared = config::Project::of(std::iter::once(&file).chain(&others));
        Ok((own, file))
    }

    fn empty(registry: Registry) -> Self {
        let (shared, stored) = (config::Project::default(), Stored::default());
        Self { registry, shared, params: BTreeMap::new(), mentioned: BTreeSet::new(), stored }
    }

    fn read(&mut self, path: &Path) -> Result<File, Vec<Error>> {
        let text = read_text(path)?;
        self.mentioned.extend(config::secret_names(&text).map(str::to_owned));
        File::parse(&path.display().to_string(), &text)
    }

    /// What references in the documents mean, with parameters as given.
    pub fn variables<T>(&self, params: BTreeMap<String, String>, look: impl FnOnce(&Variables<'_>) -> T) -> T {
        let secret = |name: &str| self.stored.get(name);
        look(&Variables { env: &env, secret: &secret, params, runtime: None })
    }

    /// The values of the secrets that the files mention.
    pub fn secrets(&self) -> Result<Vec<String>> {
        let values: Result<Vec<_>> = self.mentioned.iter().map(|name| self.stored.get(name)).collect();
        Ok(values?.into_iter().flatten().collect())
    }

    /// Every connector of this build, and what executes SQL.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Opens a connection by its name, or what a URL or a path leads to.
    pub fn open(&self, target: &str) -> Result<Opened, Vec<Error>> {
        match self.shared.connections.iter().find(|connection| connection.name == target) {
            Some(connection) => self.open_named(connection),
            None => {
                self.check_address(target)?;
                connections::open_address(&self.registry, target).map_err(|error| vec![error])
            }
        }
    }

    /// Opens a connection of the project.
    pub fn open_named(&self, connection: &config::Connection) -> Result<Opened, Vec<Error>> {
        self.variables(self.params.clone(), |variables| connections::open(&self.registry, connection, variables))
    }

    /// A word that is neither a URL nor a path that exists is a connection's name spelt wrongly.
    fn check_address(&self, target: &str) -> Result<(), Vec<Error>> {
        let looks_like_path = looks_like_address(target) || Path::new(target).exists();
        if looks_like_path && !target.is_empty() {
            return Ok(());
        }
        let known: Vec<&str> = self.shared.connections.iter().map(|connection| connection.name.as_str()).collect();
        let advice = match known.as_slice() {
            [] => format!(
                "There is no {PROJECT_FILE} in this folder or above; give a URL, or a path such as `./{target}`."
            ),
            known => format!("{} A path starts with `./`.", those(target, known)),
        };
        Err(vec![no_connection(target).advise(advice)])
    }
}

/// Refuses what is no connection of a server's project.
pub fn check_connection(target: &str, known: &[String]) -> Result<(), Vec<Error>> {
    if known.iter().any(|known| known == target) {
        return Ok(());
    }
    if looks_like_address(target) {
        let error = Error::new(ErrorKind::Usage, "a server looks only at the connections of its project");
        return Err(vec![error.advise("Give the name of one, or leave `--server` out.")]);
    }
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    Err(vec![no_connection(target).advise(those(target, &known))])
}

/// Whether a connection is given by its URL or path, and not by its name.
pub fn looks_like_address(target: &str) -> bool {
    target.contains(['/', '\\', '.', ':', '*'])
}

fn no_connection(target: &str) -> Error {
    Error::new(ErrorKind::Config, format!("there is no connection `{target}`"))
}

fn those(target: &str, known: &[&str]) -> String {
    format!("{}Connections: {}.", did_you_mean(nearest(target, known)), known.join(", "))
}

/// The text of a document.
pub fn read_text(path: &Path) -> Result<String, Vec<Error>> {
    std::fs::read_to_string(path).map_err(|error| {
        let error = match error.kind() {
            std::io::ErrorKind::InvalidData => Error::new(ErrorKind::Config, "the file is not text in UTF-8"),
            std::io::ErrorKind::NotFound => Error::new(ErrorKind::Config, "there is no such file")
                .advise("Check the path; `levada init` makes a first pipeline."),
            _ => Error::from(error),
        };
        vec![error.at(path.display().to_string())]
    })
}

/// The project file in a folder or the nearest one above.
pub fn nearest_project(folder: &Path) -> Option<PathBuf> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let absolute = std::path::absolute(folder).ok()?;
    let found = absolute.ancestors().map(|folder| folder.join(PROJECT_FILE)).find(|path| path.is_file())?;
    let here = std::env::current_dir().ok()?;
    Some(found.strip_prefix(here).map(Path::to_path_buf).unwrap_or(found))
}

/// Whether two paths lead to one file.
pub fn same_file(a: &Path, b: &Path) -> bool {
    a.canonicalize().ok().is_some_and(|a| b.canonicalize().ok() == Some(a))
}

/// An environment variable that documents may name. Levada's own are none of them: the master key and the password of the
/// metadata store would be in reach of whoever may change a document.
pub fn env(name: &str) -> Option<String> {
    if name.starts_with("LEVADA_") { None } else { std::env::var(name).ok() }
}

/// A secret: the variable `LEVADA_SECRET_<NAME>`, else the file of that name in `LEVADA_SECRETS_DIR`.
pub fn secret(name: &str) -> Result<Option<String>> {
    if let Ok(value) = std::env::var(format!("LEVADA_SECRET_{}", env_name(name))) {
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
