//! One connection to the server, set up so that every value has one text form, and closed when it is dropped.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use levada_core::error::Result;
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::config::Settings;
use super::error::Translate;
use crate::kit::tls::{Tls, client_config};

/// A connection. Dropping it closes the socket at once, so that the server stops what it is doing.
pub struct Session {
    /// The client.
    pub client: Client,
    gate: Arc<Gate>,
    driver: Driver,
}

/// The task that moves bytes between client and socket.
struct Driver(JoinHandle<()>);

/// What lets the driver rest.
#[derive(Default)]
struct Gate {
    closed: AtomicBool,
    driver: AtomicWaker,
}

impl Driver {
    fn start<F: Future + Send + 'static>(driver: F, gate: Arc<Gate>) -> Self {
        Self(tokio::spawn(async move {
            let mut driver = std::pin::pin!(driver);
            let step = |context: &mut Context<'_>| {
                gate.driver.register(context.waker());
                if gate.closed.load(Ordering::Acquire) { Poll::Pending } else { driver.as_mut().poll(context) }
            };
            drop(poll_fn(step).await);
        }))
    }
}

/// Settings of every session: one text form for every value, no rows hidden by a policy (an error says so instead), and
/// no time-out that would end a long transfer. A server that can tell (since 14, and not on every system) looks now and then
/// whether anybody still waits for a statement: one that was given up would go on else until it gives its next rows. A database
/// without an encoding gives its bytes as they are, so that a row of bad ones can be told from the others.
const SET_UP: &str = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'iso_8601'; \
    SET extra_float_digits = 1; SET bytea_output = 'hex'; SET standard_conforming_strings = on; \
    SET client_min_messages = 'warning'; SET jit = off; SET row_security = off; \
    SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name IN ('statement_timeout', \
    'lock_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout'); \
    SELECT pg_catalog.set_config(name, '500', false) FROM pg_catalog.pg_settings \
    WHERE name = 'client_connection_check_interval' AND pg_catalog.version() LIKE '%linux%'; \
    SELECT pg_catalog.set_config('client_encoding', 'SQL_ASCII', false) \
    WHERE pg_catalog.current_setting('server_encoding') = 'SQL_ASCII'";

impl Session {
    /// Connects.
    ///
    /// # Errors
    /// `Connect`, `Tls`, `Auth`, `NotFound` for the database.
    pub async fn open(settings: &Settings) -> Result<Self> {
        let mut config = Config::new();
        config.host(&settings.host).port(settings.port).user(settings.user()).dbname(settings.database());
        if let Some(password) = &settings.password {
            config.password(password.expose());
        }
        config.application_name("levada").connect_timeout(Duration::from_secs(settings.connect_timeout_s));
        config.keepalives_idle(Duration::from_secs(60));
        config.ssl_mode(if settings.tls == Tls::Disable { SslMode::Disable } else { SslMode::Require });
        let gate = Arc::new(Gate::default());
        let (client, driver) = if settings.tls == Tls::Disable {
            let (client, driver) = config.connect(NoTls).await.pg()?;
            (client, Driver::start(driver, gate.clone()))
        } else {
            let tls = MakeRustlsConnect::new(client_config(settings.tls, settings.tls_ca.as_deref())?);
            let (client, driver) = config.connect(tls).await.pg()?;
            (client, Driver::start(driver, gate.clone()))
        };
        let session = Self { client, gate, driver };
        session.client.batch_execute(SET_UP).await.pg()?;
        Ok(session)
    }

    /// Nothing more is taken from the socket until [`Session::resume`]. The driver would go on reading what nobody has asked
    /// for: three messages more, whatever their size.
    pub fn pause(&self) {
        self.gate.closed.store(true, Ordering::Release);
    }

    /// Goes on after [`Session::pause`].
    pub fn resume(&self) {
        if self.gate.closed.swap(false, Ordering::AcqRel) {
            self.gate.driver.wake();
        }
    }

    /// Says good-bye to the server and waits until the socket is closed.
    pub async fn close(self) {
        self.resume();
        let Self { client, mut driver, .. } = self;
        drop(client);
        let _ = tokio::time::timeout(Duration::from_secs(2), &mut driver.0).await;
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}
