//! The `check` task: tests of what a dataset holds. First as written ([`CheckDocument`]), then as meant ([`DatasetCheck`]).

mod document;
mod rules;

use std::time::Duration;

pub use document::{AcceptedValues, CheckDocument, Pattern, Range, TestQuery};
pub(super) use rules::spliced;
pub use rules::{CHECK_MEMORY_BYTES_DEFAULT, OVER_MAX};

use super::share::{Allowed, Share};
use crate::quality::Severity;

/// A stream of a connection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DatasetName {
    /// The connection.
    pub connection: String,
    /// The stream, by the name that selects it.
    pub stream: String,
}

impl std::fmt::Display for DatasetName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.connection, self.stream)
    }
}

/// Tests of what a dataset holds; every default is applied.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetCheck {
    /// What is tested.
    pub dataset: DatasetName,
    /// The tests, no two of one name.
    pub tests: Vec<DataTest>,
    /// How many failing rows are kept of each.
    pub keep: u32,
    /// How many bytes they may take.
    pub memory_bytes: u64,
}

/// A test of a dataset.
#[derive(Debug, Clone, PartialEq)]
pub struct DataTest {
    /// What it is called.
    pub name: String,
    /// What has to be so.
    pub rule: Rule,
    /// What follows if it is not.
    pub severity: Severity,
    /// How many rows may break the rule.
    pub allowed: Allowed,
}

/// What has to be so. But for `NotNull`, a row whose column is NULL breaks no rule about rows.
#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    /// The columns have a value in every row.
    NotNull(Vec<String>),
    /// No two rows have the same values in these columns.
    Unique(Vec<String>),
    /// The column has no other values than these.
    AcceptedValues(AcceptedValues),
    /// The values of the column lie between these.
    Range(Range),
    /// The texts of the column match all along.
    Regex(Pattern),
    /// Each value of the column is one of those of a column of another dataset.
    Relationships {
        /// The column.
        column: String,
        /// The other dataset.
        to: DatasetName,
        /// Its column.
        field: String,
    },
    /// There are so many rows.
    RowCount {
        /// At least.
        min: Option<u64>,
        /// At most.
        max: Option<u64>,
        /// As many as here.
        equals: Option<DatasetName>,
    },
    /// The latest value of the column is no older than this.
    Freshness {
        /// The column.
        column: String,
        /// How old it may be.
        within: Duration,
    },
    /// There are about as many rows as the last times.
    Volume {
        /// How many fewer there may be.
        drop: Option<Share>,
        /// How many more there may be.
        rise: Option<Share>,
        /// How many of the last results are looked at.
        over: u32,
    },
    /// The query has no rows.
    Sql(TestQuery),
}

impl Rule {
    /// The key in the document.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotNull(_) => "not_null",
            Self::Unique(_) => "unique",
            Self::AcceptedValues(_) => "accepted_values",
            Self::Range(_) => "range",
            Self::Regex(_) => "regex",
            Self::Relationships { .. } => "relationships",
            Self::RowCount { .. } => "row_count",
            Self::Freshness { .. } => "freshness",
            Self::Volume { .. } => "volume",
            Self::Sql(_) => "sql",
        }
    }

    /// The columns that it is about.
    pub fn columns(&self) -> Vec<&str> {
        match self {
            Self::NotNull(columns) | Self::Unique(columns) => columns.iter().map(String::as_str).collect(),
            Self::AcceptedValues(AcceptedValues { column, .. })
            | Self::Range(Range { column, .. })
            | Self::Regex(Pattern { column, .. })
            | Self::Relationships { column, .. }
            | Self::Freshness { column, .. } => vec![column.as_str()],
            Self::RowCount { .. } | Self::Volume { .. } | Self::Sql(_) => Vec::new(),
        }
    }

    /// The other dataset that it compares with.
    pub fn other(&self) -> Option<&DatasetName> {
        match self {
            Self::Relationships { to, .. } => Some(to),
            Self::RowCount { equals, .. } => equals.as_ref(),
            _ => None,
        }
    }
}

impl DatasetCheck {
    /// The connections that it names; what its queries read is known to those who know SQL.
    pub fn connections(&self) -> Vec<&str> {
        let others = self.tests.iter().filter_map(|test| test.rule.other());
        std::iter::once(&self.dataset).chain(others).map(|dataset| dataset.connection.as_str()).collect()
    }

    /// Its queries, each with the place of its test.
    pub fn queries(&self) -> impl Iterator<Item = (usize, &TestQuery)> {
        self.tests.iter().enumerate().filter_map(|(index, test)| match &test.rule {
            Rule::Sql(query) => Some((index, query)),
            _ => None,
        })
    }
}
