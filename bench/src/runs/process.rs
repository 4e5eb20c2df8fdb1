//! The release binary as a process of its own on a store.

use std::io::BufRead as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use levada_store::Location;

use crate::Result;
use crate::places::Places;

/// A process that was started here, and ends when it is dropped.
pub struct Process(Child);

impl Process {
    /// Starts the binary on a store, and waits until it says that it is ready.
    pub async fn start(places: &Places, location: &Location, arguments: &[&str]) -> Result<Self> {
        let database = match location {
            Location::File(path) => path.display().to_string(),
            Location::Url(url) => url.expose().to_owned(),
        };
        let mut command = Command::new(&places.levada);
        command.args(arguments).current_dir(&places.scratch).env("LEVADA_DATABASE", database);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = Self(command.spawn()?);
        let stderr = process.0.stderr.take().ok_or("the process has no standard error")?;
        let ready = tokio::task::spawn_blocking(move || {
            let mut lines = std::io::BufReader::new(stderr).lines().map_while(std::result::Result::ok);
            let mut told = String::new();
            while let Some(line) = lines.next() {
                if line.starts_with("ready") {
                    // what it says later is read as well, so that it never waits for a reader
                    std::thread::spawn(move || lines.for_each(drop));
                    return Ok(());
                }
                told = line;
            }
            Err(format!("levada ended before it was ready: {told}"))
        });
        tokio::time::timeout(Duration::from_secs(20), ready).await???;
        Ok(process)
    }

    /// The memory it holds now.
    pub fn resident_mb(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(f64::NAN) / 1_000.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
