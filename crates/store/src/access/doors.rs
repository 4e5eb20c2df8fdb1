//! Where servers answer: the ports of this store's servers on their machines, so that no task of any worker asks one of them
//! as if it were somebody on the machine itself.

use levada_core::error::Result;
use levada_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::settings::{lock, set};
use crate::Store;
use crate::db::Tx;

const KEY: &str = "doors";
/// Most doors that are kept: of machines that are gone nobody says so.
const DOORS_MAX: usize = 100;

/// Where a server answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Door {
    /// What has loopback addresses of its own.
    pub network: String,
    /// The machine.
    pub host: String,
    /// The process on that machine.
    pub process: String,
    /// The port.
    pub port: u16,
}

impl Store {
    /// Where servers answer, also such as are gone.
    pub async fn doors(&self) -> Result<Vec<Door>> {
        let doors = self.setting(KEY).await?.unwrap_or_default();
        Ok(serde_json::from_str(&doors).unwrap_or_default())
    }

    /// Says that a server answers somewhere, and that some others do no more.
    pub async fn open_door(&self, door: Door, gone: Vec<Door>, now: Timestamp) -> Result<()> {
        let open = async move |tx: &mut Tx| {
            let mut doors: Vec<Door> = lock(tx, KEY, now).await?;
            doors.retain(|known| *known != door && !gone.contains(known));
            doors.push(door.clone());
            doors.drain(..doors.len().saturating_sub(DOORS_MAX));
            set(tx, KEY, Some(&serde_json::to_string(&doors).unwrap_or_default()), now).await
        };
        self.db.write(open).await
    }
}
