//! Which files make a stream. A selector is a path or a glob below the root (`*` stays in one folder, `**` does not), or
//! a folder. Hidden, temporary and empty files are never part of a stream; folders named `key=value` add a text column
//! to their files; a folder that Levada wrote is what its newest manifest says.

use std::collections::BTreeMap;

use glob::{MatchOptions, Pattern};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::naming::{did_you_mean, nearest};

use super::format::{Compression, Format};
use super::manifest::{self, Manifest};
use super::place::{FileMeta, Opened, checked};
use crate::kit::url::decoded;

/// A stream: its name and its files.
#[derive(Debug, Clone)]
pub struct FileSet {
    /// The name that selects it.
    pub name: String,
    /// The name of a table made from it.
    pub table: String,
    /// Its files, ordered by path.
    pub files: Vec<FileMeta>,
    /// What Levada remembers of the folder, if it wrote it.
    pub manifest: Option<Manifest>,
}

/// What makes a selector a pattern.
const WILDCARDS: [char; 3] = ['*', '?', '['];

/// A `*` does not go beyond a folder.
const IN_ONE_FOLDER: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };

/// Endings of files that other tools are still writing.
const UNFINISHED: [&str; 7] = [".tmp", ".temp", ".part", ".partial", ".inprogress", ".crdownload", "~"];

/// Whether a file is data for sources: no part of its path is hidden, and it is not a temporary or empty one.
pub fn is_data(file: &FileMeta) -> bool {
    let hidden = file.path.split('/').any(|part| part.starts_with(['.', '_']));
    !hidden && file.size > 0 && !UNFINISHED.iter().any(|ending| file.path.to_ascii_lowercase().ends_with(ending))
}

/// The columns that folders named `key=value` give a file; a value may be NULL.
pub fn partitions(path: &str) -> Vec<(String, Option<String>)> {
    let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
    let pairs = folders.split('/').filter_map(|part| part.split_once('=')).filter(|(key, _)| !key.is_empty());
    pairs
        .map(|(key, value)| {
            let known = value != "__HIVE_DEFAULT_PARTITION__";
            (key.to_owned(), known.then(|| decoded(value).unwrap_or_else(|| value.to_owned())))
        })
        .collect()
}

/// The format of a file under the settings.
pub fn format_of(name: &str, wanted: Option<Format>) -> Option<Format> {
    wanted.or_else(|| Format::of(name))
}

/// Finds streams: all of them, or what a selector names.
pub fn find(root: &Opened, selector: Option<&str>, format: Option<Format>) -> Result<Vec<FileSet>> {
    match (selector, &root.single) {
        (None, Some(single)) => Ok(one_file(root, single)?.into_iter().collect()),
        (Some(name), Some(single)) => {
            let pattern = Pattern::new(name).ok();
            let hit = name == single || pattern.is_some_and(|p| p.matches(single));
            Ok(if hit { one_file(root, single)?.into_iter().collect() } else { Vec::new() })
        }
        (None, None) => all(root.place.list("")?, root, format),
        (Some(selector), None) => {
            let selector = checked(selector)?;
            // A name may hold characters that mean something in patterns.
            let found = match folder(root, selector, format)? {
                Some(set) if selector != "*" => Some(set),
                _ if selector.is_empty() || selector.ends_with('*') => None,
                _ => one_file(root, selector)?,
            };
            if found.is_some() || !selector.contains(WILDCARDS) {
                return Ok(found.into_iter().collect());
            }
            glob(root, selector, format)
        }
    }
}

/// Files of any format that a path, a wildcard or a folder names, ordered by path. What is named in full may also be
/// hidden or empty, as files are that only say that others are complete.
pub fn matching(root: &Opened, selector: &str) -> Result<Vec<FileMeta>> {
    let selector = checked(selector)?.trim_end_matches('/');
    let may_be_named = !selector.is_empty() && root.single.as_deref().is_none_or(|single| single == selector);
    if may_be_named && let Some(file) = root.place.look(selector)? {
        return Ok(vec![file]);
    }
    let mut files = match &root.single {
        Some(single) => root.place.look(single)?.into_iter().collect(),
        None => root.place.list(&folders_of(selector))?,
    };
    if selector.contains(WILDCARDS) {
        let pattern = pattern(selector)?;
        files.retain(|file| is_data(file) && pattern.matches_with(&file.path, IN_ONE_FOLDER));
    } else {
        let base = if selector.is_empty() { 0 } else { selector.len() + 1 };
        let below = |file: &FileMeta| FileMeta { path: file.path[base..].to_owned(), ..file.clone() };
        files.retain(|file| lies_in(&file.path, selector) && is_data(&below(file)));
    }
    Ok(files)
}

/// The folders of a selector without wildcards: only what lies below them can match.
fn folders_of(selector: &str) -> String {
    selector.split('/').take_while(|part| !part.contains(WILDCARDS)).collect::<Vec<_>>().join("/")
}

fn pattern(selector: &str) -> Result<Pattern> {
    Pattern::new(selector).map_err(|error| {
        Error::new(ErrorKind::Config, format!("`{selector}` is not a pattern of paths: {}", error.msg))
    })
}

/// The stream of one file.
pub fn one_file(root: &Opened, path: &str) -> Result<Option<FileSet>> {
    let Some(file) = root.place.look(path)? else { return Ok(None) };
    let manifest = manifest::newest(root.place.as_ref(), &manifest::home(path, true))?;
    // A file that somebody else has written since is no longer the one the manifest describes.
    let manifest = manifest.map(|(_, m)| m).filter(|m| m.files.iter().any(|f| f.path == path && f.bytes == file.size));
    Ok(Some(FileSet { name: path.to_owned(), table: table_of(path), files: vec![file], manifest }))
}

/// The stream of a folder.
pub fn folder(root: &Opened, path: &str, format: Option<Format>) -> Result<Option<FileSet>> {
    let listed = root.place.list(path)?;
    if listed.is_empty() {
        return Ok(None);
    }
    if let Some((_, manifest)) = manifest::newest(root.place.as_ref(), &manifest::home(path, false))? {
        return levada_folder(root, path, manifest, &listed).map(Some);
    }
    let base = if path.is_empty() { 0 } else { path.len() + 1 };
    let relative = |file: &FileMeta| FileMeta { path: file.path[base..].to_owned(), ..file.clone() };
    let files: Vec<FileMeta> =
        listed.into_iter().filter(|f| is_data(&relative(f)) && format_of(&f.path, format).is_some()).collect();
    let table = if path.is_empty() { root_name(root) } else { table_of(path) };
    Ok((!files.is_empty()).then(|| FileSet { name: path.to_owned(), table, files, manifest: None }))
}

fn levada_folder(root: &Opened, path: &str, manifest: Manifest, listed: &[FileMeta]) -> Result<FileSet> {
    let by_path: BTreeMap<&str, &FileMeta> = listed.iter().map(|f| (f.path.as_str(), f)).collect();
    let files = manifest.files.iter().map(|entry| {
        let file = by_path.get(entry.path.as_str()).filter(|file| file.size == entry.bytes);
        file.map(|file| (*file).clone()).ok_or_else(|| {
            Error::new(
                ErrorKind::Data,
                format!("`{}` is in the folder's manifest, but is missing or changed", entry.path),
            )
            .at(root.place.address())
            .advise("Restore the file, or load the folder anew.")
        })
    });
    let files = files.collect::<Result<Vec<_>>>()?;
    let (name, table) = match path {
        "" => ("*".to_owned(), root_name(root)),
        path => (path.to_owned(), table_of(path)),
    };
    Ok(FileSet { name, table, files, manifest: Some(manifest) })
}

/// The folders that Levada wrote are streams of their own; all other files that match are one stream.
fn glob(root: &Opened, selector: &str, format: Option<Format>) -> Result<Vec<FileSet>> {
    let (pattern, options) = (pattern(selector)?, IN_ONE_FOLDER);
    let listed = root.place.list(&folders_of(selector))?;
    let live = levada_folders(root, &listed)?;
    let mut sets = Vec::new();
    let mut files: Vec<FileMeta> = Vec::new();
    for (path, manifest) in &live {
        if pattern.matches_with(path, options) || (path.is_empty() && selector == "*") {
            sets.push(levada_folder(root, path, manifest.clone(), &listed)?);
        } else {
            let matching = |f: &&FileMeta| pattern.matches_with(&f.path, options);
            files.extend(levada_folder(root, path, manifest.clone(), &listed)?.files.iter().filter(matching).cloned());
        }
    }
    let free = |f: &FileMeta| live.iter().all(|(path, _)| !lies_in(&f.path, path));
    let known = |f: &FileMeta| is_data(f) && format_of(&f.path, format).is_some();
    files.extend(listed.into_iter().filter(|f| known(f) && pattern.matches_with(&f.path, options) && free(f)));
    files.sort_by(|a, b| a.path.cmp(&b.path));
    if !files.is_empty() {
        sets.push(FileSet { name: selector.to_owned(), table: table_of_glob(root, selector), files, manifest: None });
    }
    Ok(sets)
}

fn table_of_glob(root: &Opened, selector: &str) -> String {
    let before = selector.split(WILDCARDS).next().unwrap_or_default();
    let stem = before.rsplit('/').next().unwrap_or_default().trim_end_matches(['-', '_', '.']);
    let parent = before.rsplit_once('/').map_or("", |(folder, _)| folder).rsplit('/').next().unwrap_or_default();
    match (stem, parent) {
        ("" | "part", "") => root_name(root),
        ("" | "part", folder) => folder.to_owned(),
        (stem, _) => stem.to_owned(),
    }
}

fn lies_in(path: &str, folder: &str) -> bool {
    folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// The folders among the listed files that Levada wrote.
fn levada_folders(root: &Opened, listed: &[FileMeta]) -> Result<Vec<(String, Manifest)>> {
    let mut homes: Vec<&str> = listed.iter().filter_map(|f| manifest::folder_home(&f.path)).collect();
    homes.dedup();
    let mut folders = Vec::new();
    for home in homes {
        if let Some((_, manifest)) = manifest::newest(root.place.as_ref(), home)? {
            let folder = home.strip_suffix(manifest::FOLDER).unwrap_or_default().trim_end_matches('/');
            folders.push((folder.to_owned(), manifest));
        }
    }
    Ok(folders)
}

/// Every stream below the root. Files are one stream where they are parts of one thing: below `key=value` folders, or in
/// one folder with one ending and a digit in every name; any other file is a stream of its own.
fn all(listed: Vec<FileMeta>, root: &Opened, format: Option<Format>) -> Result<Vec<FileSet>> {
    let mut sets = Vec::new();
    let live = levada_folders(root, &listed)?;
    for (path, manifest) in &live {
        sets.push(levada_folder(root, path, manifest.clone(), &listed)?);
    }
    let mut groups: BTreeMap<(String, bool, String), Vec<FileMeta>> = BTreeMap::new();
    for file in listed {
        let known = format_of(&file.path, format).is_some() && is_data(&file);
        if !known || live.iter().any(|(folder, _)| lies_in(&file.path, folder)) {
            continue;
        }
        let (folders, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
        let above: Vec<&str> = folders.split('/').take_while(|part| !part.contains('=')).collect();
        let partitioned = folders.contains('=');
        let stem = Compression::strip(name);
        let ending = name.strip_prefix(stem.rsplit_once('.').map_or(stem, |(s, _)| s)).unwrap_or_default();
        groups.entry((above.join("/"), partitioned, ending.to_owned())).or_default().push(file);
    }
    for ((folder, partitioned, ending), files) in groups {
        let name_of = |file: &FileMeta| file.path.rsplit('/').next().unwrap_or_default().to_owned();
        let numbered = files.len() > 1 && files.iter().all(|f| name_of(f).contains(|c: char| c.is_ascii_digit()));
        if !partitioned && !numbered {
            for file in files {
                sets.extend(one_file(root, &file.path)?);
            }
            continue;
        }
        let pattern = format!("{}*{ending}", if partitioned { "**/" } else { "" });
        let table = if folder.is_empty() { root_name(root) } else { table_of(&folder) };
        sets.push(FileSet { name: super::place::join(&folder, &pattern), table, files, manifest: None });
    }
    sets.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(sets)
}

/// A file's or folder's name without its endings.
pub fn table_of(path: &str) -> String {
    let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or(path);
    let plain = Compression::strip(name);
    match (Format::of(name), plain.rsplit_once('.')) {
        (Some(_), Some((stem, _))) if !stem.is_empty() => stem.to_owned(),
        _ => plain.to_owned(),
    }
}

fn root_name(root: &Opened) -> String {
    let name = root.place.address();
    let name = name.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
    if name.is_empty() { "files".to_owned() } else { name }
}

/// The error of a stream that has no files, with the nearest one that has.
pub fn missing(root: &Opened, name: &str) -> Error {
    let files = root.place.list("").unwrap_or_default();
    let known: Vec<&str> = files.iter().filter(|f| is_data(f)).map(|f| f.path.as_str()).collect();
    Error::new(ErrorKind::NotFound, format!("no file matches `{name}`"))
        .at(root.place.address())
        .advise(format!("{}List what there is.", did_you_mean(nearest(name, &known))))
}
