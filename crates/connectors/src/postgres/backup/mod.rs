//! One view of a whole database for backups: a transaction that exports its snapshot, holds the definitions of the tables as
//! they are, and lets any number of sessions read what it sees.

mod restore;
mod structure;
mod types;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_schema::{DataType, Field, Schema};
use levada_core::backup::Snapshot;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::schema::{LOGICAL, Logical};
use levada_core::source::StreamInfo;

pub use self::restore::{finish, prepare};
use super::Database;
use super::catalog::Relation;
use super::config::Settings;
use super::discover;
use super::error::Translate;
use super::session::Session;
use super::source::BEGIN;
use super::sql::{qualified, stream_name};
use super::types::Kind;

/// A snapshot that lives as long as its session.
pub struct Pinned {
    /// Its name at the server.
    pub id: String,
    _session: Session,
    /// The streams whose odd values are read as text.
    as_text: Mutex<HashSet<String>>,
}

impl Pinned {
    /// Gives the columns of a stream the types they are read as.
    pub fn retype(&self, stream: &mut StreamInfo) {
        if !self.as_text.lock().unwrap_or_else(PoisonError::into_inner).contains(&stream.name) {
            return;
        }
        let fields = stream.schema.fields().iter().map(|field| {
            let mut field = field.as_ref().clone();
            if is_narrow(&field) {
                field.set_data_type(DataType::Utf8);
                field.metadata_mut().insert(LOGICAL.to_owned(), Logical::Foreign.word().to_owned());
            }
            field
        });
        stream.schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        stream.raw = None;
    }
}

/// Whether a column can hold what its column type cannot: `infinity`, NaN.
fn is_narrow(field: &Field) -> bool {
    matches!(Kind::of_field(field), Kind::Date | Kind::Timestamp(_) | Kind::TimestampTz(_) | Kind::Numeric(Some(_)))
}

/// Takes a view of tables.
pub async fn snapshot(settings: &Settings, selectors: &[String]) -> Result<Snapshot> {
    let session = Session::open(settings).await?;
    let client = &session.client;
    let relations = select(&session, settings, selectors).await?;
    // LOCK comes before the snapshot: a table that was rewritten after the snapshot would look empty.
    let names: Vec<String> = relations.iter().map(|r| qualified(&r.schema, &r.table)).collect();
    client.batch_execute(BEGIN).await.pg()?;
    if !names.is_empty() {
        let lock = format!("LOCK TABLE {} IN ACCESS SHARE MODE", names.join(", "));
        client.batch_execute(&lock).await.pg()?;
    }
    let exported = client.query_typed_one("SELECT pg_catalog.pg_export_snapshot()", &[]).await.pg();
    let id: String = exported
        .map_err(|error| {
            Error::new(ErrorKind::Unsupported, format!("the server shares no view of its tables: {}", error.message()))
                .advise("A standby cannot: give the address of its primary.")
        })?
        .get(0);
    // Only names of pg_catalog are then told without their schema.
    client.batch_execute("SET search_path = pg_catalog").await.pg()?;
    let structure = structure::of(client, &relations).await?;
    let mut streams = discover::streams(client, &relations).await?;
    streams.sort_by(|a, b| a.name.cmp(&b.name));
    let pinned = Arc::new(Pinned { id, _session: session, as_text: Mutex::default() });
    let connection = Arc::new(Database { settings: settings.clone(), pinned: Some(pinned.clone()) });
    let narrow: HashSet<String> = streams
        .iter()
        .filter(|stream| stream.schema.fields().iter().any(|field| is_narrow(field)))
        .map(|stream| stream.name.clone())
        .collect();
    let as_text = move |stream: &str| {
        let mut known = pinned.as_text.lock().unwrap_or_else(PoisonError::into_inner);
        narrow.contains(stream) && known.insert(stream.to_owned())
    };
    Ok(Snapshot { structure, streams, connection, as_text: Box::new(as_text) })
}

/// The tables that selectors mean, each once, ordered by name.
async fn select(session: &Session, settings: &Settings, selectors: &[String]) -> Result<Vec<Relation>> {
    let client = &session.client;
    let mut relations = Vec::new();
    if selectors.is_empty() {
        relations = discover::relations(client, settings, None).await?;
        relations.retain(is_table);
    }
    for selector in selectors {
        let mut found = discover::relations(client, settings, Some(selector)).await?;
        if let [only] = found.as_slice()
            && !is_table(only)
        {
            return Err(Error::new(ErrorKind::Unsupported, "this is no table, and has no rows of its own")
                .at(selector.clone())
                .advise("Name the tables it is made from."));
        }
        found.retain(is_table);
        if found.is_empty() {
            return Err(Error::new(ErrorKind::NotFound, "there is no such table").at(selector.clone()));
        }
        relations.extend(found);
    }
    relations.sort_by_key(|relation| stream_name(&relation.schema, &relation.table));
    relations.dedup_by_key(|relation| relation.oid);
    Ok(relations)
}

fn is_table(relation: &Relation) -> bool {
    matches!(relation.kind, 'r' | 'p')
}
