//! New files of a table, closed when they are large enough, and earlier where the rows of many partitions wait in memory.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use deltalake::datafile::writer::DeltaWriter;
use deltalake::kernel::Add;
use levada_core::error::Result;

use crate::error;
use crate::load::Work;

/// Compressed, so many times as much as a file is to have makes one.
const UNPACKED: u64 = 4;

/// Files that rows are written to.
pub struct Output {
    columns: SchemaRef,
    /// What is written before the files are closed, in bytes of memory.
    limit: u64,
    open: Option<DeltaWriter>,
    bytes: u64,
    closed: Vec<Add>,
}

impl Output {
    /// Files with these columns, by one of so many writers that share the memory of the connection.
    pub fn new(work: &Work, columns: SchemaRef, writers: usize) -> Self {
        // of each partition that has rows a part of a file waits
        let limit = match work.partitions.is_empty() {
            true => UNPACKED * work.target_bytes,
            false => (work.memory / writers.max(1)) as u64,
        };
        Self { columns, limit, open: None, bytes: 0, closed: Vec::new() }
    }

    /// Adds rows.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn write(&mut self, work: &Work, rows: RecordBatch) -> Result<()> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let writer = self.open.get_or_insert_with(|| work.file_writer(&self.columns));
        let rows = rows.with_schema(self.columns.clone()).map_err(error::arrow)?;
        writer.write(&rows).await.map_err(error::delta)?;
        self.bytes += rows.get_array_memory_size() as u64;
        if self.bytes >= self.limit { self.close().await } else { Ok(()) }
    }

    /// Closes what is open.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn close(&mut self) -> Result<()> {
        self.bytes = 0;
        if let Some(writer) = self.open.take() {
            self.closed.extend(writer.close().await.map_err(error::delta)?);
        }
        Ok(())
    }

    /// The files that were closed since this was asked last.
    pub fn closed(&mut self) -> Vec<Add> {
        std::mem::take(&mut self.closed)
    }

    /// Removes all files that nobody asked for.
    pub async fn abort(mut self, work: &Work) {
        if let Some(writer) = self.open.take() {
            let _ = writer.abort().await;
        }
        work.remove(&self.closed).await;
    }
}
