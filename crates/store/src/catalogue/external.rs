//! What others tell of their runs: datasets that become known by it, and what was made from what. Events add up to what a run
//! read and wrote, in whatever order and however often they come.

use std::collections::{BTreeMap, BTreeSet};

use levada_core::dataset::{ColumnEdge, Listed};
use levada_core::error::Result;
use levada_core::time::Timestamp;

use super::SCHEMAS_KEPT;
use super::read::listed;
use super::record::each;
use crate::Store;
use crate::db::{Column, Tx, Value};

/// Datasets that one run of others reads and writes at most.
pub const EXTERNAL_DATASETS_MAX: usize = 2_000;
/// Bytes of what is kept of one run of others.
const BYTES_MAX: usize = 8 << 20;
/// What stands before the namespace of a job of others, where pipelines of this project have their names.
pub(super) const JOB_PREFIX: &str = "external:";

/// What others tell of one of their runs, or of a job or a dataset by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExternalEvent {
    /// When it happened, by their clock.
    pub at: Timestamp,
    /// The run, in their words; none if they tell of a job or a dataset.
    pub run: Option<String>,
    /// The namespace and the name of the job; none if they tell of a dataset.
    pub job: Option<(String, String)>,
    /// What is read.
    pub inputs: Vec<ExternalDataset>,
    /// What is written.
    pub outputs: Vec<ExternalDataset>,
}

/// A dataset that others tell of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExternalDataset {
    /// Its name in the catalogue.
    pub name: String,
    /// Its namespace; none if it is a dataset of a connection of this project.
    pub namespace: Option<String>,
    /// Its columns, if they are told.
    pub columns: Option<Listed>,
    /// Of what is written, what it came from, as far as that is told by columns.
    pub origins: Vec<(ExternalName, Vec<ColumnEdge>)>,
}

/// The name of a dataset in the catalogue, and its namespace unless it is of a connection of this project.
pub type ExternalName = (String, Option<String>);

/// What came of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExternalKept {
    /// It is kept.
    Yes,
    /// With it the run has more datasets, or more columns, than are kept of one; nothing was changed.
    TooMuch,
}

/// Of a dataset that is written: by source, the columns that came from it.
type Origins = BTreeMap<String, BTreeSet<ColumnEdge>>;

/// What a run read and wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Known {
    at: Timestamp,
    inputs: BTreeSet<String>,
    outputs: BTreeMap<String, Origins>,
}

impl Store {
    /// Keeps what others tell.
    pub async fn keep_external(&self, event: ExternalEvent) -> Result<ExternalKept> {
        self.db.write(async move |tx: &mut Tx| keep(tx, &event).await).await
    }
}

async fn keep(tx: &mut Tx, event: &ExternalEvent) -> Result<ExternalKept> {
    let mut known = Known::default();
    if let (Some(run), Some(job)) = (&event.run, &event.job) {
        known = before(tx, run, job, event.at).await?;
    }
    known.add(event);
    let inputs = serde_json::json!(known.inputs).to_string();
    let outputs = serde_json::json!(known.outputs).to_string();
    let count = known.inputs.len() + known.outputs.len();
    if count > EXTERNAL_DATASETS_MAX || inputs.len() + outputs.len() > BYTES_MAX || known.edges().count() > EDGES_MAX {
        // the row that was made for the run goes with the next look at what is old
        return Ok(ExternalKept::TooMuch);
    }
    datasets(tx, event).await?;
    schemas(tx, event).await?;
    if let Some(job) = &event.job {
        lineage(tx, event.run.as_deref().unwrap_or_default(), job, &known).await?;
    }
    if let Some(run) = &event.run {
        let sql = "UPDATE external_runs SET at = $2, inputs = $3, outputs = $4 WHERE run = $1";
        tx.later(sql, &[run.as_str().into(), known.at.into(), inputs.into(), outputs.into()]).await?;
    }
    Ok(ExternalKept::Yes)
}

/// Edges between the datasets of one run at most.
const EDGES_MAX: usize = 10_000;

/// What is known of a run; it is locked until the end.
async fn before(tx: &mut Tx, run: &str, job: &(String, String), at: Timestamp) -> Result<Known> {
    let sql = "INSERT INTO external_runs (run, namespace, job, at, inputs, outputs) VALUES ($1, $2, $3, $4, '[]', '{}') \
               ON CONFLICT (run) DO NOTHING";
    tx.later(sql, &[run.into(), job.0.as_str().into(), job.1.as_str().into(), at.into()]).await?;
    let lock = tx.lock("r");
    let sql = format!("SELECT r.at, r.inputs, r.outputs FROM external_runs r WHERE r.run = $1{lock}");
    let Some(mut row) = tx.row(&sql, &[run.into()]).await? else { return Ok(Known::default()) };
    let at = row.time()?;
    let inputs = listed(&row.text()?).into_iter().collect();
    Ok(Known { at, inputs, outputs: serde_json::from_str(&row.text()?).unwrap_or_default() })
}

impl Known {
    fn add(&mut self, event: &ExternalEvent) {
        self.at = self.at.max(event.at);
        self.inputs.extend(event.inputs.iter().map(|dataset| dataset.name.clone()));
        for dataset in &event.outputs {
            let origins = self.outputs.entry(dataset.name.clone()).or_default();
            for ((source, _), edges) in &dataset.origins {
                origins.entry(source.clone()).or_default().extend(edges.iter().cloned());
            }
        }
    }

    /// What was made from what: from what its columns came, where that is told, else from everything that was read.
    fn edges(&self) -> impl Iterator<Item = (&str, &str, Vec<ColumnEdge>)> {
        self.outputs.iter().flat_map(move |(target, origins)| {
            let told = origins.iter().map(|(source, edges)| (source.as_str(), Vec::from_iter(edges.iter().cloned())));
            let all = self.inputs.iter().filter(move |_| origins.is_empty());
            let all = all.map(|source| (source.as_str(), Vec::new()));
            told.chain(all).map(move |(source, edges)| (target.as_str(), source, edges))
        })
    }
}

/// Makes datasets known.
async fn datasets(tx: &mut Tx, event: &ExternalEvent) -> Result<()> {
    const COLUMNS: &[Column] = &[("dataset", "text"), ("now", "bigint"), ("space", "text")];
    let sql = "INSERT INTO datasets (name, seen_at, updated_at, updates, namespace) \
               SELECT v.dataset, v.now, 0, 0, v.space FROM {rows} WHERE true ON CONFLICT (name) DO UPDATE SET \
               seen_at = CASE WHEN excluded.seen_at > COALESCE(datasets.seen_at, 0) THEN excluded.seen_at \
               ELSE datasets.seen_at END";
    // in the order in which everybody locks them
    let mut all: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    for dataset in event.inputs.iter().chain(&event.outputs) {
        all.insert(&dataset.name, dataset.namespace.as_deref());
        for ((name, namespace), _) in &dataset.origins {
            all.entry(name).or_insert(namespace.as_deref());
        }
    }
    let row = |(name, namespace): (&str, Option<&str>)| -> [Value; 3] {
        [name.into(), event.at.into(), namespace.map(str::to_owned).into()]
    };
    each(tx, sql, COLUMNS, &all.into_iter().flat_map(row).collect::<Vec<_>>()).await
}

/// Keeps columns that are others than the last ones, of datasets that no run of this store saw; those of an event that comes
/// late are not the last ones.
async fn schemas(tx: &mut Tx, event: &ExternalEvent) -> Result<()> {
    let mut told: BTreeMap<&str, &Listed> = BTreeMap::new();
    for dataset in event.inputs.iter().chain(&event.outputs) {
        told.extend(dataset.columns.as_ref().map(|columns| (dataset.name.as_str(), columns)));
    }
    for (name, columns) in told {
        let lock = tx.lock("d");
        let sql = format!(
            "SELECT COALESCE(d.schema_version, 0), d.schema_hash, d.schema_at FROM datasets d WHERE d.name = $1{lock}"
        );
        let Some(mut row) = tx.row(&sql, &[name.into()]).await? else { continue };
        let (version, hash, known_at) = (row.int()?, row.text_or_null()?, row.time_or_null()?);
        let is_newer = if version == 0 { true } else { known_at.is_some_and(|known_at| known_at <= event.at) };
        if !is_newer {
            continue;
        }
        let is_same = hash.as_deref() == Some(columns.hash.as_str());
        let version = if is_same { version } else { version + 1 };
        let sql = "UPDATE datasets SET schema_version = $2, schema_hash = $3, schema_at = $4 WHERE name = $1";
        tx.later(sql, &[name.into(), version.into(), columns.hash.as_str().into(), event.at.into()]).await?;
        if is_same {
            continue;
        }
        let sql = "INSERT INTO dataset_schemas (dataset, version, names, columns, left_out, seen_at, run) \
                   VALUES ($1, $2, $3, $4, $5, $6, 0)";
        let values = [
            name.into(),
            version.into(),
            columns.names.as_str().into(),
            columns.json.as_str().into(),
            columns.left_out.into(),
            event.at.into(),
        ];
        tx.later(sql, &values).await?;
        let sql = "DELETE FROM dataset_schemas WHERE dataset = $1 AND version <= $2";
        tx.later(sql, &[name.into(), (version - i64::from(SCHEMAS_KEPT)).into()]).await?;
    }
    Ok(())
}

/// Keeps what was made from what, unless a later run told of it.
async fn lineage(tx: &mut Tx, run: &str, job: &(String, String), known: &Known) -> Result<()> {
    const COLUMNS: &[Column] = &[
        ("to_target", "text"),
        ("from_source", "text"),
        ("by_job", "text"),
        ("of_space", "text"),
        ("new_columns", "text"),
        ("new_hash", "text"),
        ("without", "bigint"),
        ("by_run", "text"),
        ("told_at", "bigint"),
    ];
    let sql = "INSERT INTO lineage (target, source, pipeline, task, columns, hash, left_out, run, at, external_run) \
               SELECT v.to_target, v.from_source, v.of_space, v.by_job, v.new_columns, v.new_hash, v.without, 0, \
               v.told_at, v.by_run FROM {rows} WHERE true \
               ON CONFLICT (target, source, pipeline, task) DO UPDATE SET hash = excluded.hash, \
               columns = excluded.columns, left_out = excluded.left_out, at = excluded.at, \
               external_run = excluded.external_run WHERE lineage.at <= excluded.at";
    let (space, name) = (format!("{JOB_PREFIX}{}", job.0), &job.1);
    if !run.is_empty() {
        // an event that came before may have told less of where columns came from
        let mut values: Vec<Value> = vec![space.as_str().into(), name.as_str().into(), run.into()];
        let those = tx.among("target", &mut values, known.outputs.keys().map(String::as_str));
        let sql = format!("DELETE FROM lineage WHERE pipeline = $1 AND task = $2 AND external_run = $3 AND {those}");
        tx.later(&sql, &values).await?;
    }
    let mut values: Vec<Value> = Vec::new();
    for (target, source, edges) in known.edges() {
        let columns = Listed::edges(&edges);
        values.extend([target.into(), source.into(), name.as_str().into(), space.as_str().into()]);
        values.extend([columns.json.into(), columns.hash.into(), columns.left_out.into()]);
        values.extend([run.into(), known.at.into()]);
    }
    each(tx, sql, COLUMNS, &values).await
}
