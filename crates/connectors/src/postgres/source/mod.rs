//! Reading: opens parallel readers that share one snapshot and one queue of block ranges.

mod cursor;
mod decode;
mod numeric;
mod only;
mod partition;
mod reader;
mod slices;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use arrow_schema::{DataType, Field};
use futures_util::future::join_all;
use levada_core::error::{Context, Error, ErrorKind, Result};
use levada_core::naming;
use levada_core::schema::{Logical, native_of};
use levada_core::source::{Extract, ReadMode, ReadRequest, Reader};

use self::cursor::Window;
pub use self::cursor::check_cursor;
use self::decode::Decoder;
use self::partition::Range;
use self::reader::{CopyReader, Output, Raw, Rows};
use super::backup::Pinned;
use super::catalog::{self, Column, Relation, Wanted};
use super::config::Settings;
use super::error::Translate;
use super::session::Session;
use super::sql::{ident, literal, qualified};
use super::types::{Kind, SYSTEM};

/// The ranges that no reader has taken yet.
type Queue = Arc<Mutex<VecDeque<Range>>>;

/// How every reading transaction begins.
pub const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/// Opens the readers of a request.
pub async fn read(settings: &Settings, pinned: Option<&Pinned>, request: ReadRequest) -> Result<Extract> {
    let place = format!("stream {}", request.stream.name);
    open(settings, pinned, request).await.at(place)
}

async fn open(settings: &Settings, pinned: Option<&Pinned>, request: ReadRequest) -> Result<Extract> {
    let session = Session::open(settings).await?;
    let client = &session.client;
    let schema = request.stream.namespace.clone().unwrap_or_else(|| settings.schema.clone());
    let wanted = Wanted::One(&schema, &request.stream.table);
    let found = catalog::relations(client, &wanted).await?.into_iter().next();
    let relation = found.ok_or_else(|| gone("the table does not exist any more"))?;
    let lock = lock(&relation);
    let begin = match pinned {
        None => format!("{BEGIN}; {lock}"),
        // Whoever waits to change the table waits for the view that is held: nobody waits behind that one here.
        Some(pinned) => format!("{BEGIN}; SET TRANSACTION SNAPSHOT {}; {lock} NOWAIT", literal(&pinned.id)),
    };
    client.batch_execute(&begin).await.pg()?;
    let columns = catalog::columns(client, &[relation.oid]).await?.remove(&relation.oid).unwrap_or_default();
    check_columns(&request, &columns)?;

    let mut window = match &request.mode {
        ReadMode::Full => Window::default(),
        ReadMode::Incremental { cursor, from, lag, mark_overlap } => {
            let name = cursor.as_deref().ok_or_else(|| {
                Error::new(ErrorKind::Config, "an incremental read of a table needs a cursor column")
                    .advise("Set `cursor` to a column that only grows, for instance `updated_at`.")
            })?;
            let column = find(&columns, name)?;
            cursor::window(client, &relation, column, from.as_ref(), lag.as_deref(), *mark_overlap).await?
        }
    };
    let (ranges, slices) = match window.slices.take() {
        Some((parts, slices)) => {
            window.condition = None;
            (parts.into_iter().map(|slice| Range::slice(&relation, slice)).collect(), Some(slices))
        }
        None if window.by_index || request.limit.is_some() => (vec![Range::whole(&relation)], None),
        None => (partition::ranges(client, &relation, request.readers).await?, None),
    };
    let readers_max = request.readers.min(ranges.len()).max(1);
    let sessions = open_all(settings, session, readers_max, &begin, pinned, &lock).await?;

    let selected = select_list(&request, &window);
    let conditions: Vec<String> = window.condition.take().into_iter().chain(only::conditions(&request)).collect();
    let queue: Queue = Arc::new(Mutex::new(ranges.into()));
    let mut readers: Vec<Box<dyn Reader>> = Vec::new();
    for session in sessions {
        let output = match request.raw {
            Some(_) => Output::Raw(Raw::default()),
            None => {
                Output::Arrow(Box::new(Decoder::new(&request.columns, window.overlap.is_some(), request.batch_bytes)?))
            }
        };
        let place = format!("stream {}", request.stream.name);
        readers.push(Box::new(CopyReader::new(
            session,
            queue.clone(),
            selected.clone(),
            Rows { conditions: conditions.clone(), limit: request.limit },
            output,
            place,
            slices.clone(),
        )));
    }
    Ok(Extract { readers, position: window.position, warnings: window.warnings, again: Vec::new() })
}

/// What keeps the table's definition as it is until the transaction ends. `LOCK` comes before the snapshot; a table
/// that was rewritten after the snapshot would look empty.
fn lock(relation: &Relation) -> String {
    let name = qualified(&relation.schema, &relation.table);
    match relation.kind {
        'r' | 'p' => format!("LOCK TABLE {name} IN ACCESS SHARE MODE"),
        _ => format!("SELECT FROM {name} LIMIT 0"),
    }
}

fn gone(what: &str) -> Error {
    Error::new(ErrorKind::NotFound, what)
}

fn find<'a>(columns: &'a [Column], name: &str) -> Result<&'a Column> {
    columns.iter().find(|column| column.field.name() == name).ok_or_else(|| {
        let names: Vec<&str> = columns.iter().map(|column| column.field.name().as_str()).collect();
        let nearest = naming::did_you_mean(naming::nearest(name, &names));
        gone(&format!("there is no column `{name}`")).advise(format!("{nearest}Columns: {}.", names.join(", ")))
    })
}

/// The columns must still be what they were when the stream was discovered, or their bytes would be misread.
fn check_columns(request: &ReadRequest, columns: &[Column]) -> Result<()> {
    for wanted in request.columns.fields() {
        let column = find(columns, wanted.name())?;
        let has_type = wanted.data_type() == column.field.data_type()
            || Logical::of(wanted) == Some(Logical::Foreign)
            || (*wanted.data_type() == DataType::Utf8 && reads_as_text(&column.field));
        if native_of(wanted, SYSTEM) != native_of(&column.field, SYSTEM) || !has_type {
            return Err(Error::new(ErrorKind::Busy, format!("column `{}` changed its type just now", wanted.name()))
                .advise("Run again: the new type is then taken into account."));
        }
    }
    if request.raw.is_some()
        && (catalog::raw_format(columns).is_none() || columns.len() != request.columns.fields().len())
    {
        return Err(Error::new(ErrorKind::Busy, "the table's columns changed just now").advise("Run again."));
    }
    Ok(())
}

/// NaN and infinity have a text, and no place in a decimal column.
pub fn reads_as_text(column: &Field) -> bool {
    matches!(Kind::of_field(column), Kind::Numeric(_))
}

fn select_list(request: &ReadRequest, window: &Window) -> String {
    let raw = request.raw.is_some();
    let columns = request.columns.fields().iter().map(|field| {
        let column = ident(field.name());
        let is_text = *field.data_type() == DataType::Utf8;
        if is_text && !raw { Kind::of_field(field).select_text(&column) } else { column }
    });
    columns.chain(window.overlap.clone()).collect::<Vec<_>>().join(", ")
}

/// As many sessions as wanted on the snapshot of the first, which began with `begin`; fewer where the server has no more to
/// give.
async fn open_all(
    settings: &Settings,
    first: Session,
    wanted: usize,
    begin: &str,
    pinned: Option<&Pinned>,
    lock: &str,
) -> Result<Vec<Session>> {
    let mut sessions = vec![first];
    if wanted < 2 {
        return Ok(sessions);
    }
    let begin = if pinned.is_some() {
        begin.to_owned()
    } else {
        let exported = sessions[0].client.query_typed_one("SELECT pg_catalog.pg_export_snapshot()", &[]).await;
        let Ok(row) = exported else {
            // Not allowed here; the failed statement ended the transaction, so it begins anew, on its own.
            sessions[0].client.batch_execute(&format!("ROLLBACK; {begin}")).await.pg()?;
            return Ok(sessions);
        };
        format!("{BEGIN}; SET TRANSACTION SNAPSHOT {}; {lock}", literal(row.get(0)))
    };
    let more = (1..wanted).map(|_| async {
        let session = Session::open(settings).await?;
        session.client.batch_execute(&begin).await.pg()?;
        Ok::<Session, Error>(session)
    });
    for session in join_all(more).await {
        match session {
            Ok(session) => sessions.push(session),
            Err(error) if error.kind() == ErrorKind::Busy => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sessions)
}
