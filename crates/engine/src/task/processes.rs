//! The processes of one attempt, as `/proc` shows them: its process group, all that carry its cookie in their
//! environment, and their children, so also those that made a session of their own. A process that drops its
//! environment *and* outlives its parent *and* leaves the group is not found.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use levada_core::error::{Context as _, Error, ErrorKind, Result};
use levada_core::id::TaskRunId;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// The variable that carries the cookie.
pub(super) const COOKIE: &str = "LEVADA_ATTEMPT";
/// The variable that carries the folder of the run.
pub(super) const RUN_DIR: &str = "LEVADA_RUN_DIR";

/// Between two looks at whether processes have ended.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long killed processes may take to go; one that hangs in a device can take longer.
const KILL_WITHIN: Duration = Duration::from_secs(5);

/// What the processes of an attempt carry in their environment. The run's folder is a part of it, since the numbers of
/// task runs say nothing where one machine has several stores.
pub fn cookie(task_run: TaskRunId, attempt: u32, run_dir: &Path) -> String {
    let folder = std::path::absolute(run_dir).unwrap_or_else(|_| run_dir.to_owned());
    let store = xxhash_rust::xxh3::xxh3_64(folder.as_os_str().as_encoded_bytes());
    format!("{task_run}.{attempt}.{store:016x}")
}

/// Kills every process that carries a cookie, and its children: what an attempt left whose worker is dead. Says how many
/// there were.
///
/// # Errors
/// `Busy` if some of them do not go; `Io` if `/proc` cannot be read.
pub async fn kill_by_cookie(cookie: &str) -> Result<usize> {
    let mut processes = Processes::new(Some(cookie), None);
    blocking(move || processes.kill()).await
}

/// An attempt of which processes live.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Left {
    /// The task run.
    pub task_run: TaskRunId,
    /// Which attempt of it.
    pub attempt: u32,
    /// What its processes carry.
    pub cookie: String,
}

/// The attempts of which processes live, as far as the folders of their runs lie in one folder.
///
/// # Errors
/// `Io` if `/proc` cannot be read.
pub async fn attempts_in(folder: &Path) -> Result<Vec<Left>> {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    blocking(move || {
        let mut left = Vec::new();
        for entry in fs::read_dir("/proc").at("/proc")? {
            let Ok(environment) = fs::read(entry.at("/proc")?.path().join("environ")) else { continue };
            let environment = String::from_utf8_lossy(&environment);
            let value =
                |name: &str| environment.split('\0').find_map(|entry| entry.strip_prefix(name)?.strip_prefix('='));
            let is_inside = value(RUN_DIR).is_some_and(|run_dir| Path::new(run_dir).starts_with(&folder));
            left.extend(value(COOKIE).filter(|_| is_inside).and_then(attempt_of));
        }
        left.sort();
        left.dedup();
        Ok(left)
    })
    .await
}

fn attempt_of(cookie: &str) -> Option<Left> {
    let mut parts = cookie.split('.');
    let (task_run, attempt) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some(Left { task_run: TaskRunId(task_run), attempt, cookie: cookie.to_owned() })
}

/// What identifies a process: its number alone may be given to another one.
type Identity = (i32, u64);

#[derive(Debug, Clone, Copy)]
struct Process {
    pid: i32,
    parent: i32,
    group: i32,
    /// When it started, in ticks since the machine did.
    start: u64,
    resident_pages: u64,
}

/// The processes that belong together.
#[derive(Clone)]
pub(super) struct Processes {
    entry: Option<String>,
    group: Option<i32>,
    /// Those looked at before. What belongs to an attempt does so for ever.
    known: HashMap<Identity, bool>,
}

impl Processes {
    /// Those that carry a cookie, those of a group, and their children.
    pub(super) fn new(cookie: Option<&str>, group: Option<i32>) -> Self {
        Self { entry: cookie.map(|cookie| format!("{COOKIE}={cookie}")), group, known: HashMap::new() }
    }

    /// Asks them to end, waits until they have, and kills those that have not in time.
    pub(super) async fn stop(&mut self, grace: Duration) -> Result<()> {
        let deadline = Instant::now() + grace;
        let mut processes = self.clone();
        let remaining = blocking(move || {
            processes.signal(Signal::TERM)?;
            while Instant::now() < deadline && !processes.find()?.is_empty() {
                std::thread::sleep(LOOK_EVERY);
            }
            processes.kill()?;
            Ok(processes)
        });
        *self = remaining.await?;
        Ok(())
    }

    /// Kills them, and those they start meanwhile. Says how many there were.
    pub(super) fn kill(&mut self) -> Result<usize> {
        let deadline = Instant::now() + KILL_WITHIN;
        let mut killed = 0;
        loop {
            let found = self.signal(Signal::KILL)?;
            killed = killed.max(found);
            if found == 0 {
                return Ok(killed);
            }
            if Instant::now() > deadline {
                return Err(Error::new(
                    ErrorKind::Busy,
                    format!("{found} processes do not go although they were killed"),
                )
                .advise("They hang in the kernel, mostly on a disk or a network share that does not answer."));
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Ends once they take more memory than they may, and says how much that is.
    pub(super) async fn outgrow(&mut self, bytes_max: u64) -> Result<u64> {
        loop {
            let started = Instant::now();
            let mut processes = self.clone();
            let (bytes, processes) = blocking(move || {
                let bytes = processes.memory(bytes_max)?;
                Ok((bytes, processes))
            })
            .await?;
            *self = processes;
            if bytes > bytes_max {
                return Ok(bytes);
            }
            // On a machine with very many processes looking costs; it may take a twentieth of one core.
            tokio::time::sleep(Duration::from_millis(200).max(started.elapsed() * 20)).await;
        }
    }

    /// Bytes in memory. Pages that several share are counted once if it matters.
    fn memory(&mut self, bytes_max: u64) -> Result<u64> {
        let found = self.find()?;
        let page_bytes = rustix::param::page_size() as u64;
        let resident = found.iter().map(|process| process.resident_pages * page_bytes).sum();
        if resident <= bytes_max {
            return Ok(resident);
        }
        Ok(found.iter().map(|process| share(process.pid).unwrap_or(process.resident_pages * page_bytes)).sum())
    }

    /// Signals them, and says how many there are.
    fn signal(&mut self, signal: Signal) -> Result<usize> {
        let found = self.find()?;
        for process in &found {
            let Some(pid) = Pid::from_raw(process.pid) else { continue };
            // A handle first, then the question whether it is still the same process: so nothing else can be hit.
            let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
            if read_stat(process.pid).is_some_and(|now| now.start == process.start) {
                let _ = pidfd_send_signal(&handle, signal);
            }
        }
        Ok(found.len())
    }

    /// Those that live.
    fn find(&mut self) -> Result<Vec<Process>> {
        let mut all = Vec::new();
        for entry in fs::read_dir("/proc").at("/proc")? {
            let name = entry.at("/proc")?.file_name();
            let pid = name.to_str().and_then(|name| name.parse().ok());
            all.extend(pid.and_then(read_stat));
        }
        // Kernel threads have no group; they come and go by the hundred, and carry nothing.
        all.retain(|process| process.group != 0);
        let own = i32::try_from(std::process::id()).unwrap_or(0);
        let mut seen = HashMap::with_capacity(all.len());
        let mut unclear = Vec::new();
        for process in &all {
            let identity = (process.pid, process.start);
            let known = self.known.get(&identity).copied();
            let belongs = known == Some(true)
                || self.group == Some(process.group)
                || (known.is_none()
                    && self.carries_cookie(process.pid).unwrap_or_else(|| {
                        unclear.push(identity);
                        false
                    }));
            seen.insert(identity, belongs && process.pid != own);
        }
        if self.entry.is_some() {
            adopt(&all, &mut seen);
        }
        all.retain(|process| seen.get(&(process.pid, process.start)) == Some(&true));
        unclear.retain(|identity| seen.get(identity) == Some(&false));
        for identity in unclear {
            seen.remove(&identity);
        }
        self.known = seen;
        Ok(all)
    }

    /// `None` if the environment cannot be seen now: a program that is just being started has none for a moment.
    fn carries_cookie(&self, pid: i32) -> Option<bool> {
        let entry = self.entry.as_ref()?;
        let environment = fs::read(format!("/proc/{pid}/environ")).ok().filter(|all| !all.is_empty())?;
        Some(environment.split(|&byte| byte == 0).any(|variable| variable == entry.as_bytes()))
    }
}

/// Marks the children of those that belong.
fn adopt(all: &[Process], seen: &mut HashMap<Identity, bool>) {
    loop {
        let parents: HashMap<i32, bool> =
            all.iter().map(|process| (process.pid, seen[&(process.pid, process.start)])).collect();
        let mut changed = false;
        for process in all {
            let belongs = parents.get(&process.parent) == Some(&true);
            if belongs && seen.insert((process.pid, process.start), true) == Some(false) {
                changed = true;
            }
        }
        if !changed {
            return;
        }
    }
}

/// See proc(5); `None` if it has ended, also if its parent does not know yet.
fn read_stat(pid: i32) -> Option<Process> {
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let text = String::from_utf8_lossy(&text);
    // The name comes second, in brackets, and may hold anything.
    let fields: Vec<&str> = text[text.rfind(')')? + 1..].split_ascii_whitespace().collect();
    if matches!(*fields.first()?, "Z" | "X") {
        return None;
    }
    Some(Process {
        pid,
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        start: fields.get(19)?.parse().ok()?,
        resident_pages: fields.get(21)?.parse().ok()?,
    })
}

/// What a process takes of the memory, its share of what it shares included.
fn share(pid: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(io::Error::from(io::ErrorKind::Interrupted).into()),
    }
}
