//! Levada over HTTP: the REST API, live events, logins and roles. [`Server`] holds what operations need, [`router::table`]
//! lists them, [`guard`] decides who may call them, and [`listen`] answers the network.

pub mod auth;
pub mod backfills;
pub mod caller;
pub mod connections;
mod data;
pub mod documents;
mod figures;
pub mod guard;
mod identity;
pub mod input;
pub mod listen;
pub mod live;
pub mod openapi;
pub mod problem;
pub mod project;
pub mod rate;
pub mod route;
pub mod router;
mod routes;
pub mod schedules;
pub mod secrets;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use levada_core::connector::Registry;
use levada_core::time::Clock;
use levada_engine::house::{Env, Secrets};
use levada_store::Store;

use auth::backoff::Backoff;
use auth::oidc::Oidc;
use auth::password::Passwords;
use documents::Documents;
use live::Hub;
use rate::{Rate, Rates};

/// A server, shared by everything that answers for it.
pub type App = Arc<Server>;

/// What the server is given.
pub struct Parts {
    /// The metadata.
    pub store: Store,
    /// Every connector of this build.
    pub registry: Registry,
    /// What instant it is.
    pub clock: Arc<dyn Clock>,
    /// Environment variables, for references in documents.
    pub env: Env,
    /// Secrets, for references in documents.
    pub secrets: Secrets,
    /// The project's folder.
    pub project_dir: PathBuf,
    /// Where logs and the files of runs lie.
    pub data_dir: PathBuf,
    /// What requests may take.
    pub limits: Limits,
    /// The provider that people sign in with.
    pub oidc: Option<Oidc>,
}

/// What requests may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a body that is not read as a stream.
    pub body_bytes_max: usize,
    /// How long an operation may take that does not stream.
    pub time_max: Duration,
    /// How often somebody may ask.
    pub rate: Rate,
}

impl Default for Limits {
    fn default() -> Self {
        let rate = Rate { caller: 10_000, address: 100 };
        Self { body_bytes_max: 1 << 20, time_max: Duration::from_secs(30), rate }
    }
}

/// What operations need.
pub struct Server {
    /// The metadata.
    pub store: Store,
    /// Every connector of this build.
    pub registry: Registry,
    /// What instant it is.
    pub clock: Arc<dyn Clock>,
    /// Environment variables.
    pub env: Env,
    /// Secrets.
    pub secrets: Secrets,
    /// The project's folder.
    pub project_dir: PathBuf,
    /// Where logs and the files of runs lie.
    pub data_dir: PathBuf,
    /// What requests may take.
    pub limits: Limits,
    pub(crate) oidc: Option<Oidc>,
    pub(crate) documents: Documents,
    pub(crate) data: data::Data,
    pub(crate) rates: Rates,
    pub(crate) passwords: Passwords,
    pub(crate) backoff: Backoff,
    pub(crate) hub: Arc<Hub>,
}

impl Server {
    /// A server that answers nobody yet.
    pub fn new(parts: Parts) -> App {
        let rates = Rates::new(parts.limits.rate, parts.clock.clone());
        Arc::new(Self {
            store: parts.store,
            registry: parts.registry,
            clock: parts.clock,
            env: parts.env,
            secrets: parts.secrets,
            project_dir: parts.project_dir,
            data_dir: parts.data_dir,
            limits: parts.limits,
            oidc: parts.oidc,
            documents: Documents::default(),
            data: data::Data::default(),
            rates,
            passwords: Passwords::default(),
            backoff: Backoff::default(),
            hub: Arc::default(),
        })
    }
}
