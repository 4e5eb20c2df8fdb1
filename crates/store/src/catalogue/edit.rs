//! What people write about datasets: who answers for one, what it is, and words to find it and its columns by. Runs never touch
//! any of it.

use std::collections::BTreeMap;

use levada_core::error::Result;

use crate::Store;
use crate::db::{Tx, Value};

/// What is to change; what is not given stays.
#[derive(Debug, Clone, Default)]
pub struct DatasetChange {
    /// Who answers for it; nobody where there is nothing within.
    pub owner: Option<Option<String>>,
    /// What it is, in words; nothing where there is nothing within.
    pub description: Option<Option<String>>,
    /// All words to find it by.
    pub tags: Option<Vec<String>>,
    /// What is written about columns; other columns keep theirs. A column of which nothing is left is forgotten.
    pub columns: BTreeMap<String, ColumnChange>,
}

/// What is to change about a column; what is not given stays.
#[derive(Debug, Clone, Default)]
pub struct ColumnChange {
    /// What it is, in words; may be empty.
    pub description: Option<String>,
    /// All words to find it by.
    pub tags: Option<Vec<String>>,
}

/// What came of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatasetUpdated {
    /// It was made.
    Done,
    /// The dataset has another version than the one expected.
    Stale,
    /// There is no such dataset.
    Missing,
}

impl Store {
    /// Changes what is written about a dataset, if it has the version that is expected, where one is.
    pub async fn update_dataset(
        &self,
        name: String,
        expected: Option<u32>,
        change: DatasetChange,
    ) -> Result<DatasetUpdated> {
        self.db.write(async move |tx: &mut Tx| update(tx, &name, expected, &change).await).await
    }

    /// Forgets a dataset with all that is known of it, if it has the version that is expected, where one is. The next run that
    /// meets it makes it known again.
    pub async fn remove_dataset(&self, name: String, expected: Option<u32>) -> Result<DatasetUpdated> {
        let remove = async move |tx: &mut Tx| {
            match locked(tx, &name, expected).await? {
                DatasetUpdated::Done => {}
                refused => return Ok(refused),
            }
            tx.execute("DELETE FROM datasets WHERE name = $1", &[name.as_str().into()]).await?;
            Ok(DatasetUpdated::Done)
        };
        self.db.write(remove).await
    }
}

/// Locks a dataset, and says whether it is the one that was expected.
async fn locked(tx: &mut Tx, name: &str, expected: Option<u32>) -> Result<DatasetUpdated> {
    let lock = tx.lock("d");
    let sql = format!("SELECT d.version FROM datasets d WHERE d.name = $1{lock}");
    let Some(mut row) = tx.row(&sql, &[name.into()]).await? else { return Ok(DatasetUpdated::Missing) };
    let version = row.small()?;
    Ok(if expected.is_none_or(|expected| expected == version) { DatasetUpdated::Done } else { DatasetUpdated::Stale })
}

async fn update(tx: &mut Tx, name: &str, expected: Option<u32>, change: &DatasetChange) -> Result<DatasetUpdated> {
    match locked(tx, name, expected).await? {
        DatasetUpdated::Done => {}
        refused => return Ok(refused),
    }
    let mut values: Vec<Value> = vec![name.into()];
    let mut columns = String::new();
    let mut set = |column: &str, value| {
        values.push(value);
        columns.push_str(&format!(", {column} = ${}", values.len()));
    };
    if let Some(owner) = &change.owner {
        set("owner", owner.clone().into());
    }
    if let Some(description) = &change.description {
        set("description", description.clone().into());
    }
    if let Some(tags) = &change.tags {
        set("tags", serde_json::json!(tags).to_string().into());
    }
    let sql = format!("UPDATE datasets SET version = version + 1{columns} WHERE name = $1");
    tx.execute(&sql, &values).await?;
    for (column, change) in &change.columns {
        let key: [Value; 2] = [name.into(), column.as_str().into()];
        let tags = change.tags.as_ref().map(|tags| serde_json::json!(tags).to_string());
        let sql = "INSERT INTO dataset_columns (dataset, name, description, tags) \
                   VALUES ($1, $2, COALESCE($3, ''), COALESCE($4, '[]')) ON CONFLICT (dataset, name) DO UPDATE SET \
                   description = COALESCE($3, dataset_columns.description), tags = COALESCE($4, dataset_columns.tags)";
        let values = [&key[..], &[change.description.clone().into(), tags.into()]].concat();
        tx.execute(sql, &values).await?;
        let sql = "DELETE FROM dataset_columns WHERE dataset = $1 AND name = $2 AND description = '' AND tags = '[]'";
        tx.execute(sql, &key).await?;
    }
    Ok(DatasetUpdated::Done)
}
