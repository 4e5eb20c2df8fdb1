//! The upkeep of a table after a commit: many small files become few large ones, and files that no version within the
//! retention names are removed. Checkpoints are part of commits. What fails here fails nothing: the next commit tries again.

use std::num::NonZeroU64;
use std::sync::Arc;

use deltalake::DeltaTable;
use futures_util::TryStreamExt as _;
use levada_core::error::Result;

use crate::load::Work;
use crate::{error, session};

/// So many small files are put together.
const SMALL_FILES: usize = 32;
/// A file is small below this part of the size that is aimed for.
const SMALL_PART: u64 = 4;
/// After so many versions old files are looked for.
const VACUUM_EVERY: u64 = 100;

/// Does what is due.
pub async fn after_commit(work: &Work) {
    if work.retention_hours == 0 {
        return;
    }
    if let Err(error) = upkeep(work).await {
        tracing::debug!("upkeep of `{}`: {error}", work.spec.target);
    }
}

async fn upkeep(work: &Work) -> Result<()> {
    let Some(table) = work.place.newest(&work.spec.target).await? else { return Ok(()) };
    // the version between two loads can be one of upkeep
    let is_due = table.version().is_some_and(|version| version >= VACUUM_EVERY && version % VACUUM_EVERY < 2);
    if small_files(work, &table).await? >= SMALL_FILES {
        compact(work, table.clone()).await?;
    }
    if is_due {
        let retention = chrono::Duration::hours(i64::from(work.retention_hours));
        let vacuum = table.vacuum().with_retention_period(retention).with_enforce_retention_duration(true);
        vacuum.await.map_err(error::delta)?;
    }
    Ok(())
}

async fn small_files(work: &Work, table: &DeltaTable) -> Result<usize> {
    let state = table.snapshot().map_err(error::delta)?;
    let store = table.log_store();
    let views = state.snapshot().file_views(store.as_ref(), None);
    let small = views.try_filter(|view| {
        let is_small = (view.size().max(0) as u64) < work.target_bytes / SMALL_PART;
        async move { is_small }
    });
    let count = small.try_fold(0, |count, _| async move { Ok(count + 1) }).await;
    count.map_err(error::delta)
}

/// A commit of its own that changes no row: loads that it comes in between build on it, and readers of older versions keep
/// their files until the retention is over.
async fn compact(work: &Work, table: DeltaTable) -> Result<()> {
    let session = session::open(&work.place, work.memory, 1, true)?;
    let target = NonZeroU64::new(work.target_bytes).unwrap_or(NonZeroU64::MAX);
    let done = table.optimize().with_target_size(target).with_max_concurrent_tasks(1);
    done.with_session_state(Arc::new(session.state())).await.map_err(error::delta)?;
    Ok(())
}
