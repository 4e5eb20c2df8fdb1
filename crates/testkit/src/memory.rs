//! A system in memory, source and destination at once, with transactional commits: what the engine's tests run on. It
//! keeps rows as canonical text and is not fast.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use arrow_schema::{Field, Schema, SchemaRef};
use futures_util::future::BoxFuture;
use levada_core::batch::{Batch, Data, Reject};
use levada_core::connector::{CheckStep, Connection};
use levada_core::destination::{
    Accepted, Destination, Durable, Load, LoadEnd, LoadPlan, LoadSpec, PlannedColumn, Promise, WriteMode, Writer,
};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::naming::{LengthUnit, NameRules, is_wildcard, matches};
use levada_core::position::{Commit, Position, StreamKey};
use levada_core::schema::{Fit, evolve, type_name};
use levada_core::source::{Extract, OVERLAP_COLUMN, ReadMode, ReadRequest, Reader, Source, StreamInfo};

use crate::rows::{self, Row};

/// A system that lives as long as its last clone.
#[derive(Clone, Default)]
pub struct Memory {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    tables: BTreeMap<String, Table>,
    commits: BTreeMap<(String, String), Commit>,
    rejects: Vec<(StreamKey, Reject)>,
    held: BTreeSet<(String, String)>,
    refused: BTreeSet<(String, String)>,
    forgery: Option<[String; 4]>,
}

#[derive(Clone)]
struct Table {
    schema: SchemaRef,
    rows: Vec<Row>,
}

impl Memory {
    /// An empty system.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a table in place, or another in its place.
    pub fn put(&self, name: &str, schema: &SchemaRef, rows: Vec<Row>) {
        self.lock().tables.insert(name.to_owned(), Table { schema: schema.clone(), rows });
    }

    /// Adds rows to a table that exists.
    pub fn add(&self, name: &str, rows: Vec<Row>) {
        self.lock().tables.get_mut(name).expect("the table exists").rows.extend(rows);
    }

    /// The rows of a table, ordered, or `None` if there is no such table.
    pub fn rows(&self, name: &str) -> Option<Vec<Row>> {
        let mut rows = self.lock().tables.get(name)?.rows.clone();
        rows.sort();
        Some(rows)
    }

    /// The columns of a table.
    pub fn schema(&self, name: &str) -> Option<SchemaRef> {
        self.lock().tables.get(name).map(|table| table.schema.clone())
    }

    /// Everything in the quarantine of a stream.
    pub fn rejects(&self, key: &StreamKey) -> Vec<Reject> {
        self.lock().rejects.iter().filter(|(k, _)| k == key).map(|(_, reject)| reject.clone()).collect()
    }

    /// From now on writers refuse rows with this text in this column.
    pub fn refuse(&self, column: &str, text: &str) {
        self.lock().refused.insert((column.to_owned(), text.to_owned()));
    }

    /// The next commit to a table that holds this text in this column stores another text in its place, in silence.
    pub fn corrupt_next_commit(&self, table: &str, column: &str, text: &str, forged: &str) {
        let forgery = [table, column, text, forged].map(str::to_owned);
        self.lock().forgery = Some(forgery);
    }

    /// How many loads are held open.
    pub fn live_loads(&self) -> usize {
        self.lock().held.len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no test panicked while it held the state")
    }

    fn info(name: &str, table: &Table) -> StreamInfo {
        StreamInfo {
            name: name.to_owned(),
            namespace: None,
            table: name.to_owned(),
            schema: table.schema.clone(),
            key: Vec::new(),
            rows_estimate: Some(table.rows.len() as u64),
            bytes_estimate: None,
            raw: None,
            typed_by_request: false,
        }
    }
}

fn pair(key: &StreamKey) -> (String, String) {
    (key.pipeline.clone(), key.stream.clone())
}

impl Connection for Memory {
    fn address(&self) -> String {
        format!("memory:{:p}", Arc::as_ptr(&self.state))
    }

    fn source(self: Arc<Self>) -> Result<Arc<dyn Source>> {
        Ok(self)
    }

    fn destination(self: Arc<Self>) -> Result<Arc<dyn Destination>> {
        Ok(self)
    }

    fn check(&self) -> BoxFuture<'_, Vec<CheckStep>> {
        Box::pin(async { Vec::new() })
    }
}

impl Source for Memory {
    fn discover<'a>(&'a self, selector: Option<&'a str>) -> BoxFuture<'a, Result<Vec<StreamInfo>>> {
        Box::pin(async move {
            let state = self.lock();
            let wanted =
                |name: &str| selector.is_none_or(|s| if is_wildcard(s) { matches(s, name) } else { s == name });
            Ok(state.tables.iter().filter(|(name, _)| wanted(name)).map(|(n, t)| Self::info(n, t)).collect())
        })
    }

    fn read<'a>(&'a self, request: ReadRequest) -> BoxFuture<'a, Result<Extract>> {
        Box::pin(async move {
            let table = self.lock().tables.get(&request.stream.name).cloned();
            let table = table
                .ok_or_else(|| Error::new(ErrorKind::NotFound, format!("there is no `{}`", request.stream.name)))?;
            extract(&table, &request)
        })
    }
}

fn extract(table: &Table, request: &ReadRequest) -> Result<Extract> {
    let mut position = None;
    let mut kept: Vec<(Row, bool)> = table.rows.iter().cloned().map(|row| (row, false)).collect();
    let mut marks = false;
    if let ReadMode::Incremental { cursor: Some(cursor), from, lag, mark_overlap } = &request.mode {
        let at = index(&table.schema, cursor)?;
        let lag = lag.as_deref().map_or(Some(0), lag_of).ok_or_else(|| {
            Error::new(ErrorKind::Config, "the memory connector knows whole numbers and `5s` as lags only")
        })?;
        let low = from.as_ref().and_then(|p| p.0["cursor"].as_str()).map(Order::of);
        let high = table.rows.iter().filter_map(|row| row[at].as_deref()).max_by_key(|text| Order::of(text));
        let high = high.filter(|high| low.as_ref().is_none_or(|low| Order::of(high) >= *low)).map(str::to_owned);
        let mark_from = high.as_deref().map(|high| Order::of(high).minus(lag));
        let low = low.map(|low| low.minus(lag));
        kept.retain(|(row, _)| match &row[at] {
            None => from.is_none(),
            Some(text) => low.as_ref().is_none_or(|low| Order::of(text) >= *low),
        });
        for (row, mark) in &mut kept {
            *mark = row[at].as_deref().is_some_and(|text| mark_from.as_ref().is_some_and(|m| Order::of(text) >= *m));
        }
        position = high.map(|high| Position(serde_json::json!({ "cursor": high }))).or_else(|| from.clone());
        marks = *mark_overlap;
    }
    let picks: Vec<usize> =
        request.columns.fields().iter().map(|f| index(&table.schema, f.name())).collect::<Result<_>>()?;
    let mut fields: Vec<Field> = request.columns.fields().iter().map(|f| f.as_ref().clone()).collect();
    if marks {
        fields.push(Field::new(OVERLAP_COLUMN, arrow_schema::DataType::Boolean, false));
    }
    let schema = Arc::new(Schema::new(fields));
    let rows: Vec<Row> = kept
        .into_iter()
        .map(|(row, mark)| {
            let mark = marks.then(|| Some(mark.to_string()));
            picks.iter().map(|at| row[*at].clone()).chain(mark).collect()
        })
        .collect();
    let per_batch = (request.batch_bytes / 64).max(1);
    let mut shares: Vec<Vec<Batch>> = (0..request.readers.max(1)).map(|_| Vec::new()).collect();
    let width = shares.len();
    for (number, chunk) in rows.chunks(per_batch).enumerate() {
        shares[number % width].push(Batch::arrow(rows::batch(&schema, chunk)));
    }
    let readers =
        shares.into_iter().map(|share| Box::new(MemoryReader(share.into_iter())) as Box<dyn Reader>).collect();
    Ok(Extract { readers, position, warnings: Vec::new() })
}

fn index(schema: &Schema, column: &str) -> Result<usize> {
    schema.index_of(column).map_err(|_| Error::new(ErrorKind::NotFound, format!("there is no column `{column}`")))
}

fn lag_of(text: &str) -> Option<i128> {
    text.strip_suffix('s').unwrap_or(text).parse::<i128>().ok()?.checked_mul(1_000_000_000)
}

/// Numbers by size before texts by alphabet.
#[derive(PartialEq, Eq, PartialOrd, Ord, Clone)]
enum Order {
    Number(i128),
    Text(String),
}

impl Order {
    /// Numbers and instants in units of 10^-9.
    fn of(text: &str) -> Self {
        if let Some((negative, digits, scale)) = levada_core::text::parse_decimal(text)
            && let Ok(digits) = digits.parse::<i128>()
            && let Ok(zeros) = u32::try_from(9 - scale)
        {
            return Self::Number(10_i128.pow(zeros) * if negative { -digits } else { digits });
        }
        match levada_core::text::parse_timestamp(text) {
            Some((seconds, nanos, _)) => Self::Number(i128::from(seconds) * 1_000_000_000 + i128::from(nanos)),
            None => Self::Text(text.to_owned()),
        }
    }

    fn minus(self, lag: i128) -> Self {
        match self {
            Self::Number(number) => Self::Number(number - lag),
            text => text,
        }
    }
}

struct MemoryReader(std::vec::IntoIter<Batch>);

impl Reader for MemoryReader {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Batch>>> {
        Box::pin(async move { Ok(self.0.next()) })
    }
}

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
                return Err(Error::new(ErrorKind::Refused, message));
            }
            let staged = std::mem::take(&mut *self.stage.lock().expect("no writer panicked"));
            let table = state.tables.remove(&self.spec.target);
            let (mut table, durable) = put(table, &self.spec, &self.plan.schema, staged);
            if let Some(forgery) = state.forgery.take_if(|forgery| forgery[0] == self.spec.target) {
                forge(&mut table, &forgery);
            }
            state.tables.insert(self.spec.target.clone(), table);
            let rows_rejected = end.rejects.len() as u64;
            state.rejects.extend(end.rejects.into_iter().map(|reject| (self.spec.key.clone(), reject)));
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
