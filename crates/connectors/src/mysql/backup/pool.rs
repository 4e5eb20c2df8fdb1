//! The connections of a view: each read borrows some and gives them back, ready for the next one, also where it ended in the
//! middle of a table.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use levada_core::error::{Error, ErrorKind, Result};
use tokio::sync::Semaphore;

use crate::mysql::config::Config;
use crate::mysql::session::{self, execute};
use crate::mysql::wire::Client;

/// How often a connection is asked for a sign of life: the end of a statement can reach one that has ended already.
const ASKED_MAX: usize = 3;

/// The connections that nobody reads with.
pub struct Pool {
    free: Mutex<Vec<Client>>,
    count: Semaphore,
    alive: AtomicUsize,
}

/// A connection for one read.
pub struct Lent {
    /// It.
    pub client: Client,
    home: Option<Arc<Pool>>,
}

impl Pool {
    /// A pool of connections.
    pub fn of(clients: Vec<Client>) -> Arc<Self> {
        let (count, alive) = (Semaphore::new(clients.len()), AtomicUsize::new(clients.len()));
        Arc::new(Self { free: Mutex::new(clients), count, alive })
    }

    /// Borrows connections, at most as many as wanted, at least one: waits for that.
    ///
    /// # Errors
    /// `Connect` where none is left.
    pub async fn lend(self: &Arc<Self>, wanted: usize) -> Result<Vec<Lent>> {
        let lost = || {
            Error::new(ErrorKind::Connect, "the connections that saw the moment of the backup are lost")
                .advise("Take the backup again.")
        };
        self.count.acquire().await.map_err(|_| lost())?.forget();
        let mut taken = 1;
        while taken < wanted {
            let Ok(more) = self.count.try_acquire() else { break };
            more.forget();
            taken += 1;
        }
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let first = free.len().saturating_sub(taken);
        Ok(free.drain(first..).map(|client| Lent { client, home: Some(self.clone()) }).collect())
    }

    fn take_back(&self, client: Client) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(client);
        self.count.add_permits(1);
    }

    fn lose(&self) {
        if self.alive.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.count.close();
        }
    }
}

impl Lent {
    /// A connection that ends with its read.
    pub fn own(client: Client) -> Self {
        Self { client, home: None }
    }

    /// Whether it goes back to others of its view.
    pub fn is_of_view(&self) -> bool {
        self.home.is_some()
    }

    /// Ends the read. One of a view goes back to the others, after what is left of its statement is out of the way.
    pub async fn end(mut self, config: &Config) {
        let Some(home) = self.home.take() else { return self.client.close().await };
        if self.client.is_reading() {
            end_statement(config, self.client.id()).await;
            self.client.drain().await;
        }
        for _ in 0..ASKED_MAX {
            if self.client.first("SELECT 1", &[]).await.is_ok() {
                return home.take_back(self.client);
            }
        }
        home.lose();
    }
}

/// Ends the statement of another connection, which lives on with its transaction.
pub async fn end_statement(config: &Config, id: u32) {
    if let Ok(mut killer) = session::open(config).await {
        let _ = execute(&mut killer, &format!("KILL QUERY {id}")).await;
        let _ = killer.disconnect().await;
    }
}
