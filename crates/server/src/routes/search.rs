//! One search over what people look for by name: pipelines, connections, datasets, and runs by their numbers.

use levada_core::id::RunId;
use levada_core::run::RunState;
use levada_store::DatasetFilter;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::matches;
use crate::connections::Written;
use crate::problem::Problem;
use crate::route::{Answer, Call};

/// What is found at most.
const FOUND_MAX: usize = 20;
/// Longest text that is looked for.
const TEXT_MAX: usize = 200;

/// What to look for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// Part of a name or a tag, or the number of a run.
    pub q: String,
}

/// What was found, the best first; 20 at most.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Found {
    /// Each of it.
    pub items: Vec<Hit>,
}

/// Something that was found.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Hit {
    /// What it is.
    pub kind: Kind,
    /// Its name; of a run, its pipeline's.
    pub name: String,
    /// More about it: tags, the connector, or the state of a run.
    pub detail: Option<String>,
    /// The run.
    pub run: Option<RunId>,
}

/// What something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A run.
    Run,
    /// A pipeline.
    Pipeline,
    /// A connection.
    Connection,
    /// A dataset.
    Dataset,
}

/// How well a name fits; less is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Exact,
    Start,
    Part,
    Other,
}

/// Looks for pipelines, connections, datasets and runs.
pub async fn search(call: Call<Ask>) -> Result<Answer<Found>, Problem> {
    let text = call.input.q.trim().to_lowercase();
    if text.is_empty() || text.len() > TEXT_MAX {
        return Err(Problem::Malformed(format!("`q` has between 1 and {TEXT_MAX} characters.")));
    }
    let app = &call.app;
    let (project, file) = app.project_with_file().await?;
    let mut found: Vec<(Fit, Hit)> = Vec::new();
    if let Ok(number) = text.trim_start_matches('#').parse()
        && let Some(run) = app.store.run(RunId(number)).await?
    {
        found.push((Fit::Exact, of_run(run.id, run.pipeline, run.state)));
    }
    for (name, document) in &project.pipelines {
        let tags = app.documents.file(document).map(|file| file.tags()).unwrap_or_default();
        if matches(Some(&text), std::iter::once(name.as_str()).chain(tags.iter().map(String::as_str))) {
            let detail = (!tags.is_empty()).then(|| tags.join(", "));
            found.push((fit(name, &text), Hit { kind: Kind::Pipeline, name: name.clone(), detail, run: None }));
        }
    }
    for connection in file.iter().flat_map(|file| &file.connections) {
        let connector = connection.written().ok().and_then(|written| Written::new(&app.registry, written).connector);
        let name = &connection.name;
        if matches(Some(&text), std::iter::once(name.as_str()).chain(connector.as_deref())) {
            let hit = Hit { kind: Kind::Connection, name: name.clone(), detail: connector, run: None };
            found.push((fit(name, &text), hit));
        }
    }
    for dataset in app.store.dataset_places(DatasetFilter { search: Some(text.clone()), ..Default::default() }).await? {
        let hit = Hit { kind: Kind::Dataset, name: dataset.name.clone(), detail: None, run: None };
        found.push((fit(&dataset.name, &text), hit));
    }
    found.sort_by(|(a, x), (b, y)| (a, x.kind, &x.name).cmp(&(b, y.kind, &y.name)));
    Ok(Found { items: found.into_iter().take(FOUND_MAX).map(|(_, hit)| hit).collect() }.into())
}

fn of_run(run: RunId, pipeline: String, state: RunState) -> Hit {
    Hit { kind: Kind::Run, name: pipeline, detail: Some(state.name().to_owned()), run: Some(run) }
}

fn fit(name: &str, text: &str) -> Fit {
    match name.to_lowercase() {
        name if name == text => Fit::Exact,
        name if name.starts_with(text) => Fit::Start,
        name if name.contains(text) => Fit::Part,
        _ => Fit::Other,
    }
}
