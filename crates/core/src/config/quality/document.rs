//! The `check` task as written in a document.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::config::amount::{BytesText, DurationText};
use crate::config::share::{Allowed, Names, Share};
use crate::config::shorthand::{self, FromText, Scalar, Short};
use crate::quality::Severity;

/// Tests what a dataset holds.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a check with the keys `dataset` and `tests`")]
#[schemars(title = "Check")]
pub struct CheckDocument {
    /// What is tested, as `connection.stream`.
    pub dataset: String,
    /// What has to be so.
    pub tests: Vec<TestDocument>,
    /// How many of the rows that break a rule are kept of each test; 10 by default, at most 100.
    pub keep: Option<u32>,
    /// How much memory the tests may take, for instance `128MB`; `64MiB` by default. What does not fit goes to the disk.
    pub memory: Option<BytesText>,
}

/// A test: one rule, and what follows if it is broken.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "a test such as `not_null: column`")]
#[schemars(title = "Test")]
pub struct TestDocument {
    /// These columns have a value in every row.
    pub not_null: Option<Names>,
    /// No two rows have the same values in these columns.
    pub unique: Option<Names>,
    /// A column has no other values than these.
    pub accepted_values: Option<AcceptedValues>,
    /// The values of a column lie between these.
    pub range: Option<Range>,
    /// The texts of a column match a pattern.
    pub regex: Option<Pattern>,
    /// Each value of a column is there in another dataset.
    pub relationships: Option<Relationships>,
    /// How many rows there are.
    pub row_count: Option<RowCountDocument>,
    /// How old the latest value of a column may be.
    pub freshness: Option<FreshnessDocument>,
    /// How far the number of rows may be from that of the last times.
    pub volume: Option<VolumeDocument>,
    /// A query has no rows.
    pub sql: Option<Short<TestQuery>>,
    /// What the test is called in results; by default after its rule and columns.
    pub name: Option<String>,
    /// What follows if it is not passed: `fail` (the default) or `warn`.
    pub severity: Severity,
    /// How many rows may break the rule: a number, or a share such as `0.5%`; none by default.
    pub allow: Option<Allowed>,
}

/// A column has no other values than these.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "the keys `column` and `values`")]
pub struct AcceptedValues {
    /// The column.
    pub column: String,
    /// The values.
    #[serde(deserialize_with = "shorthand::list")]
    #[schemars(with = "Vec<Scalar>")]
    pub values: Vec<String>,
}

/// The values of a column lie between these, both included.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "the keys `column`, `min` and `max`")]
pub struct Range {
    /// The column, of numbers, dates or times.
    pub column: String,
    /// The least value.
    #[serde(default, deserialize_with = "shorthand::optional")]
    #[schemars(with = "Option<Scalar>")]
    pub min: Option<String>,
    /// The greatest value.
    #[serde(default, deserialize_with = "shorthand::optional")]
    #[schemars(with = "Option<Scalar>")]
    pub max: Option<String>,
}

/// The texts of a column match a pattern, each as a whole.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "the keys `column` and `pattern`")]
pub struct Pattern {
    /// The column.
    pub column: String,
    /// A regular expression, without references back and looks around.
    pub pattern: String,
}

/// Each value of a column is one of those of a column of another dataset.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "the keys `column`, `to` and `field`")]
pub struct Relationships {
    /// The column.
    pub column: String,
    /// The other dataset, as `connection.stream`.
    pub to: String,
    /// Its column.
    pub field: String,
}

/// How many rows there are.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "the keys `min` and `max`, or `equals`")]
pub struct RowCountDocument {
    /// At least.
    pub min: Option<u64>,
    /// At most.
    pub max: Option<u64>,
    /// As many as another dataset has, as `connection.stream`.
    pub equals: Option<String>,
}

/// How old the latest value of a column may be.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "the keys `column` and `within`")]
pub struct FreshnessDocument {
    /// The column, of dates or timestamps; one without time zone is UTC.
    pub column: String,
    /// How old, for instance `26h`.
    pub within: DurationText,
}

/// How far the number of rows may be from the median of the last times.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "the keys `drop`, `rise` and `over`")]
pub struct VolumeDocument {
    /// How many fewer there may be, for instance `20%`.
    pub drop: Option<Share>,
    /// How many more there may be, for instance `50%`.
    pub rise: Option<Share>,
    /// How many of the last results are looked at; 10 by default, at most 100.
    pub over: Option<u32>,
}

/// A query whose rows are what is wrong.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a query with the key `query`")]
#[schemars(title = "Test query")]
pub struct TestQuery {
    /// One statement that reads; streams are named `connection.stream`, parameters `$name`.
    pub query: String,
    /// The values of its parameters: text, numbers, booleans or null.
    #[serde(default)]
    pub params: BTreeMap<String, Json>,
}

impl FromText for TestQuery {
    const EXPECTED: &'static str = "a query, or a mapping with the keys `query` and `params`";

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(Self { query: text.to_owned(), params: BTreeMap::new() })
    }
}
