//! Reads streams of text files. Every reader takes the next file of the stream while there are any, and then helps with the
//! files that others have open: a big file is fetched and parsed by all readers, many small ones are read side by side. What can
//! only be read from its start (compressed files, JSON documents) is fetched by one reader at a time, and parsed by all.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_schema::{Field, SchemaRef};
use levada_core::batch::Batch;
use levada_core::error::Result;
use levada_core::schema::NATIVE;
use levada_core::source::ReadRequest;

use super::chunks::{Chunk, Chunker, Piece};
use super::format::csv::{self, FileColumns, GUESSED};
use super::format::json;
use super::format::{FileReader, Format};
use super::listing::FileSet;
use super::open::{TextOptions, TextParser, decoded, file_columns, latin1, open_ranges, open_text};
use super::place::{FileMeta, Opened, Place};
use super::ranges::{Ranges, Records};
use super::settings::{Encoding, Settings};

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
    let record_bytes_max = options.limits.record_bytes_max;
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
                let dialect = shared.options.dialect.clone();
                TextParser::Csv(csv::Parser::new(wanted, exact.clone(), dialect, record_bytes_max)?)
            }
            _ => {
                let layout = if format == Format::Json { json::Objects::Documents } else { json::Objects::Lines };
                let keeps_null = set.manifest.is_some();
                TextParser::Json(json::Parser::new(wanted, known.clone(), layout, keeps_null, record_bytes_max)?)
            }
        };
        Ok(Box::new(TextReader { shared: shared.clone(), number, parser }) as Box<dyn FileReader>)
    });
    readers.collect()
}

/// A text file that readers share.
struct SharedFile {
    cut: Cut,
    columns: Arc<FileColumns>,
}

/// How a file is taken apart.
enum Cut {
    /// From its start, by one reader at a time.
    Chunks(Mutex<Chunker>),
    /// By all readers at once, each in another place.
    Ranges(Ranges),
}

struct TextShared {
    place: Arc<dyn Place>,
    options: TextOptions,
    wanted: SchemaRef,
    stream: SchemaRef,
    queue: Mutex<VecDeque<FileMeta>>,
    /// One place per reader for the file it opened.
    open: Vec<Mutex<Option<Arc<SharedFile>>>>,
}

impl TextShared {
    /// The next records for a reader: of its own file, of a new file, or of another reader's file.
    fn next(&self, number: usize) -> Result<Option<(Arc<FileColumns>, Records)>> {
        let count = self.open.len();
        for other in 0..count {
            let slot = &self.open[(number + other) % count];
            let mut over = None;
            while let Some(file) = self.file_in(slot, over.as_ref())? {
                if let Some(records) = self.records(&file)? {
                    return Ok(Some((file.columns.clone(), records)));
                }
                over = Some(file);
            }
        }
        Ok(None)
    }

    /// The file in a slot; the next one of the stream where there is none yet, or it is the one that is over.
    fn file_in(
        &self,
        slot: &Mutex<Option<Arc<SharedFile>>>,
        over: Option<&Arc<SharedFile>>,
    ) -> Result<Option<Arc<SharedFile>>> {
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.as_ref().zip(over).is_some_and(|(file, over)| Arc::ptr_eq(file, over)) {
            *slot = None;
        }
        if slot.is_none() {
            let next = self.queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            *slot = next.map(|file| self.open_file(&file)).transpose()?.map(Arc::new);
        }
        Ok(slot.clone())
    }

    fn open_file(&self, file: &FileMeta) -> Result<SharedFile> {
        // For one reader alone a single stream of bytes is the shortest way.
        let ranges = match self.open.len() {
            1 => None,
            _ => open_ranges(self.place.as_ref(), file, &self.options)?,
        };
        let (cut, names) = match ranges {
            Some((ranges, names)) => (Cut::Ranges(ranges), names),
            None => {
                let text = open_text(self.place.as_ref(), file, &self.options)?;
                (Cut::Chunks(Mutex::new(text.chunker)), text.names)
            }
        };
        let columns = file_columns(names, &file.path, &self.wanted, &self.stream)?;
        Ok(SharedFile { cut, columns: Arc::new(columns) })
    }

    /// The next records of a file, in UTF-8.
    fn records(&self, file: &SharedFile) -> Result<Option<Records>> {
        match &file.cut {
            Cut::Chunks(chunker) => {
                let piece = chunker.lock().unwrap_or_else(PoisonError::into_inner).next()?;
                Ok(piece.map(|piece| match piece {
                    Piece::Chunk(chunk) => Records { chunk: Some(chunk), too_long: None },
                    Piece::TooLong(too_long) => Records { chunk: None, too_long: Some(too_long) },
                }))
            }
            Cut::Ranges(ranges) => {
                let Some(mut records) = ranges.next()? else { return Ok(None) };
                let encoding = self.options.encoding;
                records.chunk = records.chunk.map(|chunk| decoded(chunk, encoding));
                if let (Encoding::Latin1, Some(too_long)) = (encoding, &mut records.too_long) {
                    too_long.start = latin1(&too_long.start);
                }
                Ok(Some(records))
            }
        }
    }
}

struct TextReader {
    shared: Arc<TextShared>,
    number: usize,
    parser: TextParser,
}

impl FileReader for TextReader {
    fn next(&mut self) -> Result<Option<Batch>> {
        let Some((columns, records)) = self.shared.next(self.number)? else { return Ok(None) };
        let chunk = records.chunk.unwrap_or_else(|| Chunk::new(Vec::new(), 1));
        let mut batch = self.parser.parse(&columns, &chunk)?;
        if let Some(too_long) = records.too_long {
            let limit = self.shared.options.limits.record_bytes_max;
            batch.rejects.insert(0, too_long.reject(&columns.file, limit));
        }
        Ok(Some(batch))
    }
}
