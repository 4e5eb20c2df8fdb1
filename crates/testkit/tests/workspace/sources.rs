//! The shape of our own source files: each says what it owns, none grows past reading, and no connector is named outside
//! its folder.

use std::fs;
use std::path::{Path, PathBuf};

use crate::root;

const LINES_MAX: usize = 600;
const VAGUE_NAMES: &[&str] = &["utils.rs", "helpers.rs", "common.rs", "misc.rs", "util.rs"];

/// Every Rust file below a folder of the repository.
fn rust_files(folder: &str) -> Vec<PathBuf> {
    let mut open = vec![root().join(folder)];
    let mut files = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    assert!(!files.is_empty(), "no Rust files in {folder}");
    files
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

#[test]
fn files_are_introduced_and_short() {
    let mut complaints = Vec::new();
    for path in ["crates", "bench"].into_iter().flat_map(rust_files) {
        let content = fs::read_to_string(&path).unwrap();
        let (shown, lines) = (shown(&path), content.lines().count());
        if !content.starts_with("//! ") {
            complaints.push(format!("{shown} does not start with `//! ` and a line on what it owns"));
        }
        if lines > LINES_MAX {
            complaints.push(format!("{shown} has {lines} lines, {LINES_MAX} are the most: which concept is missing?"));
        }
        if VAGUE_NAMES.iter().any(|name| path.ends_with(name)) {
            complaints.push(format!("{shown} has a name that says nothing"));
        }
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

/// The connectors are known by their folders; `kit` is what they share.
fn connectors() -> Vec<String> {
    let folder = root().join("crates/connectors/src");
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let folders = entries.filter(|entry| entry.path().is_dir());
    folders.map(|entry| entry.file_name().into_string().unwrap()).filter(|name| name != "kit").collect()
}

/// Words that are names of connectors and mean something else: where, which, and what.
const OTHER_MEANINGS: &[(&str, &str, &str)] = &[
    ("", "http", "the protocol: its scheme, the crates for it, and the task that sends one request"),
    ("core/src/config/check.rs", "files", "a key of `for_each`"),
    ("core/src/config/work.rs", "files", "a key of `for_each`"),
    ("engine/src/house/landing.rs", "files", "the parameter that gets the paths of new files"),
    ("server/src/router.rs", "files", "the operations on what lies behind a connection"),
    ("server/src/routes/settings.rs", "sqlite", "the kind of the metadata store"),
    ("server/src/routes/settings.rs", "postgres", "the kind of the metadata store"),
    ("levada/src/commands/db.rs", "sqlite", "the kind of the metadata store"),
    ("levada/src/service.rs", "postgres", "the scheme of the metadata store's URL"),
];

#[test]
fn no_connector_is_named_outside_its_folder() {
    let connectors = connectors();
    let mut complaints = Vec::new();
    for path in ["crates/core/src", "crates/engine/src", "crates/server/src", "crates/sql/src", "crates/levada/src"]
        .into_iter()
        .flat_map(rust_files)
    {
        if path.ends_with("tests.rs") {
            continue;
        }
        let content = fs::read_to_string(&path).unwrap();
        let product = content.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in product.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let is_other =
                |name: &str| OTHER_MEANINGS.iter().any(|(file, word, _)| path.ends_with(file) && *word == name);
            for name in connectors.iter().filter(|name| names(code, name) && !is_other(name)) {
                complaints.push(format!("{}:{} names the connector `{name}`", shown(&path), number + 1));
            }
        }
    }
    assert!(complaints.is_empty(), "connectors are reached by their descriptor only:\n{}", complaints.join("\n"));
}

/// As a literal (`"files"`, `"postgres:..."`) or a path (`files::`). The bare word may be ordinary English, and so may the
/// key of a JSON object (`"files": `).
fn names(code: &str, connector: &str) -> bool {
    let opening = format!("\"{connector}");
    let mut literals = code.match_indices(&opening).map(|(at, found)| &code[at + found.len()..]);
    let literal = literals.any(|rest| rest.starts_with(['"', ':', '/']) && !rest.starts_with("\":"));
    literal || code.contains(&format!(" {connector}::")) || code.contains(&format!("::{connector}"))
}

#[test]
fn a_connector_is_told_from_a_word() {
    for code in ["get(\"files\")", "\"files:x\"", "use crate::files;", "let a = files::open()"] {
        assert!(names(code, "files"), "{code}");
    }
    for code in ["json!({ \"files\": names })", "\"files that match\"", "let files = 1;", "profiles::x"] {
        assert!(!names(code, "files"), "{code}");
    }
}
