//! The shortest way from a source to a destination, without the engine: one task a reader, casts where the plan asks.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use levada_core::batch::{Batch, Data, RawFormat, Reject};
use levada_core::connector::Connection;
use levada_core::destination::{Accepted, Durable, LoadEnd, LoadPlan, LoadSpec, WriteMode};
use levada_core::error::Result;
use levada_core::position::StreamKey;
use levada_core::schema::OnSchemaChange;
use levada_core::source::{ReadMode, ReadRequest, StreamInfo};
use serde_json::{Value, json};

pub struct Pump {
    pub from: Arc<dyn Connection>,
    pub to: Arc<dyn Connection>,
    pub stream: String,
    pub target: String,
    pub write: WriteMode,
    pub mode: ReadMode,
    pub key: Option<Vec<String>>,
    pub order: Option<String>,
    pub raw: bool,
    pub readers: usize,
    pub writers: usize,
    pub quarantine: bool,
    pub previous: Option<Option<String>>,
    pub policy: OnSchemaChange,
    pub batch_bytes: usize,
}

#[derive(Debug)]
pub struct Outcome {
    pub durable: Durable,
    pub accepted: Accepted,
    pub rejects: Vec<Reject>,
    pub read: u64,
    pub plan: LoadPlan,
}

impl Pump {
    pub fn new(from: &Arc<dyn Connection>, stream: &str, target: &str) -> Self {
        Self {
            from: from.clone(),
            to: from.clone(),
            stream: stream.to_owned(),
            target: target.to_owned(),
            write: WriteMode::Replace,
            mode: ReadMode::Full,
            key: None,
            order: None,
            raw: false,
            readers: 2,
            writers: 2,
            quarantine: false,
            previous: None,
            policy: OnSchemaChange::Evolve,
            batch_bytes: 1 << 20,
        }
    }

    pub fn key_of(&self) -> StreamKey {
        StreamKey { pipeline: "test/load".to_owned(), stream: format!("{}>{}", self.stream, self.target) }
    }

    pub async fn info(&self) -> StreamInfo {
        let source = self.from.clone().source().unwrap();
        let mut found = source.discover(Some(&self.stream)).await.unwrap();
        assert_eq!(found.len(), 1, "{} is one stream", self.stream);
        found.remove(0)
    }

    pub async fn spec(&self, info: &StreamInfo) -> Result<LoadSpec> {
        let destination = self.to.clone().destination()?;
        let previous = match &self.previous {
            Some(previous) => previous.clone(),
            None => destination.committed(&self.key_of()).await?.map(|commit| commit.load_id),
        };
        let raw: Option<RawFormat> = info.raw.filter(|_| self.raw);
        Ok(LoadSpec {
            key: self.key_of(),
            load_id: uuid::Uuid::new_v4().simple().to_string(),
            previous,
            target: self.target.clone(),
            incoming: info.schema.clone(),
            existing: destination.describe(&self.target).await?,
            write: self.write,
            key_columns: self.key.clone().unwrap_or_else(|| info.key.clone()),
            order_column: self.order.clone(),
            on_schema_change: self.policy,
            quarantine: self.quarantine,
            raw,
            writers: self.writers,
            rows_estimate: info.rows_estimate,
        })
    }

    pub async fn run(&self) -> Result<Outcome> {
        let info = self.info().await;
        let spec = self.spec(&info).await?;
        self.run_with(info, spec, json!({"n": 1})).await
    }

    pub async fn run_with(&self, info: StreamInfo, spec: LoadSpec, state: Value) -> Result<Outcome> {
        let (source, destination) = (self.from.clone().source()?, self.to.clone().destination()?);
        let plan = destination.plan(&spec).await?;
        assert!(!self.raw || plan.raw.is_some(), "raw was refused: {plan:#?}");
        let request = ReadRequest {
            columns: info.schema.clone(),
            stream: info,
            mode: self.mode.clone(),
            raw: plan.raw,
            only: Vec::new(),
            limit: None,
            readers: self.readers,
            batch_bytes: self.batch_bytes,
        };
        let mut load = destination.begin(spec, plan.clone()).await?;
        let result = async {
            let extract = source.read(request).await?;
            let writers = load.writers().await?;
            let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Batch>>(2);
            for mut reader in extract.readers {
                let sender = sender.clone();
                tokio::spawn(async move {
                    while let Some(next) = reader.next().await.transpose() {
                        if sender.send(next).await.is_err() {
                            break;
                        }
                    }
                });
            }
            drop(sender);
            let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
            let mut tasks = Vec::new();
            for mut writer in writers {
                let (receiver, schema) = (receiver.clone(), plan.schema.clone());
                tasks.push(tokio::spawn(async move {
                    let (mut total, mut rejects, mut read) = (Accepted::default(), Vec::new(), 0);
                    loop {
                        let Some(batch) = receiver.lock().await.recv().await else { break };
                        let mut batch = batch?;
                        read += batch.rows() + batch.rejects.len() as u64;
                        rejects.append(&mut batch.rejects);
                        let accepted = writer.write(shaped(batch, &schema)).await?;
                        total.rows += accepted.rows;
                        total.rejects.extend(accepted.rejects);
                    }
                    let last = writer.finish().await?;
                    total.rows += last.rows;
                    total.rejects.extend(last.rejects);
                    Ok::<_, levada_core::error::Error>((total, rejects, read))
                }));
            }
            let (mut accepted, mut rejects, mut read) = (Accepted::default(), Vec::new(), 0);
            for task in tasks {
                let (a, r, n) = task.await.unwrap()?;
                accepted.rows += a.rows;
                accepted.rejects.extend(a.rejects);
                rejects.extend(r);
                read += n;
            }
            let all: Vec<Reject> = rejects.iter().chain(&accepted.rejects).cloned().collect();
            assert_eq!(read, accepted.rows + all.len() as u64, "read = written + rejected");
            let end = LoadEnd { state, rows_written: accepted.rows, rejects: all, replayed: None };
            let durable = load.commit(end).await?;
            Ok(Outcome { durable, accepted, rejects, read, plan })
        }
        .await;
        if result.is_err() {
            load.abort().await;
        }
        result
    }
}

fn shaped(batch: Batch, schema: &SchemaRef) -> Batch {
    let Data::Arrow(columns) = &batch.data else { return batch };
    let arrays = columns.columns().iter().zip(schema.fields()).map(|(array, field)| {
        let (array, bad) = levada_core::cast::cast(array, field.data_type()).unwrap();
        assert_eq!(bad, vec![]);
        array
    });
    let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(columns.num_rows()));
    let shaped = RecordBatch::try_new_with_options(schema.clone(), arrays.collect(), &options).unwrap();
    Batch::arrow(shaped)
}
