//! The arguments of what talks over the metadata store: the service, pipelines, runs, schedules and backfills.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use levada_core::config::Step;
use levada_core::config::amount::parse_duration;
use levada_core::run::RunState;
use levada_core::time::Timestamp;
use levada_server::backfills::End;
use levada_store::Cause;

use super::{one_of, pair};

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Tasks at once in this process; 0 leaves all to `levada worker`
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub workers: u32,
    /// The address to answer at; others than those of this machine need TLS, or a proxy that has it
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub host: IpAddr,
    /// The port to answer at; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 7717)]
    pub port: u16,
    /// The certificate chain for TLS, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// The address by which people reach this server, as behind a proxy [default: the one that it answers at]
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// Run and accept no commands, whatever documents say; also with LEVADA_NO_COMMANDS=1
    #[arg(long)]
    pub no_commands: bool,
    /// A proxy whose word on who asks is taken; can be given several times
    #[arg(long = "trusted-proxy", value_name = "ADDRESS")]
    pub trusted_proxies: Vec<IpAddr>,
}

/// Arguments of `worker`.
#[derive(Debug, Args)]
pub struct WorkerArgs {
    /// Tasks at once
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub slots: u32,
    /// A label that tasks can ask for in `runs_on`; can be given several times
    #[arg(long = "label", value_name = "LABEL")]
    pub labels: Vec<String>,
    /// Run no commands, whatever documents say; also with LEVADA_NO_COMMANDS=1
    #[arg(long)]
    pub no_commands: bool,
    /// Its name [default: host and process]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
}

/// Arguments of `apply` and `diff`.
#[derive(Debug, Args)]
pub struct FolderArgs {
    /// The folder of the project [default: that of the nearest levada.yaml]
    #[arg(value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

/// Arguments of `export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The folder to write to [default: the project's]
    #[arg(value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// Overwrite files that are not what was applied
    #[arg(long)]
    pub force: bool,
}

/// Arguments of `start`.
#[derive(Debug, Args)]
pub struct StartArgs {
    /// The pipeline
    pub pipeline: String,
    /// A value for a parameter; can be given several times
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = pair)]
    pub params: Vec<(String, String)>,
    /// Only this task; can be given several times
    #[arg(long = "task", value_name = "TASK")]
    pub tasks: Vec<String>,
    /// Wait for the end of the run, and exit as it ends
    #[arg(long)]
    pub wait: bool,
}

/// Arguments of `runs`.
#[derive(Debug, Args)]
pub struct RunsArgs {
    /// Only runs of this pipeline
    pub pipeline: Option<String>,
    /// Only runs in this state
    #[arg(long, value_parser = one_of::<RunState>(&["queued", "running", "succeeded", "failed", "cancelled"]), value_name = "STATE")]
    pub state: Option<RunState>,
    /// Only runs made by this
    #[arg(long, value_parser = one_of::<Cause>(&["manual", "schedule", "trigger", "backfill", "pipeline", "retry"]), value_name = "CAUSE")]
    pub cause: Option<Cause>,
    /// Only runs made since an instant, for instance `2026-01-31`, or in the last `2h`
    #[arg(long, value_parser = since, value_name = "WHEN")]
    pub since: Option<Since>,
    /// Runs at most
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub limit: u16,
}

/// Since when.
#[derive(Debug, Clone, Copy)]
pub enum Since {
    /// An instant.
    At(Timestamp),
    /// So long ago.
    Ago(std::time::Duration),
}

/// Arguments of `show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The run's number
    pub run: i64,
}

/// Arguments of `replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The run's number
    pub run: i64,
    /// Only rows of this task
    #[arg(long, value_name = "TASK")]
    pub task: Option<String>,
    /// Only rows of this stream
    #[arg(long, value_name = "STREAM")]
    pub stream: Option<String>,
}

/// Arguments of `logs`.
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// The run's number
    #[arg(required_unless_present = "recent", default_value_t, hide_default_value = true)]
    pub run: i64,
    /// Only this task, or one item of it, counted from 0
    #[arg(value_name = "TASK[.ITEM]")]
    pub task: Option<String>,
    /// This attempt [default: the last]
    #[arg(long, value_name = "N")]
    pub attempt: Option<u32>,
    /// Go on with what is written from now on, until the run ends
    #[arg(short, long)]
    pub follow: bool,
    /// Only the last lines of each log, 1000 at most
    #[arg(long, value_name = "N")]
    pub tail: Option<usize>,
    /// The last lines of all pipelines, 100 unless `--tail` says how many
    #[arg(long, conflicts_with_all = ["run", "task", "attempt", "follow"])]
    pub recent: bool,
    /// Of the last lines only those of this level at least
    #[arg(long, requires = "recent", conflicts_with = "run", value_parser = ["info", "warn", "error"], value_name = "LEVEL")]
    pub level: Option<String>,
    /// Of the last lines only those of this pipeline
    #[arg(long, requires = "recent", conflicts_with = "run", value_name = "NAME")]
    pub pipeline: Option<String>,
    /// Of the last lines only those since an instant, for instance `2026-01-31`, or in the last `2h`
    #[arg(long, requires = "recent", conflicts_with = "run", value_parser = since, value_name = "WHEN")]
    pub since: Option<Since>,
}

/// Arguments of `artifacts`.
#[derive(Debug, Args)]
pub struct ArtifactsArgs {
    /// The run's number
    pub run: i64,
    /// Only those of this task, or of one item of it, counted from 0
    #[arg(long, value_name = "TASK[.ITEM]")]
    pub task: Option<String>,
    /// Copy them into this folder, and check them
    #[arg(short = 'o', long, value_name = "DIR")]
    pub to: Option<PathBuf>,
}

/// Arguments of `why`.
#[derive(Debug, Args)]
pub struct WhyArgs {
    /// The run's number
    pub run: i64,
    /// A task of it, or one item, counted from 0
    #[arg(value_name = "TASK[.ITEM]")]
    pub task: Option<String>,
}

/// Arguments of `cancel`.
#[derive(Debug, Args)]
pub struct CancelArgs {
    /// The run's number
    pub run: i64,
}

/// Arguments of `retry`.
#[derive(Debug, Args)]
pub struct RetryArgs {
    /// The run's number
    pub run: i64,
    /// Everything, not only what did not succeed
    #[arg(long, conflicts_with = "tasks")]
    pub all: bool,
    /// Only this task, whatever became of it; can be given several times
    #[arg(long = "task", value_name = "TASK")]
    pub tasks: Vec<String>,
    /// With the documents as they were applied last, not those of the run
    #[arg(long)]
    pub newest: bool,
    /// Wait for the end of the new run, and exit as it ends
    #[arg(long)]
    pub wait: bool,
}

/// Arguments of `pause` and `resume`.
#[derive(Debug, Args)]
pub struct PauseArgs {
    /// The pipeline
    pub pipeline: String,
    /// Only this schedule of it
    #[arg(long, value_name = "NAME")]
    pub schedule: Option<String>,
}

/// The commands on schedules.
#[derive(Debug, Subcommand)]
pub enum ScheduleCommand {
    /// List the schedules of the applied pipelines
    List {
        /// Only those of this pipeline
        pipeline: Option<String>,
    },
    /// Tell when schedules by time fire next
    Preview {
        /// An applied pipeline, or the file of one
        #[arg(value_name = "PIPELINE|FILE")]
        pipeline: String,
        /// Only this schedule of it
        #[arg(long)]
        name: Option<String>,
        /// Fires of each schedule
        #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
        count: u16,
        /// From an instant on, for instance `2026-03-28` [default: now]
        #[arg(long, value_parser = instant, value_name = "WHEN")]
        from: Option<Timestamp>,
    },
}

/// Arguments of `backfill`.
#[derive(Debug, Args)]
pub struct BackfillArgs {
    /// The pipeline
    pub pipeline: String,
    /// The first day or instant, for instance `2026-01-31` or `2026-01-31T06:00:00Z`
    #[arg(long, value_parser = end, value_name = "WHEN")]
    pub from: End,
    /// The last day, or the last instant that may be
    #[arg(long, value_parser = end, value_name = "WHEN")]
    pub to: End,
    /// One run for each of these [default: one for each fire of the schedule, if there is one; else day]
    #[arg(long, value_parser = one_of::<Step>(&["hour", "day", "week", "month"]), value_name = "STEP")]
    pub every: Option<Step>,
    /// Leave out instants that have a run
    #[arg(long, conflicts_with = "only_failed")]
    pub only_missing: bool,
    /// Only instants whose last run failed or was cancelled
    #[arg(long)]
    pub only_failed: bool,
    /// Runs at once
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub concurrency: u32,
    /// The latest first
    #[arg(long)]
    pub reverse: bool,
    /// Tell which runs there would be, and make none
    #[arg(long)]
    pub dry_run: bool,
    /// A value for a parameter; can be given several times
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = pair)]
    pub params: Vec<(String, String)>,
}

/// The commands on backfills.
#[derive(Debug, Subcommand)]
pub enum BackfillsCommand {
    /// List backfills, the newest first
    List {
        /// Backfills at most
        #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
    },
    /// Show a backfill with its runs
    Show {
        /// The backfill's number
        id: i64,
    },
    /// Start no further runs; those that are open go on
    Pause {
        /// The backfill's number
        id: i64,
    },
    /// Undo `pause`
    Resume {
        /// The backfill's number
        id: i64,
    },
    /// Cancel a backfill with its open runs
    Cancel {
        /// The backfill's number
        id: i64,
    },
}

/// The commands on secrets.
#[derive(Debug, Subcommand)]
pub enum SecretsCommand {
    /// Keep a secret; its value is typed in without being shown, or read from standard input
    Set {
        /// Its name, as in `${secret:name}`
        name: String,
    },
    /// List the names of the secrets
    List,
    /// Remove a secret
    Remove {
        /// Its name
        name: String,
    },
    /// Seal every secret under a new master key
    Rotate,
}

/// The commands on the metadata store.
#[derive(Debug, Subcommand)]
pub enum DbCommand {
    /// Tell where the metadata store is, and what it holds
    Status,
    /// Carry everything over into another, empty store
    Move {
        /// The other store: a PostgreSQL URL, or the path of a SQLite file
        #[arg(long, env = "LEVADA_MOVE_TO", hide_env_values = true, value_name = "URL")]
        to: String,
        /// Although workers are alive; what they do from then on is lost
        #[arg(long)]
        force: bool,
    },
}

fn end(text: &str) -> Result<End, String> {
    End::parse(text).ok_or_else(|| "expected a day or an instant such as 2026-01-31T06:00:00Z".to_owned())
}

fn instant(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| "expected a day or an instant such as 2026-01-31T06:00:00Z".to_owned())
}

pub(super) fn since(text: &str) -> Result<Since, String> {
    let ago = || parse_duration(text).map(Since::Ago).ok();
    let expected = "expected an instant such as 2026-01-31T06:00:00Z, or a time such as 2h";
    Timestamp::parse(text).map(Since::At).or_else(ago).ok_or_else(|| expected.to_owned())
}
