//! Reading: one version of a table, its files shared out among readers.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef};
use deltalake::DeltaTable;
use deltalake::datafusion::execution::SendableRecordBatchStream;
use deltalake::datafusion::logical_expr::{Expr, lit};
use deltalake::datafusion::prelude::ident;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use levada_core::batch::Batch;
use levada_core::error::{Context, Error, ErrorKind, Result};
use levada_core::naming::{is_wildcard, matches};
use levada_core::order;
use levada_core::source::{Extract, OVERLAP_COLUMN, ReadMode, ReadRequest, Reader, Source, StreamInfo};

use crate::columns::{canonical, is_nested};
use crate::cursor::Cursor;
use crate::files::Survey;
use crate::{Lake, error, only, session};

impl Source for Lake {
    fn discover<'a>(&'a self, selector: Option<&'a str>) -> BoxFuture<'a, Result<Vec<StreamInfo>>> {
        Box::pin(async move {
            let place = self.place()?;
            let mut names = match selector {
                Some(name) if !is_wildcard(name) => vec![name.to_owned()],
                _ => place.names().await?,
            };
            if let Some(pattern) = selector {
                names.retain(|name| matches(pattern, name));
            }
            let mut streams = Vec::new();
            for name in names {
                // a name that no table can have is that of none
                match place.table(&name).await {
                    Ok(Some(table)) => streams.push(described(&name, &table).await?),
                    Ok(None) => {}
                    Err(error) if error.kind() == ErrorKind::NotFound && self.settings.as_of.is_none() => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(streams)
        })
    }

    fn check_cursor(&self, column: &Field, _lag: Option<&str>) -> Result<()> {
        order::check(column)
    }

    fn read<'a>(&'a self, request: ReadRequest) -> BoxFuture<'a, Result<Extract>> {
        Box::pin(async move {
            let place = format!("stream `{}`", request.stream.name);
            self.open(request).await.at(place)
        })
    }
}

/// A table as a stream.
///
/// # Errors
/// Those of the store, where the log is not whole.
pub async fn described(name: &str, table: &DeltaTable) -> Result<StreamInfo> {
    let state = table.snapshot().map_err(error::delta)?;
    let fields: Vec<_> = state.snapshot().arrow_schema().fields().iter().map(|field| canonical(field)).collect();
    let files = Survey::of(table).await?;
    Ok(StreamInfo {
        name: name.to_owned(),
        namespace: None,
        table: name.to_owned(),
        schema: Arc::new(Schema::new(fields)),
        key: Vec::new(),
        rows_estimate: files.rows,
        bytes_estimate: Some(files.bytes),
        raw: None,
        typed_by_request: false,
    })
}

impl Lake {
    async fn open(&self, request: ReadRequest) -> Result<Extract> {
        if request.raw.is_some() {
            return Err(Error::new(ErrorKind::Unsupported, "Delta tables have no raw rows"));
        }
        let place = self.place()?;
        let gone = |what: String| Error::new(ErrorKind::NotFound, what);
        let table =
            place.table(&request.stream.name).await?.ok_or_else(|| gone("there is no table any more".into()))?;
        let stored = table.snapshot().map_err(error::delta)?.snapshot().arrow_schema();
        for wanted in request.columns.fields() {
            let column = stored.field_with_name(wanted.name());
            let column = column.map_err(|_| gone(format!("there is no column `{}` any more", wanted.name())))?;
            if canonical(column).data_type() != wanted.data_type() {
                let message = format!("column `{}` has another type than when the read was planned", wanted.name());
                return Err(Error::new(ErrorKind::Schema, message).advise("Run again."));
            }
            if is_nested(column) {
                let message = format!("column `{}` is nested, and such columns are not read", wanted.name());
                return Err(
                    Error::new(ErrorKind::Unsupported, message).advise("Exclude it (`columns: { exclude: [..] }`).")
                );
            }
        }
        let files = Survey::of(&table).await?;
        files.confined()?;
        let session = session::open(&place, self.memory(), request.readers, files.row_bytes(), false)?;
        let provider = table.table_provider().build().await.map_err(error::query)?;
        session.register_table("stream", Arc::new(provider)).map_err(error::query)?;
        let mut columns: Vec<Expr> =
            request.columns.fields().iter().map(|field| ident(field.name().as_str())).collect();
        let mut fields: Vec<FieldRef> = request.columns.fields().iter().cloned().collect();
        let mut frame = session.table("stream").await.map_err(error::query)?;
        if let Some(filter) = only::filter(&request.only, &stored) {
            frame = frame.filter(filter).map_err(error::query)?;
        }
        let (mut frame, position) = match &request.mode {
            ReadMode::Full => {
                // rows without columns are counted all the same
                if columns.is_empty() {
                    columns.push(lit(true));
                }
                (frame.select(columns).map_err(error::query)?, None)
            }
            ReadMode::Incremental { cursor, from, lag, mark_overlap } => {
                let name = cursor.as_deref().ok_or_else(|| {
                    Error::new(ErrorKind::Config, "an incremental read of a Delta table needs a cursor column")
                        .advise("Set `cursor`.")
                })?;
                let field = stored.field_with_name(name);
                let field = field.map_err(|_| gone(format!("there is no column `{name}` for the cursor")))?;
                let cursor = Cursor::open(&session, field, from.as_ref(), lag.as_deref()).await?;
                if columns.is_empty() && !mark_overlap {
                    columns.push(lit(true));
                }
                if *mark_overlap {
                    fields.push(Arc::new(Field::new(OVERLAP_COLUMN, DataType::Boolean, false)));
                }
                (cursor.rows(frame, columns, *mark_overlap)?, cursor.position)
            }
        };
        if let Some(limit) = request.limit {
            frame = frame.limit(0, usize::try_from(limit).ok()).map_err(error::query)?;
        }
        let streams = frame.execute_stream_partitioned().await.map_err(error::query)?;
        let columns: SchemaRef = Arc::new(Schema::new(fields));
        let mut shares: Vec<VecDeque<_>> =
            (0..request.readers.clamp(1, streams.len().max(1))).map(|_| VecDeque::new()).collect();
        let width = shares.len();
        streams.into_iter().enumerate().for_each(|(index, stream)| shares[index % width].push_back(stream));
        let reader = |streams| {
            let columns = columns.clone();
            Box::new(TableReader { streams, columns, batch_bytes: request.batch_bytes, rest: None }) as Box<dyn Reader>
        };
        let readers = shares.into_iter().map(reader).collect();
        Ok(Extract { readers, position, warnings: Vec::new(), again: Vec::new() })
    }
}

struct TableReader {
    /// One after the other.
    streams: VecDeque<SendableRecordBatchStream>,
    columns: SchemaRef,
    batch_bytes: usize,
    /// What is left of the last batch of the engine.
    rest: Option<RecordBatch>,
}

impl Reader for TableReader {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Batch>>> {
        Box::pin(async move {
            loop {
                if let Some(rest) = self.rest.take() {
                    let (batch, rest) = split(rest, self.batch_bytes);
                    self.rest = rest;
                    return Ok(Some(Batch::arrow(batch)));
                }
                let Some(stream) = self.streams.front_mut() else { return Ok(None) };
                match stream.next().await.transpose().map_err(error::query)? {
                    Some(read) if read.num_rows() > 0 => self.rest = Some(typed(&read, &self.columns)?),
                    Some(_) => {}
                    None => drop(self.streams.pop_front()),
                }
            }
        })
    }
}

/// The first rows of a batch, as many as make about so many bytes, and the others.
fn split(batch: RecordBatch, bytes: usize) -> (RecordBatch, Option<RecordBatch>) {
    let rows = batch.num_rows();
    let size = Batch::arrow(batch.clone()).bytes().max(1);
    let take = if size <= bytes { rows } else { (rows * bytes.max(1) / size).clamp(1, rows) };
    let rest = (take < rows).then(|| batch.slice(take, rows - take));
    (batch.slice(0, take), rest)
}

/// The columns of a batch of the engine in the types that were asked for; a value that is none of its type is an error.
///
/// # Errors
/// `Data`.
pub fn typed(batch: &RecordBatch, columns: &SchemaRef) -> Result<RecordBatch> {
    let options = arrow_cast::CastOptions { safe: false, ..Default::default() };
    let cast = |(column, field): (&arrow_array::ArrayRef, &arrow_schema::FieldRef)| {
        arrow_cast::cast_with_options(column, field.data_type(), &options)
    };
    let cast: Result<Vec<_>, _> = batch.columns().iter().zip(columns.fields()).map(cast).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(columns.clone(), cast.map_err(error::arrow)?, &options).map_err(error::arrow)
}
