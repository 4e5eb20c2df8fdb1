//! OpenLineage: what others tell of their runs becomes part of the catalogue, and how far others have been told of those here.
//! See <https://openlineage.io/spec/2-0-2/OpenLineage.json>; what is not named here is let through and not kept.

use std::collections::BTreeMap;
use std::time::Duration;

use levada_core::config::{LineageNames, Project, Variables};
use levada_core::dataset::{ColumnEdge, DatasetColumn, Derivation, Listed, SeenDataset};
use levada_core::time::Timestamp;
use levada_store::{EXTERNAL_DATASETS_MAX, ExternalDataset, ExternalEvent, ExternalKept};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Nothing;
use crate::App;
use crate::problem::Problem;
use crate::route::{Answer, Call, Done, Page};

/// Bytes of a namespace or a name at most.
const NAME_BYTES_MAX: usize = 500;
/// How far ahead the clock of a sender may be.
const AHEAD_MAX: Duration = Duration::from_secs(86_400);
/// What may have happened.
const TYPES: [&str; 6] = ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"];

/// An OpenLineage event: of a run, a job or a dataset.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "OpenLineageEvent")]
pub struct Event {
    /// When it happened.
    #[serde(rename = "eventTime")]
    pub event_time: String,
    /// What happened to the run: `START`, `RUNNING`, `COMPLETE`, `ABORT`, `FAIL` or `OTHER`.
    #[serde(rename = "eventType")]
    pub event_type: Option<String>,
    /// Who tells.
    pub producer: Option<String>,
    /// Which schema the event follows.
    #[serde(rename = "schemaURL")]
    pub schema_url: Option<String>,
    /// The run.
    pub run: Option<Run>,
    /// The job.
    pub job: Option<Job>,
    /// The dataset, of an event that is about nothing else.
    pub dataset: Option<Dataset>,
    /// What is read.
    pub inputs: Option<Vec<Dataset>>,
    /// What is written.
    pub outputs: Option<Vec<Dataset>>,
}

/// A run of others.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "OpenLineageRun")]
pub struct Run {
    /// A UUID.
    #[serde(rename = "runId")]
    pub run_id: String,
}

/// A job of others.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "OpenLineageJob")]
pub struct Job {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// A dataset as others call it.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "OpenLineageDataset")]
pub struct Dataset {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What else is told of it.
    pub facets: Option<Facets>,
}

/// What is told of a dataset, as far as it is kept.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(rename = "OpenLineageFacets")]
pub struct Facets {
    /// Its columns.
    pub schema: Option<SchemaFacet>,
    /// Where its columns come from.
    #[serde(rename = "columnLineage")]
    pub column_lineage: Option<ColumnsFacet>,
    /// Other names of it.
    pub symlinks: Option<Symlinks>,
}

/// The columns of a dataset.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "OpenLineageSchema")]
pub struct SchemaFacet {
    /// The columns.
    pub fields: Option<Vec<Field>>,
}

/// A column.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "OpenLineageField")]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its type, in the words of its system.
    #[serde(rename = "type")]
    pub type_: Option<String>,
}

/// Where columns come from.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "OpenLineageColumns")]
pub struct ColumnsFacet {
    /// By column, the columns it comes from.
    pub fields: BTreeMap<String, Origin>,
    /// Columns on which all of it depends.
    pub dataset: Option<Vec<Input>>,
}

/// Where a column comes from.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "OpenLineageOrigin")]
pub struct Origin {
    /// The columns.
    #[serde(rename = "inputFields")]
    pub input_fields: Vec<Input>,
}

/// A column of a dataset.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "OpenLineageInputField")]
pub struct Input {
    /// The namespace of the dataset.
    pub namespace: String,
    /// The name of the dataset.
    pub name: String,
    /// The column.
    pub field: String,
    /// What was done with it.
    pub transformations: Option<Vec<Transformation>>,
}

/// What was done with a column.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "OpenLineageTransformation")]
pub struct Transformation {
    /// For instance `IDENTITY`.
    pub subtype: Option<String>,
    /// Whether the values cannot be told any more.
    pub masking: Option<bool>,
}

/// Other names of a dataset.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "OpenLineageSymlinks")]
pub struct Symlinks {
    /// The names.
    pub identifiers: Option<Vec<Identifier>>,
}

/// Another name of a dataset.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "OpenLineageIdentifier")]
pub struct Identifier {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

/// Somebody who is told of runs here.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "LineageReceiver")]
pub struct Receiver {
    /// `http` or `file`, as in `lineage` of the project.
    pub name: String,
    /// Events that it has taken.
    pub sent: u64,
    /// Events that wait.
    pub pending: u64,
    /// Bytes of the events that wait.
    pub pending_bytes: u64,
    /// Events that it was not told: there were too many, or it refused them for good.
    pub dropped: u64,
    /// How often in a row it could not be told.
    pub failures: u32,
    /// Why it could not be told the last time; null if it could.
    pub error: Option<String>,
    /// When it is tried again, where it could not be told.
    pub next_at: Option<Timestamp>,
}

/// Keeps what others tell of their runs.
pub async fn take(call: Call<Event>) -> Result<Done, Problem> {
    let (app, now) = (call.app.clone(), call.now());
    let names = names(&app).await?;
    let event = understood(call.input, &names, now)?;
    match app.store.keep_external(event).await? {
        ExternalKept::Yes => Ok(Done::default()),
        ExternalKept::TooMuch => Err(malformed(format!(
            "with this event the run reads and writes more than is kept of one: {EXTERNAL_DATASETS_MAX} datasets, 10,000 pairs \
             of them, 8 MiB of columns. Tell of it in several runs"
        ))),
    }
}

/// Who is told of runs here, and how far.
pub async fn receivers(call: Call<Nothing>) -> Result<Answer<Page<Receiver>>, Problem> {
    let receiver = |found: levada_store::Receiver| Receiver {
        next_at: (found.failures > 0).then_some(found.next_at),
        name: found.name,
        sent: found.sent,
        pending: found.pending,
        pending_bytes: found.pending_bytes,
        dropped: found.dropped,
        failures: found.failures,
        error: found.error,
    };
    let items = call.app.store.receivers().await?.into_iter().map(receiver).collect();
    Ok(Page { items, next: None }.into())
}

/// What the project calls its jobs and datasets where others hear of them.
async fn names(app: &App) -> Result<LineageNames, Problem> {
    let (_, file) = app.project_with_file().await?;
    let project = Project::of(file.as_deref());
    let Some(lineage) = &project.lineage else { return Ok(LineageNames::new(None, project.name.as_deref())) };
    let (env, secret) = (|name: &str| (app.env)(name), |_: &str| Ok(None));
    let variables = Variables { env: &env, secret: &secret, params: BTreeMap::new(), runtime: None };
    lineage.names(project.name.as_deref(), &variables).map_err(Problem::Failed)
}

fn malformed(what: String) -> Problem {
    Problem::Malformed(format!("The event is not kept: {what}."))
}

/// The event in the words of the catalogue.
fn understood(event: Event, names: &LineageNames, now: Timestamp) -> Result<ExternalEvent, Problem> {
    let at = Timestamp::parse(&event.event_time)
        .ok_or_else(|| malformed("`eventTime` is no instant such as 2026-01-31T06:00:00Z".to_owned()))?;
    if at > now.plus(AHEAD_MAX) || at < Timestamp::default() {
        return Err(malformed(
            "`eventTime` is more than a day ahead, or before 1970: set the clock of the sender".to_owned(),
        ));
    }
    if let Some(kind) = event.event_type.as_deref().filter(|kind| !TYPES.contains(kind)) {
        let kind: String = kind.chars().take(50).collect();
        return Err(malformed(format!("`eventType` cannot be `{}`. Valid: {}", kind.escape_debug(), TYPES.join(", "))));
    }
    let (run, job) = match (event.run, event.job, &event.dataset) {
        (Some(run), Some(job), None) => (Some(id(&run)?), Some(named(job)?)),
        (None, Some(job), None) => (None, Some(named(job)?)),
        (None, None, Some(_)) => (None, None),
        _ => {
            let what =
                "it is about a run with its `job`, about a `job`, or about a `dataset`, and about one of these alone";
            return Err(malformed(what.to_owned()));
        }
    };
    let (mut inputs, outputs) = (event.inputs.unwrap_or_default(), event.outputs.unwrap_or_default());
    inputs.extend(event.dataset);
    if inputs.len() + outputs.len() > EXTERNAL_DATASETS_MAX {
        return Err(malformed(format!("it has more than {EXTERNAL_DATASETS_MAX} datasets")));
    }
    let names = Names { names, aliases: aliases(inputs.iter().chain(&outputs), names) };
    let told = |dataset| told(dataset, &names);
    Ok(ExternalEvent {
        at,
        run,
        job,
        inputs: inputs.into_iter().map(told).collect::<Result<_, Problem>>()?,
        outputs: outputs.into_iter().map(told).collect::<Result<_, Problem>>()?,
    })
}

/// The run's UUID as everybody writes it.
fn id(run: &Run) -> Result<String, Problem> {
    let id = uuid::Uuid::parse_str(&run.run_id);
    id.map(|id| id.to_string()).map_err(|_| malformed("`run.runId` is no UUID".to_owned()))
}

fn named(job: Job) -> Result<(String, String), Problem> {
    check(&job.namespace, &job.name, "job")?;
    Ok((job.namespace, job.name))
}

fn check(namespace: &str, name: &str, what: &str) -> Result<(), Problem> {
    let is_fine = |text: &str| !text.is_empty() && text.len() <= NAME_BYTES_MAX && !text.chars().any(char::is_control);
    match is_fine(namespace) && is_fine(name) {
        true => Ok(()),
        false => Err(malformed(format!(
            "the namespace and the name of a {what} have 1 to {NAME_BYTES_MAX} bytes, and no control characters"
        ))),
    }
}

/// What datasets are called here.
struct Names<'a> {
    names: &'a LineageNames,
    /// Those that are of a connection of this project by another of their names.
    aliases: BTreeMap<(String, String), String>,
}

fn aliases<'a>(
    datasets: impl Iterator<Item = &'a Dataset>,
    names: &LineageNames,
) -> BTreeMap<(String, String), String> {
    let alias = |dataset: &Dataset| {
        let others = dataset.facets.as_ref()?.symlinks.as_ref()?.identifiers.as_ref()?;
        let inside = others.iter().find_map(|other| names.inside(&other.namespace, &other.name))?;
        Some(((dataset.namespace.clone(), dataset.name.clone()), inside))
    };
    datasets.filter_map(alias).collect()
}

/// The name of a dataset in the catalogue, and its namespace unless it is of a connection of this project.
fn place(namespace: &str, name: &str, names: &Names<'_>) -> Result<(String, Option<String>), Problem> {
    check(namespace, name, "dataset")?;
    let alias = || names.aliases.get(&(namespace.to_owned(), name.to_owned())).cloned();
    let inside = names.names.inside(namespace, name).or_else(alias);
    if let Some(inside) = inside.filter(|inside| SeenDataset::named(inside).has_fitting_name()) {
        return Ok((inside, None));
    }
    let outside = format!("{namespace}/{name}");
    match SeenDataset::named(&outside).has_fitting_name() {
        true => Ok((outside, Some(namespace.to_owned()))),
        false => Err(malformed("the namespace and the name of a dataset are too long together".to_owned())),
    }
}

fn told(dataset: Dataset, names: &Names<'_>) -> Result<ExternalDataset, Problem> {
    let (name, namespace) = place(&dataset.namespace, &dataset.name, names)?;
    let facets = dataset.facets.unwrap_or_default();
    let column = |field: Field| DatasetColumn {
        name: field.name,
        type_: field.type_.unwrap_or_default(),
        native: None,
        nullable: true,
        key: false,
    };
    let fields = facets.schema.and_then(|schema| schema.fields).filter(|fields| !fields.is_empty());
    let columns = fields.map(|fields| Listed::columns(&fields.into_iter().map(column).collect::<Vec<_>>()));
    let mut origins: BTreeMap<(String, Option<String>), Vec<ColumnEdge>> = BTreeMap::new();
    if let Some(lineage) = facets.column_lineage {
        for (to, origin) in lineage.fields {
            for input in origin.input_fields {
                let how = derivation(&input);
                let source = place(&input.namespace, &input.name, names)?;
                origins.entry(source).or_default().push(ColumnEdge { from: input.field, to: to.clone(), how });
            }
        }
        for input in lineage.dataset.unwrap_or_default() {
            origins.entry(place(&input.namespace, &input.name, names)?).or_default();
        }
    }
    Ok(ExternalDataset { name, namespace, columns, origins: origins.into_iter().collect() })
}

/// What became of a column on the way; without a word about it, it was computed.
fn derivation(input: &Input) -> Derivation {
    let steps = input.transformations.as_deref().unwrap_or_default();
    match () {
        () if steps.iter().any(|step| step.masking == Some(true)) => Derivation::Hashed,
        () if !steps.is_empty() && steps.iter().all(|step| step.subtype.as_deref() == Some("IDENTITY")) => {
            Derivation::Copied
        }
        () => Derivation::Computed,
    }
}
