//! The upkeep of a table after a commit: many small files become few large ones, and files that no version within the
//! retention names are removed. Checkpoints are part of commits. What fails here fails nothing: the next commit tries again.

use std::sync::Arc;

use deltalake::DeltaTable;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties, TableReference};
use deltalake::kernel::{Action, Add};
use deltalake::operations::vacuum::VacuumMode;
use deltalake::protocol::DeltaOperation;
use deltalake::table::config::TablePropertiesExt as _;
use futures_util::TryStreamExt as _;
use levada_core::error::Result;

use crate::commit::alteration;
use crate::files::{Survey, removal};
use crate::load::Work;
use crate::session::{self, quoted};
use crate::{error, merge};

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
        tracing::warn!("the upkeep of the table `{}` is put off: {error}", work.spec.target);
    }
}

async fn upkeep(work: &Work) -> Result<()> {
    let Some(table) = work.place.newest(&work.spec.target).await? else { return Ok(()) };
    compact(work, &table).await?;
    let turn = |version: Option<u64>| version.unwrap_or_default() / VACUUM_EVERY;
    if turn(table.version()) > turn(work.since) {
        remove_old(work, table).await?;
    }
    Ok(())
}

/// Removes files that no version of the retention names: neither those that were replaced, nor those of loads that died.
async fn remove_old(work: &Work, table: DeltaTable) -> Result<()> {
    let own = table.snapshot().map_err(error::delta)?.table_config().deleted_file_retention_duration();
    let own = chrono::Duration::from_std(own).unwrap_or(chrono::Duration::MAX);
    let retention = chrono::Duration::hours(i64::from(work.retention_hours)).max(own);
    let vacuum = table.vacuum().with_mode(VacuumMode::Full).with_retention_period(retention);
    vacuum.await.map(|_| ()).map_err(error::delta)
}

/// Puts small files together, in a commit of its own that changes no row: loads that it comes in between build on it, and
/// readers of older versions keep their files until the retention is over. It is tried on the version that was read and on no
/// other: built on a later one, it would bring rows back that were put elsewhere meanwhile.
async fn compact(work: &Work, table: &DeltaTable) -> Result<()> {
    let state = table.snapshot().map_err(error::delta)?;
    let is_as_loaded = alteration(table, &work.columns.table)?.is_empty();
    if !is_as_loaded || !work.partitions.is_empty() {
        return Ok(());
    }
    let store = table.log_store();
    let (mut adds, mut actions) = (Vec::new(), Vec::new());
    let mut views = state.snapshot().file_views(store.as_ref(), None);
    while let Some(view) = views.try_next().await.map_err(error::delta)? {
        if (view.size().max(0) as u64) < work.target_bytes / SMALL_PART {
            actions.push(Action::Remove(removal(&view, false)?));
            #[allow(deprecated, reason = "what restricts a scan takes just these")]
            adds.push(view.add_action());
        }
    }
    drop(views);
    if adds.len() < SMALL_FILES {
        return Ok(());
    }
    let files = Survey::of(table).await?;
    files.confined()?;
    let session = session::open(&work.place, work.memory, 1, files.row_bytes(), true)?;
    let provider = table.table_provider().with_adds(adds).build().await.map_err(error::query)?;
    session.register_table("small", Arc::new(provider)).map_err(error::query)?;
    let list: Vec<String> = work.columns.table.fields().iter().map(|field| quoted(field.name())).collect();
    let made = merge::write(work, &session, &format!("SELECT {} FROM small", list.join(", "))).await?;
    actions.extend(made.into_iter().map(|file| Action::Add(Add { data_change: false, ..file })));
    let operation = DeltaOperation::Optimize { predicate: None, target_size: work.target_bytes as i64 };
    let commit = CommitBuilder::from(CommitProperties::default().with_max_retries(0)).with_actions(actions).build(
        Some(state as &dyn TableReference),
        store.clone(),
        operation,
    );
    // files of a commit that was not answered may be named: they stay until they are old
    commit.await.map(|_| ()).map_err(error::delta)
}
