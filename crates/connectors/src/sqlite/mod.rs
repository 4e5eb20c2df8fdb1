//! SQLite files: declared-type aware reads from one snapshot, loads in one write transaction.

mod backup;
mod config;
mod cursor;
mod ddl;
mod decode;
mod destination;
mod discover;
mod error;
mod load;
mod only;
mod query;
mod rows;
mod sink;
mod snapshot;
mod source;
mod types;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use levada_core::backup::Database;
use levada_core::connector::{CheckStep, Connection, Connector, Descriptor};
use levada_core::destination::{Destination, WriteMode};
use levada_core::error::{Context, Error, ErrorKind, Result};
use levada_core::rows::Rows;
use levada_core::source::Source;
use rusqlite::{ErrorCode, OpenFlags};
use serde_json::{Map, Value};
use url::Url;

use config::{Journal, Settings};

use crate::kit::off_limits::OffLimits;

/// The pause before the journal is switched again.
const JOURNAL_PAUSE: Duration = Duration::from_millis(10);

/// The connector `sqlite`.
pub struct Sqlite {
    off_limits: OffLimits,
}

impl Sqlite {
    /// A connector whose files are outside of what is off limits.
    pub fn new(off_limits: OffLimits) -> Self {
        Self { off_limits }
    }
}

impl Connector for Sqlite {
    fn descriptor(&self) -> Descriptor {
        Descriptor {
            name: "sqlite",
            title: "SQLite",
            summary: "One SQLite database file.",
            schemes: &["sqlite"],
            settings: schemars::schema_for!(Settings).to_value(),
            namespaces: false,
            writes: &[WriteMode::Replace, WriteMode::Append, WriteMode::Merge],
            own_order: false,
            files: false,
        }
    }

    fn path_endings(&self) -> &'static [&'static str] {
        &["db", "db3", "sqlite", "sqlite3"]
    }

    fn settings_from_url(&self, url: &Url) -> Result<Value> {
        config::from_url(url).map(Value::Object)
    }

    fn connect(&self, settings: Value) -> Result<Arc<dyn Connection>> {
        let settings = Settings::parse(settings)?;
        let (path, off_limits) = (settings.file(), self.off_limits.clone());
        Ok(Arc::new(File { path, settings, off_limits, pinned: None }))
    }
}

/// A database file; both faces of the connection.
#[derive(Clone)]
struct File {
    path: PathBuf,
    settings: Settings,
    off_limits: OffLimits,
    /// The one view that everything is read of, if it is bound to one.
    pinned: Option<Arc<backup::Pinned>>,
}

impl File {
    /// Opens the file for reading; `None` if there is none.
    fn open_to_read(&self) -> Result<Option<rusqlite::Connection>> {
        // also of what is not there yet
        self.off_limits.check(&self.path)?;
        if !self.path.exists() {
            return Ok(None);
        }
        self.open(OpenFlags::SQLITE_OPEN_READ_ONLY).map(Some)
    }

    /// Opens the file for a load, and makes it if there is none.
    fn open_to_write(&self) -> Result<rusqlite::Connection> {
        let connection = self.open(OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        if self.settings.journal == Journal::Wal {
            self.to_write_ahead_log(&connection).map_err(error::of)?;
        }
        // FULL: what a commit answered survives a power cut.
        connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF").map_err(error::of)?;
        Ok(connection)
    }

    /// Switches to the write-ahead log. SQLite does not wait by itself when several do that to a new file at once.
    fn to_write_ahead_log(&self, connection: &rusqlite::Connection) -> rusqlite::Result<()> {
        let until = Instant::now() + self.settings.busy_timeout();
        loop {
            match connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0)) {
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && Instant::now() < until => {
                    std::thread::sleep(JOURNAL_PAUSE);
                }
                outcome => return outcome.map(drop),
            }
        }
    }

    fn open(&self, flags: OpenFlags) -> Result<rusqlite::Connection> {
        self.off_limits.check(&self.path)?;
        let open = || {
            let connection =
                rusqlite::Connection::open_with_flags(&self.path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
            connection.busy_timeout(self.settings.busy_timeout())?;
            connection.execute_batch("PRAGMA cache_size = -16000; PRAGMA trusted_schema = OFF")?;
            // The first statement that touches the file tells whether it is a database at all.
            let _: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
            Ok(connection)
        };
        open().map_err(error::of).at(self.place())
    }

    fn place(&self) -> String {
        format!("SQLite file {}", self.path.display())
    }

    fn missing(&self) -> Error {
        Error::new(ErrorKind::NotFound, "there is no such file").at(self.place()).advise("Check `path`.")
    }

    /// Runs blocking work on the file on a thread that may block.
    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(File) -> Result<T> + Send + 'static) -> Result<T> {
        let file = self.clone();
        tokio::task::spawn_blocking(move || work(file))
            .await
            .map_err(|_| Error::new(ErrorKind::Internal, "the work on a SQLite file ended unexpectedly"))?
    }
}

impl Connection for File {
    fn address(&self) -> String {
        format!("sqlite:{}", self.path.display())
    }

    fn source(self: Arc<Self>) -> Result<Arc<dyn Source>> {
        Ok(self)
    }

    fn destination(self: Arc<Self>) -> Result<Arc<dyn Destination>> {
        Ok(self)
    }

    fn check(&self) -> BoxFuture<'_, Vec<CheckStep>> {
        Box::pin(async move {
            let steps = self.blocking(|file| Ok(check(&file))).await;
            steps
                .unwrap_or_else(|error| vec![CheckStep { step: "read", took: Default::default(), outcome: Err(error) }])
        })
    }

    fn query<'a>(&'a self, sql: &'a str, rows_max: usize) -> BoxFuture<'a, Result<Vec<Map<String, Value>>>> {
        Box::pin(query::run(self, sql, rows_max))
    }

    fn database(self: Arc<Self>) -> Result<Arc<dyn Database>> {
        Ok(self)
    }

    fn rows(self: Arc<Self>) -> Result<Arc<dyn Rows>> {
        Ok(Arc::new(crate::kit::rows::Served::new(rows::Served::new(self.as_ref().clone()))))
    }
}

fn check(file: &File) -> Vec<CheckStep> {
    let mut steps = Vec::new();
    let started = Instant::now();
    let read = || -> Result<String> {
        let Some(connection) = file.open_to_read()? else {
            let folder = file.path.parent().filter(|folder| folder.is_dir());
            return folder
                .map(|folder| format!("there is no file yet; a load makes it in {}", folder.display()))
                .ok_or_else(|| Error::new(ErrorKind::NotFound, "the folder does not exist").at(file.place()));
        };
        let streams = discover::names(&connection)?.len();
        Ok(format!("SQLite {}, {streams} tables and views", rusqlite::version()))
    };
    let outcome = read();
    let go_on = outcome.is_ok() && file.path.exists();
    steps.push(CheckStep { step: "read", took: started.elapsed(), outcome });
    if go_on {
        let started = Instant::now();
        let write = || -> Result<String> {
            let connection = file.open(OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK").map_err(error::of).at(file.place())?;
            Ok("the write lock was free".to_owned())
        };
        steps.push(CheckStep { step: "write", took: started.elapsed(), outcome: write() });
    }
    steps
}

/// Quotes an identifier: the one way a name gets into SQL.
fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
