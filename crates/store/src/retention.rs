//! What goes, so that the store does not grow for ever: old runs with all that belongs to them, workers that are gone,
//! sessions that have expired, and datasets that nobody has met for a year.

use std::collections::HashSet;
use std::time::Duration;

use levada_core::error::Result;
use levada_core::id::RunId;
use levada_core::time::Timestamp;

use crate::Store;
use crate::db::{Tx, Value, list};

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Runs that ended less long ago.
    pub age: Duration,
    /// Most runs of one pipeline that have ended.
    pub runs: u32,
}

/// Most runs removed in one transaction, so that nobody waits for long.
const BATCH: i64 = 100;
/// Most runs asked for in one statement.
const LOOK_MAX: usize = 1_000;
/// How long workers are remembered that are gone.
const WORKERS: Duration = Duration::from_secs(24 * 3_600);
/// How long datasets are known that no run meets any more, and that nobody wrote anything about.
const UNSEEN: Duration = Duration::from_secs(365 * 24 * 3_600);
/// How long runs of others are known, to which late events may belong.
const EXTERNAL: Duration = Duration::from_secs(31 * 24 * 3_600);
/// How long it is known what was moved.
const MOVED: Duration = Duration::from_secs(31 * 24 * 3_600);

impl Store {
    /// Removes runs that are too old or too many, up to a batch of them; never one that is open, nor the last of its
    /// pipeline that succeeded. Answers which, so that their logs and files can go: an empty answer means that nothing
    /// is left to remove. Removes workers that have been gone for a day, and sessions
    /// that have expired.
    pub async fn remove_old(&self, keep: Keep, now: Timestamp) -> Result<Vec<RunId>> {
        let found = self.db.read(async move |tx: &mut Tx| old(tx, keep, now).await).await?;
        self.db.write(async move |tx: &mut Tx| remove(tx, &found, now).await).await
    }

    /// Whether [`Store::remove_old`] would find a run or a worker. Only reads, for those to whom a commit in vain is dear.
    pub async fn has_old(&self, keep: Keep, now: Timestamp) -> Result<bool> {
        self.db.read(async move |tx: &mut Tx| has_old(tx, keep, now).await).await
    }

    /// Those of some runs that were here and are no more. Numbers after the newest run tell of another store, and are none.
    pub async fn removed_runs(&self, runs: Vec<RunId>) -> Result<Vec<RunId>> {
        self.db.read(async move |tx: &mut Tx| removed(tx, &runs).await).await
    }
}

async fn has_old(tx: &mut Tx, keep: Keep, now: Timestamp) -> Result<bool> {
    let gone = "SELECT id FROM workers WHERE state = 'gone' AND beat_at < $1 LIMIT 1";
    Ok(tx.row(gone, &[now.minus(WORKERS).into()]).await?.is_some() || !old(tx, keep, now).await?.is_empty())
}

async fn removed(tx: &mut Tx, runs: &[RunId]) -> Result<Vec<RunId>> {
    let newest = tx.row("SELECT id FROM runs ORDER BY id DESC LIMIT 1", &[]).await?;
    let Some(newest) = newest.map(|mut row| row.int()).transpose()?.map(RunId) else { return Ok(Vec::new()) };
    let runs: Vec<RunId> = runs.iter().copied().filter(|run| *run < newest).collect();
    let mut known = HashSet::new();
    for some in runs.chunks(LOOK_MAX) {
        let mut values = Vec::new();
        let those = tx.among("id", &mut values, some.iter().copied());
        for mut row in tx.rows(&format!("SELECT id FROM runs WHERE {those}"), &values).await? {
            known.insert(RunId(row.int()?));
        }
    }
    Ok(runs.into_iter().filter(|run| !known.contains(run)).collect())
}

/// The runs to remove. One that a backfill in progress folds over stays.
pub(crate) async fn old(tx: &mut Tx, keep: Keep, now: Timestamp) -> Result<Vec<RunId>> {
    let mut found = Vec::new();
    let stays = "r.id <> COALESCE((SELECT MAX(s.id) FROM runs s WHERE s.pipeline = r.pipeline AND s.state = 'succeeded'), 0) \
                 AND NOT EXISTS (SELECT 1 FROM backfills b WHERE b.id = r.backfill AND b.ended_at IS NULL)";
    let by_age = format!(
        "SELECT r.id FROM runs r WHERE r.ended_at IS NOT NULL AND r.ended_at < $1 AND {stays} ORDER BY r.ended_at LIMIT {BATCH}"
    );
    for mut row in tx.rows(&by_age, &[now.minus(keep.age).into()]).await? {
        found.push(RunId(row.int()?));
    }
    // those of files that `levada run` was given have a document, and are none of the project's
    let pipelines =
        "SELECT name FROM pipelines UNION SELECT name FROM documents WHERE kind = 'local_pipeline' ORDER BY name";
    // the newest run that is one too many, found in the index, and then those before it
    let first = "SELECT id FROM runs WHERE pipeline = $1 AND ended_at IS NOT NULL ORDER BY id DESC LIMIT 1 OFFSET $2";
    let before = format!(
        "SELECT r.id FROM runs r WHERE r.pipeline = $1 AND r.id <= $2 AND r.ended_at IS NOT NULL AND {stays} \
         ORDER BY r.id LIMIT {BATCH}"
    );
    for mut row in tx.rows(pipelines, &[]).await? {
        let name = row.text()?;
        let Some(mut first) = tx.row(first, &[name.as_str().into(), keep.runs.into()]).await? else { continue };
        for mut row in tx.rows(&before, &[name.into(), first.int()?.into()]).await? {
            found.push(RunId(row.int()?));
        }
        if found.len() as i64 >= BATCH {
            break;
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

async fn remove(tx: &mut Tx, runs: &[RunId], now: Timestamp) -> Result<Vec<RunId>> {
    let gone = "DELETE FROM workers WHERE state = 'gone' AND beat_at < $1";
    tx.later(gone, &[now.minus(WORKERS).into()]).await?;
    crate::access::remove_expired(tx, now).await?;
    crate::progress::remove_old(tx, now.minus(WORKERS), now.minus(MOVED)).await?;
    crate::catalogue::remove_unseen(tx, now.minus(UNSEEN), now.minus(EXTERNAL)).await?;
    if runs.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Value> = runs.iter().map(|run| (*run).into()).collect();
    let sql = format!("DELETE FROM runs WHERE ended_at IS NOT NULL AND id IN {} RETURNING id", list(ids.len(), 1));
    tx.rows(&sql, &ids).await?.iter_mut().map(|row| row.int().map(RunId)).collect()
}
