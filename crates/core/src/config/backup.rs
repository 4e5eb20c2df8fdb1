//! Tasks that keep the tables of a database as files, and that make them again.

use schemars::JsonSchema;
use serde::Deserialize;

use super::amount::DurationText;
use super::problem::{Problem, Problems};

/// Keeps the tables of a database, all of one moment, as files.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a backup with the keys `from` and `to`")]
#[schemars(title = "Backup")]
pub struct Backup {
    /// The connection of the database.
    pub from: String,
    /// The connection of the folder or bucket that keeps backups.
    pub to: String,
    /// Names and wildcards of tables; by default all of them.
    #[serde(default)]
    pub tables: Vec<String>,
    /// When the backup is complete, whole ones of the database beyond so many are removed, the oldest first.
    pub keep: Option<u32>,
    /// When the backup is complete, older ones are removed, for instance after `30d`; with `keep`, those that are also beyond it.
    pub older_than: Option<DurationText>,
}

/// Makes the tables of a backup again, with their rows.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a restore with the keys `from` and `to`")]
#[schemars(title = "Restore")]
pub struct Restore {
    /// The connection of the folder or bucket that keeps backups.
    pub from: String,
    /// The connection of the database.
    pub to: String,
    /// The name of the backup; by default the newest whole one.
    pub backup: Option<String>,
    /// Names and wildcards of tables; by default all of the backup.
    #[serde(default)]
    pub tables: Vec<String>,
    /// Whether the rows of tables that have some are replaced; such tables are refused otherwise.
    #[serde(default)]
    pub replace: bool,
}

impl Backup {
    /// Checks the rules.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = Problems::default();
        if self.keep == Some(0) {
            problems.add(&["keep"], "no backup would be kept", "Give at least 1.");
        }
        problems.0.extend(tables(&self.tables));
        problems.0
    }
}

impl Restore {
    /// Checks the rules.
    pub(super) fn problems(&self) -> Vec<Problem> {
        tables(&self.tables)
    }
}

fn tables(tables: &[String]) -> Vec<Problem> {
    let mut problems = Problems::default();
    if tables.iter().any(|table| table.trim().is_empty()) {
        problems.add(&["tables"], "a table has no name", "Name it, or leave `tables` out to mean all of them.");
    }
    problems.0
}
