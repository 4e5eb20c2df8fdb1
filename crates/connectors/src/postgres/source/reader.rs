//! One reader: takes ranges from the queue, copies each out, and hands on batches of columns or chunks of raw rows.

use std::pin::Pin;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use levada_core::batch::Batch;
use levada_core::error::{Context, Error, ErrorKind, Result};
use levada_core::source::Reader;
use tokio_postgres::CopyOutStream;

use super::Queue;
use super::decode::Decoder;
use super::slices::Slices;
use crate::postgres::error::Translate;
use crate::postgres::session::Session;

/// How large chunks of raw rows are.
const CHUNK: usize = 1 << 20;
/// After a batch of this size the session rests until the next one is asked for: it would read several rows ahead.
const HUGE_BYTES: usize = 16 << 20;

/// What becomes of the rows.
pub enum Output {
    /// They are decoded.
    Arrow(Box<Decoder>),
    /// They are passed on.
    Raw(Raw),
}

/// Rows to be passed on.
#[derive(Default)]
pub struct Raw {
    rows: u64,
    chunk: BytesMut,
    /// A row as large as a chunk, which stays in the message that brought it.
    huge: Option<Bytes>,
}

impl Raw {
    fn push(&mut self, row: Bytes) {
        self.rows += 1;
        if self.rows == 1 && row.len() >= CHUNK {
            self.huge = Some(row);
            return;
        }
        if let Some(huge) = self.huge.take() {
            self.chunk.extend_from_slice(&huge);
        }
        if self.chunk.capacity() == 0 {
            self.chunk.reserve(CHUNK + (64 << 10));
        }
        self.chunk.extend_from_slice(&row);
    }

    fn is_full(&self) -> bool {
        self.huge.is_some() || self.chunk.len() >= CHUNK
    }

    fn take(&mut self) -> Batch {
        let Self { rows, chunk, huge } = std::mem::take(self);
        Batch::raw(rows, huge.unwrap_or_else(|| chunk.freeze()))
    }
}

/// Which rows of a range are read.
pub struct Rows {
    /// What is true of them all.
    pub conditions: Vec<String>,
    /// How many at most.
    pub limit: Option<u64>,
}

/// A reader over one session.
pub struct CopyReader {
    session: Option<Session>,
    queue: Queue,
    columns: String,
    rows: Rows,
    stream: Option<Pin<Box<CopyOutStream>>>,
    tuples: Tuples,
    output: Output,
    place: String,
    slices: Option<Arc<Slices>>,
    /// The slice under way.
    slice: Option<usize>,
    /// The slice whose last rows were handed on.
    ended: Option<usize>,
}

impl CopyReader {
    /// A reader whose session has begun its transaction.
    pub fn new(
        session: Session,
        queue: Queue,
        columns: String,
        rows: Rows,
        output: Output,
        place: String,
        slices: Option<Arc<Slices>>,
    ) -> Self {
        let (session, tuples) = (Some(session), Tuples::default());
        let (stream, slice, ended) = (None, None, None);
        Self { session, queue, columns, rows, stream, tuples, output, place, slices, slice, ended }
    }

    async fn advance(&mut self) -> Result<Option<Batch>> {
        loop {
            // Whoever asks for more has taken what was there.
            if let (Some(slices), Some(ended)) = (&self.slices, self.ended.take()) {
                slices.done(ended);
            }
            if self.stream.is_none() && !self.start().await? {
                return self.end().await;
            }
            let Some(stream) = &mut self.stream else { continue };
            match stream.next().await {
                None => {
                    if !self.tuples.carry.is_empty() {
                        return Err(Error::new(ErrorKind::Data, "the server ended its answer within a row"));
                    }
                    self.stream = None;
                    self.ended = self.slice.take();
                    if self.ended.is_some()
                        && let Some(batch) = self.output.take(true)?
                    {
                        return Ok(Some(batch));
                    }
                }
                Some(message) => {
                    self.tuples.feed(message.pg()?, &mut self.output)?;
                    if let Some(batch) = self.output.take(false)? {
                        return Ok(Some(batch));
                    }
                }
            }
        }
    }

    /// Starts on the next range; false if there is none.
    async fn start(&mut self) -> Result<bool> {
        let Some(session) = &self.session else { return Ok(false) };
        let range =
            self.queue.lock().map_err(|_| Error::new(ErrorKind::Internal, "another reader failed"))?.pop_front();
        let Some(range) = range else { return Ok(false) };
        let conditions: Vec<String> = range.condition().into_iter().chain(self.rows.conditions.clone()).collect();
        let filter = if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
        let limit = self.rows.limit.map(|rows| format!(" LIMIT {rows}")).unwrap_or_default();
        let copy =
            format!("COPY (SELECT {} FROM {}{filter}{limit}) TO STDOUT (FORMAT binary)", self.columns, range.from);
        self.stream = Some(Box::pin(session.client.copy_out(&copy).await.pg()?));
        self.tuples = Tuples::default();
        self.slice = range.slice.map(|slice| slice.number);
        Ok(true)
    }

    async fn end(&mut self) -> Result<Option<Batch>> {
        if let Some(session) = self.session.take() {
            session.client.batch_execute("COMMIT").await.pg()?;
            session.close().await;
        }
        self.output.take(true)
    }
}

impl Reader for CopyReader {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Batch>>> {
        Box::pin(async {
            if let Some(session) = &self.session {
                session.resume();
            }
            let next = self.advance().await;
            if let (Ok(Some(batch)), Some(session)) = (&next, &self.session)
                && batch.bytes() >= HUGE_BYTES
            {
                session.pause();
            }
            next.map_err(|error| match &self.slices {
                Some(slices) => slices.reached(error),
                None => error,
            })
            .at(self.place.as_str())
        })
    }
}

impl Output {
    fn take(&mut self, last: bool) -> Result<Option<Batch>> {
        match self {
            Self::Arrow(decoder) if decoder.is_full() || last && !decoder.is_empty() => decoder.finish().map(Some),
            Self::Raw(raw) if raw.is_full() || last && raw.rows > 0 => Ok(Some(raw.take())),
            _ => Ok(None),
        }
    }
}

/// Finds the rows in the bytes of a binary COPY ("COPY", section File Formats, of the PostgreSQL manual). The server sends
/// one row in a message; a row that is split is kept until the rest is there.
#[derive(Default)]
struct Tuples {
    header_done: bool,
    carry: BytesMut,
    places: Vec<(usize, i32)>,
}

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

impl Tuples {
    fn feed(&mut self, message: Bytes, output: &mut Output) -> Result<()> {
        let data = if self.carry.is_empty() {
            message
        } else {
            self.carry.extend_from_slice(&message);
            self.carry.split().freeze()
        };
        let mut at = 0;
        if !self.header_done {
            match header(&data)? {
                Some(length) => at = length,
                None => return self.keep(&data),
            }
            self.header_done = true;
        }
        while at < data.len() {
            match self.row(&data, at)? {
                Row::Complete(end) => {
                    self.emit(&data, at, end, output)?;
                    at = end;
                }
                Row::Trailer => return Ok(()),
                Row::Split => return self.keep(&data[at..]),
            }
        }
        Ok(())
    }

    fn keep(&mut self, rest: &[u8]) -> Result<()> {
        self.carry.extend_from_slice(rest);
        Ok(())
    }

    fn row(&mut self, data: &[u8], start: usize) -> Result<Row> {
        let Some(count) = data.get(start..start + 2) else { return Ok(Row::Split) };
        let count = i16::from_be_bytes([count[0], count[1]]);
        if count < 0 {
            return Ok(Row::Trailer);
        }
        let mut at = start + 2;
        self.places.clear();
        for _ in 0..count {
            let Some(length) = data.get(at..at + 4) else { return Ok(Row::Split) };
            let length = i32::from_be_bytes([length[0], length[1], length[2], length[3]]);
            at += 4;
            self.places.push((at, length));
            at += length.max(0) as usize;
        }
        Ok(if at <= data.len() { Row::Complete(at) } else { Row::Split })
    }

    fn emit(&self, data: &Bytes, start: usize, end: usize, output: &mut Output) -> Result<()> {
        match output {
            Output::Arrow(decoder) if self.places.len() == decoder.width() => decoder.push(data, &self.places),
            Output::Arrow(_) => {
                Err(Error::new(ErrorKind::Data, "the server sent a row with another number of columns"))
            }
            Output::Raw(raw) => {
                raw.push(data.slice(start..end));
                Ok(())
            }
        }
    }
}

enum Row {
    Complete(usize),
    Trailer,
    Split,
}

/// The length of the header, if all of it is there.
fn header(data: &[u8]) -> Result<Option<usize>> {
    if data.len() < 19 {
        return Ok(None);
    }
    let flags = u32::from_be_bytes([data[11], data[12], data[13], data[14]]);
    let extension = u32::from_be_bytes([data[15], data[16], data[17], data[18]]) as usize;
    if !data.starts_with(SIGNATURE) || flags & 0xffff_0000 != 0 {
        return Err(Error::new(ErrorKind::Data, "the server's answer is not a binary COPY that this version can read"));
    }
    Ok((data.len() >= 19 + extension).then_some(19 + extension))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use arrow_schema::Schema;

    use super::*;
    use crate::postgres::types::Kind;

    /// A binary COPY of two rows with a value of every kind.
    fn copy_of_every_kind() -> (Schema, Vec<u8>) {
        let number = [0, 2, 0, 0, 0, 0, 0, 2, 0, 1, 0x13, 0x88];
        let columns: [(&str, &[u8]); 15] = [
            ("boolean", &[1]),
            ("smallint", &[0, 1]),
            ("integer", &[0xff; 4]),
            ("bigint", &[0x7f; 8]),
            ("real", &[0x3f, 0x80, 0, 0]),
            ("double precision", &[0x3f, 0xf0, 0, 0, 0, 0, 0, 0]),
            ("numeric(10,2)", &number),
            ("numeric(60,2)", &number),
            ("text", "größe".as_bytes()),
            ("bytea", &[0, 0xff]),
            ("date", &[0, 0, 0x20, 0]),
            ("time without time zone", &[0, 0, 0, 1, 0, 0, 0, 0]),
            ("timestamp with time zone", &[0, 2, 0, 0, 0, 0, 0, 0]),
            ("uuid", &[7; 16]),
            ("jsonb", b"\x01{}"),
        ];
        let fields = columns.iter().map(|(native, _)| {
            let (data_type, logical) = Kind::of(native, false).arrow();
            levada_core::schema::field(native, data_type, true, &format!("postgres:{native}"), logical)
        });
        let schema = Schema::new(fields.collect::<Vec<_>>());
        let mut bytes = [SIGNATURE, &[0; 8]].concat();
        for _ in 0..2 {
            bytes.extend((columns.len() as u16).to_be_bytes());
            for (_, value) in columns {
                bytes.extend((value.len() as u32).to_be_bytes());
                bytes.extend(value);
            }
        }
        bytes.extend([255, 255]);
        (schema, bytes)
    }

    #[test]
    fn bent_rows_are_rows_rejects_or_errors() {
        let (schema, good) = copy_of_every_kind();
        let read = |bytes: &[u8], step: usize| {
            let mut output = Output::Arrow(Box::new(Decoder::new(&schema, false, 1 << 20).unwrap()));
            let mut tuples = Tuples::default();
            bytes.chunks(step).try_for_each(|piece| tuples.feed(Bytes::copy_from_slice(piece), &mut output))?;
            output.take(true)
        };
        let whole = read(&good, good.len()).unwrap().unwrap();
        assert_eq!((whole.rows(), whole.rejects.len()), (2, 0));
        for seed in 0..5_000 {
            let bytes = levada_testkit::bent::bent(&good, seed);
            if let Err(error) = read(&bytes, 1 + seed as usize % 97) {
                assert_eq!(error.kind(), ErrorKind::Data, "seed {seed}: {error}");
            }
        }
    }

    #[test]
    fn rows_are_found_however_the_bytes_are_cut() {
        let mut bytes = [SIGNATURE, &[0; 8]].concat();
        for row in 0..3_u8 {
            bytes.extend([0, 2, 0, 0, 0, 1, row, 255, 255, 255, 255]);
        }
        bytes.extend([255, 255]);
        for step in 1..bytes.len() {
            let mut output = Output::Raw(Raw::default());
            let mut tuples = Tuples::default();
            for piece in bytes.chunks(step) {
                tuples.feed(Bytes::copy_from_slice(piece), &mut output).unwrap();
            }
            let Output::Raw(raw) = output else { panic!() };
            assert_eq!((raw.rows, raw.chunk.len()), (3, 33), "step {step}");
        }
    }
}
