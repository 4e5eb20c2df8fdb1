//! The columns of an endpoint: as declared, or as its first records tell.

use std::collections::HashMap;

use arrow_schema::{DataType, Field};
use levada_core::error::Result;
use levada_core::schema::{self, Logical, field, parse_type, type_name};

use super::endpoint::{Endpoint, Nested};
use super::path::Path;
use crate::files::json::{Keys, entries};

/// Field metadata: where in a record the column's value is, as a JSON list of names.
const PATH: &str = "http:path";
/// Objects deeper than this stay JSON.
const FLAT_DEPTH_MAX: usize = 5;

/// The declared columns of an endpoint, those included that it has from above; none if it declares none.
///
/// # Errors
/// `Config` for a type that is none.
pub fn declared(endpoint: &Endpoint) -> Result<Vec<Field>> {
    if endpoint.columns.0.is_empty() {
        return Ok(Vec::new());
    }
    let columns = endpoint.columns.0.iter().map(|(name, column)| {
        let (data_type, logical) = parse_type(column.type_name())?;
        let native = format!("http:{}", column.type_name());
        Ok(at(field(name, data_type, !endpoint.key.contains(name), &native, logical), &column.path(name)))
    });
    let mut columns: Vec<Field> = columns.collect::<Result<_>>()?;
    for name in inherited(endpoint).filter(|name| endpoint.columns.0.iter().all(|(known, _)| known != *name)) {
        columns.push(at(text(name, endpoint), &Path::key(name)));
    }
    Ok(columns)
}

/// Columns that records have from the record above.
pub fn inherited(endpoint: &Endpoint) -> impl Iterator<Item = &String> {
    endpoint.parent.iter().flat_map(|parent| parent.columns.keys())
}

fn text(name: &str, endpoint: &Endpoint) -> Field {
    field(name, DataType::Utf8, !endpoint.key.iter().any(|key| key == name), "http:text", None)
}

fn at(field: Field, path: &Path) -> Field {
    let mut metadata = field.metadata().clone();
    metadata.insert(PATH.to_owned(), serde_json::Value::from(path.0.clone()).to_string());
    field.with_metadata(metadata)
}

/// Where in a record a column's value is.
pub fn path_of(field: &Field) -> Path {
    let told = field.metadata().get(PATH).and_then(|list| serde_json::from_str(list).ok());
    told.map_or_else(|| Path::key(field.name()), Path)
}

/// What records tell of their columns.
pub struct Sample {
    keys: Keys,
    /// The path of each key, by the name under which it was seen.
    paths: HashMap<String, Path>,
    flat: bool,
    cursor: Cursor,
}

/// What the texts of the cursor column are.
#[derive(Default)]
struct Cursor {
    name: Option<String>,
    seen: usize,
    instants: usize,
    naive: usize,
}

impl Sample {
    /// For an endpoint that declares no columns.
    pub fn new(endpoint: &Endpoint, nested: Nested) -> Self {
        let name = endpoint.incremental.as_ref().map(|incremental| incremental.cursor.clone());
        Self {
            keys: Keys::default(),
            paths: HashMap::new(),
            flat: endpoint.nested.unwrap_or(nested) == Nested::Columns,
            cursor: Cursor { name, ..Cursor::default() },
        }
    }

    /// Takes one record into account, and what it has from above. What is no object is left to the reader to reject.
    pub fn see(&mut self, record: &str, above: &[(String, String)]) {
        for (name, raw) in above {
            self.value(&Path::key(name), raw);
        }
        self.object(&Path::default(), record);
    }

    fn object(&mut self, place: &Path, text: &str) {
        let mut found = Vec::new();
        let _ = entries(text, |key, raw| found.push((key.to_owned(), raw)));
        for (key, raw) in found {
            let mut path = place.clone();
            path.0.push(key);
            self.value(&path, raw);
            if self.flat && raw.starts_with('{') && path.0.len() < FLAT_DEPTH_MAX {
                self.object(&path, raw);
            }
        }
    }

    fn value(&mut self, path: &Path, raw: &str) {
        let name = path.0.join(".");
        self.keys.see_value(&name, raw);
        if self.cursor.name.as_ref() == Some(&name) {
            self.cursor.see(raw);
        }
        self.paths.entry(name).or_insert_with(|| path.clone());
    }

    /// The columns. An object whose values became columns is none itself; one that sometimes is something else stays one.
    pub fn fields(&self, endpoint: &Endpoint) -> Vec<Field> {
        let fields = self.keys.fields();
        let path = |field: &Field| self.paths.get(field.name()).cloned().unwrap_or_default();
        let is_json = |field: &Field| Logical::of(field) == Some(Logical::Json);
        let only_objects = |field: &Field| self.keys.only_objects(field.name());
        let is_below = |inner: &Path, outer: &Path| inner.0.len() > outer.0.len() && inner.0.starts_with(&outer.0);
        let kept = fields.iter().filter(|field| {
            let own = path(field);
            let has_below = fields.iter().any(|other| is_below(&path(other), &own));
            let above_stays = fields.iter().any(|other| is_below(&own, &path(other)) && !only_objects(other));
            !(above_stays || (has_below && is_json(field) && only_objects(field)))
        });
        let kept: Vec<&Field> = kept.collect();
        let named = |field: &Field| {
            let own = path(field);
            let name = own.0.join("_");
            let is_taken = kept.iter().any(|other| path(other) != own && path(other).0.join("_") == name);
            if is_taken { own.0.join(".") } else { name }
        };
        kept.iter()
            .map(|field| {
                let name = named(field);
                let typed = self.cursor.typed(field).with_name(&name);
                at(typed.with_nullable(!endpoint.key.contains(&name)), &path(field))
            })
            .collect()
    }
}

impl Cursor {
    fn see(&mut self, raw: &str) {
        if raw == "null" {
            return;
        }
        self.seen += 1;
        let text = super::path::scalar(raw).filter(|_| raw.starts_with('"')).unwrap_or_default();
        match levada_core::text::parse_timestamp(&text) {
            Some((_, _, true)) => self.instants += 1,
            Some(_) => self.naive += 1,
            None => {}
        }
    }

    /// Texts do not sort as the times that they are.
    fn typed(&self, field: &Field) -> Field {
        let data_type = match self.seen {
            0 => return field.clone(),
            seen if seen == self.instants => schema::timestamp_utc(),
            seen if seen == self.naive => schema::timestamp(),
            _ => return field.clone(),
        };
        if self.name.as_ref() != Some(field.name()) {
            return field.clone();
        }
        schema::field(field.name(), data_type, true, "http:timestamp", None)
    }
}

/// The columns as one line for people.
pub fn shown(fields: &[Field]) -> String {
    fields.iter().map(|field| format!("{} {}", field.name(), type_name(field))).collect::<Vec<_>>().join(", ")
}
