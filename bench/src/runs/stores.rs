//! The two stores, empty, and as durable as they are meant to be.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use levada_core::secret::Secret;
use levada_store::{Location, Store};
use tokio::task::JoinHandle;

use crate::Result;
use crate::places::Places;

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

impl Kind {
    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

static NEXT: AtomicU32 = AtomicU32::new(0);

/// The location of an empty store.
pub fn location(places: &Places, kind: Kind) -> Result<Location> {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    Ok(match kind {
        Kind::Sqlite => {
            let folder = places.scratch.join(format!("store-{number}"));
            if folder.exists() {
                std::fs::remove_dir_all(&folder)?;
            }
            Location::File(folder.join("levada.db"))
        }
        Kind::Postgres => {
            let schema = format!("bench_{}_{number}", std::process::id());
            let joint = if places.postgres.query().is_some() { '&' } else { '?' };
            Location::Url(Secret::new(format!("{}{joint}schema={schema}", places.postgres)))
        }
    })
}

/// An empty store.
pub async fn open(places: &Places, kind: Kind) -> Result<(Store, Location)> {
    let location = location(places, kind)?;
    let store = Store::open(&location).await.map_err(|error| error.to_string())?;
    Ok((store, location))
}

/// A connection of one's own to a store on PostgreSQL, in its schema, and what drives it.
pub async fn client(url: &str) -> Result<(tokio_postgres::Client, JoinHandle<()>)> {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let schema = query.split('&').find_map(|option| option.strip_prefix("schema=")).unwrap_or("levada");
    let (client, connection) = tokio_postgres::connect(base, tokio_postgres::NoTls).await?;
    let driver = tokio::spawn(async move { drop(connection.await) });
    client.batch_execute(&format!("SET search_path TO {schema}")).await?;
    Ok((client, driver))
}

/// Adds runs of three tasks each to a store, all ended; the pipeline of run `n` is an expression of SQL.
pub async fn fill(location: &Location, pipeline: &str, document: i64, runs: u32) -> Result<()> {
    let insert = format!(
        "INSERT INTO runs (pipeline, document, cause, identity, params, state, admitted, priority, open, created_at, started_at, \
         ended_at) SELECT {pipeline}, {document}, 'manual', 'past:' || n, '{{}}', 'succeeded', 1, 0, 0, n, n, n FROM numbers"
    );
    let tasks = "INSERT INTO task_runs (run, task, name, state, blockers, priority, attempt, started_at, ended_at) \
                 SELECT r.id, t.n, 't' || t.n, 'succeeded', 0, 0, 1, 1, 1 FROM runs r, \
                 (SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2) t WHERE r.identity LIKE 'past:%'";
    match location {
        Location::File(path) => {
            let connection = rusqlite::Connection::open(path)?;
            connection.busy_timeout(Duration::from_secs(10))?;
            let numbers = format!(
                "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {runs})"
            );
            connection.execute_batch(&format!(
                "BEGIN; {numbers} {insert}; {tasks}; COMMIT; PRAGMA wal_checkpoint(TRUNCATE); ANALYZE"
            ))?;
        }
        Location::Url(url) => {
            let (client, driver) = client(url.expose()).await?;
            let numbers = format!("WITH numbers AS (SELECT generate_series(1, {runs}) AS n)");
            client.batch_execute(&format!("{numbers} {insert}; {tasks}; ANALYZE runs; ANALYZE task_runs")).await?;
            driver.abort();
        }
    }
    Ok(())
}

/// While it lives, PostgreSQL waits for the disk, which the test servers do not.
pub struct Durable<'a> {
    places: &'a Places,
    kind: Kind,
}

const SETTINGS: &[&str] = &["fsync", "full_page_writes"];

impl<'a> Durable<'a> {
    /// Switches it on.
    pub fn on(places: &'a Places, kind: Kind) -> Result<Self> {
        let durable = Self { places, kind };
        durable.set(|setting| format!("ALTER SYSTEM SET {setting} = on"))?;
        Ok(durable)
    }

    fn set(&self, statement: impl Fn(&str) -> String) -> Result<()> {
        if self.kind == Kind::Postgres {
            for setting in SETTINGS {
                self.places.psql("postgres", &statement(setting))?;
            }
            self.places.psql("postgres", "SELECT pg_reload_conf()")?;
        }
        Ok(())
    }
}

impl Drop for Durable<'_> {
    fn drop(&mut self) {
        // as scripts/services has it; servers that stay durable are slower, and do no harm
        let _ = self.set(|setting| format!("ALTER SYSTEM SET {setting} = off"));
    }
}
