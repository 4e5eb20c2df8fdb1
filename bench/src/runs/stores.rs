//! The two stores, empty, and as durable as they are meant to be.

use std::sync::atomic::{AtomicU32, Ordering};

use levada_core::secret::Secret;
use levada_store::{Location, Store};

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
