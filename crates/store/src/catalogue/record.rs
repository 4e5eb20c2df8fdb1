//! Keeps what task runs found and did, in the transaction that ends them: one statement for each table, however many datasets
//! there are, and always in the order of names, so that two processes never wait for each other.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use levada_core::dataset::{Listed, Load, SeenDataset};
use levada_core::error::Result;
use levada_core::id::RunId;
use levada_core::time::Timestamp;

use super::results::{self, Tested};
use super::{LOADS_KEPT, SCHEMAS_KEPT};
use crate::db::{Ask, Column, Tx, Value};

/// A load, and by whom.
pub(crate) struct Done<'a> {
    pub run: RunId,
    pub task: String,
    pub load: Cow<'a, Load>,
}

/// Everything that is to be noted of one dataset.
#[derive(Default)]
struct Noted<'a> {
    seen: Option<&'a SeenDataset>,
    columns: Option<(&'a Listed, RunId)>,
    loads: Vec<&'a Done<'a>>,
}

/// Keeps what task runs did and found. Datasets with names that no database takes are left out.
pub(crate) async fn record(tx: &mut Tx, now: Timestamp, done: &[Done<'_>], tested: &[Tested<'_>]) -> Result<()> {
    let mut datasets: BTreeMap<&str, Noted> = BTreeMap::new();
    for done in done {
        for (source, _) in done.load.sources.iter().filter(|(source, _)| source.has_fitting_name()) {
            note(datasets.entry(&source.name).or_default(), source, done.run);
        }
    }
    // what was written counts more than what was read
    for done in done.iter().filter(|done| done.load.target.has_fitting_name()) {
        let noted = datasets.entry(&done.load.target.name).or_default();
        note(noted, &done.load.target, done.run);
        noted.loads.push(done);
    }
    let tested: Vec<&Tested> = tested.iter().filter(|tested| results::fits(tested)).collect();
    for tested in &tested {
        datasets.entry(&tested.result.dataset).or_default();
    }
    if datasets.is_empty() {
        return Ok(());
    }
    let runs = done.iter().map(|done| done.run).chain(tested.iter().map(|tested| tested.run)).collect();
    let (known, pipelines) = upsert(tx, now, &datasets, runs).await?;
    schemas(tx, now, &datasets, &known).await?;
    loads(tx, now, &datasets, &known, &pipelines).await?;
    lineage(tx, now, done, &pipelines).await?;
    results::record(tx, now, &tested, &pipelines).await
}

fn note<'a>(noted: &mut Noted<'a>, seen: &'a SeenDataset, run: RunId) {
    noted.seen = Some(seen);
    if let Some(columns) = &seen.columns {
        noted.columns = Some((columns, run));
    }
}

/// What the store knew of a dataset: how often it was loaded, with the loads of now, and its columns.
struct Known {
    updates: u64,
    schema_version: i64,
    schema_hash: Option<String>,
}

/// The pipelines of runs.
pub(super) type Pipelines = BTreeMap<RunId, String>;

/// Keeps that datasets were met. Gives what was known of them, and the pipelines that did it.
async fn upsert(
    tx: &mut Tx,
    now: Timestamp,
    datasets: &BTreeMap<&str, Noted<'_>>,
    runs: BTreeSet<RunId>,
) -> Result<(BTreeMap<String, Known>, Pipelines)> {
    const COLUMNS: &[Column] = &[
        ("dataset", "text"),
        ("now", "bigint"),
        ("loads", "bigint"),
        ("by_run", "bigint"),
        ("has_rows", "bigint"),
        ("has_bytes", "bigint"),
    ];
    let sql = "INSERT INTO datasets (name, seen_at, updated_at, updates, run, rows_estimate, bytes_estimate) \
               SELECT v.dataset, v.now, CASE WHEN v.loads > 0 THEN v.now ELSE 0 END, v.loads, v.by_run, v.has_rows, \
               v.has_bytes FROM {rows} WHERE true ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at, \
               updated_at = CASE WHEN excluded.updates > 0 THEN excluded.updated_at ELSE datasets.updated_at END, \
               updates = datasets.updates + excluded.updates, run = COALESCE(excluded.run, datasets.run), \
               rows_estimate = COALESCE(excluded.rows_estimate, datasets.rows_estimate), \
               bytes_estimate = COALESCE(excluded.bytes_estimate, datasets.bytes_estimate) \
               RETURNING name, updates, COALESCE(schema_version, 0), schema_hash";
    let row = |(name, noted): (&&str, &Noted)| -> [Value; 6] {
        [
            (*name).into(),
            now.into(),
            noted.loads.len().into(),
            noted.loads.last().map(|done| done.run).into(),
            noted.seen.and_then(|seen| seen.rows_estimate).into(),
            noted.seen.and_then(|seen| seen.bytes_estimate).into(),
        ]
    };
    let values: Vec<Value> = datasets.iter().flat_map(row).collect();
    let mut those = Vec::new();
    let runs = tx.among("id", &mut those, runs);
    let mut asks = vec![Ask::new(format!("SELECT id, pipeline FROM runs WHERE {runs}"), those)];
    asks.extend(tx.each(sql, COLUMNS, &values));
    let mut answers = tx.all(&asks).await?.into_iter();
    let mut pipelines = Pipelines::new();
    for mut row in answers.next().unwrap_or_default() {
        pipelines.insert(RunId(row.int()?), row.text()?);
    }
    let mut known = BTreeMap::new();
    for mut row in answers.flatten() {
        let name = row.text()?;
        let found = Known { updates: row.count()?, schema_version: row.int()?, schema_hash: row.text_or_null()? };
        known.insert(name, found);
    }
    Ok((known, pipelines))
}

/// Keeps columns that are others than the last ones.
async fn schemas(
    tx: &mut Tx,
    now: Timestamp,
    datasets: &BTreeMap<&str, Noted<'_>>,
    known: &BTreeMap<String, Known>,
) -> Result<()> {
    const VERSIONS: &[Column] = &[("dataset", "text"), ("new_version", "bigint"), ("new_hash", "text")];
    const SCHEMAS: &[Column] = &[
        ("dataset", "text"),
        ("version", "bigint"),
        ("names", "text"),
        ("columns", "text"),
        ("left_out", "bigint"),
        ("seen_at", "bigint"),
        ("run", "bigint"),
    ];
    let (mut versions, mut schemas, mut old) = (Vec::<Value>::new(), Vec::<Value>::new(), Vec::new());
    for (name, noted) in datasets {
        let (Some((columns, run)), Some(known)) = (noted.columns, known.get(*name)) else { continue };
        if known.schema_hash.as_deref() == Some(columns.hash.as_str()) {
            continue;
        }
        let version = known.schema_version + 1;
        versions.extend([(*name).into(), version.into(), columns.hash.as_str().into()]);
        schemas.extend([(*name).into(), version.into(), columns.names.as_str().into(), columns.json.as_str().into()]);
        schemas.extend([columns.left_out.into(), now.into(), run.into()]);
        old.push((*name, version - i64::from(SCHEMAS_KEPT)));
    }
    if versions.is_empty() {
        return Ok(());
    }
    // what a run saw is not changed by what others tell
    let sql = "UPDATE datasets SET schema_version = v.new_version, schema_hash = v.new_hash, schema_at = NULL \
               FROM {rows} WHERE name = v.dataset";
    each(tx, sql, VERSIONS, &versions).await?;
    tx.insert_later("dataset_schemas", SCHEMAS, &schemas).await?;
    for (name, last) in old.into_iter().filter(|(_, last)| *last > 0) {
        let sql = "DELETE FROM dataset_schemas WHERE dataset = $1 AND version <= $2";
        tx.later(sql, &[name.into(), last.into()]).await?;
    }
    Ok(())
}

/// Keeps the loads, each in the slot of the oldest one.
async fn loads(
    tx: &mut Tx,
    now: Timestamp,
    datasets: &BTreeMap<&str, Noted<'_>>,
    known: &BTreeMap<String, Known>,
    pipelines: &Pipelines,
) -> Result<()> {
    const COLUMNS: &[Column] = &[
        ("of_dataset", "text"),
        ("of_slot", "bigint"),
        ("new_number", "bigint"),
        ("by_run", "bigint"),
        ("by_pipeline", "text"),
        ("by_task", "text"),
        ("now", "bigint"),
        ("was_read", "bigint"),
        ("was_written", "bigint"),
        ("was_rejected", "bigint"),
        ("had_bytes", "bigint"),
        ("from_datasets", "text"),
    ];
    let mut values: Vec<Value> = Vec::new();
    for (name, noted) in datasets {
        let Some(known) = known.get(*name) else { continue };
        let before = known.updates.saturating_sub(noted.loads.len() as u64);
        // more at once than are kept: the last ones stay, and no slot is written twice
        let skipped = noted.loads.len().saturating_sub(LOADS_KEPT as usize);
        for (number, done) in (before + 1..).zip(&noted.loads).skip(skipped) {
            let sources: Vec<&str> = done.load.sources.iter().map(|(source, _)| source.name.as_str()).collect();
            let figures = done.load.figures;
            values.extend([(*name).into(), (number % LOADS_KEPT).into(), number.into(), done.run.into()]);
            let pipeline = pipelines.get(&done.run).map_or("", String::as_str);
            values.extend([pipeline.into(), done.task.as_str().into(), now.into()]);
            let counts = [figures.map(|of| of.read), figures.map(|of| of.written), figures.map(|of| of.rejected)];
            values.extend(counts.map(Value::from));
            values.extend([figures.map(|of| of.bytes).into(), serde_json::json!(sources).to_string().into()]);
        }
    }
    let sql = "INSERT INTO dataset_loads (dataset, slot, number, run, pipeline, task, at, rows_read, rows_written, \
               rows_rejected, bytes, sources) SELECT v.of_dataset, v.of_slot, v.new_number, v.by_run, v.by_pipeline, \
               v.by_task, v.now, v.was_read, v.was_written, v.was_rejected, v.had_bytes, v.from_datasets FROM {rows} WHERE true \
               ON CONFLICT (dataset, slot) DO UPDATE SET number = excluded.number, run = excluded.run, \
               pipeline = excluded.pipeline, task = excluded.task, at = excluded.at, rows_read = excluded.rows_read, \
               rows_written = excluded.rows_written, rows_rejected = excluded.rows_rejected, bytes = excluded.bytes, \
               sources = excluded.sources";
    each(tx, sql, COLUMNS, &values).await
}

/// Keeps what was made from what, by the task that does so.
async fn lineage(tx: &mut Tx, now: Timestamp, done: &[Done<'_>], pipelines: &Pipelines) -> Result<()> {
    const COLUMNS: &[Column] = &[
        ("to_target", "text"),
        ("from_source", "text"),
        ("by_pipeline", "text"),
        ("by_task", "text"),
        ("new_columns", "text"),
        ("new_hash", "text"),
        ("without", "bigint"),
        ("by_run", "bigint"),
        ("now", "bigint"),
    ];
    // of a task that did it several times, for its items or in several runs, the last one
    let mut edges: BTreeMap<(&str, &str, &str, &str), (&Listed, RunId)> = BTreeMap::new();
    for done in done.iter().filter(|done| done.load.target.has_fitting_name()) {
        let Some(pipeline) = pipelines.get(&done.run) else { continue };
        for (source, columns) in done.load.sources.iter().filter(|(source, _)| source.has_fitting_name()) {
            edges.insert((&done.load.target.name, &source.name, pipeline, &done.task), (columns, done.run));
        }
    }
    let mut values: Vec<Value> = Vec::new();
    for ((target, source, pipeline, task), (columns, run)) in edges {
        values.extend([target.into(), source.into(), pipeline.into(), task.into()]);
        values.extend([columns.json.as_str().into(), columns.hash.as_str().into(), columns.left_out.into()]);
        values.extend([run.into(), now.into()]);
    }
    let sql = "INSERT INTO lineage (target, source, pipeline, task, columns, hash, left_out, run, at) \
               SELECT v.to_target, v.from_source, v.by_pipeline, v.by_task, v.new_columns, v.new_hash, v.without, \
               v.by_run, v.now FROM {rows} WHERE true \
               ON CONFLICT (target, source, pipeline, task) DO UPDATE SET hash = excluded.hash, \
               columns = CASE WHEN lineage.hash = excluded.hash THEN lineage.columns ELSE excluded.columns END, \
               left_out = excluded.left_out, run = excluded.run, at = excluded.at";
    each(tx, sql, COLUMNS, &values).await
}

pub(super) async fn each(tx: &mut Tx, sql: &str, columns: &[Column], values: &[Value]) -> Result<()> {
    if values.is_empty() {
        return Ok(());
    }
    for ask in tx.each(sql, columns, values) {
        tx.later(&ask.sql, &ask.values).await?;
    }
    Ok(())
}
