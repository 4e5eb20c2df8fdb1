//! What workers of this machine that are gone have left running: processes of attempts that nobody holds any more. A
//! daemon that a task started on purpose stays, as long as that attempt succeeded.

use std::path::Path;

use levada_core::error::Result;
use levada_core::run::State;
use levada_store::Store;

use crate::task::processes;

/// Kills the processes of attempts that are not held any more and did not succeed, as far as they work in the folder
/// where this process keeps its data. Says how many there were.
///
/// # Errors
/// Those of the store, and `Busy` if some do not go.
pub async fn kill_left_behind(store: &Store, data_dir: &Path) -> Result<usize> {
    let mut killed = 0;
    for left in processes::attempts_in(&data_dir.join("runs")).await? {
        // asked after the process was seen: whoever has just been given the attempt is known by now
        let standing = store.standing(left.task_run).await?;
        let stays = |state: State| state.is_held() || state == State::Succeeded;
        if standing.is_none_or(|(state, attempt)| attempt == left.attempt && stays(state)) {
            continue;
        }
        killed += processes::kill_by_cookie(&left.cookie).await?;
    }
    Ok(killed)
}
