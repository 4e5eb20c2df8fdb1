//! What rows are compared by: hashes of their values' texts. Two texts that mean the same number or the same JSON
//! document count as one, for systems keep the meaning and not always the spelling. It reads no system.

use std::collections::BTreeMap;

use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use levada_core::batch::Reject;
use levada_core::schema::Logical;
use levada_core::text;
use serde_json::Value as Json;
use serde_json::value::RawValue;
use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128};

/// Hashes of one row.
pub struct Fingerprint {
    /// Of its key.
    pub key: u128,
    /// Of all of it.
    pub row: u128,
    /// Of each value; a value has another hash in another column.
    pub columns: Vec<u64>,
}

/// Makes the fingerprints of rows with certain columns.
pub struct Fingerprinter {
    names: Vec<String>,
    meanings: Vec<Meaning>,
    key: Vec<usize>,
}

/// What the text of a value stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Itself,
    Float32,
    Float64,
    Number,
    Json,
}

impl Meaning {
    fn of(field: &Field) -> Self {
        match (field.data_type(), Logical::of(field)) {
            (DataType::Float32, _) => Self::Float32,
            (DataType::Float64, _) => Self::Float64,
            (DataType::Utf8, Some(Logical::Number)) => Self::Number,
            (DataType::Utf8, Some(Logical::Json)) => Self::Json,
            _ => Self::Itself,
        }
    }

    /// The text that stands for all texts that mean the same, where it is another one.
    fn canonical(self, given: &str) -> Option<String> {
        match self {
            Self::Itself => None,
            // not every system has a negative zero
            Self::Float32 | Self::Float64 if given == "-0" => Some("0".to_owned()),
            // as servers write them: `1e+15`, `1e-05`
            Self::Float32 if given.contains("e+") || given.contains("e-0") => rewritten(given, text::write_f32),
            Self::Float64 if given.contains("e+") || given.contains("e-0") => rewritten(given, text::write_f64),
            Self::Float32 | Self::Float64 => None,
            Self::Number => number(given),
            Self::Json => {
                let mut out = String::with_capacity(given.len());
                json(given, &mut out).then_some(out)
            }
        }
    }
}

fn rewritten<T: std::str::FromStr>(given: &str, write: fn(&mut String, T)) -> Option<String> {
    let mut out = String::new();
    write(&mut out, given.parse().ok()?);
    Some(out)
}

impl Fingerprinter {
    /// For rows with these columns; `key` holds the indexes of the key columns.
    pub fn new(schema: &Schema, key: Vec<usize>) -> Self {
        let names = schema.fields().iter().map(|field| field.name().clone()).collect();
        Self { names, meanings: schema.fields().iter().map(|field| Meaning::of(field)).collect(), key }
    }

    /// The fingerprints of all rows of a batch.
    pub fn rows(&self, rows: &RecordBatch) -> Vec<Fingerprint> {
        let columns: Vec<&dyn Array> = rows.columns().iter().map(AsRef::as_ref).collect();
        let mut framed = String::new();
        let print = |row| {
            self.print(&mut framed, |at, out| {
                let is_there = !columns[at].is_null(row);
                if is_there {
                    text::write_value(out, columns[at], row);
                }
                is_there
            })
        };
        (0..rows.num_rows()).map(print).collect()
    }

    /// The fingerprint of a row that the destination refused; `None` where the reject does not hold all of it.
    pub fn reject(&self, reject: &Reject) -> Option<Fingerprint> {
        let Ok(Json::Object(row)) = serde_json::from_str(&reject.row) else { return None };
        let texts: Option<Vec<Option<&str>>> = self
            .names
            .iter()
            .map(|name| match row.get(name)? {
                Json::Null => Some(None),
                Json::String(text) => Some(Some(text.as_str())),
                _ => None,
            })
            .collect();
        let texts = texts?;
        let write = |at: usize, out: &mut String| {
            out.push_str(texts[at].unwrap_or_default());
            texts[at].is_some()
        };
        Some(self.print(&mut String::new(), write))
    }

    /// The texts of a row's key.
    pub fn key_of(&self, rows: &RecordBatch, row: usize) -> Vec<Option<String>> {
        self.key.iter().map(|at| text::value(rows.column(*at), row)).collect()
    }

    /// The name of a column.
    pub fn name(&self, column: usize) -> &str {
        self.names.get(column).map_or("", String::as_str)
    }

    /// `write` appends the text of a value, or answers that it is NULL. Each text is followed by its length, so that no two
    /// rows look alike put together.
    fn print(&self, framed: &mut String, mut write: impl FnMut(usize, &mut String) -> bool) -> Fingerprint {
        framed.clear();
        let mut columns = Vec::with_capacity(self.names.len());
        let mut frames = Vec::with_capacity(self.names.len());
        for (at, meaning) in self.meanings.iter().enumerate() {
            let start = framed.len();
            if write(at, framed) {
                if let Some(canonical) = meaning.canonical(&framed[start..]) {
                    framed.truncate(start);
                    framed.push_str(&canonical);
                }
                columns.push(xxh3_64_with_seed(&framed.as_bytes()[start..], at as u64 + 1));
                let length = (framed.len() - start).to_string();
                framed.push(':');
                framed.push_str(&length);
                framed.push(';');
            } else {
                framed.push_str("n;");
                columns.push(1);
            }
            frames.push(start..framed.len());
        }
        let row = xxh3_128(framed.as_bytes());
        let key = if self.key.len() == self.names.len() {
            row
        } else {
            let key: String = self.key.iter().map(|at| &framed[frames[*at].clone()]).collect();
            xxh3_128(key.as_bytes())
        };
        Fingerprint { key, row, columns }
    }
}

/// Digits and exponent without zeros at either end; `None` for what is no number.
fn number(given: &str) -> Option<String> {
    let (negative, digits, scale) = text::parse_decimal(given)?;
    let trimmed = digits.trim_end_matches('0');
    if trimmed.is_empty() {
        return Some("0".to_owned());
    }
    let cut = i64::try_from(digits.len() - trimmed.len()).ok()?;
    let sign = if negative { "-" } else { "" };
    Some(format!("{sign}{trimmed}e{}", cut - i64::from(scale)))
}

/// Writes a document without blanks, its keys in order, of equal keys the last, every number exact. False if it is none.
fn json(given: &str, out: &mut String) -> bool {
    let given = given.trim_ascii();
    match given.as_bytes().first() {
        Some(b'{') => {
            let Ok(object) = serde_json::from_str::<BTreeMap<String, &RawValue>>(given) else { return false };
            out.push('{');
            for (key, value) in object {
                out.push_str(&Json::String(key).to_string());
                out.push(':');
                if !json(value.get(), out) {
                    return false;
                }
                out.push(',');
            }
            out.push('}');
            true
        }
        Some(b'[') => {
            let Ok(list) = serde_json::from_str::<Vec<&RawValue>>(given) else { return false };
            out.push('[');
            for value in list {
                if !json(value.get(), out) {
                    return false;
                }
                out.push(',');
            }
            out.push(']');
            true
        }
        Some(b'"') => {
            let Ok(text) = serde_json::from_str::<String>(given) else { return false };
            out.push_str(&Json::String(text).to_string());
            true
        }
        _ => match number(given) {
            Some(number) => {
                out.push_str(&number);
                true
            }
            None => {
                out.push_str(given);
                matches!(given, "true" | "false" | "null")
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_meaning_is_one_text() {
        let canonical = |meaning: Meaning, text: &str| meaning.canonical(text).unwrap_or_else(|| text.to_owned());
        let same = |meaning, left, right| canonical(meaning, left) == canonical(meaning, right);
        for (left, right) in [
            (r#"{"a" : 1, "b":[1,null]}"#, r#"{"b": [1, null], "a": 1}"#),
            (r#"{"a": 1, "a": 2}"#, r#"{"a":2}"#),
            (r#"{"a": 1.10, "b": 1e2, "c": -0.0}"#, r#"{"a":1.1,"b":100,"c":0}"#),
            (r#""\u00e9\/""#, "\"é/\""),
            (" true ", "true"),
        ] {
            assert!(same(Meaning::Json, left, right), "{left} and {right}");
        }
        for (left, right) in [
            ("9007199254740993", "9007199254740992"),
            (r#"{"a":1}"#, r#"{"a":"1"}"#),
            ("[1,2]", "[2,1]"),
            ("[12]", "[1,2]"),
            ("null", "\"null\""),
            ("{", "["),
        ] {
            assert!(!same(Meaning::Json, left, right), "{left} and {right}");
        }
        assert!(same(Meaning::Number, "1.50", "+01.5e0") && same(Meaning::Number, "1e5", "100000"));
        assert!(!same(Meaning::Number, "1.5", "-1.5") && !same(Meaning::Number, "NaN", "0"));
        assert!(same(Meaning::Float64, "-0", "0") && same(Meaning::Float64, "1e+15", "1000000000000000"));
        assert!(same(Meaning::Float32, "1e-05", "0.00001") && !same(Meaning::Float64, "1", "-1"));
        assert!(!same(Meaning::Itself, "1.50", "1.5"));
    }
}
