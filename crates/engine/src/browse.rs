//! What a connection holds, for people: its streams with their columns, and the first rows of one.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::Field;
use levada_core::batch::Data;
use levada_core::connector::Connection;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::naming::{did_you_mean, first_of, nearest};
use levada_core::schema::{NATIVE, type_name};
use levada_core::source::{ReadMode, ReadRequest, Reader, Source, StreamInfo};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A preview looks at little, whatever the size of a stream.
const BATCH_BYTES: usize = 256 << 10;
/// Names told where one has to be chosen.
const NAMES_TOLD: usize = 20;
const NOTHING_THERE: &str = "Check the address or path of the connection, and the rights of its user.";

/// A stream of a connection.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Stream {
    /// The name that selects it.
    pub stream: String,
    /// The schema or database it lives in, for systems that have such a thing.
    pub namespace: Option<String>,
    /// The last part of its name.
    pub table: String,
    /// The columns of its key; none if it has no key.
    pub key: Vec<String>,
    /// How many rows it has, roughly.
    pub rows_estimate: Option<u64>,
    /// How many bytes it has, roughly.
    pub bytes_estimate: Option<u64>,
    /// The columns that can be the cursor of an incremental read.
    pub cursors: Vec<String>,
    /// Its columns.
    pub columns: Vec<Column>,
}

/// A column of a stream.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it is to Levada.
    #[serde(rename = "type")]
    pub type_: String,
    /// What it is to its system, with the system's name before it.
    pub native: Option<String>,
    /// Whether it may hold NULL.
    pub nullable: bool,
}

/// The first rows of a stream.
pub struct Preview {
    /// The stream.
    pub stream: StreamInfo,
    /// The rows.
    pub batches: Vec<RecordBatch>,
    /// How many of those that were read could not be represented.
    pub rejected: usize,
}

impl Stream {
    /// A stream as its source tells of it.
    pub fn new(source: &dyn Source, info: &StreamInfo) -> Self {
        let fields = info.schema.fields().iter();
        let cursors = fields.filter(|field| source.check_cursor(field, None).is_ok());
        Self {
            stream: info.name.clone(),
            namespace: info.namespace.clone(),
            table: info.table.clone(),
            key: info.key.clone(),
            rows_estimate: info.rows_estimate,
            bytes_estimate: info.bytes_estimate,
            cursors: cursors.map(|field| field.name().clone()).collect(),
            columns: info.schema.fields().iter().map(|field| Column::from(field.as_ref())).collect(),
        }
    }
}

impl From<&Field> for Column {
    fn from(field: &Field) -> Self {
        Self {
            name: field.name().clone(),
            type_: type_name(field),
            native: field.metadata().get(NATIVE).cloned(),
            nullable: field.is_nullable(),
        }
    }
}

/// The rows of a stream, one batch after the other; dropping it ends the reading.
pub struct Rows {
    /// The stream.
    pub stream: StreamInfo,
    /// How many of those that were read so far could not be represented.
    pub rejected: usize,
    readers: VecDeque<Box<dyn Reader>>,
}

impl Rows {
    /// The next rows; none at the end.
    ///
    /// # Errors
    /// As of reading.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>> {
        while let Some(reader) = self.readers.front_mut() {
            let Some(batch) = reader.next().await? else {
                self.readers.pop_front();
                continue;
            };
            self.rejected += batch.rejects.len();
            return match batch.data {
                Data::Arrow(batch) => Ok(Some(batch)),
                _ => Err(Error::new(ErrorKind::Internal, "the source gave raw rows without being asked")),
            };
        }
        Ok(None)
    }
}

/// The rows of the one stream that a selector means.
///
/// # Errors
/// `NotFound` where it means none, `Usage` where it means several; else as of reading.
pub async fn rows(connection: Arc<dyn Connection>, selector: Option<&str>) -> Result<Rows> {
    let source = connection.source()?;
    let stream = choose(source.as_ref(), selector).await?;
    let request = ReadRequest {
        columns: stream.schema.clone(),
        stream: stream.clone(),
        mode: ReadMode::Full,
        raw: None,
        only: Vec::new(),
        limit: None,
        readers: 1,
        batch_bytes: BATCH_BYTES,
    };
    let extract = source.read(request).await?;
    Ok(Rows { stream, rejected: 0, readers: extract.readers.into() })
}

/// The first rows of the one stream that a selector means.
///
/// # Errors
/// As [`rows`].
pub async fn preview(connection: Arc<dyn Connection>, selector: Option<&str>, limit: usize) -> Result<Preview> {
    let mut rows = rows(connection, selector).await?;
    let (mut batches, mut left) = (Vec::new(), limit);
    while left > 0 {
        let Some(batch) = rows.next().await? else { break };
        let batch = batch.slice(0, batch.num_rows().min(left));
        left -= batch.num_rows();
        batches.push(batch);
    }
    Ok(Preview { stream: rows.stream, batches, rejected: rows.rejected })
}

/// The one stream that is meant.
pub(crate) async fn choose(source: &dyn Source, selector: Option<&str>) -> Result<StreamInfo> {
    let mut streams = source.discover(selector).await?;
    if streams.len() == 1 {
        return Ok(streams.remove(0));
    }
    if let Some(at) = streams.iter().position(|stream| Some(stream.name.as_str()) == selector) {
        return Ok(streams.remove(at));
    }
    if let (Some(selector), true) = (selector, streams.is_empty()) {
        let all = source.discover(None).await.unwrap_or_default();
        return Err(no_such_stream(selector, &all.iter().map(|info| info.name.as_str()).collect::<Vec<_>>()));
    }
    if streams.is_empty() {
        return Err(no_streams());
    }
    let names: Vec<&str> = streams.iter().map(|stream| stream.name.as_str()).collect();
    let error = Error::new(ErrorKind::Usage, format!("there are {} streams to choose from", streams.len()));
    Err(error.advise(format!("Give one: {}.", first_of(&names, NAMES_TOLD))))
}

/// The error of a connection with nothing to read.
pub fn no_streams() -> Error {
    Error::new(ErrorKind::NotFound, "there are no streams").advise(NOTHING_THERE)
}

/// The error of a name or wildcard that selects none of the streams there are.
pub fn no_such_stream(name: &str, names: &[&str]) -> Error {
    let error = Error::new(ErrorKind::NotFound, format!("there is no stream `{name}`"));
    if names.is_empty() {
        return error.advise(format!("There are no streams at all. {NOTHING_THERE}"));
    }
    error.advise(format!("{}There are: {}.", did_you_mean(nearest(name, names)), first_of(names, NAMES_TOLD)))
}
