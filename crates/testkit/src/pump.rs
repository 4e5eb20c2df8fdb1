//! The smallest engine that keeps the contract: read, cast, write, commit. For tests of connectors, which must not
//! depend on the real engine; everything is held in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema, SchemaRef};
use levada_core::batch::{Batch, Data, Reject};
use levada_core::destination::{
    Accepted, Destination, Durable, Load, LoadEnd, LoadPlan, LoadSpec, Replayed, WriteMode, Writer,
};
use levada_core::error::Result;
use levada_core::position::{Position, StreamKey};
use levada_core::schema::OnSchemaChange;
use levada_core::source::{ReadMode, ReadRequest, Source, StreamInfo};
use serde_json::{Value, json};

use crate::rows;

/// What to move and how.
#[derive(Debug, Clone)]
pub struct Job {
    /// The stream's lock and commit.
    pub key: StreamKey,
    /// The namespace of the target.
    pub namespace: Option<String>,
    /// The table name of the target, as the source would call it.
    pub table: String,
    /// Which rows to read.
    pub read: ReadMode,
    /// How they get in.
    pub write: WriteMode,
    /// The key columns of a merge.
    pub key_columns: Vec<String>,
    /// What tells the later of two rows.
    pub order_column: Option<String>,
    /// The schema policy.
    pub on_schema_change: OnSchemaChange,
    /// Whether refused rows go into the quarantine.
    pub quarantine: bool,
    /// Readers at most.
    pub readers: usize,
    /// Writers at most.
    pub writers: usize,
    /// Bytes per batch.
    pub batch_bytes: usize,
    /// The state to store; the position if `None`.
    pub state: Option<Value>,
}

impl Job {
    /// A full replace of one target with one reader and one writer, failing at bad rows.
    pub fn new(namespace: Option<&str>, table: &str) -> Self {
        Self {
            key: StreamKey { pipeline: "conformance/task".to_owned(), stream: table.to_owned() },
            namespace: namespace.map(str::to_owned),
            table: table.to_owned(),
            read: ReadMode::Full,
            write: WriteMode::Replace,
            key_columns: Vec::new(),
            order_column: None,
            on_schema_change: OnSchemaChange::Evolve,
            quarantine: false,
            readers: 1,
            writers: 1,
            batch_bytes: 1 << 20,
            state: None,
        }
    }

    /// With another write mode.
    #[must_use]
    pub fn write(mut self, mode: WriteMode) -> Self {
        self.write = mode;
        self
    }

    /// As a merge by key.
    #[must_use]
    pub fn merge(mut self, key: &[&str]) -> Self {
        self.write = WriteMode::Merge;
        self.key_columns = key.iter().map(|column| (*column).to_owned()).collect();
        self
    }

    /// With so many readers and writers.
    #[must_use]
    pub fn parallel(mut self, width: usize) -> Self {
        self.readers = width;
        self.writers = width;
        self
    }
}

/// What a load did.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The target's full name.
    pub target: String,
    /// The load's name.
    pub load_id: String,
    /// The plan that was carried out.
    pub plan: LoadPlan,
    /// Rows read, rejected ones included.
    pub read: u64,
    /// Rows the writers accepted.
    pub written: u64,
    /// Rows rejected by source, cast and destination.
    pub rejects: Vec<Reject>,
    /// The destination's answer.
    pub durable: Durable,
    /// The source's position.
    pub position: Option<Position>,
}

/// A load id that no other has.
pub fn load_id() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let nanos = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64);
    format!("{:016x}{:04x}", nanos ^ (u64::from(std::process::id()) << 40), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Reads a stream to its end: the batches of all readers, and the position.
pub async fn read(
    source: &dyn Source,
    stream: &StreamInfo,
    columns: SchemaRef,
    job: &Job,
) -> Result<(Vec<Batch>, Option<Position>)> {
    let request = ReadRequest {
        stream: stream.clone(),
        columns,
        mode: job.read.clone(),
        raw: None,
        only: Vec::new(),
        limit: None,
        readers: job.readers,
        batch_bytes: job.batch_bytes,
    };
    let extract = source.read(request).await?;
    assert!(!extract.readers.is_empty(), "a read has at least one reader");
    let tasks: Vec<_> = extract
        .readers
        .into_iter()
        .map(|mut reader| {
            tokio::spawn(async move {
                let mut batches = Vec::new();
                while let Some(batch) = reader.next().await? {
                    batches.push(batch);
                }
                Ok::<_, levada_core::error::Error>((batches, reader.position()))
            })
        })
        .collect();
    let (mut batches, mut position) = (Vec::new(), extract.position);
    for task in tasks {
        let (read, at) = task.await.expect("a reader panicked")?;
        batches.extend(read);
        position = at.or(position);
    }
    Ok((batches, position))
}

/// The load spec of a job against the destination as it is now.
pub async fn spec(destination: &dyn Destination, job: &Job, incoming: &SchemaRef) -> Result<LoadSpec> {
    let target = destination.target(job.namespace.as_deref(), &job.table);
    Ok(LoadSpec {
        key: job.key.clone(),
        load_id: load_id(),
        previous: destination.committed(&job.key).await?.map(|commit| commit.load_id),
        existing: destination.describe(&target).await?,
        target,
        incoming: incoming.clone(),
        write: job.write,
        key_columns: job.key_columns.clone(),
        order_column: job.order_column.clone(),
        on_schema_change: job.on_schema_change,
        quarantine: job.quarantine,
        raw: None,
        writers: job.writers,
        rows_estimate: None,
    })
}

/// Casts the batches to the plan's columns and writes them, spread over the writers. The load stays uncommitted.
pub async fn write(load: &mut dyn Load, plan: &LoadPlan, batches: &[Batch]) -> Result<Accepted> {
    let writers = load.writers().await?;
    assert!(!writers.is_empty() && writers.len() <= plan.writers.max(1), "as many writers as planned");
    let mut total = Accepted::default();
    let mut shares: Vec<Vec<Batch>> = writers.iter().map(|_| Vec::new()).collect();
    let width = shares.len();
    for (index, batch) in batches.iter().enumerate() {
        total.rejects.extend(batch.rejects.iter().cloned());
        let Data::Arrow(data) = &batch.data else { panic!("raw rows in the pump") };
        let mut fitted = rows::fit(data, &plan.schema);
        total.rejects.append(&mut fitted.rejects);
        shares[index % width].push(fitted);
    }
    let tasks: Vec<_> = writers.into_iter().zip(shares).map(|(w, share)| tokio::spawn(drive(w, share))).collect();
    let mut failure = None;
    for task in tasks {
        match task.await.expect("a writer panicked") {
            Ok(accepted) => {
                total.rows += accepted.rows;
                total.rejects.extend(accepted.rejects);
            }
            Err(error) => failure = Some(error),
        }
    }
    failure.map_or(Ok(total), Err)
}

async fn drive(mut writer: Box<dyn Writer>, batches: Vec<Batch>) -> Result<Accepted> {
    let mut total = Accepted::default();
    for batch in batches {
        let accepted = writer.write(batch).await?;
        total.rows += accepted.rows;
        total.rejects.extend(accepted.rejects);
    }
    let accepted = writer.finish().await?;
    total.rows += accepted.rows;
    total.rejects.extend(accepted.rejects);
    Ok(total)
}

/// Loads batches by a spec, from `plan` to `commit`; aborts on an error.
pub async fn load_spec(
    destination: &dyn Destination,
    spec: LoadSpec,
    batches: &[Batch],
    state: Value,
) -> Result<Outcome> {
    replay_spec(destination, spec, batches, state, None).await
}

/// As [`load_spec`], for rows of the quarantine.
pub async fn replay_spec(
    destination: &dyn Destination,
    spec: LoadSpec,
    batches: &[Batch],
    state: Value,
    replayed: Option<Replayed>,
) -> Result<Outcome> {
    let plan = destination.plan(&spec).await?;
    let (target, load_id) = (spec.target.clone(), spec.load_id.clone());
    let mut load = destination.begin(spec, plan.clone()).await?;
    let accepted = match write(load.as_mut(), &plan, batches).await {
        Ok(accepted) => accepted,
        Err(error) => {
            load.abort().await;
            return Err(error);
        }
    };
    let end = LoadEnd { state, rows_written: accepted.rows, rejects: accepted.rejects.clone(), replayed };
    let durable = match load.commit(end).await {
        Ok(durable) => durable,
        Err(error) => {
            load.abort().await;
            return Err(error);
        }
    };
    let read = batches.iter().map(|b| b.rows() + b.rejects.len() as u64).sum();
    assert_eq!(read, accepted.rows + accepted.rejects.len() as u64, "read = written + rejected");
    Ok(Outcome {
        target,
        load_id,
        plan,
        read,
        written: accepted.rows,
        rejects: accepted.rejects,
        durable,
        position: None,
    })
}

/// Loads record batches (all with the columns of `schema`) as a job says.
pub async fn load(
    destination: &dyn Destination,
    job: &Job,
    schema: &SchemaRef,
    batches: &[RecordBatch],
) -> Result<Outcome> {
    let spec = spec(destination, job, schema).await?;
    let batches: Vec<Batch> = batches.iter().cloned().map(Batch::arrow).collect();
    load_spec(destination, spec, &batches, job.state.clone().unwrap_or(json!({}))).await
}

/// Copies one stream: names mapped, types cast, position stored as the state.
pub async fn pump(
    source: &dyn Source,
    stream: &StreamInfo,
    destination: &dyn Destination,
    job: &Job,
) -> Result<Outcome> {
    let names: Vec<String> = stream.schema.fields().iter().map(|f| f.name().clone()).collect();
    let mapped = destination.name_rules().map(&names, &BTreeMap::new());
    let rename = |schema: &Schema| -> SchemaRef {
        Arc::new(Schema::new(
            schema
                .fields()
                .iter()
                .map(|f| f.as_ref().clone().with_name(mapped.get(f.name()).unwrap_or(f.name()).clone()))
                .collect::<Vec<_>>(),
        ))
    };
    let spec = spec(destination, job, &rename(&stream.schema)).await?;
    let mut columns = stream.schema.clone();
    if stream.typed_by_request {
        let plan = destination.plan(&spec).await?;
        columns = Arc::new(Schema::new(
            columns
                .fields()
                .iter()
                .map(|f| match plan.schema.field_with_name(&mapped[f.name()]) {
                    Ok(wanted) => f.as_ref().clone().with_data_type(wanted.data_type().clone()),
                    Err(_) => f.as_ref().clone(),
                })
                .collect::<Vec<_>>(),
        ));
    }
    let (mut batches, position) = read(source, stream, columns, job).await?;
    for batch in &mut batches {
        if let Data::Arrow(data) = &mut batch.data {
            let schema = rename(&data.schema());
            let options = RecordBatchOptions::new().with_row_count(Some(data.num_rows()));
            *data = RecordBatch::try_new_with_options(schema, data.columns().to_vec(), &options)
                .expect("names change, types do not");
        }
    }
    let state = job.state.clone().unwrap_or_else(|| json!({ "position": position }));
    let mut outcome = load_spec(destination, spec, &batches, state).await?;
    outcome.position = position;
    Ok(outcome)
}
