//! At which ports of this machine servers of the same store answer: no task asks them, whichever process executes it.

use std::fs;

use levada_core::error::Result;
use levada_core::time::Timestamp;
use levada_store::{Door, Store};

use super::Host;

/// Notes in the store that this process answers at a port.
///
/// # Errors
/// Those of the store.
pub async fn open_door(store: &Store, port: u16, now: Timestamp) -> Result<()> {
    let host = Host::here();
    let gone = store.doors().await?.into_iter().filter(|door| is_gone(&host, door)).collect();
    let door = Door { network: network(), host: host.host, process: host.process, port };
    store.open_door(door, gone, now).await
}

/// The ports of this machine at which servers of a store answer.
///
/// # Errors
/// Those of the store.
pub async fn doors_here(store: &Store) -> Result<Vec<u16>> {
    let (here, host) = (network(), Host::here());
    let doors = store.doors().await?.into_iter();
    Ok(doors.filter(|door| door.network == here && !is_gone(&host, door)).map(|door| door.port).collect())
}

fn is_gone(host: &Host, door: &Door) -> bool {
    host.is_gone(&door.host, &door.process)
}

/// What has loopback addresses of its own: the machine since it was started, and the space of its network in it.
fn network() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let space = fs::read_link("/proc/self/ns/net").map(|link| link.display().to_string()).unwrap_or_default();
    format!("{}/{space}", boot.trim())
}
