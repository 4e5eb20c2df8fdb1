//! Collections: typed tables of a connection that the data API serves.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value as Json;

use super::problem::Problems;
use super::shorthand::{FromText, Short};
use crate::access::Role;
use crate::naming::{did_you_mean, nearest};
use crate::rows::{self, Cell, DELETED_AT, KEY_DEFAULT, Kind, OnDelete, Pattern, Reference, Table, Tables};

/// The longest name of a column that every database takes, in bytes.
const NAME_BYTES_MAX: usize = 63;

/// A typed table that is served, as written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a collection with the keys `connection` and `columns`")]
pub struct CollectionDocument {
    /// The connection that the table lies in.
    pub connection: String,
    /// The table, with its schema if that is not the connection's own: `hr.department`; the collection's name by default.
    pub table: Option<String>,
    /// Where it is served, below the data API's address; the collection's name by default.
    pub path: Option<String>,
    /// What it holds.
    pub description: Option<String>,
    /// The columns by name.
    pub columns: BTreeMap<String, Short<ColumnDocument>>,
    /// The column that names a row: one of the columns, whose values requests give, or by default `id`, a bigint that the
    /// database gives.
    pub key: Option<String>,
    /// Whether deleted rows are kept, with the time in the column `deleted_at`; `true` by default.
    pub soft_delete: Option<bool>,
    /// Who may do what.
    #[serde(default)]
    pub access: AccessDocument,
}

/// The role that somebody needs, as written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "roles with the keys `read`, `write` and `delete`")]
pub struct AccessDocument {
    /// To see rows; `viewer` by default.
    pub read: Option<Role>,
    /// To add, change and restore them; `editor` by default.
    pub write: Option<Role>,
    /// To delete them; by default what `write` says.
    pub delete: Option<Role>,
}

/// A column, as written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a column with the key `type`")]
pub struct ColumnDocument {
    /// The type of its values.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Whether every row has a value; `false` by default.
    #[serde(default)]
    pub required: bool,
    /// Whether no two rows have one value; deleted rows do not count. `false` by default.
    #[serde(default)]
    pub unique: bool,
    /// The value of new rows that give none.
    pub default: Option<Json>,
    /// The collection whose rows it names.
    pub references: Option<Short<ReferenceDocument>>,
    /// What else holds for its values.
    #[serde(default)]
    pub check: CheckDocument,
    /// What it is for.
    pub description: Option<String>,
}

/// What a column refers to, as written.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "the name of a collection, or `{ collection: .., on_delete: .. }`")]
pub struct ReferenceDocument {
    /// The collection.
    pub collection: String,
    /// Its column; its key by default.
    pub column: Option<String>,
    /// What happens when the row it names is deleted: `restrict` (the default: it is not), `cascade` or `set_null`.
    #[serde(default)]
    pub on_delete: OnDelete,
}

/// What else holds for the values of a column, as written.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "rules such as `min`, `max_length` or `one_of`")]
pub struct CheckDocument {
    /// The least value.
    pub min: Option<Json>,
    /// The greatest value.
    pub max: Option<Json>,
    /// The fewest characters.
    pub min_length: Option<u32>,
    /// The most characters.
    pub max_length: Option<u32>,
    /// A regular expression that has to match somewhere; `^` and `$` bind it to the ends.
    pub pattern: Option<String>,
    /// The only values there are.
    pub one_of: Vec<Json>,
}

impl FromText for ColumnDocument {
    const EXPECTED: &'static str = "a type, or a column with the key `type`";

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(Self {
            kind: Kind::parse(text)?,
            required: false,
            unique: false,
            default: None,
            references: None,
            check: CheckDocument::default(),
            description: None,
        })
    }
}

impl FromText for ReferenceDocument {
    const EXPECTED: &'static str = "the name of a collection, or `{ collection: .., on_delete: .. }`";

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(Self { collection: text.to_owned(), column: None, on_delete: OnDelete::default() })
    }
}

/// The role that somebody needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// To see rows.
    pub read: Role,
    /// To add, change and restore them.
    pub write: Role,
    /// To delete them.
    pub delete: Role,
}

impl From<AccessDocument> for Access {
    fn from(document: AccessDocument) -> Self {
        let write = document.write.unwrap_or(Role::Editor);
        Self { read: document.read.unwrap_or(Role::Viewer), write, delete: document.delete.unwrap_or(write) }
    }
}

/// A typed table that is served.
#[derive(Debug, Clone, PartialEq)]
pub struct Collection {
    /// The connection that the table lies in.
    pub connection: String,
    /// Where it is served, below the data API's address.
    pub path: String,
    /// What it holds.
    pub description: Option<String>,
    /// Who may do what.
    pub access: Access,
    /// The table.
    pub table: Table,
}

impl Collection {
    /// The tables of all collections of a connection.
    pub fn tables(collections: &[Self], connection: &str) -> Tables {
        let of_it = collections.iter().filter(|collection| collection.connection == connection);
        Tables(of_it.map(|collection| (collection.table.name.clone(), collection.table.clone())).collect())
    }
}

impl CollectionDocument {
    /// The collection; `order` has the names of the columns as they were written. What it has to do with others is not
    /// looked at.
    pub(super) fn resolve(self, name: &str, order: &[&str], problems: &mut Problems) -> Option<Collection> {
        let before = problems.0.len();
        let at = |keys: &[&str]| -> Vec<String> {
            ["collections", name].iter().chain(keys).map(|key| (*key).to_owned()).collect()
        };
        let (namespace, table) = match self.table.as_deref().unwrap_or(name).split_once('.') {
            Some((namespace, table)) => (Some(namespace.to_owned()), table.to_owned()),
            None => (None, self.table.clone().unwrap_or_else(|| name.to_owned())),
        };
        if table.is_empty() || namespace.as_deref() == Some("") || self.table.as_deref().is_some_and(is_odd) {
            problems.push(
                at(&["table"]),
                "this is not the name of a table".to_owned(),
                "Write `table` or `schema.table`.",
            );
        }
        let path = self.path.clone().unwrap_or_else(|| name.to_owned());
        check_path(&path, at(&["path"]), problems);
        if self.columns.is_empty() {
            problems.push(at(&["columns"]), "there are no columns".to_owned(), "Name at least one: `name: text`.");
        }
        let soft_delete = self.soft_delete.unwrap_or(true);
        let mut columns = Vec::new();
        for (column, Short(document)) in order.iter().filter_map(|column| self.columns.get_key_value(*column)) {
            let path = at(&["columns", column]);
            if column == DELETED_AT && soft_delete {
                let advice = "Remove it: it is there by itself. Or set `soft_delete: false`.";
                problems.push(path.clone(), format!("`{DELETED_AT}` tells when a row was deleted"), advice);
            }
            if column.is_empty() || column.len() > NAME_BYTES_MAX || is_odd(column) {
                let message = format!("a column's name has 1 to {NAME_BYTES_MAX} bytes and no control characters");
                problems.push(path.clone(), message, "Choose another name.");
            }
            columns.push(document.resolve(column, &path, problems));
        }
        let key = self.key.clone().unwrap_or_else(|| KEY_DEFAULT.to_owned());
        let is_key_given = !columns.iter().any(|column| column.name == key);
        if is_key_given && self.key.as_deref().is_some_and(|key| key != KEY_DEFAULT) {
            let known: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            let advice =
                format!("{}Name one of the columns: {}.", did_you_mean(nearest(&key, &known)), known.join(", "));
            problems.push(at(&["key"]), format!("there is no column `{key}`"), &advice);
        }
        if is_key_given {
            columns.insert(0, rows::Column::new(&key, Kind::Bigint));
        }
        for column in columns.iter_mut().filter(|column| column.name == key) {
            if matches!(column.kind, Kind::Float | Kind::Json | Kind::Boolean) {
                let message = format!("a {} cannot be a key", column.kind);
                problems.push(
                    at(&["columns", &column.name, "type"]),
                    message,
                    "Choose another column, or another type.",
                );
            }
            column.required = true;
            column.unique = false;
        }
        let table = Table { name: name.to_owned(), namespace, table, columns, key, is_key_given, soft_delete };
        (problems.0.len() == before).then(|| Collection {
            connection: self.connection,
            path,
            description: self.description,
            access: self.access.into(),
            table,
        })
    }
}

impl ColumnDocument {
    fn resolve(&self, name: &str, path: &[String], problems: &mut Problems) -> rows::Column {
        let kind = self.kind;
        let at = |keys: &[&str]| -> Vec<String> {
            path.iter().cloned().chain(keys.iter().map(|key| (*key).to_owned())).collect()
        };
        let mut value = |key: &[&str], given: &Json| match Cell::from_json(kind, given) {
            Ok(cell) => Some(cell),
            Err(misfit) => {
                let message = format!("a value of the type {kind} {misfit}");
                problems.push(at(key), message, "Correct the value, or the type.");
                None
            }
        };
        let default = self.default.as_ref().and_then(|given| value(&["default"], given));
        let min = self.check.min.as_ref().and_then(|given| value(&["check", "min"], given));
        let max = self.check.max.as_ref().and_then(|given| value(&["check", "max"], given));
        let one_of = self.check.one_of.iter().filter_map(|given| value(&["check", "one_of"], given)).collect();
        let pattern = self.check.pattern.as_deref().and_then(|text| {
            let parsed = Pattern::parse(text);
            let wrong = |error: String| format!("this is not a regular expression: {error}");
            parsed.map_err(|error| problems.push(at(&["check", "pattern"]), wrong(error), "Correct it.")).ok()
        });
        let check = &self.check;
        for (rule, given) in [
            ("min", check.min.is_some()),
            ("max", check.max.is_some()),
            ("min_length", check.min_length.is_some()),
            ("max_length", check.max_length.is_some()),
            ("pattern", check.pattern.is_some()),
            ("one_of", !check.one_of.is_empty()),
        ] {
            if given && !rows::takes_rule(kind, rule) {
                let message = format!("`{rule}` has no meaning for the type {kind}");
                problems.push(at(&["check", rule]), message, "Remove it, or choose another type.");
            }
        }
        if self.unique && matches!(kind, Kind::Json | Kind::Float) {
            problems.push(at(&["unique"]), format!("a {kind} cannot be unique"), "Remove it, or choose another type.");
        }
        let references = self.references.as_ref().map(|Short(document)| {
            if document.on_delete == OnDelete::SetNull && self.required {
                let advice = "Remove `required`, or choose `restrict` or `cascade`.";
                let message = "a required column cannot become null".to_owned();
                problems.push(at(&["references", "on_delete"]), message, advice);
            }
            let column = document.column.clone().unwrap_or_default();
            Reference { table: document.collection.clone(), column, on_delete: document.on_delete }
        });
        let check =
            rows::Check { min, max, min_length: check.min_length, max_length: check.max_length, pattern, one_of };
        rows::Column {
            name: name.to_owned(),
            kind,
            required: self.required,
            unique: self.unique,
            default,
            references,
            check,
            description: self.description.clone(),
        }
    }
}

/// What collections have to do with each other: every reference leads to the key or a unique column of its type, in the
/// same connection. References to no column by name become those to the key.
pub(super) fn link(collections: &mut [Collection], problems: &mut Problems) {
    let known = collections.to_vec();
    let names: Vec<&str> = known.iter().map(|collection| collection.table.name.as_str()).collect();
    for collection in collections {
        let (name, connection) = (collection.table.name.clone(), collection.connection.clone());
        for column in &mut collection.table.columns {
            let Some(reference) = &mut column.references else { continue };
            let at = |key: &str| -> Vec<String> {
                ["collections", &name, "columns", &column.name, "references", key].map(str::to_owned).to_vec()
            };
            let Some(other) = known.iter().find(|other| other.table.name == reference.table) else {
                let near = did_you_mean(nearest(&reference.table, &names));
                let message = format!("there is no collection `{}`", reference.table);
                problems.push(at("collection"), message, &format!("{near}Collections: {}.", names.join(", ")));
                continue;
            };
            if other.connection != connection {
                let message = format!("`{}` lies in another connection: `{}`", reference.table, other.connection);
                problems.push(at("collection"), message, "Rows refer only to rows of the same connection.");
            }
            if reference.column.is_empty() {
                reference.column = other.table.key.clone();
            }
            let Some(target) = other.table.column(&reference.column) else {
                let columns: Vec<&str> = other.table.columns.iter().map(|column| column.name.as_str()).collect();
                let near = did_you_mean(nearest(&reference.column, &columns));
                let message = format!("`{}` has no column `{}`", reference.table, reference.column);
                problems.push(at("column"), message, &format!("{near}Columns: {}.", columns.join(", ")));
                continue;
            };
            if target.kind != column.kind {
                let message = format!(
                    "`{}` is {}, and `{}.{}` is {}",
                    column.name, column.kind, reference.table, target.name, target.kind
                );
                problems.push(at("collection"), message, "Give both the same type.");
            }
            let is_key = target.name == other.table.key;
            if !is_key && !target.unique {
                let message = format!("`{}.{}` is not unique", reference.table, target.name);
                problems.push(at("column"), message, "Refer to the key, or make the column unique.");
            } else if !is_key && other.table.soft_delete {
                let message = format!("deleted rows of `{}` may have the value too", reference.table);
                let advice = "Refer to the key, or set `soft_delete: false` there.";
                problems.push(at("column"), message, advice);
            }
        }
    }
}

/// Checks that no two paths are the same, nor one below another.
pub(super) fn check_paths(paths: &[(Vec<String>, &str)], problems: &mut Problems) {
    for (index, (place, path)) in paths.iter().enumerate() {
        let clash = paths[..index].iter().find(|(_, other)| {
            path == other || path.starts_with(&format!("{other}/")) || other.starts_with(&format!("{path}/"))
        });
        if let Some((_, other)) = clash {
            let message = match path == other {
                true => format!("`{path}` is served already"),
                false => format!("`{path}` and `{other}` cannot be told apart: one is below the other"),
            };
            problems.push(place.clone(), message, "Give one of the two another `path`.");
        }
    }
}

/// Checks a path below the data API's address.
pub(super) fn check_path(path: &str, at: Vec<String>, problems: &mut Problems) {
    let is_plain = |part: &str| {
        !matches!(part, "" | "." | "..")
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte))
    };
    if !path.split('/').all(is_plain) || path.len() > 200 {
        let advice = "Write words of letters, digits, `-`, `_`, `.` and `~`, parted by `/`, without one at the ends.";
        problems.push(at, format!("`{path}` cannot be served as a path"), advice);
    }
}

fn is_odd(name: &str) -> bool {
    name.chars().any(char::is_control)
}
