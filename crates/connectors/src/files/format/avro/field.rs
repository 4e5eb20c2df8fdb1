//! Columns in Avro's terms: which Avro type stores a type of the closed set, which type of the closed set an Avro type
//! becomes, and names. What Avro has no word for stands in properties of the field (`levada:type`, `levada:native`,
//! `levada:logical`, `levada:name`).

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use arrow_schema::{DataType, Field, TimeUnit};
use levada_core::schema::{LOGICAL, Logical, NATIVE, UTC};
use serde_json::{Map, Value, json};

use super::super::columns::meaning_fits;
use super::schema::{Meaning, Member, Shape, Type, Types};

const TYPE: &str = "levada:type";
const NAME: &str = "levada:name";

/// A column of a file.
pub(super) struct Column {
    /// As a field of the closed set.
    pub(super) field: Field,
    /// The type of its values that are not null.
    pub(super) value: usize,
    /// The branches of its union if it is one of null and one other type: the index of null, how many there are.
    pub(super) nullable: Option<(Option<usize>, usize)>,
}

/// The columns of a file: the fields of its record, or one column `value` if it holds anything else.
pub(super) fn columns(types: &Types) -> Vec<Column> {
    match &types.get(types.root).shape {
        Shape::Record(members) => members.iter().map(|member| column(types, member)).collect(),
        _ => vec![column(types, &Member { name: "value".to_owned(), of: types.root, notes: Default::default() })],
    }
}

fn column(types: &Types, member: &Member) -> Column {
    let (mut value, mut nullable, mut may_be_null) = (member.of, None, false);
    if let Shape::Union(branches) = &types.get(member.of).shape {
        let is_null = |index: &&usize| types.get(**index).shape == Shape::Null;
        may_be_null = branches.iter().any(|index| is_null(&index));
        let mut others = branches.iter().filter(|index| !is_null(index));
        if let (Some(only), None, true) = (others.next(), others.next(), branches.len() <= 2) {
            value = *only;
            nullable = Some((branches.iter().position(|index| is_null(&index)), branches.len()));
        }
    }
    let of = types.get(value);
    let (mut data_type, mut logical) = natural(of);
    may_be_null |= of.shape == Shape::Null;
    if let Some(noted) = member.notes.get(TYPE).and_then(|word| type_of_word(word))
        && (shape_of(&noted), meaning_of(&noted)) == (of.shape.clone(), of.meaning)
    {
        (data_type, logical) = (noted, None);
    }
    let noted = member.notes.get(LOGICAL).map(|word| {
        let note = HashMap::from([(LOGICAL.to_owned(), word.clone())]);
        Logical::of(&Field::new("", DataType::Null, true).with_metadata(note))
    });
    if let Some(noted) = noted.flatten().filter(|noted| meaning_fits(*noted, &data_type)) {
        logical = Some(noted);
    }
    let native = member.notes.get(NATIVE).cloned().unwrap_or_else(|| format!("avro:{}", word_of(&of.shape)));
    let mut metadata = HashMap::from([(NATIVE.to_owned(), native)]);
    if let Some(logical) = logical {
        metadata.insert(LOGICAL.to_owned(), logical.word().to_owned());
    }
    let name = member.notes.get(NAME).filter(|name| encoded_name(name) == member.name).unwrap_or(&member.name);
    Column { field: Field::new(name, data_type, may_be_null).with_metadata(metadata), value, nullable }
}

/// The type of the closed set that holds every value of an Avro type.
fn natural(of: &Type) -> (DataType, Option<Logical>) {
    let data_type = match (&of.shape, of.meaning) {
        (_, Some(Meaning::Decimal { precision, scale })) => match (u8::try_from(precision), i8::try_from(scale)) {
            (Ok(p), Ok(s)) if p <= 38 => DataType::Decimal128(p, s),
            (Ok(p), Ok(s)) if p <= 76 => DataType::Decimal256(p, s),
            _ => return (DataType::Utf8, Some(Logical::Number)),
        },
        (_, Some(Meaning::BigDecimal)) => return (DataType::Utf8, Some(Logical::Number)),
        (_, Some(Meaning::Uuid)) => return (DataType::FixedSizeBinary(16), Some(Logical::Uuid)),
        (_, Some(Meaning::Duration)) => return (DataType::Utf8, Some(Logical::Interval)),
        (_, Some(Meaning::Date)) => DataType::Date32,
        (_, Some(Meaning::TimeMillis | Meaning::TimeMicros)) => DataType::Time64(TimeUnit::Microsecond),
        (_, Some(Meaning::Timestamp { per_second, instant })) => {
            let unit = if per_second == 1_000_000_000 { TimeUnit::Nanosecond } else { TimeUnit::Microsecond };
            DataType::Timestamp(unit, instant.then(|| Arc::from(UTC)))
        }
        (Shape::Null, None) => return (DataType::Utf8, Some(Logical::Untyped)),
        (Shape::String, None) => DataType::Utf8,
        (Shape::Boolean, None) => DataType::Boolean,
        (Shape::Int, None) => DataType::Int32,
        (Shape::Long, None) => DataType::Int64,
        (Shape::Float, None) => DataType::Float32,
        (Shape::Double, None) => DataType::Float64,
        (Shape::Bytes | Shape::Fixed(_), None) => DataType::Binary,
        (Shape::Enum(_), None) => return (DataType::Utf8, Some(Logical::Enum)),
        (Shape::Array(_) | Shape::Map(_) | Shape::Union(_) | Shape::Record(_), None) => {
            return (DataType::Utf8, Some(Logical::Json));
        }
    };
    (data_type, None)
}

/// The specification's word for a type.
fn word_of(shape: &Shape) -> &'static str {
    match shape {
        Shape::Null => "null",
        Shape::Boolean => "boolean",
        Shape::Int => "int",
        Shape::Long => "long",
        Shape::Float => "float",
        Shape::Double => "double",
        Shape::Bytes => "bytes",
        Shape::String => "string",
        Shape::Fixed(_) => "fixed",
        Shape::Enum(_) => "enum",
        Shape::Array(_) => "array",
        Shape::Map(_) => "map",
        Shape::Union(_) => "union",
        Shape::Record(_) => "record",
    }
}

/// How a type of the closed set is stored.
pub(super) fn shape_of(data_type: &DataType) -> Shape {
    use DataType as T;
    match data_type {
        T::Boolean => Shape::Boolean,
        T::Int8 | T::Int16 | T::Int32 | T::UInt8 | T::UInt16 | T::Date32 => Shape::Int,
        T::Int64 | T::UInt32 | T::Time64(_) | T::Duration(_) | T::Timestamp(..) => Shape::Long,
        T::Float32 => Shape::Float,
        T::Float64 => Shape::Double,
        T::Decimal128(p, s) | T::Decimal256(p, s) if is_avro_decimal(*p, *s) => Shape::Bytes,
        T::UInt64 | T::Binary => Shape::Bytes,
        _ => Shape::String,
    }
}

/// The logical type of a type of the closed set.
pub(super) fn meaning_of(data_type: &DataType) -> Option<Meaning> {
    use DataType as T;
    Some(match data_type {
        T::UInt64 => Meaning::Decimal { precision: 20, scale: 0 },
        T::Decimal128(p, s) | T::Decimal256(p, s) if is_avro_decimal(*p, *s) => {
            Meaning::Decimal { precision: usize::from(*p), scale: usize::from(s.unsigned_abs()) }
        }
        T::FixedSizeBinary(16) => Meaning::Uuid,
        T::Date32 => Meaning::Date,
        T::Time64(_) => Meaning::TimeMicros,
        T::Timestamp(unit, zone) => {
            let per_second = if *unit == TimeUnit::Nanosecond { 1_000_000_000 } else { 1_000_000 };
            Meaning::Timestamp { per_second, instant: zone.is_some() }
        }
        _ => return None,
    })
}

fn is_avro_decimal(precision: u8, scale: i8) -> bool {
    scale >= 0 && scale.unsigned_abs() <= precision
}

/// The schema of a file with these columns; null comes first in unions, with null as the default.
pub(super) fn file_schema(fields: &[Arc<Field>]) -> Value {
    let fields: Vec<Value> = fields
        .iter()
        .map(|field| {
            let mut member = Map::new();
            let name = encoded_name(field.name());
            let of = avro_type(field.data_type());
            member.insert("name".to_owned(), name.clone().into());
            member.insert("type".to_owned(), if field.is_nullable() { json!(["null", of]) } else { of });
            if field.is_nullable() {
                member.insert("default".to_owned(), Value::Null);
            }
            if name != *field.name() {
                member.insert(NAME.to_owned(), field.name().clone().into());
            }
            if let Some(word) = word_of_type(field.data_type()) {
                member.insert(TYPE.to_owned(), word.into());
            }
            for key in [NATIVE, LOGICAL] {
                if let Some(note) = field.metadata().get(key) {
                    member.insert(key.to_owned(), note.clone().into());
                }
            }
            Value::Object(member)
        })
        .collect();
    json!({ "type": "record", "name": "Row", "fields": fields })
}

fn avro_type(data_type: &DataType) -> Value {
    let word = word_of(&shape_of(data_type));
    let logical = match meaning_of(data_type) {
        Some(Meaning::Decimal { precision, scale }) => {
            return json!({ "type": word, "logicalType": "decimal", "precision": precision, "scale": scale });
        }
        Some(Meaning::Uuid) => "uuid",
        Some(Meaning::Date) => "date",
        Some(Meaning::TimeMicros) => "time-micros",
        Some(Meaning::Timestamp { per_second, instant }) => match (per_second, instant) {
            (1_000_000_000, true) => "timestamp-nanos",
            (1_000_000_000, false) => "local-timestamp-nanos",
            (_, true) => "timestamp-micros",
            (_, false) => "local-timestamp-micros",
        },
        _ => return word.into(),
    };
    json!({ "type": word, "logicalType": logical })
}

/// The word for a type that the Avro type alone does not bring back.
fn word_of_type(data_type: &DataType) -> Option<String> {
    use DataType as T;
    Some(match data_type {
        T::Int8 => "int8".to_owned(),
        T::Int16 => "int16".to_owned(),
        T::UInt8 => "uint8".to_owned(),
        T::UInt16 => "uint16".to_owned(),
        T::UInt32 => "uint32".to_owned(),
        T::UInt64 => "uint64".to_owned(),
        T::Duration(_) => "duration".to_owned(),
        T::Decimal256(p, s) => format!("decimal256({p},{s})"),
        T::Decimal128(p, s) if !is_avro_decimal(*p, *s) => format!("decimal128({p},{s})"),
        _ => return None,
    })
}

fn type_of_word(word: &str) -> Option<DataType> {
    use DataType as T;
    let arguments = |name: &str| {
        let (p, s) = word.strip_prefix(name)?.strip_suffix(')')?.split_once(',')?;
        Some((p.parse::<u8>().ok()?, s.parse::<i8>().ok()?))
    };
    if let Some((p, s)) = arguments("decimal256(") {
        return (1..=76).contains(&p).then_some(T::Decimal256(p, s));
    }
    if let Some((p, s)) = arguments("decimal128(") {
        return (1..=38).contains(&p).then_some(T::Decimal128(p, s));
    }
    Some(match word {
        "int8" => T::Int8,
        "int16" => T::Int16,
        "uint8" => T::UInt8,
        "uint16" => T::UInt16,
        "uint32" => T::UInt32,
        "uint64" => T::UInt64,
        "duration" => T::Duration(TimeUnit::Microsecond),
        _ => return None,
    })
}

/// A name that Avro allows (`[A-Za-z_][A-Za-z0-9_]*`). One that it allows already stays, unless it looks like the code
/// of another; in any other, everything but ASCII letters and digits becomes `_u` and its code point in hex and `_`,
/// so that different names stay different.
pub(super) fn encoded_name(name: &str) -> String {
    let legal = name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric());
    if legal && name.starts_with(|c: char| !c.is_ascii_digit()) && !has_code(name) {
        return name.to_owned();
    }
    let mut encoded = String::new();
    for (index, c) in name.chars().enumerate() {
        if c.is_ascii_alphabetic() || (c.is_ascii_digit() && index > 0) {
            encoded.push(c);
        } else {
            let _ = write!(encoded, "_u{:X}_", c as u32);
        }
    }
    if encoded.is_empty() { "_u_".to_owned() } else { encoded }
}

/// Whether a name has `_u`, hex digits and `_` in it.
fn has_code(name: &str) -> bool {
    name.match_indices("_u")
        .any(|(at, _)| name[at + 2..].trim_start_matches(|c: char| c.is_ascii_hexdigit()).starts_with('_'))
}
