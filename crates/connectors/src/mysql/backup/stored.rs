//! Values as they are stored, also those that their column's type should not hold: dates that are no days, an ENUM's empty value
//! of number 0, geometries with an SRID. A read of a view refuses them; its stream is then read once more, with dates as the
//! server's text and geometries as the server's bytes (SRID and WKB).

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::schema::{LOGICAL, Logical, native_of};
use levada_core::source::StreamInfo;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::mysql::discover::Table;
use crate::mysql::error::from_driver;
use crate::mysql::native::Native;
use crate::mysql::session::quoted;
use crate::mysql::wire::Cell;

/// The last second of a TIMESTAMP that a load can write.
const LAST_SECOND: (u16, u8, u8, u8, u8, u8) = (2038, 1, 19, 3, 14, 7);
/// Bytes of the SRID that a stored geometry begins with.
const SRID_BYTES: usize = 4;
/// Character sets all of whose texts come back from UTF-8 as they were.
const WHOLE_CHARSETS: [&str; 4] = ["utf8mb4", "utf8mb3", "utf8", "latin1"];

/// What the values of a column that is read as it is stored are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Dates and times as the server prints them.
    Date,
    /// Labels, or nothing for the value of number 0.
    Label,
    /// SRID and WKB.
    Geometry,
}

/// What the values of a column must keep to, to be what their column type says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// Nothing.
    Any,
    /// A day of the years that can be written again; of a TIMESTAMP, a second as well.
    Day {
        /// Whether it is one.
        is_timestamp: bool,
    },
    /// One of the labels.
    Label(Vec<String>),
    /// A geometry without an SRID; what is left is WKB.
    WithoutSrid,
}

impl Rule {
    /// The rule of a column.
    pub fn of(field: &Field) -> Self {
        let Some(native) = native_of(field, "mysql").and_then(Native::parse) else { return Self::Any };
        match (native.base.as_str(), field.data_type()) {
            ("date" | "datetime" | "timestamp", data_type) if *data_type != DataType::Utf8 => {
                Self::Day { is_timestamp: native.base == "timestamp" }
            }
            ("enum", _) if Logical::of(field) == Some(Logical::Enum) => Self::Label(native.labels),
            _ if native.is_spatial() && Logical::of(field) == Some(Logical::Wkb) => Self::WithoutSrid,
            _ => Self::Any,
        }
    }

    /// A value that keeps to the rule, as it is to be read.
    ///
    /// # Errors
    /// The end of a sentence that begins with the value.
    pub fn kept<'a>(&self, cell: Cell<'a>) -> std::result::Result<Cell<'a>, &'static str> {
        match (self, cell) {
            (Self::Day { .. }, Cell::Date(0, ..)) => Err("is in no year that can be written again"),
            (Self::Day { is_timestamp: true }, Cell::Date(y, mo, d, h, mi, s, _))
                if (y, mo, d, h, mi, s) > LAST_SECOND =>
            {
                Err("is later than 2038-01-19 03:14:07")
            }
            (Self::Label(labels), Cell::Bytes(b"")) if labels.iter().all(|label| !label.is_empty()) => {
                Err("is none of the labels")
            }
            (Self::WithoutSrid, Cell::Bytes(bytes)) => match bytes.split_first_chunk::<SRID_BYTES>() {
                Some(([0, 0, 0, 0], wkb)) => Ok(Cell::Bytes(wkb)),
                _ => Err("has an SRID"),
            },
            (_, cell) => Ok(cell),
        }
    }
}

/// What is read of a table of a view.
pub fn select(table: &str, columns: &SchemaRef) -> String {
    let mut list: Vec<String> = columns
        .fields()
        .iter()
        .map(|field| {
            let name = quoted(field.name());
            if kind_of(field) == Some(Kind::Date) { format!("CAST({name} AS CHAR)") } else { name }
        })
        .collect();
    if list.is_empty() {
        list.push("1".to_owned());
    }
    format!("SELECT {} FROM {}", list.join(", "), quoted(table))
}

/// Whether a column of a stream holds what its type should not.
fn is_odd(field: &Field) -> bool {
    match Rule::of(field) {
        Rule::Any => false,
        // the number 0 is written as `0`, which a label must not be
        Rule::Label(labels) => labels.iter().all(|label| label != "0"),
        Rule::Day { .. } | Rule::WithoutSrid => true,
    }
}

/// Whether a stream has columns that can be read as they are stored.
pub fn can_be_odd(stream: &StreamInfo) -> bool {
    stream.schema.fields().iter().any(|field| is_odd(field))
}

/// Gives those columns the types they are read as.
pub fn retype(stream: &mut StreamInfo) {
    let fields = stream.schema.fields().iter().map(|field| {
        let mut field = field.as_ref().clone();
        if !is_odd(&field) {
            return field;
        }
        if *field.data_type() == DataType::Binary {
            field.metadata_mut().remove(LOGICAL);
        } else {
            field.set_data_type(DataType::Utf8);
            field.metadata_mut().insert(LOGICAL.to_owned(), Logical::Foreign.word().to_owned());
        }
        field
    });
    stream.schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
}

/// What a column is read as, if that is how it is stored.
fn kind_of(field: &Field) -> Option<Kind> {
    let native = Native::parse(native_of(field, "mysql")?)?;
    let is_text = *field.data_type() == DataType::Utf8 && Logical::of(field) == Some(Logical::Foreign);
    match native.base.as_str() {
        "date" | "datetime" | "timestamp" if is_text => Some(Kind::Date),
        "enum" if is_text => Some(Kind::Label),
        _ if native.is_spatial() && *field.data_type() == DataType::Binary && Logical::of(field).is_none() => {
            Some(Kind::Geometry)
        }
        _ => None,
    }
}

/// What an incoming column brings, if a column of the same type stored it.
pub fn stored_kind(existing: &Native, incoming: &Field) -> Option<Kind> {
    let came_from = native_of(incoming, "mysql").and_then(Native::parse)?;
    let is_same = came_from.base == existing.base && came_from.labels == existing.labels;
    kind_of(incoming).filter(|_| is_same)
}

/// Whether an incoming column brings values as a column of the same type stored them.
pub fn is_stored(existing: &Native, incoming: &Field) -> bool {
    stored_kind(existing, incoming).is_some()
}

/// Refuses a table with columns that would not come back as they are.
///
/// # Errors
/// `Unsupported`; as the server says.
pub async fn check(conn: &mut Conn, table: &Table) -> Result<()> {
    if table.columns.iter().all(|column| column.is_generated) {
        return Err(Error::new(ErrorKind::Unsupported, "all its columns are computed: no row of it can be written"));
    }
    for column in &table.columns {
        let (name, native) = (column.field.name(), &column.native);
        let is_known = native.is_integer()
            || native.is_text()
            || native.is_bytes()
            || native.is_spatial()
            || [
                "decimal",
                "numeric",
                "float",
                "double",
                "real",
                "date",
                "datetime",
                "timestamp",
                "time",
                "year",
                "bit",
            ]
            .contains(&native.base.as_str())
            || ["json", "uuid", "inet4", "inet6"].contains(&native.base.as_str());
        if !is_known && !column.is_generated {
            let message = format!("the column `{name}` has the type {}, which is not known", native.sql());
            return Err(Error::new(ErrorKind::Unsupported, message).advise("Leave the table out of the backup."));
        }
        let charset = column.charset.as_deref().filter(|charset| !WHOLE_CHARSETS.contains(charset));
        let Some(charset) = charset.filter(|_| native.is_text() && native.labels.is_empty()) else { continue };
        let own = quoted(name);
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM {} WHERE BINARY CONVERT(CONVERT({own} USING utf8mb4) USING {charset}) <> BINARY {own})",
            quoted(&table.name)
        );
        if conn.query_first::<i64, _>(sql).await.map_err(from_driver)? == Some(1) {
            let message =
                format!("the column `{name}` has texts in {charset} that UTF-8 does not give back as they are");
            return Err(
                Error::new(ErrorKind::Data, message).advise("Change the column to utf8mb4, or leave the table out.")
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use levada_core::schema::{field, timestamp_utc};

    use super::*;

    #[test]
    fn only_what_can_be_written_again_keeps_to_its_type() {
        let at = field("t", timestamp_utc(), true, "mysql:timestamp", None);
        let rule = Rule::of(&at);
        assert!(rule.kept(Cell::Date(2038, 1, 19, 3, 14, 7, 999_999)).is_ok());
        assert!(rule.kept(Cell::Date(2038, 1, 19, 3, 14, 8, 0)).is_err());
        assert!(rule.kept(Cell::Date(0, 1, 1, 0, 0, 0, 0)).is_err());
        let label = field("e", DataType::Utf8, true, "mysql:enum('a')", Some(Logical::Enum));
        assert!(Rule::of(&label).kept(Cell::Bytes(b"")).is_err() && Rule::of(&label).kept(Cell::Null).is_ok());
        let empty = field("e", DataType::Utf8, true, "mysql:enum('a','')", Some(Logical::Enum));
        assert!(Rule::of(&empty).kept(Cell::Bytes(b"")).is_ok());
        let place = field("p", DataType::Binary, true, "mysql:point", Some(Logical::Wkb));
        assert_eq!(Rule::of(&place).kept(Cell::Bytes(&[0, 0, 0, 0, 1])), Ok(Cell::Bytes(&[1])));
        assert!(Rule::of(&place).kept(Cell::Bytes(&[1, 0, 0, 0, 1])).is_err());
    }

    #[test]
    fn a_retyped_column_is_known_by_its_own_type_alone() {
        let fields = vec![
            field("d", DataType::Date32, true, "mysql:date", None),
            field("p", DataType::Binary, true, "mysql:point", Some(Logical::Wkb)),
            field("z", DataType::Utf8, true, "mysql:enum('0')", Some(Logical::Enum)),
        ];
        let mut stream = StreamInfo {
            name: "t".to_owned(),
            namespace: None,
            table: "t".to_owned(),
            schema: Arc::new(Schema::new(fields)),
            key: Vec::new(),
            rows_estimate: None,
            bytes_estimate: None,
            raw: None,
            typed_by_request: false,
        };
        retype(&mut stream);
        assert_eq!(select("t", &stream.schema), "SELECT CAST(`d` AS CHAR), `p`, `z` FROM `t`");
        let of = |native: &str, at: usize| stored_kind(&Native::parse(native).unwrap(), stream.schema.field(at));
        assert_eq!((of("date", 0), of("datetime", 0)), (Some(Kind::Date), None));
        assert_eq!((of("point", 1), of("blob", 1), of("enum('0')", 2)), (Some(Kind::Geometry), None, None));
    }
}
