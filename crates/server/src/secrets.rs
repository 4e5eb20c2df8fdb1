//! Secrets that the metadata store keeps: values go in, and only names come out.

use std::path::Path;

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::naming::{did_you_mean, nearest};
use levada_core::secret::Secret;
use levada_core::time::Timestamp;
use levada_store::{KeySource, MasterKey, Store};

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
    Err(error.advise(format!("{near}List what there is.")))
}

/// Seals every secret under a new master key: one that takes the place of the key file, or the one that is given where the
/// environment has the key.
///
/// # Errors
/// `Usage` for a key that is missing or not needed, `Config` for one that is none; `Refused` where the master key until now
/// is not the store's.
pub async fn rotate(store: &Store, data: &Path, key: Option<Secret>, now: Timestamp) -> Result<()> {
    let source = KeySource::find(data)?;
    let secrets = store.unlock(&source).await?;
    match (source, key) {
        (KeySource::File(path), None) => secrets.rotate_file(&path, now).await.map(drop),
        (KeySource::Given(_), Some(key)) => secrets.rotate(MasterKey::from_text(key.expose())?, now).await.map(drop),
        (KeySource::File(_), Some(_)) => Err(Error::new(ErrorKind::Usage, "the master key is a file")
            .advise("Give none: a new one is made, and takes its place.")),
        (KeySource::Given(_), None) => Err(Error::new(ErrorKind::Usage, "the master key is in the environment")
            .advise("Give the new one, and put it there as well, for every process.")),
    }
}
