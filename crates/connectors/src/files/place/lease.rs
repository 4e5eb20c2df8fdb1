//! A lock in a bucket: an object that its holder renews every few seconds. One that is not renewed belonged to a process
//! that died and may be taken over. It keeps loads from doing work in vain; that only one of them commits is ensured by
//! the conditional put of the manifest.

use std::sync::Arc;
use std::time::{Duration, Instant};

use levada_core::error::{Error, ErrorKind, Result};
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutResult, UpdateVersion};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::Guard;

const RENEW_EVERY: Duration = Duration::from_secs(3);
const DEAD_AFTER: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_millis(500);

pub(super) struct Lease {
    store: Arc<dyn ObjectStore>,
    location: Path,
    runtime: Handle,
    renewal: JoinHandle<()>,
    released: bool,
}

/// Takes the lease; waits for a holder that shows no life to be dead.
pub(super) fn take(store: Arc<dyn ObjectStore>, location: Path, runtime: &Handle) -> Result<Lease, LeaseError> {
    let version = runtime.block_on(acquire(store.as_ref(), &location))?;
    let renewal = runtime.spawn(renew(store.clone(), location.clone(), version));
    Ok(Lease { store, location, runtime: runtime.clone(), renewal, released: false })
}

/// Why a lease was not taken.
pub(super) enum LeaseError {
    Held,
    Store(StoreError),
}

impl LeaseError {
    pub(super) fn held(place: &str) -> Error {
        Error::new(ErrorKind::Busy, "another load is writing here")
            .at(place)
            .advise("Wait until it has ended and run again.")
    }
}

/// What is in the object; it differs with every renewal.
fn content() -> object_store::PutPayload {
    let now = chrono::Utc::now().to_rfc3339();
    format!("process {} at {now} {}\n", std::process::id(), uuid::Uuid::new_v4()).into_bytes().into()
}

async fn put(store: &dyn ObjectStore, location: &Path, mode: PutMode) -> object_store::Result<PutResult> {
    store.put_opts(location, content(), PutOptions { mode, ..PutOptions::default() }).await
}

fn lost(error: &StoreError) -> bool {
    matches!(error, StoreError::AlreadyExists { .. } | StoreError::Precondition { .. })
}

async fn acquire(store: &dyn ObjectStore, location: &Path) -> Result<UpdateVersion, LeaseError> {
    let mut seen: Option<(Option<String>, Instant)> = None;
    loop {
        match put(store, location, PutMode::Create).await {
            Ok(result) => return Ok(result.into()),
            Err(error) if lost(&error) => {}
            Err(error) => return Err(LeaseError::Store(error)),
        }
        let now = match store.head(location).await {
            Ok(meta) => meta.e_tag,
            Err(StoreError::NotFound { .. }) => continue,
            Err(error) => return Err(LeaseError::Store(error)),
        };
        match &seen {
            Some((known, _)) if *known != now => return Err(LeaseError::Held),
            Some((known, since)) if since.elapsed() > DEAD_AFTER => {
                let version = UpdateVersion { e_tag: known.clone(), version: None };
                return match put(store, location, PutMode::Update(version)).await {
                    Ok(result) => Ok(result.into()),
                    Err(error) if lost(&error) => Err(LeaseError::Held),
                    Err(error) => Err(LeaseError::Store(error)),
                };
            }
            Some(_) => {}
            None => seen = Some((now, Instant::now())),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Renews until the lease is lost or the task is aborted; a failing store is tried again.
async fn renew(store: Arc<dyn ObjectStore>, location: Path, mut version: UpdateVersion) {
    loop {
        tokio::time::sleep(RENEW_EVERY).await;
        match put(store.as_ref(), &location, PutMode::Update(version.clone())).await {
            Ok(result) => version = result.into(),
            Err(error) if lost(&error) => return,
            Err(_) => {}
        }
    }
}

impl Guard for Lease {
    fn release(mut self: Box<Self>) {
        self.released = true;
        self.renewal.abort();
        let runtime = self.runtime.clone();
        let _ = runtime.block_on(self.store.delete(&self.location));
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.released {
            self.renewal.abort();
            let (store, location) = (self.store.clone(), self.location.clone());
            self.runtime.spawn(async move { drop(store.delete(&location).await) });
        }
    }
}
