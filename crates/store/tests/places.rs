//! Empty stores to test with: a SQLite file, and a schema of its own in a real PostgreSQL.

use std::sync::atomic::{AtomicU32, Ordering};

use levada_core::secret::Secret;
use levada_store::{Location, Store};
use tempfile::TempDir;

/// A store that goes with the test.
pub struct Place {
    pub store: Store,
    pub location: Location,
    _folder: Option<TempDir>,
}

static NEXT: AtomicU32 = AtomicU32::new(0);

pub async fn sqlite() -> Place {
    place(empty(false)).await
}

pub async fn postgres() -> Place {
    place(empty(true)).await
}

async fn place((location, folder): (Location, Option<TempDir>)) -> Place {
    let store = Store::open(&location).await.unwrap();
    Place { store, location, _folder: folder }
}

/// A place without a store.
pub fn empty(is_postgres: bool) -> (Location, Option<TempDir>) {
    if !is_postgres {
        let folder = tempfile::tempdir().unwrap();
        return (Location::File(folder.path().join("levada.db")), Some(folder));
    }
    let url = std::env::var("LEVADA_TEST_POSTGRES").expect("LEVADA_TEST_POSTGRES: run `scripts/services env`");
    let schema = format!("store_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let joint = if url.contains('?') { '&' } else { '?' };
    (Location::Url(Secret::new(format!("{url}{joint}schema={schema}"))), None)
}

/// Runs statements behind the store's back, in its schema.
pub async fn sql(location: &Location, sql: &str) {
    match location {
        Location::File(path) => {
            let native = rusqlite::Connection::open(path).unwrap();
            native.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
            native.execute_batch(sql).unwrap();
        }
        Location::Url(url) => {
            let (client, schema) = client(url.expose()).await;
            client.batch_execute(&format!("SET search_path TO \"{schema}\"; {sql}")).await.unwrap();
        }
    }
}

/// A connection to the database of a store, and the store's schema.
pub async fn client(url: &str) -> (tokio_postgres::Client, String) {
    let (base, options) = url.split_once('?').unwrap();
    let schema = options.split('&').find_map(|option| option.strip_prefix("schema=")).unwrap();
    let (client, connection) = tokio_postgres::connect(base, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    (client, schema.to_owned())
}

/// Makes a module of tests for each database out of functions that take a [`Place`].
macro_rules! on_both {
    ($($name:ident)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(crate::places::sqlite().await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(crate::places::postgres().await).await;
            })*
        }
    };
}
pub(crate) use on_both;
