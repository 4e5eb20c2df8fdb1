//! One load: files that no version of the table names yet, and the commit that names them, with the position in it.

use std::collections::HashSet;
use std::num::NonZeroU64;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use deltalake::DeltaTable;
use deltalake::datafile::writer::{DeltaWriter, WriterConfig};
use deltalake::kernel::{Action, Add, Version};
use deltalake::protocol::SaveMode;
use futures_util::TryStreamExt as _;
use futures_util::future::BoxFuture;
use levada_core::batch::{Batch, Data};
use levada_core::destination::{Accepted, Durable, Load, LoadEnd, LoadPlan, LoadSpec, WriteMode, Writer};
use levada_core::error::{Context, Error, ErrorKind, Result};
use levada_core::position::{Commit, StreamKey};
use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::commit::{Mark, Tried, alteration, attempt, creation};
use crate::merge::{self, Stage};
use crate::output::Output;
use crate::place::Place;
use crate::positions::Number;
use crate::{Lake, columns, destination, error, files, maintain, positions, quarantine};

/// How often a commit is tried again that another one of the same table came before.
const ATTEMPTS: usize = 20;
/// Rows of a file are written to it in groups of about so many bytes.
const GROUP_BYTES: usize = 32 << 20;

/// The streams that are being loaded in this process, with their places.
static HELD: LazyLock<Mutex<HashSet<(String, StreamKey)>>> = LazyLock::new(Mutex::default);

/// The right to load one stream, given back on drop.
struct Held(String, StreamKey);

impl Held {
    fn take(address: String, key: &StreamKey) -> Result<Self> {
        let is_new = HELD.lock().unwrap_or_else(PoisonError::into_inner).insert((address.clone(), key.clone()));
        if is_new {
            return Ok(Self(address, key.clone()));
        }
        Err(Error::new(ErrorKind::Busy, format!("another load of `{}` is running", key.stream)))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let held = (std::mem::take(&mut self.0), self.1.clone());
        HELD.lock().unwrap_or_else(PoisonError::into_inner).remove(&held);
    }
}

/// What writers and commit share.
pub struct Work {
    pub place: Place,
    pub spec: LoadSpec,
    /// The columns that are written, and those of the table afterwards.
    pub columns: columns::Columns,
    pub target_bytes: u64,
    pub memory: usize,
    /// How long files stay that newer versions do not name; 0 where the table is not looked after.
    pub retention_hours: u32,
    /// The columns by whose values the files of the table are told apart.
    pub partitions: Vec<String>,
    /// The version that the load began with.
    pub since: Option<Version>,
    /// The table's own words for its columns when the load began; another one means that somebody changed them.
    shape: Option<serde_json::Value>,
    handle: DeltaTable,
    /// Files that nothing names yet.
    files: Mutex<Vec<Add>>,
    /// The number of a commit that nothing names yet.
    number: Mutex<Option<Number>>,
    stage: Option<Stage>,
}

/// A load in progress.
pub struct TableLoad {
    work: Arc<Work>,
    writers: usize,
    writers_taken: bool,
    _held: Held,
}

/// Checks that the load still builds on the last commit of its stream, and takes the stream.
pub async fn begin(lake: &Lake, address: String, spec: LoadSpec, plan: LoadPlan) -> Result<TableLoad> {
    let held = Held::take(address, &spec.key)?;
    let place = lake.place()?;
    let stored = positions::committed(&place, &spec.key).await?.map(|commit| commit.load_id);
    if stored != spec.previous {
        return Err(lost_place(&spec.target));
    }
    let base = place.newest(&spec.target).await?;
    if base.is_some() != spec.existing.is_some() {
        return Err(lost_place(&spec.target));
    }
    let (columns, partitions, shape) = match &base {
        Some(table) => {
            let state = table.snapshot().map_err(error::delta)?;
            let metadata = state.metadata();
            let columns = destination::planned(&spec, Some(table))?;
            (columns, metadata.partition_columns().to_vec(), Some(shape_of(table)?))
        }
        None => (destination::planned(&spec, None)?, Vec::new(), None),
    };
    let stage = match spec.write {
        WriteMode::Merge => Some(Stage::new(&columns.written)?),
        _ => None,
    };
    let work = Work {
        handle: place.handle(&spec.target)?,
        target_bytes: u64::from(lake.settings.target_mb) << 20,
        memory: lake.memory(),
        retention_hours: if lake.settings.maintain { lake.settings.retention_hours } else { 0 },
        place,
        spec,
        columns,
        partitions,
        since: base.as_ref().and_then(DeltaTable::version),
        shape,
        files: Mutex::default(),
        number: Mutex::default(),
        stage,
    };
    Ok(TableLoad { work: Arc::new(work), writers: plan.writers, writers_taken: false, _held: held })
}

fn lost_place(target: &str) -> Error {
    Error::new(ErrorKind::Busy, "another run committed to this target meanwhile")
        .at(format!("target `{target}`"))
        .advise("Run again: nothing of this load was committed.")
}

/// What the log says of a table besides its rows.
fn shape_of(table: &DeltaTable) -> Result<serde_json::Value> {
    let state = table.snapshot().map_err(error::delta)?;
    let metadata = state.metadata();
    let schema = metadata.parse_schema().map_err(|error| Error::new(ErrorKind::Data, error.to_string()))?;
    let shape = (schema, metadata.partition_columns(), metadata.configuration(), state.protocol());
    // as a value, in which the order of names is none
    serde_json::to_value(shape).map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))
}

impl Work {
    fn files(&self) -> MutexGuard<'_, Vec<Add>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn number(&self) -> MutexGuard<'_, Option<Number>> {
        self.number.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A writer of files of the table with these columns.
    pub fn file_writer(&self, columns: &SchemaRef) -> DeltaWriter {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_bytes(Some(GROUP_BYTES))
            .build();
        let told = columns.fields().iter().filter(|column| columns::has_exact_bounds(column));
        let told: Vec<String> = told.map(|column| format!("`{}`", column.name())).collect();
        let config = WriterConfig::new(
            columns.clone(),
            self.partitions.clone(),
            Some(properties),
            NonZeroU64::new(self.target_bytes),
            None,
            Default::default(),
            (told.len() < columns.fields().len()).then_some(told),
        );
        DeltaWriter::new(self.handle.object_store(), config)
    }

    /// Removes files that nothing names, nor ever will.
    pub async fn remove(&self, files: &[Add]) {
        let store = self.handle.object_store();
        for file in files {
            if let Err(error) = store.delete(&Path::from(file.path.as_str())).await {
                tracing::debug!("{} stays: {error}", file.path);
            }
        }
    }

    /// The number of the stored commit, if the table stands where the load expects it.
    async fn check(&self, base: Option<&DeltaTable>) -> Result<()> {
        let stored = positions::committed(&self.place, &self.spec.key).await?.map(|commit| commit.load_id);
        let shape = base.map(shape_of).transpose()?;
        if stored == self.spec.previous && shape == self.shape { Ok(()) } else { Err(lost_place(&self.spec.target)) }
    }

    async fn commit(&self, end: &LoadEnd) -> Result<Durable> {
        if end.replayed.is_some() {
            // the commit is the table's, and the file of the quarantine is no part of it
            return Err(Error::new(ErrorKind::Unsupported, "rows do not leave the quarantine of a Delta table")
                .advise("Correct them at the source, and load the stream again."));
        }
        let commit = Commit {
            key: self.spec.key.clone(),
            target: self.spec.target.clone(),
            load_id: self.spec.load_id.clone(),
            state: end.state.clone(),
            rows_written: end.rows_written,
            rows_rejected: end.rejects.len() as u64,
            committed_at: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
        };
        let number = positions::prepare(&self.place, &commit, false).await?;
        *self.number() = Some(number);
        let outcome = match quarantine::write(&self.place, &self.spec, &end.rejects).await {
            Ok(()) => self.commit_as(number).await,
            Err(error) => Err(error),
        };
        if outcome.is_ok() {
            positions::prune(&self.place, &self.spec.key, number).await;
            maintain::after_commit(self).await;
        } else {
            self.undo().await;
        }
        outcome
    }

    /// Takes away what was put beside the table for a commit that never comes. One that the store did not answer may.
    async fn undo(&self) {
        let Some(number) = self.number().take() else { return };
        positions::withdraw(&self.place, &self.spec.key, number).await;
        quarantine::remove(&self.place, &self.spec.load_id).await;
    }

    async fn commit_as(&self, number: Number) -> Result<Durable> {
        let mark = Mark { key: &self.spec.key, number, load_id: &self.spec.load_id };
        let staged = match &self.stage {
            Some(stage) => Some(stage.finish(self).await?),
            None => None,
        };
        for _ in 0..ATTEMPTS {
            let base = self.place.newest(&self.spec.target).await?;
            self.check(base.as_ref()).await?;
            let mut actions = match &base {
                None => creation(&self.columns.table)?,
                Some(table) => alteration(table, &self.columns.table)?,
            };
            let (mode, durable, made) = match &staged {
                Some(staged) => {
                    let merged = merge::merge(self, staged, base.as_ref()).await?;
                    actions.extend(merged.removed.into_iter().map(Action::Remove));
                    (SaveMode::Append, merged.durable, merged.added)
                }
                None => {
                    let (mode, durable) = self.replaced(base.as_ref(), &mut actions).await?;
                    (mode, durable, Vec::new())
                }
            };
            // from here on a version may name them, whatever is heard of it, and even if nobody waits for it: they stay, and
            // the upkeep finds out
            let own = std::mem::take(&mut *self.files());
            *self.number() = None;
            let named = if staged.is_some() { made.clone() } else { own.clone() };
            actions.extend(named.into_iter().map(Action::Add));
            match attempt(&self.place, &self.spec.target, base.as_ref(), actions, mode, &mark).await? {
                Tried::Done => return Ok(durable),
                Tried::Lost => {
                    *self.files() = own;
                    *self.number() = Some(number);
                    self.remove(&made).await;
                }
                Tried::Passed => return Err(lost_place(&self.spec.target)),
            }
        }
        Err(Error::new(ErrorKind::Busy, format!("{ATTEMPTS} other commits of this table came first"))
            .at(format!("target `{}`", self.spec.target)))
    }

    /// What an append or a replace does: its own rows, and for a replace the files of before that go.
    async fn replaced(&self, base: Option<&DeltaTable>, actions: &mut Vec<Action>) -> Result<(SaveMode, Durable)> {
        let inserted = self.files().iter().map(rows_of).sum();
        let mut durable = Durable { inserted, ..Durable::default() };
        let Some(table) = base.filter(|_| self.spec.write == WriteMode::Replace) else {
            return Ok((SaveMode::Append, durable));
        };
        let state = table.snapshot().map_err(error::delta)?;
        let store = table.log_store();
        let mut views = state.snapshot().file_views(store.as_ref(), None);
        while let Some(view) = views.try_next().await.map_err(error::delta)? {
            durable.deleted += view.num_records().unwrap_or_default() as u64;
            actions.push(Action::Remove(files::removal(&view, true)?));
        }
        Ok((SaveMode::Overwrite, durable))
    }
}

/// The rows of a new file, by its statistics.
pub fn rows_of(file: &Add) -> u64 {
    let stats = file.stats.as_deref().and_then(|stats| serde_json::from_str::<serde_json::Value>(stats).ok());
    stats.and_then(|stats| stats["numRecords"].as_u64()).unwrap_or_default()
}

impl Load for TableLoad {
    fn writers(&mut self) -> BoxFuture<'_, Result<Vec<Box<dyn Writer>>>> {
        Box::pin(async move {
            if std::mem::replace(&mut self.writers_taken, true) {
                return Err(Error::new(ErrorKind::Internal, "the writers of a load were asked for twice"));
            }
            let count = self.writers.max(1);
            let writer = |_| {
                let output = Output::new(&self.work, self.work.columns.written.clone(), count);
                Box::new(TableWriter { work: self.work.clone(), output }) as Box<dyn Writer>
            };
            Ok((0..count).map(writer).collect())
        })
    }

    fn commit<'a>(&'a mut self, end: LoadEnd) -> BoxFuture<'a, Result<Durable>> {
        Box::pin(async move { self.work.commit(&end).await })
    }

    fn abort(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let files = std::mem::take(&mut *self.work.files());
            self.work.remove(&files).await;
            self.work.undo().await;
        })
    }
}

impl Drop for TableLoad {
    /// A load that ends without a word leaves its files to a task that removes them; those of a process that dies are left
    /// to the upkeep of the table.
    fn drop(&mut self) {
        let files = std::mem::take(&mut *self.work.files());
        if files.is_empty() {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let work = self.work.clone();
            runtime.spawn(async move { work.remove(&files).await });
        }
    }
}

struct TableWriter {
    work: Arc<Work>,
    output: Output,
}

impl TableWriter {
    async fn rows(&mut self, rows: RecordBatch) -> Result<()> {
        if let Some(stage) = &self.work.stage {
            return stage.write(rows).await;
        }
        let done = self.output.write(&self.work, rows).await;
        // the load knows their names from then on
        self.work.files().extend(self.output.closed());
        done
    }
}

impl Writer for TableWriter {
    fn write<'a>(&'a mut self, batch: Batch) -> BoxFuture<'a, Result<Accepted>> {
        Box::pin(async move {
            let Data::Arrow(rows) = batch.data else {
                return Err(Error::new(ErrorKind::Internal, "raw rows were given to a Delta table"));
            };
            let count = rows.num_rows() as u64;
            if count > 0 {
                let place = format!("target `{}`", self.work.spec.target);
                self.rows(rows).await.at(place)?;
            }
            Ok(Accepted { rows: count, rejects: Vec::new() })
        })
    }

    fn finish(mut self: Box<Self>) -> BoxFuture<'static, Result<Accepted>> {
        Box::pin(async move {
            let done = self.output.close().await;
            self.work.files().extend(self.output.closed());
            done.map(|()| Accepted::default())
        })
    }
}
