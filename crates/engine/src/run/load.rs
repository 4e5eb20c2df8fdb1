//! Drives one writer: takes batches from the queue and counts what the destination says it took.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use levada_core::destination::{Accepted, Writer};
use levada_core::error::Result;

use super::lane::Lanes;

/// Runs until the queue is empty and all readers have ended, then flushes.
///
/// # Errors
/// What the writer failed with; `Data` for a bad row without quarantine.
pub async fn load(mut writer: Box<dyn Writer>, lanes: Arc<Lanes>) -> Result<()> {
    loop {
        let idle = Instant::now();
        let Some((batch, _room)) = lanes.channel.receive().await else { break };
        lanes.progress.starved(idle.elapsed());
        let writing = Instant::now();
        let accepted = writer.write(batch).await?;
        count(&lanes, accepted, writing)?;
    }
    let writing = Instant::now();
    let accepted = writer.finish().await?;
    count(&lanes, accepted, writing)
}

fn count(lanes: &Lanes, accepted: Accepted, since: Instant) -> Result<()> {
    lanes.rows_written.fetch_add(accepted.rows, Relaxed);
    lanes.progress.written(accepted.rows, since.elapsed());
    if let Some(sent) = &lanes.sent {
        sent.remove(&accepted.rejects);
    }
    lanes.reject(accepted.rejects)
}
