//! The catalogue: datasets that runs met, with their columns, their loads, and what people wrote about them.

use std::collections::BTreeMap;

use levada_core::dataset::{DatasetColumn, LoadFigures};
use levada_core::id::RunId;
use levada_core::time::Timestamp;
use levada_store::{ColumnChange, DatasetChange, DatasetFilter, DatasetPlace, DatasetUpdated, LineageFilter};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{limit, number};
use crate::App;
use crate::problem::Problem;
use crate::route::{Answer, Call, Done, Page};
use crate::sort::{Rank, Sort, orders};

/// Columns that are named because a search found them.
const FOUND_MAX: usize = 5;
/// Tags on one dataset or column at most.
const TAGS_MAX: usize = 50;
/// Characters of a tag at most.
const TAG_CHARS_MAX: usize = 64;
/// Characters of the name of an owner at most.
const OWNER_CHARS_MAX: usize = 200;
/// Characters of a description at most.
const DESCRIPTION_CHARS_MAX: usize = 10_000;

orders! {
    /// What datasets are in order of.
    DatasetOrder(false) { Name = "name", UpdatedAt = "updated_at", Rows = "rows" }
}

/// Which datasets to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// With this text in the name, the owner, the description, a tag, or in the name of a column or what is written about it.
    pub search: Option<String>,
    /// Of this connection.
    pub connection: Option<String>,
    /// With this tag, itself or on one of its columns.
    pub tag: Option<String>,
    /// Of this owner.
    pub owner: Option<String>,
    /// The order; `-` before it is the other way round. Those without a value come last.
    #[serde(default)]
    pub sort: Sort<DatasetOrder>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// How many; 50 unless given, 1,000 at most.
    pub limit: Option<u32>,
}

/// A dataset in a list: a table, topic or path that a run met.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct DatasetItem {
    /// Its name, as `connection.stream`; of one that only others tell of `namespace/name`.
    pub name: String,
    /// The connection; of a dataset that only others tell of its namespace.
    pub connection: String,
    /// Whether only others tell of it.
    pub is_external: bool,
    /// Who answers for it.
    pub owner: Option<String>,
    /// What it is, in words.
    pub description: Option<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// When it was loaded last; null if it was only read.
    pub updated_at: Option<Timestamp>,
    /// When a run last read or wrote it.
    pub seen_at: Timestamp,
    /// How often it was loaded.
    pub updates: u64,
    /// How many rows it has, roughly.
    pub rows_estimate: Option<u64>,
    /// How many bytes it has, roughly.
    pub bytes_estimate: Option<u64>,
    /// How many columns it has.
    pub columns: u64,
    /// Columns in whose names the search was found; 5 at most.
    pub found: Vec<String>,
    /// Its last load.
    pub last: Option<DatasetLoad>,
}

/// A load of a dataset.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct DatasetLoad {
    /// The dataset.
    pub dataset: String,
    /// Which of its loads, counted from 1.
    pub number: u64,
    /// The run, which may have been removed.
    pub run: RunId,
    /// Its pipeline.
    pub pipeline: String,
    /// The task.
    pub task: String,
    /// When.
    pub at: Timestamp,
    /// What was moved; null if that was not counted.
    pub figures: Option<LoadFigures>,
    /// The datasets that were read for it.
    pub sources: Vec<String>,
}

/// A dataset.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "DatasetDetails")]
pub struct Dataset {
    /// What lists tell of it.
    #[serde(flatten)]
    pub item: DatasetItem,
    /// The version of its columns; null if they were never seen.
    pub schema_version: Option<u32>,
    /// Its columns, in order; behind them those that are there no more, but are written about.
    pub schema: Vec<Column>,
    /// How many more columns there are, which are not kept.
    pub left_out: u64,
    /// What it is made from, in one step.
    pub upstream: Vec<Neighbour>,
    /// What is made from it, in one step.
    pub downstream: Vec<Neighbour>,
}

/// A column of a dataset, with what people wrote about it.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "DatasetColumnShown")]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it is to Levada; null if it is there no more.
    #[serde(rename = "type")]
    pub type_: Option<String>,
    /// What it is to its system, with the system's name before it.
    pub native: Option<String>,
    /// Whether it may hold NULL.
    pub nullable: bool,
    /// Whether it is part of the key.
    pub key: bool,
    /// What it is, in words.
    pub description: Option<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
}

/// A dataset beside another one.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Neighbour {
    /// The dataset.
    pub dataset: String,
    /// The pipeline that makes one from the other; the namespace of a job of others.
    pub pipeline: String,
    /// The task that does so; the name of a job of others.
    pub task: String,
    /// The run that did it last; null of a job of others.
    pub run: Option<RunId>,
    /// When.
    pub at: Timestamp,
}

/// A version of the columns of a dataset.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct DatasetSchema {
    /// Counted from 1.
    pub version: u32,
    /// When a run saw it first.
    pub seen_at: Timestamp,
    /// The run, which may have been removed; null where others told of them.
    pub run: Option<RunId>,
    /// The columns, in order.
    pub columns: Vec<DatasetColumn>,
    /// How many more there are, which are not kept.
    pub left_out: u64,
}

/// A dataset.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct One {
    /// Its name, as `connection.stream`.
    pub dataset: String,
}

/// Which of what there is several of.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The dataset.
    pub dataset: String,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// How many; 50 unless given, 1,000 at most.
    pub limit: Option<u32>,
}

/// Which of the loads of a run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OfRun {
    /// The run.
    pub run: i64,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// How many; 50 unless given, 1,000 at most.
    pub limit: Option<u32>,
}

/// What is to change about a dataset; what is not given stays as it is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// The dataset.
    pub dataset: String,
    /// Who answers for it; empty for nobody.
    pub owner: Option<String>,
    /// What it is, in words; empty for nothing.
    pub description: Option<String>,
    /// All words to find it by.
    pub tags: Option<Vec<String>>,
    /// What is to change about columns, by their names; others stay as they are.
    #[serde(default)]
    pub columns: BTreeMap<String, EditColumn>,
}

/// What is to change about a column; what is not given stays as it is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EditColumn {
    /// What it is, in words; empty for nothing.
    pub description: Option<String>,
    /// All words to find it by.
    pub tags: Option<Vec<String>>,
}

/// Datasets.
pub async fn list(call: Call<List>) -> Result<Answer<Page<DatasetItem>>, Problem> {
    let List { search, connection, tag, owner, sort, after, limit: asked } = call.input;
    let (store, limit) = (&call.app.store, limit(asked)?);
    let filter = DatasetFilter { search: search.clone(), connection, tag, owner };
    let places = store.dataset_places(filter).await?;
    let place = |order, found: &DatasetPlace| {
        let rank = match order {
            DatasetOrder::Name => None,
            DatasetOrder::UpdatedAt => found.updated_at.map(Rank::from),
            DatasetOrder::Rows => found.rows_estimate.map(Rank::from),
        };
        (rank, found.name.clone())
    };
    let Page { items, next } = sort.page(places, place, after.as_deref(), limit)?;
    let datasets = store.datasets(items.into_iter().map(|found| found.name).collect()).await?;
    let search = search.map(|text| text.to_lowercase());
    let items = datasets.into_iter().map(|dataset| item(dataset, search.as_deref())).collect();
    Ok(Page { items, next }.into())
}

/// A dataset.
pub async fn get(call: Call<One>) -> Result<Answer<Dataset>, Problem> {
    shown(&call.app, call.input.dataset).await
}

async fn shown(app: &App, name: String) -> Result<Answer<Dataset>, Problem> {
    let Some((found, columns, left_out)) = app.store.dataset(name.clone()).await? else { return Err(missing(&name)) };
    let beside = LineageFilter { dataset: name.clone(), upstream: 1, downstream: 1, with_columns: false };
    let edges = app.store.lineage(beside).await?.unwrap_or_default().edges;
    let neighbour = |edge: &levada_store::LineageEdge, dataset: &str| Neighbour {
        dataset: dataset.to_owned(),
        pipeline: edge.pipeline.clone(),
        task: edge.task.clone(),
        run: edge.run,
        at: edge.at,
    };
    let upstream = edges.iter().filter(|edge| edge.target == name).map(|edge| neighbour(edge, &edge.source)).collect();
    let downstream =
        edges.iter().filter(|edge| edge.source == name).map(|edge| neighbour(edge, &edge.target)).collect();
    let (version, schema_version) = (found.version, found.schema_version);
    let schema = columns.into_iter().map(Column::from).collect();
    let dataset = Dataset { item: item(found, None), schema_version, schema, left_out, upstream, downstream };
    Ok(Answer::from(dataset).version(version))
}

/// Changes what is written about a dataset and its columns.
pub async fn update(call: Call<Edit>) -> Result<Answer<Dataset>, Problem> {
    let condition = call.condition()?;
    let app = call.app.clone();
    let Edit { dataset: name, owner, description, tags, columns } = call.input;
    let Some((found, known, _)) = app.store.dataset(name.clone()).await? else { return Err(missing(&name)) };
    let expected = condition.expects(found.version)?;
    let names: Vec<&str> = known.iter().map(|column| column.name.as_str()).collect();
    if let Some(column) = columns.keys().find(|column| !names.contains(&column.as_str())) {
        return Err(no_column(&name, column, &names));
    }
    let text = |text: Option<String>, what: &str, max| text.map(|text| of_length(text, what, max)).transpose();
    let filled = |text: String| (!text.is_empty()).then_some(text);
    let column = |(name, edit): (String, EditColumn)| {
        let description = text(edit.description, "description", DESCRIPTION_CHARS_MAX)?;
        Ok((name, ColumnChange { description, tags: edit.tags.map(checked).transpose()? }))
    };
    let change = DatasetChange {
        owner: text(owner, "owner", OWNER_CHARS_MAX)?.map(filled),
        description: text(description, "description", DESCRIPTION_CHARS_MAX)?.map(filled),
        tags: tags.map(checked).transpose()?,
        columns: columns.into_iter().map(column).collect::<Result<_, Problem>>()?,
    };
    match app.store.update_dataset(name.clone(), expected, change).await? {
        DatasetUpdated::Done => shown(&app, name).await,
        DatasetUpdated::Stale => Err(Problem::Stale),
        DatasetUpdated::Missing => Err(missing(&name)),
    }
}

/// Forgets a dataset; the data itself is not touched.
pub async fn remove(call: Call<One>) -> Result<Done, Problem> {
    let condition = call.condition()?;
    let (store, name) = (&call.app.store, call.input.dataset);
    let Some(found) = store.datasets(vec![name.clone()]).await?.pop() else { return Err(missing(&name)) };
    match store.remove_dataset(name.clone(), condition.expects(found.version)?).await? {
        DatasetUpdated::Done => Ok(Done::default()),
        DatasetUpdated::Stale => Err(Problem::Stale),
        DatasetUpdated::Missing => Err(missing(&name)),
    }
}

/// Versions of the columns of a dataset, the newest first.
pub async fn schemas(call: Call<Part>) -> Result<Answer<Page<DatasetSchema>>, Problem> {
    let (limit, before) = (limit(call.input.limit)?, number(call.input.after.as_deref())?);
    let name = known(&call.app, call.input.dataset).await?;
    let found = call.app.store.dataset_schemas(name, before, limit).await?;
    let next =
        found.last().filter(|last| found.len() == limit && last.version > 1).map(|last| last.version.to_string());
    let schema = |found: levada_store::DatasetSchema| DatasetSchema {
        version: found.version,
        seen_at: found.seen_at,
        run: found.run,
        columns: found.columns,
        left_out: found.left_out,
    };
    Ok(Page { items: found.into_iter().map(schema).collect(), next }.into())
}

/// The last loads of a dataset, the newest first.
pub async fn loads(call: Call<Part>) -> Result<Answer<Page<DatasetLoad>>, Problem> {
    let (limit, before) = (limit(call.input.limit)?, number(call.input.after.as_deref())?);
    let name = known(&call.app, call.input.dataset).await?;
    let found = call.app.store.dataset_loads(name, before, limit).await?;
    let next = found.last().filter(|last| found.len() == limit && last.number > 1).map(|last| last.number.to_string());
    Ok(Page { items: found.into_iter().map(DatasetLoad::from).collect(), next }.into())
}

/// The datasets that a run loaded, in the order of their names.
pub async fn of_run(call: Call<OfRun>) -> Result<Answer<Page<DatasetLoad>>, Problem> {
    let OfRun { run, after, limit: asked } = call.input;
    let (store, run, limit) = (&call.app.store, RunId(run), limit(asked)?);
    store.run(run).await?.ok_or_else(|| Problem::no("run", run))?;
    let wrong = || Problem::Malformed("`after` is the `next` of the page before.".to_owned());
    let place = |text: &str| {
        let (number, dataset) = text.split_once(':').filter(|(_, name)| !name.contains('\0')).ok_or_else(wrong)?;
        Ok::<_, Problem>((dataset.to_owned(), number.parse::<i64>().map_err(|_| wrong())?))
    };
    let after = after.as_deref().map(place).transpose()?;
    let found = store.loads_of_run(run, after, limit).await?;
    let next = found.last().filter(|_| found.len() == limit).map(|last| format!("{}:{}", last.number, last.dataset));
    Ok(Page { items: found.into_iter().map(DatasetLoad::from).collect(), next }.into())
}

/// The name of a dataset that is there.
pub(super) async fn known(app: &App, name: String) -> Result<String, Problem> {
    match app.store.datasets(vec![name.clone()]).await?.is_empty() {
        true => Err(missing(&name)),
        false => Ok(name),
    }
}

pub(super) fn missing(name: &str) -> Problem {
    Problem::NotFound(format!(
        "there is no dataset `{name}`. A dataset is known once a run has read or written it; list what there is."
    ))
}

pub(super) fn no_column(dataset: &str, column: &str, known: &[&str]) -> Problem {
    let near = levada_core::naming::did_you_mean(levada_core::naming::nearest(column, known));
    Problem::NotFound(format!("the dataset `{dataset}` has no column `{column}`. {near}See what it has."))
}

fn of_length(text: String, what: &str, max: usize) -> Result<String, Problem> {
    if text.chars().count() > max || text.contains('\0') {
        return Err(Problem::Malformed(format!("`{what}` has at most {max} characters, and none of them is zero.")));
    }
    Ok(text)
}

/// Tags that may be kept, each once and in order.
fn checked(mut tags: Vec<String>) -> Result<Vec<String>, Problem> {
    let is_fine = |tag: &String| {
        let is_in = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/' | ' ');
        !tag.is_empty() && tag.trim() == tag && tag.chars().count() <= TAG_CHARS_MAX && tag.chars().all(is_in)
    };
    tags.sort();
    tags.dedup();
    if tags.len() > TAGS_MAX {
        return Err(Problem::Malformed(format!("`tags` has at most {TAGS_MAX} tags.")));
    }
    match tags.iter().find(|tag| !is_fine(tag)) {
        Some(tag) => Err(Problem::Malformed(format!(
            "`{tag}` is no tag: it has between 1 and {TAG_CHARS_MAX} letters, digits, blanks within and `-_.:/`."
        ))),
        None => Ok(tags),
    }
}

/// The connection that a dataset is of, or the namespace that others gave it.
pub(super) fn connection_of(dataset: &levada_store::Dataset) -> String {
    let connection = || dataset.name.split_once('.').map_or(dataset.name.as_str(), |(connection, _)| connection);
    dataset.namespace.as_deref().unwrap_or_else(connection).to_owned()
}

fn item(found: levada_store::Dataset, search: Option<&str>) -> DatasetItem {
    let is_found = |name: &&String| search.is_some_and(|search| name.to_lowercase().contains(search));
    DatasetItem {
        connection: connection_of(&found),
        is_external: found.namespace.is_some(),
        found: found.columns.iter().filter(is_found).take(FOUND_MAX).cloned().collect(),
        name: found.name,
        owner: found.owner,
        description: found.description,
        tags: found.tags,
        updated_at: found.updated_at,
        seen_at: found.seen_at,
        updates: found.updates,
        rows_estimate: found.rows_estimate,
        bytes_estimate: found.bytes_estimate,
        columns: found.column_count,
        last: found.last.map(DatasetLoad::from),
    }
}

impl From<levada_store::DatasetLoad> for DatasetLoad {
    fn from(found: levada_store::DatasetLoad) -> Self {
        let levada_store::DatasetLoad { dataset, number, run, pipeline, task, at, figures, sources } = found;
        Self { dataset, number, run, pipeline, task, at, figures, sources }
    }
}

impl From<levada_store::Column> for Column {
    fn from(found: levada_store::Column) -> Self {
        let seen = found.seen;
        Self {
            type_: seen.as_ref().map(|seen| seen.type_.clone()),
            nullable: seen.as_ref().is_some_and(|seen| seen.nullable),
            key: seen.as_ref().is_some_and(|seen| seen.key),
            native: seen.and_then(|seen| seen.native),
            description: (!found.description.is_empty()).then_some(found.description),
            name: found.name,
            tags: found.tags,
        }
    }
}
