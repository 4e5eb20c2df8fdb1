//! Secrets that the metadata store keeps: values go in, and only names come out.

use std::path::Path;

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::naming::{did_you_mean, nearest};
use levada_core::secret::Secret;
use levada_core::time::Timestamp;
use levada_store::{KeySource, Store};

/// Keeps a secret, in place of the one of that name. The master key is in the environment or in the data folder.
///
/// # Errors
/// `Usage` for what cannot be a name or a value; `Refused` where the master key is not the store's.
pub async fn set(store: &Store, data: &Path, name: String, value: Secret, now: Timestamp) -> Result<()> {
    store.unlock(&KeySource::find(data)?).await?.set(name, value, now).await
}

/// Removes a secret.
///
/// # Errors
/// `NotFound`, with the nearest name that there is.
pub async fn remove(store: &Store, name: &str) -> Result<()> {
    if store.remove_secret(name.to_owned()).await? {
        return Ok(());
    }
    let known = store.secret_names().await?;
    let known: Vec<&str> = known.iter().map(|secret| secret.name.as_str()).collect();
    let near = did_you_mean(nearest(name, &known));
    let error = Error::new(ErrorKind::NotFound, format!("the metadata store has no secret `{name}`"));
    Err(error.advise(format!("{near}List them: `levada secrets list`.")))
}
