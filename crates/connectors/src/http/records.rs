//! Records into columns of whatever types are asked for. Numbers keep every digit, nested values stay as they were written,
//! a missing key or `null` is NULL, and of two equal keys the last one counts.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema, SchemaRef};
use levada_core::batch::Reject;
use levada_core::builder::ColumnBuilder;
use levada_core::cast::quoted;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::schema::Logical;
use serde_json::value::RawValue;

use super::columns::path_of;
use crate::files::cells;
use crate::files::json::{entries, unescape};

/// What a record is called in a reject if it is no object.
const WHOLE: &str = "record";

/// Turns records into batches.
pub struct Parser {
    wanted: SchemaRef,
    root: Node,
    columns: Vec<ColumnBuilder>,
    json: Vec<bool>,
    required: Vec<bool>,
    rows: usize,
    bytes: usize,
    bad: Vec<usize>,
    rejects: Vec<Reject>,
}

/// What is known of a value by its place in a record.
#[derive(Default)]
struct Node {
    /// The columns that it goes into.
    columns: Vec<usize>,
    inner: HashMap<String, Node>,
    /// Whether a key without a node is an error: it was not there when the columns were told.
    is_closed: bool,
}

impl Node {
    fn at(&mut self, path: &[String], is_closed: bool) -> &mut Self {
        self.is_closed |= is_closed && !path.is_empty();
        match path.split_first() {
            None => self,
            Some((key, rest)) => self.inner.entry(key.clone()).or_default().at(rest, is_closed),
        }
    }
}

impl Parser {
    /// For the wanted columns of a stream. `is_told` says that its columns were told from a sample: a key that was not in it
    /// makes its record a reject, as leaving it out would lose data.
    ///
    /// # Errors
    /// `Internal` for a type that no column can have.
    pub fn new(wanted: SchemaRef, stream: &Schema, is_told: bool) -> Result<Self> {
        let mut root = Node::default();
        for field in stream.fields() {
            root.at(&path_of(field).0, is_told);
        }
        for (at, field) in wanted.fields().iter().enumerate() {
            let path = path_of(stream.field_with_name(field.name()).unwrap_or(field));
            root.at(&path.0, is_told).columns.push(at);
        }
        let columns =
            wanted.fields().iter().map(|field| ColumnBuilder::new(field.data_type())).collect::<Result<_>>()?;
        Ok(Self {
            root,
            columns,
            json: wanted.fields().iter().map(|field| Logical::of(field) == Some(Logical::Json)).collect(),
            required: wanted.fields().iter().map(|field| !field.is_nullable()).collect(),
            wanted,
            rows: 0,
            bytes: 0,
            bad: Vec::new(),
            rejects: Vec::new(),
        })
    }

    /// About how many bytes were taken since the last batch.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether there is nothing to make a batch of.
    pub fn is_empty(&self) -> bool {
        self.rows == 0 && self.rejects.is_empty()
    }

    /// Takes one record, with the columns that it has from above; `place` says where it came from.
    pub fn push(&mut self, record: &str, above: &[(String, String)], place: &str) {
        // each column takes some room, whatever the record says
        self.bytes += record.len() + 8 * self.columns.len();
        let mut values: Vec<Option<&str>> = vec![None; self.columns.len()];
        if let Err(reason) = self.root.collect(record, &mut values) {
            return self.reject(record, None, &reason, place);
        }
        for (name, raw) in above {
            let columns = self.root.inner.get(name).map(|node| node.columns.as_slice()).unwrap_or_default();
            columns.iter().for_each(|at| values[*at] = Some(raw));
        }
        let mut fault = None;
        for (at, value) in values.into_iter().enumerate() {
            let outcome = match value {
                _ if fault.is_some() => Ok(false),
                Some(raw) => self.value(at, raw).map_err(|reason| format!("{} {reason}", quoted(raw))),
                None => Ok(false),
            };
            match outcome {
                Ok(true) => continue,
                Ok(false) if self.required[at] && fault.is_none() => {
                    fault = Some((at, "the column is a key, and the record has no value for it".to_owned()));
                }
                Ok(false) => {}
                Err(reason) => fault = Some((at, reason)),
            }
            self.columns[at].push_null();
        }
        if let Some((at, reason)) = fault {
            self.bad.push(self.rows);
            let column = self.wanted.field(at).name().clone();
            self.reject(record, Some(column), &reason, place);
        }
        self.rows += 1;
    }

    /// Appends a value; false if it is NULL.
    fn value(&mut self, at: usize, raw: &str) -> Result<bool, &'static str> {
        let column = &mut self.columns[at];
        match raw.as_bytes().first() {
            None | Some(b'n') => return Ok(false),
            _ if self.json[at] => cells::push(column, raw, false)?,
            Some(b'"') => cells::push(column, &unescape(raw)?, false)?,
            Some(_) => cells::push(column, raw, false)?,
        }
        Ok(true)
    }

    fn reject(&mut self, record: &str, column: Option<String>, reason: &str, place: &str) {
        let row = match serde_json::from_str::<&RawValue>(record) {
            Ok(raw) if raw.get().starts_with('{') => raw.get().to_owned(),
            _ => serde_json::json!({ WHOLE: record }).to_string(),
        };
        self.rejects.push(Reject { row, column, reason: format!("{place}: {reason}") });
    }

    /// The records since the last batch, without those that were rejected.
    ///
    /// # Errors
    /// `Internal`.
    pub fn finish(&mut self) -> Result<(RecordBatch, Vec<Reject>)> {
        let (rows, bad) = (std::mem::take(&mut self.rows), std::mem::take(&mut self.bad));
        self.bytes = 0;
        let internal = |error: arrow_schema::ArrowError| Error::new(ErrorKind::Internal, error.to_string());
        let arrays: Vec<_> = self.columns.iter_mut().map(ColumnBuilder::finish).collect();
        // a bad record has NULL where it may not, until it is taken out
        let loose: Vec<Field> =
            self.wanted.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let mut batch =
            RecordBatch::try_new_with_options(Arc::new(Schema::new(loose)), arrays, &options).map_err(internal)?;
        if !bad.is_empty() {
            let mut keep = vec![true; rows];
            bad.into_iter().for_each(|row| keep[row] = false);
            batch = arrow_select::filter::filter_record_batch(&batch, &BooleanArray::from(keep)).map_err(internal)?;
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let batch = RecordBatch::try_new_with_options(self.wanted.clone(), batch.columns().to_vec(), &options)
            .map_err(internal)?;
        Ok((batch, std::mem::take(&mut self.rejects)))
    }
}

impl Node {
    /// Finds the values of one record, or of one object within it.
    fn collect<'a>(&self, text: &'a str, values: &mut [Option<&'a str>]) -> Result<(), String> {
        self.columns.iter().for_each(|at| values[*at] = Some(text));
        if self.inner.is_empty() {
            return Ok(());
        }
        let mut below = Vec::new();
        let mut unknown = None;
        entries(text, |key, raw| match self.inner.get(key) {
            Some(node) if node.inner.is_empty() || !raw.starts_with('{') => {
                node.columns.iter().for_each(|at| values[*at] = Some(raw));
                if self.is_closed && !node.inner.is_empty() && raw != "null" {
                    unknown = Some(key.to_owned());
                }
            }
            Some(node) => below.push((node, raw)),
            None if self.is_closed => unknown = Some(key.to_owned()),
            None => {}
        })?;
        for (node, raw) in below {
            node.collect(raw, values)?;
        }
        match unknown {
            None => Ok(()),
            Some(key) => Err(format!(
                "the key `{key}` was not like this in the sample that told the columns (declare `columns`, or enlarge `sample`)"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow_schema::DataType;
    use levada_core::schema::field;
    use levada_core::text;

    use super::super::columns::Sample;
    use super::super::endpoint::{Endpoint, Nested};
    use super::*;

    fn told(nested: Nested, key: &[&str], sample: &[&str]) -> SchemaRef {
        let endpoint = Endpoint { key: key.iter().map(|key| (*key).to_owned()).collect(), ..Endpoint::default() };
        let mut seen = Sample::new(&endpoint, nested);
        sample.iter().for_each(|record| seen.see(record, &[]));
        Arc::new(Schema::new(seen.fields(&endpoint)))
    }

    fn rows(schema: &SchemaRef, is_told: bool, records: &[&str]) -> (Vec<String>, Vec<Reject>) {
        let mut parser = Parser::new(schema.clone(), schema, is_told).unwrap();
        records.iter().for_each(|record| parser.push(record, &[], "here"));
        let (batch, rejects) = parser.finish().unwrap();
        ((0..batch.num_rows()).map(|row| text::row_json(&batch, row)).collect(), rejects)
    }

    #[test]
    fn values_keep_every_digit() {
        let records = [
            r#"{"id":1,"n":9007199254740993,"big":123456789012345678901234567890,"d":0.10,"t":"a\u0062","x":{"a": [1, 2.50]},"b":true}"#,
            r#"{"id":2,"n":-7108510333361982070,"big":1e3,"d":null,"t":null,"b":false}"#,
        ];
        let schema = told(Nested::Json, &["id"], &records);
        let (rows, rejects) = rows(&schema, true, &records);
        assert!(rejects.is_empty(), "{rejects:?}");
        assert_eq!(
            rows[0],
            r#"{"id":"1","n":"9007199254740993","big":"123456789012345678901234567890","d":"0.10","t":"ab","x":"{\"a\": [1, 2.50]}","b":"true"}"#
        );
        assert!(rows[1].contains(r#""n":"-7108510333361982070","big":"1e3","d":null"#), "{}", rows[1]);
        assert!(!schema.field(0).is_nullable() && schema.field(1).is_nullable());
    }

    #[test]
    fn what_does_not_fit_is_rejected_with_its_column() {
        let schema = told(Nested::Json, &["id"], &[r#"{"id":1,"n":2}"#]);
        let bad = [
            r#"{"id":1,"n":2.5}"#,
            r#"{"id":1,"n":"x"}"#,
            r#"{"n":1}"#,
            r#"{"id":1,"n":1,"new":1}"#,
            "[1]",
            r#"{"id":1,"n":99999999999999999999}"#,
        ];
        let (rows, rejects) = rows(&schema, true, &[&bad[..], &[r#"{"id":3,"n":null}"#]].concat());
        assert_eq!(rows, [r#"{"id":"3","n":null}"#]);
        let columns: Vec<_> = rejects.iter().map(|reject| reject.column.as_deref()).collect();
        assert_eq!(columns, [Some("n"), Some("n"), Some("id"), None, None, Some("n")], "{rejects:?}");
        assert!(rejects[3].reason.contains("`new`"), "{}", rejects[3].reason);
    }

    #[test]
    fn declared_columns_take_what_they_name_and_leave_the_rest() {
        let endpoint: Endpoint = serde_json::from_str(
            r#"{"columns": {"id": "int64", "who": {"type": "text", "path": "customer.name"}, "all": {"type": "json", "path": ""}}}"#,
        )
        .unwrap();
        let schema = Arc::new(Schema::new(super::super::columns::declared(&endpoint).unwrap()));
        let (rows, rejects) = rows(&schema, false, &[r#"{"more":1,"id":"7","customer":{"name":"x","n":1}}"#]);
        assert!(rejects.is_empty(), "{rejects:?}");
        assert_eq!(
            rows,
            [r#"{"id":"7","who":"x","all":"{\"more\":1,\"id\":\"7\",\"customer\":{\"name\":\"x\",\"n\":1}}"}"#]
        );
    }

    #[test]
    fn nested_values_become_columns_where_that_is_asked_for() {
        let records = [
            r#"{"id":1,"c":{"id":2,"a":{"z":"x"}},"m":{"k":1}}"#,
            r#"{"id":2,"c":null,"m":3}"#,
            r#"{"id":3,"l":[{"q":1}]}"#,
        ];
        let schema = told(Nested::Columns, &[], &records);
        let names: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names, ["id", "c_id", "c_a_z", "m", "l"]);
        let (rows, rejects) = rows(&schema, true, &records);
        assert!(rejects.is_empty(), "{rejects:?}");
        assert_eq!(rows[0], r#"{"id":"1","c_id":"2","c_a_z":"x","m":"{\"k\":1}","l":null}"#);
        assert_eq!(rows[1], r#"{"id":"2","c_id":null,"c_a_z":null,"m":"3","l":null}"#);
    }

    #[test]
    fn a_column_of_the_same_name_as_a_flattened_one_is_told_apart() {
        let schema = told(Nested::Columns, &[], &[r#"{"c_id":1,"c":{"id":2}}"#]);
        let names: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names, ["c_id", "c.id"]);
    }

    #[test]
    fn the_last_of_two_equal_keys_counts() {
        let schema: SchemaRef = Arc::new(Schema::new(vec![field("a", DataType::Int64, true, "http:int64", None)]));
        assert_eq!(rows(&schema, false, &[r#"{"a":1,"a":2}"#]).0, [r#"{"a":"2"}"#]);
    }
}
