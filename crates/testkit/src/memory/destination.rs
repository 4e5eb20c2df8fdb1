//! Loads into memory: staged beside the tables, and put in place by one commit.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arrow_schema::{Field, Schema, SchemaRef};
use futures_util::future::BoxFuture;
use levada_core::batch::{Batch, Data, Reject};
use levada_core::destination::{
    Accepted, Destination, Durable, Load, LoadEnd, LoadPlan, LoadSpec, PlannedColumn, Promise, WriteMode, Writer,
};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::naming::{LengthUnit, NameRules};
use levada_core::position::{Commit, StreamKey};
use levada_core::schema::{Fit, evolve, type_name};
use levada_core::source::StreamInfo;

use super::source::Order;
use super::{Memory, Table, pair};
use crate::rows::{self, Row};

fn fit(old: &Field, new: &Field) -> Fit {
    if old.data_type() == new.data_type() {
        return Fit::Exact;
    }
    match (old.data_type(), new.data_type()) {
        (_, arrow_schema::DataType::Utf8) => Fit::Checked(type_name(old)),
        (arrow_schema::DataType::Utf8, _) => Fit::Text("text".to_owned()),
        (old, new) if old.is_integer() && new.is_integer() && old.primitive_width() < new.primitive_width() => {
            Fit::NeedsWidening(new.to_string())
        }
        _ => Fit::Checked(type_name(old)),
    }
}

impl Destination for Memory {
    fn name_rules(&self) -> NameRules {
        NameRules { length_max: 200, unit: LengthUnit::Chars, ignores_case: false, forbidden: &[] }
    }

    fn target(&self, _namespace: Option<&str>, table: &str) -> String {
        table.to_owned()
    }

    fn describe<'a>(&'a self, target: &'a str) -> BoxFuture<'a, Result<Option<StreamInfo>>> {
        Box::pin(async move { Ok(self.lock().tables.get(target).map(|table| Self::info(target, table))) })
    }

    fn plan<'a>(&'a self, spec: &'a LoadSpec) -> BoxFuture<'a, Result<LoadPlan>> {
        Box::pin(async move { plan(spec) })
    }

    fn committed<'a>(&'a self, key: &'a StreamKey) -> BoxFuture<'a, Result<Option<Commit>>> {
        Box::pin(async move { Ok(self.lock().commits.get(&pair(key)).cloned()) })
    }

    fn rejects<'a>(&'a self, load_id: &'a str, skip: usize, limit: usize) -> BoxFuture<'a, Result<Vec<Reject>>> {
        let state = self.lock();
        let of_load = state.rejects.iter().filter(|(_, load, _)| load == load_id).map(|(.., reject)| reject.clone());
        let found = of_load.skip(skip).take(limit).collect();
        Box::pin(async move { Ok(found) })
    }

    fn commits(&self) -> BoxFuture<'_, Result<Vec<Commit>>> {
        Box::pin(async { Ok(self.lock().commits.values().cloned().collect()) })
    }

    fn forget<'a>(&'a self, key: &'a StreamKey) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move { Ok(self.lock().commits.remove(&pair(key)).is_some()) })
    }

    fn begin<'a>(&'a self, spec: LoadSpec, plan: LoadPlan) -> BoxFuture<'a, Result<Box<dyn Load>>> {
        Box::pin(async move {
            if !self.lock().held.insert(pair(&spec.key)) {
                let message = format!("another load of `{}` is running", spec.key.stream);
                return Err(Error::new(ErrorKind::Busy, message));
            }
            let stage = Arc::default();
            let load = MemoryLoad { memory: self.clone(), spec, plan, stage };
            Ok(Box::new(load) as Box<dyn Load>)
        })
    }
}

fn plan(spec: &LoadSpec) -> Result<LoadPlan> {
    let mut ddl = Vec::new();
    let mut fields: Vec<Field> = spec.incoming.fields().iter().map(|f| f.as_ref().clone()).collect();
    if let Some(existing) = &spec.existing {
        for change in evolve(&existing.schema, &spec.incoming, spec.on_schema_change, &fit)? {
            ddl.push(format!("{change:?}"));
        }
        for field in &mut fields {
            if let Ok(old) = existing.schema.field_with_name(field.name())
                && !matches!(fit(old, field), Fit::NeedsWidening(_))
            {
                *field = old.clone().with_nullable(field.is_nullable());
            }
        }
    } else {
        ddl.push(format!("create {}", spec.target));
    }
    let columns = fields.iter().map(|field| PlannedColumn {
        name: field.name().clone(),
        native: type_name(field),
        fit: spec.incoming.field_with_name(field.name()).map_or(Fit::Exact, |new| fit(field, new)),
    });
    Ok(LoadPlan {
        columns: columns.collect(),
        schema: Arc::new(Schema::new(fields)),
        ddl,
        strategy: "staged in memory, then put in place".to_owned(),
        raw: None,
        writers: spec.writers.max(1),
        promise: Promise::ExactlyOnce,
    })
}

struct MemoryLoad {
    memory: Memory,
    spec: LoadSpec,
    plan: LoadPlan,
    stage: Arc<Mutex<Vec<Row>>>,
}

struct MemoryWriter {
    memory: Memory,
    schema: SchemaRef,
    quarantine: bool,
    stage: Arc<Mutex<Vec<Row>>>,
}

impl Writer for MemoryWriter {
    fn write<'a>(&'a mut self, batch: Batch) -> BoxFuture<'a, Result<Accepted>> {
        Box::pin(async move {
            let Data::Arrow(batch) = &batch.data else {
                return Err(Error::new(ErrorKind::Unsupported, "raw rows into memory"));
            };
            let refused = self.memory.lock().refused.clone();
            let mut accepted = Accepted::default();
            let mut stage = self.stage.lock().expect("no writer panicked");
            for (number, row) in rows::of(batch).into_iter().enumerate() {
                let bad = self.schema.fields().iter().zip(&row).find(|(field, value)| {
                    value.as_ref().is_some_and(|text| refused.contains(&(field.name().clone(), text.clone())))
                });
                match bad {
                    None => {
                        accepted.rows += 1;
                        stage.push(row);
                    }
                    Some((field, _)) if self.quarantine => accepted.rejects.push(Reject {
                        row: levada_core::text::row_json(batch, number),
                        column: Some(field.name().clone()),
                        reason: "the system refuses this value".to_owned(),
                    }),
                    Some((field, _)) => {
                        let message = format!("column `{}` has a value that the system refuses", field.name());
                        return Err(Error::new(ErrorKind::Data, message));
                    }
                }
            }
            Ok(accepted)
        })
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<Accepted>> {
        Box::pin(async { Ok(Accepted::default()) })
    }
}

impl Load for MemoryLoad {
    fn writers(&mut self) -> BoxFuture<'_, Result<Vec<Box<dyn Writer>>>> {
        let writer = || MemoryWriter {
            memory: self.memory.clone(),
            schema: self.plan.schema.clone(),
            quarantine: self.spec.quarantine,
            stage: self.stage.clone(),
        };
        let writers = (0..self.plan.writers.max(1)).map(|_| Box::new(writer()) as Box<dyn Writer>).collect();
        Box::pin(async { Ok(writers) })
    }

    fn commit<'a>(&'a mut self, end: LoadEnd) -> BoxFuture<'a, Result<Durable>> {
        Box::pin(async move {
            let mut state = self.memory.lock();
            let key = pair(&self.spec.key);
            if state.commits.get(&key).map(|c| c.load_id.as_str()) != self.spec.previous.as_deref() {
                let message = format!("another run committed `{}` in the meantime", self.spec.key.stream);
                return Err(Error::new(ErrorKind::Busy, message));
            }
            let kept_as = end.rejects_of(&self.spec.load_id).to_owned();
            if let Some(replayed) = &end.replayed {
                let of_load = state.rejects.iter().filter(|(_, load, _)| *load == replayed.load_id).count();
                replayed.check(of_load as u64)?;
                state.rejects.retain(|(_, load, _)| *load != replayed.load_id);
            }
            let staged = std::mem::take(&mut *self.stage.lock().expect("no writer panicked"));
            let table = state.tables.remove(&self.spec.target);
            let (mut table, durable) = put(table, &self.spec, &self.plan.schema, staged);
            if let Some(forgery) = state.forgery.take_if(|forgery| forgery[0] == self.spec.target) {
                forge(&mut table, &forgery);
            }
            state.tables.insert(self.spec.target.clone(), table);
            let rows_rejected = end.rejects.len() as u64;
            let of_load = |reject| (self.spec.key.clone(), kept_as.clone(), reject);
            state.rejects.extend(end.rejects.into_iter().map(of_load));
            let commit = Commit {
                key: self.spec.key.clone(),
                target: self.spec.target.clone(),
                load_id: self.spec.load_id.clone(),
                state: end.state,
                rows_written: end.rows_written,
                rows_rejected,
                committed_at: String::new(),
            };
            state.commits.insert(key, commit);
            Ok(durable)
        })
    }

    fn abort(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move { drop(self) })
    }
}

impl Drop for MemoryLoad {
    fn drop(&mut self) {
        if let Ok(mut state) = self.memory.state.lock() {
            state.held.remove(&pair(&self.spec.key));
        }
    }
}

fn forge(table: &mut Table, [_, column, text, forged]: &[String; 4]) {
    let Ok(at) = table.schema.index_of(column) else { return };
    for value in table.rows.iter_mut().map(|row| &mut row[at]).filter(|value| value.as_ref() == Some(text)) {
        *value = Some(forged.clone());
    }
}

/// The table after a load, and what happened to it.
fn put(table: Option<Table>, spec: &LoadSpec, incoming: &SchemaRef, staged: Vec<Row>) -> (Table, Durable) {
    let mut table = table.unwrap_or_else(|| Table { schema: incoming.clone(), rows: Vec::new() });
    let mut durable = Durable::default();
    let mut fields: Vec<Field> = table.schema.fields().iter().map(|f| f.as_ref().clone()).collect();
    for field in incoming.fields() {
        match fields.iter_mut().find(|old| old.name() == field.name()) {
            Some(old) => *old = field.as_ref().clone(),
            None => fields.push(field.as_ref().clone().with_nullable(true)),
        }
    }
    table.rows.iter_mut().for_each(|row| row.resize(fields.len(), None));
    table.schema = Arc::new(Schema::new(fields));
    let places: Vec<Option<usize>> = table.schema.fields().iter().map(|f| incoming.index_of(f.name()).ok()).collect();
    let keys: Vec<usize> = spec.key_columns.iter().filter_map(|k| table.schema.index_of(k).ok()).collect();
    let order = spec.order_column.as_ref().and_then(|c| table.schema.index_of(c).ok());
    if spec.write == WriteMode::Replace {
        durable.deleted = table.rows.len() as u64;
        table.rows.clear();
    }
    let key_of = |row: &Row| keys.iter().map(|at| row[*at].clone()).collect::<Row>();
    let rank = |row: &Row| order.and_then(|at| row[at].as_deref().map(Order::of));
    let mut known: BTreeMap<Row, (usize, bool)> = BTreeMap::new();
    if spec.write == WriteMode::Merge {
        known = table.rows.iter().enumerate().map(|(at, row)| (key_of(row), (at, false))).collect();
    }
    for staged in staged {
        let row: Row = places.iter().map(|at| at.and_then(|at| staged[at].clone())).collect();
        let key = key_of(&row);
        match known.get(&key).copied().filter(|_| spec.write == WriteMode::Merge) {
            None => {
                known.insert(key, (table.rows.len(), true));
                table.rows.push(row);
                durable.inserted += 1;
            }
            Some((at, seen)) => {
                let older = seen && rank(&row) < rank(&table.rows[at]);
                if seen {
                    durable.superseded += 1;
                } else {
                    durable.updated += 1;
                }
                known.insert(key, (at, true));
                if !older {
                    table.rows[at] = row;
                }
            }
        }
    }
    (table, durable)
}
