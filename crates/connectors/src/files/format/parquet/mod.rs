//! Parquet files: what they hold in terms of the closed type set, and reading and writing them in bounded memory.

mod chunks;
mod read;
mod schema;
#[cfg(test)]
mod tests;
mod write;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_schema::SchemaRef;
use levada_core::error::{Context, Error, ErrorKind, Result};
use parquet::errors::ParquetError;

use super::{FileInfo, FileReader, RandomRead, SelfDescribing};
use schema::Layout;
pub(in crate::files) use write::writer;

/// A file whose footer has been read.
pub(in crate::files) struct Parquet {
    file: Arc<dyn RandomRead>,
    layout: Arc<Layout>,
    info: FileInfo,
}

impl Parquet {
    /// Reads the footer.
    pub(in crate::files) fn load(file: Arc<dyn RandomRead>) -> Result<Self> {
        let layout = guarded(|| Layout::load(&file)).at(file.name())?;
        let metadata = layout.metadata.metadata();
        let info = FileInfo {
            schema: layout.schema.clone(),
            rows: u64::try_from(metadata.file_metadata().num_rows()).ok(),
            parts: metadata.num_row_groups().max(1),
        };
        Ok(Self { file, layout: Arc::new(layout), info })
    }
}

impl SelfDescribing for Parquet {
    fn info(&self) -> &FileInfo {
        &self.info
    }

    fn open(&self, parts: Range<usize>, columns: SchemaRef, batch_bytes: usize) -> Result<Box<dyn FileReader>> {
        let rows = || read::Rows::new(self.file.clone(), self.layout.clone(), parts, columns, batch_bytes);
        Ok(Box::new(guarded(rows).at(self.file.name())?))
    }
}

/// Calls the library on outside bytes: where it panics on a malformed file, that is an error of the file.
fn guarded<T>(call: impl FnOnce() -> Result<T>) -> Result<T> {
    let contradicts = || malformed(ParquetError::General("its parts contradict each other".to_owned()));
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| Err(contradicts()))
}

/// What the library says of a file, in our words.
fn malformed(error: ParquetError) -> Error {
    let text = match error {
        ParquetError::General(text)
        | ParquetError::EOF(text)
        | ParquetError::ArrowError(text)
        | ParquetError::NYI(text) => text,
        other => other.to_string(),
    };
    // errors of rows arrive as text, with these words in front
    let text =
        ["Parquet error: ", "EOF: ", "NYI: "].iter().fold(text.as_str(), |text, word| text.trim_start_matches(word));
    if let Some(feature) = text.strip_prefix("Disabled feature at compile time: ") {
        return Error::new(
            ErrorKind::Unsupported,
            format!("the file is compressed with {feature}, which is not supported"),
        )
        .advise("Write it with Zstandard, Snappy, gzip, LZ4 or without compression.");
    }
    Error::new(ErrorKind::Data, format!("the file cannot be read as Parquet: {text}"))
        .advise("Check that it was written to its end, or exclude it from the stream.")
}
