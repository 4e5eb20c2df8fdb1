//! The documents of the metadata store as operations need them: parsed once for each version.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use levada_core::access::Role;
use levada_core::config::{self, Commands, File, Variables};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::naming::{did_you_mean, nearest};
use levada_core::redact::Redactor;
use levada_engine::connections::{self, Opened};
use levada_engine::queries;
use levada_store::{Document, NewProject, Project, Store};

use crate::caller::Caller;
use crate::connections::Written;
use crate::problem::Problem;
use crate::project::{self, Source};
use crate::routes::pipeline_list::{End, Flow};
use crate::{App, Server};

/// Most versions kept.
const KEPT_MAX: usize = 2_000;
/// Names that are told where one of them was meant.
const NAMES_TOLD: usize = 50;

/// The versions of a pipeline's document and of the project's.
type Versions = (i64, Option<i64>);

/// Parsed versions of documents.
#[derive(Default)]
pub struct Documents {
    files: Mutex<HashMap<i64, Arc<File>>>,
    about: Mutex<HashMap<Versions, Arc<About>>>,
}

/// What lists show of a pipeline's document.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct About {
    /// What it is for.
    pub description: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// The connections of the project that it uses. Those of a pipeline whose variables are not set here may be missing.
    pub uses: BTreeSet<String>,
    /// What its syncs move between; the same holds for them.
    pub flows: Vec<Flow>,
}

impl Documents {
    /// A version, parsed.
    pub fn file(&self, document: &Document) -> Result<Arc<File>, Vec<Error>> {
        if let Some(file) = self.files.lock().unwrap_or_else(PoisonError::into_inner).get(&document.id) {
            return Ok(file.clone());
        }
        let file = Arc::new(File::parse(&document.path, &document.text)?);
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if files.len() >= KEPT_MAX {
            files.clear();
        }
        files.insert(document.id, file.clone());
        Ok(file)
    }

    /// What lists show of a version of a pipeline's document and of the project's, if it was asked for before.
    pub fn known(&self, versions: Versions) -> Option<Arc<About>> {
        self.about.lock().unwrap_or_else(PoisonError::into_inner).get(&versions).cloned()
    }

    /// The tags of an applied pipeline; none if there is no such pipeline.
    pub async fn tags(&self, store: &Store, pipeline: &str) -> Result<Vec<String>, Problem> {
        match store.pipeline_document(pipeline.to_owned()).await? {
            Some(document) => Ok(self.file(&document).map(|file| file.tags()).unwrap_or_default()),
            None => Ok(Vec::new()),
        }
    }
}

impl Server {
    /// What lists show of a pipeline, as its document and the project's own say it.
    pub fn about(&self, own: Option<&Document>, document: &Document) -> Arc<About> {
        let key = (document.id, own.map(|own| own.id));
        if let Some(known) = self.documents.known(key) {
            return known;
        }
        let file = self.documents.file(document).ok();
        let own = own.and_then(|own| self.documents.file(own).ok());
        let found = Arc::new(file.map(|file| self.look(&file, own.as_deref())).unwrap_or_default());
        let mut about = self.documents.about.lock().unwrap_or_else(PoisonError::into_inner);
        if about.len() >= KEPT_MAX {
            about.clear();
        }
        about.insert(key, found.clone());
        found
    }

    fn look(&self, file: &File, own: Option<&File>) -> About {
        let mut found =
            About { description: file.description(), owner: file.owner(), tags: file.tags(), ..About::default() };
        // what a secret or a variable stands for is no connection's name
        let any = || Some("0".to_owned());
        let (secret, env) = (|_: &str| Ok(any()), |name: &str| (self.env)(name).or_else(any));
        let variables = Variables { env: &env, secret: &secret, params: BTreeMap::new(), runtime: None };
        let shared = config::Project::of(std::iter::once(file).chain(own));
        let Ok((pipeline, _)) = file.check(&shared, &variables) else { return found };
        let end = |name: &str| {
            let connection = shared.connections.iter().find(|connection| connection.name == name);
            let written = connection.and_then(|connection| connection.written().ok());
            let connector = written.and_then(|written| Written::new(&self.registry, written).connector);
            End { connection: name.to_owned(), connector }
        };
        for task in &pipeline.tasks {
            let is_shared = |name: &&str| file.connections.iter().all(|connection| connection.name != *name);
            found.uses.extend(
                queries::connections(&self.registry, task).into_iter().filter(|name| is_shared(&name.as_str())),
            );
            let Some(load) = task.work.load() else { continue };
            for from in queries::sources(&self.registry, &task.work) {
                let flow = Flow { from: end(&from), to: end(&load.to) };
                if !found.flows.contains(&flow) {
                    found.flows.push(flow);
                }
            }
        }
        found
    }
}

/// Values of those secrets that documents mention.
pub type Known = BTreeMap<String, String>;

impl Server {
    /// Those secrets that texts mention and that can be had here.
    pub async fn known_secrets<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> Known {
        let names: BTreeSet<&str> = texts.into_iter().flat_map(config::secret_names).collect();
        let mut known = Known::new();
        for name in names {
            // the master key may be with the workers only; a value that hangs on it is theirs to check
            if let Ok(Some(value)) = (self.secrets)(name.to_owned()).await {
                known.insert(name.to_owned(), value);
            }
        }
        known
    }

    /// Lets somebody see what references in documents mean.
    pub fn with_variables<T>(
        &self,
        known: &Known,
        params: BTreeMap<String, String>,
        look: impl FnOnce(&Variables<'_>) -> T,
    ) -> T {
        let secret = |name: &str| Ok(known.get(name).cloned());
        let env = |name: &str| (self.env)(name);
        look(&Variables { env: &env, secret: &secret, params, runtime: None })
    }
}

impl Server {
    /// What the store is to have, if nothing is wrong with any of the documents.
    pub async fn compile(&self, project: Source, pipelines: Vec<Source>) -> Result<NewProject, Problem> {
        self.compile_with(project, pipelines, Known::new()).await
    }

    /// The same, where some secrets are about to have other values.
    pub async fn compile_with(
        &self,
        project: Source,
        pipelines: Vec<Source>,
        secrets: Known,
    ) -> Result<NewProject, Problem> {
        let texts = std::iter::once(&project).chain(&pipelines).map(|source| source.text.as_str());
        let mut known = self.known_secrets(texts).await;
        known.extend(secrets);
        // what was applied before stays and is refused when it runs: else nobody could take one of several out
        let applied = match self.commands {
            Commands::Enabled => BTreeSet::new(),
            _ => self.store.project().await?.pipelines.into_values().map(|document| document.text).collect(),
        };
        let commands = |text: &str| if applied.contains(text) { Commands::Enabled } else { self.commands };
        let new = self.with_variables(&known, BTreeMap::new(), |variables| {
            project::compile(&self.registry, variables, &commands, project, pipelines)
        });
        new.map_err(|errors| unquoted(errors, &known))
    }
}

impl Server {
    /// The text of a document as somebody sees it: only those who may change it see secrets that it holds in plain.
    pub fn shown_to(&self, caller: &Caller, document: &Document) -> Result<String, Problem> {
        let tags = self.documents.file(document).map(|file| file.tags()).unwrap_or_default();
        match caller.role_on(&tags) >= Role::Editor {
            true => Ok(document.text.clone()),
            false => crate::connections::masked(&self.registry, &document.path, &document.text),
        }
    }
}

/// A pipeline, checked, with all that its references stand for here.
pub struct Checked {
    /// The pipeline.
    pub pipeline: config::Pipeline,
    /// What it can use.
    pub shared: config::Project,
    /// The values of its parameters.
    pub params: BTreeMap<String, String>,
    /// The values of its secrets.
    pub known: Known,
}

impl Server {
    /// A pipeline of the project as a run with these parameters would have it; without parameters, those that have no
    /// default stay open.
    pub async fn checked(
        &self,
        project: &Project,
        file: &File,
        text: &str,
        params: Option<BTreeMap<String, String>>,
    ) -> Result<Checked, Problem> {
        let own = project.document.as_ref().map(|own| self.documents.file(own)).transpose()?;
        let shared = config::Project::of(std::iter::once(file).chain(own.as_deref())).within(self.commands);
        let texts = std::iter::once(text).chain(project.document.as_ref().map(|own| own.text.as_str()));
        let known = self.known_secrets(texts).await;
        let checked = self.with_variables(&known, params.clone().unwrap_or_default(), |variables| match &params {
            Some(_) => file.pipeline(&shared, variables),
            None => file.check(&shared, variables),
        });
        let (pipeline, params) = checked.map_err(|errors| unquoted(errors, &known))?;
        Ok(Checked { pipeline, shared, params, known })
    }

    /// Opens a connection that a pipeline uses.
    pub fn open_for(&self, checked: &Checked, name: &str) -> Result<Opened, Vec<Error>> {
        let found = checked.shared.connections.iter().find(|connection| connection.name == name);
        let found =
            found.ok_or_else(|| vec![Error::new(ErrorKind::Config, format!("there is no connection `{name}`"))])?;
        let opened = self.with_variables(&checked.known, checked.params.clone(), |variables| {
            connections::open(&self.registry, found, variables)
        });
        let redactor = self.redactor(checked).map_err(|error| vec![error])?;
        opened.map_err(|errors| redactor.errors(errors))
    }

    /// What keeps the secrets of a pipeline, and of the connections that it can use, out of messages.
    pub fn redactor(&self, checked: &Checked) -> Result<Redactor> {
        let plain: Vec<String> = self.with_variables(&checked.known, checked.params.clone(), |variables| {
            let all = checked.shared.connections.iter();
            all.flat_map(|connection| connections::secrets(&self.registry, connection, variables)).collect()
        });
        Redactor::new(checked.known.values().chain(&plain).map(String::as_str))
    }
}

/// Mistakes without the secrets that they may quote: who may look at a document may not therefore look at these.
fn unquoted(errors: Vec<Error>, known: &Known) -> Problem {
    match Redactor::new(known.values().map(String::as_str)) {
        Ok(redactor) => redactor.errors(errors).into(),
        Err(error) => error.into(),
    }
}

/// An applied pipeline by its name.
///
/// # Errors
/// `NotFound`, with the nearest name that there is.
pub fn find<'a>(project: &'a Project, name: &str) -> Result<&'a Document> {
    project.pipelines.get(name).ok_or_else(|| {
        let known: Vec<&str> = project.pipelines.keys().map(String::as_str).collect();
        let error = Error::new(ErrorKind::NotFound, format!("there is no pipeline `{name}`"));
        match known.len() {
            0 => error.advise("Nothing was applied yet."),
            1..=NAMES_TOLD => {
                let near = did_you_mean(nearest(name, &known));
                error
                    .advise(format!("{near}Pipelines: {}. New ones are known once they are applied.", known.join(", ")))
            }
            _ => error.advise(format!("{}List what there is.", did_you_mean(nearest(name, &known)))),
        }
    })
}

/// Refuses parameters and tasks that a pipeline does not have, or that cannot be what they are.
pub async fn check_start(
    app: &App,
    project: &Project,
    document: &Document,
    params: BTreeMap<String, String>,
    tasks: &[String],
) -> Result<(), Problem> {
    let file = app.documents.file(document)?;
    let own = project.document.as_ref().map(|own| app.documents.file(own)).transpose()?;
    let texts = std::iter::once(document).chain(&project.document).map(|document| document.text.as_str());
    let known = app.known_secrets(texts).await;
    let pipeline = app.with_variables(&known, params, |variables| {
        file.params(variables)?;
        // what else the documents say was checked when they were applied, maybe where other variables are set
        let files = std::iter::once(&*file).chain(own.as_deref());
        Ok::<_, Vec<Error>>(file.check(&config::Project::of(files), variables).ok().map(|(pipeline, _)| pipeline))
    });
    let Some(pipeline) = pipeline.map_err(|errors| unquoted(errors, &known))? else { return Ok(()) };
    let names: Vec<&str> = pipeline.tasks.iter().map(|task| task.name.as_str()).collect();
    let unknown = tasks.iter().filter(|task| !names.contains(&task.as_str()));
    let errors: Vec<Error> = unknown
        .map(|task| {
            let near = did_you_mean(nearest(task, &names));
            Error::new(ErrorKind::Usage, format!("the pipeline has no task `{task}`"))
                .at(&document.path)
                .advise(format!("{near}Tasks: {}.", names.join(", ")))
        })
        .collect();
    if errors.is_empty() { Ok(()) } else { Err(errors.into()) }
}
