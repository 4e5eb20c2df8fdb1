//! What the engine keeps of a stream between runs, inside the destination's own commit: the source's position, the rows
//! that the next read will see again, and the names that columns were given.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use arrow_array::cast::AsArray;
use arrow_array::{Array, BooleanArray, RecordBatch};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::position::{Commit, Position};
use levada_core::source::OVERLAP_COLUMN;
use levada_core::text;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

/// The most rows that may share the end of an incremental read.
const OVERLAP_ROWS_MAX: usize = 200_000;

/// The state document of a stream.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Where the source goes on; `None` after a full read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// Rows at the end of the last read, which an inclusive read yields again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<Overlap>,
    /// Source column name to final column name, for every column ever loaded.
    #[serde(default)]
    pub names: BTreeMap<String, String>,
    /// What the load was for, where it may be done only once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub once: Option<String>,
}

/// Rows recognised by their content.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overlap {
    /// The source columns that were hashed, in this order.
    pub columns: Vec<String>,
    /// Hash of a row (32 hex digits) to how many such rows there are.
    pub rows: BTreeMap<String, u32>,
}

impl State {
    /// The state stored in a commit.
    ///
    /// # Errors
    /// `Refused` if the document was written by a version that this one does not know.
    pub fn of(commit: Option<&Commit>) -> Result<Self> {
        let Some(commit) = commit else { return Ok(Self::default()) };
        serde_json::from_value(commit.state.clone()).map_err(|error| {
            Error::new(ErrorKind::Refused, format!("the stored state of this stream cannot be read: {error}")).advise(
                "Use the version of Levada that wrote it, or `--full-refresh` to load the stream from the start.",
            )
        })
    }
}

/// Tells rows seen by the last load from new ones, and collects those that the next load will see again. Shared by all
/// readers of a stream.
pub struct OverlapFilter {
    columns: Vec<String>,
    before: Option<Overlap>,
    state: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    /// Rows of the last load that have not been met yet.
    expected: HashMap<u128, u32>,
    /// Rows for the next load.
    next: HashMap<u128, u32>,
    repeated: u64,
}

impl OverlapFilter {
    /// A filter over the given columns, or over those that the last load used.
    pub fn new(before: Option<Overlap>, columns: Vec<String>) -> Self {
        let parse = |(hash, count): (&String, &u32)| Some((u128::from_str_radix(hash, 16).ok()?, *count));
        let expected = before.iter().flat_map(|overlap| overlap.rows.iter().filter_map(parse)).collect();
        let columns = before.as_ref().map_or(columns, |overlap| overlap.columns.clone());
        Self { columns, before, state: Mutex::new(Counts { expected, ..Counts::default() }) }
    }

    /// Removes the overlap column, and the rows that the last load already wrote.
    ///
    /// # Errors
    /// `Schema` if a column that tells rows apart is gone; `Refused` if too many rows share the end of the read.
    pub fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let marks_at = batch.num_columns().saturating_sub(1);
        if batch.num_columns() == 0 || batch.schema_ref().field(marks_at).name() != OVERLAP_COLUMN {
            return Err(Error::new(ErrorKind::Internal, "the source did not mark the rows it will read again"));
        }
        let marks = batch.column(marks_at).as_boolean().clone();
        let kept: Vec<usize> = (0..marks_at).collect();
        let rows = batch.project(&kept).map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))?;
        let columns = self.hashed_columns(&rows)?;

        let mut state = self.lock();
        let hash_all = !state.expected.is_empty();
        let mut keep = Vec::with_capacity(rows.num_rows());
        let mut buffer = String::new();
        for row in 0..rows.num_rows() {
            let marked = marks.is_valid(row) && marks.value(row);
            if !hash_all && !marked {
                keep.push(true);
                continue;
            }
            let hash = row_hash(&columns, row, &mut buffer);
            if marked {
                *state.next.entry(hash).or_default() += 1;
            }
            let repeated = state.expected.get_mut(&hash).is_some_and(|left| {
                let seen = *left > 0;
                *left = left.saturating_sub(1);
                seen
            });
            state.repeated += u64::from(repeated);
            keep.push(!repeated);
        }
        if state.next.len() > OVERLAP_ROWS_MAX {
            return Err(Error::new(
                ErrorKind::Refused,
                format!("more than {OVERLAP_ROWS_MAX} rows lie within the lag window at the end of the cursor"),
            )
            .advise("Use `write: merge` with a key, a finer cursor column, or a shorter `lag`."));
        }
        drop(state);
        if keep.iter().all(|keep| *keep) {
            return Ok(rows);
        }
        arrow_select::filter::filter_record_batch(&rows, &BooleanArray::from(keep))
            .map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))
    }

    /// Rows that were dropped because the last load wrote them.
    pub fn repeated(&self) -> u64 {
        self.lock().repeated
    }

    /// What the next load has to recognise. If the read saw nothing at all, what this load had to.
    pub fn next(&self) -> Option<Overlap> {
        let state = self.lock();
        if state.next.is_empty() {
            return self.before.clone();
        }
        let rows = state.next.iter().map(|(hash, count)| (format!("{hash:032x}"), *count)).collect();
        Some(Overlap { columns: self.columns.clone(), rows })
    }

    fn hashed_columns<'a>(&self, rows: &'a RecordBatch) -> Result<Vec<&'a dyn Array>> {
        let column = |name: &String| {
            rows.column_by_name(name).map(AsRef::as_ref).ok_or_else(|| {
                Error::new(ErrorKind::Schema, format!("column `{name}` is gone, by which rows are told apart"))
                    .advise("Use `write: merge` with a key, or `--full-refresh` once.")
            })
        };
        self.columns.iter().map(column).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A hash of the row's canonical texts, each led by its length, NULL told from the empty text.
pub fn row_hash(columns: &[&dyn Array], row: usize, buffer: &mut String) -> u128 {
    buffer.clear();
    for column in columns {
        if column.is_null(row) {
            buffer.push_str("n;");
            continue;
        }
        let start = buffer.len();
        text::write_value(buffer, *column, row);
        let length = (buffer.len() - start).to_string();
        buffer.push(':');
        buffer.push_str(&length);
        buffer.push(';');
    }
    xxh3_128(buffer.as_bytes())
}
