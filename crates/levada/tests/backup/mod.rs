//! Backups and restores by the real binary: what comes back is what was there, definitions and values; what is listed verifies;
//! what is bent is found.

mod kills;
mod mariadb;
mod places;
mod postgres;
mod sqlite;
mod tasks;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Database, LEVADA};

/// A folder of backups.
pub struct Kept {
    folder: TempDir,
}

impl Kept {
    pub fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn text(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    /// The command that takes a backup.
    pub fn taking(&self, from: &Database, more: &[&str]) -> Command {
        levada(&with(&["backup", &from.url(), "--to", self.text()], more))
    }

    /// Takes a backup, which must succeed, and gives its name.
    pub fn take(&self, from: &Database) -> String {
        let report = json(&done(self.taking(from, &[])));
        report["backup"]["name"].as_str().unwrap().to_owned()
    }

    /// The command that restores the newest backup.
    pub fn restoring(&self, to: &Database, more: &[&str]) -> Command {
        levada(&with(&["restore", self.text(), "--to", &to.url()], more))
    }

    /// Restores the newest backup, which must succeed.
    pub fn restore(&self, to: &Database, more: &[&str]) -> Value {
        json(&done(self.restoring(to, more)))
    }

    /// The names of the backups.
    pub fn list(&self) -> Vec<String> {
        let listed = json(&done(levada(&["backups", "list", self.text()])));
        let whole = |entry: &Value| {
            assert_eq!(entry["problem"], Value::Null, "{entry}");
            entry["name"].as_str().unwrap().to_owned()
        };
        listed["backups"].as_array().unwrap().iter().map(whole).collect()
    }

    /// What reading all backups again says.
    pub fn verify(&self, more: &[&str]) -> Output {
        levada(&with(&["backups", "verify", self.text()], more)).output().unwrap()
    }

    /// Removes backups.
    pub fn prune(&self, more: &[&str]) -> Value {
        json(&done(levada(&with(&["backups", "prune", self.text()], more))))
    }

    /// The files of rows of a backup.
    pub fn chunks(&self, backup: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.path().join(backup)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|ending| ending == "avro") {
                    found.push(path);
                }
            }
        }
        found.sort();
        found
    }
}

fn with<'a>(first: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [first, more].concat()
}

pub fn levada(arguments: &[&str]) -> Command {
    let mut command = Command::new(LEVADA);
    command.args(arguments).args(["--output", "json"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub fn done(mut command: Command) -> Output {
    let output = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{out}\n{err}");
    output
}

/// What a command that must not succeed said.
pub fn failed(mut command: Command, code: i32) -> String {
    let output = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{command:?}\n{out}\n{err}");
    format!("{out}{err}")
}

pub fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Turns one bit in the middle of a file.
pub fn bend(file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    std::fs::write(file, bytes).unwrap();
}
