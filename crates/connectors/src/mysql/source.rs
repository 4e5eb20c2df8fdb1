//! Reads tables: one consistent view shared by all readers, ranges of the key as a common queue so that the readers end
//! together, rows decoded as they arrive. Memory holds a batch or two per reader, whatever the table's size.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use arrow_schema::{Field, SchemaRef};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use levada_core::batch::Batch;
use levada_core::error::{Context, Error, ErrorKind, Result};
use levada_core::position::Position;
use levada_core::schema::{Logical, check_order, native_of, no_cursor};
use levada_core::source::{Extract, ReadMode, ReadRequest, Reader, Source, StreamInfo};
use mysql_async::{Conn, Value};
use tokio::task::JoinHandle;

use super::backup::{Lent, View, end_statement};
use super::config::Config;
use super::cursor::{self, Kind};
use super::decode::Decoder;
use super::discover::{self, Table};
use super::native::Native;
use super::only;
use super::session::{self, execute, quoted};
use super::wire::Client;
use crate::kit::ahead::{Giver, Taker, ahead};

/// Fewer rows than this are not worth a second connection.
const SPLIT_ROWS_MIN: u64 = 50_000;
/// Ranges per reader: enough that one slow range does not hold up the end.
const RANGES_PER_READER: i128 = 12;

/// A connection as a source.
pub struct MysqlSource {
    /// How to connect.
    pub config: Arc<Config>,
    /// The view that is read, where it is not the present.
    pub view: Option<Arc<View>>,
}

impl Source for MysqlSource {
    fn discover<'a>(&'a self, selector: Option<&'a str>) -> BoxFuture<'a, Result<Vec<StreamInfo>>> {
        async move {
            if let Some(view) = &self.view {
                return Ok(view.discover(selector));
            }
            let mut conn = session::open(&self.config).await?;
            let tables = discover::tables(&mut conn, selector).await.at(self.config.address())?;
            let _ = conn.disconnect().await;
            Ok(tables.iter().map(|table| table.source_stream()).collect())
        }
        .boxed()
    }

    fn check_cursor(&self, column: &Field, _lag: Option<&str>) -> Result<()> {
        let native = match native_of(column, "mysql") {
            Some(native) => Native::parse(native).ok_or_else(|| no_cursor(column))?,
            // text of another system, whose order is that of the texts
            None if Logical::of(column) == Some(Logical::Number) => return Err(no_cursor(column)),
            None => {
                check_order(column)?;
                Native::plain("longtext")
            }
        };
        Kind::of(column.name(), &native).map(|_| ())
    }

    fn read<'a>(&'a self, request: ReadRequest) -> BoxFuture<'a, Result<Extract>> {
        let name = request.stream.name.clone();
        async move {
            match &self.view {
                Some(view) => view.read(request).await.at(name),
                None => read(&self.config, request).await.at(name),
            }
        }
        .boxed()
    }
}

async fn read(config: &Arc<Config>, request: ReadRequest) -> Result<Extract> {
    let mut conn = session::open(config).await?;
    let table = discover::table(&mut conn, &request.stream.table).await?.ok_or_else(|| {
        Error::new(
            ErrorKind::NotFound,
            format!("there is no table `{}` in `{}`", request.stream.table, config.database),
        )
    })?;
    if let Some(field) = request.columns.fields().iter().find(|field| table.column(field.name()).is_none()) {
        return Err(Error::new(ErrorKind::NotFound, format!("the table has no column `{}` any more", field.name())));
    }
    let wants_all = match &request.mode {
        ReadMode::Full => true,
        ReadMode::Incremental { from, .. } => from.is_none(),
    };
    let split = if wants_all && request.limit.is_none() { split_column(&table, request.readers) } else { None };
    let mut warnings = Vec::new();
    let mut clients = match &split {
        Some(_) => snapshots(config, conn, &table, request.readers, &mut warnings).await?,
        None => {
            let _ = conn.disconnect().await;
            vec![snapshot(session::open_reader(config).await?).await?]
        }
    };
    let window = Window::of(&mut clients[0], &table, &request, &mut warnings).await?;
    let readers = clients.len();
    let ranges = match &split {
        Some(column) if readers > 1 => ranges(&mut clients[0], &table.name, column, readers).await?,
        _ => VecDeque::from([None]),
    };
    clients.truncate(ranges.len().max(1));
    let job = Arc::new(Job {
        config: config.clone(),
        sql: window.sql(&table, &request.columns),
        only: only::conditions(&table, &request.only),
        limit: request.limit,
        range_sql: split.map(|column| within(&column)),
        window,
        columns: request.columns.clone(),
        batch_bytes: request.batch_bytes.max(1 << 16),
        ranges: Mutex::new(ranges),
        as_stored: false,
    });
    let position = job.window.position.clone();
    let readers = clients.into_iter().map(|client| TableReader::start(Lent::own(client), job.clone())).collect();
    Ok(Extract { readers, position, warnings, again: Vec::new() })
}

/// The leading column of the key, if it is a whole number and the table is worth splitting.
pub fn split_column(table: &Table, readers: usize) -> Option<String> {
    if readers < 2 || table.is_view || !table.is_transactional() || table.rows.unwrap_or(0) < SPLIT_ROWS_MIN {
        return None;
    }
    let identity = table.unique.iter().find(|key| key.is_identity)?;
    let leading = identity.columns.first()?;
    table.column(leading).filter(|c| c.native.is_integer()).map(|c| c.field.name().clone())
}

async fn snapshot(mut client: Client) -> Result<Client> {
    client.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY").await?;
    Ok(client)
}

/// Several connections that see the same state of the table: while a lock keeps writers out for a moment, each starts
/// its snapshot. Without the right to lock, or with writers that will not finish, one connection has to do.
async fn snapshots(
    config: &Config,
    mut guard: Conn,
    table: &Table,
    readers: usize,
    warnings: &mut Vec<String>,
) -> Result<Vec<Client>> {
    let mut opened = Vec::with_capacity(readers);
    while opened.len() < readers {
        opened.push(session::open_reader(config).await?);
    }
    execute(&mut guard, "SET lock_wait_timeout = 5").await?;
    if let Err(error) = execute(&mut guard, &format!("LOCK TABLES {} READ", quoted(&table.name))).await {
        let why = error.message().to_owned();
        warnings.push(format!(
            "`{}` is read by one reader: the table could not be locked for a moment ({why})",
            table.name
        ));
        opened.truncate(1);
    }
    let mut clients = Vec::with_capacity(opened.len());
    for client in opened {
        clients.push(snapshot(client).await?);
    }
    execute(&mut guard, "UNLOCK TABLES").await?;
    let _ = guard.disconnect().await;
    Ok(clients)
}

fn within(column: &str) -> String {
    format!("{0} >= ? AND {0} <= ?", quoted(column))
}

/// A range of the key, both ends included; `None` is the whole table.
pub type Range = Option<(i128, i128)>;

/// The ranges that so many readers share.
pub async fn ranges(client: &mut Client, table: &str, column: &str, readers: usize) -> Result<VecDeque<Range>> {
    let sql = format!("SELECT MIN({0}), MAX({0}) FROM {1}", quoted(column), quoted(table));
    let whole = |value: &Value| match value {
        Value::Int(n) => Some(i128::from(*n)),
        Value::UInt(n) => Some(i128::from(*n)),
        _ => None,
    };
    let found = client.first(&sql, &[]).await?.unwrap_or_default();
    let (Some(first), Some(last)) = (found.first().and_then(whole), found.last().and_then(whole)) else {
        return Ok(VecDeque::from([None]));
    };
    let count = (readers as i128 * RANGES_PER_READER).min(last - first + 1);
    let step = (last - first) / count + 1;
    Ok((0..count)
        .map(|index| (first + index * step, (first + (index + 1) * step - 1).min(last)))
        .filter(|(low, high)| low <= high)
        .map(Some)
        .collect())
}

/// Which rows an incremental read takes.
#[derive(Default)]
struct Window {
    condition: Option<String>,
    params: Vec<Value>,
    overlap: Option<(String, Value)>,
    position: Option<Position>,
    is_empty: bool,
}

impl Window {
    async fn of(client: &mut Client, table: &Table, request: &ReadRequest, warnings: &mut Vec<String>) -> Result<Self> {
        let ReadMode::Incremental { cursor: wanted, from, lag, mark_overlap } = &request.mode else {
            return Ok(Self::default());
        };
        let name = wanted.as_deref().ok_or_else(|| {
            Error::new(ErrorKind::Config, "an incremental read of a table needs a cursor")
                .advise("Name a column that only grows: `cursor: updated_at`.")
        })?;
        let column = table
            .column(name)
            .ok_or_else(|| Error::new(ErrorKind::NotFound, format!("the cursor column `{name}` does not exist")))?;
        let kind = Kind::of(name, &column.native)?;
        let quoted_name = quoted(column.field.name());
        let low = from.as_ref().map(|position| cursor::bound(position, column.field.name())).transpose()?;
        let sql = format!("SELECT MAX({quoted_name}) FROM {}", quoted(&table.name));
        let high = client.first(&sql, &[]).await?.and_then(|max| kind.text(max.first()?));
        let mark = kind.placeholder();
        let mut window = Self { position: from.clone(), ..Self::default() };
        let Some(high) = high else {
            // Only NULL or zero dates: they belong to the first read.
            window.is_empty = from.is_some();
            window.overlap = mark_overlap.then(|| ("? = 1".to_owned(), Value::Int(0)));
            return Ok(window);
        };
        let floor = kind.minus(&high, lag.as_deref())?;
        if *mark_overlap {
            window.overlap = Some((format!("COALESCE({quoted_name} >= {mark}, 0)"), kind.param(&floor)?));
        }
        window.params.push(kind.param(&high)?);
        match &low {
            None => {
                window.condition = Some(format!("({quoted_name} <= {mark} OR {quoted_name} IS NULL)"));
                if column.field.is_nullable() {
                    warnings.push(format!("rows without a value in `{name}` are read only the first time"));
                }
            }
            Some(low) => {
                window.condition = Some(format!("({quoted_name} <= {mark} AND {quoted_name} >= {mark})"));
                window.params.push(kind.param(&kind.minus(low, lag.as_deref())?)?);
            }
        }
        window.position = Some(Position(serde_json::json!({ "column": column.field.name(), "cursor": high })));
        if let Some(low) = low
            && is_before(client, kind, &high, &low, &quoted_name, &table.name).await?
        {
            window.position = from.clone();
        }
        Ok(window)
    }

    fn sql(&self, table: &Table, columns: &SchemaRef) -> String {
        let mut list: Vec<String> = columns
            .fields()
            .iter()
            .map(|field| match table.column(field.name()) {
                Some(column) if column.native.is_spatial() => format!("ST_AsBinary({})", quoted(field.name())),
                _ => quoted(field.name()),
            })
            .collect();
        list.extend(self.overlap.iter().map(|(sql, _)| sql.clone()));
        if list.is_empty() {
            list.push("1".to_owned());
        }
        format!("SELECT {} FROM {}", list.join(", "), quoted(&table.name))
    }
}

/// Whether the greatest cursor is now smaller than the stored one, because rows were removed: the position then stays.
async fn is_before(client: &mut Client, kind: Kind, high: &str, low: &str, column: &str, table: &str) -> Result<bool> {
    let mark = kind.placeholder();
    let sql = match kind {
        // The column's own collation decides.
        Kind::Text => format!("SELECT NOT EXISTS (SELECT 1 FROM {} WHERE {column} >= ?)", quoted(table)),
        _ => format!("SELECT {mark} < {mark}"),
    };
    let params = match kind {
        Kind::Text => vec![kind.param(low)?],
        _ => vec![kind.param(high)?, kind.param(low)?],
    };
    let found = client.first(&sql, &params).await?.unwrap_or_default();
    Ok(found == [Value::Int(1)])
}

/// What all readers of one table share.
pub struct Job {
    config: Arc<Config>,
    sql: String,
    /// What is true of all wanted rows, and how many of them are enough.
    only: Vec<String>,
    limit: Option<u64>,
    range_sql: Option<String>,
    window: Window,
    columns: SchemaRef,
    batch_bytes: usize,
    ranges: Mutex<VecDeque<Range>>,
    /// Whether only values are taken that can be written again as they are.
    as_stored: bool,
}

impl Job {
    /// The reading of a table of a view, whole.
    pub fn of_view(
        config: Arc<Config>,
        sql: String,
        split: Option<String>,
        ranges: VecDeque<Range>,
        request: &ReadRequest,
    ) -> Self {
        Self {
            config,
            sql,
            only: Vec::new(),
            limit: None,
            range_sql: split.map(|column| within(&column)),
            window: Window::default(),
            columns: request.columns.clone(),
            batch_bytes: request.batch_bytes.max(1 << 16),
            ranges: Mutex::new(ranges),
            as_stored: true,
        }
    }

    fn next_range(&self) -> Option<Range> {
        self.ranges.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop_front()
    }

    fn query(&self, range: Range) -> (String, Vec<Value>) {
        let mut conditions: Vec<&str> = self.window.condition.as_deref().into_iter().collect();
        conditions.extend(self.only.iter().map(String::as_str));
        let mut params: Vec<Value> = self.window.overlap.iter().map(|(_, value)| value.clone()).collect();
        params.extend(self.window.params.iter().cloned());
        if let (Some((low, high)), Some(sql)) = (range, &self.range_sql) {
            conditions.push(sql);
            params.extend([low, high].map(|n| i64::try_from(n).map_or(Value::UInt(n as u64), Value::Int)));
        }
        if self.window.is_empty {
            conditions.push("1 = 0");
        }
        let filter = if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
        let limit = self.limit.map(|rows| format!(" LIMIT {rows}")).unwrap_or_default();
        (format!("{}{filter}{limit}", self.sql), params)
    }
}

/// One connection that works through the ranges of a table in a task of its own.
pub struct TableReader {
    batches: Taker,
    task: Option<JoinHandle<()>>,
}

impl TableReader {
    /// Starts to read.
    pub fn start(lent: Lent, job: Arc<Job>) -> Box<dyn Reader> {
        let (giver, batches) = ahead(1);
        let task = if lent.is_of_view() {
            tokio::spawn(work_on_view(lent, job, giver))
        } else {
            tokio::spawn(work(lent.client, job, giver))
        };
        Box::new(Self { batches, task: Some(task) })
    }
}

impl Reader for TableReader {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Batch>>> {
        async move {
            if let Some(batch) = self.batches.take().await {
                return batch.map(Some);
            }
            let ended = match self.task.take() {
                Some(task) => task.await.is_ok(),
                None => true,
            };
            ended.then_some(None).ok_or_else(|| Error::new(ErrorKind::Internal, "the reader stopped before its end"))
        }
        .boxed()
    }
}

/// Reads ranges until none is left. When the receiving side is gone, the query is ended at the server, which would
/// otherwise not notice before it has a row to send.
async fn work(mut client: Client, job: Arc<Job>, mut giver: Giver) {
    let id = client.id();
    let closed = giver.closed();
    let outcome = tokio::select! {
        outcome = read_ranges(&mut client, &job, &mut giver) => outcome,
        () = closed => Ok(End::Unwanted),
    };
    match outcome {
        Ok(End::Complete) => client.close().await,
        Ok(End::Unwanted) => {
            drop(client);
            if let Ok(mut killer) = session::open(&job.config).await {
                let _ = execute(&mut killer, &format!("KILL {id}")).await;
                let _ = killer.disconnect().await;
            }
        }
        Err(error) => giver.fail(error).await,
    }
}

/// The same on a connection that goes back to its view: its statement is ended, and it lives on.
async fn work_on_view(mut lent: Lent, job: Arc<Job>, mut giver: Giver) {
    let id = lent.client.id();
    let closed = giver.closed();
    let outcome = {
        let reading = read_ranges(&mut lent.client, &job, &mut giver);
        tokio::pin!(reading);
        tokio::select! {
            outcome = &mut reading => outcome,
            () = closed => {
                end_statement(&job.config, id).await;
                reading.await
            }
        }
    };
    if let Err(error) = outcome {
        giver.fail(error).await;
    }
    lent.end(&job.config).await;
}

enum End {
    Complete,
    Unwanted,
}

async fn read_ranges(client: &mut Client, job: &Job, giver: &mut Giver) -> Result<End> {
    let mut decoder = Decoder::new(&job.columns, job.window.overlap.is_some())?;
    if job.as_stored {
        decoder.keep_rules();
    }
    if !giver.wanted().await {
        return Ok(End::Unwanted);
    }
    let counts_only = job.columns.fields().is_empty() && job.window.overlap.is_none();
    while let Some(range) = job.next_range() {
        let (sql, params) = job.query(range);
        let mut rows = client.query(&sql, &params).await?;
        while let Some(row) = rows.next().await? {
            if counts_only {
                decoder.push_empty();
            } else {
                decoder.push(row)?;
            }
            if decoder.bytes() >= job.batch_bytes {
                rows.let_go();
                if let Some(batch) = decoder.finish()?
                    && !giver.give(batch).await
                {
                    return Ok(End::Unwanted);
                }
            }
        }
    }
    if let Some(batch) = decoder.finish()?
        && !giver.give(batch).await
    {
        return Ok(End::Unwanted);
    }
    Ok(End::Complete)
}
