//! The arguments of what concerns servers, who may sign in there, and what they did.

use clap::{Args, Subcommand};
use levada_core::access::Role;

use super::house::since;
use super::{Since, one_of, pair};

const ROLES: &[&str] = &["viewer", "operator", "editor", "admin"];

/// Arguments of `login`.
#[derive(Debug, Args)]
pub struct LoginArgs {
    /// The server [default: that of --server]
    pub url: Option<String>,
    /// The name to sign in with [default: asked for]
    #[arg(long, value_name = "NAME", conflicts_with = "token_stdin")]
    pub user: Option<String>,
    /// The most that the token may do; it never may more than its user
    #[arg(long, value_parser = one_of::<Role>(ROLES), default_value = "admin", value_name = "ROLE", conflicts_with = "token_stdin")]
    pub role: Role,
    /// When the token ends, in days
    #[arg(long, default_value_t = 90, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=730), conflicts_with = "token_stdin")]
    pub days: u32,
    /// Read a token from standard input, in place of signing in with a password
    #[arg(long)]
    pub token_stdin: bool,
}

/// Arguments of `logout`.
#[derive(Debug, Args)]
pub struct LogoutArgs {
    /// The server [default: that of --server]
    pub url: Option<String>,
}

/// Arguments of `search`.
#[derive(Debug, Args)]
pub struct SearchArgs {
    /// Part of a name or a tag, or the number of a run
    pub text: String,
}

/// Arguments of `datasets`.
#[derive(Debug, Args)]
pub struct DatasetsArgs {
    /// Show this one, as `connection.stream`, with its columns [default: list them]
    pub dataset: Option<String>,
    /// Those with this text in a name, a description, a tag or a column
    #[arg(long, value_name = "TEXT", conflicts_with = "dataset")]
    pub search: Option<String>,
    /// Those of this connection
    #[arg(long, value_name = "NAME", conflicts_with = "dataset")]
    pub connection: Option<String>,
    /// Those with this tag, or with a column that has it
    #[arg(long, value_name = "TAG", conflicts_with = "dataset")]
    pub tag: Option<String>,
    /// Those of this owner
    #[arg(long, value_name = "NAME", conflicts_with = "dataset")]
    pub owner: Option<String>,
}

/// Arguments of `lineage`.
#[derive(Debug, Args)]
pub struct LineageArgs {
    /// The dataset, as `connection.stream`
    pub dataset: String,
    /// Follow only this column of it
    #[arg(long, value_name = "NAME")]
    pub column: Option<String>,
    /// Tell which column comes from which
    #[arg(long)]
    pub columns: bool,
    /// How many steps to go to what it is made from
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub upstream: u32,
    /// How many steps to go to what is made from it
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub downstream: u32,
}

/// The commands on users.
#[derive(Debug, Subcommand)]
pub enum UsersCommand {
    /// List users
    List {
        /// Only those with this role
        #[arg(long, value_parser = one_of::<Role>(ROLES), value_name = "ROLE")]
        role: Option<Role>,
    },
    /// Make a user; the password is typed in without being shown, or read from standard input
    Add {
        /// The name to sign in with
        name: String,
        /// What they may do everywhere
        #[arg(long, value_parser = one_of::<Role>(ROLES), value_name = "ROLE")]
        role: Role,
        /// What they may do beyond that, on pipelines with a tag; can be given several times
        #[arg(long = "grant", value_name = "TAG=ROLE", value_parser = pair)]
        grants: Vec<(String, String)>,
        /// The mail address
        #[arg(long, value_name = "ADDRESS")]
        email: Option<String>,
        /// Without a password: only the single sign-on lets them in
        #[arg(long)]
        no_password: bool,
    },
    /// Change a user
    Change {
        /// The name to sign in with
        name: String,
        /// What they may do everywhere
        #[arg(long, value_parser = one_of::<Role>(ROLES), value_name = "ROLE")]
        role: Option<Role>,
        /// All that they may do beyond that, on pipelines with a tag; can be given several times
        #[arg(long = "grant", value_name = "TAG=ROLE", value_parser = pair)]
        grants: Vec<(String, String)>,
        /// They may do nothing beyond their role
        #[arg(long, conflicts_with = "grants")]
        no_grants: bool,
        /// The mail address
        #[arg(long, value_name = "ADDRESS")]
        email: Option<String>,
        /// A new password, which is typed in or read from standard input; it ends their sessions
        #[arg(long)]
        password: bool,
        /// They may not sign in
        #[arg(long)]
        disable: bool,
        /// They may sign in again
        #[arg(long, conflicts_with = "disable")]
        enable: bool,
    },
    /// Remove a user with their sessions and tokens
    Remove {
        /// The name to sign in with
        name: String,
    },
    /// List where a user is signed in
    Sessions {
        /// The name to sign in with
        name: String,
    },
    /// End the sessions of a user; their tokens go on
    SignOut {
        /// The name to sign in with
        name: String,
        /// Only this one, as `levada users sessions` names it
        #[arg(long)]
        session: Option<String>,
    },
}

/// The commands on API tokens.
#[derive(Debug, Subcommand)]
pub enum TokensCommand {
    /// List your own tokens; without a server, those of everybody
    List {
        /// Those of everybody, which takes the role admin
        #[arg(long)]
        all: bool,
    },
    /// Make a token, and print it, which happens once; a server asks for the password of its user
    Add {
        /// What it is for
        name: String,
        /// Whose it is
        #[arg(long, value_name = "NAME")]
        user: String,
        /// The most that it may do; it never may more than its user
        #[arg(long, value_parser = one_of::<Role>(ROLES), value_name = "ROLE")]
        role: Role,
        /// Only for pipelines with this tag; can be given several times
        #[arg(long = "tag", value_name = "TAG")]
        tags: Vec<String>,
        /// When it ends, in days
        #[arg(long, default_value_t = 90, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=730))]
        days: u32,
    },
    /// Remove a token
    Remove {
        /// Its number
        token: i64,
    },
}

/// The commands on the audit log.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// List what was asked for, the newest first
    List {
        /// Only by this user, or `local:USER`
        #[arg(long, value_name = "NAME")]
        actor: Option<String>,
        /// Only this operation, for instance `startRun`
        #[arg(long, value_name = "OPERATION")]
        action: Option<String>,
        /// Only with this outcome: asked, done, denied or failed
        #[arg(long, value_name = "OUTCOME")]
        outcome: Option<String>,
        /// Only since an instant, for instance `2026-01-31`, or in the last `2h`
        #[arg(long, value_parser = since, value_name = "WHEN")]
        since: Option<Since>,
        /// Lines at most
        #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
    },
    /// Check every line; exit code 1 if one is not as it was written
    Verify {
        /// The head that an earlier check told, as NUMBER:HASH: the log has to be a continuation of that one
        #[arg(long, value_name = "HEAD")]
        head: Option<String>,
    },
}
