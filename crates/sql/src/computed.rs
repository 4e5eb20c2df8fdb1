//! A source whose streams have computed columns, in place of others of their names or behind them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::{Field, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use futures_util::future::BoxFuture;
use levada_core::batch::{Batch, Data};
use levada_core::dataset::ColumnEdge;
use levada_core::error::{Context, Error, ErrorKind, Result};
use levada_core::position::Position;
use levada_core::secret::Secret;
use levada_core::source::{Extract, Origin, ReadMode, ReadRequest, Reader, Source, StreamInfo};

use crate::keys::Keys;
use crate::plan::{Blueprint, Text};
use crate::query::planned;
use crate::row::RowPlan;
use crate::table::StreamTable;

/// What the one stream of a blueprint is called.
pub(crate) const ROW: &str = "levada.row";
/// Enough for the expressions of a batch.
const MEMORY_BYTES: usize = 256 << 20;

/// A source with computed columns.
pub(crate) struct Computed {
    inner: Arc<dyn Source>,
    /// Expressions by the names of the columns.
    columns: BTreeMap<String, String>,
    keys: Arc<Keys>,
}

impl Computed {
    pub(crate) fn new(
        inner: Arc<dyn Source>,
        columns: BTreeMap<String, String>,
        keys: BTreeMap<String, Secret>,
    ) -> Self {
        Self { inner, columns, keys: Arc::new(keys.into()) }
    }

    /// The plan of a stream's query for some columns that come out, or all.
    fn blueprint(&self, info: &StreamInfo, wanted: Option<&SchemaRef>) -> Blueprint {
        let names: Vec<String> = match wanted {
            Some(wanted) => wanted.fields().iter().map(|field| field.name().clone()).collect(),
            None => {
                let own = info.schema.fields().iter().map(|field| field.name().clone());
                let new = self.columns.keys().filter(|name| info.schema.field_with_name(name).is_err()).cloned();
                own.chain(new).collect()
            }
        };
        let items = names.into_iter().map(|name| {
            let expression = self.columns.get(&name).cloned();
            (name, expression)
        });
        let table = StreamTable {
            source: self.inner.clone(),
            info: info.clone(),
            name: info.name.clone(),
            readers: 1,
            batch_bytes: 1 << 20,
        };
        Blueprint {
            text: Text::Row(items.collect()),
            params: BTreeMap::new(),
            keys: self.keys.clone(),
            tables: [(ROW.to_owned(), Arc::new(table) as Arc<dyn TableProvider>)].into(),
            memory_bytes: MEMORY_BYTES,
            spill_bytes: 0,
            spill: std::env::temp_dir(),
            batch_rows: 8192,
            partitions: 1,
            columns: None,
        }
    }

    async fn plan(&self, info: &StreamInfo, wanted: Option<&SchemaRef>) -> Result<RowPlan> {
        self.check_names(info)?;
        let blueprint = self.blueprint(info, wanted);
        let mut plan = planned(move |_| blueprint.row()).await.at("`transform`")?;
        plan.replaces = self.columns.keys().any(|name| info.schema.field_with_name(name).is_ok());
        Ok(plan)
    }

    /// A name in other letters would be one more column, beside the one that is meant to be replaced.
    fn check_names(&self, info: &StreamInfo) -> Result<()> {
        for name in self.columns.keys().filter(|name| info.schema.field_with_name(name).is_err()) {
            let same = |field: &&Arc<Field>| field.name().to_lowercase() == name.to_lowercase();
            if let Some(field) = info.schema.fields().iter().find(same) {
                let message = format!("the stream has `{}`, and no `{name}`", field.name());
                return Err(Error::new(ErrorKind::Config, message)
                    .at("`transform`")
                    .advise(format!("Write `{}` to replace it, or another name for a new column.", field.name())));
            }
        }
        Ok(())
    }

    async fn seen(&self, info: StreamInfo) -> Result<StreamInfo> {
        let schema = self.plan(&info, None).await?.output;
        // what was computed need not tell rows apart any more
        let key = if info.key.iter().any(|name| self.columns.contains_key(name)) { Vec::new() } else { info.key };
        Ok(StreamInfo { schema, key, raw: None, typed_by_request: false, ..info })
    }

    /// The stream as it is.
    async fn found(&self, name: &str) -> Result<StreamInfo> {
        let found = self.inner.discover(Some(name)).await?;
        let gone = || Error::new(ErrorKind::NotFound, format!("there is no stream `{name}` any more"));
        found.into_iter().find(|info| info.name == name).ok_or_else(gone)
    }

    async fn open(&self, request: ReadRequest) -> Result<Extract> {
        if let ReadMode::Incremental { cursor: Some(cursor), .. } = &request.mode
            && self.columns.contains_key(cursor)
        {
            return Err(Error::new(ErrorKind::Config, format!("the cursor column `{cursor}` is computed"))
                .advise("Compute a column of another name from it."));
        }
        let info = self.found(&request.stream.name).await?;
        let plan = Arc::new(self.plan(&info, Some(&request.columns)).await?);
        let mut columns = plan.input.clone();
        if columns.fields().is_empty() {
            // there is no row without a column
            columns = Arc::new(Schema::new(info.schema.fields().iter().take(1).cloned().collect::<Vec<_>>()));
        }
        let asked = columns.fields().len();
        let is_as_it_was = |column: &str| !self.columns.contains_key(column);
        let inner = ReadRequest {
            stream: info,
            columns,
            only: request.only.into_iter().filter(|condition| is_as_it_was(&condition.column)).collect(),
            raw: None,
            ..request
        };
        let mut extract = self.inner.read(inner).await?;
        let readers = std::mem::take(&mut extract.readers);
        let computing =
            |inner| Box::new(ComputedReader { inner, plan: plan.clone(), columns: asked }) as Box<dyn Reader>;
        extract.readers = readers.into_iter().map(computing).collect();
        Ok(extract)
    }

    async fn made_from(&self, name: &str) -> Result<Vec<Origin>> {
        let info = self.found(name).await?;
        let blueprint = self.blueprint(&info, None);
        let mut edges = planned(move |_| blueprint.lineage()).await?;
        let columns: Vec<ColumnEdge> = edges.remove(ROW).unwrap_or_default();
        Ok(vec![Origin { dataset: info.name.clone(), info, columns }])
    }
}

impl Source for Computed {
    fn discover<'a>(&'a self, selector: Option<&'a str>) -> BoxFuture<'a, Result<Vec<StreamInfo>>> {
        Box::pin(async move {
            let mut all = Vec::new();
            for info in self.inner.discover(selector).await? {
                all.push(self.seen(info).await?);
            }
            Ok(all)
        })
    }

    fn check_cursor(&self, column: &Field, lag: Option<&str>) -> Result<()> {
        if self.columns.contains_key(column.name()) {
            return Err(Error::new(ErrorKind::Config, format!("the cursor column `{}` is computed", column.name()))
                .advise("Compute a column of another name from it."));
        }
        self.inner.check_cursor(column, lag)
    }

    fn needs_cursor(&self, stream: &str) -> bool {
        self.inner.needs_cursor(stream)
    }

    fn origins<'a>(&'a self, stream: &'a StreamInfo) -> BoxFuture<'a, Result<Option<Vec<Origin>>>> {
        Box::pin(async { self.made_from(&stream.name).await.map(Some) })
    }

    fn read<'a>(&'a self, request: ReadRequest) -> BoxFuture<'a, Result<Extract>> {
        Box::pin(self.open(request))
    }
}

struct ComputedReader {
    inner: Box<dyn Reader>,
    plan: Arc<RowPlan>,
    /// How many columns were asked for; what comes behind them is handed on.
    columns: usize,
}

impl Reader for ComputedReader {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Batch>>> {
        Box::pin(async {
            let Some(batch) = self.inner.next().await? else { return Ok(None) };
            let Data::Arrow(rows) = batch.data else {
                return Err(Error::new(ErrorKind::Internal, "the source gave raw rows without being asked"));
            };
            let mut rejects: Vec<_> = batch.rejects.into_iter().map(|reject| self.plan.shown(reject)).collect();
            let (rows, failed) = self.plan.apply(&rows, self.columns)?;
            rejects.extend(failed);
            Ok(Some(Batch { data: Data::Arrow(rows), rejects }))
        })
    }

    fn position(&self) -> Option<Position> {
        self.inner.position()
    }
}
