//! Where `${secret:name}` is looked up: in the metadata store, then in the environment and in files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use levada_core::error::{ErrorKind, Result};
use levada_engine::house;
use levada_store::{KeySource, Secrets, Store};
use tokio::sync::Mutex;

use crate::project;

/// The secrets of a metadata store, opened with the master key when the first is asked for.
#[derive(Clone)]
pub struct Vault {
    store: Store,
    key: KeySource,
    opened: Arc<Mutex<Option<Secrets>>>,
}

/// Values of secrets that were in the metadata store when documents were read.
#[derive(Default)]
pub struct Stored(BTreeMap<String, String>);

impl Vault {
    /// The secrets of a store, whose master key is in the environment or in the data folder.
    pub fn new(store: Store, data: &Path) -> Result<Self> {
        Ok(Self { store, key: KeySource::find(data)?, opened: Arc::default() })
    }

    /// Looks secrets up for tasks, as they are at that moment.
    pub fn lookup(self) -> house::Secrets {
        Arc::new(move |name| {
            let vault = self.clone();
            Box::pin(async move {
                match vault.get(&name).await? {
                    Some(value) => Ok(Some(value)),
                    None => project::secret(&name),
                }
            })
        })
    }

    /// Looks up those of the names that the store has.
    pub async fn stored(&self, names: &BTreeSet<String>) -> Result<Stored> {
        let mut values = BTreeMap::new();
        for name in names {
            values.extend(self.get(name).await?.map(|value| (name.clone(), value)));
        }
        Ok(Stored(values))
    }

    /// A secret of the store. The master key is not needed for one that is not there.
    async fn get(&self, name: &str) -> Result<Option<String>> {
        let known = self.store.secret_names().await?;
        if known.iter().all(|known| known.name != name) {
            return Ok(None);
        }
        let mut opened = self.opened.lock().await;
        if let Some(secrets) = opened.as_ref() {
            match secrets.get(name).await {
                // the master key was changed: the new one is in its place
                Err(error) if error.kind() == ErrorKind::Refused => {}
                value => return Ok(value?.map(|value| value.expose().to_owned())),
            }
        }
        let secrets = opened.insert(self.store.unlock(&self.key).await?);
        Ok(secrets.get(name).await?.map(|value| value.expose().to_owned()))
    }
}

impl Stored {
    /// A secret by its name, wherever it is.
    pub fn get(&self, name: &str) -> Result<Option<String>> {
        match self.0.get(name) {
            Some(value) => Ok(Some(value.clone())),
            None => project::secret(name),
        }
    }
}
