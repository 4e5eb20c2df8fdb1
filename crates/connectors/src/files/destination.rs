//! Plans loads of files and keeps their commits. A target is a folder of part files, or one file if its name has the
//! ending of a format; what counts in it is what its newest manifest says.

use std::path::Path;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use futures_util::future::BoxFuture;
use levada_core::batch::Reject;
use levada_core::destination::{Destination, Load, LoadPlan, LoadSpec, PlannedColumn, Promise, WriteMode};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::naming::{LengthUnit, NameRules};
use levada_core::position::{Commit, StreamKey};
use levada_core::schema::{Change, Fit, Logical, OnSchemaChange, evolve, type_name};
use levada_core::source::StreamInfo;
use sha2::{Digest, Sha256};

use super::format::{Compression, Format};
use super::listing::{self, FileSet};
use super::load::FilesLoad;
use super::manifest::{self, Manifest};
use super::place::{self, Opened, Place, join};
use super::settings::{Encoding, Root, Settings, own_compression};
use super::{Files, blocking, discover, quarantine};

/// Letters after the last dot of a name that can be the ending of a file.
const ENDING_MAX: usize = 8;
/// Below as many rows one writer makes one file.
const ROWS_PER_WRITER: u64 = 200_000;

/// What a target is, as far as its name and the settings tell.
#[derive(Debug, Clone)]
pub struct Shape {
    /// Whether it is one file instead of a folder.
    pub single: bool,
    /// The format of its files.
    pub format: Format,
    /// Their compression; formats that compress themselves have none.
    pub compression: Compression,
}

impl Shape {
    /// Of a target.
    pub fn of(target: &str, settings: &Settings, root: &Opened) -> Self {
        let single = root.single.as_deref() == Some(target) || Format::of(target).is_some();
        let format = settings.format.or_else(|| Format::of(target)).unwrap_or(Format::Parquet);
        let by_name = if single { Compression::of(target) } else { Compression::None };
        let compression = if format.is_text() { settings.compression.unwrap_or(by_name) } else { Compression::None };
        Self { single, format, compression }
    }
}

impl Destination for Files {
    fn name_rules(&self) -> NameRules {
        NameRules { length_max: 200, unit: LengthUnit::Bytes, ignores_case: false, forbidden: &['\0'] }
    }

    fn target(&self, _namespace: Option<&str>, table: &str) -> String {
        if let Some(single) = single_name(&self.settings) {
            return single;
        }
        let clean: String = table.chars().map(|c| if matches!(c, '/' | '\\' | '\0') { '_' } else { c }).collect();
        if clean == table && !matches!(table, "" | "." | "..") {
            return clean;
        }
        let hash: String = Sha256::digest(table.as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        format!("{}_{hash}", clean.trim_matches('.'))
    }

    fn describe<'a>(&'a self, target: &'a str) -> BoxFuture<'a, Result<Option<StreamInfo>>> {
        let (settings, target) = (self.settings.clone(), target.to_owned());
        blocking(move || {
            let root = place::open(&settings)?;
            let set = existing(&root, &target, &settings)?;
            let Some(set) = set else { return Ok(None) };
            let info = discover::describe(root.place.as_ref(), &set, &settings)?;
            Ok(Some(StreamInfo { name: target, ..info }))
        })
    }

    fn plan<'a>(&'a self, spec: &'a LoadSpec) -> BoxFuture<'a, Result<LoadPlan>> {
        let (settings, spec) = (self.settings.clone(), spec.clone());
        blocking(move || plan(&settings, &spec))
    }

    fn committed<'a>(&'a self, key: &'a StreamKey) -> BoxFuture<'a, Result<Option<Commit>>> {
        let (settings, key) = (self.settings.clone(), key.clone());
        blocking(move || {
            let root = place::open(&settings)?;
            Ok(all_commits(root.place.as_ref())?.into_iter().find(|commit| commit.key == key))
        })
    }

    fn commits(&self) -> BoxFuture<'_, Result<Vec<Commit>>> {
        let settings = self.settings.clone();
        blocking(move || all_commits(place::open(&settings)?.place.as_ref()))
    }

    fn forget<'a>(&'a self, key: &'a StreamKey) -> BoxFuture<'a, Result<bool>> {
        let (settings, key) = (self.settings.clone(), key.clone());
        blocking(move || forget(place::open(&settings)?.place.as_ref(), &key))
    }

    fn rejects<'a>(&'a self, load_id: &'a str, skip: usize, limit: usize) -> BoxFuture<'a, Result<Vec<Reject>>> {
        let (settings, load) = (self.settings.clone(), load_id.to_owned());
        blocking(move || quarantine::read(place::open(&settings)?.place.as_ref(), &load, skip, limit))
    }

    fn quarantine(&self, target: &str, load_id: &str) -> Option<String> {
        let root = place::open(&self.settings).ok()?;
        let home = manifest::home(target, Shape::of(target, &self.settings, &root).single);
        Some(join(&root.place.address(), &quarantine::path(&home, load_id)))
    }

    fn begin<'a>(&'a self, spec: LoadSpec, plan: LoadPlan) -> BoxFuture<'a, Result<Box<dyn Load>>> {
        let settings = self.settings.clone();
        blocking(move || Ok(Box::new(FilesLoad::begin(&settings, spec, plan)?) as Box<dyn Load>))
    }
}

/// The one file that the root stands for, told without looking into a bucket.
fn single_name(settings: &Settings) -> Option<String> {
    let with_ending = |name: &str| Format::of(name).is_some();
    match settings.place().ok()? {
        Root::Local(path) => {
            let path = std::path::absolute(&path).ok()?;
            let name = path.file_name()?.to_str()?.to_owned();
            (path.is_file() || (with_ending(&name) && !Path::new(&path).exists())).then_some(name)
        }
        Root::S3 { prefix, .. } => {
            let name = prefix.rsplit('/').next()?;
            with_ending(name).then(|| name.to_owned())
        }
    }
}

/// The files of a target, if it exists.
fn existing(root: &Opened, target: &str, settings: &Settings) -> Result<Option<FileSet>> {
    let shape = Shape::of(target, settings, root);
    if shape.single { listing::one_file(root, target) } else { listing::folder(root, target, None) }
}

fn plan(settings: &Arc<Settings>, spec: &LoadSpec) -> Result<LoadPlan> {
    if let Root::Local(path) = settings.place()? {
        refuse_unknown_ending(settings, &path)?;
    }
    let root = place::open(settings)?;
    let shape = Shape::of(&spec.target, settings, &root);
    if settings.compression.is_some() && !shape.format.is_text() {
        return Err(own_compression(shape.format));
    }
    refuse_reading_only(settings, &shape)?;
    check_mode(spec, &shape, &root)?;
    let (schema, columns) = match &spec.existing {
        None => {
            let exact = |field: &Field| planned(field, Fit::Exact);
            (spec.incoming.clone(), spec.incoming.fields().iter().map(|field| exact(field)).collect())
        }
        Some(existing) => evolved(spec, &existing.schema, shape.format)?,
    };
    if schema.fields().is_empty() && matches!(shape.format, Format::Csv | Format::Tsv | Format::Parquet) {
        let message = format!("{} files cannot hold rows without columns", shape.format.ending());
        return Err(Error::new(ErrorKind::Unsupported, message)
            .at(spec.target.clone())
            .advise("Choose `format: jsonl` or `avro`, or leave the stream out."));
    }
    let ending = format!("{}{}", shape.format.ending(), shape.compression.ending());
    let wanted = spec.rows_estimate.map_or(spec.writers, |rows| (rows / ROWS_PER_WRITER + 1) as usize);
    let (made, strategy, writers) = if shape.single {
        let strategy = "one file is written under a temporary name and takes its place when it is complete";
        (format!("write {} ({ending})", spec.target), strategy, 1)
    } else {
        let strategy = match spec.write {
            WriteMode::Replace => "new files are written; one new manifest names them and drops the old ones",
            _ => "new files are written; one new manifest adds them",
        };
        (format!("write {}/part-*.{ending}", spec.target), strategy, wanted.clamp(1, spec.writers.max(1)))
    };
    Ok(LoadPlan {
        schema,
        columns,
        ddl: vec![made],
        strategy: strategy.to_owned(),
        raw: None,
        writers,
        promise: Promise::ExactlyOnce,
    })
}

/// What was written under settings for reading would be read as something else.
fn refuse_reading_only(settings: &Settings, shape: &Shape) -> Result<()> {
    let is_csv = matches!(shape.format, Format::Csv | Format::Tsv);
    let setting = match &settings.csv {
        csv if is_csv && !csv.columns.is_empty() => "csv.columns",
        csv if shape.format.is_text() && csv.encoding != Encoding::Utf8 => "csv.encoding",
        _ => return Ok(()),
    };
    Err(Error::new(ErrorKind::Unsupported, format!("the connection sets `{setting}`, which is for reading"))
        .advise("Write with a connection of its own, without that setting."))
}

/// A root named like a file of a kind that is not written here: neither a folder of that name is meant, nor a file of
/// another kind in its place.
fn refuse_unknown_ending(settings: &Settings, root: &Path) -> Result<()> {
    let name = root.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let ending = name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).map_or("", |(_, ending)| ending);
    let is_word = ending.starts_with(|c: char| c.is_ascii_alphabetic()) && ending.len() <= ENDING_MAX;
    if !is_word || Format::of(name).is_some() || settings.format.is_some() || root.is_dir() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Config, format!("`.{ending}` is not the ending of a file that can be written"))
        .at(root.display().to_string())
        .advise(format!(
            "The endings are {}, those of text also with `.gz` or `.zst` behind. If a folder of this name is meant, make it \
             first, or set `format`.",
            Format::endings()
        )))
}

fn check_mode(spec: &LoadSpec, shape: &Shape, root: &Opened) -> Result<()> {
    let unsupported = |what: &str, advice: &str| {
        Err(Error::new(ErrorKind::Unsupported, what.to_owned()).at(spec.target.clone()).advise(advice))
    };
    match spec.write {
        WriteMode::Merge => {
            return unsupported(
                "files cannot be merged by key",
                "Use `write: append` or `write: replace`, or a database as the destination.",
            );
        }
        WriteMode::Append if shape.single => {
            return unsupported(
                "nothing can be appended to a single file",
                "Give a folder as the target (a name without the ending of a file), or use `write: replace`.",
            );
        }
        _ => {}
    }
    let home = manifest::home(&spec.target, shape.single);
    let known = manifest::newest(root.place.as_ref(), &home)?;
    if let Some((_, manifest)) = &known {
        let same = manifest.format == shape.format;
        if !same && spec.write == WriteMode::Append {
            let message = format!("the folder holds {} files, not {}", manifest.format.ending(), shape.format.ending());
            return Err(Error::new(ErrorKind::Config, message).at(spec.target.clone()).advise("Set `format` to that."));
        }
    } else if spec.existing.is_some() && !shape.single {
        return Err(Error::new(ErrorKind::Refused, "the folder holds files that Levada did not write")
            .at(format!("{}/{}", root.place.address(), spec.target))
            .advise("Choose another target, or move those files away."));
    }
    Ok(())
}

fn planned(field: &Field, fit: Fit) -> PlannedColumn {
    PlannedColumn { name: field.name().clone(), native: type_name(field), fit }
}

fn evolved(spec: &LoadSpec, existing: &Schema, format: Format) -> Result<(SchemaRef, Vec<PlannedColumn>)> {
    let renews = spec.write == WriteMode::Replace && spec.on_schema_change == OnSchemaChange::Evolve;
    let judge = |old: &Field, new: &Field| if renews { Fit::Exact } else { fit(old, new, format) };
    let changes = evolve(existing, &spec.incoming, spec.on_schema_change, &judge)?;
    let widened = |name: &str| changes.iter().any(|c| matches!(c, Change::Widen { column, .. } if column == name));
    let mut fields: Vec<Field> = Vec::new();
    let mut columns = Vec::new();
    for new in spec.incoming.fields() {
        let (field, outcome) = match existing.field_with_name(new.name()) {
            Ok(old) => match judge(old, new) {
                outcome if renews || widened(new.name()) => (new.as_ref().clone(), outcome),
                outcome => (old.clone().with_nullable(new.is_nullable()), outcome),
            },
            Err(_) => (new.as_ref().clone(), Fit::Exact),
        };
        columns.push(planned(&field, outcome));
        fields.push(field);
    }
    Ok((Arc::new(Schema::new(fields)), columns))
}

/// How well new values fit into the columns of files that are there already.
fn fit(old: &Field, new: &Field, format: Format) -> Fit {
    let (have, get) = (old.data_type(), new.data_type());
    if have == get {
        return Fit::Exact;
    }
    let note = format!("{} into {}", type_name(new), type_name(old));
    if contains(have, get) {
        return Fit::Widened(note);
    }
    if *have == DataType::Utf8 && Logical::of(old).is_none_or(|l| matches!(l, Logical::Untyped | Logical::Foreign)) {
        return Fit::Text(note);
    }
    // The values in files of text can be read as a wider type at any time; those of typed files cannot.
    if format.is_text() && contains(get, have) {
        return Fit::NeedsWidening(type_name(new));
    }
    Fit::Checked(note)
}

/// Whether every value of `inner` is one of `outer`.
fn contains(outer: &DataType, inner: &DataType) -> bool {
    use DataType as T;
    let bits = |t: &T| match t {
        T::Int8 => Some((true, 8)),
        T::Int16 => Some((true, 16)),
        T::Int32 => Some((true, 32)),
        T::Int64 => Some((true, 64)),
        T::UInt8 => Some((false, 8)),
        T::UInt16 => Some((false, 16)),
        T::UInt32 => Some((false, 32)),
        T::UInt64 => Some((false, 64)),
        _ => None,
    };
    match (outer, inner) {
        (T::Float64, T::Float32) => true,
        (T::Decimal128(p, s) | T::Decimal256(p, s), T::Decimal128(q, r) | T::Decimal256(q, r)) => {
            s >= r && i16::from(*p) - i16::from(*s) >= i16::from(*q) - i16::from(*r)
        }
        _ => match (bits(outer), bits(inner)) {
            (Some((outer_signed, outer)), Some((inner_signed, inner))) if outer_signed == inner_signed => {
                outer >= inner
            }
            (Some((true, outer)), Some((false, inner))) => outer > inner,
            _ => false,
        },
    }
}

/// Every home of manifests below the root.
fn homes(place: &dyn Place) -> Result<Vec<String>> {
    let listed = place.list("")?;
    let mut homes: Vec<String> =
        listed.iter().filter_map(|file| manifest::target_of(&file.path)).map(|(home, _)| home.to_owned()).collect();
    homes.dedup();
    Ok(homes)
}

/// Every stream's last commit, ordered by key.
pub fn all_commits(place: &dyn Place) -> Result<Vec<Commit>> {
    let mut commits: Vec<Commit> = Vec::new();
    for home in homes(place)? {
        commits.extend(manifest::newest(place, &home)?.map(|(_, manifest)| manifest.commits).unwrap_or_default());
    }
    let order = |c: &Commit| (c.key.pipeline.clone(), c.key.stream.clone());
    commits.sort_by(|a, b| order(a).cmp(&order(b)).then(b.committed_at.cmp(&a.committed_at)));
    commits.dedup_by(|later, first| later.key == first.key);
    Ok(commits)
}

fn forget(place: &dyn Place, key: &StreamKey) -> Result<bool> {
    let mut found = false;
    for home in homes(place)? {
        let known = |m: &Manifest| m.commits.iter().any(|commit| commit.key == *key);
        if !manifest::newest(place, &home)?.is_some_and(|(_, manifest)| known(&manifest)) {
            continue;
        }
        let guard = place.lock(&home)?;
        if let Some((number, mut manifest)) = manifest::newest(place, &home)?.filter(|(_, m)| known(m)) {
            manifest.commits.retain(|commit| commit.key != *key);
            let bytes = serde_json::to_vec_pretty(&manifest)
                .map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
            if !place.put_new(&manifest::path(&home, number + 1), &bytes)? {
                return Err(
                    Error::new(ErrorKind::Busy, "another run is writing here").at(join(&place.address(), &home))
                );
            }
            found = true;
        }
        guard.release();
    }
    Ok(found)
}
