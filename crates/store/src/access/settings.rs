//! What an administrator sets while the program runs, as JSON by key; and the one-time link by which the first of them
//! comes to be.

use levada_core::access::Role;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::time::Timestamp;
use serde::de::DeserializeOwned;

use super::Hash;
use super::users::{NewUser, User, create, has_admin};
use crate::Store;
use crate::db::Tx;

/// The key under which the hashes of the set-up links are; never shown.
const SET_UP: &str = "set_up";
/// Most set-up links that are good at once: each process that starts prints one of its own.
const LINKS_MAX: usize = 5;

impl Store {
    /// A setting, as JSON text.
    pub async fn setting(&self, key: &'static str) -> Result<Option<String>> {
        self.db.read(async move |tx: &mut Tx| get(tx, key).await).await
    }

    /// Keeps a setting, as JSON text; none takes it back.
    pub async fn set_setting(&self, key: &'static str, value: Option<String>, now: Timestamp) -> Result<()> {
        self.db.write(async move |tx: &mut Tx| set(tx, key, value.as_deref(), now).await).await
    }

    /// Keeps the hash of a new set-up link. Answers whether it is good for anything: where there is an administrator, none
    /// is kept.
    pub async fn offer_set_up(&self, hash: Hash, now: Timestamp) -> Result<bool> {
        let offer = async move |tx: &mut Tx| {
            let mut links: Vec<String> = lock(tx, SET_UP, now).await?;
            let is_needed = !has_admin(tx).await?;
            links.push(text(&hash));
            links.drain(..links.len().saturating_sub(LINKS_MAX));
            let links = serde_json::to_string(&links).unwrap_or_default();
            set(tx, SET_UP, is_needed.then_some(links.as_str()), now).await?;
            Ok(is_needed)
        };
        self.db.write(offer).await
    }

    /// Whether this is the hash of a set-up link that is good.
    pub async fn is_set_up_link(&self, hash: Hash) -> Result<bool> {
        let look = async move |tx: &mut Tx| {
            let kept = get(tx, SET_UP).await?.unwrap_or_default();
            let links: Vec<String> = serde_json::from_str(&kept).unwrap_or_default();
            Ok(links.contains(&text(&hash)) && !has_admin(tx).await?)
        };
        self.db.read(look).await
    }

    /// Makes the first administrator, for the one who has a set-up link. No link is good for anything from then on.
    ///
    /// # Errors
    /// `Auth` where it is no such link, one was used before, or there is an administrator.
    pub async fn set_up(&self, hash: Hash, new: NewUser, now: Timestamp) -> Result<User> {
        super::rules::check(&new)?;
        let new = NewUser { role: Role::Admin, ..new };
        let set_up = async move |tx: &mut Tx| {
            let links: Vec<String> = lock(tx, SET_UP, now).await?;
            let is_link = links.contains(&text(&hash));
            if !is_link || has_admin(tx).await? {
                return Err(Error::new(ErrorKind::Auth, "the set-up link is not valid, or was used before")
                    .advise("Sign in, or start `levada serve` again for a new link where nobody can."));
            }
            set(tx, SET_UP, None, now).await?;
            create(tx, &new, now).await
        };
        self.db.write(set_up).await
    }
}

/// A setting that is a list, for changing it. The row is made, and locked, so that of two who come at once one is first.
pub(super) async fn lock<T: DeserializeOwned>(tx: &mut Tx, key: &str, now: Timestamp) -> Result<Vec<T>> {
    let make = "INSERT INTO settings (key, value, updated_at) VALUES ($1, '[]', $2) ON CONFLICT (key) DO NOTHING";
    tx.execute(make, &[key.into(), now.into()]).await?;
    let lock = tx.lock("settings");
    let sql = format!("SELECT value FROM settings WHERE key = $1{lock}");
    let list = tx.row(&sql, &[key.into()]).await?.map(|mut row| row.text()).transpose()?;
    Ok(list.and_then(|list| serde_json::from_str(&list).ok()).unwrap_or_default())
}

fn text(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn get(tx: &mut Tx, key: &str) -> Result<Option<String>> {
    tx.row("SELECT value FROM settings WHERE key = $1", &[key.into()]).await?.map(|mut row| row.text()).transpose()
}

pub(crate) async fn set(tx: &mut Tx, key: &str, value: Option<&str>, now: Timestamp) -> Result<()> {
    let done = match value {
        Some(value) => {
            let sql = "INSERT INTO settings (key, value, updated_at) VALUES ($1, $2, $3) \
                       ON CONFLICT (key) DO UPDATE SET value = $2, updated_at = $3";
            tx.execute(sql, &[key.into(), value.into(), now.into()]).await
        }
        None => tx.execute("DELETE FROM settings WHERE key = $1", &[key.into()]).await,
    };
    done.map(drop)
}
