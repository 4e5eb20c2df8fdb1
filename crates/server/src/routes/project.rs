//! The project as one thing: all its documents, read and applied together.

use levada_core::config::PROJECT_FILE;
use levada_core::error::{Error, ErrorKind};
use levada_store::Project;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Nothing;
use crate::problem::Problem;
use crate::project::Source;
use crate::route::{Answer, Call};

/// The documents of the project.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Documents {
    /// The project's own document first.
    pub documents: Vec<Document>,
}

/// A document of the project.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Document {
    /// The file, from the project's folder on.
    pub path: String,
    /// The pipeline; null for the project's own document.
    pub pipeline: Option<String>,
    /// The version, counted from 1.
    pub version: u32,
    /// The text, YAML. Those who may not change it see `***` in place of secrets that it holds.
    pub text: String,
}

/// Documents to apply.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Apply {
    /// All of them, the project's own among them; pipelines that are not are taken out.
    pub documents: Vec<File>,
    /// Checks them, and changes nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// The text of a document.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// The file, from the project's folder on.
    pub path: String,
    /// The text, YAML.
    pub text: String,
}

/// What became of the documents.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Applied {
    /// Each of them.
    pub documents: Vec<Outcome>,
}

/// What became of a document.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Outcome {
    /// The file.
    pub path: String,
    /// The pipeline; null for the project's own document.
    pub pipeline: Option<String>,
    /// `created`, `changed`, `unchanged`, `removed`, or `checked` if nothing was to be changed.
    pub change: String,
    /// The version that it has now.
    pub version: Option<u32>,
}

/// The documents as they were applied last.
pub async fn get(call: Call<Nothing>) -> Result<Answer<Documents>, Problem> {
    let project = call.app.store.project().await?;
    let version = version(&project);
    let own = project.document.into_iter().map(|document| (None, document));
    let pipelines = project.pipelines.into_iter().map(|(name, document)| (Some(name), document));
    let documents = own.chain(pipelines).map(|(pipeline, document)| {
        let text = call.app.shown_to(&call.caller, &document)?;
        Ok(Document { path: document.path, pipeline, version: document.version, text })
    });
    Ok(Answer::from(Documents { documents: documents.collect::<Result<_, Problem>>()? }).version(version))
}

/// The version of a project as a whole, which is that of its documents: their names and versions, hashed.
fn version(project: &Project) -> u32 {
    let mut hash = Sha256::new();
    let own = project.document.iter().map(|document| ("", document));
    for (name, document) in own.chain(project.pipelines.iter().map(|(name, document)| (name.as_str(), document))) {
        hash.update(format!("{name}\n{}\n", document.id));
    }
    hash.finalize().iter().take(4).fold(0, |version, byte| version << 8 | u32::from(*byte))
}

/// Makes the project what its documents say, all or nothing.
pub async fn put(call: Call<Apply>) -> Result<Answer<Applied>, Problem> {
    let (condition, now) = (call.condition_or_new(), call.now());
    let Apply { documents, dry_run } = call.input;
    let (own, pipelines): (Vec<File>, Vec<File>) = documents.into_iter().partition(|file| file.path == PROJECT_FILE);
    let [own] = <[File; 1]>::try_from(own)
        .map_err(|_| Error::new(ErrorKind::Config, format!("one of the documents has to be `{PROJECT_FILE}`")))?;
    let pipelines = pipelines.into_iter().map(|file| Source::new(file.path, file.text)).collect();
    let mut project = call.app.compile(Source::new(own.path, own.text), pipelines).await?;
    let mut names = vec![(project.document.path.clone(), None)];
    names.extend(project.pipelines.iter().map(|(new, _)| (new.path.clone(), Some(new.name.clone()))));
    if dry_run {
        let checked = |(path, pipeline)| Outcome { path, pipeline, change: "checked".to_owned(), version: None };
        return Ok(Applied { documents: names.into_iter().map(checked).collect() }.into());
    }
    if let Some(condition) = condition {
        let before = call.app.store.project().await?;
        let is_there = before.document.is_some() || !before.pipelines.is_empty();
        if condition.expects(version(&before))?.is_some() {
            project.based_on = Some(before);
        } else if !is_there {
            return Err(Problem::Stale);
        }
    }
    let has_base = project.based_on.is_some();
    let applied = call.app.store.apply(project, now).await.map_err(|error| match error.kind() {
        ErrorKind::Busy if has_base => Problem::Stale,
        _ => error.into(),
    })?;
    let changes = std::iter::once(&applied.document).chain(&applied.pipelines);
    let outcome = |((path, pipeline), (change, kept)): (_, &(levada_store::Change, levada_store::Kept))| Outcome {
        path,
        pipeline,
        change: change.name().to_owned(),
        version: Some(kept.version),
    };
    let mut documents: Vec<Outcome> = names.into_iter().zip(changes).map(outcome).collect();
    let removed = applied.removed.into_iter().map(|(name, path)| Outcome {
        path,
        pipeline: Some(name),
        change: "removed".to_owned(),
        version: None,
    });
    documents.extend(removed);
    Ok(Applied { documents }.into())
}
