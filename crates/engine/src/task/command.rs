//! Runs a program or a script: in a process group of its own, with an environment that says exactly what it gets, and
//! under limits. When it is stopped, nothing of it goes on.
//!
//! A program that ends by itself ends its process group: what it left in there is stopped. What made a session of its
//! own (a daemon that the program was to start) then stays; it does not when the task is stopped.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::ExitStatus;

use levada_core::config::Command;
use levada_core::error::{Context as _, Error, ErrorKind, Result};
use serde_json::{Map, Value as Json};

use super::child::Group;
use super::output::Output;
use super::processes::{COOKIE, RUN_DIR, cookie};
use super::{OUTPUTS_BYTES_MAX, Outcome, TaskContext, artifacts, outputs, stopped, too_large};

/// How the name of the folder starts that holds what an attempt and Levada tell each other.
pub(crate) const OWN_PREFIX: &str = ".levada-";

const OUTPUT_BYTES_MAX: u64 = 64_000_000;

/// What is said where a program seems to have meant its output as outputs, and nobody takes it for that.
const HINT: &str = "hint: the output ends like a JSON object of several lines, of which nothing becomes an output: print it \
                    in one line, or write it to LEVADA_OUTPUTS";

/// Runs the program to its end, or to that of its limits.
///
/// # Errors
/// `Task` if it ends with another exit code than those of success, by a signal, over a limit, or with outputs that are
/// none; `Interrupted` if it was stopped; `NotFound`, `Permission` or `Config` if it cannot be started; `Full` and `Io`.
pub async fn execute(work: &Command, context: &TaskContext) -> Result<Outcome> {
    let own = OwnFolder::create(work, context)?;
    let attempt = cookie(context.task_run, context.attempt, &context.run_dir);
    let (run, inputs_file, outputs_file) = (context.run.to_string(), own.path.join(INPUTS), own.path.join(OUTPUTS));
    let variables: [(&str, &OsStr); 6] = [
        ("LEVADA_RUN", run.as_ref()),
        ("LEVADA_TASK", context.task.as_ref()),
        (COOKIE, attempt.as_ref()),
        (RUN_DIR, own.run_dir.as_ref()),
        ("LEVADA_INPUTS", inputs_file.as_ref()),
        ("LEVADA_OUTPUTS", outputs_file.as_ref()),
    ];
    let mut child = Group::spawn(&argv(work, &own)?, work, &variables, context)?;
    let mut output = Output::new(child.leader.stdout.take(), child.leader.stderr.take(), context);
    context.log.limit_output(work.output.map_or(OUTPUT_BYTES_MAX, |limit| limit.0));

    let status = child.watch(work, context, &mut output, &attempt).await?;
    output.drain().await?;
    check(status, work, &output)?;

    let map = match own.outputs()? {
        Some(map) => map,
        None => {
            if output.ends_in_lines() {
                context.log.sys(HINT);
            }
            printed(&output)?
        }
    };
    let outputs = outputs(map, context)?;
    let artifacts = if work.artifacts.is_empty() {
        Vec::new()
    } else {
        let (folder, patterns) = (context.run_dir.clone(), work.artifacts.clone());
        let collected = tokio::task::spawn_blocking(move || {
            let found = artifacts::collect(&folder, &patterns)?;
            artifacts::record(&folder, &found).map(|()| found)
        });
        collected.await.map_err(|_| stopped())??
    };
    Ok(Outcome::Done { outputs, artifacts })
}

/// What an attempt and Levada tell each other, in a folder that only its user can read and that goes with the attempt.
struct OwnFolder {
    run_dir: PathBuf,
    path: PathBuf,
}

const INPUTS: &str = "inputs.json";
const OUTPUTS: &str = "outputs.json";
const SCRIPT: &str = "script";

impl OwnFolder {
    fn create(work: &Command, context: &TaskContext) -> Result<Self> {
        let run_dir = std::path::absolute(&context.run_dir).at(context.run_dir.display().to_string())?;
        let path = run_dir.join(format!("{OWN_PREFIX}{}.{}", context.task_run, context.attempt));
        let place = || path.display().to_string();
        let create = || fs::DirBuilder::new().mode(0o700).create(&path);
        match create() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(&run_dir).and_then(|()| create()).at(place())?;
            }
            // What a killed worker left of the same attempt.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                fs::remove_dir_all(&path).and_then(|()| create()).at(place())?;
            }
            created => created.at(place())?,
        }
        artifacts::forget(&run_dir);
        let own = Self { run_dir, path };
        fs::write(own.path.join(INPUTS), context.inputs.to_string()).at(own.path.display().to_string())?;
        if let Some(script) = &work.script {
            fs::write(own.path.join(SCRIPT), script).at(own.path.display().to_string())?;
        }
        Ok(own)
    }

    /// What the program wrote to LEVADA_OUTPUTS, if it did.
    fn outputs(&self) -> Result<Option<Map<String, Json>>> {
        let path = self.path.join(OUTPUTS);
        let Ok(file) = fs::metadata(&path) else { return Ok(None) };
        if file.len() > OUTPUTS_BYTES_MAX as u64 {
            return Err(too_large(usize::try_from(file.len()).unwrap_or(usize::MAX)));
        }
        match serde_json::from_slice(&fs::read(&path).at("LEVADA_OUTPUTS")?) {
            Ok(map) => Ok(Some(map)),
            Err(_) => Err(Error::new(ErrorKind::Task, "the file LEVADA_OUTPUTS does not hold a JSON object")
                .advise("Write outputs as one object, for instance {\"rows\": 10}.")),
        }
    }
}

impl Drop for OwnFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn argv(work: &Command, own: &OwnFolder) -> Result<Vec<String>> {
    if work.script.is_none() {
        return Ok(work.argv.clone());
    }
    let script = own.path.join(SCRIPT).into_os_string().into_string().map_err(|_| {
        Error::new(ErrorKind::Config, "the run's folder has a name that is not valid Unicode")
            .advise("Move the data folder to a path of plain characters.")
    })?;
    let interpreter = work.interpreter.as_deref().unwrap_or("sh");
    Ok(interpreter.split_whitespace().map(str::to_owned).chain([script]).collect())
}

/// Whether it ended as it should.
fn check(status: ExitStatus, work: &Command, output: &Output) -> Result<()> {
    let success = work.success.as_deref().unwrap_or(&[0]);
    if status.code().is_some_and(|code| success.contains(&code)) {
        return Ok(());
    }
    let how = match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, signal) => format!("was ended by {}", signal_name(signal.unwrap_or(0))),
    };
    let last = output.last_err();
    let message = if last.is_empty() { how } else { format!("{how}: {last}") };
    let error = Error::new(ErrorKind::Task, message);
    Err(match status.signal() {
        Some(9) => error.advise("Levada did not kill it: perhaps the system ran out of memory (see `dmesg`)."),
        _ => error,
    })
}

fn signal_name(signal: i32) -> String {
    const NAMES: &[(i32, &str)] = &[
        (1, "SIGHUP"),
        (2, "SIGINT"),
        (3, "SIGQUIT"),
        (4, "SIGILL"),
        (6, "SIGABRT"),
        (7, "SIGBUS"),
        (8, "SIGFPE"),
        (9, "SIGKILL"),
        (11, "SIGSEGV"),
        (13, "SIGPIPE"),
        (14, "SIGALRM"),
        (15, "SIGTERM"),
        (24, "SIGXCPU"),
        (25, "SIGXFSZ"),
    ];
    let known = NAMES.iter().find(|(number, _)| *number == signal);
    known.map_or_else(|| format!("signal {signal}"), |(_, name)| (*name).to_owned())
}

/// The last line of standard output, if it is a JSON object.
fn printed(output: &Output) -> Result<Map<String, Json>> {
    Ok(output.last_out()?.and_then(|line| serde_json::from_slice(line).ok()).unwrap_or_default())
}
