//! Reads streams of files. Every reader takes the next file of the stream while there are any, and then helps with the
//! files that others have open: a big file is parsed by all readers, many small ones are read side by side.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arrow_array::{ArrayRef, BooleanArray, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use futures_util::future::BoxFuture;
use levada_core::batch::{Batch, Data, Reject};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::schema::NATIVE;
use levada_core::source::{Extract, OVERLAP_COLUMN, ReadMode, ReadRequest, Reader, Source, StreamInfo};

use super::chunks::{Chunk, Chunker, Piece};
use super::columnar::ColumnarShared;
use super::discover::{describe, format};
use super::format::Format;
use super::format::csv::{self, FileColumns, GUESSED};
use super::format::json;
use super::listing::{self, FileSet};
use super::open::{TextOptions, TextParser, file_columns, open_text};
use super::place::{self, FileMeta, Opened, Place};
use super::position::Seen;
use super::settings::Settings;
use super::{Files, blocking};

impl Source for Files {
    fn discover<'a>(&'a self, selector: Option<&'a str>) -> BoxFuture<'a, Result<Vec<StreamInfo>>> {
        let (settings, selector) = (self.settings.clone(), selector.map(str::to_owned));
        blocking(move || {
            let root = place::open(&settings)?;
            let sets = listing::find(&root, selector.as_deref(), settings.format)?;
            sets.iter().map(|set| describe(root.place.as_ref(), set, &settings)).collect()
        })
    }

    fn read<'a>(&'a self, request: ReadRequest) -> BoxFuture<'a, Result<Extract>> {
        let settings = self.settings.clone();
        blocking(move || read(&settings, &request))
    }
}

fn read(settings: &Arc<Settings>, request: &ReadRequest) -> Result<Extract> {
    let root = place::open(settings)?;
    let name = &request.stream.name;
    let mut sets = listing::find(&root, Some(name), settings.format)?;
    let Some(mut set) = (if sets.is_empty() { None } else { Some(sets.remove(0)) }) else {
        return Err(listing::missing(&root, name));
    };
    let format = format(&set, settings)?;
    let mut warnings = Vec::new();
    let (seen, overlap) = match &request.mode {
        ReadMode::Full => (None, false),
        ReadMode::Incremental { cursor: Some(cursor), .. } => {
            return Err(Error::new(ErrorKind::Config, format!("files have no cursor, but `{cursor}` is given"))
                .at(name.clone())
                .advise("Leave the cursor out: new and changed files are told by time, name and size."));
        }
        ReadMode::Incremental { from, mark_overlap, .. } => (Some(Seen::parse(from.as_ref())?), *mark_overlap),
    };
    if root.place.shows_unfinished() && set.manifest.is_none() {
        at_rest(&root, &mut set, settings, seen.is_some(), &mut warnings)?;
    }
    let position = seen.clone().unwrap_or_default().after(&set.files).position();
    let mut files = std::mem::take(&mut set.files);
    if let Some(seen) = &seen {
        files.retain(|file| !seen.has(file));
    }
    let readers = if format.is_text() {
        text_readers(settings, &root, &set, files, request, format, overlap)?
    } else {
        ColumnarShared::readers(root.place, files, request, format, overlap)?
    };
    Ok(Extract { readers, position, warnings })
}

/// Leaves out files that are still being written: young ones are looked at again once they should be at rest.
fn at_rest(
    root: &Opened,
    set: &mut FileSet,
    settings: &Settings,
    may_wait: bool,
    warnings: &mut Vec<String>,
) -> Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64);
    let settle = settings.settle_ms as i64 * 1000;
    let young = |file: &&FileMeta| now - file.modified_us < settle;
    let Some(wait) = set.files.iter().filter(young).map(|f| settle - (now - f.modified_us)).max() else {
        return Ok(());
    };
    std::thread::sleep(Duration::from_micros(wait.clamp(0, settle).unsigned_abs()));
    let mut unfinished = Vec::new();
    for file in set.files.iter().filter(young) {
        if root.place.look(&file.path)?.as_ref() != Some(file) {
            unfinished.push(file.path.clone());
        }
    }
    if let Some(first) = unfinished.first() {
        if !may_wait {
            return Err(Error::new(ErrorKind::Busy, format!("`{first}` is still being written"))
                .at(root.place.address())
                .advise("Run again when the file is complete."));
        }
        warnings.push(format!(
            "{} still being written, left for the next run: {}",
            unfinished.len(),
            unfinished.join(", ")
        ));
        set.files.retain(|file| !unfinished.contains(&file.path));
    }
    Ok(())
}

fn text_readers(
    settings: &Arc<Settings>,
    root: &Opened,
    set: &FileSet,
    files: Vec<FileMeta>,
    request: &ReadRequest,
    format: Format,
    overlap: bool,
) -> Result<Vec<Box<dyn Reader>>> {
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
        let work = TextWork { shared: shared.clone(), number, parser, overlap };
        Ok(Box::new(TextReader { work: Some(work) }) as Box<dyn Reader>)
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

struct TextWork {
    shared: Arc<TextShared>,
    number: usize,
    parser: TextParser,
    overlap: bool,
}

impl TextWork {
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
        Ok(Some(if self.overlap { marked(batch)? } else { batch }))
    }
}

/// Files have no overlap: what was read once is not read again.
pub fn marked(mut batch: Batch) -> Result<Batch> {
    if let Data::Arrow(rows) = &batch.data {
        let mut fields: Vec<Field> = rows.schema().fields().iter().map(|f| f.as_ref().clone()).collect();
        fields.push(Field::new(OVERLAP_COLUMN, DataType::Boolean, false));
        let mut columns = rows.columns().to_vec();
        columns.push(Arc::new(BooleanArray::from(vec![false; rows.num_rows()])) as ArrayRef);
        let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
            .map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
        batch.data = Data::Arrow(rows);
    }
    Ok(batch)
}

struct TextReader {
    work: Option<TextWork>,
}

impl Reader for TextReader {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Batch>>> {
        Box::pin(async move {
            let Some(mut work) = self.work.take() else { return Ok(None) };
            let (work, batch) = blocking(move || {
                let batch = work.next();
                Ok((work, batch))
            })
            .await?;
            let batch = batch?;
            if batch.is_some() {
                self.work = Some(work);
            }
            Ok(batch)
        })
    }
}
