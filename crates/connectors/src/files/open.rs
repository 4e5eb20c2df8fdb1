//! Opens one text file for reading: bytes, decompression, encoding, chunks, and which of its columns go where.

use std::io::Read;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use levada_core::error::{Context, Error, ErrorKind, Result};

use super::chunks::{Chunker, Limits};
use super::format::csv::{CsvCutter, Dialect, FileColumns};
use super::format::json::Documents;
use super::format::{Compression, Format};
use super::listing::partitions;
use super::place::{FileMeta, Place};
use super::settings::{Encoding, Settings};

/// How the files of a stream are read.
#[derive(Clone)]
pub struct TextOptions {
    /// CSV, TSV, JSON or JSONL.
    pub format: Format,
    /// The compression, if it is not told by the ending.
    pub compression: Option<Compression>,
    /// The dialect of CSV and TSV.
    pub dialect: Dialect,
    /// Their encoding.
    pub encoding: Encoding,
    /// Sizes of chunks and records.
    pub limits: Limits,
}

impl TextOptions {
    /// From the settings, for one format.
    pub fn new(settings: &Settings, format: Format, chunk_bytes: usize) -> Self {
        Self {
            format,
            compression: settings.compression,
            dialect: Dialect::new(format, &settings.csv),
            encoding: settings.csv.encoding,
            limits: Limits { chunk_bytes, record_bytes_max: settings.record_max.0 },
        }
    }
}

/// A text file being read.
pub struct OpenText {
    /// Its records.
    pub chunker: Chunker,
    /// Its own column names, where the format has a header.
    pub names: Vec<String>,
}

/// Opens a file and reads its header.
pub fn open_text(place: &dyn Place, file: &FileMeta, options: &TextOptions) -> Result<OpenText> {
    let compression = options.compression.unwrap_or_else(|| Compression::of(&file.path));
    let bytes = compression.reader(place.stream(file)?)?;
    let bytes: Box<dyn Read + Send> = match options.encoding {
        Encoding::Utf8 => bytes,
        Encoding::Latin1 => Box::new(Latin1 { inner: bytes, ready: Vec::new(), at: 0 }),
    };
    let mut chunker = Chunker::new(&file.path, bytes, options.limits)?;
    let mut names = Vec::new();
    match options.format {
        Format::Csv | Format::Tsv => {
            chunker.set_cutter(CsvCutter::new(&options.dialect));
            if options.dialect.header {
                names = options.dialect.names(&chunker.first_record()?.bytes).at(file.path.clone())?;
            } else {
                names = chunker.peek_record(|record| options.dialect.names(record)).at(file.path.clone())?;
            }
        }
        Format::Json => {
            let array = chunker.pass(b'[');
            chunker.set_cutter(Documents::new(array));
        }
        _ => {}
    }
    Ok(OpenText { chunker, names })
}

/// Tells for each column of a file which wanted column it fills; columns that the stream does not know are an error, as
/// they would be lost in silence.
pub fn file_columns(names: Vec<String>, path: &str, wanted: &SchemaRef, stream: &SchemaRef) -> Result<FileColumns> {
    let place_of = |name: &str| wanted.fields().iter().position(|field| field.name() == name);
    if let Some(stranger) = names.iter().find(|name| stream.field_with_name(name).is_err()) {
        return Err(Error::new(ErrorKind::Schema, format!("the column `{stranger}` is not one of the stream's"))
            .at(path)
            .advise(
                "The file may have changed since its columns were read; run again, or read it as a stream of its own.",
            ));
    }
    let constants = partitions(path).into_iter().filter(|(key, _)| !names.contains(key));
    let constants = constants.filter_map(|(key, value)| Some((place_of(&key)?, value))).collect();
    let slots = names.iter().map(|name| place_of(name)).collect();
    Ok(FileColumns { file: path.to_owned(), names, slots, constants })
}

/// ISO 8859-1 as UTF-8.
struct Latin1 {
    inner: Box<dyn Read + Send>,
    ready: Vec<u8>,
    at: usize,
}

impl Read for Latin1 {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.at == self.ready.len() {
            let mut bytes = [0; 16 << 10];
            let read = self.inner.read(&mut bytes)?;
            self.ready.clear();
            self.at = 0;
            for byte in &bytes[..read] {
                let mut utf8 = [0; 4];
                self.ready.extend_from_slice(char::from(*byte).encode_utf8(&mut utf8).as_bytes());
            }
        }
        let take = buffer.len().min(self.ready.len() - self.at);
        buffer[..take].copy_from_slice(&self.ready[self.at..self.at + take]);
        self.at += take;
        Ok(take)
    }
}

/// The text parser of one reader.
pub enum TextParser {
    /// For CSV and TSV.
    Csv(super::format::csv::Parser),
    /// For JSON and JSONL.
    Json(super::format::json::Parser),
}

impl TextParser {
    /// Parses a chunk.
    pub fn parse(
        &mut self,
        file: &Arc<FileColumns>,
        chunk: &super::chunks::Chunk,
    ) -> Result<levada_core::batch::Batch> {
        match self {
            Self::Csv(parser) => parser.parse(file, chunk),
            Self::Json(parser) => parser.parse(file, chunk),
        }
    }
}
