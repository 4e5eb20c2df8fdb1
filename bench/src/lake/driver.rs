//! The Python packages that Levada is compared with, as `bench/lake/drive.py` calls them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value as Json;

use crate::Result;

/// What calls them.
const DRIVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/lake/drive.py");

/// A Python that has the packages.
pub struct Driver {
    python: PathBuf,
}

impl Driver {
    /// The Python of a virtual environment.
    pub fn new(environment: &Path) -> Result<Self> {
        let python = environment.join("bin/python");
        if python.exists() {
            return Ok(Self { python });
        }
        Err("there are no packages to compare with: `make bench-lake` installs them, and names them with --python"
            .into())
    }

    /// Does one thing, and gives what it tells.
    pub fn call(&self, arguments: &[&str]) -> Result<Json> {
        let output = Command::new(&self.python).arg(DRIVER).args(arguments).stdin(Stdio::null()).output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned().into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// The rows of a table, and the sums of columns.
    pub fn fingerprint(&self, table: &Path, columns: &str) -> Result<Json> {
        Ok(self.call(&["fingerprint", &table.display().to_string(), columns])?["found"].take())
    }
}
