//! Drives one reader: pulls batches, drops rows seen before, maps the rest, and queues them.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use levada_core::batch::Data;
use levada_core::error::Result;
use levada_core::source::Reader;

use super::lane::Lanes;

/// Runs until the reader ends or is cut off, the queue is closed, or something fails.
///
/// # Errors
/// What the reader or the mapping failed with; `Data` for a bad row without quarantine.
pub async fn extract(mut reader: Box<dyn Reader>, number: usize, lanes: Arc<Lanes>) -> Result<()> {
    while let Some(room) = lanes.channel.reserve(number).await {
        let asked = Instant::now();
        let mut batch = match reader.next().await {
            Ok(Some(batch)) => batch,
            Ok(None) => {
                lanes.ended_at(reader.position());
                break;
            }
            Err(error) => {
                lanes.cut_off(error)?;
                break;
            }
        };
        let rows = batch.rows() + batch.rejects.len() as u64;
        lanes.rows_read.fetch_add(rows, Relaxed);
        lanes.progress.read(rows, batch.bytes(), asked.elapsed());

        let mapping = Instant::now();
        if let (Some(overlap), Data::Arrow(rows)) = (&lanes.overlap, &batch.data) {
            batch.data = Data::Arrow(overlap.apply(rows)?);
        }
        if let Some(transform) = &lanes.transform {
            batch = transform.apply(batch)?;
        }
        lanes.reject(std::mem::take(&mut batch.rejects))?;
        if let (Some(sent), Data::Arrow(rows)) = (&lanes.sent, &batch.data) {
            sent.add(rows)?;
        }
        lanes.progress.transformed(mapping.elapsed());

        if batch.rows() > 0 && !lanes.channel.send(batch, room) {
            return Ok(());
        }
    }
    lanes.channel.done(number);
    Ok(())
}
