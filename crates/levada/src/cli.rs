//! The command line: every command, argument and option, and nothing that acts on them.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use levada_core::config::{OnBadRow, ReadKind, Verify};
use levada_core::destination::WriteMode;
use levada_core::schema::OnSchemaChange;
use serde::de::{DeserializeOwned, IntoDeserializer};

const EXIT_CODES: &str = "\
Exit codes:
  0    everything succeeded and is proved
  1    a run, a stream or a check failed
  2    the command line or a document is not valid
  3    refused, because going on would break a promise
  130  interrupted";

/// Moves tables and files between systems, exactly once and with proof.
#[derive(Debug, Parser)]
#[command(name = "levada", version, max_term_width = 110, after_help = EXIT_CODES, subcommand_required = true)]
pub struct Cli {
    /// How results are written to standard output
    #[arg(long, global = true, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    pub output: Format,
    /// The file with the connections [default: the nearest levada.yaml]
    #[arg(long, global = true, value_name = "FILE")]
    pub project: Option<PathBuf>,
    /// The folder for logs, files of runs and the metadata store [default: .levada in the project's folder]
    #[arg(long, global = true, env = "LEVADA_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The metadata store: the path of a SQLite file, or a PostgreSQL URL [default: levada.db in the data folder]
    #[arg(long, global = true, env = "LEVADA_DATABASE", hide_env_values = true, value_name = "URL")]
    pub database: Option<String>,
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
    /// Run a pipeline
    Run(RunArgs),
    /// Run pipelines by themselves: schedules, and workers in this process
    Serve(ServeArgs),
    /// Execute tasks in a process of its own
    Worker(WorkerArgs),
    /// Copy streams from one system to another, without any document
    Copy(Box<CopyArgs>),
    /// Check documents without touching any system
    Validate(ValidateArgs),
    /// Tell what a run would do, and change nothing
    Plan(RunArgs),
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

/// Arguments of `run` and `plan`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The file with the pipeline
    pub file: PathBuf,
    /// Only this task; can be given several times
    #[arg(long = "task", value_name = "TASK")]
    pub tasks: Vec<String>,
    /// Only this stream, by its name at the source
    #[arg(long, value_name = "STREAM")]
    pub stream: Option<String>,
    /// A value for a parameter; can be given several times
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = pair)]
    pub params: Vec<(String, String)>,
    /// Forget positions, and load every stream from the start
    #[arg(long)]
    pub full_refresh: bool,
}

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Tasks at once in this process; 0 leaves all to `levada worker`
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub workers: u32,
    /// The port of the health page, on this machine only
    #[arg(long, value_name = "PORT", default_value_t = 7717)]
    pub port: u16,
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
    /// Its name [default: host and process]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
}

/// Arguments of `copy`.
#[derive(Debug, Args)]
pub struct CopyArgs {
    /// Where from: a URL, a path, or the name of a connection
    pub source: String,
    /// Where to: a URL, a path, or the name of a connection
    pub destination: String,
    /// A stream or wildcard, for instance `public.orders`; can be given several times
    #[arg(long = "stream", value_name = "STREAM")]
    pub streams: Vec<String>,
    /// Which rows to read
    #[arg(long, value_parser = one_of::<ReadKind>(&["full", "incremental"]), value_name = "MODE")]
    pub read: Option<ReadKind>,
    /// How rows get in
    #[arg(long, value_parser = one_of::<WriteMode>(&["replace", "append", "merge"]), value_name = "MODE")]
    pub write: Option<WriteMode>,
    /// A column of the key; can be given several times
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub key: Vec<String>,
    /// The column by which new and changed rows are told
    #[arg(long, value_name = "COLUMN")]
    pub cursor: Option<String>,
    /// How far before the last cursor value to look again, for instance `5m`
    #[arg(long, value_name = "LAG")]
    pub lag: Option<String>,
    /// The target's name, for instance `raw.{table}`
    #[arg(long, value_name = "NAME")]
    pub rename: Option<String>,
    /// Load only this column; can be given several times
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub include: Vec<String>,
    /// Leave this column out; can be given several times
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub exclude: Vec<String>,
    /// Load a column under another name; can be given several times
    #[arg(long, value_name = "COLUMN=NAME", value_parser = pair)]
    pub rename_column: Vec<(String, String)>,
    /// Give a column another type, for instance `price=decimal(10,2)`; can be given several times
    #[arg(long, value_name = "COLUMN=TYPE", value_parser = pair)]
    pub cast: Vec<(String, String)>,
    /// Replace a column by the SHA-256 of its text; can be given several times
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub hash: Vec<String>,
    /// What happens to a row the destination cannot take
    #[arg(long, value_parser = one_of::<OnBadRow>(&["fail", "quarantine"]), value_name = "POLICY")]
    pub on_bad_row: Option<OnBadRow>,
    /// What may happen to the target's columns
    #[arg(long, value_parser = one_of::<OnSchemaChange>(&["evolve", "freeze", "ignore_new"]), value_name = "POLICY")]
    pub on_schema_change: Option<OnSchemaChange>,
    /// How the load is proved
    #[arg(long, value_parser = one_of::<Verify>(&["counts", "checksum"]), value_name = "PROOF")]
    pub verify: Option<Verify>,
    /// Forget positions, and load from the start
    #[arg(long)]
    pub full_refresh: bool,
    /// Readers per stream at most
    #[arg(long, value_name = "N")]
    pub readers: Option<u16>,
    /// Writers per stream at most
    #[arg(long, value_name = "N")]
    pub writers: Option<u16>,
    /// Memory for batches on their way, for instance `128MB`
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<String>,
    /// Tell what would be done, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Arguments of `validate`.
#[derive(Debug, Args)]
pub struct ValidateArgs {
    /// The documents
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// A value for a parameter; can be given several times
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = pair)]
    pub params: Vec<(String, String)>,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Names of connections, URLs or paths [default: every connection of the project]
    #[arg(value_name = "CONNECTION")]
    pub targets: Vec<String>,
}

/// Arguments of `discover`.
#[derive(Debug, Args)]
pub struct DiscoverArgs {
    /// The name of a connection, a URL or a path
    #[arg(value_name = "CONNECTION")]
    pub target: String,
    /// Only streams of this name or wildcard
    #[arg(long, value_name = "STREAM")]
    pub stream: Option<String>,
    /// Write a pipeline for these streams to this file
    #[arg(short = 'o', long = "pipeline", value_name = "FILE")]
    pub write: Option<PathBuf>,
    /// Where the written pipeline loads them: the name of a connection, a URL or a path
    #[arg(long, value_name = "CONNECTION", requires = "write")]
    pub to: Option<String>,
}

/// Arguments of `preview`.
#[derive(Debug, Args)]
pub struct PreviewArgs {
    /// The name of a connection, a URL or a path
    #[arg(value_name = "CONNECTION")]
    pub target: String,
    /// The stream; not needed where there is only one
    #[arg(long, value_name = "STREAM")]
    pub stream: Option<String>,
    /// How many rows to show
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub limit: usize,
}

/// The commands on positions.
#[derive(Debug, Subcommand)]
pub enum PositionsCommand {
    /// List the last commit of every stream, as the destination keeps it
    Show {
        /// The destination: the name of a connection, a URL or a path
        #[arg(value_name = "CONNECTION")]
        target: String,
    },
    /// Forget the last commit of a stream; the rows stay
    Reset {
        /// The destination: the name of a connection, a URL or a path
        #[arg(value_name = "CONNECTION")]
        target: String,
        /// The stream, by its name at the source; can be given several times
        #[arg(long = "stream", value_name = "STREAM", required_unless_present = "all")]
        streams: Vec<String>,
        /// Only what this pipeline (`pipeline/task`) loaded
        #[arg(long, value_name = "PIPELINE")]
        pipeline: Option<String>,
        /// Every stream
        #[arg(long, conflicts_with = "streams")]
        all: bool,
    },
}

/// Arguments of `init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The folder of the project
    #[arg(default_value = ".")]
    pub folder: PathBuf,
}

/// Arguments of `schema`.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// `pipeline`, `project`, or the name of a connector
    #[arg(default_value = "pipeline")]
    pub document: String,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
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
