//! What happens to a batch between source and destination.

use arrow_schema::SchemaRef;

use crate::batch::Batch;
use crate::error::Result;

/// A pure, row-wise function over batches; one instance is shared by all readers.
pub trait Transform: Send + Sync {
    /// The columns that come out.
    fn output(&self) -> SchemaRef;

    /// Maps one batch of columns. Rows that cannot be mapped leave as rejects: rows in = rows out + rejects.
    fn apply(&self, batch: Batch) -> Result<Batch>;
}
