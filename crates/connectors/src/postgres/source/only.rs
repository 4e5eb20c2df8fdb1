//! The conditions of a request in the server's words, where it compares as they mean.

use levada_core::condition::{Comparison, Condition};
use levada_core::source::ReadRequest;

use crate::postgres::sql::{ident, literal};
use crate::postgres::types::{Kind, SYSTEM};

/// What the server can leave out rows by.
pub fn conditions(request: &ReadRequest) -> impl Iterator<Item = String> {
    request.only.iter().filter_map(|condition| sql(request, condition))
}

fn sql(request: &ReadRequest, condition: &Condition) -> Option<String> {
    let field = request.stream.schema.field_with_name(&condition.column).ok()?;
    let (kind, native) = (Kind::of_field(field), levada_core::schema::native_of(field, SYSTEM)?);
    condition.test.sql(&ident(field.name()), |comparison, value| {
        let cast = match kind {
            Kind::Int2 | Kind::Int4 | Kind::Int8 => value.parse::<i64>().ok().map(|_| "pg_catalog.int8")?,
            Kind::Numeric(Some(_)) => "pg_catalog.numeric",
            Kind::Date => "pg_catalog.date",
            Kind::Timestamp(_) => "pg_catalog.timestamp",
            Kind::TimestampTz(_) => "pg_catalog.timestamptz",
            // their order is that of a collation; what is equal in one is at least what is the same
            Kind::Text(_) if comparison == Comparison::Eq && !value.contains('\0') => match native {
                bpchar if bpchar.starts_with("character(") || bpchar == "bpchar" => "pg_catalog.bpchar",
                citext if citext.ends_with("citext") => citext,
                _ => "pg_catalog.text",
            },
            Kind::Uuid if comparison == Comparison::Eq => "pg_catalog.uuid",
            _ => return None,
        };
        Some(format!("{}::pg_catalog.text::{cast}", literal(value)))
    })
}
