//! Reads streams of files that describe themselves: the readers share a queue of parts, of any file.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema, SchemaRef};
use levada_core::batch::{Batch, Data};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::source::ReadRequest;

use super::format::csv::constant_column;
use super::format::{FileReader, Format, SelfDescribing, self_describing};
use super::listing::partitions;
use super::place::{FileMeta, Place};

enum Unit {
    Whole(FileMeta),
    Part(Arc<dyn SelfDescribing>, Range<usize>, FileMeta),
}

/// What the readers of one stream share.
struct ColumnarShared {
    place: Arc<dyn Place>,
    format: Format,
    wanted: SchemaRef,
    batch_bytes: usize,
    readers: usize,
    queue: Mutex<VecDeque<Unit>>,
}

/// The readers of a stream of files that describe themselves.
pub fn readers(
    place: Arc<dyn Place>,
    files: Vec<FileMeta>,
    request: &ReadRequest,
    format: Format,
) -> Vec<Box<dyn FileReader>> {
    let readers = request.readers.max(1);
    let shared = Arc::new(ColumnarShared {
        place,
        format,
        wanted: request.columns.clone(),
        batch_bytes: request.batch_bytes,
        readers,
        queue: Mutex::new(files.into_iter().map(Unit::Whole).collect()),
    });
    let reader = |_| Box::new(ColumnarReader { shared: shared.clone(), open: None }) as Box<dyn FileReader>;
    (0..readers).map(reader).collect()
}

impl ColumnarShared {
    fn next_part(&self) -> Result<Option<OpenPart>> {
        // The queue stays locked while a file is described, so that nobody takes it for exhausted meanwhile.
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match queue.pop_front() {
                None => return Ok(None),
                Some(Unit::Part(file, parts, meta)) => {
                    drop(queue);
                    return self.open(file.as_ref(), parts, &meta).map(Some);
                }
                Some(Unit::Whole(meta)) => {
                    let file = self_describing(self.format, self.place.random(&meta)?)?;
                    let parts = file.info().parts;
                    let step = parts.div_ceil(self.readers * 4).max(1);
                    for start in (0..parts).step_by(step).rev() {
                        let range = start..(start + step).min(parts);
                        queue.push_front(Unit::Part(file.clone(), range, meta.clone()));
                    }
                }
            }
        }
    }

    fn open(&self, file: &dyn SelfDescribing, parts: Range<usize>, meta: &FileMeta) -> Result<OpenPart> {
        let own = &file.info().schema;
        let constants: Vec<(usize, Option<String>)> = partitions(&meta.path)
            .into_iter()
            .filter(|(key, _)| own.field_with_name(key).is_err())
            .filter_map(|(key, value)| Some((self.wanted.index_of(&key).ok()?, value)))
            .collect();
        let from_file =
            self.wanted.fields().iter().enumerate().filter(|(at, _)| constants.iter().all(|(c, _)| c != at));
        let columns: SchemaRef = Arc::new(Schema::new(from_file.map(|(_, field)| field.clone()).collect::<Vec<_>>()));
        let reader = file.open(parts, columns, self.batch_bytes)?;
        Ok(OpenPart { reader, constants })
    }
}

struct OpenPart {
    reader: Box<dyn FileReader>,
    constants: Vec<(usize, Option<String>)>,
}

impl OpenPart {
    fn next(&mut self, wanted: &SchemaRef) -> Result<Option<Batch>> {
        let Some(mut batch) = self.reader.next()? else { return Ok(None) };
        if let (Data::Arrow(rows), false) = (&batch.data, self.constants.is_empty()) {
            let mut columns = rows.columns().iter();
            let mut all: Vec<ArrayRef> = Vec::new();
            for (at, field) in wanted.fields().iter().enumerate() {
                match self.constants.iter().find(|(constant, _)| *constant == at) {
                    Some((_, value)) => {
                        all.push(constant_column(field.data_type(), value.as_deref(), rows.num_rows())?)
                    }
                    None => all.extend(columns.next().cloned()),
                }
            }
            let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
            let rows = RecordBatch::try_new_with_options(wanted.clone(), all, &options)
                .map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
            batch.data = Data::Arrow(rows);
        }
        Ok(Some(batch))
    }
}

struct ColumnarReader {
    shared: Arc<ColumnarShared>,
    open: Option<OpenPart>,
}

impl FileReader for ColumnarReader {
    fn next(&mut self) -> Result<Option<Batch>> {
        loop {
            if let Some(open) = &mut self.open {
                if let Some(batch) = open.next(&self.shared.wanted)? {
                    return Ok(Some(batch));
                }
                self.open = None;
            }
            self.open = self.shared.next_part()?;
            if self.open.is_none() {
                return Ok(None);
            }
        }
    }
}
