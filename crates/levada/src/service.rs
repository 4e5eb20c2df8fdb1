//! The metadata store of a project and the house around it, as `run`, `serve`, `worker` and the commands that talk over
//! the store need them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use levada_connectors::OffLimits;
use levada_core::config::{AUTH_FILE, AuthDocument, Commands, LAKE_FOLDER, Variables, secret_names};
use levada_core::error::{Context as _, Error, ErrorKind, Result};
use levada_core::secret::Secret;
use levada_core::time::{Clock, Timestamp};
use levada_engine::house::{Executor, Observer, Surroundings, SystemClock, Telling, Worker, WorkerOptions};
use levada_engine::network::{Network, Rules};
use levada_server::auth::oidc::Oidc;
use levada_server::client::Client;
use levada_server::{App, Limits, Parts, Server};
use levada_store::{Location, Store};

use crate::project::{env, nearest_project, read_text};
use crate::vault::Vault;
use crate::wiring;

/// The folder in a project that holds what Levada keeps.
const DATA_DIR: &str = ".levada";
/// The file of the metadata store in it.
const STORE_FILE: &str = "levada.db";
/// Where the system shows the environments of processes, in which the master key and passwords may be.
const PROCESSES: &str = "/proc";
/// Is there in a process that was told on its command line to run no commands.
static NO_COMMANDS: OnceLock<()> = OnceLock::new();

/// Where a project keeps things.
#[derive(Debug, Clone)]
pub struct Places {
    /// The project's folder.
    pub project: PathBuf,
    /// Logs, files of runs, and the metadata store unless it is elsewhere.
    pub data: PathBuf,
    /// The metadata store.
    pub store: Location,
}

impl Places {
    /// The places of the project that a folder lies in, or of the folder itself; `data` and `database` as the command line
    /// or the environment has them.
    pub fn of(folder: &Path, data: Option<&Path>, database: Option<&Secret>) -> Result<Self> {
        let found = nearest_project(folder).and_then(|file| file.parent().map(Path::to_path_buf));
        let project = found.unwrap_or_else(|| folder.to_path_buf());
        let here = std::env::current_dir().at("the current folder")?;
        // the folder of a file in the current one is empty
        let project = here.join(project);
        let data = match data {
            Some(data) => here.join(data),
            None => project.join(DATA_DIR),
        };
        let store = match database {
            Some(database) => location(database)?,
            None => Location::File(data.join(STORE_FILE)),
        };
        Ok(Self { project, data, store })
    }

    /// What no connection leads to: whoever may change a pipeline could read the master key there, or make themselves an
    /// administrator.
    pub fn off_limits(&self) -> OffLimits {
        let mut own = vec![self.data.clone(), self.project.join(AUTH_FILE), PathBuf::from(PROCESSES)];
        if let Location::File(store) = &self.store {
            let beside = |ending: &str| PathBuf::from(format!("{}{ending}", store.display()));
            own.extend(["", "-wal", "-shm", "-journal"].map(beside));
        }
        own.extend(std::env::var_os("LEVADA_SECRETS_DIR").map(PathBuf::from));
        OffLimits::new(own).but(&self.project.join(LAKE_FOLDER))
    }

    /// Makes the project's folder the current one: paths in documents start there, wherever the process was started.
    pub fn enter(&self) -> Result<()> {
        std::env::set_current_dir(&self.project).at(self.project.display().to_string())
    }

    /// Opens the metadata store, and makes it where there is none.
    pub async fn open(&self) -> Result<Store> {
        if !self.data.exists() {
            // what lies there is of this machine, and the master key is nobody else's
            let _ = std::fs::create_dir_all(&self.data);
            let _ = std::fs::write(self.data.join(".gitignore"), "*\n");
        }
        Store::open(&self.store).await
    }

    /// Opens the metadata store if there is one.
    pub async fn open_existing(&self) -> Result<Option<Store>> {
        Store::open_existing(&self.store).await
    }

    /// That there is no metadata store yet.
    pub fn no_store(&self) -> Error {
        let place = self.store.place().unwrap_or_default();
        Error::new(ErrorKind::NotFound, "there is no metadata store").at(place).advise(
            "`levada apply` and `levada run` make one in a project's folder; `--data` and `--database` say where it is.",
        )
    }
}

/// A metadata store as the command line names it.
pub fn location(database: &Secret) -> Result<Location> {
    let text = database.expose();
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        return Ok(Location::Url(database.clone()));
    }
    if text.contains("://") || text.is_empty() {
        return Err(Error::new(ErrorKind::Usage, "the metadata store is neither a file nor PostgreSQL")
            .advise("Write `postgres://user:password@host/name`, or the path of a file."));
    }
    let here = std::env::current_dir().at("the current folder")?;
    Ok(Location::File(here.join(text)))
}

/// What instant it is.
pub fn now() -> Timestamp {
    SystemClock.now()
}

/// The clock of the machine.
pub fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// Where requests of this process may go, as the environment has it.
pub fn network() -> Result<Arc<Network>> {
    static NETWORK: OnceLock<Arc<Network>> = OnceLock::new();
    let list = |name: &str| std::env::var(name).unwrap_or_default();
    let rules = Rules::parse(&list("LEVADA_DENY_NETWORKS"), &list("LEVADA_ALLOW_NETWORKS"));
    let rules = rules.at("LEVADA_DENY_NETWORKS and LEVADA_ALLOW_NETWORKS")?;
    Ok(NETWORK.get_or_init(|| Arc::new(Network::new(rules))).clone())
}

/// Keeps this process from running and accepting commands.
pub fn forbid_commands() {
    NO_COMMANDS.get_or_init(|| ());
}

/// Whether this process runs and accepts commands, as whoever started it says.
pub fn commands() -> Commands {
    let told = std::env::var("LEVADA_NO_COMMANDS").unwrap_or_default();
    match NO_COMMANDS.get().is_some() || !matches!(told.as_str(), "" | "0" | "false") {
        true => Commands::Forbidden,
        false => Commands::Enabled,
    }
}

/// What executes task runs in this process.
pub fn executor(places: &Places, store: &Store, own: bool, observer: Arc<dyn Observer>) -> Result<Arc<Executor>> {
    Ok(Arc::new(Executor::new(Surroundings {
        registry: wiring::registry(&places.off_limits()),
        store: store.clone(),
        clock: clock(),
        env: Arc::new(env),
        secrets: Vault::new(store.clone(), &places.data)?.lookup(),
        network: network()?,
        project_dir: places.project.clone(),
        data_dir: places.data.clone(),
        commands: commands(),
        own,
        observer,
    })))
}

/// What tells others of the runs of a store.
pub fn telling(places: &Places, store: &Store) -> Result<Telling> {
    let secrets = Vault::new(store.clone(), &places.data)?.lookup();
    Ok(Telling::new(store.clone(), clock(), (Arc::new(env), secrets), network()?, places.data.clone()))
}

/// What answers requests, at this address.
pub async fn server(places: &Places, store: &Store, url: &str) -> Result<App, Vec<Error>> {
    let vault = Vault::new(store.clone(), &places.data).map_err(|error| vec![error])?;
    let oidc = oidc(places, &vault, url).await?;
    Ok(app(places, store, vault, Limits::default(), oidc))
}

/// What carries out operations for the command line, over the store itself.
pub fn client(places: &Places, store: &Store) -> Result<Client> {
    let vault = Vault::new(store.clone(), &places.data)?;
    // whoever waits here can see that it takes long
    let limits = Limits { body_bytes_max: usize::MAX, time_max: Duration::MAX, ..Limits::default() };
    Ok(Client::here(app(places, store, vault, limits, None), &person()))
}

/// Whoever uses the command line, as the audit log names them.
fn person() -> String {
    let named =
        ["USER", "LOGNAME"].into_iter().filter_map(|name| std::env::var(name).ok()).find(|name| !name.is_empty());
    named.unwrap_or_else(|| rustix::process::getuid().as_raw().to_string())
}

fn app(places: &Places, store: &Store, vault: Vault, limits: Limits, oidc: Option<Oidc>) -> App {
    Server::new(Parts {
        store: store.clone(),
        registry: wiring::registry(&places.off_limits()),
        clock: clock(),
        env: Arc::new(env),
        secrets: vault.lookup(),
        project_dir: places.project.clone(),
        data_dir: places.data.clone(),
        commands: commands(),
        limits,
        oidc,
        ui: wiring::ui(),
    })
}

/// The provider that people sign in with, if the project's folder has a file that names one.
async fn oidc(places: &Places, vault: &Vault, url: &str) -> Result<Option<Oidc>, Vec<Error>> {
    let path = places.project.join(AUTH_FILE);
    if !path.exists() {
        return Ok(None);
    }
    let text = read_text(&path)?;
    let names = secret_names(&text).map(str::to_owned).collect();
    let stored = vault.stored(&names).await.map_err(|error| vec![error])?;
    let secret = |name: &str| stored.get(name);
    let variables = Variables { env: &env, secret: &secret, params: BTreeMap::new(), runtime: None };
    let document = AuthDocument::parse(&path.display().to_string(), &text, &variables)?;
    let new = |settings| Oidc::new(settings, url, network()?);
    document.oidc.map(new).transpose().map_err(|error| vec![error])
}

/// A worker of this process, signed on.
pub async fn worker(
    places: &Places,
    store: &Store,
    options: WorkerOptions,
    observer: Arc<dyn Observer>,
) -> Result<Worker> {
    let executor = executor(places, store, options.own, observer)?;
    Worker::sign_on(store.clone(), clock(), executor, options).await
}

/// What workers are like unless somebody says otherwise.
pub fn worker_options(slots: u32) -> WorkerOptions {
    WorkerOptions {
        name: format!("{}:{}", host(), std::process::id()),
        slots,
        labels: Vec::new(),
        own: false,
        drain: Duration::from_secs(30),
    }
}

/// The name of this machine.
pub fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}
