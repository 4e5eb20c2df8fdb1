//! Backups: tables of a database as Avro files in a folder, from one view of all of them, with what makes them again. What
//! has no manifest is no backup, and the manifest is written last.

mod blocks;
mod keep;
mod manifest;
mod renamed;
mod restore;
mod take;
mod verify;

use std::sync::Arc;
use std::time::Duration;

use levada_core::backup::Archive;
use levada_core::connector::Connection;
use levada_core::error::{Error, ErrorKind, Result};
use tokio_util::sync::CancellationToken;

pub use keep::{Entry, Kept, Prune, list, prune};
pub use manifest::{Backup, FileOf, TableOf};
pub use restore::{Restore, Restored, restore};
pub use take::{Take, Taken, take};
pub use verify::{Problem, Verified, verify};

use crate::connections::Opened;

/// How long definitions that are being changed may take once the run is stopped.
const GRACE: Duration = Duration::from_secs(2);

/// Where backups are kept.
#[derive(Clone)]
pub struct Place {
    /// Its name, for messages.
    pub name: String,
    archive: Arc<dyn Archive>,
}

impl Place {
    /// A connection as a place of backups.
    ///
    /// # Errors
    /// `Unsupported` where it keeps no files.
    pub fn new(opened: &Opened) -> Result<Self> {
        let archive = opened.connection.clone().archive().map_err(|error| error.at(at(&opened.name)))?;
        Ok(Self { name: opened.name.clone(), archive })
    }
}

fn at(connection: &str) -> String {
    format!("connection `{connection}`")
}

fn stopped() -> Error {
    Error::new(ErrorKind::Interrupted, "the run was stopped")
}

/// Waits for work that a token may end before its time.
async fn unless<T>(stop: &CancellationToken, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        biased;
        () = stop.cancelled() => Err(stopped()),
        done = work => done,
    }
}

/// Waits for work that is best not left in its middle: once a token says stop, only a moment longer.
async fn hurried<T>(stop: &CancellationToken, work: impl Future<Output = Result<T>>) -> Result<T> {
    let hurry = async {
        stop.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        biased;
        done = work => done,
        () = hurry => Err(stopped()),
    }
}

/// A connection with a name for messages.
#[derive(Clone)]
pub struct End {
    /// Its name.
    pub name: String,
    /// The connection.
    pub connection: Arc<dyn Connection>,
    /// Whether its tables live in namespaces.
    pub namespaces: bool,
}

impl From<Opened> for End {
    fn from(opened: Opened) -> Self {
        Self { name: opened.name, connection: opened.connection, namespaces: opened.namespaces }
    }
}
