//! Writing: what a load would do, and the commits stored in the file. The load itself is in `load`.

use std::sync::Arc;

use arrow_schema::Schema;
use futures_util::future::BoxFuture;
use levada_core::batch::Reject;
use levada_core::destination::{Destination, Load, LoadPlan, LoadSpec, PlannedColumn, Promise, WriteMode};
use levada_core::error::{Context, Error, ErrorKind, Result};
use levada_core::naming::{LengthUnit, NameRules};
use levada_core::position::{Commit, StreamKey};
use levada_core::schema::{Fit, native_of};
use levada_core::source::StreamInfo;
use rusqlite::{Connection, params};

use super::{File, ddl, discover, error, load, quote, types};
use crate::kit::state::{POSITIONS, REJECTS};

impl Destination for File {
    fn name_rules(&self) -> NameRules {
        NameRules { length_max: 255, unit: LengthUnit::Chars, ignores_case: true, forbidden: &['\0'] }
    }

    fn columns_max(&self) -> usize {
        2_000
    }

    fn target(&self, _namespace: Option<&str>, table: &str) -> String {
        table.to_owned()
    }

    fn describe<'a>(&'a self, target: &'a str) -> BoxFuture<'a, Result<Option<StreamInfo>>> {
        Box::pin(async move {
            let target = target.to_owned();
            self.blocking(move |file| match file.open_to_read()? {
                Some(connection) => discover::target(&connection, &target).at(file.place()),
                None => Ok(None),
            })
            .await
        })
    }

    fn plan<'a>(&'a self, spec: &'a LoadSpec) -> BoxFuture<'a, Result<LoadPlan>> {
        Box::pin(async move {
            let spec = spec.clone();
            self.blocking(move |file| plan(&file, &spec).at(format!("target `{}`", spec.target))).await
        })
    }

    fn committed<'a>(&'a self, key: &'a StreamKey) -> BoxFuture<'a, Result<Option<Commit>>> {
        Box::pin(async move {
            let key = key.clone();
            self.blocking(move |file| match file.open_to_read()? {
                Some(connection) => load::committed(&connection, &key).at(file.place()),
                None => Ok(None),
            })
            .await
        })
    }

    fn commits(&self) -> BoxFuture<'_, Result<Vec<Commit>>> {
        Box::pin(self.blocking(|file| match file.open_to_read()? {
            Some(connection) => load::commits(&connection, None).at(file.place()),
            None => Ok(Vec::new()),
        }))
    }

    fn forget<'a>(&'a self, key: &'a StreamKey) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move {
            let key = key.clone();
            self.blocking(move |file| {
                if !file.path.exists() {
                    return Ok(false);
                }
                let connection = file.open_to_write()?;
                if !load::has_positions(&connection)? {
                    return Ok(false);
                }
                let sql = format!("DELETE FROM {} WHERE pipeline = ?1 AND stream = ?2", quote(POSITIONS));
                let removed = connection.execute(&sql, params![key.pipeline, key.stream]);
                removed.map(|count| count > 0).map_err(error::of).at(file.place())
            })
            .await
        })
    }

    fn rejects<'a>(&'a self, load_id: &'a str, skip: usize, limit: usize) -> BoxFuture<'a, Result<Vec<Reject>>> {
        Box::pin(async move {
            let load_id = load_id.to_owned();
            self.blocking(move |file| match file.open_to_read()? {
                Some(connection) => rejects(&connection, &load_id, skip, limit).at(file.place()),
                None => Ok(Vec::new()),
            })
            .await
        })
    }

    fn quarantine(&self, _target: &str, _load_id: &str) -> Option<String> {
        Some(REJECTS.to_owned())
    }

    fn begin<'a>(&'a self, spec: LoadSpec, plan: LoadPlan) -> BoxFuture<'a, Result<Box<dyn Load>>> {
        Box::pin(async move { Ok(Box::new(load::begin(self, spec, plan).await?) as Box<dyn Load>) })
    }
}

fn plan(file: &File, spec: &LoadSpec) -> Result<LoadPlan> {
    let table = spec.existing.as_ref().map_or(&spec.target, |existing| &existing.table);
    if ["sqlite_", "_levada_"].iter().any(|own| table.to_lowercase().starts_with(own)) {
        let message = format!("the name `{table}` is kept for tables of SQLite and of Levada");
        return Err(Error::new(ErrorKind::Schema, message).advise("Rename the target."));
    }
    if spec.incoming.fields().is_empty() {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!("`{table}` would have no columns, and SQLite has no such tables"),
        )
        .advise("Leave the stream out."));
    }
    let mut ddl: Vec<String> = ddl::steps(spec)?.iter().map(ddl::Step::shown).collect();
    if let Some(connection) = file.open_to_read()? {
        ddl::refuse_replacing(&connection, table)?;
        if spec.write == WriteMode::Merge {
            ddl.extend(key_index(&connection, spec)?);
        }
    }
    let fields = ddl::columns(spec);
    let existing = spec.existing.as_ref().map(|existing| &existing.schema);
    let columns = fields.iter().map(|field| {
        let new = spec.incoming.field_with_name(field.name());
        let old = existing.and_then(|existing| existing.field_with_name(field.name()).ok());
        PlannedColumn {
            name: field.name().clone(),
            native: native_of(field, "sqlite").map_or_else(|| types::declare(field), str::to_owned),
            fit: old.zip(new.ok()).map_or(Fit::Exact, |(old, new)| ddl::fit(old, new)),
        }
    });
    let strategy = match (spec.write, existing.is_some()) {
        (WriteMode::Merge, _) => "One transaction updates the rows with a known key and inserts the others",
        (WriteMode::Replace, true) => "One transaction deletes the rows of the table and inserts the new ones",
        (_, true) => "One transaction inserts the rows into the table",
        (_, false) => "One transaction makes the table and inserts the rows",
    };
    Ok(LoadPlan {
        columns: columns.collect(),
        schema: Arc::new(Schema::new(fields)),
        ddl,
        strategy: strategy.to_owned(),
        raw: None,
        writers: 1,
        promise: Promise::ExactlyOnce,
    })
}

fn rejects(connection: &Connection, load_id: &str, skip: usize, limit: usize) -> Result<Vec<Reject>> {
    let known = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1";
    let known: i64 = connection.query_row(known, [REJECTS], |row| row.get(0)).map_err(error::of)?;
    if known == 0 {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT row_json, column_name, reason FROM {} WHERE load_id = ?1 ORDER BY rowid LIMIT ?2 OFFSET ?3",
        quote(REJECTS)
    );
    let mut statement = connection.prepare(&sql).map_err(error::of)?;
    let (skip, limit) = (i64::try_from(skip).unwrap_or(i64::MAX), i64::try_from(limit).unwrap_or(i64::MAX));
    let read = |row: &rusqlite::Row<'_>| Ok(Reject { row: row.get(0)?, column: row.get(1)?, reason: row.get(2)? });
    let rows = statement.query_map(params![load_id, limit, skip], read).and_then(Iterator::collect);
    rows.map_err(error::of)
}

/// The unique index that a merge into an existing table lacks.
pub fn key_index(connection: &Connection, spec: &LoadSpec) -> Result<Option<String>> {
    let Some(existing) = &spec.existing else { return Ok(None) };
    let mut wanted: Vec<&String> = spec.key_columns.iter().collect();
    wanted.sort();
    let sql = "SELECT (SELECT group_concat(name, char(0)) FROM (SELECT name FROM pragma_index_info(list.name) ORDER BY name)) \
               FROM pragma_index_list(?1) AS list WHERE list.\"unique\" = 1 AND list.partial = 0";
    let mut statement = connection.prepare(sql).map_err(error::of)?;
    let indexes: Vec<Option<String>> =
        statement.query_map([&existing.table], |row| row.get(0)).and_then(Iterator::collect).map_err(error::of)?;
    let is_key = |columns: &[&String]| columns == wanted.as_slice();
    let mut primary: Vec<&String> = existing.key.iter().collect();
    primary.sort();
    let joined = wanted.iter().map(|name| name.as_str()).collect::<Vec<_>>().join("\0");
    if is_key(&primary) || indexes.iter().flatten().any(|columns| *columns == joined) {
        return Ok(None);
    }
    let columns: Vec<String> = spec.key_columns.iter().map(|column| quote(column)).collect();
    let name = quote(&format!("{}_levada_key", existing.table));
    Ok(Some(format!("CREATE UNIQUE INDEX IF NOT EXISTS {name} ON {} ({})", quote(&existing.table), columns.join(", "))))
}
