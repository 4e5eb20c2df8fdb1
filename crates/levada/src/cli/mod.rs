//! The command line: every command, argument and option, and nothing that acts on them.

mod access;
mod backup;
mod data;
mod house;

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Parser, Subcommand, ValueEnum};
use serde::de::{DeserializeOwned, IntoDeserializer};

pub use access::*;
pub use backup::*;
pub use data::*;
pub use house::*;

const EXIT_CODES: &str = "\
Exit codes:
  0    everything succeeded and is proved
  1    a run, a stream or a check failed
  2    the command line or a document is not valid
  3    refused, because going on would break a promise
  130  interrupted";

/// Headings of the options that every command has, so that its own come first.
const EVERYWHERE: &str = "Options of every command";
const AT_A_SERVER: &str = "At a server";

/// Moves tables and files between systems, exactly once and with proof.
#[derive(Debug, Parser)]
#[command(name = "levada", version, max_term_width = 110, after_help = EXIT_CODES, subcommand_required = true)]
pub struct Cli {
    /// How results are written to standard output
    #[arg(long, global = true, value_enum, default_value_t = Format::Text, value_name = "FORMAT", help_heading = EVERYWHERE)]
    pub output: Format,
    /// The file with the connections [default: the nearest levada.yaml]
    #[arg(long, global = true, value_name = "FILE", help_heading = EVERYWHERE)]
    pub project: Option<PathBuf>,
    /// The folder for logs, files of runs and the metadata store [default: .levada in the project's folder]
    #[arg(long, global = true, env = "LEVADA_DATA", value_name = "DIR", help_heading = EVERYWHERE)]
    pub data: Option<PathBuf>,
    /// The metadata store: the path of a SQLite file, or a PostgreSQL URL [default: levada.db in the data folder]
    #[arg(long, global = true, env = "LEVADA_DATABASE", hide_env_values = true, value_name = "URL", help_heading = EVERYWHERE)]
    pub database: Option<String>,
    /// The server to ask, in place of the metadata store here [env: LEVADA_SERVER]
    #[arg(long, global = true, value_name = "URL", help_heading = AT_A_SERVER)]
    pub server: Option<String>,
    /// Certificates of authorities to trust beside those of this machine, PEM
    #[arg(long, global = true, value_name = "FILE", help_heading = AT_A_SERVER)]
    pub ca: Option<PathBuf>,
    /// Let the token cross the network in the clear, to a server without TLS
    #[arg(long, global = true, help_heading = AT_A_SERVER)]
    pub insecure_http: bool,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    // for people
    Text,
    // for programs
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a pipeline from its file, in this process
    Run(RunArgs),
    /// Copy streams from one system to another, without any document
    Copy(Box<CopyArgs>),
    /// Keep the tables of a database as files in a folder, all of one moment
    Backup(BackupArgs),
    /// Make the tables of a backup again, with their rows
    Restore(RestoreArgs),
    /// List, verify and remove backups
    #[command(subcommand)]
    Backups(BackupsCommand),
    /// Run pipelines by themselves: schedules, and workers in this process
    Serve(ServeArgs),
    /// Execute tasks in a process of its own
    Worker(WorkerArgs),
    /// Make the documents of a project those that `serve` follows
    Apply(FolderArgs),
    /// Show what `apply` would change; exit code 1 if anything
    Diff(FolderArgs),
    /// Write the applied documents back to their files
    Export(ExportArgs),
    /// List the applied pipelines
    Pipelines,
    /// Start a run of an applied pipeline
    Start(StartArgs),
    /// List runs, the newest first
    Runs(RunsArgs),
    /// Show a run with its tasks
    Show(ShowArgs),
    /// Show what tasks wrote while they ran
    Logs(LogsArgs),
    /// List or copy the files that tasks left
    Artifacts(ArtifactsArgs),
    /// Tell in one line what a run or a task is waiting for
    Why(WhyArgs),
    /// Cancel a run
    Cancel(CancelArgs),
    /// Try a run again from the tasks that did not succeed
    Retry(RetryArgs),
    /// Load the rows of a run that are in the quarantine again; exit code 1 if some still do not fit
    Replay(ReplayArgs),
    /// Let nothing of a pipeline start, or keep a schedule from firing
    Pause(PauseArgs),
    /// Undo `pause`
    Resume(PauseArgs),
    /// List schedules, or preview when they fire
    #[command(subcommand)]
    Schedule(ScheduleCommand),
    /// Run a pipeline for every instant of a range
    Backfill(BackfillArgs),
    /// List and control backfills
    #[command(subcommand)]
    Backfills(BackfillsCommand),
    /// List the workers that are signed on
    Workers,
    /// List pools, and who holds their slots
    Pools,
    /// Find pipelines, connections, datasets and runs by name or number
    Search(SearchArgs),
    /// List the datasets that runs met, or show one with its columns
    Datasets(DatasetsArgs),
    /// Show what a dataset is made from, and what is made from it
    Lineage(LineageArgs),
    /// Keep, list and remove secrets in the metadata store
    #[command(subcommand)]
    Secrets(SecretsCommand),
    /// Keep a token for a server, for which a password is asked once
    Login(LoginArgs),
    /// Forget the token for a server, there and here
    Logout(LogoutArgs),
    /// List and change who may sign in
    #[command(subcommand)]
    Users(UsersCommand),
    /// List, make and remove API tokens
    #[command(subcommand)]
    Tokens(TokensCommand),
    /// Show the audit log, or check that nobody has changed it
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Show or move the metadata store
    #[command(subcommand)]
    Db(DbCommand),
    /// Check documents without touching any system
    Validate(ValidateArgs),
    /// Tell what a run would do, and change nothing
    Plan(PlanArgs),
    /// Try connections step by step
    Check(CheckArgs),
    /// List streams with their columns, keys and sizes
    Discover(DiscoverArgs),
    /// Show the first rows of a stream
    Preview(PreviewArgs),
    /// Show or reset how far streams have been loaded
    #[command(subcommand)]
    Positions(PositionsCommand),
    /// Make a project with a first pipeline that runs
    Init(InitArgs),
    /// Print the JSON schema of a document or of a connector's settings
    Schema(SchemaArgs),
    /// Print completions for a shell
    Completions(CompletionsArgs),
}

impl Command {
    /// For what is done on this machine only: what it is called, and what there is in its place.
    pub fn local(&self) -> Option<(&'static str, &'static str)> {
        Some(match self {
            Self::Run(_) => ("run", "`levada apply` and `levada start` have a server run a pipeline."),
            Self::Copy(_) => ("copy", "A server copies what the pipelines applied there say."),
            Self::Backup(_) | Self::Restore(_) | Self::Backups(_) => {
                ("backup", "Name the database and the folder by their addresses.")
            }
            Self::Serve(_) => ("serve", "It is a server by itself."),
            Self::Worker(_) => ("worker", "It needs the metadata store: give `--database`."),
            Self::Db(DbCommand::Move { .. }) => ("db move", "Move the metadata where the server is, while it stands."),
            Self::Init(_) => ("init", "`levada export DIR` fetches the documents of a server."),
            Self::Schema(_) => ("schema", "Servers have theirs at `/api/v1/openapi.json`."),
            Self::Completions(_) => ("completions", "They are the same for every server."),
            _ => return None,
        })
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

/// One of the words of an enumeration of the documents.
fn one_of<T>(words: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: DeserializeOwned + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(words).try_map(|word| {
        let word: serde::de::value::StringDeserializer<serde::de::value::Error> = word.into_deserializer();
        T::deserialize(word)
    })
}
