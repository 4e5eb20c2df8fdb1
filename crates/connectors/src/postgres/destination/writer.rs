//! One writer: streams rows into COPY statements; in a load with a quarantine every batch is a statement of its own, and
//! one that is refused is halved until the bad rows stand alone.

use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;

use arrow_array::RecordBatch;
use bytes::Bytes;
use futures_util::SinkExt;
use futures_util::future::BoxFuture;
use levada_core::batch::{Batch, Data, Reject};
use levada_core::destination::{Accepted, Writer};
use levada_core::error::{Context, Error, ErrorKind, Result};
use levada_core::text;
use tokio_postgres::CopyInSink;

use super::encode::{CHUNK, Format, HEADER, TRAILER, Unwritable, check};
use crate::postgres::error::{Translate, translate};
use crate::postgres::session::Session;

/// Bytes after which a COPY ends and another begins, so that a refused row is known before the whole load is sent.
const COPY_BYTES: usize = 128 << 20;
/// The largest piece handed to the socket at once.
const PIECE: usize = 1 << 20;

/// How a writer takes part in transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Every COPY commits by itself, into a stage that nobody else looks at.
    Each,
    /// All COPYs are one transaction, which the writer commits when it finishes.
    Own,
    /// All COPYs belong to the transaction that the load commits.
    Load,
}

/// A writer into one table.
pub struct CopyWriter {
    /// The connection it writes through.
    pub session: Arc<Session>,
    /// The COPY statement.
    pub copy: String,
    /// The format of arrow batches.
    pub format: Format,
    /// Whether rows that are refused are parted from the others.
    pub quarantine: bool,
    /// How it takes part in transactions.
    pub scope: Scope,
    /// The COPY under way.
    pub open: Option<Copy>,
    /// For error messages.
    pub place: String,
}

/// A COPY under way.
pub struct Copy {
    sink: Pin<Box<CopyInSink<Bytes>>>,
    bytes: usize,
}

/// Why rows were not taken.
struct Refusal {
    error: Error,
    column: Option<String>,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self { error, column: None }
    }
}

impl From<Unwritable> for Refusal {
    fn from(bad: Unwritable) -> Self {
        Self { column: Some(bad.column.clone()), error: bad.into() }
    }
}

impl From<tokio_postgres::Error> for Refusal {
    fn from(error: tokio_postgres::Error) -> Self {
        let column = error.as_db_error().and_then(|db| {
            let context = db.where_().and_then(|context| context.split(", column ").nth(1));
            let named = context.map(|rest| rest.split([':', '\n']).next().unwrap_or(rest));
            db.column().or(named).map(str::to_owned)
        });
        Self { error: translate(&error), column }
    }
}

impl CopyWriter {
    async fn take(&mut self, batch: Batch) -> Result<Accepted> {
        let mut accepted = match batch.data {
            Data::Raw(raw) => {
                let copy = self.start().await?;
                copy.send(raw.bytes).await?;
                self.end_if_long().await?
            }
            Data::Arrow(columns) if self.quarantine => self.sift(&columns).await?,
            Data::Arrow(columns) => {
                let format = self.format;
                let copy = self.start().await?;
                copy.rows(format, &columns, 0..columns.num_rows()).await.map_err(|refusal| refusal.error)?;
                self.end_if_long().await?
            }
        };
        accepted.rejects.extend(batch.rejects);
        Ok(accepted)
    }

    async fn start(&mut self) -> Result<&mut Copy> {
        if self.open.is_none() {
            self.open = Some(Copy::start(&self.session, &self.copy, self.format).await.map_err(|r| r.error)?);
        }
        self.open.as_mut().ok_or_else(|| Error::new(ErrorKind::Internal, "the COPY was not started"))
    }

    async fn end_if_long(&mut self) -> Result<Accepted> {
        if self.open.as_ref().is_some_and(|copy| copy.bytes >= COPY_BYTES) {
            self.end().await
        } else {
            Ok(Accepted::default())
        }
    }

    async fn end(&mut self) -> Result<Accepted> {
        let Some(copy) = self.open.take() else { return Ok(Accepted::default()) };
        let rows = copy.end(self.format).await.map_err(|refusal| refusal.error)?;
        Ok(Accepted { rows, rejects: Vec::new() })
    }

    /// Writes the good rows of a batch, and finds the bad ones by halving.
    async fn sift(&mut self, batch: &RecordBatch) -> Result<Accepted> {
        let mut accepted = Accepted::default();
        let mut left: Vec<_> = std::iter::once(0..batch.num_rows()).collect();
        while let Some(rows) = left.pop() {
            if rows.is_empty() {
                continue;
            }
            match self.attempt(batch, rows.clone()).await {
                Ok(taken) => accepted.rows += taken,
                Err(Refusal { error, .. }) if error.kind() != ErrorKind::Data => return Err(error),
                Err(Refusal { error, column }) if rows.len() == 1 => accepted.rejects.push(Reject {
                    row: text::row_json(batch, rows.start),
                    column,
                    reason: error.message().to_owned(),
                }),
                Err(_) => {
                    let middle = rows.start + rows.len() / 2;
                    left.push(middle..rows.end);
                    left.push(rows.start..middle);
                }
            }
        }
        Ok(accepted)
    }

    async fn attempt(&mut self, batch: &RecordBatch, rows: Range<usize>) -> std::result::Result<u64, Refusal> {
        let client = &self.session.client;
        if self.scope != Scope::Each {
            client.batch_execute("SAVEPOINT levada").await?;
        }
        let taken = self.copy_all(batch, rows).await;
        if self.scope != Scope::Each {
            let sql = if taken.is_ok() { "RELEASE levada" } else { "ROLLBACK TO levada; RELEASE levada" };
            client.batch_execute(sql).await?;
        }
        taken
    }

    async fn copy_all(&self, batch: &RecordBatch, rows: Range<usize>) -> std::result::Result<u64, Refusal> {
        let mut copy = Copy::start(&self.session, &self.copy, self.format).await?;
        copy.rows(self.format, batch, rows).await?;
        copy.end(self.format).await
    }
}

impl Copy {
    async fn start(session: &Session, sql: &str, format: Format) -> std::result::Result<Self, Refusal> {
        let sink = Box::pin(session.client.copy_in::<_, Bytes>(sql).await?);
        let mut copy = Self { sink, bytes: 0 };
        if format == Format::Binary {
            copy.sink.feed(Bytes::from_static(HEADER)).await?;
        }
        Ok(copy)
    }

    async fn send(&mut self, mut bytes: Bytes) -> Result<()> {
        self.bytes += bytes.len();
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(PIECE));
            self.sink.feed(piece).await.pg()?;
        }
        Ok(())
    }

    async fn rows(
        &mut self,
        format: Format,
        batch: &RecordBatch,
        rows: Range<usize>,
    ) -> std::result::Result<(), Refusal> {
        check(batch, rows.clone())?;
        let mut at = rows.start;
        while at < rows.end {
            let mut out = Vec::with_capacity(CHUNK + (16 << 10));
            at = match format.encode(batch, at..rows.end, &mut out) {
                Ok(next) => next,
                Err(bad) => return Err(bad.into()),
            };
            self.send(Bytes::from(out)).await?;
        }
        Ok(())
    }

    async fn end(mut self, format: Format) -> std::result::Result<u64, Refusal> {
        if format == Format::Binary {
            self.sink.feed(Bytes::from_static(TRAILER)).await?;
        }
        Ok(self.sink.as_mut().finish().await?)
    }
}

impl Writer for CopyWriter {
    fn write<'a>(&'a mut self, batch: Batch) -> BoxFuture<'a, Result<Accepted>> {
        Box::pin(async move {
            let taken = self.take(batch).await;
            taken.at(self.place.as_str())
        })
    }

    fn finish(mut self: Box<Self>) -> BoxFuture<'static, Result<Accepted>> {
        Box::pin(async move {
            let accepted = self.end().await.at(self.place.as_str())?;
            if self.scope == Scope::Own {
                self.session.client.batch_execute("COMMIT").await.pg().at(self.place.as_str())?;
            }
            Ok(accepted)
        })
    }
}
