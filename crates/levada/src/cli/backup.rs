//! The arguments of what takes, keeps and restores backups.

use clap::{Args, Subcommand};

/// Arguments of `backup`.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// The database: the name of a connection, a URL or a path
    #[arg(value_name = "CONNECTION")]
    pub source: String,
    /// Where backups are kept: the name of a connection, a URL or the path of a folder
    #[arg(long, value_name = "CONNECTION")]
    pub to: String,
    /// A table or wildcard, for instance `public.orders`; can be given several times [default: every table]
    #[arg(long = "table", value_name = "TABLE")]
    pub tables: Vec<String>,
}

/// Arguments of `restore`.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// Where backups are kept: the name of a connection, a URL or the path of a folder
    #[arg(value_name = "CONNECTION")]
    pub place: String,
    /// The database: the name of a connection, a URL or a path
    #[arg(long, value_name = "CONNECTION")]
    pub to: String,
    /// The name of the backup [default: the newest whole one]
    #[arg(long, value_name = "NAME")]
    pub backup: Option<String>,
    /// A table or wildcard; can be given several times [default: every table of the backup]
    #[arg(long = "table", value_name = "TABLE")]
    pub tables: Vec<String>,
    /// Replace the rows of tables that have some
    #[arg(long)]
    pub replace: bool,
}

/// The commands on backups.
#[derive(Debug, Subcommand)]
pub enum BackupsCommand {
    /// List the backups of a place, the newest first
    List {
        /// Where backups are kept: the name of a connection, a URL or the path of a folder
        #[arg(value_name = "CONNECTION")]
        place: String,
    },
    /// Read a backup again and compare every file; exit code 1 if one is not what it was
    Verify {
        /// Where backups are kept: the name of a connection, a URL or the path of a folder
        #[arg(value_name = "CONNECTION")]
        place: String,
        /// The name of the backup; can be given several times [default: every backup]
        #[arg(long = "backup", value_name = "NAME")]
        backups: Vec<String>,
        /// Read only so many of a hundred files of each table, chosen anew each time
        #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=100))]
        sample: Option<u8>,
    },
    /// Remove old backups, but never the newest whole one of a database
    Prune {
        /// Where backups are kept: the name of a connection, a URL or the path of a folder
        #[arg(value_name = "CONNECTION")]
        place: String,
        /// Keep so many whole backups of every database
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), required_unless_present = "older_than")]
        keep: Option<u32>,
        /// Remove only backups that are older, for instance `30d`
        #[arg(long, value_name = "AGE")]
        older_than: Option<String>,
        /// Tell what would be removed, and remove nothing
        #[arg(long)]
        dry_run: bool,
    },
}
