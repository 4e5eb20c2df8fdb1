//! What the settings say of one endpoint: its path, where its records are, how its pages follow each other, which columns
//! it has.

use std::collections::BTreeMap;
use std::fmt;

use levada_core::error::{Context as _, Result};
use levada_core::schema;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::config::wrong;
use super::path::Path;

/// What a raw stream's name starts with.
pub const RAW: &str = "raw:";

/// One endpoint, a stream.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Endpoint {
    /// Its path behind the connection's `url`; the name of the endpoint if absent. `{name}` stands for a value of the parent's
    /// record.
    pub path: Option<String>,
    /// Query parameters of its requests.
    pub query: BTreeMap<String, String>,
    /// Where in the answer the records are: `data.items`. The answer itself, an array or one object, if absent.
    pub records: Path,
    /// The columns that name a record.
    pub key: Vec<String>,
    /// The columns with their types. Told from the first records if there are none.
    pub columns: Columns,
    /// What becomes of objects within records, where no columns are declared.
    pub nested: Option<Nested>,
    /// How the list comes in pages.
    pub pagination: Option<Pagination>,
    /// How to ask for what is new only.
    pub incremental: Option<Incremental>,
    /// The endpoint whose records this one is asked for one by one.
    pub parent: Option<Parent>,
    /// Whether there is also a stream `raw:NAME` of the answers as they came.
    pub raw: bool,
    /// How records are sent here, where the connection is a destination.
    pub write: Option<WriteTo>,
}

/// How records are sent.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WriteTo {
    /// How they are sent.
    pub method: WriteMethod,
    /// Where to; the name of the endpoint if absent. `{name}` stands for a column, where `batch` is 1.
    pub path: Option<String>,
    /// How many records go into one request.
    #[schemars(range(min = 1, max = 100_000))]
    pub batch: u32,
    /// The body, in which `{records}` stands for an array of the records, or `{record}` for the one there is where `batch` is
    /// 1. The array alone if absent.
    pub body: Option<String>,
    /// The header that tells a request that is sent again from a new one.
    pub idempotency_header: String,
}

impl Default for WriteTo {
    fn default() -> Self {
        let idempotency_header = "Idempotency-Key".to_owned();
        Self { method: WriteMethod::Post, path: None, batch: 100, body: None, idempotency_header }
    }
}

/// What a body has the records in place of.
pub const RECORDS: &str = "{records}";
/// What a body has its one record in place of.
pub const RECORD: &str = "{record}";

/// How records are sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WriteMethod {
    /// POST.
    #[default]
    Post,
    /// PUT.
    Put,
    /// PATCH.
    Patch,
}

/// What becomes of objects within records. Lists stay JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Nested {
    /// They stay JSON, as they were written.
    #[default]
    Json,
    /// Their values become columns: `customer.id` becomes `customer_id`.
    Columns,
}

/// How a list comes in pages.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Pagination {
    /// What leads to the next page.
    #[serde(rename = "type")]
    pub kind: PaginationType,
    /// The query parameter of the page's number, offset or cursor; `page`, `offset` or `cursor` if absent.
    pub parameter: Option<String>,
    /// The number of the first page; 1 if absent.
    pub start: Option<u64>,
    /// The query parameter of how many records a page has, for instance `limit`.
    pub size_parameter: Option<String>,
    /// How many records to ask for at once, with `size_parameter`.
    #[schemars(range(min = 1))]
    pub size: Option<u32>,
    /// Where in the answer the cursor, or the URL, of the next page is: `meta.next`.
    pub next: Path,
    /// Where in the last record the cursor of the next page is, in place of `next`: `id`.
    pub last: Path,
    /// Where in the answer it says whether there are more pages: `has_more`.
    pub more: Path,
    /// Where in the answer the number of all records is: `meta.total`. A list that ends with fewer is not taken.
    pub total: Path,
}

/// What leads to the next page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaginationType {
    /// There is one page.
    #[default]
    None,
    /// Pages have numbers; the first empty one is the end.
    Page,
    /// Pages start at the number of records before them; the first empty one is the end.
    Offset,
    /// An answer holds a cursor, which is sent back.
    Cursor,
    /// The header `Link` with `rel="next"` (RFC 8288).
    Link,
    /// An answer holds the URL of the next page.
    Next,
}

/// How to ask for what is new only.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Incremental {
    /// The column whose value only grows: `updated_at`.
    pub cursor: String,
    /// The query parameter that takes the value to start from, itself included: `updated_since`. Without it everything is
    /// asked for, and what is old is left out here.
    pub parameter: Option<String>,
    /// How the value is written.
    #[serde(default)]
    pub format: CursorFormat,
    /// Whether the records come in the order of the cursor, so that a load that broke goes on where it was.
    #[serde(default)]
    pub ascending: bool,
}

/// How the value of a cursor is written in a query.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CursorFormat {
    /// As it is: numbers, texts, ISO 8601.
    #[default]
    Text,
    /// Seconds since 1970.
    Unix,
    /// Milliseconds since 1970.
    UnixMs,
    /// The day: `2026-01-31`.
    Date,
}

/// The endpoint whose records this one is asked for one by one.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parent {
    /// Its name.
    pub endpoint: String,
    /// Columns that take values of the parent's record: `order_id: id`.
    #[serde(default)]
    pub columns: BTreeMap<String, Path>,
    /// Whether a parent for which the server answers 404 has no records, in place of being an error.
    #[serde(default)]
    pub skip_missing: bool,
}

/// One declared column.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Column {
    /// Its type: `int64`, `decimal(12,2)`, `timestamptz`, `text`, `json`.
    Type(String),
    /// Its type, and where in the record it is.
    At(ColumnAt),
}

/// One declared column that is not at the top of the record, or has another name there.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ColumnAt {
    /// Its type.
    #[serde(rename = "type")]
    pub data_type: String,
    /// Where in the record it is: `customer.id`.
    pub path: Path,
}

/// Declared columns, in their order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Columns(pub Vec<(String, Column)>);

impl<'de> Deserialize<'de> for Columns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Columns;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("columns with their types")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Columns, A::Error> {
                let mut columns = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    columns.push(entry);
                }
                Ok(Columns(columns))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

impl JsonSchema for Columns {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Columns".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        BTreeMap::<String, Column>::json_schema(generator)
    }
}

impl Column {
    /// The name of its type.
    pub fn type_name(&self) -> &str {
        match self {
            Self::Type(name) => name,
            Self::At(at) => &at.data_type,
        }
    }

    /// Where in the record it is.
    pub fn path(&self, name: &str) -> Path {
        match self {
            Self::Type(_) => Path::key(name),
            Self::At(at) => at.path.clone(),
        }
    }
}

impl Endpoint {
    /// Its path behind the connection's URL.
    pub fn path<'a>(&'a self, name: &'a str) -> &'a str {
        self.path.as_deref().unwrap_or(name).trim_start_matches('/')
    }

    /// Whether a record above without any of these is no error.
    pub fn skips_missing(&self) -> bool {
        self.parent.as_ref().is_some_and(|parent| parent.skip_missing)
    }

    pub(super) fn check(&self, name: &str, all: &BTreeMap<String, Self>) -> Result<()> {
        if name.is_empty() || name.contains(['*', '?', '[']) || name.starts_with(RAW) {
            return Err(wrong(format!("`{name}` cannot be the name of an endpoint"))
                .advise("Names are without `*`, `?` and `[`, and do not start with `raw:`."));
        }
        for (column, declared) in &self.columns.0 {
            schema::parse_type(declared.type_name()).at(format!("column `{column}`"))?;
        }
        let is_known = |column: &String| {
            self.columns.0.is_empty()
                || self.columns.0.iter().any(|(known, _)| known == column)
                || self.parent.as_ref().is_some_and(|parent| parent.columns.contains_key(column))
        };
        if let Some(unknown) = self.key.iter().find(|column| !is_known(column)) {
            return Err(wrong(format!("`key` names the column `{unknown}`, which is not declared")));
        }
        if let Some(incremental) = self.incremental.as_ref().filter(|incremental| !is_known(&incremental.cursor)) {
            return Err(wrong(format!("`cursor` names the column `{}`, which is not declared", incremental.cursor)));
        }
        if let Some(pagination) = &self.pagination {
            pagination.check().at("`pagination`")?;
        }
        if let Some(write) = &self.write {
            write.check(name).at("`write`")?;
        }
        self.check_parents(name, all)
    }

    fn check_parents(&self, name: &str, all: &BTreeMap<String, Self>) -> Result<()> {
        let Some(parent) = &self.parent else {
            return match placeholders(self.path(name)).next() {
                Some(field) => Err(wrong(format!("the path holds `{{{field}}}`, and there is no `parent`"))
                    .advise("Name the endpoint whose records have the value: `parent: { endpoint: orders }`.")),
                None => Ok(()),
            };
        };
        let mut above = Some(parent);
        for _ in 0..=all.len() {
            let Some(parent) = above else { return Ok(()) };
            let endpoint = all.get(&parent.endpoint).ok_or_else(|| {
                wrong(format!("`parent` names the endpoint `{}`, which there is not", parent.endpoint))
            })?;
            above = endpoint.parent.as_ref();
        }
        Err(wrong("the parents lead back to where they started"))
    }
}

/// The names in braces of a path.
pub fn placeholders(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name)
}

impl WriteTo {
    fn check(&self, name: &str) -> Result<()> {
        let is_of_one = placeholders(self.path.as_deref().unwrap_or(name)).next().is_some()
            || self.body.as_ref().is_some_and(|body| body.contains(RECORD));
        match &self.body {
            _ if is_of_one && self.batch != 1 => Err(wrong("`{record}` and columns in the path need `batch: 1`")),
            Some(body) if !body.contains(RECORD) && !body.contains(RECORDS) => {
                Err(wrong("`body` holds neither `{records}` nor `{record}`"))
            }
            _ if reqwest::header::HeaderName::try_from(&self.idempotency_header).is_err() => {
                Err(wrong("`idempotency_header` is not the name of a header"))
            }
            _ => Ok(()),
        }
    }
}

impl WriteMethod {
    /// As it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
        }
    }

    /// As requests have it.
    pub fn method(self) -> reqwest::Method {
        match self {
            Self::Post => reqwest::Method::POST,
            Self::Put => reqwest::Method::PUT,
            Self::Patch => reqwest::Method::PATCH,
        }
    }
}

impl Pagination {
    /// The query parameter that tells the pages apart.
    pub fn parameter(&self) -> &str {
        self.parameter.as_deref().unwrap_or(match self.kind {
            PaginationType::Offset => "offset",
            PaginationType::Cursor => "cursor",
            _ => "page",
        })
    }

    pub(super) fn check(&self) -> Result<()> {
        use PaginationType as T;
        let needs = |what: &str| Err(wrong(format!("pages of this type need {what}")));
        match self.kind {
            T::Cursor if self.next.is_root() == self.last.is_root() => {
                needs("either `next`, where the cursor is in the answer, or `last`, where it is in the last record")
            }
            T::Next if self.next.is_root() => needs("`next`, where the URL of the next page is in the answer"),
            _ if self.size.is_some() != self.size_parameter.is_some() => {
                Err(wrong("`size` and `size_parameter` belong together; one of them is missing"))
            }
            _ => Ok(()),
        }
    }
}
