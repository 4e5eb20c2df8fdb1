//! Turns batches into the bytes of a COPY: the binary format wherever every column has a binary form that does not
//! depend on the server's own type numbers, else the text format.

mod binary;
mod exact;
mod numeric;
mod text;

use std::ops::Range;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema};
use levada_core::error::{Error, ErrorKind};

use crate::postgres::types::Kind;

pub use self::exact::check;

/// The two formats of COPY in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `FORMAT binary`.
    Binary,
    /// `FORMAT text`.
    Text,
}

/// Bytes after which rows are sent.
pub const CHUNK: usize = 256 << 10;

/// What stands before the rows of a binary COPY.
pub const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What stands after them.
pub const TRAILER: &[u8] = &[0xff, 0xff];

/// A value that cannot be written.
#[derive(Debug)]
pub struct Unwritable {
    /// Its column.
    pub column: String,
    /// Why, as one sentence.
    pub reason: String,
}

impl From<Unwritable> for Error {
    fn from(bad: Unwritable) -> Self {
        Error::new(ErrorKind::Data, bad.reason).at(format!("column {}", bad.column))
    }
}

impl Format {
    /// The format for columns whose fields tell the target's native types.
    pub fn of(schema: &Schema) -> Self {
        if schema.fields().iter().all(|field| has_binary(field)) { Self::Binary } else { Self::Text }
    }

    /// Its word in the COPY statement.
    pub fn word(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Text => "text",
        }
    }

    /// Appends rows from `rows` until there is a chunk's worth of bytes; returns the first row left over.
    ///
    /// # Errors
    /// For the first value that has no form; `out` then holds a part of the rows.
    pub fn encode(self, batch: &RecordBatch, rows: Range<usize>, out: &mut Vec<u8>) -> Result<usize, Unwritable> {
        match self {
            Self::Binary => binary::encode(batch, rows, out),
            Self::Text => Ok(text::encode(batch, rows, out)),
        }
    }
}

fn has_binary(field: &Field) -> bool {
    match (Kind::of_field(field), field.data_type()) {
        (Kind::Interval, data_type) => matches!(data_type, DataType::Duration(_)),
        (Kind::Bits | Kind::Foreign, _) => false,
        _ => true,
    }
}
