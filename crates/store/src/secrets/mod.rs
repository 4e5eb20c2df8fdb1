//! Secrets at rest: each value sealed under a data key of the store, the data key under the master key, which the store
//! never sees. Names and instants are readable, values are not.

mod key;
mod seal;

use std::path::Path;
use std::sync::Arc;

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::secret::Secret;
use levada_core::time::Timestamp;
use zeroize::Zeroizing;

use key::{KEY_BYTES, beside, random, sync_folder};
pub use key::{KEY_FILE, KEY_VARIABLE, KeySource, MasterKey};
use seal::{Purpose, open, seal};

use crate::Store;
use crate::db::{Db, Dialect, Tx};

/// Longest value, in bytes.
const VALUE_MAX: usize = 64 * 1024;
/// Longest name, in bytes.
const NAME_MAX: usize = 200;
/// The file of a new master key while the store changes over to it, next to the old one.
const NEXT: &str = ".next";

/// The name of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretName {
    /// The name.
    pub name: String,
    /// When its value was last set.
    pub updated_at: Timestamp,
}

/// The secrets of a store, opened with the master key.
#[derive(Clone)]
pub struct Secrets {
    db: Arc<Db>,
    master: MasterKey,
}

type Key = Zeroizing<[u8; KEY_BYTES]>;

impl Store {
    /// Opens the secrets. A key file that is missing is made, unless there are secrets already that it cannot open.
    ///
    /// # Errors
    /// `Refused` where the master key is not the one of this store, `NotFound` where its file is gone.
    pub async fn unlock(&self, source: &KeySource) -> Result<Secrets> {
        let wrapped = self.db.read(async move |tx: &mut Tx| keys(tx).await).await?;
        let master = match source {
            KeySource::Given(master) => master.clone(),
            KeySource::File(path) => from_file(path, &wrapped)?,
        };
        for (id, wrapped) in &wrapped {
            unwrap(&master, *id, wrapped)?;
        }
        Ok(Secrets { db: self.db.clone(), master })
    }

    /// The names of all secrets, sorted. Needs no key.
    pub async fn secret_names(&self) -> Result<Vec<SecretName>> {
        let read = async move |tx: &mut Tx| {
            let rows = tx.rows("SELECT name, updated_at FROM secrets ORDER BY name", &[]).await?;
            rows.into_iter().map(|mut row| Ok(SecretName { name: row.text()?, updated_at: row.time()? })).collect()
        };
        self.db.read(read).await
    }

    /// Removes a secret. Answers whether there was one. Needs no key.
    pub async fn remove_secret(&self, name: String) -> Result<bool> {
        let remove =
            async move |tx: &mut Tx| tx.execute("DELETE FROM secrets WHERE name = $1", &[name.as_str().into()]).await;
        self.db.write(remove).await.map(|removed| removed > 0)
    }
}

impl Secrets {
    /// Keeps a secret under a name, in place of the one that was there.
    ///
    /// # Errors
    /// `Usage` where the name is not a name or the value too long; `Refused` where the master key was changed meanwhile.
    pub async fn set(&self, name: String, value: Secret, now: Timestamp) -> Result<()> {
        check(&name, &value)?;
        let master = self.master.clone();
        let set = async move |tx: &mut Tx| {
            alone(tx).await?;
            let (id, key) = newest_key(tx, &master, now).await?;
            let sealed = seal(&key, &Purpose::Secret(id, &name), value.expose().as_bytes())?;
            let sql = "INSERT INTO secrets (name, secret_key, sealed, updated_at) VALUES ($1, $2, $3, $4) \
                       ON CONFLICT (name) DO UPDATE SET secret_key = $2, sealed = $3, updated_at = $4";
            tx.execute(sql, &[name.as_str().into(), id.into(), sealed.into(), now.into()]).await.map(drop)
        };
        self.db.write(set).await
    }

    /// The value of a secret.
    ///
    /// # Errors
    /// `Refused` where the master key was changed meanwhile, or the row by other hands.
    pub async fn get(&self, name: &str) -> Result<Option<Secret>> {
        let (wanted, master) = (name.to_owned(), self.master.clone());
        let read = async move |tx: &mut Tx| {
            let sql = "SELECT s.secret_key, k.wrapped, s.sealed FROM secrets s JOIN secret_keys k ON k.id = s.secret_key \
                       WHERE s.name = $1";
            let Some(mut row) = tx.row(sql, &[wanted.as_str().into()]).await? else { return Ok(None) };
            let id = row.int()?;
            let key = unwrap(&master, id, &row.bytes()?)?;
            let value = value(&key, id, &wanted, &row.bytes()?)?;
            Ok(Some(Secret::new(String::from_utf8_lossy(&value).into_owned())))
        };
        self.db.read(read).await
    }

    /// Makes a new data key under a new master key, and seals every value anew, in one transaction: being killed leaves
    /// all of them under the old key or all under the new one. Answers the secrets under the new key.
    ///
    /// # Errors
    /// `Refused` where a value does not open; nothing is changed then.
    pub async fn rotate(&self, to: MasterKey, now: Timestamp) -> Result<Self> {
        let (old, new) = (self.master.clone(), to.clone());
        self.db.write(async move |tx: &mut Tx| rotate(tx, &old, &new, now).await).await?;
        Ok(Self { db: self.db.clone(), master: to })
    }

    /// The same with a key file: the new key is written next to it, and takes its place when the store has changed over.
    /// Whoever opens the store after a kill in between finds the right one of the two.
    ///
    /// # Errors
    /// As for [`Secrets::rotate`], and those of the file.
    pub async fn rotate_file(&self, path: &Path, now: Timestamp) -> Result<Self> {
        let next = beside(path, NEXT);
        let to = MasterKey::generate()?;
        // one that is there was never used: this key, which opened the store, would not have otherwise
        let _ = std::fs::remove_file(&next);
        to.write_file(&next)?;
        let rotated = self.rotate(to, now).await?;
        replace(&next, path)?;
        Ok(rotated)
    }
}

/// The key in the file; or in the file next to it, where a rotation was killed after the store had changed over.
fn from_file(path: &Path, wrapped: &[(i64, Vec<u8>)]) -> Result<MasterKey> {
    let opens = |master: &MasterKey| wrapped.iter().all(|(id, wrapped)| unwrap(master, *id, wrapped).is_ok());
    let next = beside(path, NEXT);
    let found = MasterKey::read_file(path)?;
    if let Some(master) = &found
        && opens(master)
    {
        return Ok(master.clone());
    }
    if let Some(master) = MasterKey::read_file(&next)?
        && !wrapped.is_empty()
        && opens(&master)
    {
        replace(&next, path)?;
        return Ok(master);
    }
    if let Some(master) = found {
        return Ok(master);
    }
    if !wrapped.is_empty() {
        return Err(Error::new(ErrorKind::NotFound, "the file of the master key is gone, and the store holds secrets")
            .at(path.display().to_string())
            .advise(format!("Restore the file, or give the key in {KEY_VARIABLE}.")));
    }
    MasterKey::generate()?.write_file(path)?;
    // another program may have been faster
    MasterKey::read_file(path)?.ok_or_else(|| {
        Error::new(ErrorKind::Io, "the file of the master key was removed as it was made")
            .at(path.display().to_string())
    })
}

fn replace(next: &Path, path: &Path) -> Result<()> {
    std::fs::rename(next, path).map_err(|error| Error::from(error).at(path.display().to_string()))?;
    sync_folder(path)
}

fn check(name: &str, value: &Secret) -> Result<()> {
    let wrong = |what: String| Err(Error::new(ErrorKind::Usage, what).advise("Set it under another name or value."));
    if name.is_empty() || name.len() > NAME_MAX || name.chars().any(|c| c.is_control() || "{}$:".contains(c)) {
        return wrong(format!("the name of a secret has 1 to {NAME_MAX} bytes, and none of `{{`, `}}`, `$`, `:`"));
    }
    if value.expose().len() > VALUE_MAX {
        return wrong(format!("the secret `{name}` is longer than {VALUE_MAX} bytes"));
    }
    Ok(())
}

/// One program at a time sets and rotates: who waits must see the keys that the other made. SQLite has one writer only.
async fn alone(tx: &mut Tx) -> Result<()> {
    match tx.dialect() {
        Dialect::Sqlite => Ok(()),
        Dialect::Postgres => tx.script("SELECT pg_advisory_xact_lock(6224072, hashtext(current_schema()::text))").await,
    }
}

async fn keys(tx: &mut Tx) -> Result<Vec<(i64, Vec<u8>)>> {
    let rows = tx.rows("SELECT id, wrapped FROM secret_keys ORDER BY id", &[]).await?;
    rows.into_iter().map(|mut row| Ok((row.int()?, row.bytes()?))).collect()
}

/// The data key that new values are sealed under; the first one is made when it is needed.
async fn newest_key(tx: &mut Tx, master: &MasterKey, now: Timestamp) -> Result<(i64, Key)> {
    match keys(tx).await?.pop() {
        Some((id, wrapped)) => Ok((id, unwrap(master, id, &wrapped)?)),
        None => new_key(tx, master, now).await,
    }
}

async fn new_key(tx: &mut Tx, master: &MasterKey, now: Timestamp) -> Result<(i64, Key)> {
    let insert = "INSERT INTO secret_keys (wrapped, created_at) VALUES ($1, $2) RETURNING id";
    let row = tx.row(insert, &[Vec::new().into(), now.into()]).await?;
    let id = match row {
        Some(mut row) => row.int()?,
        None => 0,
    };
    let key = random::<KEY_BYTES>()?;
    let wrapped = seal(&master.0, &Purpose::Key(id), key.as_slice())?;
    tx.execute("UPDATE secret_keys SET wrapped = $1 WHERE id = $2", &[wrapped.into(), id.into()]).await?;
    Ok((id, key))
}

async fn rotate(tx: &mut Tx, old: &MasterKey, new: &MasterKey, now: Timestamp) -> Result<()> {
    alone(tx).await?;
    let mut opened = Vec::new();
    for (id, wrapped) in keys(tx).await? {
        opened.push((id, unwrap(old, id, &wrapped)?));
    }
    let (new_id, new_key) = new_key(tx, new, now).await?;
    for (id, key) in opened {
        let rows =
            tx.rows("SELECT name, sealed FROM secrets WHERE secret_key = $1 ORDER BY name", &[id.into()]).await?;
        for mut row in rows {
            let name = row.text()?;
            let value = value(&key, id, &name, &row.bytes()?)?;
            let sealed = seal(&new_key, &Purpose::Secret(new_id, &name), &value)?;
            let sql = "UPDATE secrets SET secret_key = $1, sealed = $2 WHERE name = $3";
            tx.execute(sql, &[new_id.into(), sealed.into(), name.into()]).await?;
        }
        tx.execute("DELETE FROM secret_keys WHERE id = $1", &[id.into()]).await?;
    }
    Ok(())
}

fn unwrap(master: &MasterKey, id: i64, wrapped: &[u8]) -> Result<Key> {
    let key =
        open(&master.0, &Purpose::Key(id), wrapped).and_then(|key| <[u8; KEY_BYTES]>::try_from(key.as_slice()).ok());
    key.map(Zeroizing::new).ok_or_else(|| {
        Error::new(ErrorKind::Refused, "the master key is not the one that the secrets of this store were sealed with")
            .advise(format!("Give the right one in {KEY_VARIABLE} or in the file {KEY_FILE} of the data folder."))
    })
}

fn value(key: &Key, id: i64, name: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    open(key, &Purpose::Secret(id, name), sealed).ok_or_else(|| {
        Error::new(ErrorKind::Refused, format!("the secret `{name}` does not open: its row was changed by other hands"))
            .advise("Set it anew.")
    })
}
