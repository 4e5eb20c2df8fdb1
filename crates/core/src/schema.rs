//! The schema of a stream: the closed set of column types every connector understands, what a field remembers of its
//! native type, and the decision of what a change of columns does to a destination.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Schema, TimeUnit};

use crate::error::{Error, ErrorKind, Result};

/// Field metadata: the native type in the words of its system, for instance `postgres:numeric(10,2)`.
pub const NATIVE: &str = "levada:native";
/// Field metadata: what a text or bytes column means, see [`Logical`].
pub const LOGICAL: &str = "levada:logical";

/// Field metadata of a described target: the column fills itself when a load does not bring it.
pub const HAS_DEFAULT: &str = "levada:has_default";

/// Schema metadata of a described target: the columns that the system computes itself, as a JSON list. They are not among
/// the fields, and no load writes them.
pub const COMPUTED: &str = "levada:computed";

/// Field metadata: the labels of an enumerated type in their order, as a JSON list.
pub const LABELS: &str = "levada:labels";

/// The time zone of every timestamp that denotes an instant.
pub const UTC: &str = "UTC";

/// Whether a type belongs to the closed set that travels between connectors. A source maps everything else to canonical
/// text (nested values to JSON text), and says so in the metadata.
pub fn is_canonical(data_type: &DataType) -> bool {
    use DataType as T;
    match data_type {
        T::Boolean | T::Int8 | T::Int16 | T::Int32 | T::Int64 | T::UInt8 | T::UInt16 | T::UInt32 | T::UInt64 => true,
        T::Float32 | T::Float64 | T::Decimal128(..) | T::Decimal256(..) | T::Utf8 | T::Binary | T::Date32 => true,
        T::FixedSizeBinary(16) => true,
        T::Time64(TimeUnit::Microsecond) | T::Duration(TimeUnit::Microsecond) => true,
        T::Timestamp(TimeUnit::Microsecond | TimeUnit::Nanosecond, zone) => zone.as_deref().is_none_or(|z| z == UTC),
        _ => false,
    }
}

/// `timestamp` in microseconds without a zone.
pub fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, None)
}

/// An instant in microseconds.
pub fn timestamp_utc() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from(UTC)))
}

/// What the values of a column mean beyond their Arrow type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Logical {
    /// `Utf8`: a JSON document as it was written.
    Json,
    /// `FixedSizeBinary(16)`: a UUID.
    Uuid,
    /// `Utf8`: one of a set of labels.
    Enum,
    /// `Utf8`: a string of `0` and `1`.
    Bits,
    /// `Utf8`: a decimal number of any size, or `NaN`, `Infinity`, `-Infinity`.
    Number,
    /// `Utf8`: an interval as ISO 8601 (`P1Y2M3DT4H5M6.789S`).
    Interval,
    /// `Binary`: a geometry as WKB.
    Wkb,
    /// `Utf8`: the text form of a type that only its own system knows; [`NATIVE`] names it.
    Foreign,
    /// `Utf8`: text read from a format without types (CSV); it can be given any type that its values have.
    Untyped,
}

impl Logical {
    const ALL: [(Logical, &'static str); 9] = [
        (Logical::Json, "json"),
        (Logical::Uuid, "uuid"),
        (Logical::Enum, "enum"),
        (Logical::Bits, "bits"),
        (Logical::Number, "number"),
        (Logical::Interval, "interval"),
        (Logical::Wkb, "wkb"),
        (Logical::Foreign, "foreign"),
        (Logical::Untyped, "untyped"),
    ];

    /// Its word in the metadata.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(logical, _)| *logical == self).map_or("", |(_, word)| word)
    }

    /// What a field's metadata says.
    pub fn of(field: &Field) -> Option<Self> {
        let word = field.metadata().get(LOGICAL)?;
        Self::ALL.iter().find(|(_, known)| known == word).map(|(logical, _)| *logical)
    }
}

/// Builds a field with its native type (`system:type`) and meaning.
pub fn field(name: &str, data_type: DataType, nullable: bool, native: &str, logical: Option<Logical>) -> Field {
    let mut metadata = HashMap::from([(NATIVE.to_owned(), native.to_owned())]);
    if let Some(logical) = logical {
        metadata.insert(LOGICAL.to_owned(), logical.word().to_owned());
    }
    Field::new(name, data_type, nullable).with_metadata(metadata)
}

/// The native type of a field if it comes from the given system: `native_of(field, "postgres") == Some("jsonb")`.
pub fn native_of<'a>(field: &'a Field, system: &str) -> Option<&'a str> {
    field.metadata().get(NATIVE)?.strip_prefix(system)?.strip_prefix(':')
}

/// The labels of an enumerated type, in their order; none where they are not known.
pub fn labels(field: &Field) -> Vec<String> {
    field.metadata().get(LABELS).and_then(|list| serde_json::from_str(list).ok()).unwrap_or_default()
}

/// The fields of a described target, with the names of the columns that its system computes.
pub fn with_computed(fields: Schema, computed: &[String]) -> Schema {
    if computed.is_empty() {
        return fields;
    }
    let mut metadata = fields.metadata().clone();
    metadata.insert(COMPUTED.to_owned(), serde_json::Value::from(computed).to_string());
    fields.with_metadata(metadata)
}

/// The columns of a described target that its system computes.
pub fn computed(target: &Schema) -> Vec<String> {
    target.metadata().get(COMPUTED).and_then(|list| serde_json::from_str(list).ok()).unwrap_or_default()
}

/// Whether the values of a column have an order that a cursor can follow.
///
/// # Errors
/// `Config`, naming the column and its type.
pub fn check_order(field: &Field) -> Result<()> {
    let has_none = match (field.data_type(), Logical::of(field)) {
        (DataType::Boolean, _) => true,
        (DataType::Utf8 | DataType::Binary, logical) => logical.is_some_and(|logical| {
            !matches!(logical, Logical::Number | Logical::Enum | Logical::Foreign | Logical::Untyped)
        }),
        _ => false,
    };
    if has_none { Err(no_cursor(field)) } else { Ok(()) }
}

/// The error for a column whose type has no useful order.
pub fn no_cursor(field: &Field) -> Error {
    let native = field.metadata().get(NATIVE).and_then(|native| native.split_once(':')).map(|(_, native)| native);
    let type_name = native.map_or_else(|| type_name(field), str::to_owned);
    Error::new(ErrorKind::Config, format!("column `{}` of type {type_name} cannot be a cursor", field.name()))
        .advise("Choose a column of numbers, dates, timestamps or texts that only grow.")
}

/// A short name of a column type for people: `int64`, `decimal(10,2)`, `timestamp`, `json`.
pub fn type_name(field: &Field) -> String {
    if let Some(logical) = Logical::of(field).filter(|l| !matches!(l, Logical::Foreign | Logical::Untyped)) {
        return logical.word().to_owned();
    }
    match field.data_type() {
        DataType::Utf8 => "text".to_owned(),
        DataType::Binary => "bytes".to_owned(),
        DataType::Boolean => "bool".to_owned(),
        DataType::FixedSizeBinary(16) => "uuid".to_owned(),
        DataType::Date32 => "date".to_owned(),
        DataType::Time64(_) => "time".to_owned(),
        DataType::Duration(_) => "duration".to_owned(),
        DataType::Decimal128(p, s) | DataType::Decimal256(p, s) => format!("decimal({p},{s})"),
        DataType::Timestamp(unit, zone) => format!(
            "timestamp{}{}",
            if zone.is_some() { "tz" } else { "" },
            if *unit == TimeUnit::Nanosecond { "_ns" } else { "" }
        ),
        other => other.to_string().to_lowercase(),
    }
}

/// Parses a type name as used in `casts` of a pipeline; the inverse of [`type_name`]. Returns the Arrow type and the
/// meaning.
///
/// # Errors
/// `Config`, with the list of type names.
pub fn parse_type(name: &str) -> Result<(DataType, Option<Logical>)> {
    let word = name.trim().to_ascii_lowercase();
    let plain = |data_type| Ok((data_type, None));
    if let Some(arguments) = word.strip_prefix("decimal(").and_then(|rest| rest.strip_suffix(')')) {
        let mut numbers = arguments.split(',').map(|part| part.trim().parse::<i16>());
        if let (Some(Ok(p)), s, None) = (numbers.next(), numbers.next().unwrap_or(Ok(0)), numbers.next())
            && let Ok(s) = s
            && (1..=76).contains(&p)
            && (0..=p).contains(&s)
        {
            let (p, s) = (p as u8, s as i8);
            return plain(if p <= 38 { DataType::Decimal128(p, s) } else { DataType::Decimal256(p, s) });
        }
    }
    match word.as_str() {
        "bool" | "boolean" => plain(DataType::Boolean),
        "int8" => plain(DataType::Int8),
        "int16" | "smallint" => plain(DataType::Int16),
        "int32" | "int" | "integer" => plain(DataType::Int32),
        "int64" | "bigint" => plain(DataType::Int64),
        "uint8" => plain(DataType::UInt8),
        "uint16" => plain(DataType::UInt16),
        "uint32" => plain(DataType::UInt32),
        "uint64" => plain(DataType::UInt64),
        "float32" | "real" => plain(DataType::Float32),
        "float64" | "double" => plain(DataType::Float64),
        "text" | "string" => plain(DataType::Utf8),
        "bytes" | "binary" => plain(DataType::Binary),
        "date" => plain(DataType::Date32),
        "time" => plain(DataType::Time64(TimeUnit::Microsecond)),
        "duration" => plain(DataType::Duration(TimeUnit::Microsecond)),
        "timestamp" => plain(timestamp()),
        "timestamptz" => plain(timestamp_utc()),
        "json" => Ok((DataType::Utf8, Some(Logical::Json))),
        "number" => Ok((DataType::Utf8, Some(Logical::Number))),
        "uuid" => Ok((DataType::FixedSizeBinary(16), Some(Logical::Uuid))),
        _ => Err(Error::new(ErrorKind::Config, format!("`{name}` is not a type")).advise(
            "Types: bool, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float32, float64, decimal(p,s) with \
             p up to 76, number, text, bytes, date, time, duration, timestamp, timestamptz, json, uuid.",
        )),
    }
}

/// What may happen to a destination's columns when the source's change.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Deserialize, serde::Serialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum OnSchemaChange {
    /// New columns are added, types are widened, NOT NULL is lifted; columns that are gone stay and get NULL.
    #[default]
    Evolve,
    /// Any difference stops the load; NULL for a column that is NOT NULL is a bad row.
    Freeze,
    /// New columns are not loaded; any other difference stops the load.
    IgnoreNew,
}

/// How well an incoming column fits a destination type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fit {
    /// Every value keeps its exact meaning and type.
    Exact,
    /// Every value fits into a wider type; the note says which.
    Widened(String),
    /// Values are kept as canonical text.
    Text(String),
    /// Values are checked one by one, and those that do not fit are rejected; the note says which.
    Checked(String),
    /// The target's column can become wide enough by this native type.
    NeedsWidening(String),
    /// Never fits, for this reason.
    Impossible(String),
}

/// One change to make to a target before a load.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Add the column, nullable.
    Add(FieldRef),
    /// Give the column this native type.
    Widen {
        /// The column.
        column: String,
        /// The native type it gets.
        native: String,
    },
    /// Allow NULL.
    DropNotNull {
        /// The column.
        column: String,
    },
}

/// Decides what a load with `incoming` columns does to an `existing` target. `fit` judges one incoming column against
/// the existing column of the same name. The columns of `existing` carry their nullability; one that the load does not
/// bring must be nullable, or fill itself ([`HAS_DEFAULT`]).
///
/// # Errors
/// `Schema`, naming the column, what differs, and the setting that allows it.
pub fn evolve(
    existing: &Schema,
    incoming: &Schema,
    policy: OnSchemaChange,
    fit: &dyn Fn(&Field, &Field) -> Fit,
) -> Result<Vec<Change>> {
    let refuse = |column: &str, what: &str| {
        Error::new(ErrorKind::Schema, format!("column `{column}` {what}, and `on_schema_change` is `{}`", word(policy)))
            .advise("Set `on_schema_change: evolve`, exclude or cast the column, or change the target by hand.")
    };
    let mut changes = Vec::new();
    for new in incoming.fields() {
        let Ok(old) = existing.field_with_name(new.name()) else {
            if policy != OnSchemaChange::Evolve {
                return Err(refuse(new.name(), "is not in the target"));
            }
            changes.push(Change::Add(new.clone()));
            continue;
        };
        match fit(old, new) {
            Fit::NeedsWidening(native) if policy == OnSchemaChange::Evolve => {
                changes.push(Change::Widen { column: new.name().clone(), native });
            }
            Fit::NeedsWidening(native) => return Err(refuse(new.name(), &format!("needs the wider type {native}"))),
            Fit::Impossible(reason) => {
                return Err(Error::new(ErrorKind::Schema, format!("column `{}` does not fit: {reason}", new.name()))
                    .advise("Cast the column (`columns: { cast: .. }`), exclude it, or change the target by hand."));
            }
            _ => {}
        }
        if new.is_nullable() && !old.is_nullable() && policy == OnSchemaChange::Evolve {
            changes.push(Change::DropNotNull { column: new.name().clone() });
        }
    }
    for old in existing.fields() {
        if incoming.field_with_name(old.name()).is_ok() || old.is_nullable() || old.metadata().contains_key(HAS_DEFAULT)
        {
            continue;
        }
        if policy != OnSchemaChange::Evolve {
            return Err(refuse(old.name(), "is NOT NULL in the target and gone from the source"));
        }
        changes.push(Change::DropNotNull { column: old.name().clone() });
    }
    Ok(changes)
}

fn word(policy: OnSchemaChange) -> &'static str {
    match policy {
        OnSchemaChange::Evolve => "evolve",
        OnSchemaChange::Freeze => "freeze",
        OnSchemaChange::IgnoreNew => "ignore_new",
    }
}
