//! What a file format offers, and the formats there are. Everything here is blocking and runs on threads for blocking
//! work; where the bytes come from and go to is the business of the caller.

pub(in crate::files) mod avro;
pub mod cells;
mod columns;
pub mod compress;
pub mod csv;
mod fit;
pub mod json;
mod nested;
pub(in crate::files) mod parquet;
#[cfg(test)]
mod samples;
pub mod values;

use std::io::Write;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use levada_core::batch::Batch;
use levada_core::error::{Error, ErrorKind, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use compress::Compression;

/// What a buffer keeps of its room once its content is written: a huge value may have gone through it.
const BUFFER_BYTES_KEPT: usize = 1 << 20;

/// How the bytes of a file mean rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Comma-separated values, RFC 4180.
    Csv,
    /// The same with tabs.
    Tsv,
    /// One array of objects, or objects one after the other.
    Json,
    /// One object per line.
    Jsonl,
    /// Apache Parquet.
    Parquet,
    /// Apache Avro object container files.
    Avro,
}

impl Format {
    const ENDINGS: [(Format, &'static str); 8] = [
        (Format::Csv, "csv"),
        (Format::Tsv, "tsv"),
        (Format::Tsv, "tab"),
        (Format::Json, "json"),
        (Format::Jsonl, "jsonl"),
        (Format::Jsonl, "ndjson"),
        (Format::Parquet, "parquet"),
        (Format::Avro, "avro"),
    ];

    /// The format that a file's name tells, endings of compression aside.
    pub fn of(name: &str) -> Option<Self> {
        let (_, ending) = Compression::strip(name).rsplit_once('.')?;
        let known = Self::ENDINGS.iter().find(|(_, known)| known.eq_ignore_ascii_case(ending));
        known.map(|(format, _)| *format)
    }

    /// Every ending that tells a format, in words.
    pub fn endings() -> String {
        Self::ENDINGS.map(|(_, ending)| format!("`.{ending}`")).join(", ")
    }

    /// The ending of its files.
    pub fn ending(self) -> &'static str {
        Self::ENDINGS.iter().find(|(format, _)| *format == self).map_or("", |(_, ending)| ending)
    }

    /// Whether its files are text that is parsed into whatever types are asked for.
    pub fn is_text(self) -> bool {
        !matches!(self, Self::Parquet | Self::Avro)
    }
}

/// A file open for reading at any offset, local or in an object store.
pub trait RandomRead: Send + Sync {
    /// The file's name, for messages.
    fn name(&self) -> &str;
    /// Its length in bytes, as it was when it was listed.
    fn len(&self) -> u64;
    /// Fills `buffer` from `offset`; the range lies within the file.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()>;
}

/// What a file says of itself before its rows are read.
pub struct FileInfo {
    /// Its columns in the closed type set, with metadata.
    pub schema: SchemaRef,
    /// Its exact or estimated number of rows.
    pub rows: Option<u64>,
    /// How many parts can be read in parallel (row groups, blocks); 1 if it can only be read from the start.
    pub parts: usize,
}

/// Rows of one file, of one part of it, or of what one reader takes of many files.
pub trait FileReader: Send {
    /// The next rows with exactly the columns asked for, or `None` at the end.
    fn next(&mut self) -> Result<Option<Batch>>;
}

/// A file that describes itself and is read at random offsets (Parquet, Avro). What stands in its footer or header has been
/// read once; all of its parts are opened from that.
pub trait SelfDescribing: Send + Sync {
    /// The file's schema and extent.
    fn info(&self) -> &FileInfo;
    /// Opens some parts. A wanted column that the file does not have is NULL in every row.
    fn open(
        &self,
        parts: std::ops::Range<usize>,
        columns: SchemaRef,
        batch_bytes: usize,
    ) -> Result<Box<dyn FileReader>>;
}

/// One file being written; the columns are those of the schema it was opened with.
pub trait FileWriter: Send {
    /// Adds rows.
    fn write(&mut self, batch: &RecordBatch) -> Result<()>;
    /// About how many bytes the file would have if finished now.
    fn size(&self) -> u64;
    /// Writes what is left; the sink has every byte afterwards.
    fn finish(self: Box<Self>) -> Result<()>;
}

/// Where a [`FileWriter`] puts its bytes, in order.
pub type Sink = Box<dyn Write + Send>;

/// Reads what a file says of itself.
pub fn self_describing(format: Format, file: Arc<dyn RandomRead>) -> Result<Arc<dyn SelfDescribing>> {
    match format {
        Format::Parquet => Ok(Arc::new(parquet::Parquet::load(file)?)),
        Format::Avro => Ok(Arc::new(avro::Avro::load(file)?)),
        text => Err(Error::new(ErrorKind::Internal, format!("{} files do not describe themselves", text.ending()))),
    }
}

/// Starts a file of a format.
pub fn writer(
    format: Format,
    sink: Sink,
    schema: &SchemaRef,
    dialect: &csv::Dialect,
    compression: Compression,
) -> Result<Box<dyn FileWriter>> {
    Ok(match format {
        Format::Csv | Format::Tsv => Box::new(csv::CsvWriter::new(sink, schema, dialect.clone(), compression)?),
        Format::Json | Format::Jsonl => Box::new(json::JsonWriter::new(sink, schema, format, compression)?),
        Format::Parquet => parquet::writer(sink, schema.clone())?,
        Format::Avro => avro::writer(sink, schema.clone(), avro::Codec::default())?,
    })
}
