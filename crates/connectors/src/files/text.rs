//! Reads streams of text files. Every reader takes the next file of the stream while there are any, and then helps with the
//! files that others have open: a big file is parsed by all readers, many small ones are read side by side.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_schema::{Field, SchemaRef};
use levada_core::batch::{Batch, Reject};
use levada_core::error::Result;
use levada_core::schema::NATIVE;
use levada_core::source::ReadRequest;

use super::chunks::{Chunk, Chunker, Piece};
use super::format::csv::{self, FileColumns, GUESSED};
use super::format::json;
use super::format::{FileReader, Format};
use super::listing::FileSet;
use super::open::{TextOptions, TextParser, file_columns, open_text};
use super::place::{FileMeta, Opened, Place};
use super::settings::Settings;

/// The readers of a stream of text files.
pub fn readers(
    settings: &Arc<Settings>,
    root: &Opened,
    set: &FileSet,
    files: Vec<FileMeta>,
    request: &ReadRequest,
    format: Format,
) -> Result<Vec<Box<dyn FileReader>>> {
    let stream = &request.stream.schema;
    let guessed = |field: &Field| {
        let known = stream.field_with_name(field.name()).ok();
        known.is_some_and(|known| {
            known.data_type() == field.data_type() && known.metadata().get(NATIVE).is_some_and(|n| n == GUESSED)
        })
    };
    let exact: Vec<bool> = request.columns.fields().iter().map(|field| guessed(field)).collect();
    let known: HashSet<String> = stream.fields().iter().map(|field| field.name().clone()).collect();
    let bytes: u64 = files.iter().map(|file| file.size).sum();
    // More readers than there are chunks would only wait.
    let chunk_bytes = request.batch_bytes.clamp(64 << 10, 16 << 20);
    let useful = usize::try_from(bytes / chunk_bytes as u64 + 1).unwrap_or(usize::MAX).max(files.len().min(16));
    let count = request.readers.clamp(1, useful.max(1));
    let options = TextOptions::new(settings, format, chunk_bytes);
    let shared = Arc::new(TextShared {
        place: root.place.clone(),
        options,
        wanted: request.columns.clone(),
        stream: stream.clone(),
        queue: Mutex::new(files.into()),
        open: (0..count).map(|_| Mutex::new(None)).collect(),
    });
    let readers = (0..count).map(|number| {
        let wanted = request.columns.clone();
        let parser = match format {
            Format::Csv | Format::Tsv => {
                TextParser::Csv(csv::Parser::new(wanted, exact.clone(), shared.options.dialect.clone())?)
            }
            _ => {
                let layout = if format == Format::Json { json::Objects::Documents } else { json::Objects::Lines };
                TextParser::Json(json::Parser::new(wanted, known.clone(), layout, set.manifest.is_some())?)
            }
        };
        Ok(Box::new(TextReader { shared: shared.clone(), number, parser }) as Box<dyn FileReader>)
    });
    readers.collect()
}

/// A text file that readers share.
struct SharedFile {
    chunker: Chunker,
    columns: Arc<FileColumns>,
}

struct TextShared {
    place: Arc<dyn Place>,
    options: TextOptions,
    wanted: SchemaRef,
    stream: SchemaRef,
    queue: Mutex<VecDeque<FileMeta>>,
    /// One place per reader for the file it opened.
    open: Vec<Mutex<Option<SharedFile>>>,
}

impl TextShared {
    /// The next piece for a reader: of its own file, of a new file, or of another reader's file.
    fn next(&self, number: usize) -> Result<Option<(Arc<FileColumns>, Piece)>> {
        let count = self.open.len();
        for other in 0..count {
            let mut open = self.open[(number + other) % count].lock().unwrap_or_else(PoisonError::into_inner);
            loop {
                if let Some(file) = open.as_mut() {
                    if let Some(piece) = file.chunker.next()? {
                        return Ok(Some((file.columns.clone(), piece)));
                    }
                    *open = None;
                }
                let next = self.queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                match next {
                    Some(file) => *open = Some(self.open_file(&file)?),
                    None => break,
                }
            }
        }
        Ok(None)
    }

    fn open_file(&self, file: &FileMeta) -> Result<SharedFile> {
        let text = open_text(self.place.as_ref(), file, &self.options)?;
        let columns = file_columns(text.names, &file.path, &self.wanted, &self.stream)?;
        Ok(SharedFile { chunker: text.chunker, columns: Arc::new(columns) })
    }
}

struct TextReader {
    shared: Arc<TextShared>,
    number: usize,
    parser: TextParser,
}

impl FileReader for TextReader {
    fn next(&mut self) -> Result<Option<Batch>> {
        let Some((columns, piece)) = self.shared.next(self.number)? else { return Ok(None) };
        let batch = match piece {
            Piece::Chunk(chunk) => self.parser.parse(&columns, &chunk)?,
            Piece::TooLong(line, start) => {
                let mut batch = self.parser.parse(&columns, &Chunk { bytes: Vec::new(), line })?;
                let limit = self.shared.options.limits.record_bytes_max;
                batch.rejects.push(Reject {
                    row: serde_json::json!({ "record": String::from_utf8_lossy(&start) }).to_string(),
                    column: None,
                    reason: format!(
                        "{} line {line}: the record is longer than {limit} bytes (`record_max`)",
                        columns.file
                    ),
                });
                batch
            }
        };
        Ok(Some(batch))
    }
}
