//! Which rows an incremental read takes: the window of cursor values between the last position and the highest value
//! that the snapshot holds. Bounds are compared by the server, as the exact text of a value it printed itself.

use std::sync::Arc;

use arrow_schema::{DataType, Field};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::position::Position;
use levada_core::schema::{native_of, no_cursor};
use levada_core::source::OVERLAP_COLUMN;
use serde_json::json;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::slices::{SLICE_ROWS, Slice, Slices};
use crate::postgres::catalog::{Column, Relation};
use crate::postgres::error::Translate;
use crate::postgres::sql::{ident, literal, qualified};
use crate::postgres::types::{Kind, SYSTEM};

/// What is read, and where the stream stands afterwards.
#[derive(Debug, Default)]
pub struct Window {
    /// The condition on the rows; none reads everything.
    pub condition: Option<String>,
    /// The extra column that marks rows which will be read again.
    pub overlap: Option<String>,
    /// The position after the read.
    pub position: Option<Position>,
    /// Sentences for the user.
    pub warnings: Vec<String>,
    /// Whether an index on the cursor finds the rows, so that one reader is best.
    pub by_index: bool,
    /// The conditions on the rows of each slice, in place of `condition`, and what becomes of them.
    pub slices: Option<(Vec<Slice>, Arc<Slices>)>,
}

/// Captures the window of a read under the snapshot of the client's transaction.
pub async fn window(
    client: &Client,
    relation: &Relation,
    column: &Column,
    from: Option<&Position>,
    lag: Option<&str>,
    mark_overlap: bool,
) -> Result<Window> {
    let cursor = Cursor::new(&column.field, lag)?;
    let low = from.map(|position| cursor.bound(position)).transpose()?;
    let version = "SELECT current_setting('server_version_num')::int4";
    let version: i32 = client.query_typed_one(version, &[]).await.pg()?.get(0);
    let query = format!(
        "SELECT {c}::pg_catalog.text FROM {table} AS t WHERE {c} IS NOT NULL{finite} ORDER BY {c} DESC LIMIT 1",
        // With its table in front, or ORDER BY would take the name for that of the selected text.
        c = format!("t.{}", cursor.column),
        table = qualified(&relation.schema, &relation.table),
        finite = cursor.finite(version),
    );
    let found: Option<String> = client.query_typed_opt(&query, &[]).await.pg()?.map(|row| row.get(0));
    let high = match (found, &low) {
        (Some(found), Some(low)) => {
            let query = format!("SELECT {} > {}", cursor.value(&found), cursor.value(low));
            let higher: bool = client.query_typed_one(&query, &[]).await.pg()?.get(0);
            Some(if higher { found } else { low.clone() })
        }
        (found, low) => found.or_else(|| low.clone()),
    };
    let c = &cursor.column;
    let condition = low
        .as_ref()
        .zip(high.as_ref())
        .map(|(low, high)| format!("{c} >= {}{} AND {c} <= {}", cursor.value(low), cursor.lag, cursor.value(high)));
    let overlap = mark_overlap.then(|| {
        let mark = high.as_ref().map_or("false".to_owned(), |high| {
            let high = cursor.value(high);
            format!("({c} >= {high}{} AND {c} <= {high}) IS TRUE", cursor.lag)
        });
        format!("{mark} AS {}", ident(OVERLAP_COLUMN))
    });
    let mut warnings = Vec::new();
    if column.field.is_nullable() {
        warnings.push(format!(
            "Cursor column `{0}` can be NULL: rows without a value are read by the first load only.",
            column.field.name()
        ));
    }
    let has_index = has_index(client, relation, column).await?;
    let by_index = low.is_some() && has_index;
    let slices = match &high {
        Some(high) if has_index && !mark_overlap => slices(client, relation, &cursor, low.as_deref(), high).await?,
        _ => None,
    };
    let position = high.map(|high| Position(json!({ "column": column.field.name(), "cursor": high })));
    Ok(Window { condition, overlap, position, warnings, by_index, slices })
}

/// Cuts a read of a hot standby, where it is large.
async fn slices(
    client: &Client,
    relation: &Relation,
    cursor: &Cursor<'_>,
    low: Option<&str>,
    high: &str,
) -> Result<Option<(Vec<Slice>, Arc<Slices>)>> {
    if !client.query_typed_one("SELECT pg_catalog.pg_is_in_recovery()", &[]).await.pg()?.get::<_, bool>(0) {
        return Ok(None);
    }
    let c = &cursor.column;
    let above = low.map_or("true".to_owned(), |low| format!("t.{c} > {}", cursor.value(low)));
    let query = format!(
        "SELECT v::pg_catalog.text FROM (SELECT t.{c} AS v, row_number() OVER (ORDER BY t.{c}) AS n FROM {table} AS t
         WHERE {above} AND t.{c} < {high}) x WHERE n % {SLICE_ROWS} = 0 ORDER BY n",
        table = qualified(&relation.schema, &relation.table),
        high = cursor.value(high),
    );
    let mut values: Vec<String> = client.query_typed(&query, &[]).await.pg()?.iter().map(|row| row.get(0)).collect();
    if values.is_empty() {
        return Ok(None);
    }
    values.dedup();
    values.push(high.to_owned());
    let mut conditions = Vec::new();
    let mut from = match low {
        Some(low) => format!("{c} >= {}{}", cursor.value(low), cursor.lag),
        None => {
            // Rows that later reads will not find come first.
            conditions.push((None, format!("({c} IS NULL OR {c} > {})", cursor.value(high))));
            "true".to_owned()
        }
    };
    for value in values {
        conditions.push((Some(value.clone()), format!("{from} AND {c} <= {}", cursor.value(&value))));
        from = format!("{c} > {}", cursor.value(&value));
    }
    let (ends, conditions): (Vec<_>, Vec<_>) = conditions.into_iter().unzip();
    let slices = conditions.into_iter().enumerate().map(|(number, condition)| Slice { number, condition }).collect();
    Ok(Some((slices, Arc::new(Slices::new(cursor.name, ends)))))
}

/// Whether a column can be a cursor, and the lag fits it.
pub fn check_cursor(field: &Field, lag: Option<&str>) -> Result<()> {
    Cursor::new(field, lag).map(|_| ())
}

struct Cursor<'a> {
    name: &'a str,
    column: String,
    kind: Kind,
    /// The type that bounds are given.
    cast: String,
    /// What is subtracted from a bound, as ` - ..`, or nothing.
    lag: String,
}

impl<'a> Cursor<'a> {
    fn new(field: &'a Field, lag: Option<&str>) -> Result<Self> {
        let native = native_of(field, SYSTEM).unwrap_or_default();
        let name = field.name();
        let kind = Kind::of_field(field);
        let cast = match kind {
            Kind::Int2 | Kind::Int4 | Kind::Int8 => "pg_catalog.int8",
            Kind::Float4 => "pg_catalog.float4",
            Kind::Float8 => "pg_catalog.float8",
            Kind::Numeric(_) => "pg_catalog.numeric",
            Kind::Date => "pg_catalog.date",
            Kind::Timestamp(_) => "pg_catalog.timestamp",
            Kind::TimestampTz(_) => "pg_catalog.timestamptz",
            Kind::Uuid => "pg_catalog.uuid",
            Kind::Bytea => "pg_catalog.bytea",
            Kind::Text(_) if native.ends_with("citext") => native,
            Kind::Text(_) if native.starts_with("character(") || native == "bpchar" => "pg_catalog.bpchar",
            Kind::Text(_) => "pg_catalog.text",
            Kind::Foreign if ["oid", "pg_lsn", "xid8"].contains(&native) => native,
            _ => return Err(no_cursor(field)),
        };
        let lag = match lag {
            Some(lag) => format!(" - {}", lag_value(kind, lag, name)?),
            None => String::new(),
        };
        Ok(Self { name, column: ident(name), kind, cast: cast.to_owned(), lag })
    }

    fn value(&self, text: &str) -> String {
        format!("{}::pg_catalog.text::{}", literal(text), self.cast)
    }

    fn bound(&self, position: &Position) -> Result<String> {
        let part = |name: &str| position.0.get(name).and_then(serde_json::Value::as_str);
        match (part("column"), part("cursor")) {
            (Some(column), Some(cursor)) if column == self.name => Ok(cursor.to_owned()),
            (Some(column), Some(_)) => Err(Error::new(
                ErrorKind::Refused,
                format!("the stored position is one of column `{column}`, but the cursor is now `{}`", self.name),
            )
            .advise("Read everything once with `--full-refresh`, or name the old cursor again.")),
            _ => Err(Error::new(ErrorKind::Refused, "the stored position is not one of this connector")),
        }
    }

    /// Leaves out the values above every finite one: no later row could pass them.
    fn finite(&self, version: i32) -> String {
        let c = &self.column;
        match self.kind {
            Kind::Date | Kind::Timestamp(_) | Kind::TimestampTz(_) => format!(" AND pg_catalog.isfinite({c})"),
            Kind::Float4 | Kind::Float8 => format!(" AND {c} < 'Infinity'"),
            Kind::Numeric(_) if version >= 140_000 => format!(" AND {c} < 'Infinity'"),
            Kind::Numeric(_) => format!(" AND {c} <> 'NaN'"),
            _ => String::new(),
        }
    }
}

fn lag_value(kind: Kind, lag: &str, name: &str) -> Result<String> {
    let wrong = |expected: &str| {
        Error::new(ErrorKind::Config, format!("`lag: {lag}` does not fit the cursor column `{name}`"))
            .advise(format!("Write {expected}."))
    };
    let number = || levada_core::text::parse_decimal(lag).filter(|(negative, ..)| !negative);
    match kind {
        Kind::Date | Kind::Timestamp(_) | Kind::TimestampTz(_) => {
            let ms =
                duration_ms(lag).ok_or_else(|| wrong("a number and a unit (ms, s, m, h, d, w), for instance `5m`"))?;
            Ok(format!("pg_catalog.make_interval(secs => {ms} / 1000.0)"))
        }
        Kind::Int2 | Kind::Int4 | Kind::Int8 if lag.parse::<u32>().is_ok() => {
            Ok(format!("{}::pg_catalog.int8", literal(lag)))
        }
        Kind::Numeric(_) if number().is_some() => Ok(format!("{}::pg_catalog.numeric", literal(lag))),
        Kind::Float4 | Kind::Float8 if number().is_some() => Ok(format!("{}::pg_catalog.float8", literal(lag))),
        Kind::Int2 | Kind::Int4 | Kind::Int8 => Err(wrong("a whole number")),
        Kind::Numeric(_) | Kind::Float4 | Kind::Float8 => Err(wrong("a number")),
        _ => Err(wrong("no `lag`: the type of this column has no distances")),
    }
}

fn duration_ms(text: &str) -> Option<u64> {
    let text = text.trim();
    let at = text.find(|c: char| !c.is_ascii_digit())?;
    let unit = match text[at..].trim() {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "w" => 604_800_000,
        _ => return None,
    };
    text[..at].parse::<u64>().ok()?.checked_mul(unit).filter(|ms| *ms < 1_000_000_000_000_000)
}

async fn has_index(client: &Client, relation: &Relation, column: &Column) -> Result<bool> {
    let query = "SELECT EXISTS (SELECT FROM pg_catalog.pg_index WHERE indrelid = $1 AND indkey[0] = $2
        AND indisvalid AND indpred IS NULL)";
    let parameters: &[(&(dyn tokio_postgres::types::ToSql + Sync), Type)] =
        &[(&relation.oid, Type::OID), (&column.number, Type::INT2)];
    Ok(client.query_typed_one(query, parameters).await.pg()?.get(0))
}

/// The extra column of a marked read.
pub fn overlap_field() -> arrow_schema::Field {
    arrow_schema::Field::new(OVERLAP_COLUMN, DataType::Boolean, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lags_are_durations_for_times_and_numbers_for_numbers() {
        assert_eq!(duration_ms("5m"), Some(300_000));
        assert_eq!(duration_ms("2 d"), Some(172_800_000));
        assert_eq!(
            (duration_ms("5"), duration_ms("m"), duration_ms("-5m"), duration_ms("5 months")),
            (None, None, None, None)
        );
        assert!(lag_value(Kind::Int4, "10", "id").is_ok() && lag_value(Kind::Int4, "5m", "id").is_err());
        assert!(lag_value(Kind::Uuid, "1", "id").is_err());
    }
}
