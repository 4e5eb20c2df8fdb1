//! What people ask about datasets: which there are, what each is like, how its columns came to be, and its last loads.

use std::collections::HashMap;

use levada_core::dataset::{DatasetColumn, LoadFigures};
use levada_core::error::Result;
use levada_core::id::RunId;
use levada_core::time::Timestamp;

use super::{Dataset, DatasetLoad};
use crate::Store;
use crate::db::{Row, Tx, Value};
use crate::views::like;

/// Which datasets to list.
#[derive(Debug, Clone, Default)]
pub struct DatasetFilter {
    /// With this text in the name, the owner, the description, a tag, or in the name of a column or what is written about it.
    pub search: Option<String>,
    /// Of this connection.
    pub connection: Option<String>,
    /// With this tag, itself or on one of its columns.
    pub tag: Option<String>,
    /// Of this owner.
    pub owner: Option<String>,
}

/// A dataset as far as lists have to be in order of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetPlace {
    /// Its name.
    pub name: String,
    /// When it was loaded last.
    pub updated_at: Option<Timestamp>,
    /// How many rows it has, roughly.
    pub rows_estimate: Option<u64>,
}

/// A column, with what people wrote about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The column as a run saw it last; none of one that is there no more, or that was never seen.
    pub seen: Option<DatasetColumn>,
    /// Its name.
    pub name: String,
    /// What it is, in words; empty if nobody wrote it.
    pub description: String,
    /// Words to find it by.
    pub tags: Vec<String>,
}

/// A version of the columns of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetSchema {
    /// Counted from 1.
    pub version: u32,
    /// When a run saw it first.
    pub seen_at: Timestamp,
    /// The run; none if others told of them.
    pub run: Option<RunId>,
    /// The columns, in order.
    pub columns: Vec<DatasetColumn>,
    /// How many more there are, which are not kept.
    pub left_out: u64,
}

impl Store {
    /// The datasets that a filter lets through, in the order of their names.
    pub async fn dataset_places(&self, filter: DatasetFilter) -> Result<Vec<DatasetPlace>> {
        self.db.read(async move |tx: &mut Tx| places(tx, &filter).await).await
    }

    /// Datasets by their names, in the order asked for; those that are not there are left out.
    pub async fn datasets(&self, names: Vec<String>) -> Result<Vec<Dataset>> {
        self.db.read(async move |tx: &mut Tx| datasets(tx, &names).await).await
    }

    /// A dataset with its columns, and how many more of them there are; none if nobody met it.
    pub async fn dataset(&self, name: String) -> Result<Option<(Dataset, Vec<Column>, u64)>> {
        let read = async move |tx: &mut Tx| {
            let Some(dataset) = datasets(tx, std::slice::from_ref(&name)).await?.pop() else { return Ok(None) };
            let (columns, left_out) = columns(tx, &dataset).await?;
            Ok(Some((dataset, columns, left_out)))
        };
        self.db.read(read).await
    }

    /// Versions of the columns of a dataset before one, the newest first.
    pub async fn dataset_schemas(&self, name: String, before: Option<i64>, limit: usize) -> Result<Vec<DatasetSchema>> {
        let sql = "SELECT version, seen_at, run, columns, left_out FROM dataset_schemas \
                   WHERE dataset = $1 AND version < $2 ORDER BY version DESC LIMIT $3";
        let values = [name.into(), before.unwrap_or(i64::MAX).into(), limit.into()];
        self.db.read(async move |tx: &mut Tx| all(tx.rows(sql, &values).await?, schema)).await
    }

    /// Loads of a dataset before one, the newest first.
    pub async fn dataset_loads(&self, name: String, before: Option<i64>, limit: usize) -> Result<Vec<DatasetLoad>> {
        let sql = format!(
            "SELECT {LOAD} FROM dataset_loads l WHERE l.dataset = $1 AND l.number < $2 ORDER BY l.number DESC LIMIT $3"
        );
        let values = [name.into(), before.unwrap_or(i64::MAX).into(), limit.into()];
        self.db.read(async move |tx: &mut Tx| all(tx.rows(&sql, &values).await?, load)).await
    }

    /// What a run loaded, as far as these are still among the last loads of their datasets, in the order of the datasets.
    pub async fn loads_of_run(
        &self,
        run: RunId,
        after: Option<(String, i64)>,
        limit: usize,
    ) -> Result<Vec<DatasetLoad>> {
        let sql = format!(
            "SELECT {LOAD} FROM dataset_loads l WHERE l.run = $1 AND (l.dataset, l.number) > ($2, $3) \
             ORDER BY l.dataset, l.number LIMIT $4"
        );
        let (dataset, number) = after.unwrap_or_default();
        let values = [run.into(), dataset.into(), number.into(), limit.into()];
        self.db.read(async move |tx: &mut Tx| all(tx.rows(&sql, &values).await?, load)).await
    }
}

async fn places(tx: &mut Tx, filter: &DatasetFilter) -> Result<Vec<DatasetPlace>> {
    let texts = [&filter.search, &filter.connection, &filter.tag, &filter.owner];
    if texts.into_iter().flatten().any(|text| !is_text(text)) {
        return Ok(Vec::new());
    }
    let mut values: Vec<Value> = Vec::new();
    let mut conditions = String::new();
    let mut add = |condition: &str, value: Value| {
        values.push(value);
        conditions.push_str(&condition.replace('?', &format!("${}", values.len())));
    };
    if let Some(search) = &filter.search {
        let condition = " AND (LOWER(d.name || ' ' || COALESCE(d.owner, '') || ' ' || COALESCE(d.description, '') || ' ' || \
                         d.tags) LIKE ? ESCAPE '!' OR EXISTS (SELECT 1 FROM dataset_schemas s WHERE s.dataset = d.name \
                         AND s.version = d.schema_version AND LOWER(s.names) LIKE ? ESCAPE '!') OR EXISTS (SELECT 1 \
                         FROM dataset_columns c WHERE c.dataset = d.name AND LOWER(c.description || ' ' || c.tags) \
                         LIKE ? ESCAPE '!'))";
        add(condition, like(search).into());
    }
    if let Some(connection) = &filter.connection {
        add(" AND (SUBSTR(d.name, 1, LENGTH(?)) = ?", format!("{connection}.").into());
        add(" OR d.namespace = ?)", connection.as_str().into());
    }
    if let Some(tag) = &filter.tag {
        // tags are a list in JSON: whatever changes when this text is taken out of it has the tag
        let text = serde_json::json!(tag).to_string();
        let condition = " AND (REPLACE(d.tags, ?, '') <> d.tags OR EXISTS (SELECT 1 FROM dataset_columns c \
                         WHERE c.dataset = d.name AND REPLACE(c.tags, ?, '') <> c.tags))";
        add(condition, text.into());
    }
    if let Some(owner) = &filter.owner {
        add(" AND d.owner = ?", owner.as_str().into());
    }
    let sql = format!(
        "SELECT d.name, d.updates, d.updated_at, d.rows_estimate FROM datasets d WHERE true{conditions} ORDER BY d.name"
    );
    all(tx.rows(&sql, &values).await?, |row| {
        let (name, updates, updated_at) = (row.text()?, row.count()?, row.time()?);
        let updated_at = (updates > 0).then_some(updated_at);
        Ok(DatasetPlace { name, updated_at, rows_estimate: estimate(row)? })
    })
}

/// Datasets with their last loads.
pub(super) async fn datasets(tx: &mut Tx, names: &[String]) -> Result<Vec<Dataset>> {
    let mut values = Vec::new();
    let those = tx.among("d.name", &mut values, names.iter().map(String::as_str).filter(|name| is_text(name)));
    let sql = format!(
        "SELECT d.name, d.owner, d.description, d.tags, d.version, COALESCE(d.seen_at, d.updated_at), d.updates, \
         d.updated_at, d.rows_estimate, d.bytes_estimate, d.schema_version, d.namespace, s.names, \
         COALESCE(s.left_out, 0), {LOAD} \
         FROM datasets d LEFT JOIN dataset_schemas s ON s.dataset = d.name AND s.version = d.schema_version \
         LEFT JOIN dataset_loads l ON l.dataset = d.name AND l.slot = d.updates % {kept} AND l.number = d.updates \
         WHERE {those}",
        kept = super::LOADS_KEPT
    );
    let mut found: HashMap<String, Dataset> = HashMap::new();
    for mut row in tx.rows(&sql, &values).await? {
        let dataset = dataset(&mut row)?;
        found.insert(dataset.name.clone(), dataset);
    }
    Ok(names.iter().filter_map(|name| found.remove(name)).collect())
}

/// Whether PostgreSQL takes it: nothing that is kept has a zero character.
fn is_text(text: &str) -> bool {
    !text.contains('\0')
}

fn dataset(row: &mut Row) -> Result<Dataset> {
    let (name, owner, description) = (row.text()?, row.text_or_null()?, row.text_or_null()?);
    let (tags, version, seen_at) = (tags(row)?, row.small()?, row.time()?);
    let (updates, updated_at) = (row.count()?, row.time()?);
    let (rows_estimate, bytes_estimate) = (estimate(row)?, estimate(row)?);
    let schema_version = row.int_or_null()?.and_then(|version| u32::try_from(version).ok());
    let namespace = row.text_or_null()?;
    let names = row.text_or_null()?.unwrap_or_default();
    let columns: Vec<String> = names.split('\n').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let column_count = columns.len() as u64 + row.count()?;
    let last = match row.text_or_null()? {
        Some(of) => Some(load_of(of, row)?),
        None => None,
    };
    Ok(Dataset {
        name,
        namespace,
        owner,
        description,
        tags,
        version,
        seen_at,
        updated_at: (updates > 0).then_some(updated_at),
        updates,
        rows_estimate,
        bytes_estimate,
        schema_version,
        columns,
        column_count,
        last,
    })
}

/// The columns of a dataset in their order, and behind them those that are there no more but are written about.
async fn columns(tx: &mut Tx, dataset: &Dataset) -> Result<(Vec<Column>, u64)> {
    let sql = "SELECT name, description, tags FROM dataset_columns WHERE dataset = $1 ORDER BY name";
    let mut columns = Vec::new();
    for mut row in tx.rows(sql, &[dataset.name.as_str().into()]).await? {
        columns.push(Column { seen: None, name: row.text()?, description: row.text()?, tags: tags(&mut row)? });
    }
    let sql = "SELECT columns, left_out FROM dataset_schemas WHERE dataset = $1 AND version = $2";
    let version = dataset.schema_version.map(i64::from);
    let Some(mut row) = tx.row(sql, &[dataset.name.as_str().into(), version.into()]).await? else {
        return Ok((columns, 0));
    };
    let (seen, left_out) = (listed::<DatasetColumn>(&row.text()?), row.count()?);
    let mut written: HashMap<String, Column> =
        columns.into_iter().map(|column| (column.name.clone(), column)).collect();
    let mut all: Vec<Column> = Vec::with_capacity(seen.len());
    for seen in seen {
        let new = || Column { seen: None, name: seen.name.clone(), description: String::new(), tags: Vec::new() };
        let column = written.remove(&seen.name).unwrap_or_else(new);
        all.push(Column { seen: Some(seen), ..column });
    }
    let mut gone: Vec<Column> = written.into_values().collect();
    gone.sort_by(|a, b| a.name.cmp(&b.name));
    all.extend(gone);
    Ok((all, left_out))
}

const LOAD: &str = "l.dataset, l.number, l.run, l.pipeline, l.task, l.at, l.rows_read, l.rows_written, l.rows_rejected, \
                    l.bytes, l.sources";

fn load(row: &mut Row) -> Result<DatasetLoad> {
    let dataset = row.text()?;
    load_of(dataset, row)
}

fn load_of(dataset: String, row: &mut Row) -> Result<DatasetLoad> {
    let (number, run, pipeline, task, at) = (row.count()?, RunId(row.int()?), row.text()?, row.text()?, row.time()?);
    let counts = [estimate(row)?, estimate(row)?, estimate(row)?, estimate(row)?];
    let figures = match counts {
        [Some(read), Some(written), Some(rejected), Some(bytes)] => {
            Some(LoadFigures { read, written, rejected, bytes })
        }
        _ => None,
    };
    Ok(DatasetLoad { dataset, number, run, pipeline, task, at, figures, sources: listed(&row.text()?) })
}

fn schema(row: &mut Row) -> Result<DatasetSchema> {
    Ok(DatasetSchema {
        version: row.small()?,
        seen_at: row.time()?,
        run: of_here(row.int()?),
        columns: listed(&row.text()?),
        left_out: row.count()?,
    })
}

/// A run of this store.
pub(super) fn of_here(run: i64) -> Option<RunId> {
    (run != 0).then_some(RunId(run))
}

fn estimate(row: &mut Row) -> Result<Option<u64>> {
    Ok(row.int_or_null()?.and_then(|count| u64::try_from(count).ok()))
}

pub(super) fn tags(row: &mut Row) -> Result<Vec<String>> {
    Ok(listed(&row.text()?))
}

/// A list that the store has as JSON.
pub(super) fn listed<T: serde::de::DeserializeOwned>(text: &str) -> Vec<T> {
    serde_json::from_str(text).unwrap_or_default()
}

pub(super) fn all<T>(mut rows: Vec<Row>, read: impl Fn(&mut Row) -> Result<T>) -> Result<Vec<T>> {
    rows.iter_mut().map(read).collect()
}
