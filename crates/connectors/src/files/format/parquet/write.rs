//! Writing Parquet: row groups small enough for memory and parallel reading, the Arrow schema embedded so that every type
//! and its origin come back, and the annotations other readers look for.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::schema::{LOGICAL, Logical, NATIVE};
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::basic::{Compression as Codec, LogicalType, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::{ColumnPath, SchemaDescriptor, Type};

use super::super::{FileWriter, Sink};

const ROW_GROUP_BYTES: usize = 10 << 20;
const ROW_GROUP_ROWS: usize = 1 << 20;
/// Rows in a page at most.
const PAGE_ROWS: usize = 32 << 10;
/// Shared by the columns of a file: what their unfinished pages may take together.
const PAGES_BYTES: usize = 16 << 20;
/// A column whose values are longer in the mean gets no dictionary and no statistics.
const LONG_VALUE_BYTES: usize = 1 << 10;

/// The library keeps one Zstandard context per column, of some 150 KiB each; wider tables are compressed with Snappy.
const ZSTD_COLUMNS_MAX: usize = 200;

/// Starts a file. Its columns are of the closed type set.
///
/// # Errors
/// `Unsupported` for a table without columns, `Full` and `Io` from the sink.
pub(in crate::files) fn writer(sink: Sink, schema: SchemaRef) -> Result<Box<dyn FileWriter>> {
    let is_wide = schema.fields().len() > ZSTD_COLUMNS_MAX;
    // the default level is 1
    let codec = if is_wide { Codec::SNAPPY } else { Codec::ZSTD(ZstdLevel::default()) };
    compressed(sink, schema, codec)
}

/// The same with pages of any compression.
pub(super) fn compressed(sink: Sink, schema: SchemaRef, codec: Codec) -> Result<Box<dyn FileWriter>> {
    if schema.fields().is_empty() {
        return Err(Error::new(ErrorKind::Unsupported, "Parquet cannot hold rows without columns")
            .advise("Include at least one column, or leave the stream out."));
    }
    let fields: Vec<Field> = schema.fields().iter().map(|field| own_metadata(field)).collect();
    Ok(Box::new(Rows { schema: Arc::new(Schema::new(fields)), codec, state: State::Waiting(sink) }))
}

struct Rows {
    schema: SchemaRef,
    codec: Codec,
    state: State,
}

/// The file is started with the first rows: how columns are best encoded shows in them.
enum State {
    Waiting(Sink),
    Started(Box<ArrowWriter<Sink>>),
    Failed,
}

impl Rows {
    fn started(&mut self, first: &RecordBatch) -> Result<&mut ArrowWriter<Sink>> {
        if let State::Waiting(_) = self.state
            && let State::Waiting(sink) = std::mem::replace(&mut self.state, State::Failed)
        {
            let options = ArrowWriterOptions::new()
                .with_properties(properties(first, self.codec)?)
                .with_parquet_schema(annotated(&self.schema).map_err(failed)?);
            let writer = ArrowWriter::try_new_with_options(sink, self.schema.clone(), options).map_err(failed)?;
            self.state = State::Started(Box::new(writer));
        }
        match &mut self.state {
            State::Started(writer) => Ok(writer),
            _ => Err(Error::new(ErrorKind::Internal, "the Parquet file could not be started")),
        }
    }
}

impl FileWriter for Rows {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), batch.columns().to_vec(), &options)
            .map_err(|error| Error::new(ErrorKind::Internal, format!("rows do not fit the file's columns: {error}")))?;
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.started(&batch)?.write(&batch).map_err(failed)
    }

    fn size(&self) -> u64 {
        match &self.state {
            State::Started(writer) => (writer.bytes_written() + writer.in_progress_size()) as u64,
            _ => 0,
        }
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.started(&RecordBatch::new_empty(self.schema.clone()))?;
        let State::Started(writer) = self.state else {
            return Err(Error::new(ErrorKind::Internal, "the Parquet file could not be started"));
        };
        let mut sink = writer.into_inner().map_err(failed)?;
        Ok(sink.flush()?)
    }
}

/// What the file remembers of a column: what comes back when it is read, and nothing of other systems.
fn own_metadata(field: &Field) -> Field {
    let kept = |key: &str| field.metadata().get(key).map(|value| (key.to_owned(), value.clone()));
    let metadata: HashMap<String, String> = [NATIVE, LOGICAL].into_iter().filter_map(kept).collect();
    Field::new(field.name(), field.data_type().clone(), field.is_nullable()).with_metadata(metadata)
}

fn properties(first: &RecordBatch, codec: Codec) -> Result<WriterProperties> {
    let schema = first.schema();
    let page_bytes = (PAGES_BYTES / schema.fields().len()).clamp(8 << 10, 1 << 20);
    let mut builder = WriterProperties::builder()
        .set_created_by(format!("levada {}", env!("CARGO_PKG_VERSION")))
        .set_compression(codec)
        .set_data_page_size_limit(page_bytes)
        // until its page is full, each value of a dictionary column takes eight bytes of memory
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_dictionary_page_size_limit(page_bytes.min(256 << 10))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .set_statistics_enabled(EnabledStatistics::Chunk);
    for (field, column) in schema.fields().iter().zip(first.columns()) {
        let path = || ColumnPath::from(vec![field.name().clone()]);
        let long = value_bytes(column) > LONG_VALUE_BYTES;
        // values that hardly ever repeat
        if long
            || matches!(field.data_type(), DataType::FixedSizeBinary(_))
            || Logical::of(field) == Some(Logical::Json)
        {
            builder = builder.set_column_dictionary_enabled(path(), false);
        }
        // the least and greatest value are kept whole in memory
        if long {
            builder = builder.set_column_statistics_enabled(path(), EnabledStatistics::None);
        }
    }
    Ok(builder.build())
}

/// The mean length of the values of a text or bytes column.
fn value_bytes(column: &ArrayRef) -> usize {
    let offsets = match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value_offsets(),
        DataType::Binary => column.as_binary::<i32>().value_offsets(),
        _ => return 0,
    };
    let total = offsets.last().zip(offsets.first()).map_or(0, |(last, first)| last - first);
    usize::try_from(total).unwrap_or(0) / column.len().max(1)
}

/// The file's own schema, in which UUIDs and JSON documents say so.
fn annotated(schema: &Schema) -> std::result::Result<SchemaDescriptor, ParquetError> {
    let plain = ArrowSchemaConverter::new().convert(schema)?;
    let root = plain.root_schema();
    let mut fields = Vec::with_capacity(root.get_fields().len());
    for (of_file, field) in root.get_fields().iter().zip(schema.fields()) {
        let annotation = match field.data_type() {
            DataType::FixedSizeBinary(16) => Some(LogicalType::Uuid),
            DataType::Utf8 if Logical::of(field) == Some(Logical::Json) => Some(LogicalType::Json),
            _ => None,
        };
        let Some(annotation) = annotation else {
            fields.push(of_file.clone());
            continue;
        };
        let length = if annotation == LogicalType::Uuid { 16 } else { -1 };
        let built = Type::primitive_type_builder(of_file.name(), of_file.get_physical_type())
            .with_repetition(of_file.get_basic_info().repetition())
            .with_logical_type(Some(annotation))
            .with_length(length)
            .build()?;
        fields.push(Arc::new(built));
    }
    let root = Type::group_type_builder(root.name()).with_fields(fields).build()?;
    Ok(SchemaDescriptor::new(Arc::new(root)))
}

/// What the library says of writing; an error of the sink keeps its kind.
fn failed(error: ParquetError) -> Error {
    match error {
        ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
            Ok(io) => Error::from(*io),
            Err(other) => Error::new(ErrorKind::Io, format!("the Parquet file cannot be written: {other}")),
        },
        other => Error::new(ErrorKind::Internal, format!("the Parquet file cannot be written: {other}")),
    }
}
