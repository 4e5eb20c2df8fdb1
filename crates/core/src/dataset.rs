//! What the catalogue says of a dataset: the columns that a run saw, and which column a task made from which.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Columns of one dataset that are kept; of wider ones the others are counted.
pub const COLUMNS_MAX: usize = 4_096;
/// Bytes that the columns of one dataset take at most, as JSON; a longer list is cut.
const JSON_MAX: usize = 512 << 10;
/// The longest name of a dataset that is kept, in bytes: databases index no longer ones.
const NAME_MAX: usize = 1_000;

/// A column of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DatasetColumn {
    /// Its name.
    pub name: String,
    /// What it is to Levada.
    #[serde(rename = "type")]
    pub type_: String,
    /// What it is to its system, with the system's name before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native: Option<String>,
    /// Whether it may hold NULL.
    #[serde(default)]
    pub nullable: bool,
    /// Whether it is part of the key.
    #[serde(default)]
    pub key: bool,
}

/// A column that was made from another one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct ColumnEdge {
    /// The column of the dataset that was read.
    pub from: String,
    /// The column of the dataset that was written.
    pub to: String,
    /// What was done on the way.
    pub how: Derivation,
}

/// How one column was made from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Derivation {
    /// It has the same values.
    Copied,
    /// It has the same values in another type.
    Cast,
    /// It has hashes of the values.
    Hashed,
    /// It was computed from the values.
    Computed,
}

/// A list of something small, written as JSON once, with a hash by which equal lists are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The list, as JSON.
    pub json: String,
    /// The SHA-256 of the JSON, in hexadecimal digits.
    pub hash: String,
    /// The names in it, one a line: columns of a dataset, or those written to.
    pub names: String,
    /// How many were too many.
    pub left_out: usize,
}

/// A dataset that a task came to know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SeenDataset {
    /// Its name, as `connection.stream`.
    pub name: String,
    /// Its columns, if they were seen.
    pub columns: Option<Listed>,
    /// How many rows it has, roughly.
    pub rows_estimate: Option<u64>,
    /// How many bytes it has, roughly.
    pub bytes_estimate: Option<u64>,
}

/// A load of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Load {
    /// What was written.
    pub target: SeenDataset,
    /// What was read for it, each with the columns that came from it.
    pub sources: Vec<(SeenDataset, Listed)>,
    /// What was moved, if that was counted.
    pub figures: Option<LoadFigures>,
}

/// What a load moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct LoadFigures {
    /// Rows read.
    pub read: u64,
    /// Rows written.
    pub written: u64,
    /// Rows in the quarantine.
    pub rejected: u64,
    /// Bytes read, as they lay in memory.
    pub bytes: u64,
}

impl Listed {
    /// Of the columns of a dataset.
    pub fn columns(columns: &[DatasetColumn]) -> Self {
        Self::of(columns, |column| &column.name)
    }

    /// Of columns that were made from others.
    pub fn edges(edges: &[ColumnEdge]) -> Self {
        Self::of(edges, |edge| &edge.to)
    }

    fn of<T: Serialize>(items: &[T], name: impl Fn(&T) -> &str) -> Self {
        let (mut json, mut names, mut count) = (String::from("["), String::new(), 0);
        for item in items.iter().take(COLUMNS_MAX) {
            let Ok(text) = serde_json::to_string(item) else { break };
            if json.len() + text.len() > JSON_MAX {
                break;
            }
            if count > 0 {
                json.push(',');
                names.push('\n');
            }
            json.push_str(&text);
            // names are what people search for, and a zero character is nothing that databases keep
            names.push_str(&name(item).replace(['\n', '\0'], " "));
            count += 1;
        }
        json.push(']');
        let hash = Sha256::digest(&json).iter().map(|byte| format!("{byte:02x}")).collect();
        Self { json, hash, names, left_out: items.len() - count }
    }
}

impl SeenDataset {
    /// A dataset of which the name is known.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Whether its name can be kept.
    pub fn has_fitting_name(&self) -> bool {
        !self.name.is_empty() && self.name.len() <= NAME_MAX && !self.name.contains('\0')
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn column(name: String) -> DatasetColumn {
        DatasetColumn { name, type_: "int64".to_owned(), native: None, nullable: true, key: false }
    }

    #[test]
    fn lists_are_the_same_json_and_bounded() {
        let columns: Vec<_> = (0..3).map(|number| column(format!("c{number}"))).collect();
        let listed = Listed::columns(&columns);
        assert_eq!(serde_json::from_str::<Vec<DatasetColumn>>(&listed.json).unwrap(), columns);
        assert_eq!((listed.names.as_str(), listed.left_out), ("c0\nc1\nc2", 0));
        assert_eq!(listed, Listed::columns(&columns));
        assert_ne!(listed.hash, Listed::columns(&columns[..2]).hash);
        let wide: Vec<_> = (0..5_000).map(|number| column(format!("c{number}"))).collect();
        let listed = Listed::columns(&wide);
        assert_eq!((listed.left_out, listed.names.lines().count()), (904, COLUMNS_MAX));
        let long: Vec<_> = (0..100).map(|number| column(format!("{number}{}", "x".repeat(10_000)))).collect();
        let listed = Listed::columns(&long);
        assert!(listed.json.len() <= JSON_MAX + 2 && listed.left_out > 40, "{}", listed.left_out);
        assert_eq!(serde_json::from_str::<Vec<DatasetColumn>>(&listed.json).unwrap().len(), 100 - listed.left_out);
        assert_eq!(Listed::edges(&[]).json, "[]");
    }

    #[test]
    fn names_that_no_index_takes_are_told() {
        assert!(SeenDataset::named("shop.orders").has_fitting_name());
        for name in [String::new(), "x".repeat(1_001), "a\0b".to_owned()] {
            assert!(!SeenDataset::named(name).has_fitting_name());
        }
    }
}
