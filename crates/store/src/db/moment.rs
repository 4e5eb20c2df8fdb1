//! Whether anything in the database has changed. A moment stays the same for as long as nothing is committed, by this process
//! or another: whatever was read after it was told is what would be read now, if the same moment is told again.
//!
//! SQLite says by itself whether another connection has committed (`PRAGMA data_version`). PostgreSQL says which transactions
//! are over (`txid_current_snapshot`): where these are the same, everybody sees the same. One question answers all who have
//! asked before it was sent, and nobody is told what was found before they asked.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use levada_core::error::Result;
use levada_core::secret::Secret;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Statement};

use super::{Location, postgres, sqlite};

/// A state of the database, told apart from all that this process has met before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

/// Most who are told at once.
const TOGETHER_MAX: usize = 1_024;
/// How long PostgreSQL may take to tell.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long it is left alone after it could not be reached.
const RECONNECT: Duration = Duration::from_millis(500);

/// The way to whoever tells moments.
pub(super) enum Moments {
    Sqlite(Mutex<File>),
    Postgres(mpsc::Sender<oneshot::Sender<Option<Moment>>>),
}

/// A SQLite file, opened once it is asked about, by a connection that only asks.
pub(super) struct File {
    path: PathBuf,
    connection: Option<sqlite::Connection>,
    count: Count<i64>,
}

/// A PostgreSQL server, by a connection that only asks. Nobody waits until it is there.
struct Server {
    url: Secret,
    session: Option<Session>,
    connecting: Option<JoinHandle<Result<Session>>>,
    count: Count<String>,
}

/// A connection, and the question.
type Session = (Client, Statement);

/// Numbers what is seen.
struct Count<T> {
    seen: Option<T>,
    moment: u64,
}

impl Moments {
    pub(super) fn of(location: &Location) -> Self {
        match location {
            Location::File(path) => {
                Self::Sqlite(Mutex::new(File { path: path.clone(), connection: None, count: Count::new() }))
            }
            Location::Url(url) => {
                let (asked, inbox) = mpsc::channel(TOGETHER_MAX);
                tokio::spawn(tell(Server::new(url.clone()), inbox));
                Self::Postgres(asked)
            }
        }
    }

    /// The moment that it is; none where that cannot be told now.
    pub(super) async fn now(&self) -> Option<Moment> {
        match self {
            Self::Sqlite(file) => file.lock().unwrap_or_else(PoisonError::into_inner).now(),
            Self::Postgres(asked) => {
                let (answer, told) = oneshot::channel();
                asked.send(answer).await.ok()?;
                told.await.ok()?
            }
        }
    }
}

impl File {
    fn now(&mut self) -> Option<Moment> {
        match self.version() {
            Ok(version) => Some(self.count.of(version)),
            Err(_) => {
                (self.connection, self.count.seen) = (None, None);
                None
            }
        }
    }

    fn version(&mut self) -> Result<i64> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => sqlite::Connection::open_for_looks(&self.path)?,
        };
        self.connection.insert(connection).data_version()
    }
}

/// Tells moments for as long as somebody may ask.
async fn tell(mut server: Server, mut inbox: mpsc::Receiver<oneshot::Sender<Option<Moment>>>) {
    let mut waiting = Vec::new();
    while inbox.recv_many(&mut waiting, TOGETHER_MAX).await > 0 {
        let moment = server.now().await;
        for answer in waiting.drain(..) {
            // who asked may have gone
            let _ = answer.send(moment);
        }
    }
}

impl Server {
    fn new(url: Secret) -> Self {
        Self { url, session: None, connecting: None, count: Count::new() }
    }

    /// Whatever is seen over another connection is another moment: the server may have lost what it had committed last.
    async fn now(&mut self) -> Option<Moment> {
        if let Some(connected) = self.connecting.take_if(|connecting| connecting.is_finished()) {
            self.session = connected.await.ok().and_then(Result::ok);
        }
        let Some((client, statement)) = &self.session else {
            let url = &self.url;
            self.connecting.get_or_insert_with(|| tokio::spawn(connect(url.clone())));
            return None;
        };
        let asked = tokio::time::timeout(PATIENCE, client.query_one(statement, &[])).await;
        match asked.ok().and_then(Result::ok).and_then(|row| row.try_get(0).ok()) {
            Some(snapshot) => Some(self.count.of(snapshot)),
            None => {
                (self.session, self.count.seen) = (None, None);
                None
            }
        }
    }
}

async fn connect(url: Secret) -> Result<Session> {
    let session = async {
        let client = postgres::session(&url).await?;
        let statement = client.prepare("SELECT txid_current_snapshot()::text").await;
        Ok((client, statement.map_err(|error| postgres::explain(&error))?))
    };
    let session = session.await;
    if session.is_err() {
        tokio::time::sleep(RECONNECT).await;
    }
    session
}

impl<T: PartialEq> Count<T> {
    fn new() -> Self {
        Self { seen: None, moment: 0 }
    }

    fn of(&mut self, found: T) -> Moment {
        if self.seen.as_ref() != Some(&found) {
            self.moment += 1;
            self.seen = Some(found);
        }
        Moment(self.moment)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    async fn connected(server: &mut Server) -> Moment {
        loop {
            match server.now().await {
                Some(moment) => return moment,
                None => tokio::task::yield_now().await,
            }
        }
    }

    #[tokio::test]
    async fn another_connection_sees_another_moment() {
        let url = std::env::var("LEVADA_TEST_POSTGRES").expect("LEVADA_TEST_POSTGRES: run `scripts/services env`");
        let url = Secret::new(url);
        let mut server = Server::new(url.clone());
        let before = connected(&mut server).await;
        let (asking, _) = server.session.as_ref().unwrap();
        let process: i32 = asking.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
        let other = postgres::session(&url).await.unwrap();
        other.execute("SELECT pg_terminate_backend($1, 10000)", &[&process]).await.unwrap();
        assert_eq!(server.now().await, None, "the connection is lost");
        assert!(connected(&mut server).await > before);
    }
}
