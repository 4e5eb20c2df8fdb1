//! Avro object container files: what they hold in terms of the closed type set, and reading and writing them block by
//! block (Apache Avro 1.12 specification, "Object Container Files").

mod codec;
mod cursor;
mod decode;
mod field;
mod read;
mod schema;
#[cfg(test)]
mod tests;
mod write;

use std::ops::Range;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use levada_core::error::{Context, Error, ErrorKind, Result};

use super::{FileInfo, FileReader, RandomRead, SelfDescribing};
pub(in crate::files) use codec::Codec;
use read::Header;
pub(in crate::files) use write::writer;

/// A file is read in parts of about this many bytes.
const PART_BYTES: u64 = 16 << 20;
/// What starts every file.
const MAGIC: &[u8; 4] = b"Obj\x01";
/// No block is read that unpacks to more.
const BLOCK_BYTES_MAX: u64 = if cfg!(test) { 8 << 20 } else { 512 << 20 };
/// No value of a nested column becomes a longer text.
const TEXT_BYTES_MAX: usize = if cfg!(test) { 1 << 20 } else { 256 << 20 };
/// How deep values may nest.
const DEPTH_MAX: usize = 64;

/// A file whose header has been read.
pub(in crate::files) struct Avro {
    file: Arc<dyn RandomRead>,
    header: Arc<Header>,
    info: FileInfo,
}

impl Avro {
    /// Reads the header.
    pub(in crate::files) fn load(file: Arc<dyn RandomRead>) -> Result<Self> {
        let header = Header::load(&file).at(file.name())?;
        let info = FileInfo {
            rows: header.rows_estimate(&file).at(file.name())?,
            schema: header.schema.clone(),
            parts: usize::try_from(file.len().div_ceil(PART_BYTES)).unwrap_or(usize::MAX).max(1),
        };
        Ok(Self { file, header: Arc::new(header), info })
    }
}

impl SelfDescribing for Avro {
    fn info(&self) -> &FileInfo {
        &self.info
    }

    fn open(&self, parts: Range<usize>, columns: SchemaRef, batch_bytes: usize) -> Result<Box<dyn FileReader>> {
        Ok(Box::new(read::Rows::new(self.file.clone(), self.header.clone(), parts, columns, batch_bytes)))
    }
}

/// An error of the file's content.
fn malformed(what: impl AsRef<str>) -> Error {
    Error::new(ErrorKind::Data, format!("the file cannot be read as Avro: {}", what.as_ref()))
        .advise("Check that it was written to its end, or exclude it from the stream.")
}
