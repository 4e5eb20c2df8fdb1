//! The project as one thing: all its documents, read and applied together.

use levada_core::config::PROJECT_FILE;
use levada_core::error::{Error, ErrorKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    let own = project.document.into_iter().map(|document| (None, document));
    let pipelines = project.pipelines.into_iter().map(|(name, document)| (Some(name), document));
    let documents = own.chain(pipelines).map(|(pipeline, document)| {
        let text = call.app.shown_to(&call.caller, &document)?;
        Ok(Document { path: document.path, pipeline, version: document.version, text })
    });
    Ok(Documents { documents: documents.collect::<Result<_, Problem>>()? }.into())
}

/// Makes the project what its documents say, all or nothing.
pub async fn put(call: Call<Apply>) -> Result<Answer<Applied>, Problem> {
    let now = call.now();
    let Apply { documents, dry_run } = call.input;
    let (own, pipelines): (Vec<File>, Vec<File>) = documents.into_iter().partition(|file| file.path == PROJECT_FILE);
    let [own] = <[File; 1]>::try_from(own)
        .map_err(|_| Error::new(ErrorKind::Config, format!("one of the documents has to be `{PROJECT_FILE}`")))?;
    let pipelines = pipelines.into_iter().map(|file| Source::new(file.path, file.text)).collect();
    let project = call.app.compile(Source::new(own.path, own.text), pipelines).await?;
    let mut names = vec![(project.document.path.clone(), None)];
    names.extend(project.pipelines.iter().map(|(new, _)| (new.path.clone(), Some(new.name.clone()))));
    if dry_run {
        let checked = |(path, pipeline)| Outcome { path, pipeline, change: "checked".to_owned(), version: None };
        return Ok(Applied { documents: names.into_iter().map(checked).collect() }.into());
    }
    let applied = call.app.store.apply(project, now).await?;
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
