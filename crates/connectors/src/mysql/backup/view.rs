//! How several connections come to see one moment. With the right to (RELOAD) all writers of the server wait while the
//! transactions begin; else those of the tables do (LOCK TABLES); else one connection has to do, whose one transaction sees one
//! moment by itself.

use levada_core::error::{Context, Error, ErrorKind, Result};
use mysql_async::Conn;

use crate::mysql::config::Config;
use crate::mysql::discover::Table;
use crate::mysql::session::{self, execute, quoted};
use crate::mysql::wire::Client;

/// How long writers that do not come to an end are waited for: others wait behind.
const LOCK_WAIT: &str = "SET lock_wait_timeout = 5";
const BEGIN: &str = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
/// No more connections read a table.
const CLIENTS_MAX: usize = 8;

/// Connections that see one moment.
pub struct Begun {
    /// They.
    pub clients: Vec<Client>,
    /// What keeps tables without transactions from changing, if there are any.
    pub locked: Option<Conn>,
    /// Why there is only one, if so.
    pub alone: Option<String>,
}

/// Begins the transactions of a view of tables. The keeper's is one of them; after this the definitions of the tables stay as they
/// are until it ends.
///
/// # Errors
/// `Unsupported` for a table without transactions that cannot be locked.
pub async fn begin(config: &Config, keeper: &mut Conn, tables: &[Table]) -> Result<Begun> {
    let plain: Vec<&Table> = tables.iter().filter(|table| !table.is_transactional()).collect();
    let mut clients = Vec::new();
    for _ in 0..std::thread::available_parallelism().map_or(2, usize::from).clamp(2, CLIENTS_MAX) {
        clients.push(session::open_reader(config).await?);
    }
    let mut guard = session::open(config).await?;
    execute(&mut guard, LOCK_WAIT).await?;
    let alone = keep_writers_out(&mut guard, tables).await.err().map(|error| error.message().to_owned());
    if let Some(why) = &alone {
        if let Some(table) = plain.first() {
            let message = format!("the table has no transactions, and cannot be locked while it is read ({why})");
            return Err(Error::new(ErrorKind::Unsupported, message).at(format!("table `{}`", table.name)).advise(
                "Grant the user RELOAD, or LOCK TABLES on the database; or leave such tables out; or give them the engine InnoDB.",
            ));
        }
        clients.truncate(1);
    }
    let locked = if plain.is_empty() { None } else { Some(lock(config, &plain).await?) };
    execute(keeper, BEGIN).await?;
    for client in &mut clients {
        client.execute(BEGIN).await?;
    }
    execute(&mut guard, "UNLOCK TABLES").await?;
    let _ = guard.disconnect().await;
    for table in tables {
        // whatever a transaction has looked at keeps its definition until it ends
        let look = format!("SELECT 1 FROM {} LIMIT 0", quoted(&table.name));
        execute(keeper, &look).await.at(format!("table `{}`", table.name))?;
    }
    Ok(Begun { clients, locked, alone })
}

async fn keep_writers_out(guard: &mut Conn, tables: &[Table]) -> Result<()> {
    if tables.is_empty() || execute(guard, "FLUSH TABLES WITH READ LOCK").await.is_ok() {
        return Ok(());
    }
    let all: Vec<&Table> = tables.iter().collect();
    execute(guard, &lock_sql(&all)).await.map(|_| ())
}

/// Locks tables against writers until the connection ends.
async fn lock(config: &Config, tables: &[&Table]) -> Result<Conn> {
    let mut conn = session::open(config).await?;
    execute(&mut conn, LOCK_WAIT).await?;
    execute(&mut conn, &lock_sql(tables)).await?;
    Ok(conn)
}

fn lock_sql(tables: &[&Table]) -> String {
    let tables: Vec<String> = tables.iter().map(|table| format!("{} READ", quoted(&table.name))).collect();
    format!("LOCK TABLES {}", tables.join(", "))
}
