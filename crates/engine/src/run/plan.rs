//! From what a document asks for to what will be done: which streams, which columns under which names and types, from
//! which position, on which route. Changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use levada_core::config::{OnBadRow, ReadKind, StreamOptions, Verify};
use levada_core::destination::{Destination, LoadPlan, LoadSpec, WriteMode};
use levada_core::error::{Context, Error, ErrorKind, Result};
use levada_core::naming::{NameRules, did_you_mean, nearest};
use levada_core::position::{Commit, StreamKey};
use levada_core::schema::{self, Fit, Logical, NATIVE, OnSchemaChange};
use levada_core::source::{ReadMode, ReadRequest, Source, StreamInfo};

use super::SyncJob;
use super::checkpoint::State;
use super::transform::ColumnRule;
use crate::browse;

/// In place of a system's name in the native type of a column that a cast makes.
const CAST: &str = "levada";
/// Columns that an error names at most.
const NAMED_MAX: usize = 40;

/// A stream with everything decided.
pub struct Planned {
    /// The stream at the source.
    pub info: StreamInfo,
    /// What the document says of it.
    pub options: StreamOptions,
    /// The state left by the last load into this target; empty if there was none.
    pub state: State,
    /// What to read.
    pub request: ReadRequest,
    /// What happens to each column of `plan.schema`.
    pub rules: Vec<ColumnRule>,
    /// Wanted column name to final name, for all columns ever loaded.
    pub names: BTreeMap<String, String>,
    /// What to load.
    pub spec: LoadSpec,
    /// What the destination will do.
    pub plan: LoadPlan,
    /// Columns by which rows of an incremental append are told apart; empty where that is not needed.
    pub overlap_columns: Vec<String>,
}

/// Both ends of a job, opened.
pub struct Ends {
    /// Where rows come from.
    pub source: Arc<dyn Source>,
    /// Where rows go.
    pub destination: Arc<dyn Destination>,
    /// The destination read as a source, for verification.
    pub target: Arc<dyn Source>,
}

impl Ends {
    /// Opens both ends of a job.
    pub fn open(job: &SyncJob) -> Result<Self> {
        Ok(Self {
            source: job.source.clone().source().at(format!("connection `{}`", job.sync.from))?,
            destination: job.destination.clone().destination().at(format!("connection `{}`", job.sync.to))?,
            target: job.destination.clone().source().at(format!("connection `{}`", job.sync.to))?,
        })
    }
}

/// The streams a sync selects, with their options, also where the job is about one of them only; a stream named in full goes before a wildcard that matches it too.
///
/// # Errors
/// `NotFound` for a name or wildcard that selects nothing.
pub async fn select(job: &SyncJob, ends: &Ends) -> Result<Vec<(StreamInfo, StreamOptions)>> {
    let mut selected: Vec<(StreamInfo, StreamOptions)> = Vec::new();
    // a stream that is paused belongs to no wildcard either, because it is named
    for (at, (name, options)) in job.sync.streams.iter().enumerate().filter(|(_, (_, options))| !options.paused) {
        let found = ends.source.discover(Some(name)).await.at(format!("connection `{}`", job.sync.from))?;
        if found.is_empty() {
            return Err(unknown_stream(job, ends, name).await);
        }
        for info in found {
            let mine = job.sync.is_selected_by(at, &info.name);
            if mine && selected.iter().all(|(known, _)| known.name != info.name) {
                selected.push((info, options.clone()));
            }
        }
    }
    if let Some(only) = &job.only_stream
        && selected.iter().all(|(info, _)| info.name != *only)
    {
        return Err(Error::new(ErrorKind::NotFound, format!("the sync has no stream `{only}`")));
    }
    Ok(selected)
}

async fn unknown_stream(job: &SyncJob, ends: &Ends, name: &str) -> Error {
    let all = ends.source.discover(None).await.unwrap_or_default();
    let names: Vec<&str> = all.iter().map(|info| info.name.as_str()).collect();
    browse::no_such_stream(name, &names).at(format!("connection `{}`", job.sync.from))
}

/// Decides everything about one stream, which goes into `target`.
///
/// # Errors
/// `Config` for options that do not fit the stream, `NotFound` for unknown columns, `Refused` where going on would
/// double or lose rows, `Schema` as the destination says.
pub async fn plan(
    job: &SyncJob,
    ends: &Ends,
    info: StreamInfo,
    options: StreamOptions,
    target: String,
) -> Result<Planned> {
    if target == info.name && job.source.address() == job.destination.address() {
        return Err(Error::new(ErrorKind::Config, format!("`{target}` would be loaded into itself"))
            .advise("Give the target another name with `rename`, or another connection."));
    }
    check_cursor(ends.source.as_ref(), &info, &options)?;
    let key = StreamKey { pipeline: job.pipeline.clone(), stream: info.name.clone() };
    let place = || format!("connection `{}`", job.sync.to);
    let previous = ends.destination.committed(&key).await.at(place())?;
    let mut existing = ends.destination.describe(&target).await.at(place())?;
    let state = usable_state(job, &options, previous.as_ref(), &target, existing.is_some())?;
    let first_load = state.position.is_none();
    let write = if job.full_refresh { WriteMode::Replace } else { options.write };
    if write == WriteMode::Append && options.read == ReadKind::Incremental && first_load && existing.is_some() {
        refuse_second_copy(ends, &target).await?;
    }

    let selection = Selection::new(&info, &options)?;
    let names = final_names(ends.destination.as_ref(), &selection, existing.as_ref(), &state);
    let key_columns = key_columns(&info, &options, write, &selection, &names)?;
    let mut incoming = selection.incoming(&names);
    if options.on_schema_change == OnSchemaChange::IgnoreNew
        && let Some(existing) = &existing
    {
        incoming = without_new_columns(&incoming, &existing.schema);
    }
    let computed = match &existing {
        Some(existing) => take_computed(&mut incoming, &key_columns, &existing.schema, ends.destination.name_rules()),
        None => Vec::new(),
    };
    if let Some(existing) = &mut existing {
        if options.on_schema_change != OnSchemaChange::Evolve {
            refuse_gone_columns(&state, &incoming, &existing.schema)?;
        }
        existing.name.clone_from(&target);
    }
    let mode = read_mode(&options, &state);
    let overlap_columns = overlap_columns(&info, &options, &mode);
    refuse_computed_overlap(&options, &state, &overlap_columns)?;
    let whole = selection.is_whole_row(&info) && incoming.fields().len() == info.schema.fields().len();
    let raw = info.raw.filter(|_| whole && options.verify == Verify::Counts);
    let raw = raw.filter(|_| options.on_bad_row == OnBadRow::Fail && overlap_columns.is_empty());
    let raw = raw.filter(|_| write != WriteMode::Merge || key_columns.iter().all(|k| is_required(&incoming, k)));
    let spec = LoadSpec {
        key,
        load_id: load_id(previous.as_ref().filter(|_| existing.is_some()), write, &target),
        previous: previous.map(|commit| commit.load_id),
        order_column: options.cursor.as_ref().and_then(|cursor| selection.final_name(cursor, &names)),
        target,
        incoming,
        existing,
        write,
        key_columns,
        on_schema_change: options.on_schema_change,
        quarantine: options.on_bad_row == OnBadRow::Quarantine,
        raw,
        writers: job.writers(),
        rows_estimate: info.rows_estimate,
    };
    refuse_too_wide(&spec, ends.destination.columns_max())?;
    let mut plan = ends.destination.plan(&spec).await?;
    note_source_types(&spec, &mut plan);
    note_refused_nulls(&spec, &mut plan);
    plan.ddl.extend(computed.iter().map(|name| format!("-- column {name} is computed by the target, and not written")));
    let rules = selection.rules(&plan, &names, &spec)?;
    let columns = selection.columns_to_read(ends.source.as_ref(), &info, &plan, &rules);
    note_unreadable(ends.source.as_ref(), &columns, &rules, &mut plan);
    let request = ReadRequest {
        stream: info.clone(),
        columns,
        mode,
        raw: plan.raw,
        only: Vec::new(),
        limit: None,
        readers: job.readers(),
        batch_bytes: job.batch_bytes(),
    };
    Ok(Planned { info, options, state, request, rules, names, spec, plan, overlap_columns })
}

/// Whether the source can tell by the cursor, or without one, what is new.
fn check_cursor(source: &dyn Source, info: &StreamInfo, options: &StreamOptions) -> Result<()> {
    if options.read != ReadKind::Incremental {
        return Ok(());
    }
    if let Some(cursor) = &options.cursor {
        let column = info.schema.field_with_name(cursor).map_err(|_| unknown_column(info, cursor, "cursor"))?;
        return source.check_cursor(column, options.lag.as_deref());
    }
    if !source.needs_cursor(&info.name) {
        return Ok(());
    }
    let fit = info.schema.fields().iter().filter(|field| source.check_cursor(field, None).is_ok());
    let fit: Vec<&str> = fit.map(|field| field.name().as_str()).take(NAMED_MAX).collect();
    let error = no_cursor(&info.name);
    Err(if fit.is_empty() {
        error.advise("No column of it can be one; use `read: full`.")
    } else {
        let advice = format!("{} Of a fitting type: {}.", error.advice(), fit.join(", "));
        error.advise(advice)
    })
}

/// The error of an incremental read that nobody named the cursor of.
pub fn no_cursor(stream: &str) -> Error {
    Error::new(ErrorKind::Config, format!("an incremental read of `{stream}` needs a cursor column"))
        .advise("Set `cursor` to a column that only grows, or use `read: full`.")
}

/// How many letters at the end of their names loads share that built on the same rows.
const LINE: usize = 12;

/// A fresh name. A load that only adds to the rows that the load before left is of its line.
fn load_id(before: Option<&Commit>, write: WriteMode, target: &str) -> String {
    match before {
        Some(before) if write == WriteMode::Append && before.target == target => load_id_after(&before.load_id),
        _ => uuid::Uuid::new_v4().simple().to_string(),
    }
}

/// A fresh name for a load that builds on the rows of another one.
pub fn load_id_after(before: &str) -> String {
    let fresh = uuid::Uuid::new_v4().simple().to_string();
    let line = before.len().checked_sub(LINE).and_then(|at| before.get(at..));
    line.map_or(fresh.clone(), |line| format!("{}{line}", &fresh[..fresh.len() - LINE]))
}

/// Whether one load was followed by such only as left its rows as they were, up to the other one.
pub fn is_built_on(current: &str, earlier: &str) -> bool {
    let line = |name: &str| name.len().checked_sub(LINE).and_then(|at| name.get(at..).map(str::to_owned));
    current == earlier || line(current).is_some_and(|of_current| line(earlier) == Some(of_current))
}

/// The stored state, unless it is of another target, or a full read or refresh does not want it.
fn usable_state(
    job: &SyncJob,
    options: &StreamOptions,
    previous: Option<&Commit>,
    target: &str,
    exists: bool,
) -> Result<State> {
    let mut state = State::of(previous.filter(|commit| commit.target == target))?;
    if job.full_refresh || options.read == ReadKind::Full {
        state.position = None;
        state.overlap = None;
    }
    if state.position.is_some() && !exists {
        return Err(Error::new(
            ErrorKind::Refused,
            format!("`{target}` is gone, but its position is stored: older rows would be missing"),
        ));
    }
    Ok(state)
}

/// An incremental append without a position would append again what may be there already.
async fn refuse_second_copy(ends: &Ends, target: &str) -> Result<()> {
    let Some(info) = ends.target.discover(Some(target)).await?.into_iter().next() else { return Ok(()) };
    let columns = Arc::new(Schema::new(info.schema.fields().iter().take(1).cloned().collect::<Vec<_>>()));
    let request = ReadRequest {
        stream: info,
        columns,
        mode: ReadMode::Full,
        raw: None,
        only: Vec::new(),
        limit: Some(1),
        readers: 1,
        batch_bytes: 64 << 10,
    };
    let mut extract = ends.target.read(request).await?;
    for reader in &mut extract.readers {
        while let Some(batch) = reader.next().await? {
            if batch.rows() + batch.rejects.len() as u64 > 0 {
                return Err(Error::new(
                    ErrorKind::Refused,
                    format!("`{target}` has rows but no stored position, so everything would be appended again"),
                )
                .advise(
                    "Use `--full-refresh` to replace its rows, `write: merge` with a key, or empty the table yourself.",
                ));
            }
        }
    }
    Ok(())
}

fn read_mode(options: &StreamOptions, state: &State) -> ReadMode {
    match options.read {
        ReadKind::Full => ReadMode::Full,
        ReadKind::Incremental => ReadMode::Incremental {
            cursor: options.cursor.clone(),
            from: state.position.clone(),
            lag: options.lag.clone(),
            mark_overlap: options.cursor.is_some() && options.write == WriteMode::Append,
        },
    }
}

fn overlap_columns(info: &StreamInfo, options: &StreamOptions, mode: &ReadMode) -> Vec<String> {
    if !matches!(mode, ReadMode::Incremental { mark_overlap: true, .. }) {
        return Vec::new();
    }
    let selected = selected_names(info, options);
    let version: Vec<String> = options.key.iter().chain(&options.cursor).cloned().collect();
    if options.key.is_empty() || !version.iter().all(|column| selected.contains(column)) { selected } else { version }
}

/// Rows that are read twice are told by the values that the last load saw: computed in another way, they would be other rows.
fn refuse_computed_overlap(options: &StreamOptions, state: &State, chosen: &[String]) -> Result<()> {
    if chosen.is_empty() {
        return Ok(());
    }
    let told_by = state.overlap.as_ref().map_or(chosen, |overlap| overlap.columns.as_slice());
    let Some(name) = told_by.iter().find(|name| options.transform.contains_key(*name)) else { return Ok(()) };
    let message = format!("rows that are read twice are told by `{name}`, which `transform` computes");
    Err(Error::new(ErrorKind::Refused, message)
        .advise("Load with `--full-refresh`, with a `key` and the cursor among the columns; or use `write: merge`."))
}

fn selected_names(info: &StreamInfo, options: &StreamOptions) -> Vec<String> {
    let columns = &options.columns;
    let wanted = |name: &String| {
        (columns.include.is_empty() || columns.include.contains(name)) && !columns.exclude.contains(name)
    };
    info.schema.fields().iter().map(|field| field.name()).filter(|name| wanted(name)).cloned().collect()
}

fn final_names(
    destination: &dyn Destination,
    selection: &Selection,
    existing: Option<&StreamInfo>,
    state: &State,
) -> BTreeMap<String, String> {
    let wanted: Vec<String> = selection.columns.iter().map(|column| column.wanted.clone()).collect();
    let mut known = state.names.clone();
    // A column of a target made by hand keeps its name for the source column of just that spelling.
    for field in existing.iter().flat_map(|existing| existing.schema.fields()) {
        if wanted.contains(field.name()) && !known.values().any(|name| name == field.name()) {
            known.insert(field.name().clone(), field.name().clone());
        }
    }
    let mut names = state.names.clone();
    names.extend(destination.name_rules().map(&wanted, &known));
    names
}

fn key_columns(
    info: &StreamInfo,
    options: &StreamOptions,
    write: WriteMode,
    selection: &Selection,
    names: &BTreeMap<String, String>,
) -> Result<Vec<String>> {
    if write == WriteMode::Append {
        return Ok(Vec::new());
    }
    let key = if options.key.is_empty() { &info.key } else { &options.key };
    let found: Option<Vec<String>> = key.iter().map(|column| selection.final_name(column, names)).collect();
    match found {
        Some(columns) if !columns.is_empty() || write == WriteMode::Replace => Ok(columns),
        None if options.key.is_empty() && write == WriteMode::Replace => Ok(Vec::new()),
        None => {
            let missing = key.iter().find(|column| selection.final_name(column, names).is_none());
            Err(unknown_column(info, missing.map_or("", String::as_str), "key"))
        }
        Some(_) => Err(Error::new(ErrorKind::Config, format!("stream `{}` has no key to merge by", info.name))
            .advise("Name the key columns with `key: [..]`, or use `write: append` or `replace`.")),
    }
}

fn unknown_column(info: &StreamInfo, column: &str, setting: &str) -> Error {
    let names: Vec<&str> = info.schema.fields().iter().map(|field| field.name().as_str()).collect();
    Error::new(ErrorKind::NotFound, format!("`{setting}` names column `{column}`, which is not loaded")).advise(
        format!(
            "{}The stream has: {}.",
            did_you_mean(nearest(column, &names)),
            names.iter().take(NAMED_MAX).copied().collect::<Vec<_>>().join(", ")
        ),
    )
}

fn is_required(schema: &Schema, column: &str) -> bool {
    schema.field_with_name(column).is_ok_and(|field| !field.is_nullable())
}

/// What the database would only find out when it makes the table.
fn refuse_too_wide(spec: &LoadSpec, columns_max: usize) -> Result<()> {
    let existing = spec.existing.iter().flat_map(|existing| existing.schema.fields());
    let kept = existing.filter(|field| spec.incoming.field_with_name(field.name()).is_err()).count();
    let columns = kept + spec.incoming.fields().len();
    if columns <= columns_max {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Unsupported,
        format!("`{}` would have {columns} columns, and a table here can have {columns_max}", spec.target),
    )
    .advise("Choose columns with `columns: { include: [..] }` or leave some out with `exclude`."))
}

/// What is kept as text had a type that the target does not know, and that its connector does not look at.
fn note_source_types(spec: &LoadSpec, plan: &mut LoadPlan) {
    for column in &mut plan.columns {
        let field = spec.incoming.field_with_name(&column.name).ok();
        let native = field.and_then(|field| field.metadata().get(NATIVE)?.split_once(':'));
        if let (Fit::Text(note), Some((_, native))) = (&mut column.fit, native.filter(|(system, _)| *system != CAST)) {
            *note = format!("{note}, from the source's type {native}");
        }
    }
}

/// Where the target's columns may not change, a NULL for one that takes none is a bad row, and the plan has to say so.
fn note_refused_nulls(spec: &LoadSpec, plan: &mut LoadPlan) {
    let Some(existing) = spec.existing.as_ref().filter(|_| spec.on_schema_change != OnSchemaChange::Evolve) else {
        return;
    };
    for column in &mut plan.columns {
        let refused = is_required(&existing.schema, &column.name) && !is_required(&spec.incoming, &column.name);
        if refused && matches!(column.fit, Fit::Exact | Fit::Widened(_) | Fit::Text(_)) {
            column.fit = Fit::Checked("NULL is refused: the target's column is NOT NULL".to_owned());
        }
    }
}

/// Values that only a text can be are bad rows where the column is read in its own type, and the plan has to say so.
fn note_unreadable(source: &dyn Source, columns: &Schema, rules: &[ColumnRule], plan: &mut LoadPlan) {
    if plan.raw.is_some() {
        return;
    }
    for (planned, rule) in plan.columns.iter_mut().zip(rules) {
        let column = columns.field(rule.input);
        let is_refused = *column.data_type() != DataType::Utf8 && source.reads_as_text(column);
        if is_refused && matches!(planned.fit, Fit::Exact | Fit::Widened(_)) {
            let note = "values that are no number, as NaN, are refused; with `cast` to `text` they are kept";
            planned.fit = Fit::Checked(note.to_owned());
        }
    }
}

fn without_new_columns(incoming: &SchemaRef, existing: &SchemaRef) -> SchemaRef {
    let known = incoming.fields().iter().filter(|field| existing.field_with_name(field.name()).is_ok());
    Arc::new(Schema::new(known.cloned().collect::<Vec<_>>()))
}

/// Leaves out the columns that the target computes by itself, but for those of the key, which are needed. Tells their names.
fn take_computed(incoming: &mut SchemaRef, key_columns: &[String], existing: &Schema, rules: NameRules) -> Vec<String> {
    let computed = schema::computed(existing);
    let same = |a: &str, b: &str| if rules.ignores_case { a.eq_ignore_ascii_case(b) } else { a == b };
    let is_computed = |field: &Arc<Field>| {
        computed.iter().any(|name| same(name, field.name())) && !key_columns.contains(field.name())
    };
    let (gone, kept): (Vec<_>, Vec<_>) = incoming.fields().iter().cloned().partition(is_computed);
    if !gone.is_empty() {
        *incoming = Arc::new(Schema::new(kept));
    }
    gone.iter().map(|field| field.name().clone()).collect()
}

/// A column that earlier loads brought and this one does not; a column that only the target ever had is its own affair.
fn refuse_gone_columns(state: &State, incoming: &Schema, existing: &Schema) -> Result<()> {
    let gone = |name: &&String| incoming.field_with_name(name).is_err() && existing.field_with_name(name).is_ok();
    let Some(column) = state.names.values().find(gone) else { return Ok(()) };
    Err(Error::new(
        ErrorKind::Schema,
        format!(
            "column `{column}` was loaded before and is gone from the source, and `on_schema_change` is not `evolve`"
        ),
    )
    .advise("Set `on_schema_change: evolve` to fill it with NULL from now on, or drop the column in the target."))
}

/// The columns a stream's options choose, and what they do to them.
struct Selection {
    columns: Vec<SelectedColumn>,
}

struct SelectedColumn {
    field: Field,
    /// The name after `columns.rename`, before the destination's rules.
    wanted: String,
    hash: bool,
    cast: Option<(DataType, Option<Logical>)>,
}

impl Selection {
    fn new(info: &StreamInfo, options: &StreamOptions) -> Result<Self> {
        let columns = &options.columns;
        let named = |setting: &'static str, names: Vec<&String>| {
            let unknown = names.into_iter().find(|name| info.schema.field_with_name(name).is_err());
            unknown.map_or(Ok(()), |name| Err(unknown_column(info, name, setting)))
        };
        named("columns.include", columns.include.iter().collect())?;
        named("columns.exclude", columns.exclude.iter().collect())?;
        named("columns.rename", columns.rename.keys().collect())?;
        named("columns.cast", columns.cast.keys().collect())?;
        named("columns.hash", columns.hash.iter().collect())?;
        named("key", options.key.iter().collect())?;
        let chosen = selected_names(info, options);
        let fields = info.schema.fields().iter().filter(|field| chosen.contains(field.name()));
        let columns = fields.map(|field| {
            let name = field.name();
            Ok(SelectedColumn {
                field: field.as_ref().clone(),
                wanted: columns.rename.get(name).unwrap_or(name).clone(),
                hash: columns.hash.contains(name),
                cast: columns.cast.get(name).map(|cast| schema::parse_type(cast)).transpose()?,
            })
        });
        Ok(Self { columns: columns.collect::<Result<_>>()? })
    }

    /// Whether rows can travel unread: every column, in order, untouched.
    fn is_whole_row(&self, info: &StreamInfo) -> bool {
        self.columns.len() == info.schema.fields().len() && self.columns.iter().all(|c| !c.hash && c.cast.is_none())
    }

    fn final_name(&self, source: &str, names: &BTreeMap<String, String>) -> Option<String> {
        let column = self.columns.iter().find(|column| column.field.name() == source)?;
        names.get(&column.wanted).cloned()
    }

    /// The fields as they come to the destination.
    fn incoming(&self, names: &BTreeMap<String, String>) -> SchemaRef {
        let fields = self.columns.iter().map(|column| {
            let name = names.get(&column.wanted).unwrap_or(&column.wanted);
            match (&column.cast, column.hash) {
                (Some((data_type, logical)), _) => {
                    let native = format!("{CAST}:{data_type}");
                    schema::field(name, data_type.clone(), column.field.is_nullable(), &native, *logical)
                }
                (None, true) => Field::new(name, DataType::Utf8, column.field.is_nullable()),
                (None, false) => column.field.clone().with_name(name),
            }
        });
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    /// One rule per column the destination wants.
    fn rules(&self, plan: &LoadPlan, names: &BTreeMap<String, String>, spec: &LoadSpec) -> Result<Vec<ColumnRule>> {
        let rule = |field: &Arc<Field>| {
            let at = self.columns.iter().position(|c| names.get(&c.wanted) == Some(field.name()));
            let input = at.ok_or_else(|| {
                Error::new(ErrorKind::Internal, format!("the destination wants the unknown column `{}`", field.name()))
            })?;
            let column = &self.columns[input];
            Ok(ColumnRule {
                input,
                source: column.field.name().clone(),
                hash: column.hash,
                cast: column.cast.as_ref().map(|(data_type, _)| data_type.clone()),
                required: spec.write == WriteMode::Merge && spec.key_columns.contains(field.name()),
            })
        };
        plan.schema.fields().iter().map(rule).collect()
    }

    /// The source's columns, in the types the source has; or in those that are wanted, where it parses text, and where it
    /// can give the text that is wanted.
    fn columns_to_read(
        &self,
        source: &dyn Source,
        info: &StreamInfo,
        plan: &LoadPlan,
        rules: &[ColumnRule],
    ) -> SchemaRef {
        let fields = self.columns.iter().enumerate().map(|(at, column)| {
            let rule = rules.iter().position(|rule| rule.input == at);
            let wanted = match (&column.cast, rule) {
                _ if column.hash => None,
                (Some((data_type, _)), _) => Some(data_type.clone()),
                (None, Some(rule)) => Some(plan.schema.field(rule).data_type().clone()),
                (None, None) => None,
            };
            let can_give = |wanted: &DataType| {
                info.typed_by_request || (*wanted == DataType::Utf8 && source.reads_as_text(&column.field))
            };
            let field = column.field.clone();
            if let Some(data_type) = wanted.filter(can_give) { field.with_data_type(data_type) } else { field }
        });
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }
}
