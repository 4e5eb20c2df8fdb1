//! The source suite: tables in memory, served page by page by a real server, read through the connector.

use std::sync::Arc;

use arrow_schema::Field;
use futures_util::future::BoxFuture;
use levada_core::connector::{CheckStep, Connection};
use levada_core::destination::Destination;
use levada_core::error::Result;
use levada_core::schema::type_name;
use levada_core::source::{Extract, ReadRequest, Source, StreamInfo};
use levada_testkit::conformance::{Capabilities, Harness};
use levada_testkit::memory::Memory;
use serde_json::{Map, Value, json};

use super::connect;
use super::server::{Asked, Reply, Server};

const PAGE: usize = 700;

/// Tables in memory, and a server of them.
struct Served {
    memory: Memory,
    server: Server,
}

async fn harness() -> Served {
    let memory = Memory::new();
    let tables = memory.clone();
    let server = Server::new(move |asked| page(&tables, asked)).await;
    Served { memory, server }
}

fn page(tables: &Memory, asked: &Asked) -> Reply {
    let name = asked.path.trim_start_matches('/');
    let (Some(schema), Some(rows)) = (tables.schema(name), tables.rows(name)) else {
        return Reply::status(404, "{}");
    };
    let start = (asked.number("page").unwrap() - 1) * PAGE;
    let records: Vec<Value> = rows
        .iter()
        .skip(start)
        .take(PAGE)
        .map(|row| {
            let values = schema.fields().iter().zip(row).map(|(field, value)| (field.name().clone(), json!(value)));
            Value::Object(values.collect::<Map<_, _>>())
        })
        .collect();
    Reply::json(&json!({ "data": records }))
}

impl Harness for Served {
    fn connection(&self) -> Arc<dyn Connection> {
        Arc::new(Both { memory: self.memory.clone(), url: self.server.url() })
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { sql: false, ..Capabilities::default() }
    }
}

/// Written in memory, read over HTTP; the endpoints are the tables of the moment.
struct Both {
    memory: Memory,
    url: String,
}

impl Both {
    async fn http(&self) -> Result<Arc<dyn Source>> {
        let mut endpoints = Map::new();
        for table in Arc::new(self.memory.clone()).source()?.discover(None).await? {
            let column = |field: &Arc<Field>| (field.name().clone(), Value::from(type_name(field)));
            let columns: Map<String, Value> = table.schema.fields().iter().map(column).collect();
            endpoints.insert(table.name, json!({ "columns": columns, "records": "data" }));
        }
        let settings =
            json!({ "url": self.url, "private": true, "endpoints": endpoints, "pagination": { "type": "page" } });
        connect(settings)?.source()
    }
}

impl Connection for Both {
    fn address(&self) -> String {
        self.url.clone()
    }

    fn source(self: Arc<Self>) -> Result<Arc<dyn Source>> {
        Ok(self)
    }

    fn destination(self: Arc<Self>) -> Result<Arc<dyn Destination>> {
        Arc::new(self.memory.clone()).destination()
    }

    fn check(&self) -> BoxFuture<'_, Vec<CheckStep>> {
        Box::pin(async { Vec::new() })
    }
}

impl Source for Both {
    fn discover<'a>(&'a self, selector: Option<&'a str>) -> BoxFuture<'a, Result<Vec<StreamInfo>>> {
        Box::pin(async move { self.http().await?.discover(selector).await })
    }

    fn read<'a>(&'a self, request: ReadRequest) -> BoxFuture<'a, Result<Extract>> {
        Box::pin(async move { self.http().await?.read(request).await })
    }
}

mod source {
    use super::harness;
    levada_testkit::source_suite!(harness());
}
