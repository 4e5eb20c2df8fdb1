//! Nested Arrow values as JSON text without loss: numbers with all their digits, bytes as hex text, times as canonical
//! text, numbers that JSON does not know (NaN, infinities) as text.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::ArrowDictionaryKeyType;
use arrow_array::{Array, ArrayRef, downcast_dictionary_array};
use arrow_schema::DataType;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::schema::is_canonical;
use levada_core::text;

use super::columns::canonical;

/// Every value of a nested column as JSON text.
///
/// # Errors
/// `Data` for a value that has no exact text.
pub(super) fn json_column(array: &ArrayRef) -> Result<ArrayRef> {
    let mut builder = StringBuilder::with_capacity(array.len(), array.len() * 32);
    let mut json = String::new();
    for row in 0..array.len() {
        if array.is_null(row) {
            builder.append_null();
            continue;
        }
        json.clear();
        write_json(&mut json, array, row)?;
        builder.append_value(&json);
    }
    Ok(Arc::new(builder.finish()))
}

/// Appends one value as JSON.
fn write_json(out: &mut String, array: &ArrayRef, row: usize) -> Result<()> {
    use DataType as T;
    if array.is_null(row) {
        out.push_str("null");
        return Ok(());
    }
    match array.data_type() {
        T::Utf8 => write_string(out, array.as_string::<i32>().value(row)),
        T::LargeUtf8 => write_string(out, array.as_string::<i64>().value(row)),
        T::Utf8View => write_string(out, array.as_string_view().value(row)),
        T::LargeBinary => write_bytes(out, array.as_binary::<i64>().value(row)),
        T::BinaryView => write_bytes(out, array.as_binary_view().value(row)),
        T::FixedSizeBinary(_) => write_bytes(out, array.as_fixed_size_binary().value(row)),
        T::List(_) => return write_list(out, &array.as_list::<i32>().value(row)),
        T::LargeList(_) => return write_list(out, &array.as_list::<i64>().value(row)),
        T::FixedSizeList(..) => return write_list(out, &array.as_fixed_size_list().value(row)),
        T::ListView(_) => return write_list(out, &array.as_list_view::<i32>().value(row)),
        T::LargeListView(_) => return write_list(out, &array.as_list_view::<i64>().value(row)),
        T::Struct(_) => return write_struct(out, array, row),
        T::Map(..) => return write_map(out, array, row),
        T::Union(..) => {
            let union = array.as_union();
            return write_json(out, union.child(union.type_id(row)), union.value_offset(row));
        }
        T::Dictionary(..) => {
            let any: &dyn Array = array.as_ref();
            return downcast_dictionary_array!(
                any => write_entry(out, any, row),
                _ => Err(unsupported(array.data_type()))
            );
        }
        data_type if is_canonical(data_type) => write_canonical(out, array, row),
        data_type => {
            let (one, bad) = canonical(&array.slice(row, 1))?;
            if let Some(bad) = bad.first() {
                return Err(Error::new(ErrorKind::Data, format!("a value inside a nested column: {}", bad.reason)));
            }
            if !is_canonical(one.data_type()) {
                return Err(unsupported(data_type));
            }
            write_canonical(out, &one, 0);
        }
    }
    Ok(())
}

fn write_entry<K: ArrowDictionaryKeyType>(
    out: &mut String,
    array: &arrow_array::DictionaryArray<K>,
    row: usize,
) -> Result<()> {
    match array.key(row) {
        Some(key) => write_json(out, array.values(), key),
        None => {
            out.push_str("null");
            Ok(())
        }
    }
}

fn write_canonical(out: &mut String, array: &ArrayRef, row: usize) {
    use DataType as T;
    if array.is_null(row) {
        return out.push_str("null");
    }
    let start = out.len();
    text::write_value(out, array, row);
    let bare = match array.data_type() {
        T::Boolean | T::Decimal128(..) | T::Decimal256(..) => true,
        T::Float32 | T::Float64 => !out[start..].ends_with(|c: char| c.is_ascii_alphabetic()),
        data_type => data_type.is_integer(),
    };
    if !bare {
        let written = out.split_off(start);
        write_string(out, &written);
    }
}

fn write_list(out: &mut String, items: &ArrayRef) -> Result<()> {
    out.push('[');
    for item in 0..items.len() {
        if item > 0 {
            out.push(',');
        }
        write_json(out, items, item)?;
    }
    out.push(']');
    Ok(())
}

fn write_struct(out: &mut String, array: &ArrayRef, row: usize) -> Result<()> {
    let array = array.as_struct();
    out.push('{');
    for (index, (field, column)) in array.fields().iter().zip(array.columns()).enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_string(out, field.name());
        out.push(':');
        write_json(out, column, row)?;
    }
    out.push('}');
    Ok(())
}

/// A map as an object; a key that is no text is named by its JSON.
fn write_map(out: &mut String, array: &ArrayRef, row: usize) -> Result<()> {
    let entries = array.as_map().value(row);
    let (keys, values) = (entries.column(0), entries.column(1));
    out.push('{');
    for entry in 0..entries.len() {
        if entry > 0 {
            out.push(',');
        }
        let mut key = String::new();
        write_json(&mut key, keys, entry)?;
        if key.starts_with('"') {
            out.push_str(&key);
        } else {
            write_string(out, &key);
        }
        out.push(':');
        write_json(out, values, entry)?;
    }
    out.push('}');
    Ok(())
}

fn write_bytes(out: &mut String, bytes: &[u8]) {
    let mut hex = String::with_capacity(bytes.len() * 2 + 2);
    text::write_hex(&mut hex, bytes);
    write_string(out, &hex);
}

/// Appends a JSON string with its quotes.
pub(super) fn write_string(out: &mut String, value: &str) {
    out.push('"');
    let mut plain = 0;
    for (at, byte) in value.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&value[plain..at]);
        plain = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            _ => {
                let _ = std::fmt::Write::write_fmt(out, format_args!("\\u{byte:04x}"));
            }
        }
    }
    out.push_str(&value[plain..]);
    out.push('"');
}

fn unsupported(data_type: &DataType) -> Error {
    Error::new(ErrorKind::Unsupported, format!("values of type {data_type} inside a nested column cannot be read"))
}
