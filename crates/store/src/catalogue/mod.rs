//! What is known of datasets: what runs found and did ([`record`]), what tests found ([`results`]), what others tell of theirs
//! ([`external`]), what people ask ([`read`], [`lineage`]), and what they write about them ([`edit`]).

mod edit;
mod external;
mod lineage;
mod read;
mod record;
mod results;

use levada_core::dataset::{Load, LoadFigures};
use levada_core::error::Result;
use levada_core::id::RunId;
use levada_core::time::Timestamp;

pub use edit::{ColumnChange, DatasetChange, DatasetUpdated};
pub use external::{EXTERNAL_DATASETS_MAX, ExternalDataset, ExternalEvent, ExternalKept};
pub use lineage::{Lineage, LineageEdge, LineageFilter};
pub use read::{Column, DatasetFilter, DatasetPlace, DatasetSchema};
pub(crate) use record::{Done, record};
pub(crate) use results::Tested;
pub use results::{DatasetTest, RESULTS_KEPT, TestFilter, TestPlace};

use crate::Store;
use crate::db::Tx;

/// How many of the last loads of a dataset are known.
pub const LOADS_KEPT: u64 = 100;
/// How many of the last versions of its columns are known.
pub const SCHEMAS_KEPT: u32 = 50;

/// A dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// Its name, as `connection.stream`; of one that only others tell of `namespace/name`.
    pub name: String,
    /// The namespace that others gave it; none if it is of a connection of this project.
    pub namespace: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// What it is, in words.
    pub description: Option<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// How often people changed what is written about it.
    pub version: u32,
    /// When a run last read or wrote it.
    pub seen_at: Timestamp,
    /// When it was loaded last; none if it was only read.
    pub updated_at: Option<Timestamp>,
    /// How often it was loaded.
    pub updates: u64,
    /// How many rows it has, roughly.
    pub rows_estimate: Option<u64>,
    /// How many bytes it has, roughly.
    pub bytes_estimate: Option<u64>,
    /// The version of its columns; none if they were never seen.
    pub schema_version: Option<u32>,
    /// The names of its columns, as far as they are kept.
    pub columns: Vec<String>,
    /// How many columns it has.
    pub column_count: u64,
    /// Its last load.
    pub last: Option<DatasetLoad>,
}

/// A load of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetLoad {
    /// The dataset.
    pub dataset: String,
    /// Which of its loads, counted from 1.
    pub number: u64,
    /// The run.
    pub run: RunId,
    /// Its pipeline.
    pub pipeline: String,
    /// The task.
    pub task: String,
    /// When.
    pub at: Timestamp,
    /// What was moved, if that was counted.
    pub figures: Option<LoadFigures>,
    /// The datasets that were read for it.
    pub sources: Vec<String>,
}

/// When a dataset was last loaded.
async fn updated_at(tx: &mut Tx, name: &str) -> Result<Option<Timestamp>> {
    match tx.row("SELECT updated_at FROM datasets WHERE name = $1 AND updates > 0", &[name.into()]).await? {
        Some(mut row) => row.time().map(Some),
        None => Ok(None),
    }
}

/// Removes datasets that no run has met since an instant, and that nobody wrote anything about; and what was told of runs of others
/// before another one.
pub(crate) async fn remove_unseen(tx: &mut Tx, before: Timestamp, runs_before: Timestamp) -> Result<()> {
    tx.later("DELETE FROM external_runs WHERE at < $1", &[runs_before.into()]).await?;
    tx.later("DELETE FROM datasets WHERE seen_at < $1 AND version = 0", &[before.into()]).await
}

impl Store {
    /// When a dataset was last loaded.
    pub async fn dataset_updated_at(&self, name: String) -> Result<Option<Timestamp>> {
        self.db.read(async move |tx: &mut Tx| updated_at(tx, &name).await).await
    }
}

/// The loads of an update: those that are told in full, and datasets of which only the name is.
pub(crate) fn loads<'a>(told: &'a [Load], names: &'a [String]) -> Vec<std::borrow::Cow<'a, Load>> {
    use levada_core::dataset::SeenDataset;
    use std::borrow::Cow;
    let bare = names.iter().filter(|name| told.iter().all(|load| load.target.name != **name));
    let bare = bare.map(|name| Cow::Owned(Load { target: SeenDataset::named(name.clone()), ..Load::default() }));
    told.iter().map(Cow::Borrowed).chain(bare).collect()
}
