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
    let folder = tempfile::tempdir().unwrap();
    let location = Location::File(folder.path().join("levada.db"));
    let store = Store::open(&location).await.unwrap();
    Place { store, location, _folder: Some(folder) }
}

pub async fn postgres() -> Place {
    let url = std::env::var("LEVADA_TEST_POSTGRES").expect("LEVADA_TEST_POSTGRES: run `scripts/services env`");
    let schema = format!("store_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let joint = if url.contains('?') { '&' } else { '?' };
    let location = Location::Url(Secret::new(format!("{url}{joint}schema={schema}")));
    let store = Store::open(&location).await.unwrap();
    Place { store, location, _folder: None }
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
