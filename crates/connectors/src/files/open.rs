//! Opens one text file for reading: bytes, decompression, encoding, chunks or ranges, and which of its columns go where.

use std::io::{BufReader, Read};
use std::sync::Arc;

use arrow_schema::SchemaRef;
use levada_core::error::{Context, Error, ErrorKind, Result};

use super::borders::Rules;
use super::chunks::{Chunk, Chunker, Limits};
use super::format::csv::{CsvCutter, Dialect, FileColumns};
use super::format::json::Documents;
use super::format::{Compression, Format, RandomRead};
use super::listing::partitions;
use super::place::{FileMeta, Place};
use super::ranges::{Ranges, Start};
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

/// What is read of a file at first to find its header.
const HEAD_BYTES: usize = 64 << 10;

impl TextOptions {
    fn compression_of(&self, file: &FileMeta) -> Compression {
        self.compression.unwrap_or_else(|| Compression::of(&file.path))
    }

    /// Where records end in files that can be read from any place on: those whose records are told from lines and quotes. A
    /// compressed file can only be read from its start, and a file of one range is not worth a second request.
    fn rules(&self, file: &FileMeta) -> Option<Rules> {
        if self.compression_of(file) != Compression::None || file.size <= self.limits.chunk_bytes as u64 {
            return None;
        }
        let quote = match self.format {
            Format::Csv | Format::Tsv => Some(self.dialect.quote),
            Format::Jsonl => None,
            _ => return None,
        };
        Some(Rules { delimiter: self.dialect.delimiter, quote })
    }
}

/// A text file being read from its start.
pub struct OpenText {
    /// Its records.
    pub chunker: Chunker,
    /// Its own column names, where the format has a header.
    pub names: Vec<String>,
    /// How many bytes of the file lie before the first record.
    head_bytes: u64,
}

/// Opens a file and reads its header.
pub fn open_text(place: &dyn Place, file: &FileMeta, options: &TextOptions) -> Result<OpenText> {
    open_bytes(options.compression_of(file).reader(place.stream(file)?)?, file, options)
}

fn open_bytes(bytes: Box<dyn Read + Send>, file: &FileMeta, options: &TextOptions) -> Result<OpenText> {
    let bytes: Box<dyn Read + Send> = match options.encoding {
        Encoding::Utf8 => bytes,
        Encoding::Latin1 => Box::new(Latin1 { inner: bytes, ready: Vec::new(), at: 0 }),
    };
    let mut chunker = Chunker::new(&file.path, bytes, options.limits)?;
    let mut names = Vec::new();
    let mut head_bytes = chunker.mark_bytes();
    match options.format {
        Format::Csv | Format::Tsv => {
            chunker.set_cutter(CsvCutter::new(&options.dialect));
            if options.dialect.header {
                let header = chunker.first_record()?;
                names = options.dialect.names(header.bytes()).at(file.path.clone())?;
                head_bytes += match options.encoding {
                    Encoding::Utf8 => header.bytes().len(),
                    // one byte of the file is one character
                    Encoding::Latin1 => String::from_utf8_lossy(header.bytes()).chars().count(),
                };
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
    Ok(OpenText { chunker, names, head_bytes: head_bytes as u64 })
}

/// Opens a file to be read in ranges, where it can be, and reads its header. Its records are in the encoding of the file.
pub fn open_ranges(place: &dyn Place, file: &FileMeta, options: &TextOptions) -> Result<Option<(Ranges, Vec<String>)>> {
    let Some(rules) = options.rules(file) else { return Ok(None) };
    let random = place.random(file)?;
    let head = BufReader::with_capacity(HEAD_BYTES, FromStart { file: random.clone(), at: 0 });
    let open = open_bytes(Box::new(head), file, options)?;
    let start = Start { offset: open.head_bytes, line: open.chunker.line() };
    Ok(Some((Ranges::new(random, rules, options.limits, start), open.names)))
}

/// A file that is read at any place, from its start on.
struct FromStart {
    file: Arc<dyn RandomRead>,
    at: u64,
}

impl Read for FromStart {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let left = usize::try_from(self.file.len() - self.at).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        self.file.read_at(self.at, &mut buffer[..length]).map_err(std::io::Error::other)?;
        self.at += length as u64;
        Ok(length)
    }
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

/// A stream of ISO 8859-1 as one of UTF-8.
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
            self.at = 0;
            self.ready = latin1(&bytes[..read]);
        }
        let take = buffer.len().min(self.ready.len() - self.at);
        buffer[..take].copy_from_slice(&self.ready[self.at..self.at + take]);
        self.at += take;
        Ok(take)
    }
}

/// Records in the encoding of their file as UTF-8.
pub fn decoded(chunk: Chunk, encoding: Encoding) -> Chunk {
    match encoding {
        Encoding::Utf8 => chunk,
        Encoding::Latin1 => Chunk::new(latin1(chunk.bytes()), chunk.line),
    }
}

/// ISO 8859-1 as UTF-8.
pub fn latin1(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| char::from(*byte)).collect::<String>().into_bytes()
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
    pub fn parse(&mut self, file: &Arc<FileColumns>, chunk: &Chunk) -> Result<levada_core::batch::Batch> {
        match self {
            Self::Csv(parser) => parser.parse(file, chunk),
            Self::Json(parser) => parser.parse(file, chunk),
        }
    }
}
