//! Rows in the quarantine of a load, loaded once more: read back as text, they become the columns that the source gave, and
//! go on as any other rows do. What is written leaves the quarantine in the same commit, so that no row gets in twice; what
//! does not fit stays there.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use futures_util::future::BoxFuture;
use levada_core::batch::{Batch, Data, Reject};
use levada_core::config::{OnBadRow, ReadKind, StreamOptions, Verify};
use levada_core::destination::{Destination, LoadEnd, Replayed, WriteMode};
use levada_core::error::{Context, Error, ErrorKind, Result};
use levada_core::position::Commit;
use levada_core::source::{Extract, Reader};
use levada_core::transform::Transform;
use serde_json::{Map, Value};

use super::checkpoint::State;
use super::plan::{self, Ends, Planned};
use super::transform::{ColumnRule, Columns};
use super::{SyncJob, commit, give_up, prove, pump, targets};
use crate::progress::Progress;
use crate::report::Proof;

/// Rows of one batch, and of one look at the quarantine.
const ROWS: usize = 1_000;

/// Loads the rows that a load of a stream put into the quarantine. Positions stay as they are.
///
/// # Errors
/// `Refused` where the target has other rows by now than those that the load
/// left, so that older ones would come in between; else as of any load. Nothing is changed then.
pub async fn replay(mut job: SyncJob, stream: &str, load_id: &str) -> Result<Proof> {
    // the order of the rows decides which of two with one key is the later one
    job.sync.parallel.writers = Some(1);
    let ends = Ends::open(&job)?;
    let rows = quarantined(ends.destination.as_ref(), load_id).await.at(format!("connection `{}`", job.sync.to))?;
    if rows.is_empty() {
        return Ok(Proof::default());
    }
    let (planned, current) = planned(&job, &ends, stream, load_id).await?;
    let figures = Progress::default().start(stream, Some(rows.len() as u64));
    let place = || format!("connection `{}`", job.sync.to);
    let mut load = ends.destination.begin(planned.spec.clone(), planned.plan.clone()).await.at(place())?;
    let attempt = async {
        let reader = QuarantineReader::new(&planned, rows);
        let extract =
            Extract { readers: vec![Box::new(reader)], position: None, warnings: Vec::new(), again: Vec::new() };
        let lanes = pump(&job, &planned, extract, load.as_mut(), None, &figures).await?;
        let mut proof = prove(&lanes)?;
        let state = State { names: planned.names.clone(), ..State::of(Some(&current))? };
        let end = LoadEnd {
            state: serde_json::to_value(state).map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?,
            rows_written: proof.written,
            rejects: lanes.rejects.take(),
            replayed: Some(Replayed { load_id: load_id.to_owned(), rows: proof.read }),
        };
        let durable = commit(&ends, &planned, load.as_mut(), end).await?;
        proof.written = proof.written.saturating_sub(durable.rejected);
        proof.rejected += durable.rejected;
        Ok::<_, Error>(proof)
    };
    let outcome = tokio::select! {
        biased;
        () = job.stop.cancelled() => Err(Error::new(ErrorKind::Interrupted, "the replay was stopped")),
        outcome = attempt => outcome,
    };
    if outcome.is_err() {
        give_up(load, &job.stop).await;
    }
    outcome.at(format!("stream `{stream}`"))
}

/// All rows of a load in the quarantine, which no load puts more into than fit into memory.
async fn quarantined(destination: &dyn Destination, load_id: &str) -> Result<Vec<Reject>> {
    let mut rows = Vec::new();
    loop {
        let page = destination.rejects(load_id, rows.len(), ROWS).await?;
        let is_last = page.len() < ROWS;
        rows.extend(page);
        if is_last {
            return Ok(rows);
        }
    }
}

/// The load that puts the rows beside those that are there, and the commit that it follows.
async fn planned(job: &SyncJob, ends: &Ends, stream: &str, load_id: &str) -> Result<(Planned, Commit)> {
    let selected = plan::select(job, ends).await?;
    let targets = targets::names(job, ends.destination.as_ref(), &selected).await?;
    let found = selected.into_iter().zip(targets).find(|((info, _), _)| info.name == stream);
    let ((mut info, options), target) =
        found.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("the sync has no stream `{stream}`")))?;
    info.raw = None;
    let options = StreamOptions {
        read: ReadKind::Full,
        lag: None,
        write: if options.write == WriteMode::Replace { WriteMode::Append } else { options.write },
        on_bad_row: OnBadRow::Quarantine,
        verify: Verify::Counts,
        ..options
    };
    let mut planned = plan::plan(job, ends, info, options, target).await.at(format!("stream `{stream}`"))?;
    let current = ends.destination.committed(&planned.spec.key).await?;
    let current = current.filter(|commit| Some(&commit.load_id) == planned.spec.previous.as_ref());
    let is_there = planned.spec.existing.is_some();
    match current.filter(|commit| is_there && plan::is_built_on(&commit.load_id, load_id)) {
        Some(current) => {
            planned.spec.load_id = plan::load_id_after(&current.load_id);
            Ok((planned, current))
        }
        None => Err(Error::new(ErrorKind::Refused, "the stream was loaded anew since, and may have newer rows")
            .at(format!("stream `{stream}`"))
            .advise("Correct the rows at the source, and load the stream from the start: reset its position.")),
    }
}

/// Reads rows of the quarantine as batches of the columns that are written.
struct QuarantineReader {
    rows: std::vec::IntoIter<Reject>,
    /// As the source gave them: read, and then mapped.
    source: (Texts, Columns),
    /// As the destination refused them.
    target: Texts,
    /// Whether one cannot be told from the other.
    is_ambiguous: bool,
}

/// Texts that become columns.
struct Texts {
    columns: Columns,
    names: Vec<String>,
}

/// What a row looks like.
#[derive(PartialEq, Eq, Clone, Copy)]
enum Form {
    Source,
    Target,
}

impl QuarantineReader {
    fn new(planned: &Planned, rows: Vec<Reject>) -> Self {
        let source = Texts::new(&planned.request.columns);
        let target = Texts::new(&planned.plan.schema);
        let changes = |rule: &ColumnRule, field: &Field| rule.hash || rule.source != *field.name();
        let mut pairs = planned.rules.iter().zip(planned.plan.schema.fields());
        let names = |texts: &Texts| texts.names.iter().cloned().collect::<HashSet<String>>();
        let is_same = names(&source) == names(&target);
        Self {
            rows: rows.into_iter(),
            is_ambiguous: !planned.options.transform.is_empty()
                || is_same && pairs.any(|(rule, field)| changes(rule, field)),
            source: (source, Columns::new(planned.rules.clone(), planned.plan.schema.clone())),
            target,
        }
    }

    /// What a row looks like, and its values; else why it cannot be loaded.
    fn form(&self, reject: &Reject) -> Result<(Form, Map<String, Value>), String> {
        let Ok(row) = serde_json::from_str::<Map<String, Value>>(&reject.row) else {
            return Err("the row was not kept as a whole".to_owned());
        };
        if self.is_ambiguous {
            return Err("it cannot be told whether the row was mapped already".to_owned());
        }
        let missing = |texts: &Texts| texts.names.iter().find(|name| !row.contains_key(*name)).cloned();
        match (missing(&self.source.0), missing(&self.target)) {
            (None, _) => Ok((Form::Source, row)),
            (_, None) => Ok((Form::Target, row)),
            (Some(name), _) => Err(format!("the row has no value of `{name}`: it was not read as a whole")),
        }
    }

    /// The next rows of one form, and those that cannot be loaded among them.
    fn read(&mut self) -> Result<Option<Batch>> {
        let (mut form, mut rows, mut rejects) = (None, Vec::new(), Vec::new());
        while rows.len() + rejects.len() < ROWS {
            let Some(reject) = self.rows.as_slice().first() else { break };
            match self.form(reject) {
                Ok((found, row)) if form.is_none_or(|form| form == found) => {
                    form = Some(found);
                    rows.push(row);
                }
                // the order of the rows stays
                Ok(_) => break,
                Err(reason) => rejects.push(Reject { reason, ..reject.clone() }),
            }
            self.rows.next();
        }
        if rows.is_empty() && rejects.is_empty() {
            return Ok(None);
        }
        let mut batch = match form {
            Some(Form::Source) => self.source.1.apply(self.source.0.batch(&rows)?)?,
            _ => self.target.batch(&rows)?,
        };
        batch.rejects.extend(rejects);
        Ok(Some(batch))
    }
}

impl Reader for QuarantineReader {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Batch>>> {
        Box::pin(std::future::ready(self.read()))
    }
}

impl Texts {
    fn new(schema: &SchemaRef) -> Self {
        let rule = |(input, field): (usize, &Arc<Field>)| ColumnRule {
            input,
            source: field.name().clone(),
            hash: false,
            cast: None,
            required: false,
        };
        Self {
            columns: Columns::new(schema.fields().iter().enumerate().map(rule).collect(), schema.clone()),
            names: schema.fields().iter().map(|field| field.name().clone()).collect(),
        }
    }

    fn batch(&self, rows: &[Map<String, Value>]) -> Result<Batch> {
        let column = |name: &String| {
            let mut texts = StringBuilder::with_capacity(rows.len(), 0);
            rows.iter().for_each(|row| texts.append_option(row.get(name).and_then(Value::as_str)));
            Arc::new(texts.finish()) as ArrayRef
        };
        let fields: Vec<Field> = self.names.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let columns = self.names.iter().map(column).collect();
        let batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options);
        let batch = batch.map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
        self.columns.apply(Batch { data: Data::Arrow(batch), rejects: Vec::new() })
    }
}
