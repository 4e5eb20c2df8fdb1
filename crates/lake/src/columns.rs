//! Columns: what a type of a stream becomes in a Delta table and how well, what a table's column is to a stream, and what a
//! load does to the columns of a table. Types as in the Delta protocol, section "Primitive Types".

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use deltalake::kernel::StructType;
use deltalake::kernel::engine::arrow_conversion::TryIntoKernel as _;
use levada_core::destination::{LoadSpec, PlannedColumn, WriteMode};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::schema::{
    Change, Fit, LOGICAL, Logical, OnSchemaChange, evolve, field, timestamp, timestamp_utc, type_name,
};

/// What an incoming column becomes in a new table, and how well its values fit.
pub fn outcome(incoming: &Field) -> (Field, Fit) {
    use DataType as T;
    let text = |what: &str| (T::Utf8, Fit::Text(format!("Delta has no {what}")));
    let wider = |to: T, what: &str| (to, Fit::Widened(format!("Delta has no {what}")));
    let (data_type, fit) = match incoming.data_type() {
        T::UInt8 => wider(T::Int16, "uint8"),
        T::UInt16 => wider(T::Int32, "uint16"),
        T::UInt32 => wider(T::Int64, "uint32"),
        T::UInt64 => wider(T::Decimal128(20, 0), "uint64"),
        T::Decimal128(precision, scale) if *scale < 0 || *scale > *precision as i8 => text("decimal of this scale"),
        T::Decimal256(precision, scale) if *precision <= 38 && *scale >= 0 => {
            (T::Decimal128(*precision, *scale), Fit::Exact)
        }
        T::Decimal256(..) => text("decimal of more than 38 digits"),
        T::FixedSizeBinary(_) => text("uuid"),
        T::Time64(_) => text("time of day"),
        T::Duration(_) => text("duration"),
        T::Timestamp(TimeUnit::Nanosecond, zone) => {
            let to = if zone.is_some() { timestamp_utc() } else { timestamp() };
            (to, Fit::Checked("Delta has no nanoseconds: values finer than a microsecond are refused".to_owned()))
        }
        other => (other.clone(), Fit::Exact),
    };
    let kept = incoming.metadata().get(LOGICAL).filter(|_| data_type == *incoming.data_type());
    let metadata: HashMap<String, String> = kept.map(|word| (LOGICAL.to_owned(), word.clone())).into_iter().collect();
    (Field::new(incoming.name(), data_type, incoming.is_nullable()).with_metadata(metadata), fit)
}

/// The word of the Delta protocol for a type.
pub fn native(data_type: &DataType) -> String {
    use DataType as T;
    match data_type {
        T::Boolean => "boolean".to_owned(),
        T::Int8 => "byte".to_owned(),
        T::Int16 => "short".to_owned(),
        T::Int32 => "integer".to_owned(),
        T::Int64 => "long".to_owned(),
        T::Float32 => "float".to_owned(),
        T::Float64 => "double".to_owned(),
        T::Decimal128(precision, scale) => format!("decimal({precision},{scale})"),
        T::Utf8 | T::LargeUtf8 | T::Utf8View => "string".to_owned(),
        T::Binary | T::LargeBinary | T::BinaryView => "binary".to_owned(),
        T::Date32 => "date".to_owned(),
        T::Timestamp(_, Some(_)) => "timestamp".to_owned(),
        T::Timestamp(_, None) => "timestamp_ntz".to_owned(),
        T::Struct(_) => "struct".to_owned(),
        T::List(_) | T::LargeList(_) => "array".to_owned(),
        T::Map(..) => "map".to_owned(),
        other => other.to_string().to_lowercase(),
    }
}

/// A column of a table as a stream has it; nested ones are shown as text and can not be read.
pub fn canonical(stored: &Field) -> Field {
    use DataType as T;
    let native = format!("delta:{}", native(stored.data_type()));
    let (data_type, nested) = match stored.data_type() {
        T::Utf8 | T::LargeUtf8 | T::Utf8View => (T::Utf8, false),
        T::Binary | T::LargeBinary | T::BinaryView => (T::Binary, false),
        T::Timestamp(_, zone) => (if zone.is_some() { timestamp_utc() } else { timestamp() }, false),
        other if levada_core::schema::is_canonical(other) => (other.clone(), false),
        _ => (T::Utf8, true),
    };
    let logical = if nested { Some(Logical::Foreign) } else { Logical::of(stored) };
    field(stored.name(), data_type, stored.is_nullable(), &native, logical)
}

/// Whether statistics tell the bounds of a column: writers keep those of decimals as floating-point numbers, which have no
/// more than 15 digits of any decimal, and those of floating-point columns without NaN.
pub fn has_exact_bounds(column: &Field) -> bool {
    match column.data_type() {
        DataType::Decimal128(precision, _) => *precision <= 15,
        other => !other.is_floating(),
    }
}

/// Whether a stored column is nested.
pub fn is_nested(stored: &Field) -> bool {
    stored.data_type().is_nested()
}

/// What a load does to the columns.
pub struct Columns {
    /// The columns that the writers get, in order.
    pub written: SchemaRef,
    /// The columns of the table afterwards, in order.
    pub table: SchemaRef,
    /// Those of `written`, with their types and how well they fit.
    pub planned: Vec<PlannedColumn>,
    /// The changes, in words.
    pub ddl: Vec<String>,
}

/// Plans the columns of a load into a new table, or into one with these columns.
///
/// # Errors
/// `Schema`, as `on_schema_change` has it.
pub fn plan(spec: &LoadSpec, existing: Option<&Schema>) -> Result<Columns> {
    let Some(existing) = existing else {
        let (fields, planned) = renewed(&spec.incoming);
        let list: Vec<String> = fields.iter().map(declared).collect();
        let ddl = vec![format!("CREATE TABLE {} ({}) USING delta", spec.target, list.join(", "))];
        let schema: SchemaRef = Arc::new(Schema::new(fields));
        return Ok(Columns { written: schema.clone(), table: schema, planned, ddl });
    };
    let renews = spec.write == WriteMode::Replace && spec.on_schema_change == OnSchemaChange::Evolve;
    let judge = |old: &Field, new: &Field| if renews { Fit::Exact } else { fit(old, new) };
    let changes = evolve(existing, &spec.incoming, spec.on_schema_change, &judge)?;
    if renews {
        let (mut fields, planned) = renewed(&spec.incoming);
        fields.iter_mut().for_each(|field| keep_told(field, existing));
        let same = fields.len() == existing.fields().len()
            && fields.iter().zip(existing.fields()).all(|(new, old)| alike(new, old));
        let list: Vec<String> = fields.iter().map(declared).collect();
        let ddl = if same { Vec::new() } else { vec![format!("REPLACE COLUMNS ({})", list.join(", "))] };
        let schema: SchemaRef = Arc::new(Schema::new(fields));
        return Ok(Columns { written: schema.clone(), table: schema, planned, ddl });
    }
    let mut table: Vec<Field> = existing.fields().iter().map(|field| field.as_ref().clone()).collect();
    let mut ddl = Vec::new();
    for change in changes {
        match change {
            Change::Add(new) => {
                let (new, _) = outcome(&new);
                let new = new.with_nullable(true);
                ddl.push(format!("ADD COLUMN {}", declared(&new)));
                table.push(new);
            }
            Change::DropNotNull { column } => {
                ddl.push(format!("ALTER COLUMN {column} DROP NOT NULL"));
                for field in table.iter_mut().filter(|field| *field.name() == column) {
                    *field = field.clone().with_nullable(true);
                }
            }
            Change::Widen { column, native } => {
                let message = format!("column `{column}` would have to become {native}");
                return Err(Error::new(ErrorKind::Schema, message));
            }
        }
    }
    let table = Schema::new(table);
    let mut written = Vec::new();
    let mut planned = Vec::new();
    for new in spec.incoming.fields() {
        let Ok(stored) = table.field_with_name(new.name()) else { continue };
        let fit = match existing.field_with_name(new.name()) {
            Ok(old) => judge(old, new),
            Err(_) => outcome(new).1,
        };
        planned.push(PlannedColumn { name: new.name().clone(), native: native(stored.data_type()), fit });
        let field = stored.clone();
        written.push(Field::new(field.name(), canonical(&field).data_type().clone(), field.is_nullable()));
    }
    Ok(Columns { written: Arc::new(Schema::new(written)), table: Arc::new(table), planned, ddl })
}

fn renewed(incoming: &Schema) -> (Vec<Field>, Vec<PlannedColumn>) {
    let both = incoming.fields().iter().map(|field| {
        let (stored, fit) = outcome(field);
        let planned = PlannedColumn { name: stored.name().clone(), native: native(stored.data_type()), fit };
        (stored, planned)
    });
    both.unzip()
}

/// What others noted of a column stays with it, such as a comment, where its type stays.
fn keep_told(field: &mut Field, existing: &Schema) {
    let Ok(old) = existing.field_with_name(field.name()) else { return };
    if native(old.data_type()) == native(field.data_type()) {
        let mut told = old.metadata().clone();
        told.remove(LOGICAL);
        told.extend(field.metadata().clone());
        field.set_metadata(told);
    }
}

fn alike(a: &Field, b: &Field) -> bool {
    a.name() == b.name() && a.is_nullable() == b.is_nullable() && native(a.data_type()) == native(b.data_type())
}

fn declared(field: &Field) -> String {
    let not_null = if field.is_nullable() { "" } else { " NOT NULL" };
    format!("{} {}{not_null}", field.name(), native(field.data_type()))
}

/// How well new values fit into a column that is there.
fn fit(old: &Field, new: &Field) -> Fit {
    if is_nested(old) {
        return Fit::Impossible(format!("it is {} in the table, which is not written", native(old.data_type())));
    }
    let have = canonical(old);
    if have.data_type() == new.data_type() {
        return Fit::Exact;
    }
    let note = format!("{} into {}", type_name(new), native(old.data_type()));
    if *have.data_type() == DataType::Utf8 {
        return Fit::Text(note);
    }
    if contains(have.data_type(), new.data_type()) { Fit::Widened(note) } else { Fit::Checked(note) }
}

/// The digits before and after the point that hold every value of a whole-number or decimal type.
fn digits(data_type: &DataType) -> Option<(i16, i16)> {
    use DataType as T;
    match data_type {
        T::Int8 | T::UInt8 => Some((3, 0)),
        T::Int16 | T::UInt16 => Some((5, 0)),
        T::Int32 | T::UInt32 => Some((10, 0)),
        T::Int64 => Some((19, 0)),
        T::UInt64 => Some((20, 0)),
        T::Decimal128(p, s) | T::Decimal256(p, s) => Some((i16::from(*p) - i16::from(*s), i16::from(*s))),
        _ => None,
    }
}

/// Whether every value of `inner` is one of `outer`.
fn contains(outer: &DataType, inner: &DataType) -> bool {
    use DataType as T;
    let bits = |data_type: &T| data_type.primitive_width();
    match (outer, inner) {
        (T::Float64, T::Float32) => true,
        (T::Decimal128(..), _) => digits(outer).zip(digits(inner)).is_some_and(|(o, i)| o.0 >= i.0 && o.1 >= i.1),
        _ if outer.is_signed_integer() && inner.is_signed_integer() => bits(outer) >= bits(inner),
        _ if outer.is_signed_integer() && inner.is_unsigned_integer() => bits(outer) > bits(inner),
        _ => false,
    }
}

/// The columns in the words of the table format.
///
/// # Errors
/// `Schema`, for names that no table can have.
pub fn structure(schema: &Schema) -> Result<StructType> {
    let converted: Result<StructType, _> = schema.try_into_kernel();
    converted.map_err(|error| {
        Error::new(ErrorKind::Schema, format!("the columns can not be those of a Delta table: {error}"))
    })
}
