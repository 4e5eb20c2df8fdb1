//! The release binary as a process of its own on a store.

use std::io::BufRead as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use levada_store::Location;

use crate::Result;
use crate::places::Places;

/// How long it may take to say something.
const LIMIT: Duration = Duration::from_secs(20);

/// A process that was started here, and ends when it is dropped.
pub struct Process {
    child: Child,
    /// The line in which it said that it is ready.
    pub ready: String,
    /// What it said after that.
    said: Receiver<String>,
}

impl Process {
    /// Starts the binary on a store, and waits until it says that it is ready.
    pub fn start(places: &Places, location: &Location, arguments: &[&str]) -> Result<Self> {
        let database = match location {
            Location::File(path) => path.display().to_string(),
            Location::Url(url) => url.expose().to_owned(),
        };
        let mut command = Command::new(&places.levada);
        command.args(arguments).current_dir(&places.scratch).env("LEVADA_DATABASE", database);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let stderr = child.stderr.take().ok_or("the process has no standard error")?;
        let (sender, said) = mpsc::channel();
        // what it says later is read as well, so that it never waits for a reader
        std::thread::spawn(move || {
            let lines = std::io::BufReader::new(stderr).lines().map_while(std::result::Result::ok);
            lines.for_each(|line| drop(sender.send(line)));
        });
        let mut process = Self { child, ready: String::new(), said };
        process.ready = process.line(|line| line.starts_with("ready"))?;
        Ok(process)
    }

    /// The next line that is meant.
    pub fn line(&self, is_meant: impl Fn(&str) -> bool) -> Result<String> {
        let mut told = String::new();
        loop {
            match self.said.recv_timeout(LIMIT) {
                Ok(line) if is_meant(&line) => return Ok(line),
                Ok(line) => told = line,
                Err(_) => {
                    return Err(format!("levada does not say what is waited for; the last line was: {told}").into());
                }
            }
        }
    }

    /// The memory it holds now.
    pub fn resident_mb(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(f64::NAN) / 1_000.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
