//! What a connector offers to be read from: discovery of streams, and parallel readers over one consistent view.

use arrow_schema::{Field, SchemaRef};
use futures_util::future::BoxFuture;

use crate::batch::{Batch, RawFormat};
use crate::condition::Condition;
use crate::dataset::ColumnEdge;
use crate::error::Result;
use crate::position::Position;
use crate::schema;

/// A connection seen as a source.
pub trait Source: Send + Sync {
    /// The streams that match: all of them without a selector, else a name, a wildcard (`public.dim_*`) or, for files,
    /// a path or glob. Nothing found is an empty list.
    ///
    /// # Errors
    /// `Connect`, `Auth`, `Permission`; `Data` where a file's schema cannot be told.
    fn discover<'a>(&'a self, selector: Option<&'a str>) -> BoxFuture<'a, Result<Vec<StreamInfo>>>;

    /// Whether a column of a discovered stream can be the cursor of an incremental read, with this lag; asked when a load is
    /// planned. A source whose cursors are of fewer types than those that have an order says so here.
    ///
    /// # Errors
    /// `Config`, naming the column.
    fn check_cursor(&self, column: &Field, lag: Option<&str>) -> Result<()> {
        let _ = lag;
        schema::check_order(column)
    }

    /// Whether an incremental read of the stream of this name follows a cursor column, and so has to be given one; asked when
    /// a load is planned. A source whose streams bring an order of their own (files) says no.
    fn needs_cursor(&self, stream: &str) -> bool {
        let _ = stream;
        true
    }

    /// Whether a column of a discovered stream can be read as the text of its values; asked when a load is planned that wants
    /// text of it. A source says yes where some values have a text and no place in the column's type (NaN in a decimal).
    fn reads_as_text(&self, column: &Field) -> bool {
        let _ = column;
        false
    }

    /// The streams that a stream is made from, and which columns from which; `None` of one that lies in a system as it is.
    ///
    /// # Errors
    /// As for [`Source::discover`].
    fn origins<'a>(&'a self, stream: &'a StreamInfo) -> BoxFuture<'a, Result<Option<Vec<Origin>>>> {
        let _ = stream;
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Opens readers that together yield every row of the request exactly once, from one consistent view of the
    /// stream. The readers may be driven from different tasks; dropping one ends its work at the source.
    ///
    /// # Errors
    /// `NotFound` for a stream or column that is gone, `Connect`; `Config` as for [`Source::check_cursor`], and where
    /// there is no cursor that [`Source::needs_cursor`].
    fn read<'a>(&'a self, request: ReadRequest) -> BoxFuture<'a, Result<Extract>>;
}

/// One of the parallel readers of a stream.
pub trait Reader: Send {
    /// The next rows, or `None` at the end. Arrow batches have exactly the requested columns, in order, plus
    /// [`OVERLAP_COLUMN`] last where it was asked for. After an error the reader is not used again; an error of an
    /// incremental read may tell how far all readers together have come ([`crate::error::Error::position`]).
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Batch>>>;

    /// Where the stream stands now that this reader has ended, for sources that learn it by reading; it counts in place of
    /// [`Extract::position`].
    fn position(&self) -> Option<Position> {
        None
    }
}

/// Name of the extra boolean column that marks rows which a later incremental read will see again.
pub const OVERLAP_COLUMN: &str = "_levada_overlap";

/// What is known of a stream before it is read.
#[derive(Debug, Clone)]
pub struct StreamInfo {
    /// The name that selects just this stream.
    pub name: String,
    /// The schema or database the stream lives in, for systems that have such a thing.
    pub namespace: Option<String>,
    /// The last part of the name: table name, or file name without its endings.
    pub table: String,
    /// Its columns; see [`crate::schema`] for the types and metadata allowed.
    pub schema: SchemaRef,
    /// The columns of the primary key (or another unique, non-null key); empty if there is none.
    pub key: Vec<String>,
    /// How many rows it has, roughly.
    pub rows_estimate: Option<u64>,
    /// How many bytes it has at the source, roughly.
    pub bytes_estimate: Option<u64>,
    /// The raw format it can be read in, if any.
    pub raw: Option<RawFormat>,
    /// Whether the reader parses text and can therefore yield any requested column type at no cost (CSV, JSON).
    pub typed_by_request: bool,
}

/// What to read of a stream.
#[derive(Debug, Clone)]
pub struct ReadRequest {
    /// The stream, as discovered.
    pub stream: StreamInfo,
    /// The columns wanted, by source name and in this order. Their types are those of `stream.schema`, unless
    /// `stream.typed_by_request`; a column that [`Source::reads_as_text`] may be text.
    pub columns: SchemaRef,
    /// All rows, or those after a position.
    pub mode: ReadMode,
    /// `Some` asks for raw rows; only given where `stream.raw` offers that format and `columns` is the whole row.
    pub raw: Option<RawFormat>,
    /// Conditions that all wanted rows meet. Others may be given too, see [`crate::condition`].
    pub only: Vec<Condition>,
    /// How many rows are wanted in all, whichever; each reader may end after so many.
    pub limit: Option<u64>,
    /// At most this many readers.
    pub readers: usize,
    /// Aim for batches of about this many bytes in memory.
    pub batch_bytes: usize,
}

/// A stream that another one was made from.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Its name, as `connection.stream`.
    pub dataset: String,
    /// What is known of it.
    pub info: StreamInfo,
    /// Which of its columns went into which of the other's.
    pub columns: Vec<ColumnEdge>,
}

/// Which rows to read.
#[derive(Debug, Clone, PartialEq)]
pub enum ReadMode {
    /// Every row.
    Full,
    /// Rows from a position on, by an ascending cursor column; for files, files that are new or have changed.
    Incremental {
        /// The cursor column; `None` for streams that bring their own order (files).
        cursor: Option<String>,
        /// Where the last load ended; `None` reads everything, rows without a cursor value included.
        from: Option<Position>,
        /// How far before the last cursor value to look again, for rows that were committed late: a number in the
        /// cursor's unit, or a duration such as `5m` for a cursor of time. Zero if `None`; the read is inclusive.
        lag: Option<String>,
        /// Whether to add [`OVERLAP_COLUMN`].
        mark_overlap: bool,
    },
}

/// An opened read.
pub struct Extract {
    /// The readers, at least one.
    pub readers: Vec<Box<dyn Reader>>,
    /// Where the stream stands once all readers have ended; `None` in a full read of a stream without positions, and where
    /// a reader tells it at its end ([`Reader::position`]).
    pub position: Option<Position>,
    /// What the user should know, as sentences (for instance rows without a cursor value).
    pub warnings: Vec<String>,
    /// What was read before, has changed, and is read again as a whole with nothing to tell its old rows from new ones (names
    /// of files). It cannot be appended.
    pub again: Vec<String>,
}
