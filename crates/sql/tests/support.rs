//! Connections in memory, and queries over them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use levada_core::batch::Data;
use levada_core::connector::Connection;
use levada_core::error::Result;
use levada_core::query::{QUERY_STREAM, Query, QueryEngine};
use levada_core::source::{ReadMode, ReadRequest, Source, StreamInfo};
use levada_sql::Sql;
use levada_testkit::rows::{self, Row};
use serde_json::Value;

/// Enough for whatever a test does not make tight.
pub const MEMORY: usize = 64 << 20;

/// A query over connections.
pub fn query(sql: &str, connections: &[(&str, Arc<dyn Connection>)], spill: &Path) -> Query {
    Query {
        sql: sql.to_owned(),
        params: BTreeMap::new(),
        connections: connections.iter().map(|(name, connection)| ((*name).to_owned(), connection.clone())).collect(),
        memory_bytes: MEMORY,
        spill_bytes: 1 << 30,
        spill: spill.to_owned(),
    }
}

/// The one stream of a query.
pub async fn stream(source: &dyn Source) -> Result<StreamInfo> {
    let mut found = source.discover(Some(QUERY_STREAM)).await?;
    assert_eq!(found.len(), 1);
    Ok(found.remove(0))
}

/// A read of all columns.
pub fn everything(stream: StreamInfo) -> ReadRequest {
    let columns = stream.schema.clone();
    ReadRequest {
        stream,
        columns,
        mode: ReadMode::Full,
        raw: None,
        only: Vec::new(),
        limit: None,
        readers: 2,
        batch_bytes: 1 << 20,
    }
}

/// What a query puts out.
pub async fn run(query: Query) -> Result<(SchemaRef, Vec<Row>)> {
    let source = Sql::new().source(query)?;
    let stream = stream(source.as_ref()).await?;
    let schema = stream.schema.clone();
    let extract = source.read(everything(stream)).await?;
    let mut all = Vec::new();
    for mut reader in extract.readers {
        while let Some(batch) = reader.next().await? {
            assert!(batch.rejects.is_empty());
            let Data::Arrow(batch) = batch.data else { panic!("raw rows") };
            assert_eq!(batch.schema().fields(), schema.fields());
            all.extend(rows::of(&batch));
        }
    }
    Ok((schema, all))
}

/// Parameters from JSON.
pub fn params(values: Value) -> BTreeMap<String, Value> {
    values.as_object().unwrap().iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}
