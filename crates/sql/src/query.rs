//! A query as a source with one stream: its columns are what the query puts out, and its one reader is the running query.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Field, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::common::DataFusionError;
use datafusion::physical_plan::execute_stream;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use levada_core::batch::Batch;
use levada_core::error::{Context, Error, ErrorKind, Result};
use levada_core::naming::{is_wildcard, matches};
use levada_core::query::{Outline, QUERY_STREAM, Query, StreamName};
use levada_core::source::{Extract, Origin, ReadMode, ReadRequest, Reader, Source, StreamInfo};
use tokio::runtime::Handle;
use tokio::sync::{OnceCell, mpsc};
use tokio::task::JoinHandle;

use crate::plan::{Blueprint, Executable, Text};
use crate::table::StreamTable;
use crate::{fault, output, parse, stack};

/// Readers of one stream, and parallel parts of the query.
const PARTITIONS_MAX: usize = 4;
/// Rows of a batch within the query, at most and at least.
const ROWS: (usize, usize) = (8192, 64);

/// A query over the connections that it was given.
pub(crate) struct QuerySource {
    query: Query,
    outline: Outline,
    /// What it reads, asked for once.
    streams: OnceCell<Vec<Stream>>,
}

struct Stream {
    name: StreamName,
    source: Arc<dyn Source>,
    info: StreamInfo,
}

impl QuerySource {
    /// Checks the query against what it was given.
    ///
    /// # Errors
    /// As [`levada_core::query::QueryEngine::source`].
    pub(crate) fn new(query: Query) -> Result<Self> {
        let outline = stack::deep(|| parse::statement(&query.sql).map(|parsed| parsed.outline))?;
        for read in &outline.reads {
            if !query.connections.contains_key(&read.connection) {
                let known: Vec<&str> = query.connections.keys().map(String::as_str).collect();
                let near = levada_core::naming::nearest(&read.connection, &known);
                let advice =
                    format!("{}A stream is named `connection.stream`.", levada_core::naming::did_you_mean(near));
                return Err(Error::new(ErrorKind::Config, format!("there is no connection `{}`", read.connection))
                    .advise(advice));
            }
        }
        if let Some(missing) = outline.params.iter().find(|name| !query.params.contains_key(*name)) {
            return Err(Error::new(ErrorKind::Config, format!("the parameter ${missing} is not given"))
                .advise("Give it a value in `params`."));
        }
        Ok(Self { query, outline, streams: OnceCell::new() })
    }

    async fn streams(&self) -> Result<&Vec<Stream>> {
        self.streams.get_or_try_init(|| self.find()).await
    }

    /// Asks the connections for the streams.
    async fn find(&self) -> Result<Vec<Stream>> {
        let mut sources: BTreeMap<&str, Arc<dyn Source>> = BTreeMap::new();
        let mut streams = Vec::with_capacity(self.outline.reads.len());
        for name in &self.outline.reads {
            let place = || format!("`{}.{}`", name.connection, name.stream);
            let source = match sources.get(name.connection.as_str()) {
                Some(source) => source.clone(),
                None => {
                    let missing =
                        || Error::new(ErrorKind::Config, format!("there is no connection `{}`", name.connection));
                    let connection = self.query.connections.get(&name.connection).ok_or_else(missing)?;
                    let source = connection.clone().source().at(place())?;
                    sources.insert(&name.connection, source.clone());
                    source
                }
            };
            let mut found = source.discover(Some(&name.stream)).await.at(place())?;
            let (Some(info), true) = (found.pop(), found.is_empty()) else {
                let error = if found.is_empty() {
                    Error::new(ErrorKind::NotFound, "there is no such stream")
                        .advise("List the streams of the connection.")
                } else {
                    Error::new(ErrorKind::Config, format!("the name means {} streams", found.len() + 1))
                        .advise("Name one of them, or write a UNION ALL of them.")
                };
                return Err(error.at(place()));
            };
            streams.push(Stream { name: name.clone(), source, info });
        }
        Ok(streams)
    }

    /// What is planned, over the streams as they were found.
    async fn blueprint(&self, batch_bytes: usize, columns: Option<Vec<String>>) -> Result<Blueprint> {
        let partitions = std::thread::available_parallelism().map_or(1, usize::from).min(PARTITIONS_MAX);
        let streams = self.streams().await?;
        let batch_bytes = batch_bytes.clamp(64 << 10, 8 << 20).min((self.query.memory_bytes / 16).max(16 << 10));
        let width = streams.iter().filter_map(row_bytes).max().unwrap_or(256);
        let tables = streams.iter().map(|stream| {
            let name = table_name(&stream.name);
            let table = StreamTable {
                source: stream.source.clone(),
                info: stream.info.clone(),
                name: name.clone(),
                readers: partitions,
                batch_bytes,
            };
            (name, Arc::new(table) as Arc<dyn TableProvider>)
        });
        Ok(Blueprint {
            text: Text::Query(self.query.sql.clone()),
            params: self.query.params.clone(),
            keys: Arc::default(),
            tables: tables.collect::<HashMap<_, _>>(),
            memory_bytes: self.query.memory_bytes,
            spill_bytes: self.query.spill_bytes,
            spill: self.query.spill.clone(),
            batch_rows: (batch_bytes.min(self.query.memory_bytes / 64) / width.max(1)).clamp(ROWS.1, ROWS.0),
            partitions,
            columns,
        })
    }

    async fn schema(&self) -> Result<SchemaRef> {
        let blueprint = self.blueprint(1 << 20, None).await?;
        planned(move |_| blueprint.schema()).await
    }

    async fn made_from(&self) -> Result<Vec<Origin>> {
        let blueprint = self.blueprint(1 << 20, None).await?;
        let mut edges = planned(move |_| blueprint.lineage()).await?;
        let origin = |stream: &Stream| {
            let dataset = table_name(&stream.name);
            let columns = edges.remove(&dataset).unwrap_or_default();
            Origin { dataset, info: stream.info.clone(), columns }
        };
        Ok(self.streams().await?.iter().map(origin).collect())
    }

    async fn open(&self, request: ReadRequest) -> Result<Extract> {
        if request.mode != ReadMode::Full || request.raw.is_some() {
            return Err(Error::new(ErrorKind::Unsupported, "a query is always read as a whole")
                .advise("Set `read: full`, and choose rows by WHERE and a parameter."));
        }
        let columns = request.columns.fields().iter().map(|field| field.name().clone()).collect();
        std::fs::create_dir_all(&self.query.spill).at(format!("folder `{}`", self.query.spill.display()))?;
        let blueprint = self.blueprint(request.batch_bytes, Some(columns)).await?;
        let executable = planned(move |handle| blueprint.executable(handle)).await?;
        let reader = Running::start(executable, request.columns, request.batch_bytes, self.query.memory_bytes)?;
        Ok(Extract { readers: vec![Box::new(reader)], position: None, warnings: Vec::new(), again: Vec::new() })
    }
}

/// A stream as the statement calls it.
fn table_name(name: &StreamName) -> String {
    format!("{}.{}", name.connection, name.stream)
}

/// Bytes of a row, where a source knows them.
fn row_bytes(stream: &Stream) -> Option<usize> {
    let rows = stream.info.rows_estimate.filter(|rows| *rows > 0)?;
    usize::try_from(stream.info.bytes_estimate? / rows).ok()
}

/// Plans on a deep stack, beside the threads that drive other tasks.
pub(crate) async fn planned<T: Send + 'static>(work: impl FnOnce(&Handle) -> Result<T> + Send + 'static) -> Result<T> {
    let handle = Handle::current();
    let planning = tokio::task::spawn_blocking(move || stack::deep(|| work(&handle)));
    planning.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::Interrupted, "the planning of the query was stopped")))
}

impl Source for QuerySource {
    fn discover<'a>(&'a self, selector: Option<&'a str>) -> BoxFuture<'a, Result<Vec<StreamInfo>>> {
        Box::pin(async move {
            let wanted = selector.is_none_or(|selector| {
                selector == QUERY_STREAM || (is_wildcard(selector) && matches(selector, QUERY_STREAM))
            });
            if !wanted {
                return Ok(Vec::new());
            }
            Ok(vec![StreamInfo {
                name: QUERY_STREAM.to_owned(),
                namespace: None,
                table: QUERY_STREAM.to_owned(),
                schema: self.schema().await?,
                key: Vec::new(),
                rows_estimate: None,
                bytes_estimate: None,
                raw: None,
                typed_by_request: false,
            }])
        })
    }

    fn check_cursor(&self, _: &Field, _: Option<&str>) -> Result<()> {
        Err(Error::new(ErrorKind::Config, "a query is always read as a whole")
            .advise("Set `read: full`, and choose rows by WHERE and a parameter."))
    }

    fn origins<'a>(&'a self, _: &'a StreamInfo) -> BoxFuture<'a, Result<Option<Vec<Origin>>>> {
        Box::pin(async { self.made_from().await.map(Some) })
    }

    fn read<'a>(&'a self, request: ReadRequest) -> BoxFuture<'a, Result<Extract>> {
        Box::pin(self.open(request))
    }
}

/// A query at work in its own task.
struct Running {
    batches: mpsc::Receiver<std::result::Result<RecordBatch, DataFusionError>>,
    /// Gone once it was waited for.
    task: Option<JoinHandle<()>>,
    schema: SchemaRef,
    batch_bytes: usize,
    memory_bytes: usize,
    /// Parts of a batch that was too large.
    ready: VecDeque<RecordBatch>,
}

impl Running {
    fn start(executable: Executable, schema: SchemaRef, batch_bytes: usize, memory_bytes: usize) -> Result<Self> {
        let Executable { plan, context } = executable;
        let stream = execute_stream(plan, context).map_err(|error| fault::told(&error, memory_bytes))?;
        let (sender, batches) = mpsc::channel(1);
        let task = tokio::spawn(async move {
            let mut stream = stream;
            while let Some(batch) = stream.next().await {
                let failed = batch.is_err();
                if sender.send(batch).await.is_err() || failed {
                    return;
                }
            }
        });
        Ok(Self { batches, task: Some(task), schema, batch_bytes, memory_bytes, ready: VecDeque::new() })
    }

    async fn next(&mut self) -> Result<Option<Batch>> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                return Ok(Some(Batch::arrow(batch)));
            }
            let Some(batch) = self.batches.recv().await else {
                let Some(task) = self.task.take() else { return Ok(None) };
                return match task.await {
                    Ok(()) => Ok(None),
                    Err(error) if error.is_cancelled() => {
                        Err(Error::new(ErrorKind::Interrupted, "the query was stopped"))
                    }
                    Err(_) => Err(Error::new(ErrorKind::Internal, "the query broke")),
                };
            };
            let batch = batch.and_then(|batch| output::batch(&batch, &self.schema));
            let batch = batch.map_err(|error| fault::told(&error, self.memory_bytes))?;
            self.ready = parts(batch, self.batch_bytes);
        }
    }
}

/// A batch in parts of about so many bytes.
fn parts(batch: RecordBatch, bytes: usize) -> VecDeque<RecordBatch> {
    let rows = batch.num_rows();
    let pieces = Batch::arrow(batch.clone()).bytes().div_ceil(bytes.max(1)).clamp(1, rows.max(1));
    let each = rows.div_ceil(pieces).max(1);
    (0..rows).step_by(each).map(|from| batch.slice(from, each.min(rows - from))).collect()
}

impl Reader for Running {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Batch>>> {
        Box::pin(Running::next(self))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
