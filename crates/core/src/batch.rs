//! What travels from a source to a destination: columns, or raw rows in a format both ends speak, and the rows that
//! could not be carried with the reason why.

use arrow_array::RecordBatch;
use bytes::Bytes;

/// Rows on their way, plus the rows of the same read that could not be represented.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The rows.
    pub data: Data,
    /// Rows that were read but cannot go on; they are part of the rows read.
    pub rejects: Vec<Reject>,
}

/// The two forms in which rows travel.
#[derive(Debug, Clone)]
pub enum Data {
    /// Columns; the only form that transforms, casts and most connectors see.
    Arrow(RecordBatch),
    /// Whole rows in a wire format that source and destination share, passed on unread.
    Raw(RawRows),
}

/// Whole rows in a wire format.
#[derive(Debug, Clone)]
pub struct RawRows {
    /// How many rows `bytes` holds.
    pub rows: u64,
    /// The rows, back to back, without any header or trailer of the format.
    pub bytes: Bytes,
}

/// A wire format two connectors can share; equal names promise equal bytes for equal native types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RawFormat(pub &'static str);

/// A row that could not be loaded.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Reject {
    /// The row as a JSON object (column name to canonical text or null), as far as it could be read.
    pub row: String,
    /// The column at fault, by its source name, where one is.
    pub column: Option<String>,
    /// Why, as one sentence.
    pub reason: String,
}

impl Batch {
    /// A batch of columns without rejects.
    pub fn arrow(batch: RecordBatch) -> Self {
        Self { data: Data::Arrow(batch), rejects: Vec::new() }
    }

    /// A batch of raw rows without rejects.
    pub fn raw(rows: u64, bytes: Bytes) -> Self {
        Self { data: Data::Raw(RawRows { rows, bytes }), rejects: Vec::new() }
    }

    /// How many good rows it holds.
    pub fn rows(&self) -> u64 {
        match &self.data {
            Data::Arrow(batch) => batch.num_rows() as u64,
            Data::Raw(raw) => raw.rows,
        }
    }

    /// How many bytes of memory its rows take.
    pub fn bytes(&self) -> usize {
        match &self.data {
            Data::Arrow(batch) => {
                batch.columns().iter().map(|c| c.to_data().get_slice_memory_size().unwrap_or(0)).sum()
            }
            Data::Raw(raw) => raw.bytes.len(),
        }
    }
}
