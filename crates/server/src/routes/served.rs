//! What the data API serves, as it is defined: collections with their columns and rules, and reports with their parameters.
//! The rows themselves are in `data/`.

use levada_core::access::Role;
use levada_core::config::{self, Collection, Report, ReportFormat, ReportParam};
use levada_core::rows::{Cell, Column, OnDelete};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{limit, matches};
use crate::problem::Problem;
use crate::route::{Answer, Call, Page};
use crate::sort::{Rank, Sort, orders};

/// A typed table that is served.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Collection")]
pub struct ShownCollection {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub description: Option<String>,
    /// Where it is served.
    pub path: String,
    /// The connection that the table lies in.
    pub connection: String,
    /// The table, with its schema if that is not the connection's own.
    pub table: String,
    /// The column that names a row.
    pub key: String,
    /// Whether the database gives keys to rows that bring none.
    pub key_given: bool,
    /// Whether deleted rows are kept, and can be restored.
    pub soft_delete: bool,
    /// The role that it takes to see rows.
    pub read: Role,
    /// The role that it takes to add, change and restore them.
    pub write: Role,
    /// The role that it takes to delete them.
    pub delete: Role,
    /// The columns, in their order.
    pub columns: Vec<ShownColumn>,
}

/// A column of a table that is served.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "CollectionColumn")]
pub struct ShownColumn {
    /// Its name.
    pub name: String,
    /// The type of its values: `text`, `decimal(10,2)`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it is for.
    pub description: Option<String>,
    /// Whether every row has a value.
    pub required: bool,
    /// Whether no two rows have one value.
    pub unique: bool,
    /// The value of new rows that give none.
    pub default: Option<Value>,
    /// What it refers to.
    pub references: Option<ShownReference>,
    /// The least value.
    pub min: Option<Value>,
    /// The greatest value.
    pub max: Option<Value>,
    /// The fewest characters.
    pub min_length: Option<u32>,
    /// The most characters.
    pub max_length: Option<u32>,
    /// A regular expression that has to match somewhere.
    pub pattern: Option<String>,
    /// The only values there are, if any are named.
    pub one_of: Vec<Value>,
}

/// What a column refers to.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "CollectionReference")]
pub struct ShownReference {
    /// The collection.
    pub collection: String,
    /// Its column.
    pub column: String,
    /// What happens when the row it names is deleted.
    pub on_delete: OnDelete,
}

/// A query that is served.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Report")]
pub struct ShownReport {
    /// Its name.
    pub name: String,
    /// What it tells.
    pub description: Option<String>,
    /// Where it is served.
    pub path: String,
    /// The connection that is asked.
    pub connection: String,
    /// The role that it takes.
    pub access: Role,
    /// The forms it is served in, the preferred one first.
    pub formats: Vec<ReportFormat>,
    /// Most rows of an answer.
    pub rows_max: u32,
    /// Its parameters.
    pub params: Vec<ShownParam>,
}

/// A parameter of a report.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ReportParam")]
pub struct ShownParam {
    /// Its name.
    pub name: String,
    /// The type of its values.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it is for.
    pub description: Option<String>,
    /// The value of requests that give none; without it, every request has to.
    pub default: Option<Value>,
}

orders! {
    /// What collections and reports are in order of.
    ServedOrder(false) { Name = "name", Path = "path", Connection = "connection" }
}

/// Which of them to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// With this text in the name, the description, the path or the connection.
    pub search: Option<String>,
    /// The order; `-` before it is the other way round.
    #[serde(default)]
    pub sort: Sort<ServedOrder>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// How many; 50 unless given, 1,000 at most.
    pub limit: Option<u32>,
}

impl ServedOrder {
    fn rank(self, path: &str, connection: &str) -> Option<Rank> {
        match self {
            Self::Name => None,
            Self::Path => Some(path.into()),
            Self::Connection => Some(connection.into()),
        }
    }
}

/// Collections, in the order of their names.
pub async fn collections(call: Call<List>) -> Result<Answer<Page<ShownCollection>>, Problem> {
    let List { search, sort, after, limit: asked } = call.input;
    let limit = limit(asked)?;
    let (_, file) = call.app.project_with_file().await?;
    let all = config::Project::of(file.as_deref()).collections.into_iter().map(ShownCollection::from);
    let all = all.filter(|of| {
        matches(
            search.as_deref(),
            [&*of.name, &*of.path, &*of.connection, of.description.as_deref().unwrap_or_default()],
        )
    });
    let place = |order: ServedOrder, of: &ShownCollection| (order.rank(&of.path, &of.connection), of.name.clone());
    Ok(sort.page(all, place, after.as_deref(), limit)?.into())
}

/// Reports, in the order of their names.
pub async fn reports(call: Call<List>) -> Result<Answer<Page<ShownReport>>, Problem> {
    let List { search, sort, after, limit: asked } = call.input;
    let limit = limit(asked)?;
    let (_, file) = call.app.project_with_file().await?;
    let all = config::Project::of(file.as_deref()).reports.into_iter().map(ShownReport::from);
    let all = all.filter(|of| {
        matches(
            search.as_deref(),
            [&*of.name, &*of.path, &*of.connection, of.description.as_deref().unwrap_or_default()],
        )
    });
    let place = |order: ServedOrder, of: &ShownReport| (order.rank(&of.path, &of.connection), of.name.clone());
    Ok(sort.page(all, place, after.as_deref(), limit)?.into())
}

impl From<Collection> for ShownCollection {
    fn from(collection: Collection) -> Self {
        let Collection { connection, path, description, access, table } = collection;
        Self {
            path: format!("/v1/{path}"),
            table: table.shown(),
            name: table.name,
            description,
            connection,
            key: table.key,
            key_given: table.is_key_given,
            soft_delete: table.soft_delete,
            read: access.read,
            write: access.write,
            delete: access.delete,
            columns: table.columns.into_iter().map(ShownColumn::from).collect(),
        }
    }
}

impl From<Column> for ShownColumn {
    fn from(column: Column) -> Self {
        let Column { name, kind, required, unique, default, references, check, description } = column;
        let json = |cell: Option<Cell>| cell.map(|cell| cell.to_json());
        Self {
            name,
            kind: kind.to_string(),
            description,
            required,
            unique,
            default: json(default),
            references: references.map(|to| ShownReference {
                collection: to.table,
                column: to.column,
                on_delete: to.on_delete,
            }),
            min: json(check.min),
            max: json(check.max),
            min_length: check.min_length,
            max_length: check.max_length,
            pattern: check.pattern.map(|pattern| pattern.as_str().to_owned()),
            one_of: check.one_of.iter().map(Cell::to_json).collect(),
        }
    }
}

impl From<Report> for ShownReport {
    fn from(report: Report) -> Self {
        let param = |param: ReportParam| ShownParam {
            name: param.name,
            kind: param.kind.to_string(),
            description: param.description,
            default: param.default.map(|cell| cell.to_json()),
        };
        Self {
            path: format!("/v1/{}", report.path),
            name: report.name,
            description: report.description,
            connection: report.connection,
            access: report.access,
            formats: report.formats,
            rows_max: report.rows_max,
            params: report.params.into_iter().map(param).collect(),
        }
    }
}
