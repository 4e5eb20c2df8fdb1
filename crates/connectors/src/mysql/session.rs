//! Connections and what every one of them is told before its first use, and the dialect's two ways to put a name or a
//! text into a statement.

use std::time::Duration;

use levada_core::error::{Error, ErrorKind, Result};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, Value};

use super::config::Config;
use super::error::from_driver;
use super::wire::Client;

const CONNECT_MAX: Duration = Duration::from_secs(20);

/// UTC, so that TIMESTAMP has one meaning; strict, so that nothing is bent to fit; no meaning of zero in an
/// AUTO_INCREMENT column but zero; time-outs that outlive a slow other side; warnings all kept and in English, because
/// a load reads them.
const SETUP: &str = "SET NAMES utf8mb4, time_zone = '+00:00', autocommit = 1, sql_mode = \
     'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_VALUE_ON_ZERO', \
     net_read_timeout = 86400, net_write_timeout = 86400, wait_timeout = 86400, innodb_lock_wait_timeout = 50, \
     lock_wait_timeout = 60, sql_notes = 1, max_error_count = 1024, lc_messages = 'en_US', \
     foreign_key_checks = 1, unique_checks = 1, sql_safe_updates = 0, sql_big_selects = 1";

const ISOLATION: &str = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ";

/// The length of a statement to a connection that reads. The server's buffer for a connection grows to what it receives
/// ("Server System Variables", `net_buffer_length`), and it sends rows whenever the buffer is full. From its first size of
/// 16 KiB, which a session cannot set, a table takes sixteen times as many calls, and wakes up its reader as often.
const WIDENING_BYTES: usize = 256 << 10;

/// A connection with the settings of [`SETUP`].
///
/// # Errors
/// `Connect`, `Auth`, `Tls`, `NotFound` for the database.
pub async fn open(config: &Config) -> Result<Conn> {
    open_with(config.options()?).await.map_err(|error| error.at(config.address()))
}

/// A connection to read many rows with, set up like the others.
///
/// # Errors
/// As for [`open`].
pub async fn open_reader(config: &Config) -> Result<Client> {
    let open = async {
        let mut client = Client::connect(config).await?;
        client.execute(SETUP).await?;
        // A longer packet than the server allows would end the connection.
        let allowed = client.first("SELECT CAST(@@max_allowed_packet AS SIGNED)", &[]).await?.unwrap_or_default();
        let is_allowed = matches!(allowed[..], [Value::Int(bytes)] if bytes > 2 * WIDENING_BYTES as i64);
        let blanks = if is_allowed { WIDENING_BYTES } else { 0 };
        client.execute(&(ISOLATION.to_owned() + &" ".repeat(blanks))).await?;
        Ok(client)
    };
    let opened = tokio::time::timeout(CONNECT_MAX, open).await.unwrap_or_else(|_| Err(late()));
    opened.map_err(|error| error.at(config.address()))
}

async fn open_with(options: Opts) -> Result<Conn> {
    let mut conn =
        tokio::time::timeout(CONNECT_MAX, Conn::new(options)).await.map_err(|_| late())?.map_err(from_driver)?;
    conn.query_drop(SETUP).await.map_err(from_driver)?;
    conn.query_drop(ISOLATION).await.map_err(from_driver)?;
    Ok(conn)
}

fn late() -> Error {
    Error::new(ErrorKind::Connect, "the server did not answer within 20 seconds")
}

/// Runs a statement that returns no rows and tells how many it affected (matched, for an UPDATE).
///
/// # Errors
/// As the server says.
pub async fn execute(conn: &mut Conn, sql: &str) -> Result<u64> {
    conn.query_drop(sql).await.map_err(from_driver)?;
    Ok(conn.affected_rows())
}

/// Which server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flavor {
    /// MariaDB, else MySQL.
    pub mariadb: bool,
    /// Major, minor, patch.
    pub version: (u16, u16, u16),
    /// Whether a TIMESTAMP column may be NOT NULL without a default of its own.
    pub explicit_timestamp: bool,
}

impl Flavor {
    /// Asks the server.
    ///
    /// # Errors
    /// `Connect`.
    pub async fn of(conn: &mut Conn) -> Result<Self> {
        let row: Option<(String, Option<i64>)> =
            conn.query_first("SELECT VERSION(), @@explicit_defaults_for_timestamp").await.map_err(from_driver)?;
        let (version, explicit) = row.unwrap_or_default();
        Ok(Self {
            mariadb: version.to_ascii_lowercase().contains("mariadb"),
            version: conn.server_version(),
            explicit_timestamp: explicit == Some(1),
        })
    }

    /// The collation under which texts are equal only if all their characters are, trailing blanks included.
    pub fn exact_collation(self) -> &'static str {
        if self.mariadb { "utf8mb4_nopad_bin" } else { "utf8mb4_0900_bin" }
    }
}

/// A name as it stands in a statement.
pub fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Names as they stand in a list.
pub fn quoted_list<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> String {
    names.into_iter().map(|name| quoted(name.as_ref())).collect::<Vec<_>>().join(", ")
}

/// A text as it stands in a statement (without NO_BACKSLASH_ESCAPES, which [`SETUP`] leaves out).
pub fn text_literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''").replace('\0', "\\0"))
}
