//! Rows of some row groups, page by page.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{TimestampMicrosecondType, TimestampNanosecondType};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use levada_core::batch::Batch;
use levada_core::error::{Context, Result};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::Type as Physical;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};

use super::super::columns::{canonical, interval_text};
use super::super::fit::{BadRows, fit};
use super::super::{FileReader, RandomRead};
use super::chunks::Chunks;
use super::schema::{Kind, Layout};
use super::{guarded, malformed};

/// No batch has more rows, however narrow they are.
const ROWS_MAX: usize = 65_536;
/// What the values behind a dictionary of unknown content may grow to in one batch.
const UNFOLDED_MAX: usize = 512 << 20;

/// Rows of a range of row groups.
pub(super) struct Rows {
    name: String,
    chunks: Chunks,
    layout: Arc<Layout>,
    groups: Range<usize>,
    wanted: SchemaRef,
    /// For each wanted column, its index among the file's columns.
    sources: Vec<Option<usize>>,
    /// The file's columns that are read, ascending.
    roots: Vec<usize>,
    batch_bytes: usize,
    current: Option<Group>,
}

/// A row group being read.
struct Group {
    chunks: Chunks,
    rows: ParquetRecordBatchReader,
    /// The INT96 columns once more in nanoseconds, in step.
    nanos: Option<(Chunks, ParquetRecordBatchReader)>,
}

impl Rows {
    pub(super) fn new(
        file: Arc<dyn RandomRead>,
        layout: Arc<Layout>,
        parts: Range<usize>,
        wanted: SchemaRef,
        batch_bytes: usize,
    ) -> Result<Self> {
        let mut by_name = BTreeMap::new();
        for (index, field) in layout.schema.fields().iter().enumerate() {
            by_name.entry(field.name().as_str()).or_insert(index);
        }
        let sources: Vec<Option<usize>> =
            wanted.fields().iter().map(|field| by_name.get(field.name().as_str()).copied()).collect();
        let mut roots: Vec<usize> = sources.iter().copied().flatten().collect();
        roots.sort_unstable();
        roots.dedup();
        let groups = layout.metadata.metadata().num_row_groups();
        Ok(Self {
            name: file.name().to_owned(),
            chunks: Chunks::new(file),
            groups: parts.start.min(groups)..parts.end.min(groups),
            layout,
            wanted,
            sources,
            roots,
            batch_bytes,
            current: None,
        })
    }

    fn open(&self, group: usize) -> Result<Group> {
        let metadata = &self.layout.metadata;
        let leaves: Vec<&ColumnChunkMetaData> = self.leaves(metadata.metadata().row_group(group));
        let ranges = leaves.iter().map(|leaf| {
            let (start, length) = leaf.byte_range();
            start..start.saturating_add(length)
        });
        let chunks = self.chunks.of_columns(ranges.collect());
        let batch_rows = batch_rows(&leaves, metadata.metadata().row_group(group), self.batch_bytes);
        let build = |chunks: &Chunks, metadata: ArrowReaderMetadata, roots: &[usize]| {
            let mask = ProjectionMask::roots(metadata.parquet_schema(), roots.iter().copied());
            ParquetRecordBatchReaderBuilder::new_with_metadata(chunks.clone(), metadata)
                .with_projection(mask)
                .with_row_groups(vec![group])
                .with_batch_size(batch_rows)
                .build()
                .map_err(|error| chunks.explain(error))
        };
        let int96 = self.int96();
        let nanos = if int96.is_empty() {
            None
        } else {
            let exact = in_nanos(metadata, &int96)?;
            let chunks = self.chunks.of_columns(Vec::new());
            let rows = build(&chunks, exact, &int96)?;
            Some((chunks, rows))
        };
        let rows = build(&chunks, metadata.clone(), &self.roots)?;
        Ok(Group { chunks, rows, nanos })
    }

    fn int96(&self) -> Vec<usize> {
        self.roots.iter().copied().filter(|root| self.layout.kinds[*root] == Kind::Int96).collect()
    }

    /// The column chunks of a row group that are read.
    fn leaves<'a>(&self, group: &'a RowGroupMetaData) -> Vec<&'a ColumnChunkMetaData> {
        let descriptor = self.layout.metadata.parquet_schema();
        let wanted = |leaf: &usize| self.roots.binary_search(&descriptor.get_column_root_idx(*leaf)).is_ok();
        (0..group.num_columns()).filter(wanted).map(|leaf| group.column(leaf)).collect()
    }

    fn fitted(&self, batch: &RecordBatch, nanos: Option<&RecordBatch>) -> Result<Batch> {
        let mut bad = BadRows::new();
        let mut columns: BTreeMap<usize, ArrayRef> = BTreeMap::new();
        for (root, column) in self.roots.iter().zip(batch.columns()) {
            let name = self.layout.schema.field(*root).name();
            let (column, unfit) = match self.layout.kinds[*root] {
                Kind::Interval => (intervals(column), Vec::new()),
                _ if column.data_type() == self.layout.schema.field(*root).data_type() => (column.clone(), Vec::new()),
                _ => canonical(column).at(format!("column `{name}`"))?,
            };
            for one in unfit {
                bad.entry(one.row).or_insert_with(|| (name.clone(), one.reason));
            }
            columns.insert(*root, column);
        }
        if let Some(nanos) = nanos {
            for (root, exact) in self.int96().iter().zip(nanos.columns()) {
                if let Some(coarse) = columns.get(root) {
                    find_lost_digits(coarse, exact, self.layout.schema.field(*root), &mut bad);
                }
            }
        }
        let found: Vec<Option<ArrayRef>> =
            self.sources.iter().map(|source| source.and_then(|root| columns.get(&root).cloned())).collect();
        fit(&self.wanted, &found, batch.num_rows(), bad)
    }

    fn step(&mut self) -> Result<Option<Batch>> {
        loop {
            if self.current.is_none() {
                let Some(group) = self.groups.next() else { return Ok(None) };
                self.current = Some(self.open(group).at(format!("row group {group}"))?);
            }
            let Some(group) = &mut self.current else { return Ok(None) };
            let next = next_of(&mut group.rows, &group.chunks)?;
            let exact = match &mut group.nanos {
                Some((chunks, nanos)) => next_of(nanos, chunks)?,
                None => None,
            };
            match next {
                Some(batch) => return self.fitted(&batch, exact.as_ref()).map(Some),
                None => self.current = None,
            }
        }
    }
}

impl FileReader for Rows {
    fn next(&mut self) -> Result<Option<Batch>> {
        guarded(|| self.step()).at(self.name.clone())
    }
}

fn next_of(rows: &mut ParquetRecordBatchReader, chunks: &Chunks) -> Result<Option<RecordBatch>> {
    rows.next().transpose().map_err(|error| {
        chunks.explain(match error {
            ArrowError::ParquetError(text) => ParquetError::General(text),
            other => ParquetError::General(other.to_string()),
        })
    })
}

/// How many rows make a batch of about the bytes asked for, judged by the row group's sizes.
fn batch_rows(leaves: &[&ColumnChunkMetaData], group: &RowGroupMetaData, batch_bytes: usize) -> usize {
    let rows = usize::try_from(group.num_rows()).unwrap_or(0).max(1);
    let mut bytes_per_row = 0;
    let mut limit = ROWS_MAX;
    for leaf in leaves {
        let values = usize::try_from(leaf.num_values()).unwrap_or(0);
        let bytes = match (leaf.column_type(), leaf.unencoded_byte_array_data_bytes()) {
            (Physical::BYTE_ARRAY, Some(bytes)) => usize::try_from(bytes).unwrap_or(0) + 4 * values,
            (Physical::BYTE_ARRAY, None) => {
                // a dictionary says nothing of how long its entries are
                if let Some(dictionary) = leaf.dictionary_page_offset() {
                    let compressed = usize::try_from(leaf.data_page_offset() - dictionary).unwrap_or(0).max(1);
                    limit = limit.min((UNFOLDED_MAX / compressed).max(1));
                }
                usize::try_from(leaf.uncompressed_size()).unwrap_or(0) + 8 * values
            }
            (Physical::FIXED_LEN_BYTE_ARRAY, _) => {
                values * usize::try_from(leaf.column_descr().type_length()).unwrap_or(16).max(16)
            }
            (Physical::BOOLEAN, _) => values / 8,
            (Physical::INT32 | Physical::FLOAT, _) => values * 4,
            _ => values * 8,
        };
        bytes_per_row += bytes / rows + 1;
    }
    (batch_bytes / bytes_per_row.max(1)).clamp(1, limit)
}

/// The same file with some columns read in nanoseconds.
fn in_nanos(metadata: &ArrowReaderMetadata, roots: &[usize]) -> Result<ArrowReaderMetadata> {
    let fields: Vec<Field> = metadata
        .schema()
        .fields()
        .iter()
        .enumerate()
        .map(|(index, field)| {
            let nanos = DataType::Timestamp(TimeUnit::Nanosecond, None);
            let field = field.as_ref().clone();
            if roots.contains(&index) { field.with_data_type(nanos) } else { field }
        })
        .collect();
    let schema = Arc::new(Schema::new_with_metadata(fields, metadata.schema().metadata().clone()));
    ArrowReaderMetadata::try_new(metadata.metadata().clone(), ArrowReaderOptions::new().with_schema(schema))
        .map_err(malformed)
}

/// Both readings of an INT96 wrap around in the same way, so their difference is exactly what microseconds lose.
fn find_lost_digits(coarse: &ArrayRef, exact: &ArrayRef, field: &Field, bad: &mut BadRows) {
    let micros = coarse.as_primitive::<TimestampMicrosecondType>();
    let nanos = exact.as_primitive::<TimestampNanosecondType>();
    for row in (0..micros.len().min(nanos.len())).filter(|row| micros.is_valid(*row)) {
        let lost = nanos.value(row).wrapping_sub(micros.value(row).wrapping_mul(1000));
        if lost != 0 {
            let mut text = String::new();
            levada_core::text::write_timestamp(&mut text, micros.value(row), false);
            let reason = format!("`{text}` and {lost} ns is finer than a microsecond");
            bad.entry(row).or_insert_with(|| (field.name().clone(), reason));
        }
    }
}

fn intervals(column: &ArrayRef) -> ArrayRef {
    let raw = column.as_fixed_size_binary();
    let mut builder = StringBuilder::with_capacity(raw.len(), raw.len() * 8);
    for row in 0..raw.len() {
        let part = |at: usize| {
            let bytes = raw.value(row).get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
            i64::from(u32::from_le_bytes(bytes.unwrap_or_default()))
        };
        if raw.is_null(row) {
            builder.append_null();
        } else {
            builder.append_value(interval_text(part(0), part(4), part(8) * 1_000_000));
        }
    }
    Arc::new(builder.finish())
}
