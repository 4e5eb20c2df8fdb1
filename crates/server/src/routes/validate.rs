//! A document by itself, checked against what is applied: what `validate` of the command line tells.

use levada_core::config::{self, File};
use levada_core::redact::Redactor;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::runs::texts;
use crate::problem::Problem;
use crate::project::{Facts, examine};
use crate::route::{Answer, Call};

/// A document.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// The file that it is, as mistakes name it.
    pub path: String,
    /// The text, YAML.
    pub text: String,
    /// Values of the pipeline's parameters.
    #[serde(default)]
    pub params: Map<String, Value>,
}

/// Checks a document, and changes nothing.
pub async fn validate(call: Call<Document>) -> Result<Answer<Facts>, Problem> {
    let Document { path, text, params } = call.input;
    let (app, params) = (&call.app, texts(&params)?);
    let file = File::parse(&path, &text)?;
    let project = app.store.project().await?;
    // a document without a pipeline is the project's, and takes the place of the one that is applied
    let own = project.document.as_ref().filter(|_| file.has_pipeline());
    let texts = std::iter::once(text.as_str()).chain(own.map(|own| own.text.as_str()));
    let known = app.known_secrets(texts).await;
    let own = own.map(|own| app.documents.file(own)).transpose()?;
    let shared = config::Project::of(std::iter::once(&file).chain(own.as_deref())).within(app.commands);
    let found = app.with_variables(&known, params, |variables| examine(&app.registry, variables, &file, &shared));
    let redactor = Redactor::new(known.values().map(String::as_str))?;
    let clean = |errors: Vec<_>| errors.into_iter().map(|error| redactor.error(error)).collect::<Vec<_>>();
    Ok(found.map_err(clean)?.into())
}
