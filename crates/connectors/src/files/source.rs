//! Reads streams of files: which files are read, and from which position on. How their bytes become rows is the business
//! of `text` and `columnar`.

use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arrow_array::{ArrayRef, BooleanArray, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use futures_util::future::BoxFuture;
use levada_core::batch::{Batch, Data};
use levada_core::connector::FoundFile;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::source::{Extract, OVERLAP_COLUMN, ReadMode, ReadRequest, Reader, Source, StreamInfo};

use super::discover::{describe, format};
use super::format::FileReader;
use super::listing;
use super::place::{self, FileMeta, Opened};
use super::position::Seen;
use super::settings::Settings;
use super::{Files, blocking, columnar, text};

impl Source for Files {
    fn discover<'a>(&'a self, selector: Option<&'a str>) -> BoxFuture<'a, Result<Vec<StreamInfo>>> {
        let (settings, selector) = (self.settings.clone(), selector.map(str::to_owned));
        blocking(move || {
            let root = place::open(&settings)?;
            let sets = listing::find(&root, selector.as_deref(), settings.format)?;
            if let (true, None, Some(name)) = (sets.is_empty(), &selector, &root.single) {
                return Err(listing::missing(&root, name));
            }
            sets.iter().map(|set| describe(root.place.as_ref(), set, &settings)).collect()
        })
    }

    fn check_cursor(&self, column: &Field, _lag: Option<&str>) -> Result<()> {
        Err(no_cursor(column.name()))
    }

    fn needs_cursor(&self, _stream: &str) -> bool {
        false
    }

    fn read<'a>(&'a self, request: ReadRequest) -> BoxFuture<'a, Result<Extract>> {
        let settings = self.settings.clone();
        blocking(move || read(&settings, &request))
    }
}

fn no_cursor(column: &str) -> Error {
    Error::new(ErrorKind::Config, format!("files have no cursor, but `{column}` is given"))
        .advise("Leave the cursor out: new and changed files are told by time, name and size.")
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
        ReadMode::Incremental { cursor: Some(cursor), .. } => return Err(no_cursor(cursor).at(name.clone())),
        ReadMode::Incremental { from, mark_overlap, .. } => (Some(Seen::parse(from.as_ref())?), *mark_overlap),
    };
    if root.place.shows_unfinished() && set.manifest.is_none() {
        let unfinished = unfinished(&root, &set.files, settings)?;
        if let (Some(first), None) = (unfinished.first(), &seen) {
            return Err(Error::new(ErrorKind::Busy, format!("`{first}` is still being written"))
                .at(root.place.address())
                .advise("Run again when the file is complete."));
        }
        if !unfinished.is_empty() {
            let (count, names) = (unfinished.len(), unfinished.join(", "));
            warnings.push(format!("{count} still being written, left for the next run: {names}"));
            set.files.retain(|file| !unfinished.contains(&file.path));
        }
    }
    let position = seen.clone().unwrap_or_default().after(&set.files).position();
    let mut files = std::mem::take(&mut set.files);
    let mut again = Vec::new();
    if let Some(seen) = &seen {
        warnings.extend(seen.overlooked(&files));
        files.retain(|file| !seen.has(file));
        again.extend(files.iter().filter(|file| seen.had(file)).map(|file| file.path.clone()));
    }
    let readers = if format.is_text() {
        text::readers(settings, &root, &set, files, request, format)?
    } else {
        columnar::readers(root.place, files, request, format)
    };
    let readers =
        readers.into_iter().map(|rows| Box::new(FilesReader { rows: Some(rows), overlap }) as Box<dyn Reader>);
    Ok(Extract { readers: readers.collect(), position, warnings, again })
}

/// The files that match, without those that are still being written.
pub fn list(settings: &Settings, path: &str) -> Result<Vec<FoundFile>> {
    let root = place::open(settings)?;
    let mut files = listing::matching(&root, path)?;
    if root.place.shows_unfinished() {
        let unfinished = unfinished(&root, &files, settings)?;
        files.retain(|file| !unfinished.contains(&file.path));
    }
    Ok(files.into_iter().map(found).collect())
}

/// A file by its path, and its bytes. Hidden files are none: programs keep their own things in them.
pub fn open(settings: &Settings, path: &str) -> Result<(FoundFile, Box<dyn Read + Send>)> {
    let root = place::open(settings)?;
    let path = place::checked(path)?;
    let is_hidden = path.split('/').any(|part| part.starts_with('.'));
    let is_within = root.single.as_deref().is_none_or(|single| single == path);
    let file = if is_within && !is_hidden { root.place.look(path)? } else { None };
    let Some(file) = file else {
        let error = Error::new(ErrorKind::NotFound, format!("there is no file `{path}`"));
        return Err(error.at(root.place.address()));
    };
    let bytes = root.place.stream(&file)?;
    Ok((found(file), bytes))
}

/// A file as connections tell of it.
pub fn found(file: FileMeta) -> FoundFile {
    let mut modified = String::new();
    levada_core::text::write_timestamp(&mut modified, file.modified_us, true);
    FoundFile { path: file.path, bytes: file.size, modified }
}

/// The files that are still being written: young ones are looked at again once they should be at rest.
fn unfinished(root: &Opened, files: &[FileMeta], settings: &Settings) -> Result<Vec<String>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64);
    let settle = settings.settle_ms as i64 * 1000;
    let young = |file: &&FileMeta| now - file.modified_us < settle;
    let Some(wait) = files.iter().filter(young).map(|f| settle - (now - f.modified_us)).max() else {
        return Ok(Vec::new());
    };
    std::thread::sleep(Duration::from_micros(wait.clamp(0, settle).unsigned_abs()));
    let mut unfinished = Vec::new();
    for file in files.iter().filter(young) {
        if root.place.look(&file.path)?.as_ref() != Some(file) {
            unfinished.push(file.path.clone());
        }
    }
    Ok(unfinished)
}

/// Drives one of the readers on threads that may block, until its rows end or fail.
struct FilesReader {
    rows: Option<Box<dyn FileReader>>,
    overlap: bool,
}

impl Reader for FilesReader {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Batch>>> {
        Box::pin(async move {
            let Some(mut rows) = self.rows.take() else { return Ok(None) };
            let (rows, batch) = blocking(move || {
                let batch = rows.next();
                Ok((rows, batch))
            })
            .await?;
            let Some(batch) = batch? else { return Ok(None) };
            self.rows = Some(rows);
            Ok(Some(if self.overlap { marked(batch)? } else { batch }))
        })
    }
}

/// Files have no overlap: what was read once is not read again.
fn marked(mut batch: Batch) -> Result<Batch> {
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
