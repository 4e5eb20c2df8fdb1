//! Puts the pages of the web UI into release builds, if they were built: a list of their paths and bytes, which `wiring.rs`
//! includes. Other builds read them from their folder whenever they are asked for.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> io::Result<()> {
    let mut say = io::stdout();
    writeln!(say, "cargo::rustc-check-cfg=cfg(has_ui)")?;
    writeln!(say, "cargo::rerun-if-changed=build.rs")?;
    if env::var("PROFILE").as_deref() != Ok("release") {
        return Ok(());
    }
    let variable = |name| env::var_os(name).map(PathBuf::from).unwrap_or_default();
    let ui = variable("CARGO_MANIFEST_DIR").join("../../ui");
    let built = ui.join("dist");
    // where there is no Node.js, the small folder is watched in place of one that never comes
    let watched = if built.exists() || ui.join("node_modules").exists() { &built } else { &ui };
    writeln!(say, "cargo::rerun-if-changed={}", watched.display())?;
    if !built.join("index.html").exists() {
        return Ok(());
    }
    let mut files = Vec::new();
    collect(&built, &mut files)?;
    let mut named: Vec<(String, String)> = Vec::new();
    for file in files {
        let path = fs::canonicalize(&file)?.display().to_string();
        let name = file.strip_prefix(&built).unwrap_or(&file).display().to_string();
        named.push((name, path));
    }
    named.sort();
    let lines: String =
        named.iter().map(|(name, path)| format!("    ({name:?}, include_bytes!({path:?})),\n")).collect();
    fs::write(variable("OUT_DIR").join("ui.rs"), format!("&[\n{lines}]\n"))?;
    writeln!(say, "cargo::rustc-cfg=has_ui")
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match path.is_dir() {
            true => collect(&path, files)?,
            false => files.push(path),
        }
    }
    Ok(())
}
