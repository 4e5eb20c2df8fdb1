//! Which machine and process this is, so that workers of one machine can see at once that another one has died, long
//! before it is missed.

use std::fs;

use levada_store::Worker;

/// This process on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// The machine since it was started, and the space in which process numbers are its own.
    pub host: String,
    /// The process: its number and when it was started, as a number can be given again.
    pub process: String,
}

impl Host {
    /// This process. Where the machine does not tell (no `/proc`), nobody is ever taken for dead before its time.
    pub fn here() -> Self {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let space = fs::read_link("/proc/self/ns/pid").map(|link| link.display().to_string()).unwrap_or_default();
        let id = std::process::id();
        let process = started(id).map(|start| format!("{id}:{start}")).unwrap_or_default();
        Self { host: format!("{}/{space}", boot.trim()), process }
    }

    /// Whether a worker is known to be dead: it is of this machine, and its process is not there.
    pub fn is_dead(&self, worker: &Worker) -> bool {
        self.is_gone(&worker.host, &worker.process)
    }

    /// Whether a process, as another one of its kind told of it, is known not to be there any more.
    pub fn is_gone(&self, host: &str, process: &str) -> bool {
        if host != self.host || process.is_empty() || self.process.is_empty() {
            return false;
        }
        let Some((id, start)) = process.split_once(':') else { return false };
        let Ok(id) = id.parse() else { return false };
        started(id).as_deref() != Some(start)
    }
}

/// When a process was started, in ticks since the machine was: field 22 of `/proc/ID/stat` (proc(5)). A dead process
/// that its parent has not yet asked for counts as gone.
fn started(id: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // the name, in brackets, can hold blanks and brackets
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    let state = fields.next()?;
    (!matches!(state, "Z" | "X")).then(|| fields.nth(18).map(str::to_owned))?
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::process::Command;

    use levada_core::id::WorkerId;
    use levada_core::time::Timestamp;

    use super::*;

    fn worker(host: &Host, process: String) -> Worker {
        Worker {
            id: WorkerId(1),
            name: String::new(),
            host: host.host.clone(),
            process,
            labels: Vec::new(),
            slots: 1,
            is_own: false,
            state: "active".to_owned(),
            started_at: Timestamp::default(),
            beat_at: Timestamp::default(),
        }
    }

    #[test]
    fn the_dead_of_this_machine_are_known() {
        let host = Host::here();
        assert!(!host.is_dead(&worker(&host, host.process.clone())));
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let process = format!("{}:{}", child.id(), started(child.id()).unwrap());
        let sleeper = worker(&host, process);
        assert!(!host.is_dead(&sleeper));
        child.kill().unwrap();
        // dead, and not yet waited for
        while started(child.id()).is_some() {
            std::thread::yield_now();
        }
        assert!(host.is_dead(&sleeper));
        child.wait().unwrap();
        assert!(host.is_dead(&sleeper));
        let elsewhere = Worker { host: "elsewhere".to_owned(), ..sleeper };
        assert!(!host.is_dead(&elsewhere));
    }
}
