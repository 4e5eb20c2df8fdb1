//! A program at work: started in a process group of its own, watched within its limits, and ended with all it started.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Once;
use std::time::Duration;

use levada_core::config::Command;
use levada_core::error::{Context as _, Error, ErrorKind, Result};
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::process::Child;

use super::output::Output;
use super::processes::Processes;
use super::{TaskContext, stopped};

/// What is handed on of Levada's own environment.
const INHERITED: &[&str] = &["PATH", "HOME", "LANG", "TZ", "TMPDIR"];
/// Where programs are looked for if PATH is not set.
const PATH_DEFAULT: &str = "/usr/local/bin:/usr/bin:/bin";
/// How long a program has to end: a run that is cancelled is to have ended after ten seconds.
const GRACE: Duration = Duration::from_secs(7);

/// The program and all in its process group. Killed when dropped before it has ended.
pub(super) struct Group {
    pub(super) leader: Child,
    group: Option<Pid>,
}

impl Group {
    /// Starts a program with its arguments, with the variables of the command and these.
    pub(super) fn spawn(
        argv: &[String],
        work: &Command,
        variables: &[(&str, &OsStr)],
        context: &TaskContext,
    ) -> Result<Self> {
        // Levada opens nothing that a child would inherit, but whoever started Levada may have left it something.
        static INHERIT_NOTHING: Once = Once::new();
        INHERIT_NOTHING.call_once(|| close_fds::set_fds_cloexec_threadsafe(3, &[]));

        let (name, arguments) = argv.split_first().ok_or_else(nothing_to_run)?;
        let dir = context.project_dir.join(work.dir.as_deref().unwrap_or(""));
        let path = work.env.get("PATH").map(|path| path.expose().to_owned()).or_else(|| std::env::var("PATH").ok());
        // A full path is also what makes starting it cheap: no fork of a large process is needed then (posix_spawn).
        let program = find_program(name, &dir, path.as_deref().unwrap_or(PATH_DEFAULT))
            .map_err(|error| error.at(context.redactor.text(name)))?;

        let mut command = std::process::Command::new(program);
        command.args(arguments).current_dir(&dir).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env_clear().env("PATH", PATH_DEFAULT);
        command.envs(INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command.envs(work.env.iter().map(|(name, value)| (name, value.expose())));
        command.envs(variables.iter().copied());
        let leader = tokio::process::Command::from(command).spawn().map_err(|error| {
            let place = context.redactor.text(name).into_owned();
            not_started(error, &dir).at(place)
        })?;
        let group = leader.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        Ok(Self { leader, group })
    }

    /// Waits until it has ended, within its limits, and what it started in its group too.
    pub(super) async fn watch(
        &mut self,
        work: &Command,
        context: &TaskContext,
        output: &mut Output,
        attempt: &str,
    ) -> Result<ExitStatus> {
        let grace = work.grace.map_or(GRACE, |grace| grace.0);
        let mut all = Processes::new(Some(attempt), self.group.map(Pid::as_raw_pid));
        let mut watched = all.clone();
        let outgrown = async {
            match work.memory {
                Some(limit) => watched.outgrow(limit.0).await.map(|bytes| (bytes, limit.0)),
                None => std::future::pending().await,
            }
        };
        let error = tokio::select! {
            status = self.leader.wait() => {
                let status = status.at("waiting for the program")?;
                return self.end_group(context, output, grace).await.map(|()| status);
            }
            () = context.stop.cancelled() => {
                context.log.sys("stopping");
                let error = tokio::select! {
                    ended = all.stop(grace) => ended.err(),
                    error = output.pump() => Some(error),
                };
                error.unwrap_or_else(stopped)
            }
            error = output.pump() => error,
            outgrown = outgrown => outgrown.map_or_else(|error| error, |(bytes, limit)| too_much_memory(bytes, limit)),
        };
        // Whatever the reason: nothing of it stays.
        all.stop(Duration::ZERO).await?;
        self.leader.wait().await.at("waiting for the program")?;
        self.group = None;
        output.drain().await.ok();
        context.log.sys(&error.to_string());
        Err(error)
    }

    /// The program has ended; what it left in its group ends with it.
    async fn end_group(&mut self, context: &TaskContext, output: &mut Output, grace: Duration) -> Result<()> {
        let Some(group) = self.group.take() else { return Ok(()) };
        if test_kill_process_group(group).is_err() {
            return Ok(());
        }
        context.log.sys("the program has ended; what it left running is stopped");
        let mut left = Processes::new(None, Some(group.as_raw_pid()));
        tokio::select! {
            ended = left.stop(grace) => ended,
            () = context.stop.cancelled() => {
                left.stop(Duration::ZERO).await?;
                Err(stopped())
            }
            error = output.pump() => {
                left.stop(Duration::ZERO).await?;
                Err(error)
            }
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// As a shell does it: a name with a slash is a path, another one is looked for in the folders of PATH.
fn find_program(name: &str, dir: &Path, path: &str) -> Result<PathBuf> {
    let runnable =
        |file: &PathBuf| fs::metadata(file).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0);
    let folders = path.split(':').map(|folder| dir.join(folder).join(name));
    let found = if name.contains('/') {
        std::path::absolute(dir.join(name)).ok()
    } else {
        folders.filter_map(|file| std::path::absolute(file).ok()).find(runnable)
    };
    found.ok_or_else(|| {
        Error::new(ErrorKind::NotFound, "there is no such program on this worker")
            .advise("Install it, give its full path, or choose a worker that has it with `runs_on`.")
    })
}

fn not_started(error: io::Error, dir: &Path) -> Error {
    if !dir.is_dir() {
        return Error::new(ErrorKind::NotFound, format!("the folder {} does not exist", dir.display()))
            .advise("Correct `dir` of the command.");
    }
    let advice = match error.kind() {
        io::ErrorKind::NotFound => "Give the path of a program that this worker has.",
        io::ErrorKind::PermissionDenied => "Make the file executable with `chmod +x`, or run it by its interpreter.",
        io::ErrorKind::ArgumentListTooLong => "Pass long values by LEVADA_INPUTS, which is a file.",
        io::ErrorKind::InvalidInput => "Arguments and variables cannot hold the character NUL.",
        _ => "A text file needs a first line such as `#!/bin/sh`, or its interpreter as the first word of `argv`.",
    };
    let kind = match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::PermissionDenied => ErrorKind::Permission,
        io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory => ErrorKind::Busy,
        _ => ErrorKind::Config,
    };
    Error::new(kind, format!("the program cannot be started: {error}")).advise(advice)
}

fn nothing_to_run() -> Error {
    Error::new(ErrorKind::Config, "the command has neither `argv` nor `script`")
}

fn too_much_memory(bytes: u64, limit: u64) -> Error {
    Error::new(ErrorKind::Task, format!("took {bytes} bytes of memory, and may take {limit}"))
        .advise("Let it take less, or raise `memory` of the command.")
}
