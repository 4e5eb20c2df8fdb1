//! The arguments of what moves data, looks at systems and checks documents.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use levada_core::config::{OnBadRow, ReadKind, Verify};
use levada_core::destination::WriteMode;
use levada_core::schema::OnSchemaChange;

use super::{one_of, pair};

/// Arguments of `run`.
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

impl RunArgs {
    /// The whole pipeline of a file.
    pub fn of_file(file: impl Into<PathBuf>) -> Self {
        Self { file: file.into(), tasks: Vec::new(), stream: None, params: Vec::new(), full_refresh: false }
    }
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// The file with the pipeline, or the name of an applied one
    #[arg(value_name = "FILE|PIPELINE")]
    pub pipeline: String,
    /// Only this task; can be given several times
    #[arg(long = "task", value_name = "TASK")]
    pub tasks: Vec<String>,
    /// Only this stream, by its name at the source
    #[arg(long, value_name = "STREAM")]
    pub stream: Option<String>,
    /// A value for a parameter; can be given several times
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = pair)]
    pub params: Vec<(String, String)>,
    /// As if positions were forgotten
    #[arg(long)]
    pub full_refresh: bool,
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
    /// Documents, or folders of a project: all of it, each document by itself and all together
    #[arg(required = true, value_name = "FILE")]
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
    /// How many rows to show; a server shows 50 at most
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub limit: usize,
}

/// Arguments of `sql`.
#[derive(Debug, Args)]
pub struct SqlArgs {
    /// A statement that reads, for instance `SELECT count(*) FROM shop.orders`; without one, those of standard input
    #[arg(value_name = "SQL")]
    pub statement: Option<String>,
    /// A value for `$NAME` in it: a number, `true`, `false`, `null`, or a text; can be given several times
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = pair)]
    pub params: Vec<(String, String)>,
    /// How many rows to show of each result
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub limit: usize,
    /// Memory for a query, for instance `1GB`; what does not fit goes to the disk [default: 256MiB]
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<String>,
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
    /// `pipeline`, `project`, `openapi`, or the name of a connector
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
