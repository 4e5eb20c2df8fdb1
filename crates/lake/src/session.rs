//! Sessions of the query engine with a budget: what does not fit into memory goes to disk.

use std::sync::Arc;

use deltalake::datafusion::execution::SessionStateBuilder;
use deltalake::datafusion::execution::runtime_env::RuntimeEnvBuilder;
use deltalake::datafusion::prelude::{SessionConfig, SessionContext};
use deltalake::delta_datafusion::DeltaSessionConfig;
use levada_core::error::Result;

use crate::error;
use crate::place::Place;
use crate::pool::Pool;

/// Rows that operators work on at once at most.
const ROWS_MAX: usize = 8192;
const ROWS_MIN: usize = 16;
/// The memory holds about so many batches.
const BATCHES: usize = 64;
/// A sort sets this part of the memory aside for merging what it wrote to disk.
const MERGE_PART: usize = 8;

/// A new session over the files of a place; rows take about `row_bytes`.
///
/// # Errors
/// `Full`, `Io` where there is no folder for temporary files.
pub fn open(place: &Place, memory: usize, width: usize, row_bytes: u64, sorts_joins: bool) -> Result<SessionContext> {
    let rows = (memory / BATCHES) as u64 / row_bytes.max(1);
    let config: SessionConfig = DeltaSessionConfig::default().into();
    let config = config
        .with_target_partitions(width.max(1))
        .with_batch_size((rows as usize).clamp(ROWS_MIN, ROWS_MAX))
        // those of old Spark, which have nanoseconds of any year
        .set_str("datafusion.execution.parquet.coerce_int96", "us")
        // what is sorted stays so on its way to a join
        .set_bool("datafusion.optimizer.prefer_existing_sort", true)
        .set_usize("datafusion.execution.sort_spill_reservation_bytes", memory / MERGE_PART / width.max(1))
        // a join by hash keeps one side in memory as a whole; one by sorting goes to disk
        .set_bool("datafusion.optimizer.prefer_hash_join", !sorts_joins);
    let pool = Arc::new(Pool::new(memory, width));
    let runtime = RuntimeEnvBuilder::new().with_memory_pool(pool).build_arc().map_err(error::query)?;
    let (url, store) = place.root_store();
    runtime.register_object_store(&url, store);
    let state =
        SessionStateBuilder::new().with_default_features().with_config(config).with_runtime_env(runtime).build();
    Ok(SessionContext::new_with_state(state))
}

/// A name in the words of the query engine.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
