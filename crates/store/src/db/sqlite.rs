//! SQLite: one file in WAL mode, each commit on disk before it is answered (`synchronous=FULL`).

use std::path::Path;
use std::time::{Duration, Instant};

use levada_core::error::{Error, ErrorKind, Result};
use rusqlite::types::{ToSqlOutput, Value as Native, ValueRef};
use rusqlite::{ErrorCode, ToSql};

use super::{Row, Value};

/// How long a process waits for another that writes.
const BUSY: Duration = Duration::from_secs(20);
/// The pause where it has to look again by itself.
const PAUSE: Duration = Duration::from_millis(10);
const WRITABLE: &str = "Check that the folder of the metadata store can be written.";
/// The extended code of a full disk under the shared memory of a WAL: `SQLITE_IOERR_SHMSIZE`.
const SHM_IS_FULL: i32 = 4_874;
/// Prepared statements kept.
const STATEMENTS: usize = 256;

pub(super) struct Connection {
    native: rusqlite::Connection,
    /// The file, for errors.
    place: String,
    /// `PRAGMA data_version` when it was last looked at: changes with commits of other connections only.
    version: i64,
}

impl Connection {
    pub(super) fn open(path: &Path, writes: bool) -> Result<Self> {
        let place = || path.display().to_string();
        if let Some(folder) = path.parent().filter(|folder| writes && !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|error| Error::from(error).at(folder.display().to_string()))?;
        }
        let native = rusqlite::Connection::open(path).map_err(|error| explain(&error).at(place()))?;
        let prepare = || {
            native.busy_timeout(BUSY)?;
            native.pragma_update(None, "journal_mode", "WAL")?;
            native.pragma_update(None, "synchronous", "FULL")?;
            native.pragma_update(None, "foreign_keys", true)?;
            native.pragma_update(None, "temp_store", "MEMORY")?;
            native.set_prepared_statement_cache_capacity(STATEMENTS);
            if !writes {
                native.pragma_update(None, "query_only", true)?;
            }
            Ok(())
        };
        // SQLite opens what it may not write all the same, and would tell at the first write
        if writes && native.is_readonly("main").map_err(|error| explain(&error).at(place()))? {
            return Err(Error::new(ErrorKind::Io, "the metadata store: the file is read only")
                .advise(WRITABLE)
                .at(place()));
        }
        // SQLite does not wait by itself when two processes make a new file a WAL at once
        let until = Instant::now() + BUSY;
        loop {
            match prepare().map_err(|error: rusqlite::Error| explain(&error)) {
                Ok(()) => break,
                Err(error) if error.kind() == ErrorKind::Busy && Instant::now() < until => std::thread::sleep(PAUSE),
                Err(error) => return Err(error.at(place())),
            }
        }
        Ok(Self { native, place: place(), version: 0 })
    }

    /// A connection for [`Connection::data_version`], which never waits for anybody.
    pub(super) fn open_for_looks(path: &Path) -> Result<Self> {
        let connection = Self::open(path, false)?;
        connection.native.busy_timeout(Duration::ZERO).map_err(|error| connection.explain(&error))?;
        Ok(connection)
    }

    pub(super) fn begin(&mut self, writes: bool) -> Result<()> {
        self.execute(if writes { "BEGIN IMMEDIATE" } else { "BEGIN" }, &[]).map(drop)
    }

    pub(super) fn commit(&mut self) -> Result<()> {
        self.execute("COMMIT", &[]).map(drop)
    }

    /// There may be no transaction: some errors end it by themselves.
    pub(super) fn rollback(&mut self) -> Result<()> {
        if self.native.is_autocommit() { Ok(()) } else { self.script("ROLLBACK") }
    }

    pub(super) fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64> {
        let run = || {
            let mut statement = self.native.prepare_cached(&numbered(sql))?;
            statement.execute(rusqlite::params_from_iter(values))
        };
        run().map(|count| count as u64).map_err(|error| self.explain(&error))
    }

    pub(super) fn rows(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>> {
        let run = || {
            let mut statement = self.native.prepare_cached(&numbered(sql))?;
            let columns = statement.column_count();
            let mut rows = statement.query(rusqlite::params_from_iter(values))?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let values = (0..columns).map(|index| row.get_ref(index).map(value)).collect::<Result<_, _>>()?;
                found.push(Row::new(values));
            }
            Ok(found)
        };
        run().map_err(|error: rusqlite::Error| self.explain(&error))
    }

    pub(super) fn script(&mut self, sql: &str) -> Result<()> {
        self.native.execute_batch(sql).map_err(|error| self.explain(&error))
    }

    fn explain(&self, error: &rusqlite::Error) -> Error {
        explain(error).at(self.place.clone())
    }

    /// Whether another connection has committed since this was last asked.
    pub(super) fn changed_elsewhere(&mut self) -> bool {
        let version = self.data_version().unwrap_or(self.version);
        std::mem::replace(&mut self.version, version) != version
    }

    /// A number that changes with commits of other connections only.
    pub(super) fn data_version(&self) -> Result<i64> {
        let ask = || self.native.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0));
        ask().map_err(|error| self.explain(&error))
    }
}

/// `$1` means the first value in PostgreSQL, and a name in SQLite; `?1` is what SQLite means by the first value.
fn numbered(sql: &str) -> String {
    sql.replace('$', "?")
}

/// Copies a whole database into a new file, and sees it on the disk.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    let vacuum = || {
        let native = rusqlite::Connection::open(from)?;
        native.busy_timeout(BUSY)?;
        native.execute("VACUUM INTO ?1", [to.to_string_lossy()])
    };
    vacuum().map_err(|error| explain(&error).at(to.display().to_string()))?;
    std::fs::File::open(to)?.sync_all()?;
    Ok(())
}

fn value(native: ValueRef<'_>) -> Value {
    match native {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Int(number),
        // no column holds one; it would be read as text, and refused where a number belongs
        ValueRef::Real(number) => Value::Text(number.to_string()),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => ToSqlOutput::Owned(Native::Null),
            Self::Int(number) => ToSqlOutput::Owned(Native::Integer(*number)),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
            Self::List(_) => {
                return Err(rusqlite::Error::ToSqlConversionFailure("SQLite takes no list as one parameter".into()));
            }
        })
    }
}

fn extended_code(error: &rusqlite::Error) -> Option<i32> {
    match error {
        rusqlite::Error::SqliteFailure(failure, _) => Some(failure.extended_code),
        _ => None,
    }
}

fn explain(error: &rusqlite::Error) -> Error {
    let kind = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => ErrorKind::Busy,
        Some(ErrorCode::DiskFull) => ErrorKind::Full,
        _ if extended_code(error) == Some(SHM_IS_FULL) => ErrorKind::Full,
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => ErrorKind::Permission,
        Some(ErrorCode::CannotOpen | ErrorCode::SystemIoFailure) => ErrorKind::Io,
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => ErrorKind::Config,
        _ => ErrorKind::Internal,
    };
    let advice = match kind {
        ErrorKind::Full => "Free some space; nothing of this step was kept.",
        ErrorKind::Busy => "Another program holds the metadata store; end it, or try again.",
        ErrorKind::Config => "The file is not a metadata store, or it is damaged; restore its last copy.",
        ErrorKind::Permission | ErrorKind::Io => WRITABLE,
        _ => "",
    };
    let message = match kind {
        ErrorKind::Full => "the metadata store: the disk is full".to_owned(),
        _ => format!("the metadata store: {error}"),
    };
    let told = Error::new(kind, message);
    if advice.is_empty() { told } else { told.advise(advice) }
}
