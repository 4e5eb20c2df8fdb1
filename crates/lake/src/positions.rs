//! The commits that streams left here. Each is a file that is never overwritten, written before the commit of the table; what
//! makes it count is the `txn` action of that commit, which names it by stream and number. So data and position are one act,
//! and the newest number of a table outlives clean-ups of its log, since checkpoints keep `txn` actions.

use std::collections::BTreeMap;

use deltalake::DeltaTable;
use levada_core::error::{Context, Error, ErrorKind, Result};
use levada_core::position::{Commit, StreamKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error;
use crate::place::Place;

const FOLDER: &str = "_levada/positions";
/// Files of a stream that stay besides the current one: a reader may have just learned their number.
const OLD_KEPT: usize = 2;

/// What a file holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    commit: Commit,
    /// Whether the stream was forgotten by this commit.
    #[serde(default)]
    is_forgotten: bool,
}

impl Entry {
    fn read(bytes: &[u8]) -> Result<Self> {
        let read = serde_json::from_slice(bytes);
        read.map_err(|error| Error::new(ErrorKind::Data, format!("a stored position is damaged: {error}")))
    }

    fn known(self) -> Option<Commit> {
        (!self.is_forgotten).then_some(self.commit)
    }
}

/// The number of a commit of a stream: the version of its `txn` action, and a part of its file's name.
pub type Number = i64;

/// What the `txn` actions of a stream are known by.
pub fn app_id(key: &StreamKey) -> String {
    format!("levada:{}", hash(key))
}

fn hash(key: &StreamKey) -> String {
    let named = serde_json::json!([key.pipeline, key.stream]).to_string();
    Sha256::digest(named.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn path(hash: &str, number: Number) -> String {
    format!("{FOLDER}/{hash}/{number:020}.json")
}

/// Writes the file of a commit that is about to be made. Returns its number, which no other commit of the stream has.
///
/// # Errors
/// Those of the store.
pub async fn prepare(place: &Place, commit: &Commit, is_forgotten: bool) -> Result<Number> {
    let hash = hash(&commit.key);
    let entry = Entry { commit: commit.clone(), is_forgotten };
    let bytes = serde_json::to_vec(&entry).map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
    let mut number = numbers(place, &hash).await?.last().map_or(1, |last| last + 1);
    while !place.put_new(&path(&hash, number), bytes.clone()).await? {
        // an answer may have been lost: then it is there already
        if place.read(&path(&hash, number)).await?.is_some_and(|there| there == bytes) {
            break;
        }
        number += 1;
    }
    Ok(number)
}

/// Takes the file of a commit away that was not made.
pub async fn withdraw(place: &Place, key: &StreamKey, number: Number) {
    place.remove(&path(&hash(key), number)).await;
}

/// Removes files of a stream that nobody asks for any more.
pub async fn prune(place: &Place, key: &StreamKey, current: Number) {
    let hash = hash(key);
    let Ok(numbers) = numbers(place, &hash).await else { return };
    let old: Vec<Number> = numbers.into_iter().filter(|number| *number < current).collect();
    for number in old.iter().rev().skip(OLD_KEPT) {
        place.remove(&path(&hash, *number)).await;
    }
}

/// The numbers of the files of a stream, ascending.
async fn numbers(place: &Place, hash: &str) -> Result<Vec<Number>> {
    let names = place.list(&format!("{FOLDER}/{hash}")).await?;
    let mut numbers: Vec<Number> = names.iter().filter_map(|name| number_of(name)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

fn number_of(name: &str) -> Option<Number> {
    name.strip_suffix(".json")?.parse().ok()
}

/// The number of the last commit of a stream into a table.
///
/// # Errors
/// Those of the store.
pub async fn number_in(table: &DeltaTable, key: &StreamKey) -> Result<Option<Number>> {
    let state = table.snapshot().map_err(error::delta)?;
    state.transaction_version(table.log_store().as_ref(), app_id(key)).await.map_err(error::delta)
}

/// The last commit of a stream.
///
/// # Errors
/// Those of the store; `Data` where a table names a position that is gone.
pub async fn committed(place: &Place, key: &StreamKey) -> Result<Option<Commit>> {
    let hash = hash(key);
    let numbers = numbers(place, &hash).await?;
    of_stream(place, &hash, &numbers, &mut BTreeMap::new()).await
}

/// The last commits of all streams, ordered by key, without those whose position is gone or cannot be read.
///
/// # Errors
/// Those of the store.
pub async fn commits(place: &Place) -> Result<Vec<Commit>> {
    let mut streams: BTreeMap<String, Vec<Number>> = BTreeMap::new();
    for name in place.list(FOLDER).await? {
        if let Some((hash, file)) = name.split_once('/')
            && let Some(number) = number_of(file)
        {
            streams.entry(hash.to_owned()).or_default().push(number);
        }
    }
    let mut found = Vec::new();
    let mut tables = BTreeMap::new();
    for (hash, mut numbers) in streams {
        numbers.sort_unstable();
        match of_stream(place, &hash, &numbers, &mut tables).await {
            // what is wrong with one stream is told to those who load it
            Err(error) if error.kind() == ErrorKind::Data => tracing::warn!("{error}"),
            commit => found.extend(commit?),
        }
    }
    found.sort_by(|a, b| (&a.key.pipeline, &a.key.stream).cmp(&(&b.key.pipeline, &b.key.stream)));
    Ok(found)
}

/// The newest file that a table says was committed. A stream that changed its target has files of both, and a target that it
/// comes back to names one that may be gone.
async fn of_stream(
    place: &Place,
    hash: &str,
    numbers: &[Number],
    tables: &mut BTreeMap<String, Option<DeltaTable>>,
) -> Result<Option<Commit>> {
    let mut gone = None;
    for number in numbers.iter().rev() {
        let Some(bytes) = place.read(&path(hash, *number)).await? else { continue };
        let entry = Entry::read(&bytes).at(path(hash, *number))?;
        let Commit { key, target, .. } = &entry.commit;
        if !tables.contains_key(target) {
            tables.insert(target.clone(), place.newest(target).await?);
        }
        let Some(Some(table)) = tables.get(target) else { continue };
        match number_in(table, key).await.at(format!("table `{target}`"))? {
            Some(current) if current == *number => return Ok(entry.known()),
            // newer than the list, or gone
            Some(current) if !numbers.contains(&current) => {
                if let Some(bytes) = place.read(&path(hash, current)).await? {
                    return Ok(Entry::read(&bytes).at(path(hash, current))?.known());
                }
                gone.get_or_insert_with(|| {
                    let message = format!("the position {current} of this table is gone from {FOLDER}");
                    Error::new(ErrorKind::Data, message)
                        .at(format!("table `{target}`"))
                        .advise("Bring the file back, or load the stream into a new table.")
                });
            }
            _ => {}
        }
    }
    gone.map_or(Ok(None), Err)
}
