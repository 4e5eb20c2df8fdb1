//! What tests of a dataset found: how strict a test is, and what became of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What follows where a test is not passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The task fails.
    #[default]
    Fail,
    /// The task succeeds, and its log and results tell of it.
    Warn,
}

/// What became of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// No more was wrong than may be.
    Passed,
    /// More was wrong, and the test only warns.
    Warned,
    /// More was wrong.
    Failed,
}

impl Verdict {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Warned => "warned",
            Self::Failed => "failed",
        }
    }
}

/// What a test of a dataset found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TestResult {
    /// The dataset, as `connection.stream`.
    pub dataset: String,
    /// What the test is called.
    pub test: String,
    /// The rule that it is of, for instance `not_null`.
    pub rule: String,
    /// What became of it.
    pub verdict: Verdict,
    /// Rows that were looked at; none where only a query tells them.
    pub rows: Option<u64>,
    /// Rows that break the rule. Of `row_count` and `volume`, how many are too few or too many; of `freshness`, 1 if it is stale.
    pub failed: u64,
    /// What was found, where the rule is about all rows: their number, or the latest value.
    pub found: Option<String>,
    /// What was wanted, in words.
    pub wanted: String,
    /// The first rows that break the rule, as JSON objects of canonical texts.
    #[serde(default)]
    pub failing: Vec<String>,
}

impl TestResult {
    /// What was found, in a few words: `3 of 100 rows`, `latest is 2026-01-01, wanted ..`.
    pub fn told(&self) -> String {
        match (&self.found, self.rows) {
            (Some(found), _) => format!("found {found}, wanted {}", self.wanted),
            (None, Some(rows)) => format!("{} of {}", self.failed, crate::text::counted(rows, "row")),
            (None, None) => crate::text::counted(self.failed, "row"),
        }
    }
}
