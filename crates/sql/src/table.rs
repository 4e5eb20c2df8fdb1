//! A stream of a connection as a table of DataFusion: only the columns that are needed are read, by as many readers as there
//! are partitions, of rows that the source has not left out itself; nothing is held but the batch that each has just given.

use std::fmt;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, Statistics, internal_err};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
    ReplaceChildrenOptions, SendableRecordBatchStream,
};
use futures_util::stream;
use levada_core::batch::{Batch, Data};
use levada_core::error::{Error, ErrorKind};
use levada_core::source::{ReadMode, ReadRequest, Reader, Source, StreamInfo};
use tokio::sync::Mutex;

use crate::{fault, pushdown};

/// A stream that a query reads.
pub(crate) struct StreamTable {
    /// What it is read from.
    pub(crate) source: Arc<dyn Source>,
    /// The stream, as discovered.
    pub(crate) info: StreamInfo,
    /// How the query names it, for errors.
    pub(crate) name: String,
    /// How many readers at most.
    pub(crate) readers: usize,
    /// Bytes of a batch.
    pub(crate) batch_bytes: usize,
}

impl fmt::Debug for StreamTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamTable({})", self.name)
    }
}

#[async_trait]
impl TableProvider for StreamTable {
    fn schema(&self) -> SchemaRef {
        self.info.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn statistics(&self) -> Option<Statistics> {
        Some(estimate(&self.info, &self.info.schema))
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(filters
            .iter()
            .map(|filter| match pushdown::condition(filter, &self.info.schema) {
                // a source may give more
                Some(_) => TableProviderFilterPushDown::Inexact,
                None => TableProviderFilterPushDown::Unsupported,
            })
            .collect())
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = match projection {
            Some(columns) => Arc::new(self.info.schema.project(columns)?),
            None => self.info.schema.clone(),
        };
        // rows are counted by some column: there is no row without one
        let columns = if schema.fields().is_empty() { Arc::new(cheapest(&self.info.schema)?) } else { schema.clone() };
        let request = ReadRequest {
            stream: self.info.clone(),
            columns,
            mode: ReadMode::Full,
            raw: None,
            only: filters.iter().filter_map(|filter| pushdown::condition(filter, &self.info.schema)).collect(),
            limit: limit.and_then(|rows| u64::try_from(rows).ok()),
            readers: self.readers,
            batch_bytes: self.batch_bytes,
        };
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema.clone()),
            Partitioning::UnknownPartitioning(self.readers),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let statistics = Arc::new(estimate(&self.info, &schema));
        let scan = Scan { source: self.source.clone(), name: self.name.clone(), request, opened: Mutex::new(None) };
        Ok(Arc::new(StreamScan { scan: Arc::new(scan), schema, properties: Arc::new(properties), statistics }))
    }
}

/// What is known of the size, roughly.
fn estimate(info: &StreamInfo, schema: &Schema) -> Statistics {
    let mut statistics = Statistics::new_unknown(schema);
    let number = |estimate: Option<u64>| estimate.and_then(|n| usize::try_from(n).ok()).map(Precision::Inexact);
    statistics.num_rows = number(info.rows_estimate).unwrap_or(Precision::Absent);
    let share = |bytes: u64| bytes * schema.fields().len().max(1) as u64 / info.schema.fields().len().max(1) as u64;
    statistics.total_byte_size = number(info.bytes_estimate.map(share)).unwrap_or(Precision::Absent);
    statistics
}

/// The column that costs least to read.
fn cheapest(schema: &Schema) -> Result<Schema> {
    let width = |index: &usize| schema.field(*index).data_type().primitive_width().unwrap_or(usize::MAX);
    match (0..schema.fields().len()).min_by_key(width) {
        Some(index) => Ok(schema.project(&[index])?),
        None => Ok(Schema::empty()),
    }
}

/// One read of a stream, from one consistent view, shared by the partitions.
struct Scan {
    source: Arc<dyn Source>,
    name: String,
    request: ReadRequest,
    opened: Mutex<Option<Vec<Slot>>>,
}

/// What became of the reader of a partition.
enum Slot {
    /// The source had fewer readers.
    None,
    Here(Box<dyn Reader>),
    Taken,
}

impl Scan {
    /// The reader of a partition; the first who asks opens all of them.
    async fn reader(&self, partition: usize) -> levada_core::error::Result<Option<Box<dyn Reader>>> {
        let mut opened = self.opened.lock().await;
        if opened.is_none() {
            let extract = self.source.read(self.request.clone()).await?;
            if extract.readers.len() > self.request.readers {
                return Err(Error::new(ErrorKind::Internal, "the source opened more readers than it was asked for"));
            }
            let mut slots: Vec<Slot> = extract.readers.into_iter().map(Slot::Here).collect();
            slots.resize_with(self.request.readers, || Slot::None);
            *opened = Some(slots);
        }
        let slot = opened.as_mut().and_then(|slots| slots.get_mut(partition));
        match slot.map(|slot| std::mem::replace(slot, Slot::Taken)) {
            Some(Slot::Here(reader)) => Ok(Some(reader)),
            Some(Slot::None) => Ok(None),
            // its rows are gone, and another read would be of another moment
            _ => Err(Error::new(ErrorKind::Full, "what is joined does not fit into the memory of the query")
                .advise("Give it more `memory`, or join by equal columns and filter earlier.")),
        }
    }

    fn at(&self, error: Error) -> DataFusionError {
        fault::wrap(error.at(format!("`{}`", self.name)))
    }

    fn rows(&self, batch: Batch, schema: &SchemaRef) -> Result<RecordBatch> {
        if let Some(reject) = batch.rejects.first() {
            let column = reject.column.as_ref().map(|column| format!("column `{column}`: ")).unwrap_or_default();
            let error = Error::new(ErrorKind::Data, format!("a row cannot be read: {column}{}", reject.reason))
                .advise("Correct the row, or copy the stream with `on_bad_row: quarantine` and query the copy.");
            return Err(self.at(error));
        }
        let Data::Arrow(batch) = batch.data else {
            return internal_err!("raw rows where columns were asked for");
        };
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let columns = if schema.fields().is_empty() { Vec::new() } else { batch.columns().to_vec() };
        Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
    }
}

struct StreamScan {
    scan: Arc<Scan>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
    statistics: Arc<Statistics>,
}

impl fmt::Debug for StreamScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamScan({})", self.scan.name)
    }
}

impl DisplayAs for StreamScan {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamScan: {}", self.scan.name)
    }
}

impl ExecutionPlan for StreamScan {
    fn name(&self) -> &str {
        "StreamScan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (scan, schema) = (self.scan.clone(), self.schema.clone());
        let stream = stream::try_unfold(Partition::Closed(scan, partition), move |partition| {
            let schema = schema.clone();
            async move { partition.next(&schema).await }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), stream)))
    }

    fn statistics_from_inputs(&self, _: &[Arc<Statistics>], args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        Ok(match args.partition() {
            None => self.statistics.clone(),
            Some(_) => Arc::new(Statistics::new_unknown(&self.schema)),
        })
    }
}

enum Partition {
    Closed(Arc<Scan>, usize),
    Open(Arc<Scan>, Box<dyn Reader>),
}

impl Partition {
    async fn next(self, schema: &SchemaRef) -> Result<Option<(RecordBatch, Self)>> {
        let (scan, mut reader) = match self {
            Self::Open(scan, reader) => (scan, reader),
            Self::Closed(scan, partition) => match scan.reader(partition).await.map_err(|error| scan.at(error))? {
                Some(reader) => (scan, reader),
                None => return Ok(None),
            },
        };
        match reader.next().await.map_err(|error| scan.at(error))? {
            Some(batch) => {
                let batch = scan.rows(batch, schema)?;
                // a source that never waits must not keep the thread, nor the query from being stopped
                tokio::task::yield_now().await;
                Ok(Some((batch, Self::Open(scan, reader))))
            }
            None => Ok(None),
        }
    }
}
