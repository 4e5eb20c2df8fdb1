//! Merges by key: the rows of a load wait on the local disk until the last one of each key is known, then the files of the
//! table that hold such keys are written anew. All of it within the memory of the connection; what is more goes to disk.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use deltalake::DeltaTable;
use deltalake::datafusion::prelude::{ParquetReadOptions, SessionContext, ident};
use deltalake::kernel::{Add, Remove};
use futures_util::{StreamExt as _, TryStreamExt as _};
use levada_core::destination::Durable;
use levada_core::error::{Error, ErrorKind, Result};
use object_store::path::Path as StorePath;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use tempfile::TempDir;
use tokio::sync::Mutex;

use crate::files::{self, Survey};
use crate::load::{Work, rows_of};
use crate::output::Output;
use crate::session::quoted;
use crate::source::typed;
use crate::{error, session};

/// The order in which rows came, and whether a row of the table has a new one.
const ROW: &str = "_levada_row";
const RANK: &str = "_levada_rank";
const FRESH: &str = "_levada_fresh";
const KNOWN: &str = "_levada_known";
const FILE: &str = "_levada_file";
/// Joins keep one side in memory where it takes less than this part of what there is.
const HASH_PART: u64 = 8;
const GROUP_BYTES: usize = 16 << 20;
/// Rows that wait for their files take this part of the memory.
const OUTPUT_PART: usize = 4;
/// Partitions of a join. In one alone the engine does not sort.
const WIDTH: usize = 2;

type LocalWriter = ArrowWriter<std::fs::File>;

/// Rows that wait.
pub struct Stage {
    folder: TempDir,
    columns: SchemaRef,
    open: Mutex<Open>,
}

/// What rows are written to while they come, with their number and size in memory.
struct Open {
    writer: Option<LocalWriter>,
    rows: u64,
    bytes: u64,
}

/// The rows that a merge brings: one for each key.
pub struct Staged {
    path: PathBuf,
    rows: u64,
    row_bytes: u64,
    superseded: u64,
    sorts_joins: bool,
}

/// What a merge makes of a table.
pub struct Merged {
    /// New files.
    pub added: Vec<Add>,
    /// Files that they take the place of.
    pub removed: Vec<Remove>,
    /// The counts.
    pub durable: Durable,
}

fn broken(error: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Internal, format!("the rows that wait to be merged: {error}"))
}

fn local_writer(path: &Path, columns: &SchemaRef) -> Result<LocalWriter> {
    let properties = WriterProperties::builder().set_max_row_group_bytes(Some(GROUP_BYTES)).build();
    ArrowWriter::try_new(std::fs::File::create(path)?, columns.clone(), Some(properties)).map_err(broken)
}

impl Stage {
    /// An empty one in the folder for temporary files.
    ///
    /// # Errors
    /// `Io`, `Full`.
    pub fn new(columns: &SchemaRef) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("levada-merge-").tempdir()?;
        let mut fields: Vec<Field> = columns.fields().iter().map(|field| field.as_ref().clone()).collect();
        fields.push(Field::new(ROW, DataType::Int64, false));
        let columns: SchemaRef = Arc::new(Schema::new(fields));
        let writer = local_writer(&folder.path().join("rows.parquet"), &columns)?;
        Ok(Self { folder, columns, open: Mutex::new(Open { writer: Some(writer), rows: 0, bytes: 0 }) })
    }

    /// Adds rows.
    ///
    /// # Errors
    /// `Io`, `Full`.
    pub async fn write(&self, rows: RecordBatch) -> Result<()> {
        let mut open = self.open.lock().await;
        let first = open.rows as i64;
        open.rows += rows.num_rows() as u64;
        open.bytes += rows.get_array_memory_size() as u64;
        let mut columns = rows.columns().to_vec();
        columns.push(Arc::new(Int64Array::from_iter_values(first..open.rows as i64)));
        let rows = RecordBatch::try_new(self.columns.clone(), columns).map_err(error::arrow)?;
        let writer = open.writer.as_mut().ok_or_else(|| broken("they are complete already"))?;
        writer.write(&rows).map_err(broken)
    }

    /// Keeps the last row of each key.
    ///
    /// # Errors
    /// `Io`, `Full`.
    pub async fn finish(&self, work: &Work) -> Result<Staged> {
        let (given, row_bytes) = {
            let mut open = self.open.lock().await;
            if let Some(writer) = open.writer.take() {
                writer.close().map_err(broken)?;
            }
            (open.rows, open.bytes / open.rows.max(1))
        };
        let (from, to) = (self.folder.path().join("rows.parquet"), self.folder.path().join("fresh.parquet"));
        let columns = &work.columns.written;
        let session = session::open(&work.place, work.memory, 1, row_bytes, true)?;
        register(&session, "incoming", &from, &[]).await?;
        let keys: Vec<String> = work.spec.key_columns.iter().map(|name| quoted(name)).collect();
        let order = work.spec.order_column.as_ref().map(|name| format!("{} DESC NULLS LAST, ", quoted(name)));
        let list: Vec<String> = columns.fields().iter().map(|field| quoted(field.name())).collect();
        let (keys, list) = (keys.join(", "), list.join(", "));
        let sql = format!(
            "SELECT {list} FROM (SELECT *, row_number() OVER (PARTITION BY {keys} ORDER BY {}{ROW} DESC) AS {RANK} \
             FROM incoming) WHERE {RANK} = 1 ORDER BY {keys}",
            order.unwrap_or_default()
        );
        let mut writer = local_writer(&to, columns)?;
        let (mut rows, mut bytes) = (0, 0);
        let mut stream = run(&session, &sql).await?;
        while let Some(batch) = stream.next().await {
            let batch = typed(&batch.map_err(error::query)?, columns)?;
            rows += batch.num_rows() as u64;
            bytes += batch.get_array_memory_size() as u64;
            writer.write(&batch).map_err(broken)?;
        }
        writer.close().map_err(broken)?;
        let sorts_joins = bytes > work.memory as u64 / HASH_PART;
        Ok(Staged { path: to, rows, row_bytes, superseded: given - rows, sorts_joins })
    }
}

/// Makes a file a table of a session; its rows lie in the order of the columns `sorted`.
async fn register(session: &SessionContext, name: &str, path: &Path, sorted: &[String]) -> Result<()> {
    let path = path.to_str().ok_or_else(|| broken("the folder for temporary files has no UTF-8 name"))?;
    let mut options = ParquetReadOptions::default();
    if !sorted.is_empty() {
        options.file_sort_order = vec![sorted.iter().map(|name| ident(name.as_str()).sort(true, true)).collect()];
    }
    session.register_parquet(name, path, options).await.map_err(error::query)
}

async fn run(
    session: &SessionContext,
    sql: &str,
) -> Result<deltalake::datafusion::execution::SendableRecordBatchStream> {
    let frame = session.sql(sql).await.map_err(error::query)?;
    frame.execute_stream().await.map_err(error::query)
}

/// Writes what a merge makes of a version of the table.
///
/// # Errors
/// Those of the store; `Full` where memory or disk are not enough. No file stays then.
pub async fn merge(work: &Work, staged: &Staged, base: Option<&DeltaTable>) -> Result<Merged> {
    let mut merged = Merged { added: Vec::new(), removed: Vec::new(), durable: Durable::default() };
    merged.durable.superseded = staged.superseded;
    if staged.rows == 0 {
        return Ok(merged);
    }
    let done = fill(work, staged, base, &mut merged).await;
    if done.is_err() {
        work.remove(&merged.added).await;
    }
    done.map(|()| merged)
}

async fn fill(work: &Work, staged: &Staged, base: Option<&DeltaTable>, merged: &mut Merged) -> Result<()> {
    let mut row_bytes = staged.row_bytes;
    if let Some(table) = base {
        let files = Survey::of(table).await?;
        files.confined()?;
        row_bytes = row_bytes.max(files.row_bytes());
    }
    let session = session::open(&work.place, work.memory, WIDTH, row_bytes, staged.sorts_joins)?;
    // a key has no NULL, so it is all the same where NULL would be
    register(&session, "fresh", &staged.path, &work.spec.key_columns).await?;
    let mut adds = Vec::new();
    if let Some(table) = base {
        let touched = touched(work, &session, table).await?;
        merged.durable.updated = touched.iter().map(|(_, rows)| rows).sum();
        let names: Vec<String> = touched.into_iter().map(|(file, _)| file).collect();
        adds = named(table, &names, &mut merged.removed).await?;
    }
    let same = |left: &str| same_key(work, left);
    let written = &work.columns.written;
    if adds.is_empty() {
        let list = list(&work.columns.table, |name| has(written, name).then(|| format!("f.{}", quoted(name))));
        let files = write(work, &session, &format!("SELECT {list} FROM fresh f")).await?;
        merged.durable.inserted = files.iter().map(rows_of).sum();
        merged.added.extend(files);
        return Ok(());
    }
    if let Some(table) = base {
        let provider = table.table_provider().with_adds(adds).build().await.map_err(error::query)?;
        session.register_table("touched", Arc::new(provider)).map_err(error::query)?;
        let stored = table.snapshot().map_err(error::delta)?.snapshot().arrow_schema();
        let column = |name: &str| {
            let (new, old) = (format!("f.{}", quoted(name)), format!("t.{}", quoted(name)));
            match (has(written, name), has(&stored, name)) {
                (true, true) => Some(format!("CASE WHEN f.{FRESH} THEN {new} ELSE {old} END")),
                // NULL where there is no new row
                (true, false) => Some(new),
                (false, known) => known.then_some(old),
            }
        };
        let sql = format!(
            "SELECT {} FROM (SELECT *, TRUE AS {FRESH} FROM fresh) f RIGHT JOIN touched t ON {}",
            list(&work.columns.table, column),
            same("t")
        );
        merged.added.extend(write(work, &session, &sql).await?);
        let list = list(&work.columns.table, |name| has(written, name).then(|| format!("f.{}", quoted(name))));
        // an anti join that sorts knows fewer types of keys
        let keys: Vec<String> = work.spec.key_columns.iter().map(|name| quoted(name)).collect();
        let sql = format!(
            "SELECT {list} FROM fresh f LEFT JOIN (SELECT {}, TRUE AS {KNOWN} FROM touched) t ON {} \
             WHERE t.{KNOWN} IS NULL",
            keys.join(", "),
            same("t")
        );
        let files = write(work, &session, &sql).await?;
        merged.durable.inserted = files.iter().map(rows_of).sum();
        merged.added.extend(files);
    }
    Ok(())
}

fn has(columns: &Schema, name: &str) -> bool {
    columns.field_with_name(name).is_ok()
}

fn same_key(work: &Work, left: &str) -> String {
    let same = |name: &String| format!("{left}.{0} = f.{0}", quoted(name));
    work.spec.key_columns.iter().map(same).collect::<Vec<_>>().join(" AND ")
}

/// The columns of the table as expressions, NULL where there is none.
fn list(columns: &Schema, expression: impl Fn(&str) -> Option<String>) -> String {
    let one = |field: &Arc<Field>| {
        let value = expression(field.name()).unwrap_or_else(|| "NULL".to_owned());
        format!("{value} AS {}", quoted(field.name()))
    };
    columns.fields().iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The files of the table that hold keys of the load, with the rows in them that do.
async fn touched(work: &Work, session: &SessionContext, table: &DeltaTable) -> Result<Vec<(String, u64)>> {
    let provider = table.table_provider().with_file_column(FILE).build().await.map_err(error::query)?;
    session.register_table("target", Arc::new(provider)).map_err(error::query)?;
    let sql = format!(
        "SELECT CAST({FILE} AS VARCHAR) AS file, count(*) AS n FROM (SELECT t.{FILE} FROM fresh f JOIN target t ON {}) \
         GROUP BY {FILE}",
        same_key(work, "t")
    );
    let columns: SchemaRef =
        Arc::new(Schema::new(vec![Field::new("file", DataType::Utf8, false), Field::new("n", DataType::Int64, false)]));
    let mut stream = run(session, &sql).await?;
    let mut found = Vec::new();
    while let Some(batch) = stream.next().await {
        let batch = typed(&batch.map_err(error::query)?, &columns)?;
        let (files, counts) = (batch.column(0).as_string::<i32>(), batch.column(1).as_primitive::<Int64Type>());
        found.extend(files.iter().zip(counts).filter_map(|(file, n)| Some((file?.to_owned(), n? as u64))));
    }
    Ok(found)
}

/// The files of these names as the log has them; they are going to be removed.
async fn named(table: &DeltaTable, names: &[String], removed: &mut Vec<Remove>) -> Result<Vec<Add>> {
    let state = table.snapshot().map_err(error::delta)?;
    let store = table.log_store();
    let folder = StorePath::from_url_path(store.root_url().path()).map_err(broken)?;
    let in_store = |name: &String| {
        let url = url::Url::parse(name).map_err(broken)?;
        StorePath::from_url_path(url.path()).map_err(broken)
    };
    let paths = names.iter().map(in_store).collect::<Result<HashSet<StorePath>>>()?;
    let mut adds = Vec::new();
    let mut views = state.snapshot().file_views(store.as_ref(), None);
    while let Some(view) = views.try_next().await.map_err(error::delta)? {
        if paths.contains(&folder.parts().chain(view.object_store_path().parts()).collect::<StorePath>()) {
            removed.push(files::removal(&view, true)?);
            #[allow(deprecated, reason = "what restricts a scan takes just these")]
            adds.push(view.add_action());
        }
    }
    if adds.len() == names.len() {
        return Ok(adds);
    }
    let message = format!("of {} files with known keys {} are in the log", names.len(), adds.len());
    Err(Error::new(ErrorKind::Internal, message))
}

/// Writes the rows of a query into new files of the table.
///
/// # Errors
/// Those of the store; `Full` where memory or disk are not enough. No file stays then.
pub async fn write(work: &Work, session: &SessionContext, sql: &str) -> Result<Vec<Add>> {
    let order: Vec<String> = work.partitions.iter().map(|name| quoted(name)).collect();
    let order = if order.is_empty() { String::new() } else { format!(" ORDER BY {}", order.join(", ")) };
    let mut stream = run(session, &format!("{sql}{order}")).await?;
    let mut output = Output::new(work, work.columns.table.clone(), OUTPUT_PART);
    while let Some(batch) = stream.next().await {
        let done = match batch.map_err(error::query).and_then(|batch| typed(&batch, &work.columns.table)) {
            Ok(rows) => output.write(work, rows).await,
            Err(error) => Err(error),
        };
        if let Err(error) = done {
            output.abort(work).await;
            return Err(error);
        }
    }
    if let Err(error) = output.close().await {
        output.abort(work).await;
        return Err(error);
    }
    Ok(output.closed())
}
