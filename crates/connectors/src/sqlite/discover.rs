//! What streams a file has: tables and views with their columns, types and keys.

use std::sync::Arc;

use arrow_schema::{Field, Schema};
use levada_core::builder::ColumnBuilder;
use levada_core::error::Result;
use levada_core::naming::{is_wildcard, matches};
use levada_core::schema::{HAS_DEFAULT, timestamp, timestamp_utc, with_computed};
use levada_core::source::StreamInfo;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _};

use super::types::{self, Classes, Meaning};
use super::{decode, error, quote};

/// How many values of a column of dates, booleans or UUIDs are looked at to see whether they have the declared form.
const PROBE_ROWS: usize = 200;

/// The tables and views of the file but for SQLite's and Levada's own, ordered.
pub fn names(connection: &Connection) -> Result<Vec<String>> {
    let sql = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'view', 'virtual') \
               AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_levada\\_%' ESCAPE '\\' ORDER BY name";
    let mut statement = connection.prepare(sql).map_err(error::of)?;
    let names = statement.query_map([], |row| row.get(0)).and_then(Iterator::collect).map_err(error::of)?;
    Ok(names)
}

/// The streams a selector means, ordered by name.
pub fn streams(connection: &Connection, selector: Option<&str>) -> Result<Vec<StreamInfo>> {
    let mut names = names(connection)?;
    if let Some(selector) = selector {
        if names.iter().any(|name| name == selector) {
            names.retain(|name| name == selector);
        } else if is_wildcard(selector) {
            names.retain(|name| matches(selector, name));
        } else {
            names.retain(|name| name.eq_ignore_ascii_case(selector));
        }
    }
    names.iter().map(|name| stream(connection, name, true)).collect()
}

/// One table as a target: without generated columns. `None` if it does not exist.
pub fn target(connection: &Connection, name: &str) -> Result<Option<StreamInfo>> {
    let found: Option<String> = connection
        .query_row(
            "SELECT name FROM pragma_table_list WHERE schema = 'main' AND lower(name) = lower(?1)",
            [name],
            |r| r.get(0),
        )
        .optional()
        .map_err(error::of)?;
    let Some(found) = found else { return Ok(None) };
    let computed: Vec<String> =
        columns(connection, &found)?.into_iter().filter(|column| column.generated).map(|column| column.name).collect();
    let mut info = stream(connection, &found, false)?;
    info.schema = Arc::new(with_computed(info.schema.as_ref().clone(), &computed));
    Ok(Some(info))
}

/// Whether the table is a view.
pub fn is_view(connection: &Connection, name: &str) -> Result<bool> {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'view' AND name = ?1";
    connection.query_row(sql, [name], |row| row.get::<_, i64>(0)).map(|count| count > 0).map_err(error::of)
}

struct Column {
    name: String,
    declared: String,
    not_null: bool,
    has_default: bool,
    key_place: i64,
    generated: bool,
}

fn columns(connection: &Connection, table: &str) -> Result<Vec<Column>> {
    let sql = "SELECT name, type, \"notnull\", dflt_value IS NOT NULL, pk, hidden FROM pragma_table_xinfo(?1) \
               WHERE hidden <> 1 ORDER BY cid";
    let mut statement = connection.prepare(sql).map_err(error::of)?;
    let columns = statement.query_map([table], |row| {
        Ok(Column {
            name: row.get(0)?,
            declared: row.get(1)?,
            not_null: row.get(2)?,
            has_default: row.get(3)?,
            key_place: row.get(4)?,
            generated: row.get::<_, i64>(5)? != 0,
        })
    });
    columns.and_then(Iterator::collect).map_err(error::of)
}

fn stream(connection: &Connection, table: &str, generated: bool) -> Result<StreamInfo> {
    let columns = columns(connection, table)?;
    let view = is_view(connection, table)?;
    let mut key: Vec<&Column> = columns.iter().filter(|column| column.key_place > 0).collect();
    key.sort_by_key(|column| column.key_place);
    let row_id = match key.as_slice() {
        [only] if only.declared.eq_ignore_ascii_case("INTEGER") => Some(only.name.clone()),
        _ => None,
    };
    let mut fields = Vec::new();
    for column in columns.iter().filter(|column| generated || !column.generated) {
        let meaning = meaning(connection, table, column, view)?;
        let is_row_id = row_id.as_ref() == Some(&column.name);
        let nullable = !column.not_null && !is_row_id;
        let mut field = types::field_of(&column.name, nullable, &column.declared, meaning);
        if column.has_default || is_row_id {
            field.metadata_mut().insert(HAS_DEFAULT.to_owned(), "true".to_owned());
        }
        fields.push(field);
    }
    let key = if key.is_empty() {
        unique_key(connection, table, &fields)?
    } else {
        key.iter().map(|column| column.name.clone()).collect()
    };
    Ok(StreamInfo {
        name: table.to_owned(),
        namespace: None,
        table: table.to_owned(),
        schema: Arc::new(Schema::new(fields)),
        key,
        rows_estimate: if view { None } else { rows_estimate(connection, table) },
        bytes_estimate: None,
        raw: None,
        typed_by_request: false,
    })
}

/// The greatest row id: right for tables that only grow, and found without a scan.
fn rows_estimate(connection: &Connection, table: &str) -> Option<u64> {
    let sql = format!("SELECT max(rowid) FROM {}", quote(table));
    let greatest = connection.query_row(&sql, [], |row| row.get::<_, Option<i64>>(0)).ok()?;
    u64::try_from(greatest.unwrap_or(0)).ok()
}

/// The columns of a unique index over columns that are never NULL.
fn unique_key(connection: &Connection, table: &str, fields: &[Field]) -> Result<Vec<String>> {
    let sql = "SELECT name FROM pragma_index_list(?1) WHERE \"unique\" = 1 AND partial = 0 ORDER BY name";
    let mut statement = connection.prepare(sql).map_err(error::of)?;
    let indexes: Vec<String> =
        statement.query_map([table], |row| row.get(0)).and_then(Iterator::collect).map_err(error::of)?;
    for index in indexes {
        let mut statement =
            connection.prepare("SELECT name FROM pragma_index_info(?1) ORDER BY seqno").map_err(error::of)?;
        let columns: Vec<Option<String>> =
            statement.query_map([&index], |row| row.get(0)).and_then(Iterator::collect).map_err(error::of)?;
        let solid = |name: &String| fields.iter().any(|field| field.name() == name && !field.is_nullable());
        let columns: Option<Vec<String>> = columns.into_iter().collect();
        if let Some(columns) = columns.filter(|columns| !columns.is_empty() && columns.iter().all(solid)) {
            return Ok(columns);
        }
    }
    Ok(Vec::new())
}

/// The type of a column: as declared, unless nothing or something without meaning is declared, or the first values of a
/// column of dates and the like have another form; then as all of its values are. Expressions of views carry names of
/// affinities that say little.
fn meaning(connection: &Connection, table: &str, column: &Column, view: bool) -> Result<Meaning> {
    let vague = view && matches!(column.declared.as_str(), "NUM" | "BLOB" | "INT" | "REAL" | "TEXT");
    match types::of_declared(&column.declared).filter(|_| !vague) {
        None => by_values(connection, table, &column.name),
        Some((data_type, logical)) if is_probed(&data_type) => {
            let candidates = match &data_type {
                t if *t == timestamp() => vec![data_type.clone(), timestamp_utc()],
                t => vec![t.clone()],
            };
            match probe(connection, table, &column.name, &candidates)? {
                Some(fitting) => Ok((fitting, logical)),
                None => by_values(connection, table, &column.name),
            }
        }
        Some(meaning) => Ok(meaning),
    }
}

fn is_probed(data_type: &arrow_schema::DataType) -> bool {
    use arrow_schema::DataType as T;
    data_type.is_temporal() || matches!(data_type, T::Boolean | T::FixedSizeBinary(_))
}

/// The first candidate that the first values of a column have the form of.
fn probe(
    connection: &Connection,
    table: &str,
    column: &str,
    candidates: &[arrow_schema::DataType],
) -> Result<Option<arrow_schema::DataType>> {
    let column = quote(column);
    let sql = format!("SELECT {column} FROM {} WHERE {column} IS NOT NULL LIMIT {PROBE_ROWS}", quote(table));
    'candidate: for candidate in candidates {
        let mut builder = ColumnBuilder::new(candidate)?;
        let mut statement = connection.prepare(&sql).map_err(error::of)?;
        let mut rows = statement.query([]).map_err(error::of)?;
        while let Some(row) = rows.next().map_err(error::of)? {
            let value = row.get_ref(0).map_err(error::of)?;
            if decode::push(&mut builder, value, false).is_err() {
                continue 'candidate;
            }
        }
        return Ok(Some(candidate.clone()));
    }
    Ok(None)
}

fn by_values(connection: &Connection, table: &str, column: &str) -> Result<Meaning> {
    let sql = format!("SELECT {} FROM {}", quote(column), quote(table));
    let mut classes = Classes::default();
    let mut statement = connection.prepare(&sql).map_err(error::of)?;
    let mut rows = statement.query([]).map_err(error::of)?;
    while let Some(row) = rows.next().map_err(error::of)? {
        match row.get_ref(0).map_err(error::of)? {
            ValueRef::Null => {}
            ValueRef::Integer(value) => {
                classes.integers += 1;
                classes.large_integers += i64::from(value.unsigned_abs() > 1 << 53);
            }
            ValueRef::Real(_) => classes.reals += 1,
            ValueRef::Text(_) => classes.texts += 1,
            ValueRef::Blob(_) => classes.blobs += 1,
        }
    }
    Ok(types::of_values(classes))
}
