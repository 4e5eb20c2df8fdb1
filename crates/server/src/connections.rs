//! The connections of the project: shown without their secrets, opened, and changed in the project's document, of which
//! everything else stays as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use levada_core::config::{
    self, Connection, File, MASKED, PROJECT_FILE, Settings, edit, replace_secrets, replace_secrets_in_address,
};
use levada_core::connector::Registry;
use levada_core::error::{Error, ErrorKind};
use levada_core::redact::Redactor;
use levada_core::secret::Secret;
use levada_core::time::Timestamp;
use levada_engine::connections::{self, Opened};
use levada_store::{Document, Project};
use serde_json::{Map, Value as Json, json};

use crate::condition::Condition;
use crate::documents::Known;
use crate::problem::Problem;
use crate::project::Source;
use crate::{App, Server, secrets};

/// How often a change is tried again because another one came first.
const TRIES: usize = 5;
/// Longest name of a connection.
const NAME_MAX: usize = 100;

/// What a connection says, in parts that are shown, or that somebody gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The connector, where that is known.
    pub connector: Option<String>,
    /// What the document says.
    pub settings: Settings,
    /// The JSON schema of its settings.
    schema: Json,
}

/// A change that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// The version that the project's document has now.
    pub version: u32,
    /// Whether the connection was not there before.
    pub is_new: bool,
    /// The secrets that were stored for it.
    pub secrets: Vec<String>,
}

impl Written {
    /// What a document says, with the connector that it means.
    pub fn new(registry: &Registry, settings: Settings) -> Self {
        let connector = match &settings {
            Settings::Typed { connector, .. } => registry.get(connector).ok(),
            Settings::Url(address) => match address.split_once("://") {
                Some((scheme, _)) => registry.for_scheme(&scheme.to_ascii_lowercase()).ok(),
                None if address.contains("${") => None,
                None => registry.for_path(address.split('?').next().unwrap_or_default()).ok(),
            },
        };
        let descriptor = connector.map(|connector| connector.descriptor());
        let schema = descriptor.as_ref().map(|descriptor| descriptor.settings.clone()).unwrap_or_default();
        let name = match &settings {
            Settings::Typed { connector, .. } => Some(connector.clone()),
            Settings::Url(_) => descriptor.map(|descriptor| descriptor.name.to_owned()),
        };
        Self { connector: name, settings, schema }
    }

    /// The same without its secrets.
    pub fn masked(&self) -> Self {
        let mut masked = self.clone();
        masked.replace(&mut |_, _| Some(MASKED.to_owned()));
        masked
    }

    /// Its secrets by the names of their settings.
    pub fn secrets(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        self.clone().replace(&mut |label, text| {
            found.insert(label.to_owned(), text.to_owned());
            None
        });
        found
    }

    fn replace(&mut self, each: &mut dyn FnMut(&str, &str) -> Option<String>) {
        match &mut self.settings {
            Settings::Typed { settings, .. } => replace_secrets(settings, &self.schema, each),
            Settings::Url(address) => *address = replace_secrets_in_address(address, &self.schema, each),
        }
    }

    /// Puts the secrets back that stand as [`MASKED`] in what somebody gives, who was only shown that.
    ///
    /// # Errors
    /// `Malformed` for one that was never there.
    pub fn restored(mut self, old: Option<&Self>) -> Result<Self, Problem> {
        let known = old.map(Self::secrets).unwrap_or_default();
        let mut missing = None;
        self.replace(&mut |label, text| match (text == MASKED, known.get(label)) {
            (false, _) => None,
            (true, Some(secret)) => Some(secret.clone()),
            (true, None) => {
                missing = Some(label.to_owned());
                None
            }
        });
        match missing {
            None => Ok(self),
            Some(label) => Err(Problem::Malformed(format!("`{label}` is {MASKED}, and there is no value to keep."))),
        }
    }

    /// Puts references to stored secrets in place of the secrets themselves, which are answered by their names.
    fn sealed(mut self, connection: &str) -> (Self, BTreeMap<String, String>) {
        let mut found = BTreeMap::new();
        self.replace(&mut |label, text| {
            let name = format!("{}{}", secret_prefix(connection), label.replace('.', "_"));
            let reference = format!("${{secret:{name}}}");
            found.insert(name, text.to_owned());
            Some(reference)
        });
        (self, found)
    }

    /// As it stands in a document.
    fn to_json(&self) -> Json {
        match &self.settings {
            Settings::Url(address) => Json::String(address.clone()),
            Settings::Typed { connector, settings } => {
                let mut map = Map::from_iter([("type".to_owned(), Json::String(connector.clone()))]);
                map.extend(settings.as_object().cloned().unwrap_or_default());
                Json::Object(map)
            }
        }
    }

    /// The names of the stored secrets that it refers to.
    fn refers_to(&self) -> BTreeSet<String> {
        config::secret_names(&self.to_json().to_string()).map(str::to_owned).collect()
    }
}

fn secret_prefix(connection: &str) -> String {
    format!("connection_{connection}_")
}

impl Server {
    /// The project with its own document, parsed.
    pub async fn project_with_file(&self) -> Result<(Project, Option<Arc<File>>), Problem> {
        let project = self.store.project().await?;
        let file = project.document.as_ref().map(|own| self.documents.file(own)).transpose()?;
        Ok((project, file))
    }

    /// A connection of the project's document.
    pub async fn connection(&self, name: &str) -> Result<(Project, Connection), Problem> {
        let (project, file) = self.project_with_file().await?;
        let found = file.and_then(|file| file.connections.iter().find(|known| known.name == name).cloned());
        Ok((project, found.ok_or_else(|| Problem::no("connection", name))?))
    }

    /// Opens a connection of the project's document. Answers also what keeps its secrets out of messages.
    pub async fn open_connection(&self, name: &str) -> Result<(Opened, Redactor), Problem> {
        let (_, connection) = self.connection(name).await?;
        self.open_of_project(&connection).await
    }

    /// The same, of a connection that is at hand.
    pub async fn open_of_project(&self, connection: &Connection) -> Result<(Opened, Redactor), Problem> {
        let written = Written::new(&self.registry, connection.written()?);
        self.open_written(connection, &written).await
    }

    /// Opens what somebody gives as a connection, without keeping it.
    ///
    /// # Errors
    /// As the settings have them.
    pub async fn open_given(&self, name: &str, written: &Written) -> Result<(Opened, Redactor), Problem> {
        // JSON is YAML, and a name in it is quoted
        let document = json!({ "version": 1, "connections": { name: written.to_json() } });
        let file = File::parse(PROJECT_FILE, &document.to_string())?;
        let connection = file.connections.first().ok_or_else(|| Problem::no("connection", name))?;
        self.open_written(connection, written).await
    }

    async fn open_written(&self, connection: &Connection, written: &Written) -> Result<(Opened, Redactor), Problem> {
        let text = written.to_json().to_string();
        let known = self.known_secrets([text.as_str()]).await;
        let (opened, plain) = self.with_variables(&known, BTreeMap::new(), |variables| {
            let opened = connections::open(&self.registry, connection, variables);
            (opened, connections::secrets(&self.registry, connection, variables))
        });
        let written = written.secrets();
        let all = known.values().chain(&plain).chain(written.values());
        let redactor = Redactor::new(all.map(String::as_str))?;
        match opened {
            Ok(opened) => Ok((opened, redactor)),
            Err(errors) => Err(redactor.errors(errors).into()),
        }
    }

    /// The pipelines that use each connection of the project.
    pub fn used_by(&self, project: &Project) -> BTreeMap<String, BTreeSet<String>> {
        let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (pipeline, document) in &project.pipelines {
            for connection in &self.about(project.document.as_ref(), document).uses {
                used.entry(connection.clone()).or_default().insert(pipeline.clone());
            }
        }
        used
    }
}

/// What a document says of connections, without their secrets, for those who may not change it.
pub fn masked(registry: &Registry, path: &str, text: &str) -> Result<String, Problem> {
    let connection = |said: &Json| {
        let settings = match said {
            Json::String(address) => Settings::Url(address.clone()),
            Json::Object(entries) => {
                let mut entries = entries.clone();
                let Some(Json::String(connector)) = entries.remove("type") else { return said.clone() };
                Settings::Typed { connector, settings: Json::Object(entries) }
            }
            other => return other.clone(),
        };
        Written::new(registry, settings).masked().to_json()
    };
    Ok(config::masked(path, text, &connection)?)
}

/// Makes a connection of the project's document say something else, or a new one of it. Secrets given in plain are kept by
/// the metadata store, and the document refers to them.
///
/// # Errors
/// `Unconditional` and `Stale` as the version asks; `Failed` with every mistake that the change would bring.
pub async fn save(
    app: &App,
    name: &str,
    given: Written,
    condition: Option<&Condition>,
    now: Timestamp,
) -> Result<Saved, Problem> {
    check_name(name)?;
    for _ in 0..TRIES {
        let (project, file) = app.project_with_file().await?;
        let old = old(app, file.as_deref(), name)?;
        fresh(&project, old.is_some(), condition)?;
        let (sealed, secrets) = given.clone().restored(old.as_ref())?.sealed(name);
        let own = own(&project);
        let text = edit::set(&own.path, &own.text, &["connections", name], &sealed.to_json())?;
        refuse_foreign(&project, old.as_ref(), &secrets)?;
        let known: Known = secrets.clone().into_iter().collect();
        let source = Source::new(own.path.clone(), text);
        check_opens(app, &source, name, &known).await?;
        let new = compile(app, &project, source, known).await?;
        for (name, value) in &secrets {
            secrets::set(&app.store, &app.data_dir, name.clone(), Secret::new(value.clone()), now).await?;
        }
        if let Some(version) = apply(app, new, project, now).await? {
            return Ok(Saved { version, is_new: old.is_none(), secrets: secrets.into_keys().collect() });
        }
    }
    Err(crowded())
}

/// Takes a connection out of the project's document, and the secrets that were stored for it alone.
///
/// # Errors
/// `Stale` as the version asks; `Failed` where pipelines use it.
pub async fn delete(app: &App, name: &str, condition: &Condition, now: Timestamp) -> Result<(), Problem> {
    for _ in 0..TRIES {
        let (project, file) = app.project_with_file().await?;
        let old = old(app, file.as_deref(), name)?.ok_or_else(|| Problem::no("connection", name))?;
        fresh(&project, true, Some(condition))?;
        if let Some(users) = app.used_by(&project).get(name) {
            let users: Vec<&str> = users.iter().map(String::as_str).collect();
            let message = format!("the connection `{name}` is used by {}", users.join(", "));
            return Err(Error::new(ErrorKind::Refused, message).advise("Change these pipelines first.").into());
        }
        let own = own(&project);
        let text = edit::remove(&own.path, &own.text, &["connections", name])?;
        let others: Vec<String> = std::iter::once(text.clone()).chain(pipeline_texts(&project)).collect();
        let new = compile(app, &project, Source::new(own.path, text), Known::new()).await?;
        if apply(app, new, project, now).await?.is_none() {
            continue;
        }
        let prefix = secret_prefix(name);
        for secret in old.refers_to().iter().filter(|secret| secret.starts_with(&prefix)) {
            if !others.iter().any(|text| config::secret_names(text).any(|name| name == secret)) {
                app.store.remove_secret(secret.clone()).await?;
            }
        }
        return Ok(());
    }
    Err(crowded())
}

fn check_name(name: &str) -> Result<(), Problem> {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    match !name.is_empty() && name.len() <= NAME_MAX && name.chars().all(is_plain) {
        true => Ok(()),
        false => {
            let why = format!("The name of a connection has 1 to {NAME_MAX} letters, digits, `_`, `-` and `.`.");
            Err(Problem::Malformed(why))
        }
    }
}

fn old(app: &App, file: Option<&File>, name: &str) -> Result<Option<Written>, Problem> {
    let found = file.and_then(|file| file.connections.iter().find(|connection| connection.name == name));
    Ok(found.map(|found| found.written()).transpose()?.map(|settings| Written::new(&app.registry, settings)))
}

fn fresh(project: &Project, is_there: bool, condition: Option<&Condition>) -> Result<(), Problem> {
    match (project.document.as_ref().map(|own| own.version), condition) {
        (_, None) if is_there => Err(Problem::Unconditional),
        (_, None) => Ok(()),
        (_, Some(Condition::There)) if !is_there => Err(Problem::Stale),
        (Some(version), Some(condition)) if condition.allows_version(version) => Ok(()),
        (_, Some(_)) => Err(Problem::Stale),
    }
}

/// The project's own document; a first one where nothing was applied yet.
fn own(project: &Project) -> Source {
    match &project.document {
        Some(Document { path, text, .. }) => Source::new(path.clone(), text.clone()),
        None => Source::new(PROJECT_FILE.to_owned(), "version: 1\n".to_owned()),
    }
}

fn pipeline_texts(project: &Project) -> impl Iterator<Item = String> + '_ {
    project.pipelines.values().map(|document| document.text.clone())
}

/// Refuses to write over a secret that somebody else refers to.
fn refuse_foreign(project: &Project, old: Option<&Written>, secrets: &BTreeMap<String, String>) -> Result<(), Problem> {
    let own = old.map(Written::refers_to).unwrap_or_default();
    let texts: Vec<&str> =
        project.pipelines.values().chain(&project.document).map(|found| found.text.as_str()).collect();
    for secret in secrets.keys().filter(|secret| !own.contains(*secret)) {
        if texts.iter().any(|text| config::secret_names(text).any(|name| name == secret)) {
            let message = format!("the secret `{secret}` is in use elsewhere");
            let advice = "Set the value as a secret of another name, and write `${secret:NAME}` in its place.";
            return Err(Error::new(ErrorKind::Refused, message).advise(advice).into());
        }
    }
    Ok(())
}

/// Refuses settings that no connection can be made of.
async fn check_opens(app: &App, source: &Source, name: &str, new: &Known) -> Result<(), Problem> {
    let file = File::parse(&source.shown, &source.text)?;
    let Some(connection) = file.connections.iter().find(|connection| connection.name == name) else {
        return Err(Problem::no("connection", name));
    };
    let text = Written::new(&app.registry, connection.written()?).to_json().to_string();
    let mut known = app.known_secrets([text.as_str()]).await;
    known.extend(new.clone());
    let redactor = Redactor::new(known.values().map(String::as_str))?;
    let opened = app.with_variables(&known, BTreeMap::new(), |variables| {
        connections::open(&app.registry, connection, variables).map(drop)
    });
    opened.map_err(|errors| redactor.errors(errors).into())
}

async fn compile(app: &App, project: &Project, own: Source, known: Known) -> Result<levada_store::NewProject, Problem> {
    let pipelines = project.pipelines.values();
    let pipelines = pipelines.map(|document| Source::new(document.path.clone(), document.text.clone())).collect();
    app.compile_with(own, pipelines, known).await
}

/// Applies a project; the version of its own document, or none if another change came first.
async fn apply(
    app: &App,
    mut new: levada_store::NewProject,
    based_on: Project,
    now: Timestamp,
) -> Result<Option<u32>, Problem> {
    new.based_on = Some(based_on);
    match app.store.apply(new, now).await {
        Ok(applied) => Ok(Some(applied.document.1.version)),
        Err(error) if error.kind() == ErrorKind::Busy => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn crowded() -> Problem {
    Error::new(ErrorKind::Busy, "other changes came first, several times").into()
}
