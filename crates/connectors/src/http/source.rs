//! Reading: one task asks for page after page and makes batches of their records, while the batches before are written.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use arrow_schema::{Field, Schema, SchemaRef};
use futures_util::future::BoxFuture;
use levada_core::batch::{Batch, Data, Reject};
use levada_core::error::{Context as _, Error, ErrorKind, Result};
use levada_core::naming::{did_you_mean, nearest};
use levada_core::position::Position;
use levada_core::source::{Extract, ReadMode, ReadRequest, Reader, Source, StreamInfo};

use super::cursor::Cursor;
use super::endpoint::{CursorFormat, Endpoint, RAW};
use super::page::Page;
use super::records::Parser;
use super::replay::Feed;
use super::{Remote, discover, raw};
use crate::kit::ahead::{Giver, Taker, ahead};
use levada_core::order::{self, Key};

/// Batches that wait between the task and its reader.
const BATCHES_AHEAD: usize = 2;
/// Records of a slow API go on after this time, in however small a batch.
const BATCH_WITHIN: Duration = Duration::from_secs(2);

impl Source for Remote {
    fn discover<'a>(&'a self, selector: Option<&'a str>) -> BoxFuture<'a, Result<Vec<StreamInfo>>> {
        Box::pin(discover::streams(&self.api, selector))
    }

    fn check_cursor(&self, column: &Field, lag: Option<&str>) -> Result<()> {
        order::check(column)?;
        lag.map_or(Ok(()), |lag| Key::of_lag(column.name(), column.data_type(), lag).map(drop))
    }

    fn needs_cursor(&self, stream: &str) -> bool {
        // the endpoint itself says what is new of its raw answers
        !stream.starts_with(RAW)
    }

    fn read<'a>(&'a self, request: ReadRequest) -> BoxFuture<'a, Result<Extract>> {
        Box::pin(async move {
            let place = format!("stream `{}`", request.stream.name);
            let (reading, warnings) = self.open(request).await.at(place)?;
            let (giver, batches) = ahead(BATCHES_AHEAD);
            let end = End::default();
            let reader = HttpReader { batches, end: end.clone() };
            // ends with the pages, at an error, or when the reader is dropped
            tokio::spawn(reading.run(giver, end));
            Ok(Extract { readers: vec![Box::new(reader)], position: None, warnings, again: Vec::new() })
        })
    }
}

/// What the task leaves at its end.
#[derive(Clone, Default)]
struct End(Arc<Mutex<Option<Option<Position>>>>);

struct HttpReader {
    batches: Taker,
    end: End,
}

impl Reader for HttpReader {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Batch>>> {
        Box::pin(async {
            match self.batches.take().await {
                Some(batch) => batch.map(Some),
                None if self.end.get().is_some() => Ok(None),
                // pages that nobody asked for must not pass for the end of the list
                None => Err(Error::new(ErrorKind::Internal, "the task that asks for pages has died")),
            }
        })
    }

    fn position(&self) -> Option<Position> {
        self.end.get().flatten()
    }
}

impl End {
    fn get(&self) -> Option<Option<Position>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, position: Option<Position>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(position);
    }
}

/// A read that is about to start.
struct Reading {
    feed: Feed,
    rows: Rows,
    cursor: Option<Cursor>,
    /// Whether a read that broke can tell how far it came.
    is_ordered: bool,
    batch_bytes: usize,
}

/// What becomes of a page.
enum Rows {
    /// A row for each of its records.
    Records(Parser),
    /// One row. The records only tell where the stream stands.
    Answers { wanted: SchemaRef, cursor: Option<Parser> },
}

impl Remote {
    async fn open(&self, request: ReadRequest) -> Result<(Reading, Vec<String>)> {
        let api = &self.api;
        let ReadRequest { stream, columns, mode, batch_bytes, .. } = request;
        if let Some(name) = stream.name.strip_prefix(RAW) {
            return self.open_raw(name, columns, mode, batch_bytes).await;
        }
        let endpoint = api.endpoint(&stream.name)?;
        let mut cursor = None;
        if let ReadMode::Incremental { cursor: column, from, lag, mark_overlap } = &mode {
            let column = column.as_ref().ok_or_else(|| {
                let known = endpoint.incremental.as_ref().map(|incremental| incremental.cursor.as_str());
                Error::new(ErrorKind::Config, "an incremental read needs the column that tells what is new")
                    .advise(format!("Name it: `cursor: {}`.", known.unwrap_or("updated_at")))
            })?;
            let field = column_of(&stream.schema, column)?;
            cursor = Some(Cursor::open(field, from.as_ref(), lag.as_deref(), *mark_overlap)?);
        }
        for wanted in columns.fields() {
            column_of(&stream.schema, wanted.name())?;
        }
        let mut wanted: Vec<Field> = columns.fields().iter().map(|field| field.as_ref().clone()).collect();
        wanted.extend(cursor.as_ref().map(|cursor| cursor.column().clone()));
        let is_told = endpoint.columns.0.is_empty();
        let parser = Parser::new(Arc::new(Schema::new(wanted)), &stream.schema, is_told)?;
        let parameters = asked_from(&endpoint, cursor.as_ref())?;
        let is_stored = api.settings.replay.is_some();
        let warnings = if is_stored { Vec::new() } else { asks_for_all(&endpoint, cursor.as_ref()) };
        let reading = Reading {
            feed: Feed::open(api, &stream.name, parameters).await?,
            rows: Rows::Records(parser),
            is_ordered: is_ordered(&endpoint, cursor.as_ref()),
            cursor,
            batch_bytes,
        };
        Ok((reading, warnings))
    }

    async fn open_raw(
        &self,
        name: &str,
        wanted: SchemaRef,
        mode: ReadMode,
        batch_bytes: usize,
    ) -> Result<(Reading, Vec<String>)> {
        let api = &self.api;
        let endpoint = api.endpoint(name)?;
        let (mut cursor, mut parser) = (None, None);
        if let ReadMode::Incremental { cursor: column, from, lag, .. } = &mode {
            let advice = format!("Leave `cursor` out: `incremental` of the endpoint `{name}` says what is new.");
            if column.is_some() {
                return Err(Error::new(ErrorKind::Config, "raw streams have no cursor column").advise(advice));
            }
            let incremental = endpoint.incremental.as_ref().ok_or_else(|| {
                Error::new(ErrorKind::Config, format!("the endpoint `{name}` does not say how to ask for what is new"))
                    .advise("Add `incremental: { cursor: updated_at, parameter: updated_since }` to it.")
            })?;
            let fields = discover::fields(api, name, &endpoint).await?;
            let schema = Schema::new(fields);
            let field = column_of(&schema, &incremental.cursor)?;
            cursor = Some(Cursor::open(field, from.as_ref(), lag.as_deref(), false)?);
            parser = Some(Parser::new(Arc::new(Schema::new(vec![field.clone()])), &schema, false)?);
        }
        let parameters = asked_from(&endpoint, cursor.as_ref())?;
        let warnings = asks_for_all(&endpoint, cursor.as_ref());
        let reading = Reading {
            feed: Feed::open(api, name, parameters).await?,
            rows: Rows::Answers { wanted, cursor: parser },
            cursor,
            is_ordered: false,
            batch_bytes,
        };
        Ok((reading, warnings))
    }
}

fn column_of<'a>(schema: &'a Schema, name: &str) -> Result<&'a Field> {
    schema.field_with_name(name).map_err(|_| {
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        Error::new(ErrorKind::NotFound, format!("there is no column `{name}`")).advise(format!(
            "{}Columns: {}.",
            did_you_mean(nearest(name, &names)),
            names.join(", ")
        ))
    })
}

fn is_ordered(endpoint: &Endpoint, cursor: Option<&Cursor>) -> bool {
    let told = endpoint.incremental.as_ref().filter(|incremental| incremental.ascending && endpoint.parent.is_none());
    matches!((told, cursor), (Some(told), Some(cursor)) if told.cursor == *cursor.column().name())
}

/// What the settings say of asking for what is new by this cursor.
fn told<'a>(endpoint: &'a Endpoint, cursor: &Cursor) -> Option<(&'a str, CursorFormat)> {
    let told = endpoint.incremental.as_ref().filter(|told| told.cursor == *cursor.column().name())?;
    Some((told.parameter.as_deref()?, told.format))
}

/// The parameter that asks for what is new.
fn asked_from(endpoint: &Endpoint, cursor: Option<&Cursor>) -> Result<Vec<(String, String)>> {
    let Some(cursor) = cursor else { return Ok(Vec::new()) };
    let Some((parameter, format)) = told(endpoint, cursor) else { return Ok(Vec::new()) };
    Ok(cursor.asked_from(format)?.map(|value| (parameter.to_owned(), value)).into_iter().collect())
}

/// What to say where nothing asks for what is new.
fn asks_for_all(endpoint: &Endpoint, cursor: Option<&Cursor>) -> Vec<String> {
    let unasked = cursor.filter(|cursor| told(endpoint, cursor).is_none());
    let warning = |cursor: &Cursor| {
        let column = cursor.column().name();
        format!("every record is asked for, as no query parameter takes a value of `{column}`")
    };
    unasked.map(warning).into_iter().collect()
}

impl Reading {
    async fn run(mut self, mut giver: Giver, end: End) {
        let closed = giver.closed();
        let outcome = tokio::select! {
            outcome = self.pages(&mut giver) => outcome,
            () = closed => return,
        };
        match outcome {
            Ok(()) => end.set(self.cursor.as_ref().and_then(Cursor::position)),
            Err(error) => giver.fail(error).await,
        }
    }

    async fn pages(&mut self, giver: &mut Giver) -> Result<()> {
        let mut begun = Instant::now();
        loop {
            let page = match self.feed.next().await {
                Ok(Some(page)) => page,
                Ok(None) => break,
                Err(error) => {
                    self.flush(giver).await?;
                    let reached = self.cursor.as_ref().filter(|_| self.is_ordered).and_then(Cursor::reached);
                    return Err(match reached {
                        Some(position) if error.kind().policy().retry => error.reached(position),
                        _ => error,
                    });
                }
            };
            self.take(&page, giver).await?;
            if begun.elapsed() > BATCH_WITHIN {
                self.flush(giver).await?;
                begun = Instant::now();
            }
        }
        self.flush(giver).await?;
        let held = self.cursor.as_mut().map(Cursor::end).transpose()?;
        for rows in held.into_iter().flatten() {
            give(giver, rows, Vec::new()).await;
        }
        Ok(())
    }

    async fn take(&mut self, page: &Page, giver: &mut Giver) -> Result<()> {
        match &mut self.rows {
            Rows::Answers { wanted, cursor } => {
                if let (Some(parser), Some(cursor)) = (cursor, &mut self.cursor) {
                    page.records().for_each(|record| parser.push(record, &page.inherited, &page.url));
                    cursor.take(parser.finish()?.0)?;
                }
                give(giver, raw::row(page, wanted)?, Vec::new()).await;
            }
            Rows::Records(_) => {
                for at in 0..page.len() {
                    let Rows::Records(parser) = &mut self.rows else { break };
                    parser.push(page.record(at).unwrap_or_default(), &page.inherited, &page.url);
                    if parser.bytes() >= self.batch_bytes {
                        self.flush(giver).await?;
                    }
                }
            }
        }
        Ok(())
    }

    async fn flush(&mut self, giver: &mut Giver) -> Result<()> {
        let Rows::Records(parser) = &mut self.rows else { return Ok(()) };
        if parser.is_empty() {
            return Ok(());
        }
        let (rows, mut rejects) = parser.finish()?;
        let parts = match &mut self.cursor {
            Some(cursor) => cursor.take(rows)?,
            None => vec![rows],
        };
        for rows in parts {
            give(giver, rows, std::mem::take(&mut rejects)).await;
        }
        Ok(())
    }
}

/// Whether anybody takes it is seen by the caller, who stops when nobody does.
async fn give(giver: &mut Giver, rows: RecordBatch, rejects: Vec<Reject>) {
    if rows.num_rows() > 0 || !rejects.is_empty() {
        giver.give(Batch { data: Data::Arrow(rows), rejects }).await;
    }
}
