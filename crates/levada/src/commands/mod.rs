//! The commands, one file per verb, and the dispatch to them.

mod access;
mod apply;
mod artifacts;
mod audit;
mod backfill;
mod backup;
mod check;
mod completions;
mod copy;
mod datasets;
mod db;
mod diff;
mod discover;
mod export;
mod follow;
mod init;
mod login;
mod logs;
mod pipelines;
mod plan;
mod positions;
mod preview;
mod quality;
mod recent_logs;
mod replay;
mod run;
mod runs;
mod schedule;
mod schema;
mod search;
mod secrets;
mod serve;
mod show;
mod sql;
mod start;
mod sync;
mod validate;
mod workers;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use levada_core::config::File;
use levada_core::error::{Error, ErrorKind};
use levada_core::secret::Secret;
use levada_server::client::Client;
use levada_store::Store;

use crate::cli::{Cli, Command};
use crate::logins::Servers;
use crate::output::Output;
use crate::project::Project;
use crate::service::{self, Places};
use crate::vault::{Stored, Vault};
use crate::wiring;

pub use sync::bound_word;

/// What went wrong; a command tells as many mistakes at once as it can.
type Errors = Vec<Error>;
/// The exit code of a command that could tell its result.
type Outcome = Result<u8, Errors>;

/// What every command is given.
struct Context {
    output: Output,
    project_file: Option<PathBuf>,
    data: Option<PathBuf>,
    database: Option<Secret>,
    servers: Servers,
}

impl Context {
    /// What carries out operations: the server that was given, else this process, over the store of the current folder's
    /// project, which somebody made before.
    async fn client(&self) -> Result<Client, Errors> {
        if let Some(client) = self.remote()? {
            return Ok(client);
        }
        let (places, store) = self.store().await?;
        service::client(&places, &store).map_err(one)
    }

    /// The same, where a store is made if there is none.
    async fn client_or_new(&self) -> Result<Client, Errors> {
        if let Some(client) = self.remote()? {
            return Ok(client);
        }
        let places = self.places()?;
        service::client(&places, &places.open().await.map_err(one)?).map_err(one)
    }

    /// The server that was given, if one was.
    fn remote(&self) -> Result<Option<Client>, Errors> {
        let Some(address) = self.servers.address() else { return Ok(None) };
        Ok(Some(Client::there(self.servers.known(&address).map_err(one)?)))
    }

    /// The connections of the current folder's project.
    fn project(&self) -> Result<Project, Errors> {
        let places = self.places()?;
        let mut project = Project::here(wiring::registry(&places.off_limits()), self.project_file.as_deref())?;
        project.stored = self.stored(places, &project.mentioned)?;
        Ok(project)
    }

    /// The pipeline's file at a path, with the connections of the project it lies in.
    fn project_of(&self, file: &Path) -> Result<(Project, File), Errors> {
        let places = self.places_of(file.parent().unwrap_or(Path::new(".")))?;
        let registry = wiring::registry(&places.off_limits());
        let (mut project, parsed) = Project::of_file(registry, file, self.project_file.as_deref())?;
        project.stored = self.stored(places, &project.mentioned)?;
        Ok((project, parsed))
    }

    /// Those secrets that the metadata store has. It is only opened where one is asked for, and never made.
    fn stored(&self, places: Places, names: &BTreeSet<String>) -> Result<Stored, Errors> {
        if names.is_empty() || self.servers.address().is_some() {
            return Ok(Stored::default());
        }
        block_on(async {
            let Some(store) = places.open_existing().await.map_err(one)? else { return Ok(Stored::default()) };
            Vault::new(store, &places.data).map_err(one)?.stored(names).await.map_err(one)
        })
    }

    /// Where the project of the current folder keeps things.
    fn places(&self) -> Result<Places, Errors> {
        let folder = self.project_file.as_deref().and_then(Path::parent).unwrap_or(Path::new("."));
        self.places_of(folder)
    }

    /// The metadata store of the current folder's project, which somebody made before.
    async fn store(&self) -> Result<(Places, Store), Errors> {
        let places = self.places()?;
        let store = places.open_existing().await.map_err(one)?.ok_or_else(|| one(places.no_store()))?;
        Ok((places, store))
    }

    /// Where the project that a folder lies in keeps things.
    fn places_of(&self, folder: &Path) -> Result<Places, Errors> {
        Places::of(folder, self.data.as_deref(), self.database.as_ref()).map_err(one)
    }
}

/// Executes a command, and gives the exit code of the process.
pub fn execute(cli: Cli) -> u8 {
    let output = Output::new(cli.output);
    if let (Some(_), Some((verb, instead))) = (&cli.server, cli.command.local()) {
        let error = Error::new(ErrorKind::Usage, format!("`levada {verb}` works on this machine, and at no server"));
        return output.errors(&[error.advise(format!("Leave `--server` out. {instead}"))]);
    }
    let servers = Servers { server: cli.server, ca: cli.ca, insecure_http: cli.insecure_http };
    let (project_file, data, database) = (cli.project, cli.data, cli.database.map(Secret::new));
    let context = Context { output, project_file, data, database, servers };
    let outcome = match cli.command {
        Command::Run(args) => run::execute(&context, &args),
        Command::Copy(args) => copy::execute(&context, &args),
        Command::Backup(args) => backup::backup(&context, &args),
        Command::Restore(args) => backup::restore(&context, &args),
        Command::Backups(command) => backup::backups(&context, &command),
        Command::Serve(args) => serve::serve(&context, &args),
        Command::Worker(args) => serve::worker(&context, &args),
        Command::Apply(args) => apply::execute(&context, &args),
        Command::Diff(args) => diff::execute(&context, &args),
        Command::Export(args) => export::execute(&context, &args),
        Command::Pipelines => pipelines::execute(&context),
        Command::Start(args) => start::start(&context, &args),
        Command::Runs(args) => runs::execute(&context, &args),
        Command::Show(args) => show::execute(&context, &args),
        Command::Logs(args) if args.recent => recent_logs::execute(&context, &args),
        Command::Logs(args) => logs::execute(&context, &args),
        Command::Artifacts(args) => artifacts::execute(&context, &args),
        Command::Why(args) => show::why(&context, &args),
        Command::Cancel(args) => start::cancel(&context, &args),
        Command::Retry(args) => start::retry(&context, &args),
        Command::Replay(args) => replay::execute(&context, &args),
        Command::Pause(args) => pipelines::pause(&context, &args, true),
        Command::Resume(args) => pipelines::pause(&context, &args, false),
        Command::Schedule(command) => schedule::execute(&context, &command),
        Command::Backfill(args) => backfill::execute(&context, &args),
        Command::Backfills(command) => backfill::control(&context, &command),
        Command::Workers => workers::execute(&context),
        Command::Pools => workers::pools(&context),
        Command::Search(args) => search::execute(&context, &args),
        Command::Datasets(args) => datasets::execute(&context, &args),
        Command::Lineage(args) => datasets::lineage(&context, &args),
        Command::Login(args) => login::login(&context, &args),
        Command::Logout(args) => login::logout(&context, &args),
        Command::Users(command) => access::users(&context, &command),
        Command::Tokens(command) => access::tokens(&context, &command),
        Command::Secrets(command) => secrets::execute(&context, &command),
        Command::Audit(command) => audit::execute(&context, &command),
        Command::Db(command) => db::execute(&context, &command),
        Command::Validate(args) => validate::execute(&context, &args),
        Command::Plan(args) => plan::execute(&context, &args),
        Command::Check(args) => check::execute(&context, &args),
        Command::Discover(args) => discover::execute(&context, &args),
        Command::Preview(args) => preview::execute(&context, &args),
        Command::Sql(args) => sql::execute(&context, &args),
        Command::Positions(command) => positions::execute(&context, &command),
        Command::Init(args) => init::execute(&context, &args),
        Command::Schema(args) => schema::execute(&context, &args),
        Command::Completions(args) => completions::execute(&context, &args),
    };
    match outcome.unwrap_or_else(|errors| output.errors(&errors)) {
        0 if output.has_lost() => ErrorKind::Io.policy().exit_code,
        code => code,
    }
}

/// A task of ours that broke off.
fn broken(error: &tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Internal, format!("a part of Levada broke off: {error}"))
}

/// One error as the list that commands return.
fn one(error: Error) -> Errors {
    vec![error]
}

/// Waits for work that changes nothing until it is done, and ends early when the user interrupts it.
fn block_on<T>(work: impl Future<Output = Result<T, Errors>>) -> Result<T, Errors> {
    block_on_or("Nothing was changed.", work)
}

/// Waits for work that ends early when the user interrupts it, with what that means to him.
fn block_on_or<T>(interrupted_means: &str, work: impl Future<Output = Result<T, Errors>>) -> Result<T, Errors> {
    let runtime = wiring::runtime().map_err(one)?;
    let result = runtime.block_on(async {
        tokio::select! {
            result = work => result,
            () = interrupted() => Err(one(Error::new(ErrorKind::Interrupted, "stopped").advise(interrupted_means))),
        }
    });
    // a connection that hangs keeps nobody waiting
    runtime.shutdown_background();
    result
}

/// Comes when the process is asked to end, by Ctrl-C or SIGTERM.
async fn interrupted() {
    let ctrl_c = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = ctrl_c => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = ctrl_c.await;
}
