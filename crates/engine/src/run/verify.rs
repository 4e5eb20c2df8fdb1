//! `verify: checksum`: reads the destination back and compares its content with what was sent. A replaced stream is
//! compared as a whole, by order-independent sums of hashes per column; of an append or merge every row sent is looked
//! up. A difference is named by its key.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use levada_core::batch::Data;
use levada_core::cast::cast;
use levada_core::destination::WriteMode;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::source::{ReadRequest, Source};
use levada_core::text;
use levada_core::transform::Transform;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::checkpoint::row_hash;

/// Rows of a replaced stream are summed in this many groups by key, so that a difference can be searched in one of them.
const GROUPS: usize = 1024;
/// The most rows of an append or merge that are remembered.
const ROWS_MAX: usize = 4_000_000;

/// The content of what was sent, gathered while it is sent.
pub struct Sent {
    key: Vec<usize>,
    content: Mutex<Content>,
}

enum Content {
    /// Per group: the number of rows, then one sum per column.
    Whole(Vec<Vec<u64>>),
    /// Hash of the key (of the row where rows are appended) to the hashes of the rows sent with it.
    Rows(HashMap<u128, Vec<u128>>),
}

/// A way to read one side again.
pub struct Side<'a> {
    /// Where from.
    pub source: &'a dyn Source,
    /// What; the columns of the sent rows, or those of the source.
    pub request: ReadRequest,
    /// How to get to the columns that were sent.
    pub map: Mapping,
}

/// How rows read become the columns that were sent.
pub enum Mapping {
    /// By the transform of the load.
    Transform(Arc<dyn Transform>),
    /// By casting each column.
    Cast(SchemaRef),
}

impl Sent {
    /// An empty record of rows with these columns; `key` holds the indexes of the key columns.
    pub fn new(write: WriteMode, columns: usize, key: Vec<usize>) -> Self {
        let content = match write {
            WriteMode::Replace => Content::Whole(vec![vec![0; columns + 1]; GROUPS]),
            WriteMode::Append | WriteMode::Merge => Content::Rows(HashMap::new()),
        };
        let key = if write == WriteMode::Append || key.is_empty() { (0..columns).collect() } else { key };
        Self { key, content: Mutex::new(content) }
    }

    /// Adds rows that are about to be sent.
    ///
    /// # Errors
    /// `Unsupported` if an append or merge has more rows than can be remembered.
    pub fn add(&self, rows: &RecordBatch) -> Result<()> {
        let hashes = self.hashes(rows);
        match &mut *self.lock() {
            Content::Whole(groups) => sum(groups, &hashes),
            Content::Rows(sent) => {
                for hash in hashes {
                    sent.entry(hash.key).or_default().push(hash.row);
                }
                if sent.len() > ROWS_MAX {
                    return Err(Error::new(
                        ErrorKind::Unsupported,
                        format!("`verify: checksum` of an append or merge remembers at most {ROWS_MAX} rows"),
                    )
                    .advise("Use `verify: counts` for this load."));
                }
            }
        }
        Ok(())
    }

    /// Reads the target and compares. Returns the number of rows compared.
    ///
    /// # Errors
    /// `Data`, naming the first differing key and its columns.
    pub async fn compare(&self, target: Side<'_>, again: Side<'_>) -> Result<u64> {
        let mut found = vec![Vec::new(); GROUPS];
        let mut missing = match &mut *self.lock() {
            Content::Whole(groups) => {
                let columns = groups.first().map_or(0, Vec::len);
                found.fill(vec![0_u64; columns]);
                None
            }
            Content::Rows(sent) => Some(std::mem::take(sent)),
        };
        let expected = missing.as_ref().map_or(0, HashMap::len) as u64;
        each(&target, |rows| {
            let hashes = self.hashes(rows);
            match &mut missing {
                None => sum(&mut found, &hashes),
                Some(missing) => hashes.iter().for_each(|hash| strike_out(missing, hash)),
            }
        })
        .await?;
        let Some(missing) = missing else {
            let differing = match &*self.lock() {
                Content::Whole(groups) => groups.iter().zip(&found).position(|(sent, read)| sent != read),
                Content::Rows(_) => None,
            };
            return match differing {
                None => Ok(found.iter().map(|group| group[0]).sum()),
                Some(group) => {
                    Err(self.name_difference(&target, &again, &|key| key as usize % GROUPS == group).await?)
                }
            };
        };
        if missing.is_empty() {
            return Ok(expected);
        }
        Err(self.name_difference(&target, &again, &|key| missing.contains_key(&key)).await?)
    }

    /// Reads the suspicious rows of both sides and describes the first key at which they differ.
    async fn name_difference(
        &self,
        target: &Side<'_>,
        again: &Side<'_>,
        suspicious: &(dyn Fn(u128) -> bool + Sync),
    ) -> Result<Error> {
        let wanted = self.collect(again, suspicious).await?;
        let found = self.collect(target, suspicious).await?;
        let keys = wanted.keys().chain(found.keys());
        let first = keys.filter(|key| wanted.get(*key) != found.get(*key)).min();
        let Some(key) = first else {
            return Ok(Error::new(
                ErrorKind::Data,
                "the destination differs from what was sent, but not from the source now",
            )
            .advise("The source changed during the load, or someone else writes to the target; run again."));
        };
        let what = match (wanted.get(key), found.get(key)) {
            (Some(_), None) => "is missing in the destination".to_owned(),
            (None, _) => "is in the destination, but not in the source".to_owned(),
            (Some(wanted), Some(found)) => format!("is {found:?} in the destination, and {wanted:?} in the source"),
        };
        Ok(Error::new(ErrorKind::Data, format!("the content differs: the row with key {key} {what}"))
            .advise("The load is committed. Find out who else writes to the target, then load with `--full-refresh`."))
    }

    async fn collect(
        &self,
        side: &Side<'_>,
        suspicious: &(dyn Fn(u128) -> bool + Sync),
    ) -> Result<BTreeMap<String, Vec<String>>> {
        let mut rows_by_key: BTreeMap<String, Vec<String>> = BTreeMap::new();
        each(side, |rows| {
            for (row, hash) in self.hashes(rows).iter().enumerate().filter(|(_, hash)| suspicious(hash.key)) {
                debug_assert!(hash.columns.len() == rows.num_columns());
                let key: Vec<String> =
                    self.key.iter().map(|at| text::value(rows.column(*at), row).unwrap_or("NULL".to_owned())).collect();
                rows_by_key.entry(format!("({})", key.join(", "))).or_default().push(text::row_json(rows, row));
            }
        })
        .await?;
        rows_by_key.values_mut().for_each(|rows| rows.sort());
        Ok(rows_by_key)
    }

    fn hashes(&self, rows: &RecordBatch) -> Vec<RowHash> {
        let all: Vec<&dyn Array> = rows.columns().iter().map(AsRef::as_ref).collect();
        let key: Vec<&dyn Array> = self.key.iter().map(|at| all[*at]).collect();
        let mut buffer = String::new();
        let hash_row = |row| RowHash {
            key: row_hash(&key, row, &mut buffer),
            row: row_hash(&all, row, &mut buffer),
            columns: all.iter().enumerate().map(|(at, column)| column_hash(at, *column, row, &mut buffer)).collect(),
        };
        (0..rows.num_rows()).map(hash_row).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct RowHash {
    key: u128,
    row: u128,
    columns: Vec<u64>,
}

fn column_hash(at: usize, column: &dyn Array, row: usize, buffer: &mut String) -> u64 {
    if column.is_null(row) {
        return 1;
    }
    buffer.clear();
    text::write_value(buffer, column, row);
    xxh3_64_with_seed(buffer.as_bytes(), at as u64 + 1)
}

fn sum(groups: &mut [Vec<u64>], hashes: &[RowHash]) {
    for hash in hashes {
        let group = &mut groups[hash.key as usize % GROUPS];
        group[0] += 1;
        for (sum, column) in group[1..].iter_mut().zip(&hash.columns) {
            *sum = sum.wrapping_add(*column);
        }
    }
}

/// A row found in the target satisfies one row sent; of several sent under one key of a merge, the one that won.
fn strike_out(missing: &mut HashMap<u128, Vec<u128>>, hash: &RowHash) {
    let Some(sent) = missing.get_mut(&hash.key) else { return };
    let Some(at) = sent.iter().position(|row| *row == hash.row) else { return };
    let keyed_by_row = hash.key == hash.row;
    if keyed_by_row && sent.len() > 1 {
        sent.swap_remove(at);
    } else {
        missing.remove(&hash.key);
    }
}

async fn each(side: &Side<'_>, mut f: impl FnMut(&RecordBatch) + Send) -> Result<()> {
    let mut extract = side.source.read(side.request.clone()).await?;
    for reader in &mut extract.readers {
        while let Some(batch) = reader.next().await? {
            let rows = match &side.map {
                Mapping::Transform(transform) => transform.apply(batch)?.data,
                Mapping::Cast(schema) => match batch.data {
                    Data::Arrow(rows) => Data::Arrow(cast_all(&rows, schema)?),
                    raw @ Data::Raw(_) => raw,
                },
            };
            if let Data::Arrow(rows) = rows {
                f(&rows);
            }
        }
    }
    Ok(())
}

fn cast_all(rows: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns: Result<Vec<ArrayRef>> = rows
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| cast(column, field.data_type()).map(|(column, _)| column))
        .collect();
    let fields: Vec<_> = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(arrow_schema::Schema::new(fields)), columns?, &options)
        .map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))
}
