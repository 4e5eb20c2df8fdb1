//! What a table of the data API is: its columns with their types and rules, its key, and who refers to whom.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

use super::value::Cell;
use crate::error::{Error, ErrorKind, Result};
use crate::naming::{did_you_mean, nearest};

/// The column that tells when a row was deleted, in tables that keep such rows.
pub const DELETED_AT: &str = "deleted_at";
/// The key of a table that names none: a bigint that the database gives.
pub const KEY_DEFAULT: &str = "id";
/// The most digits of a decimal.
pub const PRECISION_MAX: u8 = 38;

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Text.
    Text,
    /// A whole number of 32 bits.
    Integer,
    /// A whole number of 64 bits.
    Bigint,
    /// A decimal of so many digits, `scale` of them after the point.
    Decimal {
        /// All digits.
        precision: u8,
        /// Digits after the point.
        scale: u8,
    },
    /// A double.
    Float,
    /// True or false.
    Boolean,
    /// A day.
    Date,
    /// An instant, to the microsecond.
    Timestamp,
    /// A UUID.
    Uuid,
    /// Any JSON value.
    Json,
}

const KIND_WORDS: [(&str, Kind); 9] = [
    ("text", Kind::Text),
    ("integer", Kind::Integer),
    ("bigint", Kind::Bigint),
    ("float", Kind::Float),
    ("boolean", Kind::Boolean),
    ("date", Kind::Date),
    ("timestamp", Kind::Timestamp),
    ("uuid", Kind::Uuid),
    ("json", Kind::Json),
];

impl Kind {
    /// Reads the word of a document: `text`, `decimal(10,2)`.
    ///
    /// # Errors
    /// What is wrong with it, and on the next line what to do.
    pub fn parse(word: &str) -> std::result::Result<Self, String> {
        if let Some((_, kind)) = KIND_WORDS.iter().find(|(known, _)| *known == word) {
            return Ok(*kind);
        }
        if word == "decimal" {
            return Err("a decimal needs the number of its digits\nWrite `decimal(10,2)`: ten digits, two of them \
                        after the point."
                .to_owned());
        }
        if let Some(inside) = word.strip_prefix("decimal(").and_then(|rest| rest.strip_suffix(')')) {
            let (precision, scale) = inside.split_once(',').unwrap_or((inside, "0"));
            if let (Ok(precision), Ok(scale)) = (precision.trim().parse::<u8>(), scale.trim().parse::<u8>())
                && (1..=PRECISION_MAX).contains(&precision)
                && scale <= precision
            {
                return Ok(Self::Decimal { precision, scale });
            }
            return Err(format!(
                "`{word}` is not a type\nA decimal has 1 to {PRECISION_MAX} digits, of which some or all are after the \
                 point: `decimal(10,2)`."
            ));
        }
        let known: Vec<&str> = KIND_WORDS.iter().map(|(known, _)| *known).chain(["decimal(p,s)"]).collect();
        let near = did_you_mean(nearest(word, &known));
        Err(format!("`{word}` is not a type of a column\n{near}Types: {}.", known.join(", ")))
    }

    /// Whether values can be compared and sorted.
    pub fn is_ordered(self) -> bool {
        self != Self::Json
    }

    /// The JSON schema of its values, as they are answered and taken.
    pub fn json_schema(self) -> serde_json::Value {
        use serde_json::json;
        match self {
            Self::Text => json!({ "type": "string" }),
            Self::Integer => json!({ "type": "integer", "format": "int32" }),
            Self::Bigint => json!({ "type": ["integer", "string"], "format": "int64", "pattern": "^-?[0-9]+$" }),
            Self::Decimal { .. } => {
                json!({ "type": ["string", "number"], "format": "decimal", "pattern": "^-?[0-9]+(\\.[0-9]+)?$" })
            }
            Self::Float => json!({ "type": "number", "format": "double" }),
            Self::Boolean => json!({ "type": "boolean" }),
            Self::Date => json!({ "type": "string", "format": "date" }),
            Self::Timestamp => json!({ "type": "string", "format": "date-time" }),
            Self::Uuid => json!({ "type": "string", "format": "uuid" }),
            Self::Json => json!({}),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Decimal { precision, scale } = self {
            return write!(f, "decimal({precision},{scale})");
        }
        let word = KIND_WORDS.iter().find(|(_, kind)| kind == self).map(|(word, _)| *word);
        f.write_str(word.unwrap_or_default())
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Kind {
    fn schema_name() -> Cow<'static, str> {
        "ColumnType".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words: Vec<&str> = KIND_WORDS.iter().map(|(word, _)| *word).collect();
        let decimal = "^decimal\\([0-9]+(, *[0-9]+)?\\)$";
        json_schema!({ "anyOf": [{ "enum": words }, { "type": "string", "pattern": decimal }] })
    }
}

/// What happens to rows that refer to one that is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDelete {
    /// A row that others refer to is not deleted.
    #[default]
    Restrict,
    /// They are deleted with it, in the same way: softly where it is.
    Cascade,
    /// They refer to nothing from then on.
    SetNull,
}

/// That values of a column are those of another table's column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The other table's name in [`Tables`].
    pub table: String,
    /// Its column: the key, or a unique one.
    pub column: String,
    /// What happens when the other row is deleted.
    pub on_delete: OnDelete,
}

/// A regular expression.
#[derive(Debug, Clone)]
pub struct Pattern(regex::Regex);

impl Pattern {
    /// Reads one. It matches where it occurs anywhere in a text; `^` and `$` bind it to the ends.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> std::result::Result<Self, String> {
        let built = regex::RegexBuilder::new(text).size_limit(1 << 20).build();
        built.map(Self).map_err(|error| {
            let said = error.to_string();
            said.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
        })
    }

    /// Whether it occurs in a text.
    pub fn matches(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

/// What values of a column have to be besides being of its type.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Check {
    /// The least value.
    pub min: Option<Cell>,
    /// The greatest value.
    pub max: Option<Cell>,
    /// The fewest characters of a text.
    pub min_length: Option<u32>,
    /// The most characters of a text.
    pub max_length: Option<u32>,
    /// What has to occur in a text.
    pub pattern: Option<Pattern>,
    /// The only values there are, if any are named.
    pub one_of: Vec<Cell>,
}

/// A column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name, in the database and in JSON.
    pub name: String,
    /// The type of its values.
    pub kind: Kind,
    /// Whether every row has a value.
    pub required: bool,
    /// Whether no two rows have one value; rows that are deleted softly do not count.
    pub unique: bool,
    /// The value of new rows that give none.
    pub default: Option<Cell>,
    /// What it refers to.
    pub references: Option<Reference>,
    /// What else holds for its values.
    pub check: Check,
    /// What it is for.
    pub description: Option<String>,
}

impl Column {
    /// A column of a type without any rule.
    pub fn new(name: &str, kind: Kind) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            required: false,
            unique: false,
            default: None,
            references: None,
            check: Check::default(),
            description: None,
        }
    }
}

/// A table.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The name of the collection.
    pub name: String,
    /// The schema it lies in, where the database has such a thing and it is not the connection's own.
    pub namespace: Option<String>,
    /// Its name in the database.
    pub table: String,
    /// Its columns; the key is the first one or stands where the document names it.
    pub columns: Vec<Column>,
    /// The column that names a row.
    pub key: String,
    /// Whether the database gives keys to rows that bring none.
    pub is_key_given: bool,
    /// Whether deleted rows are kept, with the instant in [`DELETED_AT`].
    pub soft_delete: bool,
}

impl Table {
    /// A column by name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// A column by name, for a person who wrote it.
    ///
    /// # Errors
    /// `Usage`, with the nearest name.
    pub fn known(&self, name: &str) -> Result<&Column> {
        self.column(name).ok_or_else(|| {
            let known: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
            Error::new(ErrorKind::Usage, format!("`{}` has no column `{name}`", self.name)).advise(format!(
                "{}Columns: {}.",
                did_you_mean(nearest(name, &known)),
                known.join(", ")
            ))
        })
    }

    /// The key column.
    ///
    /// # Errors
    /// `Internal` where the table has no such column.
    pub fn key_column(&self) -> Result<&Column> {
        let missing = || Error::new(ErrorKind::Internal, format!("`{}` has no column for its key", self.name));
        self.column(&self.key).ok_or_else(missing)
    }

    /// Its name in the database as people write it.
    pub fn shown(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{namespace}.{}", self.table),
            None => self.table.clone(),
        }
    }
}

/// The tables of one connection, by the name of their collection. What they refer to is among them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tables(pub BTreeMap<String, Table>);

impl Tables {
    /// A table by name.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn get(&self, name: &str) -> Result<&Table> {
        let missing = || Error::new(ErrorKind::NotFound, format!("there is no collection `{name}`"));
        self.0.get(name).ok_or_else(missing)
    }

    /// Every column that refers to a table, with the table it is in.
    pub fn referring<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a Table, &'a Column, &'a Reference)> {
        let columns = self.0.values().flat_map(|table| table.columns.iter().map(move |column| (table, column)));
        columns.filter_map(move |(table, column)| {
            let reference = column.references.as_ref().filter(|reference| reference.table == name)?;
            Some((table, column, reference))
        })
    }
}
