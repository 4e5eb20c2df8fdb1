//! `verify: checksum`: reads the destination back and compares its content with what was sent. A replaced stream is
//! compared as a whole, by order-independent sums of hashes per column; of an append or merge every row sent is looked
//! up. Rows that the destination put into the quarantine count as not sent. A difference is named by its key and columns.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema, SchemaRef};
use levada_core::batch::{Data, Reject};
use levada_core::cast::{cast, quoted};
use levada_core::destination::WriteMode;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::source::{ReadRequest, Source};
use levada_core::text;
use levada_core::transform::Transform;

use super::fingerprint::{Fingerprint, Fingerprinter};
use super::sent_rows::SentRows;

/// Rows of a replaced stream are summed in this many groups by key, so that a difference can be searched in one of them.
const GROUPS: usize = 1024;
/// How many differing columns of a row are named.
const COLUMNS_NAMED: usize = 3;
/// How much is shown of each part of a key.
const KEY_CHARS_MAX: usize = 100;

/// The content of what was sent, gathered while it is sent.
pub struct Sent {
    printer: Fingerprinter,
    content: Mutex<Content>,
    /// The most rows of an append or merge that are remembered.
    rows_max: usize,
}

enum Content {
    /// Per group: the number of rows, then one sum per column.
    Whole(Vec<Vec<u64>>),
    /// Each row.
    Rows(SentRows),
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
    /// An empty record of rows with these columns; `key` holds the indexes of the key columns, `memory_bytes` is what
    /// remembering rows may take.
    pub fn new(write: WriteMode, schema: &Schema, key: Vec<usize>, memory_bytes: u64) -> Self {
        let columns = schema.fields().len();
        let content = match write {
            WriteMode::Replace => Content::Whole(vec![vec![0; columns + 1]; GROUPS]),
            WriteMode::Append | WriteMode::Merge => Content::Rows(SentRows::default()),
        };
        let rows_max = usize::try_from(memory_bytes).unwrap_or(usize::MAX) / SentRows::ROW_BYTES;
        let key = if write == WriteMode::Append || key.is_empty() { (0..columns).collect() } else { key };
        Self { printer: Fingerprinter::new(schema, key), content: Mutex::new(content), rows_max }
    }

    /// Adds rows that are about to be sent.
    ///
    /// # Errors
    /// `Unsupported` if an append or merge has more rows than can be remembered.
    pub fn add(&self, rows: &RecordBatch) -> Result<()> {
        let prints = self.printer.rows(rows);
        match &mut *self.lock() {
            Content::Whole(groups) => prints.iter().for_each(|print| sum(groups, print, u64::wrapping_add)),
            Content::Rows(sent) => {
                prints.iter().for_each(|print| sent.push(print.key, print.row));
                if sent.len() > self.rows_max {
                    let most = self.rows_max;
                    let message = format!(
                        "`verify: checksum` remembers at most {most} rows of an append or merge in its `memory`"
                    );
                    return Err(Error::new(ErrorKind::Unsupported, message)
                        .advise("Give the sync more `memory`, 32 bytes for each row; or use `verify: counts`."));
                }
            }
        }
        Ok(())
    }

    /// Takes rows out again that were sent, and that the destination refused.
    pub fn remove(&self, rejects: &[Reject]) {
        for print in rejects.iter().filter_map(|reject| self.printer.reject(reject)) {
            match &mut *self.lock() {
                Content::Whole(groups) => sum(groups, &print, u64::wrapping_sub),
                Content::Rows(sent) => sent.forget(print.key, print.row),
            }
        }
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
        let expected = missing.as_mut().map_or(0, SentRows::lacking);
        each(&target, |rows| {
            let prints = self.printer.rows(rows);
            match &mut missing {
                None => prints.iter().for_each(|print| sum(&mut found, print, u64::wrapping_add)),
                Some(missing) => prints.iter().for_each(|print| missing.found(print.key, print.row)),
            }
        })
        .await?;
        let Some(mut missing) = missing else {
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
        if missing.lacking() == 0 {
            return Ok(expected);
        }
        Err(self.name_difference(&target, &again, &|key| missing.lacks(key)).await?)
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
        let differs = |key: &&String| !same(wanted.get(*key), found.get(*key));
        let Some(key) = keys.filter(differs).min() else {
            return Ok(Error::new(
                ErrorKind::Data,
                "the destination differs from what was sent, but not from the source now",
            )
            .advise("The source changed during the load, or someone else writes to the target; run again."));
        };
        let what = match (wanted.get(key).map(Vec::as_slice), found.get(key).map(Vec::as_slice)) {
            (Some(_), None) => format!("the row with key {key} is missing in the destination"),
            (None, _) => format!("the row with key {key} is in the destination, but not in the source"),
            (Some([wanted]), Some([found])) => {
                format!("in the row with key {key}, {}", self.name_columns(wanted, found))
            }
            (Some(wanted), Some(found)) => {
                let (wanted, found) = (wanted.len(), found.len());
                format!("of {wanted} rows with key {key} in the source, not the same {found} are in the destination")
            }
        };
        Ok(Error::new(ErrorKind::Data, format!("the content differs: {what}"))
            .advise("The load is committed. Find out who else writes to the target, then load with `--full-refresh`."))
    }

    /// Says in which columns two rows differ.
    fn name_columns(&self, wanted: &Row, found: &Row) -> String {
        let columns = wanted.print.columns.iter().zip(&found.print.columns).enumerate();
        let differing: Vec<usize> = columns.filter(|(_, (wanted, found))| wanted != found).map(|(at, _)| at).collect();
        let shown = |row: &Row, at: usize| row.values[at].as_deref().map_or("NULL".to_owned(), quoted);
        let named: Vec<String> = differing
            .iter()
            .take(COLUMNS_NAMED)
            .map(|at| {
                let (name, found, wanted) = (self.printer.name(*at), shown(found, *at), shown(wanted, *at));
                format!("column `{name}` is {found} in the destination and {wanted} in the source")
            })
            .collect();
        let more = differing.len().saturating_sub(COLUMNS_NAMED);
        let more = if more > 0 { format!("; {more} more columns differ") } else { String::new() };
        named.join("; ") + &more
    }

    /// Rows whose keys are suspicious, by the text of their key.
    async fn collect(
        &self,
        side: &Side<'_>,
        suspicious: &(dyn Fn(u128) -> bool + Sync),
    ) -> Result<BTreeMap<String, Vec<Row>>> {
        let mut rows_by_key: BTreeMap<String, Vec<Row>> = BTreeMap::new();
        each(side, |rows| {
            let prints = self.printer.rows(rows).into_iter().enumerate();
            for (row, print) in prints.filter(|(_, print)| suspicious(print.key)) {
                let key = self.printer.key_of(rows, row);
                let key: Vec<String> =
                    key.iter().map(|part| part.as_deref().map_or("NULL".to_owned(), short)).collect();
                let values = rows.columns().iter().map(|column| text::value(column, row)).collect();
                rows_by_key.entry(format!("({})", key.join(", "))).or_default().push(Row { print, values });
            }
        })
        .await?;
        rows_by_key.values_mut().for_each(|rows| rows.sort_by_key(|row| row.print.row));
        Ok(rows_by_key)
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A row that may be one that differs.
struct Row {
    print: Fingerprint,
    values: Vec<Option<String>>,
}

fn same(wanted: Option<&Vec<Row>>, found: Option<&Vec<Row>>) -> bool {
    let prints = |rows: Option<&Vec<Row>>| rows.into_iter().flatten().map(|row| row.print.row).collect::<Vec<_>>();
    prints(wanted) == prints(found)
}

/// A part of a key for people: most are short, but rows without a key are told by all their values.
fn short(text: &str) -> String {
    if text.chars().nth(KEY_CHARS_MAX).is_none() {
        return text.to_owned();
    }
    text.chars().take(KEY_CHARS_MAX).chain(['…']).collect()
}

fn sum(groups: &mut [Vec<u64>], print: &Fingerprint, change: fn(u64, u64) -> u64) {
    let group = &mut groups[print.key as usize % GROUPS];
    group[0] = change(group[0], 1);
    for (sum, column) in group[1..].iter_mut().zip(&print.columns) {
        *sum = change(*sum, *column);
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
