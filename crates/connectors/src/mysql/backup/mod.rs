//! One view of a whole database for backups: connections whose transactions began while a lock kept writers out for a moment,
//! lent to one read after the other, and one that keeps the definitions of the tables as they are.

mod create;
mod pool;
mod restore;
mod stored;
mod structure;
mod view;

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use levada_core::backup::{Database, Found, Snapshot, Structure};
use levada_core::error::{Context, Error, ErrorKind, Result};
use levada_core::naming::is_wildcard;
use levada_core::source::{Extract, ReadRequest, StreamInfo};
use mysql_async::Conn;

use self::pool::Pool;
pub use self::pool::{Lent, end_statement};
pub use self::stored::{Kind as StoredKind, Rule, is_stored, stored_kind};
use super::MysqlConnection;
use super::config::Config;
use super::discover::{self, Storage, Table};
use super::session;
use super::source::{Job, TableReader, ranges, split_column};

/// The system's word in definitions.
const SYSTEM: &str = "mysql";

/// A view of tables, as long as it lives.
pub struct View {
    config: Arc<Config>,
    pool: Arc<Pool>,
    tables: BTreeMap<String, Table>,
    /// The streams whose odd values are read as they are stored.
    as_stored: Mutex<HashSet<String>>,
    /// Why one connection has to do, if so.
    alone: Option<String>,
    /// Keeps definitions, and tables without transactions, as they are.
    _held: Mutex<Vec<Conn>>,
}

impl View {
    /// The streams that a selector means.
    pub fn discover(&self, selector: Option<&str>) -> Vec<StreamInfo> {
        let meant = self.tables.values().filter(|table| selector.is_none_or(|selector| selector == table.name));
        meant.map(|table| self.stream(table)).collect()
    }

    fn stream(&self, table: &Table) -> StreamInfo {
        let mut stream = table.source_stream();
        if self.as_stored.lock().unwrap_or_else(PoisonError::into_inner).contains(&table.name) {
            stored::retype(&mut stream);
        }
        stream
    }

    /// Reads a table of the view, by several connections where it is worth that.
    ///
    /// # Errors
    /// As the server says.
    pub async fn read(&self, request: ReadRequest) -> Result<Extract> {
        let gone = || Error::new(ErrorKind::NotFound, format!("the view has no table `{}`", request.stream.table));
        let table = self.tables.get(&request.stream.table).ok_or_else(gone)?;
        let split = split_column(table, request.readers);
        let mut warnings = Vec::new();
        if let (Some(_), Some(why)) = (&split, &self.alone) {
            warnings.push(format!("`{}` is read by one reader: {why}", table.name));
        }
        let mut lent = self.pool.lend(if split.is_some() { request.readers } else { 1 }).await?;
        let count = lent.len();
        let ranges = match &split {
            Some(column) if count > 1 => ranges(&mut lent[0].client, &table.name, column, count).await,
            _ => Ok([None].into()),
        };
        let ranges = match ranges {
            Ok(ranges) => ranges,
            Err(error) => {
                for lent in lent {
                    lent.end(&self.config).await;
                }
                return Err(error);
            }
        };
        let unneeded = lent.split_off(lent.len().min(ranges.len().max(1)));
        for lent in unneeded {
            lent.end(&self.config).await;
        }
        let sql = stored::select(&table.name, &request.columns);
        let job = Arc::new(Job::of_view(self.config.clone(), sql, split, ranges, &request));
        let readers = lent.into_iter().map(|lent| TableReader::start(lent, job.clone())).collect();
        Ok(Extract { readers, position: None, warnings, again: Vec::new() })
    }
}

impl Database for MysqlConnection {
    fn system(&self) -> &'static str {
        SYSTEM
    }

    fn snapshot<'a>(&'a self, tables: &'a [String]) -> BoxFuture<'a, Result<Snapshot>> {
        snapshot(&self.config, tables).boxed()
    }

    fn prepare<'a>(&'a self, structure: &'a Structure, replace: bool) -> BoxFuture<'a, Result<Vec<Found>>> {
        restore::prepare(&self.config, structure, replace).boxed()
    }

    fn finish<'a>(&'a self, structure: &'a Structure) -> BoxFuture<'a, Result<Vec<String>>> {
        restore::finish(&self.config, structure).boxed()
    }
}

async fn snapshot(config: &Arc<Config>, selectors: &[String]) -> Result<Snapshot> {
    let mut keeper = session::open(config).await?;
    let wanted = select(&mut keeper, selectors).await?;
    let names: HashSet<String> = wanted.iter().map(|table| table.name.clone()).collect();
    let view::Begun { clients, locked, alone } = view::begin(config, &mut keeper, &wanted).await?;
    // now nobody changes them any more
    let mut tables = select(&mut keeper, selectors).await?;
    tables.retain(|table| names.contains(&table.name));
    if let Some(gone) = wanted.iter().find(|table| tables.iter().all(|other| other.name != table.name)) {
        return Err(Error::new(ErrorKind::Busy, "the table was removed while the backup began").at(gone.name.clone()));
    }
    let structure = structure::of(&mut keeper, &config.database, &tables, selectors.is_empty()).await?;
    for table in &tables {
        stored::check(&mut keeper, table).await.at(format!("table `{}`", table.name))?;
    }
    let streams: Vec<StreamInfo> = tables.iter().map(Table::source_stream).collect();
    let odd: HashSet<String> =
        streams.iter().filter(|stream| stored::can_be_odd(stream)).map(|stream| stream.name.clone()).collect();
    let held = [keeper].into_iter().chain(locked).collect();
    let view = Arc::new(View {
        config: config.clone(),
        pool: Pool::of(clients),
        tables: tables.into_iter().map(|table| (table.name.clone(), table)).collect(),
        as_stored: Mutex::default(),
        alone,
        _held: Mutex::new(held),
    });
    let connection = Arc::new(MysqlConnection { config: config.clone(), view: Some(view.clone()) });
    let as_text = move |stream: &str| {
        let mut known = view.as_stored.lock().unwrap_or_else(PoisonError::into_inner);
        odd.contains(stream) && known.insert(stream.to_owned())
    };
    Ok(Snapshot { structure, streams, connection, as_text: Box::new(as_text) })
}

/// The tables that selectors mean, each once, ordered by name.
async fn select(conn: &mut Conn, selectors: &[String]) -> Result<Vec<Table>> {
    let mut tables = Vec::new();
    if selectors.is_empty() {
        tables = discover::tables(conn, None).await?;
        tables.retain(|table| !table.is_view);
    }
    for selector in selectors {
        let mut found = discover::tables(conn, Some(selector)).await?;
        if !is_wildcard(selector) && found.iter().any(|table| table.is_view) {
            return Err(Error::new(ErrorKind::Unsupported, "this is a view, and has no rows of its own")
                .at(selector.clone())
                .advise("Name the tables it is made from."));
        }
        found.retain(|table| !table.is_view);
        if found.is_empty() {
            return Err(Error::new(ErrorKind::NotFound, "there is no such table").at(selector.clone()));
        }
        tables.extend(found);
    }
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    tables.dedup_by(|a, b| a.name == b.name);
    for table in &tables {
        own_rows(table.engine.as_deref()).at(format!("table `{}`", table.name))?;
    }
    Ok(tables)
}

/// Refuses engines whose tables have no rows of their own, or not certainly: what is read of them is not theirs alone, and what is
/// written may change other tables, or be gone.
fn own_rows(engine: Option<&str>) -> Result<()> {
    if matches!(Storage::of(engine), Storage::Transactional | Storage::Plain) {
        return Ok(());
    }
    let message = format!("tables of the engine {} may have no rows of their own", engine.unwrap_or("unknown"));
    Err(Error::new(ErrorKind::Unsupported, message)
        .advise("Leave the table out by naming the others, or give it the engine InnoDB."))
}
