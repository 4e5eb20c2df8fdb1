//! Which backups there are, and which of them have had their time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use levada_core::connector::FoundFile;
use levada_core::error::{Context as _, Error, ErrorKind, Result};
use levada_core::naming::first_of;
use levada_core::time::{Clock, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::manifest::{self, Backup};
use super::verify::verify;
use super::{Place, at, take, unless};

/// What was begun and has no manifest is left alone as long as it may still be under way.
const UNFINISHED_FOR: Duration = Duration::from_secs(24 * 3600);

/// Databases that an error names.
const NAMED_MAX: usize = 20;

/// Letters of the second with which a name begins.
const SECOND_LETTERS: usize = 15;

/// A backup of a list.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// The system of the database; none where the manifest is damaged, as of what follows.
    pub system: Option<String>,
    /// The address of the database.
    pub source: Option<String>,
    /// The moment it is of.
    pub taken_at: Option<Timestamp>,
    /// How many tables it has.
    pub tables: u64,
    /// How many rows.
    pub rows: u64,
    /// How many bytes.
    pub bytes: u64,
    /// What is wrong with it, as far as its manifest and the sizes of its files tell.
    pub problem: Option<String>,
}

/// What is to be kept.
#[derive(Debug, Clone, Default)]
pub struct Prune {
    /// So many whole backups of every database, the newest.
    pub keep: Option<u32>,
    /// Every backup that is not older.
    pub older_than: Option<Duration>,
    /// Only backups of the database at this address.
    pub source: Option<String>,
    /// Whether nothing is removed, but only told.
    pub dry_run: bool,
}

/// What became of the backups.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Kept {
    /// Backups that stay, the newest first.
    pub kept: Vec<String>,
    /// Backups that are removed.
    pub removed: Vec<String>,
    /// What was begun long ago and never became a backup, and is removed.
    pub unfinished: Vec<String>,
}

/// Every backup of a place, the newest first.
///
/// # Errors
/// What looking at the place failed with.
pub async fn list(place: &Place) -> Result<Vec<Entry>> {
    Ok(look(place).await.at(at(&place.name))?.0)
}

/// The newest backup that is whole as far as its manifest and the sizes of its files tell, where there is no doubt which database
/// is meant.
///
/// # Errors
/// As of [`list`]; `Refused` where there are whole backups of several databases.
pub async fn newest(place: &Place) -> Result<Option<String>> {
    let mut of_each: Vec<Entry> = Vec::new();
    for entry in list(place).await?.into_iter().filter(|entry| entry.problem.is_none()) {
        if of_each.iter().all(|newer| newer.source != entry.source) {
            of_each.push(entry);
        }
    }
    if of_each.len() > 1 {
        let told = |entry: &Entry| format!("`{}` of {}", entry.name, entry.source.as_deref().unwrap_or("unknown"));
        let names: Vec<String> = of_each.iter().map(told).collect();
        let message =
            format!("there are backups of several databases, the newest of each: {}", first_of(&names, NAMED_MAX));
        return Err(Error::new(ErrorKind::Refused, message).advise("Nothing was changed. Name the backup."));
    }
    Ok(of_each.pop().map(|entry| entry.name))
}

/// Removes the backups that have had their time. Of each database the newest whole backup stays, whatever is said: it is read
/// again before others of its database go.
///
/// # Errors
/// What looking at the place, reading or removing failed with.
pub async fn prune(place: &Place, prune: Prune, clock: &dyn Clock, stop: &CancellationToken) -> Result<Kept> {
    let now = clock.now();
    let (mut entries, unfinished) = look(place).await.at(at(&place.name))?;
    if prune.source.is_some() {
        entries.retain(|entry| entry.source == prune.source);
    }
    let mut kept = choose(&entries, &prune, now);
    while let Some(bent) = unsound(place, &entries, &kept, stop).await? {
        entries[bent].problem = Some("it does not verify".to_owned());
        kept = choose(&entries, &prune, now);
    }
    kept.unfinished = unfinished
        .into_iter()
        .filter(|(_, modified)| modified.is_some_and(|modified| now.since(modified) > UNFINISHED_FOR))
        .map(|(name, _)| name)
        .collect();
    if !prune.dry_run {
        for name in kept.removed.iter().chain(&kept.unfinished) {
            unless(stop, take::remove(place.archive.as_ref(), name)).await.at(at(&place.name))?;
        }
    }
    Ok(kept)
}

/// The place of a backup that counts as whole, is to stay while others of its database go, and does not verify.
async fn unsound(place: &Place, entries: &[Entry], kept: &Kept, stop: &CancellationToken) -> Result<Option<usize>> {
    let going = entries.iter().filter(|entry| kept.removed.contains(&entry.name));
    let databases: BTreeSet<&Option<String>> = going.map(|entry| &entry.source).collect();
    for database in databases {
        let stays = |entry: &Entry| entry.problem.is_none() && entry.source == *database;
        let Some(newest) = entries.iter().position(stays) else { continue };
        if !verify(place, &entries[newest].name, None, stop).await?.problems.is_empty() {
            return Ok(Some(newest));
        }
    }
    Ok(None)
}

/// Entries come the newest first.
fn choose(entries: &[Entry], prune: &Prune, now: Timestamp) -> Kept {
    let mut kept = Kept::default();
    let mut whole: BTreeMap<Option<&str>, u32> = BTreeMap::new();
    for entry in entries {
        let newer = whole.entry(entry.source.as_deref()).or_default();
        let counts = *newer < prune.keep.unwrap_or(1).max(1);
        if entry.problem.is_none() {
            *newer += 1;
        }
        let is_young = match (prune.older_than, entry.taken_at) {
            (Some(limit), Some(at)) => now.since(at) <= limit,
            (None, _) => prune.keep.is_none(),
            // nobody can tell how old it is, nor what of
            (Some(_), None) => true,
        };
        // a damaged manifest does not say which database it is of: it stays for somebody to look at
        if counts || is_young || entry.source.is_none() {
            kept.kept.push(entry.name.clone());
        } else {
            kept.removed.push(entry.name.clone());
        }
    }
    kept
}

/// The backups, the newest first, and what looks like one and has no manifest, with the time of its newest file.
async fn look(place: &Place) -> Result<(Vec<Entry>, Vec<(String, Option<Timestamp>)>)> {
    let mut folders: BTreeMap<String, Vec<FoundFile>> = BTreeMap::new();
    for file in place.archive.files("").await? {
        if let Some((folder, path)) = file.path.split_once('/')
            && is_name(folder)
        {
            let (folder, path) = (folder.to_owned(), path.to_owned());
            folders.entry(folder).or_default().push(FoundFile { path, ..file });
        }
    }
    let (mut entries, mut unfinished) = (Vec::new(), Vec::new());
    for (name, files) in folders {
        if !files.iter().any(|file| file.path == manifest::FILE) {
            unfinished.push((name, files.iter().filter_map(|file| Timestamp::parse(&file.modified)).max()));
            continue;
        }
        entries.push(match manifest::read(place.archive.as_ref(), &name).await {
            Ok(backup) => entry(&backup, &files),
            Err(error) if error.kind().policy().retry => return Err(error),
            Err(error) => Entry {
                name,
                system: None,
                source: None,
                taken_at: None,
                tables: 0,
                rows: 0,
                bytes: 0,
                problem: Some(error.message().to_owned()),
            },
        });
    }
    // names begin with their second
    let moment = |entry: &Entry| (entry.name.chars().take(SECOND_LETTERS).collect::<String>(), entry.taken_at);
    entries.sort_by_key(|entry| std::cmp::Reverse(moment(entry)));
    Ok((entries, unfinished))
}

fn entry(backup: &Backup, found: &[FoundFile]) -> Entry {
    let sizes: BTreeMap<&str, u64> = found.iter().map(|file| (file.path.as_str(), file.bytes)).collect();
    let missing = backup.files().find(|file| sizes.get(file.path.as_str()) != Some(&file.bytes));
    Entry {
        name: backup.name.clone(),
        system: Some(backup.system.clone()),
        source: Some(backup.source.clone()),
        taken_at: Some(backup.taken_at),
        tables: backup.tables.len() as u64,
        rows: backup.rows(),
        bytes: backup.bytes(),
        problem: missing.map(|file| format!("`{}` is missing or has another size", file.path)),
    }
}

/// Whether a folder has a name as backups have: `20261122T135100Z-3fa2b1`.
fn is_name(folder: &str) -> bool {
    let Some((moment, other)) = folder.split_once("Z-") else { return false };
    let is_moment = |(at, c): (usize, char)| if at == 8 { c == 'T' } else { c.is_ascii_digit() };
    moment.len() == SECOND_LETTERS
        && moment.char_indices().all(is_moment)
        && other.len() == 6
        && other.chars().all(|c| c.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;

    fn entries() -> Vec<Entry> {
        // two databases, by the days since they were taken; a broken one in front
        let entry = |source: &str, days: i64, problem: bool| Entry {
            name: format!("{source}{days}"),
            system: Some("x".to_owned()),
            source: Some(source.to_owned()),
            taken_at: Some(Timestamp::from_secs(1_000 * 86_400 - days * 86_400)),
            tables: 1,
            rows: 1,
            bytes: 1,
            problem: problem.then(|| "bent".to_owned()),
        };
        vec![
            entry("a", 1, true),
            entry("a", 2, false),
            entry("b", 3, false),
            entry("a", 4, true),
            entry("a", 5, false),
            entry("a", 6, false),
        ]
    }

    fn kept(keep: Option<u32>, days: Option<u64>) -> Vec<String> {
        let older_than = days.map(|days| Duration::from_secs(days * DAY));
        let prune = Prune { keep, older_than, ..Prune::default() };
        choose(&entries(), &prune, Timestamp::from_secs(1_000 * 86_400)).kept
    }

    #[test]
    fn the_last_whole_backup_of_a_database_stays_whatever_is_said() {
        assert_eq!(kept(Some(0), None), ["a1", "a2", "b3"]);
        assert_eq!(kept(Some(1), Some(0)), ["a1", "a2", "b3"]);
        assert_eq!(kept(None, Some(0)), ["a1", "a2", "b3"]);
    }

    #[test]
    fn only_whole_backups_count_and_both_limits_keep() {
        assert_eq!(kept(Some(2), None), ["a1", "a2", "b3", "a4", "a5"]);
        assert_eq!(kept(Some(1), Some(4)), ["a1", "a2", "b3", "a4"]);
        assert_eq!(kept(None, None).len(), 6);
    }

    #[test]
    fn only_folders_with_the_name_of_a_backup_are_looked_at() {
        assert!(is_name("20261122T135100Z-3fa2b1"));
        for other in ["20261122T135100Z-3fa2b", "2026112XT135100Z-3fa2b1", "", "Z-", "20261122135100Z-3fa2b1", "orders"]
        {
            assert!(!is_name(other), "{other}");
        }
    }
}
