//! The documents of the metadata store as operations need them: parsed once for each version.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use levada_core::config::{self, File, Variables};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::naming::{did_you_mean, nearest};
use levada_store::{Document, NewProject, Project, Store};

use crate::problem::Problem;
use crate::project::{self, Source};
use crate::{App, Server};

/// Most versions kept.
const KEPT_MAX: usize = 2_000;

/// Parsed versions of documents.
#[derive(Default)]
pub struct Documents {
    files: Mutex<HashMap<i64, Arc<File>>>,
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

    /// The tags of an applied pipeline; none if there is no such pipeline.
    pub async fn tags(&self, store: &Store, pipeline: &str) -> Result<Vec<String>, Problem> {
        match store.pipeline_document(pipeline.to_owned()).await? {
            Some(document) => Ok(self.file(&document).map(|file| file.tags()).unwrap_or_default()),
            None => Ok(Vec::new()),
        }
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
        let texts = std::iter::once(&project).chain(&pipelines).map(|source| source.text.as_str());
        let known = self.known_secrets(texts).await;
        let new = self.with_variables(&known, BTreeMap::new(), |variables| {
            project::compile(&self.registry, variables, project, pipelines)
        });
        Ok(new?)
    }
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
    })?;
    let Some(pipeline) = pipeline else { return Ok(()) };
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
