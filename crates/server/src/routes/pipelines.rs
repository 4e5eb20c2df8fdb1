//! Pipelines and the versions of their documents. A change of one is a change of the project: all of it is checked
//! together, and nothing is applied unless the whole is in order.

use std::collections::BTreeMap;

use levada_core::config::{self};
use levada_core::error::{Error, ErrorKind};
use levada_core::id::RunId;
use levada_core::run::{Graph, RunState};
use levada_core::time::Timestamp;
use levada_store::{Change, Project};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{limit, number};
use crate::App;
use crate::documents;
use crate::problem::Problem;
use crate::project::{PIPELINES_DIR, Source};
use crate::route::{Answer, Call, Done, Page};
use crate::sort::{Sort, orders};

/// How often a change is tried again because another one came first.
const TRIES: usize = 5;

/// The last run of a pipeline.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct LastRun {
    /// Which.
    pub run: RunId,
    /// Where it stands.
    pub state: RunState,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

impl From<levada_store::LastRun> for LastRun {
    fn from(last: levada_store::LastRun) -> Self {
        Self { run: last.run, state: last.state, created_at: last.created_at, ended_at: last.ended_at }
    }
}

/// A version of a document.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct PipelineDocument {
    /// The pipeline.
    pub name: String,
    /// The version, counted from 1.
    pub version: u32,
    /// The file, from the project's folder on.
    pub path: String,
    /// The document, YAML. Those who may not change it see `***` in place of secrets that it holds.
    pub text: String,
    /// When it was applied.
    pub applied_at: Timestamp,
}

/// A version of a document in a list.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Version {
    /// The version, counted from 1.
    pub version: u32,
    /// The file, from the project's folder on.
    pub path: String,
    /// When it was applied.
    pub applied_at: Timestamp,
}

/// A pipeline.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct One {
    /// Its name.
    pub pipeline: String,
}

/// A version of a pipeline.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OneVersion {
    /// The pipeline's name.
    pub pipeline: String,
    /// The version.
    pub version: u32,
}

orders! {
    /// What versions of a document are in order of.
    VersionOrder(true) { Version = "version" }
}

/// Versions of a pipeline.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VersionsOf {
    /// The pipeline's name.
    pub pipeline: String,
    /// The order; `-` before it is the other way round, and the newest come first unless asked for otherwise.
    #[serde(default)]
    pub sort: Sort<VersionOrder>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// How many; 50 unless given, 1,000 at most.
    pub limit: Option<u32>,
}

/// A document of a pipeline.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// The pipeline's name.
    pub pipeline: String,
    /// The document as YAML.
    pub text: Option<String>,
    /// The document as JSON, in place of `text`.
    pub document: Option<Value>,
}

/// What became of a document.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Changed {
    /// `created`, `changed` or `unchanged`.
    pub change: String,
    /// The version that it has now.
    pub version: u32,
}

/// A comparison.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Diff {
    /// Whether they differ.
    pub differs: bool,
    /// The differences, in the unified format.
    pub diff: String,
}

/// A pipeline's document.
pub async fn get(call: Call<One>) -> Result<Answer<PipelineDocument>, Problem> {
    let name = call.input.pipeline.clone();
    let found = call.app.store.pipeline_document(name.clone()).await?.ok_or_else(|| Problem::no("pipeline", &name))?;
    shown(&call, name, found)
}

/// The structure that runs of a pipeline follow.
pub async fn graph(call: Call<One>) -> Result<Answer<Value>, Problem> {
    let name = call.input.pipeline;
    let graph: Graph =
        call.app.store.pipeline_graph(name.clone()).await?.ok_or_else(|| Problem::no("pipeline", &name))?;
    let graph = serde_json::to_value(graph);
    Ok(graph.map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?.into())
}

/// The versions of a pipeline's document, the newest first unless asked for otherwise.
pub async fn versions(call: Call<VersionsOf>) -> Result<Answer<Page<Version>>, Problem> {
    let VersionsOf { pipeline, sort, after, limit: asked } = call.input;
    let (limit, after) = (limit(asked)?, number(after.as_deref())?);
    let found = match sort.is_ascending() {
        true => call.app.store.pipeline_versions_after(pipeline.clone(), after, limit).await?,
        false => call.app.store.pipeline_versions(pipeline.clone(), after, limit).await?,
    };
    if found.is_empty() && after.is_none() {
        return Err(Problem::no("pipeline", pipeline));
    }
    let next = found.last().filter(|_| found.len() == limit).map(|last| last.version.to_string());
    let item = |found: levada_store::Document| Version {
        version: found.version,
        path: found.path,
        applied_at: found.applied_at,
    };
    Ok(Page { items: found.into_iter().map(item).collect(), next }.into())
}

/// A version of a pipeline's document.
pub async fn version(call: Call<OneVersion>) -> Result<Answer<PipelineDocument>, Problem> {
    let (pipeline, version) = (call.input.pipeline.clone(), call.input.version);
    let before = Some(i64::from(version) + 1);
    let found = call.app.store.pipeline_versions(pipeline.clone(), before, 1).await?;
    let found = found.into_iter().find(|found| found.version == version);
    let found = found.ok_or_else(|| Problem::no("version", format!("{pipeline} {version}")))?;
    shown(&call, pipeline, found)
}

/// Makes a document the pipeline's: a new pipeline without `If-Match`, the next version with it.
pub async fn put(call: Call<Text>) -> Result<Answer<Changed>, Problem> {
    let condition = call.condition_or_new();
    let (name, text) = (call.input.pipeline.clone(), call.input.text()?);
    for _ in 0..TRIES {
        let project = applied(&call.app).await?;
        let old = project.pipelines.get(&name);
        match (old, &condition) {
            (Some(_), None) => return Err(Problem::Unconditional),
            (None, Some(_)) => return Err(Problem::Stale),
            (Some(old), Some(condition)) if !condition.allows_version(old.version) => return Err(Problem::Stale),
            _ => {}
        }
        let path = match old {
            Some(old) => old.path.clone(),
            None => free_path(&project, &name),
        };
        let source = Source::new(path, text.clone());
        // whoever may change pipelines with a tag cannot thereby make others theirs
        let tags = config::File::parse(&source.shown, &source.text)?.tags();
        call.caller.must_on(levada_core::access::Role::Editor, &tags)?;
        if let Some(changes) = replace(&call.app, project, &name, Some(source), call.now()).await? {
            let (change, version) = changes.get(&name).copied().ok_or_else(|| misnamed(&name))?;
            return Ok(Answer::from(Changed { change: change.name().to_owned(), version }).version(version));
        }
    }
    Err(crowded())
}

/// Takes a pipeline out of the project. Its runs stay.
pub async fn delete(call: Call<One>) -> Result<Done, Problem> {
    let condition = call.condition()?;
    for _ in 0..TRIES {
        let project = applied(&call.app).await?;
        let name = &call.input.pipeline;
        let old = project.pipelines.get(name).ok_or_else(|| Problem::no("pipeline", name))?;
        if !condition.allows_version(old.version) {
            return Err(Problem::Stale);
        }
        if replace(&call.app, project, name, None, call.now()).await?.is_some() {
            return Ok(Done::default());
        }
    }
    Err(crowded())
}

/// Compares a document with the pipeline's.
pub async fn diff(call: Call<Text>) -> Result<Answer<Diff>, Problem> {
    let (name, text) = (call.input.pipeline.clone(), call.input.text()?);
    let old = call.app.store.pipeline_document(name.clone()).await?.ok_or_else(|| Problem::no("pipeline", &name))?;
    let before = format!("{}\tversion {}", old.path, old.version);
    let shown = call.app.shown_to(&call.caller, &old)?;
    let diff = similar::TextDiff::from_lines(&shown, &text).unified_diff().header(&before, &old.path).to_string();
    Ok(Diff { differs: shown != text, diff }.into())
}

/// Checks a document with the rest of the project, and changes nothing.
pub async fn validate(call: Call<Text>) -> Result<Done, Problem> {
    let project = applied(&call.app).await?;
    let name = call.input.pipeline.clone();
    let path = match project.pipelines.get(&name) {
        Some(old) => old.path.clone(),
        None => free_path(&project, &name),
    };
    let source = Source::new(path, call.input.text()?);
    let new = compiled(&call.app, &project, &name, Some(source)).await?;
    match new.pipelines.iter().any(|(document, _)| document.name == name) {
        true => Ok(Done::default()),
        false => Err(misnamed(&name)),
    }
}

/// Lets nothing of a pipeline start.
pub async fn pause(call: Call<One>) -> Result<Done, Problem> {
    set_paused(call, true).await
}

/// Lets a paused pipeline go on.
pub async fn resume(call: Call<One>) -> Result<Done, Problem> {
    set_paused(call, false).await
}

async fn set_paused(call: Call<One>, paused: bool) -> Result<Done, Problem> {
    let now = call.now();
    documents::find(&call.app.store.project().await?, &call.input.pipeline)?;
    call.app.store.pause_pipeline(call.input.pipeline, paused, now).await?;
    Ok(Done::default())
}

impl Text {
    /// The document as YAML, of which JSON is a part.
    fn text(&self) -> Result<String, Problem> {
        match (&self.text, &self.document) {
            (Some(text), None) => Ok(text.clone()),
            (None, Some(document)) => Ok(format!("{document:#}\n")),
            _ => Err(Problem::Malformed("Give the document as `text` or as `document`.".to_owned())),
        }
    }
}

/// The project as it is applied.
async fn applied(app: &App) -> Result<Project, Problem> {
    let project = app.store.project().await?;
    match project.document {
        Some(_) => Ok(project),
        None => Err(Error::new(ErrorKind::Refused, "no project was applied yet")
            .advise("Apply its documents first.")
            .into()),
    }
}

/// A path that no pipeline of the project has.
fn free_path(project: &Project, name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' }).collect();
    let path = |number: u32| match number {
        1 => format!("{PIPELINES_DIR}/{plain}.yaml"),
        _ => format!("{PIPELINES_DIR}/{plain}-{number}.yaml"),
    };
    let is_free = |path: &String| project.pipelines.values().all(|document| document.path != *path);
    (1..).map(path).find(is_free).unwrap_or_default()
}

/// The project with another document for a pipeline, or without it.
async fn compiled(
    app: &App,
    project: &Project,
    name: &str,
    source: Option<Source>,
) -> Result<levada_store::NewProject, Problem> {
    let others = project.pipelines.iter().filter(|(other, _)| *other != name);
    let sources = others.map(|(_, document)| Source::new(document.path.clone(), document.text.clone())).chain(source);
    let own = project.document.as_ref().map(|own| Source::new(own.path.clone(), own.text.clone()));
    let own = own.unwrap_or_else(|| Source::new(config::PROJECT_FILE.to_owned(), String::new()));
    app.compile(own, sources.collect()).await
}

/// Applies the project with another document for a pipeline; none if another change came first.
async fn replace(
    app: &App,
    project: Project,
    name: &str,
    source: Option<Source>,
    now: Timestamp,
) -> Result<Option<BTreeMap<String, (Change, u32)>>, Problem> {
    let is_put = source.is_some();
    let mut new = compiled(app, &project, name, source).await?;
    let names: Vec<String> = new.pipelines.iter().map(|(document, _)| document.name.clone()).collect();
    if is_put && !names.iter().any(|other| other == name) {
        return Err(misnamed(name));
    }
    new.based_on = Some(project);
    match app.store.apply(new, now).await {
        Ok(applied) => {
            let changes = applied.pipelines.iter().map(|(change, kept)| (*change, kept.version));
            Ok(Some(names.into_iter().zip(changes).collect()))
        }
        Err(error) if error.kind() == ErrorKind::Busy => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn shown<I>(call: &Call<I>, name: String, found: levada_store::Document) -> Result<Answer<PipelineDocument>, Problem> {
    let text = call.app.shown_to(&call.caller, &found)?;
    let levada_store::Document { version, path, applied_at, .. } = found;
    Ok(Answer::from(PipelineDocument { name, version, path, text, applied_at }).version(version))
}

fn misnamed(name: &str) -> Problem {
    Error::new(ErrorKind::Config, "the document has another name than the path")
        .advise(format!("Write `name: {name}` into it."))
        .into()
}

fn crowded() -> Problem {
    Error::new(ErrorKind::Busy, "other changes came first, several times").into()
}
