//! Values as they are stored. A column whose values are all of one storage class is read as that class; one with values of
//! several is text in which a letter tells the class: `i:5`, `r:0.1`, `t:text`, `x:` and `b:` for the bytes of a text that is no
//! UTF-8 and of a blob, in hexadecimal.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use levada_core::error::Result;
use levada_core::schema::{HAS_DEFAULT, Logical, field, native_of};
use levada_core::source::StreamInfo;
use levada_core::text;
use rusqlite::Connection;
use rusqlite::types::{Value, ValueRef};

use crate::sqlite::{error, quote};

/// In place of a declared type: all values are of the class that the column type says.
const OF_ONE_CLASS: &str = "sqlite:stored";
/// In place of a declared type: a letter of each value says its class.
const TAGGED: &str = "sqlite:tagged";

/// Whether values are to be stored in the class in which they come.
pub fn is_stored(field: &Field) -> bool {
    native_of(field, "sqlite").is_some_and(|native| matches!(native, "stored" | "tagged"))
}

/// Whether a letter of each value says its class.
pub fn is_tagged(field: &Field) -> bool {
    native_of(field, "sqlite") == Some("tagged")
}

/// A table with the classes that its columns hold.
pub fn stream(connection: &Connection, table: &str) -> Result<StreamInfo> {
    let sql = "SELECT name, \"notnull\", pk, dflt_value IS NOT NULL, upper(type) = 'INTEGER' \
               FROM pragma_table_xinfo(?1) WHERE hidden = 0 ORDER BY cid";
    let mut statement = connection.prepare(sql).map_err(error::of)?;
    let columns =
        statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)));
    let columns: Vec<(String, bool, i64, bool, bool)> = columns.and_then(Iterator::collect).map_err(error::of)?;
    let (classes, rows) = classes(connection, table, columns.iter().map(|column| column.0.as_str()))?;
    let keys = columns.iter().filter(|column| column.2 > 0).count();
    let mut fields = Vec::new();
    for ((name, not_null, place, has_default, is_integer), classes) in columns.iter().zip(classes) {
        let is_row_id = keys == 1 && *place > 0 && *is_integer;
        let (data_type, native, logical) = of_classes(classes);
        let mut field = field(name, data_type, !not_null && !is_row_id, native, logical);
        if *has_default || is_row_id {
            field.metadata_mut().insert(HAS_DEFAULT.to_owned(), "true".to_owned());
        }
        fields.push(field);
    }
    let mut key: Vec<(i64, String)> =
        columns.iter().filter(|column| column.2 > 0).map(|column| (column.2, column.0.clone())).collect();
    key.sort();
    Ok(StreamInfo {
        name: table.to_owned(),
        namespace: None,
        table: table.to_owned(),
        schema: Arc::new(Schema::new(fields)),
        key: key.into_iter().map(|(_, name)| name).collect(),
        rows_estimate: Some(rows),
        bytes_estimate: None,
        raw: None,
        typed_by_request: false,
    })
}

/// The storage classes that each column holds, as bits, and the number of rows.
fn classes<'a>(
    connection: &Connection,
    table: &str,
    columns: impl Iterator<Item = &'a str>,
) -> Result<(Vec<i64>, u64)> {
    let bits = |name: &str| {
        let name = quote(name);
        let bit = |class: &str, bit: u8| format!("{bit} * max(typeof({name}) = '{class}')");
        [("integer", 1), ("real", 2), ("text", 4), ("blob", 8)].map(|(class, number)| bit(class, number)).join(" + ")
    };
    let columns: Vec<String> = columns.map(bits).collect();
    let count = columns.len();
    let sql = format!(
        "SELECT {}count(*) FROM {}",
        columns.iter().map(|c| format!("{c}, ")).collect::<String>(),
        quote(table)
    );
    let read = |row: &rusqlite::Row<'_>| {
        let classes = (0..count).map(|at| Ok(row.get::<_, Option<i64>>(at)?.unwrap_or_default()));
        Ok((classes.collect::<rusqlite::Result<Vec<i64>>>()?, row.get::<_, i64>(count)?.unsigned_abs()))
    };
    connection.query_row(&sql, [], read).map_err(error::of)
}

fn of_classes(classes: i64) -> (DataType, &'static str, Option<Logical>) {
    match classes {
        1 => (DataType::Int64, OF_ONE_CLASS, None),
        2 => (DataType::Float64, OF_ONE_CLASS, None),
        // where there are no values, every type has them all
        0 | 4 => (DataType::Utf8, OF_ONE_CLASS, None),
        8 => (DataType::Binary, OF_ONE_CLASS, None),
        _ => (DataType::Utf8, TAGGED, Some(Logical::Foreign)),
    }
}

/// Reads the columns of text with the class of each value; false where there is none that was not so before.
pub fn tag_texts(stream: &mut StreamInfo) -> bool {
    let plain = |field: &Field| *field.data_type() == DataType::Utf8 && !is_tagged(field);
    if !stream.schema.fields().iter().any(|field| plain(field)) {
        return false;
    }
    let fields = stream.schema.fields().iter().map(|known| {
        if plain(known) {
            field(known.name(), DataType::Utf8, known.is_nullable(), TAGGED, Some(Logical::Foreign))
        } else {
            known.as_ref().clone()
        }
    });
    stream.schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    true
}

/// A value with the letter of its class; `None` for NULL.
pub fn tagged(value: ValueRef<'_>) -> Option<String> {
    let mut out = String::new();
    match value {
        ValueRef::Null => return None,
        ValueRef::Integer(value) => out = format!("i:{value}"),
        ValueRef::Real(value) => {
            out.push_str("r:");
            text::write_f64(&mut out, value);
        }
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(value) => out = format!("t:{value}"),
            Err(_) => out = format!("x:{}", hex(bytes)),
        },
        ValueRef::Blob(bytes) => out = format!("b:{}", hex(bytes)),
    }
    Some(out)
}

/// A value from the letter of its class and what follows; text that is no UTF-8 comes as its bytes and true.
///
/// # Errors
/// A sentence, where this is no such value.
pub fn untagged(tagged: &str) -> std::result::Result<(Value, bool), String> {
    let wrong = || format!("{} is no stored value", levada_core::cast::quoted(tagged));
    let (class, value) = tagged.split_once(':').ok_or_else(wrong)?;
    let value = match class {
        "i" => Value::Integer(value.parse().map_err(|_| wrong())?),
        "r" => Value::Real(real(value).ok_or_else(wrong)?),
        "t" => Value::Text(value.to_owned()),
        "x" => return bytes(value).map(|bytes| (Value::Blob(bytes), true)).ok_or_else(wrong),
        "b" => Value::Blob(bytes(value).ok_or_else(wrong)?),
        _ => return Err(wrong()),
    };
    Ok((value, false))
}

fn real(text: &str) -> Option<f64> {
    match text {
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        number => number.parse().ok().filter(|value: &f64| value.is_finite()),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok().filter(|p| p.len() == 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_stored_value_there_and_back() {
        let reals = [0.0, -0.0, 0.1, 5e-324, f64::MAX, f64::INFINITY, f64::NEG_INFINITY, 1e300 / 3.0];
        let values: Vec<Value> = [i64::MIN, -1, 0, i64::MAX]
            .map(Value::Integer)
            .into_iter()
            .chain(reals.map(Value::Real))
            .chain(["", "a", "i:5", "ü\0\n"].map(|text| Value::Text(text.to_owned())))
            .chain([vec![], vec![0, 255]].map(Value::Blob))
            .collect();
        for value in values {
            let (back, raw) = untagged(&tagged(ValueRef::from(&value)).unwrap()).unwrap();
            assert!(!raw);
            match (&value, &back) {
                (Value::Real(a), Value::Real(b)) => assert_eq!(a.to_bits(), b.to_bits()),
                _ => assert_eq!(value, back),
            }
        }
        assert_eq!(untagged(&tagged(ValueRef::Text(b"\xff")).unwrap()).unwrap(), (Value::Blob(vec![255]), true));
        for wrong in ["", "5", "i:", "i:x", "r:nan", "b:0", "b:zz", "q:1"] {
            assert!(untagged(wrong).is_err(), "{wrong}");
        }
    }
}
