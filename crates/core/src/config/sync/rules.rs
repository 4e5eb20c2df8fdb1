//! From a sync as written to a sync as meant: defaults are filled in, and every rule that a document breaks is told. The rules
//! of one stream's options hold for whatever else loads one.

use std::collections::BTreeMap;

use super::{Columns, ReadKind, StreamDocument, StreamOptions, Sync, SyncDocument};
use crate::config::amount::parse_duration;
use crate::config::problem::{Problem, Problems};
use crate::destination::WriteMode;
use crate::schema::parse_type;

/// The memory that batches on their way may take where the document says nothing.
pub const MEMORY_BYTES_DEFAULT: u64 = 64 << 20;
const MEMORY_BYTES_MIN: u64 = 8 << 20;

impl SyncDocument {
    /// Applies defaults and rules.
    ///
    /// # Errors
    /// Every rule that is broken.
    pub fn resolve(&self) -> Result<Sync, Vec<Problem>> {
        let mut problems = Problems::default();
        if self.streams.0.is_empty() {
            problems.add(&["streams"], "there are no streams", "Name at least one stream, or `\"*\"` for all.");
        }
        if self.defaults.transform.is_some() {
            let advice = "Move it to the streams that have these columns.";
            problems.add(&["defaults", "transform"], "`transform` belongs to a stream", advice);
        }
        if self.defaults.columns.is_some() {
            let advice = "Move them to the streams that have these columns.";
            problems.add(&["defaults", "columns"], "`columns` belong to a stream", advice);
        }
        for (name, key) in &self.keys {
            if name.is_empty()
                || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                || name.starts_with(|c: char| c.is_ascii_digit())
            {
                problems.add(&["keys", name], "a key is named by a word", "Use letters, digits and `_`.");
            }
            if key.is_empty() {
                problems.add(&["keys", name], "the key is empty, and would hide nothing", "Write `${secret:name}`.");
            }
        }
        let memory_bytes = self.memory.map_or(MEMORY_BYTES_DEFAULT, |bytes| bytes.0);
        if memory_bytes < MEMORY_BYTES_MIN {
            problems.add(&["memory"], "that is too little memory to work with", "Give at least 8MiB.");
        }
        let parallel = self.parallel.unwrap_or_default();
        if parallel.readers == Some(0) || parallel.writers == Some(0) {
            problems.add(&["parallel"], "there has to be a reader and a writer", "Give at least 1.");
        }
        let streams = self.streams.0.iter().map(|(name, own)| {
            let place = Place { own: &["streams", name], all: &["defaults"] };
            (name.clone(), own.resolve(&self.defaults, &place, &mut problems))
        });
        let streams = streams.collect();
        if !problems.0.is_empty() {
            return Err(problems.0);
        }
        Ok(Sync {
            from: self.from.clone(),
            to: self.to.clone(),
            streams,
            keys: self.keys.clone(),
            parallel,
            memory_bytes,
        })
    }
}

/// Where the options of a stream stand.
pub struct Place<'a> {
    /// The keys that lead to its own.
    pub own: &'a [&'a str],
    /// The keys that lead to those of all streams.
    pub all: &'a [&'a str],
}

impl Place<'_> {
    /// The place of an option: of its own, or of all.
    fn of(&self, option: &str, is_own: bool) -> Vec<String> {
        let path = if is_own { self.own } else { self.all };
        path.iter().copied().chain([option]).map(str::to_owned).collect()
    }
}

impl StreamDocument {
    /// Applies defaults and rules; `all` is what holds where this says nothing.
    pub(in crate::config) fn resolve(&self, all: &Self, place: &Place<'_>, problems: &mut Problems) -> StreamOptions {
        let own = self;
        let read = own.read.or(all.read).unwrap_or_default();
        let incremental = read == ReadKind::Incremental;
        let key = own.key.clone().or_else(|| all.key.clone()).unwrap_or_default();
        let write = own.write.or(all.write).unwrap_or(match read {
            ReadKind::Full => WriteMode::Replace,
            ReadKind::Incremental if key.is_empty() => WriteMode::Append,
            ReadKind::Incremental => WriteMode::Merge,
        });
        let cursor = own.cursor.clone().or_else(|| all.cursor.clone()).filter(|_| incremental);
        let lag = own.lag.clone().or_else(|| all.lag.clone()).filter(|_| incremental);
        let rename = own.rename.clone().or_else(|| all.rename.clone());
        let columns = own.columns.clone().unwrap_or_default();

        if incremental && write == WriteMode::Replace {
            let message = "`write: replace` would leave only the newest rows of an incremental read".to_owned();
            let advice = "Use `write: merge` (with a key) or `write: append`, or `read: full`.";
            problems.push(place.of("write", own.write.is_some()), message, advice);
        }
        for (option, given) in [("cursor", own.cursor.is_some()), ("lag", own.lag.is_some())] {
            if given && !incremental {
                let message = format!("`{option}` has no meaning with `read: full`");
                problems.push(place.of(option, true), message, "Add `read: incremental`, or remove it.");
            }
        }
        if let Some(lag) = &lag {
            check_lag(lag, cursor.as_deref(), &place.of("lag", own.lag.is_some()), problems);
        }
        if let Some(rename) = &rename {
            check_rename(rename, &place.of("rename", own.rename.is_some()), problems);
        }
        check_columns(&place.of("columns", true), &columns, &key, cursor.as_deref(), problems);
        let transform = own.transform.clone().unwrap_or_default();
        check_transform(&place.of("transform", true), &transform, cursor.as_deref(), &key, problems);
        if let Some(name) = columns.hash.first().filter(|_| !transform.is_empty()) {
            let message = format!("the column `{name}` is hashed, and others are computed");
            let advice = format!("Write `{name}: sha256({name})` in `transform`, in place of `hash`.");
            problems.push(place.of("transform", true), message, &advice);
        }
        if !transform.is_empty() && cursor.is_some() && write == WriteMode::Append && key.is_empty() {
            let message = "rows that are read twice could not be told by columns that are computed".to_owned();
            let advice = "Name the columns that tell rows apart, as they are at the source: `key: [..]`.";
            problems.push(place.of("transform", true), message, advice);
        }
        StreamOptions {
            read,
            cursor,
            lag,
            key,
            write,
            rename,
            columns,
            transform,
            on_bad_row: own.on_bad_row.or(all.on_bad_row).unwrap_or_default(),
            on_schema_change: own.on_schema_change.or(all.on_schema_change).unwrap_or_default(),
            verify: own.verify.or(all.verify).unwrap_or_default(),
            paused: own.paused.or(all.paused).unwrap_or_default(),
        }
    }
}

fn check_lag(lag: &str, cursor: Option<&str>, path: &[String], problems: &mut Problems) {
    if lag.parse::<f64>().is_err() && parse_duration(lag).is_err() || lag.starts_with('-') {
        let message = format!("`{lag}` is neither a number nor a duration");
        problems.push(path.to_vec(), message, "Write for instance `1000` for a number, or `5m` for a time.");
    }
    if cursor.is_none() {
        problems.push(path.to_vec(), "`lag` needs a `cursor`".to_owned(), "Add `cursor: column`.");
    }
}

fn check_rename(rename: &str, path: &[String], problems: &mut Problems) {
    let bare = rename.replace("{table}", "").replace("{namespace}", "");
    if bare.contains(['{', '}']) {
        let message = format!("`{rename}` has a placeholder that does not exist");
        problems.push(path.to_vec(), message, "Placeholders: {table} and {namespace}.");
    }
    let (in_namespace, table) = rename.split_once('.').map_or((false, rename), |(_, table)| (true, table));
    if table.is_empty() || in_namespace && rename.starts_with('.') {
        problems.push(path.to_vec(), "the new name is empty".to_owned(), "Write a name such as `dim_{table}`.");
    }
}

fn check_transform(
    place: &[String],
    columns: &BTreeMap<String, String>,
    cursor: Option<&str>,
    key: &[String],
    problems: &mut Problems,
) {
    let at = |name: &str| place.iter().cloned().chain([name.to_owned()]).collect::<Vec<_>>();
    for (name, expression) in columns {
        if name.is_empty() {
            problems.push(at(name), "a column has no name".to_owned(), "Write the name of a column.");
        }
        if expression.trim().is_empty() {
            let message = format!("the column `{name}` is computed from nothing");
            problems.push(at(name), message, "Write an expression, for instance `lower(mail)`.");
        }
    }
    if let Some(cursor) = cursor.filter(|cursor| columns.contains_key(*cursor)) {
        let message = format!("the cursor column `{cursor}` is computed");
        problems.push(at(cursor), message, "Compute a column of another name from it.");
    }
    for name in key.iter().filter(|name| columns.contains_key(*name)) {
        let message = format!("the key column `{name}` is computed, and need not tell rows apart any more");
        problems.push(at(name), message, "Compute a column of another name from it.");
    }
}

fn check_columns(place: &[String], columns: &Columns, key: &[String], cursor: Option<&str>, problems: &mut Problems) {
    let at = |leaf: &'static str, rest: Option<&str>| -> Vec<String> {
        place.iter().map(String::as_str).chain([leaf]).chain(rest).map(str::to_owned).collect()
    };
    let out = |name: &str| {
        columns.exclude.iter().any(|c| c == name)
            || !columns.include.is_empty() && !columns.include.iter().any(|c| c == name)
    };
    for name in &columns.include {
        if columns.exclude.contains(name) {
            let message = format!("the column `{name}` is both included and excluded");
            problems.push(at("exclude", None), message, "Remove it from one of the lists.");
        }
    }
    for (name, data_type) in &columns.cast {
        if let Err(error) = parse_type(data_type) {
            problems.push(at("cast", Some(name)), error.message().to_owned(), error.advice());
        }
        if columns.hash.contains(name) {
            let message = format!("the column `{name}` is both cast and hashed");
            problems.push(at("cast", Some(name)), message, "A hash is always text; remove the cast.");
        }
    }
    for (leaf, names) in [
        ("rename", columns.rename.keys().collect::<Vec<_>>()),
        ("cast", columns.cast.keys().collect()),
        ("hash", columns.hash.iter().collect()),
    ] {
        for name in names.into_iter().filter(|name| out(name)) {
            let message = format!("the column `{name}` is not loaded");
            problems.push(at(leaf, Some(name)), message, "Include the column, or remove it here.");
        }
    }
    for name in key.iter().filter(|name| out(name)) {
        let message = format!("the key column `{name}` is not loaded");
        problems.push(at("exclude", None), message, "Include the column, or choose another key.");
    }
    if let Some(cursor) = cursor.filter(|name| columns.hash.iter().any(|hashed| hashed == name)) {
        let message = format!("the cursor column `{cursor}` is hashed");
        problems.push(at("hash", None), message, "Choose another cursor, or load the column as it is.");
    }
    let mut seen = BTreeMap::new();
    for (from, to) in &columns.rename {
        if let Some(other) = seen.insert(to, from) {
            let message = format!("the columns `{other}` and `{from}` would both be called `{to}`");
            problems.push(at("rename", Some(from)), message, "Give one of them another name.");
        }
        if to.is_empty() {
            problems.push(at("rename", Some(from)), "the new name is empty".to_owned(), "Write a name.");
        }
    }
}
