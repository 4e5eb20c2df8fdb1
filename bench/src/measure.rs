//! Runs one command: how long it took, and how much memory it held at its peak.

use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::Result;
use crate::places::Places;

/// A command to measure.
#[derive(Clone)]
pub struct Invocation {
    program: String,
    arguments: Vec<String>,
}

/// What one run of a command cost.
#[derive(Clone, Copy)]
pub struct Cost {
    /// From start to end.
    pub wall: Duration,
    /// The most memory the process held (`VmHWM`); of the shell alone for a pipe.
    pub peak_kib: u64,
}

impl Cost {
    /// The most memory the process held, in MB.
    pub fn peak_mb(&self) -> u64 {
        self.peak_kib * 1024 / 1_000_000
    }
}

const POLL: Duration = Duration::from_millis(2);
const LIMIT: Duration = Duration::from_secs(3600);

impl Invocation {
    /// Levada with arguments.
    pub fn levada<'a>(places: &Places, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        let arguments = arguments.into_iter().map(str::to_owned).collect();
        Self { program: places.levada.display().to_string(), arguments }
    }

    /// A line for bash; it fails if any part of a pipe fails.
    pub fn shell(line: &str) -> Self {
        Self { program: "bash".to_owned(), arguments: vec!["-c".to_owned(), format!("set -euo pipefail; {line}")] }
    }

    /// Runs it once to its end.
    ///
    /// # Errors
    /// If it cannot be started, fails or takes more than an hour; with the last lines it said.
    pub fn run(&self, places: &Places) -> Result<Cost> {
        let log = places.scratch.join("stderr.log");
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).current_dir(&places.scratch);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log)?);
        let start = Instant::now();
        let mut child = command.spawn().map_err(|error| format!("{}: {error}", self.program))?;
        let mut peak_kib = 0;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            peak_kib = peak_kib.max(high_water_mark_kib(child.id()));
            if start.elapsed() > LIMIT {
                child.kill()?;
                child.wait()?;
                return Err(format!("no end after {} s", LIMIT.as_secs()).into());
            }
            sleep(POLL);
        };
        let wall = start.elapsed();
        if status.success() { Ok(Cost { wall, peak_kib }) } else { Err(last_words(&fs::read_to_string(&log)?).into()) }
    }
}

fn high_water_mark_kib(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}

fn last_words(log: &str) -> String {
    let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines[lines.len().saturating_sub(4)..].join(" / ");
    if last.is_empty() { "it failed without a word".to_owned() } else { last }
}

/// The middle value; of an even number, the mean of the two middle ones.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[count / 2],
        count => (values[count / 2 - 1] + values[count / 2]) / 2.0,
    }
}
