//! What came of the last test of each connection, as JSON that the server makes. It stands among the settings, by the name of
//! the connection, and is no part of any document.

use std::collections::BTreeMap;

use levada_core::error::Result;
use levada_core::time::Timestamp;

use crate::Store;
use crate::db::Tx;

/// What the keys begin with.
const PREFIX: &str = "connection_test/";

impl Store {
    /// Keeps what came of a test, in place of the one before; none forgets it.
    pub async fn set_connection_test(&self, connection: &str, outcome: Option<String>, now: Timestamp) -> Result<()> {
        let key = format!("{PREFIX}{connection}");
        let set = async move |tx: &mut Tx| crate::access::set_setting(tx, &key, outcome.as_deref(), now).await;
        self.db.write(set).await
    }

    /// What came of the last tests, by connection, and when each was made.
    pub async fn connection_tests(&self) -> Result<BTreeMap<String, (Timestamp, String)>> {
        let sql = "SELECT key, updated_at, value FROM settings WHERE key LIKE 'connection!_test/%' ESCAPE '!'";
        let read = async move |tx: &mut Tx| {
            let mut found = BTreeMap::new();
            for mut row in tx.rows(sql, &[]).await? {
                let (key, at, outcome) = (row.text()?, row.time()?, row.text()?);
                found.insert(key.trim_start_matches(PREFIX).to_owned(), (at, outcome));
            }
            Ok(found)
        };
        self.db.read(read).await
    }
}
