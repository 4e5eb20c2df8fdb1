//! The manifest of a target: the list of the files that count, their columns, and the commits that made them. Each
//! commit is a new numbered manifest that must not exist yet; that one act makes data and state durable together.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::position::Commit;
use levada_core::schema::{UTC, parse_type, type_name};
use serde::{Deserialize, Serialize};

use super::format::{Compression, Format};
use super::place::{Place, join};

/// The folder that keeps the manifests, hidden from every reader by its first letter.
pub const FOLDER: &str = "_levada";

/// What a target is after some commit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of this layout.
    pub version: u32,
    /// The format of all files.
    pub format: Format,
    /// Their compression.
    pub compression: Compression,
    /// The columns.
    pub columns: Vec<Column>,
    /// The files, by their path below the root.
    pub files: Vec<Entry>,
    /// The last commit of every stream that writes here.
    pub commits: Vec<Commit>,
}

/// One file of a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its path below the root.
    pub path: String,
    /// Its rows.
    pub rows: u64,
    /// Its length.
    pub bytes: u64,
}

/// One column of a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, in the words of pipelines.
    #[serde(rename = "type")]
    pub data_type: String,
    /// Whether it may be NULL.
    pub nullable: bool,
    /// Native type and meaning.
    #[serde(default, skip_serializing_if = "HashMap::is_empty")]
    pub metadata: HashMap<String, String>,
}

impl Column {
    fn of(field: &Field) -> Self {
        let bare = Field::new("", field.data_type().clone(), true);
        Self {
            name: field.name().clone(),
            data_type: type_name(&bare),
            nullable: field.is_nullable(),
            metadata: field.metadata().clone(),
        }
    }

    fn field(&self) -> Result<Field> {
        let nanos = |zone: Option<&str>| DataType::Timestamp(TimeUnit::Nanosecond, zone.map(Arc::from));
        let data_type = match self.data_type.as_str() {
            "timestamp_ns" => nanos(None),
            "timestamptz_ns" => nanos(Some(UTC)),
            other => parse_type(other)?.0,
        };
        Ok(Field::new(&self.name, data_type, self.nullable).with_metadata(self.metadata.clone()))
    }
}

impl Manifest {
    /// The columns as a schema.
    pub fn schema(&self) -> Result<SchemaRef> {
        let fields = self.columns.iter().map(Column::field).collect::<Result<Vec<_>>>()?;
        Ok(Arc::new(Schema::new(fields)))
    }

    /// The columns of a schema.
    pub fn columns(schema: &Schema) -> Vec<Column> {
        schema.fields().iter().map(|field| Column::of(field)).collect()
    }

    /// All rows.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }
}

/// Where the manifests of a target are: in the target's folder, or for a single file in a folder of its name beside it.
pub fn home(target: &str, single: bool) -> String {
    if !single {
        return join(target, FOLDER);
    }
    let (folder, name) = target.rsplit_once('/').unwrap_or(("", target));
    join(&join(folder, FOLDER), name)
}

/// The home that a file belongs to, if it is a manifest of a folder.
pub fn folder_home(path: &str) -> Option<&str> {
    let (home, name) = path.rsplit_once('/')?;
    let last = home.rsplit('/').next()?;
    (last == FOLDER && number(name).is_some()).then_some(home)
}

/// The home of any manifest, and the target it describes.
pub fn target_of(path: &str) -> Option<(&str, String)> {
    let (home, name) = path.rsplit_once('/')?;
    number(name)?;
    if let Some(folder) = home.strip_suffix(FOLDER) {
        return Some((home, folder.trim_end_matches('/').to_owned()));
    }
    let (above, file) = home.rsplit_once('/')?;
    let folder = above.strip_suffix(FOLDER)?.trim_end_matches('/');
    Some((home, join(folder, file)))
}

fn number(name: &str) -> Option<u64> {
    name.strip_prefix("manifest-")?.strip_suffix(".json")?.parse().ok()
}

/// The path of a manifest.
pub fn path(home: &str, number: u64) -> String {
    format!("{home}/manifest-{number:08}.json")
}

/// The newest manifest of a home and its number.
pub fn newest(place: &dyn Place, home: &str) -> Result<Option<(u64, Manifest)>> {
    let listed = place.list(home)?;
    let depth = home.len() + 1;
    let newest = listed.iter().filter_map(|file| number(file.path.get(depth..)?)).max();
    newest.map(|newest| Ok((newest, at(place, home, newest)?))).transpose()
}

/// The manifest of a home with a number.
pub fn at(place: &dyn Place, home: &str, number: u64) -> Result<Manifest> {
    let path = path(home, number);
    let bytes = place.read(&path)?;
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|error| {
        Error::new(ErrorKind::Data, format!("the manifest `{path}` cannot be read: {error}"))
            .at(place.address())
            .advise("It may be of a newer version of Levada; else load the folder anew into an empty one.")
    })?;
    if manifest.version != 1 {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!("the manifest `{path}` is of a newer version of Levada"),
        ));
    }
    Ok(manifest)
}

/// Removes manifests that have long been followed by newer ones; failing to is harmless.
pub fn prune(place: &dyn Place, home: &str, newest: u64) {
    const KEPT: u64 = 10;
    for file in place.list(home).unwrap_or_default() {
        let old = file.path.get(home.len() + 1..).and_then(number).is_some_and(|n| n + KEPT <= newest);
        if old {
            let _ = place.delete(&file.path);
        }
    }
}
