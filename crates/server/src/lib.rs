//! Levada over HTTP: the REST API, live events, logins and roles, and the pages for browsers. [`Server`] holds what operations need, [`router::table`]
//! lists them, [`guard`] decides who may call them, and [`listen`] answers the network.

pub mod auth;
pub mod backfills;
pub mod caller;
pub mod client;
pub mod condition;
pub mod connections;
mod data;
pub mod denials;
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
pub mod queries;
pub mod rate;
mod remembered;
pub mod route;
pub mod router;
pub mod routes;
pub mod schedules;
pub mod secrets;
pub mod sort;
mod storage;
pub mod ui;

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use levada_core::config::Commands;
use levada_core::connector::Registry;
use levada_core::time::{Clock, Timestamp};
use levada_engine::house::{Env, Secrets};
use levada_store::Store;

use auth::backoff::Backoff;
use auth::oidc::Oidc;
use auth::password::Passwords;
use caller::Caller;
use denials::Denials;
use documents::Documents;
use live::Hub;
use queries::{Queries, QueryLimits};
use rate::{Rate, Rates};
use remembered::{Answers, Remembered};
use serde_json::Value;
use storage::Storage;
use ui::Ui;

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
    /// Whether this process accepts commands; no document allows what it does not.
    pub commands: Commands,
    /// What requests may take.
    pub limits: Limits,
    /// The provider that people sign in with.
    pub oidc: Option<Oidc>,
    /// The pages for browsers.
    pub ui: Ui,
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
    /// What queries may take.
    pub queries: QueryLimits,
}

impl Default for Limits {
    fn default() -> Self {
        let rate = Rate { caller: 10_000, address: 100 };
        Self { body_bytes_max: 1 << 20, time_max: Duration::from_secs(30), rate, queries: QueryLimits::default() }
    }
}

/// Most credentials that are remembered.
const CALLERS_MAX: usize = 20_000;
/// Bytes of all answers that are.
const ANSWERS_BYTES_MAX: usize = 16 << 20;

/// What operations need: what the server was given, and what it made of that.
pub struct Server {
    parts: Parts,
    /// Whose credentials are, and until when that holds.
    pub(crate) callers: Remembered<auth::Key, (Caller, Timestamp)>,
    pub(crate) answers: Answers,
    pub(crate) documents: Documents,
    pub(crate) data: data::Data,
    pub(crate) rates: Rates,
    pub(crate) passwords: Passwords,
    pub(crate) backoff: Backoff,
    pub(crate) denials: Denials,
    pub(crate) hub: Arc<Hub>,
    /// The description of the API, without what the project adds to it.
    pub(crate) description: LazyLock<Value>,
    pub(crate) storage: Storage,
    pub(crate) queries: Queries,
}

impl Deref for Server {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}

impl Server {
    /// A server that answers nobody yet.
    pub fn new(parts: Parts) -> App {
        let rates = Rates::new(parts.limits.rate, parts.clock.clone());
        let queries = Queries::new(parts.limits.queries.at_once);
        Arc::new(Self {
            parts,
            callers: Remembered::new(CALLERS_MAX),
            answers: Answers::new(ANSWERS_BYTES_MAX),
            documents: Documents::default(),
            data: data::Data::new(),
            rates,
            passwords: Passwords::default(),
            backoff: Backoff::default(),
            denials: Denials::default(),
            hub: Arc::default(),
            description: LazyLock::new(|| openapi::document(&router::table())),
            storage: Storage::default(),
            queries,
        })
    }
}
