//! What comes from outside: one version where two would break the build in subtle ways, known licences, one registry.
//! `cargo deny check` reads the same `deny.toml` and knows more; this needs neither network nor installation.

use std::fs;

use crate::{metadata, root, text};

#[test]
fn what_is_banned_is_not_there_and_what_must_be_one_is_one() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let bans = bans();
    for (name, most) in [("arrow-array", 1), ("tokio", 1), ("openssl-sys", 0)] {
        assert!(bans.contains(&(name.to_owned(), most)), "deny.toml says nothing of {name}: {bans:?}");
    }
    for (name, most) in bans {
        let versions = lock.matches(&format!("name = \"{name}\"\n")).count();
        assert!(
            versions <= most,
            "Cargo.lock holds {versions} versions of {name}, deny.toml allows {most}: `cargo tree -i {name}` shows who asks for it"
        );
    }
}

/// The `deny` list of `deny.toml`, one crate on each line: its name, and how many versions of it there may be.
fn bans() -> Vec<(String, usize)> {
    let deny = fs::read_to_string(root().join("deny.toml")).unwrap();
    let list = deny.split_once("\ndeny = [\n").unwrap().1.split_once("\n]").unwrap().0;
    let entry = |line: &str| {
        let name = line.split_once("crate = \"").unwrap().1.split_once('"').unwrap().0;
        (name.to_owned(), usize::from(line.contains("deny-multiple-versions = true")))
    };
    list.lines().map(entry).collect()
}

#[test]
fn every_dependency_names_its_version() {
    for package in metadata(&["--no-deps"])["packages"].as_array().unwrap() {
        for dependency in package["dependencies"].as_array().unwrap().iter().filter(|found| found["path"].is_null()) {
            let (name, used) = (text(package, "name"), text(dependency, "name"));
            assert_ne!(text(dependency, "req"), "*", "{name} takes any version of {used}");
        }
    }
}

/// Which Rust is needed is said once, in `Cargo.toml`; a pinned toolchain would be fetched by whoever has a newer one.
#[test]
fn one_rust_is_asked_for() {
    assert!(!root().join("rust-toolchain.toml").exists());
    let metadata = metadata(&["--no-deps"]);
    let packages = metadata["packages"].as_array().unwrap();
    let least = text(&packages[0], "rust_version");
    assert!(packages.iter().all(|package| text(package, "rust_version") == least && !least.is_empty()));
    for (file, words) in
        [("scripts/test", format!("rust_least={least}\n")), ("CONTRIBUTING.md", format!("Rust {least} "))]
    {
        let told = fs::read_to_string(root().join(file)).unwrap();
        assert!(told.contains(&words), "{file} asks for another Rust than Cargo.toml, which wants {least}");
    }
}

#[test]
fn everything_comes_from_the_public_registry() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    for source in lock.lines().filter_map(|line| line.strip_prefix("source = ")) {
        assert_eq!(source, "\"registry+https://github.com/rust-lang/crates.io-index\"");
    }
}

#[test]
fn licences_are_ours_and_compatible() {
    for file in ["LICENSE-MIT", "LICENSE-APACHE"] {
        assert!(root().join(file).is_file(), "{file} is missing");
    }
    let allowed = allowed_licences();
    let metadata = metadata(&["--filter-platform", "x86_64-unknown-linux-gnu"]);
    for package in metadata["packages"].as_array().unwrap() {
        let (name, licence) = (text(package, "name"), text(package, "license"));
        if package["source"].is_null() {
            assert_eq!(licence, "MIT OR Apache-2.0", "{name} must carry the licence of the workspace");
        }
        assert!(
            satisfied(&licence.replace('/', " OR "), &allowed),
            "{name} is licensed `{licence}`, which deny.toml does not allow"
        );
    }
}

/// The `allow` list of `deny.toml`: one quoted licence on each line.
fn allowed_licences() -> Vec<String> {
    let deny = fs::read_to_string(root().join("deny.toml")).unwrap();
    let list = deny.split_once("allow = [").unwrap().1.split_once(']').unwrap().0;
    list.split(',').map(|entry| entry.trim().trim_matches('"').to_owned()).filter(|entry| !entry.is_empty()).collect()
}

/// Whether an SPDX expression can be met with allowed licences alone.
fn satisfied(expression: &str, allowed: &[String]) -> bool {
    let expression = expression.trim();
    if let Some((left, right)) = split_outside_brackets(expression, " OR ") {
        return satisfied(left, allowed) || satisfied(right, allowed);
    }
    if let Some((left, right)) = split_outside_brackets(expression, " AND ") {
        return satisfied(left, allowed) && satisfied(right, allowed);
    }
    match expression.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) {
        Some(inner) => satisfied(inner, allowed),
        None => allowed.iter().any(|licence| licence == expression),
    }
}

fn split_outside_brackets<'a>(expression: &'a str, separator: &str) -> Option<(&'a str, &'a str)> {
    let balanced = |text: &str| text.matches('(').count() == text.matches(')').count();
    let (at, _) = expression.match_indices(separator).find(|(at, _)| balanced(&expression[..*at]))?;
    Some((&expression[..at], &expression[at + separator.len()..]))
}

#[test]
fn licence_expressions_are_read_as_written() {
    let allowed = ["MIT".to_owned(), "ISC".to_owned()];
    for good in ["MIT", "GPL-3.0 OR MIT", "(GPL-3.0 OR MIT) AND ISC", "MIT AND ISC", "(MIT AND ISC) OR GPL-3.0"] {
        assert!(satisfied(good, &allowed), "{good}");
    }
    for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "(GPL-3.0 OR MIT) AND GPL-3.0"] {
        assert!(!satisfied(bad, &allowed), "{bad}");
    }
}
