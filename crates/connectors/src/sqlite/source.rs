//! Reading: threads step the rows of one snapshot straight into Arrow columns.

use std::sync::Arc;

use arrow_array::{Array as _, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use futures_util::future::BoxFuture;
use levada_core::batch::{Batch, Data, Reject};
use levada_core::builder::ColumnBuilder;
use levada_core::error::{Context, Error, ErrorKind, Result};
use levada_core::schema::native_of;
use levada_core::source::{Extract, OVERLAP_COLUMN, ReadMode, ReadRequest, Reader, Source, StreamInfo};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, Rows};

use super::cursor::Cursor;
use super::snapshot::{self, Ranges};
use super::{File, backup, decode, discover, error, only, quote, types};
use crate::kit::ahead::{Giver, Taker, ahead};
use crate::kit::order;

/// Batches that wait between the reading threads and their readers.
const BATCHES_AHEAD: usize = 2;

impl Source for File {
    fn discover<'a>(&'a self, selector: Option<&'a str>) -> BoxFuture<'a, Result<Vec<StreamInfo>>> {
        Box::pin(async move {
            if let Some(pinned) = &self.pinned {
                return Ok(pinned.discover(selector));
            }
            let selector = selector.map(str::to_owned);
            self.blocking(move |file| {
                let connection = file.open_to_read()?.ok_or_else(|| file.missing())?;
                connection.execute_batch("BEGIN").map_err(error::of)?;
                discover::streams(&connection, selector.as_deref()).at(file.place())
            })
            .await
        })
    }

    fn check_cursor(&self, column: &Field, _lag: Option<&str>) -> Result<()> {
        order::check(column)
    }

    fn read<'a>(&'a self, request: ReadRequest) -> BoxFuture<'a, Result<Extract>> {
        Box::pin(async move {
            if request.raw.is_some() {
                return Err(Error::new(ErrorKind::Unsupported, "SQLite has no raw rows"));
            }
            let place = format!("stream `{}`", request.stream.name);
            let opened = self.blocking(move |file| open(&file, request)).await.at(place)?;
            let position = opened.reading.cursor.as_ref().and_then(|cursor| cursor.position.clone());
            let reading = Arc::new(opened.reading);
            let mut readers: Vec<Box<dyn Reader>> = Vec::new();
            let ahead_max = BATCHES_AHEAD.div_ceil(opened.connections.len());
            for connection in opened.connections {
                let (mut giver, batches) = ahead(ahead_max);
                let reading = reading.clone();
                // The thread ends with the rows, at an error, or when the reader is dropped.
                std::thread::Builder::new()
                    .name("sqlite-read".to_owned())
                    .spawn(move || {
                        reading.run(&connection.connection, &mut giver);
                        connection.end();
                    })
                    .map_err(Error::from)?;
                readers.push(Box::new(SqliteReader { batches }));
            }
            Ok(Extract { readers, position, warnings: Vec::new(), again: Vec::new() })
        })
    }
}

struct SqliteReader {
    batches: Taker,
}

impl Reader for SqliteReader {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Batch>>> {
        Box::pin(async { self.batches.take().await.transpose() })
    }
}

/// A read that is about to start: connections that see one snapshot.
struct Opened {
    reading: Reading,
    connections: Vec<backup::Reading>,
}

/// Takes the snapshot that all of the read is from.
fn open(file: &File, request: ReadRequest) -> Result<Opened> {
    if let Some(pinned) = &file.pinned {
        let (connections, rowid) = snapshot::lend(pinned, &request.stream.table, request.readers)?;
        return Ok(Opened { reading: Reading { request, cursor: None, rowid }, connections });
    }
    let first = file.open_to_read()?.ok_or_else(|| file.missing())?;
    let table = request.stream.table.clone();
    let known = |connection: &Connection| match discover::names(connection)?.contains(&table) {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::NotFound, format!("there is no table `{table}` any more"))),
    };
    let ReadMode::Incremental { cursor, from, lag, .. } = &request.mode else {
        let (connections, rowid) = snapshot::take(file, first, &table, request.readers)?;
        known(&connections[0])?;
        let connections = connections.into_iter().map(backup::Reading::own).collect();
        return Ok(Opened { reading: Reading { request, cursor: None, rowid }, connections });
    };
    first.execute_batch("BEGIN").map_err(error::of)?;
    known(&first)?;
    let name = cursor.as_deref().ok_or_else(|| {
        Error::new(ErrorKind::Config, "an incremental read of SQLite needs a cursor column").advise("Set `cursor`.")
    })?;
    let field = request
        .stream
        .schema
        .field_with_name(name)
        .map_err(|_| Error::new(ErrorKind::NotFound, format!("there is no column `{name}` for the cursor")))?;
    let cursor = Cursor::open(&first, &table, field, from.as_ref(), lag.as_deref())?;
    Ok(Opened {
        reading: Reading { request, cursor: Some(cursor), rowid: None },
        connections: vec![backup::Reading::own(first)],
    })
}

/// What the threads of one read share.
struct Reading {
    request: ReadRequest,
    cursor: Option<Cursor>,
    /// The ranges of rowids that are left, where there is more than one thread.
    rowid: Option<Ranges>,
}

impl Reading {
    fn run(&self, connection: &Connection, batches: &mut Giver) {
        if let Err(error) = self.rows(connection, batches) {
            let error = error.at(format!("stream `{}`", self.request.stream.name));
            batches.fail_blocking(error);
        }
    }

    fn rows(&self, connection: &Connection, batches: &mut Giver) -> Result<()> {
        if !batches.wanted_blocking() {
            return Ok(());
        }
        let mark = matches!(self.request.mode, ReadMode::Incremental { mark_overlap: true, .. });
        let mut columns: Vec<String> = self.request.columns.fields().iter().map(|f| quote(f.name())).collect();
        if let Some(cursor) = &self.cursor {
            columns.push(quote(cursor.column()));
        }
        if columns.is_empty() {
            columns.push("NULL".to_owned());
        }
        let mut sql = format!("SELECT {} FROM {}", columns.join(", "), quote(&self.request.stream.table));
        let mut assembly = Assembly::new(&self.request.columns, mark)?;
        if let Some(ranges) = &self.rowid {
            sql.push_str(&format!(" WHERE {} BETWEEN ?1 AND ?2", ranges.column));
            self.only(&mut sql, true);
            let mut statement = connection.prepare(&sql).map_err(error::of)?;
            while let Some((low, high)) = ranges.next() {
                let rows = statement.query([low, high]).map_err(error::of)?;
                if !self.collect(rows, &mut assembly, batches)? {
                    return Ok(());
                }
            }
        } else {
            let condition = self.cursor.as_ref().and_then(Cursor::condition);
            let parameters = condition.map(|(condition, value)| {
                sql.push_str(&format!(" WHERE {condition}"));
                value
            });
            self.only(&mut sql, parameters.is_some());
            let mut statement = connection.prepare(&sql).map_err(error::of)?;
            let rows = statement.query(rusqlite::params_from_iter(parameters)).map_err(error::of)?;
            if !self.collect(rows, &mut assembly, batches)? {
                return Ok(());
            }
        }
        if assembly.rows > 0 {
            batches.give_blocking(assembly.finish()?);
        }
        Ok(())
    }

    /// What leaves out rows, behind what the statement says already.
    fn only(&self, sql: &mut String, has_where: bool) {
        let conditions = only::conditions(&self.request);
        for (at, condition) in conditions.iter().enumerate() {
            sql.push_str(if at == 0 && !has_where { " WHERE " } else { " AND " });
            sql.push_str(condition);
        }
        if let Some(rows) = self.request.limit {
            sql.push_str(&format!(" LIMIT {rows}"));
        }
    }

    /// Adds rows to the batch and sends it when it is large enough; false if nobody wants more.
    fn collect(&self, mut rows: Rows<'_>, assembly: &mut Assembly, batches: &mut Giver) -> Result<bool> {
        while let Some(row) = rows.next().map_err(error::of)? {
            let mut marked = false;
            if let Some(cursor) = &self.cursor {
                let value = row.get_ref(self.request.columns.fields().len()).map_err(error::of)?;
                if !cursor.takes(value) {
                    continue;
                }
                marked = assembly.marks.is_some() && cursor.marks(value);
            }
            assembly.push(row, marked)?;
            if assembly.bytes >= self.request.batch_bytes && !batches.give_blocking(assembly.finish()?) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// A batch under construction.
struct Assembly {
    schema: SchemaRef,
    builders: Vec<ColumnBuilder>,
    mixed: Vec<bool>,
    /// Columns whose values tell their storage class.
    tagged: Vec<bool>,
    marks: Option<Vec<bool>>,
    rows: usize,
    bytes: usize,
    rejects: Vec<(usize, Reject)>,
}

impl Assembly {
    fn new(columns: &SchemaRef, mark: bool) -> Result<Self> {
        let mut fields: Vec<Field> = columns.fields().iter().map(|field| field.as_ref().clone()).collect();
        let builders = fields.iter().map(|field| ColumnBuilder::new(field.data_type())).collect::<Result<_>>()?;
        let mixed = fields.iter().map(|f| native_of(f, "sqlite").is_some_and(|n| types::of_declared(n).is_none()));
        let mixed = mixed.collect();
        let tagged = fields.iter().map(backup::stored::is_tagged).collect();
        if mark {
            fields.push(Field::new(OVERLAP_COLUMN, DataType::Boolean, false));
        }
        let schema = Arc::new(Schema::new(fields));
        let marks = mark.then(Vec::new);
        Ok(Self { schema, builders, mixed, tagged, marks, rows: 0, bytes: 0, rejects: Vec::new() })
    }

    fn push(&mut self, row: &Row<'_>, marked: bool) -> Result<()> {
        let mut bad = None;
        for (index, builder) in self.builders.iter_mut().enumerate() {
            let value = row.get_ref(index).map_err(error::of)?;
            self.bytes += match value {
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len() + 4,
                _ => 8,
            };
            let text = if self.tagged[index] { backup::stored::tagged(value) } else { None };
            let value = text.as_deref().map_or(value, ValueRef::from);
            if let Err(reason) = decode::push(builder, value, self.mixed[index]) {
                builder.push_null();
                bad.get_or_insert((index, reason));
            }
        }
        if let Some((index, reason)) = bad {
            let mut object = serde_json::Map::new();
            for (index, field) in self.schema.fields().iter().take(self.builders.len()).enumerate() {
                let value = row.get_ref(index).map_err(error::of)?;
                object.insert(field.name().clone(), decode::shown(value).into());
            }
            let reject = Reject {
                row: serde_json::Value::Object(object).to_string(),
                column: Some(self.schema.field(index).name().clone()),
                reason: reason.into_owned(),
            };
            self.rejects.push((self.rows, reject));
        }
        if let Some(marks) = &mut self.marks {
            marks.push(marked);
        }
        self.rows += 1;
        Ok(())
    }

    fn finish(&mut self) -> Result<Batch> {
        let mut columns: Vec<ArrayRef> = self.builders.iter_mut().map(ColumnBuilder::finish).collect();
        if let Some(marks) = &mut self.marks {
            columns.push(Arc::new(BooleanArray::from(std::mem::take(marks))));
        }
        let rejects = std::mem::take(&mut self.rejects);
        let broken = |error: arrow_schema::ArrowError| Error::new(ErrorKind::Internal, error.to_string());
        if !rejects.is_empty() {
            let mut keep = vec![true; self.rows];
            rejects.iter().for_each(|(row, _)| keep[*row] = false);
            let keep = BooleanArray::from(keep);
            for column in &mut columns {
                *column = arrow_select::filter::filter(column, &keep).map_err(broken)?;
            }
        }
        self.nulls_allowed(&columns)?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows - rejects.len()));
        let data = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options).map_err(broken)?;
        (self.rows, self.bytes) = (0, 0);
        Ok(Batch { data: Data::Arrow(data), rejects: rejects.into_iter().map(|(_, reject)| reject).collect() })
    }

    /// A file whose schema was edited can hold NULL in a NOT NULL column.
    fn nulls_allowed(&self, columns: &[ArrayRef]) -> Result<()> {
        let mut pairs = self.schema.fields().iter().zip(columns);
        match pairs.find(|(field, column)| !field.is_nullable() && column.null_count() > 0) {
            None => Ok(()),
            Some((field, _)) => {
                Err(Error::new(ErrorKind::Data, format!("column `{}` is NOT NULL but holds NULL", field.name()))
                    .advise("Run `PRAGMA integrity_check` on the file and repair the rows."))
            }
        }
    }
}
